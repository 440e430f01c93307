"""A recorded card that can be read and written: what it announced, and answers in the form in which it wrote them."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import ConfigError, NfcBridgeError, RemoteProtocolError, TraceError
from nfcbridge.framing import Answer, ExchangeConfig
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats
from nfcbridge.links import CardIdentity
from nfcbridge.replay.captured import CapturedCharger, Recorded, read_request, to_recorded
from nfcbridge.stack.card import CardStack, Event
from nfcbridge.text import encode_text
from nfcbridge.trace import Header, TraceFile
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import UNSEEN, ActivationSeen, ApduSeen, ExchangeSeen, FieldSeen, MessageSeen, Selection
from nfcbridge.trace.views import offset_read
from nfcbridge.trace.words import describe_command
from nfcbridge.type4 import CapabilityContainer, CardConfig, Type4Card
from nfcbridge.type4.apdu import HEADER_SIZE, Ins
from nfcbridge.type4.card import Reaction
from nfcbridge.type4.cc import CC_SIZE, FILE_ID_SIZE, MAX_ANDROID_FILE, FileId

DEFAULT_UID: Final = bytes.fromhex("08000000")
"""Of a recording that does not tell: 08 is the first octet of random ones (ISO 14443-3)."""

_MESSAGE_ID: Final = re.compile(r'("messageID"\s*:\s*)("(?:[^"\\]|\\.)*"|[^,}\s]+)')
_LANGUAGE_LENGTH: Final = 0x3F
_MAY_BE_CC: Final = UNSEEN | {Selection.CC}
_SELECT: Final = bytes((Ins.SELECT,))

MAX_COMMANDS: Final = 100_000
"""APDUs of a recording that are compared, the first ones."""


class Announced(Struct):
    """What a recorded card told of itself.

    Attributes:
        uid: empty if nobody knows.
        ats: the whole ATS, empty if nobody knows.
        cc: the octets of the CC file, as many as were read, once they say all.
        cc_so_far: the same before they do: some readers ask for its length first.
        idle: the message in its file before the first request, empty if nobody read it.
        language: of its Text records.
    """

    uid: bytes = b""
    ats: bytes = b""
    cc: bytes = b""
    cc_so_far: bytes = b""
    idle: bytes = b""
    language: str = "en"


class Capture(Struct):
    """A recording as a card.

    Attributes:
        header: its first line.
        announced: what the card told of itself.
        charger: answers requests.
        commands: the APDUs of each activation.
        problem: what was tolerated in the file.
    """

    header: Header
    announced: Announced
    charger: CapturedCharger
    commands: list[list[bytes]]
    problem: str = ""

    def identity(self) -> CardIdentity:
        """What the card answers before the first block. Raises ConfigError: no reader could select it."""
        announced = self.announced
        return CardIdentity(announced.uid or DEFAULT_UID, announced.ats or DEFAULT_ATS.to_bytes())

    def ats(self) -> Ats:
        """What it takes and how long it may think."""
        octets = self.announced.ats
        return Ats.parse(octets) if octets else DEFAULT_ATS

    def exchange(self) -> ExchangeConfig:
        """Its times and policies: those of our recordings are known."""
        known = self.header.card
        idle = self.announced.idle or ExchangeConfig().idle
        names = ("hold", "answer_ttl", "give_up", "half_write_ttl", "replace")
        given: dict[str, Any] = {name: known[name] for name in names if name in known}
        if isinstance(not_ready := known.get("not_ready"), str):
            given["not_ready"] = bytes.fromhex(not_ready)
        return ExchangeConfig(idle=idle, **given)

    def limits(self) -> CardConfig:
        """What its CC says, as far as our card can."""
        if len(self.announced.cc) < CC_SIZE:
            known = self.header.card
            return CardConfig(
                **{name: known[name] for name in ("mle", "mlc", "file_size", "writable") if name in known}
            )
        cc: CapabilityContainer = CapabilityContainer.parse(self.announced.cc)
        return CardConfig(cc.mle, cc.mlc, min(cc.file_size, MAX_ANDROID_FILE), cc.writable)

    def make_card(self) -> CardStack:
        """Its layers from the APDU up."""
        return CapturedStack(self)


class CapturedStack(CardStack):
    """A card that announces what the recorded one announced and writes answers as that did.

    Args:
        capture: the recording.
    """

    def __init__(self, capture: Capture) -> None:
        announced = capture.announced
        exchange = capture.exchange()
        super().__init__(capture.limits(), exchange, language=announced.language)
        self._capture = capture
        if len(announced.cc) >= CC_SIZE:
            self.tag = CapturedTag(self.config, exchange.idle, announced.cc)
        self._turn = -1  # which activation this is
        self._place = 0  # in its APDUs; -1: they are others, which was told

    def activated(self, frame_size: int, now: float) -> list[Event]:
        """See `CardStack.activated`."""
        self._turn += 1
        self._place = 0
        return super().activated(frame_size, now)

    def receive(self, apdu: bytes, now: float) -> list[Event]:
        """See `CardStack.receive`."""
        self._compare(apdu)
        return super().receive(apdu, now)

    def _compare(self, apdu: bytes) -> None:
        """Tell of the first APDU of an activation that is another one than in the recording."""
        known = self._capture.commands
        if self._place < 0 or not 0 <= self._turn < len(known):
            return
        commands = known[self._turn]
        place = self._place
        if place < len(commands) and shape(commands[place]) == shape(apdu):
            self._place += 1
            return
        self._place = -1
        recorded = describe_command(commands[place]) if place < len(commands) else "nothing more"
        self._capture.charger.depart(
            f"APDU {place + 1} of activation {self._turn + 1} is {describe_command(apdu)}; "
            f"the recording has {recorded} there; of this activation no more is told"
        )

    def _encode(self, answer: Answer) -> bytes:
        recorded = self._capture.charger.last
        if recorded is None or not _is(recorded, answer):
            return super()._encode(answer)
        message_id = self._message_id.decode()
        text = _MESSAGE_ID.sub(lambda found: found[1] + message_id, recorded.text, count=1)
        return encode_text(text, self._capture.announced.language)


def _is(recorded: Recorded, answer: Answer) -> bool:
    known = recorded.answer
    return known is not None and known.status == answer.status and bool(recorded.text)


def shape(apdu: bytes) -> bytes:
    """What of a command is compared: all of a SELECT, of others no more than the offset."""
    return apdu if apdu[1:2] == _SELECT else apdu[:HEADER_SIZE]


class CapturedTag(Type4Card):
    """A Type 4 Tag with the octets of another one's CC, and with the identifier of its NDEF file.

    Args:
        config: the limits.
        message: published first.
        cc: the octets.
    """

    def __init__(self, config: CardConfig, message: bytes, cc: bytes) -> None:
        super().__init__(config, message)
        self._cc = cc
        self._file_id = CapabilityContainer.parse(cc).file_id.to_bytes(FILE_ID_SIZE, "big")

    def receive_command(self, apdu: bytes) -> Reaction:
        """See `Type4Card.receive_command`."""
        if apdu[1:3] == bytes((Ins.SELECT, 0)) and apdu[5:7] == self._file_id:
            apdu = apdu[:5] + FileId.NDEF.to_bytes(FILE_ID_SIZE, "big") + apdu[7:]
        return super().receive_command(apdu)


def load_capture(path: Path | str, report: Callable[[str], object] | None = None) -> Capture:
    """Read a recording as a card.

    Args:
        path: the trace.
        report: told of each departure; see `CapturedCharger`.

    Raises:
        TraceError: it is broken, or has nothing that could be answered.
        ConfigError: it cannot be read, or there can be no such card.
    """
    try:
        with TraceFile(path) as trace:
            announced, exchanges, commands = _gather(trace)
            header, problem = trace.header, trace.problem
    except OSError as error:
        raise ConfigError(f"the recording {path}: {error.strerror}; check the path and who may read it") from error
    charger = CapturedCharger(exchanges) if report is None else CapturedCharger(exchanges, report)
    if not len(charger) and not announced.cc:  # with a CC it is a tag that a phone finds and reads
        raise TraceError(f"{path}: there is neither a request nor a CC in it, so it has nothing to answer")
    if charger.too_many:
        more = f"{path}: {charger.too_many} exchanges after the first {len(charger)} are not answered from"
        problem = f"{problem}; {more}" if problem else more
    capture = Capture(header, announced, charger, commands, problem)
    try:
        capture.identity()
        capture.ats()
        capture.make_card()
    except (NfcBridgeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: no card can be made of it: {error}") from error
    return capture


_BEGINS: Final[dict[str, type[ActivationSeen | FieldSeen]]] = {"blocks": ActivationSeen, "apdus": FieldSeen}


def _gather(trace: TraceFile) -> tuple[Announced, list[Recorded], list[list[bytes]]]:
    header = trace.header
    announced = Announced(_octets(header, "uid"), _octets(header, "ats"), idle=_octets(header, "idle"))
    if isinstance(language := header.card.get("language"), str):
        announced.language = language
    exchanges: list[Recorded] = []
    commands: list[list[bytes]] = []
    count = 0
    decoder = Decoder(header.level, header=header)
    for entry in trace:
        for each in decoder.receive(entry):
            _note(each, announced, exchanges)
            if isinstance(each, _BEGINS[header.level]) and (isinstance(each, ActivationSeen) or each.on):
                commands.append([])
            elif isinstance(each, ApduSeen) and commands and count < MAX_COMMANDS:
                count += 1
                commands[-1].append(each.command)
    for each in decoder.close():
        _note(each, announced, exchanges)
    return announced, exchanges, commands


def _note(each: object, announced: Announced, exchanges: list[Recorded]) -> None:
    if isinstance(each, ActivationSeen) and each.ats is not None:
        announced.ats = announced.ats or each.octets
    elif isinstance(each, ApduSeen):
        _note_cc(each, announced)
    elif isinstance(each, MessageSeen) and not each.written:
        if each.index == 1 and each.octets:
            announced.idle = announced.idle or each.octets
        if each.answer is not None:
            announced.language = _language_of(each.octets) or announced.language
    elif isinstance(each, ExchangeSeen) and (recorded := to_recorded(each)) is not None:
        exchanges.append(recorded)


def _octets(header: Header, name: str) -> bytes:
    try:
        return bytes.fromhex(header.card.get(name, ""))
    except (ValueError, TypeError):
        return b""


def _note_cc(apdu: ApduSeen, announced: Announced) -> None:
    """Take what a READ of the CC from its beginning gave, or the READ after one that gave too few octets."""
    offset = offset_read(apdu)
    if announced.cc or offset is None or apdu.selected not in _MAY_BE_CC:
        return
    if offset == 0:
        announced.cc_so_far = apdu.data
    elif offset == len(announced.cc_so_far) < CC_SIZE:
        announced.cc_so_far += apdu.data
    with contextlib.suppress(RemoteProtocolError):
        CapabilityContainer.parse(announced.cc_so_far)
        announced.cc = announced.cc_so_far


def _language_of(message: bytes) -> str:
    """The language of a Text record: after header, type `T` and the status octet."""
    at = message.find(b"T", 2, 8) + 1
    length = message[at] & _LANGUAGE_LENGTH if 0 < at < len(message) else 0
    code = message[at + 1 : at + 1 + length]
    return code.decode() if length and code.isascii() else ""


class CapturedApp:
    """A recorded charger as an ASGI application.

    Args:
        charger: answers.
    """

    def __init__(self, charger: CapturedCharger) -> None:
        self._charger = charger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError("no lifespan")  # so an application says that it has none
        answer = self._charger.answer(await read_request(dict(scope), receive), numbered=False)
        headers = [(b"content-type", b"application/json")] if answer.content else []
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})
