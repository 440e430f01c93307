"""The thread that writes, so that nobody else ever waits for the disk.

    loop thread --- put(job) ---> queue ---> writer thread: one commit for all that has come meanwhile
         ^--- finished ------ outcomes, in order <---'

A job is kept whole or not at all, and so is each batch of them: if a batch cannot be kept, its jobs are tried one by
one. The first job that cannot be kept takes all with it that were decided on before its fate was known: they may have
been decided on what it would have changed. That is what the generation of a job tells.
"""

import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from queue import SimpleQueue
from typing import Any, Final

from nfcbridge.charger.database import Database
from nfcbridge.charger.tables import Change, Row, Table
from nfcbridge.errors import LocalProtocolError

# Jobs in one commit. At 64 KiB a request that is 16 MiB that the thread works on while others come in.
MAX_BATCH: Final = 256
# Seconds that the end waits for what is still to be written, on a disk that may be slow.
JOIN_TIMEOUT: Final = 30.0


class Job:
    """Changes to be kept, all or none of them.

    Args:
        changes: in order; none waits for what was put before.
        generation: see above.
        subject: whatever the one who takes it from `finished` needs then.
        look: also look whether another process has changed the passwords.

    Attributes:
        error: why they were not kept.
        passwords: the rows of the passwords, if another process has changed something.
    """

    __slots__ = ("changes", "error", "generation", "look", "passwords", "subject")

    def __init__(self, changes: Sequence[Change], generation: int, subject: Any, *, look: bool = False) -> None:  # noqa: ANN401, see above
        self.changes = changes
        self.generation = generation
        self.subject = subject
        self.look = look
        self.error: Exception | None = None
        self.passwords: list[Row] | None = None


class Writer:
    """Keeps changes in the order in which they come.

    Args:
        database: the thread's alone until `close` returns.
        collect: called in the loop of a job when there is something in `finished`.

    Attributes:
        finished: jobs that were kept or not, in order.
    """

    def __init__(self, database: Database, collect: Callable[[], None]) -> None:
        self.finished: deque[Job] = deque()
        self._database = database
        self._collect = collect
        self._queue: SimpleQueue[tuple[Job, AbstractEventLoop] | None] = SimpleQueue()
        self._failed = -1  # the last generation that had a job which could not be kept
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="nfcbridge-writer", daemon=True)
        self._thread.start()

    def put(self, job: Job, loop: AbstractEventLoop) -> None:
        """Keep the changes of a job, soon. Raises LocalProtocolError after `close`."""
        if self._closed:
            raise LocalProtocolError("the store is closed")
        self._queue.put((job, loop))

    def close(self) -> None:
        """Keep what was put, then end the thread; waits JOIN_TIMEOUT at most."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(JOIN_TIMEOUT)

    def _run(self) -> None:
        closing = False
        while not closing:
            batch: list[Job] = []
            loops: set[AbstractEventLoop] = set()
            while not batch or (len(batch) < MAX_BATCH and not self._queue.empty()):
                item = self._queue.get()
                if item is None:
                    closing = True
                    break
                batch.append(item[0])
                loops.add(item[1])
            self._keep(batch)
            self.finished.extend(batch)
            for loop in loops:
                with suppress(RuntimeError):  # closed: nobody waits there any more
                    loop.call_soon_threadsafe(self._collect)

    def _keep(self, batch: list[Job]) -> None:
        jobs = [job for job in batch if not self._is_spoilt(job)]
        if self._commit(jobs) is None:
            return
        for job in jobs:
            if not self._is_spoilt(job):
                job.error = self._commit([job])
                if job.error is not None:
                    self._failed = job.generation

    def _is_spoilt(self, job: Job) -> bool:
        if job.generation > self._failed:
            return False
        job.error = OSError("what was to be written before could not be kept")
        return True

    def _commit(self, jobs: list[Job]) -> Exception | None:
        changes = list(chain.from_iterable(job.changes for job in jobs))
        try:
            if changes:
                self._database.commit(changes)
            for job in jobs:
                if job.look and self._database.changed_by_others():
                    job.passwords = self._database.rows(Table.PASSWORDS)
        except Exception as error:  # noqa: BLE001, the thread goes on whatever it is, and who waits is told
            return error
        return None
