"""The charge controller under test: everything in memory, and time that passes only when a test says so."""

from typing import Final

from nfcbridge.charger import Controller, FixedPasswords, Role, create_app
from nfcbridge.dispatch import App

# One of them is not ASCII: what is hashed is its UTF-8.
PASSWORDS: Final = {
    "user": "user-secret",
    "operator": "op-secret",
    "installer": "Stra\u00dfe \u20ac \U0001f50c",
    "manufacturer": "maker-secret",
}


class World:
    """A charge controller with all four roles and a clock that stands still.

    Attributes:
        app: the application behind every door.
        now: the controller's clock, in seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        passwords = FixedPasswords({Role(name): plain for name, plain in PASSWORDS.items()})
        self.controller = Controller(passwords=passwords, clock=lambda: self.now)
        self.app: App = create_app(self.controller)

    def act(self, words: list[str]) -> None:
        """Let something happen that is no request.

        Raises:
            ValueError: nothing of this name.
        """
        match words:
            case ["advance", seconds]:
                self.now += float(seconds)
            case _:
                raise ValueError(f"no such step: {' '.join(words)}")
