"""What is different first, in words."""

from pathlib import Path
from typing import Any

import pytest

from nfcbridge.errors import ConfigError
from nfcbridge.replay import replay_file
from nfcbridge.replay.report import Difference, Level, Report
from nfcbridge.trace import Header
from tests.replay.recordings import by_hand, changed, lines_of, record_chores, replace_octets, write_lines


@pytest.fixture(scope="module")
def chores(tmp_path_factory: pytest.TempPathFactory) -> str:
    return record_chores(tmp_path_factory.mktemp("replay") / "t.jsonl").read_text()


@pytest.fixture
def path(chores: str, tmp_path: Path) -> Path:
    file = tmp_path / "t.jsonl"
    file.write_text(chores)
    return file


def difference_of(path: Path, **options: Any) -> Difference:
    report = replay_file(path, **options)
    assert not report.equal
    assert report.difference is not None, report.lines()
    return report.difference


def first_of(path: Path, who: str, octets: str) -> int:
    """The number of the first entry that has these octets."""
    return next(
        number for number, line in enumerate(lines_of(path)) if line.get("dir") == who and octets in line.get("hex", "")
    )


def test_a_value_of_an_answer_is_told_with_its_place(path: Path) -> None:
    replace_octets(path, '"role":"operator"', '"role":"operatos"')
    difference = difference_of(path)
    assert difference.path == "$.session.role"
    assert difference.what.startswith('$.session.role: "operatos" became "operator" (frame ')
    block, apdu, request = difference.where
    assert block == "block: I(1)"
    assert apdu.startswith("APDU: READ ")
    assert request == "request: POST /login"
    assert difference.entry == first_of(path, "card", b'"role":"operatos"'.hex())


def test_a_status_is_told_as_such(path: Path) -> None:
    replace_octets(path, '"statusCode":404', '"statusCode":405')
    difference = difference_of(path)
    assert difference.what.startswith("statusCode: 405 became 404")
    assert difference.where[-1] == "request: GET /nowhere"


def test_a_frame_that_is_none_of_an_answer_is_told_by_its_octets(path: Path) -> None:
    number = first_of(path, "card", "000f20")
    changed(path, lambda lines: lines[number].update(hex=lines[number]["hex"][:-4] + "6a82"))
    difference = difference_of(path)
    assert difference.entry == number
    assert difference.what == (
        "frame 02000F2000FB00F80406E1047FFF00006A82 became 02000F2000FB00F80406E1047FFF00009000, from octet 16 on"
    )
    assert difference.where[1].startswith("APDU: READ 15 octets at 0")
    assert not difference.path


def test_a_frame_that_the_recorded_card_did_not_send_is_told(path: Path) -> None:
    number = first_of(path, "card", "000f20")
    changed(path, lambda lines: lines.pop(number))
    difference = difference_of(path)
    assert difference.what == "the recorded card was silent, and ours sends 02000F2000FB00F80406E1047FFF00009000"
    assert difference.entry == number - 1


def test_a_frame_that_only_the_recorded_card_sent_is_told(path: Path) -> None:
    number = first_of(path, "card", "000f20")
    changed(path, lambda lines: lines.insert(number + 1, lines[number]))
    difference = difference_of(path)
    assert difference.what == "the recorded card sent 02000F2000FB00F80406E1047FFF00009000, and ours is silent"


def test_the_reader_s_end_may_have_missed_frames(path: Path) -> None:
    number = first_of(path, "card", "000f20")
    changed(path, lambda lines: lines.pop(number))
    changed(path, lambda lines: lines[0].update(source="nfcbridge 0.1.0 reader"))
    assert replay_file(path, level="frame").equal


def test_a_request_that_the_replay_never_gets_is_a_difference_of_its_answer(path: Path) -> None:
    # As if a user had been added over HTTP meanwhile.
    lines = lines_of(path)
    begins = first_of(path, "reader", b'"path":"/users","method":"POST"'.hex())
    ends = first_of(path, "reader", b'"path":"/users","method":"GET"'.hex())
    write_lines(path, lines[:begins] + lines[ends:])
    report = replay_file(path)
    assert report.difference is not None
    assert report.difference.path == "$.users[0]"
    assert any("over HTTP" in note for note in report.notes)


def test_a_driven_clock_is_named_as_a_reason(path: Path) -> None:
    replace_octets(path, '"role":"operator"', '"role":"operatos"')
    changed(path, lambda lines: lines[0]["app"].update(driven=True))
    assert any("driven by hand" in note for note in replay_file(path).notes)


HEADER = Header(source="nfcbridge 0.1.0 card", card={"ats": "0578804202"})
SELECTED = ("on", "> e080", "< 0578804202", "> 0200a4040007d276000085010100", "< 029000")


def test_a_trace_by_hand_is_replayed(tmp_path: Path) -> None:
    path = by_hand(
        tmp_path / "t.jsonl",
        HEADER,
        *SELECTED,
        "> b3", "< a2",  # R(NAK) of the other number: a presence check
        "> 03", "< 03",  # and an empty I-block
        "> c2", "< c2",
        "on", "> e080", "< 0578804202",
        "off",
    )  # fmt: skip
    report = replay_file(path)
    assert report.equal, report.lines()
    assert (report.level, report.frames, report.exchanges) == (Level.FRAME, 6, 0)


def test_where_a_driver_answered_the_rats_the_first_block_comes_at_once(tmp_path: Path) -> None:
    assert replay_file(by_hand(tmp_path / "t.jsonl", HEADER, "on", *SELECTED[3:])).equal


def test_apdus_are_replayed(tmp_path: Path) -> None:
    header = Header(level="apdus", source="nfcbridge 0.1.0 card")
    frames = ["on", "> 00a4040007d276000085010100", "< 9000", "> 00a4000c02e103", "< 9000", "> 00b000000f"]
    path = by_hand(tmp_path / "t.jsonl", header, *frames, "< 000f2000fb00f80406e1047fff00009000", "on", "> 00b0000002")
    assert replay_file(path).equal
    difference = difference_of(by_hand(path, header, *frames, "< 000f2000fa00f80406e1047fff00009000"))
    assert difference.where[0].startswith("APDU: READ 15 octets at 0")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"card": {"ats": "05"}}, "line 1: no card can be made of `card`: "),
        ({"card": {"mle": "many"}}, "line 1: no card can be made of `card`: "),
        ({"card": {"idle": "xx"}}, "line 1: no card can be made of `card`: "),
        ({"card": {"hold": -1}}, "line 1: no card can be made of `card`: hold"),
        ({"clock": "monotonic"}, "line 1: Expected `object`, got `str`"),
        ({"seed": 1 << 128}, "line 1: int too big to convert"),
        ({"app": {"kind": "charge controller", "speed": 0}}, "the speed is more than 0"),
        ({"app": {"kind": "charge controller", "scenario": {"name": "x.toml"}}}, "x.toml was too long to be recorded"),
        ({"app": {"kind": "charge controller", "scenario": {"name": "x.toml", "text": "["}}}, "x.toml, line 1"),
        ({"app": {"kind": "charge controller", "catalogue": {"name": "c", "text": "[a]\nb=1"}}}, "c, line 2"),
        ({"app": {"kind": "charge controller", "app_layout": {"name": "l", "text": "x=1"}}}, "l, line 1"),
        ({"level": "bits"}, "line 1: the level is blocks or apdus"),
    ],
)
def test_a_first_line_that_nothing_can_be_made_of_is_an_error(change: dict[str, Any], error: str, path: Path) -> None:
    report = replay_file(changed(path, lambda lines: lines[0].update(change)), level="frame")
    assert not report.equal
    assert report.error.startswith(error), report.error
    assert report.lines() == [f"{path}: cannot be replayed: {report.error}"]


def test_a_broken_line_and_a_missing_file_are_errors(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], "{}\n", *lines[5:]]))
    assert replay_file(path).error.startswith("line 6: Object missing required field `t`")
    assert replay_file(path.parent / "none").error == "No such file or directory; check the path and who may read it"
    assert replay_file(path.parent).error.startswith("Is a directory")


def test_a_level_or_role_that_does_not_exist_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="the level is frame or message, not 'block'"):
        replay_file(path, level="block")
    with pytest.raises(ConfigError, match="there is no role 'root'; the roles are"):
        replay_file(path, passwords={"root": "x"})


def test_a_report_says_all_of_it() -> None:
    difference = Difference(7, 0.5, "this", ("block: I(0)",), "$.a")
    assert Report("t", Level.FRAME, 3, 1, difference, notes=("n",)).lines() == [
        "t: different (frame level)",
        "  entry 7 at 0.500000 s: this",
        "    block: I(0)",
        "  note: n",
    ]
    assert Report("t", Level.MESSAGE, 3, 1).lines() == ["t: equal (message level: 1 exchanges, 3 frames of the card)"]
