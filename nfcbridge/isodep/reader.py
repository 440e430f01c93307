"""The reader's end of ISO-DEP: command APDUs and time in, frames and response APDUs out.

What the reader does is `ReaderLink._RULES`, a table over its state and over what the frame is to it. A pair that is not
there is a fault, and so is silence: the reader then asks again as its state says, a bounded number of times, and gives
up by an exception. Rule letters and numbers are those of ISO/IEC 14443-4 (A and B for block numbers, 4 to 8 for the
reader).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar, Final, NoReturn

from nfcbridge.errors import BlockError, ConfigError, LinkTimeoutError, LocalProtocolError
from nfcbridge.isodep.activation import Pps, Rats
from nfcbridge.isodep.ats import BASE_RATE, BIT_RATES, CARRIER, FRAME_SIZES, MAX_FWI, Ats, waiting_time
from nfcbridge.isodep.blocks import (
    CID,
    CID_MASK,
    CRC_OCTETS,
    I_BLOCK,
    MAX_CID,
    MAX_COMMAND,
    MAX_RESPONSE,
    MAX_WTXM,
    MORE,
    R_ACK,
    R_NAK,
    S_DESELECT,
    S_WTX,
    WTXM_MASK,
    build_block,
)
from nfcbridge.isodep.events import (
    Activated,
    BitRateChanged,
    DeselectConfirmed,
    PresenceConfirmed,
    ReaderEvent,
    ResponseReceived,
    Retransmitted,
    SendFrame,
    WaitExtended,
)
from nfcbridge.isodep.inputs import READER_INPUTS
from nfcbridge.isodep.inputs import ReaderInput as Input

MARGIN: Final = 0.02
"""Seconds that the reader waits beyond the card's time: a USB adapter alone may keep a frame for 16 ms."""

ACTIVATION_TIME: Final = 71_680 / CARRIER
"""Seconds that a card has for the answer to RATS, PPS and S(DESELECT): 5.3 ms (NFC Forum Digital, as in RFAL)."""

RETRIES: Final = 3
"""How often the reader asks again before it gives up."""

MAX_WAIT: Final = 10.0
"""Seconds by which a card may extend the waiting time of one command, in all."""


class State(IntEnum):
    """Where the reader is."""

    OFF = 0  # no card is activated
    ACTIVATING = 1  # RATS is out
    ACTIVATED = 2  # as READY, and PPS is allowed
    CHOOSING = 3  # PPS is out
    READY = 4  # nothing is out
    SENDING = 5  # a part of a command is out
    WAITING = 6  # all of a command is out
    RECEIVING = 7  # a part of a response is here
    CHECKING = 8  # R(NAK) as a presence check is out
    DESELECTING = 9  # S(DESELECT) is out
    LOST = 10  # given up


class ReaderLink:
    """A reader, between ISO/IEC 14443-3 selection and the APDU; one card.

    While something is out each call gives either a frame to send or the end of what was begun. So one loop drives it:
    send the frame, wait for one until `next_deadline`, then pass it on or call `handle_timer`. Times are seconds of any
    clock that only grows.

    On the air no frame comes late, and the one bit of a block number could not tell. So a link on which frames may come
    late, such as a socket, must drop what has come before it sends.

    Args:
        fsd: the longest frame that this reader takes: one of the sizes of 16 to 4096 octets that FSDI knows.
        cid: the card identifier to give, 0 to 14. With 0 blocks carry none, which every card understands.
        retries: how often to ask again before giving up.
        max_wait: seconds by which the card may extend the waiting time of one command, in all.
        ats: what the card announced, where a driver has sent RATS already.

    Attributes:
        ats: what the card announced; None before.
        quiet_until: the time before which nothing may be sent: the card needs it after its ATS (SFGT).

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        fsd: int = 256,
        cid: int = 0,
        retries: int = RETRIES,
        max_wait: float = MAX_WAIT,
        ats: Ats | None = None,
    ) -> None:
        if fsd not in FRAME_SIZES:
            raise ConfigError(f"a reader's frame size of {fsd} octets is none of {', '.join(map(str, FRAME_SIZES))}")
        if not 0 <= cid <= MAX_CID:
            raise ConfigError(f"the card identifier {cid} is not within 0 to 14")
        self.ats = ats
        self.quiet_until = 0.0
        self._fsd = fsd
        self._given_cid = cid
        self._retries = retries
        self._max_wait = max_wait
        self._state = State.OFF if ats is None else State.READY
        self._number = 0  # rule A
        self._deadline: float | None = None
        self._recovery = b""  # what a fault is answered with
        self._wait = 0.0  # seconds that the card has for the answer
        self._faults = 0  # since the last sign of the card
        self._repeats = 0  # of the block that is out
        self._waited = 0.0  # seconds by which the waiting time was extended
        self._rates = BitRateChanged(BASE_RATE, BASE_RATE)  # asked for by PPS
        self._command = b""
        self._begin = 0  # of the part of the command that is out
        self._end = 0
        self._chain = bytearray()  # the response so far

    @property
    def _card(self) -> Ats:
        if self.ats is None:
            raise LocalProtocolError("no card is activated")
        return self.ats

    @property
    def _cid(self) -> int | None:
        """What blocks carry: nothing for CID 0, and nothing for a card that knows no CID."""
        return self._given_cid if self._card.cid and self._given_cid else None

    def next_deadline(self) -> float | None:
        """When `handle_timer` is due; None while nothing is out."""
        return self._deadline

    def rats(self, now: float) -> list[SendFrame]:
        """Activates a card that was just selected, whatever was before. Ends with `Activated`."""
        self.ats = None
        self._number = 0  # rule A
        return self._ask(State.ACTIVATING, Rats(self._fsd, self._given_cid).to_bytes(), ACTIVATION_TIME, now)

    def pps(self, dsi: int, dri: int, now: float) -> list[SendFrame]:
        """Asks for other bit rates. Ends with `BitRateChanged`.

        Args:
            dsi: card to reader: 0 to 3 for 106, 212, 424, 848 kbit/s.
            dri: reader to card.
            now: seconds.

        Raises:
            LocalProtocolError: not directly after `Activated`, or the ATS does not offer these bit rates.
        """
        self._require(State.ACTIVATED)
        if not {dsi, dri} <= {*range(len(BIT_RATES))}:
            raise LocalProtocolError(f"DSI {dsi} or DRI {dri} is not within 0 to 3")
        pps = Pps(self._given_cid, BIT_RATES[dsi], BIT_RATES[dri])
        if not self._card.offers(pps.ds, pps.dr):
            raise LocalProtocolError(f"the ATS does not offer {pps.ds} kbit/s from and {pps.dr} kbit/s to the card")
        self._rates = BitRateChanged(pps.ds, pps.dr)
        return self._ask(State.CHOOSING, pps.to_bytes(), ACTIVATION_TIME, now)

    def send_command(self, apdu: bytes, now: float) -> list[SendFrame]:
        """Sends a command. Ends with `ResponseReceived`.

        Raises:
            LocalProtocolError: no card is activated, something is out already, or the command is empty or longer than
                65,544 octets.
        """
        self._require(State.ACTIVATED, State.READY)
        if not 0 < len(apdu) <= MAX_COMMAND:
            raise LocalProtocolError(f"a command of {len(apdu)} octets")
        self._command = apdu
        self._end = 0
        self._chain.clear()
        self._waited = 0.0
        return [self._send_part(now)]

    def presence_check(self, now: float) -> list[SendFrame]:
        """Asks by R(NAK) whether the card is there. Ends with `PresenceConfirmed`.

        Raises:
            LocalProtocolError: no card is activated, or something is out already.
        """
        self._require(State.ACTIVATED, State.READY)
        self._waited = 0.0
        return self._ask(State.CHECKING, self._block(R_NAK | self._number), self._card.fwt, now)

    def deselect(self, now: float) -> list[SendFrame]:
        """Sends the card to sleep, also in the middle of a command or after giving up. Ends with `DeselectConfirmed`.

        Raises:
            LocalProtocolError: no card is activated.
        """
        return self._ask(State.DESELECTING, self._block(S_DESELECT), ACTIVATION_TIME, now)

    def receive_frame(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Takes a frame, any octets whatever, the last of which came at `now`. It is ignored while nothing is out.

        Raises:
            BlockError: the card sent what the protocol forbids, again and again, or a response of more than 65,538
                octets. Only `rats` and `deselect` are of use then.
            LinkTimeoutError: the card asked for more time than `max_wait`.
        """
        if self._deadline is None:
            return []
        rule = self._RULES.get((self._state, self._classify(frame)))
        if rule is None:
            return self._recover(BlockError(f"invalid block {frame[:16].hex()} while {self._state.name}"), now)
        return rule(self, frame, now)

    def handle_timer(self, now: float) -> list[ReaderEvent]:
        """Asks again if the card is overdue.

        Raises:
            LinkTimeoutError: the card was asked often enough. Only `rats` and `deselect` are of use then.
        """
        if self._deadline is None or now < self._deadline:
            return []
        return self._recover(LinkTimeoutError(f"the card stays silent while {self._state.name}"), now)

    def _require(self, *states: State) -> None:
        if self._state not in states:
            raise LocalProtocolError(f"the reader is {self._state.name}")

    def _classify(self, frame: bytes) -> Input:
        """What the frame is here and now: INVALID unless all of it is right, the CID and the length included."""
        length = len(frame)
        if not 0 < length <= self._fsd - CRC_OCTETS:
            return Input.INVALID
        if self._state == State.ACTIVATING:
            return Input.ATS
        if self._state == State.CHOOSING:
            return Input.PPS if frame == self._recovery[:1] else Input.INVALID
        cid = self._cid
        if cid is None:
            header = 1
            if frame[0] & CID:
                return Input.INVALID
        else:
            header = 2
            if not frame[0] & CID or length == 1 or frame[1] & CID_MASK != cid:
                return Input.INVALID
        what = READER_INPUTS[self._number][frame[0]]
        inf = length - header
        if what == Input.WTX:
            return what if inf == 1 and 0 < frame[header] & WTXM_MASK <= MAX_WTXM else Input.INVALID
        if what == Input.I_MORE:
            return what if inf else Input.INVALID  # a card that sends these would never come to an end
        return what if what == Input.I_LAST or not inf else Input.INVALID

    def _block(self, pcb: int, inf: bytes = b"") -> bytes:
        return build_block(pcb, self._cid, inf)

    def _inf(self, frame: bytes) -> bytes:
        return frame[1 if self._cid is None else 2 :]

    def _ask(
        self, state: State, frame: bytes, wait: float, now: float, *, recovery: bytes | None = None
    ) -> list[SendFrame]:
        """Sends something new; a fault will be answered with `recovery`, or with the same frame."""
        self._state = state
        self._recovery = frame if recovery is None else recovery
        self._wait = wait + MARGIN
        self._deadline = now + self._wait
        self._faults = self._repeats = 0
        return [SendFrame(frame)]

    def _finish(self, event: ReaderEvent, state: State = State.READY) -> list[ReaderEvent]:
        self._state = state
        self._deadline = None
        return [event]

    def _give_up(self, error: LinkTimeoutError | BlockError) -> NoReturn:
        self._state = State.LOST
        self._deadline = None
        raise error

    def _recover(self, error: LinkTimeoutError | BlockError, now: float) -> list[ReaderEvent]:
        """After a fault: asks again, or gives up by raising `error`."""
        self._faults += 1
        if self._faults > self._retries:
            self._give_up(error)
        self._deadline = now + self._wait
        return [SendFrame(self._recovery), Retransmitted()]

    def _part(self) -> bytes:
        """The I-block that is out: as much of the command as the card's frame takes."""
        more = self._end < len(self._command)
        return self._block((I_BLOCK | MORE if more else I_BLOCK) | self._number, self._command[self._begin : self._end])

    def _send_part(self, now: float) -> SendFrame:
        """The next I-block of the command. After a fault R(NAK) asks for its answer (rule 4)."""
        header = 1 if self._cid is None else 2
        self._begin, self._end = self._end, self._end + self._card.fsc - CRC_OCTETS - header
        state = State.SENDING if self._end < len(self._command) else State.WAITING
        nak = self._block(R_NAK | self._number)
        return self._ask(state, self._part(), self._card.fwt, now, recovery=nak)[0]

    def _take_ats(self, frame: bytes, now: float) -> list[ReaderEvent]:
        try:
            self.ats = Ats.parse(frame)
        except BlockError as error:
            return self._recover(error, now)
        self.quiet_until = now + self.ats.sfgt
        return self._finish(Activated(self._fsd, self._given_cid), State.ACTIVATED)

    def _take_rates(self, frame: bytes, now: float) -> list[ReaderEvent]:
        return self._finish(self._rates)

    def _send_next(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rules B and 7: the next block of the command."""
        self._number ^= 1
        return [self._send_part(now)]

    def _repeat(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rule 6: the card has not got the block."""
        self._repeats += 1
        if self._repeats > self._retries:
            self._give_up(BlockError("the card asks for the same block again and again"))
        self._faults = 0
        self._deadline = now + self._wait
        return [SendFrame(self._part()), Retransmitted()]

    def _take_more(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rules B and 2: R(ACK) for a block of a chain, and after a fault again (rule 5)."""
        self._number ^= 1
        self._collect(frame)
        return [*self._ask(State.RECEIVING, self._block(R_ACK | self._number), self._card.fwt, now)]

    def _take_last(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rule B; the response is complete."""
        self._number ^= 1
        self._collect(frame)
        return self._finish(ResponseReceived(bytes(self._chain)))

    def _collect(self, frame: bytes) -> None:
        self._chain += self._inf(frame)
        if len(self._chain) > MAX_RESPONSE:
            self._give_up(BlockError(f"a response of more than {MAX_RESPONSE} octets"))

    def _extend(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rule 3: S(WTX) is answered with its WTXM, and that many waiting times begin."""
        wtxm = frame[-1] & WTXM_MASK
        time = min(wtxm * self._card.fwt, waiting_time(MAX_FWI))
        self._waited += time
        if self._waited > self._max_wait:
            self._give_up(LinkTimeoutError(f"the card asks for more than {self._max_wait:g} s"))
        self._faults = 0
        self._deadline = now + time + MARGIN
        return [SendFrame(self._block(S_WTX, bytes((wtxm,)))), WaitExtended(wtxm)]

    def _confirm_presence(self, frame: bytes, now: float) -> list[ReaderEvent]:
        """Rule 12: the card acknowledges its own last block."""
        return self._finish(PresenceConfirmed())

    def _confirm_deselect(self, frame: bytes, now: float) -> list[ReaderEvent]:
        self.ats = None
        return self._finish(DeselectConfirmed(), State.OFF)

    _RULES: ClassVar[dict[tuple[int, int], Callable[["ReaderLink", bytes, float], list[ReaderEvent]]]] = {
        (State.ACTIVATING, Input.ATS): _take_ats,
        (State.CHOOSING, Input.PPS): _take_rates,
        (State.SENDING, Input.ACK_SAME): _send_next,
        (State.SENDING, Input.ACK_OTHER): _repeat,
        (State.SENDING, Input.WTX): _extend,
        (State.WAITING, Input.I_LAST): _take_last,
        (State.WAITING, Input.I_MORE): _take_more,
        (State.WAITING, Input.ACK_OTHER): _repeat,
        (State.WAITING, Input.WTX): _extend,
        (State.RECEIVING, Input.I_LAST): _take_last,
        (State.RECEIVING, Input.I_MORE): _take_more,
        (State.RECEIVING, Input.WTX): _extend,
        (State.CHECKING, Input.ACK_OTHER): _confirm_presence,
        (State.CHECKING, Input.WTX): _extend,
        (State.DESELECTING, Input.DESELECT): _confirm_deselect,
    }
