"""The requests that make a charger keep what a copy has. A function of what there is and what shall be.

It is made anew whenever a request was torn: from what the charger says then follows what is left to do, whether or not
the torn one was executed. Nothing is left to do once the charger keeps what the copy has.

    users      those of a copy and those of the charger that are the same, first by id, then by name, then none:
               a charger gives new users new ids, which the whitelist's entries then have to name
    whitelist  ids that are too many or differ in what an edit cannot take away go; then edits, then new ones
    pairs      the same; those that are too many go first, or the store may be full
    settings   what takes the interface or the tag away comes last
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct

from nfcbridge.client.backup.copy import Copy, Tag, User

CHUNK: Final = 2_000
"""Octets of JSON in one request, about: 0.2 s on the air, so that a touch that slips loses no more than that."""

MAX_IDS: Final = 1_000
"""Characters of the ids in one query, with their commas (API reference)."""

LAST: Final = ("RfidMode_rfid", "RestApi_web")
"""Settings that may take the tag or the interface away."""

Item = TypeVar("Item")


class Step(Struct, frozen=True):
    """One request.

    Attributes:
        part: what it changes.
        words: what it does, for people.
        count: how many entries it changes.
        method, path, body: the request; ids of users in the body are those of the copy.
        user: of a user that is added: its id in the copy.
        last: after it the charger may be out of reach.
    """

    part: str
    words: str
    count: int
    method: str
    path: str
    body: Any = None
    user: str = ""
    last: bool = False


def match_users(wanted: Iterable[User], there: Iterable[User]) -> dict[str, str]:
    """Which users of a charger are those of a copy: ids by ids. Those of the copy that it lacks are not in it."""
    wanted = list(wanted)
    free = {user.user_id: user.user_name for user in there}
    ids = {user.user_id: user.user_id for user in wanted if user.user_id in free}
    for same in ids:
        del free[same]
    by_name: dict[str, list[str]] = {}
    for user_id, name in free.items():
        by_name.setdefault(name, []).append(user_id)
    for user in wanted:
        if user.user_id not in ids and by_name.get(user.user_name):
            ids[user.user_id] = by_name[user.user_name].pop(0)
    return ids


def make_plan(copy: Copy, there: Copy, *, keep: bool = False) -> list[Step]:
    """What is to be done, in order.

    Args:
        copy: what shall be kept.
        there: what is kept.
        keep: what is there and not in the copy stays.
    """
    ids = match_users(copy.users or (), there.users or ())
    steps: list[Step] = []
    if copy.users is not UNSET:
        steps += _users(copy.users, there.users or [], ids, keep=keep)
    if copy.whitelist is not UNSET:
        steps += _whitelist(copy.whitelist, there.whitelist or [], ids, keep=keep)
    if copy.pairs is not UNSET:
        steps += _pairs(copy.pairs, there.pairs or {}, keep=keep)
    if copy.settings is not UNSET:
        steps += _settings(copy.settings, there.settings or {})
    return steps


def _users(wanted: list[User], there: list[User], ids: Mapping[str, str], *, keep: bool) -> Iterator[Step]:
    names = {user.user_id: user.user_name for user in there}
    if not keep:
        taken = set(ids.values())
        for user in there:
            if user.user_id not in taken:
                path = f"/users/{quote(user.user_id, safe='')}"
                yield Step("users", f"delete user {user.user_name!r}", 1, "DELETE", path)
    for user in wanted:
        body = {"userName": user.user_name}
        if user.user_id not in ids:
            yield Step("users", f"add user {user.user_name!r}", 1, "POST", "/users", body, user=user.user_id)
        elif names[ids[user.user_id]] != user.user_name:
            path = f"/users/{quote(ids[user.user_id], safe='')}"
            yield Step("users", f"rename a user to {user.user_name!r}", 1, "PUT", path, body)


def _whitelist(wanted: list[Tag], there: list[Tag], ids: Mapping[str, str], *, keep: bool) -> Iterator[Step]:
    old = {tag.id: tag for tag in there}
    new = {tag.id: with_user(tag, ids) for tag in wanted}
    reduced = {tag.id for tag in there if tag.id in new and _loses(tag, new[tag.id])}
    gone = [tag.id for tag in there if tag.id in reduced or (tag.id not in new and not keep)]
    edits = [tag for tag in wanted if tag.id in old and tag.id not in reduced and old[tag.id] != new[tag.id]]
    adds = [tag for tag in wanted if tag.id not in old or tag.id in reduced]
    for part in chunks(gone, lambda each: len(quote(each, safe="")) + 1, MAX_IDS):
        path = f"/whitelist?type=local&ids={quote(','.join(part), safe=',')}"
        yield Step("whitelist", f"delete {len(part)} entries", len(part), "DELETE", path)
    for command, tags in (("edit", edits), ("add", adds)):
        for some in chunks(tags, lambda tag: len(msgspec.json.encode(tag)) + 1):
            body = {"type": "local", "command": command, "tags": some}
            yield Step("whitelist", f"{command} {len(some)} entries", len(some), "POST", "/whitelist", body)


def with_user(tag: Tag, ids: Mapping[str, str]) -> Tag:
    """An entry with its user's id as the charger has it; an id that is no user's stays."""
    if tag.user_id is UNSET:
        return tag
    return msgspec.structs.replace(tag, user_id=ids.get(tag.user_id, tag.user_id))


def _loses(old: Tag, new: Tag) -> bool:
    return any(
        getattr(new, name) is UNSET and getattr(old, name) is not UNSET for name in ("number", "name", "user_id")
    )


def _pairs(wanted: Mapping[str, str], there: Mapping[str, str], *, keep: bool) -> Iterator[Step]:
    if not keep:
        for key in there:
            if key not in wanted:
                path = f"/key_value_store/{quote(key, safe='')}"
                yield Step("pairs", f"delete pair {key!r}", 1, "DELETE", path)
    changes = [pair for pair in wanted.items() if pair[0] in there and there[pair[0]] != pair[1]]
    adds = [pair for pair in wanted.items() if pair[0] not in there]
    for method, word, pairs in (("PUT", "change", changes), ("POST", "add", adds)):
        for some in chunks(pairs, lambda pair: len(msgspec.json.encode(pair))):
            yield Step("pairs", f"{word} {len(some)} pairs", len(some), method, "/key_value_store", dict(some))


def _settings(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Step]:
    changes = [
        {"key": key, "value": value}
        for key, value in wanted.items()
        if key not in there or there[key] != value or type(there[key]) is not type(value)
    ]
    usual = [change for change in changes if change["key"] not in LAST]
    for some in chunks(usual, lambda change: len(msgspec.json.encode(change)) + 1):
        words = f"set {len(some)} settings"
        yield Step("settings", words, len(some), "PUT", "/settings", {"params": some})
    for key in LAST:
        for change in changes:
            if change["key"] == key:
                words = f"set {key} to {change['value']!r}"
                yield Step("settings", words, 1, "PUT", "/settings", {"params": [change]}, last=True)


def chunks(items: Iterable[Item], size: Any, most: int = CHUNK) -> Iterator[list[Item]]:  # noqa: ANN401 - a function
    """Items in parts that are about so large at most; one that is larger has a part of its own.

    Args:
        items: in order.
        size: gives that of an item.
        most: of a part.
    """
    some: list[Item] = []
    filled = 0
    for item in items:
        more = size(item)
        if some and filled + more > most:
            yield some
            some, filled = [], 0
        some.append(item)
        filled += more
    if some:
        yield some
