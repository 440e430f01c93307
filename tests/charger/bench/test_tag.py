"""The tag between charge point and links: when it is there, and what the charge point hears of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from nfcbridge.charger import Role
from nfcbridge.charger.bench import bench, tag
from nfcbridge.charger.point.faults import Cut, LoseField
from nfcbridge.charger.point.inputs import Nfc, Pair, PowerCycle, Swipe
from nfcbridge.charger.point.reader_states import ReaderState
from nfcbridge.charger.settings import NewValue
from tests.charger.bench.stand import PATIENCE, Stand, Stream

LINK = "udp:127.0.0.1:54321"


class Done(msgspec.Struct, frozen=True, tag_field="event", tag="done"):
    """Something that a link does."""

    number: int


async def live(stand: Stand, test: Callable[[], Awaitable[None]]) -> None:
    """Run the application's life around a test."""
    begun, over = asyncio.Event(), asyncio.Event()
    started = False

    async def receive() -> dict[str, Any]:
        nonlocal started
        if not started:
            started = True
            return {"type": "lifespan.startup"}
        await over.wait()
        return {"type": "lifespan.shutdown"}

    async def send(_message: Any) -> None:
        begun.set()

    task = asyncio.create_task(_run(stand, receive, send))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    try:
        await asyncio.wait_for(test(), PATIENCE)
    finally:
        over.set()
        await task


async def _run(stand: Stand, receive: Any, send: Any) -> None:
    await stand.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


async def until(true: Callable[[], bool]) -> None:
    """Let the loop go on until this is true; `live` bounds it."""
    while not true():  # noqa: ASYNC110 there is no event: what is waited for is what others see
        await asyncio.sleep(0)


@pytest.fixture
def stand() -> Stand:
    return Stand()


def reader_of(stand: Stand) -> ReaderState:
    return stand.controller.charger.state().reader


def finds_tag(stand: Stand) -> bool:
    return stand.bench.tag.present


def test_the_tag_is_away_while_the_controller_starts(stand: Stand) -> None:
    assert finds_tag(stand)
    stand.controller.charger.handle(PowerCycle())
    assert not finds_tag(stand)
    stand.controller.charger.advance(5)
    assert finds_tag(stand)


def test_faults_reach_the_links(stand: Stand) -> None:
    assert stand.bench.tag.losses == 0
    stand.controller.charger.handle(LoseField())
    assert stand.bench.tag.losses == 1
    stand.controller.charger.handle(Cut(2))
    assert [stand.bench.tag.cut_now() for _ in range(3)] == [False, True, False]


def test_apdus_make_the_reader_serve_and_a_minute_of_silence_ends_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag, "HEAR_EVERY", 0.0)

    async def test() -> None:
        side = stand.bench.tag
        for _ in range(3):
            await asyncio.to_thread(side.command_received)
            await until(lambda: reader_of(stand) is ReaderState.SERVING)
            stand.controller.charger.advance(59.9)
        side.command_received()
        await until(lambda: not side._hearing)  # noqa: SLF001 the loop has looked a last time
        assert (await stand.call("POST", "/_sim/advance", {"time": "59.9s"})).status == 200
        assert reader_of(stand) is ReaderState.SERVING
        assert (await stand.call("POST", "/_sim/advance", {"time": "0.1s"})).status == 200
        assert reader_of(stand) is ReaderState.LOOKING

    asyncio.run(live(stand, test))


def test_what_was_heard_counts_before_time_is_moved(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag, "HEAR_EVERY", PATIENCE)

    async def test() -> None:
        stand.bench.tag.command_received()
        await until(lambda: reader_of(stand) is ReaderState.SERVING)
        stand.bench.tag.command_received()  # is told with the next look, or before time moves
        await stand.call("POST", "/_sim/advance", {"time": "61s"})
        assert reader_of(stand) is ReaderState.LOOKING
        assert not stand.bench.tag._heard  # noqa: SLF001 no later look makes it serve again

    asyncio.run(live(stand, test))


def test_a_charger_that_does_not_run_hears_nothing(stand: Stand) -> None:
    stand.controller.unsettled = True
    stand.bench.tag.command_received()
    stand.bench.answer_is_over()
    assert reader_of(stand) is ReaderState.LOOKING


def test_after_the_end_nothing_is_told(stand: Stand) -> None:
    async def test() -> None:
        pass

    asyncio.run(live(stand, test))
    stand.controller.unsettled = True
    stand.bench.tag.command_received()
    stand.bench.answer_is_over()


def test_what_a_link_does_is_told_to_who_listens(stand: Stand) -> None:
    async def test() -> None:
        stand.bench.publish(Done(0))  # to nobody
        stream = Stream(stand)
        await stream.message()
        await stream.next("now")
        await asyncio.to_thread(stand.bench.publish, Done(1))
        assert (await stream.next("done"))["number"] == 1
        stream.leave()
        await stream.task

    asyncio.run(live(stand, test))


@pytest.mark.parametrize("client", [LINK, "127.0.0.1"])
def test_what_is_set_over_nfc_takes_the_tag_away_once_its_answer_is_over(
    stand: Stand, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "SETTLING", 0.0)
    stand.bench.serves([LINK])

    async def test() -> None:
        session = stand.controller.sessions.open(Role.OPERATOR, 0.0)
        change = [NewValue("RfidMode_rfid", "RFID only")]
        await stand.controller.write_settings(session, change, client)
        assert finds_tag(stand) == (client == LINK)
        stand.bench.answer_is_over()
        await until(lambda: not finds_tag(stand))
        change = [NewValue("RfidMode_rfid", "RFID/NFC hybrid")]
        await stand.controller.write_settings(session, change, "127.0.0.1")
        assert finds_tag(stand)

    asyncio.run(live(stand, test))


def wants_cards(stand: Stand) -> bool:
    return stand.bench.tag.looks_for_cards


def test_cards_are_looked_for_as_the_reader_reads_them(stand: Stand) -> None:
    charger = stand.controller.charger
    assert wants_cards(stand)
    charger.handle(Nfc())
    assert not wants_cards(stand)  # a phone is served
    charger.advance(59.9)
    assert not wants_cards(stand)
    charger.advance(0.1)
    assert wants_cards(stand)
    charger.handle(Nfc())
    charger.handle(Pair())
    assert wants_cards(stand)  # which the phone has just asked for
    charger.handle(Swipe("abcdef12"))
    assert not wants_cards(stand)
    charger.handle(PowerCycle())
    assert not wants_cards(stand)
    charger.advance(5)
    assert wants_cards(stand)


def test_in_rfid_only_cards_are_looked_for_and_phones_find_nothing(stand: Stand) -> None:
    charger = stand.controller.charger
    charger.configure(msgspec.structs.replace(charger.settings, hybrid=False))
    assert (wants_cards(stand), finds_tag(stand)) == (True, False)


def test_a_card_that_a_link_has_read_is_swiped_and_what_became_of_it_told(stand: Stand) -> None:
    charger = stand.controller.charger
    outcomes: list[str] = []

    async def test() -> None:
        uid = bytes.fromhex("ABCDEF12")
        await asyncio.to_thread(stand.bench.tag.card_read, uid, outcomes.append)
        await until(lambda: len(outcomes) == 1)
        charger.handle(Pair())
        await asyncio.to_thread(stand.bench.tag.card_read, uid, outcomes.append)
        await until(lambda: len(outcomes) == 2)
        paired = charger.paired()
        assert paired is not None
        assert paired.id == "abcdef12"

    asyncio.run(live(stand, test))
    assert outcomes == ["rejected", "paired, unknown"]


def test_a_card_is_not_read_by_a_charger_that_does_not_run(stand: Stand) -> None:
    outcomes: list[str] = []
    stand.bench.tag.card_read(b"\1\2\3\4", outcomes.append)

    async def test() -> None:
        pass

    asyncio.run(live(stand, test))
    stand.bench.tag.card_read(b"\1\2\3\4", outcomes.append)
    assert not outcomes
