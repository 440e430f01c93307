from typing import Any

import pytest

from nfcbridge.charger.catalogue import (
    MAX_INTEGER,
    MAX_TEXT,
)
from tests.charger.test_catalogue import BOOL, ENUM, INT, parameter

LONGEST = "x" * MAX_TEXT


# What JSON can have: which of it is of the type, and which of that is allowed.
@pytest.mark.parametrize(
    ("fields", "allowed", "refused", "mistyped"),
    [
        (BOOL, [True, False], [], [0, 1, 1.0, "true", None, [], {}]),
        (
            f"{INT}\nmin = 6\nmax = 80",
            [6, 80, 16.0],
            [5, 81, -1e300, 1e300, 2**70],
            [True, 6.5, "6", None, [6], {"a": 6}, float("inf"), float("nan")],
        ),
        (INT, [MAX_INTEGER, -MAX_INTEGER], [MAX_INTEGER + 1, -MAX_INTEGER - 1], [False]),
        (
            'type = "float"\ndefault = 1\nmin = -0.5\nmax = 55.2',
            [-0.5, 0, 55.2],
            [-0.51, 55.21, 56, 10**400],
            [True, "1", None, float("inf"), float("nan"), []],
        ),
        (
            'type = "string"\ndefault = "aa"\nmin = 2\nmax = 3',
            ["ab", "äöü", "\U0001f50c\U0001f50c\U0001f50c", "a b"],
            ["a", "abcd", "a\n", "\x00a", "a\u2028", "a\x7f", "a\x85"],
            [12, None, True, ["a"], 1.5],
        ),
        ('type = "string"\ndefault = ""', ["", LONGEST], [LONGEST + "x"], []),
        ('type = "password"\ndefault = ""\nmax = 8', ["", "12345678"], ["123456789", "1\t2"], [1234]),
        (
            'type = "ipv4"\ndefault = ""',
            ["", "10.0.0.1", "192.168.1.2", "255.255.255.255"],
            ["1.2.3", "1.2.3.256", "1.2.3.04", "::1", " 1.2.3.4", "example", "1.2.3.4/8"],
            [16909060, None, True],
        ),
        (f"{ENUM}\nenum = ['a', 'b']", ["a", "b"], ["c", "", "A"], [0, True, None]),
        ('type = "enum"\ndefault = 1\nenum = [1, 3]', [1, 3, 3.0], [0, 2], [True, "1", 1.5, None]),
    ],
)
def test_a_value_is_of_the_type_or_not_and_then_allowed_or_not(
    fields: str, allowed: list[Any], refused: list[Any], mistyped: list[Any]
) -> None:
    found = parameter(fields)
    assert [value for value in allowed if not (found.has_type(value) and found.allows(value))] == []
    assert [value for value in refused if not found.has_type(value) or found.allows(value)] == []
    assert [value for value in mistyped if found.has_type(value)] == []


@pytest.mark.parametrize(
    ("fields", "given", "kept"),
    [
        (INT, 16.0, "16"),
        (INT, 16, "16"),
        ('type = "float"\ndefault = 1', 3, "3.0"),
        ('type = "float"\ndefault = 1', 3.5, "3.5"),
        ('type = "enum"\ndefault = 1\nenum = [1, 3]', 3.0, "3"),
        (BOOL, True, "True"),
        ('type = "string"\ndefault = ""', "16.0", "'16.0'"),
    ],
)
def test_a_number_is_kept_in_one_form(fields: str, given: Any, kept: str) -> None:
    assert repr(parameter(fields).normal(given)) == kept
