"""The report, part by part; what others wrote cannot become Markdown in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.formats.markdown_writer import (
    FindingRow,
    Findings,
    Frames,
    Happenings,
    Messages,
    cell,
    fence,
    lay_out,
)
from nfcbridge.trace import Entry, Header
from tests.formats.written import frames, write

MESSAGE = bytes.fromhex("D1012F5402656E") + b'{"path":"/a|b","method":"GET","messageID":1}'
REQUEST = len(MESSAGE).to_bytes(2, "big") + MESSAGE
WRITE = [
    "on",
    ">00A4040007D276000085010100",
    "<9000",
    ">00A4000C02E104",
    "<9000",
    f">00D60000{len(REQUEST):02X}{REQUEST.hex()}",
    "<9000",
]


def lines(writer: Happenings | Messages | Frames | Findings, *entries: str) -> list[str]:
    return write(writer, frames(*entries)).decode().splitlines()


def test_a_report_begins_with_a_warning_and_what_is_known() -> None:
    header = Header(level="apdus", link="vpcd:a_b", source="x", seed=7, card={"uid": "08"}, clock={"wall": 1.0})
    text = lines(Happenings(header, "my_trace.jsonl"))
    assert text[0] == "# my\\_trace.jsonl"
    assert text[2].startswith("> **Before you publish this:**")
    assert "`nfcbridge trace redact`" in text[3]
    table = text[text.index("| What | Value |") :]
    assert table[2:9] == [
        "| Recorded by | x |",
        "| Link | vpcd:a\\_b |",
        "| Frames are | apdus |",
        '| Clock | \\{"wall":1.0\\} |',
        "| Seed | 7 |",
        '| Card | \\{"uid":"08"\\} |',
        "",
    ]


def test_what_nobody_knows_is_no_row() -> None:
    text = lines(Happenings(Header(), "t"))
    assert "| Recorded by | nobody says |" in text
    assert not [line for line in text if line.startswith(("| Link", "| Seed", "| Card", "| Clock", "| Application"))]


def test_what_happened_is_a_row_each() -> None:
    text = lines(Happenings(Header(level="apdus"), "t"), *WRITE)
    assert text[text.index("## What happened") + 2 :] == [
        "| Lines | Time | What | Air time |",
        "| --- | --- | --- | --- |",
        "| 2 | 0.001000 | card selected |  |",
        "| 3-4 | 0.002000 | SELECT NDEF application | 1.98 ms |",
        "| 5-6 | 0.004000 | SELECT NDEF file | 1.47 ms |",
        f"| 7-8 | 0.006000 | UPDATE NLEN {len(MESSAGE)} and {len(MESSAGE)} octets | 5.80 ms |",
        f"| 7-8 | 0.007000 | **NDEF message of {len(MESSAGE)} octets written: request GET /a\\|b, messageID 1** |  |",
    ]


def test_of_blocks_those_that_are_no_routine_are_rows() -> None:
    text = lines(
        Happenings(Header(), "t"), "on", ">E080", "<0578804202", ">B2", "<A3", ">FF", ">0200B0000002", ">0200B0000002",
        "<0200039000", ">C2", "<C2",
    )  # fmt: skip
    rows = [line.split(" | ")[2] for line in text[text.index("## What happened") + 4 :]]
    assert rows == [
        "card selected",
        "activation: FSD 256, FSC 256, FWT 4.83 ms",
        "R(NAK 0)",
        "no block",
        "READ NLEN: 3, 1 sent again",
        "S(DESELECT)",
    ]


def test_messages_are_laid_out() -> None:
    text = lines(Messages(Header(level="apdus")), *WRITE)
    assert text[3] == "### 1. Written, lines 7-8: request GET /a\\|b, messageID 1"
    assert text[5] == f"{len(MESSAGE)} octets, at 0.007000 s."
    assert text[7:] == ["```json", "{", '  "path": "/a|b",', '  "method": "GET",', '  "messageID": 1', "}", "```"]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("D101085402656E6572617365", "erase"),
        ("D1010555016162632E", "d1 01 05 55 01 61 62 63 2e"),
        ("D00000", "d0 00 00"),
    ],
)
def test_a_message_that_is_no_json_is_shown_as_it_is(message: str, shown: str) -> None:
    octets = bytes.fromhex(message)
    update = f">00D60000{len(octets) + 2:02X}{len(octets):04X}{message}"
    text = lines(Messages(Header(level="apdus")), *WRITE[:-2], update, "<9000")
    assert text[-4:] == ["", "```", shown, "```"]


def test_all_frames_are_folded() -> None:
    assert lines(Frames(), "on", ">B2", "<A3", "off") == [
        "",
        "<details><summary>All frames: line, time, direction, octets without CRC</summary>",
        "",
        "```",
        "     2      0.001000 field on",
        "     3      0.002000 -> b2",
        "     4      0.003000 <- a3",
        "     5      0.004000 field off",
        "```",
        "",
        "</details>",
    ]


def test_findings_are_a_table_with_one_heading_that_tells_a_remedy_once() -> None:
    def find(entry: Entry | None) -> list[FindingRow]:
        return [] if entry is None else [FindingRow("error", "NB101", "3", "a|b", "mend *it*")]

    assert lines(Findings(find), ">B2", "<A3") == [
        "",
        "## Findings",
        "",
        "| Severity | Rule | Lines | What | What to do |",
        "| --- | --- | --- | --- | --- |",
        "| error | NB101 | 3 | a\\|b | mend \\*it\\* |",
        "| error | NB101 | 3 | a\\|b |  |",
    ]


def test_no_findings_are_none() -> None:
    assert lines(Findings(lambda _entry: []), ">B2") == ["", "## Findings", "", "None."]


def test_a_finding_at_the_end_is_told() -> None:
    def find(entry: Entry | None) -> list[FindingRow]:
        return [FindingRow("note", "NB402", "3", "never read", "read it")] if entry is None else []

    assert lines(Findings(find), ">B2")[-1] == "| note | NB402 | 3 | never read | read it |"


@given(st.text())
def test_text_of_others_stays_in_its_cell(text: str) -> None:
    shown = cell(text)
    assert shown.isprintable()
    assert "@" not in shown
    for sign in "|<>`*_#~[]{}":
        assert shown.count(sign) == shown.count(f"\\{sign}") + (shown.count("&#64;") if sign == "#" else 0)


@pytest.mark.parametrize(("text", "ticks"), [("a", 3), ("``", 3), ("```", 4), ("`````` ```", 7)])
def test_a_block_of_code_ends_behind_all_that_is_in_it(text: str, ticks: int) -> None:
    assert fence(text, "json") == f"{'`' * ticks}json\n{text}\n{'`' * ticks}\n"


def test_only_json_is_laid_out() -> None:
    assert lay_out('{"a":1},[2]') == ['{\n  "a": 1\n}', "[\n  2\n]"]
    assert lay_out('{"a":1},') is None
    assert lay_out("[" * 100_000 + "]" * 100_000) is None


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert lay_out('"\x7f\u202e"') == ['"\\x7f\\u202e"']
