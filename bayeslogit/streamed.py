"""Files and Dask frames as designs whose rows stay where they are: what is learned, and the source of their blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bayeslogit.array_coder import ArrayCoder, outcome_of_values, values_of
from bayeslogit.arrays import ArraySpec, check_names
from bayeslogit.column_plan import plan_of, refuse_stateful
from bayeslogit.data import Provenance
from bayeslogit.errors import ArgumentError, DataError
from bayeslogit.factors import listed
from bayeslogit.formula import FormulaSpec
from bayeslogit.formula_guard import read_formula
from bayeslogit.learning import Learned, Seen, Wanted, has_levels, learned, look, with_examples
from bayeslogit.missing import check_missing
from bayeslogit.row_coder import RowCoder
from bayeslogit.sources.dask import DaskParts, DaskSource
from bayeslogit.sources.drawn import Drawn, draw, rates
from bayeslogit.sources.memory import COMPILED_FROM, Block
from bayeslogit.sources.parts import CHUNK_ROWS, ParquetPart, TextPart
from bayeslogit.sources.spread import Spread, block_rows, sum_of_sums
from bayeslogit.sources.stream import StreamSource
from bayeslogit.tallies import Moments, Tally, moments, tally
from bayeslogit.text_types import typed
from bayeslogit.workers import aside

# A file that would fill more than this share of the machine's memory when decoded is streamed.
_SHARE = 0.25
_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_KINDS = (".parquet", *_TEXT)
_ORIGIN = Provenance("file", "", "pyarrow", 0, (), None)


class Streamed(NamedTuple):
    """What a `design.Design` is made of."""

    spec: FormulaSpec | ArraySpec
    source: Spread
    provenance: Provenance
    has_offset: bool
    notes: tuple[str, ...]
    n_dropped: int
    tally: Tally
    moments: Moments


def streams(data: Any, stream: bool | None) -> bool:
    """Whether data are read anew at every pass: folders always, files that are large or where it is asked for.

    Raises
    ------
    ArgumentError
        If it is asked of what cannot be streamed, or refused of a folder.
    """
    if not isinstance(data, str | Path):
        if stream:
            raise ArgumentError(
                "stream=True: these data are no file or folder; give the path of Parquet or CSV files, or a Dask frame."
            )
        return False
    path = Path(data)
    if path.is_dir():
        if stream is False:
            raise ArgumentError(f"stream=False: {path.name} is a folder, and folders are streamed.")
        return True
    kind = path.name.lower().endswith(_KINDS)
    if stream and not kind:
        raise ArgumentError(f"stream=True: {path.name} is not one of {', '.join(_KINDS)}, which can be streamed.")
    if stream is not None or not kind or not path.exists():
        return bool(stream)
    return path.stat().st_size > 0 and _decoded(path) > _SHARE * _memory()


def _memory() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else 8e9


def _decoded(path: Path) -> float:
    """Bytes of the frame that a file would be, about."""
    size = path.stat().st_size
    if size < 1 << 26 or path.suffix.lower() != ".parquet":
        return 20.0 * size if path.suffix.lower() == ".gz" else 3.0 * size
    part = ParquetPart.of(path, path.name)
    return float(max(part.decoded, 8 * part.n_rows * len(part.types)))


def files_of(path: Path) -> tuple[ParquetPart | TextPart, ...]:
    """The files of a folder in the order of their names, or the one file.

    Raises
    ------
    DataError
        If there are none, or they are of several kinds or have different columns.
    """
    if not path.exists():
        raise DataError(f"{path.name}: there is no such file.")
    found = [path]
    if path.is_dir():
        inside = sorted((each.relative_to(path) for each in path.rglob("*") if each.is_file()), key=str)
        shown = [each for each in inside if not any(piece.startswith((".", "_")) for piece in each.parts)]
        found = [path / each for each in shown if each.name.lower().endswith(_KINDS)]
        if any("=" in piece for each in shown for piece in each.parts[:-1]):
            raise DataError(f"{path.name}: folders named like {shown[0].parent} hold values that are not read.")
    if not found:
        raise DataError(f"{path.name}: there is no file of kind {', '.join(_KINDS)} in this folder.")
    if len({each.suffix.lower() == ".parquet" for each in found}) > 1:
        raise DataError(f"{path.name}: Parquet and text files are mixed in this folder; keep one kind.")
    names = [path.name if each == path else each.relative_to(path).as_posix() for each in found]
    parquet = found[0].suffix.lower() == ".parquet"
    of: Callable[[Path, str], ParquetPart | TextPart] = ParquetPart.of if parquet else TextPart.of
    return tuple(of(each, name) for each, name in zip(found, names, strict=True))


def _same_columns(parts: tuple[ParquetPart | TextPart, ...], needed: tuple[str, ...]) -> None:
    for part in parts:
        there = list(part.types) if isinstance(part, ParquetPart) else list(part.header)
        absent = [name for name in needed if name not in there]
        if absent:
            raise DataError(
                f"{part.name}: there is no column {listed(absent)}; needed are {listed(needed)}, "
                f"there are {listed(there)}."
            )
        for name in needed if isinstance(part, ParquetPart) else ():
            mine, first = part.types[name], parts[0].types[name]
            if has_levels(mine, False) != has_levels(first, False):
                raise DataError(f"{part.name}: {name} is {mine} there, and {first} in {parts[0].name}.")


def of_files(
    formula: str,
    data: str | Path,
    *,
    roles: Mapping[str, Any],
    event: Any,
    missing: str,
) -> Streamed:
    """A design from a file or folder; see `design.Design.from_formula`."""
    wanted = _wanted(formula, roles, missing)
    path = Path(data)
    parts = files_of(path)
    _same_columns(parts, wanted.columns)
    with aside(lambda: _sha256(path, parts)) as digest:
        if isinstance(parts[0], TextPart):
            parts = typed(tuple(part for part in parts if isinstance(part, TextPart)), wanted)
        seen, used = _look_at_files(parts, wanted)
        seen = with_examples(seen, used[0], CHUNK_ROWS, wanted)
        types = used[0].types
        coding = learned(wanted, seen, event, _categories(types, wanted))
        coder, rows = _coder(coding, wanted, seen)
        width = len(coding.spec.columns) - coding.spec.has_intercept
        source = StreamSource(used, rows, wanted.columns, coder, seen.used, width)
        names = tuple(parts[0].types) if isinstance(parts[0], ParquetPart) else parts[0].header
        kept_names = tuple(part.name for part in used)
        counted = _finished(source, *coding.record, kept_names, _ORIGIN, _share(seen.outcomes, coding.event))
        origin = Provenance("file", path.name, "pyarrow", seen.rows, names, digest())
        return counted._replace(provenance=origin)


def of_dask(formula: str, frame: Any, *, roles: Mapping[str, Any], event: Any, missing: str) -> Streamed:
    """A design from a Dask data frame; see `design.Design.from_formula`."""
    wanted = _wanted(formula, roles, missing)
    columns = tuple(map(str, frame.columns))
    absent = [name for name in wanted.columns if name not in columns]
    if absent:
        raise DataError(
            f"data: there is no column {listed(absent)}; needed are {listed(wanted.columns)}, "
            f"there are {listed(columns)}."
        )
    parts = DaskParts.of_frame(frame, wanted.columns)
    found = list(zip(parts.names, parts.each(_look_and_types, CHUNK_ROWS, wanted, wanted.columns), strict=True))
    kept_names = tuple(name for name, (seen, _) in found if seen is not None)
    seen = sum_of_sums(seen for _, (seen, _) in found)
    types = next(types for _, (seen, types) in found if seen is not None)
    parts = parts.only(kept_names)
    coding = learned(wanted, seen, event, _categories(types, wanted))
    coder, rows = _coder(coding, wanted, seen)
    width = len(coding.spec.columns) - coding.spec.has_intercept
    source = DaskSource(parts, rows, wanted.columns, coder, seen.used, width)
    provenance = Provenance("frame", "frame", "dask", seen.rows, columns, None)
    return _finished(source, *coding.record, kept_names, provenance, _share(seen.outcomes, coding.event))


def of_dask_arrays(
    X: Any, y: Any, *, names: Sequence[str] | None, intercept: bool, roles: Mapping[str, Any], event: Any
) -> Streamed:
    """A design from Dask arrays; see `design.Design.from_arrays`."""
    if any(np.isnan(size) for sizes in X.chunks for size in sizes):
        raise DataError("X: the chunks of this Dask array have unknown lengths; call X.compute_chunk_sizes() first.")
    if X.ndim != 2 or y is None or np.shape(y) != X.shape[:1]:
        raise DataError(f"X has shape {X.shape} and y {np.shape(y)}: rows and columns, and one outcome for each row.")
    given = {role: values for role, values in roles.items() if values is not None}
    labels = tuple(f"x{j + 1}" for j in range(X.shape[1])) if names is None else tuple(map(str, names))
    check_names(labels, X.shape[1], intercept)
    parts = DaskParts.of_arrays({"X": X, "y": y, **given})
    whole = X.shape[0]
    counts, kept_names = values_of(parts, "trials" in given)
    parts = parts.only(kept_names)
    outcome = outcome_of_values(counts, "trials" in given, event)
    spec = ArraySpec(labels, intercept, outcome.event, outcome.other)
    width = X.shape[1]
    coder = ArrayCoder(spec, outcome.chosen, whole * width >= COMPILED_FROM)
    source = DaskSource(parts, block_rows(width + 1), (), coder, whole, width)
    provenance = Provenance("arrays", "arrays", "dask", whole, labels, None)
    share = _share(counts, outcome.chosen)
    return _finished(source, spec, "offset" in given, outcome.notes, 0, kept_names, provenance, share)


def _share(outcomes: Mapping[Any, int], event: Any) -> float:
    """The share of rows with an event; one half where the outcome counts them."""
    total = sum(outcomes.values())
    happened = sum(count for value, count in outcomes.items() if value == (1 if event is None else event))
    return happened / total if total else 0.5


def _wanted(formula: str, roles: Mapping[str, Any], missing: str) -> Wanted:
    check_missing(missing)
    reading = read_formula(formula)
    refuse_stateful(reading)
    given = {role: value for role, value in roles.items() if value is not None}
    for role, value in given.items():
        if not isinstance(value, str):
            raise ArgumentError(
                f"{role}: streamed and distributed data take the name of a column here, since an array of "
                f"{type(value).__name__} would have to lie in memory beside them; put it into the data as a column."
            )
    if reading.outcome in given.values():
        raise DataError(f"The outcome {reading.outcome!r} cannot also be trials, weights or offset.")
    return Wanted(reading, given, missing == "drop")


def _look_at_files(parts: tuple[Any, ...], wanted: Wanted) -> tuple[Seen, tuple[Any, ...]]:
    """What the files hold, and those of them that have rows; only columns with something to learn are read."""
    types, needed = parts[0].types, wanted.columns
    if not wanted.drop:
        levelled = wanted.reading.levelled
        with_levels = [name for name in wanted.reading.variables if has_levels(types[name], name in levelled)]
        weights = [wanted.roles["weights"]] if "weights" in wanted.roles else []
        needed = tuple(dict.fromkeys((wanted.reading.outcome, *with_levels, *weights)))
    found = [(part, look(part, CHUNK_ROWS, wanted, needed)) for part in parts]
    return sum_of_sums(seen for _, seen in found), tuple(part for part, seen in found if seen is not None)


def _look_and_types(part: Any, rows: int, wanted: Wanted, columns: tuple[str, ...]) -> tuple[Seen | None, Any]:
    return look(part, rows, wanted, columns), {field.name: field.type for field in part.table.schema}


def _categories(types: Mapping[str, Any], wanted: Wanted) -> frozenset[str]:
    import pyarrow as pa

    return frozenset(name for name in wanted.columns if pa.types.is_dictionary(types[name]))


def _coder(coding: Learned, wanted: Wanted, seen: Seen) -> tuple[RowCoder, int]:
    spec = coding.spec
    width = len(spec.columns) - spec.has_intercept
    compiled = seen.used * width >= COMPILED_FROM
    return RowCoder(spec, plan_of(spec), coding.event, wanted.drop, compiled), block_rows(len(spec.columns))


# --- counts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Overview:
    """Counts, moments, the number of rows of each block, and rows drawn from them; two of them add."""

    tally: Tally
    moments: Moments
    sizes: tuple[tuple[int, int], ...]
    drawn: Drawn

    def __add__(self, other: Overview) -> Overview:
        sums = self.tally + other.tally, self.moments + other.moments, self.sizes + other.sizes
        return Overview(*sums, self.drawn + other.drawn)


def overview(block: Block, of_events: float, of_others: float) -> Overview:
    """Of a block, of whose rows with and without an event so many are drawn."""
    sizes = ((block.start, int(block.y.size)),)
    return Overview(tally(block), moments(block), sizes, draw(block, of_events, of_others))


overview.of_empty = True  # type: ignore[attr-defined]


def _finished(
    source: Any,
    spec: Any,
    has_offset: bool,
    notes: tuple[str, ...],
    n_dropped: int,
    names: tuple[str, ...],
    provenance: Provenance,
    share: float,
) -> Streamed:
    """After a pass that counts, with the place of every chunk among the rows that are used.

    ``share`` of the rows had an event in what was seen before; a sample of them is drawn on the way.
    """
    seen = source.fold(overview, rates(source.n_rows, source.width + 1, share))
    starts = _starts(seen.sizes, names, source.rows)
    begins = {name: begin for name, (begin, _) in starts.items()}
    placed = source.placed(replace(source.code, starts=starts), begins, seen.drawn)
    return Streamed(spec, placed, provenance, has_offset, notes, n_dropped, seen.tally, seen.moments)


def _starts(
    sizes: tuple[tuple[int, int], ...], names: tuple[str, ...], rows: int
) -> dict[str, tuple[int, tuple[int, ...] | None]]:
    """Where each part, and each chunk of a part from which rows were left out, begins."""
    ends = [*[k for k, (first, _) in enumerate(sizes) if first == 0][1:], len(sizes)]
    starts, begin, low = {}, 0, 0
    for name, high in zip(names, ends, strict=True):
        own = [size for _, size in sizes[low:high]]
        full = all(size == rows for size in own[:-1])
        places = None if full else tuple(int(place) for place in np.cumsum([0, *own[:-1]]))
        starts[name] = (begin, places)
        begin, low = begin + sum(own), high
    return starts


def _sha256(path: Path, parts: tuple[Any, ...]) -> str:
    """Of a file's bytes; of names and hashes for a folder."""
    digests = []
    for part in parts:
        with open(part.path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if path.is_file():
        return digests[0]
    lines = "".join(f"{part.name}\t{digest}\n" for part, digest in zip(parts, digests, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()
