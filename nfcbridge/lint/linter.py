"""The linter: entries of a trace in, findings out. It does no I/O and reads no clock.

linter = Linter(trace.header)
for entry in trace:
    for finding in linter.receive(entry): ...
for finding in linter.close(): ...
"""

from collections.abc import Iterable

from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Finding, Rule, place_of
from nfcbridge.lint.rules import RULES
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Entry, Header
from nfcbridge.trace.seen import Seen


class Linter:
    """Holds a trace against the rules, while it comes. It never raises, whatever the entries are.

    Memory does not grow with the trace.

    Args:
        header: its first line.
        rules: those to hold it against; all of them without it.
    """

    def __init__(self, header: Header, *, rules: Iterable[Rule] | None = None) -> None:
        self._decoder = Decoder(header.level, header=header)
        self._known = Known(header)
        self._rules: dict[type[Seen], list[Rule]] = {}
        for rule in RULES.values() if rules is None else rules:
            for about in rule.about:
                self._rules.setdefault(about, []).append(rule)

    def receive(self, entry: Entry) -> list[Finding]:
        """Take the next entry.

        Returns:
            What is found with it; it may point at entries before it.
        """
        return [
            finding for seen in self._known.receive(self._decoder.receive(entry)) for finding in self._findings(seen)
        ]

    def close(self, *, cut: bool = False) -> list[Finding]:
        """What the end of the trace brings to light.

        Args:
            cut: it ends where nobody meant it to, so that what is half done there is not wrong.
        """
        ended = self._known.cut() if cut else self._known.close(self._decoder.close())
        return [finding for seen in ended for finding in self._findings(seen)]

    def _findings(self, seen: Seen) -> list[Finding]:
        return [
            Finding(rule, hit.what, tuple(place_of(each) for each in hit.at))
            for rule in self._rules.get(type(seen), ())
            for hit in rule.check(seen, self._known)
        ]
