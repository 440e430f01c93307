"""A charge point: a vehicle, who may charge, the contactor, the meter, the card reader and what it shows.

    handle(input, now), configure(settings, now), handle_timer(now)  ->  effects
    next_deadline()                                                  ->  when to call handle_timer
    state(now)                                                       ->  all of it

Time is an argument, in seconds that never go back. An input after a deadline acts as if `handle_timer` had been called
first. What is told (states, LEDs, contactor) is derived from what is the case, and an effect says where it differs from
what was told before.
"""

from collections.abc import Callable
from typing import Final, assert_never

from nfcbridge.charger.point import effects as does
from nfcbridge.charger.point.charging import Charging
from nfcbridge.charger.point.derive import Situation
from nfcbridge.charger.point.effects import Effect
from nfcbridge.charger.point.hmi import PATTERNS
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
    Unplug,
)
from nfcbridge.charger.point.messages import KINDS, Ends, Message, MessageName, MessageType, message
from nfcbridge.charger.point.meter import power_of
from nfcbridge.charger.point.phases import Phase, Turn
from nfcbridge.charger.point.reader import CardReader
from nfcbridge.charger.point.reader_states import Outcome, PairedTag, ReaderInput
from nfcbridge.charger.point.settings import MIN_CURRENT, PointSettings
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.point.timers import Timer, Timers
from nfcbridge.charger.point.transaction import WATT_HOURS, Authorization, Owner, Transaction
from nfcbridge.errors import LocalProtocolError

# Seconds from power to a controller that works, and for which a rejected tag shows; neither is known of the product.
BOOT_TIME: Final = 5.0
REJECTION_SHOWN: Final = 3.0
# Degrees Celsius, those of the reference's sample.
AMBIENT_TEMPERATURE: Final = 23.4
NOT_IDLE: Final = "pairing needs an idle controller: without vehicle, authorization and error"

Whitelist = Callable[[str], Owner | None]
"""Asked for a tag's id: whom it belongs to; None if it is not listed."""


class ChargePoint:
    """A charge point with one vehicle at a time, up and running, its reader as the settings say.

    Args:
        whitelist: who may charge.
        timestamp: seconds to UTC as the interface tells it.
        settings: can be changed by `configure`.
        now: seconds.
        next_transaction: the id of the next transaction.
        energy: kWh that the meter has counted already.
        boot_time: seconds from power to a controller that works.
    """

    def __init__(
        self,
        whitelist: Whitelist,
        timestamp: Callable[[float], str],
        settings: PointSettings,
        now: float,
        *,
        next_transaction: int = 1,
        energy: float = 0.0,
        boot_time: float = BOOT_TIME,
    ) -> None:
        self._whitelist = whitelist
        self._timestamp = timestamp
        self._settings = settings
        self._boot_time = boot_time
        self._timers = Timers()
        self._charging = Charging(timestamp, next_transaction, energy, now)
        self._reader = CardReader(self._timers, hybrid=settings.hybrid)
        self._messages: dict[MessageName, Message] = {}
        self._up = True
        self._up_since = now
        self._effects: list[Effect] = []
        self._told = self._situation()

    def handle(self, happened: AnyInput, now: float) -> list[Effect]:
        """What follows from an input.

        Raises:
            LocalProtocolError: it cannot happen now, and changes nothing; the message says what can. What was due by
                `now` all the same is told by the next call.
        """
        self._run_timers(now)
        self._apply(happened, now)
        self._settle(now)
        self._run_timers(now)  # a controller that takes no time to start
        return self._take()

    def configure(self, settings: PointSettings, now: float) -> list[Effect]:
        """What follows from other settings. Those that a phone asked for want its answer read first."""
        self._run_timers(now)
        self._settings = settings
        self._reader.move(ReaderInput.HYBRID if settings.hybrid else ReaderInput.RFID_ONLY, now)
        self._settle(now)
        return self._take()

    def handle_timer(self, now: float) -> list[Effect]:
        """What was due by `now`, in order and each at its time; nothing if called early."""
        self._run_timers(now)
        return self._take()

    def next_deadline(self) -> float | None:
        """When to call `handle_timer`; None: not before another input."""
        return self._timers.next_deadline()

    @property
    def paired(self) -> PairedTag | None:
        """The tag that pairing mode read last; None since it was enabled, and after a power failure."""
        return self._reader.paired

    @property
    def messages(self) -> tuple[Message, ...]:
        """The errors and warnings that are there, the oldest first."""
        return tuple(self._messages.values())

    def transaction(self, now: float) -> Transaction | None:
        """The transaction that runs, with what it has come to by `now`."""
        return self._charging.transaction(now)

    def state(self, now: float) -> PointState:
        """All of it. What is due by `now` is seen once `handle_timer` was called."""
        told, meter, reader = self._told, self._charging.meter, self._reader
        return PointState(
            system_state=told.system_state(),
            connection_state=told.connection_state(),
            auth_state=told.auth_state(),
            ocpp_state=told.ocpp_state(),
            type2_state=told.type2_state(),
            ambient_temp=AMBIENT_TEMPERATURE,
            transaction=self.transaction(now),
            messages=self.messages,
            contactor=told.closed(),
            power=meter.power,
            energy=round(meter.energy(now), WATT_HOURS),
            hmi=told.hmi_state(),
            leds=PATTERNS[told.hmi_state()],
            reader=reader.state,
            tag_present=reader.tag_present,
            pairing=reader.pairing,
            paired=reader.paired,
            uptime=now - self._up_since if self._up else 0.0,
        )

    def _take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _run_timers(self, now: float) -> None:
        while due := self._timers.take_due(now):
            self._ring(*due)
            self._settle(due[1])

    def _ring(self, timer: Timer, at: float) -> None:
        match timer:
            case Timer.BOOTED:
                self._up, self._up_since = True, at
                self._effects.append(does.Started(at))
                self._reader.move(
                    ReaderInput.START_HYBRID if self._settings.hybrid else ReaderInput.START_RFID_ONLY, at
                )
            case Timer.AUTHORIZATION:
                self._effects += self._charging.turn(Turn.LAPSE, at)
            case Timer.PAIRING:
                self._effects.append(does.PairingChanged(at, enabled=False))
            case Timer.SILENCE:
                self._reader.move(ReaderInput.SILENCE, at)
            case Timer.REJECTION:
                pass  # nothing but the LEDs, which `_settle` sees to
            case _:
                assert_never(timer)

    def _apply(self, happened: AnyInput, now: float) -> None:
        match happened:
            case Plug() | Unplug() | Charge() | Stop():
                self._effects += self._charging.move(happened, now)
            case Swipe():
                first = len(self._effects)
                outcome = self._swipe(happened, now)
                # Told before what follows from it.
                self._effects.insert(first, does.TagRead(now, happened.type, outcome))
            case Error():
                self._raise(happened.name, now)
            case Clear():
                self._clear(happened.name, now)
            case PowerCycle():
                self._lose_power(now)
            case Pair():
                if not self._told.idle():
                    raise LocalProtocolError(NOT_IDLE)
                self._effects += self._reader.pair(now)
            case Nfc():
                if happened.octets:
                    self._reader.move(ReaderInput.APDU, now)
            case _:
                assert_never(happened)

    def _swipe(self, swipe: Swipe, now: float) -> Outcome:
        if not self._reader.reads(swipe.type):
            return Outcome.UNREAD_OFF if not self._up else Outcome.UNREAD_SERVING
        owner = self._whitelist(swipe.id)
        if self._reader.pairing:
            tag = PairedTag(id=swipe.id, tag_type=swipe.type)
            self._effects += self._reader.keep(tag, now, known=owner is not None)
            return Outcome.PAIRED_UNKNOWN if owner is None else Outcome.PAIRED_KNOWN
        if self._charging.belongs_to(swipe.id):
            # Also with an error, and when the tag has left the whitelist: who came has to get away.
            self._effects += self._charging.turn(Turn.END, now)
            return Outcome.STOPPED
        if self._settings.free_charging:
            return Outcome.NOT_NEEDED
        if self._told.errors():
            return Outcome.OUT_OF_ORDER
        if owner is None or self._charging.phase is Phase.ACTIVE:
            self._timers.set(Timer.REJECTION, now + REJECTION_SHOWN)
            return Outcome.REJECTED
        self._timers.drop(Timer.REJECTION)
        self._accept(Authorization(swipe.id, owner), now)
        return Outcome.ACCEPTED

    def _accept(self, holder: Authorization, now: float) -> None:
        if self._charging.phase is Phase.FINISHED:
            self._effects += self._charging.turn(Turn.AGAIN, now)
            self._tell(now)  # OCPP wants to hear of Preparing
        self._effects += self._charging.accept(holder, now)
        if self._charging.phase is Phase.AUTHORIZED:
            self._timers.set(Timer.AUTHORIZATION, now + self._settings.authorization_timeout)

    def _raise(self, name: MessageName, now: float) -> None:
        if name in self._messages:
            return
        self._messages[name] = message(name, self._timestamp(now))
        self._effects.append(does.MessageRaised(now, self._messages[name]))
        if KINDS[name].type is MessageType.ERROR and self._charging.phase is Phase.AUTHORIZED:
            self._effects += self._charging.turn(Turn.LAPSE, now)

    def _clear(self, name: MessageName | None, now: float) -> None:
        if name is not None and KINDS[name].ends is Ends.RESTART:
            raise LocalProtocolError(f"only a power-cycle ends {name}")
        self._drop(
            {each for each in self._messages if KINDS[each].ends is not Ends.RESTART and name in (None, each)}, now
        )

    def _drop(self, names: set[MessageName], now: float) -> None:
        for name in [each for each in self._messages if each in names]:
            del self._messages[name]
            self._effects.append(does.MessageEnded(now, name))

    def _lose_power(self, now: float) -> None:
        self._effects.append(does.PowerLost(now))
        self._up = False
        self._effects += self._charging.turn(Turn.POWER_LOST, now)
        self._effects += self._reader.lose_power(now)
        self._drop({name for name in self._messages if KINDS[name].ends is not Ends.CLEARED}, now)
        self._timers.drop(Timer.REJECTION)
        self._timers.set(Timer.BOOTED, now + self._boot_time)

    def _situation(self) -> Situation:
        charging, settings = self._charging, self._settings
        schuko = charging.socket is Socket.SCHUKO
        current = settings.schuko_limit if schuko else settings.current_limit
        return Situation(
            up=self._up,
            present=frozenset(self._messages),
            phase=charging.phase,
            vehicle=charging.vehicle,
            socket=charging.socket,
            offered=power_of(current, 1 if schuko else settings.phases) if current >= MIN_CURRENT else 0.0,
            free=settings.free_charging,
            reader=self._reader.state,
            rejecting=Timer.REJECTION in self._timers,
        )

    def _settle(self, now: float) -> None:
        """Tells what is different, and lets a vehicle charge that needs nobody's leave."""
        self._tell(now)
        if self._charging.phase is not Phase.AUTHORIZED:
            self._timers.drop(Timer.AUTHORIZATION)
        if self._settings.free_charging and self._charging.phase is Phase.CONNECTED and self._told.in_order():
            self._accept(Authorization(self._settings.free_charging_tag, Owner(), free=True), now)
            self._tell(now)

    def _tell(self, now: float) -> None:
        before, self._told = self._told, self._situation()
        if self._told == before:
            return
        told = self._told
        self._effects += self._charging.switch(told.power(), now)
        if told.state(now) != before.state(now):
            self._effects.append(told.state(now))
        if told.reader is not before.reader:
            self._effects.append(does.ReaderChanged(now, told.reader, tag_present=self._reader.tag_present))
        if told.hmi_state() is not before.hmi_state():
            self._effects.append(does.HmiChanged(now, told.hmi_state(), PATTERNS[told.hmi_state()]))
