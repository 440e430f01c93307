"""Back-off after failed logins, by client and user name: nobody is locked out by what another client does.

    failure      1 .. 4    5     6     7     ...   11 and later
    next try     at once   1 s   2 s   4 s         60 s

Names that exist and names that do not are treated alike, so that the waiting tells nothing. Time is an argument, in
seconds.
"""

from typing import Final

# The failure after which the first wait begins, and the longest wait in seconds.
FREE_FAILURES: Final = 5
LONGEST_WAIT: Final = 60.0
# Seconds after its last failure at which a client's failures for a user are forgotten.
FORGET_AFTER: Final = 900.0
# User names counted apart for one client; all others of that client are counted as one, so that a client can neither
# fill the memory with names nor have a counter forgotten by it.
MAX_NAMES: Final = 16
# Octets in UTF-8 of a user name that is counted apart. No role has a longer one.
MAX_NAME: Final = 64
# Clients that are remembered, about 3 MiB at most. The one whose last failure is the oldest goes first: who has this
# many addresses has as many times five tries anyway.
MAX_CLIENTS: Final = 1024

_OTHERS: Final = ""  # also the key of the empty name, which is nobody's


class _Failures:
    __slots__ = ("count", "last", "until")

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self.until = 0.0


class BackOff:
    """Failed logins and the waits that follow from them."""

    def __init__(self) -> None:
        # Clients by their last failure, the oldest first.
        self._clients: dict[str, dict[str, _Failures]] = {}

    def wait(self, client: str, user: str, now: float) -> float:
        """Seconds until this client may try to log in as this user; 0 at once."""
        names = self._clients.get(client)
        failures = None if names is None else names.get(_key(names, user))
        if failures is None or now - failures.last >= FORGET_AFTER:
            return 0.0
        return max(0.0, failures.until - now)

    def failed(self, client: str, user: str, now: float) -> None:
        """Count a failed login."""
        names = self._clients.pop(client, None)
        if names is None:
            names = {}
            if len(self._clients) >= MAX_CLIENTS:
                del self._clients[next(iter(self._clients))]
        self._clients[client] = names
        for name in [name for name, old in names.items() if now - old.last >= FORGET_AFTER]:
            del names[name]
        failures = names.setdefault(_key(names, user), _Failures())
        failures.count += 1
        failures.last = now
        if failures.count >= FREE_FAILURES:
            # The exponent is bounded: 2.0 ** 1024 would raise.
            failures.until = now + min(LONGEST_WAIT, 2.0 ** min(failures.count - FREE_FAILURES, 16))

    def succeeded(self, client: str, user: str) -> None:
        """Forget the failures of this client for this user.

        Those of names that are counted as one stay: who knows one password must not try another's without end.
        """
        names = self._clients.get(client)
        if names is not None:
            names.pop(user, None)
            if not names:
                del self._clients[client]


def _key(names: dict[str, _Failures], user: str) -> str:
    if user in names:
        return user
    return user if len(user.encode()) <= MAX_NAME and len(names) < MAX_NAMES - 1 else _OTHERS
