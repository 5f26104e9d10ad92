"""What a user holds of a posterior: its numbers as pandas, its draws as an array, and its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import frames, quantities
from bayeslogit.boundary import guarded_methods
from bayeslogit.draw_arguments import count, generator, number
from bayeslogit.draw_numbers import PosteriorNumbers, data_of
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.far_out import moments_of
from bayeslogit.labels import checked_labels, column_labels
from bayeslogit.ladder import ChainPlan, check_method, sample_posterior
from bayeslogit.new_rows import NewRows, new_rows
from bayeslogit.posterior_table import (
    PosteriorColumns,
    beside_mode_table,
    equivalence_table,
    odds_table,
    posterior_table,
    posterior_tidy,
)
from bayeslogit.predict import Prediction
from bayeslogit.propriety import existence
from bayeslogit.summary import percent
from bayeslogit.table import Table
from bayeslogit.target import LogPosterior
from bayeslogit.units import step_size
from bayeslogit.verdict import RUNGS

if TYPE_CHECKING:
    import pandas as pd
    import xarray

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class Draws(PosteriorNumbers):
    """The posterior of a fit; `Fit.sample` makes it. What it holds is listed under `PosteriorNumbers`."""

    # --- tables --------------------------------------------------------------------------------------------------

    def summary(self, prob: float = 0.95) -> Table:
        """The coefficient table: posterior median, sd, interval, P(direction), and the mode beside them."""
        return posterior_table(
            self._columns(prob),
            prob=prob,
            header=(
                f"Prior: {self.fit.prior.name} ({'the default' if self.fit.prior_is_default else 'chosen'}).",
                f"Log-odds per unit of each column: posterior median, sd and equal-tailed {percent(prob)} interval. "
                f"Rung: {self._rung}.",
                f"Verdict: {self.verdict.level}. {self.n:,} draws{self._evidence}.",
            ),
            notes=(*self.verdict.reasons, *self.rung.notes, *self._zero_notes, *self.fit.notes),
            reference_levels=self.fit.named_levels,
        )

    def tidy(self, exponentiate: bool = False, prob: float = 0.95) -> Any:
        """One row a coefficient, in the caller's data-frame library.

        Columns term, estimate (posterior median), std_error (posterior sd), conf_low, conf_high, p_direction, mode,
        mcse (of the median), p_direction_mcse and prior; label where there are labels. With ``exponentiate`` odds
        ratios: exp of median, quantiles and mode.
        """
        columns = posterior_tidy(replace(self._columns(prob), names=self.columns), exponentiate=exponentiate)
        return frames.frame(columns | ({"label": list(self._names)} if self.labels else {}), self.fit.facts.library)

    def beside_mode(self) -> Table:
        """How far the Gaussian approximation at the mode is from this posterior, coefficient by coefficient."""
        moments = self._mean, self._sd, self.rung.mean_mcse
        header = f"Log-odds per unit. Rung: {self._rung}; {self.verdict.level}; {self.n:,} draws."
        fit = self.fit
        return beside_mode_table(self._names, fit.mode.beta, fit.posterior.sd, moments, header, self.verdict.in_words)

    def _columns(self, prob: float) -> PosteriorColumns:
        median, lower, upper = self.rung.quantile(quantities.tails(prob))
        negative, direction_mcse = self.rung.below(range(len(self.columns)), np.zeros(len(self.columns)))
        direction = np.where(median > 0.0, 1.0 - negative, negative)
        errors = self.rung.quantile_mcse([0.5])[0], direction_mcse
        mode, labels = self.fit.mode.beta, self.fit.prior.labels()
        return PosteriorColumns(self._names, median, self._sd, lower, upper, direction, mode, *errors, labels)

    @property
    def _rung(self) -> str:
        return f"{self.method} ({RUNGS[self.method]})" if self.method in RUNGS else self.method

    @property
    def _evidence(self) -> str:
        if np.isnan(self.log_evidence):
            return ""
        relative = " (relative: some columns are flat)" if self.fit.prior.flat.any() else ""
        se = self.log_evidence_se
        error = "below 0.0005" if se < 0.0005 else f"{se:.3f}"
        return f"; log evidence {self.log_evidence:.3f} (Monte-Carlo error {error}){relative}"

    @property
    def _zero_notes(self) -> tuple[str, ...]:
        zeros = int(np.sum(self.fit.mode.beta == 0.0))
        if not zeros:
            return ()
        return (
            f"{zeros} coefficient(s) are exactly zero at the mode. A zero is a mode, not a finding: the posterior "
            "probability of exactly zero is 0 under a continuous prior. equivalence() gives that of practically zero.",
        )

    # --- functions of the coefficients ---------------------------------------------------------------------------

    def contrast(self, weights: Mapping[str, float], prob: float = 0.95) -> pd.Series[float]:
        """A linear function of the coefficients, such as ``{"a": 1, "b": -1}``.

        Returns
        -------
        Series
            mean, sd, median, lower, upper; and mcse, the Monte-Carlo error of the mean, with those of the others
            (sd_mcse, median_mcse, lower_mcse, upper_mcse); log-odds.
        """
        if not isinstance(weights, Mapping):
            raise ArgumentError(f"contrast({weights!r}): give a weight for each column, such as {{'a': 1, 'b': -1}}.")
        self._known(weights, "contrast")
        given = {name: number(f"contrast({{{name!r}: ...}})", value) for name, value in weights.items()}
        row = np.array([[given.get(name, 0.0) for name in self.columns]])
        name = " ".join(f"{value:+g} {self.labels.get(key, key)}" for key, value in given.items())
        found = quantities.of_linear(self.rung, row, prob)
        moved = row[0] != 0.0
        return self._series(found, name, bool(self.existence.mean[moved].all()), bool(self.existence.sd[moved].all()))

    def apply(self, function: Callable[[Array], ArrayLike], prob: float = 0.95) -> Any:
        """Posterior of any function of the coefficients.

        Parameters
        ----------
        function : callable
            Takes points, shape (S, p), columns in the order of `columns`; returns shape (S,) or (S, m).

        Returns
        -------
        Series or DataFrame
            mean, sd, median, lower, upper, and their Monte-Carlo errors as in `contrast`; a row for each of m
            functions. Where coefficients have no mean, that of a function is NaN, and a `FitWarning` says why, unless
            the function is bounded: it is looked at far out.

        Raises
        ------
        ArgumentError
            If the function returns another shape, something else than numbers, or NaN.
        """
        if not callable(function):
            raise ArgumentError(f"apply({function!r}): give a function of points, such as lambda b: np.exp(b[:, 1]).")
        found = quantities.of_function(self.rung, function, prob)
        mean, sd = moments_of(self, function, "apply()")
        if found.mean.size == 1 and np.ndim(function(self.rung.values[:2])) == 1:
            return self._series(found, getattr(function, "__name__", "function"), bool(mean[0]), bool(sd[0]))
        parts = [self._series(found, str(k), bool(mean[k]), bool(sd[k]), index=k) for k in range(found.mean.size)]
        return frames.matrix(np.array(parts), [str(k) for k in range(len(parts))], list(parts[0].index))

    def _series(self, found: quantities.Summary, name: str, mean: bool, sd: bool, index: int = 0) -> pd.Series[float]:
        values = {key: float(getattr(found, key)[index]) for key in quantities.KEYS}
        gone = (() if mean else ("mean", "mcse")) + (() if sd else ("sd", "sd_mcse"))
        values |= dict.fromkeys(gone, float("nan"))
        return frames.series(np.array(list(values.values())), quantities.KEYS, f"{name} [{self.method}]")

    def probability(self, column: str, above: float = 0.0) -> pd.Series[float]:
        """Posterior probability that a coefficient lies above a value, with its Monte-Carlo error "mcse"."""
        self._known([column], "probability")
        limit = number(f"probability({column!r}, above=...), in log-odds", above, finite=False)
        less, error = self.rung.below([self.columns.index(column)], np.array([limit]))
        value = 1.0 - less
        name = f"P({self.labels.get(column, column)} > {limit:g}) [{self.method}]"
        return frames.series(np.array([value[0], error[0]]), ("probability", "mcse"), name)

    def equivalence(
        self, within: float | Mapping[str, float] = 0.1, columns: Sequence[str] | None = None, *, per: str = "unit"
    ) -> Table:
        """How probable it is that coefficients are practically zero, or clearly of one sign.

        A Laplace prior puts the mode at exactly zero, and the probability of exactly zero is nil: this is the question
        that can be answered.

        Parameters
        ----------
        within : float or mapping of str to float
            Log-odds per unit (or sd) of the column that count as nothing: ``|b| <= within``.
        columns : sequence of str, optional
            All slopes without.
        per : {"unit", "sd"}
            With "sd" the widths are per sd of each column, so that one number means the same for columns in any unit.
        """
        if per not in ("unit", "sd"):
            raise ArgumentError(f"equivalence(per={per!r}): it is 'unit' or 'sd'.")
        slopes = [name for name in self.columns if name != "Intercept"] or list(self.columns)
        picked = slopes if columns is None else [columns] if isinstance(columns, str) else list(columns)
        self._known(picked, "equivalence")
        widths = within if isinstance(within, Mapping) else dict.fromkeys(picked, within)
        limits = {name: number(f"equivalence(within=...) of {name!r}", widths.get(name, 0.0)) for name in picked}
        if not all(limit > 0.0 for limit in limits.values()):
            raise ArgumentError(f"equivalence(within={within!r}): each column needs a positive width in log-odds.")
        index, width = [self.columns.index(name) for name in picked], np.array([limits[name] for name in picked])
        words = "log-odds per unit"
        if per == "sd":
            sds = self.data("equivalence(per='sd')").column_sds[index]
            width, words = width / np.where(sds > 0.0, sds, 1.0), "log-odds per unit, from widths per sd of the column"
        below, low_error = self.rung.below(index, -width)
        not_above, high_error = self.rung.below(index, width)
        inside, above = not_above - below, 1.0 - not_above
        error = np.hypot(low_error, high_error)
        numbers = np.column_stack([width, below, inside, above, error, self.fit.mode.beta[index]])
        header = f"Posterior probabilities; {words}. Rung: {self._rung}; {self.verdict.level}."
        return equivalence_table([self._names[j] for j in index], numbers, header, self._zero_notes)

    def odds_ratios(self, per: Any = "unit", prob: float = 0.95) -> Table:
        """Odds ratios: exp of median and quantiles, never the mean of exp, which may not exist.

        Parameters
        ----------
        per : "unit", "sd", number, or mapping of str to such
            The step of each column: one unit, one sd of the data, or so many units. A pair such as ("q25", "q75") or
            (18, 65) is the step from one to the other.
        """
        first = int("Intercept" in self.columns)
        names = self.columns[first:]
        if isinstance(per, Mapping):
            self._known(per, "odds_ratios")
        steps = [per.get(name, "unit") if isinstance(per, Mapping) else per for name in names]
        sizes = [step_size(step, name, self.data) for step, name in zip(steps, names, strict=True)]
        median, *ends = self.rung.quantile(quantities.tails(prob))[:, first:] * np.array(sizes)
        lower, upper = np.sort(np.array(ends), axis=0)  # a negative step turns the interval around
        width = percent(prob)
        header = f"exp of posterior median and equal-tailed {width} interval. Rung: {self._rung}; {self.verdict.level}."
        return odds_table(self._names[first:], np.column_stack([sizes, median, lower, upper]), width, header)

    def effects(
        self,
        column: str,
        kind: str = "ame",
        *,
        at: Mapping[str, Any] | None = None,
        between: tuple[Any, Any] | None = None,
        prob: float = 0.95,
    ) -> Table:
        """Average effect of a variable on the probability; arguments and result are those of `bayeslogit.effects`."""
        from bayeslogit._effects import effects

        return effects(self, column, kind, at=at, between=between, prob=prob)

    # --- predictions ---------------------------------------------------------------------------------------------

    def predict(
        self, new: Any = None, prob: float = 0.95, kind: str = "mean", *, offset: ArrayLike | None = None
    ) -> Any:
        """Probability of the event for each row, with an equal-tailed posterior interval of that probability.

        Arguments and result are those of `Fit.predict`.
        """
        given = self._new(new, offset)
        p = self._predict(given, offset, prob, kind)
        library = self.fit.facts.library if given is None else given.library
        index = self.data("predict()").row_index if given is None else given.index
        return frames.frame({"probability": p.probability, "lower": p.lower, "upper": p.upper}, library, index)

    def _new(self, new: Any, offset: ArrayLike | None) -> NewRows | None:
        if new is None and offset is not None:
            raise ArgumentError("offset= goes with new rows; the rows of the fit have their own offset.")
        return None if new is None else new_rows(new, self.fit.spec, offset, has_offset=self.fit.facts.has_offset)

    def _predict(self, new: NewRows | None, offset: ArrayLike | None, prob: float, kind: str) -> Prediction:
        if new is not None:
            return quantities.predict_draws(self.rung, self.fit.mode.beta, new.rows, new.offset, prob=prob, kind=kind)[
                0
            ]
        blocks = self.data("predict() without new data").source.blocks()
        parts = [
            quantities.predict_draws(self.rung, self.fit.mode.beta, b.X, b.offset, prob=prob, kind=kind)[0]
            for b in blocks
        ]
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def posterior_predictive(
        self, new: Any = None, *, rng: int | np.random.Generator = 0, offset: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Replicated outcomes, one row for each draw of `values`: successes, shape (n, rows).

        The rows of the fit have their own numbers of trials; new rows one each.
        """
        random = generator(rng)
        given = self._new(new, offset)
        if given is not None:
            single = np.ones(given.offset.size)
            return quantities.replicate(self.values, given.rows, given.offset, single, random)
        blocks = list(self.data("posterior_predictive() without new data").source.blocks())
        parts = [quantities.replicate(self.values, b.X, b.offset, b.trials, random) for b in blocks]
        return np.concatenate(parts, axis=1)

    # --- elsewhere -----------------------------------------------------------------------------------------------

    def to_arviz(self, rng: int | np.random.Generator = 0) -> xarray.DataTree:
        """The posterior as ArviZ 1 has it: a DataTree with posterior, log_likelihood, log_prior and more.

        Independent draws go out as pseudo-chains, four where they can be shared out evenly, which the attributes say;
        these also name moments that do not exist, for summaries of draws cannot know. The constant
        ``sum w_i log C(m_i, y_i)``, which our own numbers leave out, is in the log_likelihood. Predictive draws are
        made with ``rng``.
        """
        from bayeslogit.arviz_export import to_arviz

        return to_arviz(self, rng=rng)

    def relabel(self, labels: Mapping[str, str]) -> Draws:
        """The same with other words for columns or variables in its tables; series and frames keep their names."""
        given = checked_labels(labels, self.fit.known_names)
        whole = {**self.fit.labels, **self.labels, **given}
        return replace(self, labels={**whole, **column_labels(self.columns, {**self.fit.labels, **given})})

    def __len__(self) -> int:
        return self.n

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        return f"<Draws: {self.n:,} of {len(self.columns)} coefficients; {self.method}; {self.verdict.level}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def sample_fit(fit: Estimates, method: str, draws: int, rng: int | np.random.Generator, plan: ChainPlan) -> Draws:
    """The posterior of a fit; see `Fit.sample`."""
    check_method(method)
    draws, random = count("draws", draws), generator(rng)
    design = data_of(fit, "sample()")
    known = existence(design, fit.prior, finite_mode=fit.converged)
    if not known.proper:
        raise FitError(f"There is nothing to sample: {known.reasons[0]}.")
    target = LogPosterior.of(design, fit.prior)
    rung, climbed = sample_posterior(target, fit.mode, method, draws, random, plan)
    labels = {**fit.labels, **column_labels(fit.columns, fit.labels)}
    return Draws(rung, fit, known, climbed, labels)
