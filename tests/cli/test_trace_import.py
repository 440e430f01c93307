"""`nfcbridge trace import` writes the trace beside the log, says what it left out, and overwrites nothing."""

import gzip
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace import import_
from nfcbridge.formats.found import FormatProblem, Place
from nfcbridge.trace import TraceFile
from tests.foreign.served import COMMAND
from tests.formats.imports import FOLDER, show

LOG = FOLDER / "pcscd.log"
PYSCARD = "> 00 B0 00 00 02\n< 00 03 90 00\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "reader.log"
    path.write_text(PYSCARD)
    return path


def test_the_trace_is_written_beside_the_log_for_its_owner_alone(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(log)]) == ExitCode.DONE
    out = log.with_suffix(".jsonl")
    with TraceFile(out) as trace:
        assert trace.header.source == "imported: pyscard observer"
        assert show(list(trace)) == [">00b0000002", "<00039000"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{log}: what pyscard's console observer, or scriptor, printed (pyscard), apdus" in told.err
    assert f"2 entries in {out}" in told.err


def test_the_ending_of_gzip_is_taken_off_too(tmp_path: Path) -> None:
    packed = tmp_path / "reader.log.gz"
    packed.write_bytes(gzip.compress(PYSCARD.encode()))
    assert main(["trace", "import", str(packed)]) == ExitCode.DONE
    assert (tmp_path / "reader.jsonl").exists()


def test_what_is_left_out_is_reported_with_its_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.jsonl"
    assert main(["trace", "import", str(FOLDER / "iso14443.pcap"), str(out)]) == ExitCode.DONE
    told = capsys.readouterr().err
    assert "warning: octet 518: the CRC is wrong" in told
    assert "left out, octet 44, octet 65, octet 87, octet 109, octet 134 and 10 more: a frame of selection" in told
    assert told.index("octet 518") < told.index("octet 44")


def test_a_file_that_is_there_is_not_overwritten_unless_it_was_named(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = log.with_suffix(".jsonl")
    out.write_text("mine")
    assert main(["trace", "import", str(log)]) == ExitCode.USAGE
    assert "is there already: name it as OUT to overwrite it, or say --force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["trace", "import", str(log), "--force"]) == ExitCode.DONE
    assert out.read_text().startswith('{"nfcbridge_trace"')
    out.write_text("mine")
    assert main(["trace", "import", str(log), str(out)]) == ExitCode.DONE
    assert out.read_text().startswith('{"nfcbridge_trace"')


@pytest.mark.parametrize("arguments", [["FILE"], ["FILE", "--force"]])
def test_the_log_itself_is_never_overwritten(
    log: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "import", str(log), *(str(log) if word == "FILE" else word for word in arguments)]) == 2
    assert "is the file itself" in capsys.readouterr().err
    assert log.read_text() == PYSCARD


def test_a_folder_is_no_place_for_a_trace(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(log), str(log.parent)]) == ExitCode.USAGE
    assert "name a file in it" in capsys.readouterr().err


def test_what_is_of_no_format_is_refused_with_the_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.log"
    path.write_text("nothing\n")
    assert main(["trace", "import", str(path)]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert f"{path}: no format that is known" in told
    assert "nfcsnoop (bug report of Android" in told
    assert not path.with_suffix(".jsonl").exists()


def test_a_log_without_anything_sound_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.log"
    path.write_text("00000001 SW: 90 00 \n")
    assert main(["trace", "import", str(path)]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "warning: line 1: a response without its command" in told
    assert "there is nothing in it that can be imported" in told
    assert not path.with_suffix(".jsonl").exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(tmp_path / "x.log")]) == ExitCode.USAGE
    assert "No such file" in capsys.readouterr().err
    assert main(["trace", "import", str(tmp_path), str(tmp_path / "t.jsonl")]) == ExitCode.USAGE
    assert "directory" in capsys.readouterr().err


def test_a_name_that_no_format_has_is_told(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(log), "--format", "wireshark"]) == ExitCode.USAGE
    assert "no format has the name 'wireshark'; there are pcap, proxmark3" in capsys.readouterr().err


def test_the_format_can_be_said(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(log), "--format", "nfcpy"]) == ExitCode.USAGE
    assert "nothing in it" in capsys.readouterr().err
    assert main(["trace", "import", str(log), "--format", "pyscard"]) == ExitCode.DONE


def test_stdin_and_stdout_are_a_minus() -> None:
    done = subprocess.run([COMMAND, "trace", "import", "-"], input=LOG.read_bytes(), capture_output=True, check=True)
    assert done.stdout == Path(f"{LOG}.jsonl").read_bytes()
    done = subprocess.run([COMMAND, "trace", "import", LOG, "-"], capture_output=True, check=True)
    assert done.stdout == Path(f"{LOG}.jsonl").read_bytes()
    assert b"23 entries" in done.stderr


def test_a_reader_of_stdout_may_stop() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{COMMAND} trace import {LOG} - | head -1"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith('{"nfcbridge_trace"')
    assert "Traceback" not in done.stderr


def test_stdout_that_was_closed_is_no_fault(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Closed(io.BytesIO):
        def write(self, _octets: object) -> int:
            raise BrokenPipeError

    dropped = []
    monkeypatch.setattr("nfcbridge.cli.errors.drop_output", lambda: dropped.append(1))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Closed()))
    assert main(["trace", "import", str(log), "-"]) == ExitCode.DONE
    assert dropped == [1]
    assert "0 entries" in capsys.readouterr().err


def test_what_is_no_plain_file_is_written_and_not_replaced(log: Path) -> None:
    fifo = log.parent / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    assert main(["trace", "import", str(log), str(fifo)]) == ExitCode.DONE
    assert reader.communicate()[0].endswith(b'"hex": "00039000"}\n')
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_pipe_is_read_by_its_path(log: Path) -> None:
    fifo = log.parent / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"cat {log} > {fifo}"]):
        out = log.parent / "t.jsonl"
        assert main(["trace", "import", str(fifo), str(out)]) == ExitCode.DONE
    assert len(out.read_text().splitlines()) == 3


def test_a_gzip_file_that_was_cut_off_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "x.pcap.gz"
    octets = gzip.compress((FOLDER / "iso14443.pcap").read_bytes())
    packed.write_bytes(octets[: len(octets) * 3 // 4])
    assert main(["trace", "import", str(packed)]) == ExitCode.DONE
    assert "the gzip file was cut off: it was imported as far as it goes" in capsys.readouterr().err


def test_reasons_are_told_up_to_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    report = import_.LeftOut()
    for number in range(import_.MAX_REASONS + 2):
        report.add(FormatProblem(Place(number), f"reason {number}"))
    report.tell()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == import_.MAX_REASONS + 1
    assert lines[-1] == "nfcbridge: warning: line 100, line 101: something else"


def test_a_terminal_shows_a_bar_for_what_takes_long(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(import_, "PATIENCE", 0.0)
    monkeypatch.setattr(import_, "EVERY", 1)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    log.write_text("no APDU\n" * 50_000 + PYSCARD * 2000)
    assert main(["trace", "import", str(log)]) == ExitCode.DONE
    assert "looking for the format" in shown.getvalue()
    assert "importing" in shown.getvalue()


def test_a_short_file_gets_no_bar(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    assert main(["trace", "import", str(log)]) == ExitCode.DONE
    assert [line.partition(": ")[0] for line in shown.getvalue().splitlines()] == ["nfcbridge"] * 2


def test_help_names_what_can_be_imported() -> None:
    done = subprocess.run([COMMAND, "trace", "import", "--help"], capture_output=True, text=True, check=True)
    for word in (
        "pcapng",
        "GlobalPlatformPro",
        "pcsc-spy-shown",
        "log of pcscd in syslog",
        "Proxmark3",
        "Android",
        "--force",
    ):
        assert word in done.stdout
    assert "\n  nfcbridge trace import bugreport.txt\n" in done.stdout
