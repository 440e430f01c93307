"""What the operations of the interface work on."""

import time
from collections.abc import Callable

from nfcbridge.charger.login import Logins, Passwords
from nfcbridge.charger.sessions import Sessions
from nfcbridge.charger.state import Charger, IdleCharger


class Controller:
    """A charge controller. One thread uses it, the one of the application's loop.

    Args:
        passwords: the passwords of the roles.
        charger: the charge point; by default one where nothing happens.
        clock: seconds, for the time-out of sessions and for back-off.
    """

    def __init__(
        self, *, passwords: Passwords, charger: Charger | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self.charger: Charger = charger or IdleCharger()
        self.sessions = Sessions()
        self.logins = Logins(passwords, self.sessions)
