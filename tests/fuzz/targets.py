"""What is fuzzed: bytes go in, and only the errors of `bayeslogit.errors` may come out.

`test_fuzz.py` mutates the kept corpus with a fixed seed. The same targets serve a coverage-guided fuzzer: with atheris
installed, ``python tests/fuzz/targets.py csv tests/fuzz/corpus/csv -runs=100000`` looks for more.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import bayeslogit as bl
from bayeslogit.data import read_frame
from bayeslogit.formula_guard import read_formula
from bayeslogit.storage import _checksum

PLACE = Path(tempfile.mkdtemp(prefix="bayeslogit-fuzz-"))


def quiet(function: Callable[..., object], *given: object) -> None:
    """Call it; a warning of another library is an error like any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            function(*given)
        except bl.BayeslogitError:
            pass


def table(name: str) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        place = PLACE / name
        place.write_bytes(data)
        quiet(read_frame, place)

    return target


def mended(data: bytes) -> bytes:
    """A saved record with the checksum of what it holds, so that what is read lies behind the checksum."""
    try:
        document = json.loads(data)
        body = document[document["format"].removeprefix("bayeslogit-")]
        return json.dumps({**document, "checksum": _checksum(body)}).encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return data


def record(data: bytes) -> None:
    place = PLACE / "f.json"
    place.write_bytes(mended(data))
    quiet(bl.load, place)
    quiet(bl.load_prior, place)
    quiet(bl.SiteSummary.from_json, place)


def formula(data: bytes) -> None:
    quiet(read_formula, data.decode("utf-8", errors="replace"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "csv": table("d.csv"),
    "jsonl": table("d.jsonl"),
    "parquet": table("d.parquet"),
    "formula": formula,
    "json": record,
}


if __name__ == "__main__":
    import atheris

    chosen = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, chosen)
    atheris.Fuzz()
