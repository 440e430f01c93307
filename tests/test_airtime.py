"""The air time model against the numbers that were computed before it was written, and against ISO/IEC 14443."""

import pytest

from nfcbridge.airtime import (
    ALIGNED,
    CAREFUL,
    EXTENDED,
    LIMIT,
    OCTET,
    SELECTION,
    Manner,
    command_frames,
    command_time,
    exchange_commands,
    exchange_time,
    frame_time,
    frames_time,
    message_octets,
    selection_time,
)

ROWS = {
    (150, 100, ALIGNED): 25.4,
    (200, 1000, ALIGNED): 111.5,
    (200, 10_000, ALIGNED): 921.6,
    (200, 1000, EXTENDED): 109.3,
    (200, 10_000, EXTENDED): 898.6,
    (200, 1000, LIMIT): 106.5,
    (200, 10_000, LIMIT): 872.5,
    (150, 100, CAREFUL): 44.4,
    (200, 1000, CAREFUL): 131.4,
    (200, 10_000, CAREFUL): 968.1,
}


@pytest.mark.parametrize(("request_octets", "answer_octets", "manner"), ROWS)
def test_rows_of_the_reference_are_met_within_a_tenth_of_a_millisecond(
    request_octets: int, answer_octets: int, manner: Manner
) -> None:
    milliseconds = exchange_time(request_octets, answer_octets, manner) * 1000
    assert milliseconds == pytest.approx(ROWS[request_octets, answer_octets, manner], abs=0.1)


def test_an_octet_takes_85_microseconds() -> None:
    assert pytest.approx(84.96e-6, rel=1e-4) == OCTET


def test_a_frame_is_a_start_bit_and_nine_bits_for_each_octet_and_each_of_the_crc() -> None:
    assert frame_time(1) == pytest.approx((1 + 9 * 3) * 128 / 13.56e6)


@pytest.mark.parametrize(("rate", "divisor"), [(106, 1), (212, 2), (424, 4), (848, 8)])
def test_bits_shrink_with_the_bit_rate_and_delays_do_not(rate: int, divisor: int) -> None:
    delays = (1172 + 1208) / 13.56e6
    base = frames_time([(True, 5), (False, 3)]) - delays
    assert frames_time([(True, 5), (False, 3)], rate) == pytest.approx(base / divisor + delays)


def test_the_card_waits_longer_before_its_frame_than_the_reader() -> None:
    difference = frames_time([(False, 5)]) - frames_time([(True, 5)])
    assert difference == pytest.approx((1208 - 1172) / 13.56e6)


def test_a_command_and_a_response_that_fit_are_one_frame_each() -> None:
    assert list(command_frames(253, 253, 256)) == [(True, 254), (False, 254)]


def test_one_octet_more_needs_a_second_block_and_an_acknowledgement() -> None:
    assert list(command_frames(254, 254, 256)) == [
        (True, 254),
        (False, 1),
        (True, 2),
        (False, 254),
        (True, 1),
        (False, 2),
    ]


def test_the_time_of_a_command_is_that_of_its_frames() -> None:
    assert command_time(5, 253, 256) == pytest.approx(frames_time([(True, 6), (False, 254)]))


def test_aligned_commands_are_one_write_and_five_reads() -> None:
    assert list(exchange_commands(200, 1000, ALIGNED)) == [(214, 2), *[(5, 253)] * 4, (5, 10)]


def test_extended_commands_have_longer_headers_only_where_the_length_needs_them() -> None:
    assert list(exchange_commands(200, 1000, EXTENDED)) == [(214, 2), (7, 1014)]
    assert list(exchange_commands(246, 244, EXTENDED)) == [(5 + 255, 2), (5, 255)]
    assert list(exchange_commands(247, 244, EXTENDED)) == [(7 + 256, 2), (5, 255)]


def test_a_careful_phone_detects_twice_and_handles_nlen_apart() -> None:
    detection = [(13, 2), (7, 2), (5, 17), (7, 2)]
    expected = [*detection, *detection, (7, 2), (162, 2), (7, 2), (5, 4), (5, 109)]
    assert list(exchange_commands(150, 100, CAREFUL)) == expected


def test_a_text_record_is_short_up_to_252_octets_of_json() -> None:
    assert message_octets(252) == 259
    assert message_octets(253) == 263


@pytest.mark.parametrize(
    ("uid_octets", "octets", "frames"),
    [(4, 2 + 2 + 5 + 9 + 3, 5), (7, 2 + 2 * (2 + 5 + 9 + 3), 9), (10, 2 + 3 * (2 + 5 + 9 + 3), 13)],
)
def test_selection_takes_two_exchanges_for_each_cascade_level(uid_octets: int, octets: int, frames: int) -> None:
    bits = 8 + frames + 9 * octets
    delays = (frames + 1) / 2 * (1172 + 1208)
    assert selection_time(uid_octets) == pytest.approx((bits * 128 + delays) / 13.56e6)


def test_the_usual_selection_is_that_of_a_uid_of_four_octets() -> None:
    assert selection_time(4) == SELECTION
