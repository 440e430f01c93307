"""What every test may use.

`CI` in the environment decides about foreign peers (programs and libraries that are not ours): there a missing one
fails the test, because nobody would read that it was skipped; elsewhere the test is skipped and says what to install.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

# A deadline an example would fail on a busy machine; CI also draws the same examples every time.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def missing_peer(reason: str) -> NoReturn:
    """Ends the test: a failure in CI, a skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Peers:
    """Finds foreign peers, or ends the test as `missing_peer` does."""

    def program(self, name: str, *, package: str) -> str:
        """Returns the path of a program; `package` is Debian's name of what ships it."""
        # Debian keeps pcscd and ip where the path of a plain user does not look.
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        return found or missing_peer(f"{name} is not installed: apt-get install --no-install-recommends {package}")

    def module(self, name: str, *, extra: str) -> None:
        """Checks that a module can be imported; `extra` is the extra of nfcbridge that installs it."""
        if importlib.util.find_spec(name) is None:
            missing_peer(f"Python module {name} is not installed: pip install 'nfcbridge[{extra}]'")

    def missing(self, reason: str) -> NoReturn:
        """Ends the test: what it needs is not here, for another reason."""
        missing_peer(reason)


@pytest.fixture(scope="session", autouse=True)
def pcscd_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this process looks for pcscd: a link to nowhere, so that no test meets the machine's own readers.

    A test with a pcscd of its own makes it lead there. pcsc-lite reads the variable once, with the first call.
    """
    path = tmp_path_factory.mktemp("pcscd") / "pcscd.comm"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PCSCLITE_CSOCK_NAME", str(path))
        yield path


@pytest.fixture(scope="session")
def peers() -> Peers:
    return Peers()
