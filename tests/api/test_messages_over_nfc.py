"""Messages as the API reference writes them, and paths that reach nothing but the interface."""

import json
from collections.abc import Iterator

import pytest

from tests.api.doors import NfcDoor
from tests.api.running import log_in
from tests.api.world import World

# "Request/Response messaging", as it is printed there.
SAMPLE_REQUEST = """{
  "path": "/settings",
  "method" : "POST",
  "authorization" : "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5",
  "messageID" : "msg-id-increment"
}"""


@pytest.fixture(scope="module")
def nfc() -> Iterator[NfcDoor]:
    with NfcDoor(World()) as door:
        yield door


@pytest.fixture(scope="module")
def session(nfc: NfcDoor) -> str:
    return log_in(nfc, "operator")


def test_the_sample_request_has_the_sample_answer(nfc: NfcDoor) -> None:
    assert json.loads(nfc.exchange(SAMPLE_REQUEST)) == {"messageID": "msg-id-increment", "statusCode": 401}


def test_the_sample_request_with_a_session_and_a_document_is_done(nfc: NfcDoor, session: str) -> None:
    request = SAMPLE_REQUEST.replace("cdc630cd-5e5f-4587-8a1a-a2e83ae990b5", session)
    document = '\n,\n{ "params" : [ { "key" : "OperatorCurrentLimit_vehicleif" , "value" : 12 } ] }'
    header, content = json.loads(f"[{nfc.exchange(request + document)}]")
    assert header == {"messageID": "msg-id-increment", "statusCode": 200}
    assert content["params"] == [{"key": "OperatorCurrentLimit_vehicleif", "value": 12}]


@pytest.mark.parametrize("message_id", ['"a"', '""', "0", "-1", "1.5", "12345678901234567890", '"\\u00e4"'])
def test_a_message_id_comes_back_as_it_was_sent(message_id: str, nfc: NfcDoor) -> None:
    request = f'{{"path":"/login","method":"GET","messageID":{message_id}}}'
    assert nfc.exchange(request).startswith(f'{{"messageID":{message_id},"statusCode":200}},')


@pytest.mark.parametrize("path", ["/system_state", "/v1/system_state"])
def test_the_base_path_may_be_left_out(path: str, nfc: NfcDoor, session: str) -> None:
    assert nfc.call("GET", path, session=session).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1/v1/system_state",
        "//127.0.0.1/v1/system_state",
        "system_state",
        "",
        "/users/../system_state",
        "/users/./x",
        "/..",
        "/%2e%2e/system_state",
        "/users/%2E%2e/system_state",
        "/users/..%2fsystem_state",
        "/users\\..\\system_state",
        "/v1/../_sim/state",
        "/system_state#x",
        "/system state",
    ],
)
def test_a_path_that_leads_elsewhere_is_400(path: str, nfc: NfcDoor, session: str) -> None:
    assert nfc.call("GET", path, session=session).status == 400


@pytest.mark.parametrize(
    "path", ["/_sim", "/_sim/state", "/docs", "/openapi.json", "/v1/openapi.json", "/v2/login", "/"]
)
def test_nothing_else_of_the_server_is_there(path: str, nfc: NfcDoor, session: str) -> None:
    assert nfc.call("GET", path, session=session).status == 404
    assert nfc.call("GET", path).status == 401


@pytest.mark.parametrize("method", ["get", "Get", "GET ", "", "G3T"])
def test_a_method_is_in_capitals(method: str, nfc: NfcDoor, session: str) -> None:
    assert nfc.call(method, "/system_state", session=session).status == 400


@pytest.mark.parametrize("extra", [',{"a":1},{"b":2}', ",", ",,", ',{"a":1}}', " x", ",{'a':1}"])
def test_one_document_may_follow_and_nothing_else(extra: str, nfc: NfcDoor, session: str) -> None:
    request = f'{{"path":"/logout","method":"POST","authorization":"{session}","messageID":7}}{extra}'
    assert json.loads(nfc.exchange(request)) == {"messageID": 7, "statusCode": 400}
    assert nfc.call("GET", "/system_state", session=session).status == 200
