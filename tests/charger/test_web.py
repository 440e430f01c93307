"""What HTTP has beside the interface: the document, the pages, and who may use them from where."""

from pathlib import Path

import pytest

from nfcbridge.charger.openapi import document
from nfcbridge.charger.web import CORS_METHODS, DOCUMENT, FILES, PAGES, create_web
from tests.charger.core import Core

ORIGIN = "https://app.example"
PATHS = [DOCUMENT, *FILES]


@pytest.fixture
def web() -> Core:
    core = Core()
    core.app = create_web(core.app)  # type: ignore[assignment]
    return core


@pytest.fixture
def open_web() -> Core:
    core = Core()
    core.app = create_web(core.app, cors=[ORIGIN])  # type: ignore[assignment]
    return core


# Document and pages


def test_the_document_is_served_without_a_session(web: Core) -> None:
    reply = web.call("GET", "/v1/openapi.json")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.octets == document()


@pytest.mark.parametrize(
    ("path", "media_type", "words"),
    [
        ("/", "text/html; charset=utf-8", b'href="v1/docs"'),
        ("/v1/docs", "text/html; charset=utf-8", b'src="docs/docs.js"'),
        ("/v1/docs/docs.js", "text/javascript; charset=utf-8", b'from "./sha256.js"'),
        ("/v1/docs/sha256.js", "text/javascript; charset=utf-8", b"export function sha256"),
        ("/v1/docs/docs.css", "text/css; charset=utf-8", b"body {"),
        ("/v1/docs/icon.svg", "image/svg+xml", b"<svg "),
    ],
)
def test_the_pages_are_served_without_a_session(web: Core, path: str, media_type: str, words: bytes) -> None:
    reply = web.call("GET", path)
    assert reply.status == 200
    assert reply.headers["content-type"] == media_type
    assert words in reply.octets


def test_every_page_that_there_is_is_served_and_no_other_file() -> None:
    assert {path.name for path in PAGES.iterdir()} == set(FILES.values())
    assert all(Path(name).name == name for name in FILES.values())


@pytest.mark.parametrize("path", PATHS)
def test_the_policy_of_a_page_lets_it_load_and_run_what_comes_from_here_alone(web: Core, path: str) -> None:
    headers = web.call("GET", path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_no_page_names_another_place(web: Core, path: str) -> None:
    text = web.call("GET", path).octets.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"http://" not in text
    assert b"https://" not in text


@pytest.mark.parametrize("path", PATHS)
def test_what_a_browser_has_already_is_not_sent_again(web: Core, path: str) -> None:
    tag = web.call("GET", path).headers["etag"]
    again = web.call("GET", path, headers=[(b"if-none-match", f'"x", {tag}'.encode())])
    assert (again.status, again.octets) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "no-cache"
    assert web.call("GET", path, headers=[(b"accept", b"*/*"), (b"if-none-match", b'"x"')]).status == 200


@pytest.mark.parametrize("path", PATHS)
def test_head_of_a_page_has_the_head_of_get(web: Core, path: str) -> None:
    got, head = (web.call(method, path) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.octets) == (200, got.headers, b"")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_can_only_be_read(web: Core, path: str) -> None:
    options = web.call("OPTIONS", path)
    assert (options.status, options.headers["allow"], options.octets) == (204, "GET, HEAD, OPTIONS", b"")
    for method in ("POST", "PUT", "DELETE"):
        reply = web.call(method, path)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert reply.content == {"success": False, "cause": "method not allowed"}


def test_options_of_no_path_in_particular_tells_that_the_server_is_there(web: Core) -> None:
    assert web.call("OPTIONS", "*").status == 204
    assert web.call("GET", "*").status == 401


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/docs/", "/v1/docs/../docs", "/v1/docs/web.py", "/docs", "//", "/v1/openapi.json/"]
)
def test_every_other_path_is_the_interface_s(web: Core, path: str) -> None:
    assert web.call("GET", path).status == 401


def test_the_interface_is_as_it_is_without_pages(web: Core) -> None:
    assert web.call("GET", "/v1/system_state", session=web.login()).content["systemState"] == "idle"


# CORS


def test_no_other_origin_may_use_the_interface_unless_it_was_named(web: Core) -> None:
    headers = [(b"origin", ORIGIN.encode())]
    assert "access-control-allow-origin" not in web.call("GET", "/v1/login", headers=headers).headers
    asked = [*headers, (b"access-control-request-method", b"GET")]
    reply = web.call("OPTIONS", "/v1/system_state", headers=asked)
    assert reply.status == 401
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("method", CORS_METHODS)
def test_a_named_origin_may_use_every_method_with_a_session_and_a_body(open_web: Core, method: str) -> None:
    reply = open_web.call(
        "OPTIONS",
        "/v1/system_state",
        headers=[
            (b"origin", ORIGIN.encode()),
            (b"access-control-request-method", method.encode()),
            (b"access-control-request-headers", b"authorization,content-type"),
            (b"access-control-request-private-network", b"true"),
        ],
    )
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert method in reply.headers["access-control-allow-methods"].split(", ")
    assert {"Authorization", "Content-Type"} <= set(reply.headers["access-control-allow-headers"].split(", "))
    assert reply.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in reply.headers


def test_a_named_origin_may_read_answers_refusals_and_when_to_try_again(open_web: Core) -> None:
    for target, status in (("/v1/login", 200), ("/v1/system_state", 401), ("/v1/openapi.json", 200)):
        reply = open_web.call("GET", target, headers=[(b"origin", ORIGIN.encode())])
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "Retry-After" in reply.headers["access-control-expose-headers"]
        assert "Origin" in reply.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://app.example.evil", "http://app.example", "https://app.example:444", "null"]
)
def test_another_origin_may_not(open_web: Core, origin: str) -> None:
    headers = [(b"origin", origin.encode())]
    assert "access-control-allow-origin" not in open_web.call("GET", "/v1/login", headers=headers).headers
    asked = [*headers, (b"access-control-request-method", b"GET")]
    reply = open_web.call("OPTIONS", "/v1/system_state", headers=asked)
    assert reply.status == 400
    assert "access-control-allow-origin" not in reply.headers


def test_without_an_origin_options_is_the_interface_s(open_web: Core) -> None:
    assert open_web.call("OPTIONS", "/v1/system_state").status == 401
    assert open_web.call("OPTIONS", "/v1/login").headers["allow"] == "GET, POST, HEAD, OPTIONS"
