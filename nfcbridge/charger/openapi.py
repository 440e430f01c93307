"""The interface as an OpenAPI 3.1 document, made from the route table and its types.

    Operation (routes.py)                           OpenAPI
    path, its parameters in braces, method     ->   paths, parameters
    name, section, summary                     ->   operationId, tags, summary
    query, request, response, refusal          ->   parameters, requestBody, responses, components
    roles                                      ->   security, x-roles, 401 and 403
    evidence                                   ->   x-evidence
    -- (examples.py)                           ->   examples
    -- (LINKS, below)                          ->   links

3.1 and not 3.0, since its schemas are those of JSON Schema, as msgspec makes them, and since in 3.0 a GET has no body,
which the reference has, if deprecated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from nfcbridge.charger.examples import EXAMPLES, OperationExamples
from nfcbridge.charger.key_values import Pairs
from nfcbridge.charger.operation import Operation
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.policy import Failed
from nfcbridge.charger.roles import EVERYONE, Role
from nfcbridge.charger.routes import BASE_PATH, ROUTES
from nfcbridge.charger.schemas import Schema, Schemas

Document = dict[str, Any]

SESSION: Final = "sessionIdAuth"

# What every status from 400 on means. Those of EVERYWHERE can come before the operation is looked at.
STATUSES: Final[Mapping[int, str]] = {
    400: "What was sent is not JSON, or not HTTP.",
    401: "There is no session: its id is missing, wrong or timed out.",
    403: "The operation is not for this role, or the interface is disabled.",
    404: "There is no such path.",
    408: "The request was not complete in time.",
    413: "The body is too large, or the answer is too large for an NFC message.",
    414: "Path or query is too long.",
    429: "Too many failed logins: try again later.",
    431: "The head of the request is too large.",
    500: "A fault of the server.",
    503: "The server is busy, or stops.",
}
EVERYWHERE: Final = (400, 408, 413, 414, 431, 500, 503)
# Those that always come from the server around the operations, which knows one form of failure.
SERVERS: Final = (408, 431, 500, 503)
HEADERS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("WWW-Authenticate", "Always Bearer: HTTP wants a scheme named, and this one is tolerated."),
    429: ("Retry-After", "Seconds until the next attempt."),
}

DESCRIPTION: Final = """\
The REST interface of an emulated charge controller. What is known of it from the vendor's reference is marked
`x-evidence: documented`, what is taken from published interfaces of the same controllers `predecessor`, and what was
filled in `inferred`.

Every operation but those of `/login` needs a session: get a token, log in with the lower-case hex SHA-256 of password
and token, and send the session id as the `Authorization` header, without a scheme (`Bearer` is tolerated). A session
ends 60 s after its last call.

An application failure is status 200 with `success: false` and a `cause`. From status 400 on the content is for people:
over NFC it is left out. Over NFC a request message has the path without `/v1`.

HEAD checks what GET checks, runs nothing, and has no effect but to renew the session. OPTIONS tells the methods of a
path.
"""


class Link(NamedTuple):
    """What an answer has that another operation takes.

    Args:
        operation: the other operation.
        parameters: its parameters, as runtime expressions of the answer.
    """

    operation: str
    parameters: dict[str, str]


_USER: Final = ("getUser", "changeUser", "deleteUser")

# By operation. There is none from a key-value pair that was added: no expression names a key.
LINKS: Final[Mapping[str, tuple[Link, ...]]] = {
    "addUser": tuple(Link(name, {"userId": "$response.body#/userId"}) for name in _USER),
    "getUsers": tuple(Link(name, {"userId": "$response.body#/users/0/userId"}) for name in _USER),
    "getUser": tuple(Link(name, {"userId": "$response.body#/userId"}) for name in _USER[1:]),
    "changeUser": tuple(Link(name, {"userId": "$request.path.userId"}) for name in ("getUser", "deleteUser")),
    "deleteUser": (Link("getUser", {"userId": "$request.path.userId"}),),
    "getWhitelist": (Link("deleteWhitelistEntries", {"ids": "$response.body#/tags/0/id"}),),
    "changeWhitelist": (Link("deleteWhitelistEntries", {"ids": "$request.body#/tags/0/id"}),),
    "getPair": (Link("deletePair", {"key": "$request.path.key"}),),
    "deletePair": (Link("getPair", {"key": "$request.path.key"}),),
    "getSystemState": (Link("getTransactions", {"from": "$response.body#/transaction/start"}),),
}

# Types that are no classes, by the names that the reference gives them or could.
NAMES: Final = (("KeyValuePairs", Pairs), ("Transactions", list[Transaction]))


def describe(operations: Iterable[Operation] = ROUTES) -> Document:
    """The document.

    Args:
        operations: rows of the route table.
    """
    rows = list(operations)
    schemas = Schemas(
        sent=[kind for row in rows for kind in (row.request, row.query) if kind is not None],
        answered=[kind for row in rows for kind in (row.response, refusal_type(row))],
        names=NAMES,
    )
    paths: dict[str, Document] = {}
    for row in rows:
        links = [link for link in LINKS.get(row.name, ()) if any(link.operation == other.name for other in rows)]
        paths.setdefault(row.path, {})[row.method.lower()] = _describe_operation(row, schemas, links)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Charge controller REST API",
            "version": version("nfcbridge"),
            "summary": "As the emulated charge controller of nfcbridge serves it, over HTTP and NFC alike",
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE_PATH}],
        "tags": [{"name": section} for section in dict.fromkeys(row.section for row in rows)],
        "paths": paths,
        "components": {
            "schemas": schemas.named(),
            "responses": {
                _refusal_name(row, status): _describe_refusal(row, status, schemas)
                for row in rows
                for status in statuses(row)
            },
            "securitySchemes": {
                SESSION: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The session id, raw.",
                }
            },
        },
    }


@cache
def document() -> bytes:
    """The document of the route table, as JSON."""
    return msgspec.json.encode(describe())


def statuses(operation: Operation) -> list[int]:
    """The statuses from 400 on that an operation can have."""
    found = {*EVERYWHERE, *operation.refusals}
    if operation.roles is not None:
        found.add(401)
        if operation.roles != EVERYONE:
            found.add(403)
    if "{" in operation.path:
        found.add(404)  # a slash in the parameter makes another path
    return sorted(found)


def refusal_type(operation: Operation) -> type:
    """The form in which failures of an operation are told, from status 400 on."""
    kind: type = get_type_hints(operation.refusal)["return"]
    return kind


def can_fail(operation: Operation) -> bool:
    """Whether an operation can answer with an application failure: what it is sent can be wrong, or it says so."""
    if operation.request is not None or operation.query is not None:
        return True
    answer = get_type_hints(operation.handler)["return"]
    return Failed in (get_args(answer) if get_origin(answer) in {Union, UnionType} else (answer,))


def _describe_operation(row: Operation, schemas: Schemas, links: Iterable[Link]) -> Document:
    examples = EXAMPLES.get(row.name, OperationExamples())
    described: Document = {
        "operationId": row.name,
        "tags": [row.section],
        "summary": row.summary,
        "x-evidence": row.evidence,
        "security": [] if row.roles is None else [{SESSION: []}],
    }
    if row.roles is not None:
        described["x-roles"] = [role for role in Role if role in row.roles]
    parameters = [*_path_parameters(row, examples), *_query_parameters(row, schemas, examples)]
    if parameters:
        described["parameters"] = parameters
    if row.request is not None:
        deprecated = "Deprecated: the query says the same. " if row.body_deprecated else ""
        described["requestBody"] = {
            "description": f"{deprecated}At most {row.max_body} octets.",
            "required": not row.body_deprecated,
            "content": _json(schemas.of(row.request), examples.requests),
        }
    answer = schemas.of(row.response)
    done: Document = {"description": "Done."}
    if can_fail(row):
        done["description"] = "Done, or an application failure with its cause."
        answer = {"anyOf": [answer, schemas.of(Failed)]}
    done["content"] = _json(answer, examples.answers)
    if links:
        done["links"] = {
            link.operation: {"operationId": link.operation, "parameters": link.parameters} for link in links
        }
    described["responses"] = {"200": done} | {
        str(status): {"$ref": f"#/components/responses/{_refusal_name(row, status)}"} for status in statuses(row)
    }
    return described


def _path_parameters(row: Operation, examples: OperationExamples) -> Iterator[Document]:
    for name in re.findall(r"\{(\w+)\}", row.path):
        schema = {"type": "string", "minLength": 1}
        yield _parameter(name, "path", schema, examples, required=True)


def _query_parameters(row: Operation, schemas: Schemas, examples: OperationExamples) -> Iterator[Document]:
    if row.query is not None:
        query = schemas.take(row.query)
        for name, schema in query["properties"].items():
            yield _parameter(name, "query", schema, examples, required=name in query.get("required", ()))


def _parameter(name: str, place: str, schema: Schema, examples: OperationExamples, *, required: bool) -> Document:
    described: Document = {"name": name, "in": place, "required": required, "schema": schema}
    if "description" in schema:
        described["description"] = schema["description"]
    if name in examples.parameters:
        described["example"] = examples.parameters[name]
    return described


def _refusal_name(row: Operation, status: int) -> str:
    return f"{(Failed if status in SERVERS else refusal_type(row)).__name__}{status}"


def _describe_refusal(row: Operation, status: int, schemas: Schemas) -> Document:
    described: Document = {"description": STATUSES[status]}
    if status in HEADERS:
        name, meaning = HEADERS[status]
        described["headers"] = {name: {"description": meaning, "schema": {"type": "string"}}}
    form = refusal_type(row)
    if status in SERVERS or form is Failed:
        described["content"] = _json(schemas.of(Failed), {})
    else:
        described["content"] = _json({"anyOf": [schemas.of(form), schemas.of(Failed)]}, {})
    return described


def _json(schema: Schema, examples: Mapping[str, Any]) -> Document:
    described: Document = {"schema": schema}
    if examples:
        described["examples"] = {name.replace(" ", "-"): {"value": value} for name, value in examples.items()}
    return {"application/json": described}
