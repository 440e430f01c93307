"""Captures: both byte orders, all resolutions, and what a sniffer does to frames."""

import io
import struct
from collections.abc import Iterable

import pytest

from nfcbridge.formats import capture, pcap
from nfcbridge.formats.crc import crc_a
from nfcbridge.formats.gsmtap import split_apdus
from nfcbridge.formats.gsmtap_writer import GsmtapWriter
from nfcbridge.formats.iso14443_writer import Iso14443Writer
from nfcbridge.formats.pcap import Packet
from nfcbridge.formats.type_a import SHORT_FRAMES, looks_like_block
from nfcbridge.formats.udp import find_datagram
from nfcbridge.trace import Header
from tests.formats.imports import open_octets, read_octets, read_shown
from tests.formats.written import frames, write

ISO = 264
EVENTS = {">": 0xFE, "<": 0xFF, "]": 0xFA, "[": 0xFB}
"""With CRC, and in brackets without."""


def iso(line: str) -> bytes:
    """A packet of `>HEX`, whose CRC is put on; `=` after the sign leaves it as it is; `on`, `off`."""
    if line in {"on", "off"}:
        return bytes((0, 0xFC if line == "on" else 0xFD, 0, 0))
    octets = bytes.fromhex(line[1:].lstrip("="))
    if line[0] in "><" and line[1] != "=":
        octets += crc_a(octets)
    return bytes((0, EVENTS[line[0]])) + len(octets).to_bytes(2, "big") + octets


def as_pcap(packets: Iterable[bytes], *, order: str = "<", nano: bool = False, link: int = ISO) -> bytes:
    octets = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for number, packet in enumerate(packets):
        octets += struct.pack(order + "IIII", 100, number * (1_000_000 if nano else 1000), len(packet), len(packet))
        octets += packet
    return octets


def block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = ISO, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options, order)


def packet(octets: bytes, ticks: int, order: str = "<", number: int = 0, original: int | None = None) -> bytes:
    lengths = (len(octets), len(octets) if original is None else original)
    return block(6, struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, *lengths) + octets, order)


def read_lines(*lines: str) -> list[str]:
    return read_shown(as_pcap(map(iso, lines)))


ACTIVATION = ("on", ">E080", "<0578807002")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_of_either_order_and_resolution(order: str, *, nano: bool) -> None:
    entries, problems = read_octets(as_pcap(map(iso, ACTIVATION), order=order, nano=nano))
    assert [round(entry.t, 6) for entry in entries] == [0.0, 0.001, 0.002]
    assert [entry.octets.hex() for entry in entries] == ["", "e080", "0578807002"]
    assert problems == []


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("options", "unit"),
    [
        (b"", 1e-6),
        (b"\x06", 1e-6),
        (b"\x09", 1e-9),
        (b"\x03", 1e-3),
        (b"\x80", 1.0),
        (b"\x8a", 1 / 1024),
    ],
)
def test_pcapng_of_either_order_and_any_resolution(order: str, options: bytes, unit: float) -> None:
    option = struct.pack(order + "HH", 9, len(options)) + options + bytes(-len(options) % 4) if options else b""
    offset = struct.pack(order + "HHq", 14, 8, 1000) + bytes(4)
    octets = section(order) + interface(ISO, order, option + offset)
    octets += packet(iso(">E080"), 7, order) + packet(iso("<0578807002"), 7 + 3, order)
    entries, problems = read_octets(octets)
    assert [entry.t for entry in entries] == pytest.approx([0.0, 0.0, 3 * unit])
    assert problems == []


def test_old_and_simple_packets_of_pcapng() -> None:
    frame = iso(">E080")
    old = struct.pack("<HHIIII", 0, 0, 0, 5, len(frame), len(frame)) + frame
    octets = section() + interface() + block(2, old, "<")
    assert read_shown(octets) == ["on", ">e080"]
    octets = section() + interface() + block(3, struct.pack("<I", len(frame)) + frame, "<") + block(99, b"what", "<")
    entries, _ = read_octets(octets)
    assert [entry.t for entry in entries] == [0.0, 0.0]
    assert open_octets(octets)[1].header.clock.startswith("none")


def test_sections_may_change_the_order_of_octets() -> None:
    octets = section() + interface() + packet(iso(">E080"), 1) + section(">") + interface(ISO, ">")
    assert read_shown(octets + packet(iso("<0578807002"), 2, ">")) == ["on", ">e080", "<0578807002"]


WHOLE = section() + interface() + packet(iso(">E080"), 1)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (WHOLE + packet(iso(">B2"), 2)[:-5], "a block that was cut off"),
        (WHOLE + packet(iso(">B2"), 2)[:6], "a block that was cut off"),
        (WHOLE + b"\x06", "a block that was cut off"),
        (WHOLE + b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x00\x00\x00\x00", "a block that was cut off"),
        (WHOLE + struct.pack("<II", 6, 13), "no block begins here: the rest of the file is left out"),
        (WHOLE + struct.pack("<II", 6, 8), "no block begins here: the rest of the file is left out"),
        (WHOLE + packet(iso(">B2"), 2, number=7), "a packet of an interface that is not there"),
        (WHOLE + block(6, bytes(8), "<"), "a block whose fields are cut off"),
        (WHOLE + block(6, struct.pack("<IIIII", 0, 0, 0, 100, 100), "<"), "a packet that was cut off"),
        (WHOLE + packet(iso(">B2"), 2, original=100), "a packet that was cut off"),
        (WHOLE + packet(b"\x00\xfe", 2), "a packet that was cut off"),
        (WHOLE + packet(b"\x00\xfe\x00\x09\xb2", 2), "a packet that was cut off"),
        (WHOLE + packet(b"\x00\x11\x00\x01\xb2", 2), "an event that ISO 14443 captures do not have"),
        (WHOLE + packet(b"\x00\xfe\x00\x00", 2), "a frame without octets"),
        (as_pcap([iso(">E080"), iso(">B2")])[:-1], "a packet that was cut off"),
        (as_pcap([iso(">E080")]) + bytes(7), "a packet that was cut off"),
        (
            as_pcap([iso(">E080")]) + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30),
            "no packet begins here: the rest of the file is left out",
        ),
    ],
)  # fmt: skip
def test_what_is_broken_is_reported_and_the_rest_imported(octets: bytes, words: str) -> None:
    entries, problems = read_octets(octets)
    assert [entry.octets.hex() for entry in entries] == ["", "e080"]
    assert [problem.words for problem in problems] == [words]


def test_a_capture_without_its_head_has_nothing() -> None:
    assert read_shown(b"\xd4\xc3\xb2\xa1\x02\x00") == ["!octet 0"]
    assert read_shown(b"nothing", "pcap") == []


def test_a_block_past_the_bound_is_passed_over() -> None:
    bound = pcap.MAX_BLOCK
    assert read_shown(WHOLE + block(99, bytes(bound - 12), "<") + packet(iso("<0578807002"), 2)) == [
        "on", ">e080", "<0578807002",
    ]  # fmt: skip
    assert read_shown(WHOLE + block(99, bytes(2 * bound), "<") + packet(iso("<0578807002"), 2)) == [
        "on", ">e080", "<0578807002", f"!octet {len(WHOLE)}",
    ]  # fmt: skip


def test_interfaces_past_the_bound_are_reported() -> None:
    octets = section() + interface() * pcap.MAX_INTERFACES
    assert read_shown(octets + packet(iso(">E080"), 1, number=pcap.MAX_INTERFACES - 1)) == ["on", ">e080"]
    _, problems = read_octets(octets + interface() + packet(iso(">E080"), 1, number=pcap.MAX_INTERFACES))
    assert [problem.words for problem in problems] == [
        "more than 1024 interfaces",
        "a packet of an interface that is not there",
    ]


def test_comments_past_the_bound_are_dropped() -> None:
    comment = struct.pack("<HH", 1, 1) + b"x\0\0\0"
    body = struct.pack("<IIIII", 0, 0, 1, 6, 6) + bytes(8)
    octets = section() + interface() + block(6, body + comment * (pcap.MAX_COMMENTS + 1), "<")
    (found,) = (item for item in pcap.read_capture(io.BytesIO(octets)) if isinstance(item, Packet))
    assert found.comments == ("x",) * pcap.MAX_COMMENTS


def test_a_packet_of_another_link_type_is_not_ours() -> None:
    octets = section() + interface(ISO) + interface(147) + packet(b"?", 0, number=1) + packet(iso(">E080"), 1)
    entries, problems = read_octets(octets)
    assert len(entries) == 2
    assert [(problem.words, problem.foreign) for problem in problems] == [("a packet of another link type", True)]


# --- what is ours on the air ---


def test_selection_becomes_the_field_and_is_counted() -> None:
    lines = (">=26", "<=0400", ">=9320", "<=08C045E66B", ">937008C045E66B", "<20", *ACTIVATION[1:])
    entries, problems = read_octets(as_pcap(map(iso, lines)))
    assert [(entry.octets.hex(), entry.on) for entry in entries] == [("", True), ("e080", False), ("0578807002", False)]
    assert len(problems) == 6
    assert all(problem.foreign for problem in problems)


def test_a_card_that_is_woken_up_again_was_selected_again() -> None:
    again = (">C2", "<C2", ">=52", "<=0400", ">937008C045E66B", "<20", ">E080", "<0578807002")
    assert read_lines(*ACTIVATION, *again) == [
        "on", ">e080", "<0578807002", ">c2", "<c2", "on", ">e080", "<0578807002",
    ]  # fmt: skip


def test_cascade_levels_are_one_selection() -> None:
    levels = (">93708804B6C1FB", "<04", ">9570AABBCCDD00", "<20")
    assert read_lines(*levels, *ACTIVATION[1:]) == ["on", ">e080", "<0578807002"]


def test_rats_alone_shows_that_the_card_was_selected() -> None:
    assert read_lines(">E080", "<0578807002", ">0200", "<0200", ">E080", "<0578807002") == [
        "on", ">e080", "<0578807002", ">0200", "<0200", "on", ">e080", "<0578807002",
    ]  # fmt: skip


def test_blocks_without_an_activation_are_ours() -> None:
    lines = (">0200B0000002", "<F201", ">F201", "<0200039000", ">B2", "<A3", ">A2", "<0290", ">BA01", ">F20101", ">C2")
    assert read_lines(*lines) == [line.lower() for line in lines]


def test_other_cards_in_between_are_not_ours() -> None:
    mifare = (
        ">=26",
        ">93708804B6C1FB",
        "<04",
        ">6004",
        "<=01020304",
        ">=AABBCCDDEEFF0011",
        ">3004",
        "<=0A",
        ">A20401020304",
        ">5000",
    )
    other = (">050000", "<=50AABBCCDD00000000717171", ">0600FFFF0100")
    entries, problems = read_octets(as_pcap(map(iso, (*mifare, *other, *ACTIVATION[1:]))))
    assert [entry.octets.hex() for entry in entries] == ["", "e080", "0578807002"]
    assert all(problem.foreign for problem in problems)


def test_after_hlta_nothing_is_ours_until_rats() -> None:
    assert read_lines(*ACTIVATION, ">5000", ">3004", "<=0A0B", ">E080") == ["on", ">e080", "<0578807002", "on", ">e080"]


def test_garbage_on_an_active_card_is_ours() -> None:
    assert read_lines(*ACTIVATION, ">60", ">9060000000", "<91AF") == [
        "on", ">e080", "<0578807002", ">60", ">9060000000", "<91af",
    ]  # fmt: skip


def test_a_damaged_frame_is_reported() -> None:
    assert read_lines(*ACTIVATION, ">=0200B00000020000", "<0290", "<=0500") == [
        "on", ">e080", "<0578807002", "!octet 95",
    ]  # fmt: skip
    assert read_lines(">E080", "<=05788070020000") == ["on", ">e080", "!octet 48"]
    assert read_lines(">E080", ">=26", ">=0200B000000200AA") == ["on", ">e080", "!octet 69"]


def test_frames_whose_crc_was_dropped_are_told_by_their_event() -> None:
    assert read_lines("on", "]E080", "[0578807002", "]0200B0000002", "]03B0", "off") == [
        "on", ">e080", "<0578807002", ">0200b0000002", ">03b0", "off",
    ]  # fmt: skip


def test_a_program_that_drops_crcs_and_does_not_say_so_is_seen_through() -> None:
    lines = (">=E080", "<=0578807002", ">=0200B0000002", "<=0200039000")
    entries, problems = read_octets(as_pcap(map(iso, lines)))
    assert [entry.octets.hex() for entry in entries] == ["", *(line[2:].lower() for line in lines)]
    assert [problem.words for problem in problems] == [
        "no CRC in the whole file is right: they were taken to be left out"
    ]


def test_constant_block_numbers_mean_apdus() -> None:
    lines = ("]0200B0000002", "[0200039000", "]0200B0000203", "[02D000009000", "off")
    octets = as_pcap(map(iso, lines))
    assert open_octets(octets)[1].header.level == "apdus"
    assert read_shown(octets) == [">00b0000002", "<00039000", ">00b0000203", "<d000009000", "off"]
    one = as_pcap(map(iso, lines[:2]))
    assert open_octets(one)[1].header.level == "blocks"
    nfcgate = section() + interface(ISO) + interface(147) + packet(iso(lines[0]), 1)
    assert open_octets(nfcgate)[1].header.level == "apdus"


def test_only_the_first_packets_are_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LOOK_AHEAD", 2)
    assert read_lines("]0200B0000002", "]0200B0000003", ">03B0") == [
        ">00b0000002",
        ">00b0000003",
        ">b0" + crc_a(b"\x03\xb0").hex(),
    ]


@pytest.mark.parametrize("octet", range(256))
def test_a_frame_of_one_octet_is_ours_if_it_can_be_a_block(octet: int) -> None:
    blocks = {
        0x02,
        0x03,
        0x0A,
        0x0B,
        0x12,
        0x13,
        0x1A,
        0x1B,
        0xA2,
        0xA3,
        0xAA,
        0xAB,
        0xB2,
        0xB3,
        0xBA,
        0xBB,
        0xC2,
        0xCA,
    }
    assert looks_like_block(bytes((octet,))) == (octet in blocks)
    assert not (octet in SHORT_FRAMES and looks_like_block(bytes((octet,))))


# --- GSMTAP ---


def gsmtap(payload: str, *, kind: int = 0, version: int = 2, words: int = 4, what: int = 4) -> bytes:
    return bytes((version, words, what, 0)) + bytes(8) + bytes((kind, 0, 0, 0)) + bytes.fromhex(payload)


def udp(payload: bytes, port: int = 4729) -> bytes:
    return struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload


def ipv4(payload: bytes, *, protocol: int = 17, fragment: int = 0, options: int = 0) -> bytes:
    head = struct.pack(
        ">BBHHHBBHII", 0x45 + options // 4, 0, 20 + options + len(payload), 0, fragment, 64, protocol, 0, 1, 2
    )
    return head + bytes(options) + payload


def ipv6(payload: bytes, *, protocol: int = 17) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(payload), protocol, 64) + bytes(32) + payload


READ = gsmtap("00B0000002 00039000")


@pytest.mark.parametrize(
    ("link", "octets"),
    [
        (1, bytes(12) + b"\x08\x00" + ipv4(udp(READ))),
        (1, bytes(12) + b"\x81\x00\x00\x01\x08\x00" + ipv4(udp(READ), options=8)),
        (1, bytes(12) + b"\x88\xa8\x00\x01\x81\x00\x00\x02\x86\xdd" + ipv6(udp(READ))),
        (101, ipv4(udp(READ))),
        (228, ipv4(udp(READ))),
        (229, ipv6(udp(READ))),
        (0, b"\x02\x00\x00\x00" + ipv4(udp(READ))),
        (108, b"\x00\x00\x00\x02" + ipv4(udp(READ))),
        (113, bytes(14) + b"\x08\x00" + ipv4(udp(READ))),
        (276, b"\x08\x00" + bytes(18) + ipv4(udp(READ))),
        (1, bytes(12) + b"\x08\x00" + ipv4(udp(READ)) + bytes(6)),  # filled up to the shortest frame
    ],
)
def test_gsmtap_over_every_link_type(link: int, octets: bytes) -> None:
    assert read_shown(as_pcap([octets], link=link)) == [">00b0000002", "<00039000"]


@pytest.mark.parametrize(
    ("link", "octets"),
    [
        (1, bytes(12) + b"\x08\x06" + ipv4(udp(READ))),
        (1, bytes(12) + b"\x81\x00\x00\x00" * 5 + b"\x08\x00" + ipv4(udp(READ))),
        (1, b""),
        (113, bytes(16) + ipv4(udp(READ))),
        (276, bytes(20) + ipv4(udp(READ))),
        (105, ipv4(udp(READ))),
        (101, ipv4(udp(READ), protocol=6)),
        (101, ipv4(udp(READ), fragment=1)),
        (101, ipv4(b"\x00\x01")),
        (101, ipv6(udp(READ), protocol=6)),
        (101, b"\x45"),
        (101, b"\x90" + bytes(60)),
    ],
)
def test_what_is_no_datagram_is_none(link: int, octets: bytes) -> None:
    assert find_datagram(link, octets) is None


def test_packets_in_between_are_told_apart() -> None:
    packets = [
        ipv4(udp(READ)),
        ipv4(udp(READ, port=53)),
        ipv4(udp(READ), fragment=0x2000),
        ipv4(udp(READ)[:-2]),
        ipv4(udp(gsmtap("00", version=3))),
        ipv4(udp(gsmtap("00", what=1))),
        ipv4(udp(gsmtap("00", words=1))),
        ipv4(udp(b"\x02")),
        ipv4(udp(gsmtap("3B", kind=1))),
        ipv4(udp(gsmtap("00", kind=4))),
        ipv4(udp(gsmtap("9000"))),
        ipv4(udp(READ)),
    ]
    entries, problems = read_octets(as_pcap(packets, link=101))
    assert len(entries) == 5
    assert entries[2].on
    assert [problem.foreign for problem in problems] == [True] * 7 + [True, False]


def test_gsmtap_in_pcapng_with_cut_packets() -> None:
    octets = section() + interface(101) + packet(ipv4(udp(READ)), 1) + packet(ipv4(udp(READ))[:30], 2, original=60)
    assert read_shown(octets + b"\x01") == [
        ">00b0000002",
        "<00039000",
        f"!octet {len(section() + interface(101) + packet(ipv4(udp(READ)), 1))}",
        f"!octet {len(octets)}",
    ]


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("00A4040007D276000085010100", "9000"),  # Le 00
        ("00A4040007D276000085010100", "6F028400 9000"),
        ("00A4040007D2760000850101", "9000"),  # as T=0 carries it
        ("00A4040007D2760000850101", "6F028400 9000"),
        ("00A4000C02E103", "9000"),
        ("00A4040000", "6F00 9000"),
        ("00B000000F", "000F2000FB00F80406E1047FFF0000 9000"),
        ("00B0000000", "0003D00000 9000"),
        ("00B00002000003", "000102 9000"),  # extended Le, as many octets
        ("00B0000000000F", "000F2000FB00F80406E1047FFF0000 9000"),  # at 0 there is a length: of the CC
        ("00B00000000000", "000102 9000"),  # extended Le for all
        ("00D600000300D000", "9000"),
        ("00D60000000002AABB", "9000"),  # extended Lc
        ("00D60000000002AABB0000", "0102 9000"),  # with an extended Le
        ("00700001", "9000"),  # four octets alone
        ("80CA9F7F00", "6A88"),
        ("00A4040000", "6F0A84081122334455667788 9000"),  # no length of three octets: 6F0A are too many
        ("00A4040000", "9000"),
        ("00A4040000", "00008408112233449000"),  # nor are 0000
        ("8012000010", "0102 9000"),
        ("80CB000010", "0102 9000"),
        ("8088000010", "0102 9000"),  # not in the table: more octets would be its data than there are
    ],
)
def test_command_and_response_are_cut_where_they_were_put_together(command: str, response: str) -> None:
    whole = bytes.fromhex(command + response)
    assert split_apdus(whole) == len(bytes.fromhex(command))


@pytest.mark.parametrize("octets", ["", "9000", "00B0000090"])
def test_what_is_no_pair_is_none(octets: str) -> None:
    assert split_apdus(bytes.fromhex(octets)) is None


# --- what our own exporter wrote, damaged since ---


def test_an_export_has_other_packets_beside_it() -> None:
    octets = write(Iso14443Writer(Header(link="x")), frames(">E080"))
    assert read_shown(octets + packet(b"\x00\x11\x00\x00", 9)) == [">e080", f"!octet {len(octets)}"]


def test_a_time_that_no_trace_has_is_left_out_of_an_export() -> None:
    octets = write(Iso14443Writer(Header(link="x")), frames(">E080"))
    late = packet(iso(">B2"), 10**16) + packet(iso(">C2"), 10**16 + 2000)
    assert read_shown(octets + late) == [">e080", ">b2", "!entry 3"]


def test_an_export_that_was_damaged_is_imported_as_far_as_it_is_sound() -> None:
    entries = frames("on", ">E080", "<0578807002", "off")
    octets = bytearray(write(Iso14443Writer(Header(link="x")), entries))
    octets[octets.index(b"\xe0\x80\x31\x73")] ^= 1
    whole = bytes(octets)
    start = whole.index(iso("off"))
    assert read_shown(whole) == ["on", "<0578807002", "off", f"!octet {whole.index(iso('>E080')[4:][1:]) - 33}"]
    assert read_shown(whole[: start - 20])[-1].startswith("!octet")
    cut = whole.replace(iso("off"), b"\x00\xfd\x00\x01")
    assert len(read_shown(cut)) == 4


def test_gsmtap_of_ours_is_read_without_its_notes_too() -> None:
    entries = frames("on", ">00B0000002", "<00039000", ">00B0000203", "<D000009000")
    octets = write(GsmtapWriter(Header(level="apdus", link="x")), entries)
    assert read_shown(octets) == ["on", ">00b0000002", "<00039000", ">00b0000203", "<d000009000"]
    assert read_shown(octets.replace(b"nfcbridge pair", b"somebodys pair")) == read_shown(octets)
    wrong = read_shown(octets.replace(b"pair: 5 ", b"pair: 9 ", 1))
    assert wrong[:-1] == ["on", ">00b0000203", "<d000009000"]
    assert wrong[-1].startswith("!octet")
    other = octets.replace(bytes((0x02, 0x04, 0x04, 0x00)), bytes((0x02, 0x04, 0x01, 0x00)), 1)
    assert read_shown(other) == ["on", ">00b0000203", "<d000009000"]
    assert read_shown(octets[:-3])[-1].startswith("!octet")
