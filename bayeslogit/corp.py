"""Calibration by isotonic regression: the reliability diagram that needs no bins, with bands and score decompositions.

The curve is that of Dimitriadis, Gneiting and Jordan (2021), "Stable reliability diagrams for probabilistic
classifiers", PNAS 118(8), e2016191118 (CORP): event rates as a nondecreasing function of the prediction, by pooling
adjacent violators. The confidence band is that of Dimitriadis, Duembgen, Henzi, Puke and Ziegel (2023), "Honest
calibration assessment for binary outcome predictions", Biometrika 110(3), on pooled neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, xlogy

from bayeslogit.chart import Chart
from bayeslogit.charts_checks import calibration_curve
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import check_prob
from bayeslogit.summary import percent
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
BANDS = ("consistency", "confidence")
# Groups of neighbouring predictions on which the bands are worked out: resampling sorts, the exact band pairs them.
_GROUPS = {"consistency": 2000, "confidence": 120}


class Decomposition(NamedTuple):
    """A mean score (lower is better) as ``miscalibration - discrimination + uncertainty``.

    Attributes
    ----------
    score : float
        Of the predictions.
    miscalibration : float
        What recalibration by the isotonic curve would gain; never negative.
    discrimination : float
        What the recalibrated predictions gain over one rate for all; never negative.
    uncertainty : float
        The score of that one rate.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Event rates as a nondecreasing function of the predicted probability; every array has shape (m,).

    Attributes
    ----------
    predicted : array
        The distinct predictions, ascending.
    rate : array
        The isotonic regression of the outcomes: what the event rate seems to be where this is predicted.
    lower, upper : array
        Of the band.
    count : array
        Observations (weight x trials) with this prediction.
    band : {"consistency", "confidence"}
        "consistency": where the curve would lie, point by point, if every prediction were right. "confidence": where
        the true event rates lie, all of them at once, if they do not fall as the prediction rises.
    prob : float
        Probability of the band.
    brier, log_score : Decomposition
        Mean squared error, and mean of minus the log of the probability given to what happened (nats).
    tail : float
        Probability, if every prediction were right, of a miscalibration (Brier) as large as that observed; NaN for
        the confidence band, which does not resample.
    outside : float
        Share of observations where the diagonal (confidence) or the curve (consistency) is not in the band.
    notes : tuple of str
    """

    predicted: Array
    rate: Array
    lower: Array
    upper: Array
    count: Array
    band: str
    prob: float
    brier: Decomposition
    log_score: Decomposition
    tail: float
    outside: float
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """The two scores and their parts."""
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (name, *part) for name, part in (("Brier score", self.brier), ("log score (nats)", self.log_score))
        )
        tail = (
            ""
            if np.isnan(self.tail)
            else f" Were the predictions right, a miscalibration (Brier) this large has probability {self.tail:.2g}."
        )
        return Table(
            name="calibration-scores",
            title="Calibration",
            columns=(
                Column("score", "score"),
                Column("value", "mean over observations", "number"),
                Column("miscalibration", "miscalibration", "number"),
                Column("discrimination", "discrimination", "number"),
                Column("uncertainty", "uncertainty", "number"),
            ),
            rows=rows,
            header=(
                "Lower is better; score = miscalibration \u2212 discrimination + uncertainty.",
                f"{100.0 * self.outside:.1f} % of the observations lie where {self._outside}.{tail}",
            ),
            notes=self.notes,
        )

    @property
    def _outside(self) -> str:
        if self.band == "consistency":
            return f"the curve leaves the {percent(self.prob)} band of right predictions"
        return f"the predicted probability is outside the {percent(self.prob)} confidence band of the event rate"

    def chart(self, *, notes: tuple[str, ...] = (), unit: str = "observations") -> Chart:
        """The curve and its band beside the diagonal, with the spread of the predictions below."""
        counts, edges = np.histogram(self.predicted, bins=40, range=(0.0, 1.0), weights=self.count)
        width = percent(self.prob)
        words = {
            "consistency": f"{width} of curves if every prediction were right (pointwise)",
            "confidence": f"{width} confidence band of the event rate (all at once)",
        }
        return calibration_curve(
            *(part.tolist() for part in (self.predicted, self.rate, self.lower, self.upper, self.count)),
            histogram=(edges.tolist(), counts.tolist()),
            band=words[self.band],
            unit=unit,
            notes=(*self.notes, *notes),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def calibration(
    y: Array,
    trials: Array,
    probability: Array,
    weights: Array,
    *,
    prob: float = 0.95,
    band: str = "consistency",
    replicates: int = 1000,
    rng: int | np.random.Generator = 0,
) -> CalibrationCurve:
    """Isotonic calibration curve of predicted probabilities, with a band and score decompositions.

    Parameters
    ----------
    y, trials, probability, weights : array, shape (n,)
        Successes and trials of each row, the predicted probability of a success, frequency weights. Rows of weight 0
        count nowhere.
    prob : float
        Probability of the band.
    band : {"consistency", "confidence"}
        As in `CalibrationCurve`. The first is resampled under the predictions, the second exact (Clopper-Pearson
        limits of every run of neighbours, Bonferroni over all), and so conservative.
    replicates : int
        Resampled outcomes.
    rng : int or Generator

    Raises
    ------
    ArgumentError
        If the lengths differ, a prediction is not a probability, nothing is observed, or an option is unknown.
    """
    check_prob(prob)
    if band not in BANDS:
        raise ArgumentError(f"calibration(band={band!r}): it is one of {', '.join(map(repr, BANDS))}.")
    predicted, ones, count = pooled(y, trials, probability, weights, "calibration")
    rate = isotonic(ones / count, count)
    notes: tuple[str, ...] = ()
    groups = _neighbours(count, _GROUPS[band])
    at, hits, size = predicted, ones, count
    if groups is not None:
        size = np.bincount(groups, count)
        at, hits = np.bincount(groups, count * predicted) / size, np.bincount(groups, ones)
        notes = (f"The band is worked out on {size.size:,} groups of neighbouring predictions.",)
    tail = float("nan")
    if band == "consistency":
        low, high, tail = _consistency(at, hits, size, prob, replicates, np.random.default_rng(rng))
    else:
        low, high = _confidence(hits, size, prob)
    if groups is not None and band == "consistency":
        low, high = np.interp(predicted, at, low), np.interp(predicted, at, high)
    elif groups is not None:
        low, high = _spread_out(groups, low, high)
    inner = rate if band == "consistency" else predicted
    slack = 1e-12
    out = float(count @ ((inner < low - slack) | (inner > high + slack)) / count.sum())
    brier, log_score = decompositions(predicted, rate, ones, count)
    return CalibrationCurve(predicted, rate, low, high, count, band, prob, brier, log_score, tail, out, notes)


def pooled(y: Array, trials: Array, probability: Array, weights: Array, what: str) -> tuple[Array, Array, Array]:
    """Distinct predictions ascending, with the events and the observations at each."""
    parts = [np.asarray(each, dtype=np.float64) for each in (y, trials, probability, weights)]
    if len({part.shape for part in parts}) > 1 or parts[0].ndim != 1:
        raise ArgumentError(
            f"{what}(): y, trials, probability and weights need one length; got "
            f"{', '.join(str(part.shape) for part in parts)}."
        )
    y, trials, probability, weights = parts
    if not np.all((probability >= 0.0) & (probability <= 1.0)):
        raise ArgumentError(f"{what}(probability=...): every prediction is a probability between 0 and 1.")
    count = weights * trials
    used = count > 0.0
    if not used.any():
        raise ArgumentError(f"{what}(): no row has a positive weight and trials, so there is nothing to check.")
    values, code = np.unique(probability[used], return_inverse=True)
    return values, np.bincount(code, (weights * y)[used]), np.bincount(code, count[used])


def isotonic(values: Array, weights: Array) -> Array:
    """The nondecreasing sequence nearest to ``values`` in weighted squares, by pooling adjacent violators; (m,)."""
    from scipy.optimize import isotonic_regression

    found: Array = isotonic_regression(values, weights=weights).x
    return found


def decompositions(predicted: Array, rate: Array, ones: Array, count: Array) -> tuple[Decomposition, Decomposition]:
    """Of the Brier score and the log score; arrays as in `CalibrationCurve`, ``ones`` the events."""
    total = float(count.sum())
    overall = np.full_like(rate, ones.sum() / total)

    def brier(p: Array) -> float:
        return float(ones @ np.square(1.0 - p) + (count - ones) @ np.square(p)) / total

    def log_score(p: Array) -> float:
        return -float(np.sum(xlogy(ones, p) + xlogy(count - ones, 1.0 - p))) / total

    found = []
    for score in (brier, log_score):
        own, recalibrated, same = score(predicted), score(rate), score(overall)
        found.append(Decomposition(own, max(own - recalibrated, 0.0), max(same - recalibrated, 0.0), same))
    return found[0], found[1]


def resampled(probability: Array, count: Array, replicates: int, rng: np.random.Generator) -> Array:
    """Events out of ``count`` independent observations, shape (replicates, m); a part of one counts with that part."""
    whole = np.floor(count)
    events = rng.binomial(whole.astype(np.int64), probability, size=(replicates, count.size)).astype(np.float64)
    part = count - whole
    if part.any():
        events += part * (rng.random((replicates, count.size)) < probability)
    return events


def _consistency(
    at: Array, ones: Array, count: Array, prob: float, replicates: int, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    rates = resampled(at, count, replicates, rng) / count
    curves = np.array([isotonic(each, count) for each in rates])
    side = 0.5 * (1.0 - prob)
    low, high = np.quantile(curves, [side, 1.0 - side], axis=0)

    def excess(rate: Array, curve: Array) -> Array:
        gain: Array = (np.square(at - rate) - np.square(curve - rate)) @ count
        return gain

    observed = float(excess(ones / count, isotonic(ones / count, count)))
    larger = np.count_nonzero(excess(rates, curves) >= observed * (1.0 - 1e-12))
    return low, high, (1.0 + larger) / (1.0 + replicates)


def _confidence(ones: Array, count: Array, prob: float) -> tuple[Array, Array]:
    """Every run of neighbours bounds the event rates beside it, because the rates do not fall."""
    k = count.size
    n = np.concatenate([[0.0], np.cumsum(count)])
    s = np.concatenate([[0.0], np.cumsum(ones)])
    first, last = np.triu_indices(k)
    size, hits = n[last + 1] - n[first], s[last + 1] - s[first]
    level = (1.0 - prob) / (2.0 * first.size)
    misses = np.maximum(size - hits, 0.0)
    lower = np.where(hits > 0.0, betaincinv(np.maximum(hits, 1e-300), misses + 1.0, level), 0.0)
    upper = np.where(misses > 0.0, betaincinv(hits + 1.0, np.maximum(misses, 1e-300), 1.0 - level), 1.0)
    least, most = np.zeros(k), np.ones(k)
    np.maximum.at(least, last, lower)  # holds from the end of the run upwards
    np.minimum.at(most, first, upper)  # holds up to its start
    return np.maximum.accumulate(least), np.minimum.accumulate(most[::-1])[::-1]


def _spread_out(groups: NDArray[np.intp], lower: Array, upper: Array) -> tuple[Array, Array]:
    """Limits of groups at each of their predictions: a run that ends with a group bounds what comes after it."""
    last = np.append(groups[1:] != groups[:-1], True)
    first = np.append(True, groups[1:] != groups[:-1])
    before, after = np.append(0.0, lower[:-1]), np.append(upper[1:], 1.0)
    return np.where(last, lower[groups], before[groups]), np.where(first, upper[groups], after[groups])


def _neighbours(count: Array, most: int) -> NDArray[np.intp] | None:
    """Group of each prediction where there are more than ``most``: about equally many observations each."""
    if count.size <= most:
        return None
    middle = np.cumsum(count) - 0.5 * count
    code = np.minimum((middle / count.sum() * most).astype(np.intp), most - 1)
    found: NDArray[np.intp] = np.unique(code, return_inverse=True)[1]
    return found
