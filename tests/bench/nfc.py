"""Turn-around through nfcpy's PN532 driver and a pty, beside nfcpy's own loop without us; and the two times of a touch.

    python -m tests.bench.nfc [--blocks 5000] [--rounds 4] [--load]

The chip and the phone are the fakes of `tests.links.nfc`, in a process of their own; nfcpy's driver is the real one. A
turn-around begins when the chip has put a frame of the phone on the line and ends when the chip has the command with
the answer: all that a host adds to an exchange, without the time of the octets on a real line, which is told beside it.

    nfcpy         `listen` and `exchange` of its ContactlessFrontend, which answer what they are told to answer
    our link      our card end, doing the same
    our emulator  the whole of it: blocks, APDUs, file, a READ of 251 octets

The three take turns in one run, on the same fake, so their ratios mean something on any machine. `--load` adds a thread
that makes cyclic garbage in the emulator's process, as an application does, runs the emulator with Python's own times
of collection too, and tells how long the collector held everything up while the phone was there.
"""

import argparse
import gc
import multiprocessing
import statistics
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from nfcbridge.client.phone import Phone
from nfcbridge.dispatch import App
from nfcbridge.isodep import DEFAULT
from nfcbridge.links import CardIdentity, Frame
from nfcbridge.links.nfc.card import NfcCard
from nfcbridge.links.nfc.names import parse_name
from nfcbridge.server import events as told
from nfcbridge.server.collection import Collection
from nfcbridge.server.emulator import Emulator
from tests.bench.figures import duration, quantile, report
from tests.links.nfc.air import AirReader
from tests.links.nfc.fake_chip import Line
from tests.links.nfc.fake_pn532 import FakePn532
from tests.stack.octets import read

PATIENCE: Final = 10.0
TOUCHES: Final = 50
UID: Final = bytes.fromhex("08A1B2C3")
READ: Final = read(0, 251)
ANSWER: Final = bytes(254)
RATS, DESELECT = b"\xe0\x80", b"\xc2"
ATS: Final = DEFAULT.to_bytes()


def turn_arounds(lines: list[Line]) -> "array[float]":
    """From each frame of the phone to the command with its answer."""
    times = array("d")
    came = None
    for line in lines:
        code = line.octets[8 if line.octets[3:5] == b"\xff\xff" else 5 :][:2]
        if code in {b"\xd5\x89", b"\xd5\x8d"}:
            came = line.at
        elif code == b"\xd4\x90" and came is not None:
            times.append(line.at - came)
            came = None
    return times


def times_of_touch(lines: list[Line]) -> tuple[list[float], list[float], int, int]:
    """RATS to ATS and S(DESELECT) to listening, seconds of the host, and octets that cross the line meanwhile."""
    answers, listens = [], []
    answer_octets = listen_octets = 0
    rats = sent = None
    octets = 0
    for line in lines:
        code = line.octets[5:7]
        octets += len(line.octets)
        if code == b"\xd5\x8d":
            rats, octets = line, len(line.octets)
        elif code == b"\xd4\x90" and rats is not None:
            answers.append(line.at - rats.at)
            answer_octets, rats = octets, None
        elif code == b"\xd5\x91":
            sent, octets = line, len(line.octets)
        elif code == b"\xd4\x8c" and sent is not None:
            listens.append(line.at - sent.at)
            listen_octets, sent = octets, None
    return answers, listens, answer_octets, listen_octets


def run_phone(path: str, blocks: int, whole: bool, pipe: Connection) -> None:
    """The process of board and phone, which must not be what is measured: its own collector never runs."""
    gc.disable()
    with FakePn532(Path(path)) as board:
        pipe.send("plugged")
        pipe.recv()  # the host has opened it
        air = AirReader(board.chip)
        lines = board.chip.lines
        phone = Phone(air) if whole else None
        if phone is not None:
            phone.connect(PATIENCE)
        else:
            air.activate(PATIENCE)
            air.transceive(RATS, PATIENCE)
        lines.clear()
        number = 0
        for _ in range(blocks):
            if phone is not None:
                phone.transmit(READ)
            elif air.transceive(bytes([2 | number]) + READ, 1.0) is None:  # the host was held up by the machine
                air.field_off()
                air.activate(PATIENCE)
                air.transceive(RATS, PATIENCE)
            else:
                number ^= 1
        turns = turn_arounds(lines)
        air.field_off()
        lines.clear()
        for _ in range(TOUCHES):
            air.activate(PATIENCE)
            air.transceive(RATS, PATIENCE)
            air.transceive(b"\x02" + READ, PATIENCE)
            air.transceive(DESELECT, PATIENCE)
        air.activate(PATIENCE)
        touch = times_of_touch(lines)
        pipe.send((turns, touch))
        pipe.recv()  # the host has closed it


def series(host: Callable[[str, threading.Event], None], blocks: int, *, whole: bool) -> tuple[Any, Any]:
    """Run a host against board and phone."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "reader"))
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=run_phone, args=(path, blocks, whole, theirs))
        process.start()
        theirs.close()  # so that its end is noticed here
        ours.recv()
        stop = threading.Event()
        thread = threading.Thread(target=host, args=(f"tty:{path}:pn532", stop))
        thread.start()
        ours.send("opened")
        result: tuple[Any, Any] = ours.recv()
        stop.set()
        thread.join(PATIENCE)
        ours.send("closed")
        process.join(PATIENCE)
        return result


def host_nfcpy(name: str, stop: threading.Event) -> None:
    """nfcpy alone: ContactlessFrontend, `listen`, `exchange`."""
    import nfc
    import nfc.clf.pn532
    import nfc.clf.transport

    card = nfc.clf.LocalTarget(
        "106A",
        sens_res=bytearray(b"\x04\x00"),
        sdd_res=bytearray(UID),
        sel_res=bytearray(b"\x20"),
        rats_res=bytearray(ATS),
    )
    while not stop.is_set():
        clf = nfc.ContactlessFrontend()
        try:
            clf.device = nfc.clf.pn532.init(nfc.clf.transport.TTY(name.split(":")[1]))
            clf.device._path = name  # noqa: SLF001 - as its own search does
            while not stop.is_set():
                serve_nfcpy(clf, card, stop)
        except OSError as error:  # the machine held somebody up for longer than nfcpy waits
            print(f"nfcpy: {error!r}: opened again")
        clf.close()


def serve_nfcpy(clf: Any, card: Any, stop: threading.Event) -> None:
    """One activation of the tag that nfcpy is."""
    import nfc.clf

    target = clf.listen(card, timeout=0.5)
    command = bytes(target.tt4_cmd) if target is not None and target.tt4_cmd else None
    while command is not None and not stop.is_set():
        try:
            if command == DESELECT:
                clf.exchange(DESELECT, 0.001)
                return
            command = bytes(clf.exchange(ANSWER, 0.5) or b"") or None
        except nfc.clf.CommunicationError:
            return


def host_link(name: str, stop: threading.Event) -> None:
    """Our card end alone."""
    end = NfcCard(parse_name(name), CardIdentity(uid=UID, ats=ATS))
    while not stop.is_set():
        incoming = end.receive(0.1)
        if isinstance(incoming, Frame):
            octets = incoming.octets
            end.send(ATS if octets == RATS else DESELECT if octets == DESELECT else ANSWER)
            if octets == DESELECT:
                end.halt()
    end.close()


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that is never asked."""
    raise RuntimeError((scope, receive, send))


class Collector:
    """How long the collector held everything up while the emulator had a phone."""

    def __init__(self) -> None:
        self.pauses = array("d")
        self.present = False
        self._began = 0.0

    def note(self, event: told.EmulatorEvent) -> None:
        """Note whether a phone is there."""
        if isinstance(event, told.PhoneArrived | told.PhoneLeft):
            self.present = isinstance(event, told.PhoneArrived)
        elif isinstance(event, told.LinkFailed):
            print(event)

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        elif self.present:
            self.pauses.append(time.perf_counter() - self._began)


class PythonsOwn(Collection):
    """Leaves it to Python when garbage is collected."""

    def phone_came(self) -> None:
        pass

    def phone_left(self) -> None:
        pass


def make_garbage(stop: threading.Event) -> None:
    """Some 100,000 objects a second, of which 30,000 live for a while."""
    kept: list[Any] = []
    while not stop.is_set():
        for _ in range(20):
            knot: list[Any] = [{} for _ in range(5)]
            knot.append(knot)
            kept.append(knot)
        del kept[:-5000]
        time.sleep(0.001)


def host_emulator(collector: Collector, *, load: bool, ours: bool = True) -> Callable[[str, threading.Event], None]:
    """The whole of ours; with `load` beside a thread that makes garbage."""

    def run(name: str, stop: threading.Event) -> None:
        app: App = nothing
        emulator = Emulator(app, [f"nfc:{name}"], on_event=collector.note)
        if not ours:
            emulator._collection = PythonsOwn()  # noqa: SLF001 - to be compared with
        with emulator:
            gc.callbacks.append(collector)
            if load:
                threading.Thread(target=make_garbage, args=(stop,)).start()
            stop.wait()
            gc.callbacks.remove(collector)

    return run


def tell_touch(title: str, touch: Any) -> None:
    """Print the two times at the speeds of the line."""
    answers, listens, answer_octets, listen_octets = touch
    for what, times, octets in (("RATS to ATS", answers, answer_octets), ("listening again", listens, listen_octets)):
        if not times:
            continue
        middle = statistics.median(times)
        ordered = sorted(times)
        lines = ", ".join(f"{duration(middle + 10 * octets / baud)} at {baud}" for baud in (115_200, 921_600))
        print(
            f"{title}: {what}: host {duration(middle)} (p99 {duration(quantile(ordered, 0.99))}), "
            f"{octets} octets on the line: {lines} bit/s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--load", action="store_true")
    arguments = parser.parse_args()
    collectors = {"our emulator": Collector()}
    hosts: dict[str, tuple[Callable[[str, threading.Event], None], bool]] = {
        "nfcpy": (host_nfcpy, False),
        "our link": (host_link, False),
        "our emulator": (host_emulator(collectors["our emulator"], load=arguments.load), True),
    }
    if arguments.load:
        title = "our emulator, Python's own collector"
        collectors[title] = Collector()
        hosts[title] = host_emulator(collectors[title], load=True, ours=False), True
    turns: dict[str, list[float]] = {title: [] for title in hosts}
    touches: dict[str, tuple[list[float], list[float], int, int]] = {}
    for _ in range(arguments.rounds):
        for title, (host, whole) in hosts.items():
            more, (answers, listens, *octets) = series(host, arguments.blocks, whole=whole)
            turns[title] += more
            before = touches.get(title, ([], [], 0, 0))
            touches[title] = before[0] + answers, before[1] + listens, octets[0], octets[1]
    for title, times in turns.items():
        report(f"{title}: block in to block out", times)
        tell_touch(title, touches[title])
    reference = turns["nfcpy"]
    for title, times in turns.items():
        median = statistics.median(times) / statistics.median(reference)
        tail = quantile(sorted(times), 0.999) / quantile(sorted(reference), 0.999)
        print(f"{title} / nfcpy: median {median:.2f}, p99.9 {tail:.2f}")
    for title, collector in collectors.items():
        if collector.pauses:
            report(f"{title}: pauses of the collector while a phone is there", collector.pauses)
        else:
            print(f"{title}: the collector never ran while a phone was there")


if __name__ == "__main__":
    main()
