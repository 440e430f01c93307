"""What the tests of the settings share: the shipped ones, asked as the operations do."""

import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import msgspec

from nfcbridge.charger import policy
from nfcbridge.charger.catalogue import Value, load_catalogue
from nfcbridge.charger.layout import load_layout
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.roles import Role
from nfcbridge.charger.settings import (
    NewValue,
    SetSettings,
    Settings,
    SettingsAnswer,
    SettingsSet,
)

CATALOGUE = load_catalogue()
LAYOUT = load_layout(CATALOGUE)

T = TypeVar("T")


class MemoryValues:
    """Values that are gone with the process."""

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self._values = dict(values or {})

    def values(self) -> Mapping[str, Value]:
        return self._values

    async def set_values(self, values: Mapping[str, Value]) -> None:
        self._values.update(values)


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")


def shipped(values: MemoryValues | None = None, live: Mapping[str, Value] | None = None) -> Settings:
    return Settings(CATALOGUE, LAYOUT, values or MemoryValues(), live=lambda: live or {})


def pairs(**values: Any) -> list[NewValue]:
    return [NewValue(key, value) for key, value in values.items()]


def write(
    settings: Settings, role: Role = Role.OPERATOR, /, *, reader: str = "", **values: Any
) -> SettingsSet | Failed:
    return done(settings.write(role, pairs(**values), reader=reader))


def as_json(answer: msgspec.Struct) -> Any:
    return json.loads(msgspec.json.encode(answer))


def everything(settings: Settings, role: Role = Role.MANUFACTURER) -> Any:
    answer = settings.read(role)
    assert isinstance(answer, SettingsAnswer)
    return as_json(answer)


def post(settings: Settings, role: Role, body: bytes) -> SettingsSet | Failed:
    changes = policy.decode_body(body, msgspec.json.Decoder(SetSettings))
    return changes if isinstance(changes, Failed) else done(settings.write(role, changes.params))
