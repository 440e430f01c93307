"""Who may take the tag away while it is served, and hears that it is used.

An emulator has none unless it is given one; a door then asks it at every look, from its own thread.
"""

from collections.abc import Callable
from typing import Protocol


class Oversight(Protocol):
    """What a door wants to know, and whom it tells. Doors call it from their threads; nothing of it may wait."""

    @property
    def present(self) -> bool:
        """Whether phones find a tag; while they do not, the links are closed."""
        ...

    @property
    def losses(self) -> int:
        """How often the field was to be lost so far: one more, and the phone that is there loses it."""
        ...

    def cut_now(self) -> bool:
        """Whether the field is lost now; asked once for every frame that crossed, either way."""
        ...

    def command_received(self) -> None:
        """A phone sent an APDU; presence checks send none."""
        ...

    @property
    def looks_for_cards(self) -> bool:
        """Whether readers that can are to look for cards, between phones."""
        ...

    def card_read(self, uid: bytes, tell: Callable[[str], None]) -> None:
        """A card was held to a reader. `tell` is called with what became of it, in words; any thread, or never."""
        ...

    def stop(self) -> None:
        """The emulator stops: called once, in the application's thread, before responses are waited for."""
        ...
