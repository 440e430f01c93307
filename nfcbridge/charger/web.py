"""What HTTP has beside the interface: the OpenAPI document, and a page to read and try it. Nothing of it is on NFC.

    /                  a page with links
    /v1/docs           the page, with its style and scripts below
    /v1/openapi.json   the document
    other paths        the interface

These need no session, since there is nothing in them that the program does not come with. The page loads nothing from
elsewhere, and its policy lets it not.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from nfcbridge.charger import policy
from nfcbridge.charger.operation import respond, respond_empty
from nfcbridge.charger.routes import BASE_PATH

PAGES: Final = Path(__file__).with_name("pages")

DOCUMENT: Final = f"{BASE_PATH}/openapi.json"

# By path: a file of PAGES.
FILES: Final[Mapping[str, str]] = {
    "/": "index.html",
    f"{BASE_PATH}/docs": "docs.html",
    f"{BASE_PATH}/docs/docs.css": "docs.css",
    f"{BASE_PATH}/docs/docs.js": "docs.js",
    f"{BASE_PATH}/docs/sha256.js": "sha256.js",
    f"{BASE_PATH}/docs/icon.svg": "icon.svg",
}

MEDIA_TYPES: Final[Mapping[str, bytes]] = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".json": b"application/json",
}

# Scripts and styles of our own files alone, nothing inline, and no text ever parsed as HTML (trusted-types). Not
# strict-transport-security: it would hold for every port of this host, and for long after the emulator is gone.
SECURITY: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            b"require-trusted-types-for 'script'; trusted-types 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

ALLOW: Final = policy.allow(["GET", "HEAD", "OPTIONS"])

# What a page of another origin may send and read, once it is allowed at all.
CORS_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
CORS_REQUEST_HEADERS: Final = ("Authorization", "Content-Type")
CORS_HEADERS: Final = ("Allow", "Retry-After")


class Resource(NamedTuple):
    """What a path has, ready to be sent."""

    headers: tuple[tuple[bytes, bytes], ...]
    octets: bytes
    tag: bytes


class Web:
    """An ASGI application: documents and pages, and the interface for every other path.

    Args:
        core: the interface.
    """

    def __init__(self, core: ASGIApp) -> None:
        self._core = core
        self._resources: dict[str, Resource] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if path == "*" and scope["method"] == "OPTIONS":
            await respond_empty(send, HTTPStatus.NO_CONTENT, [])  # of the server as a whole there is nothing to tell
        elif path not in FILES and path != DOCUMENT:
            await self._core(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await self._send(scope, send, self._load(path))
        elif scope["method"] == "OPTIONS":
            await respond_empty(send, HTTPStatus.NO_CONTENT, [ALLOW])
        else:
            refusal = policy.wrong_method(ALLOW)
            await respond(send, refusal.status, policy.failed(str(refusal)), refusal.headers)

    def _load(self, path: str) -> Resource:
        # When it is asked for: most runs of the program never are.
        resource = self._resources.get(path)
        if resource is None:
            resource = self._resources[path] = make_resource(path)
        return resource

    @staticmethod
    async def _send(scope: Scope, send: Send, resource: Resource) -> None:
        known = next((value for name, value in scope["headers"] if name == b"if-none-match"), b"")
        if resource.tag in known:
            await respond_empty(send, HTTPStatus.NOT_MODIFIED, resource.headers)
            return
        length = (b"content-length", b"%d" % len(resource.octets))
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*resource.headers, length]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else resource.octets})


def make_resource(path: str) -> Resource:
    """What a path of DOCUMENT or FILES has."""
    if path == DOCUMENT:
        from nfcbridge.charger.openapi import document

        name, octets = path, document()
    else:
        name = FILES[path]
        octets = (PAGES / name).read_bytes()
    tag = b'"%s"' % sha256(octets).hexdigest()[:32].encode("ascii")
    headers = (
        (b"content-type", MEDIA_TYPES[Path(name).suffix]),
        (b"cache-control", b"no-cache"),  # kept, and asked for whether it is still the same
        (b"etag", tag),
        *SECURITY,
    )
    return Resource(headers, octets, tag)


def create_web(core: ASGIApp, *, cors: Sequence[str] = ()) -> ASGIApp:
    """The application that HTTP serves.

    Args:
        core: the interface, which NFC serves too.
        cors: origins, such as `http://localhost:5173`, whose pages may use the interface in a browser.
    """
    web = Web(core)
    if not cors:
        return web
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        web,
        allow_origins=cors,
        allow_methods=CORS_METHODS,
        allow_headers=CORS_REQUEST_HEADERS,
        allow_private_network=True,  # whoever names a page of the Internet here wants it to reach this machine
        expose_headers=CORS_HEADERS,
    )
