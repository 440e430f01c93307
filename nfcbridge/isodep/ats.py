"""Answer to select."""

from msgspec import Struct


class Ats(Struct, frozen=True):
    """An answer to select (signature; body follows)."""

    fsci: int = 8
    same_rate_only: bool = False
    ds: frozenset[int] = frozenset({106})
    dr: frozenset[int] = frozenset({106})
    fwi: int = 8
    sfgi: int = 0
    cid: bool = True
    nad: bool = False
    historical: bytes = b""

    @classmethod
    def parse(cls, octets: bytes) -> "Ats":
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        raise NotImplementedError

    @property
    def fsc(self) -> int:
        raise NotImplementedError

    @property
    def fwt(self) -> float:
        raise NotImplementedError

    @property
    def sfgt(self) -> float:
        raise NotImplementedError


OUR_HISTORICAL = bytes.fromhex("80546E666362")
DEFAULT = Ats(historical=OUR_HISTORICAL)
