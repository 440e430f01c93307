"""Which completed transactions are selected by time, and what they come to."""

from urllib.parse import quote

import pytest

from nfcbridge.charger.point.transaction import Transaction
from tests.charger.core import Core

# Start and end, minutes and kWh.
DONE = [
    ("2019-11-23T19:35:43.511Z", "2019-11-23T20:35:43.511Z", 60, 3.7),
    ("2019-11-23T21:00:00.000Z", "2019-11-24T19:35:43.511Z", 1355, 0.1),
    ("2019-11-24T20:00:00.000Z", "2019-11-24T20:30:00.000Z", 30, 0.2),
]


@pytest.fixture
def session(core: Core) -> str:
    shelf = core.controller.store.transactions
    for number, (start, end, duration, consumption) in enumerate(DONE, 1):
        done = Transaction(
            transaction_id=number,
            user_id="",
            user_name="",
            tag_id="a",
            start=start,
            end=end,
            duration=duration,
            consumption=consumption,
        )
        core.controller.store.keep_now(shelf.put(number, done))
    return core.login()


def selected(core: Core, session: str, **times: str) -> list[int]:
    query = "&".join(f"{name.strip('_')}={quote(value)}" for name, value in times.items())
    reply = core.call("GET", f"/v1/transactions?{query}", session=session)
    summary = core.call("GET", f"/v1/transactions/summary?{query}", session=session).content
    numbers = [each["transactionId"] for each in reply.content]
    assert summary == {
        "transactionCount": len(numbers),
        "totalDuration": sum(DONE[number - 1][2] for number in numbers),
        "totalConsumption": round(sum(DONE[number - 1][3] for number in numbers), 3),
    }
    return numbers


@pytest.mark.parametrize(
    ("since", "numbers"),
    [
        ("2019-11-23T19:35:43.511Z", [1, 2, 3]),
        ("2019-11-23T19:35:43.511000Z", [1, 2, 3]),
        ("2019-11-23T19:35:43.510999Z", [1, 2, 3]),
        ("2019-11-23T19:35:43.510001Z", [1, 2, 3]),
        ("2019-11-23T19:35:43.511001Z", [2, 3]),
        ("2019-11-23T19:35:43.512Z", [2, 3]),
        ("2019-11-23T20:35:43.511+01:00", [1, 2, 3]),
        ("2019-11-23T20:35:43.512+01:00", [2, 3]),
        ("2019-11-24T20:00:00Z", [3]),
        ("2019-11-24T20:00:00.001Z", []),
        ("0001-01-01T00:00:00+14:00", [1, 2, 3]),
        ("9999-12-31T23:59:59.9999Z", []),
        ("9999-12-31T23:59:59-12:00", []),
    ],
)
def test_from_selects_what_started_then_or_later(core: Core, session: str, since: str, numbers: list[int]) -> None:
    assert selected(core, session, from_=since) == numbers


@pytest.mark.parametrize(
    ("until", "numbers"),
    [
        ("2019-11-23T20:35:43.510Z", []),
        ("2019-11-23T20:35:43.510999Z", []),
        ("2019-11-23T20:35:43.511Z", [1]),
        ("2019-11-24T19:35:43.511Z", [1, 2]),
        ("2019-11-24T19:35:43.511999Z", [1, 2]),
        ("2019-11-24T19:35:43.510Z", [1]),
        ("2019-11-24T20:30:00Z", [1, 2, 3]),
        ("0001-01-01T00:00:00+14:00", []),
        ("9999-12-31T23:59:59-12:00", [1, 2, 3]),
    ],
)
def test_to_selects_what_ended_then_or_sooner(core: Core, session: str, until: str, numbers: list[int]) -> None:
    assert selected(core, session, to=until) == numbers


def test_both_select_what_is_between_them(core: Core, session: str) -> None:
    assert selected(core, session) == [1, 2, 3]
    assert selected(core, session, from_="2019-11-23T20:00:00Z", to="2019-11-24T20:00:00Z") == [2]
    assert selected(core, session, from_="2019-11-23T20:00:00Z", to="2019-11-23T20:00:00Z") == []


@pytest.mark.parametrize("target", ["/transactions", "/transactions/summary"])
def test_an_end_before_the_beginning_is_refused(core: Core, session: str, target: str) -> None:
    query = "from=2019-11-23T20:00:00.000001Z&to=2019-11-23T20:00:00Z"
    reply = core.call("GET", f"/v1{target}?{query}", session=session)
    assert reply.content == {"success": False, "cause": "invalid parameter 'to'"}
