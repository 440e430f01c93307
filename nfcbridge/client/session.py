"""A login session with a charge controller, over any httpx2 transport, blocking and asynchronous.

It lasts as long as it is open: a request that says nothing keeps it alive, and if it ended all the same, as while the
phone was elsewhere, the next request logs in again.
"""

import contextlib
import threading
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx2

from nfcbridge.client.login import (
    BASE_URL,
    KEEP_ALIVE,
    KEEP_ALIVE_PATH,
    KEEP_ALIVE_TIMEOUT,
    TIMEOUT,
    Credentials,
    Exchange,
)
from nfcbridge.errors import NfcBridgeError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup


class Session:
    """Logs in, sends requests with the session id, logs out. Any thread may use it; requests go one by one.

        with Session(NfcTransport("udp:127.0.0.1:54321"), "operator", password) as session:
            print(session.request("GET", "/system_state").json())

    Args:
        transport: any transport of httpx2; closed with the session.
        user: the name to log in with; a role such as `operator`.
        password: the plain password. It is not sent: only its hash with a token that is good for one login.
        base_url: put before the paths; over HTTP such as `http://127.0.0.1:8080/v1`.
        keep_alive: seconds without a request after which one is sent, so that the session does not end after 60; None:
            never. A thread does that, and a phone that is not there then is not waited for.
    """

    def __init__(
        self,
        transport: httpx2.BaseTransport,
        user: str,
        password: str,
        *,
        base_url: str = BASE_URL,
        keep_alive: float | None = KEEP_ALIVE,
    ) -> None:
        self._client = httpx2.Client(transport=transport, base_url=base_url, timeout=TIMEOUT)
        self._credentials = Credentials(self._client, user, password)
        self._keep_alive = keep_alive
        self._used_at = 0.0
        self._in_use = threading.Lock()
        self._over = threading.Event()
        self._keeper: threading.Thread | None = None

    def login(self) -> httpx2.Response:
        """Get a token and log in with it. What is refused is in the status of the response.

        Raises:
            ResponseError: what came back is no login answer.
            httpx2.TransportError: it did not come through.
        """
        response = self._run(self._credentials.log_in())
        if self._credentials.session_id is not None and self._keep_alive is not None and self._keeper is None:
            # Not the session itself: one that nobody has any more, and nobody closed, is to end, and the thread too.
            arguments = (weakref.ref(self), self._over, self._keep_alive)
            self._keeper = threading.Thread(target=keep_alive, args=arguments, name="nfcbridge-session", daemon=True)
            weakref.finalize(self, self._over.set)
            self._keeper.start()
        return response

    @property
    def session_id(self) -> str | None:
        """The id of the open session, None without one. It is as good as the password while it lasts."""
        return self._credentials.session_id

    def request(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        """Send a request of this session. If the session had ended, it logs in again first and sends it once more.

        Args:
            method: upper case.
            path: with its query, such as `/settings?params=SysTime_mon`.
            content: a JSON document.
        """
        return self._run(self._credentials.ask(method, path, content, TIMEOUT))

    def logout(self) -> None:
        """End the session, if there is one."""
        if self._credentials.session_id is not None:
            self._run(self._credentials.log_out())

    def close(self) -> None:
        """Free the transport, without a logout; the session ends by itself after 60 s."""
        self._credentials.session_id = None
        self._over.set()
        self._client.close()
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join()

    def _run(self, exchange: Exchange) -> httpx2.Response:
        with self._in_use:
            self._used_at = time.monotonic()
            request = next(exchange)
            try:
                while True:
                    request = exchange.send(self._client.send(request))
            except StopIteration as end:
                response: httpx2.Response = end.value
                return response

    def keep(self, interval: float) -> float:
        """Send a request that says nothing if there was none for so long; return the seconds until the next look."""
        left = self._used_at + interval - time.monotonic()
        if left > 0:
            return left
        self._used_at = time.monotonic()  # also if it fails: the phone is elsewhere, and is not called at once
        if self._credentials.session_id is not None:
            with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):  # the next request logs in again
                self._run(self._credentials.ask("GET", KEEP_ALIVE_PATH, None, KEEP_ALIVE_TIMEOUT))
        return interval

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


def keep_alive(session: "weakref.ref[Session]", over: threading.Event, interval: float) -> None:
    """Keep a session alive, until it is closed or nobody has it any more; the work of a thread."""
    left = interval
    while not over.wait(left):
        kept = session()
        if kept is None:
            return
        left = kept.keep(interval)
        del kept  # or it would be had while the thread waits


class AsyncSession:
    """The same for asynchronous programs, with asyncio or trio; tasks may share it.

        async with AsyncSession(NfcTransport("udp:127.0.0.1:54321"), "operator", password) as session:
            print((await session.request("GET", "/system_state")).json())

    Args:
        transport, user, password, base_url, keep_alive: as those of `Session`.
    """

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        user: str,
        password: str,
        *,
        base_url: str = BASE_URL,
        keep_alive: float | None = KEEP_ALIVE,
    ) -> None:
        import anyio

        self._client = httpx2.AsyncClient(transport=transport, base_url=base_url, timeout=TIMEOUT)
        self._credentials = Credentials(self._client, user, password)
        self._keep_alive = keep_alive
        self._used_at = 0.0
        self._in_use = anyio.Lock()
        self._tasks: TaskGroup | None = None  # of the event loop in which it is entered

    async def login(self) -> httpx2.Response:
        """See `Session.login`."""
        return await self._run(self._credentials.log_in())

    @property
    def session_id(self) -> str | None:
        """The id of the open session, None without one. It is as good as the password while it lasts."""
        return self._credentials.session_id

    async def request(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        """See `Session.request`."""
        return await self._run(self._credentials.ask(method, path, content, TIMEOUT))

    async def logout(self) -> None:
        """End the session, if there is one."""
        if self._credentials.session_id is not None:
            await self._run(self._credentials.log_out())

    async def close(self) -> None:
        """Free the transport, without a logout; the session ends by itself after 60 s."""
        import anyio

        self._credentials.session_id = None
        with anyio.CancelScope(shield=True):  # or a task that is cancelled would leave the reader open
            await self._client.aclose()

    async def _run(self, exchange: Exchange) -> httpx2.Response:
        import anyio

        async with self._in_use:
            self._used_at = anyio.current_time()
            request = next(exchange)
            try:
                while True:
                    request = exchange.send(await self._client.send(request))
            except StopIteration as end:
                response: httpx2.Response = end.value
                return response

    async def _keep(self, interval: float) -> None:
        import anyio

        while True:
            await anyio.sleep(max(0.0, self._used_at + interval - anyio.current_time()))
            if anyio.current_time() >= self._used_at + interval:
                self._used_at = anyio.current_time()
                if self._credentials.session_id is not None:
                    with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):
                        await self._run(self._credentials.ask("GET", KEEP_ALIVE_PATH, None, KEEP_ALIVE_TIMEOUT))

    async def __aenter__(self) -> Self:
        try:
            (await self.login()).raise_for_status()
        except BaseException:
            await self.close()
            raise
        if self._keep_alive is not None:
            import anyio

            self._tasks = anyio.create_task_group()
            await self._tasks.__aenter__()
            self._tasks.start_soon(self._keep, self._keep_alive)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            tasks, self._tasks = self._tasks, None
            if tasks is not None:
                tasks.cancel_scope.cancel()
                await tasks.__aexit__(None, None, None)  # the error is not its own, and stays as it is
            if error is None:
                await self.logout()
            elif isinstance(error, Exception) and not isinstance(error, httpx2.TransportError):
                with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):
                    await self.logout()
        finally:
            await self.close()
