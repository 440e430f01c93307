"""What may be kept in the key-value store, and when."""

import msgspec
import pytest

from nfcbridge.charger.key_values import MAX_KEY, MAX_PAIRS, MAX_VALUE, Pairs, change_fault, new_fault
from nfcbridge.charger.policy import Failed, decode_body

DECODER: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(Pairs)


def decode(body: bytes) -> dict[str, str] | Failed:
    return decode_body(body, DECODER)


EXISTS = Failed(cause="key already exists")


def test_a_pair_that_is_there_cannot_be_added_and_one_that_is_not_cannot_be_changed() -> None:
    assert new_fault({"a": "1"}, {"b": "1"}) is None
    assert new_fault({"a": "1"}, {"b": "1", "a": "1"}) == EXISTS
    assert change_fault({"a": "1"}, {"a": "2"}) is None
    assert change_fault({"a": "1"}, {"a": "2", "b": "2"}) == Failed(cause="key not found")


def test_no_pairs_can_be_added_and_changed_at_any_time() -> None:
    full = {str(number): "" for number in range(MAX_PAIRS)}
    assert new_fault(full, {}) is None
    assert change_fault({}, {}) is None


def test_the_store_is_filled_to_its_limit_and_not_beyond() -> None:
    nearly = {str(number): "" for number in range(MAX_PAIRS - 1)}
    assert new_fault(nearly, {"a": ""}) is None
    assert new_fault(nearly, {"a": "", "b": ""}) == Failed(cause="too many entries")


@pytest.mark.parametrize("character", ["a", "\u00fc", "\U0001f600"])
def test_keys_and_values_are_counted_in_characters(character: str) -> None:
    longest = {character * MAX_KEY: character * MAX_VALUE}
    found = decode(msgspec.json.encode(longest))
    assert found == longest
    for pairs in ({character * (MAX_KEY + 1): ""}, {"a": "", "b": character * (MAX_VALUE + 1)}):
        assert isinstance(decode(msgspec.json.encode(pairs)), Failed)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"a":"","b":1}', "invalid parameter 'b'"),
        (b'{"a":"","b":null}', "invalid parameter 'b'"),
        (b'{"a":"","b":"' + b"x" * (MAX_VALUE + 1) + b'"}', "invalid parameter 'b'"),
        (b'{"":""}', "invalid parameter ''"),
        (b'{"' + b"k" * (MAX_KEY + 1) + b'":""}', f"invalid parameter '{'k' * MAX_KEY}'"),
        (b"[]", "invalid parameter 'body'"),
        (b"null", "invalid parameter 'body'"),
    ],
)
def test_the_pair_that_is_wrong_is_named(body: bytes, cause: str) -> None:
    assert decode(body) == Failed(cause=cause)
