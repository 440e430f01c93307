"""How what a reader finds becomes entries; and the binary and the Android formats, record by record."""

import base64
import struct
import zlib

import pytest

from nfcbridge.formats import found, nfcsnoop, proxmark
from nfcbridge.formats.found import NO_CLOCK, FormatProblem, Frame, Place, make_reading
from nfcbridge.trace import Dir, Entry
from nfcbridge.trace.entries import MAX_TIME
from tests.formats.imports import FOLDER, open_octets, read_octets, read_shown


def entries_of(*frames: Frame | FormatProblem) -> tuple[list[Entry], list[str]]:
    items = list(make_reading(frames, source="x", level="apdus", clock="some").items)
    return (
        [item for item in items if isinstance(item, Entry)],
        [item.words for item in items if isinstance(item, FormatProblem)],
    )


def frame(t: float | None, octets: bytes = b"\x00") -> Frame:
    return Frame(Place(1), t, Dir.READER, octets)


def times(*given: float | None) -> tuple[list[float], int]:
    entries, problems = entries_of(*map(frame, given))
    return [entry.t for entry in entries], len(problems)


def test_times_count_from_the_first_and_never_go_back() -> None:
    assert times(5.0, 6.0, None, 7.0) == ([0.0, 1.0, 1.0, 2.0], 0)
    assert times(5.0, 8.0, 7.5, 8.5) == ([0.0, 3.0, 3.0, 3.5], 0)


def test_a_clock_that_was_set_back_goes_on_from_where_it_was() -> None:
    assert times(100.0, 110.0, 50.0, 53.0) == ([0.0, 10.0, 10.0, 13.0], 1)
    assert times(100.0, 101.0, 100.0) == ([0.0, 1.0, 1.0], 0)  # a second: lines of threads
    assert times(100.0, 101.5, 100.0, 100.5) == ([0.0, 1.5, 1.5, 2.0], 1)


def test_a_time_of_centuries_later_is_no_time() -> None:
    assert times(0.0, 1.0, MAX_TIME, 2.0)[0] == [0.0, 1.0, MAX_TIME, MAX_TIME]
    assert times(0.0, 1.0, MAX_TIME * 1.01, 2.0) == ([0.0, 1.0, 1.0, 2.0], 1)


def test_midnight_is_no_step_of_the_clock() -> None:
    assert times(86_399.0, 1.0, 2.0) == ([0.0, 2.0, 3.0], 0)


def test_the_clock_says_that_there_is_none() -> None:
    reading = make_reading([FormatProblem(Place(1), "x"), frame(None)], source="x", level="apdus", clock="some")
    assert reading.header.clock == NO_CLOCK
    assert make_reading([frame(1.0)], source="x", level="apdus", clock="some").header.clock == "some"
    assert make_reading([], source="x", level="apdus", clock="some").header.clock == "some"


def test_nobody_waits_forever_for_the_first_frame() -> None:
    many = [FormatProblem(Place(number), "x") for number in range(found.MAX_LEAD)]
    assert make_reading([*many, frame(None)], source="x", level="apdus", clock="some").header.clock == "some"
    assert make_reading([*many[1:], frame(None)], source="x", level="apdus", clock="some").header.clock == NO_CLOCK
    assert len(entries_of(*many, frame(None))[1]) == found.MAX_LEAD


def test_a_frame_has_octets_and_no_more_than_any_apdu() -> None:
    entries, problems = entries_of(
        frame(0, b""), frame(0, bytes(found.MAX_OCTETS)), frame(0, bytes(found.MAX_OCTETS + 1))
    )
    assert [len(entry.octets) for entry in entries] == [found.MAX_OCTETS]
    assert problems == ["a frame without octets", "a frame of more than 65544 octets"]


def test_the_longest_apdu_of_a_log_is_kept_and_a_longer_one_is_not() -> None:
    longest = bytes(found.MAX_OCTETS).hex()
    text = "nfc.tag.tt4:>> {}\nnfc.tag.tt4:<< 9000\n"
    assert len(read_octets(text.format(longest).encode(), "nfcpy")[0]) == 2
    entries, problems = read_octets(text.format(longest + "00").encode(), "nfcpy")
    assert len(entries) == 1
    assert [problem.words for problem in problems] == ["a frame of more than 65544 octets"]


# --- Proxmark3 ---


def record(time: int, octets: str, *, card: bool = False, parity: bytes | None = None) -> bytes:
    data = bytes.fromhex(octets)
    bits = bytearray((len(data) + 7) // 8)
    for place, octet in enumerate(data):
        bits[place // 8] |= (1 - octet.bit_count() % 2) << (7 - place % 8)
    head = struct.pack("<IHH", time & 0xFFFFFFFF, 100, len(data) | (0x8000 if card else 0))
    return head + data + (bytes(bits) if parity is None else parity)


def test_a_trace_file_is_known_by_its_parities() -> None:
    octets = record(0, "E0803173") + record(20_000, "B267C7") + record(40_000, "C2E0B4", card=True)
    assert open_octets(octets)[0] == "proxmark3"
    assert not proxmark.detect_file(record(0, "E0803173"))  # one record may be anything
    assert not proxmark.detect_file(record(0, "E0803174", parity=b"\x00") + record(1, "B267C7", parity=b"\xff"))
    assert not proxmark.detect_file(octets[:9] + bytes(100))
    assert not proxmark.detect_file(bytes(1000))
    unset = record(0, "E0803173", parity=b"\x00") + record(1, "B267C7", parity=b"\x00")
    assert proxmark.detect_file(unset)  # the CRCs are right
    assert proxmark.detect_file(octets + octets[:5])
    marked = record(0xFEFF, "E0803173") + record(0x1FEFF, "B267C7")  # the time looks like the mark of UTF-16
    assert read_shown(marked) == ["on", ">e080", ">b2"]


def test_records_become_frames() -> None:
    octets = record(0xFFFFFFFF - 13_559, "E0803173") + record(0, "B267C7") + record(13_560_000, "C2E0B4", card=True)
    entries, problems = read_octets(octets)
    assert [(entry.octets.hex(), round(entry.t, 6)) for entry in entries] == [
        ("", 0.0), ("e080", 0.0), ("b2", 0.001), ("c2", 1.001),
    ]  # fmt: skip
    assert problems == []


def test_a_record_that_is_none_ends_the_file() -> None:
    octets = record(0, "E0803173") + record(1, "B267C7")
    for rest in (b"\x00" * 5, struct.pack("<IHH", 0, 0, proxmark.MAX_FRAME + 1) + bytes(5000)):
        assert read_shown(octets + rest) == ["on", ">e080", ">b2", "!octet 25"]
    longest = struct.pack("<IHH", 0, 0, proxmark.MAX_FRAME) + bytes(proxmark.MAX_FRAME + 513)
    assert len(read_octets(octets + longest + record(9, "B267C7"), "proxmark3")[0]) == 4
    assert read_shown(octets + record(2, "")) == ["on", ">e080", ">b2", "!octet 25"]


LIST = """[=] {}
      Start |        End | Src | Data (! denotes parity error)   | CRC | Annotation
------------+------------+-----+---------------------------------+-----+-----------
{}"""
A = "ISO14443A - all times are in carrier periods (1/13.56MHz)"
RATS_ROW = "          0 |       4768 | Rdr |e0  80  31  73                   |  ok | RATS\n"


def test_a_list_with_marks_in_it() -> None:
    rows = (
        "          0 |        992 | Rdr |52(7)                            |     | WUPA\n"
        "       2100 |       4468 | Tag |44  00                           |     |\n"
        "       4468 |       7040 |     |fdt (Frame Delay Time): 1108\n"
        "  13560000 |   13561000 | Rdr |e0  80 [31  73]                  |  ok | RATS\n"
        "            |            |  *  |00 00                            |     | decrypted\n"
        "  27120000 |   27121000 | Tag |<empty trace - possible error>   |     |\n"
        "  40680000 |   40681000 | Rdr |b2! 67                           |     |\n"
        "            |            |     |c7                               |  ok |\n"
    )
    entries, problems = read_octets(LIST.format(A, rows).encode())
    assert [entry.octets.hex() for entry in entries] == ["", "e080", "b2"]
    assert [round(entry.t, 6) for entry in entries] == [0.0, 0.0, 2.0]
    assert [str(problem.position) for problem in problems if not problem.foreign] == ["line 9"]


def test_a_list_in_microseconds_and_one_of_gaps() -> None:
    rows = RATS_ROW.replace("         0 |       4768", "       0.0 |      351.6")
    rows += "    1000.5 |     1200.0 | Rdr |b2  67  c7                       |  ok |\n"
    assert read_octets(LIST.format(A, rows).encode())[0][-1].t == pytest.approx(0.0010005)
    gaps = LIST.replace("     Start |        End", "       Gap |   Duration").format(A, RATS_ROW)
    gaps += "   13555232 |          0 | Rdr |b2  67  c7                       |  ok |\n"
    assert read_octets(gaps.encode())[0][-1].t == pytest.approx(1.0)


def test_a_list_whose_time_begins_anew() -> None:
    rows = RATS_ROW.replace("         0 |", "4294967295 |") + RATS_ROW.replace("e0  80  31  73", "b2  67  c7    ")
    assert [round(entry.t, 6) for entry in read_octets(LIST.format(A, rows).encode())[0]] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "kind", ["ISO15693 / iCLASS - all times", "ISO14443B", "ISO18092 / FeliCa - Timings", "iso-14443-b"]
)
def test_a_list_of_other_cards_is_not_ours(kind: str) -> None:
    entries, problems = read_octets((LIST.format(kind, RATS_ROW) + LIST.format(A, RATS_ROW)).encode())
    assert len(entries) == 2
    assert [problem.words for problem in problems] == ["a frame of another kind of card"]


def test_lines_of_one_frame_are_bounded() -> None:
    more = "            |            |     |00  00                           |     |\n"
    rows = RATS_ROW + "  13560000 |   13561000 | Rdr |02  00                           |     |\n"
    _, problems = read_octets(LIST.format(A, rows + more * proxmark.MAX_CONTINUED).encode())
    assert len(problems) == 1  # a CRC of zeros


# --- nfcsnoop ---


def snoop(*records: tuple[str, int, int], version: int = 1, last: int = 7, damage: slice | None = None) -> str:
    """A log of records: NCI packet, 1 from the controller, microseconds."""
    octets = b"".join(
        struct.pack("<HIB", len(bytes.fromhex(packet)), micros, received) + bytes.fromhex(packet)
        for packet, received, micros in records
    )
    packed = bytearray(struct.pack("<BQ", version, last) + zlib.compress(octets))
    if damage is not None:
        packed[damage] = b"\xff" * len(packed[damage])
    text = base64.b64encode(packed).decode()
    lines = "\n".join(text[at : at + 128] for at in range(0, len(text), 128))
    return f"--- BEGIN:NFCSNOOP_LOG_SUMMARY (9 bytes in) ---\n{lines}\n--- END:NFCSNOOP_LOG_SUMMARY ---\n"


POLL = ("61050401020400", 1, 1000)
LISTEN = ("61050401020480", 1, 1000)
READ = ("00000500B0000002", 0, 500)
ANSWER = ("00000400039000", 1, 500)


def test_a_phone_that_reads() -> None:
    assert read_shown(snoop(POLL, READ, ANSWER, ("6106020001", 1, 5))) == [
        "on", ">00b0000002", "<00039000", "off",
    ]  # fmt: skip


def test_a_phone_that_is_the_card() -> None:
    records = (LISTEN, ("00000500B0000002", 1, 1), ("00000400039000", 0, 1), ("61070100", 1, 1), ("61070101", 1, 1))
    assert read_shown(snoop(*records)) == ["on", ">00b0000002", "<00039000", "off"]


def test_empty_lines_within_a_log_are_nothing() -> None:
    assert read_shown(snoop(POLL, READ).replace("\n", "\n\n")) == ["on", ">00b0000002"]


def test_times_go_on_in_the_next_log() -> None:
    entries, _ = read_octets((snoop(POLL, READ) + "x\n" + snoop(ANSWER, last=8)).encode())
    assert [(entry.t, entry.octets.hex()) for entry in entries] == [
        (0.0, ""),
        (0.0005, "00b0000002"),
        (0.001, "00039000"),
    ]
    entries, _ = read_octets((snoop(POLL, READ) + snoop(POLL, READ, last=8)).encode())
    assert [round(entry.t, 6) for entry in entries] == [0.0, 0.0005, 0.0015, 0.002]


def test_a_log_that_stands_there_twice_counts_once() -> None:
    assert read_shown(snoop(POLL, READ) * 2) == ["on", ">00b0000002"]


def test_an_apdu_in_several_packets_is_one() -> None:
    parts = ("10000300B000", 0, 1), ("10000100", 0, 1), ("0000020002", 0, 1)
    assert read_shown(snoop(POLL, *parts)) == ["on", ">00b000000002"]


def test_what_is_no_apdu_is_told() -> None:
    other = "61050401010200"
    records = (
        (other, 1, 1),
        ("0000023000", 0, 1),
        ("61", 1, 1),
        ("01000100", 0, 1),
        ("2F0200", 0, 1),
        ("610501FF", 1, 1),
    )
    entries, problems = read_octets(
        snoop(*records, POLL, ("000005", 0, 1), ("000005AA", 0, 1), ("000000", 0, 1)).encode()
    )
    assert [entry.dir for entry in entries] == [Dir.FIELD, Dir.FIELD]
    assert [problem.words for problem in problems] == [
        "a frame of another kind of card",
        "a packet of NCI that was cut off",
        'the phone left the payload out: turn on its developer option "NFC NCI unfiltered log"',
        "a packet of NCI that was cut off",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (snoop(READ, version=2), "a log of another version of nfcsnoop"),
        (snoop(POLL, damage=slice(9, 12)), "the compressed log is broken: the rest of it is left out"),
        (
            snoop(POLL).replace("=", "").replace("\n---", "=A\n---"),
            "the base64 is broken: the rest of the log is left out",
        ),
        (snoop(POLL).replace("\n--- END", "\n<b>\n--- END"), "no line of base64 within the log"),
        (snoop(POLL).partition("\n--- END")[0], "a log of nfcsnoop without its end"),
        (
            "--- BEGIN:NFCSNOOP_LOG_SUMMARY ---\nAQcA\n--- END:NFCSNOOP_LOG_SUMMARY ---\n",
            "the log ends within a record: it was cut off",
        ),
    ],
)  # fmt: skip
def test_a_broken_log_is_told(text: str, words: str) -> None:
    _, problems = read_octets((text + "\n").encode())
    assert words in [problem.words for problem in problems]


def test_a_log_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfcsnoop, "PIECE", 16)
    size = len(bytes.fromhex(POLL[0])) + len(bytes.fromhex(READ[0])) + 2 * nfcsnoop.RECORD_HEAD
    monkeypatch.setattr(nfcsnoop, "MAX_LOG", size)
    assert read_shown(snoop(POLL, READ)) == ["on", ">00b0000002"]
    monkeypatch.setattr(nfcsnoop, "MAX_LOG", size - 1)
    assert read_shown(snoop(POLL, READ)) == ["on", "!line 2"]


def test_logs_past_the_bound_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfcsnoop, "MAX_LOGS", 2)
    assert read_shown("".join(snoop(POLL, last=last) for last in range(3))) == ["on", "on"]


def test_the_fixture_has_the_interface_that_the_source_says() -> None:
    assert b"BEGIN:NFCSNOOP_VS_LOG_SUMMARY" in (FOLDER / "nfcsnoop-bugreport.txt").read_bytes()


def test_lines_behind_what_is_broken_are_passed_over() -> None:
    text = snoop(POLL, *((f"0000020{n % 10:01X}00", 0, n) for n in range(200)), damage=slice(9, 12))
    assert text.count("\n") > 4
    assert read_shown(text) == ["!line 2"]


def test_a_frame_of_a_list_may_be_empty() -> None:
    rows = RATS_ROW + "      9999 |       9999 | Tag |<zero>                           |     |\n"
    assert read_shown(LIST.format(A, rows)) == ["on", ">e080", "!line 5"]


def test_the_activation_may_have_left_the_ring_buffer() -> None:
    assert read_shown(snoop(READ, ANSWER)) == [">00b0000002", "<00039000"]
    assert read_shown(snoop(("00000500B0000002", 1, 1), ("00000400039000", 0, 1))) == [">00b0000002", "<00039000"]
    assert read_shown(snoop(("0000029000", 1, 1), READ, ANSWER)) == ["<9000", ">00b0000002", "<00039000"]
    assert read_shown(snoop(("0000029000", 0, 1), ("00000500B0000002", 1, 1))) == ["<9000", ">00b0000002"]
