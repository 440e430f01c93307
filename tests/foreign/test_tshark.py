"""Wireshark's command line judges what is exported: each fixture, as frames and as GSMTAP."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import Peers
from tests.foreign.served import COMMAND, PROJECT

pytestmark = pytest.mark.foreign

FIXTURES: Final = sorted((PROJECT / "fixtures").glob("re*/*.jsonl"))
"""What was recorded and what was retyped."""

SHOW_APDUS: Final = ("-d", "iso14443.subdissector,iso7816")

DESELECT: Final = "c2e0b4"
"""S(DESELECT) with its CRC, which Wireshark 4.0 calls malformed."""

NAMES: Final = {"a4": "Select file", "b0": "Read binary", "d6": "Update binary", "ca": "Get data"}
"""What Wireshark calls instructions, by the octet in the trace."""

Dissect = Callable[[Path, str], list[dict[str, Any]]]


@pytest.fixture
def dissect(peers: Peers, tmp_path: Path) -> Dissect:
    """Returns a function that exports a trace and gives the layers of each packet as tshark sees them."""
    tshark = peers.program("tshark", package="tshark")

    def run(trace: Path, name: str) -> list[dict[str, Any]]:
        out = tmp_path / "out.pcapng"
        subprocess.run([COMMAND, "trace", "export", str(trace), str(out), "--format", name], check=True, timeout=60)
        shown = subprocess.run(
            [tshark, "-r", str(out), *SHOW_APDUS, "-o", "ip.check_checksum:TRUE", "-T", "json", "-x"],
            capture_output=True,
            check=True,
            timeout=60,
        )
        return [packet["_source"]["layers"] for packet in json.loads(shown.stdout, object_pairs_hook=keep_all)]

    return run


def keep_all(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON in which tshark may repeat a key: the first value counts."""
    kept: dict[str, Any] = {}
    for key, value in pairs:
        kept.setdefault(key, value)
    return kept


def find(layers: Any, name: str) -> list[Any]:
    """All values of a field, at any depth."""
    found = []
    if isinstance(layers, dict):
        for key, value in layers.items():
            found += [value] if key == name else []
            found += find(value, name)
    elif isinstance(layers, list):
        for each in layers:
            found += find(each, name)
    return found


def raw(layers: dict[str, Any]) -> str:
    """The octets of a packet in hex."""
    octets: str = layers["frame_raw"][0]
    return octets


def entries(trace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trace.read_text().splitlines()[1:]]


def level(trace: Path) -> str:
    found: str = json.loads(trace.read_text().splitlines()[0])["level"]
    return found


@pytest.mark.parametrize("trace", FIXTURES, ids=lambda path: path.stem)
def test_tshark_finds_frames_with_good_crcs_and_nothing_malformed(trace: Path, dissect: Dissect) -> None:
    packets = dissect(trace, "pcapng")
    lines = entries(trace)
    assert len(packets) == len(lines)
    # Without RATS tshark does not know whether the CRC is that of type A or B, and checks none: 2, unverified.
    status = "1" if any(line.get("hex", "").startswith("e0") for line in lines) else "2"
    for packet, line in zip(packets, lines, strict=True):
        if line["dir"] == "field":
            assert raw(packet) == ("00fc0000" if line["on"] else "00fd0000")
        else:
            assert line["hex"] in raw(packet)
            assert find(packet, "iso14443.event") == ["0xfe" if line["dir"] == "reader" else "0xff"]
            assert find(packet, "iso14443.crc.status") == [status]
        if not raw(packet).endswith(DESELECT):
            assert not [key for key in packet if "malformed" in key]
            assert not find(packet, "_ws.malformed")


@pytest.mark.parametrize("trace", FIXTURES, ids=lambda path: path.stem)
def test_tshark_names_the_commands(trace: Path, dissect: Dissect) -> None:
    named = [int(ins, 16) for packet in dissect(trace, "pcapng") for ins in find(packet, "iso7816.apdu.ins")]
    assert named == instructions(trace)
    assert set(named) <= {0xA4, 0xB0, 0xD6, 0xCA}


def instructions(trace: Path) -> list[int]:
    """INS of each command: of the first block of a chain, which R(ACK) or R(NAK) of the card follow."""
    found = []
    continued = False
    for line in entries(trace):
        octets = bytes.fromhex(line.get("hex", ""))
        if line["dir"] != "reader":
            continue
        if level(trace) == "apdus":
            found.append(octets[1])
        elif octets[0] & 0xEE == 0x02 and len(octets) > 1:
            found += [] if continued else [octets[2]]
            continued = bool(octets[0] & 0x10)
    return found


def test_tshark_shows_words_for_select_read_and_update(peers: Peers, tmp_path: Path) -> None:
    tshark = peers.program("tshark", package="tshark")
    out = tmp_path / "out.pcapng"
    trace = PROJECT / "fixtures/recorded/nfcpy-session.jsonl"
    subprocess.run([COMMAND, "trace", "export", str(trace), str(out)], check=True, timeout=60)
    command = [tshark, "-r", str(out), *SHOW_APDUS, "-T", "fields", "-e", "_ws.col.Info"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = shown.splitlines()
    assert lines[:3] == ["Field on", "RATS", "ATS"]
    assert {"Select file", "Read binary, offset 0", "Update binary", "R-block"} <= {
        line if "R-block" not in line else "R-block" for line in lines
    }


def test_tshark_reassembles_chains_both_ways(dissect: Dissect) -> None:
    packets = dissect(PROJECT / "fixtures/recorded/nfcpy-chained.jsonl", "pcapng")
    whole = [find(packet, "iso14443.apdu_reassembled.length") for packet in packets]
    lengths = [int(length) for (length, *_) in filter(None, whole)]
    # A command of 255 octets of data, and a response of as many with its status word.
    assert {260, 257} <= set(lengths)
    assert not [error for packet in packets for error in find(packet, "iso14443.apdu_fragment.error")]


@pytest.mark.parametrize("trace", FIXTURES, ids=lambda path: path.stem)
def test_tshark_shows_gsmtap_without_being_told_how(trace: Path, dissect: Dissect) -> None:
    packets = dissect(trace, "gsmtap")
    assert [int(ins, 16) for packet in packets for ins in find(packet, "gsm_sim.apdu.ins")] == instructions(trace)
    for packet in packets:
        assert find(packet, "ip.checksum.status") == ["1"]
        assert find(packet, "udp.dstport") == ["4729"]
        assert find(packet, "frame.protocols") == ["raw:ip:udp:gsmtap:gsm_sim"]
        assert not find(packet, "_ws.malformed")
        (status,) = find(packet, "gsm_sim.apdu.sw")
        assert raw(packet).endswith(f"{int(status, 16):04x}")


def test_tshark_knows_when_it_was_and_who_wrote_it(peers: Peers, tmp_path: Path) -> None:
    tshark = peers.program("tshark", package="tshark")
    trace = PROJECT / "fixtures/recorded/nfcpy-detect.jsonl"
    out = tmp_path / "out.pcapng"
    subprocess.run([COMMAND, "trace", "export", str(trace), str(out)], check=True, timeout=60)
    shown = subprocess.run(
        [tshark, "-r", str(out), "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    wall = json.loads(trace.read_text().splitlines()[0])["clock"]["wall"]
    times = [float(line.split("\t")[0]) for line in shown]
    assert times == pytest.approx([wall + line["t"] for line in entries(trace)], abs=0.000002)
    assert shown[0].split("\t")[1].startswith("udp:")


SOME: Final = [path for path in FIXTURES if path.stem in {"nfcpy-chained", "nfcpy-reactivated", "pyscard-power-off"}]
"""Chains, two activations, and a trace of APDUs; three programs run for each test."""

BLOCKS: Final = [path for path in SOME if level(path) == "blocks"]


@pytest.mark.parametrize("trace", SOME, ids=lambda path: path.stem)
@pytest.mark.parametrize("ending", [".pcapng", ".gsmtap"])
def test_what_tshark_has_rewritten_is_imported_as_the_same(
    trace: Path, ending: str, peers: Peers, tmp_path: Path
) -> None:
    tshark = peers.program("tshark", package="tshark")
    ours, theirs, back = (tmp_path / name for name in (f"ours{ending}", "theirs.pcapng", "back.jsonl"))
    subprocess.run([COMMAND, "trace", "export", str(trace), str(ours)], check=True, timeout=60)
    subprocess.run([tshark, "-r", str(ours), "-w", str(theirs)], check=True, timeout=60, capture_output=True)
    subprocess.run([COMMAND, "trace", "import", str(theirs), str(back)], check=True, timeout=60, capture_output=True)
    if ending == ".pcapng" or level(trace) == "apdus":
        # The field behind the last command has no packet of GSMTAP that tells it.
        expected = entries(trace)
        while ending == ".gsmtap" and expected[-1]["dir"] == "field":
            expected.pop()
        assert entries(back) == expected
        assert json.loads(back.read_text().splitlines()[0]) == json.loads(trace.read_text().splitlines()[0]) | {
            "app": json.loads(trace.read_text().splitlines()[0]).get("app", {})
        }
    else:
        assert [bytes.fromhex(line["hex"])[1] for line in entries(back) if line["dir"] == "reader"] == instructions(
            trace
        )


@pytest.mark.parametrize("trace", BLOCKS, ids=lambda path: path.stem)
def test_a_capture_that_has_lost_our_notes_is_imported_by_its_octets(trace: Path, peers: Peers, tmp_path: Path) -> None:
    editcap = peers.program("editcap", package="wireshark-common")
    ours, theirs, back = (tmp_path / name for name in ("ours.pcapng", "theirs.pcap", "back.jsonl"))
    subprocess.run([COMMAND, "trace", "export", str(trace), str(ours)], check=True, timeout=60)
    subprocess.run([editcap, "-F", "pcap", str(ours), str(theirs)], check=True, timeout=60)
    subprocess.run([COMMAND, "trace", "import", str(theirs), str(back)], check=True, timeout=60, capture_output=True)
    assert [line["hex"] for line in entries(back) if "hex" in line] == [
        line["hex"] for line in entries(trace) if "hex" in line
    ]
