"""A session that lasts: kept alive, and opened again when it ended all the same."""

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2
import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.client.session import AsyncSession, Session, keep_alive
from nfcbridge.client.transport import NfcTransport
from nfcbridge.server.emulator import Emulator

LINK = "memory:life"


class Charger:
    """A controller whose sessions end when the test says so, behind transports of both kinds.

    Attributes:
        asked: paths, in order.
        kept: set when the session was kept alive twice.
        fails: requests that keep alive do not come through.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.logins = 0
        self.over = False
        self.kept = threading.Event()
        self.fails = False
        self.refuses = False

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if path == "/login" and request.method == "GET":
            return httpx2.Response(200, json={"token": "t"})
        if path == "/login":
            if self.refuses:
                return httpx2.Response(401)
            self.logins += 1
            self.over = False
            return httpx2.Response(200, json={"session": {"session_id": f"id{self.logins}"}})
        if self.over or request.headers.get("authorization") != f"id{self.logins}":
            return httpx2.Response(401)
        if path == "/transactions/active":
            if self.asked.count("GET /transactions/active") >= 2:
                self.kept.set()
            if self.fails:
                raise httpx2.ConnectTimeout("no tag", request=request)
        return httpx2.Response(200, json={"success": False})

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.answer)


def test_a_session_that_ended_is_opened_again_and_the_request_sent_once_more() -> None:
    charger = Charger()
    with Session(charger.transport(), "operator", "x") as session:
        charger.over = True
        assert session.session_id == "id1"
        assert session.request("POST", "/users", b"{}").status_code == 200
        assert session.session_id == "id2"
        session.request("GET", "/users")
    assert charger.asked == [
        *("GET /login", "POST /login"),
        *("POST /users", "GET /login", "POST /login", "POST /users"),
        *("GET /users", "POST /logout"),
    ]


def test_a_password_that_was_changed_meanwhile_is_the_401_of_the_request() -> None:
    charger = Charger()
    with Session(charger.transport(), "operator", "x") as session:
        charger.over = charger.refuses = True
        assert session.request("GET", "/users").status_code == 401
    assert charger.asked[-1] == "POST /login"  # nobody is logged in, so nobody logs out


def test_a_logout_of_a_session_that_is_over_does_not_open_another() -> None:
    charger = Charger()
    with Session(charger.transport(), "operator", "x"):
        charger.over = True
    assert charger.asked[-1] == "POST /logout"
    assert charger.logins == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_session_is_kept_alive_while_nobody_asks(*, fails: bool) -> None:
    charger = Charger()
    charger.fails = fails
    with Session(charger.transport(), "operator", "x", keep_alive=0.001) as session:
        assert charger.kept.wait(10)
        assert session.request("GET", "/users").status_code == 200
    assert charger.asked[-1] == "POST /logout"


def keepers() -> int:
    return sum(thread.name == "nfcbridge-session" for thread in threading.enumerate())


def test_without_being_asked_to_nothing_is_kept_alive() -> None:
    before = keepers()
    with Session(Charger().transport(), "operator", "x", keep_alive=None):
        assert keepers() == before


def test_a_session_that_logged_out_or_was_used_just_now_is_not_kept_alive() -> None:
    charger = Charger()
    session = Session(charger.transport(), "operator", "x", keep_alive=60.0)
    session.login()
    asked = len(charger.asked)
    assert 0 < session.keep(60.0) <= 60.0
    session.logout()
    assert session.keep(0.0) == 0.0
    assert charger.asked[asked:] == ["POST /logout"]
    session.close()


def test_a_session_that_nobody_has_any_more_takes_its_thread_with_it() -> None:
    before = keepers()
    session = Session(Charger().transport(), "operator", "x")
    session.login()
    (keeper,) = [thread for thread in threading.enumerate() if thread.name == "nfcbridge-session"][before:]
    del session
    gc.collect()
    keeper.join(10)
    assert not keeper.is_alive()


def test_a_keeper_that_wakes_up_to_nobody_ends() -> None:
    class Gone:
        """Something that is gone at once."""

    keep_alive(weakref.ref(Gone()), threading.Event(), 0.0)  # type: ignore[arg-type]


def test_an_asynchronous_session_is_kept_alive_and_opened_again() -> None:
    charger = Charger()

    async def run() -> None:
        async with AsyncSession(charger.transport(), "operator", "x", keep_alive=0.001) as session:
            assert await anyio.to_thread.run_sync(charger.kept.wait, 10)
            charger.fails = charger.over = True
            assert session.session_id == "id1"
            assert (await session.request("GET", "/users")).status_code == 200

    anyio.run(run)
    assert charger.logins == 2
    assert charger.asked[-1] == "POST /logout"


def test_an_asynchronous_session_that_cannot_log_in_frees_its_transport() -> None:
    charger = Charger()
    charger.refuses = True

    async def run() -> None:
        with pytest.raises(httpx2.HTTPStatusError):
            async with AsyncSession(charger.transport(), "operator", "x"):
                pass

    anyio.run(run)


@pytest.mark.parametrize(
    ("error", "logs_out"),
    [(ZeroDivisionError(), True), (httpx2.ReadError("torn"), False)],
    ids=["a fault of the program", "a link that failed"],
)
def test_an_asynchronous_session_logs_out_where_the_link_is_there(error: Exception, *, logs_out: bool) -> None:
    charger = Charger()

    async def run() -> None:
        with pytest.raises(type(error)):
            async with AsyncSession(charger.transport(), "operator", "x", keep_alive=None):
                raise error

    anyio.run(run)
    assert (charger.asked[-1] == "POST /logout") == logs_out


def test_an_asynchronous_session_without_a_session_has_nothing_to_log_out() -> None:
    charger = Charger()

    async def run() -> None:
        session = AsyncSession(charger.transport(), "operator", "x")
        await session.logout()
        await session.close()

    anyio.run(run)
    assert charger.asked == []


@pytest.fixture
def link() -> Iterator[str]:
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"})))
    with Emulator(app, [LINK], base_path=BASE_PATH):
        yield LINK


def test_tasks_share_an_asynchronous_session_over_nfc(link: str) -> None:
    states: list[str] = []

    async def run() -> None:
        async with (
            AsyncSession(NfcTransport(link), "operator", "operator") as session,
            anyio.create_task_group() as tasks,
        ):

            async def ask() -> None:
                states.append((await session.request("GET", "/system_state")).json()["systemState"])

            for _ in range(5):
                tasks.start_soon(ask)

    anyio.run(run)
    assert states == ["idle"] * 5


def test_threads_share_a_session_over_nfc(link: str) -> None:
    states: list[str] = []
    with Session(NfcTransport(link), "operator", "operator") as session:

        def ask() -> None:
            states.append(session.request("GET", "/system_state").json()["systemState"])

        threads = [threading.Thread(target=ask) for _ in range(5)]
        with contextlib.ExitStack() as stack:
            for thread in threads:
                thread.start()
                join: Callable[[], None] = thread.join
                stack.callback(join)
    assert states == ["idle"] * 5


class Kept(httpx2.MockTransport):
    """Tells whether it was closed, as a reader that others are to have."""

    closed = False

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()  # where a task that was cancelled would end
        self.closed = True


@pytest.mark.parametrize("keep_alive", [None, 60.0])
def test_an_asynchronous_session_that_is_cancelled_frees_its_transport(keep_alive: float | None) -> None:
    transport = Kept(Charger().answer)
    session = AsyncSession(transport, "operator", "x", keep_alive=keep_alive)  # an event loop is not needed yet

    async def run() -> None:
        with anyio.CancelScope() as scope:
            async with session:
                scope.cancel()
                await anyio.sleep_forever()

    anyio.run(run)
    assert transport.closed


def test_a_session_that_was_closed_inside_has_nothing_to_log_out() -> None:
    charger = Charger()

    async def run() -> None:
        async with AsyncSession(charger.transport(), "operator", "x") as session:
            await session.close()

    anyio.run(run)
    with Session(charger.transport(), "operator", "x") as session:
        session.close()
        session.close()
        assert session.session_id is None
    assert "POST /logout" not in charger.asked
