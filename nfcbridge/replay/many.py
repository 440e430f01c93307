"""Many traces, replayed by any executor of concurrent.futures: processes of this machine, or Dask's beyond it.

Only names of files go out and only reports come back, and no more than a window of them is under way: memory grows
neither with the number of traces nor with their length.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from nfcbridge.errors import ConfigError
from nfcbridge.replay.replaying import replay_file
from nfcbridge.replay.report import Level, Report

WINDOW: Final = 64
"""Traces that are with the executor at a time unless said otherwise: each worker always finds the next."""

SUFFIX: Final = ".jsonl"


def find_traces(paths: Iterable[Path | str]) -> Iterator[Path]:
    """The traces in these files and folders: of a folder those whose name ends in `.jsonl`, at any depth, in order.

    Raises:
        ConfigError: there is no such file or folder.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _walk(path)
        elif path.exists():
            yield path
        else:
            raise ConfigError(f"there is no {path}; name a trace, or a folder with traces (*{SUFFIX})")


def _walk(folder: Path) -> Iterator[Path]:
    # Path.rglob would gather and not sort; one folder at a time is in memory.
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():  # a link may lead in a circle
            yield from _walk(path)
        elif path.suffix == SUFFIX and path.is_file():
            yield path


def replay_many(
    paths: Iterable[Path | str],
    executor: Executor | None = None,
    *,
    level: Level | str | None = None,
    passwords: Mapping[str, str] | None = None,
    window: int = WINDOW,
) -> Iterator[Report]:
    """Replay traces, and give their reports in the order of `paths`, each as soon as it and all before it are there.

    Args:
        paths: of the traces; on other machines they have to be the same.
        executor: where the work is done; None: here, one after the other. It is not shut down.
        level: see `replay_file`.
        passwords: the same.
        window: traces that are with the executor at a time.

    Raises:
        ConfigError: there is no such level or role.
    """
    names = map(str, paths)
    if executor is None:
        for name in names:
            yield replay_file(name, level=level, passwords=passwords)
        return
    level = level.value if isinstance(level, Level) else level
    waiting: deque[Future[Report]] = deque()
    try:
        for name in names:
            waiting.append(executor.submit(_replay, name, str(Path(name).absolute()), level, dict(passwords or {})))
            if len(waiting) >= max(1, window):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _replay(name: str, path: str, level: str | None, passwords: dict[str, str]) -> Report:
    """The work of one trace: a function by itself, which other processes import, from whatever folder they are in."""
    return replace(replay_file(path, level=level, passwords=passwords), path=name)
