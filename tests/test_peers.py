"""Models that scikit-learn and statsmodels fitted, as fits of ours: the same estimates, and a prior in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import bayeslogit as bl


@pytest.fixture(scope="module")
def pima() -> tuple[pd.DataFrame, pd.Series]:
    data = bl.datasets.load("pima")
    return data[["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]], data["type"]


TIGHT = {"tol": 1e-12, "max_iter": 10_000}


def sds_apart(fit, estimator):
    theirs = np.concatenate([np.ravel(estimator.intercept_), np.ravel(estimator.coef_)])
    return np.max(np.abs(theirs - fit.params.to_numpy()) / np.where(fit.bse > 0, fit.bse, 1.0))


@pytest.mark.parametrize(
    ("estimator", "prior"),
    [
        (LogisticRegression(C=0.5, solver="newton-cholesky", **TIGHT), "normal(0, 0.707)"),
        (LogisticRegression(C=np.inf, solver="newton-cholesky", **TIGHT), "flat"),
        (LogisticRegression(C=0.05, solver="liblinear", intercept_scaling=2.0, **TIGHT), "normal(0, 0.224)"),
        (LogisticRegression(C=0.05, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=10_000), "Laplace(0, 0.05)"),
        (LogisticRegression(class_weight="balanced", solver="newton-cholesky", **TIGHT), "normal(0, 1)"),
        (LogisticRegression(class_weight={"Yes": 3.0}, solver="newton-cholesky", **TIGHT), "normal(0, 1)"),
        (
            LogisticRegressionCV(
                Cs=[0.1, 1.0], solver="newton-cholesky", l1_ratios=(0,), use_legacy_attributes=False, **TIGHT
            ),
            None,
        ),
    ],
    ids=["l2", "none", "liblinear", "l1", "balanced", "class-weight", "cv"],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_fitted_pipeline_gets_standard_errors_and_its_prior_in_words(pima, estimator, prior):
    X, y = pima
    pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y)
    fit = bl.from_sklearn(pipeline, X, y)
    assert sds_apart(fit, pipeline[-1]) < 1e-5
    assert list(fit.params.index) == ["Intercept", *X.columns]
    assert "ends" in fit.notes[0] and "not converged" not in fit.notes[0]
    labels = fit.prior.labels()
    assert prior is None or labels[1] == prior
    assert "P(y = Yes)" in str(fit)
    # Probabilities are those of the pipeline.
    rows = pipeline[:-1].transform(X)
    np.testing.assert_allclose(
        fit.predict(rows, kind="mode")["probability"], pipeline.predict_proba(X)[:, 1], atol=1e-6
    )


def test_exact_zeros_are_the_same_ones(pima):
    X, y = pima
    pipeline = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.03, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=10_000)
    )
    fit = bl.from_sklearn(pipeline.fit(X, y), X, y)
    theirs = pipeline[-1].coef_[0] == 0.0
    assert 0 < theirs.sum() < theirs.size
    np.testing.assert_array_equal(fit.params.to_numpy()[1:] == 0.0, theirs)


def test_sample_weights_names_of_transformed_columns_and_stopping_early(pima):
    X, y = pima
    weight = 1.0 + (np.arange(len(y)) % 3)
    model = LogisticRegression(C=2.0, solver="newton-cholesky", **TIGHT)
    scaler = StandardScaler().fit(X)
    model.fit(scaler.transform(X), y, sample_weight=weight)
    fit = bl.from_sklearn(make_pipeline(scaler, model), X, y, sample_weight=weight)
    assert sds_apart(fit, model) < 1e-6 and fit.nobs == weight.sum()

    frame = X.assign(group=np.where(X.age > 40, "old", "young"))
    columns = make_column_transformer((OneHotEncoder(drop="first"), ["group"]), (StandardScaler(), ["glu"]))
    pipeline = make_pipeline(columns, LogisticRegression(solver="newton-cholesky", **TIGHT)).fit(frame, y)
    names = list(bl.from_sklearn(pipeline, frame, y).params.index)
    assert names == ["Intercept", "onehotencoder__group_young", "standardscaler__glu"]

    with pytest.warns(Warning):
        early = LogisticRegression(max_iter=2).fit(X, y)
    assert "it has not converged, or was fitted to other rows" in bl.from_sklearn(early, X, y).notes[0]


def test_stochastic_gradients_and_other_kinds(pima):
    X, y = pima
    rows = StandardScaler().fit_transform(X)
    model = SGDClassifier(loss="log_loss", alpha=0.01, random_state=1, max_iter=5000, tol=1e-6).fit(rows, y)
    fit = bl.from_sklearn(model, rows, y)
    # alpha on the mean scale: the precision on ours is alpha x n.
    assert fit.prior.labels()[1] == f"normal(0, {1 / np.sqrt(0.01 * len(y)):.3g})"
    assert sds_apart(fit, model) < 0.5
    for wrong, words in [
        (LinearRegression(), r"from_sklearn\(LinearRegression\)"),
        (LogisticRegression(), "is not fitted"),
        (SGDClassifier(loss="hinge").fit(rows, y), "its loss is 'hinge'"),
        (LogisticRegression().fit(rows[:6], list("abcabc")), "3 classes"),
    ]:
        with pytest.raises(bl.ArgumentError, match=words):
            bl.from_sklearn(wrong, rows, y)
    fitted = LogisticRegression().fit(rows, y)
    with pytest.raises(bl.DataError, match="6 columns reach the estimator, which was fitted to 7"):
        bl.from_sklearn(fitted, rows[:, :6], y)
    with pytest.raises(bl.DataError, match="is not a class of the estimator"):
        bl.from_sklearn(fitted, rows, y.replace("Yes", "yes"))
    with pytest.raises(bl.DataError, match="the pipeline's own steps"):
        bl.from_sklearn(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X.iloc[:, :3], y)


def test_statsmodels_results(pima):
    X, y = pima
    event = (y == "Yes").astype(float)
    rows = sm.add_constant((X - X.mean()) / X.std())
    plain = sm.Logit(event, rows).fit(disp=0, tol=1e-12)
    fit = bl.from_statsmodels(plain)
    assert list(fit.params.index) == list(rows.columns)
    np.testing.assert_allclose(fit.params, plain.params, atol=1e-8)
    np.testing.assert_allclose(fit.bse, plain.bse, rtol=1e-6)
    np.testing.assert_allclose(fit.log_likelihood, plain.llf, rtol=1e-10)

    lasso = sm.Logit(event, rows).fit_regularized(alpha=12.0, disp=0, acc=1e-12)
    fit = bl.from_statsmodels(lasso)
    assert fit.prior.labels()[0] == "Laplace(0, 0.0833)"
    np.testing.assert_allclose(fit.params, lasso.params, atol=2e-4)

    weights = np.arange(len(event)) % 3
    weighted = sm.GLM(event, rows, family=sm.families.Binomial(), freq_weights=weights).fit(tol=1e-12)
    fit = bl.from_statsmodels(weighted)
    np.testing.assert_allclose(fit.bse, weighted.bse, rtol=1e-6)
    assert fit.nobs == weights.sum()
    under = bl.from_statsmodels(weighted, prior=bl.Normal(0.1))
    assert np.all(np.abs(under.params.iloc[1:]).sum() < np.abs(fit.params.iloc[1:]).sum())

    ridge = sm.GLM(event, rows, family=sm.families.Binomial()).fit_regularized(alpha=0.02, L1_wt=0.0)
    with pytest.raises(bl.ArgumentError, match="give alpha= and L1_wt="):
        bl.from_statsmodels(ridge)
    fit = bl.from_statsmodels(ridge, alpha=0.02)
    np.testing.assert_allclose(fit.params, ridge.params, atol=1e-4)

    counts = pd.DataFrame({"dose": [-0.9, -0.3, 0.0, 0.7], "dead": [0, 1, 3, 5], "n": 5})
    grouped = sm.GLM(
        np.column_stack([counts.dead, counts.n - counts.dead]),
        sm.add_constant(counts[["dose"]]),
        family=sm.families.Binomial(),
    ).fit(tol=1e-12)
    fit = bl.from_statsmodels(grouped)
    np.testing.assert_allclose(fit.bse, grouped.bse, rtol=1e-6)
    assert fit.nobs == 20
    with pytest.raises(bl.ArgumentError, match="of OLS"):
        bl.from_statsmodels(sm.OLS(event, rows).fit())


def test_a_prior_of_numbers_fits_the_columns_that_it_was_made_for(pima):
    X, y = pima
    design = bl.Design.from_arrays(X, y == "Yes")
    found = bl.convert(source="sklearn", C=0.5, to="bayeslogit", design=design)
    np.testing.assert_allclose(
        bl.fit(design, prior=found.prior).params, bl.fit(design, prior=bl.Normal(0.5**0.5)).params, rtol=1e-12
    )
    with pytest.raises(bl.PriorError, match=r"its numbers are for other columns.*not here: age"):
        bl.fit(bl.Design.from_arrays(X.drop(columns="age"), y == "Yes"), prior=found.prior)


def test_predictions_in_statsmodels_words(pima):
    X, y = pima
    rows = sm.add_constant((X - X.mean()) / X.std())
    theirs = sm.Logit((y == "Yes").astype(float), rows).fit(disp=0, tol=1e-12)
    fit = bl.from_statsmodels(theirs)
    assert fit.llf == pytest.approx(theirs.llf, rel=1e-10)
    new = rows.iloc[5:9]
    for alpha in (0.05, 0.2):
        expected = theirs.get_prediction(new).summary_frame(alpha=alpha)
        found = fit.get_prediction(new).summary_frame(alpha=alpha)
        assert list(found.columns) == ["predicted", "se", "ci_lower", "ci_upper"] and list(found.index) == list(
            new.index
        )
        np.testing.assert_allclose(found, expected[found.columns], rtol=1e-5)
    assert fit.get_prediction().predicted.shape == (len(y),)
    np.testing.assert_allclose(fit.get_prediction(new).conf_int(0.2), found[["ci_lower", "ci_upper"]])
    with pytest.raises(bl.ArgumentError, match="alpha=95"):
        fit.get_prediction(new).summary_frame(alpha=95)
