"""The state of the charge point."""

import msgspec

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.live import SystemState
from nfcbridge.charger.operation import Call


async def get_system_state(controller: Controller, _call: Call[None, None]) -> SystemState:
    """The state now, with the running transaction."""
    state = controller.charger.system_state()
    if not state.transaction or controller.shows_uid:
        return state
    return msgspec.structs.replace(state, transaction=state.transaction.without_uid())
