"""A recorded trace made anew: what the card answers now, to the reader that was recorded.

First the reader's frames are played as they are. That is all it takes where answers have kept their lengths. Where they
have not, the recorded reader would read too little or too much; then our own reader writes the same requests and reads
their answers, with the tokens and ids of now in the places of the recorded ones.

Only what our own card recorded is made anew: the recording of another device cannot be had again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from nfcbridge import __version__
from nfcbridge.client.phone import Phone
from nfcbridge.errors import ConfigError, LinkClosedError, NfcBridgeError
from nfcbridge.links import CardFound, Level
from nfcbridge.replay.card import ReplayedCard, make_stack
from nfcbridge.replay.cores import ChargerCore, is_charger
from nfcbridge.replay.mapping import Mapped
from nfcbridge.replay.replaying import level_of
from nfcbridge.replay.report import Level as ReplayLevel
from nfcbridge.replay.report import Report
from nfcbridge.testing.replays import Recorded
from nfcbridge.testing.settings import PASSWORDS
from nfcbridge.trace import Dir, Entry, Header, TraceFile, write_trace
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, Seen
from nfcbridge.type4.apdu import SW

MAX_ENTRIES: Final = 1_000_000
"""Of a trace that is made anew, about 0.3 GB: it is compared as a whole before it is written."""

STEP: Final = 0.0005
"""Seconds of the trace between two frames of our own reader."""

FIRST_ERROR: Final = 400
MAX_FRAME: Final = 256
"""FSD of our own reader: what phones have."""

_RATS: Final = 0xE0

SeenT = TypeVar("SeenT", bound=Seen)
Play = Callable[[list[Entry], Header, ReplayedCard, Mapping[str, str]], Iterable[Entry]]


def renew_recorded(recorded: Recorded, report: Report) -> str:
    """Rewrite a trace with what the card answers now.

    Args:
        recorded: the trace.
        report: what came of its replay.

    Returns:
        What was done, in a sentence.

    Raises:
        ConfigError: it is to stay as it is; the message says why.
        OSError: it cannot be written, and is as it was.
    """
    path = recorded.path
    if report.error:
        raise ConfigError(f"it cannot be replayed, so it is not rewritten: {report.error}")
    with TraceFile(path) as trace:
        header = trace.header
        if level_of(header) is not ReplayLevel.FRAME or not is_charger(header):
            raise ConfigError(
                "it is the recording of another device, which no emulator can make anew: it is never rewritten; "
                "look at the difference without --trace-update"
            )
        entries = list(_at_most(trace, MAX_ENTRIES))
    passwords = {**PASSWORDS, **recorded.passwords}
    new = _run(_as_recorded, entries, header, passwords)
    how = "the reader's frames stayed as they were"
    if not _fits(header, entries, new):
        new = _run(_with_our_reader, entries, header, passwords)
        how = "written and read by our own reader, since answers have other lengths or tokens"
    mode = path.stat().st_mode
    header.source = f"nfcbridge {__version__} card"
    count = write_trace(path, header, new)
    path.chmod(mode & 0o777)
    return f"{count} entries, {how}"


def _at_most(entries: Iterable[Entry], count: int) -> Iterator[Entry]:
    for entry in entries:
        if entry.number > count:
            raise ConfigError(f"it has more than {count} entries: record it anew")
        yield entry


def _run(play: Play, entries: list[Entry], header: Header, passwords: Mapping[str, str]) -> list[Entry]:
    core = ChargerCore(header, passwords)
    try:
        played = play(entries, header, ReplayedCard(make_stack(header), core), passwords)
        return [msgspec.structs.replace(entry, number=number) for number, entry in enumerate(played, 1)]
    except NfcBridgeError as error:
        raise ConfigError(f"it cannot be made anew: {error}") from error
    finally:
        core.close()


def _as_recorded(
    entries: list[Entry], _header: Header, card: ReplayedCard, _passwords: Mapping[str, str]
) -> Iterator[Entry]:
    """What crosses when the recorded reader meets the card."""
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if entry.dir is Dir.CARD:
            if not card.sent:
                card.send_what_is_due(entry.octets, entry.t)
        else:
            yield entry
            if entry.dir is Dir.READER:
                by = following.octets if following is not None and following.dir is Dir.CARD else None
                card.receive(entry.octets, entry.t, by)
            elif entry.on:
                rats = following is None or following.dir is not Dir.READER or following.octets[0] == _RATS
                card.selected(entry.t, rats_follows=rats)
            else:
                card.field_lost(entry.t)
        if following is None or following.dir is not Dir.CARD or entry.dir is Dir.CARD:
            while card.sent:
                yield Entry(entry.t, Dir.CARD, card.sent.pop(0))


def _fits(header: Header, old: list[Entry], new: list[Entry]) -> bool:
    """Whether the recorded reader gets along with what the card answers now: nothing refused, nothing half read."""
    for before, after in zip(_seen(header, old, ApduSeen), _seen(header, new, ApduSeen), strict=False):
        if before.sw == SW.OK != after.sw:
            return False
    olds, news = list(_seen(header, old, ExchangeSeen)), list(_seen(header, new, ExchangeSeen))
    if len(olds) != len(news):
        return False
    for was, now in zip(olds, news, strict=True):
        if was.answer is None or was.answer.answer is None:
            continue
        if now.answer is None or now.answer.answer is None:
            return False
        if was.answer.answer.status < FIRST_ERROR <= now.answer.answer.status:
            return False
    return True


def _seen(header: Header, entries: Iterable[Entry], kind: type[SeenT]) -> Iterator[SeenT]:
    decoder = Decoder(header.level, header=header)
    for entry in entries:
        yield from (each for each in decoder.receive(entry) if isinstance(each, kind))
    yield from (each for each in decoder.close() if isinstance(each, kind))


class RecordingEnd:
    """A reader end before a card of a replay, which notes what crosses it. It implements `ReaderEnd`.

    Args:
        card: the card.
        header: of the trace that is made.

    Attributes:
        entries: what crossed.
        now: seconds of the trace.
    """

    max_frame = MAX_FRAME

    def __init__(self, card: ReplayedCard, header: Header) -> None:
        self.name = header.link
        self.level = Level(header.level)
        self.entries: list[Entry] = []
        self.now = 0.0
        self._card = card
        self._field = False

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        self.now += STEP
        self._field = True
        self.entries.append(Entry(self.now, Dir.FIELD, on=True))
        self._card.selected(self.now, rats_follows=True)
        return CardFound(uid=b"")

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        if not self._field:
            raise LinkClosedError("the field is off")
        self.now += STEP
        self.entries.append(Entry(self.now, Dir.READER, octets))
        self._card.receive(octets, self.now, None)
        self.now += STEP
        self._card.answer_now(self.now)
        if not self._card.sent:
            return None
        answer = self._card.sent.pop(0)
        self.entries.append(Entry(self.now, Dir.CARD, answer))
        return answer

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        if self._field:
            self._field = False
            self.now += STEP
            self.entries.append(Entry(self.now, Dir.FIELD))
            self._card.field_lost(self.now)

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        self.field_off()


def _with_our_reader(
    entries: list[Entry], header: Header, card: ReplayedCard, passwords: Mapping[str, str]
) -> list[Entry]:
    """What crosses when our own reader sends the recorded requests, at their times."""
    end = RecordingEnd(card, header)
    phone = Phone(end, first_id=1)
    mapped = Mapped(passwords)
    for exchange in _seen(header, entries, ExchangeSeen):
        request = exchange.request.request
        if request is None:
            raise ConfigError("there is a message in it that is no request, which our own reader does not send")
        end.now = max(end.now, exchange.request.t)
        recorded = None if exchange.answer is None else exchange.answer.answer
        request = mapped.request(request, accepted=recorded is None or recorded.status < FIRST_ERROR)
        answer = phone.exchange(
            request.method, request.path, authorization=request.authorization, content=request.content
        )
        if recorded is not None:
            list(mapped.differences(recorded.content, answer.content))  # learns ids
    phone.close()
    return end.entries
