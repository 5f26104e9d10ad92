"""How far a prior that is not normal has moved each estimate: to first order, by refit, or why there is no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import bayeslogit as bl
from bayeslogit import diagnostics
from bayeslogit.diagnostics import PULL_IN_WORDS, pulls
from bayeslogit.summary import tidy_columns


def simulated(rng: np.random.Generator, n: int, beta: Any) -> bl.Design:
    X = rng.standard_normal((n, len(beta))) + 1.0
    return bl.Design.from_arrays(X, (rng.random(n) < expit(X @ np.asarray(beta) - 0.5)).astype(float))


def matrix(design: bl.Design) -> tuple[Any, Any]:
    rows = np.vstack([block.X.toarray() for block in design.source.blocks()])
    return rows, design.outcome_arrays()[0]


def test_to_first_order_it_is_the_covariance_times_the_score(rng):
    design = simulated(rng, 2000, [0.5, -1.0, 0.3])
    fit = bl.fit(design, prior=bl.priors(default=bl.StudentT(4, 5.0), terms={"x3": bl.Normal(1.0)}), tol=1e-11)
    b = fit.params.to_numpy()
    z = b[1:3] / 5.0
    score = np.array([0.0, *(-5.0 * z / (5.0 * (4.0 + z**2))), 0.0])
    wanted = fit.cov_params().to_numpy() @ score / fit.bse.to_numpy()
    assert np.max(np.abs(wanted)) < 0.5
    np.testing.assert_allclose(fit.prior_pull[["x1", "x2"]], wanted[1:3], rtol=1e-7)
    assert fit.prior_pull[["Intercept", "x3"]].isna().all()
    assert fit.prior_share[["Intercept", "x3"]].notna().all() and fit.prior_share[["x1", "x2"]].isna().all()
    table = fit.summary()
    assert table.column("pull_by") == (None, "first order", "first order", None)


def test_first_order_is_near_a_refit_where_it_is_small(rng):
    design = simulated(rng, 4000, [0.5, -1.0])
    fit = bl.fit(design, prior=bl.Cauchy(1.0), tol=1e-11)
    flat = bl.fit(design, prior=None, tol=1e-11)
    exact = ((fit.params - flat.params) / fit.bse)[["x1", "x2"]]
    assert np.max(np.abs(exact)) < 0.5
    np.testing.assert_allclose(fit.prior_pull[["x1", "x2"]], exact, rtol=0.03)


def test_a_large_pull_is_that_of_a_refit_without_that_term(rng):
    design = simulated(rng, 150, [1.5, -1.0, 0.5, 0.3])
    groups = bl.GroupLaplace(0.5, groups=[["x3", "x4"]])
    prior = bl.priors(default=groups, terms={"x1": bl.Laplace(0.05), "x2": bl.StudentT(3, 2.0)})
    fit = bl.fit(design, prior=prior, tol=1e-11)
    by = dict(zip(fit.columns, fit.summary().column("pull_by"), strict=True))
    assert by["x1"] == "refit" and by["x2"] == "first order"
    without = bl.priors(default=groups, terms={"x1": bl.Flat(), "x2": bl.StudentT(3, 2.0)})
    other = bl.fit(design, prior=without, tol=1e-11)
    assert fit.prior_pull["x1"] == pytest.approx((fit.params["x1"] - other.params["x1"]) / fit.bse["x1"], abs=1e-6)
    assert fit.prior_pull["x1"] < -0.5


def test_the_kinks_take_part_and_zeros_have_no_pull(rng):
    design = simulated(rng, 400, [1.0, 0.0, 0.0, -0.8])
    fit = bl.fit(design, prior=bl.Laplace(0.08), tol=1e-11)
    b = fit.params.to_numpy()
    zero = b == 0.0
    assert 1 <= zero.sum() <= 2
    rows, _ = matrix(design)
    mu = expit(rows @ b)
    V = np.linalg.inv(((rows.T * (mu * (1 - mu))) @ rows)[np.ix_(~zero, ~zero)])
    score = -np.sign(b) / 0.08
    score[0] = 0.0
    first = pulls(fit.mode, fit.prior, fit.posterior.sd, None)
    np.testing.assert_allclose(first.value[~zero][1:], (V @ score[~zero] / np.sqrt(np.diag(V)))[1:], rtol=1e-6)
    assert np.isnan(first.value[zero]).all() and first.by[int(np.flatnonzero(zero)[0])] == ""
    assert {first.by[j] for j in np.flatnonzero(~zero)[1:]} <= {"not refitted", "first order"}
    assert PULL_IN_WORDS in fit.summary().notes and "at a kink" in PULL_IN_WORDS


def test_a_group_is_pulled_as_a_whole(rng):
    design = simulated(rng, 3000, [1.0, -0.8, 0.5])
    fit = bl.fit(design, prior=bl.GroupLaplace(1.0, groups=[["x1", "x2", "x3"]]), tol=1e-11)
    b = fit.params.to_numpy()
    score = np.array([0.0, *(-b[1:] / np.linalg.norm(b[1:]))])
    wanted = (fit.cov_params().to_numpy() @ score / fit.bse.to_numpy())[1:]
    np.testing.assert_allclose(fit.prior_pull[1:], wanted, rtol=1e-7)


def test_no_mode_without_the_prior_is_said(rng):
    x = np.linspace(-2, 2, 30)
    design = bl.Design.from_arrays(np.column_stack([x, rng.standard_normal(30)]), (x > 0).astype(float))
    fit = bl.fit(design, prior=bl.priors(terms={"x1": bl.Laplace(0.5), "x2": bl.Laplace(0.5)}))
    table = fit.summary()
    assert table.column("pull_by")[1] == "no mode without it" and abs(table.column("pull")[1]) > 0.5


def test_a_loaded_fit_says_what_it_could_not_do(rng, tmp_path):
    fit = bl.fit(simulated(rng, 300, [1.5, 0.2]), prior=bl.priors(bl.StudentT(4, 5.0), terms={"x1": bl.Laplace(0.06)}))
    fit.to_json(tmp_path / "fit.json")
    loaded = bl.load(tmp_path / "fit.json")
    assert fit.summary().column("pull_by") == (None, "refit", "first order")
    assert loaded.summary().column("pull_by") == (None, "not refitted", "first order")
    assert loaded.prior_pull["x2"] == fit.prior_pull["x2"] and abs(loaded.prior_pull["x1"]) > 0.5


def test_normal_and_flat_priors_have_no_pull_column(rng):
    design = simulated(rng, 60, [0.5])
    for prior in ("rstanarm", None, bl.Normal(1.0)):
        fit = bl.fit(design, prior=prior)
        assert "pull" not in [column.key for column in fit.summary().columns]
        assert "pull" not in fit.tidy() and fit.prior_pull.isna().all()
        assert PULL_IN_WORDS not in fit.summary().notes


def test_tidy_has_the_pull(rng):
    fit = bl.fit(simulated(rng, 60, [0.5, 0.1]), prior=bl.Cauchy(1.0))
    tidy = fit.tidy()
    assert list(tidy.columns)[-2:] == ["pull", "pull_by"]
    np.testing.assert_array_equal(tidy["pull"], fit.prior_pull)
    assert "pull" in fit.tidy(exponentiate=True)
    assert tidy_columns(fit._coefficients(0.95), exponentiate=False)["pull_by"][0] == ""
    assert "first order" in str(fit.summary()) and "Pull: by how many sds" in str(fit.summary())


def test_an_intercept_prior_after_centring_and_a_whole_model_prior(rng):
    design = simulated(rng, 300, [0.8, -0.4])
    fit = bl.fit(design, prior=bl.priors(bl.Normal(2.5), intercept=bl.StudentT(5, 3.0)), tol=1e-11)
    z = fit.params["Intercept"] / 3.0
    score = np.array([-6.0 * z / (3.0 * (5.0 + z**2)), 0.0, 0.0])
    assert fit.prior_pull["Intercept"] == pytest.approx(
        (fit.cov_params().to_numpy() @ score)[0] / fit.bse["Intercept"], rel=1e-7
    )
    firth = bl.fit(design, prior=bl.Jeffreys(), tol=1e-9)
    flat = bl.fit(design, prior=None, tol=1e-9)
    exact = (firth.params - flat.params) / firth.bse
    assert firth.prior_pull.notna().all() and np.max(np.abs(exact)) < 0.5
    np.testing.assert_allclose(firth.prior_pull, exact, rtol=0.1, atol=1e-3)


def test_many_terms_are_not_all_refitted(rng, monkeypatch):
    n, k = 200, 12
    frame = pd.DataFrame(rng.standard_normal((n, k)), columns=[f"z{j}" for j in range(k)])
    y = (rng.random(n) < expit(frame.to_numpy() @ np.full(k, 0.8))).astype(float)
    design = bl.Design.from_arrays(frame, y)
    fit = bl.fit(design, prior=bl.priors(terms={name: bl.Laplace(0.12) for name in frame}))
    calls: list[int] = []
    original = diagnostics.find_mode

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return original(*args, **options)

    monkeypatch.setattr("bayeslogit.diagnostics.find_mode", counted)
    by = fit.summary().column("pull_by")
    assert fit.tidy()["pull_by"].tolist() == ["" if each is None else each for each in by]
    assert fit.summary().column("pull_by") == by
    assert len(calls) == 8 and by.count("refit") == 8 and "not refitted" in by
