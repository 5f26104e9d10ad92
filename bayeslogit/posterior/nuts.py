"""The exact rung: the same design and prior as a PyMC model, and NUTS on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._priors import Prior
from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.presets import as_prior
from bayeslogit.resolved import PriorTerm, ResolvedPrior

if TYPE_CHECKING:
    import pymc

Array = NDArray[np.float64]


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


def _variable(term: PriorTerm, name: str, *, dims: str | None = None, scalar: bool = False) -> Any:
    """One PyMC variable for a prior term."""
    import pymc as pm

    shape: dict[str, Any] = {"dims": dims} if dims is not None else {} if scalar else {"shape": len(term.columns)}
    parameters = {key: (float(value[0]) if scalar else value) for key, value in term.parameters.items()}
    make = {
        "flat": lambda: pm.Flat(name, **shape),
        "normal": lambda: pm.Normal(name, mu=parameters["mean"], sigma=parameters["scale"], **shape),
        "laplace": lambda: pm.Laplace(name, mu=parameters["mean"], b=parameters["scale"], **shape),
        "elastic_net": lambda: _elastic_net(name, parameters, shape),
        "student_t": lambda: pm.StudentT(
            name, nu=parameters["df"], mu=parameters["mean"], sigma=parameters["scale"], **shape
        ),
        "cauchy": lambda: pm.Cauchy(name, alpha=parameters["mean"], beta=parameters["scale"], **shape),
        "multivariate_normal": lambda: pm.MvNormal(name, mu=parameters["mean"], tau=parameters["precision"], **shape),
    }
    if term.family not in make:
        raise PriorError(f"PyMC has no translation for the prior family {term.family!r}.")
    return make[term.family]()


def _elastic_net(name: str, parameters: dict[str, Any], shape: dict[str, Any]) -> Any:
    """PyMC has no such density: a flat variable and a potential, without its normalising constant."""
    import pymc as pm

    variable = pm.Flat(name, **shape)
    away = variable - parameters["mean"]
    pm.Potential(f"{name}_penalty", -(parameters["l1"] * abs(away) + 0.5 * parameters["l2"] * away**2).sum())
    return variable


@dataclass(frozen=True)
class NutsMoments:
    """Posterior moments by NUTS; every array has shape (p,), in the user's columns.

    Attributes
    ----------
    mean, sd, mcse : array
        Mean, sd, and the Monte-Carlo standard error of the mean.
    r_hat, ess : array
    divergences : int
    draws : int
        In all, over chains.
    """

    columns: tuple[str, ...]
    mean: Array
    sd: Array
    mcse: Array
    r_hat: Array
    ess: Array
    divergences: int
    draws: int


def sample_nuts(
    design: Design,
    prior: ResolvedPrior,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 2,
    rng: int = 0,
    progress: bool = False,
) -> NutsMoments:
    """Draw from the posterior by PyMC's own NUTS and sum the draws up. Seconds to a minute: PyMC compiles first."""
    import arviz as az
    import pymc as pm

    model = build_model(design, prior)
    with model:
        tree = pm.sample(
            draws=draws,
            tune=tune,
            chains=chains,
            cores=1,
            nuts_sampler="pymc",
            random_seed=rng,
            progressbar=progress,
            compute_convergence_checks=False,
        )
    posterior = tree["posterior"]
    parts: list[Array] = []
    if design.has_intercept:
        parts.append(np.asarray(posterior["Intercept"])[..., None])
    if "beta" in posterior:
        parts.append(np.asarray(posterior["beta"]))
    values = np.concatenate(parts, axis=-1)
    flat = values.reshape(-1, values.shape[-1])
    sd = flat.std(axis=0, ddof=1)
    ess = _each(az.ess, values)
    return NutsMoments(
        columns=tuple(design.columns),
        mean=flat.mean(axis=0),
        sd=sd,
        mcse=sd / np.sqrt(ess),
        r_hat=_each(az.rhat, values),
        ess=ess,
        divergences=int(np.sum(tree["sample_stats"]["diverging"])),
        draws=flat.shape[0],
    )


def _each(statistic: Any, values: Array) -> Array:
    columns: Sequence[Any] = [statistic(values[..., j]) for j in range(values.shape[-1])]
    return np.array([float(np.asarray(value)) for value in columns])
