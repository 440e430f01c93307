"""The database, one SQLite file. No other module knows SQL.

    passwords       role -> sealed (see sealing)
    pairs           key -> value
    users           id -> name
    whitelist       id -> tag_type, number, name, user_id, priority
    settings        key -> value as JSON, which tells 1, 1.0, true and "1" apart
    transactions    id -> user_id, user_name, tag_id, start_time, end_time, duration, consumption
    counters        name -> value

WAL, and synchronous FULL unless less is asked for: what was committed is there after a power failure. user_version is
the version of the schema; a file of an earlier one is migrated, one of a later one is refused and left alone.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from errno import EDQUOT, ENOSPC
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from nfcbridge.charger.sealing import sync_directory
from nfcbridge.charger.tables import Change, Durability, Row, Table
from nfcbridge.errors import ConfigError

# Seconds to wait for another process that writes, such as `nfcbridge passwd`.
BUSY_TIMEOUT: Final = 5.0

# The statements that lead from each version of the schema to the next one.
_MIGRATIONS: Final = (
    ("CREATE TABLE passwords (role TEXT PRIMARY KEY NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",),
    # With rowids: rows are told in the order in which they came.
    (
        "CREATE TABLE pairs (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT",
        "CREATE TABLE users (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL) STRICT",
        """CREATE TABLE whitelist (
            id TEXT PRIMARY KEY NOT NULL, tag_type TEXT NOT NULL, number INTEGER, name TEXT, user_id TEXT,
            priority TEXT NOT NULL
        ) STRICT""",
        "CREATE TABLE settings (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT",
        """CREATE TABLE transactions (
            id INTEGER PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, user_name TEXT NOT NULL, tag_id TEXT NOT NULL,
            start_time TEXT NOT NULL, end_time TEXT NOT NULL, duration INTEGER NOT NULL, consumption REAL NOT NULL
        ) STRICT""",
        "CREATE TABLE counters (name TEXT PRIMARY KEY NOT NULL, value REAL NOT NULL) STRICT",
    ),
)
SCHEMA_VERSION: Final = len(_MIGRATIONS)

_REMEDY: Final = "see that it can be written there, or choose another --data"
_MAKE_ROOM: Final = "make room there, or choose another --data"
_MOVE_AWAY: Final = "move it away, or choose another --data"
_REMEDIES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: _MAKE_ROOM,
    sqlite3.SQLITE_IOERR_SHMSIZE: _MAKE_ROOM,  # what a full disk refuses first: a page of the WAL's index
    sqlite3.SQLITE_NOTADB: _MOVE_AWAY,
    sqlite3.SQLITE_CORRUPT: _MOVE_AWAY,
}


class Database:
    """A connection to the database. One thread at a time.

    Args:
        path: the file, made with mode 0600 if there is none.
        durability: what a commit waits for.

    Raises:
        ConfigError: it is no database, is of a later version, or cannot be opened.
    """

    def __init__(self, path: Path, durability: Durability = Durability.FULL) -> None:
        try:
            # The file is the owner's alone before anything is in it; SQLite gives -wal and -shm the same mode.
            path.touch(mode=0o600)
            sync_directory(path.parent)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {durability}")
            self._migrate(path)
            columns = {table: self._columns(table) for table in Table}
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error
        except ConfigError:
            self._connection.close()
            raise
        self._statements = {(table, put): make(table, columns[table]) for table in Table for put, make in _MAKE.items()}
        self._seen = self._version()

    def rows(self, table: Table) -> list[Row]:
        """All rows of a table, in the order in which they came."""
        return self._connection.execute(_select(table)).fetchall()

    def commit(self, changes: Iterable[Change]) -> None:
        """Make these changes, in order, all or none of them. They are kept when this returns.

        Raises:
            OSError: they cannot be kept; nothing has changed.
        """
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for statement, rows in groupby(changes, itemgetter(0, 1)):
                self._connection.executemany(self._statements[statement], map(itemgetter(2), rows))
            execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise OSError(f"the database cannot be written: {error}") from error
            raise

    def changed_by_others(self) -> bool:
        """Whether another process has committed something since the last look."""
        seen, self._seen = self._seen, self._version()
        return seen != self._seen

    def close(self) -> None:
        """Close the file, and move what is in the WAL into it."""
        self._connection.close()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _columns(self, table: Table) -> list[str]:
        with closing(self._connection.execute(_select(table))) as cursor:
            return [column[0] for column in cursor.description]

    def _migrate(self, path: Path) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        version: int = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError(f"{path} is of a later version of nfcbridge; use that one, or choose another --data")
        if version < SCHEMA_VERSION:
            for statement in _statements_from(version):
                execute(statement)
            execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        execute("COMMIT")


def _statements_from(version: int) -> Iterator[str]:
    for statements in _MIGRATIONS[version:]:
        yield from statements


# Tables and columns are named by this module alone.
def _select(table: Table) -> str:
    order = "role" if table is Table.PASSWORDS else "rowid"
    return f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608


def _upsert(table: Table, columns: list[str]) -> str:
    places = ", ".join("?" * len(columns))
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    return f"INSERT INTO {table} VALUES ({places}) ON CONFLICT ({columns[0]}) DO UPDATE SET {changes}"  # noqa: S608


def _delete(table: Table, columns: list[str]) -> str:
    return f"DELETE FROM {table} WHERE {columns[0]} = ?"  # noqa: S608


_MAKE: Final = {True: _upsert, False: _delete}


def _unusable(path: Path, error: OSError | sqlite3.Error) -> ConfigError:
    if isinstance(error, OSError):
        remedy = _MAKE_ROOM if error.errno in {ENOSPC, EDQUOT} else _REMEDY
    else:
        remedy = _REMEDIES.get(error.sqlite_errorcode, _REMEDY)
    return ConfigError(f"cannot use the database {path}: {error}; {remedy}")
