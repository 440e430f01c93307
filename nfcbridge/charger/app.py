"""The REST core as an ASGI application: an `Endpoint` for each path does the work.

Paths of the table are looked up here, since Starlette's way to them takes longer than most operations. Everything else
is Starlette's: keys with a slash in them, unknown paths, the lifespan.
"""

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

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


class Interface:
    """The application.

    Args:
        framework: knows every path.
        endpoints: by path, with a parameter in braces at the end or without one.
    """

    def __init__(self, framework: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._framework = framework
        self._endpoints: dict[str, Endpoint] = {}
        # By the path above the parameter, with its name.
        self._below: dict[str, tuple[str, Endpoint]] = {}
        for path, endpoint in endpoints.items():
            above, _, last = path.rpartition("/")
            if last.startswith("{"):
                self._below[above] = (last.strip("{}"), endpoint)
            else:
                self._endpoints[path] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, or live."""
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        path = scope["path"]
        endpoint = self._endpoints.get(path)
        parameters = {}
        if endpoint is None:
            above, _, value = path.rpartition("/")
            if value and above in self._below:
                name, endpoint = self._below[above]
                parameters = {name: value}
        if endpoint is None:
            await self._framework(scope, receive, send)
        else:
            scope["path_params"] = parameters
            await endpoint(scope, receive, send)


def _pattern(path: str) -> str:
    return BASE_PATH + path.replace("{key}", "{key:key}")


def create_app(controller: Controller, operations: Iterable[Operation] = ROUTES) -> Interface:
    """The application that serves the interface of this controller, every path of it below BASE_PATH."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    endpoints = {path: Endpoint(controller, rows) for path, rows in by_path.items()}
    app = Starlette(
        routes=[Route(_pattern(path), endpoint) for path, endpoint in endpoints.items()],
        lifespan=lambda _app: controller.running(),
    )
    # /v1/login/ is an unknown path and not a redirect, which no NFC message could carry.
    app.router.redirect_slashes = False
    app.router.default = _UnknownPath(Endpoint(controller, []), app.router.default)
    return Interface(app, {BASE_PATH + path: endpoint for path, endpoint in endpoints.items()})
