"""NB1xx: blocks of ISO/IEC 14443-4 and the activation. They need a trace of blocks."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.isodep.ats import RESERVED_FSXI
from nfcbridge.isodep.blocks import CID, CRC_OCTETS, MAX_WTXM, S_WTX, WTXM_MASK
from nfcbridge.lint.facts import NumberWrong, Question, Reply
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen
from nfcbridge.trace.words import count_octets

STORM: Final = 3
"""Frames of one command that were sent again: EMVCo and NFC Forum readers give up after two or three."""

MAX_GUARD: Final = 0.005
"""Seconds of SFGT after which the time before the first command is longer than all its frames."""

I_BLOCKS: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE})

ISO: Final = "ISO/IEC 14443-4"


def whose(block: BlockSeen) -> str:
    """Who sent it."""
    return "the reader" if block.from_reader else "the card"


@rule(
    "NB101",
    Severity.ERROR,
    NumberWrong,
    what="A block has the wrong block number.",
    why="Block numbers are how both ends notice a lost block: a card is silent to a wrong one, or takes an old command "
    "for a new one.",
    source=ISO,
    mend="The reader begins with 0 after the ATS and toggles with each I-block or R(ACK) that has its own number; the "
    "card answers with the number of the block that it got.",
)
def block_number_wrong(fact: NumberWrong, _known: Known) -> Iterator[Hit]:
    """The tracker judges."""
    block = fact.block
    yield Hit(f"{whose(block)} sent {block.kind.value} {block.number}, and {fact.expected} was its turn", (block,))


@rule(
    "NB102",
    Severity.WARNING,
    ApduSeen,
    what="The same frames were sent again and again.",
    why="Each retransmission costs the time of its frame and a whole waiting time before it, and readers give a card "
    "up after a few of them.",
    source=ISO,
    mend="Hold the phone still and nearer, or mend the antenna; where the card's host is too slow, raise FWI in the "
    "ATS or send S(WTX) earlier.",
)
def retransmission_storm(apdu: ApduSeen, _known: Known) -> Iterator[Hit]:
    """Many retransmissions for one command."""
    if apdu.retransmissions >= STORM:
        yield Hit(f"{apdu.retransmissions} of the {apdu.blocks} frames of one command were sent again", (apdu,))


@rule(
    "NB103",
    Severity.ERROR,
    Question,
    BlockSeen,
    what="A waiting time extension is out of range, or was answered wrongly.",
    why="The reader must repeat the card's WTXM, 1 to 59, and the card may think of nothing else before it did.",
    source=ISO,
    mend="Ask for 1 to 59 waiting times; answer S(WTX) with S(WTX) and the same octet, before anything else.",
)
def wtx_wrong(seen: Question | BlockSeen, _known: Known) -> Iterator[Hit]:
    """WTXM out of range, or another one in the reader's answer, or another answer."""
    if isinstance(seen, Question):
        asked, block = seen.after, seen.block
        if asked is None or asked.kind is not BlockKind.WTX or not asked.inf:
            return
        wanted = asked.inf[0] & WTXM_MASK
        if block.kind is BlockKind.WTX and block.inf != bytes((wanted,)):
            yield Hit(
                f"the card asked for {wanted} waiting times, and the reader granted {block.inf.hex()}", (asked, block)
            )
        elif block.kind in I_BLOCKS:
            yield Hit("the reader answered S(WTX) with an I-block", (asked, block))
    elif not seen.from_reader and is_broken_wtx(seen):
        yield Hit(f"the card sent {seen.octets[:4].hex()}: one octet of 1 to {MAX_WTXM} asks for time", (seen,))


def is_broken_wtx(block: BlockSeen) -> bool:
    """Whether a frame that is no block would be S(WTX) with another WTXM."""
    return block.kind is BlockKind.INVALID and block.octets[:1] != b"" and block.octets[0] & ~CID == S_WTX


@rule(
    "NB104",
    Severity.NOTE,
    ActivationSeen,
    what="The ATS makes the exchange slower than it need be.",
    why="Frames smaller than 256 octets need more blocks for the same octets, each with a prologue, a CRC and an "
    "acknowledgement; a guard time (SFGI) delays the first command.",
    source=ISO,
    mend="Announce FSCI 8 (256 octets), and SFGI 0.",
)
def ats_limits_speed(activation: ActivationSeen, _known: Known) -> Iterator[Hit]:
    """FSC below 256 octets, or a long guard time."""
    ats = activation.ats
    if ats is None:
        return
    if ats.fsci < RESERVED_FSXI:
        yield Hit(f"frames to the card have {ats.fsc} octets at most", (activation,))
    if ats.sfgt > MAX_GUARD:
        yield Hit(f"the card wants {ats.sfgt * 1000:.0f} ms of silence after its ATS", (activation,))


@rule(
    "NB105",
    Severity.ERROR,
    Reply,
    what="The card took a presence check for a command.",
    why="Phones ask every 125 ms whether the tag is there, with an empty I-block or R(NAK); a card that answers with a "
    "response has counted a command that nobody sent, and the next one gets the wrong block.",
    source="AOSP, presence check of ISO-DEP tags; ISO/IEC 14443-4",
    mend="Answer an empty I-block with an empty I-block and R(NAK) with R(ACK), below the APDU layer.",
)
def presence_check_as_command(reply: Reply, _known: Known) -> Iterator[Hit]:
    """A response to an empty I-block, or a new I-block to R(NAK)."""
    block, question = reply.block, reply.question
    if question is None or block.kind not in I_BLOCKS:
        return
    if question.kind is BlockKind.EMPTY:
        yield Hit(f"the card answered an empty I-block with {count_octets(len(block.inf))}", (question, block))
    elif question.kind is BlockKind.NAK and reply.before is not None and reply.idle:
        before = reply.before
        if before.kind in {BlockKind.I_LAST, BlockKind.EMPTY} and before.octets != block.octets:
            yield Hit("the card answered R(NAK) with an I-block that it had not sent before", (question, block))


@rule(
    "NB106",
    Severity.ERROR,
    BlockSeen,
    what="A frame is longer than the other end takes.",
    why="FSD in RATS and FSC in the ATS are the longest frames, prologue and CRC included; a chip cuts or drops what "
    "is longer, and the other end is silent.",
    source=ISO,
    mend="Chain: send at most FSD or FSC less 3 octets in a block (less one more with a CID).",
)
def frame_too_long(block: BlockSeen, known: Known) -> Iterator[Hit]:
    """Longer than RATS or ATS of this activation allow."""
    activation = known.air.activation
    if activation is None or block.kind in {BlockKind.RATS, BlockKind.ATS}:
        return
    octets = len(block.octets) + CRC_OCTETS
    if not block.from_reader and octets > activation.fsd:
        yield Hit(f"the card sent {octets} octets with CRC, and the reader takes {activation.fsd}", (block,))
    elif block.from_reader and activation.ats is not None and octets > activation.ats.fsc:
        yield Hit(f"the reader sent {octets} octets with CRC, and the card takes {activation.ats.fsc}", (block,))


@rule(
    "NB107",
    Severity.NOTE,
    BlockSeen,
    what="A frame is no block.",
    why="The other end must be silent to it, so that its sender waits for nothing. Readers that look for cards of "
    "other kinds send such frames on purpose; else it is a command without a prologue.",
    source=ISO,
    mend="Begin each block with its PCB; send raw commands of other cards to those only.",
)
def no_block(block: BlockSeen, _known: Known) -> Iterator[Hit]:
    """What cannot be read as a block."""
    if block.kind is BlockKind.INVALID and not is_broken_wtx(block):
        yield Hit(f"{whose(block)} sent {count_octets(len(block.octets))} that are no block", (block,))


@rule(
    "NB108",
    Severity.ERROR,
    ActivationSeen,
    what="The ATS cannot be read.",
    why="Its first octet is its length, and T0 says which octets follow; a reader that cannot follow gives the card up "
    "or believes in wrong times.",
    source=ISO,
    mend="Count TL with itself and without CRC, and announce in T0 exactly what follows.",
)
def ats_broken(activation: ActivationSeen, _known: Known) -> Iterator[Hit]:
    """The decoder could make nothing of it."""
    if activation.ats is None:
        yield Hit(f"{activation.octets[:16].hex()} is no ATS", (activation,))
