"""Files that are there when they are whole: until then they have another name beside."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

OWNER_ALONE: Final = 0o600


@contextmanager
def open_whole(path: Path | str, *, mode: int = OWNER_ALONE, lasting: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place when the block ends without an exception.

    What is no ordinary file, such as a pipe or /dev/null, cannot be replaced and is written as it comes. A symbolic
    link stays one.

    Args:
        path: where the file will be.
        mode: who may do what with it.
        lasting: the octets are on the disk before the file takes its place.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    import tempfile

    path = Path(path)
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # people have not named the other one
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if lasting:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
