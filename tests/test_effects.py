"""Average effects: against derivatives and averages worked out by hand on the same draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit._effects import moves_of
from bayeslogit.average_effects import average_effects
from bayeslogit.errors import ArgumentError, FitError

WELLS = bl.datasets.load("wells").head(600)


def expit(eta):
    return 1.0 / (1.0 + np.exp(-eta))


@pytest.fixture(scope="module")
def fit():
    return bl.fit("switch ~ dist100 + arsenic", WELLS, prior=bl.Normal(2.5))


@pytest.fixture(scope="module")
def draws(fit):
    return fit.sample("importance", draws=3000, rng=1)


def by_hand(draws, function):
    """Weighted mean of ``function(beta)`` over the raw points, within four of its Monte-Carlo errors."""
    points, log_weights = draws.raw
    values, weights = np.array([function(beta) for beta in points]), np.exp(log_weights)
    mean = float(weights @ values)
    return pytest.approx(mean, abs=4.0 * float(np.sqrt(np.square(weights) @ np.square(values - mean))))


def draw_by_draw(draws, column, kind="ame", how="slope", at=None):
    """What `effects` averages, for each draw of `values`: one row a comparison."""
    return np.array(
        [move.average(draws.values, how) for move in moves_of(draws.fit.design, column, kind, at or {}, None)]
    )


def near_mean(values):
    """The mean of plain draws, within four of its Monte-Carlo errors."""
    return pytest.approx(values.mean(), abs=4.0 * values.std() / np.sqrt(values.size))


def test_the_slope_of_a_number_is_the_mean_derivative(fit, draws):
    X = np.column_stack([np.ones(600), WELLS["dist100"], WELLS["arsenic"]])

    def slope(beta):
        p = expit(X @ beta)
        return np.mean(p * (1.0 - p)) * beta[1]

    table = bl.effects(draws, "dist100")
    assert table.column("comparison") == ("dist100: slope",)
    assert table.column("mean")[0] == by_hand(draws, slope) and 0.0 < table.column("mcse")[0] < 1e-4
    assert table.column("lower")[0] < table.column("median")[0] < table.column("upper")[0]
    assert "certified" in table.header[0] and "per unit" in table.header[0]


@pytest.mark.parametrize("kind", ["difference", "ratio"])
def test_changes_compare_average_probabilities(draws, kind):
    X = np.column_stack([np.ones(600), WELLS["dist100"], WELLS["arsenic"]])
    low, high = X.copy(), X.copy()
    low[:, 2], high[:, 2] = 0.5, 3.0

    def change(beta):
        a, b = expit(low @ beta).mean(), expit(high @ beta).mean()
        return b - a if kind == "difference" else b / a

    table = bl.effects(draws, "arsenic", kind, between=(0.5, 3.0))
    assert table.column("mean")[0] == by_hand(draws, change)
    assert 0.0 < table.column("mcse")[0] < 0.005 * table.column("sd")[0]
    assert table.column("comparison") == ("arsenic: 0.5 to 3.0",)


def test_one_unit_more_without_between(draws):
    X = np.column_stack([np.ones(600), WELLS["dist100"], WELLS["arsenic"]])
    more = X + np.array([0.0, 0.0, 1.0])
    table = bl.effects(draws, "arsenic", "difference")
    expected = by_hand(draws, lambda beta: (expit(more @ beta) - expit(X @ beta)).mean())
    assert table.column("mean")[0] == expected


def test_polynomials_and_interactions_move_with_their_variable():
    """The derivative of ``b1 x + b2 x^2 + b3 x z`` is ``b1 + 2 b2 x + b3 z``, whatever the columns are called."""
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal(300), rng.standard_normal(300)
    y = (rng.random(300) < expit(x - 0.5 * x**2 + 0.7 * x * z)).astype(int)
    fit = bl.fit("y ~ x + I(x**2) + x:z", {"y": y, "x": x, "z": z}, prior=bl.Normal(2.5))
    draws = fit.sample("laplace", draws=500, rng=2)
    X = np.column_stack([np.ones(300), x, x**2, x * z])
    beta = draws.values
    p = expit(beta @ X.T)
    slope = (p * (1.0 - p) * (beta[:, [1]] + 2.0 * beta[:, [2]] * x + beta[:, [3]] * z)).mean(axis=1)
    table = bl.effects(draws, "x")
    assert np.allclose(draw_by_draw(draws, "x")[0], slope, rtol=0, atol=1e-7)
    assert table.column("mean")[0] == near_mean(slope) and table.column("sd")[0] == pytest.approx(slope.std(), rel=0.1)


def test_a_factor_is_compared_with_its_reference():
    births = bl.datasets.load("lbw")
    fit = bl.fit("low ~ age + C(smoke) + race", births, prior=bl.Normal(1.5))
    draws = fit.sample("laplace", draws=400, rng=1)
    table = bl.effects(draws, "race")
    reference = next(level for key, level in fit.spec.reference_levels.items() if key.startswith("race"))
    levels = [str(level) for level in fit.spec.levels["race"]]
    assert [row.split(": ")[1] for row in table.column("comparison")] == [
        f"{reference} to {level}" for level in levels if level != reference
    ]
    # The same through predictions on moved rows, one draw at a time.
    frame = fit.design.used_frame()
    each = draw_by_draw(draws, "race", how="difference")
    for name, mean, one in zip(table.column("comparison"), table.column("mean"), each, strict=True):
        low, high = (fit.spec.rows(frame.assign(race=level)).toarray() for level in name.split(": ")[1].split(" to "))
        moved = (expit(draws.values @ high.T) - expit(draws.values @ low.T)).mean(axis=1)
        assert np.allclose(one, moved, rtol=0, atol=1e-12) and mean == near_mean(moved)
    smoke = bl.effects(draws, "smoke")
    assert smoke.column("comparison") == ("smoke: 0 to 1",) and "difference" in smoke.header[0]


def test_zero_and_one_are_two_levels_and_not_a_slope():
    """On separated data the slope at one end would be more than a probability can change."""
    trial = pd.DataFrame({"drug": [0] * 8 + [1] * 8, "ill": [1, 1, 1, 0, 1, 0, 0, 1] + [0] * 8, "age": range(16)})
    fit = bl.fit("ill ~ drug + age", trial, prior=bl.Normal(10.0))
    told = fit.effects("drug", "difference")
    assert told.rows == fit.effects("drug", "difference", between=(0, 1)).rows
    assert "slope" in fit.effects("drug").column("comparison")[0]  # what is asked for is answered
    assert told.column("comparison") == ("drug: 0 to 1",) and -1.0 < told.column("lower")[0] < told.column("upper")[0]
    (effect,) = average_effects(fit, fit.design, ["drug"])
    moved = [fit.predict(trial.assign(drug=value), kind="mode")["probability"].mean() for value in (0, 1)]
    assert effect.comparison == "0 to 1" and effect.estimate == pytest.approx(moved[1] - moved[0], abs=1e-12)
    assert -1.0 < effect.lower < effect.upper < 1.0


def test_truth_values_and_held_variables(fit):
    frame = WELLS.assign(near=WELLS["dist100"] < 0.5)
    draws = bl.fit("switch ~ near + arsenic", frame, prior=bl.Normal(2.5)).sample("laplace", draws=300, rng=1)
    assert bl.effects(draws, "near").column("comparison") == ("near: False to True",)
    held = bl.effects(draws, "near", at={"arsenic": 1.0})
    beta = draws.values
    expected = expit(beta[:, 0] + beta[:, 1] + beta[:, 2]) - expit(beta[:, 0] + beta[:, 2])
    assert np.allclose(draw_by_draw(draws, "near", how="difference", at={"arsenic": 1.0})[0], expected, atol=1e-12)
    assert held.column("mean")[0] == near_mean(expected) and "arsenic = 1.0" in held.header[0]


def test_weights_trials_and_offset_count():
    rng = np.random.default_rng(5)
    x, trials, weights = rng.standard_normal(50), rng.integers(1, 5, 50), rng.integers(1, 4, 50)
    offset = rng.standard_normal(50)
    y = rng.binomial(trials, expit(x + offset))
    design = bl.Design.from_arrays(x[:, None], y, trials=trials, weights=weights, offset=offset)
    draws = bl.fit(design, prior=bl.Normal(2.5)).sample("laplace", draws=300, rng=1)
    p = expit(draws.values @ np.vstack([np.ones(50), x]) + offset)
    slope = np.average(p * (1.0 - p), axis=1, weights=weights * trials) * draws.values[:, 1]
    assert np.allclose(draw_by_draw(draws, "x1")[0], slope, rtol=0, atol=1e-7)
    assert bl.effects(draws, "x1").column("mean")[0] == near_mean(slope)


def test_a_fit_stands_for_its_gaussian(fit):
    table = bl.effects(fit, "arsenic", rng=3)
    same = bl.effects(fit.sample("laplace", rng=3), "arsenic")
    assert table.rows == same.rows and "laplace" in table.header[0]


def test_what_cannot_be_moved_is_refused(fit, draws, tmp_path):
    with pytest.raises(ArgumentError, match="no variable of this model, which has dist100, arsenic"):
        bl.effects(draws, "educ4")
    with pytest.raises(ArgumentError, match="kind='slope'"):
        bl.effects(draws, "arsenic", "slope")
    with pytest.raises(ArgumentError, match="variable that moves"):
        bl.effects(draws, "arsenic", at={"arsenic": 1.0})
    with pytest.raises(ArgumentError, match="two values"):
        bl.effects(draws, "arsenic", "ratio", between=(1.0, 2.0, 3.0))
    with pytest.raises(ArgumentError, match="two values"):
        bl.effects(draws, "arsenic", "ratio", between=2.0)
    with pytest.raises(ArgumentError, match="did you mean 'arsenic'"):
        bl.effects(draws, "arsnic")
    with pytest.raises(ArgumentError, match="a value for each variable"):
        bl.effects(draws, "arsenic", at=3)
    with pytest.raises(ArgumentError, match="a fit is needed"):
        bl.effects(pd.DataFrame(), "arsenic")
    fit.to_json(tmp_path / "fit.json")
    with pytest.raises(FitError, match="needs the data"):
        bl.effects(bl.load(tmp_path / "fit.json"), "arsenic")
