"""The transport: client code for HTTP runs over NFC unchanged, sync and async, and fails as HTTP does."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from nfcbridge import errors
from nfcbridge.client import phone as phone_module
from nfcbridge.client.errors import (
    NfcConnectError,
    NfcConnectTimeout,
    NfcReadError,
    NfcReadTimeout,
    NfcRefusedError,
    NfcTagError,
)
from nfcbridge.client.transport import NfcTransport
from nfcbridge.links import open_reader
from nfcbridge.type4 import WriteOrder
from tests.client.ends import NOT_FOUND, ForeignTag, Overheard
from tests.server.hall import SOON, Desk
from tests.stack.octets import NOT_NOW, text_message

URL = "http://charger"


@pytest.fixture
def counted_from_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first messageID is 1."""
    monkeypatch.setattr(phone_module, "LOWEST_ID", 1)
    monkeypatch.setattr(phone_module, "HIGHEST_ID", 1)


@pytest.fixture(params=["memory:desk", "udp:127.0.0.1:0"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(request.param) as desk:
        yield desk


@pytest.fixture
def client(desk: Desk) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
        yield client


# What crosses


def test_a_client_for_http_runs_unchanged(client: httpx2.Client) -> None:
    response = client.post("/echo", params={"a": "1"}, json={"x": [1, "ü"]}, headers={"Authorization": "me"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "method": "POST",
        "path": "/echo",
        "query": "a=1",
        "authorization": "me",
        "type": "application/json",
        "client": response.json()["client"],
        "content": {"x": [1, "ü"]},
    }


def test_an_async_client_for_http_runs_unchanged(desk: Desk) -> None:
    async def run() -> list[Any]:
        async with httpx2.AsyncClient(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
            answers = await asyncio.gather(*(client.post("/echo", json=number) for number in range(20)))
            return [answer.json()["content"] for answer in answers]

    assert asyncio.run(run()) == list(range(20))
    assert len(desk.hall.calls) == 20


def test_many_threads_share_one_transport(client: httpx2.Client, desk: Desk) -> None:
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(client.post("/echo", json=number).json()["content"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert sorted(answers) == list(range(10))
    assert len(desk.hall.calls) == 10


def test_an_answer_without_content_has_no_content_type(client: httpx2.Client) -> None:
    response = client.get("/nothing")
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers


def test_the_passwords_of_a_client_cross_as_its_authorization(client: httpx2.Client) -> None:
    assert client.get("/echo", auth=("me", "secret")).json()["authorization"].startswith("Basic ")


def test_a_redirect_does_not_cross_and_is_not_followed(client: httpx2.Client, desk: Desk) -> None:
    response = client.get("/redirect", follow_redirects=True)
    assert (response.status_code, response.history) == (502, [])
    assert desk.hall.calls == ["GET /redirect"]


def test_the_tag_stays_activated_between_requests_and_what_was_done_is_counted(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    with httpx2.Client(transport=transport, base_url=URL, timeout=SOON) as client:
        for _ in range(3):
            client.get("/nothing")
    assert (transport.statistics.activations, transport.statistics.exchanges) == (1, 3)


@pytest.mark.usefixtures("counted_from_1")
def test_the_settings_reach_the_phone() -> None:
    sent: list[bytes] = []
    tag = ForeignTag([text_message(b'{"messageID":1,"statusCode":200}')])
    transport = NfcTransport(
        tag, write_order=WriteOrder.ONE, language="de", watch=lambda command, _response: sent.append(command)
    )
    assert httpx2.Client(transport=transport).get(URL).status_code == 200
    assert sent == tag.commands
    assert sent[4][7:14] == bytes.fromhex("D1012C54") + b"\x02de"


# What is refused


REFUSED: list[dict[str, Any]] = [{"headers": {"x-mine": "1"}}, {"content": b"no JSON"}]


@pytest.mark.parametrize("settings", REFUSED)
def test_what_cannot_cross_is_refused_before_anything_is_done_to_the_link(settings: dict[str, Any]) -> None:
    tag = ForeignTag()
    with httpx2.Client(transport=NfcTransport(tag)) as client, pytest.raises(NfcRefusedError):
        client.request("POST", URL, **settings)
    assert tag.log == []


@pytest.mark.parametrize("settings", REFUSED)
def test_an_async_client_is_refused_the_same(settings: dict[str, Any]) -> None:
    tag = ForeignTag()

    async def run() -> None:
        async with httpx2.AsyncClient(transport=NfcTransport(tag)) as client:
            with pytest.raises(NfcRefusedError):
                await client.request("POST", URL, **settings)

    asyncio.run(run())
    assert tag.log == []


def test_a_request_that_the_tag_cannot_hold_is_refused_and_the_next_one_goes_through(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    with httpx2.Client(transport=transport, base_url=URL, timeout=SOON) as client:
        with pytest.raises(NfcRefusedError, match="octets"):
            client.post("/echo", json="x" * 33_000)
        assert client.get("/echo").status_code == 200
    assert desk.hall.calls == ["GET /echo"]
    assert transport.statistics.activations == 1


# How it fails


def test_a_tag_that_does_not_come_is_a_connect_timeout_and_may_come_later() -> None:
    with httpx2.Client(transport=NfcTransport("memory:desk"), base_url=URL, timeout=0.01) as client:
        with pytest.raises(NfcConnectTimeout) as failed:
            client.get("/nothing")
        assert isinstance(failed.value, httpx2.ConnectTimeout)
        assert isinstance(failed.value, errors.LinkTimeoutError)
        assert failed.value.request.url == f"{URL}/nothing"
        with Desk():
            assert client.get("/nothing", timeout=SOON).status_code == 204


def test_a_link_that_cannot_be_opened_is_a_connect_error_and_is_opened_when_it_can() -> None:
    other = open_reader("memory:desk")
    with Desk(), httpx2.Client(transport=NfcTransport("memory:desk"), base_url=URL, timeout=SOON) as client:
        with pytest.raises(NfcConnectError, match="memory:desk has a reader already") as failed:
            client.get("/nothing")
        assert isinstance(failed.value, httpx2.ConnectError)
        assert isinstance(failed.value, errors.LinkError)
        other.close()
        assert client.get("/nothing").status_code == 204


def test_a_link_that_does_not_exist_is_a_config_error() -> None:
    with httpx2.Client(transport=NfcTransport("nothing:at-all")) as client, pytest.raises(errors.ConfigError):
        client.get(URL)


@pytest.mark.usefixtures("counted_from_1")
def test_a_tag_that_has_no_ndef_file_or_refuses_a_write_is_a_remote_protocol_error() -> None:
    tag = ForeignTag([text_message(b'{"messageID":%d,"statusCode":200}' % number) for number in (1, 3)])
    with httpx2.Client(transport=NfcTransport(tag), base_url=URL) as client:
        tag.responses = [NOT_FOUND, NOT_FOUND]
        with pytest.raises(NfcTagError) as failed:
            client.get("/a")
        assert client.get("/a").status_code == 200
        tag.responses = [NOT_NOW]
        with pytest.raises(NfcTagError, match=r"6985.*: wait 10 s, or read it first$"):
            client.get("/a")
        assert client.get("/a", timeout=SOON).status_code == 200
        tag.responses = [NOT_FOUND]
        with pytest.raises(NfcTagError, match=r"6A82, file or application not found$"):
            client.get("/a")
    assert isinstance(failed.value, httpx2.RemoteProtocolError)
    assert isinstance(failed.value, errors.RemoteProtocolError)


def test_an_answer_that_does_not_come_in_time_is_a_read_timeout(client: httpx2.Client, desk: Desk) -> None:
    with pytest.raises(NfcReadTimeout) as failed:
        client.get("/wait", timeout=httpx2.Timeout(SOON, read=0.1))
    assert isinstance(failed.value, httpx2.ReadTimeout)
    assert isinstance(failed.value, errors.LinkTimeoutError)
    desk.hall.gate.open()
    assert client.get("/nothing").status_code == 204


@pytest.mark.parametrize(("order", "maybe"), [(None, True), (WriteOrder.NLEN_FIRST, False)])
def test_a_tag_that_is_taken_away_for_good_is_a_read_error_that_says_what_may_have_happened(
    order: WriteOrder | None, *, maybe: bool
) -> None:
    with Desk() as desk:
        end = Overheard(open_reader(desk.name))
        air = end.air

        def torn(octets: bytes, timeout: float) -> bytes | None:
            if octets[2:3] == b"\xd6":
                raise errors.FieldLostError("lifted")
            return air(octets, timeout)

        told = "may have been" if maybe else "was not"
        with httpx2.Client(transport=NfcTransport(end, write_order=order), base_url=URL, timeout=SOON) as client:
            end.air = torn
            with pytest.raises(NfcReadError, match=f"lifted: the request {told} executed") as failed:
                client.get("/nothing", timeout=httpx2.Timeout(SOON, read=0.1))
            assert failed.value.maybe_executed is maybe
            end.air = air
            assert client.get("/nothing").status_code == 204
    assert isinstance(failed.value, httpx2.ReadError)
    assert isinstance(failed.value, errors.LinkError)


@pytest.mark.parametrize("seconds", [None, 1e300])
def test_a_client_may_wait_for_ever(client: httpx2.Client, seconds: float | None) -> None:
    assert client.get("/nothing", timeout=seconds).status_code == 204


def test_a_request_without_timeouts_has_those_of_a_phone(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    assert transport.handle_request(httpx2.Request("GET", f"{URL}/nothing")).status_code == 204
    transport.close()


def test_a_request_waits_for_another_as_long_as_the_client_says(client: httpx2.Client, desk: Desk) -> None:
    waiting = threading.Thread(target=client.get, args=("/wait",))
    waiting.start()
    assert desk.hall.gate.reached.wait(SOON)
    with pytest.raises(httpx2.PoolTimeout):
        client.get("/nothing", timeout=httpx2.Timeout(SOON, pool=0.01))
    desk.hall.gate.open()
    waiting.join(SOON)
    assert client.get("/nothing").status_code == 204
    assert desk.hall.calls == ["GET /wait", "GET /nothing"]


# Cancelled tasks


async def cancel_by_asyncio(work: Callable[[], Any], ready: threading.Event) -> None:
    task = asyncio.ensure_future(work())
    await asyncio.to_thread(ready.wait, SOON)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancel_by_anyio(work: Callable[[], Any], ready: threading.Event) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await asyncio.to_thread(ready.wait, SOON)
        group.cancel_scope.cancel()


CANCELS = pytest.mark.parametrize("cancel", [cancel_by_asyncio, cancel_by_anyio])


@CANCELS
def test_a_cancelled_task_ends_at_once_and_the_link_is_taken_until_its_exchange_has_ended(
    desk: Desk, cancel: Callable[..., Any]
) -> None:
    async def run() -> int:
        async with httpx2.AsyncClient(transport=NfcTransport(desk.name), base_url=URL, timeout=SOON) as client:
            await cancel(lambda: client.get("/wait"), desk.hall.gate.reached)
            with pytest.raises(httpx2.PoolTimeout):
                await client.get("/nothing", timeout=httpx2.Timeout(SOON, pool=0.01))
            desk.hall.gate.open()
            return (await client.get("/echo")).status_code

    assert asyncio.run(run()) == 200
    assert desk.hall.calls == ["GET /wait", "GET /echo"]


@CANCELS
def test_a_task_that_is_cancelled_before_its_turn_sends_nothing(desk: Desk, cancel: Callable[..., Any]) -> None:
    queued = threading.Event()

    class Transport(NfcTransport):
        def _exchange(self, request: httpx2.Request, *others: Any) -> httpx2.Response:
            if request.url.path == "/nothing":
                queued.set()
            return super()._exchange(request, *others)

    async def run() -> None:
        async with httpx2.AsyncClient(transport=Transport(desk.name), base_url=URL, timeout=SOON) as client:
            waiting = asyncio.ensure_future(client.get("/wait"))
            await asyncio.to_thread(desk.hall.gate.reached.wait, SOON)
            await cancel(lambda: client.get("/nothing"), queued)
            desk.hall.gate.open()
            assert (await waiting).status_code == 200
            assert (await client.get("/echo")).status_code == 200

    asyncio.run(run())
    assert desk.hall.calls == ["GET /wait", "GET /echo"]


# Close


def test_closing_tears_an_exchange_of_another_thread_at_once(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    failed: list[Exception] = []

    def ask() -> None:
        with httpx2.Client(transport=transport, base_url=URL, timeout=None) as client:
            try:
                client.get("/wait")
            except httpx2.HTTPError as error:
                failed.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    assert desk.hall.gate.reached.wait(SOON)
    transport.close()
    waiting.join(SOON)
    assert [type(error) for error in failed] == [NfcReadError]


def test_closing_ends_the_wait_for_a_tag() -> None:
    end = Overheard(open_reader("memory:nobody"))
    transport = NfcTransport(end)
    activating = threading.Event()
    failed: list[Exception] = []

    def activate(timeout: float) -> Any:
        activating.set()
        return end.inside.activate(timeout)

    def ask() -> None:
        try:
            httpx2.Client(transport=transport, timeout=None).get(URL)
        except httpx2.HTTPError as error:
            failed.append(error)

    end.activate = activate  # type: ignore[method-assign]
    waiting = threading.Thread(target=ask)
    waiting.start()
    assert activating.wait(SOON)
    transport.close()
    waiting.join(SOON)
    assert [type(error) for error in failed] == [NfcConnectError]


def test_closing_twice_or_before_the_first_request_does_nothing() -> None:
    transport = NfcTransport("memory:nobody")
    transport.close()
    transport.close()
    asyncio.run(transport.aclose())


def test_after_a_close_the_link_is_opened_again_if_it_was_given_by_name(desk: Desk) -> None:
    transport = NfcTransport(desk.name)
    for _ in range(2):
        with httpx2.Client(transport=transport, base_url=URL, timeout=SOON) as client:
            assert client.get("/nothing").status_code == 204
    assert transport.statistics.activations == 2


@pytest.mark.usefixtures("counted_from_1")
def test_an_end_that_was_given_is_closed_with_the_transport() -> None:
    tag = ForeignTag([text_message(b'{"messageID":1,"statusCode":200}')])
    with httpx2.Client(transport=NfcTransport(tag)) as client:
        client.get(URL)
        assert tag.log[-1] != "close"
    assert tag.log[-1] == "close"
    with httpx2.Client(transport=NfcTransport(tag)) as client, pytest.raises(NfcConnectError):
        client.get(URL)


# The trace


def test_the_frames_are_recorded_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "air.jsonl"
    with Desk() as desk:
        transport = NfcTransport(desk.name, trace=path)
        with httpx2.Client(transport=transport, base_url=URL, timeout=SOON) as client:
            client.get("/nothing")
    header, *frames = (json.loads(line) for line in path.read_text().splitlines())
    assert (header["nfcbridge_trace"], header["level"], header["link"]) == (1, "blocks", "memory:desk")
    assert frames[0]["on"] is True
    assert frames[1]["hex"] == "e080"
    assert frames[-1]["on"] is False


def test_a_trace_that_cannot_be_written_is_a_config_error_and_leaves_the_link_free(tmp_path: Path) -> None:
    with httpx2.Client(transport=NfcTransport("memory:desk", trace=tmp_path)) as client:
        with pytest.raises(errors.ConfigError, match="cannot write the trace"):
            client.get(URL)
        open_reader("memory:desk").close()
