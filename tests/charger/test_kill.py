"""kill -9 of the real server while four clients write: nothing that was acknowledged is lost, and nothing is torn.

NFCBRIDGE_KILLS=50 pytest tests/charger/test_kill.py
"""

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nfcbridge.charger import Role, open_store
from nfcbridge.charger.store import DATABASE
from tests.charger.clients import WRITERS, Connection, run

KILLS: Final = int(os.environ.get("NFCBRIDGE_KILLS", "3"))
SEED: Final = int(os.environ.get("NFCBRIDGE_SEED", "1"))
PASSWORD: Final = "op-secret"
PROJECT: Final = Path(__file__).parents[2]
SERVE: Final = (
    "import sys; from nfcbridge.cli import main; sys.exit(main(sys.argv[1:]))",
    "serve",
    "--http",
    "127.0.0.1:0",
    "--link",
    "memory:kill",
)
# Answers after which the server is killed, at most, and seconds after that: a commit takes about a millisecond.
MOST_ANSWERS: Final = 120
LONGEST_WAIT: Final = 0.003

_log: Final = logging.getLogger(__name__)


@contextmanager
def serving(data: Path) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """A server in a process of its own, with the address of its HTTP side; killed in the end if it is still there."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", *SERVE, "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=PROJECT) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("ready "), ready
            url = urlsplit(ready.split("http=")[1].strip())
            assert url.hostname is not None
            assert url.port is not None
            yield process, (url.hostname, url.port)
        finally:
            process.kill()


def test_nothing_acknowledged_is_lost_and_nothing_is_torn_by_kill_9(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with closing(open_store(tmp_path)) as store:
        store.set_password(Role.OPERATOR, PASSWORD)
    writers = [make() for make in WRITERS]
    # Login tokens belong to the address that asked for them.
    hosts = [f"127.0.0.{number + 2}" for number in range(len(writers))]
    for kill in range(KILLS + 1):
        with serving(tmp_path) as (process, address), ExitStack() as connected:
            connections = [connected.enter_context(closing(Connection(address, host, PASSWORD))) for host in hosts]
            for writer, connection in zip(writers, connections, strict=True):
                writer.check(connection, first=kill == 0)
            if kill == KILLS:
                break

            def stop(process: subprocess.Popen[str] = process) -> None:
                time.sleep(chance.random() * LONGEST_WAIT)
                process.kill()

            run(writers, connections, stop, after=chance.randint(len(writers), MOST_ANSWERS))
            assert process.wait() == -signal.SIGKILL
        with closing(sqlite3.connect(f"file:{tmp_path / DATABASE}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    acknowledged = {type(writer).__name__: writer.acknowledged for writer in writers}
    _log.info("%d kills, acknowledged: %s", KILLS, acknowledged)
    assert sum(acknowledged.values()) >= KILLS * len(writers)
