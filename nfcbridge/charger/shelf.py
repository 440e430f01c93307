"""The tables in memory: what is kept, and what will be once all that was decided is kept."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.tables import Change, Column, Row, Table
from nfcbridge.charger.whitelist import WhitelistEntry

Key = TypeVar("Key", str, int)
Item = TypeVar("Item")


class Edit(NamedTuple):
    """One change of one row; without an item the row goes."""

    shelf: "Shelf[Any, Any]"
    key: str | int
    item: Any

    def change(self) -> Change:
        """The same for the database."""
        shelf = self.shelf
        if self.item is None:
            return (shelf.table, False, (self.key,))
        return (shelf.table, True, (self.key, *shelf.pack(self.item)))


class Shelf(Generic[Key, Item]):
    """The rows of a table, in the order in which they came.

    Args:
        table: its name.
        pack: the columns of an item, its key apart.
        unpack: an item from all columns.

    Attributes:
        rows: what is kept, to be told.
        staged: what will be, to decide on. The same dict where nothing has to be waited for.
    """

    def __init__(self, table: Table, pack: Callable[[Item], Row], unpack: Callable[[Row], Item]) -> None:
        self.table = table
        self.pack = pack
        self.rows: dict[Key, Item] = {}
        self.staged: dict[Key, Item] = self.rows
        self._unpack = unpack

    def put(self, key: Key, item: Item) -> Edit:
        """An edit: this is there, in the place of what has this key."""
        return Edit(self, key, item)

    def drop(self, key: Key) -> Edit:
        """An edit: nothing has this key."""
        return Edit(self, key, None)

    def load(self, rows: Iterable[Row]) -> None:
        """Take what the database has; from now on there is a difference between rows and staged."""
        key: Any
        for row in rows:
            key = row[0]
            self.rows[key] = self._unpack(row)
        self.restage()

    def restage(self) -> None:
        """Forget what was staged and is not kept."""
        self.staged = dict(self.rows)


def apply_edits(edits: Iterable[Edit], *, staged: bool) -> None:
    """Make these changes in memory."""
    for shelf, key, item in edits:
        rows = shelf.staged if staged else shelf.rows
        if item is None:
            rows.pop(key, None)
        else:
            rows[key] = item


def pack_value(value: object) -> Row:
    """A value of any type as JSON, which tells 1, 1.0, true and "1" apart."""
    return (msgspec.json.encode(value).decode(),)


def unpack_value(row: Row) -> Any:  # noqa: ANN401, whatever was packed
    """The reverse."""
    return msgspec.json.decode(str(row[1]))


def pack_column(value: Column) -> Row:
    """A row of one column, after its key."""
    return (value,)


def unpack_text(row: Row) -> str:
    """The reverse, for a string."""
    return str(row[1])


def unpack_number(row: Row) -> float:
    """The reverse, for a number."""
    return float(row[1] or 0)


def pack_entry(entry: WhitelistEntry) -> Row:
    """An entry of the whitelist, after its tag."""
    columns = (entry.tag_type, entry.number, entry.name, entry.user_id, entry.priority)
    return tuple(None if column is UNSET else column for column in columns)


def unpack_entry(row: Row) -> WhitelistEntry:
    """The reverse."""
    names = ("id", "tagType", "number", "name", "userid", "priority")
    given = {name: column for name, column in zip(names, row, strict=True) if column is not None}
    return msgspec.convert(given, WhitelistEntry)


def pack_transaction(done: Transaction) -> Row:
    """A completed transaction, after its id."""
    who = (done.user_id, str(done.user_name), str(done.tag_id))  # all of it: nothing is left out of what is kept
    return (*who, done.start, str(done.end), done.duration, done.consumption)


def unpack_transaction(row: Row) -> Transaction:
    """The reverse."""
    names = ("transactionId", "userId", "userName", "tagId", "start", "end", "duration", "consumption")
    return msgspec.convert(dict(zip(names, row, strict=True)), Transaction)
