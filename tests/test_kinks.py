"""Priors with kinks and with heavy tails: the optimality condition, the zero set, and agreement with other solvers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.mode import Mode, Road
from bayeslogit.solve import choose_road, find_mode
from bayeslogit.target import LogPosterior

EACH = bl.priors(
    default=bl.Normal(1.0),
    terms={
        "x1": bl.Laplace(0.1),
        "x2": bl.StudentT(4, 1.0),
        "x3": bl.Flat(),
        "x4": bl.Cauchy(0.5),
        "x5": bl.ElasticNet(l1=3.0, l2=1.0),
        "x6": bl.Laplace(0.2, mean=0.5),
    },
)


def simulated(rng: np.random.Generator, n: int, k: int, true: int = 3) -> tuple[Any, Any]:
    X = rng.standard_normal((n, k)) + 0.5 * rng.standard_normal((n, 1))
    beta = np.zeros(k)
    beta[:true] = rng.choice([-1.5, 1.0, 2.0], min(true, k))
    return X, (rng.random(n) < 0.5 * (1 + np.tanh(X @ beta / 2))).astype(float)


def target(X: Any, y: Any, prior: Any, **options: Any) -> LogPosterior:
    design = bl.Design.from_arrays(X, y, **options)
    return LogPosterior(design, prior.resolve(design))


def condition(made: LogPosterior, mode: Mode) -> float:
    """The violation of the optimality condition in sds (at zeros of 1 / root of the curvature), from the formula."""
    rows = np.vstack([block.X.toarray() for block in made.design.source.blocks()])
    (y, m, w) = made.design.outcome_arrays()
    offset = np.concatenate([block.offset for block in made.design.source.blocks()])
    mu = 0.5 * (1 + np.tanh((rows @ mode.beta + offset) / 2))
    score = rows.T @ (w * (y - m * mu))
    curve = np.einsum("ij,i,ij->j", rows, w * m * mu * (1 - mu), rows)
    rate, center = np.zeros(mode.beta.size), np.zeros(mode.beta.size)
    for term in made.prior.terms:
        index, p = list(term.columns), term.parameters
        b = mode.beta[index]
        if term.family == "normal":
            score[index] -= (b - p["mean"]) / p["scale"] ** 2
        elif term.family == "laplace":
            rate[index], center[index] = 1 / p["scale"], p["mean"]
        elif term.family == "elastic_net":
            rate[index], center[index] = p["l1"], p["mean"]
            score[index] -= p["l2"] * (b - p["mean"])
        elif term.family in ("student_t", "cauchy"):
            df = p.get("df", np.ones(b.size))
            z = (b - p["mean"]) / p["scale"]
            score[index] -= (df + 1) * z / (p["scale"] * (df + z**2))
    away = mode.beta - center
    at_kink = np.maximum(np.abs(score) - rate, 0.0)
    left = np.where((away != 0) | (rate == 0), np.abs(score - rate * np.sign(away)), at_kink)
    return float(np.max(left / np.sqrt(curve)))


# --- densities ---------------------------------------------------------------------------------------------------

PARAMETERS = {
    "laplace": [{"mean": 0.3, "scale": 0.7}, {"mean": 0.0, "scale": 1e-3}],
    "elastic_net": [
        {"mean": 0.2, "l1": l1, "l2": l2}
        for l1, l2 in [(1.0, 1.0), (0.0, 2.0), (3.0, 0.0), (59.0, 1.0), (61.0, 1.0), (1e4, 1e-4)]
    ],
    "student_t": [{"df": df, "mean": -0.4, "scale": 1.7} for df in (2.5, 4.0, 30.0)],
}


@pytest.mark.parametrize(("family", "values"), [(f, v) for f, each in PARAMETERS.items() for v in each])
def test_a_density_integrates_to_one_and_has_its_variance(family, values):
    density, p = DENSITIES[family], {key: np.array([value]) for key, value in values.items()}
    sd = float(np.sqrt(density.variance(**p)[0]))

    def mass(x: float) -> float:
        return float(np.exp(density.log_density(np.array([values["mean"] + x * sd]), **p))) * sd

    far = 4000.0 if family == "student_t" else 40.0
    pieces = [0.0, 1.0, 6.0, 40.0, far] if family == "student_t" else [0.0, 0.5, 3.0, 10.0, far]
    parts = [
        [quad(f, a, b, epsabs=0)[0] for f in (mass, lambda x: x * x * mass(x))] for a, b in itertools.pairwise(pieces)
    ]
    total, second = 2 * np.sum(parts, axis=0)
    assert total == pytest.approx(1.0, rel=1e-6)
    if values.get("df", 30) > 3:
        assert second == pytest.approx(1.0, rel=2e-3 if family == "student_t" else 1e-7)


def test_student_t_is_scipys_and_cauchy_is_one_degree_of_freedom(rng):
    u = rng.standard_normal(6) * 5
    p = {"mean": np.full(6, 0.2), "scale": np.full(6, 1.3)}
    for df in (1.0, 3.0):
        ours = DENSITIES["student_t"].log_density(u, df=np.full(6, df), **p)
        assert ours == pytest.approx(student.logpdf(u, df, 0.2, 1.3).sum(), rel=1e-13)
    for part in ("score", "information", "majorant"):
        one = getattr(DENSITIES["cauchy"], part)(u, **p)
        np.testing.assert_allclose(one, getattr(DENSITIES["student_t"], part)(u, df=np.ones(6), **p))
    assert np.isinf(DENSITIES["cauchy"].variance(**p)).all()


@pytest.mark.parametrize("family", ["student_t", "cauchy", "elastic_net"])
def test_derivatives_and_majorant(family, rng):
    u, e = rng.standard_normal(8) * 3, 1e-5
    p = {"mean": np.full(8, 0.1), "scale": np.full(8, 0.9), "df": np.full(8, 3.0), "l1": np.full(8, 2.0)}
    p["l2"] = np.full(8, 0.7)
    wanted = {"student_t": ("df", "mean", "scale"), "cauchy": ("mean", "scale"), "elastic_net": ("mean", "l1", "l2")}
    p = {key: p[key] for key in wanted[family]}
    d = DENSITIES[family]

    def smooth(x: Any) -> float:
        kink = 0.0 if d.kink is None else float(d.kink(**p)[1] @ np.abs(x - p["mean"]))
        return d.log_density(x, **p) + kink

    unit = np.eye(8) * e
    np.testing.assert_allclose([(smooth(u + s) - smooth(u - s)) / (2 * e) for s in unit], d.score(u, **p), atol=1e-8)
    np.testing.assert_allclose((d.score(u - e, **p) - d.score(u + e, **p)) / (2 * e), d.information(u, **p), atol=1e-8)
    if d.majorant is not None:
        for x in rng.standard_normal((50, 8)) * 10:
            touching = smooth(u) + d.score(u, **p) @ (x - u) - 0.5 * d.majorant(u, **p) @ (x - u) ** 2
            assert smooth(x) >= touching - 1e-9


# --- the optimality condition ------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(30, 300),
    k=st.integers(6, 20),
    scale=st.floats(0.01, 3.0),
    kind=st.sampled_from(["laplace", "elastic net", "each", "laplace on all", "t"]),
    sparse=st.booleans(),
)
def test_the_optimality_condition_holds(seed, n, k, scale, kind, sparse):
    rng = np.random.default_rng(seed)
    X, y = simulated(rng, n, k)
    y[:2] = [0.0, 1.0]
    prior = {
        "laplace": bl.Laplace(scale),
        "elastic net": bl.ElasticNet(l1=1 / scale, l2=0.5),
        "each": bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(3.0), terms={**EACH.terms, "x3": bl.Normal(2.0)}),
        "laplace on all": bl.priors(default=bl.Laplace(scale), intercept=bl.Laplace(1.0)),
        "t": bl.priors(default=bl.StudentT(3, scale), intercept=bl.Cauchy(5.0)),
    }[kind]
    made = target(sp.csr_array(X * (abs(X) > 0.8)) if sparse else X, y, prior, offset=rng.standard_normal(n) / 2)
    mode = find_mode(made)
    assert mode.converged, mode.message
    assert condition(made, mode) < 1e-8


def test_a_mixture_of_every_family_by_term(rng):
    X, y = simulated(rng, 120, 9)
    made = target(X, y, EACH)
    mode = find_mode(made)
    assert mode.converged and mode.road is Road.PROXIMAL and condition(made, mode) < 1e-8


# (At a scale where every coefficient is zero saga stops before its intercept has arrived.)
@pytest.mark.parametrize(("n", "p", "scale"), [(400, 8, 0.03), (400, 8, 0.3), (60, 120, 0.15), (60, 120, 0.4)])
def test_laplace_is_scikit_learns_l1_with_the_same_zeros(n, p, scale, rng):
    from sklearn.linear_model import LogisticRegression

    X, y = simulated(rng, n, p)
    other = LogisticRegression(l1_ratio=1, C=scale, solver="saga", tol=1e-9, max_iter=100_000).fit(X, y)
    theirs = np.concatenate([other.intercept_, other.coef_[0]])
    made = target(X, y, bl.Laplace(scale))
    mode = find_mode(made)
    np.testing.assert_allclose(mode.beta, theirs, atol=1e-6)
    assert ((mode.beta == 0) == (theirs == 0)).all() and condition(made, mode) < 1e-8


def test_elastic_net_limits_are_laplace_and_normal(rng):
    X, y = simulated(rng, 80, 5)
    for one, two in [
        (bl.ElasticNet(l1=4.0, l2=0.0), bl.Laplace(0.25)),
        (bl.ElasticNet(l1=0.0, l2=4.0), bl.Normal(0.5)),
        (bl.StudentT(1, 0.8), bl.Cauchy(0.8)),
        (bl.StudentT(1e9, 0.8), bl.Normal(0.8)),
    ]:
        a, b = (find_mode(target(X, y, prior)) for prior in (one, two))
        np.testing.assert_allclose(a.beta, b.beta, atol=1e-7)
        assert a.log_density == pytest.approx(b.log_density, rel=1e-6)


@pytest.mark.parametrize("prior", [bl.StudentT(3, 0.4), bl.Cauchy(0.2)])
def test_heavy_tails_agree_with_a_general_optimiser_from_many_starts(prior, rng):
    X, y = simulated(rng, 40, 4)
    made = target(X, y, prior)
    mode = find_mode(made)

    def minus(gamma: Any) -> Any:
        slope = made.slope(gamma)
        return -slope.log_density, -slope.score

    starts = rng.standard_normal((20, 5)) * 3
    ends = [minimize(minus, start, jac=True, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    best = min(ends, key=lambda end: end.fun)
    assert mode.log_density >= -best.fun - 1e-9
    np.testing.assert_allclose(mode.coordinates.gamma(mode.beta), best.x, atol=1e-5)


@pytest.mark.parametrize("covariates", ["dense", "sparse"])
def test_many_columns_are_solved_on_few(covariates, rng):
    X, y = simulated(rng, 150, 900)
    X = sp.csr_array(X * (abs(X) > 1.0)) if covariates == "sparse" else X
    prior = bl.priors(default=bl.Laplace(0.15), terms={"x7": bl.Normal(1.0), "x9": bl.Laplace(0.2, mean=0.3)})
    made = target(X, y, prior)
    assert choose_road(made) is Road.WORKING_SETS
    few, whole = find_mode(made), find_mode(made, road=Road.PROXIMAL)
    assert few.converged and few.information.shape[0] < 200
    np.testing.assert_allclose(few.beta, whole.beta, atol=1e-7)
    center = made.kinks.center
    assert ((few.beta == center) == (whole.beta == center)).all() and condition(made, few) < 1e-8


# --- what a fit says ---------------------------------------------------------------------------------------------


def test_zeros_have_no_standard_error_and_a_note_says_so(rng, tmp_path):
    X, y = simulated(rng, 100, 8)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Laplace(0.08))
    zero = (fit.params == 0).to_numpy()
    assert 0 < zero.sum() < 8
    assert fit.bse.isna().to_numpy()[zero].all() and fit.bse.notna().to_numpy()[~zero].all()
    assert fit.conf_int().isna().to_numpy()[zero].all()
    assert np.isnan(fit.log_evidence)
    covariance = fit.cov_params().to_numpy()
    assert np.isnan(covariance[zero]).all() and np.isfinite(covariance[np.ix_(~zero, ~zero)]).all()
    assert any("exactly at the kink" in note for note in fit.notes) and "—" in str(fit.summary())
    fit.to_json(tmp_path / "lasso.json")
    again = bl.load(tmp_path / "lasso.json")
    pd.testing.assert_series_equal(again.bse, fit.bse, check_exact=True)
    pd.testing.assert_frame_equal(again.predict(X[:5]), fit.predict(X[:5]), check_exact=True)


def test_without_zeros_the_standard_errors_are_those_of_the_smooth_part(rng):
    X, y = simulated(rng, 400, 3)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Laplace(5.0))
    assert (fit.params != 0).all() and np.isfinite(fit.log_evidence)
    flat = bl.fit(bl.Design.from_arrays(X, y), prior=None)
    np.testing.assert_allclose(fit.bse, flat.bse, rtol=0.05)


def test_separated_flat_columns_are_named_under_a_lasso_too(rng):
    X, y = simulated(rng, 60, 5)
    y = (X[:, 1] > 0).astype(float)
    mode = find_mode(target(X, y, bl.priors(default=bl.Laplace(0.3), terms={"x2": bl.Flat()})))
    assert mode.status == "no finite mode" and "x2 (+)" in mode.message


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bl.Laplace(0), r"Laplace\(scale=0\): scale must be a positive finite number"),
        (lambda: bl.Laplace(1, mean=np.nan), r"Laplace\(mean=nan\): mean must be a finite number"),
        (lambda: bl.Cauchy(-1), r"Cauchy\(scale=-1\): scale must be a positive"),
        (lambda: bl.StudentT(0, 1), r"StudentT\(df=0\): df must be a positive"),
        (lambda: bl.StudentT(3, np.inf), r"StudentT\(scale=inf\): scale must be a positive"),
        (lambda: bl.ElasticNet(l1=-1, l2=1), r"ElasticNet\(l1=-1.0\): a rate is zero or positive"),
        (lambda: bl.ElasticNet(l1=0, l2=0), r"ElasticNet\(l1=0, l2=0\) is no prior at all"),
    ],
)
def test_impossible_parameters_are_refused(make, words):
    with pytest.raises(bl.PriorError, match=words):
        make()


def test_families_print_as_they_are_written():
    shown = [bl.Laplace(0.5), bl.Cauchy(2.5, mean=1), bl.StudentT(3, 2.5), bl.ElasticNet(l1=2, l2=1), bl.Normal(1)]
    assert [repr(each) for each in shown] == [
        "Laplace(0.5)",
        "Cauchy(2.5, mean=1)",
        "StudentT(3, 2.5)",
        "ElasticNet(l1=2, l2=1)",
        "Normal(1)",
    ]


def test_kinks_tell_columns_apart_where_the_rows_have_no_curvature():
    """From means of 0.7 the search starts at log-odds near 200, where the information of the rows is nothing."""
    X = [[-193.582, 2.584, 2.477, -351.115], [-110.412, 2.342, 2.461, -124.794]]
    X += [[-108.686, 2.376, 2.466, 345.853], [116.382, 2.630, 2.494, -288.618]]
    design = bl.Design.from_arrays(X, [0, 0, 1, 0], trials=[3, 1, 1, 3])
    terms = {"x1": bl.Laplace(2.478, mean=0.7), "x2": bl.Laplace(3.467)}
    terms |= {"x3": bl.Laplace(34.1, mean=0.7), "x4": bl.Laplace(2.153)}
    fit = bl.fit(design, prior=bl.priors(terms=terms))
    assert fit.converged
    np.testing.assert_allclose(fit.params, [-12.787, 0.7, 0.0, 0.7, 0.2728], atol=2e-4)


@pytest.mark.parametrize("prior", [bl.Laplace(0.01), bl.ElasticNet(l1=100, l2=1), bl.GroupLaplace(0.001)])
def test_a_fit_of_nothing_but_zeros_says_so(prior, rng, capfd):
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    fit = bl.fit(bl.Design.from_arrays(X, y, intercept=False), prior=prior)
    assert fit.converged and not fit.params.any()
    assert "x1" in str(fit) and fit.tidy()["std_error"].isna().all()
    assert fit.cov_params("robust").isna().all(axis=None)
    assert capfd.readouterr() == ("", "")


def test_one_kink_among_nearly_collinear_columns_is_not_crawled_along(rng):
    X = rng.normal(size=(2000, 1)) + 0.05 * rng.normal(size=(2000, 30))
    y = rng.integers(0, 2, 2000)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.priors(default=bl.Normal(30), terms={"x1": bl.Laplace(1)}))
    assert fit.converged and fit.mode.n_hessians < 20


def test_separated_columns_of_ten_millions_reach_their_kinked_mode():
    """Sweeps that end in units of single coordinates stopped 4e-6 sd short where rows' curvatures differ by 1e10."""
    rng = np.random.default_rng(10064)
    rng.integers(8, 120), rng.integers(1, 9), rng.uniform(size=10)
    rows, _ = rng.standard_normal((33, 8)), rng.random()
    y = (rng.random(33) < 1 / (1 + np.exp(-(rows - rows.mean(axis=0)) @ rng.normal(size=8)))).astype(float)
    y[:2] = [0.0, 1.0]
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(3.0), terms={"x1": bl.Laplace(22.6)})
    made = target(np.round(rows, 2) * 1.669e7, y, prior)
    mode = find_mode(made)
    assert mode.converged and mode.decrement < 1e-7 and condition(made, mode) < 1e-6


@pytest.mark.parametrize("scale", [0.05, 1.0, 3.0])
def test_rows_that_offsets_have_flattened_do_not_stall_the_search(scale):
    # Found by random search: at the start every row is so far out that its curvature has died.
    X = np.array(
        [
            [1.66372399, 0.65914775, -1.64139729, -0.00520326],
            [-0.62346374, 0.14863152, -1.60818778, 0.24177188],
            [0.23538092, 1.57562603, 0.31664502, 0.51054666],
            [-1.49311668, 2.25272912, -1.91564556, 1.10180186],
        ]
    )
    y, trials, weights = np.array([1, 1, 2, 0]), np.array([3, 3, 3, 2]), np.array([1, 1, 2, 2])
    offset = np.array([-36.59208047, -0.06161929, -17.84111577, 15.51743695])
    design = bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset)
    kinked = bl.Laplace(1.0)
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(scale), terms={"x3": kinked, "x4": kinked})
    fit = bl.fit(design, prior=prior)
    assert fit.converged and fit.mode.n_passes < 80
    beta = fit.params.to_numpy()
    Z = np.column_stack([np.ones(4), X])
    left = Z.T @ (weights * (y - trials * expit(Z @ beta + offset)))
    left -= np.array([1 / scale**2, 1.0, 1.0, 0.0, 0.0]) * beta
    free = beta[3:] != 0.0
    left[3:][free] -= np.sign(beta[3:][free])
    assert np.all(np.abs(left[:3]) < 1e-6) and np.all(np.abs(left[3:][free]) < 1e-6)
    assert np.all(np.abs(left[3:]) <= 1.0 + 1e-6)
