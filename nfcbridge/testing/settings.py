"""What the charger of a test is made of: by the fixture `charger_settings`, and by markers over it.

@pytest.mark.charger(speed=60, rfid_only=True)        of a test, a class or a module (`pytestmark`)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from nfcbridge.charger import Role
from nfcbridge.charger.randomness import SEED_LENGTH
from nfcbridge.errors import ConfigError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats
from nfcbridge.server.settings import CardSettings
from nfcbridge.type4 import EMPTY_MESSAGE, CardConfig

PASSWORDS: Final[Mapping[str, str]] = {role.value: role.value for role in Role}
"""Every role's password is its own name: they are for tests and for reading them."""

WALL: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When every charger begins, so that its timestamps are the same in every run."""

UID: Final = bytes.fromhex("08010203")
"""A random UID by its first octet, as phones emulate, and the same in every run."""


MAX_SEED: Final = 256**SEED_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerSettings:
    """The names are those of the options of `nfcbridge serve` where it has them.

    Args:
        speed: seconds of the charge point in a real one; 0: its time stands still but for `advance`.
        wall: what its clock says when it begins; without a time zone it is UTC.
        seed: what tokens and session ids come from; None: from the system, other ones in every run.
        scenario: a file that says what happens by itself.
        rfid_only: it begins with a reader that serves no phone, as a new one does.
        passwords: by the name of the role. A role without one cannot log in.
        catalogue: a file of parameters; None: the one that comes along.
        app_layout: a file of what an app shows of them; None: the one that comes along.
        uid: of the tag: 4, 7 or 10 octets.
        ats: its answer to select, with TL.
        mle: most octets of one READ.
        mlc: most octets of one UPDATE.
        file_size: octets of NLEN and message.
        language: of its Text records.
        hold: real seconds that a response is held for the application's answer.
        answer_ttl: real seconds that an answer stays in the file.
        give_up: real seconds after which a request is answered with 504.
        idle: the message while there is no answer.
        not_ready: the message while a request is processed and no longer held; empty: NLEN 0.
        replace: a write replaces an answer that nobody read, where it is refused otherwise.
        faults: bad reception, such as `seed=1&loss=0.01&field=0.001`; see `nfcbridge links` for `faulty:`.
    """

    speed: float = 0.0
    wall: datetime = WALL
    seed: int | None = 0
    scenario: Path | str | None = None
    rfid_only: bool = False
    passwords: Mapping[str, str] = field(default_factory=lambda: dict(PASSWORDS))
    catalogue: Path | str | None = None
    app_layout: Path | str | None = None
    uid: bytes = UID
    ats: bytes = DEFAULT_ATS.to_bytes()
    mle: int = CardConfig().mle
    mlc: int = CardConfig().mlc
    file_size: int = CardConfig().file_size
    language: str = "en"
    hold: float = ExchangeConfig().hold
    answer_ttl: float = ExchangeConfig().answer_ttl
    give_up: float = ExchangeConfig().give_up
    idle: bytes = EMPTY_MESSAGE
    not_ready: bytes = EMPTY_MESSAGE
    replace: bool = False
    faults: str = ""

    def card(self) -> CardSettings:
        """What the tag looks like. Raises ConfigError or a ProtocolError: a value cannot be."""
        limits = CardConfig(mle=self.mle, mlc=self.mlc, file_size=self.file_size)
        return CardSettings(uid=self.uid, ats=Ats.parse(self.ats), limits=limits, language=self.language)

    def exchange(self) -> ExchangeConfig:
        """How requests are answered. Raises ConfigError: a value cannot be."""
        return ExchangeConfig(
            hold=self.hold,
            answer_ttl=self.answer_ttl,
            give_up=self.give_up,
            idle=self.idle,
            not_ready=self.not_ready,
            replace=self.replace,
        )


_NAMES: Final = tuple(each.name for each in fields(ChargerSettings))


def _classes(hint: Any) -> tuple[type, ...]:  # noqa: ANN401 - any annotation
    if isinstance(hint, UnionType):
        return tuple(each for part in get_args(hint) for each in _classes(part))
    return (float, int) if hint is float else (get_origin(hint) or hint,)


_CLASSES: Final = {name: _classes(hint) for name, hint in get_type_hints(ChargerSettings).items()}


def merge_settings(given: object, markers: Iterable[Mapping[str, Any]]) -> ChargerSettings:
    """The settings of a test.

    Args:
        given: what the fixture returns: settings by name, or `ChargerSettings`.
        markers: the keywords of the markers, the one that counts most at the end.

    Raises:
        ConfigError: there is no such setting.
    """
    if isinstance(given, ChargerSettings):
        values = {name: getattr(given, name) for name in _NAMES}
    elif isinstance(given, Mapping):
        values = dict(given)
    else:
        raise ConfigError(f"charger_settings returns a dict such as {{'speed': 60}}, not {given!r}")
    for marker in markers:
        values.update(marker)
    unknown = sorted(set(map(str, values)) - set(_NAMES))
    if unknown:
        raise ConfigError(f"a charger has no setting {', '.join(unknown)}; it has {', '.join(_NAMES)}")
    for name, value in values.items():
        if not isinstance(value, _CLASSES[name]):
            words = " or ".join(each.__name__ for each in _CLASSES[name])
            raise ConfigError(f"the setting {name} is {words}, not {value!r}")
    if not 0 <= (values.get("seed") or 0) < MAX_SEED:
        raise ConfigError(f"the seed is a number from 0 to 2**{8 * SEED_LENGTH} - 1, not {values['seed']}")
    passwords = values.get("passwords", {})
    if not all(isinstance(text, str) for pair in passwords.items() for text in pair):
        raise ConfigError('the passwords are strings by the names of roles, such as {"user": "secret"}')
    return ChargerSettings(**values)
