"""Every log in `fixtures/import` is of the format that it is, and becomes the trace beside it."""

from pathlib import Path
from typing import Final

import pytest

from nfcbridge.formats.importing import Source, read_import
from nfcbridge.trace import Entry, TraceFile
from nfcbridge.trace.entries import format_entry
from tests.formats.imports import FIXTURES, FOLDER, read_octets, show

FORMATS: Final = {
    "apdu4j-readme.log": "apdu4j",
    "fido2.log": "ykman",
    "globalplatformpro.log": "apdu4j",
    "gsmtap.pcapng": "pcap",
    "iso14443-ns.pcap": "pcap",
    "iso14443.pcap": "pcap",
    "iso14443.pcapng.gz": "pcap",
    "libnfc-debug.log": "libnfc",
    "libnfc-tag4.txt": "libnfc-tag",
    "nfcgate.pcapng": "pcap",
    "nfcpy-apdus.log": "nfcpy",
    "nfcpy-frames.log": "nfcpy",
    "nfcsnoop-bugreport.txt": "nfcsnoop",
    "no-crc.pcap": "pcap",
    "opensc-debug.log": "opensc",
    "opensc-tool.log": "opensc-tool",
    "pcsc-spy-shown.log": "pcsc-spy-shown",
    "pcsc-spy.log": "pcsc-spy",
    "pcscd-colour.log": "pcscd",
    "pcscd.log": "pcscd",
    "proxmark3-list.txt": "proxmark3-list",
    "proxmark3-wiki.txt": "proxmark3-list",
    "proxmark3.trace": "proxmark3",
    "pyscard-observer.log": "pyscard",
    "scriptor.log": "pyscard",
    "ykman.log": "ykman",
}

SELECT: Final = ">00a4040007d276000085010100"
CC: Final = "<000f2000fb00f80406e1047fff00009000"

LIBNFC_CC: Final = "<000f20005400ff0406e104fffe00009000"

BEGIN: Final = {
    "apdu4j-readme.log": ["on", ">00a4040000", "<6f108408a000000003000000a5049f6501ff9000", ">80ca9f7f00", "<6a88"],
    "fido2.log": [SELECT, "<9000", ">00a4000c02e104", "<9000", ">00b0000005", "<0003d000009000"],
    "globalplatformpro.log": [
        "on",
        ">00a4040010a000000476504958454c424f4f540100",
        "<9000",
        ">80030200080102030405060708",
        "<6985",
    ],
    "gsmtap.pcapng": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b0000002", "<000f9000"],
    "iso14443.pcap": ["on", ">e080", "<0b7880800280546e666362", ">02" + SELECT[1:], "<029000"],
    # The card is libnfc's own: its CC says 2.0, MLe 0054, MLc 00FF, a file of FFFE octets.
    "libnfc-debug.log": ["off", "on", SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", LIBNFC_CC],
    "libnfc-tag4.txt": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", LIBNFC_CC],
    "nfcgate.pcapng": [SELECT, "<9000", ">00a4000c02e103", "<9000"],
    "nfcpy-apdus.log": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b0000002", "<000f9000"],
    "nfcpy-frames.log": ["on", ">e080", "<0b7880800280546e666362", ">02" + SELECT[1:], "<029000"],
    "nfcsnoop-bugreport.txt": ["on", SELECT, "<9000", ">00a4000c02e103", "<9000"],
    "no-crc.pcap": [">0300a4000c02e103", "<039000", ">0200b0000002", "<02000f9000"],
    "opensc-debug.log": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC],
    "opensc-tool.log": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC],
    "pcsc-spy-shown.log": [">00a4040007627601ff000000", "<6a82"],
    "pcscd.log": ["on", "off", "on", SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC],
    "proxmark3.trace": ["on", ">e080", "<0b7880800280546e666362", ">02" + SELECT[1:], "<029000"],
    "proxmark3-wiki.txt": ["on", ">e080"],
    "pyscard-observer.log": ["on", SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC],
    "scriptor.log": [SELECT, "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC],
    "ykman.log": [SELECT[:-2], "<9000", ">00a4000c02e103", "<9000", ">00b000000f", CC, ">00a4000c02e1ff", "<6a82"],
}

LEFT_OUT: Final = {
    "iso14443.pcap": (1, 15),
    "iso14443-ns.pcap": (1, 15),
    "iso14443.pcapng.gz": (1, 15),
    "nfcgate.pcapng": (0, 1),
    "nfcsnoop-bugreport.txt": (1, 0),
    "opensc-debug.log": (1, 0),
    "pcsc-spy.log": (1, 0),
    "proxmark3-list.txt": (1, 6),
    "proxmark3-wiki.txt": (1, 6),
    "proxmark3.trace": (2, 6),
}
"""Problems, and what was foreign; elsewhere there is neither."""


def test_every_file_is_in_the_table_and_in_the_readme() -> None:
    assert sorted(FORMATS) == [path.name for path in FIXTURES]
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in FORMATS if name not in readme] == []


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_log_becomes_the_trace_beside_it(path: Path) -> None:
    with path.open("rb") as file:
        chosen, reading = read_import(Source(file))
        entries = [item for item in reading.items if isinstance(item, Entry)]
    assert chosen.name == FORMATS[path.name]
    with TraceFile(f"{path}.jsonl") as trace:
        assert reading.header == trace.header
        assert [format_entry(entry) for entry in entries] == [format_entry(entry) for entry in trace]


@pytest.mark.parametrize("name", BEGIN)
def test_the_octets_are_those_of_the_log(name: str) -> None:
    begin = BEGIN[name]
    entries, _ = read_octets((FOLDER / name).read_bytes())
    assert show(entries)[: len(begin)] == begin


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_what_is_left_out_is_told(path: Path) -> None:
    _, problems = read_octets(path.read_bytes())
    foreign = sum(problem.foreign for problem in problems)
    assert (len(problems) - foreign, foreign) == LEFT_OUT.get(path.name, (0, 0))


def test_different_tools_saw_the_same_exchange() -> None:
    told = show(read_octets((FOLDER / "nfcpy-apdus.log").read_bytes())[0])
    for name in ("gsmtap.pcapng", "nfcgate.pcapng"):
        assert show(read_octets((FOLDER / name).read_bytes())[0]) == told
    plain = show(read_octets((FOLDER / "opensc-debug.log").read_bytes())[0])
    assert plain == show(read_octets((FOLDER / "opensc-tool.log").read_bytes())[0])


def test_times_are_those_of_the_log() -> None:
    spied, _ = read_octets((FOLDER / "pcsc-spy.log").read_bytes())
    command = next(place for place, entry in enumerate(spied) if entry.octets)
    # 207809 and 208393 microseconds are in the log.
    assert round(spied[command + 1].t - spied[command].t, 6) == 0.000584
    ykman, _ = read_octets((FOLDER / "ykman.log").read_bytes())
    assert [round(entry.t, 3) for entry in ykman[:3]] == [0.0, 0.001, 0.001]
    proxmark, _ = read_octets((FOLDER / "proxmark3.trace").read_bytes())
    assert [entry.t for entry in proxmark] == sorted(entry.t for entry in proxmark)
    assert 0.03 < proxmark[-1].t < 0.06  # the u32 begins anew in between
