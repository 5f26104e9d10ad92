"""Coverage of intervals on the user's own rows: against what can be worked out, and in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

import bayeslogit as bl


def test_one_column_of_counts_has_the_coverage_that_enumeration_gives():
    """An intercept alone: every outcome can be listed, with its interval and its probability."""
    n, truth, prior = 30, 1.2, bl.priors(intercept=bl.Normal(1.0))
    design = bl.Design.from_arrays(np.empty((1, 0)), [10], trials=[n])
    exact = 0.0
    for k in range(n + 1):
        fit = bl.fit(bl.Design.from_arrays(np.empty((1, 0)), [k], trials=[n]), prior=prior)
        lower, upper = fit.conf_int(0.9).to_numpy()[0]
        exact += binom.pmf(k, n, 1 / (1 + np.exp(-truth))) * (lower <= truth <= upper)
    found = bl.coverage(design, prior=prior, truth=[truth], simulations=800, prob=0.9, rng=1)
    assert abs(found.share[0] - exact) < 4 * np.sqrt(exact * (1 - exact) / 800)
    assert found.bounds[0, 0] < exact < found.bounds[0, 1]


def test_a_prior_that_is_wrong_is_caught_and_named():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 2))
    design = bl.Design.from_arrays(X, rng.random(150) < 0.5)
    found = bl.coverage(design, prior=bl.Normal(0.15), truth={"x1": 1.5, "Intercept": 0.0, "x2": 0.0}, rng=1)
    assert "x1" in found.off and found.share[1] < 0.05
    assert found.share[2] > 0.95
    assert any(note.startswith("The 95 % interval of x1 covers its true value in 0") for note in found.table().notes)
    assert "x1" in str(found) and "Coverage of" in found._repr_html_()


def test_truth_from_the_prior_is_covered_as_often_as_it_says():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(40, 2))
    design = bl.Design.from_arrays(X, rng.random(40) < 0.5)
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(1.0))
    found = bl.coverage(design, prior=prior, truth="prior", method="importance", simulations=60, prob=0.8, rng=5)
    assert found.off == () and not found.failed.any()
    assert found.truth.shape == (60, 3)
    again = bl.coverage(design, prior=prior, truth="prior", method="importance", simulations=60, prob=0.8, rng=5)
    np.testing.assert_array_equal(found.covered, again.covered)


def test_outcomes_without_a_finite_mode_count_as_not_covered():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(8, 1))
    y = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    found = bl.coverage(bl.Design.from_arrays(X, y), prior=None, truth=[0.0, 3.0], simulations=100, rng=1)
    assert found.failed.sum() > 10
    assert not found.covered[found.failed].any() and np.isnan(found.width[found.failed]).all()
    assert "had no finite mode" in str(found)


def test_weights_are_rows():
    """Counts of two are two rows of one each: the same outcomes in distribution, so the same coverage."""
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(50, 1)), rng.random(50) < 0.5
    weighted = bl.coverage(
        bl.Design.from_arrays(X, y, weights=np.full(50, 3.0)), prior=bl.Normal(1), truth=[0.0, 0.7], rng=1
    )
    repeated = bl.coverage(
        bl.Design.from_arrays(np.repeat(X, 3, axis=0), np.repeat(y, 3)), prior=bl.Normal(1), truth=[0.0, 0.7], rng=2
    )
    np.testing.assert_allclose(np.nanmedian(weighted.width, axis=0), np.nanmedian(repeated.width, axis=0), rtol=0.03)
    with pytest.raises(bl.DataError, match="weights that are not whole"):
        bl.coverage(bl.Design.from_arrays(X, y, weights=np.full(50, 0.5)))


def test_arguments_that_cannot_be_right():
    design = bl.Design.from_arrays(np.arange(6.0)[:, None], [0, 1, 0, 1, 0, 1])
    for words, given in [
        ("method='exact'", {"method": "exact"}),
        ("simulations=5", {"simulations": 5}),
        ("simulations=True", {"simulations": True}),
        ("truth='guess'", {"truth": "guess"}),
        ("no column 'z'", {"truth": {"z": 1.0}}),
        ("2 finite coefficients", {"truth": [1.0]}),
        ("under Laplace", {"prior": bl.Laplace(1.0)}),
        ("prob", {"prob": 1.5}),
    ]:
        with pytest.raises(bl.ArgumentError, match=words):
            bl.coverage(design, **given)
    with pytest.raises(bl.FitError, match="no mode to simulate from"):
        bl.coverage(bl.Design.from_arrays(np.arange(6.0)[:, None], [0, 0, 0, 1, 1, 1]), prior=None)


def test_the_table_says_where_the_truth_comes_from():
    design = bl.Design.from_arrays(np.linspace(-1.0, 1.0, 40)[:, None], np.arange(40) % 3 == 0)
    proper = bl.priors(bl.Normal(1), intercept=bl.Normal(1))
    told = [str(bl.coverage(design, prior=proper, truth=truth, simulations=10)) for truth in ("estimate", "prior")]
    assert "True coefficients: those below, the same" in " ".join(told[0].split())
    assert "True coefficients: drawn from the prior" in " ".join(told[1].split())
