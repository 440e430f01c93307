"""What `serve` prints: one line an event, and nothing that a phone wrote reaches the terminal as a command."""

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import pytest

from nfcbridge.cli import console as console_module
from nfcbridge.cli.console import Console, EventQueue, describe_event
from nfcbridge.cli.errors import escape_controls
from nfcbridge.server import events as told
from nfcbridge.server.events import EmulatorEvent
from tests.cli.in_terminal import environment

LINK = "udp:127.0.0.1:54321"

WORDS: list[tuple[EmulatorEvent, str]] = [
    (
        told.PhoneArrived(1.0, LINK, "08010203", 256),
        f"phone arrived: UID 08010203 on {LINK}, frames of 256 octets",
    ),
    (told.Reactivated(1.0, LINK, kept=True), "re-activation: request and answer are kept"),
    (told.Reactivated(1.0, LINK, kept=False), "re-activation"),
    (told.PhoneLeft(1.0, LINK), "phone left"),
    (told.PhoneLeft(1.0, LINK, 3), "phone left: answer 3 was not read to its end"),
    (told.RequestReceived(1.0, LINK, 3, "GET", "/system_state", 58), "request 3: GET /system_state, 58 octets"),
    (told.RequestBroken(1.0, LINK, 3, 400, "no header"), "request 3: broken, answered 400: no header"),
    (
        told.AnswerSent(1.0, LINK, 3, 200, 312, core=0.0004, air=0.0451),
        "answer 3: 200, 312 octets, air 45.1 ms, core 0.4 ms",
    ),
    (told.CardRead(1.0, LINK, 7, "accepted"), "card read, UID of 7 octets: accepted"),
    (told.AnswerUnread(1.0, LINK, 3, partly=False), "answer 3: expired, nobody read it"),
    (told.AnswerUnread(1.0, LINK, 3, partly=True), "answer 3: expired, read in part"),
    (
        told.Refused(1.0, LINK, 2, "it is processed", "read first"),
        "refused (pipelining, 2): it is processed; read first",
    ),
    (told.Warned(1.0, LINK, "no NLEN", "the app must close()"), "warning: no NLEN; the app must close()"),
    (
        told.RuleBroken(1.0, LINK, "NB604", "slow-ats", "warning", "the ATS came late", "be faster", 1),
        "warning NB604: the ATS came late; be faster",
    ),
    (
        told.RuleBroken(1.0, LINK, "NB101", "block-number-wrong", "error", "1 was its turn", "count on", 7),
        "error NB101: 1 was its turn; count on (7 times by now)",
    ),
    (told.LinkFailed(1.0, LINK, "pull and plug it"), f"link {LINK} failed: pull and plug it"),
    (told.ApplicationFailed(1.0, "", "it raised KeyError"), "application: it raised KeyError"),
]

NAMES = {
    told.PhoneArrived: "phone_arrived",
    told.Reactivated: "reactivated",
    told.PhoneLeft: "phone_left",
    told.RequestReceived: "request_received",
    told.RequestBroken: "request_broken",
    told.AnswerSent: "answer_sent",
    told.AnswerUnread: "answer_unread",
    told.CardRead: "card_read",
    told.Refused: "refused",
    told.Warned: "warned",
    told.RuleBroken: "rule_broken",
    told.LinkFailed: "link_failed",
    told.ApplicationFailed: "application_failed",
}

ALERTS = (told.Refused, told.Warned, told.RuleBroken, told.LinkFailed, told.ApplicationFailed)


def console(*, quiet: bool = False, json: bool = False, show_link: bool = False) -> Console:
    return Console(quiet=quiet, json=json, show_link=show_link)


@pytest.mark.parametrize(("event", "words"), WORDS)
def test_each_event_has_its_words(event: EmulatorEvent, words: str) -> None:
    assert describe_event(event) == words


def test_no_event_is_without_words() -> None:
    assert {type(event) for event, _ in WORDS} == set(EmulatorEvent.__subclasses__())


@pytest.mark.parametrize(("event", "words"), WORDS)
def test_a_line_has_the_time_of_day_and_the_words(
    event: EmulatorEvent, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console().print_event(event)
    out, err = capsys.readouterr()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  " + re.escape(words) + r"\n", out)
    assert not err


def test_the_time_of_a_line_is_that_of_its_event(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_100.0)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(time, "localtime", time.gmtime)
    console().print_event(told.PhoneLeft(101.25, LINK))
    assert capsys.readouterr().out == "22:15:01.250  phone left\n"


def test_with_several_links_each_line_names_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    several = console(show_link=True)
    several.print_event(told.PhoneLeft(1.0, "memory:a"))
    several.print_event(told.ApplicationFailed(1.0, "", "it raised"))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("  memory:a  phone left")
    assert re.fullmatch(r"[\d:.]+  application: it raised", second)


@pytest.mark.parametrize(("event", "words"), WORDS)
def test_quiet_tells_alerts_alone_and_on_stderr(
    event: EmulatorEvent, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console(quiet=True).print_event(event)
    out, err = capsys.readouterr()
    assert not out
    assert err.endswith(f"  {words}\n") if isinstance(event, ALERTS) else not err


@pytest.mark.parametrize("event", [event for event, _ in WORDS])
def test_json_is_one_object_a_line(event: EmulatorEvent, capsys: pytest.CaptureFixture[str]) -> None:
    console(json=True).print_event(event)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    members = json.loads(out)
    assert members["event"] == NAMES[type(event)]
    assert (members["t"], members["link"]) == (event.t, event.link)


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize(("event", "words"), WORDS)
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_alerts_have_a_colour_in_a_terminal_unless_it_is_unwanted(
    event: EmulatorEvent,
    words: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    quiet: bool,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console(quiet=quiet).print_event(event)
    line = "".join(capsys.readouterr())
    if isinstance(event, ALERTS) and not variables:
        assert re.search(rf"  \x1b\[3[13]m{re.escape(words)}\x1b\[0m\n$", line)
    else:
        assert "\x1b" not in line


def test_a_path_cannot_paint_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console().print_event(told.RequestReceived(1.0, LINK, 1, "GET", "/\x1b[2J\r\n\u202e\x07ä", 20))
    assert capsys.readouterr().out.endswith(r"GET /\x1b[2J\r\n\u202e\x07ä, 20 octets" + "\n")


@pytest.mark.parametrize(
    ("text", "shown"), [("/a b?c=ä€", "/a b?c=ä€"), ("\x00\x9b\n", r"\x00\x9b\n"), ("\U0001f600", "\U0001f600")]
)
def test_only_what_a_terminal_obeys_is_escaped(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_events_come_out_in_the_order_in_which_they_went_in() -> None:
    queue = EventQueue()
    events = [told.PhoneLeft(float(number), LINK) for number in range(3)]
    for event in events:
        queue.put(event)
    queue.stop()
    assert [queue.get() for _ in range(4)] == [*events, None]
    assert queue.lost == 0


def test_events_past_the_limit_are_counted_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "MAX_PENDING", 2)
    queue = EventQueue()
    for number in range(3):
        queue.put(told.PhoneLeft(float(number), LINK))
    assert queue.lost == 1
    queue.stop()
    assert [event.t for event in iter(queue.get, None)] == [0.0, 1.0]


def test_lines_that_a_full_disk_does_not_take_are_counted_and_the_next_ones_tried() -> None:
    program = (
        "import os, sys\n"
        "from nfcbridge.cli.console import Console\n"
        "console = Console(quiet=False, json=False, show_link=False)\n"
        "console.print_line('lost')\n"
        "console.print_line('lost')\n"
        "os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 1)\n"
        "console.print_line('kept')\n"
        "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        "console.print_line('lost')\n"
        "console.close()\n"
        "sys.exit(console.lost)\n"
    )
    with Path("/dev/full").open("wb") as full, tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "out"
        done = subprocess.run(
            [sys.executable, "-c", program, str(file)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
        )
        assert file.read_text().endswith("kept\n")
    assert (done.returncode, done.stderr) == (3, b"")


def test_an_alert_that_stderr_does_not_take_does_not_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_line: str, *, err: bool) -> None:
        raise OSError(errno.ENOSPC if err else 0, "refused")

    quiet = console(quiet=True)
    monkeypatch.setattr(click, "echo", refuse)
    quiet.print_event(told.LinkFailed(1.0, LINK, "pull and plug it"))
    assert quiet.lost == 1


def test_a_reader_of_stdout_that_leaves_does_not_end_the_server(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(
        "import sys\n"
        "from nfcbridge.cli.console import Console\n"
        "console = Console(quiet=False, json=False, show_link=False)\n"
        "for line in sys.stdin:\n"
        "    console.print_line(line.strip())\n"
        "sys.exit(7)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"ready\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        with contextlib.closing(process.stdin):
            process.stdin.write(b"phone arrived\nphone left\n")
        assert process.stderr.read() == b""
        assert process.wait(10) == 7
