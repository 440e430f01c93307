"""Passwords at rest: AES-256-GCM under a key file beside the database.

    octets   0 .. 11   nonce, random
             12 ..     ciphertext, then a tag of 16 octets; the name of the row is authenticated with it

The login needs the plain password (SHA-256 over password and token), so a hash cannot be kept in its place. The key
file keeps a copied database, or a backup without the key, from telling it; it does not keep out who can read both.
"""

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from nfcbridge.errors import ConfigError

KEY_LENGTH: Final = 32
_NONCE_LENGTH: Final = 12
_TAG_LENGTH: Final = 16


def load_key(path: Path) -> bytes:
    """The key in this file, which is made with a new key if there is none.

    Raises:
        ConfigError: others may read the file, or it is no key.
    """
    if not path.exists():
        _make_key(path)
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ConfigError(f"others may read the key file; chmod 600 {path}")
        key = file.read(KEY_LENGTH + 1)
    if len(key) != KEY_LENGTH:
        raise ConfigError(f"{path} is not a key of {KEY_LENGTH} octets; restore it, or move it and the database away")
    return key


def _make_key(path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as file:  # mode 0600
        file.write(secrets.token_bytes(KEY_LENGTH))
        file.flush()
        os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces the key that somebody else has made meanwhile.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(file.name)
    sync_directory(path.parent)  # the key is on disk before anything that was sealed with it


def sync_directory(path: Path) -> None:
    """Wait until the names of new files in a directory are on disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def seal(key: bytes, name: str, plain: str) -> bytes:
    """Encrypt."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 7 MiB that memory-only use saves

    nonce = secrets.token_bytes(_NONCE_LENGTH)
    return nonce + AESGCM(key).encrypt(nonce, plain.encode(), name.encode())


def unseal(key: bytes, name: str, sealed: bytes) -> str:
    """Decrypt.

    Raises:
        ConfigError: sealed under another key or for another name, or damaged.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(sealed) < _NONCE_LENGTH + _TAG_LENGTH:
        raise ConfigError(f"the password of {name} is damaged; set it again")
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:], name.encode()).decode()
    except InvalidTag as error:
        raise ConfigError(f"the password of {name} was kept under another key; restore the key file") from error
