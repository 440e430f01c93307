"""One event loop, in its own thread, runs the application for every door.

    link thread --submit()--> loop thread: call_app --> application        (any number of links)
         ^------ future ---------'             ^
                                               '-- uvicorn                 (any number of HTTP connections)

The application's lifespan runs once, here. A link's thread waits for its own answer and shares nothing else with the
loop: no lock, no timer.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from nfcbridge.dispatch import MAX_CONTENT, App, Message, Report, call_app, log_problem
from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing.message import Answer, Request
from nfcbridge.trace.origin import at

if TYPE_CHECKING:
    from ssl import SSLContext

    from nfcbridge.server.http import HttpServer

# Seconds that the application's start may take, a database opened and migrated included.
STARTUP_TIMEOUT: Final = 30.0
# Seconds of a graceful stop. Of these HTTP takes at most http.STOP_TIMEOUT, and requests over NFC at the same time
# their grace and that of being cancelled; then the application's clean-up has its own.
STOP_TIMEOUT: Final = 2.0
GRACE: Final = 0.8
CANCEL_GRACE: Final = 0.3
CLEAN_UP_TIMEOUT: Final = 0.4


class PendingAnswer(Future[Answer]):
    """The future of an answer. cancel() gives the request up and stops the application's call, wherever it is."""

    def __init__(self, message_id: bytes) -> None:
        super().__init__()
        self.message_id = message_id
        self.task: asyncio.Task[Answer] | None = None

    def cancel(self) -> bool:
        """Give the request up; any thread. False if the answer is there already."""
        cancelled = super().cancel()
        task = self.task
        if cancelled and task is not None:
            with contextlib.suppress(RuntimeError):  # a closed loop has cancelled its tasks
                task.get_loop().call_soon_threadsafe(task.cancel)
        return cancelled

    def settle(self, answer: Answer) -> None:
        """Answer, unless the request was given up or is answered. The loop's thread only."""
        if not self.done() and self.set_running_or_notify_cancel():
            self.set_result(answer)


class _Lifespan:
    """The lifespan of an application: started and stopped once, its state shared by all requests."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._inbox.get, self._said.put)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:  # noqa: BLE001, S110 by raising an application says that it has no lifespan (ASGI)
            pass
        finally:
            self._said.put_nowait(None)

    async def start(self) -> None:
        """Raise ConfigError if the application says that it cannot start."""
        self._task = asyncio.create_task(self._run())
        self._inbox.put_nowait({"type": "lifespan.startup"})
        said = await self._said.get()
        if said is not None and said["type"] == "lifespan.startup.failed":
            raise ConfigError(f"the application cannot start: {_reason(said)}")

    async def stop(self) -> None:
        """Let the application clean up. Raise ConfigError if it says that it cannot."""
        if self._task is not None and not self._task.done():
            self._inbox.put_nowait({"type": "lifespan.shutdown"})
            said = await self._said.get()
            if said is not None and said["type"] == "lifespan.shutdown.failed":
                raise ConfigError(f"the application cannot clean up: {_reason(said)}")


def _reason(said: Message) -> str:
    # Starlette says a whole traceback; its last line is the reason.
    return str(said.get("message") or "it does not say why").strip().rpartition("\n")[2]


class AppLoop:
    """Runs an application for NFC links and HTTP, from start() to stop().

    Args:
        app: any ASGI 3 application.
        base_path: put before a message's path that is not below it; `/v1` for our core, empty for any other.
        drop_error_content: NFC answers of status 400 and more go without content.
        max_content: octets of content that an NFC answer may have, 413 beyond.
        report: told, in the loop's thread, of what the application did wrong.
        on_stop: called once in the loop's thread when stop() begins: responses without an end get theirs.
    """

    def __init__(
        self,
        app: App,
        *,
        base_path: str = "",
        drop_error_content: bool = True,
        max_content: int = MAX_CONTENT,
        report: Report = log_problem,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._on_stop = on_stop
        self._base_path = base_path
        self._drop_error_content = drop_error_content
        self._max_content = max_content
        self._report = report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._started: Future[None] = Future()
        self._stopping = asyncio.Event()
        self._state: dict[str, Any] = {}
        self._pending: set[PendingAnswer] = set()
        self._calls: set[asyncio.Task[Answer]] = set()
        self._servers: list[HttpServer] = []

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the thread and the application, once.

        Raises:
            ConfigError: the application says that it cannot start, or takes longer than STARTUP_TIMEOUT.
            LocalProtocolError: it was started before.
        """
        if self._thread is not None:
            raise LocalProtocolError("this loop was started before")
        self._thread = threading.Thread(target=self._main, name="nfcbridge-app", daemon=True)
        self._thread.start()
        try:
            self._started.result(2 * STARTUP_TIMEOUT)
        except TimeoutError as error:  # the loop did not see it: it is blocked
            self.stop(0.0)
            raise ConfigError(f"the application did not start within {2 * STARTUP_TIMEOUT:g} s") from error

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Let HTTP finish, let the application clean up, end the thread. Any thread, any number of times.

        Requests that are not answered by then are answered 503.

        Args:
            timeout: seconds after which this returns in any case. An application that blocks the loop keeps the
                (daemon) thread, and requests that wait for it are cancelled.
        """
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # closed: stopped before
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout)
        for pending in list(self._pending):
            pending.cancel()

    def submit(self, request: Request, client: str = "nfc", *, instant: float | None = None) -> PendingAnswer:
        """Let the application answer a request; any thread.

        Args:
            request: the request.
            client: the name of the link, by which the application counts tokens and failures.
            instant: the time that a `TraceClock` shows to the application meanwhile; None: it goes on.

        Returns:
            A future that has an answer whatever the application does, unless it was cancelled.

        Raises:
            LocalProtocolError: the loop was not started.
        """
        if self._loop is None:
            raise LocalProtocolError("this loop was not started")
        pending = PendingAnswer(request.message_id)
        self._pending.add(pending)
        pending.add_done_callback(self._forget)
        try:
            self._loop.call_soon_threadsafe(self._begin, pending, request, client, instant)
        except RuntimeError:  # closed, and nobody else settles this one any more
            pending.settle(Answer(status=503, message_id=request.message_id))
        return pending

    def serve_http(
        self, host: str, port: int, *, app: App | None = None, ssl_context: "SSLContext | None" = None
    ) -> "HttpServer":
        """Serve the application over HTTP too, until stop().

        Args:
            host: the address to listen on.
            port: its port; 0 takes a free one.
            app: served in its place: the same with what only HTTP has around it. The lifespan stays the application's.
            ssl_context: for HTTPS.

        Raises:
            LinkError: the address cannot be had.
            LocalProtocolError: the loop does not run.
        """
        from nfcbridge.server.http import HttpServer, bind  # uvicorn is heavy, and HTTP is optional

        if self._loop is None or self._loop.is_closed():
            raise LocalProtocolError("this loop does not run")
        server = HttpServer(
            app or self._app, bind(host, port), state=self._state, ssl_context=ssl_context, report=self._report
        )
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(STARTUP_TIMEOUT)
        self._servers.append(server)
        return server

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())
        for pending in list(self._pending):
            # What came in while the loop closed: its call was never begun.
            pending.settle(Answer(status=503, message_id=pending.message_id))

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        lifespan = _Lifespan(self._app)
        try:
            await asyncio.wait_for(lifespan.start(), STARTUP_TIMEOUT)
        except ConfigError as error:
            self._started.set_exception(error)
            return
        except TimeoutError:
            self._started.set_exception(ConfigError(f"the application did not start within {STARTUP_TIMEOUT:g} s"))
            return
        self._state = lifespan.state
        self._started.set_result(None)
        await self._stopping.wait()
        if self._on_stop is not None:
            self._on_stop()
        await asyncio.gather(self._finish_calls(), *(server.stop() for server in self._servers))
        try:
            await asyncio.wait_for(lifespan.stop(), CLEAN_UP_TIMEOUT)
        except ConfigError as error:
            self._report(str(error), None)
        except TimeoutError:
            self._report(f"the application did not clean up within {CLEAN_UP_TIMEOUT:g} s", None)

    async def _finish_calls(self) -> None:
        if self._calls and (await asyncio.wait(self._calls, timeout=GRACE))[1]:
            for call in self._calls:
                call.cancel()
            await asyncio.wait(self._calls, timeout=CANCEL_GRACE)

    def _forget(self, pending: Future[Answer]) -> None:
        self._pending.discard(pending)

    def _begin(self, pending: PendingAnswer, request: Request, client: str, instant: float | None) -> None:
        if self._stopping.is_set():
            pending.settle(Answer(status=503, message_id=pending.message_id))
            return
        call = call_app(
            self._app,
            request,
            base_path=self._base_path,
            client=client,
            drop_error_content=self._drop_error_content,
            max_content=self._max_content,
            state=self._state,
            report=self._report,
            on_answer=pending.settle,
        )
        with contextlib.nullcontext() if instant is None else at(instant):  # a task keeps the context it began in
            pending.task = task = asyncio.get_running_loop().create_task(call)
        if pending.cancelled():  # before there was a task to cancel
            task.cancel()
        self._calls.add(task)
        task.add_done_callback(lambda task: self._ended(pending, task))

    def _ended(self, pending: PendingAnswer, task: asyncio.Task[Answer]) -> None:
        self._calls.discard(task)
        if task.cancelled():  # by the loop when it stops, else by the application itself
            pending.settle(Answer(status=503 if self._stopping.is_set() else 500, message_id=pending.message_id))
