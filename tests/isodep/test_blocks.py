"""All 256 first octets, against lists that were written out by hand from the standard's tables."""

import pytest

from nfcbridge.isodep.blocks import KINDS, Kind, build_block

BY_HAND = {
    Kind.I_LAST: "02 03 0A 0B",
    Kind.I_MORE: "12 13 1A 1B",
    Kind.ACK: "A2 A3 AA AB",
    Kind.NAK: "B2 B3 BA BB",
    Kind.DESELECT: "C2 CA",
    Kind.WTX: "F2 FA",
    Kind.RATS: "E0",
    Kind.PPS: "D0 D1 D2 D3 D4 D5 D6 D7 D8 D9 DA DB DC DD DE",
}


def test_every_first_octet_has_its_kind() -> None:
    expected = [Kind.INVALID] * 256
    for kind, octets in BY_HAND.items():
        for octet in bytes.fromhex(octets):
            expected[octet] = kind
    assert list(KINDS) == expected


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("I-blocks with a NAD", "06 07 0E 0F 16 17 1E 1F"),
        ("I-blocks whose b2 is 0", "00 01 08 09 10 11 18 19"),
        ("I-blocks whose b6 is 1", "22 23 2A 2B 32 33 3A 3B"),
        ("R-blocks whose b6 is 0", "82 83 8A 8B 92 93 9A 9B"),
        ("R-blocks whose b3 is 1", "A6 A7 AE AF B6 B7 BE BF"),
        ("S-blocks whose b1 is 1", "C3 CB F3 FB"),
        ("S-blocks of other kinds", "E2 EA"),
        ("S(PARAMETERS)", "F0 F8"),
        ("PPS to CID 15", "DF"),
        ("HLTA and WUPA", "50 52 26"),
    ],
)
def test_reserved_octets_are_invalid(name: str, octets: str) -> None:
    assert {KINDS[octet] for octet in bytes.fromhex(octets)} == {Kind.INVALID}, name


def test_a_block_has_a_cid_octet_only_if_there_is_a_cid() -> None:
    assert build_block(0x02, None, b"\x90\x00").hex() == "029000"
    assert build_block(0x02, 0, b"\x90\x00").hex() == "0a009000"
    assert build_block(0xB3, 14).hex() == "bb0e"
