"""Is it the prior or the data? How much of each coefficient's precision the prior supplies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.steps import Factor

Array = NDArray[np.float64]
_MIXED, _PRIOR_LED = 0.1, 0.5


def prior_share(sd: Array, prior_variance: Array) -> Array:
    """Posterior variance as a share of prior variance: 0 for a flat prior, 1 when the data say nothing. Shape (p,)."""
    share: Array = np.where(np.isfinite(prior_variance), np.square(sd) / prior_variance, 0.0 * sd)
    return np.minimum(share, 1.0)


def share_in_words(share: float) -> str | None:
    """Say "data-led" below 0.1, "mixed" to 0.5, "prior-led" above."""
    if np.isnan(share):
        return None
    if share < _MIXED:
        return "data-led"
    return "mixed" if share <= _PRIOR_LED else "prior-led"


def effective_parameters(factor: Factor, prior_information: Array) -> float:
    """``p - tr[(H+L)^-1 L]``: how many coefficients the data, not the prior, decide.

    The factor and the prior's information speak of the same coordinates; across the subspace of a wide design the
    posterior is the prior, and the data decide nothing.
    """
    return float(prior_information.shape[0] - np.sum(factor.inverse * prior_information))
