"""The card reader and pairing mode; see `reader_states` for what it looks for."""

from typing import Final

from nfcbridge.charger.point.effects import Buzzed, Effect, PairingChanged
from nfcbridge.charger.point.hmi import BEEPS_KNOWN_TAG, BEEPS_UNKNOWN_TAG
from nfcbridge.charger.point.inputs import TagType
from nfcbridge.charger.point.reader_states import READER, TAG_PRESENT, PairedTag, ReaderInput, ReaderState
from nfcbridge.charger.point.timers import Timer, Timers

# Seconds without an APDU after which the reader looks for cards and phones again (API reference, "Activation").
NFC_SILENCE: Final = 60.0
# Seconds that pairing mode lasts, unless a tag is read (API reference, "Enable the whitelist pairing mode").
PAIRING_TIME: Final = 60.0


class CardReader:
    """The reader, and pairing mode.

    Args:
        timers: those of the charge point.
        hybrid: the reader serves phones too.

    Attributes:
        state: what it does.
        paired: the tag that pairing mode read last; None since it was enabled, and after a power failure.
    """

    def __init__(self, timers: Timers, *, hybrid: bool) -> None:
        self.state = ReaderState.LOOKING if hybrid else ReaderState.RFID_ONLY
        self.paired: PairedTag | None = None
        self._timers = timers

    @property
    def pairing(self) -> bool:
        """Whether pairing mode is on."""
        return Timer.PAIRING in self._timers

    @property
    def tag_present(self) -> bool:
        """Whether a phone finds a tag."""
        return self.state in TAG_PRESENT

    def reads(self, kind: TagType) -> bool:
        """Whether a tag of this type is read now; an EVCCID comes over the charging cable instead."""
        if self.state is ReaderState.SERVING:
            return self.pairing or kind is TagType.EVCCID
        return self.state is not ReaderState.OFF

    def move(self, happened: ReaderInput, now: float) -> None:
        """Something happens to the reader."""
        self.state = READER[self.state, happened]
        if self.state is not ReaderState.SERVING:
            self._timers.drop(Timer.SILENCE)
        elif happened is ReaderInput.APDU:
            self._timers.set(Timer.SILENCE, now + NFC_SILENCE)

    def pair(self, now: float) -> list[Effect]:
        """Enable pairing mode, or enable it anew: the last tag is forgotten either way."""
        self.paired = None
        self._timers.set(Timer.PAIRING, now + PAIRING_TIME)
        return [PairingChanged(now, enabled=True)]

    def keep(self, tag: PairedTag, now: float, *, known: bool) -> list[Effect]:
        """A tag was read in pairing mode, which ends it."""
        self.paired = tag
        self._timers.drop(Timer.PAIRING)
        return [Buzzed(now, BEEPS_KNOWN_TAG if known else BEEPS_UNKNOWN_TAG), PairingChanged(now, enabled=False)]

    def lose_power(self, now: float) -> list[Effect]:
        """The mains failed: what pairing mode read is gone (API reference, "Enable the whitelist pairing mode")."""
        was_pairing, self.paired = self.pairing, None
        self._timers.drop(Timer.PAIRING)
        self.move(ReaderInput.POWER_LOST, now)
        return [PairingChanged(now, enabled=False)] if was_pairing else []
