"""`nfcbridge shell`: lines from a pipe, and a terminal with history and completion."""

import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from nfcbridge.cli import main, shell
from nfcbridge.cli.door import Door
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.shell import (
    Line,
    Talk,
    completer,
    completions,
    history,
    kept_history,
    keys_of,
    parse_line,
    pretty,
    prompted,
)
from nfcbridge.client.errors import NfcReadTimeout
from nfcbridge.client.session import Session

DOOR = Door("memory:charger", None, None, "operator", None)


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_each_line_is_a_request_and_each_answer_a_line(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(
        monkeypatch, "/system_state", "", "# nothing", 'POST /users {"userName": "Jenny"}', "get  /users", "quit", "/x"
    )
    assert main(["shell", "--link", charger]) == ExitCode.DONE
    out, err = capsys.readouterr()
    state, user, users = map(json.loads, out.splitlines())
    assert state["systemState"] == "idle"
    assert users["users"] == [user]
    assert not err


def test_what_is_refused_or_no_request_is_told_and_the_next_line_is_taken(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "/nothing",
        "POST /users {",
        "nonsense",
        "GET /a/../b",
        "logout",
        "/users",
        "login",
        "/transactions/active",
    ]
    type_in(monkeypatch, *lines)
    assert main(["shell", "--link", charger]) == ExitCode.REFUSED
    out, err = capsys.readouterr()
    assert out == '{"success":false}\n'
    told = err.splitlines()
    assert told[0] == "nfcbridge: error: GET /nothing: 404 Not Found"
    assert "the JSON document: " in told[1]
    assert "does not begin with one /" in told[2]
    assert "has a segment . or .." in told[3]
    assert told[4] == "nfcbridge: error: GET /users: 401 Unauthorized"
    assert len(told) == 5


def test_help_and_paths_say_what_there_is(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "help", "paths")
    assert main(["shell", "--link", charger]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "METHOD PATH JSON" in out
    assert "DELETE  /key_value_store/{key}  Delete one pair" in out


def test_a_link_that_fails_is_told_and_the_shell_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def torn(request: httpx2.Request) -> httpx2.Response:
        raise NfcReadTimeout("no answer in time", request=request)

    with Session(httpx2.MockTransport(answer), "operator", "x") as session:
        session._client._transport = httpx2.MockTransport(torn)  # noqa: SLF001 - the phone slips off
        talk = Talk(session, DOOR, ["/users", "/users"])
        talk.run()
        session._client._transport = httpx2.MockTransport(answer)  # noqa: SLF001
    assert talk.refused
    assert capsys.readouterr().err == "nfcbridge: error: no answer in time\n" * 2


def answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path == "/login":
        return httpx2.Response(200, json={"token": "t", "session": {"session_id": "i"}})
    if request.url.path == "/settings":
        return httpx2.Response(200, json={"result": {"SysTime_mon": 1}})
    return httpx2.Response(204 if request.url.path == "/empty" else 404)


def test_a_terminal_gets_colours_times_and_keys_to_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    keys: set[str] = set()
    with Session(httpx2.MockTransport(answer), "operator", "x") as session:
        Talk(session, DOOR, ["/settings", "/empty", "/nothing"], keys).run()
    out = capsys.readouterr().out
    assert "200 OK" in out
    assert '"SysTime_mon"' in out
    assert "204 No Content" in out
    assert "404 Not Found" in out
    assert keys == {"SysTime_mon"}
    assert keys_of([]) == keys_of({"result": []}) == set()


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("/users", Line("GET", "/users", None)),
        ('/settings {"params": ["a"]}', Line("GET", "/settings", b'{"params":["a"]}')),
        ("delete /users/7", Line("DELETE", "/users/7", None)),
        ("POST   /users  [1, 2]", Line("POST", "/users", b"[1,2]")),
    ],
)
def test_method_and_json_may_be_left_out(typed: str, line: Line) -> None:
    assert parse_line(typed) == line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("he", ["help"]),
        ("de", ["DELETE"]),
        ("/sys", ["/system_state"]),
        ("GET /transactions/", ["/transactions/active", "/transactions/summary"]),
        ("DELETE /u", ["/users/"]),
        ("GET /settings?params=Sys", ["/settings?params=SysTime_mon"]),
        ("/settings?params=A,Sys", ["/settings?params=A,SysTime_mon"]),
        ("POST /users {", []),
        ("GET /nothing", []),
    ],
)
def test_tab_completes(text: str, found: list[str]) -> None:
    keys = {"SysTime_mon", "Uptime_mon"}
    assert completions(text, keys) == found
    offered = completer(keys).get_completions(Document(text), CompleteEvent())
    typed = text.rpartition(" ")[2]
    assert [text[: len(text) + each.start_position] + each.text for each in offered] == [
        text.removesuffix(typed) + each for each in found
    ]


def test_the_history_is_for_its_owner_and_has_no_password(tmp_path: Path) -> None:
    path = tmp_path / "history"
    kept = history(path)
    kept.append_string("/users")
    kept.append_string('POST /login {"password": "x"}')
    assert list(history(path).load_history_strings()) == ["/users"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_are_prompted_for_until_ctrl_d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text("/users\n/half\x03/last\n\x04")
        assert list(prompted(DOOR, set())) == ["/users", "/last"]
    assert (tmp_path / "nfcbridge/shell_history").read_text().count("+/") == 2


def test_a_terminal_is_talked_to(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def typed(_door: Door, _keys: set[str]) -> Iterator[str]:
        yield "/nothing"
        yield "/transactions/active"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(shell, "prompted", typed)
    assert main(["shell", "--link", charger]) == ExitCode.DONE  # who types sees what failed
    assert capsys.readouterr().out == '{"success":false}\n'


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (
            '{"a":"\u009b31m\u202e\\u001b\U000e0001é"}'.encode(),
            '{\n  "a": "\\u009b31m\\u202e\\u001b\\udb40\\udc01é"\n}',
        ),
        (b"<p>\x1b[31m\xff", "<p>\\u001b[31m\\xff"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_what_a_charger_says_cannot_paint_on_the_terminal(content: bytes, shown: str) -> None:
    assert pretty(content) == shown


def test_a_page_over_http_is_no_json_and_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def page(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/login":
            return answer(request)
        return httpx2.Response(200, content=b"<!doctype html>\n<p>")

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Session(httpx2.MockTransport(page), "operator", "x") as session:
        Talk(session, DOOR, ["/docs", "/settings"], set()).run()
    assert capsys.readouterr().out.count("<!doctype html>\n<p>\n") == 2


def test_what_stdin_has_beside_utf_8_is_told(
    charger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/transactions/active\n/\xff\n"), encoding="utf-8"))
    assert main(["shell", "--link", charger]) == ExitCode.USAGE
    assert "the lines on stdin are not UTF-8" in capsys.readouterr().err


def test_a_server_that_is_gone_is_told_with_what_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("Connection refused", request=request)

    with Session(httpx2.MockTransport(answer), "operator", "x") as session:
        session._client._transport = httpx2.MockTransport(gone)  # noqa: SLF001 - the server ends
        Talk(session, DOOR._replace(url="http://charger"), ["/users"]).run()
        session._client._transport = httpx2.MockTransport(answer)  # noqa: SLF001
    assert "http://charger: Connection refused; look whether the charger serves there" in capsys.readouterr().err


def test_a_history_that_cannot_be_kept_is_one_of_this_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(shell, "history_file", lambda: file / "below")
    kept = kept_history()
    kept.append_string("/users")
    assert list(kept.get_strings()) == ["/users"]
    assert f"no history is kept: {file / 'below'}: Not a directory" in capsys.readouterr().err
    kept = history(tmp_path / "shell_history")
    (tmp_path / "shell_history").unlink()
    (tmp_path / "shell_history").mkdir()
    kept.append_string("/users")
    assert list(kept.get_strings()) == ["/users"]
