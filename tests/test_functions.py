"""Functions of the coefficients on every rung: against dense grids, with errors that are honest over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import bayeslogit as bl
from bayeslogit.posterior.functions import weighted_quantile
from bayeslogit.posterior.gaussians import sample_laplace
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.lines import Places
from bayeslogit.posterior.quadrature import sample_quadrature
from bayeslogit.posterior.rung import MEAN_BOUND, QUANTILE_BOUND, SD_BOUND
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

PROBS = np.array([0.025, 0.05, 0.5, 0.95, 0.975])


def expit(eta):
    return 1.0 / (1.0 + np.exp(-eta))


def odds(b):
    return np.exp(b[:, -1])


def ratio(b):
    return expit(b.sum(axis=1)) / expit(b[:, -1] - 0.5)


def length(b):
    return np.square(b).sum(axis=1)


def wave(b):
    return np.tanh(b[:, 0]) + 0.1 * np.sin(3.0 * b[:, -1])


SMOOTH = (odds, ratio, length, wave)


def target_of(p, n, seed, prior):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = (rng.random(n) < expit(X.sum(axis=1))) * 1.0
    target = LogPosterior.of(
        bl.Design.from_arrays(X, y, intercept=False), prior.resolve(bl.Design.from_arrays(X, y, intercept=False))
    )
    return target, find_mode(target), X, y


def dense(p, X, y, log_prior, rung):
    """Points of a fine grid, turned so that no function is constant along it, and their weights."""
    gaussian = rung.estimator.gaussian
    axis = {1: np.linspace(-14, 14, 200_001), 2: np.linspace(-9, 9, 901), 3: np.linspace(-7, 7, 101)}[p]
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((p, p)))[0]
    grid = np.stack(np.meshgrid(*[axis] * p, indexing="ij"), axis=-1).reshape(-1, p)
    B = gaussian.mean + grid @ turn.T @ gaussian.root.T
    logs = log_prior(B).sum(axis=1)
    for row, outcome in zip(X, y, strict=True):
        eta = B @ row
        logs += outcome * eta - np.logaddexp(0.0, eta)
    kept = logs > logs.max() - 30.0
    weight = np.exp(logs[kept] - logs.max())
    return B[kept], weight / weight.sum()


def truth(B, weight, function):
    values = function(B)
    mean = weight @ values
    return mean, math.sqrt(weight @ np.square(values - mean)), weighted_quantile(values[:, None], np.log(weight), PROBS)


CASES = {
    "one": (1, 12, 0, bl.Normal(2.0), stats.norm(0.0, 2.0).logpdf),
    "kinks": (2, 18, 1, bl.Laplace(0.7), stats.laplace(0.0, 0.7).logpdf),
    "two": (2, 40, 3, bl.Normal(2.0), stats.norm(0.0, 2.0).logpdf),
    "three": (3, 30, 2, bl.Normal(2.0), stats.norm(0.0, 2.0).logpdf),
}


@pytest.mark.parametrize("name", CASES)
def test_quantiles_of_curved_functions_meet_the_bounds_on_the_quadrature_rung(name):
    p, n, seed, prior, log_prior = CASES[name]
    target, mode, X, y = target_of(p, n, seed, prior)
    rung = sample_quadrature(target, mode, 10, 0)
    assert rung.level == "certified"
    B, weight = dense(p, X, y, log_prior, rung)
    sampled = [sample_importance(target, mode, 10, seed) for seed in range(3)]
    standardised = []
    for function in SMOOTH:
        mean, sd, quantiles = truth(B, weight, function)

        def column(points, function=function):
            return function(points)[:, None]

        found = rung.describe(column, PROBS)
        assert abs(found.mean[0] - mean) <= 0.1 * MEAN_BOUND * sd
        assert abs(found.sd[0] / sd - 1.0) <= 0.1 * SD_BOUND
        off = np.abs(found.quantiles - quantiles)[:, 0] / sd
        assert np.all(off <= 0.25 * QUANTILE_BOUND), (function.__name__, off)
        assert np.all(found.quantile_mcse <= 0.5 * QUANTILE_BOUND * sd)
        for each in sampled:
            one = each.describe(column, PROBS)
            errors = np.concatenate([one.mean - mean, one.sd - sd, (one.quantiles - quantiles)[:, 0]])
            said = np.concatenate([one.mean_mcse, one.sd_mcse, one.quantile_mcse[:, 0]])
            standardised.append(errors / (said + 2e-4 * sd))
    z = np.array(standardised)
    z = z[np.isfinite(z)]
    assert 0.3 < math.sqrt(np.mean(z**2)) < 1.25 and np.mean(np.abs(z) > 3.0) < 0.03


def test_folds_and_steps_have_errors_that_say_so():
    target, mode, X, y = target_of(2, 18, 1, bl.Laplace(0.7))
    rung = sample_quadrature(target, mode, 10, 0)
    B, weight = dense(2, X, y, stats.laplace(0.0, 0.7).logpdf, rung)
    for function in (lambda b: np.abs(b[:, -1]), lambda b: (b[:, 0] > 1.0) * 1.0):
        mean, sd, quantiles = truth(B, weight, function)
        found = rung.describe(lambda b, function=function: function(b)[:, None], np.array([0.05, 0.95]))
        assert abs(found.mean[0] - mean) <= 3.0 * found.mean_mcse[0] + 1e-3 * sd
        off = np.abs(found.quantiles[:, 0] - quantiles[[1, 3], 0])
        assert np.all(off <= 4.0 * found.quantile_mcse[:, 0] + 2e-3 * sd)


def test_a_monotone_function_of_a_linear_one_has_its_quantiles(births_draws):
    for draws in births_draws:
        j = draws.columns.index("smoke")
        found = draws.apply(lambda b, j=j: np.exp(10.0 + 2.0 * b[:, j]), prob=0.9)
        wanted = np.exp(10.0 + 2.0 * draws.quantile([0.05, 0.5, 0.95]).loc["smoke"].to_numpy())
        for key, value in zip(("lower", "median", "upper"), wanted, strict=True):
            assert abs(found[key] - value) <= 2.0 * found[f"{key}_mcse"]
            assert found[f"{key}_mcse"] < QUANTILE_BOUND * 2.0 * draws.sd["smoke"] * value


@pytest.fixture(scope="module")
def births_draws():
    fit = bl.fit("low ~ age + lwt + race + smoke", bl.datasets.load("lbw"))
    return [fit.sample(method, rng=1) for method in ("laplace", "variational", "importance")]


def test_a_gaussian_rung_knows_more_than_its_draws():
    target, mode, *_ = target_of(2, 40, 3, bl.Normal(2.0))
    rung = sample_laplace(target, mode, 1000, 1)
    found = rung.describe(odds_of_first, PROBS)
    mean, sd = mode.beta[0], float(np.sqrt(np.linalg.inv(mode.information)[0, 0]))
    assert found.quantiles[:, 0] == pytest.approx(np.exp(mean + stats.norm.ppf(PROBS) * sd), rel=0.02)
    assert found.mean[0] == pytest.approx(math.exp(mean + 0.5 * sd**2), abs=3.0 * found.mean_mcse[0])
    plain = np.exp(rung.values[:, 0])
    assert found.mean_mcse[0] < 0.5 * plain.std() / math.sqrt(1000)
    value, error = rung.below([0, 1], np.array([0.0, 0.3]))
    assert value[0] == pytest.approx(stats.norm(mean, sd).cdf(0.0), rel=1e-9) and np.all(error == 0.0)


def odds_of_first(points):
    return np.exp(points[:, :1])


def test_distribution_functions_of_pairs_are_honest_and_better_than_counts():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 5))
    y = (rng.random(60) < expit(X[:, 0])) * 1.0
    design = bl.Design.from_arrays(X, y)
    target = LogPosterior.of(design, bl.Normal(1.5).resolve(design))
    mode = find_mode(target)
    long = sample_importance(target, mode, 10, 999)
    at = long.quantile([0.01, 0.2, 0.5, 0.95, 0.999])
    z, sharper = [], []
    for seed in range(10):
        rung = sample_importance(target, mode, 10, seed)
        for prob, row in zip((0.01, 0.2, 0.5, 0.95, 0.999), at, strict=True):
            value, error = rung.below(range(6), row)
            _, counted = rung.expect(lambda b, row=row: (b < row) * 1.0)
            # The place itself comes from one sample, whose error is as large.
            z += list((value - prob) / (math.sqrt(2.0) * error))
            sharper += list(error / counted)
    assert 0.5 < math.sqrt(np.mean(np.square(z))) < 1.2
    assert np.median(sharper) < 0.3


def test_the_weight_of_places_is_spread_over_their_values():
    places = Places(np.array([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]), np.array([1.0, 2.0, 1.0]))
    # A quarter evenly over 0 to 1, a half over 1 to 2, and a quarter at 1.
    assert places.quantiles(np.array([0.125, 0.4, 0.75])) == pytest.approx([0.5, 1.0, 1.5], abs=1e-9)
    assert places.mean == pytest.approx((0.5 + 2 * 1.5 + 1.0) / 4.0)


def test_a_function_need_only_be_finite_where_the_posterior_is():
    x = np.linspace(0.5, 4.0, 300)
    rng = np.random.default_rng(0)
    design = bl.Design.from_arrays(x[:, None], (rng.random(300) < expit(3.0 * x - 6.0)) * 1.0)
    for method in ("auto", "importance"):
        draws = bl.fit(design, prior=bl.priors(default=bl.Normal(2.0), intercept=bl.Normal(5.0))).sample(method, rng=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # the points reach to where the slope is negative
            found = draws.apply(lambda b: np.log(b[:, 1]))
        assert found["median"] == pytest.approx(math.log(draws.quantile(0.5)["x1"]), abs=0.01 * found["sd"])
        low = draws.quantile(0.3)["x1"]
        with np.errstate(invalid="ignore"), pytest.raises(bl.ArgumentError, match=r"not finite at .* points of the"):
            draws.apply(lambda b, low=low: np.log(b[:, 1] - low))
