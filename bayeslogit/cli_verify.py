"""A manifest held against a new run: are these the files, and are these the numbers?

Exit codes: 0 everything holds; 3 a file that went in has changed or is missing; 5 the files are the same, but a number
or the output is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayeslogit.cli_compare import Compared
from bayeslogit.cli_convert import Converted
from bayeslogit.cli_fit import Fitted
from bayeslogit.cli_numbers import Numbers
from bayeslogit.cli_options import BAD_DATA, DONE, NOT_CERTIFIED, SCHEMA_VERSION, print_json
from bayeslogit.cli_path import Pathed
from bayeslogit.cli_predict import Predicted
from bayeslogit.cli_question import file_of
from bayeslogit.errors import BayeslogitError, FileFormatError
from bayeslogit.manifest import Manifest, current_versions, read_manifest, sha256_of
from bayeslogit.render.terminal import print_lines, print_table
from bayeslogit.table import Column, Table

_SHOWN = 20


def _again(kind: Any) -> Callable[[Mapping[str, Any]], Numbers]:
    def numbers(given: Mapping[str, Any]) -> Numbers:
        found: Numbers = kind.of(given).numbers
        return found

    return numbers


RUNS: dict[str, Callable[[Mapping[str, Any]], Numbers]] = {
    "fit": _again(Fitted),
    "report": _again(Fitted),
    "compare": _again(Compared),
    "path": _again(Pathed),
    "predict": _again(Predicted),
    "convert": _again(Converted),
}


@dataclass(frozen=True)
class Verification:
    """What a new run says of a manifest.

    Attributes
    ----------
    changed : tuple of str
        Sentences on files that went in and are missing or others now.
    moved : dict of str to pair
        Numbers that are not what they were: then and now (None where there is none now).
    n_numbers : int
        How many were compared.
    output : str
        A sentence on the output where it is missing or changed; empty where it is what it was.
    failed : str
        Why there was no new run; empty if there was one.
    versions : tuple of str
        Sentences on versions that are others now.
    """

    changed: tuple[str, ...]
    moved: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    n_numbers: int = 0
    output: str = ""
    failed: str = ""
    versions: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        if self.changed:
            return BAD_DATA
        return NOT_CERTIFIED if self.moved or self.output or self.failed else DONE

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in words, most serious first."""
        lines = [*self.changed]
        if self.failed:
            lines.append(f"There was no new run: {self.failed}")
        elif self.moved:
            lines.append(f"{len(self.moved):,} of {self.n_numbers:,} numbers do not hold.")
        else:
            lines.append(f"All {self.n_numbers:,} numbers hold.")
        lines += [self.output] if self.output else []
        verdict = "Verified." if self.code == DONE else "Not verified."
        return (verdict, *lines, *self.versions)


def verify(path: Path, as_json: bool) -> int:
    """Run again what a manifest describes and print what holds; the exit code."""
    manifest = read_manifest(path)
    found = verification(manifest, path.parent)
    if as_json:
        moved = [{"number": name, "then": then, "now": now} for name, (then, now) in found.moved.items()]
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "manifest": str(path),
                "command": manifest.command,
                "verified": found.code == DONE,
                "inputs_changed": list(found.changed),
                "n_numbers": found.n_numbers,
                "moved": moved,
                "output": found.output or None,
                "failed": found.failed or None,
                "versions": list(found.versions),
            }
        )
        return found.code
    if found.moved:
        print_table(_table(found))
        print()
    print_lines(found.sentences)
    return found.code


def verification(manifest: Manifest, folder: Path) -> Verification:
    """Hold a manifest that stands in ``folder`` against its files and a new run."""
    if manifest.command not in RUNS:
        raise FileFormatError(f"this manifest is of the command {manifest.command!r}, which cannot be run again here.")
    changed, given = [], dict(manifest.config)
    for each in manifest.inputs:
        with file_of(each.path, folder) as file:
            if not file.is_file():
                changed.append(f"The {each.role} file {each.path} is missing.")
            elif sha256_of(file) != each.sha256:
                changed.append(f"The {each.role} file {each.path} is not the one that went in: its SHA-256 differs.")
        given[each.role] = each.path if each.path.startswith("dataset:") else str(folder / each.path)
    now: Numbers = {}
    failed = ""
    if any(line.endswith("missing.") for line in changed):
        failed = "a file is missing."
    else:
        try:
            now = RUNS[manifest.command](given)
        except BayeslogitError as error:
            failed = str(error)
        except (KeyError, TypeError) as error:
            raise FileFormatError(
                f"a damaged manifest: its config is not one of {manifest.command} ({error})."
            ) from None
    then = manifest.numbers
    moved = {
        name: (number.value, now[name].value if name in now else None)
        for name, number in then.items()
        if name not in now or not number.holds(now[name].value)
    }
    return Verification(
        tuple(changed),
        {} if failed else moved,
        len(then),
        _output(manifest, folder),
        failed,
        _versions(manifest),
    )


def _output(manifest: Manifest, folder: Path) -> str:
    """What is wrong with the files that were written."""
    found = []
    for name, digest in {manifest.output: manifest.output_sha256, **manifest.beside}.items():
        file = folder / name
        if not file.is_file():
            found.append(f"The output {name} is missing.")
        elif sha256_of(file) != digest:
            found.append(f"The output {name} was changed after it was written.")
    return " ".join(found)


def _versions(manifest: Manifest) -> tuple[str, ...]:
    now = current_versions()
    return tuple(
        f"Version of {name}: {then} then, {now.get(name, 'none')} now."
        for name, then in manifest.versions.items()
        if now.get(name) != then
    )


def _table(found: Verification) -> Table:
    rows = [
        (name, f"{then:.8g}", None if now is None else f"{now:.8g}", None if now is None else now - then)
        for name, (then, now) in found.moved.items()
    ]
    more = (f"{len(rows) - _SHOWN:,} more.",) if len(rows) > _SHOWN else ()
    return Table(
        name="moved",
        title="Numbers that do not hold",
        columns=(
            Column("number", "number"),
            Column("then", "then"),
            Column("now", "now"),
            Column("change", "change", "number"),
        ),
        rows=tuple(rows[:_SHOWN]),
        notes=more,
    )
