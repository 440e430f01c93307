"""The options of `serve`, and which of them exclude one another.

Nothing heavy is imported here: a wrong option is told in under 0.1 s.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from nfcbridge.cli.parameters import DEFAULT_LINK, host_of_endpoint, is_loopback

OPERATOR: Final = "operator"
DEV_PASSWORD: Final = "operator"  # noqa: S105 - it is no secret, which is why --dev stays on loopback

DURABILITIES: Final = ("full", "normal")
"""As `nfcbridge.charger.Durability`, which takes longer to import than the options may."""

DEFAULT_DURABILITY: Final = "full"

OF_A_CARD: Final[dict[str, tuple[str, object]]] = {
    "--mle": ("mle", 251),
    "--mlc": ("mlc", 248),
    "--file-size": ("file_size", 0x7FFF),
    "--idle": ("idle", b"\xd0\x00\x00"),
    "--not-ready": ("not_ready_empty", False),
    "--hold": ("hold", 0.4),
    "--answer-ttl": ("answer_ttl", 10.0),
    "--pipelining": ("replace", False),
    "--language": ("language", "en"),
}
"""Options of which a recorded card brings its own values: their fields below, and what these are if nothing is said."""


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
        given += [name for name, (field, default) in OF_A_CARD.items() if getattr(self, field) != default]
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
