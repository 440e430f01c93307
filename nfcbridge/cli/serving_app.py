"""What `serve` serves: the charge controller, an application of somebody else, or a recorded card."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nfcbridge.cli.data import default_data
from nfcbridge.cli.foreign_app import import_app
from nfcbridge.cli.idle import check_idle
from nfcbridge.cli.passwords import read_password_file
from nfcbridge.cli.serve_settings import DEV_PASSWORD, OPERATOR, ServeSettings
from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, RemoteProtocolError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats
from nfcbridge.server.settings import CardSettings, HttpSettings
from nfcbridge.trace import TraceOrigin
from nfcbridge.type4 import EMPTY_MESSAGE, CardConfig

if TYPE_CHECKING:
    from nfcbridge.cli.charger import OpenCharger


class Served(NamedTuple):
    """What is served.

    Attributes:
        app: the application.
        card: what the tags look like.
        exchange: times and policies of the one outstanding request.
        http: how it is served over HTTP, if it is.
        trust: the file of the certificate of our own that HTTPS is served with, if there is one.
        base_path: what its paths begin with; a message over NFC leaves it out.
        charger: the charge controller, if it is one.
        origin: what a recording says of it, if it says anything.
        drop_error_content: NFC answers of status 400 and more go without content.
        problem: what people have to know of it, or "".
    """

    app: App
    card: CardSettings
    exchange: ExchangeConfig
    http: HttpSettings | None
    trust: Path | None
    base_path: str = ""
    charger: "OpenCharger | None" = None
    origin: TraceOrigin | None = None
    drop_error_content: bool = True
    problem: str = ""


@contextmanager
def open_app(settings: ServeSettings) -> Iterator[Served]:
    """Open the charge controller, or what `--app` names.

    Raises:
        ConfigError: there is no such application, or the data directory cannot be used.
    """
    card, exchange = card_settings(settings), exchange_config(settings)
    if settings.app is not None:
        app = import_app(settings.app)
        origin = TraceOrigin({"kind": "asgi", "app": settings.app})
        yield Served(app, card, exchange, *http_settings(settings, app, None), origin=origin)
        return
    from nfcbridge.cli.charger import DeviceSettings, SimSettings, open_charger

    passwords = {role: read_password_file(file) for role, file in settings.passwords}
    if settings.dev:
        passwords = {OPERATOR: DEV_PASSWORD} | passwords
    in_memory = settings.memory or settings.dev
    data = None if in_memory else settings.data or default_data()
    sim = SimSettings(settings.speed, settings.scenario, settings.rfid_only, settings.sim_token)
    device = DeviceSettings(settings.durability, settings.catalogue, settings.app_layout)
    recorded = settings.trace is not None
    dev = passwords.get(OPERATOR) == DEV_PASSWORD
    with open_charger(
        data, passwords, cors=settings.cors, sim=sim, device=device, recorded=recorded, dev=dev
    ) as charger:
        http, trust = http_settings(settings, charger.web, charger.data)
        yield Served(charger.app, card, exchange, http, trust, charger.base_path, charger, charger.origin)


def open_capture(settings: ServeSettings, replay: Path, warn_of: Callable[[str], None]) -> Served:
    """Open a recorded card.

    Args:
        settings: those of the server.
        replay: the recording.
        warn_of: told what a phone does otherwise than the recorded one, in any thread.

    Raises:
        ConfigError, TraceError: the recording cannot be served.
    """
    from nfcbridge.replay.captured_card import CapturedApp, load_capture

    capture = load_capture(replay, warn_of)
    identity = capture.identity()
    app = CapturedApp(capture.charger)
    http, trust = http_settings(settings, app, None)
    language = capture.announced.language
    return Served(
        app,
        CardSettings(identity.uid, capture.ats(), capture.limits(), language, capture.make_card),
        capture.exchange(),
        http,
        trust,
        origin=TraceOrigin({"kind": "recording", "file": str(replay)}),
        drop_error_content=False,
        problem=capture.problem,
    )


def http_settings(settings: ServeSettings, app: App, data: Path | None) -> tuple[HttpSettings | None, Path | None]:
    """Return how HTTP is served, if it is, and the file of the certificate of our own, if there is one.

    Args:
        settings: those of the server.
        app: what HTTP serves.
        data: where data live; None: in memory.

    Raises:
        ConfigError: a certificate cannot be used or kept.
    """
    if settings.http is None:
        return None, None
    if not settings.https:
        return HttpSettings(settings.http, app), None
    from nfcbridge.cli.https import https_context  # cryptography is heavy

    context, trust = https_context(settings, data)
    return HttpSettings(settings.http, app, context), trust


def card_settings(settings: ServeSettings) -> CardSettings:
    """Return what the tag looks like.

    Raises:
        ConfigError: with the option, and what is allowed.
    """
    try:
        ats = DEFAULT_ATS if settings.ats is None else Ats.parse(settings.ats)
    except RemoteProtocolError as exc:
        raise ConfigError(f"--ats {settings.ats.hex() if settings.ats else ''}: {exc}") from exc
    return CardSettings(
        uid=settings.uid or b"",
        ats=ats,
        limits=CardConfig(mle=settings.mle, mlc=settings.mlc, file_size=settings.file_size),
        language=settings.language,
    )


def exchange_config(settings: ServeSettings) -> ExchangeConfig:
    """Return times and policies of the one outstanding request.

    Raises:
        ConfigError: the idle message is none, or does not fit the file.
    """
    check_idle(settings.idle, settings.file_size - 2)
    return ExchangeConfig(
        hold=settings.hold,
        answer_ttl=settings.answer_ttl,
        idle=settings.idle,
        not_ready=b"" if settings.not_ready_empty else EMPTY_MESSAGE,
        replace=settings.replace,
    )
