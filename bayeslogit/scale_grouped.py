"""One prior scale for each group of columns, chosen by evidence: the user's call of `scale_groups`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._fit import as_design
from bayeslogit._path import useful_scales
from bayeslogit._priors import Cauchy, Laplace, Normal, Prior, StudentT, priors
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.families import known
from bayeslogit.multiples import Base, unit_prior
from bayeslogit.presets import as_prior
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.scale_evidence import moving
from bayeslogit.scale_groups import GroupScales, choose_group_scales
from bayeslogit.scale_record import Tuned, base_in_words
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]
# Ends of the range of scales, in multiples of the one at which all slopes have 0.05 effective parameters together.
_LOWEST, _HIGHEST = 0.3, 1e4
_Z95 = 1.959963984540054
# The prior of one column as an instance again: family -> parameters of that column -> prior.
INSTANCES: dict[str, Callable[..., Prior]] = {
    "normal": lambda mean, scale: Normal(scale, mean=mean),
    "laplace": lambda mean, scale: Laplace(scale, mean=mean),
    "cauchy": lambda mean, scale: Cauchy(scale, mean=mean),
    "student_t": lambda df, mean, scale: StudentT(df, scale, mean=mean),
}


@dataclass(frozen=True, eq=False)
class GroupScaleChoice:
    """Prior scales of groups of columns; made by `choose_scales`.

    Attributes
    ----------
    prior : Prior
        To fit with: `priors` with a number for every column. Its tables say that the evidence is maximised.
    groups : mapping of str to tuple of str
        The columns of each group.
    found : GroupScales
        The numbers, as arrays.
    resolved : ResolvedPrior
        What was asked for.
    base : Base
    """

    prior: Prior
    groups: Mapping[str, tuple[str, ...]]
    found: GroupScales
    resolved: ResolvedPrior
    base: Base

    @property
    def scales(self) -> dict[str, float]:
        """Multiple of the base scales of each group; at a boundary the end of the range that was searched."""
        return dict(zip(self.groups, map(float, self.found.scale), strict=True))

    @property
    def at_boundary(self) -> dict[str, str | None]:
        """By group: "zero", "infinity" or None."""
        return dict(zip(self.groups, self.found.boundary, strict=True))

    @property
    def log_evidence(self) -> float:
        """Maximised over the scales: it gets no Bayes factor."""
        return self.found.log_evidence

    @property
    def uncertainty(self) -> dict[str, tuple[float, float]]:
        """Scales within 1.96 sds of the log scale, by the curvature of the log evidence."""
        result = {}
        for name, scale, sd, edge in zip(
            self.groups, self.found.scale, self.found.log_sd, self.found.boundary, strict=True
        ):
            ends = (0.0, math.nan) if edge == "zero" else (math.nan, math.inf)
            far = math.exp(min(_Z95 * sd, 700.0)) if edge is None else math.nan
            result[name] = (float(scale) / far, float(scale) * far) if edge is None else ends
        return result

    def table(self) -> Table:
        """One row a group."""
        f = self.found
        rows: list[tuple[Cell, ...]] = []
        for k, (name, columns) in enumerate(self.groups.items()):
            low, high = self.uncertainty[name]
            cells = (float(f.scale[k]), low, high, float(f.slope[k]), float(f.slope_se[k]))
            rows.append((name, len(columns), *cells, f.boundary[k] or "no"))
        return Table(
            name="group-scales",
            title="Prior scales of groups, by evidence",
            columns=(
                Column("group", "group"),
                Column("columns", "columns", "count"),
                Column("scale", "scale", "number"),
                Column("low", "from", "number"),
                Column("high", "to", "number"),
                Column("slope", "slope of the log evidence", "number"),
                Column("slope_se", "its Monte-Carlo error", "number"),
                Column("boundary", "at a boundary"),
            ),
            rows=tuple(rows),
            header=(
                f"Prior: {self.resolved.name}, one multiple for each group; base: {base_in_words(self.base)}.",
                f"Log evidence (maximised): {f.log_evidence:.3f} ({f.se:.3f} Monte-Carlo error; {f.level}).",
            ),
            notes=(
                "From and to: 1.96 sds of the log scale, by the curvature of the log evidence.",
                "A group at zero wants no spread: its coefficients are held at the prior's centre by the narrowest "
                "scale that was looked at. At infinity it wants no prior.",
            ),
        )

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        found = ", ".join(f"{name}: {scale:.3g}" for name, scale in self.scales.items())
        return f"<GroupScaleChoice: {found}; log evidence (maximised) {self.log_evidence:.3f}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@guarded
def choose_scales(
    model: str | Design,
    data: Any = None,
    prior: Prior | type[Prior] | str = "normal:1",
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    by: str = "term",
    rng: int | np.random.Generator = 0,
    base: str | None = None,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> GroupScaleChoice:
    """A prior scale for each group of columns, where the log evidence is largest: empirical Bayes.

    Parameters
    ----------
    model, data, prior, rng, base, trials, weights, offset, event, missing
        As in `choose_scale`. Families: normal, Laplace, Student-t, Cauchy.
    groups : mapping of str to sequence of str, optional
        Terms or columns of each group. Those with a scale that are named in none are a group of their own, "others".
    by : {"term", "column"}
        Without ``groups``: one for each formula term, or for each column (automatic relevance).

    Returns
    -------
    GroupScaleChoice
        ``bl.fit(design, prior=choice.prior)``.

    Raises
    ------
    ArgumentError
        If no term of the prior has a scale, or a column is in two groups.
    PriorError
        If a group names what the design does not have, or the prior has no evidence.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> choice = bl.choose_scales("switch ~ dist100 + arsenic + educ4", wells)
    >>> list(choice.scales)
    ['dist100', 'arsenic', 'educ4']
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="choose_scales")
    asked = as_prior(unit_prior(prior))
    resolved = asked.resolve(design)
    if resolved.whole:
        raise PriorError(f"choose_scales(prior={resolved.name}): a prior of the whole model has no evidence.")
    columns = sorted(j for term in moving(resolved) for j in term.columns)
    if not columns:
        raise ArgumentError(
            f"choose_scales(prior={resolved.name}): no term of this prior has a scale, so there is none to choose."
        )
    positions = _grouped(design, groups, by, columns)
    unit = Base.of(design, resolved, base)
    first = float(useful_scales_smooth(design, resolved, unit))
    found = choose_group_scales(
        design, resolved, unit, positions, lowest=_LOWEST * first, highest=_HIGHEST * first, rng=rng
    )
    names = {name: tuple(design.columns[j] for j in own) for name, own in positions.items()}
    chosen = _numbers(asked, resolved, unit, positions, found.scale)
    tuned = Tuned(chosen, "Scales of groups chosen by evidence: the log evidence is maximised over them.")
    return GroupScaleChoice(tuned, names, found, resolved, unit)


def useful_scales_smooth(design: Design, resolved: ResolvedPrior, base: Base) -> float:
    """The narrowest scale of interest."""
    return float(useful_scales(design, resolved, base, 2)[0])


def _grouped(
    design: Design, groups: Mapping[str, Sequence[str]] | None, by: str, columns: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    if by not in ("term", "column"):
        raise ArgumentError(f"choose_scales(by={by!r}): it is 'term' or 'column'; or give groups=.")
    free = set(columns)
    if groups is None:
        own = {design.columns[j]: (j,) for j in columns} if by == "column" else dict(design.terms)
        picked = {name: tuple(j for j in part if j in free) for name, part in own.items()}
    else:
        picked = {}
        for name, members in groups.items():
            if not np.iterable(members):
                raise ArgumentError(
                    f"choose_scales(groups={{{name!r}: {members!r}}}): a list of columns or terms is needed."
                )
            members = [members] if isinstance(members, str) else list(members)
            known([each for each in members if each not in design.terms], design, f"choose_scales(groups[{name!r}])")
            index = {design.columns.index(m) for m in members if m not in design.terms}
            index |= {j for m in members if m in design.terms for j in design.terms[m]}
            picked[name] = tuple(sorted(index & free))
    seen = [j for part in picked.values() for j in part]
    twice = sorted({design.columns[j] for j in seen if seen.count(j) > 1})
    if twice:
        raise ArgumentError(f"choose_scales(groups=...): {', '.join(twice)} stand(s) in two groups.")
    rest = tuple(sorted(free - set(seen)))
    if rest:
        picked["others"] = rest
    return {name: part for name, part in picked.items() if part}


def _numbers(
    asked: Prior, resolved: ResolvedPrior, base: Base, groups: Mapping[str, tuple[int, ...]], scales: Array
) -> Prior:
    """`priors` with the scale of every column as a number."""
    unit = base.unit.copy()
    for columns, scale in zip(groups.values(), scales, strict=True):
        unit[list(columns)] *= scale
    there = Base(base.kind, unit).multiple(resolved, 1.0)
    return priors(
        default=asked,
        terms={resolved.columns[j]: _instance(term, k) for term in moving(there) for k, j in enumerate(term.columns)},
    )


def _instance(term: PriorTerm, k: int) -> Prior:
    return INSTANCES[term.family](**{name: float(values[k]) for name, values in term.parameters.items()})
