"""Paths: every point is the fit at its scale, zero sets are others' too, the axis begins where something happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import bayeslogit as bl
from bayeslogit import chords, panels
from bayeslogit.cli import run
from bayeslogit.kernels import kernel
from bayeslogit.multiples import MULTIPLIED, Base, Multiple
from bayeslogit.resolved import PriorTerm
from bayeslogit.target import LogPosterior

GOLDEN = json.loads((Path(__file__).parent / "golden" / "glmnet_pima.json").read_text("utf-8"))
TIGHT = 1e-10


def data(seed: int, n: int, k: int, true: int = 4, spread: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, k)) + 0.5 * rng.standard_normal((n, 1))
    beta = np.zeros(k)
    beta[:true] = rng.choice([-1.0, 0.7, 1.5], min(true, k))
    y = (rng.random(n) < 0.5 * (1 + np.tanh(X @ beta / 2))).astype(float)
    y[:2] = [0.0, 1.0]
    return (X + 2.0) * np.geomspace(1.0, spread, k), y


def violation(X: Any, y: Any, beta: Any, rate: Any, l2: Any = 0.0, offset: Any = 0.0) -> float:
    """``max |v_j| sd_j`` from the formula, intercept first; the sds are those given the zero set."""
    rows = np.column_stack([np.ones(len(y)), X])
    rate, l2 = np.concatenate([[0.0], rate]), np.concatenate([[0.0], np.broadcast_to(l2, X.shape[1])])
    mu = 0.5 * (1 + np.tanh((rows @ beta + offset) / 2))
    score = rows.T @ (y - mu) - l2 * beta
    active = (beta != 0) | (rate == 0)
    left = np.where(active, np.abs(score - rate * np.sign(beta)), np.maximum(np.abs(score) - rate, 0.0))
    H = (rows.T * (mu * (1 - mu))) @ rows + np.diag(l2)
    sd = 1 / np.sqrt(np.diag(H))
    sd[active] = np.sqrt(np.diag(np.linalg.inv(H[np.ix_(active, active)])))
    return float(np.max(left * sd))


# --- each point is a fit -----------------------------------------------------------------------------------------

PRIORS = {
    "laplace": bl.Laplace(1.0),
    "elastic net": bl.ElasticNet(l1=1.0, l2=0.5),
    "normal": bl.Normal(1.0),
    "mixed": bl.priors(default=bl.Laplace(1.0), terms={"x2": bl.Normal(2.0), "x3": bl.Flat()}),
    "another mean": bl.priors(default=bl.Laplace(1.0), terms={"x2": bl.Laplace(0.5, mean=0.4)}),
    "intercept": bl.priors(default=bl.Laplace(1.0), intercept=bl.Normal(3.0)),
    "intercept at a kink": bl.priors(default=bl.Laplace(1.0), intercept=bl.Laplace(0.3)),
    "groups": bl.priors(default=bl.Laplace(1.0), terms={"x1": bl.GroupLaplace(0.7)}),
    "joint": bl.priors(
        default=bl.Normal(1.0),
        terms={"x1": bl.MultivariateNormal(mean=[0.1], cov=[[0.5]])},
    ),
    "preset": bl.preset("rstanarm"),
    "whole": bl.priors(default=bl.Jeffreys(), terms={"x1": bl.Normal(1.0)}),
}


@pytest.mark.parametrize("name", PRIORS)
def test_every_point_is_the_fit_at_its_scale(name):
    X, y = data(3, 250, 6, spread=50.0)
    design = bl.Design.from_arrays(X, y)
    path = bl.path(design, prior=PRIORS[name], scales=12, tol=TIGHT)
    assert path.converged and (np.diff(path.scales) > 0).all()
    for s in (0, 1, 5, 8, 11):
        fit = bl.fit(design, prior=path.prior_at(path.scales[s]), tol=1e-11)
        sd = fit.bse.fillna(1 / np.sqrt(np.sum((X - X.mean(0)) ** 2))).to_numpy()
        own = path.coefficients.iloc[s].to_numpy()
        assert np.max(np.abs(own - fit.params.to_numpy()) / sd) < 1e-8
        assert ((own == 0) == (fit.params.to_numpy() == 0)).all()
        row = path.statistics.iloc[s]
        assert row.log_posterior == pytest.approx(fit.log_posterior, rel=1e-12)
        assert row.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-9)
        assert row.effective_parameters == pytest.approx(fit.effective_parameters, rel=1e-8)
        if path.points.sd is not None:
            np.testing.assert_allclose(path.sd.iloc[s], fit.bse, rtol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(20, 400),
    k=st.integers(1, 40),
    l2=st.sampled_from([0.0, 0.3]),
    sparse=st.booleans(),
)
def test_the_optimality_condition_holds_at_every_scale(seed, n, k, l2, sparse):
    X, y = data(seed, n, k, true=min(k, 4))
    X = X * (np.random.default_rng(seed).random(X.shape) < 0.4) if sparse else X
    offset = np.random.default_rng(seed + 1).standard_normal(n) / 2
    design = bl.Design.from_arrays(sp.csr_array(X) if sparse else X, y, offset=offset)
    prior = bl.ElasticNet(l1=1.0, l2=l2) if l2 else bl.Laplace(1.0)
    path = bl.path(design, prior=prior, scales=20)
    assert path.converged
    sd = X.std(axis=0, ddof=1)
    sd[sd == 0] = 1.0
    for scale, beta in zip(path.scales, path.coefficients.to_numpy(), strict=True):
        if np.count_nonzero(beta) < n:
            assert violation(X, y, beta, sd / scale, l2 * sd**2 / scale, offset) < 1e-4
    assert (path.statistics.violation <= 1e-4).all()


def test_many_columns_with_few_rows_and_all_the_machinery(monkeypatch):
    X, y = data(5, 120, 1500)
    design = bl.Design.from_arrays(X, y)
    path = bl.path(design, prior=bl.Laplace, tol=1e-8, scales=40)
    assert path.converged and path.scales[-1] / path.scales[0] == pytest.approx(100)
    for s in (0, 3, 10, 25, 39):
        fit = bl.fit(design, prior=path.prior_at(path.scales[s]), tol=1e-10)
        np.testing.assert_allclose(path.coefficients.iloc[s], fit.params, atol=1e-7)
        assert ((path.coefficients.iloc[s] == 0) == (fit.params == 0)).all()
    # Where the steps give up, the ordinary search takes over and the path goes on.
    monkeypatch.setattr(chords.Chords, "fit", lambda *_, **__: None)
    again = bl.path(design, prior=bl.Laplace, scales=path.scales[[5, 10]], tol=1e-8)
    np.testing.assert_allclose(again.coefficients, path.coefficients.iloc[[5, 10]], atol=1e-7)


def test_single_precision_panels_keep_the_promise_on_every_column():
    X, y = data(30, 2500, 120, true=20)
    path = bl.path(bl.Design.from_arrays(X, y), prior=bl.Laplace, base="raw", scales=np.geomspace(0.002, 2.0, 40))
    zeros = (path.coefficients == 0).sum(axis=1).to_numpy()
    assert zeros[0] > 90 and zeros[-1] < 20
    for scale, beta in zip(path.scales, path.points.coefficients, strict=True):
        assert violation(X, y, beta, np.full(120, 1.0 / scale)) < 1e-4


@pytest.mark.parametrize(("single", "tolerance"), [(False, 1e-11), (True, 2e-6)])
def test_panels_are_the_columns_of_the_design(single, tolerance):
    X, y = data(31, 2500, 150)
    target = LogPosterior.of(bl.Design.from_arrays(X, y), bl.Laplace(1.0).resolve(bl.Design.from_arrays(X, y)))
    held = panels.Panels(target, single=single)
    picked = np.array([0, 7, 3, 150, *range(20, 117)])
    for part in (picked[:1], picked[1:4], picked[4:]):
        held.add(part)
    assert held.compiled and held.columns.tolist() == picked.tolist()
    rows = np.column_stack([np.ones(len(y)), X - X.mean(axis=0)])
    gamma = np.where(np.arange(picked.size) % 3 == 0, 0.0, 0.02)
    eta = rows[:, picked] @ gamma
    mu = 0.5 * (1 + np.tanh(eta / 2))
    value, score = held.slope(gamma)
    assert value == pytest.approx(float(np.sum(y * eta - np.logaddexp(0, eta))), rel=tolerance)
    size = np.sqrt(2500.0)
    np.testing.assert_allclose(score / size, rows[:, picked].T @ (y - mu) / size, atol=tolerance)
    np.testing.assert_allclose(held.score_of_all() / size, rows.T @ (y - mu) / size, atol=tolerance)
    H = (rows.T * (mu * (1 - mu))) @ rows[:, picked]
    for first in (0, 3, 60):
        found = held.information(held.variance, first)
        np.testing.assert_allclose(found, H[picked, first:], atol=tolerance * H.max())


def test_sweeps_that_crawl_are_looked_ahead_of():
    k, rng = 60, np.random.default_rng(1)
    Q = np.linalg.qr(rng.standard_normal((k, k)))[0]
    H = (Q * np.geomspace(3e-4, 1.0, k)) @ Q.T
    score, rate, zero = H @ np.where(np.arange(k) < 20, rng.standard_normal(k), 0.0), np.full(k, 1e-3), np.zeros(k)
    found = kernel("descend", True)(H, score, zero, zero, rate, 1e-13, 1000)
    left = score - H @ found
    away = found != 0
    assert 20 < away.sum() < k
    assert np.all(np.abs(left) < 1e-3 + 1e-12)
    np.testing.assert_allclose(left[away], 1e-3 * np.sign(found[away]), atol=1e-11)
    plain = kernel("descend", False)(H, score, zero, zero, rate, 1e-13, 1000)
    assert np.abs(plain - found).max() > 1e-3


def test_a_prior_for_each_column_is_the_prior_of_all():
    X, y = data(32, 80, 12)
    design = bl.Design.from_arrays(X, y)
    for family in (bl.Laplace(0.2), bl.StudentT(3, 0.5)):
        each = bl.priors(default=bl.Normal(1.0), terms=dict.fromkeys(design.columns[1:], family))
        one, other = bl.fit(design, prior=each), bl.fit(design, prior=family)
        np.testing.assert_allclose(one.params, other.params, atol=1e-8)
        assert one.mode.log_density == pytest.approx(other.mode.log_density, abs=1e-10)


def test_separation_is_said_and_the_intercept_only_where_there_is_one():
    X, y = data(33, 60, 3)
    y = (X[:, 0] > np.median(X[:, 0])).astype(float)
    for prior in (bl.Laplace, bl.Normal):
        path = bl.path(bl.Design.from_arrays(X, y), prior=prior, scales=6)
        assert path.converged
        assert any("every estimate is finite only because of the prior" in note for note in path.notes)
    X, y = data(33, 60, 3)
    path = bl.path(bl.Design.from_arrays(X, y), scales=6)
    assert not path.notes
    bare = bl.path(bl.Design.from_arrays(X, y, intercept=False), scales=6)
    assert not bare.notes
    kept = bl.path(bl.Design.from_arrays(X, y), prior=bl.priors(default=bl.Laplace(1.0), intercept=bl.Normal(1.0)))
    assert kept.notes == ("The prior of the intercept is the same at every scale.",)
    with pytest.raises(bl.ArgumentError, match="this model has no slopes"):
        bl.path("y ~ 1", pd.DataFrame({"y": y}), scales=[0.1, 1.0])
    with pytest.raises(bl.ArgumentError, match="two scales or more"):
        bl.path(bl.Design.from_arrays(X, y), scales=[0.1]).figure()
    with pytest.raises(bl.ArgumentError, match="a scale is a positive number"):
        path.at("wide")  # type: ignore[arg-type]


def test_a_wide_normal_path_is_its_fits():
    X, y = data(6, 40, 90)
    design = bl.Design.from_arrays(X, y)
    path = bl.path(design, prior=bl.Normal, scales=6, tol=TIGHT)
    for s in (0, 2, 5):
        fit = bl.fit(design, prior=path.prior_at(path.scales[s]), tol=TIGHT)
        np.testing.assert_allclose(path.coefficients.iloc[s], fit.params, atol=1e-8)
        np.testing.assert_allclose(path.sd.iloc[s], fit.bse, rtol=1e-6)
        assert path.statistics.effective_parameters.iloc[s] == pytest.approx(fit.effective_parameters, rel=1e-7)


# --- other solvers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN["fits"], ids=lambda case: f"alpha = {case['alpha']}")
def test_glmnet_standardised_is_the_base_of_sds(case, pima_design):
    n, alpha = pima_design.nobs, case["alpha"]
    ratio = np.sqrt((n - 1) / n)  # glmnet's sds have the divisor n
    prior = bl.Laplace(1.0) if alpha == 1 else bl.ElasticNet(l1=alpha, l2=(1 - alpha) * ratio)
    scales = 1.0 / (n * np.array(case["lambda"]) * ratio)
    path = bl.path(pima_design, prior=prior, scales=scales, tol=TIGHT)
    theirs = np.array(case["coefficients"])
    # At its first lambda glmnet has no coefficient; ours may have left its kink by the rounding of that number.
    np.testing.assert_allclose(path.coefficients, theirs, atol=1e-7)
    assert ((path.coefficients.to_numpy()[1:] == 0) == (theirs[1:] == 0)).all()
    # The axis begins where glmnet's does.
    first = bl.path(pima_design, prior=prior, scales=3).scales[0]
    assert first == pytest.approx(scales[0], rel=1e-6)


def test_zero_sets_are_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    X, y = data(8, 300, 30)
    path = bl.path(bl.Design.from_arrays(X, y), prior=bl.Laplace, base="raw", scales=[0.03, 0.1, 0.5], tol=TIGHT)
    for scale, ours in zip(path.scales, path.coefficients.to_numpy(), strict=True):
        other = LogisticRegression(l1_ratio=1, C=scale, solver="saga", tol=1e-10, max_iter=100_000).fit(X, y)
        np.testing.assert_allclose(ours[1:], other.coef_[0], atol=1e-6)
        assert ((ours[1:] == 0) == (other.coef_[0] == 0)).all()


def test_elastic_net_limits():
    X, y = data(9, 200, 5)
    design = bl.Design.from_arrays(X, y)
    scales = [0.05, 0.2, 1.0]
    one = bl.path(design, prior=bl.ElasticNet(l1=1.0, l2=0.0), scales=scales, tol=TIGHT)
    two = bl.path(design, prior=bl.Laplace, scales=scales, tol=TIGHT)
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-9)
    # Both rates are divided by the scale, so without l1 a scale c is a normal prior of scale sqrt(c).
    flat = bl.path(design, prior=bl.ElasticNet(l1=0.0, l2=1.0), base="raw", scales=scales, tol=TIGHT)
    normal = bl.path(design, prior=bl.Normal, base="raw", scales=np.sqrt(scales), tol=TIGHT)
    np.testing.assert_allclose(flat.coefficients, normal.coefficients, atol=1e-9)
    np.testing.assert_allclose(flat.sd, normal.sd, rtol=1e-8)


# --- the axis ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["laplace", "elastic net", "mixed", "another mean", "intercept", "groups"])
def test_the_first_scale_is_the_last_at_which_nothing_has_happened(name):
    X, y = data(10, 200, 6)
    design = bl.Design.from_arrays(X, y)
    first = bl.path(design, prior=PRIORS[name], scales=2, tol=TIGHT).scales[0]
    away = []
    for factor in (1.0, 1.0 + 1e-4):
        fit = bl.fit(design, prior=Multiple(PRIORS[name], factor * first), tol=1e-12)
        center = fit.prior.means()
        kinked = [j for t in fit.prior.terms for j in t.columns if t.density.kink or t.density.group]
        away.append(int(np.sum((fit.params.to_numpy() != center)[kinked])))
    assert away[0] == 0 and away[1] > 0


def test_a_smooth_axis_goes_from_hardly_any_parameter_to_hardly_any_prior():
    X, y = data(11, 500, 4, spread=30.0)
    path = bl.path(bl.Design.from_arrays(X, y), prior=bl.Normal, scales=30)
    edf = path.statistics.effective_parameters
    assert edf.iloc[0] == pytest.approx(1.05, abs=0.01) and edf.is_monotonic_increasing
    assert edf.iloc[-1] == pytest.approx(5.0, abs=0.15)
    variance = path.prior_at(path.scales[-1]).resolve(path.design).variance()[1:]
    assert ((path.sd.iloc[-1].to_numpy()[1:] ** 2 / variance) < 0.04).all()


def test_scales_are_printed_for_each_column_and_follow_its_sd():
    X, y = data(12, 150, 3, spread=100.0)
    design = bl.Design.from_arrays(X, y)
    path = bl.path(design, prior=bl.Laplace, scales=4)
    np.testing.assert_allclose(path.base.unit[1:], 1 / X.std(axis=0, ddof=1))
    assert path.base_table().column("unit") == tuple(path.base.unit)
    raw = bl.path(design, prior=bl.Laplace, scales=4, base="raw")
    assert (raw.base.unit == 1).all()
    # A change of units changes nothing but the units.
    other = bl.path(bl.Design.from_arrays(X * [1.0, 10.0, 0.1], y), prior=bl.Laplace, scales=path.scales, tol=TIGHT)
    mine = bl.path(design, prior=bl.Laplace, scales=path.scales, tol=TIGHT)
    np.testing.assert_allclose(other.coefficients * [1.0, 1.0, 10.0, 0.1], mine.coefficients, rtol=1e-7, atol=1e-10)
    preset = bl.path(design, prior=bl.preset("rstanarm"), scales=[1.0])
    assert preset.base.kind == "raw"
    fit = bl.fit(design, prior=bl.preset("rstanarm"))
    np.testing.assert_allclose(preset.coefficients.iloc[0], fit.params, atol=1e-6)


def test_every_family_with_a_scale_can_be_multiplied():
    from bayeslogit.densities import DENSITIES

    assert set(MULTIPLIED) == set(DENSITIES) - {"flat"}
    unit, by = np.array([0.5, 4.0]), 3.0
    values = {"mean": np.zeros(2), "scale": np.array([1.0, 2.0]), "df": np.full(2, 5.0)}
    for family, density in DENSITIES.items():
        if family in ("normal", "laplace", "student_t"):
            given = {k: v for k, v in values.items() if k != "df" or family == "student_t"}
            wider = MULTIPLIED[family](dict(given), unit, by)
            term = PriorTerm(family, (0, 1), wider)
            assert term.density.variance(**wider) == pytest.approx(density.variance(**given) * (unit * by) ** 2)
    joint = MULTIPLIED["multivariate_normal"](
        {"mean": np.zeros(2), "precision": np.array([[2.0, 1.0], [1.0, 3.0]])}, unit, by
    )
    cov = np.linalg.inv([[2.0, 1.0], [1.0, 3.0]]) * np.outer(unit * by, unit * by)
    np.testing.assert_allclose(np.linalg.inv(joint["precision"]), cov)
    rates = MULTIPLIED["elastic_net"]({"mean": np.zeros(2), "l1": np.ones(2), "l2": np.full(2, 2.0)}, np.ones(2), by)
    assert rates["l2"] == pytest.approx(2 * rates["l1"])


# --- invariances -------------------------------------------------------------------------------------------------


def test_weights_are_repeated_rows_and_trials_are_counts():
    rng = np.random.default_rng(13)
    X, y = data(13, 60, 5)
    times = rng.integers(1, 4, 60)
    scales = [0.02, 0.05, 0.3]
    weighted = bl.path(bl.Design.from_arrays(X, y, weights=times), prior=bl.Laplace, scales=scales, tol=TIGHT)
    repeated = bl.path(
        bl.Design.from_arrays(np.repeat(X, times, 0), np.repeat(y, times)), prior=bl.Laplace, scales=scales, tol=TIGHT
    )
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=1e-9)
    counts = bl.path(bl.Design.from_arrays(X, y * times, trials=times), prior=bl.Laplace, scales=scales, tol=TIGHT)
    np.testing.assert_allclose(counts.coefficients, repeated.coefficients, atol=1e-9)


def test_where_a_search_starts_does_not_matter():
    X, y = data(14, 300, 40)
    design = bl.Design.from_arrays(X, y)
    whole = bl.path(design, prior=bl.Laplace, scales=50, tol=TIGHT)
    some = bl.path(design, prior=bl.Laplace, scales=whole.scales[[3, 20, 21, 49]][::-1], tol=TIGHT)
    np.testing.assert_allclose(some.coefficients, whole.coefficients.iloc[[3, 20, 21, 49]], atol=1e-9)
    assert (some.statistics.nonzero.to_numpy() == whole.statistics.nonzero.to_numpy()[[3, 20, 21, 49]]).all()
    swapped = bl.path(bl.Design.from_arrays(X, 1 - y), prior=bl.Laplace, scales=whole.scales[::7], tol=TIGHT)
    np.testing.assert_allclose(swapped.coefficients, -whole.coefficients.iloc[::7], atol=1e-9)


def test_compiled_and_plain_passes_walk_the_same_path(monkeypatch):
    X, y = data(15, 700, 30)
    design = bl.Design.from_arrays(X, y)
    plain = bl.path(design, prior=bl.Laplace, scales=20, tol=TIGHT)
    from dataclasses import replace

    loops = replace(design, source=replace(design.source, loops=True))
    compiled = bl.path(loops, prior=bl.Laplace, scales=plain.scales, tol=TIGHT)
    np.testing.assert_allclose(plain.coefficients, compiled.coefficients, atol=1e-9)


# --- what a user holds -------------------------------------------------------------------------------------------


def test_a_path_speaks_for_itself(pima):
    path = bl.path("type ~ glu + bmi + age", pima, prior=bl.Laplace, scales=30)
    assert path.coefficients.shape == (30, 4) and path.coefficients.index.name == "scale"
    assert list(path.statistics.columns[:2]) == ["nonzero", "effective_parameters"]
    pd.testing.assert_series_equal(path.at(path.scales[7] * 1.001), path.coefficients.iloc[7])
    text = str(path)
    assert "optimality condition holds to" in text and "12 of 30 scales are shown" in text
    assert len(path.table().rows) == 30 and "Path of 4 coefficients over 30 scales" in repr(path)
    assert path.sd.isna().to_numpy().all()
    svg = path.figure().svg()
    assert svg.count("<path") >= 3 and "glu</text>" in svg and "<svg" in path._repr_html_()
    lower, upper = bl.path("type ~ glu + bmi", pima, prior=bl.Normal, scales=5).conf_int(0.9)
    assert (lower < upper).to_numpy().all()
    figure = bl.path("type ~ glu + bmi", pima, prior=bl.Normal, scales=5).figure()
    assert "95 % interval of glu, bmi" in figure.svg(350) and figure.to_matplotlib() is not None
    with pytest.raises(bl.ArgumentError, match=r"figure\(per='nothing'\)"):
        path.figure(per="nothing")


def test_heavy_tails_follow_one_mode_and_say_so():
    X, y = data(16, 150, 4)
    path = bl.path(bl.Design.from_arrays(X, y), prior=bl.StudentT(4, 1.0), scales=8, tol=TIGHT)
    assert path.converged and any("follows the one where it began" in note for note in path.notes)
    for s in (4, 7):
        fit = bl.fit(path.design, prior=path.prior_at(path.scales[s]), tol=1e-11)
        np.testing.assert_allclose(path.coefficients.iloc[s], fit.params, atol=1e-8)
        np.testing.assert_allclose(path.sd.iloc[s], fit.bse, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"prior": bl.Flat()}, bl.ArgumentError, "no term of this prior has a scale"),
        ({"prior": bl.Jeffreys()}, bl.ArgumentError, "no term of this prior has a scale"),
        ({"prior": bl.StudentT}, bl.ArgumentError, "does not say its shape"),
        ({"scales": 1}, bl.ArgumentError, "give 2 to 10,000 scales"),
        ({"scales": [0.1, -1.0]}, bl.ArgumentError, "positive finite numbers"),
        ({"scales": []}, bl.ArgumentError, "positive finite numbers"),
        ({"scales": "wide"}, bl.ArgumentError, "positive finite numbers"),
        ({"scales": True}, bl.ArgumentError, "positive finite numbers"),
        ({"prior": bl.Flat}, bl.ArgumentError, "no term of this prior has a scale"),
        ({"prior": bl.Jeffreys, "scales": [0.1, 1.0]}, bl.ArgumentError, "no term of this prior has a scale"),
        ({"base": "z"}, bl.ArgumentError, "base='z'"),
        ({"tol": 0}, bl.ArgumentError, r"path\(tol=0\)"),
        ({"data": [1]}, bl.ArgumentError, r"path\(design, ...\): data belong"),
    ],
)
def test_what_cannot_be_is_refused(arguments, error, words):
    X, y = data(17, 50, 2)
    with pytest.raises(error, match=words):
        bl.path(bl.Design.from_arrays(X, y), **arguments)


def test_one_class_is_a_failure_with_its_reason():
    X, _ = data(18, 30, 2)
    with pytest.raises(bl.FitError, match="no fit to begin with"):
        bl.path(bl.Design.from_arrays(X, np.ones(30)), prior=bl.Laplace)
    with pytest.warns(bl.FitWarning, match="At scale 0.1"):
        path = bl.path(bl.Design.from_arrays(X, np.ones(30)), prior=bl.Laplace, scales=[0.1, 1.0])
    assert not path.converged and list(path.statistics.status) == ["single class"] * 2
    assert "2 of 2 searches did not converge" in str(path)


def test_base_is_a_rule_of_its_own(pima_design):
    resolved = bl.Laplace(2.0).resolve(pima_design)
    base = Base.of(pima_design, resolved, "sd")
    scaled = base.multiple(resolved, 0.5)
    np.testing.assert_allclose(scaled.terms[-1].parameters["scale"], 1.0 / pima_design.column_sds[1:])
    assert scaled.terms[0].family == "flat"


def test_the_command_line(tmp_path, capsys, pima):
    file = tmp_path / "pima.csv"
    pima.to_csv(file, index=False)
    call = ["path", str(file), "--formula", "type ~ glu + bmi + age", "--scales", "6"]
    assert run(call) == 0
    out = capsys.readouterr().out
    assert "Coefficients along the prior scale" in out and "The prior at scale 1" in out
    assert run([*call, "--json", "--prior", "normal:1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["scales"]) == 6 and len(document["coefficients"][0]) == 4 and document["sd"] is not None
    for suffix, word in [("svg", "<svg"), ("html", "<html"), ("csv", "effective_parameters"), ("json", '"scales"')]:
        place = tmp_path / f"path.{suffix}"
        assert run([*call[:-1], "0.01,0.1,1", "--out", str(place)]) == 0
        assert word in place.read_text("utf-8")
    capsys.readouterr()
    assert run([*call, "--out", str(tmp_path / "path.docx")]) == 2
    assert ".svg, .html, .csv, .json" in capsys.readouterr().err
    assert run([*call[:-1], "many"]) == 2


def test_every_summary_of_a_kinked_fit_prints_its_certificate(pima_design):
    fit = bl.fit(pima_design, prior=bl.Laplace(0.05))
    assert f"optimality condition holds to {fit.mode.decrement:.1e} posterior sd" in " ".join(str(fit).split())
    assert "optimality condition" not in str(bl.fit(pima_design, prior=bl.Normal(1.0)))


def test_columns_in_any_memory_order_and_many_lines():
    X, y = data(19, 300, 400)
    rows = bl.path(bl.Design.from_arrays(np.ascontiguousarray(X), y), prior=bl.Laplace, scales=10)
    columns = bl.path(bl.Design.from_arrays(np.asfortranarray(X), y), prior=bl.Laplace, scales=10)
    np.testing.assert_allclose(rows.coefficients, columns.coefficients, atol=1e-6)
    chart = rows.figure()
    assert len([layer for layer in chart.layers if type(layer).__name__ == "Line"]) <= 300
    assert any("not drawn" in note for note in chart.notes) and len(chart.ends) == 8


def test_a_single_column_without_an_intercept_has_a_scale(rng):
    X = rng.normal(size=(80, 1))
    y = (rng.random(80) < 1.0 / (1.0 + np.exp(-X[:, 0]))).astype(int)
    design = bl.Design.from_arrays(X, y, intercept=False)
    path = bl.path(design, prior=bl.Laplace, scales=5, tol=1e-10)
    last = bl.fit(design, prior=path.prior_at(path.scales[-1]))
    np.testing.assert_allclose(path.coefficients.to_numpy()[-1], last.params.to_numpy(), rtol=1e-6)
    assert path.coefficients.to_numpy()[-1, 0] != 0.0
