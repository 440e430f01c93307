"""Names and rows of the tables that last, for who keeps them and who writes them."""

from enum import StrEnum

Column = str | int | float | bytes | None
Row = tuple[Column, ...]
"""A row; its first column is the key."""


class Table(StrEnum):
    """The tables."""

    PASSWORDS = "passwords"
    PAIRS = "pairs"
    USERS = "users"
    WHITELIST = "whitelist"
    SETTINGS = "settings"
    TRANSACTIONS = "transactions"
    COUNTERS = "counters"


class Durability(StrEnum):
    """What a commit waits for."""

    FULL = "full"
    """The disk: nothing committed is lost, whatever fails."""
    NORMAL = "normal"
    """The operating system: the last commits may be lost when the power fails, never when the process does."""


Change = tuple[Table, bool, Row]
"""A table, whether the row is put there (else the row of this key is deleted), and the row (else the key alone)."""
