"""Model checks against brute force: isotonic calibration and its bands, binned residuals, replicates, influence."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution
from scipy.stats import binom, norm
from sklearn.isotonic import IsotonicRegression

import bayeslogit as bl
from bayeslogit import model_checks as mc
from bayeslogit.corp import isotonic, resampled
from bayeslogit.errors import ArgumentError


def outcomes(n: int = 400, seed: int = 1, skew: float = 1.0):
    rng = np.random.default_rng(seed)
    p = rng.beta(2.0, 3.0, n)
    y = (rng.random(n) < p**skew).astype(float)
    return y, np.ones(n), p, np.ones(n)


def grouped(seed: int = 2):
    rng = np.random.default_rng(seed)
    p = np.array([0.1, 0.3, 0.3, 0.5, 0.8, 0.95])
    trials = np.array([4.0, 7.0, 3.0, 9.0, 6.0, 5.0])
    return rng.binomial(trials.astype(int), p).astype(float), trials, p, np.array([1.0, 2.0, 1.0, 1.0, 3.0, 0.0])


def min_max(values, weights):
    """Isotonic regression by its closed form: max over starts of the min over ends of the averages between."""
    n = len(values)

    def average(a, b):
        return float(np.average(values[a : b + 1], weights=weights[a : b + 1]))

    return [max(min(average(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]


# --- calibration -------------------------------------------------------------------------------------------------


def test_the_curve_is_isotonic_regression():
    for y, trials, p, weights in (outcomes(), grouped()):
        curve = mc.calibration(y, trials, p, weights, replicates=20)
        used = weights > 0
        reference = IsotonicRegression().fit(p[used], (y / trials)[used], sample_weight=(weights * trials)[used])
        assert np.allclose(curve.rate, reference.predict(curve.predicted), atol=1e-12)
        assert curve.count.sum() == pytest.approx(float(weights @ trials))
        assert np.array_equal(curve.predicted, np.unique(p[used]))


def test_the_closed_form_of_isotonic_regression_agrees():
    rng = np.random.default_rng(3)
    values, weights = rng.random(25), rng.random(25) + 0.1
    assert np.allclose(isotonic(values, weights), min_max(values, weights), atol=1e-12)


def test_scores_are_their_parts_and_equal_those_of_expanded_rows():
    y, trials, p, weights = grouped()
    curve = mc.calibration(y, trials, p, weights, replicates=20)
    single = [
        (outcome, q)
        for s, m, q, w in zip(y, trials, p, weights, strict=True)
        for outcome in [1.0] * round(s * w) + [0.0] * round((m - s) * w)
    ]
    o, q = (np.array(part) for part in zip(*single, strict=True))
    assert curve.brier.score == pytest.approx(float(np.mean((o - q) ** 2)), rel=1e-12)
    assert curve.log_score.score == pytest.approx(float(-np.mean(np.log(np.where(o == 1, q, 1 - q)))), rel=1e-12)
    assert curve.brier.uncertainty == pytest.approx(float(np.var(o)), rel=1e-12)
    for score in (curve.brier, curve.log_score):
        assert min(score) >= 0.0
        assert score.score == pytest.approx(score.miscalibration - score.discrimination + score.uncertainty, rel=1e-12)
    expanded = mc.calibration(o, np.ones_like(o), q, np.ones_like(o), replicates=20)
    assert np.allclose(expanded.rate, curve.rate)
    assert expanded.brier == pytest.approx(curve.brier)


def test_the_consistency_band_of_one_prediction_is_binomial():
    n, p = 60, 0.3
    curve = mc.calibration(np.repeat([1.0, 0.0], [20, 40]), np.ones(n), np.full(n, p), np.ones(n), replicates=20000)
    assert curve.rate == pytest.approx([1 / 3])
    exact = binom(n, p).ppf([0.025, 0.975]) / n
    assert [float(curve.lower[0]), float(curve.upper[0])] == pytest.approx(exact, abs=1.01 / n)
    # Excess of the squared distance from p: all counts that are as far off, or farther.
    far = sum(binom(n, p).pmf(k) for k in range(n + 1) if abs(k / n - p) >= abs(20 / n - p) - 1e-12)
    assert curve.tail == pytest.approx(far, abs=4 * math.sqrt(far * (1 - far) / 20000))


def test_the_consistency_band_holds_what_it_says():
    y, trials, p, weights = outcomes(300)
    curve = mc.calibration(y, trials, p, weights, replicates=2000, rng=5)
    rng = np.random.default_rng(6)
    fresh = np.array([isotonic(e, curve.count) for e in resampled(curve.predicted, curve.count, 2000, rng)])
    inside = np.mean((fresh >= curve.lower) & (fresh <= curve.upper), axis=0)
    assert 0.94 < inside.mean() < 0.97  # ties at 0 and 1 add to it
    assert inside.min() > 0.92


def test_wrong_predictions_leave_the_band_and_right_ones_do_not():
    right = mc.calibration(*outcomes(4000, seed=7))
    wrong = mc.calibration(*outcomes(4000, seed=7, skew=2.0))
    assert right.outside < 0.3 < 0.8 < wrong.outside
    assert right.tail > 0.01
    assert wrong.tail == pytest.approx(1 / 1001)
    assert wrong.brier.miscalibration > 10 * right.brier.miscalibration


def test_the_confidence_band_is_that_of_every_run_of_neighbours():
    y, trials, p, weights = outcomes(40, seed=8)
    curve = mc.calibration(y, trials, p, weights, band="confidence", prob=0.9)
    order = np.argsort(p)
    ones, k = y[order], 40
    level = 0.1 / (k * (k + 1))
    lower, upper = np.zeros(k), np.ones(k)
    for a, b in itertools.combinations_with_replacement(range(k), 2):
        n, s = b - a + 1, ones[a : b + 1].sum()
        low = beta_distribution.ppf(level, s, n - s + 1) if s else 0.0
        high = beta_distribution.ppf(1 - level, s + 1, n - s) if s < n else 1.0
        lower[b:] = np.maximum(lower[b:], low)
        upper[: a + 1] = np.minimum(upper[: a + 1], high)
    assert np.allclose(curve.lower, lower, atol=1e-9)
    assert np.allclose(curve.upper, upper, atol=1e-9)
    assert math.isnan(curve.tail)


def test_the_confidence_band_covers_a_rising_rate():
    rng = np.random.default_rng(9)
    p = np.sort(rng.random(500))
    truth = p**1.5
    for _ in range(60):
        y = (rng.random(500) < truth).astype(float)
        curve = mc.calibration(y, np.ones(500), p, np.ones(500), band="confidence", prob=0.9)
        assert np.all((curve.lower <= truth) & (truth <= curve.upper))  # Bonferroni: far above 90 %
    assert np.mean(curve.upper - curve.lower) < 0.5


def test_many_predictions_are_pooled_for_the_band_and_say_so():
    curve = mc.calibration(*outcomes(3000), replicates=50)
    assert curve.predicted.size == 3000
    assert curve.notes == ("The band is worked out on 2,000 groups of neighbouring predictions.",)
    assert curve.notes[0] in curve.chart().notes


def test_parts_of_observations_are_resampled_with_what_they_weigh():
    drawn = resampled(np.array([0.3, 0.6]), np.array([2.5, 0.25]), 40000, np.random.default_rng(1))
    assert drawn.mean(axis=0) == pytest.approx([0.75, 0.15], abs=0.01)
    assert drawn.var(axis=0) == pytest.approx([2.25 * 0.21, 0.0625 * 0.24], rel=0.05)


def test_what_cannot_be_checked_is_refused():
    y, trials, p, weights = outcomes(5)
    with pytest.raises(ArgumentError, match="every prediction is a probability"):
        mc.calibration(y, trials, p + 1.0, weights)
    with pytest.raises(ArgumentError, match="nothing to check"):
        mc.calibration(y, trials, p, 0.0 * weights)
    with pytest.raises(ArgumentError, match=r"need one length; got \(5,\), \(5,\), \(4,\), \(5,\)"):
        mc.calibration(y, trials, p[:4], weights)
    with pytest.raises(ArgumentError, match="'consistency', 'confidence'"):
        mc.calibration(y, trials, p, weights, band="wide")
    with pytest.raises(ArgumentError, match="at least one bin"):
        mc.binned_residuals(y, trials, p, weights, bins=0)


# --- binned residuals --------------------------------------------------------------------------------------------


def test_binned_residuals_by_hand():
    y, trials, p, weights = outcomes(200, seed=11)
    found = mc.binned_residuals(y, trials, p, weights, bins=10, prob=0.9)
    order = np.argsort(p).reshape(10, 20)
    z = norm.ppf(0.95)
    assert np.allclose(found.at, p[order].mean(axis=1))
    assert np.allclose(found.residual, (y - p)[order].mean(axis=1))
    assert np.allclose(found.limit, z * np.sqrt((p * (1 - p))[order].sum(axis=1)) / 20)
    assert found.count.tolist() == [20.0] * 10
    assert found.outside == int(np.sum(np.abs(found.residual) > found.limit))


def test_binned_residuals_of_counts_equal_those_of_their_rows():
    y, trials, p, weights = grouped()
    x = np.array([1.0, 2.0, 2.0, 3.0, 3.0, 9.0])
    found = mc.binned_residuals(y, trials, p, weights, by=x, name="dose")
    assert found.at.tolist() == [1.0, 2.0, 3.0]
    n = weights * trials
    for k, value in enumerate(found.at):
        here = x == value
        assert found.count[k] == n[here].sum()
        assert found.residual[k] == pytest.approx(float(((weights * y - n * p)[here]).sum() / n[here].sum()))
    assert found.chart().x.label == "dose"


def test_limits_hold_under_the_model():
    rng = np.random.default_rng(12)
    p = rng.random(2000)
    outside = sum(
        mc.binned_residuals((rng.random(2000) < p).astype(float), np.ones(2000), p, np.ones(2000), bins=20).outside
        for _ in range(100)
    )
    assert outside / 2000 == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 2000))


# --- replicated statistics ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wells():
    frame = bl.datasets.load("wells")
    design = bl.Design.from_formula("switch ~ dist100 + arsenic", frame)
    return design, bl.fit(design, prior=bl.Normal(2.5))


def test_one_draw_replicates_binomials(wells):
    design, _ = wells
    values = np.tile([[0.2, -0.5, 0.3]], (3000, 1))
    X = np.concatenate([b.X.toarray() for b in design.source.blocks()])
    p = 1 / (1 + np.exp(-X @ values[0]))
    y = design.outcome_arrays()[0]
    part = (X[:, 2] > 1.0).astype(int)
    found = mc.predictive_statistics(
        values, design, groups=[mc.Groups(("little", "much"), part)], draws=3000, prob=0.5, rng=4
    )
    assert found.n == 3000
    at = {name: k for k, name in enumerate(found.names)}
    assert set(at) == {
        "event rate: all",
        "event rate: little",
        "event rate: much",
        "event rate: tenth predicted lowest",
        "event rate: tenth predicted highest",
        "Pearson's chi-squared per row",
    }
    for name, rows in (("all", part >= 0), ("little", part == 0), ("much", part == 1)):
        k, n = at[f"event rate: {name}"], rows.sum()
        sd = math.sqrt(float((p * (1 - p))[rows].sum())) / n
        assert found.observed[k] == pytest.approx(y[rows].mean())
        assert found.median[k] == pytest.approx(p[rows].mean(), abs=0.1 * sd)
        assert found.upper[k] - found.lower[k] == pytest.approx(2 * norm.ppf(0.75) * sd, rel=0.1)
        assert found.tail[k] == pytest.approx(norm.sf((y[rows].mean() - p[rows].mean()) / sd), abs=0.03)
    chi = float(np.mean((y - p) ** 2 / (p * (1 - p))))
    assert found.observed[at["Pearson's chi-squared per row"]] == pytest.approx(chi)
    assert found.median[at["Pearson's chi-squared per row"]] == pytest.approx(1.0, abs=0.005)


def test_replicates_of_the_fitted_model_look_like_the_data(wells):
    design, fit = wells
    found = mc.predictive_statistics(fit.sample("laplace", draws=500).values, design, rng=1)
    k = found.names.index("event rate: all")
    assert 0.3 < found.tail[k] < 0.7
    again = mc.predictive_statistics(fit.sample("laplace", draws=500).values, design, rng=1)
    assert np.array_equal(found.lower, again.lower)
    assert len(found.chart().rows) == found.rates == 3


# --- influence ---------------------------------------------------------------------------------------------------


def test_the_shift_is_one_newton_step_without_the_row(wells):
    _, fit = wells
    design = fit.design
    y, trials, weights = design.outcome_arrays()
    given = fit._predict(None, None, 0.95, "mode")
    found = mc.influence(y, trials, weights, given.probability, given.linear_predictor_sd)
    X = np.concatenate([b.X.toarray() for b in design.source.blocks()])
    p, beta = given.probability, fit.params.to_numpy()
    prior = np.diag([0.0, 1 / 2.5**2, 1 / 2.5**2])
    H = (X * (p * (1 - p))[:, None]).T @ X + prior
    for i in (0, 7, int(found.order[0])):
        without = H - p[i] * (1 - p[i]) * np.outer(X[i], X[i])
        score = X.T @ (y - p) - prior @ beta - X[i] * (y[i] - p[i])
        step = np.linalg.solve(without, score)
        assert found.shift[i] == pytest.approx(math.sqrt(step @ H @ step), rel=2e-4)
        assert found.leverage[i] == pytest.approx(p[i] * (1 - p[i]) * X[i] @ np.linalg.solve(H, X[i]), rel=1e-6)
    keep = np.arange(len(y)) != found.order[0]
    refit = bl.fit(bl.Design.from_arrays(X[keep, 1:], y[keep]), prior=bl.Normal(2.5)).params.to_numpy()
    moved = refit - beta
    assert found.shift[found.order[0]] == pytest.approx(math.sqrt(moved @ H @ moved), rel=0.05)


def test_influence_carries_leave_one_out_and_names_the_largest(wells):
    _, fit = wells
    given = fit._predict(None, None, 0.95, "mode")
    loo = fit.loo(refits=0)
    y, trials, weights = fit.design.outcome_arrays()
    found = mc.influence(
        y,
        trials,
        weights,
        given.probability,
        given.linear_predictor_sd,
        elpd=loo.elpd_i,
        pareto_k=loo.pareto_k,
        flags=loo.flags,
    )
    assert np.array_equal(found.elpd, loo.elpd_i)
    assert len(found.table(7).rows) == 7
    assert found.table().column("shift")[0] == found.shift.max()
    chart = found.chart()
    assert "The 2,000 most influential of 3,020 rows are drawn." in chart.notes
    assert len(chart.data.rows) == 2000
    assert chart.y.label == "leave-one-out log density of an observation"
