"""MODULE:APP, an ASGI application of somebody else: how `serve` and `trace replay` find it."""

import sys
import traceback
from importlib import import_module
from pathlib import Path

from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError


def import_app(name: str) -> App:
    """Import MODULE:APP, with the current directory among the places where it is looked for.

    Raises:
        ConfigError: there is no such module, or it fails when it is imported, or there is no such name in it, or it
            cannot be called.
    """
    module_name, _, path = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: object = import_module(module_name)
    except ImportError as exc:
        raise ConfigError(
            f"--app {name}: {exc}; start in the directory that has {module_name}, or install what is missing"
        ) from exc
    except (Exception, SystemExit) as exc:  # it is not our code: whatever it raises is a fault of what was named
        words = exc.msg if isinstance(exc, SyntaxError) else " ".join(str(exc).split())
        raise ConfigError(
            f"--app {name}: {module_name} cannot be imported: {type(exc).__name__}: {words}{place_in_module(exc)}"
        ) from exc
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"--app {name}: {module_name} has no ASGI application {path}; give MODULE:APP")
    return found


def place_in_module(error: BaseException) -> str:
    """Return where the import of a module failed, for people: ` at FILE:LINE`, or "" where nobody knows."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
