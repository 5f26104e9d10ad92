"""The coefficient table: what the fit says about each term, with its interval, its prior, and the prior's share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.diagnostics import PULL_IN_WORDS, share_in_words
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficients:
    """What is said about each coefficient; every array has shape (p,), on the log-odds scale.

    ``pull`` is None where every prior is normal or flat.
    """

    names: tuple[str, ...]
    estimate: Array
    sd: Array
    lower: Array
    upper: Array
    prior: tuple[str, ...]
    share: Array
    pull: Array | None = None
    pull_by: tuple[str, ...] = ()


def percent(prob: float) -> str:
    """An interval's probability as words: "95 %"."""
    return f"{100.0 * prob:.6g} %"


def odds_ratio(log_odds: Array) -> Array:
    """Odds ratios of log-odds; infinity where it overflows."""
    with np.errstate(over="ignore"):
        return np.exp(log_odds)


def coefficient_table(
    coefficients: Coefficients,
    *,
    prob: float,
    header: Sequence[str],
    notes: Sequence[str],
    reference_levels: Mapping[str, str],
) -> Table:
    """One row a coefficient: mode, sd, interval, odds ratio with its own interval, prior, prior share or pull."""
    c = coefficients
    width = percent(prob)
    ratios = odds_ratio(np.column_stack([c.estimate, c.lower, c.upper]))
    rows: list[tuple[Cell, ...]] = []
    for j, name in enumerate(c.names):
        share = float(c.share[j])
        rows.append(
            (
                name,
                float(c.estimate[j]),
                float(c.sd[j]),
                float(c.lower[j]),
                float(c.upper[j]),
                *map(float, ratios[j]),
                c.prior[j],
                share,
                share_in_words(share),
                *(() if c.pull is None else (float(c.pull[j]), c.pull_by[j] or None)),
            )
        )
    references = tuple(f"{factor}: compared with {level}." for factor, level in reference_levels.items())
    return Table(
        name="coefficients",
        title="Coefficients",
        columns=(
            Column("term", "term"),
            Column("estimate", "log-odds (mode)", "number"),
            Column("sd", "sd", "number"),
            Column("lower", f"{width} lower", "number"),
            Column("upper", f"{width} upper", "number"),
            Column("odds_ratio", "odds ratio", "ratio"),
            Column("or_lower", f"OR {width} lower", "ratio"),
            Column("or_upper", f"OR {width} upper", "ratio"),
            Column("prior", "prior"),
            Column("prior_share", "prior share", "percent"),
            Column("led_by", "led by"),
            *(() if c.pull is None else (Column("pull", "pull, sds", "number"), Column("pull_by", "pull by"))),
        ),
        rows=tuple(rows),
        header=tuple(header),
        notes=(*references, *notes, *(() if c.pull is None else (PULL_IN_WORDS,))),
    )


def tidy_columns(coefficients: Coefficients, *, exponentiate: bool) -> dict[str, Any]:
    """The coefficients as the columns of a tidy frame; odds ratios carry no standard error of a log-odds."""
    c = coefficients
    columns: dict[str, Any] = {"term": list(c.names), "estimate": c.estimate, "std_error": c.sd}
    columns |= {"conf_low": c.lower, "conf_high": c.upper, "prior": list(c.prior), "prior_share": c.share}
    if c.pull is not None:
        columns |= {"pull": c.pull, "pull_by": list(c.pull_by)}
    if exponentiate:
        del columns["std_error"]
        for key in ("estimate", "conf_low", "conf_high"):
            columns[key] = odds_ratio(columns[key])
    return columns
