"""The field may vanish after any frame: what was there stays, or the new request is executed once."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack
from tests.stack.octets import OK, SELECT_AID, SELECT_NDEF, read, text_message, update

RATS = bytes.fromhex("E080")
OLD = text_message(b'{"path":"/old","method":"GET","messageID":1}')
OLD_ANSWER = text_message(b'{"messageID":1,"statusCode":200},"old"')
NEW = text_message(b'{"path":"/new","method":"GET","messageID":2}')
NEW_ANSWER = text_message(b'{"messageID":2,"statusCode":200},"new"')

FIRST, SECOND, THIRD = NEW[:20], NEW[20:40], NEW[40:]
NLEN = len(NEW).to_bytes(2, "big")
ZERO = bytes(2)

# The orders in which readers write: NLEN and message at once; NLEN 0, data, NLEN; NLEN 0 with the first chunk; and the
# octets of NLEN one by one.
ORDERS = {
    "A": [update(0, NLEN + NEW)],
    "A in chunks": [update(0, NLEN + FIRST), update(22, SECOND), update(42, THIRD)],
    "B": [update(0, ZERO), update(2, FIRST), update(22, SECOND), update(42, THIRD), update(0, NLEN)],
    "C": [update(0, ZERO + FIRST), update(22, SECOND), update(42, THIRD), update(0, NLEN)],
    "B, NLEN by octets": [
        update(0, b"\0"),
        update(1, b"\0"),
        update(2, NEW),
        update(0, NLEN[:1]),
        update(1, NLEN[1:]),
    ],
}


class Tag:
    """A tag with an application that answers at once, spoken to by literal blocks."""

    def __init__(self) -> None:
        self.stack = BlockCardStack(CardStack())
        self.executed: list[str] = []
        self.number = 0
        self.now = 0.0

    def frame(self, frame: bytes) -> list[bytes]:
        self.now += 0.01
        frames: list[bytes] = []
        events = self.stack.receive(frame, self.now)
        while events:
            more = []
            for event in events:
                if isinstance(event, SendFrame):
                    frames.append(event.frame)
                elif isinstance(event, seen.RequestReceived):
                    self.executed.append(event.request.path)
                    content = {"/old": b'"old"', "/new": b'"new"'}[event.request.path]
                    more += self.stack.answer(event.number, Answer(200, content), self.now)
            events = more
        return frames

    def apdu(self, command: bytes) -> bytes:
        (frame,) = self.frame(bytes([0x02 | self.number]) + command)
        assert frame[0] == 0x02 | self.number
        self.number ^= 1
        return frame[1:]

    def touch(self) -> None:
        """The phone comes: RATS, SELECT, SELECT."""
        self.stack.activated(None, self.now)
        assert self.frame(RATS)
        self.number = 0
        assert self.apdu(SELECT_AID) == OK
        assert self.apdu(SELECT_NDEF) == OK

    def lift(self) -> None:
        self.now += 0.01
        self.stack.field_lost(self.now)

    def message(self) -> bytes:
        nlen = int.from_bytes(self.apdu(read(0, 2))[:2], "big")
        return self.apdu(read(2, nlen))[:nlen]


def cuts() -> Iterator[tuple[str, int]]:
    for order, commands in ORDERS.items():
        for frames in range(len(commands) + 1):
            yield order, frames


@pytest.mark.parametrize("answered", [False, True], ids=["idle before", "answered before"])
@pytest.mark.parametrize(("order", "frames"), list(cuts()))
def test_the_field_lost_after_any_frame_of_a_write_leaves_the_old_state_or_one_new_request(
    order: str, frames: int, answered: bool
) -> None:
    tag = Tag()
    tag.touch()
    if answered:
        assert tag.apdu(update(0, len(OLD).to_bytes(2, "big") + OLD)) == OK
        assert tag.message() == OLD_ANSWER
    before = tag.message()
    executed = list(tag.executed)
    for command in ORDERS[order][:frames]:
        assert tag.apdu(command) == OK
    tag.lift()
    tag.touch()
    if frames == len(ORDERS[order]):
        assert tag.executed == [*executed, "/new"]
        assert tag.message() == NEW_ANSWER
    else:
        assert tag.executed == executed
        assert tag.message() == before


@pytest.mark.parametrize("order", ORDERS)
def test_the_last_frame_of_a_write_sent_twice_executes_once(order: str) -> None:
    tag = Tag()
    tag.touch()
    *before, last = ORDERS[order]
    for command in before:
        assert tag.apdu(command) == OK
    block = bytes([0x02 | tag.number]) + last
    assert tag.frame(block) == [block[:1] + OK]
    # The response was lost on the air: the reader sends R(NAK) with the number of its block (and again).
    for _ in range(3):
        assert tag.frame(bytes([0xB2 | tag.number])) == [block[:1] + OK]
    tag.number ^= 1
    assert tag.message() == NEW_ANSWER
    assert tag.executed == ["/new"]


@given(st.lists(st.binary(max_size=40), max_size=12), st.booleans())
def test_no_frames_crash_the_card_or_change_what_an_honest_reader_sees_next(frames: list[bytes], lift: bool) -> None:
    tag = Tag()
    tag.touch()
    for frame in frames:
        tag.frame(frame) if frame else tag.stack.receive(frame, tag.now)
    if lift:
        tag.lift()
    tag.touch()
    executed = list(tag.executed)
    assert tag.apdu(update(0, NLEN + NEW)) == OK
    assert tag.message() == NEW_ANSWER
    assert tag.executed == [*executed, "/new"]


_COMMANDS = st.sampled_from(
    [command for commands in ORDERS.values() for command in commands]
    + [SELECT_AID, SELECT_NDEF, read(0, 2), read(0, 250), read(2, 30), b"\x60", bytes.fromhex("9060000000")]
)


@given(st.lists(st.one_of(_COMMANDS, st.just(b"lift"), st.just(b"deselect"), st.binary(max_size=12)), max_size=30))
def test_commands_in_any_order_with_any_field_loss_never_run_a_request_that_was_not_committed_whole(
    script: list[bytes],
) -> None:
    tag = Tag()
    tag.touch()
    for command in script:
        if command == b"lift":
            tag.lift()
            tag.touch()
        elif command == b"deselect":
            tag.frame(b"\xc2")
            tag.touch()
        elif command:
            tag.apdu(command)
    assert set(tag.executed) <= {"/new"}
    tag.lift()
    tag.touch()
    assert tag.apdu(update(0, NLEN + NEW)) == OK
    assert tag.message() == NEW_ANSWER
