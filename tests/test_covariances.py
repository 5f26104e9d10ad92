"""Covariances by their definitions, and what is made of them: intervals, shares, evidence, predictions."""

from __future__ import annotations

import decimal
import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.resolved import PriorTerm, ResolvedPrior

PRIOR = bl.priors(default=bl.Normal(0.7, mean=0.5), intercept=bl.Normal(2.0))
Z95 = 1.959963984540054


@pytest.fixture(scope="module")
def made(simulated) -> bl.Design:
    """Thirty rows of counts with weights, and columns away from zero."""
    X, _ = simulated(30, [1.0, -0.5], seed=11)
    rng = np.random.default_rng(12)
    trials = rng.integers(1, 4, 30).astype(float)
    y = rng.binomial(trials.astype(int), 0.45)
    return bl.Design.from_arrays(
        X + np.array([4.0, -1.0]), y, trials=trials, weights=rng.integers(1, 4, 30), offset=0.1 * X[:, 0]
    )


@pytest.fixture(scope="module", params=["flat", "normal", "rstanarm"])
def case(request, made) -> tuple[bl.Fit, dict[str, np.ndarray]]:
    """A fit, and H, L and the meat written out from its data in plain NumPy."""
    prior = {"flat": None, "normal": PRIOR, "rstanarm": "rstanarm"}[request.param]
    fit = bl.fit(made, prior=prior, tol=1e-11)
    (block,) = made.source.blocks()
    X, y, m, w, o = block.X.toarray(), block.y, block.trials, block.weights, block.offset
    mu = 1 / (1 + np.exp(-(X @ fit.params.to_numpy() + o)))
    L = np.zeros((3, 3))
    if request.param == "normal":
        L = np.diag([1 / 4, 1 / 0.49, 1 / 0.49])
    if request.param == "rstanarm":
        mean = np.average(X, axis=0, weights=w * m)
        sd = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w * m) * (w @ m) / (w @ m - 1))
        L = np.diag([0, *(sd[1:] / 2.5) ** 2]) + np.outer(mean, mean) / 2.5**2
    parts = {
        "X": X,
        "H": X.T @ ((w * m * mu * (1 - mu))[:, None] * X),
        "L": L,
        "meat": X.T @ ((w * (y * (1 - mu) ** 2 + (m - y) * mu**2))[:, None] * X),
        "scores": (w * (y - m * mu))[:, None] * X,
    }
    return fit, parts


def assert_matrix(found: Any, wanted: np.ndarray, rtol: float = 1e-9) -> None:
    scale = np.sqrt(np.diag(wanted))
    np.testing.assert_allclose(np.asarray(found) / scale / scale[:, None], wanted / scale / scale[:, None], atol=rtol)


def test_posterior_covariance(case):
    fit, c = case
    wanted = np.linalg.inv(c["H"] + c["L"])
    assert_matrix(fit.cov_params(), wanted)
    assert_matrix(fit.cov_params("posterior"), wanted)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(wanted)), rtol=1e-9)
    assert list(fit.cov_params().index) == list(fit.cov_params().columns) == ["Intercept", "x1", "x2"]


def test_frequentist_covariance(case):
    fit, c = case
    V = np.linalg.inv(c["H"] + c["L"])
    assert_matrix(fit.cov_params("frequentist"), V @ c["H"] @ V)
    if fit.prior.flat.all():
        assert_matrix(fit.cov_params("frequentist"), V)
    else:
        # (H+L)^-1 (H+L) (H+L)^-1 would be the posterior covariance again: the prior is no sampling noise.
        assert np.all(np.diag(fit.cov_params("frequentist")) < 0.999 * fit.bse**2)


def test_robust_covariance_takes_every_bernoulli_copy_by_itself(case):
    fit, c = case
    V = np.linalg.inv(c["H"] + c["L"])
    assert_matrix(fit.cov_params("robust"), V @ c["meat"] @ V)


def test_clustered_covariance(case):
    fit, c = case
    V = np.linalg.inv(c["H"] + c["L"])
    groups = np.arange(30) % 7
    totals = np.array([c["scores"][groups == g].sum(axis=0) for g in range(7)])
    assert_matrix(fit.cov_params("robust", groups=groups), V @ totals.T @ totals @ V)
    words = np.array(["south", "east", "a", "north", "b", "west", "c"])[groups]
    assert_matrix(fit.cov_params("robust", groups=words), V @ totals.T @ totals @ V)


def test_one_cluster_a_row_is_the_robust_covariance_of_bernoulli_rows(simulated):
    X, y = simulated(50, [1.0])
    fit = bl.fit(bl.Design.from_arrays(X, y), tol=1e-11)
    np.testing.assert_allclose(fit.cov_params("robust", groups=np.arange(50)), fit.cov_params("robust"), rtol=1e-9)


def test_likelihood_covariance_comes_with_a_warning(case):
    fit, c = case
    with pytest.warns(bl.FitWarning, match="leaves the prior out"):
        found = fit.cov_params("likelihood")
    assert_matrix(found, np.linalg.inv(c["H"]))


def test_likelihood_covariance_is_nan_where_the_data_do_not_identify_the_coefficients():
    X = np.random.default_rng(1).standard_normal((4, 6))
    fit = bl.fit(bl.Design.from_arrays(X, [0, 1, 1, 0]))
    with pytest.warns(bl.FitWarning, match="leaves the prior out"):
        assert fit.cov_params("likelihood").isna().all().all()


# --- digits: against 50-digit arithmetic -------------------------------------------------------------------------


def exact_sds(exact: Any, fit: bl.Fit) -> dict[str, np.ndarray]:
    """Roots of the diagonals of the definitions at the true mode."""
    model, likelihood = exact.of(fit), exact.of(fit)
    likelihood.blocks = []
    mode = model.newton(fit.params.to_numpy())
    with decimal.localcontext(prec=50):
        mu = np.array([1 / (1 + (-eta).exp()) for eta in model.X @ mode + model.offset])
        V, H = model.covariance(mode), likelihood.information(mode)
        meat = model.X.T @ ((model.ones * (1 - mu) ** 2 + model.zeros * mu**2)[:, None] * model.X)
        found = {"posterior": V, "frequentist": V @ H @ V, "robust": V @ meat @ V}
        if len(mode) <= len(mu):
            found["likelihood"] = likelihood.covariance(mode)
        return {kind: np.array([float(v.sqrt()) for v in np.diag(each)]) for kind, each in found.items()}


def nearly_collinear(distance: float) -> bl.Design:
    rng = np.random.default_rng(1)
    x, z = rng.standard_normal((2, 200))
    y = rng.random(200) < 1 / (1 + np.exp(-x))
    return bl.Design.from_arrays(np.column_stack([x, x + distance * z, z[::-1]]), y)


def few_rows(scale: float) -> tuple[bl.Design, Any]:
    rng = np.random.default_rng(2)
    return bl.Design.from_arrays(rng.standard_normal((8, 12)), np.arange(8) % 2), bl.Normal(scale)


HARD = {
    "prior sd 1e-7": lambda: (nearly_collinear(1.0), bl.Normal(1e-7)),
    "prior sd 1e-9": lambda: (nearly_collinear(1.0), bl.Normal(1e-9)),
    "one prior of 1e-9": lambda: (nearly_collinear(1.0), bl.priors(bl.Normal(1.0), terms={"x1": bl.Normal(1e-9)})),
    "almost collinear": lambda: (nearly_collinear(1e-4), None),
    "nearly collinear": lambda: (nearly_collinear(1e-7), None),
    "nearly collinear, prior": lambda: (nearly_collinear(1e-7), bl.Normal(2.5)),
    "wide": lambda: few_rows(1.0),
    "wide, prior sd 1e-8": lambda: few_rows(1e-8),
}


@pytest.mark.filterwarnings("ignore:kind='likelihood'")
@pytest.mark.parametrize("shape", HARD)
def test_every_kind_keeps_its_digits(shape, exact):
    fit = bl.fit(HARD[shape]()[0], prior=HARD[shape]()[1], tol=1e-11)
    wanted = exact_sds(exact, fit)
    for kind, sd in wanted.items():
        found = fit.bse if kind == "posterior" else np.sqrt(np.diag(fit.cov_params(kind)))
        np.testing.assert_allclose(found, sd, rtol=1e-6, err_msg=kind)
    groups = np.arange(fit.design.n_rows)
    clustered = fit.cov_params("robust", groups=groups)
    np.testing.assert_allclose(np.sqrt(np.diag(clustered)), wanted["robust"], rtol=1e-6)
    part = fit.cov_params("frequentist", terms=["x2"])
    np.testing.assert_allclose(np.sqrt(part), [wanted["frequentist"][2:3]], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:kind='likelihood'")
@pytest.mark.parametrize("shape", HARD)
def test_without_the_data_digits_that_are_lost_are_nan(shape, exact):
    made, prior = HARD[shape]()
    fit = bl.fit(made, prior=prior, tol=1e-11)
    kept, wanted = replace(fit, design=None), exact_sds(exact, fit)
    for kind in ("frequentist", "likelihood"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            sd = np.sqrt(np.diag(kept.cov_params(kind)))
        lost = np.isnan(sd)
        np.testing.assert_allclose(sd[~lost], wanted.get(kind, sd)[~lost], rtol=1e-3, err_msg=kind)
        if kind == "frequentist" and shape in ("wide", "almost collinear"):
            assert not lost.any()
        if kind == "frequentist" and lost.any():
            assert any("digits" in str(each.message) for each in said)


@pytest.mark.filterwarnings("ignore:kind='likelihood'")
@pytest.mark.parametrize("factor", [2.0, 0.1, -3.0])
def test_a_likelihood_that_does_not_identify_the_coefficients_has_no_covariance(factor):
    # The matrix is singular, and its rounded version is positive definite for every fourth seed: sds of 1e7.
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(200)
        fit = bl.fit(
            bl.Design.from_arrays(np.column_stack([x, factor * x]), rng.integers(0, 2, 200)), prior=bl.Normal(1)
        )
        assert fit.cov_params("likelihood").isna().all(axis=None), seed
        assert replace(fit, design=None).cov_params("likelihood").isna().all(axis=None), seed
        assert fit.cov_params("frequentist").notna().all(axis=None)


def test_terms_pick_rows_and_columns_in_their_order(case):
    fit, _ = case
    for kind in ("posterior", "frequentist", "robust"):
        full, part = fit.cov_params(kind), fit.cov_params(kind, terms=["x2", "Intercept"])
        np.testing.assert_array_equal(part, full.loc[["x2", "Intercept"], ["x2", "Intercept"]])
        assert list(part.columns) == ["x2", "Intercept"]


def test_a_covariance_has_one_meaning_or_is_refused(case):
    fit, _ = case
    with pytest.raises(bl.ArgumentError, match=r"two things: 'frequentist', .* or 'robust'"):
        fit.cov_params("sandwich")
    with pytest.raises(bl.ArgumentError, match=r"kind='hc0': a covariance is one of 'posterior', 'frequentist'"):
        fit.cov_params("hc0")
    with pytest.raises(bl.ArgumentError, match="groups= belongs to kind='robust', not to kind='posterior'"):
        fit.cov_params(groups=np.arange(30))
    with pytest.raises(bl.DataError, match=r"groups has shape \(29,\).* 30 rows"):
        fit.cov_params("robust", groups=np.arange(29))
    with pytest.raises(bl.ArgumentError, match=r"terms=\.\.\.\): no columns y, z in this fit"):
        fit.cov_params(terms=["x1", "y", "z"])
    with pytest.raises(bl.ArgumentError, match="sandwich"):
        fit.conf_int(kind="sandwich")


def test_a_covariance_of_more_than_5000_columns_is_refused_with_its_size(case):
    fit, _ = case
    names = tuple(f"c{j}" for j in range(20_000))
    wide = replace(fit, prior=ResolvedPrior(names, (PriorTerm("flat", tuple(range(20_000))),), "flat"))
    with pytest.raises(
        bl.ArgumentError, match=r"the covariance of 20000 columns takes 3\.2 GB; name the columns.* terms="
    ):
        wide.cov_params()


def test_robust_needs_the_data_and_the_others_do_not(case):
    fit, _ = case
    kept = replace(fit, design=None)
    with pytest.raises(bl.FitError, match=r"cov_params\(kind='robust'\) needs the data"):
        kept.cov_params("robust")
    for kind in ("posterior", "frequentist"):
        np.testing.assert_array_equal(kept.cov_params(kind), fit.cov_params(kind))


def test_without_a_mode_every_covariance_is_nan():
    x = np.arange(-3, 3) + 0.5
    with pytest.warns(bl.FitWarning, match="separated"):
        fit = bl.fit(bl.Design.from_arrays(x[:, None], x > 0), prior=None)
    for kind in ("posterior", "frequentist", "robust"):
        assert fit.cov_params(kind).isna().all().all()
    with pytest.warns(bl.FitWarning, match="leaves the prior out"):
        assert fit.cov_params("likelihood").isna().all().all()
    assert fit.bse.isna().all() and fit.conf_int().isna().all().all() and math.isnan(fit.effective_parameters)


# --- intervals, shares, evidence ---------------------------------------------------------------------------------


def test_intervals_are_mode_plus_and_minus_z_sd(case):
    fit, _ = case
    interval = fit.conf_int()
    assert list(interval.columns) == ["lower", "upper"]
    np.testing.assert_allclose(interval["upper"] - fit.params, Z95 * fit.bse, rtol=1e-10)
    np.testing.assert_allclose(fit.params - interval["lower"], Z95 * fit.bse, rtol=1e-10)
    half = fit.conf_int(prob=0.5)
    np.testing.assert_allclose(half["upper"] - half["lower"], 2 * 0.6744897501960817 * fit.bse, rtol=1e-10)
    robust = fit.conf_int(kind="robust")
    width = 2 * Z95 * np.sqrt(np.diag(fit.cov_params("robust")))
    np.testing.assert_allclose(robust["upper"] - robust["lower"], width, rtol=1e-10)


@pytest.mark.parametrize("prob", [0.0, 1.0, 95, -0.5, float("nan"), None])
def test_an_interval_needs_a_probability(case, prob):
    fit, _ = case
    with pytest.raises(bl.ArgumentError, match=r"lies between 0 and 1, for example 0\.95"):
        fit.conf_int(prob=prob)
    with pytest.raises(bl.ArgumentError, match="lies between 0 and 1"):
        fit.predict(prob=prob)


def test_prior_share_is_posterior_variance_over_prior_variance(case):
    fit, c = case
    V = np.diag(np.linalg.inv(c["H"] + c["L"]))
    # Under the rstanarm preset the intercept's prior variance is the marginal one, not 2.5^2.
    wanted = np.zeros(3) if fit.prior.flat.all() else V / np.diag(np.linalg.inv(c["L"]))
    np.testing.assert_allclose(fit.prior_share, wanted, rtol=1e-9)
    assert np.all(fit.prior_share <= 1.0)


def test_effective_parameters_are_p_less_the_trace_of_the_prior_part(case):
    fit, c = case
    wanted = 3 - np.trace(np.linalg.solve(c["H"] + c["L"], c["L"]))
    assert fit.effective_parameters == pytest.approx(wanted, rel=1e-10)
    assert wanted == pytest.approx(np.trace(np.linalg.solve(c["H"] + c["L"], c["H"])), rel=1e-10)
    assert (wanted == 3) == bool(fit.prior.flat.all())


def test_prior_share_of_data_that_say_nothing_is_one():
    f = bl.fit(
        bl.Design.from_arrays([[1.0], [1.0]], [0, 1], intercept=False, weights=[1e-9, 1e-9]), prior=bl.Normal(2.0)
    )
    assert f.prior_share["x1"] == pytest.approx(1.0, abs=1e-7) and f.effective_parameters < 1e-7
    assert f.tidy()["prior_share"].iloc[0] == f.prior_share["x1"]


def test_log_evidence_by_its_formula(case):
    fit, c = case
    sign, logdet = np.linalg.slogdet(c["H"] + c["L"])
    assert sign == 1.0
    wanted = fit.log_posterior + 1.5 * math.log(2 * math.pi) - 0.5 * logdet
    assert fit.log_evidence == pytest.approx(wanted, rel=1e-11)
    assert fit.log_posterior == pytest.approx(
        fit.log_likelihood + fit.prior.log_density(fit.params.to_numpy()), rel=1e-12
    )


def test_log_evidence_is_the_integral_when_the_posterior_is_nearly_normal():
    # One coefficient with 4,000 trials: the integral of likelihood x normalised prior by the trapezoid rule.
    trials, y = np.array([1000.0, 3000.0]), np.array([480.0, 1550.0])
    design = bl.Design.from_arrays([[1.0], [0.5]], y, trials=trials, intercept=False)
    for prior, density in [
        (bl.Normal(0.3, mean=0.1), lambda b: np.exp(-0.5 * ((b - 0.1) / 0.3) ** 2) / (0.3 * math.sqrt(2 * math.pi))),
        (None, np.ones_like),
    ]:
        f = bl.fit(design, prior=prior, tol=1e-11)
        b = f.params.iloc[0] + f.bse.iloc[0] * np.linspace(-9, 9, 4001)
        eta = np.outer(b, [1.0, 0.5])
        log_likelihood = (y * eta - trials * np.log1p(np.exp(eta))).sum(axis=1)
        integral = np.trapezoid(np.exp(log_likelihood - f.log_likelihood) * density(b), b)
        assert f.log_evidence == pytest.approx(f.log_likelihood + math.log(integral), abs=1e-3)
        assert bool(f.glance()["log_evidence_relative"].iloc[0]) == (prior is None)


# --- predictions -------------------------------------------------------------------------------------------------


def test_predictions_rest_on_the_whole_covariance(case):
    fit, _ = case
    V = fit.cov_params().to_numpy()
    new = np.array([[4.0, -1.0], [10.0, 3.0], [0.0, 0.0]])
    rows = np.column_stack([np.ones(3), new])
    eta, sd = rows @ fit.params.to_numpy(), np.sqrt(np.einsum("ij,jk,ik->i", rows, V, rows))
    p = fit.predict(new, kind="mode", offset=np.zeros(3))
    np.testing.assert_allclose(p["probability"], 1 / (1 + np.exp(-eta)), rtol=1e-10)
    np.testing.assert_allclose(p["lower"], 1 / (1 + np.exp(-(eta - Z95 * sd))), rtol=1e-9)
    np.testing.assert_allclose(p["upper"], 1 / (1 + np.exp(-(eta + Z95 * sd))), rtol=1e-9)
    z = np.linspace(-10, 10, 4001)
    mean = np.trapezoid(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / (1 + np.exp(-(eta[:, None] + sd[:, None] * z))), z)
    np.testing.assert_allclose(fit.predict(new, offset=np.zeros(3))["probability"], mean, rtol=1e-9)
    shifted = fit.predict(new, kind="mode", offset=np.full(3, 0.7))
    np.testing.assert_allclose(shifted["probability"], 1 / (1 + np.exp(-(eta + 0.7))), rtol=1e-10)


def test_an_offset_is_asked_for_when_the_design_had_one(case):
    fit, _ = case
    with pytest.raises(bl.DataError, match="The design had an offset, so a prediction needs one"):
        fit.predict(np.zeros((2, 2)))


def test_fitted_rows_carry_residual_and_leverage(case):
    fit, c = case
    found = fit._predict(None, None, 0.95, "mode")
    V = np.linalg.inv(c["H"] + c["L"])
    np.testing.assert_allclose(found.linear_predictor_sd**2, np.einsum("ij,jk,ik->i", c["X"], V, c["X"]), rtol=1e-9)
    augmented = fit.augment()
    (block,) = fit.design.source.blocks()
    mu = found.probability
    np.testing.assert_allclose(augmented["residual"], block.y / block.trials - mu, rtol=1e-10, atol=1e-14)
    # The leverages are the diagonal of a projection when the prior is flat: they add to the number of columns.
    wanted = np.trace(np.linalg.solve(c["H"] + c["L"], c["H"]))
    assert augmented["leverage"].sum() == pytest.approx(wanted, rel=1e-9)


def test_draws_have_the_mean_and_covariance_of_the_approximation(case):
    fit, _ = case
    draws = fit.posterior.sample(200_000, 7)
    sd = fit.bse.to_numpy()
    assert np.max(np.abs(draws.mean(axis=0) - fit.params.to_numpy()) / sd) < 0.012
    assert_matrix(np.cov(draws.T), fit.cov_params().to_numpy(), rtol=0.015)
    np.testing.assert_array_equal(draws, fit.posterior.sample(200_000, np.random.default_rng(7)))
    np.testing.assert_allclose(fit.posterior.quantile(0.975), fit.conf_int()["upper"], rtol=1e-12)
