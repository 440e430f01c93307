"""Files that are imported in tests: the fixtures, and texts that a test writes."""

import io
from pathlib import Path
from typing import Final

from nfcbridge.formats.found import FormatProblem, Reading
from nfcbridge.formats.importing import IMPORT_FORMATS, Source, read_import
from nfcbridge.trace import Dir, Entry

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "import"

FIXTURES: Final = sorted(path for path in FOLDER.iterdir() if path.suffix not in {".jsonl", ".md"} and path.is_file())

FINDS: Final = sorted((FOLDER / "finds").iterdir()) if (FOLDER / "finds").is_dir() else []

SIGNS: Final = {Dir.READER: ">", Dir.CARD: "<"}


def open_octets(octets: bytes, name: str | None = None) -> tuple[str, Reading]:
    """The format's name, and the reading that has begun."""
    chosen, reading = read_import(Source(io.BytesIO(octets)), name)
    return chosen.name, reading


def read_octets(octets: bytes, name: str | None = None) -> tuple[list[Entry], list[FormatProblem]]:
    """The entries and the problems of a file."""
    items = list(open_octets(octets, name)[1].items)
    entries = [item for item in items if isinstance(item, Entry)]
    problems = [item for item in items if isinstance(item, FormatProblem)]
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    return entries, problems


def show(entries: list[Entry]) -> list[str]:
    """Entries as `>hex`, `<hex`, `on` and `off`."""
    return [
        ("on" if entry.on else "off") if entry.dir is Dir.FIELD else SIGNS[entry.dir] + entry.octets.hex()
        for entry in entries
    ]


def read_shown(text: str | bytes, name: str | None = None) -> list[str]:
    """The entries of a file in short, with its problems between exclamation marks at the end."""
    octets = text.encode() if isinstance(text, str) else text
    entries, problems = read_octets(octets, name)
    return show(entries) + [f"!{problem.position}" for problem in problems if not problem.foreign]


def names() -> list[str]:
    """The names of all formats."""
    return list(IMPORT_FORMATS)
