"""Events on their way to those who listen: each has a queue of its own, with an end.

Who does not take them in time loses the oldest, and is told how many.
"""

import asyncio
from collections import deque
from typing import Final

import msgspec

from nfcbridge.errors import LocalProtocolError

# Events that wait for one listener: a minute of a busy charger.
MAX_WAITING: Final = 1_000
# Listeners at a time.
MAX_LISTENERS: Final = 16

Event = msgspec.Struct
"""Any with a tag in the field `event`."""


class Lost(msgspec.Struct, frozen=True, tag_field="event", tag="lost"):
    """So many events were not taken in time."""

    count: int


class Listener:
    """Who listens, from now on. Of one thread, the feed's."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._over = False
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        """Add an event."""
        if len(self._waiting) == MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        self._news.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._news.set()

    async def take(self, patience: float) -> list[Event] | None:
        """What has come, after waiting `patience` seconds at most if there is nothing; None: the end."""
        if not self._waiting and not self._over:
            self._news.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait()
            except TimeoutError:
                return []
        if not self._waiting:
            return None if self._over else []
        events: list[Event] = [Lost(self._lost)] if self._lost else []
        events += self._waiting
        self._waiting.clear()
        self._lost = 0
        return events


class Feed:
    """Gives every event to everybody who listens. Of one thread.

    Attributes:
        listeners: those who listen now.
    """

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._over = False

    def publish(self, event: Event) -> None:
        """Tell this."""
        for listener in self.listeners:
            listener.put(event)

    def listen(self) -> Listener:
        """A new listener, to be given back by `leave`.

        Raises:
            LocalProtocolError: there are MAX_LISTENERS already.
        """
        if len(self.listeners) >= MAX_LISTENERS:
            raise LocalProtocolError(f"{MAX_LISTENERS} listen already: let one of them end first")
        listener = Listener()
        if self._over:
            listener.end()
        self.listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """It listens no more."""
        self.listeners.discard(listener)

    def close(self) -> None:
        """Let all end, now and later."""
        self._over = True
        for listener in self.listeners:
            listener.end()
