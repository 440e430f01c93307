"""The format is found by the content, wherever in the file that begins, and however the file is wrapped."""

import gzip
import io
import random
from pathlib import Path

import pytest

from nfcbridge.errors import TraceError
from nfcbridge.formats import importing, lines
from nfcbridge.formats.importing import IMPORT_FORMATS, Source, Unpacked, recognise
from tests.formats.imports import FIXTURES, FOLDER, open_octets, read_octets, read_shown, show

PYSCARD = "> 00 A4 04 00 07 D2 76 00 00 85 01 01 00\n<  [] 90 00\n"
PYSCARD_SHOWN = [">00a4040007d276000085010100", "<9000"]


@pytest.mark.parametrize(
    "octets", [b"", b"\x00", b"hello\n", b"> \n", bytes(100_000), b"{}", "SEND: 00\n".encode("utf-16")]
)
def test_what_is_of_no_format_is_refused_with_the_formats_that_there_are(octets: bytes) -> None:
    with pytest.raises(TraceError, match=r"no format that is known.*nfcsnoop.*pcscd"):
        open_octets(octets)


def test_a_trace_of_ours_is_told_to_be_one() -> None:
    with pytest.raises(TraceError, match="a trace of nfcbridge already"):
        open_octets((FOLDER / "pcscd.log.jsonl").read_bytes())


def test_a_zip_archive_is_to_be_unpacked() -> None:
    with pytest.raises(TraceError, match="unpack it"):
        open_octets(b"PK\x03\x04" + bytes(100))


TEXTS = [path for path in FIXTURES if path.suffix in {".log", ".txt"}]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_format_is_known_behind_much_of_other_programs(path: Path) -> None:
    octets = path.read_bytes()
    chosen = open_octets(octets)[0]
    noise = b"".join(b"Nov 22 15:00:%02d host kernel: usb 1-%d: new device\n" % (n % 60, n) for n in range(20_000))
    assert len(noise) > 2 * importing.WINDOW
    assert open_octets(noise + octets)[0] == chosen
    assert [entry.octets for entry in read_octets(noise + octets)[0]] == [
        entry.octets for entry in read_octets(octets)[0]
    ]


def test_a_window_ends_within_a_line_and_the_line_is_found() -> None:
    line = "x" * 50 + "\n"
    for more in range(0, 120, 7):
        count = (importing.WINDOW - more) // len(line)
        assert recognise(io.BytesIO((line * count + "y" * more + "\n" + PYSCARD).encode())) is IMPORT_FORMATS["pyscard"]


@pytest.mark.parametrize(
    "octets",
    [
        PYSCARD.encode(),
        PYSCARD.replace("\n", "\r\n").encode(),
        PYSCARD.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + PYSCARD.encode(),
        PYSCARD.encode("utf-16"),
        b"\xfe\xff" + PYSCARD.encode("utf-16-be"),
        PYSCARD.replace("> ", "\x1b[32m> ").replace("01 00\n", "01 00\x1b[0m\n").encode(),
        b"\xff\xfenot utf-16\xc3(\n"[2:] + PYSCARD.encode() + b"\xc3\x28\xff\n",
        PYSCARD.rstrip().encode(),
        PYSCARD.replace("00 A4", "0\x000 A4").encode(),
        gzip.compress(PYSCARD.encode()),
        gzip.compress(PYSCARD.encode("utf-16")),
    ],
    ids=str,
)
def test_however_the_text_was_kept_it_is_the_same(octets: bytes) -> None:
    assert read_shown(octets) == PYSCARD_SHOWN


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_the_same_wherever_chunks_end(chunk: int, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", chunk)
    text = end.join(["a", "\x1b[31mb\x1b[0m", "", "c\x1b[1;32md", "\N{EURO SIGN}"])
    found = list(lines.read_lines(io.BytesIO(text.encode())))
    assert found == [(1, "a"), (2, "b"), (3, ""), (4, "cd"), (5, "\N{EURO SIGN}")]


def test_a_line_is_kept_to_its_bound() -> None:
    (first, second) = lines.read_lines(io.BytesIO(b"x" * (lines.MAX_LINE + 1) + b"\n" + b"y" * lines.MAX_LINE))
    assert (len(first[1]), len(second[1])) == (lines.MAX_LINE, lines.MAX_LINE)
    assert second[0] == 2


def test_the_name_decides_where_it_is_given() -> None:
    assert open_octets(PYSCARD.encode(), "nfcpy")[0] == "nfcpy"
    assert read_shown(PYSCARD, "nfcpy") == []


def test_a_gzip_file_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    text = "".join(
        f"> 00 B0 {n >> 8:02X} {n & 255:02X} 0F\n< {random.Random(n).randbytes(15).hex(' ').upper()} 90 00\n"
        for n in range(300)
    )
    packed = gzip.compress(text.encode())
    source = Source(io.BytesIO(packed[: len(packed) // 2]))
    _, reading = importing.read_import(source)
    count = sum(1 for _ in reading.items)
    assert 100 < count < 600
    assert "cut off" in source.broken
    whole = Source(io.BytesIO(packed))
    assert sum(1 for _ in importing.read_import(whole)[1].items) == 600
    assert whole.broken == ""


def test_a_gzip_file_that_is_broken_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(PYSCARD.encode() * 3) + b"\x1f\x8b\x08\x00broken octets"
    unpacked = Unpacked(io.BytesIO(packed))
    assert unpacked.read() == PYSCARD.encode() * 3
    assert "broken" in unpacked.broken
    assert unpacked.read() == b""


def test_what_is_packed_may_come_an_octet_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "HEAD", 1)
    packed = gzip.compress(PYSCARD.encode())
    assert Unpacked(io.BytesIO(packed)).read() == PYSCARD.encode()


def test_gzip_files_one_behind_another_are_one() -> None:
    packed = gzip.compress(b"> 00 B0 00 00 02\n") + gzip.compress(b"< 00 03 90 00\n") + bytes(512)
    assert read_shown(packed) == [">00b0000002", "<00039000"]


def test_what_is_unpacked_can_be_rewound_and_skipped() -> None:
    unpacked = Unpacked(io.BytesIO(gzip.compress(bytes(range(200)))))
    assert unpacked.readable()
    assert unpacked.seekable()
    assert unpacked.read(3) == b"\x00\x01\x02"
    assert unpacked.tell() == 3
    assert unpacked.seek(100) == 100
    assert unpacked.read(1) == b"\x64"
    assert unpacked.seek(1000) == 200
    assert unpacked.seek(0) == 0
    assert unpacked.read(None) == bytes(range(200))
    with pytest.raises(io.UnsupportedOperation):
        unpacked.seek(0, io.SEEK_END)


def test_the_table_for_people_names_every_format() -> None:
    table = importing.describe_formats()
    assert [name for name in IMPORT_FORMATS if f"  {name} " not in table] == []


def test_times_begin_with_the_first_entry() -> None:
    entries, _ = read_octets((FOLDER / "nfcgate.pcapng").read_bytes())
    assert entries[0].t == 0.0
    assert show(entries[:1]) == PYSCARD_SHOWN[:1]
