"""The table and its runner: a line that cannot be meant is refused, and every way to answer wrongly is seen."""

from typing import ClassVar, Self

import pytest

from tests.api.doors import Reply
from tests.api.running import Run
from tests.api.table import Case, Group, Step, parse, read_table
from tests.api.world import World

TABLE = """# a comment

[users] operator
none | GET /users | | 200 | {"users": []}
> advance 61
as the user | as user: POST /users | {"a|b": "x"} | 403 |
"""
USUAL = '{"success": false, "cause": "<text>"}'


def test_a_line_is_a_case_or_a_step() -> None:
    (group,) = parse(TABLE, "users")
    assert (group.name, group.role) == ("users", "operator")
    assert group.rows == [
        Case("none", "users:4", None, "GET", "/users", "", 200, '{"users": []}'),
        Step("users:5", "advance 61"),
        Case("as the user", "users:6", "user", "POST", "/users", '{"a|b": "x"}', 403, USUAL),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a | GET /users | | 200", "t:2: 4 columns instead of 5"),
        ("a | GET /users | | 200 | {} | ", "t:2: 6 columns instead of 5"),
        (" | GET /users | | 200 | {}", "t:2: name"),
        ("a | get /users | | 200 | {}", "t:2: name"),
        ("a | GET users | | 200 | {}", "t:2: name"),
        ("a | GET /users | | ok | {}", "t:2: name"),
        ("a | GET /users | | 200 |", "t:2: a success has a content"),
        ("a | GET /users | | 404 |\na | GET /users | | 404 |", "there twice: a"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(f"[group] operator\n{line}", "t")


def test_a_line_before_the_first_group_is_refused() -> None:
    with pytest.raises(ValueError, match="t:1: a line before the first group"):
        parse("a | GET /users | | 200 | {}", "t")


def test_no_two_groups_have_one_name() -> None:
    names = [group.name for group in read_table()]
    assert len(set(names)) == len(names)


class CannedDoor:
    """Answers everything alike, and notes what was sent."""

    tells_errors: ClassVar = True
    reply = Reply(200, b"{}", {})

    def __init__(self, world: World) -> None:
        self.act = world.act
        self.sent: list[tuple[str, str, str | None, str | bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        self.sent.append((method, path, session, body))
        return self.reply


class CannedNfcDoor(CannedDoor):
    tells_errors: ClassVar = False


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("line", "reply", "problem"),
    [
        ("GET /x | | 200 | {}", Reply(200, b"{}", {}), None),
        ("GET /x | | 200 | {}", Reply(200, b"{}", JSON), None),
        ("GET /x | | 200 | {}", Reply(201, b"{}", {}), "status 201 instead of 200"),
        ("GET /x | | 200 | {}", Reply(200, b'{"a":1}', {}), "has 'a' too"),
        ("GET /x | | 200 | {}", Reply(200, b"", {}), "null instead of an object"),
        ("GET /x | | 200 | {}", Reply(200, b"x", {}), "JSONDecodeError"),
        ("GET /x | | 200 | {}", Reply(200, b"{}", {"content-type": "text/html"}), "content-type is text/html"),
        ("GET /x | | 404 |", Reply(404, b'{"success":false,"cause":"why"}', JSON), None),
        ("GET /x | | 404 |", Reply(404, b'{"success":false,"cause":""}', JSON), "is not <text>"),
        ("GET /x | | 404 |", Reply(404, b"", JSON), "null instead of an object"),
        ("GET /login | | 404 |", Reply(404, b'{"success":false,"cause":"why"}', JSON), "has 'cause' too"),
        ("GET /x | | 405 |", Reply(405, b'{"success":false,"cause":"why"}', JSON), "405 without allow"),
        ("GET /x | | 401 |", Reply(401, b'{"success":false,"cause":"why"}', JSON), "401 without www-authenticate"),
        ("GET /x | | 429 |", Reply(429, b'{"success":false,"cause":"why"}', JSON), "429 without retry-after"),
        ("OPTIONS /x | | 204 |", Reply(204, b"", {"allow": "GET"}), None),
        ("OPTIONS /x | | 204 |", Reply(204, b"", {"x": "y"}), "204 without allow"),
        ("OPTIONS /x | | 204 |", Reply(204, b"", JSON | {"allow": "GET"}), "content-type is application/json"),
        ("HEAD /x | | 200 |", Reply(200, b"", JSON), None),
        ("HEAD /x | | 200 |", Reply(200, b"{}", JSON), "a content where there is none"),
        ("GET /${x} | | 200 | {}", Reply(200, b"{}", {}), "nothing of this name"),
    ],
)
def test_every_wrong_answer_is_seen(
    line: str, reply: Reply, problem: str | None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (group,) = parse(f"[g] nobody\nname | {line}", "t")
    monkeypatch.setattr(CannedDoor, "reply", reply)
    problems = "; ".join(Run(world, CannedDoor(world), group).run()["name"])
    assert (problem in problems) if problem else (not problems)


def test_an_error_with_a_content_is_wrong_over_nfc(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (group,) = parse("[g] nobody\nname | GET /x | | 404 |", "t")
    monkeypatch.setattr(CannedDoor, "reply", Reply(404, b"", {}))
    assert Run(world, CannedNfcDoor(world), group).run() == {"name": []}
    monkeypatch.setattr(CannedDoor, "reply", Reply(404, b"{}", {}))
    assert Run(world, CannedNfcDoor(world), group).run() == {"name": ["a content that NFC does not have"]}


def test_who_calls_is_what_is_sent_as_the_authorization(world: World) -> None:
    lines = """
[g] nobody
1 | GET /1 | | 200 | {"...": "..."}
2 | as empty: GET /2 | | 200 | {"...": "..."}
3 | as Bearer x: PUT /3 | [1] | 200 | {"...": "..."}
"""
    door = CannedDoor(world)
    Run(world, door, parse(lines, "t")[0]).run()
    assert door.sent == [("GET", "/1", None, ""), ("GET", "/2", "", ""), ("PUT", "/3", "Bearer x", "[1]")]


def test_a_step_that_is_none_is_a_fault(world: World) -> None:
    with pytest.raises(ValueError, match="no such step: fly away"):
        Run(world, CannedDoor(world), Group("g", "nobody", [Step("t:1", "fly away")])).run()
