"""`nfcbridge trace redact`: the same trace without its secrets."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli.trace import TRACE_COMMANDS

if TYPE_CHECKING:
    from nfcbridge.trace import Entry, Header
    from nfcbridge.trace.redact import Redaction

STDOUT: Final = Path("-")

SHOWN_NUMBERS: Final = 20
"""Entries that are named; of more, how many there are."""


@click.command(short_help=TRACE_COMMANDS["redact"].sentence)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--key",
    envvar="NFCBRIDGE_REDACT_KEY",
    help="Any text: with the same key a secret has the same replacement in every file. By default it has one of its "
    "own in each. Who knows the key can try secrets, so keep it. NFCBRIDGE_REDACT_KEY takes one, too.",
)
@click.option("--names", is_flag=True, help="Replace names of people as well, of users and of whitelist entries.")
def command(file: Path, out: Path, key: str | None, *, names: bool) -> None:
    """Write the trace FILE to OUT with its secrets replaced, each always by the same of the same length.

    Secrets are session ids, login tokens, password hashes, passwords in settings, tag ids, all UUIDs, the UID of the
    card, and the seed from which such ids were made. User names stay unless --names is given: a login names a role.
    Frames keep their lengths and times, so OUT decodes and lints as FILE does, and replays at the level of messages.
    OUT may be FILE, or - for stdout.
    """
    from hashlib import sha256

    from nfcbridge.cli.errors import print_warning
    from nfcbridge.cli.trace.progress import Reading
    from nfcbridge.trace import TraceFile
    from nfcbridge.trace.redact import Redaction

    with TraceFile(file) as trace, Reading(trace, words="looking for secrets") as entries:
        redaction = Redaction(trace.header, key=None if key is None else sha256(key.encode()).digest(), names=names)
        redaction.look(entries)
        if trace.problem:
            print_warning(trace.problem)
    with TraceFile(file) as trace, Reading(trace, words="replacing them") as entries:
        write(out, redaction.header, redaction.replace(entries))
    tell(redaction)


def write(out: Path, header: "Header", entries: "Iterable[Entry]") -> None:
    """Write a trace to a file or stdout."""
    from nfcbridge.cli.errors import drop_output
    from nfcbridge.trace import write_trace
    from nfcbridge.trace.entries import write_entries

    if out != STDOUT:
        write_trace(out, header, entries)
        return
    try:
        write_entries(sys.stdout.buffer, header, entries)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()


def tell(redaction: "Redaction") -> None:
    """Say what was replaced, and what nobody understood."""
    from nfcbridge.cli.errors import print_notice, print_warning
    from nfcbridge.trace.secrets import SecretKind

    counts = redaction.counts
    found = ", ".join(in_words(counts[kind], kind.value) for kind in SecretKind if kind in counts)
    print_notice(f"replaced {found}" if found else "there was nothing to replace")
    if unknown := redaction.unknown:
        named = ", ".join(str(number) for number in unknown[:SHOWN_NUMBERS])
        more = f" and {len(unknown) - SHOWN_NUMBERS} more" if len(unknown) > SHOWN_NUMBERS else ""
        print_warning(
            f"not understood: what begins at the entries {named}{more}; there only what looks like a secret, or is one "
            "elsewhere, was replaced: look at it with `nfcbridge trace show` before you give the file away"
        )


def in_words(count: int, name: str) -> str:
    """Return how many there are: `1 tag id`, `2 tag ids`, `2 UIDs of the card`."""
    if count == 1:
        return f"1 {name}"
    first, *rest = name.split(" of ")
    plural = f"{first}es" if first.endswith("sh") else f"{first}s"
    return f"{count} {' of '.join([plural, *rest])}"
