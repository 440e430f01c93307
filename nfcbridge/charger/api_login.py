"""Login and logout."""

from http import HTTPStatus

import msgspec

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import NotLoggedIn, RefusedError, not_logged_in
from nfcbridge.charger.sessions import SESSION_TIMEOUT


class LoginToken(msgspec.Struct, frozen=True):
    """A token for one attempt: 32 printable ASCII characters."""

    token: str


class LoginRequest(msgspec.Struct, frozen=True):
    """Who, and the password hashed with the token: 64 hexadecimal digits in lower case."""

    username: str
    password: str


class SessionInfo(msgspec.Struct, frozen=True):
    """The session that a login opened; the timeout is in seconds."""

    session_id: str
    username: str
    role: str
    timeout: int


class LoggedIn(msgspec.Struct, frozen=True):
    """The answer to a login."""

    logged_in: bool
    session: SessionInfo


def _check_served(controller: Controller) -> None:
    if not controller.serves:
        raise RefusedError(HTTPStatus.FORBIDDEN, "the interface is disabled")


async def get_login(controller: Controller, call: Call[None, None]) -> LoginToken:
    """A token; the client's previous one is void."""
    _check_served(controller)
    return LoginToken(controller.logins.issue_token(call.client))


async def post_login(controller: Controller, call: Call[LoginRequest, None]) -> LoggedIn:
    """A session. Refused with 401 or 429, or with 403 while the interface is disabled."""
    _check_served(controller)
    session = controller.logins.attempt(call.client, call.body.username, call.body.password, call.now)
    return LoggedIn(True, SessionInfo(session.id, session.role, session.role, int(SESSION_TIMEOUT)))


async def post_logout(controller: Controller, call: Call[None, None]) -> NotLoggedIn:
    """The end of the session."""
    controller.sessions.close(call.session)
    return not_logged_in("Logged out")
