"""`nfcbridge shell`: requests typed one by one, in one login session, for whoever stands before a charger.

At a terminal there is a history, and Tab completes methods, paths and keys; from a pipe each line is one request, and
stdout has the contents of the answers, one a line.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.door import Door, at_a_door, check_login, open_session, unreached
from nfcbridge.cli.errors import ExitCode, print_error, print_notice
from nfcbridge.cli.request import FIRST_ERROR, check_json, check_method, check_path, phrase_of

if TYPE_CHECKING:
    import httpx2
    from prompt_toolkit.completion import Completer

    from nfcbridge.client.session import Session

METHODS: Final = ("GET", "POST", "PUT", "DELETE")
WORDS: Final = {
    "help": "what can be typed",
    "paths": "the operations of the interface",
    "login": "log in again",
    "logout": "end the session; the next request that needs one gets 401",
    "quit": "leave; so does Ctrl-D",
}
"""What can be typed beside requests, and what it does."""

SECRET: Final = "password"  # noqa: S105 - what a line has in it that no history keeps

HISTORY: Final = "shell_history"
"""The file of the history, in the directory of the user's state."""


class Line(NamedTuple):
    """A line that was typed, if it is a request."""

    method: str
    path: str
    content: bytes | None


@click.command(short_help=COMMANDS["shell"].sentence)
@at_a_door
def command(door: Door) -> int:
    """Log in and send what is typed: METHOD PATH JSON, of which METHOD and JSON may be left out.

    The session is kept alive while nothing is typed, and opened again when it ended. A tag that was taken away is found
    again with the next request. From a pipe the exit code is 1 if an answer had a status of 400 or more.

    \b
    /system_state
    POST /users {"userName": "Jenny"}
    GET /settings?params=SysTime_mon
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    with open_session(door) as session:
        if sys.stdin.isatty():
            keys: set[str] = set()
            Talk(session, door, prompted(door, keys), keys).run()
            return ExitCode.DONE
        talk = Talk(session, door, piped())
        talk.run()
    return ExitCode.REFUSED if talk.refused else ExitCode.DONE


class Talk:
    """Lines in, answers out.

    Args:
        session: logged in.
        door: where it leads.
        lines: what is typed.
        keys: of settings; those that answers tell are added.

    Attributes:
        refused: an answer had a status of 400 or more, or a line was no request.
    """

    def __init__(self, session: "Session", door: Door, lines: Iterable[str], keys: set[str] | None = None) -> None:
        from nfcbridge.cli.terminal import open_console

        self.refused = False
        self._session = session
        self._door = door
        self._lines = lines
        self._keys = keys
        self._console = open_console()

    def run(self) -> None:
        """Take each line, until there are no more or one says quit."""
        for line in self._lines:
            word = line.strip()
            if word in {"quit", "exit"}:
                return
            if word and not word.startswith("#"):
                self.take(word)

    def take(self, line: str) -> None:
        """Do what a line says; what is wrong with it, or with the link, is told, and nothing ends."""
        import httpx2

        from nfcbridge.errors import NfcBridgeError

        words = {"help": self.help, "paths": self.paths, "login": self.login, "logout": self._session.logout}
        try:
            if line in words:
                words[line]()
            else:
                self.send(parse_line(line))
        except click.ClickException as error:
            self._complain(f"{error.format_message()}; `help` says what can be typed")
        except (NfcBridgeError, httpx2.InvalidURL) as error:
            self._complain(str(error))
        except httpx2.HTTPError as error:
            self._complain(unreached(self._door, error))

    def _complain(self, words: str) -> None:
        self.refused = True
        print_error(words)

    def send(self, line: Line) -> None:
        """Send a request and print its answer."""
        begun = time.perf_counter()
        response = self._session.request(line.method, line.path, line.content)
        seconds = time.perf_counter() - begun
        self.refused |= response.status_code >= FIRST_ERROR
        if self._keys is not None and line.path.startswith("/settings"):
            self._keys |= keys_of(parsed(response.content))
        if self._console.is_terminal:
            self._print_pretty(response, seconds)
            return
        if response.status_code >= FIRST_ERROR:
            status = f"{response.status_code} {phrase_of(response.status_code)}"
            print_error(f"{line.method} {line.path}: {status}")
        if response.content:
            click.echo(response.content)

    def _print_pretty(self, response: "httpx2.Response", seconds: float) -> None:
        from rich.highlighter import JSONHighlighter
        from rich.text import Text

        good = response.status_code < FIRST_ERROR
        status = f"{response.status_code} {phrase_of(response.status_code)}"
        told = f"  {len(response.content)} octets  {seconds * 1000:.0f} ms"
        self._console.print(Text.assemble((status, "green" if good else "red"), (told, "dim")))
        if response.content:
            self._console.print(JSONHighlighter()(Text(pretty(response.content))), soft_wrap=True)

    def login(self) -> None:
        """Log in again."""
        check_login(self._session.login(), self._door.user)

    def help(self) -> None:
        """Say what can be typed."""
        self._console.print("METHOD PATH JSON, of which METHOD (GET) and JSON may be left out, such as")
        self._console.print('  /system_state\n  POST /users {"userName": "Jenny"}')
        for word, meaning in WORDS.items():
            self._console.print(f"  {word:8}{meaning}")

    def paths(self) -> None:
        """List the operations of the interface."""
        from nfcbridge.cli.terminal import open_table, print_table

        table = open_table()
        for heading in ("METHOD", "PATH", "WHAT IT DOES"):
            table.add_column(heading, overflow="fold")
        for method, path, summary in operations():
            table.add_row(method, path, summary)
        print_table(self._console, table)


def parse_line(line: str) -> Line:
    """Read a line as a request.

    Raises:
        click.UsageError: it is none.
    """
    first, _, rest = line.partition(" ")
    if first.startswith("/"):
        method, path, json = "GET", first, rest
    else:
        method = check_method(first)
        path, _, json = rest.strip().partition(" ")
    check_path(path)
    return Line(method, path, check_json(json.strip() or None))


def operations() -> Iterator[tuple[str, str, str]]:
    """Return method, path and meaning of every operation of the interface."""
    from nfcbridge.charger.routes import ROUTES

    for operation in ROUTES:
        yield operation.method, operation.path, operation.summary


def parsed(content: bytes) -> object:
    """Return a JSON document, None for anything else: over HTTP a charger has pages too."""
    import msgspec

    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        return None


def pretty(content: bytes) -> str:
    r"""Return an answer for people: JSON in lines; what a terminal would obey is written as \u001b, as JSON may."""
    import msgspec

    text = content.decode(errors="backslashreplace")
    with suppress(ValueError, RecursionError):
        text = msgspec.json.format(text)
    return "\n".join(
        "".join(sign if sign.isprintable() else json_escape(sign) for sign in line) for line in text.split("\n")
    )


def json_escape(sign: str) -> str:
    r"""Return a sign as \u001b, of two parts past U+FFFF."""
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def keys_of(settings: object) -> set[str]:
    """Return the keys in an answer about settings."""
    result = settings.get("result") if isinstance(settings, dict) else None
    return set(result) if isinstance(result, dict) else set()


def piped() -> Iterator[str]:
    """Return the lines on stdin.

    Raises:
        click.UsageError: they are not UTF-8.
    """
    try:
        for line in sys.stdin:
            yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise click.UsageError("the lines on stdin are not UTF-8") from error


def prompted(door: Door, keys: Iterable[str]) -> Iterator[str]:
    """Return the lines that are typed at the terminal, with history and completion, until Ctrl-D."""
    from prompt_toolkit import PromptSession

    prompt: PromptSession[str] = PromptSession(
        history=kept_history(), completer=completer(keys), complete_while_typing=False
    )
    print_notice("help says what can be typed, Tab completes, Ctrl-D leaves")
    while True:
        try:
            yield prompt.prompt(f"{door.user}@{door.url or door.link}> ")
        except KeyboardInterrupt:
            continue  # what was typed is dropped, as shells do
        except EOFError:
            return


def kept_history() -> Any:  # noqa: ANN401 - see `history`
    """Return the history; one of this shell alone where nothing can be kept, which is no reason to serve nobody."""
    from prompt_toolkit.history import InMemoryHistory

    try:
        return history(history_file())
    except OSError as error:
        print_notice(f"no history is kept: {error.filename}: {error.strerror}")
        return InMemoryHistory()


def history_file() -> Path:
    """Return where the history is kept; its directory is made if it is not there."""
    from platformdirs import user_state_path

    folder = user_state_path("nfcbridge", appauthor=False)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / HISTORY


def history(path: Path) -> Any:  # noqa: ANN401 - the class is made here, since its base is imported here
    """Return a history in a file for its owner alone, which keeps no line with a password."""
    from prompt_toolkit.history import FileHistory

    class PrivateHistory(FileHistory):
        def store_string(self, string: str) -> None:
            if SECRET not in string:
                with suppress(OSError):  # a full disk
                    super().store_string(string)

    path.touch(mode=0o600)
    return PrivateHistory(str(path))


def completions(text: str, keys: Iterable[str] = ()) -> list[str]:
    """Return what the last word of a line that is being typed may become.

    Args:
        text: the line up to the cursor.
        keys: of the charger's settings, as far as they are known.
    """
    first, space, rest = text.lstrip().partition(" ")
    word = rest.lstrip() if space else first
    if " " in word:
        return []  # JSON
    if "?params=" in word:
        before, comma, begun = word.rpartition(",") if "," in word else word.rpartition("=")
        return [f"{before}{comma}{key}" for key in sorted(keys) if key.startswith(begun)]
    method = first.upper() if space else "GET"
    paths = {path.partition("{")[0] for each, path, _ in operations() if each == method}
    starts = sorted(paths) if space else [*WORDS, *METHODS, *sorted(paths)]
    return [start for start in starts if start.startswith(word) or (not space and start.startswith(word.upper()))]


def completer(keys: Iterable[str]) -> "Completer":
    """Return the same for prompt_toolkit."""
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document

    class LineCompleter(Completer):
        def get_completions(self, document: Document, _event: object) -> Iterator[Completion]:
            text = document.text_before_cursor
            begun = len(text.rpartition(" ")[2])
            for completion in completions(text, keys):
                yield Completion(completion, -begun)

    return LineCompleter()
