"""The card's side of the NDEF application: commands in, responses and reports out.

    state        SELECT    READ BINARY    UPDATE BINARY
    NOTHING      select    6986           6986             no application
    APPLICATION  select    6986           6986             the application, no file yet
    CC           select    CC             6982
    NDEF         select    NDEF file      NDEF file        6982 for a card configured as read-only

Any other instruction is answered with 6D00, any class but 00 with 6E00. A refused command changes nothing. The status
words are those of the NFC Forum Type 4 Tag specification and ISO/IEC 7816-4.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from nfcbridge.errors import CommandError
from nfcbridge.type4.apdu import HEADER_SIZE, SW, SW_SIZE, CommandAPDU, Ins
from nfcbridge.type4.cc import FILE_ID_SIZE, NDEF_AID, CardConfig, FileId
from nfcbridge.type4.ndef_file import EMPTY_MESSAGE, Committed, NdefFile, WriteBegun, WriteContinued

CLA: Final = 0x00  # no secure messaging, no chaining of commands, channel 0
BY_FILE_ID: Final = 0x00  # P1 of SELECT
BY_NAME: Final = 0x04
FIRST_FCI: Final = 0x00  # P2 of SELECT: readers send either for either, whatever they do with the (empty) answer
FIRST_NO_FCI: Final = 0x0C

_OK: Final = SW.OK.to_bytes(SW_SIZE, "big")
_NOT_NOW: Final = SW.NOT_NOW.to_bytes(SW_SIZE, "big")


class ReadUpTo(msgspec.Struct, frozen=True, gc=False):
    """Octets of the published message, or its NLEN, were read. Not reported: reads past it or of a half write.

    Attributes:
        offset: file offset after the last octet read, at most `end`. Above 2 octets of the message were read.
        end: file offset after the last octet of the message, 2 and the octets of the message.
    """

    offset: int
    end: int


class WriteRefused(msgspec.Struct, frozen=True, gc=False):
    """An UPDATE of the NDEF file was refused because `refuse_writes` is set."""


class RolledBack(msgspec.Struct, frozen=True, gc=False):
    """A SELECT dropped the half write."""


Report = WriteBegun | WriteContinued | Committed | ReadUpTo | WriteRefused | RolledBack
Reaction = tuple[bytes, Report | None]

_WRITE_REFUSED: Final = WriteRefused()
_ROLLED_BACK: Final = RolledBack()


class Selected(Enum):
    """What the last SELECT chose."""

    NOTHING = auto()
    APPLICATION = auto()
    CC = auto()
    NDEF = auto()


_FILES: Final = {
    FileId.CC.to_bytes(FILE_ID_SIZE, "big"): Selected.CC,
    FileId.NDEF.to_bytes(FILE_ID_SIZE, "big"): Selected.NDEF,
}


class Type4Card:
    """A Type 4 Tag of mapping version 2.0.

    It reports what happens to its one message and obeys: `publish`, `refuse_writes`, `rollback`. A committed message is
    not in the file until it is published.

    Args:
        config: what the capability container announces.
        message: the message published first; b"" is NLEN 0.

    Attributes:
        refuse_writes: True refuses every UPDATE of the NDEF file with 6985.

    Raises:
        LocalProtocolError: the message is larger than the file.
    """

    def __init__(self, config: CardConfig = CardConfig(), message: bytes = EMPTY_MESSAGE) -> None:  # noqa: B008 - frozen
        cc = config.to_cc()
        self.config = config
        self.refuse_writes = False
        self._cc = cc.to_bytes()
        self._file = NdefFile(cc.file_size, message, nlen_size=cc.control.nlen_size)
        self._selected = Selected.NOTHING
        self._commands = _COMMANDS[Selected.NOTHING]

    @property
    def message(self) -> bytes:
        """The published message, b"" for NLEN 0."""
        return self._file.message

    @property
    def writing(self) -> bool:
        """Whether there is a half write."""
        return self._file.writing

    @property
    def capacity(self) -> int:
        """Octets of the longest message."""
        return self.config.capacity

    def publish(self, message: bytes) -> None:
        """Put a message into the file; a half write is dropped.

        Args:
            message: the NDEF message; b"" is NLEN 0.

        Raises:
            LocalProtocolError: larger than `capacity`; nothing changes.
        """
        self._file.publish(message)

    def rollback(self) -> bool:
        """Drop the half write. Returns whether there was one."""
        return self._file.rollback()

    def reset(self) -> bool:
        """Field lost, deselected or activated again: nothing is selected and the half write is dropped.

        Returns:
            Whether there was a half write.
        """
        self._select(Selected.NOTHING)
        return self._file.rollback()

    def reads_ndef_file(self, apdu: bytes) -> bool:
        """Whether the command is a READ BINARY of the NDEF file that would be answered with octets of it."""
        if self._selected is not Selected.NDEF:
            return False
        try:
            command = CommandAPDU.parse(apdu)
            self._read_count(command, self._file.size)
        except CommandError:
            return False
        return command.cla == CLA and command.ins == Ins.READ_BINARY

    def receive_command(self, apdu: bytes) -> Reaction:
        """Carry out a command. Never raises.

        Args:
            apdu: any octets.

        Returns:
            The octets of the response, and what happened to the message, if anything.
        """
        if len(apdu) < HEADER_SIZE:
            return _refuse(SW.WRONG_LENGTH)
        if apdu[0] != CLA:
            return _refuse(SW.UNKNOWN_CLA)
        carry_out = self._commands.get(apdu[1])
        if carry_out is None:
            return _refuse(SW.UNKNOWN_INS)
        try:
            return carry_out(self, CommandAPDU.parse(apdu))
        except CommandError as error:
            return _refuse(error.sw)

    def _select(self, selected: Selected) -> None:
        self._selected = selected
        self._commands = _COMMANDS[selected]

    def _select_by_p1(self, command: CommandAPDU) -> Reaction:
        if command.p2 not in {FIRST_FCI, FIRST_NO_FCI}:
            raise CommandError(f"SELECT with P2 {command.p2:02X}", sw=SW.WRONG_P1P2)
        if command.p1 == BY_NAME:
            if command.data != NDEF_AID:
                raise CommandError(f"application {command.data.hex()}", sw=SW.NOT_FOUND)
            self._select(Selected.APPLICATION)
        elif command.p1 == BY_FILE_ID:
            if len(command.data) != FILE_ID_SIZE:
                raise CommandError(f"a file identifier of {len(command.data)} octets", sw=SW.WRONG_LENGTH)
            selected = _FILES.get(command.data)
            if selected is None or self._selected is Selected.NOTHING:  # files exist in the application only
                raise CommandError(f"file {command.data.hex()}", sw=SW.NOT_FOUND)
            self._select(selected)
        else:
            raise CommandError(f"SELECT with P1 {command.p1:02X}", sw=SW.WRONG_P1P2)
        # A reader that selects begins anew: what it had half written is lost.
        return _OK, _ROLLED_BACK if self._file.rollback() else None

    def _read_cc(self, command: CommandAPDU) -> Reaction:
        offset = command.p1p2
        return self._cc[offset : offset + self._read_count(command, len(self._cc))] + _OK, None

    def _read_ndef_file(self, command: CommandAPDU) -> Reaction:
        file = self._file
        count = self._read_count(command, file.size)
        offset = command.p1p2
        end = file.message_end
        report = None if offset >= end or file.writing else ReadUpTo(min(offset + count, end), end)
        return file.read(offset, count) + _OK, report

    def _update_ndef_file(self, command: CommandAPDU) -> Reaction:
        if not command.data:  # Lc 0 has no form, so this is a case 1 or 2 command
            raise CommandError("UPDATE BINARY without data", sw=SW.WRONG_LENGTH)
        if not self.config.writable:
            raise CommandError("UPDATE BINARY of a card configured as read-only", sw=SW.ACCESS_DENIED)
        if self.refuse_writes:
            return _NOT_NOW, _WRITE_REFUSED
        # More octets than MLc are taken as well when they fit, and an Le is ignored: nothing is won by refusing.
        return _OK, self._file.update(command.p1p2, command.data)

    def _nothing_selected(self, command: CommandAPDU) -> Reaction:
        raise CommandError(f"instruction {command.ins:02X} without a file", sw=SW.NOTHING_SELECTED)

    def _update_cc(self, command: CommandAPDU) -> Reaction:
        raise CommandError(f"UPDATE BINARY of the file {FileId.CC:04X} at {command.p1p2}", sw=SW.ACCESS_DENIED)

    def _read_count(self, command: CommandAPDU, size: int) -> int:
        """Octets that a READ BINARY of a file of `size` octets answers, 1..MLe."""
        if command.data or command.ne is None:  # without Le no octet may be answered, and 9000 with none loops nfcpy
            raise CommandError("READ BINARY with data or without Le", sw=SW.WRONG_LENGTH)
        left = size - command.p1p2
        if left <= 0:
            raise CommandError(f"offset {command.p1p2} of {size} octets", sw=SW.WRONG_OFFSET)
        return min(command.ne, self.config.mle, left)


def _refuse(sw: int) -> Reaction:
    return sw.to_bytes(SW_SIZE, "big"), None


# (state, instruction) -> what carries it out; a pair not listed is an unknown instruction.
_NO_FILE: Final[dict[int, Callable[[Type4Card, CommandAPDU], Reaction]]] = {
    Ins.SELECT: Type4Card._select_by_p1,  # noqa: SLF001 - the table of this class
    Ins.READ_BINARY: Type4Card._nothing_selected,  # noqa: SLF001
    Ins.UPDATE_BINARY: Type4Card._nothing_selected,  # noqa: SLF001
}
_COMMANDS: Final = {
    Selected.NOTHING: _NO_FILE,
    Selected.APPLICATION: _NO_FILE,
    Selected.CC: _NO_FILE
    | {
        Ins.READ_BINARY: Type4Card._read_cc,  # noqa: SLF001
        Ins.UPDATE_BINARY: Type4Card._update_cc,  # noqa: SLF001
    },
    Selected.NDEF: _NO_FILE
    | {
        Ins.READ_BINARY: Type4Card._read_ndef_file,  # noqa: SLF001
        Ins.UPDATE_BINARY: Type4Card._update_ndef_file,  # noqa: SLF001
    },
}
