"""Reader and card against each other, over air that loses and garbles frames. The octets are tested elsewhere."""

from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nfcbridge.errors import BlockError, LinkTimeoutError
from nfcbridge.isodep import Ats, CardLink, DeselectConfirmed, PresenceConfirmed, ReaderLink, ResponseReceived
from nfcbridge.isodep.ats import FRAME_SIZES
from tests.isodep.air import Session, lossy, respond_to
from tests.isodep.octets import h

FWT = 4096 / 13.56e6 * 256

atses = st.builds(Ats, fsci=st.integers(0, 8), fwi=st.integers(4, 10), cid=st.booleans())
readers = st.builds(ReaderLink, fsd=st.sampled_from(FRAME_SIZES[:9]), cid=st.integers(0, 14))
commands = st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=5)
thoughts = st.floats(0, 3) | st.just(0.0)
losses = st.lists(st.booleans(), max_size=60)


@given(atses, readers, commands, thoughts, st.booleans())
def test_clean_air_carries_every_command_once_and_in_time(
    ats: Ats, reader: ReaderLink, apdus: list[bytes], think: float, hint: bool
) -> None:
    session = Session(reader, CardLink(ats), think=think, hint=hint)
    session.activate()
    for apdu in apdus:
        assert session.exchange(apdu) == ResponseReceived(respond_to(apdu))
        assert session.run(reader.presence_check(session.now)) == PresenceConfirmed()
    assert session.executed == apdus
    assert session.retransmissions == 0
    assert session.slowest <= 0.61  # of the time that the card had
    assert session.run(reader.deselect(session.now)) == DeselectConfirmed()


@given(st.floats(0.0, 2.7), st.integers(4, 10))
def test_one_wtx_is_enough_when_the_end_is_known(think: float, fwi: int) -> None:
    ats = Ats(fwi=fwi)
    assume(think < 59 * 0.6 * ats.fwt)
    session = Session(ReaderLink(ats=ats), CardLink(ats, fsd=256), think=think)
    session.exchange(b"\x00")
    assert len(session.extensions) == (think > 0.6 * ats.fwt)
    for wtxm in session.extensions:
        assert wtxm == pytest.approx(ceil((think - 0.6 * ats.fwt) / (0.6 * ats.fwt)), abs=1)


@given(atses, readers, commands, thoughts, losses)
def test_lost_frames_never_execute_a_command_twice_or_change_a_response(
    ats: Ats, reader: ReaderLink, apdus: list[bytes], think: float, lost: list[bool]
) -> None:
    session = Session(reader, CardLink(ats), think=think)
    session.activate()
    session.air = lossy(iter(lost))
    done = 0
    try:
        for apdu in apdus:
            assert session.exchange(apdu) == ResponseReceived(respond_to(apdu))
            done += 1
            assert session.executed == apdus[:done]
    except (LinkTimeoutError, BlockError):
        # The command may have been executed before its response was lost for good.
        assert session.executed in (apdus[:done], apdus[: done + 1])
    session.air = lossy(iter([]))
    session.activate()
    assert session.exchange(b"\x00\xa4") == ResponseReceived(respond_to(b"\x00\xa4"))


@given(atses, readers, st.binary(min_size=1, max_size=70), thoughts, st.data())
def test_three_lost_frames_of_a_command_are_always_recovered(
    ats: Ats, reader: ReaderLink, apdu: bytes, think: float, data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, 40), max_size=3))
    session = Session(reader, CardLink(ats), think=think)
    session.activate()
    session.air = lossy(iter([place in places for place in range(41)]))
    assert session.exchange(apdu) == ResponseReceived(respond_to(apdu))
    assert session.executed == [apdu]
    session.air = lossy(iter([]))
    assert session.exchange(b"\x00\xa4") == ResponseReceived(respond_to(b"\x00\xa4"))


@given(atses, readers, st.sets(st.integers(0, 8), max_size=3))
def test_three_lost_frames_of_a_presence_check_are_always_recovered(
    ats: Ats, reader: ReaderLink, places: set[int]
) -> None:
    session = Session(reader, CardLink(ats))
    session.activate()
    session.air = lossy(iter([place in places for place in range(9)]))
    assert session.run(reader.presence_check(session.now)) == PresenceConfirmed()
    session.air = lossy(iter([]))
    assert session.exchange(b"\x00\xa4") == ResponseReceived(respond_to(b"\x00\xa4"))


octets = st.binary(max_size=6) | st.builds(
    lambda pcb, rest: pcb + rest,
    st.sampled_from([h(pcb) for pcb in ("02", "03", "12", "13", "A2", "A3", "B2", "B3", "C2", "F2", "0A00", "F201")]),
    st.binary(max_size=4),
)


@given(atses, readers, commands, st.lists(st.none() | octets, max_size=40))
def test_garbage_that_no_crc_caught_ends_in_a_response_or_in_an_error_of_ours(
    ats: Ats, reader: ReaderLink, apdus: list[bytes], garbage: list[bytes | None]
) -> None:
    session = Session(reader, CardLink(ats))
    session.activate()
    rest = iter(garbage)
    session.air = lambda frame: garbled if (garbled := next(rest, None)) is not None else frame
    try:
        for apdu in apdus:
            assert isinstance(session.exchange(apdu), ResponseReceived)
    except (LinkTimeoutError, BlockError):
        pass
    rest = iter([])
    session.activate()
    assert session.exchange(b"\x00\xa4") == ResponseReceived(respond_to(b"\x00\xa4"))
