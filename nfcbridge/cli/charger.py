"""The charge controller, opened with its passwords, for `serve` and `demo`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nfcbridge.charger import BASE_PATH, Controller, Role, create_app, make_password, open_store
from nfcbridge.charger.web import create_web
from nfcbridge.dispatch import App


class OpenCharger(NamedTuple):
    """A charge controller that can be served.

    Attributes:
        app: the ASGI application.
        web: the same for HTTP, with the page to read and try it.
        base_path: what its paths begin with; a message over NFC leaves it out.
        made: the operator's password if it was made up just now: it is to be shown, once.
    """

    app: App
    web: App
    base_path: str
    made: str | None


@contextmanager
def open_charger(data: Path | None, passwords: Mapping[str, str], *, cors: Sequence[str] = ()) -> Iterator[OpenCharger]:
    """Open the charge controller, and close its store in the end.

    Args:
        data: where its data live; None: in memory.
        passwords: those to set, by the name of the role. An operator who has none then gets a random one.
        cors: origins whose pages may use it in a browser.

    Raises:
        ConfigError: the directory cannot be used, or a password is too long.
    """
    store = open_store(data)
    try:
        for role, password in passwords.items():
            store.set_password(Role(role), password)
        made = None
        if store.password(Role.OPERATOR) is None:
            made = make_password()
            store.set_password(Role.OPERATOR, made)
        app = create_app(Controller(passwords=store))
        yield OpenCharger(app, create_web(app, cors=cors), BASE_PATH, made)
    finally:
        store.close()
