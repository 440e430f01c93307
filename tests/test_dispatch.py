"""Dispatch: what of a request an application sees, and what of its response becomes the answer."""

import asyncio
import logging
import posixpath
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.dispatch import (
    MAX_BODY,
    MAX_CONTENT,
    App,
    ClientDisconnectedError,
    Message,
    Receive,
    Scope,
    Send,
    call_app,
    make_scope,
    parse_target,
)
from nfcbridge.errors import RequestError
from nfcbridge.framing.message import Answer, Request

GET = Request(path="/x", method="GET", authorization=None, message_id=b"7", content=b"")
JSON = [(b"content-type", b"application/json")]


def start(status: int = 200, headers: Iterable[tuple[bytes, bytes]] = JSON) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(octets: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": octets, "more_body": more}


def app_sending(*messages: Message) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class Asked:
    """Calls an application and keeps what was reported."""

    def __init__(self, app: App, request: Request = GET, **settings: Any) -> None:
        self.problems: list[str] = []
        self.errors: list[BaseException | None] = []
        self.answer = asyncio.run(call_app(app, request, report=self._report, **settings))

    def _report(self, problem: str, error: BaseException | None) -> None:
        self.problems.append(problem)
        self.errors.append(error)


def answer(app: App, request: Request = GET, **settings: Any) -> Answer:
    """The answer of an application with which nothing is wrong."""
    asked = Asked(app, request, **settings)
    assert asked.problems == []
    return asked.answer


# What the application sees


def test_the_application_sees_an_http_request() -> None:
    request = Request(
        path="/settings?params=A%2CB", method="POST", authorization="id", message_id=b"1", content=b'{"a":1}'
    )
    assert make_scope(request, client="udp:127.0.0.1:54321") == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/settings",
        "raw_path": b"/settings",
        "query_string": b"params=A%2CB",
        "root_path": "",
        "headers": [
            (b"host", b"nfc"),
            (b"authorization", b"id"),
            (b"content-type", b"application/json"),
            (b"content-length", b"7"),
        ],
        "client": ("udp:127.0.0.1:54321", 0),
        "server": ("nfc", None),
    }


def test_a_request_without_content_and_authorization_has_no_headers_for_them() -> None:
    assert make_scope(GET)["headers"] == [(b"host", b"nfc")]


@pytest.mark.parametrize(
    ("authorization", "header"),
    [("", b""), (" id\t", b"id"), ("Bearer id", b"Bearer id"), ("\u00fc", b"\xc3\xbc"), ("a\tb", b"a\tb")],
)
def test_an_authorization_crosses_as_an_http_header_would(authorization: str, header: bytes) -> None:
    request = Request(path="/x", method="GET", authorization=authorization, message_id=b"1", content=b"")
    assert (b"authorization", header) in make_scope(request)["headers"]


@pytest.mark.parametrize("control", ["\r\nx-forwarded-for: 1.2.3.4", "\n", "\0", "\x1f", "\x7f"])
def test_an_authorization_with_a_control_character_is_400(control: str) -> None:
    request = Request(path="/x", method="GET", authorization=f"id{control}", message_id=b"1", content=b"")
    assert answer(app_sending(start(), body(b"1")), request) == Answer(400, message_id=b"1")


def test_the_body_comes_in_one_piece_and_then_a_disconnect_once_the_answer_is_there() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        waiting = asyncio.gather(receive(), receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await send(start())
        await send(body(b"{}"))
        received.extend(await waiting)
        received.append(await receive())

    request = Request(path="/x", method="POST", authorization=None, message_id=b"7", content=b"[1]")
    assert answer(app, request) == Answer(200, b"{}", b"7")
    assert received == [
        {"type": "http.request", "body": b"[1]", "more_body": False},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


def test_a_request_has_its_own_copy_of_the_lifespan_state() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["state"])
        scope["state"]["a"] = 2
        await send(start(204))
        await send(body(b""))

    state = {"a": 1}
    answer(app, state=state)
    assert seen == [{"a": 2}]
    assert state == {"a": 1}


def test_without_a_lifespan_state_the_scope_has_none() -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(204 if "state" not in scope else 200))
        await send(body(b""))

    assert answer(app).status == 204


# Paths


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/login", "/v1/login", b""),
        ("/v1/login", "/v1/login", b""),
        ("/v1", "/v1", b""),
        ("/v1?a=b", "/v1", b"a=b"),
        ("/", "/v1/", b""),
        ("/v1x", "/v1/v1x", b""),
        ("/v10/login", "/v1/v10/login", b""),
        ("/_sim/state", "/v1/_sim/state", b""),
        ("/%76%31/login", "/v1/v1/login", b""),
        ("/a?b?c", "/v1/a", b"b?c"),
        ("/a?b=/../c", "/v1/a", b"b=/../c"),
        ("/a?", "/v1/a", b""),
    ],
)
def test_the_base_path_is_added_unless_it_is_there(target: str, path: str, query: bytes) -> None:
    parsed = parse_target(target, "/v1")
    assert (parsed.path, parsed.query_string) == (path, query)


@pytest.mark.parametrize(
    ("target", "path", "raw_path"),
    [
        ("/v1/login", "/v1/login", b"/v1/login"),
        ("/a%20b", "/a b", b"/a%20b"),
        ("/\u00fc", "/\u00fc", b"/%C3%BC"),
        ("/%C3%BC", "/\u00fc", b"/%C3%BC"),
        ("/%ff", "/\ufffd", b"/%ff"),
        ("/%zz", "/%zz", b"/%zz"),
        ("/a..b/.c/d.", "/a..b/.c/d.", b"/a..b/.c/d."),
        ("/%252e%252e/a", "/%2e%2e/a", b"/%252e%252e/a"),
        ("/a//b", "/a//b", b"/a//b"),
    ],
)
def test_a_path_is_decoded_once_and_kept_raw_beside_that(target: str, path: str, raw_path: bytes) -> None:
    parsed = parse_target(target)
    assert (parsed.path, parsed.raw_path) == (path, raw_path)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "login",
        "*",
        "http://127.0.0.1/login",
        "//127.0.0.1/login",
        "/../login",
        "/./login",
        "/a/..",
        "/a/.",
        "/v1/../_sim",
        "/v1/%2e%2e/_sim",
        "/%5C..",
        "/v1%5c..%5c_sim",
        "/v1/.%2E/_sim",
        "/v1/%2e/login",
        "/v1%2f..%2f_sim",
        "/v1%2F%2e%2e",
        "/v1\\..\\_sim",
        "/v1/..%5c_sim",
        "/a#b",
        "/a?b#c",
        "/a b",
        "/a\tb",
        "/a\r\nb",
        "/a\0",
        "/a\x7f",
        "/\ud800",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_400(target: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_target(target, "/v1")
    assert caught.value.status == 400
    request = Request(path=target, method="GET", authorization=None, message_id=b'"id"', content=b"")
    assert answer(app_sending(start(), body(b"1")), request, base_path="/v1") == Answer(400, message_id=b'"id"')


@given(
    st.text()
    | st.lists(st.sampled_from(["/", ".", "..", "%2e", "%2F", "%5c", "\\", "v1", "a", "?", "#", "%"]))
    .map("".join)
    .map("/".__add__)
)
def test_no_path_leaves_the_base_path(target: str) -> None:
    try:
        parsed = parse_target(target, "/v1")
    except RequestError:
        return
    normal = posixpath.normpath(parsed.path.replace("\\", "/"))
    assert normal == "/v1" or normal.startswith("/v1/")
    assert parsed.raw_path.startswith(b"/v1")


# What becomes of the response


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b'{ "a" : 1.0e5,\n "b": "\\u00fc \xc3\xbc" }\n', b'{"a":1.0e5,"b":"\\u00fc \xc3\xbc"}'),
        (b"[1, 2 ,{ }]", b"[1,2,{}]"),
        (b" 12345678901234567890123456789 ", b"12345678901234567890123456789"),
        (b'{"a":1,"a":2}', b'{"a":1,"a":2}'),
        (b'" a  b "', b'" a  b "'),
        (b"null", b"null"),
    ],
)
def test_json_crosses_compact_with_every_value_as_it_was_written(sent: bytes, content: bytes) -> None:
    assert answer(app_sending(start(), body(sent))) == Answer(200, content, b"7")


def test_a_body_sent_in_pieces_is_joined() -> None:
    assert answer(app_sending(start(), body(b"[1", more=True), body(b"", more=True), body(b",2]"))).content == b"[1,2]"


def test_an_empty_body_is_no_content() -> None:
    assert answer(app_sending(start(204, []), body(b""))) == Answer(204, b"", b"7")


def test_a_body_message_may_leave_its_fields_out() -> None:
    assert answer(
        app_sending({"type": "http.response.start", "status": 201}, {"type": "http.response.body"})
    ) == Answer(201, b"", b"7")


def test_the_answer_to_head_has_no_content() -> None:
    request = Request(path="/x", method="HEAD", authorization=None, message_id=b"7", content=b"")
    assert answer(app_sending(start(), body(b"{}")), request).content == b""


@pytest.mark.parametrize("status", [400, 401, 404, 500, 599])
def test_an_error_has_no_content_unless_the_switch_says_so(status: int) -> None:
    app = app_sending(start(status), body(b'{"cause": "x"}'))
    assert answer(app) == Answer(status, b"", b"7")
    assert answer(app, drop_error_content=False) == Answer(status, b'{"cause":"x"}', b"7")


def test_an_error_keeps_its_status_when_its_content_cannot_cross() -> None:
    app = app_sending(start(404, [(b"content-type", b"text/plain")]), body(b"Not Found"))
    assert answer(app, drop_error_content=False) == Answer(404, b"", b"7")


@pytest.mark.parametrize(
    "media_type",
    [b"application/json; charset=utf-8", b"Application/JSON", b"text/json", b"application/problem+json", None],
)
def test_json_is_taken_under_its_names_and_without_one(media_type: bytes | None) -> None:
    headers = [(b"x-other", b"1")] + ([(b"content-type", media_type)] if media_type else [])
    assert answer(app_sending(start(200, headers), body(b"{}"))).content == b"{}"


@pytest.mark.parametrize(
    ("media_type", "octets"),
    [
        (b"text/html", b"<p>"),
        (b"text/plain", b"12"),
        (b"application/jsonp", b"1"),
        (b"application/json", b"{"),
        (b"application/json", b"1 2"),
        (b"application/json", b"NaN"),
        (b"application/json", b'"\xff"'),
        (b"application/json", b"\xef\xbb\xbf{}"),
        (b"application/json", b"[" * 20_000),
    ],
)
def test_what_is_not_json_is_502(media_type: bytes, octets: bytes) -> None:
    asked = Asked(app_sending(start(200, [(b"content-type", media_type)]), body(octets)))
    assert asked.answer == Answer(502, b"", b"7")
    assert asked.problems == ["GET /x: the application answered other than JSON"]


def test_a_redirect_is_502() -> None:
    asked = Asked(app_sending(start(307, [(b"location", b"/y")]), body(b"")))
    assert asked.answer == Answer(502, b"", b"7")
    assert "redirected" in asked.problems[0]


def test_content_of_the_largest_size_crosses_and_one_octet_more_is_413() -> None:
    largest = b'"' + b"a" * (MAX_CONTENT - 2) + b'"'
    assert answer(app_sending(start(), body(b" " + largest))).content == largest
    asked = Asked(app_sending(start(), body(b'"a' + largest[1:])))
    assert asked.answer == Answer(413, b"", b"7")
    assert "32766" in asked.problems[0]


def test_the_largest_content_may_be_set() -> None:
    assert answer(app_sending(start(), body(b"[1]")), max_content=3).status == 200
    assert Asked(app_sending(start(), body(b"[10]")), max_content=3).answer.status == 413


def test_a_body_of_the_largest_size_is_read_and_one_octet_more_is_413() -> None:
    assert answer(app_sending(start(), body(b"1" + b" " * (MAX_BODY - 1)))).content == b"1"
    assert Asked(app_sending(start(), body(b"1" + b" " * MAX_BODY))).answer == Answer(413, b"", b"7")


def test_an_endless_stream_is_stopped_as_if_the_client_had_gone() -> None:
    raised: list[BaseException] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        try:
            while True:
                await send(body(b" " * 10_000, more=True))
        except OSError as error:
            raised.append(error)
            assert (await receive())["type"] == "http.disconnect"
            raise RuntimeError("in another guise") from error

    asked = Asked(app)
    assert asked.answer == Answer(413, b"", b"7")
    assert asked.problems == [f"GET /x: the application answered more than {MAX_BODY} octets"]
    assert isinstance(raised[0], ClientDisconnectedError)


# Applications that do what they should not


def test_an_application_that_raises_is_500() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("broken")

    asked = Asked(app)
    assert asked.answer == Answer(500, b"", b"7")
    assert asked.problems == ["GET /x: the application raised"]
    assert repr(asked.errors[0]) == "ValueError('broken')"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), BaseExceptionGroup("two", [SystemExit(1)])])
def test_nothing_that_an_application_raises_comes_through(error: BaseException) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        raise error

    assert Asked(app).answer == Answer(500, b"", b"7")


def test_an_answer_that_is_complete_stays_when_the_application_raises_afterwards() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"{}"))
        raise ValueError("a background task")

    asked = Asked(app)
    assert asked.answer == Answer(200, b"{}", b"7")
    assert asked.problems == ["GET /x: the application raised"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [start()],
        [start(), body(b"{}", more=True)],
    ],
)
def test_an_answer_that_is_never_completed_is_500(messages: list[Message]) -> None:
    asked = Asked(app_sending(*messages))
    assert asked.answer == Answer(500, b"", b"7")
    assert asked.problems == ["GET /x: the application ended without a complete answer"]


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"{}")],
        [start(), start()],
        [start(199)],
        [start(600)],
        [{"type": "http.response.push"}],
        [start(), {"type": "websocket.send"}],
    ],
)
def test_messages_that_asgi_forbids_are_refused(messages: list[Message]) -> None:
    asked = Asked(app_sending(*messages))
    assert asked.answer == Answer(500, b"", b"7")
    assert isinstance(asked.errors[0], RuntimeError)


def test_a_report_leaves_out_the_query_which_may_have_tag_ids_in_it() -> None:
    request = Request(path="/whitelist?ids=abcdef12", method="DELETE", authorization=None, message_id=b"1", content=b"")
    assert Asked(app_sending(), request).problems == [
        "DELETE /whitelist: the application ended without a complete answer"
    ]


def test_without_a_report_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("broken")

    assert asyncio.run(call_app(app, GET)).status == 500
    assert caplog.record_tuples == [("nfcbridge.dispatch", logging.ERROR, "GET /x: the application raised")]
    assert "ValueError: broken" in caplog.text


# When


def test_the_answer_is_told_once_and_before_the_application_has_returned() -> None:
    told: list[Answer] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        assert told == []
        await send(body(b"{}"))
        assert told == [Answer(200, b"{}", b"7")]

    answer(app, on_answer=told.append)
    assert told == [Answer(200, b"{}", b"7")]


def test_a_cancelled_call_is_cancelled() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await receive()

    async def main() -> None:
        task = asyncio.create_task(call_app(app, GET))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@given(
    path=st.text(max_size=20).map("/".__add__),
    authorization=st.none() | st.text(max_size=20),
    status=st.integers(100, 700),
    octets=st.binary(max_size=50) | st.sampled_from([b"{}", b"[1]", b""]),
)
def test_every_request_and_response_ends_in_an_answer(
    path: str, authorization: str | None, status: int, octets: bytes
) -> None:
    request = Request(path=path, method="GET", authorization=authorization, message_id=b"7", content=b"")
    asked = Asked(app_sending(start(status), body(octets)), request)
    assert asked.answer.message_id == b"7"
    assert asked.answer.status in {status, 400, 500, 502}
    assert not (asked.answer.content and asked.answer.status >= 400)
