"""The scikit-learn face: its own checks, and agreement with the fit behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import bayeslogit as bl
from bayeslogit.estimator import BayesianLogisticRegression


@pytest.mark.filterwarnings("ignore")
def test_check_estimator_passes_whole():
    results = check_estimator(BayesianLogisticRegression(), on_fail=None, on_skip=None)
    failed = [f"{r['check_name']}: {r['exception']}" for r in results if r["status"] == "failed"]
    assert not failed, "\n".join(failed)
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # scikit-learn's own, without SCIPY_ARRAY_API
    assert len(results) > 50


@pytest.fixture(scope="module")
def pima():
    data = bl.datasets.load("pima")
    return data[["npreg", "glu", "bp", "bmi", "ped", "age"]], (data["type"] == "Yes").astype(int)


def test_it_is_the_fit_behind_it_and_scikit_learns_penalty(pima):
    X, y = pima
    ours = BayesianLogisticRegression(prior=bl.Normal(0.5), tol=1e-10).fit(X, y)
    theirs = LogisticRegression(C=0.25, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(X, y)
    assert np.max(np.abs(ours.coef_ - theirs.coef_) / ours.coef_sd_) < 1e-8
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8)
    assert list(ours.feature_names_in_) == list(ours.fit_.columns[1:])
    np.testing.assert_array_equal(ours.coef_sd_[0], ours.fit_.bse[1:])


def test_weights_count_rows_and_pipelines_work(pima):
    X, y = pima
    weight = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weight)
    a = BayesianLogisticRegression(tol=1e-10).fit(X, y, sample_weight=weight)
    b = BayesianLogisticRegression(tol=1e-10).fit(X.iloc[repeated], y.iloc[repeated])
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-9)
    scores = cross_val_score(make_pipeline(StandardScaler(), BayesianLogisticRegression()), X, y, cv=3)
    assert scores.mean() > 0.72


def test_one_class_and_three_classes_are_refused():
    X = np.arange(6.0)[:, None]
    with pytest.raises(ValueError, match="one class"):
        BayesianLogisticRegression().fit(X, np.ones(6))
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        BayesianLogisticRegression().fit(X, [0, 1, 2, 0, 1, 2])


def test_its_table_names_the_default_prior_and_the_class(pima):
    X, y = pima
    words = np.where(y == 1, "sick", "well")
    model = clone(BayesianLogisticRegression()).fit(X, words)
    assert list(model.classes_) == ["sick", "well"]
    assert "(the default)." in str(model.fit_) and "P(y = well)" in str(model.fit_)
    assert "(chosen)." in str(BayesianLogisticRegression(prior=bl.preset("rstanarm")).fit(X, y).fit_)
    assert "P(y = 1)" in str(BayesianLogisticRegression(prior=None).fit(X, y).fit_)
    assert "P(y = 2)" in str(BayesianLogisticRegression().fit(X, y + 1).fit_)
    np.testing.assert_allclose(model.coef_, -BayesianLogisticRegression().fit(X, y).coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["u", "u", "v"], ["u", "u_2", "v"]),
        (["u", "u", "u_2"], ["u", "u_3", "u_2"]),
        (["Intercept", "u", "v"], ["Intercept_2", "u", "v"]),
        (["Intercept", "Intercept", "v"], ["Intercept_2", "Intercept_3", "v"]),
        ([1, 1, 2], ["x1", "x2", "x3"]),
    ],
)
def test_columns_of_any_names_are_fitted(given, named):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), rng.integers(0, 2, 60)
    frame = pd.DataFrame(X, columns=given)
    model, plain = BayesianLogisticRegression().fit(frame, y), BayesianLogisticRegression().fit(X, y)
    assert list(model.fit_.columns) == ["Intercept", *named]
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(frame), plain.predict_proba(X), rtol=1e-9)
    without = BayesianLogisticRegression(fit_intercept=False).fit(frame, y)
    assert list(without.fit_.columns) == named
