"""Processes that replay do not hear Ctrl-C."""

import signal

import pytest

from nfcbridge.replay.processes import Processes, ignore_interrupts, interrupts_blocked


def blocked_signals() -> set[int]:
    return {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, set())}


def test_a_process_begins_deaf_to_ctrl_c_and_stays_so() -> None:
    with Processes(1) as processes:
        assert signal.SIGINT in processes.submit(blocked_signals).result()
        assert processes.submit(signal.getsignal, signal.SIGINT).result() is signal.SIG_IGN
    assert signal.SIGINT not in blocked_signals()


def test_ctrl_c_waits_for_the_end_of_what_blocks_it() -> None:
    told = []
    with pytest.raises(KeyboardInterrupt), interrupts_blocked():  # noqa: PT012 - it comes at the end of the inner one
        signal.raise_signal(signal.SIGINT)
        told.append("went on")
    assert told == ["went on"]
    assert signal.SIGINT not in blocked_signals()


def test_where_signals_cannot_be_blocked_they_are_ignored_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "pthread_sigmask")
    with interrupts_blocked():
        pass
    before = signal.getsignal(signal.SIGINT)
    try:
        ignore_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
