"""`nfcbridge trace replay`: recorded readers against a new card, and what it does otherwise than the recorded one."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nfcbridge.cli.errors import ExitCode, print_error
from nfcbridge.cli.parameters import AppName, RoleFile
from nfcbridge.cli.trace import TRACE_COMMANDS
from nfcbridge.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from nfcbridge.replay import Report

MAX_JOBS: Final = 1024

WINDOW_PER_JOB: Final = 4
"""Traces that wait for each process: enough for it never to wait for the next."""

CLUSTER_MISSING: Final = "--scheduler needs Dask: pip install 'nfcbridge[cluster]', here and on the workers"

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for the scheduler to answer."""


@click.command(short_help=TRACE_COMMANDS["replay"].sentence)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|DIR...")
@click.option(
    "--level",
    type=click.Choice(["frame", "message"]),
    help="What is compared: each octet that the card sends, or status and content of each answer but for what must "
    "differ.  [default: frame for recordings of our own card, else message]",
)
@click.option(
    "--password",
    "passwords",
    type=RoleFile(),
    multiple=True,
    metavar="ROLE=FILE",
    help="The password of a role when it was recorded, from a file; may be repeated. Of `serve --dev` it is known.",
)
@click.option(
    "--app",
    type=AppName(),
    metavar="MODULE:APP",
    help="Let this ASGI application answer, of recordings that served it.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    default=1,
    show_default=True,
    metavar="N",
    help="How many processes replay traces at the same time.",
)
@click.option(
    "--scheduler", metavar="tcp://HOST:PORT", help="Replay on the workers of this Dask scheduler (extra `cluster`)."
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a report in JUnit's XML, with a test case for each trace.",
)
def command(
    *,
    paths: tuple[Path, ...],
    level: str | None,
    passwords: tuple[tuple[str, Path], ...],
    app: str | None,
    jobs: int,
    scheduler: str | None,
    junit: Path | None,
) -> int:
    """Play the reader's side of traces against a new emulator of the recorded configuration, and compare.

    Of each trace the first difference is told: the frame, the APDU, the request, the place in the answer. A DIR stands
    for all *.jsonl in it, at any depth. The exit code is 0 if all is equal, 1 if anything is different, 2 if there is
    no trace or one cannot be read.
    """
    if scheduler is not None and jobs != 1:
        raise click.UsageError("--jobs is about this machine and --scheduler about others: leave one out")
    if app is not None and (scheduler is not None or jobs != 1):
        raise click.UsageError("--app is run in this process: leave --jobs and --scheduler out")
    from concurrent.futures import BrokenExecutor

    from nfcbridge.cli.passwords import read_password_file
    from nfcbridge.replay.many import find_traces, replay_many
    from nfcbridge.replay.replaying import replay_file

    known = {role: read_password_file(file) for role, file in passwords}
    total = sum(1 for _ in find_traces(paths))
    if not total:
        raise ConfigError(f"there is no trace in {', '.join(map(str, paths))}: their names end in .jsonl")
    with ExitStack() as stack:
        executor, window = stack.enter_context(open_executor(min(jobs, total), scheduler))
        traces: Iterable[Path] = find_traces(paths)
        reports: Iterator[Report]
        if app is None:
            reports = replay_many(traces, executor, level=level, passwords=known, window=window)
        else:
            from nfcbridge.cli.foreign_app import import_app

            served: Any = import_app(app)
            reports = (replay_file(trace, level=level, passwords=known, app=served) for trace in traces)
        add: Callable[[Report], None] | None = None
        if junit is not None:
            from nfcbridge.replay.junit import JUnitReport

            add = stack.enter_context(JUnitReport(junit)).add
        try:
            return show(reports, total, add)
        except BrokenExecutor as error:
            raise LinkError(f"a process that replayed traces ended: {error}; try again with fewer --jobs") from error


@contextmanager
def open_executor(jobs: int, scheduler: str | None) -> "Iterator[tuple[Executor | None, int]]":
    """What does the work, and how much of it may wait there; None: this process.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers.
    """
    if scheduler is not None:
        with open_cluster(scheduler) as opened:
            yield opened
    elif jobs == 1:
        yield None, 1
    else:
        from nfcbridge.replay.processes import Processes

        with Processes(jobs) as executor:
            yield executor, WINDOW_PER_JOB * jobs


@contextmanager
def open_cluster(scheduler: str) -> "Iterator[tuple[Executor, int]]":
    """The workers of a Dask scheduler as an executor, and how many traces may wait there.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers, or it has no workers.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise ConfigError(CLUSTER_MISSING) from error
    try:
        get_address_host_port(scheduler)  # a client that fails by this does not end by itself
    except ValueError as error:
        raise ConfigError(f"--scheduler {scheduler} is no address ({error}): write it as tcp://HOST:PORT") from error
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]  # it has no types
            scheduler, timeout=CONNECT_TIMEOUT, set_as_default=False
        )
    except OSError as error:
        raise ConfigError(f"--scheduler {scheduler}: {error}; start one with `dask scheduler`") from error
    with client:
        workers = len(client.scheduler_info()["workers"])
        if not workers:
            raise ConfigError(f"--scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`")
        with client.get_executor(pure=False) as executor:
            yield executor, WINDOW_PER_JOB * workers


@contextmanager
def open_progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, if that is a terminal and there is more than one trace; what is given counts one of them."""
    import sys

    if total == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # stdout stays as it is: the lines there may be read by a program.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("replaying", total=total)
        yield lambda: progress.advance(task)


def show(reports: "Iterable[Report]", total: int, add: "Callable[[Report], None] | None") -> int:
    """Print what came of each trace, and return the exit code.

    Args:
        reports: come one by one.
        total: how many there will be.
        add: is given each.
    """
    from nfcbridge.cli.errors import escape_controls

    counts = {"equal": 0, "different": 0, "unreadable": 0}
    with open_progress(total) as advance:
        for report in reports:
            counts["unreadable" if report.error else "equal" if report.equal else "different"] += 1
            if add is not None:
                add(report)
            advance()
            if report.error:
                print_error(escape_controls(report.lines()[0]))
            elif total == 1 or not report.equal or report.notes:
                for line in report.lines():
                    click.echo(escape_controls(line))
    if total > 1:
        click.echo(f"{total} traces: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["unreadable"]:
        return ExitCode.USAGE
    return ExitCode.REFUSED if counts["different"] else ExitCode.DONE
