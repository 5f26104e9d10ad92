"""Bias, variance and error of the mode along an axis of prior scales, on outcomes simulated from a known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import frames
from bayeslogit._coverage import Simulator
from bayeslogit._fit import as_design
from bayeslogit._priors import Normal, Prior
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.design import Design
from bayeslogit.error_chart import bias_variance_chart, train_test_chart
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.logistic import expit, log_likelihoods
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.scale_record import Axis, base_in_words
from bayeslogit.table import Cell, Column, Table
from bayeslogit.target import LogPosterior
from bayeslogit.waiting import bar
from bayeslogit.warm_start import sequence

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_SCALES, _TOL, _STEPS = 15, 1e-4, 200


@guarded_methods
@dataclass(frozen=True, eq=False)
class BiasVariance:
    """What a prior scale costs and saves when the truth is known; made by `bias_variance`.

    Estimates are modes, in log-odds per sd of the column; the intercept is left out of all sums.

    Attributes
    ----------
    scales : array, shape (S,)
        Multiples of the base scales, ascending.
    bias2, variance : array, shape (S,)
        Squared bias and variance of the estimates, summed over the slopes.
    error, error_se : array, shape (S,)
        Their sum, the expected squared error; and its Monte-Carlo error.
    train, test : array, shape (S,)
        Log loss, nats an observation: of the outcomes that were fitted, and of new outcomes of the same rows (exactly,
        from the true probabilities).
    uncertainty : (float, float)
        Scales whose error is within one standard error (of the paired difference) of the least.
    mean : array, shape (S, p)
        Average estimate of each coefficient, log-odds per unit.
    truth : array, shape (p,)
    columns : tuple of str
    simulations, failed : int
        How many sets of outcomes were fitted along the whole axis, and how many had no mode at some scale.
    axis : Axis
    """

    scales: Array
    bias2: Array
    variance: Array
    error: Array
    error_se: Array
    train: Array
    test: Array
    uncertainty: tuple[float, float]
    mean: Array
    truth: Array
    columns: tuple[str, ...]
    simulations: int
    failed: int
    axis: Axis

    @property
    def scale(self) -> float:
        """The scale of least error."""
        return float(self.scales[int(np.argmin(self.error))])

    @property
    def at_boundary(self) -> str | None:
        """What end of the axis that scale is; None inside."""
        at = int(np.argmin(self.error))
        return self.axis.boundary(at == 0) if at in (0, self.scales.size - 1) else None

    @property
    def statistics(self) -> pd.DataFrame:
        """One row a scale: bias2, variance, error, error_se, train_log_loss, test_log_loss."""
        columns = {
            "bias2": self.bias2,
            "variance": self.variance,
            "error": self.error,
            "error_se": self.error_se,
            "train_log_loss": self.train,
            "test_log_loss": self.test,
        }
        made: pd.DataFrame = frames.frame(columns, "pandas", frames.numbers(self.scales, "scale"))
        return made

    def table(self) -> Table:
        """Every scale."""
        numbers = self.bias2, self.variance, self.error, self.error_se, self.train, self.test
        rows: list[tuple[Cell, ...]] = [tuple(map(float, row)) for row in zip(self.scales, *numbers, strict=True)]
        return Table(
            name="bias-variance",
            title="Bias, variance and error along the prior scale",
            columns=(
                Column("scale", "scale", "number"),
                Column("bias2", "squared bias", "number"),
                Column("variance", "variance", "number"),
                Column("error", "error", "number"),
                Column("error_se", "its Monte-Carlo error", "number"),
                Column("train", "log loss, fitted", "number"),
                Column("test", "log loss, new", "number"),
            ),
            rows=tuple(rows),
            header=(
                f"Prior: {self.axis.resolved.name}, its scales multiplied; base: {base_in_words(self.axis.base)}.",
                f"{self.simulations:,} sets of outcomes simulated from the truth on these rows. Errors of the mode in "
                "squared log-odds per sd, summed over the slopes; log loss in nats an observation.",
            ),
            notes=self._notes,
        )

    @property
    def _notes(self) -> tuple[str, ...]:
        low, high = self.uncertainty
        end = "narrow" if self.scale == self.scales[0] else "wide"
        edge = f", the {end} end of the axis" if self.at_boundary else ""
        notes = [
            f"Least error at scale {self.scale:.3g}{edge}"
            + (f"; from {low:.3g} to {high:.3g} it is within one standard error of that." if low < high else ".")
        ]
        if self.failed:
            notes.append(
                f"{self.failed:,} of {self.simulations + self.failed:,} sets of outcomes are left out: they have no "
                "mode at some scale (one class only, or separation that no prior holds)."
            )
        return tuple(notes)

    def figure(self) -> Chart:
        """Squared bias, variance and error against the scale."""
        numbers = (part.tolist() for part in (self.scales, self.bias2, self.variance, self.error))
        return bias_variance_chart(*numbers, best=self.scale, uncertainty=self.uncertainty, data=self.table())

    def train_test(self) -> Chart:
        """Log loss of the outcomes fitted and of new ones against the scale."""
        best = float(self.scales[int(np.argmin(self.test))])
        scales, train, test = (part.tolist() for part in (self.scales, self.train, self.test))
        return train_test_chart(scales, train, test, None, best=best, tested="new outcomes", data=self.table())

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return (
            f"<BiasVariance: {self.scales.size} scales, {self.simulations} simulations; least error {self.scale:.3g}>"
        )

    def _repr_html_(self) -> str:
        return f"{self.figure().svg()}{self.table()._repr_html_()}"


@guarded
def bias_variance(
    model: str | Design,
    data: Any = None,
    truth: Mapping[str, float] | ArrayLike | None = None,
    prior: Prior | type[Prior] | str = Normal,
    *,
    scales: int | ArrayLike | None = None,
    simulations: int = 100,
    rng: int | np.random.Generator = 0,
    base: str | None = None,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> BiasVariance:
    """Squared bias, variance and error of the estimates along an axis of prior scales, for a truth that you set.

    Outcomes are simulated on the design's own rows, and the mode is found at every scale: a narrow prior has bias, a
    wide one variance, and somewhere between their sum is least. The data's own outcomes are not used, but where an axis
    is chosen for you.

    Parameters
    ----------
    model, data, trials, weights, offset, event, missing
        As in `fit`.
    truth : mapping of str to float, or array_like of shape (p,)
        Coefficients to simulate from, log-odds per unit. In a mapping a column that is not named is 0.
    prior, scales, base
        As in `choose_scale`.
    simulations : int
        Sets of outcomes.
    rng : int or Generator

    Returns
    -------
    BiasVariance

    Raises
    ------
    ArgumentError
        If the truth is not one of these columns, no term of the prior has a scale, or an argument cannot be right.
    DataError
        If weights are not whole numbers: such a row cannot be simulated.
    FitError
        If fewer than two sets of outcomes have a mode at every scale.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> pima = bl.datasets.load("pima")
    >>> found = bl.bias_variance("type ~ glu + bmi + age", pima, {"Intercept": -9, "glu": 0.04, "bmi": 0.08}, rng=1)
    >>> bool(found.bias2[0] > found.bias2[-1] and found.variance[0] < found.variance[-1])
    True
    """
    if type(simulations) is not int or simulations < 2:
        raise ArgumentError(f"bias_variance(simulations={simulations!r}): a whole number of at least 2 is needed.")
    design = as_design(model, data, trials, weights, offset, event, missing, call="bias_variance")
    axis = Axis.of(design, prior, scales, base, _SCALES, "bias_variance", beyond=False)
    beta, simulate = _truth(design, truth), Simulator(design, "bias_variance()")
    generator = np.random.default_rng(rng)
    priors = [axis.base.multiple(axis.resolved, float(scale)) for scale in axis.scales]
    found: list[tuple[Array, Array, Array]] = []
    with bar() as show:
        for k in range(simulations):
            show("simulations", k, simulations)
            drawn = simulate(beta, generator)
            modes = _modes(drawn, priors)
            if modes is not None:
                found.append((modes, *_losses(simulate, drawn, beta, modes)))
    if len(found) < 2:
        raise FitError(
            f"bias_variance(): {len(found)} of {simulations} sets of simulated outcomes had a mode at every scale. "
            "Give a truth under which both outcomes occur, or a prior that holds every coefficient."
        )
    return _summed(axis, beta, found, simulations)


def _modes(design: Design, priors: Sequence[ResolvedPrior]) -> Array | None:
    """Of every scale, shape (S, p); None if one of them has none."""
    first = LogPosterior.of(design, priors[0])
    targets = [first, *(replace(first, prior=each, at=first.coordinates) for each in priors[1:])]
    found = []
    for mode in sequence(targets, tol=_TOL, max_iter=_STEPS):
        if not mode.converged:
            return None
        found.append(mode.beta)
    return np.array(found)


def _losses(simulate: Simulator, drawn: Design, truth: Array, modes: Array) -> tuple[Array, Array]:
    """Log loss of the outcomes fitted, and expected of new ones, at every scale; shape (S,) each."""
    count, chance = simulate.count.astype(np.float64), expit(simulate.log_odds(truth))
    fitted = drawn.outcome_arrays()[0]
    log_odds = np.stack([simulate.log_odds(beta) for beta in modes], axis=1)
    train = -log_likelihoods(log_odds.copy(), fitted, count - fitted)  # it overwrites the log-odds
    test = -log_likelihoods(log_odds, count * chance, count - count * chance)
    return train / count.sum(), test / count.sum()


def _summed(axis: Axis, beta: Array, found: list[tuple[Array, Array, Array]], simulations: int) -> BiasVariance:
    design = axis.design
    sds = design.column_sds.copy()
    if design.has_intercept:
        sds[0] = 0.0
    estimates = np.array([each for each, _, _ in found])  # (K, S, p)
    K, mean = len(found), estimates.mean(axis=0)
    each = (np.square((estimates - beta) * sds)).sum(axis=2)
    error = each.mean(axis=0)
    best = int(np.argmin(error))
    gap = each - each[:, [best]]
    alike = gap.mean(axis=0) <= gap.std(axis=0, ddof=1) / np.sqrt(K)
    # The scales about the best that cannot be told from it: the run that holds it.
    low = best - int(np.argmin(np.append(alike[best::-1], False))) + 1
    high = best + int(np.argmin(np.append(alike[best:], False))) - 1
    return BiasVariance(
        scales=axis.scales,
        bias2=np.square((mean - beta) * sds).sum(axis=1),
        variance=(estimates.var(axis=0) * np.square(sds)).sum(axis=1),
        error=error,
        error_se=each.std(axis=0, ddof=1) / np.sqrt(K),
        train=np.mean([train for _, train, _ in found], axis=0),
        test=np.mean([test for _, _, test in found], axis=0),
        uncertainty=(float(axis.scales[low]), float(axis.scales[high])),
        mean=mean,
        truth=beta,
        columns=tuple(design.columns),
        simulations=K,
        failed=simulations - K,
        axis=axis,
    )


def _truth(design: Design, truth: Any) -> Array:
    if isinstance(truth, Mapping):
        unknown = [name for name in truth if name not in design.columns]
        if unknown:
            raise ArgumentError(
                f"bias_variance(truth=): there is no column {unknown[0]!r}; there are {', '.join(design.columns[:8])}."
            )
        truth = [truth.get(name, 0.0) for name in design.columns]
    try:
        beta = np.asarray(truth, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        beta = np.empty(0)
    if beta.shape != (len(design.columns),) or not np.isfinite(beta).all():
        raise ArgumentError(
            f"bias_variance(truth=): finite coefficients by column are needed, or {len(design.columns)} of them."
        )
    return beta
