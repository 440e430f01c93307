"""Where two JSON documents differ, as paths such as `$.session.role` or `$.tags[0].id`."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

MAX_SHOWN: Final = 120
"""Characters of a value in a sentence."""

_PLAIN: Final = re.compile(r"[A-Za-z_]\w*")


class Missing:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing()

Pair = tuple[str, Any, Any]
"""A path, and what either document has there; MISSING where it has nothing."""


def pairs(first: Any, second: Any, path: str = "$") -> Iterator[Pair]:  # noqa: ANN401 - JSON
    """The places that are not equal: values that are no containers, containers of unlike kind, and what is missing.

    Whole numbers and others are unlike, as they are written in other octets. The order of keys makes no difference.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            yield from pairs(first.get(key, MISSING), second.get(key, MISSING), path + _step(key))
    elif isinstance(first, list) and isinstance(second, list):
        for index in range(max(len(first), len(second))):
            one = first[index] if index < len(first) else MISSING
            other = second[index] if index < len(second) else MISSING
            yield from pairs(one, other, f"{path}[{index}]")
    elif type(first) is not type(second) or first != second:
        yield path, first, second


def _step(key: str) -> str:
    return f".{key}" if _PLAIN.fullmatch(key) else f"[{quoted(key)}]"


def quoted(value: Any) -> str:  # noqa: ANN401 - JSON
    """A value as JSON, in ASCII and shortened for people."""
    if value is MISSING:
        return repr(value)
    import json

    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"


def describe(pair: Pair) -> str:
    """A difference in words: `$.session.role: "operator" became "user"`."""
    path, first, second = pair
    if second is MISSING:
        return f"{path}: {quoted(first)} is missing"
    if first is MISSING:
        return f"{path}: {quoted(second)} is new"
    return f"{path}: {quoted(first)} became {quoted(second)}"


def decode(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """A document; MISSING where there is none, and the text where it is no JSON that can be read."""
    if not content:
        return MISSING
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return content.decode(errors="backslashreplace")
