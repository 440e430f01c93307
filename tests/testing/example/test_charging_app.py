"""Tests of the app before an emulated charger. Nothing is imported from nfcbridge but names for the type checker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from charging_app import ChargingApp

if TYPE_CHECKING:
    from nfcbridge.testing import Charger, ChargerClient, LinkTrace


@pytest.fixture
def app(charger: Charger, phone: ChargerClient) -> ChargingApp:
    app = ChargingApp(phone)
    app.log_in("user", charger.passwords["user"])
    return app


def test_the_app_follows_a_vehicle_from_the_plug_to_the_charge(app: ChargingApp, charger: Charger) -> None:
    assert app.status() == "ready"
    charger.plug()
    assert app.status() == "plugged in"


def test_the_app_tells_drivers_why_nothing_works(app: ChargingApp, charger: Charger) -> None:
    charger.error("rcd")
    assert app.status() == "out of order: RCD triggered"


def test_a_session_is_over_after_a_minute_of_the_charger_and_no_time_of_the_test(
    app: ChargingApp, charger: Charger
) -> None:
    charger.advance("61s")
    assert app.status() == "please log in"


def test_the_app_asks_once_for_what_it_shows(app: ChargingApp, trace: LinkTrace) -> None:
    app.status()
    assert trace.requests == ["GET /login", "POST /login", "GET /system_state"]


@pytest.mark.charger(faults="seed=3&loss=0.05", mle=59, mlc=59)
def test_the_app_works_through_a_bad_field_and_a_small_tag(app: ChargingApp) -> None:
    assert app.status() == "ready"


def test_the_installer_sees_the_same_charger_without_nfc(charger: Charger) -> None:
    charger.api.login("installer")
    assert charger.api.get("/system_state").json()["systemState"] == "idle"


@pytest.mark.replay("fixtures/*.jsonl")
def test_the_charger_still_answers_the_app_as_recorded() -> None: ...
