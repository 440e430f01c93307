"""`nfcbridge doctor`: a table, what to do, a self test, a log; and an exit code that says if something is wrong."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfcbridge.cli import doctor, main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.doctor import Area, Finding, Verdict
from nfcbridge.doctor.times import measure_machine
from tests.doctor.machines import plug_serial, plug_usb

GOOD = Finding(Area.USB, "NFC Port-100", Verdict.OK, "as tag and as reader", link="nfc:usb:054c:06c3")
SERIAL = Finding(Area.TIME, "command", Verdict.OK, "median 1 ms", link="nfc:tty:USB0:pn532")
NONE = Finding(Area.SERIAL, "none", Verdict.MISSING, "no serial port", "nothing")
BAD = Finding(Area.KERNEL, "pn533_usb", Verdict.WRONG, "loaded", "sudo modprobe -r pn533_usb")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    findings: list[Finding] = [GOOD, NONE]

    def look(**_how: bool) -> Iterator[Finding]:
        yield from findings

    monkeypatch.setattr(doctor, "look", look)
    monkeypatch.setattr("nfcbridge.doctor.loop.SLOW", 0.0)
    return findings


def test_on_this_machine_it_tells_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json", "--no-measure"])
    said = [json.loads(line)["finding"] for line in capsys.readouterr().out.splitlines()]
    assert {"memory", "udp", "nfcpy", "pcscd"} <= {finding["what"] for finding in said}
    assert code == (ExitCode.REFUSED if any(finding["verdict"] == "wrong" for finding in said) else ExitCode.DONE)


def test_what_is_missing_is_no_failure_and_what_is_wrong_is_one(
    found: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines()[-2:] == ["What to do", "serial port: nothing"]
    found.append(BAD)
    assert main(["doctor"]) == ExitCode.REFUSED
    assert "kernel module pn533_usb: sudo modprobe -r pn533_usb" in capsys.readouterr().out


def test_with_nothing_to_do_there_is_no_list_of_it(found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    found[:] = [GOOD]
    main(["doctor"])
    assert "What to do" not in capsys.readouterr().out


def test_on_a_narrow_terminal_each_finding_has_lines_of_its_own(
    found: list[Finding], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "WHOLE_TABLE", 200_000)
    assert found
    main(["doctor"])
    assert f"{GOOD.what}  ok\n  as tag and as reader\n" in capsys.readouterr().out


def test_the_self_test_takes_the_links_that_are_named(found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    assert found
    assert main(["doctor", "--loop", "--tag", "memory:self", "--reader", "memory:self"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert err == "nfcbridge: self test: the tag on memory:self, the phone on memory:self\n"
    assert "passed  a large answer" in out
    assert main(["doctor", "--loop", "--tag", "nothing:", "--reader", "memory:self"]) == ExitCode.REFUSED
    assert "FAILED  the links" in capsys.readouterr().out


def test_the_self_test_takes_the_first_two_readers(
    found: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[tuple[str, str]] = []

    def run(tag: str, reader: str) -> Iterator[None]:
        taken.append((tag, reader))
        return iter(())

    monkeypatch.setattr("nfcbridge.doctor.loop.run_loop", run)
    found.append(SERIAL)
    assert main(["doctor", "--loop"]) == ExitCode.DONE
    assert main(["doctor", "--loop", "--reader", "nfc:usb:054c:06c3"]) == ExitCode.DONE
    assert taken == [("nfc:usb:054c:06c3", "nfc:tty:USB0:pn532"), ("nfc:tty:USB0:pn532", "nfc:usb:054c:06c3")]
    found.pop()
    capsys.readouterr()
    assert main(["doctor", "--loop"]) == ExitCode.USAGE
    assert "--loop needs two readers" in capsys.readouterr().err


def test_links_without_a_self_test_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--tag", "memory:self"]) == ExitCode.USAGE
    assert "add --loop" in capsys.readouterr().err


def test_the_log_is_markdown_with_blanks_where_nobody_is_asked(
    found: list[Finding], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["doctor", "--report", "--loop", "--tag", "memory:self", "--reader", "memory:self"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert out.startswith("# Test log of nfcbridge\n")
    assert "| a large answer | passed |" in out
    assert "______" in out
    assert not err


def test_the_log_asks_at_a_terminal(
    found: list[Finding], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert found
    monkeypatch.setattr(sys, "stdin", Terminal("PN532\n\nNFC Tools\n" + "\n" * 9))
    assert main(["doctor", "--report"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert "| Which reader, and how is it connected | PN532 |" in out
    assert "| Which app | NFC Tools |" in out
    assert "Enter leaves one blank" in err


def test_only_ports_that_may_be_opened_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[list[str]] = []
    nodes = [str(plug_serial(tmp_path, name, "cp210x")) for name in ("ttyUSB0", "ttyUSB1")]
    nodes.append(str(plug_usb(tmp_path, 7, "054c", "06c3")))
    monkeypatch.setattr("os.access", lambda path, _mode: str(path) in nodes[1:])
    monkeypatch.setattr("nfcbridge.doctor.times.SLEEPS", 1)

    def measure(links: list[str]) -> Iterator[Finding]:
        measured.append(links)
        return iter(())

    monkeypatch.setattr("nfcbridge.doctor.times.measure_readers", measure)
    findings = list(doctor.look(measure=True, root=tmp_path))
    assert measured == [["nfc:usb:054c:06c3", "nfc:tty:USB1:pn532"]]
    assert findings[-1].what == measure_machine().what


def test_a_report_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--report", "--json"]) == ExitCode.USAGE
    assert "leave one out" in capsys.readouterr().err
