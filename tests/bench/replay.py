"""Replay of recorded exchanges: frames a second of processor time and memory, the card alone and with the REST core.

python -m tests.bench.replay [--exchanges 10000] [--rounds 3]

The recordings are made here: our reader's commands to our card and core, on a clock of its own, 5 ms a frame. Of one
each exchange asks for the state of the charge point, a request of 115 octets and an answer of 200, the smallest that an
app has; of the other for what an app has stored, an answer of
1,000 octets, as in our tables of air time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nfcbridge.charger import hash_password
from nfcbridge.charger.description import KIND
from nfcbridge.framing import Answer, Request
from nfcbridge.replay.card import ReplayedCard, make_stack
from nfcbridge.replay.cores import ChargerCore
from nfcbridge.replay.frames import FrameReplay
from nfcbridge.stack.reader import Pause, exchange
from nfcbridge.trace import Dir, Entry, Header, TraceFile, write_trace
from nfcbridge.type4 import TagInfo, detect

_T = TypeVar("_T")
AIM_CARD = 100_000
AIM_CORE = 20_000
TICK = 0.005
SMALL = "/system_state"
USUAL = "/key_value_store"
PAIRS = {f"key {number}": "v" * 88 for number in range(10)}
HEADER = Header(
    link="memory:bench",
    source="nfcbridge bench card",
    clock={"origin": 0.0, "charger": {"began": 0.0, "wall": 1.7e9, "zone": 0.0}},
    seed=1,
    card={},
    app={"kind": KIND, "dev": True, "passwords": ["operator"]},
)


class Recording:
    """A phone before a card, and what crosses between them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._core = ChargerCore(HEADER, {})
        self._card = ReplayedCard(make_stack(HEADER), self._core)
        self._now = 0.0
        self._number = 0
        self._entries: list[Entry] = []

    def entries(self, count: int) -> Iterator[Entry]:
        """The entries of so many exchanges, login included."""
        self._entries.append(Entry(0.0, Dir.FIELD, on=True))
        self._card.selected(0.0, rats_follows=True)
        self._frame(bytes.fromhex("E080"))
        tag = self._run(detect())
        session, requests = None, 0
        while requests < count:
            if requests == 0:
                token = self._ask(tag, Request("/login", "GET", message_id=b"1"))["token"]
                credentials = {"username": "operator", "password": hash_password("operator", token)}
                content = msgspec.json.encode(credentials)
                answer = self._ask(tag, Request("/login", "POST", message_id=b"2", content=content))
                session = answer["session"]["session_id"]
                self._ask(tag, Request(USUAL, "POST", session, b"3", msgspec.json.encode(PAIRS)))
                requests = 3
            self._ask(tag, Request(self._path, "GET", session, str(requests).encode()))
            requests += 1
            yield from self._entries
            self._entries.clear()
        self._core.close()

    def _ask(self, tag: TagInfo, request: Request) -> dict[str, Any]:
        answer: Answer = self._run(exchange(tag, request, ours=True))
        if answer.status != 200:
            raise SystemExit(f"{request.path}: {answer.status}")
        return dict(msgspec.json.decode(answer.content))

    def _run(self, steps: Generator[bytes | Pause, bytes, _T]) -> _T:
        try:
            step = next(steps)
            while True:
                step = next(steps) if isinstance(step, Pause) else steps.send(self._command(step))
        except StopIteration as end:
            result: _T = end.value
            return result

    def _command(self, apdu: bytes) -> bytes:
        answer = self._frame(bytes([0x02 | self._number]) + apdu)
        self._number ^= 1
        return answer[1:]

    def _frame(self, frame: bytes) -> bytes:
        self._now = round(self._now + TICK, 6)
        self._entries.append(Entry(self._now, Dir.READER, frame))
        self._card.receive(frame, self._now, None)
        self._now = round(self._now + TICK, 6)
        if not self._card.sent:
            self._card.send_what_is_due(b"\x02", self._now)
        answer = self._card.sent.pop(0)
        self._entries.append(Entry(self._now, Dir.CARD, answer))
        return answer


def measure(path: Path, *, with_core: bool, rounds: int) -> dict[str, float]:
    """Frames a second, the best of some rounds, and the memory that the process has at most."""
    best = 0.0
    frames = exchanges = 0
    for _ in range(rounds):
        with TraceFile(path) as trace:
            core = ChargerCore(trace.header, {}) if with_core else None
            replay = FrameReplay(trace.header, core, trace)
            began = time.process_time()
            mismatch = replay.run()
            seconds = time.process_time() - began
            if core is not None:
                core.close()
        if mismatch is not None:
            raise SystemExit(f"{path}: different at entry {mismatch.entry.number}")
        frames, exchanges = 2 * replay.counted.frames, replay.counted.exchanges
        best = max(best, frames / seconds)
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"rate": best, "memory": memory, "frames": frames, "exchanges": exchanges}


def apart(path: Path, *, with_core: bool, rounds: int) -> dict[str, float]:
    """The same in a process of its own, whose memory is that of the replay."""
    words = [sys.executable, "-m", "tests.bench.replay", "--one", str(path), "--rounds", str(rounds)]
    done = subprocess.run([*words, *(["--core"] if with_core else [])], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=Path)
    parser.add_argument("--core", action="store_true")
    given = parser.parse_args()
    if given.one is not None:
        print(json.dumps(measure(given.one, with_core=given.core, rounds=given.rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for path in (SMALL, USUAL):
            large, small = Path(folder, "large.jsonl"), Path(folder, "small.jsonl")
            write_trace(large, HEADER, Recording(path).entries(given.exchanges))
            write_trace(small, HEADER, Recording(path).entries(max(5, given.exchanges // 10)))
            for what, with_core, aim in (("the card alone", False, AIM_CARD), ("with the REST core", True, AIM_CORE)):
                many = apart(large, with_core=with_core, rounds=given.rounds)
                few = apart(small, with_core=with_core, rounds=given.rounds)
                print(
                    f"GET {path}, {what}: {many['exchanges']:,.0f} exchanges, {many['frames']:,.0f} frames, "
                    f"{many['rate']:,.0f} frames/s ({many['rate'] / aim:.2f} of the aim, {aim:,}); "
                    f"memory {many['memory'] / 2**20:.1f} MiB, "
                    f"{many['memory'] / few['memory']:.3f} of that after {few['exchanges']:,.0f} exchanges",
                    flush=True,
                )


if __name__ == "__main__":
    main()
