"""`nfcbridge trace stats`: tables, JSON and pictures."""

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.trace.picture_timeline import CUT_SHARE, LABEL_ROWS, LETTER, place_frames, place_labels, ticks_of
from nfcbridge.cli.trace.pictures import MAX_BARS, bars_of
from nfcbridge.trace import Header, write_trace
from nfcbridge.trace.durations import Durations, TimeSpent
from nfcbridge.trace.timeline import Frame
from tests.cli.in_terminal import PROGRAM, environment, run_in_pipe, run_in_terminal, without_escapes
from tests.trace.lines import entries
from tests.trace.test_stats import ATS, DETECTION, EXCHANGE, OK2, RATS, REQUEST, update

TOUCH = ("+", RATS, ATS, *DETECTION, *EXCHANGE, "-")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return make(tmp_path / "one.jsonl", *TOUCH)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return make(tmp_path / "many.jsonl", *TOUCH, *TOUCH, *TOUCH)


def make(path: Path, *lines: str, link: str = "memory:a") -> Path:
    write_trace(path, Header(link=link, source="nfcbridge 0.1.0 card"), entries(*lines))
    return path


def stats(*arguments: str | Path) -> int:
    return main(["trace", "stats", *map(str, arguments)])


def test_a_pipe_gets_plain_tables_with_a_line_for_each_file_and_the_total(one: Path, many: Path) -> None:
    lines = run_in_pipe("trace", "stats", str(one), str(many)).splitlines()
    headings = "TRACE EXCHANGES APDUS BLOCKS RETRANSMISSIONS WTX SELECTIONS OCTETS FROM READER FROM CARD"
    assert " ".join(lines[0].split()) == headings
    rows = [line.split() for line in lines[1:4]]
    assert [row[0] for row in rows] == [str(one), str(many), "total"]
    assert [row[1] for row in rows] == ["1", "3", "4"]
    assert lines[5].split()[:5] == ["SECONDS", "PAYLOAD", "OVERHEAD", "RE-SELECTS", "POLLING"]
    times = [[float(cell) for cell in line.split()[1:]] for line in lines[6:9]]
    assert times[2] == [pytest.approx(first + second, abs=0.0021) for first, second in zip(*times[:2], strict=True)]
    assert all(sum(row[:7]) == pytest.approx(row[7], abs=0.004) for row in times)
    assert "the link has no air" in lines[10]
    assert re.fullmatch(r"An exchange took [\d.]+ to [\d.]+ ms, half of them .*", lines[11])
    assert "\x1b" not in "".join(lines)


def test_of_one_exchange_one_time_is_told(one: Path) -> None:
    assert re.fullmatch(r"The exchange took [\d.]+ ms\.", run_in_pipe("trace", "stats", str(one)).splitlines()[-1])


def test_one_file_needs_no_total(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats(one) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert not re.search("^total", out, re.MULTILINE)
    assert not err


def test_stdin_is_counted_too(one: Path) -> None:
    with one.open("rb") as trace:
        done = subprocess.run(
            [*PROGRAM, "trace", "stats", "--json", "-"], stdin=trace, capture_output=True, check=True, env=environment()
        )
    (counted,) = json.loads(done.stdout)["files"]
    assert (counted["file"], counted["exchanges"]) == ("-", 1)


def test_a_wide_terminal_has_bars_and_a_narrow_one_a_list(one: Path) -> None:
    wide = run_in_terminal("trace", "stats", str(one), columns=220)
    assert "\u2588" in wide
    assert "EXCHANGES" in wide
    narrow = without_escapes(run_in_terminal("trace", "stats", str(one), columns=80))
    assert "EXCHANGES" not in narrow
    assert re.search(r"payload +0\.\d{3} s +\d+%", narrow)
    plain = run_in_terminal("trace", "stats", str(one), columns=220, variables={"NO_COLOR": "1"})
    assert "\u2588" not in plain


def test_a_trace_in_which_nothing_crossed_is_counted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = make(tmp_path / "empty.jsonl")
    assert stats(empty) == ExitCode.DONE
    assert "An exchange took" not in capsys.readouterr().out
    assert "0%" in without_escapes(run_in_terminal("trace", "stats", str(empty), columns=80))


def test_json_has_all_numbers_of_each_file_and_of_all(
    one: Path, many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stats("--json", one, many) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    first, second = document["files"]
    total = document["total"]
    assert (first["file"], first["link"], first["problem"]) == (str(one), "memory:a", "")
    assert (first["exchanges"], second["exchanges"], total["exchanges"]) == (1, 3, 4)
    for name in ("apdus", "blocks", "octets", "octets_reader", "octets_card", "selections", "entries"):
        assert first[name] + second[name] == total[name]
    assert set(first["time"]) == {
        "payload", "overhead", "re_selects", "polling", "waiting_for_us", "waiting_for_reader", "away", "total",
    }  # fmt: skip
    assert sum(first["time"].values()) == pytest.approx(2 * first["time"]["total"], abs=1e-5)
    assert 0 < first["exchange"]["shortest"] <= first["exchange"]["median"] <= first["exchange"]["longest"]


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (("nfc:usb",), "the link has air"),
        (("memory:a",), "the link has no air"),
        (("",), "nobody knows the link"),
        (("memory:a", "nfc:usb"), "of links without air"),
    ],
)
def test_what_the_columns_mean_depends_on_the_links(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], links: tuple[str, ...], words: str
) -> None:
    assert stats(*(make(tmp_path / f"{i}.jsonl", *TOUCH, link=link) for i, link in enumerate(links))) == ExitCode.DONE
    assert words in capsys.readouterr().out


def test_a_file_that_is_broken_is_told_and_the_others_are_counted(
    tmp_path: Path, one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jsonl"
    lines = one.read_text().splitlines()
    broken.write_text("\n".join([*lines[:4], "{", *lines[4:]]) + "\n")
    assert stats(broken, tmp_path / "nowhere.jsonl", one) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert "broken.jsonl: line 5:" in err
    assert "it is left out" in err
    assert "nowhere.jsonl: No such file" in err
    assert out.splitlines()[1].split()[:2] == [str(one), "1"]
    assert stats(broken) == ExitCode.USAGE
    assert not capsys.readouterr().out


def test_a_last_line_that_was_cut_off_is_told_and_the_rest_is_counted(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one.write_bytes(one.read_bytes()[:-9])
    assert stats("--json", one) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert "was cut off" in err
    assert "was cut off" in json.loads(out)["files"][0]["problem"]


@pytest.mark.parametrize("name", ["p.svg", "p.PNG"])
def test_one_exchange_is_drawn_along_the_time(tmp_path: Path, one: Path, name: str) -> None:
    picture = tmp_path / name
    assert stats(one, "--picture", picture) == ExitCode.DONE
    first = picture.read_bytes()
    assert first.startswith(PNG if name.endswith("PNG") else b"<?xml")
    assert stats(one, "--picture", picture) == ExitCode.DONE
    assert picture.read_bytes() == first  # the same trace gives the same picture
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["one.jsonl", name])
    assert picture.stat().st_mode & 0o444 == 0o444


def comments_of(picture: Path) -> str:
    """The texts of an SVG, which matplotlib keeps in comments beside their outlines."""
    text = picture.read_text()
    ET.fromstring(text)  # noqa: S314 - our own
    return "\n".join(re.findall(r"<!-- (.*?) -->", text))


def test_a_timeline_tells_the_exchange_its_commands_and_what_is_what(tmp_path: Path, many: Path) -> None:
    picture = tmp_path / "p.svg"
    assert stats(many, "--picture", picture, "--exchange", "2") == ExitCode.DONE
    words = comments_of(picture)
    assert "many.jsonl: exchange 2, GET /login \u2192 200" in words
    for label in ("reader", "card", "UPDATE 0", "READ 0", "request and answer", "overhead", "selection"):
        assert label in words
    assert "2026" not in picture.read_text().partition("<defs>")[0]  # no date


def test_a_second_exchange_of_one_touch_is_drawn_without_a_selection_and_short_waits_without_a_label(
    tmp_path: Path,
) -> None:
    picture, trace = tmp_path / "p.svg", tmp_path / "t.jsonl"
    quick = [structs.replace(entry, t=entry.t / 1000) for entry in entries(*TOUCH[:-1], *EXCHANGE)]
    write_trace(trace, Header(link="memory:a"), quick)
    assert stats(trace, "--picture", picture, "--exchange", "2") == ExitCode.DONE
    words = comments_of(picture)
    assert "selection" not in words
    assert "0.01 ms" not in words


def test_an_exchange_that_went_wrong_is_drawn_too(tmp_path: Path) -> None:
    picture = tmp_path / "p.svg"
    again = update(REQUEST)
    trace = make(tmp_path / "t.jsonl", "+", RATS, ATS, *DETECTION, again, "> B2", again, "< F201", "> F201", OK2, "-")
    assert stats(trace, "--picture", picture) == ExitCode.DONE
    assert "no answer" in comments_of(picture)
    nonsense = make(tmp_path / "n.jsonl", "+", RATS, ATS, *DETECTION, "> 02 00D6000005 0003 D00000", OK2, "-")
    assert stats(nonsense, "--picture", picture) == ExitCode.DONE
    assert "a message that is no request" in comments_of(picture)


def test_many_exchanges_are_drawn_by_how_long_they_took(tmp_path: Path, one: Path, many: Path) -> None:
    picture = tmp_path / "p.svg"
    assert stats(many, one, "--picture", picture) == ExitCode.DONE
    words = comments_of(picture)
    assert "2 traces: 4 exchanges" in words
    assert "How long 4 exchanges took" in words
    for label in ("payload", "waiting for us", "duration of an exchange, ms"):
        assert label in words
    assert stats(many, "--picture", picture) == ExitCode.DONE
    assert "many.jsonl: 3 exchanges" in comments_of(picture)


@pytest.mark.parametrize("name", ["a$b$c_{.jsonl", "\u6f22\u5b57.jsonl", "bell\x07.jsonl"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    trace = make(tmp_path / name, *TOUCH)
    for picture in ("p.png", "p.svg"):
        assert stats(trace, "--picture", tmp_path / picture) == ExitCode.DONE
    assert stats(make(tmp_path / name, *TOUCH, *TOUCH), "--picture", tmp_path / "p.svg") == ExitCode.DONE
    assert "\x07" not in capsys.readouterr().out
    assert name.replace("\x07", "\\x07") in comments_of(tmp_path / "p.svg") or "$" in name


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("{one}", "--picture", "p.gif"), "--picture p.gif: the file ends with .svg or .png"),
        (("{one}", "--picture", "nowhere/p.svg"), "there is no folder nowhere"),
        (("{one}", "--exchange", "1"), "--exchange chooses what --picture draws"),
        (("{one}", "{many}", "--exchange", "1", "--picture", "p.svg"), "--exchange counts within one FILE"),
        (("{one}", "--exchange", "0", "--picture", "p.svg"), "0 is not in the range"),
        (("{one}", "--exchange", "2", "--picture", "p.svg"), "there is no exchange 2 to draw: exchanges there are 1"),
        (("{empty}", "--picture", "p.svg"), "there is no exchange to draw: exchanges there are 0"),
        ((), "Missing argument"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    one: Path,
    many: Path,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    empty = make(tmp_path / "empty.jsonl")
    assert stats(*(each.format(one=one, many=many, empty=empty) for each in arguments)) == ExitCode.USAGE
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.glob("*p.*"))


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], one: Path
) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(b"old")

    def fail(self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", fail)
    assert stats(one, "--picture", picture) == ExitCode.USAGE
    assert "No space left on device" in capsys.readouterr().err
    assert picture.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "p.png"]


def test_a_wait_that_is_longer_than_all_of_the_rest_is_cut_and_the_axis_knows() -> None:
    frames = [Frame(1, True, 5.0, 0.0, 0.01), Frame(2, False, 10.0, 0.0, 0.02), Frame(3, True, 0.005, 0.0, 0.01)]
    placed = place_frames(frames)
    assert placed[0].at == 0.0  # what was before does not count
    assert placed[1].drawn_wait == pytest.approx(CUT_SHARE * 0.045)
    assert placed[2].drawn_wait == 0.005
    end = placed[-1].ends
    ticks = dict(ticks_of(placed, end))
    for at, label in ticks.items():
        shown = float(label) / 1000
        assert at == pytest.approx(shown if shown < 1 else shown - 10 + placed[1].drawn_wait)
    assert min(map(float, ticks.values())) == 0
    assert max(map(float, ticks.values())) > 10_000


def test_labels_are_in_nobodys_way_and_the_longest_command_has_one() -> None:
    labels = [(0.001 * number, f"READ {number}", 0.01 * number) for number in range(20)]
    placed = list(place_labels(labels, 1.0))
    label, middle, row = placed[0]
    assert (label, row) == ("READ 19", 0)
    assert middle == pytest.approx(0.19)
    assert len(placed) < len(labels)
    assert {row for _, _, row in placed} == set(range(LABEL_ROWS))
    for row in range(LABEL_ROWS):
        spans = sorted((middle, len(label) * LETTER / 2) for label, middle, at in placed if at == row)
        assert all(a + half <= b - other + 1e-9 for (a, half), (b, other) in pairwise(spans))
        assert all(middle - half >= 0 for middle, half in spans)
    ((_, middle, _),) = place_labels([(0.1, "READ 0", 1.0)], 1.0)
    assert middle == pytest.approx(1 - 3 * LETTER)  # not past the end


@pytest.mark.parametrize("longest", [0.011, 0.1, 1.0, 900.0])
def test_bars_are_few_and_hold_every_exchange(longest: float) -> None:
    durations = Durations()
    for step in range(100):
        durations.record(TimeSpent(payload=0.01 * (longest / 0.01) ** (step / 99)))
    bars = bars_of(durations)
    assert len(bars) <= MAX_BARS
    assert sum(durations.counts[at] for bar in bars for at in bar.bins) == 100
    assert all(first.end == pytest.approx(second.start) for first, second in pairwise(bars))
