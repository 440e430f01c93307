"""The query of a request, as the struct that its operation declares.

    ids=ab%2Ccd&type=local       ->   Selection(ids="ab,cd", type="local")

Names that the operation does not know are ignored. A name that is there twice is the same as once with a comma between
its values. Lengths count the characters of the decoded value, and one too many is 414; everything else that is wrong
with a value is an application failure.
"""

from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from nfcbridge.charger.policy import Failed, RefusedError, name_fault

Query = TypeVar("Query", bound=msgspec.Struct)


class QueryReader(Generic[Query]):
    """Reads queries.

    Args:
        kind: what is made of them: its fields are strings, with or without a greatest length, or made of one string.
    """

    def __init__(self, kind: type[Query]) -> None:
        self._kind = kind
        self._names = {field.encode_name for field in msgspec.structs.fields(kind)}
        self._limits: dict[str, int] = {}
        described = msgspec.inspect.type_info(kind)
        for field in getattr(described, "fields", ()):
            limit = getattr(field.type, "max_length", None)
            if limit is not None:
                self._limits[field.encode_name] = limit

    def read(self, query: bytes) -> Query | Failed:
        """The struct; what is missing or wrong if it cannot be.

        Raises:
            RefusedError: 414, a value has more characters than it may.
        """
        values: dict[str, str] = {}
        if query:
            # Octets that are not UTF-8 become a character that no value may have or that no stored one is equal to.
            for name, value in parse_qsl(query.decode(errors="replace"), keep_blank_values=True):
                if name in self._names:
                    values[name] = f"{values[name]},{value}" if name in values else value
        for name, limit in self._limits.items():
            if len(values.get(name, "")) > limit:
                raise RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, f"{name} has more than {limit} characters")
        try:
            return msgspec.convert(values, self._kind)
        except msgspec.ValidationError as error:
            return name_fault(str(error), self._kind)
