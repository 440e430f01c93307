"""Rules of messages, sessions and calls at their edges."""

import pytest

from nfcbridge.lint.calls import SESSIONS
from nfcbridge.lint.header_text import MAX_KEYS, MAX_NAMED, name_key, read_header_text
from nfcbridge.lint.talk import LARGE_STEP, MIN_TIMESTAMP, REMEMBERED_IDS, judge_step
from nfcbridge.trace import Header
from tests.lint.told import APDUS, DETECTED, IDLE_READ, exchange, findings, rules, take, talk, write

GET, TOKEN = '{"path":"/login","method":"GET","messageID":1}', '{"messageID":1,"statusCode":200},{"token":"a"}'
BAD = '{"messageID":1,"statusCode":400}'
BEGUN = (*DETECTED, *IDLE_READ)


def get(message_id: object) -> str:
    return f'{{"path":"/login","method":"GET","messageID":{message_id}}}'


def answer(message_id: object, status: int = 200) -> str:
    return f'{{"messageID":{message_id},"statusCode":{status}}}'


def ids(*message_ids: object) -> list[str]:
    """What is found in a conversation with these messageIDs."""
    return talk(*(text for message_id in message_ids for text in (get(message_id), answer(message_id))))


@pytest.mark.parametrize(
    ("request_text", "answer_text", "found"),
    [
        ('{"path":"/login","method":"GET"}', '{"messageID":null,"statusCode":200}', ["NB408"]),
        ('{"method":"GET","messageID":1}', BAD, ["NB408"]),
        (GET, '{"messageID":1}', ["NB408"]),
        (GET, '{"statusCode":200}', ["NB408", "NB406"]),
        (GET, '{"messageID":1,"statusCode":200,"date":0}', ["NB409"]),
        (GET, '{"messageID":1,"statusCode":200,"statusCode":200}', ["NB410"]),
        (GET, '{"messageID":1,"statusCode":200}{"token":"a"}', ["NB411"]),
        (GET, '{"messageID":1, "statusCode":200}', ["NB412"]),
        (GET, '{"messageID":1,"statusCode":"200"}', ["NB414"]),
        (GET + '{"a":1}', BAD, ["NB411"]),
        (GET + ";", BAD, ["NB411"]),
        (GET + ",", BAD, ["NB414"]),
        (GET + ',{"a":1},{"b":2}', BAD, ["NB414"]),
        ("", BAD, ["NB414"]),
        ("[]", BAD, ["NB414"]),
        ("hello", BAD, ["NB414"]),
        ('{"path":"/login","method":"get","messageID":1}', BAD, ["NB414"]),
        ('{"path":"/login","method":"GET","messageID":{}}', BAD, ["NB414"]),
        ('{"path":"/login","method":"GET","MessageID":1}', '{"messageID":null,"statusCode":200}', ["NB408", "NB409"]),
        ('{"path":"//login","method":"GET","messageID":1}', BAD, ["NB416"]),
        ('{"path":"","method":"GET","messageID":1}', BAD, ["NB416"]),
    ],
)
def test_what_is_wrong_with_a_header(request_text: str, answer_text: str, found: list[str]) -> None:
    told = talk(request_text, answer_text)
    broken_answer = {"NB402"} if answer_text != BAD else set()  # what is no answer was not read as one
    assert [rule for rule in told if rule not in broken_answer] == found


def test_texts_that_a_tag_has_in_it_before_the_first_request_are_no_answers() -> None:
    assert rules(APDUS, *DETECTED, *take('{"messageID":1, "x":1}')) == []
    assert rules(APDUS, *DETECTED, *take("hello"), *exchange(GET, TOKEN)) == []


def test_what_does_not_look_like_an_answer_is_none() -> None:
    assert rules(APDUS, *BEGUN, *write(GET), *take("wait a moment"), *take(TOKEN)) == []


def test_the_request_read_back_is_no_answer() -> None:
    assert rules(APDUS, *BEGUN, *write(GET), *take(GET), *take(TOKEN)) == []


def test_a_long_name_of_a_key_is_cut_and_what_a_terminal_obeys_is_escaped() -> None:
    assert name_key("a" * MAX_NAMED) == repr("a" * MAX_NAMED)
    assert name_key("a" * (MAX_NAMED + 1)) == repr("a" * MAX_NAMED + "...")
    assert name_key("\x1b[2J") == r"'\x1b[2J'"


def test_of_a_header_with_many_keys_the_first_are_looked_at() -> None:
    text = "{" + ",".join(f'"{number}":0' for number in range(MAX_KEYS + 1)) + "}"
    assert len(read_header_text(text).keys) == MAX_KEYS


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 50_000, '{"a":' + "9" * 5000 + "}", '{"a":1e999999}', "\ud800"]
)
def test_any_text_can_be_read(text: str) -> None:
    read_header_text(text)


@pytest.mark.parametrize(
    ("message_ids", "found"),
    [
        ((1, 2, 3), []),
        ((41, 42), []),
        ((1, 3, 4), ["NB403"]),
        ((5, 3), ["NB403"]),
        ((1, 3, 9000, 9001), ["NB403", "NB403"]),
        ((1, 9000, 3), ["NB404"]),
        ((1, 9000, 3, 8000, 2), ["NB404"]),
        ((1, 9000, 9001), ["NB403"]),
        ((1, 9000, 9000), ["NB403", "NB405"]),
        ((1, 9000, 9002), ["NB403", "NB403"]),
        ((1, 2, 1, 2), ["NB405", "NB405"]),
        ((1700000000000, 1700000002543, 1700000009000), ["NB403", "NB403"]),
        (('"a-1"', '"a-2"'), ["NB415"]),
        (('"a-1"', '"b-2"', '"c-3"'), ["NB415", "NB404"]),
        (('"x"', '"y"'), ["NB415", "NB403"]),
        (('"cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"', '"0f0e0d0c-5e5f-4587-8a1a-a2e83ae99fff"'), ["NB415", "NB404"]),
        ((1.5, 2.5), ["NB403"]),
    ],
)
def test_how_message_ids_are_counted(message_ids: tuple[object, ...], found: list[str]) -> None:
    assert sorted(ids(*message_ids)) == sorted(found)


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        (b"1", b"2", None),
        (b"-1", b"1", True),
        (b"1", b"%d" % (1 + LARGE_STEP), False),
        (b"1", b"%d" % (2 + LARGE_STEP), True),
        (b"%d" % (MIN_TIMESTAMP + 1), b"%d" % (MIN_TIMESTAMP + 5000), False),
        (b"%d" % MIN_TIMESTAMP, b"%d" % (MIN_TIMESTAMP + 5000), True),
        (b"%d" % (MIN_TIMESTAMP + 5000), b"%d" % (MIN_TIMESTAMP + 1), True),
        (b'"7"', b'"8"', None),
        (b'"caf\xc3\xa9 7"', b'"caf\xc3\xa9 8"', None),
        (b'"\xff"', b'"8"', True),
    ],
)
def test_steps_between_message_ids(old: bytes, new: bytes, step: bool | None) -> None:
    assert judge_step(old, new) is step


def test_a_conversation_begins_anew_when_the_phone_has_left() -> None:
    first = (*BEGUN, *exchange(get(7), answer(7)), *exchange(get(9), answer(9)))
    assert rules(APDUS, *first, "-", *BEGUN, *exchange(get(7), answer(7))) == ["NB403"]


def test_a_wild_step_is_told_as_a_step_when_the_phone_leaves() -> None:
    first = (*BEGUN, *exchange(get(7), answer(7)), *exchange(get(9000), answer(9000)), "-")
    assert rules(APDUS, *first) == ["NB403"]


@pytest.mark.parametrize(("between", "found"), [(REMEMBERED_IDS - 1, ["NB405"]), (REMEMBERED_IDS, [])])
def test_so_many_message_ids_are_remembered(between: int, found: list[str]) -> None:
    lines = [*BEGUN]
    for message_id in (1, *range(2, between + 2), 1):
        lines += exchange(get(message_id), answer(message_id))
    told = rules(APDUS, *lines)
    assert [rule for rule in told if rule == "NB405"] == found


def test_a_message_id_that_came_twice_is_forgotten_after_the_second_time() -> None:
    lines = [*BEGUN]
    for message_id in (1, 1, *range(2, REMEMBERED_IDS + 1), 1, 1):
        lines += exchange(get(message_id), answer(message_id))
    assert rules(APDUS, *lines).count("NB405") == 3


def test_the_same_octets_may_be_written_again_where_no_answer_was_read() -> None:
    assert rules(APDUS, *BEGUN, *write(GET), "-", *BEGUN, *exchange(GET, TOKEN)) == []
    assert rules(APDUS, *BEGUN, *exchange(GET, TOKEN), *exchange(GET, TOKEN)) == ["NB405"]


@pytest.mark.parametrize(
    ("asked", "answered", "found"),
    [
        ("1.0", "1.0", []),
        ("1.0", "1", []),
        ('"a"', r'"\u0061"', ["NB415"]),
        ("1", '"1"', ["NB406"]),
        ("1", "null", ["NB406"]),
        ("1e999", "1", ["NB406"]),
        ("[", "1", ["NB414"]),
    ],
)
def test_an_echo_is_the_same_value(asked: str, answered: str, found: list[str]) -> None:
    assert talk(get(asked), answer(answered, 400)) == found


SESSION = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"
HASH = "0123456789abcdef" * 4
LOGIN = f'{{"path":"/login","method":"POST","messageID":2}},{{"username":"operator","password":"{HASH}"}}'
LOGGED_IN = f'{{"messageID":2,"statusCode":200}},{{"logged_in":true,"session":{{"session_id":"{SESSION}"}}}}'


def call(path: str, message_id: int, *, method: str = "GET", session: str = SESSION, content: str = "") -> str:
    header = f'{{"path":"{path}","method":"{method}","authorization":"{session}","messageID":{message_id}}}'
    return header + (f",{content}" if content else "")


def pause(count: int) -> list[str]:
    """So many steps of a second, as presence checks of nobody."""
    return ["+"] * count


@pytest.mark.parametrize("session", [SESSION, f"Bearer {SESSION}", f" {SESSION} "])
@pytest.mark.parametrize(
    ("wait", "status", "found"), [(3, 401, []), (70, 200, []), (70, 401, ["NB501"]), (70, 404, [])]
)
def test_a_session_ends_after_a_minute(session: str, wait: int, status: int, found: list[str]) -> None:
    lines = (*BEGUN, *exchange(GET, TOKEN), *exchange(LOGIN, LOGGED_IN), *pause(wait), *BEGUN[1:])
    told = rules(
        Header(level="apdus", clock="none"),
        *lines,
        *exchange(call("/settings", 3, session=session), answer(3, status)),
        step=1.0,
    )
    assert told == found


def test_a_session_that_was_refused_once_is_not_known_any_more() -> None:
    lines = (*BEGUN, *exchange(GET, TOKEN), *exchange(LOGIN, LOGGED_IN))
    for message_id in (3, 4):
        lines += (*pause(70), *BEGUN[1:], *exchange(call("/users", message_id), answer(message_id, 401)))
    assert rules(Header(level="apdus", clock="none"), *lines, step=1.0) == ["NB501"]


@pytest.mark.parametrize(("others", "found"), [(SESSIONS - 1, ["NB501"]), (SESSIONS, [])])
def test_so_many_sessions_are_remembered(others: int, found: list[str]) -> None:
    lines = (*BEGUN, *exchange(call("/users", 1), answer(1)))
    for number in range(others):
        lines += exchange(call("/users", number + 2, session=f"other-{number}"), answer(number + 2))
    lines += exchange(call("/users", others + 2), answer(others + 2, 401))
    assert rules(Header(level="apdus", clock="none"), *lines, step=20.0) == found


def test_a_call_whose_answer_nobody_read_was_too_late_as_far_as_anybody_knows() -> None:
    lines = (*BEGUN, *exchange(GET, TOKEN), *exchange(LOGIN, LOGGED_IN), *pause(70), *BEGUN[1:])
    told = rules(Header(level="apdus", clock="none"), *lines, *write(call("/users", 3)), step=1.0)
    assert told == ["NB402", "NB501"]


def test_after_a_logout_a_session_is_over_unless_the_answer_says_otherwise() -> None:
    lines = (*BEGUN, *exchange(GET, TOKEN), *exchange(LOGIN, LOGGED_IN))
    lines += exchange(call("/logout", 3, method="POST"), answer(3))
    assert rules(APDUS, *lines, *exchange(call("/v1/users/", 4), answer(4, 401))) == ["NB506"]
    assert rules(APDUS, *lines, *exchange(call("/users", 4), answer(4, 200))) == []


def test_a_login_that_was_answered_without_a_session_opens_none() -> None:
    for content in ("", ',{"logged_in":false}', ',{"session":7}', ",[]"):
        lines = (*BEGUN, *exchange(GET, TOKEN), *exchange(LOGIN, f'{{"messageID":2,"statusCode":200}}{content}'))
        assert rules(APDUS, *lines, *exchange(call("/users", 3), answer(3, 401))) == []


def login(password: str, message_id: int = 2) -> tuple[str, str]:
    text = f'{{"path":"/login","method":"POST","messageID":{message_id}}},{{"username":"o","password":{password}}}'
    return text, answer(message_id, 401)


@pytest.mark.parametrize(
    ("password", "found"),
    [
        (f'"{HASH}"', []),
        (f'"{HASH[1:]}"', ["NB507"]),
        (f'"{HASH}0"', ["NB507"]),
        (f'"{HASH.upper()}"', ["NB507"]),
        ('"secret"', ["NB507"]),
        ("7", []),
        ('""', []),
    ],
)
def test_a_password_is_64_lower_case_digits(password: str, found: list[str]) -> None:
    assert talk(GET, TOKEN, *login(password)) == found


def test_a_token_is_good_for_one_login() -> None:
    first, second = login(f'"{HASH}"'), login(f'"{HASH[::-1]}"', 3)
    assert talk(GET, TOKEN, *first, *second) == ["NB502"]
    assert talk(*first, *second) == ["NB502"]
    assert talk(*first, get(3), answer(3), *login(f'"{HASH[::-1]}"', 4)) == []
    assert talk(GET, TOKEN, *first, get(3), answer(3), *login(f'"{HASH}"', 4)) == ["NB502"]
    assert talk(GET, TOKEN, call("/login", 2, method="PUT"), answer(2, 405), *second) == []


def test_a_login_that_is_written_again_since_nobody_read_its_answer_is_no_second_one() -> None:
    first, refused = login(f'"{HASH}"')
    assert rules(APDUS, *BEGUN, *exchange(GET, TOKEN), *write(first), "-", *BEGUN, *exchange(first, refused)) == []


@pytest.mark.parametrize(
    ("method", "path", "content", "found"),
    [
        ("GET", "/settings", '{"params":["A_b"]}', ["NB503"]),
        ("GET", "/v1/settings", '{"params":["A_b"]}', ["NB503"]),
        ("POST", "/settings", '{"params":[]}', []),
        ("DELETE", "/whitelist", '{"type":"local","command":"delete","tags":[]}', ["NB503"]),
        ("GET", "/settings?params=" + "a" * 4000, "", []),
        ("GET", "/settings?params=" + "a" * 4001, "", ["NB504"]),
        ("GET", "/settings?params=" + "%61" * 4000, "", []),
        ("GET", "/settings?params=" + "a,b" * 1334, "", ["NB504"]),
        ("DELETE", "/whitelist?type=local&ids=" + "a" * 1000, "", []),
        ("DELETE", "/whitelist?type=local&ids=" + "a" * 1001, "", ["NB504"]),
        ("GET", "/users?ids=" + "a" * 5000, "", []),
        ("GET", "/settings?params=%ff%fe", "", []),
    ],
)
def test_calls_have_queries_of_a_certain_length_and_no_bodies(
    method: str, path: str, content: str, found: list[str]
) -> None:
    assert talk(call(path, 1, method=method, content=content), answer(1)) == found


@pytest.mark.parametrize(
    ("kind", "path", "found"),
    [
        ({}, "/system_state", ["NB505"]),
        ({}, "/v1/transactions/active", ["NB505"]),
        ({}, "/hello", []),
        ({}, "/", []),
        ({"kind": "charge controller"}, "/hello", ["NB505"]),
        ({"kind": "charge controller"}, "/login", []),
        ({"kind": "asgi"}, "/system_state", []),
        ({"kind": 7}, "/system_state", []),
    ],
)
def test_sessions_are_judged_where_the_application_is_ours(
    kind: dict[str, object], path: str, found: list[str]
) -> None:
    text = f'{{"path":"{path}","method":"GET","messageID":1}}'
    assert rules(Header(level="apdus", app=kind), *BEGUN, *exchange(text, answer(1))) == found


def test_an_empty_authorization_is_none() -> None:
    assert talk(call("/users", 1, session=" "), answer(1, 401)) == ["NB505"]


def test_no_finding_tells_a_session_a_password_or_what_stands_behind_a_question_mark() -> None:
    lines = [*BEGUN]
    for request, told in (
        (GET, TOKEN),
        (LOGIN, LOGGED_IN),
        (call("/settings?params=secret", 3, content='{"params":["secret"]}'), answer(3)),
        (call("/whitelist?ids=secret" + "s" * 1000, 4, method="DELETE"), answer(4)),
        (call("/logout", 5, method="POST"), answer(5)),
        (call("/users", 6), answer(6, 401)),
    ):
        lines += exchange(request, told)
    found = findings(APDUS, *lines)
    assert {finding.rule.id for finding in found} == {"NB503", "NB504", "NB506"}
    for finding in found:
        assert SESSION not in finding.what
        assert "secret" not in finding.what
