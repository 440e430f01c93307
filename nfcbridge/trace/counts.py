"""How much a trace has shown up to a moment; the difference of two is what lies between."""

from msgspec import Struct


class Counts(Struct, frozen=True, gc=False):
    """What there was up to a moment.

    Attributes:
        apdus: that began.
        blocks: frames of both directions.
        wtx: how often the card asked for more time.
        retransmissions: frames that were sent again.
        selections: how often the card was selected, as far as field entries tell.
        activations: how often RATS was answered.
        air: seconds of all frames, selections included.
    """

    apdus: int = 0
    blocks: int = 0
    wtx: int = 0
    retransmissions: int = 0
    selections: int = 0
    activations: int = 0
    air: float = 0.0


class Tally(Struct, gc=False):
    """The same while it is counted."""

    apdus: int = 0
    blocks: int = 0
    wtx: int = 0
    retransmissions: int = 0
    selections: int = 0
    activations: int = 0
    air: float = 0.0

    def counts(self) -> Counts:
        """What there was up to now."""
        return Counts(
            self.apdus, self.blocks, self.wtx, self.retransmissions, self.selections, self.activations, self.air
        )
