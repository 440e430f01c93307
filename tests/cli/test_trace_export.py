"""`nfcbridge trace export` chooses the format, and leaves no half file."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace import export
from nfcbridge.trace import Header, write_trace
from tests.foreign.served import COMMAND
from tests.formats.written import SELECT, frames, packets_of

LINES = ("on", ">" + SELECT, "<9000", ">00B0000002", "<00039000", "off")
PCAPNG = bytes.fromhex("0A0D0D0A")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    write_trace(path, Header(level="apdus"), frames(*LINES))
    return path


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.pcapng", PCAPNG),
        ("a.PCAPNG", PCAPNG),
        ("a.gsmtap", PCAPNG),
        ("a.gsmtap.pcapng", PCAPNG),
        ("a.apdu", b"# Recorded"),
        ("a.txt", b"# Recorded"),
        ("a.scriptor", b"# Recorded"),
        ("a.sh", b"#!/bin/sh"),
        ("a.md", b"# t.jsonl"),
        ("a.markdown", b"# t.jsonl"),
    ],
)
def test_the_ending_chooses_the_format(trace: Path, name: str, start: bytes) -> None:
    out = trace.with_name(name)
    assert main(["trace", "export", str(trace), str(out)]) == ExitCode.DONE
    assert out.read_bytes().startswith(start)


def test_gsmtap_and_pcapng_differ(trace: Path) -> None:
    for name, count in (("a.pcapng", 6), ("a.gsmtap", 2), ("a.gsmtap.pcapng", 2)):
        out = trace.with_name(name)
        assert main(["trace", "export", str(trace), str(out)]) == ExitCode.DONE
        assert len(packets_of(out.read_bytes())) == count


@pytest.mark.parametrize("name", ["gsmtap", "GSMTAP", "pcapng", "scriptor", "apdu", ".apdu", "opensc-tool", "sh", "md"])
def test_a_name_goes_before_the_ending(trace: Path, name: str) -> None:
    out, named = trace.with_name("a.bin"), trace.with_name("named")
    found = export.find_format("-", name)
    assert main(["trace", "export", str(trace), str(out), "--format", name]) == ExitCode.DONE
    assert main(["trace", "export", str(trace), str(named) + found.endings[0]]) == ExitCode.DONE
    assert out.read_bytes() == Path(str(named) + found.endings[0]).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.pdf"], "use one of .gsmtap, .gsmtap.pcapng, .pcapng, .apdu"),
        (["a"], "or --format NAME"),
        (["-"], "stdout has no ending: say --format NAME, one of gsmtap, pcapng, scriptor, opensc-tool, markdown"),
        (["a.md", "--format", "pdf"], "no format has the name 'pdf'; there are gsmtap, pcapng"),
    ],
)
def test_an_unknown_format_is_a_mistake_that_names_those_there_are(
    trace: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "export", str(trace), *arguments]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_help_lists_the_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "export", "--help"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    for each in export.FORMATS:
        assert f"{each.name:<12} {', '.join(each.endings)}" in shown


def test_an_export_is_for_its_owner_alone(trace: Path) -> None:
    out = trace.with_name("a.md")
    assert main(["trace", "export", str(trace), str(out)]) == ExitCode.DONE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_broken_trace_leaves_what_was_there_and_nothing_beside_it(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with trace.open("a") as file:
        file.write("nonsense\n{}\n")
    out = trace.with_name("a.pcapng")
    out.write_text("before")
    assert main(["trace", "export", str(trace), str(out)]) == ExitCode.USAGE
    assert "line 8" in capsys.readouterr().err
    assert out.read_text() == "before"
    assert sorted(path.name for path in trace.parent.iterdir()) == ["a.pcapng", "t.jsonl"]


def test_the_trace_itself_is_not_overwritten(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = trace.with_name("a.md")
    link.symlink_to(trace)
    before = trace.read_bytes()
    assert main(["trace", "export", str(trace), str(link)]) == ExitCode.USAGE
    assert main(["trace", "export", str(trace), str(trace), "--format", "md"]) == ExitCode.USAGE
    assert "is the trace itself" in capsys.readouterr().err
    assert trace.read_bytes() == before


def test_a_link_stays_one(trace: Path) -> None:
    link, target = trace.with_name("a.md"), trace.with_name("b")
    link.symlink_to(target)
    assert main(["trace", "export", str(trace), str(link)]) == ExitCode.DONE
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"# t.jsonl")


def test_what_is_no_ordinary_file_is_written_as_it_comes(trace: Path) -> None:
    pipe = trace.with_name("a.txt")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert main(["trace", "export", str(trace), str(pipe)]) == ExitCode.DONE
    assert reader.communicate(timeout=30)[0].startswith(b"# Recorded")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_that_is_not_there_is_named(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = trace.parent / "nowhere" / "a.md"
    assert main(["trace", "export", str(trace), str(out)]) == ExitCode.USAGE
    assert f"{out}: No such file or directory" in capsys.readouterr().err


def test_stdout_gets_octets_as_they_are(trace: Path) -> None:
    done = subprocess.run(
        [COMMAND, "trace", "export", str(trace), "-", "--format", "pcapng"], capture_output=True, check=True
    )
    assert len(packets_of(done.stdout)) == 6
    assert done.stderr == b""


def test_a_trace_comes_from_stdin(trace: Path) -> None:
    command = [COMMAND, "trace", "export", "-", "-", "--format"]
    done = subprocess.run([*command, "apdu"], input=trace.read_bytes(), capture_output=True, check=True)
    assert b"00 B0 00 00 02\n" in done.stdout
    done = subprocess.run([*command, "md"], input=trace.read_bytes(), capture_output=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert b"save it to a file first" in done.stderr


def test_a_closed_pipe_is_no_error(trace: Path) -> None:
    write_trace(trace, Header(level="apdus"), frames(*(LINES * 5_000)))
    process = subprocess.Popen(
        [COMMAND, "trace", "export", str(trace), "-", "--format", "apdu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"# Recorded")
    process.stdout.close()
    assert process.wait(60) == ExitCode.DONE
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == b""


def test_what_was_left_out_and_a_line_that_was_cut_off_are_told(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_trace(trace, Header(level="apdus"), frames(*([">60", "<6700"] * 25)))
    with trace.open("a") as file:
        file.write('{"t": 0')
    assert main(["trace", "export", str(trace), str(trace.with_name("a.gsmtap"))]) == ExitCode.DONE
    told = capsys.readouterr().err
    assert "line 52 was cut off" in told
    assert told.count("a command has at least 4 octets") == 20
    assert "5 more were left out" in told


def test_a_report_that_no_issue_holds_is_told(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(trace, Header(level="apdus"), frames(*(LINES * 200)))
    assert main(["trace", "export", str(trace), str(trace.with_name("a.md"))]) == ExitCode.DONE
    assert "GitHub takes 65536 in an issue: attach it as a file" in capsys.readouterr().err


def test_a_report_has_the_findings_of_lint(trace: Path) -> None:
    lines = ("on", ">" + SELECT, "<9000", ">00A4000C02E103", "<9000", ">00B000000F", "<000F20000E003404067FFF00009000")
    write_trace(trace, Header(level="apdus"), frames(*lines, ">00A4000C02E104", "<9000", ">00D6000001"))
    out = trace.with_name("a.md")
    assert main(["trace", "export", str(trace), str(out)]) == ExitCode.DONE
    report = out.read_text()
    parts = ["## What happened", "## Findings", "## Messages", "<details>"]
    assert [report.index(part) for part in parts] == sorted(report.index(part) for part in parts)
    assert "| NB" in report[report.index("## Findings") : report.index("## Messages")]


def test_a_finding_with_many_places_names_the_first_ones() -> None:
    assert export.list_lines([3]) == "3"
    assert export.list_lines(list(range(8))) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert export.list_lines(list(range(9))) == "0, 1, 2, 3, 4, 5, 6, 7 and 1 more"


def test_memory_does_not_grow_with_the_trace(trace: Path) -> None:
    import tracemalloc

    peaks = []
    for count in (200, 1_500):
        write_trace(trace, Header(level="apdus"), frames(*(LINES * count)))
        for each in export.FORMATS:
            with (trace.parent / "out").open("wb") as out:
                tracemalloc.start()
                export.export(str(trace), each, out)
                peaks.append((each.name, tracemalloc.get_traced_memory()[1]))
                tracemalloc.stop()
    small, large = dict(peaks[: len(export.FORMATS)]), dict(peaks[len(export.FORMATS) :])
    assert {name: large[name] < 2 * small[name] + 200_000 for name in small} == dict.fromkeys(small, True)
