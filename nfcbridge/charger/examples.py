"""An example of what each operation is sent and answers, for the OpenAPI document.

They are the samples of the API reference where it has one, made to fit the types where it leaves something out.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

SESSION_ID: Final = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"
USER_ID: Final = "45d3711a-2acd-4812-8b44-f23fa3b791c2"

_ENTRY: Final = {
    "id": "abcdef34",
    "tagType": "EVCCID",
    "number": 7,
    "name": "Alex's car",
    "userid": "c9228f30-daa2-4a24-b9c0-e38aa2dc3fe5",
    "priority": "HIGH",
}
_TRANSACTION: Final = {
    "transactionId": 12,
    "userId": USER_ID,
    "userName": "Jenny",
    "tagId": "abcdef12",
    "start": "2019-11-23T19:35:43.511Z",
    "end": "2019-11-23T22:53:43.511Z",
    "duration": 198,
    "consumption": 12.33,
}
_RUNNING: Final = {name: value for name, value in _TRANSACTION.items() if name != "end"}
_LIMIT: Final = {
    "value": 16,
    "type": "int",
    "mode": "rw",
    "short": "Operator current limit",
    "long": "Most current per phase that a vehicle is offered. The installation's limit holds as well.",
    "default": 16,
    "reboot": False,
    "unit": "A",
    "min": 6,
    "max": 80,
}
_CHARGE_POINT: Final = {
    "vendor": "nfcbridge",
    "model": "Emulated charge controller",
    "serialNumber": "0000001",
    "firmwareVersion": "5.32.0",
    "chargePointId": "CP-1",
}
_NEW_VALUES: Final = {"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 10}]}
_PAIRS: Final = {"key_1": "value_1", "key_2": "value_2", "key_3": "value_3"}
_TIMESPAN: Final = {"from": "2019-11-23T19:35:43.511Z", "to": "2019-11-24T19:35:43.511Z"}
_DONE: Final = {"done": {"success": True}}


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
    "getSettings": OperationExamples(
        parameters={"params": "Enabled_wlan,WebUIStyle_web"},
        requests={"some": {"params": ["Enabled_wlan", "WebUIStyle_web"]}},
        answers={
            "some": {"name": "settings", "result": {"Enabled_wlan": False, "WebUIStyle_web": "default"}},
            "all, shortened": {
                "name": "settings",
                "result": {"OperatorCurrentLimit_vehicleif": _LIMIT},
                "groups": [
                    {"name": "vehicleif", "title": "Vehicle interface", "params": ["OperatorCurrentLimit_vehicleif"]}
                ],
                "ChargePointInfo": _CHARGE_POINT,
            },
        },
    ),
    "setSettings": OperationExamples(
        requests={"current": _NEW_VALUES}, answers={"changed": {**_NEW_VALUES, "reboot_required": False}}
    ),
    "setSettingsValidated": OperationExamples(
        requests={"current": _NEW_VALUES}, answers={"changed": {**_NEW_VALUES, "reboot_required": False}}
    ),
    "postSettingsValidated": OperationExamples(
        requests={"current": _NEW_VALUES}, answers={"changed": {**_NEW_VALUES, "reboot_required": False}}
    ),
    "getTransactions": OperationExamples(parameters=_TIMESPAN, answers={"one": [_TRANSACTION], "none": []}),
    "getTransactionSummary": OperationExamples(
        parameters=_TIMESPAN,
        answers={"twelve": {"transactionCount": 12, "totalDuration": 2375, "totalConsumption": 148.0}},
    ),
    "getActiveTransaction": OperationExamples(answers={"one runs": {"success": True}, "none runs": {"success": False}}),
    "getUsers": OperationExamples(answers={"one": {"users": [{"userId": USER_ID, "userName": "Jenny"}]}}),
    "addUser": OperationExamples(
        requests={"Jenny": {"userName": "Jenny"}}, answers={"added": {"userId": USER_ID, "userName": "Jenny"}}
    ),
    "getUser": OperationExamples(
        parameters={"userId": USER_ID}, answers={"Jenny": {"userId": USER_ID, "userName": "Jenny"}}
    ),
    "changeUser": OperationExamples(
        parameters={"userId": USER_ID}, requests={"Alex1": {"userName": "Alex1"}}, answers=_DONE
    ),
    "deleteUser": OperationExamples(
        parameters={"userId": USER_ID}, answers=_DONE | {"unknown": {"success": False, "cause": "invalid path"}}
    ),
    "getWhitelist": OperationExamples(
        parameters={"type": "local"}, answers={"one": {"success": True, "tags": [_ENTRY]}}
    ),
    "changeWhitelist": OperationExamples(
        requests={
            "add": {"type": "local", "command": "add", "tags": [{"id": "abcdef12"}, _ENTRY]},
            "edit": {"type": "local", "command": "edit", "tags": [{"id": "abcdef12", "name": "Jenny's card"}]},
            "clear": {"type": "local", "command": "clear"},
        },
        answers=_DONE,
    ),
    "deleteWhitelistEntries": OperationExamples(
        parameters={"type": "local", "ids": "abcdef12,abcdef34,abcdef56"},
        requests={"one": {"type": "local", "command": "delete", "tags": [{"id": "abcdef12"}]}},
        answers=_DONE | {"missing": {"success": False, "cause": "missing parameter 'tags'"}},
    ),
    "enablePairing": OperationExamples(answers=_DONE),
    "getPairedTag": OperationExamples(answers={"unknown": {"id": "abcdef12", "tagType": "RFID"}, "known": _ENTRY}),
    "getPairs": OperationExamples(answers={"three": _PAIRS}),
    "addPairs": OperationExamples(
        requests={"three": _PAIRS}, answers=_DONE | {"too many": {"success": False, "cause": "too many entries"}}
    ),
    "changePairs": OperationExamples(requests={"three": _PAIRS}, answers=_DONE),
    "getPair": OperationExamples(parameters={"key": "key_1"}, answers={"one": {"key_1": "value_1"}}),
    "deletePair": OperationExamples(
        parameters={"key": "key_1"}, answers=_DONE | {"unknown": {"success": False, "cause": "key not found"}}
    ),
    "getSystemState": OperationExamples(
        answers={
            "charging": {
                "systemState": "idle",
                "connectionState": "vehicle_charging_type2",
                "authState": "authorized_for_charging",
                "ocppState": "charging",
                "type2State": "c",
                "ambientTemp": 23.4,
                "transaction": _RUNNING,
            }
        }
    ),
    "getMessages": OperationExamples(
        answers={
            "one": {
                "messages": [
                    {
                        "id": "backend-disconnected",
                        "type": "warning",
                        "text": "Backend disconnected",
                        "timestamp": "2019-11-23T19:35:43.511Z",
                    }
                ]
            },
            "none": {"messages": []},
        }
    ),
    "getAppSettings": OperationExamples(
        answers={
            "shortened": {
                "name": "settings",
                "result": {"OperatorCurrentLimit_vehicleif": _LIMIT},
                "groups": [{"name": "charging", "title": "Charging", "params": ["OperatorCurrentLimit_vehicleif"]}],
                "ChargePointInfo": _CHARGE_POINT,
            }
        }
    ),
    "getAppDashboard": OperationExamples(
        parameters={"descriptions": "0"},
        answers={
            "without descriptions, shortened": {
                "name": "dashboard",
                "ControllerTime_custom": "2023-05-18 08:51",
                "settings_changed": False,
                "groups": [
                    {
                        "name": "charging",
                        "title": "Charging",
                        "params": ["OperatorCurrentLimit_vehicleif"],
                        "result": {
                            "OperatorCurrentLimit_vehicleif": {
                                name: value for name, value in _LIMIT.items() if name not in {"short", "long"}
                            }
                        },
                    }
                ],
                "GraphicDashboard": [],
            }
        },
    ),
}
