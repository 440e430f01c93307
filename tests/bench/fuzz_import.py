"""Fuzzes all importers with atheris, which is installed by hand: `python -m tests.bench.fuzz_import CORPUS [OPTIONS]`.

    pip install atheris
    python -m tests.bench.fuzz_import /tmp/corpus -max_total_time=3600 -max_len=8192 -timeout=10

CORPUS is a folder that is filled with the logs of `fixtures/import` first. What a reader fails with is written to
`crash-...` in the working directory; without its first octet, which chooses the format, it belongs in
`fixtures/import/finds`. The options are those of libFuzzer.
"""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

MAX_SEED: Final = 6000
"""Octets of a log that go into the corpus."""


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["nfcbridge.formats"]):
        from nfcbridge.formats.importing import IMPORT_FORMATS
    from tests.formats.imports import FIXTURES
    from tests.formats.test_import_properties import read_whole

    names = [None, *IMPORT_FORMATS]

    def test_one(octets: bytes) -> None:
        if octets:
            read_whole(octets[1:], names[octets[0] % len(names)])

    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for path in FIXTURES:
        log = path.read_bytes()[:MAX_SEED]
        for place in range(len(names)):
            (corpus / f"{path.name}-{place}").write_bytes(bytes((place,)) + log)
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
