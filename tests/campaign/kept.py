"""Plans that once failed, or that show something: one file each in fixtures/campaign."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tests.campaign.plan import Plan

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "campaign"


def keep(plan: Plan, why: str, folder: Path = FOLDER) -> Path:
    """Write a plan to a file of its own."""
    path = folder / f"seed-{plan.seed}.json"
    kept = msgspec.structs.replace(plan, why=why)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    return path


def kept_plans(folder: Path = FOLDER) -> Iterator[tuple[str, Plan]]:
    """Every plan that is kept, by the name of its file."""
    for path in sorted(folder.glob("*.json")):
        yield path.stem, msgspec.json.decode(path.read_bytes(), type=Plan)
