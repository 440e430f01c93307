"""A peer that is missing fails in CI and skips elsewhere."""

import pytest

from tests.conftest import Peers


def test_a_missing_program_fails_the_test_in_ci(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install --no-install-recommends no-such-package"):
        peers.program("no-such-program", package="no-such-package")


def test_a_missing_program_skips_the_test_elsewhere(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        peers.program("no-such-program", package="no-such-package")


def test_a_missing_module_fails_the_test_in_ci(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"nfcbridge\[pcsc\]"):
        peers.module("no_such_module", extra="pcsc")


def test_a_peer_that_is_here_ends_no_test(peers: Peers) -> None:
    assert peers.program("sh", package="dash").endswith("/sh")
    peers.module("nfc", extra="test")
