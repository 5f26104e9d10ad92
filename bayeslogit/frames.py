"""Arrays to data frames: pandas for indexed results, the caller's own library for tidy ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


_BACKENDS = {"pandas": "pandas", "polars": "polars", "pyarrow": "pyarrow", "duckdb": "pyarrow"}


def series(values: Array, index: Sequence[str], name: str) -> pd.Series[float]:
    """A pandas Series indexed by column name."""
    import pandas as pd

    return pd.Series(values, index=list(index), name=name)


def numbers(values: Array, name: str) -> pd.Index[float]:
    """A pandas Index of numbers."""
    import pandas as pd

    return pd.Index(values, name=name)


def matrix(values: Array, index: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """A pandas DataFrame with named rows and columns."""
    import pandas as pd

    return pd.DataFrame(values, index=list(index), columns=list(columns))


def frame(columns: Mapping[str, Any], library: str, index: Any = None) -> Any:
    """A data frame of ``library`` ("pandas", "polars", "pyarrow"); pandas, perhaps with an index, for others.

    To a caller with a DuckDB relation it is a pyarrow table, which every connection reads by its name.
    """
    import narwhals as nw

    backend: Any = _BACKENDS.get(library, "pandas")
    made = nw.from_dict(dict(columns), backend=backend).to_native()
    return made if index is None else made.set_axis(index)


def moved(native: Any, library: str) -> Any:
    """A pandas frame as one of ``library``; its index stays behind where that has none."""
    if _BACKENDS.get(library, "pandas") == "pandas":
        return native
    return frame({name: native[name].to_numpy() for name in native.columns}, library)


def widened(native: Any, columns: Mapping[str, Any]) -> Any:
    """``native`` with further columns, in its own library."""
    import narwhals as nw

    data = nw.from_native(native, eager_only=True)
    index = getattr(native, "index", None)
    added = [nw.new_series(name, values, backend=data.implementation) for name, values in columns.items()]
    if index is not None:
        added = [nw.from_native(column.to_native().set_axis(index), series_only=True) for column in added]
    return data.with_columns(*added).to_native()
