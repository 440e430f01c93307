"""`nfcbridge trace redact`: what it writes, and what it tells."""

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace.redact import command, in_words
from nfcbridge.text import encode_text
from nfcbridge.trace import Entry, Header, TraceFile, write_trace
from tests.cli.in_terminal import PROGRAM, environment
from tests.trace.lines import entries

ID = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "recorded"
REQUEST = f'{{"path":"/users","method":"GET","authorization":"{ID}","messageID":3}}'


def lines_of(text: str) -> list[str]:
    message = encode_text(text)
    return [f"> 02 00D60000{len(message) + 2:02X}{len(message).to_bytes(2).hex()}{message.hex()}", "< 02 9000"]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    write_trace(tmp_path / "t.jsonl", Header(seed=5, card={"uid": "08a1b2c3"}), entries(*lines_of(REQUEST)))
    return tmp_path / "t.jsonl"


def redact(*args: str | Path, key: str | None = None) -> Result:
    environment = {} if key is None else {"NFCBRIDGE_REDACT_KEY": key}
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False, env=environment)


def read(path: Path) -> tuple[Header, list[Entry]]:
    with TraceFile(path) as trace:
        return trace.header, list(trace)


def test_the_secrets_are_gone_and_counted(trace: Path, tmp_path: Path) -> None:
    result = redact(trace, tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "nfcbridge: replaced 1 session id, 1 UID of the card\n"
    written = (tmp_path / "out.jsonl").read_text()
    assert ID.encode().hex() not in written
    header, made = read(tmp_path / "out.jsonl")
    assert header.seed is None
    assert header.card["uid"] != "08a1b2c3"
    given = read(trace)[1]
    assert [(entry.t, entry.dir, len(entry.octets)) for entry in made] == [
        (entry.t, entry.dir, len(entry.octets)) for entry in given
    ]
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600


def test_it_is_written_to_stdout_on_demand(trace: Path, tmp_path: Path) -> None:
    result = redact(trace, "-", "--key", "k")
    redact(trace, tmp_path / "out.jsonl", "--key", "k")
    assert result.stdout == (tmp_path / "out.jsonl").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "t.jsonl"]


def test_a_pipe_that_has_seen_enough_ends_it_in_silence(trace: Path) -> None:
    ours, its = os.pipe()
    os.close(ours)
    with os.fdopen(its, "wb") as closed:
        done = subprocess.run(
            [*PROGRAM, "trace", "redact", str(trace), "-"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            env=environment(),
        )
    assert done.stderr == "nfcbridge: replaced 1 session id, 1 UID of the card\n"


def test_a_trace_may_be_redacted_in_its_place(trace: Path) -> None:
    assert redact(trace, trace).exit_code == 0
    assert ID.encode().hex() not in trace.read_text()
    assert len(read(trace)[1]) == 2


def test_the_same_key_gives_the_same_in_several_files_and_none_another(trace: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{number}.jsonl" for number in range(5)]
    for out, args, key in zip(
        outs, (["--key", "k"], ["--key", "k"], [], [], []), (None, None, "k", None, None), strict=True
    ):
        redact(trace, out, *args, key=key)
    texts = [out.read_text() for out in outs]
    assert texts[0] == texts[1] == texts[2]
    assert len(set(texts)) == 3


def test_where_there_is_no_secret_it_is_said(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.jsonl", Header(), entries("> 02 00A4000C02E103", "< 02 9000"))
    assert redact(tmp_path / "t.jsonl", tmp_path / "out.jsonl").stderr == "nfcbridge: there was nothing to replace\n"
    assert read(tmp_path / "out.jsonl") == read(tmp_path / "t.jsonl")


def test_names_are_replaced_on_demand(tmp_path: Path) -> None:
    text = '{"path":"/users","method":"POST","messageID":1},{"name":"Jenny"}'
    write_trace(tmp_path / "t.jsonl", Header(), entries(*lines_of(text)))
    assert "1 name\n" in redact(tmp_path / "t.jsonl", tmp_path / "out.jsonl", "--names").stderr
    assert b"Jenny".hex() not in (tmp_path / "out.jsonl").read_text()


def test_what_was_not_understood_is_named(tmp_path: Path) -> None:
    garbage = [f"> FF{bytes(12).hex()}"] * 25
    write_trace(tmp_path / "t.jsonl", Header(), entries(*lines_of("hello"), *garbage))
    told = redact(tmp_path / "t.jsonl", tmp_path / "out.jsonl").stderr.splitlines()[1]
    assert told.startswith("nfcbridge: warning: not understood: what begins at the entries 1, 3, 4, ")
    assert " 21 and 6 more; " in told


def test_a_last_line_that_was_cut_off_is_told_and_left_out(trace: Path, tmp_path: Path) -> None:
    trace.write_bytes(trace.read_bytes()[:-9])
    result = redact(trace, tmp_path / "out.jsonl")
    assert result.exit_code == 0
    assert "line 3 was cut off and is left out" in result.stderr
    assert len(read(tmp_path / "out.jsonl")[1]) == 1


def test_a_trace_that_breaks_off_in_the_middle_leaves_what_was_there(trace: Path, tmp_path: Path) -> None:
    from nfcbridge.errors import TraceError

    out = tmp_path / "out.jsonl"
    out.write_text("as it was")
    trace.write_text(trace.read_text() + "no entry\n")
    with pytest.raises(TraceError, match="line 4"):
        redact(trace, out)
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "t.jsonl"]


@pytest.mark.parametrize("args", [[], ["missing.jsonl", "out"]])
def test_a_wrong_command_line_is_refused(args: list[str]) -> None:
    assert redact(*args).exit_code == ExitCode.USAGE


@pytest.mark.parametrize("name", ["nfcpy-session", "pyscard-session"])
def test_a_redacted_recording_can_be_replayed_by_its_messages(name: str, tmp_path: Path) -> None:
    from nfcbridge.cli.trace.replay import command as replay

    out = tmp_path / "out.jsonl"
    assert redact(FIXTURES / f"{name}.jsonl", out).exit_code == 0
    result = CliRunner().invoke(replay, [str(out), "--level", "message"], standalone_mode=False)
    assert (result.return_value or 0, result.exception) == (0, None), result.output


@pytest.mark.parametrize(
    ("count", "name", "words"),
    [
        (1, "tag id", "1 tag id"),
        (2, "tag id", "2 tag ids"),
        (2, "password hash", "2 password hashes"),
        (2, "UID of the card", "2 UIDs of the card"),
    ],
)
def test_counts_are_words(count: int, name: str, words: str) -> None:
    assert in_words(count, name) == words
