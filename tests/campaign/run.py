"""One run: login, read, write, read again, logout, and whether every step ended as it must."""

import json
from hashlib import sha256
from typing import Any

import msgspec

from nfcbridge.client.phone import Phone
from nfcbridge.errors import LinkError, RemoteProtocolError
from nfcbridge.framing import Answer
from tests.api.world import PASSWORDS, World
from tests.campaign.air import VirtualAir
from tests.campaign.plan import Plan

KEY = "a key of the campaign"
VALUE = "v" * 300


class Outcome(msgspec.Struct):
    """What became of a run.

    Attributes:
        faults: how many came to pass.
        torn: exchanges that were torn at least once.
        delivered: of these, those that ended with the answer.
        errors: of these, those that ended with an error: the words of the errors.
        frames: how many crossed, either way.
        seconds: of virtual time.
        wrong: what must not be; empty if all is right.
    """

    faults: int = 0
    torn: int = 0
    delivered: int = 0
    errors: list[str] = msgspec.field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    wrong: list[str] = msgspec.field(default_factory=list)


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.world = World()
        self.air = VirtualAir(self.world.app, plan)
        self.phone = Phone(self.air, order=plan.write_order, first_id=1, clock=self.air.clock, sleep=self.air.sleep)
        self.outcome = Outcome()
        self._session: str | None = None

    def run(self) -> Outcome:
        """Carry all of it out."""
        try:
            self._sequence()
        finally:
            self.phone.close()
        self._check_order()
        self.outcome.faults = len(self.air.struck)
        self.outcome.frames = self.air.frames
        self.outcome.seconds = self.air.now
        return self.outcome

    def _sequence(self) -> None:
        token = self._ask("GET", "/login")
        if token is None:
            return
        hashed = sha256((PASSWORDS["operator"] + token["token"]).encode()).hexdigest()
        login = self._ask("POST", "/login", {"username": "operator", "password": hashed})
        if login is None:
            return
        self._session = login["session"]["session_id"]
        state = self._ask("GET", "/system_state")
        if state is not None:
            self._expect("state", state.get("systemState"), "idle")
        written = self._ask("POST", "/key_value_store", {KEY: VALUE})
        if written is not None:  # a second execution is refused, as the key is there
            self._expect("write", written, {"success": True})
        read = self._ask("GET", "/key_value_store")
        if read is not None and written is not None:
            self._expect("read", read, {KEY: VALUE})
        self._ask("POST", "/logout")

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        """The content of the answer; None where an error came instead, whose kind and claim are checked."""
        what = f"{method} {path}"
        octets = b"" if content is None else json.dumps(content, separators=(",", ":")).encode()
        before, torn = len(self.air.executed), self.phone.statistics.torn
        answer: Answer | None = None
        try:
            answer = self.phone.exchange(method, path, authorization=self._session, content=octets)
        except (LinkError, RemoteProtocolError) as error:
            self.outcome.errors.append(f"{what}: {type(error).__name__}: {error}")
            if len(self.air.executed) > before and not error.maybe_executed:
                self._wrong(f"{what} was executed, and the error says that it surely was not: {error}")
        else:
            self._expect(f"status of {what}", answer.status, 200)
            if len(self.air.executed) == before:
                self._wrong(f"{what} has an answer and was not executed")
        if self.phone.statistics.torn > torn or answer is None:
            self.outcome.torn += 1
            self.outcome.delivered += answer is not None
        if method != "GET" and len(self.air.executed) - before > 1:
            self._wrong(f"{what} was executed {len(self.air.executed) - before} times")
        return None if answer is None else json.loads(answer.content)

    def _check_order(self) -> None:
        if sorted(self.air.executed, key=int) != self.air.executed:
            self._wrong(f"requests were executed in another order than sent: {self.air.executed}")

    def _expect(self, what: str, got: object, wanted: object) -> None:
        if got != wanted:
            self._wrong(f"{what}: {got!r} instead of {wanted!r}")

    def _wrong(self, words: str) -> None:
        self.outcome.wrong.append(words)


def run_plan(plan: Plan) -> Outcome:
    """Run a plan. An exception that no client of ours raises is wrong too, and is in the outcome."""
    try:
        return Run(plan).run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return Outcome(wrong=[f"{type(error).__name__}: {error}"])
