"""The lazy group: what `--help` costs, and which errors become which exit code."""

import errno
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nfcbridge.cli import COMMANDS, main, nfcbridge
from nfcbridge.cli.errors import ExitCode, run_command
from nfcbridge.errors import (
    CommandError,
    ConfigError,
    FieldLostError,
    LinkError,
    LocalProtocolError,
    NfcBridgeError,
    ResponseError,
    TraceError,
)
from tests.cli.in_terminal import PROGRAM, environment

HELP_LIMIT = 0.1
"""Seconds that `--help` may take."""

HEAVY = (
    "rich",
    "msgspec",
    "httpx2",
    "starlette",
    "uvicorn",
    "asyncio",
    "cryptography",
    "nfc",
    "ndef",
    "socket",
    "sqlite3",
)


# The coverage tool is not measured with our imports.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def run_program(*args: str, epilogue: str = "") -> str:
    """Run the command line in a process of its own; return what its epilogue wrote to stderr."""
    program = "import sys; from nfcbridge.cli import main; code = main(sys.argv[1:])" + epilogue
    done = subprocess.run(
        [sys.executable, "-c", program, *args], check=True, capture_output=True, text=True, env=ENVIRONMENT
    )
    return done.stderr.strip()


def command_that_raises(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize("args", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_takes_less_than_a_tenth_of_a_second(args: list[str]) -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_program(*args)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # The processor's time, and the best of a few: what is judged is our imports, and not what else this machine does.
    # Alone on it, the time on the wall is the same.
    assert any(seconds() < HELP_LIMIT for _ in range(5))


@pytest.mark.parametrize("args", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    epilogue = f"; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    assert run_program(*args, epilogue=epilogue) == "[]"


def test_help_of_the_group_imports_no_command() -> None:
    epilogue = "; print([name for name in sys.modules if name.startswith('nfcbridge')], file=sys.stderr)"
    modules = run_program("--help", epilogue=epilogue)
    assert "nfcbridge.cli.errors" in modules
    assert not any(command.module in modules for command in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_sentence_in_the_list_is_the_one_of_the_command(name: str) -> None:
    command = nfcbridge.get_command(click.Context(nfcbridge), name)
    assert command is not None
    assert command.short_help == COMMANDS[name].sentence


def test_the_group_lists_the_commands_in_the_order_of_a_newcomer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.DONE
    lines = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("   ")][:4] == [
        "serve",
        "request",
        "demo",
        "links",
    ]


def test_without_a_command_the_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("Usage: nfcbridge")


def test_an_unknown_command_is_a_usage_error_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server"]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("nfcbridge: error: No such command 'server'")
    assert err.count("\n") == 1


def test_a_name_that_is_no_command_has_none() -> None:
    context = click.Context(nfcbridge)
    assert nfcbridge.list_commands(context) == list(COMMANDS)
    assert nfcbridge.get_command(context, "server") is None


def test_a_wrong_option_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["links", "--frequency", "13.56"]) == ExitCode.USAGE
    assert "see 'nfcbridge links --help'" in capsys.readouterr().err


def test_the_arguments_are_those_of_the_process_when_none_are_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nfcbridge", "links", "--help"])
    assert main() == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Usage: nfcbridge links")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("MLe 3 is too small; take 15 to 255"), 2),
        (TraceError("line 3 is no JSON; repair it"), 2),
        (LinkError("nothing answers; start nfcbridge serve"), 3),
        (FieldLostError("the tag is gone; hold it closer"), 3),
        (CommandError("the card answered 6985", sw=0x6985), 3),
        (ResponseError("the answer has another messageID"), 3),
        (NfcBridgeError("something else"), 3),
    ],
)
def test_each_error_of_ours_is_one_line_and_has_its_exit_code(
    error: NfcBridgeError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(command_that_raises(error), []) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"nfcbridge: error: {error}\n")


def test_a_message_of_many_lines_is_printed_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(command_that_raises(LinkError("gone:\n  the cable\n")), [])
    assert capsys.readouterr().err == "nfcbridge: error: gone: the cable\n"


def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    with pytest.raises(LocalProtocolError):
        run_command(command_that_raises(LocalProtocolError("no command is open")), [])


def test_an_error_of_click_itself_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(command_that_raises(click.FileError("x.json", "no such file")), []) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "nfcbridge: error: Could not open file 'x.json': no such file; see 'nfcbridge --help'\n"
    )


def test_ctrl_c_ends_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(command_that_raises(KeyboardInterrupt()), []) == ExitCode.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/var/lib/nfcbridge")
    assert run_command(command_that_raises(error), []) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("nfcbridge: error: /var/lib/nfcbridge: Permission denied; ")


def test_an_error_of_the_system_without_a_file_keeps_its_traceback() -> None:
    with pytest.raises(OSError, match="too many"):
        run_command(command_that_raises(OSError(errno.EMFILE, "too many open files")), [])


@pytest.mark.parametrize("command", ["--help", "links", "demo"])
def test_an_output_on_a_full_disk_is_an_error_of_one_line(command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, command], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == (
        "nfcbridge: error: the output cannot be written: No space left on device; "
        "make room there, or write it elsewhere\n"
    )


def test_what_a_terminal_has_no_character_for_is_shown_as_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="latin-1"))
    main(["--help"])
    print("/größe €", flush=True)  # noqa: T201 - what a phone wrote
    assert octets.getvalue().endswith("/größe \\u20ac\n".encode("latin-1"))


def test_without_a_stdout_commands_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--help"]) == ExitCode.DONE
    assert main(["links"]) == ExitCode.DONE


def test_a_reader_of_stdout_that_leaves_ends_the_command_without_a_word(tmp_path: Path) -> None:
    script = tmp_path / "chatter.py"
    script.write_text(
        "import sys, click\n"
        "from nfcbridge.cli.errors import run_command\n"
        "@click.command()\n"
        "def chatter():\n"
        "    for number in range(100_000):\n"
        "        click.echo(number)\n"
        "sys.exit(run_command(chatter, []))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 1
