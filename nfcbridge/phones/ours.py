"""Our own reader procedures, with the fewest APDUs that a card of ours allows. Sans I/O."""

from nfcbridge.phones.script import Conversation, Script, converse
from nfcbridge.text import decode_text, encode_text
from nfcbridge.type4 import FIRST_READ, detect, read, write


def ours(conversation: Conversation) -> Script[None]:
    """Our own reader with a card of ours: detect once, then one UPDATE and one READ where they fit."""
    info = yield from detect()

    def exchange(text: str) -> Script[str | None]:
        length = yield from write(info, encode_text(text), ours=True)
        first = FIRST_READ if length is None else info.nlen_size + length
        return decode_text((yield from read(info, first=first)))

    yield from converse(conversation, exchange)
