"""Who may drive the simulation: this machine, others with a token, and no web page of another origin.

A page in a browser on this machine can send requests here. So what changes something has to come as JSON, which a
foreign page cannot send without being allowed to; an `Origin` has to be ours; and on this machine `Host` has to be an
address or localhost, or a page could come back under its own name with our address (DNS rebinding).
"""

import re
from hmac import compare_digest
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from starlette.types import Scope

from nfcbridge.charger import policy
from nfcbridge.charger.operation import session_id
from nfcbridge.charger.policy import RefusedError
from nfcbridge.errors import ConfigError

# Characters of a token. Fewer can be guessed.
MIN_TOKEN: Final = 16
MAX_TOKEN: Final = 256
_TOKEN: Final = re.compile(rf"[!-~]{{{MIN_TOKEN},{MAX_TOKEN}}}")

# What a proxy adds: who asks is somewhere else then, whatever the address of the connection says.
_PROXIED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})


def read_token(file: Path) -> str:
    """The token in a file, without white space around it.

    Raises:
        ConfigError: it cannot be read, or is no token.
    """
    try:
        token = file.read_text("ascii").strip()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; it shall have the token of the simulation") from error
    except UnicodeDecodeError:
        token = ""
    if _TOKEN.fullmatch(token) is None:
        raise ConfigError(f"{file}: a token is {MIN_TOKEN} to {MAX_TOKEN} printable ASCII characters without space")
    return token


class Access:
    """Who may.

    Args:
        token: of those on other machines; None: they may not.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token

    def check(self, scope: Scope) -> None:
        """Raise RefusedError for a request that is not allowed, 401 or 403."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        local = _is_local(scope, headers)
        if not local:
            self._check_token(scope)
        elif not _is_address(host):
            raise RefusedError(HTTPStatus.FORBIDDEN, "ask for an IP address or localhost, not for a name")
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "pages of other origins may not")
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "pages of other sites may not")

    def _check_token(self, scope: Scope) -> None:
        if self._token is None:
            raise RefusedError(HTTPStatus.FORBIDDEN, "only from this machine, or start the server with --sim-token")
        if not compare_digest(session_id(scope).encode("latin-1"), self._token.encode("ascii")):
            raise policy.unauthorized("the token of the simulation is missing or another one")


def _is_local(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    client = scope.get("client")
    if client is None or not _PROXIED.isdisjoint(headers):
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_address(host: str) -> bool:
    name = re.sub(r":\d*\Z", "", host) if host.startswith("[") or host.count(":") == 1 else host
    if name == "localhost":
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
