"""The log evidence by annealed particles: against integration by lattice points, importance sampling, and identities.

References are written out here: with X of n rows and a Normal(0, s) prior the log-odds are N(0, s^2 X X'), so that the
evidence is the mean likelihood over n normal numbers, taken at 2^16 scrambled Sobol points.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import norm, qmc

import bayeslogit as bl
from bayeslogit.multiples import Base
from bayeslogit.posterior.annealed import annealing_serves, sample_annealed
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.scale_evidence import Sampler
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior


def simulated(n, p, sd, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, (rng.random(n) < expit(X @ rng.normal(size=p) * sd)).astype(float)


def annealed(design, prior, rng=0):
    target = LogPosterior.of(design, prior.resolve(design))
    return sample_annealed(target, find_mode(target), 1000, rng)


def by_lattice(X, y, sd):
    """Log evidence and its error from eight scramblings."""
    root = sd * np.linalg.cholesky(X @ X.T)
    each = []
    for seed in range(8):
        eta = norm.ppf(qmc.Sobol(y.size, seed=seed).random_base2(13)) @ root.T
        each.append(logsumexp((y * eta - np.logaddexp(0.0, eta)).sum(axis=1)) - 13 * np.log(2.0))
    return np.mean(each), np.std(each, ddof=1) / np.sqrt(8)


@pytest.mark.parametrize(("n", "p", "sd"), [(6, 8, 0.5), (6, 8, 2.0), (5, 20, 0.5), (5, 20, 8.0)])
def test_more_columns_than_rows_against_integration_over_the_log_odds(n, p, sd):
    X, y = simulated(n, p, 1.0, n + p)
    rung = annealed(bl.Design.from_arrays(X, y, intercept=False), bl.Normal(sd))
    exact, error = by_lattice(X, y, sd)
    assert rung.level in ("certified", "approximate") and rung.log_evidence_se < 0.04
    assert abs(rung.log_evidence - exact) < 4.0 * np.hypot(rung.log_evidence_se, error)


@pytest.mark.parametrize("default", [bl.Normal(0.5), bl.Laplace(0.3)], ids=repr)
def test_where_importance_sampling_certifies_both_say_the_same(default):
    X, y = simulated(200, 20, 0.5, 0)
    design = bl.Design.from_arrays(X, y)
    prior = bl.priors(default=default, intercept=bl.Normal(2.0))
    target = LogPosterior.of(design, prior.resolve(design))
    exact = sample_importance(target, find_mode(target), 1, 0)
    rung = annealed(design, prior)
    assert exact.level == "certified" and rung.log_evidence_se < 0.03
    assert abs(rung.log_evidence - exact.log_evidence) < 4.0 * rung.log_evidence_se + 0.01
    off = np.concatenate([(rung.mean - exact.mean) / rung.mean_mcse, (rung.sd - exact.sd) / rung.sd_mcse])
    assert np.sqrt(np.mean(off**2)) < 2.0 and np.max(np.abs(rung.mean - exact.mean) / exact.sd) < 0.1
    probs = np.array([0.05, 0.5, 0.95])
    assert np.max(np.abs(rung.quantile(probs) - exact.quantile(probs)) / exact.sd) < 0.15


def test_the_scale_that_made_the_data_is_where_the_evidence_is_level_on_average():
    """E[d log Z / d log c] over data from the prior is zero at the true scale (the score of c has mean zero)."""
    slopes, errors = [], []
    for seed in range(10):
        X, y = simulated(30, 45, 0.6, seed)
        design = bl.Design.from_arrays(X, y, intercept=False)
        resolved = bl.Normal(0.6).resolve(design)
        sampler = Sampler(design, resolved, Base.of(design, resolved, "raw"), seed)
        point = sampler.at(1.0)
        assert point.level in ("certified", "approximate") and point.se < 0.05
        slopes.append(point.slope)
        errors.append(point.slope_se)
    assert max(errors) < 0.15
    assert abs(np.mean(slopes)) < 3.5 * np.std(slopes, ddof=1) / np.sqrt(10)


def test_slopes_by_squares_of_particles_are_differences_of_log_evidences():
    X, y = simulated(30, 45, 0.6, 3)
    design = bl.Design.from_arrays(X, y, intercept=False)
    low, middle, high = (annealed(design, bl.Normal(0.6 * np.exp(step)), 1) for step in (-0.4, 0.0, 0.4))
    total, error = middle.estimator.squares(np.arange(45), np.zeros(45), np.full(45, 0.6))
    noise = np.hypot(low.log_evidence_se, high.log_evidence_se) / 0.8
    assert abs(total - 45.0 - (high.log_evidence - low.log_evidence) / 0.8) < 4.0 * np.hypot(error, noise) + 0.02
    plain = np.sum((middle.sd**2 + middle.mean**2) / 0.36)
    assert abs(plain - total) < 1.0


def test_it_says_for_what_it_serves():
    X, y = simulated(30, 4, 0.6, 3)
    design = bl.Design.from_arrays(X, y)
    serves = {name: annealing_serves(LogPosterior.of(design, prior.resolve(design))) for name, prior in PRIORS.items()}
    assert serves == {"normal": True, "laplace": True, "t": False, "jeffreys": False}
    wide, outcome = simulated(300, 400, 0.3, 1)
    big = bl.Design.from_arrays(wide, outcome)
    assert not annealing_serves(LogPosterior.of(big, bl.Normal(1.0).resolve(big)))


PRIORS = {"normal": bl.Normal(1.0), "laplace": bl.Laplace(1.0), "t": bl.StudentT(3, 1.0), "jeffreys": bl.Jeffreys()}
