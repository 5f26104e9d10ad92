"""The mode where peers fail: each shape is compared with a Newton iteration in 50-digit arithmetic, or refused.

Modes must agree to 1e-8 of the true sd and sds to 1e-6. A comment says what goes wrong without the care taken.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl

PROPER = bl.priors(default=bl.Normal(2.5), intercept=bl.Normal(5.0))
COV = np.array([[2.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]])


def design(X: Any, y: Any, **options: Any) -> bl.Design:
    return bl.Design.from_arrays(np.asarray(X, dtype=float), np.asarray(y, dtype=float), **options)


def fitted(exact: Any, made: bl.Design, prior: Any, *, mode: float = 1e-8, sd: float = 1e-6) -> bl.Fit:
    """A fit that converged, at the true mode, with the true sds."""
    fit = bl.fit(made, prior=prior, tol=1e-11)
    assert fit.converged, fit.mode.message
    away, off = exact.of(fit).compare(fit)
    assert away < mode, f"{away} sd from the mode"
    assert off < sd, f"sds off by {off}"
    return fit


def refused(made: bl.Design, prior: Any, status: str, match: str) -> bl.Fit:
    with pytest.warns(bl.FitWarning, match=match):
        fit = bl.fit(made, prior=prior)
    assert fit.status == status and not fit.converged
    assert np.all(np.isnan(fit.bse)) and np.isnan(fit.log_evidence) and fit.mode.message in fit.notes
    return fit


def gains(fit: bl.Fit) -> np.ndarray:
    """Signed gain of each row that counts along the direction of separation; rows with both classes raise."""
    blocks = list(fit.design.source.blocks())
    X = np.vstack([b.X.toarray() for b in blocks])
    y, m, w = (np.concatenate([getattr(b, k) for b in blocks]) for k in ("y", "trials", "weights"))
    side = np.where(y == m, 1.0, -1.0)
    return (side * (X @ fit.mode.recession.direction))[w > 0]


# --- optimality: the score at the mode, for each prior and shape --------------------------------------------------


def _collinear() -> tuple[Any, Any]:
    X, y = SIMULATE(40, [1.0, -0.5], seed=3)
    return np.column_stack([X[:, 0], X[:, 1], 2 * X[:, 0] - 3 * X[:, 1]]), y


def _separated() -> tuple[Any, Any]:
    x = np.arange(-6, 6) + 0.5
    return np.column_stack([x, np.cos(x), x**2]), (x > 0).astype(float)


def SIMULATE(*args: Any, **options: Any) -> tuple[Any, Any]:  # noqa: N802
    n, slopes, seed = args[0], np.asarray(args[1]), options["seed"]
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, slopes.size))
    return X, (rng.random(n) < 1 / (1 + np.exp(-X @ slopes))).astype(float)


SHAPES = {
    "regular": lambda: SIMULATE(80, [1.0, -0.5, 0.2], seed=1),
    "n<p": lambda: SIMULATE(6, [0.5] * 9, seed=2),
    "collinear": _collinear,
    "separated": _separated,
    "single column": lambda: SIMULATE(30, [1.0], seed=5),
    "intercept only": lambda: (np.zeros((20, 0)), np.arange(20) % 3 == 0),
    "n=5": lambda: (np.array([[0.3], [-1.0], [2.0], [0.1], [1.1]]), np.array([0.0, 1.0, 1.0, 1.0, 0.0])),
}
IDENTIFIED = ("regular", "single column", "intercept only", "n=5")


def _priors_for(k: int, intercept: bool) -> dict[str, Any]:
    names = [f"x{j + 1}" for j in range(k)]
    made: dict[str, Any] = {"normal": bl.Normal(2.5), "rstanarm": bl.preset("rstanarm")}
    made["mean"] = bl.priors(default=bl.Normal(0.5, mean=-4.0), intercept=bl.Normal(1.0, mean=6) if intercept else None)
    if k:
        made["per-term"] = bl.priors(default=bl.Normal(1.0), terms={"x1": bl.Normal(0.01, mean=1.0)})
        if not intercept:
            A = np.random.default_rng(k).standard_normal((k, k + 2))
            made["mvn"] = bl.MultivariateNormal(mean=np.arange(k) - 1.0, cov=A @ A.T / k, columns=names)
    if intercept:
        A = np.random.default_rng(k).standard_normal((k + 1, k + 3))
        covered = [*names[::-1], "Intercept"]
        made["mvn"] = bl.MultivariateNormal(mean=np.arange(k + 1) - 1.0, precision=A @ A.T, columns=covered)
    return made


CASES = [
    (shape, intercept, prior)
    for shape in SHAPES
    for intercept in (True, False)
    for prior in ["flat", *_priors_for(SHAPES[shape]()[0].shape[1], intercept)]
    if not (shape == "intercept only" and not intercept) and not (prior == "flat" and shape not in IDENTIFIED)
]


@pytest.mark.parametrize(("shape", "intercept", "prior"), CASES)
def test_the_score_vanishes_at_the_mode(shape, intercept, prior, exact):
    X, y = SHAPES[shape]()
    chosen = None if prior == "flat" else _priors_for(X.shape[1], intercept)[prior]
    fit = fitted(exact, design(X, y, intercept=intercept), chosen)
    assert exact.of(fit).violation(fit) < 1e-8
    assert fit.mode.decrement < 1e-8


def test_the_default_tolerance_is_kept_in_posterior_sds(exact, simulated):
    for seed in range(10):
        X, y = simulated(40, [1.5, -0.5], seed=seed, sd=[1e-5, 1e3])
        fit = bl.fit(design(X, y))
        assert exact.of(fit).compare(fit)[0] < 1e-6


def test_the_start_does_not_matter(simulated):
    from bayeslogit.solve import find_mode
    from bayeslogit.target import LogPosterior

    X, y = simulated(40, [1.5, -0.5])
    made = design(X, y)
    target = LogPosterior(made, bl.Flat().resolve(made))
    wanted = find_mode(target, tol=1e-11).beta
    for start in ([0.0, 0, 0], [30.0, -50, 20], [-800.0, 0, 0], [1e4, 1e4, -1e4]):
        found = find_mode(target, tol=1e-11, start=np.array(start))
        assert found.converged
        np.testing.assert_allclose(found.beta, wanted, rtol=1e-9)


# --- scale and position of the columns ---------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(2.5)])
def test_columns_from_1e_minus_8_to_1e8(prior, exact, simulated):
    # The information has condition number 1e32: a pseudo-inverse or a small ridge drops the columns of 1e-8, and a stop
    # on the size of the gradient or of the step looks at one column only.
    X, y = simulated(80, [0.5, -0.5, 0.3, 0.8, -1.0], intercept=0.2, sd=[1e-8, 1e-4, 1.0, 1e4, 1e8])
    fitted(exact, design(X, y), prior)
    fitted(exact, design(X, y, intercept=False), prior)


@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(2.5)])
def test_column_mean_1e9_with_sd_1(prior, exact, simulated):
    # X'WX of the raw columns holds 1e18 beside differences of 1: no digit of the slope's information is left.
    X, y = simulated(60, [1.0, -0.5], intercept=0.3)
    fitted(exact, design(X + 1e9, y), prior)


def test_column_mean_1e9_and_a_prior_on_the_intercept_itself(exact, simulated):
    # The prior ties the intercept at x = 0 to slopes that the data know only at x = 1e9; Cholesky cannot factor it. The
    # search ends at the limit of double precision and says so.
    X, y = simulated(60, [1.0, -0.5], intercept=0.3)
    fit = fitted(exact, design(X + 1e9, y), PROPER, mode=1e-6)
    assert any("limit of double precision" in note for note in fit.notes)
    assert any("nearly collinear" in note for note in fit.notes)


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("prior", [None, "rstanarm"])
def test_polynomial_of_a_calendar_year(degree, prior, exact):
    # After centring, year and year^2 are still correlated 0.9999999: Cholesky loses all, the QR of the rows does not.
    year = np.arange(1990.0, 2020.0)
    y = np.random.default_rng(0).random(30) < 0.5
    X = np.column_stack([year**k for k in range(1, degree + 1)])
    fit = fitted(exact, design(X, y, names=[f"year{k}" for k in range(1, degree + 1)]), prior)
    assert any("nearly collinear" in note for note in fit.notes) == (prior is None and degree == 3)


# --- offsets and far linear predictors ---------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [300.0, -300.0])
@pytest.mark.parametrize("prior", [None, "rstanarm", PROPER])
def test_constant_offset_of_300(offset, prior, exact, simulated):
    # From a start at zero every row is fitted to 300 log-odds, the information is 1e-130 and the Newton step 1e130.
    X, y = simulated(60, [1.0, -0.5], intercept=0.3)
    fit = fitted(exact, design(X, y, offset=np.full(60, offset)), prior)
    if prior is None:
        assert fit.params["Intercept"] == pytest.approx(-offset, abs=2.0)


@pytest.mark.parametrize("prior", [None, "rstanarm", PROPER])
def test_offsets_of_300_with_mixed_signs(prior, exact, simulated):
    # Half the rows are saturated whatever the intercept is; under a flat prior the mode is 300 away from the start and
    # nothing but the majorant step points there.
    X, y = simulated(60, [1.0, -0.5], intercept=0.3)
    mixed = np.where(np.arange(60) % 2, 300.0, -300.0)
    fitted(exact, design(X, y, offset=mixed), prior)
    fitted(exact, design(X, y, offset=300.0 * np.sign(X[:, 0])), bl.priors(bl.Normal(10.0), bl.Normal(5.0)))


def test_fitted_log_odds_of_800(exact):
    # Rows at +-800: exp overflows, 1 - mu is 0 by subtraction, log mu is -inf.
    x = np.array([-800.0, -799, 0.5, -0.3, 799, 800, 2, -2, 1])
    y = np.array([0, 0, 1, 0, 1, 1, 0, 1, 1])
    tight = bl.priors(default=bl.Normal(0.01, mean=1.0), intercept=bl.Normal(1.0))
    for prior in (None, tight):
        fit = fitted(exact, design(x[:, None], y), prior)
        assert np.isfinite(fit.log_likelihood)
    # The same rows with the wrong outcome: 3,200 nats are lost and the mode is where prior and rows balance.
    stubborn = bl.priors(default=bl.Normal(1e-3, mean=1.0), intercept=bl.Normal(1.0))
    fit = fitted(exact, design(x[:, None], 1 - y), stubborn)
    assert fit.log_likelihood < -3000 and abs(fit.params["x1"] - 1) < 0.01
    assert fit.log_likelihood == pytest.approx(float(exact.of(fit).log_likelihood(fit.params.to_numpy())), rel=1e-12)
    assert fit.predict(np.array([[800.0], [-800.0]]), kind="mode")["probability"].tolist() == pytest.approx([1.0, 0.0])


# --- few rows, many columns, rare events, weights ----------------------------------------------------------------


@pytest.mark.parametrize("prior", [None, "rstanarm", PROPER])
def test_five_rows(prior, exact):
    X, y = SHAPES["n=5"]()
    fitted(exact, design(X, y), prior)


@pytest.mark.parametrize("prior", ["rstanarm", bl.Normal(2.5), PROPER])
def test_more_columns_than_rows(prior, exact):
    # The likelihood's information is singular, and the rows are separated: only the prior makes a mode.
    X, y = SIMULATE(8, [0.5] * 12, seed=3)
    fitted(exact, design(X, y), prior)


def test_more_flat_columns_than_rows_are_refused():
    X, y = SIMULATE(8, [0.5] * 12, seed=3)
    fit = refused(design(X, y), None, "not positive definite", "13 columns have no proper prior and there are 8 rows")
    assert np.all(np.isnan(fit.params))


@pytest.mark.parametrize("prior", [None, "rstanarm"])
def test_one_event_in_a_thousand(prior, exact, simulated):
    # A start at zero log-odds is 7 log-odds and many sds away; the intercept's start is the event rate.
    X, y = simulated(4000, [0.8], intercept=-7.2, seed=2)
    assert 2 <= y.sum() <= 6
    fit = fitted(exact, design(X, y), prior)
    assert len(fit.mode.trace) <= 8


@pytest.mark.parametrize("prior", [None, "rstanarm"])
def test_zero_and_fractional_weights(prior, exact, simulated):
    X, y = simulated(60, [1.0, -0.5], intercept=0.3)
    weights = np.array([0.0, 0.5, 1.0, 2.0, 3.7, 0.01] * 10)
    fit = fitted(exact, design(X, y, weights=weights), prior)
    assert fit.nobs == pytest.approx(weights.sum()) and fit.facts.n_rows == 50
    assert any("tempered" in note for note in fit.notes)


def test_whole_weights_are_not_called_tempered(simulated):
    X, y = simulated(60, [1.0, -0.5])
    fit = bl.fit(design(X, y, weights=np.arange(60) % 4))
    assert not any("tempered" in note for note in fit.notes)


def test_weights_of_1e6_and_of_1e_minus_6(exact, simulated):
    # A stop on an absolute change of the log density never comes at 1e6, and comes at once at 1e-6.
    X, y = simulated(40, [1.0])
    one, large, small = (fitted(exact, design(X, y, weights=np.full(40, w)), None) for w in (1.0, 1e6, 1e-6))
    np.testing.assert_allclose(large.params, one.params, rtol=1e-9)
    np.testing.assert_allclose(small.params, one.params, rtol=1e-9)
    np.testing.assert_allclose(small.bse / large.bse, 1e6, rtol=1e-9)


def test_duplicated_rows(exact):
    X, y = SHAPES["n=5"]()
    one = fitted(exact, design(X, y), bl.Normal(2.5))
    many = fitted(exact, design(np.tile(X, (40, 1)), np.tile(y, 40)), bl.Normal(2.5))
    flat = fitted(exact, design(X, y), None)
    flat_many = fitted(exact, design(np.tile(X, (40, 1)), np.tile(y, 40)), None)
    np.testing.assert_allclose(flat_many.params, flat.params, rtol=1e-9)
    np.testing.assert_allclose(flat_many.bse, flat.bse / np.sqrt(40), rtol=1e-9)
    assert abs(many.params["x1"] - flat.params["x1"]) < abs(one.params["x1"] - flat.params["x1"])


# --- columns that the data cannot tell apart ---------------------------------------------------------------------


def _three(scale: float = 1.0) -> tuple[Any, Any]:
    X, y = SIMULATE(60, [1.0, -0.5], seed=1)
    return np.column_stack([X, (3 * X[:, 0] - 0.1 * X[:, 1]) * scale]), y


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_collinear_columns_are_named(scale):
    # Rounding leaves the information positive definite about half the time: Newton then returns slopes of 1e7.
    X, y = _three(scale)
    fit = refused(design(X, y, names=["a", "b", "c"]), None, "not positive definite", "Not identified: c = .* x a")
    assert f"{3 * scale:.3g} x a" in fit.mode.message and " x b" in fit.mode.message
    assert np.all(np.isnan(fit.params))
    with pytest.raises(bl.FitError, match="c = "):
        fit.predict()


def test_collinear_columns_far_from_zero_are_named():
    X, y = _three()
    refused(
        design(X + np.array([5.0, -2000.0, 1e5]), y, names=["a", "b", "c"]), None, "not positive definite", "c = 3 x a"
    )
    refused(design(X, y, names=["a", "b", "c"], intercept=False), None, "not positive definite", "c = 3 x a")


def test_a_full_set_of_dummies_beside_the_intercept_is_named():
    X = np.eye(3)[np.arange(60) % 3]
    y = SIMULATE(60, [1.0], seed=1)[1]
    refused(design(X, y, names=["a", "b", "c"]), None, "not positive definite", "c = -1 x a [+] -1 x b [+] a constant")
    assert bl.fit(design(X, y, intercept=False), prior=None).converged


def test_collinear_columns_with_a_proper_prior_converge(exact):
    X, y = _three()
    fitted(exact, design(X, y), bl.Normal(1.0))
    # One proper prior among the three is enough to tell them apart.
    fitted(exact, design(X, y), bl.priors(terms={"x2": bl.Normal(0.5)}))


def test_nearly_collinear_columns_are_not_called_collinear(exact):
    # A pivot of 1e-12 is still a column of its own; a rank rule with a loose tolerance drops it.
    X, y = SIMULATE(60, [1.0, -0.5], seed=1)
    noise = np.random.default_rng(2).standard_normal(60)
    near = np.column_stack([X, X[:, 0] + 1e-6 * noise])
    fit = fitted(exact, design(near, y), None)
    assert any("nearly collinear" in note for note in fit.notes)


@pytest.mark.parametrize("value", [0.1, 1e9, -1e-9, 0.0])
def test_constant_column(value, exact):
    X, y = SIMULATE(60, [1.0], seed=1)
    made = design(np.column_stack([X, np.full(60, value)]), y, names=["a", "const"])
    assert made.column_sds[2] == 0.0
    refused(made, None, "not positive definite", "const is constant, a multiple of the intercept")
    for prior in (bl.Normal(2.0), "rstanarm"):
        assert bl.fit(made, prior=prior).converged
    if value == 0.1:
        fitted(exact, made, bl.Normal(2.0))
        fitted(exact, made, "rstanarm")
        # Without an intercept it is the intercept.
        alone = bl.fit(replace_intercept(made), prior=None, tol=1e-11)
        with_intercept = bl.fit(design(X, y), prior=None, tol=1e-11)
        assert alone.params["const"] * value == pytest.approx(with_intercept.params["Intercept"], rel=1e-9)


def replace_intercept(made: bl.Design) -> bl.Design:
    rows = replace(made.source.X, intercept=False)
    y = made.outcome_arrays()[0]
    return bl.Design.from_arrays(rows.X, y, names=made.columns[1:], intercept=False)


# --- separation --------------------------------------------------------------------------------------------------

LINE = np.arange(-5, 5) + 0.5


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e8, 0.0), (1e-8, 0.0), (1.0, 1e9), (1.0, 2000.0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_complete_separation_is_named(scale, shift, sign):
    # Without the recession direction a search stops at some slope near 30 with an sd of 1e4, "converged".
    made = design(sign * (LINE * scale + shift)[:, None], LINE > 0, names=["dose"])
    word = r"\+" if sign > 0 else "-"
    fit = refused(made, None, "no finite mode", rf"completely separated by dose \({word}\)")
    assert fit.mode.recession.complete and np.all(gains(fit) > 0)


def test_complete_separation_without_an_intercept():
    made = design(LINE[:, None], LINE > 0, names=["dose"], intercept=False)
    fit = refused(made, None, "no finite mode", r"completely separated by dose")
    assert np.all(gains(fit) > 0)


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1e8, 1e-8)])
def test_quasi_complete_separation_by_a_binary_column_names_that_column_only(scales):
    # Sixty rows, twelve with the flag, all of them events: the other columns are fine and must not be blamed.
    X, y = SIMULATE(60, [1.0, -0.5], seed=1)
    flag = np.arange(60) % 5 == 0
    made = design(np.column_stack([X * scales, flag]), np.where(flag, 1.0, y), names=["u", "v", "flag"])
    fit = refused(made, None, "no finite mode", r"quasi-completely separated by flag \(\+\), which")
    assert not fit.mode.recession.complete
    assert np.all(gains(fit) > -1e-12) and np.sum(gains(fit) > 1e-3) == 12


def test_separation_by_a_combination_of_columns():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 2))
    made = design(X, X[:, 0] - 2 * X[:, 1] > 0.3, names=["u", "v"])
    fit = refused(made, None, "no finite mode", r"separated by u \(\+\), v \(-\)")
    assert np.all(gains(fit) > 0)


@pytest.mark.parametrize("prior", [bl.Normal(2.5), "rstanarm", bl.priors(terms={"flag": bl.Normal(10.0)})])
def test_separation_with_a_proper_prior_converges(prior, exact):
    X, y = SIMULATE(60, [1.0, -0.5], seed=1)
    flag = np.arange(60) % 5 == 0
    made = design(np.column_stack([X, flag]), np.where(flag, 1.0, y), names=["u", "v", "flag"])
    fitted(exact, made, prior)


def test_a_proper_prior_on_other_columns_does_not_hide_separation(exact):
    X, y = SIMULATE(60, [1.0, -0.5], seed=1)
    flag = np.arange(60) % 5 == 0
    made = design(np.column_stack([X, flag]), np.where(flag, 1.0, y), names=["u", "v", "flag"])
    free = {"flag": bl.Flat()}
    for prior in (bl.priors(default=bl.Normal(2.5), terms=free), bl.priors(bl.Normal(2.5), bl.Normal(5.0), free)):
        refused(made, prior, "no finite mode", r"by flag \(\+\)")
    # A prior on the intercept at the column means is a prior on the flag too: intercept + 0.2 flag is held.
    fitted(exact, made, bl.priors(default=bl.preset("rstanarm"), terms=free))


def test_a_proper_prior_on_one_column_of_a_separating_combination_is_enough(exact):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 2))
    made = design(X, X[:, 0] - 2 * X[:, 1] > 0.3)
    fitted(exact, made, bl.priors(terms={"x1": bl.Normal(1.0)}))


def test_rows_without_weight_do_not_make_an_overlap():
    # The only overlapping row has weight 0.
    x, y = np.append(LINE, -4.0)[:, None], np.append(LINE > 0, True)
    refused(design(x, y, weights=[1.0] * 10 + [0.0]), None, "no finite mode", "completely separated")
    assert bl.fit(design(x, y, weights=[1.0] * 10 + [0.01]), prior=None).converged


def test_a_row_of_trials_with_both_outcomes_counts_as_both_classes(exact):
    x = np.array([-2.0, -1.0, 0.5, 1.0, 2.0])[:, None]
    one_mixed = design(x, [0, 0, 1, 3, 3], trials=[3, 3, 3, 3, 3], names=["dose"])
    fit = refused(one_mixed, None, "no finite mode", r"quasi-completely separated by dose \(\+\)")
    direction = fit.mode.recession.direction
    assert abs(direction @ [1.0, 0.5]) < 1e-12  # level at the mixed row
    fitted(exact, design(x, [0, 1, 1, 3, 3], trials=[3, 3, 3, 3, 3]), None)


SATURATED = [
    ([[1, 0], [-2, -2], [2, 1], [3, 3]], [0, 0, 1, 1], [10.1, -2.2, -8.2, 13.5]),
    (
        [[3, 3], [-2, -2], [2, -1], [2, -2], [-2, 1], [2, -2]],
        [1, 0, 1, 0, 1, 1],
        [10.086, 2.676, -6.312, -3.293, -8.871, -1.622],
    ),
    (
        [[-2, -2, 1], [0, 3, 3], [-1, -1, 0], [1, -2, -3], [0, 0, -2]],
        [0, 1, 0, 0, 0],
        [-0.58, -5.85, -14.05, -0.89, 2.73],
    ),
]


@pytest.mark.parametrize(("X", "y", "offset"), SATURATED)
def test_separation_under_offsets_that_kill_the_curvature(X, y, offset):
    # Rows pass through hundreds of log-odds before the decrement is small: it is infinite, or noise, until the limit.
    fit = refused(design(X, y, offset=offset), None, "no finite mode", "separated by")
    assert np.all(gains(fit) > -1e-12) and np.any(gains(fit) > 1e-3)


# --- almost separated --------------------------------------------------------------------------------------------


def test_overlap_by_one_pair_of_rows(exact):
    y = (LINE > 0).astype(float)
    y[4], y[5] = 1.0, 0.0
    fit = fitted(exact, design(LINE[:, None], y), None)
    assert fit.params["x1"] > 0


@pytest.mark.parametrize("overlap", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
def test_a_tiny_overlap_is_not_separation(overlap, exact):
    # The mode is at a slope near log(1/overlap): every Newton step on the way moves a log-odds by one and looks like
    # separation, and a linear programme with a tolerance of 1e-7 agrees that it is.
    x = np.append(LINE, [overlap, -overlap])
    y = np.append(LINE > 0, [False, True])
    fit = fitted(exact, design(x[:, None], y), None)
    assert fit.params["x1"] > 2 and fit.mode.recession is None


def test_a_tiny_overlap_among_a_thousand_rows(exact):
    x = np.append(np.repeat([-1.0, 1.0], 500), [1e-6, -1e-6])
    y = np.append(np.repeat([0.0, 1.0], 500), [0.0, 1.0])
    fit = fitted(exact, design(x[:, None], y), None)
    assert 10 < fit.params["x1"] < 40


def test_one_exception_with_almost_no_weight_is_not_separation(exact):
    flag = np.repeat([0.0, 1.0], 20)
    y = np.append(np.tile([0.0, 1.0], 10), np.append(np.ones(19), 0.0))
    weights = np.append(np.ones(39), 1e-8)
    fit = fitted(exact, design(flag[:, None], y, weights=weights), None)
    # Its sd is 10,000: the last digits of the score are worth 1e-7 of the coefficient.
    assert fit.params["x1"] == pytest.approx(np.log(19 / 1e-8), abs=1e-10 * fit.bse["x1"])


# --- one class ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "word", "sign"), [(1.0, "success", r"\+"), (0.0, "failure", "-")])
@pytest.mark.parametrize("prior", [None, bl.Normal(2.5)])
def test_a_single_class_with_a_flat_intercept_is_refused(outcome, word, sign, prior):
    X, _ = SIMULATE(20, [1.0], seed=1)
    made = design(X, np.full(20, outcome), trials=np.ones(20))
    refused(made, prior, "single class", rf"every observation is a {word}.* {sign}infinity")


@pytest.mark.parametrize("prior", ["rstanarm", PROPER])
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_single_class_with_a_proper_intercept_converges(prior, outcome, exact):
    X, _ = SIMULATE(20, [1.0], seed=1)
    fit = fitted(exact, design(X, np.full(20, outcome), trials=np.ones(20)), prior)
    assert (fit.params["Intercept"] > 0) == bool(outcome)


def test_a_single_class_needs_no_prior_when_the_column_changes_sign(exact):
    X, _ = SIMULATE(20, [1.0], seed=1)
    fitted(exact, design(X, np.ones(20), trials=np.ones(20), intercept=False), None)


def test_a_single_class_beside_a_proper_prior_on_the_wrong_columns_is_refused():
    X, _ = SIMULATE(20, [1.0], seed=1)
    flat_intercept = bl.priors(default=bl.preset("rstanarm"), intercept=bl.Flat())
    refused(design(X, np.ones(20), trials=np.ones(20)), flat_intercept, "single class", "Give the intercept a prior")


# --- the search itself -------------------------------------------------------------------------------------------


def test_the_limit_of_steps_is_a_status_with_the_last_iterate(simulated):
    X, y = simulated(60, [3.0])
    with pytest.warns(bl.FitWarning, match="Not converged: stopped by the limit of 2 steps"):
        fit = bl.fit(design(X, y), max_iter=2)
    assert fit.status == "iteration limit" and np.all(np.isfinite(fit.params)) and np.all(np.isnan(fit.bse))


@pytest.mark.parametrize("tol", [0.0, 1.0, -1e-6, float("nan")])
def test_a_tolerance_that_means_nothing_is_refused(tol, simulated):
    X, y = simulated(20, [1.0])
    with pytest.raises(bl.ArgumentError, match=r"tol=.*must lie between 0 and 1"):
        bl.fit(design(X, y), tol=tol)


def test_no_steps_at_all_are_refused(simulated):
    X, y = simulated(20, [1.0])
    with pytest.raises(bl.ArgumentError, match="max_iter=0: a whole number of at least one step"):
        bl.fit(design(X, y), max_iter=0)


def test_the_log_density_never_falls_along_the_search(simulated):
    X, y = simulated(60, [1.0, -0.5])
    for offset in (None, np.full(60, 300.0), np.where(np.arange(60) % 2, 300.0, -300.0)):
        for prior in (None, "rstanarm"):
            trace = bl.fit(design(X, y, offset=offset), prior=prior).mode.trace
            values = [line.log_density for line in trace]
            assert all(b >= a - 1e-12 * abs(a) for a, b in pairwise(values))
            assert trace[-1].decrement <= 1e-6


def test_a_search_counts_its_passes(simulated):
    X, y = simulated(200, [1.0, -0.5])
    made = design(X, y)
    mode = bl.fit(made, prior="rstanarm").mode
    # One pass to start, one for each step, one to see that the last step moves no row; a chord needs no information.
    kinds = [line.step for line in mode.trace]
    assert kinds[0].startswith("newton")  # of a length that is guessed
    steps, chords = 1 + kinds[1:].count("newton"), kinds.count("chord")
    assert kinds[1:] == ["newton"] * (steps - 1) + ["chord"] * chords + ["none"] and steps >= 3
    assert mode.n_passes == 2 + steps + chords and mode.n_hessians == 1 + steps
