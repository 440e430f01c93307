"""RATS and PPS as frames: octets first, then every value of every octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import BlockError
from nfcbridge.isodep.activation import Pps, Rats
from nfcbridge.isodep.ats import BIT_RATES, FRAME_SIZES


def test_rats_of_android_and_of_nfcpy_are_read() -> None:
    assert Rats.parse(bytes.fromhex("E080")) == Rats(fsd=256, cid=0)
    assert Rats(fsd=256, cid=0).to_bytes().hex() == "e080"


def test_every_parameter_octet_of_rats_is_decided() -> None:
    for octet in range(256):
        fsdi, cid = divmod(octet, 16)
        frame = bytes((0xE0, octet))
        if cid == 15:
            with pytest.raises(BlockError):
                Rats.parse(frame)
        else:
            # FSDI 13 to 15 are reserved: no reader takes less than it could be asked for with 256 octets.
            assert Rats.parse(frame) == Rats(FRAME_SIZES[fsdi] if fsdi < 13 else 256, cid)


@pytest.mark.parametrize("frame", ["", "E0", "E08000", "E180", "0280"])
def test_frames_that_are_no_rats_are_refused(frame: str) -> None:
    with pytest.raises(BlockError):
        Rats.parse(bytes.fromhex(frame))


def test_pps_names_card_to_reader_first() -> None:
    assert Pps.parse(bytes.fromhex("D3 11 06")) == Pps(cid=3, ds=212, dr=424)
    assert Pps(cid=3, ds=212, dr=424).to_bytes().hex() == "d31106"


def test_pps_without_pps1_means_106_both_ways() -> None:
    assert Pps.parse(bytes.fromhex("D0 01")) == Pps(cid=0, ds=106, dr=106)


def test_every_pps0_is_decided() -> None:
    for pps0 in range(256):
        for rest, legal in ((b"", pps0 == 0x01), (b"\x0f", pps0 == 0x11)):
            frame = bytes((0xD0, pps0)) + rest
            if legal:
                assert Pps.parse(frame).cid == 0
            else:
                with pytest.raises(BlockError):
                    Pps.parse(frame)


def test_every_pps1_is_decided() -> None:
    for pps1 in range(256):
        frame = bytes((0xD0, 0x11, pps1))
        if pps1 > 0x0F:
            with pytest.raises(BlockError):
                Pps.parse(frame)
        else:
            assert Pps.parse(frame) == Pps(0, BIT_RATES[pps1 >> 2], BIT_RATES[pps1 & 3])


@pytest.mark.parametrize("frame", ["", "D0", "D0 11", "D0 01 00", "D0 11 00 00", "DF 01", "C0 01", "DF 11 00"])
def test_frames_that_are_no_pps_are_refused(frame: str) -> None:
    with pytest.raises(BlockError):
        Pps.parse(bytes.fromhex(frame))


@given(
    st.builds(Rats, fsd=st.sampled_from(FRAME_SIZES), cid=st.integers(0, 14)),
    st.builds(Pps, cid=st.integers(0, 14), ds=st.sampled_from(BIT_RATES), dr=st.sampled_from(BIT_RATES)),
)
def test_what_is_written_is_read(rats: Rats, pps: Pps) -> None:
    assert Rats.parse(rats.to_bytes()) == rats
    assert Pps.parse(pps.to_bytes()) == pps
