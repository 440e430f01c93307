"""What tests of other projects use: a plugin for pytest, which is there as soon as nfcbridge is installed.

    fixtures   charger    an emulator of the charge controller, new for each test: its link, its interface without NFC
                          (`api`), its clock, its state, and what can happen to it
               phone      a client of httpx2 over NFC, before that charger
               trace      what crossed that link; where a test fails, its report shows it
               replay     of a test with the marker `replay`: how a recorded trace went
               charger_settings   what the chargers are made of, to be overridden
    markers    @pytest.mark.charger(speed=60, hold=0)
               @pytest.mark.replay("fixtures/*.jsonl", level="message")
    option     --trace-update    rewrite the traces of `replay` with what the charger answers now

    plugin.py       the plugin; it imports what the following modules need when a test needs it
    charger.py      the charger of a test (settings.py: what it is made of)
    client.py       a client that can log in
    trace.py        what crossed its link (readable.py: for people)
    replays.py      recorded traces as tests (renew.py: made anew)

Other frameworks have the same charger by a context manager:

    with open_charger(ChargerSettings(), Path("trace.jsonl")) as charger, charger.client() as phone:
        phone.login("operator")

Names for type annotations, which are imported when they are first used: `Charger`, `ChargerClient`, `ChargerSettings`,
`LinkTrace`, and `Report`, which is what `replay` is. A project whose tests use all of it is `tests/testing/example`.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nfcbridge.replay.report import Report
    from nfcbridge.testing.charger import Charger, open_charger
    from nfcbridge.testing.client import ChargerClient
    from nfcbridge.testing.settings import ChargerSettings
    from nfcbridge.testing.trace import LinkTrace

__all__ = ["Charger", "ChargerClient", "ChargerSettings", "LinkTrace", "Report", "open_charger"]

_HOMES: Final = {
    "Charger": "nfcbridge.testing.charger",
    "ChargerClient": "nfcbridge.testing.client",
    "ChargerSettings": "nfcbridge.testing.settings",
    "LinkTrace": "nfcbridge.testing.trace",
    "Report": "nfcbridge.replay.report",
    "open_charger": "nfcbridge.testing.charger",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - classes
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
