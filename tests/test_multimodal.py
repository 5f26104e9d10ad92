"""Priors that are not log-concave: the mode is certified unique, or the highest of those found, and a note says which.

The reference looks everywhere: the log posterior on a fine grid, each peak of it polished in 50-digit arithmetic.
"""

from __future__ import annotations

import decimal
import itertools
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.multimodal import needs_examining, unique
from bayeslogit.solve import find_mode
from bayeslogit.steps import cholesky_factor
from bayeslogit.target import LogPosterior

CERTIFIED = "The mode is certified unique"


def two_columns(X: Any, y: Any, prior: Any) -> LogPosterior:
    design = bl.Design.from_arrays(X, y, intercept=False)
    return LogPosterior(design, prior.resolve(design))


class Exact:
    """The log posterior of two columns under t priors with df, scale and mean each, in 50 digits and on grids."""

    def __init__(self, X: Any, y: Any, df: Any, scale: Any, mean: Any = (0.0, 0.0)) -> None:
        self.X, self.y = np.asarray(X), np.asarray(y)
        self.df, self.scale, self.mean = (np.broadcast_to(np.asarray(v, dtype=float), 2) for v in (df, scale, mean))

    def grid(self, a: Any, b: Any) -> Any:
        """Up to a constant, at all pairs."""
        A, B = np.meshgrid(a, b, indexing="ij")
        total = np.zeros(A.shape)
        for (x1, x2), y in zip(self.X, self.y, strict=True):
            eta = x1 * A + x2 * B
            total += y * eta - np.logaddexp(0, eta)
        for j, values in enumerate((A, B)):
            z = (values - self.mean[j]) / self.scale[j]
            total -= (self.df[j] + 1) / 2 * np.log1p(z**2 / self.df[j])
        return total

    def derivatives(self, b: Any) -> tuple[list[Decimal], list[list[Decimal]]]:
        score, bent = [Decimal(0)] * 2, [[Decimal(0)] * 2 for _ in range(2)]
        for row, y in zip(self.X, self.y, strict=True):
            x = [Decimal(float(v)) for v in row]
            mu = 1 / (1 + (-(x[0] * b[0] + x[1] * b[1])).exp())
            for i in range(2):
                score[i] += x[i] * (Decimal(float(y)) - mu)
                for k in range(2):
                    bent[i][k] += x[i] * x[k] * mu * (1 - mu)
        for i in range(2):
            df, s, m = (Decimal(float(v[i])) for v in (self.df, self.scale, self.mean))
            z, k = b[i] - m, df * s * s
            score[i] -= (df + 1) * z / (k + z * z)
            bent[i][i] += (df + 1) * (k - z * z) / (k + z * z) ** 2
        return score, bent

    def polished(self, start: Any) -> tuple[Any, bool]:
        """Newton's iteration from there, to rest; and whether the log posterior bends downwards all round."""
        with decimal.localcontext(prec=50):
            b = [Decimal(float(v)) for v in start]
            for _ in range(60):
                score, H = self.derivatives(b)
                det = H[0][0] * H[1][1] - H[0][1] ** 2
                step = [
                    (H[1][1] * score[0] - H[0][1] * score[1]) / det,
                    (H[0][0] * score[1] - H[0][1] * score[0]) / det,
                ]
                b = [b[0] + step[0], b[1] + step[1]]
                if max(map(abs, step)) < Decimal("1e-35"):
                    return np.array([float(v) for v in b]), H[0][0] > 0 and det > 0
        raise AssertionError("the reference iteration did not come to rest")

    def modes(self, far: float = 12.0, points: int = 241) -> list[Any]:
        """All peaks of the grid within ``far``, polished; the highest first."""
        axis = np.linspace(-far, far, points)
        L = np.pad(self.grid(axis, axis), 1, constant_values=-np.inf)
        inner = L[1:-1, 1:-1]
        peak = np.ones(inner.shape, dtype=bool)
        for i, j in itertools.product((0, 1, 2), repeat=2):
            if (i, j) != (1, 1):
                peak &= inner >= L[i : i + points, j : j + points]
        found: list[Any] = []
        for i, j in np.argwhere(peak):
            # The grid is coarse: a ridge can look like a row of peaks.
            top = minimize(lambda b: -self.grid(b[:1], b[1:])[0, 0], (axis[i], axis[j]), method="Nelder-Mead")
            where, real = self.polished(top.x)
            if real and all(np.max(np.abs(where - other)) > 1e-8 for other in found):
                found.append(where)
        return sorted(found, key=lambda b: -float(self.grid(b[:1], b[1:])[0, 0]))


def nearly_twins(seed: int, n: int = 60, apart: float = 0.05, strength: float = 2.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(n)
    X = z[:, None] + apart * rng.standard_normal((n, 2))
    return X, (rng.random(n) < expit(strength * z)).astype(float)


@pytest.mark.parametrize("family", ["student_t", "cauchy"])
def test_the_score_rises_no_further_than_its_bend_says(family, rng):
    d = DENSITIES[family]
    v = np.concatenate([np.linspace(-60, 60, 20001), [1e4, -1e4, 1e7]])
    for u in [0.0, 1e-6, 0.3, 1.0, 1.7, 4.0, 50.0, -0.8, -6.0]:
        p = {"mean": np.full(v.size, 0.25), "scale": np.full(v.size, 1.3)}
        if family == "student_t":
            p["df"] = np.full(v.size, 3.0)
        slope, height = (each[0] for each in d.bend(np.full(v.size, u + 0.25), **p))
        rise = (d.score(v + 0.25, **p) - d.score(np.full(v.size, u + 0.25), **p)) * np.sign(v - u)
        chord = rise / np.where(v == u, 1.0, np.abs(v - u))
        assert chord.max() <= slope * (1 + 1e-12) + 1e-15 and rise.max() <= height * (1 + 1e-12) + 1e-15
        # Neither is larger than it has to be.
        if 0.1 < abs(u) < 10:
            assert chord.max() >= 0.999 * slope and rise.max() >= 0.99 * height


@pytest.mark.parametrize("seed", range(8))
def test_planted_pairs_of_modes_are_found_and_the_highest_reported(seed):
    X, y = nearly_twins(seed)
    exact = Exact(X, y, 1.0, 0.1)
    modes = exact.modes()
    mode = find_mode(two_columns(X, y, bl.Cauchy(0.1)), tol=1e-11)
    assert mode.converged
    np.testing.assert_allclose(mode.beta, modes[0], atol=1e-9)
    note = mode.notes[-1]
    assert CERTIFIED not in note
    if len(modes) > 1:
        counted = re.match(r"(\d) modes found from \d+ starts; the highest is reported", note)
        assert counted and 2 <= int(counted[1]) <= len(modes)
        gap = float(np.ptp([exact.grid(b[:1], b[1:])[0, 0] for b in modes[:2]]))
        said = re.search(r"of the next, (\S+) lower, where (x\d) is (\S+) instead of ([^)]+)\)", note)
        assert said and float(said[1]) == pytest.approx(gap, rel=0.06)
        j = int(said[2][1]) - 1
        assert float(said[3]) == pytest.approx(modes[1][j], rel=6e-3)
        assert float(said[4]) == pytest.approx(modes[0][j], rel=6e-3)
    else:
        assert "could not be certified unique" in note


def test_most_planted_pairs_are_pairs():
    assert sum(len(Exact(*nearly_twins(seed), 1.0, 0.1).modes()) > 1 for seed in range(8)) >= 5


def test_equal_columns_leave_the_saddle_between_two_equal_modes():
    X, y = nearly_twins(3, apart=0.0)
    mode = find_mode(two_columns(X, y, bl.Cauchy(0.1)), tol=1e-11)
    modes = Exact(X, y, 1.0, 0.1).modes()
    assert len(modes) == 2 and modes[0] == pytest.approx(modes[1][::-1], abs=1e-12)
    assert min(np.max(np.abs(mode.beta - each)) for each in modes) < 1e-9
    assert "2 modes found" in mode.notes[-1] and "as high" in mode.notes[-1]
    assert mode.factor is not None and cholesky_factor(mode.information) is not None


@pytest.mark.parametrize("mean", [(0.0, 3.0), (-4.0, 4.0), (0.0, 6.0)])
def test_a_prior_at_odds_with_the_data(mean):
    """One column pulls away from where its prior stands: a mode near the data, and one near the prior."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((40, 2))
    y = (rng.random(40) < expit(X @ [1.0, -1.0])).astype(float)
    exact = Exact(X, y, 2.0, 0.05, mean)
    prior = bl.priors(terms={f"x{j + 1}": bl.StudentT(2, 0.05, mean=mean[j]) for j in range(2)})
    mode = find_mode(two_columns(X, y, prior), tol=1e-11)
    modes = exact.modes(far=10.0, points=801)
    np.testing.assert_allclose(mode.beta, modes[0], atol=1e-9)
    assert (CERTIFIED in mode.notes[-1]) <= (len(modes) == 1)


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from([8, 20, 80]),
    st.sampled_from([0.05, 0.3, 2.5]),
    st.sampled_from([1.0, 4.0]),
    st.floats(0.05, 1.5),
)
def test_no_certificate_is_false(seed, n, scale, df, apart):
    X, y = nearly_twins(seed, n, apart)
    made = two_columns(X, y, bl.StudentT(df, scale))
    mode = find_mode(made, tol=1e-10)
    if CERTIFIED in mode.notes[-1]:
        modes = Exact(X, y, df, scale).modes(points=121)
        assert len(modes) == 1
        np.testing.assert_allclose(mode.beta, modes[0], atol=1e-7)


def test_ordinary_data_are_certified_at_once():
    certified = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 5))
        y = (rng.random(200) < expit(X @ rng.standard_normal(5))).astype(float)
        fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Cauchy(2.5))
        certified += fit.notes[0].startswith(CERTIFIED)
        assert fit.mode.n_hessians < 12
    assert certified >= 19


def test_the_certificate_is_the_inequality_it_says(rng):
    X = rng.standard_normal((60, 3))
    y = (rng.random(60) < expit(X @ [1.0, -2.0, 0.5])).astype(float)
    design = bl.Design.from_arrays(X, y)
    for scale in (0.2, 0.7, 2.5):
        prior = bl.priors(default=bl.StudentT(3, scale), intercept=bl.Normal(2.0))
        made = LogPosterior(design, prior.resolve(design))
        mode = find_mode(made, tol=1e-11, examine=False)
        rows = np.column_stack([np.ones(60), X])
        mu = expit(rows @ mode.beta)
        V = np.linalg.inv((rows.T * (mu * (1 - mu))) @ rows + np.diag([0.25, 0, 0, 0]))
        r = np.sqrt(np.max(np.einsum("ij,jk,ik->i", rows, V, rows)))
        term = made.prior.terms[1]
        slope, height = DENSITIES["student_t"].bend(mode.beta[1:], **term.parameters)
        W = V[1:, 1:]
        m, K = (
            np.linalg.eigvals(np.sqrt(slope)[:, None] * W * np.sqrt(slope)).real.max(),
            np.sqrt(height @ abs(W) @ height),
        )
        wanted = m < 1 and 1 - np.exp(-r * K / m) > r * K
        gamma = made.coordinates.gamma(mode.beta)
        A = made.likelihood(gamma).information + made.prior_target.quadratic_information()
        assert unique(made, made.prior_target.heavy(gamma), cholesky_factor(A)) == wanted


def test_separated_data_are_examined(rng):
    X = np.sort(rng.standard_normal((12, 1)), axis=0)
    fit = bl.fit(bl.Design.from_arrays(X, (X[:, 0] > 0).astype(float)), prior=bl.Cauchy(2.5))
    assert fit.converged and any("could not be certified unique" in note for note in fit.notes)


@pytest.mark.parametrize("other", [bl.Laplace(0.1), bl.Normal(1.0), bl.GroupLaplace(0.1, groups=[["x3", "x4"]])])
def test_heavy_tails_beside_kinks_and_normals(other):
    X, y = nearly_twins(4)
    X = np.column_stack([X, np.random.default_rng(1).standard_normal((60, 3))])
    design = bl.Design.from_arrays(X, y)
    prior = bl.priors(default=other, terms={"x1": bl.Cauchy(0.1), "x2": bl.Cauchy(0.1)})
    made = LogPosterior(design, prior.resolve(design))
    mode = find_mode(made)
    assert mode.converged and "modes found" in mode.notes[-1]
    starts = np.random.default_rng(2).standard_normal((20, 6)) * 3
    highest = max(find_mode(made, start=each, examine=False).log_density for each in starts)
    assert mode.log_density >= highest - 1e-9


def test_concave_priors_are_not_examined(rng):
    X, y = nearly_twins(1)
    assert not needs_examining(two_columns(X, y, bl.Laplace(1.0)))
    assert needs_examining(two_columns(X, y, bl.StudentT(4, 1.0)))
    assert find_mode(two_columns(X, y, bl.Normal(1.0))).notes == ()
    assert find_mode(two_columns(X, y, bl.Cauchy(0.1)), examine=False).notes == ()


def test_the_search_is_bounded_where_columns_are_many(rng):
    X = rng.standard_normal((60, 150))
    y = (rng.random(60) < 0.5).astype(float)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Cauchy(0.3))
    alone = find_mode(LogPosterior(fit.design, fit.prior), examine=False)
    assert fit.log_posterior >= alone.log_density - 1e-9
    assert fit.mode.n_hessians < 4000


def test_a_heavy_tail_beside_jeffreys_prior_is_searched_for_higher_modes():
    """The first search ends where the data are; the narrow prior at 5 has a higher mode of its own."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 3))
    y = (rng.random(30) < expit(X @ rng.normal(size=3) * 1.3)).astype(float)
    prior = bl.priors(default=bl.Jeffreys(), terms={"x1": bl.StudentT(1, 0.05, mean=5.0)})
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior)

    def minus_log_posterior(beta):
        rows = np.column_stack([np.ones(30), X])
        eta = rows @ beta
        v = expit(eta) * expit(-eta)
        heavy = -np.log(np.pi * 0.05) - np.log1p(((beta[1] - 5.0) / 0.05) ** 2)
        return -(
            y @ eta - np.logaddexp(0.0, eta).sum() + 0.5 * np.linalg.slogdet((rows * v[:, None]).T @ rows)[1] + heavy
        )

    ends = [minimize(minus_log_posterior, start, method="BFGS", tol=1e-10) for start in ([0, 0, 0, 0], [0, 5, -5, -9])]
    best = min(ends, key=lambda end: end.fun)
    assert ends[0].fun - ends[1].fun > 2.0
    assert fit.log_posterior == pytest.approx(-best.fun, abs=1e-7)
    np.testing.assert_allclose(fit.params, best.x, atol=1e-3)
    assert any("2 modes found" in note and "2.8 lower" in note for note in fit.notes)
