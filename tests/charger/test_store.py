"""What lasts: the store and its key file."""

import sqlite3
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger import Role, make_password, open_store
from nfcbridge.charger.sealing import KEY_LENGTH, load_key, seal, unseal
from nfcbridge.charger.store import DATABASE, KEY_FILE, MAX_PASSWORD, SCHEMA_VERSION
from nfcbridge.errors import ConfigError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_store_in_memory_forgets() -> None:
    store = open_store(None)
    store.set_password(Role.OPERATOR, "a")
    assert store.password(Role.OPERATOR) == "a"
    assert store.password(Role.USER) is None
    store.close()
    assert open_store(None).password(Role.OPERATOR) is None


def test_a_store_in_a_directory_remembers(tmp_path: Path) -> None:
    for number in range(2):
        store = open_store(tmp_path / "new" / "data")
        assert store.password(Role.OPERATOR) == (None if number == 0 else "Stra\u00dfe")
        store.set_password(Role.OPERATOR, "a")
        store.set_password(Role.OPERATOR, "Stra\u00dfe")
        assert store.password(Role.USER) is None
        store.close()


def test_what_was_set_is_there_for_another_process_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.set_password(Role.OPERATOR, "a")
    other = open_store(tmp_path)
    assert other.password(Role.OPERATOR) == "a"
    other.close()
    store.close()


def test_nothing_in_the_directory_is_for_others_or_has_the_password_in_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    store = open_store(directory)
    store.set_password(Role.OPERATOR, "op-secret")
    files = list(directory.iterdir())
    assert {file.name for file in files} >= {DATABASE, KEY_FILE}
    assert mode(directory) == 0o700
    for file in files:
        assert mode(file) == 0o600
        assert b"op-secret" not in file.read_bytes()
    store.close()


def test_the_database_is_durable_and_has_its_version(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


@pytest.mark.parametrize("in_memory", [True, False])
def test_an_empty_password_is_refused_and_the_longest_taken(in_memory: bool, tmp_path: Path) -> None:
    store = open_store(None if in_memory else tmp_path)
    store.set_password(Role.OPERATOR, "a" * MAX_PASSWORD)
    for refused in ("", "a" * (MAX_PASSWORD + 1)):
        with pytest.raises(ConfigError):
            store.set_password(Role.OPERATOR, refused)
    assert store.password(Role.OPERATOR) == "a" * MAX_PASSWORD
    store.close()


def test_a_made_password_is_another_each_time_and_can_be_typed() -> None:
    made = {make_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 16 and password.isalnum() and password.islower() for password in made)


# What cannot be used


def test_a_database_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(ConfigError, match="later version"):
        open_store(tmp_path)
    connection = sqlite3.connect(tmp_path / DATABASE)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    connection.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"a" * 4096)
    with pytest.raises(ConfigError, match="not a database"):
        open_store(tmp_path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another one with --data"):
        open_store(tmp_path / "file")


def test_another_key_is_told_from_a_damaged_database(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.set_password(Role.OPERATOR, "a")
    store.close()
    (tmp_path / KEY_FILE).write_bytes(b"k" * KEY_LENGTH)
    with pytest.raises(ConfigError, match="another key; restore the key file"):
        open_store(tmp_path)


# The key file


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = load_key(path)
    assert len(key) == KEY_LENGTH
    assert path.read_bytes() == key == load_key(path)
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_key_that_somebody_else_makes_meanwhile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    link = Path.hardlink_to

    def late(self: Path, target: str) -> None:
        path.touch(0o600)
        path.write_bytes(b"k" * KEY_LENGTH)
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    assert load_key(path) == b"k" * KEY_LENGTH
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "key"
    load_key(path)
    path.chmod(bits)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        load_key(path)


@pytest.mark.parametrize("length", [0, KEY_LENGTH - 1, KEY_LENGTH + 1])
def test_a_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(b"k" * length)
    with pytest.raises(ConfigError, match="not a key of 32 octets"):
        load_key(path)


# Sealing

KEY = bytes(range(KEY_LENGTH))


def test_what_is_sealed_is_a_nonce_and_aes_gcm_with_the_name_authenticated() -> None:
    sealed = seal(KEY, "operator", "a")
    assert len(sealed) == 12 + 1 + 16
    assert AESGCM(KEY).decrypt(sealed[:12], sealed[12:], b"operator") == b"a"
    assert seal(KEY, "operator", "a") != sealed


@given(st.text())
def test_what_is_sealed_can_be_unsealed(plain: str) -> None:
    assert unseal(KEY, "operator", seal(KEY, "operator", plain)) == plain


def test_no_octet_of_what_is_sealed_can_be_changed() -> None:
    sealed = seal(KEY, "operator", "a")
    for index in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[index] ^= 1
        with pytest.raises(ConfigError):
            unseal(KEY, "operator", bytes(damaged))


def test_what_is_sealed_for_one_name_is_no_other_s() -> None:
    with pytest.raises(ConfigError, match="another key"):
        unseal(KEY, "user", seal(KEY, "operator", "a"))


@pytest.mark.parametrize("length", [0, 12, 27])
def test_what_is_too_short_to_be_sealed_is_damaged(length: int) -> None:
    with pytest.raises(ConfigError, match="set it again"):
        unseal(KEY, "operator", bytes(length))
