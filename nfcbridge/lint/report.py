"""Findings and rules as plain data, for reports that programs read.

A finding:

    {"file": "t.jsonl", "rule": "NB307", "name": "read-without-nlen", "severity": "error",
     "entry": 20, "line": 21, "t": 0.048,                    where it is: number, line in the file, seconds
     "what": "...", "why": "...", "source": "...", "mend": "...",
     "places": [{"first": 18, "last": 19, "line": 19, "t": 0.043, "words": "UPDATE NLEN 53"}, ...]}

`what` tells of this finding, the other sentences of the rule. `places` are in the order of time, and the last one is
where the finding is.
"""

from collections.abc import Callable
from typing import Any, Final

from nfcbridge.lint.rule import Finding, Place, Rule
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockSeen, FieldSeen, MessageSeen, Seen
from nfcbridge.trace.words import (
    describe_activation,
    describe_block,
    describe_field,
    describe_message,
    describe_pair,
)

TIME_DIGITS: Final = 6
"""Of a second: times in a trace are told to the microsecond."""

_WORDS: Final[dict[type[Seen], Callable[..., str]]] = {
    FieldSeen: describe_field,
    BlockSeen: describe_block,
    ActivationSeen: describe_activation,
    ApduSeen: describe_pair,
    MessageSeen: describe_message,
}


def line_of(entry: int) -> int:
    """The line of an entry in its file; the first line is the header."""
    return entry + 1


def describe_place(place: Place) -> str:
    """What the trace shows at a place, in words; a frame with who sent it."""
    seen = place.seen
    words = _WORDS[type(seen)](seen)
    if isinstance(seen, BlockSeen):
        return f"{'reader' if seen.from_reader else 'card'}: {words}"
    return words


def place_as_data(place: Place) -> dict[str, Any]:
    """A place as the module's docstring draws it."""
    return {
        "first": place.first,
        "last": place.last,
        "line": line_of(place.first),
        "t": round(place.t, TIME_DIGITS),
        "words": describe_place(place),
    }


def finding_as_data(finding: Finding, file: str) -> dict[str, Any]:
    """A finding as the module's docstring draws it."""
    rule = finding.rule
    return {
        "file": file,
        "rule": rule.id,
        "name": rule.name,
        "severity": rule.severity.value,
        "entry": finding.entry,
        "line": line_of(finding.entry),
        "t": round(finding.t, TIME_DIGITS),
        "what": finding.what,
        "why": rule.why,
        "source": rule.source,
        "mend": rule.mend,
        "places": [place_as_data(place) for place in finding.places],
    }


def rule_as_data(rule: Rule) -> dict[str, str]:
    """A rule: its identifier, name, severity, layer, and its sentences."""
    return {
        "rule": rule.id,
        "name": rule.name,
        "severity": rule.severity.value,
        "layer": rule.layer,
        "what": rule.what,
        "why": rule.why,
        "source": rule.source,
        "mend": rule.mend,
    }
