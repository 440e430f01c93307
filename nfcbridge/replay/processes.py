"""Processes of this machine that replay, and that leave Ctrl-C to the one that started them."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Processes(ProcessPoolExecutor):
    """An executor whose processes never hear Ctrl-C, which reaches all of a terminal.

    They are not forked: threads of this process may hold locks that no fork would ever free.

    Args:
        jobs: how many there are at most; each begins when there is work for it.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, get_context("spawn"), initializer=ignore_interrupts)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See `Executor.submit`."""
        with interrupts_blocked():  # a process that begins has them blocked, too, from its first instruction on
            return super().submit(fn, *args, **kwargs)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that started this one, also where none can be blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Let Ctrl-C wait until the end."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
