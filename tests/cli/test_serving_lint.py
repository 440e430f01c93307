"""`nfcbridge serve` warns of broken rules while it serves, once, and not where it was told to leave that."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Final

import pytest

from nfcbridge import links
from nfcbridge.cli import main
from nfcbridge.cli import serving as serving_module
from nfcbridge.cli.errors import ExitCode
from nfcbridge.client.phone import Phone
from nfcbridge.lint import RULES
from nfcbridge.server import live_lint
from tests.cli.test_serving import ANY_PORTS, PROJECT, READY, STOP_TIMEOUT, Server, request, serving
from tests.stack.octets import text_message, write

READ_WITHOUT_LE: Final = bytes.fromhex("00B00000")
LOGIN: Final = write(text_message(b'{"path":"/login","method":"GET","messageID":1}'))


def link_of(server: Server) -> str:
    ready = READY.fullmatch(server.line())
    assert ready is not None
    return ready[1]


def transmit(link: str, *commands: bytes) -> None:
    phone = Phone(links.open_reader(link))
    try:
        phone.connect(STOP_TIMEOUT)
        for command in commands:
            phone.transmit(command)
    finally:
        phone.close()


def test_a_broken_rule_is_a_line_of_the_terminal(tmp_path: Path) -> None:
    with serving("--dev", *ANY_PORTS, data=tmp_path) as server:
        transmit(link_of(server), READ_WITHOUT_LE)
        line = server.lines_to("NB208")[-1]
    mend = RULES["NB208"].mend
    assert line.partition("  ")[2] == f"error NB208: READ BINARY has no Le, so it asks for no octet; {mend}"


def test_a_broken_rule_is_an_event_in_json(tmp_path: Path) -> None:
    with serving("--dev", "--json", *ANY_PORTS, data=tmp_path) as server:
        link = link_of(server)
        transmit(link, READ_WITHOUT_LE)
        event = json.loads(server.lines_to("rule_broken")[-1])
    assert event.pop("t") > 0
    assert event == {
        "event": "rule_broken",
        "link": link,
        "rule": "NB208",
        "name": "le-confused",
        "severity": "error",
        "what": "READ BINARY has no Le, so it asks for no octet",
        "mend": RULES["NB208"].mend,
        "count": 1,
    }


def test_a_quiet_server_tells_it_on_stderr(tmp_path: Path) -> None:
    with serving("--dev", "-q", *ANY_PORTS, data=tmp_path) as server:
        transmit(link_of(server), READ_WITHOUT_LE)
        assert server.process.stderr is not None
        while "NB208" not in (line := server.process.stderr.readline()):
            assert line


def test_no_rule_is_held_against_anything_with_no_lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("--dev", "--no-lint", *ANY_PORTS, data=tmp_path) as server:
        link = link_of(server)
        transmit(link, READ_WITHOUT_LE)
        lines = server.lines_to("phone left")
        assert request(link, "operator", monkeypatch) == ExitCode.DONE  # takes longer than any warning would
        lines += server.lines_to("phone left")
    assert not [line for line in lines if "NB208" in line]


def test_a_refused_write_is_told_by_the_refusal_alone(tmp_path: Path) -> None:
    with serving("--dev", *ANY_PORTS, data=tmp_path) as server:
        transmit(link_of(server), LOGIN, LOGIN, READ_WITHOUT_LE)
        lines = server.lines_to("NB208")
    assert sum("refused (pipelining, 1)" in line for line in lines) == 1
    assert sum("NB" in line for line in lines) == 1


def test_where_a_write_replaces_an_answer_pipelining_is_told_by_its_rule(tmp_path: Path) -> None:
    with serving("--dev", "--pipelining", "replace", *ANY_PORTS, data=tmp_path) as server:
        transmit(link_of(server), LOGIN, LOGIN)
        assert "error NB401: " in server.lines_to("NB401")[-1]


def test_frames_that_were_not_looked_at_are_counted_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def announce(*_args: object, **_options: object) -> None:
        transmit("memory:unheard", READ_WITHOUT_LE)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(live_lint, "MAX_PENDING", 0)
    monkeypatch.setattr(serving_module, "announce", announce)
    assert main(["serve", "--memory", "--link", "memory:unheard", "--http", "none"]) == ExitCode.DONE
    assert re.search(
        r"warning: \d+ frames were not held against the rules: they came too fast", capsys.readouterr().err
    )


def test_a_recorded_card_is_held_to_the_rules_too(tmp_path: Path) -> None:
    recording = PROJECT / "fixtures" / "recorded" / "nfcpy-session.jsonl"
    with serving("--replay", str(recording), *ANY_PORTS, data=tmp_path) as server:
        transmit(link_of(server), READ_WITHOUT_LE)
        assert "error NB208: " in server.lines_to("NB208")[-1]


def test_a_recording_that_was_cut_off_is_served_and_said_to_be(tmp_path: Path) -> None:
    recording = tmp_path / "cut.jsonl"
    recording.write_text((PROJECT / "fixtures" / "recorded" / "nfcpy-session.jsonl").read_text() + "{")
    with serving("--replay", str(recording), *ANY_PORTS, data=tmp_path) as server:
        link_of(server)
        server.stop()
    assert server.err == f"nfcbridge: warning: {recording}: line 80 was cut off and is left out\n"
