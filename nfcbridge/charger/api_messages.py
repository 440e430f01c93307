"""Errors and warnings."""

import msgspec

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.point.messages import Message


class Messages(msgspec.Struct, frozen=True):
    """Those that are there now, the oldest first."""

    messages: list[Message]


async def get_messages(controller: Controller, _call: Call[None, None]) -> Messages:
    """All errors and warnings."""
    return Messages(list(controller.charger.messages()))
