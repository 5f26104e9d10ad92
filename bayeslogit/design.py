"""The design: rows behind ``reduce``, columns with names, and the rule that codes new rows the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.arrays import ArraySpec, array_rows
from bayeslogit.boundary import guarded_methods
from bayeslogit.data import Provenance, by_label, column_values, index_of, read_frame, rows_of_frame
from bayeslogit.errors import ArgumentError, DataError
from bayeslogit.formula import FormulaSpec, build
from bayeslogit.missing import is_missing
from bayeslogit.outcome import outcome_of_array, row_vector
from bayeslogit.sources.centered import Source, centered
from bayeslogit.sources.condense import condense
from bayeslogit.sources.dask import is_dask
from bayeslogit.sources.matrix import as_rows
from bayeslogit.sources.memory import Block, MemorySource
from bayeslogit.sources.spread import Spread
from bayeslogit.streamed import Streamed, of_dask, of_dask_arrays, of_files, streams
from bayeslogit.tallies import Moments, Tally, moments, tally
from bayeslogit.workers import in_order

Array = NDArray[np.float64]
T = TypeVar("T")
_LARGEST = 1e150


@guarded_methods
@dataclass(frozen=True, repr=False)
class Design:
    """Rows, outcome and column names of one model; made by `from_formula` or `from_arrays`.

    Attributes
    ----------
    columns : tuple of str
        Names of the coefficients; "Intercept" first when there is one.
    source : Source
        Where the row blocks come from.
    spec : FormulaSpec or ArraySpec
        How new rows are coded.
    provenance : Provenance
        What was read, and from where.
    has_offset : bool
        Whether an offset was given, so that predictions must be given one.
    n_dropped : int
        Rows left out because of missing values.
    notes : tuple of str
        What a reader must know about the data; they reach every table.
    kept : array of bool or None
        Which rows of the data given are rows of the design.
    frame, index : optional
        The data given, and their index if they are of pandas.
    """

    columns: tuple[str, ...]
    source: Source
    spec: FormulaSpec | ArraySpec
    provenance: Provenance
    has_offset: bool = False
    n_dropped: int = 0
    notes: tuple[str, ...] = ()
    kept: NDArray[np.bool_] | None = field(default=None, repr=False)
    frame: Any = field(default=None, repr=False, compare=False)
    index: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        frame: Any,
        *,
        trials: str | ArrayLike | None = None,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        event: Any = None,
        missing: str = "raise",
        weight_type: str = "frequency",
        stream: bool | None = None,
    ) -> Design:
        """A design from a formula and a data frame or file.

        Parameters
        ----------
        formula : str
            ``"outcome ~ terms"``. A formula is data, not code: only column names, arithmetic and a fixed list of
            transforms are allowed.
        frame : data frame, dict of columns, str or Path
            pandas, polars or pyarrow; a CSV or Parquet file, or a folder of them; a Dask data frame, whose partitions
            stay where they are.
        trials, weights, offset : str or array_like of shape (n,), optional
            A column name or values: binomial trials, frequency weights, offset in log-odds. A pandas Series beside a
            pandas frame goes by its index. Rows of weight 0 count nowhere; they are left out if they cannot be coded.
        event : optional
            The level of a two-valued outcome that counts as 1. Without it: 1 of 0/1, True of booleans, else the last
            level, which a note names.
        missing : {"raise", "drop"}
            What to do about rows with missing values.
        weight_type : {"frequency"}
            Only frequency weights are supported; survey weights are refused.
        stream : bool, optional
            Whether a file is read anew at every pass, a few blocks at a time, instead of into memory. Without it, if
            it would fill more than a quarter of the machine's memory. Folders always are.

        Raises
        ------
        FormulaError
            If the formula cannot be read or asks for more than a formula may do.
        DataError
            If the data cannot be right; the message names the column and the rows.
        """
        _check_weight_type(weight_type)
        given = {"trials": trials, "weights": weights, "offset": offset}
        if is_dask(frame):
            return cls._of(of_dask(formula, frame, roles=given, event=event, missing=missing))
        if streams(frame, stream):
            return cls._of(of_files(formula, frame, roles=given, event=event, missing=missing))
        native, provenance = read_frame(frame)
        index = None if provenance.kind == "dict" else index_of(native)  # a dict of series goes by position
        spec, arrays = build(
            formula,
            native,
            **{role: by_label(role, values, index) for role, values in given.items()},
            event=event,
            missing=missing,
            from_text=provenance.kind == "file" and not provenance.source.endswith(".parquet"),
        )
        X = as_rows(arrays.X, spec.has_intercept)
        source = MemorySource.weighed(X, arrays.y, arrays.trials, arrays.weights, arrays.offset)
        design = cls(
            columns=spec.columns,
            source=source,
            spec=spec,
            provenance=provenance,
            has_offset=offset is not None,
            n_dropped=arrays.n_dropped,
            notes=tuple(arrays.notes),
            kept=arrays.kept,
            frame=native,
            index=index,
        )
        design._check_range()
        return design

    @classmethod
    def from_arrays(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        trials: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        intercept: bool = True,
        event: Any = None,
        weight_type: str = "frequency",
    ) -> Design:
        """A design from arrays.

        Parameters
        ----------
        X : array_like or SciPy sparse, shape (n, k)
            Slope columns, float32 or float64; stored as given, never copied as a whole. A data frame lends its names.
            The chunks of a Dask array stay where they are.
        y : array_like, shape (n,)
            Outcome: 0/1, boolean or two-valued text; successes when ``trials`` is given. If X is a pandas frame, a
            Series here or below goes by its index.
        names : sequence of str, optional
            Names of the slope columns; "x1", "x2", ... without.
        trials, weights, offset : array_like, shape (n,), optional
            Binomial trials, frequency weights, offset in log-odds.
        intercept : bool
            Whether to put a column of ones first, named "Intercept".
        event : optional
            The level of a two-valued outcome that counts as 1. Without it: 1 of 0/1, True of booleans, else the last
            level, which a note names.
        weight_type : {"frequency"}
            Only frequency weights are supported; survey weights are refused.

        Raises
        ------
        DataError
            If shapes disagree, a value is not finite, names repeat, or the outcome is not two-valued.
        """
        _check_weight_type(weight_type)
        given = {"trials": trials, "weights": weights, "offset": offset}
        if is_dask(X):
            return cls._of(of_dask_arrays(X, y, names=names, intercept=intercept, roles=given, event=event))
        rows, labels, provenance = array_rows(X, names, intercept)
        n = rows.shape[0]
        if n == 0:
            raise DataError("X has no rows.")
        index = index_of(X)
        vectors = {
            role: row_vector(role, by_label(role, values, index), n)
            for role, values in given.items()
            if values is not None
        }
        outcome = outcome_of_array(by_label("y", y, index), n, trials=vectors.get("trials"), event=event)
        w, shift = vectors.get("weights", np.broadcast_to(1.0, n)), vectors.get("offset", np.zeros(n))
        source = MemorySource.weighed(rows, outcome.y, outcome.trials, w, shift)
        spec = ArraySpec(labels, intercept, outcome.event, outcome.other)
        design = cls(spec.columns, source, spec, provenance, offset is not None, notes=outcome.notes, index=index)
        design._check_range()
        return design

    @classmethod
    def _of(cls, found: Streamed) -> Design:
        about = found.has_offset, found.n_dropped, found.notes
        design = cls(found.spec.columns, found.source, found.spec, found.provenance, *about)
        # What was counted on the way is not counted again.
        vars(design).update(tally=found.tally, moments=found.moments)
        design._check_range()
        return design

    def __repr__(self) -> str:
        names = ", ".join(self.columns[:6]) + (f" and {len(self.columns) - 6} more" if len(self.columns) > 6 else "")
        return f"<Design of {self.n_rows:,} rows, {self.nobs:,.10g} observations; columns {names}>"

    def reduce(self, function: Callable[..., T], *args: Any) -> T:
        """The sum of ``function(block, *args)`` over the row blocks, in their fixed order.

        ``function`` returns anything that adds. This is the only pass over the data there is.
        """
        if isinstance(self.source, Spread):
            return self.source.fold(function, args)
        blocks = self.source.blocks()

        def work(block: Block) -> T:
            return function(block, *args)

        total: Any = None
        for part in in_order(work, blocks) if self.source.compiled else map(work, blocks):
            total = part if total is None else total + part
        result: T = total
        return result

    def centered(self, center: Array | None) -> Design:
        """The same rows in columns from which ``center`` is taken; for passes only."""
        if self.has_intercept and center is self.moments.mean:
            return self._centered
        return replace(self, source=centered(self.source, center))

    @cached_property
    def condensed(self) -> Design:
        """The same likelihood with repeated rows as binomial counts, where that pays; else the design itself."""
        shorter = condense(self.source) if isinstance(self.source, MemorySource) else None
        return self if shorter is None else replace(self, source=shorter)

    @cached_property
    def _centered(self) -> Design:
        return replace(self, source=centered(self.source, self.moments.mean))

    def outcome_arrays(self) -> tuple[Array, Array, Array]:
        """Successes, trials and weights of every row, each shape (n,)."""
        if isinstance(self.source, MemorySource):
            return self.source.y, self.source.trials, self.source.weights
        blocks = self.source.in_passing(3) if isinstance(self.source, Spread) else self.source.blocks()
        y, trials, weights = zip(*((block.y, block.trials, block.weights) for block in blocks), strict=True)
        return np.concatenate(y), np.concatenate(trials), np.concatenate(weights)

    @property
    def row_index(self) -> Any:
        """The index of the rows, where the data had one."""
        return self.index if self.index is None or self.kept is None else self.index[self.kept]

    def group_codes(self, groups: str | ArrayLike) -> NDArray[np.int64]:
        """Group labels, a column or one a row (of the data given or of the rows kept), as codes 0, 1, ...; (n,)."""
        if isinstance(groups, str):
            if self.frame is None:
                raise DataError(f"groups={groups!r}: a design from arrays has no such column; give the labels.")
            groups = column_values(self.frame, groups)
        else:
            try:
                size = np.size(groups)
                whole = self.kept is None or size == self.kept.size
            except ValueError:
                raise DataError("groups has rows of different lengths; one label for each row is needed.") from None
            groups = by_label("groups", groups, self.index if whole else self.row_index)
        values = np.asarray(groups)
        if self.kept is not None and values.shape == self.kept.shape:
            values = values[self.kept]
        if np.any(is_missing(values)):
            raise DataError("groups has missing values; each row needs a group.")
        if values.shape != (self.source.n_rows,):
            raise DataError(f"groups has shape {values.shape}; the design has {self.source.n_rows} rows.")
        return np.unique(values, return_inverse=True)[1].astype(np.int64)

    def used_frame(self) -> Any:
        """The rows that were fitted, as the caller's own frame; for arrays a pandas frame of slopes and outcome."""
        if self.frame is not None:
            return rows_of_frame(self.frame, self.kept)
        import pandas as pd

        first = int(self.has_intercept)
        values = np.vstack([block.X.toarray()[:, first:] for block in self.source.blocks()])
        data = pd.DataFrame(values, columns=list(self.columns[first:]), index=self.index)
        if self.spec.outcome in data:
            raise DataError(
                f"augment(): a slope is called {self.spec.outcome!r}, like the outcome; give it another with names=."
            )
        return data.assign(**{self.spec.outcome: self.outcome_arrays()[0]})

    @property
    def has_intercept(self) -> bool:
        return self.spec.has_intercept

    @property
    def terms(self) -> Mapping[str, tuple[int, ...]]:
        """Formula term to the positions of its columns."""
        return self.spec.terms

    @property
    def reference_levels(self) -> Mapping[str, str]:
        """Factor to the level that its coefficients compare with."""
        return self.spec.reference_levels

    @property
    def n_rows(self) -> int:
        """Rows that have weight."""
        return self.tally.rows

    @property
    def nobs(self) -> float:
        """``sum w_i m_i``: observations, counting frequency weights and trials."""
        return self.tally.nobs

    @property
    def n_events(self) -> float:
        """``sum w_i y_i``."""
        return self.tally.events

    @cached_property
    def tally(self) -> Tally:
        return self.reduce(tally)

    @cached_property
    def moments(self) -> Moments:
        """Of the slope columns, over expanded rows (weight x trials)."""
        return self.reduce(moments)

    @cached_property
    def column_means(self) -> Array:
        """Mean of each column over expanded rows; 1 for the intercept. Shape (p,)."""
        return np.concatenate([[1.0], self.moments.mean]) if self.has_intercept else self.moments.mean

    @cached_property
    def column_sds(self) -> Array:
        """Sd (n - 1) of each column over expanded rows; exactly 0 for a constant one. Shape (p,)."""
        m = self.moments
        constant = m.lower == m.upper
        sd = np.where(constant, 0.0, np.sqrt(m.squares / max(m.count - 1.0, 1e-300))) if m.count > 1.0 else 0.0 * m.mean
        return np.concatenate([[0.0], sd]) if self.has_intercept else sd

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over column names and the numbers of every block: the identity of the data as fitted."""
        digests = [hashlib.sha256() for _ in range(5)]  # one for each array, so that blocks of any size give the same
        blocks = self.source.in_turn() if isinstance(self.source, Spread) else self.source.blocks()
        for block in blocks:
            parts = (block.X.toarray(), block.y, block.trials, block.weights, block.offset)
            for digest, part in zip(digests, parts, strict=True):
                digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        names = "\x1f".join(self.columns).encode()
        return hashlib.sha256(names + b"".join(digest.digest() for digest in digests)).hexdigest()

    def _check_range(self) -> None:
        """Refuse what no arithmetic can carry: nothing to fit, negative weights, squares that overflow."""
        if not self.columns:
            raise DataError("The design has no columns: add a term or an intercept.")
        if self.tally.nobs <= 0.0:
            raise DataError("All weights are zero: no row counts.")
        # An overflow here is what the check is about; the message says it better than NumPy's warning.
        with np.errstate(over="ignore", invalid="ignore"):
            m = self.moments
        for j, name in enumerate(self.columns[int(self.has_intercept) :]):
            largest = max(abs(m.lower[j]), abs(m.upper[j]))
            if largest > _LARGEST:
                raise DataError(f"Column {name!r} holds {largest:.3g}: its square overflows. Give it a smaller unit.")
            if 0.0 < largest < 1.0 / _LARGEST:
                raise DataError(
                    f"Column {name!r} holds at most {largest:.3g}: its square vanishes. Give it a larger unit."
                )


def _check_weight_type(weight_type: str) -> None:
    if weight_type != "frequency":
        raise ArgumentError(
            f"weight_type={weight_type!r}: only 'frequency' weights are supported (a weight of 3 is three equal rows). "
            "Survey, sampling or probability weights need design-based standard errors, which this model does not give."
        )
