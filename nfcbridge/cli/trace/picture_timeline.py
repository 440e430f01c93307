"""The picture of one exchange along the time: what the reader sends above, what the card sends below."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from nfcbridge.cli.trace.pictures import COLOURS, RED, THOUSAND, WIDTH, WORDS, write_title
from nfcbridge.trace.spending import Use
from nfcbridge.trace.timeline import Frame, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USES: Final[dict[Use, tuple[str, str]]] = {
    Use.MESSAGE: (COLOURS["payload"], "request and answer"),
    Use.NEEDED: (COLOURS["overhead"], "overhead"),
    Use.RE_SELECT: (COLOURS["re_selects"], "re-selects"),
    Use.POLL: (COLOURS["polling"], "polling"),
}

CUT_SHARE: Final = 0.15
"""Of the rest of an exchange: a wait longer than all of the rest is drawn as long as this."""
NARROW: Final = 0.055
"""Of the axis: commands that are narrower and alike share a label."""
SEPARATE: Final = 0.004
"""Of the axis: frames that are longer have a gap between them."""
LETTER: Final = 0.0056
"""Of the axis: the width of a letter of a label, and what is left free beside it."""
LABEL_ROWS: Final = 3
ROW: Final = 0.18
"""Labels stand above one another where they would be in each other's way; ROW is the height of a line."""
LABELLED_WAIT: Final = 0.04
"""Of the axis: a wait that is longer has its length written on it."""

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
    write_title(figure, title)
    used = {frame.use for frame in timeline.frames}
    handles = [Patch(color=colour, label=words) for use, (colour, words) in USES.items() if use in used]
    if any(frame.selection for frame in timeline.frames):
        handles.append(Patch(facecolor="none", edgecolor=COLOURS["overhead"], hatch="////", label="selection"))
    if any(frame.repeated for frame in timeline.frames):
        handles.append(Patch(facecolor="none", edgecolor=RED, linewidth=1.6, label="sent again"))
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
        edgecolors=RED if frame.repeated else edge,
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
        words = f"{placed.wait * THOUSAND:.3g} ms"
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

    labels: list[tuple[float, str, float]] = []
    for name, alike in groupby(spans, key=verb):
        group_of = list(alike)
        begins, ends = group_of[0][1], group_of[-1][2]
        axes.plot([begins, ends], [level, level], color="#4a5568", linewidth=1.4, solid_capstyle="butt")
        label = group_of[0][0] if len(group_of) == 1 else f"{name} \u00d7{len(group_of)}"
        labels.append((ends - begins, label, (begins + ends) / 2))
    highest = 0
    for label, middle, row in place_labels(labels, end):
        axes.text(middle, level + 0.06 + ROW * row, label, ha="center", va="bottom", fontsize=8)
        highest = max(highest, row)
    return level + 0.06 + ROW * (highest + 1)


def place_labels(labels: list[tuple[float, str, float]], end: float) -> Iterator[tuple[str, float, int]]:
    """Places for labels, none in the way of another; that of a long command has one even if there is no room for all.

    Args:
        labels: of each the length of its command, its text, and where its middle should be.
        end: of the axis.

    Yields:
        The text, its middle, and its row from below.
    """
    rows: list[list[tuple[float, float]]] = [[] for _ in range(LABEL_ROWS)]
    for _, label, wanted in sorted(labels, reverse=True):
        half = len(label) * LETTER * end / 2
        middle = min(max(wanted, half), end - half)
        left, right = middle - half, middle + half
        free = (row for row in range(LABEL_ROWS) if all(end_ <= left or right <= start for start, end_ in rows[row]))
        row = next(free, None)
        if row is not None:
            rows[row].append((left, right))
            yield label, middle, row


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
            yield drawn + number * step - begins, f"{number * step * THOUSAND:g}"


def _round_step(seconds: float) -> float:
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= seconds * 0.999)
