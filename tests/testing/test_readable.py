"""A trace in words, for the report of a test."""

from pathlib import Path

import pytest

from nfcbridge.testing.readable import FOLD_FROM, MAX_LINES, MAX_TEXT, read_words, shorten_text
from nfcbridge.trace import Header, write_trace
from tests.trace.lines import entries
from tests.trace.test_stats import ATS, DETECTION, EXCHANGE, RATS

TOUCH = ("+", RATS, ATS, *DETECTION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.jsonl"


def words(path: Path, *lines: str) -> list[str]:
    write_trace(path, Header(), entries(*lines))
    return read_words(path)


def test_commands_messages_and_field_are_told_and_where_to_find_the_rest(path: Path) -> None:
    told = words(path, *TOUCH, *EXCHANGE, "-")
    assert told[0] == "  0.000000 s  card selected"
    assert told[1].startswith("  0.010000 s  activation: FSD 256, FSC 256, FWT 4.83 ms")
    assert told[2].split() == ["0.030000", "s", ">", "SELECT", "NDEF", "application", "00A4040007D276000085010100"]
    assert told[3].strip() == "< 9000"
    assert any("written: request GET /login, messageID 1" in line for line in told)
    assert '                {"messageID":1,"statusCode":200},{"a":1}' in told
    assert told[-2].endswith("field gone")
    assert told[-1] == f"all of it: nfcbridge trace show {path}"


def test_of_blocks_those_are_told_that_tell_of_trouble(path: Path) -> None:
    told = words(path, *TOUCH, "> 02", "< 02", "> 03 00B0000002", "> B3", "> 03 00B0000002", "< F201", "> F201", "> C2")
    text = "\n".join(told)
    for trouble in ("> R(NAK 1)", "> I(1), again", "< S(WTX 1)", "> S(WTX 1)", "> S(DESELECT)"):
        assert trouble in text
    assert "empty" not in text
    assert "< nothing" in text  # of the READ


def test_parts_of_a_long_message_are_one_line(path: Path) -> None:
    read = [
        line
        for number in range(10)
        for line in (f"> 0{2 + number % 2} 00B0{number:04x}01", f"< 0{2 + number % 2} 009000")
    ]
    told = words(path, *TOUCH, *read)
    (folded,) = [line for line in told if "more like it" in line]
    assert folded.strip().startswith(f"... and {10 - FOLD_FROM} more like it, the last: READ 1 octet at 9")
    few = words(path, *TOUCH, *read[: 2 * FOLD_FROM])
    assert not any("more like it" in line for line in few)


def test_trouble_ends_a_line_of_parts(path: Path) -> None:
    part = ("> 02 00B0000001", "< 02 009000", "> 03 00B0000101", "< 03 009000")
    told = words(path, *TOUCH, *part, *part[:2], "> B2", "< 02 009000", *part)
    assert not any("more like it" in line for line in told)


@pytest.mark.parametrize("more", [0, 1])
def test_a_report_has_so_many_lines_at_most(path: Path, more: int) -> None:
    selections = ("+",) * (MAX_LINES + more)
    told = words(path, *selections)
    assert len(told) == MAX_LINES + 1 + more
    assert (told[0] == "... what was before is left out") is bool(more)


def test_a_trace_with_nothing_in_it_tells_nothing(path: Path) -> None:
    assert words(path) == []


def test_what_cannot_be_read_is_told_after_what_could(path: Path) -> None:
    words(path, *TOUCH)
    path.write_text(path.read_text() + "{}\n")
    told = read_words(path)
    assert "the trace cannot be read any further" in told[-2]
    assert "line 13" in told[-2]
    path.unlink()
    assert "No such file" in read_words(path)[0]


def test_what_a_phone_wrote_cannot_paint_on_the_terminal() -> None:
    assert shorten_text("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert shorten_text("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert shorten_text("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT + f"... ({MAX_TEXT + 1} characters)"


def test_a_command_without_response_at_the_end_is_told(path: Path) -> None:
    assert any("no response" in line for line in words(path, *TOUCH, "> 02 00B0000002"))
