"""The key file, and what is sealed with it."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.sealing import KEY_LENGTH, load_key, seal, unseal
from nfcbridge.errors import ConfigError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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
