"""Traces: what crosses a link, recorded by a tap around one of its ends, read back, and understood layer by layer."""

from nfcbridge.trace.entries import Dir, Entry, Header, TraceFile, write_trace
from nfcbridge.trace.origin import TraceClock, TraceOrigin
from nfcbridge.trace.recorder import Recorder
from nfcbridge.trace.tap import Listener, TappedCard, TappedReader

__all__ = [
    "Dir",
    "Entry",
    "Header",
    "Listener",
    "Recorder",
    "TappedCard",
    "TappedReader",
    "TraceClock",
    "TraceFile",
    "TraceOrigin",
    "write_trace",
]
