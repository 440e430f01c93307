"""Recordings made anew, where the recorded reader does not get along with what the card answers now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nfcbridge.errors import ConfigError, LinkClosedError
from nfcbridge.replay import replaying
from nfcbridge.replay.card import ReplayedCard, make_stack
from nfcbridge.replay.cores import RecordedCore
from nfcbridge.testing import renew
from nfcbridge.testing.charger import Charger, open_charger
from nfcbridge.testing.client import ChargerClient
from nfcbridge.testing.replays import Recorded, replay_recorded
from nfcbridge.testing.settings import ChargerSettings
from nfcbridge.trace import Dir, Entry, Header, TraceFile, write_trace
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ExchangeSeen

BY_OURS = "written and read by our own reader"
AS_THEY_WERE = "the reader's frames stayed as they were"


def ask(_charger: Charger, phone: ChargerClient) -> None:
    phone.login()
    phone.get("/system_state")
    phone.logout()


def record(path: Path, happens: Callable[[Charger, ChargerClient], None] = ask, **settings: object) -> Path:
    with open_charger(ChargerSettings(**settings), path) as charger, charger.client() as phone:  # type: ignore[arg-type]
        happens(charger, phone)
    return path


def renewed(path: Path, *, level: str | None = None) -> str:
    """What was done to a recording that differs; it is equal after that."""
    recorded = Recorded(path, path.name, level, {})
    report = replay_recorded(recorded)
    assert not report.equal
    what = renew.renew_recorded(recorded, report)
    again = replay_recorded(recorded)
    assert again.equal, again.lines()
    return what


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def answers(path: Path) -> list[tuple[str, int | None]]:
    """Requests of a trace and the status of their answers."""
    with TraceFile(path) as trace:
        decoder = Decoder(trace.header.level, header=trace.header)
        seen = [each for entry in trace for each in decoder.receive(entry)] + decoder.close()
    found = []
    for each in seen:
        if isinstance(each, ExchangeSeen):
            request, read = each.request.request, each.answer
            status = None if read is None or read.answer is None else read.answer.status
            found.append(("" if request is None else f"{request.method} {request.path}", status))
    return found


ASKED = [("GET /login", 200), ("POST /login", 200), ("GET /system_state", 200), ("POST /logout", 200)]


def test_an_answer_of_the_same_length_leaves_the_reader_as_it_was(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, b"idle".hex(), b"IDLE".hex())
    assert AS_THEY_WERE in renewed(path)
    assert answers(path) == ASKED


@pytest.mark.parametrize("goes_on", [True, False])
def test_an_answer_that_is_longer_now_is_read_to_its_end(tmp_path: Path, *, goes_on: bool) -> None:
    def shorten(charger: Charger, phone: ChargerClient) -> None:
        phone.login("installer")
        phone.post("/key_value_store", json={"a": "b" * 300})
        charger.api.login("installer")
        charger.api.put("/key_value_store", json={"a": "b"})  # which no trace has in it
        assert phone.get("/key_value_store/a").json() == {"a": "b"}
        if goes_on:
            phone.get("/system_state")

    path = record(tmp_path / "t.jsonl", shorten)
    before = answers(path)
    assert BY_OURS in renewed(path)
    assert answers(path) == before


def test_a_smaller_tag_is_read_in_smaller_parts(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, '"mle": 251', '"mle": 59')
    assert BY_OURS in renewed(path)
    assert answers(path) == ASKED


def test_tokens_of_another_seed_are_used_to_log_in(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, '"seed": 0', '"seed": 1')
    assert BY_OURS in renewed(path)
    assert answers(path) == ASKED


def test_a_tag_that_holds_no_response_is_read_without_polling(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl", hold=0.0)
    change(path, '"seed": 0', '"seed": 1')
    assert BY_OURS in renewed(path)
    assert answers(path) == ASKED


@pytest.mark.parametrize(
    ("old", "new", "how"),
    [(b"idle".hex(), b"IDLE".hex(), AS_THEY_WERE), ('"seed": 0', '"seed": 1', BY_OURS)],
    ids=["the recorded reader", "our own reader"],
)
def test_an_answer_that_nobody_read_is_read_by_our_own_reader_alone(
    tmp_path: Path, old: str, new: str, how: str
) -> None:
    path = record(tmp_path / "t.jsonl")
    with TraceFile(path) as trace:
        entries = list(trace)
    last = max(entry.number for entry in entries if entry.dir is Dir.READER)
    write_trace(path, trace.header, entries[: last - 1])
    change(path, old, new)
    assert answers(path)[-1] == ("POST /logout", None)
    assert how in renewed(path)
    assert answers(path)[-1] == ("POST /logout", None if how is AS_THEY_WERE else 200)


def test_the_level_of_a_marker_does_not_matter_to_our_own_recordings(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, b"idle".hex(), b"IDLE".hex())
    assert AS_THEY_WERE in renewed(path, level="message")


def refusal(path: Path) -> str:
    recorded = Recorded(path, path.name, None, {})
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        renew.renew_recorded(recorded, replay_recorded(recorded))
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return str(caught.value)


def test_what_another_device_or_application_answered_is_never_rewritten(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, '"kind": "charge controller"', '"kind": "asgi"')
    assert "it is never rewritten" in refusal(path)
    change(path, '"kind": "asgi"', '"kind": "charge controller"')
    change(path, '"nfcbridge 0.1.0 card"', '"nfcbridge 0.1.0 reader"')
    assert "it is never rewritten" in refusal(path)


def test_a_recording_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, '"dir": "field", "on": true}\n', '"dir": "field", "on": true}\n{}\n')
    assert refusal(path).startswith("it cannot be replayed, so it is not rewritten: line 3")


def test_a_message_that_is_no_request_is_sent_by_the_recorded_reader_alone(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, b'{"path":"/logout"'.hex(), b'{"hath":"/logout"'.hex())
    change(path, '"seed": 0', '"seed": 1')
    assert "no request, which our own reader does not send" in refusal(path)


def test_a_request_that_no_longer_fits_the_tag_is_told(tmp_path: Path) -> None:
    path = record(tmp_path / "t.jsonl")
    change(path, '"file_size": 32767', '"file_size": 130')
    assert refusal(path).startswith("it cannot be made anew: ")


def test_recordings_that_are_made_anew_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "t.jsonl")
    with TraceFile(path) as trace:
        count = len(list(trace))
    change(path, b"idle".hex(), b"IDLE".hex())
    monkeypatch.setattr(renew, "MAX_ENTRIES", count - 1)
    assert refusal(path) == f"it has more than {count - 1} entries: record it anew"
    monkeypatch.setattr(renew, "MAX_ENTRIES", count)
    assert AS_THEY_WERE in renewed(path)


def test_the_end_of_our_own_reader_is_one_as_others_are() -> None:
    header = Header(link="memory:a", card={})
    end = renew.RecordingEnd(ReplayedCard(make_stack(header), RecordedCore(bytes)), header)
    end.field_off()
    assert not end.entries
    with pytest.raises(LinkClosedError):
        end.transceive(b"\xe0\x80", 0.1)
    end.activate(0.1)
    assert (end.transceive(b"\xe0\x80", 0.1) or b"")[1:2] == b"\x78"
    assert end.transceive(b"\xff", 0.1) is None
    end.close()
    assert [entry.dir for entry in end.entries] == [Dir.FIELD, Dir.READER, Dir.CARD, Dir.READER, Dir.FIELD]
    assert end.entries[0] == Entry(renew.STEP, Dir.FIELD, on=True)


def test_the_default_level_decides_whose_recording_it_is() -> None:
    assert replaying.level_of(Header(source="nfcbridge 0.1.0 card")).value == "frame"
