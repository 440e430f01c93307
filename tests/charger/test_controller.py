"""What the controller does with settings, sessions and what lasts, beyond what one operation tells."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger import Controller, FixedPasswords, Role, open_store
from nfcbridge.charger.catalogue import Group, parse_catalogue
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.layout import Layout
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import Effect
from nfcbridge.charger.point.faults import ExpireSessions
from nfcbridge.charger.point.inputs import Charge, Plug, PowerCycle, Swipe, Unplug
from nfcbridge.charger.point.scenario import parse_scenario
from nfcbridge.charger.settings import NewValue
from nfcbridge.charger.store import Store
from tests.charger.core import PASSWORDS, Core

PATIENCE = 10.0
OPERATOR = Role.OPERATOR


def set_to(core: Core, key: str, value: object, client: str = "192.0.2.1") -> None:
    body = {"params": [{"key": key, "value": value}]}
    reply = core.call("POST", "/v1/settings", session=core.login(), body=body, client=client)
    assert reply.content["params"] == body["params"]


def told(core: Core, target: str) -> Any:
    return core.call("GET", f"/v1{target}", session=core.login()).content


# Settings that are obeyed


def test_free_charging_counts_at_once(core: Core) -> None:
    core.controller.charger.handle(Plug())
    set_to(core, "FreeCharging_vehicleif", "on")
    assert told(core, "/transactions/active") == {"success": True}


def test_what_changes_nothing_for_the_charge_point_is_not_told_to_it(core: Core) -> None:
    events: list[Effect] = []
    core.controller.charger.watch(events.append)
    set_to(core, "RfidMode_rfid", "RFID/NFC hybrid")
    set_to(core, "Name_app", "x")
    assert events == []
    set_to(core, "RfidMode_rfid", "RFID only")
    assert events != []


def test_what_a_phone_sets_is_obeyed_when_its_answer_was_read(core: Core) -> None:
    core.controller.links = ["udp:127.0.0.1:54321"]
    set_to(core, "RfidMode_rfid", "RFID only", client="udp:127.0.0.1:54321")
    assert core.controller.charger.state().tag_present
    assert told(core, "/settings?params=RfidMode_rfid")["result"] == {"RfidMode_rfid": "RFID only"}
    core.controller.apply_settings()
    assert not core.controller.charger.state().tag_present


def test_what_is_kept_is_obeyed_also_if_who_asked_has_gone(tmp_path: Path) -> None:
    async def leave(controller: Controller) -> None:
        obeyed = asyncio.Event()
        controller.charger.watch(lambda _event: obeyed.set())
        session = controller.sessions.open(OPERATOR, controller.clock())
        change = [NewValue("RfidMode_rfid", "RFID only")]
        writing = asyncio.create_task(controller.write_settings(session, change, "192.0.2.1"))
        await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await obeyed.wait()
        assert not controller.charger.state().tag_present

    with closing(open_store(tmp_path)) as store:
        asyncio.run(asyncio.wait_for(leave(Controller(store=store)), PATIENCE))
    with closing(open_store(tmp_path)) as store:
        assert not Controller(store=store).charger.state().tag_present


def test_what_does_not_fit_is_not_obeyed(core: Core) -> None:
    body = {"params": [{"key": "RfidMode_rfid", "value": "RFID only"}, {"key": "x", "value": 1}]}
    assert not core.call("PUT", "/v1/settings", session=core.login(), body=body).content["success"]
    assert core.controller.charger.state().tag_present


# The interface itself


def test_without_uid_no_answer_has_a_name_or_a_tag(core: Core) -> None:
    store, charger = core.controller.store, core.controller.charger
    session = core.login()
    user = core.call("POST", "/v1/users", session=session, body={"userName": "Jenny"}).content["userId"]
    tag = {"id": "abcdef12", "userid": user, "name": "blue one"}
    add = {"type": "local", "command": "add", "tags": [tag]}
    assert core.call("POST", "/v1/whitelist", session=session, body=add).content == {"success": True}
    assert core.call("POST", "/v1/whitelist/pairing", session=session).content == {"success": True}
    charger.handle(Swipe("abcdef12"))
    for _ in range(2):
        charger.handle(Plug())
        charger.handle(Swipe("abcdef12"))
        charger.handle(Charge())
        charger.handle(Unplug())
    charger.handle(Plug())
    charger.handle(Swipe("abcdef12"))
    targets = [
        "/users",
        f"/users/{user}",
        "/whitelist?type=local",
        "/whitelist/pairing",
        "/transactions",
        "/system_state",
    ]
    with_uid = [core.call("GET", f"/v1{target}", session=session) for target in targets]
    set_to(core, "RestApi_web", "Enabled (without UID)")
    without = [core.call("GET", f"/v1{target}", session=session) for target in targets]
    for before, after in zip(with_uid, without, strict=True):
        assert (before.status, after.status) == (200, 200)
        assert b"Jenny" in before.octets or b"abcdef12" in before.octets
        for secret in (b"Jenny", b"abcdef12", b"blue one"):
            assert secret not in after.octets
    added = core.call("POST", "/v1/users", session=session, body={"userName": "Alex"})
    assert list(added.content) == ["userId"]
    assert len(store.transactions.rows) == 2
    set_to(core, "RestApi_web", "Enabled (with UID)")
    again = [core.call("GET", f"/v1{target}", session=session) for target in targets[1:]]
    assert [reply.octets for reply in again] == [reply.octets for reply in with_uid[1:]]


def test_a_disabled_interface_ends_sessions_and_takes_no_login_until_the_next_start(tmp_path: Path) -> None:
    passwords = FixedPasswords(PASSWORDS)
    with closing(open_store(tmp_path)) as store:
        core = Core(Controller(store=store, passwords=passwords))
        session = core.login()
        set_to(core, "RestApi_web", "Disabled")
        assert core.call("GET", "/v1/system_state", session=session).status == 401
        for method in ("GET", "POST"):
            reply = core.call(method, "/v1/login", body={"username": "operator", "password": ""})
            assert reply.status == 403
            assert reply.content == {"logged_in": False, "message": "the interface is disabled"}
    with closing(open_store(tmp_path)) as store:
        core = Core(Controller(store=store, passwords=passwords))
        result = told(core, "/settings?params=RestApi_web")["result"]
        assert result == {"RestApi_web": "Enabled (with UID)"}


# Sessions


def test_a_power_failure_ends_sessions_and_voids_tokens(core: Core) -> None:
    session, token = core.login(), core.token()
    core.controller.charger.handle(PowerCycle())
    assert core.call("GET", "/v1/system_state", session=session).status == 401
    hashed = {"username": "operator", "password": token}
    assert core.call("POST", "/v1/login", body=hashed).status == 401
    assert core.controller.logins.issue_token("192.0.2.1")


def test_sessions_end_when_that_is_asked_for(core: Core) -> None:
    session = core.login()
    core.controller.charger.handle(ExpireSessions())
    assert core.call("GET", "/v1/system_state", session=session).status == 401
    assert core.login()


def test_advancing_the_charger_s_clock_ends_sessions(core: Core) -> None:
    session = core.login()
    core.controller.charger.advance(60)
    assert core.call("GET", "/v1/system_state", session=session).status == 401


def run(controller: Controller, test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with controller.running():
            await asyncio.wait_for(test(), PATIENCE)

    asyncio.run(main())


def test_a_password_that_another_process_sets_logs_out_who_has_that_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfcbridge.charger.controller.LOOK_FOR_PASSWORDS", 0.0)
    with closing(open_store(tmp_path)) as store:
        store.set_password(OPERATOR, "old")
        controller = Controller(store=store)
        sessions = controller.sessions
        operator, user = (sessions.open(role, controller.clock()) for role in (OPERATOR, Role.USER))

        logged_out = asyncio.Event()
        close_role = sessions.close_role

        def log_out(role: Role) -> None:
            close_role(role)
            logged_out.set()

        monkeypatch.setattr(sessions, "close_role", log_out)

        async def change() -> None:
            with closing(open_store(tmp_path, shared=True)) as other:
                other.set_password(OPERATOR, "new")
            await logged_out.wait()
            assert sessions.use(operator.id, controller.clock()) is None
            assert sessions.use(user.id, controller.clock()) is user

        run(controller, change)
        assert store.password(OPERATOR) == "new"


def test_the_end_keeps_the_transaction_that_runs(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        clock = ChargerClock(driven=True)
        controller = Controller(store=store, charger_clock=clock)

        async def charge() -> None:
            await store.keep(store.settings.put("FreeCharging_vehicleif", "on"))
            controller.apply_settings()
            controller.charger.handle(Plug())
            controller.charger.advance(120)

        run(controller, charge)
        assert store.transactions.rows[1].duration == 2
    with closing(open_store(tmp_path)) as store:
        assert store.transactions.rows[1].duration == 2


# What new data begin with


def hybrid(controller: Controller) -> bool:
    return controller.charger.state().tag_present


def test_new_data_begin_with_a_reader_that_serves_phones_unless_asked_otherwise(tmp_path: Path) -> None:
    assert hybrid(Controller())
    assert not hybrid(Controller(rfid_only=True))
    with closing(open_store(tmp_path)) as store:
        assert hybrid(Controller(store=store))
    with closing(open_store(tmp_path)) as store:
        # The data are not new, and what they say stays.
        assert hybrid(Controller(store=store, rfid_only=True))


CATALOGUE = """
[ChargePointInfo]
vendor = "Vendor_x"
model = "Vendor_x"
serialNumber = "Vendor_x"
firmwareVersion = "Vendor_x"
chargePointId = "Vendor_x"
[x]
title = "x"
read = "user"
[x.Vendor_x]
type = "string"
mode = "r"
default = "ours"
short = "x"
long = "x"
"""


def test_a_catalogue_of_one_s_own_is_taken_whatever_it_leaves_out() -> None:
    catalogue = parse_catalogue(DataFile("x", CATALOGUE.encode()))
    store = Store()
    store.keep_now(store.settings.put("RestApi_web", "Disabled"))  # of another catalogue
    controller = Controller(store=store, catalogue=catalogue, passwords=FixedPasswords(PASSWORDS))
    core = Core(controller)
    assert list(told(core, "/settings")["result"]) == ["Vendor_x"]
    assert hybrid(controller)
    assert controller.serves


def test_a_layout_of_one_s_own_is_taken() -> None:
    layout = Layout((Group("x", "X", ("Name_app",)),), (), ())
    core = Core(Controller(layout=layout, passwords=FixedPasswords(PASSWORDS)))
    assert list(told(core, "/app_settings")["result"]) == ["Name_app"]
    assert told(core, "/app_dashboard")["groups"] == []


SCENARIO = b"""
title = "x"
[[whitelist]]
id = "a"
user = "Jenny"
name = "blue"
[[whitelist]]
id = "b"
type = "NFC"
user = "Jenny"
[[whitelist]]
id = "c"
[[step]]
at = 0
do = "swipe"
id = "a"
[[step]]
at = 60
do = "plug"
"""


def test_a_scenario_brings_its_tags_and_their_users_once() -> None:
    scenario = parse_scenario(DataFile("x", SCENARIO))
    store = Store()
    for _ in range(2):
        controller = Controller(store=store, scenario=scenario, charger_clock=ChargerClock(driven=True))
        entries = store.whitelist.rows
        assert list(entries) == ["a", "b", "c"]
        assert list(store.users.rows.values()) == ["Jenny"]
        jenny = next(iter(store.users.rows))
        assert [entry.user_id or None for entry in entries.values()] == [jenny, jenny, None]
        assert (entries["a"].name, entries["b"].tag_type) == ("blue", "NFC")
        controller.charger.advance(60)
        assert controller.charger.state().connection_state == "vehicle_connected_type2"


def test_a_tag_of_a_scenario_finds_the_user_of_that_name() -> None:
    store = Store()
    store.keep_now(store.users.put("u", "Jenny"))
    Controller(store=store, scenario=parse_scenario(DataFile("x", SCENARIO)))
    assert store.users.rows == {"u": "Jenny"}
    assert store.whitelist.rows["a"].user_id == "u"
