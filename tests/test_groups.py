"""Group Laplace priors: the density, the zero set, the optimality condition, and agreement with other solvers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.mode import Mode, Road, Status
from bayeslogit.presets import parse_prior
from bayeslogit.prior_target import Groups, Kinks, PriorTarget
from bayeslogit.resolved import PriorTerm, from_description
from bayeslogit.solve import find_mode
from bayeslogit.subspace import Support
from bayeslogit.target import Coordinates, LogPosterior


def simulated(rng: np.random.Generator, n: int, sizes: list[int], true: int = 2) -> tuple[Any, Any, list[list[str]]]:
    """Columns in groups of the given sizes, of which the first few matter."""
    k = sum(sizes)
    X = rng.standard_normal((n, k)) + 0.4 * rng.standard_normal((n, 1))
    beta = np.zeros(k)
    beta[: sum(sizes[:true])] = rng.choice([-1.0, 0.7, 1.3], sum(sizes[:true]))
    ends = np.cumsum([0, *sizes])
    names = [[f"x{j + 1}" for j in range(a, b)] for a, b in itertools.pairwise(ends)]
    return X, (rng.random(n) < expit(X @ beta - 0.3)).astype(float), names


def pieces(made: LogPosterior, mode: Mode) -> tuple[Any, Any]:
    """Score and information of the likelihood and the smooth families at the mode, from the formulas."""
    rows = np.vstack([block.X.toarray() for block in made.design.source.blocks()])
    y, m, w = made.design.outcome_arrays()
    offset = np.concatenate([block.offset for block in made.design.source.blocks()])
    mu = expit(rows @ mode.beta + offset)
    score, H = rows.T @ (w * (y - m * mu)), (rows.T * (w * m * mu * (1 - mu))) @ rows
    for term in made.prior.terms:
        index, p = list(term.columns), term.parameters
        b = mode.beta[index]
        if term.family == "normal":
            score[index] -= (b - p["mean"]) / p["scale"] ** 2
            H[index, index] += 1 / p["scale"] ** 2
        elif term.family in ("student_t", "cauchy"):
            z, df = (b - p["mean"]) / p["scale"], p.get("df", 1.0)
            score[index] -= (df + 1) * z / (p["scale"] * (df + z**2))
            H[index, index] += (df + 1) * (df - z**2) / (p["scale"] * (df + z**2)) ** 2
    return score, H


def condition(made: LogPosterior, mode: Mode) -> float:
    """The violation of the optimality condition, in sds of each coefficient given the others."""
    score, H = pieces(made, mode)
    left = score.copy()
    for term in made.prior.terms:
        index, p = list(term.columns), term.parameters
        b = mode.beta[index]
        if term.family == "laplace":
            rate, away = 1 / p["scale"], b - p["mean"]
            at = np.sign(score[index]) * np.maximum(np.abs(score[index]) - rate, 0)
            left[index] = np.where(away != 0, score[index] - rate * np.sign(away), at)
        elif term.family == "group_laplace":
            rate, size = 1 / p["scale"][0], np.linalg.norm(b)
            pull = np.linalg.norm(score[index])
            left[index] = score[index] - rate * b / size if size else score[index] * max(1 - rate / pull, 0)
    return float(np.max(np.abs(left) / np.sqrt(np.diag(H))))


def fista(X: Any, y: Any, groups: list[list[int]], rates: list[float], steps: int = 20000) -> Any:
    """Accelerated proximal gradient with restarts, intercept in column 0: an independent answer."""
    lipschitz = 0.25 * np.linalg.norm(X, 2) ** 2
    x = z = np.zeros(X.shape[1])
    t = 1.0
    for _ in range(steps):
        step = z + X.T @ (y - expit(X @ z)) / lipschitz
        new = step.copy()
        for own, rate in zip(groups, rates, strict=True):
            size = np.linalg.norm(step[own])
            new[own] *= max(1 - rate / lipschitz / size, 0.0)
        if (z - new) @ (new - x) > 0:
            t = 1.0
        following = (1 + math.sqrt(1 + 4 * t * t)) / 2
        z, x, t = new + (t - 1) / following * (new - x), new, following
    return x


# --- the density ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 7])
@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_the_density_integrates_to_one_and_has_its_variance(d, scale):
    density, p = DENSITIES["group_laplace"], {"scale": np.full(d, scale)}
    sphere = 2 * math.pi ** (d / 2) / math.gamma(d / 2)

    def shell(r: float) -> float:
        u = np.full(d, r / math.sqrt(d))
        return sphere * r ** (d - 1) * math.exp(float(density.log_density(u, **p)))

    total, second = (quad(lambda r, k=k: r**k * shell(r), 0, 80 * scale, epsabs=0)[0] for k in (0, 2))
    assert total == pytest.approx(1.0, rel=1e-9)
    assert second / d == pytest.approx(float(density.variance(**p)[0]), rel=1e-8)
    assert density.variance(**p) == pytest.approx(np.full(d, scale**2 * (d + 1)))


def test_one_coordinate_is_the_laplace_density(rng):
    for u in rng.standard_normal(5):
        group = DENSITIES["group_laplace"].log_density(np.array([u]), scale=np.array([0.7]))
        plain = DENSITIES["laplace"].log_density(np.array([u]), mean=np.zeros(1), scale=np.array([0.7]))
        assert float(group) == pytest.approx(float(plain), rel=1e-14)
    assert DENSITIES["group_laplace"].label(1, scale=np.full(3, 0.5)) == "group Laplace(0.5) on 3 columns"


def test_the_norm_does_not_overflow():
    u = np.full(4, 1e200)
    assert float(DENSITIES["group_laplace"].log_density(u, scale=np.ones(4))) == pytest.approx(-2e200)


def test_curvature_and_score_of_the_norm_are_its_derivatives(rng):
    D = bl.Design.from_arrays(rng.standard_normal((9, 5)), np.arange(9) % 2)
    prior = bl.GroupLaplace(0.4, groups=[["x1", "x2", "x3"]]).resolve(D)
    made = PriorTarget(prior, Coordinates(None))
    gamma, h = rng.standard_normal(6), 1e-5
    term = prior.terms[1]
    slope = [
        (made.slope(gamma + h * e).log_density - made.slope(gamma - h * e).log_density) / (2 * h) for e in np.eye(6)
    ]
    full = made.score_of(term, gamma) + made.score_of(prior.terms[2], gamma)
    np.testing.assert_allclose(full, slope, atol=1e-8)
    bend = [(made.score_of(term, gamma + h * e) - made.score_of(term, gamma - h * e)) / (2 * h) for e in np.eye(6)]
    np.testing.assert_allclose(made.information(gamma), -np.array(bend), atol=1e-7)
    assert not np.any(made.expand(gamma).information)  # its smooth part has none
    gamma[1:4] = 0.0
    assert not np.any(made.information(gamma)) and not np.any(made.score_of(term, gamma))
    # A quadratic with the majorant's curvature lies below the log density.
    gamma[1:4] = 0.3, -0.2, 0.5
    M = made.information(gamma, majorant=True)
    for _ in range(20):
        step = np.zeros(6)
        step[1:4] = rng.standard_normal(3)
        below = made.slope(gamma).log_density + made.score_of(term, gamma) @ step - 0.5 * step @ M @ step
        assert made.slope(gamma + step).log_density >= below - 1e-12


def test_groups_know_their_members():
    groups = Groups.of([((3, 1), 2.0), ((0, 4, 5), 0.5)])
    kinks = Kinks(np.zeros(6), np.zeros(6), groups)
    assert [own.tolist() for own in groups] == [[3, 1], [0, 4, 5]] and len(groups) == 2 and kinks
    gamma = np.array([0.0, 3.0, 9.0, 4.0, 0.0, 0.0])
    assert groups.lengths(gamma).tolist() == [5.0, 0.0]
    assert kinks.active(gamma).tolist() == [1, 2, 3]
    assert kinks.cost(gamma) == 10.0
    score = np.array([0.3, 1.2, 7.0, 1.6, 0.0, 0.4])
    np.testing.assert_allclose(kinks.violation(gamma, score), [0.0, 0.0, 7.0, 0.0, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(kinks.violation(gamma, 2 * score)[[0, 4, 5]], 0.5 * np.array([0.6, 0.0, 0.8]))
    assert not Kinks(np.zeros(2), np.zeros(2))


# --- which columns are a group -------------------------------------------------------------------------------------


@pytest.fixture
def people(rng) -> pd.DataFrame:
    n = 300
    frame = pd.DataFrame(
        {"age": rng.standard_normal(n), "educ": rng.choice(list("abcd"), n), "job": rng.choice(list("xyz"), n)}
    )
    eta = 0.8 * frame["age"] + frame["educ"].map({"a": 0, "b": 1.2, "c": -0.6, "d": 0.4})
    return frame.assign(y=(rng.random(n) < expit(eta)).astype(int))


def test_every_term_of_a_formula_is_a_group_and_single_columns_are_laplace(people):
    D = bl.Design.from_formula("y ~ age + C(educ) + C(job)", people)
    resolved = bl.GroupLaplace(0.5).resolve(D)
    assert [(term.family, term.columns) for term in resolved.terms] == [
        ("flat", (0,)),
        ("laplace", D.terms["age"]),
        ("group_laplace", D.terms["C(educ)"]),
        ("group_laplace", D.terms["C(job)"]),
    ]
    np.testing.assert_allclose(np.sqrt(resolved.variance())[list(D.terms["C(educ)"])], 0.5 * 2.0)
    weighted = bl.GroupLaplace(0.5, size_weight=True).resolve(D)
    assert [float(term.parameters["scale"][0]) for term in weighted.terms[1:]] == pytest.approx(
        [0.5, 0.5 / math.sqrt(3), 0.5 / math.sqrt(2)]
    )
    one = bl.priors(default=bl.Normal(2.0), terms={"C(educ)": bl.GroupLaplace(0.5)}).resolve(D)
    assert {term.family for term in one.terms} == {"flat", "normal", "group_laplace"}
    kept = bl.priors(terms={"C(educ)": bl.GroupLaplace(0.5), "C(educ)[T.c]": bl.Normal(1.0)}).resolve(D)
    assert next(t for t in kept.terms if t.family == "group_laplace").columns == (2, 4)
    alone = bl.priors(terms={"age": bl.GroupLaplace(0.5)}, intercept=bl.GroupLaplace(2.0)).resolve(D)
    assert alone.labels()[:2] == ("Laplace(0, 2)", "Laplace(0, 0.5)")


def test_groups_of_arrays_are_named(rng):
    X, y, names = simulated(rng, 50, [2, 1, 3])
    D = bl.Design.from_arrays(X, y)
    assert [t.family for t in bl.GroupLaplace(1.0).resolve(D).terms] == ["flat", "laplace"]
    resolved = bl.GroupLaplace(1.0, groups=[names[2], names[0]]).resolve(D)
    assert [(t.family, t.columns) for t in resolved.terms] == [
        ("flat", (0,)),
        ("group_laplace", (1, 2)),
        ("laplace", (3,)),
        ("group_laplace", (4, 5, 6)),
    ]
    assert repr(bl.GroupLaplace(1, groups=names)) == "GroupLaplace(1, groups=3 groups)"


def test_errors_say_what_to_do(people, rng):
    D = bl.Design.from_formula("y ~ age + C(educ)", people)
    with pytest.raises(bl.PriorError, match=r"GroupLaplace\(scale=-1\): scale must be a positive finite number"):
        bl.GroupLaplace(-1)
    with pytest.raises(bl.PriorError, match="size_weight=1"):
        bl.GroupLaplace(1.0, size_weight=1)
    with pytest.raises(bl.PriorError, match="give lists of column names"):
        bl.GroupLaplace(1.0, groups="x1")
    with pytest.raises(bl.PriorError, match="no column stands in two"):
        bl.GroupLaplace(1.0, groups=[["a", "b"], ["b"]])
    with pytest.raises(bl.PriorError, match="names nothing, which the design does not have"):
        bl.GroupLaplace(1.0, groups=[["age", "nothing"]]).resolve(D)
    with pytest.raises(bl.PriorError, match="the intercept is in no group"):
        bl.GroupLaplace(1.0, groups=[["Intercept", "age"]]).resolve(D)
    with pytest.raises(bl.PriorError, match="names its own groups"):
        bl.priors(terms={"age": bl.GroupLaplace(1.0, groups=[["age"]])}).resolve(D)
    with pytest.raises(bl.PriorError, match="cannot be taken apart"):
        bl.priors(default=bl.GroupLaplace(1.0), terms={"C(educ)[T.c]": bl.Normal(1.0)}).resolve(D)


def test_text_and_files(people, tmp_path):
    assert parse_prior("grouplaplace:0.5") == bl.GroupLaplace(0.5)
    fit = bl.fit("y ~ age + C(educ) + C(job)", people, prior="grouplaplace:0.1")
    assert from_description(fit.columns, fit.prior.name, (), fit.prior.describe()).describe() == fit.prior.describe()
    fit.to_json(tmp_path / "fit.json")
    again = bl.load(tmp_path / "fit.json")
    assert again.mode.road is Road.GROUPS
    np.testing.assert_array_equal(again.predict(people)["probability"], fit.predict(people)["probability"])
    np.testing.assert_array_equal(again.bse, fit.bse)


# --- the mode ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.03, 0.08, 0.5])
def test_the_mode_is_that_of_proximal_gradients(rng, scale):
    X, y, names = simulated(rng, 120, [3, 2, 4, 3])
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.GroupLaplace(scale, groups=names), tol=1e-11)
    ends = np.cumsum([1, 3, 2, 4, 3])
    own = [list(range(a, b)) for a, b in itertools.pairwise(ends)]
    wanted = fista(np.column_stack([np.ones(120), X]), y, own, [1 / scale] * 4)
    np.testing.assert_allclose(fit.params, wanted, atol=1e-10)
    assert [np.any(fit.params.to_numpy()[each]) for each in own] == [np.any(wanted[each]) for each in own]
    assert fit.mode.decrement < 1e-8


# Made by adelie 1.1.52, numpy 1.26:
#   X = pima[npreg, age, glu, bp, skin, bmi, ped] / [1, 10, 30, 10, 10, 5, 0.3], y = type == "Yes", n = 532,
#   ad.grpnet(np.asfortranarray(X), ad.glm.binomial(y), groups=np.array([0, 2, 3, 6]), penalty=penalty,
#             lmda_path=[1 / (scale * n)], irls_tol=1e-16, tol=1e-18, max_iters=10**7, irls_max_iters=10**5,
#             early_exit=False); penalty = ones(4), or sqrt([2, 1, 3, 1]) for size_weight
ADELIE = [
    (
        0.1,
        False,
        [-8.27518797602307, 0.12412629, 0.15530276, 0.91810745, -0.01028833, 0.10528466, 0.306172, 0.27969181],
    ),
    (
        0.05,
        False,
        [-7.263029559050839, 0.11795884, 0.11091319, 0.80346899, 0.01864932, 0.10645336, 0.24527173, 0.18914068],
    ),
    (
        0.05,
        True,
        [-6.726350266344645, 0.11245699, 0.08345002, 0.82146875, 0.02693837, 0.08464446, 0.17065333, 0.19594423],
    ),
]


@pytest.mark.parametrize(("scale", "size_weight", "wanted"), ADELIE)
def test_the_mode_is_adelies(pima, scale, size_weight, wanted):
    X = pima[["npreg", "age", "glu", "bp", "skin", "bmi", "ped"]] / [1, 10, 30, 10, 10, 5, 0.3]
    D = bl.Design.from_arrays(X, (pima["type"] == "Yes").to_numpy().astype(float))
    prior = bl.GroupLaplace(scale, size_weight=size_weight, groups=[["npreg", "age"], ["bp", "skin", "bmi"]])
    np.testing.assert_allclose(bl.fit(D, prior=prior).params, wanted, atol=6e-9)


MIXED = {
    "x1": bl.Laplace(0.1),
    "x2": bl.StudentT(4, 1.0),
    "x3": bl.Flat(),
    "C(g)": bl.GroupLaplace(0.15),
    "C(h)": bl.GroupLaplace(0.02),
    "x4": bl.Laplace(0.3, mean=0.5),
}


@pytest.mark.parametrize("n", [60, 400])
def test_families_mixed_by_term_meet_their_condition(rng, n):
    frame = pd.DataFrame(rng.standard_normal((n, 5)), columns=["x1", "x2", "x3", "x4", "x5"])
    frame["g"], frame["h"] = rng.choice(list("abcd"), n), rng.choice(list("uvw"), n)
    eta = frame["x2"] + 0.5 * frame["x4"] + frame["g"].map({"a": 0, "b": 1.5, "c": -1.5, "d": 0.5})
    frame["y"] = (rng.random(n) < expit(eta)).astype(int)
    D = bl.Design.from_formula("y ~ x1 + x2 + x3 + x4 + x5 + C(g) + C(h)", frame)
    for default in (bl.Normal(1.0), bl.Flat()):
        made = LogPosterior(D, bl.priors(default=default, terms=MIXED).resolve(D))
        mode = find_mode(made, tol=1e-11)
        assert mode.converged and mode.road is Road.GROUPS
        assert condition(made, mode) < 1e-8
        b = mode.beta[list(D.terms["C(h)"])]
        assert np.all(b == 0.0) or np.all(b != 0.0)


@pytest.mark.parametrize("shape", [(200, [2, 3, 4]), (30, [5, 5, 5, 5, 5, 5]), (40, [2]), (25, [30])])
@pytest.mark.parametrize("scale", [1e-4, 0.05, 1.0, 30.0])
def test_the_condition_holds_for_every_shape(rng, shape, scale):
    X, y, names = simulated(rng, shape[0], shape[1])
    X = X * 10.0 ** rng.integers(-2, 3, X.shape[1])
    D = bl.Design.from_arrays(X, y, weights=rng.integers(0, 3, y.size), offset=0.2 * rng.standard_normal(y.size))
    made = LogPosterior(D, bl.GroupLaplace(scale, groups=names).resolve(D))
    mode = find_mode(made)
    assert mode.converged and condition(made, mode) < 1e-7


def test_rotating_the_columns_of_a_group_changes_no_fitted_value(rng):
    X, y, names = simulated(rng, 150, [3, 4, 2])
    rotated = X.copy()
    for low, high in ((0, 3), (3, 7)):
        Q, _ = np.linalg.qr(rng.standard_normal((high - low, high - low)))
        rotated[:, low:high] = X[:, low:high] @ Q
    prior = bl.GroupLaplace(0.06, groups=names)
    one, two = (bl.fit(bl.Design.from_arrays(each, y), prior=prior, tol=1e-11) for each in (X, rotated))
    np.testing.assert_allclose(
        one.predict(kind="mode")["probability"], two.predict(kind="mode")["probability"], atol=1e-11
    )
    assert one.log_posterior == pytest.approx(two.log_posterior, rel=1e-13)
    assert one.effective_parameters == pytest.approx(two.effective_parameters, rel=1e-8)


def test_groups_of_one_are_a_laplace_prior(rng):
    X, y, _ = simulated(rng, 100, [2, 3, 3])
    D = bl.Design.from_arrays(X, y)
    laplace = bl.Laplace(0.08).resolve(D)
    single = tuple(PriorTerm("group_laplace", (j,), {"scale": np.full(1, 0.08)}) for j in range(1, 9))
    one = find_mode(LogPosterior(D, laplace), tol=1e-11)
    two = find_mode(LogPosterior(D, replace(laplace, terms=(laplace.terms[0], *single))), tol=1e-11)
    assert two.road is Road.GROUPS and one.road is Road.PROXIMAL
    np.testing.assert_allclose(one.beta, two.beta, atol=1e-10)
    np.testing.assert_array_equal(one.beta == 0.0, two.beta == 0.0)
    assert one.log_density == pytest.approx(two.log_density, rel=1e-12)
    np.testing.assert_allclose(one.information, two.information, rtol=1e-8)


def test_many_groups_run_on_those_that_pull(rng):
    X, y, names = simulated(rng, 150, [4] * 120, true=3)
    D = bl.Design.from_arrays(X, y)
    for scale in (0.2, 0.1):
        made = LogPosterior(D, bl.GroupLaplace(scale, groups=names).resolve(D))
        mode = find_mode(made)
        assert mode.converged and condition(made, mode) < 1e-7
        assert isinstance(mode.subspace, Support) and mode.information is not None
        few = mode.subspace.active.size
        assert 5 <= few < 200 and mode.information.shape == (few, few)
        np.testing.assert_array_equal(np.flatnonzero(mode.beta[1:]) + 1, mode.subspace.active[1:])
        whole = find_mode(made, road=Road.GROUPS, start=mode.beta)
        np.testing.assert_allclose(whole.beta, mode.beta, atol=1e-7)
        assert "groups among them, are exactly at the kink" in mode.notes[0]


def test_working_sets_agree_with_the_whole_design(rng, monkeypatch):
    X, y, names = simulated(rng, 100, [4] * 20, true=2)
    frame = {f"x{j + 1}": X[:, j] for j in range(80)}
    D = bl.Design.from_arrays(pd.DataFrame(frame), y)
    prior = bl.priors(
        default=bl.GroupLaplace(0.12, groups=names[:-2]),
        intercept=bl.Laplace(1.0),
        terms={"x78": bl.Laplace(0.1, mean=0.3), "x79": bl.Normal(1.0), "x80": bl.Laplace(0.05)},
    )
    made = LogPosterior(D, prior.resolve(D))
    whole = find_mode(made, tol=1e-11)
    monkeypatch.setattr("bayeslogit.group_sets._MANY", 10)
    monkeypatch.setattr("bayeslogit.group_sets._FIRST", 3)
    parts = find_mode(made, tol=1e-11)
    assert len(parts.trace) > len(whole.trace)
    np.testing.assert_allclose(parts.beta, whole.beta, atol=1e-9)
    assert condition(made, parts) < 1e-8
    np.testing.assert_array_equal(parts.subspace.active, whole.subspace.active)
    np.testing.assert_allclose(parts.information, whole.information, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(parts.subspace.prior_information, whole.subspace.prior_information, rtol=1e-7, atol=1e-9)


def test_standard_errors_are_those_given_the_zero_set(rng):
    X, y, names = simulated(rng, 200, [3, 2, 4])
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.GroupLaplace(0.05, groups=names), tol=1e-11)
    b, rows = fit.params.to_numpy(), np.column_stack([np.ones(200), X])
    zero = b == 0.0
    assert zero.sum() == 4 and not zero[:6].any()
    mu = expit(rows @ b)
    H = (rows.T * (mu * (1 - mu))) @ rows
    data = H.copy()
    for own in ([1, 2, 3], [4, 5]):
        size = np.linalg.norm(b[own])
        H[np.ix_(own, own)] += (np.eye(len(own)) - np.outer(b[own], b[own]) / size**2) / (0.05 * size)
    V = np.linalg.inv(H[:6, :6])
    np.testing.assert_allclose(fit.bse[:6], np.sqrt(np.diag(V)), rtol=1e-8)
    assert fit.bse[6:].isna().all()
    np.testing.assert_allclose(fit.cov_params("frequentist").to_numpy()[:6, :6], V @ data[:6, :6] @ V, rtol=1e-7)
    assert fit.effective_parameters == pytest.approx(np.trace(V @ data[:6, :6]), rel=1e-8)
    loose = bl.fit(fit.design, prior=bl.GroupLaplace(1.0, groups=names), tol=1e-11)
    assert not np.any(loose.params == 0.0) and np.isfinite(loose.log_evidence)
    np.testing.assert_allclose(loose.cov_params("frequentist"), _frequentist(loose, names), rtol=1e-6)


def _frequentist(fit: bl.Fit, names: list[list[str]]) -> Any:
    rows = np.vstack([block.X.toarray() for block in fit.design.source.blocks()])
    b = fit.params.to_numpy()
    mu = expit(rows @ b)
    data = (rows.T * (mu * (1 - mu))) @ rows
    H = data.copy()
    for group in names:
        own = [fit.columns.index(name) for name in group]
        size = np.linalg.norm(b[own])
        H[np.ix_(own, own)] += (np.eye(len(own)) - np.outer(b[own], b[own]) / size**2) / size
    return np.linalg.solve(H, data) @ np.linalg.inv(H)


@pytest.mark.parametrize("seed", range(6))
def test_equal_columns_in_two_groups_and_units_far_apart(seed):
    """The ridge between two groups with a column in common is nearly level: blocks alone creep along it."""
    rng = np.random.default_rng(seed)
    X, y, names = simulated(rng, 200, [2, 2, 3])
    X = X * 10.0 ** rng.uniform(-2, 2, 7) + 5.0
    X[:, 2] = X[:, 0]
    D = bl.Design.from_arrays(X, y)
    for scale in (0.002, 0.1, 30.0):
        made = LogPosterior(D, bl.GroupLaplace(scale, groups=names).resolve(D))
        mode = find_mode(made)
        assert mode.converged and mode.decrement < 1e-8 and len(mode.trace) < 40
        assert condition(made, mode) < 1e-6


def test_a_start_where_curvature_has_died(rng):
    X, y, names = simulated(rng, 100, [3, 2])
    for prior in (
        bl.GroupLaplace(0.1, groups=names),
        bl.priors(bl.GroupLaplace(0.1, groups=names[:1]), terms={"x4": bl.Cauchy(0.3)}),
    ):
        D = bl.Design.from_arrays(X, y)
        made = LogPosterior(D, prior.resolve(D))
        near, far = find_mode(made), find_mode(made, start=np.array([-400.0, 900.0, -3.0, 700.0, -500.0, 2.0]))
        assert far.converged and condition(made, far) < 1e-7
        assert far.log_density == pytest.approx(near.log_density, abs=1e-8)


def test_flat_columns_that_separate_or_depend_are_reported(rng):
    X, y, _ = simulated(rng, 60, [2, 2])
    apart = np.column_stack([X, y + 0.1 * rng.random(60)])
    prior = bl.priors(default=bl.GroupLaplace(0.1, groups=[["x1", "x2"], ["x3", "x4"]]), terms={"x5": bl.Flat()})
    D = bl.Design.from_arrays(apart, y)
    mode = find_mode(LogPosterior(D, prior.resolve(D)))
    assert mode.status is Status.NO_FINITE_MODE and "x5 (+)" in mode.message
    twice = bl.priors(
        default=bl.GroupLaplace(0.1, groups=[["x1", "x2"], ["x3", "x4"]]), terms={"x5": bl.Flat(), "x6": bl.Flat()}
    )
    D = bl.Design.from_arrays(np.column_stack([X, X[:, 0] ** 2, 2 * X[:, 0] ** 2 + 1]), y)
    mode = find_mode(LogPosterior(D, twice.resolve(D)))
    assert mode.status is Status.NOT_POSITIVE_DEFINITE and "x6 = 2 x x5" in mode.message
    # The same columns in a group are held by the prior, whose kink tells them apart.
    D = bl.Design.from_arrays(np.column_stack([X, X]), y)
    made = LogPosterior(D, bl.GroupLaplace(0.3, groups=[["x1", "x2", "x5"], ["x3", "x4", "x6"]]).resolve(D))
    mode = find_mode(made)
    assert mode.converged and condition(made, mode) < 1e-7


def test_diaconis_ylvisaker_beside_groups(rng):
    X, y, names = simulated(rng, 80, [3, 3, 3])
    D = bl.Design.from_arrays(X, y)
    resolved = replace(bl.GroupLaplace(0.1, groups=names).resolve(D), whole="diaconis_ylvisaker")
    mode = find_mode(LogPosterior(D, resolved), tol=1e-11)
    # The same from pseudo-observations by hand: (y + a) successes in (1 + 2 a) trials, a = p / (2 n).
    a = 10 / (2 * 80)
    rows = np.column_stack([np.ones(80), X])
    own = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    trials = 1 + 2 * a

    def minus(b: Any) -> float:
        eta = rows @ b
        penalty = sum(np.linalg.norm(b[each]) for each in own) / 0.1
        return float(np.sum(trials * np.logaddexp(0, eta) - (y + a) * eta) + penalty)

    for step in rng.standard_normal((20, 10)) * 1e-3:
        assert minus(mode.beta + step) > minus(mode.beta)


# --- group scales, and what Laplace priors mean ----------------------------------------------------------------------


def test_one_normal_scale_a_term_is_a_ridge_penalty_by_group(people):
    """glmnet at alpha = 0, unstandardised: n lambda penalty.factor_j = 1 / scale_j^2, the factors summing to p."""
    prior = bl.priors(terms={"age": bl.Normal(2.0), "C(educ)": bl.Normal(0.5), "C(job)": bl.Normal(0.2)})
    fit = bl.fit("y ~ age + C(educ) + C(job)", people, prior=prior, tol=1e-11)
    rows = np.vstack([block.X.toarray() for block in fit.design.source.blocks()])
    y = people["y"].to_numpy()
    raw = np.array([2.0] + [0.5] * 3 + [0.2] * 2) ** -2.0
    penalty_lambda, factor = raw.mean() / len(y), raw * 6 / raw.sum()

    def objective(b: Any) -> tuple[float, Any]:
        eta = rows @ b
        value = np.mean(np.logaddexp(0, eta) - y * eta) + penalty_lambda / 2 * np.sum(factor * b[1:] ** 2)
        slope = rows.T @ (expit(eta) - y) / len(y)
        slope[1:] += penalty_lambda * factor * b[1:]
        return float(value), slope

    found = minimize(objective, np.zeros(7), jac=True, method="BFGS", options={"gtol": 1e-12})
    np.testing.assert_allclose(fit.params, found.x, atol=1e-7)
    assert np.max(np.abs(objective(fit.params.to_numpy())[1])) < 1e-13


def test_a_laplace_prior_with_a_mean_has_its_kink_there(rng):
    X, y, _ = simulated(rng, 60, [1, 1, 1])
    at = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Laplace(0.02, mean=0.4), tol=1e-11)
    kinked = at.params.to_numpy()[1:] == 0.4
    assert kinked.any() and at.bse[1:][kinked].isna().all()
    # Shifted by an offset it is a Laplace prior at zero.
    offset = 0.4 * X.sum(axis=1)
    zero = bl.fit(bl.Design.from_arrays(X, y, offset=offset), prior=bl.Laplace(0.02), tol=1e-11)
    np.testing.assert_allclose(at.params[1:], zero.params[1:] + 0.4, atol=1e-10)
    assert at.params["Intercept"] == pytest.approx(zero.params["Intercept"], abs=1e-10)


def test_knimes_variance_of_a_laplace_prior(rng):
    """KNIME asks for the variance v of a Laplace prior: its scale is ``sqrt(v / 2)``, the L1 rate ``sqrt(2 / v)``."""
    X, y, _ = simulated(rng, 80, [1, 1, 1])
    v = 0.03
    prior = bl.Laplace(math.sqrt(v / 2))
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior, tol=1e-11)
    assert fit.prior.variance()[1:] == pytest.approx(v)
    wanted = fista(np.column_stack([np.ones(80), X]), y, [[1], [2], [3]], [math.sqrt(2 / v)] * 3)
    np.testing.assert_allclose(fit.params, wanted, atol=1e-10)
