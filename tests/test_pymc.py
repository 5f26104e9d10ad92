"""PyMC beside us: the same density at any point, and the same mode. NUTS has a file of its own."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.presets import as_prior
from bayeslogit.target import LogPosterior

# What PyMC and PyTensor themselves warn of while compiling and sampling is not ours to assert.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

JOINT = bl.MultivariateNormal(
    mean=[0.5, 0.0, -1.0], cov=[[2.0, 0.3, 0.0], [0.3, 1.0, 0.2], [0.0, 0.2, 0.5]], columns=("Intercept", "x1", "x2")
)
PRIORS = {
    "flat": None,
    "normal": bl.Normal(0.7, mean=0.3),
    "rstanarm": "rstanarm",
    "mixed": bl.priors(bl.Normal(2.0), intercept=bl.Normal(3.0), terms={"x2": bl.Flat()}),
    "laplace": bl.Laplace(0.4, mean=0.2),
    "heavy": bl.priors(bl.StudentT(3, 1.5), intercept=bl.Cauchy(2.0, mean=0.5)),
    "kinks": bl.priors(bl.ElasticNet(l1=2.0, l2=0.5), intercept=bl.Laplace(1.0), terms={"x2": bl.Laplace(0.3)}),
    "groups": bl.GroupLaplace(0.4, groups=[["x1", "x2"]]),
    "joint": JOINT,
    "jeffreys": bl.Jeffreys(),
    "jeffreys, normal": bl.priors(bl.Jeffreys(), intercept=bl.Normal(2.0), terms={"x2": bl.StudentT(4, 1.0)}),
    "dy": bl.DiaconisYlvisaker(),
    "joint slopes": bl.MultivariateNormal(mean=[0.0, 1.0], cov=np.eye(2), columns=("x2", "x1")),
}


def small(kind):
    rng = np.random.default_rng(5)
    X, eta = rng.standard_normal((30, 2)) + 3.0, rng.standard_normal(30)
    y = (rng.random(30) < 0.5).astype(float)
    if kind == "counts":
        trials = rng.integers(1, 6, 30).astype(float)
        return bl.Design.from_arrays(X, np.minimum(y * 2.0, trials), trials=trials)
    if kind == "weights":
        return bl.Design.from_arrays(X, y, weights=rng.integers(0, 4, 30), offset=eta)
    return bl.Design.from_arrays(X, y)


@pytest.mark.parametrize("kind", ["binary", "counts", "weights"])
@pytest.mark.parametrize("name", PRIORS)
def test_log_density_is_ours_up_to_one_constant(name, kind):
    design, prior = small(kind), PRIORS[name]
    model = bl.to_pymc(design, prior)
    density = model.compile_logp(mode="FAST_COMPILE", jacobian=False)
    resolved = as_prior(prior).resolve(design)
    target = LogPosterior(design, resolved)
    rng = np.random.default_rng(11)
    gaps = []
    for _ in range(6):
        beta = rng.standard_normal(3)
        ours = target.expand(target.coordinates.gamma(beta)).log_density
        gaps.append(ours - float(density(point_of(model, resolved, beta))))
    assert np.ptp(gaps) < 1e-9 * max(1.0, abs(gaps[0]))


def point_of(model, prior, beta):
    """Values of the model's free variables at given coefficients."""
    point = {}
    for variable in model.free_RVs:
        if variable.name == "Intercept":
            point[variable.name] = np.array(beta[0])
        elif variable.name == "Intercept_centered":
            row = next(term.map for term in prior.terms if term.map is not None)
            point[variable.name] = np.array(row[0] @ beta)
        elif variable.name == "beta":
            point[variable.name] = beta[1:]
        elif variable.name == "joint":
            point[variable.name] = beta[list(next(t for t in prior.terms if len(t.columns) > 1).columns)]
        else:
            # Slopes under several families: one variable a family, numbered in the order of the terms.
            slopes = [term for term in prior.terms if max(term.columns) > 0]
            point[variable.name] = beta[list(slopes[int(variable.name.rpartition("_")[2])].columns)]
    return point


def test_find_map_is_our_mode_on_wells():
    import pymc as pm

    design = bl.Design.from_formula("switch ~ dist100 + arsenic", bl.datasets.load("wells"))
    fit = bl.fit(design, prior=bl.Normal(2.5))
    found = pm.find_MAP(
        model=bl.to_pymc(design, bl.Normal(2.5)), progressbar=False, options={"gtol": 1e-9, "ftol": 1e-15}
    )
    theirs = np.concatenate([[float(found["Intercept"])], np.asarray(found["beta"])])
    assert np.max(np.abs(theirs - fit.params) / fit.bse) < 1e-4


@pytest.mark.parametrize(
    "prior",
    [
        bl.priors(bl.StudentT(4, 1.0), intercept=bl.Normal(2.0)),
        bl.Laplace(0.5),
        bl.GroupLaplace(0.5, groups=[["x1", "x2"]]),
    ],
    ids=["student_t", "laplace", "group_laplace"],
)
def test_find_map_is_our_mode_under_other_families(prior):
    """At none of these modes is a coefficient at its kink: there a quasi-Newton search would stop short."""
    import pymc as pm
    import pytensor

    rng = np.random.default_rng(3)
    X = rng.standard_normal((120, 2))
    design = bl.Design.from_arrays(X, (rng.random(120) < 1 / (1 + np.exp(-X @ [1.0, -1.5]))).astype(float))
    fit = bl.fit(design, prior=prior)
    assert np.all(fit.params != 0.0)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        found = pm.find_MAP(model=bl.to_pymc(design, prior), progressbar=False, options={"gtol": 1e-10, "ftol": 1e-15})
    theirs = np.concatenate([[float(found["Intercept"])], np.asarray(found["beta"])])
    assert np.max(np.abs(theirs - fit.params) / fit.bse) < 1e-4
