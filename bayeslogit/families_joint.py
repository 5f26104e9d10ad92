"""Prior families on several coefficients at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arguments import inverse, names_of, positive, positive_definite, vector
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import PriorError
from bayeslogit.families import Columns, Prior, known, listed
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class MultivariateNormal(Prior):
    """Gaussian prior on several coefficients at once.

    Parameters
    ----------
    mean : array_like, shape (k,)
        Centre, log-odds per unit of each column.
    cov, precision : array_like, shape (k, k)
        Exactly one of them: symmetric and positive definite.
    columns : sequence of str, optional
        The design columns, in the order of ``mean``; matched by name. May name "Intercept". Needed unless the prior is
        assigned to one term, whose columns it then takes in the order of the design.

    Raises
    ------
    PriorError
        If shapes disagree, the matrix is not symmetric positive definite, or names repeat.
    """

    mean: Array = field(kw_only=True)
    cov: Array | None = field(default=None, kw_only=True)
    precision: Array | None = field(default=None, kw_only=True)
    columns: tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        mean = vector("MultivariateNormal", "mean", self.mean)
        if (self.cov is None) == (self.precision is None):
            raise PriorError("MultivariateNormal: give exactly one of cov= and precision=.")
        name = "cov" if self.precision is None else "precision"
        given = self.cov if self.precision is None else self.precision
        assert given is not None
        matrix = positive_definite("MultivariateNormal", name, given, mean.size)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, name, matrix)
        if self.columns is not None:
            names = names_of(self.columns)
            if names is None:
                raise PriorError(f"MultivariateNormal(columns={self.columns!r}): names of columns are needed.")
            if len(names) != mean.size or len(set(names)) != len(names):
                raise PriorError(
                    f"MultivariateNormal: columns={list(names)!r} must be {mean.size} different names, one a mean."
                )
            object.__setattr__(self, "columns", names)

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        order = np.arange(len(columns))
        if self.columns is not None:
            if set(self.columns) != set(names):
                raise PriorError(
                    f"MultivariateNormal names the columns {listed(self.columns)}, "
                    f"but it was assigned to {listed(names)}."
                )
            order = np.array([self.columns.index(name) for name in names], dtype=int)
        elif len(columns) != self.mean.size:
            raise PriorError(
                f"MultivariateNormal has {self.mean.size} means, but it was assigned to {len(columns)} columns "
                f"({listed(names)}); give columns=."
            )
        precision = self.precision if self.precision is not None else inverse(self.cov)
        parameters = {"mean": self.mean[order], "precision": precision[np.ix_(order, order)]}
        return PriorTerm("multivariate_normal", columns, parameters)

    def resolve(self, design: Columns) -> ResolvedPrior:
        """Alone it must name every slope, and may name the intercept; anything left out would be flat in silence."""
        if self.columns is None:
            raise PriorError("MultivariateNormal as the whole prior needs columns=, so that it is matched by name.")
        known(self.columns, design, "MultivariateNormal")
        slopes = [name for name in design.columns if not (design.has_intercept and name == design.columns[0])]
        missing = [name for name in slopes if name not in self.columns]
        if missing:
            raise PriorError(
                f"MultivariateNormal as the whole prior must name every slope; it leaves out {listed(missing)}. "
                "Use bayeslogit.priors(default=..., terms={...}) to give the others a prior of their own."
            )
        covered = tuple(j for j, name in enumerate(design.columns) if name in self.columns)
        terms = [self.on(covered, tuple(design.columns[j] for j in covered))]
        terms += [PriorTerm("flat", (j,)) for j in range(len(design.columns)) if j not in covered]
        return ResolvedPrior(tuple(design.columns), tuple(terms), f"MultivariateNormal on {len(covered)} columns")

    def __repr__(self) -> str:
        return f"MultivariateNormal(mean={np.array2string(self.mean, precision=3)}, columns={self.columns})"


@guarded_methods
@dataclass(frozen=True)
class GroupLaplace(Prior):
    """Group lasso prior: ``-||b|| / scale`` on all columns of a term, which are zero together or not at all.

    The density of d coefficients is ``exp(-||b|| / s) Gamma(d/2) / (2 pi^(d/2) Gamma(d) s^d)``; each has the sd
    ``s sqrt(d + 1)``. On a term of one column it is `Laplace`. (It is not the Bessel-K "multivariate Laplace".)

    Alone, or as the default of `priors`, every term of the formula is a group of its own.

    Parameters
    ----------
    scale : float
        Log-odds per unit of the columns; the group lasso's ``lambda`` is ``1 / scale``, on the sum scale.
    size_weight : bool
        Multiply the rate of a group by ``sqrt(d)``, as Yuan and Lin (2006) do, so that large groups are held as hard
        as small ones; the scale that is printed is then ``scale / sqrt(d)``.
    groups : sequence of sequences of str, optional
        Columns that belong together, for designs made from arrays, which have no terms; the columns left out are
        grouped by term.

    Raises
    ------
    PriorError
        If ``scale`` is not a positive finite number, or ``groups`` names a column twice.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> bl.priors(default=bl.Normal(2.5), terms={"C(educ)": bl.GroupLaplace(0.5)})
    Priors(default=Normal(2.5), intercept=None, terms={'C(educ)': GroupLaplace(0.5)})
    """

    scale: float
    size_weight: bool = field(default=False, kw_only=True)
    groups: Sequence[Sequence[str]] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", positive("GroupLaplace", "scale", self.scale))
        if not isinstance(self.size_weight, bool):
            raise PriorError(f"GroupLaplace(size_weight={self.size_weight!r}): it is True or False.")
        given: Any = self.groups
        listed = np.iterable(given) and not isinstance(given, str | bytes)
        if not listed or any(isinstance(group, str | bytes) or not np.iterable(group) for group in given):
            raise PriorError(f"GroupLaplace(groups={self.groups!r}): give lists of column names, one list a group.")
        groups = tuple(tuple(map(str, group)) for group in self.groups)
        names = [name for group in groups for name in group]
        if len(set(names)) < len(names) or any(not group for group in groups):
            raise PriorError("GroupLaplace(groups=...): each group needs a column, and no column stands in two.")
        object.__setattr__(self, "groups", groups)

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        if self.groups:
            raise PriorError(f"{self!r} names its own groups: use it alone or as the default, not on {listed(names)}.")
        return self._term(columns)

    def _term(self, columns: tuple[int, ...]) -> PriorTerm:
        d = len(columns)
        scale = self.scale / math.sqrt(d) if self.size_weight else self.scale
        if d == 1:
            return PriorTerm("laplace", columns, {"mean": np.zeros(1), "scale": np.full(1, scale)})
        return PriorTerm("group_laplace", columns, {"scale": np.full(d, scale)})

    def resolve(self, design: Columns) -> ResolvedPrior:
        """Every term is a group, columns that ``groups`` names apart; the intercept is flat. Single columns share."""
        position = {name: j for j, name in enumerate(design.columns)}
        known([name for group in self.groups for name in group], design, "GroupLaplace(groups=...)")
        groups = [tuple(sorted(position[name] for name in group)) for group in self.groups]
        taken = {j for group in groups for j in group}
        if design.has_intercept and 0 in taken:
            raise PriorError("GroupLaplace(groups=...): the intercept is in no group; give it a prior of its own.")
        first = int(design.has_intercept)
        groups += [tuple(j for j in term if j >= first and j not in taken) for term in design.terms.values()]
        single = tuple(sorted(group[0] for group in groups if len(group) == 1))
        terms = [PriorTerm("flat", (0,))] if first else []
        if single:
            laplace = {"mean": np.zeros(len(single)), "scale": np.full(len(single), self.scale)}
            terms.append(PriorTerm("laplace", single, laplace))
        terms += [self._term(group) for group in groups if len(group) > 1]
        terms.sort(key=lambda term: term.columns)
        return ResolvedPrior(tuple(design.columns), tuple(terms), repr(self))

    def __repr__(self) -> str:
        own = f", groups={len(self.groups)} groups" if self.groups else ""
        return f"GroupLaplace({self.scale:g}{', size_weight=True' if self.size_weight else ''}{own})"
