"""Predictive criteria along an axis of prior scales: leave-one-out, and cross-validation on one deal of folds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import difference
from bayeslogit._path import along
from bayeslogit.comparison_rows import separate_units
from bayeslogit.criteria import LooResult
from bayeslogit.criteria_cv import CvResult, FoldScores, deal, one_standard_error
from bayeslogit.criteria_loo import leave_one_out
from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.families import Prior
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.scale_evidence import modes_along
from bayeslogit.solve import find_mode

Array = NDArray[np.float64]
# With more rows than this the flagged ones are not fitted again.
_MANY_ROWS = 2000


@dataclass(frozen=True, eq=False)
class LooCurve:
    """Leave-one-out along scales.

    Attributes
    ----------
    elpd, se : array, shape (S,)
        Nats, and the standard error as an estimate for new data.
    mcse : array, shape (S,)
        Monte-Carlo error.
    scores : array, shape (S, units)
        Of one copy of each observation.
    copies : array, shape (units,)
    notes : tuple of str
    """

    elpd: Array
    se: Array
    mcse: Array
    scores: Array
    copies: Array
    notes: tuple[str, ...]

    def below(self, best: int) -> tuple[Array, Array]:
        """How much lower each scale is than the best, and the paired standard error of that; each shape (S,)."""
        each = [difference(scores, self.scores[best], self.copies) for scores in self.scores]
        return np.array([d.value for d in each]), np.array([d.se for d in each])


def loo_along(
    design: Design,
    prior: ResolvedPrior,
    base: Base,
    scales: Array,
    *,
    kind: str,
    rng: int | np.random.Generator = 0,
) -> LooCurve:
    """Leave-one-out at every scale; the priors are held fixed as rows leave.

    Raises
    ------
    FitError
        If there is no mode, or the posterior is improper.
    """
    refits = 0 if design.n_rows > _MANY_ROWS else None
    seed = int(np.random.default_rng(rng).integers(1 << 62))
    units = separate_units(design)
    found: list[LooResult] = []
    notes: dict[str, None] = {}
    for scale, own, target, mode in modes_along(units.design, prior, base, scales):
        there = mode if mode.factor is not None else find_mode(target, start=mode.beta)
        result = leave_one_out(units.design, own, there, kind=kind, refits=refits, rng=seed)
        found.append(result)
        notes |= {f"Leave-one-out at scale {scale:.3g}: {note}": None for note in result.notes}
    return LooCurve(
        np.array([each.elpd for each in found]),
        np.array([each.se for each in found]),
        np.array([each.mcse for each in found]),
        np.array([each.elpd_i[units.used] / units.copies for each in found]),
        units.copies,
        tuple(notes)[:3],
    )


@dataclass(frozen=True, eq=False)
class CvCurve:
    """Cross-validation along scales: one `CvResult` a scale, all on the same folds."""

    scales: Array
    results: tuple[CvResult, ...]

    def of(self, name: str) -> Array:
        """A field of the results, shape (S,)."""
        return np.array([getattr(each, name) for each in self.results], dtype=np.float64)

    def one_se(self) -> int:
        """Position of the narrowest prior whose log loss is within one standard error of the best."""
        return one_standard_error(self.of("log_loss"), self.of("log_loss_se"), self.scales)


def cv_along(
    design: Design,
    prior: Prior,
    kind: str | None,
    scales: Array,
    *,
    folds: int,
    rng: int | np.random.Generator,
    unit: str = "observation",
) -> CvCurve:
    """Cross-validation at every scale, probabilities at the mode; each fold is one warm-started path.

    Parameters
    ----------
    prior : Prior
        Resolved anew in each fold, and so are the base scales of ``kind``.

    Raises
    ------
    FitError
        If some fold has no mode.
    ArgumentError
        If there are fewer observations than folds.
    """
    held: list[list[FoldScores]] = [[] for _ in scales]
    train: list[list[FoldScores]] = [[] for _ in scales]
    for fold in deal(design, folds, rng, unit=unit):
        resolved = prior.resolve(fold.train)
        y, trials, weights = fold.train.outcome_arrays()
        inside = weights * y, weights * (trials - y)
        path = modes_along(fold.train, resolved, Base.of(fold.train, resolved, kind), scales)
        try:
            for s, (_, _, _, mode) in enumerate(path):
                eta = _log_odds(design, mode)
                held[s].append(FoldScores.at(eta, fold.successes, fold.failures))
                train[s].append(FoldScores.at(eta, *inside))
        except FitError as error:
            raise FitError(f"Cross-validation: in one of {folds} folds, {error}") from error
    return CvCurve(
        scales,
        tuple(
            CvResult.of(own, fitted, unit=unit, kind="mode", prior=f"{prior!r} times {scale:.6g}")
            for scale, own, fitted in zip(scales, held, train, strict=True)
        ),
    )


def _log_odds(design: Design, mode: Mode) -> Array:
    return np.concatenate([block.X.predict(mode.beta) + block.offset for block in design.source.blocks()])


def effective_along(design: Design, prior: ResolvedPrior, base: Base, scales: Array) -> Array:
    """Effective parameters at each scale, shape (S,)."""
    return along(design, prior, base, scales, tol=1e-6, max_iter=200).effective


def log_steps(best: int, scales: Array, within: NDArray[np.bool_]) -> tuple[float, float]:
    """The scales about the best up to which all are within; 0 or infinity where the axis ends first."""
    low = best
    while low > 0 and within[low - 1]:
        low -= 1
    high = best
    while high < scales.size - 1 and within[high + 1]:
        high += 1
    lower = 0.0 if low == 0 else float(scales[low])
    return lower, math.inf if high == scales.size - 1 else float(scales[high])
