"""Collinearity against the textbook: variance inflation by regressions, condition by singular values."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import bayeslogit as bl
from bayeslogit.collinearity import MOST_COLUMNS, collinearity


def inflation_by_regression(X, weights, intercept):
    root = np.sqrt(weights)[:, None]
    ones = np.ones((len(X), 1)) if intercept else np.zeros((len(X), 0))
    found = []
    for j in range(X.shape[1]):
        others = np.hstack([ones, np.delete(X, j, axis=1)]) * root
        y = X[:, [j]] * root
        rest = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
        whole = y - root * ((root * y).sum() / weights.sum()) if intercept else y
        found.append((whole**2).sum() / (rest**2).sum())
    return found


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
def test_inflation_and_condition(intercept, sparse):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 4)) + 5.0 * intercept
    X[:, 2] = X[:, 0] + X[:, 1] + 0.1 * rng.normal(size=200)
    weights = rng.integers(0, 4, size=200).astype(float)
    y = rng.integers(0, 2, size=200)
    given = sp.csr_array(X) if sparse else X
    design = bl.Design.from_arrays(given, y, weights=weights, intercept=intercept)
    found = collinearity(design)
    np.testing.assert_allclose(found.inflation, inflation_by_regression(X, weights, intercept), rtol=1e-8)
    center = weights @ X / weights.sum() if intercept else 0.0
    moved = (X - center) * np.sqrt(weights)[:, None]
    values = np.linalg.svd(moved / np.linalg.norm(moved, axis=0), compute_uv=False)
    assert found.condition == pytest.approx(values[0] / values[-1], rel=1e-8)


def test_units_do_not_matter_and_combinations_are_infinite():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 3))
    y = rng.integers(0, 2, size=100)
    one = collinearity(bl.Design.from_arrays(X, y))
    other = collinearity(bl.Design.from_arrays(X * [1e6, 1.0, 1e-6] + [1e3, 0.0, 0.0], y))
    np.testing.assert_allclose(one.inflation, other.inflation, rtol=1e-6)
    assert one.condition == pytest.approx(other.condition, rel=1e-6)
    alias = np.column_stack([X, X[:, 0] - 2.0 * X[:, 1], np.full(100, 3.0)])
    found = collinearity(bl.Design.from_arrays(alias, y))
    assert np.isinf(found.inflation[[0, 1, 3]]).all() and np.isfinite(found.inflation[2])
    assert np.isnan(found.inflation[4]) and np.isinf(found.condition)


def test_no_slopes_constant_slopes_and_too_many():
    y = np.array([0, 1] * 10)
    assert np.isnan(collinearity(bl.Design.from_formula("y ~ 1", {"y": y})).condition)
    found = collinearity(bl.Design.from_arrays(np.ones((20, 2)), y))
    assert np.isnan(found.inflation).all() and np.isnan(found.condition)
    wide = sp.random_array((20, MOST_COLUMNS + 1), density=0.01, rng=np.random.default_rng(3), format="csr")
    assert collinearity(bl.Design.from_arrays(wide, y)) is None
