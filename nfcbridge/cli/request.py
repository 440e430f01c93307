"""`nfcbridge request`: one request over NFC, as a phone would send it, with login before and logout after it.

stdout has the content of the answer and nothing else, so that it can go into a pipe.
"""

import sys
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.door import link_option, password_option, trace_option, user_option
from nfcbridge.cli.errors import ExitCode, print_error, print_warning
from nfcbridge.cli.passwords import password_of

if TYPE_CHECKING:
    import httpx2

    from nfcbridge.client.session import Session

FIRST_ERROR: Final = 400

FRAME_SIZE: Final = 256
"""FSC and FSD for the computed air time: what phones have."""

WRITE_ORDERS: Final = {"auto": None, "one": "ONE", "nlen-first": "NLEN_FIRST", "first-chunk": "FIRST_CHUNK"}
"""How a request may be written, and the name of each in `type4.WriteOrder`; auto: what suits the tag."""

REMEDIES: Final = {
    400: "check path and JSON",
    401: "check user and password",
    403: "log in with --user as a role that may",
    404: "check the path",
    405: "this path takes another METHOD",
    413: "ask for less",
    414: "ask for less in the query",
    429: "wait a minute before the next login",
}
"""What to do about a status code; with 500 and above the server knows more."""

LOGIN_REMEDIES: Final = REMEDIES | {404: "it knows no login: send the request alone, with --no-login"}
"""The same for the login, whose path nobody has typed."""


@click.command(short_help=COMMANDS["request"].sentence)
@click.argument("method")
@click.argument("path")
@click.argument("json", required=False)
@link_option
@user_option
@password_option
@click.option("--no-login", is_flag=True, help="Send the request alone, to an application that knows no login.")
@click.option(
    "--write-order",
    type=click.Choice(list(WRITE_ORDERS)),
    default="auto",
    show_default=True,
    help="In which order length and message are written: `one` UPDATE for both, the length (NLEN) first and last, or "
    "its place with the first chunk.",
)
@trace_option
@click.option("-v", "--verbose", is_flag=True, help="Tell on stderr what crossed, and its computed air time.")
def command(
    *,
    method: str,
    path: str,
    json: str | None,
    link: str,
    user: str,
    password_file: Path | None,
    no_login: bool,
    write_order: str,
    trace: Path | None,
    verbose: bool,
) -> int:
    """Log in over NFC, send METHOD PATH with the JSON document, print the content of the answer, log out.

    JSON may be - to read it from stdin. All of it happens in one activation of the tag. The exit code is 0, 1 when the
    answer's status is 400 or more, 2 for a mistake in the command, 3 when there is no tag or the link failed.

    \b
    nfcbridge request GET /system_state
    nfcbridge request POST /key_value_store '{"my key": "my value"}' --user installer
    nfcbridge request PUT /settings '{"params": [{"key": "Enabled_wlan", "value": true}]}'
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    method = check_method(method)
    check_path(path)
    content = check_json(read_stdin() if json == "-" else json)

    import httpx2

    from nfcbridge.client.errors import NfcRefusedError
    from nfcbridge.client.session import Session
    from nfcbridge.client.transport import NfcTransport
    from nfcbridge.links import open_reader
    from nfcbridge.type4 import WriteOrder

    sizes: list[tuple[int, int]] = []
    order = WRITE_ORDERS[write_order]
    # Before the password is asked for: who has named a link that does not exist need not type it in vain.
    with closing(open_reader(link)) as end:
        password = "" if no_login else password_of(user, password_file)
        transport = NfcTransport(
            end,
            write_order=None if order is None else WriteOrder[order],
            trace=trace,
            watch=lambda command, response: sizes.append((len(command), len(response))),
        )
        session = Session(transport, user, password)
        try:
            if not no_login and is_refused(session.login(), f"login as {user}", LOGIN_REMEDIES):
                return ExitCode.REFUSED
            response = session.request(method, path, content)
            refused = is_refused(response, f"{method} {path}")
            print_content(response)
            if verbose:
                print_exchange(method, path, response.status_code)
            if not (method == "POST" and path == "/logout"):
                log_out(session)
        except (NfcRefusedError, httpx2.InvalidURL) as exc:
            raise click.UsageError(str(exc)) from exc
        finally:
            session.close()
            if verbose:
                print_summary(sizes)
    return ExitCode.REFUSED if refused else ExitCode.DONE


def check_method(method: str) -> str:
    """Return the method in capital letters, as it crosses NFC.

    Raises:
        click.UsageError: it has something else than letters.
    """
    if not (method.isascii() and method.isalpha()):
        raise click.UsageError(f"METHOD {method!r} is not one such as GET, POST, PUT or DELETE")
    return method.upper()


def check_path(path: str) -> None:
    """Refuse a path that would lose a part on its way: a host, the segments . and .., or what follows #.

    Raises:
        click.UsageError: with what is allowed.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise click.UsageError(f"PATH {path!r} does not begin with one /, such as /system_state")
    if not path.isprintable():
        raise click.UsageError(f"PATH {path!r} has characters that no URL has: write them as %XX")
    if "#" in path:
        raise click.UsageError(f"PATH {path!r} has a #, and what follows it is never sent: write %23 if it is meant")
    if not {".", ".."}.isdisjoint(path.partition("?")[0].split("/")):
        raise click.UsageError(f"PATH {path!r} has a segment . or .., which is never sent: write the path without it")


def read_stdin() -> str:
    """Return what is on stdin.

    Raises:
        click.UsageError: it is not UTF-8.
    """
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as exc:
        raise click.UsageError("JSON on stdin is not UTF-8") from exc


def check_json(text: str | None) -> bytes | None:
    """Return the content, if there is any.

    Raises:
        click.UsageError: it is not JSON.
    """
    import msgspec

    if text is None:
        return None
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
        return msgspec.json.format(text.encode(), indent=-1)
    except (ValueError, RecursionError) as exc:
        raise click.UsageError(f"the JSON document: {exc}; quote it for the shell, such as '{{\"key\": 1}}'") from exc


def is_refused(response: "httpx2.Response", what: str, remedies: Mapping[int, str] = REMEDIES) -> bool:
    """Return whether the status is 400 or more, and say on stderr what to do then."""
    status = response.status_code
    if status < FIRST_ERROR:
        return False
    remedy = remedies.get(status, "the terminal of the server may say more")
    print_error(f"{what}: {status} {phrase_of(status)}; {remedy}")
    return True


def phrase_of(status: int) -> str:
    """Return what HTTP calls a status code, "" if it does not know it."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def print_content(response: "httpx2.Response") -> None:
    """Print the content as it came, and a newline; nothing when there is none."""
    if response.content:
        click.echo(response.content)


def print_exchange(method: str, path: str, status: int) -> None:
    """Print on stderr the first lines of a request and its answer, as HTTP tools do."""
    click.echo(f"> {method} {path}\n< {status} {phrase_of(status)}".rstrip(), err=True)


def log_out(session: "Session") -> None:
    """Log out; the answer is there already, so that a failure is worth a warning and no more."""
    from nfcbridge.errors import NfcBridgeError

    try:
        session.logout()
    except NfcBridgeError as exc:
        print_warning(f"not logged out: {exc}; the session ends by itself after 60 s")


def print_summary(sizes: list[tuple[int, int]]) -> None:
    """Print on stderr what crossed the air.

    Args:
        sizes: octets of each command and of its response.
    """
    from nfcbridge import airtime

    seconds = sum(airtime.command_time(command, response, FRAME_SIZE) for command, response in sizes)
    octets = sum(map(sum, sizes))
    click.echo(
        f"{len(sizes)} APDUs, {octets} octets, {seconds * 1000:.1f} ms of air time (computed, without activation)",
        err=True,
    )
