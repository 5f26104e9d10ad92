"""What holds for any data: hypothesis looks for the counterexample."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import bayeslogit as bl

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Data:
    X: np.ndarray
    y: np.ndarray
    trials: np.ndarray
    weights: np.ndarray
    offset: np.ndarray

    def design(self, **changes: Any) -> bl.Design:
        d = replace(self, **changes)
        return bl.Design.from_arrays(d.X, d.y, trials=d.trials, weights=d.weights, offset=d.offset)

    def taken(self, rows: Any) -> Data:
        return Data(self.X[rows], self.y[rows], self.trials[rows], self.weights[rows], self.offset[rows])


@st.composite
def data(draw: Any) -> Data:
    """Any small data set, separated or not: a proper prior on every column makes the mode exist."""
    rng = np.random.default_rng(draw(SEEDS))
    n, k = draw(st.integers(3, 25)), draw(st.integers(1, 4))
    trials = rng.integers(1, draw(st.integers(2, 5)), n).astype(float)
    return Data(
        X=rng.standard_normal((n, k)) + draw(st.sampled_from([0.0, 1.0, 50.0])),
        y=rng.binomial(trials.astype(int), rng.random()).astype(float),
        trials=trials,
        weights=rng.integers(1, 4, n).astype(float),
        offset=rng.standard_normal(n) * draw(st.sampled_from([0.0, 1.0, 20.0])),
    )


scales = st.floats(0.05, 20.0)


def proper(scale: float, mean: float = 0.0) -> bl.Prior:
    return bl.priors(default=bl.Normal(scale, mean=mean), intercept=bl.Normal(3.0))


def fit(design: bl.Design, prior: Any) -> bl.Fit:
    fitted = bl.fit(design, prior=prior, tol=1e-11)
    assert fitted.converged, fitted.mode.message
    return fitted


def assert_same(one: bl.Fit, two: bl.Fit, sign: float = 1.0, rtol: float = 1e-8) -> None:
    assert np.max(np.abs(one.params.to_numpy() - sign * two.params.to_numpy()) / one.bse.to_numpy()) < rtol
    np.testing.assert_allclose(two.bse, one.bse, rtol=rtol)
    for name in ("log_likelihood", "log_posterior", "log_evidence"):
        assert abs(getattr(one, name) - getattr(two, name)) < rtol * (1 + abs(getattr(one, name))), name


@given(data(), scales)
def test_integer_weights_are_repeated_rows(d, scale):
    again = np.repeat(np.arange(d.y.size), d.weights.astype(int))
    repeated = replace(d.taken(again), weights=np.ones(again.size))
    for prior in (proper(scale), "rstanarm"):
        assert_same(fit(d.design(), prior), fit(repeated.design(), prior))


@given(data(), scales)
def test_trials_are_expanded_rows(d, scale):
    again = np.repeat(np.arange(d.y.size), d.trials.astype(int))
    copy = np.concatenate([np.arange(int(m)) for m in d.trials])
    rows = replace(d.taken(again), y=(copy < d.y[again]).astype(float), trials=np.ones(again.size))
    for prior in (proper(scale), "rstanarm"):
        one, two = fit(d.design(), prior), fit(rows.design(), prior)
        assert_same(one, two)
        sd = one.bse.to_numpy()
        a, b = (f.cov_params("robust").to_numpy() / sd / sd[:, None] for f in (one, two))
        np.testing.assert_allclose(a, b, atol=1e-8)


@given(data(), scales, SEEDS)
def test_rows_without_weight_are_as_good_as_gone(d, scale, seed):
    keep = np.random.default_rng(seed).random(d.y.size) < 0.7
    keep[:2] = True
    zero = replace(d, weights=np.where(keep, d.weights, 0.0))
    for prior in (proper(scale), "rstanarm"):
        assert_same(fit(d.taken(keep).design(), prior), fit(zero.design(), prior))


@given(data(), scales, SEEDS, st.integers(1, 30))
def test_order_and_blocks_of_rows_do_not_matter(d, scale, seed, size):
    shuffled = d.taken(np.random.default_rng(seed).permutation(d.y.size)).design()
    blocked = replace(shuffled, source=replace(shuffled.source, block_rows=size))
    for prior in (proper(scale), "rstanarm"):
        assert_same(fit(d.design(), prior), fit(blocked, prior))


@given(data(), scales, st.lists(st.integers(-9, 9), min_size=4, max_size=4))
def test_a_column_in_another_unit_with_its_prior_in_that_unit(d, scale, powers):
    # Normal(s) on x is Normal(s / u) on u x; the preset makes that translation itself.
    unit = 10.0 ** np.array(powers[: d.X.shape[1]])
    names = [f"x{j + 1}" for j in range(unit.size)]
    moved = bl.priors(
        default=bl.Flat(),
        intercept=bl.Normal(3.0),
        terms={name: bl.Normal(scale / u, mean=0.5 / u) for name, u in zip(names, unit, strict=True)},
    )
    stretch = np.append(1.0, unit)
    for one, two in [
        (fit(d.design(), proper(scale, 0.5)), fit(d.design(X=d.X * unit), moved)),
        (fit(d.design(), "rstanarm"), fit(d.design(X=d.X * unit), "rstanarm")),
    ]:
        assert np.max(np.abs(one.params - two.params * stretch) / one.bse) < 1e-8
        np.testing.assert_allclose(two.bse * stretch, one.bse, rtol=1e-8)
        assert abs(one.log_likelihood - two.log_likelihood) < 1e-8
        # Densities change with the unit, their product with the volume does not.
        assert abs(one.log_evidence - two.log_evidence) < 1e-8 * (1 + abs(one.log_evidence))
        np.testing.assert_allclose(one.prior_share, two.prior_share, rtol=1e-7)


@given(data(), scales)
def test_swapped_labels_negate_the_coefficients(d, scale):
    swapped = replace(d, y=d.trials - d.y, offset=-d.offset)
    for prior in (proper(scale), "rstanarm"):
        assert_same(fit(d.design(), prior), fit(swapped.design(), prior), sign=-1.0)


@given(data(), scales, st.floats(-1000, 1000))
def test_a_shifted_column_moves_only_the_intercept(d, scale, shift):
    mixed = replace(d, y=np.append(d.y[:-2], [0.0, d.trials[-1]]))  # both classes, so that a flat intercept has a mode
    shifts = np.zeros(d.X.shape[1])
    shifts[0] = shift
    # Flat intercepts, and the preset's, which is stated at the column means, follow the shift; slopes never see it.
    for prior in (bl.Normal(scale), "rstanarm"):
        one, two = fit(mixed.design(), prior), fit(mixed.design(X=d.X + shifts), prior)
        a, b = one.params.to_numpy(), two.params.to_numpy()
        assert np.max(np.abs(a[1:] - b[1:]) / one.bse.to_numpy()[1:]) < 1e-7
        assert abs(a[0] - (b[0] + shift * b[1])) / one.bse.iloc[0] < 1e-7
        np.testing.assert_allclose(one.bse[1:], two.bse[1:], rtol=1e-7)
        assert abs(one.log_evidence - two.log_evidence) < 1e-7 * (1 + abs(one.log_evidence))
        np.testing.assert_allclose(one.predict(), two.predict(), rtol=1e-6, atol=1e-12)


@given(data(), scales, st.floats(-5, 5))
def test_a_prior_mean_is_an_offset(d, scale, mean):
    # b ~ Normal(m, s) is m x as an offset and b - m ~ Normal(0, s).
    moved = replace(d, offset=d.offset + d.X @ np.full(d.X.shape[1], mean))
    one, two = fit(d.design(), proper(scale, mean)), fit(moved.design(), proper(scale))
    shift = np.append(0.0, np.full(d.X.shape[1], mean))
    assert np.max(np.abs(one.params - two.params - shift) / one.bse) < 1e-7
    np.testing.assert_allclose(one.bse, two.bse, rtol=1e-7)
    assert abs(one.log_evidence - two.log_evidence) < 1e-7 * (1 + abs(one.log_evidence))


@given(data(), scales)
def test_a_multivariate_normal_with_a_diagonal_is_independent_normals(d, scale):
    k = d.X.shape[1]
    names = ["Intercept", *(f"x{j + 1}" for j in range(k))]
    joint = bl.MultivariateNormal(
        mean=np.append(0.0, np.full(k, 0.3)), cov=np.diag(np.append(9.0, np.full(k, scale**2))), columns=names
    )
    assert_same(fit(d.design(), proper(scale, 0.3)), fit(d.design(), joint))


@given(data(), scales)
def test_a_fit_is_where_the_score_vanishes_and_shares_are_shares(d, scale):
    f = fit(d.design(), proper(scale))
    share = f.prior_share.to_numpy()
    assert np.all((share > 0) & (share <= 1))
    assert 0 < f.effective_parameters < len(f.columns)
    score = f.mode.slope.score
    assume(np.abs(d.X).max() < 10)
    assert np.max(np.abs(score) * f.bse.to_numpy()) < 1e-7
    assert f.log_posterior == f.mode.slope.log_density


FAMILIES = ("normal", "laplace", "elastic net", "student", "cauchy")
means = st.floats(-2.0, 2.0)


def family(name: str, scale: float, mean: float) -> bl.Prior:
    match name:
        case "normal":
            return bl.Normal(scale, mean=mean)
        case "laplace":
            return bl.Laplace(scale, mean=mean)
        case "elastic net":
            return bl.ElasticNet(l1=1.0 / scale, l2=0.5 / scale**2, mean=mean)
        case "student":
            return bl.StudentT(4.0, scale, mean=mean)
    return bl.Cauchy(scale, mean=mean)


def slope(name: str, scale: float, away: float) -> tuple[float, float]:
    """Derivative of the log density that far from its mean, written from the formulas; and half the jump at a kink."""
    match name:
        case "normal":
            return -away / scale**2, 0.0
        case "laplace":
            return -np.sign(away) / scale, 1.0 / scale
        case "elastic net":
            return -np.sign(away) / scale - 0.5 * away / scale**2, 1.0 / scale
        case "student":
            return -5.0 * away / (4.0 * scale**2 + away**2), 0.0
    return -2.0 * away / (scale**2 + away**2), 0.0


@given(data(), st.lists(st.tuples(st.sampled_from(FAMILIES), scales, means), min_size=5, max_size=5))
def test_every_mode_is_one_whatever_the_priors(d, given):
    """A prior of any family on each coefficient: no direction is uphill at what the fit calls its mode."""
    given = given[: d.X.shape[1] + 1]
    terms = {f"x{j}": family(*each) for j, each in enumerate(given) if j}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = bl.fit(d.design(), prior=bl.priors(intercept=family(*given[0]), terms=terms), tol=1e-9)
    if not found.converged:
        # Where offsets put rows far out on the flat ends of the curve, a search may find no way and has to say so.
        assert np.abs(d.offset).max() > 10.0 and "Not converged" in str(said[0].message), found.mode.message
        return
    assert not said
    beta = found.params.to_numpy()
    X = np.column_stack([np.ones(d.y.size), d.X])
    eta = X @ beta + d.offset
    p = 0.5 * (1.0 + np.tanh(0.5 * eta))
    weight = d.weights * d.trials
    score = X.T @ (d.weights * d.y - weight * p)
    sd = 1.0 / np.sqrt(X.T**2 @ (weight * p * (1.0 - p)) + 1.0 / np.array([each[1] for each in given]) ** 2)
    size = np.abs(X.T) @ (d.weights * d.y + weight * p) + 1.0  # what the score is a small difference of
    for j, (name, scale, mean) in enumerate(given):
        inner, kink = slope(name, scale, beta[j] - mean)
        if kink and beta[j] == mean:
            assert abs(score[j]) <= kink * (1.0 + 1e-7) + 1e-12 * size[j], (name, j)
        else:
            assert abs(score[j] + inner) * sd[j] < 1e-6 + 1e-12 * size[j] * sd[j], (name, j)


@given(data(), st.floats(0.5, 0.99), st.sampled_from(["mean", "mode"]))
def test_predictions_are_probabilities_inside_their_intervals(d, prob, kind):
    f = fit(d.design(), proper(2.0))
    p = f.predict(prob=prob, kind=kind)
    assert np.all((p >= 0) & (p <= 1)) and np.all(p["lower"] <= p["upper"])
    if kind == "mode":
        assert np.all((p["lower"] <= p["probability"]) & (p["probability"] <= p["upper"]))
    wider = f.predict(prob=0.5 + prob / 2, kind=kind)
    assert np.all(wider["lower"] <= p["lower"]) and np.all(wider["upper"] >= p["upper"])
    # Averaging over the posterior draws a probability towards one half.
    inward = f.predict(kind="mean")["probability"] - 0.5, f.predict(kind="mode")["probability"] - 0.5
    assert np.all(np.abs(inward[0]) <= np.abs(inward[1]) + 1e-12)
