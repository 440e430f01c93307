"""A charge controller on the test bench."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import msgspec
from starlette.types import ASGIApp

from nfcbridge.charger.bench.access import Access
from nfcbridge.charger.bench.control import Control, Room
from nfcbridge.charger.bench.disturbed import Disturbed
from nfcbridge.charger.bench.feed import Feed
from nfcbridge.charger.bench.tag import TagSide
from nfcbridge.charger.controller import Controller

# Real seconds from an answer that was read to what it changed for the reader: the phone's last frames have crossed.
SETTLING: Final = 0.05


class Bench:
    """What stands around a controller to drive it and to watch it.

    Args:
        controller: the controller.
        core: its application.

    Attributes:
        app: the application to be served over NFC, and over HTTP with `around` around it.
        tag: the oversight of the links.
        room: where the simulation is driven, in the loop's thread.
    """

    def __init__(self, controller: Controller, core: ASGIApp) -> None:
        self._controller = controller
        self._feed = Feed()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.tag = TagSide(controller.charger, self._feed.close)
        self.room = Room(controller.charger, self._feed, self.tag)
        self.app: ASGIApp = Disturbed(core, controller.charger, self._feed, self.start, self.tag.flush)
        controller.charger.watch(self._feed.publish)

    def around(self, web: ASGIApp, access: Access | None = None) -> ASGIApp:
        """What HTTP serves, with the control of the simulation beside it."""
        return Control(web, self.room, access or Access())

    def serves(self, links: Collection[str]) -> None:
        """These clients are links: what they set for the reader takes effect once its answer is over."""
        self._controller.links = frozenset(links)

    def publish(self, event: msgspec.Struct) -> None:
        """Tell what a link does; any thread. Has a tag in the field `event`."""
        if self._feed.listeners:
            self._call(lambda: self._feed.publish(event))

    def answer_is_over(self) -> None:
        """An answer was read over NFC, or will not be read any more; any thread."""
        if self._controller.unsettled:
            self._call(self._settle)

    def start(self) -> None:
        """From now on the running loop is the controller's; its application calls this when it starts."""
        self._loop = asyncio.get_running_loop()
        self.tag.start()

    def _settle(self) -> None:
        if self._loop is not None:
            self._loop.call_later(SETTLING, self._controller.apply_settings)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(function)
