"""A login session with a charge controller, over any httpx2 transport."""

import contextlib
import hashlib
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import msgspec

from nfcbridge.errors import NfcBridgeError, ResponseError

BASE_URL: Final = "http://charger"  # the host is not sent over NFC, and each octet of a path costs 85 us there
TIMEOUT: Final = httpx2.Timeout(connect=5.0, read=15.0, write=15.0, pool=None)  # the controller gives up after 8 s


class Session:
    """Logs in, sends requests with the session id, logs out.

        with Session(NfcTransport("udp:127.0.0.1:54321"), "operator", password) as session:
            print(session.request("GET", "/system_state").json())

    Args:
        transport: any transport of httpx2; closed with the session.
        user: the name to log in with; a role such as `operator`.
        password: the plain password. It is not sent: only its hash with a token that is good for one login.
        base_url: put before the paths; over HTTP such as `http://127.0.0.1:8080/v1`.
    """

    def __init__(self, transport: httpx2.BaseTransport, user: str, password: str, *, base_url: str = BASE_URL) -> None:
        self._client = httpx2.Client(transport=transport, base_url=base_url, timeout=TIMEOUT)
        self._user = user
        self._password = password
        self._id: str | None = None

    def login(self) -> httpx2.Response:
        """Get a token and log in with it. What is refused is in the status of the response.

        Raises:
            ResponseError: what came back is no login answer.
            httpx2.TransportError: it did not come through.
        """
        response = self._client.get("/login")
        if response.is_error:
            return response
        token = _get(response, "token")
        digest = hashlib.sha256((self._password + token).encode()).hexdigest()
        response = self._client.post("/login", json={"username": self._user, "password": digest})
        if not response.is_error:
            self._id = _get(response, "session", "session_id")
        return response

    def request(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        """Send a request of this session.

        Args:
            method: upper case.
            path: with its query, such as `/settings?params=SysTime_mon`.
            content: a JSON document.
        """
        headers = {} if self._id is None else {"Authorization": self._id}
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._client.request(method, path, content=content, headers=headers)

    def logout(self) -> None:
        """End the session, if there is one."""
        if self._id is not None:
            self.request("POST", "/logout")
            self._id = None

    def close(self) -> None:
        """Free the transport, without a logout."""
        self._client.close()

    def __enter__(self) -> Self:
        try:
            self.login().raise_for_status()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.logout()
            elif not isinstance(error, httpx2.TransportError):  # whose link would fail the logout as well
                with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):  # the first error is the one to tell
                    self.logout()
        finally:
            self.close()


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
