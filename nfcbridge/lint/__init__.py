"""What a trace shows to be wrong, and how to mend it: rules with identifiers, and the linter that holds traces to them.

rule.py       what a rule and a finding are
rules/        the rules, by layer, and the table of all of them
linter.py     entries in, findings out
known.py      the trackers that tell the rules what they cannot see in one frame:
  air.py        which frame answers which, block numbers, times
  tag.py        what is selected, the CC, writes and reads of the NDEF file (write.py: one write)
  talk.py       requests, answers, messageIDs
  calls.py      logins, sessions and paths of the charge controller's interface
facts.py      what they tell
"""

from nfcbridge.lint.linter import Linter
from nfcbridge.lint.rule import Finding, Place, Rule, Severity
from nfcbridge.lint.rules import RULES

__all__ = ["RULES", "Finding", "Linter", "Place", "Rule", "Severity"]
