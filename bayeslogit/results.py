"""The record that a user holds of a fit: its numbers, tables and predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bayeslogit import fit_record, frames
from bayeslogit.arrays import ArraySpec
from bayeslogit.data import column_names
from bayeslogit.design import Design
from bayeslogit.diagnostics import effective_parameters, prior_share
from bayeslogit.errors import ArgumentError, DataError, FitError
from bayeslogit.facts import Facts
from bayeslogit.formula import FormulaSpec
from bayeslogit.mode import Mode, Status
from bayeslogit.new_rows import NewRows, new_rows
from bayeslogit.posterior.covariances import check_kind, coefficient_covariance, prior_information
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.predict import Prediction, check_prob, fitted_columns, predict_probability, residual_columns
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.storage import write_record
from bayeslogit.summary import Coefficients, coefficient_table, percent, tidy_columns
from bayeslogit.table import Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_MOST_COLUMNS = 5000


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted logistic regression: the mode, its Gaussian approximation, and what they rest on.

    Attributes
    ----------
    mode : Mode
        Where the search ended, and how.
    posterior : LaplacePosterior
        The Gaussian approximation at the mode.
    prior : ResolvedPrior
        The prior as numbers.
    prior_is_default : bool
        Whether the prior was the default rather than asked for.
    spec : FormulaSpec or ArraySpec
        How new rows are coded.
    facts : Facts
        Counts, names and hashes of the data.
    notes : tuple of str
        Everything a reader must know; they stand under every table.
    design : Design or None
        The data; None for a fit that was loaded from a file.
    saved_fingerprint : str
        `fingerprint` of a fit that was loaded from a file.
    """

    mode: Mode
    posterior: LaplacePosterior
    prior: ResolvedPrior
    prior_is_default: bool
    spec: FormulaSpec | ArraySpec
    facts: Facts
    notes: tuple[str, ...] = ()
    design: Design | None = None
    saved_fingerprint: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.prior.columns

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data as fitted; it takes a pass over them, so it is worked out when it is asked for."""
        return self.saved_fingerprint if self.design is None else self.design.fingerprint

    @property
    def status(self) -> Status:
        """How the search ended: "converged", or why not; `mode.message` says it in a sentence."""
        return self.mode.status

    @property
    def converged(self) -> bool:
        return self.mode.converged

    @property
    def nobs(self) -> float:
        """``sum w_i m_i``: observations, counting frequency weights and trials."""
        return self.facts.nobs

    @property
    def log_binomial_constant(self) -> float:
        """``sum w_i log C(m_i, y_i)``, left out of `log_likelihood`; add it to compare with R or statsmodels."""
        return self.facts.log_binomial_constant

    @property
    def log_posterior(self) -> float:
        """Log likelihood plus normalised log prior at the mode (0 for flat columns), not divided by the evidence."""
        return self.mode.log_density

    @property
    def log_likelihood(self) -> float:
        """At the mode, on the sum scale, without the binomial constant."""
        return self.mode.log_density - self.prior.log_density(self.mode.beta)

    @property
    def log_evidence(self) -> float:
        """Gaussian approximation to the log of the integral of likelihood x prior; per unit of each flat column.

        NaN when the fit has no finite covariance. It is off by up to several nats when rows are few per column.
        """
        constant = 0.5 * len(self.columns) * float(np.log(2.0 * np.pi))
        return self.log_posterior + constant - 0.5 * self.posterior.log_determinant

    @property
    def effective_parameters(self) -> float:
        """``p - tr[(H+L)^-1 L]``: how many coefficients the data, not the prior, decide."""
        factor = self.posterior.factor
        if factor is None:
            return float("nan")
        return effective_parameters(factor, prior_information(self.mode, self.prior))

    @cached_property
    def params(self) -> pd.Series[float]:
        """The mode, log-odds per unit of each column; NaN where the columns are not identified."""
        return frames.series(self._estimate, self.columns, "mode")

    @property
    def _estimate(self) -> Array:
        lost = self.status is Status.NOT_POSITIVE_DEFINITE
        return np.full(len(self.columns), np.nan) if lost else self.mode.beta

    @cached_property
    def bse(self) -> pd.Series[float]:
        """Posterior sd by the Gaussian approximation at the mode; NaN when the fit has no finite covariance."""
        return frames.series(self.posterior.sd, self.columns, "sd")

    @cached_property
    def prior_share(self) -> pd.Series[float]:
        """Posterior variance as a share of prior variance: 0 is all data, 1 is all prior; NaN unless that is normal."""
        return frames.series(self._share, self.columns, "prior_share")

    @property
    def _share(self) -> Array:
        share = prior_share(self.posterior.sd, self.prior.variance())
        return np.where(self.prior.gaussian, share, np.nan)

    # --- covariances and intervals -------------------------------------------------------------------------------

    def cov_params(
        self, kind: str = "posterior", *, terms: Sequence[str] | None = None, groups: str | ArrayLike | None = None
    ) -> pd.DataFrame:
        """Covariance of the coefficients.

        Parameters
        ----------
        kind : {"posterior", "frequentist", "robust", "likelihood"}
            With H the information of the likelihood and L of the prior: ``(H+L)^-1``; ``(H+L)^-1 H (H+L)^-1``, the
            sampling covariance if the model holds (bias ignored); ``(H+L)^-1 (sum w r^2 x x') (H+L)^-1``, which does
            not rest on the variance being right; ``H^-1``, which leaves the prior out (with a warning).
        terms : sequence of str, optional
            Columns to return; needed above 5,000 columns.
        groups : str or array_like, shape (n,), optional
            Cluster of each row, for "robust"; a column of the data by its name.

        Returns
        -------
        DataFrame, shape (p, p)

        Raises
        ------
        ArgumentError
            For an unknown kind ("sandwich" names two), unknown terms, or a matrix too large to be meant.
        FitError
            If "robust" is asked of a loaded fit, which holds no data.
        """
        check_kind(kind)
        if groups is not None and kind != "robust":
            raise ArgumentError(f"groups= belongs to kind='robust', not to kind={kind!r}.")
        picked = self._picked(terms)
        names = [self.columns[j] for j in picked]
        return frames.matrix(self._covariance(kind, groups, picked), names, names)

    def _picked(self, terms: Sequence[str] | None) -> list[int]:
        p = len(self.columns)
        if terms is None:
            if p > _MOST_COLUMNS:
                raise ArgumentError(
                    f"cov_params(): the covariance of {p} columns takes {8e-9 * p * p:.1f} GB; "
                    "name the columns you need in terms=[...]."
                )
            return list(range(p))
        unknown = [name for name in terms if name not in self.columns]
        if unknown:
            raise ArgumentError(f"cov_params(terms=...): no columns {', '.join(unknown[:8])} in this fit.")
        return [self.columns.index(name) for name in terms]

    def _covariance(self, kind: str, groups: str | ArrayLike | None, picked: Sequence[int]) -> Array:
        def data() -> Design:
            return self._data("cov_params(kind='robust')")

        return coefficient_covariance(kind, self.mode, self.posterior, self.prior, picked, design=data, groups=groups)

    def conf_int(self, prob: float = 0.95, kind: str = "posterior") -> pd.DataFrame:
        """Equal-tailed intervals: mode +- z sd, columns "lower" and "upper"."""
        check_kind(kind)
        p = len(self.columns)
        sd = self.posterior.sd if kind == "posterior" else np.sqrt(np.diag(self._covariance(kind, None, range(p))))
        lower, upper = self._interval(prob, sd)
        return frames.matrix(np.column_stack([lower, upper]), self.columns, ["lower", "upper"])

    def _interval(self, prob: float, sd: Array) -> tuple[Array, Array]:
        z = float(ndtri(0.5 + check_prob(prob) / 2.0))
        estimate = self._estimate
        return estimate - z * sd, estimate + z * sd

    # --- tables --------------------------------------------------------------------------------------------------

    def summary(self, prob: float = 0.95) -> Table:
        """The coefficient table; prints as text, shows as HTML in a notebook."""
        return coefficient_table(
            self._coefficients(prob),
            prob=prob,
            header=self._header(prob),
            notes=self.notes,
            reference_levels=self.spec.reference_levels,
        )

    def _coefficients(self, prob: float) -> Coefficients:
        lower, upper = self._interval(prob, self.posterior.sd)
        labels = self.prior.labels()
        return Coefficients(self.columns, self._estimate, self.posterior.sd, lower, upper, labels, self._share)

    def _header(self, prob: float) -> tuple[str, ...]:
        f = self.facts
        events = f"{f.n_events:,.10g} events in {f.nobs:,.10g} observations"
        rows = "" if f.n_rows == f.nobs else f" ({f.n_rows:,} rows)"
        return (
            f"Prior: {self.prior.name} ({'the default' if self.prior_is_default else 'chosen'}).",
            f"Outcome: {f.event_in_words}; {events}{rows}.",
            f"Log-odds per unit of each column: posterior mode, sd and equal-tailed {percent(prob)} interval "
            "(Gaussian approximation at the mode).",
            f"Status: {self.status.value}. Log likelihood {self.log_likelihood:.2f}; "
            f"effective parameters {self.effective_parameters:.2f} of {len(self.columns)}.",
        )

    def tidy(self, exponentiate: bool = False, prob: float = 0.95) -> Any:
        """One row a coefficient, in the caller's data-frame library.

        Columns term, estimate, std_error, conf_low, conf_high, prior, prior_share. With ``exponentiate`` estimate and
        interval are odds ratios and there is no std_error: an odds ratio never carries that of a log-odds.
        """
        return frames.frame(tidy_columns(self._coefficients(prob), exponentiate=exponentiate), self.facts.library)

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
        else:
            base = given.frame()
        taken = [name for name in columns if name in column_names(base)]
        if taken:
            raise DataError(f"augment(): the data already have the columns {', '.join(taken)}; rename them first.")
        return frames.widened(base, columns)

    def predict(
        self, new: Any = None, prob: float = 0.95, kind: str = "mean", *, offset: ArrayLike | None = None
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

        Returns
        -------
        data frame
            Columns probability, lower, upper, in the caller's library; with the index of the rows, if they have one.
        """
        given = self._new(new, offset)
        p = self._predict(given, offset, prob, kind)
        library = self.facts.library if given is None else given.library
        index = self._data("predict()").row_index if given is None else given.index
        return frames.frame({"probability": p.probability, "lower": p.lower, "upper": p.upper}, library, index)

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

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Save to versioned JSON with a checksum, written atomically; `bayeslogit.load` reads it back.

        The data are not in it: predictions on new rows are bit-identical, while `augment()`, `predict()` without new
        rows and ``cov_params("robust")`` need the data again.
        """
        parts = fit_record.Parts(
            self.mode, self.prior, self.prior_is_default, self.spec, self.facts, self.fingerprint, self.notes
        )
        write_record(path, parts.to_dict())

    def _data(self, what: str) -> Design:
        if self.design is None:
            raise FitError(f"{what} needs the data, which a saved fit does not hold. Fit again, or pass new rows.")
        return self.design

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        model = self.facts.formula or f"{len(self.columns)} columns"
        return f"<Fit {model}; prior {self.prior.name}; {self.facts.nobs:,.10g} observations; {self.status.value}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
