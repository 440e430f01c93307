"""The sans-I/O card alone: microseconds a block, from frame to frame.

python -m tests.bench.card [--blocks 200000]
"""

import argparse
import time

from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack
from tests.bench.figures import report
from tests.stack.octets import SELECT_AID, SELECT_NDEF, read, text_message, update


def selected() -> BlockCardStack:
    """A card whose NDEF file is selected; the reader's next block number is 0."""
    stack = BlockCardStack(CardStack())
    stack.activated(None, 0.0)
    for frame in (bytes.fromhex("E080"), b"\x02" + SELECT_AID, b"\x03" + SELECT_NDEF):
        stack.receive(frame, 0.0)
    return stack


def turn(stack: BlockCardStack, commands: list[bytes], blocks: int) -> list[float]:
    """Seconds of each block: the commands over and over, block numbers alternating."""
    frames = [[bytes([0x02 | number]) + command for command in commands] for number in (0, 1)]
    times = []
    number = 0
    now = 0.0
    for index in range(blocks):
        frame = frames[number][index % len(commands)]
        began = time.perf_counter()
        events = stack.receive(frame, now)
        times.append(time.perf_counter() - began)
        if not isinstance(events[0], SendFrame):
            raise SystemExit(f"no response to {frame.hex()}")
        number ^= 1
        now += 0.001
    return times


def exchanges(count: int) -> list[float]:
    """Seconds of a whole small exchange, request parsed and answer formatted, without the application."""
    stack = selected()
    request = text_message(
        b'{"path":"/system_state","method":"GET","authorization":"' + 36 * b"0" + b'","messageID":7}'
    )
    commands = [update(0, len(request).to_bytes(2, "big") + request), read(0, 251)]
    content = b'{"systemState":"idle","ambientTemp":23.4}'
    times = []
    number = 0
    for index in range(count):
        frames = [bytes([0x02 | number]) + commands[0], bytes([0x02 | (number ^ 1)]) + commands[1]]
        began = time.perf_counter()
        stack.receive(frames[0], float(index))
        stack.answer(index + 1, Answer(200, content), float(index))
        stack.receive(frames[1], float(index))
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=200_000)
    blocks = parser.parse_args().blocks
    report("READ BINARY 251, a block", turn(selected(), [read(0, 251)], blocks))
    chunks = [update(0, bytes(2))] + [update(2 + 248 * index, bytes(248)) for index in range(40)]
    report("UPDATE BINARY 248 of a 10 kB write, a block", turn(selected(), chunks, blocks))
    report("a whole small exchange without application (2 blocks)", exchanges(blocks // 10))


if __name__ == "__main__":
    main()
