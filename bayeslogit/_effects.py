"""Average effects of a variable on the probability: the variable is moved, and the rows are coded anew.

Moving the variable and not its columns makes polynomials, interactions and factors come out right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import quantities
from bayeslogit.arrays import ArraySpec
from bayeslogit.boundary import guarded
from bayeslogit.data import to_pandas
from bayeslogit.design import Design
from bayeslogit.draw_arguments import meant
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError
from bayeslogit.far_out import moments_of
from bayeslogit.formula import FormulaSpec
from bayeslogit.marginal import Move
from bayeslogit.results import Fit
from bayeslogit.summary import percent
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
KINDS = ("ame", "difference", "ratio")
# Step of a slope, in sds of the variable: its square is the relative error of the derivative of a curved term.
_STEP = 1e-4
_DRAWS = 4000
_NONE = np.full(1, np.nan)


@guarded
def effects(
    fit: Fit | Draws,
    column: str,
    kind: str = "ame",
    *,
    at: Mapping[str, Any] | None = None,
    between: tuple[Any, Any] | None = None,
    prob: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> Table:
    """Average effect of a variable on the probability of the event.

    Parameters
    ----------
    fit : Fit or Draws
        Of a fit, the Gaussian approximation at its mode is drawn from.
    column : str
        A variable of the data (not a column of the design).
    kind : {"ame", "difference", "ratio"}
        "ame" is the average slope ``d P / d x`` of a number, and for a factor the average difference between each level
        and its reference. "difference" and "ratio" compare the average probabilities when every row has the second or
        the first value of ``between``.
    at : mapping of str to value, optional
        Values at which other variables are held in every row; without, each row has its own.
    between : pair, optional
        The values to compare. Without, a number's own value and one unit more, 0 and 1 where it has no others, and
        every level of a factor with the reference.
    prob : float
        Probability of the equal-tailed interval.
    rng : int or Generator
        Of the draws, where a fit is given.

    Returns
    -------
    Table
        One row a comparison: posterior mean, sd, median, interval, and the Monte-Carlo error of the mean.

    Raises
    ------
    ArgumentError
        If the variable, the kind or the values cannot be right.
    FitError
        If the fit was loaded from a file, and so holds no rows.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> fit = bl.fit("switch ~ dist100 + arsenic", bl.datasets.load("wells"), prior=bl.Normal(2.5))
    >>> table = bl.effects(fit, "dist100")
    >>> round(table.column("mean")[0], 2)
    -0.21
    """
    if at is not None and not isinstance(at, Mapping):
        raise ArgumentError(f"effects(at={at!r}): give a value for each variable that is held, such as {{'age': 40}}.")
    if kind not in KINDS:
        raise ArgumentError(f"effects(kind={kind!r}): it is one of {', '.join(map(repr, KINDS))}.")
    draws = fit.sample("laplace", draws=_DRAWS, rng=rng) if isinstance(fit, Fit) else fit
    if not isinstance(draws, Draws):
        raise ArgumentError(f"effects({type(fit).__name__}, ...): a fit is needed, or its draws.")
    moves = moves_of(draws.data("effects()"), column, kind, dict(at or {}), between)
    rows: list[tuple[Cell, ...]] = []
    worst = 0.0
    for move in moves:
        how = "slope" if move.step else "ratio" if kind == "ratio" else "difference"

        def average(points: Array, move: Move = move, how: str = how) -> Array:
            return move.average(points, how)

        s = quantities.of_function(draws.rung, average, prob)
        mean, sd = moments_of(draws, average, f"effects({column!r}, {kind!r})")
        numbers = (s.mean if mean[0] else _NONE, s.sd if sd[0] else _NONE, s.median, s.lower, s.upper, s.mcse)
        called = move.name.replace(f"{column}:", f"{draws.labels.get(column, column)}:", 1)
        rows.append((called, *(float(each[0]) for each in numbers)))
        worst = max(worst, float(s.worst_interval_error[0]))
    return _table(draws, column, kind, at, prob, rows, bool(moves[0].step), worst)


def _table(
    draws: Draws,
    column: str,
    kind: str,
    at: Mapping[str, Any] | None,
    prob: float,
    rows: list[tuple[Cell, ...]],
    slope: bool,
    worst: float,
) -> Table:
    width = percent(prob)
    what = {
        "ame": "Average slope of the probability, per unit" if slope else "Average difference in probability",
        "difference": "Difference of average probabilities",
        "ratio": "Ratio of average probabilities",
    }[kind]
    held = "" if not at else "; " + ", ".join(f"{name} = {value}" for name, value in at.items())
    return Table(
        name="effects",
        title=f"Effect of {draws.labels.get(column, column)}",
        columns=(
            Column("comparison", "comparison"),
            Column("mean", "mean", "number"),
            Column("sd", "sd", "number"),
            Column("median", "median", "number"),
            Column("lower", f"{width} lower", "number"),
            Column("upper", f"{width} upper", "number"),
            Column("mcse", "Monte-Carlo error of the mean", "number"),
        ),
        rows=tuple(rows),
        header=(
            f"{what}, averaged over the observations{held}; posterior, equal-tailed {width} interval. "
            f"Rung: {draws.method}; {draws.verdict.level}.",
        ),
        notes=(f"Monte-Carlo errors of medians and ends of intervals are at most {worst:.1g} sd.",),
    )


def moves_of(design: Design, column: str, kind: str, at: dict[str, Any], between: tuple[Any, Any] | None) -> list[Move]:
    frame, spec = to_pandas(design.used_frame()), design.spec
    names = list(spec.names) if isinstance(spec, ArraySpec) else list(spec.variables)
    for name in (column, *at):
        if name not in names:
            near = meant(name, names) or "."
            raise ArgumentError(
                f"effects(): {name!r} is no variable of this model, which has {', '.join(names[:12])}{near}"
            )
    if column in at:
        raise ArgumentError(f"effects(at=...): {column!r} is the variable that moves; its values go in between=.")
    if between is not None and not _is_pair(between):
        raise ArgumentError(f"effects(between={between!r}): give the two values to compare, first and second.")
    frame = frame.assign(**at)
    _, trials, weights = design.outcome_arrays()
    offset = np.concatenate([block.offset for block in design.source.blocks()])

    def coded(values: Any) -> Array:
        return spec.rows(frame.assign(**{column: values})).toarray()

    def move(name: str, low: Any, high: Any, step: float = 0.0) -> Move:
        return Move(f"{column}: {name}", coded(low), coded(high), offset, weights * trials, step)

    if between is not None:
        return [move(f"{between[0]} to {between[1]}", *between)]
    if not isinstance(spec, ArraySpec) and (column in spec.levels or spec.factors.kinds[column] != "number"):
        reference, others = _levels(spec, column)
        return [move(f"{reference} to {level}", reference, level) for level in others]
    own = frame[column].to_numpy(dtype=np.float64)
    if kind != "ame":
        # A variable that is 0 or 1 is never 2.
        return [move("0 to 1", 0.0, 1.0) if set(np.unique(own)) == {0.0, 1.0} else move("1 more", own, own + 1.0)]
    half = _STEP * (float(np.std(own)) or 1.0)
    return [move("slope", own - half, own + half, 2.0 * half)]


def told_moves(design: Design, column: str) -> list[Move]:
    """What is told of a variable unasked: the slope of a number, the difference of levels and of 0 and 1.

    The slope of 0 and 1 at one of its ends may be more than a probability can change.
    """
    moves = moves_of(design, column, "difference", {}, None)
    return moves_of(design, column, "ame", {}, None) if moves[0].name == f"{column}: 1 more" else moves


def _is_pair(value: Any) -> bool:
    if not (isinstance(value, tuple | list) and len(value) == 2):
        return False
    return not any(isinstance(end, tuple | list | set | dict) or getattr(end, "ndim", 0) for end in value)


def _levels(spec: FormulaSpec, column: str) -> tuple[Any, list[Any]]:
    """The reference level of a factor, and the others."""
    levels = list(spec.levels.get(column, (False, True)))
    named = [level for key, level in spec.reference_levels.items() if key == column or key.startswith(f"C({column}")]
    reference = next((level for level in levels if str(level) in named), levels[0])
    return reference, [level for level in levels if level != reference]
