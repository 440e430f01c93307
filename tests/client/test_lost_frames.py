"""Bad reception through the real server: whatever is lost, and wherever, no request is executed twice."""

import contextlib
from collections.abc import Iterator

import pytest

from nfcbridge.client.phone import Phone
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import FieldLostError, LinkTimeoutError
from nfcbridge.isodep import OUR_HISTORICAL, Ats
from nfcbridge.links import open_reader
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.settings import CardSettings
from nfcbridge.type4 import WriteOrder
from tests.client.ends import Overheard
from tests.server.apps import OK
from tests.server.hall import SOON, Desk

LONG = b'"%s"' % (b"x" * 600)
BOTH_WAYS = pytest.mark.parametrize("heard", [True, False], ids=["answer lost", "frame lost"])


class Counting:
    """An application that notes the query of each call."""

    def __init__(self) -> None:
        self.queries: list[bytes] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.queries.append(scope["query_string"])
            for message in OK:
                await send(message)


class Air:
    """Loses one frame, or its answer, or the field at it.

    Attributes:
        count: frames of the reader since `lose`.
    """

    def __init__(self, end: Overheard, *, heard: bool, field: bool) -> None:
        self.count = 0
        self._end = end
        self._carry = end.air
        self._heard = heard
        self._field = field
        self._lost = 0
        end.air = self._transceive

    def lose(self, number: int) -> None:
        """Lose the frame of this number from now on: 1, 2, 3 ..., 0 for none."""
        self.count = 0
        self._lost = number

    def _transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.count += 1
        if self.count != self._lost:
            return self._carry(octets, timeout)
        if self._heard:
            self._carry(octets, timeout)
        if self._field:
            self._end.inside.field_off()
            raise FieldLostError("lifted")
        return None


@pytest.fixture
def app() -> Iterator[Counting]:
    app = Counting()
    patient = CardSettings(ats=Ats(fwi=14, historical=OUR_HISTORICAL))  # no S(WTX) among the frames, however busy it is
    with Emulator(app, ["memory:lossy"], card=patient):
        yield app


@pytest.fixture
def end(app: Counting) -> Iterator[Overheard]:  # noqa: ARG001 - the emulator is there before the reader
    end = Overheard(open_reader("memory:lossy"))
    yield end
    end.close()


@BOTH_WAYS
@pytest.mark.parametrize("order", [None, WriteOrder.NLEN_FIRST, WriteOrder.FIRST_CHUNK])
def test_whatever_frame_is_lost_the_request_is_executed_once_and_answered(
    app: Counting, end: Overheard, order: WriteOrder | None, heard: bool
) -> None:
    air = Air(end, heard=heard, field=False)
    phone = Phone(end, order=order)
    phone.connect()
    air.lose(0)
    phone.exchange("POST", "/x?0", content=LONG)
    frames = air.count
    for number in range(1, frames + 1):
        air.lose(number)
        assert phone.exchange("POST", f"/x?{number}", content=LONG).content == b'{"ok":true}'
    assert frames >= 4
    assert app.queries == [b"%d" % number for number in range(frames + 1)]
    assert phone.statistics.activations == 1


@BOTH_WAYS
@pytest.mark.parametrize("order", [None, WriteOrder.NLEN_FIRST, WriteOrder.FIRST_CHUNK])
def test_wherever_the_field_is_lost_the_request_is_executed_once_and_answered(
    app: Counting, end: Overheard, order: WriteOrder | None, heard: bool
) -> None:
    air = Air(end, heard=heard, field=True)
    phone = Phone(end, order=order)
    phone.exchange("POST", "/x?0", content=LONG)
    phone.disconnect()
    air.lose(0)
    phone.exchange("POST", "/x?whole", content=LONG)
    frames = air.count
    for number in range(1, frames + 1):  # activation and detection included
        phone.disconnect()
        air.lose(number)
        assert phone.exchange("POST", f"/x?{number}", content=LONG).content == b'{"ok":true}'
    assert frames >= 9
    assert app.queries == [b"0", b"whole", *(b"%d" % number for number in range(1, frames + 1))]
    assert phone.statistics.recovered >= 1


@pytest.mark.parametrize("seed", [4, 6, 8])
def test_a_tag_is_found_although_every_tenth_frame_is_lost_and_a_request_is_executed_once_at_most(seed: int) -> None:
    with Desk() as desk:
        phone = Phone(open_reader(f"faulty:{desk.name}?seed={seed}&loss=0.1"))
        phone.connect(SOON)
        with contextlib.suppress(LinkTimeoutError):  # lost once too often: it may have been executed
            assert phone.exchange("GET", "/nothing").status == 204
            assert desk.hall.calls == ["GET /nothing"]
        assert len(desk.hall.calls) <= 1
        phone.close()
