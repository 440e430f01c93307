"""Block in to block out through the real server, idle and under HTTP load: is any answer or S(WTX) later than FWT?

    python -m tests.bench.turnaround [--blocks 100000] [--connections 50] [--load http | none | both]

The server is the real command in its own process; the reader is here, on the UDP air, and measures from send to
receive. Of twelve blocks eight are READs of the file, four belong to two exchanges with a session: the UPDATE that runs
the application, and the READ of its answer. The load is a third process: keep-alive connections that log in once, of
which every second one reads the state and the others change a pair, durably, as fast as they are answered.

A fourth process only sleeps, 1 ms at a time, and notes how late it wakes: what the machine does to everybody. A late
block is held against the server when nobody else was late.
"""

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import tempfile
import time
from array import array
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import msgspec

from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.isodep import DEFAULT
from nfcbridge.links import CardFound, Level, ReaderEnd, open_reader
from tests.bench.figures import duration, report
from tests.foreign.served import serving
from tests.stack.octets import read

READS_AN_EXCHANGE: Final = 8
NAP: Final = 0.001  # seconds
NOTED: Final = 0.02  # seconds by which the sleeper woke too late, from which on it is told
PATIENCE: Final = 2.0  # seconds that the reader waits in truth, so that a late block is measured and not only missed


class TimedReader:
    """A reader end that notes how long each frame took to be answered, and waits longer than FWT to know how late."""

    def __init__(self, end: ReaderEnd) -> None:
        self._end = end
        self.name = end.name
        self.level: Level = end.level
        self.max_frame = end.max_frame
        self.times = array("d")

    def activate(self, timeout: float) -> CardFound:
        return self._end.activate(timeout)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        began = time.perf_counter()
        frame = self._end.transceive(octets, max(timeout, PATIENCE))
        self.times.append(time.perf_counter() - began)
        return frame

    def field_off(self) -> None:
        self._end.field_off()

    def close(self) -> None:
        self._end.close()


class HttpCaller:
    """One keep-alive connection, as bare as it goes: the load must not need more time than the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, method: str, path: str, body: bytes = b"", session: str = "") -> bytes:
        """The body of the answer."""
        authorization = f"Authorization: {session}\r\n" if session else ""
        head = f"{method} /v1{path} HTTP/1.1\r\nHost: bench\r\n{authorization}Content-Type: application/json\r\n"
        self._writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return await self._reader.readexactly(int(length.split(b":")[1]))

    async def login(self, password: str) -> str:
        """The session id."""
        token = msgspec.json.decode(await self.call("GET", "/login"))["token"]
        digest = hashlib.sha256((password + token).encode()).hexdigest()
        login = msgspec.json.encode({"username": "operator", "password": digest})
        session: str = msgspec.json.decode(await self.call("POST", "/login", login))["session"]["session_id"]
        return session


async def _load(host: str, port: int, connections: int, stop: Event) -> int:
    callers = [HttpCaller(*await asyncio.open_connection(host, port)) for _ in range(connections)]
    session = await callers[0].login("operator")

    async def ask(caller: HttpCaller, index: int) -> int:
        count = 0
        if index % 2:
            await caller.call("POST", "/key_value_store", b'{"bench%d":""}' % index, session)
        while not stop.is_set():
            if index % 2:
                await caller.call("PUT", "/key_value_store", b'{"bench%d":"%d"}' % (index, count), session)
            else:
                await caller.call("GET", "/system_state", session=session)
            count += 1
        return count

    return sum(await asyncio.gather(*(ask(caller, index) for index, caller in enumerate(callers))))


def run_load(host: str, port: int, connections: int, stop: Event, result: "multiprocessing.Queue[int]") -> None:
    """The load's process, which takes what server and reader leave: it is to keep the loop busy, not the machine."""
    os.nice(10)
    result.put(asyncio.run(_load(host, port, connections, stop)))


def run_sleeper(stop: Event, result: "multiprocessing.Queue[list[float]]") -> None:
    """The process that only sleeps; gives the seconds by which it woke too late, of those that count."""
    late = []
    while not stop.is_set():
        began = time.perf_counter()
        time.sleep(NAP)
        over = time.perf_counter() - began - NAP
        if over > NOTED:
            late.append(over)
    result.put(late)


def run_reader(link: str, blocks: int) -> tuple["array[float]", "array[float]", "array[float]"]:
    """Seconds of every block, and of every small exchange with a session: by the phone alone, and by httpx2."""
    end = TimedReader(open_reader(link))
    bare = array("d")
    exchanges = array("d")
    transport = NfcTransport(end)
    with Session(transport, "operator", "operator") as session:
        phone = transport._phone  # noqa: SLF001 - to send commands beside the session's
        if phone is None:
            raise SystemExit("no phone")
        while len(end.times) < blocks:
            began = time.perf_counter()
            response = session.request("GET", "/system_state")
            exchanges.append(time.perf_counter() - began)
            began = time.perf_counter()
            answer = phone.exchange("GET", "/system_state", authorization=session.session_id)
            bare.append(time.perf_counter() - began)
            if response.status_code != 200 or answer.status != 200:
                raise SystemExit(f"status {response.status_code}, {answer.status}")
            for _ in range(READS_AN_EXCHANGE):
                phone.transmit(read(0, 251))
    return end.times, bare, exchanges


def options(folder: str) -> list[str]:
    """Those of a server that keeps its data on disk, as it does for users."""
    password = Path(folder, "password")
    password.write_text("operator", encoding="ascii")
    places = ["--link", "udp:127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(Path(folder, "data"))]
    return ["-q", *places, "--password", f"operator={password}"]


def measure(blocks: int, connections: int) -> int:
    """Run one series; returns the number of blocks that came later than FWT."""
    title = f"{connections} HTTP connections" if connections else "idle"
    with tempfile.TemporaryDirectory() as folder, serving(*options(folder)) as served:
        stop = multiprocessing.Event()
        result: multiprocessing.Queue[int] = multiprocessing.Queue()
        host, _, port = served.http.removeprefix("http://").rpartition(":")
        load = multiprocessing.Process(target=run_load, args=(host, int(port), connections, stop, result))
        naps: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
        sleeper = multiprocessing.Process(target=run_sleeper, args=(stop, naps))
        sleeper.start()
        began = time.perf_counter()
        if connections:
            load.start()
            time.sleep(1.0)  # until every connection has logged in
        try:
            times, bare, exchanges = run_reader(served.nfc, blocks)
        finally:
            stop.set()
        report(f"{title}: block in to block out", times)
        report(f"{title}: small exchange with a session", bare)
        report(f"{title}: small exchange with a session, by httpx2", exchanges)
        if connections:
            count = result.get(timeout=30)
            load.join()
            print(f"{title}: {count / (time.perf_counter() - began):.0f} HTTP requests/s meanwhile")
        overslept = naps.get(timeout=30)
        sleeper.join()
        worst = duration(max(overslept, default=0.0))
        print(f"{title}: a process that only sleeps woke over 20 ms late {len(overslept)} times, by {worst} at most")
        late = sum(1 for value in times if value > DEFAULT.fwt)
        print(f"{title}: {late} of {len(times)} blocks later than FWT ({duration(DEFAULT.fwt)})", flush=True)
        return late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--load", choices=("none", "http", "both"), default="both")
    arguments = parser.parse_args()
    late = 0
    if arguments.load != "http":
        late += measure(arguments.blocks, 0)
    if arguments.load != "none":
        late += measure(arguments.blocks, arguments.connections)
    raise SystemExit(1 if late else 0)


if __name__ == "__main__":
    main()
