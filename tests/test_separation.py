"""Separation is decided as the user wrote the numbers: the truth comes from whole numbers, in exact arithmetic."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.recession import recession_direction

VIEWS = {
    "whole": lambda X: X * 1.0,
    "tenths": lambda X: X / 10,
    "tenths + 100": lambda X: X / 10 + 100,
    "tenths + 1000": lambda X: X / 10 + 1000,
    "mixed units": lambda X: (X / 10 * [1, 1e-3, 1e4][: X.shape[1]]) + [1000, 0.37, 12345.6][: X.shape[1]],
}


def determinant(M: Any) -> int:
    if len(M) == 0:
        return 1
    return sum((-1) ** j * int(M[0, j]) * determinant(np.delete(M[1:], j, 1)) for j in range(len(M)) if M[0, j])


def is_separated(X: Any, y: Any) -> bool | None:
    """Whether whole numbers are separated; None where the columns cannot be told apart.

    The cone of directions along which no signed row loses is pointed, so it is spanned by its edges, and an edge is
    level on all but one of some linearly independent rows: a vector of minors, in whole numbers.
    """
    rows = np.column_stack([np.ones(len(y), int), X]) * np.where(y == 1, 1, -1)[:, None]
    rows = rows.astype(object)
    k = rows.shape[1]
    if not any(determinant(rows[list(some)]) for some in itertools.combinations(range(len(y)), k)):
        return None
    for some in itertools.combinations(range(len(y)), k - 1):
        edge = np.array([(-1) ** j * determinant(np.delete(rows[list(some)], j, 1)) for j in range(k)], dtype=object)
        gains = rows @ edge
        if any(edge) and (all(gains >= 0) or all(gains <= 0)):
            return True
    return False


def small_data(seed: int) -> tuple[Any, Any]:
    """A few small whole numbers, many of them on the plane that divides the classes, one perhaps on the wrong side."""
    rng = np.random.default_rng(seed)
    n, p, most = int(rng.integers(5, 13)), int(rng.integers(1, 4)), int(rng.choice([2, 4, 10, 30]))
    X = rng.integers(-most, most + 1, (n, p))
    kind = rng.integers(3)
    side = X @ rng.integers(-3, 4, p) - int(rng.integers(-3, 4))
    y = rng.integers(0, 2, n)
    if kind:
        y = np.where(side > 0, 1, np.where(side < 0, 0, y))
    if kind == 2:
        i = rng.integers(n)
        y[i] = 1 - y[i]
    return X, y


def status(X: Any, y: Any) -> str:
    return str(bl.fit(bl.Design.from_arrays(X, y), prior=None).status)


# Those where rounding once decided, and the first hundred.
HARD = (321, 449, 535, 984, 1018, 1173, 1315, 1361, 1540, 1617, 1619, 1712, 2525, 2624, 2977, 3000, 3176, 3207, 3444)


@pytest.mark.filterwarnings("ignore::bayeslogit.FitWarning")
@pytest.mark.parametrize("view", VIEWS)
def test_small_data_in_decimals_are_judged_as_in_whole_numbers(view):
    counts = {True: 0, False: 0}
    for seed in (*range(100), *HARD):
        X, y = small_data(seed)
        truth = is_separated(X, y) if 0 < y.sum() < len(y) else None
        if truth is None:
            continue
        counts[truth] += 1
        assert status(VIEWS[view](X), y) == ("no finite mode" if truth else "converged"), seed
    assert min(counts.values()) > 25


@pytest.mark.filterwarnings("ignore::bayeslogit.FitWarning")
@pytest.mark.parametrize(("digits", "shift"), [(4, 0), (6, 0), (8, 0), (9, 10), (4, 1000), (7, 1000)])
def test_an_overlap_of_the_last_digits_is_not_called_separation(digits, shift):
    # One value is moved by one in its last digit: what was level is now won or lost by more than rounding.
    unit = 10 ** (digits + 1)
    for seed in range(60):
        X, y = small_data(seed)
        rng = np.random.default_rng(seed)
        fine = X * 10**digits
        fine[rng.integers(len(y)), rng.integers(X.shape[1])] += 1
        truth = is_separated(fine, y) if 0 < y.sum() < len(y) else None
        if truth is not None:
            assert (status((fine + shift * unit) / unit, y) == "no finite mode") == truth, seed


def test_quasi_separation_in_ordinary_decimals():
    # 37.1 is not a binary fraction: rows that are level by hand lose by 1e-14, and a fit with an sd of 3e7 "converged".
    x1 = [37.3, 37.1, 37.1, 37.0, 37.1, 37.1, 36.7, 37.1]
    x2 = [120.0, 120.3, 119.9, 120.0, 119.9, 120.1, 120.3, 119.9]
    X, y = np.column_stack([x1, x2]), [1, 1, 0, 1, 0, 1, 0, 0]
    with pytest.warns(bl.FitWarning, match=r"quasi-completely separated by x1 \(\+\), x2 \(\+\)"):
        fit = bl.fit(bl.Design.from_arrays(X, y), prior=None)
    assert fit.status == "no finite mode" and fit.bse.isna().all()
    gains = np.where(y, 1.0, -1.0) * (np.column_stack([np.ones(8), X]) @ fit.mode.recession.direction)
    np.testing.assert_allclose(np.sort(gains)[:5], 0.0, atol=1e-12)
    assert np.sum(gains > 0.1) == 3


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_column_with_a_prior_is_left_out_of_the_direction_in_any_unit(scale):
    # The programme holds a column with a prior to a tolerance: in the column's own unit that was 0.1 at 1e9.
    x = np.arange(-5, 5) + 0.5
    other = scale * np.random.default_rng(3).standard_normal(10)
    made = bl.Design.from_arrays(np.column_stack([other, x]), x > 0)
    prior = bl.priors(default=bl.Normal(2.5 / scale), terms={"x2": bl.Flat()}).resolve(made)
    found = recession_direction(made, prior)
    assert found is not None and found.complete and found.direction[1] == 0.0 < found.direction[2]


@pytest.mark.parametrize(
    ("X", "y", "direction", "complete"),
    [
        ([[1.0], [2.0], [3.0]], [1, 1, 1], 1.0, True),
        ([[1.0], [0.0]], [1, 0], 1.0, False),
        ([[0.0], [0.0]], [1, 0], None, None),
        ([[1.0], [-1.0]], [1, 1], None, None),
    ],
)
def test_one_column_without_an_intercept(X, y, direction, complete):
    made = bl.Design.from_arrays(X, y, intercept=False, trials=np.ones(len(y)))
    found = recession_direction(made, bl.Flat().resolve(made))
    if direction is None:
        assert found is None
    else:
        assert np.sign(found.direction) == direction and found.complete is complete
