from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from nfcbridge.charger.catalogue import Type, Value, parse_catalogue
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.layout import load_layout
from nfcbridge.charger.policy import Failed, RefusedError
from nfcbridge.charger.roles import Role
from nfcbridge.charger.settings import (
    NewValue,
    SelectSettings,
    Settings,
    SettingsAnswer,
    SettingsSet,
    clock_values,
    selected_keys,
    wants_descriptions,
)
from tests.charger.shipped_settings import CATALOGUE, LAYOUT, MemoryValues, as_json, done, everything, shipped
from tests.charger.test_catalogue import BASE

# Octets of JSON that one NFC message carries, and those that are left for header and growth.
MAX_MESSAGE = 32_755
ROOM = 2_000


def test_a_parameter_is_told_with_all_there_is_to_know_about_it() -> None:
    result = everything(shipped(), Role.OPERATOR)["result"]
    assert result["OperatorCurrentLimit_vehicleif"] == {
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
    assert result["FreeCharging_vehicleif"]["enum"] == ["off", "on"]
    assert "unit" not in result["Dhcp_network"]
    assert "enum" not in result["Dhcp_network"]
    assert "min" not in result["Dhcp_network"]
    assert "max" not in result["Dhcp_network"]


def test_all_settings_come_in_groups_and_with_what_the_charge_point_is() -> None:
    answer = everything(shipped())
    assert list(answer) == ["name", "result", "groups", "ChargePointInfo"]
    assert answer["name"] == "settings"
    assert list(answer["result"]) == list(CATALOGUE.parameters)
    assert [key for group in answer["groups"] for key in group["params"]] == list(CATALOGUE.parameters)
    assert answer["groups"][2] | {"params": None} == {"name": "wlan", "title": "WLAN", "params": None}
    assert answer["ChargePointInfo"] == {
        "vendor": "nfcbridge",
        "model": "Emulated CC612",
        "serialNumber": "0000000001",
        "firmwareVersion": "5.33.0-emulated",
        "chargePointId": "+49*839*00000000001",
    }


@pytest.mark.parametrize("role", Role)
def test_a_role_is_told_what_it_may_read_and_no_more(role: Role) -> None:
    settings = shipped()
    answer = everything(settings, role)
    readable = [key for key, parameter in CATALOGUE.parameters.items() if parameter.may_read(role)]
    assert list(answer["result"]) == readable
    assert [key for group in answer["groups"] for key in group["params"]] == readable
    assert all(group["params"] for group in answer["groups"])
    for key in CATALOGUE.parameters:
        told = settings.read(role, [key])
        assert isinstance(told, SettingsAnswer if key in readable else Failed)


def test_the_roles_see_different_things() -> None:
    counts = [len(everything(shipped(), role)["result"]) for role in Role]
    assert counts[0] < counts[1] < counts[2] <= counts[3] == len(CATALOGUE.parameters)


@pytest.mark.parametrize("role", Role)
def test_the_mode_told_is_what_the_role_may_do(role: Role) -> None:
    settings = shipped()
    for key, info in everything(settings, role)["result"].items():
        same = done(settings.write(role, [NewValue(key, CATALOGUE.parameters[key].default)]))
        assert isinstance(same, SettingsSet if info["mode"] == "rw" else Failed)


def test_with_keys_only_their_values_are_told() -> None:
    answer = shipped().read(Role.USER, ["WebUIStyle_web", "Enabled_wlan"])
    assert as_json(answer) == {"name": "settings", "result": {"WebUIStyle_web": "default", "Enabled_wlan": False}}


def test_the_documented_sample_works_for_every_role() -> None:
    live = clock_values(datetime(2019, 11, 23, 19, 35, 43, 511_000, tzinfo=UTC))
    keys = selected_keys(b"params=Enabled_wlan,WebUIStyle_web,SysTime_mon")
    for role in Role:
        assert as_json(shipped(live=live).read(role, keys))["result"] == {
            "Enabled_wlan": False,
            "WebUIStyle_web": "default",
            "SysTime_mon": "2019-11-23T19:35:43.511Z",
        }


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        (["Nothing_web"], "key not found"),
        (["WebUIStyle_web", ""], "key not found"),
        (["webuistyle_web"], "key not found"),
        (["Url_backend"], "parameter 'Url_backend' not allowed"),
        (["Nothing_web", "Url_backend"], "parameter 'Url_backend' not allowed"),
        (["Ssid_wlan", "Url_backend"], "parameter 'Ssid_wlan' not allowed"),
    ],
)
def test_a_key_that_is_not_there_or_not_for_this_role_fails_the_whole_request(keys: list[str], cause: str) -> None:
    assert shipped().read(Role.USER, keys) == Failed(cause=cause)


def test_what_the_charge_point_is_keeps_to_the_roles_as_well() -> None:
    text = (
        BASE.replace('model = "Text_web"', 'model = "Model_web"')
        + '[web.Model_web]\ntype = "password"\ndefault = "secret"\nshort = "S"\nlong = "L"\n'
        + '[web.Serial_web]\ntype = "int"\ndefault = 7\nread = "operator"\nshort = "S"\nlong = "L"\n'
    ).replace('serialNumber = "Text_web"', 'serialNumber = "Serial_web"')
    catalogue = parse_catalogue(DataFile("c.toml", text.encode()))
    settings = Settings(catalogue, load_layout(catalogue), MemoryValues({"Text_web": "T"}))
    assert everything(settings, Role.USER)["ChargePointInfo"] == {
        "vendor": "T",
        "model": "",
        "serialNumber": "",
        "firmwareVersion": "T",
        "chargePointId": "T",
    }
    assert everything(settings, Role.OPERATOR)["ChargePointInfo"]["serialNumber"] == "7"
    assert everything(settings)["result"]["Model_web"]["default"] == ""


# The size of an answer


def test_all_settings_fit_into_one_message_with_room() -> None:
    answer = shipped(MemoryValues(CATALOGUE.initial_values())).read(Role.MANUFACTURER)
    assert len(msgspec.json.encode(answer)) <= MAX_MESSAGE - ROOM


def test_all_settings_fit_into_one_message_with_room_when_every_text_is_as_long_as_it_may_be() -> None:
    longest = {
        key: "x" * int(parameter.max or 0)
        for key, parameter in CATALOGUE.parameters.items()
        if parameter.type is Type.STRING
    }
    settings = shipped(MemoryValues(longest), live=longest)
    assert settings.value("Note_app") == "x" * 200
    assert settings.value("RCMB_STATE") == "x" * 120
    assert len(msgspec.json.encode(settings.read(Role.MANUFACTURER))) <= MAX_MESSAGE - ROOM


# The query


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (b"", []),
        (b"params=", []),
        (b"params=,", []),
        (b"params", []),
        (b"other=A", []),
        (b"params=A", ["A"]),
        (b"params=A,B,A", ["A", "B"]),
        (b"params=A%2CB", ["A", "B"]),
        (b"params=A,,B,", ["A", "B"]),
        (b"params=A,%20B+,C", ["A", "B", "C"]),
        (b"params=A&params=B", ["A", "B"]),
        (b"x=1&params=A&y", ["A"]),
        (b"Params=A", []),
        (b"params=%C3%A4,\xc3\xa4", ["ä"]),
        (b"params=%ff,\xff", ["\ufffd"]),
        (b"params=A%00", ["A\x00"]),
        (b"params=A;B", ["A;B"]),
    ],
)
def test_the_query_is_split_at_commas(query: bytes, keys: list[str]) -> None:
    assert selected_keys(query) == keys


def test_keys_may_come_in_the_body_which_the_query_overrides() -> None:
    assert selected_keys(b"", SelectSettings(["A", "B", "A"])) == ["A", "B"]
    assert selected_keys(b"params=", SelectSettings(["A"])) == ["A"]
    assert selected_keys(b"params=C", SelectSettings(["A"])) == ["C"]
    assert selected_keys(b"", SelectSettings()) == []


@pytest.mark.parametrize("filler", ["a", "ä", "\U0001f50c", " ", "%"])
def test_the_length_of_the_query_is_counted_in_characters_after_decoding(filler: str) -> None:
    longest = "Enabled_wlan," + filler * (4000 - 13)
    selected_keys(f"params={quote(longest)}".encode())
    with pytest.raises(RefusedError) as caught:
        selected_keys(f"params={quote(longest + filler)}".encode())
    assert caught.value.status == 414


def test_the_length_counts_the_commas_and_whatever_is_between_them() -> None:
    assert selected_keys(b"params=" + b"," * 4000) == []
    with pytest.raises(RefusedError):
        selected_keys(b"params=" + b"," * 4001)
    with pytest.raises(RefusedError):
        selected_keys(b"params=" + b"A" * 2000 + b"&params=" + b"B" * 2000)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"", True),
        (b"descriptions=1", True),
        (b"descriptions=0", False),
        (b"descriptions=descriptions=0", False),
        (b"descriptions=%30", False),
        (b"descriptions=1&descriptions=0", False),
        (b"other=0", True),
        (b"descriptions=", None),
        (b"descriptions", None),
        (b"descriptions=2", None),
        (b"descriptions=true", None),
        (b"descriptions=00", None),
        (b"descriptions=\xff", None),
    ],
)
def test_descriptions_are_wanted_unless_refused(query: bytes, wanted: bool | None) -> None:
    expected = Failed(cause="invalid parameter 'descriptions'") if wanted is None else wanted
    assert wants_descriptions(query) == expected


# Values


def test_a_value_is_the_one_that_was_set_or_else_the_default() -> None:
    settings = shipped(MemoryValues({"Title_web": "Home"}))
    assert settings.value("Title_web") == "Home"
    assert settings.value("Language_web") == "en"
    assert settings.value("Nothing_web") is None


@pytest.mark.parametrize(
    ("key", "kept", "value"),
    [
        ("OperatorCurrentLimit_vehicleif", 32, 32),
        ("OperatorCurrentLimit_vehicleif", 81, 16),
        ("OperatorCurrentLimit_vehicleif", "32", 16),
        ("OperatorCurrentLimit_vehicleif", True, 16),
        ("FreeCharging_vehicleif", "sometimes", "off"),
        ("Price_app", 1, 1.0),
    ],
)
def test_what_was_kept_under_another_catalogue_and_is_not_allowed_any_more_is_the_default(
    key: str, kept: Value, value: Value
) -> None:
    found = shipped(MemoryValues({key: kept})).value(key)
    assert (found, type(found)) == (value, type(value))


def test_live_values_come_from_the_charge_point_and_never_from_what_was_kept() -> None:
    settings = shipped(MemoryValues({"RCMB_STATE": "kept"}), live={"RCMB_STATE": "RMS: 1.0", "Nothing_mon": 1})
    assert settings.value("RCMB_STATE") == "RMS: 1.0"
    assert shipped(MemoryValues({"RCMB_STATE": "kept"})).value("RCMB_STATE") == "RMS: OK, DC: OK"


@pytest.mark.parametrize("measured", ["hot", None, True, 126.0, float("nan")])
def test_a_live_value_that_cannot_be_is_the_default(measured: Any) -> None:
    assert shipped(live={"Temperature_mon": measured}).value("Temperature_mon") == 23.4


def test_the_charge_point_is_asked_once_for_an_answer_and_only_if_needed() -> None:
    asked: list[int] = []

    def live() -> dict[str, Value]:
        asked.append(1)
        return {}

    settings = Settings(CATALOGUE, LAYOUT, MemoryValues(), live=live)
    settings.read(Role.USER)
    settings.app_dashboard(Role.USER)
    settings.read(Role.USER, ["SysTime_mon", "Uptime_mon"])
    assert len(asked) == 3
    settings.read(Role.USER, ["Enabled_wlan"])
    assert len(asked) == 3


def test_the_clock_is_told_in_utc_and_as_it_hangs_on_the_wall() -> None:
    now = datetime(2023, 5, 18, 8, 51, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert clock_values(now) == {
        "SysTime_mon": "2023-05-18T06:51:59.999Z",
        "ControllerTime_custom": "2023-05-18 08:51",
    }
    settings = shipped(live=clock_values(now))
    assert settings.value("SysTime_mon") == "2023-05-18T06:51:59.999Z"
    assert settings.value("ControllerTime_custom") == "2023-05-18 08:51"
