"""Short forms for tests that speak in octets."""

from collections.abc import Iterable

from nfcbridge.isodep import CardEvent, CardLink, CommandReceived, ReaderEvent, SendFrame

h = bytes.fromhex
READ = h("00B000000F")
OK = h("9000")


def sent(events: Iterable[CardEvent] | Iterable[ReaderEvent]) -> str:
    """The frames among events, in hex; one blank between frames."""
    return " ".join(event.frame.hex().upper() for event in events if isinstance(event, SendFrame))


def told(events: Iterable[CardEvent] | Iterable[ReaderEvent]) -> list[CardEvent | ReaderEvent]:
    """What is no frame among events."""
    return [event for event in events if not isinstance(event, SendFrame)]


def ask(card: CardLink, *frames: str, now: float = 0.0) -> str:
    """Gives frames to a card; what it sent, in hex."""
    return " ".join(filter(None, (sent(card.receive_frame(h(frame), now)) for frame in frames)))


def run_command(card: CardLink, *frames: str, response: str = "9000", now: float = 0.0) -> tuple[str, str]:
    """Gives the frames of one command to a card and answers it; the command and the frame of the response, in hex."""
    commands = []
    for frame in frames:
        events = card.receive_frame(h(frame), now)
        commands += [event.apdu for event in events if isinstance(event, CommandReceived)]
    (apdu,) = commands
    return apdu.hex().upper(), sent(card.respond(h(response), now))


def memory(card: CardLink) -> dict[str, object]:
    """All that a card remembers, to see that it has not changed.

    Whether the next answer has a CID is left out: the frame that is answered decides it, every time.
    """
    return {name: getattr(card, name) for name in CardLink.__slots__ if name != "_header"}


def is_open(card: CardLink) -> bool:
    """Whether a command waits for its response; a function, since mypy takes a property for a constant."""
    return card.awaiting_response
