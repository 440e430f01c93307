"""The scripted phone on a link, without an emulator: what it does with silence, a lost field and a card that errs."""

import contextlib
from collections.abc import Callable

import pytest

from nfcbridge.errors import BlockError, CommandError, FieldLostError, LinkTimeoutError
from nfcbridge.links import CardFound, Level
from nfcbridge.phones import Arrival, Played, PresenceCheck, Reactivate, Script, ScriptedPhone
from nfcbridge.phones.script import transceive

ATS = bytes.fromhex("0578804202")
RATS = bytes.fromhex("E080")
SELECT = bytes.fromhex("00A4000C02E103")
RATS_ANSWER = ATS.hex()
SILENCE = [None] * (1 + 3)
"""No answer to a frame, nor as often as the reader link asks again."""


class FakeEnd:
    """A reader end: what the card answers to each frame is written down; None is silence."""

    name = "fake:"
    level = Level.BLOCKS
    max_frame = 256

    def __init__(self, *answers: str | None, ats: str | None = RATS_ANSWER) -> None:
        self.answers = [ats, *answers]
        self.sent: list[str] = []
        self.activations = 0
        self.field = False
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def activate(self, timeout: float) -> CardFound:
        assert timeout > 0
        self.activations += 1
        self.field = True
        return CardFound(uid=bytes.fromhex("08010203"))

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.sent.append(octets.hex().upper())
        if not self.answers:
            raise FieldLostError("the card left")
        answer = self.answers.pop(0)
        if answer is None:
            self.now += timeout
            return None
        return bytes.fromhex(answer)

    def field_off(self) -> None:
        self.field = False

    def close(self) -> None: ...


def play(end: FakeEnd, script: Script[object], watch: Callable[[Played], None] = lambda _played: None) -> object:
    return ScriptedPhone(end, watch=watch, clock=end.clock).play(script)


def test_a_command_goes_out_in_a_block_and_its_response_comes_back() -> None:
    end = FakeEnd("02 0102 9000")
    assert play(end, transceive(SELECT)) == b"\x01\x02"
    assert end.sent == ["E080", "0200A4000C02E103"]
    assert not end.field


def test_each_step_is_told_with_its_frames() -> None:
    told: list[Played] = []
    play(FakeEnd("02 9000"), transceive(SELECT), told.append)
    assert told == [
        Played(Arrival(bytes.fromhex("08010203"), ATS, 256), b"", ((True, RATS), (False, ATS))),
        Played(SELECT, b"\x90\x00", ((True, b"\x02" + SELECT), (False, b"\x02\x90\x00"))),
    ]


def test_a_presence_check_is_an_r_nak() -> None:
    def script() -> Script[None]:
        assert (yield PresenceCheck()) == b""

    end = FakeEnd("A3")
    play(end, script())
    assert end.sent == ["E080", "B2"]


def test_a_reactivation_deselects_and_activates_again() -> None:
    def script() -> Script[None]:
        yield from transceive(SELECT)
        assert (yield Reactivate()) == b""
        yield from transceive(SELECT)

    end = FakeEnd("02 9000", "C2", RATS_ANSWER, "02 9000")
    play(end, script())
    # The block number begins at 0 again.
    assert end.sent == ["E080", "0200A4000C02E103", "C2", "E080", "0200A4000C02E103"]
    assert end.activations == 2


def test_a_card_that_asks_for_time_gets_it() -> None:
    end = FakeEnd("F2 05", "02 9000")
    play(end, transceive(SELECT))
    assert end.sent[-1] == "F205"


def test_silence_is_met_with_r_nak() -> None:
    end = FakeEnd(None, "02 9000")
    told: list[Played] = []
    play(end, transceive(SELECT), told.append)
    assert end.sent[1:] == ["0200A4000C02E103", "B2"]
    assert told[-1].frames == ((True, b"\x02" + SELECT), (True, b"\xb2"), (False, b"\x02\x90\x00"))


def test_lasting_silence_ends_the_script_and_the_field() -> None:
    end = FakeEnd(*[None] * 20)
    with pytest.raises(LinkTimeoutError):
        play(end, transceive(SELECT))
    assert not end.field


def test_a_card_that_lost_the_rats_is_selected_again() -> None:
    end = FakeEnd(*SILENCE[1:], RATS_ANSWER, "02 9000", ats=None)
    assert play(end, transceive(SELECT)) == b""
    assert end.sent == [*["E080"] * 5, "0200A4000C02E103"]
    assert end.activations == 2


def test_a_card_that_never_answers_the_rats_ends_the_script_when_patience_does() -> None:
    end = FakeEnd(*[None] * 10_000, ats=None)
    with pytest.raises(LinkTimeoutError, match="ACTIVATING"):
        play(end, transceive(SELECT))
    assert set(end.sent) == {"E080"}
    assert 5.0 <= end.now < 6.0
    assert not end.field


def test_a_card_that_goes_on_erring_ends_the_script_and_the_field() -> None:
    end = FakeEnd(*["7F"] * 20)
    with pytest.raises(BlockError):
        play(end, transceive(SELECT))
    assert not end.field


def test_a_field_that_is_lost_ends_the_script() -> None:
    with pytest.raises(FieldLostError):
        play(FakeEnd(), transceive(SELECT))


def test_an_error_of_the_script_ends_the_field() -> None:
    end = FakeEnd("02 6A82")
    with pytest.raises(CommandError):
        play(end, transceive(SELECT))
    assert not end.field


def test_a_script_may_go_on_after_an_error_of_the_link() -> None:
    def script() -> Script[str]:
        with contextlib.suppress(LinkTimeoutError):
            yield from transceive(SELECT)
        yield Reactivate()
        return "activated again"

    end = FakeEnd(*SILENCE, "C2", RATS_ANSWER)
    assert play(end, script()) == "activated again"
