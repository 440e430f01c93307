"""Where a password comes from, in which order, and what is no part of it."""

import io
import sys
from pathlib import Path

import click
import pytest

from nfcbridge.cli.passwords import MAX_PASSWORD_OCTETS, password_of, read_password_file


@pytest.fixture(autouse=True)
def _no_password_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NFCBRIDGE_PASSWORD", raising=False)


@pytest.mark.parametrize(
    ("octets", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" secret \n", " secret "),
        (b"secret\r", "secret\r"),
        ("größer\n".encode(), "größer"),
    ],
)
def test_one_trailing_newline_is_no_part_of_a_password(tmp_path: Path, octets: bytes, password: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(octets)
    assert read_password_file(file) == password


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "is empty; write the password into it"),
        (b"\n", "is empty; write the password into it"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (MAX_PASSWORD_OCTETS + 1), "has more than 1024 octets"),
    ],
)
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, octets: bytes, words: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(octets)
    with pytest.raises(click.UsageError, match=words):
        read_password_file(file)


def test_a_password_may_be_as_long_as_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"x" * MAX_PASSWORD_OCTETS)
    assert len(read_password_file(file)) == MAX_PASSWORD_OCTETS


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="missing: No such file"):
        read_password_file(tmp_path / "missing")


def test_the_file_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("of the file\n")
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "of the environment")
    assert password_of("operator", file) == "of the file"
    assert password_of("operator", None) == "of the environment"


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("not a password\n"))
    with pytest.raises(click.UsageError, match="no password for operator: give --password-file FILE or set NFCBRIDGE"):
        password_of("operator", None)


def test_at_a_terminal_the_user_is_asked_by_name_and_not_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def prompt(text: str, **how: object) -> str:
        asked.append((text, how))
        return "typed"

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(click, "prompt", prompt)
    assert password_of("installer", None) == "typed"
    assert asked == [("Password of installer", {"hide_input": True, "confirmation_prompt": False, "err": True})]
