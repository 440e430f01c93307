"""What happens to a request, told while it happens, in the manner of httpcore: `extensions={"trace": hook}`.

    def hook(name: str, info: dict[str, object]) -> None: ...        # async def, or def, for `httpx2.AsyncClient`

nfc.turn.started       timeout          it waits until no other request has the link; .complete, .failed: exception
nfc.connect.started    timeout          it waits for a tag; .complete: return_value, the `TagInfo`; .failed: exception
nfc.exchange.started   method, path     it is written; .complete: return_value, the status; .failed: exception,
                                        maybe_executed
nfc.commit             activation       all of it is about to be at the card: from here on it may be executed
nfc.torn               exception, maybe_executed       the tag has slipped away, and is looked for
nfc.found              activation       the tag is there again
nfc.repeat             maybe_executed   it is written once more

A hook is called in the middle of an exchange, which waits for it. One that raises is told of in the log and not called
again for this request: it must not be what tears an exchange. Nor is one called for a request that was withdrawn.
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2

Tell = Callable[[str, dict[str, object]], None]

_log: Final = logging.getLogger(__name__)


def tell_nobody(_name: str, _info: dict[str, object]) -> None:
    """The hook of a request that has none."""


class Tracing:
    """Tells the hook of one request.

    Args:
        request: with its hook, if it has one.
        withdrawn: whether nobody waits for the request any more, of one of `AsyncClient`; None of one of `Client`.

    Raises:
        TypeError: a hook to await, and nobody to do so.
    """

    def __init__(self, request: httpx2.Request, withdrawn: Callable[[], bool] | None) -> None:
        self._hook: Callable[[str, dict[str, object]], Any] | None = request.extensions.get("trace")
        self._withdrawn = withdrawn
        if withdrawn is None and inspect.iscoroutinefunction(self._hook):
            raise TypeError("the trace hook of a request of httpx2.Client must be a plain function, without async")

    def tell(self, name: str, info: dict[str, object]) -> None:
        """Call the hook; from the thread of the exchange."""
        hook = self._hook
        if hook is None:
            return
        try:
            if self._withdrawn is None:
                hook(name, info)
            elif not self._withdrawn():
                import anyio.from_thread

                anyio.from_thread.run(_call, hook, name, info)
        except Exception:  # noqa: BLE001 - of the code of others, and no reason to tear the exchange
            self._hook = None
            _log.exception("the trace hook failed at %s, and is not called again", name)

    @contextmanager
    def span(self, name: str, **started: object) -> Iterator[dict[str, object]]:
        """Tell that something starts, and how it ends; what the block puts into the mapping is told at the end."""
        self.tell(f"{name}.started", started)
        ended: dict[str, object] = {}
        try:
            yield ended
        except BaseException as error:
            told = {"maybe_executed": error.maybe_executed} if hasattr(error, "maybe_executed") else {}
            self.tell(f"{name}.failed", {"exception": error, **told})
            raise
        self.tell(f"{name}.complete", ended)


async def _call(hook: Callable[[str, dict[str, object]], Any], name: str, info: dict[str, object]) -> None:
    called = hook(name, info)
    if inspect.isawaitable(called):
        await called
