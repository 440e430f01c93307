"""The charge controller over HTTP beside Prism, which answers from examples: requests a second, start, memory.

    python -m tests.bench.http [--prism FILE] [--rounds 5] [--seconds 5] [--connections 8] [--starts 5] [--no-pin]

Prism (npm, @stoplight/prism-cli) serves our own OpenAPI document, and is the yardstick: a server that looks nothing up
and stores nothing. Both run at the same time and take turns, wrk is the load.

- GET /system_state with a session (any text is one to Prism).
- POST of one key-value pair. Ours is on disk when it is answered, and the store takes 1,000 pairs, so each connection
  deletes every pair after it posted it. That is as much work again on disk; the rate of both together is what is told
  of ours, since a delete costs what a post costs. Prism posts only, and the mixture is told as well.
- Start: from the start of the command to its first answer, with data that are there already.
- Memory: VmRSS of the process and its children after the load.

Where there are two cores, servers have one and wrk has the other (`--no-pin` leaves them to the system).
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from nfcbridge.charger.openapi import document
from tests.bench.figures import duration
from tests.foreign.served import COMMAND

PASSWORD: Final = "bench"
START_TIMEOUT: Final = 60.0
# Seconds between two looks whether a server is there.
LOOK: Final = 0.002
KIB_A_MIB: Final = 1024
MISSING: Final = """\
{what} is missing. To get it:
    {how}
and start this again{again}."""

# wrk's script: one connection a thread, so that a thread's requests are one after the other.
SCRIPT: Final = """
local threads = {}
function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end
function init(args)
  base, mode, run = args[1], args[2], args[3]
  number, posted, looked, failed = 0, false, false, 0
end
function request()
  if mode == "get" then return wrk.format("GET", base .. "/system_state") end
  if id == 0 and not looked then  -- wrk looks at one request of the first thread, which is not sent
    looked = true
    return wrk.format("GET", base .. "/system_state")
  end
  if mode == "alternate" and posted then
    posted = false
    return wrk.format("DELETE", base .. "/key_value_store/" .. key)
  end
  number, posted = number + 1, true
  key = run .. "-" .. id .. "-" .. number
  return wrk.format("POST", base .. "/key_value_store", nil, '{"' .. key .. '":"value_1"}')
end
function response(status, headers, body)
  if status ~= 200 or body:find('"success":false', 1, true) then failed = failed + 1 end
end
function done(summary, latency, requests)
  local failed = 0
  for _, thread in ipairs(threads) do failed = failed + thread:get("failed") end
  local errors = summary.errors
  io.write(string.format('\\nRESULT {"requests":%d,"microseconds":%d,"failed":%d,"errors":%d,"p99":%d}\\n',
    summary.requests, summary.duration, failed, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(99)))
end
"""


class Cores(NamedTuple):
    """Which cores may be used; none: whichever."""

    servers: tuple[int, ...] = ()
    load: tuple[int, ...] = ()


class Load(NamedTuple):
    """What one run of wrk came to: requests a second, and the time that 99 % of them did not exceed, in seconds."""

    rate: float
    p99: float


class Server:
    """A server to be measured.

    Args:
        name: for people.
        command: starts it.
        port: where it listens.
        base: put before the paths of the document.
        cores: where it runs.
    """

    def __init__(self, name: str, command: Sequence[str], port: int, base: str, cores: Sequence[int]) -> None:
        self.name = name
        self.base = base
        self.port = port
        self._command = pinned(command, cores)

    @contextlib.contextmanager
    def running(self) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
        """The process, and the seconds until it answered."""
        began = time.perf_counter()
        with subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                while not self._answers():
                    if process.poll() is not None or time.perf_counter() - began > START_TIMEOUT:
                        raise SystemExit(f"{' '.join(self._command)}: it does not answer")
                    time.sleep(LOOK)
                yield process, time.perf_counter() - began
            finally:
                process.terminate()

    def session(self) -> str:
        """A session id; Prism gives its example to every login."""
        token = self._ask("GET", "/login")["token"]
        hashed = hashlib.sha256((PASSWORD + token).encode()).hexdigest()
        login = self._ask("POST", "/login", json.dumps({"username": "operator", "password": hashed}))
        session: str = login["session"]["session_id"]
        return session

    def _answers(self) -> bool:
        try:
            return "token" in self._ask("GET", "/login")
        except (OSError, http.client.HTTPException):
            return False

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method, self.base + path, body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())


class Wrk:
    """The load.

    Args:
        script: the file of its script.
        cores: where it runs.
        connections: at a time.
        seconds: of one run.
    """

    def __init__(self, script: Path, cores: Sequence[int], connections: int, seconds: int) -> None:
        self._script = str(script)
        self._cores = cores
        self._connections = connections
        self._seconds = seconds
        self._runs = 0

    def load(self, server: Server, mode: str) -> Load:
        """One run: `get`, `post`, or `alternate` (post and delete)."""
        self._runs += 1
        count = str(self._connections)
        headers = ["-H", f"Authorization: {server.session()}", "-H", "Content-Type: application/json"]
        command = ["wrk", "-t", count, "-c", count, "-d", f"{self._seconds}s", "-s", self._script, *headers]
        command += [f"http://127.0.0.1:{server.port}", "--", server.base, mode, f"{os.getpid()}-{self._runs}"]
        done = subprocess.run(pinned(command, self._cores), check=True, capture_output=True, text=True)
        result = json.loads(done.stdout.partition("RESULT ")[2])
        if result["failed"] or result["errors"]:
            raise SystemExit(f"{server.name}, {mode}: {result['failed']} refused, {result['errors']} lost")
        return Load(result["requests"] / result["microseconds"] * 1e6, result["p99"] / 1e6)


def pinned(command: Sequence[str], cores: Sequence[int]) -> list[str]:
    """The command on these cores."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command] if cores else list(command)


def memory(pid: int) -> float:
    """MiB that a process and its children have in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = {int(child) for task in tasks for child in task.read_text(encoding="ascii").split()}
    return own / KIB_A_MIB + sum(map(memory, children))


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_tools(prism: str) -> None:
    """Say how to get what is missing, and end."""
    if shutil.which("wrk") is None:
        raise SystemExit(MISSING.format(what="wrk, the load,", how="apt-get install wrk", again=""))
    if shutil.which(prism) is None:
        how = "npm install --prefix /tmp/prism @stoplight/prism-cli"
        again = " with --prism /tmp/prism/node_modules/.bin/prism"
        raise SystemExit(MISSING.format(what=f"Prism ({prism})", how=how, again=again))


def make_servers(folder: Path, prism: str, cores: Sequence[int]) -> tuple[Server, Server]:
    """Ours, with data that are there already, and Prism."""
    password, described = folder / "password", folder / "openapi.json"
    password.write_text(PASSWORD, encoding="ascii")
    described.write_bytes(document())
    ports = free_port(), free_port()
    options = ["--data", str(folder / "data"), "--password", f"operator={password}", "--link", "memory:bench", "-q"]
    ours = Server("nfcbridge", [COMMAND, "serve", "--http", f"127.0.0.1:{ports[0]}", *options], ports[0], "/v1", cores)
    with ours.running():
        pass
    mock = [prism, "mock", "--host", "127.0.0.1", "--port", str(ports[1]), "--verboseLevel", "silent", str(described)]
    return ours, Server("Prism", mock, ports[1], "", cores)


def tell(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str, aim: float, *, more: bool) -> bool:
    """Print the medians and their ratio; whether the aim is reached."""
    first, second = statistics.median(ours), statistics.median(theirs)
    ratio = first / second
    reached = ratio >= aim if more else ratio <= aim
    bound = f"at least {aim:g}" if more else f"at most {aim:g}"
    spread = f"{min(ours):.4g}-{max(ours):.4g} and {min(theirs):.4g}-{max(theirs):.4g}"
    print(
        f"{what}: nfcbridge {first:.4g} {unit}, Prism {second:.4g} {unit} ({spread}): ratio {ratio:.3g}, "
        f"aim {bound}: {'reached' if reached else 'NOT REACHED'}",
        flush=True,
    )
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prism", default="prism", help="Prism's program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of one run of wrk")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--no-pin", action="store_true")
    given = parser.parse_args()
    check_tools(given.prism)
    available = sorted(os.sched_getaffinity(0))
    cores = Cores() if given.no_pin or len(available) == 1 else Cores((available[0],), tuple(available[1:]))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "load.lua")
        script.write_text(SCRIPT, encoding="ascii")
        wrk = Wrk(script, cores.load, given.connections, given.seconds)
        ours, theirs = make_servers(Path(folder), given.prism, cores.servers)
        starts: dict[str, list[float]] = {"nfcbridge": [], "Prism": []}
        for _ in range(given.starts):
            for server in (ours, theirs):
                with server.running() as (_, took):
                    starts[server.name].append(took)
        runs = {"get": (ours, theirs), "post": (theirs,), "alternate": (ours, theirs)}
        rates: dict[tuple[str, str], list[Load]] = {}
        with ours.running() as (our_process, _), theirs.running() as (their_process, _):
            fresh = memory(our_process.pid), memory(their_process.pid)
            for number in range(given.rounds + 1):
                for mode, servers in runs.items():
                    for server in servers:
                        result = wrk.load(server, mode)
                        if number:  # the first is for V8 and the allocator to get warm
                            rates.setdefault((mode, server.name), []).append(result)
            used = memory(our_process.pid), memory(their_process.pid)
    report(rates, starts, fresh, used)
    where = f"servers on core {cores.servers}, wrk on {cores.load}" if cores.servers else "wherever the system likes"
    print(f"{given.connections} connections, {given.rounds} rounds of {given.seconds} s, {where}, Python {sys.version}")


def report(
    rates: dict[tuple[str, str], list[Load]],
    starts: dict[str, list[float]],
    fresh: tuple[float, float],
    used: tuple[float, float],
) -> None:
    """Print everything."""

    def series(mode: str, name: str) -> list[float]:
        return [load.rate for load in rates[mode, name]]

    for (mode, name), loads in rates.items():
        p99 = statistics.median(load.p99 for load in loads)
        rate = statistics.median(load.rate for load in loads)
        print(f"{name}, {mode}: {rate:.0f} requests/s, p99 {duration(p99)}")
    tell("GET", series("get", "nfcbridge"), series("get", "Prism"), "/s", 6.0, more=True)
    tell("POST, durable", series("alternate", "nfcbridge"), series("post", "Prism"), "/s", 2.5, more=True)
    tell("POST and DELETE", series("alternate", "nfcbridge"), series("alternate", "Prism"), "/s", 2.5, more=True)
    tell("start", starts["nfcbridge"], starts["Prism"], "s", 0.1, more=False)
    tell("memory when started", [fresh[0]], [fresh[1]], "MiB", 0.25, more=False)
    tell("memory after the load", [used[0]], [used[1]], "MiB", 0.25, more=False)


if __name__ == "__main__":
    main()
