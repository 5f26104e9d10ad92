"""A Gaussian prior as rows of data, for programs that fit logistic regressions and know no priors.

A row with the column x = 1/k, N trials and N/2 successes adds ``N [-log 2 - u^2/8 + u^4/192 - ...]`` to the log
likelihood, u = (b - mean)/k. With ``N = 4 k^2 / s^2`` that is the log density of Normal(s) up to a constant and
``(b - mean)^4 / (48 s^2 k^2)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit.boundary import guarded
from bayeslogit.coordinates import Coordinates
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.presets import as_prior
from bayeslogit.prior_target import PriorTarget

Array = NDArray[np.float64]


@guarded
def pseudo_rows(design: Design, prior: Any, *, sharpness: float = 1e4) -> Any:
    """Rows that, appended to the data, make a maximum-likelihood fit the mode under a normal prior.

    Parameters
    ----------
    design : Design
        Its columns; the prior is resolved against it.
    prior : Prior or str
        Of normal densities, independent or not; flat columns need no row.
    sharpness : float
        k in prior sds. At t sds from the prior's mean a row's log density is off by ``t^4 / (48 sharpness^2)`` nats.
        The rows weigh ``4 sharpness^2`` trials each: programs that stop by their mean loss, such as scikit-learn's
        lbfgs, want 300 or less, or a Newton method and a tight tolerance.

    Returns
    -------
    data frame, in the caller's library
        A column for each of the design's (the intercept too), then ``trials``, ``successes`` (half of them; neither
        need be whole numbers), and ``offset``. The rows have their own intercept column: fit with these columns as they
        are and no intercept added.

    Raises
    ------
    PriorError
        If the prior is not Gaussian.
    ArgumentError
        If ``sharpness`` is not a number above 1.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> design = bl.Design.from_formula("switch ~ dist100", bl.datasets.load("wells"))
    >>> bl.pseudo_rows(design, bl.Normal(0.5), sharpness=100)[["Intercept", "dist100", "trials"]].to_dict("records")
    [{'Intercept': 0.0, 'dist100': 0.02, 'trials': 40000.0}]
    """
    if isinstance(sharpness, bool) or not 1.0 < _number(sharpness) < 1e7:
        raise ArgumentError(f"pseudo_rows(sharpness={sharpness!r}): a number of prior sds between 1 and 1e7 is needed.")
    resolved = as_prior(prior).resolve(design)
    if resolved.whole or not resolved.gaussian.all():
        raise PriorError(
            f"pseudo_rows(prior={resolved.name}): only normal priors (and flat ones) are rows of data; "
            f"{', '.join(sorted({term.family for term in resolved.terms}))} given."
        )
    p = len(resolved.columns)
    precision = PriorTarget(resolved, Coordinates(None)).quadratic_information()
    used = np.flatnonzero(precision.diagonal() > 0.0)
    root = np.linalg.cholesky(precision[np.ix_(used, used)]).T
    # Rows of standard normal functions; k in units of their sd, which is 1.
    rows = np.zeros((used.size, p))
    rows[:, used] = root / sharpness
    mean = resolved.means()
    trials = np.full(used.size, 4.0 * sharpness**2)
    table = {name: rows[:, j] for j, name in enumerate(resolved.columns)}
    return frames.frame(
        {**table, "trials": trials, "successes": trials / 2.0, "offset": -(rows @ mean)}, design.provenance.library
    )


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
