"""The scikit-learn face: its own checks, and agreement with the fit behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import bayeslogit as bl
from bayeslogit.estimator import BayesianLogisticRegression, BayesianLogisticRegressionCV


@pytest.mark.parametrize(
    "estimator",
    [
        BayesianLogisticRegression(),
        BayesianLogisticRegression(inference="laplace"),
        BayesianLogisticRegressionCV(scales=6),
        pytest.param(BayesianLogisticRegressionCV(), marks=pytest.mark.slow),
    ],
    ids=["mode", "laplace", "cv-6", "cv"],
)
@pytest.mark.filterwarnings("ignore")
def test_check_estimator_passes_whole(estimator):
    results = check_estimator(estimator, on_fail=None, on_skip=None)
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


# --- what other rungs say --------------------------------------------------------------------------------------------


def test_inference_names_what_the_numbers_are_of(pima):
    X, y = pima
    X, y = X.iloc[:80], y.iloc[:80]
    mode = BayesianLogisticRegression(prior=bl.Normal(0.5)).fit(X, y)
    laplace = BayesianLogisticRegression(prior=bl.Normal(0.5), inference="laplace").fit(X, y)
    sampled = BayesianLogisticRegression(prior=bl.Normal(0.5), inference="importance", prob=0.9).fit(X, y)
    np.testing.assert_array_equal(mode.coef_, laplace.coef_)
    np.testing.assert_allclose(laplace.predict_proba(X)[:, 1], laplace.fit_.predict(X)["probability"], rtol=1e-12)
    np.testing.assert_array_equal(sampled.coef_[0], sampled.draws_.mean.iloc[1:])
    np.testing.assert_array_equal(sampled.coef_sd_[0], sampled.draws_.sd.iloc[1:])
    np.testing.assert_allclose(sampled.coef_interval_, sampled.draws_.quantile([0.05, 0.95]).to_numpy()[1:])
    # An average over the posterior is nearer to one half than the mode says.
    assert np.abs(laplace.predict_proba(X) - 0.5).sum() < np.abs(mode.predict_proba(X) - 0.5).sum()
    for model in (mode, laplace, sampled):
        probability, interval = model.predict_proba(X, return_interval=True)
        np.testing.assert_allclose(probability, model.predict_proba(X), rtol=1e-9)
        assert np.all((interval[:, 0] < probability[:, 1]) & (probability[:, 1] < interval[:, 1]))
        np.testing.assert_array_equal(
            model.predict(X), model.classes_[(model.predict_proba(X)[:, 1] > 0.5).astype(int)]
        )
        np.testing.assert_allclose(1 / (1 + np.exp(-model.decision_function(X))), probability[:, 1], rtol=1e-9)
    with pytest.raises(ValueError, match="inference='exact'"):
        BayesianLogisticRegression(inference="exact").fit(X, y)
    again = BayesianLogisticRegression(prior=bl.Normal(0.5), inference="importance", prob=0.9).fit(X, y)
    np.testing.assert_array_equal(again.coef_interval_, sampled.coef_interval_)


@pytest.mark.parametrize("by", ["cv", "evidence", "loo"])
def test_the_scale_is_the_one_that_choose_scale_finds(pima, by):
    X, y = pima
    X, y = X.iloc[:150, :3], y.iloc[:150]
    model = BayesianLogisticRegressionCV(by=by, scales=5, random_state=3).fit(X, y)
    choice = bl.choose_scale(bl.Design.from_arrays(X, y), prior="normal:1", by=by, scales=5, folds=5, rng=3)
    assert model.scale_ == choice.scale == model.choice_.scale
    np.testing.assert_array_equal(
        model.coef_[0], bl.fit(bl.Design.from_arrays(X, y), prior=choice.prior).params.iloc[1:]
    )


def test_folds_may_be_given_as_scikit_learn_does(pima):
    X, y = pima
    X, y = X.iloc[:120], y.iloc[:120]
    groups = np.arange(120) % 4
    splits = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(4)]
    model = BayesianLogisticRegressionCV(cv=splits, scales=5).fit(X, y)
    same = bl.choose_scale(bl.Design.from_arrays(X, y), by="cv", scales=5, folds=groups)
    assert model.scale_ == same.scale
    np.testing.assert_array_equal(model.choice_.values, same.values)
    with pytest.raises(ValueError, match="exactly one fold"):
        BayesianLogisticRegressionCV(cv=splits[:2], scales=5).fit(X, y)
    by_label = bl.cross_validate(bl.Design.from_arrays(X, y), prior=bl.Normal(1.0), folds=groups)
    assert by_label.fold_sizes.tolist() == [30.0] * 4
    with pytest.raises(bl.ArgumentError, match="one label"):
        bl.cross_validate(bl.Design.from_arrays(X, y), prior=bl.Normal(1.0), folds=np.zeros(120))


def test_searches_column_transformers_and_routed_weights(pima):
    X, y = pima
    frame = X.assign(old=np.where(X.age > 35, "yes", "no"))
    columns = make_column_transformer((OneHotEncoder(drop="first"), ["old"]), (StandardScaler(), ["glu", "bmi"]))
    pipeline = make_pipeline(columns.set_output(transform="default"), BayesianLogisticRegression())
    search = GridSearchCV(pipeline, {"bayesianlogisticregression__prior": [bl.Normal(0.1), bl.Normal(1.0)]}, cv=3)
    assert search.fit(frame, y).best_score_ > 0.7
    weight = 1.0 + np.arange(len(y)) % 2
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, BayesianLogisticRegression().set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weight)
    direct = BayesianLogisticRegression().fit(StandardScaler().fit_transform(X), y, sample_weight=weight)
    np.testing.assert_allclose(routed[-1].coef_, direct.coef_, rtol=1e-12)
    polars_model = BayesianLogisticRegression().fit(pl.from_pandas(X), y.to_numpy())
    np.testing.assert_allclose(polars_model.coef_, BayesianLogisticRegression().fit(X, y).coef_, rtol=1e-12)
    assert list(polars_model.fit_.columns[1:]) == list(X.columns)


def test_a_class_of_weight_zero_is_no_class(pima):
    X, y = pima
    with pytest.raises(ValueError, match="every row of class 1 has weight 0"):
        BayesianLogisticRegression().fit(X, y, sample_weight=(y == 0).astype(float))


# --- what a user of LogisticRegression tries first -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [BayesianLogisticRegression, BayesianLogisticRegressionCV])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"C": 0.5}, r"C: C is the prior variance of each slope: prior=bayeslogit.Normal\(C \*\* 0.5\)"),
        ({"penalty": "l1"}, r"bayeslogit.Laplace\(C\) for 'l1'"),
        ({"class_weight": "balanced"}, "TunedThresholdClassifierCV"),
        ({"Cs": 10}, "scales= gives the multiples"),
        ({"n_jobs": 2}, "n_jobs of their own"),
    ],
)
def test_parameters_of_logistic_regression_are_answered(kind, given, words, pima):
    for call in (lambda: kind(**given), lambda: kind().set_params(**given)):
        with pytest.raises(TypeError, match=f"{kind.__name__} has no parameter .*{words}"):
            call()
    with pytest.raises(TypeError, match="has no parameter"):
        GridSearchCV(kind(), {name: [value] for name, value in given.items()}, cv=3).fit(*pima)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        kind(colour=1)
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        kind().set_params(colour=1)


def test_logarithms_of_probabilities_keep_their_digits(pima):
    X, y = pima
    model = BayesianLogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12)
    far = X.iloc[:2] * 1e4
    eta = np.abs(model.decision_function(far))
    assert np.all(eta > 1000) and np.allclose(model.predict_log_proba(far).min(axis=1), -eta, rtol=1e-12)


def test_splitters_with_groups_and_generators(pima):
    X, y = pima
    X, y = X.iloc[:120, :2], y.iloc[:120]
    with pytest.raises(ValueError, match=r"cv=list\(splitter.split\(X, y, groups\)\)"):
        BayesianLogisticRegressionCV(cv=GroupKFold(3), scales=3).fit(X, y)
    splits = list(GroupKFold(3).split(X, y, np.arange(120) % 6))
    assert BayesianLogisticRegressionCV(cv=splits, scales=3).fit(X, y).scale_ > 0

    def sampled():
        rng = np.random.default_rng(4)
        return BayesianLogisticRegression(inference="importance", draws=50, random_state=rng).fit(X, y).draws_.values

    np.testing.assert_array_equal(sampled(), sampled())


def test_names_come_through_a_column_transformer_in_any_library(pima):
    X, y = pima
    frame = X.assign(old=np.where(X.age > 35, "yes", "no"))
    columns = make_column_transformer(
        (OneHotEncoder(drop="first", sparse_output=False), ["old"]), (StandardScaler(), ["glu"])
    )
    prior = bl.priors(default=bl.Normal(1.0), terms={"standardscaler__glu": bl.Laplace(0.5)})
    for library, given in (("pandas", frame), ("polars", pl.from_pandas(frame))):
        pipeline = make_pipeline(clone(columns), BayesianLogisticRegression(prior=prior))
        pipeline.set_output(transform=library).fit(given, y.to_numpy())
        assert pipeline[-1].fit_.columns == ("Intercept", "onehotencoder__old_yes", "standardscaler__glu")
        assert pipeline[-1].fit_.prior.labels() == ("flat", "normal(0, 1)", "Laplace(0, 0.5)")
        assert list(pipeline[-1].feature_names_in_) == list(pipeline[:-1].get_feature_names_out())
        both, interval = pipeline.predict_proba(given[:3], return_interval=True)
        assert both.shape == interval.shape == (3, 2)
