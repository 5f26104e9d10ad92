"""Readers: a data frame, a dict of columns, or a file becomes one pandas frame with its provenance."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import DataError

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


@dataclass(frozen=True)
class Provenance:
    """Where data came from.

    Attributes
    ----------
    kind : str
        "file", "frame", "dict" or "arrays".
    source : str
        The file's name, or the same word as ``kind``.
    library : str
        Of the caller: "pandas", "polars", "pyarrow", "numpy".
    n_rows : int
    columns : tuple of str
    sha256 : str or None
        Of a file's bytes; of names and values for a frame.
    """

    kind: str
    source: str
    library: str
    n_rows: int
    columns: tuple[str, ...]
    sha256: str | None


def read_frame(source: Any) -> tuple[Any, Provenance]:
    """The caller's data as a data frame, with its provenance.

    Parameters
    ----------
    source : str, Path, data frame or mapping
        A CSV, TSV (also gzipped) or Parquet file; a pandas, polars or pyarrow frame; or a dict of columns.

    Returns
    -------
    frame : data frame
        In the caller's own library; pandas for files and dicts.
    provenance : Provenance

    Raises
    ------
    DataError
        If the file cannot be read, is empty, ragged, not UTF-8, or repeats a column name.
    """
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    if isinstance(source, Mapping):
        frame = _of_dict(source)
        return frame, _provenance("dict", "dict", "pandas", frame)
    try:
        import narwhals as nw

        wrapped: Any = nw.from_native(source)
    except TypeError:
        raise DataError(
            f"data: {type(source).__name__} is not a data frame; "
            "give pandas, polars, pyarrow, a dict of columns or a file."
        ) from None
    eager = wrapped.collect() if isinstance(wrapped, nw.LazyFrame) else wrapped
    native = eager.to_native()
    library = type(source).__module__.partition(".")[0]
    return native, _provenance("frame", "frame", library, native)


def to_pandas(native: Any) -> Any:
    """A frame of any library as pandas, its index reset."""
    import narwhals as nw

    repeated = _repeated([str(name) for name in _column_names(native)])
    if repeated:
        raise DataError(f"data: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")
    frame = nw.from_native(native, eager_only=True).to_pandas().reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


def rows_of_frame(native: Any, kept: NDArray[np.bool_] | None) -> Any:
    """The rows of a frame that were kept, in its own library."""
    if kept is None or kept.all():
        return native
    import narwhals as nw

    frame = nw.from_native(native, eager_only=True)
    return frame[np.flatnonzero(kept).tolist()].to_native()


def one_person(new: Any) -> Any:
    """New data as a frame: a dict of single values is one row."""
    if not isinstance(new, Mapping):
        return new
    lengths = {np.size(value) for value in new.values() if np.ndim(value) > 0}
    if not lengths:
        return _of_dict({name: [value] for name, value in new.items()})
    if len(lengths) > 1:
        raise DataError(f"new data: columns of different lengths {sorted(lengths)}.")
    n = lengths.pop()
    return _of_dict({name: value if np.ndim(value) else [value] * n for name, value in new.items()})


def _of_dict(columns: Mapping[Any, Any]) -> Any:
    import pandas as pd

    try:
        return pd.DataFrame({str(name): values for name, values in columns.items()})
    except ValueError as error:
        raise DataError(f"data: the dict is not a table of equally long columns ({error}).") from None


def _column_names(native: Any) -> list[Any]:
    names = getattr(native, "column_names", None)
    return list(native.columns if names is None else names)


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []


def _provenance(kind: str, source: str, library: str, native: Any) -> Provenance:
    frame = to_pandas(native)
    if frame.shape[0] == 0:
        raise DataError("data: there are no rows.")
    names = tuple(frame.columns)
    return Provenance(kind, source, library, frame.shape[0], names, _hash_frame(frame))


def _hash_frame(frame: Any) -> str:
    """SHA-256 over the names and, column by column, the values as text (numbers by repr)."""
    digest = hashlib.sha256()
    for name in frame.columns:
        digest.update(str(name).encode() + b"\x1f")
        values = frame[name]
        if values.dtype.kind in "fiub":
            digest.update(np.ascontiguousarray(values.to_numpy()).tobytes())
        else:
            digest.update("\x1e".join(map(str, values.tolist())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


# --- files -------------------------------------------------------------------------------------------------------


def _read_file(path: Path) -> tuple[Any, Provenance]:
    name = path.name
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    with _named_failures(name):
        if path.is_dir():
            raise DataError(f"{name}: is a folder, not a file.")
        if not path.exists():
            raise DataError(f"{name}: there is no such file.")
        if suffix not in SUFFIXES:
            raise DataError(
                f"{name}: files of kind {suffix or 'without suffix'!r} are not read; use {', '.join(SUFFIXES)}."
            )
        raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{name}: the file is empty.")
    frame = _parquet(name, path) if suffix == ".parquet" else _text_table(name, raw, suffix)
    if frame.shape[0] == 0:
        raise DataError(f"{name}: there is a header, but there are no rows.")
    digest = hashlib.sha256(raw).hexdigest()
    return frame, Provenance("file", name, "pandas", frame.shape[0], tuple(frame.columns), digest)


@contextmanager
def _named_failures(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error}).") from None


def _parquet(name: str, path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not a readable Parquet file ({str(error).splitlines()[0]}).") from None
    repeated = _repeated(table.column_names)
    if repeated:
        raise DataError(f"{name}: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")
    return table.to_pandas()


def _text_table(name: str, raw: bytes, suffix: str) -> Any:
    import io

    import pandas as pd

    if suffix.endswith(".gz"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise DataError(f"{name}: not a readable gzip file ({error}).") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{name}: line {line} is not UTF-8; save the file as UTF-8.") from None
    separator = "\t" if suffix.startswith(".tsv") else ","
    _check_shape(name, text, separator)
    try:
        return pd.read_csv(io.StringIO(text), sep=separator, skip_blank_lines=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{name}: not a readable table ({error}).") from None


def _check_shape(name: str, text: str, separator: str) -> None:
    """Refuse repeated names and ragged rows, which a lenient reader would rename or shift in silence."""
    if "\x00" in text:
        raise DataError(f"{name}: holds NUL bytes; it is not a text table.")
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    try:
        header = next(row for row in reader if row)
        repeated = _repeated(header)
        if repeated:
            raise DataError(f"{name}: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{name}: line {reader.line_num} has {len(row)} values, the header names {len(header)} columns."
                )
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num}: {error}.") from None
    except StopIteration:
        raise DataError(f"{name}: the file is empty.") from None
