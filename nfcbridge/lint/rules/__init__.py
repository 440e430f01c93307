"""The rules, in files by layer, and the table of all of them."""

from typing import Final

from nfcbridge.lint.rule import Rule
from nfcbridge.lint.rules import apdus, blocks, files, messages, sessions, times

RULES: Final[dict[str, Rule]] = {
    each.id: each
    for group in (blocks, apdus, files, messages, sessions, times)
    for each in vars(group).values()
    if isinstance(each, Rule)
}
"""All of them by their identifiers, in the order of these."""
