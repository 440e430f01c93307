"""The linter on any entries: it never raises, keeps nothing but what it must, and points at entries that there are."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.lint import RULES, Finding, Linter, Severity
from nfcbridge.lint.report import finding_as_data
from nfcbridge.lint.sarif import format_result
from nfcbridge.trace import Dir, Entry, Header, TraceFile
from tests.lint.test_fixtures import FOLDER, path_of
from tests.lint.told import APDUS, DETECTED, IDLE_READ, exchange, update, write
from tests.trace.lines import entries as trace_of

HEADERS = (
    Header(level="blocks", source="nfcbridge 0.1.0 card"),
    Header(level="blocks", source="somebody", clock=None),
    Header(level="apdus", clock={"kind": "monotonic"}),
    Header(level="apdus", card={"ats": "zz"}, app={"kind": "asgi"}, clock={"kind": ["driven"]}),
)

SAID = """
e080 e000 0578808002 0575f08002 02 03 a2 a3 b2 b3 c2 f201 f23b f200 f2 d011 d0110f 60 12 0a01
0200a4040007d276000085010100 029000 039000 026a82 0200b0000002 0300039000 0200d60000020000
00a4040007d276000085010100 9000 6985 6a84 00a4000c02e103 00b000000f 00b0000002 00b00000 00a4000c02e104
000f2000fb00f80406e1047fff00009000 000f3000fb00f80608e10400007fff00009000
00d60000020003 00d6000203d00000 00d600000503d00000 00d67ffe020000 00b0000203 d000009000
"""
FRAMES = [bytes.fromhex(octets) for octets in SAID.split()]

entries = st.lists(
    st.tuples(
        st.floats(0, 100, allow_nan=False),
        st.sampled_from(Dir),
        st.sampled_from(FRAMES) | st.binary(min_size=1, max_size=64),
        st.booleans(),
    ),
    max_size=60,
)


def run(header: Header, told: list[tuple[float, Dir, bytes, bool]]) -> list[Finding]:
    linter = Linter(header)
    found = []
    for number, (t, who, octets, on) in enumerate(told, 1):
        found += linter.receive(Entry(t, who, b"" if who is Dir.FIELD else octets, on, number))
    return found + linter.close()


@given(st.sampled_from(HEADERS), entries)
def test_it_never_raises_and_points_at_entries_that_there_are(
    header: Header, told: list[tuple[float, Dir, bytes, bool]]
) -> None:
    for finding in run(header, told):
        assert finding.rule.id in RULES
        assert finding.places
        for place in finding.places:
            assert 1 <= place.first <= place.last <= len(told)
        msgspec.json.encode(finding_as_data(finding, "t.jsonl"))
        format_result(finding, "t.jsonl")


@given(st.data(), st.sampled_from(sorted(FOLDER.glob("*.bad.jsonl"))))
def test_traces_with_octets_changed_and_entries_missing_are_linted_too(data: st.DataObject, path: object) -> None:
    with TraceFile(str(path)) as trace:
        told = [(entry.t, entry.dir, entry.octets, entry.on) for entry in trace]
        header = trace.header
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(told) - 1))
        t, who, octets, on = told[index]
        if octets and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(octets) - 1))
            told[index] = t, who, octets[:at] + data.draw(st.binary(max_size=2)) + octets[at + 1 :] or b"\0", on
        else:
            del told[index]
        if not told:
            return
    run(header, told)


def test_chosen_rules_alone_are_held_against_a_trace() -> None:
    with TraceFile(path_of("NB307", "bad")) as trace:
        linter = Linter(trace.header, rules=[RULES["NB412"]])
        assert not [finding for entry in trace for finding in linter.receive(entry)] + linter.close()


@pytest.mark.parametrize("severity", Severity)
def test_each_severity_has_rules(severity: Severity) -> None:
    assert any(rule.severity is severity for rule in RULES.values())


GET = '{"path":"/login","method":"GET","messageID":%d}'


@pytest.mark.parametrize(
    ("lines", "at_the_end", "where_it_was_cut"),
    [
        ([*update(0, bytes(2)), *update(2, b"abc")], ["NB303"], []),
        (["> 00B0000002"], ["NB211"], []),
        ([*write(GET % 1)], ["NB402"], []),
        ([*exchange(GET % 1, '{"messageID":1,"statusCode":200}'), *write(GET % 9000)], ["NB402", "NB403"], ["NB403"]),
    ],
)
def test_what_is_half_done_where_a_trace_was_cut_off_is_not_wrong(
    lines: list[str], at_the_end: list[str], where_it_was_cut: list[str]
) -> None:
    for cut, expected in ((False, at_the_end), (True, where_it_was_cut)):
        linter = Linter(APDUS)
        for entry in trace_of(*DETECTED, *IDLE_READ, *lines):
            assert linter.receive(entry) == []
        assert [finding.rule.id for finding in linter.close(cut=cut)] == expected


def test_a_finding_is_where_its_last_place_is() -> None:
    with TraceFile(path_of("NB307", "bad")) as trace:
        linter = Linter(trace.header)
        (finding,) = [finding for entry in trace for finding in linter.receive(entry)]
    assert (finding.entry, finding.t) == (20, 0.048)
    assert [place.t for place in finding.places] == [0.043, 0.048]
