"""An example of what each operation is sent and answers, for the OpenAPI document.

They are the samples of the API reference where it has one, made to fit the types where it leaves something out.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

SESSION_ID: Final = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"


class OperationExamples(NamedTuple):
    """Examples of one operation.

    Args:
        answers: contents of status 200, by what they show.
        requests: bodies, by what they show.
        parameters: of path and query.
    """

    answers: Mapping[str, Any] = {}
    requests: Mapping[str, Any] = {}
    parameters: Mapping[str, str] = {}


EXAMPLES: Final[Mapping[str, OperationExamples]] = {
    "getLoginToken": OperationExamples(answers={"token": {"token": ">2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V"}}),
    "login": OperationExamples(
        # The digits of the reference's sample are 54, so these are those of its token and the password "operator".
        requests={
            "operator": {
                "username": "operator",
                "password": "5e19807974f3ee30ce0bbb65d620d8f79fac571bd89e275f4670ef3f227adff0",
            }
        },
        answers={
            "logged in": {
                "logged_in": True,
                "session": {"session_id": SESSION_ID, "username": "operator", "role": "operator", "timeout": 60},
            }
        },
    ),
    "logout": OperationExamples(answers={"logged out": {"logged_in": False, "message": "Logged out"}}),
    "getSystemState": OperationExamples(
        answers={
            "charging": {
                "systemState": "idle",
                "connectionState": "vehicle_charging_type2",
                "authState": "authorized_for_charging",
                "ocppState": "charging",
                "type2State": "c",
                "ambientTemp": 23.4,
            }
        }
    ),
}
