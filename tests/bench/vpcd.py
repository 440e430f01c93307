"""APDU rate through pcscd and vpcd: the served card beside a bare echo over the same socket.

    python -m tests.bench.vpcd [COUNT]

Where the scheduler puts reader, pcscd and card decides more than the card does: the bare echo takes 26 us a command
with all of them on one core and 61 us over two. Kept on one core the rounds agree; compare cards there. With two cores
free the scheduler chooses, and some rounds get one core all the same: that row shows what a user may see, and its
median only means something beside its slowest and fastest round. Echo and server take turns, so that a busy minute of
the machine meets both.

Needs what tests/foreign/test_pcsc.py needs, and root.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from statistics import median
from typing import Final

import pytest

from tests.conftest import Peers
from tests.foreign.room import VPCD, Room, open_room
from tests.foreign.served import serving

DEFAULT_COUNT: Final = 20_000
"""Commands of one round."""

ROUNDS: Final = 5


@contextlib.contextmanager
def echo(room: Room) -> Iterator[None]:
    """Runs the echo in the room."""
    host, port = VPCD.split(":")
    command = [*room.enter, sys.executable, "-m", "tests.bench.echo_card", host, port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as card:
        assert card.stdout is not None
        assert card.stdout.readline() == "ready\n"
        yield
        card.kill()


@contextlib.contextmanager
def nfcbridge(room: Room) -> Iterator[None]:
    """Runs the server in the room."""
    with serving("--dev", "--quiet", "--link", f"vpcd:{VPCD}", "--http", "none", inside=room.enter):
        yield


@contextlib.contextmanager
def placed_on(cores: set[int]) -> Iterator[None]:
    """Keeps this process, and all that it starts in the block, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(card: Callable[[Room], AbstractContextManager[None]], count: int) -> list[int]:
    """Returns the nanoseconds of each command of one round, in a room of its own."""
    with open_room(Peers()) as room, card(room):
        times: list[int] = json.loads(room.run_python("tests.bench.apdu_meter", str(count)))
        return times


def rate(times: list[int]) -> float:
    """Returns commands a second."""
    return len(times) / sum(times) * 1e9


def report(name: str, placement: str, rounds: list[list[int]]) -> None:
    """Prints one row: rates of the rounds, then the times of all rounds together."""
    rates = sorted(rate(times) for times in rounds)
    times = sorted(itertools.chain.from_iterable(rounds))
    late = times[int((len(times) - 1) * 0.9999)]
    columns = [f"{each:,.0f}" for each in (median(rates), rates[0], rates[-1])]
    columns += [f"{each / 1000:,.1f}" for each in (median(times), late, times[-1])]
    print(f"{name:11}{placement:11}" + "".join(f"{column:>10}" for column in columns), flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_COUNT
    print(f"{ROUNDS} rounds of {count:,} times READ of 2 octets; rates in APDU/s, times in us")
    heads = ("rate", "slowest", "fastest", "median", "p99.99", "max")
    print(f"{'card':11}{'placement':11}" + "".join(f"{head:>10}" for head in heads), flush=True)
    cores = sorted(os.sched_getaffinity(0))
    for placement, allowed in (("one core", {cores[0]}), ("two free", set(cores[:2]))):
        results: dict[str, list[list[int]]] = {"echo": [], "nfcbridge": []}
        with placed_on(allowed):
            for _ in range(ROUNDS):
                for card in (echo, nfcbridge):
                    results[card.__name__].append(measure(card, count))
        for name, rounds in results.items():
            report(name, placement, rounds)


if __name__ == "__main__":
    try:
        main()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        sys.exit(str(missing))
