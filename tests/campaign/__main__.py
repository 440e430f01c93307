"""`python -m tests.campaign --seeds 10000`: the campaign by hand."""

import logging
import sys
import time
from collections import Counter

import click

from tests.campaign.kept import keep
from tests.campaign.plan import draw_plan
from tests.campaign.run import Outcome, run_plan

REPORT_INTERVAL = 0.5
"""Seconds between two lines of progress on a terminal."""


@click.command()
@click.option("--seeds", default=1000, show_default=True, help="How many runs.")
@click.option("--first", default=0, show_default=True, help="The seed of the first.")
@click.option("--keep/--no-keep", "keeping", default=True, show_default=True, help="Keep plans that fail as fixtures.")
def main(seeds: int, first: int, *, keeping: bool) -> None:
    """Run seeded faults through login, read and write in virtual time; exit 1 if a run ends as none may."""
    began = shown = time.monotonic()
    total = Outcome()
    failed = 0
    kinds: Counter[str] = Counter()
    for count, seed in enumerate(range(first, first + seeds), 1):
        plan = draw_plan(seed)
        outcome = run_plan(plan)
        total.faults += outcome.faults
        total.torn += outcome.torn
        total.delivered += outcome.delivered
        total.frames += outcome.frames
        total.seconds += outcome.seconds
        kinds.update(error.split(": ", 1)[1][:90] for error in outcome.errors)
        if outcome.wrong:
            failed += 1
            click.echo(f"seed {seed}: {'; '.join(outcome.wrong)}")
            if keeping:
                click.echo(f"  kept as {keep(plan, outcome.wrong[0])}")
        if sys.stderr.isatty() and time.monotonic() - shown > REPORT_INTERVAL:
            shown = time.monotonic()
            click.echo(f"\r{count} of {seeds}, {count / (shown - began):.0f}/s", err=True, nl=False)
    seconds = time.monotonic() - began
    click.echo(
        f"{seeds} seeds in {seconds:.1f} s ({total.seconds / 3600:.1f} h of virtual time), {total.frames} frames"
    )
    click.echo(f"{total.faults} faults struck; {failed} runs ended as none may")
    share = total.delivered / total.torn if total.torn else 1.0
    click.echo(f"{total.torn} torn touches, {total.delivered} of them ended with the answer delivered ({share:.2%})")
    for words, times in kinds.most_common():
        click.echo(f"  {times} ended with: {words}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    logging.getLogger("nfcbridge").setLevel(logging.ERROR)  # what is sent again is told each time
    main()
