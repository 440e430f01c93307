"""The charge controller, opened with its passwords, for `serve` and `demo`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from nfcbridge.charger import (
    BASE_PATH,
    Controller,
    Durability,
    Passwords,
    Role,
    create_app,
    load_catalogue,
    load_layout,
    make_password,
    open_store,
)
from nfcbridge.charger.bench import Access, Bench, read_token
from nfcbridge.charger.description import KIND, Description, keep_text
from nfcbridge.charger.point import ChargerClock, load_scenario
from nfcbridge.charger.randomness import SYSTEM, SeededRandomness, make_seed
from nfcbridge.charger.web import create_web
from nfcbridge.cli.data import writing
from nfcbridge.dispatch import App
from nfcbridge.trace import TraceClock, TraceOrigin
from nfcbridge.trace.origin import at


@dataclass(frozen=True, slots=True)
class SimSettings:
    """How the charge point is simulated.

    Attributes:
        speed: seconds of the charge point in a real one; 0: time passes by `sim advance` alone.
        scenario: a file that says what happens by itself.
        rfid_only: new data begin with a reader that serves no phone.
        token: a file with what those on other machines need to drive it.
    """

    speed: float = 1.0
    scenario: Path | None = None
    rfid_only: bool = False
    token: Path | None = None


REAL_TIME: Final = SimSettings()


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """What the charge controller is made of.

    Attributes:
        durability: what a change waits for before it is answered, a value of `Durability`.
        catalogue: the file of its parameters; None: the one that comes along.
        app_layout: the file of what an app shows of them; None: the one that comes along.
    """

    durability: str = Durability.FULL
    catalogue: Path | None = None
    app_layout: Path | None = None


AS_SHIPPED: Final = DeviceSettings()


class OpenCharger(NamedTuple):
    """A charge controller that can be served.

    Attributes:
        app: the ASGI application.
        web: the same for HTTP, with the page to read and try it.
        base_path: what its paths begin with; a message over NFC leaves it out.
        made: the operator's password if it was made up just now: it is to be kept, and then shown once.
        data: where its data live; None: in memory.
        bench: drives and watches it.
        origin: what a recording says of it; None: it is not to be recorded.
    """

    app: App
    web: App
    base_path: str
    made: str | None
    data: Path | None
    bench: Bench
    origin: TraceOrigin | None = None

    def keep_made(self) -> None:
        """Keep the password that was made up. Not before the start is sure to succeed: nobody would know it.

        Raises:
            ConfigError: it cannot be kept.
        """
        if self.made is not None and self.data is not None:
            # Beside the store of the application, which is the loop's alone by now and finds it in a moment.
            with closing(open_store(self.data, shared=True)) as store, writing():
                store.set_password(Role.OPERATOR, self.made)


class MadePassword:
    """Passwords, and one for an operator who has none.

    Args:
        passwords: the others, and the operator's once there is one.
        made: the operator's until then.
    """

    def __init__(self, passwords: Passwords, made: str) -> None:
        self._passwords = passwords
        self._made = made

    def password(self, role: Role) -> str | None:
        """The plain password, None if there is none."""
        return self._passwords.password(role) or (self._made if role is Role.OPERATOR else None)


@contextmanager
def open_charger(
    data: Path | None,
    passwords: Mapping[str, str],
    *,
    cors: Sequence[str] = (),
    sim: SimSettings = REAL_TIME,
    device: DeviceSettings = AS_SHIPPED,
    recorded: bool = False,
    dev: bool = False,
) -> Iterator[OpenCharger]:
    """Open the charge controller, and close its store in the end.

    Args:
        data: where its data live; None: in memory.
        passwords: those to set, by the name of the role. An operator who has none then gets a random one.
        cors: origins whose pages may use it in a browser.
        sim: how the charge point is simulated.
        device: what the charge controller is made of.
        recorded: its links will be recorded, so tokens and ids come from a seed.
        dev: the operator's password is the one that everybody knows.

    Raises:
        ConfigError: the directory cannot be used or is full, a password is too long, or a file of `sim` or `device` is
            wrong.
    """
    scenario = None if sim.scenario is None else load_scenario(sim.scenario)
    access = Access(None if sim.token is None else read_token(sim.token))
    trace_clock = TraceClock()
    clock = ChargerClock(speed=sim.speed or 1.0, driven=not sim.speed, monotonic=trace_clock)
    seed = make_seed() if recorded else None
    catalogue = load_catalogue(device.catalogue)
    layout = load_layout(catalogue, device.app_layout)
    store = open_store(data, Durability(device.durability))
    try:
        with writing():
            for role, password in passwords.items():
                store.set_password(Role(role), password)
            made = make_password() if store.password(Role.OPERATOR) is None else None
            with at(clock.began):  # so that a replay's charge point begins at the same time of its clock
                controller = Controller(
                    store=store,
                    passwords=store if made is None else MadePassword(store, made),
                    catalogue=catalogue,
                    layout=layout,
                    charger_clock=clock,
                    scenario=scenario,
                    rfid_only=sim.rfid_only,
                    randomness=SYSTEM if seed is None else SeededRandomness(seed),
                )
        origin = None
        if recorded:
            known = Description(
                kind=KIND,
                speed=clock.speed,
                driven=clock.driven,
                rfid_only=sim.rfid_only,
                scenario=keep_text(sim.scenario),
                catalogue=keep_text(device.catalogue),
                app_layout=keep_text(device.app_layout),
                passwords=tuple(role.value for role in Role if controller.passwords.password(role) is not None),
                dev=dev,
                stored=data is not None,
            )
            origin = TraceOrigin(known.to_json(), seed, trace_clock, clock.to_json())
        bench = Bench(controller, create_app(controller))
        web = bench.around(create_web(bench.app, cors=cors), access)
        yield OpenCharger(bench.app, web, BASE_PATH, made, data, bench, origin)
    finally:
        store.close()
