"""What lasts: one SQLite file in the data directory, or nothing at all.

    nfcbridge.sqlite3      passwords(role, sealed)
    nfcbridge.key          32 octets, mode 0600 (see sealing)

WAL with synchronous FULL: what was reported as done is there after a power failure. user_version has the version of the
schema; a file of a later version is refused and left alone.
"""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from nfcbridge.charger.roles import Role
from nfcbridge.charger.sealing import load_key, seal, unseal
from nfcbridge.errors import ConfigError

if TYPE_CHECKING:
    from sqlite3 import Connection

DATABASE: Final = "nfcbridge.sqlite3"
KEY_FILE: Final = "nfcbridge.key"
SCHEMA_VERSION: Final = 1
# Characters of a password; SHA-256 over the longest takes about 10 us.
MAX_PASSWORD: Final = 1024
# Seconds to wait for another process that writes the database.
_BUSY_TIMEOUT: Final = 5.0
_SCHEMA: Final = "CREATE TABLE passwords (role TEXT PRIMARY KEY NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID"
# A made password: 79 bits, without characters that look like another.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_MADE_LENGTH: Final = 16


class Store(Protocol):
    """The passwords. One thread at a time."""

    def password(self, role: Role) -> str | None:
        """The plain password of this role, None if it has none and nobody can log in to it."""
        ...

    def set_password(self, role: Role, password: str) -> None:
        """Set a password; it is kept when this returns. Raises ConfigError: empty, or longer than MAX_PASSWORD."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def make_password() -> str:
    """A random password that people can type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_MADE_LENGTH))


def open_store(directory: Path | None) -> Store:
    """The store in this data directory, which is made if there is none.

    Args:
        directory: None keeps everything in memory.

    Raises:
        ConfigError: the directory or what is in it cannot be used.
    """
    return MemoryStore() if directory is None else FileStore(directory)


def _check(password: str) -> None:
    # An empty password would open the door to whoever knows that there is none.
    if not password:
        raise ConfigError("the password is empty; give one of at least one character")
    if len(password) > MAX_PASSWORD:
        raise ConfigError(f"the password has {len(password)} characters; {MAX_PASSWORD} at most")


class MemoryStore:
    """A store that is gone with the process."""

    def __init__(self) -> None:
        self._passwords: dict[Role, str] = {}

    def password(self, role: Role) -> str | None:
        """See Store."""
        return self._passwords.get(role)

    def set_password(self, role: Role, password: str) -> None:
        """See Store."""
        _check(password)
        self._passwords[role] = password

    def close(self) -> None:
        """See Store."""


class FileStore(MemoryStore):
    """A store in a data directory. Passwords are read once: a look-up takes the same time for each.

    Args:
        directory: made with mode 0700 if there is none.

    Raises:
        ConfigError: the directory or what is in it cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = load_key(directory / KEY_FILE)
        except OSError as error:
            raise ConfigError(f"cannot use the data directory: {error}; choose another one with --data") from error
        self._connection = _connect(directory / DATABASE)
        try:
            for role, sealed in self._connection.execute("SELECT role, sealed FROM passwords"):
                self._passwords[Role(role)] = unseal(self._key, role, sealed)
        except ConfigError:
            self._connection.close()
            raise

    def set_password(self, role: Role, password: str) -> None:
        """See Store."""
        _check(password)
        with self._connection:
            self._connection.execute(
                "INSERT INTO passwords VALUES (?, ?) ON CONFLICT (role) DO UPDATE SET sealed = excluded.sealed",
                (role.value, seal(self._key, role.value, password)),
            )
        self._passwords[role] = password

    def close(self) -> None:
        """See Store."""
        self._connection.close()


def _connect(path: Path) -> "Connection":
    import sqlite3  # 1 MiB that memory-only use saves

    # The file is the owner's alone before anything is in it; SQLite gives -wal and -shm the same mode.
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigError(f"cannot use the database {path}: {error}; move it away, or choose another --data") from error
    if version > SCHEMA_VERSION:
        connection.close()
        raise ConfigError(f"{path} is of a later version of nfcbridge; use that one, or choose another --data")
    return connection
