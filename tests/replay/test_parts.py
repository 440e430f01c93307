"""The loop without waiting, and the answers that are found ahead."""

import asyncio
from pathlib import Path

import pytest

from nfcbridge.replay import ahead as ahead_module
from nfcbridge.replay import virtual
from nfcbridge.replay.ahead import AnswersAhead
from nfcbridge.replay.virtual import VirtualLoop
from nfcbridge.trace import Header
from tests.replay.recordings import by_hand, entries_of

SELECT = "00a4000c02e104"


def test_timers_run_in_order_each_at_its_time() -> None:
    loop = VirtualLoop()
    happened: list[tuple[str, float]] = []

    async def live() -> None:
        happened.append(("began", loop.time()))
        await asyncio.sleep(2)
        happened.append(("woke", loop.time()))

    loop.call_later(1, lambda: happened.append(("timer", loop.time())))
    task = loop.create_task(live())
    loop.settle()
    assert happened == [("began", 0.0)]
    loop.advance(1.5)
    assert (happened[1:], loop.now) == ([("timer", 1.0)], 1.5)
    loop.advance(1.0)  # over already
    assert loop.now == 1.5
    loop.advance(10.0)
    assert (happened[2:], loop.now) == ([("woke", 2.0)], 10.0)
    assert task.done()
    loop.settle()
    loop.close()


def test_a_task_that_never_lets_time_pass_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "MAX_ROUNDS", 100)
    loop = VirtualLoop()

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - that it never ends is the point
            await asyncio.sleep(0)

    task = loop.create_task(spin())
    with pytest.raises(RuntimeError, match="never lets time pass"):
        loop.settle()
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def answers(path: Path, *frames: str, last: int = 4, level: str = "apdus", **card: str) -> bytes:
    """The answer to what the entry `last` completed; by default the second APDU, an UPDATE after the SELECT."""
    header = Header(level=level, card=dict(card))
    before = [f"> {SELECT}", "< 9000"] if level == "apdus" else []
    entries = entries_of(by_hand(path / "t.jsonl", header, "on", *before, *frames))[1]
    ahead = AnswersAhead(entries, header)
    numbers = []
    found = b"never asked"
    for entry in ahead:
        numbers.append(entry.number)
        if entry.number == last:
            found = ahead.next_answer(last)
    assert numbers == list(range(1, len(entries) + 1))
    return found


WRITE = "> 00d60000050003d10000"


@pytest.mark.parametrize(
    ("frames", "answer"),
    [
        (("< 9000", "> 00b0000005", "< 0003aabbcc9000"), "aabbcc"),
        (("< 9000", "> 00b0000002", "< 00039000", "> 00b0000203", "< aabbcc9000"), "aabbcc"),
        (("< 9000", "> 00b0000001", "< 009000", "> 00b0000101", "< 039000", "> 00b0000203", "< aabbcc9000"), "aabbcc"),
        (("< 9000", "> 00b0000004", "< 0003aabb9000", "> 00b0000401", "< cc9000"), "aabbcc"),
        # Not ready yet, then ready.
        (("< 9000", "> 00b0000005", "< 0003d000009000", "> 00b0000005", "< 0003aabbcc9000"), "aabbcc"),
        (("< 9000", "> 00b0000002", "< 00009000", "> 00b0000005", "< 0003aabbcc9000"), "aabbcc"),
        # A refused write is none.
        (("< 9000", WRITE, "< 6985", "> 00b0000005", "< 0003aabbcc9000"), "aabbcc"),
        # Read in the next activation.
        (("< 9000", "off", "on", f"> {SELECT}", "< 9000", "> 00b0000005", "< 0003aabbcc9000"), "aabbcc"),
        # Our card tells our reader the length, and nobody reads it, or a part of it.
        (("< 00039000",), "000000"),
        (("< 00039000", "> 00b0000203", "< aabb9000", "off"), "aabb00"),
        # Read without its length.
        (("< 9000", "> 00b0000202", "< aabb9000", "> 00b0000401", "< cc9000"), "aabbcc"),
        (("< 9000", "> 00b0000402", "< aabb9000"), "0000aabb"),
        # Never read: until the end, or until another is written.
        (("< 9000",), "d00000"),
        (("< 9000", WRITE, "< 9000", "> 00b0000005", "< 0003aabbcc9000"), "d00000"),
        ((), "d00000"),
        # Of another file.
        (("< 9000", "> 00a4000c02e103", "< 9000", "> 00b0000005", "< 0003aabbcc9000"), "d00000"),
        (("< 9000", "> b0", "< 9000", "> 00b0000005", "< 6a82"), "d00000"),
    ],
)
def test_the_answer_is_found_however_it_was_read(frames: tuple[str, ...], answer: str, tmp_path: Path) -> None:
    assert answers(tmp_path, WRITE, *frames).hex() == answer


def test_what_stands_for_an_answer_is_the_card_s_own(tmp_path: Path) -> None:
    read = ("< 9000", "> 00b0000005", "< 0003aabbcc9000")
    assert answers(tmp_path, WRITE, *read, idle="aabbcc", not_ready="d50000").hex() == "d50000"


def test_blocks_are_put_together(tmp_path: Path) -> None:
    frames = [
        "> e080", "< 0578804202",
        f"> 02{SELECT}", "< 029000",
        "> 0300d60000050003d10000", "< f201", "> f201", "< 039000",
        "> 1200b0", "< a2", "> 1200b0", "< a2", "> 03000005",  # a block came twice
        "< 130003", "> a2", "< 1a00aa", "> b2", "< 1a00aa", "> ab00", "< 0b00bbcc9000",  # and here; two have a CID
        "> b3", "< a2", "> 03", "< 02",
    ]  # fmt: skip
    assert answers(tmp_path, *frames, last=6, level="blocks").hex() == "aabbcc"


def test_a_new_activation_begins_anew(tmp_path: Path) -> None:
    frames = [
        "> e080", "< 0578804202", f"> 02{SELECT}", "< 029000", "> 0300d60000050003d10000", "< 039000",
        "> c2", "< c2", "> e080", "< 0578804202", f"> 02{SELECT}", "< 029000", "> 0300b0000005", "< 030003aabbcc9000",
    ]  # fmt: skip
    assert answers(tmp_path, *frames, last=6, level="blocks").hex() == "aabbcc"


def test_no_more_is_read_ahead_than_a_message_can_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polls = ["> 00b0000005", "< 0003d000009000"] * 5
    frames = ["< 9000", *polls, "> 00b0000005", "< 0003aabbcc9000"]
    monkeypatch.setattr(ahead_module, "MAX_AHEAD", 13)
    assert answers(tmp_path, WRITE, *frames).hex() == "aabbcc"
    monkeypatch.setattr(ahead_module, "MAX_AHEAD", 12)
    assert answers(tmp_path, WRITE, *frames).hex() == "d00000"
