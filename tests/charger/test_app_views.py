import json
from datetime import UTC, datetime
from typing import Any

from nfcbridge.charger.catalogue import parse_catalogue
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.layout import load_layout
from nfcbridge.charger.roles import Role
from nfcbridge.charger.settings import (
    MAX_READERS,
    Dashboard,
    Settings,
    clock_values,
)
from tests.charger.shipped_settings import LAYOUT, MemoryValues, as_json, everything, shipped, write
from tests.charger.test_catalogue import BASE


def test_the_app_is_told_the_settings_of_its_layout() -> None:
    answer = as_json(shipped().app_settings(Role.OPERATOR))
    assert list(answer) == ["name", "result", "groups", "ChargePointInfo"]
    assert answer["name"] == "settings"
    assert [group["name"] for group in answer["groups"]] == [group.name for group in LAYOUT.settings]
    keys = [key for group in LAYOUT.settings for key in group.params]
    assert list(answer["result"]) == keys
    everything_told = everything(shipped(), Role.OPERATOR)
    assert answer["result"] == {key: everything_told["result"][key] for key in keys}
    assert answer["ChargePointInfo"] == everything_told["ChargePointInfo"]


def test_the_app_of_a_user_is_told_what_a_user_may_read() -> None:
    answer = as_json(shipped().app_settings(Role.USER))
    assert "Url_backend" not in answer["result"]
    assert "authorization" not in [group["name"] for group in answer["groups"]]
    assert [key for group in answer["groups"] for key in group["params"]] == list(answer["result"])


# GET /app_dashboard


def dashboard(settings: Settings, *, descriptions: bool = True, role: Role = Role.OPERATOR) -> Any:
    answer = settings.app_dashboard(role, descriptions=descriptions)
    assert isinstance(answer, Dashboard)
    return as_json(answer)


def test_the_dashboard_has_the_documented_names_and_no_others() -> None:
    live = clock_values(datetime(2023, 5, 18, 8, 51, tzinfo=UTC))
    answer = dashboard(shipped(live=live))
    assert list(answer) == ["name", "ControllerTime_custom", "settings_changed", "groups", "GraphicDashboard"]
    assert answer["name"] == "dashboard"
    assert answer["ControllerTime_custom"] == "2023-05-18 08:51"
    assert answer["settings_changed"] is False


def test_the_dashboard_shows_what_the_charge_point_measures() -> None:
    answer = dashboard(shipped(live={"Power_mon": 11.0, "SessionTime_mon": 12}))
    group = answer["groups"][1]
    assert (group["name"], group["title"]) == ("transaction", "Transaction")
    assert group["params"] == list(group["result"]) == list(LAYOUT.dashboard[1].params)
    assert group["result"]["SessionTime_mon"]["value"] == 12
    assert answer["GraphicDashboard"][0] == {
        "name": "power",
        "title": "Power",
        "widget": "gauge",
        "key": "Power_mon",
        "result": {
            "value": 11.0,
            "type": "float",
            "mode": "r",
            "short": "Power",
            "long": "Power that the vehicle takes.",
            "default": 0.0,
            "reboot": False,
            "unit": "kW",
            "min": 0.0,
            "max": 55.2,
        },
    }


def test_descriptions_can_be_left_out() -> None:
    with_them, without = dashboard(shipped()), dashboard(shipped(), descriptions=False)
    assert len(json.dumps(without)) < len(json.dumps(with_them))
    for infos in (
        *(group["result"] for group in with_them["groups"]),
        {graphic["key"]: graphic["result"] for graphic in with_them["GraphicDashboard"]},
    ):
        for info in infos.values():
            assert info.pop("short")
            assert info.pop("long")
    assert with_them == without


def test_the_dashboard_keeps_to_the_roles() -> None:
    user, operator = dashboard(shipped(), role=Role.USER), dashboard(shipped())
    supply = [next(g["params"] for g in a["groups"] if g["name"] == "supply") for a in (user, operator)]
    assert set(supply[1]) - set(supply[0]) == {"RCMB_STATE"}


def test_an_instrument_that_a_role_may_not_read_is_left_out() -> None:
    text = (
        BASE
        + '[web.Power_mon]\ntype = "float"\ndefault = 0\nmin = 0\nmax = 9\nread = "operator"\nshort = "S"\nlong = "L"\n'
    )
    catalogue = parse_catalogue(DataFile("c.toml", text.encode()))
    settings = Settings(catalogue, load_layout(catalogue), MemoryValues())
    assert dashboard(settings, role=Role.USER)["GraphicDashboard"] == []
    assert [graphic["name"] for graphic in dashboard(settings)["GraphicDashboard"]] == ["power"]


def test_a_dashboard_of_a_catalogue_without_clock_has_no_time() -> None:
    catalogue = parse_catalogue(DataFile("c.toml", BASE.encode()))
    settings = Settings(catalogue, load_layout(catalogue), MemoryValues())
    assert dashboard(settings) == {
        "name": "dashboard",
        "ControllerTime_custom": "",
        "settings_changed": False,
        "groups": [],
        "GraphicDashboard": [],
    }


def changed(settings: Settings, reader: str) -> bool:
    return settings.app_dashboard(Role.USER, reader=reader).settings_changed


def test_settings_have_changed_for_a_reader_when_somebody_else_changed_them_since_it_read_them() -> None:
    settings = shipped()
    settings.app_settings(Role.USER, reader="a")
    settings.read(Role.USER, reader="b")
    write(settings, reader="b", Title_web="A")
    assert (changed(settings, "a"), changed(settings, "b"), changed(settings, "c")) == (True, False, False)
    assert changed(settings, "a")  # also when it asks again: an answer may get lost on the air
    settings.app_settings(Role.USER, reader="a")
    assert not changed(settings, "a")
    write(settings, reader="a", Title_web="A")
    assert (changed(settings, "a"), changed(settings, "b")) == (False, False)  # nothing changed
    write(settings, reader="b", Title_web="B")
    write(settings, reader="a", Title_web="C")
    assert (changed(settings, "a"), changed(settings, "b")) == (True, True)


def test_single_values_are_no_reading_of_the_settings() -> None:
    settings = shipped()
    settings.read(Role.USER, reader="a")
    write(settings, reader="b", Title_web="A")
    settings.read(Role.USER, ["Title_web"], reader="a")
    assert changed(settings, "a")


def test_so_many_readers_are_remembered_and_no_more() -> None:
    settings = shipped()
    for number in range(MAX_READERS):
        settings.app_settings(Role.USER, reader=str(number))
    settings.app_settings(Role.USER, reader="1")  # one that reads again pushes nobody out
    write(settings, Title_web="A")
    assert [changed(settings, reader) for reader in "012"] == [True, True, True]
    settings.app_settings(Role.USER, reader="one more")
    settings.app_settings(Role.USER, reader="and one more")
    assert [changed(settings, reader) for reader in "0123"] == [False, True, False, True]
