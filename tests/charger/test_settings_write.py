import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nfcbridge.charger import policy
from nfcbridge.charger.catalogue import Mode, Type, Value
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.roles import Role
from nfcbridge.charger.settings import (
    NewValue,
    SelectSettings,
    Settings,
    SettingsAnswer,
    SettingsSet,
    selected_keys,
    wants_descriptions,
)
from tests.charger.shipped_settings import (
    CATALOGUE,
    LAYOUT,
    MemoryValues,
    as_json,
    done,
    everything,
    pairs,
    post,
    shipped,
    write,
)


def test_what_was_written_is_told_back_and_read_again() -> None:
    settings = shipped()
    answer = write(settings, OperatorCurrentLimit_vehicleif=20, FreeCharging_vehicleif="on")
    assert as_json(answer) == {
        "params": [
            {"key": "OperatorCurrentLimit_vehicleif", "value": 20},
            {"key": "FreeCharging_vehicleif", "value": "on"},
        ],
        "reboot_required": False,
    }
    keys = ["OperatorCurrentLimit_vehicleif", "FreeCharging_vehicleif"]
    assert as_json(settings.read(Role.USER, keys))["result"] == {keys[0]: 20, keys[1]: "on"}
    assert everything(settings)["result"][keys[0]]["value"] == 20
    assert everything(settings)["result"][keys[0]]["default"] == 16


def test_a_reboot_is_required_if_one_of_the_parameters_takes_effect_with_it() -> None:
    assert write(shipped(), Title_web="A", Enabled_wlan=True) == SettingsSet(
        pairs(Title_web="A", Enabled_wlan=True), reboot_required=True
    )
    assert write(shipped(), Title_web="A") == SettingsSet(pairs(Title_web="A"), reboot_required=False)


def test_to_change_nothing_is_done_at_once() -> None:
    assert write(shipped()) == SettingsSet([], reboot_required=False)


@pytest.mark.parametrize("role", Role)
def test_every_parameter_is_written_by_those_who_may_and_by_nobody_else(role: Role) -> None:
    for key, parameter in CATALOGUE.parameters.items():
        settings = shipped()
        value = {
            Type.BOOL: not parameter.default,
            Type.INT: parameter.max,
            Type.FLOAT: parameter.max,
            Type.IPV4: "10.0.0.1",
            Type.ENUM: (parameter.enum or [""])[-1],
        }.get(parameter.type, "12345678")
        answer = done(settings.write(role, [NewValue(key, value)]))
        if parameter.mode is Mode.READ_WRITE and parameter.may_write(role):
            told = "" if parameter.type is Type.PASSWORD else value
            assert answer == SettingsSet([NewValue(key, told)], parameter.reboot)
            assert settings.value(key) == value
        else:
            assert answer == Failed(cause=f"parameter '{key}' not allowed")
            assert settings.value(key) == parameter.default


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ([], "missing parameter 'params'"),
        ("text", "missing parameter 'params'"),
        (None, "missing parameter 'params'"),
        ({}, "missing parameter 'params'"),
        ({"params": {}}, "invalid parameter 'params'"),
        ({"params": None}, "invalid parameter 'params'"),
        ({"params": ["Title_web"]}, "invalid parameter 'params'"),
        ({"params": [{}]}, "missing parameter 'key'"),
        ({"params": [{"value": 1}]}, "missing parameter 'key'"),
        ({"params": [{"key": "Title_web"}]}, "missing parameter 'value'"),
        ({"params": [{"key": 1, "value": 1}]}, "invalid parameter 'key'"),
        ({"params": [{"key": None, "value": 1}]}, "invalid parameter 'key'"),
        ({"params": [{"key": "Nothing_web", "value": 1}]}, "key not found"),
        ({"params": [{"key": "", "value": 1}]}, "key not found"),
        ({"params": [{"key": "SysTime_mon", "value": ""}]}, "parameter 'SysTime_mon' not allowed"),
        ({"params": [{"key": "SSHAccessUsb", "value": 1}]}, "parameter 'SSHAccessUsb' not allowed"),
        ({"params": [{"key": "Title_web", "value": 1}]}, "invalid parameter 'Title_web'"),
        ({"params": [{"key": "Title_web", "value": None}]}, "invalid parameter 'Title_web'"),
        ({"params": [{"key": "Title_web", "value": ["a"]}]}, "invalid parameter 'Title_web'"),
        ({"params": [{"key": "Title_web", "value": "t" * 65}]}, "invalid parameter 'Title_web'"),
        ({"params": [{"key": "Title_web", "value": "two\nlines"}]}, "invalid parameter 'Title_web'"),
        ({"params": [{"key": "Enabled_wlan", "value": 1}]}, "invalid parameter 'Enabled_wlan'"),
        ({"params": [{"key": "Enabled_wlan", "value": "true"}]}, "invalid parameter 'Enabled_wlan'"),
        ({"params": [{"key": "RCMBDelta", "value": 1000}]}, "parameter 'RCMBDelta' not allowed"),
        ({"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 5}]}, None),
        ({"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 81}]}, None),
        ({"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 16.5}]}, None),
        ({"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": True}]}, None),
        ({"params": [{"key": "RfidMode_rfid", "value": "NFC"}]}, "invalid parameter 'RfidMode_rfid'"),
    ],
)
def test_a_body_that_cannot_be_has_a_cause_and_changes_nothing(body: Any, cause: str | None) -> None:
    values = MemoryValues()
    answer = post(shipped(values), Role.OPERATOR, json.dumps(body).encode())
    assert answer == Failed(cause=cause or "invalid parameter 'OperatorCurrentLimit_vehicleif'")
    assert values.values() == {}


FAULTS = [
    ({"key": "Title_web"}, "missing parameter 'value'"),
    ({"key": "SysTime_mon", "value": 1}, "parameter 'SysTime_mon' not allowed"),
    ({"key": "Nothing_web", "value": 1}, "key not found"),
    ({"key": "Enabled_wlan", "value": 1}, "invalid parameter 'Enabled_wlan'"),
    ({"key": "Heartbeat_backend", "value": 9}, "invalid parameter 'Heartbeat_backend'"),
]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(5) for b in range(5)])
def test_shape_then_permission_then_existence_then_type_then_range_are_checked_whatever_the_order_of_the_pairs(
    first: int, second: int
) -> None:
    values = MemoryValues()
    good = {"key": "Title_web", "value": "A"}
    body = {"params": [good, FAULTS[first][0], FAULTS[second][0], good]}
    answer = post(shipped(values), Role.OPERATOR, json.dumps(body).encode())
    assert answer == Failed(cause=FAULTS[min(first, second)][1])
    assert values.values() == {}


def test_of_two_values_for_one_key_the_last_one_counts() -> None:
    settings = shipped()
    changes = [NewValue("Title_web", "A"), NewValue("Title_web", "B")]
    assert done(settings.write(Role.OPERATOR, changes)) == SettingsSet([NewValue("Title_web", "B")], False)
    assert settings.value("Title_web") == "B"


def test_numbers_are_told_and_kept_in_one_form() -> None:
    values = MemoryValues()
    answer = write(shipped(values), OperatorCurrentLimit_vehicleif=20.0, Price_app=1)
    assert msgspec.json.encode(answer) == (
        b'{"params":[{"key":"OperatorCurrentLimit_vehicleif","value":20},{"key":"Price_app","value":1.0}],'
        b'"reboot_required":false}'
    )
    assert repr(values.values()) == "{'OperatorCurrentLimit_vehicleif': 20, 'Price_app': 1.0}"


def test_a_password_is_kept_and_never_told() -> None:
    values = MemoryValues()
    settings = shipped(values)
    answer = write(settings, Password_wlan="correct horse")
    assert isinstance(answer, SettingsSet)
    told = [
        msgspec.json.encode(answer),
        msgspec.json.encode(settings.read(Role.MANUFACTURER)),
        msgspec.json.encode(settings.read(Role.MANUFACTURER, ["Password_wlan"])),
        msgspec.json.encode(settings.app_settings(Role.MANUFACTURER)),
    ]
    assert not any(b"horse" in octets for octets in told)
    assert all(b"Password_wlan" in octets for octets in told)
    assert settings.value("Password_wlan") == "correct horse"


class FullDisk(MemoryValues):
    async def set_values(self, values: Mapping[str, Value]) -> NoReturn:
        raise OSError("disk full")


def test_what_could_not_be_kept_is_not_told_as_changed() -> None:
    told: list[Mapping[str, Value]] = []
    settings = Settings(CATALOGUE, LAYOUT, FullDisk(), changed=told.append)
    settings.read(Role.USER, reader="other")
    with pytest.raises(OSError, match="disk full"):
        write(settings, Title_web="A")
    assert told == []
    assert not settings.app_dashboard(Role.USER, reader="other").settings_changed
    assert settings.value("Title_web") == "Charge point"


def test_others_are_told_what_has_changed_after_it_was_kept() -> None:
    told: list[tuple[Mapping[str, Value], Value | None]] = []
    settings = Settings(
        CATALOGUE, LAYOUT, MemoryValues(), changed=lambda changes: told.append((changes, settings.value("Title_web")))
    )
    write(settings, Title_web="A", Language_web="en")
    write(settings, Title_web="A")
    assert told == [({"Title_web": "A"}, "A")]


# Anything

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from([*CATALOGUE.parameters, "", "Nothing_web"]) | st.text(max_size=8)
LIKELY = st.sampled_from([p.default for p in CATALOGUE.parameters.values()]) | st.integers(-2, 100) | JSON
PAIR = st.fixed_dictionaries({"key": KEYS, "value": LIKELY}) | JSON
BODY = st.fixed_dictionaries({"params": st.lists(PAIR, max_size=5) | JSON}) | JSON
CAUSE = re.compile(r"(missing|invalid) parameter '\w+'|key not found|parameter '\w+' not allowed")


def test_a_number_of_more_digits_than_anybody_reads_is_refused() -> None:
    body = b'{"params":[{"key":"Price_app","value":' + b"9" * 5000 + b"}]}"
    assert post(shipped(), Role.OPERATOR, body) == Failed(cause="invalid parameter 'value'")


@given(body=BODY, role=st.sampled_from(Role))
@example(body={"params": [{"key": "Price_app", "value": 10**400}]}, role=Role.OPERATOR)
@example(body={"params": [{"key": "Title_web", "value": "\ud83d\udd0c" * 32}]}, role=Role.OPERATOR)
def test_any_json_is_kept_as_a_whole_or_fails_as_documented(body: Any, role: Role) -> None:
    values = MemoryValues()
    settings = shipped(values)
    answer = post(settings, role, json.dumps(body).encode())
    if isinstance(answer, Failed):
        assert CAUSE.fullmatch(answer.cause)
        assert values.values() == {}
    else:
        for pair in answer.params:
            parameter = CATALOGUE.parameters[pair.key]
            assert parameter.may_write(role)
            assert pair.value == ("" if parameter.type is Type.PASSWORD else settings.value(pair.key))
        assert list(values.values()) == [pair.key for pair in answer.params]


@given(body=JSON | st.fixed_dictionaries({"params": JSON | st.lists(KEYS, max_size=5)}), role=st.sampled_from(Role))
def test_any_json_selects_parameters_or_fails_as_documented(body: Any, role: Role) -> None:
    selection = policy.decode_body(json.dumps(body).encode(), msgspec.json.Decoder(SelectSettings))
    answer = selection if isinstance(selection, Failed) else shipped().read(role, selected_keys(b"", selection))
    if isinstance(answer, Failed):
        assert CAUSE.fullmatch(answer.cause)
    else:
        assert all(CATALOGUE.parameters[key].may_read(role) for key in answer.result)


@given(query=st.binary(max_size=60) | st.text("params=,&%+;AB0c _", max_size=60).map(str.encode))
def test_any_query_selects_parameters_or_fails_as_documented(query: bytes) -> None:
    answer = shipped().read(Role.USER, selected_keys(query))
    assert isinstance(answer, SettingsAnswer) or CAUSE.fullmatch(answer.cause)
    assert wants_descriptions(query) in (True, False, Failed(cause="invalid parameter 'descriptions'"))
