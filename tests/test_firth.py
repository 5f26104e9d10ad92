"""Jeffreys (Firth) and Diaconis-Ylvisaker: closed forms, brglm2's numbers, separated data, derivatives, roads."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit import jeffreys, logistic, solve
from bayeslogit.mode import Road
from bayeslogit.presets import as_prior, parse_prior
from bayeslogit.resolved import from_description
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "firth.json").read_text(encoding="utf-8"))["cases"]
SEPARATED = "complete separation"
ROUNDED = {SEPARATED: 1e-8}  # how far brglm2 itself is from the solution of its equations there


def golden_design(name):
    """The data that tests/golden/firth.R gave brglm2."""
    if name in ("wells", "lbw", "pima"):
        formula = {
            "wells": "switch ~ dist100 + arsenic + educ4",
            "lbw": "low ~ age + lwt + smoke + ptl + ht + ui + ftv",
            "pima": "type ~ npreg + glu + bp + skin + bmi + ped + age",
        }[name]
        return bl.Design.from_formula(formula, bl.datasets.load(name), event="Yes" if name == "pima" else None)
    if name == "berkeley":
        data = bl.datasets.load(name)
        return bl.Design.from_formula("admitted ~ gender + department", data, trials="applicants")
    data = {key: np.array(values) for key, values in GOLDEN[name]["data"].items()}
    X = np.column_stack([values for key, values in data.items() if key.lower().startswith("x")])
    return bl.Design.from_arrays(X, data["y"], trials=data.get("m"), weights=data.get("w"), offset=data.get("o"))


def small(seed=3, n=40, p=3, counts=True):
    """Rows with counts, weights (some zero) and an offset, and the same as arrays."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 2.0
    m = rng.integers(1, 5, n).astype(float) if counts else np.ones(n)
    w = rng.integers(0, 3, n).astype(float) if counts else np.ones(n)
    o = rng.normal(0.0, 0.5, n) if counts else np.zeros(n)
    y = rng.binomial(m.astype(int), 0.4).astype(float)
    design = bl.Design.from_arrays(X, y, trials=m, weights=w, offset=o)
    return design, (np.column_stack([np.ones(n), X]), y, m, w, o)


def log_likelihood(beta, X, y, m, w, o):
    eta = X @ beta + o
    return float(np.sum(w * (y * eta - m * np.logaddexp(0.0, eta))))


def information(beta, X, y, m, w, o):
    decay = np.exp(-np.abs(X @ beta + o))
    return X.T @ ((w * m * decay / (1.0 + decay) ** 2)[:, None] * X)


def penalised(beta, *data):
    """Log likelihood + 0.5 log |X'WX|, written from the formula."""
    return log_likelihood(beta, *data) + 0.5 * np.linalg.slogdet(information(beta, *data))[1]


def gradient(function, at, step=1e-5):
    """Central differences, once extrapolated: error of order step^4."""

    def plain(h):
        return np.array([(function(at + h * e) - function(at - h * e)) / (2.0 * h) for e in np.eye(at.size)])

    return (4.0 * plain(step / 2.0) - plain(step)) / 3.0


def maximum(function, start):
    """By finite differences of the function alone."""
    at = np.array(start, dtype=float)
    for _ in range(50):
        slope = gradient(function, at, 1e-3)
        step = np.linalg.solve(-gradient(lambda b: gradient(function, b, 1e-3), at, 1e-3), slope)
        at = at + step
        if np.abs(step).max() < 1e-9:
            return at
    raise AssertionError("the reference did not come to rest")


# --- closed forms and other people's numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("table", [(10, 4, 3, 8), (5, 0, 2, 7), (6, 0, 0, 6)])
def test_two_by_two_tables_add_a_half_to_every_cell(table):
    a, b, c, d = table
    design = bl.Design.from_arrays(np.array([[1.0], [0.0]]), [a, c], trials=[a + b, c + d])
    fit = bl.fit(design, prior=bl.Jeffreys(), tol=1e-10)
    want = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    assert fit.params["x1"] == pytest.approx(want, abs=1e-9)
    assert fit.params["Intercept"] == pytest.approx(np.log((c + 0.5) / (d + 0.5)), abs=1e-9)


@pytest.mark.parametrize("y", [0, 3, 11])
def test_intercept_alone_adds_a_half_to_both_counts(y):
    n = 11
    fit = bl.fit(bl.Design.from_arrays(np.empty((n, 0)), np.arange(n) < y), prior=bl.Jeffreys(), tol=1e-10)
    assert fit.params["Intercept"] == pytest.approx(np.log((y + 0.5) / (n - y + 0.5)), abs=1e-10)
    # 0.5 log w has the curvature w, and the likelihood n w.
    mu = (y + 0.5) / (n + 1.0)
    assert fit.bse["Intercept"] == pytest.approx(((n + 1.0) * mu * (1.0 - mu)) ** -0.5, rel=1e-9)
    assert fit.cov_params("likelihood").iloc[0, 0] == pytest.approx(1.0 / (n * mu * (1.0 - mu)), rel=1e-9)


@pytest.mark.parametrize("name", GOLDEN)
def test_coefficients_and_errors_are_those_of_brglm2(name):
    fit = bl.fit(golden_design(name), prior=bl.Jeffreys(), tol=1e-10)
    assert fit.converged and fit.mode.decrement <= 1e-8
    np.testing.assert_allclose(fit.params, GOLDEN[name]["coef"], rtol=0.0, atol=ROUNDED.get(name, 1e-11))
    theirs = np.sqrt(np.diag(fit.cov_params("likelihood")))
    np.testing.assert_allclose(theirs, GOLDEN[name]["se"], rtol=ROUNDED.get(name, 1e-11))


ENDOMETRIAL = """
suppressMessages(library(brglm2)); data(endometrial)
fit <- glm(HG ~ NV + PI + EH, binomial(), endometrial, method = "brglmFit",
           control = brglmControl(type = "AS_mean", epsilon = 1e-13, maxit = 100000))
write.csv(endometrial, "endometrial.csv", row.names = FALSE)
cat(sprintf("%.17g", c(coef(fit), sqrt(diag(vcov(fit))))), "\\n")
"""


@pytest.mark.prove
def test_the_endometrial_data_match_brglm2(tmp_path):
    """They come with brglm2 (GPL), so they are not ours to hand on: R writes them here and fits them."""
    assert shutil.which("Rscript"), "needs R with brglm2 (Debian: r-base-core, r-cran-brglm2)"
    run = ["Rscript", "-e", ENDOMETRIAL]
    out = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    coef, se = np.array(out.split(), dtype=float).reshape(2, 4)
    fit = bl.fit("HG ~ NV + PI + EH", tmp_path / "endometrial.csv", prior=bl.Jeffreys())
    np.testing.assert_allclose(fit.params, coef, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov_params("likelihood"))), se, rtol=1e-6)
    with pytest.warns(bl.FitWarning, match="quasi-completely separated by NV"):
        flat = bl.fit("HG ~ NV + PI + EH", tmp_path / "endometrial.csv", prior=None)
    assert flat.conf_int(kind="profile").loc["NV", "upper"] == np.inf


# --- the log density and its derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [False, True])
def test_log_density_score_and_information_are_those_of_the_formula(counts, rng):
    design, data = small(counts=counts)
    target = LogPosterior(design, bl.Jeffreys().resolve(design))
    for _ in range(3):
        beta = rng.normal(0.0, 0.7, 4)
        here = target.coordinates.expansion(target.expand(target.coordinates.gamma(beta)))
        assert here.log_density == pytest.approx(penalised(beta, *data), rel=1e-12)
        slope = target.coordinates.slope(target.slope(target.coordinates.gamma(beta)))
        np.testing.assert_allclose(slope.score, here.score, rtol=1e-9, atol=1e-10)
        scale = np.sqrt(np.diag(information(beta, *data)))
        wrong = (gradient(lambda b: penalised(b, *data), beta) - here.score) / scale
        assert np.abs(wrong).max() < 1e-8
        second = gradient(lambda b: target.coordinates.slope(target.slope(target.coordinates.gamma(b))).score, beta)
        assert np.abs((second + here.information) / np.outer(scale, scale)).max() < 1e-8


def test_derivatives_of_the_variance_have_exact_tails():
    for eta in (-700.0, -40.0, -1.3, 0.0, 0.4, 35.0, 700.0):
        value, first, second = logistic.variance_derivatives(np.array([eta]))
        decay = np.exp(-abs(eta))
        t = -np.sign(eta) * (1.0 - decay) / (1.0 + decay)  # 1 - 2 mu
        assert value[0] == pytest.approx(decay / (1.0 + decay) ** 2, rel=1e-14)
        assert first[0] == pytest.approx(value[0] * t, rel=1e-14, abs=0.0)
        assert second[0] == pytest.approx(value[0] * (1.0 - 6.0 * value[0]), rel=1e-13)
        assert logistic.log_variance(np.array([eta]))[0] == pytest.approx(np.log(value[0]), rel=1e-13)
    assert logistic.log_variance(np.array([-5000.0]))[0] == -5000.0


def test_far_out_the_density_and_score_keep_their_tails():
    X = np.array([[1.0], [2.0], [-1.0], [0.5]])
    design = bl.Design.from_arrays(X, [1, 0, 1, 0], intercept=False)
    target = LogPosterior(design, bl.Jeffreys().resolve(design))
    here = target.expand(np.array([300.0]))
    # Only the row at 0.5 has weight left: 0.5 log w = -75, and its slope is -0.25.
    likelihood = -2.0 * 300.0 - 300.0 - 150.0
    assert here.log_density == pytest.approx(likelihood + 0.5 * np.log(0.25) - 75.0, rel=1e-12)
    assert here.score[0] == pytest.approx(-3.5 - 0.25, rel=1e-12)
    assert target.expand(np.array([4000.0])).log_density == -np.inf


@pytest.mark.parametrize("prior", [bl.Jeffreys(), bl.DiaconisYlvisaker()], ids=["jeffreys", "dy"])
def test_blocks_sparse_storage_and_many_columns_give_the_same_numbers(prior, monkeypatch):
    from scipy.sparse import csr_array

    design, (X, y, m, w, o) = small()
    gamma = np.array([0.2, -0.4, 0.3, 0.1])
    sparse = bl.Design.from_arrays(csr_array(X[:, 1:]), y, trials=m, weights=w, offset=o)
    chunked = replace(design, source=replace(design.source, block_rows=7))
    compiled = replace(design, source=replace(design.source, loops=True))
    want = LogPosterior(design, prior.resolve(design)).expand(gamma)

    def compare(other):
        target = LogPosterior(other, prior.resolve(other))
        got = target.expand(gamma)
        assert got.log_density == pytest.approx(want.log_density, rel=1e-13)
        np.testing.assert_allclose(got.score, want.score, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(got.information, want.information, rtol=1e-11, atol=1e-11)
        mode = find_mode(target, tol=1e-10)
        np.testing.assert_allclose(mode.beta, find_mode(LogPosterior(design, target.prior), tol=1e-10).beta, atol=1e-10)

    for other in (sparse, chunked, compiled):
        compare(other)
    monkeypatch.setattr(jeffreys, "_FEW_COLUMNS", 2)
    monkeypatch.setattr(jeffreys, "_TENSOR", 33)  # two columns of the tensor a pass
    for other in (design, sparse, chunked, compiled):
        compare(other)


def test_weights_are_repeated_rows_and_trials_are_expanded_rows():
    _, (X, y, m, w, o) = small()
    fit = bl.fit(bl.Design.from_arrays(X[:, 1:], y, trials=m, weights=w, offset=o), prior=bl.Jeffreys(), tol=1e-10)
    rows, outcome = [], []
    for i in range(len(y)):
        for _ in range(int(w[i])):
            rows += [i] * int(m[i])
            outcome += [1.0] * int(y[i]) + [0.0] * int(m[i] - y[i])
    long = bl.fit(bl.Design.from_arrays(X[rows, 1:], outcome, offset=o[rows]), prior=bl.Jeffreys(), tol=1e-10)
    np.testing.assert_allclose(long.params, fit.params, atol=1e-10)
    np.testing.assert_allclose(long.bse, fit.bse, rtol=1e-9)
    assert long.log_posterior == pytest.approx(fit.log_posterior, rel=1e-12)


def test_repeated_rows_that_are_counted_change_nothing():
    rng = np.random.default_rng(8)
    X = rng.integers(0, 3, (60_000, 3)).astype(float)
    y = (rng.random(60_000) < 1.0 / (1.0 + np.exp(1.0 - X[:, 0]))).astype(float)
    design = bl.Design.from_arrays(np.repeat(X, 6, axis=1), y)  # enough numbers for rows to be counted
    thin = bl.Design.from_arrays(X, y)
    resolved = bl.Jeffreys().resolve(thin)
    short = replace(thin, source=replace(thin.source, loops=True)).condensed
    assert design.condensed is not design and short.source.n_rows == 27
    few, all_rows = (find_mode(LogPosterior(each, resolved), tol=1e-10) for each in (short, thin))
    np.testing.assert_allclose(few.beta, all_rows.beta, atol=1e-10)
    np.testing.assert_allclose(few.expansion.information, all_rows.expansion.information, rtol=1e-8)


def test_linear_maps_of_the_columns_map_the_estimate():
    _, (X, y, *_) = small(counts=False)
    A = np.array([[2.0, 0.5, 0.0], [0.0, 1.5, -1.0], [0.3, 0.0, 4.0]])
    first = bl.fit(bl.Design.from_arrays(X[:, 1:], y), prior=bl.Jeffreys(), tol=1e-11)
    second = bl.fit(bl.Design.from_arrays(X[:, 1:] @ A - 7.0, y), prior=bl.Jeffreys(), tol=1e-11)
    np.testing.assert_allclose(A @ second.params[1:], first.params[1:], atol=1e-10)
    whole = first.cov_params().to_numpy()[1:, 1:]
    np.testing.assert_allclose(A @ second.cov_params().to_numpy()[1:, 1:] @ A.T, whole, rtol=1e-9, atol=1e-12)
    gap = second.log_posterior - first.log_posterior
    assert gap == pytest.approx(np.log(abs(np.linalg.det(A))), abs=1e-10)


def test_swapped_labels_change_signs():
    design, (X, y, m, w, o) = small()
    swapped = bl.Design.from_arrays(X[:, 1:], m - y, trials=m, weights=w, offset=-o)
    fits = [bl.fit(each, prior=bl.Jeffreys(), tol=1e-10) for each in (design, swapped)]
    np.testing.assert_allclose(fits[0].params, -fits[1].params, atol=1e-10)
    np.testing.assert_allclose(fits[0].bse, fits[1].bse, rtol=1e-9)


def test_several_points_at_once_are_as_each_alone(rng):
    design, data = small()
    target = LogPosterior(design, bl.Jeffreys().resolve(design))
    betas = rng.normal(0.0, 1.0, (7, 4))
    points = np.array([target.coordinates.gamma(beta) for beta in betas])
    want = [0.5 * np.linalg.slogdet(information(beta, *data))[1] for beta in betas]
    np.testing.assert_allclose(target.whole_log_densities(points), want, rtol=1e-12)
    assert target.whole_log_density(points[0]) == pytest.approx(want[0], rel=1e-12)
    flat = LogPosterior(design, bl.Flat().resolve(design))
    assert flat.whole_log_density(points[0]) == 0.0 and not np.any(flat.whole_log_densities(points))


# --- the search ------------------------------------------------------------------------------------------------------


def test_separated_data_have_finite_estimates_and_no_warning():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 3))
    design = bl.Design.from_arrays(X, X[:, 0] > 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for prior in (bl.Jeffreys(), bl.DiaconisYlvisaker()):
            fit = bl.fit(design, prior=prior)
            assert fit.converged and np.all(np.isfinite(fit.bse)) and fit.params["x1"] > 0.0
        one_class = bl.fit(bl.Design.from_arrays(X, np.ones(60)), prior=bl.Jeffreys())
    assert one_class.converged
    assert one_class.params["Intercept"] > 0.0


@pytest.mark.parametrize("n", [6, 9, 15])
def test_as_many_columns_as_rows_nearly(n):
    rng = np.random.default_rng(n)
    X, y = rng.standard_normal((n, 4)), rng.integers(0, 2, n).astype(float)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Jeffreys(), tol=1e-9)
    data = (np.column_stack([np.ones(n), X]), y, np.ones(n), np.ones(n), np.zeros(n))
    slope = gradient(lambda b: penalised(b, *data), fit.params.to_numpy(), 1e-3)
    assert fit.converged and np.abs(slope * fit.bse).max() < 1e-6


def test_random_small_designs_all_come_to_rest():
    """Units over six decades, separation, counts, and offsets that the outcome contradicts."""
    rng = np.random.default_rng(7)
    worst = 0.0
    for number in range(250):
        p = int(rng.integers(0, 6))
        n = int(rng.integers(p + 4, 50))
        X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-3, 3, p) + (
            rng.normal(0, 100, p) if number % 5 == 0 else 0
        )
        m = rng.integers(1, 4, n).astype(float)
        score = X @ (rng.standard_normal(p) / X.std(axis=0)) if p else np.zeros(n)
        chance = 1.0 / (1.0 + np.exp(-(rng.uniform(0, 8) * (score - score.mean()) + rng.normal(0, 2)).clip(-300, 300)))
        y = rng.binomial(m.astype(int), chance).astype(float)
        offset = rng.normal(0.0, 8.0, n) if number % 4 == 0 else None
        fit = bl.fit(bl.Design.from_arrays(X, y, trials=m, offset=offset), prior=bl.Jeffreys())
        assert fit.converged and np.isfinite(fit.bse).all(), number
        worst = max(worst, fit.mode.decrement)
    assert worst <= 1e-8


def test_columns_that_the_data_cannot_tell_apart_are_named():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    y = rng.integers(0, 2, 30)
    double = bl.Design.from_arrays(np.column_stack([X, X[:, 0] + X[:, 1]]), y)
    for prior in (bl.Jeffreys(), bl.priors(bl.Jeffreys(), terms={"x3": bl.Normal(1)})):
        with pytest.warns(bl.FitWarning, match=r"x3 = 1 x x1 \+ 1 x x2"):
            fit = bl.fit(double, prior=prior)
        assert fit.status == "not positive definite" and fit.params.isna().all()
    for k in (4, 3000):
        wide = bl.Design.from_arrays(rng.standard_normal((3, k)), [0, 1, 1])
        with pytest.warns(bl.FitWarning, match=f"what the data say of all {k + 1} columns, and there are 3 rows"):
            fit = bl.fit(wide, prior=bl.priors(bl.Jeffreys(), terms={"x1": bl.Normal(1)}))
        assert fit.status == "not positive definite" and np.isfinite(fit.log_likelihood)


def test_a_search_that_is_cut_short_says_so_and_keeps_its_iterate():
    with pytest.warns(bl.FitWarning, match="stopped after 2 Firth steps"):
        fit = bl.fit(golden_design(SEPARATED), prior=bl.Jeffreys(), max_iter=2)
    assert fit.status == "iteration limit" and np.isfinite(fit.params).all() and fit.bse.isna().all()


def test_columns_of_any_unit_and_far_from_zero():
    rng = np.random.default_rng(2)
    Z = rng.standard_normal((80, 3))
    y = (rng.random(80) < 1.0 / (1.0 + np.exp(-Z[:, 0]))).astype(float)
    scale, shift = np.array([1e-6, 1.0, 1e7]), np.array([0.0, 2000.0, 0.0])
    plain = bl.fit(bl.Design.from_arrays(Z, y), prior=bl.Jeffreys(), tol=1e-10)
    odd = bl.fit(bl.Design.from_arrays(Z * scale + shift, y), prior=bl.Jeffreys(), tol=1e-10)
    np.testing.assert_allclose(odd.params[1:] * scale, plain.params[1:], rtol=1e-7)
    np.testing.assert_allclose(odd.bse[1:] * scale, plain.bse[1:], rtol=1e-7)


def test_gradient_steps_arrive_where_newtons_do(monkeypatch):
    rng = np.random.default_rng(6)
    X = rng.standard_normal((400, 12))
    design = bl.Design.from_arrays(X, rng.random(400) < 1.0 / (1.0 + np.exp(-2.0 * X[:, 0])))
    prior = bl.priors(bl.Jeffreys(), terms={"x2": bl.Normal(0.5), "x3": bl.StudentT(4, 1)})
    target = LogPosterior(design, prior.resolve(design))
    direct = find_mode(target, tol=1e-9)
    monkeypatch.setattr(solve, "third_derivatives_are_cheap", lambda target: False)
    saving = find_mode(target, tol=1e-9)
    alone = find_mode(target, tol=1e-7, covariance=False)
    assert {m.road for m in (direct, saving, alone)} == {Road.FIRTH}
    assert all(m.converged for m in (direct, saving, alone))
    assert any("gradient" in line.step for line in saving.trace)
    sd = np.sqrt(np.diag(np.linalg.inv(direct.expansion.information)))
    assert np.abs((saving.beta - direct.beta) / sd).max() < 2e-9
    assert np.abs((alone.beta - direct.beta) / sd).max() < 2e-7
    np.testing.assert_allclose(saving.information, direct.information, rtol=1e-7, atol=1e-9)
    assert saving.whole.log_density == pytest.approx(direct.whole.log_density, rel=1e-10)
    assert alone.information is None and alone.whole.information is None
    assert alone.whole.log_density == pytest.approx(direct.whole.log_density, rel=1e-8)


def test_a_start_where_nothing_is_known_is_left_behind():
    """At offsets of 900 the weights of the null model underflow; the conjugate mode is a start from which to go on."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 2)), rng.integers(0, 2, 30).astype(float)
    offset = np.where(y > 0.0, -900.0, 900.0) * rng.uniform(0.5, 1.0, 30)
    fit = bl.fit(bl.Design.from_arrays(X, y, offset=offset), prior=bl.Jeffreys())
    data = (np.column_stack([np.ones(30), X]), y, np.ones(30), np.ones(30), offset)
    slope = gradient(lambda b: penalised(b, *data), fit.params.to_numpy(), 1e-3)
    assert fit.converged and np.abs(slope * fit.bse).max() < 1e-6
    design = golden_design("lbw")
    target = LogPosterior(design, bl.Jeffreys().resolve(design))
    found = find_mode(target, start=np.full(8, 1e6))
    np.testing.assert_allclose(found.beta, GOLDEN["lbw"]["coef"], atol=1e-6)


def test_a_start_near_the_mode_is_taken():
    design = golden_design("pima")
    target = LogPosterior(design, bl.Jeffreys().resolve(design))
    first = find_mode(target, tol=1e-10)
    again = find_mode(target, start=first.beta, tol=1e-10)
    assert len(again.trace) == 1
    np.testing.assert_allclose(again.beta, first.beta, atol=1e-10)


# --- beside other priors ---------------------------------------------------------------------------------------------


def test_mixed_with_proper_priors_it_is_the_mode_of_the_sum():
    design, data = small()
    prior = bl.priors(bl.Jeffreys(), intercept=bl.Normal(0.8, mean=0.2), terms={"x2": bl.StudentT(3, 0.4)})
    fit = bl.fit(design, prior=prior, tol=1e-10)

    def density(b):
        return penalised(b, *data) - (b[0] - 0.2) ** 2 / (2 * 0.8**2) - 2.0 * np.log1p((b[2] / 0.4) ** 2 / 3.0)

    want = maximum(density, np.zeros(4))
    np.testing.assert_allclose(fit.params, want, atol=1e-7)
    second = -gradient(lambda b: gradient(density, b, 1e-3), want, 1e-3)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(np.linalg.inv(second))), rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(log_likelihood(fit.params.to_numpy(), *data), rel=1e-12)
    labels = fit.prior.labels()
    assert labels[1] == "Jeffreys (whole model)"
    assert labels[2] == "student t(3, 0, 0.4), Jeffreys (whole model)"


def test_a_joint_prior_and_the_intercept_at_the_means_go_with_it():
    design, data = small()
    joint = bl.MultivariateNormal(mean=[0.1, -0.2], cov=[[0.5, 0.2], [0.2, 0.3]], columns=("x1", "x3"))
    with pytest.raises(bl.PriorError, match="assigned to"):
        bl.fit(design, prior=bl.priors(bl.Jeffreys(), terms={"x1": joint}))
    resolved = bl.preset("rstanarm").resolve(design)
    target = LogPosterior(design, replace(resolved, whole="jeffreys"))
    mode = find_mode(target, tol=1e-10)
    want = maximum(lambda b: penalised(b, *data) + resolved.log_density(b), np.zeros(4))
    np.testing.assert_allclose(mode.beta, want, atol=1e-7)


def test_it_belongs_to_the_whole_model():
    design, _ = small()
    message = r"Jeffreys\(\) is a prior of the whole model, not of x1: give it as prior=, or as default="
    with pytest.raises(bl.PriorError, match=message):
        bl.fit(design, prior=bl.priors(bl.Normal(1), terms={"x1": bl.Jeffreys()}))
    with pytest.raises(bl.PriorError, match="not of Intercept"):
        bl.fit(design, prior=bl.priors(bl.Normal(1), intercept=bl.DiaconisYlvisaker()))
    with pytest.raises(bl.PriorError, match=r"smooth priors on terms only.*Use DiaconisYlvisaker\(\)"):
        bl.fit(design, prior=bl.priors(bl.Jeffreys(), terms={"x1": bl.Laplace(1)}))
    with pytest.raises(bl.ArgumentError, match="whole model, not a penalty of each coefficient"):
        bl.convert(source="bayeslogit", to="sklearn", design=design, prior=bl.Jeffreys())


@pytest.mark.parametrize("text", ["jeffreys", "dy"])
def test_records_labels_and_text(text):
    design, _ = small()
    prior = parse_prior(text)
    assert prior == {"jeffreys": bl.Jeffreys(), "dy": bl.DiaconisYlvisaker()}[text]
    assert as_prior(repr(prior)[:-2].lower() if text == "jeffreys" else text) == prior
    resolved = bl.priors(prior, terms={"x1": bl.Normal(2)}).resolve(design)
    record = resolved.describe()
    family = {"jeffreys": "jeffreys", "dy": "diaconis_ylvisaker"}[text]
    assert record[-1] == {"family": family, "columns": list(design.columns), "parameters": {}, "map": None, "where": ""}
    assert [term["family"] for term in record].count(family) == 1
    restored = from_description(resolved.columns, resolved.name, resolved.notes, record)
    assert restored.whole == family and restored.describe() == record
    shown = str(resolved)
    assert "(whole model)" in shown and "normal(0, 2)" in shown
    assert np.isinf(resolved.variance()[0]) and resolved.variance()[1] == 4.0
    assert not resolved.gaussian.any()
    with pytest.raises(bl.PriorError, match="takes 0 number"):
        parse_prior(f"{text}:1")


# --- errors under their names ----------------------------------------------------------------------------------------


def test_each_covariance_is_what_its_name_says():
    design, data = small()
    fit = bl.fit(design, prior=bl.Jeffreys(), tol=1e-10)
    beta, (X, y, m, w, o) = fit.params.to_numpy(), data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        likelihood = fit.cov_params("likelihood").to_numpy()
    H = information(beta, *data)
    np.testing.assert_allclose(likelihood, np.linalg.inv(H), rtol=1e-9, atol=1e-12)
    full = -gradient(lambda b: gradient(lambda c: penalised(c, *data), b, 1e-3), beta, 1e-3)
    V = np.linalg.inv(full)
    np.testing.assert_allclose(fit.cov_params(), V, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(V)), rtol=1e-6)
    V = fit.cov_params().to_numpy()
    np.testing.assert_allclose(fit.cov_params("frequentist"), V @ H @ V, rtol=1e-9, atol=1e-12)
    mu = 1.0 / (1.0 + np.exp(-(X @ beta + o)))
    meat = X.T @ ((w * (y * (1 - mu) ** 2 + (m - y) * mu**2))[:, None] * X)
    np.testing.assert_allclose(fit.cov_params("robust"), V @ meat @ V, rtol=1e-9, atol=1e-12)
    assert fit.effective_parameters == pytest.approx(np.trace(V @ H), rel=1e-9)
    assert np.isnan(fit.log_evidence) and fit.prior_share.isna().all()
    assert fit.log_likelihood == pytest.approx(log_likelihood(beta, *data), rel=1e-12)
    assert fit.log_posterior == pytest.approx(penalised(beta, *data), rel=1e-12)
    assert "brglm2 and logistf report" in str(fit.summary()).replace("\n", " ").replace("  ", " ")
    assert "cov_params('likelihood')" in " ".join(fit.notes)


@pytest.mark.parametrize("text", ["jeffreys", "dy"])
def test_a_saved_fit_says_the_same(text, tmp_path):
    design, _ = small()
    fit = bl.fit(design, prior=bl.priors(parse_prior(text), terms={"x1": bl.Normal(2)}))
    fit.to_json(tmp_path / "fit.json")
    assert fit.mode.whole is not None
    again = bl.load(tmp_path / "fit.json")
    assert again.log_likelihood == fit.log_likelihood and np.isnan(again.log_evidence)
    assert again.prior.whole == fit.prior.whole and again.prior.labels() == fit.prior.labels()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.FitWarning)
        for kind in ("posterior", "frequentist", "likelihood"):
            np.testing.assert_array_equal(again.cov_params(kind), fit.cov_params(kind))
    assert again.effective_parameters == fit.effective_parameters
    assert again.summary().column("prior") == fit.summary().column("prior")
    with pytest.raises(bl.FitError, match=r"profile.*needs the data"):
        again.conf_int(kind="profile")


def test_the_command_line_and_the_report_know_it(tmp_path):
    from typer.testing import CliRunner

    from bayeslogit.cli_app import app

    bl.datasets.load("lbw").to_csv(tmp_path / "lbw.csv", index=False)
    arguments = ["fit", str(tmp_path / "lbw.csv"), "--formula", "low ~ age + smoke", "--prior", "jeffreys"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "Jeffreys (whole model)" in shown.stdout
    fit = bl.fit("low ~ age + smoke", bl.datasets.load("lbw"), prior="dy")
    page = bl.report(fit, path=tmp_path / "fit.md").read_text(encoding="utf-8")
    assert "a prior of the whole model has no known constant" in page


# --- the conjugate prior ---------------------------------------------------------------------------------------------


def pseudo_mode(X, y, m, w, o, extra=lambda b: (np.zeros_like(b), np.zeros((b.size, b.size)))):
    """Newton's method on the pseudo-responses (n y + p/2) / (n + p) of Rigon and Aliverti, from the formula."""
    n, p = float(np.sum(w * m)), X.shape[1]
    share = (n * y / m + p / 2.0) / (n + p)
    weight = w * m * (n + p) / n
    beta = np.zeros(p)
    for _ in range(60):
        mu = 1.0 / (1.0 + np.exp(-(X @ beta + o)))
        slope, bend = extra(beta)
        score = X.T @ (weight * (share - mu)) + slope
        step = np.linalg.solve(X.T @ ((weight * mu * (1 - mu))[:, None] * X) + bend, score)
        beta = beta + step
        if np.abs(step).max() < 1e-13:
            return beta
    raise AssertionError("the reference did not come to rest")


@pytest.mark.parametrize("counts", [False, True])
def test_the_conjugate_mode_is_the_fit_to_pseudo_responses(counts):
    design, data = small(counts=counts)
    fit = bl.fit(design, prior=bl.DiaconisYlvisaker(), tol=1e-11)
    want = pseudo_mode(*data)
    np.testing.assert_allclose(fit.params, want, atol=1e-11)
    n, p, H = design.nobs, 4, information(want, *data)
    np.testing.assert_allclose(fit.cov_params(), np.linalg.inv((1.0 + p / n) * H), rtol=1e-8, atol=1e-12)
    with pytest.warns(bl.FitWarning, match="leaves the prior out"):
        np.testing.assert_allclose(fit.cov_params("likelihood"), np.linalg.inv(H), rtol=1e-8, atol=1e-12)
    X, y, m, w, o = data
    mu = 1.0 / (1.0 + np.exp(-(X @ want + o)))
    V = fit.cov_params().to_numpy()
    meat = X.T @ ((w * (y * (1 - mu) ** 2 + (m - y) * mu**2))[:, None] * X)
    np.testing.assert_allclose(fit.cov_params("robust"), V @ meat @ V, rtol=1e-8, atol=1e-12)
    assert fit.log_likelihood == pytest.approx(log_likelihood(want, *data), rel=1e-12)
    kernel = p / (2.0 * n) * np.sum(w * m * np.log(mu * (1.0 - mu)))
    assert fit.log_posterior - fit.log_likelihood == pytest.approx(kernel, rel=1e-11)
    assert fit.nobs == n and np.isnan(fit.log_evidence)
    assert fit.effective_parameters == pytest.approx(p / (1.0 + p / n), rel=1e-9)
    np.testing.assert_array_equal(fit.augment()["y"], y)  # the rows are the user's, not those with pseudo-counts


def test_the_conjugate_prior_takes_company_and_every_road():
    design, data = small()
    near = bl.fit(design, prior=bl.priors(bl.DiaconisYlvisaker(), terms={"x1": bl.Normal(0.5)}), tol=1e-11)
    one = np.diag([0.0, 1.0, 0.0, 0.0]) / 0.25
    np.testing.assert_allclose(near.params, pseudo_mode(*data, lambda b: (-one @ b, one)), atol=1e-10)
    target = LogPosterior(design, near.prior)
    for road in (Road.ONE_INFORMATION, Road.GRADIENTS, Road.SAMPLE_THEN_NEWTON):
        found = find_mode(target, tol=1e-9, road=road)
        assert found.converged
        np.testing.assert_allclose(found.beta, near.mode.beta, atol=1e-8)
        assert found.whole.log_density == pytest.approx(near.mode.whole.log_density, rel=1e-8)
    kinked = bl.fit(design, prior=bl.priors(bl.DiaconisYlvisaker(), terms={"x2": bl.Laplace(0.02)}), tol=1e-10)
    X, y, m, w, o = data
    assert kinked.params["x2"] == 0.0
    n, p = design.nobs, 4
    mu = 1.0 / (1.0 + np.exp(-(X @ kinked.params.to_numpy() + o)))
    score = X.T @ (w * (y - m * mu) + p / (2.0 * n) * w * m * (1.0 - 2.0 * mu))
    assert np.abs(np.delete(score, 2)).max() < 1e-7 and abs(score[2]) <= 50.0
    assert kinked.log_likelihood == pytest.approx(log_likelihood(kinked.params.to_numpy(), *data), rel=1e-12)


def test_the_conjugate_prior_goes_with_many_kinks():
    rng = np.random.default_rng(1)
    n, k = 120, 320
    X = rng.standard_normal((n, k))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-3.0 * X[:, 0]))).astype(float)
    prior = bl.priors(bl.DiaconisYlvisaker(), terms={f"x{j + 1}": bl.Laplace(0.1) for j in range(k)})
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior, tol=1e-9)
    assert fit.mode.road is Road.WORKING_SETS
    beta, rows = fit.params.to_numpy(), np.column_stack([np.ones(n), X])
    mu = 1.0 / (1.0 + np.exp(-rows @ beta))
    score = rows.T @ (y - mu + (k + 1) / (2.0 * n) * (1.0 - 2.0 * mu))
    held = beta[1:] == 0.0
    assert 0 < np.count_nonzero(~held) < 60
    assert abs(score[0]) < 1e-7 and np.abs(score[1:][held]).max() <= 10.0
    np.testing.assert_allclose(score[1:][~held], 10.0 * np.sign(beta[1:][~held]), rtol=1e-8)
    data = (rows, y, np.ones(n), np.ones(n), np.zeros(n))
    assert fit.log_likelihood == pytest.approx(log_likelihood(beta, *data), rel=1e-11)


def test_the_conjugate_prior_goes_with_more_columns_than_rows():
    rng = np.random.default_rng(5)
    n, k = 20, 60
    X, y = rng.standard_normal((n, k)), rng.integers(0, 2, n).astype(float)
    names = [f"x{j + 1}" for j in range(k)]
    prior = bl.priors(bl.DiaconisYlvisaker(), terms={name: bl.Normal(0.5) for name in names})
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior, tol=1e-9)
    data = (np.column_stack([np.ones(n), X]), y, np.ones(n), np.ones(n), np.zeros(n))
    L = np.diag([0.0, *([4.0] * k)])
    want = pseudo_mode(*data, lambda b: (-L @ b, L))
    np.testing.assert_allclose(fit.params, want, atol=1e-8)
    V = np.linalg.inv((1.0 + (k + 1) / n) * information(want, *data) + L)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(V)), rtol=1e-7)
    assert fit.log_likelihood == pytest.approx(log_likelihood(want, *data), rel=1e-9)
    freq = V @ information(want, *data) @ V
    np.testing.assert_allclose(np.diag(fit.cov_params("frequentist")), np.diag(freq), rtol=1e-6)
