"""Settings, app settings and app dashboard: what is told to whom, and what may be changed to what.

    GET  /settings        every parameter that the role may read, with what there is to know about it
    GET  /settings?params=A,B    {"A": value, "B": value}
    POST /settings        all or nothing
    PUT  /settings        all or nothing, checked step by step: each step for every pair before the next step

The reference lists the checks of the second form only. The first one makes the same: anything else would let it write
what the second one refuses.

A password is told as "" to everybody, also to who has just set it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, UnsetType

from nfcbridge.charger.catalogue import Catalogue, ChargePointInfo, Group, Mode, Parameter, Type, Value
from nfcbridge.charger.layout import Layout, Widget
from nfcbridge.charger.policy import Failed, RefusedError, failed
from nfcbridge.charger.roles import Role

# Characters of the decoded `params` query, with its commas (API reference, "Get all or specific settings parameters").
MAX_PARAMS_QUERY: Final = 4000
# Readers whose view of the settings is remembered; as many as there are sessions at most.
MAX_READERS: Final = 1024

_CONTROLLER_TIME: Final = "ControllerTime_custom"


class SelectSettings(msgspec.Struct, frozen=True):
    """The deprecated body that selects parameters; none or no keys selects all."""

    params: list[str] = []


class NewValue(msgspec.Struct, frozen=True):
    """A parameter and what it shall have. In an answer, what it has now."""

    key: str
    value: Any


class SetSettings(msgspec.Struct, frozen=True):
    """What to change."""

    params: list[NewValue]


class SettingsSet(msgspec.Struct, frozen=True):
    """What was changed, as it was kept; `reboot_required` if one of them takes effect with the next start."""

    params: list[NewValue]
    reboot_required: bool


class SettingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter with what there is to know about it.

    Attributes:
        type: see the catalogue.
        mode: what the role that asks may do: "r" or "rw".
        min: the least number, or the fewest characters.
        max: the largest number, or the most characters.
    """

    value: Value
    type: Type
    mode: Mode
    short: str | UnsetType = UNSET
    long: str | UnsetType = UNSET
    default: Value
    reboot: bool
    unit: str | UnsetType = UNSET
    enum: list[str | int] | UnsetType = UNSET
    min: int | float | UnsetType = UNSET
    max: int | float | UnsetType = UNSET


class SettingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Settings: with what there is to know, groups and ChargePointInfo, or the bare values of the keys asked for."""

    name: str = "settings"
    result: dict[str, SettingInfo | Value]
    groups: list[Group] | UnsetType = UNSET
    charge_point_info: ChargePointInfo | UnsetType = msgspec.field(default=UNSET, name="ChargePointInfo")


class DashboardGroup(msgspec.Struct, frozen=True):
    """A group of the dashboard, with its parameters, since the dashboard has no common result."""

    name: str
    title: str
    params: tuple[str, ...]
    result: dict[str, SettingInfo]


class DashboardGraphic(msgspec.Struct, frozen=True):
    """An instrument of the dashboard."""

    name: str
    title: str
    widget: Widget
    key: str
    result: SettingInfo


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The dashboard.

    Attributes:
        controller_time: "YYYY-MM-DD HH:MM".
        settings_changed: somebody else changed a setting since this reader read them.
    """

    name: str = "dashboard"
    controller_time: str = msgspec.field(name=_CONTROLLER_TIME)
    settings_changed: bool
    groups: list[DashboardGroup]
    graphics: list[DashboardGraphic] = msgspec.field(name="GraphicDashboard")


class SettingValues(Protocol):
    """Where the values are kept that somebody has set."""

    def values(self) -> Mapping[str, Value]:
        """All of them, each of the type it was set with: 1, 1.0, true and "1" are four. Waits for no disk."""
        ...

    async def set_values(self, values: Mapping[str, Value]) -> None:
        """Keep these, all or none of them; they are kept when this returns."""
        ...


LiveValues = Callable[[], Mapping[str, Value]]
"""What the charge point measures and counts, by key; keys that the catalogue does not have are ignored."""


def clock_values(now: datetime) -> dict[str, Value]:
    """The live values that are the time.

    Args:
        now: aware, in the time zone of the people there.
    """
    utc = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"SysTime_mon": utc, _CONTROLLER_TIME: f"{now:%Y-%m-%d %H:%M}"}


def selected_keys(query: bytes, body: SelectSettings | None = None) -> list[str]:
    """The keys that a request asks for, each once; none asks for all parameters.

    Args:
        query: as it was sent; comes first, since the reference prefers it.
        body: the deprecated form.

    Raises:
        RefusedError: 414, more than MAX_PARAMS_QUERY characters.
    """
    given = ",".join(_query_values(query, "params"))
    if len(given) > MAX_PARAMS_QUERY:
        raise RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, f"params has more than {MAX_PARAMS_QUERY} characters")
    keys = [key.strip() for key in given.split(",")]
    return list(dict.fromkeys(filter(None, keys))) or list(dict.fromkeys(body.params if body else ()))


def wants_descriptions(query: bytes) -> bool | Failed:
    """Whether the dashboard is wanted with descriptions: 1, the default, or 0."""
    values = _query_values(query, "descriptions")
    # The reference's example is "descriptions=descriptions=0".
    match values[-1].removeprefix("descriptions=") if values else "1":
        case "0":
            return False
        case "1":
            return True
        case _:
            return failed("invalid parameter 'descriptions'")


def _query_values(query: bytes, name: str) -> list[str]:
    # Octets that are not UTF-8 become a character that is in no key.
    return [value for key, value in parse_qsl(query.decode(errors="replace"), keep_blank_values=True) if key == name]


class Settings:
    """The settings of a charge controller.

    Args:
        catalogue: what settings there are.
        layout: what an app shows of them.
        values: where they are kept.
        live: asked once for each answer that has a live value; by default nothing is measured.
        changed: told what has changed, after it was kept.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        layout: Layout,
        values: SettingValues,
        *,
        live: LiveValues = dict,
        changed: Callable[[Mapping[str, Value]], None] | None = None,
    ) -> None:
        self._parameters = catalogue.parameters
        self._catalogue = catalogue
        self._layout = layout
        self._values = values
        self._live = live
        self._changed = changed
        self._revision = 0
        self._seen: dict[str, int] = {}

    def value(self, key: str) -> Value | None:
        """What a parameter has, passwords as well; None if the catalogue does not have it."""
        parameter = self._parameters.get(key)
        return None if parameter is None else self._current([key])[key]

    def read(self, role: Role, keys: Collection[str] = (), *, reader: str = "") -> SettingsAnswer | Failed:
        """The settings.

        Args:
            role: who asks.
            keys: those asked for; none: all that the role may read, and what there is to know about them.
            reader: the session that asks, for `settings_changed`.
        """
        if not keys:
            return self._described(role, self._catalogue.groups, reader)
        failure = self._not_allowed(keys, lambda parameter: parameter.may_read(role))
        if failure is not None:
            return failure
        current = self._current(keys)
        return SettingsAnswer(result={key: _shown(self._parameters[key], current[key]) for key in keys})

    def app_settings(self, role: Role, *, reader: str = "") -> SettingsAnswer:
        """Those that the layout has for an app."""
        return self._described(role, self._layout.settings, reader)

    def app_dashboard(self, role: Role, *, descriptions: bool = True, reader: str = "") -> Dashboard:
        """The dashboard, with the descriptions of its parameters or without."""
        groups = self._readable(role, self._layout.dashboard)
        graphics = [graphic for graphic in self._layout.graphic if self._parameters[graphic.param].may_read(role)]
        keys = [*_keys(groups), *(graphic.param for graphic in graphics)]
        current = self._current([*keys, *({_CONTROLLER_TIME} & self._parameters.keys())])
        infos = self._infos(role, keys, current, descriptions=descriptions)
        return Dashboard(
            controller_time=str(current.get(_CONTROLLER_TIME, "")),
            settings_changed=self._seen.get(reader, self._revision) != self._revision,
            groups=[DashboardGroup(g.name, g.title, g.params, {key: infos[key] for key in g.params}) for g in groups],
            graphics=[DashboardGraphic(g.name, g.title, g.widget, g.param, infos[g.param]) for g in graphics],
        )

    def check(self, role: Role, changes: Iterable[NewValue]) -> dict[str, Value] | Failed:
        """What is to be kept for these changes; of two values for one key the last one.

        The shape of each pair was checked when it became a NewValue. Then, as the reference has it: allowed for the
        user, key exists, type; and the range at last.
        """
        pairs = [(change.key, change.value) for change in changes]
        failure = self._not_allowed([key for key, _ in pairs], lambda parameter: parameter.may_write(role))
        if failure is not None:
            return failure
        given = [(self._parameters[key], value) for key, value in pairs]
        for passes in (Parameter.has_type, Parameter.allows):
            for parameter, value in given:
                if not passes(parameter, value):
                    return failed(f"invalid parameter '{parameter.key}'")
        return {parameter.key: parameter.normal(value) for parameter, value in given}

    async def write(self, role: Role, changes: Iterable[NewValue], *, reader: str = "") -> SettingsSet | Failed:
        """Change settings, all of these or none.

        Args:
            role: who asks.
            changes: the new values.
            reader: the session that asks; what it changes itself is no news to it.
        """
        checked = self.check(role, changes)
        if isinstance(checked, Failed):
            return checked
        before = self._current(checked)
        await self._values.set_values(checked)
        self._note({key: value for key, value in checked.items() if value != before[key]}, reader)
        parameters = [self._parameters[key] for key in checked]
        return SettingsSet(
            [NewValue(p.key, _shown(p, checked[p.key])) for p in parameters], any(p.reboot for p in parameters)
        )

    def _note(self, changes: dict[str, Value], reader: str) -> None:
        if not changes:
            return
        self._revision += 1
        if self._seen.get(reader) == self._revision - 1:
            self._seen[reader] = self._revision
        if self._changed is not None:
            self._changed(changes)

    def _see(self, reader: str) -> None:
        self._seen.pop(reader, None)
        if len(self._seen) >= MAX_READERS:
            del self._seen[next(iter(self._seen))]
        self._seen[reader] = self._revision

    def _not_allowed(self, keys: Iterable[str], allowed: Callable[[Parameter], bool]) -> Failed | None:
        unknown = None
        for key in keys:
            parameter = self._parameters.get(key)
            if parameter is None:
                unknown = failed("key not found")
            elif not allowed(parameter):
                return failed(f"parameter '{key}' not allowed")
        return unknown

    def _current(self, keys: Iterable[str]) -> dict[str, Value]:
        """What these have; their default where nothing is known that the catalogue, which may be new, allows."""
        parameters = [self._parameters[key] for key in keys]
        stored = self._values.values()
        live = self._live() if any(parameter.live for parameter in parameters) else {}
        current: dict[str, Value] = {}
        for parameter in parameters:
            value = (live if parameter.live else stored).get(parameter.key)
            if parameter.has_type(value) and parameter.allows(value):
                current[parameter.key] = parameter.normal(value)
            else:
                current[parameter.key] = parameter.default
        return current

    def _described(self, role: Role, groups: Iterable[Group], reader: str) -> SettingsAnswer:
        self._see(reader)
        readable = self._readable(role, groups)
        sources = msgspec.structs.asdict(self._catalogue.info)
        keys = _keys(readable)
        current = self._current([*keys, *sources.values()])
        told = {field: self._told(role, key, current) for field, key in sources.items()}
        infos = self._infos(role, keys, current, descriptions=True)
        return SettingsAnswer(result={**infos}, groups=readable, charge_point_info=ChargePointInfo(**told))

    def _told(self, role: Role, key: str, current: Mapping[str, Value]) -> str:
        parameter = self._parameters[key]
        return str(_shown(parameter, current[key])) if parameter.may_read(role) else ""

    def _readable(self, role: Role, groups: Iterable[Group]) -> list[Group]:
        readable = []
        for group in groups:
            keys = tuple(key for key in group.params if self._parameters[key].may_read(role))
            if keys:
                readable.append(Group(group.name, group.title, keys))
        return readable

    def _infos(
        self, role: Role, keys: Iterable[str], current: Mapping[str, Value], *, descriptions: bool
    ) -> dict[str, SettingInfo]:
        return {
            p.key: SettingInfo(
                value=_shown(p, current[p.key]),
                type=p.type,
                mode=Mode.READ_WRITE if p.may_write(role) else Mode.READ,
                short=p.short if descriptions else UNSET,
                long=p.long if descriptions else UNSET,
                default=_shown(p, p.default),
                reboot=p.reboot,
                unit=UNSET if p.unit is None else p.unit,
                enum=UNSET if p.enum is None else list(p.enum),
                min=UNSET if p.min is None else p.min,
                max=UNSET if p.max is None else p.max,
            )
            for p in map(self._parameters.__getitem__, keys)
        }


def _keys(groups: Iterable[Group]) -> list[str]:
    return [key for group in groups for key in group.params]


def _shown(parameter: Parameter, value: Value) -> Value:
    return "" if parameter.type is Type.PASSWORD else value
