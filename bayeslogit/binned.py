"""Binned residuals: observed minus predicted event rates, in bins of the prediction or of a variable.

After Gelman and Hill (2007), "Data Analysis Using Regression and Multilevel/Hierarchical Models", section 5.6, with
limits from the variance of the model instead of that of the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.chart import Chart
from bayeslogit.charts_checks import residual_bins
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import check_prob
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table

Array = NDArray[np.float64]
_MOST_BINS = 50


@dataclass(frozen=True, eq=False)
class BinnedResiduals:
    """Average residuals in bins of about equally many observations; every array has shape (bins,).

    Attributes
    ----------
    at : array
        Mean of what the bins are made by.
    residual : array
        Observed minus predicted event rate.
    limit : array
        Half width of the central interval of ``residual`` if the predictions are right (Gaussian).
    count : array
        Observations (weight x trials).
    by : str
        What the bins are made by, in words.
    prob : float
    """

    at: Array
    residual: Array
    limit: Array
    count: Array
    by: str
    prob: float

    @property
    def outside(self) -> int:
        """Bins outside their limits."""
        return int(np.count_nonzero(np.abs(self.residual) > self.limit))

    def table(self) -> Table:
        """One row a bin."""
        expected = (1.0 - self.prob) * self.at.size
        return Table(
            name="binned-residuals",
            title="Binned residuals",
            columns=(
                Column("at", f"{self.by} (mean)", "number"),
                Column("residual", "observed minus predicted event rate", "number"),
                Column("limit", f"{percent(self.prob)} limits, plus or minus", "number"),
                Column("count", "observations", "number"),
            ),
            rows=tuple(
                zip(*(map(float, part) for part in (self.at, self.residual, self.limit, self.count)), strict=True)
            ),
            header=(
                f"{self.outside} of {self.at.size} bins are outside their limits; {expected:.1f} are expected "
                "if the model holds.",
            ),
        )

    def chart(self, *, notes: tuple[str, ...] = ()) -> Chart:
        """Average residuals within their limits."""
        words = f"{percent(self.prob)} of bins lie within, if the model holds"
        return residual_bins(
            *(part.tolist() for part in (self.at, self.residual, self.limit, self.count)),
            x_label=self.by,
            limits=words,
            notes=notes,
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def binned_residuals(
    y: Array,
    trials: Array,
    probability: Array,
    weights: Array,
    *,
    by: Array | None = None,
    name: str = "predicted probability of the event",
    bins: int | None = None,
    prob: float = 0.95,
) -> BinnedResiduals:
    """Observed minus predicted event rate in bins of the prediction, or of anything else.

    Parameters
    ----------
    y, trials, probability, weights : array, shape (n,)
        Successes and trials of each row, the predicted probability of a success, frequency weights.
    by : array, shape (n,), optional
        What the bins are made by, the prediction without it; equal values stay in one bin. ``name`` says what it is.
    bins : int, optional
        Without it the square root of the number of observations, between 10 and 50; fewer where values are few.
    prob : float
        Probability of the limits. They are Gaussian with the variance ``sum n_i p_i (1 - p_i)`` of the model.

    Raises
    ------
    ArgumentError
        If the lengths differ or nothing is observed.
    """
    check_prob(prob)
    by = probability if by is None else by
    parts = [np.asarray(each, dtype=np.float64) for each in (y, trials, probability, weights, by)]
    if len({part.shape for part in parts}) > 1 or parts[0].ndim != 1:
        raise ArgumentError(
            f"binned_residuals(): every argument needs one value a row; got {', '.join(str(p.shape) for p in parts)}."
        )
    y, trials, probability, weights, by = parts
    count = weights * trials
    used = (count > 0.0) & np.isfinite(by)
    if not used.any():
        raise ArgumentError(
            "binned_residuals(): no row has a positive weight and trials, so there is nothing to check."
        )
    n, p, x, events = count[used], probability[used], by[used], (weights * y)[used]
    wanted = int(np.clip(np.sqrt(n.sum()), 10, _MOST_BINS)) if bins is None else int(bins)
    if wanted < 1:
        raise ArgumentError(f"binned_residuals(bins={bins!r}): at least one bin is needed.")
    _, code = np.unique(x, return_inverse=True)
    size = np.bincount(code, n)
    middle = np.cumsum(size) - 0.5 * size
    group = np.minimum((middle / size.sum() * wanted).astype(np.intp), wanted - 1)
    index = np.unique(group, return_inverse=True)[1][code]
    total = np.bincount(index, n)
    at = np.bincount(index, n * x) / total
    residual = np.bincount(index, events - n * p) / total
    limit = float(ndtri(0.5 + 0.5 * prob)) * np.sqrt(np.bincount(index, n * p * (1.0 - p))) / total
    return BinnedResiduals(at, residual, limit, total, name, prob)
