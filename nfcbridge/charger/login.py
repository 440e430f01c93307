"""Logging in: a token for one attempt, then the password hashed with it.

    password of the request = lower-case hex of SHA-256 over the UTF-8 of plain password + token

No password and no token ever equals another for being missing: each missing value is replaced by a random one that
nobody knows. An attempt does the same work whoever it is for, so that its time does not tell which users exist or have
a password.
"""

import math
from base64 import b85encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Protocol

from nfcbridge.charger.backoff import BackOff
from nfcbridge.charger.policy import RefusedError, unauthorized
from nfcbridge.charger.randomness import SYSTEM, Randomness
from nfcbridge.charger.roles import Role
from nfcbridge.charger.sessions import Session, Sessions

# Characters of a login token, printable ASCII (the API reference's sample). Base 85 has 6.4 bits a character, and
# neither quote nor backslash, which JSON would have to escape.
TOKEN_LENGTH: Final = 32
_TOKEN_OCTETS: Final = 28
# Clients that may hold a token at a time, about 0.3 MiB; the oldest token goes first. A client has one at most.
MAX_TOKENS: Final = 1024


class Passwords(Protocol):
    """Where the passwords are kept."""

    def password(self, role: Role) -> str | None:
        """The plain password, None if the role has none and nobody can log in to it."""
        ...


class FixedPasswords:
    """Passwords in memory.

    Args:
        passwords: the plain password of each role that has one.
    """

    def __init__(self, passwords: Mapping[Role, str]) -> None:
        self._passwords = dict(passwords)

    def password(self, role: Role) -> str | None:
        """The plain password, None if there is none."""
        return self._passwords.get(role)


class LoginTokens:
    """The token of each client: a client's next one voids its previous one, and nobody else's.

    Args:
        randomness: what they are made of.
    """

    def __init__(self, randomness: Randomness = SYSTEM) -> None:
        self._randomness = randomness
        self._tokens: dict[str, str] = {}

    def issue(self, client: str) -> str:
        """A new token for this client."""
        self._tokens.pop(client, None)
        if len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        token = self._tokens[client] = _token(self._randomness.octets(_TOKEN_OCTETS, client))
        return token

    def take(self, client: str) -> str | None:
        """The token of this client, void from now on; None if it has none."""
        return self._tokens.pop(client, None)

    def void_all(self) -> None:
        """Nobody has a token any more."""
        self._tokens.clear()


def _token(octets: bytes) -> str:
    return b85encode(octets).decode("ascii")[:TOKEN_LENGTH]


def hash_password(plain: str, token: str) -> str:
    """What a client sends as its password: 64 hexadecimal digits."""
    return sha256((plain + token).encode()).hexdigest()


class Logins:
    """Opens sessions for those who know the password.

    Args:
        passwords: the passwords.
        sessions: where sessions are opened.
        randomness: what tokens are made of.
    """

    def __init__(self, passwords: Passwords, sessions: Sessions, randomness: Randomness = SYSTEM) -> None:
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = LoginTokens(randomness)
        self._back_off = BackOff()
        self._nobodys = token_urlsafe(9)

    def issue_token(self, client: str) -> str:
        """The token for the next attempt of this client; never limited."""
        return self._tokens.issue(client)

    def void_tokens(self) -> None:
        """Void the token of every client."""
        self._tokens.void_all()

    def attempt(self, client: str, username: str, password: str, now: float) -> Session:
        """Log in; uses the client's token up.

        Args:
            client: whose token it is, and whose failures count.
            username: the name of a role.
            password: see `hash_password`.
            now: seconds.

        Raises:
            RefusedError: 401 for a wrong name, password or token, which of them is not said; 429 during a back-off,
                which leaves the token as it is, since nothing was tried.
        """
        wait = self._back_off.wait(client, username, now)
        if wait > 0.0:
            seconds = str(math.ceil(wait)).encode("ascii")
            raise RefusedError(429, "too many failed logins", headers=[(b"retry-after", seconds)])
        token = self._tokens.take(client)
        role = self._match(username, password, token)
        if role is None:
            self._back_off.failed(client, username, now)
            raise unauthorized("Login failed")
        self._back_off.succeeded(client, username)
        return self._sessions.open(role, now, client)

    def _match(self, username: str, password: str, token: str | None) -> Role | None:
        salt = self._nobodys if token is None else token
        name, given = username.encode(), password.encode()
        found = None
        for role in Role:  # all of them, always: no name is answered sooner than another
            plain = self._passwords.password(role)
            expected = hash_password(plain or self._nobodys, salt).encode("ascii")
            same = compare_digest(expected, given) & compare_digest(role.encode("ascii"), name)
            if same & bool(plain) & (token is not None):
                found = role
        return found
