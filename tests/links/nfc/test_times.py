"""The two times, as `doctor` asks for them."""

import re
from pathlib import Path

import pytest

from nfcbridge.errors import LinkClosedError, LinkError
from nfcbridge.links.nfc import times
from nfcbridge.links.nfc.times import AIM, Times, latency_timer, measure
from tests.links.nfc.conftest import OpenCard
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.fake_port100 import FakePort100
from tests.links.nfc.fake_usb import FakeUsb
from tests.links.nfc.test_card import OK, SELECT, Phone


def test_as_many_octets_cross_the_line_as_with_a_phone(board: FakePn532, open_end: OpenCard) -> None:
    end = open_end(board.name)
    mark = len(board.chip.lines)
    measured = measure(end, rounds=1)
    echoes = [line for line in board.chip.lines[mark:] if line.octets[5:7] in {b"\xd4\x00", b"\xd5\x01"}]
    ack = 6
    # The response with the RATS is 12 octets, the command with our ATS of 11 is 20; the reply that was sent is told in
    # 10, and TgInitAsTarget has 46.
    assert sum(len(line.octets) for line in echoes[:2]) + ack == 12 + 20
    assert sum(len(line.octets) for line in echoes[2:]) + ack == 10 + 46
    assert (measured.baud, measured.latency_timer) == (921_600, None)
    phone = Phone(board)
    phone.activate(end)  # it listens again
    assert phone.ask(end, SELECT, OK) == OK


def test_on_usb_there_is_no_speed(usb: FakeUsb, open_end: OpenCard) -> None:
    from tests.links.nfc.fake_chip import FakeChip

    usb.plug(0x04E6, 0x5591, FakeChip("pn533"))
    measured = measure(open_end("nfc:usb"), rounds=3)
    assert (measured.baud, measured.latency_timer) == (0, None)
    assert 0 < measured.answer <= measured.answer_worst
    assert 0 < measured.listen <= measured.listen_worst


def test_an_rc_s380_can_only_be_measured_with_a_phone(usb: FakeUsb, open_end: OpenCard) -> None:
    usb.plug(0x054C, 0x06C3, FakePort100())
    end = open_end("nfc:usb")
    with pytest.raises(LinkError, match="touch it with one"):
        measure(end)
    assert end.opened is not None


def test_a_reader_that_is_gone_or_closed_cannot_be_measured(board: FakePn532, open_end: OpenCard) -> None:
    end = open_end(board.name)
    board.pull()
    with pytest.raises(LinkError, match="no reader at"):
        measure(end)
    with pytest.raises(LinkError, match="no reader at"):
        measure(end)
    end.close()
    with pytest.raises(LinkClosedError):
        measure(end)


@pytest.mark.parametrize(
    ("measured", "advice"),
    [
        (Times(AIM, AIM, AIM, 1.0, 115_200, 16), ""),
        (Times(0.02, 0.02, 0.001, 0.001, 115_200, 16), "latency timer of the adapter is 16 ms.*latency_timer"),
        (Times(0.001, 0.001, 0.006, 0.006, 115_200, 1), "runs at 115200 bit/s.*picc"),
        (Times(0.001, 0.001, 0.006, 0.006, 921_600), "let the chip"),
        (Times(0.006, 0.006, 0.001, 0.001), "let the chip"),
    ],
)
def test_what_is_too_slow_is_told_with_what_to_do(measured: Times, advice: str) -> None:
    assert measured.good is (not advice)
    assert re.fullmatch(f".*{advice}.*" if advice else "", measured.advice)


def test_the_latency_timer_is_read_where_the_adapter_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "SYS", tmp_path)
    folder = tmp_path / "ttyUSB0"
    folder.mkdir()
    assert latency_timer("/dev/ttyUSB0") is None  # another kind of adapter
    (folder / "latency_timer").write_text("16\n")
    assert latency_timer("/dev/ttyUSB0") == 16
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB0")
    assert latency_timer(str(link)) == 16
    (folder / "latency_timer").write_text("?")
    assert latency_timer("/dev/ttyUSB0") is None
    assert latency_timer("/dev/ttyACM0") is None
    assert latency_timer("") is None
