"""The self test between two links, the times, and the test log."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from nfcbridge.doctor import Area, Finding, Verdict, loop
from nfcbridge.doctor.loop import Stage, run_loop
from nfcbridge.doctor.report import BLANK, QUESTIONS, make_report
from nfcbridge.doctor.times import Spread, measure_line, measure_machine, measure_readers, spread
from nfcbridge.errors import LinkError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLOW", 0.0)
    monkeypatch.setattr(loop, "ROUNDS", 2)
    monkeypatch.setattr("nfcbridge.doctor.times.SLEEPS", 2)
    monkeypatch.setattr("nfcbridge.doctor.times.COMMANDS", 3)


@pytest.mark.parametrize("link", ["memory:loop", "udp:127.0.0.1:54377"])
def test_a_tag_and_a_phone_that_work_pass_every_stage(link: str) -> None:
    stages = list(run_loop(link, link))
    assert [stage.passed for stage in stages] == [True] * 6
    assert stages[2].words.endswith("10000 octets")


def test_a_tag_that_does_not_come_fails_the_first_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CONNECT", 0.0)
    stages = list(run_loop("memory:here", "memory:elsewhere"))
    assert [stage.passed for stage in stages] == [True, False]


def test_links_that_cannot_be_opened_fail() -> None:
    (stage,) = run_loop("nothing:at all", "memory:loop")
    assert not stage.passed
    assert stage.what == "the links"


def test_octets_that_change_on_their_way_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_self: object, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"large": "y"} if request.url.path == "/large" else {"text": "y"})

    client = httpx2.Client(transport=httpx2.MockTransport(lambda request: answer(None, request)), base_url="http://tag")
    with pytest.raises(ValueError, match="the large answer came back with 1 octets"):
        loop.ask_large(client)
    monkeypatch.setattr("nfcbridge.client.transport.NfcTransport.handle_request", answer)
    stages = list(run_loop("memory:loop", "memory:loop"))
    assert [stage.passed for stage in stages] == [True, False]
    assert stages[1].words.startswith("what came back is not what was sent")


def test_times_are_told_by_their_spread() -> None:
    times = spread([0.001 * number for number in range(101)])
    assert times == Spread(0.05, 0.099, 0.1)
    assert str(times) == "median 50.00 ms, p99 99.00 ms, longest 100.00 ms"


@pytest.mark.parametrize(("bearable", "verdict"), [(60.0, Verdict.OK), (0.0, Verdict.NOTE)])
def test_a_machine_that_wakes_late_is_told(monkeypatch: pytest.MonkeyPatch, bearable: float, verdict: Verdict) -> None:
    monkeypatch.setattr("nfcbridge.doctor.times.BEARABLE", bearable)
    finding = measure_machine()
    assert finding.verdict is verdict
    assert bool(finding.remedy) == (verdict is Verdict.NOTE)


@pytest.mark.parametrize(("bearable", "verdict"), [(60.0, Verdict.OK), (0.0, Verdict.WRONG)])
def test_a_line_that_is_slow_is_told(monkeypatch: pytest.MonkeyPatch, bearable: float, verdict: Verdict) -> None:
    monkeypatch.setattr("nfcbridge.doctor.times.FAST_COMMAND", bearable)
    asked: list[int] = []
    finding = measure_line("nfc:tty:USB0:pn532", lambda: asked.append(1))
    assert len(asked) == 3
    assert finding.verdict is verdict
    assert ("?picc" in finding.remedy) == (verdict is Verdict.WRONG)


class Reader:
    """A reader as `open_device` gives it, whose commands work or fail."""

    def __init__(self, *, fails: bool) -> None:
        self.transport = None
        self.device = SimpleNamespace(chipset=SimpleNamespace(get_firmware_version=self.version))
        self.fails = fails
        self.closed = False

    def version(self) -> bytes:
        if self.fails:
            raise LinkError("it was unplugged")
        return b"\x32\x01\x06\x07"

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("fails", "verdicts"), [(False, {Verdict.OK}), (True, {Verdict.WRONG})])
def test_readers_on_serial_lines_are_measured_and_closed(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool, verdicts: set[Verdict]
) -> None:
    monkeypatch.setattr("nfcbridge.doctor.times.FAST_COMMAND", 60.0)
    reader = Reader(fails=fails)
    monkeypatch.setattr("nfcbridge.links.nfc.opening.open_device", lambda _name, **_how: reader)
    assert {finding.verdict for finding in measure_readers(["nfc:tty:USB0:pn532"])} == verdicts
    assert reader.closed


def test_a_port_without_a_reader_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: Any, **_how: Any) -> None:
        raise LinkError("no answer")

    monkeypatch.setattr("nfcbridge.links.nfc.opening.open_device", nothing)
    (finding,) = measure_readers(["nfc:tty:USB0:pn532"])
    assert finding.verdict is Verdict.MISSING
    assert finding.words == "no PN532 answers there (no answer)"


def test_the_log_has_the_machine_the_self_test_and_a_form() -> None:
    finding = Finding(Area.USB, "a | b", Verdict.OK, "found\nhere")
    stage = Stage("a large answer", passed=False, words="torn")
    text = make_report([finding], [stage], {"phone": "Pixel 8 | Android 16"}, datetime(2026, 5, 4, 10, tzinfo=UTC))
    lines = text.splitlines()
    assert lines[2] == "2026-05-04 10:00 UTC"
    assert f"| {QUESTIONS['phone']} | Pixel 8 \\| Android 16 |" in lines
    assert f"| {QUESTIONS['reader']} | {BLANK} |" in lines
    assert "| a large answer | FAILED | torn |" in lines
    assert "| USB reader | a \\| b | ok | found here |  |" in lines
    assert "Not run" in make_report([], [], {})
