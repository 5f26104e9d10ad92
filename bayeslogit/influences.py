"""The influence of single rows: leverage, the one-step shift of Pregibon, and the leave-one-out density beside them.

Pregibon (1981), "Logistic regression diagnostics", Annals of Statistics 9(4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.chart import Chart
from bayeslogit.charts_checks import influence_cloud
from bayeslogit.design import Design
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
# Tail index of importance weights above which a leave-one-out number by weighting is not to be relied on.
_KHAT = 0.7
_COUNTED, _LABELLED = "Rows are counted from 1 in the data given.", "Rows are called by the labels of the frame."


@dataclass(frozen=True, eq=False)
class Influence:
    """What single rows do to the fit; every array has shape (n,).

    Attributes
    ----------
    observed, predicted : array
        Share of successes, and its probability at the mode.
    leverage : array
        Share of a row in its own fitted log-odds, between 0 and 1.
    shift : array
        How far the coefficients go when the row is left out: one Newton step, in posterior sds (norm of the
        information at the mode).
    elpd : array
        Leave-one-out log predictive density for each observation of the row, nats; NaN where it was not worked out.
    pareto_k : array
        Tail index of the importance weights it came from; NaN where there were none.
    flags : tuple of str
        What leave-one-out says of the row; "" for nothing.
    labels : tuple of str
    called : str
        Where the labels come from, in words.
    """

    observed: Array
    predicted: Array
    leverage: Array
    shift: Array
    elpd: Array
    pareto_k: Array
    flags: tuple[str, ...]
    labels: tuple[str, ...]
    called: str = _COUNTED

    @property
    def order(self) -> NDArray[np.intp]:
        """Rows by influence, the largest shift first."""
        found: NDArray[np.intp] = np.argsort(-self.shift, kind="stable")
        return found

    def table(self, most: int = 10) -> Table:
        """The most influential rows."""
        return Table(
            name="influence",
            title="The most influential rows",
            columns=self._columns(),
            rows=self._rows(self.order[:most]),
            header=(
                "Shift: distance, in posterior sds, that the coefficients go in one Newton step without the row.",
                f"Leverages sum to {float(np.sum(self.leverage)):.2f} over {self.leverage.size:,} rows. {self.called}",
            ),
        )

    def _columns(self) -> tuple[Column, ...]:
        return (
            Column("row", "row"),
            Column("observed", "observed share", "number"),
            Column("predicted", "predicted", "number"),
            Column("leverage", "leverage", "number"),
            Column("shift", "shift (posterior sds)", "number"),
            Column("elpd", "leave-one-out log density", "number"),
            Column("pareto_k", "Pareto k", "number"),
            Column("flag", "flag"),
        )

    def _rows(self, picked: NDArray[np.intp]) -> tuple[tuple[Cell, ...], ...]:
        numbers = (self.observed, self.predicted, self.leverage, self.shift, self.elpd, self.pareto_k)
        return tuple((self.labels[i], *(float(part[i]) for part in numbers), self.flags[i] or None) for i in picked)

    def chart(self, *, named: int = 5, most: int = 2000, notes: tuple[str, ...] = ()) -> Chart:
        """Leverage (or Pareto k, where there is one) against the leave-one-out density, or against the shift."""
        by_k = bool(np.isfinite(self.pareto_k).sum() > 0.5 * self.pareto_k.size)
        scored = bool(np.isfinite(self.elpd).any())
        flagged = [i for i, words in enumerate(self.flags) if words or self.pareto_k[i] > _KHAT]
        drawn = self.order[:most]
        return influence_cloud(
            (self.pareto_k if by_k else self.leverage).tolist(),
            (self.elpd if scored else self.shift).tolist(),
            self.order.tolist(),
            self.labels,
            flagged,
            x_label="Pareto k" if by_k else "leverage",
            y_label="leave-one-out log density of an observation" if scored else "shift, posterior sds",
            flag="flagged by leave-one-out",
            limit=_KHAT if by_k else None,
            named=named,
            most=most,
            data=Table("influence-data", "Influence of single rows: the numbers", self._columns(), self._rows(drawn)),
            notes=notes,
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def influence(
    y: Array,
    trials: Array,
    weights: Array,
    probability: Array,
    linear_predictor_sd: Array,
    *,
    elpd: Array | None = None,
    pareto_k: Array | None = None,
    flags: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    called: str = _COUNTED,
) -> Influence:
    """Leverage and one-step shift of every row, beside its leave-one-out density where that is at hand.

    With v the variance weight of a row, q the posterior variance of its log-odds and r its residual (all with weight
    and trials in), leverage is ``v q`` and the shift ``|r| sqrt(q) / (1 - v q)``: leaving the row out of the
    information, and one Newton step from the mode.

    Parameters
    ----------
    y, trials, weights : array, shape (n,)
    probability : array, shape (n,)
        At the mode.
    linear_predictor_sd : array, shape (n,)
        Posterior sd of each row's log-odds, by the Gaussian approximation at the mode.
    elpd, pareto_k, flags : optional
        `LooResult.elpd_i`, ``pareto_k`` and ``flags``.
    labels : sequence of str, optional
        What the rows are called; "row 1" and so on without.
    called : str
        Where the labels come from, in words.
    """
    q, count = np.square(linear_predictor_sd), weights * trials
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.where(trials > 0.0, y / trials, np.nan)
        each = np.full(q.size, np.nan) if elpd is None else np.where(count > 0.0, elpd / count, np.nan)
    leverage = count * probability * (1.0 - probability) * q
    rest = np.maximum(1.0 - leverage, np.finfo(float).tiny)
    shift = np.abs(weights * (y - trials * probability)) * np.sqrt(q) / rest
    return Influence(
        observed,
        np.asarray(probability, dtype=np.float64),
        leverage,
        shift,
        each,
        np.full(q.size, np.nan) if pareto_k is None else np.asarray(pareto_k, dtype=np.float64),
        ("",) * q.size if flags is None else tuple(map(str, flags)),
        tuple(f"row {i + 1}" for i in range(q.size)) if labels is None else tuple(map(str, labels)),
        called,
    )


def row_labels(design: Design) -> dict[str, Any]:
    """``labels`` and ``called`` of the rows fitted: labels of the caller's frame, else their places in the data."""
    if design.row_index is not None and design.provenance.kind == "frame":
        return {"labels": [f"row {label}" for label in design.row_index], "called": _LABELLED}
    where = np.arange(design.source.n_rows) if design.kept is None else np.flatnonzero(design.kept)
    return {"labels": [f"row {i + 1}" for i in where], "called": _COUNTED}
