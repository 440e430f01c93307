"""A charger is backed up and restored through pcscd, while the card is taken out again and again."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.server.emulator import Emulator
from tests.conftest import Peers
from tests.foreign.room import READER, VPCD, Room, open_room

pytestmark = pytest.mark.foreign

REMOVALS = 20

AWAY = (0.0, 0.2, 0.6)
"""Seconds for which the card is out, one after the other: pcscd looks every 0.4 s, and overlooks what is shorter."""


class Hand:
    """Takes the card out of the reader at frames that chance chooses. It implements `Oversight`.

    Attributes:
        left: how often it still does.
    """

    losses = 0

    def __init__(self, seed: int) -> None:
        self.left = 0
        self._random = random.Random(seed)
        self._frames = 30
        self._back_at = 0.0

    @property
    def present(self) -> bool:
        return time.monotonic() >= self._back_at

    def cut_now(self) -> bool:
        self._frames -= 1
        if self.left == 0 or self._frames > 0:
            return False
        self.left -= 1
        self._frames = self._random.randrange(10, 30)
        self._back_at = time.monotonic() + AWAY[self.left % len(AWAY)]
        return True

    def command_received(self) -> None:
        """Of no interest."""

    looks_for_cards = False

    def card_read(self, uid: bytes, tell: Callable[[str], None]) -> None:
        """Of no interest."""

    def stop(self) -> None:
        """Of no interest."""


@pytest.fixture(autouse=True)
def in_room(peers: Peers, pcscd_socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    peers.module("smartcard", extra="pcsc")
    with open_room(peers) as room, room.furnishing(pcscd_socket, monkeypatch):
        yield room


def charger(hand: Hand) -> Emulator:
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "operator"})))
    return Emulator(app, [f"vpcd:{VPCD}"], base_path=BASE_PATH, oversight=hand)


def fill(file: Path) -> None:
    kept = json.loads(file.read_text())
    kept["users"] = [{"userId": f"u{number}", "userName": f"Jenny {number % 20}"} for number in range(30)]
    kept["whitelist"] = [
        {
            "id": f"{number:08x}",
            "tagType": "NFC",
            "name": f"c {number}",
            "userid": f"u{number % 35}",
            "priority": "HIGH",
        }
        for number in range(150)
    ]
    kept["pairs"] = {f"key {number}": "v" * number for number in range(100)}
    kept["settings"]["LocalWhitelist_rfid"] = False
    file.write_text(json.dumps(kept))


def named(file: Path) -> dict[str, object]:
    """What is kept, with the names of users in the place of their ids, which a charger gives anew."""
    kept = json.loads(file.read_text())
    names = {user["userId"]: user["userName"] for user in kept["users"]}
    users = sorted(names.values())
    tags = sorted(
        str(sorted({**tag, "userid": names.get(tag["userid"], tag["userid"])}.items())) for tag in kept["whitelist"]
    )
    return {"users": users, "whitelist": tags, "pairs": kept["pairs"], "settings": kept["settings"]}


def test_a_full_charger_is_copied_while_the_card_is_taken_out_twenty_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", "operator")
    link = ["--link", f"pcsc:{READER}"]
    full, copy, again = (tmp_path / name for name in ("full.json", "copy.json", "again.json"))
    hand = Hand(1)
    with charger(hand):
        assert main(["backup", str(full), *link]) == ExitCode.DONE
        fill(full)
        assert main(["restore", str(full), *link]) == ExitCode.DONE
        hand.left = REMOVALS // 4
        assert main(["backup", str(copy), *link]) == ExitCode.DONE
        backup_removals = REMOVALS // 4 - hand.left
    hand = Hand(2)
    with charger(hand):
        hand.left = REMOVALS - backup_removals
        assert main(["restore", str(copy), *link]) == ExitCode.DONE
        assert hand.left == 0
        assert main(["backup", str(again), *link]) == ExitCode.DONE
    assert named(full) == named(copy) == named(again)
