"""What must differ, and JSON paths."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.framing import Request
from nfcbridge.replay import json_paths, mapping
from nfcbridge.replay.mapping import Mapped

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def differences(first: Any, second: Any) -> list[str]:
    return [json_paths.describe(pair) for pair in json_paths.pairs(first, second)]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"session": {"role": "operator"}}, {"session": {"role": "user"}}, '$.session.role: "operator" became "user"'),
        ({"tags": [{"id": "a"}]}, {"tags": [{"id": "b"}]}, '$.tags[0].id: "a" became "b"'),
        ({"a": 1}, {}, "$.a: 1 is missing"),
        ({}, {"my key": 1}, '$["my key"]: 1 is new'),
        ([1], [1, 2], "$[1]: 2 is new"),
        (1, 1.0, "$: 1 became 1.0"),
        (True, 1, "$: true became 1"),
        (None, False, "$: null became false"),
        ([], {}, "$: [] became {}"),
    ],
)
def test_a_difference_is_told_with_its_path(first: object, second: object, said: str) -> None:
    assert differences(first, second) == [said]


def test_a_long_value_is_shortened() -> None:
    (said,) = differences("a" * 200, "b")
    assert said == '$: "' + "a" * 119 + '... (202 characters) became "b"'


def test_the_order_of_keys_makes_no_difference() -> None:
    assert differences({"a": 1, "b": 2}, {"b": 2, "a": 1}) == []


@given(JSON)
def test_a_document_does_not_differ_from_itself(document: Any) -> None:
    assert differences(document, json.loads(json.dumps(document))) == []


@given(JSON, JSON)
def test_two_documents_differ_if_their_octets_do(first: Any, second: Any) -> None:
    encoded = [json.dumps(each, sort_keys=True) for each in (first, second)]
    assert (differences(first, second) == []) is (
        encoded[0].replace("-0.0", "0.0") == encoded[1].replace("-0.0", "0.0")
    )


def test_what_is_no_json_is_compared_as_text() -> None:
    assert json_paths.decode(b"") is json_paths.MISSING
    assert json_paths.decode(b"{\xff") == "{\\xff"
    assert json_paths.decode(b"[" * 5000).startswith("[[[")
    assert differences(json_paths.MISSING, 1) == ["$: 1 is new"]


def learned(recorded: object, ours: object, mapped: Mapped | None = None) -> tuple[Mapped, list[str]]:
    mapped = mapped or Mapped({"operator": "op"})
    pairs = mapped.differences(msgspec.json.encode(recorded), msgspec.json.encode(ours))
    return mapped, [pair[0] for pair in pairs]


def test_ids_are_learned_once_and_one_for_one() -> None:
    mapped, paths = learned({"userId": "u1"}, {"userId": "v1"})
    assert paths == []
    assert learned({"userid": "u1"}, {"userid": "v1"}, mapped)[1] == []
    assert learned({"userid": "u1"}, {"userid": "v2"}, mapped)[1] == ["$.userid"]
    assert learned({"userid": "u2"}, {"userid": "v1"}, mapped)[1] == ["$.userid"]
    assert learned({"userid": "u2"}, {"userid": "v2"}, mapped)[1] == []


def test_a_uuid_is_an_id_whatever_it_is_called() -> None:
    ids = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
    assert learned([ids[0]], [ids[1]])[1] == []
    assert learned([ids[0]], ["x"])[1] == ["$[0]"]


def test_times_may_differ_and_other_text_may_not() -> None:
    assert learned({"t": "2019-11-23T19:35:43.511Z"}, {"t": "2024-01-01 00:00"})[1] == []
    assert learned({"t": "2019-11-23T19:35:43.511Z"}, {"t": "now"})[1] == ["$.t"]
    assert learned({"name": "a"}, {"name": "b"})[1] == ["$.name"]
    assert learned({"userId": 1}, {"userId": 2})[1] == ["$.userId"]


def test_requests_are_sent_with_our_ids() -> None:
    mapped, _ = learned({"session_id": "s1", "userId": "u/1"}, {"session_id": "s2", "userId": "v 1"})
    content = msgspec.json.encode({"userid": ["u/1", 5, {"x": "u/1"}], "u/1": None})
    request = mapped.request(Request("/users/u%2F1?ids=u%2F1,b", "GET", "s1", b"1", content), accepted=True)
    assert (request.path, request.authorization) == ("/users/v%201?ids=v%201,b", "s2")
    assert json.loads(request.content) == {"userid": ["v 1", 5, {"x": "v 1"}], "u/1": None}
    assert mapped.request(Request("/", "GET", "bearer s1", b"1"), accepted=True).authorization == "bearer s2"
    assert mapped.request(Request("/", "GET", "s3", b"1"), accepted=True).authorization == "s3"


@pytest.mark.parametrize(
    ("content", "accepted", "hashed"),
    [
        ({"username": "operator", "password": "recorded"}, True, True),
        ({"username": "operator", "password": "recorded"}, False, False),
        ({"username": "user", "password": "recorded"}, True, False),
        ({"password": "recorded"}, True, False),
        ({"username": ["operator"], "password": "recorded"}, True, False),
        (["operator"], True, False),
    ],
)
def test_a_login_that_was_accepted_is_sent_with_our_hash(content: object, accepted: bool, hashed: bool) -> None:
    mapped, _ = learned({"token": "t1"}, {"token": "t2"})
    request = Request("/login", "POST", None, b"1", msgspec.json.encode(content))
    sent = json.loads(mapped.request(request, accepted=accepted).content)
    assert (sent != content) is hashed
    # printf 'opt2' | sha256sum
    assert not hashed or sent["password"] == "d036c9f4b880ed6c450882f68152dc97decb01c214faa5ad8db83b626da0e4e7"


def test_content_without_ids_keeps_its_octets() -> None:
    content = b'{"a":1e400,"b":"\\u0041"}'
    assert Mapped({}).request(Request("/", "POST", content=content), accepted=True).content == content


def test_a_login_without_a_token_is_sent_as_it_is() -> None:
    content = b'{"username":"operator","password":"x"}'
    assert (
        Mapped({"operator": "op"}).request(Request("/login", "POST", content=content), accepted=True).content == content
    )


def test_the_oldest_ids_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MAX_KNOWN", 2)
    mapped = Mapped({})
    for number in range(3):
        assert learned({"userId": f"u{number}"}, {"userId": f"v{number}"}, mapped)[1] == []
    paths = [mapped.request(Request(f"/{name}", "GET"), accepted=True).path for name in ("u0", "u1", "u2")]
    assert paths == ["/u0", "/v1", "/v2"]
