"""Logs as people send them: folded, cut off, coloured, with other programs' lines in between."""

import pytest

from nfcbridge.formats.found import NO_CLOCK
from nfcbridge.formats.stamps import find_time
from tests.formats.imports import open_octets, read_octets, read_shown

SELECT = "00 A4 04 00 07 D2 76 00 00 85 01 01 00"
SELECTED = ">00a4040007d276000085010100"
LONG = "00 D6 00 02 28 " + " ".join(f"{n:02X}" for n in range(40))
LONG_SHOWN = ">" + LONG.replace(" ", "").lower()


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("12:00:01 x", 43201.0),
        ("12:00:01.5 x", 43201.5),
        ("12:00:01,25 x", 43201.25),
        ("P:1; T:0x1 00:00:00.001 [x] y", 0.001),
        ("1970-01-02 00:00:01,5 x", 86401.5),
        ("1970-01-02T00:00:01.000001Z x", 86401.000001),
        ("1970-02-31 00:00:01 x", None),
        ("[  12.345678] x", 12.345678),
        ("1795360734.180177 x", 1795360734.180177),
        ("1500 ms [nfc] x", 1.5),
        ("24:00:00 x", None),
        ("no time at all", None),
        ("x" * 101 + " 12:00:00", None),
        ("", None),
    ],
)
def test_a_time_is_found_in_its_forms(line: str, seconds: float | None) -> None:
    assert find_time(line) == pytest.approx(seconds)


def test_milliseconds_may_be_a_plain_number() -> None:
    assert find_time("TRAFFIC 00:00:01.7 x", plain_milliseconds=True) == 1.007
    assert find_time("TRAFFIC 00:00:01.1234 x", plain_milliseconds=True) == 1.1234


def test_a_line_that_a_terminal_folded_is_put_together() -> None:
    line = f"> {LONG}"
    for width in (60, 61, 62, 80):
        folded = "\n".join(line[at : at + width] for at in range(0, len(line), width))
        assert read_shown(f"> {SELECT}\n< 90 00\n{folded}\n<  [] 90 00\n", "pyscard")[2:] == [LONG_SHOWN, "<9000"]


COUNT = bytes(range(60)).hex()

FOLDED = [
    (f"00000012 APDU: {LONG} ", "00000020 SW: 90 00 ", [LONG_SHOWN, "<9000"]),
    (
        f"P:1 x A>> T=1 (4+0060) 00D60000 3C {COUNT.upper()}",
        "A<< (0000+2) (15ms) 9000",
        [f">00d600003c{COUNT}", "<9000"],
    ),
    (f"TRAFFIC 15:06:23.267 [ykman.pcsc] SEND: {COUNT}", "15:06:23 RECV: 01 SW=9000", [f">{COUNT}", "<019000"]),
    (f"DEBUG:nfc.tag.tt4:>> 00d60000{COUNT}", "DEBUG:nfc.tag.tt4:<< 9000", [f">00d60000{COUNT}", "<9000"]),
    (f"DEBUG:nfc.clf:>>> 02{COUNT} timeout=0.08095339233038348", "nfc.clf:<<< 02 0.001s", [f">02{COUNT}", "<02"]),
    (f"  > {LONG}"[2:], "<  [] 90 00", [LONG_SHOWN, "<9000"]),
]


@pytest.mark.parametrize("width", range(60, 100))
@pytest.mark.parametrize(("line", "answer", "shown"), FOLDED, ids=["pcscd", "apdu4j", "ykman", "tt4", "clf", "pyscard"])
def test_every_log_may_be_folded_anywhere(line: str, answer: str, shown: list[str], width: int) -> None:
    folded = [line[at : at + width] for at in range(0, len(line), width)]
    assert read_shown("\n".join([*folded, answer, ""])) == shown


@pytest.mark.parametrize("width", [60, 61, 80, 170])
def test_a_status_word_may_be_folded_away_from_its_data(width: int) -> None:
    line = f"TRAFFIC 15:06:23.267 [ykman.pcsc] RECV: {COUNT} SW=6282"
    folded = "\n".join(line[at : at + width] for at in range(0, len(line), width))
    shown = read_shown(f"SEND: 00b0000000\nRECV:  SW=9000\nSEND: 00b0000000\n{folded}\n")
    assert shown == [">00b0000000", "<9000", ">00b0000000", f"<{COUNT}6282"]


def test_hex_of_others_behind_a_short_line_is_not_put_to_it() -> None:
    assert read_shown(f"> {SELECT}\nDEADBEEF\n< 90 00\n") == [SELECTED, "<9000"]


def test_a_status_word_with_a_small_sw1_has_a_space() -> None:
    assert read_shown(f"> {SELECT}\n<  []  1 02\n> {SELECT}\n< AA  0 05\n") == [SELECTED, "<0102", SELECTED, "<aa0005"]


def test_a_response_without_its_command_is_left_out() -> None:
    assert read_shown(f"< 90 00\n> {SELECT}\n< 90 00\n< 6A 82\n") == [SELECTED, "<9000", "!line 1", "!line 4"]


def test_a_command_without_its_response_stays() -> None:
    assert read_shown(f"> {SELECT}\n> {SELECT}\n< 90 00\n> {SELECT}\n") == [SELECTED, SELECTED, "<9000", SELECTED]


def test_half_an_octet_is_no_frame() -> None:
    assert read_shown(f"> {SELECT}\n< 90 00\n> {SELECT} 0\n< 90 00\n") == [SELECTED, "<9000", "!line 3", "!line 4"]


def test_connections_of_pyscard_are_the_field() -> None:
    text = (
        f"connecting to R 00\n> {SELECT}\n< 90 00\nreconnecting to R 00\ndisconnecting from R 00\nrelease from R 00\n"
    )
    assert read_shown(text) == ["on", SELECTED, "<9000", "on", "off"]


def test_commands_for_the_reader_device_are_left_out_with_their_responses() -> None:
    entries, problems = read_octets(f"> FF CA 00 00 00\n< 08 01 02 03 90 00\n> {SELECT}\n< 90 00\n".encode())
    assert len(entries) == 2
    assert [problem.words for problem in problems] == ["a command for the reader device itself (class FF)"] * 2
    assert all(problem.foreign for problem in problems)


def test_pcscd_counts_the_time_between_all_its_lines() -> None:
    text = (
        f"00000100 x.c:1:f() hello\nNov 22 15:00:00 host pcscd[77]: 00000250 APDU: {SELECT} \n"
        "00000004 y\n99999999 SW: 90 00 \n00000001 [140] winscard.c:1:SCardConnect() power up complete.\n"
        "00000001 Card Removed From R\n"
    )
    entries, _ = read_octets(text.encode())
    assert [round(entry.t, 6) for entry in entries] == [0.0, 100.000003, 100.000004, 100.000005]
    assert read_shown(text) == [SELECTED, "<9000", "on", "off"]


def test_a_long_line_of_pcscd_tells_nothing_of_the_field() -> None:
    words = "Card Removed From " + "x" * 200
    assert read_shown(f"00000001 APDU: {SELECT} \n00000001 {words}\n") == [SELECTED]
    assert read_shown(f"00000001 APDU: {SELECT} \n00000001 {words[:200]}\n") == [SELECTED, "off"]


def test_pcscd_may_have_got_no_response() -> None:
    assert read_shown(f"00000001 APDU: {SELECT} \n00000001 SW: \n") == [SELECTED, "!line 2"]


SPY = """AB12@>|10|5|SCardTransmit
AB12@0x44A972E1
AB12@0x00000002
AB12@0x00000010
AB12@0x00000005
AB12@00 B0 00 00 02
AB12@0x00000001
AB12@0x00000010
AB12@0x00000004
AB12@00 03 90 00
AB12@<|10|105|SCardTransmit|0x00000000
"""


def test_pcsc_spy_is_read_in_its_newer_form_too() -> None:
    entries, _ = read_octets(SPY.encode())
    assert [(entry.octets.hex(), round(entry.t, 6)) for entry in entries] == [("00b0000002", 0.0), ("00039000", 0.0001)]


def test_calls_of_threads_are_told_apart() -> None:
    other = SPY.replace("AB12", "CD34").replace("00 B0 00 00 02", "00 B0 00 07 02")
    lines = [line for pair in zip(SPY.splitlines(), other.splitlines(), strict=True) for line in pair]
    assert read_shown("\n".join(lines)) == [">00b0000002", "<00039000", ">00b0000702", "<00039000"]


def test_more_threads_than_are_followed_are_left_out() -> None:
    begun = "".join(f"{thread:04X}@>|1|1|SCardStatus\n" for thread in range(64))
    assert read_shown(begun + SPY) == ["!line 65"]
    assert read_shown(begun[: begun.rindex("003F")] + SPY) == [">00b0000002", "<00039000"]


def test_a_call_that_failed_or_lost_its_end_has_no_response() -> None:
    failed = SPY.replace("|0x00000000", "|0x80100069").replace("00 03 90 00", "NULL")
    assert read_shown(failed) == [">00b0000002", "!line 11"]
    cut = "\n".join(SPY.splitlines()[:7])
    assert read_shown(cut) == [">00b0000002", "!line 1"]
    assert read_shown(f"{cut}\nAB12@>|11|0|SCardStatus\n") == [">00b0000002", "!line 8"]
    assert read_shown("\n".join(SPY.splitlines()[:5])) == ["!line 1"]


@pytest.mark.parametrize("broken", ["0x00000006", "five"])
def test_octets_that_are_not_as_many_as_spied_are_left_out(broken: str) -> None:
    assert read_shown(SPY.replace("0x00000005", broken)) == ["!line 1"]


def test_arguments_past_the_bound_are_dropped() -> None:
    long = SPY.replace("AB12@<", "AB12@more\n" * 20 + "AB12@<")
    assert read_shown(long) == [">00b0000002", "<00039000"]


CONNECT = "A1B2@>|1|0|{}\n{}A1B2@<|1|9|{}|{}\n"


@pytest.mark.parametrize(
    ("call", "arguments", "code", "field"),
    [
        ("SCardConnect", ("0x1", "R", "0x00000002"), "0x00000000", ["on"]),
        ("SCardConnect", ("0x1", "R", "0x00000003"), "0x00000000", []),
        ("SCardConnect", ("0x1", "R", "0x00000002"), "0x8010000C", []),
        ("SCardReconnect", ("0x1", "0x2", "0x3", "0x00000001"), "0x00000000", ["on"]),
        ("SCardReconnect", ("0x1", "0x2", "0x3", "0x00000000"), "0x00000000", []),
        ("SCardDisconnect", ("0x1", "0x00000002"), "0x00000000", ["off"]),
        ("SCardDisconnect", ("0x1", "0x00000000"), "0x00000000", []),
        ("SCardDisconnect", ("0x1", "0x00000002"), "0x80100003", []),
        ("SCardStatus", ("0x1",), "0x00000000", []),
    ],
)
def test_connections_of_pcsc_are_the_field(call: str, arguments: tuple[str, ...], code: str, field: list[str]) -> None:
    lines = "".join(f"A1B2@{argument}\n" for argument in arguments)
    assert read_shown(CONNECT.format(call, lines, call, code)) == field


def test_a_spied_call_as_it_is_shown_may_be_cut_off() -> None:
    shown = (
        "SCardTransmit\n i hCard: 0x1\n i bSendLength 0x00000005 (5)\n i bSendBuffer\n"
        " i  0000 00 B0 00 00 02                                  .....\n o bRecvLength 0x00000013 (19)\n"
        " o bRecvBuffer\n o  0000 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F ................\n"
    )
    assert read_shown(shown) == [">00b0000002", "!line 6"]
    assert read_shown(shown + " o  0010 10 90 00                                       ...\n => Command\n") == [
        ">00b0000002",
        "<" + bytes(range(17)).hex() + "9000",
    ]
    other = "SCardControl\n i bSendLength 0x00000001 (1)\n i bSendBuffer\n i  0000 00 .\n"
    assert read_shown(other + shown[: shown.index(" o bRecv")] + " i  0010 00 .\n") == [">00b0000002"]


def test_a_hexdump_of_opensc_ends_with_its_count() -> None:
    text = (
        "0x7f 10:00:00.000 [x] apdu.c:1:f: \nOutgoing APDU (17 bytes):\n"
        "00 A4 04 00 0C 41 42 43 44 45 46 47 48 49 4A 4B .....ABCDEFGHIJK\n"
        "4C                                              L\n"
        "\n0x7f 10:00:00.250 [x] y\nIncoming APDU (2 bytes):\n90 00 ..\n90 00 ..\n"
        "Outgoing APDU (5 bytes):\n00 B0 00 \n\nIncoming APDU (2 bytes):\n90 00 ..\n"
    )
    assert read_shown(text) == [">00a404000c" + b"ABCDEFGHIJKL".hex(), "<9000", "!line 10", "!line 13"]
    assert [entry.t for entry in read_octets(text.encode())[0]] == [0.0, 0.25]


@pytest.mark.parametrize(
    ("dump", "octets"),
    [
        ("41 20 42 43 A BC", "41204243"),  # 41 20 42 43 and four characters, one of them a space
        ("41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 50 ABCDEFGHIJKLMNOP\n" + f"{'41 42':48}AB",
         bytes(range(0x41, 0x51)).hex() + "4142"),
        ("41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 50 ABCDEFGHIJKLMNOP", bytes(range(0x41, 0x51)).hex()),
        ("41 42 41 B", "4142"),  # two octets; the characters are `41 B`[:2]
    ],
)  # fmt: skip
def test_a_hexdump_without_a_count_ends_where_the_characters_begin(dump: str, octets: str) -> None:
    text = f"Sending: {SELECT} \nReceived (SW1=0x90, SW2=0x00):\n{dump}\n"
    shown = read_shown(text)
    assert shown[0] == SELECTED
    assert shown[1].startswith(f"<{octets[:8]}") or shown[1] == f"<{octets}9000"


def test_apdu4j_in_its_forms() -> None:
    text = (
        "[DEBUG] x - A>> T=1 (4+0000) 00A40400 00 \nA<< (0003+2) (8s378ms) 010203 9000\n"
        "A#1>> (4+0002) 01A4000C 02 E103\nA#1<< (0000+2) (0.42ms) 9000\n"
        "A>> (4+0011) 00A40400 0B 0102\nA<< (0018+2) (15ms) 6F10 9000\n"
        "A>> (4+0000) 00B00000 02\n<< SCARD_E_NOT_TRANSACTED (5ms)\n>> 00B00000 02\n<< 0003 9000 (2ms)\nA<< nothing\n"
        "a << b\n"
    )
    entries, problems = read_octets(text.encode())
    assert read_shown(text) == [
        ">00a4040000",
        "<0102039000",
        ">01a4000c02e103",
        "<9000",
        ">00b0000002",
        ">00b0000002",
        "<00039000",
        "!line 5",
        "!line 6",
    ]
    assert entries[1].t == pytest.approx(8.378)
    assert entries[3].t == pytest.approx(8.37842)
    assert [problem.words for problem in problems if problem.foreign] == ["no response came: an error of PC/SC"]


def test_a_dump_of_apdu4j() -> None:
    text = "# Generated on x by apdu4j\n#\n# Sent\n00A4040000\n# Received in 40ms\n6F009000\n# Sent\n0102030405\n"
    assert read_shown(text) == [">00a4040000", "<6f009000", ">0102030405"]
    assert [entry.t for entry in read_octets(text.encode())[0]] == [0.0, 0.04, 0.04]


def test_packets_of_usb_hid_are_no_apdus() -> None:
    text = (
        "SEND: ffffffff86000811\nRECV: ffffffff86001111\nSEND: 00b0000002\nRECV: 0003 SW=9000\n"
        "SEND: 00b0000002\nSEND: 00b0000003\nRECV:  SW=6700\nxRECV: zz\n"
    )
    entries, problems = read_octets(text.encode())
    assert [entry.octets.hex() for entry in entries] == ["00b0000002", "00039000", "00b0000002", "00b0000003", "6700"]
    assert [problem.words for problem in problems] == ["a packet of USB HID, not of a card"]


def test_what_ykman_apdu_prints() -> None:
    text = (
        "SEND: 00 A4 04 00 07 D2 76 00 00 85 01 01\nRECV (SW=9000)\nSEND: 00 B0 00 00 12\nRECV (SW=9000):\n"
        "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F   ................\n"
        "10 41                                             \u00b7A\n"
    )
    assert read_shown(text) == [SELECTED[:-2], "<9000", ">00b0000012", "<" + bytes(range(17)).hex() + "419000"]


NFCPY = (
    "DEBUG:nfc.tag.tt4:>> 00b0000002\nDEBUG:nfc.clf:>>> 0200b0000002 timeout=0.08\nDEBUG:nfc.clf:<<< f201 0.080s\n"
    "DEBUG:nfc.clf:>>> f201 timeout=0.08\nDEBUG:nfc.clf:<<< 02\n00039000 0.001s\nDEBUG:nfc.tag.tt4:<< 00039000\n"
)


def test_frames_of_nfcpy_go_before_its_apdus() -> None:
    assert read_shown(NFCPY) == [">0200b0000002", "<f201", ">f201", "<0200039000"]
    assert open_octets(NFCPY.encode())[1].header.level == "blocks"


def test_nfcpy_that_is_the_card_sends_the_other_way() -> None:
    text = (
        "nfc.clf:>>> None timeout=None\nnfc.clf:<<< 0200b0000002 0.100s\nnfc.clf:>>> 0200039000 timeout=1\n"
        "nfc.clf:<<< None 0.1s\n"
    )
    assert read_shown(text) == [">0200b0000002", "<0200039000"]


def test_a_line_of_nfcpy_that_was_cut_off_is_left_out() -> None:
    assert read_shown(NFCPY[: NFCPY.index("02\n000390") + 2]) == [">0200b0000002", "<f201", ">f201", "!line 5"]


def test_nfcpy_without_an_answer() -> None:
    text = "nfc.tag.tt4:>> 00b0000002\nnfc.tag.tt4:<< None\nnfc.tag.tt4:>> 00b0000002\n x >> y\n<< 00039000\n"
    entries, problems = read_octets(text.encode())
    assert [entry.octets.hex() for entry in entries] == ["00b0000002", "00b0000002", "00039000"]
    assert [problem.words for problem in problems] == ["no answer came"]
    assert open_octets(text.encode())[1].header.clock == NO_CLOCK


def test_an_emulated_tag_of_libnfc_may_print_frames() -> None:
    text = "    In: e0  80  \n    Out: 05  78  80  70  02  \n    In: 02  00  b0  00  00  02  \n    Out: 02  90  00  \n"
    assert read_shown(text) == ["on", ">e080", "<0578807002", ">0200b0000002", "<029000"]


def bus(way: str, octets: str) -> str:
    return f"debug\tlibnfc.bus.uart\t{way}: {bytes.fromhex(octets).hex(' ')} \n"


def framed(body: str) -> str:
    octets = bytes.fromhex(body)
    return (b"\x00\x00\xff" + bytes([len(octets), -len(octets) & 255]) + octets + bytes([-sum(octets) & 255, 0])).hex()


def test_libnfc_as_a_reader() -> None:
    text = (
        bus("RX", "0000ff00ff00" + framed("d54b0101040020040801020305788070 02".replace(" ", "")))
        + bus("TX", framed("d44001" + "00b0000002"))
        + bus("RX", framed("d54100" + "00039000"))
        + bus("TX", framed("d44041" + "00d60000"))
        + bus("TX", framed("d44001" + "021122"))
        + bus("RX", framed("d541019000"))
        + bus("RX", framed("d54100"))
        + bus("TX", framed("d44200" + "30"))
        + bus("RX", framed("d54b00"))
        + "info\tother\tx\n"
        + bus("TX", framed("d43201" + "00"))
        + bus("TX", framed("d43201" + "01"))
    )
    assert read_shown(text) == ["on", ">00b0000002", "<00039000", ">00d60000021122", "off", "!line 6"]


def test_a_frame_of_the_chip_may_be_long_or_cut_off() -> None:
    body = bytes.fromhex("d44001") + bytes(range(256))
    long = b"\x00\x00\xff\xff\xff" + len(body).to_bytes(2, "big") + b"\x00" + body + b"\x00\x00"
    text = (
        bus("TX", long.hex())
        + bus("TX", "0000ff00ff000000ffff00")
        + bus("TX", framed("d4400100b0000002")[:20])
        + bus("TX", framed("d4400100b0000003"))
        + bus("TX", "0000ff")
    )
    assert read_shown(text) == [">" + bytes(range(256)).hex(), ">00b0000003", "!line 4"]


def test_pcscd_in_syslog_has_the_times_of_syslog() -> None:
    text = f"Nov 22 15:04:05 host pcscd[9]: APDU: {SELECT} \nNov 22 15:04:06 host pcscd[9]: SW: 90 00 \nxAPDU: 00\n"
    chosen, reading = open_octets(text.encode())
    assert chosen == "pcscd-syslog"
    assert reading.header.clock == "wall clock of the log"
    assert read_shown(text) == [SELECTED, "<9000"]
    assert [entry.t for entry in read_octets(text.encode())[0]] == [0.0, 1.0]


def test_an_old_debug_log_of_opensc() -> None:
    text = (
        "Outgoing APDU data [    5 bytes] =====================================\n00 B0 00 00 02 .....\n"
        "======================================================================\n"
        "Incoming APDU data [    4 bytes] =====================================\n00 03 90 00 ....\n"
    )
    assert read_shown(text) == [">00b0000002", "<00039000"]


def test_an_emulated_tag_may_be_written_with_one_space() -> None:
    assert read_shown("In: 00 b0 00 00 02\nOut: 00 03 90 00\n") == [">00b0000002", "<00039000"]
