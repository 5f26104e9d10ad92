"""The nearest Gaussian: its quadratures against brute force, its optimality conditions, the identities of the data."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.errors import FitError
from bayeslogit.logistic import expected_terms, log_likelihoods, log_odds_terms
from bayeslogit.posterior.expected_prior import AVERAGES, expected_prior
from bayeslogit.posterior.gaussians import one_step_mean, sample_laplace, sample_variational
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.variational import Gaussian, fit_gaussian
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior


def target_of(X, y, prior, **given):
    design = bl.Design.from_arrays(X, y, **given)
    target = LogPosterior.of(design, prior.resolve(design))
    return target, find_mode(target)


def fitted(X, y, prior, tol=1e-9, **given):
    target, mode = target_of(X, y, prior, **given)
    ground = Ground.of(target)
    return ground, mode, fit_gaussian(ground, mode, tol=tol)


# --- one-dimensional quadratures -----------------------------------------------------------------------------------


def by_brute_force(mean, sd):
    """log mu, log(1 - mu), mu and mu (1 - mu) averaged over a Gaussian, by a fine rule in extended precision."""
    step = 0.05 / max(sd, 1.0)  # the log-odds of neighbours differ by 0.05: the rule errs by exp(-2 pi^2 / 0.05)
    z = np.arange(-12.0, 12.0, step).astype(np.longdouble)
    x = np.longdouble(mean) + np.longdouble(sd) * z
    weight = np.exp(-z * z / 2)
    weight /= weight.sum()
    decay = np.exp(-np.abs(x))
    near = 1 / (1 + decay)
    far = decay * near
    one, zero = np.minimum(x, 0) - np.log1p(decay), -np.maximum(x, 0) - np.log1p(decay)
    mu = np.where(x >= 0, near, far)
    return [float(values @ weight) for values in (one, zero, mu, near * far)]


# Either side of each change of rule, and means from the centre to where one tail is all there is.
SDS = [0.0, 1e-8, 0.01, 0.0599, 0.0601, 0.249, 0.251, 0.499, 0.501, 0.899, 0.901, 1.99, 2.01, 3.99, 4.01, 20.0, 100.0]
MEANS = [-300.0, -35.0, -5.0, -0.1, 0.0, 0.3, 2.0, 8.0, 60.0, 700.0]


def test_expectations_of_every_rule_against_brute_force():
    mean, sd = (np.array(each) for each in zip(*[(m, s) for s in SDS for m in MEANS], strict=True))
    one, zero, mu, spread = np.array([by_brute_force(m, s) for m, s in zip(mean, sd, strict=True)]).T
    success = expected_terms(mean, sd, np.ones_like(mean), np.zeros_like(mean))
    failure = expected_terms(mean, sd, np.zeros_like(mean), np.ones_like(mean))
    for found, wanted in ((success.log_density, one), (failure.log_density, zero)):
        assert np.max(np.abs(found - wanted) / (1.0 + 0.01 * np.abs(wanted))) < 1e-11
    assert np.max(np.abs(success.residual - (1.0 - mu))) < 1e-11
    assert np.max(np.abs(failure.residual + mu)) < 1e-11
    assert np.max(np.abs(success.variance - spread)) < 1e-11


def test_without_spread_they_are_the_terms_themselves(rng):
    eta, ones, zeros = rng.normal(0.0, 30.0, 500), rng.integers(0, 4, 500) * 1.0, rng.integers(0, 4, 500) * 0.5
    found, wanted = expected_terms(eta, np.zeros(500), ones, zeros), log_odds_terms(eta, ones, zeros)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sd", [0.1, 0.7, 1.5, 3.0, 30.0])
def test_residual_and_variance_are_the_derivatives_in_the_mean(sd):
    mean, step = np.linspace(-9.0, 9.0, 31), 1e-3
    ones, zeros, sds = np.full(31, 1.5), np.full(31, 0.5), np.full(31, sd)
    at = [expected_terms(mean + k * step, sds, ones, zeros) for k in (-2, -1, 0, 1, 2)]
    slope = (at[0].log_density - 8 * at[1].log_density + 8 * at[3].log_density - at[4].log_density) / (12 * step)
    np.testing.assert_allclose(at[2].residual, slope, atol=1e-9)
    bend = (at[0].residual - 8 * at[1].residual + 8 * at[3].residual - at[4].residual) / (12 * step)
    np.testing.assert_allclose(2.0 * at[2].variance, -bend, atol=1e-9)


def test_log_likelihoods_of_many_points(rng):
    # More rows than factors that one product may have; log-odds far into both tails.
    eta = rng.normal(0.0, 1.0, (2600, 9)) * np.array([1e-3, 0.1, 1, 3, 10, 50, 200, 400, 800])
    y = rng.integers(0, 2, 2600).astype(float)
    wanted = np.array([log_odds_terms(column, y, 1.0 - y).log_density.sum() for column in eta.T])
    size = 1e-13 * np.abs(eta).sum(axis=0) + 1e-10
    assert np.all(np.abs(log_likelihoods(eta.copy(), y, None) - wanted) < size)
    assert np.all(np.abs(log_likelihoods(eta.copy(), y, 1.0 - y) - wanted) < size)
    ones, zeros = rng.integers(0, 5, 2600) * 0.5, rng.integers(0, 5, 2600) * 1.0
    wanted = np.array([log_odds_terms(column, ones, zeros).log_density.sum() for column in eta.T])
    assert np.all(np.abs(log_likelihoods(eta.copy(), ones, zeros) - wanted) < 5.0 * size)


# --- the prior -----------------------------------------------------------------------------------------------------

PRIORS = [
    bl.Normal(1.3, mean=0.4),
    bl.Laplace(0.7, mean=-0.2),
    bl.ElasticNet(l1=1.4, l2=0.8, mean=0.3),
    bl.StudentT(3.0, 0.9, mean=0.1),
    bl.Cauchy(0.5),
    bl.Cauchy(0.02),  # far narrower than the Gaussian
]


def test_every_family_has_an_average_or_is_worked_out_whole():
    whole = {"flat", "multivariate_normal"} | {name for name, density in DENSITIES.items() if density.group is not None}
    assert set(AVERAGES) | whole == set(DENSITIES)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize("sd", [0.05, 0.8, 3.0])
def test_expected_log_prior_against_adaptive_quadrature(prior, sd):
    X, y = np.array([[1.0], [2.0], [-1.0], [0.5]]), np.array([1.0, 0.0, 0.0, 1.0])
    design = bl.Design.from_arrays(X, y, intercept=False)
    target = LogPosterior(design, prior.resolve(design))
    term, mean = target.prior.terms[0], 0.35

    def integrand(z):
        u = np.array([mean + sd * z])
        return float(term.density.log_density(u, **term.parameters)) * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)

    kink = (float(term.parameters["mean"][0]) - mean) / sd
    cuts = sorted({-12.0, 12.0, *(c for c in (kink - 0.1, kink, kink + 0.1) if -12 < c < 12)})
    wanted = sum(quad(integrand, a, b, epsabs=1e-13, limit=400)[0] for a, b in itertools.pairwise(cuts))
    found = expected_prior(target.prior_target, np.array([mean]), np.array([[sd]]))
    assert abs(found.log_density - wanted) < 1e-10
    step = 1e-4 * sd
    up, down = (expected_prior(target.prior_target, np.array([mean + d]), np.array([[sd]])) for d in (step, -step))
    assert abs((up.log_density - down.log_density) / (2 * step) - found.score[0]) < 1e-5 * (1 + abs(found.score[0]))
    bend = (up.score[0] - down.score[0]) / (2 * step)
    assert abs(bend + found.information[0, 0]) < 1e-5 * (1 + abs(bend))


def joint(names):
    A = np.array([[2.0, 0.4, -0.3], [0.4, 1.5, 0.2], [-0.3, 0.2, 0.9]])
    return bl.MultivariateNormal(mean=np.array([0.5, -0.2, 0.1]), cov=A, columns=names)


def test_maps_and_joint_families_against_sampling(rng, simulated):
    X, y = simulated(50, [0.5, -0.5, 0.2])
    design = bl.Design.from_arrays(X + 3.0, y)  # centred, the intercept of a prior is a function of all columns
    mixed = bl.priors(
        default=bl.StudentT(4.0, 1.0), intercept=bl.Cauchy(2.0), terms={design.columns[1]: bl.Laplace(0.4)}
    )
    for prior in (mixed, joint(design.columns[1:])):
        target = LogPosterior(design, prior.resolve(design))
        mean, root = rng.normal(0, 1, 4), np.triu(rng.normal(0, 0.5, (4, 4)))
        found = expected_prior(target.prior_target, mean, root)
        gammas = mean + rng.standard_normal((400_000, 4)) @ root.T
        values = target.prior_target.log_densities(gammas)
        assert abs(values.mean() - found.log_density) < 5.0 * values.std() / math.sqrt(values.size)
        betas = np.array([target.coordinates.beta(gamma) for gamma in gammas[:20]])
        np.testing.assert_allclose(values[:20], [target.prior.log_density(beta) for beta in betas], rtol=1e-12)
        for j in range(4):
            step = np.zeros(4)
            step[j] = 1e-4
            up, down = (expected_prior(target.prior_target, mean + s, root) for s in (step, -step))
            assert abs((up.log_density - down.log_density) / 2e-4 - found.score[j]) < 1e-5
            np.testing.assert_allclose((up.score - down.score) / 2e-4, -found.information[j], atol=1e-5)


def test_of_a_group_the_average_is_a_lower_bound(rng, simulated):
    X, y = simulated(60, [0.5, -0.5, 0.2])
    design = bl.Design.from_arrays(X, y)
    group = PriorTerm("group_laplace", (1, 2, 3), {"scale": np.full(3, 0.5)})
    target = LogPosterior(design, ResolvedPrior(design.columns, (PriorTerm("flat", (0,)), group), "a group"))
    mean, root = np.array([0.2, 0.3, -0.4, 0.1]), 0.4 * np.eye(4)
    values = target.prior_target.log_densities(mean + rng.standard_normal((100_000, 4)) @ root.T)
    found = expected_prior(target.prior_target, mean, root)
    assert values.mean() - 0.3 < found.log_density < values.mean() - 0.05


# --- the nearest Gaussian ------------------------------------------------------------------------------------------

CASES = {
    "normal": lambda: bl.Normal(2.5),
    "laplace": lambda: bl.Laplace(0.3),
    "elastic net": lambda: bl.ElasticNet(l1=1.0, l2=0.5),
    "student t": lambda: bl.StudentT(4.0, 1.0),
    "cauchy": lambda: bl.Cauchy(0.5),
    "flat": lambda: bl.Flat(),
}


@pytest.mark.parametrize("name", CASES)
def test_the_conditions_of_the_optimum_hold(name, simulated, rng):
    X, y = simulated(80, [1.0, -0.5, 0.0, 0.3], intercept=0.4)
    ground, _, fit = fitted(X, y, CASES[name]())
    assert fit.converged
    m, root = fit.gaussian.mean, fit.gaussian.root
    state = ground.expected(m, root)
    assert np.linalg.norm(root.T @ state.score) < 1e-8
    np.testing.assert_allclose(root.T @ state.information @ root, np.eye(5), atol=1e-7)
    assert fit.elbo == pytest.approx(state.log_density + fit.gaussian.entropy, abs=1e-9)
    for _ in range(10):  # any other Gaussian is farther from the posterior
        moved = Gaussian(
            m + 0.05 * root @ rng.standard_normal(5), root @ np.triu(np.eye(5) + 0.05 * rng.normal(size=(5, 5)))
        )
        assert ground.expected(moved.mean, moved.root).log_density + moved.entropy < fit.elbo


def test_a_gaussian_posterior_is_found_exactly():
    # One trial of weight 1e-9: the posterior is the prior.
    X, y = np.array([[1.0, 2.0]]), np.array([1.0])
    cov = np.array([[2.0, 0.6], [0.6, 1.0]])
    prior = bl.MultivariateNormal(mean=np.array([0.5, -1.0]), cov=cov, columns=("x0", "x1"))
    design = bl.Design.from_arrays(X, y, weights=np.array([1e-9]), intercept=False, names=["x0", "x1"])
    target = LogPosterior(design, prior.resolve(design))
    rung = sample_variational(target, find_mode(target), 10, 0)
    np.testing.assert_allclose(rung.mean, [0.5, -1.0], atol=1e-7)
    np.testing.assert_allclose(rung.sd, np.sqrt(np.diag(cov)), rtol=1e-7)
    assert rung.elbo == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("name", ["normal", "laplace", "cauchy"])
def test_the_elbo_is_below_the_evidence_and_the_moments_are_near(name, simulated):
    X, y = simulated(70, [1.0, -0.6], intercept=0.3)
    target, mode = target_of(X, y, bl.priors(default=CASES[name](), intercept=bl.Normal(3.0)))
    rung, exact = sample_variational(target, mode, 10, 0), sample_importance(target, mode, 10, 0)
    assert exact.level == "certified"
    assert exact.log_evidence - 0.15 < rung.elbo < exact.log_evidence + 4.0 * exact.log_evidence_se
    assert np.max(np.abs(rung.mean - exact.mean) / exact.sd) < 0.05
    assert np.max(np.abs(rung.sd / exact.sd - 1.0)) < 0.06
    assert rung.level == "approximate" and rung.log_evidence == rung.elbo


def test_weights_trials_and_offset_are_repeated_rows(simulated, rng):
    X, y = simulated(40, [1.0, -0.5])
    weights, shift = rng.integers(0, 4, 40).astype(float), rng.normal(0, 0.5, 40)
    again = np.repeat(np.arange(40), weights.astype(int))
    prior = bl.StudentT(5.0, 1.0)
    _, _, whole = fitted(X[again], y[again], prior, offset=shift[again])
    _, _, short = fitted(X, y, prior, weights=weights, offset=shift)
    successes = np.array([3.0, 0.0, 2.0, 5.0])
    assert whole.elbo == pytest.approx(short.elbo, abs=1e-9)
    np.testing.assert_allclose(whole.gaussian.mean, short.gaussian.mean, atol=1e-8)
    rows = np.array([[0.3, 1.0], [1.0, -1.0], [-0.5, 0.2], [0.1, 0.1]])
    trials = np.array([4.0, 2.0, 6.0, 5.0])
    long_y = np.concatenate(
        [np.repeat([1.0, 0.0], [int(s), int(t - s)]) for s, t in zip(successes, trials, strict=True)]
    )
    _, _, grouped = fitted(rows, successes, prior, trials=trials)
    _, _, single = fitted(np.repeat(rows, trials.astype(int), axis=0), long_y, prior)
    assert grouped.elbo == pytest.approx(single.elbo, abs=1e-9)
    np.testing.assert_allclose(grouped.gaussian.mean, single.gaussian.mean, atol=1e-8)


def test_a_wide_design_and_its_reduction_are_the_same_gaussian(simulated):
    X, y = simulated(15, np.full(40, 0.3))
    target, mode = target_of(X, y, bl.Normal(0.7, mean=0.1))
    reduced, whole = Ground.of(target), Ground(target, target, None, np.zeros(0))
    assert reduced.size < whole.size == 41
    one = sample_variational(target, mode, 10, 0, tol=1e-9)
    other = fit_gaussian(whole, mode, tol=1e-9)
    linear = whole.column(slice(None))
    np.testing.assert_allclose(one.mean, linear.core @ other.gaussian.mean, atol=1e-7)
    np.testing.assert_allclose(one.sd, np.sqrt(np.square(linear.core @ other.gaussian.root).sum(axis=1)), rtol=1e-7)
    assert one.elbo == pytest.approx(other.elbo, abs=1e-8)


def test_more_columns_than_rows_under_a_laplace_prior(simulated):
    X, y = simulated(20, np.full(35, 0.3))
    ground, _, fit = fitted(X, y, bl.Laplace(0.2), tol=1e-6)
    assert fit.converged
    assert np.linalg.norm(fit.gaussian.root.T @ ground.expected(fit.gaussian.mean, fit.gaussian.root).score) < 1e-5


# --- rungs ---------------------------------------------------------------------------------------------------------


def test_laplace_is_the_gaussian_at_the_mode(simulated):
    X, y = simulated(90, [1.0, -0.5], intercept=0.5)
    target, mode = target_of(X + 2.0, y, bl.Normal(2.0))
    rung = sample_laplace(target, mode, 4000, 3)
    np.testing.assert_array_equal(rung.mean, mode.beta)
    covariance = np.linalg.inv(mode.expansion.information)
    np.testing.assert_allclose(rung.sd, np.sqrt(np.diag(covariance)), rtol=1e-10)
    np.testing.assert_allclose(
        rung.quantile([0.025, 0.5]), mode.beta + np.array([[-1.95996398], [0.0]]) * rung.sd, rtol=1e-7
    )
    row = np.array([[1.0, 2.0, -1.0]])
    assert rung.linear(row).sd[0] == pytest.approx(math.sqrt((row @ covariance @ row.T)[0, 0]), rel=1e-10)
    assert rung.log_evidence == pytest.approx(
        mode.log_density + 1.5 * math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(covariance)[1], abs=1e-9
    )
    assert rung.level == "approximate" and rung.values.shape == (4000, 3)
    np.testing.assert_allclose(rung.values.mean(axis=0), rung.mean, atol=5.0 * rung.sd.max() / math.sqrt(4000))
    assert np.array_equal(sample_laplace(target, mode, 50, 3).values, sample_laplace(target, mode, 50, 3).values)


def test_laplace_at_a_kink_says_so_and_has_no_evidence(simulated):
    X, y = simulated(60, [1.0, 0.0])
    target, mode = target_of(X, y, bl.Laplace(0.1))
    rung = sample_laplace(target, mode, 10, 0)
    assert math.isnan(rung.log_evidence) and "kink" in rung.reasons[1]


@pytest.mark.parametrize("prior", [bl.Normal(2.5), bl.StudentT(5.0, 2.0)], ids=repr)
def test_one_step_takes_the_mode_to_the_mean(prior, simulated):
    X, y = simulated(150, [1.0, -0.7, 0.4, 0.0], intercept=1.0)
    target, mode = target_of(X + 1.0, y, bl.priors(default=prior, intercept=bl.Normal(5.0)))
    exact = sample_importance(target, mode, 10, 0)
    before = np.max(np.abs(mode.beta - exact.mean) / exact.sd)
    after = np.max(np.abs(one_step_mean(target, mode) - exact.mean) / exact.sd)
    assert before > 0.08 and after < 0.12 * before


def test_what_cannot_be_done_is_refused_in_words(simulated):
    X, y = simulated(60, [1.0, 0.0])
    target, mode = target_of(X, y, bl.Jeffreys())
    with pytest.raises(FitError, match="does not know Jeffreys' prior: use 'laplace', 'importance' or 'nuts'"):
        sample_variational(target, mode)
    with pytest.raises(FitError, match="one-step mean needs a smooth prior"):
        one_step_mean(*target_of(X, y, bl.Laplace(1.0)))
    parted = (expit(5.0 * X[:, 0]) > 0.5).astype(float)
    with pytest.raises(FitError, match="There is no finite mode to put a Gaussian at"):
        sample_variational(*target_of(X, parted, bl.Flat()))


def test_kinks_that_rule_do_not_slow_the_search_down():
    """Means and precisions of coordinates near their kinks move together: else it takes 35, 21 and 12 passes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 20))
    y = (rng.random(2000) < expit(X @ rng.normal(size=20) * 0.3)).astype(float)
    design = bl.Design.from_arrays(X, y)
    for scale in (0.004, 0.01, 0.03):
        target = LogPosterior.of(design, bl.Laplace(scale).resolve(design))
        ground = Ground.of(target)
        found = fit_gaussian(ground, find_mode(target), tol=1e-5)
        state = ground.expected(found.gaussian.mean, found.gaussian.root)
        assert found.converged and found.steps <= 15
        np.testing.assert_allclose(found.gaussian.precision, state.information, rtol=1e-4, atol=1e-4)
        assert np.linalg.norm(found.gaussian.root.T @ state.score) < 1e-5


def test_the_one_step_mean_is_on_the_fit():
    data = bl.datasets.load("lbw")
    fit = bl.fit("low ~ age + lwt + smoke", data, prior=bl.Normal(1.0))
    draws = fit.sample("importance", rng=1)
    assert list(fit.one_step_mean.index) == list(fit.columns)
    before = np.max(np.abs(fit.params - draws.mean) / draws.sd)
    after = np.max(np.abs(fit.one_step_mean - draws.mean) / draws.sd)
    assert before > 0.05 and after < 0.2 * before
    with pytest.raises(bl.FitError, match="needs a smooth prior"):
        _ = bl.fit("low ~ age", data, prior=bl.Laplace(1.0)).one_step_mean
