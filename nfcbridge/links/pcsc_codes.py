"""What the codes of PC/SC mean for a link: a table from code to kind and words."""

from typing import Any, Final

PACKAGE: Final = "pip install 'nfcbridge[pcsc]' (on Debian after apt-get install gcc swig libpcsclite-dev)"
"""How pyscard is had."""

_GONE: Final = {
    "SCARD_W_REMOVED_CARD": "it was taken away",
    "SCARD_E_NO_SMARTCARD": "it was taken away",
    "SCARD_W_UNPOWERED_CARD": "it has no power: lay it on the reader again",
    "SCARD_W_UNRESPONSIVE_CARD": "it does not answer: lay it on the reader again",
    "SCARD_W_RESET_CARD": "another program has reset it",
    "SCARD_E_NOT_TRANSACTED": "the exchange broke off; as a rule the card was moved: hold it still",
    "SCARD_E_COMM_DATA_LOST": "the exchange broke off; as a rule the card was moved: hold it still",
    "SCARD_E_READER_UNAVAILABLE": "the reader was unplugged: plug it in again",
    "SCARD_E_UNKNOWN_READER": "the reader was unplugged: plug it in again",
    "SCARD_E_UNEXPECTED": "the reader's driver failed: plug it in again if that goes on",
    "SCARD_F_UNKNOWN_ERROR": "the reader's driver failed: plug it in again if that goes on",
    "SCARD_F_INTERNAL_ERROR": "the reader's driver failed: plug it in again if that goes on",
    "SCARD_E_NOT_READY": "the reader is not ready: try again",
}
_UNUSABLE: Final = {
    "SCARD_E_SHARING_VIOLATION": (
        "another program has the card: end it (often scdaemon of GnuPG, a browser, opensc or pcsc_scan)"
    ),
    "SCARD_E_PROTO_MISMATCH": "the card speaks neither T=0 nor T=1: it is no card of ISO 7816-4",
    "SCARD_W_UNSUPPORTED_CARD": "the reader does not know this kind of card",
    "SCARD_E_CARD_UNSUPPORTED": "the reader does not know this kind of card",
}
_NO_SERVICE: Final = dict.fromkeys(
    ("SCARD_E_NO_SERVICE", "SCARD_E_SERVICE_STOPPED"),
    "the PC/SC service does not run: apt-get install pcscd, systemctl start pcscd.socket",
)
# pcscd gives them for a card that is taken out at a bad moment, and when it ends itself.
_DROPPED: Final = dict.fromkeys(
    ("SCARD_F_COMM_ERROR", "SCARD_E_INVALID_HANDLE"),
    "PC/SC has let go of it; as a rule the card was moved: hold it still",
)
_NO_ACCESS: Final = dict.fromkeys(
    ("SCARD_E_NO_ACCESS", "SCARD_W_SECURITY_VIOLATION"),
    "you may not use PC/SC: the rules of polkit for org.debian.pcsc-lite decide that, or try as root",
)
_TOO_LONG: Final = {
    "SCARD_E_INSUFFICIENT_BUFFER": "the reader takes no APDUs of this length",
    "SCARD_E_INVALID_PARAMETER": "the reader takes no APDUs of this length",
    "SCARD_E_INVALID_VALUE": "the reader takes no APDUs of this length",
}


class Codes:
    """The codes of one PC/SC library in kinds.

    Args:
        scard: `smartcard.scard`, or what behaves so; what it does not define it never says.

    Attributes:
        gone: the card is not there any more, or the reader.
        unusable: there is a card that we cannot have.
        no_service: nobody to speak to; also what an old context or handle is told after a restart.
        no_reader: there are none, or not this one.
        nothing_new: a wait has ended.
        too_long: the APDU, for this reader.
    """

    def __init__(self, scard: Any) -> None:  # noqa: ANN401 - a module without types
        def codes(*names: str) -> frozenset[int]:
            return frozenset(getattr(scard, name) for name in names if hasattr(scard, name))

        self._scard = scard
        self.gone = codes(*_GONE)
        self.unusable = codes(*_UNUSABLE)
        self.no_service = codes(*_NO_SERVICE, *_DROPPED)
        self.no_reader = codes("SCARD_E_NO_READERS_AVAILABLE", "SCARD_E_UNKNOWN_READER", "SCARD_E_READER_UNAVAILABLE")
        self.nothing_new = codes("SCARD_E_TIMEOUT", "SCARD_E_CANCELLED")
        self.too_long = codes(*_TOO_LONG)
        words = _GONE | _UNUSABLE | _NO_SERVICE | _DROPPED | _NO_ACCESS | _TOO_LONG
        self._words = {getattr(scard, name): told for name, told in words.items() if hasattr(scard, name)}

    def explain(self, code: int) -> str:
        """Return what happened and what to do about it."""
        told = self._words.get(code)
        if told is not None:
            return told
        return f"PC/SC says {code & 0xFFFFFFFF:08X}: {self._scard.SCardGetErrorMessage(code)}"
