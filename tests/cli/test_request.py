"""`nfcbridge request`: only the content on stdout, and an exit code for each outcome."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.request import check_json, phrase_of
from nfcbridge.client.session import Session
from nfcbridge.errors import FieldLostError
from nfcbridge.server.emulator import Emulator
from tests.foreign.echo_app import app as echo

ECHO = "memory:echo"


@pytest.fixture
def echo_link() -> Iterator[str]:
    with Emulator(echo, [ECHO]):
        yield ECHO


def test_the_content_and_nothing_else_is_on_stdout(charger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "GET", "/system_state", "--link", charger]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert json.loads(out)["systemState"] == "idle"
    assert out.endswith("}\n")
    assert not err


def test_it_logs_out_when_it_is_done(charger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def logout(self: Session) -> None:
        calls.append(type(self).__name__)

    monkeypatch.setattr(Session, "logout", logout)
    main(["request", "GET", "/system_state", "--link", charger])
    assert calls == ["Session"]


def test_all_of_it_happens_in_one_activation(charger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "GET", "/system_state", "--link", charger, "-v"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[:2] == ["> GET /system_state", "< 200 OK"]
    # Four commands of one detection, then an UPDATE and a READ for token, login, state and logout.
    assert lines[2].startswith("12 APDUs, ")
    assert lines[2].endswith(" ms of air time (computed, without activation)")
    assert out.count("\n") == 1


def test_the_method_may_be_typed_in_small_letters(charger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "get", "/system_state", "--link", charger]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)


def test_a_refused_login_is_exit_code_1_and_names_the_user(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "wrong")
    assert main(["request", "GET", "/system_state", "--link", charger]) == ExitCode.REFUSED
    out, err = capsys.readouterr()
    assert not out
    assert err == "nfcbridge: error: login as operator: 401 Unauthorized; check user and password\n"


def test_an_application_without_a_login_is_told_how_to_be_asked(
    echo_link: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "any")
    monkeypatch.setattr(Session, "login", lambda _self: httpx2.Response(404))
    assert main(["request", "GET", "/echo", "--link", echo_link]) == ExitCode.REFUSED
    told = "login as operator: 404 Not Found; it knows no login: send the request alone, with --no-login"
    assert capsys.readouterr().err == f"nfcbridge: error: {told}\n"


def test_a_status_of_400_or_more_is_exit_code_1_with_what_to_do(
    charger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["request", "GET", "/nothing/here", "--link", charger]) == ExitCode.REFUSED
    out, err = capsys.readouterr()
    assert (out, err) == ("", "nfcbridge: error: GET /nothing/here: 404 Not Found; check the path\n")


def test_the_user_and_the_password_file_are_those_given(
    charger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.write_text("user's\n")
    args = ["request", "GET", "/system_state", "--link", charger, "--user", "user", "--password-file", str(file)]
    assert main(args) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)


def test_a_logout_that_was_asked_for_is_not_repeated(charger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "POST", "/logout", "--link", charger, "-v"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert json.loads(out)["logged_in"] is False
    assert "10 APDUs, " in err


def test_a_failed_logout_is_a_warning_after_the_answer(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def logout(_self: Session) -> None:
        raise FieldLostError("the tag left")

    monkeypatch.setattr(Session, "logout", logout)
    assert main(["request", "GET", "/system_state", "--link", charger]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert err == "nfcbridge: warning: not logged out: the tag left; the session ends by itself after 60 s\n"


@pytest.mark.parametrize("order", ["auto", "one", "nlen-first", "first-chunk"])
def test_each_write_order_carries_a_request(order: str, echo_link: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["request", "POST", "/", '{"a": [1, 2.50]}', "--link", echo_link, "--no-login", "--write-order", order]
    assert main(args) == ExitCode.DONE
    assert capsys.readouterr().out == '{"a":[1,2.50]}\n'


def test_without_a_login_no_password_is_asked_for(
    echo_link: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NFCBRIDGE_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "stdin"}'))
    assert main(["request", "PUT", "/", "-", "--link", echo_link, "--no-login"]) == ExitCode.DONE
    assert capsys.readouterr().out == '{"from":"stdin"}\n'


def test_stdin_that_is_not_utf_8_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"\xff": 1}'), encoding="utf-8"))
    assert main(["request", "POST", "/a", "-", "--no-login"]) == ExitCode.USAGE
    assert "JSON on stdin is not UTF-8" in capsys.readouterr().err


def test_a_path_that_is_too_long_for_any_url_is_a_usage_error(
    echo_link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/" + "a" * 70_000
    assert main(["request", "GET", path, "--link", echo_link, "--no-login"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("nfcbridge: error: ")


def test_an_answer_without_content_prints_nothing(echo_link: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "GET", "/", "--link", echo_link, "--no-login"]) == ExitCode.DONE
    assert capsys.readouterr() == ("", "")


def test_content_that_is_larger_than_the_tag_is_a_usage_error(
    echo_link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.dumps("x" * 40_000)
    assert main(["request", "POST", "/", content, "--link", echo_link, "--no-login"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("nfcbridge: error: ")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["G3T", "/a"], "METHOD 'G3T' is not one such as GET"),
        (["GÄT", "/a"], "is not one such as GET"),
        (["GET", "a"], "does not begin with one /, such as /system_state"),
        (["GET", "http://charger/a"], "does not begin with one /"),
        (["GET", "//charger/a"], "does not begin with one /"),
        (["GET", "/a#b"], "what follows it is never sent"),
        (["GET", "/../a"], "write the path without it"),
        (["GET", "/a/./b?c"], "write the path without it"),
        (["GET", "/a/.."], "write the path without it"),
        (["GET", "/a\nb"], "write them as %XX"),
        (["GET", "/\udcff"], "write them as %XX"),
        (["POST", "/a", "{'a': 1}"], "quote it for the shell"),
        (["POST", "/a", ""], "quote it for the shell"),
        (["POST", "/a", "[" * 100_000], "quote it for the shell"),
        (["GET"], "Missing argument 'PATH'"),
        (["GET", "/a", "--write-order", "two"], "nlen-first"),
        (["GET", "/a", "--link", "carrier-pigeon:"], "what exists: udp:127.0.0.1:54321"),
    ],
)
def test_a_mistake_in_the_command_is_exit_code_2_and_nothing_is_sent(
    args: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "x")
    assert main(["request", *args]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert err.count("\n") == 1


def test_no_tag_is_exit_code_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from nfcbridge.client import session

    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "x")
    monkeypatch.setattr(session, "TIMEOUT", httpx2.Timeout(0.01))
    assert main(["request", "GET", "/a", "--link", "memory:nobody"]) == ExitCode.LINK
    out, err = capsys.readouterr()
    assert not out
    assert err == (
        "nfcbridge: error: no card at memory:nobody: open its card end in this process first; "
        "to reach another process use udp:, memory: cannot\n"
    )


def test_a_link_that_does_not_exist_is_told_before_a_password_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NFCBRIDGE_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["request", "GET", "/a", "--link", "vpcd:"]) == ExitCode.USAGE
    assert "nothing can be read through vpcd:" in capsys.readouterr().err


def test_the_examples_of_the_help_are_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "--help"]) == ExitCode.DONE
    assert "\n  nfcbridge request GET /system_state\n  nfcbridge request POST " in capsys.readouterr().out


def test_numbers_of_a_document_stay_what_they_are() -> None:
    assert check_json(' {"a" : 1.0 , "b": 12345678901234567890123 } ') == b'{"a":1.0,"b":12345678901234567890123}'


@pytest.mark.parametrize(("status", "phrase"), [(404, "Not Found"), (599, "")])
def test_a_status_has_its_phrase_if_http_knows_one(status: int, phrase: str) -> None:
    assert phrase_of(status) == phrase


def test_what_crossed_is_recorded(charger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.jsonl"
    assert main(["request", "GET", "/system_state", "--link", charger, "--trace", str(file)]) == ExitCode.DONE
    assert main(["trace", "stats", "--json", str(file)]) == ExitCode.DONE
    assert '"exchanges":4' in capsys.readouterr().out.replace(" ", "")
