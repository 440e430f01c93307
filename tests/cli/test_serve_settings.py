"""The options of `serve`: what each refuses, and which exclude one another. No server is started."""

import os
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger import Durability
from nfcbridge.charger.point import clock
from nfcbridge.cli import main, serve, serve_settings, serving, serving_words
from nfcbridge.cli.charger import AS_SHIPPED
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.serve_settings import ServeSettings, stays_on_this_machine


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """The settings with which a server would have been started."""
    settings: list[ServeSettings] = []

    def run(given: ServeSettings) -> int:
        settings.append(given)
        return ExitCode.DONE

    monkeypatch.setattr(serving, "run", run)
    return settings


def error_of(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["serve", *args]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    return err


def test_without_options_it_serves_on_loopback(started: list[ServeSettings]) -> None:
    assert main(["serve"]) == ExitCode.DONE
    (settings,) = started
    assert settings.links == ("udp:127.0.0.1:54321",)
    assert settings.http == "127.0.0.1:8080"
    assert (settings.durability, settings.catalogue, settings.app_layout) == ("full", None, None)
    assert (settings.mle, settings.mlc, settings.file_size) == (251, 248, 0x7FFF)
    assert (settings.hold, settings.answer_ttl) == (0.4, 10.0)
    assert settings.idle == bytes.fromhex("D00000")
    assert (settings.replace, settings.not_ready_empty, settings.memory, settings.dev) == (False,) * 4
    assert (settings.data, settings.app, settings.trace, settings.uid, settings.ats) == (None,) * 5
    assert settings.lint


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["--link", "memory:a", "--link", "udp:127.0.0.1:0"], "links", ("memory:a", "udp:127.0.0.1:0")),
        (["--http", "none"], "http", None),
        (["--http", "[::1]:0"], "http", "[::1]:0"),
        (["--https"], "https", True),
        (["--cert", "a", "--key", "b"], "https", True),
        (["--cert", "a", "--key", "b"], "key", Path("b")),
        (["--cors", "https://a.example", "--cors", "http://b:1"], "cors", ("https://a.example", "http://b:1")),
        (["--uid", "04:11:22:33:44:55:66"], "uid", bytes.fromhex("04112233445566")),
        (["--ats", "0578804202"], "ats", bytes.fromhex("0578804202")),
        (["--mle", "0xFF"], "mle", 255),
        (["--file-size", "0x800"], "file_size", 2048),
        (["--idle", "D00000"], "idle", b"\xd0\x00\x00"),
        (["--not-ready", "empty"], "not_ready_empty", True),
        (["--hold", "0s"], "hold", 0.0),
        (["--answer-ttl", "500ms"], "answer_ttl", 0.5),
        (["--pipelining", "replace"], "replace", True),
        (["--language", "de-CH"], "language", "de-CH"),
        (["--app", "package.module:app"], "app", "package.module:app"),
        (["--speed", "60"], "speed", 60.0),
        (["--speed", "0"], "speed", 0.0),
        (["--scenario", __file__], "scenario", Path(__file__)),
        (["--rfid-only"], "rfid_only", True),
        (["--durability", "full", "--memory"], "durability", "full"),
        (["--durability", "normal"], "durability", "normal"),
        (["--catalogue", __file__], "catalogue", Path(__file__)),
        (["--app-layout", __file__], "app_layout", Path(__file__)),
        (["--sim-token", __file__], "sim_token", Path(__file__)),
        (["--no-lint"], "lint", False),
        (["--lint"], "lint", True),
        (["-q"], "quiet", True),
        (["--json"], "json", True),
        (["--dev", "--memory"], "dev", True),
        # --app keeps nothing on disk anyway.
        (["--app", "a:b", "--memory"], "memory", True),
        (["--app", "a:b", "--dev"], "dev", True),
    ],
)
def test_an_option_reaches_its_setting(args: list[str], name: str, value: object, started: list[ServeSettings]) -> None:
    assert main(["serve", *args]) == ExitCode.DONE
    assert getattr(started[0], name) == value


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--http", "8080"], "not HOST:PORT"),
        (["--uid", "0102"], "4 or 7 or 10 are allowed"),
        (["--ats", "xx"], "is not octets in hex"),
        (["--mle", "14"], "from 15 to 65535"),
        (["--mlc", "0"], "from 1 to 65535"),
        (["--file-size", "4"], "from 5 to 65535"),
        (["--idle", ""], "no octets"),
        (["--not-ready", "null"], "message"),
        (["--hold", "400"], "written as 400ms or 0.4s"),
        (["--hold", "8.1s"], "allowed is 0s to 8s"),
        (["--answer-ttl", "0s"], "allowed is 0.1s to 3600s"),
        (["--pipelining", "queue"], "refuse"),
        (["--language", "deutsch, bitte"], "such as en or de-CH"),
        (["--password", "root=x"], "the roles are"),
        (["--app", "app.py"], "such as package.module:app"),
        (["--memory", "--data", "."], "--data and --memory exclude one another"),
        (["--dev", "--data", "."], "--data and --dev exclude one another"),
        (["--app", "a:b", "--data", "."], "leave them out with --app"),
        (["--app", "a:b", "--password", "user=x"], "leave them out with --app"),
        (["--app", "a:b", "--cors", "https://app.example"], "leave them out with --app"),
        (["--app", "a:b", "--durability", "normal"], "leave them out with --app"),
        (["--app", "a:b", "--catalogue", __file__], "leave them out with --app"),
        (["--app", "a:b", "--app-layout", __file__], "leave them out with --app"),
        (["--durability", "none"], "'full', 'normal'"),
        (["--durability", "normal", "--memory"], "--memory keeps nothing there"),
        (["--durability", "normal", "--dev"], "--dev keeps nothing there"),
        (["--catalogue", "nowhere.toml"], "nowhere.toml"),
        (["--app-layout", "nowhere.toml"], "nowhere.toml"),
        (["--app", "a:b", "--speed", "2"], "leave them out with --app"),
        (["--app", "a:b", "--scenario", __file__], "leave them out with --app"),
        (["--app", "a:b", "--rfid-only"], "leave them out with --app"),
        (["--app", "a:b", "--sim-token", __file__], "leave them out with --app"),
        (["--http", "none", "--sim-token", __file__], "--sim-token are about HTTP"),
        (["--speed", "3600.1"], "0<=x<=3600.0"),
        (["--speed", "-1"], "0<=x<=3600.0"),
        (["--scenario", "nowhere.toml"], "nowhere.toml"),
        (["--http", "none", "--cors", "https://app.example"], "--cors and --sim-token are about HTTP"),
        (["--http", "none", "--https"], "--cors and --sim-token are about HTTP"),
        (["--http", "none", "--cert", "a", "--key", "b"], "--cors and --sim-token are about HTTP"),
        (["--cert", "a"], "--cert and --key belong together"),
        (["--https", "--key", "a"], "--cert and --key belong together"),
        (["--cors", "*"], "'*' is no origin of a web page, such as https://app.example"),
        (["--link", "memory:a", "--link", "memory:a"], "given twice"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(
    args: list[str], words: str, started: list[ServeSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in error_of(args, capsys)
    assert not started


@pytest.mark.parametrize(
    "args",
    [
        ["--http", "0.0.0.0:8080"],
        ["--http", "192.168.1.2:8080"],
        ["--http", "charger.local:8080"],
        ["--link", "udp:0.0.0.0:54321"],
        ["--link", "vpcd:192.168.1.2:35963"],
        ["--link", "udp:0.0.0.0"],
        ["--link", "faulty:udp:0.0.0.0:54321?loss=0.1"],
        ["--link", "faulty:pn532:/dev/ttyUSB0"],
    ],
)
def test_the_password_that_everybody_knows_stays_on_this_machine(
    args: list[str], started: list[ServeSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "a password that everybody knows" in error_of(["--dev", *args], capsys)
    assert not started
    assert main(["serve", *args]) == ExitCode.DONE
    assert main(["serve", "--dev", "--app", "a:b", *args]) == ExitCode.DONE  # no password, nothing to know


def test_a_trace_may_be_a_file_that_can_only_be_written(
    started: list[ServeSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trace.jsonl"
    file.touch()
    monkeypatch.setattr(os, "access", lambda _path, mode: mode == os.W_OK)
    assert main(["serve", "--trace", str(file)]) == ExitCode.DONE
    assert started[0].trace == file


def test_a_link_that_does_not_exist_is_no_matter_of_passwords(started: list[ServeSettings]) -> None:
    # Opening it tells what exists.
    assert main(["serve", "--dev", "--link", "nothing"]) == ExitCode.DONE
    assert started


@pytest.mark.parametrize(
    ("link", "stays"),
    [
        ("memory:a", True),
        ("casimir:127.0.0.1:7001", True),
        ("casimir:192.168.1.2:7001", False),
        ("nfc:tty:USB0:pn532?picc", True),
        ("nfc:udp:192.168.1.2:54321", False),
        ("udp:127.0.0.1:54321", True),
        ("udp:", True),
        ("udp", True),
        ("udp:localhost", True),
        ("udp::0", True),
        ("udp:localhost:0", True),
        ("udp:[::1]:54321", True),
        ("vpcd:", True),
        ("casimir::7900", True),
        ("casimir:/tmp/rf.sock", True),
        ("casimir:10.0.0.1:7001", False),
        ("faulty:memory:a?loss=0.1", True),
        ("faulty:udp:?loss=0.1", True),
        ("udp:10.0.0.1:54321", False),
        ("pcsc:ACR1252", False),
    ],
)
def test_a_link_stays_on_this_machine_if_its_name_says_so(link: str, *, stays: bool) -> None:
    assert stays_on_this_machine(link) is stays


@pytest.mark.parametrize(
    ("args", "links", "command"),
    [
        ([], ["udp:127.0.0.1:54321"], "nfcbridge request GET /system_state"),
        (["--dev"], ["udp:127.0.0.1:54321"], "NFCBRIDGE_PASSWORD=operator nfcbridge request GET /system_state"),
        ([], ["memory:a", "udp:127.0.0.1:7"], "nfcbridge request GET /system_state --link udp:127.0.0.1:7"),
        ([], ["faulty:udp:127.0.0.1:54321?seed=1"], "nfcbridge request GET /system_state"),
        (["--app", "a:b"], ["udp:127.0.0.1:54321"], "nfcbridge request --no-login GET /"),
        (["--app", "a:b", "--dev"], ["udp:127.0.0.1:54321"], "nfcbridge request --no-login GET /"),
        (["--replay", __file__], ["udp:127.0.0.1:54321"], "nfcbridge request --no-login GET /login"),
        (["--replay", __file__], ["memory:a"], "curl http://127.0.0.1:8080/login"),
        (
            ["--dev", "--password", "operator=/a b", "--password", "user=/c"],
            ["udp:127.0.0.1:54321"],
            "nfcbridge request GET /system_state --password-file '/a b'",
        ),
        ([], ["memory:a"], "curl http://127.0.0.1:8080/v1/login"),
        (["--app", "a:b"], ["vpcd:127.0.0.1:35963"], "curl http://127.0.0.1:8080"),
        (["--https"], ["memory:a"], "curl --insecure http://127.0.0.1:8080/v1/login"),
        (["--cert", "a", "--key", "b"], ["memory:a"], "curl http://127.0.0.1:8080/v1/login"),
    ],
)
def test_the_command_to_try_is_the_shortest_that_works(
    args: list[str], links: list[str], command: str, started: list[ServeSettings]
) -> None:
    main(["serve", *args])
    assert serving_words.command_to_try(started[0], links, "http://127.0.0.1:8080") == command


def test_a_certificate_of_our_own_in_a_file_is_trusted_by_the_command_to_try(started: list[ServeSettings]) -> None:
    main(["serve", "--https"])
    command = serving_words.command_to_try(
        started[0], ["memory:a"], "https://127.0.0.1:8080", Path("/a b/certificate.pem")
    )
    assert command == "curl --cacert '/a b/certificate.pem' https://127.0.0.1:8080/v1/login"


def test_where_no_other_process_can_come_there_is_nothing_to_try(started: list[ServeSettings]) -> None:
    main(["serve"])
    assert serving_words.command_to_try(started[0], ["memory:a"], None) == ""


@pytest.mark.parametrize(
    ("args", "warned"),
    [
        (["--dev"], ["operator's password"]),
        (["--http", "0.0.0.0:80"], ["not encrypted"]),
        (["--hold", "618ms", "--mle", "257"], ["--hold 0.618s", "--mle 257"]),
        (["--hold", "617ms", "--mle", "256", "--http", "0.0.0.0:80", "--https"], []),
        (["--replay", __file__, "--dev"], []),  # a recorded card has no password of ours
        (["--replay", __file__, "--http", "0.0.0.0:80"], ["not encrypted"]),
    ],
)
def test_settings_that_work_and_may_surprise_are_warned_of(
    args: list[str], warned: list[str], started: list[ServeSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["serve", *args])
    serving_words.warn(started[0])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(warned)
    assert all(word in line for word, line in zip(warned, lines, strict=True))


def test_settings_cannot_be_changed_after_they_were_checked(started: list[ServeSettings]) -> None:
    main(["serve"])
    settings: Any = started[0]
    with pytest.raises(AttributeError):
        settings.dev = True


def test_the_durabilities_are_those_of_the_store() -> None:
    assert tuple(Durability) == serve_settings.DURABILITIES
    assert Durability(serve_settings.DEFAULT_DURABILITY) is AS_SHIPPED.durability


def test_the_largest_speed_is_the_clocks() -> None:
    assert serve.MAX_SPEED == clock.MAX_SPEED
