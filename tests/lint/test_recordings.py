"""The linter on what phones really do with our card: it finds what is wrong with them, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nfcbridge import phones
from nfcbridge.cli.demo import login_state_logout
from nfcbridge.errors import CommandError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.phones import AndroidStyle, Conversation, Script
from nfcbridge.text import encode_text
from nfcbridge.type4 import SW, detect, write
from tests.foreign.echo_app import app as echo
from tests.lint.recording import PASSWORD, USER, findings, record

Play = Callable[[Conversation], Script[None]]

GOOD: dict[str, Play] = {
    "ours": phones.ours,
    "close and connect": lambda conversation: phones.android(conversation, AndroidStyle.CLOSE_AND_CONNECT),
    "IsoDep": lambda conversation: phones.android(conversation, AndroidStyle.ISO_DEP),
}


def read_at_once(conversation: Conversation) -> Script[None]:
    return phones.android(conversation, AndroidStyle.READ_AT_ONCE)


def say(*requests: str) -> Conversation:
    for request in requests:  # noqa: UP028 - the phone sends answers in, and a tuple takes none
        yield request


@pytest.mark.parametrize("name", GOOD)
def test_phones_that_work_have_no_findings_on_either_side(name: str, tmp_path: Path) -> None:
    for path in record(tmp_path, GOOD[name], login_state_logout(USER, PASSWORD)):
        assert [(finding.rule.id, finding.what) for finding in findings(path)] == []


def test_nfcpy_selects_its_file_before_each_read_and_does_nothing_else_wrong(tmp_path: Path) -> None:
    for path in record(tmp_path, phones.nfcpy, login_state_logout(USER, PASSWORD)):
        assert [finding.rule.id for finding in findings(path)] == ["NB205"] * 4


def test_android_reading_at_once_has_exactly_that_for_a_finding(tmp_path: Path) -> None:
    for path in record(tmp_path, read_at_once, login_state_logout(USER, PASSWORD)):
        assert [finding.rule.id for finding in findings(path)] == ["NB307"]


def test_a_long_request_and_a_long_answer_in_many_parts_are_good(tmp_path: Path) -> None:
    text = '{"path":"/echo","method":"POST","messageID":%d},{"n":"' + "x" * 3000 + '"}'
    for play in GOOD.values():
        for path in record(tmp_path, play, say(text % 1, text % 2), app=echo):
            assert [(finding.rule.id, finding.what) for finding in findings(path)] == []


FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        # The fault for which nfcpy was mended: without Le the tag does not know its own application.
        ("retyped/nfcpy-168-before", ["NB208"]),
        ("retyped/nfcpy-168-after", []),
        ("retyped/nfcpy-168-android", []),
        # An app of a phone that writes a text on any tag.
        ("retyped/so-25958299", []),
        # A CC that Android refuses, since its file has FFFE octets; an iPhone reads it in parts.
        ("retyped/so-64875537", ["NB201", "NB205", "NB207"]),
    ],
)
def test_exchanges_that_people_asked_about(name: str, found: list[str]) -> None:
    assert [finding.rule.id for finding in findings(FIXTURES / f"{name}.jsonl")] == found


def write_only(conversation: Conversation) -> Script[None]:
    """An app that never reads."""
    info = yield from detect()
    for text in conversation:
        try:
            yield from write(info, encode_text(text), ours=True)
        except CommandError as error:
            assert error.sw == SW.NOT_NOW  # noqa: PT017 - what happens depends on the card


REQUESTS = ('{"path":"/echo","method":"GET","messageID":1}', '{"path":"/echo","method":"GET","messageID":2}')


def test_an_app_that_never_reads_is_told_why_its_write_is_refused(tmp_path: Path) -> None:
    for path in record(tmp_path, write_only, say(*REQUESTS), app=echo):
        assert [finding.rule.id for finding in findings(path)] == ["NB308"]


def test_where_the_card_lets_a_write_replace_the_answer_the_same_app_pipelines(tmp_path: Path) -> None:
    card, _ = record(tmp_path, write_only, say(*REQUESTS), app=echo, exchange=ExchangeConfig(replace=True))
    assert [finding.rule.id for finding in findings(card)] == ["NB401", "NB402"]


def test_a_foreign_application_has_no_sessions_to_be_judged(tmp_path: Path) -> None:
    card, _ = record(tmp_path, phones.ours, say('{"path":"/echo","method":"GET","messageID":1}'), app=echo)
    assert findings(card) == []
