"""A trace of APDUs: commands and the responses that follow them."""

from nfcbridge import airtime
from nfcbridge.trace.apdus import DEFAULT_FSD, ats_of
from nfcbridge.trace.counts import Counts, Tally
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import ApduSeen, FieldSeen, Seen, Selection


class PairSource:
    """Makes APDUs of the entries of a trace of APDUs; what crossed the air is computed from frames of FSD and FSC.

    Args:
        header: of the trace; its card may tell the ATS.

    Attributes:
        fsd, ats, before, selected: as of `ApduSource`.
    """

    def __init__(self, header: Header | None = None) -> None:
        self.fsd = DEFAULT_FSD
        self.ats = ats_of(header)
        self.before = Counts()
        self.selected = Selection.UNKNOWN
        self._tally = Tally()
        self._open: tuple[Entry, Counts] | None = None

    @property
    def counts(self) -> Counts:
        """What there was up to now."""
        return self._tally.counts()

    def receive(self, entry: Entry) -> list[Seen]:
        """Take the next entry; never raises."""
        if entry.dir is Dir.CARD:
            self._tally.blocks += 1
            return self._finish(entry)
        seen = self._finish(None)
        if entry.dir is Dir.FIELD:
            self._tally.selections += entry.on
            self._tally.air += airtime.SELECTION * entry.on
            return [*seen, FieldSeen(entry.number, entry.t, entry.on)]
        if entry.octets:  # none at all are a presence check
            self._open = (entry, self.counts)
            self._tally.apdus += 1
            self._tally.blocks += 1
        return seen

    def close(self) -> list[Seen]:
        """The command that got no response, if there is one."""
        return self._finish(None)

    def _finish(self, answer: Entry | None) -> list[Seen]:
        open_, self._open = self._open, None
        if open_ is None:
            return []
        entry, self.before = open_
        end = answer or entry
        response = answer.octets if answer else None
        fsc = self.ats.fsc if self.ats else None
        air = airtime.command_time(len(entry.octets), len(response or b""), self.fsd, fsc=fsc)
        self._tally.air += air
        return [
            ApduSeen(
                self._tally.apdus,
                entry.number,
                end.number,
                entry.t,
                entry.t,
                end.t,
                entry.octets,
                response,
                blocks=2 if answer else 1,
                air=air,
                command_entries=(entry.number,),
                response_entries=(answer.number,) if answer else (),
                selected=self.selected,
            )
        ]
