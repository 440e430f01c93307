"""How quick a machine and a reader on a serial line are: measured, and held against what phones bear."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from nfcbridge.doctor.finding import Area, Finding, Verdict
from nfcbridge.errors import ConfigError, LinkError

SLEEPS: Final = 300
SLEEP: Final = 0.001
"""Seconds that is slept, so often: with what the machine adds a little over 0.3 s."""

BEARABLE: Final = 0.02
"""Seconds that the machine may be late, in 99 of 100 cases: S(WTX) leaves 31 ms to FWT."""

COMMANDS: Final = 100
"""GetFirmwareVersion, so often: 18 octets there and back take 1.6 ms at 115,200 bit/s."""

FAST_COMMAND: Final = 0.003
"""Seconds of a command on a serial line, median. RATS to ATS is one command, and is to take less than 5 ms."""


class Spread(Struct, frozen=True):
    """Times, in seconds."""

    median: float
    p99: float
    longest: float

    def __str__(self) -> str:
        """In milliseconds, for people."""
        return f"median {self.median * 1000:.2f} ms, p99 {self.p99 * 1000:.2f} ms, longest {self.longest * 1000:.2f} ms"


def spread(times: Sequence[float]) -> Spread:
    """The spread of some times, at least one."""
    ordered = sorted(times)
    return Spread(statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1])


def measure_machine() -> Finding:
    """How late the machine wakes a program that sleeps: a tag is late by as much."""
    late = []
    for _ in range(SLEEPS):
        begun = time.perf_counter()
        time.sleep(SLEEP)
        late.append(time.perf_counter() - begun - SLEEP)
    times = spread(late)
    good = times.p99 < BEARABLE
    return Finding(
        Area.TIME,
        "waking up late",
        Verdict.OK if good else Verdict.NOTE,
        str(times),
        "" if good else "close what keeps the processor busy: a late S(WTX) makes the phone give up",
    )


def measure_line(name: str, command: Callable[[], object]) -> Finding:
    """The turn-around of a command to a reader.

    Args:
        name: of the link.
        command: sends the shortest command and waits for its response.
    """
    times = []
    for _ in range(COMMANDS):
        begun = time.perf_counter()
        command()
        times.append(time.perf_counter() - begun)
    found = spread(times)
    good = found.median < FAST_COMMAND
    return Finding(
        Area.TIME,
        f"command to {name}",
        Verdict.OK if good else Verdict.WRONG,
        str(found),
        "" if good else f"Android gives the ATS 5 ms: lower the adapter's latency timer, or use {name}?picc",
    )


def measure_readers(links: Sequence[str]) -> Iterator[Finding]:
    """The turn-around of every reader on a serial line that answers.

    Args:
        links: names such as `nfc:tty:USB0:pn532`.
    """
    from nfcbridge.links.nfc.names import parse_name
    from nfcbridge.links.nfc.opening import open_device

    for link in links:
        try:
            opened = open_device(parse_name(link.removeprefix("nfc:")), as_card=False)
        except (ConfigError, LinkError) as error:
            yield Finding(Area.TIME, f"command to {link}", Verdict.MISSING, f"no PN532 answers there ({error})")
            continue
        try:
            speed = getattr(getattr(getattr(opened.transport, "inner", None), "tty", None), "baudrate", None)
            finding = measure_line(link, opened.device.chipset.get_firmware_version)
            words = f"{finding.words}{f', at {speed} bit/s' if speed else ''}"
            yield Finding(finding.area, finding.what, finding.verdict, words, finding.remedy, link)
        except LinkError as error:
            yield Finding(Area.TIME, f"command to {link}", Verdict.WRONG, str(error))
        finally:
            opened.close()
