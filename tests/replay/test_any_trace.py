"""Whatever a trace has in it, a replay ends with a report, and a recorded card answers or is refused."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfcbridge.errors import NfcBridgeError
from nfcbridge.replay import replay_file
from nfcbridge.replay.link import open_reader
from nfcbridge.replay.report import Report
from tests.replay.recordings import lines_of, record_chores, write_lines

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
FRAMES = st.binary(max_size=40) | st.sampled_from(
    [bytes.fromhex(each) for each in ("e080", "f201", "f23b", "c2", "b2", "a3", "d011", "02", "1300d6", "0300b00000ff")]
)
LINES = st.builds(
    lambda t, who, octets, on: {"t": t, "dir": who, **({"on": on} if who == "field" else {"hex": octets.hex()})},
    st.floats(-1e3, 1e6),
    st.sampled_from(["reader", "card", "field"]),
    FRAMES,
    st.booleans(),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from(["blocks", "apdus"]) | JSON,
        "source": JSON,
        "clock": JSON,
        "seed": JSON,
        "card": JSON | st.dictionaries(st.sampled_from(["uid", "ats", "mle", "idle", "hold", "not_ready"]), JSON),
        "app": JSON | st.dictionaries(st.sampled_from(["kind", "speed", "driven", "scenario", "passwords"]), JSON),
    },
)
Change = tuple[str, int, dict[str, Any]]
CHANGES = st.lists(st.tuples(st.sampled_from(["drop", "add", "replace"]), st.integers(1, 300), LINES), max_size=4)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_chores(tmp_path_factory.mktemp("any") / "recorded.jsonl")


def change(lines: list[dict[str, Any]], changes: list[Change]) -> None:
    for how, where, line in changes:
        where = min(where, len(lines) - 1)  # noqa: PLW2901 - within the trace
        if how != "add":
            lines.pop(where)
        if how != "drop":
            lines.insert(where, line)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=CHANGES, header=HEADERS | st.just({}), level=st.sampled_from(["frame", "message", None]))
def test_a_replay_of_anything_ends_with_a_report(
    changes: list[Change], header: dict[str, Any], level: str | None, recorded: Path
) -> None:
    lines = lines_of(recorded)
    change(lines, changes)
    lines[0] |= header
    path = write_lines(recorded.with_name("changed.jsonl"), lines)
    report = replay_file(path, level=level)
    assert isinstance(report, Report)
    assert report.lines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=CHANGES, header=HEADERS | st.just({}), frames=st.lists(FRAMES.filter(bool), max_size=8))
def test_a_card_of_anything_answers_or_is_refused(
    changes: list[Change], header: dict[str, Any], frames: list[bytes], recorded: Path
) -> None:
    lines = lines_of(recorded)
    change(lines, changes)
    lines[0] |= header
    path = write_lines(recorded.with_name("changed.jsonl"), lines)
    with contextlib.suppress(NfcBridgeError):
        end = open_reader(str(path))
        end.activate(0.0)
        for frame in frames:
            end.transceive(frame, 0.0)
        end.close()


@given(octets=st.binary(max_size=200))
def test_octets_that_are_no_trace_are_an_error(octets: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "octets.jsonl"
    path.write_bytes(octets)
    report = replay_file(path)
    assert report.error
    json.dumps(report.lines())
