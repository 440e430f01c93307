"""`nfcbridge serve` with a reader device, a board on a pty: what the terminal shows of cards and phones."""

import json
from pathlib import Path

from nfcbridge.client.phone import Phone
from nfcbridge.links import CardIdentity
from tests.cli.test_serving import Server, serving
from tests.links.nfc.air import AirCard, AirReader
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.test_card import ATS

CARD = CardIdentity(uid=bytes.fromhex("ABCDEF12"), ats=ATS)


def words_of(server: Server) -> str:
    return server.line().partition("  ")[2]


def test_a_card_and_a_phone_are_shown_and_the_uid_is_not(board: FakePn532, tmp_path: Path) -> None:
    with serving("--memory", "--http", "none", "--link", board.name, data=tmp_path) as server:
        assert server.line() == f"ready nfc={board.name} http=none"
        card = AirCard(board.chip, CARD)
        assert words_of(server) == "card read, UID of 4 octets: rejected"
        card.present = False
        phone = Phone(AirReader(board.chip))
        assert phone.exchange("GET", "/login?user=operator").status == 200
        phone.close()
        rest = server.lines_to("phone left")
        server.stop()
    assert "abcdef12" not in "".join([*rest, *server.out, server.err]).lower()


def test_rfid_only_reads_cards_from_the_start(board: FakePn532, tmp_path: Path) -> None:
    options = ["--memory", "--http", "none", "--rfid-only", "--json", "--link", board.name]
    with serving(*options, data=tmp_path) as server:
        server.line()
        AirCard(board.chip, CARD)
        event = json.loads(server.line())
    assert (event["event"], event["octets"], event["outcome"]) == ("card_read", 4, "rejected")
    assert 0x4A in board.chip.seen()
