"""Clients that write over HTTP without a pause and remember what they were told, for the test that kills the server.

Each owns a part of the data, so that it alone knows what there has to be: the state after the last answer, or that
after the request which was under way when the server died. Anything else is lost or torn.
"""

import json
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

State = dict[str, Any]
PATIENCE = 30.0


class Request(NamedTuple):
    """A request that writes.

    Args:
        leads_to: whether the state is one that this can lead to; what it led to is in the answer or in there.
    """

    method: str
    path: str
    body: object
    leads_to: Callable[[State], bool]


class Connection:
    """Somebody who is logged in.

    Args:
        address: of the server.
        host: where it comes from: login tokens belong to it.
        password: of the operator.
    """

    def __init__(self, address: tuple[str, int], host: str, password: str) -> None:
        self._http = HTTPConnection(*address, timeout=PATIENCE, source_address=(host, 0))
        self._session = ""
        token = self.call("GET", "/login")["token"]
        login = {"username": "operator", "password": sha256((password + token).encode()).hexdigest()}
        self._session = self.call("POST", "/login", login)["session"]["session_id"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer. Raises OSError or HTTPException when the server dies."""
        octets = None if body is None else json.dumps(body)
        self._http.request(method, f"/v1{path}", octets, {"Authorization": self._session})
        with self._http.getresponse() as response:
            content = json.loads(response.read())
            assert response.status == 200, content
        return content

    def close(self) -> None:
        """Hang up."""
        self._http.close()


class Writer:
    """A client, and what it knows.

    Attributes:
        known: the state after the last answer.
        open: the request that was not answered.
        acknowledged: how many were.
        error: what should not have happened.
    """

    def __init__(self) -> None:
        self.known: State = {}
        self.open: Request | None = None
        self.acknowledged = 0
        self.error: BaseException | None = None
        self._numbers = iter(range(10**9))

    def requests(self) -> Iterator[Request]:
        """What it writes, without end; each is asked for when the one before is answered."""
        raise NotImplementedError

    def state(self, connection: Connection) -> State:
        """What the server tells of its part of the data."""
        raise NotImplementedError

    def write(self, connection: Connection, answered: Callable[[], None]) -> None:
        """Write until the server dies."""
        try:
            for request in self.requests():
                self.open = request
                answer = connection.call(request.method, request.path, request.body)
                assert answer.get("success", True), answer
                # Now it is acknowledged: from here on it has to be there.
                self.known = self.state_after(request, answer)
                self.open = None
                self.acknowledged += 1
                answered()
        except (OSError, HTTPException):
            pass
        except BaseException as error:  # noqa: BLE001, for the thread that asks
            self.error = error
            answered()

    def state_after(self, request: Request, answer: Any) -> State:
        """The state that an answered request has led to."""
        raise NotImplementedError

    def check(self, connection: Connection, *, first: bool) -> None:
        """Compare what there is with what there has to be, unless it is the first time, and go on from there."""
        found = self.state(connection)
        if found != self.known and not first:
            assert self.open is not None, (self.known, found)
            assert self.open.leads_to(found), (self.known, self.open[:3], found)
        self.known = found
        self.open = None


class _Planned(Writer):
    """One that knows beforehand what each request leads to."""

    def state_after(self, request: Request, _answer: Any) -> State:
        return self._after

    def _plan(self, method: str, path: str, body: object, after: State) -> Request:
        self._after = after
        return Request(method, path, body, lambda found: found == after)


class Pairs(_Planned):
    """Adds pairs that belong together, changes them, and deletes one."""

    def requests(self) -> Iterator[Request]:
        path = "/key_value_store"
        while True:
            number = next(self._numbers)
            if len(self.known) > 60:
                for key in list(self.known):
                    yield self._plan("DELETE", f"{path}/{key}", None, {k: v for k, v in self.known.items() if k != key})
            twins = {f"{side}{number}-{len(self.known)}-{id(self)}": f"{number}" * 50 for side in "abc"}
            yield self._plan("POST", path, twins, self.known | twins)
            changed = dict.fromkeys(list(self.known)[-9:], f"changed {number}")
            yield self._plan("PUT", path, changed, self.known | changed)

    def state(self, connection: Connection) -> State:
        found: State = connection.call("GET", "/key_value_store")
        return found


class Users(Writer):
    """Adds users, renames and deletes them."""

    def requests(self) -> Iterator[Request]:
        while True:
            before, number = self.known, next(self._numbers)
            name = f"user {number}"

            def added(found: State, before: State = before, name: str = name) -> bool:
                new = [user for user in found if user not in before]
                return len(new) == 1 and found == before | {new[0]: name}

            yield Request("POST", "/users", {"userName": name}, added)
            newest = list(self.known)[-1]
            renamed = self.known | {newest: f"renamed {number}"}
            yield Request("PUT", f"/users/{newest}", {"userName": f"renamed {number}"}, renamed.__eq__)
            if len(self.known) > 40:
                oldest = next(iter(self.known))
                rest = {user: name for user, name in self.known.items() if user != oldest}
                yield Request("DELETE", f"/users/{oldest}", None, rest.__eq__)

    def state_after(self, request: Request, answer: Any) -> State:
        if "userId" in answer:
            return self.known | {answer["userId"]: answer["userName"]}
        user = request.path.rpartition("/")[2]
        rest = {key: name for key, name in self.known.items() if key != user}
        return rest if request.body is None else self.known | {user: request.body["userName"]}  # type: ignore[index]

    def state(self, connection: Connection) -> State:
        return {user["userId"]: user["userName"] for user in connection.call("GET", "/users")["users"]}


class Tags(_Planned):
    """Adds tags to the whitelist, edits all of them at once, deletes some, and sometimes all."""

    def requests(self) -> Iterator[Request]:
        while True:
            number = next(self._numbers)
            new = {f"tag{number}-{place}-{id(self)}": f"name {number}" for place in range(3)}
            yield self._command("add", new, self.known | new)
            everything = dict.fromkeys(self.known, f"edited {number}")
            yield self._command("edit", everything, everything)
            if number % 7 == 6:
                yield self._command("clear", None, {})
            elif number % 3 == 2:
                gone = list(self.known)[::2]
                rest = {tag: name for tag, name in self.known.items() if tag not in gone}
                yield self._plan("DELETE", f"/whitelist?type=local&ids={','.join(gone)}", None, rest)

    def _command(self, command: str, tags: State | None, after: State) -> Request:
        body: State = {"type": "local", "command": command}
        if tags is not None:
            body["tags"] = [{"id": tag, "name": name} for tag, name in tags.items()]
        return self._plan("POST", "/whitelist", body, after)

    def state(self, connection: Connection) -> State:
        return {tag["id"]: tag["name"] for tag in connection.call("GET", "/whitelist?type=local")["tags"]}


class Parameters(_Planned):
    """Sets three settings to the same number."""

    KEYS = ("Name_app", "ChargePointId_backend", "FreeChargingId_vehicleif")

    def requests(self) -> Iterator[Request]:
        while True:
            value = str(next(self._numbers))
            params = [{"key": key, "value": value} for key in self.KEYS]
            yield self._plan("POST", "/settings", {"params": params}, dict.fromkeys(self.KEYS, value))

    def state(self, connection: Connection) -> State:
        found: State = connection.call("GET", f"/settings?params={','.join(self.KEYS)}")["result"]
        return found


WRITERS: tuple[Callable[[], Writer], ...] = (Pairs, Users, Tags, Parameters)


def run(writers: list[Writer], connections: list[Connection], stop: Callable[[], None], after: int) -> None:
    """Let all write until they were answered so many times, then stop the server and wait for them."""
    answers = threading.Semaphore(0)
    threads = [
        threading.Thread(target=writer.write, args=(connection, answers.release), daemon=True)
        for writer, connection in zip(writers, connections, strict=True)
    ]
    for thread in threads:
        thread.start()
    for _ in range(after):
        assert answers.acquire(timeout=PATIENCE)
    stop()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    for writer in writers:
        if writer.error is not None:
            raise writer.error
