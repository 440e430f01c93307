"""The ATS: octets of real cards first, then every legal length and every value of every octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from nfcbridge.errors import BlockError, ConfigError
from nfcbridge.isodep import DEFAULT, OUR_HISTORICAL, Ats
from nfcbridge.isodep.ats import BIT_RATES, FRAME_SIZES, frame_size

ALL_RATES = frozenset(BIT_RATES)
ONLY_106 = frozenset({106})


def test_default_announces_frames_of_256_octets_77_ms_and_a_cid() -> None:
    assert DEFAULT.to_bytes() == bytes.fromhex("0B 78 80 80 02 80546E666362")
    assert DEFAULT.fsc == 256
    assert DEFAULT.fwt == pytest.approx(0.0773, abs=1e-4)
    assert DEFAULT.sfgt == 0.0
    assert OUR_HISTORICAL == b"\x80\x54nfcb"


def test_ats_of_a_real_card_is_read() -> None:
    # From a card of an nfcpy user, nfcpy pull request 168.
    ats = Ats.parse(bytes.fromhex("0578804202"))
    assert ats == Ats(fsci=8, same_rate_only=True, fwi=4, sfgi=2)
    assert ats.fsc == 256
    assert ats.fwt == pytest.approx(4.83e-3, rel=1e-3)
    assert ats.sfgt == pytest.approx(1.208e-3, rel=1e-3)


def test_ats_of_a_desfire_is_read() -> None:
    ats = Ats.parse(bytes.fromhex("067577810280"))
    assert ats == Ats(
        fsci=5, ds=ALL_RATES, dr=ALL_RATES, same_rate_only=False, fwi=8, sfgi=1, cid=True, nad=False, historical=b"\x80"
    )
    assert ats.fsc == 64


def test_bit_rates_are_announced_for_each_direction() -> None:
    ats = Ats.parse(bytes.fromhex("03 10 41"))
    assert ats.ds == {106, 848}
    assert ats.dr == {106, 212}
    assert Ats(ds=frozenset({106, 424}), dr=ALL_RATES, same_rate_only=False).to_bytes().hex() == "057827" + "8002"


def test_only_announced_pairs_of_bit_rates_are_offered() -> None:
    ats = Ats(ds=frozenset({106, 424}), dr=ALL_RATES, same_rate_only=False)
    assert ats.offers(424, 848)
    assert not ats.offers(848, 424)
    assert not ats.offers(424, 107)
    same = Ats(ds=ALL_RATES, dr=ALL_RATES, same_rate_only=True)
    assert same.offers(424, 424)
    assert not same.offers(424, 848)


def test_length_octet_alone_means_frames_of_32_octets() -> None:
    assert Ats.parse(b"\x01") == Ats(fsci=2, same_rate_only=False, fwi=4, sfgi=0, cid=True, nad=False)


def test_missing_octets_have_their_defaults() -> None:
    ats = Ats.parse(bytes.fromhex("0208"))
    assert ats == Ats(fsci=8, ds=ONLY_106, dr=ONLY_106, same_rate_only=False, fwi=4, sfgi=0, cid=True, nad=False)
    assert ats.fwt == pytest.approx(4.83e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("03 18 80 ", Ats(fwi=4, same_rate_only=True)),
        ("03 28 71 ", Ats(fwi=7, sfgi=1, same_rate_only=False)),
        ("03 48 00 ", Ats(fwi=4, cid=False, same_rate_only=False)),
        ("04 58 80 01", Ats(fwi=4, cid=False, nad=True)),
        ("04 68 95 03", Ats(fwi=9, sfgi=5, nad=True, same_rate_only=False)),
        ("04 08 C0 DE", Ats(fwi=4, historical=b"\xc0\xde", same_rate_only=False)),
    ],
)
def test_octets_are_found_by_what_t0_announces(octets: str, expected: Ats) -> None:
    assert Ats.parse(bytes.fromhex(octets)) == expected


@pytest.mark.parametrize("octets", ["", "00", "02", "0100", "0378", "0278", "0378 80", "0478 80 80", "0310"])
def test_octets_that_do_not_add_up_are_refused(octets: str) -> None:
    with pytest.raises(BlockError):
        Ats.parse(bytes.fromhex(octets))


def test_longest_ats_is_254_octets() -> None:
    longest = bytes((254, 0x78, 0x80, 0x80, 0x02)) + bytes(249)
    assert Ats.parse(longest) == Ats(historical=bytes(249))
    assert Ats(historical=bytes(249)).to_bytes() == longest
    with pytest.raises(BlockError):
        Ats.parse(bytes((255, 0x78, 0x80, 0x80, 0x02)) + bytes(250))


def test_more_than_249_historical_octets_are_refused() -> None:
    assert len(Ats.parse(bytes((251, 0x08)) + bytes(249)).historical) == 249
    with pytest.raises(BlockError):
        Ats.parse(bytes((252, 0x08)) + bytes(250))
    with pytest.raises(ConfigError, match="250 historical octets are too many, the limit is 249"):
        Ats(historical=bytes(250))


def test_every_t0_is_read() -> None:
    for t0 in range(256):
        fsci = t0 & 0x0F
        ats = Ats.parse(bytes((5, t0, 0x00, 0x80, 0x02)))
        # 13 to 15 are reserved: a frame of 256 octets is not too long for such a card.
        assert ats.fsc == (FRAME_SIZES[fsci] if fsci < 13 else 256)
        assert len(ats.historical) == 3 - sum(bool(t0 & bit) for bit in (0x10, 0x20, 0x40))


def test_every_ta_is_read_and_written() -> None:
    for ta in range(256):
        ats = Ats.parse(bytes((5, 0x78, ta, 0x80, 0x02)))
        if ta & 0x08:  # reserved: 106 kbit/s only, and both directions are free to have it
            assert ats == Ats(same_rate_only=False)
        else:
            assert replace(ats, octets=b"").to_bytes()[2] == ta


def test_every_tb_is_read() -> None:
    for tb in range(256):
        fwi, sfgi = divmod(tb, 16)
        ats = Ats.parse(bytes((5, 0x78, 0x80, tb, 0x02)))
        assert ats.fwt == pytest.approx(4096 / 13.56e6 * 2 ** (4 if fwi == 15 else fwi))
        assert ats.sfgt == pytest.approx(0 if sfgi in {0, 15} else 4096 / 13.56e6 * 2**sfgi)


def test_every_tc_is_read() -> None:
    for tc in range(256):
        ats = Ats.parse(bytes((5, 0x78, 0x80, 0x80, tc)))
        assert (ats.cid, ats.nad) == (bool(tc & 2), bool(tc & 1))


def test_every_frame_size_index_has_a_size() -> None:
    sizes = [16, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096, 256, 256, 256]
    assert [frame_size(index) for index in range(16)] == sizes


def test_values_at_their_limits_are_taken() -> None:
    ats = Ats(fsci=12, fwi=14, sfgi=14)
    assert ats.fsc == 4096
    assert ats.fwt == pytest.approx(4.949, abs=1e-3)
    assert Ats(fsci=0, fwi=0).fwt == pytest.approx(302e-6, abs=1e-6)
    assert Ats(fsci=0, fwi=0).fsc == 16


@pytest.mark.parametrize(
    "values",
    [
        {"fsci": 13},
        {"fsci": -1},
        {"fwi": 15},
        {"fwi": -1},
        {"sfgi": 15},
        {"sfgi": -1},
        {"ds": frozenset({106, 300})},
        {"dr": frozenset({212})},
    ],
)
def test_values_that_no_octet_says_cannot_be_built(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Ats(**values)  # type: ignore[arg-type]


rates = st.sets(st.sampled_from(BIT_RATES)).map(lambda some: frozenset({106, *some}))
every_ats = st.builds(
    Ats,
    fsci=st.integers(0, 12),
    ds=rates,
    dr=rates,
    same_rate_only=st.booleans(),
    fwi=st.integers(0, 14),
    sfgi=st.integers(0, 14),
    cid=st.booleans(),
    nad=st.booleans(),
    historical=st.binary(max_size=20),
)


@pytest.mark.parametrize("octets", ["01", "0200", "067F8080024A", "04 08 C0 DE", "05 FF FF FF FF", "03 18 80"])
def test_what_was_read_is_written_as_it_was(octets: str) -> None:
    assert Ats.parse(bytes.fromhex(octets)).to_bytes() == bytes.fromhex(octets)


def test_a_copy_with_other_values_writes_these() -> None:
    assert replace(Ats.parse(bytes.fromhex("067F8080024A")), fsci=5).to_bytes().hex().upper() == "067580" + "80024A"
    assert replace(Ats.parse(bytes.fromhex("0408C0DE")), historical=b"").to_bytes().hex() == "0578004002"


def test_two_that_announce_the_same_are_equal_in_whatever_octets() -> None:
    short, long = Ats.parse(b"\x01"), Ats.parse(bytes.fromhex("0572004002"))
    assert short == long
    assert hash(short) == hash(long)
    assert len({short, long, Ats()}) == 2
    assert short != Ats()
    assert short != b"\x01"


@given(every_ats)
def test_what_is_written_is_read(ats: Ats) -> None:
    assert Ats.parse(ats.to_bytes()) == ats


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=20).map(lambda rest: bytes((1 + len(rest),)) + rest)))
def test_reading_has_two_outcomes(octets: bytes) -> None:
    try:
        ats = Ats.parse(octets)
    except BlockError:
        return
    assert ats.to_bytes() == octets
    assert Ats.parse(replace(ats, octets=b"").to_bytes()) == ats
