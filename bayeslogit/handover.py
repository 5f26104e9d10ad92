"""A posterior as the prior of the next analysis: a Gaussian by name of column, that travels as JSON."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._priors import MultivariateNormal, Prior
from bayeslogit.boundary import guarded
from bayeslogit.conforming import conform, listed, terms_of
from bayeslogit.errors import FileFormatError, FitError, FitWarning, PriorError
from bayeslogit.fit_record import check_prior
from bayeslogit.formula import FormulaSpec
from bayeslogit.formula_guard import read_formula
from bayeslogit.presets import Numbers, as_prior
from bayeslogit.resolved import ResolvedPrior, from_description
from bayeslogit.storage import read_record, write_record

Array = NDArray[np.float64]


def learned_transforms(spec: Any) -> dict[str, Any]:
    """Transforms of a formula that took numbers from the rows, such as ``scale(age)``, and those numbers."""
    if not isinstance(spec, FormulaSpec):
        return {}
    reading = read_formula(spec.formula, spec.factors.texts())
    pairs = spec.state["transforms"]["pairs"]
    return {reading.shown(name): learned for name, learned in pairs if learned["pairs"]}


def gaussian_prior(
    columns: tuple[str, ...], mean: Array, covariance: Array, zeros: NDArray[np.bool_], spec: Any = None
) -> Prior:
    """The multivariate normal prior with the moments of a posterior.

    Parameters
    ----------
    columns : tuple of str
    mean : array, shape (p,)
    covariance : array, shape (p, p)
    zeros : array of bool, shape (p,)
        Coefficients that the mode sets at a kink, and of which it therefore knows no spread.
    spec : FormulaSpec or ArraySpec, optional
        How the rows were coded.

    Warns
    -----
    FitWarning
        If a transform took numbers from the rows, so that new rows would have other columns of the same name.

    Raises
    ------
    FitError
        If some coefficient has no finite mean and sd.
    """
    if zeros.any():
        names = ", ".join(name for name, zero in zip(columns, zeros, strict=True) if zero)
        raise FitError(
            f"as_prior(): {names} lie(s) exactly at a kink of the prior, where the mode has no spread that could be "
            "handed on. Give draws=fit.sample(): their mean and covariance are the posterior's."
        )
    spread = np.diag(covariance)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all() and (spread > 0.0).all()):
        lost = [name for name, m, v in zip(columns, mean, spread, strict=True) if not (np.isfinite(m) and v > 0.0)]
        raise FitError(f"as_prior(): {', '.join(lost) or 'the posterior'} has no finite mean and sd to hand on.")
    learned = sorted(learned_transforms(spec))
    if learned:
        warnings.warn(
            f"as_prior(): {', '.join(learned)} took numbers from these rows, and in a formula for new rows takes "
            "others: columns of the same name are then not the same, and this prior is not for them. Write the "
            "transform with fixed numbers, such as I((age - 40) / 10).",
            FitWarning,
            stacklevel=4,
        )
    return MultivariateNormal(mean=mean, cov=covariance, columns=columns)


@guarded
def save_prior(prior: Any, path: str | os.PathLike[str], columns: Any = None) -> None:
    """Save a prior's numbers as JSON with a checksum, exact to the bit; `load_prior` reads it back.

    Parameters
    ----------
    prior : Prior or ResolvedPrior
        With numbers for named columns: `Fit.as_prior`, ``fit.prior``, a conversion's, or, with ``columns``, any.
    path : path
    columns : Design, optional
        To resolve the prior against; not needed for a prior that names its columns.

    Raises
    ------
    PriorError
        If the prior names no columns and there are none to resolve it against.
    """
    resolved = _resolved(prior, columns)
    record = {"columns": list(resolved.columns), "name": resolved.name, "notes": list(resolved.notes)}
    write_record(path, {**record, "terms": resolved.describe()}, "prior")


@guarded
def load_prior(path: str | os.PathLike[str]) -> Prior:
    """Read a prior that `save_prior` saved; it is for designs with the same columns.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, edited, or of a newer version.
    """
    record = read_record(path, "prior")
    try:
        columns, notes = listed(record["columns"]), listed(record["notes"])
        found = from_description(columns, record["name"], notes, terms_of(record["terms"]))
        conform(found)
        check_prior(found)
        return Numbers(found)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise FileFormatError(f"The saved prior lacks or mistypes a part: {error!r}.") from None


@dataclass(frozen=True)
class _Named:
    """Columns of which nothing but the names is known."""

    columns: tuple[str, ...]
    has_intercept: bool

    @property
    def terms(self) -> Mapping[str, tuple[int, ...]]:
        return {name: (j,) for j, name in enumerate(self.columns)}

    @property
    def column_means(self) -> Array:
        raise PriorError("This prior depends on the data; give the design whose columns it is for.")

    column_sds = column_means


def _resolved(prior: Any, columns: Any) -> ResolvedPrior:
    if isinstance(prior, ResolvedPrior):
        return prior
    if isinstance(prior, Numbers):
        return prior.resolved
    if columns is not None:
        return as_prior(prior).resolve(columns)
    named = getattr(prior, "columns", None)
    if not named:
        raise PriorError(f"save_prior({prior!r}): it names no columns; give columns=, the design that it is for.")
    return as_prior(prior).resolve(_Named(tuple(named), named[0] == "Intercept"))
