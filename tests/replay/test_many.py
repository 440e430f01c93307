"""Many traces: found, replayed by executors, reported in order."""

import signal
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nfcbridge.errors import ConfigError
from nfcbridge.replay import Level, replay_many
from nfcbridge.replay.junit import JUnitReport
from nfcbridge.replay.many import find_traces
from nfcbridge.replay.processes import Processes
from nfcbridge.replay.report import Difference, Report
from tests.replay.recordings import record_chores, replace_octets


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Equal, different, unreadable, cut off."""
    folder = tmp_path_factory.mktemp("many")
    text = record_chores(folder / "a.jsonl").read_text()
    (folder / "b.jsonl").write_text(text)
    replace_octets(folder / "b.jsonl", '"role":"operator"', '"role":"operatos"')
    (folder / "c.jsonl").write_text("{}\n")
    (folder / "d.jsonl").write_text(text[:-9])
    return [folder / f"{name}.jsonl" for name in "abcd"]


def without_times(reports: Iterator[Report]) -> list[Report]:
    return [msgspec.structs.replace(report, seconds=0.0) for report in reports]


def test_traces_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z.jsonl", "a/b/c.jsonl", "a.txt", "c.jsonl/d.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in find_traces([tmp_path, tmp_path / "a.txt"])]
    assert found == ["a/b/c.jsonl", "a/z.jsonl", "b.jsonl", "c.jsonl/d.jsonl", "a.txt"]
    with pytest.raises(ConfigError, match="there is no nothing; name a trace, or a folder with traces"):
        list(find_traces(["nothing"]))


def test_processes_threads_and_this_one_give_the_same_reports(traces: list[Path]) -> None:
    here = without_times(replay_many(traces))
    assert [report.equal for report in here] == [True, False, False, True]
    assert [bool(report.error) for report in here] == [False, False, True, False]
    with ThreadPoolExecutor(2) as threads:
        assert without_times(replay_many(traces, threads, window=3)) == here
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        assert without_times(replay_many(traces, processes, level=Level.FRAME)) == without_times(
            replay_many(traces, level="frame")
        )


def test_two_dask_workers_give_the_same_reports_as_one_process(traces: list[Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library that is not ours, when it is imported
        from distributed import Client, LocalCluster
    with (
        LocalCluster(  # type: ignore[no-untyped-call]  # it has no types
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        assert without_times(replay_many(traces, client.get_executor(pure=False))) == without_times(replay_many(traces))


class Lazy(Executor):
    """Does its work when its result is asked for, and counts what was asked and not yet done."""

    def __init__(self) -> None:
        self.waiting = self.most = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        executor = self

        class Later(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                executor.waiting -= 1
                return function(*args, **kwargs)

        return Later()


def test_only_a_few_traces_wait_at_a_time_however_many_there_are(traces: list[Path]) -> None:
    executor = Lazy()
    taken = 0

    def names() -> Iterator[Path]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield traces[2]

    reports = replay_many(names(), executor, window=5)
    next(reports)
    assert (taken, executor.most) == (5, 5)
    assert len(list(reports)) == 49
    assert executor.most == 5


def test_what_still_waits_is_cancelled_when_nobody_wants_it(traces: list[Path]) -> None:
    submitted: list[Future[Any]] = []

    class Keeping(Lazy):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted.append(super().submit(function, *args, **kwargs))
            return submitted[-1]

    reports = replay_many(traces, Keeping(), window=3)
    next(reports)
    reports.close()  # type: ignore[attr-defined]  # it is a generator
    assert [future.cancelled() for future in submitted] == [False, True, True]


REPORTS = [
    Report("a/b/equal.jsonl", Level.FRAME, 5, 1, seconds=0.25),
    Report("noted.jsonl", Level.FRAME, notes=("cut & <off>",)),
    Report("x.jsonl", Level.FRAME, difference=Difference(3, 0.1, 'a "b" \x00\ud800 &', ("block: I(0)",)), seconds=1.0),
    Report("/y.jsonl", Level.MESSAGE, error="line 1: <no> trace"),
]


def test_the_junit_report_has_a_case_for_each_trace(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    with JUnitReport(path) as junit:
        for report in REPORTS:
            junit.add(report)
    (suite,) = ET.parse(path).getroot()  # noqa: S314 - our own
    assert suite.attrib == {
        "name": "nfcbridge trace replay",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
        "time": "1.250",
    }
    equal, noted, different, broken = suite
    assert equal.attrib == {"classname": "a.b", "name": "equal.jsonl", "time": "0.250"}
    assert list(equal) == []
    assert noted.findtext("system-out") == "cut & <off>"
    failure = different.find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "difference", "message": 'a "b" \ufffd\ufffd &'}
    assert failure.text is not None
    assert failure.text.splitlines()[1:] == ['  entry 3 at 0.100000 s: a "b" \ufffd\ufffd &', "    block: I(0)"]
    error = broken.find("error")
    assert error is not None
    assert error.get("message") == "line 1: <no> trace"


def test_a_junit_report_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        JUnitReport(tmp_path / "nowhere" / "junit.xml")


def test_ctrl_c_leaves_a_replaying_process_alone(traces: list[Path]) -> None:
    with Processes(1) as processes:
        processes.submit(signal.raise_signal, signal.SIGINT).result()
        assert without_times(replay_many(traces[:1], processes))[0].equal
