"""What is left out, one at a time, and the record of how well the rest predicts it.

The unit left out is one Bernoulli copy: a row of weight w with y successes in m trials is ``w y`` copies of a success
and ``w (m - y)`` of a failure, so that counts give the same numbers as their expanded rows. With ``unit="row"`` whole
rows are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.posterior.variational import Gaussian
from bayeslogit.table import Column, Table

Array = NDArray[np.float64]
KINDS = ("posterior", "mode")
UNITS = ("observation", "row")
FLAG = "<U64"
# The flag of what is predicted with a log score of minus infinity, as the posterior without it is improper.
IMPROPER = "improper without it"


@dataclass(frozen=True)
class Sites:
    """What can be left out, m of them.

    Attributes
    ----------
    row : array of int, shape (m,)
        The row of the design.
    out_successes, out_failures : array, shape (m,)
        What leaves the likelihood.
    in_successes, in_failures : array, shape (m,)
        What is then predicted: the same, unless a copy weighs less than one observation.
    copies : array, shape (m,)
        How many such there are.
    n_rows : int
    unit : {"observation", "row"}
    """

    row: NDArray[np.intp]
    out_successes: Array
    out_failures: Array
    in_successes: Array
    in_failures: Array
    copies: Array
    n_rows: int
    unit: str

    @classmethod
    def of(cls, design: Design, unit: str) -> Sites:
        """All of a design; rows of weight 0 have none."""
        if unit not in UNITS:
            raise ArgumentError(f"unit={unit!r}: what is left out is an 'observation' (one Bernoulli copy) or a 'row'.")
        y, trials, weights = design.outcome_arrays()
        ones, zeros = weights * y, weights * (trials - y)
        n = ones.size
        if unit == "row":
            row = np.flatnonzero(ones + zeros > 0.0)
            s, f = ones[row], zeros[row]
            return cls(row, s, f, s, f, np.ones(row.size), n, unit)
        with_ones, with_zeros = np.flatnonzero(ones > 0.0), np.flatnonzero(zeros > 0.0)
        row = np.concatenate([with_ones, with_zeros])
        success = np.concatenate([np.ones(with_ones.size), np.zeros(with_zeros.size)])
        copies = np.concatenate([ones[with_ones], zeros[with_zeros]])
        size = np.minimum(copies, 1.0)  # less than one observation leaves with what it weighs
        return cls(row, success * size, (1.0 - success) * size, success, 1.0 - success, copies, n, unit)

    def __len__(self) -> int:
        return self.row.size

    @property
    def n_units(self) -> float:
        """Number of observations, or of rows."""
        return float(self.copies.sum())

    @property
    def single(self) -> bool:
        """Whether every site predicts one trial."""
        return bool(np.all(self.in_successes + self.in_failures == 1.0))

    def total(self, values: Array) -> Array:
        """Sum over the copies of each row, shape (n_rows,)."""
        result: Array = np.bincount(self.row, weights=self.copies * values, minlength=self.n_rows)
        return result

    def largest(self, values: Array) -> Array:
        """The largest number among the sites of each row; NaN where there is none. Shape (n_rows,)."""
        result = np.full(self.n_rows, -np.inf)
        np.maximum.at(result, self.row, np.where(np.isnan(values), -np.inf, values))
        result[result == -np.inf] = np.nan
        return result


class SiteScores(NamedTuple):
    """What leaving out gives, one number a site: log predictive density without it and with it, and what to know."""

    scores: Array
    within: Array
    flags: NDArray[np.str_]
    n_refit: int
    notes: tuple[str, ...]
    pareto_k: Array | None = None
    mcse: float = 0.0
    error: float = math.nan


@dataclass(frozen=True, eq=False)
class LooResult:
    """Leave-one-out prediction: the expected log predictive density of new observations of the same rows.

    Attributes
    ----------
    elpd : float
        Sum of the log predictive densities of what was left out, nats, without binomial constants.
    se : float
        Standard error of ``elpd`` as an estimate for new data: root of units times their variance.
    p : float
        Effective number of parameters: log density of the data with all of them in, less ``elpd``.
    elpd_i : array, shape (n,)
        The sum over the copies of each row; 0 for rows of weight 0, which count nowhere.
    pareto_k : array, shape (n,)
        Tail index of the weights by which a row's number was worked out, where there were any; NaN elsewhere.
    flags : array of str, shape (n,)
        What to know about a row's number; "" for nothing.
    kind : {"posterior", "mode"}
        Bayesian, averaged over the posterior without the unit; or the plug-in log score of the mode without it.
    unit : {"observation", "row"}
    n_data_points : float
        Number of units.
    n_refit : int
        Units whose model was fitted again without them.
    mcse : float
        Monte-Carlo standard error of ``elpd``; 0 where nothing was drawn.
    error : float
        Size of the error to expect of ``elpd``, nats: Monte-Carlo, and what the series behind the cavities leaves; NaN
        where there is no measure of it.
    weighted : bool
        Whether some weight is not a whole number, so that "one observation" is only a manner of speaking.
    prior : str
        The prior in words.
    notes : tuple of str
    gaussian : Gaussian or None
        What the cavities were taken from, for the search under a neighbouring prior to begin with.
    """

    elpd: float
    se: float
    p: float
    elpd_i: Array
    pareto_k: Array
    flags: NDArray[np.str_]
    kind: str
    unit: str
    n_data_points: float
    n_refit: int
    mcse: float
    weighted: bool
    prior: str
    notes: tuple[str, ...]
    gaussian: Gaussian | None = None
    error: float = math.nan

    @classmethod
    def of(cls, sites: Sites, found: SiteScores, *, kind: str, prior: str, weighted: bool) -> LooResult:
        """From the numbers of the sites."""
        n = sites.n_units
        mean = float(sites.copies @ found.scores) / n
        finite = math.isfinite(mean)
        spread = float(sites.copies @ np.square(found.scores - mean)) / n if finite else math.nan
        words = np.zeros(sites.n_rows, dtype=FLAG)
        told = np.flatnonzero(found.flags.view(np.int32).reshape(len(sites), -1)[:, 0])
        words[sites.row[told]] = found.flags[told]
        elpd = mean * n
        return cls(
            elpd=elpd,
            se=math.sqrt(n * spread),
            p=float(sites.copies @ found.within) - elpd,
            elpd_i=sites.total(found.scores),
            pareto_k=np.full(sites.n_rows, np.nan) if found.pareto_k is None else sites.largest(found.pareto_k),
            flags=words,
            kind=kind,
            unit=sites.unit,
            n_data_points=n,
            n_refit=found.n_refit,
            mcse=found.mcse,
            weighted=weighted,
            prior=prior,
            notes=found.notes,
            error=found.error,
        )

    def table(self) -> Table:
        """The numbers in words."""
        name = "elpd (Bayesian)" if self.kind == "posterior" else "log score (mode plugged in)"
        what = "one observation" if self.unit == "observation" else "one row"
        rows = (
            (f"leave-one-out {name}", self.elpd, self.se),
            ("effective parameters", self.p, None),
            ("per " + self.unit, self.elpd / self.n_data_points, self.se / self.n_data_points),
        )
        flagged = int(np.count_nonzero(self.flags != ""))
        notes = [
            f"{self.n_refit:,} fitted again without them; {flagged:,} of {self.flags.size:,} rows carry a flag.",
            *(["Weighted: some weights are not whole numbers."] if self.weighted else []),
            *self.notes,
        ]
        return Table(
            name="loo",
            title=f"Leave-one-out prediction ({'posterior' if self.kind == 'posterior' else 'mode'})",
            columns=(Column("quantity", "quantity"), Column("value", "nats", "number"), Column("se", "se", "number")),
            rows=rows,
            header=(
                f"Prior: {self.prior} (held fixed).",
                f"Left out: {what} at a time, {self.n_data_points:,.10g} in all; higher is better.",
            ),
            notes=tuple(notes),
        )

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return f"<LooResult {self.kind}: elpd {self.elpd:.2f} (se {self.se:.2f}), p {self.p:.2f}, unit {self.unit}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
