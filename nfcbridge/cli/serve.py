"""`nfcbridge serve`: what can be set. `serve_settings` says what is allowed, and `serving` does the work.

Nothing heavy is imported before the options are known to make sense: a wrong one is told in under 0.1 s.
"""

from pathlib import Path
from typing import Any, Final

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.parameters import (
    DEFAULT_LINK,
    AppName,
    Duration,
    Endpoint,
    Language,
    Number,
    Octets,
    Origin,
    RoleFile,
)
from nfcbridge.cli.serve_settings import DEFAULT_DURABILITY, DURABILITIES, ServeSettings

DEFAULT_HTTP: Final = "127.0.0.1:8080"

MAX_HOLD: Final = 8.0
"""Seconds: when a request is given up with 504 there is nothing left to hold for."""

MAX_SPEED: Final = 3600.0
"""An hour of the charge point in a second; `nfcbridge.charger.point.clock` says why."""

MAX_ANSWER_TTL: Final = 3600.0
"""Seconds. A write is refused for that long after an answer nobody read: an hour is already past all patience."""


@click.command(short_help=COMMANDS["serve"].sentence)
@click.option(
    "--link",
    "links",
    multiple=True,
    metavar="LINK",
    default=[DEFAULT_LINK],
    help=f"A link to sit on; may be repeated. `nfcbridge links` lists them.  [default: {DEFAULT_LINK}]",
)
@click.option(
    "--http",
    type=Endpoint(),
    metavar="HOST:PORT",
    default=DEFAULT_HTTP,
    show_default=True,
    help="Where HTTP is served; port 0 takes a free one, `none` serves no HTTP.",
)
@click.option(
    "--https",
    is_flag=True,
    help="Encrypt HTTP, with a certificate that is made for it and kept beside the data.",
)
@click.option(
    "--cert",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Encrypt HTTP with this certificate (PEM, with its chain).",
)
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The key of the certificate (PEM)."
)
@click.option(
    "--cors",
    type=Origin(),
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this origin use the interface in a browser; may be repeated.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where data and passwords are kept.  [default: the user's data directory]",
)
@click.option("--memory", is_flag=True, help="Keep nothing on disk.")
@click.option(
    "--durability",
    type=click.Choice(DURABILITIES),
    default=DEFAULT_DURABILITY,
    show_default=True,
    help="What a change waits for before it is answered: full: the disk; normal: the operating system, so that the "
    "last changes may be lost when the power fails, though not when the process is killed.",
)
@click.option(
    "--catalogue",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="The parameters that there are, as TOML in the form of nfcbridge/charger/catalogue.toml.",
)
@click.option(
    "--app-layout",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Which of them an app shows and where, as TOML in the form of nfcbridge/charger/app_layout.toml.",
)
@click.option(
    "--password",
    "passwords",
    type=RoleFile(),
    multiple=True,
    metavar="ROLE=FILE",
    help="Set a role's password from a file (manufacturer, installer, operator, user); may be repeated.",
)
@click.option(
    "--dev", is_flag=True, help="For trying: --memory and the operator's password `operator`. On loopback only."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, MAX_SPEED),
    default=1.0,
    show_default=True,
    help="How many seconds of the charge point pass in a second; 0: none but those of `nfcbridge sim advance`, "
    "for sessions too.",
)
@click.option(
    "--scenario",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="What happens to the charge point by itself, as TOML.",
)
@click.option(
    "--rfid-only",
    is_flag=True,
    help="New data begin as the product does: its reader serves no phone until RFID Mode is set.",
)
@click.option(
    "--sim-token",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Let other machines drive the simulation by the token in this file; without it only this one may.",
)
@click.option(
    "--app",
    type=AppName(),
    metavar="MODULE:APP",
    help="Serve this ASGI application and not the charge controller.",
)
@click.option(
    "--replay",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Serve the card of this recording, with its UID, ATS, limits and answers, and not the charge controller.",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, readable=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Record every frame from RATS on, as JSON lines, over what is in FILE; of a second link to FILE-2.",
)
@click.option(
    "--lint/--no-lint",
    default=True,
    show_default=True,
    help="Warn of what breaks the rules of `nfcbridge trace lint` while it happens.",
)
@click.option("--uid", type=Octets(4, 7, 10), metavar="HEX", help="The card's UID: 4, 7 or 10 octets.")
@click.option("--ats", type=Octets(), metavar="HEX", help="The whole answer to select, with its length octet.")
@click.option("--mle", type=Number(15, 0xFFFF), default=251, show_default=True, help="Most octets of one READ.")
@click.option("--mlc", type=Number(1, 0xFFFF), default=248, show_default=True, help="Most octets of one UPDATE.")
@click.option(
    "--file-size", type=Number(5, 0xFFFF), default=0x7FFF, show_default=True, help="Octets of the NDEF file with NLEN."
)
@click.option(
    "--idle",
    type=Octets(),
    metavar="HEX",
    default="D00000",
    show_default=True,
    help="The NDEF message in the file while there is no answer.",
)
@click.option(
    "--not-ready",
    type=click.Choice(["message", "empty"]),
    default="message",
    show_default=True,
    help="What a phone that polls reads until the answer is there: an empty message, or NLEN 0.",
)
@click.option(
    "--hold",
    type=Duration(0, MAX_HOLD),
    default="400ms",
    show_default=True,
    help="How long a command waits for the application's answer, by waiting time extensions; 0s: not at all.",
)
@click.option(
    "--answer-ttl",
    type=Duration(0.1, MAX_ANSWER_TTL),
    default="10s",
    show_default=True,
    help="How long an answer that nobody reads stays in the file. `nfcbridge request` counts on 8s when it has lost "
    "the tag: below it may take a request for lost that was executed, and send it again.",
)
@click.option(
    "--pipelining",
    type=click.Choice(["refuse", "replace"]),
    default="refuse",
    show_default=True,
    help="What becomes of a write while an answer waits that nobody read.",
)
@click.option(
    "--language",
    type=Language(),
    metavar="CODE",
    default="en",
    show_default=True,
    help="Language of the Text records, such as en or de-CH.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only the ready line, refusals and warnings.")
@click.option("--json", is_flag=True, help="Events as JSON, one object a line, after the ready line.")
def command(pipelining: str, not_ready: str, **options: Any) -> int:  # noqa: ANN401 - what the options above make
    """Run the emulated charge controller over NFC and HTTP until Ctrl-C.

    The first line on stdout is `ready nfc=LINK http=URL`; then comes one line an event. The first start makes a
    password for the operator and shows it once, on stderr.
    """
    https = options.pop("https") or options["cert"] is not None
    settings = ServeSettings(
        https=https, replace=pipelining == "replace", not_ready_empty=not_ready == "empty", **options
    )
    settings.check()
    from nfcbridge.cli.serving import run

    return run(settings)
