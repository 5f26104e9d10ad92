"""What must be equal: derivatives and differences, blocks and whole, rows and weights, dense and sparse."""

from __future__ import annotations

import csv
import decimal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import bayeslogit as bl
from bayeslogit.sources.matrix import DenseRows
from bayeslogit.sources.memory import Block
from bayeslogit.target import LogPosterior

COV = np.array([[2.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]])
PRIORS = {
    "flat": bl.Flat(),
    "normal": bl.Normal(2.5),
    "mean": bl.Normal(0.7, mean=-3.0),
    "per-term": bl.priors(
        default=bl.Normal(1.0), intercept=bl.Normal(5.0, mean=1.0), terms={"x2": bl.Normal(0.1, mean=2)}
    ),
    "mvn": bl.MultivariateNormal(mean=[1.0, 0.0, -1.0], cov=COV, columns=["Intercept", "x2", "x1"]),
    "mvn-slopes": bl.MultivariateNormal(mean=[1.0, -1.0], precision=COV[:2, :2], columns=["x2", "x1"]),
    "rstanarm": bl.preset("rstanarm"),
}


@pytest.fixture(scope="module")
def data(simulated):
    """Counts with weights and offsets, and columns far from the origin."""
    X, _ = simulated(60, [1.0, -0.5], seed=4)
    rng = np.random.default_rng(9)
    trials = rng.integers(1, 5, 60).astype(float)
    y = rng.binomial(trials.astype(int), 0.4).astype(float)
    return X * [1.0, 20.0] + [3.0, 100.0], y, trials, rng.integers(1, 4, 60) * 0.5, rng.normal(0, 0.5, 60)


@pytest.fixture(scope="module")
def design(data):
    X, y, trials, weights, offset = data
    return bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset)


def fit(design: bl.Design, prior: Any = "rstanarm") -> bl.Fit:
    return bl.fit(design, prior=prior, tol=1e-11)


def assert_same_fit(one: bl.Fit, two: bl.Fit, *, rtol: float = 1e-9) -> None:
    """Every number that does not say how the data were stored."""
    assert one.converged and two.converged
    sd = one.bse.to_numpy()
    assert np.max(np.abs(one.params.to_numpy() - two.params.to_numpy()) / sd) < rtol
    np.testing.assert_allclose(two.bse, one.bse, rtol=rtol)
    for name in ("log_likelihood", "log_posterior", "log_evidence", "nobs", "effective_parameters"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=rtol), name
    np.testing.assert_allclose(two.prior_share, one.prior_share, rtol=rtol)
    for kind in ("posterior", "frequentist", "robust"):
        a, b = (f.cov_params(kind).to_numpy() / sd / sd[:, None] for f in (one, two))
        np.testing.assert_allclose(b, a, atol=rtol, rtol=0, err_msg=kind)


# --- derivatives -------------------------------------------------------------------------------------------------


def at(exact: Any, design: bl.Design, prior: Any, beta: np.ndarray) -> tuple[Any, Any]:
    """The package's expansion at ``beta`` in the user's columns, and the exact model of the same."""
    target = LogPosterior(design, prior.resolve(design))
    ours = target.coordinates.expansion(target.expand(target.coordinates.gamma(beta)))
    blocks = list(design.source.blocks())
    X = np.vstack([block.X.toarray() for block in blocks])
    y, m, w, o = (np.concatenate([getattr(b, k) for b in blocks]) for k in ("y", "trials", "weights", "offset"))
    return ours, exact(X, y, trials=m, weights=w, offset=o, blocks=exact.blocks_of(target.prior))


@pytest.mark.parametrize("largest", [1.0, 30.0, 800.0])
@pytest.mark.parametrize("name", PRIORS)
def test_log_posterior_score_and_information_against_differences_of_the_exact_density(
    name, largest, design, data, exact
):
    X = np.column_stack([np.ones(60), data[0]])
    direction = np.array([-7.9, 1.3, 0.04])
    beta = direction * largest / np.abs(X @ direction).max()
    ours, model = at(exact, design, PRIORS[name], beta)
    assert ours.log_density == pytest.approx(float(model.log_posterior(beta)), rel=1e-12)
    step, p = Decimal("1e-12"), 3
    with decimal.localcontext(prec=50):
        start = np.array([Decimal(float(b)) for b in beta])
        unit = np.array([[Decimal(int(i == j)) for j in range(p)] for i in range(p)]) * step
        differences = [(model.log_posterior(start + e) - model.log_posterior(start - e)) / (2 * step) for e in unit]
        second = [(model.score(start - e) - model.score(start + e)) / (2 * step) for e in unit]
    score = np.array([float(v) for v in differences])
    information = np.array([[float(v) for v in row] for row in second])
    unit = np.sqrt(np.diag(information))
    # A score is a sum of terms that cancel: it is exact to the rounding of its largest part.
    part = np.abs(X.T) @ (data[3] * data[2]) + np.abs(model_prior_score(model, beta))
    assert np.all(np.abs(ours.score - score) < 1e-13 * part)
    np.testing.assert_allclose(ours.information / unit / unit[:, None], information / unit / unit[:, None], atol=1e-10)


def model_prior_score(model: Any, beta: np.ndarray) -> np.ndarray:
    total = np.zeros(beta.size)
    for A, mean, precision in model.blocks:
        A, mean, precision = (np.asarray(part, dtype=float) for part in (A, mean, precision))
        total += np.abs(A.T) @ np.abs(precision) @ (np.abs(A) @ np.abs(beta) + np.abs(mean))
    return total


@pytest.mark.parametrize("name", [name for name in PRIORS if name != "flat"])
def test_prior_alone_against_its_exact_normalised_density(name, design, exact):
    beta = np.array([0.3, -1.1, 0.05])
    _, model = at(exact, design, PRIORS[name], beta)
    prior = PRIORS[name].resolve(design)
    assert prior.log_density(beta) == pytest.approx(float(model.log_prior(beta)), rel=1e-13)
    target = LogPosterior(design, prior)
    gamma = target.coordinates.gamma(beta)
    alone = target.prior_target.expand(gamma)
    whole, likelihood = target.expand(gamma), target.likelihood(gamma)
    assert alone.log_density == pytest.approx(float(model.log_prior(beta)), rel=1e-13)
    np.testing.assert_allclose(alone.score, whole.score - likelihood.score, atol=1e-9)
    np.testing.assert_allclose(alone.information, whole.information - likelihood.information, atol=1e-9)
    # The roots that the QR path uses carry the same information.
    rooted = sum(root.factor.T @ root.factor for root in target.prior_target.roots(gamma))
    np.testing.assert_allclose(rooted, alone.information, rtol=1e-12, atol=1e-12 * np.abs(alone.information).max())


def test_root_of_the_information_is_the_information(design):
    target = LogPosterior(design, bl.preset("rstanarm").resolve(design))
    gamma = np.array([-0.3, 0.4, 0.01])
    R, H = target.root(gamma), target.expand(gamma).information
    np.testing.assert_allclose(R.T @ R, H, rtol=1e-12, atol=1e-12 * H.max())


def test_change_of_coordinates_undoes_itself_and_keeps_variances(design):
    coordinates = LogPosterior(design, bl.Flat().resolve(design)).coordinates
    beta = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(coordinates.beta(coordinates.gamma(beta)), beta, rtol=1e-13)
    V = COV @ COV
    rows = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    moved = coordinates.functions(rows) @ V @ coordinates.functions(rows).T
    np.testing.assert_allclose(rows @ coordinates.covariance(V) @ rows.T, moved, rtol=1e-12)


# --- blocks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OddChunks:
    """The rows of a design in blocks of the given sizes, as a stream would hand them out; some may be empty."""

    inner: Any
    sizes: tuple[int, ...]
    compiled = False

    @property
    def stored(self) -> int:
        return self.inner.stored

    @property
    def n_rows(self) -> int:
        return self.inner.n_rows

    def blocks(self) -> Iterator[Block]:
        s, lower = self.inner, 0
        assert sum(self.sizes) == self.n_rows
        for size in self.sizes:
            rows = slice(lower, lower + size)
            yield Block(s.X.take(rows), s.y[rows], s.trials[rows], s.weights[rows], s.offset[rows], lower)
            lower += size


@dataclass(frozen=True)
class CsvChunks:
    """A file that is read anew, a few lines at a time, at every pass: y, trials, weight, offset, then the slopes."""

    path: Path
    lines: int
    n_rows: int
    stored: int = 180
    compiled: bool = False

    def blocks(self) -> Iterator[Block]:
        start = 0
        with self.path.open(newline="") as file:
            reader = csv.reader(file)
            while lines := [row for _, row in zip(range(self.lines), reader, strict=False)]:
                table = np.array(lines, dtype=float)
                yield Block(DenseRows(table[:, 4:], True), *table[:, :4].T, start)
                start += len(lines)


@pytest.mark.parametrize("sizes", [(1, 59), (7,) * 8 + (4,), (59, 1), (1,) * 60, (20, 0, 40), (13, 29, 18)])
def test_any_split_into_blocks_gives_the_same_sums_and_the_same_fit(design, sizes):
    chunked = replace(design, source=OddChunks(design.source, sizes))
    prior = bl.preset("rstanarm")
    a, b = (LogPosterior(d, prior.resolve(d)) for d in (design, chunked))
    np.testing.assert_allclose(chunked.column_means, design.column_means, rtol=1e-14)
    np.testing.assert_allclose(chunked.column_sds, design.column_sds, rtol=1e-13)
    assert (chunked.nobs, chunked.n_events, chunked.n_rows) == (design.nobs, design.n_events, design.n_rows)
    gamma = np.array([0.2, -0.4, 0.03])
    one, two = a.expand(gamma), b.expand(gamma)
    scale = np.sqrt(np.diag(one.information))
    assert two.log_density == pytest.approx(one.log_density, rel=1e-14)
    np.testing.assert_allclose(two.score / scale, one.score / scale, atol=1e-12)
    np.testing.assert_allclose(
        two.information / scale / scale[:, None], one.information / scale / scale[:, None], atol=1e-13
    )
    assert b.reach(gamma) == pytest.approx(a.reach(gamma), rel=1e-13)
    groups = np.arange(60) % 11
    full, parts = fit(design), fit(chunked)
    assert_same_fit(full, parts)
    np.testing.assert_allclose(
        parts.cov_params("robust", groups=groups), full.cov_params("robust", groups=groups), rtol=1e-8
    )
    np.testing.assert_allclose(parts.predict(), full.predict(), rtol=1e-10)
    assert parts.log_binomial_constant == pytest.approx(full.log_binomial_constant, rel=1e-13)


def test_a_file_read_anew_at_every_pass_gives_the_same_fit(design, data, tmp_path):
    X, y, trials, weights, offset = data
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([y, trials, weights, offset, X]), fmt="%.17g", delimiter=",")
    streamed = replace(design, source=CsvChunks(path, 17, 60))
    assert streamed.source.n_rows == sum(block.y.size for block in streamed.source.blocks())
    for prior in ("rstanarm", None, bl.Normal(0.3)):
        assert_same_fit(fit(design, prior), fit(streamed, prior))


def test_block_size_of_the_memory_source_does_not_show(design):
    for rows in (1, 8, 59, 60, 61):
        assert_same_fit(fit(design), fit(replace(design, source=replace(design.source, block_rows=rows))))


@pytest.mark.parametrize("prior", [None, bl.Normal(2.5)])
def test_refusals_are_the_same_in_blocks(simulated, prior):
    X, y = simulated(40, [1.0], seed=2)
    flag = np.arange(40) % 8 == 0
    separated = bl.Design.from_arrays(np.column_stack([X, flag]), np.where(flag, 1.0, y), names=["u", "flag"])
    chunked = replace(separated, source=OddChunks(separated.source, (1, 3, 30, 6)))
    if prior is None:
        with pytest.warns(bl.FitWarning, match=r"separated by flag \(\+\)"):
            assert bl.fit(chunked, prior=prior).status == "no finite mode"
    else:
        assert_same_fit(fit(separated, prior), fit(chunked, prior))


# --- rows, weights, trials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIORS)
def test_row_order_does_not_matter(name, data):
    order = np.random.default_rng(3).permutation(60)
    designs = [
        bl.Design.from_arrays(X, y, trials=t, weights=w, offset=o)
        for X, y, t, w, o in (data, [part[order] for part in data])
    ]
    assert_same_fit(*(fit(d, PRIORS[name]) for d in designs))


@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(0.5)])
def test_repeated_rows_equal_integer_weights(data, prior):
    X, y, trials, _, offset = data
    weights = np.random.default_rng(5).integers(0, 5, 60)
    again = np.repeat(np.arange(60), weights)
    weighted = bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset)
    repeated = bl.Design.from_arrays(X[again], y[again], trials=trials[again], offset=offset[again])
    # By row the rstanarm scales would be 2.5 over another sd, and every number would follow.
    np.testing.assert_allclose(weighted.column_sds, repeated.column_sds, rtol=1e-13)
    one, two = fit(weighted, prior), fit(repeated, prior)
    assert_same_fit(one, two)
    assert two.log_binomial_constant == pytest.approx(one.log_binomial_constant, rel=1e-13)
    groups = np.arange(60) % 9
    a, b = one.cov_params("robust", groups=groups), two.cov_params("robust", groups=groups[again])
    np.testing.assert_allclose(a, b, rtol=1e-8)
    assert one.facts.n_rows == np.count_nonzero(weights) and two.facts.n_rows == weights.sum()


@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(0.5), PRIORS["mvn"]])
def test_trials_equal_expanded_bernoulli_rows(data, prior):
    X, y, trials, weights, offset = data
    again = np.repeat(np.arange(60), trials.astype(int))
    copy = np.concatenate([np.arange(int(m)) for m in trials])
    grouped = bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset)
    single = bl.Design.from_arrays(
        X[again], (copy < y[again]).astype(float), weights=weights[again], offset=offset[again]
    )
    for one, two in zip(grouped_record(grouped, prior), grouped_record(single, prior), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)
    one, two = fit(grouped, prior), fit(single, prior)
    # The robust covariance by row, (y - m mu)^2, would be another number: within a row the copies' residuals cancel.
    assert_same_fit(one, two)
    np.testing.assert_allclose(one.prior_share, two.prior_share, rtol=1e-10)
    assert two.log_binomial_constant == 0.0
    from scipy.special import comb

    assert one.log_binomial_constant == pytest.approx(float(weights @ np.log(comb(trials, y))), rel=1e-12)
    assert one.nobs == pytest.approx(weights @ trials)


def grouped_record(design: bl.Design, prior: Any) -> list[Any]:
    resolved = fit(design, prior).prior
    return [v for term in resolved.describe() for v in term["parameters"].values()] + [design.column_means]


@pytest.mark.parametrize("prior", [None, "rstanarm", PRIORS["per-term"]])
def test_zero_weights_equal_dropped_rows_whatever_stands_in_them(data, prior):
    X, y, trials, weights, offset = (part.copy() for part in data)
    out = np.arange(60) % 7 == 3
    kept = bl.Design.from_arrays(X[~out], y[~out], trials=trials[~out], weights=weights[~out], offset=offset[~out])
    # Values that would wreck the centring, the scales and the range checks if the rows counted anywhere.
    X[out], offset[out], weights[out] = 1e12, 700.0, 0.0
    zero = bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset)
    np.testing.assert_array_equal(zero.column_sds, kept.column_sds)
    assert zero.n_rows == kept.n_rows == 60 - out.sum()
    one, two = fit(kept, prior), fit(zero, prior)
    assert_same_fit(one, two)
    assert one.mode.n_passes == two.mode.n_passes


def test_a_row_without_weight_does_not_make_a_constant_column_vary_or_overflow(data):
    X, y = np.column_stack([data[0][:, 0], np.full(60, 0.3)]), (data[1] > 0).astype(float)
    X[7] = [1e200, 5.0]
    weights = np.where(np.arange(60) == 7, 0.0, 1.0)
    for stored in (X, sp.csr_matrix(X)):
        design = bl.Design.from_arrays(stored, y, weights=weights)
        assert design.column_sds[2] == 0.0 and design.column_sds[1] < 10


@pytest.mark.parametrize("name", ["flat", "normal", "rstanarm"])
def test_swapped_labels_negate_the_coefficients(name, data):
    X, y, trials, weights, offset = data
    one = fit(bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset), PRIORS[name])
    two = fit(bl.Design.from_arrays(X, trials - y, trials=trials, weights=weights, offset=-offset), PRIORS[name])
    assert np.max(np.abs(one.params + two.params) / one.bse) < 1e-9
    np.testing.assert_allclose(one.bse, two.bse, rtol=1e-9)
    assert one.log_evidence == pytest.approx(two.log_evidence, rel=1e-10)


def test_a_constant_offset_moves_only_a_flat_intercept(data):
    X, y, trials, weights, offset = data
    one, two = (
        fit(bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset + c), bl.Normal(1.0))
        for c in (0.0, 2.25)
    )
    assert np.max(np.abs(two.params - one.params - np.array([-2.25, 0, 0])) / one.bse) < 1e-9
    np.testing.assert_allclose(two.bse, one.bse, rtol=1e-9)


# --- storage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("prior", [None, "rstanarm", bl.Normal(0.5)])
def test_sparse_equals_dense(prior, intercept):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((150, 4)) * (rng.random((150, 4)) < 0.3) * [1.0, 10.0, 0.01, 1.0]
    y = (rng.random(150) < 0.4).astype(float)
    w = rng.integers(0, 3, 150).astype(float)
    dense, sparse = (bl.Design.from_arrays(M, y, weights=w, intercept=intercept) for M in (X, sp.csr_matrix(X)))
    np.testing.assert_allclose(sparse.column_sds, dense.column_sds, rtol=1e-12)
    one, two = fit(dense, prior), fit(sparse, prior)
    assert_same_fit(one, two)
    groups = np.arange(150) % 13
    np.testing.assert_allclose(
        two.cov_params("robust", groups=groups), one.cov_params("robust", groups=groups), rtol=1e-8, atol=1e-14
    )
    new = X[:40]
    np.testing.assert_allclose(two.predict(sp.csr_matrix(new)), one.predict(new), rtol=1e-9)


@pytest.mark.parametrize("mean", [2000.0, 1e6, 1e9])
@pytest.mark.parametrize("prior", [None, "rstanarm"])
def test_sparse_equals_dense_when_a_column_stands_far_from_zero(prior, mean, simulated):
    # sum x^2 - n xbar^2, and the same difference in the information, leave no digit at mean 1e9 with sd 1.
    X, y = simulated(120, [0.8, -0.5, 0.4], seed=6)
    X = X * (np.random.default_rng(1).random((120, 3)) < [1.0, 0.2, 1.0]) + [mean, 0.0, 0.0]
    weights = np.linspace(0.1, 2.0, 120)  # their sum is not exact: a residue of 1e-14 times 1e18 is no small number
    dense, sparse = (bl.Design.from_arrays(M, y, weights=weights) for M in (X, sp.csr_matrix(X)))
    np.testing.assert_allclose(sparse.column_sds, dense.column_sds, rtol=1e-9)
    one, two = bl.fit(dense, prior=prior), bl.fit(sparse, prior=prior)
    assert two.converged
    np.testing.assert_allclose(two.bse, one.bse, rtol=1e-7)
    assert np.max(np.abs(one.params - two.params) / one.bse) < 1e-5


def test_a_cell_stored_in_two_parts_is_their_sum(data):
    # SciPy lets a CSR matrix hold a cell twice; squares taken entry by entry are then wrong.
    y = (data[1] > 0).astype(float)
    X = sp.csr_matrix(data[0])
    twice = sp.csr_matrix((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), shape=X.shape)
    one, two = (bl.Design.from_arrays(M, y) for M in (X, twice))
    np.testing.assert_allclose(two.column_sds, one.column_sds, rtol=1e-12)
    assert_same_fit(fit(one), fit(two))
    assert twice.nnz == 2 * X.nnz  # the caller's matrix is left as it was


def test_float32_is_stored_as_given_and_summed_in_double(data):
    X, y, trials, weights, offset = data
    short = X.astype(np.float32)
    a, b = (
        bl.Design.from_arrays(M, y, trials=trials, weights=weights, offset=offset) for M in (short, short.astype(float))
    )
    assert a.source.X.X.dtype == np.float32
    # Centring or summing in single precision would leave seven digits of these.
    np.testing.assert_allclose(a.column_sds, b.column_sds, rtol=1e-14)
    assert_same_fit(fit(a), fit(b), rtol=1e-12)
    sparse = bl.Design.from_arrays(sp.csr_matrix(short), y, trials=trials, weights=weights, offset=offset)
    assert_same_fit(fit(a), fit(sparse), rtol=1e-7)


def test_memory_order_does_not_matter(data):
    X, y, trials, weights, offset = data
    fits = [
        fit(bl.Design.from_arrays(M, y, trials=trials, weights=weights, offset=offset))
        for M in (np.ascontiguousarray(X), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2])
    ]
    assert_same_fit(fits[0], fits[1], rtol=1e-12)
    assert_same_fit(fits[0], fits[2], rtol=1e-12)


def test_the_array_given_is_not_written_to(data):
    X, y, trials, weights, offset = (part.copy() for part in data)
    for part in (X, y, trials, weights, offset):
        part.setflags(write=False)
    f = fit(bl.Design.from_arrays(X, y, trials=trials, weights=weights, offset=offset))
    f.predict(), f.cov_params("robust"), f.summary()
    np.testing.assert_array_equal(X, data[0])


def test_sparse_columns_that_hold_nearly_all_the_weight_keep_their_digits(rng):
    # Stored in a tenth of the rows, which have all the weight but 1e-9: centring by subtraction would lose the digits.
    n = 400
    X = np.zeros((n, 30))
    X[:40, 0] = 50.0 + rng.standard_normal(40)
    X[np.arange(n), 1 + rng.integers(0, 29, n)] = 1.0
    y, weights = rng.integers(0, 2, n).astype(float), np.where(np.arange(n) < 40, 1.0, 1e-9)
    dense, sparse = (bl.Design.from_arrays(made, y, weights=weights) for made in (X, sp.csr_array(X)))
    assert_same_fit(fit(dense, bl.Normal(2.0)), fit(sparse, bl.Normal(2.0)), rtol=1e-7)
