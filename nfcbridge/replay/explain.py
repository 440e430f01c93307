"""The first difference between a recording and a replay, in words: the frame, the APDU, the request, the JSON path."""

from collections.abc import Iterable

from nfcbridge.framing import Answer
from nfcbridge.replay import json_paths
from nfcbridge.replay.frames import Mismatch
from nfcbridge.replay.report import Difference
from nfcbridge.trace import Entry, Header
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ApduSeen, BlockSeen, ExchangeSeen, MessageSeen, Seen
from nfcbridge.trace.words import describe_apdu, describe_block, shorten


class Place:
    """What a recording shows around one of its entries.

    Args:
        header: its first line.
        entries: all of them, from the first.
        number: of the entry.
    """

    def __init__(self, header: Header, entries: Iterable[Entry], number: int) -> None:
        self.block: BlockSeen | None = None
        self._next_request = False
        self.apdu: ApduSeen | None = None
        self.request: MessageSeen | None = None  # the last that was written before
        self.answer: MessageSeen | None = None  # the first that was read after it
        self._number = number
        decoder = Decoder(header.level, header=header)
        for entry in entries:
            for each in decoder.receive(entry):
                self._take(each)
            if entry.number > number and self._complete():
                return
        for each in decoder.close():
            self._take(each)

    def _complete(self) -> bool:
        return self.answer is not None or self._next_request

    def _take(self, each: Seen) -> None:
        number = self._number
        if isinstance(each, BlockSeen) and each.entry == number:
            self.block = each
        elif isinstance(each, ApduSeen) and each.first <= number <= each.last:
            self.apdu = each
        elif isinstance(each, MessageSeen) and each.written:
            if each.last <= number + 1:  # an UPDATE commits with its command, and ends with its response
                self.request, self.answer = each, None
            else:
                self._next_request = True
        elif isinstance(each, MessageSeen) and each.answer is not None and not self._next_request:
            if self.answer is None and self.request is not None:
                self.answer = each
        elif isinstance(each, ExchangeSeen):
            return


def explain(header: Header, entries: Iterable[Entry], mismatch: Mismatch) -> Difference:
    """Put a mismatch into words.

    Args:
        header: the first line of the trace.
        entries: all of the trace, from its beginning.
        mismatch: what was found.
    """
    entry = mismatch.entry
    place = Place(header, entries, entry.number)
    where = []
    if place.block is not None:
        where.append(f"block: {describe_block(place.block)}")
    if place.apdu is not None:
        where.append(f"APDU: {describe_apdu(place.apdu.command, place.apdu.response)}")
    pair = None
    if place.request is not None and place.request.request is not None:
        request = place.request.request
        where.append(f"request: {request.method} {request.path}")
        pair = answers_differ(place.answer.answer if place.answer else None, mismatch.answer)
    if pair is not None:
        where.append(json_paths.describe(pair))
    if mismatch.recorded is None:
        what = f"the recorded card was silent, and ours sends {shorten(mismatch.ours or b'')}"
    elif mismatch.ours is None:
        what = f"the recorded card sent {shorten(mismatch.recorded)}, and ours is silent"
    else:
        what = frames_differ(mismatch.recorded, mismatch.ours)
    if pair is not None:
        what = f"{json_paths.describe(pair)} ({what})"
        return Difference(entry.number, entry.t, what, tuple(where[:-1]), pair[0])
    return Difference(entry.number, entry.t, what, tuple(where))


def frames_differ(recorded: bytes, ours: bytes) -> str:
    """Two frames that are not equal, in words."""
    at = next(
        (i for i, (a, b) in enumerate(zip(recorded, ours, strict=False)) if a != b), min(len(recorded), len(ours))
    )
    return f"frame {shorten(recorded)} became {shorten(ours)}, from octet {at} on"


def answers_differ(recorded: Answer | None, ours: Answer | None) -> json_paths.Pair | None:
    """The first place at which two answers differ, if both are known and they do: `statusCode` or a path."""
    if recorded is None or ours is None:
        return None
    if recorded.status != ours.status:
        return "statusCode", recorded.status, ours.status
    return next(json_paths.pairs(json_paths.decode(recorded.content), json_paths.decode(ours.content)), None)
