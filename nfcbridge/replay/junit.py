"""The report of many replays as JUnit XML, as Jenkins and GitLab read it: a test suite, and a test case for each trace.

It is written while the replays go on, into a file beside the report: counts stand in the first line of such a file, so
the cases wait there until all are counted.
"""

import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from xml.sax.saxutils import escape, quoteattr

from nfcbridge.replay.report import Report

SUITE: Final = "nfcbridge trace replay"

# What no XML document can contain (XML 1.0, section 2.2).
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitReport:
    """A report that is being written; it is there when this is closed.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out: IO[str] = path.open("w", encoding="utf-8")  # now: nobody wants to hear of it after an hour
        try:
            self._cases: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        except OSError:
            self._out.close()
            raise
        self._tests = self._failures = self._errors = 0
        self._seconds = 0.0

    def add(self, report: Report) -> None:
        """Write the case of one trace."""
        self._tests += 1
        self._seconds += report.seconds
        path = Path(report.path)
        name, folder = _attribute(path.name), _attribute(".".join(path.parent.parts).replace("/", "") or SUITE)
        self._cases.write(f'  <testcase classname={folder} name={name} time="{report.seconds:.3f}"')
        if report.equal and not report.notes:
            self._cases.write("/>\n")
            return
        self._cases.write(">\n")
        if report.error:
            self._errors += 1
            self._tell("error", "trace", report.error, report)
        elif report.difference is not None:
            self._failures += 1
            self._tell("failure", "difference", report.difference.what, report)
        else:
            self._cases.write(f"    <system-out>{_text(chr(10).join(report.notes))}</system-out>\n")
        self._cases.write("  </testcase>\n")

    def _tell(self, element: str, kind: str, message: str, report: Report) -> None:
        lines = _text("\n".join(report.lines()))
        self._cases.write(f"    <{element} type={_attribute(kind)} message={_attribute(message)}>{lines}</{element}>\n")

    def close(self) -> None:
        """Write all of it."""
        counts = f'tests="{self._tests}" failures="{self._failures}" errors="{self._errors}"'
        time = f'time="{self._seconds:.3f}"'
        with self._out, self._cases:
            self._out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
            self._out.write(f'<testsuites>\n<testsuite name={_attribute(SUITE)} {counts} skipped="0" {time}>\n')
            self._cases.seek(0)
            while part := self._cases.read(65_536):
                self._out.write(part)
            self._out.write("</testsuite>\n</testsuites>\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))
