"""Replay at the level of messages: the requests of a trace to a new charger, their answers compared.

What must differ is mapped. The trace may be of any card and any reader; blocks and APDUs are not compared.
"""

from collections.abc import Mapping
from typing import Any, Final

from nfcbridge.charger import Role
from nfcbridge.charger.description import KIND
from nfcbridge.dispatch import App
from nfcbridge.errors import TraceError
from nfcbridge.framing import Answer, Request, format_answer
from nfcbridge.replay import json_paths
from nfcbridge.replay.cores import DEV_PASSWORD, OPERATOR, AppCore, ChargerCore, is_charger
from nfcbridge.replay.mapping import Mapped
from nfcbridge.replay.report import Difference, Level, Report
from nfcbridge.stack.card import CONTENT_TOO_LARGE, NLEN_SIZE
from nfcbridge.text import encode_text
from nfcbridge.trace import Dir, Header, TraceFile
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, MessageSeen, Seen

PATIENCE: Final = 8.0
"""Seconds after which a request is given up, as a card does."""

FIRST_ERROR: Final = 400
DEFAULT_LANGUAGE: Final = "en"

BROKEN: Final = Answer(400)
GIVEN_UP: Final = Answer(504)
TOO_LARGE: Final = Answer(CONTENT_TOO_LARGE)


def replay_messages(trace: TraceFile, passwords: Mapping[str, str], app: App | None) -> Report:
    """Replay a trace; see `replay_file`.

    Raises:
        TraceError: a line is broken, or there is no request in it.
        ConfigError: the recorded charger cannot be had again.
        OSError: the file cannot be read.
    """
    header = charger_header(trace.header)
    passwords = {OPERATOR: DEV_PASSWORD} | dict(passwords)
    core = ChargerCore(header, passwords) if app is None else AppCore(app, header.link)
    difference = None
    frames = exchanges = 0
    notes: list[str] = []
    try:
        decoder = Decoder(header.level, header=trace.header)
        replay = MessageReplay(core, passwords, trace.header.card)
        for entry in trace:
            frames += entry.dir is Dir.CARD
            found = replay.exchanges(decoder.receive(entry))
            if found and difference is None:
                exchanges += len(found)
                difference = replay.first_difference(found)
            if difference is not None:
                break
        else:
            found = replay.exchanges(decoder.close())
            exchanges += len(found)
            difference = replay.first_difference(found)
    finally:
        core.close()
    if not exchanges:
        raise TraceError("there is no request in it; with --level frame the octets of the card are compared")
    if difference is not None and app is None and replay.refused_logins:
        known = ", ".join(role for role in Role if role in passwords)
        notes.append(f"known are the passwords of {known}: give others with --password ROLE=FILE")
    if trace.problem:
        notes.append(trace.problem.removeprefix(f"{trace.path}: "))
    return Report(str(trace.path), Level.MESSAGE, frames, exchanges, difference, notes=(*notes, *core.problems))


def charger_header(header: Header) -> Header:
    """The first line of a trace, and where it tells of no charger of ours, that of a new one in its place."""
    if is_charger(header) and isinstance(header.clock, dict) and "charger" in header.clock:
        return header
    clock: Any = header.clock
    wall = clock.get("wall", 0.0) if isinstance(clock, dict) else 0.0
    wall = wall if isinstance(wall, int | float) else 0.0
    return Header(
        level=header.level,
        link=header.link,
        clock={"origin": 0.0, "charger": {"began": 0.0, "wall": wall, "zone": 0.0}},
        seed=None,
        app={"kind": KIND},
    )


class MessageReplay:
    """Sends what was sent and compares what comes back.

    Args:
        core: answers.
        passwords: plain, by the names of roles.
        card: what the recorded one was made of, as far as its first line tells.

    Attributes:
        refused_logins: how many logins were refused here that the recorded charger accepted.
    """

    def __init__(self, core: AppCore, passwords: Mapping[str, str], card: Mapping[str, Any]) -> None:
        self.refused_logins = 0
        self._core = core
        file_size, language = card.get("file_size"), card.get("language")
        self._room = file_size - NLEN_SIZE if isinstance(file_size, int) else None
        self._language = language if isinstance(language, str) else DEFAULT_LANGUAGE
        self._mapped = Mapped(passwords)
        self._written: dict[int, float] = {}  # when the command came that completed a message, by its index
        self._commanded = 0.0

    def exchanges(self, seen: list[Seen]) -> list[ExchangeSeen]:
        """The exchanges among what was seen; what else they need is kept."""
        found = []
        for each in seen:
            if isinstance(each, ApduSeen):
                self._commanded = each.t_command
            elif isinstance(each, MessageSeen) and each.written:
                self._written[each.index] = self._commanded
            elif isinstance(each, ExchangeSeen):
                found.append(each)
        return found

    def first_difference(self, exchanges: list[ExchangeSeen]) -> Difference | None:
        """Replay these; the first difference ends it."""
        for exchange in exchanges:
            difference = self._replay(exchange)
            if difference is not None:
                return difference
        return None

    def _replay(self, exchange: ExchangeSeen) -> Difference | None:
        now = self._written.pop(exchange.request.index, exchange.request.t_end)
        self._core.advance(now)
        recorded = None if exchange.answer is None else exchange.answer.answer
        request = exchange.request.request
        if request is None:
            ours = BROKEN
        else:
            accepted = recorded is None or recorded.status < FIRST_ERROR
            request = self._mapped.request(request, accepted=accepted)
            ours = self._fitting(self._ask(exchange.index, request, now), request)
        self._core.answer_is_over()
        if recorded is None:
            return None
        pair = self._compare(recorded, ours)
        if pair is None:
            return None
        said = exchange.request.request
        name = "a message that is no request" if said is None else f"{said.method} {said.path}"
        if said is not None and said.path.endswith("/login") and recorded.status < FIRST_ERROR <= ours.status:
            self.refused_logins += 1
        read = exchange.answer or exchange.request
        path = pair[0] if pair[0].startswith("$") else ""
        return Difference(read.first, read.t, json_paths.describe(pair), (f"exchange {exchange.index}: {name}",), path)

    def _ask(self, number: int, request: Request, now: float) -> Answer:
        core = self._core
        if core.oversight is not None:
            core.oversight.command_received()  # a phone is there, which a charger shows
        core.submit(number, request)
        answer = core.take()
        if answer is None:
            core.advance(now + PATIENCE)
            answer = core.take()
        if answer is None:
            core.cancel()
            return GIVEN_UP
        return answer

    def _fitting(self, answer: Answer, request: Request) -> Answer:
        """The answer, or what a card says whose file is too small for it."""
        if self._room is None:
            return answer
        octets = len(answer.content)
        if octets <= self._room:  # before it is encoded: a Text record has a limit of its own
            numbered = Answer(answer.status, answer.content, request.message_id)
            octets = len(encode_text(format_answer(numbered), self._language))
        return answer if octets <= self._room else TOO_LARGE

    def _compare(self, recorded: Answer, ours: Answer) -> json_paths.Pair | None:
        if recorded.status != ours.status:
            return "statusCode", recorded.status, ours.status
        return next(self._mapped.differences(recorded.content, ours.content), None)
