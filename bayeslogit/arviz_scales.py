"""Unknown scales of a prior as ArviZ reads them: variables of the posterior, and their part of the log prior."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bayeslogit.posterior.scale_blocks import BLOCKS
from bayeslogit.posterior.scale_given import given, open_terms
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.unknown_draws import UnknownDraws

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """What unknown scales add to a DataTree, draw by draw.

    Attributes
    ----------
    posterior : dict of str to array, shape (S,) or (S, d)
        "tau", "slab" and the vector "lambda"; with the name of their term where several have some.
    by_column : array, shape (S, p)
        Log prior of each coefficient given the scales, where these are normal and independent.
    joint : dict of str to array, shape (S,)
        Of coefficients that are not, and of the scales: the density of tau, lambda and the square of slab.
    coords, dims : dict
    """

    posterior: dict[str, Array]
    by_column: Array
    joint: dict[str, Array]
    coords: dict[str, list[str]] = field(default_factory=dict)
    dims: dict[str, list[str]] = field(default_factory=dict)


def scales_of(draws: UnknownDraws, flat: Array, values: Array) -> Scales:
    """What the scales of these draws add.

    Parameters
    ----------
    flat : array, shape (S, p)
        Draws of the coefficients.
    values : array, shape (S, m)
        Of the scales, beside them.
    """
    terms, own = open_terms(draws.prior), draws.hyper.scales
    found = Scales({}, np.zeros(flat.shape), {})
    keys = _keys(draws, len(terms))
    for number, term in enumerate(terms):
        index = [k for k, belongs in enumerate(own.term) if belongs == number]
        names = [own.names[k] for k in index]
        h = np.log(values[:, index]) * np.where([name == "slab" for name in names], 2.0, 1.0)
        block = BLOCKS[term.family](term)
        _conditional(found, term, np.exp(block.log_sds(h)), flat, f"{term.family}_{number}")
        found.joint[f"scales{keys[number]}"] = block.log_prior(h) - h.sum(axis=1)
        for name in dict.fromkeys(names):
            columns = [k for k, each in zip(index, names, strict=True) if each == name]
            key = f"{name}{keys[number]}"
            single = name != "lambda"
            found.posterior[key] = values[:, columns[0]] if single else values[:, columns]
            if not single:
                found.dims[key] = [f"coef_{key}"]
                found.coords[f"coef_{key}"] = [draws.prior.columns[own.column[k]] for k in columns]
    return found


def _keys(draws: UnknownDraws, count: int) -> list[str]:
    """What follows the name of a scale: nothing, or its term."""
    if count == 1:
        return [""]
    found = [""] * count
    for name, term in zip(draws.hyper.names, draws.hyper.scales.term, strict=True):
        if name.startswith("tau["):
            found[term] = name.removeprefix("tau")
    return found


def _conditional(found: Scales, term: PriorTerm, sds: Array, flat: Array, key: str) -> None:
    """Density of the coefficients of a term given the sds of each draw."""
    own = flat[:, list(term.columns)]
    one = given(ResolvedPrior((), (term,), ""), [np.ones(len(term.columns))]).terms[0]
    if one.family == "normal":
        found.by_column[:, list(term.columns)] = -0.5 * np.square(own / sds) - np.log(sds) - 0.5 * np.log(2.0 * np.pi)
        return
    # All sds of such a term are alike: its density is that at sd 1, stretched.
    found.joint[key] = one.density.log_density(own / sds, **one.parameters) - np.log(sds).sum(axis=1)
