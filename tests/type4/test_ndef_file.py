"""The NDEF file: what a write is, when it commits, what is read meanwhile."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import CommandError, LocalProtocolError
from nfcbridge.type4 import EMPTY_MESSAGE, Committed, NdefFile, WriteBegun, WriteContinued

SIZE = 16
Write = tuple[int, str]


def write(file: NdefFile, *writes: Write) -> list[object]:
    """The reports of the UPDATEs."""
    return [file.update(offset, bytes.fromhex(octets)) for offset, octets in writes]


BEGUN, CONTINUED = WriteBegun(), WriteContinued()
MESSAGE = bytes.fromhex("A1A2A3A4")
COMMITTED = Committed(MESSAGE)

# What readers do, and must do to be heard: the UPDATEs, and what each of them is.
WRITES: dict[str, tuple[list[Write], list[object]]] = {
    "A, all in one": ([(0, "0004A1A2A3A4")], [COMMITTED]),
    "B, NLEN 0, message, NLEN": (
        [(0, "0000"), (2, "A1A2"), (4, "A3A4"), (0, "0004")],
        [BEGUN, CONTINUED, CONTINUED, COMMITTED],
    ),
    "C, NLEN 0 with the first chunk": (
        [(0, "0000A1"), (3, "A2A3A4"), (0, "0004")],
        [BEGUN, CONTINUED, COMMITTED],
    ),
    "ours, NLEN with the first chunk": ([(0, "0004A1"), (3, "A2A3"), (5, "A4")], [BEGUN, CONTINUED, COMMITTED]),
    "NLEN an octet at a time": (
        [(0, "00"), (1, "00"), (2, "A1A2A3A4"), (0, "00"), (1, "04")],
        [BEGUN, CONTINUED, CONTINUED, CONTINUED, COMMITTED],
    ),
    "NLEN an octet at a time, the low one first": (
        [(1, "00"), (0, "00"), (2, "A1A2A3A4"), (1, "04"), (0, "00")],
        [BEGUN, CONTINUED, CONTINUED, CONTINUED, COMMITTED],
    ),
    "every octet alone, NLEN first": (
        [(0, "00"), (1, "04"), (2, "A1"), (3, "A2"), (4, "A3"), (5, "A4")],
        [BEGUN, CONTINUED, CONTINUED, CONTINUED, CONTINUED, COMMITTED],
    ),
    "the low octet of NLEN with the message": ([(0, "00"), (1, "04A1A2A3A4")], [BEGUN, COMMITTED]),
    "the low octet of NLEN with the message, the high one last": (
        [(1, "04A1A2A3A4"), (0, "00")],
        [BEGUN, COMMITTED],
    ),
    "NLEN not cleared": ([(2, "A1A2A3A4"), (0, "0004")], [BEGUN, COMMITTED]),
    "the chunks backwards": (
        [(0, "0000"), (4, "A3A4"), (2, "A1A2"), (0, "0004")],
        [BEGUN, CONTINUED, CONTINUED, COMMITTED],
    ),
    "chunks that overlap": (
        [(0, "0000"), (2, "A1A2FF"), (4, "A3A4"), (0, "0004")],
        [BEGUN, CONTINUED, CONTINUED, COMMITTED],
    ),
    "more than the message": ([(0, "0000"), (2, "A1A2A3A4FFFF"), (0, "0004")], [BEGUN, CONTINUED, COMMITTED]),
    "NLEN before the last octets": (
        [(0, "0000"), (2, "A1A2"), (0, "0004"), (4, "A3A4")],
        [BEGUN, CONTINUED, CONTINUED, COMMITTED],
    ),
    "B started over in the middle": (
        [(0, "0000"), (2, "FFFFFFFF"), (0, "0000"), (2, "A1A2A3A4"), (0, "0004")],
        [BEGUN, CONTINUED, CONTINUED, CONTINUED, COMMITTED],
    ),
    "C started over in the middle": (
        [(0, "0000FF"), (3, "FF"), (0, "0000A1"), (3, "A2A3A4"), (0, "0004")],
        [BEGUN, CONTINUED, CONTINUED, CONTINUED, COMMITTED],
    ),
    "ours started over as A": ([(0, "0006FF"), (0, "0004A1A2A3A4")], [BEGUN, COMMITTED]),
    "NLEN wrong and corrected before the message": (
        [(0, "000A"), (0, "0004"), (2, "A1A2A3A4")],
        [BEGUN, CONTINUED, COMMITTED],
    ),
}


@pytest.mark.parametrize(("writes", "reports"), WRITES.values(), ids=WRITES)
def test_a_message_is_committed_once_in_each_way_of_writing(writes: list[Write], reports: list[object]) -> None:
    file = NdefFile(SIZE)
    assert write(file, *writes) == reports
    assert not file.writing


# Octets that do not count, so nothing may be committed: the UPDATEs.
NEVER_COMMITTED: dict[str, list[Write]] = {
    "a hole": [(0, "0000"), (2, "A1"), (4, "A3A4"), (0, "0004")],
    "the last octet missing": [(0, "0000"), (2, "A1A2A3"), (0, "0004")],
    "octets from before NLEN was cleared": [(0, "0000"), (2, "A1A2"), (0, "0000"), (4, "A3A4"), (0, "0004")],
    "octets from before the first chunk of C": [(2, "A1A2A3A4"), (0, "0000A1"), (0, "0004")],
    "octets from before ours started over": [(0, "0004A1A2A3"), (0, "0004A1A2"), (5, "A4")],
    "octets from before NLEN was changed": [(0, "0004A1A2"), (0, "0004"), (4, "A3A4")],
    "octets from before the low octet of NLEN came with the message": [(0, "0004A1A2"), (1, "04A1"), (3, "A2A3A4")],
    "an NLEN of an attempt given up for one not whole yet": [(0, "0002A1"), (1, "04A1A2A3A4")],
    "NLEN 0 of a message that is there": [(2, "A1A2A3A4"), (0, "0000")],
    "half an NLEN": [(2, "A1A2A3A4"), (1, "04")],
    "NLEN past the end of the file": [(0, "000F"), (2, "A1" * 14)],
    "the largest NLEN": [(0, "FFFF"), (2, "A1" * 14)],
}


@pytest.mark.parametrize("writes", NEVER_COMMITTED.values(), ids=NEVER_COMMITTED)
def test_stale_or_missing_octets_never_commit(writes: list[Write]) -> None:
    # The published message has just the octets that are missing.
    file = NdefFile(SIZE, MESSAGE)
    assert write(file, *writes) == [BEGUN] + [CONTINUED] * (len(writes) - 1)
    assert file.writing
    assert file.message == MESSAGE


def test_a_message_as_large_as_the_file_is_committed_and_published() -> None:
    message = bytes(range(14))
    file = NdefFile(SIZE)
    assert write(file, (0, "000E" + message.hex())) == [Committed(message)]
    file.publish(message)
    assert file.read(0, SIZE) == b"\x00\x0e" + message


def test_a_message_one_octet_larger_than_the_file_is_not_published() -> None:
    file = NdefFile(SIZE, MESSAGE)
    with pytest.raises(LocalProtocolError, match="15 octets is larger than the file, 16 octets"):
        file.publish(bytes(15))
    assert file.message == MESSAGE


def test_an_nlen_of_four_octets_only_moves_the_message() -> None:
    file = NdefFile(SIZE, nlen_size=4)
    assert file.read(0, 8) == bytes.fromhex("00000003D0000000")
    assert write(file, (0, "000000"), (3, "04A1A2A3A4")) == [BEGUN, COMMITTED]
    with pytest.raises(LocalProtocolError):
        file.publish(bytes(13))


def test_the_file_holds_the_empty_message_at_first_and_zeros_after_it() -> None:
    file = NdefFile(SIZE)
    assert file.message == EMPTY_MESSAGE == bytes.fromhex("D00000")
    assert file.read(0, SIZE) == bytes.fromhex("0003D00000") + bytes(11)
    assert file.read(2, 3) == EMPTY_MESSAGE
    assert file.read(15, 1) == b"\0"


def test_an_empty_file_has_nlen_0() -> None:
    assert NdefFile(SIZE, b"").read(0, SIZE) == bytes(SIZE)


def test_a_half_write_is_read_above_the_published_message() -> None:
    file = NdefFile(SIZE, MESSAGE)
    write(file, (3, "BB"), (8, "CC"))
    assert file.read(0, SIZE) == bytes.fromhex("0004 A1BBA3A4 0000 CC") + bytes(7)
    assert file.message == MESSAGE


def test_nlen_is_read_as_it_was_until_both_octets_are_written() -> None:
    file = NdefFile(SIZE, MESSAGE)
    write(file, (1, "09"))
    assert file.read(0, 2) == b"\x00\x04"
    write(file, (0, "01"))
    assert file.read(0, 2) == b"\x01\x09"


def test_an_octet_of_nlen_that_stayed_alone_is_forgotten_with_its_write() -> None:
    file = NdefFile(SIZE)
    write(file, (1, "04"))
    file.rollback()
    assert write(file, (2, "A1A2A3A4"), (0, "00")) == [BEGUN, CONTINUED]


def test_after_the_commit_the_published_message_is_read_until_another_is_published() -> None:
    file = NdefFile(SIZE)
    write(file, (0, "0004A1A2A3A4"))
    assert file.read(0, 6) == bytes.fromhex("0003D0000000")
    file.publish(MESSAGE)
    assert file.read(0, 6) == bytes.fromhex("0004A1A2A3A4")


def test_a_roll_back_leaves_what_was_published_and_tells_whether_there_was_a_write() -> None:
    file = NdefFile(SIZE, MESSAGE)
    write(file, (0, "0000"), (2, "FF"))
    assert file.rollback()
    assert file.read(0, SIZE) == bytes.fromhex("0004A1A2A3A4") + bytes(10)
    assert not file.rollback()


def test_publishing_drops_a_half_write() -> None:
    file = NdefFile(SIZE, MESSAGE)
    write(file, (0, "0009"))
    file.publish(b"\x01")
    assert not file.writing
    assert file.read(0, 4) == bytes.fromhex("00010100")


@pytest.mark.parametrize(("offset", "count"), [(16, 1), (15, 2), (0, 17), (0xFFFF, 1)])
def test_an_update_past_the_end_changes_nothing_and_begins_no_write(offset: int, count: int) -> None:
    file = NdefFile(SIZE, MESSAGE)
    with pytest.raises(CommandError) as refusal:
        file.update(offset, b"\xff" * count)
    assert refusal.value.sw == 0x6A84
    assert not file.writing
    assert file.read(0, SIZE) == bytes.fromhex("0004A1A2A3A4") + bytes(10)


def test_an_update_past_the_end_leaves_the_half_write_as_it_was() -> None:
    file = NdefFile(SIZE)
    write(file, (0, "0000"), (2, "A1A2A3A4"))
    with pytest.raises(CommandError):
        file.update(1, b"\xff" * 16)
    assert write(file, (0, "0004")) == [COMMITTED]


@given(
    message=st.binary(min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 41)),
    head=st.sampled_from(["A", "B", "C", "ours"]),
    random=st.randoms(use_true_random=False),
)
def test_a_message_in_any_chunks_is_committed_by_the_last_update_and_never_before(
    message: bytes, cuts: set[int], head: str, random: object
) -> None:
    nlen = len(message).to_bytes(2, "big")
    zeros = {"A": [], "B": [(0, b"\0\0")], "C": [(0, b"\0\0" + message[:1])], "ours": [(0, nlen)]}
    edges = sorted({0, len(message)} | {cut for cut in cuts if cut < len(message)})
    chunks = [(2 + a, message[a:b]) for a, b in pairwise(edges)]
    random.shuffle(chunks)  # type: ignore[attr-defined]
    writes = [*zeros[head], *chunks, *([] if head == "ours" else [(0, nlen)])]
    file = NdefFile(50, message)
    assert [file.update(*write) for write in writes[:-1]] == ([BEGUN] + [CONTINUED] * len(writes))[: len(writes) - 1]
    assert file.update(*writes[-1]) == Committed(message)


def test_three_chunks_and_nlen_in_every_order_commit_with_the_last() -> None:
    writes: list[Write] = [(0, "0003"), (2, "A1"), (3, "A2"), (4, "A3")]
    for order in permutations(writes):
        file = NdefFile(SIZE)
        assert write(file, *order) == [BEGUN, CONTINUED, CONTINUED, Committed(bytes.fromhex("A1A2A3"))], order
