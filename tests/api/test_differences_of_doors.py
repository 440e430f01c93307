"""What the doors do not have in common: what fits a message, and what HTTP has beside it."""

import json
from contextlib import closing

import pytest

from nfcbridge.charger.routes import ROUTES
from tests.api.doors import BothDoors, CoreDoor, HttpDoor, read_reply
from tests.api.running import log_in
from tests.api.world import PASSWORDS, World

# Octets of the largest answer document (notes, "Documented limits and behaviour").
LARGEST_DOCUMENT = 32_755


def test_an_answer_that_no_message_can_be_is_413_over_nfc(world: World) -> None:
    with BothDoors(world) as door:
        session = log_in(door, "operator")
        for first in range(0, 60, 20):
            body = json.dumps({f"k{n}": "v" * 1000 for n in range(first, first + 20)})
            assert door.call("POST", "/key_value_store", session=session, body=body).status == 200
        answer = door.clients.call("GET", "/key_value_store", session=session)
        assert (answer.status, len(answer.content)) == (200, 60)
        assert door.call("GET", "/key_value_store", session=session).status == 413
        assert door.call("GET", "/key_value_store/k1", session=session).content == {"k1": "v" * 1000}
        assert len(door.failures) == 1  # whoever runs the server is told
        assert "GET /key_value_store: the answer has " in door.failures.pop()


def test_all_settings_fit_one_message_for_every_role(world: World) -> None:
    with BothDoors(world) as door:
        for role in PASSWORDS:
            session = log_in(door, role)
            over_http = door.clients.call("GET", "/settings", session=session)
            assert len(over_http.octets) <= LARGEST_DOCUMENT
            assert door.call("GET", "/settings", session=session).status == 200


def test_the_document_and_its_page_are_there_without_a_session_and_over_http_alone(world: World) -> None:
    with BothDoors(world) as door:
        document = door.clients.call("GET", "/openapi.json")
        assert (document.status, document.headers["content-type"]) == (200, "application/json")
        assert document.content["openapi"].startswith("3.")
        page = door.clients.call("GET", "/docs")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        session = log_in(door, "manufacturer")
        for path in ("/openapi.json", "/docs"):
            assert door.call("GET", path).status == 401
            assert door.call("GET", path, session=session).status == 404


def test_the_document_has_every_operation_and_how_it_is_known(world: World) -> None:
    with HttpDoor(world) as door:
        document = door.call("GET", "/openapi.json").content
        described = {
            (method.upper(), path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert described.keys() == {(operation.method, operation.path) for operation in ROUTES}
        for operation in [*described.values(), *document["components"]["schemas"].values()]:
            assert operation["x-evidence"] in {"documented", "predecessor", "inferred"}


def test_a_body_in_chunks_is_a_body(world: World) -> None:
    with HttpDoor(world) as door, closing(door.clients.connect()) as connection:
        headers = {"Authorization": log_in(door, "operator"), "Transfer-Encoding": "chunked"}
        pieces = iter([b'{"userNa', b'me": "J', b'enny"}'])
        connection.request("POST", "/v1/users", pieces, headers, encode_chunked=True)
        assert read_reply(connection).content["userName"] == "Jenny"


def test_a_connection_serves_one_request_after_the_other(world: World) -> None:
    with HttpDoor(world) as door, closing(door.clients.connect()) as connection:
        session = log_in(door, "operator")
        ports = set()
        for path in ("/v1/system_state", "/v1/nowhere", "/v1/users", "/v1/whitelist"):
            connection.request("GET", path, headers={"Authorization": session})
            assert read_reply(connection).status in {200, 404}
            ports.add(connection.sock.getsockname()[1])
        assert len(ports) == 1


def test_answers_are_nobodys_to_keep(world: World) -> None:
    with HttpDoor(world) as door:
        session = log_in(door, "operator")
        for path in ("/login", "/users", "/nowhere"):
            headers = door.call("GET", path, session=session).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in headers
            assert "set-cookie" not in headers


def test_error_bodies_are_sentences_without_what_was_sent(world: World) -> None:
    with HttpDoor(world) as door:
        session = log_in(door, "operator")
        for path in (
            "/nowhere/<script>",
            "/key_value_store/" + "secret" * 1000,
            "/whitelist?type=local&ids=" + "secret" * 300,
        ):
            reply = door.call("DELETE", path.replace("<", "%3C").replace(">", "%3E"), session=session)
            assert reply.status in {404, 414}
            assert reply.content == {"success": False, "cause": reply.content["cause"]}
            assert "script" not in reply.content["cause"]
            assert "secret" not in reply.content["cause"]


@pytest.mark.parametrize("kind", [CoreDoor, HttpDoor])
def test_all_pairs_that_there_can_be_may_come_in_one_request(kind: type[CoreDoor | HttpDoor], world: World) -> None:
    with kind(world) as door:
        session = log_in(door, "operator")
        too_many = json.dumps({f"k{n}": "v" * 1000 for n in range(1001)})
        answer = door.call("POST", "/key_value_store", session=session, body=too_many)
        assert answer.content == {"success": False, "cause": "too many entries"}
        for method, value in (("POST", "v" * 1000), ("PUT", "w" * 1000)):
            pairs = {f"k{n}": value for n in range(1000)}
            answer = door.call(method, "/key_value_store", session=session, body=json.dumps(pairs))
            assert answer.content == {"success": True}
            assert door.call("GET", "/key_value_store", session=session).content == pairs
