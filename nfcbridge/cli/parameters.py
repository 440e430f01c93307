"""The kinds of values that options take, and what more than one command knows of them.

Each kind refuses with a sentence that says what is allowed.

Number     251 or 0xFB
Octets     08 01 02 03, 08:01:02:03 or 08010203
Duration   400ms or 0.4s: with its unit, since the issue of seconds or milliseconds is where guesses go wrong
Endpoint   127.0.0.1:8080, [::1]:8080, localhost:0 (any free port), or none
RoleFile   operator=/run/secrets/operator
Origin     https://app.example or http://localhost:5173, of a web page
AppName    package.module:app
"""

import re
from pathlib import Path
from typing import Final, Never

import click

DEFAULT_LINK: Final = "udp:127.0.0.1:54321"
"""Where `serve` sits and where `request` looks for it: it needs no hardware."""

ROLES: Final = ("manufacturer", "installer", "operator", "user")
"""The names of the roles, highest first. They are the charge controller's; importing it here would load the server."""

MAX_PORT: Final = 0xFFFF

MAX_LANGUAGE: Final = 63
"""A Text record has six bits for the length of its language code."""

_DURATION: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>ms|s)")
_ENDPOINT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):(?P<port>\d{1,5})")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_APP_NAME: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class Octets(click.ParamType[bytes]):
    """Octets in hex; spaces and colons between them are ignored.

    Args:
        lengths: how many octets are allowed; None: any number from 1 on.
    """

    name = "hex"

    def __init__(self, *lengths: int) -> None:
        self._lengths = lengths

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """See the class."""
        if isinstance(value, bytes):
            return value
        try:
            octets = bytes.fromhex(value.replace(":", ""))
        except ValueError:
            self._refuse(f"{value!r} is not octets in hex, such as 08010203", param, ctx)
        if not octets:
            self._refuse("there are no octets in it", param, ctx)
        if self._lengths and len(octets) not in self._lengths:
            allowed = " or ".join(str(length) for length in self._lengths)
            self._refuse(f"{value!r} has {len(octets)} octets; {allowed} are allowed", param, ctx)
        return octets

    def _refuse(self, message: str, param: click.Parameter | None, ctx: click.Context | None) -> Never:
        self.fail(message, param, ctx)


class Number(click.ParamType[int]):
    """A whole number in a range, decimal or as 0x7FFF.

    Args:
        least: smallest allowed.
        most: largest allowed.
    """

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See the class."""
        if isinstance(value, int):
            return value
        try:
            number = int(value, 0)
        except ValueError:
            number = -1
        if not self._least <= number <= self._most:
            self.fail(f"{value!r} is not a number from {self._least} to {self._most}, such as 251 or 0xFB", param, ctx)
        return number


class Duration(click.ParamType[float]):
    """A time with its unit, in seconds for the program.

    Args:
        least: shortest time allowed, in seconds.
        most: longest time allowed, in seconds.
    """

    name = "duration"

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See the class."""
        if not isinstance(value, str):
            return float(value)
        allowed = f"allowed is {self._least:g}s to {self._most:g}s, written as 400ms or 0.4s"
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is not a time with its unit; {allowed}", param, ctx)
        seconds = float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
        if not self._least <= seconds <= self._most:
            self.fail(f"{value!r} is out of range; {allowed}", param, ctx)
        return seconds


class Endpoint(click.ParamType[str | None]):
    """`HOST:PORT`, or `none` (the program sees None)."""

    name = "host:port"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        """See the class."""
        if value == "none":
            return None
        found = _ENDPOINT.fullmatch(value)
        if found is None or int(found["port"]) > MAX_PORT:
            self.fail(
                f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080 (port 0: any free one), nor none",
                param,
                ctx,
            )
        return value


class Origin(click.ParamType[str]):
    """The origin of web pages, as browsers send it: scheme, host, and the port unless it is the scheme's own."""

    name = "origin"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See the class."""
        if _ORIGIN.fullmatch(value) is None:
            self.fail(
                f"{value!r} is no origin of a web page, such as https://app.example or http://localhost:5173: "
                "in small letters, without path and slash at the end",
                param,
                ctx,
            )
        return value


class RoleFile(click.ParamType[tuple[str, Path]]):
    """`ROLE=FILE`: a role, and the file that has its password."""

    name = "role=file"

    def convert(
        self, value: str | tuple[str, Path], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        """See the class."""
        if isinstance(value, tuple):
            return value
        role, equals, file = value.partition("=")
        if not (equals and file):
            self.fail(f"{value!r} is not ROLE=FILE, such as operator=password.txt", param, ctx)
        if role not in ROLES:
            self.fail(f"there is no role {role!r}; the roles are {', '.join(ROLES)}", param, ctx)
        return role, Path(file)


class AppName(click.ParamType[str]):
    """`MODULE:APP`: where an ASGI application is found; it is imported when the server starts."""

    name = "module:app"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See the class."""
        if _APP_NAME.fullmatch(value) is None:
            self.fail(f"{value!r} is not MODULE:APP, such as package.module:app", param, ctx)
        return value


class Language(click.ParamType[str]):
    """The language of Text records: an IANA code of at most 63 signs."""

    name = "language"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See the class."""
        if len(value) > MAX_LANGUAGE or _LANGUAGE.fullmatch(value) is None:
            self.fail(f"{value!r} is no language code of at most {MAX_LANGUAGE} signs, such as en or de-CH", param, ctx)
        return value


def host_of_endpoint(endpoint: str) -> str:
    """Return the host of a `HOST:PORT`, without the brackets of IPv6."""
    return endpoint.rpartition(":")[0].strip("[]")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stays on this machine. No name is looked up: only `localhost` is known."""
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
