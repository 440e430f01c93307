"""Findings as SARIF: held to the parts of the standard's schema that the log uses, and to what hosts need of them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nfcbridge.lint import RULES
from nfcbridge.lint.report import describe_place, finding_as_data, rule_as_data
from nfcbridge.lint.sarif import begin, end, format_result, uri_of
from tests.lint.test_fixtures import FOLDER, lint, path_of

MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": -1},
        "message": MESSAGE,
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                },
                "region": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "startLine": {"type": "integer", "minimum": 1},
                        "endLine": {"type": "integer", "minimum": 1},
                    },
                },
            },
        },
    },
}
DESCRIPTOR = {
    "type": "object",
    "required": ["id", "name", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^NB[1-6][0-9]{2}$"},
        "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]+$"},
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}},
        },
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}, "additionalProperties": False},
        "properties": {"type": "object"},
    },
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {"type": "array", "items": LOCATION, "minItems": 1},
        "relatedLocations": {"type": "array", "items": LOCATION, "uniqueItems": True},
    },
}
INVOCATION = {
    "type": "object",
    "required": ["executionSuccessful"],
    "additionalProperties": False,
    "properties": {
        "executionSuccessful": {"type": "boolean"},
        "toolExecutionNotifications": {
            "type": "array",
            "items": {"type": "object", "required": ["message"], "properties": {"message": MESSAGE, "level": LEVEL}},
        },
    },
}
SUBSET = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {"type": "array", "items": DESCRIPTOR, "uniqueItems": True},
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                    "invocations": {"type": "array", "items": INVOCATION},
                },
            },
        },
    },
}
"""Made by hand from SARIF 2.1.0 (OASIS), for the objects and properties that our logs have, and no others."""


def log_of(path: Path) -> Any:
    results = ",".join(format_result(finding, "a trace.jsonl") for finding in lint(path))
    return json.loads(begin() + results + end(["line 9 was cut off"], whole=True))


@pytest.mark.parametrize("rule", RULES)
def test_every_log_has_the_form_of_the_standard(rule: str) -> None:
    log = log_of(path_of(rule, "bad"))
    jsonschema.Draft7Validator(SUBSET, format_checker=jsonschema.FormatChecker()).validate(log)
    (run,) = log["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == rule
    assert result["level"] == RULES[rule].severity.value


def test_a_result_is_at_the_line_of_its_entry_and_names_the_places_before() -> None:
    (run,) = log_of(path_of("NB307", "bad"))["runs"]
    (result,) = run["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20trace.jsonl"},
        "region": {"startLine": 21, "endLine": 22},
    }
    (before,) = result["relatedLocations"]
    assert before["physicalLocation"]["region"] == {"startLine": 19, "endLine": 20}
    assert before["message"]["text"] == "UPDATE NLEN 53"


def test_a_trace_that_cannot_be_read_makes_the_run_a_failed_one() -> None:
    log = json.loads(begin() + end(["it is broken"], whole=False))
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation == {
        "executionSuccessful": False,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": "it is broken"}}],
    }


@pytest.mark.parametrize(
    ("path", "uri"),
    [("t.jsonl", "t.jsonl"), ("a/b c.jsonl", "a/b%20c.jsonl"), ("/a/b c.jsonl", "file:///a/b%20c.jsonl")],
)
def test_a_path_is_a_uri(path: str, uri: str) -> None:
    assert uri_of(path) == uri


def test_a_finding_as_data_is_what_the_module_draws() -> None:
    (finding,) = lint(path_of("NB307", "bad"))
    rule = RULES["NB307"]
    assert finding_as_data(finding, "t.jsonl") == {
        "file": "t.jsonl",
        "rule": "NB307",
        "name": "read-without-nlen",
        "severity": "error",
        "entry": 20,
        "line": 21,
        "t": 0.048,
        "what": "after the request the answer is read from offset 2, and nobody read NLEN",
        "why": rule.why,
        "source": rule.source,
        "mend": rule.mend,
        "places": [
            {"first": 18, "last": 19, "line": 19, "t": 0.043, "words": "UPDATE NLEN 53"},
            {"first": 20, "last": 21, "line": 21, "t": 0.048, "words": "READ 53 octets at 2"},
        ],
    }


def test_every_place_has_words() -> None:
    for path in FOLDER.glob("*.bad.jsonl"):
        for finding in lint(path):
            assert all(describe_place(place) for place in finding.places)


def test_a_frame_is_told_with_who_sent_it() -> None:
    (finding,) = lint(path_of("NB101", "bad"))
    assert describe_place(finding.places[0]) == "card: I(0)"


def test_a_rule_as_data_has_all_of_its_sentences() -> None:
    rule = RULES["NB101"]
    assert rule_as_data(rule) == {
        "rule": "NB101",
        "name": "block-number-wrong",
        "severity": "error",
        "layer": "blocks",
        "what": rule.what,
        "why": rule.why,
        "source": rule.source,
        "mend": rule.mend,
    }
