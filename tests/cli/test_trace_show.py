"""`nfcbridge trace show`: the table, what is chosen of it, and the ways in which it is printed."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace.rows import HEADING, INDENT
from nfcbridge.cli.trace.show import command
from nfcbridge.text import encode_text
from nfcbridge.trace import Header, write_trace
from nfcbridge.trace.entries import format_entry
from tests.cli.in_terminal import PROGRAM, environment, run_in_pipe, run_in_terminal, without_escapes
from tests.trace.lines import entries

REQUEST = '{"path":"/login","method":"GET","messageID":1}'
ANSWER = '{"messageID":1,"statusCode":200},{"token":"abc"}'
PATIENCE = 30.0


def lines_of(request: str = REQUEST, answer: str = ANSWER) -> list[str]:
    written, said = encode_text(request), encode_text(answer)
    nlen = len(said).to_bytes(2).hex()
    return [
        "+",
        "> E080",
        "< 0578804202",
        "> 02 00A4040007D276000085010100",
        "< 02 9000",
        f"> 03 00D60000{len(written) + 2:02X}{len(written).to_bytes(2).hex()}{written.hex()}",
        "< F2 01",
        "> F2 01",
        "< 03 9000",
        "> 02 00B0000002",
        f"< 02 {nlen}9000",
        f"> 03 00B00002{len(said):02X}",
        f"< 03 {said.hex()}9000",
        "> 02 00B0FFFF02",
        "< 02 6B00",
        "> 9320",
        "-",
    ]


HEADER = Header(source="a test", link="memory:x", card={"uid": "08a1b2c3", "mle": 251, "none": None}, app={"kind": "k"})


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    write_trace(tmp_path / "t.jsonl", HEADER, entries(*lines_of()))
    return tmp_path / "t.jsonl"


def show(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)


def rows(*args: str | Path) -> list[str]:
    """What stands below the heading."""
    result = show(*args)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[result.stdout.splitlines().index(HEADING) + 1 :]


def words(*args: str | Path) -> list[str]:
    return [row[INDENT:].strip() for row in rows(*args)]


def test_the_heading_says_what_the_trace_is(trace: Path) -> None:
    assert show(trace).stdout.splitlines()[:6] == [
        f"trace     {trace}, blocks",
        "source    a test",
        "link      memory:x",
        "card      uid 08a1b2c3, mle 251",
        "app       kind k",
        "",
    ]


@pytest.mark.parametrize(
    ("clock", "recorded"),
    [
        ({"wall": 1795360034.4}, "recorded  2026-11-22 15:07:14 UTC"),
        ({"wall": "noon"}, None),
        ({"wall": 1e300}, None),
        ({}, None),
        ("monotonic", None),
    ],
)
def test_the_heading_says_when_it_was_recorded(tmp_path: Path, clock: object, recorded: str | None) -> None:
    write_trace(tmp_path / "t.jsonl", Header(clock=clock), [])
    lines = show(tmp_path / "t.jsonl").stdout.splitlines()
    assert [line for line in lines if line.startswith("recorded")] == ([] if recorded is None else [recorded])


def test_files_within_the_first_line_are_named_and_not_shown(tmp_path: Path) -> None:
    app = {"scenario": {"name": "day.toml", "text": "x\n" * 1000}, "dev": True, "passwords": ["a", "b"], "more": {}}
    write_trace(tmp_path / "t.jsonl", Header(app=app), [])
    assert "app       scenario day.toml, dev true, passwords a b, more ...\n" in show(tmp_path / "t.jsonl").stdout


def test_a_trace_of_which_nobody_knows_anything_has_a_short_heading(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.jsonl", Header(level="apdus"), [])
    assert show(tmp_path / "t.jsonl").stdout.splitlines() == [f"trace     {tmp_path / 't.jsonl'}, apdus", "", HEADING]


def test_each_layer_has_its_rows(trace: Path) -> None:
    assert words(trace, "--layer", "apdu") == [
        "SELECT NDEF application",
        "UPDATE NLEN 53 and 53 octets (1 S(WTX))",
        "READ NLEN: 55",
        "READ 55 octets at 2",
        "READ 2 octets at 65535: 6B00, the offset is at or past the end of the file",
    ]
    assert words(trace, "--layer", "message") == [
        f"message written: request GET /login, messageID 1  {REQUEST}",
        f"message read: answer 200, messageID 1  {ANSWER}",
        "exchange 1: GET /login: 200; 70.0 ms, 3 APDUs, 8 frames, 1 S(WTX)",
    ]
    blocks = words(trace, "--layer", "block")
    assert blocks[:4] == [
        "card selected",
        "RATS: FSD 256, CID 0  E080",
        "ATS: FSC 256, FWT 4.83 ms  0578804202",
        "activation: FSD 256, FSC 256, FWT 4.83 ms",
    ]
    assert blocks[-2:] == ["no block  9320", "field gone"]
    assert len(rows(trace)) == len(blocks) + 5 + 3
    assert len(rows(trace, "--layer", "apdu", "--layer", "message")) == 8


def test_a_row_has_entries_time_direction_octets_and_air_time(trace: Path) -> None:
    assert rows(trace, "--layer", "apdu")[0].split()[:5] == ["4-5", "0.040000", "><", "13+2", "1.98"]
    assert rows(trace, "--layer", "message")[0].split()[:4] == ["6-9", "0.080000", ">", "53"]
    assert rows(trace)[1].split()[:5] == ["2", "0.010000", ">", "2", "0.44"]


def test_a_block_is_shown_with_the_apdu_that_it_completes_below_it(trace: Path) -> None:
    order = [row[INDENT:].split()[0] for row in rows(trace)[4:9]]
    assert order == ["I(0)", "I(0)", "SELECT", "I(1)", "S(WTX"]


def test_only_rows_with_a_text_are_shown(trace: Path) -> None:
    assert words(trace, "--grep", "statuscode", "--layer", "message") == [
        f"message read: answer 200, messageID 1  {ANSWER}"
    ]
    assert len(rows(trace, "--grep", "6B00")) == 2
    assert words(trace, "--grep", encode_text(ANSWER).hex()[-20:], "--layer", "apdu") == ["READ 55 octets at 2"]
    assert rows(trace, "--grep", "nowhere") == []


@pytest.mark.parametrize("since", ["0.1", "0.1s", "100ms"])
def test_rows_before_a_time_are_left_out_and_count_nevertheless(trace: Path, since: str) -> None:
    shown = words(trace, "--from", since)
    assert len(shown) == 12
    assert any(row.startswith("exchange 1: GET /login: 200") for row in shown)
    assert rows(trace, "--from", "99") == []


@pytest.mark.parametrize("since", ["-1", "soon", "1h", "nan", "1e10"])
def test_what_is_no_time_is_refused(trace: Path, since: str) -> None:
    result = show(trace, "--from", since)
    assert result.exit_code == ExitCode.USAGE


def test_what_a_phone_wrote_cannot_paint_on_the_terminal(tmp_path: Path) -> None:
    evil = '{"path":"/\\u001b[31mx","method":"GET","messageID":1}\x1b[2J'
    write_trace(tmp_path / "t.jsonl", Header(link="\x1b[2J"), entries(*lines_of(request=evil)))
    assert "\x1b" not in show(tmp_path / "t.jsonl").stdout


def test_messages_that_are_none_are_shown_in_hex(tmp_path: Path) -> None:
    lines = ["> 02 00B0000005", "< 02 0003D000009000", "> 03 00D6000004 0002FFFF", "< 03 9000"]
    write_trace(tmp_path / "t.jsonl", Header(), entries(*lines))
    read, written, exchange = words(tmp_path / "t.jsonl", "--layer", "message")
    assert read == "message read: the empty message  D00000"
    assert written.endswith("  FFFF")
    assert exchange == "exchange 1: a message that is no request: no answer was read; 10.0 ms, 1 APDU, 2 frames"


def test_an_exchange_tells_what_went_wrong_on_its_way(tmp_path: Path) -> None:
    lines = lines_of()
    lines[9:9] = ["> C2", "< C2", "+", "> E080", "< 0578804202", "> B2", "< A3"]
    lines.insert(17, lines[16])  # a READ is sent again
    write_trace(tmp_path / "t.jsonl", Header(), entries(*lines))
    (exchange,) = words(tmp_path / "t.jsonl", "--grep", "exchange")
    assert exchange.endswith(" frames, 1 re-activation, 1 S(WTX), 1 sent again")


def test_a_last_line_that_was_cut_off_is_told_and_the_rest_is_shown(trace: Path) -> None:
    whole = rows(trace)
    trace.write_bytes(trace.read_bytes()[:-10])
    result = show(trace)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("no block  9320")
    assert len(result.stdout.splitlines()) == len(whole) + 6
    assert result.stderr == f"nfcbridge: warning: {trace}: line 18 was cut off and is left out\n"


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("hello\n")
    done = subprocess.run(
        [*PROGRAM, "trace", "show", str(tmp_path / "t.txt")], capture_output=True, check=False, env=environment()
    )
    assert done.returncode == ExitCode.USAGE
    assert b"is no trace of nfcbridge" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_trace_may_come_from_a_pipe(trace: Path) -> None:
    with trace.open("rb") as file:
        done = subprocess.run(
            [*PROGRAM, "trace", "show", "-"], stdin=file, capture_output=True, check=True, env=environment()
        )
    assert done.stdout.decode().splitlines()[1:] == show(trace).stdout.splitlines()[1:]
    assert done.stdout.startswith(b"trace     standard input, blocks\n")


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """More than fits a pipe."""
    write_trace(tmp_path / "long.jsonl", HEADER, entries(*lines_of() * 300))
    return tmp_path / "long.jsonl"


def test_whoever_has_seen_enough_is_left_in_peace(long: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "trace", "show", str(long)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"trace ")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_in_a_pipe_lines_are_plain_and_whole(trace: Path) -> None:
    printed = run_in_pipe("trace", "show", str(trace))
    assert printed == show(trace).stdout
    assert "\x1b" not in printed


def test_on_a_terminal_each_layer_has_its_colour(trace: Path) -> None:
    printed = run_in_terminal("trace", "show", str(trace), "--no-pager")
    assert "\x1b[35mcard selected" in printed  # magenta
    assert "\x1b[36mSELECT NDEF application" in printed  # cyan
    assert "\x1b[32mmessage written: request GET /login" in printed  # green
    assert "\x1b[33mREAD 2 octets at 65535: 6B00" in printed  # yellow
    plain = run_in_terminal("trace", "show", str(trace), "--no-pager", variables={"NO_COLOR": "1"})
    assert "\x1b" not in plain
    assert plain == without_escapes(printed)


@pytest.mark.parametrize("columns", [140, 90, 60, 20])
def test_lines_fold_to_the_terminal_and_lose_nothing(trace: Path, columns: int) -> None:
    lines = without_escapes(run_in_terminal("trace", "show", str(trace), "--no-pager", columns=columns)).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert REQUEST.replace(" ", "") in "".join("".join(lines).split())


def test_a_short_table_needs_no_pager_and_a_long_one_has_one(trace: Path, long: Path) -> None:
    pager = {"PAGER": "tr a-z A-Z", "LESS": ""}
    short = without_escapes(run_in_terminal("trace", "show", str(trace), "--layer", "message", variables=pager))
    assert "exchange 1: GET /login" in short
    paged = run_in_terminal("trace", "show", str(long), "--layer", "message", variables=pager)
    assert "EXCHANGE 300: GET /LOGIN" in paged
    assert "exchange" not in paged


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    path = tmp_path / "growing.jsonl"
    path.write_bytes(b"")
    process = subprocess.Popen(
        [*PROGRAM, "trace", "show", "-f", str(path), "--layer", "apdu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    yield path, process
    process.kill()
    process.communicate()


def test_a_growing_file_is_followed_until_ctrl_c(
    followed: tuple[Path, "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    path, process = followed
    assert process.stdout is not None
    write_trace(tmp_path / "whole.jsonl", HEADER, [])
    made = [format_entry(entry).encode() for entry in entries(*lines_of())]
    with path.open("ab", buffering=0) as file:
        file.write((tmp_path / "whole.jsonl").read_bytes())
        assert process.stdout.readline() == f"trace     {path}, blocks\n"
        for _ in range(6):
            process.stdout.readline()
        file.write(b"".join(made[:4]) + made[4][:20])  # a line in two parts
        file.write(made[4][20:])
        assert process.stdout.readline().rstrip().endswith("SELECT NDEF application")
        file.write(b"".join(made[5:]))
        assert process.stdout.readline().rstrip().endswith("UPDATE NLEN 53 and 53 octets (1 S(WTX))")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.INTERRUPTED
    assert told.strip() == ""


def test_a_file_that_is_begun_anew_ends_the_following(followed: tuple[Path, "subprocess.Popen[str]"]) -> None:
    path, process = followed
    assert process.stdout is not None
    write_trace(path.with_name("whole.jsonl"), HEADER, entries(*lines_of()))
    path.write_bytes(path.with_name("whole.jsonl").read_bytes())
    for _ in range(8):
        process.stdout.readline()
    path.write_bytes(b"{}")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.USAGE
    assert "was begun anew" in told
