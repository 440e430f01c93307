"""The passwords of the roles: what may be one, and one that is made up."""

import secrets
from typing import Final

from nfcbridge.errors import ConfigError

# Characters of a password; SHA-256 over the longest takes about 10 us.
MAX_PASSWORD: Final = 1024
# A made password: 79 bits, without characters that look like another.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_MADE_LENGTH: Final = 16


def make_password() -> str:
    """A random password that people can type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_MADE_LENGTH))


def check_password(password: str) -> None:
    """Raise ConfigError if this cannot be a password: it is empty, or longer than MAX_PASSWORD."""
    # An empty password would open the door to whoever knows that there is none.
    if not password:
        raise ConfigError("the password is empty; give one of at least one character")
    if len(password) > MAX_PASSWORD:
        raise ConfigError(f"the password has {len(password)} characters; {MAX_PASSWORD} at most")
