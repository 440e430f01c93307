"""What schemathesis has to know of this interface beside its OpenAPI document: how to log in, and what a refusal is.

Loaded by `schemathesis run`, see `test_schemathesis.py`.
"""

import json
import os
from hashlib import sha256
from http.client import HTTPConnection
from typing import Any

import schemathesis
from schemathesis import AuthContext, Case, CheckContext, Response
from schemathesis.specs.openapi.checks import negative_data_rejection, use_after_free

ADDRESS = os.environ["API_ADDRESS"]
USER = os.environ["API_USER"]
PASSWORD = os.environ["API_PASSWORD"]


class Login:
    """A session for a case."""

    def get(self, _case: Case[Any], _context: AuthContext) -> str:
        """Log in; the id of the session."""
        connection = HTTPConnection(ADDRESS, timeout=20.0)
        try:
            token = _ask(connection, "GET")["token"]
            hashed = sha256((PASSWORD + token).encode()).hexdigest()
            answer = _ask(connection, "POST", json.dumps({"username": USER, "password": hashed}))
            session: str = answer["session"]["session_id"]
            return session
        finally:
            connection.close()

    def set(self, case: Case[Any], session: str, _context: AuthContext) -> None:
        """Send it."""
        case.headers["Authorization"] = session


def _ask(connection: HTTPConnection, method: str, body: str | None = None) -> Any:
    connection.request(method, "/v1/login", body)
    return json.loads(connection.getresponse().read())


# A logout ends its session, so it has one of its own each time.
schemathesis.auth(refresh_interval=None).apply_to(path="/logout")(Login)
schemathesis.auth(refresh_interval=30).skip_for(path="/logout")(Login)


def is_application_failure(response: Response) -> bool:
    """Whether this refuses what was asked for: with status 200, so that the cause reaches a phone."""
    try:
        content = response.json()
    except ValueError:
        return False
    return response.status_code == 200 and isinstance(content, dict) and content.get("success") is False


@schemathesis.check
def wrong_data_is_refused(context: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """`negative_data_rejection`, to which an application failure is a refusal."""
    return None if is_application_failure(response) else negative_data_rejection(context, response, case)


@schemathesis.check
def nothing_deleted_is_used(context: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """`use_after_free`, to which an application failure is a refusal."""
    return None if is_application_failure(response) else use_after_free(context, response, case)
