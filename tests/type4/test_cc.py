"""The capability container and the configuration: each limit at it and one past it, and whose limit it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from nfcbridge.type4 import CapabilityContainer, CardConfig

DEFAULT = "000F 20 00FB 00F8 04 06 E104 7FFF 00 00"


def test_the_default_configuration_is_announced_in_these_octets() -> None:
    assert CardConfig().to_cc().to_bytes() == bytes.fromhex(DEFAULT)


def test_every_setting_has_its_place_in_the_octets() -> None:
    config = CardConfig(mle=0x0102, mlc=0x0304, file_size=0x0506, writable=False)
    assert config.to_cc().to_bytes() == bytes.fromhex("000F 20 0102 0304 04 06 E104 0506 00 FF")


def test_the_longest_message_is_the_file_without_nlen() -> None:
    assert CardConfig().capacity == 32_765
    assert CardConfig(file_size=5).capacity == 3


@pytest.mark.parametrize(
    "limits",
    [
        {"mle": 15},
        {"mle": 0xFFFF},
        {"mlc": 1},
        {"mlc": 0xFFFF},
        {"file_size": 5},
        {"file_size": 0x7FFF},
    ],
)
def test_a_setting_at_its_limit_is_taken(limits: dict[str, int]) -> None:
    cc = CardConfig(**limits).to_cc()  # type: ignore[arg-type] # all of them numbers
    assert {name: getattr(cc, name) for name in limits} == limits


SPECIFICATION = "the limits of the NFC Forum Type 4 Tag specification"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"mle": 14}, rf"MLe 14 is outside 15\.\.65535, {SPECIFICATION}"),
        ({"mle": 0x1_0000}, rf"MLe 65536 is outside 15\.\.65535, {SPECIFICATION}"),
        ({"mlc": 0}, rf"MLc 0 is outside 1\.\.65535, {SPECIFICATION}"),
        ({"mlc": 0x1_0000}, rf"MLc 65536 is outside 1\.\.65535, {SPECIFICATION}"),
        ({"file_size": 4}, rf"the NDEF file size 4 is outside 5\.\.65534, {SPECIFICATION}"),
        ({"file_size": 0xFFFF}, rf"the NDEF file size 65535 is outside 5\.\.65534, {SPECIFICATION}"),
        ({"file_size": 0xFFFE}, "the NDEF file size 65534 is larger than 32767, the limit of Android"),
        ({"file_size": 0x8000}, "the NDEF file size 32768 is larger than 32767, the limit of Android"),
    ],
)
def test_a_setting_past_its_limit_is_refused_with_whose_limit_it_is(limits: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CardConfig(**limits)  # type: ignore[arg-type] # all of them numbers


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (DEFAULT, CapabilityContainer(251, 248, 0x7FFF)),
        # Stack Overflow question 24587618, a card emulated by an Android phone.
        ("000F20003B00340406E10410000000", CapabilityContainer(0x3B, 0x34, 0x1000)),
        # A tag of mapping version 1.0 as AOSP's rw_t4t.cc formats it.
        ("000F10003B00340406E10404000000", CapabilityContainer(0x3B, 0x34, 0x0400, version=0x10)),
        # Mapping version 3.0 with a small file, and a proprietary TLV after the first.
        (
            "0017300FFF0FFF0406E1057FFF00800506E10600320000",
            CapabilityContainer(0xFFF, 0xFFF, 0x7FFF, 0xE105, 0x30, 0x00, 0x80),
        ),
        ("000F2000FB00F80406E1047FFF00FF", CapabilityContainer(251, 248, 0x7FFF, write_access=0xFF)),
        ("000F20000F00010406E104FFFE0000", CapabilityContainer(15, 1, 0xFFFE)),
    ],
)
def test_a_capability_container_is_read(octets: str, expected: CapabilityContainer) -> None:
    assert CapabilityContainer.parse(bytes.fromhex(octets)) == expected


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("", "15 octets or more, this one 0"),
        ("000F2000FB00F80406E1047FFF00", "15 octets or more, this one 14"),
        ("000E2000FB00F80406E1047FFF0000", "its length is 14, less than 15"),
        ("000F0000FB00F80406E1047FFF0000", "mapping version 0.0 is unknown"),
        ("000F4000FB00F80406E1047FFF0000", "mapping version 4.0 is unknown"),
        ("000F20000E00F80406E1047FFF0000", r"MLe 14 is outside 15\.\.65535"),
        ("000F2000FB00000406E1047FFF0000", r"MLc 0 is outside 1\.\.65535"),
        ("000F2000FB00F80506E1047FFF0000", "begins with the TLV 05 06, not 04 06"),
        ("000F2000FB00F80407E1047FFF0000", "begins with the TLV 04 07, not 04 06"),
        # Mapping version 3.0 with a large file.
        ("00113000FB00F80608E104000100000000", "begins with the TLV 06 08, not 04 06"),
        ("000F2000FB00F80406E10300FF0000", "file identifier E103 is reserved"),
        ("000F2000FB00F80406E10200FF0000", "file identifier E102 is reserved"),
        ("000F2000FB00F80406000000FF0000", "file identifier 0000 is reserved"),
        ("000F2000FB00F804063F0000FF0000", "file identifier 3F00 is reserved"),
        ("000F2000FB00F804063FFF00FF0000", "file identifier 3FFF is reserved"),
        ("000F2000FB00F80406FFFF00FF0000", "file identifier FFFF is reserved"),
        ("000F2000FB00F80406E10400040000", r"file size 4 is outside 5\.\.65534"),
        ("000F2000FB00F80406E104FFFF0000", r"file size 65535 is outside 5\.\.65534"),
    ],
)
def test_a_capability_container_that_the_specification_forbids_is_refused(octets: str, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        CapabilityContainer.parse(bytes.fromhex(octets))


@pytest.mark.parametrize(("write_access", "writable"), [(0x00, True), (0xFF, False), (0x80, False), (0x01, False)])
def test_only_free_write_access_is_writable(write_access: int, writable: bool) -> None:
    assert CapabilityContainer(251, 248, 0x7FFF, write_access=write_access).writable is writable


@pytest.mark.parametrize(
    "values",
    [{"file_id": 0x1_0000}, {"file_id": -1}, {"read_access": 256}, {"write_access": 256}, {"write_access": -1}],
)
def test_a_capability_container_that_no_octets_can_carry_is_not_built(values: dict[str, int]) -> None:
    with pytest.raises(LocalProtocolError):
        CapabilityContainer(251, 248, 0x7FFF, **values)  # type: ignore[arg-type] # all of them numbers


def changed(place: int, value: int) -> bytes:
    octets = bytearray.fromhex(DEFAULT)
    octets[place] = value
    return bytes(octets)


@given(st.binary(max_size=30) | st.builds(changed, st.integers(0, 14), st.integers(0, 255)))
def test_any_octets_are_a_capability_container_or_the_fault_of_the_tag(octets: bytes) -> None:
    try:
        cc = CapabilityContainer.parse(octets)
    except RemoteProtocolError:
        return
    assert cc.to_bytes()[2:] == octets[2:15]  # CCLEN counts the TLVs that we do not look at
