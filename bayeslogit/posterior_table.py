"""The coefficient table of a posterior: median, sd and quantiles, with the mode as a further column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.summary import odds_ratio, percent
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PosteriorColumns:
    """What a posterior says about each coefficient; every array has shape (p,), on the log-odds scale.

    Attributes
    ----------
    median, sd, lower, upper : array
        ``sd`` is NaN where it does not exist.
    direction : array
        Probability of the sign of the median.
    mode : array
    mcse, direction_mcse : array
        Monte-Carlo errors of the median and of the probability of its sign.
    """

    names: tuple[str, ...]
    median: Array
    sd: Array
    lower: Array
    upper: Array
    direction: Array
    mode: Array
    mcse: Array
    direction_mcse: Array
    prior: tuple[str, ...]


def posterior_table(
    columns: PosteriorColumns,
    *,
    prob: float,
    header: Sequence[str],
    notes: Sequence[str],
    reference_levels: Mapping[str, str],
) -> Table:
    """One row a coefficient."""
    c = columns
    width = percent(prob)
    ratios = odds_ratio(np.column_stack([c.median, c.lower, c.upper]))
    numbers = np.column_stack([c.median, c.sd, c.lower, c.upper, ratios, c.direction, c.mode])
    rows: list[tuple[Cell, ...]] = [(name, *map(float, numbers[j]), c.prior[j]) for j, name in enumerate(c.names)]
    references = tuple(f"{factor}: compared with {level}." for factor, level in reference_levels.items())
    return Table(
        name="posterior",
        title="Coefficients (posterior)",
        columns=(
            Column("term", "term"),
            Column("estimate", "log-odds (posterior median)", "number"),
            Column("sd", "sd", "number"),
            Column("lower", f"{width} lower", "number"),
            Column("upper", f"{width} upper", "number"),
            Column("odds_ratio", "odds ratio (median)", "ratio"),
            Column("or_lower", f"OR {width} lower", "ratio"),
            Column("or_upper", f"OR {width} upper", "ratio"),
            Column("p_direction", "P(direction)", "percent"),
            Column("mode", "mode", "number"),
            Column("prior", "prior"),
        ),
        rows=tuple(rows),
        header=tuple(header),
        notes=(*references, *notes),
    )


def posterior_tidy(columns: PosteriorColumns, *, exponentiate: bool) -> dict[str, Any]:
    """The same as the columns of a tidy frame; odds ratios carry no standard error."""
    c = columns
    found: dict[str, Any] = {"term": list(c.names), "estimate": c.median, "std_error": c.sd}
    found |= {"conf_low": c.lower, "conf_high": c.upper, "p_direction": c.direction, "mode": c.mode}
    found |= {"mcse": c.mcse, "p_direction_mcse": c.direction_mcse, "prior": list(c.prior)}
    if exponentiate:
        del found["std_error"], found["mcse"]
        for key in ("estimate", "conf_low", "conf_high", "mode"):
            found[key] = odds_ratio(found[key])
    return found


def beside_mode_table(
    names: Sequence[str], mode: Array, mode_sd: Array, moments: tuple[Array, Array, Array], header: str, note: str
) -> Table:
    """The Gaussian approximation at the mode beside posterior means, sds and Monte-Carlo errors of the means."""
    mean, sd, mcse = moments
    numbers = np.column_stack([mode, mean, (mean - mode) / sd, mcse / sd, mode_sd, sd, mode_sd / sd])
    return Table(
        name="beside-mode",
        title="The Gaussian approximation beside the posterior",
        columns=(
            Column("term", "term"),
            Column("mode", "mode", "number"),
            Column("mean", "posterior mean", "number"),
            Column("shift", "mean \u2212 mode, in sd", "number"),
            Column("mcse", "Monte-Carlo error, in sd", "number"),
            Column("mode_sd", "sd at the mode", "number"),
            Column("sd", "posterior sd", "number"),
            Column("ratio", "ratio of sds", "ratio"),
        ),
        rows=tuple((name, *map(float, row)) for name, row in zip(names, numbers, strict=True)),
        header=(header,),
        notes=(note,),
    )


def equivalence_table(names: Sequence[str], numbers: Array, header: str, notes: Sequence[str]) -> Table:
    """Columns of ``numbers``: width, P(below), P(inside), P(above), Monte-Carlo error of P(inside), mode."""
    return Table(
        name="equivalence",
        title="Practical equivalence to zero",
        columns=(
            Column("term", "term"),
            Column("within", "counts as nothing", "number"),
            *(Column(key, f"P({key})", "percent") for key in ("below", "inside", "above")),
            Column("mcse", "Monte-Carlo error of P(inside)", "number"),
            Column("mode", "mode", "number"),
        ),
        rows=tuple((name, *map(float, row)) for name, row in zip(names, numbers, strict=True)),
        header=(header,),
        notes=tuple(notes),
    )


def odds_table(names: Sequence[str], numbers: Array, width: str, header: str, *, estimate: str = "median") -> Table:
    """Columns of ``numbers``: step, and log-odds of that step (median or mode, lower, upper)."""
    ratios = odds_ratio(numbers[:, 1:])
    return Table(
        name="odds-ratios",
        title="Odds ratios",
        columns=(
            Column("term", "term"),
            Column("per", "per", "number"),
            Column("odds_ratio", f"odds ratio ({estimate})", "ratio"),
            Column("lower", f"{width} lower", "ratio"),
            Column("upper", f"{width} upper", "ratio"),
        ),
        rows=tuple((name, float(numbers[j, 0]), *map(float, ratios[j])) for j, name in enumerate(names)),
        header=(header,),
    )
