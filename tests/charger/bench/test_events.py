"""Server-sent events: what is told, to how many, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from nfcbridge.charger.bench import control
from nfcbridge.charger.bench.feed import MAX_LISTENERS, MAX_WAITING, Feed, Listener, Lost
from nfcbridge.charger.point import load_scenario
from tests.charger.bench.stand import PATIENCE, Stand, Stream

SCENARIOS = Path(__file__).parents[3] / "fixtures" / "scenarios"


class Event(msgspec.Struct, frozen=True, tag_field="event", tag="test"):
    """Something to tell."""

    number: int


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 3 * PATIENCE)

    asyncio.run(bounded())


def test_a_stream_begins_with_what_is_the_case_and_goes_on_with_what_changes() -> None:
    async def listen() -> None:
        stand = Stand()
        stream = Stream(stand)
        start = await stream.message()
        assert start["status"] == 200
        assert (b"content-type", b"text/event-stream") in start["headers"]
        assert (await stream.next("now"))["state"]["charger"]["hmi"] == "ready"
        await stand.call("POST", "/_sim/plug", {})
        assert (await stream.next("hmi"))["leds"] == {"colours": ["green"], "motion": "slow"}
        stream.leave()
        await stream.task

    run(listen)


def test_leds_and_buzzer_change_while_a_scenario_runs_and_nobody_waits() -> None:
    async def listen() -> None:
        stand = Stand(scenario=load_scenario(SCENARIOS / "pairing.toml"))
        stream = Stream(stand)
        await stream.message()
        await stream.next("now")
        seen: list[tuple[str, object]] = []
        await stand.call("POST", "/_sim/advance", {"time": "1h"})
        async with asyncio.timeout(PATIENCE):
            while ("scenario-ended", None) not in seen:
                event = await stream.next("hmi", "buzzer", "scenario-ended")
                seen.append((event["event"], event.get("beeps") or event.get("state")))
        assert ("buzzer", 1) in seen
        assert ("buzzer", 2) in seen
        assert [what for what in seen if what[0] == "hmi"]
        stream.leave()
        await stream.task

    run(listen)


def test_requests_are_told_without_their_query() -> None:
    async def listen() -> None:
        stand = Stand()
        stream = Stream(stand)
        await stream.message()
        await stream.next("now")
        await stand.call("GET", "/v1/settings")
        told = await stream.next("request")
        assert told == {
            "event": "request",
            "t": 0.0,
            "client": "127.0.0.1",
            "method": "GET",
            "path": "/v1/settings",
            "status": 401,
        }
        stream.leave()
        await stream.task

    run(listen)


def test_a_stream_ends_when_the_server_stops_and_a_new_one_ends_at_once() -> None:
    async def listen() -> None:
        stand = Stand()
        stream = Stream(stand)
        await stream.message()
        await stream.next("now")
        stand.bench.tag.stop()
        await stream.task
        last = await stream.message()
        assert not last.get("more_body", False)
        again = Stream(stand)
        await again.message()
        await again.next("now")
        await again.task

    run(listen)


def test_a_silent_stream_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HEARTBEAT", 0.001)

    async def listen() -> None:
        stream = Stream(Stand())
        await stream.message()
        await stream.next("now")
        assert (await stream.message())["body"] == b":\n\n"
        stream.leave()
        await stream.task

    run(listen)


def test_there_is_an_end_to_how_many_listen() -> None:
    async def listen() -> None:
        stand = Stand()
        streams = [Stream(stand) for _ in range(MAX_LISTENERS)]
        for stream in streams:
            await stream.message()
        assert (await stand.call("GET", "/_sim/events")).status == 503
        streams[0].leave()
        await streams[0].task
        another = Stream(stand)
        assert (await another.message())["status"] == 200
        for stream in [*streams[1:], another]:
            stream.leave()
            await stream.task

    run(listen)


def test_who_does_not_take_events_in_time_loses_the_oldest_and_is_told() -> None:
    async def listen() -> None:
        listener = Listener()
        for number in range(MAX_WAITING):
            listener.put(Event(number))
        assert await listener.take(0) == [Event(number) for number in range(MAX_WAITING)]
        for number in range(MAX_WAITING + 1):
            listener.put(Event(number))
        taken = await listener.take(0)
        assert taken is not None
        assert taken[:2] == [Lost(1), Event(1)]
        assert len(taken) == MAX_WAITING + 1
        assert await listener.take(0) == []

    run(listen)


def test_what_came_before_the_end_is_taken_first() -> None:
    async def listen() -> None:
        feed = Feed()
        listener = feed.listen()
        feed.publish(Event(1))
        feed.close()
        assert await listener.take(PATIENCE) == [Event(1)]
        assert await listener.take(PATIENCE) is None

    run(listen)
