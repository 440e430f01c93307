"""How quick a machine and a reader on a serial line are: measured, and held against what phones bear."""

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from nfcbridge.doctor.finding import Area, Finding, Verdict
from nfcbridge.errors import ConfigError, LinkError

SLEEPS: Final = 300
SLEEP: Final = 0.001
"""Seconds that is slept, so often: with what the machine adds a little over 0.3 s."""

BEARABLE: Final = 0.02
"""Seconds that the machine may be late, in 99 of 100 cases: S(WTX) leaves 31 ms to FWT."""

UID: Final = bytes.fromhex("08000000")
"""That the reader has meanwhile; chips take no other first octet."""


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


def measure_readers(links: Sequence[str]) -> Iterator[Finding]:
    """The two times by which phones judge a tag, of every reader that is named: no phone may be there.

    Args:
        links: names such as `nfc:tty:USB0:pn532`.
    """
    from nfcbridge.isodep import DEFAULT
    from nfcbridge.links import CardIdentity
    from nfcbridge.links.nfc.card import NfcCard
    from nfcbridge.links.nfc.names import parse_name
    from nfcbridge.links.nfc.times import AIM, measure

    for link in links:
        what = f"touch of {link}"
        try:
            end = NfcCard(parse_name(link.removeprefix("nfc:")), CardIdentity(uid=UID, ats=DEFAULT.to_bytes()))
        except (ConfigError, LinkError) as error:
            yield Finding(Area.TIME, what, Verdict.MISSING, f"no reader answers there: {error}")
            continue
        try:
            times = measure(end)
        except LinkError as error:
            yield Finding(Area.TIME, what, Verdict.NOTE, str(error), link=link)
        else:
            words = (
                f"RATS to ATS {times.answer * 1000:.2f} ms, listening again {times.listen * 1000:.2f} ms "
                f"(longest {times.answer_worst * 1000:.2f} and {times.listen_worst * 1000:.2f} ms; "
                f"{AIM * 1000:g} ms is what Android gives)"
            )
            words += f", {times.baud} bit/s" if times.baud else ""
            words += "" if times.latency_timer is None else f", latency timer {times.latency_timer} ms"
            yield Finding(Area.TIME, what, Verdict.OK if times.good else Verdict.WRONG, words, times.advice, link)
        finally:
            end.close()
