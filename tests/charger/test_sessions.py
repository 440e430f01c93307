"""The table of sessions."""

from nfcbridge.charger.roles import Role
from nfcbridge.charger.sessions import MAX_SESSIONS, SESSION_TIMEOUT, Sessions


def test_sessions_that_ended_are_dropped_when_the_next_is_opened() -> None:
    sessions = Sessions()
    first = sessions.open(Role.OPERATOR, 0.0)
    second = sessions.open(Role.OPERATOR, 1.0)
    sessions.use(first.id, 2.0)
    sessions.open(Role.USER, 1.0 + SESSION_TIMEOUT)
    assert len(sessions) == 2
    assert sessions.use(first.id, 1.0 + SESSION_TIMEOUT) is first
    assert sessions.use(second.id, 1.0 + SESSION_TIMEOUT) is None


def test_the_largest_number_is_kept_and_one_more_ends_the_one_unused_for_longest() -> None:
    sessions = Sessions()
    every = [sessions.open(Role.OPERATOR, 0.0) for _ in range(MAX_SESSIONS)]
    assert sessions.use(every[0].id, 1.0) is every[0]
    sessions.open(Role.OPERATOR, 1.0)
    assert len(sessions) == MAX_SESSIONS
    assert sessions.use(every[0].id, 1.0) is every[0]
    assert sessions.use(every[1].id, 1.0) is None
    assert sessions.use(every[2].id, 1.0) is every[2]


def test_everybody_can_be_logged_out() -> None:
    sessions = Sessions()
    session = sessions.open(Role.OPERATOR, 0.0)
    sessions.close_all()
    assert sessions.use(session.id, 0.0) is None


def test_who_is_logged_out_stays_so() -> None:
    sessions = Sessions()
    session = sessions.open(Role.OPERATOR, 0.0)
    for out in (session, session, None):
        sessions.close(out)
        assert sessions.use(session.id, 0.0) is None
