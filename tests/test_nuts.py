"""NUTS in whitened coordinates: the density it samples, what chains say, and the agreement with importance sampling.

Two models are compiled in this file, both in session fixtures.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayeslogit as bl
from bayeslogit import ladder
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.posterior import nuts_model, nuts_sampling
from bayeslogit.posterior.certificate import checks_of
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.nuts_bridge import bridge_evidence
from bayeslogit.posterior.nuts_chains import Chains
from bayeslogit.posterior.nuts_model import WhitenedTarget, build
from bayeslogit.presets import as_prior
from bayeslogit.target import LogPosterior

# What PyMC and PyTensor themselves warn of while compiling and sampling is not ours to assert.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

JOINT = bl.MultivariateNormal(mean=[0.0, 1.0, 0.0], cov=np.eye(3) + 0.3, columns=("x3", "x1", "x2"))
PRIORS = {
    "normal": bl.Normal(0.7, mean=0.3),
    "rstanarm": "rstanarm",
    "laplace": bl.Laplace(0.05),
    "heavy": bl.priors(bl.StudentT(3, 1.5), intercept=bl.Cauchy(2.0, mean=0.5)),
    "kinks": bl.priors(bl.ElasticNet(l1=2.0, l2=0.5), intercept=bl.Laplace(1.0), terms={"x2": bl.Flat()}),
    "joint": JOINT,
    "group": bl.GroupLaplace(0.2, groups=[["x1", "x2"]]),
    "jeffreys": bl.Jeffreys(),
    "conjugate": bl.DiaconisYlvisaker(),
}


def small(kind):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 3)) + np.array([3.0, 0.0, -1.0])
    y = (rng.random(60) < 0.5).astype(float)
    if kind == "counts":
        trials = rng.integers(1, 6, 60).astype(float)
        return bl.Design.from_arrays(X, np.minimum(2.0 * y, trials), trials=trials)
    if kind == "weights":
        return bl.Design.from_arrays(X, y, weights=rng.integers(0, 4, 60), offset=rng.standard_normal(60))
    return bl.Design.from_arrays(X, y)


def whitened(fit):
    return WhitenedTarget.at(Ground.of(LogPosterior.of(fit.design, fit.prior)), fit.mode)


@pytest.fixture(scope="session")
def wells_fit():
    return bl.fit("switch ~ dist100 + arsenic + assoc + educ4", bl.datasets.load("wells"), prior=bl.Normal(1.0))


@pytest.fixture(scope="session")
def wells_nuts(wells_fit):
    return wells_fit.sample("nuts", draws=4000, rng=1)


@pytest.fixture(scope="session")
def lasso_fit():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((120, 4))
    y = rng.random(120) < 1.0 / (1.0 + np.exp(-X[:, 0]))
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Laplace(0.25))
    assert np.sum(fit.params == 0.0) == 2
    return fit


@pytest.fixture(scope="session")
def lasso_nuts(lasso_fit):
    return lasso_fit.sample("nuts", draws=4000, rng=1)


# --- the density ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "counts", "weights"])
@pytest.mark.parametrize("name", PRIORS)
def test_the_whitened_model_is_our_density_up_to_one_constant(name, kind):
    design = small(kind)
    fit = bl.fit(design, prior=PRIORS[name])
    white = whitened(fit)
    theirs = build(white.families, white.data(), white.size).compile_logp(mode="FAST_COMPILE", jacobian=False)
    z = np.random.default_rng(0).standard_normal((6, white.size))
    gaps = white.log_density(z) - [float(theirs({"z": one})) for one in z]
    assert np.ptp(gaps) < 1e-9 * max(1.0, abs(gaps[0]))
    # and ours is that of the model itself, at the same coefficients
    target = LogPosterior(design, as_prior(PRIORS[name]).resolve(design))
    beta = white.ground.lift(white.theta(z), np.random.default_rng(0))
    exact = [target.expand(target.coordinates.gamma(one)).log_density for one in beta]
    assert np.ptp(white.log_density(z) - exact) < 1e-8


def test_a_wide_design_is_sampled_in_as_many_coordinates_as_rows():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((15, 40)), (rng.random(15) < 0.5).astype(float)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Normal(0.5))
    white = whitened(fit)
    assert white.size <= 16
    theirs = build(white.families, white.data(), white.size).compile_logp(mode="FAST_COMPILE", jacobian=False)
    z = rng.standard_normal((4, white.size))
    assert np.ptp(white.log_density(z) - [float(theirs({"z": one})) for one in z]) < 1e-9


def test_an_unknown_family_is_named():
    from bayeslogit.posterior.nuts import distribution

    with pytest.raises(bl.PriorError, match="no translation for the prior family 'horseshoe'"):
        distribution("horseshoe", {})


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["wells", "lasso"])
def test_nuts_and_importance_sampling_agree_within_their_errors(which, request):
    fit, nuts = request.getfixturevalue(f"{which}_fit"), request.getfixturevalue(f"{which}_nuts")
    pairs = fit.sample("importance", rng=1)
    assert pairs.verdict.level == "certified"
    checks = nuts.rung.checks
    gap = np.abs(checks.value - pairs.rung.checks.value) / np.hypot(checks.mcse, pairs.rung.checks.mcse)
    assert np.max(gap) < 4.0 and np.mean(gap < 2.0) > 0.8  # 25 numbers, errors that are themselves estimated
    error = np.hypot(nuts.log_evidence_se, pairs.log_evidence_se)
    assert error < 0.02 and abs(nuts.log_evidence - pairs.log_evidence) < 4.0 * error


def test_draws_and_chains_are_as_many_as_were_asked_for(wells_nuts):
    assert wells_nuts.values.shape == (4000, 5) and wells_nuts.n == 4000 and wells_nuts.method == "nuts"
    assert wells_nuts.rung.estimator.draws.shape == (4, 1000, 5)
    assert np.isnan(wells_nuts.khat) and list(wells_nuts.ess.index) == list(wells_nuts.columns)
    assert wells_nuts.ess.min() > 2000 and np.max(wells_nuts.rung.estimator.r_hat()) < 1.01


def test_four_thousand_draws_are_not_certified_and_the_verdict_says_why(wells_nuts):
    verdict = wells_nuts.verdict
    assert verdict.level == "approximate" and verdict.rung == "nuts"
    assert "R-hat at most" in verdict.reasons[0] and "5 % quantile" in verdict.in_words


def test_whitening_leaves_few_gradients_for_each_effective_draw(wells_nuts):
    steps = wells_nuts.rung.estimator.statistics["n_steps"].sum()
    assert steps / wells_nuts.ess.min() < 12.0


def test_another_scale_of_the_same_family_compiles_nothing(wells_fit, wells_nuts, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("compiled again")

    monkeypatch.setattr(nuts_model, "build", refuse)
    fit = bl.fit(wells_fit.design, prior=bl.Normal(0.05))
    again = fit.sample("nuts", draws=1200, rng=2)
    exact = fit.sample("importance", rng=1)
    assert np.max(np.abs(again.mean - exact.mean) / exact.sd) < 0.15
    assert np.max(np.abs(wells_nuts.mean - exact.mean) / exact.sd) > 0.15
    # and other data of the same columns: 200 rows instead of 3,020
    rows = bl.datasets.load("wells").head(200)
    few = bl.fit("switch ~ dist100 + arsenic + assoc + educ4", rows, prior=bl.Normal(1.0))
    small = few.sample("nuts", draws=1200, rng=2)
    close = few.sample("importance", rng=1)
    assert np.max(np.abs(small.mean - close.mean) / close.sd) < 0.15


def test_the_same_seed_gives_the_same_numbers(lasso_fit, lasso_nuts):
    first, again, other = (lasso_fit.sample("nuts", draws=202, chains=2, rng=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.values, again.values) and first.log_evidence == again.log_evidence
    assert not np.array_equal(first.values, other.values) and first.values.shape == (202, 5)


def test_auto_goes_on_to_nuts_and_says_what_it_left(lasso_fit, lasso_nuts, monkeypatch):
    from dataclasses import replace

    poor = replace(lasso_fit.sample("importance", rng=1).rung, level="failed", reasons=("k-hat is 1.20",))
    monkeypatch.setattr(ladder, "climb", lambda *_: poor)
    climbed = lasso_fit.sample("auto", draws=400, rng=1)
    assert climbed.method == "nuts" and "k-hat is 1.20" in climbed.climbed[0]
    assert "importance sampling is failed (k-hat is 1.20)" in climbed.verdict.in_words
    stayed = lasso_fit.sample("auto", draws=400, rng=1, nuts=False)
    assert stayed.method == "importance" and stayed.verdict.level == "failed" and "not allowed" in stayed.climbed[0]
    monkeypatch.setattr(ladder, "find_spec", lambda _: None)
    without = lasso_fit.sample("auto", draws=400, rng=1)
    assert without.method == "importance" and "not installed" in without.climbed[0]


# --- chains that are not what they should be -------------------------------------------------------------------------


def planted(shift=0.0, sticky=0.0, **statistics):
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((4, 1000, 2))
    for t in range(1, 1000):
        draws[:, t] = sticky * draws[:, t - 1] + np.sqrt(1.0 - sticky**2) * draws[:, t]
    draws[0] += shift
    return Chains(draws, statistics)


@pytest.mark.parametrize(
    ("chains", "failed", "words"),
    [
        (planted(shift=3.0), True, "have not mixed: R-hat"),
        (planted(shift=0.5), False, "have not mixed: R-hat"),
        (planted(sticky=0.995), True, "effective sample size"),
        (planted(diverging=np.arange(4000).reshape(4, 1000) < 5), False, "5 divergent"),
        (planted(diverging=np.arange(4000).reshape(4, 1000) < 500), True, "500 divergent"),
        (planted(energy=np.cumsum(np.random.default_rng(1).standard_normal((4, 1000)), axis=1)), False, "E-BFMI"),
    ],
)
def test_planted_troubles_are_named(chains, failed, words):
    spoils, doubts = chains.troubles(("a", "b"), chains.ess())
    assert any(words in one for one in (spoils if failed else doubts))


def test_healthy_chains_have_no_troubles():
    chains = planted(energy=np.random.default_rng(1).standard_normal((4, 1000)), diverging=np.zeros((4, 1000), bool))
    assert chains.troubles(("a", "b"), chains.ess()) == ([], [])


@pytest.mark.parametrize("sticky", [0.5, -0.5])
def test_numbers_of_chains_have_honest_errors(sticky):
    """Over 200 sets of autocorrelated chains the scatter of each number is what its error says.

    Draws that alternate, as those of NUTS do, have squares that do not.
    """
    rng = np.random.default_rng(7)
    numbers, errors = [], []
    for _ in range(200):
        draws = rng.standard_normal((4, 250, 1))
        for t in range(1, 250):
            draws[:, t] = sticky * draws[:, t - 1] + np.sqrt(0.75) * draws[:, t]
        _, checks = checks_of(("a",), Chains(draws))
        squares = Chains(draws).expect(lambda b: b[:, 0] ** 2)
        numbers.append([*checks.value[:, 0], float(squares[0])])
        errors.append([*checks.mcse[:, 0], float(squares[1])])
    ratio = np.std(numbers, axis=0) / np.mean(errors, axis=0)
    assert np.all((ratio > 0.8) & (ratio < 1.25))
    truth = [0.0, 1.0, *stats.norm.ppf([0.05, 0.5, 0.95]), 1.0]
    assert np.max(np.abs(np.mean(numbers, axis=0) - truth)) < 0.03


def test_bridge_sampling_finds_known_integrals_within_its_error():
    rng = np.random.default_rng(1)
    for p, skewed in ((1, False), (5, False), (3, True)):
        found, error, truth = [], [], 0.0
        for _ in range(20):
            if skewed:  # log of a gamma: a skew density with integral Gamma(4)^p
                z = np.log(rng.gamma(4.0, size=(2000, p)))
                value, se = bridge_evidence(lambda u: (4.0 * u - np.exp(u)).sum(axis=1), z, 2000.0, rng)
                truth = p * np.log(6.0)
            else:
                z = 0.3 + 0.8 * rng.standard_t(9, size=(2000, p))
                value, se = bridge_evidence(lambda u: stats.t.logpdf(u, 9, 0.3, 0.8).sum(axis=1) + 2.0, z, 2000.0, rng)
                truth = 2.0
            found.append(value)
            error.append(se)
        assert abs(np.mean(found) - truth) < 4.0 * np.mean(error) / np.sqrt(20) + 1e-3
        assert 0.5 < np.std(found) / np.mean(error) < 2.0 and np.mean(error) < 0.02


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_arguments_that_make_no_chains(lasso_fit):
    with pytest.raises(ArgumentError, match="NUTS comes from one of pymc, nutpie"):
        lasso_fit.sample("nuts", sampler="stan")
    with pytest.raises(ArgumentError, match="at least 2 chains"):
        lasso_fit.sample("nuts", chains=1)
    with pytest.raises(ArgumentError, match="at least 2 chains"):
        lasso_fit.sample("nuts", draws=10)


def test_a_sampler_that_is_not_installed_is_named(lasso_fit, monkeypatch):
    monkeypatch.setattr(nuts_sampling, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"sampler='nutpie' is not installed.*pip install 'bayeslogit\[nutpie\]'"):
        lasso_fit.sample("nuts", sampler="nutpie")
    with pytest.raises(ArgumentError, match=r"sampler='numpyro' is not installed.*pip install 'bayeslogit\[numpyro\]'"):
        bl.sample(lasso_fit.design, prior=bl.Hierarchical(1.0), method="nuts", sampler="numpyro")


def test_no_mode_no_draws():
    x = np.array([-2.0, -1.0, 1.0, 2.0])
    with pytest.warns(bl.FitWarning):
        fit = bl.fit(bl.Design.from_arrays(x[:, None], x > 0.0), prior=None)
    with pytest.raises(FitError, match="improper"):
        fit.sample("nuts")


def test_power_scaling_of_chains_is_that_of_arviz(wells_nuts, lasso_nuts):
    az = pytest.importorskip("arviz")
    for draws in (wells_nuts, lasso_nuts):
        ours = bl.sensitivity(draws)
        theirs = az.psense_summary(draws.to_arviz(), prior_var_names=["beta"], round_to=9)
        assert ours.by_prior.by == ours.by_likelihood.by == "reweighting"
        assert ours.prior.to_numpy() == pytest.approx(theirs["prior"].to_numpy(), rel=0.02, abs=5e-4)
        assert ours.likelihood.to_numpy() == pytest.approx(theirs["likelihood"].to_numpy(), rel=0.02, abs=5e-4)
