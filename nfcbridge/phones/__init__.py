"""Scripted phones: the orders in which real readers speak to a Type 4 Tag, for the demo and for tests.

script.py     what a script is, and what the orders have in common
android.py    AOSP's NFC stack and its API, in three styles of app
nfcpy.py      nfcpy's `tag.ndef`
ours.py       our own reader procedures
phone.py      plays a script over the reader end of a link
"""

from nfcbridge.phones.android import AndroidStyle, android
from nfcbridge.phones.nfcpy import nfcpy
from nfcbridge.phones.ours import ours
from nfcbridge.phones.phone import Arrival, Played, ScriptedPhone
from nfcbridge.phones.script import (
    AnswerRead,
    Conversation,
    PresenceCheck,
    Reactivate,
    RequestBegun,
    Script,
    Step,
)

__all__ = [
    "AndroidStyle",
    "AnswerRead",
    "Arrival",
    "Conversation",
    "Played",
    "PresenceCheck",
    "Reactivate",
    "RequestBegun",
    "Script",
    "ScriptedPhone",
    "Step",
    "android",
    "nfcpy",
    "ours",
]
