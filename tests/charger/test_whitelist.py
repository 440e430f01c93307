"""What the commands of the whitelist make of it."""

import msgspec
import pytest
from msgspec import UNSET

from nfcbridge.charger.point.inputs import TagType
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.whitelist import (
    MAX_ENTRIES,
    MAX_NAME,
    MAX_NUMBER,
    MAX_USER_ID,
    GivenEntry,
    Priority,
    WhitelistEntry,
    added,
    deleted,
    edited,
)

LISTED = {"a": WhitelistEntry(id="a", tag_type=TagType.NFC, number=1, name="n", user_id="u", priority=Priority.HIGH)}


def test_what_is_not_given_with_a_new_tag_is_its_default_or_nothing() -> None:
    assert added({}, [GivenEntry(id="b")]) == {
        "b": WhitelistEntry(id="b", tag_type=TagType.RFID, priority=Priority.NORMAL)
    }


def test_what_is_given_with_a_new_tag_is_kept() -> None:
    given = msgspec.convert(
        {"id": "b", "tagType": "EVCCID", "number": 0, "name": "", "userid": "u", "priority": "HIGH"}, GivenEntry
    )
    assert added(LISTED, [given]) == {
        "b": WhitelistEntry(id="b", tag_type=TagType.EVCCID, number=0, name="", user_id="u", priority=Priority.HIGH)
    }


@pytest.mark.parametrize("ids", [["a"], ["b", "a"], ["b", "b"]])
def test_a_tag_that_is_there_already_cannot_be_added(ids: list[str]) -> None:
    assert added(LISTED, [GivenEntry(id=each) for each in ids]) == Failed(cause="id already exists")


def test_the_whitelist_is_filled_to_its_limit_and_not_beyond() -> None:
    full = {str(number): LISTED["a"] for number in range(MAX_ENTRIES - 2)}
    two = [GivenEntry(id="x"), GivenEntry(id="y")]
    assert list(added(full, two)) == ["x", "y"]  # type: ignore[arg-type]
    assert added(full, [*two, GivenEntry(id="z")]) == Failed(cause="too many entries")


def test_what_is_not_given_of_a_tag_that_is_edited_stays() -> None:
    assert edited(LISTED, [GivenEntry(id="a")]) == LISTED
    assert edited(LISTED, [GivenEntry(id="a", name="m")]) == {
        "a": WhitelistEntry(id="a", tag_type=TagType.NFC, number=1, name="m", user_id="u", priority=Priority.HIGH)
    }


def test_a_tag_can_be_edited_twice() -> None:
    edits = [GivenEntry(id="a", name="m"), GivenEntry(id="a", number=2)]
    changed = edited(LISTED, edits)
    assert not isinstance(changed, Failed)
    assert (changed["a"].name, changed["a"].number) == ("m", 2)


def test_a_tag_that_is_not_there_can_be_neither_edited_nor_deleted() -> None:
    assert edited(LISTED, [GivenEntry(id="a"), GivenEntry(id="b")]) == Failed(cause="id not found")
    assert deleted(LISTED, ["a", "b"]) == Failed(cause="id not found")


def test_a_tag_is_deleted_once_however_often_it_is_named() -> None:
    assert deleted(LISTED, ["a", "a"]) == ["a"]


def test_nothing_that_tells_who_it_is_is_told_without_uid() -> None:
    assert msgspec.to_builtins(LISTED["a"].without_uid()) == {
        "tagType": "NFC",
        "number": 1,
        "userid": "u",
        "priority": "HIGH",
    }
    assert LISTED["a"].without_uid().id is UNSET


# What an entry may be


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", "\U0001f600" * MAX_NAME, "x" * (MAX_NAME + 1)),
        ("userid", "x" * MAX_USER_ID, "x" * (MAX_USER_ID + 1)),
        ("number", MAX_NUMBER, MAX_NUMBER + 1),
        ("number", -MAX_NUMBER, -MAX_NUMBER - 1),
        ("number", 0, 0.5),
        ("number", 0, True),
        ("number", 0, None),
        ("tagType", "NFC", "nfc"),
        ("priority", "HIGH", "LOW"),
        ("id", "x" * 64, "x" * 65),
        ("id", "!", ""),
        ("id", "~", "a b"),
        ("id", "a", "a,b"),
        ("id", "a", "\u00fc"),
        ("id", "a", "a\n"),
    ],
)
def test_a_field_is_taken_up_to_its_limit(field: str, good: object, bad: object) -> None:
    msgspec.convert({"id": "a"} | {field: good}, GivenEntry)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "a"} | {field: bad}, GivenEntry)
