"""What stands in the place of a secret."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.trace.disguise import Disguise, read_json_text, read_query_text, replace_json_text, replace_query_text

KEY = bytes(32)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_uuid_stays_one_of_its_version() -> None:
    replaced = Disguise(KEY).replace("cdc630cd-5e5f-4587-8a1a-a2e83ae990b5")
    assert UUID.fullmatch(replaced)
    assert replaced != "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"


@pytest.mark.parametrize(
    ("secret", "look"),
    [
        ("04a2b3c4", "[0-9a-f]{8}"),
        ("04A2B3C4", "[0-9A-F]{8}"),
        ("04:A2:B3:C4", "([0-9A-F]{2}:){3}[0-9A-F]{2}"),
        ("abcXYZ09", "[a-z]{3}[A-Z]{3}[0-9]{2}"),
        (">2BGLs|@|TIY", r"[!$*\-.@_~()][0-9][A-Z]{3}[a-z][!$*\-.@_~()]{3}[A-Z]{3}"),
        ('a"b\\c/d,e%f&g:h i', r'[a-z]"[a-z]\\[a-z]/[a-z],[a-z]%[a-z]&[a-z]:[a-z] [a-z]'),
        ("x\ny", "[a-z]\n[a-z]"),
    ],
)
def test_a_replacement_looks_like_the_secret(secret: str, look: str) -> None:
    replaced = Disguise(KEY).replace(secret)
    assert re.fullmatch(look, replaced)
    assert replaced != secret


def test_a_secret_has_one_replacement_with_the_same_key_in_whatever_case() -> None:
    disguise = Disguise(KEY)
    assert disguise.replace("04a2b3c4") == Disguise(KEY).replace("04a2b3c4")
    assert disguise.replace("04A2B3C4") == disguise.replace("04a2b3c4").upper()
    assert Disguise().replace("04a2b3c4d5e6f7a8") != Disguise().replace("04a2b3c4d5e6f7a8")


def test_no_two_secrets_have_one_replacement_and_none_is_a_secret() -> None:
    disguise = Disguise(KEY)
    originals = [str(number) for number in range(50, 90)]
    disguise.taken.update(originals)
    replaced = [disguise.replace(secret) for secret in originals]
    assert len(set(replaced)) == len(originals)
    assert not set(replaced) & set(originals)


def test_where_there_is_no_other_replacement_one_is_taken_nevertheless() -> None:
    disguise = Disguise(KEY)
    assert len({disguise.replace(str(number)) for number in range(10)}) <= 10
    assert disguise.replace("::") == "::"


def test_a_replacement_may_be_chosen() -> None:
    disguise = Disguise(KEY)
    disguise.keep("08A1B2C3", "08FFFFFF")
    assert (disguise.replace("08a1b2c3"), disguise.replace("08A1B2C3")) == ("08ffffff", "08FFFFFF")


@given(secret=st.text(min_size=1))
def test_a_replacement_takes_as_many_octets(secret: str) -> None:
    replaced = Disguise(KEY).replace(secret)
    for encoding in ("utf-8", "utf-16-be"):
        assert len(replaced.encode(encoding, "surrogatepass")) == len(secret.encode(encoding, "surrogatepass"))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("plain", "plain"),
        (r"\u0063dc", "cdc"),
        (r"a\"b\\c\/d\n", 'a"b\\c/d\n'),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83dx", "\ud83dx"),
        (r"\u0041\udc00", "A\udc00"),
        (r"\q\u12", r"\q\u12"),
    ],
)
def test_the_inside_of_a_json_string_is_read(raw: str, said: str) -> None:
    assert read_json_text(raw) == said


def test_a_secret_is_replaced_in_the_way_in_which_it_is_written() -> None:
    disguise = Disguise(KEY)
    plain = disguise.replace("cdc630cd")
    assert replace_json_text("cdc630cd", disguise) == plain
    assert replace_json_text(r"\u0063dc630cd", disguise) == f"\\u{ord(plain[0]):04x}{plain[1:]}"
    assert read_json_text(replace_json_text(r"\ud83d\ude00z", disguise)) == disguise.replace("\U0001f600z")
    assert replace_json_text(r"a\"b", disguise)[1:3] == r"\""
    assert replace_query_text("cdc630cd", disguise) == plain
    assert replace_query_text("%63dc630cd", disguise) == f"%{ord(plain[0]):02X}{plain[1:]}"
    assert len(replace_query_text("%FFz", disguise)) == 4


@given(raw=st.text())
def test_written_secrets_keep_their_length(raw: str) -> None:
    disguise = Disguise(KEY)
    replaced = replace_json_text(raw, disguise)
    assert len(replaced.encode("utf-8", "surrogatepass")) == len(raw.encode("utf-8", "surrogatepass"))
    assert read_json_text(replaced) == disguise.replace(read_json_text(raw))


@given(said=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_query_says_the_replacement_of_what_it_said(said: str) -> None:
    disguise = Disguise(KEY)
    raw = "".join(f"%{octet:02X}" for octet in said.encode())
    replaced = replace_query_text(raw, disguise)
    assert len(replaced) == len(raw)
    assert read_query_text(replaced) == disguise.replace(said)
