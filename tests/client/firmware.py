"""A charge controller of somebody else: its tag does as public threads and the reference say that tags do, octet by
octet, with nothing of nfcbridge in it.
"""

import json
import struct
from collections.abc import Callable

from nfcbridge.errors import LinkTimeoutError
from nfcbridge.links import CardFound, Level

OK = b"\x90\x00"
NOT_FOUND = b"\x6a\x82"
WRONG = b"\x6d\x00"
NDEF = bytes.fromhex("D2760000850101")
EMPTY = bytes.fromhex("D00000")

Meanwhile = Callable[[bytes], bytes]
"""What the file holds while a request is worked on, given the request's message."""

Encode = Callable[[str], bytes]
"""Makes the NDEF message of an answer's text."""


def text_record(text: str, *, language: bytes = b"en", utf16: bool = False) -> bytes:
    """A Text record by hand, short or long."""
    payload = bytes([len(language) | (0x80 if utf16 else 0)]) + language
    payload += text.encode("utf-16-be" if utf16 else "utf-8")
    if len(payload) < 256:
        return b"\xd1\x01" + bytes([len(payload)]) + b"T" + payload
    return b"\xc1\x01" + struct.pack(">I", len(payload)) + b"T" + payload


def text_of(message: bytes) -> str:
    """The text of a Text record in UTF-8."""
    payload = message[4:] if message[0] & 0x10 else message[7:]
    return payload[1 + payload[0] :].decode()


class Firmware:
    """The tag. It implements `ReaderEnd` at the level of APDUs.

    Args:
        polls: how often the file is read before the answer is in it.
        meanwhile: what it holds until then.
        encode: how answers are written.
        mle: octets of a READ at most.
        mlc: octets of an UPDATE at most.
        size: octets of the file, NLEN included.
        writable: whether the CC lets anybody write.
        refuse: status word for every UPDATE.
        content: of every answer.
        first: what the file holds before anything is written.

    Attributes:
        requests: header and content of each, in order.
        updates: offset and octets of every UPDATE.
    """

    name = "foreign:firmware"
    level = Level.APDUS
    max_frame = 0xFFFF

    def __init__(
        self,
        *,
        polls: int = 0,
        meanwhile: Meanwhile = lambda _request: EMPTY,
        encode: Encode = text_record,
        mle: int = 0xFB,
        mlc: int = 0xF8,
        size: int = 0x1000,
        writable: bool = True,
        refuse: bytes = b"",
        content: object = "done",
        first: bytes = EMPTY,
    ) -> None:
        self.requests: list[list[object]] = []
        self.updates: list[tuple[int, bytes]] = []
        self._polls = polls
        self._meanwhile = meanwhile
        self._encode = encode
        self._mle = mle
        self._mlc = mlc
        self._refuse = refuse
        self._content = content
        access = b"\x00" if writable else b"\xff"
        self._cc = struct.pack(">HBHHBBHHB", 15, 0x20, mle, mlc, 4, 6, 0xE104, size, 0) + access
        self._file = bytearray(size)
        self._put(first)
        self._selected = b""
        self._waiting: tuple[int, bytes] | None = None  # reads until the answer is there, and the answer

    def _put(self, message: bytes) -> None:
        self._file[:] = struct.pack(">H", len(message)) + message + bytes(len(self._file) - 2 - len(message))

    def activate(self, timeout: float) -> CardFound:
        return CardFound(uid=b"", atr=bytes.fromhex("3B80800101"))

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        instruction, offset = octets[1], struct.unpack(">H", octets[2:4])[0]
        if instruction == 0xA4:
            return self._select(octets[5 : 5 + octets[4]])
        if instruction == 0xB0:
            return self._read(offset, self._ne(octets))
        if instruction == 0xD6:
            return self._update(offset, octets[7:] if octets[4] == 0 else octets[5 : 5 + octets[4]])
        return WRONG

    def _ne(self, octets: bytes) -> int:
        ne: int = struct.unpack(">H", octets[5:7])[0] if len(octets) == 7 else octets[4] or 256
        assert ne <= self._mle, "the phone asks for more than MLe"
        return ne

    def _select(self, name: bytes) -> bytes:
        if name not in {NDEF, b"\xe1\x03", b"\xe1\x04"}:
            return NOT_FOUND
        self._selected = name
        return OK

    def _read(self, offset: int, count: int) -> bytes:
        if self._selected == b"\xe1\x03":
            return self._cc[offset : offset + count] + OK
        if offset == 0 and self._waiting is not None:
            polls, answer = self._waiting
            if polls:
                self._waiting = polls - 1, answer
            else:
                self._waiting = None
                self._put(answer)
        return bytes(self._file[offset : offset + count]) + OK

    def _update(self, offset: int, data: bytes) -> bytes:
        assert len(data) <= self._mlc, "the phone sends more than MLc"
        self.updates.append((offset, data))
        if self._refuse:
            return self._refuse
        self._file[offset : offset + len(data)] = data
        length = struct.unpack(">H", self._file[:2])[0]
        if offset == 0 and length:
            self._take(bytes(self._file[2 : 2 + length]))
        return OK

    def _take(self, message: bytes) -> None:
        request = json.loads(f"[{text_of(message)}]")
        self.requests.append(request)
        answer = json.dumps({"messageID": request[0]["messageID"], "statusCode": 200})
        if self._content is not None:
            answer += "," + json.dumps(self._content, ensure_ascii=False)
        self._waiting = self._polls, self._encode(answer)
        self._put(self._meanwhile(message))

    def field_off(self) -> None:
        self._selected = b""

    def close(self) -> None:
        pass


class SlowCard:
    """The same tag behind ISO/IEC 14443-4, which asks for more time before each answer. It implements `ReaderEnd`.

    Args:
        tag: what answers.
        extensions: S(WTX) before each answer.
        wtxm: of each: so many times FWT of 77 ms.
    """

    name = "foreign:slow"
    level = Level.BLOCKS
    max_frame = 256

    def __init__(self, tag: Firmware, extensions: int, wtxm: int) -> None:
        self.asked = 0
        self._tag = tag
        self._extensions = extensions
        self._wtx = bytes((0xF2, wtxm))
        self._left = 0
        self._command = b""

    def activate(self, timeout: float) -> CardFound:
        return CardFound(uid=b"\x04\x49\x76\x22\xd9\x38\x81")

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        if octets[0] == 0xE0:
            return bytes.fromhex("0578804202")
        if octets[0] in {0x02, 0x03}:
            self._command, self._left = octets, self._extensions
        elif octets != self._wtx:
            raise LinkTimeoutError(f"this card knows no {octets.hex()}")
        if self._left:
            self._left -= 1
            self.asked += 1
            return self._wtx
        answer = self._tag.transceive(self._command[1:], timeout)
        return None if answer is None else self._command[:1] + answer

    def field_off(self) -> None:
        self._tag.field_off()

    def close(self) -> None:
        self._tag.close()
