"""A phone: it finds the tag on a link, activates it, and exchanges requests for answers.

Blocking, for one thread at a time; only `close` may be called by any thread.

    exchange() -> delivery (touches) -> stack.reader (APDUs) -> isodep.ReaderLink (blocks) -> ReaderEnd (frames)
"""

import secrets
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from math import inf
from typing import Final, TypeVar

import msgspec

from nfcbridge.client.delivery import Delivery
from nfcbridge.client.tracing import Tell, tell_nobody
from nfcbridge.errors import BlockError, FieldLostError, LinkError, LinkTimeoutError, LocalProtocolError, NfcBridgeError
from nfcbridge.framing import Answer, Request
from nfcbridge.isodep import (
    OUR_HISTORICAL,
    Activated,
    Ats,
    PresenceConfirmed,
    ReaderEvent,
    ReaderLink,
    ResponseReceived,
    SendFrame,
)
from nfcbridge.isodep.ats import FRAME_SIZES
from nfcbridge.links import CardFound, Level, ReaderEnd
from nfcbridge.stack.reader import Pause
from nfcbridge.type4 import TagInfo, WriteOrder, detect, run_procedure

CONNECT_TIMEOUT: Final = 5.0  # seconds to wait for a tag
DETECT_TIMEOUT: Final = 5.0  # seconds for activation and detection of a tag that has come, which take 0.1 as a rule
READ_TIMEOUT: Final = 15.0  # seconds for an exchange: a charge controller gives a request up after 8
APDU_TIMEOUT: Final = 10.0  # seconds for a response on links of APDUs, which extend waiting times below us
MAX_FSD: Final = 256  # octets; what every phone has
TRUSTED: Final = 0.5  # seconds for which a tag that was heard is taken to be there: a hand is hardly faster
LOOK_AGAIN: Final = 0.01  # seconds before a tag that was lost while it was detected is looked for again
LOWEST_ID: Final = 100_000
HIGHEST_ID: Final = 999_999
"""The first messageID of a phone is any of these, so that of two phones none takes an answer to the other for its own.
Each digit costs 0.17 ms of air time, request and answer."""

_RANDOM_UID: Final = 4  # octets; ISO 14443-3 has 08 as the first of them
_T = TypeVar("_T")
Watch = Callable[[bytes, bytes], None]
Clock = Callable[[], float]
Sleep = Callable[[float], None]


class Statistics(msgspec.Struct):
    """What a phone counted since it was made. Octets are those of APDUs.

    Attributes:
        activations: tags that were activated, the same one again included.
        exchanges: requests that were answered.
        torn: how often an exchange was torn and the tag had to be found again.
        repeated: requests that were written again, since they had not been executed or may be executed twice.
        recovered: answers that were read in another activation than their request was committed in.
        commands: APDUs that were sent, also those that got no response.
        octets_sent: of these.
        octets_received: of their responses.
    """

    activations: int = 0
    exchanges: int = 0
    torn: int = 0
    repeated: int = 0
    recovered: int = 0
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
        statistics: where to count; by default from 0.
        first_id: the messageID of the first request; the next ones count on. By default a random one.
        clock: tells the time in seconds; it only grows.
        sleep: lets so many seconds pass.

    Attributes:
        tag: what the tag announces; None while there is no tag.
        ours: the tag is one of ours.
        tell: told what happens to a request, see `client.tracing`; must not raise.
        last_moment: on the phone's clock; a tag that has come gets no time beyond it.
    """

    def __init__(
        self,
        end: ReaderEnd,
        *,
        order: WriteOrder | None = None,
        language: str = "en",
        watch: Watch | None = None,
        statistics: Statistics | None = None,
        first_id: int | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.end = end
        self.clock = clock
        self.sleep = sleep
        self.order = order
        self.language = language
        self.statistics = statistics or Statistics()
        self.tag: TagInfo | None = None
        self.ours = False
        self.tell: Tell = tell_nobody
        self.last_moment = inf
        self._watch = watch
        self._link: ReaderLink | None = None
        if first_id is None:
            first_id = LOWEST_ID + secrets.randbelow(HIGHEST_ID - LOWEST_ID + 1)
        self._number = first_id - 1
        self._last_id: bytes | None = None  # of the last request that was answered
        self._uid = b""
        self._heard_at = -inf
        self._give_up_at = inf

    def connect(self, timeout: float = CONNECT_TIMEOUT) -> TagInfo:
        """Wait for a tag, activate it and find its NDEF file. Does nothing while a tag is there.

        A tag that was not heard for TRUSTED seconds is asked by one short frame whether it is still there. If not, it
        is looked for anew, and no request is lost to a tag that was taken away meanwhile.

        Args:
            timeout: seconds to wait for a tag. One that has come gets DETECT_TIMEOUT for the rest; if it falls silent
                before `timeout` is over, it is looked for anew.

        Raises:
            LinkTimeoutError: no tag came in time, or it fell silent again and again.
            LinkError: the link or device failed.
            RemoteProtocolError: what came is no Type 4 Tag with an NDEF file.
        """
        if self.tag is not None and not self._is_there():
            self.disconnect()
        if self.tag is None:
            self.tag = self._find_tag(self.clock() + timeout)
        return self.tag

    def _find_tag(self, end_of_wait: float) -> TagInfo:
        """Activate a tag and detect it. After a silence all of it begins anew, which is safe: nothing was written.

        A card hears the RATS once after it was selected, so an ATS that is lost cannot be had by asking again.
        """
        while True:
            try:
                found = self.end.activate(max(0.0, end_of_wait - self.clock()))
                try:
                    tag = self._detect(found)
                    self._uid = found.uid
                    return tag
                except (LinkTimeoutError, FieldLostError) as error:
                    if self.clock() >= end_of_wait:
                        raise LinkTimeoutError(
                            f"{error}: hold the phone still on the tag, and see that the emulator is running"
                        ) from error
                self.disconnect()
                self.sleep(LOOK_AGAIN)
            except BaseException:
                self.disconnect()
                raise

    def _detect(self, found: CardFound) -> TagInfo:
        """Start the block protocol with the card found and find its NDEF file, in DETECT_TIMEOUT."""
        self._give_up_at = min(self.clock() + DETECT_TIMEOUT, self.last_moment)
        try:
            self.ours = OUR_HISTORICAL in self._start_link(found)
            self.statistics.activations += 1
            return run_procedure(detect(), self.transmit)
        finally:
            self._give_up_at = inf

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

        A tag that slips away in the middle is waited for as well, see `Delivery`. No request is executed twice but a
        safe one (RFC 9110: GET, HEAD, OPTIONS).

        Args:
            method: upper case.
            path: with its query.
            authorization: the session id, if there is one.
            content: a JSON document, or nothing.
            connect_timeout: seconds to wait for a tag.
            read_timeout: seconds for all of the exchange after that. A card that asks for more than
                `isodep.reader.MAX_WAIT` for one command is given up before.

        Raises:
            LinkTimeoutError: no tag, or no answer in time.
            LinkError: the link failed or the tag was taken away.
            CommandError: the tag refused a command.
            RemoteProtocolError: the answer is broken.
            LocalProtocolError: there is no such request, or it does not fit the tag. Nothing of it was sent.
            Any of them: `maybe_executed` tells whether the request may have been executed.
        """
        number = self._number + 1
        try:
            request = Request(path, method, authorization, str(number).encode(), content)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error
        self.connect(connect_timeout)
        # What does not fit the tag is refused here, and the tag stays.
        delivery = Delivery(self, request, self.clock() + read_timeout, last_id=self._last_id)
        self._number = number
        try:
            answer = delivery.run()
        except BaseException as error:  # whatever it was, the tag waits for the rest of something else
            self.disconnect()
            if isinstance(error, NfcBridgeError):
                error.maybe_executed = delivery.maybe_executed
            raise
        self._last_id = request.message_id
        self.statistics.exchanges += 1
        return answer

    def find_again(self, end_of_wait: float) -> TagInfo:
        """Wait for the tag that was there before, and make sure that it is not another one.

        Raises:
            LinkError: as `connect`, or another tag came. A UID that is random (08 and three octets) tells nothing.
        """
        before = self._uid
        self.disconnect()
        self.tag = self._find_tag(end_of_wait)
        if len(before) > _RANDOM_UID or before[:1] not in {b"", b"\x08"}:
            after = self._uid
            if after != before:
                self.disconnect()
                raise LinkError(
                    f"another tag came ({after.hex()} after {before.hex()}): hold the phone on the first one"
                )
        return self.tag

    def carry_out(
        self, steps: Generator[bytes | Pause, bytes, _T], give_up_at: float, first: bytes | Pause | None = None
    ) -> _T:
        """Send the commands of a procedure and make its pauses, until it has its result or `give_up_at`.

        Args:
            steps: the procedure.
            give_up_at: on the phone's clock.
            first: its first step, where it has begun already.

        Raises:
            LinkTimeoutError: the time was over first; and all that `transmit` and the procedure raise.
        """
        self._give_up_at = give_up_at
        try:
            step = next(steps) if first is None else first
            while True:
                if isinstance(step, Pause):
                    if self.clock() + step.seconds > give_up_at:
                        raise LinkTimeoutError(
                            "the card has the request but no answer came in time: it may have been executed"
                        )
                    self.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(self.transmit(step))
        except StopIteration as end:
            result: _T = end.value
            return result
        finally:
            self._give_up_at = inf

    def transmit(self, command: bytes) -> bytes:
        """Send a command APDU and wait for its response.

        Raises:
            LinkTimeoutError: the card stays silent, or the time of the exchange is over.
            LinkError: the link failed, the tag was taken away, or there is none.
            BlockError: the card breaks the block protocol.
        """
        self.statistics.commands += 1
        self.statistics.octets_sent += len(command)
        if self._link is not None:
            events = self._link.send_command(command, self.clock())
            response = self._pump(self._link, events, ResponseReceived).apdu
        elif self.end.level is Level.APDUS:
            response = self._transceive_apdu(command)
        else:
            raise LinkError(f"no card is activated at {self.end.name}: connect() comes first")
        self.statistics.octets_received += len(response)
        if self._watch is not None:
            self._watch(command, response)
        return response

    def _transceive_apdu(self, command: bytes) -> bytes:
        timeout = min(APDU_TIMEOUT, self._give_up_at - self.clock())
        response = self.end.transceive(command, timeout) if timeout > 0 else None
        if response is None:
            raise LinkTimeoutError(f"no response from the card at {self.end.name} in time")
        return response

    def disconnect(self) -> None:
        """Switch the field off; the next exchange activates the tag again."""
        self.tag = None
        self._link = None
        self.end.field_off()

    def close(self) -> None:
        """Switch the field off and free the link. An exchange of another thread ends with LinkClosedError."""
        self.end.close()

    def _start_link(self, found: CardFound) -> bytes:
        """Begin to speak to the card found. Gives the octets by which a card may be known."""
        if self.end.level is Level.APDUS:
            return (found.ats or b"") + (found.atr or b"")
        largest = bisect_right(FRAME_SIZES, self.end.max_frame) - 1  # index of what the link carries
        fsd = min(FRAME_SIZES[largest], MAX_FSD)
        if found.ats is not None:  # the driver has sent the RATS
            link = self._link = ReaderLink(fsd=fsd, ats=Ats.parse(found.ats))
        else:
            link = self._link = ReaderLink(fsd=fsd)
            self._pump(link, link.rats(self.clock()), Activated)
        ats = link.ats or Ats()
        link.ats = msgspec.structs.replace(ats, fsci=min(ats.fsci, largest))
        self.sleep(max(0.0, link.quiet_until - self.clock()))
        return ats.historical

    def _is_there(self) -> bool:
        """Whether the tag is still there. On a link of APDUs whoever is below us knows."""
        now = self.clock()
        if self._link is None or now - self._heard_at < TRUSTED:
            return True
        try:
            self._pump(self._link, self._link.presence_check(now), PresenceConfirmed)
        except (LinkError, BlockError):
            return False
        return True

    def _pump(self, link: ReaderLink, events: Sequence[ReaderEvent], wanted: type[_T]) -> _T:
        """Carry frames to and fro until the block protocol reports what is wanted."""
        while True:
            for event in events:
                if isinstance(event, wanted):
                    return event
            # While something is out there is news, or exactly one frame to send: `ReaderLink` says so.
            (frame,) = [event.frame for event in events if isinstance(event, SendFrame)]
            now = self.clock()
            if now >= self._give_up_at:
                raise LinkTimeoutError(f"the card at {self.end.name} was not done in time, and may be later")
            deadline = link.next_deadline() or now
            reply = self.end.transceive(frame, max(0.0, min(deadline, self._give_up_at) - now))
            now = self.clock()
            if reply is None:
                events = link.handle_timer(max(now, deadline))
            else:
                self._heard_at = now
                events = link.receive_frame(reply, now)
