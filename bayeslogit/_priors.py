"""Prior families and the rule that assigns them to terms: what a user writes.

Nothing here knows data. ``resolve`` turns a prior into a `ResolvedPrior` against a design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.errors import PriorError
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


class Prior:
    """A prior before it has met a design."""

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        """This family on the given columns."""
        raise PriorError(f"{self!r} is a rule for a whole model, not a density for the columns {', '.join(names)}.")

    def resolve(self, design: Columns) -> ResolvedPrior:
        """The prior as numbers against ``design``: slopes get this family, the intercept is flat."""
        return Priors(default=self).resolve(design)

    def describe(self, design: Columns) -> list[dict[str, Any]]:
        """`ResolvedPrior.describe` of ``resolve(design)``."""
        return self.resolve(design).describe()


@dataclass(frozen=True)
class Flat(Prior):
    """No prior: density 1 per unit of the column. The mode is the maximum-likelihood estimate."""

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        return PriorTerm("flat", columns)


@dataclass(frozen=True)
class Normal(Prior):
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

    scale: float
    mean: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _positive("Normal", "scale", self.scale))
        object.__setattr__(self, "mean", _finite("Normal", "mean", self.mean))

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        k = len(columns)
        return PriorTerm("normal", columns, {"mean": np.full(k, self.mean), "scale": np.full(k, self.scale)})

    def __repr__(self) -> str:
        return f"Normal({self.scale:g}{'' if self.mean == 0.0 else f', mean={self.mean:g}'})"


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
        mean = _vector("MultivariateNormal", "mean", self.mean)
        if (self.cov is None) == (self.precision is None):
            raise PriorError("MultivariateNormal: give exactly one of cov= and precision=.")
        name = "cov" if self.precision is None else "precision"
        given = self.cov if self.precision is None else self.precision
        assert given is not None
        matrix = _positive_definite("MultivariateNormal", name, given, mean.size)
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
                    f"MultivariateNormal names the columns {_listed(self.columns)}, "
                    f"but it was assigned to {_listed(names)}."
                )
            order = np.array([self.columns.index(name) for name in names], dtype=int)
        elif len(columns) != self.mean.size:
            raise PriorError(
                f"MultivariateNormal has {self.mean.size} means, but it was assigned to {len(columns)} columns "
                f"({_listed(names)}); give columns=."
            )
        precision = self.precision if self.precision is not None else _inverse(self.cov)
        parameters = {"mean": self.mean[order], "precision": precision[np.ix_(order, order)]}
        return PriorTerm("multivariate_normal", columns, parameters)

    def resolve(self, design: Columns) -> ResolvedPrior:
        """Alone it must name every slope, and may name the intercept; anything left out would be flat in silence."""
        if self.columns is None:
            raise PriorError("MultivariateNormal as the whole prior needs columns=, so that it is matched by name.")
        _known(self.columns, design, "MultivariateNormal")
        slopes = [name for name in design.columns if not (design.has_intercept and name == design.columns[0])]
        missing = [name for name in slopes if name not in self.columns]
        if missing:
            raise PriorError(
                f"MultivariateNormal as the whole prior must name every slope; it leaves out {_listed(missing)}. "
                "Use bayeslogit.priors(default=..., terms={...}) to give the others a prior of their own."
            )
        covered = tuple(j for j, name in enumerate(design.columns) if name in self.columns)
        terms = [self.on(covered, tuple(design.columns[j] for j in covered))]
        terms += [PriorTerm("flat", (j,)) for j in range(len(design.columns)) if j not in covered]
        return ResolvedPrior(tuple(design.columns), tuple(terms), f"MultivariateNormal on {len(covered)} columns")

    def __repr__(self) -> str:
        return f"MultivariateNormal(mean={np.array2string(self.mean, precision=3)}, columns={self.columns})"


@dataclass(frozen=True)
class Priors(Prior):
    """A prior for each term; made by `priors`.

    The more specific key wins: an exact column name before a formula term before ``default``.
    """

    default: Prior = field(default_factory=Flat)
    intercept: Prior | None = None
    terms: Mapping[str, Prior] = field(default_factory=dict)

    def resolve(self, design: Columns) -> ResolvedPrior:
        base = self._base(design)
        own = self._assigned(design)
        taken = {j for columns, _ in own for j in columns}
        terms = [kept for term in base.terms for kept in _without(term, taken)]
        for columns, prior in own:
            terms.append(prior.on(columns, tuple(design.columns[j] for j in columns)))
        terms.sort(key=lambda term: term.columns)
        return ResolvedPrior(tuple(design.columns), tuple(terms), self._name(base), base.notes)

    def _base(self, design: Columns) -> ResolvedPrior:
        """The default's own resolution, for a preset; for a family the family on every slope and a flat intercept."""
        if type(self.default).resolve is not Prior.resolve:
            return self.default.resolve(design)
        first = int(design.has_intercept)
        names = tuple(design.columns)
        terms = [PriorTerm("flat", (0,))] if first else []
        if len(names) > first:
            terms.append(self.default.on(tuple(range(first, len(names))), names[first:]))
        return ResolvedPrior(names, tuple(terms), _words(self.default))

    def _assigned(self, design: Columns) -> list[tuple[tuple[int, ...], Prior]]:
        names = list(design.columns)
        _known([key for key in self.terms if key not in design.terms], design, "priors(terms=...)")
        by_column: dict[int, str] = {}
        for key in self.terms:
            if key not in names:
                by_column |= {j: key for j in design.terms[key]}
        by_column |= {names.index(key): key for key in self.terms if key in names}
        assigned = [
            (tuple(sorted(j for j, owner in by_column.items() if owner == key)), prior)
            for key, prior in self.terms.items()
        ]
        if self.intercept is not None:
            if not design.has_intercept:
                raise PriorError(f"priors(intercept={self.intercept!r}): the design has no intercept.")
            if 0 in by_column:
                raise PriorError("priors(...): the intercept has two priors, one in intercept= and one in terms=.")
            assigned.append(((0,), self.intercept))
        return [(columns, prior) for columns, prior in assigned if columns]

    def _name(self, base: ResolvedPrior) -> str:
        own = [f"{key}: {_words(prior)}" for key, prior in self.terms.items()]
        if self.intercept is not None:
            own.insert(0, f"Intercept: {_words(self.intercept)}")
        return "; ".join([base.name, *own])


def priors(
    default: Prior | None = None, intercept: Prior | None = None, terms: Mapping[str, Prior] | None = None
) -> Priors:
    """A prior for each term of a model.

    Parameters
    ----------
    default : Prior, optional
        For every slope that ``terms`` does not name: a family, or a preset (which then also sets the intercept).
        None is `Flat`.
    intercept : Prior, optional
        For the intercept. None is flat, or what a preset in ``default`` says.
    terms : mapping of str to Prior, optional
        Keys are formula terms (all their columns) or exact column names; the more specific wins.

    Returns
    -------
    Priors

    Raises
    ------
    PriorError
        If a value is not a prior. Unknown keys are reported by ``resolve``, which knows the design.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> bl.priors(default=bl.Normal(2.5), intercept=bl.Normal(5.0), terms={"arsenic": bl.Normal(0.5)})
    Priors(default=Normal(2.5), intercept=Normal(5), terms={'arsenic': Normal(0.5)})
    """
    terms = {} if terms is None else terms
    if not isinstance(terms, Mapping):
        raise PriorError(f"priors(terms=...) must map term names to priors, not {type(terms).__name__}.")
    given = {"default": default, "intercept": intercept, **{f"terms[{key!r}]": value for key, value in terms.items()}}
    for name, value in given.items():
        if not (value is None and name in {"default", "intercept"}) and not isinstance(value, Prior):
            raise PriorError(f"priors({name}={value!r}): a prior such as bayeslogit.Normal(2.5) is needed.")
    return Priors(Flat() if default is None else default, intercept, dict(terms))


def _without(term: PriorTerm, taken: set[int]) -> Iterator[PriorTerm]:
    """``term`` less the columns that have a prior of their own."""
    kept = [index for index, column in enumerate(term.columns) if column not in taken]
    if not kept:
        return
    if len(kept) == len(term.columns):
        yield term
        return
    if term.family == "multivariate_normal":
        raise PriorError("A multivariate prior cannot be taken apart: give it in terms=, with its columns named.")
    yield replace(
        term,
        columns=tuple(term.columns[index] for index in kept),
        parameters={key: value[kept] for key, value in term.parameters.items()},
        map=None if term.map is None else term.map[kept],
    )


def _words(prior: Prior) -> str:
    return repr(prior)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(str(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _known(keys: Sequence[str], design: Columns, where: str) -> None:
    unknown = [key for key in keys if key not in design.columns]
    if unknown:
        raise PriorError(
            f"{where} names {_listed(unknown)}, which the design does not have. "
            f"Its terms are {_listed(list(design.terms))}; its columns are {_listed(design.columns)}."
        )


def _finite(family: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise PriorError(f"{family}({name}={value!r}): {name} must be a finite number.")
    return number


def _positive(family: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not (math.isfinite(number) and number > 0.0):
        raise PriorError(
            f"{family}({name}={value!r}): {name} must be a positive finite number, in log-odds per unit of the column. "
            "For no prior at all use bayeslogit.Flat()."
        )
    # 1 / scale^2 and its logarithm must stay representable.
    if not 1e-150 < number < 1e150:
        raise PriorError(f"{family}({name}={value!r}): {name} must lie between 1e-150 and 1e150; rescale the column.")
    return number


def _vector(family: str, name: str, value: ArrayLike) -> Array:
    try:
        vector = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise PriorError(f"{family}({name}=...): {name} must be numbers.") from None
    if vector.ndim != 1 or not np.all(np.isfinite(vector)):
        raise PriorError(f"{family}({name}=...): {name} must be a vector of finite numbers, shape (k,).")
    return vector


def _positive_definite(family: str, name: str, value: ArrayLike, size: int) -> Array:
    try:
        matrix = np.atleast_2d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise PriorError(f"{family}({name}=...): {name} must be a matrix of numbers.") from None
    if matrix.shape != (size, size):
        raise PriorError(f"{family}({name}=...): {name} has shape {matrix.shape}, the mean needs ({size}, {size}).")
    if not np.all(np.isfinite(matrix)):
        raise PriorError(f"{family}({name}=...): {name} has values that are not finite.")
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if not np.all(np.abs(matrix - matrix.T) <= 1e-10 * np.outer(scale, scale)):
        raise PriorError(f"{family}({name}=...): {name} is not symmetric.")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        raise PriorError(
            f"{family}({name}=...): {name} is not positive definite (smallest eigenvalue {smallest:.3g})."
        ) from None
    return 0.5 * (matrix + matrix.T)


def _inverse(matrix: Array | None) -> Array:
    assert matrix is not None
    inverse: Array = np.linalg.inv(matrix)
    return 0.5 * (inverse + inverse.T)
