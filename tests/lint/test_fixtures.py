"""Each rule on its two traces of `fixtures/lint`: where it finds something, and where nothing does."""

from pathlib import Path
from typing import Final

import pytest

from nfcbridge.lint import RULES, Finding, Linter
from nfcbridge.trace import TraceFile

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "lint"

# The entries that each finding points at, first and last of each place.
PLACES: Final = {
    "NB101": [(7, 7)],  # the card sent I-block 0, and 1 was its turn
    "NB102": [(4, 8)],  # 3 of the 5 frames of one command were sent again
    "NB103": [(5, 5), (6, 6)],  # the card asked for 5 waiting times, and the reader granted 04
    "NB104": [(2, 3)],  # frames to the card have 64 octets at most
    "NB105": [(6, 6), (7, 7)],  # the card answered an empty I-block with 2 octets
    "NB106": [(7, 7)],  # the card sent 33 octets with CRC, and the reader takes 32
    "NB107": [(6, 6)],  # the reader sent 1 octet that are no block
    "NB108": [(2, 3)],  # 0678808002 is no ATS
    "NB201": [(6, 7)],  # Android refuses a file of 32768 octets, outside 5..32767
    "NB202": [(2, 3)],  # SELECT of the NDEF application got 6A82, file or application not found
    "NB203": [(6, 7)],  # write access is FF
    "NB204": [(6, 7)],  # MLe is 257
    "NB205": [(10, 11)],  # the NDEF file was selected again
    "NB206": [(24, 25)],  # NLEN was read 3 times for one answer
    "NB207": [(22, 23)],  # 48 octets were read at once, and 251 could have been
    "NB208": [(10, 11)],  # READ BINARY has no Le, so it asks for no octet
    "NB209": [(14, 15)],  # UPDATE of 53 octets, and MLc is 52
    "NB210": [(8, 9)],  # SELECT of a file got 6A82, file or application not found
    "NB211": [(10, 10)],  # nothing answered the command
    "NB212": [(26, 27)],  # the answer was read to its end before
    "NB301": [(14, 15)],  # the message is written over while NLEN says 3
    "NB302": [(16, 17), (18, 19)],  # NLEN 53 was set, and octets of the message came after it
    "NB303": [(14, 15), (16, 17)],  # the end of the field came after 20 octets and before NLEN
    "NB304": [(14, 15), (18, 19)],  # NLEN says 62, and 9 of these octets were not written
    "NB305": [(14, 15)],  # a message of 32766 octets is written, and 32765 are the most
    "NB306": [(10, 11)],  # the first NLEN that was read after the activation is 0
    "NB307": [(18, 19), (20, 21)],  # after the request the answer is read from offset 2, and nobody read NLEN
    "NB308": [(28, 29), (30, 31)],  # the card refused a write (6985): the app never read the answer before
    "NB309": [(20, 21)],  # NLEN is 8255
    "NB310": [(40, 43)],  # the answer is 413: request or answer were too large
    "NB401": [(18, 19), (20, 21)],  # a request was written before the answer to the one before was read, and taken
    "NB402": [(14, 19)],  # the answer to this request was not read
    "NB403": [(14, 19), (24, 29)],  # messageID 3 follows 1
    "NB404": [(14, 19), (24, 29), (34, 39)],  # messageIDs 815, 473012, 29 are not counted
    "NB405": [(24, 29), (34, 39)],  # messageID 1 was used before
    "NB406": [(14, 19), (20, 23)],  # the request has messageID 7 and the answer 8
    "NB407": [(24, 29), (30, 33)],  # what was read has the messageID of an earlier request
    "NB408": [(14, 19)],  # the request has no 'method'
    "NB409": [(14, 19)],  # the request has 'Authorization'
    "NB410": [(14, 19)],  # the request has 'method' more than once
    "NB411": [(14, 19)],  # in the request the content follows the header at once
    "NB412": [(14, 19)],  # 5 octets of the request are white space
    "NB413": [(14, 19)],  # the NDEF record is not a Text record
    "NB414": [(14, 19)],  # the request cannot be read as JSON of the right form
    "NB415": [(14, 19)],  # the messageID is a string
    "NB416": [(14, 19)],  # the path does not begin with one slash
    "NB501": [(34, 39), (44, 49)],  # the session was used 60.5 s after its last call
    "NB502": [(24, 29), (34, 39)],  # this login has a token that was used before
    "NB503": [(14, 19)],  # GET /settings has a body
    "NB504": [(14, 27)],  # ids has 1001 characters, and 1000 are the most
    "NB505": [(14, 19)],  # the request has no authorization
    "NB506": [(34, 39), (44, 49)],  # the session was used after its logout
    "NB507": [(24, 29)],  # the password is not 64 lower-case hexadecimal digits
    "NB601": [(4, 4), (5, 5)],  # the card took 81 ms, and it had 77
    "NB602": [(2, 3)],  # the response came after 700 ms
    "NB603": [(4, 31)],  # the response came after 621 ms and 13 S(WTX)
    "NB604": [(2, 3)],  # the ATS came 16.5 ms after RATS
    "NB605": [(7, 7), (9, 9)],  # 150 ms after S(DESELECT) the reader had to switch its field off and on
}


def lint(path: Path) -> list[Finding]:
    with TraceFile(path) as trace:
        linter = Linter(trace.header)
        return [finding for entry in trace for finding in linter.receive(entry)] + linter.close()


def path_of(rule: str, kind: str) -> Path:
    return FOLDER / f"{rule}-{RULES[rule].name}.{kind}.jsonl"


def test_every_rule_has_both_traces_and_every_trace_its_rule() -> None:
    expected = {path_of(rule, kind).name for rule in RULES for kind in ("bad", "good")}
    assert {path.name for path in FOLDER.glob("*.jsonl")} == expected


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_its_bad_trace_has_and_no_other_rule_does(rule: str) -> None:
    found = lint(path_of(rule, "bad"))
    assert [finding.rule.id for finding in found] == [rule]
    assert [(place.first, place.last) for place in found[0].places] == PLACES[rule]


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_finds_anything_in_a_good_trace(rule: str) -> None:
    assert [(finding.rule.id, finding.what) for finding in lint(path_of(rule, "good"))] == []


@pytest.mark.parametrize("rule", RULES)
def test_a_bad_trace_is_its_rules_alone(rule: str) -> None:
    with TraceFile(path_of(rule, "bad")) as trace:
        entries = list(trace)
        others = Linter(trace.header, rules=[each for each in RULES.values() if each.id != rule])
        alone = Linter(trace.header, rules=[RULES[rule]])
    assert not [finding for entry in entries for finding in others.receive(entry)] + others.close()
    assert [finding for entry in entries for finding in alone.receive(entry)] + alone.close()
