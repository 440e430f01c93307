"""`nfcbridge sim` against a running `serve`: what it does, prints and returns."""

import json
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.sim_words import describe, format_line
from nfcbridge.client.phone import Phone
from nfcbridge.errors import LinkTimeoutError
from nfcbridge.links import ReaderEnd, open_reader
from tests.cli.test_serving import ANY_PORTS, PROGRAM, PROJECT, READY, Server, serving

SCENARIOS: Final = PROJECT / "fixtures" / "scenarios"
HYBRID: Final = "RFID/NFC hybrid"
RFID_ONLY: Final = "RFID only"


class Emulator:
    """A running `serve`.

    Attributes:
        link: where its tag is.
        http: HOST:PORT.
    """

    def __init__(self, server: Server) -> None:
        ready = READY.fullmatch(server.line())
        assert ready is not None
        self.server = server
        self.link = ready[1]
        self.http = ready[2].removeprefix("http://")

    def sim(self, *args: str) -> int:
        return main(["sim", *args, "--http", self.http])

    def call(self, method: str, path: str, body: object = None, session: str = "") -> Any:
        """What HTTP answers."""
        connection = HTTPConnection(self.http, timeout=20)
        try:
            connection.request(method, f"/v1{path}", json.dumps(body), {"Authorization": session})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def set_rfid_mode(self, mode: str) -> None:
        """Set it over HTTP."""
        token = self.call("GET", "/login")["token"]
        hashed = sha256(f"operator{token}".encode()).hexdigest()
        login = self.call("POST", "/login", {"username": "operator", "password": hashed})
        change = {"params": [{"key": "RfidMode_rfid", "value": mode}]}
        assert "params" in self.call("POST", "/settings", change, login["session"]["session_id"])


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One whose time only `advance` moves; a test leaves it without vehicle and error."""
    with serving("--dev", "--speed", "0", *ANY_PORTS, data=tmp_path_factory.mktemp("data")) as server:
        yield Emulator(server)


def finds_card(reader: ReaderEnd) -> bool:
    try:
        reader.activate(0.3)
    except LinkTimeoutError:
        return False
    return True


def test_a_vehicle_comes_and_goes(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulator.sim("plug", "--socket", "schuko") == ExitCode.DONE
    assert capsys.readouterr().out == (
        "state       idle, vehicle_connected_schuko, not_authorized_for_charging, preparing, a\n"
        "LED         green slow: connected\n"
    )
    assert emulator.sim("charge", "--ventilation") == ExitCode.DONE
    assert capsys.readouterr().out == "nothing changed\n"
    assert emulator.sim("stop") == ExitCode.DONE
    assert emulator.sim("unplug") == ExitCode.DONE
    assert capsys.readouterr().out.endswith("LED         green steady: ready\n")


def test_a_tag_is_held_to_the_reader(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulator.sim("swipe", "abcdef12", "--type", "EVCCID") == ExitCode.DONE
    assert capsys.readouterr().out == (
        "tag         EVCCID rejected\nLED         green+yellow+blue fast: authorization failed\n"
    )
    assert emulator.sim("advance", "3s") == ExitCode.DONE
    assert capsys.readouterr().out == "LED         green steady: ready\n"


def test_the_buzzer_beeps_when_pairing_reads_a_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(
        "--dev", "--speed", "0", "--scenario", str(SCENARIOS / "pairing.toml"), *ANY_PORTS, data=tmp_path
    ) as server:
        emulator = Emulator(server)
        with subprocess.Popen(
            [*PROGRAM, "sim", "events", "--http", emulator.http], stdout=subprocess.PIPE, text=True, cwd=PROJECT
        ) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline().startswith("time ")
            assert emulator.sim("advance", "1h") == ExitCode.DONE
            followed = capsys.readouterr().out
            server.stop()  # ends the stream, and does not wait for who listens
            assert server.code == ExitCode.DONE
            told = watching.stdout.read()
            assert watching.wait(20) == ExitCode.DONE
    assert followed in told
    assert "buzzer      1 beep\n" in told
    assert "buzzer      2 beeps\n" in told
    assert "LED         white rotating: reading card\n" in told
    assert "scenario    all steps are done\n" in told


def test_the_state_has_what_is_paired_running_and_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(
        "--dev", "--speed", "0", "--scenario", str(SCENARIOS / "pairing.toml"), *ANY_PORTS, data=tmp_path
    ) as server:
        emulator = Emulator(server)
        assert emulator.sim("advance", "10s") == ExitCode.DONE
        assert emulator.sim("fault", "late=2s") == ExitCode.DONE
        assert emulator.sim("state") == ExitCode.DONE
        out = capsys.readouterr().out
        assert "pairing     on\n" in out
        assert "fault       late=2s is still to strike\n" in out
        assert emulator.sim("advance", "10s") == ExitCode.DONE
        assert emulator.sim("state") == ExitCode.DONE
        assert "paired      RFID " in capsys.readouterr().out


def test_a_running_transaction_is_in_the_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(
        "--dev", "--speed", "0", "--scenario", str(SCENARIOS / "fault.toml"), *ANY_PORTS, data=tmp_path
    ) as server:
        emulator = Emulator(server)
        assert emulator.sim("advance", "1m") == ExitCode.DONE
        capsys.readouterr()
        assert emulator.sim("state") == ExitCode.DONE
        assert "transaction 1 of Jenny with tag 04a1b2c3d4e580, since " in capsys.readouterr().out


def test_errors_come_and_go(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulator.sim("error", "rcd") == ExitCode.DONE
    assert "error       RCD triggered (rcd)\n" in capsys.readouterr().out
    assert emulator.sim("state") == ExitCode.DONE
    assert "error       RCD triggered (rcd)\n" in capsys.readouterr().out
    assert emulator.sim("clear", "tilted") == ExitCode.DONE
    assert capsys.readouterr().out == "nothing changed\n"
    assert emulator.sim("clear") == ExitCode.DONE
    assert capsys.readouterr().out.startswith("gone        rcd\n")


def test_the_power_fails(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulator.sim("power-cycle") == ExitCode.DONE
    assert "reader      off: no tag for phones\n" in capsys.readouterr().out
    assert emulator.sim("advance", "5s") == ExitCode.DONE
    assert "power       the controller has started\n" in capsys.readouterr().out


def test_faults_strike_the_next_request(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    ask = ["request", "GET", "/system_state", "--link", emulator.link]
    assert emulator.sim("fault", "next=503") == ExitCode.DONE
    assert capsys.readouterr().out == "fault       next=503 will strike\n"
    assert main(ask) == ExitCode.REFUSED
    assert "503 Service Unavailable" in capsys.readouterr().err
    assert main(ask) == ExitCode.DONE
    assert emulator.sim("fault", "cut=12") == ExitCode.DONE
    assert main(ask) == ExitCode.DONE  # the tag is found again, and the request sent once
    assert emulator.sim("fault", "expire-sessions") == ExitCode.DONE
    assert emulator.sim("fault", "lose-field") == ExitCode.DONE
    assert capsys.readouterr().out.endswith("fault       lose-field strikes\n")


def test_a_phone_is_served_until_a_minute_of_silence(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    assert main(["request", "GET", "/system_state", "--link", emulator.link]) == ExitCode.DONE
    assert emulator.sim("state") == ExitCode.DONE
    assert "LED         white rotating: reading card\n" in capsys.readouterr().out
    assert emulator.sim("advance", "61s") == ExitCode.DONE
    assert "LED         green steady: ready\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", ["/_sim/state", "/v1/_sim/state", "//_sim/state", "/v1/../_sim/state", "/%2e%2e/_sim/state"]
)
def test_nothing_of_it_is_reached_over_nfc(
    emulator: Emulator, path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    phone = Phone(open_reader(emulator.link))
    try:
        phone.connect(20)
        session = log_in(phone)
        answer = phone.exchange("GET", path, authorization=session)
        assert answer.status in (400, 404)
        assert answer.content == b""
        assert phone.exchange("POST", "/_sim/plug", authorization=session, content=b"{}").status == 404
    finally:
        phone.close()
    assert emulator.sim("state") == ExitCode.DONE
    assert "no_vehicle_connected" in capsys.readouterr().out
    assert emulator.sim("advance", "61s") == ExitCode.DONE


def log_in(phone: Phone) -> str:
    token = json.loads(phone.exchange("GET", "/login").content)["token"]
    hashed = sha256(f"operator{token}".encode()).hexdigest()
    login = json.dumps({"username": "operator", "password": hashed}).encode()
    answer = phone.exchange("POST", "/login", content=login)
    session: str = json.loads(answer.content)["session"]["session_id"]
    return session


def test_json_is_what_the_server_says(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulator.sim("state", "--json") == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["charger"]["hmi"] == "ready"
    assert emulator.sim("advance", "0s", "--json") == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["events"] == []


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["unplug"], ExitCode.REFUSED, "no vehicle is plugged in; plug one in first"),
        (["clear", "tilted-until-reboot"], ExitCode.REFUSED, "only a power-cycle ends tilted-until-reboot"),
        (["error", "hunger"], ExitCode.USAGE, "there is no error or warning 'hunger'; there are residual-current, "),
        (["fault", "next=200"], ExitCode.USAGE, "next=STATUS (400 to 599)"),
        (["advance", "soon"], ExitCode.USAGE, "write it as 61s"),
        (["swipe", "a b"], ExitCode.USAGE, "`$.id`"),
        (["swipe", "a", "--type", "paper"], ExitCode.USAGE, "'RFID', 'EVCCID', 'NFC'"),
        (["swipe"], ExitCode.USAGE, "ID"),
        (["dance"], ExitCode.USAGE, "dance"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], args: list[str], code: int, words: str
) -> None:
    assert emulator.sim(*args) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("nfcbridge: error: ")
    assert err.count("\n") == 1
    assert words in err


def test_without_an_emulator_it_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "plug", "--http", "127.0.0.1:1"]) == ExitCode.LINK
    assert "start the emulator: nfcbridge serve --http 127.0.0.1:1" in capsys.readouterr().err
    assert main(["sim", "plug", "--http", "none"]) == ExitCode.USAGE
    assert main(["sim", "events", "--http", "127.0.0.1:1"]) == ExitCode.LINK


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no emulator."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_args: object) -> None:
        pass


def test_another_server_is_told_from_an_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        thread = threading.Thread(target=stranger.serve_forever)
        thread.start()
        for command in ("state", "events"):
            assert main(["sim", command, "--http", f"127.0.0.1:{stranger.server_port}"]) == ExitCode.LINK
            assert "is no simulated charger (404)" in capsys.readouterr().err
        stranger.shutdown()
        thread.join()


class Herald(Stranger):
    """One that tells of a single event."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b':\n\nevent: buzzer\ndata: {"event":"buzzer","t":1.5,"beeps":2}\n\n')


def test_events_are_json_lines_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), Herald) as herald:
        for option, line in (("--json", '{"event":"buzzer","t":1.5,"beeps":2}'), (None, "buzzer      2 beeps")):
            thread = threading.Thread(target=herald.handle_request)
            thread.start()
            options = [option] if option else []
            assert main(["sim", "events", "--http", f"127.0.0.1:{herald.server_port}", *options]) == ExitCode.DONE
            thread.join()
            assert capsys.readouterr().out == f"{line}\n"


def test_a_token_without_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert main(["sim", "plug", "--token", str(tmp_path / "token")]) == ExitCode.USAGE
    assert "printable ASCII" in capsys.readouterr().err


def test_a_token_goes_along(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert emulator.sim("state", "--token", str(tmp_path / "token")) == ExitCode.DONE


def test_an_emulator_that_serves_https_is_trusted_by_its_certificate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("--https", "--data", str(tmp_path / "data"), *ANY_PORTS, data=tmp_path) as server:
        http = server.line().rpartition("https://")[2]
        certificate, *_ = (tmp_path / "data").glob("*cert*.pem")
        assert main(["sim", "state", "--http", http, "--trust", str(certificate)]) == ExitCode.DONE
        assert "LED         green steady: ready\n" in capsys.readouterr().out
        assert main(["sim", "state", "--http", http]) == ExitCode.LINK
        assert capsys.readouterr().err.endswith("If it serves HTTPS, give --trust FILE\n")
        assert main(["sim", "state", "--http", http, "--trust", __file__]) == ExitCode.USAGE
        assert "has no certificate in it" in capsys.readouterr().err


def test_a_reader_that_is_rfid_only_has_no_tag_until_it_is_set_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    change = json.dumps({"params": [{"key": "RfidMode_rfid", "value": RFID_ONLY}]})
    with serving("--dev", "--rfid-only", *ANY_PORTS, data=tmp_path) as server:
        emulator = Emulator(server)
        reader = open_reader(emulator.link)
        while finds_card(reader):  # the door closes a moment after the server is ready
            pass
        emulator.set_rfid_mode(HYBRID)
        while not finds_card(reader):
            pass
        reader.close()
        # Over NFC: the answer is read before the tag goes.
        assert main(["request", "POST", "/settings", change, "--link", emulator.link]) == ExitCode.DONE
        reader = open_reader(emulator.link)
        while finds_card(reader):
            pass
        reader.close()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "request_received", "number": 4, "method": "GET"}, "phone       wrote request 4"),
        ({"event": "started"}, "power       the controller has started"),
        ({"event": "pairing", "enabled": False}, "pairing     off"),
        ({"event": "new-thing", "t": 1.0, "a": 1}, 'new-thing   {"a": 1}'),
        ({"event": "a-very-long-name-of-an-event", "x": "ä"}, 'a-very-long-name-of-an-event {"x": "ä"}'),
        ({"event": "hmi", "t": 1.0}, "hmi"),
        ({"event": "lost", "count": 7}, "lost        7 events that were not taken in time"),
        ({"event": "fault-ordered", "fault": {"fault": "late", "seconds": 2.0}}, "fault       late=2s will strike"),
        (
            {"event": "request", "method": "GET", "path": "/v1/x\x1b[2J", "client": "::1", "status": 0},
            r"request     GET /v1/x\x1b[2J of ::1: no answer",
        ),
        ({"event": "step-refused", "step": 3, "reason": "no"}, "scenario    step 3 could not happen: no"),
        ({"event": "contactor", "closed": True, "power": 11.04}, "contactor   closed, 11.04 kW"),
        (
            {"event": "transaction-ended", "transactionId": 2, "duration": 60, "consumption": 3.7},
            "transaction 2 ended: 60 min, 3.7 kWh",
        ),
        ({"event": "phone_left", "link": "memory:a"}, "phone       left memory:a"),
    ],
)
def test_events_are_told_in_words_and_unknown_ones_as_they_come(event: dict[str, Any], line: str) -> None:
    assert format_line(describe(event)) == line
