"""Readers: a data frame, a dict of columns, or a file becomes one pandas frame with its provenance."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import DataError
from bayeslogit.files import SUFFIXES as SUFFIXES
from bayeslogit.files import read_table, repeated_names
from bayeslogit.files import separator_hint as separator_hint
from bayeslogit.sources.parts import arrow_to_pandas
from bayeslogit.sql import Query, read_query

_UTF8 = ("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Provenance:
    """Where data came from.

    Attributes
    ----------
    kind : str
        "file", "query", "frame", "dict" or "arrays".
    source : str
        The file's name, or the same word as ``kind``.
    library : str
        Of the caller: "pandas", "polars", "pyarrow", "duckdb", "numpy".
    n_rows : int
    columns : tuple of str
    sha256 : str or None
        Of a file's bytes; of names and values for a frame.
    labels : dict of str to str
        What the columns of a Stata, SPSS or SAS file are called in words.
    """

    kind: str
    source: str
    library: str
    n_rows: int
    columns: tuple[str, ...]
    sha256: str | None
    labels: dict[str, str] = field(default_factory=dict)


def read_frame(source: Any) -> tuple[Any, Provenance]:
    """The caller's data as a data frame, with its provenance.

    Parameters
    ----------
    source : str, Path, Query, data frame or mapping
        A CSV, TSV (also gzipped), JSON lines, Parquet, Feather, Excel, Stata, SPSS or SAS file; a pandas, polars,
        pyarrow or DuckDB frame; or a dict of columns.

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
        path = Path(source)
        table = read_table(path)
        names = tuple(str(name) for name in table.frame.columns)
        n_rows = table.frame.shape[0]
        return table.frame, Provenance("file", path.name, "pandas", n_rows, names, table.sha256, table.labels)
    if isinstance(source, Query):
        table = read_query(source)
        names, n_rows = tuple(map(str, table.frame.columns)), table.frame.shape[0]
        origin = Provenance("query", source.source, "pandas", n_rows, names, table.sha256, table.labels)
        return table.frame, origin
    if isinstance(source, Mapping):
        frame = _of_dict(source)
        return frame, _provenance("dict", "dict", "pandas", frame)
    native = _wrapped(source).to_native()
    library = type(source).__module__.partition(".")[0]
    return native, _provenance("frame", "frame", library, native)


def to_pandas(native: Any) -> Any:
    """A frame of any library as pandas, its index reset and its names text.

    Raises
    ------
    DataError
        If it is not a data frame, or repeats a column name.
    """
    frame = _without_pools(_wrapped(native)).reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _without_pools(frame: Any) -> Any:
    """As pandas, the categoricals of polars as text: their order is that in which the process met the words."""
    import narwhals as nw

    if frame.implementation.is_pyarrow():
        return arrow_to_pandas(frame.to_native())
    names = [name for name, dtype in frame.schema.items() if dtype == nw.Categorical]
    if names and frame.implementation.is_polars():
        frame = frame.with_columns(nw.col(*names).cast(nw.String()))
    return frame.to_pandas()


def read_new(new: Any, *, arrays: bool) -> Any:
    """New rows as a data frame of the caller's library; what is no frame stays as it is if ``arrays`` may be given.

    Raises
    ------
    DataError
        If it is no frame, a dict of columns of different lengths, or a file that cannot be read.
    """
    import narwhals as nw

    if isinstance(new, str | Path):
        return read_frame(new)[0]
    if isinstance(new, Mapping):
        return one_person(new)
    if arrays and nw.from_native(new, pass_through=True) is new:
        return new
    return _wrapped(new).to_native()


def eager(source: Any) -> Any:
    """A frame that is lazy, or a relation, as one in memory; what is no frame, or is there already, as it is."""
    if isinstance(source, np.ndarray | list | tuple | str | Path | Mapping) or hasattr(source, "tocsr"):
        return source
    import narwhals as nw

    wrapped: Any = nw.from_native(source, pass_through=True)
    return wrapped.collect().to_native() if isinstance(wrapped, nw.LazyFrame) else source


def index_of(values: Any) -> Any:
    """The index of a pandas frame or series; None for anything else."""
    pandas = sys.modules.get("pandas")  # where it is not loaded, nothing is of it
    return values.index if pandas is not None and isinstance(values, pandas.DataFrame | pandas.Series) else None


def by_label(role: str, values: Any, index: Any) -> Any:
    """A pandas series by its labels in the order of ``index``; anything without labels by position, as it is.

    Raises
    ------
    DataError
        If the labels are others than those of the data, or repeat, so that it cannot be said which belongs to which.
    """
    labels = index_of(values)
    if labels is None or index is None or len(labels) != len(index) or labels.equals(index):
        return values
    if labels.is_unique and index.is_unique and labels.isin(index).all():
        return values.reindex(index)
    raise DataError(
        f"{role}: the index of this Series is not that of the data, so it is not clear which value belongs to which "
        f"row; give {role}.to_numpy() to take them in their order, or a Series with the index of the data."
    )


def column_values(native: Any, name: str) -> NDArray[Any]:
    """One column of a frame of any library, shape (n,).

    Raises
    ------
    DataError
        If there is no such column.
    """
    frame = to_pandas(native)
    if name not in frame.columns:
        raise DataError(f"data: there is no column {name!r}; there are {', '.join(map(repr, frame.columns[:8]))}.")
    values: NDArray[Any] = frame[name].to_numpy()
    return values


def _wrapped(source: Any) -> Any:
    """An eager narwhals frame with names that differ; a lazy one is collected."""
    import narwhals as nw

    if hasattr(source, "shape") and hasattr(source, "columns"):  # a lazy frame has no shape
        repeated = repeated_names([str(name) for name in column_names(source)])
        if repeated:
            raise DataError(f"data: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")
    try:
        wrapped: Any = nw.from_native(source)
    except TypeError:
        if hasattr(source, "__arrow_c_stream__") and hasattr(source, "schema"):  # record batches and their readers
            return nw.from_arrow(source, backend="pyarrow")
        raise DataError(
            f"data: {type(source).__name__} is not a data frame; "
            "give pandas, polars, pyarrow, a dict of columns or a file."
        ) from None
    return wrapped.collect() if isinstance(wrapped, nw.LazyFrame) else wrapped


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
        return pd.DataFrame({str(name): _unaligned(values) for name, values in columns.items()})
    except (ValueError, TypeError) as error:
        raise DataError(f"data: the dict is not a table of equally long columns ({error}).") from None


def _unaligned(values: Any) -> Any:
    """A column as it is in order: pandas would align series by their index, and reads those of others as objects."""
    if hasattr(values, "reset_index"):
        return values.reset_index(drop=True)
    return np.asarray(values) if hasattr(values, "__array__") and np.ndim(values) == 1 else values


def column_names(native: Any) -> list[Any]:
    """Names of the columns of an eager frame of any library."""
    names = getattr(native, "column_names", None)
    return list(native.columns if names is None else names)


def _provenance(kind: str, source: str, library: str, native: Any) -> Provenance:
    frame = to_pandas(native)
    if frame.shape[0] == 0:
        raise DataError("data: there are no rows.")
    names = tuple(frame.columns)
    return Provenance(kind, source, library, frame.shape[0], names, _hash_frame(frame))


def _hash_frame(frame: Any) -> str:
    """SHA-256 over, column by column, the name, a word for the kind, and the values.

    Numbers and booleans count as little-endian doubles (a missing one is NaN), everything else as its text with its
    length before it (a missing one has the length -1). So equal data of any library have equal hashes.
    """
    import pandas as pd

    digest = hashlib.sha256()
    for name in frame.columns:
        values = frame[name]
        number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
        digest.update(f"{len(name)}:{name}:{'number' if number else 'text'}:{len(values)}:".encode(*_UTF8))
        if number:
            digest.update(values.to_numpy(dtype="<f8", na_value=np.nan).tobytes())
            continue
        for value, missing in zip(values.tolist(), values.isna().tolist(), strict=True):
            text = "" if missing else str(value)
            digest.update(f"{-1 if missing else len(text)}:{text}".encode(*_UTF8))
    return digest.hexdigest()
