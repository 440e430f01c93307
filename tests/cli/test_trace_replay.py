"""`nfcbridge trace replay`, and recorded cards on the command line."""

import contextlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, Self

import pytest

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace import replay as replay_command
from nfcbridge.replay import many
from tests.cli.in_terminal import run_in_terminal
from tests.replay.recordings import changed, record_chores, recording, replace_octets, visit, write_lines
from tests.replay.test_messages import answer, foreign, request


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    return record_chores(tmp_path_factory.mktemp("replay") / "t.jsonl").read_text()


@pytest.fixture
def equal(recorded: str, tmp_path: Path) -> Path:
    path = tmp_path / "traces" / "equal.jsonl"
    path.parent.mkdir()
    path.write_text(recorded)
    return path


@pytest.fixture
def different(recorded: str, equal: Path) -> Path:
    path = equal.parent / "more" / "different.jsonl"
    path.parent.mkdir()
    path.write_text(recorded)
    return replace_octets(path, '"role":"operator"', '"role":"operatos"')


def run(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, list[str], str]:
    code = main(["trace", "replay", *map(str, args)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_an_equal_trace_is_told_in_one_line(equal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, equal)
    assert (code, err) == (ExitCode.DONE, "")
    (line,) = out
    assert line.startswith(f"{equal}: equal (frame level: 10 exchanges, ")


def test_a_difference_is_told_in_words_and_by_the_exit_code(
    different: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, different)
    assert (code, err) == (ExitCode.REFUSED, "")
    assert out[0] == f"{different}: different (frame level)"
    assert '$.session.role: "operatos" became "operator"' in out[1]
    assert [line.split(":")[0].strip() for line in out[2:5]] == ["block", "APDU", "request"]


def test_the_level_can_be_chosen(equal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(equal, lambda lines: lines[0].update(seed=5))
    assert run(capsys, equal)[0] == ExitCode.REFUSED
    code, out, _ = run(capsys, equal, "--level", "message")
    assert (code, "equal (message level" in out[0]) == (ExitCode.DONE, True)
    assert run(capsys, equal, "--level", "frame")[0] == ExitCode.REFUSED


def test_what_an_answer_says_cannot_paint_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = foreign(tmp_path / "t.jsonl", (request("GET", "/\x1b[31m"), answer({"a": "\x1b[31m"})))
    code, out, _ = run(capsys, path)
    assert code == ExitCode.REFUSED
    assert "\x1b" not in "".join(out)
    assert "\\x1b[31m" in "".join(out)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_is_replayed_as_a_whole_with_a_report(
    jobs: str, different: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, junit = different.parents[1], tmp_path / "junit.xml"
    (folder / "note.txt").write_text("no trace")
    code, out, err = run(capsys, folder, "--jobs", jobs, "--junit", junit)
    assert (code, err) == (ExitCode.REFUSED, "")
    assert out[0] == f"{different}: different (frame level)"
    assert out[-1] == "2 traces: 1 equal, 1 different, 0 unreadable"
    (suite,) = ET.parse(junit).getroot()  # noqa: S314 - our own
    assert [case.get("name") for case in suite] == ["equal.jsonl", "different.jsonl"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")


def test_a_trace_that_cannot_be_read_is_an_error_and_the_others_go_on(
    different: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, junit = different.parents[1], tmp_path / "junit.xml"
    write_lines(folder / "broken.jsonl", [{"no": "trace"}])
    code, out, err = run(capsys, folder, "--junit", junit)
    assert code == ExitCode.USAGE
    assert out[-1] == "3 traces: 1 equal, 1 different, 1 unreadable"
    assert err.startswith(f"nfcbridge: error: {folder / 'broken.jsonl'}: cannot be replayed: line 1: this is no trace")
    (suite,) = ET.parse(junit).getroot()  # noqa: S314 - our own
    assert suite.get("errors") == "1"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing"], "there is no nothing; name a trace, or a folder with traces (*.jsonl)"),
        (["."], "there is no trace in .: their names end in .jsonl"),
        ([], "Missing argument 'FILE|DIR...'"),
        (["x", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "--jobs is about this machine"),
        (["x", "--jobs", "2", "--app", "a:b"], "--app is run in this process"),
        (["x", "--password", "root=x"], "there is no role 'root'"),
        (["x", "--jobs", "0"], "0 is not in the range"),
    ],
)
def test_a_mistake_is_told(
    args: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *args)
    assert (code, out) == (ExitCode.USAGE, [])
    assert words in err


def test_a_password_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    with recording(path, password="secret") as link:
        visit(link, ("GET", "/system_state"), password="secret")
    code, out, _ = run(capsys, path)
    assert code == ExitCode.REFUSED
    assert "give it with --password ROLE=FILE" in out[-2]
    (tmp_path / "password").write_text("secret\n")
    assert run(capsys, path, "--password", f"operator={tmp_path / 'password'}")[0] == ExitCode.DONE


def test_an_application_answers_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = foreign(tmp_path / "t.jsonl", (request("GET", "/7"), answer({"waited": 7})))
    assert run(capsys, path, "--app", "tests.replay.recordings:slow_app")[0] == ExitCode.DONE
    assert run(capsys, path)[0] == ExitCode.REFUSED


def test_a_process_that_ends_is_told(
    equal: Path, different: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> Iterator[object]:
        yield from ()
        raise BrokenExecutor("killed")

    monkeypatch.setattr(many, "replay_many", fail)
    code, _, err = run(capsys, equal, different)
    assert code == ExitCode.LINK
    assert "a process that replayed traces ended: killed; try again with fewer --jobs" in err


def test_dask_that_is_missing_is_told_how_to_get(
    equal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run(capsys, equal, "--scheduler", "tcp://127.0.0.1:1")
    assert code == ExitCode.USAGE
    assert "--scheduler needs Dask: pip install 'nfcbridge[cluster]', here and on the workers" in err


def test_a_scheduler_that_is_not_there_is_told(
    equal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay_command, "CONNECT_TIMEOUT", 0.3)
    code, _, err = run(capsys, equal, "--scheduler", "tcp://127.0.0.1:1")
    assert code == ExitCode.USAGE
    assert "start one with `dask scheduler`" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("address", ["foo", "tcp://foo", "tcp://:", "bogus://x:1", "http://127.0.0.1:1"])
def test_what_is_no_address_of_a_scheduler_is_told_before_a_client_is_made_for_it(
    address: str, equal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import distributed

    monkeypatch.setattr(distributed, "Client", None)
    code, _, err = run(capsys, equal, "--scheduler", address)
    assert code == ExitCode.USAGE
    assert f"--scheduler {address} is no address (" in err
    assert "write it as tcp://HOST:PORT" in err


class Cluster:
    """Stands for a Dask client; replays here."""

    workers: int

    def __init__(self, address: str, **_options: object) -> None:
        assert address == "tcp://somewhere:8786"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """The end."""

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": dict.fromkeys(range(self.workers))}

    def get_executor(self, *, pure: bool) -> Any:
        from concurrent.futures import ThreadPoolExecutor

        assert not pure
        return ThreadPoolExecutor(self.workers)


@pytest.mark.parametrize(("workers", "code"), [(2, ExitCode.DONE), (0, ExitCode.USAGE)])
def test_the_workers_of_a_scheduler_do_the_work(
    workers: int, code: int, equal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import distributed

    monkeypatch.setattr(Cluster, "workers", workers, raising=False)
    monkeypatch.setattr(distributed, "Client", Cluster)
    done, out, err = run(capsys, equal, equal, "--scheduler", "tcp://somewhere:8786")
    assert done == code
    assert out == (["2 traces: 2 equal, 0 different, 0 unreadable"] if workers else [])
    assert workers or "has no workers: start some with `dask worker tcp://somewhere:8786`" in err


def test_a_terminal_shows_progress_and_a_pipe_does_not(equal: Path) -> None:
    assert "2/2" in run_in_terminal("trace", "replay", str(equal), str(equal))
    assert "1/1" not in run_in_terminal("trace", "replay", str(equal))


def test_a_recorded_card_answers_a_request(
    equal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    assert main(["request", "GET", "/system_state", "--link", f"replay:{equal}"]) == ExitCode.DONE
    assert '"systemState":"idle"' in capsys.readouterr().out
    assert main(["request", "GET", "/system_state", "--link", "replay:none"]) == ExitCode.USAGE
    assert "the recording none: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ["--app", "a:b"],
        ["--uid", "08010203"],
        ["--data", "x"],
        ["--speed", "2"],
        ["--rfid-only"],
        ["--mle", "250"],
        ["--mlc", "247"],
        ["--file-size", "1000"],
        ["--idle", "D10000"],
        ["--not-ready", "empty"],
        ["--hold", "0s"],
        ["--answer-ttl", "1s"],
        ["--pipelining", "replace"],
        ["--language", "de"],
    ],
)
def test_a_recorded_card_takes_no_settings(option: list[str], equal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--replay", str(equal), *option]) == ExitCode.USAGE
    assert f"--replay serves a card as it was recorded: leave out {option[0]}" in capsys.readouterr().err


def test_a_recorded_card_is_served(equal: Path, tmp_path: Path) -> None:
    from tests.cli.test_serving import serving

    with serving("--replay", str(equal), "--link", "udp:127.0.0.1:0", "--http", "none", data=tmp_path) as server:
        link = server.line().split("nfc=")[1].split()[0]
        assert visit(link, ("GET", "/system_state"), ("GET", "/nothing")) == [200, 404]
        server.stop()
    assert server.code == ExitCode.DONE
    told = "GET /nothing is not in the recording: 404; answered as the rules of our card have it"
    assert any(told in line for line in server.out)


def test_a_recording_that_cannot_be_served_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = foreign(tmp_path / "t.jsonl")
    assert main(["serve", "--replay", str(path)]) == ExitCode.USAGE
    assert "there is neither a request nor a CC in it, so it has nothing to answer" in capsys.readouterr().err


def test_the_command_is_there_without_what_it_needs_to_work() -> None:
    program = "import sys; from nfcbridge.cli.trace import replay; print([name for name in sys.modules if name in "
    program += "('nfcbridge.replay', 'distributed', 'rich', 'starlette', 'concurrent.futures.process')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_executors_are_made_as_they_are_asked_for() -> None:
    with replay_command.open_executor(1, None) as (executor, window):
        assert (executor, window) == (None, 1)
    with replay_command.open_executor(3, None) as (executor, window), contextlib.suppress(AttributeError):
        assert executor is not None
        assert window == 12
