"""Texts as requests and answers, and the rule that only one request is outstanding. Sans I/O."""

from nfcbridge.framing.exchange import (
    Delivered,
    Discarded,
    Effect,
    Exchange,
    ExchangeConfig,
    Execute,
    Expired,
    GiveUp,
    Pipelined,
    Publish,
    RefuseWrites,
    RollBack,
)
from nfcbridge.framing.message import Answer, Request, format_answer, format_request, parse_answer, parse_request
from nfcbridge.framing.transitions import State

__all__ = [
    "Answer",
    "Delivered",
    "Discarded",
    "Effect",
    "Exchange",
    "ExchangeConfig",
    "Execute",
    "Expired",
    "GiveUp",
    "Pipelined",
    "Publish",
    "RefuseWrites",
    "Request",
    "RollBack",
    "State",
    "format_answer",
    "format_request",
    "parse_answer",
    "parse_request",
]
