"""Literal octets for tests of the stacks: nothing here comes from our own encoders."""

SELECT_AID = bytes.fromhex("00A4040007D276000085010100")
SELECT_CC = bytes.fromhex("00A4000C02E103")
SELECT_NDEF = bytes.fromhex("00A4000C02E104")
OK = bytes.fromhex("9000")
NOT_NOW = bytes.fromhex("6985")
EMPTY_FILE = bytes.fromhex("0003D00000")


def text_message(text: bytes) -> bytes:
    """A short Text record, UTF-8, language en: D1 01 len 54 02 'en' text."""
    return bytes((0xD1, 0x01, len(text) + 3, 0x54, 0x02)) + b"en" + text


def update(offset: int, data: bytes) -> bytes:
    """UPDATE BINARY, short."""
    return bytes((0x00, 0xD6, offset >> 8, offset & 0xFF, len(data))) + data


def read(offset: int, count: int) -> bytes:
    """READ BINARY, short."""
    return bytes((0x00, 0xB0, offset >> 8, offset & 0xFF, count & 0xFF))


def write(message: bytes) -> bytes:
    """NLEN and message in one UPDATE."""
    return update(0, len(message).to_bytes(2, "big") + message)


GET_STATE = text_message(b'{"path":"/system_state","method":"GET","messageID":7}')
STATE = b'{"systemState":"idle"}'
STATE_ANSWER = text_message(b'{"messageID":7,"statusCode":200},' + STATE)
