"""Reader devices, through the drivers of nfcpy: `nfc:usb`, `nfc:tty:USB0:pn532`, `nfc:usb:054c:06c3` ... Both ends.

names      what follows `nfc:`
drivers    the table of what drivers differ in
opening    from a name to an open device           transport  waiting for a chip
chips      a chip as a card                        dialogue   what readers do with it
card       the card end                            outage     a device that is gone
reader     a chip as a reader, and the reader end
faults     what drivers raise, and what to do
times      the two times by which phones judge, for `doctor`
"""

from nfcbridge.errors import ConfigError
from nfcbridge.links.link import CardEnd, CardIdentity, ReaderEnd
from nfcbridge.links.nfc.names import parse_name

__all__ = ["open_card", "open_reader"]


def open_card(rest: str, identity: CardIdentity) -> CardEnd:
    """Open the card end of `nfc:...`; `rest` is what follows the first colon.

    Raises:
        ConfigError: it names no reader, or the reader cannot have this UID.
        LinkError: it is not there, cannot be used or cannot be a card; the message says what to do.
    """
    from nfcbridge.links.nfc.card import NfcCard

    return NfcCard(parse_name(rest), identity)


def open_reader(rest: str) -> ReaderEnd:
    """Open the reader end of `nfc:...`; `rest` is what follows the first colon.

    Raises:
        ConfigError: it names no reader.
        LinkError: it is not there or cannot be used; the message says what to do.
    """
    from nfcbridge.links.nfc.reader import NfcReader

    name = parse_name(rest)
    if name.picc:
        raise ConfigError(f"{name}: ?picc is for the card end; a reader does ISO 14443-4 by itself: leave it away")
    return NfcReader(name)
