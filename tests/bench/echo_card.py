"""The least card there can be on vpcd: every command gets the same response. What it needs is the price of the way."""

import socket
import sys
from typing import Final

ATR: Final = bytes.fromhex("3B 80 80 01 01")

ATR_REQUEST: Final = b"\x04"

RESPONSE: Final = bytes.fromhex("00 03 90 00")
"""As long as the answer of a real card to the command that is measured."""


def serve(host: str, port: int) -> None:
    """Answers until vpcd goes away."""
    with socket.create_connection((host, port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("ready", flush=True)
        while length := _receive(link, 2):
            message = _receive(link, int.from_bytes(length, "big"))
            if message == ATR_REQUEST:
                _send(link, ATR)
            elif len(message) > 1:  # the others of one octet are power off, on and reset
                _send(link, RESPONSE)


def _receive(link: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        # The daemon sends length and body apart, and the body waits for the acknowledgement of the length.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        more = link.recv(count - len(octets))
        if not more:
            return b""
        octets += more
    return octets


def _send(link: socket.socket, message: bytes) -> None:
    link.sendall(len(message).to_bytes(2, "big") + message)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
