"""`nfcbridge serve` at work, as a process of its own: what it prints where, and how it ends."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from nfcbridge import links
from nfcbridge.charger import Role, Store, open_store
from nfcbridge.cli import console, main
from nfcbridge.cli import serving as serving_module
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.foreign_app import place_in_module

PROJECT: Final = Path(__file__).parents[2]
PROGRAM: Final = [sys.executable, "-c", "import sys; from nfcbridge.cli import main; sys.exit(main())"]
ANY_PORTS: Final = ["--link", "udp:127.0.0.1:0", "--http", "127.0.0.1:0"]
READY: Final = re.compile(r"ready nfc=(udp:127\.0\.0\.1:\d+) http=(http://127\.0\.0\.1:\d+)")
STOP_TIMEOUT: Final = 20.0


class Server:
    """A running `serve`: its lines as they come, and all that was left of stdout and stderr when it ended."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.code: int | None = None
        self.out: list[str] = []
        self.err = ""

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def lines_to(self, last: str) -> list[str]:
        """The lines up to the one that has these words; all of them when it never comes."""
        lines: list[str] = []
        while not (lines and (last in lines[-1] or not lines[-1])):
            lines.append(self.line())
        return lines

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        out, self.err = self.process.communicate(timeout=STOP_TIMEOUT)
        self.out = out.splitlines()
        self.code = self.process.returncode


@contextlib.contextmanager
def serving(*args: str, data: Path, cwd: Path = PROJECT) -> Iterator[Server]:
    """Run `serve`; `data` is where the data of this user live."""
    environment = {**os.environ, "XDG_DATA_HOME": str(data), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [*PROGRAM, "serve", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
    ) as process:
        server = Server(process)
        try:
            yield server
            if server.code is None:
                server.stop()
        finally:
            process.kill()


def request(link: str, password: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", password)
    return main(["request", "GET", "/system_state", "--link", link])


def test_it_is_ready_tells_what_to_try_and_each_event_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("--dev", *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        start, _, command = server.line().partition(": ")
        assert start == "try it from a second terminal"
        assert request(ready[1], "operator", monkeypatch) == ExitCode.DONE
        lines = server.lines_to("phone left")
        server.stop()
    assert server.code == ExitCode.DONE
    assert (
        server.err == "nfcbridge: warning: --dev: the operator's password is 'operator', and nothing is kept on disk\n"
    )
    assert command == f"NFCBRIDGE_PASSWORD=operator nfcbridge request GET /system_state --link {ready[1]}"
    assert json.loads(capsys.readouterr().out)["systemState"] == "idle"
    words = [line.partition("  ")[2] for line in lines]
    assert re.fullmatch(rf"phone arrived: UID 08[0-9a-f]{{6}} on {ready[1]}, frames of 256 octets", words[0])
    assert [re.sub(r", .*", "", line) for line in words[1:]] == [
        "request 1: GET /login",
        "answer 1: 200",
        "request 2: POST /login",
        "answer 2: 200",
        "request 3: GET /system_state",
        "answer 3: 200",
        "request 4: POST /logout",
        "answer 4: 200",
        "phone left",
    ]


def test_a_reader_that_serves_no_phone_is_told_at_the_start_and_http_is_what_to_try(tmp_path: Path) -> None:
    with serving("--dev", "--rfid-only", *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        assert server.line().partition(": ")[2].startswith("curl http://")
        server.stop()
    assert "RFID only: phones find no tag until RfidMode_rfid is set over HTTP\n" in server.err


def test_the_command_to_try_works_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("--dev", *ANY_PORTS, data=tmp_path) as server:
        server.line()
        assignment, program, *args = shlex.split(server.line().partition(": ")[2])
        assert program == "nfcbridge"
        monkeypatch.setenv(*assignment.split("=", 1))
        assert main(args) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)


def test_json_keeps_the_ready_line_and_puts_an_object_on_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("--dev", "--json", *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        first = json.loads(server.line())
        assert first["event"] == "try"
        assert request(ready[1], "operator", monkeypatch) == ExitCode.DONE
        lines = server.lines_to("phone_left")
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == [
        "phone_arrived",
        *["request_received", "answer_sent"] * 4,
        "phone_left",
    ]
    assert all(event["link"] == ready[1] for event in events)


def test_quiet_prints_the_ready_line_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("--dev", "-q", *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        assert request(ready[1], "operator", monkeypatch) == ExitCode.DONE
        server.stop()
    assert server.out == []
    assert server.err.count("\n") == 1  # the warning of --dev


def test_neither_a_quiet_server_nor_a_request_imports_what_tables_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imported(stderr: str) -> set[str]:
        return {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}

    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with serving("--dev", "-q", *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        done = subprocess.run(
            [*PROGRAM, "request", "GET", "/system_state", "--link", ready[1]],
            capture_output=True,
            text=True,
            check=True,
            cwd=PROJECT,
        )
        server.stop()
    assert "httpx2" in imported(done.stderr)
    assert "rich" not in imported(done.stderr)
    assert "uvicorn" in imported(server.err)
    assert "rich" not in imported(server.err)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--hold", "618ms"], "--hold 0.618s: Android's IsoDep gives up after 618 ms"),
        (["--mle", "257"], "--mle 257: nfcpy cannot read"),
    ],
)
def test_a_setting_that_some_reader_cannot_bear_is_warned_of(args: list[str], words: str, tmp_path: Path) -> None:
    with serving("--memory", *args, *ANY_PORTS, data=tmp_path) as server:
        server.line()
        server.stop()
    assert server.err.startswith(f"nfcbridge: warning: {words}")


def test_a_setting_that_every_reader_bears_is_not_warned_of(tmp_path: Path) -> None:
    with serving("--memory", "--hold", "617ms", "--mle", "256", *ANY_PORTS, data=tmp_path) as server:
        server.line()
        server.stop()
    assert "warning" not in server.err


def test_http_for_other_machines_is_warned_of(tmp_path: Path) -> None:
    with serving("--memory", "--link", "udp:127.0.0.1:0", "--http", "0.0.0.0:0", data=tmp_path) as server:
        server.line()
        server.stop()
    assert server.err.startswith("nfcbridge: warning: HTTP on 0.0.0.0:0 is not encrypted")


def test_https_for_other_machines_is_not_warned_of_and_shows_its_fingerprint(tmp_path: Path) -> None:
    with serving("--memory", "--https", "--link", "udp:127.0.0.1:0", "--http", "0.0.0.0:0", data=tmp_path) as server:
        assert "http=https://0.0.0.0:" in server.line()
        server.stop()
    assert "warning" not in server.err
    assert re.search(r"certificate for HTTPS was made just now and is not kept; .* (?:[0-9A-F]{2}:){31}", server.err)
    assert list(tmp_path.iterdir()) == []


def test_the_certificate_is_kept_beside_the_data(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        with serving("--https", "--data", str(tmp_path / "data"), *ANY_PORTS, data=tmp_path) as server:
            server.line()
            server.stop()
        said += [line for line in server.err.splitlines() if "certificate" in line]
    file = tmp_path / "data" / "certificate.pem"
    assert file.is_file()
    assert f"was made just now and is in {file}, for clients" in said[0]
    assert said[1] == said[0].replace("just now", "here before")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_well_on_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    with serving("--dev", *ANY_PORTS, data=tmp_path) as server:
        server.line()
        server.stop(number)
    assert server.code == ExitCode.DONE
    assert "Traceback" not in server.err


def test_a_full_disk_below_its_output_does_not_end_it() -> None:
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            [*PROGRAM, "serve", "--dev", *ANY_PORTS], stdout=full, stderr=subprocess.PIPE, text=True, cwd=PROJECT
        ) as process,
    ):
        try:
            assert process.stderr is not None
            # It is printed when all is open, just before the lines that are lost.
            assert "--dev" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=STOP_TIMEOUT)
        finally:
            process.kill()
    assert process.returncode == ExitCode.DONE
    assert err.startswith("nfcbridge: warning: 2 events were not shown: ")


def test_a_signal_ends_a_start_that_takes_long(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio\n"
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    print('starting', flush=True)\n"
        "    await asyncio.sleep(60)\n"
    )
    with serving("--app", "slow:app", *ANY_PORTS, data=tmp_path, cwd=tmp_path) as server:
        assert server.line() == "starting"
        server.stop()
    assert server.code == ExitCode.DONE
    assert (server.out, server.err) == ([], "")


def test_events_that_nobody_could_print_are_counted_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def announce(*_args: object, **_options: object) -> None:
        end = links.open_reader("memory:unseen")
        end.activate(1.0)
        end.transceive(bytes.fromhex("E080"), 5.0)
        end.close()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(console, "MAX_PENDING", 0)
    monkeypatch.setattr(serving_module, "announce", announce)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["serve", "--memory", "--link", "memory:unseen", "--http", "none"]) == ExitCode.DONE
    assert re.search(r"warning: [12] events were not shown", capsys.readouterr().err)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_start_shows_a_password_once_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(*ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        assert server.line().endswith(f"nfcbridge request GET /system_state --link {ready[1]}")
        server.stop()
    shown = re.fullmatch(
        r"nfcbridge: the operator's password is (\S{16}) from now on, and is not shown again\n", server.err
    )
    assert shown is not None
    with serving(*ANY_PORTS, data=tmp_path) as again:
        ready = READY.fullmatch(again.line())
        assert ready is not None
        assert request(ready[1], shown[1], monkeypatch) == ExitCode.DONE
        assert request(ready[1], "operator", monkeypatch) == ExitCode.REFUSED
        text = "".join(again.lines_to("answer 6"))
        again.stop()
    assert again.err == ""
    # No event has a password, a token or a session id in it.
    assert shown[1] not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("at", ["link", "http", "trace"])
def test_a_start_that_fails_neither_shows_nor_keeps_a_password(at: str, tmp_path: Path) -> None:
    def start(*args: str) -> str:
        done = subprocess.run(
            [*PROGRAM, "serve", "--data", str(tmp_path), *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=PROJECT,
            timeout=60,
        )
        assert done.returncode in {ExitCode.USAGE, ExitCode.LINK}
        assert not done.stdout
        return done.stderr

    with socket.socket() as http, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for taken in (http, link):
            taken.bind(("127.0.0.1", 0))
        http.listen()
        args = {
            "link": ["--http", "127.0.0.1:0", "--link", f"udp:127.0.0.1:{link.getsockname()[1]}"],
            "http": ["--link", "udp:127.0.0.1:0", "--http", f"127.0.0.1:{http.getsockname()[1]}"],
            "trace": [*ANY_PORTS, "--trace", str(tmp_path / "nowhere" / "trace.jsonl")],
        }
        assert re.fullmatch(r"nfcbridge: error: .*\n", start(*args[at]))
    with closing(open_store(tmp_path)) as store:
        assert store.password(Role.OPERATOR) is None
    with serving("--data", str(tmp_path), *ANY_PORTS, data=tmp_path) as server:
        server.line()
        server.stop()
    shown = re.fullmatch(r"nfcbridge: the operator's password is (\S{16}) from now on, .*\n", server.err)
    assert shown is not None
    with closing(open_store(tmp_path)) as store:
        assert store.password(Role.OPERATOR) == shown[1]


@pytest.mark.parametrize("args", [[], ["--password", "user=password"]])
def test_a_password_that_cannot_be_kept_is_not_shown(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_args: object) -> None:
        raise OSError("the database cannot be written: database or disk is full")

    (tmp_path / "password").write_text("the user's")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Store, "set_password", refuse)
    code = main(["serve", "--data", "data", "--link", "memory:full", "--http", "none", *args])
    assert code == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err == (
        "nfcbridge: error: the database cannot be written: database or disk is full; "
        "make room there, or choose another directory with --data\n"
    )


def test_the_password_that_was_made_works_from_the_first_moment_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("--data", str(tmp_path), *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        assert server.process.stderr is not None
        password = server.process.stderr.readline().split()[5]
        assert request(ready[1], password, monkeypatch) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)


def test_in_memory_each_start_has_a_password_of_its_own(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with serving("--memory", *ANY_PORTS, data=tmp_path) as server:
            server.line()
            server.stop()
        found = re.fullmatch(r"nfcbridge: the operator's password is (\S{16}) for as long as this runs\n", server.err)
        assert found is not None
        shown.append(found[1])
    assert shown[0] != shown[1]
    assert list(tmp_path.iterdir()) == []


def test_a_password_from_a_file_is_set_and_is_the_one_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "the password"
    file.write_text("given\n")
    with serving(
        "--data", str(tmp_path / "data"), "--password", f"operator={file}", *ANY_PORTS, data=tmp_path
    ) as server:
        server.line()
        command = shlex.split(server.line().partition(": ")[2])
        monkeypatch.delenv("NFCBRIDGE_PASSWORD", raising=False)
        assert main(command[1:]) == ExitCode.DONE
        text = "".join(server.lines_to("phone left"))
        server.stop()
    assert server.err == ""
    assert "given" not in text
    assert json.loads(capsys.readouterr().out)
    assert (tmp_path / "data").is_dir()


def test_several_links_are_named_in_the_ready_line_and_in_each_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["--link", "udp:127.0.0.1:0", "--link", "memory:in-there", "--link", "faulty:udp:127.0.0.1:0?seed=1"]
    with serving("--dev", *args, "--http", "none", data=tmp_path) as server:
        words = server.line().split()
        names = words[1].removeprefix("nfc=").split(",")
        assert [name.partition(":")[0] for name in names] == ["udp", "memory", "faulty"]
        assert words[2] == "http=none"
        server.line()
        assert request(names[0], "operator", monkeypatch) == ExitCode.DONE
        lines = server.lines_to("phone left")
    assert all(line.split("  ")[1] == names[0] for line in lines)


def test_a_foreign_application_is_found_in_the_current_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = (PROJECT / "tests" / "foreign" / "echo_app.py").read_text()
    (tmp_path / "echo_here.py").write_text(module)
    with serving("--app", "echo_here:app", *ANY_PORTS, data=tmp_path, cwd=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        command = shlex.split(server.line().partition(": ")[2])
        assert command[1:] == ["request", "--no-login", "GET", "/", "--link", ready[1]]
        assert main(["request", "--no-login", "POST", "/a", "[1]", "--link", ready[1]]) == ExitCode.DONE
        server.stop()
    assert server.err == ""
    assert capsys.readouterr().out == "[1]\n"


def test_the_trace_has_what_crossed_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trace.jsonl"
    with serving("--dev", "--uid", "08AABBCC", "--trace", str(file), *ANY_PORTS, data=tmp_path) as server:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        assert request(ready[1], "operator", monkeypatch) == ExitCode.DONE
    first, *others = [json.loads(line) for line in file.read_text().splitlines()]
    assert (first["nfcbridge_trace"], first["level"]) == (1, "blocks")
    assert first["card"]["uid"] == "08aabbcc"
    assert [line["hex"] for line in others if line["dir"] == "reader"][:1] == ["e080"]
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--link", "carrier-pigeon:x"], ExitCode.USAGE, "what exists: udp:"),
        (["--app", "no_such_module:app"], ExitCode.USAGE, "No module named 'no_such_module'; start in the directory"),
        (["--app", "tests.foreign.echo_app:nothing"], ExitCode.USAGE, "has no ASGI application nothing"),
        (["--app", "tests.foreign.echo_app:__name__"], ExitCode.USAGE, "has no ASGI application __name__"),
        (["--ats", "0678"], ExitCode.USAGE, "--ats 0678: "),
        (["--file-size", "0x8000"], ExitCode.USAGE, "Android"),
        (["--idle", "D0"], ExitCode.USAGE, "--idle d0 ends within a record"),
        (["--idle", "D0000000"], ExitCode.USAGE, "--idle has 1 octets after its NDEF message"),
        (["--idle", "D00000", "--file-size", "5", "--idle", "D5010041"], ExitCode.USAGE, "the file takes 3"),
        (["--password", "operator=missing"], ExitCode.USAGE, "missing: No such file"),
        (["--data", "/proc/nowhere"], ExitCode.USAGE, "/proc/nowhere"),
        (
            ["--http", "127.0.0.1:0", "--cert", "no.pem", "--key", "no.key"],
            ExitCode.USAGE,
            "cannot read no.pem: No such file or directory; check the path",
        ),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(args: list[str], code: int, words: str, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    # The last of a repeated option holds, except for links, where all do.
    ports = ["--http", "none"] if "--link" in args else ["--http", "none", "--link", "udp:127.0.0.1:0"]
    done = subprocess.run(
        [*PROGRAM, "serve", *ports, *args], capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert words in done.stderr
    assert done.stderr.splitlines()[-1].startswith("nfcbridge: error: ")
    assert "Traceback" not in done.stderr
    assert (done.stdout, done.returncode) == ("", code)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\nraise RuntimeError('no\\nsettings')\n", "RuntimeError: no settings at {file}:2"),
        ("x = 1\n\ndef app(:\n", "SyntaxError: invalid syntax at {file}:3"),
        ("import sys\nsys.exit('no settings')\n", "SystemExit: no settings at {file}:2"),
        ("import json\njson.loads(\n    1)\n", "TypeError: the JSON object must be str"),
    ],
)
def test_an_application_that_cannot_be_imported_is_told_with_its_line(source: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "broken_app.py"
    file.write_text(source)
    done = subprocess.run(
        [*PROGRAM, "serve", "--http", "none", "--link", "udp:127.0.0.1:0", "--app", "broken_app:app"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert f"--app broken_app:app: broken_app cannot be imported: {words.format(file=file)}" in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout, done.returncode) == (1, "", ExitCode.USAGE)


def test_a_place_that_nobody_knows_is_left_out() -> None:
    assert place_in_module(RuntimeError()) == ""


def test_a_port_that_is_taken_is_exit_code_3(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        link = f"udp:127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*PROGRAM, "serve", "--dev", "-q", "--http", "none", "--link", link],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=60,
        )
    assert done.returncode == ExitCode.LINK
    assert done.stderr.splitlines()[-1].startswith("nfcbridge: error: ")
