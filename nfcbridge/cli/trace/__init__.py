"""`nfcbridge trace COMMAND`: what can be done with a trace, each in a module that is imported when it runs."""

from typing import Final

import click

from nfcbridge.cli import COMMANDS, HELP, LazyCommand, LazyGroup

TRACE_COMMANDS: Final[dict[str, LazyCommand]] = {
    "show": LazyCommand("nfcbridge.cli.trace.show", "Show a trace as a table, from frames up to messages."),
    "stats": LazyCommand("nfcbridge.cli.trace.stats", "Count exchanges and octets, and tell where the time went."),
    "lint": LazyCommand("nfcbridge.cli.trace.lint", "Say what a reader or a card does wrong, and how to mend it."),
    "replay": LazyCommand("nfcbridge.cli.trace.replay", "Play recorded readers against our card and compare."),
    "redact": LazyCommand("nfcbridge.cli.trace.redact", "Replace the secrets of a trace, each always by the same."),
    "import": LazyCommand("nfcbridge.cli.trace.import_", "Make a trace of what another tool recorded."),
    "export": LazyCommand("nfcbridge.cli.trace.export", "Write a trace in the format of another tool."),
}


@click.group(
    cls=LazyGroup, commands_by_name=TRACE_COMMANDS, context_settings=HELP, short_help=COMMANDS["trace"].sentence
)
def command() -> None:
    """Look at a recorded trace, replay it, explain it, convert it.

    `nfcbridge serve --trace FILE` records one, and so does `nfcbridge request --trace FILE`.
    """
