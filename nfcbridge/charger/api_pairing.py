"""Pairing mode of the card reader."""

from nfcbridge.charger.answers import Done
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import Failed, failed
from nfcbridge.charger.whitelist import WhitelistEntry


async def post_pairing(controller: Controller, _call: Call[None, None]) -> Done | Failed:
    """Pairing mode is on for 60 s, or until a tag is read; the last tag is forgotten."""
    return Done() if controller.charger.pair() else failed("controller not idle")


async def get_pairing(controller: Controller, _call: Call[None, None]) -> WhitelistEntry | Failed:
    """The tag that was read, with what the whitelist knows of it now."""
    tag = controller.charger.paired()
    if tag is None:
        return failed("no tag read")
    entry = controller.store.whitelist.rows.get(tag.id) or WhitelistEntry(id=tag.id, tag_type=tag.tag_type)
    return entry if controller.shows_uid else entry.without_uid()
