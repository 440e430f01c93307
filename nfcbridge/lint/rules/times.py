"""NB6xx: times. They are judged only where a real clock has taken them; the recording's first line says so."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.lint.facts import AtsTime, Reply, WakeUpMissed
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule
from nfcbridge.trace.seen import ApduSeen, BlockKind, BlockSeen

FWT_EXTRA: Final = 49152 / 13.56e6
"""Seconds that a reader waits beyond FWT (delta FWT of the NFC Forum Digital Protocol)."""

PHONE_PATIENCE: Final = 0.618
"""Seconds that Android's IsoDep waits for a response by default, air time and extensions included; Ndef waits 1 s."""

ATS_PATIENCE: Final = 0.005
"""Seconds from RATS to ATS that phones wait: FWT of the activation is 71680/fc, 5.3 ms."""

_JUDGED: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE, BlockKind.EMPTY, BlockKind.ACK, BlockKind.WTX})
_ASKED: Final = frozenset(
    {BlockKind.I_LAST, BlockKind.I_MORE, BlockKind.EMPTY, BlockKind.ACK, BlockKind.NAK, BlockKind.WTX}
)


@rule(
    "NB601",
    Severity.ERROR,
    Reply,
    what="A block was answered later than FWT allows.",
    why="The reader takes the silence for a lost frame, asks again, and gives the card up after two or three times.",
    source="ISO/IEC 14443-4, frame waiting time",
    mend="Send S(WTX) well before FWT is over (at 60 %), or announce a larger FWI in the ATS.",
)
def slower_than_fwt(reply: Reply, _known: Known) -> Iterator[Hit]:
    """FWT of the ATS, times WTXM after S(WTX)."""
    question, delay, patience = reply.question, reply.delay, reply.patience
    if question is None or delay is None or patience is None or question.kind not in _ASKED:
        return
    if reply.block.kind in _JUDGED and delay > patience + FWT_EXTRA:
        yield Hit(f"the card took {delay * 1000:.0f} ms, and it had {patience * 1000:.0f}", (question, reply.block))


@rule(
    "NB602",
    Severity.WARNING,
    ApduSeen,
    what="A command was answered later than phones wait.",
    why="Android's IsoDep waits 618 ms by default and its Ndef 1 s, whatever the ATS says.",
    source="AOSP, ISO-DEP time-outs",
    mend="Answer sooner: let what takes long be polled for, or hold a command for 400 ms at most.",
)
def slower_than_phones_wait(apdu: ApduSeen, known: Known) -> Iterator[Hit]:
    """Without S(WTX), or on a link that does not show it."""
    taken = apdu.t_end - apdu.t_command
    if known.air.real_times and apdu.response is not None and not apdu.wtx and taken > PHONE_PATIENCE:
        yield Hit(f"the response came after {taken * 1000:.0f} ms", (apdu,))


@rule(
    "NB603",
    Severity.WARNING,
    ApduSeen,
    what="Waiting time extensions went on for longer than phones wait.",
    why="S(WTX) keeps the reader's chip waiting, and not the phone: Android's IsoDep gives up after 618 ms in all.",
    source="AOSP, ISO-DEP time-outs",
    mend="Hold a command for 400 ms at most, then answer and let the phone look again.",
)
def wtx_beyond_patience(apdu: ApduSeen, known: Known) -> Iterator[Hit]:
    """All of the command together."""
    taken = apdu.t_end - apdu.t_command
    if known.air.real_times and apdu.wtx and taken > PHONE_PATIENCE:
        yield Hit(f"the response came after {taken * 1000:.0f} ms and {apdu.wtx} S(WTX)", (apdu,))


@rule(
    "NB604",
    Severity.WARNING,
    AtsTime,
    what="There were more than 5 ms from RATS to ATS.",
    why="The activation has a waiting time of its own, 5.3 ms: phones take a later ATS for none, whatever FWI says.",
    source="NFC Forum Digital Protocol; ISO/IEC 14443-4",
    mend="Let the chip send the ATS, or make its host faster: an FTDI adapter's latency timer alone is 16 ms.",
)
def slow_ats(fact: AtsTime, _known: Known) -> Iterator[Hit]:
    """On the card's side all of it is the host's; on the reader's the air time is taken off."""
    if fact.delay is not None and fact.delay > ATS_PATIENCE:
        yield Hit(f"the ATS came {fact.delay * 1000:.1f} ms after RATS", (fact.activation,))


@rule(
    "NB605",
    Severity.WARNING,
    WakeUpMissed,
    what="The card missed the wake-up after S(DESELECT).",
    why="Android deselects the tag and wakes it up when an app connects, and before each write; a card that is still "
    "deaf then is lost to the app, which gets a TagLostException.",
    source="AOSP, reconnect of NativeNfcTag",
    mend="Listen again within 5 ms after the answer to S(DESELECT).",
)
def wake_up_missed(fact: WakeUpMissed, _known: Known) -> Iterator[Hit]:
    """The reader came back with a new field, or its RATS was not answered."""
    how = (
        "RATS was not answered" if isinstance(fact.back, BlockSeen) else "the reader had to switch its field off and on"
    )
    yield Hit(f"{fact.delay * 1000:.0f} ms after S(DESELECT) {how}", (fact.deselect, fact.back))
