"""The file of a backup."""

from pathlib import Path

import msgspec
import pytest

from nfcbridge.client.backup import copy as copies
from nfcbridge.client.backup.copy import Copy, Tag, User, read_copy, write_copy
from nfcbridge.errors import ConfigError

TEXT = """{"nfcbridge_backup": 1, "created": "2026-05-04T10:00:00Z", "charger": {"serialNumber": "7"},
 "role": "operator",
 "settings": {"Apn_modem": "internet"}, "users": [{"userId": "u", "userName": "Jenny"}],
 "whitelist": [{"id": "abcdef12", "tagType": "NFC", "userid": "u"}], "pairs": {"key": "value"}}"""
COPY = Copy(
    created="2026-05-04T10:00:00Z",
    charger={"serialNumber": "7"},
    role="operator",
    settings={"Apn_modem": "internet"},
    users=[User("u", "Jenny")],
    whitelist=[Tag(id="abcdef12", tag_type="NFC", user_id="u")],
    pairs={"key": "value"},
)


def test_it_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(TEXT)
    assert read_copy(path) == COPY
    write_copy(path, COPY)
    assert read_copy(path) == COPY
    assert path.stat().st_mode & 0o777 == 0o600
    assert COPY.words() == "1 settings, 1 users, 1 whitelist entries, 1 pairs"
    assert COPY.only(["pairs"]).parts() == ["pairs"]


def test_what_fails_while_it_is_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.json"
    path.write_text("old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_copy(path, COPY)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no backup"),
        ("[" * 100_000, "is no backup"),
        ("{}", "is no backup: `nfcbridge backup FILE` makes one"),
        ('{"nfcbridge_backup": 2}', "version 2: update nfcbridge"),
        ('{"nfcbridge_backup": 1, "users": 5}', "is no backup"),
        (
            '{"nfcbridge_backup": 1, "users": [{"userId": "u", "userName": "A"}, {"userId": "u", "userName": "B"}]}',
            "userId u is there twice",
        ),
        ('{"nfcbridge_backup": 1, "whitelist": [{"id": "1"}, {"id": "2"}, {"id": "1"}]}', "whitelist 1 is there twice"),
    ],
)
def test_what_is_no_backup_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_copy(path)


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
def test_a_file_is_read_up_to_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, more: int, taken: bool
) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(msgspec.json.encode(COPY))
    monkeypatch.setattr(copies, "MAX_FILE", path.stat().st_size - more)
    if taken:
        assert read_copy(path) == COPY
    else:
        with pytest.raises(ConfigError, match="this is no backup"):
            read_copy(path)
