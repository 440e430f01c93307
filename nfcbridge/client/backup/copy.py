"""The file of a backup: JSON, with a version.

    {"nfcbridge_backup": 1, "created": "2026-05-04T10:00:00Z", "charger": {"serialNumber": "..."}, "role": "operator",
     "settings": {"Apn_modem": "internet"}, "users": [{"userId": "...", "userName": "Jenny"}],
     "whitelist": [{"id": "abcdef12", "tagType": "RFID", "priority": "NORMAL"}], "pairs": {"key": "value"}}

A part that was not asked for is left out. Settings are those that the role may write, without passwords, which a
charger tells nobody.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from nfcbridge.errors import ConfigError
from nfcbridge.whole import open_whole

VERSION: Final = 1
"""The value of `nfcbridge_backup`."""

MAX_FILE: Final = 64_000_000
"""Octets of the largest file: 10,000 users, as many entries and 1,000 pairs, each as long as can be, are 20 MB."""

PARTS: Final = ("settings", "users", "whitelist", "pairs")
"""What a charger keeps, in the order in which it is told."""


WORDS: Final = {"whitelist": "whitelist entries"}
"""What entries of a part are called, where that is not the name of the part."""


class User(Struct, frozen=True, rename="camel"):
    """A user of the charge point."""

    user_id: str
    user_name: str


class Tag(Struct, frozen=True, kw_only=True, rename={"tag_type": "tagType", "user_id": "userid"}):
    """An entry of the whitelist."""

    id: str
    tag_type: str = "RFID"
    number: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    priority: str = "NORMAL"


class Copy(Struct, kw_only=True):
    """What a charger keeps.

    Attributes:
        created: wall time in UTC, ISO 8601.
        charger: who it was, as it told itself.
        role: who read it; another role may see other settings.
        settings: values by key.
        users: in the order of the charger.
        whitelist: in the order of the charger.
        pairs: of the key-value store.
    """

    nfcbridge_backup: int = VERSION
    created: str = ""
    charger: dict[str, Any] = {}
    role: str = ""
    settings: dict[str, Any] | UnsetType = UNSET
    users: list[User] | UnsetType = UNSET
    whitelist: list[Tag] | UnsetType = UNSET
    pairs: dict[str, str] | UnsetType = UNSET

    def parts(self) -> list[str]:
        """The names of the parts that it has."""
        return [part for part in PARTS if getattr(self, part) is not UNSET]

    def only(self, parts: list[str]) -> "Copy":
        """The same with no other parts than these."""
        return msgspec.structs.replace(self, **{part: UNSET for part in PARTS if part not in parts})

    def words(self) -> str:
        """How many entries each of its parts has, for people."""
        return ", ".join(f"{count} {WORDS.get(part, part)}" for part, count in self.count().items())

    def count(self) -> dict[str, int]:
        """How many entries each of its parts has."""
        return {part: len(getattr(self, part)) for part in self.parts()}


def read_copy(path: Path) -> Copy:
    """Read the file of a backup.

    Raises:
        ConfigError: it is none, or something in it contradicts itself; all that is wrong, with what to do.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        octets = file.read(MAX_FILE + 1)
    if len(octets) > MAX_FILE:
        raise ConfigError(f"{path} has more than {MAX_FILE} octets: this is no backup")
    try:
        copy = msgspec.json.decode(octets, type=Copy)
        given = msgspec.json.decode(octets)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no backup ({error}): `nfcbridge backup FILE` makes one") from error
    if "nfcbridge_backup" not in given:
        raise ConfigError(f"{path} is no backup: `nfcbridge backup FILE` makes one")
    if copy.nfcbridge_backup != VERSION:
        raise ConfigError(f"{path} is a backup of version {copy.nfcbridge_backup}: update nfcbridge to restore it")
    for what, ids in (
        ("userId", [user.user_id for user in copy.users or ()]),
        ("id of the whitelist", [tag.id for tag in copy.whitelist or ()]),
    ):
        twice = {each for each in ids if ids.count(each) > 1} if len(set(ids)) < len(ids) else set()
        if twice:
            raise ConfigError(f"{path}: the {what} {min(twice)} is there twice: leave one of them out")
    return copy


def check_place(path: Path) -> None:
    """Refuse a place where no backup can be written, before anybody was asked for anything.

    Raises:
        ConfigError: a device or a pipe, that would be replaced; a folder or file that may not be written.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        raise ConfigError(f"{path} is no file, and a backup would take its place: name a file")
    if place.exists() and not os.access(place, os.W_OK):
        raise ConfigError(f"{path} may not be written: name another file")
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as error:
        raise ConfigError(
            f"{place.parent}: {error.strerror}; name a FILE in a folder that is there and may be written"
        ) from error


def write_copy(path: Path, copy: Copy) -> None:
    """Write the file of a backup, whole or not at all, for its owner alone: it has names and tag ids.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    octets = msgspec.json.format(msgspec.json.encode(copy), indent=2) + b"\n"
    with open_whole(path, lasting=True) as file:
        file.write(octets)
