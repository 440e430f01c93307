"""nfcpy's udp driver as the reader at our card, and as the card at our reader."""

import socket
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import nfc.clf
import pytest

from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, open_card, open_reader
from tests.links.running import ATS, PATIENCE, UID4, UID7, RunningCard

pytestmark = pytest.mark.foreign

UID10 = bytes.fromhex("04010203040506070809")
RATS = bytes.fromhex("E080")


@pytest.fixture
def open_nfcpy() -> Iterator[Callable[[str], nfc.clf.ContactlessFrontend]]:
    """Opens nfcpy's device at a link of that name; it is closed in the end."""
    opened = []

    def open_device(name: str) -> nfc.clf.ContactlessFrontend:
        opened.append(nfc.clf.ContactlessFrontend(name))
        return opened[-1]

    yield open_device
    for device in opened:
        device.close()


@pytest.mark.parametrize("uid", [UID4, UID7, UID10], ids=bytes.hex)
def test_nfcpy_finds_our_card_and_its_uid(uid: bytes, open_nfcpy: Callable[[str], nfc.clf.ContactlessFrontend]) -> None:
    identity = CardIdentity(uid=uid, ats=ATS)
    with RunningCard(open_card("udp:127.0.0.1:0", identity), {RATS: ATS}.get) as running:
        device = open_nfcpy(running.end.name)
        looked_for = nfc.clf.RemoteTarget("106A")
        target = device.sense(looked_for)
        assert (target.sdd_res, target.sens_res, target.sel_res) == (uid, identity.sens_res, b"\x20")
        assert device.exchange(bytearray(RATS), PATIENCE) == ATS
        assert [running.next_seen(), running.next_seen()] == [CardSelected(None), Frame(RATS)]
        # It switches the field off before it looks again.
        assert device.sense(looked_for).sdd_res == uid
        assert [running.next_seen(), running.next_seen()] == [FieldOff(), CardSelected(None)]
        device.close()
        assert running.next_seen() == FieldOff()


@pytest.mark.parametrize("uid", [UID4, UID7, UID10], ids=bytes.hex)
def test_nfcpy_selects_our_card_by_its_uid_and_no_other(
    uid: bytes, open_nfcpy: Callable[[str], nfc.clf.ContactlessFrontend]
) -> None:
    end = open_card("udp:127.0.0.1:0", CardIdentity(uid=uid, ats=ATS))
    with RunningCard(end, {RATS: ATS}.get):
        device = open_nfcpy(end.name)
        other = uid[:-1] + bytes([uid[-1] ^ 1])
        assert device.sense(nfc.clf.RemoteTarget("106A", sel_req=bytearray(other))) is None
        assert device.sense(nfc.clf.RemoteTarget("106A", sel_req=bytearray(uid))).sel_res == b"\x20"


def test_nfcpy_finds_our_card_while_it_looks_for_other_technologies(
    open_nfcpy: Callable[[str], nfc.clf.ContactlessFrontend],
) -> None:
    end = open_card("udp:127.0.0.1:0", CardIdentity(uid=UID7, ats=ATS))
    with RunningCard(end, {RATS: ATS}.get):
        device = open_nfcpy(end.name)
        # Each of the others costs nfcpy a second of silence.
        target = device.sense(nfc.clf.RemoteTarget("212F"), nfc.clf.RemoteTarget("106A"))
        assert target.brty == "106A"


def run_nfcpy_card(
    device: nfc.clf.ContactlessFrontend, uid: bytes, answers: list[bytes], seen: "SimpleQueue[object]"
) -> None:
    """nfcpy as the card: be selected, then give the answers in turn until the field goes off."""
    target = nfc.clf.LocalTarget("106A")
    target.sens_res = bytearray.fromhex("4403" if len(uid) == 7 else "0403")
    target.sdd_res = bytearray(uid)
    target.sel_res = bytearray.fromhex("20")
    activated: Any = device.listen(target, PATIENCE)
    seen.put(bytes(activated.tt4_cmd))
    try:
        for answer in answers:
            seen.put(bytes(device.exchange(bytearray(answer), PATIENCE)))
    except nfc.clf.BrokenLinkError as error:
        seen.put(str(error))


@pytest.mark.parametrize("uid", [UID4, UID7], ids=bytes.hex)
def test_our_reader_finds_nfcpy_as_a_card(uid: bytes, open_nfcpy: Callable[[str], nfc.clf.ContactlessFrontend]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:  # nfcpy cannot let the system choose
        free.bind(("0.0.0.0", 0))  # noqa: S104 - where nfcpy will listen
        name = f"udp:127.0.0.1:{free.getsockname()[1]}"
    seen: SimpleQueue[object] = SimpleQueue()
    answers = [ATS, bytes.fromhex("029000"), bytes(254)]
    thread = threading.Thread(target=run_nfcpy_card, args=(open_nfcpy(name), uid, answers, seen), daemon=True)
    thread.start()
    reader = open_reader(name)
    try:
        assert reader.activate(PATIENCE).uid == uid
        assert reader.transceive(RATS, PATIENCE) == ATS
        assert reader.transceive(b"\x02" * 254, PATIENCE) == bytes.fromhex("029000")
        assert reader.transceive(b"\x03", PATIENCE) == bytes(254)
    finally:
        reader.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [seen.get_nowait() for _ in range(4)] == [RATS, b"\x02" * 254, b"\x03", "RFOFF"]
