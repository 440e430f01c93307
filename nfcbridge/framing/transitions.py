"""The states of the exchange and the table of its transitions.

    IDLE -- write --> WRITING -- commit --> PROCESSING -- answer --> ANSWERED -- read, re-activated --> RELEASED
                                                ^                                                       |    ^
                                                +-- commit -- REWRITING <-- write ----------------------+    |
                                                                  +-- rolled back ---------------------------+
    WRITING -- rolled back --> IDLE             ANSWERED, RELEASED -- time to live --> IDLE

What the file holds and whether it refuses writes follows from the state alone (`SHOWS`, `REFUSING`).
"""

from enum import Enum
from typing import Final


class State(Enum):
    """Where the exchange stands."""

    IDLE = "idle"
    WRITING = "being written"
    PROCESSING = "processing"
    ANSWERED = "answered"
    """The answer is ready, and it is the reader's turn to read it: a write would be pipelining."""
    RELEASED = "answered, the next write is welcome"
    REWRITING = "being written over an answer"

    __hash__ = object.__hash__  # Enum's own is Python code, a third of the time of each step in the table


class Input(Enum):
    """What happened: a report of the card, the answer, or the end of a time."""

    BEGIN = "a write that begins"
    UPDATE = "an UPDATE that goes on with a write"
    REFUSED = "a refused UPDATE"
    COMMIT = "a committed message"
    ROLLBACK = "a write rolled back"
    READ = "a READ past NLEN"
    REACTIVATION = "a re-activation"
    ANSWER = "the answer"
    ANSWER_RELEASED = "the answer, when the reader is free to write already"
    WRITE_LAPSED = "no UPDATE for the time of a half write"
    OVERDUE = "no answer in time"
    ANSWER_LAPSED = "the end of the answer's time"

    __hash__ = object.__hash__


# (state, input) -> next state. A pair not listed is a fault of the caller.
TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.IDLE, Input.BEGIN): State.WRITING,
    (State.IDLE, Input.COMMIT): State.PROCESSING,  # one UPDATE can be a whole write
    (State.IDLE, Input.UPDATE): State.IDLE,  # its write has just lapsed, and is dropped with it
    (State.IDLE, Input.REFUSED): State.IDLE,  # the answer has just lapsed, and the card was not told in time
    (State.IDLE, Input.ROLLBACK): State.IDLE,
    (State.IDLE, Input.READ): State.IDLE,
    (State.IDLE, Input.REACTIVATION): State.IDLE,
    (State.WRITING, Input.BEGIN): State.WRITING,  # a write that starts over
    (State.WRITING, Input.UPDATE): State.WRITING,
    (State.WRITING, Input.COMMIT): State.PROCESSING,
    (State.WRITING, Input.ROLLBACK): State.IDLE,  # what was not committed is never executed
    (State.WRITING, Input.READ): State.WRITING,
    (State.WRITING, Input.REACTIVATION): State.IDLE,
    (State.WRITING, Input.WRITE_LAPSED): State.IDLE,
    (State.PROCESSING, Input.REFUSED): State.PROCESSING,  # one request is outstanding at most
    (State.PROCESSING, Input.ROLLBACK): State.PROCESSING,
    (State.PROCESSING, Input.READ): State.PROCESSING,  # of what stands in for the answer, never of the request
    (State.PROCESSING, Input.REACTIVATION): State.PROCESSING,  # Android's way from the request to its answer
    (State.PROCESSING, Input.OVERDUE): State.PROCESSING,  # until the 504 comes, at once
    (State.PROCESSING, Input.ANSWER): State.ANSWERED,
    (State.PROCESSING, Input.ANSWER_RELEASED): State.RELEASED,
    (State.ANSWERED, Input.REFUSED): State.ANSWERED,  # pipelining
    (State.ANSWERED, Input.ROLLBACK): State.ANSWERED,
    (State.ANSWERED, Input.READ): State.RELEASED,  # to its last octet, or some of it and then a write begins
    (State.ANSWERED, Input.REACTIVATION): State.RELEASED,  # no refusal outlives its activation
    (State.ANSWERED, Input.ANSWER_LAPSED): State.IDLE,
    (State.RELEASED, Input.BEGIN): State.REWRITING,
    (State.RELEASED, Input.COMMIT): State.PROCESSING,
    (State.RELEASED, Input.UPDATE): State.RELEASED,  # as when idle
    (State.RELEASED, Input.ROLLBACK): State.RELEASED,
    (State.RELEASED, Input.READ): State.RELEASED,  # readable again and unchanged
    (State.RELEASED, Input.REACTIVATION): State.RELEASED,
    (State.RELEASED, Input.ANSWER_LAPSED): State.IDLE,
    (State.REWRITING, Input.BEGIN): State.REWRITING,
    (State.REWRITING, Input.UPDATE): State.REWRITING,
    (State.REWRITING, Input.COMMIT): State.PROCESSING,
    (State.REWRITING, Input.ROLLBACK): State.RELEASED,  # a half write rolls back, and nothing else does
    (State.REWRITING, Input.READ): State.REWRITING,  # of the half write: the answer stays as unread as it was
    (State.REWRITING, Input.REACTIVATION): State.RELEASED,
    (State.REWRITING, Input.WRITE_LAPSED): State.RELEASED,
    (State.REWRITING, Input.ANSWER_LAPSED): State.WRITING,  # the write goes on, with no answer to fall back to
}

# Whose message the file holds. While a write is going on over an idle file: still the one from before.
SHOWS: Final = {
    State.IDLE: State.IDLE,
    State.PROCESSING: State.PROCESSING,
    State.ANSWERED: State.ANSWERED,
    State.RELEASED: State.ANSWERED,
    State.REWRITING: State.ANSWERED,
}

REFUSING: Final = frozenset({State.PROCESSING, State.ANSWERED})
