"""Tables of plain text: columns as wide as their widest cell, numbers to the right."""

from collections.abc import Sequence

GAP = "  "


def format_table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return rows of cells as lines. The first row is the heading.

    Args:
        rows: all of the same number of cells.
        right: the columns, from 0, that are set to the right.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(cells).rstrip())
    return "\n".join(lines)
