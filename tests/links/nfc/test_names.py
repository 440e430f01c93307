"""What can stand behind `nfc:`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError
from nfcbridge.links.nfc.names import ReaderName, parse_name

PATHS = (
    "usb",
    "usb:054c",
    "usb:054C:06c3",
    "usb:001",
    "usb:1:23",
    "tty",
    "tty:USB0",
    "tty:USB0:pn532",
    "tty:USB0:arygon",
    "tty:usbserial-1410:pn532",
    "com",
    "com:COM3:pn532",
    "udp",
    "udp:localhost",
    "udp:127.0.0.1:54321",
)


@pytest.mark.parametrize("path", PATHS)
def test_the_paths_of_nfcpy_are_taken_as_they_are(path: str) -> None:
    assert parse_name(path) == ReaderName(path)
    assert str(parse_name(path)) == f"nfc:{path}"


@pytest.mark.parametrize(
    ("path", "device_file", "driver"),
    [
        ("tty:/dev/pts/3:pn532", "/dev/pts/3", "pn532"),
        ("tty:/dev/pts/3", "/dev/pts/3", ""),
        ("tty:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0:arygon", "", "arygon"),
        ("tty:/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10-if00-port0", "", ""),
    ],
)
def test_a_device_file_may_be_named_by_its_path(path: str, device_file: str, driver: str) -> None:
    name = parse_name(path)
    assert name.path == path
    assert name.driver == driver
    assert name.device_file == (device_file or path.removeprefix("tty:").removesuffix(f":{driver}"))


def test_a_pn532_may_be_asked_to_do_the_blocks_itself() -> None:
    name = parse_name("tty:USB0:pn532?picc")
    assert name == ReaderName("tty:USB0:pn532", picc=True)
    assert str(name) == "nfc:tty:USB0:pn532?picc"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("usb?picc", "only a PN532 on a serial port"),
        ("udp?picc", "only a PN532 on a serial port"),
        ("tty?fast", "the only option"),
        ("tty?", "the only option"),
    ],
)
def test_options_that_cannot_be_are_refused(path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_name(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "USB",
        "usb:",
        "usb:054",
        "usb:054c:",
        "usb:054c:6c3",
        "usb:0001:001",
        "tty:",
        "tty:USB0:rm",
        "tty:USB0:",
        "tty:$(id)",
        "tty:/dev/a b",
        "tty:/dev/a;id:pn532",
        "tty:/dev/ttyUSB0:",
        "tty:/",
        "udp:host:port",
    ],
)
def test_what_names_no_reader_is_refused_with_what_can_be_written(path: str) -> None:
    if path in {"usb:054", "usb:0001:001"}:  # a bus; nothing
        path += ":x"
    with pytest.raises(ConfigError, match="nfc:usb, nfc:usb:054c:06c3"):
        parse_name(path)


@given(st.text(alphabet="ustby:/0123acdefmpnUSB;$ ()?`\n.-") | st.text())
def test_no_name_gets_a_word_for_the_shell_through(text: str) -> None:
    try:
        name = parse_name(text)
    except ConfigError:
        return
    assert re.fullmatch(r"[A-Za-z0-9/._:+-]+", name.path)
