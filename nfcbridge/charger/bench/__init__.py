"""The charger on a test bench: what drives the charge point from outside, and shows what it does.

    bench.py       a controller with all of the following around it
      feed.py        events, to whoever listens
      tag.py         the reader's mode and NFC traffic, between charge point and links
      disturbed.py   the interface, with the faults that were asked for
      control.py     `/_sim` over HTTP (access.py: who may)

Nothing of it belongs to the product, and nothing of it is reached over NFC.
"""

from nfcbridge.charger.bench.access import Access, read_token
from nfcbridge.charger.bench.bench import Bench
from nfcbridge.charger.bench.control import CONTROL_PATH

__all__ = ["CONTROL_PATH", "Access", "Bench", "read_token"]
