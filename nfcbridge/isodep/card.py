"""The card's end of ISO-DEP: frames and time in, frames and command APDUs out.

What the card does is `CardLink._RULES`, a table over its state and over what the frame is to it. A pair that is not
there is met with silence and changes nothing. Rule letters and numbers are those of ISO/IEC 14443-4 (C to E for block
numbers, 9 to 13 for the card); how others read them was looked up in ST's RFAL and in the data sheet of the SRTAG2KL.
"""

from collections.abc import Callable
from enum import IntEnum
from math import ceil
from typing import ClassVar, Final

from msgspec.structs import replace

from nfcbridge.errors import BlockError, ConfigError, LocalProtocolError
from nfcbridge.isodep.activation import Pps, Rats
from nfcbridge.isodep.ats import DEFAULT, FRAME_SIZES, MAX_FWI, Ats, waiting_time
from nfcbridge.isodep.blocks import (
    CID,
    CRC_OCTETS,
    I_BLOCK,
    MAX_COMMAND,
    MAX_RESPONSE,
    MAX_WTXM,
    MORE,
    R_ACK,
    S_DESELECT,
    S_WTX,
    build_block,
)
from nfcbridge.isodep.events import (
    Activated,
    BitRateChanged,
    CardEvent,
    CommandReceived,
    Deselected,
    PresenceChecked,
    Retransmitted,
    SendFrame,
)
from nfcbridge.isodep.inputs import CARD_INPUTS
from nfcbridge.isodep.inputs import CardInput as Input

EXTEND_AT: Final = 0.6
"""S(WTX) is sent when this part of the waiting time is over: the rest is for the scheduler, the link and the air."""


class State(IntEnum):
    """Where the card is."""

    SELECTED = 0  # RATS must come
    ACTIVATED = 1  # as IDLE, and nothing was heard since the ATS, so PPS may come
    IDLE = 2  # it is the reader's turn
    RECEIVING = 3  # the same, and a part of a command is here
    PROCESSING = 4  # a command is with the layer above
    EXTENDING = 5  # the same, and S(WTX) must be answered
    ANSWERING = 6  # the response is here, but S(WTX) must be answered first
    SENDING = 7  # a part of a response is out
    OVERFLOWED = 8  # a command was longer than commands can be
    DESELECTED = 9  # deaf


# What every frame is compared with: before Python 3.12 it takes longer to get a member from its class than to compare.
_ACTIVATED: Final = State.ACTIVATED
_IDLE: Final = State.IDLE
_PROCESSING: Final = State.PROCESSING
_EXTENDING: Final = State.EXTENDING
_SENDING: Final = State.SENDING
_ANSWERING: Final = State.ANSWERING
_PPS: Final = Input.PPS
_RATS: Final = Input.RATS
_I_MORE: Final = Input.I_MORE
_WTX: Final = Input.WTX


class CardLink:
    """A card, between ISO/IEC 14443-3 selection and the APDU.

    Frames have no CRC: what comes here was received without error. Times are seconds of any clock that only grows.

    Args:
        ats: what the card announces; its FSC is the longest frame that the card takes.
        fsd: the longest frame that the reader takes, 16 to 4096 octets, where a driver has answered RATS already
            (then the CID is 0, and PPS may still come). None: RATS will come.
        max_frame: the longest frame that the link sends, in octets with CRC; a reader may take longer ones.

    Raises:
        ConfigError: `fsd` is out of range, or the ATS offers node addresses.
    """

    __slots__ = (
        "_chain",
        "_cid",
        "_deadline",
        "_end",
        "_fsd",
        "_fwt",
        "_header",
        "_last",
        "_longest",
        "_max_frame",
        "_number",
        "_response",
        "_sent",
        "_state",
        "_wtxm",
        "ats",
    )

    def __init__(self, ats: Ats = DEFAULT, *, fsd: int | None = None, max_frame: int = FRAME_SIZES[-1]) -> None:
        if ats.nad:
            raise ConfigError("the ATS offers node addresses (NAD, b1 of TC), which are not supported")
        self.ats = ats
        self._longest = ats.fsc - CRC_OCTETS
        self._fwt = ats.fwt
        self._max_frame = max_frame
        self.reset(fsd=fsd)

    def reset(self, *, fsd: int | None = None) -> None:
        """Starts anew: the field was off, or the card was woken up again. An open command is forgotten.

        Raises:
            ConfigError: `fsd` is out of range; then nothing has changed.
        """
        if fsd is not None and not FRAME_SIZES[0] <= fsd <= FRAME_SIZES[-1]:
            raise ConfigError(f"a reader's frame size of {fsd} octets is not within 16 to 4096")
        self._state = State.SELECTED if fsd is None else State.ACTIVATED
        self._fsd = min(fsd or FRAME_SIZES[0], self._max_frame)
        self._cid = 0
        self._header = 1  # octets before the INF of the frame that is answered: 2 with a CID
        self._number = 1  # rule C
        self._last = b""  # the block that rule 11 asks for
        self._chain = b""  # the command so far
        self._response = b""
        self._sent = 0  # octets of the response
        self._wtxm = 0
        self._deadline = 0.0
        self._end = 0.0

    @property
    def awaiting_response(self) -> bool:
        """Whether a command is open, so that `respond` may be called."""
        return self._state in (_PROCESSING, _EXTENDING)

    def next_deadline(self) -> float | None:
        """When `handle_timer` is due; None while only a frame can bring something new."""
        return self._deadline if self._state == _PROCESSING else None

    def extend_until(self, end: float) -> None:
        """Tells that the response to the open command comes at `end` at the latest.

        The next S(WTX) then asks for as much time as makes the one after it due at `end`. Without this, or after `end`,
        each asks for one waiting time.
        """
        self._end = end

    def receive_frame(self, frame: bytes, now: float) -> list[CardEvent]:
        """Takes a frame, any octets whatever, the last of which came at `now`.

        Returns:
            What is to be done, in order; nothing for a frame that is not valid here and now: the card stays silent.
        """
        what = self._classify(frame)
        if self._state == _ACTIVATED and what != _PPS:
            self._state = _IDLE  # whatever else comes ends the time for PPS (RFAL: ISO/IEC 14443-4, 5.6.2.2)
        rule = self._RULES.get((self._state, what))
        if rule is None:
            return []
        self._header = 2 if frame[0] & CID else 1
        return rule(self, frame, now)

    def respond(self, apdu: bytes, now: float) -> list[SendFrame]:
        """Answers the open command.

        Returns:
            The frame to send. None while S(WTX) waits for its answer: that will bring the frame.

        Raises:
            LocalProtocolError: no command is open, or the response is empty or longer than 65,538 octets.
        """
        if not 0 < len(apdu) <= MAX_RESPONSE:
            raise LocalProtocolError(f"a response of {len(apdu)} octets")
        if not self.awaiting_response:
            raise LocalProtocolError(f"no command is open, the card is {self._state.name}")
        self._response = apdu
        self._sent = 0
        if self._state == _PROCESSING:
            return [self._send_part()]
        self._state = _ANSWERING
        return []

    def handle_timer(self, now: float) -> list[CardEvent]:
        """Sends S(WTX) if it is due."""
        return self._extend(b"", now) if self._state == _PROCESSING and now >= self._deadline else []

    def _classify(self, frame: bytes) -> Input:
        """What the frame is here and now: INVALID unless all of it is right, the CID and the length included."""
        length = len(frame)
        if not 0 < length <= self._longest:
            return Input.INVALID
        pcb = frame[0]
        what = CARD_INPUTS[self._number][pcb]
        if what >= _RATS:
            return what
        header = 1
        if pcb & CID:
            # b8 to b5 of a reader's CID octet are 0, so all of it must be ours.
            if length == 1 or frame[1] != self._cid or not self.ats.cid:
                return Input.INVALID
            header = 2
        elif self._cid and self.ats.cid:
            return Input.INVALID  # only the card with CID 0 hears blocks without a CID
        # R-blocks and S(DESELECT) have no INF. The answer to S(WTX) repeats the WTXM, with no power level.
        if what > _I_MORE and frame[header:] != (bytes((self._wtxm,)) if what == _WTX else b""):
            return Input.INVALID
        return what

    def _send(self, pcb: int, inf: bytes = b"") -> SendFrame:
        """A block, with a CID if the frame that it answers has one."""
        return SendFrame(build_block(pcb, self._cid if self._header > 1 else None, inf))

    def _send_new(self, pcb: int, inf: bytes = b"") -> SendFrame:
        """The same, kept for rule 11."""
        sent = self._send(pcb, inf)
        self._last = sent.frame
        return sent

    def _send_part(self) -> SendFrame:
        """The next I-block of the response: as much as the reader's frame takes."""
        end = self._sent + self._fsd - CRC_OCTETS - self._header
        inf = self._response[self._sent : end]
        self._sent = end
        if end < len(self._response):
            self._state = _SENDING
            return self._send_new(I_BLOCK | MORE | self._number, inf)
        self._state = _IDLE
        return self._send_new(I_BLOCK | self._number, inf)

    def _activate(self, frame: bytes, now: float) -> list[CardEvent]:
        """RATS is answered by the ATS."""
        try:
            rats = Rats.parse(frame)
        except BlockError:
            return []
        self._state = State.ACTIVATED
        self._fsd = min(rats.fsd, self._max_frame)
        self._cid = rats.cid
        ats = self.ats.to_bytes()
        if len(ats) + CRC_OCTETS > rats.fsd:  # it must fit one frame, and nothing else of it can go
            ats = replace(self.ats, historical=b"").to_bytes()
        return [SendFrame(ats), Activated(rats.fsd, rats.cid)]

    def _select_rates(self, frame: bytes, now: float) -> list[CardEvent]:
        """PPS for bit rates that the ATS offers is answered by its first octet."""
        if frame[0] & 0x0F != self._cid:
            return []  # to another card
        self._state = State.IDLE
        try:
            pps = Pps.parse(frame)
        except BlockError:
            return []
        if not self.ats.offers(pps.ds, pps.dr):
            return []
        return [SendFrame(frame[:1]), BitRateChanged(pps.ds, pps.dr)]

    def _take_more(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 2: R(ACK) for a block of a chain, after rule D."""
        if not self._collect(frame):
            return []
        self._number ^= 1
        self._state = State.RECEIVING
        return [self._send_new(R_ACK | self._number)]

    def _take_last(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 10: an I-block for a command, after rule D; for an empty one, which is a presence check, at once."""
        if not self._collect(frame):
            return []
        self._number ^= 1
        apdu, self._chain = self._chain, b""
        if not apdu:
            self._state = _IDLE
            return [self._send_new(I_BLOCK | self._number), PresenceChecked()]
        self._state = _PROCESSING
        self._deadline = now + EXTEND_AT * self._fwt
        self._end = 0.0
        return [CommandReceived(apdu)]

    def _collect(self, frame: bytes) -> bool:
        """Adds the INF to the command. False: no command is that long, and it is forgotten.

        Silence alone would not do: the reader would repeat its block, and it would begin another command.
        """
        self._chain += frame[self._header :]
        if len(self._chain) <= MAX_COMMAND:
            return True
        self._chain = b""
        self._state = State.OVERFLOWED
        return False

    def _send_next(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rules E and 13: the next block of the response."""
        self._number ^= 1
        return [self._send_part()]

    def _repeat(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 11: the last block again. Right after activation there is none."""
        return [SendFrame(self._last), Retransmitted()] if self._last else []

    def _acknowledge(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 12: R(ACK). It is not what rule 11 repeats: a presence check may also ask for the last I-block."""
        return [self._send(R_ACK | self._number), PresenceChecked()]

    def _acknowledge_chain(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 12 while a response is sent."""
        return [self._send(R_ACK | self._number)]

    def _extend(self, frame: bytes, now: float) -> list[CardEvent]:
        """Rule 9: S(WTX) instead of an I-block, when time runs out or when the reader asks after its command.

        The reader asks with R(NAK) if it waited for longer than we think that it should, or if it checks the presence
        while the command is processed. Its block is here but has no answer yet, so there is nothing to repeat and
        nothing to acknowledge; EMVCo and NFC Forum readers count with S(WTX) as the reply to R(NAK) (RFAL).
        """
        most = min(MAX_WTXM, int(waiting_time(MAX_FWI) / self._fwt))  # FWT is at most that of FWI 14, extended too
        self._wtxm = min(max(ceil((self._end - now) / (EXTEND_AT * self._fwt)), 1), most)
        self._state = State.EXTENDING
        return [self._send_new(S_WTX, bytes((self._wtxm,)))]

    def _go_on(self, frame: bytes, now: float) -> list[CardEvent]:
        """S(WTX) was answered, and the time that it gives runs."""
        self._state = _PROCESSING
        self._deadline = now + EXTEND_AT * self._fwt * self._wtxm
        return []

    def _send_waiting(self, frame: bytes, now: float) -> list[CardEvent]:
        """S(WTX) was answered, and the response is here already."""
        return [self._send_part()]

    def _deselect(self, frame: bytes, now: float) -> list[CardEvent]:
        """S(DESELECT) is answered at any time; then the card is in the HALT state of ISO/IEC 14443-3."""
        self._state = State.DESELECTED
        return [self._send(S_DESELECT), Deselected()]

    _RULES: ClassVar[dict[tuple[int, int], Callable[["CardLink", bytes, float], list[CardEvent]]]] = {
        (State.SELECTED, Input.RATS): _activate,
        (State.ACTIVATED, Input.PPS): _select_rates,
        (State.IDLE, Input.I_LAST): _take_last,
        (State.IDLE, Input.I_MORE): _take_more,
        (State.IDLE, Input.R_SAME): _repeat,
        (State.IDLE, Input.NAK_OTHER): _acknowledge,
        (State.IDLE, Input.DESELECT): _deselect,
        (State.RECEIVING, Input.I_LAST): _take_last,
        (State.RECEIVING, Input.I_MORE): _take_more,
        (State.RECEIVING, Input.R_SAME): _repeat,
        (State.RECEIVING, Input.NAK_OTHER): _repeat,  # rule 12, and the last block is that R(ACK)
        (State.RECEIVING, Input.DESELECT): _deselect,
        (State.PROCESSING, Input.R_SAME): _extend,
        (State.PROCESSING, Input.NAK_OTHER): _extend,  # rule 9: S(WTX) instead of an R(ACK), too
        (State.PROCESSING, Input.DESELECT): _deselect,
        (State.EXTENDING, Input.WTX): _go_on,
        (State.EXTENDING, Input.R_SAME): _repeat,
        (State.EXTENDING, Input.NAK_OTHER): _repeat,  # rule 3: S(WTX) must be answered first
        (State.EXTENDING, Input.DESELECT): _deselect,
        (State.ANSWERING, Input.WTX): _send_waiting,
        (State.ANSWERING, Input.R_SAME): _repeat,
        (State.ANSWERING, Input.NAK_OTHER): _repeat,
        (State.ANSWERING, Input.DESELECT): _deselect,
        (State.SENDING, Input.ACK_OTHER): _send_next,
        (State.SENDING, Input.R_SAME): _repeat,
        (State.SENDING, Input.NAK_OTHER): _acknowledge_chain,
        (State.SENDING, Input.DESELECT): _deselect,
        (State.OVERFLOWED, Input.DESELECT): _deselect,
    }
