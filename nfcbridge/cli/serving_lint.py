"""The rules of `trace lint`, held against what `serve` serves."""

from collections.abc import Callable

from nfcbridge.cli.errors import print_warning
from nfcbridge.cli.serve_settings import ServeSettings
from nfcbridge.server.events import EmulatorEvent
from nfcbridge.server.live_lint import TOLD_BY_THE_DOOR, LiveLint
from nfcbridge.server.settings import CardSettings
from nfcbridge.trace import TraceOrigin


def live_lint(
    settings: ServeSettings, card: CardSettings, origin: TraceOrigin | None, tell: Callable[[EmulatorEvent], None]
) -> LiveLint:
    """Return what holds the links against the rules, not started yet.

    Args:
        settings: those of the server.
        card: what the tags look like.
        origin: what a recording says of what is served, if it says anything.
        tell: told of broken rules, in another thread.
    """
    app = origin.app if origin is not None else None
    # Who lets a write replace an answer that nobody read is not told by a refusal that it came too early.
    silent = TOLD_BY_THE_DOOR - {"NB401"} if settings.replace else TOLD_BY_THE_DOOR
    return LiveLint(tell, card={"ats": card.ats.to_bytes().hex()}, app=app, silent=silent)


def warn_of_lost_frames(lint: LiveLint) -> None:
    """Tell how much was not looked at, if anything was not."""
    if lint.lost:
        print_warning(f"{lint.lost} frames were not held against the rules: they came too fast; record them (--trace)")
