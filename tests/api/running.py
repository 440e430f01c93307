"""Runs groups of the table through a door."""

import json
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

from nfcbridge.errors import NfcBridgeError
from tests.api.doors import FIRST_ERROR, Door, Reply
from tests.api.matching import Names, differences, fill
from tests.api.table import Case, Group, Step
from tests.api.world import PASSWORDS, World

# Seconds without a call after which a session is over.
SESSION_TIMEOUT: Final = 60.0


def log_in(door: Door, role: str, *, client: int = 0) -> str:
    """Log in as a role; the id of the session."""
    token = door.call("GET", "/login", client=client).content["token"]
    hashed = sha256((PASSWORDS[role] + token).encode()).hexdigest()
    reply = door.call("POST", "/login", body=json.dumps({"username": role, "password": hashed}), client=client)
    session: str = reply.content["session"]["session_id"]
    return session


class Run:
    """One group on its way through one door."""

    def __init__(self, world: World, door: Door, group: Group) -> None:
        self._world = world
        self._door = door
        self._group = group
        self._names: Names = {}
        self._sessions: dict[str, tuple[str, float]] = {}
        self.problems: dict[str, list[str]] = {}

    def run(self) -> dict[str, list[str]]:
        """Every line, also after one that failed: what is wrong, by name of the case."""
        for row in self._group.rows:
            if isinstance(row, Step):
                self._door.act(row.words)
            else:
                self.problems[row.name] = self._try(row)
        return self.problems

    def _try(self, case: Case) -> list[str]:
        try:
            return self.problems_of(case, self._call(case))
        except (NfcBridgeError, OSError, ValueError) as error:
            return [f"{type(error).__name__}: {error}"]

    def _call(self, case: Case) -> Reply:
        path, body = fill(case.path, self._names), fill(case.body, self._names)
        return self._door.call(case.method, path, session=self._authorization(case), body=body)

    def _authorization(self, case: Case) -> str | None:
        who = case.who or self._group.role
        if who == "nobody":
            return None
        if who == "empty":
            return ""
        if who not in PASSWORDS:
            return fill(who, self._names)
        session, used = self._sessions.get(who, ("", float("-inf")))
        if self._world.now() - used >= SESSION_TIMEOUT:
            session = log_in(self._door, who)
        self._sessions[who] = (session, self._world.now())
        return session

    def problems_of(self, case: Case, reply: Reply) -> list[str]:
        """What is wrong with a reply."""
        if reply.status != case.status:
            return [f"status {reply.status} instead of {case.status}: {reply.octets[:300]!r}"]
        problems = _header_problems(reply) if reply.headers else []
        if reply.status >= FIRST_ERROR and not self._door.tells_errors:
            return [*problems, *(["a content that NFC does not have"] if reply.octets else [])]
        if not case.content:
            return [*problems, *(["a content where there is none"] if reply.octets else [])]
        expected: Any = json.loads(fill(case.content, self._names))
        return problems + differences(expected, reply.content, self._names)


def _header_problems(reply: Reply) -> list[str]:
    content_type = reply.headers.get("content-type")
    wanted = None if reply.status == HTTPStatus.NO_CONTENT else "application/json"
    problems = [f"content-type is {content_type}"] if content_type != wanted else []
    needed = {204: "allow", 401: "www-authenticate", 405: "allow", 429: "retry-after"}.get(reply.status)
    if needed is not None and not reply.headers.get(needed):
        problems.append(f"{reply.status} without {needed}")
    return problems


def run_group(group: Group, open_door: Callable[[World], Door]) -> dict[str, list[str]]:
    """Run a group against a new world. What is wrong, by name of the case."""
    world = World()
    with open_door(world) as door:
        return Run(world, door, group).run()
