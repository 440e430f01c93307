"""Pictures of traces: how long many exchanges took; `picture_timeline` draws one. The same trace gives the same octets.

matplotlib is imported in these two alone, and without a window system: figures are made and written by themselves.
"""

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from nfcbridge.errors import ConfigError
from nfcbridge.trace.durations import BINS, BINS_A_DECADE, CATEGORIES, Durations, TimeSpent, bin_start
from nfcbridge.trace.stats import Stats
from nfcbridge.whole import open_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS: Final = (".svg", ".png")

COLOURS: Final[dict[str, str]] = {
    "payload": "#0072b2",
    "overhead": "#56b4e9",
    "re_selects": "#e69f00",
    "polling": "#cc79a7",
    "waiting_for_us": "#009e73",
    "waiting_for_reader": "#b8b8b8",
    "away": "#e8e8e8",
}
"""Told apart by people who see colours differently, too (Okabe and Ito)."""

RED: Final = "#d1242f"

DARK: Final = frozenset({"payload", "waiting_for_us"})
"""Colours on which text is white."""

WORDS: Final[dict[str, str]] = {
    "payload": "payload",
    "overhead": "overhead",
    "re_selects": "re-selects",
    "polling": "polling",
    "waiting_for_us": "waiting for us",
    "waiting_for_reader": "waiting for the reader",
    "away": "away",
}

WIDTH: Final = 12.0
DPI: Final = 120
"""Inches, and dots of a PNG in one."""

MAX_BARS: Final = 36
LABELLED: Final = 0.04
"""Of the whole: a share that is larger has its size written on it."""

THOUSAND: Final = 1000.0


def check_picture(path: Path) -> None:
    """Raise ConfigError if nothing can be drawn to a file of this name."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--picture {path}: the file ends with .svg or .png")
    if not path.parent.is_dir():
        raise ConfigError(f"--picture {path}: there is no folder {path.parent}; make it first")


def save_picture(figure: "Figure", path: Path) -> None:
    """Write a figure that is at `path` when it is whole.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    import matplotlib as mpl

    ending = path.suffix.lower()[1:]
    # Without a date and with ids that come from the content, so that an unchanged trace gives an unchanged file.
    nothing = {"Date": None} if ending == "svg" else {"Software": None}
    with (
        open_whole(path, mode=0o666 & ~current_umask()) as file,
        mpl.rc_context({"svg.hashsalt": "nfcbridge"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a file's name: a box stands for it
        figure.savefig(file, format=ending, dpi=DPI, metadata=nothing)


def write_title(figure: "Figure", title: str) -> None:
    """Write what stands above a picture, a $ as itself and not as the sign of a formula."""
    figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left", parse_math=False)


def current_umask() -> int:
    """The mode bits that new files do not get: a picture has no secrets in it, and is as other files are."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def draw_histogram(stats: Stats, title: str) -> "Figure":
    """How long exchanges took, and what for."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 7.2), layout="constrained")
    shares, counts, uses = figure.subplots(3, 1, height_ratios=(0.6, 2.2, 2.2))
    write_title(figure, title)
    _draw_shares(shares, stats.spent)
    _draw_counts(counts, stats.durations)
    _draw_uses(uses, stats.durations)
    uses.set_xlim(counts.get_xlim())
    handles, labels = uses.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _draw_shares(axes: "Axes", spent: TimeSpent) -> None:
    total = spent.total() - spent.away
    left = 0.0
    for name in CATEGORIES[:-1]:
        share = getattr(spent, name) / total if total else 0.0
        axes.barh(0, share, left=left, color=COLOURS[name], edgecolor="white", linewidth=0.8)
        if share > LABELLED:
            colour = "white" if name in DARK else "black"
            axes.text(left + share / 2, 0, f"{share:.0%}", ha="center", va="center", fontsize=9, color=colour)
        left += share
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    axes.set_title(f"Where {_seconds(total)} went", loc="left", fontsize=10)


class Bar(NamedTuple):
    """One bar: where it begins and ends on the axis (ms), and its bins."""

    start: float
    end: float
    bins: range


def bars_of(durations: Durations) -> list[Bar]:
    """Neighbouring bins put together, so that there are at most MAX_BARS from the shortest to the longest."""
    used = [at for at, count in enumerate(durations.counts) if count]
    first, last = used[0], used[-1]
    size = next(size for size in (1, 2, 4, 8, 10, 20, 40) if (last - first) // size + 2 <= MAX_BARS)
    first -= first % size
    return [
        Bar(bin_start(at) * THOUSAND, bin_start(at + size) * THOUSAND, range(at, min(at + size, BINS)))
        for at in range(first, last + 1, size)
    ]


def _draw_counts(axes: "Axes", durations: Durations) -> None:
    from matplotlib.ticker import MaxNLocator

    for bar in bars_of(durations):
        count = sum(durations.counts[at] for at in bar.bins)
        axes.bar(bar.start, count, bar.end - bar.start, align="edge", color="#4a5568", edgecolor="white", linewidth=0.6)
    half, nine = durations.quantile(0.5) * THOUSAND, durations.quantile(0.9) * THOUSAND
    for at in (half, nine):
        axes.axvline(at, color=RED, linewidth=1, linestyle="--")
    count = sum(durations.counts)
    words = f"How long {count} exchanges took: half of them {half:.3g} ms at most, nine of ten {nine:.3g} ms"
    axes.set_title(words, loc="left", fontsize=10)
    axes.set_ylabel("exchanges")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _finish_scale(axes, durations)


def _draw_uses(axes: "Axes", durations: Durations) -> None:
    from matplotlib.ticker import PercentFormatter

    bars = bars_of(durations)
    bottoms = [0.0] * len(bars)
    for name in CATEGORIES[:-1]:
        heights = []
        for bar in bars:
            whole = sum(durations.spent[at].total() - durations.spent[at].away for at in bar.bins)
            heights.append(sum(getattr(durations.spent[at], name) for at in bar.bins) / whole if whole else 0.0)
        axes.bar(
            [bar.start for bar in bars],
            heights,
            [bar.end - bar.start for bar in bars],
            bottom=bottoms,
            align="edge",
            color=COLOURS[name],
            edgecolor="white",
            linewidth=0.6,
            label=WORDS[name],
        )
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.set_title("What they took it for", loc="left", fontsize=10)
    axes.set_ylabel("share of the time")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("duration of an exchange, ms")
    _finish_scale(axes, durations)


def _finish_scale(axes: "Axes", durations: Durations) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    bars = bars_of(durations)
    axes.set_xscale("log")
    margin = 10 ** (1 / BINS_A_DECADE)
    axes.set_xlim(bars[0].start / margin, bars[-1].end * margin)
    decades = math.log10(bars[-1].end / bars[0].start)
    subs = (1.0, 2.0, 5.0) if decades > 1 else tuple(float(sub) for sub in range(1, 10))
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=40))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)


def _seconds(seconds: float) -> str:
    return f"{seconds * THOUSAND:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"
