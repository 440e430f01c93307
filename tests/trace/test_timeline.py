"""One exchange of a trace along the time."""

import pytest

from nfcbridge import airtime
from nfcbridge.trace import Header
from nfcbridge.trace.seen import BlockKind
from nfcbridge.trace.spending import Use
from nfcbridge.trace.stats import StatsCounter
from nfcbridge.trace.timeline import MAX_FRAMES, Timeline, TimelineKeeper, name_command
from tests.trace.lines import STEP, entries
from tests.trace.test_stats import ATS, DETECTION, EXCHANGE, OK2, RATS, REQUEST, answer, read, update


def timeline(*lines: str, wanted: int = 1, level: str = "blocks") -> Timeline | None:
    counter = StatsCounter(Header(level=level, link="memory:a"))
    keeper = TimelineKeeper(wanted, counter)
    for entry in entries(*lines):
        keeper.receive(entry, counter.receive(entry))
    keeper.close(counter.close())
    return keeper.timeline


def frames_of(made: Timeline | None) -> list[tuple[bool, Use, int]]:
    assert made is not None
    return [(frame.from_reader, frame.use, frame.apdu) for frame in made.frames]


def test_an_exchange_begins_with_what_led_to_it() -> None:
    made = timeline("+", RATS, ATS, *DETECTION, *EXCHANGE, "-")
    assert made is not None
    assert [frame.kind for frame in made.frames[:3]] == [BlockKind.RATS, BlockKind.ATS, BlockKind.I_LAST]
    uses = [(True, Use.NEEDED, 0), (False, Use.NEEDED, 0)]
    uses += [
        (True, Use.NEEDED, index) if who else (False, Use.NEEDED, index) for index in (1, 2, 3, 4) for who in (1, 0)
    ]
    uses += [(True, Use.MESSAGE, 5), (False, Use.MESSAGE, 5), (True, Use.MESSAGE, 6), (False, Use.MESSAGE, 6)]
    assert frames_of(made) == uses
    assert [*made.commands.values()] == ["SELECT app", "SELECT E103", "READ 0", "SELECT E104", "UPDATE 0", "READ 0"]
    assert made.exchange is not None
    assert made.exchange.index == 1


def test_each_frame_has_its_air_its_delay_and_the_wait_before_it() -> None:
    made = timeline("+", RATS, ATS, *DETECTION, *EXCHANGE)
    assert made is not None
    rats, ats = made.frames[:2]
    assert rats.selection == airtime.SELECTION
    assert rats.wait == pytest.approx(STEP)
    assert (rats.delay, ats.delay, ats.selection) == (airtime.READER_DELAY, airtime.CARD_DELAY, 0.0)
    assert rats.air == pytest.approx(airtime.frame_time(2))
    assert ats.air == pytest.approx(airtime.frame_time(5))
    whole = sum(frame.selection + frame.delay + frame.air for frame in made.frames)
    assert whole == pytest.approx(
        airtime.SELECTION
        + airtime.frames_time(
            (line[0] == ">", len(bytes.fromhex(line[1:]))) for line in (RATS, ATS, *DETECTION, *EXCHANGE)
        )
    )


def test_a_second_exchange_has_the_polling_and_the_re_selects_before_it() -> None:
    again = ("> C2", "< C2", RATS, ATS, *DETECTION)
    made = timeline(
        "+",
        RATS,
        ATS,
        *DETECTION,
        *EXCHANGE,
        *again,
        update(REQUEST),
        OK2,
        read(),
        "< 03 0003D000009000",
        read(2),
        answer('{"messageID":1,"statusCode":200}', 2),
        wanted=2,
    )
    uses = [use for _, use, _ in frames_of(made)]
    assert uses[:2] == [Use.NEEDED] * 2  # S(DESELECT)
    assert uses[2:12] == [Use.RE_SELECT] * 10
    assert uses[12:] == [Use.MESSAGE] * 2 + [Use.POLL] * 2 + [Use.MESSAGE] * 2


def test_what_follows_an_exchange_without_an_answer_belongs_to_the_next_one() -> None:
    lines = (
        "+",
        RATS,
        ATS,
        *DETECTION,
        update(REQUEST),
        OK2,
        update(REQUEST, 3),
        "< 03 9000",
        read(2),
        answer("{}", 2),
    )
    first, second = timeline(*lines), timeline(*lines, wanted=2)
    assert len(frames_of(first)) == 12
    assert [apdu for _, _, apdu in frames_of(second)] == [6, 6, 7, 7]
    assert second is not None
    assert [*second.commands.values()] == ["UPDATE 0", "READ 0"]


def test_a_trace_of_apdus_has_a_frame_for_each_command_and_response() -> None:
    made = timeline("+", "> 00A4000C02E104", "< 9000", *(line[0] + line[4:] for line in EXCHANGE), level="apdus")
    assert frames_of(made) == [
        (True, Use.NEEDED, 1),
        (False, Use.NEEDED, 1),
        (True, Use.MESSAGE, 2),
        (False, Use.MESSAGE, 2),
        (True, Use.MESSAGE, 3),
        (False, Use.MESSAGE, 3),
    ]
    assert made is not None
    assert made.frames[0].air + made.frames[1].air == pytest.approx(airtime.command_time(7, 2, 256))
    torn = timeline("> 00A4000C02E104", *(line[0] + line[4:] for line in EXCHANGE), level="apdus")
    assert frames_of(torn)[0] == (True, Use.NEEDED, 1)
    assert len(frames_of(torn)) == 5


def test_there_is_no_timeline_of_an_exchange_that_does_not_come() -> None:
    assert timeline("+", RATS, ATS, *DETECTION, *EXCHANGE, wanted=2) is None
    assert timeline("> 00A4000C02E104", level="apdus") is None


def test_an_exchange_that_the_trace_cuts_off_is_one() -> None:
    made = timeline("+", RATS, ATS, *DETECTION, update(REQUEST), OK2, read())
    assert made is not None
    assert made.exchange is not None
    assert made.exchange.answer is None


@pytest.mark.parametrize("more", [0, 1])
def test_frames_of_an_exchange_are_bounded(more: int) -> None:
    checks = ("> 02", "< 02") * ((MAX_FRAMES - 14) // 2 + more)
    made = timeline("+", RATS, ATS, *DETECTION, *checks, *EXCHANGE)
    assert made is not None
    assert made.cut is bool(more)
    assert len(made.frames) == MAX_FRAMES


def test_what_is_kept_of_endless_polling_is_bounded() -> None:
    counter = StatsCounter(Header(link="memory:a"))
    keeper = TimelineKeeper(1, counter)
    polls = entries("> 02 00B0000002", "< 02 0000 9000", "> 03 00B0000002", "< 03 0000 9000") * (MAX_FRAMES // 2)
    for entry in polls:
        keeper.receive(entry, counter.receive(entry))
    growing = keeper._growing  # noqa: SLF001 - the bound is of this
    assert len(growing.frames) == MAX_FRAMES
    assert len(growing.commands) <= MAX_FRAMES


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("00A4040007D2760000850101", "SELECT app"), ("00A4000C02E103", "SELECT E103"), ("00B0010203", "READ 258"),
        ("00D6000001FF", "UPDATE 0"), ("80CA9F7F", "80CA"), ("00C0", "00c0"),
    ],
)  # fmt: skip
def test_a_command_has_a_short_name(command: str, name: str) -> None:
    assert name_command(bytes.fromhex(command)) == name
