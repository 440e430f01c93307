"""Answers that many operations have."""

import msgspec

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.policy import Failed


class Done(msgspec.Struct, frozen=True):
    """It was done, or it is so."""

    success: bool = True


async def refuse(controller: Controller, failure: Failed) -> Failed:
    """Tell a failure that was decided on what may not be kept yet, once it is kept."""
    await controller.store.keep()
    return failure
