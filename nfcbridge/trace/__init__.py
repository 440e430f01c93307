"""Traces: what crosses a link, recorded by a tap around one of its ends."""

from nfcbridge.trace.recorder import Recorder
from nfcbridge.trace.tap import TappedCard, TappedReader

__all__ = ["Recorder", "TappedCard", "TappedReader"]
