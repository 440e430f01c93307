"""What other people's readers sent, decoded, and redacted so that a linter finds the same."""

from pathlib import Path
from typing import Final

import pytest

from nfcbridge.lint import Finding, Linter
from nfcbridge.trace import Entry, Header, TraceFile
from nfcbridge.trace.redact import Redaction
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, MessageSeen
from tests.trace.lines import decode, only

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
TRACES: Final = sorted(path.relative_to(FIXTURES).as_posix() for path in FIXTURES.glob("*/*.jsonl"))


def read(name: str) -> tuple[Header, list[Entry]]:
    with TraceFile(FIXTURES / name) as trace:
        return trace.header, list(trace)


def exchanges(name: str) -> list[tuple[str, int | None, int]]:
    """Method and path, status, and activations on the way, of each exchange."""
    header, entries = read(name)
    return [
        (
            f"{seen.request.request.method} {seen.request.request.path}" if seen.request.request else "",
            seen.answer.answer.status if seen.answer and seen.answer.answer else None,
            seen.activations,
        )
        for seen in only(ExchangeSeen, decode(entries, header.level, header))
    ]


LOGIN: Final = [("GET /login", 200, 0), ("POST /login", 200, 0)]
EXCHANGES: Final = {
    "nfcpy-detect": [],
    "nfcpy-session": [
        ("GET /system_state", 401, 0),
        *LOGIN,
        ("GET /system_state", 200, 0),
        ("POST /settings", 200, 0),
        ("GET /settings?params=OperatorCurrentLimit_vehicleif", 200, 0),
        ("POST /logout", 200, 0),
    ],
    "nfcpy-reactivated": [("GET /login", 200, 1)],
    "nfcpy-held": [("POST /held", 200, 0)],
    "nfcpy-chained": [("POST /echo", 200, 0)],
    "pyscard-session": [
        ("GET /system_state", 401, 0),
        *LOGIN,
        ("GET /system_state", 200, 0),
        ("POST /logout", 200, 0),
        ("GET /system_state", 401, 0),
    ],
    "pyscard-reset": [("GET /login", 200, 1)],
    "pyscard-power-off": [("GET /login", 200, 1)],
    "opensc-tool": [],
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_foreign_readers_give_their_exchanges(name: str) -> None:
    assert exchanges(f"recorded/{name}.jsonl") == EXCHANGES[name]


def test_a_chain_of_many_blocks_is_one_command() -> None:
    header, entries = read("recorded/nfcpy-chained.jsonl")
    longest = max(only(ApduSeen, decode(entries, header.level, header)), key=lambda apdu: apdu.blocks)
    assert longest.blocks == 10
    assert longest.retransmissions == 0
    assert len(longest.command_entries) + len(longest.response_entries) < longest.blocks


def test_android_4_writes_nlen_0_with_the_message_and_nlen_last() -> None:
    header, entries = read("retyped/so-25958299.jsonl")
    (message, *_) = only(MessageSeen, decode(entries, header.level, header))
    assert message.written
    assert message.text == "erase"
    assert (message.first_apdu, message.last_apdu) == (1, 2)


def findings(header: Header, entries: list[Entry]) -> list[tuple[str, tuple[int, ...]]]:
    """Rule and entries of each finding."""
    linter = Linter(header)
    found: list[Finding] = [each for entry in entries for each in linter.receive(entry)]
    return sorted((each.rule.id, tuple(place.first for place in each.places)) for each in [*found, *linter.close()])


@pytest.mark.parametrize("name", TRACES)
def test_a_redacted_trace_shows_the_same_and_breaks_the_same_rules(name: str) -> None:
    header, entries = read(name)
    redaction = Redaction(header, key=bytes(32))
    redaction.look(entries)
    redacted = list(redaction.replace(entries))
    assert findings(redaction.header, redacted) == findings(header, entries)
    before, after = (only(MessageSeen, decode(each, header.level)) for each in (entries, redacted))
    assert [(each.first, each.last, len(each.octets)) for each in before] == [
        (each.first, each.last, len(each.octets)) for each in after
    ]
