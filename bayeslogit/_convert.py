"""Translate a penalty between systems, and prove on the user's data that both objectives have one optimum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.boundary import guarded
from bayeslogit.checks import call, number
from bayeslogit.conventions import System, system_called
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.penalties import Penalty, Sizes
from bayeslogit.proof import Calibration, Proof, calibrate, prior_terms, prove
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
_LEGEND = (
    "loss: sum of negative log likelihoods; SS(b): sum of squares, A(b): sum of absolute values, of the slopes unless "
    "an intercept is mentioned."
)


@dataclass(frozen=True, eq=False)
class Conversion:
    """A penalty in two systems, as a prior, and with its proof.

    Attributes
    ----------
    source, to : str
        The systems.
    source_params, params : dict
        Parameters in the source, and in the target.
    columns : tuple of str
    penalty : Penalty
        What both say, on the sum scale of bayeslogit: precisions ``lambda2``, Laplace rates ``lambda1``, ``mean``.
    prior : ResolvedPrior
        The same as a prior.
    objectives : tuple of two str
        What each system minimises, with its numbers.
    proof : Proof
        Score of each objective at the optimum of the other.
    notes : tuple of str
    """

    source: str
    to: str
    source_params: dict[str, Any]
    params: dict[str, Any]
    columns: tuple[str, ...]
    penalty: Penalty
    prior: ResolvedPrior
    objectives: tuple[str, str]
    proof: Proof
    notes: tuple[str, ...] = ()

    @cached_property
    def prior_sd(self) -> Array:
        """Prior sd of each coefficient, log-odds per unit of the column; infinite where it is free. Shape (p,)."""
        return self.penalty.prior_sd()

    def table(self) -> Table:
        """Both objectives, the prior of each column, and the scores."""
        rows: list[tuple[Cell, ...]] = []
        proof = self.proof
        arrays = [self.penalty.lambda2, self.penalty.lambda1, self.prior_sd]
        arrays += [proof.optimum, proof.source_score, proof.target_score]
        for j, name in enumerate(self.columns):
            rows.append((name, *(float(each[j]) for each in arrays)))
        return Table(
            name="conversion",
            title=f"{self.source} {call(self.source_params)}  =  {self.to} {call(self.params)}",
            columns=(
                Column("term", "term"),
                Column("lambda2", "precision", "number"),
                Column("lambda1", "L1 rate", "number"),
                Column("prior_sd", "prior sd", "number"),
                Column("optimum", "optimum", "number"),
                Column("source_score", f"{self.source} score", "number"),
                Column("target_score", f"{self.to} score", "number"),
            ),
            rows=tuple(rows),
            header=(
                f"{self.source} minimises {self.objectives[0]}",
                f"{self.to} minimises {self.objectives[1]}",
                _LEGEND,
                str(self.proof),
            ),
            notes=(
                "Precision and L1 rate are lambda2 and lambda1 of the sum scale: log prior = "
                f"{_log_prior(self.penalty)}. Scores are taken at the other's optimum, over the factor of the loss, in "
                "sds.",
                *self.notes,
            ),
        )

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return f"<Conversion: {self.source} to {self.to}, {len(self.columns)} columns; print it for its proof>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _log_prior(penalty: Penalty) -> str:
    if not np.any(penalty.mean):
        return "-lambda2 b^2 / 2 - lambda1 |b|"
    return "-lambda2 (b - mean)^2 / 2 - lambda1 |b - mean|, the means as in the objectives"


@guarded
def convert(
    *, source: str, to: str, design: Design, options: Mapping[str, Any] | None = None, **params: Any
) -> Conversion:
    """Translate a penalty from one system's convention to another's.

    Parameters
    ----------
    source, to : str
        "sklearn", "glmnet", "statsmodels_glm", "statsmodels_logit", "statsmodels_bayes_mixed", "glum", "spark", "h2o",
        "knime", "celer", "skglm", "gradient_descent", "sum_of_squares", "weight_decay", "gauss_software" or
        "bayeslogit".
    design : Design
        The data: many systems take means over rows or scale columns, and the proof needs them. Weights, trials and
        offset are the design's.
    options : mapping, optional
        What is free to choose in the target, such as ``{"standardize": True}`` for glmnet.
    **params
        The source's parameters under its own names, ``lambda`` as ``lambda_``; what is left out has its default. For
        "bayeslogit": ``prior=``, or ``scale=`` (with ``family="laplace"`` for that), or ``l1=`` and ``l2=``. For
        "gauss_software" with an unknown factor: ``coefficients=`` of one known fit, by column or in their order.

    Returns
    -------
    Conversion
        Prints as a table; ``params`` are those of the target.

    Raises
    ------
    ArgumentError
        If a name or number cannot be right, or the target cannot say it; the message names what comes nearest.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> design = bl.Design.from_formula("switch ~ dist100 + arsenic", wells)
    >>> found = bl.convert(source="sklearn", C=0.5, to="gradient_descent", design=design)
    >>> found.params, found.proof.certified
    ({'lambda_': 2.0}, True)
    """
    first, second = system_called(source, "source"), system_called(to, "to")
    if not isinstance(design, Design):
        raise ArgumentError(
            f"convert(design={type(design).__name__}): a bayeslogit.Design is needed, for its rows and sds."
        )
    sizes = Sizes(design)
    given, notes = dict(params), []
    if "coefficients" in given and source == "gauss_software":
        notes.append(_calibrated(given, sizes))
    one = first.objective(given, sizes)
    found = second.settings(one.penalty, sizes, options or {})
    other = second.objective(found, sizes)
    terms = prior_terms(one.penalty)
    name = f"{source} {call(given)}"
    return Conversion(
        source=source,
        to=to,
        source_params=given,
        params=found,
        columns=sizes.columns,
        penalty=one.penalty,
        prior=ResolvedPrior(sizes.columns, terms, name),
        objectives=(first.words(given, sizes), second.words(found, sizes)),
        proof=prove(design, one, other),
        notes=(*notes, *_notes(first, second, design)),
    )


def _notes(first: System, second: System, design: Design) -> list[str]:
    """What the systems do not take, and what to mind."""
    systems = [first] if first is second else [first, second]
    notes = []
    weighted = design.tally.grouped or design.nobs != design.source.n_rows
    for system in systems:
        if weighted and "weights" not in system.takes:
            notes.append(f"{system.title} takes no weights: give it the {design.nobs:,.6g} observations row by row.")
        if design.has_offset and "offset" not in system.takes:
            notes.append(f"{system.title} takes no offset; its fit would be of another model.")
        notes += system.notes
    return list(dict.fromkeys(notes))


def _calibrated(given: dict[str, Any], sizes: Sizes) -> str:
    """Put the factor that one known fit shows among the parameters, and say what it is."""
    title = "GAUSS logisticRegFit"
    beta = _in_order(given.pop("coefficients"), sizes)
    rates = {key: number(title, key, given.get(key, 0.0)) for key in ("l1", "l2")}
    known = [key for key, rate in rates.items() if rate > 0.0]
    if len(known) != 1:
        raise ArgumentError(f"{title}: calibration needs a fit with exactly one of l1= and l2= above 0, not {rates}.")
    found = calibrate(sizes.design, beta, **rates)
    given |= {f"{known[0]}_factor": found.factor, "penalised_intercept": found.penalised_intercept}
    return (
        f"Calibrated: ctl.{known[0]} is multiplied by {found.factor:.6g}{_in_words(found, sizes)}; with it the given "
        f"coefficients are {found.misfit:.1e} posterior sd from the optimum."
    )


def _in_words(found: Calibration, sizes: Sizes) -> str:
    """A factor that one would guess: 1, 2, or these times the number of observations."""
    for count, name in ((1.0, ""), (sizes.total, " x the observations")):
        for plain in (1.0, 2.0, 0.5):
            if math.isclose(found.factor, plain * count, rel_tol=0.01):
                exact = found.factor / (plain * count) - 1.0
                who = "penalised" if found.penalised_intercept else "free"
                return f", which is {plain:g}{name} to {abs(exact):.1%}, the intercept {who}"
    return ", the intercept penalised" if found.penalised_intercept else ", the intercept free"


def _in_order(coefficients: Any, sizes: Sizes) -> Array:
    order = ", ".join(sizes.columns)
    if isinstance(coefficients, Mapping):
        missing = [name for name in sizes.columns if name not in coefficients]
        given = ", ".join(map(str, coefficients))
        if missing or len(coefficients) != sizes.p:
            raise ArgumentError(f"coefficients= names {given}; the design's columns are {order}.")
        coefficients = [coefficients[name] for name in sizes.columns]
    try:
        beta = np.asarray(coefficients, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"coefficients={coefficients!r}: give {sizes.p} numbers in the order {order}, or a dict of them by column."
        ) from None
    if beta.shape != (sizes.p,) or not np.all(np.isfinite(beta)):
        raise ArgumentError(
            f"coefficients= must be {sizes.p} finite numbers in the order {order}, not of shape {beta.shape}."
        )
    return beta
