"""The application's loop: answers to other threads, one lifespan, and a stop that always ends."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing.message import Answer, Request
from nfcbridge.server import apploop
from nfcbridge.server.apploop import AppLoop, PendingAnswer
from tests.server.apps import Lively

# Seconds after which a test has failed; nothing here takes longer than a few milliseconds.
SOON = 10.0


def get(path: str) -> Request:
    return Request(path=path, method="GET", authorization=None, message_id=b"7", content=b"")


class Told:
    """Keeps what the loop reports."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __call__(self, problem: str, _error: BaseException | None) -> None:
        self.problems.append(problem)


@pytest.fixture
def app() -> Lively:
    return Lively()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def loop(app: Lively, told: Told) -> Iterator[AppLoop]:
    with AppLoop(app, report=told) as running:
        yield running


def test_a_request_from_any_thread_is_answered_in_the_loops_own(loop: AppLoop, app: Lively) -> None:
    assert loop.submit(get("/x"), client="memory:desk").result(SOON) == Answer(200, b'{"ok":true}', b"7")
    assert app.scopes[0]["client"] == ("memory:desk", 0)


def test_the_base_path_the_largest_content_and_the_switch_reach_the_dispatch(app: Lively) -> None:
    with AppLoop(app, base_path="/v1", max_content=3, report=Told()) as running:
        assert running.submit(get("/x")).result(SOON) == Answer(413, message_id=b"7")
    assert app.scopes[0]["path"] == "/v1/x"


def test_error_content_is_kept_when_asked_for() -> None:
    async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 404})
        await send({"type": "http.response.body", "body": b"{}"})

    with AppLoop(refuse, drop_error_content=False) as running:
        assert running.submit(get("/x")).result(SOON) == Answer(404, b"{}", b"7")


def test_an_application_of_a_framework_is_served_with_its_threads_streams_and_background_tasks() -> None:
    done = threading.Event()

    def in_a_thread(request: StarletteRequest) -> JSONResponse:
        return JSONResponse({"state": request.state.name}, background=BackgroundTask(done.set))

    async def in_pieces(_request: StarletteRequest) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"a":'
            yield b" 1}"

        return StreamingResponse(pieces(), media_type="application/json")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
        yield {"name": "framework"}

    async def pass_on(request: StarletteRequest, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app = Starlette(
        routes=[Route("/thread", in_a_thread), Route("/pieces", in_pieces)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)],
        lifespan=lifespan,
    )
    told = Told()
    with AppLoop(app, report=told) as running:
        assert running.submit(get("/thread")).result(SOON).content == b'{"state":"framework"}'
        assert running.submit(get("/pieces")).result(SOON).content == b'{"a":1}'
        assert running.submit(get("/nowhere")).result(SOON).status == 404
        assert running.submit(get("/thread/")).result(SOON).status == 502
        assert done.wait(SOON)
    assert told.problems == ["GET /thread/: the application redirected (307): no message can say where to"]


# Lifespan


def test_the_lifespan_runs_once_and_requests_see_its_state(app: Lively) -> None:
    with AppLoop(app) as running:
        for _ in range(2):
            running.submit(get("/x")).result(SOON)
        assert app.log == ["lifespan.startup"]
    assert app.log == ["lifespan.startup", "lifespan.shutdown"]
    assert [scope["state"] for scope in app.scopes] == [{"name": "lively"}] * 2


@pytest.mark.parametrize("error", [None, ValueError("http only"), SystemExit(1)])
def test_an_application_without_a_lifespan_is_served(error: BaseException | None) -> None:
    async def bare(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})
        elif error is not None:
            raise error

    told = Told()
    with AppLoop(bare, report=told) as running:
        assert running.submit(get("/x")).result(SOON).status == 204
    assert told.problems == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Traceback (most recent call last):\n  ...\nOSError: no database\n", "OSError: no database"),
        ("", "it does not say why"),
    ],
)
def test_an_application_that_cannot_start_is_an_error_with_its_reason(message: str, reason: str) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": message})

    running = AppLoop(broken)
    with pytest.raises(ConfigError, match=f"the application cannot start: {reason}$"):
        running.start()
    running.stop()


def test_an_application_that_does_not_start_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(apploop, "STARTUP_TIMEOUT", 0.01)
    with pytest.raises(ConfigError, match=r"within 0\.01 s"):
        AppLoop(slow).start()


def test_an_application_that_blocks_the_loop_when_it_starts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    async def blocking(_scope: Scope, _receive: Receive, _send: Send) -> None:
        go.wait(SOON)

    monkeypatch.setattr(apploop, "STARTUP_TIMEOUT", 0.01)
    loop = AppLoop(blocking)
    with pytest.raises(ConfigError, match=r"within 0\.02 s"):
        loop.start()
    go.set()
    loop.stop(SOON)


def test_an_application_that_cannot_clean_up_is_reported() -> None:
    async def dirty(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "disk full"})

    told = Told()
    with AppLoop(dirty, report=told):
        pass
    assert told.problems == ["the application cannot clean up: disk full"]


def test_an_application_that_never_cleans_up_is_reported_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    monkeypatch.setattr(apploop, "CLEAN_UP_TIMEOUT", 0.01)
    told = Told()
    with AppLoop(stuck, report=told):
        pass
    assert told.problems == ["the application did not clean up within 0.01 s"]


# Requests that do not end well


@pytest.mark.parametrize("path", ["/raise", "/exit", "/cancel"])
def test_an_application_that_raises_is_500_and_the_loop_goes_on(loop: AppLoop, path: str) -> None:
    assert loop.submit(get(path)).result(SOON) == Answer(500, message_id=b"7")
    assert loop.submit(get("/x")).result(SOON).status == 200


def test_a_request_that_is_given_up_stops_the_application(loop: AppLoop, app: Lively) -> None:
    pending = loop.submit(get("/wait"))
    assert app.begun.wait(SOON)
    assert pending.cancel()
    assert app.gone.wait(SOON)
    with pytest.raises(CancelledError):
        pending.result(SOON)


def test_a_request_that_is_given_up_before_its_turn_is_never_begun() -> None:
    held, go, seen = threading.Event(), threading.Event(), []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.append(scope["path"])
            held.set()
            go.wait(SOON)  # keeps the loop from beginning the next one
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

    with AppLoop(app) as running:
        first = running.submit(get("/first"))
        assert held.wait(SOON)
        given_up = running.submit(get("/given-up"))
        assert given_up.cancel()
        go.set()
        assert first.result(SOON).status == 204
        assert running.submit(get("/last")).result(SOON).status == 204
    assert seen == ["/first", "/last"]


def test_an_answer_that_is_there_cannot_be_given_up(loop: AppLoop) -> None:
    pending = loop.submit(get("/x"))
    answer = pending.result(SOON)
    assert not pending.cancel()
    assert pending.result() == answer


def test_an_answer_is_given_before_the_application_has_returned() -> None:
    go = threading.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})
        await asyncio.get_running_loop().run_in_executor(None, go.wait, SOON)

    with AppLoop(app) as running:
        assert running.submit(get("/x")).result(SOON).status == 204
        assert not go.is_set()
        go.set()


# Start and stop


def test_a_loop_starts_once(loop: AppLoop) -> None:
    with pytest.raises(LocalProtocolError):
        loop.start()


def test_a_loop_that_was_stopped_serves_no_http(app: Lively) -> None:
    loop = AppLoop(app)
    loop.start()
    loop.stop()
    with pytest.raises(LocalProtocolError):
        loop.serve_http("127.0.0.1", 0)


@pytest.mark.parametrize(
    "use", [lambda loop: loop.submit(get("/x")), lambda loop: loop.serve_http("127.0.0.1", 0)], ids=["submit", "http"]
)
def test_a_loop_that_was_not_started_serves_nobody(use: Callable[[AppLoop], object]) -> None:
    loop = AppLoop(Lively())
    with pytest.raises(LocalProtocolError):
        use(loop)
    loop.stop()


def test_what_is_not_answered_when_the_loop_stops_is_503(app: Lively, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apploop, "GRACE", 0.01)
    loop = AppLoop(app)
    loop.start()
    pending = loop.submit(get("/wait"))
    assert app.begun.wait(SOON)
    loop.stop()
    assert pending.result(SOON) == Answer(503, message_id=b"7")
    assert app.log == ["lifespan.startup", "cancelled", "lifespan.shutdown"]


def test_a_request_that_is_almost_done_is_answered_before_the_application_cleans_up() -> None:
    begun, go, log = threading.Event(), threading.Event(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            log.append("cleaned up")
            await send({"type": "lifespan.shutdown.complete"})
            return
        begun.set()
        await asyncio.get_running_loop().run_in_executor(None, go.wait, SOON)
        log.append("answered")
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    loop = AppLoop(app)
    loop.start()
    pending = loop.submit(get("/x"))
    assert begun.wait(SOON)
    stopping = threading.Thread(target=loop.stop)
    stopping.start()
    while loop.submit(get("/late")).result(SOON).status != 503:
        pass  # pragma: no cover
    go.set()
    stopping.join(SOON)
    assert pending.result(SOON).status == 204
    assert log == ["answered", "cleaned up"]


def test_after_the_stop_every_request_is_503(app: Lively) -> None:
    loop = AppLoop(app)
    loop.start()
    loop.stop()
    loop.stop()
    assert loop.submit(get("/x")).result(SOON) == Answer(503, message_id=b"7")


def test_a_request_that_comes_while_the_loop_closes_is_503(app: Lively) -> None:
    late: list[PendingAnswer] = []

    async def closing(scope: Scope, receive: Receive, send: Send) -> None:
        running = asyncio.get_running_loop()
        close = running.close

        def ask_and_close() -> None:  # what is asked here has its place in a queue that nobody runs any more
            late.append(loop.submit(get("/x")))
            close()

        monkeypatch.setattr(running, "close", ask_and_close)
        await app(scope, receive, send)

    loop = AppLoop(closing)
    with pytest.MonkeyPatch.context() as monkeypatch:
        loop.start()
        loop.stop()
    assert late[0].result(SOON) == Answer(503, message_id=b"7")


def test_an_application_that_blocks_the_loop_does_not_hold_up_the_stop() -> None:
    begun, go = threading.Event(), threading.Event()

    async def blocking(scope: Scope, _receive: Receive, _send: Send) -> None:
        assert scope["type"] == "http"
        begun.set()
        go.wait(SOON)

    loop = AppLoop(blocking, report=Told())
    loop.start()
    pending = loop.submit(get("/x"))
    assert begun.wait(SOON)
    loop.stop(0.01)
    assert pending.cancelled()
    go.set()
    loop.stop(SOON)
