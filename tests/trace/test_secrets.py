"""Where secrets stand in octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.trace.secrets import SecretKind, find_secrets

ID = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"
HASH = "b8098f9af264d6e287cbe6ea5c3d16bc32277fdd43b50e1ed9b865aa00112233"


def found(text: str | bytes, *, names: bool = False) -> set[tuple[SecretKind, str, bool]]:
    octets = text.encode() if isinstance(text, str) else text
    return {(each.kind, each.said, each.whole) for each in find_secrets(octets, names=names)}


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('"authorization":"abc1"', SecretKind.SESSION, "abc1"),
        ('"Authorization" : "bearer abc1"', SecretKind.SESSION, "abc1"),
        ('"sessionId":"abc1"', SecretKind.SESSION, "abc1"),
        ('"path":"/whitelist/04a2"', SecretKind.TAG, "04a2"),
        ('"authorization" : "Bearer abc1"', SecretKind.SESSION, "abc1"),
        (r'"authorization":"\u0061bc1"', SecretKind.SESSION, "abc1"),
        ('{"session":{"session_id":"abc1"}}', SecretKind.SESSION, "abc1"),
        ('{"token":">2BGLs|@|TI"}', SecretKind.TOKEN, ">2BGLs|@|TI"),
        ('"password":"plain one"', SecretKind.PASSWORD, "plain one"),
        (f'"password":"{HASH}"', SecretKind.HASH, HASH),
        ('"password":"b8098f9af264d6e287cbe6ea5c3d16bc32277fdd43b50e1ed9b865"', SecretKind.HASH, HASH[:54]),
        ('{"key":"Password_wlan","value":"hunter2"}', SecretKind.PASSWORD, "hunter2"),
        ('{"value":"hunter2","key":"Password_wlan"}', SecretKind.PASSWORD, "hunter2"),
        ('{"Password_backend":"hunter2"}', SecretKind.PASSWORD, "hunter2"),
        ('{"Password_backend":{"value":"hunter2"}}', SecretKind.PASSWORD, "hunter2"),
        ('{"tagId":"04a2"}', SecretKind.TAG, "04a2"),
        ('{"id":"04a2","tagType":"RFID"}', SecretKind.TAG, "04a2"),
        ('"tags":[{"id":"04a2"}]', SecretKind.TAG, "04a2"),
        ('"tags":["04a2"]', SecretKind.TAG, "04a2"),
        ('"path":"/whitelist?type=local&ids=04a2"', SecretKind.TAG, "04a2"),
        ('"path":"/whitelist?ids=%30%34a2&type=local"', SecretKind.TAG, "04a2"),
        ('do = "swipe"\nid = "04a2"', SecretKind.TAG, "04a2"),
    ],
)
def test_a_secret_is_found_by_the_name_before_it(text: str, kind: SecretKind, said: str) -> None:
    assert (kind, said, True) in found(text)


def test_several_ids_in_a_query_and_in_a_list_are_several() -> None:
    several = {(SecretKind.TAG, said, True) for said in ("a1", "b2", "c3")}
    assert found('"/whitelist?ids=a1,b2%2Cc3&type=local"') == several
    assert found('"/whitelist?ids=a1,,b2%2cc3"') == several
    assert found('"ids":["a1", "b2","c3"]') == several


def test_ids_are_found_by_their_look() -> None:
    assert found(f"x{ID[1:]} {ID}") == {(SecretKind.OTHER_ID, ID, True)}
    assert found(f"<{HASH}>") == {(SecretKind.HASH, HASH, True)}
    assert found(f"{HASH}0") == set()


def test_a_secret_that_breaks_off_is_a_part() -> None:
    assert found('"authorization":"abc') == {(SecretKind.SESSION, "abc", False)}
    assert found('"authorization":"abc\\') == {(SecretKind.SESSION, "abc", False)}
    assert found('"path":"/whitelist?ids=a1,b') == {(SecretKind.TAG, "a1", True), (SecretKind.TAG, "b", False)}


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"backend-disconnected","type":"error"}',
        '"authorization":null,"authorization":""',
        '{"name":"settings","result":{"Enabled_wlan":true}}',
        "",
        '"path":"/settings?params=RfidMode_rfid"',
        '"path":"/whitelist/pairing"',
    ],
)
def test_what_is_no_secret_is_not_found(text: str) -> None:
    assert found(text, names=True) == set()


def test_names_are_found_if_they_are_asked_for() -> None:
    text = '{"userName":"Jenny","tagId":"04a2"}'
    assert (SecretKind.NAME, "Jenny", True) in found(text, names=True)
    assert (SecretKind.NAME, "Jenny", True) not in found(text)


@given(octets=st.binary() | st.text('"\\:,{}[]=&?idtokenpasswordtagsvalue_ ').map(str.encode))
def test_any_octets_are_searched(octets: bytes) -> None:
    for each in find_secrets(octets, names=True):
        assert 0 <= each.begin < each.end <= len(octets)
