"""The login, without I/O: requests out, responses in. Sessions of both kinds, blocking and not, carry it out.

GET /login                           {"token": ...}
POST /login {username, password}     {"session": {"session_id": ...}}      password: SHA-256 of password + token
"""

import hashlib
from collections.abc import Generator
from typing import Any, Final

import httpx2
import msgspec

from nfcbridge.errors import ResponseError

BASE_URL: Final = "http://charger"  # the host is not sent over NFC, and each octet of a path costs 85 us there
TIMEOUT: Final = httpx2.Timeout(connect=5.0, read=15.0, write=15.0, pool=None)  # the controller gives up after 8 s

SESSION_TIMEOUT: Final = 60.0
"""Seconds without a request after which a session is over (API reference, "Login and session authorization")."""

KEEP_ALIVE: Final = 45.0
"""Seconds without a request after which one is sent that says nothing: what is left is for a phone to come back."""

KEEP_ALIVE_PATH: Final = "/transactions/active"
"""The shortest answer that there is, of some 20 octets."""

KEEP_ALIVE_TIMEOUT: Final = httpx2.Timeout(connect=0.5, read=5.0, write=5.0, pool=0.5)
"""Nobody waits for it, and whoever has something to ask is not to wait for it either."""

UNAUTHORIZED: Final = 401

Exchange = Generator[httpx2.Request, httpx2.Response, httpx2.Response]
"""Requests to send, and the response that is the result."""


class Credentials:
    """Who logs in, and the session that came of it.

    Args:
        client: makes the requests.
        user: the name to log in with.
        password: the plain password.

    Attributes:
        session_id: of the open session, None without one.
    """

    def __init__(self, client: httpx2.Client | httpx2.AsyncClient, user: str, password: str) -> None:
        self._client = client
        self._user = user
        self._password = password
        self.session_id: str | None = None

    def log_in(self) -> Exchange:
        """Log in. What is refused is in the status of the response.

        Raises:
            ResponseError: what came back is no login answer.
        """
        self.session_id = None
        response = yield self._client.build_request("GET", "/login")
        if response.is_error:
            return response
        token = _get(response, "token")
        digest = hashlib.sha256((self._password + token).encode()).hexdigest()
        content = {"username": self._user, "password": digest}
        response = yield self._client.build_request("POST", "/login", json=content)
        if not response.is_error:
            self.session_id = _get(response, "session", "session_id")
        return response

    def ask(self, method: str, path: str, content: bytes | None, timeout: httpx2.Timeout) -> Exchange:
        """Send a request of the session, and log in again if it was over: a request that got 401 was not executed."""
        used = self.session_id
        response = yield self._build(method, path, content, timeout)
        if response.status_code == UNAUTHORIZED and used is not None:
            login = yield from self.log_in()
            if self.session_id is None:
                return login
            response = yield self._build(method, path, content, timeout)
        return response

    def log_out(self) -> Exchange:
        """End the session that there is. One that is over already has ended too."""
        request = self._build("POST", "/logout", None, TIMEOUT)
        response = yield request
        self.session_id = None
        return response

    def _build(self, method: str, path: str, content: bytes | None, timeout: httpx2.Timeout) -> httpx2.Request:
        headers = {} if self.session_id is None else {"Authorization": self.session_id}
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._client.build_request(method, path, content=content, headers=headers, timeout=timeout)


def _get(response: httpx2.Response, *keys: str) -> str:
    try:
        value: Any = msgspec.json.decode(response.content)
        for key in keys:
            value = value[key]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ResponseError(f"the answer to the login has no {'.'.join(keys)}") from error
    if not isinstance(value, str):
        raise ResponseError(f"{'.'.join(keys)} of the login's answer is not a string")
    return value
