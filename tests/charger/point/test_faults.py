"""Faults on demand: what can be asked for, and that each strikes once."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.point.faults import (
    AnyFault,
    Cut,
    ExpireSessions,
    Faults,
    Late,
    LoseField,
    Next,
    parse_fault,
)
from nfcbridge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("next=500", Next(500)),
        ("next=400", Next(400)),
        ("next=599", Next(599)),
        ("late=2s", Late(2.0)),
        ("late=0.5", Late(0.5)),
        ("late=2m", Late(120.0)),
        ("cut=1", Cut(1)),
        ("cut=10000", Cut(10_000)),
        ("lose-field", LoseField()),
        ("expire-sessions", ExpireSessions()),
    ],
)
def test_each_form_is_understood(text: str, fault: AnyFault) -> None:
    assert parse_fault(text) == fault
    assert msgspec.json.decode(msgspec.json.encode(fault), type=AnyFault) == fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "next",
        "next=",
        "next=399",
        "next=600",
        "next=5e2",
        "next= 500",
        "next=0500000000",
        "next=\u00b2",
        "late",
        "late=0",
        "late=120.001",
        "late=2m1s",
        "cut",
        "cut=0",
        "cut=10001",
        "cut=-1",
        "lose-field=1",
        "lose-field=",
        "expire-sessions=now",
        "Next=500",
        "coffee",
    ],
)
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"there are next=STATUS \(400 to 599\)|is no time"):
        parse_fault(text)


@given(st.text() | st.from_regex(r"(next|late|cut|lose-field)=?[0-9]{0,5}s?", fullmatch=True))
def test_any_text_is_a_fault_or_is_refused(text: str) -> None:
    try:
        fault = parse_fault(text)
    except ConfigError:
        return
    assert text.partition("=")[0] == fault.__struct_config__.tag


def test_without_a_fault_nothing_goes_wrong() -> None:
    faults = Faults()
    assert faults.waiting() == []
    assert (faults.take_status(), faults.take_delay(), faults.cut_now()) == (None, 0.0, False)


def test_a_status_strikes_once() -> None:
    faults = Faults()
    faults.order(Next(500))
    assert faults.waiting() == [Next(500)]
    assert [faults.take_status(), faults.take_status()] == [500, None]
    assert faults.waiting() == []


def test_a_delay_strikes_once_and_beside_a_status() -> None:
    faults = Faults()
    faults.order(Late(2.0))
    faults.order(Next(503))
    assert faults.waiting() == [Next(503), Late(2.0)]
    assert faults.take_status() == 503
    assert [faults.take_delay(), faults.take_delay()] == [2.0, 0.0]


def test_the_field_is_lost_with_the_last_of_the_blocks() -> None:
    faults = Faults()
    faults.order(Cut(3))
    assert [faults.cut_now() for _ in range(2)] == [False, False]
    assert faults.waiting() == [Cut(1)]
    assert [faults.cut_now() for _ in range(3)] == [True, False, False]
    assert faults.waiting() == []


def test_the_last_order_counts() -> None:
    faults = Faults()
    for fault in (Next(500), Next(502), Late(1.0), Late(3.0), Cut(1), Cut(2)):
        faults.order(fault)
    assert faults.waiting() == [Next(502), Late(3.0), Cut(2)]
