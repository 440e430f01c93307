"""The card in literal octets: activation, block numbers, chains, repetition, presence checks, CID, S(DESELECT)."""

import pytest

from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.isodep import (
    DEFAULT,
    Activated,
    Ats,
    BitRateChanged,
    CardLink,
    CommandReceived,
    Deselected,
    PresenceChecked,
    Retransmitted,
    SendFrame,
)
from nfcbridge.isodep.ats import BIT_RATES
from tests.isodep.octets import OK, READ, ask, h, is_open, memory, run_command, sent

FAST = Ats(ds=frozenset(BIT_RATES), dr=frozenset({106, 212}), same_rate_only=False)


# --- Activation -------------------------------------------------------------------------------------------------------


def test_rats_is_answered_by_the_ats() -> None:
    card = CardLink()
    events = card.receive_frame(h("E0 80"), 0.0)
    assert events == [SendFrame(h("0B 78 80 80 02 80 54 6E 66 63 62")), Activated(fsd=256, cid=0)]


def test_rats_gives_frame_size_and_cid() -> None:
    assert CardLink().receive_frame(h("E0 5E"), 0.0)[1] == Activated(fsd=64, cid=14)


def test_frame_size_of_rats_holds_for_responses() -> None:
    card = CardLink()
    ask(card, "E020")
    assert run_command(card, "0200B0", response="00" * 29)[1] == "02" + "00" * 29
    assert run_command(card, "0300B0", response="00" * 30)[1] == "13" + "00" * 29


def test_rats_with_the_reserved_cid_15_is_not_answered() -> None:
    card = CardLink()
    assert card.receive_frame(h("E0 8F"), 0.0) == []
    assert ask(card, "E080") == "0B788080028054" + "6E666362"


def test_only_the_first_rats_is_answered() -> None:
    card = CardLink()
    ask(card, "E080")
    assert ask(card, "E080") == ""


def test_historical_octets_are_left_out_where_they_do_not_fit_the_readers_frame() -> None:
    long = Ats(historical=bytes(range(9)))
    assert ask(CardLink(long), "E000") == "0E78808002" + "000102030405060708"
    longer = Ats(historical=bytes(range(10)))
    assert ask(CardLink(longer), "E000") == "0578808002"


def test_an_ats_that_was_given_goes_out_as_it_was_given() -> None:
    assert ask(CardLink(Ats.parse(bytes.fromhex("0200"))), "E080") == "0200"
    assert ask(CardLink(Ats.parse(bytes.fromhex("01"))), "E080") == "01"


def test_blocks_before_rats_are_not_answered() -> None:
    card = CardLink()
    assert ask(card, "0200B000000F", "B2", "C2", "D00100", "02") == ""
    assert ask(card, "E080") != ""


def test_a_reset_card_waits_for_rats() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200A4")
    card.reset()
    assert ask(card, "0300A4", "0200A4", "B2") == ""
    ask(card, "E080")
    assert run_command(card, "0200A4") == ("00A4", "029000")


def test_a_card_that_a_driver_activated_takes_blocks_at_once() -> None:
    assert run_command(CardLink(fsd=64), "0200B000000F") == ("00B000000F", "029000")


@pytest.mark.parametrize("fsd", [15, 4097])
def test_frame_sizes_out_of_range_are_refused_and_change_nothing(fsd: int) -> None:
    with pytest.raises(ConfigError, match="16 to 4096"):
        CardLink(fsd=fsd)
    card = CardLink(fsd=256)
    before = memory(card)
    with pytest.raises(ConfigError):
        card.reset(fsd=fsd)
    assert memory(card) == before


def test_an_ats_that_offers_node_addresses_is_refused() -> None:
    with pytest.raises(ConfigError, match="NAD"):
        CardLink(Ats(nad=True))


# --- PPS --------------------------------------------------------------------------------------------------------------


def test_pps_is_answered_by_its_first_octet_and_the_rates_are_told() -> None:
    card = CardLink(FAST)
    ask(card, "E083")
    assert card.receive_frame(h("D3 11 0D"), 0.0) == [SendFrame(h("D3")), BitRateChanged(ds=848, dr=212)]
    assert ask(card, "0A0300A4") == ""
    assert card.respond(OK, 0.0) == [SendFrame(h("0A039000"))]


def test_pps_without_rates_keeps_106() -> None:
    card = CardLink()
    ask(card, "E080")
    assert card.receive_frame(h("D0 01"), 0.0) == [SendFrame(h("D0")), BitRateChanged(ds=106, dr=106)]


def test_pps_may_be_the_first_frame_after_a_driver_sent_the_ats() -> None:
    assert ask(CardLink(fsd=256), "D01100") == "D0"


@pytest.mark.parametrize("frame", ["D0 11 01", "D0 11 04", "D0 11 0F", "D0 11 10", "D0", "D0 11", "D0 01 00", "D0 00"])
def test_pps_that_the_ats_does_not_offer_or_that_is_broken_is_not_answered(frame: str) -> None:
    card = CardLink()
    ask(card, "E080")
    assert ask(card, frame) == ""
    assert run_command(card, "0200A4") == ("00A4", "029000")


@pytest.mark.parametrize("frame", ["D00100", "B2", "02", "A3", "", "FF", "E080", "0200A4"])
def test_pps_is_deaf_after_any_other_frame(frame: str) -> None:
    card = CardLink()
    ask(card, "E080")
    ask(card, frame)
    assert ask(card, "D01100") == ""


def test_pps_to_another_card_leaves_our_own_allowed() -> None:
    card = CardLink()
    ask(card, "E082")
    assert ask(card, "D11100") == ""
    assert ask(card, "D21100") == "D2"


# --- One block a command ----------------------------------------------------------------------------------------------


def test_first_response_has_number_0_and_numbers_alternate() -> None:
    card = CardLink(fsd=256)
    assert run_command(card, "0200A4") == ("00A4", "029000")
    assert run_command(card, "0300B0", response="AABB9000") == ("00B0", "03AABB9000")
    assert run_command(card, "0200D6") == ("00D6", "029000")


def test_command_is_told_once_and_nothing_is_sent_before_the_response() -> None:
    card = CardLink(fsd=256)
    assert not is_open(card)
    assert card.receive_frame(h("02") + READ, 0.0) == [CommandReceived(READ)]
    assert is_open(card)
    assert card.respond(OK, 0.0) == [SendFrame(h("029000"))]
    assert not is_open(card)


@pytest.mark.parametrize("frame", ["03 00A4", "13 00A4", "03", "13"])
def test_block_with_the_cards_own_number_is_not_answered(frame: str) -> None:
    card = CardLink()
    ask(card, "E080", "B2")
    before = memory(card)
    assert card.receive_frame(h(frame), 0.0) == []
    assert memory(card) == before


def test_command_sent_twice_is_executed_once() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200A4")
    assert card.receive_frame(h("0200A4"), 0.0) == []
    assert run_command(card, "0300B0") == ("00B0", "039000")


def test_response_without_a_command_is_the_callers_fault() -> None:
    card = CardLink(fsd=256)
    with pytest.raises(LocalProtocolError, match="no command is open"):
        card.respond(OK, 0.0)
    run_command(card, "0200A4")
    with pytest.raises(LocalProtocolError, match="IDLE"):
        card.respond(OK, 0.0)


def test_a_response_has_1_to_65538_octets() -> None:
    card = CardLink(fsd=4096)
    ask(card, "0200A4")
    for octets in (0, 65_539):
        with pytest.raises(LocalProtocolError, match=f"a response of {octets} octets"):
            card.respond(bytes(octets), 0.0)
    assert len(card.respond(bytes(65_538), 0.0)[0].frame) == 4094


# --- Chains from the reader -------------------------------------------------------------------------------------------


def test_chained_command_is_acknowledged_block_by_block() -> None:
    card = CardLink(fsd=256)
    assert ask(card, "12 00D6", "13 0000", "12 02") == "A2 A3 A2"
    assert run_command(card, "03 BEEF") == ("00D6000002BEEF", "039000")


def test_chained_command_may_end_with_an_empty_block() -> None:
    card = CardLink(fsd=256)
    assert ask(card, "12 00A4") == "A2"
    assert run_command(card, "03") == ("00A4", "039000")


def test_a_chain_of_nothing_is_a_presence_check() -> None:
    card = CardLink(fsd=256)
    assert ask(card, "12") == "A2"
    assert card.receive_frame(h("03"), 0.0) == [SendFrame(h("03")), PresenceChecked()]
    assert ask(card, "B2") == "A3"
    assert run_command(card, "0200A4") == ("00A4", "029000")


def test_lost_block_of_a_chain_is_asked_for_with_the_old_acknowledgement() -> None:
    card = CardLink(fsd=256)
    ask(card, "12 00D6")
    # The reader's second block was lost; its R(NAK) has that block's number (rule 12).
    assert card.receive_frame(h("B3"), 0.0) == [SendFrame(h("A2")), Retransmitted()]
    assert run_command(card, "03 0000")[0] == "00D60000"


@pytest.mark.parametrize("frame", ["B2", "A2"])
def test_lost_acknowledgement_is_repeated_and_the_block_not_taken_twice(frame: str) -> None:
    card = CardLink(fsd=256)
    ask(card, "12 00D6")
    assert card.receive_frame(h(frame), 0.0) == [SendFrame(h("A2")), Retransmitted()]
    assert ask(card, "12 00D6") == ""
    assert run_command(card, "03 0000")[0] == "00D60000"


def test_acknowledgement_from_the_reader_inside_its_own_chain_is_not_answered() -> None:
    card = CardLink(fsd=256)
    ask(card, "12 00D6")
    assert ask(card, "A3") == ""


def test_a_new_activation_forgets_half_a_chain() -> None:
    card = CardLink(fsd=256)
    ask(card, "12 00D6")
    card.reset(fsd=256)
    assert run_command(card, "02 00A4")[0] == "00A4"


def test_longest_command_of_65544_octets_is_taken() -> None:
    card = CardLink(Ats(fsci=12), fsd=256)
    octets = bytes(65_544)
    card.receive_frame(b"\x12" + octets[:4093], 0.0)
    numbers = [0x13, 0x12] * 8
    for i, at in enumerate(range(4093, 65_544 - 4093, 4093)):
        assert len(card.receive_frame(bytes((numbers[i],)) + octets[at : at + 4093], 0.0)) == 1
    assert card.receive_frame(b"\x02" + octets[: 65_544 - 16 * 4093], 0.0) == [CommandReceived(octets)]


def test_one_octet_more_is_forgotten_and_the_card_silent_until_deselected() -> None:
    card = CardLink(Ats(fsci=12), fsd=256)
    for i in range(16):
        card.receive_frame(bytes((0x12 + i % 2,)) + bytes(4093), 0.0)
    assert card.receive_frame(b"\x02" + bytes(65_545 - 16 * 4093), 0.0) == []
    assert memory(card)["_chain"] == b""
    # Were the rest of the chain taken as a command of its own, it might be executed.
    assert ask(card, "B2", "B3", "A2", "A3", "0200A4", "0300A4", "1200A4", "1300A4", "F201") == ""
    assert ask(card, "C2") == "C2"


def test_a_chain_that_never_ends_is_forgotten_too() -> None:
    card = CardLink(Ats(fsci=12), fsd=256)
    for i in range(16):
        assert ask(card, (bytes((0x12 + i % 2,)) + bytes(4093)).hex()) != ""
    assert card.receive_frame(b"\x12" + bytes(4093), 0.0) == []
    assert ask(card, "B2", "0200A4") == ""


# --- Chains to the reader ---------------------------------------------------------------------------------------------


def test_long_response_is_chained_in_frames_of_the_readers_size() -> None:
    card = CardLink(fsd=16)
    response = bytes(range(28)).hex()
    assert run_command(card, "0200B0", response=response) == ("00B0", "12000102030405060708090A0B0C")
    assert ask(card, "A3") == "130D0E0F10111213141516171819"
    assert ask(card, "A2") == "021A1B"
    assert run_command(card, "0300A4") == ("00A4", "039000")


def test_response_that_just_fits_is_one_block() -> None:
    assert run_command(CardLink(fsd=16), "0200B0", response="00" * 13)[1] == "02" + "00" * 13
    assert run_command(CardLink(fsd=16), "0200B0", response="00" * 14)[1] == "12" + "00" * 13


def test_cid_takes_one_octet_of_the_frame() -> None:
    card = CardLink()
    ask(card, "E005")
    assert run_command(card, "0A05 00B0", response="00" * 12)[1] == "0A05" + "00" * 12
    assert run_command(card, "0B05 00B0", response="00" * 13)[1] == "1B05" + "00" * 12
    assert ask(card, "AA05") == "0A0500"


@pytest.mark.parametrize("frame", ["A2", "B2"])
def test_lost_block_of_a_response_is_repeated(frame: str) -> None:
    card = CardLink(fsd=16)
    run_command(card, "0200B0", response="11" * 13 + "22")
    assert card.receive_frame(h(frame), 0.0) == [SendFrame(h("12" + "11" * 13)), Retransmitted()]
    assert ask(card, "A3") == "0322"


def test_chaining_goes_on_once_for_each_acknowledgement() -> None:
    card = CardLink(fsd=16)
    run_command(card, "0200B0", response="11" * 13 + "22" * 13 + "33")
    assert ask(card, "A3") == "13" + "22" * 13
    # The block was lost, so the reader repeats its R(ACK), which now has the card's own number.
    assert ask(card, "A3") == "13" + "22" * 13
    assert ask(card, "A2") == "0233"
    assert ask(card, "A2") == "0233"
    assert ask(card, "A3") == ""


def test_other_nak_inside_a_response_is_acknowledged_and_changes_nothing() -> None:
    card = CardLink(fsd=16)
    run_command(card, "0200B0", response="11" * 13 + "22")
    before = memory(card)
    assert card.receive_frame(h("B3"), 0.0) == [SendFrame(h("A2"))]
    assert memory(card) == before


def test_command_inside_a_response_is_not_taken() -> None:
    card = CardLink(fsd=16)
    run_command(card, "0200B0", response="11" * 14)
    assert ask(card, "0200A4", "0300A4", "1300A4", "F201") == ""
    assert ask(card, "A3") == "0311"


# --- Repetition and presence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["B2", "A2"])
def test_lost_response_is_repeated_as_often_as_asked(frame: str) -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0", response="AA9000")
    for _ in range(3):
        assert card.receive_frame(h(frame), 0.0) == [SendFrame(h("02AA9000")), Retransmitted()]
    assert run_command(card, "0300A4") == ("00A4", "039000")


def test_lost_command_is_asked_for() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0")
    # The reader's block 1 was lost, it sends R(NAK) 1; the R(ACK) has the card's number, so the reader repeats.
    assert card.receive_frame(h("B3"), 0.0) == [SendFrame(h("A2")), PresenceChecked()]
    assert run_command(card, "0300A4") == ("00A4", "039000")


def test_lost_first_command_is_asked_for() -> None:
    card = CardLink()
    ask(card, "E080")
    assert ask(card, "B2") == "A3"
    assert run_command(card, "0200A4") == ("00A4", "029000")


def test_nothing_is_repeated_before_the_first_block() -> None:
    card = CardLink()
    ask(card, "E080")
    assert ask(card, "B3", "A3", "A2") == ""


def test_acknowledgement_without_a_chain_is_not_answered() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0")
    assert ask(card, "A3") == ""


def test_empty_block_is_answered_by_an_empty_block() -> None:
    card = CardLink(fsd=256)
    assert card.receive_frame(h("02"), 0.0) == [SendFrame(h("02")), PresenceChecked()]
    assert card.receive_frame(h("03"), 0.0) == [SendFrame(h("03")), PresenceChecked()]
    assert ask(card, "B3") == "03"
    assert run_command(card, "0200A4") == ("00A4", "029000")


def test_nak_as_a_presence_check_leaves_the_numbers() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0")
    for _ in range(3):
        assert card.receive_frame(h("B3"), 0.0) == [SendFrame(h("A2")), PresenceChecked()]
    assert run_command(card, "0300A4") == ("00A4", "039000")


def test_last_response_is_repeated_also_after_a_presence_check() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0", response="AA9000")
    assert ask(card, "B3") == "A2"
    assert ask(card, "B2") == "02AA9000"


# --- CID, NAD and broken frames ---------------------------------------------------------------------------------------


def test_card_with_a_cid_answers_with_it_and_only_to_it() -> None:
    card = CardLink()
    ask(card, "E085")
    assert ask(card, "0200A4", "0A0400A4", "0A", "B2", "BA04", "BA", "C2", "CA04", "0A4500A4", "0A1500A4") == ""
    assert ask(card, "BA05") == "AB05"
    assert run_command(card, "0A0500A4") == ("00A4", "0A059000")
    assert ask(card, "0B05") == "0B05"
    assert ask(card, "1A05AA") == "AA05"
    assert ask(card, "CA05") == "CA05"


def test_card_with_cid_0_answers_with_and_without_it_as_it_is_asked() -> None:
    card = CardLink()
    ask(card, "E080")
    assert run_command(card, "0200A4") == ("00A4", "029000")
    assert run_command(card, "0B0000A4") == ("00A4", "0B009000")
    assert ask(card, "BA00") == "AB00"
    assert ask(card, "B2") == "A3"
    assert ask(card, "0A0100A4", "BA01") == ""


def test_card_whose_ats_knows_no_cid_answers_to_blocks_without() -> None:
    card = CardLink(Ats(cid=False))
    ask(card, "E085")
    assert ask(card, "0A0500A4", "0A0000A4", "BA05", "CA05") == ""
    assert run_command(card, "0200A4") == ("00A4", "029000")


def test_node_addresses_are_refused() -> None:
    card = CardLink(fsd=256)
    assert ask(card, "06 00 00A4", "0E 00 00 00A4", "16 00 00A4") == ""


def test_frame_of_the_announced_size_is_taken_and_one_longer_not() -> None:
    for fsci, size in ((0, 16), (8, 256), (12, 4096)):
        card = CardLink(Ats(fsci=fsci), fsd=256)
        assert card.receive_frame(b"\x02" + bytes(size - 2), 0.0) == []
        assert card.receive_frame(b"\x02" + bytes(size - 3), 0.0) == [CommandReceived(bytes(size - 3))]


@pytest.mark.parametrize(
    "frame", ["", "B200", "A200", "C200", "F2", "F200", "F201", "F20101", "BA0000", "CA0000", "FA00"]
)
def test_frames_of_a_wrong_length_or_unasked_for_are_not_answered(frame: str) -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200B0")
    before = memory(card)
    assert card.receive_frame(h(frame), 0.0) == []
    assert memory(card) == before


# --- S(DESELECT) ------------------------------------------------------------------------------------------------------


def test_deselect_is_answered_and_then_the_card_is_deaf() -> None:
    card = CardLink(fsd=256)
    assert card.receive_frame(h("C2"), 0.0) == [SendFrame(h("C2")), Deselected()]
    assert ask(card, "C2", "0200A4", "E080", "B2") == ""
    card.reset()
    assert ask(card, "E080") == DEFAULT.to_bytes().hex().upper()


@pytest.mark.parametrize(
    "before",
    [(), ("B2",), ("1200D6",), ("0200B0",), ("0200B0", "B2")],
    ids=["activated", "idle", "receiving", "processing", "extending"],
)
def test_deselect_is_answered_in_every_state(before: tuple[str, ...]) -> None:
    card = CardLink()
    ask(card, "E080", *before)
    assert card.receive_frame(h("C2"), 0.0) == [SendFrame(h("C2")), Deselected()]
    assert not is_open(card)
    assert card.next_deadline() is None
    with pytest.raises(LocalProtocolError):
        card.respond(OK, 0.0)


def test_deselect_is_answered_inside_a_response_and_while_it_waits() -> None:
    card = CardLink(fsd=16)
    run_command(card, "0200B0", response="00" * 14)
    assert ask(card, "C2") == "C2"
    card.reset(fsd=16)
    ask(card, "0200B0", "B2")
    assert card.respond(OK, 0.0) == []
    assert ask(card, "C2") == "C2"


def test_a_reset_card_begins_with_number_1_again() -> None:
    card = CardLink(fsd=256)
    run_command(card, "0200A4")
    card.reset(fsd=256)
    assert sent(card.receive_frame(h("B2"), 0.0)) == "A3"
    assert run_command(card, "0200A4") == ("00A4", "029000")
