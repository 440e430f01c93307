"""A foreign reader: nfcpy's Type 4 Tag code over our card, with nothing but a function between them."""

import nfc.clf
import nfc.tag.tt4
import pytest

from nfcbridge.type4 import CardConfig, Committed, Type4Card

pytestmark = pytest.mark.foreign

LONG = bytes.fromhex("C101 00000BB1 54 02656E") + b"x" * 2990  # one Text record of 3 kB


class Air:
    """What nfcpy uses of a ContactlessFrontend and of ISO-DEP; what is committed is published."""

    def __init__(self, card: Type4Card) -> None:
        self.card = card
        self.committed: list[bytes] = []
        self.commands: list[bytes] = []

    def exchange(self, command: bytearray | None, timeout: float | None = None) -> bytearray:
        del timeout
        if command is None:  # presence check
            return bytearray()
        self.commands.append(bytes(command))
        response, report = self.card.receive_command(bytes(command))
        if isinstance(report, Committed):
            self.committed.append(report.message)
            self.card.publish(report.message)
        return bytearray(response)


class TagOverApdus(nfc.tag.tt4.Type4Tag):  # type: ignore[misc] # nfcpy has no types
    """nfcpy's tag, ISO-DEP left out."""

    def __init__(self, air: Air) -> None:
        super().__init__(air, nfc.clf.RemoteTarget("106A"))
        self._dep = air
        self._extended_length_support = False


@pytest.fixture
def air() -> Air:
    return Air(Type4Card())


def test_nfcpy_detects_the_tag_and_reads_the_idle_message(air: Air) -> None:
    ndef = TagOverApdus(air).ndef
    assert ndef is not None
    assert (ndef.capacity, ndef.is_readable, ndef.is_writeable) == (32_765, True, True)
    assert ndef.octets == bytes.fromhex("D00000")


def test_nfcpy_finds_the_tag_present_without_a_command(air: Air) -> None:
    assert TagOverApdus(air).is_present
    assert air.commands == []


def test_nfcpy_sees_a_read_only_tag() -> None:
    ndef = TagOverApdus(Air(Type4Card(CardConfig(writable=False)))).ndef
    assert not ndef.is_writeable


@pytest.mark.parametrize("message", [b"\xd1\x01\x00T", LONG], ids=["4 octets", "3 kB"])
def test_what_nfcpy_writes_is_committed_once_and_nfcpy_reads_it_back(air: Air, message: bytes) -> None:
    tag = TagOverApdus(air)
    tag.ndef.octets = message
    assert air.committed == [message]
    assert not tag.ndef.has_changed
    assert TagOverApdus(air).ndef.octets == message


# With an MLc of 1 nfcpy writes only the first octet of NLEN, so 2 is its least.
@pytest.mark.parametrize(("mle", "mlc"), [(15, 2), (15, 13), (255, 255), (256, 255)])
def test_nfcpy_reads_what_it_wrote_at_the_limits_of_short_apdus(mle: int, mlc: int) -> None:
    air = Air(Type4Card(CardConfig(mle=mle, mlc=mlc)))
    TagOverApdus(air).ndef.octets = LONG
    assert air.committed == [LONG]
    assert TagOverApdus(air).ndef.octets == LONG


def test_nfcpy_dumps_the_whole_file_up_to_its_end(air: Air) -> None:
    air.card.publish(b"\xd1\x01\x00T")
    lines = TagOverApdus(air).dump()
    assert lines[0] == "0x0000: 00 04 d1 01 00 54 00 00 00 00 00 00 00 00 00 00 |.....T..........|"
    assert len(lines) == 2048
    assert lines[-1].startswith("0x7ff0: 00")
    assert lines[-1].count(" 00") == 15


def test_nfcpy_dumps_a_file_of_whole_lines_and_stops_at_6b00() -> None:
    air = Air(Type4Card(CardConfig(file_size=32)))
    assert len(TagOverApdus(air).dump()) == 2
    assert air.card.receive_command(air.commands[-1])[0] == b"\x6b\x00"


def test_what_nfcpy_wipes_is_a_half_write_that_a_new_activation_rolls_back() -> None:
    air = Air(Type4Card(CardConfig(file_size=600), LONG[:500]))
    tag = TagOverApdus(air)
    assert tag.format(wipe=0x5A)
    assert air.card.writing
    assert air.committed == []
    tag = TagOverApdus(air)  # detection selects
    assert tag.ndef.octets == LONG[:500]


def test_nfcpy_finds_no_ndef_on_a_card_that_asks_for_longer_apdus_than_it_can_send() -> None:
    air = Air(Type4Card(CardConfig(mle=257), LONG))
    with pytest.raises(ValueError, match="unsupported max response length"):
        _ = TagOverApdus(air).ndef
