"""Contents as the table writes them: JSON with matchers where a value is not known before, and names for such values.

In an expected content a string may be a matcher. With `as NAME` the value gets a name, and `${NAME}` stands for it in
every later line of the same group:

    <text>  <string>  <int>  <number>  <bool>  <object>  <list>  <any>      what it is; a <text> is not empty
    <uuid>  <uuid4>  <token>  <time>  <minute>                             what it looks like
    <list 2>  <list 8..>  <object 60..>  <number 0..5>                      how many, how much
    <in a, b>                                                              one of these strings
    <with a, b>  <without a, b>                                            JSON in which these words stand, or do not

`"...": "..."` in an object allows more members, `"..."` at the end of a list more elements, and a list that begins with
"<unordered>" may be in any order. Everything else is equal or wrong, with the types of JSON: 1 is 1.0, but not true.

In a body, path or content `${...}` is replaced: by the value of a name, by `${repeat TEXT COUNT}`, by
`${pairs FIRST LAST VALUE}` (members of an object, "k1" and so on), by `${hash ROLE TOKEN}` (what logs in; HASH has it
in capitals) or by `${later TIME MILLISECONDS}`.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from tests.api.world import PASSWORDS

Names = dict[str, str]
"""Values that were given a name, as they stand in JSON: a string without its quotes."""

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID4: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_MINUTE: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d"

_MATCHER: Final = re.compile(r"<(?P<kind>\w+)(?: (?P<argument>.*?))??(?: as (?P<name>\w+))?>", re.DOTALL)
_TEMPLATE: Final = re.compile(r"\$\{([^}]*)\}")
_REST: Final = "..."
_UNORDERED: Final = "<unordered>"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _looks_like(pattern: str) -> Callable[[Any, str], bool]:
    return lambda value, _argument: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _within(number: float, argument: str) -> bool:
    """Whether it is in a range such as `2`, `8..` or `0..5`; every number is in the empty one."""
    if not argument:
        return True
    least, dots, most = argument.partition("..")
    if not dots:
        return number == float(least)
    return (not least or number >= float(least)) and (not most or number <= float(most))


def _words(argument: str) -> list[str]:
    return [word.strip() for word in argument.split(",")]


MATCHERS: Final[dict[str, Callable[[Any, str], bool]]] = {
    "any": lambda _value, _argument: True,
    "text": lambda value, _argument: isinstance(value, str) and value != "",
    "string": lambda value, _argument: isinstance(value, str),
    "bool": lambda value, _argument: isinstance(value, bool),
    "int": lambda value, argument: _is_number(value) and value == int(value) and _within(value, argument),
    "number": lambda value, argument: _is_number(value) and _within(value, argument),
    "object": lambda value, argument: isinstance(value, dict) and _within(len(value), argument),
    "list": lambda value, argument: isinstance(value, list) and _within(len(value), argument),
    "uuid": _looks_like(_UUID),
    "uuid4": _looks_like(_UUID4),
    "token": _looks_like(r"[ -~]{32}"),
    "time": _looks_like(_TIME),
    "minute": _looks_like(_MINUTE),
    "in": lambda value, argument: value in _words(argument),
    "with": lambda value, argument: all(word in json.dumps(value) for word in _words(argument)),
    "without": lambda value, argument: not any(word in json.dumps(value) for word in _words(argument)),
}


def differences(expected: Any, found: Any, names: Names, place: str = "$") -> list[str]:
    """What is other than expected; none if nothing is. Values with `as NAME` are added to the names.

    Args:
        expected: JSON with matchers.
        found: JSON.
        names: those known so far.
        place: where in the content this is, for people.
    """
    if isinstance(expected, dict):
        return _object_differences(expected, found, names, place)
    if isinstance(expected, list):
        return _list_differences(expected, found, names, place)
    matcher = _MATCHER.fullmatch(expected) if isinstance(expected, str) else None
    if matcher is None:
        same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
        return [] if same else [f"{place}: {_shown(found)} instead of {_shown(expected)}"]
    if not MATCHERS[matcher["kind"]](found, matcher["argument"] or ""):
        return [f"{place}: {_shown(found)} is not {expected}"]
    if matcher["name"]:
        names[matcher["name"]] = found if isinstance(found, str) else json.dumps(found)
    return []


def _object_differences(expected: dict[str, Any], found: Any, names: Names, place: str) -> list[str]:
    if not isinstance(found, dict):
        return [f"{place}: {_shown(found)} instead of an object"]
    wanted = {key: value for key, value in expected.items() if key != _REST}
    faults = [f"{place}: lacks {key!r}" for key in wanted.keys() - found.keys()]
    if _REST not in expected:
        faults += [f"{place}: has {key!r} too" for key in found.keys() - wanted.keys()]
    for key in wanted.keys() & found.keys():
        faults += differences(wanted[key], found[key], names, f"{place}.{key}")
    return faults


def _list_differences(expected: list[Any], found: Any, names: Names, place: str) -> list[str]:
    if not isinstance(found, list):
        return [f"{place}: {_shown(found)} instead of a list"]
    unordered = expected[:1] == [_UNORDERED]
    more = expected[-1:] == [_REST]
    wanted = expected[unordered : len(expected) - more]
    if len(found) < len(wanted) or (len(found) > len(wanted) and not more):
        return [f"{place}: {len(found)} elements, {len(wanted)} were expected: {_shown(found)}"]
    if not unordered:
        return [
            fault
            for index, value in enumerate(wanted)
            for fault in differences(value, found[index], names, f"{place}[{index}]")
        ]
    left = list(found)
    for value in wanted:
        fitting = next((index for index, other in enumerate(left) if not differences(value, other, dict(names))), None)
        if fitting is None:
            return [f"{place}: none of {_shown(left)} is {_shown(value)}"]
        differences(value, left.pop(fitting), names)
    return []


def fill(text: str, names: Names) -> str:
    """The text with every `${...}` replaced.

    Raises:
        ValueError: a name that nothing has, or a function that is none.
    """
    return _TEMPLATE.sub(lambda found: _replaced(found[1], names), text)


def _replaced(inner: str, names: Names) -> str:
    match inner.split():
        case [name] if name in names:
            return names[name]
        case ["repeat", text, count]:
            return text * int(count)
        case ["pairs", first, last, value]:
            return ", ".join(f'"k{number}": "{value}"' for number in range(int(first), int(last) + 1))
        case ["hash" | "HASH" as form, role, token] if token in names:
            digits = sha256((PASSWORDS[role] + names[token]).encode()).hexdigest()
            return digits if form == "hash" else digits.upper()
        case ["later", name, milliseconds] if name in names:
            moment = datetime.fromisoformat(names[name]) + timedelta(milliseconds=int(milliseconds))
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise ValueError(f"${{{inner}}}: nothing of this name; an earlier line that should have named it may have failed")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]} ..."
