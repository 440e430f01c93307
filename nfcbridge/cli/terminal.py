"""The terminal through rich: colour and folded lines for people, whole and plain lines for a pipe or a file.

Importing rich takes 40 ms, so that only commands which print tables import this module. NO_COLOR, FORCE_COLOR, TERM and
COLUMNS mean what rich makes of them.
"""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNFOLDED: Final = 100_000
"""Width of what is no terminal: no line of ours is as long, so that none is folded. (An answer has 32,767 octets.)"""

GAP: Final = 2
NARROW_GAP: Final = 1
"""Columns of the terminal between two columns of a table."""


def open_console() -> Console:
    """Return stdout as rich prints to it. What is printed there is text and no markup, whoever wrote it."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = UNFOLDED
    return console


def has_colour(console: Console) -> bool:
    """Return whether colours are seen."""
    return console.color_system is not None and not console.no_color


def open_table(*, gap: int = GAP) -> Table:
    """Return a table without frames, whose columns are set by `add_column`."""
    return Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")


def print_table(console: Console, table: Table) -> None:
    """Print a table, without the spaces with which rich fills its last column up."""
    for line in console.render_lines(table, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        print_whole(console, text)


def print_whole(console: Console, text: Text) -> None:
    """Print one line that fits, or that only the terminal itself may fold."""
    console.print(text, no_wrap=True, overflow="ignore", crop=False)
