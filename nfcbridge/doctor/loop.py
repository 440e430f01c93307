"""A self test between two links: the tag on one, the phone on the other, and what a touch consists of."""

import json
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Final

from msgspec import Struct

from nfcbridge.errors import NfcBridgeError

LARGE: Final = 10_000
"""Octets of the large answer: 0.9 s on the air at 106 kbit/s."""

ROUNDS: Final = 20
"""Small exchanges whose times are told."""

SLOW: Final = 1.0
"""Seconds that the slow application takes: longer than a command is held, so that it is polled for."""

CONNECT: Final = 10.0
"""Seconds to find the tag."""


class Stage(Struct, frozen=True):
    """One stage of the test.

    Attributes:
        what: it tries.
        passed: whether it did.
        words: times, or why not.
    """

    what: str
    passed: bool
    words: str


async def app(scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """What is served: an echo, a large answer, a slow answer."""
    if scope["type"] != "http":
        return
    content = (await receive()).get("body", b"")
    if scope["path"] == "/large":
        content = json.dumps({"large": "x" * LARGE}).encode()
    elif scope["path"] == "/slow":
        import anyio

        await anyio.sleep(SLOW)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content or b"{}"})


def run_loop(tag: str, reader: str) -> Iterator[Stage]:
    """Run the test, a stage after the other; the first that fails is the last.

    Args:
        tag: the link that the tag sits on.
        reader: the link that the phone sits on.
    """
    import httpx2

    from nfcbridge.client.transport import NfcTransport
    from nfcbridge.server.emulator import Emulator

    try:
        with Emulator(app, [tag]) as emulator:
            there = emulator.link_names[0]
            yield Stage("the tag", passed=True, words=there)
            transport = NfcTransport(reader)
            timeout = httpx2.Timeout(connect=CONNECT, read=15.0, write=15.0, pool=None)
            with httpx2.Client(transport=transport, base_url="http://tag", timeout=timeout) as client:
                for what, stage in _stages(client, transport):
                    begun = time.perf_counter()
                    try:
                        words = stage()
                    except (NfcBridgeError, httpx2.TransportError, ValueError) as error:
                        yield Stage(what, passed=False, words=str(error))
                        return
                    yield Stage(what, passed=True, words=f"{(time.perf_counter() - begun) * 1000:.0f} ms{words}")
    except NfcBridgeError as error:
        yield Stage("the links", passed=False, words=str(error))


def _stages(client: Any, transport: Any) -> Iterator[tuple[str, Callable[[], str]]]:  # noqa: ANN401 - of httpx2
    yield "found, activated, read for the first time", lambda: ask_echo(client, "first")
    yield "a large answer", lambda: ask_large(client)
    yield "an answer that the phone has to poll for", lambda: ask_slow(client)
    yield "lifted and put down again", lambda: ask_again(client, transport)
    yield f"{ROUNDS} small exchanges", lambda: ask_rounds(client)


def ask_echo(client: Any, text: str) -> str:  # noqa: ANN401
    """Send a text and get it back."""
    answer = client.post("/echo", json={"text": text}).json()
    if answer != {"text": text}:
        raise ValueError(f"what came back is not what was sent: {answer}")
    return ""


def ask_large(client: Any) -> str:  # noqa: ANN401
    """Get LARGE octets."""
    answer = client.get("/large").json()
    if answer != {"large": "x" * LARGE}:
        raise ValueError(f"the large answer came back with {len(answer['large'])} octets")
    return f", {LARGE} octets"


def ask_slow(client: Any) -> str:  # noqa: ANN401
    """Get an answer that takes SLOW."""
    client.get("/slow").raise_for_status()
    return ""


def ask_again(client: Any, transport: Any) -> str:  # noqa: ANN401
    """Let the field go, and find the tag again."""
    transport.close()
    return ask_echo(client, "again")


def ask_rounds(client: Any) -> str:  # noqa: ANN401
    """Exchange a little ROUNDS times, and tell how long each took."""
    from nfcbridge.doctor.times import spread

    times = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        ask_echo(client, str(number))
        times.append(time.perf_counter() - begun)
    return f"; {spread(times)}"
