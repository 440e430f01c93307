"""`nfcbridge sim`: drive the charge point of a running emulator, and watch it, over its HTTP."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.errors import ExitCode, print_error
from nfcbridge.cli.parameters import Endpoint, host_of_endpoint
from nfcbridge.cli.serve import DEFAULT_HTTP
from nfcbridge.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

TIMEOUT: Final = 30.0
"""Seconds for an answer; a year of a scenario, moved by `advance`, takes one or two. A stream, which has no end, says
twice in that time that it is there."""

MAX_ANSWER: Final = 8_000_000
"""Octets: all effects of the longest scenario, played in one go."""

MAX_LINE: Final = 1_000_000
"""Octets of a line of the stream."""

BAD_REQUEST: Final = 400


class Target(NamedTuple):
    """Where the emulator is, and how results are shown.

    Attributes:
        http: HOST:PORT.
        token: of those on other machines, "" for none.
        trust: the certificate of HTTPS, or of its authority; None: HTTP.
        json: as they come.
    """

    http: str
    token: str
    trust: Path | None
    json: bool


Command = Callable[..., int]


def driving(function: Command) -> Command:
    """Give a command of the group the options that all of them have; it is called with a `Target` first."""

    @wraps(function)
    def run(http: str | None, token: Path | None, trust: Path | None, *, as_json: bool, **rest: object) -> int:
        if http is None:
            raise click.UsageError("--http says where the emulator is, so that it cannot be none")
        return function(Target(http, read_token(token), trust, as_json), **rest)

    options = (
        click.option("--json", "as_json", is_flag=True, help="Print what the server says, as JSON."),
        click.option(
            "--trust",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            metavar="FILE",
            help="The certificate of an emulator that serves HTTPS, which says where it keeps it, or of its authority.",
        ),
        click.option(
            "--token",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            metavar="FILE",
            help="The token of an emulator on another machine, started with --sim-token.",
        ),
        click.option(
            "--http",
            type=Endpoint(),
            metavar="HOST:PORT",
            default=DEFAULT_HTTP,
            show_default=True,
            help="Where the emulator serves HTTP.",
        ),
    )
    for option in options:
        run = option(run)
    return run


@click.group(short_help=COMMANDS["sim"].sentence)
def command() -> None:
    """Drive the simulated charge point of a running `nfcbridge serve`, and watch it.

    Each command prints what followed from it at once: LEDs, buzzer, states.

    \b
    nfcbridge sim plug
    nfcbridge sim swipe abcdef12
    nfcbridge sim charge
    nfcbridge sim advance 30m
    nfcbridge sim events
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are


@command.command()
@click.option("--socket", type=click.Choice(["type2", "schuko"]), default="type2", show_default=True)
@driving
def plug(target: Target, socket: str) -> int:
    """Plug a vehicle in."""
    return order(target, "plug", socket=socket)


@command.command()
@driving
def unplug(target: Target) -> int:
    """Unplug the vehicle."""
    return order(target, "unplug")


@command.command()
@click.argument("tag", metavar="ID")
@click.option("--type", "kind", type=click.Choice(["RFID", "EVCCID", "NFC"]), default="RFID", show_default=True)
@driving
def swipe(target: Target, tag: str, kind: str) -> int:
    """Hold a tag to the reader.

    Of the type EVCCID it is the vehicle that says so, over the charging cable.
    """
    return order(target, "swipe", id=tag, type=kind)


@command.command()
@click.option("--ventilation", is_flag=True, help="It needs ventilation: state d, where it is c otherwise.")
@driving
def charge(target: Target, *, ventilation: bool) -> int:
    """Let the vehicle ask for energy."""
    return order(target, "charge", ventilation=ventilation)


@command.command()
@driving
def stop(target: Target) -> int:
    """Let the vehicle ask for no more energy."""
    return order(target, "stop")


@command.command()
@click.argument("name")
@driving
def error(target: Target, name: str) -> int:
    """Let an error or a warning occur.

    NAME is such as rcd; one that does not exist is answered with all that do.
    """
    return order(target, "error", name=name)


@command.command()
@click.argument("name", required=False)
@driving
def clear(target: Target, name: str | None) -> int:
    """Remove the cause of an error or warning.

    Without NAME: of all whose cause can be removed.
    """
    return order(target, "clear", **({"name": name} if name else {}))


@command.command()
@click.argument("time")
@driving
def advance(target: Target, time: str) -> int:
    """Move every clock of the charger forward.

    TIME is such as 61s or 1h30m. Sessions end by it too.
    """
    return order(target, "advance", time=time)


@command.command("power-cycle")
@driving
def power_cycle(target: Target) -> int:
    """Let the mains fail and come back."""
    return order(target, "power-cycle")


@command.command()
@click.argument("what", metavar="FAULT")
@driving
def fault(target: Target, what: str) -> int:
    """Let something go wrong, once, for an app to cope with.

    \b
    next=500           the next request is answered with this status
    late=2s            the next answer comes so much later
    cut=BLOCKS         the phone loses the field after so many more blocks
    lose-field         the phone loses the field now
    expire-sessions    every session is over now
    """  # noqa: D301 - the same
    return order(target, "fault", fault=what)


@command.command()
@driving
def state(target: Target) -> int:
    """Show all of the charge point."""
    return show(target, "GET", "state", None)


@command.command()
@driving
def events(target: Target) -> int:
    """Show what changes, until Ctrl-C or the end of the server."""
    from nfcbridge.cli.sim_words import describe, describe_state, format_line

    with asked(target, "GET", "events", None) as response:
        if response.status >= BAD_REQUEST:
            return refuse(target, response)
        for data in stream_of(response):
            if target.json:
                click.echo(data)
                continue
            event = json.loads(data)
            lines = describe_state(event["state"]) if event["event"] == "now" else [describe(event)]
            for line in lines:
                click.echo(format_line(line))
    return ExitCode.DONE


def order(target: Target, do: str, **fields: object) -> int:
    """Let something happen, and print what followed."""
    return show(target, "POST", do, fields)


def show(target: Target, method: str, name: str, fields: dict[str, object] | None) -> int:
    """Ask, and print the answer."""
    from nfcbridge.cli.sim_words import describe, describe_state, format_line

    with asked(target, method, name, fields) as response:
        if response.status >= BAD_REQUEST:
            return refuse(target, response)
        octets = response.read(MAX_ANSWER)
    if target.json:
        click.echo(octets)
        return ExitCode.DONE
    answer = json.loads(octets)
    lines = list(map(describe, answer["events"])) if method == "POST" else list(describe_state(answer))
    for line in lines:
        click.echo(format_line(line))
    if not lines:
        click.echo("nothing changed")
    return ExitCode.DONE


def refuse(target: Target, response: "HTTPResponse") -> int:
    """Print why it cannot be, and return the exit code.

    Raises:
        ConfigError: the command is wrong.
        LinkError: it is no emulator of ours that answers.
    """
    try:
        cause = str(json.loads(response.read(MAX_ANSWER))["cause"])
    except (ValueError, KeyError, TypeError) as exc:
        raise LinkError(
            f"what answers at {target.http} is no simulated charger ({response.status}); "
            "give HOST:PORT of the address that `nfcbridge serve` prints, with --http"
        ) from exc
    if response.status == BAD_REQUEST:
        raise ConfigError(cause)
    print_error(cause)
    return ExitCode.REFUSED


@contextmanager
def asked(target: Target, method: str, name: str, fields: dict[str, object] | None) -> "Iterator[HTTPResponse]":
    """Ask the emulator.

    Raises:
        LinkError: nobody answers, or not in HTTP.
    """
    from http.client import HTTPException

    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    with closing(open_connection(target)) as connection:
        try:
            body = None if fields is None else json.dumps(fields).encode()
            connection.request(method, f"/_sim/{name}", body, headers)
            yield connection.getresponse()
        except ConnectionRefusedError as exc:
            raise LinkError(
                f"nobody listens at {target.http}; start the emulator: nfcbridge serve --http {target.http}"
            ) from exc
        except (OSError, HTTPException) as exc:
            hint = (
                "If it serves HTTPS, give --trust FILE" if target.trust is None else "If it serves HTTP, omit --trust"
            )
            raise LinkError(
                f"no answer from {target.http} ({exc}); is it `nfcbridge serve` that runs there? {hint}"
            ) from exc


def open_connection(target: Target) -> "HTTPConnection":
    """Return a connection that is not connected yet.

    Raises:
        ConfigError: the certificate to trust cannot be used.
    """
    from http.client import HTTPConnection, HTTPSConnection

    host, port = host_of_endpoint(target.http), int(target.http.rpartition(":")[2])
    if target.trust is None:
        return HTTPConnection(host, port, timeout=TIMEOUT)
    import ssl

    try:
        context = ssl.create_default_context(cafile=target.trust)
    except OSError as exc:
        raise ConfigError(f"{target.trust} has no certificate in it ({exc}); it is PEM") from exc
    return HTTPSConnection(host, port, timeout=TIMEOUT, context=context)


def stream_of(response: "HTTPResponse") -> Iterator[str]:
    """Return the data of server-sent events, one by one."""
    while line := response.readline(MAX_LINE):
        if line.startswith(b"data: "):
            yield line[len(b"data: ") :].decode().rstrip("\n")


def read_token(file: Path | None) -> str:
    """Return the token in a file, "" for none.

    Raises:
        ConfigError: it has no ASCII text in it.
    """
    try:
        return "" if file is None else file.read_text("ascii").strip()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file} has no token in it: that is printable ASCII") from exc
