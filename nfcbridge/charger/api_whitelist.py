"""The local whitelist."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nfcbridge.charger.answers import Done, refuse
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.point.inputs import TagId
from nfcbridge.charger.policy import Failed, failed
from nfcbridge.charger.whitelist import GivenEntry, WhitelistEntry, added, deleted, edited

# Characters of the decoded `ids` query, with its commas (API reference, "Delete specific whitelist entries").
MAX_IDS_QUERY: Final = 1_000

ListType = Literal["local"]


class WhichList(msgspec.Struct, frozen=True):
    """The query of GET: only the local whitelist is supported."""

    type: ListType


class Whitelist(msgspec.Struct, frozen=True, kw_only=True):
    """All entries."""

    success: bool = True
    tags: list[WhitelistEntry]


class ChangeWhitelist(msgspec.Struct, frozen=True):
    """A command; `clear` needs no tags."""

    type: ListType
    command: Literal["add", "edit", "clear"]
    tags: list[GivenEntry] | UnsetType = UNSET


class WhichTags(msgspec.Struct, frozen=True):
    """The query of DELETE: ids with commas between them."""

    type: ListType = "local"
    ids: Annotated[str, Meta(max_length=MAX_IDS_QUERY)] = ""


class WhitelistTag(msgspec.Struct, frozen=True):
    """A tag."""

    id: TagId


class DeleteTags(msgspec.Struct, frozen=True):
    """The deprecated body of DELETE."""

    type: ListType
    command: Literal["delete"]
    tags: list[WhitelistTag]


async def get_whitelist(controller: Controller, _call: Call[None, WhichList]) -> Whitelist:
    """All entries."""
    entries: Iterable[WhitelistEntry] = controller.store.whitelist.rows.values()
    if not controller.shows_uid:
        entries = (entry.without_uid() for entry in entries)
    return Whitelist(tags=list(entries))


async def post_whitelist(controller: Controller, call: Call[ChangeWhitelist, None]) -> Done | Failed:
    """Entries are added, edited, or all deleted."""
    whitelist, change = controller.store.whitelist, call.body
    if change.command == "clear":
        await controller.store.keep(*map(whitelist.drop, whitelist.staged))
        return Done()
    if change.tags is UNSET:
        return failed("missing parameter 'tags'")
    changes = (added if change.command == "add" else edited)(whitelist.staged, change.tags)
    if isinstance(changes, Failed):
        return await refuse(controller, changes)
    await controller.store.keep(*(whitelist.put(tag, entry) for tag, entry in changes.items()))
    return Done()


async def delete_tags(controller: Controller, call: Call[DeleteTags | None, WhichTags]) -> Done | Failed:
    """The entries of these tags go. The query comes first, since the reference prefers it."""
    tags = [tag for tag in map(str.strip, call.query.ids.split(",")) if tag]
    if not tags:
        if call.body is None:
            return failed("missing parameter 'tags'")
        tags = [tag.id for tag in call.body.tags]
    whitelist = controller.store.whitelist
    gone = deleted(whitelist.staged, tags)
    if isinstance(gone, Failed):
        return await refuse(controller, gone)
    await controller.store.keep(*map(whitelist.drop, gone))
    return Done()
