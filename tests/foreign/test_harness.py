"""When the harness cannot do its work it says why, and does not wait."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Peers
from tests.foreign import room
from tests.foreign.served import serving


def test_a_server_that_does_not_start_shows_what_it_said() -> None:
    with pytest.raises(AssertionError, match="no-such-kind"), ExitStack() as stack:
        stack.enter_context(serving("--dev", "--link", "no-such-kind:x", "--http", "none"))


def test_a_line_that_does_not_come_is_not_waited_for_beyond_the_time_given() -> None:
    with (
        serving("--dev", "--link", "memory:nobody", "--http", "none") as served,
        pytest.raises(AssertionError, match="no line starting 'never'"),
    ):
        served.wait_for_line("never", timeout=0.01)


def test_a_machine_without_the_virtual_reader_fails_in_ci(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(room, "DRIVER", Path("/no/such/file"))
    with pytest.raises(pytest.fail.Exception, match="vsmartcard-vpcd"), ExitStack() as stack:
        stack.enter_context(room.open_room(peers))


def test_a_machine_without_namespaces_fails_in_ci(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CI", "true")
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(pytest.fail.Exception, match="Operation not permitted"), ExitStack() as stack:
        stack.enter_context(room.open_room(peers))
