"""Files that are there when they are whole."""

import os
import stat
import threading
from pathlib import Path

import pytest

from nfcbridge.whole import open_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with open_whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_for_whom_it_is_said(tmp_path: Path, mode: int) -> None:
    with open_whole(str(tmp_path / "f"), mode=mode) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600  # nobody reads what is not whole
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def test_what_fails_leaves_what_was_there_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), open_whole(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    link = tmp_path / "link"
    link.symlink_to("to/f")
    for octets in (b"first", b"second"):
        with open_whole(link) as file:
            file.write(octets)
        assert link.is_symlink()
        assert (tmp_path / "to/f").read_bytes() == octets


def test_a_pipe_is_written_as_it_comes_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    with open_whole(path) as file:
        file.write(b"octets")
    reader.join()
    assert got == [b"octets"]
    assert path.is_fifo()


def test_a_folder_that_is_not_there_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "f"
    with pytest.raises(FileNotFoundError) as caught, open_whole(path):
        pytest.fail("it was opened")
    assert caught.value.filename == str(path)


def test_what_is_to_last_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    seen: list[tuple[bool, int]] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((path.exists(), os.fstat(descriptor).st_size)))
    with open_whole(path) as file:
        file.write(b"short")
    assert not seen
    path.unlink()
    with open_whole(path, lasting=True) as file:
        file.write(b"octets")
    assert seen == [(False, 6)]
