"""A charge point for tests: two tags in its whitelist, times that can be read."""

from typing import Any, TypeVar

from nfcbridge.charger.point.effects import Effect, StateChanged
from nfcbridge.charger.point.inputs import Charge, Plug, Swipe
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.transaction import Owner

JENNY = "04a1b2c3d4e580"
POOL = "5c1f8e02"
STRANGER = "deadbeef"
WHITELIST = {JENNY: Owner("c9228f30-daa2-4a24-b9c0-e38aa2dc3fe5", "Jenny"), POOL: Owner()}

Kind = TypeVar("Kind", bound=Effect)


def stamp(seconds: float) -> str:
    return f"@{seconds:g}"


def new_point(settings: PointSettings | None = None, *, now: float = 0.0, **counted: Any) -> ChargePoint:
    return ChargePoint(WHITELIST.get, stamp, settings or PointSettings(), now, **counted)


def charging_point(settings: PointSettings | None = None) -> ChargePoint:
    """Jenny charges since 0."""
    point = new_point(settings)
    for happened in (Plug(), Charge(), Swipe(JENNY)):
        point.handle(happened, 0.0)
    assert point.state(0.0).contactor
    return point


def of(kind: type[Kind], effects: list[Effect]) -> list[Kind]:
    return [effect for effect in effects if isinstance(effect, kind)]


def last_state(effects: list[Effect]) -> StateChanged:
    return of(StateChanged, effects)[-1]
