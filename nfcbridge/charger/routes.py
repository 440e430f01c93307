"""The route table: every operation of the interface, each in one row. All that is known of an operation is here."""

from typing import Final

from nfcbridge.charger import policy
from nfcbridge.charger.api_login import LoggedIn, LoginRequest, LoginToken, get_login, post_login, post_logout
from nfcbridge.charger.api_state import get_system_state
from nfcbridge.charger.catalogue import Evidence
from nfcbridge.charger.operation import Operation, Section
from nfcbridge.charger.state import SystemState

BASE_PATH: Final = "/v1"

ROUTES: Final = (
    Operation(
        name="getLoginToken",
        section=Section.LOGIN,
        method="GET",
        path="/login",
        summary="Get a token to hash the password of the next login with",
        evidence=Evidence.DOCUMENTED,
        handler=get_login,
        response=LoginToken,
        roles=None,
        refusal=policy.not_logged_in,
    ),
    Operation(
        name="login",
        section=Section.LOGIN,
        method="POST",
        path="/login",
        summary="Log in and open a session",
        evidence=Evidence.DOCUMENTED,
        handler=post_login,
        request=LoginRequest,
        response=LoggedIn,
        roles=None,
        refusal=policy.not_logged_in,
        refusals=(401, 429),
    ),
    Operation(
        name="logout",
        section=Section.LOGIN,
        method="POST",
        path="/logout",
        summary="Log out and end the session",
        evidence=Evidence.DOCUMENTED,
        handler=post_logout,
        response=policy.NotLoggedIn,
        refusal=policy.not_logged_in,
    ),
    Operation(
        name="getSystemState",
        section=Section.STATE,
        method="GET",
        path="/system_state",
        summary="Get the state of the charge point, with the running transaction if there is one",
        evidence=Evidence.DOCUMENTED,
        handler=get_system_state,
        response=SystemState,
    ),
)
