"""On simulated truth: bias, variance and error along the axis, and the scale that evidence finds again."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest
from scipy.special import expit

import bayeslogit as bl

TRUTH = np.array([-0.3, 0.8, -0.5, 0.0])


def rows(n=3000, seed=1, scales=(1.0, 3.0, 0.2)):
    rng = np.random.default_rng(seed)
    X = rng.normal(0.4, 1.0, (n, 3)) * np.array(scales)
    return bl.Design.from_arrays(X, rng.binomial(1, 0.5, n), names=["a", "b", "c"])


def dense(design):
    return np.vstack([block.X.toarray() for block in design.source.blocks()])


@pytest.fixture(scope="module")
def plenty():
    design = rows()
    return design, bl.bias_variance(design, truth=TRUTH, scales=[0.01, 0.03, 0.1, 1.0], simulations=80, rng=3)


def test_with_many_rows_bias_and_variance_are_those_of_ridge_about_the_truth(plenty):
    # The mode is then beta - (H + L)^-1 L beta on average, with covariance (H + L)^-1 H (H + L)^-1, H at the estimate.
    design, found = plenty
    X, sds = dense(design), design.column_sds
    for s, scale in enumerate(found.scales):
        L = np.diag([0.0, *np.square(sds[1:] / scale)])
        center = TRUTH.copy()
        for _ in range(50):  # where the expected score is zero
            mean = expit(X @ center)
            H = X.T @ (X * (mean * (1.0 - mean))[:, None])
            center = center + np.linalg.solve(H + L, X.T @ (expit(X @ TRUTH) - mean) - L @ center)
        noise = X.T @ (X * (expit(X @ TRUTH) * expit(-X @ TRUTH))[:, None])
        cover = np.linalg.solve(H + L, np.linalg.solve(H + L, noise).T)
        bias2 = np.square((center - TRUTH)[1:] * sds[1:]).sum()
        variance = (np.diag(cover)[1:] * np.square(sds[1:])).sum()
        # 80 data sets: a mean has 1/80 of the variance, and the variance of three coefficients is known to a tenth.
        assert found.bias2[s] == pytest.approx(
            bias2, abs=4.0 * math.sqrt(variance / 80.0 * max(bias2, variance / 80.0))
        )
        assert found.variance[s] == pytest.approx(variance, rel=0.35)
    assert found.error == pytest.approx(found.bias2 + found.variance)


def test_the_loss_of_new_outcomes_is_exact_and_that_of_the_fits_is_lower(plenty):
    design, found = plenty
    chance = expit(dense(design) @ TRUTH)
    entropy = -float(np.mean(chance * np.log(chance) + (1.0 - chance) * np.log1p(-chance)))
    # Three slopes and an intercept cost half a parameter an observation each, either way: half a chi-squared of 4 in
    # all, whose mean over 80 data sets has an error of half of sqrt(8 / 80).
    assert found.test[-1] - entropy == pytest.approx(0.5 * 4 / 3000, abs=4 * 0.5 * math.sqrt(8 / 80) / 3000)
    assert np.all(found.test > entropy) and np.all(found.train < found.test)
    assert found.test[-1] - found.train[-1] == pytest.approx(4 / 3000, abs=4 * 0.5 / math.sqrt(80 * 3000))


def test_bias_falls_variance_rises_and_the_least_error_lies_between():
    found = bl.bias_variance(rows(60, 2), truth={"Intercept": 0.2, "a": 0.8, "b": 0.3}, simulations=60, rng=4)
    assert np.all(np.diff(found.variance) > 0.0) and found.bias2[0] > 20.0 * found.bias2.min()
    assert found.at_boundary is None
    assert found.uncertainty[0] <= found.scale <= found.uncertainty[1]
    k = int(np.argmin(found.error))
    assert found.scale == found.scales[k] == found.statistics["error"].idxmin()
    assert found.truth.tolist() == [0.2, 0.8, 0.3, 0.0]
    again = bl.bias_variance(rows(60, 2), truth={"Intercept": 0.2, "a": 0.8, "b": 0.3}, simulations=60, rng=4)
    assert np.array_equal(again.error, found.error)


def test_figures_have_the_numbers_and_end_where_a_curve_leaves():
    found = bl.bias_variance(rows(40, 5), truth=np.zeros(4), scales=[0.03, 0.3, 3.0, 300.0], simulations=30)
    chart = found.figure()
    assert chart.table.column("error") == pytest.approx(tuple(found.error))
    (error,) = [layer for layer in chart.layers if getattr(layer, "label", "") == "error: their sum"]
    top = chart.y.upper
    assert top < found.error.max() and max(error.y) == pytest.approx(top)
    assert "Curves that leave the chart go on" in chart.notes[0]
    for drawn in (bl.plot.bias_variance(found), bl.plot.train_test(found)):
        assert drawn.axes
    labels = [end.text for end in found.train_test().ends]
    assert labels == ["new outcomes", "data of the fits"]
    assert "<svg" in found._repr_html_() and "least error" in repr(found)


def test_the_axis_of_a_data_set_has_a_train_and_test_view_too(pima):
    axis = bl.scale_axis("type ~ glu + bmi", pima.head(150), scales=[0.2, 0.5, 2.0], folds=5)
    figure = bl.plot.train_test(axis)
    assert figure.chart.table.column("train_log_loss") == pytest.approx(tuple(axis.cv.of("train_log_loss")))
    lines = [layer for layer in figure.chart.layers if type(layer).__name__ == "Line"]
    assert lines[0].y == pytest.approx(tuple(axis.cv.of("log_loss")))
    assert lines[1].y == pytest.approx(tuple(axis.cv.of("train_log_loss")))
    with pytest.raises(bl.ArgumentError, match="train_test"):
        bl.plot.train_test("axis")


def test_outcomes_without_a_mode_are_counted_and_said():
    design = rows(25, 7)
    found = bl.bias_variance(design, truth={"Intercept": -3.0}, scales=[0.1, 1.0], simulations=60, rng=1)
    chance = expit(-3.0)
    assert found.failed + found.simulations == 60
    # No event at all in (1 - p)^25 of them: then a flat intercept has no mode.
    assert found.failed / 60 == pytest.approx((1 - chance) ** 25, abs=4 * 0.5 / math.sqrt(60))
    assert f"{found.failed} of 60 sets of outcomes are left out" in str(found)
    with pytest.raises(bl.FitError, match="0 of 5 sets"):
        bl.bias_variance(design, truth={"Intercept": -40.0}, scales=[0.1, 1.0], simulations=5)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"truth": {"d": 1.0}}, "no column 'd'"),
        ({"truth": [1.0, 2.0]}, "finite coefficients by column are needed, or 4"),
        ({"truth": None}, "finite coefficients"),
        ({"truth": [10**400] * 4}, "finite coefficients"),
        ({"truth": [0.0, 1.0, math.nan, 0.0]}, "finite coefficients"),
        ({"truth": TRUTH, "simulations": 1}, "simulations=1"),
        ({"truth": TRUTH, "prior": bl.Flat()}, "no term of this prior has a scale"),
        ({"truth": TRUTH, "scales": [1.0]}, "scales="),
    ],
)
def test_what_cannot_be_right_is_refused(given, match):
    with pytest.raises(bl.ArgumentError, match=match):
        bl.bias_variance(rows(30), **given)


def test_evidence_finds_the_scale_again_from_which_the_coefficients_were_drawn():
    # The evidence is the likelihood of the scale: its 1.92-nat interval covers the truth about 95 times in 100, and the
    # best scales of 18 data sets average to it.
    covered, ratios = 0, []
    for k, scale in enumerate(np.repeat([0.2, 0.6, 1.5], 6)):
        rng = np.random.default_rng(k)
        X = rng.normal(size=(400, 12))
        y = rng.binomial(1, expit(X @ rng.normal(0.0, scale, 12)))
        design = bl.Design.from_arrays(X, y)
        best = bl.choose_scale(design, prior=bl.Normal, by="evidence", base="raw", scales=7, rng=k)
        covered += best.uncertainty[0] <= scale <= best.uncertainty[1]
        ratios.append(math.log(best.scale / scale))
    assert covered >= 15  # of 18; fewer has probability 0.01 at 95 %
    # A scale from 12 coefficients has an error of about 1 / sqrt(24) on its logarithm, and more where these are noisy.
    assert abs(np.mean(ratios)) < 3.0 * 0.28 / math.sqrt(18) + 0.05


def test_docstring_examples_hold():
    result = doctest.testmod(importlib.import_module("bayeslogit._bias_variance"))
    assert result.attempted > 0 and result.failed == 0
