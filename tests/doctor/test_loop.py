"""The self test between two links, the times, and the test log."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from nfcbridge.doctor import Area, Finding, Verdict, loop
from nfcbridge.doctor.loop import Stage, run_loop
from nfcbridge.doctor.report import BLANK, QUESTIONS, make_report
from nfcbridge.doctor.times import Spread, measure_machine, measure_readers, spread
from nfcbridge.errors import LinkError
from tests.links.nfc.fake_pn532 import FakePn532


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLOW", 0.0)
    monkeypatch.setattr(loop, "ROUNDS", 2)
    monkeypatch.setattr("nfcbridge.doctor.times.SLEEPS", 2)


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


@pytest.fixture
def pn532(tmp_path: Path) -> Iterator[FakePn532]:
    with FakePn532(tmp_path / "ttyUSB0") as board:
        yield board


def test_a_reader_on_a_serial_line_is_measured_and_let_go(pn532: FakePn532) -> None:
    (finding,) = measure_readers([pn532.name])
    assert finding.area is Area.TIME
    assert finding.link == pn532.name
    assert finding.words.startswith("RATS to ATS ")
    assert "listening again" in finding.words
    (again,) = measure_readers([pn532.name])
    assert again.link == pn532.name  # it was closed, so that it could be opened again


def test_a_slow_reader_is_told_with_what_to_do(pn532: FakePn532, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfcbridge.links.nfc.times.AIM", 0.0)
    (finding,) = measure_readers([pn532.name])
    assert finding.verdict is Verdict.WRONG
    assert "?picc" in finding.remedy


def test_a_latency_timer_and_a_reader_that_cannot_be_measured_are_told(
    pn532: FakePn532, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfcbridge.links.nfc.times.latency_timer", lambda _port: 16)
    (finding,) = measure_readers([pn532.name])
    assert finding.words.endswith("latency timer 16 ms")

    def fail(_end: object) -> None:
        raise LinkError("the times show with a phone only")

    monkeypatch.setattr("nfcbridge.links.nfc.times.measure", fail)
    (finding,) = measure_readers([pn532.name])
    assert (finding.verdict, finding.words) == (Verdict.NOTE, "the times show with a phone only")


def test_a_port_without_a_reader_is_no_failure(tmp_path: Path) -> None:
    (finding,) = measure_readers([f"nfc:tty:{tmp_path}/ttyUSB9:pn532"])
    assert finding.verdict is Verdict.MISSING
    assert finding.words.startswith("no reader answers there: ")


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
    assert "| What else | a&lt;b>[A |" in make_report([], [], {"notes": "a<b>\x1b[A"})
