"""Predictive criteria along an axis of prior scales: leave-one-out, and cross-validation on one deal of folds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._compare import difference
from bayeslogit._path import along
from bayeslogit.comparison_rows import separate_units
from bayeslogit.criteria import IMPROPER, LooResult
from bayeslogit.criteria_cv import CvResult, FoldScores, deal, one_standard_error
from bayeslogit.criteria_folds import Fold
from bayeslogit.criteria_loo import leave_one_out
from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.families import Prior
from bayeslogit.logistic import log_likelihoods
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base
from bayeslogit.posterior.variational import Gaussian
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.scale_evidence import modes_along
from bayeslogit.scale_folds import FoldsAbreast, serves
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior
from bayeslogit.waiting import Show, quiet

Array = NDArray[np.float64]
# With more rows than this the flagged ones are not fitted again.
_MANY_ROWS = 2000
# Spacing on the logarithm of the scale of the points between which smooth criteria of many rows are splined: within 20
# nats of the best that is right to some thousandths of a nat.
_APART = 0.2
# Monte-Carlo error at one scale, nats; neighbouring scales have the same draws, and so nearly the same error.
_COARSE = 0.02
# Most refits of posteriors at one scale; under kinks that are about as wide as a posterior many ask for it.
_FEW_REFITS = 20
# Scales whose Gaussians tell where the next one is.
_LEAST_PASSED = 3


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
    show: Show = quiet,
) -> LooCurve:
    """Leave-one-out at every scale; the priors are held fixed as rows leave.

    Raises
    ------
    FitError
        If there is no mode, or the posterior is improper.
    """
    refits = 0 if design.n_rows > _MANY_ROWS else None
    each_time = _FEW_REFITS if refits is None and kind == "posterior" else refits
    seed = int(np.random.default_rng(rng).integers(1 << 62))
    units = separate_units(design)
    found: list[LooResult] = []
    notes: dict[str, None] = {}
    # Averages over the posterior are smooth in the scale; the mode has corners where coefficients leave their kinks,
    # and refits are of some sites here and of others there.
    smooth = refits == 0 and (kind == "posterior" or not LogPosterior(design, prior).kinks)
    picked = anchors(scales) if smooth else np.arange(scales.size)
    passed: list[tuple[float, Gaussian]] = []
    for scale, own, target, mode in modes_along(units.design, prior, base, scales[picked]):
        there = mode if mode.factor is not None or kind == "posterior" else find_mode(target, start=mode.beta)
        near = foreseen(scale, passed)
        result = leave_one_out(
            units.design, own, there, kind=kind, refits=each_time, rng=seed, near=near, error=_COARSE
        )
        lost = np.flatnonzero(result.flags == IMPROPER)
        if lost.size:
            row = f"row {lost[0]}" if lost[0] < design.n_rows else "some row"
            raise FitError(
                f"Leave-one-out: the posterior without {row} is improper at scale {scale:.3g}, so that its log score "
                "is minus infinity. Give every column a proper prior, the intercept too, for example "
                "bayeslogit.priors(default=bayeslogit.Normal(1), intercept=bayeslogit.Normal(5))."
            )
        if not math.isfinite(result.elpd):
            raise FitError(
                f"Leave-one-out: at scale {scale:.3g} some observation has a log score of minus infinity, as the "
                "estimates run to infinity without it. Give every column a proper prior."
            )
        found.append(result)
        passed = [*passed[-2:], (scale, result.gaussian)] if result.gaussian is not None else []
        show("leave-one-out", len(found), picked.size)
        notes |= {f"Leave-one-out at scale {scale:.3g}: {note}": None for note in result.notes}
    scores = np.array([each.elpd_i[units.used] / units.copies for each in found])
    if picked.size < scales.size:
        scores = through(scales, picked, scores)
        notes[f"Leave-one-out worked out at {picked.size} of {scales.size} scales, a cubic spline between."] = None
    total = scores @ units.copies
    spread = np.square(scores - (total / units.copies.sum())[:, None]) @ units.copies
    return LooCurve(
        total,
        np.sqrt(spread),
        np.interp(np.log(scales), np.log(scales[picked]), [each.mcse for each in found]),
        scores,
        units.copies,
        tuple(notes)[-3:],
    )


def anchors(scales: Array) -> NDArray[np.intp]:
    """Positions on a fine axis between which the cubic spline takes the place of a smooth curve."""
    logs, picked = np.log(scales), [0]
    while picked[-1] < scales.size - 1:
        last = picked[-1]
        reach = int(np.searchsorted(logs, logs[last] + _APART, side="right")) - 1
        picked.append(max(reach, last + 1))
    return np.array(picked, dtype=np.intp)


def through(scales: Array, picked: NDArray[np.intp], values: Array) -> Array:
    """The cubic spline in the logarithm of the scale, at all scales; values of shape (picked, ...)."""
    from scipy.interpolate import CubicSpline

    logs = np.log(scales)
    # The spline is linear in the values: it is worked out once, not for every row.
    shares = CubicSpline(logs[picked], np.eye(picked.size))(logs)
    result: Array = np.tensordot(shares, values, axes=1)
    return result


def foreseen(scale: float, passed: Sequence[tuple[float, Gaussian]]) -> Gaussian | None:
    """Where the nearest Gaussians at the last scales point: polynomials in the logarithm of the scale through them.

    Of means, of the logarithms of the precisions' diagonals, and of what they are in units of these.
    """
    if len(passed) < _LEAST_PASSED:
        return passed[-1][1] if passed else None
    logs, at = [math.log(each) for each, _ in passed], math.log(scale)
    share = [math.prod((at - b) / (a - b) for b in logs if b != a) for a in logs]
    precisions = [gaussian.precision for _, gaussian in passed]
    units = [np.sqrt(np.diag(each)) for each in precisions]
    inside = sum(w * each / np.outer(d, d) for w, each, d in zip(share, precisions, units, strict=True))
    unit = np.exp(sum(w * np.log(d) for w, d in zip(share, units, strict=True)))
    mean = sum(w * gaussian.mean for w, (_, gaussian) in zip(share, passed, strict=True))
    return Gaussian.of_precision(np.asarray(mean), inside * np.outer(unit, unit)) or passed[-1][1]


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
    folds: int | ArrayLike,
    rng: int | np.random.Generator,
    unit: str = "observation",
    show: Show = quiet,
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
    dealt = deal(design, folds, rng, unit=unit)
    held: list[list[FoldScores]] = [[] for _ in scales]
    train: list[list[FoldScores]] = [[] for _ in scales]
    try:
        for s, scores in _scored(design, dealt, prior, kind, scales):
            for own, fitted in scores:
                held[s].append(own)
                show("cross-validation", sum(map(len, held)), len(dealt) * scales.size)
                train[s].append(fitted)
    except FitError as error:
        words = str(error)
        words = f"{words[:1].lower()}{words[1:]}" if words.startswith("At scale") else words
        raise FitError(f"Cross-validation: in one of {len(dealt)} folds, {words}") from error
    return CvCurve(
        scales,
        tuple(
            CvResult.of(own, fitted, unit=unit, kind="mode", prior=f"{prior!r} times {scale:.6g}")
            for scale, own, fitted in zip(scales, held, train, strict=True)
        ),
    )


def _scored(
    design: Design, dealt: Sequence[Fold], prior: Prior, kind: str | None, scales: Array
) -> Iterator[tuple[int, list[tuple[FoldScores, FoldScores]]]]:
    """Position of a scale, and what some folds score there: held out, and on the data of their fits."""
    if serves(design, prior.resolve(design)):
        yield from enumerate(FoldsAbreast.of(design, dealt, prior, kind).along(scales))
        return
    y, trials, weights = design.outcome_arrays()
    whole = weights * y, weights * (trials - y)
    for fold in dealt:
        resolved = prior.resolve(fold.train)
        path = modes_along(fold.train, resolved, Base.of(fold.train, resolved, kind), scales)
        for s, (_, _, _, mode) in enumerate(path):
            eta = _log_odds(design, mode)
            own = FoldScores.at(eta, fold.successes, fold.failures)
            yield s, [(own, own.rest_of(float(log_likelihoods(eta[:, None], *whole)[0]), fold.train.nobs))]


def _log_odds(design: Design, mode: Mode) -> Array:
    return np.concatenate([block.X.predict(mode.beta) + block.offset for block in design.source.blocks()])


def effective_along(design: Design, prior: ResolvedPrior, base: Base, scales: Array) -> Array:
    """Effective parameters at each scale, shape (S,)."""
    smooth = not LogPosterior(design, prior).kinks
    picked = anchors(scales) if smooth else np.arange(scales.size)
    found = along(design, prior, base, scales[picked], tol=1e-6, max_iter=200).effective
    return found if picked.size == scales.size else through(scales, picked, found)


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
