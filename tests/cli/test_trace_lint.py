"""`nfcbridge trace lint`: what it prints for people and for programs, what is chosen, and its exit codes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace.lint import command
from nfcbridge.cli.trace.lint_report import SHOWN
from nfcbridge.lint import RULES
from nfcbridge.trace import Header, write_trace
from tests.cli.in_terminal import PROGRAM, environment, run_in_terminal, without_escapes
from tests.lint.test_fixtures import path_of
from tests.lint.told import DETECTED, IDLE_READ
from tests.trace.lines import entries

ERROR, WARNING, NOTE = path_of("NB307", "bad"), path_of("NB303", "bad"), path_of("NB205", "bad")
GOOD = path_of("NB307", "good")
REPORT = """\
{path}:21: error NB307 read-without-nlen: after the request the answer is read from offset 2, and nobody read NLEN
    18-19          0.043000 s  UPDATE NLEN 53
    20-21          0.048000 s  READ 53 octets at 2
    why: {why} ({source})
    mend: {mend}
1 error in 1 trace, 21 entries
"""


def lint(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False, standalone_mode=False)


def exit_code(*args: str | Path) -> int:
    return int(main(["trace", "lint", *map(str, args)]))


def found(*args: str | Path) -> list[str]:
    return [finding["rule"] for finding in json.loads(lint("--format", "json", *args).stdout)]


@pytest.fixture
def repeated(tmp_path: Path) -> Path:
    """The NDEF file is selected again, once more often than is shown."""
    again = ["> 00A4000C02E104", "< 9000"] * (SHOWN + 1)
    write_trace(tmp_path / "again.jsonl", Header(level="apdus"), entries(*DETECTED, *again))
    return tmp_path / "again.jsonl"


def test_a_finding_is_told_with_its_place_what_crossed_there_why_and_how_to_mend_it() -> None:
    rule = RULES["NB307"]
    assert lint(ERROR).stdout == REPORT.format(path=ERROR, why=rule.why, source=rule.source, mend=rule.mend)


def test_why_is_told_once_and_the_summary_counts_all_traces() -> None:
    lines = lint(ERROR, ERROR, WARNING, NOTE, GOOD).stdout.splitlines()
    assert sum(line.startswith("    why: Android") for line in lines) == 1
    assert lines[-1].startswith("2 errors, 1 warning, 1 note in 5 traces, ")


def test_nothing_found_is_told_too() -> None:
    assert lint(GOOD).stdout == "no findings in 1 trace, 32 entries\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([ERROR], ExitCode.REFUSED),
        ([GOOD, ERROR], ExitCode.REFUSED),
        ([WARNING], ExitCode.DONE),
        ([NOTE, GOOD], ExitCode.DONE),
        (["--ignore", "NB307", ERROR], ExitCode.DONE),
        (["--format", "json", ERROR], ExitCode.REFUSED),
        (["--format", "sarif", ERROR], ExitCode.REFUSED),
        ([], ExitCode.USAGE),
        (["--select", "NB999", ERROR], ExitCode.USAGE),
        (["/nowhere.jsonl"], ExitCode.USAGE),
    ],
)
def test_the_exit_code_is_1_for_an_error_2_for_what_cannot_be_read(args: list[str | Path], code: int) -> None:
    assert exit_code(*args) == code


def test_of_a_rule_that_finds_the_same_again_and_again_the_rest_is_counted(repeated: Path) -> None:
    *_, more, summary = lint(repeated).stdout.splitlines()
    assert more == f"{repeated}: note NB205 needless-reselect: 1 more, at line {2 + len(DETECTED) + 2 * SHOWN}"
    assert summary.startswith(f"{SHOWN + 1} notes in 1 trace")
    whole = lint("--all", repeated).stdout
    assert "more, at" not in whole
    assert whole.count("needless-reselect") == SHOWN + 1


def test_what_is_counted_is_named_by_its_first_lines(tmp_path: Path) -> None:
    path = tmp_path / "often.jsonl"
    again = ["> 00A4000C02E104", "< 9000"] * (SHOWN + 8)
    write_trace(path, Header(level="apdus"), entries(*DETECTED, *again))
    assert lint(path).stdout.splitlines()[-2].endswith("8 more, at lines 21, 23, 25, 27, 29, ...")


@pytest.mark.parametrize(
    ("args", "rules"),
    [
        ([], ["NB307", "NB303"]),
        (["--select", "NB303"], ["NB303"]),
        (["--select", "nb303,NB307"], ["NB307", "NB303"]),
        (["--select", "NB3"], ["NB307", "NB303"]),
        (["--select", "NB4", "--select", "half-written"], ["NB303"]),
        (["--ignore", "NB30"], []),
        (["--ignore", "read-without-nlen"], ["NB303"]),
        (["--select", "NB3", "--ignore", "NB303"], ["NB307"]),
    ],
)
def test_rules_are_chosen_by_identifier_its_beginning_or_name(args: list[str], rules: list[str]) -> None:
    assert found(*args, ERROR, WARNING) == rules


@pytest.mark.parametrize("option", ["--select", "--ignore", "--explain"])
@pytest.mark.parametrize("name", ["NB999", "no-such-rule", ",", ""])
def test_a_rule_that_there_is_not_is_told(option: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(option, name, GOOD) == ExitCode.USAGE
    assert "--rules lists them" in capsys.readouterr().err


def test_json_is_a_list_with_all_of_each_finding(repeated: Path) -> None:
    (finding,) = json.loads(lint("--format", "json", ERROR).stdout)
    assert (finding["file"], finding["line"], finding["severity"]) == (str(ERROR), 21, "error")
    assert json.loads(lint("--format", "json", GOOD).stdout) == []
    assert len(found(repeated)) == SHOWN + 1


def test_sarif_has_the_results_of_all_traces() -> None:
    (run,) = json.loads(lint("--format", "sarif", ERROR, GOOD, WARNING).stdout)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["NB307", "NB303"]
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def cut(path: Path, tmp_path: Path) -> Path:
    cut_off = tmp_path / "cut.jsonl"
    cut_off.write_bytes(path.read_bytes()[:-20])
    return cut_off


def test_a_last_line_that_was_cut_off_is_told_and_the_rest_is_linted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cut(GOOD, tmp_path)
    assert exit_code(path) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert out == "no findings in 1 trace, 31 entries\n"
    assert err == f"nfcbridge: warning: {path}: line 33 was cut off and is left out\n"
    (run,) = json.loads(lint("--format", "sarif", path).stdout)["runs"]
    assert run["invocations"][0]["toolExecutionNotifications"][0]["level"] == "warning"
    assert json.loads(lint("--format", "json", path).stdout) == []


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_a_broken_trace_is_told_and_the_others_are_linted(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jsonl"
    lines = ERROR.read_text().splitlines(keepends=True)
    broken.write_text("".join([*lines, "hello\n", *lines[1:]]))
    assert exit_code("--format", form, broken, tmp_path / "none.jsonl", WARNING) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert "NB307" in out
    assert "NB303" in out
    first, second = err.splitlines()
    assert first.startswith(f"nfcbridge: error: {broken}: line 23: ")
    assert (
        second
        == f"nfcbridge: error: {tmp_path}/none.jsonl: No such file or directory; check the path and who may use it"
    )
    if form == "sarif":
        (invocation,) = json.loads(out)["runs"][0]["invocations"]
        assert invocation["executionSuccessful"] is False
        assert len(invocation["toolExecutionNotifications"]) == 2


def test_a_trace_comes_from_stdin_too() -> None:
    done = subprocess.run(
        [*PROGRAM, "trace", "lint", "--format", "json", "-"],
        input=ERROR.read_bytes(),
        capture_output=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == ExitCode.REFUSED
    assert [finding["file"] for finding in json.loads(done.stdout)] == ["-"]


def test_head_has_seen_enough(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    again = ["> 00A4000C02E104", "< 9000"] * 5000
    write_trace(path, Header(level="apdus"), entries(*DETECTED, *again))
    with subprocess.Popen(
        [*PROGRAM, "trace", "lint", "--all", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.DONE


def test_what_a_phone_wrote_cannot_paint_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J.jsonl"
    write_trace(path, Header(level="apdus"), entries(*DETECTED, "> 00B00000", "< 6700"))
    assert "\x1b" not in lint(path).stdout


def test_on_a_terminal_severities_have_colours_and_sentences_are_folded() -> None:
    out = run_in_terminal("trace", "lint", str(WARNING), str(NOTE), columns=60)
    assert "\x1b[33m\x1b[1mwarning\x1b[0m NB303" in out
    assert "\x1b[36m\x1b[1mnote\x1b[0m NB205" in out
    sentences = [line for line in without_escapes(out).splitlines() if line.startswith("    ")]
    assert max(map(len, sentences)) <= 60
    plain = run_in_terminal("trace", "lint", str(WARNING), columns=60, variables={"NO_COLOR": "1"})
    assert "\x1b" not in plain


def test_the_table_of_rules_has_all_of_them() -> None:
    heading, *rows = lint("--rules").stdout.splitlines()
    assert heading.split() == ["RULE", "SEVERITY", "LAYER", "NAME", "WHAT"]
    assert [row.split()[0] for row in rows] == list(RULES)
    assert rows[0].endswith(RULES["NB101"].what)


def test_a_narrow_terminal_gets_the_rules_as_paragraphs() -> None:
    lines = without_escapes(run_in_terminal("trace", "lint", "--rules", columns=60)).splitlines()
    assert lines[:2] == ["NB101 error block-number-wrong", "  " + RULES["NB101"].what]
    assert max(map(len, lines)) <= 60
    assert lines[-1].startswith("  ")
    assert run_in_terminal("trace", "lint", "--rules", columns=96).count("WHAT") == 1


def test_the_table_has_the_rules_that_are_chosen_and_is_data_for_programs() -> None:
    assert [row.split()[0] for row in lint("--rules", "--select", "NB5").stdout.splitlines()[1:]] == [
        rule for rule in RULES if rule.startswith("NB5")
    ]
    data: list[dict[str, Any]] = json.loads(lint("--rules", "--format", "json").stdout)
    assert [rule["rule"] for rule in data] == list(RULES)


@pytest.mark.parametrize("name", ["NB307", "nb307", "read-without-nlen"])
def test_a_rule_is_explained(name: str) -> None:
    rule = RULES["NB307"]
    assert lint("--explain", name).stdout.splitlines() == [
        "NB307 read-without-nlen (error, NDEF file)",
        rule.what,
        f"why: {rule.why} ({rule.source})",
        f"mend: {rule.mend}",
    ]
    assert json.loads(lint("--explain", name, "--format", "json").stdout)["mend"] == rule.mend


def test_one_rule_is_explained_and_not_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--explain", "NB3") == ExitCode.USAGE
    assert "there is no such rule" in capsys.readouterr().err


def test_a_clean_detection_is_clean(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.jsonl", Header(level="apdus"), entries(*DETECTED, *IDLE_READ))
    assert found(tmp_path / "t.jsonl") == []


def test_where_nothing_was_read_nothing_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "lint", str(tmp_path / "nothing.jsonl")]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert "No such file" in err
