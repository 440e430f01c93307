"""Taps around the ends of a link."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.errors import FieldLostError
from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, open_card, open_reader
from nfcbridge.trace import Recorder, TappedCard, TappedReader

ATS = bytes.fromhex("0578804202")
UID = bytes.fromhex("08A1B2C3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


@pytest.fixture
def recorder(path: Path) -> Recorder:
    return Recorder(path, level="blocks", link="memory:tapped", card={})


def recorded(path: Path, recorder: Recorder) -> list[str]:
    """What the trace says, without times."""
    recorder.close()
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    times = [line.pop("t") for line in lines]
    assert times == sorted(times)
    return [f"{line['dir']} {line.get('hex', line.get('on'))}" for line in lines]


def test_a_tapped_card_records_what_crosses_it(path: Path, recorder: Recorder) -> None:
    inner = open_card("memory:tapped", CardIdentity(uid=UID, ats=ATS))
    card = TappedCard(inner, recorder)
    assert (card.name, card.level, card.max_frame) == (inner.name, inner.level, inner.max_frame)
    assert card.link_sends_ats == inner.link_sends_ats
    reader = open_reader("memory:tapped")
    assert card.receive(0) is None
    reader.activate(1)
    reader.transceive(b"\xe0\x80", 0)
    assert [card.receive(0), card.receive(0)] == [CardSelected(None), Frame(b"\xe0\x80")]
    card.send(ATS)
    card.halt()
    reader.activate(1)
    assert card.receive(0) == CardSelected(None)
    reader.field_off()
    assert card.receive(0) == FieldOff()
    reader.activate(1)
    assert card.receive(0) == CardSelected(None)
    card.lose_field()
    reader.transceive(b"\x02", 0)
    assert card.receive(0) is None
    card.close()
    reader.close()
    assert recorded(path, recorder) == [
        "field True",
        "reader e080",
        "card 0578804202",
        "field True",
        "field False",
        "field True",
        "field False",
    ]


def test_a_tapped_reader_records_what_crosses_it(path: Path, recorder: Recorder) -> None:
    card = open_card("memory:tapped", CardIdentity(uid=UID, ats=ATS))
    inner = open_reader("memory:tapped")
    reader = TappedReader(inner, recorder)
    assert (reader.name, reader.level, reader.max_frame) == (inner.name, inner.level, inner.max_frame)
    assert reader.activate(1).uid == UID
    assert reader.transceive(b"\xe0\x80", 0) is None
    reader.field_off()
    reader.field_off()
    reader.activate(1)
    reader.close()
    card.close()
    assert recorded(path, recorder) == ["field True", "reader e080", "field False", "field True", "field False"]


def test_a_tapped_reader_records_the_answers(path: Path, recorder: Recorder) -> None:
    card = open_card("memory:tapped", CardIdentity(uid=UID, ats=ATS))
    reader = TappedReader(open_reader("memory:tapped"), recorder)
    reader.activate(1)

    def answer() -> None:
        card.receive(5)
        card.receive(5)
        card.send(ATS)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    assert reader.transceive(b"\xe0\x80", 5) == ATS
    thread.join(5)
    reader.close()
    card.close()
    assert recorded(path, recorder) == ["field True", "reader e080", "card 0578804202", "field False"]


def test_a_tapped_reader_records_that_its_card_left(path: Path, recorder: Recorder) -> None:
    card = open_card("memory:tapped", CardIdentity(uid=UID, ats=ATS))
    reader = TappedReader(open_reader("memory:tapped"), recorder)
    reader.activate(1)
    card.close()
    with pytest.raises(FieldLostError):
        reader.transceive(b"\x02", 0)
    assert recorded(path, recorder) == ["field True", "reader 02", "field False"]
    reader.close()
