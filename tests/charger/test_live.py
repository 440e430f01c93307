"""The charge point in the application's loop: what is due happens, and what is over is kept."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import pytest

from nfcbridge.charger import open_store
from nfcbridge.charger.live import LiveCharger, SystemState
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import (
    Buzzed,
    Effect,
    FaultStrikes,
    PairingChanged,
    StoreTransaction,
    TransactionEnded,
    TransactionStarted,
)
from nfcbridge.charger.point.faults import ExpireSessions, Next
from nfcbridge.charger.point.inputs import Charge, Error, Nfc, Plug, PowerCycle, Stop, Swipe, TagType, Unplug
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.reader_states import PairedTag
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.state import AuthState, ConnectionState, ControllerState, OcppState, Type2State
from nfcbridge.charger.store import Store
from nfcbridge.charger.whitelist import GivenEntry
from nfcbridge.errors import ConfigError, LocalProtocolError

IDLE = SystemState(
    system_state=ControllerState.IDLE,
    connection_state=ConnectionState.NO_VEHICLE,
    auth_state=AuthState.NOT_AUTHORIZED,
    ocpp_state=OcppState.AVAILABLE,
    type2_state=Type2State.A,
    ambient_temp=23.4,
)
PATIENCE = 10.0


def driven_clock() -> ChargerClock:
    return ChargerClock(driven=True, wall=lambda: 1_574_537_743.511)


def make(store: Store, settings: PointSettings | None = None) -> LiveCharger:
    return LiveCharger(store, driven_clock(), settings or PointSettings())


@pytest.fixture
def store() -> Store:
    store = open_store(None)
    store.keep_now(
        store.users.put("u", "Jenny"),
        store.whitelist.put("abcdef12", GivenEntry(id="abcdef12", user_id="u").new()),
        store.whitelist.put("nobodys", GivenEntry(id="nobodys").new()),
    )
    return store


@pytest.fixture
def charger(store: Store) -> LiveCharger:
    return make(store)


def begin(charger: LiveCharger, tag: str = "abcdef12") -> None:
    charger.handle(Plug())
    charger.handle(Swipe(tag))
    charger.handle(Charge())


def events_of(charger: LiveCharger) -> list[Effect]:
    events: list[Effect] = []
    charger.watch(events.append)
    return events


# States


def test_it_begins_idle(charger: LiveCharger) -> None:
    assert charger.system_state() == IDLE
    assert charger.transaction() is None
    assert charger.paired() is None
    assert charger.messages() == ()


def test_the_state_is_that_of_now(charger: LiveCharger) -> None:
    charger.handle(Plug())
    assert charger.system_state().connection_state is ConnectionState.CONNECTED_TYPE2
    charger.handle(Unplug())
    assert charger.system_state() == IDLE


def test_the_running_transaction_is_told_with_what_it_has_come_to(charger: LiveCharger) -> None:
    begin(charger)
    charger.advance(3600)
    running = charger.system_state().transaction
    assert running
    assert (running.transaction_id, running.user_id, running.user_name, running.tag_id) == (1, "u", "Jenny", "abcdef12")
    assert (running.start, running.duration, running.consumption) == ("2019-11-23T19:35:43.511Z", 60, 11.04)
    assert charger.transaction() == running
    charger.advance(60)
    assert charger.system_state().transaction != running


def test_a_tag_of_nobody_charges_for_nobody(charger: LiveCharger) -> None:
    begin(charger, "nobodys")
    running = charger.transaction()
    assert running
    assert (running.user_id, running.user_name, running.tag_id) == ("", "", "nobodys")


def test_messages_are_those_that_are_there(charger: LiveCharger) -> None:
    charger.handle(Error(MessageName.RCD))
    assert [message.text for message in charger.messages()] == ["RCD triggered"]


def test_what_cannot_happen_is_refused_and_what_was_due_happens_all_the_same(charger: LiveCharger) -> None:
    events = events_of(charger)
    assert charger.pair()
    charger.clock.advance(61)
    with pytest.raises(LocalProtocolError, match="plug one in"):
        charger.handle(Unplug())
    assert [event.enabled for event in events if isinstance(event, PairingChanged)] == [True, False]


def test_time_cannot_go_back(charger: LiveCharger) -> None:
    with pytest.raises(ConfigError):
        charger.advance(-1)


def test_who_no_longer_watches_hears_nothing(charger: LiveCharger) -> None:
    heard: list[Effect] = []
    stop = charger.watch(heard.append)
    charger.handle(Plug())
    before = len(heard)
    assert before
    stop()
    charger.handle(Unplug())
    assert len(heard) == before


def test_faults_wait_for_their_occasion(charger: LiveCharger) -> None:
    events = events_of(charger)
    charger.handle(Next(500))
    charger.handle(ExpireSessions())
    assert charger.faults.take_status() == 500
    assert [event.fault for event in events if isinstance(event, FaultStrikes)] == [ExpireSessions()]


# Pairing


@pytest.mark.parametrize(("tag", "beeps"), [("abcdef12", 2), ("unknown", 1)])
def test_the_tag_that_pairing_reads_can_be_told_until_the_power_fails(
    charger: LiveCharger, tag: str, beeps: int
) -> None:
    events = events_of(charger)
    assert charger.pair()
    charger.handle(Swipe(tag, TagType.EVCCID))
    assert charger.paired() == PairedTag(id=tag, tag_type=TagType.EVCCID)
    assert [event.beeps for event in events if isinstance(event, Buzzed)] == [beeps]
    charger.advance(3600)
    assert charger.paired() is not None
    charger.handle(PowerCycle())
    assert charger.paired() is None


def test_pairing_is_for_an_idle_charge_point(charger: LiveCharger) -> None:
    charger.handle(Plug())
    assert not charger.pair()


# What is over is kept


def test_a_completed_transaction_is_kept_and_not_told_to_who_watches(charger: LiveCharger, store: Store) -> None:
    events = events_of(charger)
    begin(charger)
    charger.advance(1800)
    assert store.transactions.rows == {}
    charger.handle(Unplug())
    kept = store.transactions.rows[1]
    assert (kept.start, kept.end) == ("2019-11-23T19:35:43.511Z", "2019-11-23T20:05:43.511Z")
    assert (kept.duration, kept.consumption, kept.user_name) == (30, 5.52, "Jenny")
    assert store.counters.rows == {"transaction": 1.0, "energy": 5.52}
    assert {TransactionStarted, TransactionEnded} <= {type(event) for event in events}
    assert not any(isinstance(event, StoreTransaction) for event in events)


def test_numbers_and_meter_go_on_after_a_restart(tmp_path: Path, store: Store) -> None:
    with closing(open_store(tmp_path)) as lasting:
        lasting.keep_now(*(lasting.whitelist.put(*entry) for entry in store.whitelist.rows.items()))

        async def charge() -> None:
            charger = make(lasting)
            begin(charger)
            charger.advance(3600)
            charger.handle(Stop())
            charger.handle(Unplug())
            begin(charger)  # and is killed while the second one runs

        asyncio.run(charge())
    with closing(open_store(tmp_path)) as lasting:

        async def charge_again() -> None:
            charger = make(lasting)
            assert charger.state().energy == 11.04
            begin(charger)
            running = charger.transaction()
            assert running
            assert running.transaction_id == 3

        asyncio.run(charge_again())


def test_the_oldest_transactions_go_when_there_are_too_many(
    charger: LiveCharger, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfcbridge.charger.live.MAX_TRANSACTIONS", 2)
    for _ in range(4):
        begin(charger)
        charger.handle(Unplug())
    assert list(store.transactions.rows) == [3, 4]


# In the loop


@pytest.mark.parametrize("pace", [1.0, 0.6], ids=["timers in time", "timers early"])
def test_what_is_due_happens_by_itself_while_the_loop_runs(store: Store, pace: float) -> None:
    # A minute in 17 ms, or in 28 of which the loop knows nothing.
    clock = ChargerClock(speed=3600, monotonic=lambda: time.monotonic() * pace)
    fast = LiveCharger(store, clock, PointSettings())

    async def pair() -> None:
        over = asyncio.Event()
        fast.watch(lambda event: over.set() if event == PairingChanged(event.t, enabled=False) else None)
        fast.start()
        assert fast.pair()
        fast.handle(Nfc())  # another deadline, later than the first
        await asyncio.wait_for(over.wait(), PATIENCE)
        fast.stop()

    asyncio.run(pair())


def test_the_end_completes_the_transaction_that_runs(charger: LiveCharger, store: Store) -> None:
    async def charge() -> None:
        charger.start()
        begin(charger)
        charger.advance(60)
        charger.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(charge())
    assert store.transactions.rows[1].duration == 1


def test_a_clock_that_is_driven_sets_no_timer(charger: LiveCharger) -> None:
    async def pair() -> None:
        charger.start()
        assert charger.pair()
        charger.advance(60)
        assert not charger.state().pairing
        charger.stop()

    asyncio.run(pair())


# Live settings


def test_what_is_measured_is_told_as_settings(charger: LiveCharger) -> None:
    charger.handle(Error(MessageName.BACKEND_DISCONNECTED))
    begin(charger)
    charger.advance(3600)
    live = charger.live_values()
    assert live["SysTime_mon"] == "2019-11-23T20:35:43.511Z"
    assert live["Uptime_mon"] == 3600
    assert [live[f"{name}State_mon"] for name in ("Connection", "Auth", "Ocpp", "Type2", "Hmi")] == [
        "vehicle_charging_type2",
        "authorized_for_charging",
        "charging",
        "c",
        "charging",
    ]
    assert [live[f"Current{phase}_mon"] for phase in ("L1", "L2", "L3")] == [16.0, 16.0, 16.0]
    assert (live["Power_mon"], live["Energy_mon"], live["SignalledCurrent_mon"]) == (11.04, 11.04, 16)
    assert (live["SessionEnergy_mon"], live["SessionTime_mon"]) == (11.04, 60)
    assert (live["Errors_mon"], live["Warnings_mon"], live["Temperature_mon"]) == (0, 1, 23.4)


def test_an_idle_charge_point_measures_nothing(charger: LiveCharger) -> None:
    live = charger.live_values()
    assert [live[f"{name}_mon"] for name in ("Power", "CurrentL1", "CurrentL3", "SignalledCurrent")] == [0.0] * 4
    assert (live["SessionEnergy_mon"], live["SessionTime_mon"]) == (0.0, 0)


def test_one_phase_carries_what_flows_through_one(store: Store) -> None:
    charger = make(store, PointSettings(phases=1))
    begin(charger)
    live = charger.live_values()
    assert [live[f"Current{phase}_mon"] for phase in ("L1", "L2", "L3")] == [16.0, 0.0, 0.0]
