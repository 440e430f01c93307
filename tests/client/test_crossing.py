"""What of an HTTP request crosses NFC, and what is refused before anything is written."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from nfcbridge.client.crossing import Crossing, check_head, with_content
from nfcbridge.client.errors import NfcRefusedError
from nfcbridge.errors import LocalProtocolError

URL = "http://charger/x"


def cross(request: httpx2.Request) -> Crossing:
    return with_content(request, check_head(request), request.read())


def built(*, client: dict[str, Any] | None = None, **settings: Any) -> httpx2.Request:
    """A request as the client makes it, with all that it adds of itself."""
    return httpx2.Client(**client or {}).build_request(**{"method": "GET", "url": URL} | settings)


@pytest.mark.parametrize(
    ("request_", "crossing"),
    [
        (built(), Crossing("GET", "/x", None)),
        (built(method="delete"), Crossing("DELETE", "/x", None)),
        (built(url="http://charger"), Crossing("GET", "/", None)),
        (built(params={"a": "1 2", "b": "ü"}), Crossing("GET", "/x?a=1+2&b=%C3%BC", None)),
        (built(url="http://charger/a%2Fb?c#d"), Crossing("GET", "/a%2Fb?c", None)),
        (built(json={"a": [1, "ü"]}), Crossing("GET", "/x", None, '{"a":[1,"ü"]}'.encode())),
        (built(content=b' { "a" : 1.0 } '), Crossing("GET", "/x", None, b'{"a":1.0}')),
        (built(content=iter([b"[1", b",2]"])), Crossing("GET", "/x", None, b"[1,2]")),
        (built(headers={"authorization": "me"}), Crossing("GET", "/x", "me")),
        (built(client={"headers": {"Authorization": "me"}}), Crossing("GET", "/x", "me")),
        (built(headers={"content-type": "application/json; charset=utf-8"}), Crossing("GET", "/x", None)),
        (built(headers={"content-type": "application/merge-patch+json"}), Crossing("GET", "/x", None)),
        (built(headers={"accept": "application/json"}), Crossing("GET", "/x", None)),
        (built(headers={"accept": "text/html, application/*;q=0.8"}), Crossing("GET", "/x", None)),
        (built(headers={"user-agent": "mine"}), Crossing("GET", "/x", None)),
    ],
)
def test_this_crosses(request_: httpx2.Request, crossing: Crossing) -> None:
    assert cross(request_) == crossing


REFUSED: list[tuple[Callable[[], httpx2.Request], str]] = [
    (lambda: built(headers={"x-mine": "1"}), "the header x-mine does not cross NFC, only Authorization does"),
    (lambda: built(headers={"if-none-match": "1"}), "the header if-none-match does not cross"),
    (lambda: built(headers={"range": "bytes=1-"}), "the header range does not cross"),
    (lambda: built(client={"cookies": {"a": "b"}}), "cookies do not cross NFC"),
    (lambda: built(headers=[("Authorization", "a"), ("authorization", "b")]), "two Authorization headers"),
    (lambda: built(method="M-SEARCH"), "the method 'M-SEARCH' has other signs than letters"),
    (
        lambda: built(headers={"accept": "text/event-stream"}),
        "accept text/event-stream does not cross NFC: accept JSON",
    ),
    (lambda: built(method="POST", data={"a": "1"}), "content-type application/x-www-form-urlencoded does not cross"),
    (lambda: built(method="POST", files={"a": b"1"}), "content-type multipart/form-data; .* does not cross"),
    (lambda: built(headers={"content-type": "text/html; application/json"}), "content-type text/html"),
    (lambda: built(headers={"content-type": "application/jsonl"}), "content-type application/jsonl"),
    (lambda: built(content=b"hello"), "content that is not JSON"),
    (lambda: built(content=b"{} {}"), "content that is not JSON"),
    (lambda: built(content=b"\xef\xbb\xbf{}"), "content that is not JSON"),
    (lambda: built(content=b'"\xff"'), "content that is not JSON"),
    (lambda: built(content=b"[" * 100_000), "content that is not JSON"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_this_is_refused_with_what_to_do(make: Callable[[], httpx2.Request], reason: str) -> None:
    request = make()
    with pytest.raises(NfcRefusedError, match=reason) as refused:
        cross(request)
    assert refused.value.request is request
    assert isinstance(refused.value, httpx2.LocalProtocolError)
    assert isinstance(refused.value, LocalProtocolError)
