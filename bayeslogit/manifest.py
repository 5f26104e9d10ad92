"""The manifest beside an output: what went in, with which settings and versions, and the numbers that came out.

It holds no time and no absolute path that can be avoided, so that the same run writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bayeslogit.conforming import conform, listed
from bayeslogit.errors import FileFormatError
from bayeslogit.storage import write_text
from bayeslogit.versions import package_version, versions

FORMAT = "bayeslogit-manifest"
VERSION = 1
SUFFIX = ".manifest.json"
# A list of two, which JSON with an indent sets on four lines.
_PAIR = re.compile(r"\[\n +([^\[\]\n]+),\n +([^\[\]\n]+)\n +\]")


class Number(NamedTuple):
    """A number, and how far from it another run may be without being called different."""

    value: float
    within: float

    def holds(self, other: float) -> bool:
        """Whether another run's number is the same; what is not finite must be the same of its kind."""
        if not (math.isfinite(self.value) and math.isfinite(other)):
            return repr(self.value) == repr(other)
        return abs(other - self.value) <= self.within


@dataclass(frozen=True)
class Input:
    """A file that was read.

    Attributes
    ----------
    role : str
        "data" or "model".
    path : str
        From the folder of the manifest; ``dataset:NAME`` for one that travels with the package.
    sha256 : str
        Of its bytes.
    rows, rows_used, rows_dropped : int or None
        Of data: rows in the file, rows with weight that were used, and rows left out for missing values.
    """

    role: str
    path: str
    sha256: str
    rows: int | None = None
    rows_used: int | None = None
    rows_dropped: int | None = None


@dataclass(frozen=True)
class Manifest:
    """How an output file came about.

    Attributes
    ----------
    command : str
        Of the command line.
    config : mapping
        The resolved options, without paths.
    inputs : tuple of Input
    output, output_sha256 : str
        Name of the file beside the manifest, and the hash of its bytes.
    seed : int or None
        None where nothing is drawn.
    versions : mapping of str to str
    numbers : mapping of str to Number
    beside : mapping of str to str
        Further files that were written, such as the whole tables of a long report: name to hash.
    """

    command: str
    config: Mapping[str, Any]
    inputs: tuple[Input, ...]
    output: str
    output_sha256: str
    seed: int | None
    versions: Mapping[str, str]
    numbers: Mapping[str, Number]
    beside: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "schema_version": VERSION,
            "command": self.command,
            "config": dict(self.config),
            "inputs": [{k: v for k, v in asdict(each).items() if v is not None} for each in self.inputs],
            "output": {"path": self.output, "sha256": self.output_sha256},
            **({"beside": dict(self.beside)} if self.beside else {}),
            "seed": self.seed,
            "versions": dict(self.versions),
            "numbers": {name: [_plain(each.value), each.within] for name, each in self.numbers.items()},
        }


def manifest_path(output: Path) -> Path:
    """Where the manifest of an output stands: beside it, with `SUFFIX`."""
    return output.with_name(output.name + SUFFIX)


def current_versions() -> dict[str, str]:
    """Of this package, Python and the packages that the numbers rest on."""
    return {"bayeslogit": package_version(), "python": platform.python_version(), **versions()}


def relative(path: Path, folder: Path) -> str:
    """A path as seen from a folder, with forward slashes; absolute where there is no such way (another drive)."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(manifest: Manifest, output: Path) -> Path:
    """Write a manifest beside its output, all of it or nothing."""
    text = json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    return write_text(manifest_path(output), _PAIR.sub(r"[\1, \2]", text) + "\n")


def read_manifest(path: Path) -> Manifest:
    """Read what `write_manifest` wrote.

    Raises
    ------
    FileFormatError
        If the file is missing, is no manifest, is damaged, or was written by a newer version.
    """
    name = path.name
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise FileFormatError(f"{name}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or a number of thousands of digits
        raise FileFormatError(f"{name}: not a manifest, or truncated ({error}).") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise FileFormatError(f"{name}: not a manifest of bayeslogit (no {FORMAT!r} mark).")
    version = found.get("schema_version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise FileFormatError(
            f"{name}: written in format {version}; this bayeslogit reads up to {VERSION}: upgrade it."
        )
    try:
        made = Manifest(
            found["command"],
            found["config"],
            tuple(Input(**each) for each in listed(found["inputs"])),
            found["output"]["path"],
            found["output"]["sha256"],
            found["seed"],
            found["versions"],
            {key: Number(_number(value), float(within)) for key, (value, within) in found["numbers"].items()},
            found.get("beside", {}),
        )
        conform(made)
        return made
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise FileFormatError(f"{name}: a damaged manifest ({type(error).__name__}: {error}).") from None


def _plain(value: float) -> float | str:
    """JSON has no NaN and no infinity; they go as words."""
    return value if math.isfinite(value) else repr(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    return float(value)
