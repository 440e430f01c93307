"""The reader's stack: one request written and its answer read, as a generator. Sans I/O.

    request -> framing -> text -> type4 procedures -> APDUs to send
    answer  <- framing <- text <- type4 procedures <- APDUs received

A card need not hold its responses back until the answer is there. Then the file has something else for a while: NLEN 0,
the empty message, our own request, an answer to an earlier request. All of that means: not yet.
"""

from collections.abc import Generator
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
    tag: TagInfo, request: Request, *, order: WriteOrder | None = None, ours: bool = False, language: str = "en"
) -> Generator[bytes | Pause, bytes, Answer]:
    """Write a request and read its answer; the NDEF file is selected.

    Args:
        tag: what detection found.
        request: the request.
        order: in which order NLEN and message are written; by default what suits the tag.
        ours: the tag is one of ours.
        language: language code of the Text record.

    Yields:
        Command APDUs, to be sent the response APDU, and pauses.

    Raises:
        CommandError: the tag refused; `sw` says why.
        RemoteProtocolError: what the tag answers makes no sense.
        LocalProtocolError: the request is larger than the file, or the tag is not writable.
    """
    message = encode_text(format_request(request), language)
    length = yield from write(tag, message, order, ours=ours)
    first = FIRST_READ if length is None else tag.nlen_size + length
    pause = POLL_FIRST
    while True:
        octets = yield from read(tag, first=first)
        first = FIRST_READ
        if octets not in {b"", EMPTY_MESSAGE, message}:
            answer = parse_answer(decode_text(octets))
            # A request that the card could not read has an answer without number.
            if answer.message_id == request.message_id or (
                answer.message_id == NO_ID and answer.status >= FIRST_ERROR_STATUS
            ):
                return answer
        yield Pause(pause)
        pause = min(2 * pause, POLL_MOST)
