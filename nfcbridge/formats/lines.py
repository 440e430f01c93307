r"""Lines of a text, whatever it went through: CR LF, UTF-16 with its mark, colour codes, octets that are no text.

Every line is given with its number. Colours (`\x1b[36m`) and NULs are taken out; what is no UTF-8 becomes U+FFFD.
"""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

CHUNK: Final = 1 << 16

MAX_LINE: Final = 1 << 19
"""Characters of the longest line: an APDU of 65,544 octets as `XX ` takes 196,632. What a longer line has past it is
left out, so that memory is bounded."""

MAX_ESCAPE: Final = 32
"""Characters of a colour code that two chunks may have between them."""

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|\x00")

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def find_encoding(head: bytes) -> tuple[str, int]:
    """The encoding by the mark at the beginning of a file, and the octets of the mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def clean(text: str) -> str:
    """Take colours and NULs out of a text."""
    return _ESCAPES.sub("", text) if "\x1b" in text or "\x00" in text else text


def read_text(stream: BinaryIO) -> Iterator[str]:
    r"""The text in pieces, with `\n` for every end of a line."""
    encoding, skip = find_encoding(chunk := stream.read(CHUNK))
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    kept = ""
    chunk = chunk[skip:]
    while True:
        final = not chunk
        text = kept + decoder.decode(chunk, final=final)
        # A line's end, or a colour, may stand across two chunks.
        cut = len(text)
        if not final:
            if text.endswith("\r"):
                cut -= 1
            if (escape := text.rfind("\x1b", max(cut - MAX_ESCAPE, 0), cut)) >= 0:
                cut = escape
        kept = text[cut:]
        yield clean(text[:cut]).replace("\r\n", "\n").replace("\r", "\n")
        if final:
            return
        chunk = stream.read(CHUNK)


def read_lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    r"""Number and text of each line, without its end; `\r` alone ends one too."""
    number, rest = 0, ""
    for text in read_text(stream):
        *lines, last = text.split("\n")
        if lines:
            lines[0] = (rest + lines[0])[:MAX_LINE]
            rest = last[:MAX_LINE]
        else:
            rest = (rest + last)[:MAX_LINE]
        for line in lines:
            number += 1
            yield number, line
    if rest:
        yield number + 1, rest
