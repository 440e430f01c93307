"""What a request tells its trace hook, in order, and the time that all of it gets."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from nfcbridge import errors
from nfcbridge.client.errors import NfcConnectTimeout, NfcPoolTimeout, NfcReadError, NfcReadTimeout
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import ConfigError
from nfcbridge.links import open_reader
from nfcbridge.type4 import TagInfo, WriteOrder
from tests.client.ends import Overheard
from tests.server.hall import SOON, Desk

URL = "http://charger"
WHOLE = [
    "nfc.turn.started",
    "nfc.turn.complete",
    "nfc.connect.started",
    "nfc.connect.complete",
    "nfc.exchange.started",
    "nfc.commit",
    "nfc.exchange.complete",
]


class Hook:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def __call__(self, name: str, info: dict[str, object]) -> None:
        self.told.append((name, info))

    async def later(self, name: str, info: dict[str, object]) -> None:
        await asyncio.sleep(0)
        self(name, info)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def info(self, name: str) -> dict[str, object]:
        (info,) = [info for told, info in self.told if told == name]
        return info


class Lifted:
    """Tears an exchange at the frame of which this is true, so many times.

    Args:
        end: whose frames.
        times: how often.
    """

    def __init__(self, end: Overheard, times: int) -> None:
        self.left = times
        self._air = end.air
        self.sign = b"\xd6"
        end.air = self

    def __call__(self, octets: bytes, timeout: float) -> bytes | None:
        if self.left and self.sign in octets[1:3]:
            self.left -= 1
            raise errors.FieldLostError("lifted")
        return self._air(octets, timeout)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


@pytest.fixture
def hook() -> Hook:
    return Hook()


def test_a_request_tells_its_hook_each_step(desk: Desk, hook: Hook) -> None:
    with httpx2.Client(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
        client.get("/nothing?a=1", extensions={"trace": hook})
        client.get("/nothing")  # tells nobody
    assert hook.names == WHOLE
    assert isinstance(hook.info("nfc.connect.complete")["return_value"], TagInfo)
    assert hook.info("nfc.exchange.started") == {"method": "GET", "path": "/nothing?a=1"}
    assert hook.info("nfc.commit") == {"activation": 1}
    assert hook.info("nfc.exchange.complete") == {"return_value": 204}


@pytest.mark.parametrize("kind", ["plain", "awaited"])
def test_a_request_of_an_async_client_tells_either_kind_of_hook(desk: Desk, hook: Hook, kind: str) -> None:
    async def run() -> None:
        trace = hook if kind == "plain" else hook.later
        async with httpx2.AsyncClient(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
            await client.get("/nothing", extensions={"trace": trace})

    asyncio.run(run())
    assert hook.names == WHOLE


def test_a_hook_that_must_be_awaited_is_refused_by_a_client_that_cannot(desk: Desk, hook: Hook) -> None:
    with httpx2.Client(transport=NfcTransport(desk.name), base_url=URL) as client:
        with pytest.raises(TypeError, match="must be a plain function"):
            client.get("/nothing", extensions={"trace": hook.later})
        assert client.get("/nothing").status_code == 204
    assert desk.hall.calls == ["GET /nothing"]


def test_a_torn_exchange_is_told_with_what_may_have_happened(desk: Desk, hook: Hook) -> None:
    end = Overheard(open_reader(desk.name))
    Lifted(end, 1)
    with httpx2.Client(transport=NfcTransport(end), base_url=URL, timeout=SOON) as client:
        assert client.post("/echo", json=1, extensions={"trace": hook}).status_code == 200
    assert desk.hall.calls == ["POST /echo"]
    assert hook.names[4:] == [
        "nfc.exchange.started",
        "nfc.commit",
        "nfc.torn",
        "nfc.found",
        "nfc.repeat",
        "nfc.commit",
        "nfc.exchange.complete",
    ]
    assert isinstance(hook.info("nfc.torn")["exception"], errors.FieldLostError)
    assert hook.info("nfc.torn")["maybe_executed"] is True
    assert hook.info("nfc.found") == {"activation": 2}
    assert hook.info("nfc.repeat") == {"maybe_executed": False}


def test_a_request_that_fails_tells_its_error(desk: Desk, hook: Hook) -> None:
    end = Overheard(open_reader(desk.name))
    Lifted(end, 1000)
    transport = NfcTransport(end, write_order=WriteOrder.NLEN_FIRST)
    with httpx2.Client(transport=transport, base_url=URL) as client, pytest.raises(NfcReadError) as failed:
        client.get("/nothing", timeout=httpx2.Timeout(SOON, read=0.1), extensions={"trace": hook})
    assert hook.names[-1] == "nfc.exchange.failed"
    assert hook.info("nfc.exchange.failed") == {"exception": failed.value, "maybe_executed": False}


def test_a_tag_that_does_not_come_is_told(hook: Hook) -> None:
    transport = NfcTransport("memory:nobody")
    with httpx2.Client(transport=transport, base_url=URL) as client, pytest.raises(NfcConnectTimeout) as failed:
        client.get("/nothing", timeout=httpx2.Timeout(SOON, connect=0.01), extensions={"trace": hook})
    assert hook.names == [*WHOLE[:3], "nfc.connect.failed"]
    assert hook.info("nfc.connect.failed")["exception"] is failed.value


def test_a_hook_that_raises_tears_no_exchange_and_is_not_called_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def broken(name: str, _info: dict[str, object]) -> None:
        calls.append(name)
        raise ValueError("mine")

    with httpx2.Client(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
        assert client.get("/nothing", extensions={"trace": broken}).status_code == 204
    assert calls == ["nfc.turn.started"]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "the trace hook failed at nfc.turn.started, and is not called again")
    ]


def test_a_request_that_was_withdrawn_tells_nothing_more(desk: Desk, hook: Hook) -> None:
    async def run() -> None:
        async with httpx2.AsyncClient(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
            task = asyncio.ensure_future(client.get("/wait", extensions={"trace": hook}))
            await asyncio.to_thread(desk.hall.gate.reached.wait, SOON)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            desk.hall.gate.open()
            assert (await client.get("/nothing")).status_code == 204

    asyncio.run(run())
    assert hook.names == WHOLE[:-1]


# The total time


def test_the_total_time_ends_the_wait_for_a_tag() -> None:
    transport = NfcTransport("memory:nobody", total=0.01)
    with httpx2.Client(transport=transport, base_url=URL, timeout=None) as client, pytest.raises(NfcConnectTimeout):
        client.get("/nothing")


def test_the_total_time_ends_an_exchange_and_the_error_tells_what_may_have_happened(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    with httpx2.Client(transport=transport, base_url=URL, timeout=None) as client:
        with pytest.raises(NfcReadTimeout) as failed:
            client.get("/wait", extensions={"total": 0.3})
        assert failed.value.maybe_executed
        desk.hall.gate.open()


def test_the_total_time_ends_the_wait_for_another_request(desk: Desk) -> None:
    with httpx2.Client(transport=NfcTransport(desk.name, total=0.05), base_url=URL, timeout=None) as client:
        waiting = threading.Thread(target=client.get, args=("/wait",), kwargs={"extensions": {"total": None}})
        waiting.start()
        assert desk.hall.gate.reached.wait(SOON)
        with pytest.raises(httpx2.PoolTimeout) as failed:
            client.get("/nothing")
        assert isinstance(failed.value, NfcPoolTimeout)
        assert not failed.value.maybe_executed
        desk.hall.gate.open()
        waiting.join(SOON)
    assert desk.hall.calls == ["GET /wait"]


def test_a_tag_that_falls_silent_while_it_is_detected_gets_no_time_beyond_the_total(desk: Desk) -> None:
    end = Overheard(open_reader(desk.name))
    given: list[float] = []

    def silent(_octets: bytes, timeout: float) -> Any:
        given.append(timeout)

    end.air = silent
    transport = NfcTransport(end, total=0.05)
    with httpx2.Client(transport=transport, base_url=URL, timeout=None) as client, pytest.raises(NfcConnectTimeout):
        client.get("/nothing")
    assert max(given) <= 0.05


@pytest.mark.parametrize("total", [0.0, -1.0, float("nan")])
def test_a_total_time_out_that_cannot_be_is_refused(total: float) -> None:
    with pytest.raises(ConfigError, match="more than 0 seconds"):
        NfcTransport("memory:x", total=total)
