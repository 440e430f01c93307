"""Carrying a plan out, however often the tag slips away."""

import time
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from nfcbridge.client.backup.charger import PAUSE, Charger, TornError
from nfcbridge.client.backup.copy import Copy
from nfcbridge.client.backup.plan import Step, make_plan, match_users, with_user
from nfcbridge.errors import LinkError, ResponseError

MAX_ROUNDS: Final = 1_000
"""How often a plan is made anew: a charger that never comes to keep what it was told is given up."""


class _Added(Struct, rename="camel"):
    user_id: str


class Restoring:
    """A copy on its way into a charger.

    Args:
        charger: where it goes.
        copy: what shall be kept, without anything that the charger would refuse.
        keep: what is there and not in the copy stays.
        patience: seconds to wait for a tag that slipped away, each time.
        slipped: told why, before the tag is waited for.
        done: told of each step that was taken.
    """

    def __init__(
        self,
        charger: Charger,
        copy: Copy,
        *,
        keep: bool,
        patience: float,
        slipped: Callable[[str], None],
        done: Callable[[Step], None],
    ) -> None:
        self._charger = charger
        self._copy = copy
        self._keep = keep
        self._patience = patience
        self._slipped = slipped
        self._done = done
        self.torn = 0

    def plan(self, there: Copy) -> list[Step]:
        """What is left to do."""
        return make_plan(self._copy, there, keep=self._keep)

    def run(self, there: Copy) -> Copy:
        """Do it.

        Args:
            there: what the charger keeps now.

        Returns:
            What it keeps in the end, as far as it can be asked: what takes it out of reach comes after that.

        Raises:
            LinkError: the tag did not come back; what was done stays, and the same again goes on from there.
            ResponseError: the charger refused a step, or does not keep what it was told.
        """
        advanced = time.monotonic()
        for _ in range(MAX_ROUNDS):
            steps = self.plan(there)
            pending = [step for step in steps if not step.last]
            if not pending:
                for step in steps:
                    self._take(step, {})
                return there
            ids = match_users(self._copy.users or (), there.users or ())
            touched = set()
            try:
                for step in pending:
                    touched.add(step.part)
                    self._take(step, ids)
                    advanced = time.monotonic()
            except TornError as error:
                self.torn += 1
                if time.monotonic() >= advanced + self._patience:
                    raise LinkError(f"{error}: the tag did not come back in {self._patience:g} s") from error
                self._slipped(str(error))
                time.sleep(PAUSE)
            # What no step touched is as it was: the settings alone are two seconds on the air.
            untouched = there.only([part for part in there.parts() if part not in touched])
            there = self._charger.read(self._copy.parts(), lambda _part, _count: None, untouched)
        raise ResponseError(f"after {MAX_ROUNDS} rounds the charger still does not keep what it was told")

    def _take(self, step: Step, ids: dict[str, str]) -> None:
        body = step.body
        if step.part == "whitelist" and body is not None:
            body = {**body, "tags": [with_user(tag, ids) for tag in body["tags"]]}
        answer = self._charger.change(step.method, step.path, body)
        if step.user:
            try:
                ids[step.user] = msgspec.json.decode(answer, type=_Added).user_id
            except msgspec.MsgspecError as error:
                raise ResponseError(f"the answer to POST /users has no userId: {error}") from error
        self._done(step)
