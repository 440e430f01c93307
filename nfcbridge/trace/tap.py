"""Taps: an end of a link that records what crosses it and is otherwise the end inside."""

from typing import Protocol

from nfcbridge.errors import FieldLostError
from nfcbridge.links.link import CardEnd, CardFound, CardSelected, Frame, Incoming, ReaderEnd


class Listener(Protocol):
    """What a tap tells, in the link's thread: it must be quick and must not raise. `Recorder` is one."""

    def record_reader(self, octets: bytes) -> None:
        """The reader has sent a frame, now."""

    def record_card(self, octets: bytes) -> None:
        """The card sends a frame, now."""

    def record_field(self, *, on: bool) -> None:
        """The card was selected, or the field is gone, now."""


class TappedCard:
    """A card end that is recorded. It implements `CardEnd`.

    Args:
        end: the end that does the work; it is closed with this one.
        recorder: is told; stays open.

    Attributes:
        inner: the end that does the work.
    """

    def __init__(self, end: CardEnd, recorder: Listener) -> None:
        self.name = end.name
        self.level = end.level
        self.max_frame = end.max_frame
        self.link_sends_ats = end.link_sends_ats
        self.inner = end
        self._recorder = recorder

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        incoming = self.inner.receive(timeout)
        if isinstance(incoming, Frame):
            self._recorder.record_reader(incoming.octets)
        elif incoming is not None:
            self._recorder.record_field(on=isinstance(incoming, CardSelected))
        return incoming

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`."""
        self._recorder.record_card(octets)
        self.inner.send(octets)

    def halt(self) -> None:
        """See `CardEnd.halt`."""
        self.inner.halt()

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        self._recorder.record_field(on=False)
        self.inner.lose_field()

    def close(self) -> None:
        """See `CardEnd.close`."""
        self.inner.close()


class TappedReader:
    """A reader end that is recorded. It implements `ReaderEnd`.

    Args:
        end: the end that does the work; it is closed with this one.
        recorder: is told; stays open.
    """

    def __init__(self, end: ReaderEnd, recorder: Listener) -> None:
        self.name = end.name
        self.level = end.level
        self.max_frame = end.max_frame
        self._end = end
        self._recorder = recorder
        self._field_on = False

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        found = self._end.activate(timeout)
        self._field_on = True
        self._recorder.record_field(on=True)
        return found

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        self._recorder.record_reader(octets)
        try:
            answer = self._end.transceive(octets, timeout)
        except FieldLostError:
            self._lose_field()
            raise
        if answer is not None:
            self._recorder.record_card(answer)
        return answer

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        self._lose_field()
        self._end.field_off()

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        self._lose_field()
        self._end.close()

    def _lose_field(self) -> None:
        if self._field_on:
            self._field_on = False
            self._recorder.record_field(on=False)
