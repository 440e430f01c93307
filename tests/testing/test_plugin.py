"""The plugin as its users meet it: whole runs of pytest, each in a folder of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from nfcbridge.testing.readable import MAX_LINES

pytest_plugins = ["pytester"]

STATUS = Path(__file__).parent / "example" / "fixtures" / "status.jsonl"
"""A login, the state and a logout, recorded."""

ARGUMENTS = ("-p", "no:schemathesis", "-p", "no:cacheprovider", "--strict-markers")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Run(pytester)


class Run:
    """A folder with tests in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path = pytester.path

    def trace(self, name: str, old: str | bytes = "", new: str | bytes = "") -> Path:
        """Put the recording into the folder, with something in it changed: octets of frames, or the first line."""
        text = STATUS.read_text()
        before, after = (each.hex() if isinstance(each, bytes) else each for each in (old, new))
        assert before in text
        text = text.replace(before, after)
        path = self.path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    def __call__(self, source: str, *arguments: str) -> tuple[str, dict[str, int]]:
        """Run this test; what pytest printed, and how many of which outcome there were."""
        self._pytester.makepyfile("import pytest\n" + source)
        result = self._pytester.runpytest_inprocess(*ARGUMENTS, *arguments)
        return result.stdout.str() + result.stderr.str(), result.parseoutcomes()

    def ask(self, option: str) -> str:
        """What pytest prints of itself."""
        return self._pytester.runpytest_inprocess(*ARGUMENTS, option).stdout.str()


def test_a_phone_talks_to_the_charger_over_nfc_and_the_trace_has_it(run: Run) -> None:
    _, outcomes = run("""
def test_it(charger, phone, trace):
    phone.login("operator")
    assert phone.get("/system_state").json()["systemState"] == "idle"
    assert trace.requests == ["GET /login", "POST /login", "GET /system_state"]
    assert [exchange.answer.answer.status for exchange in trace.exchanges] == [200, 200, 200]
    assert phone.logout().status_code == 200
    assert phone.get("/system_state").status_code == 401
    assert trace.header.link == charger.link
    assert trace.entries[0].on and len(trace.entries) > 2 * len(trace.apdus)
    assert sum(message.written for message in trace.messages) == 5
""")
    assert outcomes == {"passed": 1}


def test_every_test_has_a_new_charger_and_every_run_the_same_tokens(run: Run) -> None:
    _, outcomes = run("""
tokens = []

@pytest.mark.parametrize("turn", [1, 2])
def test_it(charger, phone, turn):
    assert charger.state.type2_state == "a"
    charger.plug()
    tokens.append(phone.get("/login").json()["token"])
    assert tokens == [tokens[0]] * turn

@pytest.mark.charger(seed=None)
def test_other_tokens_if_they_are_wanted(phone):
    assert phone.get("/login").json()["token"] not in tokens
""")
    assert outcomes == {"passed": 3}


def test_what_happens_to_the_charge_point_is_what_sim_can_do(run: Run) -> None:
    _, outcomes = run("""
from nfcbridge.errors import ConfigError, LocalProtocolError

def test_it(charger):
    assert "StateChanged" in [type(event).__name__ for event in charger.plug()]
    with pytest.raises(LocalProtocolError, match="unplug it first"):
        charger.plug()
    charger.unplug()
    charger.error("rcd")
    assert [message.id for message in charger.state.messages] == ["rcd"]
    charger.clear("rcd")
    charger.error("rcd")
    charger.clear()
    assert not charger.state.messages
    with pytest.raises(ConfigError, match="there is no error or warning 'tired'"):
        charger.error("tired")
    with pytest.raises(ConfigError, match="'soon' is no time"):
        charger.clock.advance("soon")
    charger.fault("next=503")
    assert charger.api.get("/system_state").status_code == 503
    assert len(charger.events) > 4

def test_a_whitelisted_card_starts_a_charge(charger):
    charger.api.login("operator")
    charger.api.post("/whitelist", json={"entries": [{"id": "abcdef12", "tag_type": "RFID"}]})
    charger.plug()
    charger.swipe("abcdef12")
    charger.charge()
    charger.stop()
    charger.power_cycle()
    assert charger.state.uptime == 0
""")
    assert outcomes == {"passed": 2}


def test_time_passes_when_the_test_says_so(run: Run) -> None:
    _, outcomes = run("""
def test_it(charger, phone):
    phone.login()
    assert charger.clock.now.isoformat() == "2026-01-01T12:00:00+00:00"
    charger.clock.advance(59.5)
    assert phone.get("/system_state").status_code == 200
    charger.advance("1m")
    assert charger.clock.seconds == 119.5
    assert phone.get("/system_state").status_code == 401
""")
    assert outcomes == {"passed": 1}


def test_settings_come_from_fixture_and_markers_and_the_nearest_counts(run: Run) -> None:
    _, outcomes = run("""
from datetime import datetime
from nfcbridge.testing import ChargerSettings

pytestmark = pytest.mark.charger(mlc=100, language="de")

@pytest.fixture
def charger_settings():
    return {"mle": 100, "mlc": 50, "wall": datetime(2030, 5, 6)}

@pytest.mark.charger(language="fr", passwords={"user": "geheim"})
def test_dict(charger, phone, trace):
    assert (charger.settings.mle, charger.settings.mlc, charger.settings.language) == (100, 100, "fr")
    phone.login("user")
    assert charger.clock.now.isoformat() == "2030-05-06T00:00:00+00:00"
    assert trace.header.card["mle"] == 100

class TestObject:
    @pytest.fixture
    def charger_settings(self):
        return ChargerSettings(uid=bytes(7))

    def test_object(self, charger):
        assert charger.settings.uid == bytes(7)
        assert charger.settings.mlc == 100
""")
    assert outcomes == {"passed": 2}


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("speeed=1", "a charger has no setting speeed; it has speed, wall, seed"),
        ("speed='fast'", "the setting speed is float or int, not 'fast'"),
        ("seed=1.5", "the setting seed is int or NoneType, not 1.5"),
        ("speed=-1.0", "the speed is more than 0"),
        ("mle=3", "MLe"),
        ("ats=b''", "no charger can be made"),
        ("passwords={'guest': ''}", "there is no role guest; there are user, operator"),
        ("scenario='nowhere.toml'", "nowhere.toml"),
        ("faults='luck=1'", "no fault is called luck"),
        ("'fast'", "the marker charger takes settings by name"),
        ("seed=-1", "the seed is a number from 0 to 2**128 - 1"),
        ("seed=2**128", "the seed is a number from 0 to 2**128 - 1"),
        ("passwords={'user': 5}", "the passwords are strings by the names of roles"),
        ("uid=b'123'", "UID"),
        ("idle=b''", "the idle message has octets"),
        ("hold=-1", "hold is a time of 0 or more seconds"),
        ("language='x' * 99", "language"),
        ("speed=float('nan')", "the speed is more than 0"),
        ("file_size=70000", "file"),
    ],
)
def test_a_setting_that_cannot_be_is_told_without_a_traceback(run: Run, setting: str, reason: str) -> None:
    printed, outcomes = run(f"""
@pytest.mark.charger({setting})
def test_it(charger): ...
""")
    assert outcomes == {"errors": 1}
    assert reason in printed
    assert "Traceback" not in printed
    assert "During handling" not in printed


def test_settings_are_a_dict_or_an_object_of_settings(run: Run) -> None:
    printed, outcomes = run("""
@pytest.fixture
def charger_settings():
    return 60

def test_it(charger): ...
""")
    assert outcomes == {"errors": 1}
    assert "charger_settings returns a dict such as {'speed': 60}, not 60" in printed


def test_scenario_catalogue_and_layout_are_files(run: Run) -> None:
    import nfcbridge.charger as package

    shipped = Path(package.__file__).parent
    (run.path / "day.toml").write_text('title = "t"\n[[step]]\nat = "5s"\ndo = "plug"\n')
    _, outcomes = run(f"""
@pytest.mark.charger(scenario="day.toml", catalogue={str(shipped / "catalogue.toml")!r},
                     app_layout={str(shipped / "app_layout.toml")!r})
def test_it(charger, trace):
    charger.advance(6)
    assert charger.state.type2_state == "b"
    assert "do" in trace.header.app["scenario"]["text"]
""")
    assert outcomes == {"passed": 1}


def test_a_failure_shows_what_crossed_the_link_and_where_all_of_it_is(run: Run) -> None:
    printed, outcomes = run("""
def test_it(phone):
    phone.login()
    assert phone.get("/system_state").json() == {}
""")
    assert outcomes == {"failed": 1}
    report = printed.partition("NFC trace")[2]
    assert "SELECT NDEF application" in report
    assert "written: request GET /system_state, messageID 3" in report
    assert '"systemState":"idle"' in report
    (file,) = [line.rpartition(" ")[2] for line in report.splitlines() if line.startswith("all of it: ")]
    assert json.loads(Path(file).read_text().splitlines()[0])["nfcbridge_trace"] == 1


def test_a_test_that_passes_or_sends_nothing_shows_no_trace(run: Run) -> None:
    printed, outcomes = run(
        """
def test_passes(phone):
    phone.login()

def test_sends_nothing(phone):
    assert False
""",
        "-rA",
    )
    assert outcomes == {"passed": 1, "failed": 1}
    assert "NFC trace" not in printed


def test_a_failure_in_another_fixture_shows_the_trace_too(run: Run) -> None:
    printed, outcomes = run("""
@pytest.fixture
def logged_in(phone):
    phone.login("operator", "wrong")

@pytest.fixture
def leaves_badly(phone):
    yield
    phone.login("nobody", "wrong")

def test_setup(logged_in): ...

def test_teardown(leaves_badly): ...
""")
    assert outcomes == {"errors": 2, "passed": 1}
    assert printed.count("- NFC trace -") == 2
    assert printed.count("answer 401") == 2


def test_a_long_trace_is_shown_from_its_end_and_long_answers_in_few_lines(run: Run) -> None:
    printed, _ = run("""
def test_it(phone):
    phone.login()
    for _ in range(40):
        phone.get("/settings")
    assert False
""")
    lines = printed.partition("- NFC trace -")[2].partition("short test summary")[0].splitlines()[1:]
    assert lines[0] == "... what was before is left out"
    assert len(lines) <= MAX_LINES + 3
    assert any("more like it, the last: READ" in line for line in lines)


def test_a_charger_can_be_used_no_longer_than_its_test(run: Run) -> None:
    _, outcomes = run("""
from nfcbridge.errors import LocalProtocolError
kept = []

def test_one(charger):
    kept.append(charger)

def test_two():
    with pytest.raises(LocalProtocolError, match="use it while the test runs"):
        kept[0].plug()
""")
    assert outcomes == {"passed": 2}


def test_two_chargers_at_a_time_have_links_of_their_own(run: Run) -> None:
    _, outcomes = run("""
from nfcbridge.testing.charger import open_charger
from nfcbridge.testing import ChargerSettings

def test_it(charger, tmp_path):
    with open_charger(ChargerSettings(), tmp_path / "t.jsonl") as other, other.client() as phone:
        assert other.link != charger.link
        phone.login()
        other.plug()
        assert charger.state.type2_state == "a"
""")
    assert outcomes == {"passed": 1}


def test_a_login_needs_a_password_that_is_known(run: Run) -> None:
    _, outcomes = run("""
import httpx2
from nfcbridge.errors import ConfigError

@pytest.mark.charger(passwords={})
def test_it(charger):
    with pytest.raises(ConfigError, match="no password for 'user'; it has those of none"):
        charger.api.login("user")
    with pytest.raises(httpx2.HTTPStatusError, match="401"):
        charger.api.login("user", "guess")

def test_what_comes_too_late_times_out(charger):
    charger.fault("late=9s")
    with pytest.raises(httpx2.ReadTimeout, match="did not answer in time"):
        charger.api.get("/login", timeout=0.05)
""")
    assert outcomes == {"passed": 2}


REPLAY = """
@pytest.mark.replay("fixtures/*.jsonl")
def test_it(): ...
"""


def test_a_replay_is_a_test_for_each_recording_and_needs_no_body(run: Run) -> None:
    run.trace("fixtures/a.jsonl")
    run.trace("fixtures/b.jsonl")
    printed, outcomes = run(REPLAY, "-v")
    assert outcomes == {"passed": 2}
    assert "test_it[fixtures/a.jsonl] PASSED" in printed


def test_a_test_may_look_at_its_replay(run: Run) -> None:
    run.trace("fixtures/a.jsonl")
    _, outcomes = run("""
@pytest.mark.replay("fixtures/*.jsonl", level="message")
class TestIt:
    def test_exchanges(self, replay):
        assert replay.exchanges == 4
        assert replay.level.value == "message"

    @pytest.mark.parametrize("other", [1, 2])
    def test_beside_other_parameters(self, other): ...
""")
    assert outcomes == {"passed": 3}


def test_a_replay_that_differs_fails_its_test_with_the_difference_in_words(run: Run) -> None:
    path = run.trace("fixtures/a.jsonl", b'"idle"', b'"IDLE"')
    before = path.read_bytes()
    printed, outcomes = run(REPLAY)
    assert outcomes == {"failed": 1}
    assert '$.systemState: "IDLE" became "idle"' in printed
    assert "request: GET /system_state" in printed
    assert "pytest --trace-update" in printed
    assert path.read_bytes() == before


def test_a_replay_may_be_expected_to_differ(run: Run) -> None:
    run.trace("fixtures/a.jsonl", b'"idle"', b'"IDLE"')
    _, outcomes = run(f"@pytest.mark.xfail(strict=True)\n{REPLAY.strip()}")
    assert outcomes == {"xfailed": 1}


def test_a_recording_that_cannot_be_replayed_fails_its_test(run: Run) -> None:
    run.trace("fixtures/a.jsonl", '"nfcbridge_trace": 1', '"nfcbridge_trace": 99')
    for arguments in ((), ("--trace-update",)):
        printed, outcomes = run(REPLAY, *arguments)
        assert outcomes in ({"failed": 1}, {"errors": 1})
        assert "a trace of version 99" in printed


def test_other_passwords_are_given_to_the_marker(run: Run) -> None:
    _, outcomes = run("""
from pathlib import Path

@pytest.mark.charger(passwords={"user": "geheim"})
def test_record(charger, phone, trace):
    phone.login("user")
    trace.save("fixtures/a.jsonl")
""")
    assert outcomes == {"passed": 1}
    printed, outcomes = run(REPLAY)
    assert outcomes == {"failed": 1}
    assert "the password of" not in printed  # each role has one here, though not the one of the recording
    _, outcomes = run('@pytest.mark.replay("fixtures/*.jsonl", passwords={"user": "geheim"})\ndef test_it(): ...')
    assert outcomes == {"passed": 1}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('"fixtures/*.jsonl"', "no file matches 'fixtures/[*].jsonl' of the marker replay"),
        ('"fixtures"', "no file matches 'fixtures'"),
        ("", "the marker replay needs a pattern"),
        ("3", "the marker replay needs a pattern"),
        ('"a", levl="frame"', "the marker replay has no argument levl; it has level, passwords"),
        ('"a", level="octet"', "the level of the marker replay is frame or message, not 'octet'"),
        ('"a", passwords="x"', "the passwords of the marker replay are a dict"),
    ],
)
def test_a_marker_that_means_nothing_is_an_error(run: Run, arguments: str, reason: str) -> None:
    (run.path / "fixtures").mkdir()
    printed, outcomes = run(f"""
@pytest.mark.replay({arguments})
def test_it(): ...
""")
    assert outcomes == {"errors": 1}
    assert reason.replace("[*]", "*") in printed
    assert "Traceback" not in printed


def test_an_unknown_role_of_a_marker_is_told(run: Run) -> None:
    run.trace("fixtures/a.jsonl")
    printed, outcomes = run('@pytest.mark.replay("fixtures/*.jsonl", passwords={"guest": ""})\ndef test_it(): ...')
    assert outcomes == {"errors": 1}
    assert "there is no role 'guest'" in printed


def test_patterns_are_looked_for_beside_the_test_and_then_in_the_root(run: Run) -> None:
    run.trace("fixtures/root.jsonl")
    run.trace("fixtures/deep/er/one.jsonl")
    sub = run.path / "sub"
    sub.mkdir()
    (run.path / "pytest.ini").write_text("[pytest]\n")
    (sub / "test_sub.py").write_text(f"import pytest\n{REPLAY}")
    printed, outcomes = run("", "-v", str(sub))
    assert outcomes == {"passed": 1}
    assert "test_it[fixtures/root.jsonl] PASSED" in printed
    run.trace("sub/fixtures/beside.jsonl")
    printed, _ = run("", "-v", str(sub))
    assert "test_it[fixtures/beside.jsonl] PASSED" in printed
    assert "root.jsonl" not in printed
    absolute = str(run.path / "fixtures" / "**" / "*.jsonl")
    _, outcomes = run(f'@pytest.mark.replay({absolute!r}, "fixtures/root.jsonl")\ndef test_it(): ...', "test_it.py")
    assert outcomes in ({"passed": 2}, {})


def test_the_marker_is_refused_where_it_would_do_nothing(run: Run) -> None:
    run.trace("fixtures/a.jsonl")
    printed, outcomes = run("""
import unittest

@pytest.mark.replay("fixtures/*.jsonl")
class TestIt(unittest.TestCase):
    def test_it(self): ...
""")
    assert outcomes == {"errors": 1}
    assert "not for unittest.TestCase" in printed


def test_the_fixture_is_refused_without_the_marker(run: Run) -> None:
    printed, outcomes = run("def test_it(replay): ...")
    assert outcomes == {"errors": 1}
    assert "the fixture replay needs the marker" in printed


def test_an_update_rewrites_what_differs_and_says_so_and_then_all_is_equal(run: Run) -> None:
    changed = run.trace("fixtures/changed.jsonl", b'"idle"', b'"IDLE"')
    changed.chmod(0o640)
    same = run.trace("fixtures/same.jsonl")
    before = same.read_bytes()
    printed, outcomes = run(REPLAY, "--trace-update")
    assert outcomes == {"passed": 2}
    assert "traces rewritten by --trace-update" in printed
    assert f"{changed}: 28 entries, the reader's frames stayed as they were" in printed
    assert str(same) not in printed
    assert same.read_bytes() == before
    assert changed.stat().st_mode & 0o777 == 0o640
    assert changed.read_text().splitlines()[1:] == before.decode().splitlines()[1:]
    printed, outcomes = run(REPLAY)
    assert outcomes == {"passed": 2}
    assert "rewritten" not in printed
    assert sorted(path.name for path in changed.parent.iterdir()) == ["changed.jsonl", "same.jsonl"]


def test_an_update_reads_longer_answers_and_uses_new_tokens(run: Run) -> None:
    run.trace("fixtures/seed.jsonl", '"seed": 0', '"seed": 1')
    # What the test does beside the phone is in no trace, so that answers have other lengths without it.
    _, outcomes = run("""
@pytest.mark.parametrize("hold", [0.0, 0.4])
def test_record(charger, phone, trace, hold):
    phone.login("installer")
    charger.api.login("installer")
    charger.api.post("/key_value_store", json={"long": "x" * 300})
    assert phone.get("/key_value_store/long").status_code == 200
    phone.get("/system_state")
    trace.save(f"fixtures/long-{hold}.jsonl")
""")
    assert outcomes == {"passed": 2}
    printed, outcomes = run(REPLAY, "--trace-update")
    assert outcomes == {"passed": 3}
    assert "seed.jsonl: 28 entries, written and read by our own reader" in printed


def test_an_update_leaves_recordings_of_other_devices_alone(run: Run) -> None:
    path = run.trace("fixtures/a.jsonl", '"nfcbridge 0.1.0 card"', '"a real charger"')
    path.write_text(path.read_text().replace(b'"idle"'.hex(), b'"IDLE"'.hex()))
    before = path.read_bytes()
    printed, outcomes = run(REPLAY, "--trace-update")
    assert outcomes == {"errors": 1}
    assert "it is never rewritten" in printed
    assert path.read_bytes() == before


def test_updates_of_several_processes_are_told_by_the_one_that_people_see(run: Run) -> None:
    for name in ("a", "b", "c"):
        run.trace(f"fixtures/{name}.jsonl", b'"idle"', b'"IDLE"')
    (run.path / "test_it.py").write_text(f"import pytest\n{REPLAY}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *ARGUMENTS, "-n", "2", "--trace-update"],
        cwd=run.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("28 entries") == 3


def test_marker_and_option_are_in_the_help_of_pytest(run: Run) -> None:
    printed = run.ask("--markers")
    assert "@pytest.mark.replay(pattern, ..., level=None" in printed
    assert "@pytest.mark.charger(**settings)" in printed
    assert "--trace-update" in run.ask("--help")
    printed = run.ask("--fixtures")
    assert "A client of httpx2 over NFC, before the charger and logged out" in printed


def test_loading_the_plugin_imports_nothing_that_takes_time() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import nfcbridge.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"nfcbridge", "nfcbridge.testing", "nfcbridge.testing.plugin"}


YOUNG: Final = ("TerminalReporter", "TestShortLogReport", "Directory", "Dir", "HIDDEN_PARAM", "RaisesGroup", "Subtests")
"""What pytest has had since 7.0."""


def test_the_plugin_does_not_stop_an_older_pytest() -> None:
    code = f"import pytest; [vars(pytest).pop(name, None) for name in {YOUNG}]; import nfcbridge.testing.plugin"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_for_annotations_are_there_and_others_are_not() -> None:
    import nfcbridge.testing as package

    assert [getattr(package, name).__name__ for name in package.__all__] == package.__all__
    with pytest.raises(AttributeError, match="no attribute 'Phone'"):
        _ = package.Phone
