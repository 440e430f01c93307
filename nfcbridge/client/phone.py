"""A phone: it finds the tag on a link, activates it, and exchanges requests for answers.

Blocking, for one thread at a time.

    exchange() -> stack.reader (APDUs) -> isodep.ReaderLink (blocks) -> ReaderEnd (frames)
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from nfcbridge.errors import LinkError, LinkTimeoutError, RemoteProtocolError
from nfcbridge.framing import Answer, Request
from nfcbridge.isodep import OUR_HISTORICAL, Activated, Ats, ReaderEvent, ReaderLink, ResponseReceived, SendFrame
from nfcbridge.links import CardFound, Level, ReaderEnd
from nfcbridge.stack.reader import Pause, exchange
from nfcbridge.type4 import TagInfo, WriteOrder, detect, run_procedure

CONNECT_TIMEOUT: Final = 5.0  # seconds to wait for a tag
READ_TIMEOUT: Final = 15.0  # seconds for an exchange: a charge controller gives a request up after 8
APDU_TIMEOUT: Final = 10.0  # seconds for a response on links of APDUs, which extend waiting times below us
MAX_FSD: Final = 256  # octets; what every phone has

_T = TypeVar("_T")
Watch = Callable[[bytes, bytes], None]


class Statistics(msgspec.Struct):
    """What a phone counted since it was made. Octets are those of APDUs."""

    activations: int = 0
    exchanges: int = 0
    commands: int = 0
    octets_sent: int = 0
    octets_received: int = 0


class Phone:
    """The reader's side of one link.

    Args:
        end: an open reader end; it is closed with the phone.
        order: how requests are written; by default what suits the tag.
        language: language code of the Text records.
        watch: called with every command and its response.
    """

    def __init__(
        self,
        end: ReaderEnd,
        *,
        order: WriteOrder | None = None,
        language: str = "en",
        watch: Watch | None = None,
    ) -> None:
        self.end = end
        self.statistics = Statistics()
        self.tag: TagInfo | None = None
        self.ours = False
        self._order = order
        self._language = language
        self._watch = watch
        self._link: ReaderLink | None = None
        self._number = 0

    def connect(self, timeout: float = CONNECT_TIMEOUT) -> TagInfo:
        """Wait for a tag, activate it and find its NDEF file. Does nothing while a tag is there.

        Raises:
            LinkTimeoutError: no tag came in time.
            LinkError: the link or device failed.
            RemoteProtocolError: what came is no Type 4 Tag with an NDEF file.
        """
        if self.tag is None:
            found = self.end.activate(timeout)
            self.ours = OUR_HISTORICAL in self._start_link(found)
            self.statistics.activations += 1
            self.tag = run_procedure(detect(), self.transmit)
        return self.tag

    def exchange(
        self,
        method: str,
        path: str,
        *,
        authorization: str | None = None,
        content: bytes = b"",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> Answer:
        """Send a request and wait for its answer; a tag that is not there yet is waited for.

        Args:
            method: upper case.
            path: with its query.
            authorization: the session id, if there is one.
            content: a JSON document, or nothing.
            connect_timeout: seconds to wait for a tag.
            read_timeout: seconds for all of the exchange after that.

        Raises:
            LinkTimeoutError: no tag, or no answer in time. The request may have been executed in the second case.
            LinkError: the link failed or the tag was taken away.
            CommandError: the tag refused a command.
            RemoteProtocolError: the answer is broken.
            LocalProtocolError: the request does not fit the tag.
        """
        tag = self.connect(connect_timeout)
        self._number += 1
        request = Request(path, method, authorization, str(self._number).encode(), content)
        try:
            answer = self._exchange(tag, request, time.monotonic() + read_timeout)
        except (LinkError, RemoteProtocolError):
            self.disconnect()
            raise
        self.statistics.exchanges += 1
        return answer

    def _exchange(self, tag: TagInfo, request: Request, deadline: float) -> Answer:
        steps = exchange(tag, request, order=self._order, ours=self.ours, language=self._language)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    if time.monotonic() + step.seconds > deadline:
                        raise LinkTimeoutError(
                            "the card has the request but no answer came in time: it may have been executed"
                        )
                    time.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(self.transmit(step))
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def transmit(self, command: bytes) -> bytes:
        """Send a command APDU and wait for its response.

        Raises:
            LinkTimeoutError: the card stays silent.
            LinkError: the link failed or the tag was taken away.
            BlockError: the card breaks the block protocol.
        """
        self.statistics.commands += 1
        self.statistics.octets_sent += len(command)
        if self._link is None:
            response = self.end.transceive(command, APDU_TIMEOUT)
            if response is None:
                raise LinkTimeoutError(f"no response from the card within {APDU_TIMEOUT:g} s")
        else:
            response = self._pump(self._link.send_command(command, time.monotonic()), ResponseReceived).apdu
        self.statistics.octets_received += len(response)
        if self._watch is not None:
            self._watch(command, response)
        return response

    def disconnect(self) -> None:
        """Switch the field off; the next exchange activates the tag again."""
        self.tag = None
        self._link = None
        self.end.field_off()

    def close(self) -> None:
        """Switch the field off and free the link."""
        self.tag = None
        self._link = None
        self.end.close()

    def _start_link(self, found: CardFound) -> bytes:
        """Begin to speak to the card found. Gives the octets by which a card may be known."""
        self._link = None
        if self.end.level is Level.APDUS:
            return (found.ats or b"") + (found.atr or b"")
        fsd = min(self.end.max_frame, MAX_FSD)
        if found.ats is not None:  # the driver has sent the RATS
            ats = Ats.parse(found.ats)
            self._link = ReaderLink(fsd=fsd, ats=ats)
            return ats.historical
        link = self._link = ReaderLink(fsd=fsd)
        self._pump(link.rats(time.monotonic()), Activated)
        return link.ats.historical if link.ats else b""

    def _pump(self, events: Sequence[ReaderEvent], wanted: type[_T]) -> _T:
        """Carry frames to and fro until the block protocol reports what is wanted."""
        link = self._link
        if link is None:
            raise LinkError("the card was not activated")
        while True:
            frame = b""
            for event in events:
                if isinstance(event, wanted):
                    return event
                if isinstance(event, SendFrame):
                    frame = event.frame
            deadline = link.next_deadline()
            now = time.monotonic()
            if deadline is None:
                deadline = now
            reply = self.end.transceive(frame, max(0.0, deadline - now)) if frame else None
            now = time.monotonic()
            events = link.handle_timer(max(now, deadline)) if reply is None else link.receive_frame(reply, now)
