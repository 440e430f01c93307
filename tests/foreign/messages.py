"""Messages made with ndeflib and json alone, and what an app says over any reader that can write and read them."""

import hashlib
import itertools
import json
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import ndef

IDLE: Final = bytes.fromhex("D0 00 00")
"""The empty NDEF message: what the file holds when it holds no answer."""

ANSWER_TIMEOUT: Final = 30.0
"""Seconds until an app gives up. The server itself answers 504 after 8."""

DEV_PASSWORD: Final = "operator"


class Answer(NamedTuple):
    """An answer message, decoded."""

    status: int
    message_id: object
    content: Any


def encode_request(header: dict[str, object], content: object = None) -> bytes:
    """Returns the NDEF message of a request; without content the header stands alone."""
    parts = [header] if content is None else [header, content]
    text = json.dumps(parts)[1:-1]
    return b"".join(ndef.message_encoder([ndef.TextRecord(text, "en")]))


def decode_answer(message: bytes) -> Answer:
    """Returns the answer in an NDEF message of exactly one Text record."""
    (record,) = ndef.message_decoder(message)
    header, *content = json.loads(f"[{record.text}]")
    assert len(content) <= 1
    return Answer(header["statusCode"], header["messageID"], content[0] if content else None)


class App:
    """An app on a phone: writes a request, reads until the file has the answer to it.

    Args:
        write: writes an NDEF message.
        read: reads the NDEF message afresh.
    """

    def __init__(self, write: Callable[[bytes], None], read: Callable[[], bytes]) -> None:
        self._write = write
        self._read = read
        self._numbers = itertools.count(1)
        self.session_id: str | None = None

    def ask(self, method: str, path: str, content: object = None) -> Answer:
        """Returns the answer to a request."""
        number = next(self._numbers)
        header: dict[str, object] = {"path": path, "method": method, "messageID": number}
        if self.session_id is not None:
            header["authorization"] = self.session_id
        self._write(encode_request(header, content))
        end = time.monotonic() + ANSWER_TIMEOUT
        while (message := self._read()) == IDLE:
            assert time.monotonic() < end, f"no answer to {method} {path} within {ANSWER_TIMEOUT} s"
        answer = decode_answer(message)
        assert answer.message_id == number
        return answer

    def login(self, user: str = "operator", password: str = DEV_PASSWORD) -> Answer:
        """Logs in as the page of the interface says, and keeps the session id."""
        token = self.ask("GET", "/login").content["token"]
        proof = hashlib.sha256((password + token).encode()).hexdigest()
        answer = self.ask("POST", "/login", {"username": user, "password": proof})
        assert answer.status == 200, f"the login was answered {answer}"
        self.session_id = answer.content["session"]["session_id"]
        return answer
