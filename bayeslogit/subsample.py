"""Where to start: the mode and the information of a sub-sample of the rows.

The rows are drawn at random within each class (never the first ones: data come sorted), as many events as non-events as
far as there are, and weighted up to their class, so that rare events are there. What the sample has missed of a column,
such as a rare level, is added to its information at average curvature. Nothing is inferred from the sample: it is a
starting point and a preconditioner, and a bad one costs passes, not digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.sources.drawn import Drawn, draw, rates
from bayeslogit.sources.matrix import stack
from bayeslogit.sources.memory import Block, MemorySource
from bayeslogit.sources.spread import Spread
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.target import Expansion, LogPosterior

Array = NDArray[np.float64]
_SEED = 20_071
_MOST_STEPS = 12


@dataclass(frozen=True)
class Start:
    """A point near the mode and a matrix near the information there, in working coordinates."""

    gamma: Array
    metric: Factor
    rows: int


def sample_size(n: int, p: int) -> int:
    """Rows that make a preconditioner good to about a tenth."""
    return max(60 * p, n // 64)


def _stratified(design: Design, rows: int) -> Design:
    return _subset(design, *_strata(design, rows))


def sample_start(target: LogPosterior, gamma: Array, rows: int) -> Start | None:
    """The mode of about ``rows`` random rows, looked for from ``gamma``; None if their information is singular."""
    spread = isinstance(target.design.source, Spread)
    design = (_drawn if spread else _stratified)(target.design, rows)
    picked = design.source.n_rows
    part = replace(target, design=design, at=target.coordinates)
    missing = _missing(target.design, design)
    # The sample's mode is about sqrt(p n / rows) sds from that of all rows; a tenth of it is near enough.
    enough = 0.1 * math.sqrt(gamma.size * target.design.n_rows / picked)
    state = part.expand(gamma)
    factor = None
    for _ in range(_MOST_STEPS):
        information = state.information.copy()
        information[np.diag_indices_from(information)] += missing
        factor = cholesky_factor(information, design.source.compiled)
        if factor is None:
            return None
        direction = factor.solve(state.score, design.source.compiled)
        if math.sqrt(max(float(direction @ state.score), 0.0)) <= enough:
            break
        moved = _step(part, gamma, direction, state)
        if moved is None:
            break
        gamma, state = moved
    return None if factor is None else Start(gamma, factor, picked)


def _step(part: LogPosterior, gamma: Array, direction: Array, state: Expansion) -> tuple[Array, Expansion] | None:
    length = 1.0
    while length > 1e-3:
        there = part.expand(gamma + length * direction)
        if there.log_density > state.log_density:
            return gamma + length * direction, there
        length /= 2.0
    return None


def _strata(design: Design, rows: int) -> tuple[NDArray[np.int64], Array]:
    """Positions of the picked rows, ascending, and by how much each is weighted up."""
    y, _, weights = design.outcome_arrays()
    rng = np.random.default_rng(_SEED)
    classes = [np.flatnonzero((weights > 0.0) & (y > 0.0)), np.flatnonzero((weights > 0.0) & (y == 0.0))]
    smaller = min(classes[0].size, classes[1].size, rows // 2)
    picked, scale = [], []
    for members in classes:
        size = min(members.size, rows - smaller if members.size > smaller else smaller)
        if size:
            picked.append(members[rng.choice(members.size, size, replace=False, shuffle=False)])
            scale.append(np.full(size, members.size / size))
    positions, factors = np.concatenate(picked), np.concatenate(scale)
    order = np.argsort(positions)
    return positions[order].astype(np.int64), factors[order]


@dataclass(frozen=True)
class _Picked:
    """Some rows of some blocks; two of them add."""

    blocks: tuple[Block, ...]

    def __add__(self, other: _Picked) -> _Picked:
        return _Picked(self.blocks + other.blocks)


def _pick(block: Block, positions: NDArray[np.int64]) -> _Picked:
    low, high = np.searchsorted(positions, [block.start, block.start + block.y.size])
    if low == high:
        return _Picked(())
    rows = positions[low:high] - block.start
    return _Picked(
        (Block(block.X.take(rows), block.y[rows], block.trials[rows], block.weights[rows], block.offset[rows]),)
    )


def _subset(design: Design, positions: NDArray[np.int64], scale: Array) -> Design:
    return _stacked(design, design.reduce(_pick, positions).blocks, scale)


def _stacked(design: Design, blocks: tuple[Block, ...], scale: Array) -> Design:
    y, trials, weights, offset = (
        np.concatenate([getattr(block, key) for block in blocks]) for key in ("y", "trials", "weights", "offset")
    )
    source = MemorySource(
        stack([block.X for block in blocks]), y, trials, weights * scale, offset, loops=design.source.compiled
    )
    return replace(design, source=source)


# --- rows that are not in memory ----------------------------------------------------------------------------------


def _drawn(design: Design, rows: int) -> Design:
    """The rows that the first pass has drawn; of a source that has none a pass draws them, in any order."""
    source = design.source
    drawn: Drawn | None = source.drawn if isinstance(source, Spread) else None
    if drawn is None or not drawn.blocks:
        share = design.n_events / design.nobs
        drawn = design.reduce(draw, *rates(max(design.n_rows, 1), len(design.columns), share))
    blocks, (events, others) = drawn.blocks, drawn.members
    happened = np.concatenate([block.y > 0.0 for block in blocks]) if blocks else np.zeros(0, dtype=bool)
    scale = np.where(happened, events / max(happened.sum(), 1), others / max((~happened).sum(), 1))
    return _stacked(design, blocks, scale)


def _missing(whole: Design, part: Design) -> Array:
    """Information of each column that a sample holds less than half of, at the variance of the event rate."""
    all_squares, squares = whole.moments.squares, part.moments.squares
    rate = whole.n_events / whole.nobs
    lacking = np.where(squares < 0.5 * all_squares, all_squares - squares, 0.0) * rate * (1.0 - rate)
    return np.concatenate([[0.0], lacking]) if whole.has_intercept else lacking
