"""What lasts: rows that show when they are kept, passwords, and the directory that one process has."""

import asyncio
import logging
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nfcbridge.charger import Role, open_store
from nfcbridge.charger.database import Database
from nfcbridge.charger.passwords import MAX_PASSWORD, make_password
from nfcbridge.charger.point.inputs import TagType
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.sealing import KEY_LENGTH
from nfcbridge.charger.shelf import Edit
from nfcbridge.charger.store import DATABASE, KEY_FILE, Store, StoredSettings
from nfcbridge.charger.tables import Durability
from nfcbridge.charger.whitelist import Priority, WhitelistEntry
from nfcbridge.errors import ConfigError, LocalProtocolError
from tests.charger.gate import PATIENCE, Gate, GateRunner, settle

NOT_KEPT = r"disk full|could not be kept"
TRANSACTION = Transaction(
    transaction_id=7,
    user_id="u",
    user_name="Jenny",
    tag_id="abcdef12",
    start="2019-11-23T19:35:43.511Z",
    end="2019-11-23T20:35:43.511Z",
    duration=60,
    consumption=3.7,
)
ENTRY = WhitelistEntry(id="a", tag_type=TagType.NFC, number=-1, name="", user_id="u", priority=Priority.HIGH)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["memory", "directory"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "memory" else tmp_path / "data"


@pytest.fixture
def store(directory: Path | None) -> Iterator[Store]:
    with closing(open_store(directory)) as opened:
        yield opened


def rows_of(store: Store) -> list[list[Any]]:
    shelves = (store.pairs, store.users, store.whitelist, store.settings, store.transactions, store.counters)
    return [[list(shelf.rows.items()), list(shelf.staged.items())] for shelf in shelves]


def every_kind_of_row(store: Store) -> list[Edit]:
    return [
        store.pairs.put("k", "v\x00"),
        store.users.put("u", "Jenny"),
        store.whitelist.put("a", ENTRY),
        store.whitelist.put("b", msgspec.structs.replace(ENTRY, id="b", number=msgspec.UNSET, name=msgspec.UNSET)),
        *(store.settings.put(repr(value), value) for value in (True, 1, 1.5, "1", "", False, 0, 2.0)),
        store.transactions.put(7, TRANSACTION),
        store.counters.put("energy", 3.75),
    ]


# Rows


@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_kept_is_there_the_next_time_each_value_of_its_type(tmp_path: Path, at_once: bool) -> None:
    with closing(open_store(tmp_path)) as store:
        edits = every_kind_of_row(store)
        if at_once:
            store.keep_now(*edits)
        else:
            asyncio.run(store.keep(*edits))
        before = rows_of(store)
        assert all(rows for rows, _ in before)
    with closing(open_store(tmp_path)) as store:
        assert rows_of(store) == before
        assert [type(value) for value in store.settings.rows.values()] == [bool, int, float, str, str, bool, int, float]


def test_a_store_in_memory_forgets() -> None:
    store = open_store(None)
    asyncio.run(store.keep(*every_kind_of_row(store)))
    assert rows_of(store) != rows_of(open_store(None))


def test_rows_are_put_replaced_and_dropped_at_any_time(store: Store) -> None:
    async def edit() -> None:
        await store.keep(store.pairs.put("a", "1"), store.pairs.put("b", "1"))
        await store.keep(store.pairs.put("a", "2"), store.pairs.drop("b"), store.pairs.drop("c"))
        store.keep_later(store.pairs.put("d", "3"))
        assert "d" in store.pairs.staged
        await store.keep()
        assert store.pairs.rows == store.pairs.staged == {"a": "2", "d": "3"}

    asyncio.run(edit())


def test_nothing_is_waited_for_when_there_is_nothing_to_wait_for(store: Store) -> None:
    asyncio.run(asyncio.wait_for(store.keep(), PATIENCE))
    assert threading.active_count() == 1


def test_what_is_not_kept_yet_does_not_show_but_counts_for_what_is_decided(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        writing = asyncio.create_task(store.keep(store.pairs.put("a", "1")))
        await settle()
        assert (dict(store.pairs.rows), store.pairs.staged) == ({}, {"a": "1"})
        assert not writing.done()
        disk.open.set()
        await writing
        assert store.pairs.rows == {"a": "1"}

    gate.run(test)


def test_who_decides_on_what_is_not_kept_yet_can_wait_for_it(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        writing = asyncio.create_task(store.keep(store.pairs.put("a", "1")))
        await settle()
        waiting = asyncio.create_task(store.keep())
        await settle()
        assert not waiting.done()
        disk.open.set()
        await waiting
        assert writing.done()

    gate.run(test)


def test_what_is_kept_is_made_also_if_who_asked_for_it_has_gone(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        writing = asyncio.create_task(store.keep(store.pairs.put("a", "1")))
        await settle()
        writing.cancel()
        await asyncio.wait([writing])
        disk.open.set()
        await store.keep()
        assert store.pairs.rows == {"a": "1"}

    gate.run(test)


def test_a_full_disk_takes_back_what_was_decided_and_the_next_starts_from_what_is_kept(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        disk.open.set()
        await store.keep(store.pairs.put("a", "1"))
        disk.open.clear()
        disk.full = True
        first, second = (asyncio.create_task(store.keep(store.pairs.put(key, "2"))) for key in ("a", "b"))
        await settle()
        assert store.pairs.staged == {"a": "2", "b": "2"}
        disk.open.set()
        for writing in (first, second):
            with pytest.raises(OSError, match=NOT_KEPT):
                await writing
        assert store.pairs.rows == store.pairs.staged == {"a": "1"}
        disk.full = False
        await store.keep(store.pairs.put("c", "3"))
        assert store.pairs.rows == store.pairs.staged == {"a": "1", "c": "3"}

    gate.run(test)


def test_a_second_batch_that_fails_with_the_first_takes_nothing_more_back(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        disk.full = True
        writing = []
        for key in "abc":
            writing.append(asyncio.create_task(store.keep(store.pairs.put(key, ""))))
            await settle()
        disk.open.set()
        assert all(isinstance(e, OSError) for e in await asyncio.gather(*writing, return_exceptions=True))
        disk.full = False
        await store.keep(store.pairs.put("d", ""))
        assert store.pairs.rows == {"d": ""}

    gate.run(test)


def test_a_full_disk_is_no_news_to_who_has_gone(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        disk.full = True
        writing = asyncio.create_task(store.keep(store.pairs.put("a", "1")))
        await settle()
        writing.cancel()
        disk.open.set()
        with pytest.raises(OSError, match=NOT_KEPT):
            await store.keep()
        assert store.pairs.staged == {}

    gate.run(test)


def test_a_write_that_nobody_waits_for_and_that_cannot_be_kept_is_logged(
    gate: GateRunner, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(store: Store, disk: Gate) -> None:
        disk.full = True
        disk.open.set()
        store.keep_later(store.pairs.put("a", "1"))
        with pytest.raises(OSError, match=NOT_KEPT):
            await store.keep(store.pairs.put("b", "1"))
        await settle()

    with caplog.at_level(logging.ERROR):
        gate.run(test)
    assert "could not be kept" in caplog.text


def test_settings_are_kept_all_or_none(gate: GateRunner) -> None:
    async def test(store: Store, disk: Gate) -> None:
        settings = StoredSettings(store)
        disk.open.set()
        await settings.set_values({"a": 1, "b": True})
        assert settings.values() == {"a": 1, "b": True}
        disk.full = True
        with pytest.raises(OSError, match="disk full"):
            await settings.set_values({"a": 2, "c": "x"})
        assert settings.values() == {"a": 1, "b": True}

    gate.run(test)


def test_once_the_writer_writes_nobody_else_does(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        asyncio.run(store.keep(store.pairs.put("a", "1")))
        with pytest.raises(LocalProtocolError):
            store.keep_now(store.pairs.put("a", "2"))
        with pytest.raises(LocalProtocolError):
            store.set_password(Role.OPERATOR, "x")
        assert store.password(Role.OPERATOR) is None


def test_what_was_begun_before_the_end_is_kept(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:

        async def leave() -> None:
            store.keep_later(store.pairs.put("a", "1"))

        asyncio.run(leave())
    with closing(open_store(tmp_path)) as store:
        assert store.pairs.rows == {"a": "1"}


def test_a_store_can_be_closed_twice_and_takes_nothing_afterwards(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    assert threading.active_count() == 1


# Passwords


def test_passwords_are_remembered(tmp_path: Path) -> None:
    for number in range(2):
        with closing(open_store(tmp_path / "new" / "data")) as store:
            assert store.password(Role.OPERATOR) == (None if number == 0 else "Stra\u00dfe")
            store.set_password(Role.OPERATOR, "a")
            store.set_password(Role.OPERATOR, "Stra\u00dfe")
            assert store.password(Role.USER) is None


def test_an_empty_password_is_refused_and_the_longest_taken(store: Store) -> None:
    store.set_password(Role.OPERATOR, "a" * MAX_PASSWORD)
    for refused in ("", "a" * (MAX_PASSWORD + 1)):
        with pytest.raises(ConfigError):
            store.set_password(Role.OPERATOR, refused)
    assert store.password(Role.OPERATOR) == "a" * MAX_PASSWORD


def test_a_made_password_is_another_each_time_and_can_be_typed() -> None:
    made = {make_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 16 and password.isalnum() and password.islower() for password in made)


def test_a_password_that_another_process_sets_is_seen_by_who_looks_and_once(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        store.set_password(Role.OPERATOR, "a")
        store.set_password(Role.USER, "u")
        assert asyncio.run(store.refresh_passwords()) == frozenset()
        with closing(open_store(tmp_path, shared=True)) as other:
            assert other.password(Role.OPERATOR) == "a"
            other.set_password(Role.OPERATOR, "b")
            other.set_password(Role.USER, "u")
            other.set_password(Role.INSTALLER, "c")
        assert store.password(Role.OPERATOR) == "a"
        assert asyncio.run(store.refresh_passwords()) == {Role.OPERATOR}
        assert [store.password(role) for role in (Role.OPERATOR, Role.INSTALLER, Role.USER)] == ["b", "c", "u"]
        assert asyncio.run(store.refresh_passwords()) == frozenset()


def test_no_other_process_sets_passwords_in_memory() -> None:
    assert asyncio.run(open_store(None).refresh_passwords()) == frozenset()


# The directory


def test_nothing_in_the_directory_is_for_others_or_has_the_password_in_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with closing(open_store(directory)) as store:
        store.set_password(Role.OPERATOR, "op-secret")
        files = list(directory.iterdir())
        assert {file.name for file in files} >= {DATABASE, KEY_FILE}
        assert mode(directory) == 0o700
        for file in files:
            assert mode(file) == 0o600
            assert b"op-secret" not in file.read_bytes()


def test_one_process_has_the_directory_until_it_lets_go(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(ConfigError, match=f"another nfcbridge serves {tmp_path}; stop it"):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()


def test_the_durability_is_that_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Durability] = []

    def make(path: Path, durability: Durability) -> Database:
        asked.append(durability)
        return Database(path, durability)

    monkeypatch.setattr("nfcbridge.charger.database.Database", make)
    open_store(tmp_path).close()
    open_store(tmp_path, Durability.NORMAL).close()
    assert asked == [Durability.FULL, Durability.NORMAL]


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another one with --data"):
        open_store(tmp_path / "file")


def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir(0o700)
    with pytest.raises(ConfigError, match="cannot use the data directory"):
        open_store(tmp_path)
    (tmp_path / KEY_FILE).rmdir()
    open_store(tmp_path).close()


def test_another_key_is_told_from_a_damaged_database(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        store.set_password(Role.OPERATOR, "a")
    (tmp_path / KEY_FILE).write_bytes(b"k" * KEY_LENGTH)
    for _ in range(2):
        with pytest.raises(ConfigError, match="another key; restore the key file"):
            open_store(tmp_path)


def test_a_database_that_another_program_spoilt_is_not_written(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DROP TABLE pairs")
    with pytest.raises(ConfigError, match="no such table"):
        open_store(tmp_path)
