"""`nfcbridge serve` at work: the application, the emulator, the signals that end it, and what is printed."""

import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import msgspec

from nfcbridge.cli.console import Console, EventQueue
from nfcbridge.cli.data import default_data
from nfcbridge.cli.errors import ExitCode, print_notice, print_warning
from nfcbridge.cli.idle import check_idle
from nfcbridge.cli.parameters import DEFAULT_LINK, host_of_endpoint, is_loopback
from nfcbridge.cli.passwords import PASSWORD_VARIABLE, read_password_file
from nfcbridge.cli.serve import ServeSettings
from nfcbridge.cli.serving_lint import live_lint, warn_of_lost_frames
from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, RemoteProtocolError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats
from nfcbridge.server.emulator import CardSettings, Emulator, HttpSettings
from nfcbridge.server.events import AnswerSent, AnswerUnread, EmulatorEvent, Warned
from nfcbridge.trace import TraceOrigin
from nfcbridge.type4 import EMPTY_MESSAGE, CardConfig

if TYPE_CHECKING:
    from nfcbridge.cli.charger import OpenCharger

OPERATOR: Final = "operator"
DEV_PASSWORD: Final = "operator"  # noqa: S105 - it is no secret, which is why --dev stays on loopback

ISO_DEP_PATIENCE: Final = 0.618
"""Seconds that Android's IsoDep waits for an answer by default, air time included."""

OTHERWISE: Final = "answered as the rules of our card have it"
"""What became of something that a phone does otherwise than in the recording."""

MAX_SHORT_READ: Final = 256
"""The largest MLe that readers use with short APDUs."""


class StopSignals:
    """Turns SIGINT and SIGTERM into the end of the server.

    While it starts they interrupt it, whatever it waits for; once it serves they end the queue of events.

    Args:
        events: the queue that the main thread waits for.
    """

    def __init__(self, events: EventQueue) -> None:
        self.serving = False
        self._events = events
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        # SIGINT too: a shell starts what it puts into the background with SIGINT ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.serving:
            raise KeyboardInterrupt
        self._events.stop()


def run(settings: ServeSettings) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError: a setting cannot work.
        LinkError: a port is taken, or a device is not there.
    """
    events = EventQueue()
    console = Console(quiet=settings.quiet, json=settings.json, show_link=len(settings.links) > 1)
    card, exchange = card_settings(settings), exchange_config(settings)
    if settings.replay is not None:
        return run_capture(settings, events, console)
    with StopSignals(events) as signals:
        try:
            with (
                open_app(settings) as served,
                live_lint(settings, card, served.origin, tell := watcher(events, served.charger)) as lint,
                Emulator(
                    served.app,
                    settings.links,
                    card=card,
                    exchange=exchange,
                    base_path=served.base_path,
                    http=served.http,
                    trace=settings.trace,
                    origin=served.origin,
                    listen=lint.listen if settings.lint else None,
                    on_event=tell,
                    oversight=served.charger and served.charger.bench.tag,
                ) as emulator,
            ):
                if served.charger is not None:
                    served.charger.bench.serves(emulator.link_names)
                signals.serving = True
                warn(settings)
                show_password(served.charger)
                announce(settings, console, emulator, served.trust)
                if settings.lint:
                    lint.start()  # the start is over, and nobody waits for its imports
                while (event := events.get()) is not None:
                    console.print_event(event)
        except KeyboardInterrupt:
            return ExitCode.DONE
    console.close()
    if lost := events.lost + console.lost:
        print_warning(f"{lost} events were not shown: the output did not take them, or not in time")
    warn_of_lost_frames(lint)
    return ExitCode.DONE


def run_capture(settings: ServeSettings, events: EventQueue, console: Console) -> int:
    """Serve a recorded card until SIGINT or SIGTERM; what phones do otherwise than the recorded one are warnings.

    Raises:
        ConfigError, TraceError: the recording cannot be served.
        LinkError: a port is taken, or a device is not there.
    """
    from nfcbridge.replay.captured_card import CapturedApp, load_capture

    def warn_of(text: str) -> None:
        events.put(Warned(time.monotonic(), "", text, OTHERWISE))

    with StopSignals(events) as signals:
        try:
            capture = load_capture(settings.replay or "", warn_of)
            identity = capture.identity()
            app = CapturedApp(capture.charger)
            http, trust = http_settings(settings, app, None)
            language = capture.announced.language
            card = CardSettings(identity.uid, capture.ats(), capture.limits(), language, capture.make_card)
            origin = TraceOrigin({"kind": "recording", "file": str(settings.replay)})
            with (
                live_lint(settings, card, origin, events.put) as lint,
                Emulator(
                    app,
                    settings.links,
                    card=card,
                    exchange=capture.exchange(),
                    http=http,
                    trace=settings.trace,
                    origin=origin,
                    listen=lint.listen if settings.lint else None,
                    drop_error_content=False,
                    on_event=events.put,
                ) as emulator,
            ):
                signals.serving = True
                announce(settings, console, emulator, trust)
                if settings.lint:
                    lint.start()
                if capture.problem:
                    print_warning(capture.problem)
                while (event := events.get()) is not None:
                    console.print_event(event)
        except KeyboardInterrupt:
            return ExitCode.DONE
    console.close()
    warn_of_lost_frames(lint)
    return ExitCode.DONE


def watcher(events: EventQueue, charger: "OpenCharger | None") -> Callable[[EmulatorEvent], None]:
    """Return what is told of every event: the console, and the bench of the charge controller."""
    if charger is None:
        return events.put
    bench = charger.bench

    def watch(event: EmulatorEvent) -> None:
        events.put(event)
        bench.publish(event)
        if isinstance(event, AnswerSent | AnswerUnread):
            bench.answer_is_over()

    return watch


def show_password(charger: "OpenCharger | None") -> None:
    """Keep and show the operator's password that was made up, if one was: a start that fails does neither.

    Raises:
        ConfigError: it cannot be kept.
    """
    if charger is not None and charger.made is not None:
        charger.keep_made()
        kept = "for as long as this runs" if charger.data is None else "from now on, and is not shown again"
        print_notice(f"the operator's password is {charger.made} {kept}")


def announce(settings: ServeSettings, console: Console, emulator: Emulator, trust: Path | None) -> None:
    """Print the line for programs that wait for it, then the command for people who want to try it."""
    console.print_line(f"ready nfc={','.join(emulator.link_names)} http={emulator.http_url or 'none'}")
    command = command_to_try(settings, emulator.link_names, emulator.http_url, trust)
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
    words += ["--no-login", "GET", "/"] if settings.app else ["GET", "/system_state"]
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
    return [*words, http_url if settings.app else f"{http_url}/v1/login"]


def warn(settings: ServeSettings) -> None:
    """Warn of settings that work and may surprise."""
    if settings.dev and settings.app is None:
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


class Served(NamedTuple):
    """What is served.

    Attributes:
        app: the application.
        http: how it is served over HTTP, if it is.
        trust: the file of the certificate of our own that HTTPS is served with, if there is one.
        base_path: what its paths begin with; a message over NFC leaves it out.
        charger: the charge controller, if it is one.
        origin: what a recording says of it, if it says anything.
    """

    app: App
    http: HttpSettings | None
    trust: Path | None
    base_path: str = ""
    charger: "OpenCharger | None" = None
    origin: TraceOrigin | None = None


@contextmanager
def open_app(settings: ServeSettings) -> Iterator[Served]:
    """Open the charge controller, or what `--app` names.

    Raises:
        ConfigError: there is no such application, or the data directory cannot be used.
    """
    if settings.app is not None:
        app = import_app(settings.app)
        origin = TraceOrigin({"kind": "asgi", "app": settings.app})
        yield Served(app, *http_settings(settings, app, None), origin=origin)
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
        yield Served(charger.app, http, trust, charger.base_path, charger, charger.origin)


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


def import_app(name: str) -> App:
    """Import MODULE:APP, with the current directory among the places where it is looked for.

    Raises:
        ConfigError: there is no such module, or it fails when it is imported, or there is no such name in it, or it
            cannot be called.
    """
    module_name, _, path = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: object = import_module(module_name)
    except ImportError as exc:
        raise ConfigError(
            f"--app {name}: {exc}; start in the directory that has {module_name}, or install what is missing"
        ) from exc
    except (Exception, SystemExit) as exc:  # it is not our code: whatever it raises is a fault of what was named
        words = exc.msg if isinstance(exc, SyntaxError) else " ".join(str(exc).split())
        raise ConfigError(
            f"--app {name}: {module_name} cannot be imported: {type(exc).__name__}: {words}{place_in_module(exc)}"
        ) from exc
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"--app {name}: {module_name} has no ASGI application {path}; give MODULE:APP")
    return found


def place_in_module(error: BaseException) -> str:
    """Return where the import of a module failed, for people: ` at FILE:LINE`, or "" where nobody knows."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
