"""`nfcbridge passwd` sets a password that the next start knows, and asks for it in a terminal."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nfcbridge.charger import Role, Store, open_store
from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode


@pytest.fixture(autouse=True)
def _no_password_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NFCBRIDGE_PASSWORD", raising=False)


def password(data: Path, role: Role) -> str | None:
    with closing(open_store(data)) as store:
        return store.password(role)


def test_a_password_comes_from_a_file_or_the_environment_and_the_file_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, file = tmp_path / "data", tmp_path / "password"
    file.write_text("from the file\n")
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "from the environment")
    assert main(["passwd", "operator", "--data", str(data), "--password-file", str(file)]) == ExitCode.DONE
    assert password(data, Role.OPERATOR) == "from the file"
    assert main(["passwd", "operator", "--data", str(data)]) == ExitCode.DONE
    assert password(data, Role.OPERATOR) == "from the environment"
    assert capsys.readouterr() == ("", "")


class Terminal:
    """Somebody who types."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def isatty(self) -> bool:
        return True

    def type(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    there = Terminal([])
    monkeypatch.setattr(sys, "stdin", there)
    monkeypatch.setattr("click.termui.hidden_prompt_func", there.type)
    yield there
    assert not there.answers


def test_it_is_asked_for_twice_until_both_are_the_same(tmp_path: Path, terminal: Terminal) -> None:
    terminal.answers = ["new", "another", "new", "new"]
    assert main(["passwd", "user", "--data", str(tmp_path)]) == ExitCode.DONE
    assert password(tmp_path, Role.USER) == "new"
    assert len(terminal.asked) == 4


def test_without_a_terminal_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passwd", "user", "--data", str(tmp_path)]) == ExitCode.USAGE
    assert "give --password-file FILE or set NFCBRIDGE_PASSWORD" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_has_the_directory_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "new")
    with closing(open_store(tmp_path)):
        assert main(["passwd", "installer", "--data", str(tmp_path)]) == ExitCode.DONE
    assert password(tmp_path, Role.INSTALLER) == "new"


def test_the_user_s_own_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "new")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["passwd", "manufacturer"]) == ExitCode.DONE
    assert password(tmp_path / "nfcbridge", Role.MANUFACTURER) == "new"


@pytest.mark.parametrize("role", ["admin", "", "Operator"])
def test_there_are_four_roles(role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passwd", role, "--data", str(tmp_path)]) == ExitCode.USAGE
    assert "operator" in capsys.readouterr().err


def test_a_password_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "x" * 1025)
    assert main(["passwd", "user", "--data", str(tmp_path)]) == ExitCode.USAGE
    assert password(tmp_path, Role.USER) is None


def test_a_disk_that_is_full_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_args: object) -> None:
        raise OSError("the database cannot be written: database or disk is full")

    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "from the environment")
    monkeypatch.setattr(Store, "set_password", refuse)
    assert main(["passwd", "operator", "--data", str(tmp_path)]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.endswith("disk is full; make room there, or choose another directory with --data\n")


def test_a_role_that_is_missing_or_unknown_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passwd"]) == ExitCode.USAGE
    assert main(["passwd", "root"]) == ExitCode.USAGE
    missing, unknown = capsys.readouterr().err.splitlines()
    assert missing.startswith("nfcbridge: error: Missing argument 'ROLE'. Choose from: manufacturer, ")
    assert unknown.startswith("nfcbridge: error: Invalid value for 'ROLE': 'root' is not one of 'manufacturer', ")
