"""Compiled loops and their NumPy twins do the same; blocks keep their order; a missing cache is no obstacle."""

from __future__ import annotations

import decimal
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from bayeslogit import workers
from bayeslogit.kernels import TWINS, kernel
from bayeslogit.logistic import log_odds_terms
from bayeslogit.loops import LOOPS, compile, dense
from bayeslogit.sources.matrix import DenseRows, SparseRows

N, K = 523, 7
COLUMNS = ["predict", "score", "information", "slope", "expand", "moments"]


def dense_arguments(rng: np.random.Generator, dtype: Any = np.float64) -> dict[str, tuple[Any, ...]]:
    X = (rng.standard_normal((N, K)) * 3 + 1).astype(dtype)
    center, slopes, start = rng.standard_normal(K), rng.standard_normal(K), 0.3
    successes, failures = rng.integers(0, 3, N).astype(float), rng.random(N) * 2
    offset, weight = rng.standard_normal(N) * 50, rng.random(N)
    likelihood = (X, center, slopes, start, successes, failures, offset)
    columns = np.ascontiguousarray(X.T)
    square = X.astype(float).T @ X.astype(float)
    panels = np.ascontiguousarray(X[:520].reshape(8, 65, K).transpose(0, 2, 1))
    paneled = [each[:520].reshape(8, 65) for each in (successes, failures, offset)]
    fours = np.concatenate([panels, np.zeros((8, 1, 65), panels.dtype)], axis=1)
    return {
        "panel_slope": (panels, np.where(slopes > 0, slopes, 0.0), *paneled, np.empty((8, 65)), np.empty((8, 65))),
        "panel_information": (fours, paneled[1], 4, 8),
        "predict": (X, center, slopes, start),
        "score": (X, center, weight),
        "information": (X, center, weight, 1),
        "slope": likelihood,
        "expand": (*likelihood, 1),
        "moments": (X, weight),
        "predict_columns": (columns, center, slopes, start),
        "score_columns": (columns, center, weight),
        "information_columns": (columns, center, weight, 1),
        "slope_columns": (columns, *likelihood[1:]),
        "expand_columns": (columns, *likelihood[1:], 1),
        "moments_columns": (columns, weight),
        "cholesky": (square,),
        "solve": (np.linalg.cholesky(square).T.copy(), slopes),
        "variances": (np.linalg.cholesky(square).T.copy(),),
        "descend": (square, 10 * slopes, center, np.round(center), np.full(K, 30.0), 1e-13, 10_000),
        "descend_groups": _blocks(square, slopes, center),
        "group_rows": (np.round(X).view(f"u{X.itemsize}"), np.zeros(N, np.uint64), successes, failures, N),
    }


def _blocks(square: np.ndarray, slopes: np.ndarray, center: np.ndarray) -> tuple[Any, ...]:
    """A free coordinate, one with a kink, a group of two that pulls and one of three that stays at zero."""
    members, starts = np.array([1, 3, 2, 5, 6]), np.array([0, 2, 5])
    parts = [np.linalg.eigh(square[np.ix_(own, own)]) for own in (members[:2], members[2:])]
    curves, directions = np.concatenate([v for v, _ in parts]), np.concatenate([Q.ravel() for _, Q in parts])
    rate = np.zeros(K)
    rate[4] = 30.0
    return (
        *(square, 100 * slopes, np.zeros(K), np.where(rate > 0, np.round(center), 0.0), rate, np.array([0, 4])),
        *(members, starts, np.array([30.0, 1e4]), curves, directions, 1e-13, 10_000),
    )


def sparse_arguments(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    csr = sp.csr_array(np.where(rng.random((N, K)) < 0.3, rng.random((N, K)), 0.0))
    csr.sort_indices()
    full, center = rng.standard_normal((N, 2)) + 5, np.array([4.0, 6.0])
    matrix = (full, center, csr.data, csr.indices, csr.indptr)
    vector, weight = rng.standard_normal(K + 2), rng.random(N)
    return {
        "sparse_predict": (*matrix, vector),
        "sparse_score": (*matrix, weight, K + 2),
        "sparse_information": (*matrix, weight, K + 2),
    }


def comparable(name: str, result: Any) -> list[Any]:
    """A matrix that is only right on one side is compared there."""
    parts = list(result) if isinstance(result, tuple) else [result]
    if name.removesuffix("_columns") in ("information", "expand"):
        parts[-1] = np.triu(parts[-1])
    if name == "panel_information":
        parts[-1] = np.tril(parts[-1], 4)
    if name == "sparse_information":
        parts[-1] = np.tril(parts[-1])
    return parts


def test_every_loop_has_a_twin_and_every_pair_is_compared(rng):
    assert LOOPS.keys() == TWINS.keys() == (dense_arguments(rng) | sparse_arguments(rng)).keys()


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_loop_and_its_twin_agree(name, rng):
    arguments = (dense_arguments(rng) | sparse_arguments(rng))[name]
    loop, twin = (comparable(name, kernel(name, compiled)(*arguments)) for compiled in (True, False))
    for one, two in zip(loop, twin, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12 * np.abs(two).max())


@pytest.mark.parametrize("name", [*COLUMNS, *(f"{name}_columns" for name in COLUMNS), "group_rows"])
def test_single_precision_columns_are_read_as_they_are(name, rng):
    arguments = dense_arguments(rng, np.float32)[name]
    loop, twin = (comparable(name, kernel(name, compiled)(*arguments)) for compiled in (True, False))
    for one, two in zip(loop, twin, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12 * np.abs(two).max())


def test_panels_in_single_precision_are_good_to_single_precision(rng):
    arguments = dense_arguments(rng, np.float32)
    for name, tolerance in [("panel_slope", 1e-12), ("panel_information", 1e-5)]:
        loop, twin = (comparable(name, kernel(name, compiled)(*arguments[name])) for compiled in (True, False))
        for one, two in zip(loop, twin, strict=True):
            np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance * np.abs(two).max())


@pytest.mark.parametrize("size", [0, 1, 3, 8, 63, 64, 65, 255, 256, 257])
def test_blocks_of_any_size(size, rng):
    X, center, slopes, start, successes, failures, offset, first = dense_arguments(rng)["expand"]
    rows = slice(0, size)
    rest = (center, slopes, start, successes[rows], failures[rows], offset[rows], first)
    twin = comparable("expand", kernel("expand", False)(X[rows], *rest))
    for name, own in (("expand", X[rows]), ("expand_columns", np.ascontiguousarray(X[rows].T))):
        loop = comparable("expand", kernel(name, True)(own, *rest))
        for one, two in zip(loop, twin, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-10)


@pytest.fixture
def fifty_digits() -> Iterator[None]:
    with decimal.localcontext(prec=50):
        yield


@pytest.mark.usefixtures("fifty_digits")
def test_the_compiled_terms_keep_their_tails_to_an_ulp_or_two():
    eta = np.array([0.0, -0.0, 1e-300, -1e-20, 0.3, -0.9, 2.5, -30.0, 36.8, -37.0, 300.0, -700.0, 740.0])
    ones, zeros, out = np.ones_like(eta), np.zeros_like(eta), np.empty((7, eta.size))
    for successes, failures, sign in ((ones, zeros, 1), (zeros, ones, -1)):
        dense.log_odds_terms(eta, successes, failures, out)
        for i, e in enumerate(eta):
            exact = Decimal(float(sign * e))
            odds = (-exact).exp()
            # log(1 + odds) by its series where 50 digits would lose it.
            density = -(1 + odds).ln() if odds > Decimal("1e-20") else -odds + odds**2 / 2
            residual = sign * odds / (1 + odds)
            assert out[0, i] == pytest.approx(float(density), rel=1e-15, abs=1e-323)
            assert out[1, i] == pytest.approx(float(residual), rel=1e-15, abs=1e-323)


def test_the_compiled_terms_are_numpys_everywhere(rng):
    eta = np.concatenate([np.linspace(-760, 760, 40_001), np.linspace(-3, 3, 40_001), [1e10, -1e300]])
    successes, failures = rng.random(eta.size), rng.random(eta.size)
    out = np.empty((7, eta.size))
    dense.log_odds_terms(eta, successes, failures, out)
    terms = log_odds_terms(eta, successes, failures)
    np.testing.assert_allclose(out[0], terms.log_density, rtol=2e-15)
    np.testing.assert_allclose(out[1], terms.residual, rtol=2e-15, atol=1e-15)
    np.testing.assert_allclose(out[2], (successes + failures) * terms.variance, rtol=3e-15, atol=1e-300)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_so_and_breaks_nothing(value, rng):
    X, center, slopes, start, successes, failures, offset, first = dense_arguments(rng)["expand"]
    offset[7] = value
    for name, arguments in (("slope", ()), ("expand", (first,))):
        found = kernel(name, True)(X, center, slopes, start, successes, failures, offset, *arguments)
        assert not np.isfinite(found[0])


def test_a_matrix_that_is_not_positive_definite_has_no_factor(rng):
    A = rng.standard_normal((30, 30))
    for compiled in (True, False):
        assert not np.isfinite(np.diag(kernel("cholesky", compiled)(A + A.T))).all()


@pytest.mark.parametrize("size", [1, 3, 4, 5, 64, 129])
def test_factor_and_solve_of_any_size(size, rng):
    A = rng.standard_normal((size + 3, size))
    A, b = A.T @ A, rng.standard_normal(size)
    for compiled in (True, False):
        R = kernel("cholesky", compiled)(A)
        np.testing.assert_allclose(R.T @ R, A, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(A @ kernel("solve", compiled)(R, b), b, rtol=1e-8, atol=1e-8)


# --- rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_rows_are_the_same_compiled_or_not(order, intercept, rng):
    X = np.asarray(rng.standard_normal((N, K)) * 2 + 30, order=order)
    outcome = (rng.random(N), rng.random(N), rng.standard_normal(N))
    beta, center = rng.standard_normal(K + intercept) / 10, X.mean(axis=0)
    same_rows(DenseRows(X, intercept, center), DenseRows(X, intercept, center, compiled=True), beta, outcome)


@pytest.mark.parametrize("intercept", [True, False])
def test_sparse_rows_are_dense_rows(intercept, rng):
    table = np.where(rng.random((N, 40)) < 0.05, rng.random((N, 40)), 0.0)
    table[:, 3] = rng.standard_normal(N) + 1e6  # a full column far from zero must not be centred by subtraction
    table[:, 8] = rng.standard_normal(N) * (rng.random(N) < 0.8)
    rows = SparseRows.of(sp.csr_array(table), intercept)
    assert rows.full.shape[1] == 2 and not rows.packed
    outcome = (rng.random(N), rng.random(N), rng.standard_normal(N))
    beta, center = rng.standard_normal(40 + intercept) / 10, table.mean(axis=0)
    whole = DenseRows(table, intercept, center)
    for compiled in (False, True):
        view = SparseRows.of(sp.csr_array(table), intercept).centered(center)
        object.__setattr__(view, "compiled", compiled)
        same_rows(whole, view, beta, outcome)
        same_rows(whole.take(slice(40, 97)), view.take(slice(40, 97)), beta, [each[40:97] for each in outcome])
        picked = np.array([5, 3, 500, 77])
        same_rows(whole.take(picked), view.take(picked), beta, [each[picked] for each in outcome])
        np.testing.assert_allclose(view.columns(np.array([3, 0, 8])), whole.columns(np.array([3, 0, 8])), atol=1e-9)


def test_nearly_full_sparse_rows_are_worked_in_dense_blocks(rng):
    table = rng.standard_normal((N, 5)) * (rng.random((N, 5)) < 0.9)
    rows = SparseRows.of(sp.csr_array(table), True)
    assert rows.packed and isinstance(rows.take(slice(0, 10)), DenseRows)
    np.testing.assert_array_equal(rows.take(slice(3, 10)).toarray()[:, 1:], table[3:10])


def same_rows(one: Any, two: Any, beta: Any, outcome: Any) -> None:
    for a, b in zip(
        (one.predict(beta), one.score(outcome[0]), one.information(outcome[0]), *one.expand(beta, outcome)),
        (two.predict(beta), two.score(outcome[0]), two.information(outcome[0]), *two.expand(beta, outcome)),
        strict=True,
    ):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * (1 + np.abs(a).max()))
    for a, b in zip(one.slope(beta, outcome), two.slope(beta, outcome), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * (1 + np.abs(a).max()))
    np.testing.assert_allclose(two.toarray(), one.toarray(), atol=1e-9)
    for a, b in zip(one.moments(outcome[0]), two.moments(outcome[0]), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


# --- workers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(size, monkeypatch):
    monkeypatch.setattr(workers, "threads", lambda: size)
    gates = [threading.Event() for _ in range(20)]
    gates[0].set()

    def later_first(i: int) -> int:
        if size == 1 or i % 2 == 0:
            for gate in gates:
                gate.set()
        gates[i].wait(5)
        return i * i

    assert list(workers.in_order(later_first, range(20))) == [i * i for i in range(20)]


def test_an_error_in_a_block_reaches_the_caller_and_the_pool_lives_on(monkeypatch):
    monkeypatch.setattr(workers, "threads", lambda: 2)

    def fails(i: int) -> float:
        return 1 / (i - 3)

    with pytest.raises(ZeroDivisionError):
        list(workers.in_order(fails, range(10)))
    assert list(workers.in_order(abs, [-1, 2])) == [1, 2]


@pytest.mark.parametrize(("value", "most"), [("1", 1), ("1,2", 1), ("", 10**6), ("many", 10**6), ("0", 1)])
def test_omp_num_threads_lowers_the_number_of_threads(value, most, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert 1 <= workers.threads() <= most


def test_a_thread_that_outlives_the_main_one_ends_its_work():
    code = (
        "import threading, time\n"
        "from bayeslogit import workers; workers.threads = lambda: 2\n"
        "def late():\n"
        "    time.sleep(0.5)\n"
        "    assert list(workers.in_order(abs, range(9))) == list(range(9)); print('done', flush=True)\n"
        "threading.Thread(target=late).start()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert ran.stdout == "done\n" and not ran.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gets_a_pool_of_its_own():
    code = (
        "import os, warnings; warnings.simplefilter('ignore')\n"
        "from bayeslogit import workers; workers.threads = lambda: 2\n"
        "assert list(workers.in_order(abs, range(9))) == list(range(9))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if list(workers.in_order(abs, range(9))) == list(range(9)) else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_a_place_for_the_cache_loops_are_compiled_for_the_process(monkeypatch):
    import numba

    real, asked = numba.njit, []

    def no_cache(*args: Any, cache: bool = False, **options: Any) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(compile.numba, "njit", no_cache)
    double = compile.jit(compile.SUMS)(lambda x: x + x)
    assert double(21.0) == 42.0 and asked[:2] == [True, False]
