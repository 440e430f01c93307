"""CRC_A, against octets from elsewhere."""

import pytest

from nfcbridge.formats.crc import crc_a, drop_crc

# ISO/IEC 14443-3, annex B: 00 00 and 12 34. HLTA and RATS as every reader sends them (libnfc, Proxmark3 traces).
VECTORS = {"0000": "a01e", "1234": "26cf", "5000": "57cd", "e080": "3173", "b2": "67c7", "c2": "e0b4"}


@pytest.mark.parametrize(("octets", "crc"), VECTORS.items())
def test_the_crc_is_that_of_the_standard(octets: str, crc: str) -> None:
    assert crc_a(bytes.fromhex(octets)).hex() == crc
    assert drop_crc(bytes.fromhex(octets + crc)) == bytes.fromhex(octets)


def test_a_wrong_crc_is_none() -> None:
    assert drop_crc(bytes.fromhex("5000 57cc")) is None
    assert drop_crc(bytes.fromhex("5001 57cd")) is None


def test_nothing_has_no_crc() -> None:
    assert drop_crc(crc_a(b"")) is None
    assert drop_crc(b"\x26") is None
    assert drop_crc(b"") is None
