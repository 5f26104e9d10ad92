"""Prior families on several coefficients at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arguments import inverse, positive_definite, vector
from bayeslogit.errors import PriorError
from bayeslogit.families import Columns, Prior, known, listed
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]


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
            names = tuple(self.columns)
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
