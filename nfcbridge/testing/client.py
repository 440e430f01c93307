"""A client of a charge controller in tests: httpx2's own, which can also log in.

One class for both ways in: over NFC with `NfcTransport`, and straight into the application with `AppTransport`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import httpx2
import msgspec

from nfcbridge.charger import hash_password
from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError

NFC_URL: Final = "http://charger"
"""The host is not sent over NFC, and the base path is left out there."""

TIMEOUT: Final = httpx2.Timeout(connect=5.0, read=15.0, write=15.0, pool=None)
"""Seconds; the controller gives up after 8."""

APP_CLIENT: Final = ("test", 0)
"""By this the controller counts the tokens and failed logins of those who call it directly."""


class ChargerClient(httpx2.Client):
    """A client that knows the passwords of its charger.

    Args:
        transport: the way to the charger.
        base_url: put before the paths.
        passwords: of the roles, by their names.
    """

    def __init__(self, transport: httpx2.BaseTransport, base_url: str, passwords: Mapping[str, str]) -> None:
        super().__init__(transport=transport, base_url=base_url, timeout=TIMEOUT)
        self._passwords = passwords

    def login(self, role: str = "operator", password: str | None = None) -> httpx2.Response:
        """Log in: get a token, send the hash of password and token. Later requests carry the session's id.

        Args:
            role: `user`, `operator`, `installer` or `manufacturer`.
            password: another one than the charger's, to see it refused.

        Raises:
            ConfigError: the charger has no password for this role, and none is given.
            httpx2.HTTPStatusError: the login was refused; its response says how.
        """
        plain = self._passwords.get(role) if password is None else password
        if plain is None:
            known = ", ".join(self._passwords) or "none"
            raise ConfigError(f"the charger has no password for {role!r}; it has those of {known}")
        token = msgspec.json.decode(self.get("/login").raise_for_status().content, type=_Token).token
        credentials = {"username": role, "password": hash_password(plain, token)}
        response = self.post("/login", json=credentials).raise_for_status()
        self.headers["Authorization"] = msgspec.json.decode(response.content, type=_LoggedIn).session.session_id
        return response

    def logout(self) -> httpx2.Response:
        """End the session; later requests are nobody's."""
        response = self.post("/logout")
        self.headers.pop("Authorization", None)
        return response


class _Token(msgspec.Struct):
    token: str


class _SessionId(msgspec.Struct):
    session_id: str


class _LoggedIn(msgspec.Struct):
    session: _SessionId


class AppTransport(httpx2.BaseTransport):
    """Calls an ASGI application in the event loop in which it lives, from any other thread.

    Args:
        app: the application.
        loop: returns its loop.
    """

    def __init__(self, app: App, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._inner = httpx2.ASGITransport(app, client=APP_CLIENT)
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for its answer.

        Raises:
            httpx2.ReadTimeout: there is none in time.
        """
        content = request.read()
        loop = self._loop()
        call = asyncio.run_coroutine_threadsafe(self._call(request, content), loop)
        try:
            return call.result(request.extensions.get("timeout", {}).get("read"))
        except TimeoutError as error:
            call.cancel()
            raise httpx2.ReadTimeout("the application did not answer in time", request=request) from error

    async def _call(self, request: httpx2.Request, content: bytes) -> httpx2.Response:
        twin = httpx2.Request(request.method, request.url, headers=request.headers, content=content)
        response = await self._inner.handle_async_request(twin)
        return httpx2.Response(response.status_code, headers=response.headers, content=await response.aread())
