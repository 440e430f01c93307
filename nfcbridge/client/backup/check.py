"""What of a copy a charger would refuse, told before anything is written."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from nfcbridge.client.backup.charger import Setting
from nfcbridge.client.backup.copy import Copy

MAX_NAME: Final = 255
"""Characters of a user's name (API reference)."""

MAX_PAIRS: Final = 1_000
MAX_KEY: Final = 256
MAX_VALUE: Final = 1_000
"""Pairs, and characters of a key and a value (API reference)."""

TAG_TYPES: Final = frozenset({"RFID", "EVCCID", "NFC"})
PRIORITIES: Final = frozenset({"NORMAL", "HIGH"})
"""What an entry of the whitelist may say (API reference)."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {"bool": (bool,), "int": (int,), "float": (int, float)}
"""What a setting is in JSON by its type; of all others a string."""


def unknown_settings(copy: Copy, settings: Mapping[str, Setting]) -> list[str]:
    """The settings of a copy that the charger does not have."""
    return [key for key in copy.settings or {} if key not in settings]


def writable(copy: Copy, settings: Mapping[str, Setting]) -> Copy:
    """The same without the settings that the charger does not have or lets nobody of this role write."""
    if copy.settings is UNSET:
        return copy
    kept = {key: value for key, value in copy.settings.items() if key in settings and settings[key].kept}
    return msgspec.structs.replace(copy, settings=kept)


def problems(copy: Copy, settings: Mapping[str, Setting]) -> list[str]:
    """What is wrong with a copy, each in a sentence; nothing if the charger takes it.

    Args:
        copy: what is to be restored.
        settings: what the charger says of its settings to the role that restores.
    """
    return [*_settings(copy, settings), *_users(copy), *_tags(copy), *_pairs(copy)]


def _settings(copy: Copy, settings: Mapping[str, Setting]) -> Iterator[str]:
    for key, value in (copy.settings or {}).items():
        setting = settings.get(key)
        if setting is None:
            yield (
                f"setting {key}: the charger has none of that name for this role; "
                "--user takes another, --skip-unknown leaves it out"
            )
        elif value != setting.value or type(value) is not type(setting.value):
            if not setting.kept:
                yield f"setting {key}: this role may not write it; log in as one that may with --user"
            elif reason := _wrong_value(setting, value):
                yield f"setting {key}: {value!r} {reason}"


def _wrong_value(setting: Setting, value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if setting.enum is not UNSET:
        return "" if value in setting.enum else f"is none of {', '.join(map(repr, setting.enum))}"
    wanted = _TYPES.get(setting.type, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return f"is no {setting.type or 'string'}"
    if isinstance(value, str):
        size, unit = float(len(value)), " characters"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        size, unit = float(value), ""
    else:
        return ""
    if setting.min is not UNSET and size < setting.min:
        return f"is less than {setting.min:g}{unit}"
    if setting.max is not UNSET and size > setting.max:
        return f"is more than {setting.max:g}{unit}"
    return "is no address" if setting.type == "ipv4" and value and not _is_address(str(value)) else ""


def _is_address(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _users(copy: Copy) -> Iterator[str]:
    for user in copy.users or ():
        if len(user.user_name) > MAX_NAME:
            yield f"user {user.user_id}: the name has {len(user.user_name)} characters, {MAX_NAME} are allowed"


def _tags(copy: Copy) -> Iterator[str]:
    for tag in copy.whitelist or ():
        if not (tag.id and tag.id.isascii() and tag.id.isprintable()) or {" ", ","} & set(tag.id):
            yield f"whitelist: {tag.id!r} can be no id"
        if tag.tag_type not in TAG_TYPES:
            yield f"whitelist {tag.id}: the tagType {tag.tag_type!r} is none of {', '.join(sorted(TAG_TYPES))}"
        if tag.priority not in PRIORITIES:
            yield f"whitelist {tag.id}: the priority {tag.priority!r} is none of {', '.join(sorted(PRIORITIES))}"


def _pairs(copy: Copy) -> Iterator[str]:
    pairs = copy.pairs or {}
    if len(pairs) > MAX_PAIRS:
        yield f"{len(pairs)} pairs, and {MAX_PAIRS} are allowed"
    for key, value in pairs.items():
        if not 1 <= len(key) <= MAX_KEY:
            yield f"pair {key[:20]!r}: the key has {len(key)} characters, 1 to {MAX_KEY} are allowed"
        if len(value) > MAX_VALUE:
            yield f"pair {key!r}: the value has {len(value)} characters, {MAX_VALUE} are allowed"
