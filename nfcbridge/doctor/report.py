"""The test log: what was found as Markdown, and a form for what only a person with a phone can see."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from nfcbridge.doctor.finding import Finding
from nfcbridge.doctor.loop import Stage

QUESTIONS: Final = {
    "reader": "Which reader, and how is it connected",
    "phone": "Which phone, with which version of its system",
    "app": "Which app",
    "seen": "Does the phone see the tag at the first touch",
    "written": "Does it write a request",
    "read": "Does it read the answer",
    "again": "Does it work when it is lifted and put down again",
    "pulled": "Does the emulator go on when it is pulled away in the middle",
    "notes": "What else",
}
"""What is asked, by what it is about."""

BLANK: Final = "______"
"""Stands where nothing was answered, to be filled by hand."""


def make_report(
    findings: Sequence[Finding], stages: Sequence[Stage], answers: Mapping[str, str], now: datetime | None = None
) -> str:
    """The log.

    Args:
        findings: of the machine.
        stages: of the self test between two readers, none if it was not run.
        answers: of the person, by the keys of QUESTIONS; what is missing is left blank.
        now: wall time, of this moment unless given.
    """
    lines = ["# Test log of nfcbridge", "", f"{now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC", ""]
    lines += ["## The touch", "", "| Question | Answer |", "| --- | --- |"]
    lines += [f"| {question} | {_cell(answers.get(key, ''))} |" for key, question in QUESTIONS.items()]
    lines += ["", "## Self test between two readers", ""]
    if stages:
        lines += ["| Stage | Result | Times |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(stage.what)} | {'passed' if stage.passed else 'FAILED'} | {_cell(stage.words)} |"
            for stage in stages
        ]
    else:
        lines.append("Not run: `nfcbridge doctor --report --loop` runs it, with two readers.")
    lines += ["", "## The machine", "", "| Area | What | | Found | To do |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {finding.area.value} | {_cell(finding.what)} | {finding.verdict.value} | {_cell(finding.words)} | "
        f"{_cell(finding.remedy, blank='')} |"
        for finding in findings
    ]
    return "\n".join([*lines, ""])


def _cell(text: str, blank: str = BLANK) -> str:
    """A text in a table of Markdown: no line break, no column and no tag of its own, nothing that a terminal obeys."""
    shown = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    return shown.replace("|", "\\|").replace("<", "&lt;") or blank
