"""The converter: round trips, real fits of the systems it speaks of, its proof, and what it refuses."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayeslogit as bl
from bayeslogit.conventions import SYSTEMS
from bayeslogit.penalties import Penalty, Sizes
from bayeslogit.proof import _score, likelihood_of, optimum

NAMES = ["a", "b", "c"]
# Coefficients of peers on `peer_data`, intercept first; the numbers in the tests come from, in this order,
# pyspark 4.3.0: LogisticRegression(regParam=0.05, elasticNetParam=..., standardization=..., tol=1e-15, maxIter=5000
#     [, weightCol="w"]).fit(df)
# h2o 3.46.0.12: H2OGeneralizedLinearEstimator(family="binomial", lambda_=0.05, alpha=..., standardize=...,
#     beta_epsilon=1e-12, gradient_epsilon=1e-12, objective_epsilon=1e-14, max_iterations=2000,
#     solver="COORDINATE_DESCENT" if alpha else "IRLSM" [, weights_column="w"]).train(...)
# celer 0.7.4: LogisticRegression(C=0.5, tol=1e-14, fit_intercept=False, max_iter=5000).fit(X - [0.5, 40, -1], y)
# skglm 0.5: SparseLogisticRegression(alpha=0.02, l1_ratio=..., tol=1e-14, max_iter=5000, max_epochs=100000).fit(
#     (X - [0, 40, 0]) / [1, 5, 1], y)


def peer_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(80, 3)) * [1.0, 5.0, 0.2] + [0.5, 40.0, -1.0]
    eta = X @ [0.8, -0.15, 3.0] + 8.6
    y = (rng.random(80) < 1 / (1 + np.exp(-eta))).astype(float)
    return X, y, rng.integers(1, 4, 80).astype(float)


X, Y, W = peer_data()
PLAIN = bl.Design.from_arrays(X, Y, names=NAMES)
WEIGHTED = bl.Design.from_arrays(X, Y, names=NAMES, weights=W)
BARE = bl.Design.from_arrays(X - [0.5, 40.0, -1.0], Y, names=NAMES, intercept=False)
COUNTS = bl.Design.from_arrays(X, np.round(5 * Y * 0.8 + 0.4), names=NAMES, trials=np.full(80, 5.0))


def rates(system: str, design: bl.Design = PLAIN, **params: Any) -> Penalty:
    return SYSTEMS[system].objective(params, Sizes(design)).penalty


def away(system: str, coefficients: Any, design: bl.Design = PLAIN, **params: Any) -> float:
    """Largest distance of a system's own fit from our optimum of what it was asked for, in posterior sds."""
    best = optimum(design, rates(system, design, **params))
    assert best.problem == ""
    return float(np.max(np.abs(np.asarray(coefficients) - best.beta) / best.sd))


# --- round trips -------------------------------------------------------------------------------------------------

positive = st.floats(1e-4, 1e4)
# A share of L1 within 1e-6 of 1 leaves fewer than ten digits to the share of L2, whoever holds it.
share = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(1e-3, 1.0 - 1e-6)
each = st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3)
each_column = st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4)


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


PARAMETERS = {
    "bayeslogit": st.fixed_dictionaries({"l1": each, "l2": each, "intercept_scale": positive})
    | st.fixed_dictionaries({"scale": positive, "mean": st.floats(-3, 3)})
    | st.fixed_dictionaries({"scale": each, "family": st.just("laplace"), "intercept_laplace": positive}),
    "sklearn": st.fixed_dictionaries({"C": positive, "l1_ratio": share})
    | st.fixed_dictionaries({"alpha": positive, "l1_ratio": share})
    | st.fixed_dictionaries(
        {
            "C": positive,
            "l1_ratio": st.sampled_from([0.0, 1.0]),
            "solver": st.just("liblinear"),
            "intercept_scaling": positive,
        }
    ),
    "glmnet": st.fixed_dictionaries(
        {"lambda_": positive, "alpha": share, "standardize": st.booleans(), "penalty_factor": maybe(each)}
    ),
    "statsmodels_glm": st.fixed_dictionaries({"alpha": positive | each_column, "L1_wt": share}),
    "statsmodels_logit": st.fixed_dictionaries({"alpha": positive | each_column}),
    "statsmodels_bayes_mixed": st.fixed_dictionaries({"fe_p": positive}),
    "glum": st.fixed_dictionaries(
        {"alpha": positive, "l1_ratio": share, "P1": each, "P2": each, "scale_predictors": st.booleans()}
    ),
    "spark": st.fixed_dictionaries({"regParam": positive, "elasticNetParam": share, "standardization": st.booleans()}),
    "h2o": st.fixed_dictionaries({"lambda_": positive, "alpha": share, "standardize": st.booleans()}),
    "knime": st.fixed_dictionaries({"variance": positive, "prior": st.sampled_from(["gauss", "laplace"])}),
    "celer": st.fixed_dictionaries({"C": positive}),
    "skglm": st.fixed_dictionaries({"alpha": positive, "l1_ratio": share}),
    "gradient_descent": st.fixed_dictionaries({"lambda_": positive}),
    "sum_of_squares": st.fixed_dictionaries({"lambda_": positive, "a": share}),
    "weight_decay": st.fixed_dictionaries({"wd": positive, "half": st.booleans(), "bias": st.booleans()}),
    "gauss_software": st.fixed_dictionaries(
        {"l2": positive, "l2_factor": positive, "penalised_intercept": st.booleans()}
    ),
}


def same_penalty(one: Penalty, other: Penalty, rtol: float = 1e-9) -> None:
    for key in ("lambda2", "lambda1"):
        np.testing.assert_allclose(getattr(other, key), getattr(one, key), rtol=rtol, atol=0.0, err_msg=key)
    np.testing.assert_allclose(other.mean, one.mean)


def test_every_system_has_a_round_trip():
    assert set(PARAMETERS) == set(SYSTEMS)


@pytest.mark.parametrize("name", sorted(SYSTEMS))
@given(data=st.data())
def test_parameters_to_our_scale_and_back(name, data):
    design = BARE if name == "celer" else data.draw(st.sampled_from([PLAIN, WEIGHTED, COUNTS]))
    system, sizes, params = SYSTEMS[name], Sizes(design), data.draw(PARAMETERS[name])
    penalty = system.objective(params, sizes).penalty
    free = {key: params[key] for key in system.free if key in params and key != "solver"}
    for options in ({}, free):
        if name == "gauss_software" and not options:
            continue
        back = system.settings(penalty, sizes, options)
        same_penalty(penalty, system.objective(back, sizes).penalty)
        assert all(back[key] == value for key, value in options.items())
        # A second turn changes nothing any more.
        again = system.settings(system.objective(back, sizes).penalty, sizes, options)
        assert again.keys() == back.keys()
        assert isinstance(system.words(back, sizes), str)


@pytest.mark.parametrize("name", sorted(set(SYSTEMS) - {"bayeslogit"}))
@given(data=st.data())
def test_there_and_back_through_our_own_prior(name, data):
    design = BARE if name == "celer" else PLAIN
    sizes, params = Sizes(design), data.draw(PARAMETERS[name])
    penalty = SYSTEMS[name].objective(params, sizes).penalty
    ours = SYSTEMS["bayeslogit"].settings(penalty, sizes, {})
    same_penalty(penalty, SYSTEMS["bayeslogit"].objective(ours, sizes).penalty)


@given(
    C=st.floats(1e-3, 1e3),
    mix=share,
    to=st.sampled_from(["glmnet", "glum", "spark", "h2o", "skglm", "statsmodels_glm", "sum_of_squares", "bayeslogit"]),
)
def test_random_conversions_are_certified(C, mix, to):
    found = bl.convert(source="sklearn", C=C, l1_ratio=mix, to=to, design=WEIGHTED)
    assert found.proof.certified, str(found.proof)
    back = bl.convert(source=to, to="sklearn", design=WEIGHTED, **found.params)
    assert back.params["C"] == pytest.approx(C, rel=1e-9)
    assert back.params["l1_ratio"] == pytest.approx(mix, rel=1e-9)


def test_the_inverse_of_one_parameter_is_that_parameter():
    found = {
        ("sklearn", "gradient_descent"): (dict(C=0.25), {"lambda_": 4.0}),
        ("gradient_descent", "weight_decay"): (dict(lambda_=4.0), {"wd": 0.05, "half": True, "bias": False}),
        ("bayeslogit", "sklearn"): (dict(scale=2.0), {"C": 4.0, "l1_ratio": 0.0, "solver": "lbfgs"}),
        ("bayeslogit", "knime"): (dict(scale=2.0, family="laplace"), {"variance": 8.0, "prior": "laplace"}),
        ("knime", "bayeslogit"): (dict(variance=2.0, prior="laplace"), {"family": "laplace", "scale": 1.0}),
    }
    for (source, to), (params, expected) in found.items():
        got = bl.convert(source=source, to=to, design=PLAIN, **params).params
        assert got == {key: pytest.approx(v) if isinstance(v, float) else v for key, v in expected.items()}


# --- the four traps ----------------------------------------------------------------------------------------------


def test_trap_1_a_penalty_without_a_half_is_c_equal_one_over_two_lambda():
    found = bl.convert(source="sum_of_squares", lambda_=3.0, to="sklearn", design=PLAIN)
    assert found.params["C"] == pytest.approx(1.0 / (2.0 * 3.0), rel=1e-12)
    assert found.proof.certified
    # lambda = 1 / C, as the text has it, is off by more than any rounding.
    wrong, right = optimum(PLAIN, rates("sklearn", C=1.0 / 3.0)), optimum(PLAIN, rates("sklearn", C=1.0 / 6.0))
    assert np.max(np.abs(wrong.beta - right.beta) / right.sd) > 0.05


def test_trap_2_three_conventions_in_one_function_are_three_penalties():
    # Gradient lambda/(2m) w is that of lambda/(4m) w^2; the course has lambda/(2m) w^2; mean loss + lambda w^2 a third.
    lam, m = 3.0, PLAIN.nobs
    course = rates("gradient_descent", lambda_=lam).lambda2[1:]
    gradient = rates("gradient_descent", lambda_=lam / 2.0).lambda2[1:]
    cost = rates("weight_decay", wd=lam, half=False, bias=False).lambda2[1:]
    np.testing.assert_allclose(course, lam)
    np.testing.assert_allclose(gradient, lam / 2.0)
    np.testing.assert_allclose(cost, 2.0 * m * lam)


def test_trap_3_an_elastic_net_without_halves_has_twice_the_l2():
    penalty = rates("sum_of_squares", lambda_=3.0, a=0.25)
    np.testing.assert_allclose(penalty.lambda2[1:], 2.0 * 0.75 * 3.0)
    np.testing.assert_allclose(penalty.lambda1[1:], 0.25 * 3.0)
    found = bl.convert(source="sum_of_squares", lambda_=3.0, a=0.25, to="sklearn", design=PLAIN)
    assert found.params["C"] == pytest.approx(1.0 / (4.5 + 0.75))
    assert found.params["l1_ratio"] == pytest.approx(0.75 / 5.25)
    assert found.proof.certified


def test_trap_4_l2_does_not_share_equally_between_multiples_and_l1_keeps_the_larger():
    x = X[:, 0] - 0.5
    design = bl.Design.from_arrays(np.column_stack([2.0 * x, x]), Y, names=["twice", "once"])
    ridge = optimum(design, rates("sklearn", design, C=0.3)).beta
    assert ridge[1] / ridge[2] == pytest.approx(2.0, rel=1e-9)
    lasso = optimum(design, rates("sklearn", design, C=0.3, l1_ratio=1.0)).beta
    assert lasso[1] > 0.1
    assert lasso[2] == 0.0


def test_c_equal_infinity_is_flat():
    found = bl.convert(source="sklearn", C=np.inf, to="bayeslogit", design=PLAIN)
    assert found.params == {"family": "flat"}
    assert found.prior.flat.all()
    assert np.isinf(found.prior_sd).all()
    assert found.proof.certified
    back = bl.convert(source="bayeslogit", prior=bl.Flat(), to="sklearn", design=PLAIN)
    assert back.params["C"] == np.inf


# --- standardisation, weights, counts ----------------------------------------------------------------------------


def test_glmnet_standardises_with_the_population_sd_and_l2_goes_with_its_square():
    s = X.std(axis=0)
    penalty = rates("glmnet", lambda_=0.1, alpha=0.25)
    np.testing.assert_allclose(penalty.lambda2, np.append(0.0, 80 * 0.1 * 0.75 * s**2))
    np.testing.assert_allclose(penalty.lambda1, np.append(0.0, 80 * 0.1 * 0.25 * s))
    weighted = rates("glmnet", WEIGHTED, lambda_=0.1, alpha=0.0)
    mean = np.average(X, axis=0, weights=W)
    np.testing.assert_allclose(weighted.lambda2[1:], 0.1 * np.sum(W[:, None] * (X - mean) ** 2, axis=0))


def test_glmnet_penalises_standardised_columns_as_if_they_were_given():
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    plain = optimum(bl.Design.from_arrays(Z, Y), rates("skglm", alpha=0.05, l1_ratio=0.3)).beta[1:]
    scaled = optimum(PLAIN, rates("glmnet", lambda_=0.05, alpha=0.3)).beta[1:]
    np.testing.assert_allclose(scaled * X.std(axis=0), plain, rtol=1e-9)


def test_glmnet_counts_trials_and_rescales_its_penalty_factors():
    np.testing.assert_allclose(rates("glmnet", COUNTS, lambda_=0.1, alpha=0.0, standardize=False).lambda2[1:], 40.0)
    penalty = rates("glmnet", lambda_=0.1, alpha=0.0, standardize=False, penalty_factor=[0.0, 1.0, 5.0])
    np.testing.assert_allclose(penalty.lambda2, [0.0, 0.0, 4.0, 20.0])


def test_statsmodels_counts_rows_and_not_trials_or_weights():
    for design in (PLAIN, WEIGHTED, COUNTS):
        np.testing.assert_allclose(rates("statsmodels_glm", design, alpha=0.1, L1_wt=0.0).lambda2, 8.0)


def test_an_elastic_net_is_not_one_factor_under_standardisation():
    with pytest.raises(bl.ArgumentError, match=r"Exactly the same penalty without that option: .*standardize=False"):
        bl.convert(source="sklearn", C=1.0, l1_ratio=0.5, to="glmnet", design=PLAIN, options={"standardize": True})
    for standardize in (True, False):
        found = bl.convert(source="sklearn", C=1.0, to="glmnet", design=PLAIN, options={"standardize": standardize})
        assert found.params["standardize"] is standardize
        assert found.proof.certified
    assert found.params == {"lambda_": pytest.approx(1 / 80), "alpha": 0.0, "standardize": False}


# --- agreement with fits of the systems themselves ---------------------------------------------------------------


def sklearn_fit(design: bl.Design = PLAIN, **params: Any) -> np.ndarray:
    linear = pytest.importorskip("sklearn.linear_model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = linear.LogisticRegression(**params, max_iter=500_000, random_state=0)
        model.fit(X, Y, sample_weight=W if design is WEIGHTED else None)
    return np.append(model.intercept_, model.coef_)


@pytest.mark.parametrize("design", [PLAIN, WEIGHTED], ids=["plain", "weighted"])
@pytest.mark.parametrize("C", [0.02, 0.5, 10.0])
def test_scikit_learn_newton_cholesky(C, design):
    assert away("sklearn", sklearn_fit(design, C=C, solver="newton-cholesky", tol=1e-14), design, C=C) < 1e-7


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("scaling", [0.3, 1.0, 20.0])
def test_liblinear_penalises_the_intercept(l1_ratio, scaling):
    params = dict(C=0.5, l1_ratio=l1_ratio, solver="liblinear", intercept_scaling=scaling)
    assert away("sklearn", sklearn_fit(**params, tol=1e-12), **params) < 1e-4
    # Its intercept is far from the free one.
    free = optimum(PLAIN, rates("sklearn", C=0.5, l1_ratio=l1_ratio))
    held = optimum(PLAIN, rates("sklearn", **params))
    assert np.max(np.abs(free.beta - held.beta) / free.sd) > 0.05
    found = bl.convert(source="sklearn", to="bayeslogit", design=PLAIN, **params)
    own = found.params["intercept_scale" if l1_ratio == 0.0 else "intercept_laplace"]
    assert own == pytest.approx(scaling * (np.sqrt(0.5) if l1_ratio == 0.0 else 0.5))
    assert found.penalty.total[0] > 0.0
    assert found.proof.certified
    back = bl.convert(source="bayeslogit", to="sklearn", design=PLAIN, **found.params)
    assert back.params == {key: pytest.approx(v) if isinstance(v, float) else v for key, v in params.items()}


def test_scikit_learn_saga():
    X0 = (X - [0.5, 40.0, -1.0]) / [1.0, 5.0, 0.2]
    design = bl.Design.from_arrays(X0, Y)
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression(C=0.2, l1_ratio=0.4, solver="saga", tol=1e-13, max_iter=500_000, random_state=0)
    theirs = model.fit(X0, Y)
    assert away("sklearn", np.append(theirs.intercept_, theirs.coef_), design, C=0.2, l1_ratio=0.4) < 1e-8


@pytest.mark.parametrize("params", [dict(alpha=0.05, L1_wt=0.0), dict(alpha=[0.0, 0.2, 0.01, 0.1], L1_wt=0.0)])
@pytest.mark.parametrize("design", [PLAIN, WEIGHTED, COUNTS], ids=["plain", "weighted", "counts"])
def test_statsmodels_glm_ridge(params, design):
    assert away("statsmodels_glm", statsmodels_fit(design, **params), design, **params) < 1e-3


@pytest.mark.parametrize("mix", [0.5, 1.0])
def test_statsmodels_glm_elastic_net(mix):
    params = dict(alpha=[0.0, 0.05, 0.05, 0.05], L1_wt=mix)
    assert away("statsmodels_glm", statsmodels_fit(PLAIN, **params, maxiter=3000), **params) < 1e-5


def statsmodels_fit(design: bl.Design, alpha: Any, **kwargs: Any) -> np.ndarray:
    api = pytest.importorskip("statsmodels.api")
    y, trials, _ = design.outcome_arrays()
    outcome = y if design is not COUNTS else np.column_stack([y, trials - y])
    weights = dict(freq_weights=W) if design is WEIGHTED else {}
    # Centred columns, which only the constant feels, and it may be penalised: as given where it is.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = api.GLM(outcome, api.add_constant(X), family=api.families.Binomial(), **weights)
        start = np.asarray(model.fit().params)
        return np.asarray(
            model.fit_regularized(alpha=np.asarray(alpha), start_params=start, **kwargs).params  # type: ignore[arg-type]
        )


def test_statsmodels_logit_penalises_the_constant():
    api = pytest.importorskip("statsmodels.api")
    for alpha in (2.0, np.array([0.0, 2.0, 0.5, 3.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = api.Logit(Y, api.add_constant(X))
            theirs = model.fit_regularized(alpha=alpha, acc=1e-15, maxiter=10_000, disp=0, trim_mode="size").params
        assert away("statsmodels_logit", theirs, alpha=alpha) < 1e-4


def test_statsmodels_bayes_mixed_holds_fixed_effects_by_fe_p():
    mixed = pytest.importorskip("statsmodels.genmod.bayes_mixed_glm")
    import scipy.sparse as sp

    exog = np.column_stack([np.ones(80), X])
    none = sp.csr_matrix((80, 1))
    model = mixed.BinomialBayesMixedGLM(Y, exog, none, np.zeros(1, dtype=int), fe_p=0.7)
    best = optimum(PLAIN, rates("statsmodels_bayes_mixed", fe_p=0.7))
    score = model.logposterior_grad(np.concatenate([best.beta, [0.0], [0.0]]))[:4]
    assert np.max(np.abs(score) * best.sd) < 1e-8


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("params", [dict(l1_ratio=0.0), dict(l1_ratio=0.0, P2=[1.0, 0.1, 0.0]), dict(l1_ratio=0.4)])
@pytest.mark.parametrize("design", [PLAIN, WEIGHTED], ids=["plain", "weighted"])
def test_glum(params, scaled, design):
    glum = pytest.importorskip("glum")
    params = dict(alpha=0.05, scale_predictors=scaled, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = glum.GeneralizedLinearRegressor(family="binomial", gradient_tol=1e-10, max_iter=1000, **params)
        model.fit(X, Y, sample_weight=W if design is WEIGHTED else None)
    assert away("glum", np.append(model.intercept_, model.coef_), design, **params) < 1e-5


@pytest.mark.parametrize(
    ("mix", "standardises", "design", "theirs"),
    [
        (0.0, True, PLAIN, [7.118076065432759, 0.563553644319628, -0.13681366106267195, 2.144054101860636]),
        (0.0, False, PLAIN, [6.5620532946620305, 0.5992899039856594, -0.16620434864870803, 0.4192055536118236]),
        (0.5, True, PLAIN, [6.520417808729364, 0.5057093278253134, -0.12819614377653993, 1.8487701271594081]),
        (1.0, True, PLAIN, [5.791747688047583, 0.44121495535392347, -0.11756429630963994, 1.4985774357081125]),
        (0.5, False, PLAIN, [5.8653054812589955, 0.5590271724213975, -0.15857712592832185, 0.0]),
        (0.0, True, WEIGHTED, [7.208293452260028, 0.5858073656448867, -0.12457120705610233, 2.797222662739852]),
        (0.5, True, WEIGHTED, [6.622252115522625, 0.5235602019806949, -0.11543587526179667, 2.532266457023227]),
    ],
)
def test_spark_divides_by_the_sd_of_a_sample(mix, standardises, design, theirs):
    params = dict(regParam=0.05, elasticNetParam=mix, standardization=standardises)
    assert away("spark", theirs, design, **params) < 2e-6


@pytest.mark.parametrize(
    ("mix", "standardises", "design", "theirs"),
    [
        (0.0, True, PLAIN, [7.118075744006927, 0.5635536459335327, -0.13681365682991883, 2.1440539264782528]),
        (0.0, False, PLAIN, [6.562053464231837, 0.5992898975180898, -0.16620435313540938, 0.4192055346512076]),
        (0.5, True, PLAIN, [6.520417795012293, 0.5057093327168825, -0.12819614329631301, 1.8487701350334376]),
        (0.0, True, WEIGHTED, [7.213312100712207, 0.5860910873144927, -0.12465741835337221, 2.7990228792547174]),
        (0.5, True, WEIGHTED, [6.6267833359039034, 0.5238296985698483, -0.11551266691512035, 2.5339410830204545]),
        (0.5, False, WEIGHTED, [5.218300707965939, 0.5824060888964473, -0.14027809008892939, 0.12662494479250608]),
    ],
)
def test_h2o_divides_by_the_sd_of_its_rows(mix, standardises, design, theirs):
    assert away("h2o", theirs, design, lambda_=0.05, alpha=mix, standardize=standardises) < 2e-6


def test_celer_and_skglm():
    assert away("celer", [0.6254319851543622, -0.16062710233042748, 0.0], BARE, C=0.5) < 1e-8
    design = bl.Design.from_arrays((X - [0.0, 40.0, 0.0]) / [1.0, 5.0, 1.0], Y)
    lasso = [-0.150937140755281, 0.668381821014092, -0.7268926345932027, 0.396881783951703]
    net = [0.1635441407370956, 0.6747478404649445, -0.7520674215861918, 0.7177651251520458]
    assert away("skglm", lasso, design, alpha=0.02) < 1e-8
    assert away("skglm", net, design, alpha=0.02, l1_ratio=0.5) < 1e-8


def test_gradient_descent_and_weight_decay_arrive_where_the_converter_says():
    # The textbook's own loop, on columns that a plain gradient can walk.
    Z = np.column_stack([np.ones(80), (X - X.mean(axis=0)) / X.std(axis=0)])
    design = bl.Design.from_arrays(Z[:, 1:], Y)
    decays = {"gradient_descent": np.array([0.0, 1, 1, 1]) * 3.0 / 80, "weight_decay": np.full(4, 0.02)}
    for system, params in (("gradient_descent", dict(lambda_=3.0)), ("weight_decay", dict(wd=0.02))):
        b = np.zeros(4)
        for _ in range(3000):
            b -= 2.0 * (Z.T @ (1 / (1 + np.exp(-Z @ b)) - Y) / 80 + decays[system] * b)
        assert away(system, b, design, **params) < 1e-9


# --- GAUSS -------------------------------------------------------------------------------------------------------


def test_gauss_is_refused_until_a_known_fit_shows_its_factor():
    with pytest.raises(bl.ArgumentError, match=r"no formula for ctl.l2.*Give one fit that you have from it"):
        bl.convert(source="gauss_software", l2=0.5, to="sklearn", design=PLAIN)
    with pytest.raises(bl.ArgumentError, match=r"no formula for ctl.l1"):
        bl.convert(source="sklearn", C=1.0, l1_ratio=1.0, to="gauss_software", design=PLAIN)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize(("factor", "words"), [(1.0, "1 to"), (160.0, "2 x the observations"), (0.37, "0.37")])
def test_a_known_fit_gives_the_factor(kind, bias, factor, words):
    setting = 3.0 / factor
    known = rates("gauss_software", **{kind: setting, f"{kind}_factor": factor, "penalised_intercept": bias})
    fit = dict(zip(PLAIN.columns, optimum(PLAIN, known).beta.round(7), strict=True))
    found = bl.convert(source="gauss_software", to="bayeslogit", design=PLAIN, coefficients=fit, **{kind: setting})
    assert found.source_params[f"{kind}_factor"] == pytest.approx(factor, rel=1e-4)
    assert found.source_params["penalised_intercept"] is bias
    assert any(words in note for note in found.notes)
    assert found.proof.certified
    onward = bl.convert(
        source="sklearn",
        C=1.0,
        l1_ratio=1.0 if kind == "l1" else 0.0,
        to="gauss_software",
        design=PLAIN,
        options={f"{kind}_factor": found.source_params[f"{kind}_factor"]},
    )
    assert onward.params[kind] == pytest.approx(1.0 / factor, rel=1e-4)
    assert onward.proof.certified


def test_coefficients_of_another_fit_give_no_factor():
    with pytest.raises(bl.ArgumentError, match=r"no factor makes these coefficients an optimum.*posterior sd away"):
        bl.convert(source="gauss_software", l2=1.0, coefficients=[0, 1, 1, 1], to="sklearn", design=PLAIN)
    with pytest.raises(bl.ArgumentError, match=r"exactly one of l1= and l2="):
        bl.convert(source="gauss_software", l1=1.0, l2=1.0, coefficients=[0, 1, 1, 1], to="sklearn", design=PLAIN)
    with pytest.raises(bl.ArgumentError, match=r"names a, z; the design's columns are Intercept, a, b, c"):
        bl.convert(source="gauss_software", l2=1.0, coefficients={"a": 1, "z": 2}, to="sklearn", design=PLAIN)
    with pytest.raises(bl.ArgumentError, match=r"4 finite numbers in the order Intercept, a, b, c"):
        bl.convert(source="gauss_software", l2=1.0, coefficients=[1.0], to="sklearn", design=PLAIN)


# --- the record and its proof ------------------------------------------------------------------------------------


def test_a_conversion_prints_both_objectives_and_its_proof():
    found = bl.convert(source="sklearn", C=0.5, to="glmnet", design=PLAIN)
    text = str(found)
    assert "sklearn minimises 0.5 loss + 0.5 SS(b)" in text
    assert "glmnet minimises loss / 80 + 0.025 [0.5 SS(b)]" in text
    assert "Certified: on these data each objective's score at the optimum of the other" in re.sub(r"\s+", " ", text)
    assert found.objectives == ("0.5 loss + 0.5 SS(b)", "loss / 80 + 0.025 [0.5 SS(b)]")
    assert found.proof.factor == pytest.approx(0.5 * 80)
    assert found.proof.largest < 1e-8
    np.testing.assert_allclose(found.prior_sd, [np.inf, *[np.sqrt(0.5)] * 3])
    np.testing.assert_allclose(found.prior.variance(), [np.inf, 0.5, 0.5, 0.5])
    table = found.table()
    assert table.column("term") == PLAIN.columns
    assert table.column("prior_sd")[1] == pytest.approx(np.sqrt(0.5))
    assert "glmnet score" in found._repr_html_()


def test_the_prior_is_the_same_fit():
    found = bl.convert(source="glmnet", lambda_=0.1, alpha=0.0, to="bayeslogit", design=PLAIN)
    fit = bl.fit(
        PLAIN, prior=bl.priors(terms={n: bl.Normal(s) for n, s in zip(NAMES, found.prior_sd[1:], strict=True)})
    )
    np.testing.assert_allclose(fit.params, found.proof.optimum, rtol=1e-8)


def test_the_prior_sd_of_an_elastic_net_is_the_integral():
    from scipy.integrate import quad

    for l1, l2 in [(0.5, 2.0), (3.0, 0.01), (2.0, 1e-4), (1e-3, 1.0), (5.0, 0.0), (0.0, 4.0)]:

        def density(x: float, l1: float = l1, l2: float = l2) -> float:
            return float(np.exp(-l1 * x - 0.5 * l2 * x * x))

        second, mass = (quad(lambda x, k=k: x**k * density(x), 0, np.inf, epsabs=0)[0] for k in (2, 0))
        one = Penalty(np.array([l2]), np.array([l1]), np.zeros(1))
        assert one.prior_sd()[0] == pytest.approx(np.sqrt(second / mass), rel=1e-7)


def test_the_score_is_that_of_the_objective_itself():
    # A wrong conversion is found out: the proof differentiates each system's own cost.
    from bayeslogit.proof import prove

    sizes = Sizes(PLAIN)
    right = SYSTEMS["glmnet"].objective({"lambda_": 0.1, "alpha": 0.5}, sizes)
    same = SYSTEMS["glmnet"].objective({"lambda_": 0.1, "alpha": 0.5}, sizes)
    wrong = SYSTEMS["glmnet"].objective({"lambda_": 0.1, "alpha": 0.5, "standardize": False}, sizes)
    assert prove(PLAIN, right, same).certified
    bad = prove(PLAIN, right, wrong)
    assert not bad.certified
    assert bad.largest > 0.1
    assert "NOT CERTIFIED" in str(bad)


def test_two_kinks_that_hold_every_coefficient_at_zero_must_still_be_one():
    # Neither score shows it: a kink takes whatever the likelihood asks of it.
    from dataclasses import replace

    from bayeslogit.proof import prove

    sizes = Sizes(PLAIN)
    right = SYSTEMS["sklearn"].objective({"C": 1e-4, "l1_ratio": 1.0}, sizes)
    other = SYSTEMS["skglm"].objective({"alpha": 1e4 / 80}, sizes)
    assert not optimum(PLAIN, right.penalty).beta[1:].any()
    assert prove(PLAIN, right, other).certified
    for share in (0.9, 1.000001, 2.0):
        assert not prove(PLAIN, right, replace(other, l1=other.l1 * share)).certified


@pytest.mark.parametrize("mix", [0.0, 0.4, 1.0])
def test_scores_are_derivatives_of_the_own_objective(mix):
    objective = SYSTEMS["glmnet"].objective({"lambda_": 0.1, "alpha": mix}, Sizes(PLAIN))
    likelihood = likelihood_of(PLAIN, centred=False)
    b = np.array([0.3, 0.5, -0.02, 0.7])

    def value(b: np.ndarray) -> float:
        return likelihood.slope(b).log_density - objective.cost(b).sum() / objective.factor

    numeric = [(value(b + h) - value(b - h)) / 2e-6 for h in 1e-6 * np.eye(4)]
    np.testing.assert_allclose(_score(likelihood, objective, b), numeric, rtol=1e-5, atol=1e-4)


def test_the_zero_set_of_an_l1_optimum_is_exact_and_its_condition_holds():
    found = bl.convert(source="sklearn", C=0.02, l1_ratio=1.0, to="spark", design=PLAIN)
    assert [term.family for term in found.prior.terms] == ["flat", "laplace"]
    np.testing.assert_array_equal(found.prior.terms[1].parameters["scale"], 0.02)
    assert found.proof.certified
    assert (found.proof.optimum == 0.0).any()


def test_separated_data_are_not_proved_and_say_why():
    x = np.linspace(-1, 1, 20)
    design = bl.Design.from_arrays(x[:, None], (x > 0).astype(float))
    found = bl.convert(source="sklearn", C=np.inf, to="glum", design=design)
    assert not found.proof.certified
    assert np.isnan(found.proof.largest)
    assert str(found.proof).startswith("Not proved: No finite mode")
    assert "Not proved" in str(found)
    held = bl.convert(source="sklearn", C=1.0, to="glum", design=design)
    assert held.proof.certified


@pytest.mark.parametrize("mix", [0.0, 0.5])
def test_more_columns_than_rows(mix):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    rows, outcome = rng.normal(size=(30, 50)), rng.integers(0, 2, 30)
    design = bl.Design.from_arrays(rows, outcome)
    proof = bl.convert(source="sklearn", C=0.1, l1_ratio=mix, to="glmnet", design=design).proof
    theirs = linear_model.LogisticRegression(C=0.1, l1_ratio=mix, solver="saga", tol=1e-12, max_iter=100_000)
    theirs.fit(rows, outcome)
    assert proof.certified
    np.testing.assert_allclose(proof.optimum, np.append(theirs.intercept_, theirs.coef_), atol=1e-8)


def test_notes_say_what_a_system_does_not_take():
    offset = bl.Design.from_arrays(X, Y, names=NAMES, offset=np.full(80, 0.1), weights=W)
    notes = " ".join(bl.convert(source="sklearn", C=1.0, to="skglm", design=offset).notes)
    assert f"takes no weights: give it the {W.sum():.0f} observations row by row" in notes
    assert "scikit-learn LogisticRegression takes no offset" in notes
    assert "takes no" not in " ".join(bl.convert(source="sklearn", C=1.0, to="skglm", design=PLAIN).notes)


# --- what is refused ---------------------------------------------------------------------------------------------

REFUSED = [
    (
        dict(source="bayeslogit", scale=[1.0, 2.0, 4.0], to="sklearn"),
        r"precisions \(lambda2\) of the slopes run from 0.0625 to 1.*k_j = sqrt\(lambda2_j\).*Nearest: C=2.28571",
    ),
    (
        dict(source="sklearn", C=2.0, solver="liblinear", to="glmnet"),
        r"leaves the intercept free, and the prior of this one has sd 1.41421. Nearest: lambda_=0.00625",
    ),
    (
        dict(source="bayeslogit", scale=1.0, mean=2.0, to="glum"),
        r"draws coefficients to 0, and the prior mean of a, b, c is not. With an offset of sum_j mean_j x_j",
    ),
    (
        dict(source="bayeslogit", prior="rstanarm", to="sklearn"),
        r"on a combination of coefficients .*at the column means",
    ),
    (dict(source="bayeslogit", to="sklearn"), r"takes l1= and l2=; l1=None was given"),
    (
        dict(source="sklearn", C=1.0, l1_ratio=0.5, to="gradient_descent"),
        r"has no L1 penalty; the nearest prior has the same sd",
    ),
    (dict(source="sklearn", C=1.0, l1_ratio=0.5, to="statsmodels_logit"), r"has no L2 penalty; .*Nearest: alpha="),
    (dict(source="sklearn", C=1.0, to="celer"), r"celer LogisticRegression cannot say this: it fits no intercept"),
    (dict(source="celer", C=1.0, to="sklearn"), r"fits no intercept, and the design has one; use intercept=False"),
    (
        dict(source="sklearn", C=1.0, to="statsmodels_bayes_mixed"),
        r"one prior sd for all columns, the intercept included. Nearest: fe_p=1",
    ),
    (
        dict(source="bayeslogit", scale=1.0, intercept_scale=3.0, to="weight_decay"),
        r"bias decays as the weights do, or not at all. Nearest: wd=0.0125, half=True, bias=False",
    ),
    (
        dict(source="bayeslogit", l1=[1, 2, 3], l2=[1, 1, 1], to="glmnet"),
        r"shares of L1 and L2 differ between its columns",
    ),
    (
        dict(source="bayeslogit", l1=1.0, l2=1.0, intercept_scale=1.0, to="sklearn"),
        r"with solver='liblinear' only, and there as the slopes.*Nearest: C=0.5, l1_ratio=0.5, solver='saga'",
    ),
    (dict(source="sklearn", C=0, to="glmnet"), r"C=0 must be a number above 0"),
    (dict(source="sklearn", C=True, to="glmnet"), r"C=True must be a number above 0"),
    (dict(source="sklearn", C=1.0, l1_ratio=1.5, to="glmnet"), r"l1_ratio=1.5 must be a number between 0 and 1"),
    (dict(source="sklearn", C=1.0, alpha=1.0, to="glmnet"), r"give C= or alpha=, not both"),
    (
        dict(source="sklearn", l1_ratio=0.5, solver="lbfgs", to="glmnet"),
        r"solver='lbfgs' refuses l1_ratio=0.5; solver='saga'",
    ),
    (dict(source="sklearn", C=np.inf, solver="liblinear", to="glmnet"), r"solver='liblinear' has no C=inf"),
    (
        dict(source="sklearn", C=1.0, fit_intercept=False, to="glmnet"),
        r"fit_intercept=False, but the design has an intercept",
    ),
    (dict(source="sklearn", gamma=1.0, to="glmnet"), r"has no parameter gamma here; it has C, l1_ratio, solver"),
    (dict(source="glmnet", lambda_=1.0, weights=[1.0], to="sklearn"), r"Weights and offsets belong to the design"),
    (dict(source="glmnet", to="sklearn"), r"glmnet: lambda_ is missing"),
    (dict(source="glmnet", lambda_=1.0, penalty_factor=[0, 0, 0], to="sklearn"), r"penalises no column; use lambda_=0"),
    (
        dict(source="glmnet", lambda_=1.0, penalty_factor=[1.0], to="sklearn"),
        r"penalty_factor has 1 values for 3 columns \(a, b, c\)",
    ),
    (
        dict(source="glum", alpha=1.0, P2=np.eye(3), to="sklearn"),
        r"P2 has shape \(3, 3\).*MultivariateNormal; the nearest .* its diagonal",
    ),
    (
        dict(source="knime", variance=1.0, prior="uniform", to="sklearn"),
        r"prior='uniform' is not one of 'gauss', 'laplace'",
    ),
    (dict(source="sas", to="sklearn"), r"convert\(source='sas'\): there is no such system. Known: bayeslogit, sklearn"),
    (dict(source="sklearn", to="weka"), r"convert\(to='weka'\): there is no such system"),
    (dict(source="sklearn", to="glmnet", options={"alpha": 0.5}), r"one is free to choose of standardize"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_refusals_say_why_and_what_comes_nearest(call, text):
    with pytest.raises(bl.ArgumentError, match=text):
        bl.convert(design=PLAIN, **call)


def test_a_constant_column_is_refused_where_columns_are_standardised():
    design = bl.Design.from_arrays(np.column_stack([X[:, 0], np.full(80, 2.0)]), Y, names=["a", "same"])
    with pytest.raises(bl.DataError, match=r"glmnet divides each column by its sd, and same is constant"):
        bl.convert(source="glmnet", lambda_=0.1, to="sklearn", design=design)


def test_the_design_must_be_one():
    with pytest.raises(bl.ArgumentError, match=r"convert\(design=ndarray\): a bayeslogit.Design is needed"):
        bl.convert(source="sklearn", C=1.0, to="glmnet", design=X)


def test_a_design_without_intercept_switches_it_off():
    found = bl.convert(source="celer", C=0.5, to="sklearn", design=BARE)
    assert found.params == {"C": 0.5, "l1_ratio": 1.0, "solver": "saga", "fit_intercept": False}
    assert found.proof.certified
    assert bl.convert(
        source="sklearn", to="glmnet", design=BARE, **found.params | {"solver": "liblinear"}
    ).proof.certified


def test_a_distance_from_a_centre_has_brackets_only_where_it_is_squared(wells_design):
    def told(prior):
        return str(bl.convert(source="bayeslogit", prior=prior, to="bayeslogit", design=wells_design))

    lasso, ridge = told(bl.Laplace(2.0, mean=1.0)), told(bl.Normal(2.0, mean=1.0))
    assert "|b_j - 1|" in lasso and "|(" not in lasso
    assert "(b_j - 1)^2" in ridge
    assert "|intercept - 3|" in told(bl.priors(bl.Normal(1.0), intercept=bl.Laplace(1.0, mean=3.0)))
