"""The table of API tests: what the API reference and the notes beside it say, one line a case.

    # a comment
    [name of a group] ROLE
    name | METHOD PATH | body | status | content
    name | as WHO: METHOD PATH | body | status | content
    > step

The lines of a group run in order against one charge controller, new for the group and for each door. ROLE is who is
logged in, `nobody` for none; WHO is another role, `nobody`, `empty` for an empty session id, or what is sent as the
authorization. A path has no /v1 unless the case is about that. The body is sent as it stands. Content and `${...}` are
explained in `matching.py`, steps in `world.py`.

Without content the case expects what every such answer has: none to HEAD and with 204, and from 400 on a failure with
any text.
"""

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("cases")

_HEADING: Final = re.compile(r"\[(?P<name>[^\]]+)\] (?P<role>\w+)")
_REQUEST: Final = re.compile(r"(?:as (?P<who>.+?): )?(?P<method>[A-Z]+) (?P<path>/.*)")
_BAR: Final = re.compile(r" \|(?= |$)")
_COLUMNS: Final = 5
_FIRST_ERROR: Final = 400
_LOGIN_PATHS: Final = ("/login", "/logout")


@dataclass(frozen=True, slots=True)
class Case:
    """A line.

    Attributes:
        who: None: whoever the group says.
        content: JSON with matchers; "" for none.
    """

    name: str
    place: str
    who: str | None
    method: str
    path: str
    body: str
    status: int
    content: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens between requests."""

    place: str
    words: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that build on one another."""

    name: str
    role: str
    rows: list[Case | Step] = field(default_factory=list)

    @property
    def cases(self) -> list[Case]:
        """Its lines without the steps."""
        return [row for row in self.rows if isinstance(row, Case)]


def read_table(folder: Path = FOLDER) -> list[Group]:
    """Every group of every file.

    Raises:
        ValueError: a line that is none, or a name that is there twice.
    """
    groups: list[Group] = []
    for path in sorted(folder.glob("*.txt")):
        groups += parse(path.read_text(encoding="utf-8"), path.stem)
    _refuse_doubles([group.name for group in groups])
    return groups


def parse(text: str, file: str) -> list[Group]:
    """The groups of one file. Raises ValueError as `read_table` does."""
    groups: list[Group] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        heading = _HEADING.fullmatch(line)
        if not line or line.startswith("#"):
            continue
        if heading:
            groups.append(Group(heading["name"], heading["role"]))
        elif not groups:
            raise ValueError(f"{place}: a line before the first group")
        elif line.startswith("> "):
            groups[-1].rows.append(Step(place, line[2:]))
        else:
            groups[-1].rows.append(_parse_case(line, place))
    for group in groups:
        _refuse_doubles([case.name for case in group.cases])
    return groups


def _parse_case(line: str, place: str) -> Case:
    columns = [column.strip() for column in _BAR.split(line)]
    if len(columns) != _COLUMNS:
        raise ValueError(f"{place}: {len(columns)} columns instead of {_COLUMNS}")
    name, request, body, status, content = columns
    parsed = _REQUEST.fullmatch(request)
    if not name or parsed is None or not status.isdecimal():
        raise ValueError(f"{place}: name | as WHO: METHOD PATH | body | status | content")
    content = content or _usual_content(parsed["method"], parsed["path"], int(status))
    if not content and parsed["method"] != "HEAD" and int(status) != HTTPStatus.NO_CONTENT:
        raise ValueError(f"{place}: a success has a content")
    return Case(name, place, parsed["who"], parsed["method"], parsed["path"], body, int(status), content)


def _usual_content(method: str, path: str, status: int) -> str:
    if method == "HEAD" or status < _FIRST_ERROR:
        return ""
    if path in _LOGIN_PATHS:
        return json.dumps({"logged_in": False, "message": "<text>"})
    return json.dumps({"success": False, "cause": "<text>"})


def _refuse_doubles(names: list[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"there twice: {', '.join(doubles)}")
