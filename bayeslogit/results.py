"""The record that a user holds of a fit: its numbers, tables and predictions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import fit_record, frames
from bayeslogit.data import column_names
from bayeslogit.errors import ArgumentError, DataError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.mode import Status
from bayeslogit.new_rows import NewRows, new_rows
from bayeslogit.predict import Prediction, fitted_columns, predict_probability, residual_columns
from bayeslogit.storage import write_record
from bayeslogit.summary import Coefficients, coefficient_table, percent, tidy_columns
from bayeslogit.table import Table

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit(Estimates):
    """A fitted logistic regression; what it holds is listed under `Estimates`."""

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

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        model = self.facts.formula or f"{len(self.columns)} columns"
        return f"<Fit {model}; prior {self.prior.name}; {self.facts.nobs:,.10g} observations; {self.status.value}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
