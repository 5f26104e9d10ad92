"""Separation is decided as the user wrote the numbers: the truth comes from whole numbers, in exact arithmetic."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.recession import recession_direction

VIEWS = {
    "whole": lambda X: X * 1.0,
    "tenths": lambda X: X / 10,
    "tenths + 100": lambda X: X / 10 + 100,
    "tenths + 1000": lambda X: X / 10 + 1000,
    "mixed units": lambda X: (X / 10 * [1, 1e-3, 1e4][: X.shape[1]]) + [1000, 0.37, 12345.6][: X.shape[1]],
}


def determinant(M: Any) -> int:
    if len(M) == 0:
        return 1
    return sum((-1) ** j * int(M[0, j]) * determinant(np.delete(M[1:], j, 1)) for j in range(len(M)) if M[0, j])


def is_separated(X: Any, y: Any) -> bool | None:
    """Whether whole numbers are separated; None where the columns cannot be told apart.

    The cone of directions along which no signed row loses is pointed, so it is spanned by its edges, and an edge is
    level on all but one of some linearly independent rows: a vector of minors, in whole numbers.
    """
    rows = np.column_stack([np.ones(len(y), int), X]) * np.where(y == 1, 1, -1)[:, None]
    rows = rows.astype(object)
    k = rows.shape[1]
    if not any(determinant(rows[list(some)]) for some in itertools.combinations(range(len(y)), k)):
        return None
    for some in itertools.combinations(range(len(y)), k - 1):
        edge = np.array([(-1) ** j * determinant(np.delete(rows[list(some)], j, 1)) for j in range(k)], dtype=object)
        gains = rows @ edge
        if any(edge) and (all(gains >= 0) or all(gains <= 0)):
            return True
    return False


def small_data(seed: int) -> tuple[Any, Any]:
    """A few small whole numbers, many of them on the plane that divides the classes, one perhaps on the wrong side."""
    rng = np.random.default_rng(seed)
    n, p, most = int(rng.integers(5, 13)), int(rng.integers(1, 4)), int(rng.choice([2, 4, 10, 30]))
    X = rng.integers(-most, most + 1, (n, p))
    kind = rng.integers(3)
    side = X @ rng.integers(-3, 4, p) - int(rng.integers(-3, 4))
    y = rng.integers(0, 2, n)
    if kind:
        y = np.where(side > 0, 1, np.where(side < 0, 0, y))
    if kind == 2:
        i = rng.integers(n)
        y[i] = 1 - y[i]
    return X, y


def status(X: Any, y: Any) -> str:
    return str(bl.fit(bl.Design.from_arrays(X, y), prior=None).status)


# Those where rounding once decided, and the first hundred.
HARD = (321, 449, 535, 984, 1018, 1173, 1315, 1361, 1540, 1617, 1619, 1712, 2525, 2624, 2977, 3000, 3176, 3207, 3444)


@pytest.mark.filterwarnings("ignore::bayeslogit.FitWarning")
@pytest.mark.parametrize("view", VIEWS)
def test_small_data_in_decimals_are_judged_as_in_whole_numbers(view):
    counts = {True: 0, False: 0}
    for seed in (*range(100), *HARD):
        X, y = small_data(seed)
        truth = is_separated(X, y) if 0 < y.sum() < len(y) else None
        if truth is None:
            continue
        counts[truth] += 1
        assert status(VIEWS[view](X), y) == ("no finite mode" if truth else "converged"), seed
    assert min(counts.values()) > 25


@pytest.mark.filterwarnings("ignore::bayeslogit.FitWarning")
@pytest.mark.parametrize(("digits", "shift"), [(4, 0), (6, 0), (8, 0), (9, 10), (4, 1000), (7, 1000)])
def test_an_overlap_of_the_last_digits_is_not_called_separation(digits, shift):
    # One value is moved by one in its last digit: what was level is now won or lost by more than rounding.
    unit = 10 ** (digits + 1)
    for seed in range(60):
        X, y = small_data(seed)
        rng = np.random.default_rng(seed)
        fine = X * 10**digits
        fine[rng.integers(len(y)), rng.integers(X.shape[1])] += 1
        truth = is_separated(fine, y) if 0 < y.sum() < len(y) else None
        if truth is not None:
            assert (status((fine + shift * unit) / unit, y) == "no finite mode") == truth, seed


def test_quasi_separation_in_ordinary_decimals():
    # 37.1 is not a binary fraction: rows that are level by hand lose by 1e-14, and a fit with an sd of 3e7 "converged".
    x1 = [37.3, 37.1, 37.1, 37.0, 37.1, 37.1, 36.7, 37.1]
    x2 = [120.0, 120.3, 119.9, 120.0, 119.9, 120.1, 120.3, 119.9]
    X, y = np.column_stack([x1, x2]), [1, 1, 0, 1, 0, 1, 0, 0]
    with pytest.warns(bl.FitWarning, match=r"quasi-completely separated by x1 \(\+\), x2 \(\+\)"):
        fit = bl.fit(bl.Design.from_arrays(X, y), prior=None)
    assert fit.status == "no finite mode" and fit.bse.isna().all()
    gains = np.where(y, 1.0, -1.0) * (np.column_stack([np.ones(8), X]) @ fit.mode.recession.direction)
    np.testing.assert_allclose(np.sort(gains)[:5], 0.0, atol=1e-12)
    assert np.sum(gains > 0.1) == 3


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_column_with_a_prior_is_left_out_of_the_direction_in_any_unit(scale):
    # The programme holds a column with a prior to a tolerance: in the column's own unit that was 0.1 at 1e9.
    x = np.arange(-5, 5) + 0.5
    other = scale * np.random.default_rng(3).standard_normal(10)
    made = bl.Design.from_arrays(np.column_stack([other, x]), x > 0)
    prior = bl.priors(default=bl.Normal(2.5 / scale), terms={"x2": bl.Flat()}).resolve(made)
    found = recession_direction(made, prior)
    assert found is not None and found.complete and found.direction[1] == 0.0 < found.direction[2]


@pytest.mark.parametrize(
    ("X", "y", "direction", "complete"),
    [
        ([[1.0], [2.0], [3.0]], [1, 1, 1], 1.0, True),
        ([[1.0], [0.0]], [1, 0], 1.0, False),
        ([[0.0], [0.0]], [1, 0], None, None),
        ([[1.0], [-1.0]], [1, 1], None, None),
    ],
)
def test_one_column_without_an_intercept(X, y, direction, complete):
    made = bl.Design.from_arrays(X, y, intercept=False, trials=np.ones(len(y)))
    found = recession_direction(made, bl.Flat().resolve(made))
    if direction is None:
        assert found is None
    else:
        assert np.sign(found.direction) == direction and found.complete is complete


# --- what a user asks ----------------------------------------------------------------------------------------------


def endometrial_like() -> dict[str, Any]:
    """The pattern of the endometrial data (Heinze and Schemper 2002): all rows of a rare factor are of one class."""
    rng = np.random.default_rng(1)
    n = 79
    nv, pi, eh = (rng.random(n) < 0.17) * 1, rng.integers(0, 50, n), np.round(rng.gamma(4, 0.4, n), 2)
    hg = (rng.random(n) < 1 / (1 + np.exp(-(4 - 2.9 * eh - 0.04 * pi)))) * 1
    hg[nv == 1] = 1
    return {"hg": hg, "nv": nv, "pi": pi, "eh": eh}


def test_a_factor_of_one_class_is_named_and_the_others_are_finite():
    data = endometrial_like()
    found = bl.separation("hg ~ nv + pi + eh", data)
    assert (found.verdict, found.columns, found.alone) == ("quasi-complete", ("nv",), ("nv",))
    assert found.direction == {"nv": 1.0} and found.verified and found.with_prior is None
    np.testing.assert_array_equal(found.touching, np.flatnonzero(data["nv"] == 0))
    assert found.rule == "nv >= 0 wherever there is a success, <= it wherever a failure."
    # The finite estimates are those of the rows that touch (Konis 2007).
    touching = {key: values[found.touching] for key, values in data.items()}
    rest = bl.fit("hg ~ pi + eh", touching, prior=None)
    near = bl.fit("hg ~ nv + pi + eh", data, prior=bl.priors(default=bl.Flat(), terms={"nv": bl.Normal(1e4)}))
    np.testing.assert_allclose(near.params[["pi", "eh"]], rest.params[["pi", "eh"]], rtol=1e-4)


def test_the_table_says_what_runs_off_and_reaches_html():
    found = bl.separation("hg ~ nv + pi + eh", endometrial_like(), prior=bl.Normal(2.5))
    records = {row["term"]: row for row in found.table().records()}
    assert [row["estimate"] for row in records.values()] == ["finite", "infinite", "finite", "finite"]
    assert records["nv"]["mode"] == "finite only because of the prior" and records["eh"]["mode"] == "finite"
    assert "nv separates the outcome alone" in str(found) and "Separation: quasi-complete" in found._repr_html_()
    assert repr(found) == "<Separation: quasi-complete, 79 rows; no finite estimate of nv>"


@pytest.mark.parametrize(
    ("prior", "with_prior", "unbounded"),
    [
        (bl.Flat(), "infinite", ("nv",)),
        (bl.Normal(2.5), "finite only because of the prior", ()),
        (bl.Cauchy(2.5), "finite only because of the prior", ()),
        (bl.Jeffreys(), "finite only because of the prior", ()),
        ("rstanarm", "finite only because of the prior", ()),
        (bl.priors(default=bl.Normal(2.5), terms={"nv": bl.Flat()}), "infinite", ("nv",)),
        (bl.priors(default=bl.Flat(), terms={"nv": bl.Laplace(1.0)}), "finite only because of the prior", ()),
    ],
)
def test_only_flat_directions_make_the_mode_infinite(prior, with_prior, unbounded):
    found = bl.separation("hg ~ nv + pi + eh", endometrial_like(), prior=prior)
    assert (found.with_prior, found.unbounded) == (with_prior, unbounded)


def test_without_separation_every_prior_leaves_a_finite_mode():
    for prior in (bl.Flat(), bl.Normal(2.5), "rstanarm"):
        found = bl.separation("hg ~ pi + eh", endometrial_like(), prior=prior)
        assert (found.verdict, found.how, found.with_prior, found.columns) == ("none", "certificate", "finite", ())


@pytest.mark.parametrize(("shift", "unbounded"), [(0.0, ("x1",)), (2.5, ())])
def test_a_prior_on_the_intercept_holds_a_slope_whose_plane_is_not_at_zero(shift, unbounded):
    made = bl.Design.from_arrays(np.array([[-1.5], [-0.5], [0.5], [1.5]]) + shift, [0, 0, 1, 1])
    found = bl.separation(made, prior=bl.priors(default=bl.Flat(), intercept=bl.Normal(2.5)))
    assert found.verdict == "complete" and found.columns == ("Intercept", "x1") and found.unbounded == unbounded


def test_levels_of_a_factor_by_name_and_rows_by_their_place_in_the_data():
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b", "c"], 20)
    y = np.where(group == "b", 1, rng.integers(0, 2, 60)).astype(float)
    y[[3, 50]] = np.nan
    x = rng.standard_normal(60)
    found = bl.separation("y ~ x + group", {"y": y, "x": x, "group": group}, missing="drop")
    assert found.verdict == "quasi-complete" and found.columns == ("group[T.b]",)
    np.testing.assert_array_equal(found.touching, np.flatnonzero((group != "b") & np.isfinite(y)))


def test_offsets_change_nothing_and_weights_of_zero_are_not_there():
    x, y = np.array([1.0, 2, 3, 4, 5, 6]), np.array([0, 0, 1, 0, 1, 1])
    design = bl.Design.from_arrays(x[:, None], y, offset=[30.0, -30, 10, -100, 5, 0])
    assert bl.separation(design).verdict == "none"
    weights = np.array([1, 1, 0, 1, 1, 1])
    assert bl.separation(bl.Design.from_arrays(x[:, None], y, weights=weights)).verdict == "complete"
    tiny = np.where(weights, 1.0, 1e-300)
    assert bl.separation(bl.Design.from_arrays(x[:, None], y, weights=tiny)).verdict == "none"


def test_more_columns_than_rows_and_repeated_columns():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((20, 90)), rng.integers(0, 2, 20)
    found = bl.separation(bl.Design.from_arrays(X, y))
    assert found.verdict == "complete" and len(found.columns) == 20 and len(found.left_out) == 71
    repeated = np.column_stack([X[:, :3], X[:, 1], X[:, 0] + X[:, 2]])
    twice = np.concatenate([repeated, repeated]), np.concatenate([np.zeros(20), np.ones(20)])
    found = bl.separation(bl.Design.from_arrays(*twice))
    assert found.verdict == "none" and found.left_out == ("x4", "x5") and found.columns == ()


def test_errors_name_the_call():
    with pytest.raises(bl.ArgumentError, match=r"separation\(ndarray, ...\).*bayeslogit\.separation\("):
        bl.separation(np.eye(3))


# --- the note of a fit ---------------------------------------------------------------------------------------------

HELD = "finite only because of the prior"


@pytest.mark.parametrize(
    "prior", ["rstanarm", bl.Normal(0.1), bl.Laplace(0.5), bl.Jeffreys(), bl.DiaconisYlvisaker(), bl.StudentT(5, 2.5)]
)
def test_a_fit_says_that_the_prior_alone_holds_an_estimate(prior):
    data = endometrial_like()
    notes = [note for note in bl.fit("hg ~ nv + pi + eh", data, prior=prior).notes if HELD in note]
    assert len(notes) == 1 and notes[0].startswith("The outcome is quasi-completely separated by nv (+): the estimate")
    assert not any(HELD in note for note in bl.fit("hg ~ pi + eh", data, prior=prior).notes)


def test_the_note_reaches_the_summary_and_a_saved_fit(tmp_path):
    fit = bl.fit("hg ~ nv + pi + eh", endometrial_like())
    assert HELD in " ".join(str(fit.summary()).split())
    fit.to_json(tmp_path / "fit.json")
    assert any(HELD in note for note in bl.load(tmp_path / "fit.json").notes)


def test_the_note_for_one_class_and_for_more_columns_than_rows():
    X = np.random.default_rng(6).standard_normal((12, 40))
    one = bl.fit(bl.Design.from_arrays(X[:, :1], np.ones(12), event=1))
    assert any(note.startswith("Every observation is a success: every estimate is finite only") for note in one.notes)
    for prior in (bl.Normal(1.0), bl.Laplace(0.2)):
        wide = bl.fit(bl.Design.from_arrays(X, np.arange(12) % 2), prior=prior)
        assert any("as every outcome is with as many independent columns as rows" in note for note in wide.notes)


FAMILIES = {
    "normal": bl.Normal,
    "laplace": bl.Laplace,
    "elastic net": lambda scale: bl.ElasticNet(l1=1 / scale, l2=1 / scale**2),
    "student t": lambda scale: bl.StudentT(4, scale),
    "group": bl.GroupLaplace,
    "joint": lambda scale: bl.MultivariateNormal(mean=[0.0], cov=[[scale**2]], columns=["x1"]),
}


@pytest.mark.parametrize("scale", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_note_is_there_if_and_only_if_the_data_are_separated(family, scale):
    # The certificate from the numbers of a fit may leave it open, and must never be wrong.
    seen = set()
    for seed in range(40):
        X, y = small_data(seed)
        truth = is_separated(X, y) if 0 < y.sum() < len(y) else None
        if truth is None or (family == "joint" and X.shape[1] > 1):
            continue
        seen.add(truth)
        prior = FAMILIES[family](scale)
        prior = bl.priors(default=bl.Normal(scale), terms={"x1": prior}) if family == "group" else prior
        fit = bl.fit(bl.Design.from_arrays(X * 1.0, y), prior=prior)
        assert fit.converged and any(HELD in note for note in fit.notes) == truth, seed
    assert seen == {True, False}


# --- large data ----------------------------------------------------------------------------------------------------


def large(kind: str, n: int, p: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((n, p))
    eta = X @ rng.standard_normal(p)
    y = (rng.random(n) < 1 / (1 + np.exp(-eta))) * 1.0
    if kind == "quasi-complete":
        X[:, -1] = rng.random(n) < 0.003
        y[X[:, -1] == 1] = 1
    if kind in ("complete", "nearly"):
        y = (eta > 0) * 1.0
    if kind == "nearly":  # three rows far from the plane are on the wrong side of it
        i = np.argsort(np.abs(eta))[n // 2 : n // 2 + 3]
        y[i] = 1 - y[i]
    if kind == "rare":  # a level of few rows, with both classes
        X[:, -1] = 0
        X[:6, -1], y[:6] = 1, [0, 1, 1, 1, 1, 1]
    return X, y


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("noise", "none"), ("nearly", "none"), ("rare", "none"), ("quasi-complete",) * 2, ("complete",) * 2],
)
def test_few_rows_decide_for_all(kind, verdict):
    X, y = large(kind, 20_000, 8)
    found = bl.separation(bl.Design.from_arrays(X, y))
    assert (found.verdict, found.verified) == (verdict, True)
    if kind == "quasi-complete":
        assert found.columns == ("x8",)
        np.testing.assert_array_equal(found.touching, np.flatnonzero(X[:, -1] == 0))
    if kind == "complete":
        d = np.array([found.direction.get(name, 0.0) for name in ("Intercept", *(f"x{j}" for j in range(1, 9)))])
        assert np.all(np.where(y == 1, 1, -1) * (d[0] + X @ d[1:]) > 0)


@pytest.mark.parametrize("kind", ["noise", "quasi-complete", "complete"])
def test_sparse_rows_and_float32_say_the_same(kind):
    from scipy.sparse import csr_array

    X, y = large(kind, 3000, 6)
    X = np.round(X * (np.abs(X) > 0.5), 2)
    if kind == "complete":
        y = (X @ [1, -1, 1, 1, -2, 1] > 0.003) * 1.0
    dense = bl.separation(bl.Design.from_arrays(X, y))
    sparse = bl.separation(bl.Design.from_arrays(csr_array(X), y))
    single = bl.separation(bl.Design.from_arrays(np.round(X * 64).astype(np.float32), y))
    assert dense.verdict == ("none" if kind == "noise" else kind)
    for other in (sparse, single):
        assert (other.verdict, other.columns, other.verified) == (dense.verdict, dense.columns, True)
        np.testing.assert_array_equal(other.touching, dense.touching)


def test_repeated_rows_are_decided_as_counts_and_found_again_in_the_data():
    rng = np.random.default_rng(8)
    X = rng.integers(0, 2, (300_000, 4)).astype(float)
    y = (rng.random(300_000) < 0.3) * 1.0
    y[X[:, 2] == 1] = 1
    found = bl.separation(bl.Design.from_arrays(X, y))
    assert (found.verdict, found.columns) == ("quasi-complete", ("x3",))
    np.testing.assert_array_equal(found.touching, np.flatnonzero(X[:, 2] == 0))
