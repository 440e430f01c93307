"""What a charge point does, each with its time: to be streamed to who watches, and one to be stored.

No event has a tag's id or a user's name in it. `StoreTransaction` has both: it goes to the store and nowhere else.
"""

import msgspec

from nfcbridge.charger.point.faults import Cut, ExpireSessions, Late, LoseField, Next
from nfcbridge.charger.point.hmi import HmiState, Pattern
from nfcbridge.charger.point.inputs import TagType
from nfcbridge.charger.point.messages import Message, MessageName
from nfcbridge.charger.point.reader_states import Outcome, ReaderState
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.state import AuthState, ConnectionState, ControllerState, OcppState, Type2State


class Effect(msgspec.Struct, frozen=True, tag_field="event"):
    """The root of what follows. `t`: seconds of the charge point's clock."""

    t: float


class StateChanged(Effect, frozen=True, rename="camel", tag="state"):
    """What GET /system_state tells is now this."""

    system_state: ControllerState
    connection_state: ConnectionState
    auth_state: AuthState
    ocpp_state: OcppState
    type2_state: Type2State


class ContactorSwitched(Effect, frozen=True, tag="contactor"):
    """The contactor closed or opened, or what it lets through changed. `power`: kilowatts that flow now."""

    closed: bool
    power: float


class HmiChanged(Effect, frozen=True, tag="hmi"):
    """The LEDs show another pattern."""

    state: HmiState
    leds: Pattern


class Buzzed(Effect, frozen=True, tag="buzzer"):
    """The buzzer beeped so many times."""

    beeps: int


class ReaderChanged(Effect, frozen=True, rename="camel", tag="reader"):
    """The card reader does something else; `tag_present`: phones find a tag from now on, or none."""

    state: ReaderState
    tag_present: bool


class TagRead(Effect, frozen=True, tag="tag"):
    """A tag was held to the reader."""

    type: TagType
    outcome: Outcome


class PairingChanged(Effect, frozen=True, tag="pairing"):
    """Pairing mode began or ended."""

    enabled: bool


class TransactionStarted(Effect, frozen=True, rename="camel", tag="transaction-started"):
    """A transaction runs."""

    transaction_id: int


class TransactionEnded(Effect, frozen=True, rename="camel", tag="transaction-ended"):
    """A transaction is completed; minutes and kWh."""

    transaction_id: int
    duration: int
    consumption: float


class StoreTransaction(Effect, frozen=True, tag="store-transaction"):
    """Keep this completed transaction; not to be streamed."""

    transaction: Transaction


class MessageRaised(Effect, frozen=True, tag="message-raised"):
    """An error or a warning is there."""

    message: Message


class MessageEnded(Effect, frozen=True, tag="message-ended"):
    """An error or a warning is gone."""

    id: MessageName


class PowerLost(Effect, frozen=True, tag="power-lost"):
    """The mains failed and came back: sessions, login tokens and the phone's contact are gone."""


class Started(Effect, frozen=True, tag="started"):
    """The controller is up again."""


class FaultOrdered(Effect, frozen=True, tag="fault-ordered"):
    """This fault is to strike at its occasion."""

    fault: Next | Late | Cut


class FaultStrikes(Effect, frozen=True, tag="fault-strikes"):
    """This fault strikes now: to be done by whoever has the link or the sessions."""

    fault: LoseField | ExpireSessions


class StepRefused(Effect, frozen=True, tag="step-refused"):
    """A step of the scenario (from 1) could not happen; the scenario goes on."""

    step: int
    reason: str


class ScenarioEnded(Effect, frozen=True, tag="scenario-ended"):
    """All steps of the scenario are done."""


Event = (
    StateChanged
    | ContactorSwitched
    | HmiChanged
    | Buzzed
    | ReaderChanged
    | TagRead
    | PairingChanged
    | TransactionStarted
    | TransactionEnded
    | MessageRaised
    | MessageEnded
    | PowerLost
    | Started
    | FaultOrdered
    | FaultStrikes
    | StepRefused
    | ScenarioEnded
)
"""What may be streamed."""
