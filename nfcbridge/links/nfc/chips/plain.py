"""Any driver of nfcpy as a card, through what all of them have."""

from typing import Any, Final

from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.chips.chip import Came, What
from nfcbridge.links.nfc.transport import SLICE

_RATS: Final = 0xE0


class ListeningCard:
    """Any driver, through what all of nfcpy's drivers have. Slower, and FSD may stay unknown.

    Args:
        device: nfcpy's, opened.
        identity: UID, ATS, SENS_RES and SEL_RES.
    """

    def __init__(self, device: Any, identity: CardIdentity) -> None:  # noqa: ANN401
        import nfc.clf

        self._clf = nfc.clf
        self._device = device
        self._identity = identity
        self._target: Any = None
        self._came: Came | None = None

    def prepare(self) -> None:
        """See `CardChip.prepare`."""
        self._device.mute()

    def listen(self) -> None:
        """See `CardChip.listen`."""
        self._target = self._came = None

    def answer(self, octets: bytes) -> bool:
        """See `CardChip.answer`."""
        self._exchange(bytearray(octets), 0)
        return True

    def answer_and_listen(self, octets: bytes) -> None:
        """See `CardChip.answer_and_listen`."""
        self._exchange(bytearray(octets), 0)
        self.listen()

    def stay_silent(self) -> None:
        """See `CardChip.stay_silent`: `wait` does the waiting."""

    def wait(self, timeout: float) -> bool:
        """See `CardChip.wait`."""
        timeout = min(timeout, SLICE)
        if self._came is None and self._target is not None:
            self._exchange(None, timeout)
        elif self._came is None:
            self._listen(timeout)
        return self._came is not None

    def _listen(self, timeout: float) -> None:
        identity = self._identity
        target = self._clf.LocalTarget(
            "106A",
            sens_res=bytearray(identity.sens_res),
            sdd_res=bytearray(identity.uid),
            sel_res=bytearray([identity.sel_res]),
            rats_res=bytearray(identity.ats),
        )
        self._device.mute()  # as ContactlessFrontend does: the simulation cannot bind its socket twice
        found = self._device.listen_tta(target, timeout)
        if found is not None and found.tt4_cmd:
            self._target = found
            first = bytes(found.tt4_cmd)
            self._came = (What.SELECTED if first[0] == _RATS else What.ACTIVATED), first

    def _exchange(self, octets: bytearray | None, timeout: float) -> None:
        try:
            frame = self._device.send_rsp_recv_cmd(self._target, octets, timeout)
        except self._clf.TimeoutError:
            return
        except self._clf.BrokenLinkError:
            self._came = What.GONE, b""
        except self._clf.CommunicationError:
            self._came = What.FAULT, b""
        else:
            if frame:
                self._came = What.FRAME, bytes(frame)

    def take(self) -> Came:
        """See `CardChip.take`."""
        came, self._came = self._came, None
        return came or (What.FAULT, b"")

    def cancel(self) -> None:
        """See `CardChip.cancel`."""
        self._came = None

    def field_is_on(self) -> bool:
        """See `CardChip.field_is_on`: these drivers raise when the field goes."""
        return True
