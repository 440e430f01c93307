"""The database: its schema and where it comes from, all or nothing, and what another process does to it."""

import errno
import os
import sqlite3
import stat
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger.database import SCHEMA_VERSION, Database
from nfcbridge.charger.tables import Change, Durability, Row, Table
from nfcbridge.errors import ConfigError

# One row of each table.
ROWS: dict[Table, Row] = {
    Table.PASSWORDS: ("operator", b"\x00\xff"),
    Table.PAIRS: ("key_1", "value_1"),
    Table.USERS: ("45d3711a", "Jenny"),
    Table.WHITELIST: ("abcdef12", "RFID", 7, "blue", "45d3711a", "HIGH"),
    Table.SETTINGS: ("Enabled_wlan", "true"),
    Table.TRANSACTIONS: (1, "45d3711a", "Jenny", "abcdef12", "2019-11-23T19:35:43.511Z", "", 60, 3.7),
    Table.COUNTERS: ("energy", 3.7),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database"


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("table", Table)
def test_a_row_of_every_table_is_put_replaced_and_deleted(path: Path, table: Table) -> None:
    row = ROWS[table]
    with closing(Database(path)) as database:
        assert database.rows(table) == []
        database.commit([(table, True, row)])
    with closing(Database(path)) as database:
        assert database.rows(table) == [row]
        database.commit([(table, True, row), (table, True, row)])
        assert database.rows(table) == [row]
        database.commit([(table, False, row[:1])])
        assert database.rows(table) == []
        database.commit([(table, False, row[:1])])


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (Table.WHITELIST, ("a", "RFID", None, None, None, "NORMAL")),
        (Table.WHITELIST, ("a", "NFC", -(2**53) + 1, "", "", "HIGH")),
        (Table.PAIRS, ("a\x00b", "\x00")),
        (Table.PAIRS, ("\U0001f600", "'; DROP TABLE pairs; --")),
        (Table.USERS, ("", "")),
        (Table.TRANSACTIONS, (2**53, "", "", "", "", "", 0, 1e308)),
    ],
)
def test_a_row_comes_back_as_it_was(path: Path, table: Table, row: Row) -> None:
    with closing(Database(path)) as database:
        database.commit([(table, True, row)])
        assert database.rows(table) == [row]


def test_rows_come_in_the_order_in_which_they_came_first(path: Path) -> None:
    with closing(Database(path)) as database:
        database.commit([(Table.PAIRS, True, (key, "1")) for key in "cab"])
        database.commit(
            [(Table.PAIRS, True, ("c", "2")), (Table.PAIRS, False, ("a",)), (Table.PAIRS, True, ("a", "2"))]
        )
        assert database.rows(Table.PAIRS) == [("c", "2"), ("b", "1"), ("a", "2")]


@pytest.mark.parametrize(
    "broken",
    [
        (Table.PAIRS, True, ("c", None)),
        (Table.PAIRS, True, ("c",)),
        (Table.PAIRS, True, ("c", "\ud800")),
        (Table.TRANSACTIONS, True, ("c", "", "", "", "", "", 0, 0.0)),
    ],
)
def test_of_changes_of_which_one_cannot_be_made_none_is_made(path: Path, broken: Change) -> None:
    with closing(Database(path)) as database:
        database.commit([(Table.PAIRS, True, ("a", "1"))])
        with pytest.raises((OSError, UnicodeEncodeError)):
            database.commit([(Table.PAIRS, True, ("a", "2")), (Table.PAIRS, True, ("b", "1")), broken])
        assert database.rows(Table.PAIRS) == [("a", "1")]
        database.commit([(Table.PAIRS, True, ("b", "1"))])
        assert database.rows(Table.PAIRS) == [("a", "1"), ("b", "1")]


def test_a_full_disk_is_an_error_of_the_system_and_changes_nothing(path: Path) -> None:
    with closing(Database(path)) as database:
        database._connection.execute("PRAGMA max_page_count = 16")  # noqa: SLF001, a small disk
        with pytest.raises(OSError, match="cannot be written: database or disk is full"):
            database.commit([(Table.PAIRS, True, (str(number), "x" * 1000)) for number in range(100)])
        assert database.rows(Table.PAIRS) == []
        database.commit([(Table.PAIRS, True, ("a", "1"))])


# What the file is


@pytest.mark.parametrize(("durability", "level"), [(Durability.FULL, 2), (Durability.NORMAL, 1)])
def test_commits_wait_for_what_was_asked_for(path: Path, durability: Durability, level: int) -> None:
    with closing(Database(path, durability)) as database:
        level_of_connection = database._connection.execute("PRAGMA synchronous")  # noqa: SLF001, it is in no file
        assert level_of_connection.fetchone() == (level,)
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_the_file_and_those_beside_it_are_the_owner_s(path: Path) -> None:
    with closing(Database(path)) as database:
        database.commit([(Table.PAIRS, True, ("a", "1"))])
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


def test_a_file_of_the_first_version_keeps_its_passwords(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE passwords (role TEXT PRIMARY KEY NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID"
        )
        connection.execute("INSERT INTO passwords VALUES ('operator', x'00ff')")
        connection.execute("PRAGMA user_version = 1")
    for _ in range(2):
        with closing(Database(path)) as database:
            assert database.rows(Table.PASSWORDS) == [("operator", b"\x00\xff")]
            assert database.rows(Table.PAIRS) == []
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_a_file_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    Database(path).close()
    query(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="later version"):
        Database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"a" * 4096)
    with pytest.raises(ConfigError, match="not a database; move it away"):
        Database(path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_has_no_room_for_the_file_wants_room(
    number: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(_path: Path, **_mode: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(ConfigError, match="; make room there, or choose another --data"):
        Database(path)


def test_a_disk_that_has_no_room_for_a_page_wants_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class SmallDisk(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.execute("PRAGMA max_page_count = 1")

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=SmallDisk))
    with pytest.raises(ConfigError, match="disk is full; make room there, or choose another --data"):
        Database(path)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot use the database .*; see that it can be written there, or choose"):
        Database(tmp_path / "nowhere" / "database")


def test_a_file_that_is_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigError, match="unable to open database file; see that it can be written there"):
        Database(path)


# Another process


def test_what_another_process_commits_is_noticed_once_and_what_we_commit_is_not(path: Path) -> None:
    with closing(Database(path)) as database, closing(Database(path)) as other:
        assert not database.changed_by_others()
        database.commit([(Table.PAIRS, True, ("a", "1"))])
        assert not database.changed_by_others()
        other.commit([(Table.PAIRS, True, ("b", "1"))])
        assert database.changed_by_others()
        assert not database.changed_by_others()
        assert database.rows(Table.PAIRS) == [("a", "1"), ("b", "1")]
