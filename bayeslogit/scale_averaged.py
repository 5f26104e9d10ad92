"""What is left when the scale of the prior is not plugged in but averaged over: the record and its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import check_prob
from bayeslogit.quantities import tails
from bayeslogit.scale_average import Hyperprior, Mixture, grid, mix, scores, weights
from bayeslogit.scale_evidence import Point, Sampler, curve_of
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
# For ends of intervals more pairs are drawn than the evidence asks for.
_PAIRS = 4000


@guarded_methods
@dataclass(frozen=True, eq=False)
class AveragedScales:
    """The posterior with the scale of the prior unknown, beside that with the best scale plugged in.

    Attributes
    ----------
    columns : tuple of str
    averaged, plugged : Mixture
        Mean, sd, median and the ends of the interval of each coefficient, shape (p,), log-odds.
    scales, weight : array, shape (S,)
        The grid of scales and the posterior probability of each.
    plugged_scale : float
        Where the evidence is largest.
    hyperprior : Hyperprior
    log_evidence : float
        With the scale unknown: nothing was maximised.
    log_evidence_se : float
        Its Monte-Carlo error, at most.
    prob : float
    levels : tuple of str
        Of the evidence at each scale.
    mcse : array, shape (p,)
        Monte-Carlo error of the ends of the averaged intervals, at most; log-odds.
    """

    columns: tuple[str, ...]
    averaged: Mixture
    plugged: Mixture
    scales: Array
    weight: Array
    plugged_scale: float
    hyperprior: Hyperprior
    log_evidence: float
    log_evidence_se: float
    prob: float
    levels: tuple[str, ...]
    mcse: Array

    @cached_property
    def wider(self) -> Array:
        """Width of each interval over that at the scale plugged in, shape (p,)."""
        a, b = self.averaged, self.plugged
        result: Array = (a.upper - a.lower) / (b.upper - b.lower)
        return result

    def conf_int(self) -> pd.DataFrame:
        """Columns "lower" and "upper": equal-tailed intervals, log-odds."""
        ends = np.column_stack([self.averaged.lower, self.averaged.upper])
        return frames.matrix(ends, self.columns, ("lower", "upper"))

    @property
    def mean(self) -> pd.Series[float]:
        return frames.series(self.averaged.mean, self.columns, "mean")

    @property
    def sd(self) -> pd.Series[float]:
        return frames.series(self.averaged.sd, self.columns, "sd")

    def table(self) -> Table:
        """Both intervals side by side, and how much wider the first is."""
        a, b = self.averaged, self.plugged
        numbers = np.column_stack([a.median, a.sd, a.lower, a.upper, b.median, b.sd, b.lower, b.upper, self.wider])
        width = percent(self.prob)
        doubtful = sum(float(w) for w, level in zip(self.weight, self.levels, strict=True) if level == "failed")
        return Table(
            name="averaged-scales",
            title="Coefficients with the scale of the prior unknown",
            columns=(
                Column("term", "term"),
                Column("estimate", "log-odds (posterior median)", "number"),
                Column("sd", "sd", "number"),
                Column("lower", f"{width} lower", "number"),
                Column("upper", f"{width} upper", "number"),
                Column("plugged", "median, scale plugged in", "number"),
                Column("plugged_sd", "sd, plugged in", "number"),
                Column("plugged_lower", f"{width} lower, plugged in", "number"),
                Column("plugged_upper", f"{width} upper, plugged in", "number"),
                Column("wider", "times as wide", "ratio"),
            ),
            rows=tuple((name, *map(float, row)) for name, row in zip(self.columns, numbers, strict=True)),
            header=(
                f"Hyperprior of the scale: {self.hyperprior!r}; equal-tailed {width} intervals.",
                f"Scale plugged in: {self.plugged_scale:.4g}, where the evidence is largest. "
                f"Log evidence with the scale unknown: {self.log_evidence:.3f} (Monte-Carlo error at most "
                f"{self.log_evidence_se:.3f}).",
            ),
            notes=(
                f"Monte-Carlo error of the ends: at most {float(np.max(self.mcse / a.sd)):.2g} sd.",
                f"Mixture of posteriors at {self.scales.size} scales, {self.scales[0]:.3g} to {self.scales[-1]:.3g}.",
                *(
                    [f"Scales with {percent(doubtful)} of the weight have an evidence of unknown error."]
                    if doubtful > 1e-3
                    else []
                ),
            ),
        )

    def scale_table(self) -> Table:
        """The grid: scale, posterior probability, how sure its evidence is."""
        rows = zip(map(float, self.scales), map(float, self.weight), self.levels, strict=True)
        return Table(
            name="scale-weights",
            title="Posterior of the prior scale",
            columns=(
                Column("scale", "scale", "number"),
                Column("weight", "posterior probability", "percent"),
                Column("level", "evidence"),
            ),
            rows=tuple(rows),
            header=(f"Hyperprior of the scale: {self.hyperprior!r}.",),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def average(
    sampler: Sampler, points: Sequence[Point], hyperprior: Hyperprior, prob: float, nodes: int
) -> AveragedScales:
    """Sample the posterior at scales that carry the weight, and mix.

    Raises
    ------
    ArgumentError
        If there are too few nodes, or the probability cannot be right.
    FitError
        If the posterior of the scale is not proper.
    """
    if isinstance(nodes, bool) or not 5 <= nodes <= 200:
        raise ArgumentError(f"averaged(nodes={nodes!r}): a whole number of 5 to 200 scales is needed.")
    if not isinstance(hyperprior, Hyperprior):
        raise ArgumentError(
            f"averaged(hyperprior={hyperprior!r}): give bayeslogit.HalfNormal(scale) or bayeslogit.HalfT(df, scale)."
        )
    probs = tails(check_prob(prob))
    curve = curve_of(points)
    x = grid(curve, hyperprior, int(nodes))
    sampled = [sampler.at(math.exp(at), first=_PAIRS) for at in x]
    weight, log_evidence = weights(x, np.array([point.log_evidence for point in sampled]), hyperprior)
    table = scores()
    rungs = [point.rung for point in sampled]
    tabled = [rung.estimator.quantiles(table) for rung in rungs]
    mixed = mix(
        weight,
        np.array([rung.mean for rung in rungs]),
        np.array([rung.sd for rung in rungs]),
        np.array([each[0] for each in tabled]),
        probs,
    )
    best = sampler.at(max(points, key=lambda point: point.log_evidence).scale, first=_PAIRS)
    nearest = [int(np.argmin(np.abs(table - each))) for each in probs[1:]]
    mcse = np.max(np.einsum("s,sqp->qp", weight, np.array([each[1][nearest] for each in tabled])), axis=0)
    plugged = Mixture(best.rung.mean, best.rung.sd, *best.rung.quantile(np.array(probs)))
    error = float(weight @ np.array([point.se for point in sampled]))
    return AveragedScales(
        best.rung.columns,
        mixed,
        plugged,
        np.exp(x),
        weight,
        best.scale,
        hyperprior,
        log_evidence,
        error,
        prob,
        tuple(point.level for point in sampled),
        mcse,
    )
