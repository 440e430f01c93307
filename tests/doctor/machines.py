"""Machines made of files, as Linux has them below / ."""

from pathlib import Path


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def plug_usb(root: Path, number: int, vendor: str, product: str, *, mode: int = 0o660, held_by: str = "") -> Path:
    """A device on USB, with an interface that a driver of the kernel may hold."""
    folder = f"sys/bus/usb/devices/1-{number}"
    for name, text in (("idVendor", vendor), ("idProduct", product), ("busnum", "1"), ("devnum", str(number))):
        put(root, f"{folder}/{name}", f"{text}\n")
    put(root, f"{folder}/manufacturer", "SONY\n")
    interface = root / f"sys/bus/usb/devices/1-{number}:1.0"
    interface.mkdir(parents=True)
    if held_by:
        driver = root / f"sys/bus/usb/drivers/{held_by}"
        driver.mkdir(parents=True, exist_ok=True)
        inner = root / folder / f"1-{number}:1.0"
        inner.mkdir()
        (inner / "driver").symlink_to(driver)
    node = put(root, f"dev/bus/usb/001/{number:03}")
    node.chmod(mode)
    return node


def plug_serial(root: Path, name: str, driver: str, latency: str = "") -> Path:
    """A serial adapter."""
    folder = root / f"sys/bus/usb-serial/drivers/{driver}"
    folder.mkdir(parents=True, exist_ok=True)
    device = root / f"sys/class/tty/{name}/device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(folder)
    if latency:
        put(root, f"sys/bus/usb-serial/devices/{name}/latency_timer", f"{latency}\n")
    return put(root, f"dev/{name}")
