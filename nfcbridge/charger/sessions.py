"""Login sessions: one store for every door, so that an id is good, and renewed, wherever it comes in.

A session ends 60 s after its last call, by logout, or when MAX_SESSIONS others were used after it. Time is an argument,
in seconds.
"""

from typing import Final

from nfcbridge.charger.randomness import SYSTEM, Randomness, make_uuid
from nfcbridge.charger.roles import Role

# Seconds without a call after which a session ends (API reference, "Login and session authorization").
SESSION_TIMEOUT: Final = 60.0
# Sessions at a time, about 0.5 MiB: 17 logins a second that never log out are needed to reach it.
MAX_SESSIONS: Final = 1024


class Session:
    """Somebody logged in.

    Attributes:
        id: a random UUID (version 4).
        role: who; the user name of the interface too.
        ends: time at which it ends unless it is used before.
    """

    __slots__ = ("ends", "id", "role")

    def __init__(self, session_id: str, role: Role, now: float) -> None:
        self.id = session_id
        self.role = role
        self.ends = now + SESSION_TIMEOUT


class Sessions:
    """The open sessions, the one that was used last at the end.

    Args:
        randomness: what their ids are made of.
    """

    def __init__(self, randomness: Randomness = SYSTEM) -> None:
        self._randomness = randomness
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, role: Role, now: float, client: str = "") -> Session:
        """A new session for this client; those of the same role stay as they are."""
        self._drop_ended(now)
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = Session(make_uuid(self._randomness, client), role, now)
        self._sessions[session.id] = session
        return session

    def use(self, session_id: str, now: float) -> Session | None:
        """The session of this id, renewed by this call; None if there is none or its time is over."""
        # A look-up, not a comparison in constant time: dict hashes with a secret key (PEP 456), so that the time it
        # takes says nothing about the ids that are in it.
        session = self._sessions.pop(session_id, None)
        if session is None or now >= session.ends:
            return None
        session.ends = now + SESSION_TIMEOUT
        self._sessions[session_id] = session
        return session

    def close(self, session: Session | None) -> None:
        """Log somebody out; nobody is logged out already."""
        if session is not None:
            self._sessions.pop(session.id, None)

    def close_role(self, role: Role) -> None:
        """Log out who is logged in with this role."""
        for session in [session for session in self._sessions.values() if session.role is role]:
            del self._sessions[session.id]

    def close_all(self) -> None:
        """Log everybody out."""
        self._sessions.clear()

    def _drop_ended(self, now: float) -> None:
        for session_id, session in list(self._sessions.items()):
            if now < session.ends:
                return  # the others were used later
            del self._sessions[session_id]
