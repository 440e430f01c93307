"""`nfcbridge backup`: settings, users, whitelist and pairs of a charger into one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.door import Door, at_a_door, open_session
from nfcbridge.cli.errors import ExitCode, print_notice
from nfcbridge.cli.parameters import Duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nfcbridge.client.backup.copy import Copy

PARTS: Final = ("settings", "users", "whitelist", "pairs")
"""As `nfcbridge.client.backup.copy`, which takes longer to import than the options may."""

MAX_PATIENCE: Final = 3600.0

MAX_AGE: Final = 86_400.0
"""Seconds after which what an attempt left is not gone on from: the charger has changed since."""

TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
"""Wall time in UTC, as a backup has it."""

patience_option = click.option(
    "--patience",
    type=Duration(0, MAX_PATIENCE),
    default="60s",
    show_default=True,
    help="How long to wait for a tag that slipped away.",
)
part_option = click.option(
    "--only", "parts", type=click.Choice(PARTS), multiple=True, help="This part alone; may be repeated."
)


@click.command(short_help=COMMANDS["backup"].sentence)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@part_option
@patience_option
@at_a_door
def command(door: Door, *, file: Path, parts: tuple[str, ...], patience: float) -> int:
    """Write what a charger keeps into FILE, as JSON: settings, users, whitelist and pairs of the key-value store.

    A tag that slips away is waited for. What was read before stays in FILE.part: the same command goes on from there.
    Settings are those that --user may write; passwords are told by no charger and are not in it. FILE has names and
    tag ids, and only you may read it.
    """
    from nfcbridge.client.backup.charger import Charger
    from nfcbridge.client.backup.copy import WORDS, check_place, write_copy

    if str(file) == "-":
        raise click.UsageError("a backup goes into a file, not to stdout: name one")
    check_place(file)
    rest = file.with_name(f"{file.name}.part")
    wanted = parts or PARTS
    copy = begun_before(rest, door, wanted)

    def done(part: str, count: int) -> None:
        print_notice(f"{count} {WORDS.get(part, part)}")
        write_copy(rest, copy)

    with open_session(door, patience=patience, slipped=tell_slipped) as session:
        charger = Charger(session, patience=patience, slipped=tell_slipped)
        charger.read(list(wanted), done, copy)
    copy.role = door.user
    write_copy(file, copy)
    rest.unlink(missing_ok=True)
    print_notice(f"{file}: {copy.words()}")
    return ExitCode.DONE


def begun_before(rest: Path, door: Door, parts: "Sequence[str]") -> "Copy":
    """Return what an attempt before this one has read of these parts, or an empty copy."""
    from datetime import UTC, datetime, timedelta

    from nfcbridge.client.backup.copy import Copy, read_copy
    from nfcbridge.errors import ConfigError

    now = datetime.now(UTC)
    fresh = Copy(created=f"{now:{TIME}}", role=origin(door))
    try:
        begun = read_copy(rest)
    except FileNotFoundError:
        return fresh
    except ConfigError:
        return fresh  # what another program left there is written over
    oldest = now - timedelta(seconds=MAX_AGE)
    # Times of one form are in the order of their letters.
    if begun.role != origin(door) or begun.created < f"{oldest:{TIME}}":
        return fresh
    begun = begun.only(list(parts))
    if not begun.parts():
        return fresh
    print_notice(f"going on from {rest}: {', '.join(begun.parts())} of {begun.created} are there")
    return begun


def origin(door: Door) -> str:
    """Return what the rest of an attempt is known by: another charger or role has other data."""
    return f"{door.user} at {door.url or door.link}"


def tell_slipped(reason: str) -> None:
    """Tell that the tag is waited for."""
    print_notice(f"{reason}: hold the reader to the charger again")
