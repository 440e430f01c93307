r"""What stands in the place of a secret: of the same length, always the same for the same secret, and of its look.

    04A2B3C4-...   hex digits become hex digits, and a UUID stays one of its version
    abcXYZ09!      letters become letters of the same case, digits digits, other signs signs that need no escape
    Müller         letters past ASCII become letters that take as many octets in UTF-8 and in UTF-16

The secret in capitals has the replacement in capitals, since chargers compare tag ids without regard to case. A secret
may be written in several ways (with \u escapes of JSON, with %XX of a query): each is replaced in its own way.
"""

import hmac
import re
import secrets
from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

KEY_OCTETS: Final = 32
TRIES: Final = 100
"""Replacements that are tried for one that is nobody's; short secrets may have no more."""

_HEX: Final = "0123456789abcdef"
_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_SMALL: Final = str.maketrans(_LETTERS.upper(), _LETTERS)
_SIGNS: Final = "!$*-.@_~()"
_KEPT: Final = frozenset('"\\/,%&: ')
"""Signs that stay: they have a meaning in JSON, in a query or in a list."""

_HEX_LIKE: Final = re.compile(r"[0-9a-fA-F:-]{4,}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_VERSION_AT, _VARIANT_AT = 14, 19
_ESCAPE: Final = re.compile(r"\\u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\.|.", re.DOTALL)
_HIGH_SURROGATE: Final = re.compile(r"\\u[dD][89abAB]")
_PERCENT: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+|.", re.DOTALL)

# Letters by the octets that they take in UTF-8: where they begin, and how many there are.
_WIDE: Final = ((0x800, 0x0100, 0x80), (0x1_0000, 0x4E00, 0x4000), (0x11_0000, 0x1_F600, 0x40))


class Disguise:
    """Makes replacements.

    Args:
        key: by which the same secret gets the same replacement in several files; None: one for this object alone.

    Attributes:
        taken: what no replacement may be: the secrets, and the replacements that were given.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(KEY_OCTETS) if key is None else key
        self._given: dict[str, str] = {}
        self.taken: set[str] = set()

    def replace(self, secret: str) -> str:
        """What stands in the place of a secret."""
        name = secret.translate(_SMALL)
        if (given := self._given.get(name)) is None:
            given = self._given[name] = self._make(name)
        if _HEX_LIKE.fullmatch(secret):  # a digit may have become a letter
            return given.upper() if secret.isupper() else given
        return "".join(map(_like, secret, given))

    def keep(self, secret: str, replacement: str) -> None:
        """Decide what stands in the place of a secret."""
        self._given[secret.translate(_SMALL)] = replacement.translate(_SMALL)

    def _make(self, name: str) -> str:
        made = name
        for attempt in range(TRIES):
            made = "".join(self._signs(name, attempt))
            if made != name and made not in self.taken:
                break
        self.taken.add(made)
        return made

    def _signs(self, name: str, attempt: int) -> Iterator[str]:
        numbers = self._numbers(name, attempt)
        uuid = _UUID.fullmatch(name) is not None
        digits = _HEX if _HEX_LIKE.fullmatch(name) else _DIGITS
        letters = _HEX[10:] if digits is _HEX else _LETTERS
        for at, sign in enumerate(name):
            number = next(numbers)
            if uuid and at == _VERSION_AT:
                yield sign
            elif uuid and at == _VARIANT_AT:
                yield "89ab"[number % 4]
            elif digits is _HEX and sign in _HEX:
                yield _HEX[number % 16]
            elif sign in _DIGITS:
                yield digits[number % 10]
            elif sign in _LETTERS:
                yield letters[number % len(letters)]
            else:
                yield _other(sign, number, hex_like=digits is _HEX)

    def _numbers(self, name: str, attempt: int) -> Iterator[int]:
        counter = 0
        while True:
            seed = f"{attempt}:{counter}:{name}".encode("utf-8", "surrogatepass")
            digest = hmac.digest(self._key, seed, sha256)
            for at in range(0, len(digest), 4):
                yield int.from_bytes(digest[at : at + 4])
            counter += 1


def _other(sign: str, number: int, *, hex_like: bool) -> str:
    """In the place of a sign that is neither letter nor digit of ASCII."""
    code = ord(sign)
    if code < 0x80:  # noqa: PLR2004 - ASCII
        return sign if hex_like or sign in _KEPT or not sign.isprintable() else _SIGNS[number % len(_SIGNS)]
    if 0xD800 <= code < 0xE000:  # noqa: PLR2004 - half of a pair has no octets of its own
        return sign
    return next(chr(first + number % count) for end, first, count in _WIDE if code < end)


def _like(sign: str, replacement: str) -> str:
    """A replacement in the case of the sign."""
    return replacement.upper() if sign.isupper() and replacement.isascii() else replacement


def read_json_text(raw: str) -> str:
    """What the inside of a JSON string says; escapes that are none stay."""
    if "\\" not in raw:
        return raw
    return "".join(said for _, said in _json_signs(raw))


def replace_json_text(raw: str, disguise: Disguise) -> str:
    """The inside of a JSON string with what it says replaced, each sign written as it was."""
    if "\\" not in raw:
        return disguise.replace(raw)
    parts = list(_json_signs(raw))
    replaced = iter(disguise.replace("".join(said for _, said in parts)))
    made = []
    for part, said in parts:
        signs = "".join(next(replaced) for _ in said)
        if part == said:
            made.append(signs)
        elif part.startswith("\\u"):
            units = signs.encode("utf-16-be", "surrogatepass")
            made.append("".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)))
        else:
            made.append(part)
    return "".join(made)


_SHORT_ESCAPES: Final = {
    '\\"': '"',
    "\\\\": "\\",
    "\\/": "/",
    "\\b": "\b",
    "\\f": "\f",
    "\\n": "\n",
    "\\r": "\r",
    "\\t": "\t",
}


def _json_signs(raw: str) -> Iterator[tuple[str, str]]:
    """Each sign as it is written, and what it says."""
    at = 0
    while found := _ESCAPE.match(raw, at):
        part = found.group()
        if part.startswith("\\u") and len(part) > 6 and not _HIGH_SURROGATE.match(part):  # noqa: PLR2004 - two escapes that are no pair
            part = part[:6]
        at += len(part)
        if part.startswith("\\u") and len(part) >= 6:  # noqa: PLR2004
            units = bytes.fromhex(part.replace("\\u", ""))
            yield part, units.decode("utf-16-be", "surrogatepass")
        else:
            yield part, _SHORT_ESCAPES.get(part, part)


def read_query_text(raw: str) -> str:
    """What a part of a query says."""
    return unquote(raw)


def replace_query_text(raw: str, disguise: Disguise) -> str:
    """A part of a query with what it says replaced, each sign written as it was."""
    parts = [(part, unquote(part)) for part in _PERCENT.findall(raw)]
    replaced = iter(disguise.replace("".join(said for _, said in parts)))
    made = []
    for part, said in parts:
        signs = "".join(next(replaced) for _ in said)
        if part == said:
            made.append(signs)
        else:
            octets = "".join(f"%{octet:02X}" for octet in signs.encode("utf-8", "replace"))
            made.append(octets if len(octets) == len(part) else part)
    return "".join(made)
