"""Comparisons: evidence against quadrature, stacking against SciPy, and what must not be compared."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import cauchy, laplace, norm, t

import bayeslogit as bl
from bayeslogit._compare import difference, stacking
from bayeslogit.comparison_rows import alike, separate_units
from bayeslogit.disagreement import mean_probabilities, regions


def small(n=40, seed=3, slope=0.9):
    rng = np.random.default_rng(seed)
    x = rng.normal(0.5, 1.3, n)
    z = rng.normal(0.0, 0.8, n)
    g = rng.choice(["a", "b", "c"], n)
    y = rng.binomial(1, expit(-0.4 + slope * x))
    return pd.DataFrame({"x": x, "z": z, "g": g, "y": y})


def log_likelihood(eta, y):
    return y @ eta - np.logaddexp(0.0, eta).sum(axis=0)


def quadrature(frame, log_prior_intercept, log_prior_slope, reach=12.0, points=481):
    """Log evidence of ``y ~ x`` by the trapezoid rule on a grid that holds zero, where a kink may be."""
    a = np.linspace(-reach, reach, points)
    b = np.linspace(-reach, reach, points)
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    step = a[1] - a[0]
    rows = []
    for slope in b:
        eta = a[None, :] + slope * x[:, None]
        rows.append(log_likelihood(eta, y) + log_prior_intercept(a) + log_prior_slope(slope))
    table = np.array(rows)
    top = table.max()
    return top + math.log(np.exp(table - top).sum() * step * step)


PRIORS = {
    "normal": (bl.Normal(1.0), norm(0, 1.0).logpdf),
    "laplace": (bl.Laplace(0.7), laplace(0, 0.7).logpdf),
    "student": (bl.StudentT(3, 2.5), t(3, 0, 2.5).logpdf),
    "cauchy": (bl.Cauchy(0.8), cauchy(0, 0.8).logpdf),
    "shifted": (bl.Normal(0.5, mean=2.0), norm(2.0, 0.5).logpdf),
}


@pytest.fixture(scope="module")
def compared():
    frame = small()
    fits = {name: bl.fit("y ~ x", frame, prior=bl.priors(prior, bl.Normal(2.0))) for name, (prior, _) in PRIORS.items()}
    return frame, fits, bl.compare(fits, rng=1, nuts=False)


def test_evidences_and_bayes_factors_are_those_of_quadrature(compared):
    frame, fits, found = compared
    truth = {name: quadrature(frame, norm(0, 2.0).logpdf, density) for name, (_, density) in PRIORS.items()}
    for row in found.table.records():
        assert abs(row["log_evidence"] - truth[row["fit"]]) <= 3.0 * row["log_evidence_se"] + 1e-3
        assert row["log_evidence_se"] <= 0.01
    rows = found.bayes_factors.records()
    assert [(row["fit"], row["against"]) for row in rows] == list(itertools.combinations(fits, 2))
    for row in rows:
        expected = truth[row["fit"]] - truth[row["against"]]
        assert abs(row["log_bayes_factor"] - expected) <= 3.0 * row["mcse"] + 2e-3
        assert row["bayes_factor"] == pytest.approx(math.exp(row["log_bayes_factor"]))
        assert row["reason"] is None


def test_evidences_of_importance_sampling_are_those_of_quadrature(compared):
    frame, fits, _ = compared
    drawn = {name: fits[name].sample("importance", rng=2) for name in ("normal", "student", "laplace")}
    found = bl.compare(drawn)
    truth = {name: quadrature(frame, norm(0, 2.0).logpdf, PRIORS[name][1]) for name in drawn}
    for row in found.bayes_factors.records():
        expected = truth[row["fit"]] - truth[row["against"]]
        assert 0.0 < row["mcse"] <= 0.0142
        assert abs(row["log_bayes_factor"] - expected) <= 3.0 * row["mcse"] + 1e-3


def test_elpd_differences_and_errors_are_those_of_the_pointwise_scores(compared):
    _, fits, found = compared
    each = {name: fit.loo(rng=5) for name, fit in fits.items()}
    best = max(each, key=lambda name: each[name].elpd)
    for row in found.table.records():
        loo, gap = each[row["fit"]], each[row["fit"]].elpd_i - each[best].elpd_i
        assert row["elpd"] == pytest.approx(loo.elpd, abs=0.02)
        assert row["elpd_se"] == pytest.approx(loo.se, abs=0.02)
        assert row["p_loo"] == pytest.approx(loo.p, abs=0.02)
        assert row["elpd_diff"] == pytest.approx(gap.sum(), abs=0.02)
        assert row["elpd_diff_se"] == pytest.approx(math.sqrt(gap.size) * gap.std(), abs=0.02)
    assert sum(found.weights.values()) == pytest.approx(1.0)


def test_the_difference_of_two_scores_has_the_error_of_paired_units():
    rng = np.random.default_rng(0)
    common = rng.normal(-1.0, 1.0, 200)
    first, second = common + rng.normal(0.0, 0.1, 200), common
    found = difference(first, second, np.ones(200))
    assert found.value == pytest.approx((first - second).sum())
    assert found.se == pytest.approx(math.sqrt(200) * (first - second).std())
    twice = difference(first, second, np.full(200, 2.0))
    assert twice.value == pytest.approx(2.0 * found.value)
    assert twice.se == pytest.approx(math.sqrt(2.0) * found.se)


@pytest.mark.parametrize("K", [2, 3, 6])
def test_stacking_weights_are_the_optimum_that_scipy_finds(K):
    rng = np.random.default_rng(K)
    scores = rng.normal(-1.0, 0.5, (150, K))
    scores[:, 0] += 0.15
    copies = rng.integers(1, 4, 150).astype(float)
    weights = stacking(scores, copies)

    def loss(w):
        return -float(copies @ np.log(np.exp(scores) @ w)) / copies.sum()

    found = minimize(
        loss,
        np.full(K, 1.0 / K),
        bounds=[(0.0, 1.0)] * K,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert weights.sum() == pytest.approx(1.0)
    assert np.all(weights >= 0.0)
    assert loss(weights) <= found.fun + 1e-9
    assert weights == pytest.approx(found.x, abs=2e-4)
    ratio = np.exp(scores) / (np.exp(scores) @ weights)[:, None]
    assert np.max(copies @ ratio) / copies.sum() <= 1.0 + 1e-9


def test_stacking_gives_all_to_a_model_that_is_always_better_and_shares_between_twins():
    scores = np.random.default_rng(1).normal(-1.0, 0.3, (50, 2))
    scores[:, 1] = scores[:, 0] - 0.1
    assert stacking(scores, np.ones(50)) == pytest.approx([1.0, 0.0])
    twins = np.column_stack([scores[:, 0], scores[:, 0]])
    assert stacking(twins, np.ones(50)).sum() == pytest.approx(1.0)


def test_coefficients_stand_in_their_units_and_as_shifts_of_the_first(compared):
    _, fits, found = compared
    draws = found.draws
    first = next(iter(fits))
    table = {row["term"]: row for row in found.coefficients.records()}
    assert list(table) == ["Intercept", "x"]
    for name in fits:
        assert table["x"][f"median:{name}"] == draws[name].rung.quantile(0.5)[0][1]
        if name != first:
            shift = (table["x"][f"median:{name}"] - table["x"][f"median:{first}"]) / draws[first].rung.sd[1]
            assert table["x"][f"shift:{name}"] == pytest.approx(shift)
    tidy = found.tidy()
    assert list(tidy.columns) == ["fit", "term", "estimate", "std_error", "conf_low", "conf_high", "shift"]
    row = tidy[(tidy["fit"] == "laplace") & (tidy["term"] == "x")].iloc[0]
    assert row["conf_low"] == draws["laplace"].conf_int().loc["x", "lower"]
    assert set(found.glance()["fit"]) == set(fits)


def test_predictions_are_those_of_the_draws_and_the_worst_rows_come_first(compared):
    frame, fits, found = compared
    each = {name: found.draws[name].predict()["probability"].to_numpy() for name in fits}
    span = np.max(list(each.values()), axis=0) - np.min(list(each.values()), axis=0)
    rows = found.predictions.records()
    order = np.argsort(-span, kind="stable")
    assert [int(row["row"]) for row in rows] == order[: len(rows)].tolist()
    for row in rows:
        i = int(row["row"])
        assert row["range"] == pytest.approx(span[i], abs=1e-9)
        assert row["observed"] == frame["y"][i]
        for name in fits:
            assert row[f"probability:{name}"] == pytest.approx(each[name][i], abs=1e-9)
        assert row["stands_out"] == f"x = {frame['x'][i]:.4g}"
    worst = found.regions.records()[0]
    assert worst["column"] == "x"
    assert worst["mean_range"] > span.mean()


def test_regions_are_bands_of_columns_and_count_observations():
    x = np.arange(100.0)
    group = (np.arange(100) % 2).astype(float)
    probabilities = np.column_stack([np.full(100, 0.5), np.where(x >= 90, 0.9, 0.5)])
    found = regions([("x", x), ("group", group)], probabilities, np.ones(100))
    assert found[0].column == "x"
    assert found[0].words == "above 89 (highest 10 %)"
    assert found[0].observations == 10
    assert found[0].mean_range == pytest.approx(0.4)
    assert found[0].probability == pytest.approx([0.5, 0.9])
    # Ties: what is at most the first of them is no tenth of the observations.
    tied = np.where(x < 40.0, 0.0, x)
    low = regions([("tied", tied)], np.column_stack([np.full(100, 0.5), np.where(x < 40, 0.9, 0.5)]), np.ones(100))
    assert (low[0].words, low[0].share) == ("at most 0", 0.4)
    # Twice the weight where the fits agree: nine tenths of 190 are reached at x = 85, and above are 4 * 2 + 10.
    count = np.where(x >= 90, 1.0, 2.0)
    heavy = regions([("x", x)], probabilities, count)[0]
    assert (heavy.words, heavy.observations) == ("above 85 (highest 10 %)", 18.0)
    assert (heavy.share, heavy.mean_range) == pytest.approx((18 / 190, 10 * 0.4 / 18))
    assert heavy.probability == pytest.approx([0.5, (8 * 0.5 + 10 * 0.9) / 18])


def test_many_rows_are_averaged_as_if_their_log_odds_were_normal():
    fit = bl.fit("y ~ x", small(n=300), prior=bl.Normal(1.0))
    rung = fit.sample(rng=1, nuts=False).rung
    by_points = mean_probabilities(rung, fit.design)
    by_moments = mean_probabilities(rung, fit.design, exact=0.0)
    assert by_moments == pytest.approx(by_points, abs=5e-4)


# --- when there is no Bayes factor ---------------------------------------------------------------------------------


def factor(fits, **options):
    (row,) = bl.compare(fits, nuts=False, **options).bayes_factors.records()
    return row


def test_flat_columns_that_differ_have_no_bayes_factor_and_an_intercept_prior_gives_one():
    frame = small()
    fits = {
        "flat intercept": bl.fit("y ~ x", frame, prior=bl.Normal(1.0)),
        "rstanarm": bl.fit("y ~ x", frame, prior="rstanarm"),
    }
    row = factor(fits)
    assert row["reason"] == "flat in 'flat intercept' alone: Intercept"
    assert math.isnan(row["log_bayes_factor"])
    both = bl.compare(fits, intercept=bl.Normal(2.0), nuts=False)
    (row,) = both.bayes_factors.records()
    assert row["reason"] is None
    scale = 2.5 / frame["x"].std()
    truth = [quadrature(frame, norm(0, 2.0).logpdf, norm(0, s).logpdf) for s in (1.0, scale)]
    assert abs(row["log_bayes_factor"] - (truth[0] - truth[1])) <= 3.0 * row["mcse"] + 2e-3
    assert both.fits["rstanarm"].prior.labels()[0] == "normal(0, 2)"
    assert "Every intercept has the prior Normal(2)" in str(both.table)


def test_centring_is_immaterial_and_units_of_flat_columns_are_not():
    frame = small()
    frame["w"] = frame["x"] - 7.0
    frame["cm"] = 100.0 * frame["x"]
    prior = bl.priors(terms={"z": bl.Normal(1.0)})
    fits = {"x": bl.fit("y ~ x + z", frame, prior=prior), "w": bl.fit("y ~ w + z", frame, prior=prior)}
    row = factor(fits)
    assert row["reason"] is None
    assert abs(row["log_bayes_factor"]) <= 4.0 * row["mcse"]
    fits["w"] = bl.fit("y ~ cm + z", frame, prior=prior)
    assert factor(fits)["reason"] == "flat columns in other units: Intercept, x in 'x', Intercept, cm in 'w'"


def test_other_contrasts_of_a_flat_factor_are_the_same_improper_part():
    frame = small()
    prior = bl.priors(default=bl.Flat(), terms={"x": bl.Normal(1.0)})
    fits = {
        "a": bl.fit("y ~ x + C(g)", frame, prior=prior),
        "b": bl.fit("y ~ x + C(g, contr.treatment('b'))", frame, prior=prior),
    }
    row = factor(fits)
    assert row["reason"] is None
    assert abs(row["log_bayes_factor"]) <= 4.0 * row["mcse"]


def test_dashes_have_reasons():
    frame = small()
    normal = bl.fit("y ~ x", frame, prior=bl.Normal(1.0))
    jeffreys = bl.fit("y ~ x", frame, prior=bl.Jeffreys())
    assert "a prior of the whole model is not normalised" in factor({"n": normal, "j": jeffreys})["reason"]
    approximate = bl.fit("y ~ x", frame, prior=bl.Normal(2.0)).sample("laplace")
    row = factor({"n": normal, "a": approximate})
    assert row["reason"].startswith("a has no log evidence: that of the laplace rung")
    other = bl.fit("y ~ x", frame, prior=bl.Normal(1.0), offset=np.full(len(frame), 0.2))
    assert factor({"n": normal, "o": other})["reason"] == "their offsets differ"


def test_the_evidence_at_a_tuned_scale_is_none_for_comparison():
    design = bl.Design.from_formula("y ~ x", small())
    chosen = bl.choose_scale(design, prior=bl.Normal, by="evidence").prior
    fits = {"fixed": bl.fit(design, prior=bl.Normal(1.0)), "tuned": bl.fit(design, prior=chosen)}
    assert factor(fits)["reason"] == "the evidence of tuned is maximised over its scale, which favours it"


def test_a_fit_without_a_posterior_keeps_its_row_and_leaves_the_rest_standing():
    frame = small()
    frame["x"] = np.where(frame["y"] == 1, 1.0, -1.0) * (1.0 + np.abs(frame["x"]))
    with pytest.warns(bl.FitWarning):
        flat = bl.fit("y ~ x", frame, prior=None)
    fits = {"flat": flat, "normal": bl.fit("y ~ x", frame), "tight": bl.fit("y ~ x", frame, prior=bl.Normal(0.5))}
    found = bl.compare(fits, nuts=False)
    rows = found.table.records()
    assert rows[0]["verdict"] == "no posterior"
    assert math.isnan(rows[0]["elpd"])
    assert math.isnan(rows[0]["weight"])
    assert rows[1]["weight"] + rows[2]["weight"] == pytest.approx(1.0)
    assert any(note.startswith("flat: no posterior.") for note in found.table.notes)
    assert math.isnan(found.coefficients.records()[1]["median:flat"])
    assert found.predictions.rows
    assert set(found.draws) == {"normal", "tight"}


# --- what is not compared --------------------------------------------------------------------------------------------


def test_nothing_is_said_of_coefficients_beside_fewer_than_two_posteriors_or_of_shifts_from_none():
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    frame = pd.DataFrame({"x": x, "y": (x > 0).astype(int)})
    none, *some = (bl.fit("y ~ x", frame, prior) for prior in (bl.Cauchy(2.5), bl.Normal(1), bl.Normal(2)))
    alone = " ".join(bl.compare({"none": none, "some": some[0]}).conclusions)
    assert "No coefficient" not in alone and "interval" not in alone and ".." not in alone
    three = " ".join(bl.compare({"none": none, "some": some[0], "more": some[1]}).conclusions)
    assert "No coefficient" not in three and "interval" in three


def test_other_rows_outcomes_and_orders_are_refused():
    frame = small()
    fit = bl.fit("y ~ x", frame, prior=bl.Normal(1.0))
    gaps = frame.copy()
    gaps.loc[[2, 5], "z"] = np.nan
    dropped = bl.fit("y ~ x + z", gaps, prior=bl.Normal(1.0), missing="drop")
    with pytest.raises(bl.DataError, match=r"different rows, 40 and 38\. Missing values dropped 2 of 'b'"):
        bl.compare({"a": fit, "b": dropped})
    gaps = frame.copy()
    gaps.loc[[1, 3], "z"] = np.nan
    with pytest.raises(bl.DataError, match="though as many"):
        bl.compare({"a": dropped, "b": bl.fit("y ~ x + z", gaps, prior=bl.Normal(1.0), missing="drop")})
    with pytest.raises(bl.DataError, match="different outcomes"):
        bl.compare({"a": fit, "b": bl.fit("y ~ x", frame.assign(y=1 - frame["y"]), prior=bl.Normal(1.0))})
    with pytest.raises(bl.DataError, match="different weights"):
        bl.compare({"a": fit, "b": bl.fit("y ~ x", frame, prior=bl.Normal(1.0), weights=np.full(len(frame), 2.0))})
    mixed = frame.assign(x=frame["x"].to_numpy()[::-1])
    with pytest.raises(bl.DataError, match="other rows, or rows in another order"):
        bl.compare({"a": fit, "b": bl.fit("y ~ x", mixed, prior=bl.Normal(1.0))})


def reordered(n=100):
    """Rows whose outcomes are sorted, and another order of them with the same outcomes."""
    rng = np.random.default_rng(1)
    y = np.sort(rng.binomial(1, 0.5, n))
    none = int(np.count_nonzero(y == 0))
    order = np.r_[rng.permutation(none), none + rng.permutation(n - none)]
    data = {"p": rng.normal(size=n), "q": rng.normal(size=n), "g": rng.choice(["u", "v"], n)}
    return pd.DataFrame({**data, "y": y}), order


@pytest.mark.parametrize(
    ("designs", "words"),
    [
        (
            lambda d, e: ("y ~ p", d, "y ~ q", e),
            r"by the index of the data: row 0 is 0 in the first and \d+ in the sec",
        ),
        (lambda d, e: ("y ~ p", d, "y ~ q", e.reset_index(drop=True)), "the same rows in another order. Give both"),
        (lambda d, e: ("y ~ p", d, "y ~ g", pl.from_pandas(e)), "the same rows in another order. Give both"),
        (lambda d, e: ("y ~ g", d, "y ~ 1", e.to_dict("list")), "the same rows in another order. Give both"),
        (lambda d, e: (d[["p", "q"]].to_numpy(), d["y"], e[["p", "q"]].to_numpy(), e["y"].to_numpy()), "another order"),
        (lambda d, e: ("y ~ p", d, e[["p"]].to_numpy(), e["y"].to_numpy()), "another order"),
    ],
    ids=["index", "frames", "polars", "one factor", "arrays", "formula and array"],
)
def test_another_order_of_the_same_outcomes_is_refused(designs, words):
    data, order = reordered()
    one, first, two, second = designs(data, data.iloc[order])
    with pytest.raises(bl.DataError, match=words):
        alike("ab", [_design(one, first), _design(two, second)])


def _design(model, data):
    if isinstance(model, str):
        return bl.Design.from_formula(model, data)
    return bl.Design.from_arrays(model, data, names=["p", "q"][: model.shape[1]])


def test_other_columns_of_the_same_rows_are_compared_whatever_their_names():
    data, _ = reordered()
    other = np.random.default_rng(2).normal(size=(100, 2))
    rows = data[["p", "q"]].to_numpy()
    # Balanced columns of an experiment: as many ones beside as many events, and no other order.
    y, x, z = np.tile([0, 1], 50), np.tile([0.0, 0.0, 1.0, 1.0], 25), np.repeat([0.0, 1.0], 50)
    gaps = data.assign(q=data["q"].where(data.index != 3))
    for first, second in [
        (_design("y ~ p", data), _design("y ~ q + g", data.copy())),
        (_design("y ~ p", data), _design("y ~ q", data.assign(q=2.0 * data["q"]))),
        (_design("y ~ p", data), _design("y ~ q", data.set_index(data.index + 1000))),
        (_design("y ~ p", data), _design("y ~ g", pl.from_pandas(data))),
        (_design("y ~ p + q", data), _design("y ~ g", data.assign(p=data["p"].astype(str)))),
        (_design(rows, data["y"].to_numpy()), _design(other, data["y"].to_numpy())),
        (_design(rows, data["y"].to_numpy()), _design(rows[:, ::-1], data["y"].to_numpy())),
        (_design(x[:, None], y), _design(z[:, None], y)),
        (
            bl.Design.from_formula("y ~ q", gaps, missing="drop"),
            bl.Design.from_formula("y ~ p", gaps.assign(p=gaps["p"].where(gaps.index != 3)), missing="drop"),
        ),
    ]:
        alike("ab", [first, second])


def test_the_arguments_are_checked(tmp_path):
    fit = bl.fit("y ~ x", small(), prior=bl.Normal(1.0))
    for wrong in ({"a": fit}, [fit, fit], {}):
        with pytest.raises(bl.ArgumentError, match="at least two fits"):
            bl.compare(wrong)
    with pytest.raises(bl.ArgumentError, match="a fit is needed"):
        bl.compare({"a": fit, "b": 3})
    with pytest.raises(bl.ArgumentError, match="the name of a fit is text"):
        bl.compare({"a": fit, 2: fit})
    with pytest.raises(bl.ArgumentError, match="a proper prior is needed"):
        bl.compare({"a": fit, "b": fit}, intercept=bl.Flat())
    fit.to_json(tmp_path / "fit.json")
    with pytest.raises(bl.FitError, match="does not hold the data"):
        bl.compare({"a": fit, "b": bl.load(tmp_path / "fit.json")})


# --- the same data in other shapes ------------------------------------------------------------------------------------


def test_counts_compare_as_their_expanded_rows():
    rng = np.random.default_rng(4)
    x, trials = np.linspace(-1.5, 1.5, 12), rng.integers(2, 6, 12)
    y = rng.binomial(trials, expit(0.3 + x))
    rows = [(a, k < s) for a, m, s in zip(x, trials, y, strict=True) for k in range(m)]
    long = np.array([a for a, _ in rows])[:, None], np.array([b for _, b in rows], dtype=float)
    grouped = bl.Design.from_arrays(x[:, None], y, trials=trials)
    single = bl.Design.from_arrays(*long)
    tables = []
    for design in (grouped, single):
        fits = {"wide": bl.fit(design, prior=bl.Normal(2.0)), "tight": bl.fit(design, prior=bl.Normal(0.2))}
        tables.append(bl.compare(fits, nuts=False).table.records())
    for one, other in zip(*tables, strict=True):
        for key in ("elpd", "elpd_se", "elpd_diff", "elpd_diff_se", "p_loo", "weight", "log_evidence"):
            assert one[key] == pytest.approx(other[key], abs=1e-9), key
    units = separate_units(grouped)
    assert units.copies.sum() == trials.sum()
    assert units.design.reduce(lambda block: float(block.successes.sum())) == y.sum()


def test_formulas_may_differ_and_columns_of_one_fit_alone_have_dashes():
    frame = small()
    prior = bl.priors(bl.Normal(1.0), bl.Normal(2.0))
    found = bl.compare(
        {"x": bl.fit("y ~ x", frame, prior=prior), "xz": bl.fit("y ~ x + z", frame, prior=prior)}, nuts=False
    )
    table = {row["term"]: row for row in found.coefficients.records()}
    assert math.isnan(table["z"]["median:x"])
    assert math.isfinite(table["z"]["median:xz"])
    (row,) = found.bayes_factors.records()
    assert row["reason"] is None
    assert row["log_bayes_factor"] > 0.0  # z has no effect on the outcome


def test_the_same_seed_gives_the_same_numbers():
    frame = small()
    fits = {"a": bl.fit("y ~ x + z + C(g)", frame, prior=bl.Laplace(1.0)), "b": bl.fit("y ~ x + z + C(g)", frame)}
    one, other = (bl.compare(fits, rng=7, nuts=False) for _ in range(2))
    assert one.glance().equals(other.glance())
    assert one.tidy().equals(other.tidy())


def test_draws_are_taken_as_they_are_and_frames_are_of_the_callers_library():
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(small())
    fit = bl.fit("y ~ x", frame, prior=bl.Normal(1.0))
    draws = fit.sample("variational", rng=3)
    found = bl.compare({"draws": draws, "fit": fit}, nuts=False)
    assert found.draws["draws"] is draws
    assert isinstance(found.tidy(), polars.DataFrame)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_figure_has_every_interval_and_the_conclusions_follow_from_the_numbers(compared):
    _, fits, found = compared
    chart = found.figure()
    assert "x" in [row.label for row in chart.rows]
    assert {record["fit"] for record in chart.data.records()} == set(fits)
    svg = chart.svg()
    assert all(name in svg for name in fits)
    best = max(found.table.records(), key=lambda row: row["elpd"])
    assert f"predicted best under {best['fit']}" in found.conclusions[0]
    evidence = {row["fit"]: row["log_evidence"] for row in found.table.records()}
    top, bottom = max(evidence, key=evidence.get), min(evidence, key=evidence.get)
    assert sum(f"for {top} against {bottom}" in sentence for sentence in found.conclusions) == 1


@pytest.mark.parametrize("suffix", [".html", ".md", ".tex", ".json"])
def test_a_report_on_a_comparison_is_one_file(compared, tmp_path, suffix):
    _, _, found = compared
    path = bl.report(found, tmp_path / f"comparison{suffix}", title="Priors", command="none")
    text = path.read_text(encoding="utf-8")
    for word in ("laplace", "student", "Bayes factor", "quadrature", "rng=1"):
        assert word in text
    assert str(found).count("\n") > 40
    shown = found._repr_html_()
    assert "<table" in shown and "<svg" in shown and f"<p>{found.conclusions[0]}</p>" in shown


@pytest.mark.parametrize("name", ["comparisons"])
def test_docstring_examples_hold(name):
    result = doctest.testmod(importlib.import_module(f"bayeslogit.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


# --- sentences that a reader would sign -------------------------------------------------------------------------------


def test_one_prior_under_two_names_is_said_once_and_not_compared_with_itself():
    frame = small()
    asked = {"normal": bl.Normal(1.0), "net": bl.ElasticNet(l1=0.0, l2=1.0), "C = 1": "sklearn", "wide": bl.Normal(9.0)}
    fits = {name: bl.fit("y ~ x + z", frame, prior=prior) for name, prior in asked.items()}
    found = bl.compare(fits, nuts=False)
    assert found.conclusions[0].startswith("normal, net and C = 1 have the same numbers for a prior on these data")
    (evidence,) = [words for words in found.conclusions if "Bayes factor" in words]
    assert "among" not in evidence  # pairs of twins are no pairs that lack one
    alone = bl.compare({name: fits[name] for name in ("normal", "net")}, nuts=False)
    assert len(alone.conclusions) == 1 and "both belong together" in alone.conclusions[0]
    rungs = {"gauss": fits["normal"].sample("laplace"), "pairs": fits["normal"].sample("importance", rng=1)}
    said = bl.compare(rungs).conclusions
    assert "how the posterior was worked out (importance, laplace)" in said[0] and len(said) > 1
    # A t prior of one degree of freedom is Cauchy's; of two it is another prior.
    tailed = {"cauchy": bl.Cauchy(2.0), "t1": bl.StudentT(1, 2.0), "t2": bl.StudentT(2, 2.0)}
    found = bl.compare({name: bl.fit("y ~ x", frame, prior=prior) for name, prior in tailed.items()}, nuts=False)
    assert found.conclusions[0].startswith("cauchy and t1 have the same numbers")
    # The same numbers on other columns are another model.
    found = bl.compare(
        {"x": bl.fit("y ~ x", frame, bl.Normal(1)), "z": bl.fit("y ~ z", frame, bl.Normal(1))}, nuts=False
    )
    assert not any("same numbers" in words for words in found.conclusions)


def test_fits_of_other_columns_are_models_and_fits_of_one_design_differ_in_their_priors():
    frame = small()
    prior = bl.priors(bl.Normal(1.0), bl.Normal(2.0))
    formulas = bl.compare(
        {"z": bl.fit("y ~ z", frame, prior=prior), "xz": bl.fit("y ~ x + z", frame, prior=prior)}, nuts=False
    )
    words = " ".join(formulas.conclusions)
    assert formulas.what == "model" and "under one model" in words and "the model decides" in words
    assert "prior" not in words.replace("It weighs columns and priors together, and the priors as they are scaled.", "")
    assert formulas.regions.title == "Regions where the model matters most"
    priors = bl.compare({"a": bl.fit("y ~ x", frame, bl.Normal(0.1)), "b": bl.fit("y ~ x", frame, bl.Normal(1))})
    assert priors.what == "prior" and "The prior moves x" in " ".join(priors.conclusions)


def test_flat_columns_stand_beside_each_log_evidence():
    frame = small()
    asked = {"flat": None, "normal": bl.Normal(1.0), "proper": "rstanarm", "firth": bl.Jeffreys()}
    rows = bl.compare({name: bl.fit("y ~ x", frame, prior=prior) for name, prior in asked.items()}).table.records()
    assert [row["flat"] for row in rows] == ["all 2 columns", "Intercept", "none", None]


def test_a_large_bayes_factor_between_priors_that_predict_alike_speaks_of_their_width():
    frame = small(n=400)
    fits = {"one": bl.fit("y ~ x", frame, bl.Normal(1.0)), "vast": bl.fit("y ~ x", frame, bl.Normal(1000.0))}
    (words,) = [each for each in bl.compare(fits, nuts=False).conclusions if "Bayes factor" in each]
    assert "for one against vast" in words and "it speaks of the width of the priors" in words


def test_an_interval_that_ends_at_zero_is_no_finding_whichever_side_it_is_on():
    frame = small()
    low, high = -3.0, 0.0  # prior means between which the lower end of the interval passes zero

    def fit(mean, scale=0.3):
        return bl.fit("y ~ x", frame, prior=bl.Normal(scale, mean=mean))

    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fit(middle).sample(nuts=False).quantile(0.025)["x"] < 0.0 else (low, middle)
    found = bl.compare({"one": fit(high), "other": fit(low, 0.301)}, nuts=False)
    words = "The 95 % interval of x ends within 0.1 posterior sd of zero under either prior"
    assert any(each.startswith(words) for each in found.conclusions)
    far = bl.compare({"one": fit(0.0), "other": fit(0.5)}, nuts=False)
    assert not any("ends within" in each for each in far.conclusions)


def test_what_is_finite_only_because_of_the_prior_is_said():
    frame = small()
    frame["g"] = ((frame["y"] == 1) & (frame["z"] > 0.5)).astype(int)
    fits = {name: bl.fit("y ~ x + g", frame, prior) for name, prior in (("a", bl.Normal(1)), ("b", bl.Normal(5)))}
    found = bl.compare(fits, nuts=False)
    assert "the estimate of g is finite only because of the prior" in found.conclusions[-1]


def test_more_effective_parameters_than_columns_are_explained_and_are_the_rate_at_which_the_fit_follows_the_data():
    x = np.array([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 6.0])
    y = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    design = bl.Design.from_arrays(x[:, None], y)
    fit = bl.fit(design, prior=bl.Jeffreys(), tol=1e-10)
    X = np.column_stack([np.ones(10), x])

    def probabilities(outcome):
        beta = fit.params.to_numpy()
        for _ in range(200):  # Firth's score, by Fisher scoring with its own hat values
            mean = expit(X @ beta)
            weight = mean * (1.0 - mean)
            information = X.T @ (X * weight[:, None])
            hat = weight * np.einsum("ij,ij->i", X, np.linalg.solve(information, X.T).T)
            beta = beta + np.linalg.solve(information, X.T @ (outcome - mean + hat * (0.5 - mean)))
        return expit(X @ beta)

    follows = 0.0
    for i, one in enumerate(1e-5 * np.eye(10)):
        follows += (probabilities(y + one) - probabilities(y - one))[i] / 2e-5
    assert fit.effective_parameters == pytest.approx(follows, rel=1e-5)
    assert follows > 2.01
    assert "(more, as the log prior curves upwards at the mode" in " ".join(str(fit.summary()).split())
    found = bl.compare({"firth": fit, "normal": bl.fit(design, prior=bl.Normal(1.0))}, nuts=False)
    assert any(
        note.startswith("firth: more effective parameters of the mode than columns") for note in found.table.notes
    )


def test_an_intercept_alone_is_compared_and_separation_is_said_after_a_new_intercept_prior():
    frame = small()
    alone = bl.compare({s: bl.fit("y ~ 1", frame, prior=bl.priors(intercept=bl.Normal(float(s)))) for s in ("1", "3")})
    assert "interval" not in " ".join(alone.conclusions) and len(alone.predictions.rows) == 10
    assert "observed" in str(alone)
    # The note of each fit is made again with the fits.
    apart = frame.assign(y=(frame.x > frame.x.median()).astype(int))
    fits = {str(s): bl.fit("y ~ x", apart, prior=bl.Normal(s)) for s in (1.0, 2.0)}
    said = bl.compare(fits, intercept=bl.Normal(5.0), nuts=False).conclusions[-1]
    assert "completely separated by x (+)" in said and "only because of the prior" in said


def test_rounding_is_no_difference_and_sums_of_weights_are_short():
    frame = small()
    fits = {name: bl.fit(f"y ~ {name}", frame, prior=None) for name in ("x", "I(x / 1000)")}
    words = " ".join(bl.compare(fits).conclusions)
    assert "Every predicted probability is the same" in words and "e-1" not in words
    weights = np.random.default_rng(2).random(len(frame))
    tight = {s: bl.fit("y ~ x", frame, prior=bl.Normal(float(s)), weights=weights) for s in ("0.05", "3")}
    found = re.search(r"For ([\d.]+) of ([\d.]+) observations", bl.compare(tight).conclusions[-1])
    assert found and found[2] == f"{weights.sum():.4g}" and len(found[1]) <= 5
