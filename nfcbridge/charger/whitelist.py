"""The local whitelist: what an entry is, and what its commands make of it. All of a command, or nothing.

add      every tag is new                 what is not given gets its default: RFID, NORMAL, and no more
edit     every tag is there already       what is not given stays
delete   every tag is there
clear    -
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nfcbridge.charger.point.inputs import TagId, TagType
from nfcbridge.charger.policy import Failed, failed

# Entries, 4 MiB at most: a town's cards.
MAX_ENTRIES: Final = 10_000
# Characters of an alias name: those that a user name may have.
MAX_NAME: Final = 255
# Characters of a user's id. A UUID has 36; the samples of the reference have 36 too and are none.
MAX_USER_ID: Final = 64
# Beyond it an integer is not the same for everybody who reads JSON (RFC 8259, section 6).
MAX_NUMBER: Final = 2**53 - 1

AliasNumber = Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
AliasName = Annotated[str, Meta(max_length=MAX_NAME)]
UserId = Annotated[str, Meta(max_length=MAX_USER_ID)]


class Priority(StrEnum):
    """The priority of an entry."""

    NORMAL = "NORMAL"
    HIGH = "HIGH"


class WhitelistEntry(msgspec.Struct, frozen=True, kw_only=True, rename={"tag_type": "tagType", "user_id": "userid"}):
    """An entry as it is told, or a tag that pairing mode read: of one that is not listed only id and type are known.

    Attributes:
        id: the tag; in the mode without UID it is left out, and the name as well.
        number: an alias.
        name: an alias.
        user_id: whose it is.
    """

    id: TagId | UnsetType = UNSET
    tag_type: TagType
    number: AliasNumber | UnsetType = UNSET
    name: AliasName | UnsetType = UNSET
    user_id: UserId | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET

    def without_uid(self) -> "WhitelistEntry":
        """The same without what tells who it is."""
        return msgspec.structs.replace(self, id=UNSET, name=UNSET)


class GivenEntry(msgspec.Struct, frozen=True, kw_only=True, rename={"tag_type": "tagType", "user_id": "userid"}):
    """An entry to be added or edited."""

    id: TagId
    tag_type: TagType | UnsetType = UNSET
    number: AliasNumber | UnsetType = UNSET
    name: AliasName | UnsetType = UNSET
    user_id: UserId | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET

    def new(self) -> WhitelistEntry:
        """As a new entry."""
        return self.over(WhitelistEntry(id=self.id, tag_type=TagType.RFID, priority=Priority.NORMAL))

    def over(self, entry: WhitelistEntry) -> WhitelistEntry:
        """That entry, with what is given here."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        return msgspec.structs.replace(entry, **given)


def added(entries: Mapping[str, WhitelistEntry], given: Iterable[GivenEntry]) -> dict[str, WhitelistEntry] | Failed:
    """What adding these changes."""
    changes: dict[str, WhitelistEntry] = {}
    for new in given:
        if new.id in entries or new.id in changes:
            return failed("id already exists")
        changes[new.id] = new.new()
    return failed("too many entries") if len(entries) + len(changes) > MAX_ENTRIES else changes


def edited(entries: Mapping[str, WhitelistEntry], given: Iterable[GivenEntry]) -> dict[str, WhitelistEntry] | Failed:
    """What editing these changes; a tag that is given twice is edited twice."""
    changes: dict[str, WhitelistEntry] = {}
    for edit in given:
        entry = changes.get(edit.id) or entries.get(edit.id)
        if entry is None:
            return failed("id not found")
        changes[edit.id] = edit.over(entry)
    return changes


def deleted(entries: Mapping[str, WhitelistEntry], ids: Iterable[str]) -> list[str] | Failed:
    """What deleting these deletes."""
    gone = list(dict.fromkeys(ids))
    return gone if all(each in entries for each in gone) else failed("id not found")
