"""Data files that people edit: TOML, checked as a whole, and every fault told with file, line and what is allowed.

tomllib tells no lines but those of syntax errors, so the lines are looked up when a fault is found, and only then: the
file is known to be TOML, and a walk over its parts finds where each key and each element of an array stands.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import msgspec

from nfcbridge.errors import ConfigError

# Octets of a data file: ten times the shipped catalogue.
MAX_FILE: Final = 262_144

Step = str | int
"""A key of a table, or the number of an element from 0."""

Row = TypeVar("Row", bound=msgspec.Struct)

# Quotes first: brackets, commas and # mean nothing inside of them. Three quotes may have two more at their end.
_PART: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'"
    r"|#[^\n]*|\n|[\[\]{}=,.]|[^\s\[\]{}=,.#\"']+|.",
    re.DOTALL,
)
_BLANK: Final = re.compile(r"\s+|#.*")
_SYNTAX: Final = re.compile(r"(?P<text>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`")


class FieldError(ValueError):
    """A field of a row whose value cannot be; raised by the row's `__post_init__`.

    Args:
        field: the field.
        text: what is allowed.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class DataFile:
    """A data file.

    Args:
        name: for people.
        octets: all of it, UTF-8.

    Attributes:
        data: what is in it.

    Raises:
        ConfigError: it is not TOML, or too large.
    """

    def __init__(self, name: str, octets: bytes) -> None:
        self.name = name
        if len(octets) > MAX_FILE:
            raise self._fault(octets.count(b"\n", 0, MAX_FILE) + 1, f"at most {MAX_FILE} octets are read")
        try:
            text = octets.decode()
        except UnicodeDecodeError as error:
            raise self._fault(octets.count(b"\n", 0, error.start) + 1, "not UTF-8") from error
        self._text = text.removeprefix("\ufeff")
        try:
            self.data: dict[str, Any] = tomllib.loads(self._text)
        except RecursionError as error:
            raise self._fault(self._deepest_line(), "nested too deep") from error
        except ValueError as error:
            raise self._syntax_fault(str(error)) from error

    def tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tables of the file, by name. Raises ConfigError where there is something else at the top."""
        for name, table in self.data.items():
            if not isinstance(table, dict):
                raise self.fault((name,), f"has to be a table: [{name}]")
            yield name, table

    def build(
        self, path: tuple[Step, ...], kind: type[Row], fields: dict[str, Any], *, hidden: Collection[str] = ()
    ) -> Row:
        """A struct made of a table.

        Args:
            path: where the table is.
            kind: the struct.
            fields: the table, and what else the struct needs.
            hidden: fields of the struct that are not given by the table.

        Raises:
            ConfigError: a field is missing, unknown or cannot be so.
        """
        try:
            return msgspec.convert(fields, kind)
        except msgspec.ValidationError as error:
            if isinstance(error.__cause__, FieldError):
                raise self.fault((*path, error.__cause__.field), str(error)) from error
            text, _, where = str(error).partition(" - at `$")
            steps = [int(number) if number else name for name, number in _STEP.findall(where)]
            unknown = _UNKNOWN.search(text)
            members = [] if unknown or not steps else _members(kind, steps[0])
            if unknown:
                steps.append(unknown[1])
                allowed = (field for field in kind.__struct_encode_fields__ if field not in hidden)
                text = f"unknown; allowed: {', '.join(allowed)}"
            elif members:
                text += f"; allowed: {', '.join(members)}"
            raise self.fault((*path, *steps), text) from error

    def fault(self, path: tuple[Step, ...], text: str) -> ConfigError:
        """What is wrong at this path, with its line, or with that of what should contain it."""
        lines, known = self._lines(), path
        while known not in lines:
            known = known[:-1]
        return self._fault(lines[known], f"{'.'.join(map(str, path))}: {text}")

    def _fault(self, line: int, text: str) -> ConfigError:
        return ConfigError(f"{self.name}, line {line}: {text}")

    def _syntax_fault(self, text: str) -> ConfigError:
        found = _SYNTAX.fullmatch(text)
        line = int(found["line"]) if found and found["line"] else self._text.count("\n") + 1
        text = found["text"] if found else text
        # "Cannot declare ('network',) twice", "Cannot overwrite a value".
        return self._fault(line, f"{text}; each name stands once" if text.startswith("Cannot ") else text)

    def _parts(self) -> Iterator[tuple[str, int]]:
        line = 1
        for part in _PART.findall(self._text):
            yield part, line
            line += part.count("\n")

    def _deepest_line(self) -> int:
        deepest, depth, at = 0, 0, 1
        for part, line in self._parts():
            depth += (part in "[{") - (part in "]}")
            if depth > deepest:
                deepest, at = depth, line
        return at

    def _statements(self) -> Iterator[list[tuple[str, int]]]:
        statement: list[tuple[str, int]] = []
        depth = 0
        for part, line in self._parts():
            depth += (part in "[{") - (part in "]}")
            if not _BLANK.fullmatch(part):
                statement.append((part, line))
            elif part == "\n" and depth == 0 and statement:
                yield statement
                statement = []
        if statement:
            yield statement

    def _lines(self) -> dict[tuple[Step, ...], int]:
        lines: dict[tuple[Step, ...], int] = {(): 1}
        last: dict[tuple[Step, ...], int] = {}  # the number of the last table of each array of tables
        table: tuple[Step, ...] = ()
        for statement in self._statements():
            words = [part for part, _ in statement]
            line = statement[0][1]
            if words[0] != "[":
                equals = words.index("=")
                path = _record(lines, last, (*table, *_names(words[:equals])), line)
                _record_elements(lines, path, statement[equals + 1 :])
            elif words[1] != "[":
                table = _record(lines, last, _names(words[1:-1]), line)
                lines[table] = line  # [a.b] may come before [a]
            else:
                array = _record(lines, last, _names(words[2:-2]), line)
                last[array] = last.get(array, -1) + 1
                table = (*array, last[array])
                lines[table] = line
        return lines


def read_data_file(path: Path) -> DataFile:
    """Read a file. Raises ConfigError: it cannot be read, is too large, or is not TOML."""
    try:
        with path.open("rb") as file:
            return DataFile(str(path), file.read(MAX_FILE + 1))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; a file in the form of the shipped one is needed") from error


def _names(words: list[str]) -> tuple[str, ...]:
    return tuple(tomllib.loads(f"name = {w}")["name"] if w[0] in "\"'" else w for w in words if w != ".")


def _record(
    lines: dict[tuple[Step, ...], int], last: dict[tuple[Step, ...], int], steps: tuple[Step, ...], line: int
) -> tuple[Step, ...]:
    """Record the line of each place on the way that has none yet, and return the last place."""
    path: tuple[Step, ...] = ()
    for step in steps:
        if path in last and isinstance(step, str):
            path = (*path, last[path])  # names go on in the last table of an array of tables
        path = (*path, step)
        lines.setdefault(path, line)
    return path


def _record_elements(lines: dict[tuple[Step, ...], int], path: tuple[Step, ...], value: list[tuple[str, int]]) -> None:
    if value[0][0] != "[":
        return
    number, depth = 0, 0
    for part, line in value:
        if depth == 1 and part != ",":
            lines.setdefault((*path, number), line)
        depth += (part in "[{") - (part in "]}")
        number += part == "," and depth == 1


def _members(kind: type[msgspec.Struct], field: Step) -> list[str]:
    declared = {each.encode_name: each.type for each in msgspec.structs.fields(kind)}[str(field)]
    choices = [each for each in (declared, *get_args(declared)) if isinstance(each, type) and issubclass(each, Enum)]
    return [str(member.value) for choice in choices for member in choice]
