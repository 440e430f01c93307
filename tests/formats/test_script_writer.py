"""Scripts for scriptor and opensc-tool, line by line. `tests/foreign` lets the tools run them."""

import pytest

from nfcbridge.formats.script_writer import MAX_ARGUMENT, Dialect, OpenscTool, Scriptor, ScriptWriter
from nfcbridge.trace import Dir, Entry, Header
from tests.formats.written import frames, write

SELECT = "00A4000C02E104"
LINES = ("on", ">" + SELECT, "<9000", ">00B0000002", "<00039000", "off", "on", ">" + SELECT, "<9000")


def script(dialect: Dialect, *lines: str, header: Header | None = None) -> list[str]:
    writer = ScriptWriter(header or Header(level="apdus", source="a test"), dialect)
    text = write(writer, frames(*lines)).decode()
    assert text.endswith("\n")
    return text.splitlines()


def test_scriptor_gets_a_command_a_line_and_resets() -> None:
    assert script(Scriptor(), *LINES)[1:] == [
        "# Send it with: scriptor FILE",
        "# 0.002000 s: SELECT NDEF file",
        "00 A4 00 0C 02 E1 04",
        "# 0.004000 s: READ NLEN: 3",
        "00 B0 00 00 02",
        "reset",
        "# 0.008000 s: SELECT NDEF file",
        "00 A4 00 0C 02 E1 04",
    ]


def test_opensc_tool_gets_a_shell_script_that_calls_it_once_an_activation() -> None:
    shebang, words, how, send, reset, *rest = script(OpenscTool(), *LINES)
    assert shebang == "#!/bin/sh"
    assert words.startswith("# Recorded by a test, exported by nfcbridge ")
    assert how == "# Send it with: sh FILE [--reader N]"
    assert send.startswith("send() {")
    assert reset.startswith("reset() {")
    assert rest == [
        "send \"$@\" <<'END'",
        "00A4000C02E104  # 0.002000 s: SELECT NDEF file",
        "00B0000002  # 0.004000 s: READ NLEN: 3",
        "END",
        'reset "$@"',
        "send \"$@\" <<'END'",
        "00A4000C02E104  # 0.008000 s: SELECT NDEF file",
        "END",
    ]


def test_a_re_activation_without_loss_of_the_field_is_a_reset_too() -> None:
    lines = ("on", ">E080", "<0578804202", ">0200B0000002", "<0200039000", ">C2", "<C2", ">E080", "<0578804202")
    again = script(Scriptor(), *lines, ">0200B0000002", "<0200039000", header=Header())
    assert again.count("reset") == 1
    assert again.index("reset") == len(again) - 3


def test_activations_without_commands_leave_nothing() -> None:
    assert script(Scriptor(), "on", "off", "on", "off", ">00B0000002", "<9000")[2:] == [
        "# 0.005000 s: READ NLEN",
        "00 B0 00 00 02",
    ]


def test_scriptor_meets_no_exit_in_a_comment() -> None:
    first, *_ = script(Scriptor(), header=Header(level="apdus", source="Exit, the exiting reader"))
    assert first.startswith("# Recorded by e.xit, the e.xiting reader, ")


@pytest.mark.parametrize("dialect", [Scriptor(), OpenscTool()])
def test_what_others_wrote_stays_in_its_line_and_is_plain(dialect: Dialect) -> None:
    header = Header(level="apdus", source="a\nreset\x1b[2J\r\u2028é", link="$(reboot)\n`x`")
    lines = script(dialect, *LINES, header=header)
    assert len(lines) == len(script(dialect, *LINES))
    (words,) = (line for line in lines if "Recorded" in line)
    assert words.startswith("# Recorded by a?reset?[2J??? at $(reboot)?`x`, exported")


def test_a_command_that_a_tool_cannot_send_is_named() -> None:
    for dialect, sentence in (
        (Scriptor(), "line 2: scriptor sends no command of 1 octet: left out"),
        (OpenscTool(), "line 2: opensc-tool sends no broken command, 60...: left out"),
    ):
        writer = ScriptWriter(Header(level="apdus"), dialect)
        write(writer, frames(">60", "<6700"))
        assert writer.left_out.sentences == [sentence]


def test_scriptor_sends_what_is_no_command() -> None:
    assert script(Scriptor(), ">9060000000FF", "<6700")[-1] == "90 60 00 00 00 FF"


@pytest.mark.parametrize(("more", "left_out"), [(0, 0), (1, 1)])
def test_opensc_tool_gets_the_longest_command_that_an_argument_holds(more: int, left_out: int) -> None:
    octets = MAX_ARGUMENT - 7 + more
    command = bytes.fromhex("00D6000000") + octets.to_bytes(2, "big") + bytes(octets)
    writer = ScriptWriter(Header(level="apdus"), OpenscTool())
    write(writer, [Entry(0.0, Dir.READER, command, number=1), Entry(0.0, Dir.CARD, b"\x90\x00", number=2)])
    assert writer.left_out.count == left_out


def test_a_command_without_response_is_sent() -> None:
    assert script(Scriptor(), ">00B0000002")[-1] == "00 B0 00 00 02"
    assert script(OpenscTool(), ">00B0000002")[-2:] == ["00B0000002  # 0.001000 s: READ NLEN: no response", "END"]
