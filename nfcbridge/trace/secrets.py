r"""Where secrets stand in octets, whole messages or parts of them: by the names before them, and by their look.

    "authorization":"cdc630cd-..."    "session_id":"..."    "token":"..."    "password":"64 digits, or plain"
    "tagId":"..."    "id":"..." beside "tagType" or "tags"    "tags":["...", "..."]
    ?type=local&ids=...,...    /whitelist/...
    "key":"Password_wlan","value":"..."    "Password_wlan":"..."
    UUIDs and strings of 64 hex digits anywhere

No message is parsed for it, so that what is half there, split or broken is searched like what is whole.
"""

import enum
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from nfcbridge.trace.disguise import read_json_text, read_query_text


class SecretKind(enum.Enum):
    """What a secret is."""

    SESSION = "session id"
    TOKEN = "login token"  # noqa: S105 - a word
    HASH = "password hash"
    PASSWORD = "password"  # noqa: S105 - a word
    TAG = "tag id"
    UID = "UID of the card"
    OTHER_ID = "other id"
    NAME = "name"


class Written(enum.Enum):
    """How a secret is written."""

    JSON = "in a JSON string"
    QUERY = "in a query"


class Found(Struct, frozen=True):
    """A secret somewhere.

    Attributes:
        kind: what it is.
        begin, end: where it stands in the octets.
        said: what it says.
        written: how.
        whole: its end is there.
    """

    kind: SecretKind
    begin: int
    end: int
    said: str
    written: Written = Written.JSON
    whole: bool = True


_STRING: Final = rb'"((?:[^"\\]|\\.)*)(\\?)("|\Z)'
_IN_TAGS: Final = re.compile(rb'"tagType"|"tags"|/whitelist|\bdo"\s*:\s*"swipe')
_IN_PEOPLE: Final = re.compile(rb'"userName"|"users"|/users|"tagType"|"role"')

# A name has 64 octets on either side of the word at most, lest a long string is searched from each of its octets.
_NAMED: Final = (
    (
        SecretKind.SESSION,
        re.compile(rb'"authorization"\s*:\s*"(?:bearer )?((?:[^"\\]|\\.)*)(\\?)("|\Z)', re.IGNORECASE),
    ),
    (SecretKind.SESSION, re.compile(rb'"session_?id"\s*:\s*' + _STRING, re.IGNORECASE)),
    (SecretKind.TOKEN, re.compile(rb'"token"\s*:\s*' + _STRING)),
    (SecretKind.PASSWORD, re.compile(rb'"(?:new_?|old_?)?password"\s*:\s*' + _STRING, re.IGNORECASE)),
    (
        SecretKind.PASSWORD,
        re.compile(
            rb'"key"\s*:\s*"[^"\\]{0,64}(?:password|passphrase|secret|psk|pin_)[^"\\]{0,64}"\s*,\s*"value"\s*:\s*'
            + _STRING,
            re.IGNORECASE,
        ),
    ),
    (
        SecretKind.PASSWORD,
        re.compile(
            rb'"value"\s*:\s*"((?:[^"\\]|\\.)*)(\\?)(")\s*,\s*"key"\s*:\s*"[^"\\]{0,64}(?:password|passphrase|secret|psk|pin_)',
            re.IGNORECASE,
        ),
    ),
    (
        SecretKind.PASSWORD,
        re.compile(
            rb'"[^"\\]{0,64}(?:password|passphrase|secret|psk|pin)_[^"\\]{0,64}"\s*:\s*(?:\{\s*"value"\s*:\s*)?'
            + _STRING,
            re.IGNORECASE,
        ),
    ),
    (SecretKind.TAG, re.compile(rb'"(?:tagId|tag_id|idTag|rfid|uid)"\s*:\s*' + _STRING)),
    (SecretKind.TAG, re.compile(rb'\bid\s*=\s*\\?"([^"\\]*)()(\\?"|\Z)')),  # of a scenario
)
_TAG_ID: Final = re.compile(rb'"id"\s*:\s*' + _STRING)
_TAG_LIST: Final = re.compile(rb'"(?:tags|ids)"\s*:\s*\[([^\]{]*)')
_LISTED: Final = re.compile(_STRING)
_NAME: Final = re.compile(rb'"(?:name|userName)"\s*:\s*' + _STRING)
_QUERY: Final = re.compile(rb"[?&](?:ids|id|tag|tagId)=([^&\"\s]*)")
_PATH: Final = re.compile(rb"/(?:whitelist|tags?|rfid)/(?!pairing\b)([^/?&\"\s\\]+)")
_SEPARATOR: Final = re.compile(rb",|%2[Cc]")
_UUID: Final = re.compile(
    rb"(?<![0-9a-fA-F])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"
)
_DIGEST: Final = re.compile(rb"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_HASH: Final = re.compile(r"[0-9a-fA-F]{40,64}")


def find_secrets(octets: bytes, *, names: bool = False) -> Iterator[Found]:
    """The secrets in octets; one may be found twice.

    Args:
        octets: of a message, or of any part of one.
        names: names of people are secrets too.
    """
    yield from _find_quoted(octets, names=names)
    for pattern, sign in ((_QUERY, b"="), (_PATH, b"/")):
        if sign in octets:
            for match in pattern.finditer(octets):
                yield from _in_query(octets, *match.span(1))
    for kind, pattern in ((SecretKind.OTHER_ID, _UUID), (SecretKind.HASH, _DIGEST)):
        for match in pattern.finditer(octets):
            yield Found(kind, match.start(), match.end(), match.group().decode("ascii"))


def _find_quoted(octets: bytes, *, names: bool) -> Iterator[Found]:
    """Those in strings, behind a name."""
    if b'"' not in octets:
        return
    for kind, pattern in _patterns_for(octets, names=names):
        for match in pattern.finditer(octets):
            yield from _quoted(kind, match)
    for listed in _TAG_LIST.finditer(octets):
        for match in _LISTED.finditer(octets, *listed.span(1)):
            yield from _quoted(SecretKind.TAG, match)


def _patterns_for(octets: bytes, *, names: bool) -> Iterator[tuple[SecretKind, re.Pattern[bytes]]]:
    """What to look for: `id` and `name` are names of many things, and only here and there of tags and of people."""
    yield from _NAMED
    if _IN_TAGS.search(octets):
        yield SecretKind.TAG, _TAG_ID
    if names and _IN_PEOPLE.search(octets):
        yield SecretKind.NAME, _NAME


def _quoted(kind: SecretKind, match: re.Match[bytes]) -> Iterator[Found]:
    begin, end = match.span(1)
    if begin == end:
        return
    said = read_json_text(match.group(1).decode("utf-8", "surrogateescape"))
    if kind is SecretKind.PASSWORD and _HASH.fullmatch(said):
        kind = SecretKind.HASH
    yield Found(kind, begin, end, said, whole=bool(match.group(3)))


def _in_query(octets: bytes, begin: int, end: int) -> Iterator[Found]:
    at = begin
    while at <= end:
        separator = _SEPARATOR.search(octets, at, end)
        stop = separator.start() if separator else end
        if stop > at:
            said = read_query_text(octets[at:stop].decode("utf-8", "surrogateescape"))
            yield Found(SecretKind.TAG, at, stop, said, Written.QUERY, whole=stop < len(octets))
        at = separator.end() if separator else end + 1
