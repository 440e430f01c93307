"""NB4xx: messages, as the API reference has them: a header, and after a comma the content."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.lint.facts import (
    AnswerTaken,
    Echo,
    IdsErratic,
    IdStep,
    RequestWritten,
    TextId,
    Unread,
    WrittenAgain,
)
from nfcbridge.lint.header_text import ANSWER_KEYS, REQUEST_KEYS, REQUIRED_KEYS, HeaderText, name_key
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule
from nfcbridge.trace.words import count_octets

MAX_TOLD: Final = 4
"""Keys of a header that one finding names."""

MAX_ID: Final = 24
"""Characters of a messageID that are told."""

MESSAGING: Final = "the API reference, Request/Response messaging"

Message = RequestWritten | AnswerTaken


def keys_of(fact: Message) -> tuple[str, ...]:
    """What may stand in such a header."""
    return REQUEST_KEYS if isinstance(fact, RequestWritten) else ANSWER_KEYS


def name_keys(keys: list[str]) -> str:
    """Keys for people."""
    return ", ".join(name_key(key) for key in keys[:MAX_TOLD])


def name_message(fact: Message) -> str:
    """What it is."""
    return "the request" if isinstance(fact, RequestWritten) else "the answer"


def header_of(fact: Message) -> HeaderText | None:
    """Its text, if it begins with a header."""
    return fact.header if fact.header is not None and fact.header.found else None


def name_id(raw: bytes) -> str:
    """A messageID for people."""
    text = raw.decode(errors="replace")
    return text if len(text) <= MAX_ID else f"{text[:MAX_ID]}..."


@rule(
    "NB401",
    Severity.ERROR,
    WrittenAgain,
    what="Requests were pipelined.",
    why="There is one outstanding request at most; what becomes of a second one is up to the controller, and one of "
    "the two answers is lost.",
    source=MESSAGING,
    mend="Write one request, read its answer, then write the next.",
)
def pipelining(fact: WrittenAgain, known: Known) -> Iterator[Hit]:
    """A write while a request is processed, or one that was taken though nobody had read the answer before."""
    if fact.looked if fact.refused else known.talk.conversing:
        before = () if fact.before is None else (fact.before,)
        outcome = "and refused (6985)" if fact.refused else "and taken"
        yield Hit(
            f"a request was written before the answer to the one before was read, {outcome}", (*before, fact.apdu)
        )


@rule(
    "NB402",
    Severity.WARNING,
    Unread,
    what="The answer to a request was never read.",
    why="The app does not know whether the request was carried out, and the answer keeps the tag busy for a while.",
    source=MESSAGING,
    mend="Read the answer to each request, also after a new activation: it is kept for a while.",
)
def answer_never_read(fact: Unread, _known: Known) -> Iterator[Hit]:
    """Another request came, or the end of the trace."""
    yield Hit("the answer to this request was not read", (fact.exchange.request,))


@rule(
    "NB403",
    Severity.NOTE,
    IdStep,
    what="The messageID was not counted on by one.",
    why="It is recommended to be a number that is incremented from message to message, so that a log shows what is "
    "missing.",
    source=MESSAGING,
    mend="Count messages: 1, 2, 3 ...",
)
def messageid_not_incremented(fact: IdStep, _known: Known) -> Iterator[Hit]:
    """A step other than one."""
    if not fact.reused:
        yield Hit(f"messageID {name_id(fact.new)} follows {name_id(fact.old)}", (fact.before, fact.message))


@rule(
    "NB404",
    Severity.WARNING,
    IdsErratic,
    what="The messageID is random.",
    why="It should be counted and not drawn: a drawn one may come twice, and says nothing of the order of messages.",
    source=MESSAGING,
    mend="Count messages: 1, 2, 3 ...",
)
def messageid_random(fact: IdsErratic, _known: Known) -> Iterator[Hit]:
    """Two wild steps, or a UUID after another."""
    first = fact.steps[0]
    ids = ", ".join(name_id(raw) for raw in (first.old, *(step.new for step in fact.steps)))
    yield Hit(f"messageIDs {ids} are not counted", (first.before, *(step.message for step in fact.steps)))


@rule(
    "NB405",
    Severity.WARNING,
    IdStep,
    what="A messageID was used again.",
    why="The app cannot tell by it whether an answer belongs to this request or to the one that had it before.",
    source=MESSAGING,
    mend="Give each request its own number; the same octets may be written again only where no answer was read.",
)
def messageid_reused(fact: IdStep, _known: Known) -> Iterator[Hit]:
    """One that the conversation had before."""
    if fact.reused:
        yield Hit(f"messageID {name_id(fact.new)} was used before", (fact.before, fact.message))


@rule(
    "NB406",
    Severity.ERROR,
    Echo,
    what="The answer does not have the messageID of its request.",
    why="It is how the app knows that it reads its own answer, and no other phone's.",
    source=MESSAGING,
    mend="Echo the messageID as it was sent, a string as a string and a number as a number.",
)
def messageid_not_echoed(fact: Echo, _known: Known) -> Iterator[Hit]:
    """Another one, or none."""
    exchange = fact.exchange
    if not fact.earlier and exchange.request.request is not None and exchange.answer is not None:
        asked = name_id(exchange.request.request.message_id)
        got = name_id(exchange.answer.answer.message_id) if exchange.answer.answer is not None else "none"
        yield Hit(f"the request has messageID {asked} and the answer {got}", (exchange.request, exchange.answer))


@rule(
    "NB407",
    Severity.WARNING,
    Echo,
    what="The answer to an earlier request was read.",
    why="The tag did not have the new answer yet, and an app that does not look takes the old one for it.",
    source=MESSAGING,
    mend="Compare messageIDs, and read again after a pause until they are equal.",
)
def answer_of_earlier_request(fact: Echo, _known: Known) -> Iterator[Hit]:
    """With the messageID of that."""
    exchange = fact.exchange
    if fact.earlier and exchange.answer is not None:
        yield Hit("what was read has the messageID of an earlier request", (exchange.request, exchange.answer))


@rule(
    "NB408",
    Severity.ERROR,
    RequestWritten,
    AnswerTaken,
    what="A key is missing in the header.",
    why="A request without path or method cannot be carried out and is answered 400, and without messageID its answer "
    "cannot be told from others.",
    source=MESSAGING,
    mend="Write path, method and messageID into each request, and messageID and statusCode into each answer.",
)
def header_key_missing(fact: Message, _known: Known) -> Iterator[Hit]:
    """Not there, or there in other letters."""
    header = header_of(fact)
    wanted = REQUIRED_KEYS if isinstance(fact, RequestWritten) else ANSWER_KEYS
    if header is not None and (missing := header.missing(wanted)):
        yield Hit(f"{name_message(fact)} has no {name_keys(missing)}", (fact.message,))


@rule(
    "NB409",
    Severity.WARNING,
    RequestWritten,
    AnswerTaken,
    what="A key in the header is unknown.",
    why="Nobody reads it, and often it is a known one in other letters. It costs air time in each message.",
    source=MESSAGING,
    mend="The keys are path, method, authorization and messageID, of an answer messageID and statusCode.",
)
def header_key_unknown(fact: Message, _known: Known) -> Iterator[Hit]:
    """None of those that have a meaning."""
    header = header_of(fact)
    if header is not None and (unknown := header.unknown(keys_of(fact))):
        yield Hit(f"{name_message(fact)} has {name_keys(unknown)}", (fact.message,))


@rule(
    "NB410",
    Severity.ERROR,
    RequestWritten,
    AnswerTaken,
    what="A key stands twice in the header.",
    why="Which of the two counts is up to the JSON parser of the other end; ours answers 400.",
    source="RFC 8259, section 4",
    mend="Write each key once.",
)
def header_key_doubled(fact: Message, _known: Known) -> Iterator[Hit]:
    """Also one that nobody knows."""
    header = header_of(fact)
    if header is not None and (doubled := header.doubled()):
        yield Hit(f"{name_message(fact)} has {name_keys(doubled)} more than once", (fact.message,))


@rule(
    "NB411",
    Severity.ERROR,
    RequestWritten,
    AnswerTaken,
    what="There is no comma between header and content.",
    why="The two documents are separated by a comma (2C); without it the message is none.",
    source=MESSAGING,
    mend="Write header, comma, content.",
)
def content_without_comma(fact: Message, _known: Known) -> Iterator[Hit]:
    """Something follows the header, and it is no comma."""
    header = header_of(fact)
    if header is not None and header.rest and not header.comma:
        yield Hit(f"in {name_message(fact)} the content follows the header at once", (fact.message,))


@rule(
    "NB412",
    Severity.NOTE,
    RequestWritten,
    AnswerTaken,
    what="The JSON is not compact.",
    why="Each octet of white space takes 85 us on the air and says nothing.",
    source="ISO/IEC 14443, 106 kbit/s",
    mend="Write JSON without white space between its parts (json.dumps(..., separators=(',', ':'))).",
)
def json_not_compact(fact: Message, _known: Known) -> Iterator[Hit]:
    """White space outside of strings."""
    if fact.header is not None and fact.header.surplus:
        yield Hit(f"{count_octets(fact.header.surplus)} of {name_message(fact)} are white space", (fact.message,))


@rule(
    "NB413",
    Severity.ERROR,
    RequestWritten,
    what="What was written is not one Text record.",
    why="Requests are NDEF messages of exactly one Text record; any other is answered 400.",
    source="the API reference, NFC Mapping; NFC Forum RTD Text",
    mend="Write one record of TNF 1 and type T, with a language code and UTF-8.",
)
def no_text_record(fact: RequestWritten, _known: Known) -> Iterator[Hit]:
    """The decoder says why."""
    if fact.message.text is None:
        yield Hit(fact.message.problem or "there is no text in it", (fact.message,))


@rule(
    "NB414",
    Severity.ERROR,
    RequestWritten,
    AnswerTaken,
    what="The text of a message is neither header nor header and content.",
    why="It is not JSON, or a value is of the wrong kind, so that nobody can carry it out or read it.",
    source=MESSAGING,
    mend="Write a JSON object, and for content a comma and one more JSON document.",
)
def message_broken(fact: Message, _known: Known) -> Iterator[Hit]:
    """Broken for a reason that has no rule of its own."""
    header, message = fact.header, fact.message
    if header is None or message.request is not None or message.answer is not None:
        return
    wanted = REQUIRED_KEYS[:2] if isinstance(fact, RequestWritten) else ANSWER_KEYS
    if header.found and (header.doubled() or header.missing(wanted) or (header.rest and not header.comma)):
        return
    yield Hit(f"{name_message(fact)} cannot be read as JSON of the right form", (message,))


@rule(
    "NB415",
    Severity.NOTE,
    TextId,
    what="The messageID is no number.",
    why="It is recommended to be one, incremented between messages.",
    source=MESSAGING,
    mend="Count messages with a number.",
)
def messageid_no_number(fact: TextId, _known: Known) -> Iterator[Hit]:
    """A string."""
    yield Hit("the messageID is a string", (fact.message,))


@rule(
    "NB416",
    Severity.ERROR,
    RequestWritten,
    what="The path does not begin with one slash.",
    why="A path is /settings or /v1/settings; a URL with a host is none, and is answered 400.",
    source="the API reference, header of a request",
    mend="Write the path alone, from its slash on.",
)
def path_not_absolute(fact: RequestWritten, _known: Known) -> Iterator[Hit]:
    """No slash first, or two."""
    path = "/" if fact.request is None else fact.request.path
    if not path.startswith("/") or path.startswith("//"):
        yield Hit("the path does not begin with one slash", (fact.message,))
