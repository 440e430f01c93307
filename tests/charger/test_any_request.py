"""No request whatever makes the core fail: each is answered, as JSON, with a status that the interface has."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from nfcbridge.charger.operation import Operation
from nfcbridge.charger.routes import ROUTES
from tests.charger.core import Core

STATUSES = {200, 204, 400, 401, 403, 404, 405, 413, 414, 429}
# What fields of the interface are called, and what they may be: most that is made of these nearly fits.
NAMES = [
    "params", "key", "value", "userName", "type", "command", "tags", "id", "tagType", "number", "name", "userid",
    "priority", "username", "password", "from", "to", "ids", "descriptions",
]  # fmt: skip
VALUES = [
    "local", "add", "edit", "clear", "delete", "RFID", "NFC", "EVCCID", "HIGH", "NORMAL", "operator", "a", "b",
    "RfidMode_rfid", "RestApi_web", "RFID only", "Disabled", "Enabled (without UID)", "Name_app",
    "2019-11-23T19:35:43.511Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999-14:00", "0", "1", "a,b", "",
]  # fmt: skip

texts = st.sampled_from(VALUES) | st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=6),
    max_leaves=12,
)
bodies = st.none() | documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=40)
queries = st.lists(st.tuples(st.sampled_from(NAMES) | texts, texts), max_size=3).map(
    lambda pairs: "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, bytes | None]:
    """Method, path, query and body; three times in four of an operation that there is."""
    operation: Operation = draw(st.sampled_from(ROUTES))
    path = operation.path.replace("{userId}", draw(texts)).replace("{key}", draw(texts))
    method = operation.method if draw(st.integers(0, 3)) else draw(methods)
    return method, path, draw(queries), draw(bodies)


def check(core: Core, request: tuple[str, str, str, bytes | None], session: str) -> None:
    method, path, query, body = request
    reply = core.call(method, f"/v1{path}?{query}".partition("\x00")[0], session=session, body=body or b"")
    assert reply.status in STATUSES
    if reply.octets:
        content: Any = json.loads(reply.octets)
        assert isinstance(content, dict | list)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            assert set(content) in ({"success", "cause"}, {"logged_in", "message"})


@settings(max_examples=300, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=8))
def test_any_requests_are_answered(some: list[tuple[str, str, str, bytes | None]]) -> None:
    core = Core()
    session = core.login()
    for request in some:
        check(core, request, session)
