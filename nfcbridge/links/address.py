"""HOST:PORT in the names of links."""

from typing import Final

from nfcbridge.errors import ConfigError

MAX_PORT: Final = 0xFFFF


def parse_address(text: str, *, host: str, port: int, lowest: int = 1) -> tuple[str, int]:
    """Read `HOST:PORT`, `HOST`, `:PORT` or nothing.

    Args:
        text: what follows the prefix of a link's name.
        host: the host where none is given.
        port: the port where none is given.
        lowest: the lowest port allowed; 0 where the system may choose.

    Raises:
        ConfigError: the port is no number between `lowest` and 65535, or the host cannot be a name.
    """
    given_host, _, given_port = text.partition(":")
    if given_port:
        if not (given_port.isascii() and given_port.isdigit()) or not lowest <= int(given_port) <= MAX_PORT:
            raise ConfigError(f"a port is a number from {lowest} to {MAX_PORT}, not {given_port}")
        port = int(given_port)
    try:
        given_host.encode("idna")  # as the socket module does it, whose UnicodeError is no OSError
    except UnicodeError as error:
        raise ConfigError(f"{given_host} cannot be the name of a host") from error
    return given_host or host, port
