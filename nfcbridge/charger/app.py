"""The REST core as an ASGI application: Starlette finds the path, an `Endpoint` does the rest."""

from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from nfcbridge.charger import policy
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Endpoint, Operation
from nfcbridge.charger.routes import BASE_PATH, ROUTES


class _Key(StringConvertor):
    """A key of the key-value store: any characters, a slash too, which reaches us decoded."""

    regex = "(?s:.+)"


register_url_convertor("key", _Key())


class _UnknownPath:
    """What Starlette calls when no route has the path; also for websockets, which it turns away itself."""

    def __init__(self, endpoint: Endpoint, otherwise: ASGIApp) -> None:
        self._endpoint = endpoint
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)


async def _our_fault(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again once this is sent, so that whoever runs the application can report it.
    body = msgspec.json.encode(policy.failed("internal error"))
    return Response(body, HTTPStatus.INTERNAL_SERVER_ERROR, media_type="application/json")


def _pattern(path: str) -> str:
    return BASE_PATH + path.replace("{key}", "{key:key}")


def create_app(controller: Controller, operations: Iterable[Operation] = ROUTES) -> Starlette:
    """The application that serves the interface of this controller, every path of it below BASE_PATH."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    app = Starlette(
        routes=[Route(_pattern(path), Endpoint(controller, rows)) for path, rows in by_path.items()],
        exception_handlers={Exception: _our_fault},
        lifespan=lambda _app: controller.running(),
    )
    # /v1/login/ is an unknown path and not a redirect, which no NFC message could carry.
    app.router.redirect_slashes = False
    app.router.default = _UnknownPath(Endpoint(controller, []), app.router.default)
    return app
