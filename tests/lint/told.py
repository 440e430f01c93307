"""What the linter says of traces that are written down in a test, as lines (`tests.trace.lines`)."""

from msgspec.structs import replace

from nfcbridge.lint import Finding, Linter
from nfcbridge.text import encode_text
from nfcbridge.trace import Header
from nfcbridge.type4 import CommandAPDU, Ins
from tests.trace.lines import entries

CARD = Header(level="blocks", source="nfcbridge test card")
READER = Header(level="blocks", source="nfcbridge test reader")
APDUS = Header(level="apdus", source="nfcbridge test")
IMPORTED = Header(level="apdus", source="imported: a log", clock="wall clock of the log")
NO_CLOCK = Header(level="blocks", clock=None)

ACTIVATED = ("+", "> E080", "< 0578808002")
"""Frames of 256 octets, FWT 77 ms."""

SELECT = "00A4040007D276000085010100"
DETECTED = (
    "+",
    f"> {SELECT}",
    "< 9000",
    "> 00A4000C02E103",
    "< 9000",
    "> 00B000000F",
    "< 000F2000FB00F80406E1047FFF00009000",
    "> 00A4000C02E104",
    "< 9000",
)
"""As APDUs: the NDEF file is selected."""

MLC = 0xF8
"""As the CC in it has it."""

IDLE_READ = ("> 00B0000002", "< 00039000")


def findings(header: Header, *lines: str, step: float = 0.001) -> list[Finding]:
    """All that is found; `step` seconds are between two lines."""
    linter = Linter(header)
    trace = [replace(entry, t=(entry.number - 1) * step) for entry in entries(*lines)]
    return [finding for entry in trace for finding in linter.receive(entry)] + linter.close()


def rules(header: Header, *lines: str, step: float = 0.001) -> list[str]:
    """The identifiers of what is found."""
    return [finding.rule.id for finding in findings(header, *lines, step=step)]


def update(offset: int, data: bytes, sw: str = "9000") -> tuple[str, str]:
    """An UPDATE and its response."""
    command = CommandAPDU(0, Ins.UPDATE_BINARY, *divmod(offset, 256), data)
    return f"> {command.to_bytes().hex()}", f"< {sw}"


def read(offset: int, octets: bytes) -> tuple[str, str]:
    """A READ and its response."""
    command = CommandAPDU(0, Ins.READ_BINARY, *divmod(offset, 256), b"", len(octets))
    return f"> {command.to_bytes().hex()}", f"< {octets.hex()}9000"


def write(text: str | bytes) -> tuple[str, ...]:
    """A message written: with one UPDATE, or with NLEN first and last."""
    message = text if isinstance(text, bytes) else encode_text(text)
    nlen = len(message).to_bytes(2)
    if len(message) + len(nlen) <= MLC:
        return update(0, nlen + message)
    parts = [line for at in range(0, len(message), MLC) for line in update(2 + at, message[at : at + MLC])]
    return *update(0, b"\0\0"), *parts, *update(0, nlen)


def take(text: str) -> tuple[str, ...]:
    """A message read: NLEN, then the rest."""
    message = encode_text(text)
    return *read(0, len(message).to_bytes(2)), *read(2, message)


def exchange(request: str, answer: str) -> tuple[str, ...]:
    """A request written and its answer read."""
    return *write(request), *take(answer)


def talk(*texts: str) -> list[str]:
    """What is found in a conversation of requests and answers in turn, after a good detection."""
    lines = [*DETECTED, *IDLE_READ]
    for request, answer in zip(texts[::2], texts[1::2], strict=True):
        lines += exchange(request, answer)
    return rules(APDUS, *lines)
