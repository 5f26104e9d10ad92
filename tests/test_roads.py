"""Every road to the mode leads to the same place, says what it cost, and bounds the error of its standard errors."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import bayeslogit as bl
from bayeslogit import coding, presets, solve, workers
from bayeslogit.mode import Mode, Road
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.solve import choose_road, find_mode
from bayeslogit.sources.matrix import SparseRows
from bayeslogit.sources.memory import MemorySource
from bayeslogit.subsample import sample_start
from bayeslogit.target import LogPosterior

ROADS = [Road.NEWTON, Road.SAMPLE_THEN_NEWTON, Road.ONE_INFORMATION, Road.GRADIENTS]
PROPER = bl.priors(default=bl.Normal(1.5), intercept=bl.Normal(4.0))


def simulated(
    rng: np.random.Generator, n: int, k: int, *, rate: float = 0.4, tails: float = np.inf, scale: float = 1.0
) -> tuple[Any, Any]:
    """Correlated columns; rows with t tails; about ``rate`` events; columns in units of ``scale ** (j / k)``."""
    X = rng.standard_normal((n, k)) + 0.7 * rng.standard_normal((n, 1))
    if np.isfinite(tails):
        X *= np.sqrt(tails / rng.chisquare(tails, (n, 1)))
    eta = X @ rng.standard_normal(k) / np.sqrt(k)
    eta += np.log(rate / (1 - rate)) - np.median(eta)
    y = rng.random(n) < 0.5 * (1 + np.tanh(eta / 2))
    y[:2] = [True, False]
    return X * scale ** (np.arange(k) / k), y.astype(float)


def target(X: Any, y: Any, prior: Any = PROPER, *, loops: bool | None = None, **options: Any) -> LogPosterior:
    design = bl.Design.from_arrays(X, y, **options)
    if loops is not None:
        design = replace(design, source=replace(design.source, loops=loops))
    return LogPosterior(design, presets.as_prior(prior).resolve(design))


def apart(one: Mode, two: Mode) -> float:
    """Distance of two modes in posterior sds, in the norm of the exact information."""
    at = one.coordinates
    away = at.gamma(one.beta) - at.gamma(two.beta)
    return float(np.sqrt(away @ one.information @ away))


def sds(mode: Mode) -> Any:
    return LaplacePosterior.at(mode).sd


# --- the same place ----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(150, 900),
    k=st.integers(1, 9),
    rate=st.sampled_from([0.5, 0.1, 0.02]),
    tails=st.sampled_from([np.inf, 4.0, 2.0]),
    scale=st.sampled_from([1.0, 1e-6, 1e6]),
    weighted=st.booleans(),
    kind=st.sampled_from(["dense", "float32", "sparse"]),
    prior=st.sampled_from([PROPER, "rstanarm", bl.Normal(0.1)]),
    loops=st.booleans(),
)
def test_every_road_ends_at_the_mode(seed, n, k, rate, tails, scale, weighted, kind, prior, loops):
    rng = np.random.default_rng(seed)
    X, y = simulated(rng, n, k, rate=rate, tails=tails, scale=scale)
    options: dict[str, Any] = {}
    if weighted:
        options = {"weights": rng.integers(0, 4, n) * 0.5, "offset": rng.standard_normal(n)}
        options["weights"][:2] = 1.0
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "sparse":
        X = sp.csr_array(X * (rng.random(X.shape) < 0.2))
    with np.errstate(all="raise", under="ignore"):
        made = target(X, y, prior, loops=loops, **options)
        plain = find_mode(made, road=Road.NEWTON, tol=1e-9)
        found = [find_mode(made, road=road) for road in ROADS]
    assert plain.converged
    for road, mode in zip(ROADS, found, strict=True):
        assert mode.converged and mode.decrement <= 1e-6, road
        # Without an information the last step is measured by the sub-sample's: the tolerance is what is promised.
        assert apart(plain, mode) < (2e-6 if road is Road.GRADIENTS else 1e-8), road
        if road is not Road.GRADIENTS:
            np.testing.assert_allclose(sds(mode), sds(plain), rtol=1e-6, err_msg=road)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(5, 40),
    extra=st.integers(2, 60),
    scale=st.sampled_from([1.0, 1e-4, 1e4]),
    prior=st.sampled_from([PROPER, bl.Normal(0.3, mean=0.2), "rstanarm"]),
    intercept=st.booleans(),
    kind=st.sampled_from(["dense", "sparse", "twins"]),
)
def test_the_reduction_of_a_wide_design_is_exact(seed, n, extra, scale, prior, intercept, kind):
    rng = np.random.default_rng(seed)
    X, y = simulated(rng, n, n + extra, scale=scale)
    if kind == "sparse":
        X = sp.csr_array(X * (rng.random(X.shape) < 0.5))
    if kind == "twins":  # repeated rows: the span of the rows has fewer dimensions than there are rows
        X[1::2] = X[: 2 * (n // 2) : 2]
    prior = bl.Normal(1.5) if prior is PROPER and not intercept else prior
    made = target(X, y, prior, intercept=intercept, weights=rng.integers(0, 3, n) + 0.5, offset=rng.standard_normal(n))
    assert choose_road(made) is Road.WIDE
    plain, wide = (find_mode(made, road=road, tol=1e-9) for road in (Road.NEWTON, None))
    assert plain.converged and wide.converged and wide.road is Road.WIDE
    assert apart(plain, wide) < 1e-8
    one, two = LaplacePosterior.at(plain), LaplacePosterior.at(wide)
    np.testing.assert_allclose(two.sd, one.sd, rtol=1e-7)
    assert two.log_determinant == pytest.approx(one.log_determinant, abs=1e-6)
    assert wide.log_density == pytest.approx(plain.log_density, rel=1e-9)
    D = one.sd[:, None] * one.sd
    np.testing.assert_allclose(two.covariance() / D, one.covariance() / D, atol=1e-7)
    np.testing.assert_allclose(wide.slope.score * one.sd, 0.0, atol=1e-7)


def wide_fit(rng: np.random.Generator, prior: Any = "rstanarm") -> bl.Fit:
    X, y = simulated(rng, 25, 60)
    return bl.fit(bl.Design.from_arrays(X, y), prior=prior, tol=1e-9)


def test_a_wide_fit_says_what_a_plain_fit_says(rng, monkeypatch):
    X, y = simulated(rng, 25, 60)
    design, new = bl.Design.from_arrays(X, y), rng.standard_normal((7, 60))
    wide = bl.fit(design, prior="rstanarm", tol=1e-9)
    monkeypatch.setattr(solve, "is_wide", lambda target: False)
    plain = bl.fit(design, prior="rstanarm", tol=1e-9)
    assert (wide.mode.road, plain.mode.road) == (Road.WIDE, Road.NEWTON)
    for name in ("log_likelihood", "log_posterior", "log_evidence", "effective_parameters"):
        assert getattr(wide, name) == pytest.approx(getattr(plain, name), rel=1e-7), name
    np.testing.assert_allclose(wide.prior_share, plain.prior_share, rtol=1e-6)
    np.testing.assert_allclose(wide.predict(new), plain.predict(new), rtol=1e-7)
    np.testing.assert_allclose(wide.augment(), plain.augment(), rtol=1e-6, atol=1e-9)
    terms, groups = ["x7", "Intercept", "x2"], np.arange(25) % 6
    sd = plain.bse[terms].to_numpy()
    for kind, more in [("posterior", {}), ("frequentist", {}), ("robust", {}), ("robust", {"groups": groups})]:
        a, b = (fit.cov_params(kind, terms=terms, **more).to_numpy() / sd / sd[:, None] for fit in (plain, wide))
        np.testing.assert_allclose(b, a, atol=1e-7, err_msg=kind)
    with pytest.warns(bl.FitWarning, match="leaves the prior out"):
        assert np.isnan(wide.cov_params("likelihood", terms=terms)).all(axis=None)
    with pytest.raises(bl.FitError, match="formed no information matrix of all columns"):
        _ = wide.mode.expansion
    draws = wide.posterior.sample(40_000, 3)
    np.testing.assert_allclose(draws.mean(axis=0), wide.params, atol=0.025 * wide.bse.max())  # 5 errors of a mean
    np.testing.assert_allclose(draws.std(axis=0), wide.bse, rtol=0.02)  # and more than 5 of an sd
    error = np.prod(wide.bse.iloc[[3, 9]]) / 200.0  # of a covariance of 40,000 draws
    np.testing.assert_allclose(
        np.cov(draws[:, 3], draws[:, 9])[0, 1], wide.posterior.covariance([3, 9])[0, 1], atol=4.0 * error
    )


def test_a_wide_fit_is_saved_and_read_back_bit_by_bit(rng, tmp_path):
    fit, new = wide_fit(rng), rng.standard_normal((4, 60))
    fit.to_json(tmp_path / "wide.json")
    again = bl.load(tmp_path / "wide.json")
    assert again.fingerprint == fit.fingerprint and again.mode.road is Road.WIDE
    pd.testing.assert_frame_equal(again.predict(new), fit.predict(new), check_exact=True)
    pd.testing.assert_series_equal(again.bse, fit.bse, check_exact=True)
    pd.testing.assert_frame_equal(again.cov_params("frequentist"), fit.cov_params("frequentist"), check_exact=True)


def test_flat_columns_of_a_wide_design_are_carried_along(rng):
    X, y = simulated(rng, 40, 90)
    prior = bl.priors(default=bl.Normal(0.5), terms={"x3": bl.Flat(), "x10": bl.Normal(2.0)})
    made = target(X, y, prior)
    plain, wide = (find_mode(made, road=road, tol=1e-9) for road in (Road.NEWTON, None))
    assert wide.road is Road.WIDE and apart(plain, wide) < 1e-8
    np.testing.assert_allclose(sds(wide), sds(plain), rtol=1e-7)


@pytest.mark.parametrize("small", [1e-2, 1e-4, 1e-6])
def test_a_short_direction_still_moves_the_mode(small, rng):
    # Two rows that differ by little, and a prior that is wide: their difference is a short direction of the span.
    X, y = simulated(rng, 30, 45)
    X[1] = X[0] + small * rng.standard_normal(45)
    y[:2] = [0.0, 1.0]
    made = target(X, y, bl.Normal(300.0), intercept=False)
    plain, wide = (find_mode(made, road=road, tol=1e-9) for road in (Road.NEWTON, None))
    assert wide.road is Road.WIDE and apart(plain, wide) < 1e-7
    np.testing.assert_allclose(sds(wide), sds(plain), rtol=1e-6)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e10])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_column_that_towers_above_the_rest_keeps_its_digits(size, intercept, rng):
    X, y = simulated(rng, 40, 70)
    X[:, 5] *= size
    made = target(X, y, bl.Normal(1.0), intercept=intercept)
    plain, wide = (find_mode(made, road=road, tol=1e-9) for road in (Road.NEWTON, None))
    assert wide.road is Road.WIDE and apart(plain, wide) < 1e-8
    np.testing.assert_allclose(sds(wide), sds(plain), rtol=1e-7)


def test_a_wide_design_that_a_flat_column_separates_has_no_mode(rng):
    X, y = simulated(rng, 20, 50)
    X[:, 3] = 2 * y - 1
    mode = find_mode(target(X, y, bl.priors(default=bl.Normal(0.5), terms={"x4": bl.Flat()})))
    assert mode.status == "no finite mode" and "x4 (+)" in mode.message
    assert mode.recession.direction.shape == (51,) and np.flatnonzero(mode.recession.direction[1:]).tolist() == [3]


def test_a_prior_that_ties_columns_together_is_not_reduced(rng):
    X, y = simulated(rng, 5, 8)
    joint = bl.MultivariateNormal(mean=np.zeros(8), cov=np.eye(8) + 0.3, columns=[f"x{j + 1}" for j in range(8)])
    mode = find_mode(target(X, y, bl.priors(default=joint, intercept=bl.Normal(2.0))))
    assert mode.converged and mode.road is Road.NEWTON


# --- what it cost ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "k", "covariance", "road"),
    [
        (500, 8, True, Road.NEWTON),
        (500, 8, False, Road.NEWTON),
        (40_000, 8, True, Road.SAMPLE_THEN_NEWTON),
        (5_000, 60, True, Road.NEWTON),  # a sub-sample would be most of the rows
        (5_000, 70, True, Road.ONE_INFORMATION),
        (5_000, 70, False, Road.GRADIENTS),
        (50, 70, True, Road.WIDE),
        (50, 70, False, Road.WIDE),
    ],
)
def test_the_road_depends_on_the_shape(n, k, covariance, road, rng):
    made = target(rng.standard_normal((n, k)), np.arange(n) % 2)
    assert choose_road(made, covariance) is road


def test_roads_count_their_passes_and_informations(rng, monkeypatch):
    X, y = simulated(rng, 6000, 20)
    made = target(X, y)
    calls: list[str] = []
    for name in ("expand", "slope", "reach", "root", "majorant"):
        real = getattr(LogPosterior, name)

        def counted(self: Any, *args: Any, _real: Any = real, _name: str = name, **options: Any) -> Any:
            if self.design is made.design:
                calls.append(_name)
            return _real(self, *args, **options)

        monkeypatch.setattr(LogPosterior, name, counted)
    for road in ROADS:
        calls.clear()
        mode = find_mode(made, road=road)
        assert mode.road is road
        assert mode.n_passes == len(calls), (road, calls)
        assert mode.n_hessians == sum(call in ("expand", "root", "majorant") for call in calls), (road, calls)
        assert mode.trace[-1].step == "none" and len(mode.trace) >= 2
        wanted = {Road.GRADIENTS: 0, Road.ONE_INFORMATION: 1}.get(road)
        assert wanted is None or mode.n_hessians == wanted
        assert (mode.n_sampled > 0) is (road is not Road.NEWTON)


def test_the_report_says_which_road_was_taken(rng, monkeypatch, tmp_path):
    monkeypatch.setattr(solve, "_LARGE", 1000)
    X, y = simulated(rng, 6000, 5)
    fit = bl.fit(bl.Design.from_arrays(X, y))
    bl.report(fit, path=tmp_path / "road.md")
    page = (tmp_path / "road.md").read_text("utf-8")
    assert "sub-sample, Newton steps" in page and "sampled rows" in page and fit.mode.n_sampled > 0


# --- the certificate ---------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), tol=st.sampled_from([0.5, 0.1, 1e-2]), tails=st.sampled_from([np.inf, 2.0]))
def test_the_certificate_bounds_the_error_of_every_standard_error(seed, tol, tails):
    X, y = simulated(np.random.default_rng(seed), 900, 6, tails=tails)
    made = target(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solve, "_EXACT", np.inf)
        patch.setattr(solve, "SETTLED", np.inf)
        mode = find_mode(made, road=Road.ONE_INFORMATION, tol=tol)
    there = made.coordinates.expansion(made.expand(made.coordinates.gamma(mode.beta)))
    exact = np.sqrt(np.diag(np.linalg.inv(there.information)))
    bound = np.sqrt(1.0 + mode.information_error) - 1.0
    assert np.max(np.abs(sds(mode) / exact - 1.0)) <= bound + 1e-9
    # Without the patches the information is formed again, or the rows have hardly moved.
    settled = find_mode(made, road=Road.ONE_INFORMATION, tol=tol)
    assert settled.information_error <= 1e-6


def test_the_certificate_is_not_vacuous(rng):
    X, y = simulated(rng, 900, 6)
    made = target(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solve, "_EXACT", np.inf)
        patch.setattr(solve, "SETTLED", np.inf)
        mode = find_mode(made, road=Road.ONE_INFORMATION, tol=0.5)
    assert 1e-5 < mode.information_error < 2.0


# --- bad sub-samples ---------------------------------------------------------------------------------------------


def sorted_data(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    X, y = simulated(rng, n, 4)
    order = np.lexsort([X[:, 0], y])
    return X[order], y[order]


def rare_level(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    X, y = simulated(rng, n, 4)
    X[:, 3] = 0.0
    X[rng.choice(n, 12, replace=False), 3] = 1.0
    return X, y


def rare_events(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    return simulated(rng, n, 4, rate=0.001)


def one_huge_row(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    X, y = simulated(rng, n, 4)
    X[n // 2] *= 1e4
    return X, y


@pytest.mark.parametrize("make", [sorted_data, rare_level, rare_events, one_huge_row])
@pytest.mark.parametrize("road", ROADS[1:])
def test_a_bad_sub_sample_costs_passes_not_digits(make, road, rng):
    X, y = make(rng, 30_000)
    made = target(X, y)
    plain, mode = find_mode(made, road=Road.NEWTON, tol=1e-9), find_mode(made, road=road)
    assert mode.converged and apart(plain, mode) < (2e-6 if road is Road.GRADIENTS else 1e-8)


@pytest.mark.parametrize("road", ROADS[1:])
def test_a_sub_sample_that_points_the_wrong_way_is_survived(road, rng, monkeypatch):
    X, y = simulated(rng, 5000, 4)
    made = target(X, y)

    def wrong(*args: Any) -> Any:
        start = sample_start(*args)
        return replace(start, gamma=-30.0 * start.gamma)

    monkeypatch.setattr(solve, "sample_start", wrong)
    plain, mode = find_mode(made, road=Road.NEWTON, tol=1e-9), find_mode(made, road=road)
    assert mode.converged and apart(plain, mode) < (2e-6 if road is Road.GRADIENTS else 1e-8)


@pytest.mark.parametrize("road", ROADS)
def test_separated_data_have_no_mode_on_any_road(road, rng):
    X, y = simulated(rng, 5000, 4)
    y = (X[:, 1] > 0.2).astype(float)
    mode = find_mode(target(X, y, None), road=road)
    assert mode.status == "no finite mode" and "x2 (+)" in mode.message


@pytest.mark.parametrize("road", ROADS)
def test_collinear_columns_are_named_on_every_road(road, rng):
    X, y = simulated(rng, 5000, 4)
    mode = find_mode(target(np.column_stack([X, X[:, 0] - X[:, 1]]), y, None), road=road)
    assert mode.status == "not positive definite" and "x5 = 1 x x1 + -1 x x2" in mode.message


# --- the same bits -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large():
    X, y = simulated(np.random.default_rng(5), 60_000, 20)
    return bl.Design.from_arrays(X, y)


def same_bits(one: bl.Fit, two: bl.Fit) -> None:
    pd.testing.assert_series_equal(one.params, two.params, check_exact=True)
    pd.testing.assert_series_equal(one.bse, two.bse, check_exact=True)


def test_the_same_input_gives_the_same_bits_for_any_number_of_threads(large, monkeypatch):
    assert large.source.compiled
    first = bl.fit(large, prior=bl.Normal(1.0))
    for size in (1, 2, 3, 2):
        monkeypatch.setattr(workers, "threads", lambda size=size: size)
        same_bits(first, bl.fit(large, prior=bl.Normal(1.0)))


def test_eight_user_threads_get_what_one_gets(large):
    first = bl.fit(large, prior=bl.Normal(1.0))
    with ThreadPoolExecutor(8) as pool:
        for other in pool.map(lambda _: bl.fit(large, prior=bl.Normal(1.0)), range(8)):
            same_bits(first, other)


# --- memory, only the mode, repeated rows, compressed factors -----------------------------------------------------


def test_no_second_copy_of_the_data_is_made(large):
    bl.fit(large, prior=bl.Normal(1.0))
    tracemalloc.start()
    try:
        bl.fit(replace(large), prior=bl.Normal(1.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.35 * 60_000 * 20 * 8  # counts, and a sub-sample of a tenth; at n = 1e6, p = 100 see benchmarks/


@pytest.mark.parametrize("shape", [(400, 3), (5_000, 70), (20, 50)])
def test_only_the_mode(shape, rng, tmp_path):
    X, y = simulated(rng, *shape)
    design = bl.Design.from_arrays(X, y)
    whole, fit = (bl.fit(design, prior=bl.Normal(1.0), covariance=kind) for kind in ("exact", "none"))
    assert fit.converged and np.max(np.abs(fit.params - whole.params) / whole.bse) < 2e-6
    assert fit.bse.isna().all() and fit.mode.factor is None and np.isnan(fit.log_evidence)
    assert any("covariance='none'" in note for note in fit.notes) and "covariance='none'" in str(fit.summary())
    for use in (lambda: fit.predict(), lambda: fit.cov_params("frequentist"), lambda: fit.posterior.sample(3, 1)):
        with pytest.raises(bl.FitError, match="covariance"):
            use()
    modes = fit.predict(kind="mode")
    np.testing.assert_allclose(modes["probability"], whole.predict(kind="mode")["probability"], atol=1e-5)
    assert modes["lower"].isna().all()
    fit.to_json(tmp_path / "mode.json")
    pd.testing.assert_series_equal(bl.load(tmp_path / "mode.json").params, fit.params, check_exact=True)


def test_a_covariance_that_is_not_known_is_refused(rng):
    X, y = simulated(rng, 50, 2)
    with pytest.raises(bl.ArgumentError, match="covariance='hessian': it is 'exact', or 'none'"):
        bl.fit(bl.Design.from_arrays(X, y), covariance="hessian")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_repeated_rows_become_counts_and_change_nothing(dtype, rng):
    n = 200_000
    X = np.column_stack([rng.integers(0, m, n) for m in (2, 3, 4, 2, 5, 2)]).astype(dtype)
    y = (rng.random(n) < 0.3 + 0.1 * X[:, 0]).astype(float)
    weights, offset = rng.integers(0, 3, n).astype(float), rng.integers(0, 2, n) * 0.25
    design = bl.Design.from_arrays(X, y, weights=weights, offset=offset)
    short = design.condensed
    assert short.source.n_rows == 2 * 480 and short.nobs == design.nobs and short.n_events == design.n_events
    for prior in (None, "rstanarm", bl.Normal(0.2)):
        resolved = presets.as_prior(prior).resolve(design)
        whole, few = find_mode(LogPosterior(design, resolved)), find_mode(LogPosterior.of(design, resolved))
        assert apart(whole, few) < 1e-8
        np.testing.assert_allclose(sds(few), sds(whole), rtol=1e-6)
        assert few.log_density == pytest.approx(whole.log_density, rel=1e-12)
    fit = bl.fit(design)
    assert fit.facts.n_rows == np.count_nonzero(weights) and len(fit.predict()) == n


def test_rows_that_hardly_repeat_are_left_alone(rng):
    X, y = simulated(rng, 60_000, 20)
    design = bl.Design.from_arrays(X, y)
    assert design.condensed is design
    assert bl.Design.from_arrays(X[:100], y[:100]).condensed.n_rows == 100


def test_factors_with_many_levels_stay_compressed_and_change_nothing(rng, monkeypatch):
    n = 30_000
    frame = pd.DataFrame(
        {
            "a": pd.Categorical([f"a{i}" for i in rng.integers(0, 40, n)]),
            "b": rng.integers(0, 12, n),
            "age": rng.normal(50, 10, n),
        }
    )
    frame["y"] = (rng.random(n) < 0.4).astype(int)
    formula = "y ~ a + C(b) + age + a:age"
    few = bl.fit(formula, frame, prior=bl.Normal(0.5))
    assert isinstance(few.design.source.X, SparseRows) and few.design.source.stored < 6 * n
    monkeypatch.setattr(coding, "_LARGE", 10**12)
    whole = bl.fit(formula, frame, prior=bl.Normal(0.5))
    assert isinstance(whole.design.source, MemorySource) and not isinstance(whole.design.source.X, SparseRows)
    assert few.columns == whole.columns and few.design.terms == whole.design.terms
    assert few.design.reference_levels == whole.design.reference_levels
    assert np.max(np.abs(few.params - whole.params) / whole.bse) < 1e-8
    np.testing.assert_allclose(few.bse, whole.bse, rtol=1e-6)
    pd.testing.assert_frame_equal(few.predict(frame[:60]), whole.predict(frame[:60]), rtol=1e-7)
    assert few.fingerprint == whole.fingerprint


def test_a_value_that_is_not_finite_is_found_in_a_compressed_column(rng):
    n = 30_000
    frame = pd.DataFrame({"a": [f"a{i}" for i in rng.integers(0, 60, n)], "x": rng.random(n), "y": np.arange(n) % 2})
    frame.loc[77, "x"] = 0.0
    with pytest.raises(bl.DataError, match=r"'log\(x\)' is not finite in row 77"):
        bl.Design.from_formula("y ~ a + log(x)", frame)
