"""A charge point, what a scenario does to it, and the faults on demand, behind one clock.

effects = simulation.handle(order, clock.simulated())        an input or a fault, by hand
clock.advance(61); effects = simulation.handle_timer(clock.simulated())
delay = clock.real_delay(simulation.next_deadline())         when to call handle_timer by itself
"""

from nfcbridge.charger.point.effects import Effect, FaultOrdered, FaultStrikes, ScenarioEnded, StepRefused
from nfcbridge.charger.point.faults import AnyFault, ExpireSessions, Fault, Faults, LoseField
from nfcbridge.charger.point.inputs import AnyInput
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.scenario import Scenario, ScenarioStep
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.errors import LocalProtocolError


class _Play:
    """Where a scenario stands."""

    def __init__(self, scenario: Scenario, now: float) -> None:
        self._scenario = scenario
        self._began = now
        self._done = 0  # steps, in all rounds

    def next_deadline(self) -> float | None:
        steps = self._scenario.steps
        turn, place = divmod(self._done, len(steps))
        if turn == self._scenario.rounds:
            return None
        return self._began + turn * self._scenario.every + steps[place].at

    def take(self) -> ScenarioStep:
        step = self._scenario.steps[self._done % len(self._scenario.steps)]
        self._done += 1
        return step


class Simulation:
    """All that lives.

    Args:
        point: the charge point.
        scenario: happens from `now` on, if there is one.
        now: seconds, by the clock of the charge point.

    Attributes:
        point: to be asked for its state.
        faults: to be asked by whoever answers and by whoever carries blocks.
    """

    def __init__(self, point: ChargePoint, scenario: Scenario | None, now: float) -> None:
        self.point = point
        self.faults = Faults()
        self._effects: list[Effect] = []
        self._play = _Play(scenario, now) if scenario else None

    def handle(self, order: AnyInput | AnyFault, now: float) -> list[Effect]:
        """What follows from an input or a fault.

        Raises:
            LocalProtocolError: it cannot happen now, and changes nothing; the message says what can. What was due by
                `now` all the same is told by the next call, such as of `handle_timer`.
        """
        self._run(now)
        self._effects += self._handle(order, now)
        return self._take()

    def configure(self, settings: PointSettings, now: float) -> list[Effect]:
        """What follows from other settings."""
        self._run(now)
        self._effects += self.point.configure(settings, now)
        return self._take()

    def handle_timer(self, now: float) -> list[Effect]:
        """What was due by `now`, in order and each at its time; nothing if called early."""
        self._run(now)
        return self._take()

    def next_deadline(self) -> float | None:
        """When to call `handle_timer`; None: not before another input."""
        step = self._play.next_deadline() if self._play else None
        return min((each for each in (step, self.point.next_deadline()) if each is not None), default=None)

    def _take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _run(self, now: float) -> None:
        while self._play and (due := self._play.next_deadline()) is not None and due <= now:
            self._effects += self.point.handle_timer(due)
            self._take_step(self._play, due)
        self._effects += self.point.handle_timer(now)

    def _handle(self, order: AnyInput | AnyFault, now: float) -> list[Effect]:
        if not isinstance(order, Fault):
            return self.point.handle(order, now)
        if isinstance(order, LoseField | ExpireSessions):
            return [FaultStrikes(now, order)]
        self.faults.order(order)
        return [FaultOrdered(now, order)]

    def _take_step(self, play: _Play, now: float) -> None:
        step = play.take()
        try:
            self._effects += self._handle(step.happens, now)
        except LocalProtocolError as error:
            self._effects.append(StepRefused(now, step.number, str(error)))
        if play.next_deadline() is None:
            self._effects.append(ScenarioEnded(now))
