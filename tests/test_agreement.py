"""Agreement with scikit-learn, statsmodels and glum, run to more accuracy than they give by default."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl


def columns(design: bl.Design) -> tuple[np.ndarray, np.ndarray]:
    """All columns with the intercept first, and the successes."""
    return np.vstack([block.X.toarray() for block in design.source.blocks()]), design.outcome_arrays()[0]


def fit(design: bl.Design, prior: Any) -> bl.Fit:
    return bl.fit(design, prior=prior, tol=1e-11)


def away(fit: bl.Fit, theirs: Any) -> float:
    """Largest distance in posterior sds."""
    return float(np.max(np.abs(fit.params.to_numpy() - np.asarray(theirs)) / fit.bse.to_numpy()))


# --- golden values -----------------------------------------------------------------------------------------------


def test_wells_maximum_likelihood_by_glm(wells):
    # Printed in Gelman and Hill (2007), section 5.4, as display(glm(switch ~ dist100 + arsenic, family = binomial(
    # link = "logit"))): Intercept 0.00 (0.08), dist100 -0.90 (0.10), arsenic 0.46 (0.04).
    f = bl.fit(bl.Design.from_arrays(wells[["dist100", "arsenic"]], wells["switch"].to_numpy()), prior=None)
    np.testing.assert_allclose(f.params, [0.00, -0.90, 0.46], atol=0.005)
    np.testing.assert_allclose(f.bse, [0.08, 0.10, 0.04], atol=0.005)


# --- scikit-learn ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.1, 1.0, 2.5, 10.0])
@pytest.mark.parametrize("which", ["wells_design", "pima_design"])
def test_normal_prior_is_scikit_learn_at_c_equal_scale_squared(which, scale, request):
    linear = pytest.importorskip("sklearn.linear_model")
    design = request.getfixturevalue(which)
    X, y = columns(design)
    center, spread = X[:, 1:].mean(axis=0), X[:, 1:].std(axis=0)
    if which == "pima_design":
        # The penalty is on the columns as given; centring them only helps sklearn's own conditioning.
        assert spread.max() / spread.min() > 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = linear.LogisticRegression(C=scale**2, solver="newton-cholesky", tol=1e-13, max_iter=1000)
        peer.fit(X[:, 1:] - center, y)
    slopes = peer.coef_[0]
    theirs = np.append(peer.intercept_[0] - center @ slopes, slopes)
    ours = fit(design, bl.Normal(scale))
    assert away(ours, theirs) < 1e-8
    # The distance would show a factor of two in the penalty: it moves the mode by more than that.
    doubled = fit(design, bl.Normal(scale * np.sqrt(2.0)))
    assert away(ours, doubled.params) > 1e-6


def test_scikit_learn_with_sample_weights(wells_design):
    linear = pytest.importorskip("sklearn.linear_model")
    X, y = columns(wells_design)
    weights = np.random.default_rng(1).integers(0, 4, y.size).astype(float)
    design = bl.Design.from_arrays(X[:, 1:], y, weights=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = linear.LogisticRegression(C=0.25, solver="newton-cholesky", tol=1e-13, max_iter=1000)
        peer.fit(X[:, 1:], y, sample_weight=weights)
    assert away(fit(design, bl.Normal(0.5)), np.append(peer.intercept_, peer.coef_[0])) < 1e-8


# --- statsmodels -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("statsmodels.api")


@pytest.mark.parametrize("which", ["wells_design", "pima_design"])
def test_maximum_likelihood_is_statsmodels_logit(which, request, sm):
    design = request.getfixturevalue(which)
    X, y = columns(design)
    peer = sm.Logit(y, X).fit(method="newton", tol=1e-14, maxiter=100, disp=0)
    ours = fit(design, None)
    assert away(ours, peer.params) < 1e-8
    np.testing.assert_allclose(ours.bse, peer.bse, rtol=1e-8)
    np.testing.assert_allclose(ours.conf_int(), peer.conf_int(), rtol=1e-7, atol=1e-10)
    assert ours.log_likelihood == pytest.approx(peer.llf, rel=1e-12)
    assert ours.log_binomial_constant == 0.0


def test_robust_covariance_is_hc0(wells_design, sm):
    X, y = columns(wells_design)
    peer = sm.Logit(y, X).fit(method="newton", tol=1e-14, maxiter=100, disp=0, cov_type="HC0")
    ours = fit(wells_design, None).cov_params("robust")
    np.testing.assert_allclose(ours, peer.cov_params(), rtol=1e-7, atol=1e-12)


def test_clustered_covariance_is_statsmodels_without_its_small_sample_factor(wells, wells_design, sm):
    X, y = columns(wells_design)
    groups = wells["educ"].to_numpy()
    options = {"groups": groups, "use_correction": False, "df_correction": False}
    peer = sm.Logit(y, X).fit(method="newton", tol=1e-14, maxiter=100, disp=0, cov_type="cluster", cov_kwds=options)
    ours = fit(wells_design, None)
    np.testing.assert_allclose(ours.cov_params("robust", groups=groups), peer.cov_params(), rtol=1e-6, atol=1e-12)
    # Labels of any kind, in any order.
    named = np.array([f"g{value}" for value in groups])
    np.testing.assert_allclose(
        ours.cov_params("robust", groups=named), ours.cov_params("robust", groups=groups), rtol=1e-12
    )


def test_counts_are_statsmodels_glm_binomial(berkeley_design, sm):
    X, y = columns(berkeley_design)
    trials = berkeley_design.outcome_arrays()[1]
    peer = sm.GLM(np.column_stack([y, trials - y]), X, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    ours = fit(berkeley_design, None)
    assert away(ours, peer.params) < 1e-8
    np.testing.assert_allclose(ours.bse, peer.bse, rtol=1e-8)
    # Theirs counts the binomial coefficients, ours leaves them out so that counts equal their expanded rows.
    assert ours.log_likelihood + ours.log_binomial_constant == pytest.approx(peer.llf, rel=1e-11)
    assert ours.log_binomial_constant > 100 and ours.nobs == trials.sum()


def test_glm_with_an_offset_and_frequency_weights(wells, sm):
    X = np.column_stack([np.ones(len(wells)), wells[["dist100", "arsenic"]].to_numpy()])
    y = wells["switch"].to_numpy().astype(float)
    offset = 0.05 * wells["educ"].to_numpy()
    weights = np.random.default_rng(2).integers(1, 5, len(wells))
    peer = sm.GLM(y, X, family=sm.families.Binomial(), offset=offset, freq_weights=weights).fit(tol=1e-14, maxiter=100)
    design = bl.Design.from_arrays(X[:, 1:], y, offset=offset, weights=weights)
    ours = fit(design, None)
    assert away(ours, peer.params) < 1e-8
    np.testing.assert_allclose(ours.bse, peer.bse, rtol=1e-8)
    assert ours.log_likelihood == pytest.approx(peer.llf, rel=1e-11)


# --- glum --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.3, 2.5])
def test_normal_prior_is_glum_at_alpha_one_over_n_scale_squared(wells_design, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        glum = pytest.importorskip("glum")
        X, y = columns(wells_design)
        peer = glum.GeneralizedLinearRegressor(
            family="binomial", alpha=1.0 / (y.size * scale**2), l1_ratio=0.0, gradient_tol=1e-13, max_iter=1000
        ).fit(X[:, 1:], y)
    assert away(fit(wells_design, bl.Normal(scale)), np.append(peer.intercept_, peer.coef_)) < 1e-7


# --- our own definition, in exact arithmetic ---------------------------------------------------------------------


@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(0.5), bl.Normal(0.2, mean=-1.0)])
def test_covariance_is_the_inverse_of_the_hessian_by_finite_differences(prior, pima, exact):
    import decimal
    from decimal import Decimal

    rows = pima.iloc[:120]
    made = bl.Design.from_arrays(rows[["glu", "bmi", "age"]], (rows["type"] == "Yes").to_numpy().astype(float))
    ours = fit(made, prior)
    model, p, step = exact.of(ours), 4, Decimal("1e-12")
    # The log posterior itself is differenced, so that no formula for a derivative enters.
    with decimal.localcontext(prec=50):
        at = np.array([Decimal(float(b)) for b in ours.params])
        unit = [np.array([step if i == j else Decimal(0) for i in range(p)]) for j in range(p)]
        hessian = np.zeros((p, p))
        for j in range(p):
            for k in range(j + 1):
                corners = [
                    model.log_posterior(at + a * unit[j] + b * unit[k]) * a * b for a in (1, -1) for b in (1, -1)
                ]
                hessian[j, k] = hessian[k, j] = float(sum(corners) / (4 * step * step))
    sd = ours.bse.to_numpy()
    np.testing.assert_allclose(
        ours.cov_params().to_numpy() / sd / sd[:, None],
        np.linalg.inv(-hessian * sd * sd[:, None]),
        rtol=1e-6,
        atol=1e-6,
    )
    np.testing.assert_allclose(sd**2, np.diag(np.linalg.inv(-hessian)), rtol=1e-6)
