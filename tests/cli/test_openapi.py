"""`nfcbridge openapi` prints the document that a server serves."""

import json

import pytest

from nfcbridge.charger.openapi import document
from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode


def test_it_prints_the_document_on_lines_that_people_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(document())
    assert out.startswith('{\n  "openapi": "3.1.0",\n')
    assert out.endswith("}\n")
    assert err == ""
