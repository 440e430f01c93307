"""From the start of the command to its first answer over NFC, and its resident memory then.

    python -m tests.bench.start [--rounds 7]

A phone waits on the air before the command is started: it logs in as soon as the tag is there. Memory is what the
kernel calls VmRSS after that exchange, and VmHWM, the most it ever was.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from nfcbridge.client.phone import Phone
from nfcbridge.links import open_reader
from tests.bench.figures import report
from tests.foreign.served import COMMAND

ADDRESS: Final = "127.0.0.1:54399"
KIB_A_MIB: Final = 1024


def memory(pid: int) -> dict[str, float]:
    """MiB by name, as /proc has them."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = (line.split() for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {name.rstrip(":"): int(kib) / KIB_A_MIB for name, kib, _ in fields}


def start_once(*options: str) -> tuple[float, dict[str, float]]:
    """Seconds to the first answer, and memory after it."""
    phone = Phone(open_reader(f"udp:{ADDRESS}"))
    command = [COMMAND, "serve", "-q", "--link", f"udp:{ADDRESS}", "--http", "127.0.0.1:0", *options]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            answer = phone.exchange("GET", "/login", connect_timeout=30.0)
            took = time.perf_counter() - began
            if answer.status != 200:
                raise SystemExit(f"status {answer.status}")
            return took, memory(server.pid)
        finally:
            phone.close()
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder, "data"))
        for options in (["--dev"], ["--data", data]):
            results = [start_once(*options) for _ in range(rounds)]
            name = "serve " + " ".join(option if option != data else "DIR" for option in options)
            report(f"{name}: start to first answer", [took for took, _ in results])
            for kind in ("VmRSS", "VmHWM"):
                values = [sizes[kind] for _, sizes in results]
                print(f"{name}: {kind} {min(values):.1f} to {max(values):.1f} MiB", flush=True)
    print(f"on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
