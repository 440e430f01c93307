"""What an app shows of the settings."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.settings import Dashboard, SettingsAnswer, wants_descriptions


class WhichDashboard(msgspec.Struct, frozen=True):
    """Whether descriptions are wanted: 1, the default, or 0."""

    # The reference's example is "descriptions=descriptions=0", which settings.py takes too.
    descriptions: Annotated[str, Meta(extra_json_schema={"pattern": "^[01]$"})] = "1"


async def get_app_settings(controller: Controller, call: Call[None, None]) -> SettingsAnswer:
    """The settings of the app layout."""
    return controller.settings.app_settings(call.user.role, reader=call.user.id)


async def get_app_dashboard(controller: Controller, call: Call[None, WhichDashboard]) -> Dashboard | Failed:
    """The dashboard of the app layout."""
    descriptions = wants_descriptions(call.query_string)
    if isinstance(descriptions, Failed):
        return descriptions
    return controller.settings.app_dashboard(call.user.role, descriptions=descriptions, reader=call.user.id)
