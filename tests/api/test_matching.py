"""A matcher that lets everything pass would prove nothing: each with what it takes and what it refuses."""

import json
from typing import Any

import pytest

from tests.api.matching import MATCHERS, Names, differences, fill

UUID4 = "45d3711a-2acd-4812-8b44-f23fa3b791c2"
UUID5 = "45d3711a-2acd-5812-8b44-f23fa3b791c2"

TAKES: list[tuple[Any, list[Any], list[Any]]] = [
    ("<any>", [None, 1, "", []], []),
    ("<text>", ["a"], ["", 1, None, ["a"]]),
    ("<string>", ["", "a"], [1, None]),
    ("<bool>", [True, False], [0, 1, None, "true"]),
    ("<int>", [0, -1, 2.0], [2.5, True, "1", None]),
    ("<int 2..>", [2, 3], [1]),
    ("<number>", [0, 2.5], [True, "1", None]),
    ("<number 0..5>", [0, 2.5, 5], [-0.1, 5.1]),
    ("<object>", [{}, {"a": 1}], [[], None, "{}"]),
    ("<object 1..>", [{"a": 1}], [{}]),
    ("<list 2>", [[1, 2]], [[1], [1, 2, 3], {"a": 1, "b": 2}]),
    ("<list ..1>", [[], [1]], [[1, 2]]),
    ("<uuid>", [UUID4, UUID5], [UUID4.upper(), UUID4[:-1], UUID4 + "0", 1]),
    ("<uuid4>", [UUID4], [UUID5, UUID4.replace("8b", "7b")]),
    ("<token>", [">2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V"], ["a" * 31, "a" * 33, "a" * 31 + "\u00e4", "a" * 31 + "\n"]),
    ("<time>", ["2019-11-23T19:35:43.511Z"], ["2019-11-23T19:35:43Z", "2019-11-23T19:35:43.511+00:00", 1]),
    ("<minute>", ["2023-05-18 08:51"], ["2023-05-18T08:51", "2023-05-18 08:51:00"]),
    ("<in RFID, NFC>", ["RFID", "NFC"], ["RFID, NFC", "", None]),
    ("<with Jenny, 7>", [{"Jenny": 7}], [{"Jenny": 8}, []]),
    ("<without Jenny, 7>", [{"Alex": 8}], [{"Alex": 7}, ["Jenny"]]),
    ("", [""], ["a", None]),
    (1, [1, 1.0], [True, "1", 2, None]),
    (True, [True], [1, "true", False]),
    (None, [None], [0, False, ""]),
    ({"a": 1}, [{"a": 1}], [{}, {"a": 2}, {"a": 1, "b": 2}, [], None]),
    ({"a": 1, "...": "..."}, [{"a": 1}, {"a": 1, "b": 2}], [{"b": 2}, {"a": 2, "b": 2}]),
    ([1, "<text>"], [[1, "a"]], [[1], [1, ""], ["a", 1], [1, "a", 2], {}]),
    ([1, "..."], [[1], [1, 2]], [[], [2, 1]]),
    (["<unordered>", 1, 2], [[1, 2], [2, 1]], [[1, 1], [1], [1, 2, 3], "12"]),
    (["<unordered>", 1, "..."], [[3, 1], [1]], [[2], []]),
]


@pytest.mark.parametrize(("expected", "takes", "refuses"), TAKES)
def test_what_is_expected_is_taken_and_nothing_else(expected: Any, takes: list[Any], refuses: list[Any]) -> None:
    assert [found for found in takes if differences(expected, found, {})] == []
    assert [found for found in refuses if not differences(expected, found, {})] == []


def test_every_matcher_was_seen_to_take_and_to_refuse() -> None:
    tried = {expected.strip("<>").split()[0] for expected, _, _ in TAKES if str(expected).startswith("<")}
    assert tried == MATCHERS.keys()


def test_a_value_gets_a_name_only_where_it_is_taken() -> None:
    names: Names = {}
    assert differences({"id": "<uuid as jenny>", "n": "<int as n>"}, {"id": UUID4, "n": 7}, names) == []
    assert names == {"jenny": UUID4, "n": "7"}
    assert differences("<uuid as jenny>", "x", names) == ['$: "x" is not <uuid as jenny>']
    assert names["jenny"] == UUID4


def test_a_value_in_any_order_gets_its_name_from_the_element_that_fits() -> None:
    names: Names = {}
    expected = ["<unordered>", {"name": "Alex", "id": "<int as alex>"}, {"name": "Jenny", "id": "<int as jenny>"}]
    assert differences(expected, [{"name": "Jenny", "id": 1}, {"name": "Alex", "id": 2}], names) == []
    assert names == {"jenny": "1", "alex": "2"}


def test_a_difference_says_where_it_is() -> None:
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {}) == ["$.a[0].b: 2 instead of 1"]
    assert differences({"a": 1}, {"b": 1}, {}) == ["$: lacks 'a'", "$: has 'b' too"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("/users/${jenny}", "/users/42"),
        ("${repeat ab 3}", "ababab"),
        ("{${pairs 1 2 v}}", '{"k1": "v", "k2": "v"}'),
        # printf '%s' 'op-secret>2BG' | sha256sum, GNU coreutils 9.1
        ("${hash operator token}", "94de80974dce76789b05fa673d5adebc1bde570dfbd8040f7d0bc8bdd172acc0"),
        ("${later time 1}", "2019-11-23T19:35:44.000Z"),
        ("${later time -1000}", "2019-11-23T19:35:42.999Z"),
        ('{"price": "5 $"}', '{"price": "5 $"}'),
    ],
)
def test_names_and_functions_are_replaced(text: str, filled: str) -> None:
    names = {"jenny": "42", "token": ">2BG", "time": "2019-11-23T19:35:43.999Z"}
    assert fill(text, names) == filled


def test_a_hash_may_be_had_in_capitals() -> None:
    digits = fill("${hash user token}", {"token": "x"})
    assert fill("${HASH user token}", {"token": "x"}) == digits.upper() != digits


@pytest.mark.parametrize("text", ["${nobody}", "${repeat ab}", "${hash operator nobody}", "${}"])
def test_a_name_that_nothing_has_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match="nothing of this name"):
        fill(text, {})


def test_a_long_content_is_shown_in_part() -> None:
    (difference,) = differences(1, "x" * 1000, {})
    assert len(difference) < 300
    assert json.dumps("x" * 1000)[:100] in difference
