"""What is streamed: its form, and what is never in it."""

from typing import get_args

import msgspec
import pytest

from nfcbridge.charger.point import effects as does
from nfcbridge.charger.point.effects import Effect, Event, HmiChanged, StoreTransaction
from nfcbridge.charger.point.hmi import PATTERNS, HmiState
from nfcbridge.charger.point.inputs import MAX_TAG_ID, AnyInput, Charge, Error, Nfc, Pair, Plug, PowerCycle, Swipe
from nfcbridge.charger.point.messages import MessageName
from tests.charger.point.made import JENNY, STRANGER, WHITELIST, new_point

# The vendor's table of the LEDs, retyped: documentation 5.33, "RFID accessory LED indicators".
VENDOR = {
    "ready": "green steady",
    "reserved": "yellow steady",
    "reading_card": "white rotating",
    "authorized": "blue fast",
    "charging": "blue blinking",
    "authorization_failed": "green,yellow,blue fast",
    "unavailable": "green,yellow,blue steady",
    "updating": "green,yellow,blue blinking",
    # Manual of the CC612, 03.2019, page 39: green blinks slowly.
    "connected": "green slow",
}


def test_the_leds_are_those_of_the_vendor_s_table() -> None:
    told = {state.value: f"{','.join(p.colours)} {p.motion}" for state, p in PATTERNS.items()}
    assert told == VENDOR
    assert set(PATTERNS) == set(HmiState)


def test_every_effect_but_one_may_be_streamed() -> None:
    every = {kind for kind in vars(does).values() if isinstance(kind, type) and issubclass(kind, Effect)}
    assert every - {Effect} - set(get_args(Event)) == {StoreTransaction}


def test_every_event_has_a_name_of_its_own_that_server_sent_events_can_carry() -> None:
    names = [str(kind.__struct_config__.tag) for kind in get_args(Event)]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)


def test_an_event_is_an_object_with_its_name_and_time() -> None:
    effects = new_point().handle(Nfc(), 1.5)
    (changed,) = [effect for effect in effects if isinstance(effect, HmiChanged)]
    assert msgspec.json.decode(msgspec.json.encode(changed)) == {
        "event": "hmi",
        "t": 1.5,
        "state": "reading_card",
        "leds": {"colours": ["white"], "motion": "rotating"},
    }


def test_no_event_tells_a_tag_or_a_user() -> None:
    point = new_point()
    effects: list[Effect] = []
    story: list[AnyInput] = [
        Pair(),
        Swipe(JENNY),
        Swipe(STRANGER),
        Plug(),
        Charge(),
        Swipe(JENNY),
        Error(MessageName.RCD),
        PowerCycle(),
    ]
    for now, happened in enumerate(story):
        effects += point.handle(happened, float(now))
    streamed = msgspec.json.encode([effect for effect in effects if not isinstance(effect, StoreTransaction)]).decode()
    owner = WHITELIST[JENNY]
    for secret in (JENNY, STRANGER, owner.user_id, owner.user_name):
        assert secret not in streamed
    stored = [effect for effect in effects if isinstance(effect, StoreTransaction)]
    assert [effect.transaction.tag_id for effect in stored] == [JENNY]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"do":"plug"}', Plug()),
        ('{"do":"swipe","id":"abcdef12"}', Swipe("abcdef12")),
        ('{"do":"power-cycle"}', PowerCycle()),
        ('{"do":"error","name":"rcd"}', Error(MessageName.RCD)),
        ('{"do":"charge","ventilation":true}', Charge(ventilation=True)),
    ],
)
def test_an_input_is_an_object_that_says_what_to_do(text: str, expected: AnyInput) -> None:
    assert msgspec.json.decode(text, type=AnyInput) == expected
    assert msgspec.json.decode(msgspec.json.encode(expected), type=AnyInput) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"do":"fly"}',
        '{"do":"plug","id":"abcdef12"}',
        '{"do":"swipe"}',
        '{"do":"swipe","id":""}',
        '{"do":"swipe","id":"a b"}',
        '{"do":"swipe","id":"a,b"}',
        '{"do":"swipe","id":"a\\n"}',
        '{"do":"swipe","id":"\u00e4"}',
        '{"do":"swipe","id":"abcdef12","type":"rfid"}',
        '{"do":"error","name":"coffee"}',
        '{"do":"nfc","octets":-1}',
    ],
)
def test_what_is_no_input_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AnyInput)


def test_an_id_has_64_characters_at_most() -> None:
    assert msgspec.convert({"do": "swipe", "id": "x" * MAX_TAG_ID}, AnyInput) == Swipe("x" * 64)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"do": "swipe", "id": "x" * (MAX_TAG_ID + 1)}, AnyInput)
