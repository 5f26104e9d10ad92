"""The same design and prior as a PyMC model: one table says which density of PyMC's each family of ours is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.posterior.nuts_scales import open_variable
from bayeslogit.presets import as_prior
from bayeslogit.resolved import PriorTerm, ResolvedPrior

if TYPE_CHECKING:
    import pymc

Array = NDArray[np.float64]

# Family -> PyMC's distribution, and its name for each of our parameters.
DISTRIBUTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "flat": ("Flat", {}),
    "normal": ("Normal", {"mean": "mu", "scale": "sigma"}),
    "laplace": ("Laplace", {"mean": "mu", "scale": "b"}),
    "student_t": ("StudentT", {"df": "nu", "mean": "mu", "scale": "sigma"}),
    "cauchy": ("Cauchy", {"mean": "alpha", "scale": "beta"}),
    "multivariate_normal": ("MvNormal", {"mean": "mu", "precision": "tau"}),
}


def _elastic_net(u: Any, mean: Any, l1: Any, l2: Any) -> Any:
    return -(l1 * abs(u - mean) + 0.5 * l2 * (u - mean) ** 2).sum()


def _group_laplace(u: Any, scale: Any) -> Any:
    # 1e-300 keeps the gradient at zero, where PyMC starts, from being 0 / 0; it changes no length above 1e-142.
    return -(((u**2).sum() + 1e-300) ** 0.5) / scale[0]


# Families that PyMC does not have: the log density as a graph, without its normalising constant.
PENALTIES: Mapping[str, Callable[..., Any]] = {"elastic_net": _elastic_net, "group_laplace": _group_laplace}


def half_log_information(rows: Any, count: Any, eta: Any) -> Any:
    """Jeffreys' term ``0.5 log |X'WX|`` as a graph."""
    import pymc as pm
    import pytensor.tensor as pt

    weight = count * pm.math.sigmoid(eta) * pm.math.sigmoid(-eta)
    root: Any = pt.linalg.cholesky(rows.T @ (rows * weight[:, None]))
    return pt.log(root.diagonal()).sum()


@guarded
def to_pymc(design: Design, prior: Prior | str | None) -> pymc.Model:
    """The posterior of ``design`` under ``prior`` as a PyMC model.

    Parameters
    ----------
    design : Design
    prior : Prior, str or None
        As in `fit`; a data-dependent preset is resolved on the design first.

    Returns
    -------
    pymc.Model
        With "Intercept" (if the design has one) and the vector "beta" over the dimension "coef", in the user's columns,
        as variables or deterministics; data "X", "y", "trials", "weights" and "offset". Its log density differs from
        ours by a constant only. With weights other than 1 the likelihood is a potential named "weighted_likelihood".
    """
    return build_model(design, as_prior(prior).resolve(design))


def build_model(design: Design, prior: ResolvedPrior) -> pymc.Model:
    """`to_pymc` for a prior that is already resolved."""
    import pymc as pm

    blocks = list(design.source.blocks())
    X = np.vstack([block.X.toarray() for block in blocks])
    y, trials, weights, offset = (
        np.concatenate([getattr(block, name) for block in blocks]) for name in ("y", "trials", "weights", "offset")
    )
    first = int(design.has_intercept)
    slopes = design.columns[first:]
    with pm.Model(coords={"coef": list(slopes), "obs": np.arange(X.shape[0])}) as model:
        data = {
            name: pm.Data(name, values, dims="obs")
            for name, values in (("trials", trials), ("weights", weights), ("offset", offset))
        }
        eta: Any = data["offset"]
        if slopes:
            # X is a name that a user's own column cannot collide with: coefficients are coordinates, not variables.
            eta = eta + pm.Data("X", X[:, first:], dims=("obs", "coef")) @ _slopes(prior, first)
        if first:
            eta = eta + _intercept(prior, model)
        if prior.whole:
            pm.Potential(prior.whole, _whole(prior, X, weights * trials, eta))
        if np.any(weights != 1.0):
            observed = pm.Data("y", y, dims="obs")
            density = observed * eta - data["trials"] * pm.math.log1pexp(eta)
            pm.Potential("weighted_likelihood", (data["weights"] * density).sum())
        elif np.all(trials == 1.0):
            pm.Bernoulli("y", logit_p=eta, observed=y.astype(np.int64), dims="obs")
        else:
            pm.Binomial("y", n=trials.astype(np.int64), logit_p=eta, observed=y.astype(np.int64), dims="obs")
    return model


def _slopes(prior: ResolvedPrior, first: int) -> Any:
    """The vector "beta": one variable when one term covers all slopes in order, else gathered from several."""
    import pymc as pm
    import pytensor.tensor as pt

    p = len(prior.columns)
    terms = [(term, [k for k, j in enumerate(term.columns) if j >= first]) for term in prior.terms]
    terms = [(term, index) for term, index in terms if index]
    if len(terms) == 1 and list(terms[0][0].columns) == list(range(first, p)):
        return _variable(terms[0][0], "beta", dims="coef")
    pieces: dict[int, Any] = {}
    for number, (term, index) in enumerate(terms):
        if len(index) != len(term.columns):
            # A joint prior that holds the intercept too; the intercept is read from the same variable.
            whole = _variable(term, "joint")
        else:
            whole = _variable(term, f"beta_{term.family}_{number}")
        pieces |= {term.columns[k]: whole[k] for k in index}
    return pm.Deterministic("beta", pt.stack([pieces[j] for j in range(first, p)]), dims="coef")


def _intercept(prior: ResolvedPrior, model: pymc.Model) -> Any:
    import pymc as pm

    (term,) = [term for term in prior.terms if 0 in term.columns]
    if len(term.columns) > 1:
        joint = model["joint"] if "joint" in model.named_vars else _variable(term, "joint")
        return pm.Deterministic("Intercept", joint[term.columns.index(0)])
    if term.map is None:
        return _variable(term, "Intercept", scalar=True)
    centered = _variable(term, "Intercept_centered", scalar=True)
    return pm.Deterministic("Intercept", centered - (term.map[0, 1:] * model["beta"]).sum())


def _whole(prior: ResolvedPrior, X: Array, count: Array, eta: Any) -> Any:
    """A term of the whole model, without its normalising constant."""
    import pymc as pm

    if prior.whole == "jeffreys":
        return half_log_information(X, count, eta)
    if prior.whole != "diaconis_ylvisaker":
        raise PriorError(f"PyMC has no translation for the prior of the whole model {prior.whole!r}.")
    share = 0.5 * len(prior.columns) / count.sum()
    return (share * count * (eta - 2.0 * pm.math.log1pexp(eta))).sum()


def _variable(term: PriorTerm, name: str, *, dims: str | None = None, scalar: bool = False) -> Any:
    """One PyMC variable for a prior term; a flat one and a potential for a family that PyMC does not have."""
    import pymc as pm

    if term.open:
        return open_variable(term, name, dims=dims)
    shape: dict[str, Any] = {"dims": dims} if dims is not None else {} if scalar else {"shape": len(term.columns)}
    parameters = {key: (float(value[0]) if scalar else value) for key, value in term.parameters.items()}
    kind, named = distribution(term.family, parameters)
    variable = kind(name, **named, **shape)
    if term.family in PENALTIES:
        pm.Potential(f"{name}_penalty", PENALTIES[term.family](variable, **parameters))
    return variable


def distribution(family: str, parameters: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """PyMC's distribution of a family and its arguments; flat for a family that PyMC does not have.

    Raises
    ------
    PriorError
        If a family stands in neither table.
    """
    import pymc as pm

    if family in PENALTIES:
        return pm.Flat, {}
    if family not in DISTRIBUTIONS:
        raise PriorError(f"PyMC has no translation for the prior family {family!r}.")
    name, arguments = DISTRIBUTIONS[family]
    return getattr(pm, name), {arguments[key]: value for key, value in parameters.items()}


def log_density(family: str, u: Any, parameters: Mapping[str, Any]) -> Any:
    """The log density of a family at the functions ``u`` as a graph; PENALTIES leave out their constants."""
    import pymc as pm

    if family in PENALTIES:
        return PENALTIES[family](u, **parameters)
    kind, named = distribution(family, parameters)
    return pm.logp(kind.dist(**named), u).sum()
