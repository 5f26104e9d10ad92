"""Prior families: what a user writes for a coefficient, a term, or every slope.

Nothing here knows data. ``resolve`` turns a prior into a `ResolvedPrior` against a design.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arguments import finite, positive
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import PriorError
from bayeslogit.prior_draws import draw_prior
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]


class Columns(Protocol):
    """What a prior needs to know of a design: names, terms, and means and sds of the columns."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def terms(self) -> Mapping[str, tuple[int, ...]]: ...
    @property
    def has_intercept(self) -> bool: ...
    @property
    def column_means(self) -> Array: ...
    @property
    def column_sds(self) -> Array: ...


@guarded_methods
class Prior:
    """A prior before it has met a design."""

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        """This family on the given columns."""
        raise PriorError(f"{self!r} is a rule for a whole model, not a density for the columns {', '.join(names)}.")

    def at(self, design: Columns, columns: tuple[int, ...]) -> PriorTerm:
        """`on`, for families whose numbers depend on the design."""
        return self.on(columns, tuple(design.columns[j] for j in columns))

    def beside(self, design: Columns, taken: Collection[int]) -> ResolvedPrior:
        """`resolve` where some columns have a prior of their own, for families that count their columns."""
        return self.resolve(design)

    def resolve(self, design: Columns) -> ResolvedPrior:
        """The prior as numbers against ``design``: slopes get this family, the intercept is flat."""
        first = int(design.has_intercept)
        names = tuple(design.columns)
        terms = [PriorTerm("flat", (0,))] if first else []
        if len(names) > first:
            terms.append(self.on(tuple(range(first, len(names))), names[first:]))
        return ResolvedPrior(names, tuple(terms), repr(self))

    def describe(self, design: Columns) -> list[dict[str, Any]]:
        """`ResolvedPrior.describe` of ``resolve(design)``."""
        return self.resolve(design).describe()

    def sample(self, design: Columns, n: int = 1000, rng: int | np.random.Generator = 0) -> Array:
        """Independent draws of the coefficients of ``design``, shape (n, p), in the user's columns.

        Raises
        ------
        PriorError
            If some coefficient, such as the intercept under an explicit family, has no proper prior.
        """
        return draw_prior(self.resolve(design), n, rng)


@dataclass(frozen=True)
class Flat(Prior):
    """No prior: density 1 per unit of the column. The mode is the maximum-likelihood estimate."""

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        return PriorTerm("flat", columns)


@dataclass(frozen=True)
class _LocationScale(Prior):
    """A family with a scale and a mean, the same for every column."""

    scale: float
    mean: float = field(default=0.0, kw_only=True)

    family: ClassVar[str]

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "scale", positive(name, "scale", self.scale))
        object.__setattr__(self, "mean", finite(name, "mean", self.mean))

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        k = len(columns)
        return PriorTerm(self.family, columns, {"mean": np.full(k, self.mean), "scale": np.full(k, self.scale)})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.scale:g}{_mean(self.mean)})"


@dataclass(frozen=True, repr=False)
class Normal(_LocationScale):
    """Gaussian prior: ``-(b - mean)^2 / (2 scale^2)``, an L2 penalty of ``lambda = 1 / scale^2`` (with one half).

    Parameters
    ----------
    scale : float
        Standard deviation, log-odds per unit of the column.
    mean : float
        Centre, same unit.

    Raises
    ------
    PriorError
        If ``scale`` is not a positive finite number or ``mean`` is not finite.
    """

    family: ClassVar[str] = "normal"


@dataclass(frozen=True, repr=False)
class Laplace(_LocationScale):
    """Laplace prior: ``-|b - mean| / scale``, an L1 penalty ``lambda = 1 / scale``, no half. Its sd is sqrt(2) scale.

    Parameters
    ----------
    scale : float
        Log-odds per unit of the column.
    mean : float
        Where the kink is, same unit.

    Raises
    ------
    PriorError
        If ``scale`` is not a positive finite number or ``mean`` is not finite.
    """

    family: ClassVar[str] = "laplace"


@dataclass(frozen=True)
class ElasticNet(Prior):
    """Elastic net prior: ``-l1 |b - mean| - l2 (b - mean)^2 / 2``, normalised.

    Parameters
    ----------
    l1, l2 : float
        The rates ``lambda1`` (no half) and ``lambda2`` (with one half); not negative, not both zero.
    mean : float
        Where the kink is, log-odds per unit of the column.

    Raises
    ------
    PriorError
        If a rate is negative or not finite, or both are zero.
    """

    l1: float = field(kw_only=True)
    l2: float = field(kw_only=True)
    mean: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("l1", "l2"):
            rate = finite("ElasticNet", name, getattr(self, name))
            if not (rate == 0.0 or 1e-150 < rate < 1e150):
                raise PriorError(f"ElasticNet({name}={rate!r}): a rate is zero or positive, at most 1e150.")
            object.__setattr__(self, name, rate)
        if self.l1 == 0.0 and self.l2 == 0.0:
            raise PriorError("ElasticNet(l1=0, l2=0) is no prior at all: use bayeslogit.Flat().")
        object.__setattr__(self, "mean", finite("ElasticNet", "mean", self.mean))

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        k = len(columns)
        return PriorTerm(
            "elastic_net",
            columns,
            {"mean": np.full(k, self.mean), "l1": np.full(k, self.l1), "l2": np.full(k, self.l2)},
        )

    def __repr__(self) -> str:
        return f"ElasticNet(l1={self.l1:g}, l2={self.l2:g}{_mean(self.mean)})"


@dataclass(frozen=True)
class StudentT(Prior):
    """Student-t prior with ``df`` degrees of freedom: heavier tails than a Gaussian, so that large effects stay large.

    Parameters
    ----------
    df : float
        Degrees of freedom, positive.
    scale : float
        Log-odds per unit of the column; the sd is ``scale sqrt(df / (df - 2))`` for ``df > 2`` and infinite below.
    mean : float
        Centre, same unit.

    Raises
    ------
    PriorError
        If ``df`` or ``scale`` is not a positive finite number or ``mean`` is not finite.
    """

    df: float
    scale: float
    mean: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "df", positive("StudentT", "df", self.df))
        object.__setattr__(self, "scale", positive("StudentT", "scale", self.scale))
        object.__setattr__(self, "mean", finite("StudentT", "mean", self.mean))

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        k = len(columns)
        values = {"df": self.df, "mean": self.mean, "scale": self.scale}
        return PriorTerm("student_t", columns, {key: np.full(k, value) for key, value in values.items()})

    def __repr__(self) -> str:
        return f"StudentT({self.df:g}, {self.scale:g}{_mean(self.mean)})"


@dataclass(frozen=True, repr=False)
class Cauchy(_LocationScale):
    """Cauchy prior, `StudentT` with one degree of freedom: its mean and sd do not exist.

    Parameters
    ----------
    scale : float
        Half of the interquartile range, log-odds per unit of the column.
    mean : float
        Centre, same unit.

    Raises
    ------
    PriorError
        If ``scale`` is not a positive finite number or ``mean`` is not finite.
    """

    family: ClassVar[str] = "cauchy"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    shown = ", ".join(str(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def spelled(key: str, design: Columns) -> str:
    """The name of a term or column as the design writes it: one typed with other blanks or quotes is found too."""
    if key in design.columns or key in design.terms:
        return key
    found = {name for name in (*design.terms, *design.columns) if _packed(name) == _packed(key)}
    return found.pop() if len(found) == 1 else key


def _packed(name: str) -> str:
    """Without blanks between its words, and with one kind of quotes; what stands in quotes stays."""
    parts = re.split(r"""('[^']*'|"[^"]*"|`[^`]*`)""", name)
    parts[::2] = ["".join(part.split()) for part in parts[::2]]
    parts[1::2] = [f"'{part[1:-1]}'" if part[0] == '"' and "'" not in part else part for part in parts[1::2]]
    return "".join(parts)


def known(keys: Sequence[str], design: Columns, where: str) -> None:
    """Refuse names that the design does not have."""
    unknown = [key for key in keys if key not in design.columns]
    if unknown:
        raise PriorError(
            f"{where} names {listed(unknown)}, which the design does not have. "
            f"Its terms are {listed(list(design.terms))}; its columns are {listed(design.columns)}."
        )


def _mean(value: float) -> str:
    return "" if value == 0.0 else f", mean={value:g}"
