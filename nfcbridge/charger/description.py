"""What a charge controller is made of, as data: enough to have the same one again, without its passwords.

{"kind": "charge controller", "base_path": "/v1", "speed": 60.0, "passwords": ["operator"], "dev": true,
 "scenario": {"name": "pairing.toml", "text": "..."}}
"""

from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from nfcbridge.charger.catalogue import parse_catalogue
from nfcbridge.charger.controller import Controller, shipped_catalogue
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.layout import load_layout, parse_layout
from nfcbridge.charger.login import Passwords
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.scenario import parse_scenario
from nfcbridge.charger.randomness import Randomness
from nfcbridge.charger.routes import BASE_PATH
from nfcbridge.errors import ConfigError

KIND: Final = "charge controller"

MAX_TEXT: Final = 131_072
"""Octets of a file that is kept as a whole, several times the shipped catalogue: a first line with three of them, each
octet escaped as two, has fewer octets than a line of a trace may have."""


class TextFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of settings. `text` is missing if it has more than MAX_TEXT octets, or if it is not ASCII and long."""

    name: str
    text: str | None = None

    def parsed(self) -> DataFile:
        """The file. Raises ConfigError: its text was not kept, or it is wrong."""
        if self.text is None:
            raise ConfigError(f"{self.name} was too long to be recorded, and without it the charger is another one")
        return DataFile(self.name, self.text.encode())


class Description(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A charge controller.

    Attributes:
        kind: tells it from other applications.
        base_path: what its paths begin with.
        speed: seconds of the charge point in a real one.
        driven: its time passes by hand alone.
        rfid_only: new data begin with a reader that serves no phone.
        scenario: what happens by itself.
        catalogue: another one than the shipped one.
        app_layout: the same.
        passwords: the roles that have one.
        dev: the operator's is `operator`.
        stored: it began with data of a directory, which are not known here.
    """

    kind: Literal["charge controller"]
    base_path: str = BASE_PATH
    speed: float = 1.0
    driven: bool = False
    rfid_only: bool = False
    scenario: TextFile | None = None
    catalogue: TextFile | None = None
    app_layout: TextFile | None = None
    passwords: tuple[str, ...] = ()
    dev: bool = False
    stored: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it stands in a first line."""
        words: dict[str, Any] = msgspec.to_builtins(self)
        return words

    def make_controller(self, clock: ChargerClock, passwords: Passwords, randomness: Randomness) -> Controller:
        """One like it, all of it in memory.

        Raises:
            ConfigError: a file was not kept, or this version refuses it.
        """
        catalogue = layout = None
        if self.catalogue is not None:
            catalogue = parse_catalogue(self.catalogue.parsed())
        if self.app_layout is not None:
            layout = parse_layout(self.app_layout.parsed(), catalogue or shipped_catalogue())
        elif catalogue is not None:
            layout = load_layout(catalogue)
        return Controller(
            passwords=passwords,
            catalogue=catalogue,
            layout=layout,
            charger_clock=clock,
            scenario=None if self.scenario is None else parse_scenario(self.scenario.parsed()),
            rfid_only=self.rfid_only,
            randomness=randomness,
        )


def keep_text(path: Path | str | None) -> TextFile | None:
    """A file that was given, with its text unless that is too long. It was read before, so it can be read."""
    if path is None:
        return None
    octets = Path(path).read_bytes()
    text = octets.decode(errors="replace")
    short = len(octets) <= MAX_TEXT and (text.isascii() or len(octets) <= MAX_TEXT // 4)
    return TextFile(Path(path).name, text if short else None)
