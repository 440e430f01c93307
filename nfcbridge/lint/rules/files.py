"""NB3xx: the NDEF file: how messages are written, and what is read of them."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.lint.facts import (
    AnswerTaken,
    BlindRead,
    LengthFirst,
    LengthRead,
    TooLarge,
    Uncleared,
    WriteGivenUp,
    WrittenAgain,
)
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule
from nfcbridge.trace.words import count_octets

CONTENT_TOO_LARGE: Final = 413

IOS_11: Final = 8 * 1024
"""Octets of a message that older iPhones still read; about 8.25 kB is where they fail."""

TYPE_4: Final = "NFC Forum Type 4 Tag"


@rule(
    "NB301",
    Severity.WARNING,
    Uncleared,
    what="A message is written while NLEN is not zero.",
    why="Who reads in between, or after the phone was lifted, gets a mixture of two messages that NLEN calls whole.",
    source=TYPE_4,
    mend="Write NLEN 0000 first, then the message, then NLEN; or NLEN and message with one UPDATE.",
)
def nlen_not_cleared(fact: Uncleared, _known: Known) -> Iterator[Hit]:
    """The first UPDATE past NLEN."""
    length = "is not known" if fact.nlen is None else f"says {fact.nlen}"
    yield Hit(f"the message is written over while NLEN {length}", (fact.apdu,))


@rule(
    "NB302",
    Severity.ERROR,
    LengthFirst,
    what="NLEN was set before the message was there.",
    why="NLEN is what makes a message valid: a card may take what is in the file for the request at once.",
    source=TYPE_4,
    mend="Write NLEN last.",
)
def nlen_before_data(fact: LengthFirst, _known: Known) -> Iterator[Hit]:
    """An UPDATE of the message after that of NLEN."""
    yield Hit(f"NLEN {fact.nlen} was set, and octets of the message came after it", (fact.length, fact.apdu))


@rule(
    "NB303",
    Severity.WARNING,
    WriteGivenUp,
    what="A message was written in half.",
    why="What was not written to its end is never executed; the app must find that out and write again.",
    source=TYPE_4,
    mend="After an error write the whole message again, from NLEN 0 on; do not select or activate within a write.",
)
def half_written(fact: WriteGivenUp, _known: Known) -> Iterator[Hit]:
    """A write that ended before NLEN was set, or before all octets came that it announced."""
    if not fact.nlen:
        yield Hit(f"{fact.reason} came after {count_octets(fact.written)} and before NLEN", (fact.start, fact.end))
    elif fact.early:
        yield Hit(f"{fact.reason} came before {fact.missing} of {count_octets(fact.nlen)}", (fact.start, fact.end))


@rule(
    "NB304",
    Severity.ERROR,
    WriteGivenUp,
    what="NLEN covers octets that this write did not write.",
    why="They are left from an earlier message, or zero: no card can know what was meant, and ours waits for the rest.",
    source=TYPE_4,
    mend="Set NLEN to the octets of the message that were written, its record header included.",
)
def stale_octets(fact: WriteGivenUp, _known: Known) -> Iterator[Hit]:
    """NLEN came last and is too large."""
    if fact.nlen and not fact.early:
        yield Hit(f"NLEN says {fact.nlen}, and {fact.missing} of these octets were not written", (fact.start, fact.end))


@rule(
    "NB305",
    Severity.ERROR,
    TooLarge,
    what="A message is too large for the file, or for mapping version 2.0.",
    why="The file of a mapping 2.0 that Android takes has 32,767 octets at most, so that a message has 32,765.",
    source="AOSP, rw_t4t.cc; NFC Forum Type 4 Tag",
    mend="Ask for less at a time (query, from and to), send compact JSON, or announce a larger file up to 7FFF.",
)
def message_too_large(fact: TooLarge, _known: Known) -> Iterator[Hit]:
    """Written past the end, or an NLEN past it."""
    verb = "written" if fact.written else "announced by NLEN"
    yield Hit(f"a message of {count_octets(fact.size)} is {verb}, and {fact.limit} are the most", (fact.apdu,))


@rule(
    "NB306",
    Severity.WARNING,
    LengthRead,
    what="Discovery saw NLEN 0.",
    why="Android then gives the app an empty message without another look at the tag, for as long as that stays; an "
    "iPhone reports an error for a message of no length.",
    source="AOSP, NativeNfcTag and android.nfc.tech.Ndef; Apple, ndefReaderSessionErrorZeroLengthMessage",
    mend="Keep the empty message D00000 with NLEN 3 in the file while there is no answer.",
)
def nlen_zero_at_discovery(fact: LengthRead, _known: Known) -> Iterator[Hit]:
    """The first NLEN of an activation."""
    if fact.first and not fact.nlen:
        yield Hit("the first NLEN that was read after the activation is 0", (fact.apdu,))


@rule(
    "NB307",
    Severity.ERROR,
    BlindRead,
    what="The answer was read with the length of the request, without NLEN.",
    why="Android's getNdefMessage() does not read NLEN again after writeNdefMessage(), and makes null of an answer "
    "that has another length than the request.",
    source="AOSP, NativeNfcTag and rw_t4t.cc",
    mend="On Android call close() and connect() before getNdefMessage(), or use IsoDep with APDUs of your own.",
)
def read_without_nlen(fact: BlindRead, known: Known) -> Iterator[Hit]:
    """A READ past NLEN after a write; what is no request may well be read back so."""
    if known.talk.conversing:
        yield Hit("after the request the answer is read from offset 2, and nobody read NLEN", (fact.write, fact.apdu))


@rule(
    "NB308",
    Severity.ERROR,
    WrittenAgain,
    what="A write was refused, because the answer before was not read.",
    why="There is one outstanding request at most, and no pipelining: until the answer is read, or the tag is "
    "activated again, our card answers 6985.",
    source="the API reference, Request/Response messaging",
    mend="Read each answer to its end before the next request is written, also where the app does not need it.",
)
def write_refused_unread(fact: WrittenAgain, _known: Known) -> Iterator[Hit]:
    """6985, and nothing was read in between."""
    if fact.refused and not fact.looked:
        before = () if fact.before is None else (fact.before,)
        yield Hit("the card refused a write (6985): the app never read the answer before", (*before, fact.apdu))


@rule(
    "NB309",
    Severity.NOTE,
    LengthRead,
    what="A message is longer than older iPhones read.",
    why="NDEF files of more than about 8 kB make iOS 11 fail; iOS 12 reads them.",
    source="Apple, radar 36809527",
    mend="Ask for less at a time where such phones matter.",
)
def too_long_for_old_ios(fact: LengthRead, _known: Known) -> Iterator[Hit]:
    """NLEN above 8 KiB."""
    if fact.nlen > IOS_11:
        yield Hit(f"NLEN is {fact.nlen}", (fact.apdu,))


@rule(
    "NB310",
    Severity.WARNING,
    AnswerTaken,
    what="An answer did not fit into the file.",
    why="The phone got a 413 in its place, though the request may have been carried out.",
    source="AOSP, rw_t4t.cc (the largest file); RFC 9110, 413 Content Too Large",
    mend="Ask for less at a time (query, from and to), or announce a larger file, up to 7FFF.",
)
def answer_too_large(fact: AnswerTaken, _known: Known) -> Iterator[Hit]:
    """A 413."""
    if fact.message.answer is not None and fact.message.answer.status == CONTENT_TOO_LARGE:
        yield Hit("the answer is 413: request or answer were too large", (fact.message,))
