"""Settings: see settings.py for what they are and who may."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.settings import (
    MAX_PARAMS_QUERY,
    SelectSettings,
    SetSettings,
    SettingsAnswer,
    SettingsSet,
    selected_keys,
)


class WhichSettings(msgspec.Struct, frozen=True):
    """Keys with commas between them; none asks for all settings and what there is to know about them."""

    params: Annotated[str, Meta(max_length=MAX_PARAMS_QUERY)] = ""


async def get_settings(
    controller: Controller, call: Call[SelectSettings | None, WhichSettings]
) -> SettingsAnswer | Failed:
    """All settings, or those asked for."""
    keys = selected_keys(call.query_string, call.body)
    return controller.settings.read(call.user.role, keys, reader=call.user.id)


async def set_settings(controller: Controller, call: Call[SetSettings, None]) -> SettingsSet | Failed:
    """Other values for these settings; see settings.py for why both forms are checked alike."""
    return await controller.write_settings(call.user, call.body.params, call.client)
