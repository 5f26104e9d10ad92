"""New rows for predictions: read, coded as the data of the fit were, and with their offset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.arrays import ArraySpec
from bayeslogit.data import by_label, index_of, read_new
from bayeslogit.errors import DataError
from bayeslogit.formula import FormulaSpec
from bayeslogit.outcome import row_vector
from bayeslogit.sources.matrix import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NewRows:
    """Rows that a fit can predict.

    Attributes
    ----------
    given : data frame or array
        A frame of the caller's library; pandas for files and dicts.
    rows : Rows
        Coded, n of them.
    offset : array, shape (n,)
    index : pandas.Index or None
        Of a pandas frame.
    library : str
        Of the caller.
    names : tuple of str or None
        Names of the columns, where ``given`` is an array.
    """

    given: Any
    rows: Rows
    offset: Array
    index: Any
    library: str
    names: tuple[str, ...] | None

    def frame(self) -> Any:
        """The rows as they were given; arrays as a pandas frame."""
        if self.names is None:
            return self.given
        import pandas as pd

        return pd.DataFrame(self.rows.toarray()[:, self.rows.shape[1] - len(self.names) :], columns=list(self.names))


def new_rows(new: Any, spec: FormulaSpec | ArraySpec, offset: ArrayLike | None, *, has_offset: bool) -> NewRows:
    """Read and code new rows.

    Parameters
    ----------
    new : data frame, dict, array, str or Path
        An array only if the design was made from arrays.
    offset : array_like, shape (n,), optional
        A pandas series beside a pandas frame goes by its index.
    has_offset : bool
        Whether the design had one, so that new rows need one too.

    Raises
    ------
    DataError
        If the rows cannot be coded as those of the fit, or lack the offset.
    """
    given = read_new(new, arrays=isinstance(spec, ArraySpec))
    is_array = given is new and not hasattr(given, "columns")
    index = None if isinstance(new, Mapping) else index_of(given)
    rows = spec.rows(given)
    n = rows.shape[0]
    if offset is not None:
        shift: Array | None = row_vector("offset", by_label("offset", offset, index), n)
    else:
        shift = spec.offset_of(given) if has_offset else np.zeros(n)
    if shift is None:
        raise DataError("The design had an offset, so a prediction needs one: give offset= (zeros for none).")
    library = "pandas" if isinstance(new, str | Path) else type(new).__module__.partition(".")[0]
    names = spec.names if is_array and isinstance(spec, ArraySpec) else None
    return NewRows(given, rows, shift, index, library, names)
