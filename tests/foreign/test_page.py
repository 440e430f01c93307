"""The page to read and try the interface, in a real browser."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from nfcbridge.charger import Controller, FixedPasswords, Role, create_app
from nfcbridge.charger.openapi import document
from nfcbridge.charger.operation import respond_empty
from nfcbridge.charger.routes import ROUTES
from nfcbridge.charger.web import create_web
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.server.apploop import AppLoop
from tests.conftest import Peers
from tests.foreign.browser import Page, browsing

pytestmark = pytest.mark.foreign

# A name that is not this machine's for the browser: what comes from there over plain HTTP is no secure context.
ELSEWHERE = "charger.example"


@pytest.fixture(scope="module")
def page(peers: Peers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = peers.program("chromium", package="chromium")
    rule = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1, MAP *.invalid ~NOTFOUND"
    with browsing(program, tmp_path_factory.mktemp("browser"), rule) as opened:
        yield opened


@pytest.fixture
def core() -> Any:
    return create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "Straße"})))


@pytest.fixture
def port(core: Any) -> Iterator[int]:
    with AppLoop(core) as loop:
        yield loop.serve_http("127.0.0.1", 0, app=create_web(core)).port


def open_operation(page: Page, name: str) -> None:
    page.evaluate(f"document.getElementById('operation-{name}').open = true")
    page.wait_for(f"document.querySelector('#operation-{name} button')")


def send(page: Page, name: str) -> Any:
    """Press the button of an operation; the first line of the answer, and its content."""
    page.evaluate(f"document.querySelector('#operation-{name} button').click()")
    page.wait_for(
        f"document.querySelector('#operation-{name} [aria-live] pre')"
        f" && !document.querySelector('#operation-{name} button').disabled"
    )
    line, text = (
        page.evaluate(f"document.querySelector('#operation-{name} [aria-live] {tag}').textContent")
        for tag in ("p", "pre")
    )
    return line.split()[0], json.loads(text)


def log_in(page: Page, password: str) -> str:
    before = page.evaluate("document.getElementById('session').textContent")
    page.evaluate(f"document.getElementById('password').value = {json.dumps(password)}")
    page.evaluate("document.querySelector('#login button').click()")
    page.wait_for(f"document.getElementById('session').textContent !== {json.dumps(before)}")
    text: str = page.evaluate("document.getElementById('session').textContent")
    return text


def test_it_shows_every_operation_and_loads_nothing_from_elsewhere(page: Page, port: int) -> None:
    page.complaints.clear()
    page.loaded.clear()
    page.open(f"http://127.0.0.1:{port}/v1/docs")
    page.wait_for("document.querySelector('details')")
    shown = page.evaluate("[...document.querySelectorAll('details')].map((one) => one.id.replace('operation-', ''))")
    assert sorted(shown) == sorted(row.name for row in ROUTES)
    for name in shown:
        open_operation(page, name)
    assert page.complaints == []
    assert {url.partition("/v1/")[0] for url in page.loaded} == {f"http://127.0.0.1:{port}"}
    assert len(page.loaded) >= 5  # page, style, two scripts, document


def test_the_start_page_leads_to_it(page: Page, port: int) -> None:
    page.complaints.clear()
    page.open(f"http://127.0.0.1:{port}/")
    links = page.evaluate("[...document.querySelectorAll('a')].map((link) => link.href)")
    assert links == [f"http://127.0.0.1:{port}/v1/docs", f"http://127.0.0.1:{port}/v1/openapi.json"]
    assert page.complaints == []


def test_it_logs_in_and_out_also_where_the_browser_offers_no_hash_function(page: Page, port: int) -> None:
    page.open(f"http://{ELSEWHERE}:{port}/v1/docs")
    page.wait_for("document.querySelector('details')")
    assert page.evaluate("crypto.subtle === undefined")
    open_operation(page, "getSystemState")
    assert send(page, "getSystemState")[0] == "401"
    assert log_in(page, "wrong") == "401: Login failed"
    assert log_in(page, "Straße") == "Logged in as operator; ends 60 s after a call"
    assert page.evaluate("document.getElementById('password').value") == ""
    status, content = send(page, "getSystemState")
    assert (status, content["systemState"]) == ("200", "idle")
    page.evaluate("document.getElementById('logout').click()")
    page.wait_for("document.getElementById('session').textContent === 'Logged out'")
    assert send(page, "getSystemState")[0] == "401"


def test_its_hash_function_is_sha_256(page: Page, port: int) -> None:
    texts = [*("a" * length for length in range(130)), "\u00fc\u20ac\U0001f600" * 30, "x" * 10_000]
    page.open(f"http://127.0.0.1:{port}/v1/docs")
    hashes = page.evaluate(
        f"import('/v1/docs/sha256.js').then(({{ sha256 }}) => {json.dumps(texts)}.map((text) => sha256(text)))"
    )
    assert hashes == [hashlib.sha256(text.encode()).hexdigest() for text in texts]


NASTY = "</pre><img src=x onerror='window.caught = 1'><script>window.caught = 1</script>"


@pytest.mark.parametrize("hostile", [{NASTY: NASTY}, NASTY])
def test_what_the_server_says_is_shown_as_text(page: Page, hostile: object) -> None:
    octets = json.dumps(hostile).encode()

    async def core(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": octets})

    with AppLoop(core) as loop:
        port = loop.serve_http("127.0.0.1", 0, app=create_web(core)).port
        page.open(f"http://127.0.0.1:{port}/v1/docs")
        page.wait_for("document.querySelector('details')")
        open_operation(page, "getSystemState")
        assert send(page, "getSystemState") == ("200", hostile)
        assert page.evaluate("document.querySelector('img, main script') === null && window.caught === undefined")


def test_a_document_that_does_not_come_is_told(page: Page) -> None:
    async def core(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await respond_empty(send, 500, [])

    broken = create_web(core)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (core if scope["path"].endswith(".json") else broken)(scope, receive, send)

    with AppLoop(core) as loop:
        port = loop.serve_http("127.0.0.1", 0, app=app).port
        page.open(f"http://127.0.0.1:{port}/v1/docs")
        page.wait_for("document.querySelector('main .failed')")


def test_an_operation_is_sent_with_what_was_typed_in(page: Page) -> None:
    seen: list[tuple[str, bytes]] = []

    async def core(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = (await receive()).get("body", b"")
            seen.append((f"{scope['method']} {scope['raw_path'].decode()}?{scope['query_string'].decode()}", body))
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b'{"success":false,"cause":"made up"}'})

    made_up = json.loads(document())
    made_up["paths"] = {
        "/x/{key}": {
            "put": {
                "operationId": "made",
                "tags": made_up["tags"][0]["name"],
                "summary": "",
                "x-evidence": "inferred",
                "parameters": [
                    {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "example": "a/b ü"},
                    {"name": "ids", "in": "query", "required": True, "schema": {"type": "string"}, "example": "1,2"},
                    {"name": "more", "in": "query", "required": False, "schema": {"type": "string"}, "example": "3"},
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"type": "object"},
                            "examples": {"one": {"value": {"a": 1}}, "two": {"value": {"a": 2}}},
                        }
                    },
                },
                "responses": {"200": {"description": ""}},
            }
        }
    }
    octets = json.dumps(made_up).encode()
    web = create_web(core)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith(".json"):
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": octets})
        else:
            await web(scope, receive, send)

    with AppLoop(core) as loop:
        port = loop.serve_http("127.0.0.1", 0, app=app).port
        page.open(f"http://127.0.0.1:{port}/v1/docs")
        page.wait_for("document.querySelector('details')")
        open_operation(page, "made")
        assert send(page, "made") == ("200", {"success": False, "cause": "made up"})
        page.evaluate(
            "((choice) => { choice.value = '1'; choice.dispatchEvent(new Event('change')); })"
            "(document.querySelector('#operation-made select'))"
        )
        send(page, "made")
    assert seen[0] == ("PUT /v1/x/a%2Fb%20%C3%BC?ids=1%2C2", b'{\n  "a": 1\n}')
    assert seen[1][1] == b'{\n  "a": 2\n}'
