"""What a report is made of: everything that costs time, worked out once, or the reason why it is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bayeslogit._sensitivity import Sensitivity, sensitivity
from bayeslogit.arrays import ArraySpec
from bayeslogit.average_effects import AverageEffect, average_effects, variables_of
from bayeslogit.criteria import LooResult
from bayeslogit.design import Design
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, BayeslogitError, PriorError
from bayeslogit.prior_draws import draw_prior
from bayeslogit.prior_rates import PriorRates, prior_rates
from bayeslogit.reporting.focus import columns_of, level_of, variable_of
from bayeslogit.reporting.names import Names
from bayeslogit.results import Fit
from bayeslogit.table import Table
from bayeslogit.tipping import INTERVAL, Claim
from bayeslogit.tipping_points import TippingPoint, tipping_point
from bayeslogit.verdict import RUNGS

Array = NDArray[np.float64]
EFFORTS = ("quick", "auto", "full")
# Numbers (rows times columns) up to which each of these takes a few seconds at most; and columns, whose cube counts.
_FOR_DRAWS, _FOR_LOO, _FOR_EFFECTS, _FOR_TIPPING = 600_000, 2_000_000, 5_000_000, 40_000
_MOST_COLUMNS, _REFITTED_COLUMNS = 100, 30
# Variables whose average effects are worked out: each is moved through all rows.
# A factor is moved once for each level beyond the first.
_LEAST_VARIABLES, _MOST_VARIABLES, _MOST_MOVES = 5, 30, 40
_DRAWS = 4000
_PRIOR_DRAWS, _MOST_PRIOR_COLUMNS = 1000, 500
_SEPARATED = "only because of the prior"


@dataclass(frozen=True)
class Found[T]:
    """A value, or the reason why there is none and how to get it."""

    value: T | None = None
    reason: str = ""


@dataclass(frozen=True)
class Numbers:
    """What the report says of each coefficient; arrays have shape (p,), log-odds per unit.

    Attributes
    ----------
    estimate, sd, lower, upper : array
    direction : array
        Probability of the estimate's sign; NaN where there is none.
    basis : str
        Where these come from, in words.
    by_direction : str
        Where ``direction`` comes from.
    """

    estimate: Array
    sd: Array
    lower: Array
    upper: Array
    direction: Array
    basis: str
    by_direction: str


@dataclass(frozen=True, eq=False)
class Material:
    """A fit, and what the report works out of it.

    Attributes
    ----------
    fit : Fit
    prob : float
        Probability of intervals.
    names : Names
        Labels.
    effort : {"quick", "auto", "full"}
        What may be worked out here.
    given : Draws or None
        The posterior that the user gave.
    loo_given, sensitivity_given : optional
    tipping : tuple of TippingPoint
    focus : str or None
        The column, term or variable that the report is asked about.
    """

    fit: Fit
    prob: float
    names: Names
    effort: str = "auto"
    given: Draws | None = None
    loo_given: LooResult | None = None
    sensitivity_given: Sensitivity | None = None
    tipping: tuple[TippingPoint, ...] = ()
    focus: str | None = None

    def __post_init__(self) -> None:
        if self.focus is not None:
            columns_of(self.fit, self.focus, self.names)
        if self.effort not in EFFORTS:
            raise ArgumentError(f"report(effort={self.effort!r}): it is one of {', '.join(map(repr, EFFORTS))}.")

    @property
    def _normal(self) -> bool:
        return bool(self.fit.prior.gaussian.all())

    @property
    def size(self) -> int:
        """Numbers in the design."""
        design = self.fit.design
        return 0 if design is None else design.source.n_rows * len(self.fit.columns)

    @cached_property
    def posterior(self) -> Found[Draws]:
        """The draws given, else those of the rungs below NUTS."""
        if self.given is not None:
            return Found(self.given)
        how = "bayeslogit.report(fit, path, draws=fit.sample())"
        columns = len(self.fit.columns)
        return self._worked_out(
            lambda _: self.fit.sample(draws=_DRAWS, rng=0, nuts=False),
            "The posterior was not sampled",
            how,
            self.size <= _FOR_DRAWS and columns <= _MOST_COLUMNS,
        )

    @cached_property
    def loo(self) -> Found[LooResult]:
        if self.loo_given is not None:
            return Found(self.loo_given)
        # Refits are cheap under normal priors, which have the nearest Gaussian at hand.
        few = self.size <= _FOR_DRAWS and len(self.fit.columns) <= _REFITTED_COLUMNS
        refitted = self.effort == "full" or (few and self._normal)
        return self._worked_out(
            lambda _: self.fit.loo(refits=None if refitted else 0),
            "Leave-one-out prediction was not worked out",
            "bayeslogit.report(fit, path, loo=fit.loo())",
            self.size <= _FOR_LOO and len(self.fit.columns) <= 5 * _MOST_COLUMNS,
        )

    @cached_property
    def sensitivity(self) -> Found[Sensitivity]:
        if self.sensitivity_given is not None:
            return Found(self.sensitivity_given)
        draws = self.posterior
        if draws.value is None:
            return Found(reason=f"Power-scaling needs draws. {draws.reason}")
        if draws.value.verdict.level == "failed" and self.given is None:
            return Found(reason="Power-scaling needs draws to rely on; see the section on computation.")
        of = draws.value
        return self._worked_out(
            lambda _: sensitivity(of, nuts=self.effort == "full"),
            "Power-scaling was not done",
            "bayeslogit.report(fit, path, sensitivity=bayeslogit.sensitivity(fit))",
            self.size <= _FOR_DRAWS,
        )

    @cached_property
    def tipping_points(self) -> tuple[TippingPoint, ...]:
        """Those given; else that of the interval asked about, or the clearest, where it takes a moment only."""
        fit = self.fit
        cheap = (self.size <= _FOR_TIPPING and self.effort != "quick" and self._normal) or self.effort == "full"
        if self.tipping or fit.design is None or not fit.converged or fit.posterior.factor is None or not cheap:
            return self.tipping
        first, n = int("Intercept" in fit.columns[:1]), self.numbers
        with np.errstate(invalid="ignore", divide="ignore"):
            surest = np.nan_to_num(np.abs(n.estimate) / n.sd)[first:]
        if not surest.size:
            return ()
        at = first + int(np.argmax(surest))
        if self.focus is not None:
            at = max(columns_of(fit, self.focus, self.names), key=lambda j: float(surest[j - first]))
        try:
            claim = Claim(INTERVAL, fit.columns[at])
            return (tipping_point(fit, claim, method="mode", prob=self.prob),)
        except BayeslogitError:
            return ()

    @cached_property
    def effects(self) -> Found[tuple[AverageEffect, ...]]:
        """Of the variables; where they are many, of those with the clearest columns."""
        if self.fit.posterior.factor is None and self.reported is None:
            return self._reason("Average effects were not worked out: the fit has no finite covariance.")
        posterior = self.reported
        return self._worked_out(
            lambda design: average_effects(self.fit, design, self.effect_variables, draws=posterior, prob=self.prob),
            "Average effects were not worked out",
            "bayeslogit.effects(fit, variable)",
            self.size * _LEAST_VARIABLES <= _FOR_EFFECTS,
        )

    @cached_property
    def prior_rates(self) -> Found[PriorRates]:
        """What the prior expects of the outcome; it needs no mode."""
        fit, what = self.fit, "What the prior expects of the outcome"
        if fit.design is None:
            return Found(reason=f"{what} was not worked out: the fit was loaded from a file without the data.")
        if self.effort == "quick" or len(fit.columns) > _MOST_PRIOR_COLUMNS:
            return Found(
                reason=f"{what} was not worked out here; bayeslogit.prior_predictive(design, prior) draws from it."
            )
        try:
            return Found(prior_rates(draw_prior(fit.prior, _PRIOR_DRAWS, np.random.default_rng(0)), fit.design))
        except PriorError as error:
            return Found(reason=f"{what} cannot be drawn. {error}")

    @property
    def variables(self) -> tuple[str, ...]:
        return () if self.fit.design is None else variables_of(self.fit.design)

    @property
    def effect_variables(self) -> tuple[str, ...]:
        """All of few variables; of many, that asked about and those of the columns with the largest effects."""
        every, most_moves = self.variables, _MOST_MOVES if self.effort != "full" else np.inf
        most = int(np.clip(_FOR_EFFECTS // max(self.size, 1), _LEAST_VARIABLES, _MOST_VARIABLES))
        spec = self.fit.spec
        levels = {} if isinstance(spec, ArraySpec) else spec.levels
        moves = {name: max(len(levels.get(name, ())) - 1, 1) for name in every}
        if (len(every) <= most and sum(moves.values()) <= most_moves) or self.effort == "full":
            return every
        asked = None if self.focus is None else variable_of(self.fit, self.focus, self.names)
        in_order = [asked, *(self._variable_of(self.fit.columns[j], moves) for j in self.order), *every]
        chosen: set[str] = set()
        for name in in_order:
            if name is None or name in chosen or len(chosen) == most:
                continue
            if moves[name] + sum(moves[each] for each in chosen) <= most_moves:
                chosen.add(name)
        return tuple(name for name in every if name in chosen)

    @staticmethod
    def _variable_of(column: str, known: Mapping[str, int]) -> str | None:
        """The variable that a column stands for alone, or as one level of it."""
        level = level_of(column)
        return column if column in known else level[0] if level is not None and level[0] in known else None

    # --- numbers -------------------------------------------------------------------------------------------------

    @cached_property
    def reported(self) -> Draws | None:
        """The posterior whose medians are the estimates: that given, or sampled where modes have no sds."""
        if self.given is not None:
            return self.given
        if not (self.fit.converged and bool(np.isnan(self.fit.bse.to_numpy()).any())):
            return None
        draws = self.posterior.value
        return draws if draws is not None and draws.verdict.level != "failed" else None

    @cached_property
    def numbers(self) -> Numbers:
        fit, draws = self.fit, self.reported
        if draws is not None:
            rows = self.summary
            keys = ("estimate", "sd", "lower", "upper", "p_direction")
            basis = f"posterior median ({self._rung(draws)})"
            estimate, sd, lower, upper, direction = (_floats(rows.column(key)) for key in keys)
            return Numbers(estimate, sd, lower, upper, direction, basis, self._rung(draws))
        estimate, sd, direction = _floats(fit.params), _floats(fit.bse), np.zeros(0)
        lower, upper = map(_floats, fit.conf_int(self.prob).to_numpy().T)
        sampled = self.posterior.value if fit.converged else None
        if sampled is not None and sampled.verdict.level != "failed":
            # Of the estimate's own sign, which at an estimate near 0 need not be that of the median.
            share, median = (_floats(self.summary.column(key)) for key in ("p_direction", "estimate"))
            direction = np.where(np.sign(median) == np.sign(estimate), share, 1.0 - share)
            by = self._rung(sampled)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                direction = _floats(ndtr(np.abs(estimate) / sd))
            by = "the Gaussian approximation at the mode"
        return Numbers(estimate, sd, lower, upper, direction, "posterior mode (Gaussian approximation)", by)

    @cached_property
    def summary(self) -> Table:
        """The coefficient table of the posterior; quantiles of many weighted points take a while."""
        assert self.posterior.value is not None
        return self.posterior.value.summary(self.prob)

    @staticmethod
    def _rung(draws: Draws) -> str:
        return f"{RUNGS.get(draws.method, draws.method)}, {draws.verdict.level}"

    @cached_property
    def order(self) -> list[int]:
        """Slopes by size of effect: the estimate over one sd of its column, the largest first."""
        fit = self.fit
        first = int("Intercept" in fit.columns[:1])
        sds = fit.design.column_sds if fit.design is not None else np.ones(len(fit.columns))
        size = np.abs(np.nan_to_num(self.numbers.estimate)) * sds
        return [int(j) for j in np.argsort(-size[first:], kind="stable") + first]

    # --- whether -------------------------------------------------------------------------------------------------

    def _worked_out[T](self, make: Callable[[Design], T], what: str, how: str, cheap: bool) -> Found[T]:
        """The value, if there is something to work out and it may be; else why not."""
        fit = self.fit
        if fit.design is None:
            return self._reason(f"{what}: the fit was loaded from a file that does not hold the data.")
        if not fit.converged:
            return self._reason(f"{what}: the fit has no mode to rest on.")
        if self.effort == "quick":
            return self._reason(f"{what} (effort='quick'). To have it here: {how}.")
        if self.effort == "auto" and not cheap:
            n, p = fit.design.source.n_rows, len(fit.columns)
            return self._reason(
                f"{what}, since with {n:,} rows and {p:,} columns it takes more than a few seconds. "
                f"To have it here: {how}, or effort='full'."
            )
        try:
            return Found(make(fit.design))
        except BayeslogitError as error:
            return self._reason(f"{what}: {error}")

    @staticmethod
    def _reason[T](text: str) -> Found[T]:
        return Found(reason=text)


def _floats(cells: object) -> Array:
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)  # type: ignore[attr-defined]


def improper(m: Material) -> bool:
    """Whether there is a mode but no posterior."""
    return any(note.startswith("Mode only:") for note in m.fit.notes)


def separated(m: Material) -> str:
    """The note that estimates are finite only because of the prior; empty if they are not."""
    return next((note for note in m.fit.notes if _SEPARATED in note), "")
