"""Priors with unknown scales as PyMC variables, non-centred, in the plainest form: a table by family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayeslogit.posterior.scale_given import spread
from bayeslogit.resolved import PriorTerm


def half_t(name: str, df: float, scale: float, **shape: Any) -> Any:
    """Half Student-t; half-normal where ``df`` is infinite, half-Cauchy where it is 1."""
    import pymc as pm

    if np.isinf(df):
        return pm.HalfNormal(name, sigma=scale, **shape)
    return pm.HalfCauchy(name, beta=scale, **shape) if df == 1.0 else pm.HalfStudentT(name, nu=df, sigma=scale, **shape)


def _hierarchical(term: PriorTerm, name: str) -> Any:
    import pymc as pm

    p = term.parameters
    tau = half_t(f"{name}_tau", float(p["df"][0]), float(p["scale"][0]))
    z = pm.Normal(f"{name}_z", shape=len(term.columns))
    return p["unit"] * tau * (spread(term) @ z)


def _horseshoe(term: PriorTerm, name: str) -> Any:
    import pymc as pm

    p = {key: float(value[0]) for key, value in term.parameters.items() if key != "unit"}
    d, a = len(term.columns), 0.5 * p["slab_df"]
    tau = half_t(f"{name}_tau", p["global_df"], p["global_scale"])
    local = half_t(f"{name}_lambda", p["local_df"], 1.0, shape=d)
    slab = pm.InverseGamma(f"{name}_slab_square", alpha=a, beta=a * p["slab_scale"] ** 2)
    square = (tau * local) ** 2
    z = pm.Normal(f"{name}_z", shape=d)
    return term.parameters["unit"] * (slab * square / (slab + square)) ** 0.5 * z


# A family of `OPEN` that is missing here fails a test.
OPEN_VARIABLES: Mapping[str, Callable[[PriorTerm, str], Any]] = {"hierarchical": _hierarchical, "horseshoe": _horseshoe}


def open_variable(term: PriorTerm, name: str, *, dims: str | None = None) -> Any:
    """The coefficients of a term with unknown scales, a deterministic; its scales are ``name_tau`` and so on."""
    import pymc as pm

    return pm.Deterministic(name, OPEN_VARIABLES[term.family](term, name), dims=dims)
