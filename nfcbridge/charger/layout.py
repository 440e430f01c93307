"""The app layout: which parameters an app shows in its settings and on its dashboard, in groups and in order.

The device has it in app_layout.xml, of which only the name is known. Here it is `app_layout.toml` beside this file, in
which the form is explained; `nfcbridge serve --app-layout FILE` takes another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from nfcbridge.charger.catalogue import Catalogue, Group, Title, Type
from nfcbridge.charger.datafile import DataFile, read_data_file

SHIPPED: Final = Path(__file__).with_name("app_layout.toml")


class Widget(StrEnum):
    """How a parameter is drawn on the dashboard."""

    GAUGE = "gauge"
    BAR = "bar"
    COUNTER = "counter"
    TEXT = "text"
    LAMP = "lamp"


_NUMERIC: Final = frozenset({Widget.GAUGE, Widget.BAR, Widget.COUNTER})
_SCALED: Final = frozenset({Widget.GAUGE, Widget.BAR})


class _GroupFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Title
    params: list[str]


class _GraphicFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Title
    widget: Widget
    param: str


@dataclass(frozen=True, slots=True)
class Graphic:
    """An instrument of the dashboard that shows one parameter."""

    name: str
    title: str
    widget: Widget
    param: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What an app shows."""

    settings: tuple[Group, ...]
    dashboard: tuple[Group, ...]
    graphic: tuple[Graphic, ...]


def load_layout(catalogue: Catalogue, path: Path | None = None) -> Layout:
    """The layout of this file.

    Args:
        catalogue: has the parameters that the layout names.
        path: None takes the shipped layout, and leaves out what this catalogue does not have: who takes a parameter
            out of a catalogue need not write a layout.

    Raises:
        ConfigError: the first fault, with file and line, and what is allowed there.
    """
    return parse_layout(read_data_file(path or SHIPPED), catalogue, lenient=path is None)


def parse_layout(file: DataFile, catalogue: Catalogue, *, lenient: bool = False) -> Layout:
    """The layout of a file that was read. Raises ConfigError as `load_layout` does.

    Args:
        file: the file.
        catalogue: has the parameters that the layout names.
        lenient: leave out what the catalogue does not have, or not in the way that a widget needs it.
    """
    views: dict[str, dict[str, Any]] = {"settings": {}, "dashboard": {}, "graphic": {}}
    for name, table in file.tables():
        if name not in views:
            raise file.fault((name,), f"unknown; allowed: {', '.join(views)}")
        for part, fields in table.items():
            if not isinstance(fields, dict):
                raise file.fault((name, part), f"has to be a table: [{name}.{part}]")
        views[name] = table
    return Layout(
        _groups(file, "settings", views["settings"], catalogue, lenient=lenient),
        _groups(file, "dashboard", views["dashboard"], catalogue, lenient=lenient),
        _graphics(file, views["graphic"], catalogue, lenient=lenient),
    )


def _groups(
    file: DataFile, view: str, tables: Mapping[str, Any], catalogue: Catalogue, *, lenient: bool
) -> tuple[Group, ...]:
    groups = []
    seen: set[str] = set()
    for name, fields in tables.items():
        group = file.build((view, name), _GroupFields, fields)
        for place, key in enumerate(group.params):
            if key in seen:
                raise file.fault((view, name, "params", place), f"{key!r} is there already; each key once in {view}")
            if key not in catalogue.parameters and not lenient:
                raise file.fault(
                    (view, name, "params", place), f"no parameter {key!r} in the catalogue; name one of it"
                )
            seen.add(key)
        groups.append(Group(name, group.title, tuple(key for key in group.params if key in catalogue.parameters)))
    return tuple(groups)


def _graphics(file: DataFile, tables: Mapping[str, Any], catalogue: Catalogue, *, lenient: bool) -> tuple[Graphic, ...]:
    graphics = []
    for name, fields in tables.items():
        graphic = file.build(("graphic", name), _GraphicFields, fields)
        fault = _graphic_fault(graphic, catalogue)
        if fault is None:
            graphics.append(Graphic(name, graphic.title, graphic.widget, graphic.param))
        elif not lenient:
            raise file.fault(("graphic", name, fault[0]), fault[1])
    return tuple(graphics)


def _graphic_fault(graphic: _GraphicFields, catalogue: Catalogue) -> tuple[str, str] | None:
    parameter = catalogue.parameters.get(graphic.param)
    if parameter is None:
        return "param", f"no parameter {graphic.param!r} in the catalogue; name one of it"
    if graphic.widget in _NUMERIC and parameter.type not in {Type.INT, Type.FLOAT}:
        return "widget", f"{graphic.widget} shows a number, and {parameter.key} is of type {parameter.type}"
    if graphic.widget in _SCALED and (parameter.min is None or parameter.max is None):
        return "widget", f"{graphic.widget} needs a parameter with min and max, and {parameter.key} lacks one"
    return None
