"""Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the lines of the trace.

The log is written in pieces, so that it need not be in memory: `begin`, `format_result` for each finding with a comma
between two, `end`. A region is a line of the trace file.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from nfcbridge.lint.report import describe_place, line_of
from nfcbridge.lint.rule import Finding, Place, Rule
from nfcbridge.lint.rules import RULES

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION: Final = "2.1.0"
PROJECT: Final = "nfcbridge"

_INDEX: Final = {identifier: index for index, identifier in enumerate(RULES)}
_ENCODER: Final = msgspec.json.Encoder()


def begin() -> str:
    """Everything up to the first result."""
    driver = {"name": PROJECT, "version": version(PROJECT), "rules": [describe_rule(rule) for rule in RULES.values()]}
    return (
        f'{{"$schema":"{SCHEMA}","version":"{VERSION}","runs":[{{"tool":{_text({"driver": driver})},'
        '"columnKind":"unicodeCodePoints","results":['
    )


def end(notices: list[str], *, whole: bool) -> str:
    """Everything behind the last result.

    Args:
        notices: what else is to be told of the run, such as a last line that was cut off.
        whole: all traces could be read.
    """
    notifications = [{"level": "warning" if whole else "error", "message": {"text": text}} for text in notices]
    invocation = {"executionSuccessful": whole, "toolExecutionNotifications": notifications}
    return f'],"invocations":[{_text(invocation)}]}}]}}'


def describe_rule(rule: Rule) -> dict[str, Any]:
    """A rule as a reporting descriptor."""
    help_text = f"{rule.why} ({rule.source}) {rule.mend}"
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": help_text, "markdown": f"{rule.why} ({rule.source})\n\n**To mend it:** {rule.mend}"},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"tags": [rule.layer]},
    }


def format_result(finding: Finding, file: str) -> str:
    """A finding as a result.

    Args:
        finding: it.
        file: the path of the trace.
    """
    *before, place = finding.places
    rule = finding.rule
    return _text(
        {
            "ruleId": rule.id,
            "ruleIndex": _INDEX[rule.id],
            "level": rule.severity.value,
            "message": {"text": f"{finding.what}. {rule.mend}"},
            "locations": [_location(place, file)],
            "relatedLocations": [_location(each, file) | {"id": number} for number, each in enumerate(before, 1)],
        }
    )


def uri_of(file: str) -> str:
    """The path of a file as a URI: a relative one stays relative."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _location(place: Place, file: str) -> dict[str, Any]:
    region = {"startLine": line_of(place.first), "endLine": line_of(place.last)}
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri_of(file)}, "region": region},
        "message": {"text": describe_place(place)},
    }


def _text(data: object) -> str:
    return _ENCODER.encode(data).decode()
