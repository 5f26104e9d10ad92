"""K-fold cross-validation: the prior is resolved anew in each fold, and every observation is predicted once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.criteria_folds import Fold as Fold
from bayeslogit.criteria_folds import FoldScores as FoldScores
from bayeslogit.criteria_folds import deal as deal
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.families import Prior
from bayeslogit.logistic import expected_expit
from bayeslogit.mode import Mode
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.solve import find_mode
from bayeslogit.table import Column, Table
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
PREDICTIONS = ("mode", "mean")


@dataclass(frozen=True, eq=False)
class CvResult:
    """K-fold cross-validation of one prior.

    Attributes
    ----------
    log_loss, log_loss_se : float
        Mean minus log predictive probability of an observation, nats, and its standard error over observations.
    brier, brier_se : float
        Mean squared error of the predicted probability.
    auc, auc_se : float
        Area under the ROC curve within folds, weighted by their size, and its standard error over folds; NaN where no
        fold holds both outcomes.
    elpd, se : float
        ``-n log_loss``, on the scale of leave-one-out.
    train_log_loss : float
        The same fits on the data they were made of.
    fold_log_loss : array, shape (folds,)
    fold_sizes : array, shape (folds,)
        Observations held out.
    n : float
        Observations.
    unit : {"observation", "row"}
    kind : {"mode", "mean"}
    prior : str
    failed : tuple of str
        Why a fold has no mode; its numbers are NaN, and so are the totals.
    """

    log_loss: float
    log_loss_se: float
    brier: float
    brier_se: float
    auc: float
    auc_se: float
    train_log_loss: float
    fold_log_loss: Array
    fold_sizes: Array
    n: float
    unit: str
    kind: str
    prior: str
    failed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        held: Sequence[FoldScores],
        train: Sequence[FoldScores],
        *,
        unit: str,
        kind: str,
        prior: str,
        failed: tuple[str, ...] = (),
    ) -> CvResult:
        """From the scores of every fold, held out and fitted."""
        sizes = np.array([each.n for each in held])
        n = float(sizes.sum())

        def total(values: Sequence[float]) -> float:
            return float(sizes @ np.array(values)) / n

        loss, brier = total([each.log_loss for each in held]), total([each.brier for each in held])
        squares = [total([each.squares[k] for each in held]) for k in range(2)]
        areas = np.array([each.auc for each in held])
        known = ~np.isnan(areas)
        mean, error = math.nan, math.nan
        if known.any():
            share = sizes[known] / sizes[known].sum()
            mean = float(share @ areas[known])
            if known.sum() > 1:
                error = math.sqrt(float(share @ np.square(areas[known] - mean)) / (int(known.sum()) - 1))
        fitted = np.array([each.n for each in train])
        return cls(
            log_loss=loss,
            log_loss_se=math.sqrt(max(squares[0] - loss**2, 0.0) / n) if math.isfinite(loss) else math.nan,
            brier=brier,
            brier_se=math.sqrt(max(squares[1] - brier**2, 0.0) / n) if math.isfinite(brier) else math.nan,
            auc=mean,
            auc_se=error,
            train_log_loss=float(fitted @ np.array([each.log_loss for each in train])) / float(fitted.sum()),
            fold_log_loss=np.array([each.log_loss for each in held]),
            fold_sizes=sizes,
            n=n,
            unit=unit,
            kind=kind,
            prior=prior,
            failed=failed,
        )

    @property
    def elpd(self) -> float:
        return -self.n * self.log_loss

    @property
    def se(self) -> float:
        return self.n * self.log_loss_se

    def table(self) -> Table:
        rows = (
            ("log loss (nats an observation)", self.log_loss, self.log_loss_se),
            ("log loss on the data of the fits", self.train_log_loss, None),
            ("Brier score", self.brier, self.brier_se),
            ("area under the ROC curve", self.auc, self.auc_se),
        )
        what = "observations" if self.unit == "observation" else "rows"
        how = "at the mode" if self.kind == "mode" else "averaged over the Gaussian approximation at the mode"
        return Table(
            name="cross_validation",
            title=f"Cross-validation, {self.fold_sizes.size} folds",
            columns=(Column("score", "score"), Column("value", "held out", "number"), Column("se", "se", "number")),
            rows=rows,
            header=(
                f"Prior: {self.prior}, resolved anew in each fold.",
                f"{self.n:,.10g} observations, {what} dealt to folds stratified on the outcome; probabilities {how}.",
            ),
            notes=(
                "The standard error of the area is that over folds, the others those over observations.",
                *self.failed,
            ),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def cross_validate(
    design: Design,
    prior: Prior,
    *,
    folds: int | Sequence[Fold] | ArrayLike = 10,
    rng: int | np.random.Generator = 0,
    unit: str = "observation",
    kind: str = "mode",
) -> CvResult:
    """Fit on all folds but one, predict that one, for each.

    Parameters
    ----------
    design : Design
    prior : Prior
        Resolved against the training rows of each fold: scales that depend on the data are those of the fold.
    folds : int or sequence of Fold
        Number of folds, or those that `deal` returned, to use the same for several priors.
    rng : int or Generator
        Deals the folds.
    unit : {"observation", "row"}
        What is dealt.
    kind : {"mode", "mean"}
        Probabilities at the mode, or averaged over its Gaussian approximation.

    Returns
    -------
    CvResult

    Raises
    ------
    ArgumentError
        If there are fewer observations than folds, or an argument cannot be right.
    """
    if kind not in PREDICTIONS:
        raise ArgumentError(f"kind={kind!r}: probabilities are those at the 'mode' or the posterior 'mean'.")
    ready = isinstance(folds, tuple) and bool(folds) and all(isinstance(fold, Fold) for fold in folds)
    dealt = cast("tuple[Fold, ...]", folds) if ready else deal(design, cast("int | ArrayLike", folds), rng, unit=unit)
    held: list[FoldScores] = []
    train: list[FoldScores] = []
    failed: list[str] = []
    for number, (fold, mode) in enumerate(_modes(dealt, prior), start=1):
        eta, probability = _predicted(design, mode, kind)
        y, trials, weights = fold.train.outcome_arrays()
        for scores, s, f in ((held, fold.successes, fold.failures), (train, weights * y, weights * (trials - y))):
            own = FoldScores.at(eta, s, f) if probability is None else FoldScores.of(eta, probability, s, f)
            scores.append(own)
        if not mode.converged:
            failed.append(f"Fold {number} has no mode: {mode.message}")
    return CvResult.of(held, train, unit=unit, kind=kind, prior=repr(prior), failed=tuple(failed))


def _modes(dealt: Sequence[Fold], prior: Prior) -> Iterator[tuple[Fold, Mode]]:
    start: Array | None = None
    for fold in dealt:
        target = LogPosterior.of(fold.train, prior.resolve(fold.train))
        mode = find_mode(target, start=start)
        start = mode.beta if mode.converged else None
        yield fold, mode


def _predicted(design: Design, mode: Mode, kind: str) -> tuple[Array, Array | None]:
    """Log-odds of every row, and probabilities if they are averaged; NaN without a mode."""
    blocks = list(design.source.blocks())
    if not mode.converged:
        nothing = np.full(sum(block.offset.size for block in blocks), np.nan)
        return nothing, nothing if kind == "mean" else None
    if kind == "mode":
        return np.concatenate([block.X.predict(mode.beta) + block.offset for block in blocks]), None
    posterior = LaplacePosterior.at(mode)
    parts = [posterior.linear_predictor(block.X, block.offset) for block in blocks]
    eta, sd = (np.concatenate(each) for each in zip(*parts, strict=True))
    return eta, expected_expit(eta, sd)


def one_standard_error(loss: Array, error: Array, scale: Array) -> int:
    """The narrowest prior whose loss is within one standard error of the best (Breiman et al. 1984).

    Parameters
    ----------
    loss, error : array, shape (m,)
        Cross-validated loss of each scale and its standard error; NaN for none.
    scale : array, shape (m,)
        Prior scales; smaller is narrower.

    Returns
    -------
    int
        Position of the one picked.

    Raises
    ------
    ArgumentError
        If no loss is finite.
    """
    known = np.isfinite(loss)
    if not known.any():
        raise ArgumentError("one_standard_error: no loss is finite, so none is best.")
    best = int(np.flatnonzero(known)[np.argmin(loss[known])])
    bound = loss[best] + (error[best] if np.isfinite(error[best]) else 0.0)
    within = np.flatnonzero(known & (loss <= bound) & (scale <= scale[best]))
    return int(within[np.argmin(scale[within])])
