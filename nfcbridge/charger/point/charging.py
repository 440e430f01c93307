"""The vehicle, who may charge it, the contactor, the meter and the transaction."""

from collections.abc import Callable

from nfcbridge.charger.point.effects import (
    ContactorSwitched,
    Effect,
    StoreTransaction,
    TransactionEnded,
    TransactionStarted,
)
from nfcbridge.charger.point.inputs import Charge, Plug, Socket, Stop, Unplug
from nfcbridge.charger.point.meter import Meter
from nfcbridge.charger.point.phases import Phase, Turn, Vehicle, next_phase, next_vehicle
from nfcbridge.charger.point.transaction import Authorization, Running, Transaction


class Charging:
    """One vehicle at a time, and its transaction.

    Args:
        timestamp: seconds to UTC as the interface tells it.
        next_transaction: the id of the next transaction.
        energy: kWh that the meter has counted already.
        now: seconds.

    Attributes:
        socket: where the last vehicle was plugged in.
        meter: counts what goes through the contactor, which is closed while something does.
    """

    def __init__(self, timestamp: Callable[[float], str], next_transaction: int, energy: float, now: float) -> None:
        self.vehicle = Vehicle.NONE
        self.socket = Socket.TYPE2
        self.phase = Phase.IDLE
        self._holder: Authorization | None = None
        self.meter = Meter(energy, now)
        self._timestamp = timestamp
        self._next_transaction = next_transaction
        self._running: Running | None = None

    def transaction(self, now: float) -> Transaction | None:
        """The transaction that runs."""
        return self._running.told(now, self.meter.energy(now)) if self._running else None

    def belongs_to(self, tag_id: str) -> bool:
        """Whether a transaction runs that this tag began."""
        return self._running is not None and self._running.holder.is_card(tag_id)

    def move(self, happened: Plug | Unplug | Charge | Stop, now: float) -> list[Effect]:
        """The vehicle came, went, or wants something else.

        Raises:
            LocalProtocolError: it cannot; the message says what can.
        """
        self.vehicle = next_vehicle(self.vehicle, happened)
        if isinstance(happened, Plug):
            self.socket = happened.socket
            return self.turn(Turn.PLUG, now)
        return self.turn(Turn.UNPLUG, now) if isinstance(happened, Unplug) else []

    def accept(self, holder: Authorization, now: float) -> list[Effect]:
        """Somebody may charge."""
        self._holder = holder
        return self.turn(Turn.ACCEPT, now)

    def turn(self, turn: Turn, now: float) -> list[Effect]:
        """Go on to the next phase. Raises LocalProtocolError: it cannot follow."""
        effects: list[Effect] = []
        self.phase = next_phase(self.phase, turn)
        if self._running is not None:  # no turn stays in ACTIVE
            effects = self.switch(0.0, now) + self._end(self._running, now)
        elif self.phase is Phase.ACTIVE and self._holder is not None:
            effects = self._begin(self._holder, now)
        return effects

    def switch(self, power: float, now: float) -> list[Effect]:
        """Let so many kilowatts through; without any the contactor is open."""
        if power == self.meter.power:
            return []
        self.meter.flow(power, now)
        return [ContactorSwitched(now, closed=power > 0, power=power)]

    def _begin(self, holder: Authorization, now: float) -> list[Effect]:
        number, self._next_transaction = self._next_transaction, self._next_transaction + 1
        self._running = Running(number, holder, now, self._timestamp(now), self.meter.energy(now))
        return [TransactionStarted(now, number)]

    def _end(self, running: Running, now: float) -> list[Effect]:
        self._running = None
        told = running.told(now, self.meter.energy(now), end=self._timestamp(now))
        return [
            TransactionEnded(now, told.transaction_id, told.duration, told.consumption),
            StoreTransaction(now, told),
        ]
