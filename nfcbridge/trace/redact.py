"""Replacing the secrets of a trace, each always by the same of the same length, so that all else stays as it was.

The trace is read twice: first for what is secret, then to replace it. A secret is what stands behind a name that says
so, or looks like one (`secrets`); wherever else the same octets occur they are replaced as well, in any frame, cut by
frames in any way (`views`), written as text or as octets. Where a message breaks off within a secret, the part is.

Lengths stay, so block numbers, lengths in APDUs, NLEN and times do too.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from nfcbridge.trace.disguise import Disguise, replace_json_text, replace_query_text
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.secrets import Found, SecretKind, Written, find_secrets
from nfcbridge.trace.view_source import ViewSource
from nfcbridge.trace.views import View

LEAST_ANYWHERE: Final = 6
"""Signs of the shortest secret that is replaced wherever its octets occur; shorter ones are where a name says so."""

LEAST_OCTETS: Final = 4
"""Octets of the shortest UID or tag id that is searched as octets, and of a part of a secret at an edge."""

MAX_EDGE: Final = 1024
"""Octets at the edge of a view that may be part of a secret: the longest password."""

RANDOM_UID: Final = "08"
"""First octet of a UID that says only that it is random."""

_GONE: Final = frozenset({"seed", "key", "token", "secret", "password", "sim_token"})
"""Entries of the first line that are left out: from the seed the session ids can be made."""

_WORDS: Final = frozenset({SecretKind.PASSWORD, SecretKind.NAME})
"""Kinds that people choose: a part of one may be any word."""

_ENDS: Final = b'"=,&/: \t\r\n{}[]'
_PART, _ANYWHERE, _NAMED = 0, 1, 2
"""What a replacement rests on: a part of a secret, a secret known from elsewhere, a name or a look. More holds."""


class Patch(Struct, frozen=True, gc=False, order=True):
    """Other octets for a frame.

    Attributes:
        weight: of two patches the heavier one holds.
        offset: in the frame.
        octets: what stands there instead.
    """

    weight: int
    offset: int
    octets: bytes


class Redaction:
    """Replaces secrets: give it all entries by `look`, then all of them again to `replace`.

    Args:
        header: of the trace.
        key: the same secret gets the same replacement in every file with the same key; None: in this one alone.
        names: names of people are secrets too.

    Attributes:
        header: without secrets, after `prepare`.
        unknown: numbers of entries of which nobody knows what they say, in order.
    """

    def __init__(self, header: Header, *, key: bytes | None = None, names: bool = False) -> None:
        self._given = header
        self.header = header
        self._names = names
        self._disguise = Disguise(key)
        self._known: dict[str, SecretKind] = {}
        self._needles: dict[bytes, list[tuple[bytes, bytes]]] = {}
        self._whole: list[bytes] = []  # those of which a part is told from other words
        self._forward: list[bytes] = []
        self._backward: list[bytes] = []
        self._replacements: dict[bytes, bytes] = {}
        self.unknown: list[int] = []
        self._learn_header(header)

    @property
    def counts(self) -> dict[SecretKind, int]:
        """How many different secrets of each kind there are."""
        counts: dict[SecretKind, int] = {}
        for kind in self._known.values():
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def look(self, entries: Iterable[Entry]) -> None:
        """Learn what is secret."""
        source = ViewSource(self._given.level, self._given)
        for entry in entries:
            for view in source.receive(entry):
                self._learn(view.octets)
            self._learn_texts(source)
        for view in source.close():
            self._learn(view.octets)
        self._learn_texts(source)
        self.unknown = sorted(set(source.unknown))
        self._prepare()

    def replace(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries without secrets."""
        source = ViewSource(self._given.level, self._given)
        waiting: deque[tuple[Entry, bool, bool]] = deque()
        patches: dict[int, list[Patch]] = {}
        last: dict[Dir, bytes] = {}  # the I-block of each end, as it was written

        def written(entry: Entry, carries: bool, repeated: bool) -> Entry:  # noqa: FBT001 - as they wait
            octets = entry.octets
            if repeated:
                return _with(entry, last[entry.dir])
            made = bytearray(octets)
            for patch in sorted(patches.pop(entry.number, ()), key=lambda patch: patch.weight):
                made[patch.offset : patch.offset + len(patch.octets)] = patch.octets
            if carries:
                last[entry.dir] = bytes(made)
            return entry if made == octets else _with(entry, bytes(made))

        for entry in entries:
            for view in source.receive(entry):
                self._patch(view, patches)
            waiting.append((entry, source.carries, source.repeated))
            settled = source.settled
            while waiting and (settled is None or waiting[0][0].number < settled):
                yield written(*waiting.popleft())
        for view in source.close():
            self._patch(view, patches)
        for each in waiting:
            yield written(*each)

    def _learn(self, octets: bytes) -> None:
        for found in find_secrets(octets, names=self._names):
            if found.whole:
                self._remember(found)

    def _remember(self, found: Found) -> None:
        known = self._known.get(found.said)
        if known is None or known is SecretKind.OTHER_ID:
            self._known[found.said] = found.kind

    def _learn_texts(self, source: ViewSource) -> None:
        for text in source.texts:
            self._learn(text.encode("utf-8", "replace"))
        source.texts.clear()

    def _learn_header(self, header: Header) -> None:
        uid = header.card.get("uid")
        if isinstance(uid, str) and uid:
            self._known[uid] = SecretKind.UID
        for text in _texts(msgspec.to_builtins(header)):
            self._learn(text.encode("utf-8", "replace"))

    def _prepare(self) -> None:
        """Choose the replacements."""
        self._disguise.taken.update(self._known)
        for said, kind in self._known.items():
            if kind is SecretKind.UID and said.startswith(RANDOM_UID):
                self._disguise.keep(said, RANDOM_UID + self._disguise.replace(said[len(RANDOM_UID) :]))
        for said, kind in self._known.items():
            for needle, replacement in self._ways(said, kind):
                if needle not in self._replacements and len(needle) == len(replacement):
                    self._replacements[needle] = replacement
                    if kind not in _WORDS:
                        self._whole.append(needle)
                    self._needles.setdefault(needle[:LEAST_OCTETS], []).append((needle, replacement))
        for same in self._needles.values():
            same.sort(key=lambda pair: -len(pair[0]))  # the longest one first
        self._forward = sorted(self._whole)
        self._backward = sorted(needle[::-1] for needle in self._whole)
        self.header = self._redact_header(self._given)

    def _ways(self, said: str, kind: SecretKind) -> Iterator[tuple[bytes, bytes]]:
        """In which octets a secret may stand anywhere, and what stands there instead."""
        if len(said) < LEAST_ANYWHERE or (said.isascii() and said.isalpha()):
            return
        for form in {said, said.upper(), said.lower()} if said.isascii() else {said}:
            replacement = self._disguise.replace(form)
            for encoding in ("utf-8", "utf-16-be", "utf-16-le"):
                try:
                    yield form.encode(encoding), replacement.encode(encoding)
                except UnicodeEncodeError:
                    continue
        if kind in {SecretKind.TAG, SecretKind.UID}:
            try:
                octets = bytes.fromhex(said.replace(":", "").replace("-", ""))
                instead = bytes.fromhex(self._disguise.replace(said).replace(":", "").replace("-", ""))
            except ValueError:
                return
            if len(octets) >= LEAST_OCTETS:
                yield octets, instead

    def _redact_header(self, header: Header) -> Header:
        words = msgspec.to_builtins(header)
        return msgspec.convert(self._redact_words(words), Header)

    def _redact_words(self, words: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(words, dict):
            return {
                self._redact_words(name): None if name in _GONE else self._redact_words(value)
                for name, value in words.items()
            }
        if isinstance(words, list | tuple):
            return [self._redact_words(each) for each in words]
        if isinstance(words, str):
            octets = bytearray(words.encode("utf-8", "surrogatepass"))
            for begin, instead, _ in sorted(
                self._replacements_in(bytes(octets), open_=False), key=lambda each: each[2]
            ):
                octets[begin : begin + len(instead)] = instead
            return octets.decode("utf-8", "replace")
        return words

    def _patch(self, view: View, patches: dict[int, list[Patch]]) -> None:
        for begin, instead, weight in self._replacements_in(view.octets, open_=view.open):
            for entry, offset, first, last in view.places(begin, begin + len(instead)):
                patch = Patch(view.rank * 3 + weight, offset, instead[first:last])
                patches.setdefault(entry, []).append(patch)

    def _replacements_in(self, octets: bytes, *, open_: bool) -> Iterator[tuple[int, bytes, int]]:
        """What is to be replaced: where it begins, what stands there instead, and what that rests on."""
        for found in find_secrets(octets, names=self._names):
            raw = octets[found.begin : found.end]
            yield found.begin, self._instead(raw, found), _NAMED if found.whole else _PART
        if self._needles:
            yield from self._anywhere(octets)
            if open_:
                yield from self._edges(octets)

    def _anywhere(self, octets: bytes) -> Iterator[tuple[int, bytes, int]]:
        needles = self._needles
        at = 0
        end = len(octets) - LEAST_OCTETS + 1
        while at < end:
            for needle, instead in needles.get(octets[at : at + LEAST_OCTETS], ()):
                if octets.startswith(needle, at):
                    yield at, instead, _ANYWHERE
                    at += len(needle) - 1
                    break
            at += 1

    def _instead(self, raw: bytes, found: Found) -> bytes:
        if not found.whole and (known := self._known_from(raw)) is not None:
            return known
        text = raw.decode("utf-8", "surrogateescape")
        replace = replace_json_text if found.written is Written.JSON else replace_query_text
        instead = replace(text, self._disguise).encode("utf-8", "surrogateescape")
        return instead if len(instead) == len(raw) else b"x" * len(raw)

    def _known_from(self, begin: bytes) -> bytes | None:
        """The beginning of the replacement of a secret that begins so."""
        at = bisect_left(self._forward, begin)
        if at < len(self._forward) and self._forward[at].startswith(begin):
            return self._replacements[self._forward[at]][: len(begin)]
        return None

    def _edges(self, octets: bytes) -> Iterator[tuple[int, bytes, int]]:
        """Secrets of which only the beginning, or only the end, is here."""
        tail = octets[-MAX_EDGE:]
        tail = tail[max(tail.rfind(sign) for sign in _SIGNS) + 1 :]
        if len(tail) >= LEAST_OCTETS and (instead := self._known_from(tail)) is not None:
            yield len(octets) - len(tail), instead, _PART
        head = octets[:MAX_EDGE]
        ends = [at for sign in _SIGNS if (at := head.find(sign)) >= 0]
        head = head[: min(ends, default=len(head))]
        if len(head) >= LEAST_OCTETS:
            at = bisect_left(self._backward, head[::-1])
            if at < len(self._backward) and self._backward[at].startswith(head[::-1]):
                yield 0, self._replacements[self._backward[at][::-1]][-len(head) :], _PART


_SIGNS: Final = tuple(bytes([octet]) for octet in _ENDS)


def _with(entry: Entry, octets: bytes) -> Entry:
    return Entry(entry.t, entry.dir, octets, entry.on, entry.number)


def _texts(words: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """All strings in JSON."""
    if isinstance(words, str):
        yield words
    elif isinstance(words, dict):
        for value in words.values():
            yield from _texts(value)
    elif isinstance(words, list | tuple):
        for value in words:
            yield from _texts(value)
