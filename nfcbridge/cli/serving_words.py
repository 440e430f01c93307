"""What `serve` says when it begins: where it is, how to try it, and which settings may surprise."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from nfcbridge.cli.console import Console
from nfcbridge.cli.errors import print_notice, print_warning
from nfcbridge.cli.parameters import DEFAULT_LINK, host_of_endpoint, is_loopback
from nfcbridge.cli.passwords import PASSWORD_VARIABLE
from nfcbridge.cli.serve_settings import DEV_PASSWORD, OPERATOR, ServeSettings
from nfcbridge.server.emulator import Emulator

if TYPE_CHECKING:
    from nfcbridge.cli.charger import OpenCharger

ISO_DEP_PATIENCE: Final = 0.618
"""Seconds that Android's IsoDep waits for an answer by default, air time included."""

MAX_SHORT_READ: Final = 256
"""The largest MLe that readers use with short APDUs."""


def show_password(charger: "OpenCharger | None") -> None:
    """Keep and show the operator's password that was made up, if one was: a start that fails does neither.

    Raises:
        ConfigError: it cannot be kept.
    """
    if charger is not None and charger.made is not None:
        charger.keep_made()
        kept = "for as long as this runs" if charger.data is None else "from now on, and is not shown again"
        print_notice(f"the operator's password is {charger.made} {kept}")


def announce(
    settings: ServeSettings, console: Console, emulator: Emulator, trust: Path | None, *, tag_present: bool
) -> None:
    """Print the line for programs that wait for it, then the command for people who want to try it."""
    if not tag_present:
        print_warning("the reader is set to RFID only: phones find no tag until RfidMode_rfid is set over HTTP")
    console.print_line(f"ready nfc={','.join(emulator.link_names)} http={emulator.http_url or 'none'}")
    links = emulator.link_names if tag_present else ()
    command = command_to_try(settings, links, emulator.http_url, trust)
    if settings.quiet or not command:
        return
    if settings.json:
        console.print_line(msgspec.json.encode({"event": "try", "command": command}).decode())
    else:
        console.print_line(f"try it from a second terminal: {command}")


def command_to_try(
    settings: ServeSettings, links: Sequence[str], http_url: str | None, trust: Path | None = None
) -> str:
    """Return the command that shows in a second terminal that the server works.

    Args:
        settings: those of the server.
        links: the names that open the other ends.
        http_url: where HTTP is served, if it is.
        trust: the file of the certificate of our own that HTTPS is served with, if there is one.

    Returns:
        The command, for a shell; "" when no other process can reach the server.
    """
    readable = [name.removeprefix("faulty:").partition("?")[0] for name in links]
    readable = [name for name in readable if name.startswith("udp:")]
    if not readable:
        return "" if http_url is None else shlex.join(curl_to_try(settings, http_url, trust))
    words = ["nfcbridge", "request"]
    if settings.app:
        words += ["--no-login", "GET", "/"]
    elif settings.replay:
        words += ["--no-login", "GET", "/login"]  # with this a recording of a charger begins; nobody needs a password
    else:
        words += ["GET", "/system_state"]
    if readable[0] != DEFAULT_LINK:
        words += ["--link", readable[0]]
    files = [file for role, file in settings.passwords if role == OPERATOR]
    if files:
        words += ["--password-file", str(files[-1].resolve())]
    known = settings.dev and not settings.app and not settings.replay and not files
    return (f"{PASSWORD_VARIABLE}={DEV_PASSWORD} " if known else "") + shlex.join(words)


def curl_to_try(settings: ServeSettings, http_url: str, trust: Path | None) -> list[str]:
    """Return the words of the command that shows that HTTP works."""
    words = ["curl"]
    if trust is not None:
        words += ["--cacert", str(trust)]
    elif settings.https and settings.cert is None:
        words += ["--insecure"]  # the certificate is in memory, where no other process can read it
    if settings.app:
        return [*words, http_url]
    return [*words, f"{http_url}/login" if settings.replay else f"{http_url}/v1/login"]


def warn(settings: ServeSettings) -> None:
    """Warn of settings that work and may surprise."""
    if settings.dev and settings.app is None and settings.replay is None:
        print_warning(f"--dev: the operator's password is {DEV_PASSWORD!r}, and nothing is kept on disk")
    if settings.http is not None and not settings.https and not is_loopback(host_of_endpoint(settings.http)):
        print_warning(
            f"HTTP on {settings.http} is not encrypted: who sees the traffic can take a session over; "
            "--https encrypts it, and so does a TLS proxy in front of a loopback address"
        )
    if settings.hold >= ISO_DEP_PATIENCE:
        print_warning(
            f"--hold {settings.hold:g}s: Android's IsoDep gives up after {ISO_DEP_PATIENCE * 1000:.0f} ms; "
            "400ms leaves room for the air time"
        )
    if settings.mle > MAX_SHORT_READ:
        print_warning(
            f"--mle {settings.mle}: nfcpy cannot read such a tag, and Android reads it with extended APDUs; "
            f"up to {MAX_SHORT_READ} suits every reader"
        )
