"""Queries become structs."""

from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from nfcbridge.charger.policy import Failed, RefusedError
from nfcbridge.charger.query import QueryReader


class Query(msgspec.Struct, rename={"since": "from"}):
    type: Literal["local"]
    ids: Annotated[str, Meta(max_length=5)] = ""
    since: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET


READER = QueryReader(Query)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"type=local", Query("local")),
        (b"type=local&other=1", Query("local")),
        (b"type=local&ids=", Query("local")),
        (b"type=local&ids=a,b%2Cc", Query("local", "a,b,c")),
        (b"type=local&ids=a&ids=b", Query("local", "a,b")),
        (b"type=local&ids=a+b%20c", Query("local", "a b c")),
        (
            b"type=local&ids=%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80",
            Query("local", "\U0001f600" * 5),
        ),
        ("type=local&ids=\u00fc".encode(), Query("local", "\u00fc")),
        (b"type=local&ids=%FF\xff", Query("local", "\ufffd\ufffd")),
        (
            b"from=2019-11-23T19:35:43.511Z&type=local",
            Query("local", "", datetime(2019, 11, 23, 19, 35, 43, 511000, UTC)),
        ),
    ],
)
def test_a_query_is_read(query: bytes, found: Query) -> None:
    assert READER.read(query) == found


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        (b"", "missing parameter 'type'"),
        (b"ids=a", "missing parameter 'type'"),
        (b"type", "invalid parameter 'type'"),
        (b"type=", "invalid parameter 'type'"),
        (b"type=LOCAL", "invalid parameter 'type'"),
        (b"type=local&type=local", "invalid parameter 'type'"),
        (b"type=local&from=", "invalid parameter 'from'"),
        (b"type=local&from=0", "invalid parameter 'from'"),
        (b"type=local&from=null", "invalid parameter 'from'"),
        (b"type=local&from=2019-11-23", "invalid parameter 'from'"),
        (b"type=local&from=2019-11-23T19:35:43.511", "invalid parameter 'from'"),
        (b"type=local&from=2019-02-29T19:35:43.511Z", "invalid parameter 'from'"),
        (b"type=local&from=2019-11-23T24:00:00.000Z", "invalid parameter 'from'"),
        (b"type=local&from=2019-11-23T19:35:43.511+01:00", "invalid parameter 'from'"),  # + is a space
    ],
)
def test_what_is_missing_or_wrong_is_named(query: bytes, cause: str) -> None:
    assert READER.read(query) == Failed(cause=cause)


@pytest.mark.parametrize("query", [b"ids=abcdef", b"type=local&ids=ab&ids=cde", b"ids=" + b"%C3%BC" * 6])
def test_one_character_too_many_is_414(query: bytes) -> None:
    with pytest.raises(RefusedError, match="ids has more than 5 characters") as caught:
        READER.read(query)
    assert caught.value.status == HTTPStatus.REQUEST_URI_TOO_LONG


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"type=local", b"ids=", b"from=", b"&", b"=", b"%", b"%E2%82"])).map(b"".join)
)
def test_any_octets_are_a_query_or_not_and_nothing_else(query: bytes) -> None:
    with suppress(RefusedError):
        assert isinstance(READER.read(query), Query | Failed)
