"""What is fuzzed: bytes go in, and only the errors of `bayeslogit.errors` may come out.

`test_fuzz.py` mutates the kept corpus with a fixed seed; `guided.py` gives the same targets to a coverage-guided
fuzzer.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import bayeslogit as bl
from bayeslogit.cli import run
from bayeslogit.data import read_frame
from bayeslogit.formula_guard import read_formula
from bayeslogit.manifest import read_manifest
from bayeslogit.presets import parse_prior
from bayeslogit.storage import _checksum

PLACE = Path(tempfile.mkdtemp(prefix="bayeslogit-fuzz-"))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)


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


def manifest(data: bytes) -> None:
    place = PLACE / "f.manifest.json"
    place.write_bytes(data)
    quiet(read_manifest, place)


def words(data: bytes) -> None:
    """Priors and claims, as they are typed."""
    text = data.decode("utf-8", errors="replace")
    quiet(parse_prior, text)
    quiet(bl.Claim.parse, text)


def command(arguments: list[str]) -> None:
    """A command ends with one of the codes that it may end with, and shows no traceback."""
    before = Path.cwd()
    os.chdir(_folder())
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            quiet(lambda: _done(run(arguments)))
    finally:
        os.chdir(before)
    assert "Traceback" not in said.getvalue()


def _done(code: int) -> None:
    assert code in (0, 2, 3, 4, 5), code


def _folder() -> Path:
    """A folder with a small table and a saved fit; nothing that is written there stays."""
    folder = PLACE / "commands"
    if not folder.exists():
        folder.mkdir()
        rows = "".join(f"{k % 3 % 2},{k % 7},{k * k % 11}\n" for k in range(30))
        (folder / "d.csv").write_text("y,x,z\n" + rows)
        bl.fit("y ~ x + z", folder / "d.csv", prior=bl.Normal(1.0)).to_json(folder / "f.json")
    for each in folder.iterdir():
        if each.name not in ("d.csv", "f.json") and each.is_file():
            each.unlink()
    return folder


def cli(data: bytes) -> None:
    """One argument a line. Other folders stay as they are, and what takes a second is left out."""
    arguments = data.decode("utf-8", errors="replace").splitlines()
    if b"/" in data or b".." in data or arguments[:1] in (["demo"], ["report"]):
        return
    command(arguments)


def config(data: bytes) -> None:
    """A configuration file, whose paths are inside its folder."""
    if b"/" in data or b".." in data or b"\\" in data:
        return
    (_folder() / "c.toml").write_bytes(data)
    command(["fit", "--dry-run", "--config", "c.toml"])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "cli": cli,
    "config": config,
    "manifest": manifest,
    "words": words,
    "csv": table("d.csv"),
    "jsonl": table("d.jsonl"),
    "parquet": table("d.parquet"),
    "formula": formula,
    "json": record,
}
