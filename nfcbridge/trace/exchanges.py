"""Requests of a trace put together with their answers, whatever activations lie between."""

from nfcbridge.trace.counts import Counts
from nfcbridge.trace.messages import Span
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, MessageSeen


class ExchangeSource:
    """Makes exchanges of messages: one is open at a time, as the protocol has it."""

    def __init__(self) -> None:
        self._index = 0
        self._open: tuple[MessageSeen, Counts] | None = None

    def receive(self, message: MessageSeen, span: Span, now: Counts) -> list[ExchangeSeen]:
        """Take the next message.

        Args:
            message: that was written or read.
            span: its APDUs.
            now: what there was up to now.
        """
        if message.written:
            ended = self.close(span.previous, span.before)
            self._open = (message, span.before)
            return ended
        if message.answer is None:
            return []
        return self._end(message, span.last, now)

    def close(self, last: ApduSeen | None, now: Counts) -> list[ExchangeSeen]:
        """End what is open without an answer.

        Args:
            last: the last APDU of it.
            now: what there was up to it.
        """
        return self._end(None, last, now)

    def _end(self, answer: MessageSeen | None, last: ApduSeen | None, now: Counts) -> list[ExchangeSeen]:
        open_, self._open = self._open, None
        if open_ is None or last is None:
            return []
        request, before = open_
        self._index += 1
        return [
            ExchangeSeen(
                self._index,
                request,
                answer,
                request.first,
                last.last,
                request.t,
                last.t_end,
                last.index - request.first_apdu + 1,
                now.blocks - before.blocks,
                now.wtx - before.wtx,
                now.retransmissions - before.retransmissions,
                max(now.selections - before.selections, now.activations - before.activations),
                now.air - before.air,
            )
        ]
