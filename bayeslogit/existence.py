"""Why there is no mode, in words: one class only, columns that cannot be told apart, separation.

`solve` asks these questions; each answer is a message that names the columns and says what to do, or None.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.recession import Recession
from bayeslogit.steps import Dependency, dependencies
from bayeslogit.target import LogPosterior, Root

Array = NDArray[np.float64]


def single_class(target: LogPosterior) -> tuple[str, Recession] | None:
    """Every observation is of one class, and no proper prior holds the intercept."""
    design, tally = target.design, target.design.tally
    if tally.events not in (0.0, tally.nobs) or not design.has_intercept:
        return None
    if np.any(target.prior.constraints()[:, 0]):
        return None
    sign = 1.0 if tally.events > 0.0 else -1.0
    direction = np.zeros(len(design.columns))
    direction[0] = sign
    message = (
        f"No finite mode: every observation is a {'success' if sign > 0.0 else 'failure'}, and the intercept has no "
        f"proper prior, so it runs to {'+' if sign > 0.0 else '-'}infinity. "
        "Give the intercept a prior, for example prior='rstanarm'."
    )
    return message, Recession(direction, True)


def too_few_rows(target: LogPosterior) -> str | None:
    """More columns without a proper prior than rows: some combination of them must be free."""
    free = int(target.prior.flat.sum())
    if free <= target.design.n_rows:
        return None
    return (
        f"Not identified: {free} columns have no proper prior and there are {target.design.n_rows} rows, "
        "so some combination of them is free. Give them a proper prior, for example bayeslogit.Normal(2.5)."
    )


def not_identified(target: LogPosterior, gamma: Array) -> str | None:
    """Columns that are combinations of others and that no prior tells apart: one pass at ``gamma``."""
    root = _held_at_kinks(target, target.root(gamma, majorant=True))
    moments = target.design.moments
    largest = np.maximum(np.abs(moments.lower), np.abs(moments.upper))
    if target.design.has_intercept:
        largest = np.concatenate([[1.0], largest])
    # What rounding of the stored values alone would leave of a column that is a combination of others.
    noise = 32.0 * np.finfo(np.float64).eps * largest * math.sqrt(moments.count * root.shape[1])
    found = dependencies(root, noise)
    if not found:
        return None
    named = "; ".join(_in_words(one, target) for one in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return (
        f"Not identified: {named}{more}. Without a proper prior the data cannot tell these columns apart: "
        "drop one, or use a prior such as bayeslogit.Normal(2.5)."
    )


def _held_at_kinks(target: LogPosterior, root: Array) -> Array:
    """With the coordinates that a kink holds: it has no curvature, but tells columns apart as well as one."""
    kinks, p = target.kinks, root.shape[1]
    held = kinks.rate > 0.0
    held[kinks.groups.members] = True
    if not np.any(held):
        return root
    size = np.sqrt(np.square(root).sum(axis=0))
    return Root.of(np.vstack([root, np.diag(np.where(size > 0.0, size, 1.0))[held].reshape(-1, p)])).factor


def _in_words(found: Dependency, target: LogPosterior) -> str:
    names = target.design.columns
    if not found.others:
        if not target.design.has_intercept:
            return f"{names[found.column]} is zero in every row"
        constant = target.design.column_sds[found.column] == 0.0
        return f"{names[found.column]} " + (
            "is constant, a multiple of the intercept" if constant else "carries no information"
        )
    parts = [f"{weight:.3g} x {names[j]}" for j, weight in zip(found.others, found.weights, strict=True)]
    shown = " + ".join(parts[:6]) + (f" + {len(parts) - 6} more" if len(parts) > 6 else "")
    shift = " + a constant" if target.design.has_intercept and 0 not in found.others else ""
    return f"{names[found.column]} = {shown}{shift}"


def kind_and_columns(design: Design, recession: Recession) -> str:
    """How the outcome is separated, and by which columns with which signs."""
    names, d, moved = design.columns, recession.direction, _moved(design, recession)
    signs = ", ".join(f"{names[j]} ({'+' if d[j] > 0 else '-'})" for j in moved[:8])
    signs += f" and {len(moved) - 8} more" if len(moved) > 8 else ""
    kind = "completely" if recession.complete else "quasi-completely"
    return f"The outcome is {kind} separated by {signs}"


def _moved(design: Design, recession: Recession) -> list[int]:
    """The slopes that move along the direction, or else whatever does."""
    moved = [int(j) for j in np.flatnonzero(recession.direction)]
    return [j for j in moved if design.column_sds[j] > 0.0] or moved


def separated(target: LogPosterior, recession: Recession) -> str:
    """Which columns separate the outcome, and in which direction their coefficients run."""
    words = kind_and_columns(target.design, recession)
    if len(_moved(target.design, recession)) == 1:
        runs, terms = "has no proper prior, so the estimate runs to infinity in this direction", "this term"
    else:
        runs, terms = "have no proper prior, so the estimates run to infinity in these directions", "these terms"
    return (
        f"No finite mode: {words[0].lower()}{words[1:]}, which {runs}. "
        f"Give {terms} a proper prior, for example bayeslogit.Normal(2.5) or, typed, --prior normal:2.5."
    )
