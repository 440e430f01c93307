"""The garbage collector is kept out of exchanges, and garbage has an end all the same."""

import gc
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import httpx2
import pytest

import nfcbridge
from nfcbridge.client.transport import NfcTransport
from nfcbridge.server import collection as collection_module
from nfcbridge.server import events as told
from nfcbridge.server.collection import FULL_EVERY, MOST_YOUNG, OLDER_EVERY, QUIET, YOUNG, Collection
from tests.server.hall import SOON


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Recorded:
    """In the place of the gc module: what was collected, and how much there is."""

    def __init__(self) -> None:
        self.enabled = True
        self.young = 0
        self.collected: list[int] = []

    def isenabled(self) -> bool:
        return self.enabled

    def enable(self) -> None:
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def get_count(self) -> tuple[int, int, int]:
        return self.young, 0, 0

    def collect(self, generation: int = 2) -> None:
        self.collected.append(generation)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    fake = Recorded()
    monkeypatch.setattr(collection_module, "gc", fake)
    return fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(collection_module, "time", fake)
    return fake


def test_while_a_phone_is_there_nothing_is_collected_of_itself(recorded: Recorded) -> None:
    collection = Collection()
    collection.phone_came()
    collection.phone_came()
    assert not recorded.enabled
    collection.phone_left()
    assert not recorded.enabled  # the other one is still there
    collection.phone_left()
    assert recorded.enabled


def test_who_has_switched_the_collector_off_keeps_it_off(recorded: Recorded) -> None:
    recorded.enabled = False
    collection = Collection()
    collection.phone_came()
    recorded.young = YOUNG
    collection.frame_sent()
    assert collection.quiet_in() is None
    collection.quiet()
    collection.phone_left()
    assert not recorded.enabled
    assert not recorded.collected


def test_young_objects_are_collected_after_a_frame_if_there_are_many(recorded: Recorded) -> None:
    collection = Collection()
    recorded.young = YOUNG
    collection.frame_sent()  # nobody is there: Python does it
    assert not recorded.collected
    collection.phone_came()
    recorded.young = YOUNG - 1
    collection.frame_sent()
    assert not recorded.collected
    recorded.young = YOUNG
    for _ in range(OLDER_EVERY):
        collection.frame_sent()
    assert recorded.collected == [0] * (OLDER_EVERY - 1) + [1]


def test_a_phone_that_is_never_silent_does_not_keep_garbage_for_ever(recorded: Recorded) -> None:
    collection = Collection()
    collection.phone_came()
    recorded.young = YOUNG
    for _ in range(MOST_YOUNG):
        collection.frame_sent()
    assert recorded.collected.count(2) == 1
    assert recorded.collected[-1] == 2


def test_a_silent_phone_gives_the_time_for_a_full_collection_now_and_then(recorded: Recorded, clock: Clock) -> None:
    collection = Collection()
    collection.phone_came()
    assert collection.quiet_in() is None
    collection.quiet()
    assert not recorded.collected
    clock.now += FULL_EVERY
    assert collection.quiet_in() == QUIET
    collection.quiet()
    assert recorded.collected == [2]
    assert collection.quiet_in() is None


async def answer(scope: Any, _receive: Any, send: Any) -> None:
    assert scope["type"] in {"http", "lifespan"}
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"n":1}'})


@pytest.fixture
def _enabled() -> Iterator[None]:
    assert gc.isenabled()
    yield
    assert gc.isenabled()


@pytest.mark.usefixtures("_enabled")
def test_the_emulator_has_it_off_from_the_arrival_of_a_phone_until_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_module, "FULL_EVERY", 0.0)
    monkeypatch.setattr(collection_module, "QUIET", 0.001)
    seen: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
    with nfcbridge.serve(answer, "memory:collection", on_event=seen.put):
        for _ in range(2):
            transport = NfcTransport("memory:collection")
            with httpx2.Client(transport=transport) as client:
                assert client.get("http://charger/").status_code == 200
                assert not gc.isenabled()
            while not isinstance(seen.get(timeout=SOON), told.PhoneLeft):
                pass
        transport = NfcTransport("memory:collection")
        client = httpx2.Client(transport=transport)
        assert client.get("http://charger/").status_code == 200  # and the emulator ends with the phone there
    client.close()
