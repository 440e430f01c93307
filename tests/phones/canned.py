"""A tag that is no card of ours, for scripts and foreign readers alike."""

from nfcbridge.phones import AnswerRead, PresenceCheck, Reactivate, RequestBegun, Step
from nfcbridge.text import encode_text

CC = bytes.fromhex("000F2000FB00F80406E1047FFF0000")
ASK = '{"path":"/a","method":"GET","messageID":1}'
ANSWER = '{"messageID":1,"statusCode":200},{"a":1}'
ASK_MESSAGE = encode_text(ASK)
ANSWER_MESSAGE = encode_text(ANSWER)

SELECT_APPLICATION = "00A4040007D276000085010100"
DETECTION = [SELECT_APPLICATION, "00A4000C02E103", "00B000000F", "00A4000C02E104"]
REACTIVATE = "S(DESELECT), RATS"
PRESENT = "R(NAK)"


class CannedTag:
    """Answers commands from what it holds: a CC, and a file whose NLEN and message come from its reader's writes.

    It knows no rule of the card: what is written is there, and when NLEN is written the answer takes its place.
    """

    def __init__(
        self,
        *,
        cc: bytes = CC,
        idle: bytes = bytes.fromhex("D00000"),
        answer: bytes = ANSWER_MESSAGE,
        says_length: bool = False,
    ) -> None:
        self.cc = cc
        self.answer = answer
        self.says_length = says_length
        self.selected = b""
        self.file = bytearray(0x8000)
        self.put(idle)
        self.log: list[str] = []

    def put(self, message: bytes) -> None:
        self.file[: 2 + len(message)] = len(message).to_bytes(2) + message

    def play(self, step: Step) -> bytes:
        if isinstance(step, Reactivate):
            self.log.append(REACTIVATE)
        elif isinstance(step, PresenceCheck):
            self.log.append(PRESENT)
        elif isinstance(step, RequestBegun | AnswerRead):
            self.log.append(f"{'>' if isinstance(step, RequestBegun) else '<'} {step.text}")
        else:
            self.log.append(step.hex().upper())
            return self.respond(step)
        return b""

    def respond(self, command: bytes) -> bytes:
        offset = int.from_bytes(command[2:4])
        if command[1] == 0xA4:
            self.selected = command[5:7]
        elif command[1] == 0xB0:
            content = self.cc if self.selected == b"\xe1\x03" else self.file
            return bytes(content[offset : offset + command[4]]) + b"\x90\x00"
        else:
            self.file[offset : offset + command[4]] = command[5 : 5 + command[4]]
            if offset == 0 and any(command[5:7]):
                self.put(self.answer)
            if self.says_length and len(command) > 5 + command[4]:
                return bytes(self.file[:2]) + b"\x90\x00"
        return b"\x90\x00"
