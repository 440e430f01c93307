"""The reader's procedures for a Type 4 Tag: detect, select, write, read, each in the fewest APDUs that the CC allows.

A procedure is a generator: it yields the octets of a command, wants the octets of the response sent in, and returns its
result. It does no I/O; `run_procedure` carries one out over a function.

    detect   SELECT application, SELECT CC, READ 15, SELECT NDEF file
    write    see WriteOrder; a card of ours says the length of its answer in the response to the last UPDATE
    read     READ NLEN and what fits with it, READ the rest
"""

from collections.abc import Callable, Generator
from enum import Enum, auto
from typing import Final, TypeVar

import msgspec

from nfcbridge.errors import CommandError, LocalProtocolError, RemoteProtocolError
from nfcbridge.type4.apdu import MAX_SHORT_NC, MAX_SHORT_NE, SW, CommandAPDU, Ins, ResponseAPDU, describe_sw
from nfcbridge.type4.cc import CC_SIZE, FILE_ID_SIZE, NDEF_AID, NDEF_AID_1, CapabilityContainer, FileId

# P1 and P2 carry 15 bits of offset (ISO/IEC 7816-4: b8 of P1 says something else), so no octet past 0x7FFF - 1 of a
# file is written or read, whatever its CC announces; a message in it has NLEN less.
MAX_FILE: Final = 0x7FFF
# Past a short message a card answers zeros, 85 us of air each, so the first READ takes one block at most.
FIRST_READ: Final = 256

_T = TypeVar("_T")
Procedure = Generator[bytes, bytes, _T]


class WriteOrder(Enum):
    """In which order NLEN and the message are written."""

    ONE = auto()
    """NLEN and message in one UPDATE. When they do not fit: NLEN with the first chunk to a card of ours, which commits
    at the last octet; FIRST_CHUNK to any other."""
    NLEN_FIRST = auto()
    """NLEN 0, message, NLEN: what phones do, safe with any card."""
    FIRST_CHUNK = auto()
    """NLEN 0 with the first chunk, the other chunks, NLEN."""


class TagInfo(msgspec.Struct, frozen=True):
    """What detection found out.

    Attributes:
        mle: octets that one READ BINARY answers at most.
        mlc: octets that one UPDATE BINARY takes at most.
        file_size: octets of the NDEF file, NLEN included.
        writable: whether the CC lets anybody write the file.
        file_id: identifier of the NDEF file.
        version: mapping version, 0x20 for 2.0.
        nlen_size: octets of NLEN.
        aid: the name by which the application was selected.
    """

    mle: int
    mlc: int
    file_size: int
    writable: bool = True
    file_id: int = FileId.NDEF
    version: int = 0x20
    nlen_size: int = 2
    aid: bytes = NDEF_AID

    @property
    def capacity(self) -> int:
        """Octets of the longest message that can be written and read."""
        return min(self.file_size, MAX_FILE) - self.nlen_size


def run_procedure(procedure: Procedure[_T], transceive: Callable[[bytes], bytes]) -> _T:
    """Carry a procedure out.

    Args:
        procedure: one of this module.
        transceive: sends the octets of a command and returns those of the response.

    Raises:
        CommandError, RemoteProtocolError: what the procedure makes of the responses.
    """
    try:
        command = next(procedure)
        while True:
            command = procedure.send(transceive(command))
    except StopIteration as end:
        result: _T = end.value
        return result


def detect() -> Procedure[TagInfo]:
    """Find the NDEF file; it is selected afterwards.

    Raises:
        CommandError: the tag has no NDEF application, or refuses a step of the way to its file.
        RemoteProtocolError: what the tag answers is no CC that we understand.
    """
    aid = NDEF_AID
    try:
        yield from _select_application(aid)
    except CommandError:  # any refusal, as AOSP and nfcpy do: tags of mapping version 1.0 differ in the status word
        aid = NDEF_AID_1
        yield from _select_application(aid)
    yield from _select_file(aid, FileId.CC)
    octets = b""
    while len(octets) < CC_SIZE:
        octets += yield from _read_binary(len(octets), CC_SIZE - len(octets))
    cc = CapabilityContainer.parse(octets)
    yield from _select_file(aid, cc.file_id)
    return TagInfo(cc.mle, cc.mlc, cc.file_size, cc.writable, cc.file_id, cc.version, cc.control.nlen_size, aid)


def select(info: TagInfo) -> Procedure[None]:
    """Select application and NDEF file of a tag detected before, such as after a new activation.

    Raises:
        CommandError: the tag refuses.
    """
    yield from _select_application(info.aid)
    yield from _select_file(info.aid, info.file_id)


def write(
    info: TagInfo,
    message: bytes,
    order: WriteOrder | None = None,
    *,
    ours: bool = False,
    committing: Callable[[], None] = lambda: None,
) -> Procedure[int | None]:
    """Write a message; the NDEF file is selected.

    In the order ONE the last UPDATE to a card of ours has an Le, which no other reader sends: the card holds the
    response until its answer is there, and puts the answer's NLEN into it. So the READ that follows asks for no octet
    too many, 85 us of air each.

    Args:
        info: from `detect`.
        message: 1..capacity octets.
        order: by default ONE to a card of ours, NLEN_FIRST to any other.
        ours: the card counts octets as ours does, so it commits when the last of them has arrived.
        committing: called before the last UPDATE, with which the message is committed; none before it does that.

    Returns:
        The length of the message that is in the file now, if the card says it.

    Raises:
        LocalProtocolError: the message is empty or larger than the file, or the tag is not writable.
        CommandError: the tag refuses.
    """
    if not info.writable:
        raise LocalProtocolError("the tag is read-only: its capability container forbids writing")
    if not 1 <= len(message) <= info.capacity:
        raise LocalProtocolError(
            f"a message of {len(message)} octets does not go into the tag: 1..{info.capacity} octets do; "
            "ask for less, or take a tag with a larger file"
        )
    nlen = len(message).to_bytes(info.nlen_size, "big")
    zero = bytes(info.nlen_size)
    order = order or (WriteOrder.ONE if ours else WriteOrder.NLEN_FIRST)
    if order is WriteOrder.ONE and not ours and len(nlen) + len(message) > info.mlc:
        order = WriteOrder.FIRST_CHUNK
    spans = {
        WriteOrder.ONE: [(0, nlen + message)],
        WriteOrder.NLEN_FIRST: [(0, zero), (info.nlen_size, message), (0, nlen)],
        WriteOrder.FIRST_CHUNK: [(0, zero + message), (0, nlen)],
    }
    chunks = [
        (offset + start, octets[start : start + info.mlc])
        for offset, octets in spans[order]
        for start in range(0, len(octets), info.mlc)
    ]
    data = b""
    for index, (offset, chunk) in enumerate(chunks):
        # A chunk of MLc octets fills its block: an Le would need one more of them.
        last = index == len(chunks) - 1
        asks = ours and order is WriteOrder.ONE and last and len(chunk) < info.mlc
        if last:
            committing()
        data = yield from _update_binary(offset, chunk, info.nlen_size if asks else None)
    return int.from_bytes(data, "big") if len(data) == info.nlen_size else None


def begin_write(info: TagInfo) -> Procedure[bool]:
    """Set NLEN to 0, which begins a write and commits nothing; the NDEF file is selected.

    Returns:
        Whether the card takes it. One of ours refuses while a request is processed or its answer is still to be read;
        where it takes it, the file is half written until the next activation.

    Raises:
        CommandError: the tag refuses for another reason.
    """
    try:
        yield from _update_binary(0, bytes(info.nlen_size), None)
    except CommandError as error:
        if error.sw == SW.NOT_NOW:
            return False
        raise
    return True


def read(info: TagInfo, from_scratch: bool = False, *, first: int = FIRST_READ) -> Procedure[bytes]:  # noqa: FBT001, FBT002
    """Read the message.

    Args:
        info: from `detect`.
        from_scratch: select application and file before; else the NDEF file is selected.
        first: octets of the first READ if MLe allows them: NLEN and the message, where the caller knows its size.

    Returns:
        The message, b"" when NLEN is 0.

    Raises:
        CommandError: the tag refuses.
        RemoteProtocolError: a response without octets or with more than asked for, or an NLEN past the end of the file.
    """
    if from_scratch:
        yield from select(info)
    end = info.nlen_size + info.capacity
    # An MLe of 256 would go out as Le 00, which not every tag understands: AOSP asks for 255 as well.
    at_once = MAX_SHORT_NE - 1 if info.mle == MAX_SHORT_NE else info.mle
    octets = b""
    wanted = max(min(first, end), info.nlen_size)
    message_end = end
    while len(octets) < message_end:
        octets += yield from _read_binary(len(octets), min(at_once, wanted - len(octets)))
        if len(octets) >= info.nlen_size:
            wanted = message_end = info.nlen_size + int.from_bytes(octets[: info.nlen_size], "big")
            if message_end > end:
                raise RemoteProtocolError(f"the length {message_end - info.nlen_size} is past the end of the file")
    return octets[info.nlen_size : message_end]


def _select_application(aid: bytes) -> Procedure[None]:
    # Mapping version 1.0 knows no Le here (AOSP rw_t4t.cc, nfcpy).
    ne = None if aid == NDEF_AID_1 else MAX_SHORT_NE
    yield from _transceive("SELECT of the NDEF application", CommandAPDU(0, Ins.SELECT, 0x04, 0x00, aid, ne))


def _select_file(aid: bytes, file_id: int) -> Procedure[None]:
    p2 = 0x00 if aid == NDEF_AID_1 else 0x0C
    command = CommandAPDU(0, Ins.SELECT, 0x00, p2, file_id.to_bytes(FILE_ID_SIZE, "big"))
    yield from _transceive(f"SELECT of the file {file_id:04X}", command)


def _read_binary(offset: int, count: int) -> Procedure[bytes]:
    """1..count octets."""
    command = CommandAPDU(0, Ins.READ_BINARY, *divmod(offset, 0x100), b"", count, extended=count > MAX_SHORT_NE)
    octets = yield from _transceive(f"READ BINARY at {offset}", command)
    if not 1 <= len(octets) <= count:  # none would let us ask for ever
        raise RemoteProtocolError(f"READ BINARY at {offset}: {len(octets)} octets, wanted 1..{count}")
    return octets


def _update_binary(offset: int, data: bytes, ne: int | None) -> Procedure[bytes]:
    command = CommandAPDU(0, Ins.UPDATE_BINARY, *divmod(offset, 0x100), data, ne, extended=len(data) > MAX_SHORT_NC)
    return (yield from _transceive(f"UPDATE BINARY at {offset}", command))


def _transceive(what: str, command: CommandAPDU) -> Procedure[bytes]:
    response = ResponseAPDU.parse((yield command.to_bytes()))
    if response.sw != SW.OK:
        raise CommandError(f"{what}: {describe_sw(response.sw)}", sw=response.sw)
    return response.data
