"""Pictures of traces: the timeline of one exchange, and how long many took. The same trace gives the same octets.

matplotlib is imported here alone, and without a window system: figures are made and written by themselves.
"""

import math
import os
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from nfcbridge.errors import ConfigError
from nfcbridge.trace.stats import BINS, BINS_A_DECADE, CATEGORIES, Durations, Stats, TimeSpent, Use, bin_start
from nfcbridge.trace.timeline import Frame, Timeline

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

USES: Final[dict[Use, tuple[str, str]]] = {
    Use.MESSAGE: (COLOURS["payload"], "request and answer"),
    Use.NEEDED: (COLOURS["overhead"], "overhead"),
    Use.RE_SELECT: (COLOURS["re_selects"], "re-selects"),
    Use.POLL: (COLOURS["polling"], "polling"),
}
AGAIN: Final = "#d1242f"

WIDTH: Final = 12.0
DPI: Final = 120
"""Inches, and dots of a PNG in one."""

MAX_BARS: Final = 36
CUT_SHARE: Final = 0.15
"""Of the rest of an exchange: a wait longer than all of the rest is drawn as long as this."""
NARROW: Final = 0.055
"""Of the axis: commands that are narrower and alike share a label."""
SEPARATE: Final = 0.004
"""Of the axis: frames that are longer have a gap between them."""
LABELLED_WAIT: Final = 0.04
"""Of the axis: a wait that is longer has its length written on it."""

_THOUSAND: Final = 1000.0


def check_picture(path: Path) -> None:
    """Raise ConfigError if nothing can be drawn to a file of this name."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--picture {path}: the file ends with .svg or .png")
    if not path.parent.is_dir():
        raise ConfigError(f"--picture {path}: there is no folder {path.parent}; make it first")


def save_picture(figure: "Figure", path: Path) -> None:
    """Write a figure beside `path` and put it there when it is whole.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    import matplotlib as mpl

    ending = path.suffix.lower()[1:]
    # Without a date and with ids that come from the content, so that an unchanged trace gives an unchanged file.
    nothing = {"Date": None} if ending == "svg" else {"Software": None}
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".{ending}", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file, mpl.rc_context({"svg.hashsalt": "nfcbridge"}):
            figure.savefig(file, format=ending, dpi=DPI, metadata=nothing)
        Path(name).chmod(0o666 & ~current_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def current_umask() -> int:
    """The mode bits that new files do not get: a picture has no secrets in it, and is as other files are."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


# --- Many exchanges -------------------------------------------------------------------------------------------------


def draw_histogram(stats: Stats, title: str) -> "Figure":
    """How long exchanges took, and what for."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 7.2), layout="constrained")
    shares, counts, means = figure.subplots(3, 1, height_ratios=(0.6, 2.2, 2.2))
    figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    _draw_shares(shares, stats.spent)
    _draw_counts(counts, stats.durations)
    _draw_means(means, stats.durations)
    means.set_xlim(counts.get_xlim())
    handles, labels = means.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _draw_shares(axes: "Axes", spent: TimeSpent) -> None:
    total = spent.total() - spent.away
    left = 0.0
    for name in CATEGORIES[:-1]:
        share = getattr(spent, name) / total if total else 0.0
        axes.barh(0, share, left=left, color=COLOURS[name], edgecolor="white", linewidth=0.8)
        if share > LABELLED_WAIT:
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
        Bar(bin_start(at) * _THOUSAND, bin_start(at + size) * _THOUSAND, range(at, min(at + size, BINS)))
        for at in range(first, last + 1, size)
    ]


def _draw_counts(axes: "Axes", durations: Durations) -> None:
    for bar in bars_of(durations):
        count = sum(durations.counts[at] for at in bar.bins)
        axes.bar(bar.start, count, bar.end - bar.start, align="edge", color="#4a5568", edgecolor="white", linewidth=0.6)
    count = sum(durations.counts)
    bars = bars_of(durations)
    middle = math.sqrt(bars[0].start * bars[-1].end)
    for share, name in ((0.5, "half"), (0.9, "90 %")):
        at = durations.quantile(share) * _THOUSAND
        left = at < middle
        axes.axvline(at, color=AGAIN, linewidth=1, linestyle="--")
        axes.annotate(
            f"{name} within {at:.3g} ms",
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if left else -4, 3),
            ha="left" if left else "right",
            textcoords="offset points",
            fontsize=9,
            color=AGAIN,
        )
    axes.set_title(f"How long {count} exchanges took", loc="left", fontsize=10)
    axes.set_ylabel("exchanges")
    _finish_scale(axes, durations)


def _draw_means(axes: "Axes", durations: Durations) -> None:
    bars = bars_of(durations)
    bottoms = [0.0] * len(bars)
    for name in CATEGORIES[:-1]:
        heights = [
            sum(getattr(durations.spent[at], name) for at in bar.bins)
            / max(sum(durations.counts[at] for at in bar.bins), 1)
            * _THOUSAND
            for bar in bars
        ]
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
    axes.set_title("What they took it for, on average", loc="left", fontsize=10)
    axes.set_ylabel("ms")
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


# --- One exchange ---------------------------------------------------------------------------------------------------

READER_LANE: Final = 1.0
CARD_LANE: Final = 0.0
_HEIGHT: Final = 0.62


class Placed(NamedTuple):
    """A frame on the axis, in seconds: its wait, the selection before it if there is one, its delay, and itself."""

    frame: Frame
    wait_at: float
    wait: float
    drawn_wait: float
    at: float

    @property
    def begins(self) -> float:
        """Where the wait ends."""
        return self.wait_at + self.drawn_wait

    @property
    def ends(self) -> float:
        """Where the frame ends."""
        return self.at + self.frame.air


def place_frames(frames: list[Frame]) -> list[Placed]:
    """Where the frames are drawn: from 0 on, with a wait that is longer than all of the rest cut short."""
    first = frames[0].wait
    everything = sum(frame.wait + frame.selection + frame.delay + frame.air for frame in frames) - first
    placed, at = [], 0.0
    for number, frame in enumerate(frames):
        wait = frame.wait if number else 0.0  # what was before the first has nothing to do with it
        rest = everything - wait
        drawn = CUT_SHARE * rest if wait > rest else wait
        placed.append(Placed(frame, at, wait, drawn, at + drawn + frame.selection + frame.delay))
        at = placed[-1].ends
    return placed


def draw_timeline(timeline: Timeline, title: str) -> "Figure":
    """One exchange along the time."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    placed = place_frames(timeline.frames)
    end = placed[-1].ends
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    for each in placed:
        _draw_wait(axes, each, end)
        _draw_frame(axes, each, end)
    axes.set_ylim(-0.5, _draw_commands(axes, timeline, placed, end))
    axes.set_xlim(-0.005 * end, 1.005 * end)
    axes.set_yticks([READER_LANE, CARD_LANE], ["reader", "card"], fontsize=11)
    axes.tick_params(axis="y", length=0)
    ticks = list(ticks_of(placed, end))
    axes.set_xticks([at for at, _ in ticks], [label for _, label in ticks])
    axes.set_xlabel("ms: computed air of each frame, and measured waits between them")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    used = {frame.use for frame in timeline.frames}
    handles = [Patch(color=colour, label=words) for use, (colour, words) in USES.items() if use in used]
    if any(frame.selection for frame in timeline.frames):
        handles.append(Patch(facecolor="none", edgecolor=COLOURS["overhead"], hatch="////", label="selection"))
    if any(frame.repeated for frame in timeline.frames):
        handles.append(Patch(facecolor="none", edgecolor=AGAIN, linewidth=1.6, label="sent again"))
    handles.append(Patch(color=COLOURS["waiting_for_us"], alpha=0.3, label=WORDS["waiting_for_us"]))
    handles.append(Patch(color=COLOURS["waiting_for_reader"], alpha=0.5, label=WORDS["waiting_for_reader"]))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _draw_frame(axes: "Axes", placed: Placed, end: float) -> None:
    frame = placed.frame
    colour = USES[frame.use][0]
    edge = "white" if frame.air > SEPARATE * end else colour  # which would hide a short frame
    for lane in (READER_LANE, CARD_LANE) if frame.selection else ():
        axes.broken_barh(
            [(placed.begins, frame.selection)],
            (lane - _HEIGHT / 2, _HEIGHT),
            facecolors="none",
            edgecolors=colour,
            hatch="////",
            linewidth=0,
            zorder=2,
        )
    axes.broken_barh(
        [(placed.at, frame.air)],
        (_lane(frame) - _HEIGHT / 2, _HEIGHT),
        facecolors=colour,
        edgecolors=AGAIN if frame.repeated else edge,
        linewidth=1.6 if frame.repeated else 0.5,
        zorder=3,
    )


def _draw_wait(axes: "Axes", placed: Placed, end: float) -> None:
    if placed.drawn_wait <= 0:
        return
    name = "waiting_for_reader" if placed.frame.from_reader else "waiting_for_us"
    lane = _lane(placed.frame)
    axes.broken_barh(
        [(placed.wait_at, placed.drawn_wait)],
        (lane - _HEIGHT / 2, _HEIGHT),
        facecolors=COLOURS[name],
        alpha=0.5 if placed.frame.from_reader else 0.3,
        linewidth=0,
        zorder=1,
    )
    if placed.drawn_wait > LABELLED_WAIT * end:
        cut = placed.drawn_wait != placed.wait
        words = f"{placed.wait * _THOUSAND:.3g} ms"
        axes.text(
            placed.wait_at + placed.drawn_wait / 2,
            lane,
            f"// {words} //" if cut else words,
            ha="center",
            va="center",
            fontsize=8,
            zorder=4,
        )


def _lane(frame: Frame) -> float:
    return READER_LANE if frame.from_reader else CARD_LANE


def _draw_commands(axes: "Axes", timeline: Timeline, placed: list[Placed], end: float) -> float:
    """Label the commands above the lanes, narrow ones that are alike together; return where the labels end."""
    spans: list[tuple[str, float, float]] = []
    for index, group in groupby(placed, key=lambda each: each.frame.apdu):
        if index:
            frames = list(group)
            spans.append((timeline.commands[index], frames[0].at, frames[-1].ends))
    level = READER_LANE + _HEIGHT / 2 + 0.1

    def verb(span: tuple[str, float, float]) -> str:
        name, begins, ends = span
        return name.partition(" ")[0] if ends - begins < NARROW * end else name

    top = level + 0.22
    last = -math.inf
    for name, alike in groupby(spans, key=verb):
        group_of = list(alike)
        begins, ends = group_of[0][1], group_of[-1][2]
        axes.plot([begins, ends], [level, level], color="#4a5568", linewidth=1.4, solid_capstyle="butt")
        label = group_of[0][0] if len(group_of) == 1 else f"{name} \u00d7{len(group_of)}"
        # On a line of its own above where the label before it is in the way.
        high = (begins + ends) / 2 - last < NARROW * 1.3 * end
        axes.text((begins + ends) / 2, level + (0.26 if high else 0.06), label, ha="center", va="bottom", fontsize=8)
        top = max(top, level + (0.42 if high else 0.22))
        last = -math.inf if high else (begins + ends) / 2
    return top


def ticks_of(placed: list[Placed], end: float) -> Iterator[tuple[float, str]]:
    """Places on the axis and what is written there: round milliseconds, none within a wait that was cut."""
    step = _round_step(end / 10)
    segments: list[tuple[float, float, float]] = []  # where it is drawn, from and to in real seconds
    drawn_from = real_from = real = 0.0
    for each in placed:
        if each.drawn_wait != each.wait:
            segments.append((drawn_from, real_from, real))
            drawn_from, real_from = each.begins, real + each.wait
        real += each.wait + each.ends - each.begins
    segments.append((drawn_from, real_from, real))
    for drawn, begins, ends in segments:
        for number in range(math.ceil(begins / step - 1e-9), math.floor(ends / step + 1e-9) + 1):
            yield drawn + number * step - begins, f"{number * step * _THOUSAND:g}"


def _round_step(seconds: float) -> float:
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= seconds * 0.999)


def _seconds(seconds: float) -> str:
    return f"{seconds * _THOUSAND:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"
