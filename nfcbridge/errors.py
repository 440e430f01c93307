"""Every exception of nfcbridge, one tree; the reply that an error causes rides on the error.

    NfcBridgeError
    +-- ConfigError             a setting that cannot work; the message says what can (exit code 2)
    +-- LinkError               the link or the device failed (exit code 3)
    |   +-- LinkClosedError     the link was closed, by us or by the device
    |   +-- LinkTimeoutError    nobody answered in time
    |   +-- FieldLostError      the tag left the field, or the field was switched off
    +-- ProtocolError
    |   +-- LocalProtocolError  we were asked to send what the protocol forbids: a fault of the caller
    |   +-- RemoteProtocolError the peer sent what the protocol forbids
    |       +-- BlockError      ISO 14443-4: an invalid block (the card's reply is silence)
    |       +-- CommandError    ISO 7816-4: a refused command; `sw` is the status word of the reply
    |       +-- RecordError     the NDEF message is not exactly one Text record
    |       +-- RequestError    a broken request; `status` is the status code of the reply
    |       +-- ResponseError   the answer of the other end is broken or is not the one asked for
    |           +-- RefusedError    it said no: a status of 400 or more (exit code 1)
    +-- TraceError              a trace that cannot be read; the message names the line

Errors of libraries are translated where they occur, with `raise ... from`, and nothing else is caught.
"""


class NfcBridgeError(Exception):
    """The root: catch this to catch all that nfcbridge raises on purpose.

    Attributes:
        maybe_executed: it ended a request that may have been executed; where it is False the request surely was not.
    """

    maybe_executed: bool = False


class ConfigError(NfcBridgeError):
    """A setting that cannot work. The message says what can."""


class LinkError(NfcBridgeError):
    """The link or the device below it failed. The message says what to do."""


class LinkClosedError(LinkError):
    """The link was closed, by us or by the device."""


class LinkTimeoutError(LinkError):
    """Nobody answered in time."""


class FieldLostError(LinkError):
    """The tag left the field, or the field was switched off."""


class ProtocolError(NfcBridgeError):
    """Somebody broke the protocol."""


class LocalProtocolError(ProtocolError):
    """We were asked to send what the protocol forbids: a fault of the caller."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol forbids."""


class BlockError(RemoteProtocolError):
    """An invalid ISO 14443-4 frame. A card answers it with silence."""


class CommandError(RemoteProtocolError):
    """A command that the card refuses, or (at the reader) a status word other than the expected one.

    Args:
        message: what is wrong, for people.
        sw: the status word, 0x0000..0xFFFF.
    """

    def __init__(self, message: str, *, sw: int) -> None:
        super().__init__(message)
        self.sw = sw


class RecordError(RemoteProtocolError):
    """An NDEF message that is not exactly one Text record."""


class RequestError(RemoteProtocolError):
    """A broken request message.

    Args:
        message: what is wrong, for people.
        status: the status code of the answer, such as 400.
        message_id: the request's messageID as raw JSON, `null` where none could be read.
    """

    def __init__(self, message: str, *, status: int, message_id: bytes = b"null") -> None:
        super().__init__(message)
        self.status = status
        self.message_id = message_id


class ResponseError(RemoteProtocolError):
    """The answer of the other end is broken, or is not the one that was asked for."""


class RefusedError(ResponseError):
    """The other end understood, and said no: a status of 400 or more. Nothing was done."""


class TraceError(NfcBridgeError):
    """A trace that cannot be read. The message names the line."""
