"""ISO 14443-3 type A, from the request to the selected card, both sides, for links that send whole octets.

Frames are written without CRC. The request and wake-up frames have 7 bits on the air and one octet here.

    REQA 26    WUPA 52    HLTA 50 00    RATS E0 xx (the first frame of ISO 14443-4)
    ATQA       2 octets, low octet first

    SDD_REQ    SEL NVB [UID...]        SEL 93, 95, 97 for cascade levels 1, 2, 3
    SDD_RES    the rest of UID and BCC NVB | b8..b5 octets, SEL and NVB counted | b4..b1 bits beyond them |
    SEL_REQ    SEL 70 UID UID UID UID BCC
    SEL_RES    SAK                     SAK | b6 ISO 14443-4 | b3 the UID goes on in the next level |

A level whose UID goes on sends the cascade tag 88 and three octets of it. BCC is the exclusive or of the four octets
before it.
"""

from collections.abc import Generator
from enum import Enum, auto
from functools import reduce
from operator import xor
from typing import Final

from nfcbridge.errors import LinkError
from nfcbridge.links.link import CASCADE_TAG, SEL_RES_ISO_DEP, CardIdentity

REQA: Final = b"\x26"
WUPA: Final = b"\x52"
HLTA: Final = b"\x50\x00"

_RATS: Final = 0xE0
_RATS_SIZE: Final = 2
_SEL: Final = (0x93, 0x95, 0x97)
_NVB_NOTHING: Final = 0x20  # SEL and NVB themselves
_NVB_WHOLE: Final = 0x70
_NVB_BITS: Final = 0x0F
_UID_GOES_ON: Final = 0x04  # b3 of SAK
_ATQA_SIZE: Final = 2
_LEVEL_SIZE: Final = 5  # four octets and BCC


class State(Enum):
    """The states of ISO 14443-3, figure of the PICC states. The star is a state entered from HALT."""

    IDLE = auto()
    READY = auto()
    ACTIVE = auto()
    HALT = auto()
    READY_STAR = auto()
    ACTIVE_STAR = auto()
    PROTOCOL = auto()


class Input(Enum):
    """What a frame is to the card."""

    REQUEST = auto()
    WAKE_UP = auto()
    HALT = auto()
    ANTICOLLISION = auto()  # of the present cascade level, and our UID begins like it
    SELECT_PART = auto()  # our UID at a level before the last
    SELECT = auto()  # our UID at the last level
    ACTIVATE = auto()
    OTHER = auto()


class Outcome(Enum):
    """What a frame has meant for the layer above."""

    NOTHING = auto()
    SELECTED = auto()  # the card is selected from now on
    PASSED = auto()  # the frame belongs to ISO 14443-4


# (state, input) -> next state. A pair not listed is met with silence and falls back as FALLBACK says.
TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.IDLE, Input.REQUEST): State.READY,
    (State.IDLE, Input.WAKE_UP): State.READY,
    (State.READY, Input.ANTICOLLISION): State.READY,
    (State.READY, Input.SELECT_PART): State.READY,
    (State.READY, Input.SELECT): State.ACTIVE,
    (State.ACTIVE, Input.HALT): State.HALT,
    (State.ACTIVE, Input.ACTIVATE): State.PROTOCOL,
    (State.HALT, Input.WAKE_UP): State.READY_STAR,  # REQA finds the cards that are not halted yet, WUPA all
    (State.READY_STAR, Input.ANTICOLLISION): State.READY_STAR,
    (State.READY_STAR, Input.SELECT_PART): State.READY_STAR,
    (State.READY_STAR, Input.SELECT): State.ACTIVE_STAR,
    (State.ACTIVE_STAR, Input.HALT): State.HALT,
    (State.ACTIVE_STAR, Input.ACTIVATE): State.PROTOCOL,
}

FALLBACK: Final[dict[State, State]] = {
    State.IDLE: State.IDLE,
    State.READY: State.IDLE,
    State.ACTIVE: State.IDLE,
    State.HALT: State.HALT,
    State.READY_STAR: State.HALT,
    State.ACTIVE_STAR: State.HALT,
}


def cascade_levels(uid: bytes) -> tuple[bytes, ...]:
    """Split a UID of 4, 7 or 10 octets into what each cascade level sends, 5 octets with BCC."""
    levels = []
    while len(uid) > _LEVEL_SIZE - 1:
        levels.append(bytes([CASCADE_TAG]) + uid[:3])
        uid = uid[3:]
    levels.append(uid)
    return tuple(level + bytes([reduce(xor, level)]) for level in levels)


class CardSelection:
    """The card's side. Octets in, octets out.

    Attributes:
        state: in PROTOCOL every frame belongs to ISO 14443-4.
    """

    def __init__(self, identity: CardIdentity) -> None:
        self.state = State.IDLE
        self._levels = cascade_levels(identity.uid)
        self._level = 0  # index of the present cascade level
        self._sens_res = identity.sens_res
        self._sel_res = bytes([identity.sel_res])
        self._sel_res_part = bytes([identity.sel_res | _UID_GOES_ON])

    def field_off(self) -> None:
        """The card has no power: the next field finds it in IDLE."""
        self.state = State.IDLE

    def halt(self) -> None:
        """S(DESELECT) was answered (ISO 14443-4): HALT. Nothing happens if the field was lost meanwhile."""
        if self.state is State.PROTOCOL:
            self.state = State.HALT

    def receive_frame(self, frame: bytes) -> tuple[bytes | None, Outcome]:
        """Take a frame of the reader. It never raises.

        Returns:
            The answer, None for silence, and what the frame has meant.
        """
        if self.state is State.PROTOCOL:
            return None, Outcome.PASSED
        seen = self._classify(frame)
        following = TRANSITIONS.get((self.state, seen))
        if following is None:
            # Every frame that does not belong here, a second request or another card's UID, ends the selection.
            self.state = FALLBACK[self.state]
            return None, Outcome.NOTHING
        self.state = following
        match seen:
            case Input.REQUEST | Input.WAKE_UP:
                self._level = 0
                return self._sens_res, Outcome.NOTHING
            case Input.ANTICOLLISION:
                return self._levels[self._level][len(frame) - 2 :], Outcome.NOTHING
            case Input.SELECT_PART:
                self._level += 1
                return self._sel_res_part, Outcome.NOTHING
            case Input.SELECT:
                return self._sel_res, Outcome.SELECTED
            case Input.ACTIVATE:
                return None, Outcome.PASSED
            case _:  # HLTA is never answered
                return None, Outcome.NOTHING

    def _classify(self, frame: bytes) -> Input:
        if frame == REQA:
            return Input.REQUEST
        if frame == WUPA:
            return Input.WAKE_UP
        if frame == HLTA:
            return Input.HALT
        if len(frame) < _RATS_SIZE:
            return Input.OTHER
        if frame[0] == _RATS and len(frame) == _RATS_SIZE:
            return Input.ACTIVATE
        level = self._levels[self._level]
        if frame[0] == _SEL[self._level] and level.startswith(frame[2:]):
            if frame[1] == _NVB_WHOLE and len(frame) == 2 + _LEVEL_SIZE:
                return Input.SELECT if level is self._levels[-1] else Input.SELECT_PART
            # Single bits beyond the octets cannot come over a link of whole octets.
            if _NVB_NOTHING <= frame[1] < _NVB_WHOLE and not frame[1] & _NVB_BITS and frame[1] >> 4 == len(frame):
                return Input.ANTICOLLISION
        return Input.OTHER


def select_card(request: bytes) -> Generator[bytes, bytes | None, bytes | None]:
    """Select the only card in the field: the reader's side, as a generator.

    Args:
        request: REQA, or WUPA for a card that was halted.

    Yields:
        A frame to send; it expects the card's answer, None for silence.

    Returns:
        The UID; None where the card was silent or answered nonsense, so that the caller tries again.

    Raises:
        LinkError: the card does not follow ISO 14443-4.
    """
    sens_res = yield request
    if sens_res is None or len(sens_res) != _ATQA_SIZE:
        return None
    uid = b""
    for sel in _SEL:
        level = yield bytes([sel, _NVB_NOTHING])
        if level is None or len(level) != _LEVEL_SIZE or reduce(xor, level):  # BCC makes the sum 0
            return None
        sel_res = yield bytes([sel, _NVB_WHOLE]) + level
        if sel_res is None or len(sel_res) != 1:
            return None
        if not sel_res[0] & _UID_GOES_ON:
            if not sel_res[0] & SEL_RES_ISO_DEP:
                raise LinkError(f"the card in the field is no Type 4 Tag (SAK {sel_res.hex()}): take it away")
            return uid + level[:-1]
        if level[0] != CASCADE_TAG:
            return None
        uid += level[1:-1]
    return None  # a fourth level does not exist
