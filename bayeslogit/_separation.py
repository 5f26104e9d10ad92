"""Separation as a user asks for it: the verdict, the columns and rows behind it, and what a prior makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._fit import as_design
from bayeslogit._priors import Prior
from bayeslogit.design import Design
from bayeslogit.estimable import Estimable, estimable, independent
from bayeslogit.presets import as_prior
from bayeslogit.recession import Cone, cone, free_sides
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solitary import solitary_separators
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
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
            f"{' '.join(parts)}{more} {above} {shift:.6g} wherever there is a success, {below} it wherever a failure."
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
        if not self.separated:
            lines = [f"The classes overlap in {n:,} rows: no plane separates them."]
        elif self.verdict == "complete":
            lines = [f"A plane has all {n:,} rows on their side of it.", self.rule]
        else:
            on = self.touching.size
            lines = [f"A plane has {n - on:,} of {n:,} rows on their side of it and {on:,} on it.", self.rule]
        if self.separated:
            rest = "" if self.verified else "; that no more rows can gain is within rounding, and not proved"
            lines.append(f"Decided by {self.how}, verified on every row{rest}.")
        else:
            proof = "proved" if self.verified else "not proved, since it is within rounding of separation"
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
        return tuple(notes)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        runs = f"; no finite estimate of {_listed(self.columns)}" if self.columns else ""
        return f"<Separation: {self.verdict}, {self.n_rows:,} rows{runs}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def separation(
    model: str | Design,
    data: Any = None,
    prior: Prior | str | None = None,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> Separation:
    """Whether maximum likelihood has finite estimates, which have none, and what a prior makes of it.

    A direction separates if no row's likelihood falls along it and some rise; then maximum likelihood does not exist
    (Albert and Anderson 1984). Overlap is proved by residuals that balance (Stiemke), a direction is looked for by
    linear programme (Konis 2007), with as few rows as decide, and verified on every row: data that overlap in their
    last digits are not called separated.

    Parameters
    ----------
    model : str or Design
        A formula such as ``"switch ~ arsenic + dist100"``, or a design.
    data : data frame, dict of columns, str or Path, optional
        For a formula.
    prior : Prior, str or None
        Asks also if the mode under this prior is finite, and if only because of it.
    trials, weights, offset, event, missing
        As in `Design.from_formula`. Rows of weight 0 are left out; rows with some but not all successes count as both
        classes; an offset changes nothing.

    Returns
    -------
    Separation

    Raises
    ------
    DataError, FormulaError, PriorError, ArgumentError
        If the input cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> design = bl.Design.from_arrays([[1.0], [2.0], [3.0], [3.0], [4.0]], [0, 0, 0, 1, 1])
    >>> found = bl.separation(design)
    >>> found.verdict, found.columns, found.touching.tolist()
    ('quasi-complete', ('Intercept', 'x1'), [2, 3])
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="separation")
    resolved = None if prior is None else as_prior(prior).resolve(design)
    few = design.condensed
    sides = independent(free_sides(few))
    found = cone(sides)
    which = estimable(found)
    names = np.array(design.columns, dtype=object)
    infinite = tuple(names[found.sides.columns[which.infinite]])
    told = np.isin(np.arange(names.size), found.sides.columns[~which.left_out])
    with_prior, unbounded = _under(few, resolved, infinite)
    return Separation(
        verdict="none" if found.recession is None else "complete" if found.recession.complete else "quasi-complete",
        terms=design.columns,
        columns=infinite,
        left_out=tuple(names[~told]),
        alone=_alone(few) if found.recession is not None else (),
        direction=_direction(design, found, which),
        touching=_touching(design, found),
        n_rows=design.n_rows,
        prior=resolved,
        with_prior=with_prior,
        unbounded=unbounded,
        how=_how(found),
        verified=found.proved,
        has_intercept=design.has_intercept,
    )


def _alone(design: Design) -> tuple[str, ...]:
    """Columns that separate alone; the intercept, if that alone does."""
    alone = [name for name, does in zip(design.columns, solitary_separators(design), strict=True) if does]
    return tuple(alone[:1] if design.has_intercept and alone[:1] == [design.columns[0]] else alone)


def _how(found: Cone) -> str:
    if found.programmed:
        return "linear programme"
    return "certificate" if found.recession is None else "direction of a fit"


def _under(
    design: Design, prior: ResolvedPrior | None, infinite: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """What a prior makes of the columns that have no finite estimate, and those it does not hold."""
    if prior is None or not infinite:
        return (None if prior is None else "finite"), ()
    found = cone(independent(free_sides(design, prior)))
    if found.recession is None:
        return "finite only because of the prior", ()
    moving = found.sides.columns[estimable(found).infinite]
    return "infinite", tuple(design.columns[j] for j in moving)


def _direction(design: Design, found: Cone, which: Estimable) -> dict[str, float]:
    """The direction, in log-odds per unit, so long that the slope that does most over its column's range is 1 or -1."""
    if which.direction is None:
        return {}
    d, first = which.direction, int(found.sides.has_intercept)
    effect = np.abs(d) * found.sides.frame.scale
    slope = first + int(np.argmax(effect[first:])) if np.any(effect[first:]) else 0
    d = d / abs(float(d[slope]))
    return {design.columns[j]: float(v) for j, v in zip(found.sides.columns, d, strict=True) if v != 0.0}


def _touching(design: Design, found: Cone) -> NDArray[np.intp]:
    if found.recession is None:
        return np.empty(0, dtype=np.intp)
    rows = replace(found.sides, design=design).level_rows()
    return rows if design.kept is None else np.flatnonzero(design.kept)[rows]


def _times(name: str, d: float, *, first: bool) -> str:
    sign = ("-" if d < 0.0 else "") if first else ("- " if d < 0.0 else "+ ")
    return f"{sign}{name}" if abs(d) == 1.0 else f"{sign}{abs(d):.6g} x {name}"


def _listed(names: Any) -> str:
    shown = [str(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
