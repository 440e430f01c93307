"""The door to a charger, for the commands of technicians: over NFC through a link, or over HTTP, and the login."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import click

from nfcbridge.cli.parameters import DEFAULT_LINK
from nfcbridge.cli.passwords import password_of
from nfcbridge.errors import ConfigError, LinkError, RefusedError

if TYPE_CHECKING:
    import ssl

    import httpx2

    from nfcbridge.client.session import Session

BASE_PATH: Final = "/v1"
"""What paths of a charger's interface begin with over HTTP, where the URL has no path of its own."""

FIRST_ERROR: Final = 400


class Door(NamedTuple):
    """Where a charger is, and who asks.

    Attributes:
        link: the name of a link.
        url: of its interface over HTTP, or None for the link.
        trust: the certificate of HTTPS, or of its authority; None: those of the system.
        user: a role.
        password_file: has the password, or None.
        trace: the file to record the frames of the link to, or None.
    """

    link: str
    url: str | None
    trust: Path | None
    user: str
    password_file: Path | None
    trace: Path | None = None


link_option = click.option(
    "--link",
    metavar="LINK",
    default=DEFAULT_LINK,
    show_default=True,
    help="Where the tag is; `nfcbridge links` lists what can be opened.",
)
user_option = click.option(
    "--user", metavar="NAME", default="operator", show_default=True, help="The role to log in as."
)
password_option = click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Has the password; else NFCBRIDGE_PASSWORD has it, else it is asked for.",
)
trace_option = click.option(
    "--trace",
    type=click.Path(dir_okay=False, readable=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Record every frame of the link, as JSON lines, over what is in FILE.",
)


def at_a_door(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that say where the charger is; it is called with a `Door` first."""

    @wraps(function)
    def run(
        *,
        link: str,
        url: str | None,
        trust: Path | None,
        user: str,
        password_file: Path | None,
        trace: Path | None,
        **rest: object,
    ) -> int:
        if trace is not None and url is not None:
            raise click.UsageError("--trace records what crosses a link, and --url is HTTP: leave one out")
        if trust is not None and (url is None or not url.startswith("https:")):
            raise click.UsageError("--trust is about HTTPS: give --url https://...")
        return function(Door(link, url, trust, user, password_file, trace), **rest)

    options = (
        trace_option,
        password_option,
        user_option,
        click.option(
            "--trust",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            metavar="FILE",
            help="The certificate of a charger that serves HTTPS, or of its authority.",
        ),
        click.option("--url", metavar="URL", help="Ask over HTTP, such as http://127.0.0.1:8080, and not over NFC."),
        link_option,
    )
    for option in options:
        run = option(run)
    return run


@contextmanager
def open_session(
    door: Door, *, patience: float = 0.0, slipped: Callable[[str], None] = lambda _reason: None
) -> "Iterator[Session]":
    """Log in at a door, and out again.

    Args:
        door: where.
        patience: seconds in which a login that was torn is tried again; nothing is lost by a second one.
        slipped: told why, before it is.

    Raises:
        ConfigError: there is no such link or URL.
        LinkError: the tag or the server cannot be reached.
        RefusedError: the login is refused.
    """
    import httpx2

    from nfcbridge.client.session import Session
    from nfcbridge.links import open_reader

    if door.url is None:
        from nfcbridge.client.transport import NfcTransport

        # Before the password is asked for: who has named a link that does not exist need not type it in vain.
        with closing(open_reader(door.link)) as end:
            session = Session(
                NfcTransport(end, trace=door.trace), door.user, password_of(door.user, door.password_file)
            )
            with _logged_in(session, door, patience, slipped):
                yield session
        return
    transport = httpx2.HTTPTransport(verify=_trusting(door.trust))
    base = base_url(door.url)
    session = Session(transport, door.user, password_of(door.user, door.password_file), base_url=base)
    with _logged_in(session, door, patience, slipped):
        yield session


@contextmanager
def _logged_in(session: "Session", door: Door, patience: float, slipped: Callable[[str], None]) -> "Iterator[None]":
    import httpx2

    from nfcbridge.cli.request import log_out

    try:
        try:
            check_login(_login(session, time.monotonic() + patience, slipped), door.user)
            yield
        except httpx2.TransportError as error:
            raise error if isinstance(error, LinkError) else LinkError(unreached(door, error)) from error
        log_out(session)
    finally:
        session.close()


def unreached(door: Door, error: Exception) -> str:
    """Return what went wrong over HTTP, and what to do."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        remedy = (
            "give it with --trust FILE, if you know it to be the charger's"
            if door.trust is None
            else "the certificate of --trust is another one, or for another name than that in --url"
        )
    else:
        remedy = "look whether the charger serves there, whether --url begins with http: or https:, and at its port"
    words = str(error).rstrip(".") or type(error).__name__
    return f"{door.url}: {words}; {remedy}"


def _login(session: "Session", end: float, slipped: Callable[[str], None]) -> "httpx2.Response":
    import httpx2

    from nfcbridge.client.backup.charger import PAUSE

    while True:
        try:
            return session.login()
        except httpx2.TransportError as error:
            if time.monotonic() >= end or not isinstance(error, LinkError):  # a server is not held to anything
                raise
            slipped(str(error))
            time.sleep(PAUSE)


def check_login(response: "httpx2.Response", user: str) -> None:
    """Refuse to go on without a login.

    Raises:
        RefusedError: the login was refused.
    """
    if response.status_code >= FIRST_ERROR:
        raise RefusedError(f"login as {user}: {response.status_code} {response.reason_phrase}; check user and password")


def base_url(url: str) -> str:
    """Return what paths are put behind.

    Raises:
        ConfigError: it is no URL of HTTP.
    """
    with suppress(ValueError):  # a port past 65535, or half a pair of brackets
        parts = urlsplit(url)
        if (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and "@" not in parts.netloc  # --user says who asks
            and parts.port != 0
            and not parts.query + parts.fragment
        ):
            return url.rstrip("/") + ("" if parts.path.strip("/") else BASE_PATH)
    raise ConfigError(f"{url!r} is no URL of HTTP, such as http://127.0.0.1:8080")


def _trusting(file: Path | None) -> "ssl.SSLContext | bool":
    if file is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=str(file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{file} is no certificate (PEM): {error}") from error
