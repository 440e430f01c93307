"""A store whose disk is as slow and as full as a test wants."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger import open_store
from nfcbridge.charger.database import Database
from nfcbridge.charger.store import Store
from nfcbridge.charger.tables import Change

PATIENCE = 10.0


class Gate(Database):
    """A disk that takes its time, and may be full."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open = threading.Event()
        self.full = False

    def commit(self, changes: Iterable[Change]) -> None:
        assert self.open.wait(PATIENCE)
        if self.full:
            raise OSError("disk full")
        super().commit(changes)


Test = Callable[[Store, Gate], Awaitable[None]]


class GateRunner:
    """Runs tests with a store whose disk is a Gate."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._made: list[Gate] = []
        monkeypatch.setattr("nfcbridge.charger.database.Database", self._make)

    def run(self, test: Test) -> None:
        """Run it in an event loop; the disk is closed at first."""

        async def main(store: Store) -> None:
            await asyncio.wait_for(test(store, self._made[0]), PATIENCE)

        with closing(open_store(self._directory)) as store:
            asyncio.run(main(store))
            self._made[0].open.set()

    def _make(self, *args: Any) -> Gate:
        self._made.append(Gate(*args))
        return self._made[0]


async def settle() -> None:
    """Let everything go on that waits for no thread."""
    for _ in range(5):
        await asyncio.sleep(0)
