"""The table of rules: what every rule must have."""

import re
from itertools import pairwise

import pytest

from nfcbridge.charger.description import KIND
from nfcbridge.lint import RULES, Rule
from nfcbridge.lint.calls import OURS
from nfcbridge.lint.rule import IDENTIFIER, LAYERS

ASKED_FOR = 25
"""Rules that there must be."""


def test_there_are_enough_rules() -> None:
    assert len(RULES) >= ASKED_FOR


def test_the_table_is_in_the_order_of_identifiers() -> None:
    assert all(before < after for before, after in pairwise(RULES))


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


def test_each_layer_has_rules() -> None:
    assert {identifier[2] for identifier in RULES} == set(LAYERS)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_has_identifier_name_and_sentences(rule: Rule) -> None:
    assert IDENTIFIER.fullmatch(rule.id)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.about
    assert rule.source
    for sentence in (rule.what, rule.why, rule.mend):
        assert re.match(r"[A-Z0-9]", sentence), sentence
        assert re.search(r"[.)]$", sentence), sentence
    assert rule.layer == LAYERS[rule.id[2]]


def test_the_application_that_sessions_are_judged_of_is_our_charge_controller() -> None:
    assert OURS == KIND
