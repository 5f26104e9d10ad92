"""What is known of the separation of an outcome: the record, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.resolved import ResolvedPrior
from bayeslogit.table import Cell, Column, Table

_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Separation:
    """Whether a plane separates the successes from the failures, and what that does to the estimates.

    Attributes
    ----------
    verdict : str
        "none" (the classes overlap), "quasi-complete" (no row is on the wrong side of some plane, some are on it) or
        "complete" (every row is on its side).
    terms : tuple of str
        All columns of the design.
    columns : tuple of str
        Those without a finite estimate of maximum likelihood; the others' estimates are finite.
    left_out : tuple of str
        Columns that are combinations of columns before them; they are held at zero, and nothing is said of them.
    alone : tuple of str
        Columns that separate the outcome alone (with the intercept, if there is one).
    direction : mapping of str to float
        A direction in which the coefficients can go for ever, no row's likelihood falling and as many as possible
        rising; coefficients that stay are left out. Empty without separation.
    touching : array of int
        Positions, in the data given, of the rows that stay on the separating plane. Empty unless quasi-complete.
    n_rows : int
        Rows that have weight.
    prior : ResolvedPrior or None
        The prior that was asked about.
    with_prior : str or None
        Of the mode under it: "finite" (so is maximum likelihood), "finite only because of the prior" or "infinite".
    unbounded : tuple of str
        Columns that have no finite estimate in spite of the prior.
    improper : str
        Why the prior leaves the posterior improper although the mode is finite, or that it was not decided; empty if
        it is proper, or nothing was asked.
    how : str
        What decided: "certificate" (residuals that balance prove overlap), "direction of a fit" or "linear programme".
    verified : bool
        Whether the verdict is proved to the rounding of the stored values: a direction by every row, overlap by a
        balance of residuals.
    """

    verdict: str
    terms: tuple[str, ...]
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    alone: tuple[str, ...]
    direction: Mapping[str, float]
    touching: NDArray[np.intp]
    n_rows: int
    prior: ResolvedPrior | None
    with_prior: str | None
    unbounded: tuple[str, ...]
    improper: str
    how: str
    verified: bool
    has_intercept: bool

    @property
    def separated(self) -> bool:
        return self.verdict != "none"

    @property
    def rule(self) -> str:
        """The separating plane in words; empty without separation."""
        if not self.separated:
            return ""
        slopes = {name: d for name, d in self.direction.items() if not (self.has_intercept and name == self.terms[0])}
        shift = 0.0 - self.direction.get(self.terms[0], 0.0) if self.has_intercept else 0.0
        if not slopes:
            return f"Every observation is a {'success' if shift < 0.0 else 'failure'}."
        parts = [_times(name, d, first=i == 0) for i, (name, d) in enumerate(list(slopes.items())[:_SHOWN])]
        more = f" + {len(slopes) - _SHOWN} more" if len(slopes) > _SHOWN else ""
        above, below = (">", "<") if self.verdict == "complete" else (">=", "<=")
        return (
            f"{' '.join(parts)}{more} {above} {_exactly(shift)} wherever there is a success, "
            f"{below} it wherever a failure."
        )

    def table(self) -> Table:
        """One row a column of the design."""
        labels = None if self.prior is None else self.prior.labels()
        rows: list[tuple[Cell, ...]] = []
        for j, name in enumerate(self.terms):
            row: tuple[Cell, ...] = (name, self._estimate(name), self.direction.get(name))
            if labels is not None:
                row = (*row, labels[j], self._under_prior(name))
            rows.append(row)
        extra = (Column("prior", "prior"), Column("mode", "mode with the prior")) if labels else ()
        return Table(
            name="separation",
            title=f"Separation: {self.verdict}",
            columns=(
                Column("term", "term"),
                Column("estimate", "maximum likelihood"),
                Column("direction", "direction", "number"),
                *extra,
            ),
            rows=tuple(rows),
            header=self._header(),
            notes=self._notes(),
        )

    def _estimate(self, name: str) -> str:
        if name in self.left_out:
            return "left out"
        return "infinite" if name in self.columns else "finite"

    def _under_prior(self, name: str) -> str | None:
        if name in self.unbounded:
            return "infinite"
        if name in self.left_out:
            return None
        return "finite only because of the prior" if name in self.columns else "finite"

    def _header(self) -> tuple[str, ...]:
        n = self.n_rows
        if not self.separated and self.verified:
            lines = [f"The classes overlap in {n:,} rows: no plane separates them."]
        elif not self.separated:
            lines = [f"No plane was found that separates the classes in {n:,} rows by more than rounding."]
        elif self.verdict == "complete":
            lines = [f"A plane has all {n:,} rows on their side of it.", self.rule]
        else:
            on = self.touching.size
            lines = [f"A plane has {n - on:,} of {n:,} rows on their side of it and {on:,} on it.", self.rule]
        if self.separated:
            rest = "" if self.verified else "; that no more rows can gain is within rounding, and not proved"
            lines.append(f"Decided by {self.how}, verified on every row{rest}.")
        else:
            proof = "proved" if self.verified else "that they overlap is within rounding, too, and not proved"
            lines.append(f"Decided by {self.how}; {proof}.")
        return tuple(lines)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.alone:
            notes.append(
                f"{_listed(self.alone)} {'separate' if len(self.alone) > 1 else 'separates'} the outcome alone."
            )
        if self.touching.size:
            notes.append(f"Rows on the plane (counted from 0): {_listed([str(i) for i in self.touching])}.")
        if self.left_out:
            some = len(self.left_out) > 1
            notes.append(
                f"{_listed(self.left_out)} {'are combinations' if some else 'is a combination'} of columns before "
                f"{'them' if some else 'it'} and left out here."
            )
        if self.with_prior == "finite only because of the prior":
            notes.append(f"With the prior {_listed(self.columns)}: finite only because of the prior.")
        elif self.with_prior == "infinite":
            notes.append(f"No finite mode with this prior: it lets {_listed(self.unbounded)} run to infinity.")
        if self.improper:
            notes.append(f"{self.improper[:1].upper()}{self.improper[1:]}.")
        return tuple(notes)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        runs = f"; no finite estimate of {_listed(self.columns)}" if self.columns else ""
        return f"<Separation: {self.verdict}, {self.n_rows:,} rows{runs}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _times(name: str, d: float, *, first: bool) -> str:
    sign = ("-" if d < 0.0 else "") if first else ("- " if d < 0.0 else "+ ")
    return f"{sign}{name}" if abs(d) == 1.0 else f"{sign}{_exactly(abs(d))} x {name}"


def _exactly(value: float) -> str:
    """With as many digits as it has; directions come in few."""
    short = f"{value:.6g}"
    return short if float(short) == value else repr(float(value)).removesuffix(".0")


def _listed(names: Any) -> str:
    shown = [str(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
