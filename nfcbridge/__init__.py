"""nfcbridge puts a REST API onto NFC: any ASGI application behind an emulated Type 4 Tag, any httpx2 client before it.

    import nfcbridge, httpx2

    with nfcbridge.serve(app, "memory:desk"):
        httpx2.Client(transport=nfcbridge.NfcTransport("memory:desk")).get("http://charger/hello")

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nfcbridge.client.session import AsyncSession, Session
    from nfcbridge.client.transport import NfcTransport
    from nfcbridge.errors import NfcBridgeError
    from nfcbridge.lint import Linter
    from nfcbridge.server.emulator import Emulator, serve
    from nfcbridge.server.live_lint import LiveLint
    from nfcbridge.server.settings import CardSettings
    from nfcbridge.trace import Recorder
    from nfcbridge.type4 import CardConfig, Type4Card

__version__ = "0.1.0"

__all__ = [
    "AsyncSession",
    "CardConfig",
    "CardSettings",
    "Emulator",
    "Linter",
    "LiveLint",
    "NfcBridgeError",
    "NfcTransport",
    "Recorder",
    "Session",
    "Type4Card",
    "serve",
]

_HOMES: Final = {
    "AsyncSession": "nfcbridge.client.session",
    "CardConfig": "nfcbridge.type4",
    "CardSettings": "nfcbridge.server.settings",
    "Emulator": "nfcbridge.server.emulator",
    "Linter": "nfcbridge.lint",
    "LiveLint": "nfcbridge.server.live_lint",
    "NfcBridgeError": "nfcbridge.errors",
    "NfcTransport": "nfcbridge.client.transport",
    "Recorder": "nfcbridge.trace",
    "Session": "nfcbridge.client.session",
    "Type4Card": "nfcbridge.type4",
    "serve": "nfcbridge.server.emulator",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - classes and functions
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
