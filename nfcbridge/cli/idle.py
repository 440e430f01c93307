"""The idle message that a user chose: phones find it when no answer is there, so it must be one that they can read.

The header of an NDEF record (NDEF 1.0):

    b8   b7   b6   b5   b4   b3..b1        then: length of the type (1 octet), length of the payload (1 octet with
    MB   ME   CF   SR   IL   TNF           SR, else 4), length of the ID (1 octet with IL); type, ID, payload

MB is set in the first record, ME in the last. CF would make it a chunk, and a TNF of 7 means nothing.
"""

from typing import Final

from nfcbridge.errors import ConfigError

MB: Final = 0x80
ME: Final = 0x40
CF: Final = 0x20
SR: Final = 0x10
IL: Final = 0x08
TNF: Final = 0x07
TNF_RESERVED: Final = 7


def check_idle(message: bytes, capacity: int) -> None:
    """Refuse what phones would take for a broken tag. What the records say is the user's business.

    Args:
        message: the octets given, at least one.
        capacity: most octets that the file takes.

    Raises:
        ConfigError: with what is allowed.
    """
    if len(message) > capacity:
        raise ConfigError(f"--idle has {len(message)} octets; the file takes {capacity}")
    rest = message
    begun = False
    ended = False
    while not ended:
        if not rest or bool(rest[0] & MB) is begun or rest[0] & CF or rest[0] & TNF == TNF_RESERVED:
            raise ConfigError(f"--idle {message.hex()} is no NDEF message; give a whole one, such as D00000")
        begun = True
        ended = bool(rest[0] & ME)
        size = record_size(rest)
        if len(rest) < size:
            raise ConfigError(f"--idle {message.hex()} ends within a record; give a whole message, such as D00000")
        rest = rest[size:]
    if rest:
        raise ConfigError(f"--idle has {len(rest)} octets after its NDEF message; give one message, such as D00000")


def record_size(octets: bytes) -> int:
    """Return how many octets the record has with which these begin; more than there are when they end within it."""
    short, has_id = octets[0] & SR, octets[0] & IL
    id_at = 3 if short else 6
    header = id_at + bool(has_id)
    if len(octets) < header:
        return header
    payload = int.from_bytes(octets[2:id_at])
    return header + octets[1] + payload + (octets[id_at] if has_id else 0)
