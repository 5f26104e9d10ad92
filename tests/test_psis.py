"""Pareto smoothing of importance weights: against ArviZ, against known tails, and where there is no tail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayeslogit.posterior.psis import Pareto, fit_pareto, khat_limit, smooth


def log_weights(kind, rng, size):
    if kind == "normal":
        return 0.4 * rng.standard_normal(size)
    if kind == "heavy":
        return 2.5 * rng.standard_normal(size)
    if kind == "pareto":
        return -0.9 * np.log(rng.random(size))
    return np.log(rng.random(size))  # bounded weights: a tail index below zero


@pytest.mark.parametrize("size", [100, 226, 1000, 4000])
@pytest.mark.parametrize("kind", ["normal", "heavy", "pareto", "bounded"])
def test_agrees_with_arviz_once_the_sign_is_turned(kind, size, rng):
    given = log_weights(kind, rng, size) - 1234.5
    # ArviZ was written for log likelihoods: it takes minus the log weights, and shifts its result.
    theirs, khat = array_stats.psislw(-given)
    ours = smooth(given)
    assert abs(ours.khat - float(khat)) < 1e-10
    shift = ours.log_weights - theirs
    np.testing.assert_allclose(shift, shift.mean(), atol=1e-9)


def test_the_tail_is_that_of_the_large_weights(rng):
    given = -0.8 * np.log(rng.random(4000))
    assert smooth(given).khat > 0.6  # a Pareto tail of index 0.8
    assert smooth(-given).khat < 0.0  # turned about, weights are bounded


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.3, 0.7, 1.2])
def test_the_shape_of_a_generalized_pareto_is_found_again(shape, rng):
    n = 4000
    draws = Pareto(shape, 2.5).quantile(np.sort(rng.random(n)))
    found = fit_pareto(draws)
    # Standard error of the shape (1 + k) / sqrt(n) for k > -1/2, and the pull of ten observations of 0.5.
    pulled = (n * shape + 5.0) / (n + 10.0)
    assert abs(found.shape - pulled) < 4.0 * (1.0 + shape) / math.sqrt(n)
    assert abs(found.scale / 2.5 - 1.0) < 4.0 * math.sqrt(2.0 * (1.0 + shape) / n)


def test_order_and_sum_survive_and_no_weight_grows_beyond_the_largest(rng):
    given = log_weights("heavy", rng, 2000)
    found = smooth(given).log_weights
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(given, kind="stable"))
    assert found.max() <= given.max()
    below = np.argsort(given)[: 2000 - math.floor(3.0 * math.sqrt(2000))]
    assert np.array_equal(found[below], given[below])


@pytest.mark.parametrize("given", [np.zeros(1000), np.arange(20.0), np.where(np.arange(1000) < 990, 0.0, -np.inf)])
def test_weights_without_a_tail_are_left_alone(given):
    found = smooth(given)
    assert math.isnan(found.khat)
    assert np.array_equal(found.log_weights, given)


def test_the_limit_of_khat():
    assert khat_limit(100) == pytest.approx(0.5)
    assert khat_limit(1000) == pytest.approx(2.0 / 3.0)
    assert khat_limit(2100) == pytest.approx(1.0 - 1.0 / math.log10(2100))
    assert khat_limit(2200) == khat_limit(10**6) == 0.7  # from 10^(1 / 0.3) = 2,154 draws on
