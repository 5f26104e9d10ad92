"""`tipping_point`: how different the prior would have to be for a conclusion to turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.ladder import ChainPlan, check_method, sample_posterior
from bayeslogit.mode import Mode
from bayeslogit.multiples import moves
from bayeslogit.new_rows import new_rows
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.predict import check_prob
from bayeslogit.quantities import tails
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.results import Fit
from bayeslogit.solve import find_mode
from bayeslogit.summary import percent
from bayeslogit.table import Cell, Column, Table
from bayeslogit.target import LogPosterior
from bayeslogit.tipping import (
    FARTHEST,
    FARTHEST_SAMPLED,
    INTERVAL,
    PROBABILITY,
    Claim,
    Summary,
    Turn,
    moved,
    multiplied,
    outwards,
    spread_of,
    term_of,
    walk,
)

Array = NDArray[np.float64]
# How closely a root is found: relative for scales, in prior sds for means; and where the margin itself has noise.
_WITHIN, _WITHIN_DRAWS = 1e-6, 1e-3
# Most pairs at each prior looked at: quantiles are good to some hundredths of an sd.
_PAIRS = 2000
_DIRECTIONS = ("tighter", "wider", "lower mean", "higher mean")


@dataclass(frozen=True, eq=False)
class TippingPoint:
    """Where a claim turns; made by `tipping_point`.

    Attributes
    ----------
    claim : Claim
    holds : bool
        Under the prior as it stands.
    scale_below, scale_above : float
        The multiple of all scales, below 1 and above it, nearest to 1 at which the claim turns; NaN if it never does.
    mean_below, mean_above : float
        The same for the prior mean of the claim's column, in its unit; NaN too where that prior has no mean to move.
    turns : dict of str to Turn
        The four directions, with how far each was followed.
    method : str
        What the claim was judged by: "mode", or a rung of the ladder.
    table : Table
    """

    claim: Claim
    holds: bool
    turns: dict[str, Turn]
    method: str
    table: Table

    def _at(self, direction: str) -> float:
        return self.turns[direction].at if direction in self.turns else math.nan

    @property
    def scale_below(self) -> float:
        return self._at("tighter")

    @property
    def scale_above(self) -> float:
        return self._at("wider")

    @property
    def mean_below(self) -> float:
        return self._at("lower mean")

    @property
    def mean_above(self) -> float:
        return self._at("higher mean")

    @property
    def never(self) -> bool:
        """Whether no direction turns it."""
        return not any(turn.turns for turn in self.turns.values())

    def __str__(self) -> str:
        return str(self.table)

    def __repr__(self) -> str:
        return f"<TippingPoint of {str(self.claim)!r}: {'never turns' if self.never else 'turns'}>"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


@guarded
def tipping_point(
    fit: Fit,
    claim: str | Claim,
    *,
    method: str | None = None,
    prob: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> TippingPoint:
    """The prior scale, or prior mean, at which a claim turns from true to false or back.

    Parameters
    ----------
    fit : Fit
    claim : str or Claim
        ``"OR(x) > 1"``, ``"interval of x excludes 0"`` (log-odds), or ``"p({'x': 2.0, 'z': 'yes'}) > 0.5"`` for one
        person. Columns are those of the coefficients.
    method : str, optional
        What the claim is judged by: "mode" is the mode with the Gaussian interval there; a rung of `Fit.sample` is the
        posterior median and interval, sampled at every prior looked at with the same seed ("importance" with some
        thousand pairs). Without it "mode", but "importance" for an interval under a prior with kinks, which has no
        Gaussian one.
    prob : float
        Of the interval.
    rng : int or Generator
        For the rungs that draw.

    Returns
    -------
    TippingPoint
        All scales but the intercept's are multiplied together, from 1 outwards to 10,000 and 1 / 10,000 (100 and
        1 / 100 where every step is sampled); the mean of the claim's column is moved from where it is by up to as many
        prior sds. The nearest turn each way is given; a claim that turns back and forth within one step of the walk
        may be missed.

    Raises
    ------
    ArgumentError
        If the claim cannot be read, or its column is not in the fit.
    FitError
        If the fit has no mode or no data, or its prior has nothing to change.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> fit = bl.fit("switch ~ arsenic + dist100", wells, prior=bl.Normal(2.5))
    >>> tip = bl.tipping_point(fit, "interval of arsenic excludes 0")
    >>> tip.holds, round(tip.scale_below, 5)
    (True, 0.00263)
    """
    if not isinstance(fit, Fit):
        raise ArgumentError(f"tipping_point({type(fit).__name__}, ...): a fit is needed, as bayeslogit.fit returns it.")
    if fit.design is None:
        raise FitError("tipping_point() needs the data, which a saved fit does not hold. Fit again.")
    if not fit.converged:
        raise FitError(f"There is no mode to begin from. {fit.mode.message}")
    check_prob(prob)
    said = claim if isinstance(claim, Claim) else Claim.parse(claim)
    judge = _Judge.of(fit, fit.design, said, method, prob, rng)
    turns = _walked(judge, fit.prior)
    value = judge.margin(fit.prior)
    return TippingPoint(said, value > 0.0, turns, judge.method, _table(judge, fit.prior, value > 0.0, turns, prob))


@dataclass
class _Judge:
    """A claim's margin under any prior, each search from the mode of the one before."""

    design: Design
    claim: Claim
    row: Array
    offset: float
    column: int | None
    method: str
    prob: float
    seed: int
    last: Mode
    sampled: int = 0
    doubtful: int = 0

    @classmethod
    def of(
        cls, fit: Fit, design: Design, claim: Claim, method: str | None, prob: float, rng: int | np.random.Generator
    ) -> _Judge:
        column, offset = None, 0.0
        row = np.zeros(len(fit.columns))
        if claim.kind == PROBABILITY:
            given = new_rows(dict(claim.at), fit.spec, None, has_offset=fit.facts.has_offset)
            if given.rows.shape[0] != 1:
                raise ArgumentError(f"claim {claim}: one person is needed, not {given.rows.shape[0]}.")
            row, offset = given.rows.toarray()[0], float(given.offset[0])
        else:
            if claim.column not in fit.columns:
                raise ArgumentError(
                    f"claim {claim}: no column {claim.column!r}; there are {', '.join(fit.columns[:8])}."
                )
            column = fit.columns.index(claim.column)
            row[column] = 1.0
        kinks = bool(LogPosterior.of(design, fit.prior).kinks)
        if method is None:
            method = "importance" if kinks and claim.kind == INTERVAL else "mode"
        name = "mode" if method == "mode" else check_method(method)
        seed = int(np.random.default_rng(rng).integers(1 << 31))
        return cls(design, claim, row, offset, column, name, prob, seed, fit.mode)

    @property
    def draws(self) -> bool:
        return self.method != "mode"

    @property
    def within(self) -> float:
        return _WITHIN_DRAWS if self.draws else _WITHIN

    @property
    def farthest(self) -> float:
        return FARTHEST_SAMPLED if self.draws else FARTHEST

    def margin(self, prior: ResolvedPrior) -> float:
        """NaN where there is no posterior."""
        target = LogPosterior.of(self.design, prior)
        mode = find_mode(target, start=self.last.beta)
        if not mode.converged:
            return math.nan
        self.last = mode
        return self.claim.margin(self._at_mode(mode) if self.method == "mode" else self._by_draws(target, mode))

    def _at_mode(self, mode: Mode) -> Summary:
        middle = float(self.row @ mode.beta) + self.offset
        if self.claim.kind != INTERVAL:
            return Summary(middle, math.nan, math.nan)
        half = float(ndtri(0.5 + self.prob / 2.0)) * float(LaplacePosterior.at(mode).sd[self.column])
        return Summary(middle, middle - half, middle + half)

    def _by_draws(self, target: LogPosterior, mode: Mode) -> Summary:
        rng = np.random.default_rng(self.seed)
        try:
            if self.method == "importance":
                rung = sample_importance(target, mode, 1, rng, max_pairs=_PAIRS)
            else:
                rung, _ = sample_posterior(target, mode, self.method, 4000, rng, ChainPlan(allowed=False))
        except FitError:
            return Summary(math.nan, math.nan, math.nan)
        self.sampled += 1
        self.doubtful += rung.level == "failed"
        found, _ = rung.linear_quantile(self.row[None], tails(self.prob))
        return Summary(*(float(each) + self.offset for each in found[:, 0]))


def _walked(judge: _Judge, prior: ResolvedPrior) -> dict[str, Turn]:
    turns: dict[str, Turn] = {}
    start = judge.last
    if any(moves(term, prior.columns) for term in prior.terms):

        def of_scale(log_by: float) -> float:
            return judge.margin(multiplied(prior, math.exp(log_by)))

        for name, sign in zip(_DIRECTIONS[:2], (-1.0, 1.0), strict=True):
            judge.last = start
            found = walk(
                of_scale, 0.0, outwards(0.0, sign, math.log(judge.farthest), sampled=judge.draws), judge.within
            )
            turns[name] = Turn(math.exp(found.at), math.exp(found.reached), found.problem)
    column = judge.column
    if column is not None and term_of(prior, column) is not None:
        mean, spread = float(prior.means()[column]), spread_of(prior, column)

        def of_mean(at: float) -> float:
            return judge.margin(moved(prior, column, at))

        for name, sign in zip(_DIRECTIONS[2:], (-1.0, 1.0), strict=True):
            judge.last = start
            away = outwards(mean, sign * spread, judge.farthest, sampled=judge.draws)
            turns[name] = walk(of_mean, mean, away, judge.within * spread)
    if not turns:
        raise FitError(f"The prior {prior.name} has no scale to multiply and no mean to move.")
    return turns


def _table(judge: _Judge, prior: ResolvedPrior, holds: bool, turns: dict[str, Turn], prob: float) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, turn.at, _prior_there(judge, prior, name, turn), turn.reached, _words(name, holds, turn))
        for name, turn in turns.items()
    ]
    interval = judge.claim.kind == INTERVAL
    by = f"posterior median{' and interval' if interval else ''} ({judge.method})"
    if not judge.draws:
        by = "mode and the Gaussian interval there" if interval else "mode"
    return Table(
        name="tipping-point",
        title=f"Tipping point: {judge.claim}",
        columns=(
            Column("direction", "prior made"),
            Column("at", "turns at", "number"),
            Column("prior", "prior there"),
            Column("reached", "followed to", "number"),
            Column("in_words", "in words"),
        ),
        rows=tuple(rows),
        header=(
            f"The claim {'holds' if holds else 'does not hold'} under {prior.name}. "
            f"Judged by the {by}{f', {percent(prob)}' if interval else ''}.",
            "Tighter and wider: multiples of the scales of all slopes. Means are those of the claim's own column.",
        ),
        notes=(*_missing(judge, turns), *_doubts(judge)),
    )


def _doubts(judge: _Judge) -> tuple[str, ...]:
    if not judge.doubtful:
        return ()
    return (f"At {judge.doubtful} of the {judge.sampled} priors looked at the verdict on the draws was 'failed'.",)


def _missing(judge: _Judge, turns: dict[str, Turn]) -> tuple[str, ...]:
    if len(turns) == len(_DIRECTIONS):
        return ()
    if "tighter" not in turns:
        return ("No slope has a prior whose scale can be multiplied.",)
    if judge.column is None:
        return ("A claim about a person has no column of its own whose prior mean could be moved.",)
    return ("The prior of this column has no mean of its own to move.",)


def _prior_there(judge: _Judge, prior: ResolvedPrior, name: str, turn: Turn) -> str | None:
    if not turn.turns or judge.column is None:
        return None
    there = multiplied(prior, turn.at) if name in _DIRECTIONS[:2] else moved(prior, judge.column, turn.at)
    return there.labels()[judge.column]


def _words(name: str, holds: bool, turn: Turn) -> str:
    if turn.problem:
        return f"does not turn as far as it could be followed; {turn.problem}"
    if not turn.turns:
        return f"never turns: {'holds all the way' if holds else 'holds nowhere on the way'}"
    return "holds up to there" if holds else "holds from there on"
