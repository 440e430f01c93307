"""The file that a trace becomes."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, TraceError
from nfcbridge.trace import Recorder, TraceFile
from nfcbridge.trace import recorder as recorder_module

CARD = {"uid": "08a1b2c3", "mle": 251}


def make_clock(*times: float) -> Callable[[], float]:
    """A clock that shows these times in turn."""
    remaining = iter(times)
    return lambda: next(remaining)


def test_a_trace_is_written_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    now = make_clock(100.0, 100.0, 100.0004118, 100.25, 3700.0)
    with Recorder(path, level="blocks", link="memory:a", card=CARD, now=now) as recorder:
        recorder.record_field(on=True)
        recorder.record_reader(b"\xe0\x80")
        recorder.record_card(bytes.fromhex("0578804202"))
        recorder.record_field(on=False)
    header, *lines = path.read_text().splitlines()
    assert header == (
        '{"nfcbridge_trace": 1, "level": "blocks", "link": "memory:a", "source": "", "clock": "monotonic", '
        '"seed": null, "card": {"uid": "08a1b2c3", "mle": 251}, "app": {}}'
    )
    assert lines == [
        '{"t": 0.000000, "dir": "field", "on": true}',
        '{"t": 0.000412, "dir": "reader", "hex": "e080"}',
        '{"t": 0.250000, "dir": "card", "hex": "0578804202"}',
        '{"t": 3600.000000, "dir": "field", "on": false}',
    ]


def test_the_first_line_says_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    Recorder(path, level="apdus", link="vpcd:ü:1", card={}, clock="virtual", seed=7).close()
    assert json.loads(path.read_text("ascii")) == {
        "nfcbridge_trace": 1,
        "level": "apdus",
        "link": "vpcd:ü:1",
        "source": "",
        "clock": "virtual",
        "seed": 7,
        "card": {},
        "app": {},
    }


def test_the_first_line_is_there_before_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}):
        wait_until(lambda: path.read_text().endswith("}\n"))


def test_a_trace_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    before = os.umask(0)
    try:
        Recorder(path, level="blocks", link="memory:a", card={}).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_older_trace_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("old\n" * 1000)
    Recorder(str(path), level="blocks", link="memory:a", card={}).close()
    assert path.read_text().count("\n") == 1


@given(octets=st.binary(min_size=1, max_size=300))
def test_every_frame_can_be_read_back(octets: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}) as recorder:
        recorder.record_reader(octets)
    line = json.loads(path.read_text().splitlines()[1])
    assert bytes.fromhex(line["hex"]) == octets
    assert 0 <= line["t"] < 60


def test_a_batch_can_be_read_while_the_trace_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_INTERVAL", 0.0)
    path = tmp_path / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}) as recorder:
        for count in range(1, 4):
            recorder.record_reader(b"\x02")
            wait_until(lambda expected=count + 1: path.read_text().count("\n") == expected)  # type: ignore[misc]


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until a condition is met, at most five seconds."""
    pause = threading.Event()
    for _ in range(5000):
        if condition():
            return
        pause.wait(0.001)
    pytest.fail("it never came")


def test_all_that_was_recorded_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}) as recorder:
        for number in range(10_000):
            recorder.record_card(number.to_bytes(2, "big"))
    lines = path.read_text().splitlines()[1:]
    assert [int(json.loads(line)["hex"], 16) for line in lines] == list(range(10_000))


def test_the_writer_pauses_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    class ImpatientEvent(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return self.is_set()

    monkeypatch.setattr(recorder_module, "Event", ImpatientEvent)
    with Recorder(tmp_path / "trace.jsonl", level="blocks", link="memory:a", card={}) as recorder:
        recorder.record_card(b"\x02")
    assert pauses
    assert {*pauses} == {recorder_module.BATCH_INTERVAL}


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}) as recorder:

        def record(octet: int) -> None:
            for _ in range(500):
                recorder.record_card(bytes([octet]) * 20)

        threads = [threading.Thread(target=record, args=(octet,)) for octet in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    frames = [json.loads(line)["hex"] for line in path.read_text().splitlines()[1:]]
    assert sorted(frames) == sorted(bytes([octet]).hex() * 20 for octet in range(4) for _ in range(500))


def test_what_was_flushed_is_in_the_file_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with Recorder(path, level="blocks", link="memory:a", card={}) as recorder:
        recorder.record_reader(b"\x02")
        recorder.flush()
        assert json.loads(path.read_text().splitlines()[-1])["hex"] == "02"
        recorder.record_card(b"\x03")
        recorder.flush()
        assert json.loads(path.read_text().splitlines()[-1])["hex"] == "03"
    recorder.flush()  # closed: there is nothing to wait for


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_who_waits_for_a_full_disk_does_not_wait_for_ever() -> None:
    recorder = Recorder("/dev/full", level="blocks", link="memory:a", card={})
    recorder.record_reader(b"\x02")
    recorder.flush()
    recorder.flush()
    assert recorder.failure is not None
    with pytest.raises(TraceError, match="No space left on device"):
        recorder.close()


def test_a_recorder_can_be_closed_twice(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "trace.jsonl", level="blocks", link="memory:a", card={})
    recorder.close()
    recorder.close()
    recorder.record_card(b"\x02")  # too late, and no harm


def test_a_file_that_cannot_be_opened_says_so_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "trace.jsonl"
    with pytest.raises(ConfigError, match=r"cannot write the trace .*nowhere.* \(No such file or directory\)"):
        Recorder(path, level="blocks", link="memory:a", card={})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_ends_the_trace_and_not_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_INTERVAL", 0.0)
    recorder = Recorder("/dev/full", level="blocks", link="memory:a", card={})
    recorder.record_reader(b"\x02")
    wait_until(lambda: recorder.failure is not None)
    recorder.record_reader(b"\x03")
    with pytest.raises(TraceError, match="/dev/full is not whole: No space left on device"):
        recorder.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_that_shows_with_the_last_line_is_told_too() -> None:
    recorder = Recorder("/dev/full", level="blocks", link="memory:a", card={})
    with pytest.raises(TraceError, match="No space left on device"):
        recorder.close()


def test_only_levels_that_can_be_read_are_recorded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a trace has the level blocks or apdus, and 'bits' is none"):
        Recorder(tmp_path / "t.jsonl", level="bits", link="", card={})
    assert not list(tmp_path.iterdir())


def test_a_frame_is_recorded_as_it_is_when_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    buffer = bytearray(b"\xe0\x80")
    with Recorder(path, level="blocks", link="", card={}) as recorder:
        recorder.record_reader(buffer)  # type: ignore[arg-type]
        buffer[:] = bytes(2)
        recorder.record_card(memoryview(b"\x05"))  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            recorder.record_reader("e080")  # type: ignore[arg-type]
    with TraceFile(path) as trace:
        assert [entry.octets for entry in trace] == [b"\xe0\x80", b"\x05"]


def test_a_frame_without_octets_makes_no_trace_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with Recorder(path, level="blocks", link="", card={}, now=make_clock(0.0, 1.0, 2.0)) as recorder:
        recorder.record_reader(b"\xb2")
        recorder.record_reader(b"")
        recorder.record_card(b"")
        recorder.record_card(b"\xa3")
    with TraceFile(path) as trace:
        assert [(entry.t, entry.octets) for entry in trace] == [(1.0, b"\xb2"), (2.0, b"\xa3")]


def test_a_trace_that_nobody_closed_is_whole_when_the_program_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    program = (
        "import sys; from nfcbridge import Recorder\n"
        "recorder = Recorder(sys.argv[1], level='blocks', link='', card={}); recorder.record_reader(b'\\xb2')"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    with TraceFile(path) as trace:
        assert [entry.octets for entry in trace] == [b"\xb2"]
