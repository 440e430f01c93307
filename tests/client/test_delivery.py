"""What becomes of a request when the tag slips away, step by step, against a tag that does as the test says."""

from collections.abc import Callable

import pytest

from nfcbridge.client import delivery as module
from nfcbridge.client.phone import Phone
from nfcbridge.errors import (
    CommandError,
    FieldLostError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    NfcBridgeError,
    ResponseError,
)
from nfcbridge.links import CardFound
from tests.client.ends import ForeignTag
from tests.client.firmware import EMPTY, text_record
from tests.client.test_other_firmware import Clock
from tests.stack.octets import NOT_NOW, OK

OUR_ATR = bytes.fromhex("3B86800180546E666362DA")
THEIR_ATR = bytes.fromhex("3B80800101")
BEGIN = bytes.fromhex("00D60000020000")


def answer(number: int, content: str = '"done"') -> bytes:
    return text_record(f'{{"messageID":{number},"statusCode":200}},{content}')


class Tag(ForeignTag):
    """A tag that is torn away at commands of the test's choice.

    Args:
        atr: ours or not.
        files: the message in the file, one for each READ of its start, in order.
        torn: whether a command is torn; it is asked once for each command after the detection.
        refuse: the response to NLEN 0 in a write of its own, in order; taken after that.
        away: seconds for which the tag is away when it was torn.
    """

    def __init__(
        self,
        *files: bytes,
        atr: bytes = OUR_ATR,
        torn: Callable[[bytes], bool] = lambda _command: False,
        refuse: tuple[bytes, ...] = (),
        away: float = 0.0,
    ) -> None:
        super().__init__(files, atr=atr)
        self.clock = Clock()
        self.error: Exception = FieldLostError("the tag slipped away")
        self._torn = torn
        self._refuse = [*refuse]
        self._away = away
        self._back_at = 0.0

    def activate(self, timeout: float) -> CardFound:
        if self.clock.now + timeout < self._back_at:
            self.clock.now += timeout
            raise LinkTimeoutError("no card came")
        self.clock.now = max(self.clock.now, self._back_at)
        return super().activate(timeout)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        if octets[1] != 0xA4 and octets[-1:] != b"\x0f" and self._torn(octets):
            self._back_at = self.clock.now + self._away
            self.log.append("torn")
            raise self.error
        if octets == BEGIN and self._refuse:
            self.log.append(octets)
            return self._refuse.pop(0)
        return super().transceive(octets, timeout)

    @property
    def writes(self) -> int:
        """How often a request was written whole, with its length."""
        return sum(command[1] == 0xD6 and command != BEGIN for command in self.commands)

    def phone(self) -> Phone:
        return Phone(self, first_id=7, clock=self.clock.time, sleep=self.clock.sleep)


def once(what: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """True for the first command that is so."""
    left = [True]

    def torn(command: bytes) -> bool:
        if left[0] and what(command):
            left[0] = False
            return True
        return False

    return torn


def is_commit(command: bytes) -> bool:
    """The only UPDATE of a short request to a tag of ours."""
    return command[1] == 0xD6 and command != BEGIN


def is_read(command: bytes) -> bool:
    return command[1] == 0xB0


def is_nlen(command: bytes) -> bool:
    """The UPDATE of NLEN alone that is not zero."""
    return command[:5] == BEGIN[:5] and command != BEGIN


@pytest.mark.parametrize("at", [is_commit, is_read])
def test_an_answer_that_is_there_is_read_and_nothing_is_written_again(at: Callable[[bytes], bool]) -> None:
    tag = Tag(answer(7), torn=once(at))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert tag.writes == (at is is_read)
    assert (phone.statistics.torn, phone.statistics.recovered, phone.statistics.repeated) == (1, 1, 0)


def test_a_card_of_ours_that_works_on_the_request_is_waited_for() -> None:
    tag = Tag(EMPTY, EMPTY, EMPTY, answer(7), torn=once(is_commit), refuse=(NOT_NOW,))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert (tag.writes, tag.commands.count(BEGIN), phone.statistics.repeated) == (0, 1, 0)


def test_a_card_of_ours_that_never_got_it_is_asked_again_after_one_more_look() -> None:
    tag = Tag(EMPTY, EMPTY, answer(7), torn=once(is_commit))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert (tag.writes, phone.statistics.repeated, phone.statistics.recovered) == (1, 1, 0)
    assert tag.log.count("activate") == 3  # the third takes back the write that asked


def test_an_answer_that_comes_between_the_look_and_the_question_is_found_by_the_second_look() -> None:
    tag = Tag(EMPTY, answer(7), torn=once(is_commit))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert (tag.writes, phone.statistics.repeated, phone.statistics.recovered) == (0, 0, 1)


def test_the_answer_to_the_request_before_says_that_this_one_was_not_committed() -> None:
    tag = Tag(answer(7), answer(7), answer(7), answer(8), torn=lambda _command: False)
    phone = tag.phone()
    phone.exchange("POST", "/a")
    tag._torn = once(is_commit)  # noqa: SLF001 - the second request is torn
    assert phone.exchange("POST", "/b").message_id == b"8"
    assert (tag.writes, phone.statistics.repeated) == (2, 1)


def test_another_refusal_of_the_question_is_an_error() -> None:
    tag = Tag(EMPTY, torn=once(is_commit), refuse=(bytes.fromhex("6982"),))
    with pytest.raises(CommandError, match="6982") as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value.maybe_executed


def test_the_answer_to_somebody_else_hides_what_became_of_a_request() -> None:
    tag = Tag(answer(99), torn=once(is_commit))
    with pytest.raises(
        ResponseError, match="the answer to a request of somebody else meanwhile: the request may"
    ) as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value.maybe_executed
    assert tag.writes == 0


def test_a_safe_request_is_asked_again_where_nobody_knows_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tag = Tag(answer(99), answer(7), torn=once(is_commit))
    phone = tag.phone()
    assert phone.exchange("GET", "/a").content == b'"done"'
    assert (tag.writes, phone.statistics.repeated) == (1, 1)
    assert caplog.messages == ["GET /a is sent again: the first may have been executed"]


@pytest.mark.parametrize(("away", "known"), [(module.ANSWER_KEPT - 0.1, True), (module.ANSWER_KEPT + 0.1, False)])
def test_after_the_time_for_which_answers_are_kept_nobody_knows(*, away: float, known: bool) -> None:
    tag = Tag(EMPTY, EMPTY, answer(7), torn=once(is_commit), away=away)
    if known:
        assert tag.phone().exchange("POST", "/a").content == b'"done"'
        return
    with pytest.raises(ResponseError, match="away for more than 8 s, and keeps no answer longer") as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value.maybe_executed


def test_half_a_write_is_written_again_whatever_the_method() -> None:
    tag = Tag(answer(7), atr=THEIR_ATR, torn=once(lambda command: command[1] == 0xD6 and command[3] == 2))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert phone.statistics.recovered == 0
    assert tag.commands.count(BEGIN) == 2


def test_a_card_that_is_not_ours_is_waited_for_and_asked_no_second_time() -> None:
    tag = Tag(EMPTY, EMPTY, answer(7), atr=THEIR_ATR, torn=once(is_nlen))
    phone = tag.phone()
    assert phone.exchange("POST", "/a").content == b'"done"'
    assert tag.commands.count(BEGIN) == 1


def test_a_card_that_is_not_ours_and_shows_no_answer_is_a_timeout_that_tells_what_may_be() -> None:
    tag = Tag(EMPTY, atr=THEIR_ATR, torn=once(is_nlen))
    with pytest.raises(LinkTimeoutError, match="may have been executed") as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value.maybe_executed
    assert tag.commands.count(BEGIN) == 1


def test_a_card_that_is_not_ours_is_asked_again_for_what_is_safe() -> None:
    tag = Tag(answer(7), atr=THEIR_ATR, torn=once(is_nlen))
    phone = tag.phone()
    assert phone.exchange("GET", "/a").content == b'"done"'
    assert (tag.commands.count(BEGIN), phone.statistics.repeated) == (2, 1)


def test_a_repeated_request_that_is_refused_as_the_first_is_worked_on_waits_for_that_answer() -> None:
    tag = Tag(EMPTY, answer(7), atr=THEIR_ATR, torn=once(is_nlen), refuse=(OK, NOT_NOW))
    assert tag.phone().exchange("GET", "/a").content == b'"done"'


@pytest.mark.parametrize(("method", "maybe"), [("GET", True), ("POST", False)])
def test_a_refused_write_surely_executed_nothing_unless_it_was_a_second_one(method: str, *, maybe: bool) -> None:
    refused = bytes.fromhex("6A84")
    tag = Tag(EMPTY, atr=THEIR_ATR, torn=once(is_nlen), refuse=(OK, refused) if maybe else (refused,))
    with pytest.raises(CommandError) as failed:
        tag.phone().exchange(method, "/a")
    assert failed.value.maybe_executed is maybe


def test_a_refused_read_of_the_answer_says_that_the_request_may_have_been_executed() -> None:
    tag = Tag(answer(7))
    phone = tag.phone()
    phone.connect()
    tag.responses = [OK, bytes.fromhex("6982")]
    with pytest.raises(CommandError, match="READ BINARY at 0: 6982") as failed:
        phone.exchange("POST", "/a")
    assert failed.value.maybe_executed


@pytest.mark.parametrize(("at", "maybe"), [(lambda command: command == BEGIN, False), (is_nlen, True)])
def test_a_tag_that_does_not_come_back_is_a_timeout_that_tells_what_may_be(
    at: Callable[[bytes], bool], *, maybe: bool
) -> None:
    tag = Tag(EMPTY, atr=THEIR_ATR, torn=at, away=1000.0)
    told = "may have been" if maybe else "was not"
    with pytest.raises(
        LinkTimeoutError, match=f"not found again in time: hold the phone.*the request {told} exec"
    ) as failed:
        tag.phone().exchange("POST", "/a", read_timeout=3.0)
    assert failed.value.maybe_executed is maybe
    assert tag.clock.now == pytest.approx(3.0)


def test_a_tag_that_is_torn_each_time_is_no_busy_loop_and_ends_in_time() -> None:
    tag = Tag(EMPTY, torn=lambda command: command[1] == 0xD6)
    with pytest.raises(FieldLostError):
        tag.phone().exchange("POST", "/a", read_timeout=5.0)
    assert tag.log.count("activate") < 20
    assert tag.clock.now <= 5.0
    assert max(tag.clock.pauses) == module.PAUSE_MOST


@pytest.mark.parametrize("error", [LinkClosedError("closed"), LinkError("the reader takes no commands of this length")])
def test_what_does_not_pass_is_told_at_once(error: NfcBridgeError) -> None:
    tag = Tag(EMPTY, torn=is_commit)
    tag.error = error
    with pytest.raises(LinkError) as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value is error
    assert error.maybe_executed
    assert tag.log.count("activate") == 1


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("04A1B2C3D4E5F6", "04A1B2C3D4E5F6", True),
        ("04A1B2C3D4E5F6", "04000000000000", False),
        ("08A1B2C3", "08FFFFFF", True),
        ("", "", True),
        ("01A1B2C3", "02A1B2C3", False),
    ],
)
def test_another_tag_is_not_asked_in_the_place_of_the_first(before: str, after: str, *, same: bool) -> None:
    uids = [bytes.fromhex(before), bytes.fromhex(after), bytes.fromhex(after)]
    tag = Tag(EMPTY, EMPTY, answer(7), torn=once(is_commit))
    found = tag.activate

    def activate(timeout: float) -> CardFound:
        return CardFound(uids.pop(0), atr=found(timeout).atr)

    tag.activate = activate  # type: ignore[method-assign]
    if same:
        assert tag.phone().exchange("POST", "/a").content == b'"done"'
        return
    with pytest.raises(LinkError, match=f"another tag came \\({after.lower()} after {before.lower()}\\)") as failed:
        tag.phone().exchange("POST", "/a")
    assert failed.value.maybe_executed
    assert tag.writes == 0
