"""The library as its README shows it: three names, and what they do."""

import importlib.metadata
import subprocess
import sys
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import nfcbridge
from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from tests.stack.octets import EMPTY_FILE, OK, SELECT_AID, SELECT_NDEF, read, text_message, write

SELECT_UNKNOWN = bytes.fromhex("00A4040007D276000085010200")
NOT_FOUND = bytes.fromhex("6A82")


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.query_params.get("name", "world")})


APP = Starlette(routes=[Route("/hello", hello)])


def test_an_application_is_served_and_asked_as_the_documentation_shows() -> None:
    with nfcbridge.serve(APP, "memory:desk"):
        client = httpx2.Client(transport=nfcbridge.NfcTransport("memory:desk"))
        assert client.get("http://charger/hello").json() == {"hello": "world"}
        client.close()


def test_the_udp_air_serves_the_same_application_by_the_name_that_the_emulator_tells() -> None:
    with nfcbridge.serve(APP, "udp:127.0.0.1:0") as emulator:
        (name,) = emulator.link_names
        with httpx2.Client(transport=nfcbridge.NfcTransport(name), timeout=20) as client:
            assert client.get("http://charger/hello", params={"name": "you"}).json() == {"hello": "you"}


def test_an_emulator_that_was_served_without_a_with_is_stopped_by_hand() -> None:
    emulator = nfcbridge.serve(APP, ["memory:one", "memory:two"])
    assert emulator.link_names == ["memory:one", "memory:two"]
    emulator.stop()
    nfcbridge.serve(APP, "memory:one").stop()


def test_an_open_card_end_is_served_like_a_name() -> None:
    from nfcbridge.links import CardIdentity, open_card

    end = open_card("memory:open", CardIdentity(uid=b"\x08\x01\x02\x03", ats=bytes.fromhex("0578804202")))
    with (
        nfcbridge.serve(APP, end) as emulator,
        httpx2.Client(transport=nfcbridge.NfcTransport("memory:open")) as client,
    ):
        assert client.get("http://charger/hello").status_code == 200
        assert emulator.link_names == ["memory:open"]


def test_a_session_with_the_charge_controller_is_two_lines() -> None:
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"})))
    with (
        nfcbridge.serve(app, "memory:charger", base_path=BASE_PATH),
        nfcbridge.Session(nfcbridge.NfcTransport("memory:charger"), "operator", "operator") as session,
    ):
        assert session.request("GET", "/system_state").json()["systemState"] == "idle"


def test_a_type_4_card_is_a_tag_alone() -> None:
    message = text_message(b"hello")
    card = nfcbridge.Type4Card(nfcbridge.CardConfig(mle=64), message)
    assert card.receive_command(SELECT_UNKNOWN) == (NOT_FOUND, None)
    for command in (SELECT_AID, SELECT_NDEF):
        assert card.receive_command(command) == (OK, None)
    response, report = card.receive_command(read(0, 2 + len(message)))
    assert response == len(message).to_bytes(2, "big") + message + OK
    assert report is not None
    written = text_message(b"good-bye")
    response, report = card.receive_command(write(written))
    assert response == OK
    assert report is not None
    assert vars_of(report) == {"message": written}
    card.publish(written)
    assert card.receive_command(read(2, len(written)))[0] == written + OK


def vars_of(report: Any) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__struct_fields__}


def test_a_type_4_card_holds_the_empty_message_at_first() -> None:
    card = nfcbridge.Type4Card()
    for command in (SELECT_AID, SELECT_NDEF):
        card.receive_command(command)
    assert card.receive_command(read(0, 5))[0] == EMPTY_FILE + OK


def test_every_error_of_ours_has_one_root() -> None:
    with pytest.raises(nfcbridge.NfcBridgeError):
        nfcbridge.serve(APP, "nothing:at-all")


@pytest.mark.parametrize("name", nfcbridge.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(nfcbridge, name).__name__ == name
    assert name in dir(nfcbridge)


def test_another_name_is_none_of_ours() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        nfcbridge.Nothing  # noqa: B018


def test_the_version_is_that_of_the_package() -> None:
    assert nfcbridge.__version__ == importlib.metadata.version("nfcbridge")


def test_importing_it_imports_nothing_that_is_not_used() -> None:
    program = "import sys, nfcbridge; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "nfcbridge" in loaded
    assert not loaded & {"asyncio", "httpx2", "starlette", "uvicorn", "msgspec", "ndef", "nfcbridge.errors"}
