"""One request on its way: what becomes of it when the tag slips away, at whatever frame.

    torn before the commit     the card drops half a write: the request is written again
    torn after it              the tag is found again and its file read
      our answer               that is it, and the request was executed once
      nothing, a card of ours  a write of NLEN 0 asks it: refused, it works on the request; taken, it does not, and then
                               the file after one more activation has our answer or the request was never committed
      nothing, another card    only the answer can tell: it is waited for
      not to be known          a safe request (GET, HEAD, OPTIONS) is written again, any other is an error

The request has the same messageID each time. A card of ours keeps an answer for 10 s, also over activations, and phones
begin to count anywhere, so that the answer with our number is ours.
"""

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from nfcbridge.errors import BlockError, CommandError, FieldLostError, LinkTimeoutError, ResponseError
from nfcbridge.framing import Answer, Request, format_request
from nfcbridge.stack.reader import Pause, answers, exchange, look, wait_for_answer
from nfcbridge.text import encode_text
from nfcbridge.type4 import SW, TagInfo, begin_write

if TYPE_CHECKING:
    from nfcbridge.client.phone import Phone

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, however often (RFC 9110, 9.2.1)."""

ANSWER_KEPT: Final = 8.0
"""Seconds for which a card of ours surely still has the answer to a committed request: it keeps it for 10, unless it
was told to keep it shorter (`serve --answer-ttl`) or was started anew, of which it tells nobody."""

PAUSE_FIRST: Final = 0.02
"""Seconds before the tag is looked for again; a link that is torn at once each time must not be a busy loop."""

PAUSE_MOST: Final = 0.5
"""Seconds between two attempts at most: a doubling pause reaches it after five of them."""

_log: Final = logging.getLogger(__name__)

TORN: Final = (FieldLostError, LinkTimeoutError, BlockError)
"""What a tag at the edge of the field raises. Other errors of a link do not pass."""


class Delivery:
    """Carries one request out over one phone, in as many touches as it takes.

    Args:
        phone: a tag is there.
        request: what to ask.
        end: the time at which it is given up, on the phone's clock.
        last_id: the messageID of the phone's last request that was answered.

    Attributes:
        maybe_executed: the request may have been executed.

    Raises:
        LocalProtocolError: there is no such message, or it does not fit the tag.
    """

    def __init__(self, phone: "Phone", request: Request, end: float, *, last_id: bytes | None = None) -> None:
        self.maybe_executed = False
        self._phone = phone
        self._request = request
        self._end = end
        self._last_id = last_id
        self._committing_at: float | None = None  # when the card may have got all of the request for the first time
        self._accepted = False  # and said so
        self._repeated = False  # a safe request, that may have been executed already
        self._activation = 0  # in which that was
        self._steps = self._begin()
        self._first: bytes | Pause | None = next(self._steps)  # refuses what does not fit the tag

    @property
    def _tag(self) -> TagInfo:
        """The tag that is there."""
        return self._phone.connect(max(0.0, self._end - self._phone.clock()))

    @property
    def _is_safe(self) -> bool:
        return self._request.method in SAFE

    def run(self) -> Answer:
        """Exchange the request for its answer.

        Raises:
            LinkError, RemoteProtocolError: see `Phone.exchange`.
        """
        phone = self._phone
        pause = PAUSE_FIRST
        answer: Answer | None = None
        while answer is None:
            try:
                if self._first is not None or self._committing_at is None:
                    answer = self._write()
                else:
                    answer = self._find_answer()
            except TORN as error:
                if phone.clock() + pause >= self._end:
                    raise
                phone.statistics.torn += 1
                phone.tell("nfc.torn", {"exception": error, "maybe_executed": self.maybe_executed})
                phone.disconnect()
                phone.sleep(pause)
                pause = min(2 * pause, PAUSE_MOST)
                self._find_tag(error)
                phone.tell("nfc.found", {"activation": phone.statistics.activations})
        if self._activation != phone.statistics.activations:
            phone.statistics.recovered += 1
        return answer

    def _find_tag(self, torn: Exception) -> None:
        try:
            self._phone.find_again(self._end)
        except LinkTimeoutError as error:
            state = "may have been" if self.maybe_executed else "was not"
            raise LinkTimeoutError(
                f"{torn}, and the tag was not found again in time: hold the phone still on it; "
                f"the request {state} executed"
            ) from error

    def _begin(self) -> Generator[bytes | Pause, bytes, Answer]:
        """Write the request and wait for its answer, from the start."""
        self._accepted = False
        return exchange(
            self._tag,
            self._request,
            order=self._phone.order,
            ours=self._phone.ours,
            language=self._phone.language,
            committing=self._commit,
            committed=self._commit_accepted,
        )

    @property
    def _message(self) -> bytes:
        """The request as it was written."""
        return encode_text(format_request(self._request), self._phone.language)

    def _write(self) -> Answer:
        first, self._first = self._first, None
        if first is None:
            self._steps = self._begin()
        try:
            return self._phone.carry_out(self._steps, self._end, first)
        except CommandError as error:
            if self._accepted:
                raise
            if self._repeated and error.sw == SW.NOT_NOW:
                return self._wait()  # it works on the first one
            self.maybe_executed = self._repeated
            raise

    def _commit(self) -> None:
        self.maybe_executed = True
        self._committing_at = self._phone.clock()
        self._activation = self._phone.statistics.activations
        self._phone.tell("nfc.commit", {"activation": self._activation})

    def _commit_accepted(self) -> None:
        self._accepted = True

    def _write_again(self, *, surely_not_executed: bool = False) -> None:
        if not surely_not_executed:
            request = self._request
            _log.warning("%s %s is sent again: the first may have been executed", request.method, request.path)
        self._committing_at = None
        self._repeated = not surely_not_executed
        self.maybe_executed = self._repeated
        self._phone.statistics.repeated += 1
        self._phone.tell("nfc.repeat", {"maybe_executed": self.maybe_executed})

    def _find_answer(self) -> Answer | None:
        """Find out in a new activation what became of the request; None: it is to be written again."""
        phone = self._phone
        if not phone.ours:
            if self._is_safe:
                self._write_again()
                return None
            return self._wait()
        answer = self._look()
        if answer is not None or self._committing_at is None:
            return answer
        if not phone.carry_out(begin_write(self._tag), self._end):
            return self._wait()  # it works on the request
        phone.find_again(self._end)  # for the answer may have come between the two, and is there again now
        answer = self._look()
        if answer is None and self._committing_at is not None:
            self._write_again(surely_not_executed=True)
        return answer

    def _wait(self) -> Answer:
        return self._phone.carry_out(wait_for_answer(self._tag, self._request, self._message), self._end)

    def _look(self) -> Answer | None:
        """Look into the file of a card of ours: our answer, or None.

        Raises:
            ResponseError, LinkTimeoutError: what became of the request cannot be known. A safe one is written again.
        """
        phone = self._phone
        answer = phone.carry_out(look(self._tag, self._message), self._end)
        if answer is not None and answers(answer, self._request):
            return answer
        if self._committing_at is None or phone.clock() - self._committing_at <= ANSWER_KEPT:
            if answer is None or answer.message_id == self._last_id:  # which the commit would have taken away
                return None
            why = "the tag has the answer to a request of somebody else meanwhile"
        else:
            why = f"the tag was away for more than {ANSWER_KEPT:g} s, and keeps no answer longer"
        if self._is_safe:
            self._write_again()
            return None
        raise ResponseError(f"{why}: the request may have been executed; look whether it was")
