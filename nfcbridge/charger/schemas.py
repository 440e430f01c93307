"""The types of the interface as JSON Schema (2020-12), each with how it is known that the controller has it.

msgspec makes the schemas from the types that it decodes and encodes with, so that they cannot say anything else. What
it leaves out is added here: evidence, the descriptions of fields from the docstrings, and which fields an answer always
has: for msgspec a field with a default may be missing, but it is always sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from inspect import cleandoc
from typing import Any, Final

import msgspec
from msgspec import UNSET
from msgspec.inspect import EnumType, Field, Metadata, StructType, Type

from nfcbridge.charger.catalogue import Evidence
from nfcbridge.charger.policy import Failed

Schema = dict[str, Any]

COMPONENTS: Final = "#/components/schemas/"

# How the fields of a type are known, by its name. One that is not here is inferred: no type claims more than somebody
# looked up.
EVIDENCE: Final[Mapping[str, Evidence]] = {
    "ChangeWhitelist": Evidence.DOCUMENTED,
    "ConnectionState": Evidence.PREDECESSOR,
    "Dashboard": Evidence.DOCUMENTED,
    "DeleteTags": Evidence.DOCUMENTED,
    "Done": Evidence.DOCUMENTED,
    "Failed": Evidence.DOCUMENTED,
    "GivenEntry": Evidence.DOCUMENTED,
    "KeyValuePairs": Evidence.DOCUMENTED,
    "LoggedIn": Evidence.DOCUMENTED,
    "LoginRequest": Evidence.DOCUMENTED,
    "LoginToken": Evidence.DOCUMENTED,
    "Messages": Evidence.DOCUMENTED,
    "NewValue": Evidence.DOCUMENTED,
    "NotLoggedIn": Evidence.DOCUMENTED,
    "Priority": Evidence.DOCUMENTED,
    "SelectSettings": Evidence.DOCUMENTED,
    "SetSettings": Evidence.DOCUMENTED,
    "SettingsAnswer": Evidence.DOCUMENTED,
    "SettingsSet": Evidence.DOCUMENTED,
    "Summary": Evidence.DOCUMENTED,
    "SystemState": Evidence.DOCUMENTED,
    "TagType": Evidence.DOCUMENTED,
    "Transactions": Evidence.DOCUMENTED,
    "User": Evidence.DOCUMENTED,
    "UserName": Evidence.DOCUMENTED,
    "Users": Evidence.DOCUMENTED,
    "Whitelist": Evidence.DOCUMENTED,
    "WhitelistEntry": Evidence.DOCUMENTED,
    "WhitelistTag": Evidence.DOCUMENTED,
}

# A line of the Attributes section of a docstring; what it continues on is indented further.
_ATTRIBUTE: Final = re.compile(r"^    (?P<names>\w+(?:, \w+)*): (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)


class Schemas:
    """The schemas of some types, of `Failed`, and of the types that these are made of.

    Args:
        sent: types of what clients send.
        answered: types of what they are answered.
        names: names for those of them that are no classes.

    Attributes:
        components: the schemas that have a name, by that name.
    """

    def __init__(self, sent: Iterable[Any], answered: Iterable[Any], names: Iterable[tuple[str, Any]] = ()) -> None:
        sent, answered, names = list(sent), list(answered), list(names)
        types = [*sent, *answered, Failed]
        self.components: dict[str, Schema]
        schemas, self.components = msgspec.json.schema_components(types, ref_template=COMPONENTS + "{name}")
        self._by_type: list[tuple[Any, Schema]] = list(zip(types, schemas, strict=True))
        taken = {kind.__name__ for kind in _classes(sent)}
        for kind in _classes(types):
            self._complete(kind, self.components[kind.__name__], always=kind.__name__ not in taken)
        for index, (kind, schema) in enumerate(self._by_type):
            for name, named in names:
                if kind == named:
                    self.components[name] = {"title": name, **schema, "x-evidence": _evidence(name)}
                    self._by_type[index] = (kind, {"$ref": COMPONENTS + name})
        # What tells it from every other answer.
        self.components[Failed.__name__]["properties"]["success"]["const"] = False
        self.components = dict(sorted(self.components.items()))
        self._taken: set[str] = set()

    def of(self, kind: Any) -> Schema:  # noqa: ANN401, any type
        """The schema of one of the types: a reference if it has a name."""
        return next(schema for known, schema in self._by_type if known == kind)

    def take(self, kind: type) -> Schema:
        """The schema of a struct itself, which is not in the document by its name: a query."""
        self._taken.add(kind.__name__)
        return self.components[kind.__name__]

    def named(self) -> dict[str, Schema]:
        """All that have a name, by their names, but those that were taken."""
        return {name: schema for name, schema in self.components.items() if name not in self._taken}

    def _complete(self, kind: type, schema: Schema, *, always: bool) -> None:
        schema["x-evidence"] = _evidence(kind.__name__)
        text, attributes = _described(kind)
        schema["description"] = text
        if not issubclass(kind, msgspec.Struct):
            return
        for field in msgspec.structs.fields(kind):
            shown = schema["properties"][field.encode_name]
            if field.name in attributes:
                # A sibling of $ref counts since JSON Schema 2019-09.
                shown["description"] = attributes[field.name]
        if always:
            schema["required"] = [
                field.encode_name for field in msgspec.structs.fields(kind) if field.default is not UNSET
            ]


def _evidence(name: str) -> Evidence:
    return EVIDENCE.get(name, Evidence.INFERRED)


def _described(kind: type) -> tuple[str, dict[str, str]]:
    """What the docstring says of a type, and of its attributes by their names in Python."""
    text, _, section = cleandoc(kind.__doc__ or "").partition("\n\nAttributes:\n")
    attributes = {}
    for found in _ATTRIBUTE.finditer(section):
        for name in found["names"].split(", "):
            attributes[name] = " ".join(found["text"].split())
    return text, attributes


def _classes(types: Iterable[Any]) -> list[type]:
    """The classes that have a schema by name: those of the types, and of their fields, and so on; each once."""
    found: dict[type, None] = {}
    nodes: list[Any] = list(msgspec.inspect.multi_type_info(types))
    while nodes:
        node = nodes.pop()
        if isinstance(node, StructType | EnumType):
            if node.cls in found:
                continue
            found[node.cls] = None
        nodes += _parts(node)
    return list(found)


def _parts(node: Type | Field) -> Iterator[Type | Field]:
    for name in node.__struct_fields__:
        value = getattr(node, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Type | Field | Metadata) and not isinstance(part, Enum):
                yield part
