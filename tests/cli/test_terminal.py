"""Tables and colours: what a terminal shows, and that a pipe gets whole lines of plain text."""

import io
import re
from typing import Final

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from nfcbridge.cli.terminal import UNFOLDED, has_colour, open_console, open_table, print_table, print_whole
from tests.cli.in_terminal import run_in_pipe, run_in_terminal, without_escapes

COLOUR: Final = re.compile(r"\x1b\[[0-9;]*3\d")
BLOCK, APDU, MESSAGE, WARNING = (f"\x1b[{code}m" for code in (35, 36, 32, 33))


def recorded(width: int = 80) -> Console:
    """A console that keeps what is printed, plain."""
    return Console(file=io.StringIO(), width=width, markup=False, highlight=False, color_system=None)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_in_a_terminal_each_layer_has_its_colour() -> None:
    text = run_in_terminal("demo", "--as", "android")
    assert f"{BLOCK}activation " in text
    assert f"{BLOCK}presence check " in text
    assert f"{BLOCK}S(DESELECT), wake-up, RATS" in text
    assert f"{APDU}SELECT E103 " in text
    assert f'{MESSAGE}request   {{"path":"/login"' in text
    assert f'{MESSAGE}answer    {{"messageID":1' in text
    assert f"{WARNING}answer    null: " in text
    assert f"{WARNING}server: warning: " in text
    assert f"   {BLOCK}block\x1b[0m   {APDU}APDU\x1b[0m   {MESSAGE}message\x1b[0m   {WARNING}warning\x1b[0m\n" in text


@pytest.mark.parametrize("command", ["demo", "links"])
def test_no_colours_are_shown_to_who_wants_none(command: str) -> None:
    assert COLOUR.search(run_in_terminal(command)) is not None
    assert COLOUR.search(run_in_terminal(command, variables={"NO_COLOR": "1"})) is None


@pytest.mark.parametrize("command", ["demo", "links"])
def test_a_terminal_that_knows_no_escapes_gets_none(command: str) -> None:
    assert "\x1b" not in run_in_terminal(command, variables={"TERM": "dumb"})


@pytest.mark.parametrize("command", ["demo", "links"])
@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_never_has_to_fold_a_line_itself(command: str, columns: int) -> None:
    lines = without_escapes(run_in_terminal(command, columns=columns)).splitlines()
    assert max(map(cell_len, lines)) <= columns


def test_folded_lines_have_all_that_whole_ones_have() -> None:
    def signs(text: str) -> str:
        # Another run has another UID, token and session.
        together = re.sub(r"\s", "", text.partition("EXCHANGE")[0])
        return re.sub(r'UID\w{8}|"token":".*?"\}|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}', "", together)

    folded = without_escapes(run_in_terminal("demo", columns=60, variables={"NO_COLOR": "1"}))
    assert len(signs(folded)) > 1000
    assert signs(folded) == signs(run_in_pipe("demo"))


def test_a_terminal_of_a_few_columns_shows_everything_all_the_same() -> None:
    text = without_escapes(run_in_terminal("demo", columns=12))
    assert text.splitlines()[-1].endswith(" ms air time")
    assert '{"path":"/' in text


@pytest.mark.parametrize("command", ["demo", "links"])
def test_a_pipe_gets_whole_lines_of_plain_text_whatever_the_terminal_is_like(command: str) -> None:
    text = run_in_pipe(command, variables={"COLUMNS": "40"})
    assert "\x1b" not in text
    assert not re.search(r" $", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) > 140


def test_the_last_line_of_the_demo_is_plain_in_a_terminal_too() -> None:
    last = run_in_terminal("demo", columns=40).splitlines()[-1]
    assert re.fullmatch(r"4 exchanges, 12 APDUs, \d+ blocks, \d+\.\d ms air time", last)


def test_a_wide_terminal_has_links_as_a_table_and_a_narrow_one_as_a_list() -> None:
    wide = without_escapes(run_in_terminal("links", columns=130)).splitlines()
    assert wide[0].split()[:2] == ["NAME", "HERE"]
    narrow = without_escapes(run_in_terminal("links", columns=129)).splitlines()
    assert narrow[0] == "udp:127.0.0.1:54321"
    assert narrow[1:4] == [
        "  ready",
        "  the UDP air of nfcpy, loopback unless another host is given",
        "  ends: card, reader; frames: blocks; UID: 4, 7 or 10 octets",
    ]


def test_what_is_no_terminal_is_as_wide_as_any_line() -> None:
    console = open_console()
    assert console.width == UNFOLDED
    assert not has_colour(console)


def test_text_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = open_console()
    console.print("[bold]:smile:[/bold] 200")
    print_whole(console, Text("[/nothing]"))
    assert capsys.readouterr().out == "[bold]:smile:[/bold] 200\n[/nothing]\n"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    console = recorded()
    table = open_table()
    table.add_column("NAME")
    table.add_column("ms", justify="right")
    table.add_row("a", "10.0")
    table.add_row("longer", "9.0")
    print_table(console, table)
    assert printed(console) == "NAME      ms\na       10.0\nlonger   9.0\n"


def test_the_last_column_is_not_filled_up_with_spaces() -> None:
    console = recorded()
    table = open_table(gap=1)
    table.add_column("A")
    table.add_column("B")
    table.add_row("1", "longest")
    table.add_row("2", "b")
    print_table(console, table)
    assert printed(console) == "A B\n1 longest\n2 b\n"


def test_a_line_may_be_longer_than_the_terminal() -> None:
    console = recorded(width=10)
    print_whole(console, Text("one line of words"))
    assert printed(console) == "one line of words\n"
