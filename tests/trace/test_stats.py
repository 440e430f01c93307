"""Where the time of a trace went, counted on traces of which each octet is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge import airtime
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.durations import BINS, SHORTEST, Durations, TimeSpent, bin_of, bin_start
from nfcbridge.trace.spending import MAX_DETECTION, MAX_PENDING, Clock, Uses, clock_of
from nfcbridge.trace.stats import Stats, StatsCounter
from tests.trace.lines import STEP, entries

RATS = "> E080"
ATS = "< 0578804202"
SELECT_APP = "> 02 00A4040007D276000085010100"
SELECT_CC = "> 03 00A4000C02E103"
READ_CC = "> 02 00B000000F"
CC = "< 02 000F2000FB00F80406E1047FFF00009000"
SELECT_NDEF = "> 03 00A4000C02E104"
OK2, OK3 = "< 02 9000", "< 03 9000"
DETECTION = (SELECT_APP, OK2, SELECT_CC, OK3, READ_CC, CC, SELECT_NDEF, OK3)

REQUEST = '{"path":"/login","method":"GET","messageID":1}'
ANSWER = '{"messageID":1,"statusCode":200},{"a":1}'


def message(text: str) -> bytes:
    """NLEN and the NDEF message with this text."""
    ndef = bytes((0xD1, 1, len(text) + 3)) + b"T\x02en" + text.encode()
    return len(ndef).to_bytes(2) + ndef


def update(text: str, number: int = 2) -> str:
    octets = message(text)
    return f"> {number:02x} 00D60000 {len(octets):02x} {octets.hex()}"


def read(number: int = 3) -> str:
    return f"> {number:02x} 00B0000000"


def answer(text: str, number: int = 3) -> str:
    return f"< {number:02x} {message(text).hex()} 9000"


EXCHANGE = (update(REQUEST), OK2, read(), answer(ANSWER))


def count(*lines: str, level: str = "blocks", link: str = "memory:a", source: str = "") -> Stats:
    counter = StatsCounter(Header(level=level, link=link, source=source))
    for entry in entries(*lines):
        counter.receive(entry)
    counter.close()
    return counter.stats


def air(*lines: str) -> float:
    """Of these frames, each with its delay."""
    return airtime.frames_time((line[0] == ">", len(bytes.fromhex(line[1:]))) for line in lines)


def test_it_counts_what_crossed() -> None:
    stats = count("+", RATS, ATS, *DETECTION, *EXCHANGE, "-")
    assert (stats.entries, stats.blocks, stats.apdus, stats.exchanges, stats.answered) == (16, 14, 6, 1, 1)
    assert (stats.retransmissions, stats.wtx, stats.selections) == (0, 0, 1)
    assert stats.octets_reader == sum(
        len(bytes.fromhex(line[1:])) for line in (RATS, *DETECTION, *EXCHANGE) if line[0] == ">"
    )
    assert stats.octets == stats.octets_reader + stats.octets_card


def test_payload_is_the_json_of_request_and_answer_and_the_rest_of_a_first_touch_is_overhead() -> None:
    spent = count("+", RATS, ATS, *DETECTION, *EXCHANGE).spent
    assert spent.payload == pytest.approx((len(REQUEST) + len(ANSWER)) * airtime.OCTET)
    everything = airtime.SELECTION + air(RATS, ATS, *DETECTION, *EXCHANGE)
    assert spent.overhead == pytest.approx(everything - spent.payload)
    assert (spent.re_selects, spent.polling) == (0.0, 0.0)


def test_what_a_second_activation_repeats_is_a_re_select() -> None:
    again = ("> C2", "< C2", "+", RATS, ATS, *DETECTION)
    spent = count("+", RATS, ATS, *DETECTION, *EXCHANGE[:2], *again, *EXCHANGE[2:]).spent
    assert spent.re_selects == pytest.approx(airtime.SELECTION + air(RATS, ATS, *DETECTION))


def test_a_file_that_is_selected_before_each_read_is_a_re_select_too() -> None:
    spent = count("+", RATS, ATS, *DETECTION, update(REQUEST), OK2, SELECT_NDEF, OK3, read(2), answer(ANSWER, 2)).spent
    assert spent.re_selects == pytest.approx(air(SELECT_NDEF, OK3))


def test_after_the_field_was_lost_a_detection_is_needed_again() -> None:
    touch = ("+", RATS, ATS, *DETECTION)
    assert count(*touch, "-", *touch).spent.re_selects == 0.0


def test_selections_before_the_first_activation_are_overhead_all_of_them() -> None:
    spent = count("+", "+", RATS, ATS).spent
    assert spent.re_selects == 0.0
    assert spent.overhead == pytest.approx(2 * airtime.SELECTION + air(RATS, ATS))


@pytest.mark.parametrize(
    "told",
    ["< 03 0003D000009000", "< 03 00009000", answer(ANSWER)],
    ids=["the idle message", "NLEN 0", "the answer before"],
)
def test_a_read_that_gives_nothing_new_is_polling(told: str) -> None:
    before = ("+", RATS, ATS, *DETECTION, *EXCHANGE)
    without = count(*before).spent
    spent = count(*before, read(2), told.replace("< 03", "< 02"), read(3), told).spent
    assert spent.polling == pytest.approx(2 * air(read(), told))
    assert spent.payload == pytest.approx(without.payload)
    assert spent.overhead == pytest.approx(without.overhead)


def test_nlen_that_is_read_before_the_answer_is_no_polling_and_one_before_that_is() -> None:
    nlen = "> 03 00B0000002"
    told = message(ANSWER)
    first, last = f"< 03 {told[:2].hex()} 9000", f"< 02 {told[2:].hex()} 9000"
    spent = count(
        "+",
        RATS,
        ATS,
        *DETECTION,
        update(REQUEST),
        OK2,
        nlen,
        "< 03 0000 9000",
        "> 02 00B0000002",
        "< 02 0000 9000",
        nlen,
        first,
        "> 02 00B0000200",
        last,
    ).spent
    assert spent.polling == pytest.approx(2 * air(nlen, "< 03 0000 9000"))


def test_presence_checks_are_polling_whichever_way_they_are_made() -> None:
    before = ("+", RATS, ATS, *DETECTION)
    empty = ("> 02", "< 02")
    assert count(*before, *empty).spent.polling == pytest.approx(air(*empty))
    nak = ("> B2", "< A2")
    assert count(*before, *nak).spent.polling == pytest.approx(air(*nak))


def test_r_nak_for_a_lost_response_is_overhead_and_its_repetition_a_retransmission() -> None:
    stats = count("+", RATS, ATS, SELECT_APP, OK2, "> B2", OK2)
    assert stats.retransmissions == 1
    assert stats.spent.polling == 0.0


def test_wtx_is_counted_by_its_requests() -> None:
    stats = count("+", RATS, ATS, *DETECTION, update(REQUEST), "< F201", "> F201", "< F202", "> F202", OK2)
    assert stats.wtx == 2
    assert stats.spent.polling == 0.0


def test_at_a_higher_rate_payload_takes_less_air() -> None:
    pps = ("> D0110A", "< D0")  # 424 kbit/s both ways
    slow = count("+", RATS, ATS, *DETECTION, *EXCHANGE).spent
    fast = count("+", RATS, ATS, *pps, *DETECTION, *EXCHANGE).spent
    assert fast.payload == pytest.approx(slow.payload / 4)
    broken = count("+", RATS, ATS, "> D0FF0A", "< D0", *DETECTION, *EXCHANGE).spent
    assert broken.payload == pytest.approx(slow.payload)


def test_waits_are_what_lies_before_each_end_and_before_the_field() -> None:
    spent = count("+", RATS, ATS, SELECT_APP, OK2, "-", "+", RATS, ATS, "+").spent
    assert spent.waiting_for_us == pytest.approx(3 * STEP)  # ATS, OK, ATS
    assert spent.waiting_for_reader == pytest.approx(5 * STEP)  # RATS, SELECT, field gone, RATS, selected again
    assert spent.away == pytest.approx(STEP)


LINKS = ("memory:a", "udp:127.0.0.1:5", "vpcd:", "faulty:memory:a?seed=1", "", "nfc:usb", "pcsc:ACR122")


def test_links_without_air_are_known_by_their_kind() -> None:
    airless = [clock_of(Header(link=link)) is Clock.WITHOUT_AIR for link in LINKS]
    assert airless == [True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("header", "clock"),
    [
        (Header(link="nfc:usb", source="nfcbridge 0.1.0 card"), Clock.AT_CARD),
        (Header(link="nfc:usb", source="nfcbridge 0.1.0 reader"), Clock.AT_READER),
        (Header(link="nfc:usb"), Clock.AT_CARD),
        (Header(source="imported: Proxmark3 trace", clock="periods of 13.56 MHz"), Clock.AT_BEGINNING),
        (Header(source="imported: nfcpy", clock="none: the log has no times"), Clock.UNKNOWN),
        (Header(source="retyped from a thread"), Clock.UNKNOWN),
        (Header(source="nfcbridge 0.1.0 card"), Clock.UNKNOWN),
    ],
)
def test_what_the_times_tell_depends_on_who_took_them(header: Header, clock: Clock) -> None:
    assert clock_of(header) is clock


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("source", ["nfcbridge 0.1.0 card", "nfcbridge 0.1.0 reader", "imported: ISO 14443 capture"])
def test_measured_waits_and_the_air_between_them_are_all_that_was_recorded(link: str, source: str) -> None:
    stats = count("+", RATS, ATS, *DETECTION, *EXCHANGE, "-", "+", RATS, ATS, link=link, source=source)
    spent = stats.spent
    waits = spent.waiting_for_us + spent.waiting_for_reader + spent.away
    assert stats.recorded == pytest.approx((stats.entries - 1) * STEP)
    assert waits + stats.air_in_clock == pytest.approx(stats.recorded)
    clock = clock_of(Header(link=link, source=source))
    assert (stats.air_in_clock > 0) is (clock not in {Clock.WITHOUT_AIR, Clock.UNKNOWN})


def test_on_a_link_with_air_a_gap_has_the_air_that_its_end_of_the_link_sees() -> None:
    lines = ("+", RATS, ATS, SELECT_APP, OK2)
    card = count(*lines, link="nfc:usb", source="nfcbridge 0.1.0 card").spent
    assert card.waiting_for_us == pytest.approx(2 * STEP - 2 * airtime.CARD_DELAY)
    # RATS at its end, the ATS with its frame and the SELECT with its own.
    assert card.waiting_for_reader == pytest.approx(2 * STEP - air(RATS, ATS, SELECT_APP) + airtime.CARD_DELAY)
    reader = count(*lines, link="nfc:usb", source="nfcbridge 0.1.0 reader").spent
    assert reader.waiting_for_reader == pytest.approx(2 * STEP - 2 * airtime.READER_DELAY)
    assert reader.waiting_for_us == pytest.approx(2 * STEP - air(RATS, ATS, SELECT_APP, OK2) + 2 * airtime.READER_DELAY)


def test_who_listens_to_both_ends_notes_when_frames_begin() -> None:
    spent = count("+", RATS, ATS, SELECT_APP, OK2, link="", source="imported: ISO 14443 capture").spent
    assert spent.waiting_for_us == pytest.approx(
        2 * STEP - air(RATS, SELECT_APP) + 2 * (airtime.READER_DELAY - airtime.CARD_DELAY)
    )
    assert spent.waiting_for_reader == pytest.approx(
        2 * STEP - air(ATS) + airtime.CARD_DELAY - 2 * airtime.READER_DELAY
    )


def test_a_trace_of_apdus_is_counted_with_the_blocks_that_it_stands_for() -> None:
    lines = (
        "> 00A4040007D276000085010100",
        "< 9000",
        "> 00A4000C02E103",
        "< 9000",
        "> 00B000000F",
        "< 000F2000FB00F80406E1047FFF00009000",
        "> 00A4000C02E104",
        "< 9000",
        f"> 00D60000{len(message(REQUEST)):02x}{message(REQUEST).hex()}",
        "< 9000",
        "> 00B0000000",
        f"< {message(ANSWER).hex()}9000",
    )
    stats = count("+", *lines, level="apdus", link="pcsc:a")
    assert (stats.blocks, stats.apdus, stats.exchanges) == (0, 6, 1)
    commands = zip(lines[::2], lines[1::2], strict=True)
    expected = airtime.SELECTION + sum(
        airtime.command_time(len(bytes.fromhex(command[1:])), len(bytes.fromhex(response[1:])), 256)
        for command, response in commands
    )
    assert stats.air == pytest.approx(expected)
    assert stats.spent.payload == pytest.approx((len(REQUEST) + len(ANSWER)) * airtime.OCTET)
    assert stats.spent.re_selects == 0.0
    again = count("+", *lines, "+", *lines, level="apdus", link="pcsc:a").spent
    assert again.re_selects > airtime.SELECTION
    assert stats.spent.waiting_for_us + stats.spent.waiting_for_reader + stats.air_in_clock == pytest.approx(12 * STEP)


def test_exchanges_have_what_came_since_the_one_before_and_no_time_without_a_phone() -> None:
    touch = ("+", RATS, ATS, *DETECTION, *EXCHANGE, "-")
    stats = count(*touch, *touch)
    assert stats.exchanges == 2
    assert stats.durations.shortest > 0
    spent = TimeSpent()
    for each in stats.durations.spent:
        spent.add(each)
    rest = stats.spent.copy()
    rest.add(spent, -1.0)
    assert rest.total() == pytest.approx(STEP)  # the phone leaves
    assert stats.durations.longest == pytest.approx((spent.total() - spent.away) / 2, rel=0.2)


def test_an_exchange_without_an_answer_counts_as_one() -> None:
    stats = count("+", RATS, ATS, *DETECTION, update(REQUEST), OK2, read(), "< 03 0003D000009000", update(REQUEST), OK2)
    assert (stats.exchanges, stats.answered) == (2, 0)
    assert stats.spent.polling > 0


@pytest.mark.parametrize("seconds", [0.0, SHORTEST, 0.00101, 0.03, 1.0, 999.0, 1e6])
def test_a_duration_is_in_the_bin_that_begins_before_it(seconds: float) -> None:
    at = bin_of(seconds)
    assert 0 <= at < BINS
    assert bin_start(at) <= max(seconds, SHORTEST) * 1.000001
    assert seconds < bin_start(at + 1) or at == BINS - 1


def test_quantiles_are_as_exact_as_bins_are_wide_and_lie_between_the_extremes() -> None:
    durations = Durations()
    assert durations.quantile(0.5) == 0.0
    for number in range(1, 101):
        durations.record(TimeSpent(payload=number / 100, away=50.0))
    assert durations.shortest == pytest.approx(0.01)
    assert durations.longest == 1.0
    assert durations.quantile(0.5) == pytest.approx(0.5, rel=0.07)
    assert durations.quantile(0.9) == pytest.approx(0.9, rel=0.07)
    assert durations.quantile(1.0) == 1.0


def test_sums_of_several_traces_are_sums_and_extremes() -> None:
    one, other = count("+", RATS, ATS, *DETECTION, *EXCHANGE), count("+", RATS, ATS, *DETECTION, *EXCHANGE, *EXCHANGE)
    total = Stats()
    total.add(one)
    total.add(Stats())
    total.add(other)
    assert total.exchanges == 3
    assert total.spent.total() == pytest.approx(one.spent.total() + other.spent.total())
    assert total.durations.shortest == min(one.durations.shortest, other.durations.shortest)
    assert sum(total.durations.counts) == 3
    assert one.exchanges == 1  # what was added is as it was


def test_reads_whose_use_is_not_known_are_bounded() -> None:
    counter = StatsCounter(Header(level="apdus"))
    uses = counter.uses
    lines = entries("> 00B0000001", "< 009000")
    for turn in range(MAX_PENDING + 5):
        for entry in lines:
            counter.receive(Entry(0.0, entry.dir, entry.octets, number=2 * turn + entry.number))
    assert len(uses._reads) == MAX_PENDING  # noqa: SLF001 - the bound is of this
    assert uses.polling == pytest.approx(5 * airtime.command_time(5, 3, 256))
    counter.close()
    assert uses.polling == pytest.approx((MAX_PENDING + 5) * airtime.command_time(5, 3, 256))


def test_commands_of_a_detection_are_bounded() -> None:
    counter = StatsCounter(Header(level="apdus"))
    for number in range(MAX_DETECTION + 1):
        for entry in entries(f"> 00A4000C02{number:04x}", "< 6A82"):
            counter.receive(Entry(0.0, entry.dir, entry.octets, number=2 * number + entry.number))
    assert len(counter.uses._detected) == MAX_DETECTION  # noqa: SLF001 - the bound is of this
    assert counter.uses.re_selects == pytest.approx(airtime.command_time(7, 2, 256))


ENTRY = st.tuples(
    st.floats(-1, 10, allow_nan=False),
    st.sampled_from(Dir),
    st.one_of(
        st.binary(min_size=1, max_size=20),
        st.sampled_from([bytes.fromhex(line[1:]) for line in (RATS, ATS, "> D0110A", "< D0", *DETECTION, *EXCHANGE)]),
    ),
    st.booleans(),
)


@given(st.lists(ENTRY, max_size=60), st.sampled_from(["blocks", "apdus"]), st.sampled_from(LINKS))
def test_whatever_a_trace_has_in_it_no_second_is_lost_or_counted_twice(
    rows: list[tuple[float, Dir, bytes, bool]], level: str, link: str
) -> None:
    header = Header(level=level, link=link)
    counter, decoder = StatsCounter(header), Decoder(level, header=header)
    for number, (t, who, octets, on) in enumerate(rows, 1):
        field = who is Dir.FIELD
        entry = Entry(t, who, b"" if field else octets, on=field and on, number=number)
        counter.receive(entry)
        decoder.receive(entry)
    counter.close()
    stats, spent = counter.stats, counter.stats.spent
    assert all(getattr(spent, name) >= 0 for name in spent.__struct_fields__)
    waits = spent.waiting_for_us + spent.waiting_for_reader + spent.away
    assert waits + stats.air_in_clock == pytest.approx(stats.recorded)
    assert spent.payload + spent.overhead + spent.re_selects + spent.polling >= stats.air - 1e-9


def test_uses_of_a_trace_without_blocks_count_a_selection_at_once() -> None:
    assert Uses(blocks=False).air == 0.0
    assert count("+", level="apdus").air == airtime.SELECTION
    assert count("+", level="blocks").air == 0.0  # nobody was activated
