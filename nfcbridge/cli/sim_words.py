"""What `nfcbridge sim` prints: events and state in words, two columns a line.

    LED        blue blinking: charging
    buzzer     2 beeps

Events come as JSON from a server that may be newer than this program: one that is not known is shown as it came. What
came over the interface, such as a user's name, is shown with its control characters escaped.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from nfcbridge.cli.errors import escape_controls

WIDTH: Final = 12
"""Columns of the first column."""

Line = tuple[str, str]


def format_line(line: Line) -> str:
    """Return the two columns as one line."""
    return escape_controls(f"{line[0]:<{WIDTH - 1}} {line[1]}".rstrip())


def describe(event: dict[str, Any]) -> Line:
    """Return an event in words."""
    name = event.get("event", "")
    try:
        return _WORDS[name](event)
    except (KeyError, TypeError, AttributeError):
        rest = {key: value for key, value in event.items() if key not in ("event", "t")}
        return (str(name), json.dumps(rest, ensure_ascii=False) if rest else "")


def describe_state(state: dict[str, Any]) -> Iterator[Line]:
    """Return all of a charge point in words."""
    charger = state["charger"]
    yield ("time", f"{state['time']}, {state['clock']:g} s since the start")
    yield _leds(charger["leds"], charger["hmi"])
    yield _states(charger)
    yield _contactor({"closed": charger["contactor"], "power": charger["power"]})
    yield ("meter", f"{charger['energy']:g} kWh")
    if running := charger["transaction"]:
        who = running.get("userName") or "nobody known"
        yield (
            "transaction",
            (
                f"{running['transactionId']} of {who} with tag {running.get('tagId')}, since {running['start']}: "
                f"{running['duration']} min, {running['consumption']:g} kWh"
            ),
        )
    yield _reader({"state": charger["reader"], "tagPresent": charger["tagPresent"]})
    if charger["pairing"]:
        yield ("pairing", "on")
    if paired := charger["paired"]:
        yield ("paired", f"{paired['tagType']} {paired['id']}")
    for message in charger["messages"]:
        yield _message(message)
    for fault in state["faults"]:
        yield ("fault", f"{_fault(fault)} is still to strike")


def _leds(leds: dict[str, Any], state: str) -> Line:
    return ("LED", f"{'+'.join(leds['colours'])} {leds['motion']}: {state.replace('_', ' ')}")


def _states(told: dict[str, Any]) -> Line:
    return (
        "state",
        ", ".join(told[f"{name}State"] for name in ("system", "connection", "auth", "ocpp", "type2")),
    )


def _contactor(told: dict[str, Any]) -> Line:
    return ("contactor", f"closed, {told['power']:.2f} kW" if told["closed"] else "open")


def _reader(told: dict[str, Any]) -> Line:
    return ("reader", f"{told['state']}: {'phones find a tag' if told['tagPresent'] else 'no tag for phones'}")


def _message(told: dict[str, Any]) -> Line:
    return (told["type"], f"{told['text']} ({told['id']})")


def _fault(told: dict[str, Any]) -> str:
    values = [f"{value:g}{'s' if key == 'seconds' else ''}" for key, value in told.items() if key != "fault"]
    return f"{told['fault']}{'=' if values else ''}{''.join(values)}"


def _beeps(count: int) -> str:
    return f"{count} beep{'' if count == 1 else 's'}"


_WORDS: Final[dict[str, Callable[[dict[str, Any]], Line]]] = {
    "hmi": lambda event: _leds(event["leds"], event["state"]),
    "buzzer": lambda event: ("buzzer", _beeps(event["beeps"])),
    "state": _states,
    "contactor": _contactor,
    "reader": _reader,
    "tag": lambda event: ("tag", f"{event['type']} {event['outcome']}"),
    "pairing": lambda event: ("pairing", "on" if event["enabled"] else "off"),
    "transaction-started": lambda event: ("transaction", f"{event['transactionId']} began"),
    "transaction-ended": lambda event: (
        "transaction",
        f"{event['transactionId']} ended: {event['duration']} min, {event['consumption']:g} kWh",
    ),
    "message-raised": lambda event: _message(event["message"]),
    "message-ended": lambda event: ("gone", event["id"]),
    "power-lost": lambda _event: ("power", "lost"),
    "started": lambda _event: ("power", "the controller has started"),
    "fault-ordered": lambda event: ("fault", f"{_fault(event['fault'])} will strike"),
    "fault-strikes": lambda event: ("fault", f"{_fault(event['fault'])} strikes"),
    "step-refused": lambda event: ("scenario", f"step {event['step']} could not happen: {event['reason']}"),
    "scenario-ended": lambda _event: ("scenario", "all steps are done"),
    "request": lambda event: (
        "request",
        f"{event['method']} {event['path']} of {event['client']}: {event['status'] or 'no answer'}",
    ),
    "lost": lambda event: ("lost", f"{event['count']} events that were not taken in time"),
    "phone_arrived": lambda event: ("phone", f"arrived at {event['link']}"),
    "request_received": lambda event: ("phone", f"wrote request {event['number']}"),
    "answer_sent": lambda event: ("phone", f"read answer {event['number']}: {event['status']}"),
    "card_read": lambda event: ("card", f"held to {event['link']}: {event['outcome']}"),
    "phone_left": lambda event: ("phone", f"left {event['link']}"),
}
