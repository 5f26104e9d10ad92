"""Do the intervals cover? Outcomes are simulated on the user's own rows from known coefficients, and fitted again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bayeslogit._fit import DEFAULT_PRIOR, as_design, fit
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.draws import sample_fit
from bayeslogit.errors import ArgumentError, DataError, FitError
from bayeslogit.ladder import ChainPlan
from bayeslogit.logistic import expit
from bayeslogit.mode import Mode
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.predict import check_prob
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.sources.memory import MemorySource
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_METHODS = ("laplace", "normal", "auto", "variational", "importance", "nuts")


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often intervals covered the coefficients that the outcomes were simulated from; made by `coverage`.

    Attributes
    ----------
    columns : tuple of str
    truth : array, shape (p,)
        What the outcomes were simulated from, log-odds per unit; of each simulation, shape (simulations, p), where it
        was drawn from the prior.
    covered : array of bool, shape (simulations, p)
        False too where there was no interval.
    width : array, shape (simulations, p)
        NaN where there was none.
    error : array, shape (simulations, p)
        Estimate minus truth, in posterior sds; NaN where there was none.
    failed : array of bool, shape (simulations,)
        Simulated outcomes that could not be fitted, such as separated ones without a proper prior.
    prob : float
    method : str
    prior : ResolvedPrior
    """

    columns: tuple[str, ...]
    truth: Array
    covered: NDArray[np.bool_]
    width: Array
    error: Array
    failed: NDArray[np.bool_]
    prob: float
    method: str
    prior: ResolvedPrior

    @property
    def share(self) -> Array:
        """Of simulations whose interval covered, shape (p,)."""
        result: Array = self.covered.mean(axis=0)
        return result

    @property
    def bounds(self) -> Array:
        """Wilson's 95 % interval for that share, shape (p, 2): what so few simulations leave open."""
        n, z = len(self.failed), float(ndtri(0.975))
        center = (self.share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(self.share * (1 - self.share) / n + (z / (2 * n)) ** 2)
        return np.column_stack([center - half, center + half])

    @property
    def off(self) -> tuple[str, ...]:
        """Columns whose coverage is not what the interval says, beyond the error of the simulation."""
        low, high = self.bounds.T
        return tuple(n for n, a, b in zip(self.columns, low, high, strict=True) if not a <= self.prob <= b)

    def table(self) -> Table:
        """One row a coefficient."""
        low, high = self.bounds.T
        drawn = self.truth.ndim == 2
        truth = np.full(len(self.columns), np.nan) if drawn else self.truth
        with np.errstate(invalid="ignore"):
            counted = ~np.isnan(self.width).all(axis=0)
        width, error = np.full((2, len(self.columns)), np.nan)
        width[counted] = np.nanmedian(self.width[:, counted], axis=0)
        error[counted] = np.nanmean(self.error[:, counted], axis=0)
        told = percent(self.prob)
        lines = [
            f"The {told} interval of {name} covers its true value in {share:.1%} of {len(self.failed):,} "
            f"simulations (between {a:.1%} and {b:.1%})."
            for name, share, a, b in zip(self.columns, self.share, low, high, strict=True)
            if name in self.off
        ]
        if not lines:
            told_by = f"as far as {len(self.failed):,} simulations tell"
            lines = [f"No interval covers in more or fewer than {told} of cases, {told_by}."]
        if self.failed.any():
            lines.append(
                f"{int(self.failed.sum()):,} of {len(self.failed):,} simulated outcomes had no finite mode, and count "
                "as not covered."
            )
        rows = zip(self.columns, truth, self.share, low, high, width, error, strict=True)
        drawing, fixed = "drawn from the prior, anew for each", "those below, the same in each"
        return Table(
            name="coverage",
            title=f"Coverage of {told} intervals",
            columns=(
                Column("term", "term"),
                Column("truth", "truth (log-odds)", "number"),
                Column("coverage", "coverage", "percent"),
                Column("lower", "from", "percent"),
                Column("upper", "to", "percent"),
                Column("width", "median width", "number"),
                Column("bias", "mean error, sds", "number"),
            ),
            rows=tuple((name, *map(float, rest)) for name, *rest in rows),
            header=(
                f"Prior: {self.prior.name}. Intervals: {self.method}. "
                f"True coefficients: {drawing if drawn else fixed} simulation.",
                "From and to: 95 % interval (Wilson) of the coverage itself. Error: estimate minus truth.",
            ),
            notes=tuple(lines),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@guarded
def coverage(
    model: str | Design,
    data: Any = None,
    prior: Any = DEFAULT_PRIOR,
    *,
    truth: str | Mapping[str, float] | ArrayLike = "estimate",
    method: str = "laplace",
    simulations: int = 200,
    prob: float = 0.95,
    rng: int | np.random.Generator = 0,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> Coverage:
    """How often the intervals of a model would cover the truth, on rows like these.

    Outcomes are simulated on the design's own rows, fitted under the prior, and each interval is asked whether it
    holds the coefficient that was used.

    Parameters
    ----------
    model, data, trials, weights, offset, event, missing
        As in `fit`.
    prior : Prior, str or None
        Of the fits.
    truth : {"estimate", "prior"}, mapping or array_like of shape (p,)
        Coefficients to simulate from, log-odds per unit: the mode of this fit, draws from the prior (then every exact
        interval covers with its probability on average), or given: an array, or by column with the mode for the rest.
        At fixed coefficients no Bayesian interval promises its probability: a prior far from them covers less, one
        about them more.
    method : {"laplace", "auto", "variational", "importance", "nuts"}
        Whose intervals, as in `Fit.sample`; "laplace" takes milliseconds a simulation.
    simulations : int
    prob : float
        Probability of the intervals.
    rng : int or Generator
    progress : function, optional
        Called with the number of simulations done and to do.

    Returns
    -------
    Coverage

    Raises
    ------
    ArgumentError
        If an argument cannot be right, or the Gaussian at the mode has no interval under a prior with kinks.
    DataError
        If weights are not whole numbers: such a row cannot be simulated.
    FitError
        If the data themselves have no finite mode to simulate from.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> found = bl.coverage("switch ~ dist100 + arsenic", wells, prior=bl.Normal(2.5), simulations=100, rng=1)
    >>> found.off
    ()
    """
    if method not in _METHODS:
        raise ArgumentError(f"coverage(method={method!r}): it is one of {', '.join(_METHODS)}.")
    if type(simulations) is not int or simulations < 10:
        raise ArgumentError(f"coverage(simulations={simulations!r}): a whole number of at least 10 is needed.")
    check_prob(prob)
    generator = np.random.default_rng(rng)
    design = as_design(model, data, trials, weights, offset, event, missing, call="coverage")
    resolved = as_prior(prior).resolve(design)
    gaussian = method in ("laplace", "normal")
    if gaussian and any(term.density.kink or term.density.group for term in resolved.terms):
        raise ArgumentError(
            f"coverage(method={method!r}): under {resolved.name} some coefficients lie at a kink, where the Gaussian "
            "at the mode has no interval; use method='importance'."
        )
    simulate = Simulator(design, "coverage()")
    betas = _truths(design, resolved, truth, simulations, generator)
    p = len(design.columns)
    covered, failed = np.zeros((simulations, p), dtype=bool), np.zeros(simulations, dtype=bool)
    width, error = np.full((2, simulations, p), np.nan)
    tail = 0.5 - 0.5 * prob
    for k in range(simulations):
        beta = betas if betas.ndim == 1 else betas[k]
        try:
            center, sd, lower, upper = _interval(simulate(beta, generator), resolved, method, tail, generator)
            covered[k] = (lower <= beta) & (beta <= upper)
            width[k] = upper - lower
            error[k] = (center - beta) / np.where(sd > 0.0, sd, np.nan)
        except FitError:
            failed[k] = True
        if progress is not None:
            progress(k + 1, simulations)
    return Coverage(tuple(design.columns), betas, covered, width, error, failed, prob, method, resolved)


class Simulator:
    """The same rows with new outcomes."""

    def __init__(self, design: Design, call: str) -> None:
        if not isinstance(design.source, MemorySource):
            raise ArgumentError(f"{call}: the rows must be in memory, to be given new outcomes.")
        self.design, self.source = design, design.source
        count = self.source.weights * self.source.trials
        if np.any(count != np.rint(count)):
            raise DataError(f"{call}: weights that are not whole numbers are no counts of observations to simulate.")
        self.count = count.astype(np.int64)
        self.blocks = list(self.source.blocks())

    def log_odds(self, beta: Array) -> Array:
        """Of every row, shape (n,)."""
        return np.concatenate([block.X.predict(beta) + block.offset for block in self.blocks])

    def __call__(self, beta: Array, rng: np.random.Generator) -> Design:
        y = rng.binomial(self.count, expit(self.log_odds(beta))).astype(np.float64)
        trials = np.maximum(self.count, 1).astype(np.float64)
        weights = (self.count > 0).astype(np.float64)
        return replace(self.design, source=replace(self.source, y=y, trials=trials, weights=weights), notes=())


def _truths(design: Design, prior: ResolvedPrior, truth: Any, simulations: int, rng: np.random.Generator) -> Array:
    if isinstance(truth, str):
        if truth == "prior":
            return np.asarray(draw_prior(prior, simulations, rng), dtype=np.float64)
        if truth != "estimate":
            raise ArgumentError(f"coverage(truth={truth!r}): it is 'estimate', 'prior', or coefficients.")
    if isinstance(truth, str | Mapping):
        mode = _mode(design, prior)
        if not mode.converged:
            raise FitError(f"coverage(): there is no mode to simulate from; give truth=. {mode.message}")
        beta = mode.beta.copy()
        for name, value in truth.items() if isinstance(truth, Mapping) else ():
            if name not in design.columns:
                raise ArgumentError(f"coverage(truth=): there is no column {name!r}; {', '.join(design.columns)}.")
            beta[design.columns.index(name)] = value
    else:
        beta = np.asarray(truth, dtype=np.float64)
    if beta.shape != (len(design.columns),) or not np.isfinite(beta).all():
        raise ArgumentError(f"coverage(truth=): {len(design.columns)} finite coefficients are needed, one a column.")
    return beta


def _interval(
    design: Design, prior: ResolvedPrior, method: str, tail: float, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Estimate, sd and bounds of every coefficient."""
    mode = _mode(design, prior)
    if not mode.converged:
        raise FitError(mode.message)
    if method in ("laplace", "normal"):
        beta, sd = mode.beta, LaplacePosterior.at(mode).sd
        reach = float(ndtri(1.0 - tail)) * sd
        return beta, sd, beta - reach, beta + reach
    draws = sample_fit(fit(design, prior=prior), method, 1000, rng, ChainPlan())
    bounds = np.asarray(draws.quantile([tail, 1.0 - tail]), dtype=np.float64)
    return np.asarray(draws.mean), np.asarray(draws.sd), bounds[:, 0], bounds[:, 1]


def _mode(design: Design, prior: ResolvedPrior) -> Mode:
    return find_mode(LogPosterior.of(design, prior))
