"""The logistic function against 50-digit arithmetic: log density, score, variance and their Gaussian expectation."""

from __future__ import annotations

import decimal
from decimal import Decimal

import numpy as np
import pytest

from bayeslogit.logistic import expected_expit, expit, log_odds_terms, logit, majorant_variance, variance

# The grid crosses every regime: the centre, where exp loses half its digits, where 1 - mu rounds to 1, and dead tails.
ETA = np.array([0.0, 1e-12, 1e-3, 0.5, 1.0, 5.0, 17.0, 36.0, 37.0, 40.0, 100.0, 300.0, 700.0, 744.0, 800.0])
ETA = np.unique(np.concatenate([-ETA, ETA]))
TINY = np.finfo(float).tiny


def _relative(found, wanted):
    """Largest relative error; below the smallest normal double only the absolute size counts."""
    found, wanted = np.asarray(found), np.array([float(v) for v in wanted])
    return float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), TINY)))


def _exact(function, values):
    with decimal.localcontext(prec=50):
        return [function(Decimal(float(v))) for v in values]


def _mu(eta):
    return 1 / (1 + (-eta).exp())


def _log1p(small):
    return (1 + small).ln() if small > Decimal("1e-20") else small - small**2 / 2 + small**3 / 3


def _log_mu(eta):
    return min(eta, Decimal(0)) - _log1p((-abs(eta)).exp())


def test_log_density_of_a_success_and_of_a_failure_to_eta_800():
    # log(1 - expit(eta)) by subtraction is -inf from eta = 37 on, and log(expit(-800)) is -inf.
    one = log_odds_terms(ETA, np.ones_like(ETA), np.zeros_like(ETA))
    zero = log_odds_terms(ETA, np.zeros_like(ETA), np.ones_like(ETA))
    assert _relative(one.log_density, _exact(_log_mu, ETA)) < 4e-16
    assert _relative(zero.log_density, _exact(lambda e: _log_mu(-e), ETA)) < 4e-16


def test_score_keeps_its_relative_accuracy_in_both_tails():
    # y - mu by subtraction is exactly 0 for a success at eta = 40, where it should be 4e-18.
    one = log_odds_terms(ETA, np.ones_like(ETA), np.zeros_like(ETA)).residual
    zero = log_odds_terms(ETA, np.zeros_like(ETA), np.ones_like(ETA)).residual
    inside = np.abs(ETA) < 700
    assert _relative(one[inside], _exact(lambda e: _mu(-e), ETA[inside])) < 4e-16
    assert _relative(zero[inside], _exact(lambda e: -_mu(e), ETA[inside])) < 4e-16
    assert one[0] == 1.0 and zero[-1] == -1.0 and 0.0 <= one[-1] <= TINY


@pytest.mark.parametrize("which", ["terms", "variance"])
def test_variance_has_an_exact_tail(which):
    found = log_odds_terms(ETA, np.ones_like(ETA), ETA * 0).variance if which == "terms" else variance(ETA)
    inside = np.abs(ETA) < 700
    assert _relative(found[inside], _exact(lambda e: _mu(e) * _mu(-e), ETA[inside])) < 6e-16
    assert np.all(found[~inside] < 1e-300) and np.all(np.isfinite(found))


def test_derivatives_by_finite_differences_of_the_exact_log_density(rng):
    step = Decimal("1e-15")
    successes, failures = rng.integers(0, 5, ETA.size) * 0.5, rng.integers(1, 5, ETA.size) * 1.5
    terms = log_odds_terms(ETA, successes, failures)

    def density(eta, i):
        return Decimal(successes[i]) * _log_mu(eta) + Decimal(failures[i]) * _log_mu(-eta)

    with decimal.localcontext(prec=80):
        for i in np.flatnonzero(np.abs(ETA) < 40):
            at, e = Decimal(float(ETA[i])), int(i)
            slope = (density(at + step, e) - density(at - step, e)) / (2 * step)
            curve = (density(at + step, e) - 2 * density(at, e) + density(at - step, e)) / step**2
            assert float(slope) == pytest.approx(terms.residual[i], rel=1e-13, abs=1e-28)
            assert -float(curve) == pytest.approx((successes + failures)[i] * terms.variance[i], rel=1e-12)


def test_score_is_linear_in_the_counts():
    terms = log_odds_terms(ETA, np.full_like(ETA, 3.0), np.full_like(ETA, 0.5))
    one = log_odds_terms(ETA, np.ones_like(ETA), np.zeros_like(ETA))
    zero = log_odds_terms(ETA, np.zeros_like(ETA), np.ones_like(ETA))
    np.testing.assert_allclose(terms.log_density, 3 * one.log_density + 0.5 * zero.log_density, rtol=1e-15)
    np.testing.assert_allclose(terms.residual, 3 * one.residual + 0.5 * zero.residual, rtol=1e-15, atol=0)


def test_majorant_lies_above_the_negative_log_density_everywhere():
    # l(t) >= l(e) + l'(e) (t - e) - k(e) (t - e)^2 / 2 with equality at t = -e: the bound is the tightest possible.
    t = np.linspace(-60, 60, 241)
    zero = np.zeros_like(t)
    for e in (0.0, 1e-5, 2e-4, 0.7, 5.0, 30.0):
        at = log_odds_terms(np.array([e]), np.ones(1), np.zeros(1))
        curve = majorant_variance(np.array([e]))
        bound = at.log_density + at.residual * (t - e) - curve * (t - e) ** 2 / 2
        value = log_odds_terms(t, zero + 1, zero).log_density
        assert np.all(bound <= value + 1e-12 * np.abs(value) + 1e-13)
        touched = at.log_density - 2 * e * at.residual - 2 * curve * e**2
        np.testing.assert_allclose(
            touched, log_odds_terms(np.array([-e]), np.ones(1), np.zeros(1)).log_density, rtol=1e-11
        )
    assert majorant_variance(np.array([800.0])) == pytest.approx(1 / 1600)


def test_majorant_joins_its_series_without_a_step():
    around = majorant_variance(np.array([0.99e-4, 1.01e-4, -0.99e-4]))
    exact = _exact(lambda e: (1 - 2 * _mu(-e)) / (2 * e), [0.99e-4, 1.01e-4, 0.99e-4])
    assert _relative(around, exact) < 1e-11


def test_logit_undoes_expit():
    p = np.array([1e-300, 1e-17, 0.1, 0.5, 0.9, 1 - 1e-15])
    assert _relative(logit(p), _exact(lambda v: v.ln() - (1 - v).ln(), p)) < 1e-15
    np.testing.assert_allclose(expit(logit(p)), p, rtol=1e-12)


def _expectation(mean: float, sd: float) -> Decimal:
    """``E[expit(eta)]`` by a trapezoid rule in z of 30 digits, range and step well past what double precision sees."""
    with decimal.localcontext(prec=30):
        m, s = Decimal(mean), Decimal(sd)
        # The poles of expit stand pi / s off the real line: the step shrinks with s.
        step = Decimal("0.1") / max(Decimal(1), s / 4).quantize(Decimal("0.01"))
        total, count = Decimal(0), int(12 / step)
        for k in range(-count, count + int(4 / step) * (sd <= 5)):
            z = k * step
            total += _mu(m + s * z) * (-z * z / 2).exp()
        return total * step / (2 * Decimal("3.14159265358979323846264338328")).sqrt()


@pytest.mark.parametrize("sd", [1e-9, 0.01, 0.5, 1.0, 2.5, 3.999, 4.0])
def test_expected_expit_is_relatively_exact_up_to_sd_4(sd):
    # A probability of 1e-130 keeps twelve digits: the mean of exp(eta) sits sd^2 above the mean of eta.
    mean = np.array([-300.0, -50.0, -20.0, -6.0, -1.0, -1e-3, 0.0])
    found = expected_expit(mean, np.full(7, sd))
    assert _relative(found, [_expectation(m, sd) for m in mean]) < 1e-12
    np.testing.assert_array_equal(expected_expit(-mean, np.full(7, sd)), 1.0 - found)


@pytest.mark.parametrize("sd", [4.001, 5.0, 10.0, 30.0, 100.0])
def test_expected_expit_beyond_sd_4_to_twelve_decimals(sd):
    # Plain Gauss-Hermite with 40 nodes is wrong in the third decimal at sd = 30.
    mean = np.array([-300.0, -100.0, -30.0, -5.0, -0.5, 0.0, 2.0, 60.0, 300.0])
    found = expected_expit(mean, np.full(9, sd))
    assert np.max(np.abs(found - np.array([float(_expectation(m, sd)) for m in mean]))) < 1e-12


def test_expected_expit_at_sd_zero_is_expit_and_at_mean_zero_is_one_half():
    mean = np.linspace(-300, 300, 41)
    np.testing.assert_allclose(expected_expit(mean, np.zeros(41)), expit(mean), rtol=1e-12)
    np.testing.assert_allclose(expected_expit(np.zeros(5), np.array([0.0, 1.0, 4.0, 5.0, 100.0])), 0.5, rtol=1e-13)


def test_expected_expit_broadcasts_and_keeps_more_rows_than_a_chunk():
    mean = np.linspace(-3, 3, 9001).reshape(9001, 1)
    found = expected_expit(mean, np.array([[1.0, 6.0]]))
    assert found.shape == (9001, 2)
    assert found[8000, 1] == pytest.approx(float(_expectation(mean[8000, 0], 6.0)), abs=1e-12)
    assert np.all(np.diff(found, axis=0) > 0)
