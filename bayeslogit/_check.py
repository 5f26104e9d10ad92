"""A look at the data before a fit: what the design is made of, what it cannot tell, and what the prior would decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayeslogit._elicit import implied
from bayeslogit._fit import DEFAULT_PRIOR, as_design
from bayeslogit._priors import Prior
from bayeslogit._separation import Separation, separation
from bayeslogit.boundary import guarded
from bayeslogit.collinearity import MOST_COLUMNS, Collinearity, collinearity
from bayeslogit.data import to_pandas
from bayeslogit.design import Design
from bayeslogit.missing import is_missing
from bayeslogit.presets import as_prior
from bayeslogit.table import Cell, Column, Table

# Marks beyond which a reader is told: Belsley's for the condition, Marquardt's for the inflation of a variance.
_CONDITION, _INFLATION = 30.0, 10.0
_PER_COLUMN = 10.0
_LED = 0.5
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Check:
    """What can be said of a model before it is fitted.

    Attributes
    ----------
    design : Design
    columns : Table
        One row a column of the design.
    missing : Table or None
        Missing values by column of the data; None where there are none.
    separation : Separation
    collinearity : Collinearity or None
        None above 2,000 columns.
    prior : Table
        What the prior says of each column, and how many observations that is worth.
    problems : tuple of str
        What no estimate would survive: infinite modes, columns that nothing tells apart.
    remarks : tuple of str
        What a reader of the estimates must know.
    """

    design: Design
    columns: Table
    missing: Table | None
    separation: Separation
    collinearity: Collinearity | None
    prior: Table
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether a fit has what it needs: a finite mode, and columns that data or prior tell apart."""
        return not self.problems

    @property
    def tables(self) -> tuple[Table, ...]:
        """Missing values, separation and what the prior says, where there are any; the columns of the design."""
        apart = self.separation
        told = apart.separated or apart.left_out or apart.unbounded
        return (
            *(() if self.missing is None else (self.missing,)),
            self.columns,
            *((apart.table(),) if told else ()),
            *((self.prior,) if any(worth is not None for worth in self.prior.column("effective_n")) else ()),
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict: every problem and remark, or that there is none."""
        none = () if self.separation.separated else ("Separation: none; no plane separates the classes.",)
        lines = (*(f"Problem: {line}" for line in self.problems), *self.remarks)
        return (*none, *(lines or ("Nothing stands in the way of a fit.",)))

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.tables), "\n".join(self.sentences)])

    def __repr__(self) -> str:
        return (
            f"<Check of {len(self.design.columns)} columns: {len(self.problems)} problems, {len(self.remarks)} remarks>"
        )

    def _repr_html_(self) -> str:
        verdict = Table("verdict", "Verdict", (Column("said", "before the fit"),), tuple((s,) for s in self.sentences))
        return "\n".join(table._repr_html_() for table in (verdict, *self.tables))


@guarded
def check(
    model: str | Design,
    data: Any = None,
    prior: Prior | str | None = DEFAULT_PRIOR,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
) -> Check:
    """Look at data and model before a fit; nothing is fitted.

    Rows with missing values are left out and counted, whatever a fit would do about them.

    Parameters
    ----------
    model : str or Design
    data : data frame, dict of columns, str or Path, optional
        For a formula.
    prior : Prior, str or None
        What would be fitted with.
    trials, weights, offset, event
        As in `Design.from_formula`.

    Returns
    -------
    Check

    Raises
    ------
    DataError, FormulaError, PriorError, ArgumentError
        If the input cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> found = bl.check("switch ~ dist100 + arsenic", bl.datasets.load("wells"))
    >>> found.ok, found.separation.verdict, round(found.collinearity.condition, 2)
    (True, 'none', 1.2)
    """
    whole = model if isinstance(model, Design) else None
    design = as_design(model, data, trials, weights, offset, event, "raise" if whole is not None else "drop", "check")
    found = separation(design, prior=prior)
    alike = collinearity(design)
    said, constraints = implied(prior, design), as_prior(prior).resolve(design).constraints()
    return Check(
        design=design,
        columns=columns_table(design, alike),
        missing=_missing(design),
        separation=found,
        collinearity=alike,
        prior=said,
        problems=tuple(_problems(design, found, constraints)),
        remarks=tuple(_remarks(design, found, alike, said, constraints)),
    )


def columns_table(design: Design, alike: Collinearity | None = None) -> Table:
    """The columns of a design with their means, spreads and ranges, over observations (weight x trials)."""
    first = int(design.has_intercept)
    m, sds = design.moments, design.column_sds
    rows: list[tuple[Cell, ...]] = []
    for j, name in enumerate(design.columns):
        k = j - first
        numbers: tuple[Cell, ...] = (None, None, None, None)
        if k >= 0:
            numbers = (float(m.mean[k]), float(sds[j]), float(m.lower[k]), float(m.upper[k]))
        inflation = () if alike is None else (float(alike.inflation[k]) if k >= 0 else None,)
        rows.append((name, *numbers, *inflation))
    spec = design.spec
    rarer = min(design.n_events, design.nobs - design.n_events)
    dropped = f"; {design.n_dropped:,} left out for missing values" if design.n_dropped else ""
    references = tuple(f"{factor}: compared with {level}." for factor, level in design.reference_levels.items())
    event = "success" if design.tally.grouped else f"{spec.outcome} = {1 if spec.event is None else spec.event}"
    return Table(
        name="columns",
        title=f"Design: {spec.formula or f'{len(design.columns)} columns'}",
        columns=(
            Column("term", "term"),
            Column("mean", "mean", "number"),
            Column("spread", "sd", "number"),
            Column("smallest", "smallest", "number"),
            Column("largest", "largest", "number"),
            *(() if alike is None else (Column("inflation", "variance inflation", "ratio"),)),
        ),
        rows=tuple(rows),
        header=(
            f"{design.n_rows:,} rows of {design.provenance.n_rows:,} used{dropped}; {design.nobs:,.10g} observations.",
            f"Event: {event}; {design.n_events:,.10g} events, {rarer:,.10g} of the rarer outcome, "
            f"{rarer / len(design.columns):.3g} for each column.",
        ),
        notes=(*references, *design.notes),
    )


def _missing(design: Design) -> Table | None:
    """Missing values of the data given, by column in use."""
    if design.frame is None:
        return None
    frame = to_pandas(design.frame)
    names = [name for name in dict.fromkeys((design.spec.outcome, *_variables(design))) if name in frame.columns]
    counts = {name: int(is_missing(frame[name].to_numpy(dtype=object)).sum()) for name in names}
    if not any(counts.values()):
        return None
    return Table(
        name="missing",
        title="Missing values",
        columns=(
            Column("column", "column"),
            Column("missing", "missing", "count"),
            Column("share", "share", "percent"),
        ),
        rows=tuple((name, n, n / len(frame)) for name, n in counts.items() if n),
        header=(f"Of {len(frame):,} rows; {design.n_dropped:,} rows with some missing value are left out below.",),
    )


def _variables(design: Design) -> tuple[str, ...]:
    return tuple(getattr(design.spec, "variables", ()))


def _problems(design: Design, found: Separation, constraints: Any) -> list[str]:
    said = []
    if found.unbounded:
        said.append(
            f"the mode is infinite under this prior: {_listed(found.unbounded)}. A proper prior, such as normal:2.5 or "
            "the default, makes it finite."
        )
    free = _untold(design, found, constraints)[1]
    if free:
        said.append(f"{_listed(free)}: a combination of columns before it, and the prior is flat. Drop it.")
    return said


def _untold(design: Design, found: Separation, constraints: Any) -> tuple[list[str], list[str]]:
    """Combinations of columns before them: those that a proper prior divides, and those that nothing does."""
    free = [name for name in found.left_out if not np.any(constraints[:, design.columns.index(name)])]
    return [name for name in found.left_out if name not in free], free


def _remarks(design: Design, found: Separation, alike: Collinearity | None, said: Table, constraints: Any) -> list[str]:
    lines = []
    if found.separated:
        rest = "Its estimate is" if len(found.columns) == 1 else "Their estimates are"
        finite = f" {rest} finite only because of the prior, which decides how large." if not found.unbounded else ""
        lines.append(f"Separation is {found.verdict} in {_listed(found.columns)}.{finite}")
    divided = _untold(design, found, constraints)[0]
    if divided:
        lines.append(
            f"{_listed(divided)}: the data cannot tell it from a combination of columns before it; the prior "
            "alone divides the effect between them."
        )
    constant = [name for name, sd in zip(design.columns, design.column_sds, strict=True) if sd == 0.0]
    constant = constant[int(design.has_intercept) :]
    if constant:
        lines.append(f"Constant: {_listed(constant)}. A constant column says nothing beside an intercept.")
    lines += _alike(design, alike)
    rarer = min(design.n_events, design.nobs - design.n_events)
    if rarer < _PER_COLUMN * len(design.columns):
        lines.append(
            f"{rarer:,.10g} observations of the rarer outcome for {len(design.columns)} columns: the prior matters."
        )
    led = _led(design, said)
    if led:
        lines.append(
            f"The prior is worth more than {100 * _LED:.0f} % of the observations in {_listed(led)}: it decides there."
        )
    return lines


def _alike(design: Design, alike: Collinearity | None) -> list[str]:
    if alike is None:
        return [f"Collinearity was not looked for: there are more than {MOST_COLUMNS:,} columns."]
    slopes = design.columns[int(design.has_intercept) :]
    high = [name for name, v in zip(slopes, alike.inflation, strict=True) if np.isfinite(v) and v > _INFLATION]
    if not high and not (np.isfinite(alike.condition) and alike.condition > _CONDITION):
        return []
    inflated = f"; variance inflation above {_INFLATION:g} in {_listed(high)}" if high else ""
    return [f"Collinear: the condition number of the scaled columns is {alike.condition:,.3g}{inflated}."]


def _led(design: Design, said: Table) -> list[str]:
    """Columns where the prior is worth more observations than half of those there are."""
    worth = zip(said.column("term"), said.column("effective_n"), strict=True)
    return [str(name) for name, n in worth if isinstance(n, float) and n > _LED * design.nobs and np.isfinite(n)]


def _listed(names: Any) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
