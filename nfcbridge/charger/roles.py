"""Who may log in. A user name of the interface is the name of a role."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """The roles of the controller, the least first."""

    USER = "user"
    OPERATOR = "operator"
    INSTALLER = "installer"
    MANUFACTURER = "manufacturer"


EVERYONE: Final = frozenset(Role)
"""Every role. That is still nobody who is not logged in."""

OPERATORS: Final = EVERYONE - {Role.USER}
"""Who runs the charge point."""
