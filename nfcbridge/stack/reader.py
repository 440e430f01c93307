"""The reader's stack: one request written and its answer read, as a generator. Sans I/O.

    request -> framing -> text -> type4 procedures -> APDUs to send
    answer  <- framing <- text <- type4 procedures <- APDUs received

A card need not hold its responses back until the answer is there. Then the file has something else for a while: NLEN 0,
the empty message, our own request, an answer to an earlier request. All of that means: not yet.
"""

from collections.abc import Callable, Generator
from typing import Final

import msgspec

from nfcbridge.framing import Answer, Request, format_request, parse_answer
from nfcbridge.text import decode_text, encode_text
from nfcbridge.type4 import EMPTY_MESSAGE, FIRST_READ, TagInfo, WriteOrder, read, write

NO_ID: Final = b"null"
FIRST_ERROR_STATUS: Final = 400


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Wait so many seconds, then go on with None; or close the generator, when patience has ended."""

    seconds: float


POLL_FIRST: Final = 0.01  # seconds before the second look: a READ of an aligned block takes 25 ms on air anyway
POLL_MOST: Final = 0.2  # seconds between looks at most: a doubling pause reaches it after five of them


def exchange(
    tag: TagInfo,
    request: Request,
    *,
    order: WriteOrder | None = None,
    ours: bool = False,
    language: str = "en",
    committing: Callable[[], None] = lambda: None,
    committed: Callable[[], None] = lambda: None,
) -> Generator[bytes | Pause, bytes, Answer]:
    """Write a request and read its answer; the NDEF file is selected.

    Args:
        tag: what detection found.
        request: the request.
        order: in which order NLEN and message are written; by default what suits the tag.
        ours: the tag is one of ours.
        language: language code of the Text record.
        committing: called before the command that commits the request; until then it cannot be executed.
        committed: called when the card has taken that command.

    Yields:
        Command APDUs, to be sent the response APDU, and pauses.

    Raises:
        CommandError: the tag refused; `sw` says why.
        RemoteProtocolError: what the tag answers makes no sense.
        LocalProtocolError: the request is larger than the file, or the tag is not writable.
    """
    message = encode_text(format_request(request), language)
    length = yield from write(tag, message, order, ours=ours, committing=committing)
    committed()
    first = FIRST_READ if length is None else tag.nlen_size + length
    return (yield from wait_for_answer(tag, request, message, first=first))


def wait_for_answer(
    tag: TagInfo, request: Request, message: bytes, *, first: int = FIRST_READ
) -> Generator[bytes | Pause, bytes, Answer]:
    """Read until the answer to a request is there.

    Args:
        tag: what detection found; the NDEF file is selected.
        request: what was written.
        message: as which it was written.
        first: octets of the first READ.

    Yields, Raises: as `exchange`.
    """
    pause = POLL_FIRST
    while True:
        answer = yield from look(tag, message, first=first)
        first = FIRST_READ
        if answer is not None and answers(answer, request):
            return answer
        yield Pause(pause)
        pause = min(2 * pause, POLL_MOST)


def look(tag: TagInfo, message: bytes, *, first: int = FIRST_READ) -> Generator[bytes, bytes, Answer | None]:
    """Read the answer that the file holds, whatever request it is for; None: there is none yet.

    Args:
        tag: what detection found; the NDEF file is selected.
        message: as which the request was written; read back it is no answer.
        first: octets of the first READ.
    """
    octets = yield from read(tag, first=first)
    return None if octets in {b"", EMPTY_MESSAGE, message} else parse_answer(decode_text(octets))


def answers(answer: Answer, request: Request) -> bool:
    """Tell whether an answer is that to a request.

    One that the card could not read has an answer without number. And a number may come back as a string.
    """
    return answer.message_id.strip(b'"') == request.message_id.strip(b'"') or (
        answer.message_id == NO_ID and answer.status >= FIRST_ERROR_STATUS
    )
