"""The record that a user holds of a fit: its numbers, tables and predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import fit_record, frames
from bayeslogit.boundary import guarded_methods
from bayeslogit.data import column_names
from bayeslogit.diagnostics import effective_in_words
from bayeslogit.errors import ArgumentError, DataError, FitError
from bayeslogit.mode import Status
from bayeslogit.new_rows import NewRows, new_rows
from bayeslogit.predict import Prediction, fitted_columns, predict_probability, residual_columns
from bayeslogit.readings import Readings
from bayeslogit.storage import write_record
from bayeslogit.summary import Coefficients, coefficient_table, percent, tidy_columns
from bayeslogit.table import Table

if TYPE_CHECKING:
    from bayeslogit._priors import Prior
    from bayeslogit.criteria import LooResult
    from bayeslogit.draws import Draws
    from bayeslogit.posterior.nuts_sampling import Progress
    from bayeslogit.prediction_results import PredictionResults

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class Fit(Readings):
    """A fitted logistic regression; what it holds is listed under `Estimates`."""

    # --- tables --------------------------------------------------------------------------------------------------

    def summary(self, prob: float = 0.95, *, draws: Draws | None = None) -> Table:
        """The coefficient table; prints as text, shows as HTML in a notebook.

        With ``draws`` of this fit the estimate is the posterior median, with posterior sd and quantiles, and the mode
        is a further column.
        """
        if draws is not None:
            return self._own(draws).summary(prob)
        return coefficient_table(
            replace(self._coefficients(prob), names=self.names),
            prob=prob,
            header=self._header(prob),
            notes=self.notes,
            reference_levels=self.named_levels,
        )

    def _coefficients(self, prob: float) -> Coefficients:
        lower, upper = self._interval(prob, self.posterior.sd)
        labels = self.prior.labels()
        pull = (None, ()) if self.prior.gaussian.all() else (self._pulls.value, self._pulls.by)
        return Coefficients(self.columns, self._estimate, self.posterior.sd, lower, upper, labels, self._share, *pull)

    def _header(self, prob: float) -> tuple[str, ...]:
        f = self.facts
        events = f"{f.n_events:,.10g} events in {f.nobs:,.10g} observations"
        rows = "" if f.n_rows == f.nobs else f" ({f.n_rows:,} rows)"
        return (
            f"Prior: {self.prior.name} ({'the default' if self.prior_is_default else 'chosen'}).",
            f"Outcome: {f.event_in_words}; {events}{rows}.",
            f"Log-odds per unit of each column: posterior mode, sd and equal-tailed {percent(prob)} interval "
            "(Gaussian approximation at the mode).",
            f"Status: {self.status.value}{self._certificate}. Log likelihood {self.log_likelihood:.2f}{self._size}.",
        )

    @property
    def _size(self) -> str:
        """How many parameters the data decide, where that is known."""
        effective = self.effective_parameters
        known = not np.isnan(effective)
        return f"; effective parameters {effective_in_words(effective, len(self.columns))}" if known else ""

    @property
    def _certificate(self) -> str:
        """How well the optimality condition holds, where a prior has a kink."""
        kinked = any(term.density.kink or term.density.group for term in self.prior.terms)
        words = f", optimality condition holds to {self.mode.decrement:.1e} posterior sd"
        return words if kinked and self.converged else ""

    def tidy(self, exponentiate: bool = False, prob: float = 0.95, *, draws: Draws | None = None) -> Any:
        """One row a coefficient, in the caller's data-frame library.

        Columns term, estimate, std_error, conf_low, conf_high, prior, prior_share; label where there are labels; pull
        and pull_by (`prior_pull`) when some prior is neither normal nor flat. With ``exponentiate`` estimate and
        interval are odds ratios and there is no std_error: an odds ratio never carries that of a log-odds.
        """
        if draws is not None:
            return self._own(draws).tidy(exponentiate, prob)
        columns = tidy_columns(self._coefficients(prob), exponentiate=exponentiate)
        return frames.frame(columns | ({"label": list(self.names)} if self.labels else {}), self.facts.library)

    def glance(self) -> Any:
        """One row about the whole fit, in the caller's data-frame library."""
        return frames.frame({key: [value] for key, value in self.glance_values().items()}, self.facts.library)

    def glance_values(self) -> dict[str, Any]:
        """What `glance` shows, as a dict."""
        return {
            "nobs": self.nobs,
            "n_rows": self.facts.n_rows,
            "n_events": self.facts.n_events,
            "n_columns": len(self.columns),
            "effective_parameters": self.effective_parameters,
            "log_likelihood": self.log_likelihood,
            "log_posterior": self.log_posterior,
            "log_evidence": self.log_evidence,
            "log_evidence_relative": bool(self.prior.flat.any()),
            "prior": self.prior.name,
            "status": self.status.value,
            "converged": self.converged,
            "decrement": self.mode.decrement,
            "n_passes": self.mode.n_passes,
            "n_hessians": self.mode.n_hessians,
        }

    def effects(
        self,
        column: str,
        kind: str = "ame",
        *,
        at: Mapping[str, Any] | None = None,
        between: tuple[Any, Any] | None = None,
        prob: float = 0.95,
        rng: int | np.random.Generator = 0,
    ) -> Table:
        """Average effect of a variable on the probability; arguments and result are those of `bayeslogit.effects`."""
        from bayeslogit._effects import effects

        return effects(self, column, kind, at=at, between=between, prob=prob, rng=rng)

    def augment(self, new: Any = None, prob: float = 0.95, *, offset: ArrayLike | None = None) -> Any:
        """The rows with their fitted values, in the caller's data-frame library.

        Adds linear_predictor and linear_predictor_sd (log-odds), fitted (probability at the mode), fitted_lower and
        fitted_upper (equal-tailed interval of that probability); for the data of the fit also residual (observed share
        minus fitted) and leverage. Rows dropped for missing values are not returned. ``new`` and ``offset`` are as in
        `predict`.

        Raises
        ------
        DataError
            If the data already have a column of one of these names.
        """
        given = self._new(new, offset)
        prediction = self._predict(given, offset, prob, "mode")
        columns = fitted_columns(prediction)
        if given is None:
            design = self._data("augment()")
            columns |= residual_columns(prediction, *design.outcome_arrays())
            base = design.used_frame()
            base = base if design.frame is not None else frames.moved(base, self.facts.library)
        else:
            base = given.frame()
        taken = [name for name in columns if name in column_names(base)]
        if taken:
            raise DataError(f"augment(): the data already have the columns {', '.join(taken)}; rename them first.")
        return frames.widened(base, columns)

    def predict(
        self,
        new: Any = None,
        prob: float = 0.95,
        kind: str = "mean",
        *,
        offset: ArrayLike | None = None,
        draws: Draws | None = None,
    ) -> Any:
        """Probability of the event for each row, with an equal-tailed interval of that probability (not of an outcome).

        Parameters
        ----------
        new : data frame, dict, array, str, Path or None
            Rows to predict; a dict of single values is one person, text the name of a file; None is the data of the
            fit.
        prob : float
            Probability of the interval.
        kind : {"mean", "mode"}
            "mean" averages the probability over the posterior (exact quadrature); "mode" takes it at the mode.
        offset : array_like, shape (n,), optional
            Log-odds to add to new rows; must be given if the design had one that is not a column of ``new``.
        draws : Draws, optional
            Of this fit: mean and interval are then theirs, instead of those of the Gaussian at the mode.

        Returns
        -------
        data frame
            Columns probability, lower, upper, in the caller's library; with the index of the rows, if they have one.
        """
        if draws is not None:
            return self._own(draws).predict(new, prob, kind, offset=offset)
        given = self._new(new, offset)
        p = self._predict(given, offset, prob, kind)
        library = self.facts.library if given is None else given.library
        index = self._data("predict()").row_index if given is None else given.index
        return frames.frame({"probability": p.probability, "lower": p.lower, "upper": p.upper}, library, index)

    def get_prediction(self, new: Any = None, *, offset: ArrayLike | None = None) -> PredictionResults:
        """Predictions at the mode as statsmodels returns them: ``get_prediction(new).summary_frame(alpha=0.05)``.

        ``new`` and ``offset`` are as in `predict`, which averages over the posterior instead.
        """
        from bayeslogit.prediction_results import PredictionResults

        given = self._new(new, offset)

        def at(prob: float) -> tuple[Prediction, Any, str]:
            index = self._data("get_prediction()").row_index if given is None else given.index
            library = self.facts.library if given is None else given.library
            return self._predict(given, offset, prob, "mode"), index, library

        return PredictionResults(at)

    def _new(self, new: Any, offset: ArrayLike | None) -> NewRows | None:
        return None if new is None else new_rows(new, self.spec, offset, has_offset=self.facts.has_offset)

    def _predict(self, new: NewRows | None, offset: ArrayLike | None, prob: float, kind: str) -> Prediction:
        if new is None and offset is not None:
            raise ArgumentError("offset= goes with new rows; the rows of the fit have their own offset.")
        if self.status is Status.NOT_POSITIVE_DEFINITE:
            raise FitError(f"There is nothing to predict with. {self.mode.message}")
        if kind == "mean" and self.posterior.factor is None:
            if self.converged:
                raise FitError("This fit holds no covariance to average over: use kind='mode', or fit with one.")
            raise FitError(f"No average over the posterior; kind='mode' uses the last iterate. {self.mode.message}")
        if new is None:
            blocks = list(self._data("predict() without new data").source.blocks())
            parts = [predict_probability(self.posterior, b.X, b.offset, prob=prob, kind=kind) for b in blocks]
            return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        return predict_probability(self.posterior, new.rows, new.offset, prob=prob, kind=kind)

    # --- posterior -----------------------------------------------------------------------------------------------

    def sample(
        self,
        method: str = "auto",
        draws: int = 4000,
        rng: int | np.random.Generator = 0,
        *,
        nuts: bool = True,
        chains: int = 4,
        tune: int = 200,
        sampler: str = "pymc",
        progress: Progress | None = None,
    ) -> Draws:
        """The posterior, on a rung of the ladder; its verdict says what the numbers are worth.

        Parameters
        ----------
        method : {"auto", "laplace", "variational", "importance", "nuts"}
            "auto" climbs until every number is certified: quadrature for a few columns, importance sampling around the
            nearest Gaussian, then NUTS. "laplace" (or "normal") is the Gaussian at the mode, "variational" the nearest
            one; neither is ever certified.
        draws : int
            Number of equally weighted draws returned in all.
        rng : int or Generator
            The same seed gives the same numbers.
        nuts : bool
            Whether "auto" may go on to NUTS, which takes seconds and needs PyMC.
        chains, tune, sampler
            Of NUTS: chains, warm-up of each, and whose it is ("pymc", "nutpie", "numpyro", "blackjax").
        progress : function, optional
            Called by NUTS with the number of draws done and to do.

        Returns
        -------
        Draws

        Raises
        ------
        FitError
            If there is no finite mode, the posterior is improper, or the rung cannot be had for this prior.
        ArgumentError
            If an argument cannot be right.
        """
        from bayeslogit.draws import sample_fit
        from bayeslogit.ladder import ChainPlan

        return sample_fit(self, method, draws, rng, ChainPlan(chains, tune, sampler, nuts, progress))

    def loo(
        self,
        kind: str = "posterior",
        unit: str = "observation",
        *,
        refits: int | None = None,
        rng: int | np.random.Generator = 0,
        draws: Draws | None = None,
    ) -> LooResult:
        """How well each observation is predicted by all others; the resolved prior is held fixed.

        Parameters
        ----------
        kind : {"posterior", "mode"}
            The Bayesian expected log predictive density, from the nearest Gaussian with each observation divided out
            and corrected for skewness; or the plug-in log score of the mode without it (ALO). The two are different
            quantities and do not belong in one column.
        unit : {"observation", "row"}
            What is left out: one Bernoulli copy, so that counts equal their expanded rows, or a whole row with its
            weight and trials, as in `arviz.loo`.
        refits : int, optional
            Most observations whose model is fitted again without them; 0 for one pass over the data. By default as
            many as keep the error of the total below 0.05 nats, within a few seconds.
        rng : int or Generator
            For refits that need importance sampling.
        draws : Draws, optional
            Of this fit: the numbers then come from these by Pareto-smoothed importance sampling.

        Returns
        -------
        LooResult
            ``elpd, se, p``, and by row ``elpd_i, pareto_k, flags``; prints as a table.

        Raises
        ------
        FitError
            If the fit has no mode or no data, or the posterior is improper.
        """
        from bayeslogit.criteria_loo import leave_one_out

        raw = None if draws is None else self._own(draws).raw
        design = self._data("loo()")
        return leave_one_out(design, self.prior, self.mode, kind=kind, unit=unit, refits=refits, rng=rng, draws=raw)

    def _own(self, draws: Draws) -> Draws:
        alike = draws.columns == self.columns and np.array_equal(draws.fit.mode.beta, self.mode.beta)
        if draws.fit is not self and not alike:
            raise ArgumentError("draws=: these are of another fit. Use the draws that this fit's sample() returned.")
        return draws

    def as_prior(self, draws: Draws | None = None) -> Prior:
        """This posterior as the prior of a further analysis of the same columns, with rows that are not in this one.

        A multivariate normal with the mean and covariance of the Gaussian at the mode, or, with ``draws`` of this fit,
        of the posterior. Used on new rows it gives the fit to all rows together up to what the Gaussian leaves out:
        skewness and tails of this posterior. That error falls as the rows of this fit grow, and does not fall with
        those of the next. `bayeslogit.save_prior` writes it to a file.

        Raises
        ------
        FitError
            If there is no finite mean and covariance, or without draws where coefficients lie exactly at a kink.
        """
        from bayeslogit.handover import gaussian_prior

        kinked = np.zeros(len(self.columns), dtype=bool)
        if draws is not None:
            own = self._own(draws)
            # Sds are known better than the sample's; what the sample gives is how the coefficients go together.
            spread = np.atleast_2d(np.corrcoef(np.asarray(own.values).T))
            sd = np.asarray(own.sd)
            return gaussian_prior(self.columns, np.asarray(own.mean), spread * np.outer(sd, sd), kinked, self.spec)
        if self.posterior.factor is None:
            raise FitError(f"as_prior(): this fit holds no covariance to hand on. {self.mode.message}")
        kinked = (self.posterior.sd == 0.0) | np.isnan(self.posterior.sd)
        return gaussian_prior(self.columns, self.mode.beta, np.asarray(self.cov_params()), kinked, self.spec)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Save to versioned JSON with a checksum, written atomically; `bayeslogit.load` reads it back.

        The data are not in it: predictions on new rows are bit-identical, while `augment()`, `predict()` without new
        rows and ``cov_params("robust")`` need the data again.
        """
        parts = fit_record.Parts(
            self.mode,
            self.prior,
            self.prior_is_default,
            self.spec,
            self.facts,
            self.fingerprint,
            self.notes,
            self.labels,
        )
        write_record(path, parts.to_dict())

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        model = self.facts.formula or f"{len(self.columns)} columns"
        return f"<Fit {model}; prior {self.prior.name}; {self.facts.nobs:,.10g} observations; {self.status.value}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
