"""`/_sim`: what can be done to the simulation over HTTP, and what it tells.

    POST /_sim/plug ... power-cycle    the input of this name (point/inputs.py), its fields as JSON
    POST /_sim/advance                 {"time": "61s"}: move every clock of the charger
    POST /_sim/fault                   {"fault": "next=500"} (point/faults.py)
    GET  /_sim/state                   all of the charge point
    GET  /_sim/events                  server-sent events, beginning with `now`, which has the state

What POST answers has what followed at once, and the state after it. 409: it cannot happen now.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from nfcbridge.charger import policy
from nfcbridge.charger.bench.access import Access
from nfcbridge.charger.bench.feed import Event, Feed
from nfcbridge.charger.bench.tag import TagSide
from nfcbridge.charger.live import LiveCharger
from nfcbridge.charger.operation import read_body, respond
from nfcbridge.charger.point.duration import parse_duration
from nfcbridge.charger.point.effects import Effect
from nfcbridge.charger.point.faults import AnyFault, parse_fault
from nfcbridge.charger.point.inputs import AnyInput, Nfc, Pair
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.policy import RefusedError
from nfcbridge.errors import ConfigError, LocalProtocolError

CONTROL_PATH: Final = "/_sim"

# Octets of a request.
MAX_BODY: Final = 4_096
# Seconds of silence after which a stream says that it is still there.
HEARTBEAT: Final = 15.0

# Pairing and APDUs come over the interface.
ORDERS: Final = {kind.__struct_config__.tag: kind for kind in get_args(AnyInput) if kind not in (Pair, Nfc)}
_GET: Final = policy.allow(["GET"])
_POST: Final = policy.allow(["POST"])
_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move the clocks: `61s`, `1h30m`, or seconds."""

    time: str


class OrderFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault as `nfcbridge sim fault` takes it."""

    fault: str


class SimState(msgspec.Struct, frozen=True):
    """All that can be told.

    Attributes:
        time: UTC.
        clock: seconds of the charge point's clock.
        faults: those that are still to strike.
    """

    time: str
    clock: float
    faults: list[AnyFault]
    charger: PointState


class Followed(msgspec.Struct, frozen=True):
    """What followed from an order, and what is the case after it."""

    events: list[Effect]
    state: SimState


class Now(msgspec.Struct, frozen=True, tag_field="event", tag="now"):
    """What is the case as a stream begins."""

    state: SimState


class Room:
    """Where the simulation is driven. Of the loop's thread."""

    def __init__(self, charger: LiveCharger, feed: Feed, tag: TagSide) -> None:
        self.feed = feed
        self._charger = charger
        self._tag = tag

    def state(self) -> SimState:
        """All that can be told."""
        self._tag.flush()
        charger = self._charger
        state, now = charger.state(), charger.clock.simulated()
        return SimState(charger.clock.timestamp(now), round(now, 3), charger.faults.waiting(), state)

    def order(self, name: str, body: bytes) -> Followed:
        """Do what was asked for.

        Raises:
            RefusedError: 400, nobody can say what is meant; 409, it cannot happen now.
        """
        do = self._parse(name, body)
        self._tag.flush()
        events: list[Effect] = []
        unwatch = self._charger.watch(events.append)
        try:
            do()
        except LocalProtocolError as error:
            raise RefusedError(HTTPStatus.CONFLICT, str(error)) from error
        except ConfigError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        finally:
            unwatch()
        return Followed(events, self.state())

    def _parse(self, name: str, body: bytes) -> Callable[[], None]:
        charger = self._charger
        try:
            fields = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            if name == "advance":
                seconds = parse_duration(msgspec.convert(fields, Advance).time)
                return lambda: charger.advance(seconds)
            if name == "fault":
                fault = parse_fault(msgspec.convert(fields, OrderFault).fault)
                return lambda: charger.handle(fault)
            if name in ("error", "clear") and isinstance(fields.get("name"), str):
                check_name(fields["name"])
            happens = msgspec.convert(fields, ORDERS[name])
            return lambda: charger.handle(happens)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error


def check_name(name: str) -> None:
    """Raise ConfigError if there is no error or warning of this name."""
    if name not in MessageName.__members__.values():
        raise ConfigError(f"there is no error or warning {name!r}; there are {', '.join(MessageName)}")


class Control:
    """An ASGI application: the control of the simulation, and another one for every other path.

    Args:
        web: the other one.
        room: the simulation.
        access: who may.
    """

    def __init__(self, web: ASGIApp, room: Room, access: Access) -> None:
        self._web = web
        self._room = room
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{CONTROL_PATH}/"):
            await self._web(scope, receive, send)
            return
        try:
            self._access.check(scope)
            answer = await self._find(scope["path"][len(CONTROL_PATH) + 1 :], scope["method"])(scope, receive, send)
        except RefusedError as refusal:
            await respond(send, refusal.status, policy.failed(str(refusal)), refusal.headers)
        else:
            if answer is not None:
                await respond(send, HTTPStatus.OK, answer, [])

    def _find(self, name: str, method: str) -> "Answering":
        if name in ("state", "events"):
            if method != "GET":
                raise policy.wrong_method(_GET)
            return self._state if name == "state" else self._stream
        if name not in ORDERS and name not in ("advance", "fault"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "invalid path")
        if method != "POST":
            raise policy.wrong_method(_POST)
        return self._order

    async def _state(self, _scope: Scope, _receive: Receive, _send: Send) -> SimState:
        return self._room.state()

    async def _order(self, scope: Scope, receive: Receive, _send: Send) -> Followed:
        kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        if kind.partition(b";")[0].strip().lower() != b"application/json":
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, as application/json")
        body = await read_body(receive, MAX_BODY)
        return self._room.order(scope["path"][len(CONTROL_PATH) + 1 :], body)

    async def _stream(self, _scope: Scope, receive: Receive, send: Send) -> None:
        feed = self._room.feed
        now = Now(self._room.state())
        try:
            listener = feed.listen()
        except LocalProtocolError as error:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        leaving = asyncio.create_task(_disconnected(receive))
        leaving.add_done_callback(lambda _task: listener.end())
        try:
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": list(_STREAM)})
            events: list[Event] | None = [now]
            while events is not None:
                text = b"".join(map(format_event, events)) or b":\n\n"
                await send({"type": "http.response.body", "body": text, "more_body": True})
                events = await listener.take(HEARTBEAT)
            await send({"type": "http.response.body", "body": b""})
        finally:
            feed.leave(listener)
            leaving.cancel()


Answering = Callable[[Scope, Receive, Send], Awaitable[msgspec.Struct | None]]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def format_event(event: Event) -> bytes:
    """An event as a stream has it: its name, and one line of JSON, which has no line break in it."""
    name = str(event.__struct_config__.tag).encode()
    return b"event: %s\ndata: %s\n\n" % (name, msgspec.json.encode(event))
