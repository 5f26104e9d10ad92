"""Models that scikit-learn and statsmodels fitted, as fits of ours: the same estimates, and a prior in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import bayeslogit as bl
from bayeslogit.estimator import BayesianLogisticRegression


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


def test_the_penalty_of_stochastic_gradients_is_of_rows_whatever_they_weigh():
    # w -> w - eta (weight x gradient of the loss + alpha w), row by row: the sum of losses + alpha n |w|^2 / 2.
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(80, 2))
    y, weight = (rng.random(80) < expit(rows[:, 0] - 1.0)).astype(int), rng.integers(0, 4, 80).astype(float)
    kept = {"alpha": 0.05, "learning_rate": "invscaling", "eta0": 0.2, "tol": None, "random_state": 0}
    for classes, by_class in ((None, np.ones(80)), ({0: 1.0, 1: 5.0}, 1.0 + 4.0 * y)):
        model = SGDClassifier(loss="log_loss", class_weight=classes, max_iter=1500, average=800, **kept)
        model.fit(rows, y, sample_weight=weight)
        fit = bl.from_sklearn(model, rows, y, sample_weight=weight)
        design = bl.Design.from_arrays(rows, y, weights=weight * by_class)
        same = bl.fit(design, prior=bl.Normal((0.05 * 80) ** -0.5))
        np.testing.assert_allclose(fit.params, same.params, atol=1e-6)
        # The noise of its last epochs; with alpha x sum of weights these were 0.27 and 1.2.
        assert sds_apart(fit, model) < 0.02


@pytest.fixture(scope="module")
def coded(pima):
    """Standardised numbers and a column for every level of two factors."""
    X, y = pima
    frame = X.assign(old=np.where(X.age > 35, "yes", "no"), site=np.array(["a", "b", "c"])[np.arange(len(y)) % 3])
    numbers = (StandardScaler(), ["glu", "bmi"])
    return frame, y, make_column_transformer((OneHotEncoder(), ["old", "site"]), numbers)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(C=0.1, l1_ratio=0.5, solver="saga", tol=1e-9, max_iter=10_000),
        LogisticRegression(C=0.05, solver="liblinear", **TIGHT),
        LogisticRegression(C=0.2, l1_ratio=1.0, solver="liblinear", **TIGHT),
        LogisticRegression(C=0.5, class_weight="balanced", solver="newton-cholesky", **TIGHT),
        LogisticRegression(fit_intercept=False, solver="newton-cholesky", **TIGHT),
    ],
    ids=["elastic net", "liblinear", "liblinear l1", "balanced", "no intercept"],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_one_hot_pipelines_of_every_penalty(coded, estimator, weighted):
    frame, y, columns = coded
    weight = 1.0 + np.arange(len(y)) % 3 if weighted else None
    pipeline = make_pipeline(columns, clone(estimator)).fit(
        frame, y, **{f"{type(estimator).__name__.lower()}__sample_weight": weight}
    )
    fit = bl.from_sklearn(pipeline, frame, y, sample_weight=weight)
    theirs = np.concatenate([pipeline[-1].intercept_ if estimator.fit_intercept else [], pipeline[-1].coef_[0]])
    np.testing.assert_allclose(fit.params, theirs, atol=1e-6)
    assert f"Prior: sklearn C={estimator.C:g}" in str(fit)


def test_equally_good_modes_are_called_so(coded):
    frame, y, columns = coded
    weight = 1.0 + np.arange(len(y)) % 3
    lasso = LogisticRegression(C=0.1, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=10_000)
    pipeline = make_pipeline(columns, lasso).fit(frame, y, logisticregression__sample_weight=weight)
    fit = bl.from_sklearn(pipeline, frame, y, sample_weight=weight)
    assert "nats below this mode in the same objective, so that both are modes" in fit.notes[0]
    assert "drop one level of each factor" in fit.notes[0]


def test_searches_and_pipelines_within_pipelines_are_opened(pima):
    X, y = pima
    inner = make_pipeline(StandardScaler(), make_pipeline(LogisticRegression(solver="newton-cholesky", **TIGHT)))
    search = GridSearchCV(inner, {"pipeline__logisticregression__C": [0.1, 1.0]}, cv=3).fit(X, y)
    fit = bl.from_sklearn(search, X, y)
    assert sds_apart(fit, search.best_estimator_[-1][-1]) < 1e-6
    assert fit.prior.labels()[1] == f"normal(0, {search.best_params_['pipeline__logisticregression__C'] ** 0.5:.3g})"


def search(**options):
    return GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2, **options)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda m, X, y: (LogisticRegression, X, y), bl.ArgumentError, "this is the class"),
        (lambda m, X, y: (BayesianLogisticRegression().fit(X, y), X, y), bl.ArgumentError, "holds its fit already"),
        (lambda m, X, y: (clone(m), X, y), bl.ArgumentError, r"from_sklearn\(Pipeline\): it is not fitted"),
        (lambda m, X, y: (m, X, y.where(y.index > 3)), bl.DataError, "nan is not a class of the estimator"),
        (lambda m, X, y: (m, X, y, "balanced"), bl.DataError, "weights must be numbers"),
        (lambda m, X, y: (m, X, y.iloc[:9]), bl.DataError, r"y has shape \(9,\), X has 532 rows"),
        (
            lambda m, X, y: (search(refit=False).fit(X, y), X, y),
            bl.ArgumentError,
            "refit=False; fit its best parameter",
        ),
        (
            lambda m, X, y: (search(), X, y),
            bl.ArgumentError,
            r"GridSearchCV\): this search holds no fitted .*: call its",
        ),
    ],
)
def test_what_is_no_peer_is_said(pima, wrong, error, words):
    X, y = pima
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with pytest.raises(error, match=words):
        bl.from_sklearn(*wrong(fitted, X, y))


def test_rows_may_be_lists(pima):
    X, y = pima
    rows = StandardScaler().fit_transform(X).tolist()
    fitted = LogisticRegression(solver="newton-cholesky", **TIGHT).fit(rows, y.tolist())
    assert sds_apart(bl.from_sklearn(fitted, rows, y.tolist()), fitted) < 1e-6


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


def test_statsmodels_formulas_counts_weights_and_offsets():
    births = bl.datasets.load("lbw")
    formula = "low ~ race + age + lwt"
    theirs = smf.logit(formula, births).fit(disp=0, tol=1e-14)
    fit = bl.from_statsmodels(theirs)
    assert list(fit.params.index) == ["Intercept", "race[T.other]", "race[T.white]", "age", "lwt"]
    np.testing.assert_allclose(fit.params, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bse, theirs.bse, rtol=1e-8)
    # Under a prior the constant is the intercept, whatever it is called, and is not a slope to be shrunk.
    design = bl.Design.from_formula("low ~ age + lwt", births)
    X = sm.add_constant(births[["age", "lwt"]], prepend=False)
    for prior in (bl.Normal(0.1), "rstanarm"):
        under = bl.from_statsmodels(sm.Logit(births["low"], X).fit(disp=0), prior=prior)
        np.testing.assert_allclose(under.params, bl.fit(design, prior=prior).params, rtol=1e-8)
    robust = bl.from_statsmodels(smf.glm(formula, births, family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-14))
    assert "statsmodels printed standard errors of cov_type='HC0'" in robust.notes[0]

    rng = np.random.default_rng(3)
    trials = rng.integers(1, 6, len(births))
    dead, shift = rng.binomial(trials, 0.4), births["age"] / 30.0
    whole = {"family": sm.families.Binomial(), "offset": shift}
    counts = sm.GLM(np.column_stack([dead, trials - dead]), X, **whole).fit(tol=1e-14)
    for given in ("var_weights", "freq_weights", None):
        if given is None:
            result = counts
        else:
            result = sm.GLM(dead / trials, X, **whole, **{given: trials}).fit(tol=1e-14)
        fit = bl.from_statsmodels(result)
        np.testing.assert_allclose(fit.params, counts.params, rtol=1e-8)
        np.testing.assert_allclose(fit.bse, counts.bse, rtol=1e-6)
        np.testing.assert_allclose(fit.llf, counts.llf, rtol=1e-10)
        assert fit.nobs == trials.sum()
    weighted = sm.GLM(births["low"], X, **whole, var_weights=trials, freq_weights=1 + trials % 2).fit(tol=1e-14)
    np.testing.assert_allclose(bl.from_statsmodels(weighted).bse, weighted.bse, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Regularized fitting did not converge")
def test_what_statsmodels_fits_and_this_does_not_is_said():
    births = bl.datasets.load("lbw")
    X, y, family = sm.add_constant(births[["age", "lwt"]]), births["low"], sm.families.Binomial()
    probit = sm.families.Binomial(link=sm.families.links.Probit())
    removed = smf.logit("low ~ age", births).fit(disp=0)
    removed.remove_data()
    for result, error, words in [
        (sm.Logit(y, X), bl.ArgumentError, "this model was not fitted"),
        (sm.GLM(y, X, family=probit).fit(), bl.ArgumentError, "of GLM with the link Probit"),
        (sm.GLM(y, X, family=family).fit_constrained("age=0"), bl.ArgumentError, "under constraints"),
        (
            sm.GLM(y, X, family=family).fit_regularized(alpha=0.05, L1_wt=1.0, refit=True),
            bl.ArgumentError,
            "refit=True",
        ),
        (sm.GLM(0.3 + 0.2 * y, X, family=family).fit(), bl.DataError, "is a proportion, 0.3 in row 0"),
        (smf.gee("low ~ age", "ftv", births, family=family).fit(), bl.ArgumentError, "of GEE with"),
        (removed, bl.ArgumentError, "its data were removed"),
        (None, bl.ArgumentError, r"from_statsmodels\(NoneType\): results of Logit"),
    ]:
        with pytest.raises(error, match=words):
            bl.from_statsmodels(result)


@pytest.mark.filterwarnings("ignore")
def test_estimates_of_statsmodels_that_are_no_numbers_are_called_so():
    births = bl.datasets.load("lbw")
    X = sm.add_constant(births[["age", "lwt"]])
    lost = sm.Logit(births["low"], X).fit(start_params=[np.nan] * 3, method="bfgs", maxiter=2, disp=0)
    assert np.isnan(lost.params).all()
    fit = bl.from_statsmodels(lost)
    assert fit.notes[0] == "statsmodels' Logit did not end: some of its coefficients are no numbers."
    whole = bl.from_statsmodels(sm.Logit(births["low"], X).fit(disp=0))
    np.testing.assert_allclose(fit.params, whole.params, rtol=1e-9)


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


def test_rows_without_weight_and_a_dispersion_of_statsmodels():
    births = bl.datasets.load("lbw")
    X = sm.add_constant(births[["age", "lwt"]])
    trials = 1 + np.arange(len(births)) % 4
    share, weight = births["low"] * ((trials + 1) // 2) / trials, (np.arange(len(births)) % 3).astype(float)
    model = sm.GLM(share, X, family=sm.families.Binomial(), var_weights=trials, freq_weights=weight)
    theirs = model.fit(tol=1e-14)
    fit = bl.from_statsmodels(theirs)
    np.testing.assert_allclose(fit.params, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bse, theirs.bse, rtol=1e-6)
    assert fit.nobs == (trials * weight).sum()

    wide = model.fit(tol=1e-14, scale="X2")
    fit = bl.from_statsmodels(wide)
    np.testing.assert_allclose(fit.bse * wide.scale**0.5, wide.bse, rtol=1e-6)
    assert f"standard errors are sqrt({wide.scale:.4g}) times these" in fit.notes[0]
