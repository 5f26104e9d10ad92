"""More columns than rows: the exact reduction of a design with independent normal priors to the span of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr, svd

from bayeslogit.mode import Mode, Road
from bayeslogit.recession import Recession
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.matrix import DenseRows
from bayeslogit.sources.memory import MemorySource
from bayeslogit.subspace import Subspace
from bayeslogit.target import Coordinates, LogPosterior

Array = NDArray[np.float64]
_COLUMNS_AT_ONCE = 1024
_EPS = float(np.finfo(np.float64).eps)
# The Gram matrix stands for the rows where its rounding is this small against the unit precision of the prior, and no
# direction is this small against the largest.
_GRAM_NOISE = 1e-7
_TOWERING = 30.0


@dataclass(frozen=True)
class Wide:
    """A wide target and its equal in few columns.

    Attributes
    ----------
    target : LogPosterior
        In the columns (kept, z).
    whole : LogPosterior
    kept, reduced : arrays of int
        Positions among the working coordinates of ``whole``.
    mean, scale : arrays, shape (k,)
        Of the normal priors of the reduced columns.
    basis : array, shape (k, r)
        Orthonormal columns.
    """

    target: LogPosterior
    whole: LogPosterior
    kept: NDArray[np.intp]
    reduced: NDArray[np.intp]
    mean: Array
    scale: Array
    basis: Array

    def lift(self, found: Mode) -> Mode:
        """The mode of the reduced target as that of the whole one; its decrement there is measured by one pass."""
        theta = found.coordinates.gamma(found.beta)
        gamma = np.empty(self.kept.size + self.reduced.size)
        gamma[self.kept] = theta[: self.kept.size]
        gamma[self.reduced] = self.mean + self.scale * (self.basis @ theta[self.kept.size :])
        slope = self.whole.slope(gamma)
        prior_information = self.target.prior_target.information(theta)
        subspace = Subspace(self.kept, self.reduced, self.scale, self.basis, prior_information)
        decrement = found.decrement if found.factor is None else subspace.decrement(slope.score, found.factor)
        return replace(
            found,
            beta=self.whole.coordinates.beta(gamma),
            log_density=slope.log_density,
            score=slope.score,
            road=Road.WIDE,
            n_passes=found.n_passes + 1,
            coordinates=self.whole.coordinates,
            subspace=subspace,
            decrement=max(decrement, found.decrement),
            recession=None if found.recession is None else self._lift_recession(found.recession),
        )

    def rescaled(self, target: LogPosterior) -> Wide | None:
        """The same reduction for a prior whose scales are all so many times as wide; None if they are not."""
        separable = _separable(target, self.reduced)
        mean, scale = _normal_parameters(target.prior, self.reduced)
        ratio = float(scale[0] / self.scale[0])
        same = np.allclose(scale, ratio * self.scale, rtol=1e-12, atol=0.0) and np.array_equal(mean, self.mean)
        if separable is None or not same or not np.array_equal(_normal_columns(target), self.reduced):
            return None
        design, r = self.target.design, self.basis.shape[1]
        source = design.source
        assert isinstance(source, MemorySource) and isinstance(source.X, DenseRows)
        stretch = np.ones(self.kept.size - int(design.has_intercept) + r)
        stretch[-r:] = ratio
        rows = replace(source.X, X=source.X.X * stretch)
        small = replace(design, source=replace(source, X=rows))
        prior = _reduced_prior(target.prior, self.target.prior.columns, self.kept, r)
        inner = LogPosterior(small, prior, self.target.coordinates)
        return replace(self, target=inner, whole=separable, scale=scale)

    def _lift_recession(self, found: Recession) -> Recession:
        direction = np.zeros(self.kept.size + self.reduced.size)
        direction[self.kept] = found.direction[: self.kept.size]
        return Recession(direction, found.complete)


def is_wide(target: LogPosterior) -> bool:
    """Whether there are more columns with independent normal priors than rows, and little else."""
    p, n = len(target.design.columns), target.design.source.n_rows
    reduced = _normal_columns(target) if p > n else np.empty(0, dtype=np.intp)
    return p - reduced.size < n < reduced.size and _separable(target, reduced) is not None


def _separable(target: LogPosterior, reduced: NDArray[np.intp]) -> LogPosterior | None:
    """The target in working coordinates in which no other term of the prior sees the reduced columns.

    A prior on the intercept at the column means asks for centred columns, one on the intercept itself for raw ones.
    """
    for coordinates in (target.coordinates, Coordinates(None)):
        if not any(np.any(rows[:, reduced]) for rows in _other_functions(target, coordinates, reduced)):
            return replace(target, at=coordinates)
    return None


def _other_functions(target: LogPosterior, coordinates: Coordinates, reduced: NDArray[np.intp]) -> Iterator[Array]:
    """The linear functions of the working coordinates that the other proper terms bound."""
    p, own = len(target.design.columns), set(reduced.tolist())
    for term in target.prior.terms:
        if term.map is not None:
            yield coordinates.functions(term.map)
        elif term.proper:
            others = [j for j in term.columns if j not in own]
            rows = np.zeros((len(others), p))
            rows[np.arange(len(others)), others] = 1.0
            yield coordinates.functions(rows)


def reduce_wide(target: LogPosterior) -> Wide:
    """The reduction; `is_wide` says when there is one."""
    reduced = _normal_columns(target)
    separable = _separable(target, reduced)
    assert separable is not None
    target = separable
    design, prior = target.design, target.prior
    kept = np.setdiff1d(np.arange(len(design.columns)), reduced)
    mean, scale = _normal_parameters(prior, reduced)
    first = int(design.has_intercept)
    center = target.coordinates.center
    blocks = list(design.source.blocks())
    slopes = [replace(block, X=block.X.centered(center)) for block in blocks]

    def scaled(at_once: int) -> Iterator[tuple[slice, Array]]:
        for lower in range(0, reduced.size, at_once):
            part = slice(lower, lower + at_once)
            columns = np.vstack([block.X.columns(reduced[part] - first) for block in slopes])
            yield part, columns * scale[part]

    U, s = _left_singular(scaled, design.source.n_rows)
    basis = np.empty((reduced.size, s.size))
    shift = np.zeros(design.source.n_rows)
    for part, A in scaled(_COLUMNS_AT_ONCE):
        basis[part] = A.T @ (U / s)
        shift += A @ (mean[part] / scale[part])
    carried = [np.asarray(block.X.columns(kept[first:] - first), dtype=np.float64) for block in blocks]
    y, trials, weights = design.outcome_arrays()
    offset = np.concatenate([block.offset for block in blocks]) + shift
    rows = DenseRows(np.hstack([np.vstack(carried), U * s]), design.has_intercept)
    source = MemorySource(rows, y, trials, weights, offset)
    names = tuple(design.columns[j] for j in kept) + tuple(f"direction {i + 1}" for i in range(s.size))
    small = replace(design, columns=names, source=source)
    at = None if center is None else np.concatenate([center[kept[first:] - first], np.zeros(s.size)])
    reduced_target = LogPosterior(small, _reduced_prior(prior, names, kept, s.size), Coordinates(at))
    return Wide(reduced_target, target, kept, reduced, mean, scale, basis)


def _normal_columns(target: LogPosterior) -> NDArray[np.intp]:
    """Slope columns that have a normal prior of their own, and are not so long that rounding would blur the others.

    A column is as long as the sd that it gives the log-odds under its prior. The sd of a coefficient far shorter than
    its prior's is a difference in the reduction, so columns that tower above the rest are carried over as they are.
    """
    design, first = target.design, int(target.design.has_intercept)
    picked = [
        (j, scale)
        for term in target.prior.terms
        if term.family == "normal" and term.map is None
        for j, scale in zip(term.columns, term.parameters["scale"], strict=True)
        if j >= first
    ]
    if not picked:
        return np.empty(0, dtype=np.intp)
    columns = np.array([j for j, _ in picked], dtype=np.intp)
    moments = design.moments
    spread = np.sqrt(moments.squares / moments.count + (0.0 if first else np.square(moments.mean)))
    length = spread[columns - first] * np.array([scale for _, scale in picked])
    usual = float(np.median(length[length > 0.0])) if np.any(length > 0.0) else 1.0
    return np.sort(columns[length <= _TOWERING * usual])


def _normal_parameters(prior: ResolvedPrior, reduced: NDArray[np.intp]) -> tuple[Array, Array]:
    mean, scale = np.zeros(len(prior.columns)), np.ones(len(prior.columns))
    for term in prior.terms:
        if term.family == "normal" and term.map is None:
            mean[list(term.columns)] = term.parameters["mean"]
            scale[list(term.columns)] = term.parameters["scale"]
    return mean[reduced], scale[reduced]


def _reduced_prior(prior: ResolvedPrior, names: tuple[str, ...], kept: NDArray[np.intp], r: int) -> ResolvedPrior:
    position = {int(j): i for i, j in enumerate(kept)}
    terms = []
    for term in prior.terms:
        own = [i for i, j in enumerate(term.columns) if j in position]
        if not own:
            continue
        columns = tuple(position[term.columns[i]] for i in own)
        if term.map is not None:
            linear = np.hstack([term.map[:, kept], np.zeros((term.map.shape[0], r))])
            terms.append(replace(term, columns=columns, map=linear))
        elif len(own) == len(term.columns):
            terms.append(replace(term, columns=columns))
        else:
            parameters = {key: np.asarray(value)[own] for key, value in term.parameters.items()}
            terms.append(replace(term, columns=columns, parameters=parameters))
    directions = tuple(range(kept.size, kept.size + r))
    terms.append(PriorTerm("normal", directions, {"mean": np.zeros(r), "scale": np.ones(r)}))
    return ResolvedPrior(names, tuple(terms), prior.name)


def _left_singular(scaled: Callable[[int], Iterator[tuple[slice, Array]]], n: int) -> tuple[Array, Array]:
    """Left singular vectors and singular values of the scaled rows A, shape (n, k): ``A A' = U diag(s^2) U'``."""
    K = np.zeros((n, n))
    for _, A in scaled(_COLUMNS_AT_ONCE):
        K += A @ A.T
    squares, U = eigh(K, check_finite=False)
    # Rows about their mean have one direction of nothing; any other that is small is a direction all the same, and
    # moves the mode by its length times a residual.
    seen = squares > _GRAM_NOISE * squares[-1]
    nothing = squares[~seen] <= 10.0 * n * _EPS * squares[-1]
    if seen.sum() >= n - 1 and nothing.all() and _EPS * squares[-1] <= 1e-2 * _GRAM_NOISE:
        return U[:, seen], np.sqrt(squares[seen])
    # The Gram matrix squares the condition number; the triangle of A' does not.
    R = np.zeros((0, n))
    for _, A in scaled(2 * n):
        (R,) = qr(np.vstack([R, A.T]), mode="r", overwrite_a=True, check_finite=False)
        R = R[:n]
    _, s, Vt = svd(R, full_matrices=False, check_finite=False)
    seen = s > n * _EPS * s[0]
    return Vt[seen].T, s[seen]
