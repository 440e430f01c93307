"""The data directory: where it is when nobody says so, and what to do when its disk refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nfcbridge.errors import ConfigError


def default_data() -> Path:
    """Return the directory of the user's data for nfcbridge."""
    from platformdirs import user_data_path

    return user_data_path("nfcbridge", appauthor=False)


@contextmanager
def writing() -> Iterator[None]:
    """Translate what a disk refuses: the store says what, and this what to do.

    Raises:
        ConfigError: something could not be kept.
    """
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"{exc}; make room there, or choose another directory with --data") from exc
