"""The interface while the disk is slow or full: nobody else waits, and nothing is told that is not kept."""

import asyncio
import json
from typing import Any

import pytest

from nfcbridge.charger import Controller, Role, create_app
from nfcbridge.charger.store import Store
from tests.charger.gate import Gate, GateRunner, settle

PAIR = {"a": "1"}
DONE = {"success": True}


class Calls:
    """Calls of one application in one loop, by an operator."""

    def __init__(self, store: Store) -> None:
        controller = Controller(store=store)
        self.app = create_app(controller)
        self.session = controller.sessions.open(Role.OPERATOR, controller.clock()).id

    async def call(self, method: str, path: str, body: object = None) -> Any:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        path, _, query = path.partition("?")
        headers = [(b"authorization", self.session.encode())]
        scope = {"type": "http", "method": method, "path": f"/v1{path}", "headers": headers}
        await self.app(scope | {"query_string": query.encode()}, receive, send)
        return json.loads(sent[1]["body"])

    def begin(self, method: str, path: str, body: object = None) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.call(method, path, body))


class Begun:
    """A store whose new data are kept already."""

    async def __call__(self, store: Store, disk: Gate) -> Calls:
        disk.open.set()
        calls = Calls(store)
        assert await calls.call("POST", "/key_value_store", {"old": "1"}) == DONE
        disk.open.clear()
        return calls


begun = Begun()


def test_reads_go_on_while_a_write_waits_and_see_what_is_kept(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        writing = calls.begin("POST", "/key_value_store", PAIR)
        await settle()
        assert await calls.call("GET", "/key_value_store") == {"old": "1"}
        assert (await calls.call("GET", "/system_state"))["systemState"] == "idle"
        assert not writing.done()
        disk.open.set()
        assert await writing == DONE
        assert await calls.call("GET", "/key_value_store") == {"old": "1", "a": "1"}

    gate.run(test)


ADD = {"type": "local", "command": "add", "tags": [{"id": "a"}]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("POST", "/key_value_store", PAIR), ("POST", "/key_value_store", PAIR)),
        (("DELETE", "/key_value_store/old"), ("DELETE", "/key_value_store/old")),
        (("DELETE", "/key_value_store/old"), ("PUT", "/key_value_store", {"old": "2"})),
        (("POST", "/whitelist", ADD), ("POST", "/whitelist", ADD)),
    ],
)
def test_a_failure_that_follows_from_a_write_is_told_when_that_is_kept(
    gate: GateRunner, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        writing, failing = calls.begin(*first), calls.begin(*second)
        await settle()
        assert not failing.done()
        disk.open.set()
        assert await writing == DONE
        assert (await failing)["success"] is False

    gate.run(test)


def test_what_follows_from_a_write_that_fails_fails_too_and_can_then_be_done(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        disk.full = True
        requests = [
            calls.begin("POST", "/key_value_store", PAIR),
            calls.begin("PUT", "/key_value_store", {"a": "2"}),
            calls.begin("POST", "/key_value_store", PAIR),
        ]
        await settle()
        disk.open.set()
        answers = await asyncio.gather(*requests, return_exceptions=True)
        assert [type(answer) for answer in answers] == [OSError] * 3
        disk.full = False
        assert await calls.call("GET", "/key_value_store") == {"old": "1"}
        assert await calls.call("POST", "/key_value_store", PAIR) == DONE

    gate.run(test)


def test_writes_of_many_clients_are_each_all_or_nothing(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        writing = [calls.begin("POST", "/key_value_store", {f"a{n}": "1", f"b{n // 2}": "1"}) for n in range(20)]
        await settle()
        disk.open.set()
        answers = [answer["success"] for answer in await asyncio.gather(*writing)]
        assert answers == [True, False] * 10
        expected = {"old"} | {f"a{n}" for n in range(0, 20, 2)} | {f"b{n}" for n in range(10)}
        assert set(await calls.call("GET", "/key_value_store")) == expected

    gate.run(test)


def test_a_full_disk_is_500_for_who_writes_and_nothing_for_others(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        disk.full = True
        disk.open.set()
        with pytest.raises(OSError, match="disk full"):
            await calls.call("POST", "/users", {"userName": "Jenny"})
        assert await calls.call("GET", "/users") == {"users": []}

    gate.run(test)


def test_there_are_as_many_users_as_may_be_and_no_more(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfcbridge.charger.api_users.MAX_USERS", 2)

    async def test(store: Store, disk: Gate) -> None:
        calls = await begun(store, disk)
        requests = [calls.begin("POST", "/users", {"userName": "Jenny"}) for _ in range(3)]
        await settle()
        assert not requests[2].done()
        disk.open.set()
        *added, refused = await asyncio.gather(*requests)
        assert [user["userName"] for user in added] == ["Jenny"] * 2
        assert refused == {"success": False, "cause": "too many entries"}

    gate.run(test)
