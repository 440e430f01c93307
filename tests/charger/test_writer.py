"""The thread that writes: in order, many at once, and never for nothing."""

import asyncio
import threading
from collections.abc import Iterable

import pytest

from nfcbridge.charger.database import Database
from nfcbridge.charger.tables import Change, Row, Table
from nfcbridge.charger.writer import MAX_BATCH, Job, Writer
from nfcbridge.errors import LocalProtocolError

PATIENCE = 10.0


class SlowDisk(Database):
    """Commits when it is told to, and cannot keep what has a key of `broken`."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.broken: set[str] = set()
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.others: list[Row] | None = None

    def commit(self, changes: Iterable[Change]) -> None:
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE)
        keys = [str(row[0]) for _, _, row in changes]
        if self.broken.intersection(keys):
            raise OSError("disk full")
        self.commits.append(keys)

    def changed_by_others(self) -> bool:
        return self.others is not None

    def rows(self, table: Table) -> list[Row]:
        assert table is Table.PASSWORDS
        return self.others or []


class Desk:
    """A writer, and the loop that it tells."""

    def __init__(self) -> None:
        self.disk = SlowDisk()
        self.loop = asyncio.new_event_loop()
        self.finished: list[Job] = []
        self.told = 0
        self.writer = Writer(self.disk, self.collect)

    def collect(self) -> None:
        self.told += 1
        while self.writer.finished:
            self.finished.append(self.writer.finished.popleft())

    def put(self, *keys: str, generation: int = 0, look: bool = False) -> Job:
        job = Job([(Table.PAIRS, True, (key, "")) for key in keys], generation, keys, look=look)
        self.writer.put(job, self.loop)
        return job

    def put_while_it_writes(self, *jobs: tuple[str, ...], generation: int = 0) -> list[Job]:
        """Put the first, and the others when the writer has begun with it."""
        first = self.put(*jobs[0], generation=generation)
        assert self.disk.begun.acquire(timeout=PATIENCE)
        return [first, *(self.put(*keys, generation=generation) for keys in jobs[1:])]

    def end(self) -> None:
        self.disk.go.release(1000)
        self.writer.close()
        self.collect()
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.loop.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_comes_while_it_writes_is_kept_together_and_in_order(desk: Desk) -> None:
    jobs = desk.put_while_it_writes(("a",), ("b", "c"), (), ("d",))
    desk.end()
    assert desk.disk.commits == [["a"], ["b", "c", "d"]]
    assert desk.finished == jobs
    assert [job.error for job in jobs] == [None] * 4


def test_nobody_waits_for_a_disk_that_has_nothing_to_keep(desk: Desk) -> None:
    desk.put()
    desk.end()
    assert desk.disk.commits == []
    assert len(desk.finished) == 1


def test_a_batch_has_a_limit(desk: Desk) -> None:
    desk.put_while_it_writes(("a",), *[(str(number),) for number in range(MAX_BATCH + 1)])
    desk.end()
    assert [len(keys) for keys in desk.disk.commits] == [1, MAX_BATCH, 1]


def test_the_loop_is_told_once_a_batch(desk: Desk) -> None:
    desk.put_while_it_writes(("a",), ("b",), ("c",))
    desk.end()
    # Twice by the writer, and once by the end of the test.
    assert desk.told == 3


def test_a_loop_that_is_closed_stops_nobody(desk: Desk) -> None:
    closed = asyncio.new_event_loop()
    closed.close()
    desk.writer.put(Job([(Table.PAIRS, True, ("a", ""))], 0, None), closed)
    desk.put("b")
    desk.end()
    assert [key for keys in desk.disk.commits for key in keys] == ["a", "b"]


# What cannot be kept


def test_what_cannot_be_kept_takes_what_was_decided_on_it_along_and_nothing_that_came_before(desk: Desk) -> None:
    desk.disk.broken = {"x"}
    jobs = desk.put_while_it_writes(("a",), ("b",), ("x", "c"), ("d",))
    desk.end()
    assert desk.disk.commits == [["a"], ["b"]]
    assert [job.error is None for job in jobs] == [True, True, False, False]
    assert str(jobs[2].error) == "disk full"
    assert str(jobs[3].error) == "what was to be written before could not be kept"


def test_what_comes_after_it_fails_until_it_was_decided_anew(desk: Desk) -> None:
    desk.disk.broken = {"x"}
    spoilt = desk.put_while_it_writes(("x",))
    desk.disk.go.release(2)
    assert desk.disk.begun.acquire(timeout=PATIENCE)  # alone, a second time
    spoilt.append(desk.put("a", generation=0))
    kept = desk.put("b", generation=1)
    desk.end()
    assert all(isinstance(job.error, OSError) for job in spoilt)
    assert kept.error is None
    assert desk.disk.commits == [["b"]]


def test_any_fault_of_ours_is_told_and_ends_nothing(desk: Desk) -> None:
    broken = Job([None], 0, None)  # type: ignore[list-item]
    desk.writer.put(broken, desk.loop)
    kept = desk.put("a", generation=1)
    desk.end()
    assert isinstance(broken.error, TypeError)
    assert kept.error is None


# The end, and others


def test_what_was_put_before_the_end_is_kept_and_nothing_can_be_put_after(desk: Desk) -> None:
    jobs = desk.put_while_it_writes(("a",), ("b",))
    desk.end()
    assert [job.error for job in jobs] == [None, None]
    with pytest.raises(LocalProtocolError):
        desk.put("c")


def test_the_passwords_of_another_process_are_looked_at_when_asked_for(desk: Desk) -> None:
    desk.put_while_it_writes(("a",))
    unasked, asked = desk.put(), desk.put(look=True)
    desk.disk.others = [("operator", b"sealed")]
    desk.end()
    assert (unasked.passwords, asked.passwords) == (None, [("operator", b"sealed")])


def test_passwords_that_nobody_else_has_set_are_not_read(desk: Desk) -> None:
    asked = desk.put(look=True)
    desk.end()
    assert asked.passwords is None
