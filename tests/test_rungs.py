"""Importance sampling and quadrature: against dense grids and plain sampling; honest errors; failures that are seen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayeslogit as bl
from bayeslogit.errors import FitError
from bayeslogit.posterior.certificate import Weights, check, verdict, worst
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.importance import climb, sample_importance
from bayeslogit.posterior.pair_estimator import PairEstimator
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.quadrature import sample_quadrature
from bayeslogit.posterior.rung import CHECKED_QUANTILES, Moments
from bayeslogit.posterior.unseen import other_modes, tails
from bayeslogit.posterior.variational import Gaussian, fit_gaussian
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

PROBS = np.array(CHECKED_QUANTILES)


def target_of(X, y, prior, **given):
    design = bl.Design.from_arrays(X, y, **given)
    target = LogPosterior.of(design, prior.resolve(design))
    return target, find_mode(target)


def long_run(target, mode, pairs=100_000, seed=987654321):
    """Many pairs, without smoothing; its own draws."""
    ground = Ground.of(target)
    proposal = Proposal.around(ground, fit_gaussian(ground, mode, tol=1e-3).gaussian)
    rng = np.random.default_rng(seed)
    drawn = Pairs.joined([Pairs.drawn(ground, proposal, 20_000, rng) for _ in range(pairs // 20_000)])
    return PairEstimator(ground, proposal, drawn, drawn.log_weights, 0)


def numbers(estimator):
    """Values and errors in the order of `Checks`."""
    moments, (values, errors) = estimator.moments(), estimator.quantiles(PROBS)
    value = np.vstack([moments.mean, moments.sd, values])
    return value, np.vstack([moments.mean_mcse, moments.sd_mcse, errors])


# --- against a dense grid, from nothing but NumPy and scipy.stats --------------------------------------------------


def grid(X, y, log_prior, weights=1.0, trials=1.0, offset=0.0):
    """Log evidence, and mean, sd and quantiles of two coefficients, by brute force on a grid that closes in."""
    w, m, o = (np.broadcast_to(np.asarray(each, dtype=float), y.size) for each in (weights, trials, offset))
    axes = [np.linspace(-60.0, 60.0, 601)] * 2
    for points in (401, 401, 401, 1201):
        logs = log_prior(axes[0])[:, None] + log_prior(axes[1])
        for i in range(y.size):
            eta = o[i] + np.add.outer(X[i, 0] * axes[0], X[i, 1] * axes[1])
            logs = logs + w[i] * (y[i] * eta - m[i] * np.logaddexp(0.0, eta))
        top = float(logs.max())
        mass = np.exp(logs - top)
        margins = [mass.sum(axis=1) / mass.sum(), mass.sum(axis=0) / mass.sum()]
        seen = [np.flatnonzero(margin > 1e-13) for margin in margins]
        last = axes
        ends = [(a[max(s[0] - 2, 0)], a[min(s[-1] + 2, a.size - 1)]) for a, s in zip(axes, seen, strict=True)]
        axes = [np.linspace(*end, points) for end in ends]
    log_evidence = top + math.log(mass.sum() * (last[0][1] - last[0][0]) * (last[1][1] - last[1][0]))
    rows = []
    for a, margin in zip(last, margins, strict=True):
        mean = margin @ a
        below = np.cumsum(margin) - 0.5 * margin
        rows.append([mean, math.sqrt(margin @ (a - mean) ** 2), *np.interp(PROBS, below, a)])
    return log_evidence, np.array(rows).T


def elastic(b):
    mass = np.exp(-1.2 * np.abs(GRID_LINE) - 0.4 * GRID_LINE**2).sum() * (GRID_LINE[1] - GRID_LINE[0])
    return -1.2 * np.abs(b) - 0.4 * b**2 - math.log(mass)


GRID_LINE = np.linspace(-30.0, 30.0, 600_001)
FAMILIES = {
    "normal": (bl.Normal(1.5, mean=0.3), stats.norm(0.3, 1.5).logpdf),
    "laplace": (bl.Laplace(0.5), stats.laplace(0.0, 0.5).logpdf),
    "elastic net": (bl.ElasticNet(l1=1.2, l2=0.8), elastic),
    "student t": (bl.StudentT(5.0, 0.7), stats.t(5.0, 0.0, 0.7).logpdf),
    "cauchy": (bl.Cauchy(0.5), stats.cauchy(0.0, 0.5).logpdf),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_two_coefficients_with_weights_trials_and_offset_against_a_dense_grid(name, rng):
    prior, log_prior = FAMILIES[name]
    n = 18
    X = rng.standard_normal((n, 2))
    X[:, 1] += 0.7 * X[:, 0]
    trials, weights = rng.integers(1, 5, n) * 1.0, rng.integers(1, 3, n) * 1.0
    offset = rng.normal(0, 0.4, n)
    y = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-X @ [0.8, -0.5]))) * 1.0
    log_evidence, wanted = grid(X, y, log_prior, weights, trials, offset)
    given = {"weights": weights, "trials": trials, "offset": offset, "intercept": False}
    target, mode = target_of(X, y, prior, **given)
    for rung in (sample_importance(target, mode, 2000, 5), sample_quadrature(target, mode, 2000, 5)):
        assert rung.level == "certified", rung.reasons
        error, allowed = np.abs(rung.checks.value - wanted), rung.checks.bound
        assert np.all(error <= 0.3 * allowed + 3.5 * rung.checks.mcse)
        assert abs(rung.log_evidence - log_evidence) <= 5e-4 + 3.5 * rung.log_evidence_se
        assert np.all(rung.checks.mcse <= allowed)
        draws = rung.values
        assert np.all(np.abs(draws.mean(axis=0) - wanted[0]) < 4.5 * wanted[1] / math.sqrt(2000))
        assert np.all(np.abs(draws.std(axis=0) / wanted[1] - 1.0) < 0.1)
        weight = np.exp(rung.log_weights)
        assert abs(weight.sum() - 1.0) < 1e-12
        assert np.all(np.abs(weight @ rung.points - wanted[0]) < 0.1 * wanted[1])


def test_a_joint_normal_prior_against_a_dense_grid(rng):
    X = rng.standard_normal((15, 2))
    y = (rng.random(15) < 0.6) * 1.0
    cov = np.array([[1.5, 0.9], [0.9, 2.0]])
    turned = np.linalg.cholesky(cov)  # b = mean + turned v with v standard normal: the grid is one of v
    target, mode = target_of(
        X,
        y,
        bl.MultivariateNormal(mean=np.array([0.4, -0.2]), cov=cov, columns=("x0", "x1")),
        intercept=False,
        names=["x0", "x1"],
    )
    log_evidence, wanted = grid(X @ turned, y, stats.norm.logpdf, offset=X @ [0.4, -0.2])
    for rung in (sample_importance(target, mode, 100, 2), sample_quadrature(target, mode, 100, 2)):
        assert rung.level == "certified"
        assert abs(rung.log_evidence - log_evidence) <= 5e-4 + 3.5 * rung.log_evidence_se
        back = np.linalg.inv(turned)
        moments = rung.linear(back)
        np.testing.assert_allclose(moments.mean - back @ [0.4, -0.2], wanted[0], atol=0.006)
        np.testing.assert_allclose(moments.sd, wanted[1], rtol=0.006)
        values, errors = rung.linear_quantile(back, PROBS)
        assert np.all(np.abs(values - (back @ [0.4, -0.2]) - wanted[2:]) <= 0.003 + 3.5 * errors)


def test_jeffreys_prior_against_a_dense_grid(rng):
    X = rng.standard_normal((25, 2))
    y = (rng.random(25) < 1 / (1 + np.exp(-X[:, 0]))) * 1.0
    axes = [np.linspace(-3.0, 6.0, 301), np.linspace(-4.5, 4.5, 301)]
    B = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    eta = B @ X.T
    mu = 1 / (1 + np.exp(-eta))
    information = np.einsum("bi,ij,ik->bjk", mu * (1 - mu), X, X)
    logs = eta @ y - np.logaddexp(0, eta).sum(axis=1) + 0.5 * np.log(np.linalg.det(information))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    mean = weight @ B
    sd = np.sqrt(weight @ (B - mean) ** 2)
    target, mode = target_of(X, y, bl.Jeffreys(), intercept=False)
    for rung in (sample_importance(target, mode, 100, 1), sample_quadrature(target, mode, 100, 1)):
        assert np.all(np.abs(rung.mean - mean) < 0.02 * sd + 3 * rung.mean_mcse)
        assert np.all(np.abs(rung.sd / sd - 1.0) < 0.02)
        assert math.isnan(rung.log_evidence) and rung.level == "certified"


# --- against plain importance sampling, and errors against repetition ----------------------------------------------


def test_pairs_against_plain_importance_sampling(simulated):
    X, y = simulated(60, [1.0, -0.8, 0.5, 0.0, 0.3], intercept=0.5)
    target, mode = target_of(X, y, bl.priors(default=bl.Normal(1.5), intercept=bl.Normal(3.0)))
    rung = sample_importance(target, mode, 100, 11)
    assert rung.level == "certified"
    rng, covariance = np.random.default_rng(3), np.linalg.inv(mode.expansion.information)
    proposal = stats.multivariate_t(mode.beta, 1.3 * covariance, df=6, seed=rng)
    betas = proposal.rvs(150_000)
    eta = np.column_stack([np.ones(60), X]) @ betas.T
    logs = y @ eta - np.logaddexp(0, eta).sum(axis=0) + stats.norm(0, 3.0).logpdf(betas[:, 0])
    logs += stats.norm(0, 1.5).logpdf(betas[:, 1:]).sum(axis=1) - proposal.logpdf(betas)
    weight = np.exp(logs - logs.max())
    evidence, error = math.log(weight.mean()) + logs.max(), weight.std() / weight.mean() / math.sqrt(150_000)
    assert abs(rung.log_evidence - evidence) < 4.0 * math.hypot(error, rung.log_evidence_se)
    weight /= weight.sum()
    mean = weight @ betas
    error = np.sqrt(np.square(weight) @ np.square(betas - mean))
    assert np.all(np.abs(rung.mean - mean) < 4.0 * np.hypot(error, rung.mean_mcse))
    sd = np.sqrt(weight @ np.square(betas - mean))
    error = np.sqrt(np.square(weight) @ np.square(np.square(betas - mean) - sd**2)) / (2 * sd)
    assert np.all(np.abs(rung.sd - sd) < 4.0 * np.hypot(error, rung.sd_mcse))
    value, error = rung.expect(lambda points: np.exp(0.3 * points[:, 1:3]))
    wanted = weight @ np.exp(0.3 * betas[:, 1:3])
    assert np.all(np.abs(value - wanted) < 4.0 * error + 2e-3) and np.all(error < 0.01)


CALIBRATION = {
    "few rows": (60, 8, bl.Normal(2.5), 10),
    "nearly normal": (600, 4, bl.Normal(2.5), 12),  # errors of 1e-4 sd: every second-order term shows
    "kinks": (200, 6, bl.Laplace(0.3), 12),
    "heavy tails": (100, 5, bl.Cauchy(1.0), 12),
}


@pytest.mark.parametrize("name", CALIBRATION)
def test_errors_are_honest_over_repeated_seeds(name, simulated):
    n, p, prior, repeats = CALIBRATION[name]
    X, y = simulated(n, np.linspace(-1.0, 1.0, p), seed=4)
    target, mode = target_of(X, y, prior)
    wanted, known = numbers(long_run(target, mode))
    standardised = []
    for seed in range(repeats):
        rung = sample_importance(target, mode, 10, seed)
        assert rung.level == "certified"
        error = rung.checks.value - wanted
        combined = np.hypot(rung.checks.mcse, known)
        # The promise of a certificate, number by number.
        assert np.all(np.abs(error) <= rung.checks.bound + 3.0 * combined)
        standardised.append(error / combined)
    z = np.array(standardised)
    assert 0.6 < math.sqrt(np.mean(z**2)) < 1.1
    assert np.mean(np.abs(z) > 3.0) < 0.015


def test_smaller_samples_have_larger_errors_that_are_honest_too(simulated):
    X, y = simulated(80, [1.0, -1.0, 0.5, 0.2], seed=2)
    target, mode = target_of(X, y, bl.Normal(2.5))
    wanted, known = numbers(long_run(target, mode))
    z = []
    for seed in range(25):
        rung = sample_importance(target, mode, 10, seed, max_pairs=500)
        assert rung.n_pairs == 500
        z.append((rung.checks.value - wanted) / np.hypot(rung.checks.mcse, known))
    assert 0.6 < math.sqrt(np.mean(np.square(z))) < 1.2


# --- shapes, seeds, wide designs -----------------------------------------------------------------------------------


def test_same_seed_same_bits_and_other_seed_other_bits(simulated):
    X, y = simulated(120, [1.0, -0.5], intercept=0.3)
    target, mode = target_of(X, y, bl.Normal(2.0))
    for sample in (sample_importance, climb):
        one, two = sample(target, mode, 500, 7), sample(target, mode, 500, np.random.default_rng(7))
        assert np.array_equal(one.values, two.values) and one.values.shape == (500, 3)
        assert np.array_equal(one.mean, two.mean) and np.array_equal(one.quantile(0.1), two.quantile(0.1))
        assert np.array_equal(one.points, one.points) and one.log_evidence == two.log_evidence
    assert not np.array_equal(sample_importance(target, mode, 500, 8).values, two.values)


def test_the_number_of_draws_changes_nothing_else(simulated):
    X, y = simulated(120, [1.0, -0.5, 0.2])
    target, mode = target_of(X, y, bl.Normal(2.0))
    few, many = sample_importance(target, mode, 10, 7), sample_importance(target, mode, 1000, 7)
    assert np.array_equal(few.mean, many.mean) and np.array_equal(few.points, many.points)


def test_linear_functions_and_expectations_agree_with_the_columns(simulated):
    X, y = simulated(150, [1.0, -0.5, 0.2], intercept=0.3)
    target, mode = target_of(X + 4.0, y, bl.Normal(2.0))
    rung = sample_importance(target, mode, 10, 1)
    whole = rung.linear(np.eye(4))
    np.testing.assert_allclose(whole.mean, rung.mean, rtol=1e-10)
    np.testing.assert_allclose(whole.sd, rung.sd, rtol=1e-10)
    np.testing.assert_allclose(rung.linear_quantile(np.eye(4), PROBS)[0], rung.quantile(PROBS), rtol=1e-9)
    row = np.array([[1.0, 4.0, 4.5, 3.0]])
    value, error = rung.expect(lambda points: points @ row[0])
    found = rung.linear(row)
    assert value.shape == () and abs(float(value) - found.mean[0]) < 4.0 * float(error) + 1e-9
    assert found.mean[0] == pytest.approx(float(row[0] @ rung.mean), abs=4.0 * (found.mean_mcse[0] + float(error)))
    # The indicator of a quantile has that probability.
    at = rung.quantile(0.2)[0]
    share, error = rung.expect(lambda points: (points <= at) * 1.0)
    assert np.all(np.abs(share - 0.2) < 4.0 * error)


def test_a_wide_design_and_its_reduction_have_the_same_posterior(simulated):
    X, y = simulated(14, np.full(25, 0.4))
    target, mode = target_of(X, y, bl.priors(default=bl.Normal(0.4, mean=0.1), intercept=bl.Normal(2.0)))
    rung = sample_importance(target, mode, 3000, 1)
    assert rung.level == "certified" and rung.estimator.ground.size < 26
    whole = Ground(target, target, None, np.zeros(0))
    gaussian = fit_gaussian(whole, mode, tol=1e-3).gaussian
    proposal = Proposal.around(whole, gaussian)
    pairs = Pairs.drawn(whole, proposal, 60_000, np.random.default_rng(5))
    wanted, known = numbers(PairEstimator(whole, proposal, pairs, pairs.log_weights, 0))
    error = np.abs(rung.checks.value - wanted)
    assert np.all(error <= rung.checks.bound + 3.0 * np.hypot(rung.checks.mcse, known))
    assert np.mean(error / np.hypot(rung.checks.mcse, known) > 3.0) < 0.03
    assert np.all(np.abs(rung.values.mean(axis=0) - wanted[0]) < 4.5 * wanted[1] / math.sqrt(3000))
    np.testing.assert_allclose(rung.values.std(axis=0), wanted[1], rtol=0.08)
    weight = np.exp(rung.log_weights)
    np.testing.assert_allclose(weight @ rung.points, wanted[0], atol=0.15 * wanted[1].max())


def test_sparse_rows_and_dense_ones_are_the_same(simulated):
    from scipy.sparse import csr_array

    X, y = simulated(400, [1.0, -0.5, 0.2])
    X = np.where(np.abs(X) > 1.2, X, 0.0)
    dense, sparse = (target_of(given, y, bl.Normal(2.0)) for given in (X, csr_array(X)))
    one, two = sample_importance(*dense, 10, 1), sample_importance(*sparse, 10, 1)
    np.testing.assert_allclose(one.mean, two.mean, atol=1e-9)
    assert one.log_evidence == pytest.approx(two.log_evidence, abs=1e-8)


def test_quadrature_comes_first_where_it_is_cheap(simulated):
    X, y = simulated(100, [1.0])
    assert climb(*target_of(X, y, bl.Normal(2.0)), 10, 0).method == "quadrature"
    X, y = simulated(100, [1.0, 0.5, 0.2])
    assert climb(*target_of(X, y, bl.Normal(2.0)), 10, 0).method == "importance"


# --- planted failures ----------------------------------------------------------------------------------------------


def separated(n=40, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, (X[:, 0] + 0.5 * X[:, 1] > 0) * 1.0


@pytest.mark.parametrize("seed", range(2))
def test_cauchy_on_separated_data_is_never_certified(seed):
    X, y = separated(seed=seed)
    target, mode = target_of(X, y, bl.priors(default=bl.Cauchy(2.5), intercept=bl.Normal(5.0)))
    assert climb(target, mode, 100, seed).level != "certified"
    # Separated by a column of its own: the posterior has no mean at all.
    target, mode = target_of(X, (X[:, 0] > 0) * 1.0, bl.priors(default=bl.Cauchy(2.5), intercept=bl.Normal(5.0)))
    rung = climb(target, mode, 100, seed)
    assert rung.level == "failed"
    assert any("times its bound" in reason for reason in rung.reasons)


def test_normal_on_separated_data_is_certified_and_right():
    X, y = separated()
    target, mode = target_of(X, y, bl.priors(default=bl.Normal(2.5), intercept=bl.Normal(5.0)))
    wanted, known = numbers(long_run(target, mode))
    rung = sample_importance(target, mode, 100, 3)
    assert rung.level == "certified"
    assert np.all(np.abs(rung.checks.value - wanted) <= rung.checks.bound + 3.0 * np.hypot(rung.checks.mcse, known))


def test_too_few_pairs_for_many_columns_are_not_certified(simulated):
    X, y = simulated(60, np.linspace(-0.5, 0.5, 50))
    target, mode = target_of(X, y, bl.Normal(1.0))
    rung = sample_importance(target, mode, 100, 0, max_pairs=1000)
    assert rung.level != "certified"
    assert any("times its bound" in reason for reason in rung.reasons)
    assert worst(rung.checks, rung.log_evidence, rung.log_evidence_se) > 1.0


def test_a_hopeless_target_is_left_after_the_first_pairs(simulated):
    # More columns than rows and hardly a prior: ten pairs of a thousand carry the weight, of fifty directions.
    X, y = simulated(50, np.full(120, 0.3))
    target, mode = target_of(X, y, bl.Normal(2.5))
    rung = sample_importance(target, mode, 100, 0)
    assert rung.level == "failed" and rung.n_pairs == 1000 and rung.n_evaluations < 2100
    assert any("k-hat is" in reason for reason in rung.reasons)


def test_another_mode_that_the_points_do_not_cover_is_a_doubt(rng):
    # Two nearly equal columns under narrow Cauchy priors: the effect is given to the one or to the other.
    z = rng.standard_normal(60)
    X = z[:, None] + 0.05 * rng.standard_normal((60, 2))
    y = (rng.random(60) < 1 / (1 + np.exp(-2.0 * z))) * 1.0
    target, mode = target_of(X, y, bl.Cauchy(0.1), intercept=False)
    ground = Ground.of(target)
    assert abs(mode.beta).min() < 0.1 < 0.6 < abs(mode.beta).max()
    narrow = Gaussian(mode.beta, 0.05 * np.eye(2))
    evidence = sample_importance(target, mode, 10, 0).log_evidence
    assert "there is another mode" in other_modes(ground, mode, narrow, evidence)[0]
    assert other_modes(ground, mode, Gaussian(mode.beta, np.eye(2)), evidence) == []  # this one covers both


def test_two_modes_within_reach_are_certified_and_right(rng):
    z = rng.standard_normal(60)
    X = z[:, None] + 0.05 * rng.standard_normal((60, 2))
    y = (rng.random(60) < 1 / (1 + np.exp(-2.0 * z))) * 1.0
    target, mode = target_of(X, y, bl.Cauchy(0.3), intercept=False)
    log_evidence, wanted = grid(X, y, stats.cauchy(0.0, 0.3).logpdf)
    rung = sample_importance(target, mode, 10, 0)
    allowed = rung.checks.bound + 3.0 * rung.checks.mcse
    assert rung.level == "certified" and np.all(np.abs(rung.checks.value - wanted) <= allowed)
    assert abs(rung.log_evidence - log_evidence) < 0.01 + 3 * rung.log_evidence_se


def test_a_tail_that_no_point_reaches_is_a_doubt(simulated):
    X, y = simulated(100, [1.0, 0.3])
    target, mode = target_of(X, y, bl.Normal(2.0))
    ground = Ground.of(target)
    gaussian = fit_gaussian(ground, mode).gaussian
    sd = np.linalg.norm(gaussian.root[1])

    class Tailed(Ground):
        """The same posterior, with a share of its mass spread out along one coefficient like a Cauchy."""

        share = 0.01

        def log_densities(self, thetas):
            away = (thetas[:, 1] - gaussian.mean[1]) / sd
            near = thetas - np.outer(away - np.clip(away, -1.0, 1.0), gaussian.root @ gaussian.root[1] / sd)
            return np.logaddexp(
                ground.log_densities(thetas), math.log(self.share) + ground.log_densities(near) - np.log1p(away**2)
            )

    pairs = Pairs.drawn(ground, Proposal.around(ground, gaussian), 1000, np.random.default_rng(0))
    evidence = sample_importance(target, mode, 10, 0).log_evidence
    assert tails(ground, gaussian, pairs, evidence) == ([], [])
    tailed = Tailed(ground.whole, ground.target, None, np.zeros(0))
    # A little of it spoils moments only; more of it, everything.
    doubts, reservations = tails(tailed, gaussian, pairs, evidence)
    assert doubts == [] and "where hardly a point falls, the posterior still holds" in reservations[0]
    Tailed.share = 0.3
    assert "where hardly a point falls" in tails(tailed, gaussian, pairs, evidence)[0][0]


def test_without_a_finite_mode_there_is_nothing_to_sample():
    X, y = separated()
    with pytest.raises(FitError, match="There is no finite mode"):
        sample_importance(*target_of(X, y, bl.Flat()))


# --- the certificate itself ----------------------------------------------------------------------------------------

GOOD = Weights(khat=0.2, ess=900.0, count=1000, largest=3.0, disagreement=1.0)


def test_flat_weights_excuse_khat_and_others_do_not():
    assert GOOD.doubts() == []
    assert replace(GOOD, khat=2.1).doubts() == []  # false alarm of weights that are nearly flat
    assert "k-hat is 2.10, beyond 0.67" in replace(GOOD, khat=2.1, largest=30.0).doubts()[0]
    assert "k-hat is not defined" in replace(GOOD, khat=math.nan, ess=450.0).doubts()[0]
    assert "worth 300 equally weighted ones" in replace(GOOD, ess=300.0).doubts()[0]
    assert "one pair holds 9% of the weight" in replace(GOOD, largest=90.0).doubts()[0]
    assert "two halves of the pairs disagree by 7.0" in replace(GOOD, disagreement=7.0).doubts()[0]


def test_a_verdict_is_the_worst_of_its_numbers():
    moments = Moments(np.zeros(2), np.ones(2), np.array([0.009, 0.011]), np.array([0.005, 0.005]))
    checks = check(("a", "b"), moments, np.zeros((3, 2)), np.full((3, 2), 0.014))
    level, reasons = verdict(checks, -10.0, 0.005, [])
    assert level == "approximate" and reasons == ["the Monte-Carlo error of the mean of 'b' is 1.1 times its bound"]
    fine = replace(checks, mcse=0.5 * checks.mcse)
    assert verdict(fine, -10.0, 0.005, []) == ("certified", [])
    assert verdict(fine, -10.0, 0.02, [])[0] == "approximate"
    assert verdict(fine, math.nan, math.nan, []) == ("certified", [])
    assert verdict(fine, -10.0, 0.005, [], ["a tail"]) == ("approximate", ["a tail"])
    assert verdict(fine, -10.0, 0.005, ["a doubt"]) == ("failed", ["a doubt"])
    assert verdict(replace(checks, mcse=12.0 * checks.mcse), -10.0, 0.005, [])[0] == "failed"
    unknown = replace(fine, mcse=np.full((5, 2), np.nan))
    assert verdict(unknown, -10.0, 0.005, [])[0] == "approximate" and math.isinf(worst(unknown, -10.0, 0.005))
    assert [row[:2] for row in checks.rows()][:6] == [
        ("a", "mean"),
        ("a", "sd"),
        ("a", "5 % quantile"),
        ("a", "50 % quantile"),
        ("a", "95 % quantile"),
        ("b", "mean"),
    ]


def test_moments_of_linear_functions_need_no_lattice_of_their_own(simulated, monkeypatch):
    """They follow from those of the coefficients: the log-odds of a thousand rows cost a matrix product."""
    X, y = simulated(100, [1.0, 0.5])
    target, mode = target_of(X, y, bl.Normal(2.0))
    rung = sample_quadrature(target, mode, 100, 0)
    rows = np.random.default_rng(0).normal(size=(4, X.shape[1] + 1))
    one_by_one = [
        (at + length * m.mean, length * m.sd) for at, length, m in rung.estimator.marginals(rows)
    ]  # each by a lattice turned to its direction
    rung.linear(rows)

    def no_more(*_):
        raise AssertionError("a lattice was laid out anew")

    monkeypatch.setattr("bayeslogit.posterior.quadrature._lattices", no_more)
    found = rung.linear(rows)
    np.testing.assert_allclose(np.column_stack([found.mean, found.sd]), one_by_one, rtol=0, atol=1e-9 * found.sd.max())
    assert np.all(found.mean_mcse < 1e-6 * found.sd) and np.all(found.sd_mcse < 1e-6 * found.sd)
