"""`nfcbridge demo`: what a newcomer sees, and that its last line adds up."""

import queue
import re

import pytest

from nfcbridge.cli import demo, main
from nfcbridge.cli.demo import events_until_the_phone_left, login_state_logout
from nfcbridge.cli.demo_report import count_blocks, fold_step, status_of
from nfcbridge.cli.errors import ExitCode
from nfcbridge.errors import LinkTimeoutError, ResponseError
from nfcbridge.server import events as told

SUMMARY = re.compile(r"(\d+) exchanges, (\d+) APDUs, (\d+) blocks, (\d+\.\d) ms air time")
STEP = re.compile(r" *\d+\.\d +(\d+\.\d)   \S")


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["demo", *args]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert not err
    lines: list[str] = out.splitlines()
    return lines


def summary(lines: list[str]) -> tuple[int, int, int, float]:
    found = SUMMARY.fullmatch(lines[-1])
    assert found is not None
    exchanges, apdus, blocks, air = found.groups()
    return int(exchanges), int(apdus), int(blocks), float(air)


@pytest.mark.parametrize(
    ("args", "exchanges", "apdus"),
    [
        ([], 4, 12),  # a detection of 4, then an UPDATE and a READ each
        (["--as", "nfcpy-order"], 4, 23),  # 5 to the file, 2 to what is in it; UPDATE, SELECT, READ, READ each
        (["--as", "android"], 8, 102),
    ],
)
def test_the_last_line_sums_up(args: list[str], exchanges: int, apdus: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(args, capsys)
    assert summary(lines)[:2] == (exchanges, apdus)
    assert sum("  > 00" in line for line in lines) == apdus


@pytest.mark.parametrize("args", [[], ["--as", "android"], ["--as", "nfcpy-order"]])
def test_the_air_time_of_all_steps_is_that_of_the_last_line(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run(args, capsys)
    steps = [float(found[1]) for line in lines if (found := STEP.match(line))]
    # Each of them is rounded to 0.1 ms.
    assert sum(steps) == pytest.approx(summary(lines)[3], abs=0.05 * (len(steps) + 1))


def test_the_closing_table_adds_up_to_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run([], capsys)
    heading = next(index for index, line in enumerate(lines) if line.startswith("EXCHANGE"))
    rows = [line.split() for line in lines[heading + 1 : -2]]
    _, apdus, blocks, air = summary(lines)
    assert [row[0] for row in rows] == ["arrival", "GET", "POST", "GET", "POST"]
    assert sum(int(row[-3]) for row in rows) == apdus
    assert sum(int(row[-2]) for row in rows) == blocks
    assert sum(float(row[-1]) for row in rows) == pytest.approx(air, abs=0.3)


def test_the_messages_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(run([], capsys))
    assert 'request   {"path":"/login","method":"GET","messageID":1}' in text
    assert re.search(r'answer    \{"messageID":3,"statusCode":200\},\{"systemState":"idle"', text)


def test_android_shows_the_three_styles_and_the_warning_that_belongs_to_the_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "\n".join(run(["--as", "android"], capsys))
    acts = text.split("\n== ")
    assert [act.lstrip("= ").splitlines()[0] for act in acts] == [
        "Android, close() and connect() before reading",
        "Android, getNdefMessage() at once",
        "Android, IsoDep with its own APDUs",
    ]
    warning = "server: warning: "
    assert [warning in act for act in acts] == [False, True, False]
    assert "the app must close() and connect() before it reads, or use IsoDep" in acts[1]
    assert "answer    null" in acts[1]
    assert all(act.count('"systemState":"idle"') == shown for act, shown in zip(acts, [1, 0, 1], strict=True))


def test_a_demo_whose_server_does_not_notice_the_end_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "FAREWELL", 0.001)
    events: queue.SimpleQueue[told.EmulatorEvent] = queue.SimpleQueue()
    events.put(told.PhoneArrived(0.0, "memory:demo", "08010203", 256))
    with pytest.raises(LinkTimeoutError):
        events_until_the_phone_left(events)


@pytest.mark.parametrize("answer", [None, "{}", '{"messageID":1,"statusCode":401}'])
def test_a_conversation_that_is_refused_ends_with_an_error(answer: str | None) -> None:
    conversation = login_state_logout("operator", "x")
    next(conversation)
    with pytest.raises(ResponseError):
        conversation.send(answer)


def test_rats_and_ats_are_no_blocks() -> None:
    # Activated, a command with S(WTX), deselected, activated again with a RATS that was not heard.
    frames = [(True, "E080"), (False, "0578804202"), (True, "0200"), (False, "F201"), (True, "F201"), (False, "029000")]
    frames += [(True, "C2"), (False, "C2"), (True, "E080"), (True, "E080"), (False, "0578804202"), (True, "B2")]
    assert count_blocks([(from_reader, bytes.fromhex(hex_)) for from_reader, hex_ in frames]) == 7


@pytest.mark.parametrize(
    ("answer", "status"), [('{"messageID":1,"statusCode":200}', "200"), ('{"messageID":1}', "broken"), ("", "broken")]
)
def test_the_status_of_a_broken_answer_is_told_as_such(answer: str, status: str) -> None:
    assert status_of(answer) == status


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (42, ["READ 2 octets               > 0102  < 9000"]),
        (41, ["READ 2 octets", "> 0102  < 9000"]),
        (14, ["READ 2 octets", "> 0102  < 9000"]),
        (13, ["READ 2 octets", "> 0102", "< 9000"]),
        (5, ["READ ", "2 oct", "ets", "> 010", "2", "< 900", "0"]),
    ],
)
def test_a_step_takes_as_few_lines_as_there_is_room_for(room: int, lines: list[str]) -> None:
    assert fold_step(["READ 2 octets", "> 0102", "< 9000"], room) == lines


def test_a_step_without_octets_is_its_name() -> None:
    assert fold_step(["RATS"], 40) == ["RATS"]
