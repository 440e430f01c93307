"""What is found on machines of many kinds, and what is to be done about it."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from nfcbridge.doctor import Area, Finding, Verdict
from nfcbridge.doctor import checks as examined
from nfcbridge.doctor.checks import (
    check_kernel,
    check_libraries,
    check_pcsc,
    check_program,
    check_serial,
    check_usb,
    check_vpcd,
    examine,
    libusb_fault,
    pcsc_readers,
)
from nfcbridge.doctor.machine import Machine
from nfcbridge.errors import LinkError
from nfcbridge.links import LINKS
from tests.doctor.machines import plug_serial, plug_usb, put


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes that may be opened: root, as whom tests may run, may open everything."""
    nodes: list[str] = []
    monkeypatch.setattr("os.access", lambda path, _mode: str(path) in nodes)
    return nodes


def test_a_machine_without_files_of_linux_has_nothing_and_nothing_is_wrong(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    found = [*check_kernel(machine), *check_usb(machine), *check_serial(machine), *check_pcsc(machine)]
    assert [(finding.area, finding.verdict) for finding in found] == [
        (Area.KERNEL, Verdict.OK),
        (Area.USB, Verdict.MISSING),
        (Area.SERIAL, Verdict.MISSING),
        (Area.PCSC, Verdict.MISSING),
    ]


def test_modules_of_the_kernel_that_take_readers_are_told_with_how_to_be_rid_of_them(tmp_path: Path) -> None:
    put(
        tmp_path,
        "proc/modules",
        "pn533_usb 20480 0 - Live 0x0\npn533 49152 1 pn533_usb, Live 0x0\next4 1 0 - Live 0x0\n",
    )
    (finding,) = check_kernel(Machine(tmp_path))
    assert finding.verdict is Verdict.WRONG
    assert finding.what == "pn533_usb"
    assert finding.remedy.startswith("sudo modprobe -r pn533_usb; ")


def test_a_reader_that_can_be_used_is_a_tag_and_a_reader(tmp_path: Path, allowed: list[str]) -> None:
    allowed.append(str(plug_usb(tmp_path, 7, "054c", "06c3")))
    plug_usb(tmp_path, 8, "046d", "c077")  # a mouse
    (finding,) = check_usb(Machine(tmp_path))
    assert finding.verdict is Verdict.OK
    assert finding.what == "NFC Port-100 (RC-S380) (nfc:usb:054c:06c3)"
    assert finding.words.startswith("as tag and as reader")


def test_a_reader_that_may_not_be_opened_gets_its_line_of_udev(tmp_path: Path, allowed: list[str]) -> None:
    plug_usb(tmp_path, 7, "04e6", "5591")
    assert not allowed
    (finding,) = check_usb(Machine(tmp_path))
    assert finding.verdict is Verdict.WRONG
    assert finding.words.endswith("dev/bus/usb/001/007")
    assert 'ATTR{idVendor}=="04e6"' in finding.remedy


def test_a_reader_that_the_kernel_holds_is_told(tmp_path: Path, allowed: list[str]) -> None:
    allowed.append(str(plug_usb(tmp_path, 7, "04e6", "5591", held_by="pn533_usb")))
    (finding,) = check_usb(Machine(tmp_path))
    assert (finding.verdict, finding.remedy) == (Verdict.WRONG, "sudo modprobe -r pn533_usb")


@pytest.mark.parametrize("ids", [("072f", "2200"), ("054c", "02e1")])
def test_readers_that_cannot_be_a_tag_are_told_to_be_readers_only(
    tmp_path: Path, allowed: list[str], ids: tuple[str, str]
) -> None:
    allowed.append(str(plug_usb(tmp_path, 7, *ids)))
    (finding,) = check_usb(Machine(tmp_path))
    assert finding.verdict is Verdict.NOTE
    assert finding.words.startswith("as a reader only: nfcpy cannot make a tag of it")


def test_serial_ports_are_told_with_the_link_to_try(tmp_path: Path, allowed: list[str]) -> None:
    for name, driver, latency in (("ttyUSB0", "ftdi_sio", "1"), ("ttyUSB1", "cp210x", ""), ("ttyACM0", "other", "")):
        allowed.append(str(plug_serial(tmp_path, name, driver, latency)))
    found = list(check_serial(Machine(tmp_path)))
    assert {finding.verdict for finding in found} == {Verdict.OK}
    assert [finding.words for finding in found] == [
        "other; a PN532 there is nfc:tty:ACM0:pn532",
        "ftdi_sio; a PN532 there is nfc:tty:USB0:pn532",
        "cp210x; a PN532 there is nfc:tty:USB1:pn532",
    ]


@pytest.mark.parametrize(("latency", "verdict"), [("2", Verdict.OK), ("3", Verdict.WRONG), ("16", Verdict.WRONG)])
def test_the_latency_of_an_ftdi_adapter_is_held_against_what_a_phone_bears(
    tmp_path: Path, allowed: list[str], latency: str, verdict: Verdict
) -> None:
    allowed.append(str(plug_serial(tmp_path, "ttyUSB0", "ftdi_sio", latency)))
    (finding,) = check_serial(Machine(tmp_path))
    assert finding.verdict is verdict
    assert ("latency_timer" in finding.remedy) == (verdict is Verdict.WRONG)


def test_a_serial_port_that_may_not_be_opened_names_the_group(
    tmp_path: Path, allowed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_serial(tmp_path, "ttyUSB0", "ftdi_sio", "1")
    assert not allowed

    def nobody(_group: int) -> None:
        raise KeyError

    monkeypatch.setattr("grp.getgrgid", nobody)
    (finding,) = check_serial(Machine(tmp_path))
    assert finding.verdict is Verdict.WRONG
    assert finding.remedy == "sudo usermod -aG dialout $USER, then log in again"


@pytest.mark.parametrize(
    ("readers", "verdicts"),
    [
        ([], [Verdict.OK, Verdict.MISSING]),
        (["Virtual PCD 00 00"], [Verdict.OK, Verdict.OK]),
        (["ACS ACR122U 00 00"], [Verdict.OK, Verdict.OK, Verdict.NOTE]),
    ],
)
def test_the_readers_of_pcscd_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: list[str], verdicts: list[Verdict]
) -> None:
    put(tmp_path, "run/pcscd/pcscd.comm")
    monkeypatch.setattr("smartcard.System.readers", lambda: readers)
    assert [finding.verdict for finding in check_pcsc(Machine(tmp_path))] == verdicts


def test_a_pcscd_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("Failed to establish context")

    put(tmp_path, "run/pcscd/pcscd.comm")
    monkeypatch.setattr("smartcard.System.readers", fail)
    assert [finding.verdict for finding in check_pcsc(Machine(tmp_path))] == [Verdict.OK, Verdict.WRONG]
    monkeypatch.setitem(sys.modules, "smartcard.System", None)
    assert pcsc_readers() == ([], "")


def test_a_pcscd_that_is_installed_is_told_to_be_started_alone(tmp_path: Path) -> None:
    assert [finding.remedy.split(",")[0] for finding in check_pcsc(Machine(tmp_path))] == ["sudo apt-get install pcscd"]
    put(tmp_path, "usr/sbin/pcscd")
    (finding,) = check_pcsc(Machine(tmp_path))
    assert finding.words.startswith("installed, and does not run")
    assert finding.remedy == "sudo systemctl start pcscd.socket"


def test_the_driver_of_the_virtual_reader_is_looked_for(tmp_path: Path) -> None:
    assert [finding.verdict for finding in check_vpcd(Machine(tmp_path))] == [Verdict.MISSING]
    put(tmp_path, "etc/reader.conf.d/vpcd")
    assert [finding.verdict for finding in check_vpcd(Machine(tmp_path))] == [Verdict.OK]


def test_every_link_is_listed_and_what_it_lacks(tmp_path: Path) -> None:
    found = {finding.what: finding for finding in check_program(Machine(tmp_path))}
    assert found.keys() == {"Python", "nfcbridge", *LINKS}
    assert found["memory"].verdict is Verdict.OK


def test_an_old_python_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examined, "OLDEST_PYTHON", (99, 0))
    python = next(check_program(Machine(tmp_path)))
    assert (python.verdict, python.remedy) == (Verdict.WRONG, "install Python 99.0 or later")


def test_libraries_that_are_not_installed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in {"pyscard", "nfcpy"}:
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr(examined, "libusb_fault", lambda: "no such library")
    found = {finding.what: finding for finding in check_libraries(Machine(tmp_path))}
    verdicts = {what: finding.verdict for what, finding in found.items() if finding.verdict is not Verdict.OK}
    assert verdicts == {"nfcpy": Verdict.WRONG, "pyscard": Verdict.MISSING, "libusb": Verdict.MISSING}
    assert "nfcbridge[pcsc]" in found["pyscard"].remedy


def test_a_libusb_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    import usb1

    def broken() -> None:
        raise usb1.USBErrorOther

    assert libusb_fault() == ""
    monkeypatch.setattr(usb1, "USBContext", broken)
    assert libusb_fault().startswith("USBErrorOther")
    monkeypatch.setitem(sys.modules, "usb1", None)
    assert "usb1" in libusb_fault()


def test_a_check_that_fails_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_nothing(_machine: Machine) -> list[Finding]:
        raise LinkError("it burns")

    monkeypatch.setattr(examined, "CHECKS", (check_nothing, check_kernel))
    assert [finding.words for finding in examine(Machine(tmp_path))] == ["it burns", "not loaded"]
