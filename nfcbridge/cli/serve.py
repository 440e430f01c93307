"""`nfcbridge serve`: what can be set, and what is allowed. `nfcbridge.cli.serving` does the work.

Nothing heavy is imported before the options are known to make sense: a wrong one is told in under 0.1 s.
"""

from dataclasses import dataclass
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
    host_of_endpoint,
    is_loopback,
)

DEFAULT_HTTP: Final = "127.0.0.1:8080"

DURABILITIES: Final = ("full", "normal")
"""As `nfcbridge.charger.Durability`, which takes longer to import than the options may."""

DEFAULT_DURABILITY: Final = "full"

MAX_HOLD: Final = 8.0
"""Seconds: when a request is given up with 504 there is nothing left to hold for."""

MAX_SPEED: Final = 3600.0
"""An hour of the charge point in a second; `nfcbridge.charger.point.clock` says why."""

MAX_ANSWER_TTL: Final = 3600.0
"""Seconds. A write is refused for that long after an answer nobody read: an hour is already past all patience."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The options of `serve`, each checked on its own and against the others.

    Attributes:
        links: names of links, at least one.
        http: HOST:PORT, or None for no HTTP.
        https: HTTP is encrypted.
        cert: the file of a certificate for that; None: one of our own.
        key: the file of its key.
        cors: origins of web pages that may use the charger's interface in a browser.
        data: where the charger's data live; None: the user's data directory.
        memory: keep nothing on disk.
        durability: what a change waits for before it is answered, `full` or `normal`.
        catalogue: the file of the parameter catalogue; None: the one that comes along.
        app_layout: the file of the app layout; None: the one that comes along.
        passwords: roles and the files of their passwords.
        dev: memory, and the password `operator` for the operator.
        speed: seconds of the charge point in a real one; 0: its time stands still but for `nfcbridge sim advance`.
        scenario: the file that says what happens to the charge point, or None.
        rfid_only: new data begin with the product's default, a reader that serves no phone.
        sim_token: the file with the token by which other machines may drive the simulation, or None.
        app: MODULE:APP of a foreign ASGI application, or None for the charge controller.
        replay: the trace of a card that is served in the place of ours, or None.
        trace: the file to record to, or None.
        lint: what crosses the links is held against the rules of `trace lint`.
        uid: 4, 7 or 10 octets; None: the link's default.
        ats: the whole ATS with TL; None: our own.
        mle: most octets of one READ.
        mlc: most octets of one UPDATE.
        file_size: NLEN and message, in octets.
        idle: the NDEF message in the file while there is no answer.
        not_ready_empty: NLEN 0, and not the empty message, while a request is processed and no longer held.
        hold: seconds that an answer to a command is held for the application's answer.
        answer_ttl: seconds that an answer stays in the file.
        replace: a write replaces an answer that nobody read, where it is refused otherwise.
        language: of the Text records that we write.
        quiet: no line an event.
        json: a JSON object an event.
    """

    links: tuple[str, ...]
    http: str | None
    https: bool
    cert: Path | None
    key: Path | None
    cors: tuple[str, ...]
    data: Path | None
    memory: bool
    durability: str
    catalogue: Path | None
    app_layout: Path | None
    passwords: tuple[tuple[str, Path], ...]
    dev: bool
    speed: float
    scenario: Path | None
    rfid_only: bool
    sim_token: Path | None
    app: str | None
    replay: Path | None
    trace: Path | None
    lint: bool
    uid: bytes | None
    ats: bytes | None
    mle: int
    mlc: int
    file_size: int
    idle: bytes
    not_ready_empty: bool
    hold: float
    answer_ttl: float
    replace: bool
    language: str
    quiet: bool
    json: bool

    def check(self) -> None:
        """Refuse options that contradict one another.

        Raises:
            click.UsageError: with what to leave out.
        """
        if self.data is not None and (self.memory or self.dev):
            raise click.UsageError(
                f"--data and {'--dev' if self.dev else '--memory'} exclude one another: leave one out"
            )
        if self.durability != DEFAULT_DURABILITY and (self.memory or self.dev):
            raise click.UsageError(
                f"--durability is about the disk, and {'--dev' if self.dev else '--memory'} keeps nothing there: "
                "leave one out"
            )
        if self.app is not None and (self.durability != DEFAULT_DURABILITY or self.catalogue or self.app_layout):
            raise click.UsageError(
                "--durability, --catalogue and --app-layout belong to the charge controller: leave them out with --app"
            )
        if self.app is not None and (self.data is not None or self.passwords or self.cors):
            raise click.UsageError(
                "--data, --password and --cors belong to the charge controller: leave them out with --app"
            )
        if self.app is not None and (self.speed != 1 or self.scenario or self.rfid_only or self.sim_token):
            raise click.UsageError(
                "--speed, --scenario, --rfid-only and --sim-token belong to the charge controller: "
                "leave them out with --app"
            )
        if self.replay is not None:
            self._check_replay()
        self._check_http()
        if self.dev and self.app is None and self.replay is None:
            self._check_dev()
        if len(set(self.links)) != len(self.links):
            raise click.UsageError("the same --link is given twice: leave one out")

    def _check_replay(self) -> None:
        """A recorded card is as it was, and has no data."""
        others: dict[str, object] = {
            "--app": self.app,
            "--data": self.data,
            "--catalogue": self.catalogue,
            "--app-layout": self.app_layout,
            "--password": self.passwords,
            "--scenario": self.scenario,
            "--rfid-only": self.rfid_only,
            "--sim-token": self.sim_token,
            "--cors": self.cors,
            "--speed": self.speed != 1,
            "--durability": self.durability != DEFAULT_DURABILITY,
            "--uid": self.uid,
            "--ats": self.ats,
        }
        given = [name for name, value in others.items() if value]
        if given:
            raise click.UsageError(f"--replay serves a card as it was recorded: leave out {', '.join(given)}")

    def _check_http(self) -> None:
        if self.http is None and (self.cors or self.https or self.sim_token):
            raise click.UsageError(
                "--https, --cert, --cors and --sim-token are about HTTP, and --http is none: leave it out"
            )
        if (self.cert is None) != (self.key is None):
            raise click.UsageError("--cert and --key belong together: a certificate and its key")

    def _check_dev(self) -> None:
        if self.http is not None and not is_loopback(host_of_endpoint(self.http)):
            raise click.UsageError(
                f"--dev has a password that everybody knows, so --http {self.http} must be a loopback address, "
                "such as 127.0.0.1:8080, or none"
            )
        for link in self.links:
            if exists(link) and not stays_on_this_machine(link):
                raise click.UsageError(
                    f"--dev has a password that everybody knows, so --link {link} must be in memory or on a loopback "
                    f"address, such as {DEFAULT_LINK}"
                )


def exists(link: str) -> bool:
    """Return whether there are links of this kind; of others it is told when they are opened."""
    from nfcbridge.links import LINKS

    return link.partition(":")[0] in LINKS


def stays_on_this_machine(link: str) -> bool:
    """Return whether a link's name says that no other machine can reach it; a reader device reaches centimetres."""
    kind, _, rest = link.removeprefix("faulty:").partition(":")
    address = rest.partition("?")[0]
    if kind == "memory" or (kind == "nfc" and not address.startswith("udp")):
        return True
    if kind == "casimir" and address.startswith("/"):  # a Unix socket
        return True
    host = host_of_endpoint(address) if ":" in address else address
    # Without a host these take their default, which is on loopback.
    return kind in {"udp", "vpcd", "casimir"} and (not host or is_loopback(host))


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
    help="Record every frame from RATS on, as JSON lines; of a second link to FILE-2, before the ending.",
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
