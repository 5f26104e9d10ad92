"""The straight line: design, prior, mode, posterior, fit."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.budget import check_memory
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitWarning
from bayeslogit.facts import Facts
from bayeslogit.fit_record import Parts
from bayeslogit.held import held_by_prior, overlap_at
from bayeslogit.labels import file_labels
from bayeslogit.missing import check_missing
from bayeslogit.mode import Mode
from bayeslogit.plateau import on_plateau
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.presets import as_prior
from bayeslogit.propriety import could_be_improper, existence
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.results import Fit
from bayeslogit.solve import find_mode
from bayeslogit.storage import read_record
from bayeslogit.target import LogPosterior


class _Default(str):
    """The default prior's name; its identity tells a default from a choice of the same preset."""


DEFAULT_PRIOR = _Default("rstanarm")


@guarded
def fit(
    model: str | Design,
    data: Any = None,
    prior: Prior | ResolvedPrior | str | None = DEFAULT_PRIOR,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
    tol: float = 1e-6,
    max_iter: int = 200,
    covariance: str = "exact",
    passes: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> Fit:
    """Fit a logistic regression whose penalty is a prior.

    Finds the mode of ``sum_i w_i [y_i eta_i - m_i log(1 + exp(eta_i))] + log prior(beta)`` and the Gaussian
    approximation there.

    Parameters
    ----------
    model : str or Design
        A formula such as ``"switch ~ arsenic + dist100"``, or a design.
    data : data frame, dict of columns, str or Path, optional
        For a formula: pandas, polars or pyarrow, or a CSV or Parquet file.
    prior : Prior, ResolvedPrior, str or None
        "rstanarm", the default, is weakly informative, depends on the sds of the columns, and is printed as numbers.
        None is maximum likelihood. A family such as ``Normal(2.5)`` goes on every slope and leaves the intercept flat.
        With ``Normal(s)`` this is L2 penalised regression with ``lambda = 1 / s^2`` on the sum scale.
    trials, weights, offset, event, missing
        As in `Design.from_formula`.
    tol : float
        Largest accepted distance from the mode, in posterior sds.
    max_iter : int
        Most Newton steps.
    covariance : {"exact", "none"}
        "none" finds the mode only, in less time when columns are many: no standard errors, intervals or evidence.
    passes : int, optional
        Most passes over rows that are not in memory, beside those that made the design; 2 are enough for most. How far
        the estimates are from the mode at most is stated in ``fit.mode.decrement`` and in the notes. Under normal and
        flat priors only. Without it the search goes on until ``tol`` is met, which takes four to eight.
    labels : mapping of str to str, optional
        What columns or variables are called in tables, figures and reports, beside the labels of a Stata, SPSS or SAS
        file; see `Fit.relabel`.

    Returns
    -------
    Fit
        Failure is a value: ``fit.status`` says how the search ended, and a `FitWarning` is given if there is no mode.

    Raises
    ------
    DataError, FormulaError, PriorError
        If the input cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> fit = bl.fit("switch ~ dist100 + arsenic", wells, prior=bl.Normal(2.5))
    >>> fit.params.round(3).to_dict()
    {'Intercept': 0.002, 'dist100': -0.895, 'arsenic': 0.46}
    """
    if covariance not in ("exact", "none"):
        raise ArgumentError(f"covariance={covariance!r}: it is 'exact', or 'none' for the mode alone.")
    design = as_design(model, data, trials, weights, offset, event, missing)
    resolved = as_prior(prior).resolve(design)
    target = LogPosterior.of(design, resolved)
    if covariance == "exact" and len(design.columns) <= design.n_rows and not target.kinks:
        _check_matrices(len(design.columns))
    mode = find_mode(target, tol=tol, max_iter=max_iter, covariance=covariance == "exact", passes=passes)
    facts = Facts.of(design)
    held = held_by_prior(design, target, mode) if mode.converged else ()
    level = on_plateau(target, mode) if mode.converged and covariance == "exact" else ()
    notes = _notes(design, mode, facts, level, *_improper(target, mode), *held, *resolved.notes)
    if not mode.converged:
        warnings.warn(mode.message, FitWarning, stacklevel=2)
    found = Fit(
        mode=mode,
        posterior=LaplacePosterior.at(mode),
        prior=resolved,
        prior_is_default=prior is DEFAULT_PRIOR,
        spec=design.spec,
        facts=facts,
        notes=notes,
        design=design,
    )
    words = {**file_labels(design), **(labels or {})}
    return found.relabel(words) if words else found


@guarded
def load(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that `Fit.to_json` saved; its predictions are bit-identical.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, edited, or of a newer version.
    """
    parts = Parts.from_dict(read_record(path))
    return Fit(
        mode=parts.mode,
        posterior=LaplacePosterior.at(parts.mode),
        prior=parts.prior,
        prior_is_default=parts.prior_is_default,
        spec=parts.spec,
        facts=parts.facts,
        notes=parts.notes,
        saved_fingerprint=parts.fingerprint,
        labels=parts.labels,
    )


def _check_matrices(p: int) -> None:
    """The information, its factor, and what becomes of them: four p x p matrices at once."""
    if p > 2000:
        check_memory(
            32.0 * p * p,
            f"The information of {p:,} coefficients",
            "Leave out columns, merge levels of large factors, or use a prior with exact zeros such as "
            "bayeslogit.Laplace(1.0), which works with few columns at a time.",
        )


def as_design(
    model: str | Design,
    data: Any,
    trials: str | ArrayLike | None,
    weights: str | ArrayLike | None,
    offset: str | ArrayLike | None,
    event: Any,
    missing: str,
    call: str = "fit",
) -> Design:
    """What the first arguments of `fit` mean; ``call`` is the function that errors are about."""
    if not isinstance(model, Design):
        if not isinstance(model, str):
            raise ArgumentError(
                f"{call}({type(model).__name__}, ...): the model is a formula such as 'y ~ x' or a Design; "
                f"for arrays use bayeslogit.{call}(bayeslogit.Design.from_arrays(X, y))."
            )
        if data is None:
            raise ArgumentError(f"{call}({model!r}): a formula needs data, a data frame or a file.")
        return Design.from_formula(
            model, data, trials=trials, weights=weights, offset=offset, event=event, missing=missing
        )
    check_missing(missing)
    given = {"data": data, "trials": trials, "weights": weights, "offset": offset, "event": event}
    extra = [name for name, value in given.items() if value is not None] + ["missing"] * (missing != "raise")
    if extra:
        raise ArgumentError(f"{call}(design, ...): {', '.join(extra)} belong(s) to the design, not to {call}().")
    return model


def _improper(target: LogPosterior, mode: Mode) -> tuple[str, ...]:
    """A mode can exist while the posterior does not."""
    design, prior = target.design, target.prior
    if not (mode.converged and could_be_improper(prior)) or overlap_at(target, mode):
        return ()
    known = existence(design, prior, finite_mode=True, moments=0)
    if known.proper:
        return ()
    return (f"Mode only: {known.reasons[0]}. There are no standard errors or intervals of a posterior here.",)


def _notes(design: Design, mode: Mode, facts: Facts, level: tuple[str, ...], *prior_notes: str) -> tuple[str, ...]:
    """Everything a reader must know, most serious first."""
    notes = list(level) if mode.converged else [mode.message]
    if mode.converged and mode.factor is None and not level:
        notes.append(
            "Only the mode was asked for (covariance='none'): the fit has no standard errors or intervals itself."
        )
    notes += [*mode.notes, *design.notes]
    if facts.fractional_weights:
        notes.append(
            "Some weights are not whole numbers: the likelihood is tempered, and every sd and interval reads the "
            "weights as numbers of observations."
        )
    return (*notes, *prior_notes)
