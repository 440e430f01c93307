"""What lasts: tables in memory, and the same in the data directory unless everything is kept in memory.

    nfcbridge.sqlite3      see database
    nfcbridge.key          32 octets, mode 0600, see sealing

Reads look at memory and wait for nobody. A write is decided on what will be there once all writes before it are kept
(`staged`), is then kept by the writer's thread, and shows (`rows`) when it is:

    decide on staged, change staged  ->  commit, in the writer's thread  ->  change rows, answer
                                              '- cannot be kept  ->  staged is rows again, answer 500

So nothing shows that a power failure could take back. One process has the directory at a time.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from nfcbridge.charger.catalogue import Value
from nfcbridge.charger.passwords import check_password
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.roles import Role
from nfcbridge.charger.sealing import load_key, seal, unseal
from nfcbridge.charger.shelf import (
    Edit,
    Shelf,
    apply_edits,
    pack_column,
    pack_entry,
    pack_transaction,
    pack_value,
    unpack_entry,
    unpack_number,
    unpack_text,
    unpack_transaction,
    unpack_value,
)
from nfcbridge.charger.tables import Durability, Row, Table
from nfcbridge.charger.whitelist import WhitelistEntry
from nfcbridge.errors import ConfigError, LocalProtocolError

if TYPE_CHECKING:
    from nfcbridge.charger.database import Database
    from nfcbridge.charger.writer import Job, Writer

DATABASE: Final = "nfcbridge.sqlite3"
KEY_FILE: Final = "nfcbridge.key"

_log: Final = logging.getLogger(__name__)


class Store:
    """All that lasts. Once something is kept by `keep`, one event loop uses it.

    Args:
        directory: None keeps everything in memory. Made with mode 0700 if there is none.
        durability: what is waited for before something counts as kept.
        shared: beside another process that serves this directory, to set passwords and nothing else.

    Attributes:
        pairs: the key-value store.
        users: names by id.
        whitelist: entries by tag.
        settings: values that somebody has set, by key.
        transactions: those that are completed, by number.
        counters: of the charge point, by name.

    Raises:
        ConfigError: the directory or what is in it cannot be used, or another process serves it.
    """

    def __init__(
        self, directory: Path | None = None, durability: Durability = Durability.FULL, *, shared: bool = False
    ) -> None:
        self.pairs: Shelf[str, str] = Shelf(Table.PAIRS, pack_column, unpack_text)
        self.users: Shelf[str, str] = Shelf(Table.USERS, pack_column, unpack_text)
        self.whitelist: Shelf[str, WhitelistEntry] = Shelf(Table.WHITELIST, pack_entry, unpack_entry)
        self.settings: Shelf[str, Value] = Shelf(Table.SETTINGS, pack_value, unpack_value)
        self.transactions: Shelf[int, Transaction] = Shelf(Table.TRANSACTIONS, pack_transaction, unpack_transaction)
        self.counters: Shelf[str, float] = Shelf(Table.COUNTERS, pack_column, unpack_number)
        self._shelves: tuple[Shelf[Any, Any], ...] = (
            self.pairs,
            self.users,
            self.whitelist,
            self.settings,
            self.transactions,
            self.counters,
        )
        self._passwords: dict[Role, str] = {}
        self._key = b""
        self._database: Database | None = None
        self._writer: Writer | None = None
        self._generation = 0
        self._in_flight = 0
        if directory is not None:
            self._lock = _lock(directory, shared=shared)
            try:
                self._open(directory, durability)
            except ConfigError:
                os.close(self._lock)
                raise

    def password(self, role: Role) -> str | None:
        """The plain password of this role, None if it has none and nobody can log in to it.

        Passwords are read once: a look-up takes the same time for each.
        """
        return self._passwords.get(role)

    def set_password(self, role: Role, password: str) -> None:
        """Set a password, before anything is kept by `keep`; it is kept when this returns.

        Raises:
            ConfigError: it is empty or too long.
            OSError: it cannot be kept.
        """
        check_password(password)
        if self._database is not None:
            sealed = seal(self._key, role.value, password)
            self._alone().commit([(Table.PASSWORDS, True, (role.value, sealed))])
        self._passwords[role] = password

    async def refresh_passwords(self) -> frozenset[Role]:
        """Look whether another process has set passwords, and return the roles that had another one before."""
        if self._database is None:
            return frozenset()
        job, done = self._put((), look=True)
        await done
        if job.passwords is None:
            return frozenset()
        before, self._passwords = self._passwords, self._unsealed(job.passwords)
        return frozenset(role for role, password in before.items() if password != self._passwords.get(role))

    def keep_now(self, *edits: Edit) -> None:
        """Make these changes, all or none, before anything is kept by `keep`; waits for the disk. Raises OSError."""
        if self._database is not None:
            self._alone().commit([edit.change() for edit in edits])
            apply_edits(edits, staged=True)
        apply_edits(edits, staged=False)

    async def keep(self, *edits: Edit) -> None:
        """Make these changes, all or none of them, after all that came before; they are kept when this returns.

        Without an edit this waits until everything is kept that was decided before: an answer that tells of it might
        not be true otherwise.

        Raises:
            OSError: they cannot be kept, and are not made.
        """
        if self._database is None:
            apply_edits(edits, staged=False)
        elif edits or self._in_flight:
            await self._put(edits)[1]

    def keep_later(self, *edits: Edit) -> None:
        """The same for who does not wait; what cannot be kept is logged."""
        if self._database is None:
            apply_edits(edits, staged=False)
        else:
            self._put(edits)[1].add_done_callback(_log_fault)

    def close(self) -> None:
        """Keep what is still to be kept, and let go of the directory."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._database is not None:
            self._database.close()
            self._database = None
            os.close(self._lock)

    def _open(self, directory: Path, durability: Durability) -> None:
        from nfcbridge.charger.database import Database  # sqlite3 is 1 MiB that memory-only use saves

        try:
            self._key = load_key(directory / KEY_FILE)
        except OSError as error:
            raise _unusable(error) from error
        database = Database(directory / DATABASE, durability)
        try:
            self._passwords = self._unsealed(database.rows(Table.PASSWORDS))
            for shelf in self._shelves:
                shelf.load(database.rows(shelf.table))
        except ConfigError:
            database.close()
            raise
        self._database = database

    def _unsealed(self, rows: list[Row]) -> dict[Role, str]:
        # The schema has no other types.
        sealed = cast("list[tuple[str, bytes]]", rows)
        return {Role(role): unseal(self._key, role, octets) for role, octets in sealed}

    def _alone(self) -> "Database":
        if self._database is None or self._writer is not None:
            raise LocalProtocolError("the writer has the database, or it is closed")
        return self._database

    def _put(self, edits: tuple[Edit, ...], *, look: bool = False) -> "tuple[Job, asyncio.Future[None]]":
        from nfcbridge.charger.writer import Job, Writer

        if self._writer is None:
            self._writer = Writer(self._alone(), self._collect)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        job = Job([edit.change() for edit in edits], self._generation, (edits, done), look=look)
        self._writer.put(job, loop)
        apply_edits(edits, staged=True)
        self._in_flight += 1
        return job, done

    def _collect(self) -> None:
        finished = self._writer.finished if self._writer is not None else ()
        while finished:
            job = finished.popleft()
            edits, done = job.subject
            self._in_flight -= 1
            if job.error is None:
                apply_edits(edits, staged=False)
                if not done.done():  # else who waited was cancelled, and the changes are made all the same
                    done.set_result(None)
                continue
            if job.generation == self._generation:
                self._generation += 1
                for shelf in self._shelves:
                    shelf.restage()
            if not done.done():
                done.set_exception(job.error)


class StoredSettings:
    """The settings of a store, as the settings' rules want to have them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def values(self) -> Mapping[str, Value]:
        """All that somebody has set. Waits for nobody."""
        return self._store.settings.rows

    async def set_values(self, values: Mapping[str, Value]) -> None:
        """Keep these, all or none of them. Raises OSError."""
        await self._store.keep(*(self._store.settings.put(key, value) for key, value in values.items()))


def open_store(directory: Path | None, durability: Durability = Durability.FULL, *, shared: bool = False) -> Store:
    """The store in this data directory, which is made if there is none; see Store."""
    return Store(directory, durability, shared=shared)


def _lock(directory: Path, *, shared: bool) -> int:
    """A descriptor of the directory; no other process has one that is not shared."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(error) from error
    if not shared:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise ConfigError(
                f"another nfcbridge serves {directory}; stop it, or choose another directory with --data"
            ) from error
    return descriptor


def _unusable(error: OSError) -> ConfigError:
    return ConfigError(f"cannot use the data directory: {error}; choose another one with --data")


def _log_fault(done: "asyncio.Future[None]") -> None:
    if not done.cancelled() and done.exception() is not None:
        _log.error("what the charge point did could not be kept", exc_info=done.exception())
