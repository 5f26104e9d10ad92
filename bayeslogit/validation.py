"""Cross-validation of a formula or a design: the user's call of `criteria_cv`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayeslogit._fit import DEFAULT_PRIOR, as_design
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.criteria_cv import CvResult
from bayeslogit.criteria_cv import cross_validate as by_folds
from bayeslogit.design import Design
from bayeslogit.presets import as_prior


@guarded
def cross_validate(
    model: str | Design,
    data: Any = None,
    prior: Prior | str | None = DEFAULT_PRIOR,
    *,
    folds: int | ArrayLike = 10,
    rng: int | np.random.Generator = 0,
    unit: str = "observation",
    kind: str = "mode",
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> CvResult:
    """Log loss, Brier score and AUC of a prior by K-fold cross-validation, with standard errors.

    The prior is resolved anew in each fold. Factor levels and other learned codings are those of all the data.

    Parameters
    ----------
    model, data, prior, trials, weights, offset, event, missing
        As in `fit`.
    folds : int or array_like of shape (n,)
        How many, stratified on the outcome; or the fold of each row as labels: rows of one label are held out together.
    rng : int or Generator
        Deals the folds.
    unit : {"observation", "row"}
        What is dealt: Bernoulli copies, so that counts behave as their expanded rows, or whole rows. Rows whose weight
        is not a whole number stay whole.
    kind : {"mode", "mean"}
        Probabilities at the mode, or averaged over its Gaussian approximation.

    Returns
    -------
    CvResult

    Raises
    ------
    ArgumentError
        If there are fewer observations than folds, or an argument cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> round(bl.cross_validate("switch ~ dist100 + arsenic", wells, folds=5, rng=1).auc, 2)
    0.65
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="cross_validate")
    return by_folds(design, as_prior(prior), folds=folds, rng=rng, unit=unit, kind=kind)
