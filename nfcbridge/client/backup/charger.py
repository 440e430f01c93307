"""What a charger keeps, read over its interface; and how a request survives a tag that slips away.

A request that only reads is repeated until the tag is back or patience ends. One that changes something is not: who
sent it reads what is there now, and goes on from that.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import httpx2
import msgspec
from msgspec import UNSET, Struct, UnsetType

from nfcbridge.client.backup.copy import Copy, Tag, User
from nfcbridge.errors import ConfigError, LinkError, LocalProtocolError, RefusedError, ResponseError

PAUSE: Final = 0.2
"""Seconds before a link that failed at once is tried again; one that waits for a tag takes its own time."""

UNAUTHORIZED: Final = 401
TOO_LARGE: Final = 413
FIRST_ERROR: Final = 400

REMEDIES: Final = {
    UNAUTHORIZED: "somebody else ends the session again and again: look who is logged in too",
    403: "log in with --user as a role that may, or leave this part out with --only",
    404: "this charger has no such part: leave it out with --only",
}
"""What to do about a status code."""

PASSWORD: Final = "password"  # noqa: S105 - the type of a setting
READ_WRITE: Final = "rw"


class Login(Protocol):
    """A login session: `nfcbridge.Session` is one."""

    def login(self) -> httpx2.Response:
        """Log in, or log in again."""

    def request(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        """Send a request of the session."""


class TornError(LinkError):
    """The link failed under a request that changes something: it may have been executed, or not."""


class Setting(Struct, frozen=True):
    """A setting, and what the charger says of it to the role that is logged in."""

    value: Any
    type: str = ""
    mode: str = "r"
    enum: list[Any] | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET

    @property
    def kept(self) -> bool:
        """It can be written and is told: a part of a backup."""
        return self.mode == READ_WRITE and self.type != PASSWORD


class _Settings(Struct):
    result: dict[str, Setting]
    charger: dict[str, Any] = msgspec.field(default_factory=dict, name="ChargePointInfo")


class _GivenUser(Struct, rename="camel"):
    user_id: str
    user_name: str | UnsetType = UNSET


class _Users(Struct):
    users: list[_GivenUser]


class _GivenTag(Tag, frozen=True, kw_only=True, rename={"tag_type": "tagType", "user_id": "userid"}):
    id: str = ""


class _Whitelist(Struct):
    tags: list[_GivenTag]


PATHS: Final = {
    "settings": "/settings",
    "users": "/users",
    "whitelist": "/whitelist?type=local",
    "pairs": "/key_value_store",
}
_SHAPES: Final = {"settings": _Settings, "users": _Users, "whitelist": _Whitelist, "pairs": dict[str, str]}

WITHOUT_UID: Final = (
    "the charger tells no names and tag ids: set RestApi_web to 'Enabled (with UID)' for the time of it"
)


class Charger:
    """A charger that is reached through a login session.

    Args:
        login: the session; logged in.
        patience: seconds to wait for a tag that slipped away, each time.
        slipped: told why, before it is waited for.
    """

    def __init__(self, login: Login, *, patience: float, slipped: Callable[[str], None] = lambda _reason: None) -> None:
        self._login = login
        self._patience = patience
        self._slipped = slipped
        self.settings: dict[str, Setting] = {}

    def read(self, parts: list[str], done: Callable[[str, int], None], copy: Copy | None = None) -> Copy:
        """Read what it keeps.

        Args:
            parts: their names.
            done: told of each that was read, and how many entries it has.
            copy: has those that were read before; they are not read again, but for the settings.

        Raises:
            LinkError: the tag did not come back.
            ResponseError: an answer is none of such a charger, or is refused.
        """
        copy = copy or Copy(created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        for part in parts:
            if part in copy.parts():
                continue
            read = self._shaped(part, self.get(PATHS[part]))
            if isinstance(read, _Settings):
                self.settings = read.result
                copy.charger = read.charger
                copy.settings = {key: setting.value for key, setting in read.result.items() if setting.kept}
            elif isinstance(read, _Users):
                copy.users = [_named(user) for user in read.users]
            elif isinstance(read, _Whitelist):
                copy.whitelist = [_identified(tag) for tag in read.tags]
            else:
                copy.pairs = read
            done(part, copy.count()[part])
        return copy

    def _shaped(self, part: str, octets: bytes) -> Any:  # noqa: ANN401 - one of _SHAPES
        try:
            return msgspec.json.decode(octets, type=_SHAPES[part])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ResponseError(f"the answer to GET {PATHS[part]} is not what a charger says: {error}") from error

    def get(self, path: str) -> bytes:
        """Read something, again and again until it came through.

        Raises:
            LinkError: the tag did not come back.
            RefusedError: the charger does not say it.
        """
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._ask("GET", path, None)
            except TornError as error:
                if time.monotonic() >= end:
                    raise LinkError(f"{error}: the tag did not come back in {self._patience:g} s") from error
                self._slipped(str(error))
                time.sleep(PAUSE)

    def change(self, method: str, path: str, body: object) -> bytes:
        """Change something, once.

        Raises:
            TornError: it may have been changed, or not.
            RefusedError: the charger refuses, and nothing was changed.
        """
        return self._ask(method, path, None if body is None else msgspec.json.encode(body))

    def _ask(self, method: str, path: str, content: bytes | None) -> bytes:
        try:
            response = self._login.request(method, path, content)
            if response.status_code == UNAUTHORIZED:  # the session ended while the tag was away: nothing was executed
                if self._login.login().status_code == UNAUTHORIZED:
                    raise RefusedError("the login is refused: check user and password")
                response = self._login.request(method, path, content)
        except LocalProtocolError as error:
            raise RefusedError(str(error)) from error
        except (httpx2.TransportError, LinkError) as error:
            raise TornError(str(error)) from error
        return _content(response, f"{method} {path.partition('?')[0]}")


def _content(response: httpx2.Response, what: str) -> bytes:
    status = response.status_code
    if status == TOO_LARGE:
        raise RefusedError(
            f"{what}: 413, it is larger than one message over NFC: take HTTP with --url, or other parts with --only"
        )
    if status >= FIRST_ERROR:
        remedy = f"; {REMEDIES[status]}" if status in REMEDIES else ""
        raise RefusedError(f"{what}: {status} {response.reason_phrase}{remedy}")
    try:
        said: Any = msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ResponseError(f"{what}: what came back is not JSON ({error})") from error
    if isinstance(said, dict) and said.get("success") is False:
        raise RefusedError(f"{what}: {said.get('cause', 'no cause given')}")
    return response.content


def _named(user: _GivenUser) -> User:
    if user.user_name is UNSET:
        raise ConfigError(WITHOUT_UID)
    return User(user.user_id, user.user_name)


def _identified(tag: _GivenTag) -> Tag:
    if not tag.id:
        raise ConfigError(WITHOUT_UID)
    return Tag(**msgspec.structs.asdict(tag))
