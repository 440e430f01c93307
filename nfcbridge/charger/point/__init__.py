"""The simulated charge point: bytes of no interface, no clock of its own; inputs and time in, effects out.

inputs.py   what can happen                      effects.py   what follows
point.py    the charge point                     snapshot.py  all of it at one moment
  charging.py (phases.py, meter.py, transaction.py)   vehicle, contactor, transaction
  reader.py (reader_states.py)                        card reader, pairing mode
  derive.py (hmi.py, messages.py)                     states of the interface, LEDs
simulation.py   with a scenario (scenario.py) and faults on demand (faults.py)
clock.py        real, accelerated or driven time, for whoever runs it
"""

from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.duration import parse_duration
from nfcbridge.charger.point.effects import Effect, Event
from nfcbridge.charger.point.faults import AnyFault, Faults, parse_fault
from nfcbridge.charger.point.inputs import AnyInput, TagType
from nfcbridge.charger.point.messages import Message, MessageName, MessageType
from nfcbridge.charger.point.point import ChargePoint, Whitelist
from nfcbridge.charger.point.reader_states import PairedTag
from nfcbridge.charger.point.scenario import Scenario, ScenarioTag, load_scenario
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.simulation import Simulation
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.point.transaction import Owner, Transaction

__all__ = [
    "AnyFault",
    "AnyInput",
    "ChargePoint",
    "ChargerClock",
    "Effect",
    "Event",
    "Faults",
    "Message",
    "MessageName",
    "MessageType",
    "Owner",
    "PairedTag",
    "PointSettings",
    "PointState",
    "Scenario",
    "ScenarioTag",
    "Simulation",
    "TagType",
    "Transaction",
    "Whitelist",
    "load_scenario",
    "parse_duration",
    "parse_fault",
]
