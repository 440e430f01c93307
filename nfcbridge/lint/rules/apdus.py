"""NB2xx: commands of a Type 4 Tag, and what its capability container (CC) says."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.lint.container import FREE, android_refusals, ios_refusals
from nfcbridge.lint.facts import Command, ContainerRead, File, Kind, LengthRead, ReadAgain, ShortRead
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule
from nfcbridge.trace.seen import ApduSeen
from nfcbridge.trace.words import count_octets
from nfcbridge.type4 import describe_sw
from nfcbridge.type4.apdu import HEADER_SIZE, MAX_SHORT_NE, SW
from nfcbridge.type4.cc import NDEF_AID

POLLS: Final = 3
"""NLEN reads for one answer that are polling: two can be care, or a new activation."""

_SELECTED: Final = frozenset({File.APPLICATION, File.CC, File.NDEF})
_TOLD_ELSEWHERE: Final = frozenset({SW.OK, SW.NOT_NOW, SW.NO_SPACE})
"""Status words of an UPDATE with rules of their own."""

TYPE_4: Final = "NFC Forum Type 4 Tag"


@rule(
    "NB201",
    Severity.ERROR,
    ContainerRead,
    what="The CC has values that Android refuses.",
    why="To Android's apps such a card is no NDEF tag: they get neither Ndef nor NdefFormatable for it.",
    source="AOSP, rw_t4t_validate_cc_file in rw_t4t.cc",
    mend="Announce mapping version 2.0, MLe 15 or more (251 is best), MLc 1 or more and a file of 5 to 32,767 octets, "
    "free to read and write.",
)
def cc_refused_by_android(fact: ContainerRead, _known: Known) -> Iterator[Hit]:
    """What AOSP checks."""
    if faults := list(android_refusals(fact.container)):
        yield Hit(f"Android refuses {', '.join(faults)}", (fact.apdu,))


@rule(
    "NB202",
    Severity.ERROR,
    ContainerRead,
    Command,
    what="The card is none that an iPhone takes for an NDEF tag.",
    why="Core NFC looks for the NDEF application of mapping 2.0, D2760000850101, and reads the file that its CC names; "
    "it does not fall back to the application of mapping 1.0.",
    source="Apple, Core NFC (NFCNDEFTag); NFC Forum Type 4 Tag",
    mend="Answer SELECT of D2760000850101 with 9000, and announce mapping version 2.0 and free read access.",
)
def cc_refused_by_ios(fact: ContainerRead | Command, _known: Known) -> Iterator[Hit]:
    """Another mapping version, no free read access, or no application of mapping 2.0 at all."""
    if isinstance(fact, ContainerRead):
        if faults := list(ios_refusals(fact.container)):
            yield Hit(f"an iPhone refuses {', '.join(faults)}", (fact.apdu,))
    elif fact.data == NDEF_AID and fact.ne is not None and fact.sw is not None and fact.sw != SW.OK:
        yield Hit(f"SELECT of the NDEF application got {describe_sw(fact.sw)}", (fact.apdu,))


@rule(
    "NB203",
    Severity.ERROR,
    ContainerRead,
    what="The CC says that the NDEF file cannot be written.",
    why="A request is a write: phones see a read-only tag and their apps do not even try.",
    source=TYPE_4,
    mend="Announce write access 00.",
)
def cc_read_only(fact: ContainerRead, _known: Known) -> Iterator[Hit]:
    """Write access other than free."""
    if fact.container.write_access != FREE:
        yield Hit(f"write access is {fact.container.write_access:02X}", (fact.apdu,))


@rule(
    "NB204",
    Severity.WARNING,
    ContainerRead,
    what="MLe is larger than short APDUs can ask for.",
    why="Android switches to extended APDUs for such a card, and nfcpy cannot read it at all.",
    source="AOSP, rw_t4t.cc; nfcpy, tt4.py",
    mend="Announce an MLe of 256 at most; 251 fills a frame of 256 octets.",
)
def cc_wants_extended(fact: ContainerRead, _known: Known) -> Iterator[Hit]:
    """MLe above 256."""
    if fact.container.mle > MAX_SHORT_NE:
        yield Hit(f"MLe is {fact.container.mle}", (fact.apdu,))


@rule(
    "NB205",
    Severity.NOTE,
    Command,
    what="What is selected already was selected again.",
    why="Each SELECT costs about 2 ms of air time and changes nothing within an activation.",
    source=TYPE_4,
    mend="Select the application and the file once after each activation, and keep reading and writing.",
)
def needless_reselect(command: Command, _known: Known) -> Iterator[Hit]:
    """A SELECT of what is selected, or of the application where one of its files is."""
    if command.sw != SW.OK or command.kind not in {Kind.SELECT_NAME, Kind.SELECT_FILE}:
        return
    if command.chosen is command.file and command.chosen in _SELECTED:
        yield Hit(f"{command.chosen.value} was selected again", (command.apdu,))
    elif command.chosen is File.APPLICATION and command.file in _SELECTED:
        yield Hit(f"{command.chosen.value} was selected again, while {command.file.value} was", (command.apdu,))


@rule(
    "NB206",
    Severity.NOTE,
    LengthRead,
    what="NLEN was polled for the answer.",
    why="Each look costs 2 ms of air time and more of the phone's, and keeps the card's host from working.",
    source="the API reference: one outstanding request, whose answer the tag shows when it is ready",
    mend="Let the card hold its response to the write (S(WTX)) until the answer is there, or wait between looks.",
)
def nlen_polled(fact: LengthRead, known: Known) -> Iterator[Hit]:
    """The third look, whatever activations lie between."""
    if fact.count == POLLS and known.talk.conversing:
        yield Hit(f"NLEN was read {fact.count} times for one answer", (fact.apdu,))


@rule(
    "NB207",
    Severity.NOTE,
    ShortRead,
    what="READs ask for fewer octets than the card gives at once.",
    why="Each READ more costs about 1.5 ms of air time beside its octets.",
    source=TYPE_4,
    mend="Ask for MLe octets, or for what is left of the message.",
)
def read_shorter_than_mle(fact: ShortRead, _known: Known) -> Iterator[Hit]:
    """A message read in smaller parts than MLe."""
    yield Hit(f"{count_octets(fact.ne)} were read at once, and {fact.most} could have been", (fact.apdu,))


@rule(
    "NB208",
    Severity.ERROR,
    Command,
    what="Le is missing, or was confused with zero.",
    why="Le 00 asks for 256 octets, and a command without Le asks for none: who confuses the two reads nothing, and "
    "readers that wait for octets wait for ever.",
    source="ISO/IEC 7816-4; nfcpy pull request 168 is such a fault",
    mend="Give READ BINARY an Le of 1 to MLe octets and SELECT of the application an Le of 00; answer Le 00 with up to "
    "256 octets, and never 9000 without any.",
)
def le_confused(command: Command, _known: Known) -> Iterator[Hit]:
    """READ without Le, or 9000 without octets to one with it; SELECT that one end wants with Le, the other without."""
    apdu = command.apdu
    if command.kind is Kind.READ:
        if command.ne is None:
            yield Hit("READ BINARY has no Le, so it asks for no octet", (apdu,))
        elif command.sw == SW.OK and not command.answer:
            yield Hit(f"READ BINARY of {count_octets(command.ne)} got 9000 without an octet", (apdu,))
        elif command.ne == MAX_SHORT_NE and command.sw == SW.WRONG_LENGTH:
            yield Hit("READ BINARY with Le 00, which is 256, was refused as wrong length", (apdu,))
    elif command.kind is Kind.SELECT_NAME and command.ne is not None and command.sw == SW.WRONG_LENGTH:
        yield Hit("SELECT by name with an Le was refused as wrong length", (apdu,))
    elif is_refused_without_le(command):
        yield Hit("SELECT of the NDEF application had no Le, and was refused", (apdu,))
    elif command.kind is Kind.BROKEN and lacks_octet(apdu.command):
        yield Hit("the lengths in the command do not fit its octets", (apdu,))


def is_refused_without_le(command: Command) -> bool:
    """Whether the application of mapping 2.0 was asked for without Le and not given: some cards want it."""
    return command.data == NDEF_AID and command.ne is None and command.sw not in {None, SW.OK}


def lacks_octet(command: bytes) -> bool:
    """Whether a command of class 00 is none because of its Lc or Le."""
    return len(command) > HEADER_SIZE and not command[0]


@rule(
    "NB209",
    Severity.WARNING,
    Command,
    what="A command moves more octets than the CC allows.",
    why="MLe and MLc are what the card's buffers hold: other cards cut what is longer, or refuse it.",
    source=TYPE_4,
    mend="Write at most MLc octets with one UPDATE and ask for at most MLe with one READ (Le 00 may stand for all).",
)
def cc_limits_exceeded(command: Command, known: Known) -> Iterator[Hit]:
    """UPDATE above MLc, READ above MLe."""
    cc = known.tag.container
    if cc is None or command.file is not File.NDEF:
        return
    if command.kind is Kind.UPDATE and len(command.data) > cc.mlc:
        yield Hit(f"UPDATE of {count_octets(len(command.data))}, and MLc is {cc.mlc}", (command.apdu,))
    elif command.kind is Kind.READ and command.ne is not None and command.ne > cc.mle and command.ne != MAX_SHORT_NE:
        yield Hit(f"READ of {count_octets(command.ne)}, and MLe is {cc.mle}", (command.apdu,))


@rule(
    "NB210",
    Severity.WARNING,
    Command,
    what="The card refused a step of the Type 4 Tag's procedures.",
    why="A phone's API tells its app no more than that it failed (IOException, or an NFCError).",
    source=TYPE_4,
    mend="Look the status word up: 6A82 no such file, 6986 nothing selected, 6B00 offset past the end, 6982 read-only.",
)
def command_refused(command: Command, _known: Known) -> Iterator[Hit]:
    """READ and UPDATE, and SELECT of the CC or the NDEF file."""
    sw = command.sw
    if sw is None or sw in _TOLD_ELSEWHERE or sw >> 8 in {0x61, 0x62, 0x6C}:
        return
    steps = command.kind in {Kind.READ, Kind.UPDATE} and command.file is not File.OTHER
    select = command.kind is Kind.SELECT_FILE and command.chosen in {File.CC, File.NDEF}
    if (steps or select) and not (sw == SW.WRONG_LENGTH and command.kind is Kind.READ):
        yield Hit(f"{command.kind.value} got {describe_sw(sw)}", (command.apdu,))


@rule(
    "NB211",
    Severity.WARNING,
    ApduSeen,
    what="A command got no response.",
    why="The phone waits until its time is over, 0.6 to 1 s on Android, and then reports the tag as lost.",
    source="AOSP, ISO-DEP time-outs",
    mend="Answer each command, an unknown one with 6D00. If the phone was lifted, nothing is wrong.",
)
def command_unanswered(apdu: ApduSeen, _known: Known) -> Iterator[Hit]:
    """No response until the reader did something else."""
    if apdu.response is None:
        yield Hit("nothing answered the command", (apdu,))


@rule(
    "NB212",
    Severity.NOTE,
    ReadAgain,
    what="An answer that was read already was read again.",
    why="Octets are nearly all of the air time: 85 us each, 22 ms for a full READ.",
    source="ISO/IEC 14443, 106 kbit/s",
    mend="Keep what was read.",
)
def answer_read_again(fact: ReadAgain, _known: Known) -> Iterator[Hit]:
    """In the same activation."""
    yield Hit("the answer was read to its end before", (fact.apdu,))
