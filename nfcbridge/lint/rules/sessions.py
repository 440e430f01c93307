"""NB5xx: logins, sessions and calls, as the API reference of the charge controller has them."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.lint.calls import FIRST_ERROR, LOGIN, UNAUTHORIZED
from nfcbridge.lint.facts import Call, LoginTried, SessionUsed
from nfcbridge.lint.known import Known
from nfcbridge.lint.rule import Hit, Severity, rule

SESSION_TIMEOUT: Final = 60.0
"""Seconds without a call after which a session ends."""

MAX_QUERIES: Final = {("GET", "/settings", "params"): 4000, ("DELETE", "/whitelist", "ids"): 1000}
"""Characters that the values of queries may have, by method, path and name."""

DEPRECATED_BODIES: Final = frozenset({("GET", "/settings"), ("DELETE", "/whitelist")})
"""Calls whose body a query has replaced."""

AUTHENTICATION: Final = "the API reference, App User Authentication"
SESSION: Final = "the API reference, Login and session authorization"


@rule(
    "NB501",
    Severity.ERROR,
    SessionUsed,
    what="A session was used after it had timed out.",
    why="A session ends 60 s after its last call; whatever comes then is answered 401.",
    source=SESSION,
    mend="Log in again after a pause, or keep the session alive with a call within each minute.",
)
def session_after_timeout(fact: SessionUsed, _known: Known) -> Iterator[Hit]:
    """More than 60 s, and nothing shows that the session was alive."""
    answer = fact.exchange.answer
    status = answer.answer.status if answer is not None and answer.answer is not None else UNAUTHORIZED
    if fact.pause > SESSION_TIMEOUT and status == UNAUTHORIZED and not fact.ended:
        places = (fact.before.request, fact.exchange.request)
        yield Hit(f"the session was used {fact.pause:.1f} s after its last call", places)


@rule(
    "NB502",
    Severity.ERROR,
    LoginTried,
    what="A login token was used again.",
    why="Each token is good for one login attempt, also for one that fails, and asking for the next one voids it.",
    source=AUTHENTICATION,
    mend="GET /login before each POST /login, and hash the password with that token.",
)
def token_reused(fact: LoginTried, _known: Known) -> Iterator[Hit]:
    """No token was asked for in between, or the hash is one from before."""
    if fact.reused is not None:
        yield Hit("this login has a token that was used before", (fact.reused, fact.message))


@rule(
    "NB503",
    Severity.WARNING,
    Call,
    what="A call has a body where there should be a query.",
    why="The body is deprecated and should no longer be used; a later version of the interface may not read it.",
    source="the API reference, GET /settings and DELETE /whitelist",
    mend="Name parameters in ?params=A,B and whitelist entries in ?type=local&ids=a,b.",
)
def deprecated_body(fact: Call, _known: Known) -> Iterator[Hit]:
    """One of the two calls, with content."""
    if (fact.request.method, fact.path) in DEPRECATED_BODIES and fact.request.content:
        yield Hit(f"{fact.request.method} {fact.path} has a body", (fact.message,))


@rule(
    "NB504",
    Severity.ERROR,
    Call,
    what="A query is too long.",
    why="The query params has 4,000 characters at most and ids 1,000, commas included; more is answered 414.",
    source="the API reference, GET /settings and DELETE /whitelist",
    mend="Ask in several calls.",
)
def query_too_long(fact: Call, _known: Known) -> Iterator[Hit]:
    """One character too many."""
    for name, value in fact.query.items():
        most = MAX_QUERIES.get((fact.request.method, fact.path, name))
        if most is not None and len(value) > most:
            yield Hit(f"{name} has {len(value)} characters, and {most} are the most", (fact.message,))


@rule(
    "NB505",
    Severity.ERROR,
    Call,
    what="A call has no session.",
    why="Only /login is available without one; any other call is answered 401.",
    source=SESSION,
    mend="Log in, and put the session id into authorization.",
)
def session_missing(fact: Call, _known: Known) -> Iterator[Hit]:
    """No authorization, or an empty one."""
    if fact.path != LOGIN and not (fact.request.authorization or "").strip():
        yield Hit("the request has no authorization", (fact.message,))


@rule(
    "NB506",
    Severity.ERROR,
    SessionUsed,
    what="A session was used after its logout.",
    why="A logout ends the session; whatever comes then is answered 401.",
    source="the API reference, Logout",
    mend="Log in again.",
)
def session_after_logout(fact: SessionUsed, _known: Known) -> Iterator[Hit]:
    """Unless the answer shows that it was alive."""
    answer = fact.exchange.answer
    alive = answer is not None and answer.answer is not None and answer.answer.status < FIRST_ERROR
    if fact.ended and not alive:
        yield Hit("the session was used after its logout", (fact.before.request, fact.exchange.request))


@rule(
    "NB507",
    Severity.ERROR,
    LoginTried,
    what="The password of a login is no SHA-256 hash.",
    why="What is expected is the hash of password and token; anything else fails, and a password in clear can be heard "
    "by any antenna nearby.",
    source=AUTHENTICATION,
    mend="Send the 64 lower-case hexadecimal digits of SHA-256 over password and token, as UTF-8.",
)
def password_not_hashed(fact: LoginTried, _known: Known) -> Iterator[Hit]:
    """Not 64 lower-case digits."""
    if not fact.hashed:
        yield Hit("the password is not 64 lower-case hexadecimal digits", (fact.message,))
