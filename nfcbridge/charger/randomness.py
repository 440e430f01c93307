"""Where tokens and ids come from: the system's generator, or a seed, so that a recording can be replayed.

With a seed each client has a stream of its own, so that what one is given does not depend on what others asked for
meanwhile:

    octets = SHAKE-256(seed | number of the draw, 8 octets | client)

Who does not know the seed cannot tell the octets from random ones.
"""

from hashlib import shake_256
from secrets import token_bytes
from typing import Final, Protocol
from uuid import UUID

SEED_LENGTH: Final = 16
"""Octets of a seed: 128 bits, so that it is as hard to guess as the session ids that come from it."""

_UUID_LENGTH: Final = 16
_NUMBER_LENGTH: Final = 8


class Randomness(Protocol):
    """A source of octets that nobody can guess."""

    def octets(self, count: int, client: str) -> bytes:
        """So many octets for this client."""
        ...


class SystemRandomness:
    """The generator of the operating system."""

    def octets(self, count: int, client: str) -> bytes:
        """See `Randomness`."""
        return token_bytes(count)


class SeededRandomness:
    """Octets that the same seed gives again, in the same order for each client.

    Args:
        seed: secret, and of `SEED_LENGTH` octets or fewer: a number of that many.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed.to_bytes(SEED_LENGTH, "big")
        self._drawn: dict[str, int] = {}

    def octets(self, count: int, client: str) -> bytes:
        """See `Randomness`."""
        number = self._drawn.get(client, 0)
        self._drawn[client] = number + 1
        return shake_256(self._seed + number.to_bytes(_NUMBER_LENGTH, "big") + client.encode()).digest(count)


def make_seed() -> int:
    """A seed that nobody can guess."""
    return int.from_bytes(token_bytes(SEED_LENGTH), "big")


def make_uuid(randomness: Randomness, client: str) -> str:
    """A UUID of version 4: 122 random bits."""
    return str(UUID(bytes=randomness.octets(_UUID_LENGTH, client), version=4))


SYSTEM: Final = SystemRandomness()
