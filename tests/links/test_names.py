"""Links are opened by name."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nfcbridge import links
from nfcbridge.errors import ConfigError, LinkError
from nfcbridge.links import LINKS, Level, open_card, open_reader
from tests.links.running import IDENTITY


@pytest.mark.parametrize("name", ["", "udb:127.0.0.1:1", "UDP:127.0.0.1:1", "127.0.0.1:1", "pcsd:0"])
def test_an_unknown_name_lists_what_exists(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_card(name, IDENTITY)
    for kind in LINKS.values():
        assert (kind.example in str(refused.value)) is (kind.card is not None)
    with pytest.raises(ConfigError, match="udp:127"):
        open_reader(name)


def test_an_end_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="memory:tag") as refused:
        open_reader("vpcd:127.0.0.1:35963")
    assert refused.value.args[0].count("vpcd") == 1  # what was asked for, and not in the list


@pytest.mark.parametrize("name", ["memory", "memory:"])
def test_a_link_in_memory_needs_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="needs a name"):
        open_card(name, IDENTITY)
    with pytest.raises(ConfigError, match="needs a name"):
        open_reader(name)


def test_a_name_in_memory_has_one_card_and_one_reader() -> None:
    card = open_card("memory:one", IDENTITY)
    reader = open_reader("memory:one")
    with pytest.raises(LinkError, match="has a card already"):
        open_card("memory:one", IDENTITY)
    with pytest.raises(LinkError, match="has a reader already"):
        open_reader("memory:one")
    card.close()
    reader.close()
    # Both ends are free again.
    open_reader("memory:one").close()
    open_card("memory:one", IDENTITY).close()


def test_what_is_left_out_of_an_udp_name_takes_the_default() -> None:
    reader = open_reader("udp")
    assert reader.name == "udp:127.0.0.1:54321"
    reader.close()


@pytest.mark.parametrize("prefix", LINKS)
def test_every_kind_of_link_is_described(prefix: str) -> None:
    kind = LINKS[prefix]
    assert kind.example.startswith(f"{prefix}:")
    assert kind.card is not None or kind.reader is not None
    assert kind.description
    assert kind.uid
    assert kind.level in {None, *Level}


def test_a_missing_pcscd_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def install(program: bool, driver: bool) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: name if program and name.startswith("/usr/sbin/") else None)
        monkeypatch.setattr(links, "VPCD_CONFIGURATION", tmp_path if driver else tmp_path / "vpcd")

    for program, driver in ((False, False), (False, True), (True, False)):
        install(program, driver)
        assert LINKS["vpcd"].missing().endswith("apt-get install --no-install-recommends pcscd vsmartcard-vpcd")
    install(program=True, driver=True)
    monkeypatch.setattr(links, "SOCKETS", ())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path))
    assert [LINKS[name].missing() for name in ("vpcd", "pcsc", "udp", "memory", "faulty")] == [""] * 5


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("   0: 00000000:8C7B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0", False),
        ("  12: 00000000000000000000000000000000:8C7B 00000000000000000000000000000000:0000 0A 00000000:0", False),
        ("   0: 0100007F:8C7B 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0", True),
        ("   0: 0100007F:8C7C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0", True),
    ],
)
def test_a_pcscd_that_does_not_run_is_told(
    line: str, *, missing: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "tcp"
    table.write_text(f"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n{line}\n")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(links, "VPCD_CONFIGURATION", tmp_path)
    monkeypatch.setattr(links, "SOCKETS", (table, tmp_path / "tcp6"))
    assert LINKS["vpcd"].missing().endswith(": start pcscd" if missing else "")
    assert bool(LINKS["vpcd"].missing()) is missing


def test_to_know_the_links_loads_none_of_them() -> None:
    script = (
        "import sys; from nfcbridge.links import LINKS; print({f'nfcbridge.links.{k}' for k in LINKS} & {*sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True).stdout
    assert told == "set()\n"
