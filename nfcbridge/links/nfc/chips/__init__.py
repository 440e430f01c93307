"""A chip as a card: what each family of drivers has to be told, on nfcpy's drivers and below its tag layer.

chip       what all of them are told, and what comes from them
pn53x      ISO 14443-3 in the chip                     picc    a PN532 that does ISO 14443-4 too
port100    each command sends and waits at once        plain   any driver of nfcpy, without a chip that is waited for
"""

from typing import Any

from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.chips.chip import CardChip, What
from nfcbridge.links.nfc.chips.picc import PiccCard
from nfcbridge.links.nfc.chips.plain import ListeningCard
from nfcbridge.links.nfc.chips.pn53x import Pn53xCard
from nfcbridge.links.nfc.chips.port100 import Port100Card
from nfcbridge.links.nfc.drivers import Driver, Family
from nfcbridge.links.nfc.transport import PatientTransport

__all__ = ["CardChip", "ListeningCard", "PiccCard", "Pn53xCard", "Port100Card", "What", "make_card_chip"]


def make_card_chip(
    device: Any,  # noqa: ANN401
    transport: PatientTransport | None,
    driver: Driver,
    identity: CardIdentity,
    *,
    picc: bool,
) -> CardChip:
    """Return what speaks to a chip that is to be a card.

    Should a later nfcpy have no `_init_as_target`, what all of its drivers have is used, with small frames.
    """
    if transport is not None:
        if driver.family is Family.PORT100:
            return Port100Card(device, transport, identity)
        if driver.family is Family.PN53X and hasattr(device, "_init_as_target"):
            return (PiccCard if picc else Pn53xCard)(device, transport, identity)
    return ListeningCard(device, identity)
