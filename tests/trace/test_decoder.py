"""The decoder on recordings of our own card under readers of several orders, and on entries that nobody ever sent."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge import links, phones
from nfcbridge.phones import AndroidStyle, Conversation, Played, Script, ScriptedPhone
from nfcbridge.server.emulator import Emulator
from nfcbridge.trace import Dir, Entry, TraceFile
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockSeen, ExchangeSeen, MessageSeen, Seen
from tests.foreign.echo_app import app
from tests.trace.anything import ENTRIES
from tests.trace.lines import decode, only

LINK = "memory:decoder"
REQUESTS = [
    '{"path":"/echo","method":"POST","messageID":1},{"n":1}',
    '{"path":"/echo","method":"POST","messageID":2},{"n":"' + "long " * 150 + '"}',
    '{"path":"/echo","method":"POST","messageID":3},{"n":3}',
]

SCRIPTS: dict[str, Callable[[Conversation], Script[None]]] = {
    "close and connect": lambda conversation: phones.android(conversation, AndroidStyle.CLOSE_AND_CONNECT),
    "IsoDep": lambda conversation: phones.android(conversation, AndroidStyle.ISO_DEP),
    "nfcpy": phones.nfcpy,
    "ours": phones.ours,
}


def record(script: Callable[[Conversation], Script[None]], path: Path) -> tuple[list[str | None], list[Played]]:
    """Let a phone carry the requests, recorded; what its app was answered, and what the phone did."""
    answers: list[str | None] = []
    played: list[Played] = []

    def conversation() -> Conversation:
        for request in REQUESTS:
            answer = yield request
            answers.append(answer)

    with Emulator(app, [LINK], trace=path):
        end = links.open_reader(LINK)
        try:
            ScriptedPhone(end, watch=played.append).play(script(conversation()))
        finally:
            end.close()
    return answers, played


def seen_in(path: Path) -> list[Seen]:
    with TraceFile(path) as trace:
        return decode(list(trace), trace.header.level, trace.header)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_recorded_phone_gives_its_exchanges(name: str, tmp_path: Path) -> None:
    answers, played = record(SCRIPTS[name], tmp_path / "t.jsonl")
    seen = seen_in(tmp_path / "t.jsonl")
    exchanges = only(ExchangeSeen, seen)
    assert [exchange.request.text for exchange in exchanges] == REQUESTS
    assert [exchange.answer and exchange.answer.text for exchange in exchanges] == answers
    commands = [(step.step, step.outcome) for step in played if isinstance(step.step, bytes)]
    assert [(apdu.command, apdu.response) for apdu in only(ApduSeen, seen)] == commands
    frames = [frame for step in played for frame in step.frames]
    assert [(block.from_reader, block.octets) for block in only(BlockSeen, seen)] == frames
    assert not any(block.repeated for block in only(BlockSeen, seen))


def test_the_layers_agree_about_blocks_and_air(tmp_path: Path) -> None:
    record(SCRIPTS["close and connect"], tmp_path / "t.jsonl")
    seen = seen_in(tmp_path / "t.jsonl")
    blocks = {block.entry: block for block in only(BlockSeen, seen)}
    for apdu in only(ApduSeen, seen):
        frames = [blocks[number] for number in range(apdu.first, apdu.last + 1)]
        assert apdu.blocks == len(frames)
        assert apdu.air == pytest.approx(sum(frame.air for frame in frames))
    for exchange in only(ExchangeSeen, seen):
        assert exchange.blocks == sum(exchange.first <= number <= exchange.last for number in blocks)
        assert exchange.activations == 1


def test_a_phone_that_reads_too_little_gets_no_answer(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> Script[None]:
        return phones.android(conversation, AndroidStyle.READ_AT_ONCE)

    record(script, tmp_path / "t.jsonl")
    (exchange,) = only(ExchangeSeen, seen_in(tmp_path / "t.jsonl"))
    assert exchange.answer is None
    last = only(MessageSeen, seen_in(tmp_path / "t.jsonl"))[-1]
    assert last.problem.startswith("read without NLEN")


@given(trace=ENTRIES, level=st.sampled_from(["blocks", "apdus"]))
def test_no_entries_raise(trace: list[Entry], level: str) -> None:
    seen = decode(trace, level)
    assert all(isinstance(each, Seen) for each in seen)
    frames = [entry for entry in trace if entry.dir is not Dir.FIELD]
    if level == "blocks":
        assert [block.octets for block in only(BlockSeen, seen)] == [entry.octets for entry in frames]
    messages = only(MessageSeen, seen)
    assert [message.index for message in messages] == list(range(1, len(messages) + 1))
    assert [exchange.request for exchange in only(ExchangeSeen, seen)] == [each for each in messages if each.written]


@given(trace=ENTRIES)
def test_activations_are_pairs_of_rats_and_ats(trace: list[Entry]) -> None:
    numbered = [Entry(entry.t, entry.dir, entry.octets, entry.on, number) for number, entry in enumerate(trace, 1)]
    for activation in only(ActivationSeen, decode(numbered)):
        assert numbered[activation.first - 1].octets[:1] == b"\xe0"
        assert numbered[activation.last - 1].octets == activation.octets
        assert activation.last == activation.first + 1
