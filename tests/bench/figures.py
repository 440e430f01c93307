"""How benchmarks tell their numbers: one line a series, times with a unit that can be read."""

from collections.abc import Sequence

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, name in UNITS:
        if abs(seconds) >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-6:.2f} us"


def quantile(times: Sequence[float], share: float) -> float:
    """The time that `share` of the sorted `times` do not exceed."""
    return times[min(len(times) - 1, int(share * len(times)))]


def report(what: str, times: Sequence[float]) -> None:
    """Print median, p99, p99.9, p99.99 and maximum of a series of seconds."""
    ordered = sorted(times)
    parts = [f"median {duration(quantile(ordered, 0.5))}"]
    parts += [f"p{100 * share:g} {duration(quantile(ordered, share))}" for share in (0.99, 0.999, 0.9999)]
    print(f"{what}: n={len(ordered)} {' '.join(parts)} max {duration(ordered[-1])}", flush=True)
