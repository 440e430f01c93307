"""The APDU codec: literal octets first, then what holds for any octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import CommandError, LocalProtocolError, RemoteProtocolError
from nfcbridge.type4 import SW, CommandAPDU, ResponseAPDU, describe_sw

DATA_255 = bytes(range(255))
DATA_256 = bytes(256)
DATA_65535 = bytes(65_535)

# Every case of ISO/IEC 7816-4 at its limits: octets, value.
COMMANDS = {
    "1": ("00A40000", CommandAPDU(0x00, 0xA4, 0x00, 0x00)),
    "2S, least": ("00B0000001", CommandAPDU(0x00, 0xB0, 0x00, 0x00, b"", 1)),
    "2S, one short of 256": ("00B07FFFFF", CommandAPDU(0x00, 0xB0, 0x7F, 0xFF, b"", 255)),
    "2S, Le 00 is 256": ("00B0000000", CommandAPDU(0x00, 0xB0, 0x00, 0x00, b"", 256)),
    "3S, least": ("00D6000001AA", CommandAPDU(0x00, 0xD6, 0x00, 0x00, b"\xaa")),
    "3S, most": ("00D60000FF" + DATA_255.hex(), CommandAPDU(0x00, 0xD6, 0x00, 0x00, DATA_255)),
    "4S": ("00A4040002AABB05", CommandAPDU(0x00, 0xA4, 0x04, 0x00, b"\xaa\xbb", 5)),
    # nfcpy pull request 168, without the PCB: the Le of 00 that nfcpy once left out.
    "4S, Le 00 is 256": (
        "00A4040007D276000085010100",
        CommandAPDU(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("D2760000850101"), 256),
    ),
    "4S, data end like an Le": ("00A4000002E10300", CommandAPDU(0x00, 0xA4, 0x00, 0x00, b"\xe1\x03", 256)),
    "4S, most": ("00D60000FF" + DATA_255.hex() + "FF", CommandAPDU(0x00, 0xD6, 0x00, 0x00, DATA_255, 255)),
    "2E, least": ("00B00000000001", CommandAPDU(0x00, 0xB0, 0x00, 0x00, b"", 1, extended=True)),
    "2E": ("00B00000000101", CommandAPDU(0x00, 0xB0, 0x00, 0x00, b"", 257, extended=True)),
    "2E, Le 0000 is 65536": ("00B00000000000", CommandAPDU(0x00, 0xB0, 0x00, 0x00, b"", 65_536, extended=True)),
    "3E, least": ("00D60000000001AA", CommandAPDU(0x00, 0xD6, 0x00, 0x00, b"\xaa", extended=True)),
    "3E": ("00D60000000100" + DATA_256.hex(), CommandAPDU(0x00, 0xD6, 0x00, 0x00, DATA_256, extended=True)),
    "3E, most": ("00D6000000FFFF" + DATA_65535.hex(), CommandAPDU(0, 0xD6, 0, 0, DATA_65535, extended=True)),
    "4E": ("00D60000000001AA0102", CommandAPDU(0x00, 0xD6, 0x00, 0x00, b"\xaa", 258, extended=True)),
    "4E, most": ("00D6000000FFFF" + DATA_65535.hex() + "0000", CommandAPDU(0, 0xD6, 0, 0, DATA_65535, 65_536, True)),
    "all octets FF": ("FFFFFFFF01FFFF", CommandAPDU(0xFF, 0xFF, 0xFF, 0xFF, b"\xff", 255)),
}


@pytest.mark.parametrize(("octets", "command"), COMMANDS.values(), ids=COMMANDS)
def test_every_case_of_a_command_is_read_and_written(octets: str, command: CommandAPDU) -> None:
    assert CommandAPDU.parse(bytes.fromhex(octets)) == command
    assert command.to_bytes() == bytes.fromhex(octets)


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "60",  # what some readers send to find out a MIFARE Ultralight
        "00A400",
        "00D6000002AA",  # less data than Lc says
        "00D6000001AABBCC",  # an octet after Le
        "00B000000001",  # half an extended Le
        "00D60000000000AA",  # extended Lc 0
        "00D600000000000000",
        "00D60000000002AA",  # less data than the extended Lc says
        "00D60000000001AABB",  # half an extended Le after data
        "00D60000000001AABBCCDD",  # an octet after the extended Le
        "00D6000000FFFF" + "00" * 65_538,  # one more than the longest command
    ],
)
def test_lengths_that_do_not_fit_are_a_wrong_length(octets: str) -> None:
    with pytest.raises(CommandError) as refusal:
        CommandAPDU.parse(bytes.fromhex(octets))
    assert refusal.value.sw == 0x6700


def test_the_native_command_of_a_desfire_reader_is_a_case_2() -> None:
    assert CommandAPDU.parse(bytes.fromhex("9060000000")).ne == 256


def test_p1_and_p2_are_one_number_with_p1_high() -> None:
    assert CommandAPDU(0, 0xB0, 0x12, 0x34, b"", 1).p1p2 == 0x1234


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((256, 0, 0, 0), "one octet each"),
        ((0, 256, 0, 0), "one octet each"),
        ((0, 0, 256, 0), "one octet each"),
        ((0, 0, 0, 256), "one octet each"),
        ((-1, 0, 0, 0), "one octet each"),
        ((0, 0, 0, 0, DATA_256), "256 octets of command data .* 255"),
        ((0, 0, 0, 0, bytes(65_536), None, True), "65536 octets of command data .* 65535"),
        ((0, 0, 0, 0, b"", 0), r"Ne 0 is outside 1\.\.256"),
        ((0, 0, 0, 0, b"", 257), r"Ne 257 is outside 1\.\.256"),
        ((0, 0, 0, 0, b"", 65_537, True), r"Ne 65537 is outside 1\.\.65536"),
        ((0, 0, 0, 0, b"", None, True), "no extended form"),
    ],
)
def test_a_command_that_no_octets_can_carry_is_not_built(values: tuple[int, int, int, int], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        CommandAPDU(*values)


@pytest.mark.parametrize(
    ("octets", "response"),
    [
        ("9000", ResponseAPDU()),
        ("6A82", ResponseAPDU(b"", SW.NOT_FOUND)),
        ("AABB9000", ResponseAPDU(b"\xaa\xbb", 0x9000)),
        ("00" * 65_536 + "FFFF", ResponseAPDU(bytes(65_536), 0xFFFF)),
    ],
)
def test_a_response_is_read_and_written(octets: str, response: ResponseAPDU) -> None:
    assert ResponseAPDU.parse(bytes.fromhex(octets)) == response
    assert response.to_bytes() == bytes.fromhex(octets)


@pytest.mark.parametrize("octets", [b"", b"\x90", bytes(65_539)])
def test_octets_that_are_no_response_are_the_fault_of_the_card(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=f"{len(octets)} octets are no response"):
        ResponseAPDU.parse(octets)


@pytest.mark.parametrize(("data", "sw"), [(bytes(65_537), 0x9000), (b"", 0x1_0000), (b"", -1)])
def test_a_response_that_no_octets_can_carry_is_not_built(data: bytes, sw: int) -> None:
    with pytest.raises(LocalProtocolError):
        ResponseAPDU(data, sw)


def test_a_status_word_is_described_by_its_digits_and_if_known_by_words() -> None:
    assert describe_sw(0x6A82) == "6A82, file or application not found"
    assert describe_sw(0x91AE) == "91AE"
    assert all(describe_sw(sw).endswith(f", {sw.words}") for sw in SW)


@given(st.binary(max_size=300) | st.binary(max_size=12))
def test_any_octets_are_a_command_or_a_wrong_length(octets: bytes) -> None:
    try:
        command = CommandAPDU.parse(octets)
    except CommandError as error:
        assert error.sw == SW.WRONG_LENGTH  # noqa: PT017 - either outcome is right
    else:
        assert command.to_bytes() == octets


OCTET = st.integers(0, 255)


@given(
    header=st.tuples(OCTET, OCTET, OCTET, OCTET),
    data=st.binary(max_size=300),
    ne=st.none() | st.integers(1, 256) | st.sampled_from([257, 65_535, 65_536]),
)
def test_a_command_comes_back_from_its_octets(header: tuple[int, int, int, int], data: bytes, ne: int | None) -> None:
    command = CommandAPDU(*header, data, ne, extended=len(data) > 255 or (ne or 0) > 256)
    assert CommandAPDU.parse(command.to_bytes()) == command


@given(st.binary(min_size=2, max_size=300))
def test_a_response_comes_back_from_its_octets(octets: bytes) -> None:
    assert ResponseAPDU.parse(octets).to_bytes() == octets
