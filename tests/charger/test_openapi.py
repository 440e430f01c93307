"""The OpenAPI document: valid for others, and true to the route table, the types and the answers."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import UNSET, UnsetType
from openapi_spec_validator import OpenAPIV31SpecValidator

from nfcbridge.charger import openapi
from nfcbridge.charger.catalogue import Evidence
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.examples import EXAMPLES
from nfcbridge.charger.openapi import LINKS, STATUSES, Link, can_fail, describe, document, statuses
from nfcbridge.charger.operation import Call, Operation, Section
from nfcbridge.charger.policy import Failed, NotLoggedIn, not_logged_in
from nfcbridge.charger.roles import Role
from nfcbridge.charger.routes import ROUTES
from nfcbridge.charger.schemas import EVIDENCE, Schemas
from tests.charger.core import Core

DOCUMENT: Any = json.loads(document())
EVIDENCES = {"documented", "predecessor", "inferred"}


def operation_of(row: Operation) -> Any:
    return DOCUMENT["paths"][row.path][row.method.lower()]


def check(schema: object, value: object) -> None:
    """Let an independent implementation of JSON Schema hold a value against a schema of the document."""
    Draft202012Validator({"$ref": "#/s", "s": schema, "components": DOCUMENT["components"]}).validate(value)


# Of the route table


def test_it_is_valid_for_an_independent_validator() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_row_of_the_route_table_is_an_operation_and_there_is_no_other() -> None:
    described = {
        (operation["operationId"], method, path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(row.name, row.method.lower(), row.path) for row in ROUTES}
    assert DOCUMENT["servers"] == [{"url": "/v1"}]


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.name)
def test_an_operation_says_what_is_known_of_it_who_may_and_where_it_stands(row: Operation) -> None:
    operation = operation_of(row)
    assert operation["x-evidence"] == row.evidence
    assert operation["x-evidence"] in EVIDENCES
    assert operation["summary"] == row.summary
    assert operation["tags"] == [row.section]
    assert operation["security"] == ([] if row.roles is None else [{"sessionIdAuth": []}])
    assert set(operation.get("x-roles", [])) == (row.roles or set())


def test_the_session_id_goes_raw_into_the_header() -> None:
    scheme = DOCUMENT["components"]["securitySchemes"]["sessionIdAuth"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")


# Types


def test_every_schema_with_a_name_says_how_it_is_known() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {name for name, schema in schemas.items() if schema.get("x-evidence") not in EVIDENCES} == set()
    assert schemas["LoginToken"]["x-evidence"] == "documented"
    assert schemas["ConnectionState"]["x-evidence"] == "predecessor"
    assert schemas["SessionInfo"]["x-evidence"] == "inferred"


def schemas_in(node: object) -> list[Any]:
    """Every schema of a content."""
    if isinstance(node, dict):
        found = [node["schema"]] if "schema" in node and "in" not in node else []
        return found + [schema for part in node.values() for schema in schemas_in(part)]
    return [schema for part in node for schema in schemas_in(part)] if isinstance(node, list) else []


def test_every_content_is_made_of_schemas_with_a_name() -> None:
    contents = schemas_in(DOCUMENT["paths"])
    assert len(contents) > len(ROUTES)
    for schema in contents:
        assert all(list(part) == ["$ref"] for part in schema.get("anyOf", [schema])), schema
    names = DOCUMENT["components"]["schemas"]
    assert names["KeyValuePairs"]["x-evidence"] == names["Transactions"]["x-evidence"] == "documented"


def test_no_evidence_is_claimed_for_a_type_that_is_not_there() -> None:
    assert set(EVIDENCE) <= set(DOCUMENT["components"]["schemas"])


class Part(msgspec.Struct):
    """A part.

    Attributes:
        first_name, second: of somebody
            with a long one.
        other: not a field.
    """

    first_name: str = msgspec.field(name="firstName")
    second: Evidence
    left_out: str | UnsetType = UNSET
    sent: int = 1
    plain: int = 2


class Whole(msgspec.Struct):
    parts: list[Part]
    again: Part | None = None
    whole: "Whole | None" = None


def test_what_is_answered_has_every_field_that_is_not_left_out_on_purpose() -> None:
    schema = Schemas([], [Whole]).components["Part"]
    assert schema["required"] == ["firstName", "second", "sent", "plain"]


def test_what_is_sent_may_lack_what_has_a_default() -> None:
    assert Schemas([Whole], [Part]).components["Part"]["required"] == ["firstName", "second"]


def test_docstrings_describe_types_and_fields() -> None:
    schema = Schemas([], [Whole]).components["Part"]
    assert schema["description"] == "A part."
    assert schema["properties"]["firstName"]["description"] == "of somebody with a long one."
    assert schema["properties"]["second"] == {
        "$ref": "#/components/schemas/Evidence",
        "description": "of somebody with a long one.",
    }
    assert "description" not in schema["properties"]["plain"]


def test_a_type_without_a_name_of_its_own_is_found_by_its_parts() -> None:
    schemas = Schemas([dict[str, str]], [list[Whole]])
    assert schemas.of(dict[str, str]) == {"type": "object", "additionalProperties": {"type": "string"}}
    assert schemas.of(list[Whole]) == {"type": "array", "items": {"$ref": "#/components/schemas/Whole"}}
    assert list(schemas.components) == ["Evidence", "Failed", "Part", "Whole"]


def test_a_failure_is_told_from_every_success_by_its_schema() -> None:
    failed = {"$ref": "#/components/schemas/Failed"}
    check(failed, {"success": False, "cause": "x"})
    for other in ({"success": True, "cause": "x"}, {"success": False}, {"cause": "x"}):
        assert not Draft202012Validator(DOCUMENT | failed).is_valid(other)


# Made up operations


class Selection(msgspec.Struct):
    """What to select.

    Attributes:
        names: separated by commas.
    """

    names: str
    kind: Evidence = Evidence.INFERRED


class Answer(msgspec.Struct):
    id: str


async def succeed(_controller: Controller, _call: Call[Any, Any]) -> Answer:
    raise NotImplementedError


async def fail(_controller: Controller, _call: Call[Any, Any]) -> Answer | Failed:
    raise NotImplementedError


async def only_fail(_controller: Controller, _call: Call[Any, Any]) -> Failed:
    raise NotImplementedError


def made_up(**fields: Any) -> Operation:
    given: dict[str, Any] = {
        "name": "x",
        "section": Section.USERS,
        "method": "GET",
        "path": "/x",
        "summary": "X",
        "evidence": Evidence.INFERRED,
        "handler": succeed,
        "response": Answer,
    }
    return Operation(**(given | fields))


def described(**fields: Any) -> tuple[Any, Any]:
    row = made_up(**fields)
    document = json.loads(msgspec.json.encode(describe([row])))
    OpenAPIV31SpecValidator(document).validate()
    return document["paths"][row.path][row.method.lower()], document


def test_path_and_query_become_parameters() -> None:
    operation, document = described(path="/x/{userId}/{key}", query=Selection)
    assert operation["parameters"] == [
        {"name": "userId", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        {
            "name": "names",
            "in": "query",
            "required": True,
            "description": "separated by commas.",
            "schema": {"type": "string", "description": "separated by commas."},
        },
        {
            "name": "kind",
            "in": "query",
            "required": False,
            "schema": {"$ref": "#/components/schemas/Evidence", "default": "inferred"},
        },
    ]
    assert list(document["components"]["schemas"]) == ["Answer", "Evidence", "Failed"]


def test_a_body_that_should_be_left_out_may_be_left_out() -> None:
    operation, _ = described(request=Answer, body_deprecated=True)
    assert operation["requestBody"]["required"] is False
    assert operation["requestBody"]["description"] == "Deprecated: the query says the same. At most 65536 octets."
    other = described(request=Answer, max_body=7)[0]["requestBody"]
    assert (other["required"], other["description"]) == (True, "At most 7 octets.")


@pytest.mark.parametrize(
    ("fields", "fails"),
    [
        ({}, False),
        ({"handler": fail}, True),
        ({"handler": only_fail, "response": Failed}, True),
        ({"request": Answer}, True),
        ({"query": Selection}, True),
    ],
)
def test_an_operation_can_fail_if_what_it_is_sent_can_be_wrong_or_it_says_so(
    fields: dict[str, Any], *, fails: bool
) -> None:
    assert can_fail(made_up(**fields)) is fails
    schema = described(**fields)[0]["responses"]["200"]["content"]["application/json"]["schema"]
    assert ("anyOf" in schema) is fails


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, {401}),
        ({"roles": None}, set()),
        ({"roles": None, "refusals": (401, 429)}, {401, 429}),
        ({"roles": frozenset({Role.OPERATOR})}, {401, 403}),
        ({"path": "/x/{key}"}, {401, 404}),
    ],
)
def test_an_operation_has_the_statuses_that_follow_from_its_row(fields: dict[str, Any], more: set[int]) -> None:
    anywhere = {400, 408, 413, 414, 431, 500, 503}
    assert set(statuses(made_up(**fields))) == anywhere | more
    responses = described(**fields)[0]["responses"]
    assert set(map(int, responses)) == {200} | anywhere | more


def test_a_refusal_has_the_form_of_its_operation_or_that_of_the_server() -> None:
    _, document = described(refusal=not_logged_in)
    responses = document["components"]["responses"]
    assert responses["NotLoggedIn401"]["content"]["application/json"]["schema"] == {
        "anyOf": [{"$ref": "#/components/schemas/NotLoggedIn"}, {"$ref": "#/components/schemas/Failed"}]
    }
    assert list(responses["NotLoggedIn401"]["headers"]) == ["WWW-Authenticate"]
    assert responses["Failed500"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failed"}


def test_a_link_is_there_if_the_other_operation_is(monkeypatch: pytest.MonkeyPatch) -> None:
    links = (Link("y", {"id": "$response.body#/id"}), Link("nowhere", {}))
    monkeypatch.setattr(openapi, "LINKS", {"x": links})
    document = json.loads(
        msgspec.json.encode(describe([made_up(), made_up(name="y", path="/y/{id}"), made_up(name="z", path="/z")]))
    )
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"]["/x"]["get"]["responses"]["200"]["links"] == {
        "y": {"operationId": "y", "parameters": {"id": "$response.body#/id"}}
    }
    assert "links" not in document["paths"]["/z"]["get"]["responses"]["200"]


# Examples, links and answers


def test_every_status_that_is_explained_is_used() -> None:
    assert {403, *(status for row in ROUTES for status in statuses(row))} | {404} == set(STATUSES)


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.name)
def test_the_examples_of_an_operation_fit_its_types_and_schemas(row: Operation) -> None:
    examples = EXAMPLES[row.name]
    operation = operation_of(row)
    assert examples.answers
    for answer in examples.answers.values():
        msgspec.convert(answer, Failed if "cause" in answer else row.response)
        check(operation["responses"]["200"]["content"]["application/json"]["schema"], answer)
    assert bool(examples.requests) is (row.request is not None)
    for request in examples.requests.values():
        msgspec.convert(request, row.request)
        check(operation["requestBody"]["content"]["application/json"]["schema"], request)
    parameters = {parameter["name"]: parameter for parameter in operation.get("parameters", [])}
    assert set(examples.parameters) == set(parameters)
    for name, value in examples.parameters.items():
        check(parameters[name]["schema"], value)


def test_examples_and_links_are_of_operations_that_there_are() -> None:
    names = {row.name for row in ROUTES}
    assert set(EXAMPLES) <= names
    assert {*LINKS, *(link.operation for links in LINKS.values() for link in links)} <= names


def test_the_example_of_a_login_is_the_hash_of_the_password_operator_and_the_token_of_the_example() -> None:
    # printf '%s' 'operator>2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V' | sha256sum
    assert EXAMPLES["getLoginToken"].answers["token"]["token"] == ">2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V"
    assert EXAMPLES["login"].requests["operator"]["password"] == (
        "5e19807974f3ee30ce0bbb65d620d8f79fac571bd89e275f4670ef3f227adff0"
    )


@pytest.mark.parametrize(("method", "path"), [("GET", "/login"), ("GET", "/system_state"), ("POST", "/logout")])
def test_an_answer_fits_its_schema(core: Core, method: str, path: str) -> None:
    reply = core.call(method, f"/v1{path}", session=core.login())
    check(
        DOCUMENT["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"],
        reply.content,
    )


def test_a_refused_login_fits_its_schema(core: Core) -> None:
    reply = core.call("POST", "/v1/login", body={"username": "operator", "password": "wrong"})
    reference = DOCUMENT["paths"]["/login"]["post"]["responses"][str(reply.status)]["$ref"].rpartition("/")[2]
    check(DOCUMENT["components"]["responses"][reference]["content"]["application/json"]["schema"], reply.content)
    assert msgspec.json.decode(reply.octets, type=NotLoggedIn).message == "Login failed"
