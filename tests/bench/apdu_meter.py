"""Sends one command many times over PC/SC and prints how long each took: `python -m tests.bench.apdu_meter COUNT`.

It uses the C interface of PC/SC as pyscard gives it: the layers above add 30 us that say nothing about the card.
"""

import json
import sys
import time
from typing import Final

from smartcard import scard

from tests.foreign.room import READER

WAIT_MS: Final = 20_000
"""For the card to be seen."""

DETECT: Final = ("00A4040007D276000085010100", "00A4000C02E104")
COMMAND: Final = "00B0000002"
"""READ of NLEN: the shortest command that goes through to the file."""


def connect() -> int:
    """Returns pyscard's handle of the card."""
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    state = scard.SCARD_STATE_UNAWARE
    while result == scard.SCARD_S_SUCCESS and not state & scard.SCARD_STATE_PRESENT:
        result, [(_, state, _)] = scard.SCardGetStatusChange(context, WAIT_MS, [(READER, state)])
    if result == scard.SCARD_S_SUCCESS:
        result, card, _ = scard.SCardConnect(context, READER, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
        if result == scard.SCARD_S_SUCCESS:
            return int(card)
    sys.exit(scard.SCardGetErrorMessage(result))


def measure(card: int, count: int) -> list[int]:
    """Returns the nanoseconds of each command."""
    for select in DETECT:
        scard.SCardTransmit(card, scard.SCARD_PCI_T1, list(bytes.fromhex(select)))
    command = list(bytes.fromhex(COMMAND))
    times = []
    for _ in range(count):
        start = time.perf_counter_ns()
        _, response = scard.SCardTransmit(card, scard.SCARD_PCI_T1, command)
        times.append(time.perf_counter_ns() - start)
        if response[-2:] != [0x90, 0x00]:
            sys.exit(f"the card answered {bytes(response).hex()}")
    return times


if __name__ == "__main__":
    print(json.dumps(measure(connect(), int(sys.argv[1]))))
