"""An emulator that serves through a reader, and what phones do with it whatever the reader is."""

import contextlib
import time
from queue import SimpleQueue
from typing import Any, Self

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from nfcbridge.client.phone import Phone
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import NfcBridgeError
from nfcbridge.isodep import Activated, DeselectConfirmed, PresenceConfirmed, ReaderLink, SendFrame
from nfcbridge.links import ReaderEnd
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.links.nfc.air import AirReader
from tests.links.running import PATIENCE

LONG = "x" * 3000
SLOW = 0.2  # seconds: three waiting times of 77 ms


async def long(_request: Request) -> JSONResponse:
    return JSONResponse({"long": LONG})


async def slow(_request: Request) -> JSONResponse:
    import anyio

    await anyio.sleep(SLOW)
    return JSONResponse({"slow": True})


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"got": await request.json()})


APP = Starlette(routes=[Route("/long", long), Route("/slow", slow), Route("/echo", echo, methods=["POST"])])


class Served:
    """An emulator on a reader, and what it told."""

    def __init__(self, name: str, app: Any = APP, **settings: Any) -> None:
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
        self.emulator = Emulator(app, [name], on_event=self.events.put, **settings)

    def __enter__(self) -> Self:
        self.emulator.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.emulator.stop()

    def wait_for(self, kind: type[told.EmulatorEvent]) -> told.EmulatorEvent:
        while not isinstance(event := self.events.get(timeout=PATIENCE), kind):
            pass
        return event

    def drain(self, kind: type[told.EmulatorEvent]) -> list[told.EmulatorEvent]:
        found = []
        while not self.events.empty():
            found.append(self.events.get())
        return [event for event in found if isinstance(event, kind)]


class Counting(AirReader):
    """Counts S(WTX) that pass."""

    waits = 0

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        frame = super().transceive(octets, timeout)
        if frame and frame[0] & 0xF7 == 0xF2:
            self.waits += 1
        return frame


class Torn(AirReader):
    """Is out of the field before the frame that `frames_left` counts down to."""

    frames_left = 0

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.frames_left -= 1
        if not self.frames_left:
            self.field_off()
        return super().transceive(octets, timeout)


def client_on(end: ReaderEnd) -> httpx2.Client:
    return httpx2.Client(transport=NfcTransport(end), base_url="http://charger", timeout=20)


def pump(air: ReaderEnd, link: ReaderLink, events: Any, wanted: type) -> None:
    while not any(isinstance(event, wanted) for event in events):
        (frame,) = [event.frame for event in events if isinstance(event, SendFrame)]
        answer = air.transceive(frame, PATIENCE)
        assert answer is not None
        events = link.receive_frame(answer, time.monotonic())


def read_and_write(session: Session) -> None:
    assert session.request("GET", "/system_state").status_code == 200
    assert session.request("POST", "/key_value_store", b'{"color":"blue"}').status_code < 300
    assert session.request("GET", "/key_value_store").json()["color"] == "blue"


def deselect_and_select_again(served: Served, air: AirReader) -> None:
    for number in range(3):
        air.activate(PATIENCE)
        link = ReaderLink()
        pump(air, link, link.rats(time.monotonic()), Activated)
        pump(air, link, link.presence_check(time.monotonic()), PresenceConfirmed)
        pump(air, link, link.deselect(time.monotonic()), DeselectConfirmed)
        served.wait_for(told.Reactivated if number else told.PhoneArrived)
    air.field_off()
    served.wait_for(told.PhoneLeft)


def pull_away_at_any_frame(served: Served, air: Torn) -> None:
    for moment in range(1, 12):  # RATS, four for the detection, the write, the READs
        air.frames_left = moment
        phone = Phone(air)
        with contextlib.suppress(NfcBridgeError):
            phone.exchange("POST", "/echo", content=b'{"n":1}', connect_timeout=0.2, read_timeout=2)
        phone.disconnect()
        air.frames_left = -1
        answer = Phone(air).exchange("POST", "/echo", content=b'{"n":%d}' % moment, read_timeout=20)
        assert answer.content == b'{"got":{"n":%d}}' % moment
        air.field_off()
        served.wait_for(told.PhoneLeft)
