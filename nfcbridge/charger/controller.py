"""What the operations of the interface work on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from msgspec import UNSET

from nfcbridge.charger.catalogue import Catalogue, RestApi, Value, load_catalogue
from nfcbridge.charger.layout import Layout, load_layout
from nfcbridge.charger.live import LiveCharger
from nfcbridge.charger.login import Logins, Passwords
from nfcbridge.charger.obeyed import point_settings
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import Effect, FaultStrikes, PowerLost
from nfcbridge.charger.point.faults import ExpireSessions
from nfcbridge.charger.point.scenario import Scenario, ScenarioTag
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.randomness import SYSTEM, Randomness, make_uuid
from nfcbridge.charger.sessions import Session, Sessions
from nfcbridge.charger.settings import NewValue, Settings, SettingsSet
from nfcbridge.charger.shelf import Edit
from nfcbridge.charger.store import Store, StoredSettings
from nfcbridge.charger.whitelist import GivenEntry

# Seconds between looks whether another process has set a password.
LOOK_FOR_PASSWORDS: Final = 1.0

_REST_API: Final = "RestApi_web"
_RFID_MODE: Final = "RfidMode_rfid"


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue that comes along."""
    return load_catalogue()


@cache
def shipped_layout() -> Layout:
    """The app layout that comes along, for the catalogue that does."""
    return load_layout(shipped_catalogue())


class Controller:
    """A charge controller. One thread uses it, the one of the application's loop.

    Args:
        store: what lasts; by default all is kept in memory. New data begin with the catalogue's initial values.
        passwords: the passwords of the roles; by default those of the store.
        catalogue: the settings there are; by default the shipped one.
        layout: what an app shows of them; by default the shipped one.
        clock: real seconds that never go back.
        charger_clock: what passes for the charger; by default the same.
        scenario: what happens to the charge point by itself.
        rfid_only: new data begin with the product's default, a reader that serves no phone.
        randomness: what tokens and ids are made of.

    Attributes:
        passwords: those of the roles.
        randomness: the same.
        clock: seconds for sessions and back-off.
        shows_uid: whether user names and tag ids are told.
        links: names of clients that are NFC links: the charge point obeys what one of them sets when `apply_settings`
            is called, which is up to who knows when the answer was read.
        unsettled: one of them has set something since then.

    Raises:
        OSError: what new data begin with cannot be kept.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
        passwords: Passwords | None = None,
        catalogue: Catalogue | None = None,
        layout: Layout | None = None,
        clock: Callable[[], float] = time.monotonic,
        charger_clock: ChargerClock | None = None,
        scenario: Scenario | None = None,
        rfid_only: bool = False,
        randomness: Randomness = SYSTEM,
    ) -> None:
        self.randomness = randomness
        self.store = store or Store()
        charger_clock = charger_clock or ChargerClock(monotonic=clock)
        self.clock: Callable[[], float] = charger_clock.controller
        if layout is None:
            layout = shipped_layout() if catalogue is None else load_layout(catalogue)
        catalogue = catalogue or shipped_catalogue()
        self._begin(catalogue, rfid_only=rfid_only)
        self._bring(scenario.whitelist if scenario else ())
        self.settings = Settings(catalogue, layout, StoredSettings(self.store), live=self._live_values)
        self.sessions = Sessions(randomness)
        self.passwords = passwords or self.store
        self.logins = Logins(self.passwords, self.sessions, randomness)
        self.charger = LiveCharger(self.store, charger_clock, point_settings(self.settings.value), scenario)
        self.charger.watch(self._happened)
        self.shows_uid = self.settings.value(_REST_API) != RestApi.WITHOUT_UID
        self.links: Collection[str] = ()
        self.unsettled = False
        self._writing: set[asyncio.Task[SettingsSet | Failed]] = set()

    async def write_settings(self, session: Session, changes: Iterable[NewValue], client: str) -> SettingsSet | Failed:
        """Change settings and obey them, also if who asked has gone meanwhile: what is kept has to be obeyed."""
        task = asyncio.create_task(self._write_settings(session, list(changes), client))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    def apply_settings(self) -> None:
        """Let the charge point obey the settings as they are now."""
        self.unsettled = False
        wanted = point_settings(self.settings.value)
        if wanted != self.charger.settings:
            self.charger.configure(wanted)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Live: time passes for the charge point, and passwords that another process has set count."""
        self.charger.start()
        looking = asyncio.create_task(self._look_for_passwords())
        try:
            yield
        finally:
            looking.cancel()
            self.charger.stop()
            await self.store.keep()

    async def _write_settings(self, session: Session, changes: list[NewValue], client: str) -> SettingsSet | Failed:
        answer = await self.settings.write(session.role, changes, reader=session.id)
        interface = self.settings.value(_REST_API)
        self.shows_uid = interface != RestApi.WITHOUT_UID
        if interface == RestApi.DISABLED:
            self.sessions.close_all()
        if client in self.links:
            self.unsettled = True
        else:
            self.apply_settings()
        return answer

    @property
    def serves(self) -> bool:
        """Whether anybody may log in.

        A controller that was told to serve nobody serves again when it is started: the web pages by which the product
        would be told to are not emulated.
        """
        return self.settings.value(_REST_API) != RestApi.DISABLED

    def _live_values(self) -> Mapping[str, Value]:
        return self.charger.live_values()

    async def _look_for_passwords(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_PASSWORDS)
            for role in await self.store.refresh_passwords():
                self.sessions.close_role(role)

    def _happened(self, event: Effect) -> None:
        if isinstance(event, PowerLost):
            self.sessions.close_all()
            self.logins.void_tokens()
        elif isinstance(event, FaultStrikes) and isinstance(event.fault, ExpireSessions):
            self.sessions.close_all()

    def _begin(self, catalogue: Catalogue, *, rfid_only: bool) -> None:
        """What new data begin with, and an interface that serves."""
        settings = self.store.settings
        if settings.rows.get(_REST_API) == RestApi.DISABLED:
            self.store.keep_now(settings.drop(_REST_API))
        elif not settings.rows:
            values = catalogue.initial_values()
            if rfid_only:
                values.pop(_RFID_MODE, None)
            self.store.keep_now(*(settings.put(key, value) for key, value in values.items()))

    def _bring(self, tags: Iterable[ScenarioTag]) -> None:
        """The tags of a scenario, unless they are in the whitelist already, and the users they belong to."""
        ids = {name: user_id for user_id, name in self.store.users.rows.items()}
        edits: list[Edit] = []
        for tag in tags:
            if tag.id in self.store.whitelist.rows:
                continue
            if tag.user and tag.user not in ids:
                ids[tag.user] = make_uuid(self.randomness, "")
                edits.append(self.store.users.put(ids[tag.user], tag.user))
            given = GivenEntry(
                id=tag.id, tag_type=tag.type, name=tag.name or UNSET, user_id=ids[tag.user] if tag.user else UNSET
            )
            edits.append(self.store.whitelist.put(tag.id, given.new()))
        self.store.keep_now(*edits)
