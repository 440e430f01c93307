"""The example project, copied out of this one and run as its owner would run it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.in_terminal import environment

EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "charging-app"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    return folder


def run(project: Path, *arguments: str) -> tuple[int, str]:
    """Run the project's tests; pytest's exit code and what it printed."""
    variables = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", "-p", "no:schemathesis", *arguments]
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_it_passes_outside_of_this_project(project: Path) -> None:
    code, printed = run(project, "-v")
    assert code == 0, printed
    assert "7 passed" in printed
    assert "test_the_charger_still_answers_the_app_as_recorded[fixtures/status.jsonl] PASSED" in printed


def test_it_passes_with_tests_in_several_processes_and_without_a_cache(project: Path) -> None:
    code, printed = run(project, "-n", "2", "-p", "no:cacheprovider", "-p", "no:anyio")
    assert code == 0, printed
    assert "7 passed" in printed


def test_an_app_with_a_fault_is_shown_what_it_sent(project: Path) -> None:
    app = project / "charging_app.py"
    app.write_text(app.read_text().replace('"b": "plugged in"', '"B": "plugged in"'))
    code, printed = run(project)
    assert code == 1
    assert "'busy' == 'plugged in'" in printed
    trace = printed.partition("- NFC trace -")[2]
    assert "written: request GET /system_state, messageID 4" in trace
    assert '"type2State":"b"' in trace
    assert "1 failed, 6 passed" in printed


def test_a_recording_that_differs_fails_until_it_is_rewritten(project: Path) -> None:
    recording = project / "fixtures" / "status.jsonl"
    recorded = recording.read_text()
    recording.write_text(recorded.replace(b'"ambientTemp":23.4'.hex(), b'"ambientTemp":19.4'.hex()))
    code, printed = run(project)
    assert code == 1
    assert "$.ambientTemp: 19.4 became 23.4" in printed
    code, printed = run(project, "--trace-update")
    assert code == 0, printed
    assert "traces rewritten by --trace-update" in printed
    assert recording.read_text().splitlines()[1:] == recorded.splitlines()[1:]
    assert run(project)[0] == 0
