"""The NDEF file against a model that is written from the rules alone, one octet at a time, over random sequences."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from nfcbridge.errors import CommandError
from nfcbridge.type4 import Committed, NdefFile, WriteBegun, WriteContinued

SIZE = 12  # small, so that writes meet


class Model:
    """The file as a dictionary of octets, the write as the list of its UPDATEs, looked at anew each time."""

    def __init__(self, message: bytes, width: int) -> None:
        self.width = width
        self.message = message
        self.updates: list[tuple[int, bytes]] = []

    def published(self) -> dict[int, int]:
        octets = dict.fromkeys(range(SIZE), 0)
        octets.update(enumerate(len(self.message).to_bytes(self.width, "big") + self.message))
        return octets

    def replay(self) -> tuple[dict[int, int], bytes | None]:
        """The file as it is read, and the message if the last UPDATE committed one."""
        octets = self.published()
        counted: set[int] = set()
        pending: dict[int, int] = {}
        length = 0
        for offset, data in self.updates:
            places = dict(enumerate(data, offset))
            of_nlen = {place: octet for place, octet in places.items() if place < self.width}
            of_message = {place: octet for place, octet in places.items() if place >= self.width}
            pending |= of_nlen
            new = None
            if len(pending) == self.width:
                new = int.from_bytes(bytes(pending[place] for place in range(self.width)), "big")
            starts_with_chunk = bool(of_nlen and of_message)
            starts_with_zero = of_nlen and new == 0
            starts_with_second = of_nlen and new is not None and length != 0
            if starts_with_chunk or starts_with_zero or starts_with_second:
                counted, length = set(), 0
            if new is not None:
                octets |= pending
                length, pending = new, {}
            octets |= of_message
            counted |= of_message.keys()
        message = range(self.width, self.width + length)
        done = length > 0 and all(place in counted for place in message)
        return octets, bytes(octets[place] for place in message) if done else None


class NdefFileAgainstModel(RuleBasedStateMachine):
    width = 2

    @initialize(message=st.binary(max_size=SIZE - 4))
    def begin(self, message: bytes) -> None:
        self.file = NdefFile(SIZE, message, nlen_size=self.width)
        self.model = Model(message, self.width)

    # Octets mostly small, so that an NLEN made of them lies in the file.
    @rule(
        offset=st.integers(0, SIZE + 2),
        data=st.lists(st.integers(0, 6) | st.integers(0, 255), min_size=1, max_size=SIZE + 1).map(bytes),
    )
    def update(self, offset: int, data: bytes) -> None:
        if offset + len(data) > SIZE:
            with pytest.raises(CommandError):
                self.file.update(offset, data)
            return
        expected: WriteBegun | WriteContinued | Committed
        expected = WriteContinued() if self.model.updates else WriteBegun()
        self.model.updates.append((offset, data))
        _, committed = self.model.replay()
        if committed is not None:
            expected = Committed(committed)
            self.model.updates.clear()
        assert self.file.update(offset, data) == expected

    @rule(value=st.integers(0, SIZE))
    def update_nlen(self, value: int) -> None:
        self.update(0, value.to_bytes(self.width, "big"))

    @rule(offset=st.integers(0, 3), count=st.integers(1, SIZE))
    def update_much(self, offset: int, count: int) -> None:
        self.update(self.width + offset, b"\x05" * count)

    @rule(message=st.binary(max_size=SIZE - 4))
    def publish(self, message: bytes) -> None:
        self.file.publish(message)
        self.model = Model(message, self.width)

    @rule()
    def roll_back(self) -> None:
        assert self.file.rollback() == bool(self.model.updates)
        self.model.updates.clear()

    @rule(offset=st.integers(0, SIZE - 1), count=st.integers(1, SIZE))
    def read(self, offset: int, count: int) -> None:
        count = min(count, SIZE - offset)
        octets, _ = self.model.replay()
        assert self.file.read(offset, count) == bytes(octets[place] for place in range(offset, offset + count))

    @invariant()
    def same(self) -> None:
        octets, _ = self.model.replay()
        assert self.file.read(0, SIZE) == bytes(octets[place] for place in range(SIZE))
        assert self.file.writing == bool(self.model.updates)
        assert self.file.message == self.model.message


class LongNlen(NdefFileAgainstModel):
    width = 4


@pytest.mark.parametrize("machine", [NdefFileAgainstModel, LongNlen], ids=["NLEN of 2 octets", "NLEN of 4 octets"])
def test_the_file_and_the_model_agree_over_any_sequence(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=150, stateful_step_count=30))
