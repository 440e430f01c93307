"""Faults in the interface: each strikes once, and nothing but the interface."""

import asyncio
import json

import pytest

from nfcbridge.charger import Controller, Role, create_app
from nfcbridge.charger.bench import Bench
from nfcbridge.charger.point.faults import Late, Next
from nfcbridge.dispatch import call_app
from nfcbridge.framing import Request
from tests.charger.bench.stand import HOST, JSON, Stand


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_the_next_answer_has_the_status_that_was_asked_for_and_nothing_else(stand: Stand) -> None:
    stand.controller.charger.handle(Next(503))
    reply = stand.ask("GET", "/v1/login")
    assert (reply.status, reply.octets, reply.headers) == (503, b"", {"content-length": "0"})
    assert stand.ask("GET", "/v1/login").status == 200


def test_what_fails_was_not_carried_out(stand: Stand) -> None:
    session = stand.controller.sessions.open(Role.OPERATOR, 0.0)
    stand.controller.charger.handle(Next(500))
    headers = [HOST, JSON, (b"authorization", session.id.encode())]
    assert stand.ask("POST", "/v1/logout", {}, headers=headers).status == 500
    assert stand.controller.sessions.use(session.id, 0.0)
    assert stand.ask("POST", "/v1/logout", {}, headers=headers).status == 200
    assert stand.controller.sessions.use(session.id, 0.0) is None


def test_the_next_answer_is_late_and_carried_out_in_time(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    stand.controller.charger.handle(Late(2.0))
    assert stand.ask("GET", "/v1/login").status == 200
    assert slept == [2.0]
    assert stand.ask("GET", "/v1/login").status == 200
    assert slept == [2.0]


def test_a_late_failure_is_both(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    stand.controller.charger.handle(Late(2.0))
    stand.controller.charger.handle(Next(404))
    assert stand.ask("GET", "/v1/login").status == 404
    assert slept == [2.0]


def test_the_control_of_the_simulation_always_works(stand: Stand) -> None:
    stand.controller.charger.handle(Next(500))
    assert stand.ask("GET", "/_sim/state").status == 200
    assert stand.ask("GET", "/v1/login").status == 500


def test_the_charge_point_knows_of_the_phone_before_its_request_is_answered() -> None:
    async def ask() -> object:
        bench = Bench(controller, create_app(controller))
        bench.start()
        bench.tag.command_received()  # tells the loop, which is busy with the request by then
        session = controller.sessions.open(Role.OPERATOR, controller.clock()).id
        request = Request("/settings?params=HmiState_mon", "GET", session)
        answer = await call_app(bench.app, request, base_path="/v1", client="memory:desk")
        return json.loads(answer.content)["result"]["HmiState_mon"]

    controller = Controller()
    assert asyncio.run(ask()) == "reading_card"
