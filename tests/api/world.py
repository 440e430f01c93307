"""The charge controller under test: everything in memory, and time that passes only when a test says so."""

from typing import Any, Final

import msgspec

from nfcbridge.charger import Controller, FixedPasswords, Role, create_app
from nfcbridge.charger.point import AnyInput, ChargerClock
from nfcbridge.charger.web import create_web
from nfcbridge.dispatch import App

# One of them is not ASCII: what is hashed is its UTF-8.
PASSWORDS: Final = {
    "user": "user-secret",
    "operator": "op-secret",
    "installer": "Stra\u00dfe \u20ac \U0001f50c",
    "manufacturer": "maker-secret",
}

# What can happen at the charge point, with the names of what stands behind it in a step.
STEPS: Final[dict[str, list[str]]] = {
    "plug": ["socket"],
    "unplug": [],
    "swipe": ["id", "type"],
    "charge": [],
    "stop": [],
    "error": ["name"],
    "clear": ["name"],
    "power-cycle": [],
}


class World:
    """A charge controller with all four roles.

    Attributes:
        app: the application behind every door.
        web: the same as HTTP serves it.
    """

    def __init__(self) -> None:
        passwords = FixedPasswords({Role(name): plain for name, plain in PASSWORDS.items()})
        self._clock = ChargerClock(driven=True)
        self.controller = Controller(passwords=passwords, charger_clock=self._clock)
        self.app: App = create_app(self.controller)
        self.web: App = create_web(self.app)

    def now(self) -> float:
        """The time of sessions and back-off, in seconds."""
        return self._clock.controller()

    def act(self, step: str) -> None:
        """Let something happen that is no request: time passes, or one of STEPS. In the application's loop only.

        Raises:
            ValueError: nothing of this name.
        """
        what, *values = step.split()
        if what == "advance":
            (seconds,) = values
            self.controller.charger.advance(float(seconds))
        elif what in STEPS:
            order: dict[str, Any] = {"do": what} | dict(zip(STEPS[what], values, strict=False))
            self.controller.charger.handle(msgspec.convert(order, AnyInput))
        else:
            raise ValueError(f"no such step: {step}")
