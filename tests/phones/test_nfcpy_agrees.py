"""The script of nfcpy sends what nfcpy sends: both meet the same canned tag."""

import nfc.clf
import nfc.tag.tt4
import pytest

from nfcbridge import phones
from nfcbridge.phones import Conversation
from tests.phones.canned import ANSWER_MESSAGE, ASK, ASK_MESSAGE, CannedTag

pytestmark = pytest.mark.foreign


class TagOverApdus(nfc.tag.tt4.Type4Tag):  # type: ignore[misc] # nfcpy has no types
    """nfcpy's tag with nothing below the APDUs."""

    def __init__(self, tag: CannedTag) -> None:
        super().__init__(None, nfc.clf.RemoteTarget("106A"))
        self._dep = self
        self._extended_length_support = False
        self._canned = tag

    def exchange(self, command: bytearray, timeout: float | None = None) -> bytearray:
        del timeout
        return bytearray(self._canned.play(bytes(command)))


def conversation() -> Conversation:
    yield ASK


@pytest.mark.parametrize("mlc", ["00F8", "0020"], ids=["one update", "several updates"])
def test_detection_write_and_read_are_those_of_nfcpy(mlc: str) -> None:
    cc = bytes.fromhex(f"000F2000FB{mlc}0406E1047FFF0000")
    theirs, ours = CannedTag(cc=cc), CannedTag(cc=cc)
    ndef = TagOverApdus(theirs).ndef
    ndef.octets = ASK_MESSAGE
    assert ndef.has_changed
    assert ndef.octets == ANSWER_MESSAGE
    script = phones.nfcpy(conversation())
    step = next(script)
    with pytest.raises(StopIteration):  # noqa: PT012 - the script ends by it
        while True:
            step = script.send(ours.play(step))
    assert [line for line in ours.log if line[0] not in "<>"] == theirs.log
