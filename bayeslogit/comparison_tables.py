"""A comparison as tables: numbers of several posteriors side by side. Nothing is estimated here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import BayesFactor, Difference, Evidence
from bayeslogit.disagreement import Region
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Leave-one-out prediction under one fit, or why there is none.

    Attributes
    ----------
    elpd, se, p : float
        NaN without.
    each : array, shape (units,)
        Log score of one copy of each unit.
    flagged : int
        Rows whose score is in doubt.
    reason : str
    """

    elpd: float
    se: float
    p: float
    each: Array
    flagged: int = 0
    reason: str = ""

    @classmethod
    def none(cls, reason: str) -> Scores:
        return cls(math.nan, math.nan, math.nan, np.zeros(0), reason=reason)


@dataclass(frozen=True)
class Entry:
    """One fit of a comparison, as arrays.

    Attributes
    ----------
    name, prior : str
    columns : tuple of str
    median, sd, lower, upper : array, shape (p,)
        Of the posterior; NaN where there is none.
    evidence : Evidence
    scores : Scores
    effective_parameters : float
    rung, level : str
        Where the posterior comes from, and its verdict; a dash without a posterior.
    reason : str
        Why there is no posterior; empty if there is one.
    flat : str
        The flat columns, in words; empty without any.
    """

    name: str
    prior: str
    columns: tuple[str, ...]
    median: Array
    sd: Array
    lower: Array
    upper: Array
    evidence: Evidence
    scores: Scores
    effective_parameters: float
    rung: str
    level: str
    reason: str = ""
    flat: str = ""

    def of(self, values: Array, column: str) -> float:
        """One of its arrays at a column; NaN where it has no such column."""
        return float(values[self.columns.index(column)]) if column in self.columns else math.nan


def all_columns(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Columns of any fit, in the order in which they first appear."""
    return tuple(dict.fromkeys(column for entry in entries for column in entry.columns))


def fits_table(
    entries: Sequence[Entry],
    differences: Sequence[Difference],
    weights: Array,
    header: Sequence[str],
    notes: Sequence[str],
) -> Table:
    """One row a fit: evidence, leave-one-out, weight, verdict; dashes are explained in the notes."""
    rows: list[tuple[Cell, ...]] = [
        (
            entry.name,
            entry.prior,
            entry.evidence.value,
            entry.evidence.se,
            None if entry.evidence.reason else entry.flat or "none",
            entry.scores.elpd,
            entry.scores.se,
            gap.value,
            gap.se,
            entry.scores.p,
            float(weight),
            entry.effective_parameters,
            entry.level,
        )
        for entry, gap, weight in zip(entries, differences, weights, strict=True)
    ]
    dashes = [f"{e.name}: no posterior. {e.reason}" for e in entries if e.reason]
    dashes += [
        f"{e.name}: no log evidence; {e.evidence.reason}." for e in entries if e.evidence.reason and not e.reason
    ]
    dashes += [f"{e.name}: no elpd. {e.scores.reason}" for e in entries if e.scores.reason and not e.reason]
    dashes += [f"{e.name}: elpd with {e.scores.flagged:,} rows in doubt." for e in entries if e.scores.flagged]
    return Table(
        name="comparison",
        title="Fits compared",
        columns=(
            Column("fit", "fit"),
            Column("prior", "prior"),
            Column("log_evidence", "log evidence", "number"),
            Column("log_evidence_se", "its Monte-Carlo error", "number"),
            Column("flat", "relative to flat"),
            Column("elpd", "elpd (leave-one-out)", "number"),
            Column("elpd_se", "se of elpd", "number"),
            Column("elpd_diff", "elpd less the best", "number"),
            Column("elpd_diff_se", "se of the difference", "number"),
            Column("p_loo", "effective parameters (LOO)", "number"),
            Column("weight", "stacking weight", "percent"),
            Column("effective_parameters", "effective parameters (mode)", "number"),
            Column("verdict", "verdict"),
        ),
        rows=tuple(rows),
        header=tuple(header),
        notes=(*dashes, *notes),
    )


def coefficients_table(entries: Sequence[Entry], apart: Sequence[str], interval: str) -> Table:
    """Posterior medians side by side, and as shifts against the first fit in its posterior sds.

    Parameters
    ----------
    apart : sequence of str
        Columns whose values differ between designs, so that the coefficients do not speak of the same.
    """
    first, others = entries[0], entries[1:]
    rows: list[tuple[Cell, ...]] = []
    for column in all_columns(entries):
        medians = [entry.of(entry.median, column) for entry in entries]
        sd = first.of(first.sd, column)
        shifts = [math.nan if column in apart else (median - medians[0]) / sd for median in medians[1:]]
        rows.append((column, *medians, sd, *shifts))
    notes = [f"{column}: not the same column in all designs, so there is no shift." for column in apart]
    return Table(
        name="comparison-coefficients",
        title="Coefficients side by side",
        columns=(
            Column("term", "term"),
            *(Column(f"median:{entry.name}", entry.name, "number") for entry in entries),
            Column("sd", f"posterior sd ({first.name})", "number"),
            *(Column(f"shift:{entry.name}", f"shift in sd ({entry.name})", "number") for entry in others),
        ),
        rows=tuple(rows),
        header=(
            "Posterior medians, log-odds per unit of each column; then how far each lies from that of "
            f"{first.name}, in the posterior sds of {first.name}. tidy() has the {interval} intervals.",
        ),
        notes=tuple(notes),
    )


def tidy_columns(entries: Sequence[Entry]) -> dict[str, list[Cell]]:
    """One row a fit and coefficient."""
    first = entries[0]
    keys = ("fit", "term", "estimate", "std_error", "conf_low", "conf_high", "shift")
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        for j, column in enumerate(entry.columns):
            shift = (float(entry.median[j]) - first.of(first.median, column)) / first.of(first.sd, column)
            parts = (entry.median[j], entry.sd[j], entry.lower[j], entry.upper[j])
            rows.append((entry.name, column, *map(float, parts), shift))
    return {key: [row[k] for row in rows] for k, key in enumerate(keys)}


def bayes_factors_table(pairs: Mapping[tuple[str, str], BayesFactor], relative: bool) -> Table:
    """Every pair of fits."""
    rows: list[tuple[Cell, ...]] = [
        (first, second, found.value, found.se, _ratio(found.value), found.reason or None)
        for (first, second), found in pairs.items()
    ]
    words = " Flat columns are the same in both fits of a pair, so that their unit cancels." if relative else ""
    return Table(
        name="bayes-factors",
        title="Bayes factors",
        columns=(
            Column("fit", "fit"),
            Column("against", "against"),
            Column("log_bayes_factor", "log Bayes factor", "number"),
            Column("mcse", "its Monte-Carlo error", "number"),
            Column("bayes_factor", "Bayes factor", "ratio"),
            Column("reason", "why there is none"),
        ),
        rows=tuple(rows),
        header=(
            "How much more probable the outcomes were under the first fit's prior than under the second's, before they "
            f"were seen. It depends on the width of the priors, not on the posteriors alone.{words}",
        ),
        notes=(
            "Where other columns are flat, or flat in other units, a Bayes factor would depend on an arbitrary "
            "constant; compare(..., intercept=), or --intercept, puts one proper prior on every intercept.",
        )
        if any("flat" in found.reason for found in pairs.values())
        else (),
    )


def _ratio(log_value: float) -> float:
    return math.exp(log_value) if log_value < 709.0 else math.inf if log_value > 0.0 else math.nan


def predictions_table(
    names: Sequence[str], rows: Sequence[tuple[Cell, ...]], header: Sequence[str], notes: Sequence[str], what: str
) -> Table:
    """The rows whose probability changes most; each is label, words, observed share, probabilities, range."""
    return Table(
        name="comparison-predictions",
        title=f"Rows whose prediction depends most on the {what}",
        columns=(
            Column("row", "row"),
            Column("stands_out", "what stands out"),
            Column("observed", "observed", "number"),
            *(Column(f"probability:{name}", name, "percent") for name in names),
            Column("range", "range", "percent"),
        ),
        rows=tuple(rows),
        header=tuple(header),
        notes=tuple(notes),
    )


def regions_table(names: Sequence[str], found: Sequence[Region], average: float, what: str) -> Table:
    """Where in the columns the prior, or the model, matters most."""
    rows: list[tuple[Cell, ...]] = [
        (r.column, r.words, r.observations, r.share, r.mean_range, r.largest_range, *map(float, r.probability))
        for r in found
    ]
    return Table(
        name="comparison-regions",
        title=f"Regions where the {what} matters most",
        columns=(
            Column("column", "column"),
            Column("region", "values"),
            Column("observations", "observations", "count"),
            Column("share", "share", "percent"),
            Column("mean_range", "mean range", "percent"),
            Column("largest_range", "largest range", "percent"),
            *(Column(f"probability:{name}", f"mean: {name}", "percent") for name in names),
        ),
        rows=tuple(rows),
        header=(
            "Range: largest less smallest predicted probability of a row between fits; over all observations it is "
            f"{100.0 * average:.2g} points on average. Only regions above that are listed.",
        ),
    )
