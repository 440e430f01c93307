"""`/_sim`: every order, what is refused and why, and that other paths are the interface's."""

from typing import Any

import pytest

from nfcbridge.charger import Role
from nfcbridge.charger.bench.control import MAX_BODY, ORDERS
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.whitelist import GivenEntry
from tests.charger.bench.stand import Stand
from tests.charger.core import Reply


@pytest.fixture
def stand() -> Stand:
    return Stand()


def order(stand: Stand, do: str, **fields: object) -> dict[str, Any]:
    reply = stand.ask("POST", f"/_sim/{do}", fields)
    assert reply.status == 200, reply
    content: dict[str, Any] = reply.content
    return content


def refusal(reply: Reply) -> tuple[int, str]:
    content = reply.content
    assert content["success"] is False
    return reply.status, content["cause"]


def test_an_order_answers_what_followed_and_what_is_the_case_then(stand: Stand) -> None:
    followed = order(stand, "plug")
    assert [event["event"] for event in followed["events"]] == ["state", "hmi"]
    assert followed["events"][1] == {
        "event": "hmi",
        "t": 0.0,
        "state": "connected",
        "leds": {"colours": ["green"], "motion": "slow"},
    }
    assert followed["state"]["charger"]["connectionState"] == "vehicle_connected_type2"
    assert followed["state"] == stand.ask("GET", "/_sim/state").content


def test_a_whole_charge_is_driven_without_a_second_of_waiting(stand: Stand) -> None:
    stand.controller.store.keep_now(*_listed(stand, "abcdef12"))
    order(stand, "plug", socket="type2")
    assert {"event": "tag", "t": 0.0, "type": "RFID", "outcome": "accepted"} in order(stand, "swipe", id="abcdef12")[
        "events"
    ]
    assert order(stand, "charge")["state"]["charger"]["hmi"] == "charging"
    later = order(stand, "advance", time="1h")["state"]
    assert (later["clock"], later["time"]) == (3600.0, "2019-11-23T20:35:43.511Z")
    assert later["charger"]["transaction"]["consumption"] == 11.04
    assert order(stand, "stop")["state"]["charger"]["power"] == 0
    ended = order(stand, "unplug")["events"]
    assert {
        "event": "transaction-ended",
        "t": 3600.0,
        "transactionId": 1,
        "duration": 60,
        "consumption": 11.04,
    } in ended
    assert "store-transaction" not in {event["event"] for event in ended}


def _listed(stand: Stand, tag: str) -> list[Any]:
    return [stand.controller.store.whitelist.put(tag, GivenEntry(id=tag).new())]


def test_errors_come_and_go(stand: Stand) -> None:
    assert order(stand, "error", name="rcd")["state"]["charger"]["messages"][0]["text"] == "RCD triggered"
    assert order(stand, "clear")["state"]["charger"]["messages"] == []
    assert order(stand, "error", name="tilted")["state"]["charger"]["systemState"] == "error"
    assert order(stand, "clear", name="tilted")["state"]["charger"]["systemState"] == "idle"


def test_the_power_fails_and_comes_back(stand: Stand) -> None:
    assert order(stand, "power-cycle")["state"]["charger"]["reader"] == "off"
    assert order(stand, "advance", time="5s")["state"]["charger"]["reader"] == "looking"


def test_faults_wait_to_strike(stand: Stand) -> None:
    assert order(stand, "fault", fault="next=503")["state"]["faults"] == [{"fault": "next", "status": 503}]
    assert order(stand, "fault", fault="late=2s")["state"]["faults"][1] == {"fault": "late", "seconds": 2.0}
    assert order(stand, "fault", fault="lose-field")["events"] == [
        {"event": "fault-strikes", "t": 0.0, "fault": {"fault": "lose-field"}}
    ]


def test_sessions_expire_on_demand(stand: Stand) -> None:
    session = stand.controller.sessions.open(Role.OPERATOR, 0.0)
    assert stand.controller.sessions.use(session.id, 0.0)
    order(stand, "fault", fault="expire-sessions")
    assert stand.controller.sessions.use(session.id, 0.0) is None


@pytest.mark.parametrize("name", sorted(ORDERS))
def test_every_order_needs_a_known_shape(stand: Stand, name: str) -> None:
    assert stand.ask("POST", f"/_sim/{name}", {"nonsense": 1}).status == 400


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("swipe", {}, "missing required field `id`"),
        ("swipe", {"id": "a", "type": "x"}, "Invalid enum value"),
        ("swipe", b"{", "truncated"),
        ("swipe", [], "Expected `object`"),
        ("swipe", b'{"id":' + b"[" * 3000, "recursion"),
        ("swipe", b'"\xff"', "Expected `object`"),
        ("advance", {"time": "soon"}, "'soon' is no time"),
        ("advance", {"time": "9999d"}, "too long"),
        ("fault", {"fault": "next=200"}, "next=STATUS"),
        ("error", {"name": "hunger"}, "there is no error or warning 'hunger'; there are residual-current, "),
        ("clear", {"name": "hunger"}, "there is no error or warning 'hunger'; there are residual-current, "),
        ("error", {"name": 1}, "Expected `str`"),
    ],
)
def test_what_nobody_understands_is_400(stand: Stand, name: str, body: object, words: str) -> None:
    status, cause = refusal(stand.ask("POST", f"/_sim/{name}", body))
    assert status == 400
    assert words in cause


def test_an_unknown_error_is_told_with_all_that_are_known(stand: Stand) -> None:
    cause = refusal(stand.ask("POST", "/_sim/error", {"name": "hunger"}))[1]
    assert all(name in cause for name in MessageName)


def test_what_cannot_happen_now_is_409_and_says_what_can(stand: Stand) -> None:
    assert refusal(stand.ask("POST", "/_sim/unplug", {})) == (409, "no vehicle is plugged in; plug one in first")


def test_time_does_not_go_beyond_its_end(stand: Stand) -> None:
    for _ in range(100):
        order(stand, "advance", time="366d")
    assert stand.ask("POST", "/_sim/advance", {"time": "1s"}).status == 400


def test_a_body_has_an_end(stand: Stand) -> None:
    assert stand.ask("POST", "/_sim/plug", b"{}" + b" " * (MAX_BODY - 2)).status == 200
    assert stand.ask("POST", "/_sim/unplug", b"{}" + b" " * (MAX_BODY - 1)).status == 413


def test_no_body_is_an_empty_object(stand: Stand) -> None:
    assert stand.ask("POST", "/_sim/plug").status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/_sim/plug", "POST"),
        ("GET", "/_sim/fault", "POST"),
        ("POST", "/_sim/state", "GET"),
        ("POST", "/_sim/events", "GET"),
        ("OPTIONS", "/_sim/plug", "POST"),
    ],
)
def test_another_method_is_405(stand: Stand, method: str, path: str, allow: str) -> None:
    reply = stand.ask(method, path, {})
    assert (reply.status, reply.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("name", ["", "pair", "nfc", "plug/", "state/x", "docs"])
def test_other_paths_are_404(stand: Stand, name: str) -> None:
    assert stand.ask("POST", f"/_sim/{name}", {}).status == 404
    assert stand.ask("POST", "/_sim", {}).status == 404


def test_what_is_not_below_it_is_the_interfaces(stand: Stand) -> None:
    assert stand.ask("GET", "/_simulator").status == 401
    assert stand.ask("GET", "/v1/_sim/state").status == 401
    assert stand.ask("GET", "/v1/login").status == 200
