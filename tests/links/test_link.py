"""What a card may look like before the first block."""

import pytest

from nfcbridge.errors import ConfigError
from nfcbridge.links import CardIdentity

ATS = bytes.fromhex("0578804202")


@pytest.mark.parametrize(
    ("uid", "sens_res"),
    [("08A1B2C3", "0400"), ("04497622D93881", "4400"), ("04010203040506070809", "8400")],
)
def test_the_atqa_tells_the_size_of_the_uid(uid: str, sens_res: str) -> None:
    assert CardIdentity(uid=bytes.fromhex(uid), ats=ATS).sens_res == bytes.fromhex(sens_res)


def test_an_atqa_of_ones_own_is_kept() -> None:
    assert CardIdentity(uid=bytes(4), ats=ATS, sens_res=b"\x02\x03").sens_res == b"\x02\x03"


@pytest.mark.parametrize("size", [0, 3, 5, 6, 8, 9, 11])
def test_a_uid_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=rf"4, 7 or 10 octets, not {size}"):
        CardIdentity(uid=bytes(size), ats=ATS)


@pytest.mark.parametrize("uid", ["00880000", "00000088", "04887622D93881", "04010203880506", "04010203040506880809"])
def test_a_uid_may_have_88_inside_a_cascade_level(uid: str) -> None:
    assert CardIdentity(uid=bytes.fromhex(uid), ats=ATS).uid == bytes.fromhex(uid)


@pytest.mark.parametrize(
    "uid", ["88010203", "88010203040506", "04010288040506", "04010288040506070809", "04010203040588070809"]
)
def test_a_uid_with_the_cascade_tag_where_a_level_begins_is_refused(uid: str) -> None:
    with pytest.raises(ConfigError, match="cascade"):
        CardIdentity(uid=bytes.fromhex(uid), ats=ATS)


@pytest.mark.parametrize("ats", ["", "05788042", "0078", "0678804202"])
def test_an_ats_whose_first_octet_is_not_its_length_is_refused(ats: str) -> None:
    with pytest.raises(ConfigError, match="length"):
        CardIdentity(uid=bytes(4), ats=bytes.fromhex(ats))


@pytest.mark.parametrize("sens_res", ["04", "040000", "0004", "C000"])
def test_an_atqa_without_bit_frame_anticollision_is_refused(sens_res: str) -> None:
    with pytest.raises(ConfigError, match="SENS_RES"):
        CardIdentity(uid=bytes(4), ats=ATS, sens_res=bytes.fromhex(sens_res))


@pytest.mark.parametrize("sel_res", [-1, 0x00, 0x08, 0x24, 0x120])
def test_a_sak_that_is_no_type_4_tag_is_refused(sel_res: int) -> None:
    with pytest.raises(ConfigError, match="SEL_RES"):
        CardIdentity(uid=bytes(4), ats=ATS, sel_res=sel_res)


@pytest.mark.parametrize(
    ("ats", "historical"),
    [
        ("01", ""),
        ("0208", ""),
        ("0578804202", ""),
        ("0B788042028054 6E66 6362", "80546E666362"),
        ("0418 80 C1", "C1"),
        ("0538 8042 C1", "C1"),
        ("0308 C1", "C1"),
    ],
)
def test_the_historical_octets_follow_the_interface_octets_that_t0_announces(ats: str, historical: str) -> None:
    identity = CardIdentity(uid=bytes(4), ats=bytes.fromhex(ats))
    assert identity.historical == bytes.fromhex(historical)
