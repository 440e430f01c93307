"""Backup and restore with a charger, through links that are torn."""

import random
from collections.abc import Iterator

import httpx2
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.client.backup.charger import Charger
from nfcbridge.client.backup.check import writable
from nfcbridge.client.backup.copy import PARTS, Copy, Tag, User
from nfcbridge.client.backup.plan import make_plan
from nfcbridge.client.backup.restore import Restoring
from nfcbridge.client.errors import NfcReadError, NfcRefusedError
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import ConfigError, LinkError, RefusedError, ResponseError
from nfcbridge.server.emulator import Emulator

LINK = "memory:backup"
PATIENCE = 5.0

FULL = Copy(
    users=[User(f"u{number}", f"Jenny {number % 7}") for number in range(12)],
    whitelist=[Tag(id=f"{number:08x}", name=f"card {number}", user_id=f"u{number % 14}") for number in range(120)],
    pairs={f"key/{number}": "v" * number for number in range(100)},
)


class Torn(httpx2.BaseTransport):
    """A link that is torn before or after each request by chance.

    Args:
        inner: the link.
        seed: of the chance.
        often: how often, 0 to 1.
    """

    def __init__(self, inner: httpx2.BaseTransport, seed: int, often: float) -> None:
        self.inner = inner
        self.random = random.Random(seed)
        self.often = often
        self.torn = 0
        self.executed: list[tuple[str, str, bytes]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.random.random() < self.often:
            self.torn += 1
            if self.random.random() < 0.5:
                self._execute(request)
            raise NfcReadError("the tag is gone", request=request)
        return self._execute(request)

    def _execute(self, request: httpx2.Request) -> httpx2.Response:
        self.executed.append((request.method, request.url.path, request.content))
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfcbridge.client.backup.charger.PAUSE", 0)
    monkeypatch.setattr("nfcbridge.client.backup.restore.PAUSE", 0)


@pytest.fixture
def link() -> Iterator[str]:
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"})))
    with Emulator(app, [LINK], base_path=BASE_PATH):
        yield LINK


@pytest.fixture
def session(link: str) -> Iterator[Session]:
    with Session(NfcTransport(link), "operator", "operator") as session:
        yield session


def read(session: Session) -> Copy:
    return Charger(session, patience=PATIENCE).read(list(PARTS), lambda _part, _count: None)


def restoring(charger: Charger, copy: Copy, slips: list[str], patience: float = PATIENCE) -> Restoring:
    return Restoring(charger, copy, keep=False, patience=patience, slipped=slips.append, done=lambda _step: None)


def test_a_charger_is_read_in_four_parts(session: Session) -> None:
    told: list[tuple[str, int]] = []
    charger = Charger(session, patience=PATIENCE)
    copy = charger.read(list(PARTS), lambda part, count: told.append((part, count)))
    assert [part for part, _ in told] == list(PARTS)
    assert copy.charger["serialNumber"] == "0000000001"
    assert isinstance(copy.settings, dict)
    assert copy.settings["RfidMode_rfid"] == "RFID/NFC hybrid"
    assert "Power_mon" not in copy.settings  # nobody can write it
    assert "Password_modem" not in copy.settings  # nobody is told it
    assert charger.settings["Password_modem"].type == "password"


def test_what_was_read_before_is_not_read_again(session: Session) -> None:
    copy = Copy(users=[User("u", "Jenny")])
    told: list[str] = []
    Charger(session, patience=PATIENCE).read(["users", "pairs"], lambda part, _count: told.append(part), copy)
    assert told == ["pairs"]
    assert copy.users == [User("u", "Jenny")]


@pytest.mark.parametrize("seed", range(6))
def test_a_charger_is_restored_however_often_the_link_is_torn_and_nothing_is_done_twice(link: str, seed: int) -> None:
    torn = Torn(NfcTransport(link), seed, often=0.0)
    slips: list[str] = []
    with Session(torn, "operator", "operator") as session:
        charger = Charger(session, patience=PATIENCE, slipped=slips.append)
        there = charger.read(list(PARTS), lambda _part, _count: None)
        assert isinstance(there.settings, dict)
        wanted = replace(FULL, settings=there.settings | {"LocalWhitelist_rfid": False})
        torn.often = 0.3
        restoring(charger, wanted, slips).run(there)
        torn.often = 0.0
        now = charger.read(list(PARTS), lambda _part, _count: None)
        assert make_plan(wanted, now) == []
        assert isinstance(now.users, list)
        assert len(now.users) == 12  # a user that was added under a torn link was not added again
    assert torn.torn > 5
    assert slips


def test_the_same_copy_again_changes_nothing(session: Session) -> None:
    wanted = replace(FULL, settings=UNSET)
    charger = Charger(session, patience=PATIENCE)
    restoring(charger, wanted, []).run(Copy(users=[], whitelist=[], pairs={}))
    again = read(session)
    assert make_plan(wanted, again) == []


def test_a_tag_that_does_not_come_back_is_given_up(link: str) -> None:
    gone = Torn(NfcTransport(link), 0, often=1.0)
    charger = Charger(Session(gone, "operator", "operator"), patience=0.0)
    with pytest.raises(LinkError, match="the tag did not come back in 0 s"):
        charger.get("/users")
    with pytest.raises(LinkError, match="the tag did not come back in 0 s"):
        restoring(charger, FULL, [], patience=0.0).run(Copy(users=[], whitelist=[], pairs={}))
    gone.close()


def test_a_session_that_ended_while_the_tag_was_away_is_opened_again(session: Session) -> None:
    charger = Charger(session, patience=PATIENCE)
    session.logout()
    assert charger.get("/users") == b'{"users":[]}'


def answering(status: int, content: bytes) -> Charger:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=content if request.url.path != "/login" else b"")

    return Charger(Session(httpx2.MockTransport(answer), "operator", "x"), patience=0.0)


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (401, b"", "the login is refused"),
        (403, b"", "GET /users: 403 Forbidden"),
        (413, b"", "GET /users: 413, it is larger than one message over NFC: take HTTP with --url, or other parts"),
        (200, b"", "what came back is not JSON"),
        (200, b'{"success": false, "cause": "too many entries"}', "GET /users: too many entries"),
        (200, b'{"users": 5}', "the answer to GET /users is not what a charger says"),
    ],
)
def test_what_a_charger_refuses_is_told(status: int, content: bytes, words: str) -> None:
    with pytest.raises(ResponseError, match=words):
        answering(status, content).read(["users"], lambda _part, _count: None)


@pytest.mark.parametrize(
    ("part", "content"),
    [("users", b'{"users": [{"userId": "u"}]}'), ("whitelist", b'{"tags": [{"tagType": "RFID"}]}')],
)
def test_a_charger_that_tells_no_names_is_not_backed_up(part: str, content: bytes) -> None:
    with pytest.raises(ConfigError, match="set RestApi_web to"):
        answering(200, content).read([part], lambda _part, _count: None)


def test_a_request_that_cannot_cross_is_refused_and_not_repeated() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise NfcRefusedError("it does not fit", request=request)

    charger = Charger(Session(httpx2.MockTransport(refuse), "operator", "x"), patience=60.0)
    with pytest.raises(RefusedError, match="it does not fit"):
        charger.change("POST", "/users", {"userName": "x" * 40_000})


def test_a_charger_that_forgets_what_it_is_told_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfcbridge.client.backup.restore.MAX_ROUNDS", 3)

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=b"{}")

    charger = Charger(Session(httpx2.MockTransport(answer), "operator", "x"), patience=PATIENCE)
    with pytest.raises(ResponseError, match="after 3 rounds"):
        restoring(charger, Copy(pairs={"a": "1"}), []).run(Copy(pairs={}))
    with pytest.raises(ResponseError, match="has no userId"):
        restoring(charger, Copy(users=[User("u", "A")]), []).run(Copy(users=[]))


def test_what_takes_the_tag_away_comes_after_all_the_rest(link: str) -> None:
    torn = Torn(NfcTransport(link), 0, often=0.0)
    with Session(torn, "operator", "operator") as session:
        charger = Charger(session, patience=PATIENCE)
        there = charger.read(list(PARTS), lambda _part, _count: None)
        assert isinstance(there.settings, dict)
        wanted = writable(replace(FULL, settings=there.settings | {"RfidMode_rfid": "RFID only"}), charger.settings)
        restoring(charger, wanted, []).run(there)
    methods = [(method, path) for method, path, _ in torn.executed]
    assert methods[-2:] == [("PUT", "/settings"), ("POST", "/logout")]
    assert b"RFID only" in torn.executed[-2][2]
