"""Separation as a user asks for it: the verdict, the columns and rows behind it, and what a prior makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._fit import as_design
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.estimable import Estimable, estimable, independent, plainly
from bayeslogit.presets import as_prior
from bayeslogit.propriety import could_be_improper, existence
from bayeslogit.recession import Cone, cone, free_sides
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.separation_record import Separation as Separation
from bayeslogit.solitary import solitary_separators


@guarded
def separation(
    model: str | Design,
    data: Any = None,
    prior: Prior | str | None = None,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> Separation:
    """Whether maximum likelihood has finite estimates, which have none, and what a prior makes of it.

    A direction separates if no row's likelihood falls along it and some rise; then maximum likelihood does not exist
    (Albert and Anderson 1984). Overlap is proved by residuals that balance (Stiemke), a direction is looked for by
    linear programme (Konis 2007), with as few rows as decide, and verified on every row: data that overlap in their
    last digits are not called separated.

    Parameters
    ----------
    model : str or Design
        A formula such as ``"switch ~ arsenic + dist100"``, or a design.
    data : data frame, dict of columns, str or Path, optional
        For a formula.
    prior : Prior, str or None
        Asks also if the mode under this prior is finite, and if only because of it.
    trials, weights, offset, event, missing
        As in `Design.from_formula`. Rows of weight 0 are left out; rows with some but not all successes count as both
        classes; an offset changes nothing.

    Returns
    -------
    Separation

    Raises
    ------
    DataError, FormulaError, PriorError, ArgumentError
        If the input cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> design = bl.Design.from_arrays([[1.0], [2.0], [3.0], [3.0], [4.0]], [0, 0, 0, 1, 1])
    >>> found = bl.separation(design)
    >>> found.verdict, found.columns, found.touching.tolist()
    ('quasi-complete', ('Intercept', 'x1'), [2, 3])
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="separation")
    resolved = None if prior is None else as_prior(prior).resolve(design)
    if resolved is not None and resolved.open:
        raise PriorError(
            f"separation(prior={prior!r}): a prior with unknown scales has no mode that could be finite or not. Leave "
            "prior= out; bayeslogit.sample says whether the posterior exists."
        )
    few = design.condensed
    sides = independent(free_sides(few))
    found = cone(sides)
    which = estimable(found)
    names = np.array(design.columns, dtype=object)
    infinite = tuple(names[found.sides.columns[which.infinite]])
    told = np.isin(np.arange(names.size), found.sides.columns[~which.left_out])
    with_prior, unbounded = _under(few, resolved, infinite)
    return Separation(
        verdict="none" if found.recession is None else "complete" if found.recession.complete else "quasi-complete",
        terms=design.columns,
        columns=infinite,
        left_out=tuple(names[~told]),
        alone=_alone(few) if found.recession is not None else (),
        direction=_direction(design, found, which),
        touching=_touching(design, found),
        n_rows=design.n_rows,
        prior=resolved,
        with_prior=with_prior,
        unbounded=unbounded,
        improper=_improper(few, resolved) if infinite and with_prior != "infinite" else "",
        how=_how(found),
        verified=found.proved,
        has_intercept=design.has_intercept,
    )


def _alone(design: Design) -> tuple[str, ...]:
    """Columns that separate alone; the intercept, if that alone does."""
    alone = [name for name, does in zip(design.columns, solitary_separators(design), strict=True) if does]
    return tuple(alone[:1] if design.has_intercept and alone[:1] == [design.columns[0]] else alone)


def _how(found: Cone) -> str:
    if found.programmed:
        return "linear programme"
    return "certificate" if found.recession is None else "direction of a fit"


def _under(
    design: Design, prior: ResolvedPrior | None, infinite: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """What a prior makes of the columns that have no finite estimate, and those it does not hold."""
    if prior is None or not infinite:
        return (None if prior is None else "finite"), ()
    found = cone(independent(free_sides(design, prior)))
    if found.recession is None:
        return "finite only because of the prior", ()
    moving = found.sides.columns[estimable(found).infinite]
    return "infinite", tuple(design.columns[j] for j in moving)


def _improper(design: Design, prior: ResolvedPrior | None) -> str:
    """Why the posterior of a finite mode is improper all the same; empty if it is proper."""
    if prior is None or not could_be_improper(prior):
        return ""
    known = existence(design, prior, finite_mode=True, moments=0)
    return known.undecided if known.proper else known.reasons[0]


def _direction(design: Design, found: Cone, which: Estimable) -> dict[str, float]:
    """The direction, in log-odds per unit, so long that the slope that does most over its column's range is 1 or -1."""
    if which.direction is None:
        return {}
    d, first = which.direction, int(found.sides.has_intercept)
    effect = np.abs(d) * found.sides.frame.scale
    slope = first + int(np.argmax(effect[first:])) if np.any(effect[first:]) else 0
    d = plainly(found.sides, d / abs(float(d[slope])))
    return {design.columns[j]: float(v) for j, v in zip(found.sides.columns, d, strict=True) if v != 0.0}


def _touching(design: Design, found: Cone) -> NDArray[np.intp]:
    if found.recession is None:
        return np.empty(0, dtype=np.intp)
    rows = replace(found.sides, design=design).level_rows()
    return rows if design.kept is None else np.flatnonzero(design.kept)[rows]
