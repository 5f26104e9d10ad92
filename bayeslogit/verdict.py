"""The verdict on a posterior: which rung its numbers stand on, their Monte-Carlo errors, and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayeslogit.posterior.rung import EVIDENCE_BOUND, Checks, Level, Rung
from bayeslogit.propriety import Existence
from bayeslogit.table import Cell, Column, Table

RUNGS = {
    "laplace": "Gaussian approximation at the mode",
    "variational": "nearest Gaussian (variational)",
    "importance": "importance sampling in symmetric pairs",
    "quadrature": "adaptive quadrature",
    "nuts": "NUTS",
}
_IN_WORDS = {
    "certified": "Certified: the Monte-Carlo standard error of every number is within its bound.",
    "approximate": "Approximate: read the numbers with the errors below.",
    "failed": "Failed: do not rely on these numbers.",
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the numbers of a posterior are worth.

    Attributes
    ----------
    level : {"certified", "approximate", "failed"}
        The worst of all numbers.
    rung : str
        Where they come from: "laplace", "variational", "importance", "quadrature" or "nuts".
    reasons : tuple of str
        Why the level is what it is.
    table : Table
        One row a column and quantity with its Monte-Carlo standard error, beside the bound it is held against.
    climbed : tuple of str
        The rungs tried before, each with the reason it was left.
    """

    level: Level
    rung: str
    reasons: tuple[str, ...]
    table: Table
    climbed: tuple[str, ...] = ()

    @property
    def certified(self) -> bool:
        return self.level == "certified"

    @property
    def in_words(self) -> str:
        """The verdict in a paragraph."""
        before = "".join(f" Before it: {one}." for one in self.climbed)
        return f"{_IN_WORDS[self.level]} Rung: {RUNGS.get(self.rung, self.rung)}. {_sentence(self.reasons)}{before}"

    def to_dict(self) -> dict[str, object]:
        """As plain values, for JSON."""
        return {
            "level": self.level,
            "rung": self.rung,
            "reasons": list(self.reasons),
            "climbed": list(self.climbed),
            "numbers": self.table.records(),
        }

    def __str__(self) -> str:
        return f"{self.in_words}\n\n{self.table}"

    def __repr__(self) -> str:
        return f"<Verdict: {self.level}, {RUNGS.get(self.rung, self.rung)}>"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def verdict_of(
    rung: Rung,
    existence: Existence,
    *,
    climbed: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    weighted: bool = False,
) -> Verdict:
    """The verdict on a rung, with what is known of the posterior's moments.

    Where some moment does not exist, or that could not be decided, the tails are beyond what any rung reaches: the
    level is then at most "approximate", however healthy the draws look.

    Parameters
    ----------
    climbed : sequence of str
        What was tried before.
    labels : sequence of str, optional
        Names of the columns in the table.
    weighted : bool
        Whether some weights are not whole numbers.
    """
    level: Level = rung.level
    reasons = [*existence.reasons, *([existence.undecided] if existence.undecided else [])]
    if reasons and level == "certified":
        level = "approximate"
    if existence.reasons and rung.method != "quadrature":
        reasons.append("tails as heavy as that are beyond the reach of draws: quantiles far out are too small")
    reasons += rung.reasons
    table = _table(rung, existence, rung.columns if labels is None else labels, weighted)
    found = Verdict(level, rung.method, tuple(reasons), table, tuple(climbed))
    return replace(found, table=replace(table, notes=(found.in_words,)))


def _table(rung: Rung, existence: Existence, labels: Sequence[str], weighted: bool) -> Table:
    rows = [_row(labels, rung.checks, existence, j, k) for j in range(len(rung.columns)) for k in _order(rung.checks)]
    if not math.isnan(rung.log_evidence):
        rows.append((None, "log evidence", rung.log_evidence, rung.log_evidence_se, EVIDENCE_BOUND, _status(rung)))
    method = RUNGS.get(rung.method, rung.method)
    return Table(
        name="verdict",
        title="Verdict on the posterior",
        columns=(
            Column("term", "term"),
            Column("quantity", "quantity"),
            Column("value", "value", "number"),
            Column("mcse", "Monte-Carlo error", "number"),
            Column("bound", "bound", "number"),
            Column("status", "status"),
        ),
        rows=tuple(rows),
        header=(f"Log-odds; {method}{'; weights that are not whole temper the likelihood' if weighted else ''}.",),
    )


def _status(rung: Rung) -> str:
    return _within(rung.log_evidence_se, rung.log_evidence_se <= EVIDENCE_BOUND)


def _within(mcse: float, passed: bool) -> str:
    return "error not known" if math.isnan(mcse) else "within bound" if passed else "beyond bound"


def _order(checks: Checks) -> range:
    return range(len(checks.quantities))


def _row(labels: Sequence[str], checks: Checks, existence: Existence, j: int, k: int) -> tuple[Cell, ...]:
    quantity = checks.quantities[k]
    there = {"mean": existence.mean, "sd": existence.sd}.get(quantity)
    if there is not None and not there[j]:
        return labels[j], quantity, None, None, None, "does not exist"
    value, mcse, bound = (float(np.asarray(each)[k, j]) for each in (checks.value, checks.mcse, checks.bound))
    return labels[j], quantity, value, mcse, bound, _within(mcse, bool(checks.passed[k, j]))


def _sentence(reasons: Sequence[str]) -> str:
    text = "; ".join(reasons)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") or not text else ".")
