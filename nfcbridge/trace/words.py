"""What is seen in a trace in words, one line each, for every report that shows it."""

from typing import Final

from nfcbridge.errors import BlockError, CommandError
from nfcbridge.isodep import Ats
from nfcbridge.isodep.activation import Pps, Rats
from nfcbridge.isodep.blocks import WTXM_MASK
from nfcbridge.trace.seen import (
    MAY_BE_NDEF,
    ActivationSeen,
    ApduSeen,
    BlockKind,
    BlockSeen,
    FieldSeen,
    MessageSeen,
    Selection,
)
from nfcbridge.type4.apdu import HEADER_SIZE, SW, CommandAPDU, Ins, describe_sw
from nfcbridge.type4.cc import FILE_ID_SIZE, NDEF_AID, NDEF_AID_1, FileId

SHOWN_OCTETS: Final = 20
"""Octets of an APDU that are shown; of longer ones the beginning, and how many more there are."""

NLEN_SIZE: Final = 2

_BY_NAME: Final = 0x04
_SW_OCTETS: Final = 2
_FILES: Final = {
    file_id.to_bytes(FILE_ID_SIZE): words for file_id, words in ((FileId.CC, "CC"), (FileId.NDEF, "NDEF file"))
}
_APPLICATIONS: Final = {NDEF_AID: "NDEF application", NDEF_AID_1: "NDEF application 1.0"}
_NUMBERED: Final = {
    BlockKind.I_LAST: "I({})",
    BlockKind.I_MORE: "I({}), more",
    BlockKind.EMPTY: "I({}), empty",
    BlockKind.ACK: "R(ACK {})",
    BlockKind.NAK: "R(NAK {})",
}


def shorten(octets: bytes) -> str:
    """Return octets in hex; of many the first ones and the last two (of a response: its status word)."""
    if len(octets) <= SHOWN_OCTETS:
        return octets.hex().upper()
    head, tail = octets[: SHOWN_OCTETS - 4], octets[-2:]
    return f"{head.hex().upper()}...{tail.hex().upper()} ({len(octets)} octets)"


def count(number: int, what: str) -> str:
    """Return how many there are: `1 frame`, `2 frames`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def count_octets(number: int) -> str:
    """Return a number of octets: `1 octet`, `2 octets`."""
    return count(number, "octet")


def describe_command(command: bytes) -> str:
    """Return a command of the Type 4 Tag in words, by its octets alone.

    Raises:
        CommandError: it is no command.
    """
    apdu = CommandAPDU.parse(command)
    if apdu.ins == Ins.SELECT:
        return f"SELECT {apdu.data.hex().upper()}"
    if apdu.ins == Ins.READ_BINARY:
        return f"READ {apdu.ne} octets at {apdu.p1p2}"
    return f"UPDATE {len(apdu.data)} octets at {apdu.p1p2}"


def describe_field(field: FieldSeen) -> str:
    """Return what the field did."""
    return "card selected" if field.on else "field gone"


def describe_activation(activation: ActivationSeen) -> str:
    """Return what both ends told of themselves."""
    ats = activation.ats
    card = "an ATS that cannot be read" if ats is None else f"FSC {ats.fsc}, FWT {ats.fwt * 1000:.3g} ms"
    return f"{'re-activation' if activation.again else 'activation'}: FSD {activation.fsd}, {card}"


def describe_block(block: BlockSeen) -> str:
    """Return a frame in words, without what it carries to the layers above."""
    words = _name_block(block)
    if block.cid is not None and block.kind not in {BlockKind.RATS, BlockKind.PPS}:
        words += f", CID {block.cid}"
    return f"{words}, again" if block.repeated else words


def _name_block(block: BlockSeen) -> str:
    kind, number = block.kind, block.number
    if kind is BlockKind.RATS:
        rats = _rats(block.octets)
        return "RATS" if rats is None else f"RATS: FSD {rats.fsd}, CID {rats.cid}"
    if kind is BlockKind.ATS:
        ats = _ats(block.octets)
        return "ATS that cannot be read" if ats is None else f"ATS: FSC {ats.fsc}, FWT {ats.fwt * 1000:.3g} ms"
    if kind is BlockKind.PPS:
        pps = Pps.parse(block.octets)
        return f"PPS: {pps.dr} kbit/s to the card, {pps.ds} kbit/s from it"
    if kind is BlockKind.WTX:
        return f"S(WTX {block.inf[0] & WTXM_MASK})"
    if (form := _NUMBERED.get(kind)) is not None:
        return form.format(number)
    return str(kind.value)


def _rats(octets: bytes) -> Rats | None:
    try:
        return Rats.parse(octets)
    except BlockError:
        return None


def _ats(octets: bytes) -> Ats | None:
    try:
        return Ats.parse(octets)
    except BlockError:
        return None


def describe_apdu(command: bytes, response: bytes | None, selected: Selection = Selection.UNKNOWN) -> str:
    """Return a command and what became of it in words.

    Args:
        command: the C-APDU.
        response: the R-APDU, None if none came.
        selected: what was selected before; unknown: the NDEF file, where only that makes sense.
    """
    try:
        apdu = CommandAPDU.parse(command)
    except CommandError:
        return f"no command, {count_octets(len(command))}{_outcome(response)}"
    if apdu.cla or len(command) < HEADER_SIZE or apdu.ins not in set(Ins):
        return f"command {command[:HEADER_SIZE].hex().upper()}, {count_octets(len(command))}{_outcome(response)}"
    if apdu.ins == Ins.SELECT:
        return f"SELECT {_name_selected(apdu)}{_outcome(response)}"
    in_file = selected in MAY_BE_NDEF
    if apdu.ins == Ins.READ_BINARY:
        return _describe_read(apdu, response, selected, in_file=in_file)
    return _describe_update(apdu, in_file=in_file) + _outcome(response)


def describe_pair(apdu: ApduSeen) -> str:
    """Return a command of a trace, and what became of it, in words."""
    words = describe_apdu(apdu.command, apdu.response, apdu.selected)
    return f"{words} ({apdu.wtx} S(WTX))" if apdu.wtx else words


def _name_selected(apdu: CommandAPDU) -> str:
    name = apdu.data
    if apdu.p1 == _BY_NAME:
        return _APPLICATIONS.get(name, f"application {name.hex().upper()}")
    return _FILES.get(name, f"file {name.hex().upper()}")


def _describe_read(apdu: CommandAPDU, response: bytes | None, selected: Selection, *, in_file: bool) -> str:
    offset, ne = apdu.p1p2, apdu.ne
    done = response is not None and response.endswith(SW.OK.to_bytes(2)) and len(response) > _SW_OCTETS
    if selected is Selection.CC:
        what = f"READ {_count_asked(ne)} of the CC at {offset}" if offset else f"READ {_count_asked(ne)} of the CC"
    elif in_file and offset == 0 and ne == NLEN_SIZE:
        if done and response is not None and len(response) == NLEN_SIZE + _SW_OCTETS:
            return f"READ NLEN: {int.from_bytes(response[:NLEN_SIZE])}"
        what = "READ NLEN"
    else:
        what = f"READ {_count_asked(ne)} at {offset}"
    if done and response is not None:
        got = len(response) - _SW_OCTETS
        return what if got == ne else f"{what}: {got} came"
    return what + _outcome(response)


def _count_asked(ne: int | None) -> str:
    return "no octets" if ne is None else count_octets(ne)


def _describe_update(apdu: CommandAPDU, *, in_file: bool) -> str:
    offset, data = apdu.p1p2, apdu.data
    if in_file and offset == 0 and len(data) >= NLEN_SIZE:
        nlen = int.from_bytes(data[:NLEN_SIZE])
        rest = len(data) - NLEN_SIZE
        return f"UPDATE NLEN {nlen} and {count_octets(rest)}" if rest else f"UPDATE NLEN {nlen}"
    return f"UPDATE {count_octets(len(data))} at {offset}"


def _outcome(response: bytes | None) -> str:
    """What became of a command, if it is worth a word."""
    if response is None:
        return ": no response"
    if len(response) < _SW_OCTETS:
        return ": a response without status word"
    sw = int.from_bytes(response[-_SW_OCTETS:])
    return "" if sw == SW.OK else f": {describe_sw(sw)}"


def describe_message(message: MessageSeen) -> str:
    """Return a message in words: what it asks for or answers, else why nobody knows."""
    moved = f"NDEF message of {count_octets(len(message.octets))} {'written' if message.written else 'read'}"
    return f"{moved}: {describe_content(message)}"


def describe_content(message: MessageSeen) -> str:
    """Return what a message asks for or answers; why nobody knows, where nobody does."""
    request, answer = message.request, message.answer
    if request is not None:
        return f"request {request.method} {request.path}{_name_id(request.message_id)}"
    if answer is not None:
        return f"answer {answer.status}{_name_id(answer.message_id)}"
    return message.problem


def _name_id(message_id: bytes) -> str:
    return f", messageID {message_id.decode(errors='replace')}"
