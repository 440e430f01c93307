"""The state of the charge point."""

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.state import SystemState


async def get_system_state(controller: Controller, _call: Call[None, None]) -> SystemState:
    """The state now."""
    return controller.charger.system_state()
