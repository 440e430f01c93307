"""The reader in literal octets: activation, block numbers, chains, faults and their bounds, S(WTX), S(DESELECT)."""

from collections.abc import Callable

import pytest

from nfcbridge.errors import BlockError, ConfigError, LinkTimeoutError, LocalProtocolError
from nfcbridge.isodep import (
    Activated,
    Ats,
    BitRateChanged,
    DeselectConfirmed,
    PresenceConfirmed,
    ReaderLink,
    ResponseReceived,
    Retransmitted,
    SendFrame,
    WaitExtended,
)
from nfcbridge.isodep.ats import BIT_RATES
from tests.isodep.octets import h, sent, told

FWT = 4096 / 13.56e6 * 256
MARGIN = 0.02
ACTIVATION = 71_680 / 13.56e6
FAST = Ats(ds=frozenset(BIT_RATES), dr=frozenset({106, 212}), same_rate_only=False)


def activated(ats: Ats | None = None, *, fsd: int = 256, cid: int = 0, retries: int = 3) -> ReaderLink:
    return ReaderLink(ats=ats or Ats(), fsd=fsd, cid=cid, retries=retries)


def answer(reader: ReaderLink, *frames: str, now: float = 0.0) -> str:
    """Gives the card's frames to a reader; what the reader sent, in hex."""
    return " ".join(filter(None, (sent(reader.receive_frame(h(frame), now)) for frame in frames)))


def overdue(reader: ReaderLink) -> str:
    """Lets the reader wait in vain; what it sent, in hex."""
    deadline = reader.next_deadline()
    assert deadline is not None
    return sent(reader.handle_timer(deadline))


# --- Activation -------------------------------------------------------------------------------------------------------


def test_rats_tells_frame_size_and_cid() -> None:
    assert ReaderLink().rats(0.0) == [SendFrame(h("E080"))]
    assert ReaderLink(fsd=4096, cid=14).rats(0.0) == [SendFrame(h("E0CE"))]
    assert ReaderLink(fsd=16, cid=1).rats(0.0) == [SendFrame(h("E001"))]


def test_ats_activates() -> None:
    reader = ReaderLink(fsd=64)
    reader.rats(0.0)
    assert reader.receive_frame(h("0578804202"), 1.0) == [Activated(fsd=64, cid=0)]
    assert reader.ats == Ats(fwi=4, sfgi=2)
    assert reader.quiet_until == pytest.approx(1.001208, abs=1e-6)
    assert reader.next_deadline() is None
    assert reader.send_command(h("00A4"), 1.1) == [SendFrame(h("0200A4"))]


def test_missing_and_broken_ats_are_asked_for_again_three_times() -> None:
    reader = ReaderLink()
    reader.rats(0.0)
    assert reader.next_deadline() == pytest.approx(ACTIVATION + MARGIN)
    assert overdue(reader) == "E080"
    assert answer(reader, "0278") == "E080"
    assert answer(reader, "0100") == "E080"
    with pytest.raises(BlockError, match="TL"):
        reader.receive_frame(h("0100"), 0.0)
    assert reader.next_deadline() is None
    assert reader.rats(0.0) == [SendFrame(h("E080"))]
    assert answer(reader, "01") == ""
    assert reader.ats == Ats.parse(b"\x01")


def test_no_card_at_all_is_a_timeout() -> None:
    reader = ReaderLink(retries=0)
    reader.rats(0.0)
    with pytest.raises(LinkTimeoutError, match="silent while ACTIVATING"):
        overdue(reader)


@pytest.mark.parametrize(
    ("values", "words"), [({"fsd": 15}, "15"), ({"fsd": 255}, "4096"), ({"cid": 15}, "14"), ({"cid": -1}, "14")]
)
def test_values_that_rats_cannot_say_are_refused(values: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ReaderLink(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda reader: reader.send_command(h("00A4"), 0.0),
        lambda reader: reader.presence_check(0.0),
        lambda reader: reader.deselect(0.0),
        lambda reader: reader.pps(0, 0, 0.0),
    ],
)
def test_nothing_but_rats_goes_to_a_card_that_is_not_activated(call: Callable[[ReaderLink], object]) -> None:
    with pytest.raises(LocalProtocolError):
        call(ReaderLink())


def test_frames_are_ignored_while_nothing_is_out() -> None:
    for reader in (ReaderLink(), activated()):
        assert reader.receive_frame(h("029000"), 0.0) == []
        assert reader.handle_timer(1e9) == []


# --- PPS --------------------------------------------------------------------------------------------------------------


def with_rates(ats: Ats = FAST, cid: int = 0) -> ReaderLink:
    reader = ReaderLink(cid=cid)
    reader.rats(0.0)
    reader.receive_frame(ats.to_bytes(), 0.0)
    return reader


def test_pps_names_card_to_reader_first() -> None:
    reader = with_rates(cid=3)
    assert reader.pps(3, 1, 0.0) == [SendFrame(h("D3 11 0D"))]
    assert reader.receive_frame(h("D3"), 0.0) == [BitRateChanged(ds=848, dr=212)]
    assert reader.send_command(h("00A4"), 0.0) == [SendFrame(h("0A0300A4"))]


def test_pps_is_repeated_and_given_up() -> None:
    reader = with_rates()
    reader.pps(0, 0, 0.0)
    assert overdue(reader) == "D01100"
    assert answer(reader, "D1", "D000") == "D01100 D01100"
    with pytest.raises(LinkTimeoutError):
        overdue(reader)


@pytest.mark.parametrize(("dsi", "dri"), [(0, 2), (0, 3), (4, 0), (0, -1)])
def test_rates_that_the_ats_does_not_offer_are_not_asked_for(dsi: int, dri: int) -> None:
    with pytest.raises(LocalProtocolError):
        with_rates().pps(dsi, dri, 0.0)


def test_pps_is_sent_directly_after_the_activation_alone() -> None:
    reader = with_rates()
    reader.send_command(h("00A4"), 0.0)
    answer(reader, "029000")
    with pytest.raises(LocalProtocolError, match="READY"):
        reader.pps(0, 0, 0.0)
    with pytest.raises(LocalProtocolError, match="READY"):
        activated(FAST).pps(0, 0, 0.0)


# --- Commands ---------------------------------------------------------------------------------------------------------


def test_first_block_has_number_0_and_numbers_alternate() -> None:
    reader = activated()
    assert reader.send_command(h("00B000000F"), 0.0) == [SendFrame(h("0200B000000F"))]
    assert reader.next_deadline() == pytest.approx(FWT + MARGIN)
    assert reader.receive_frame(h("02AABB9000"), 0.0) == [ResponseReceived(h("AABB9000"))]
    assert sent(reader.send_command(h("00A4"), 0.0)) == "0300A4"
    assert reader.receive_frame(h("036A82"), 0.0) == [ResponseReceived(h("6A82"))]
    assert sent(reader.send_command(h("00A4"), 0.0)) == "0200A4"


def test_long_command_is_chained_in_frames_of_the_cards_size() -> None:
    reader = activated(Ats(fsci=0))
    assert sent(reader.send_command(bytes(range(28)), 0.0)) == "12000102030405060708090A0B0C"
    assert answer(reader, "A2") == "130D0E0F10111213141516171819"
    assert answer(reader, "A3") == "021A1B"
    assert told(reader.receive_frame(h("029000"), 0.0)) == [ResponseReceived(h("9000"))]


def test_command_that_just_fits_is_one_block() -> None:
    reader = activated(Ats(fsci=0))
    assert sent(reader.send_command(bytes(13), 0.0)) == "02" + "00" * 13
    assert told(reader.receive_frame(h("029000"), 0.0)) == [ResponseReceived(h("9000"))]
    assert sent(activated(Ats(fsci=0)).send_command(bytes(14), 0.0)) == "12" + "00" * 13
    assert sent(activated(Ats(fsci=0), cid=5).send_command(bytes(12), 0.0)) == "0A05" + "00" * 12
    assert sent(activated(Ats(fsci=0), cid=5).send_command(bytes(13), 0.0)) == "1A05" + "00" * 12


def test_chained_response_is_acknowledged_block_by_block() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "12AA", "13BB", "12CC") == "A3 A2 A3"
    assert reader.receive_frame(h("039000"), 0.0) == [ResponseReceived(h("AABBCC9000"))]
    assert sent(reader.send_command(h("00A4"), 0.0)) == "0200A4"


def test_a_command_has_1_to_65544_octets() -> None:
    reader = activated(Ats(fsci=12))
    for octets in (0, 65_545):
        with pytest.raises(LocalProtocolError, match=f"a command of {octets} octets"):
            reader.send_command(bytes(octets), 0.0)
    assert len(reader.send_command(bytes(65_544), 0.0)[0].frame) == 4094


def test_a_response_of_65538_octets_is_taken_and_one_more_is_not() -> None:
    for octets in (65_538, 65_539):
        reader = activated(fsd=4096)
        reader.send_command(h("00B0"), 0.0)
        for i in range(16):
            reader.receive_frame(bytes((0x12 + i % 2,)) + bytes(4093), 0.0)
        last = b"\x02" + bytes(octets - 16 * 4093)
        if octets == 65_538:
            assert reader.receive_frame(last, 0.0) == [ResponseReceived(bytes(octets))]
        else:
            with pytest.raises(BlockError, match="more than 65538"):
                reader.receive_frame(last, 0.0)


def test_one_command_at_a_time() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    with pytest.raises(LocalProtocolError, match="WAITING"):
        reader.send_command(h("00B0"), 0.0)
    with pytest.raises(LocalProtocolError, match="WAITING"):
        reader.presence_check(0.0)


def test_cid_is_left_out_for_a_card_that_knows_none() -> None:
    assert sent(activated(Ats(cid=False), cid=5).send_command(h("00A4"), 0.0)) == "0200A4"


def test_power_level_of_the_card_is_no_part_of_the_cid() -> None:
    reader = activated(cid=5)
    reader.send_command(h("00A4"), 0.0)
    assert reader.receive_frame(h("0AC59000"), 0.0) == [ResponseReceived(h("9000"))]


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_silence_is_answered_by_nak_with_the_readers_number() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert reader.handle_timer(FWT) == []
    assert reader.handle_timer(FWT + MARGIN) == [SendFrame(h("B2")), Retransmitted()]
    assert reader.next_deadline() == pytest.approx(2 * (FWT + MARGIN))
    assert reader.receive_frame(h("029000"), 0.0) == [ResponseReceived(h("9000"))]


def test_card_that_has_not_got_the_command_gets_it_again() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert overdue(reader) == "B2"
    assert reader.receive_frame(h("A3"), 1.0) == [SendFrame(h("0200B0")), Retransmitted()]
    assert reader.next_deadline() == pytest.approx(1.0 + FWT + MARGIN)
    assert reader.receive_frame(h("029000"), 1.0) == [ResponseReceived(h("9000"))]


def test_lost_block_of_a_command_is_sent_again() -> None:
    reader = activated(Ats(fsci=0))
    reader.send_command(bytes(range(14)), 0.0)
    assert overdue(reader) == "B2"
    assert answer(reader, "A3") == "12000102030405060708090A0B0C"
    assert answer(reader, "A2") == "030D"
    assert overdue(reader) == "B3"
    assert answer(reader, "A2") == "030D"
    assert told(reader.receive_frame(h("039000"), 0.0)) == [ResponseReceived(h("9000"))]


def test_lost_block_of_a_response_is_asked_for_by_the_acknowledgement() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "12AA") == "A3"
    assert overdue(reader) == "A3"
    assert answer(reader, "12AA") == "A3"  # the block before, again: it is not taken twice
    assert reader.receive_frame(h("03BB"), 0.0) == [ResponseReceived(h("AABB"))]


@pytest.mark.parametrize(
    "frame",
    ["", "03", "039000", "12", "13AA", "B2", "B3", "A2", "C2", "F2", "F200", "F23C", "FF", "0A009000", "A300", "E080"],
)
def test_invalid_block_is_answered_by_nak(frame: str) -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, frame) == "B2"
    assert reader.receive_frame(h("029000"), 0.0) == [ResponseReceived(h("9000"))]


@pytest.mark.parametrize("frame", ["029000", "0A", "0A049000", "0A159000", "0A259000", "BA05", "FA0500"])
def test_block_without_the_cid_is_invalid(frame: str) -> None:
    reader = activated(cid=5)
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, frame) == "BA05"
    assert reader.receive_frame(h("0A059000"), 0.0) == [ResponseReceived(h("9000"))]


def test_frame_longer_than_fsd_is_invalid() -> None:
    reader = activated(fsd=16)
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "02" + "00" * 14) == "B2"
    assert told(reader.receive_frame(h("02" + "00" * 13), 0.0)) == [ResponseReceived(bytes(13))]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_silence_is_given_up_after_the_retries(retries: int) -> None:
    reader = activated(retries=retries)
    reader.send_command(h("00B0"), 0.0)
    assert [overdue(reader) for _ in range(retries)] == ["B2"] * retries
    with pytest.raises(LinkTimeoutError, match="silent while WAITING"):
        overdue(reader)
    with pytest.raises(LocalProtocolError, match="LOST"):
        reader.send_command(h("00B0"), 0.0)
    assert reader.receive_frame(h("029000"), 0.0) == []
    assert sent(reader.deselect(0.0)) == "C2"


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_invalid_blocks_are_given_up_after_the_retries(retries: int) -> None:
    reader = activated(retries=retries)
    reader.send_command(h("00B0"), 0.0)
    assert [answer(reader, "FF") for _ in range(retries)] == ["B2"] * retries
    with pytest.raises(BlockError, match="invalid block ff while WAITING"):
        answer(reader, "FF")


def test_card_that_never_gets_the_block_is_given_up() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    for _ in range(3):
        assert overdue(reader) == "B2"
        assert answer(reader, "A3") == "0200B0"
    overdue(reader)
    with pytest.raises(BlockError, match="again and again"):
        answer(reader, "A3")


def test_empty_blocks_of_a_chain_cannot_keep_the_reader_for_ever() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    answer(reader, "12AA")
    assert answer(reader, "13", "13", "13") == "A3 A3 A3"
    with pytest.raises(BlockError):
        answer(reader, "13")


def test_progress_gives_all_retries_again() -> None:
    reader = activated(Ats(fsci=0))
    reader.send_command(bytes(27), 0.0)
    for acknowledgement in ("A2", "A3"):
        for _ in range(3):
            overdue(reader)
        answer(reader, acknowledgement)
    for _ in range(3):
        assert overdue(reader) == "B2"
    assert answer(reader, "12AA") == "A3"
    for _ in range(3):
        assert overdue(reader) == "A3"
    assert told(reader.receive_frame(h("03BB"), 0.0)) == [ResponseReceived(h("AABB"))]


# --- S(WTX) -----------------------------------------------------------------------------------------------------------


def test_wtx_is_granted_with_the_same_multiplier() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert reader.receive_frame(h("F2 05"), 1.0) == [SendFrame(h("F205")), WaitExtended(5)]
    assert reader.next_deadline() == pytest.approx(1.0 + 5 * FWT + MARGIN)
    assert reader.receive_frame(h("029000"), 1.3) == [ResponseReceived(h("9000"))]


def test_power_level_is_not_repeated() -> None:
    reader = activated(cid=3)
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "FAC3C1") == "FA0301"


def test_wtx_is_granted_between_blocks_of_chains() -> None:
    reader = activated(Ats(fsci=0))
    reader.send_command(bytes(14), 0.0)
    assert answer(reader, "F201", "A2", "F201", "13AA", "F201") == "F201 0300 F201 A2 F201"
    assert told(reader.receive_frame(h("02BB"), 0.0)) == [ResponseReceived(h("AABB"))]


@pytest.mark.parametrize(("wtxm", "granted"), [(0, False), (1, True), (59, True), (60, False), (63, False)])
def test_multipliers_are_1_to_59(wtxm: int, granted: bool) -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, f"F2{wtxm:02X}") == (f"F2{wtxm:02X}" if granted else "B2")


def test_extended_time_is_at_most_the_longest_waiting_time() -> None:
    reader = activated(Ats(fwi=14))
    reader.send_command(h("00B0"), 0.0)
    answer(reader, "F202")
    assert reader.next_deadline() == pytest.approx(4.9493 + MARGIN, abs=1e-3)


def test_waiting_is_bounded_for_each_command() -> None:
    reader = ReaderLink(ats=Ats(), max_wait=10 * FWT)
    for number in (2, 3):
        reader.send_command(h("00B0"), 0.0)
        assert answer(reader, "F209", "F201") == "F209 F201"
        answer(reader, f"0{number}9000")
    reader.send_command(h("00B0"), 0.0)
    answer(reader, "F209")
    with pytest.raises(LinkTimeoutError, match=r"more than 0\.77"):
        answer(reader, "F202")
    assert reader.next_deadline() is None


def test_waiting_for_a_command_is_not_counted_against_a_presence_check() -> None:
    reader = ReaderLink(ats=Ats(), max_wait=10 * FWT)
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "F209", "029000") == "F209"
    reader.presence_check(0.0)
    assert answer(reader, "F209") == "F209"


def test_lost_answer_to_wtx_is_recovered_by_nak() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert answer(reader, "F202") == "F202"
    assert overdue(reader) == "B2"
    assert answer(reader, "F202") == "F202"
    assert told(reader.receive_frame(h("029000"), 0.0)) == [ResponseReceived(h("9000"))]


def test_each_wtx_gives_all_retries_again() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    for _ in range(2):
        assert [overdue(reader) for _ in range(3)] == ["B2"] * 3
        assert answer(reader, "F201") == "F201"


# --- Presence and S(DESELECT) -----------------------------------------------------------------------------------------


def test_presence_check_leaves_the_numbers() -> None:
    reader = activated()
    assert reader.presence_check(0.0) == [SendFrame(h("B2"))]
    assert reader.receive_frame(h("A3"), 0.0) == [PresenceConfirmed()]
    reader.send_command(h("00A4"), 0.0)
    answer(reader, "029000")
    assert reader.presence_check(0.0) == [SendFrame(h("B3"))]
    assert answer(reader, "F201") == "F201"
    assert reader.receive_frame(h("A2"), 0.0) == [PresenceConfirmed()]
    assert sent(reader.send_command(h("00A4"), 0.0)) == "0300A4"


def test_absent_card_is_a_timeout() -> None:
    reader = activated()
    reader.presence_check(0.0)
    assert overdue(reader) == "B2"
    assert answer(reader, "A2", "029000") == "B2 B2"
    with pytest.raises(LinkTimeoutError):
        overdue(reader)


def test_deselected_card_must_be_activated_again() -> None:
    reader = activated(cid=2)
    assert reader.deselect(0.0) == [SendFrame(h("CA02"))]
    assert reader.next_deadline() == pytest.approx(ACTIVATION + MARGIN)
    assert reader.receive_frame(h("CA02"), 0.0) == [DeselectConfirmed()]
    assert reader.ats is None
    with pytest.raises(LocalProtocolError):
        reader.deselect(0.0)
    assert sent(reader.rats(0.0)) == "E082"


def test_deselect_is_repeated_and_given_up() -> None:
    reader = activated()
    reader.deselect(0.0)
    assert overdue(reader) == "C2"
    assert answer(reader, "F201", "C200") == "C2 C2"
    with pytest.raises(LinkTimeoutError):
        overdue(reader)


def test_deselect_has_no_number() -> None:
    for commands in range(2):
        reader = activated()
        for _ in range(commands):
            reader.send_command(h("00A4"), 0.0)
            answer(reader, "029000")
        assert sent(reader.deselect(0.0)) == "C2"
        assert reader.receive_frame(h("C2"), 0.0) == [DeselectConfirmed()]


def test_deselect_ends_an_open_command() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    assert sent(reader.deselect(0.0)) == "C2"
    assert told(reader.receive_frame(h("C2"), 0.0)) == [DeselectConfirmed()]


def test_numbers_begin_anew_with_each_activation() -> None:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    answer(reader, "029000")
    reader.rats(0.0)
    answer(reader, "0578808002")
    assert sent(reader.send_command(h("00B0"), 0.0)) == "0200B0"


# --- Every first octet ------------------------------------------------------------------------------------------------


def waiting() -> ReaderLink:
    reader = activated()
    reader.send_command(h("00B0"), 0.0)
    return reader


def sending() -> ReaderLink:
    reader = activated(Ats(fsci=0))
    reader.send_command(bytes(14), 0.0)
    return reader


def receiving() -> ReaderLink:
    reader = waiting()
    answer(reader, "12AA")
    return reader


def checking() -> ReaderLink:
    reader = activated()
    reader.presence_check(0.0)
    return reader


def deselecting() -> ReaderLink:
    reader = activated()
    reader.deselect(0.0)
    return reader


END = "the end"
REPLIES: dict[Callable[[], ReaderLink], tuple[str, dict[str, str]]] = {
    waiting: ("B2", {"02": END, "0201": END, "1201": "A3", "A3": "0200B0", "F201": "F201"}),
    sending: ("B2", {"A2": "0300", "A3": "12" + "00" * 13, "F201": "F201"}),
    receiving: ("A3", {"03": END, "0301": END, "1301": "A2", "F201": "F201"}),
    checking: ("B2", {"A3": END, "F201": "F201"}),
    deselecting: ("C2", {"C2": END}),
}


@pytest.mark.parametrize("prepare", REPLIES, ids=lambda prepare: str(prepare.__name__))
@pytest.mark.parametrize("rest", ["", "01"])
def test_every_first_octet_is_followed_or_asked_about(prepare: Callable[[], ReaderLink], rest: str) -> None:
    fault, replies = REPLIES[prepare]
    for octet in range(256):
        frame = f"{octet:02X}{rest}"
        reader = prepare()
        expected = replies.get(frame, fault)
        assert answer(reader, frame) == ("" if expected == END else expected), frame
        assert (reader.next_deadline() is None) == (expected == END), frame
