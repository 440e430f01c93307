"""The charge point that lives: the simulation, on the charger's clock, with what lasts.

Everything here runs in the thread of the application's event loop. Whatever is asked for, what was due by now happens
first; while the loop runs, it also happens by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from nfcbridge.charger.catalogue import Value
from nfcbridge.charger.obeyed import live_values
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import Effect, StoreTransaction, TransactionStarted
from nfcbridge.charger.point.faults import AnyFault, Faults
from nfcbridge.charger.point.inputs import AnyInput, Pair, PowerCycle
from nfcbridge.charger.point.messages import Message
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.reader_states import PairedTag
from nfcbridge.charger.point.scenario import Scenario
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.simulation import Simulation
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.point.transaction import Owner, Transaction
from nfcbridge.charger.state import AuthState, ConnectionState, ControllerState, OcppState, Type2State
from nfcbridge.charger.store import Store
from nfcbridge.errors import LocalProtocolError

# Completed transactions that are kept, about 4 MiB; the oldest go first.
MAX_TRANSACTIONS: Final = 10_000

# Names of counters.
_ENERGY: Final = "energy"  # kWh on the meter
_TRANSACTION: Final = "transaction"  # the number of the last one that began

Watcher = Callable[[Effect], None]


class SystemState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The state of the charge point.

    Attributes:
        ambient_temp: degrees Celsius.
        transaction: the one that runs, if there is one.
    """

    system_state: ControllerState
    connection_state: ConnectionState
    auth_state: AuthState
    ocpp_state: OcppState
    type2_state: Type2State
    ambient_temp: float
    transaction: Transaction | UnsetType = UNSET


class LiveCharger:
    """A charge point.

    Args:
        store: has whitelist, users, transactions and counters.
        clock: the charger's.
        settings: those it begins with.
        scenario: what happens by itself, from now on.

    Attributes:
        clock: the same.
        settings: those it obeys.
    """

    def __init__(
        self, store: Store, clock: ChargerClock, settings: PointSettings, scenario: Scenario | None = None
    ) -> None:
        self.clock = clock
        self._store = store
        self.settings = settings
        now = clock.simulated()
        last = max([int(store.counters.rows.get(_TRANSACTION, 0)), *store.transactions.rows])
        point = ChargePoint(
            self._owner,
            clock.timestamp,
            settings,
            now,
            next_transaction=last + 1,
            energy=store.counters.rows.get(_ENERGY, 0.0),
        )
        self._point = point
        self._simulation = Simulation(point, scenario, now)
        self._deadline = self._simulation.next_deadline()
        self._told: SystemState | None = None
        self._watchers: list[Watcher] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def faults(self) -> Faults:
        """Those that are still to strike."""
        return self._simulation.faults

    def start(self) -> None:
        """From now on what is due happens by itself, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._schedule()

    def stop(self) -> None:
        """The end of `start`, which is a power failure to a charge point: a transaction that runs is completed."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        self.handle(PowerCycle())

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call this with every event from now on, until the function that is returned is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def handle(self, order: AnyInput | AnyFault) -> None:
        """Let this happen. Raises LocalProtocolError: it cannot; the message says what can."""
        now = self.clock.simulated()
        try:
            effects = self._simulation.handle(order, now)
        except LocalProtocolError:
            self._act(self._simulation.handle_timer(now))
            raise
        self._act(effects)

    def advance(self, seconds: float) -> None:
        """Move every clock of the charger. Raises ConfigError: not by so much."""
        self.clock.advance(seconds)
        self._act(self._simulation.handle_timer(self.clock.simulated()))

    def configure(self, settings: PointSettings) -> None:
        """Obey these settings from now on."""
        self.settings = settings
        self._act(self._simulation.configure(settings, self.clock.simulated()))

    def state(self) -> PointState:
        """All of it, now."""
        return self._point.state(self._catch_up())

    def system_state(self) -> SystemState:
        """What GET /system_state tells."""
        now = self._catch_up()
        if self._told is None:
            state = self._point.state(now)
            self._told = SystemState(
                system_state=state.system_state,
                connection_state=state.connection_state,
                auth_state=state.auth_state,
                ocpp_state=state.ocpp_state,
                type2_state=state.type2_state,
                ambient_temp=state.ambient_temp,
            )
        running = self._point.transaction(now)
        return self._told if running is None else msgspec.structs.replace(self._told, transaction=running)

    def transaction(self) -> Transaction | None:
        """The transaction that runs."""
        return self._point.transaction(self._catch_up())

    def messages(self) -> tuple[Message, ...]:
        """The errors and warnings that are there."""
        self._catch_up()
        return self._point.messages

    def pair(self) -> bool:
        """Enable pairing mode; False if the controller is not idle."""
        try:
            self.handle(Pair())
        except LocalProtocolError:
            return False
        return True

    def paired(self) -> PairedTag | None:
        """The tag that pairing mode read last."""
        self._catch_up()
        return self._point.paired

    def live_values(self) -> Mapping[str, Value]:
        """What is told as settings that nobody sets."""
        now = self._catch_up()
        return live_values(self._point.state(now), self.settings, self.clock.local(now))

    def _catch_up(self) -> float:
        """Let happen what was due by now, and return the time."""
        now = self.clock.simulated()
        if self._deadline is not None and self._deadline <= now:
            self._act(self._simulation.handle_timer(now))
        return now

    def _owner(self, tag_id: str) -> Owner | None:
        entry = self._store.whitelist.rows.get(tag_id)
        if entry is None:
            return None
        user_id = entry.user_id or ""
        return Owner(user_id, self._store.users.rows.get(user_id, ""))

    def _act(self, effects: list[Effect]) -> None:
        self._deadline = self._simulation.next_deadline()
        if effects:
            self._told = None
        for effect in effects:
            if isinstance(effect, StoreTransaction):
                self._keep(effect)
                continue
            if isinstance(effect, TransactionStarted):
                counters = self._store.counters
                self._store.keep_later(counters.put(_TRANSACTION, float(effect.transaction_id)))
            for watcher in list(self._watchers):
                watcher(effect)
        self._schedule()

    def _keep(self, effect: StoreTransaction) -> None:
        done, shelf = effect.transaction, self._store.transactions
        surplus = list(shelf.staged)[: max(0, len(shelf.staged) + 1 - MAX_TRANSACTIONS)]
        self._store.keep_later(
            shelf.put(done.transaction_id, done),
            self._store.counters.put(_ENERGY, self._point.state(effect.t).energy),
            *map(shelf.drop, surplus),
        )

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is None or self._deadline is None:
            return
        delay = self.clock.real_delay(self._deadline)
        if delay is not None:
            # Not in the context of the request that is answered: its clock may stand still.
            self._timer = self._loop.call_later(delay, self._ring, context=Context())

    def _ring(self) -> None:
        self._catch_up()
        self._schedule()  # the timer may be early by a rounding error
