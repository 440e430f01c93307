"""nfcpy as the phone on one PN532, our tag on another: of ours nothing but the air is on the reader's side."""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.errors import LinkError
from nfcbridge.server.emulator import Emulator
from tests.foreign.messages import IDLE, App
from tests.links.nfc.air import AirReader
from tests.links.nfc.fake_chip import AirCardLike, FakeChip
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.running import PATIENCE

pytestmark = pytest.mark.foreign


class Antennas(AirCardLike):
    """What the reader's chip has in its field: the air of the card's chip. Frames go over in a thread."""

    def __init__(self, reader: FakeChip, card: FakeChip) -> None:
        self.identity_octets = (b"\x04\x00", 0x20, b"")
        self._reader = reader
        self._air = AirReader(card)
        self._selected = False
        self._frames: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        reader.cards.append(self)

    def select(self) -> bool:
        if not self._selected:
            try:
                uid = self._air.activate(PATIENCE).uid
            except LinkError:
                return False
            self.identity_octets = (b"\x04\x00", 0x20, uid)
            self._selected = True
        return True

    def hear(self, frame: bytes) -> None:
        self._frames.put(frame)

    def field_off(self) -> None:
        if self._selected:
            self._selected = False
            self._air.field_off()

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            answer = self._air.transceive(frame, PATIENCE)
            if answer is not None:
                self._reader.card_answers(answer)

    def close(self) -> None:
        self._frames.put(None)
        self._thread.join(PATIENCE)


@pytest.fixture
def tag(board: FakePn532, tmp_path: Path) -> Iterator[Any]:
    """nfcpy's tag, in front of which our emulator sits."""
    import nfc
    import nfc.clf.pn532
    import nfc.clf.transport
    import nfc.tag

    controller = Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"}))
    with (
        FakePn532(tmp_path / "phone") as phone,
        Emulator(create_app(controller), [board.name], base_path=BASE_PATH),
    ):
        antennas = Antennas(phone.chip, board.chip)
        clf = nfc.ContactlessFrontend()
        clf.device = nfc.clf.pn532.init(nfc.clf.transport.TTY(str(phone.path)))
        clf.device._path = "phone"  # noqa: SLF001 - as its own search does
        target = clf.sense(nfc.clf.RemoteTarget("106A"))
        yield nfc.tag.activate(clf, target)
        clf.close()
        antennas.close()


def test_nfcpy_finds_a_type_4_tag_and_talks_to_the_charge_controller_through_it(tag: Any) -> None:
    assert tag.type == "Type4Tag"
    assert tag.ndef.octets == IDLE
    assert tag.ndef.is_writeable
    assert tag.is_present

    def read() -> bytes:
        _ = tag.ndef.has_changed
        return bytes(tag.ndef.octets)

    app = App(lambda message: setattr(tag.ndef, "octets", message), read)
    app.login()
    assert app.ask("GET", "/system_state").status == 200
