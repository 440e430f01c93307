"""The idle message: what ndeflib, which others wrote, can read is taken, and the rest is refused."""

import contextlib
from io import BytesIO

import ndef
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nfcbridge.cli.idle import check_idle
from nfcbridge.errors import ConfigError

GOOD = [
    "D00000",
    "D101085402656E68656C6C6F",  # Text, short
    "C10100000008 5402656E68656C6C6F",  # the same, with four octets of length
    "D9010801 54 41 02656E68656C6C6F",  # the same, with the ID "A"
    "C901000000080154 41 02656E68656C6C6F",
    "9101085402656E68656C6C6F 51010855046E666362756C61",  # Text, then a URI
    "900000 100000 500000",
]

BAD = [
    ("500000", "is no NDEF message"),  # MB is missing
    ("900000", "is no NDEF message"),  # ME never comes
    ("900000 D00000", "is no NDEF message"),  # MB again
    ("F00000", "is no NDEF message"),  # a chunk
    ("D70000", "is no NDEF message"),  # TNF 7
    ("D0", "ends within a record"),
    ("D000", "ends within a record"),
    ("C00000000000"[:10], "ends within a record"),
    ("D80000", "ends within a record"),  # the length of the ID is missing
    ("D101085402656E68656C6C", "ends within a record"),
    ("C101FFFFFFFF54", "ends within a record"),
    ("D00000 00", "has 1 octets after"),
    ("D00000 D00000", "has 3 octets after"),
]


@pytest.mark.parametrize("message", GOOD)
def test_a_whole_message_is_taken(message: str) -> None:
    octets = bytes.fromhex(message)
    check_idle(octets, len(octets))


@pytest.mark.parametrize(("message", "words"), BAD)
def test_what_is_not_one_whole_message_is_refused(message: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_idle(bytes.fromhex(message), 100)


def test_a_message_that_does_not_fit_the_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="--idle has 3 octets; the file takes 2"):
        check_idle(bytes.fromhex("D00000"), 2)


@given(
    st.lists(
        st.builds(
            ndef.Record,
            st.sampled_from(["urn:nfc:wkt:T", "text/plain", "urn:nfc:ext:example.org:a"]),
            st.text("abc", max_size=3),
            st.sampled_from([b"", b"a", bytes(255), bytes(256)]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_ndeflib_writes_is_taken(records: list[ndef.Record]) -> None:
    message = b"".join(ndef.message_encoder(records))
    check_idle(message, len(message))


@given(st.binary(min_size=1, max_size=40))
@example(b"\xd0\x00\x00")
@example(b"\xd1\x01\x08T\x02enhello")
def test_any_octets_are_taken_or_refused_and_what_is_taken_ndeflib_reads_to_the_end(octets: bytes) -> None:
    try:
        check_idle(octets, 100)
    except ConfigError:
        return
    stream = BytesIO(octets)
    # ndeflib may dislike what a record of good form has for its type or ID.
    with contextlib.suppress(ndef.DecodeError, ValueError):
        assert list(ndef.message_decoder(stream, known_types={}))
        assert stream.tell() == len(octets)
