"""The catalogue of parameters: what settings there are, what each may be, and who may read and write it.

It is data, in `catalogue.toml` beside this file, where the form is explained; `nfcbridge serve --catalogue FILE` takes
another one. A file is checked as a whole when it is read, and a fault is told with its line.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Annotated, Any, Final, TypeGuard

import msgspec

from nfcbridge.charger.datafile import DataFile, FieldError, read_data_file
from nfcbridge.charger.roles import Role

Value = bool | int | float | str
"""What a parameter can have, in JSON."""

SHIPPED: Final = Path(__file__).with_name("catalogue.toml")
# Parameters of a catalogue: four times those shipped; NFC can carry some 130 in one answer.
MAX_PARAMETERS: Final = 512
# Characters of a key.
MAX_KEY: Final = 64
# Characters of a value, unless the parameter says less.
MAX_TEXT: Final = 255
# Beyond it an integer is not the same for everybody who reads JSON (RFC 8259, section 6).
MAX_INTEGER: Final = 2**53 - 1

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Description = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class Evidence(StrEnum):
    """How it is known that the controller has something."""

    DOCUMENTED = "documented"
    PREDECESSOR = "predecessor"
    INFERRED = "inferred"


class Type(StrEnum):
    """What a parameter is. Its value in JSON is a boolean, a number or a string; that of an enum is one of its list."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    PASSWORD = "password"  # noqa: S105 -- the name of a type
    IPV4 = "ipv4"
    ENUM = "enum"


class Mode(StrEnum):
    """Whether a parameter can be written at all."""

    READ = "r"
    READ_WRITE = "rw"


class RfidMode(StrEnum):
    """RfidMode_rfid: what the reader looks for."""

    RFID_ONLY = "RFID only"
    HYBRID = "RFID/NFC hybrid"


class RestApi(StrEnum):
    """RestApi_web: whether the interface is served, and whether with user names and tag ids."""

    DISABLED = "Disabled"
    WITH_UID = "Enabled (with UID)"
    WITHOUT_UID = "Enabled (without UID)"


class FreeCharging(StrEnum):
    """FreeCharging_vehicleif: whether charging needs no authorization."""

    OFF = "off"
    ON = "on"


# What the emulator itself acts on, and what it understands there.
_OBEYED: Final[dict[str, tuple[Type, frozenset[str]]]] = {
    "RfidMode_rfid": (Type.ENUM, frozenset(RfidMode)),
    "RestApi_web": (Type.ENUM, frozenset(RestApi)),
    "FreeCharging_vehicleif": (Type.ENUM, frozenset(FreeCharging)),
    "OperatorCurrentLimit_vehicleif": (Type.INT, frozenset()),
}

_AND_ABOVE: Final = {role: frozenset(list(Role)[place:]) for place, role in enumerate(Role)}
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
_GROUP: Final = re.compile(r"[a-z][a-z0-9_]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TEXTS: Final = frozenset({Type.STRING, Type.PASSWORD})
_NUMBERS: Final = frozenset({Type.INT, Type.FLOAT})


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter.

    Attributes:
        key: its name, unique.
        group: the name of its group.
        default: what it has until somebody sets it; what a live one has while nobody measures it.
        initial: what it has in new data, if not the default.
        live: the value comes from the charge point and not from what was stored.
        read: the least role that may read it.
        write: the least role that may write it; None if it cannot be written.
        reboot: a change takes effect with the next start.
        min: the least number, or the fewest characters.
        max: the largest number, or the most characters.
        enum: all values it may have, in order.
    """

    key: str
    group: str
    type: Type
    default: Value
    initial: Value | None = None
    mode: Mode = Mode.READ_WRITE
    live: bool = False
    read: Role
    write: Role | None = None
    reboot: bool = False
    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    min: int | float | None = None
    max: int | float | None = None
    enum: Annotated[list[Title | int], msgspec.Meta(min_length=1, max_length=64)] | None = None
    short: Title
    long: Description
    evidence: Evidence = Evidence.INFERRED

    def __post_init__(self) -> None:
        for field, text in self._faults():
            raise FieldError(field, text)

    def may_read(self, role: Role) -> bool:
        """Whether this role may read it."""
        return role in _AND_ABOVE[self.read]

    def may_write(self, role: Role) -> bool:
        """Whether this role may write it."""
        return self.write is not None and role in _AND_ABOVE[self.write]

    def has_type(self, value: object) -> TypeGuard[Value]:
        """Whether this is a value of its type; `allows` then tells whether it is one of those allowed."""
        match self.type:
            case Type.BOOL:
                return isinstance(value, bool)
            case Type.INT:
                return _is_integer(value)
            case Type.FLOAT:
                # An integer may be too large for isfinite.
                return math.isfinite(value) if isinstance(value, float) else _is_integer(value)
            case Type.ENUM if self.enum is not None and isinstance(self.enum[0], int):
                return _is_integer(value)
            case _:
                return isinstance(value, str)

    def allows(self, value: Value) -> bool:
        """Whether a value of its type is one of its enum, or in its range and without control characters."""
        if self.enum is not None:
            return value in self.enum
        if self.type is Type.IPV4:
            return value == "" or _is_ipv4(value)
        if isinstance(value, str):
            return self._in_range(len(value), 0, MAX_TEXT) and not _CONTROL.search(value)
        return self._in_range(value, -MAX_INTEGER, MAX_INTEGER)

    def normal(self, value: Value) -> Value:
        """The same value as it is kept: 16.0 is 16 where it is an integer, 3 is 3.0 where it is not."""
        if isinstance(value, float) and self.type is not Type.FLOAT:
            return int(value)
        return float(value) if self.type is Type.FLOAT else value

    def _in_range(self, size: float, least: float, most: float) -> bool:
        return (least if self.min is None else self.min) <= size <= (most if self.max is None else self.max)

    def _faults(self) -> Iterator[tuple[str, str]]:
        if len(self.key) > MAX_KEY or not _KEY.fullmatch(self.key):
            yield "key", f"a key is Name_section, of ASCII letters and digits, at most {MAX_KEY} characters"
        yield from self._enum_faults()
        yield from self._range_faults()
        yield from self._access_faults()
        for field, value in (("default", self.default), ("initial", self.initial)):
            if value is not None and not (self.has_type(value) and self.allows(value)):
                yield field, f"{value!r} is not allowed; allowed: {self._allowed()}"

    def _enum_faults(self) -> Iterator[tuple[str, str]]:
        if (self.type is Type.ENUM) != (self.enum is not None):
            yield "enum", "an enum has a list of values, and nothing else has one"
        if self.enum is not None and (len({type(v) for v in self.enum}) > 1 or len(set(self.enum)) < len(self.enum)):
            yield "enum", "values are all strings or all integers, each of them once"

    def _access_faults(self) -> Iterator[tuple[str, str]]:
        if self.live and self.mode is not Mode.READ:
            yield "live", 'what the charge point measures cannot be written: add mode = "r"'
        if self.live and self.initial is not None:
            yield "initial", "what the charge point measures is not stored: leave initial out"
        if (self.mode is Mode.READ_WRITE) != (self.write is not None):
            yield "write", "the role that may write, needed here or in the group for rw and not allowed for r"
        if self.write is not None and not self.may_read(self.write):
            yield "write", f"who may write may read as well: at least {self.read}"

    def _range_faults(self) -> Iterator[tuple[str, str]]:
        least, most = (0, MAX_TEXT) if self.type in _TEXTS else (-MAX_INTEGER, MAX_INTEGER)
        for field, bound in (("min", self.min), ("max", self.max)):
            if bound is None:
                continue
            if self.type not in _TEXTS | _NUMBERS:
                yield field, "only numbers (int, float) and texts (string, password) have a range"
            if self.type is not Type.FLOAT and not isinstance(bound, int):
                yield field, f"{bound!r} is not an integer"
            if not least <= bound <= most:
                yield field, f"{bound!r} is not from {least} to {most}"
        if self.unit is not None and self.type not in _NUMBERS:
            yield "unit", "only a number (int, float) has a unit"
        if self.min is not None and self.max is not None and self.min > self.max:
            yield "max", f"{self.max!r} is less than min, {self.min!r}"

    def _allowed(self) -> str:
        match self.type:
            case Type.BOOL:
                return "true, false"
            case Type.ENUM:
                return ", ".join(repr(value) for value in self.enum or ())
            case Type.IPV4:
                return "an IPv4 address such as 192.168.1.2, or an empty string"
            case Type.INT | Type.FLOAT:
                kind, least, most = "integer" if self.type is Type.INT else "number", -MAX_INTEGER, MAX_INTEGER
                unit = f" {self.unit}" if self.unit else ""
            case _:
                kind, least, most, unit = "string without control characters", 0, MAX_TEXT, " characters"
        low, high = least if self.min is None else self.min, most if self.max is None else self.max
        return f"{kind} from {low} to {high}{unit}"


class ChargePointInfo(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What the charge point is: in the catalogue the key of the parameter that tells it, in answers what it tells."""

    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    charge_point_id: str


class _GroupFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Title
    read: Role
    write: Role | None = None


class Group(msgspec.Struct, frozen=True):
    """A group of parameters: their keys, in order."""

    name: str
    title: str
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All parameters, by key and in order.

    Attributes:
        info: keys of the parameters that ChargePointInfo is made of.
    """

    parameters: Mapping[str, Parameter]
    groups: tuple[Group, ...]
    info: ChargePointInfo

    def initial_values(self) -> dict[str, Value]:
        """What new data starts with; all others have their default."""
        return {p.key: p.initial for p in self.parameters.values() if p.initial is not None}


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue of this file, the shipped one by default.

    Raises:
        ConfigError: the first fault, with file and line, and what is allowed there.
    """
    return parse_catalogue(read_data_file(path or SHIPPED))


def parse_catalogue(file: DataFile) -> Catalogue:
    """The catalogue of a file that was read. Raises ConfigError as `load_catalogue` does."""
    parameters: dict[str, Parameter] = {}
    groups: list[Group] = []
    for name, table in file.tables():
        if name == "ChargePointInfo":
            continue
        if not _GROUP.fullmatch(name):
            raise file.fault((name,), "a group's name is of lower-case ASCII letters, digits and _")
        rows = {key: row for key, row in table.items() if isinstance(row, dict)}
        own = {field: value for field, value in table.items() if field not in rows}
        group = file.build((name,), _GroupFields, own)
        for key, row in rows.items():
            if key in parameters:
                raise file.fault((name, key), f"is in group {parameters[key].group} already; a key stands once")
            if len(parameters) == MAX_PARAMETERS:
                raise file.fault((name, key), f"more than {MAX_PARAMETERS} parameters")
            parameters[key] = _parameter(file, (name, key), group, row)
        groups.append(Group(name, group.title, tuple(rows)))
    info = file.build(("ChargePointInfo",), ChargePointInfo, file.data.get("ChargePointInfo", {}))
    for field, key in msgspec.to_builtins(info).items():
        if key not in parameters:
            raise file.fault(
                ("ChargePointInfo", field), f"no parameter {key!r} in this file; one of its keys is needed"
            )
    return Catalogue(parameters, tuple(groups), info)


def _is_integer(value: object) -> bool:
    # JSON has one kind of number: 16.0 is what some phones send for 16.
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_ipv4(value: object) -> bool:
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True


def _parameter(file: DataFile, path: tuple[str, str], group: _GroupFields, row: dict[str, Any]) -> Parameter:
    hidden = ("key", "group")
    for field in hidden:
        if field in row:
            raise file.fault((*path, field), "is given by the header and not as a field")
    named: dict[str, object] = {"group": path[0], "key": path[1], "read": group.read}
    if row.get("mode") != Mode.READ:
        named["write"] = group.write
    parameter = file.build(path, Parameter, named | row, hidden=hidden)
    kind, values = _OBEYED.get(parameter.key, (parameter.type, frozenset()))
    if parameter.type is not kind:
        raise file.fault((*path, "type"), f"the emulator acts on this parameter: it has to be {kind}")
    if values and not values.issuperset(parameter.enum or ()):
        raise file.fault(
            (*path, "enum"), f"the emulator acts on this parameter, and knows only {', '.join(sorted(values))}"
        )
    return parameter
