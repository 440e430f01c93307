"""The card's stack: the one place that knows the order of the layers on the card's side.

    frame -> isodep.CardLink -> type4.Type4Card -> text -> framing -> RequestReceived
    frame <- isodep.CardLink <- type4.Type4Card <- text <- framing <- answer()

`CardStack` begins at the APDU (links such as vpcd), `BlockCardStack` puts ISO 14443-4 below it. Both have the same
calls, do no I/O and read no clock: octets and `now` (seconds, any monotonic clock) in, events out.

A held command: while a request is processed, the committing UPDATE and every READ of the NDEF file keep their
response back, until the answer is in the file or the hold time has passed. Nobody else's command is ever held.
"""

from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from nfcbridge.airtime import command_time
from nfcbridge.errors import RecordError, RequestError
from nfcbridge.framing import (
    Answer,
    Delivered,
    Discarded,
    Effect,
    Exchange,
    ExchangeConfig,
    Execute,
    Expired,
    GiveUp,
    Pipelined,
    Publish,
    RefuseWrites,
    RollBack,
    State,
    format_answer,
    parse_request,
)
from nfcbridge.isodep import SendFrame
from nfcbridge.stack.events import (
    AnswerExpired,
    AnswerRead,
    AnswerReady,
    AnswerTooLarge,
    FieldLost,
    LateAnswer,
    ReadWithoutLength,
    Reason,
    RequestBroken,
    RequestGivenUp,
    RequestReceived,
    TagActivated,
    TagDeselected,
    WriteRefused,
    WriteRolledBack,
)
from nfcbridge.stack.events import Event as StackEvent
from nfcbridge.text import decode_text, encode_text
from nfcbridge.type4 import (
    CardConfig,
    CommandAPDU,
    Committed,
    ReadUpTo,
    Report,
    RolledBack,
    Type4Card,
    WriteBegun,
    WriteContinued,
)
from nfcbridge.type4 import WriteRefused as UpdateRefused

Event = SendFrame | StackEvent

NLEN_SIZE: Final = 2  # octets before the message in the file, mapping 2.0
DEFAULT_FRAME_SIZE: Final = 256  # FSD and FSC where the link does not say: what phones and readers have
MAX_SIZES: Final = (
    4096  # commands whose air time is counted for one exchange: a 32 kB message in 15-octet READs needs 2,200
)
WRITES: Final = frozenset({State.WRITING, State.REWRITING})
# What every command is compared with: before Python 3.12 getting a member from its class takes longer than comparing.
_IDLE: Final = State.IDLE
_PROCESSING: Final = State.PROCESSING
GATEWAY_TIMEOUT: Final = 504
CONTENT_TOO_LARGE: Final = 413


class Held(msgspec.Struct, frozen=True, gc=False):
    """A command whose response is kept back until `until` at the latest.

    Either the response of the UPDATE that committed is there, or the READ that is still to be executed. `says_length`:
    the UPDATE had an Le, as only our own reader sends it, and the response begins with the NLEN of the answer.
    """

    until: float
    response: bytes = b""
    read: bytes = b""
    says_length: bool = False


def offset_of(read: bytes) -> int:
    """The file offset of a READ BINARY."""
    return int.from_bytes(read[2:4], "big")


class CardStack:
    """One tag from its APDUs up: give it APDUs and answers, send what it says.

    Args:
        card: the limits in the CC.
        exchange: the times and policies of the one outstanding request.
        language: the language code of the Text records that it writes.

    Attributes:
        commands: how many APDUs it has received; a presence check sends none.
        frame_size: octets of the longest frame that the reader takes (FSD).
        fsc: octets of the longest frame that the card takes.
    """

    def __init__(
        self, card: CardConfig | None = None, exchange: ExchangeConfig | None = None, *, language: str = "en"
    ) -> None:
        self.config = card or CardConfig()
        exchange = exchange or ExchangeConfig()
        self.tag = Type4Card(self.config, exchange.idle)
        self.exchange = Exchange(exchange)
        self.frame_size = DEFAULT_FRAME_SIZE
        self.fsc = DEFAULT_FRAME_SIZE
        self.commands = 0
        self._language = language
        self._sizes: list[tuple[int, int]] = []  # octets of (command, response) since the write began
        self._command_size = 0
        self._held: Held | None = None
        self._message_id = b"null"
        self._answer: AnswerReady | None = None  # of the answer in the file, until it was read to its end
        self._committed_at = 0.0
        self._length_read = True  # NLEN was read since the commit, in the same activation
        self._stand_in: bytes | None = None  # the message whose NLEN the reader has, where that is no answer

    # What the reader does

    def receive(self, apdu: bytes, now: float) -> list[Event]:
        """Take one command APDU; its response is the SendFrame in what this or a later call returns."""
        events = self._timers(now)
        self.commands += 1
        self._command_size = len(apdu)
        self._held = None  # a new command: nobody waits for the response of the last one
        if self._stand_in is not None and self.tag.reads_ndef_file(apdu) and offset_of(apdu) >= NLEN_SIZE:
            return self._read_on(apdu, self._stand_in, events)
        if self.exchange.state is _PROCESSING and self.tag.reads_ndef_file(apdu):
            until = self.exchange.hold_until(now)
            if until is not None:
                self._held = Held(until, read=apdu)
                return events
        return self._execute(apdu, events, now)

    def _read_on(self, apdu: bytes, stand_in: bytes, events: list[Event]) -> list[Event]:
        """Answer a READ past NLEN from the message whose NLEN was read, or the reader has a part of each of two."""
        answer = self.tag.message
        self.tag.publish(stand_in)
        response, _ = self.tag.receive_command(apdu)
        self.tag.publish(answer)
        return self._send(response, events)

    def _execute(self, apdu: bytes, events: list[Event], now: float) -> list[Event]:
        response, report = self.tag.receive_command(apdu)
        if report is None:
            return self._send(response, events)
        if isinstance(report, ReadUpTo):
            self._send(response, events)
            self._read_up_to(report, offset_of(apdu), events, now)
            return events
        self._reported(report, events, now)
        until = self.exchange.hold_until(now) if isinstance(report, Committed) else None
        if until is None:
            return self._send(response, events)
        self._held = Held(until, response=response, says_length=CommandAPDU.parse(apdu).ne is not None)
        return events

    def _send(self, response: bytes, events: list[Event]) -> list[Event]:
        if len(self._sizes) < MAX_SIZES:
            self._sizes.append((self._command_size, len(response)))
        events.append(SendFrame(response))
        return events

    def selected(self, now: float) -> list[Event]:
        """The reader has selected the tag, perhaps again; it has not activated it yet. Nobody waits for a response."""
        return self._gone(now)

    def activated(self, frame_size: int, now: float) -> list[Event]:
        """The reader has activated the tag anew (RATS, or power on and reset of a PC/SC reader)."""
        events = self._gone(now)
        self.frame_size = frame_size
        again = self.exchange.state not in {_IDLE, State.WRITING}
        self._apply(self.exchange.reactivated(now), events, now)
        self._length_read = True
        self._stand_in = None
        events.append(TagActivated(frame_size, again))
        return events

    def deselected(self, now: float) -> list[Event]:
        """The reader has sent S(DESELECT)."""
        events = self._gone(now)
        events.append(TagDeselected())
        return events

    def field_lost(self, now: float) -> list[Event]:
        """The field is gone. Only a half-written message goes with it."""
        events = self._gone(now)
        events.append(FieldLost())
        return events

    def _gone(self, now: float) -> list[Event]:
        events = self._timers(now)
        self._held = None
        if self.tag.reset():
            self._rolled_back(events, now)
        return events

    # What the application does

    def answer(self, number: int, answer: Answer, now: float) -> list[Event]:
        """Put the answer to request `number` into the file and send what was held for it.

        An answer that the file cannot hold becomes a 413 without content. One that comes late is dropped.
        """
        events = self._timers(now)
        self._put(number, answer, events, now)
        return events

    def _put(self, number: int, answer: Answer, events: list[Event], now: float) -> None:
        limit = self.config.file_size - NLEN_SIZE
        octets = len(answer.content)
        message = b""
        if octets <= limit:  # before it is encoded: a Text record has a limit of its own
            message = self._encode(answer)
            octets = len(message)
        if octets > limit:
            events.append(AnswerTooLarge(number, octets, limit))
            answer = Answer(CONTENT_TOO_LARGE)
            message = self._encode(answer)
            if len(message) > limit:  # the messageID alone is too large to be echoed
                self._message_id = b"null"
                message = self._encode(answer)
        effects = self.exchange.answered(number, message, now)
        self._apply(effects, events, now)
        if not any(isinstance(effect, Discarded) for effect in effects):
            self._answer = AnswerReady(number, answer.status, len(message), now - self._committed_at)
            events.append(self._answer)
            self._release(events, now)

    def _encode(self, answer: Answer) -> bytes:
        return encode_text(format_answer(Answer(answer.status, answer.content, self._message_id)), self._language)

    def _release(self, events: list[Event], now: float) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        if held.read:
            self._execute(held.read, events, now)
        else:
            length = len(self.tag.message).to_bytes(NLEN_SIZE, "big") if held.says_length else b""
            self._send(length + held.response, events)

    # Time

    @property
    def owes_reply(self) -> bool:
        """The reader waits for us, silently: a command is held."""
        return self._held is not None

    @property
    def held_until(self) -> float | None:
        """The time at which the held command is answered at the latest."""
        return self._held.until if self._held else None

    def next_deadline(self) -> float | None:
        """The time at which `handle_timer` is to be called, None if never."""
        deadline = self.exchange.next_deadline()
        held = self.held_until
        if held is None:
            return deadline
        return held if deadline is None or held < deadline else deadline

    def handle_timer(self, now: float) -> list[Event]:
        """Let pass what is due at `now`; calling it early does nothing."""
        events = self._timers(now)
        if self._held is not None and now >= self._held.until:
            self._release(events, now)  # the file now holds what the policy says while it is not ready
        return events

    def _timers(self, now: float) -> list[Event]:
        events: list[Event] = []
        deadline = self.exchange.next_deadline()
        if deadline is not None and now >= deadline:
            self._apply(self.exchange.handle_timer(now), events, now)
        return events

    # Reports of the tag go to the exchange, effects of the exchange to the tag

    def _reported(self, report: Report, events: list[Event], now: float) -> None:
        if isinstance(report, (WriteBegun, Committed)) and self.exchange.state not in WRITES:
            self._sizes.clear()
            self._stand_in = None
        if isinstance(report, WriteBegun):
            self._apply(self.exchange.write_begun(now), events, now)
        elif isinstance(report, WriteContinued):
            self._apply(self.exchange.write_continued(now), events, now)
        elif isinstance(report, Committed):
            self._commit(report.message, events, now)
        elif isinstance(report, UpdateRefused):
            reason = Reason.PROCESSING if self.exchange.state is _PROCESSING else Reason.UNREAD
            self._apply(self.exchange.write_refused(now), events, now)
            events.append(WriteRefused(reason, self.exchange.pipelining_count))
        elif isinstance(report, RolledBack):
            self._rolled_back(events, now)

    def _rolled_back(self, events: list[Event], now: float) -> None:
        events.append(WriteRolledBack())
        self._apply(self.exchange.rolled_back(now), events, now)

    def _commit(self, message: bytes, events: list[Event], now: float) -> None:
        self._message_id = b"null"
        self._answer = None
        self._committed_at = now
        self._length_read = False
        effects = self.exchange.committed(now)
        number = self.exchange.number
        try:
            request = parse_request(decode_text(message))
        except RecordError as error:
            self._broken(number, RequestError(str(error), status=400), effects, events, now)
        except RequestError as error:
            self._broken(number, error, effects, events, now)
        else:
            self._message_id = request.message_id
            self._apply(effects, events, now)
            events.append(RequestReceived(number, request, len(message)))

    def _broken(self, number: int, error: RequestError, effects: list[Effect], events: list[Event], now: float) -> None:
        self._message_id = error.message_id
        self._apply(effects, events, now)
        events.append(RequestBroken(number, error.status, str(error)))
        self._put(number, Answer(error.status), events, now)

    def _read_up_to(self, report: ReadUpTo, start: int, events: list[Event], now: float) -> None:
        if start < NLEN_SIZE:
            self._length_read = True
            self._stand_in = self.tag.message if self.exchange.state is _PROCESSING else None
        if report.offset > NLEN_SIZE and not self._length_read and self.exchange.state is not _IDLE:
            events.append(ReadWithoutLength(self.exchange.number))
            self._length_read = True
        self._apply(self.exchange.read_up_to(report.offset, report.end, now), events, now)

    def _air_time(self) -> float:
        return sum(command_time(command, response, self.frame_size, fsc=self.fsc) for command, response in self._sizes)

    def _apply(self, effects: list[Effect], events: list[Event], now: float) -> None:
        for effect in effects:
            self._APPLY[type(effect)](self, effect, events, now)

    def _publish(self, effect: Publish, _events: list[Event], _now: float) -> None:
        self.tag.publish(effect.message)

    def _refuse(self, effect: RefuseWrites, _events: list[Event], _now: float) -> None:
        self.tag.refuse_writes = effect.refuse

    def _roll_back(self, _effect: RollBack, events: list[Event], _now: float) -> None:
        self.tag.rollback()
        events.append(WriteRolledBack())

    def _give_up(self, effect: GiveUp, events: list[Event], now: float) -> None:
        events.append(RequestGivenUp(effect.number))
        self._put(effect.number, Answer(GATEWAY_TIMEOUT), events, now)

    def _delivered(self, _effect: Delivered, events: list[Event], _now: float) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            events.append(AnswerRead(answer.number, answer.status, answer.octets, answer.core, self._air_time()))

    def _expired(self, effect: Expired, events: list[Event], _now: float) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:  # it was not read to its end
            events.append(AnswerExpired(effect.number, not effect.unread))

    def _discarded(self, effect: Discarded, events: list[Event], _now: float) -> None:
        events.append(LateAnswer(effect.number))

    def _nothing(self, _effect: Effect, _events: list[Event], _now: float) -> None:
        """The stack told of it already, where it happened."""

    _APPLY: ClassVar[dict[type, Callable[..., None]]] = {
        Publish: _publish,
        RefuseWrites: _refuse,
        RollBack: _roll_back,
        GiveUp: _give_up,
        Delivered: _delivered,
        Expired: _expired,
        Discarded: _discarded,
        Execute: _nothing,
        Pipelined: _nothing,
    }
