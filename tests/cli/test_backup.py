"""`nfcbridge backup` and `nfcbridge restore`: over NFC and HTTP, broken off and gone on with."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.cli import main
from nfcbridge.cli.backup import MAX_AGE, TIME
from nfcbridge.cli.door import Door, base_url, unreached
from nfcbridge.cli.errors import ExitCode
from nfcbridge.client.backup.charger import Charger
from nfcbridge.client.backup.copy import Copy, read_copy, write_copy
from nfcbridge.errors import ConfigError, LinkError
from nfcbridge.server.emulator import Emulator

LINK = "memory:kept"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"})))
    with Emulator(app, [LINK], base_path=BASE_PATH, http="127.0.0.1:0") as emulator:
        yield emulator


@pytest.fixture(params=["nfc", "http"])
def door(request: pytest.FixtureRequest, emulator: Emulator) -> list[str]:
    return ["--link", LINK] if request.param == "nfc" else ["--url", str(emulator.http_url)]


def fill(path: Path) -> None:
    kept = json.loads(path.read_text())
    kept["users"] = [{"userId": "u1", "userName": "Jenny"}]
    kept["whitelist"] = [{"id": "abcdef12", "tagType": "RFID", "userid": "u1", "priority": "HIGH"}]
    kept["pairs"] = {"a": "1"}
    kept["settings"]["LocalWhitelist_rfid"] = False
    path.write_text(json.dumps(kept))


def test_what_was_backed_up_is_restored(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, full, after = (str(tmp_path / name) for name in ("empty.json", "full.json", "after.json"))
    assert main(["backup", empty, *door]) == ExitCode.DONE
    assert main(["backup", full, *door]) == ExitCode.DONE
    fill(Path(full))
    capsys.readouterr()
    assert main(["restore", full, *door, "--dry-run"]) == ExitCode.DONE
    out, _ = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["PART", "users", "whitelist", "pairs", "settings"]
    assert "add user 'Jenny'" in out
    assert main(["restore", full, *door]) == ExitCode.DONE
    assert capsys.readouterr().err.endswith(f"the charger keeps what {full} has (4 changed)\n")
    assert main(["restore", full, *door]) == ExitCode.DONE
    assert "nothing to do" in capsys.readouterr().err
    assert main(["backup", after, *door]) == ExitCode.DONE
    kept = json.loads(Path(after).read_text())
    assert kept["whitelist"][0]["userid"] == kept["users"][0]["userId"] != "u1"
    assert (kept["pairs"], kept["settings"]["LocalWhitelist_rfid"]) == ({"a": "1"}, False)
    assert main(["restore", empty, *door]) == ExitCode.DONE
    assert main(["backup", after, *door]) == ExitCode.DONE
    kept, before = (json.loads(Path(name).read_text()) | {"created": ""} for name in (after, empty))
    assert kept == before


def test_one_part_alone(door: list[str], tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    assert main(["backup", str(file), *door, "--only", "pairs", "--only", "users"]) == ExitCode.DONE
    assert json.loads(file.read_text()).keys() == {
        "nfcbridge_backup", "created", "charger", "role", "users", "pairs"
    }  # fmt: skip
    fill_all = json.loads(file.read_text()) | {"pairs": {"k": "v"}, "users": [{"userId": "u", "userName": "A"}]}
    file.write_text(json.dumps(fill_all))
    assert main(["restore", str(file), *door, "--only", "pairs"]) == ExitCode.DONE
    assert main(["backup", str(file), *door]) == ExitCode.DONE
    kept = json.loads(file.read_text())
    assert (kept["pairs"], kept["users"]) == ({"k": "v"}, [])


def test_a_backup_that_the_charger_would_refuse_changes_nothing(
    door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfcbridge.cli.restore.MAX_SHOWN", 2)
    file = tmp_path / "b.json"
    main(["backup", str(file), *door])
    fill(file)
    kept = json.loads(file.read_text())
    kept["settings"] |= {"Gone_x": 1, "RfidMode_rfid": "both", "LocalWhitelist_rfid": 5}
    file.write_text(json.dumps(kept))
    capsys.readouterr()
    assert main(["restore", str(file), *door]) == ExitCode.USAGE
    err = capsys.readouterr().err.splitlines()
    assert err[1].startswith("setting RfidMode_rfid: 'both' is none of")
    assert err[-2:] == [
        "and 1 more",
        f"nfcbridge: error: {file}: 3 things in it cannot be restored; nothing was changed",
    ]
    assert main(["backup", str(file), *door, "--only", "users"]) == ExitCode.DONE
    assert json.loads(file.read_text())["users"] == []


def test_settings_of_another_firmware_can_be_left_out(
    door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.json"
    main(["backup", str(file), *door, "--only", "settings"])
    kept = json.loads(file.read_text())
    kept["settings"]["Gone_x"] = 1
    file.write_text(json.dumps(kept))
    assert main(["restore", str(file), *door, "--skip-unknown"]) == ExitCode.DONE
    assert "left out, since this charger does not have them: Gone_x" in capsys.readouterr().err


@pytest.mark.usefixtures("emulator")
def test_a_backup_that_was_broken_off_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, part = tmp_path / "b.json", tmp_path / "b.json.part"
    asked: list[str] = []
    get = Charger.get

    def get_some(self: Charger, path: str) -> bytes:
        asked.append(path)
        if path.startswith("/whitelist"):
            raise LinkError("the tag did not come back")
        return get(self, path)

    monkeypatch.setattr(Charger, "get", get_some)
    assert main(["backup", str(file), "--link", LINK]) == ExitCode.LINK
    assert part.stat().st_mode & 0o777 == 0o600
    assert not file.exists()
    monkeypatch.setattr(Charger, "get", get)
    assert main(["backup", str(file), "--link", LINK]) == ExitCode.DONE
    assert f"going on from {part}: settings, users of " in capsys.readouterr().err
    assert not part.exists()
    # What another charger or another program left there is not gone on from.
    part.write_text(
        '{"nfcbridge_backup": 1, "role": "operator at elsewhere", "users": [{"userId": "x", "userName": "x"}]}'
    )
    main(["backup", str(file), "--link", LINK])
    assert json.loads(file.read_text())["users"] == []
    # Nor from what is too old, or was not asked for this time.
    left = {"nfcbridge_backup": 1, "role": f"operator at {LINK}", "users": [{"userId": "x", "userName": "x"}]}
    now = datetime.now(UTC)
    for created, parts, users in (
        (now - timedelta(seconds=MAX_AGE + 5), "users", []),
        (now - timedelta(seconds=MAX_AGE - 60), "users", left["users"]),
        (now, "pairs", None),
    ):
        part.write_text(json.dumps({**left, "created": f"{created:{TIME}}"}))
        assert main(["backup", str(file), "--link", LINK, "--only", parts]) == ExitCode.DONE
        assert json.loads(file.read_text()).get("users") == users
    part.write_text("nonsense")
    assert main(["backup", str(file), "--link", LINK]) == ExitCode.DONE


@pytest.mark.usefixtures("emulator")
def test_a_refused_login_and_a_server_that_is_not_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "b.json")
    assert main(["backup", file, "--url", "http://127.0.0.1:1"]) == ExitCode.LINK
    told = capsys.readouterr().err
    assert "http://127.0.0.1:1: " in told
    assert "look whether the charger serves there" in told
    with monkeypatch.context() as hasty:
        hasty.setattr("nfcbridge.client.session.TIMEOUT", httpx2.Timeout(15, connect=0.1))
        assert main(["backup", file, "--link", "memory:nobody", "--patience", "0s"]) == ExitCode.LINK
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "wrong")
    assert main(["backup", file, "--link", LINK]) == ExitCode.REFUSED
    assert "login as operator: 401 Unauthorized; check user and password" in capsys.readouterr().err


def test_a_place_where_no_backup_can_be_is_told_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, locked, link = tmp_path / "pipe", tmp_path / "locked.json", tmp_path / "link.json"
    os.mkfifo(pipe)
    locked.touch()
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK or Path(path) != locked.resolve())
    for place, words in (
        ("-", "a backup goes into a file"),
        (str(pipe), "is no file, and a backup would take its place"),
        (str(locked), "may not be written"),
        (str(tmp_path / "none" / "b.json"), "No such file or directory; name a FILE in a folder that is there"),
    ):
        assert main(["backup", place, "--link", "memory:nobody"]) == ExitCode.USAGE
        assert words in capsys.readouterr().err
    assert pipe.is_fifo()
    link.symlink_to(tmp_path / "target.json")
    write_copy(link, Copy())
    assert link.is_symlink()
    assert read_copy(tmp_path / "target.json").parts() == []


def test_a_tag_that_slips_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from nfcbridge.cli.backup import tell_slipped

    tell_slipped("the tag is gone")
    assert capsys.readouterr().err == "nfcbridge: the tag is gone: hold the reader to the charger again\n"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"),
        ("https://charger/v1/", "https://charger/v1"),
        ("http://[::1]:8080/other", "http://[::1]:8080/other"),
    ],
)
def test_a_url_without_a_path_is_that_of_the_interface(given: str, base: str) -> None:
    assert base_url(given) == base


@pytest.mark.parametrize(
    "url", ["charger", "ftp://charger", "http://", "http://a:99999", "http://[::1", "http://a/?b", "http://u:p@a"]
)
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL of HTTP"):
        base_url(url)


def test_a_certificate_is_for_https(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "x")
    trust = tmp_path / "trust.pem"
    trust.write_text("no certificate")
    assert main(["backup", "b.json", "--trust", str(trust)]) == ExitCode.USAGE
    assert main(["backup", "b.json", "--url", "http://a", "--trust", str(trust)]) == ExitCode.USAGE
    assert "--trust is about HTTPS" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "b.json"), "--url", "https://a", "--trust", str(trust)]) == ExitCode.USAGE
    assert "is no certificate (PEM)" in capsys.readouterr().err


def test_a_link_is_recorded_and_http_is_not(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, trace = str(tmp_path / "b.json"), tmp_path / "t.jsonl"
    assert main(["backup", file, "--link", LINK, "--only", "users", "--trace", str(trace)]) == ExitCode.DONE
    assert '"dir": "reader"' in trace.read_text()
    assert main(["backup", file, "--url", str(emulator.http_url), "--trace", str(trace)]) == ExitCode.USAGE
    assert "leave one out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        (None, r"https://c: \[SSL: CERTIFICATE_VERIFY_FAILED\] self-signed; give it with --trust FILE"),
        (Path("other.pem"), "the certificate of --trust is another one, or for another name"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_with_what_to_do(trust: Path | None, words: str) -> None:
    door = Door("", "https://c", trust, "operator", None)
    assert re.search(words, unreached(door, OSError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")))


@pytest.mark.usefixtures("emulator")
def test_a_login_that_slips_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nfcbridge.client.errors import NfcReadTimeout
    from nfcbridge.client.session import Session

    login = Session.login
    torn = [NfcReadTimeout("no answer in time")]

    def slip(self: Session) -> httpx2.Response:
        if torn:
            raise torn.pop()
        return login(self)

    monkeypatch.setattr(Session, "login", slip)
    monkeypatch.setattr("nfcbridge.client.backup.charger.PAUSE", 0.0)
    assert main(["backup", str(tmp_path / "b.json"), "--link", LINK, "--only", "users"]) == ExitCode.DONE
    assert "no answer in time: hold the reader to the charger again" in capsys.readouterr().err
