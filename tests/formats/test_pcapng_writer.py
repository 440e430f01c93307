"""Blocks of pcapng, octet by octet as the draft draws them."""

import pytest

from nfcbridge.errors import TraceError
from nfcbridge.formats import pcapng_writer as pcapng
from tests.formats.written import blocks_of


def test_a_section_has_the_byte_order_and_what_the_program_says() -> None:
    assert pcapng.section(["hello"], "me").hex(" ", 4) == (
        "0a0d0d0a 34000000 4d3c2b1a 01000000 ffffffff ffffffff 01000500 68656c6c 6f000000 04000200 6d650000 "
        "00000000 34000000"
    )


def test_an_interface_has_link_type_name_and_microseconds() -> None:
    assert pcapng.interface(264, "udp:x").hex(" ", 4) == (
        "01000000 2c000000 08010000 00000000 02000500 7564703a 78000000 09000100 06000000 00000000 2c000000"
    )
    assert pcapng.interface(264, "").hex(" ", 4) == (
        "01000000 20000000 08010000 00000000 09000100 06000000 00000000 20000000"
    )


def test_a_packet_has_its_time_in_two_halves() -> None:
    assert pcapng.packet(0x1_0000_0002, b"\x01\x02\x03").hex(" ", 4) == (
        "06000000 24000000 00000000 01000000 02000000 03000000 03000000 01020300 24000000"
    )


def test_a_packet_has_comments() -> None:
    (block,) = blocks_of(pcapng.packet(0, b"\x01", ["a", "bcde"]))
    assert block.options == [(1, b"a"), (1, b"bcde")]


def test_a_comment_is_cut_where_its_length_has_no_more_bits() -> None:
    (block,) = blocks_of(pcapng.section(["x" * 65_536], "me"))
    assert block.options[0] == (1, b"x" * 65_535)


@pytest.mark.parametrize("microseconds", [-1, 1 << 64])
def test_a_time_that_has_no_place_is_refused(microseconds: int) -> None:
    with pytest.raises(TraceError, match="mend the trace"):
        pcapng.packet(microseconds, b"")
