"""`nfcbridge demo`: emulator and phone in one process, over blocks, with everything that crosses the air shown.

The emulator is the one of `serve`, with its threads and its event loop. The phone is a script of `nfcbridge.phones`.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.errors import LinkTimeoutError

if TYPE_CHECKING:
    from nfcbridge.cli.demo_report import DemoReport
    from nfcbridge.phones import Conversation, Script
    from nfcbridge.server.events import EmulatorEvent

LINK: Final = "memory:demo"
USER: Final = "operator"
PASSWORD: Final = "demo"  # noqa: S105 - of a charger that ends with this process

FAREWELL: Final = 5.0
"""Seconds within which the server says that the phone left; it has it in its queue when the script ends."""


class Act(NamedTuple):
    """One phone with one app.

    Attributes:
        title: what is shown.
        play: makes the script of a conversation.
        remark: what there was to see.
    """

    title: str
    play: "Callable[[Conversation], Script[None]]"
    remark: str


@click.command(short_help=COMMANDS["demo"].sentence)
@click.option(
    "--as",
    "reader",
    type=click.Choice(["ours", "android", "nfcpy-order"]),
    default="ours",
    show_default=True,
    help="Whose order of commands the phone follows: our own, that of Android's NFC stack with three styles of app, or "
    "that of nfcpy.",
)
def command(reader: str) -> None:
    """Show a login, a request and a logout over NFC, octet by octet, with the time each takes on the air.

    Emulator and phone run in this process and speak ISO 14443-4 blocks; no hardware is needed. The air time is
    computed, for 106 kbit/s and the shortest delays allowed; the last line sums it up.
    """
    from nfcbridge.cli.charger import open_charger
    from nfcbridge.cli.demo_report import DemoReport
    from nfcbridge.cli.terminal import open_console
    from nfcbridge.server.emulator import Emulator

    events: SimpleQueue[EmulatorEvent] = SimpleQueue()
    report = DemoReport(open_console())
    with (
        open_charger(None, {USER: PASSWORD}) as charger,
        Emulator(charger.app, [LINK], base_path=charger.base_path, on_event=events.put),
    ):
        for act in acts_of(reader):
            report.begin(act.title)
            play(act, report)
            report.end(events_until_the_phone_left(events), act.remark)
    report.sum_up()


def play(act: Act, report: "DemoReport") -> None:
    """Play one act, from the phone's arrival to its leaving."""
    from nfcbridge import links
    from nfcbridge.phones import ScriptedPhone

    end = links.open_reader(LINK)
    try:
        ScriptedPhone(end, watch=report.show).play(act.play(login_state_logout(USER, PASSWORD)))
    finally:
        end.close()


def events_until_the_phone_left(events: "SimpleQueue[EmulatorEvent]") -> "list[EmulatorEvent]":
    """Return what the server told about this phone; it tells it from another thread, and the leaving last."""
    from nfcbridge.server.events import PhoneLeft

    told: list[EmulatorEvent] = []
    try:
        while not (told and isinstance(told[-1], PhoneLeft)):
            told.append(events.get(timeout=FAREWELL))
    except Empty as exc:
        raise LinkTimeoutError("the emulator did not notice that the phone left; run it again with less load") from exc
    return told


def acts_of(reader: str) -> list[Act]:
    """Return the acts that the reader needs: Android's order is shown with three styles of app."""
    from nfcbridge import phones

    if reader == "ours":
        return [Act("our own reader", phones.ours, "the fewest commands that the card allows")]
    if reader == "nfcpy-order":
        return [Act("nfcpy's order", phones.nfcpy, "one activation, and the file is selected before each READ")]

    def style(style: phones.AndroidStyle) -> "Callable[[Conversation], Script[None]]":
        return lambda conversation: phones.android(conversation, style)

    remarks = {
        phones.AndroidStyle.CLOSE_AND_CONNECT: "each exchange costs two re-activations and detections, and works",
        phones.AndroidStyle.READ_AT_ONCE: "Android gave its app null: it reads as many octets as it wrote",
        phones.AndroidStyle.ISO_DEP: "the app is a reader of its own, and works; the null before has left no trace",
    }
    return [Act(f"Android, {each.value}", style(each), remarks[each]) for each in phones.AndroidStyle]


def login_state_logout(user: str, password: str) -> "Conversation":
    """The conversation of a charging app: a token, the login, the state, the logout.

    Raises:
        ResponseError: what came back is no answer, or refuses.
    """
    import hashlib

    import msgspec

    from nfcbridge.errors import ResponseError
    from nfcbridge.framing import Answer, Request, format_request, parse_answer

    def answer_to(text: str | None) -> Answer:
        answer = parse_answer(text or "")
        if answer.status != 200:  # noqa: PLR2004 - every success is 200
            raise ResponseError(f"the charger answered {answer.status}")
        return answer

    token = msgspec.json.decode(answer_to((yield format_request(Request("/login", "GET", None, b"1")))).content)
    digest = hashlib.sha256((password + token["token"]).encode()).hexdigest()
    credentials = msgspec.json.encode({"username": user, "password": digest})
    login = answer_to((yield format_request(Request("/login", "POST", None, b"2", credentials))))
    session = msgspec.json.decode(login.content)["session"]["session_id"]
    answer_to((yield format_request(Request("/system_state", "GET", session, b"3"))))
    answer_to((yield format_request(Request("/logout", "POST", session, b"4"))))
