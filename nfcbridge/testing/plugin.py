"""The plugin that pytest finds by its entry point: an emulated charger, a phone and traces in anybody's tests.

    def test_the_app_shows_that_the_charger_is_idle(charger, phone):
        phone.login("operator")
        assert phone.get("/system_state").json()["systemState"] == "idle"

    @pytest.mark.replay("fixtures/*.jsonl")
    def test_the_charger_still_answers_as_recorded(): ...

This module is imported in every run of pytest where nfcbridge is installed, and must not be in its way. So it imports
nothing but pytest, of which 7.0 has all that it uses: names that are younger are annotations in quotes. What the
fixtures need they import when a test uses them.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from nfcbridge.replay.report import Report
    from nfcbridge.testing.charger import Charger
    from nfcbridge.testing.client import ChargerClient
    from nfcbridge.testing.replays import Recorded
    from nfcbridge.testing.trace import LinkTrace

CHARGER: Final = pytest.StashKey["Charger"]()
"""The charger of a test, for its report."""

REPLAY: Final = pytest.StashKey["Report"]()
"""What came of a replay, for its test to fail by it."""

NOTE: Final = pytest.StashKey[str]()
"""What `--trace-update` did with the trace of a test."""

NOTE_ATTRIBUTE: Final = "nfcbridge_trace_update"
"""The same as an attribute of a report, which may come from another process (pytest-xdist)."""

UPDATE: Final = "--trace-update"
UPDATE_DEST: Final = "nfcbridge_trace_update"
FIXTURE: Final = "replay"

MARKERS: Final = {
    "charger(**settings)": "what the charger of this test is made of, such as speed=60 or hold=0; "
    "see nfcbridge.testing.ChargerSettings",
    "replay(pattern, ..., level=None, passwords={})": "play each recorded trace that matches against a new charger of "
    "its recorded configuration; patterns are relative to the folder of the test's file, or else to the root of the "
    "project; level is frame or message, by default what suits who recorded it",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("nfcbridge", "traces of NFC").addoption(
        UPDATE,
        action="store_true",
        dest=UPDATE_DEST,
        help="Rewrite the traces of tests with the marker `replay` whose answers are others now. Without it no trace "
        "is ever written.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and listen to what is rewritten."""
    for marker, what in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {what}")
    config.pluginmanager.register(Renewals(), "nfcbridge-renewals")


def end_test(reason: str) -> NoReturn:
    """Let the test fail for a reason that needs no traceback, that of an exception neither."""
    raise pytest.fail.Exception(reason, pytrace=False) from None


# --- An emulated charger, and a phone before it ---------------------------------------------------------------------


@pytest.fixture
def charger_settings() -> dict[str, Any]:
    """What chargers are made of: override it to return other settings than none; nfcbridge.testing.ChargerSettings."""
    return {}


@pytest.fixture
def charger(
    request: pytest.FixtureRequest, charger_settings: object, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Charger]":
    """A new emulated charger on a link in memory, whose time passes when the test says so."""
    from nfcbridge.errors import NfcBridgeError
    from nfcbridge.testing.charger import open_charger
    from nfcbridge.testing.settings import merge_settings

    markers = list(request.node.iter_markers("charger"))[::-1]  # from the module's to the test's own
    if any(marker.args for marker in markers):
        end_test("the marker charger takes settings by name, such as charger(speed=60)")
    trace_file = tmp_path_factory.mktemp("nfcbridge") / "trace.jsonl"
    with ExitStack() as stack:
        try:
            settings = merge_settings(charger_settings, (marker.kwargs for marker in markers))
            opened = stack.enter_context(open_charger(settings, trace_file))
        except NfcBridgeError as error:
            end_test(f"no charger can be made for this test: {error}")
        request.node.stash[CHARGER] = opened
        yield opened


@pytest.fixture
def phone(charger: "Charger") -> "Iterator[ChargerClient]":
    """A client of httpx2 over NFC, before the charger and logged out: `phone.login("operator")`."""
    with charger.client() as client:
        yield client


@pytest.fixture
def trace(charger: "Charger") -> "LinkTrace":
    """What crossed the charger's link so far."""
    from nfcbridge.testing.trace import LinkTrace

    return LinkTrace(charger.trace_file, charger.emulator.flush)


# --- Recorded traces ------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each trace that the marker `replay` means.

    Raises:
        pytest.Collector.CollectError: there is none, or an argument cannot be.
    """
    markers = list(metafunc.definition.iter_markers("replay"))
    if not markers:
        return
    from nfcbridge.errors import ConfigError
    from nfcbridge.testing.replays import Marked, find_recorded

    folders = (metafunc.definition.path.parent, metafunc.config.rootpath)
    try:
        found = find_recorded((Marked(marker.args, marker.kwargs) for marker in markers), folders)
    except ConfigError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from None
    if FIXTURE not in metafunc.fixturenames:
        metafunc.fixturenames.append(FIXTURE)  # the test need not name it
    metafunc.parametrize(FIXTURE, found, indirect=True, ids=[recorded.name for recorded in found])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test use its replay that does not name it."""
    names: list[str] = getattr(item, "fixturenames", [])
    if is_replay(item) and FIXTURE not in names:
        names.append(FIXTURE)


def is_replay(item: pytest.Item) -> bool:
    """Whether the marker has made this test of a trace."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and FIXTURE in callspec.params


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse the marker where it has no effect, rather than pass without a replay."""
    if not is_replay(item) and any(item.iter_markers("replay")):
        end_test("the marker replay is for functions and methods of plain classes, and not for unittest.TestCase")


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> "Report":
    """What came of the replay of a trace, in a test with the marker `replay`, which fails by itself if it differs."""
    recorded: Recorded | None = getattr(request, "param", None)
    if recorded is None:
        end_test('the fixture replay needs the marker: @pytest.mark.replay("fixtures/*.jsonl")')
    from nfcbridge.errors import NfcBridgeError
    from nfcbridge.testing.replays import replay_recorded

    try:
        report = replay_recorded(recorded)
        if not report.equal and request.config.getoption(UPDATE_DEST):
            from nfcbridge.testing.renew import renew_recorded

            request.node.stash[NOTE] = f"{recorded.path}: {renew_recorded(recorded, report)}"
            report = replay_recorded(recorded)
    except (NfcBridgeError, OSError) as error:
        end_test(f"{recorded.name}: {error}")
    request.node.stash[REPLAY] = report
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let a test fail whose replay differs, before it looks at anything else."""
    report = item.stash.get(REPLAY, None)
    if report is not None and not report.equal:
        end_test("\n".join([*report.lines(), f"to accept what is answered now: pytest {UPDATE}"]))
    return (yield)


# --- Reports --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what crossed the link where a test failed, and tell what was rewritten."""
    report = yield
    if report.failed and CHARGER in item.stash:
        from nfcbridge.testing.trace import LinkTrace

        charger = item.stash[CHARGER]
        lines = LinkTrace(charger.trace_file, charger.emulator.flush).readable()
        if lines:
            report.sections.append(("NFC trace", "\n".join(lines)))
    if report.when == "setup" and NOTE in item.stash:
        setattr(report, NOTE_ATTRIBUTE, item.stash[NOTE])
    return report


class Renewals:
    """Tells at the end of a run which traces were rewritten."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test has rewritten."""
        line = getattr(report, NOTE_ATTRIBUTE, None)
        if line is not None:
            self._lines.append(line)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Tell it."""
        if self._lines:
            terminalreporter.section(f"traces rewritten by {UPDATE}")
            for line in sorted(self._lines):
                terminalreporter.line(line)
