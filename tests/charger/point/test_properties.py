"""Any order of inputs: what always holds of a charge point."""

from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from nfcbridge.charger.point.effects import (
    Buzzed,
    ContactorSwitched,
    Effect,
    HmiChanged,
    PowerLost,
    ReaderChanged,
    StateChanged,
    StoreTransaction,
    TransactionEnded,
    TransactionStarted,
)
from nfcbridge.charger.point.inputs import (
    AnyInput,
    Charge,
    Clear,
    Error,
    Nfc,
    Pair,
    Plug,
    PowerCycle,
    Socket,
    Stop,
    Swipe,
    TagType,
    Unplug,
)
from nfcbridge.charger.point.messages import MessageName, MessageType
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.state import OcppState
from nfcbridge.errors import LocalProtocolError
from tests.charger.point.made import JENNY, POOL, STRANGER, new_point, of

# Permitted changes of a connector's status: OCPP 1.6 edition 2, section 4.9, as retyped in
# https://github.com/ocpp-debugkit/toolkit/issues/155. Reserved is left out: nothing leads there.
OCPP = {
    "available": "preparing charging suspendedev suspendedevse unavailable faulted",
    "preparing": "available charging suspendedev suspendedevse finishing faulted",
    "charging": "available suspendedev suspendedevse finishing unavailable faulted",
    "suspendedev": "available charging suspendedevse finishing unavailable faulted",
    "suspendedevse": "available charging suspendedev finishing unavailable faulted",
    "finishing": "available preparing unavailable faulted",
    "unavailable": "available preparing charging suspendedev suspendedevse faulted",
    "faulted": "available preparing charging suspendedev suspendedevse finishing unavailable",
}

SETTINGS = st.just(PointSettings()) | st.builds(
    PointSettings,
    hybrid=st.booleans(),
    free_charging=st.booleans(),
    current_limit=st.sampled_from([0.0, 5.9, 6.0, 16.0, 32.0]),
    phases=st.sampled_from([1, 3]),
    schuko_limit=st.sampled_from([0.0, 10.0]),
)
INPUTS = st.one_of(
    st.builds(Plug, st.sampled_from(Socket)),
    st.builds(Unplug),
    st.builds(Charge, st.booleans()),
    st.builds(Stop),
    st.builds(Swipe, st.sampled_from([JENNY, POOL, STRANGER]), st.sampled_from(TagType)),
    st.builds(Error, st.sampled_from(MessageName)),
    st.builds(Clear, st.none() | st.sampled_from(MessageName)),
    st.builds(PowerCycle),
    st.builds(Pair),
    st.builds(Nfc, st.integers(0, 1)),
    SETTINGS,
)
PAUSES = st.sampled_from([0.0, 0.5, 3.0, 5.0, 44.0, 45.0, 59.0, 60.0, 61.0, 3_600.0])
# What hardly comes about by chance: a vehicle that charges, a card in pairing mode, a transaction that a card ends.
CHAPTERS: list[list[AnyInput]] = [
    [Clear(), Plug(), Swipe(JENNY), Charge()],
    [Swipe(POOL), Plug(), Charge(ventilation=True)],
    [Unplug(), Pair(), Swipe(STRANGER)],
    [Swipe(JENNY), Swipe(POOL)],
]
HAPPENINGS = st.tuples(PAUSES, INPUTS).map(lambda one: [one]) | st.tuples(
    st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from(CHAPTERS)
).map(lambda told: [(told[0], happened) for happened in told[1]])
STORIES = st.lists(HAPPENINGS, max_size=15).map(lambda chapters: list(chain.from_iterable(chapters)))


class Watcher:
    """What somebody knows of a charge point who only reads the stream."""

    def __init__(self, point: ChargePoint) -> None:
        state = point.state(0.0)
        self.t = 0.0
        self.ocpp: OcppState | None = state.ocpp_state
        self.told = (
            state.system_state,
            state.connection_state,
            state.auth_state,
            state.ocpp_state,
            state.type2_state,
        )
        self.hmi = state.hmi
        self.reader = state.reader
        self.closed = False
        self.running: int | None = None
        self.stored: list[Transaction] = []

    def read(self, effect: Effect) -> None:
        assert effect.t >= self.t
        self.t = effect.t
        self._read_state(effect)
        self._read_transaction(effect)

    def _read_state(self, effect: Effect) -> None:
        match effect:
            case StateChanged():
                changed = (
                    effect.system_state,
                    effect.connection_state,
                    effect.auth_state,
                    effect.ocpp_state,
                    effect.type2_state,
                )
                assert changed != self.told
                # A backend hears nothing of a power failure: it is the connection that is gone.
                if self.ocpp is not None and effect.ocpp_state is not self.ocpp:
                    assert effect.ocpp_state.value in OCPP[self.ocpp].split()
                self.told, self.ocpp = changed, effect.ocpp_state
            case PowerLost():
                self.ocpp = None
            case HmiChanged():
                assert effect.state is not self.hmi
                self.hmi = effect.state
            case ReaderChanged():
                assert effect.state is not self.reader
                self.reader = effect.state
            case ContactorSwitched():
                assert effect.closed == (effect.power > 0)
                self.closed = effect.closed
            case Buzzed():
                assert effect.beeps in (1, 2)

    def _read_transaction(self, effect: Effect) -> None:
        match effect:
            case TransactionStarted():
                assert self.running is None
                self.running = effect.transaction_id
            case TransactionEnded():
                assert effect.transaction_id == self.running
                assert not self.closed
                self.running = None
            case StoreTransaction():
                self.stored.append(effect.transaction)


def step(point: ChargePoint, happened: AnyInput | PointSettings, now: float) -> list[Effect]:
    if isinstance(happened, PointSettings):
        return point.configure(happened, now)
    return point.handle(happened, now)


def seconds(stamp: object) -> float:
    assert isinstance(stamp, str)
    return float(stamp.removeprefix("@"))


def check(point: ChargePoint, watcher: Watcher, now: float) -> None:
    state = point.state(now)
    errors = [told for told in state.messages if told.type is MessageType.ERROR]
    if state.contactor:
        socket = state.connection_state.removeprefix("vehicle_charging_")
        assert state.type2_state in ("cd" if socket == "type2" else "a")
        assert state.auth_state == "authorized_for_charging"
        assert not errors
        assert state.ocpp_state == "charging"
        assert state.system_state == "idle"
        assert state.transaction is not None
    assert state.contactor == (state.power > 0) == (state.ocpp_state == "charging")
    assert (state.connection_state.startswith("vehicle_charging")) == state.contactor
    # Errors show, and only what is told to be there does.
    if errors:
        assert state.ocpp_state in ("faulted", "unavailable")
        assert state.type2_state in "ef"
    # The stream told all of it.
    assert watcher.told == (
        state.system_state,
        state.connection_state,
        state.auth_state,
        state.ocpp_state,
        state.type2_state,
    )
    assert (watcher.hmi, watcher.reader, watcher.closed) == (state.hmi, state.reader, state.contactor)
    assert watcher.running == (state.transaction.transaction_id if state.transaction else None)
    assert state.tag_present == (state.reader in ("looking", "serving a phone"))


@settings(max_examples=300)
@given(SETTINGS, STORIES, st.sampled_from([0.0, 5.0]))
def test_any_order_of_inputs_keeps_the_invariants(
    first: PointSettings, story: list[tuple[float, AnyInput | PointSettings]], boot_time: float
) -> None:
    point = new_point(first, boot_time=boot_time)
    watcher = Watcher(point)
    now, energy, refused = 0.0, 0.0, 0
    for pause, happened in story:
        now += pause
        for effect in point.handle_timer(now):
            watcher.read(effect)
        before = point.state(now)
        try:
            effects = step(point, happened, now)
        except LocalProtocolError:
            refused += 1
            assert point.state(now) == before  # a refused input changes nothing
            effects = []
        for effect in effects:
            watcher.read(effect)
        check(point, watcher, now)
        assert point.state(now).energy >= energy
        energy = point.state(now).energy
        due = point.next_deadline()
        assert due is None or due > now
    assert [stored.transaction_id for stored in watcher.stored] == list(range(1, len(watcher.stored) + 1))
    for stored in watcher.stored:
        assert seconds(stored.end) >= seconds(stored.start)
        assert stored.duration == int((seconds(stored.end) - seconds(stored.start)) // 60)
        assert stored.consumption >= 0
    # What was counted went into transactions, to the watt-hours that rounding takes.
    running = point.transaction(now)
    total = sum(stored.consumption for stored in watcher.stored) + (running.consumption if running else 0.0)
    assert abs(point.state(now).energy - total) <= 0.001 * (len(watcher.stored) + 2)


@given(SETTINGS, STORIES)
def test_time_in_many_steps_and_in_one_comes_to_the_same(
    first: PointSettings, story: list[tuple[float, AnyInput | PointSettings]]
) -> None:
    leaping, walking = new_point(first), new_point(first)
    effects: tuple[list[Effect], list[Effect]] = ([], [])
    now = 0.0
    for pause, happened in story:
        for place in range(8):
            effects[1].extend(walking.handle_timer(now + pause * place / 8))
        now += pause
        for point, into in ((leaping, effects[0]), (walking, effects[1])):
            try:
                into.extend(step(point, happened, now))
            except LocalProtocolError:
                into.extend(point.handle_timer(now))
    assert effects[0] == effects[1]
    assert leaping.state(now) == walking.state(now)


@given(STORIES)
def test_a_power_failure_leaves_nothing_of_pairing_authorization_and_transaction(
    story: list[tuple[float, AnyInput | PointSettings]],
) -> None:
    point = new_point()
    now = 0.0
    for pause, happened in story:
        now += pause
        try:
            step(point, happened, now)
        except LocalProtocolError:
            continue
    stored = of(StoreTransaction, point.handle_timer(now) + point.handle(PowerCycle(), now))
    state = point.state(now)
    assert (state.pairing, state.paired, state.transaction, state.tag_present) == (False, None, None, False)
    assert (state.contactor, state.auth_state) == (False, "not_authorized_for_charging")
    assert len(stored) <= 2
