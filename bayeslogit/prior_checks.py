"""What a prior says of the outcome before the data speak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.draw_arguments import count, generator
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.quantities import replicate


@guarded
def prior_predictive(
    design: Design, prior: Prior | str | None, draws: int = 1000, *, rng: int | np.random.Generator = 0
) -> NDArray[np.int64]:
    """Outcomes that the prior expects: successes of every row under draws of the coefficients from the prior.

    `bayeslogit.plot.prior_predictive` draws the event rates and the probabilities of single rows instead.

    Parameters
    ----------
    design : Design
        Its rows, trials and offset are used, its outcomes are not.
    prior : Prior, str or None
        Proper in every column, the intercept too.
    draws : int
        Number of draws.
    rng : int or Generator

    Returns
    -------
    array of int, shape (draws, n)

    Raises
    ------
    PriorError
        If some coefficient has no proper prior.
    ArgumentError
        If ``draws`` is not a positive whole number, or ``rng`` no seed.
    """
    random = generator(rng)
    values = draw_prior(as_prior(prior).resolve(design), count("draws", draws), random)
    parts = [replicate(values, block.X, block.offset, block.trials, random) for block in design.source.blocks()]
    return np.concatenate(parts, axis=1)
