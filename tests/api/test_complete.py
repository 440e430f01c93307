"""The table leaves out no operation."""

import re

import pytest

from nfcbridge.charger.operation import Operation
from nfcbridge.charger.routes import ROUTES
from tests.api.table import Case, read_table

PATHS = {operation.path for operation in ROUTES}
CASES = [case for group in read_table() for case in group.cases]


def is_about(case: Case, operation: Operation) -> bool:
    pattern = re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(operation.path))
    path = case.path.removeprefix("/v1").partition("?")[0]
    # A path without parameters is nobody's value of one.
    mine = path == operation.path or (path not in PATHS and re.fullmatch(pattern, path) is not None)
    return mine and case.method == operation.method


@pytest.mark.parametrize("operation", ROUTES, ids=lambda operation: operation.name)
def test_no_operation_lacks_a_case(operation: Operation) -> None:
    cases = [case for case in CASES if is_about(case, operation)]
    answered = [case for case in cases if case.status == 200]
    assert [case for case in answered if '"success": false' not in case.content], "none that succeeds"
    if operation.request is not None:
        assert [case for case in cases if case.status == 400], "none with what is not JSON"
        assert [case for case in answered if '"success": false' in case.content], "none with a wrong parameter"


def test_there_are_at_least_150_cases() -> None:
    assert len(CASES) >= 150
