"""The rule that assigns priors to terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bayeslogit.boundary import guarded
from bayeslogit.errors import PriorError
from bayeslogit.families import Cauchy as Cauchy
from bayeslogit.families import Columns as Columns
from bayeslogit.families import ElasticNet as ElasticNet
from bayeslogit.families import Flat as Flat
from bayeslogit.families import Laplace as Laplace
from bayeslogit.families import Normal as Normal
from bayeslogit.families import Prior as Prior
from bayeslogit.families import StudentT as StudentT
from bayeslogit.families import known, spelled
from bayeslogit.families_joint import GroupLaplace as GroupLaplace
from bayeslogit.families_joint import MultivariateNormal as MultivariateNormal
from bayeslogit.families_unknown import Hierarchical as Hierarchical
from bayeslogit.families_unknown import Horseshoe as Horseshoe
from bayeslogit.families_whole import DiaconisYlvisaker as DiaconisYlvisaker
from bayeslogit.families_whole import Jeffreys as Jeffreys
from bayeslogit.resolved import PriorTerm, ResolvedPrior


@dataclass(frozen=True)
class Priors(Prior):
    """A prior for each term; made by `priors`.

    The more specific key wins: an exact column name before a formula term before ``default``.
    """

    default: Prior = field(default_factory=Flat)
    intercept: Prior | None = None
    terms: Mapping[str, Prior] = field(default_factory=dict)

    def resolve(self, design: Columns) -> ResolvedPrior:
        own = self._assigned(design)
        taken = {j for columns, _ in own for j in columns}
        base = self.default.beside(design, taken)
        terms = [kept for term in base.terms for kept in _without(term, taken)]
        for columns, prior in own:
            terms.append(prior.at(design, columns))
        terms.sort(key=lambda term: term.columns)
        return ResolvedPrior(tuple(design.columns), tuple(terms), self._name(base), base.notes, base.whole)

    def _assigned(self, design: Columns) -> list[tuple[tuple[int, ...], Prior]]:
        names = list(design.columns)
        terms: dict[str, Prior] = {}
        for key, prior in self.terms.items():
            name = spelled(key, design)
            if name in terms:
                raise PriorError(f"priors(terms=...): {name} has two priors, {terms[name]!r} and {prior!r}.")
            terms[name] = prior
        known([key for key in terms if key not in design.terms], design, "priors(terms=...)")
        by_column: dict[int, str] = {}
        for key in terms:
            if key not in names:
                by_column |= {j: key for j in design.terms[key]}
        by_column |= {names.index(key): key for key in terms if key in names}
        assigned = [
            (tuple(sorted(j for j, owner in by_column.items() if owner == key)), prior) for key, prior in terms.items()
        ]
        if self.intercept is not None:
            if not design.has_intercept:
                raise PriorError(f"priors(intercept={self.intercept!r}): the design has no intercept.")
            if 0 in by_column:
                raise PriorError("priors(...): the intercept has two priors, one in intercept= and one in terms=.")
            assigned.append(((0,), self.intercept))
        return [(columns, prior) for columns, prior in assigned if columns]

    def _name(self, base: ResolvedPrior) -> str:
        own = [f"{key}: {prior!r}" for key, prior in self.terms.items()]
        if self.intercept is not None:
            own.insert(0, f"Intercept: {self.intercept!r}")
        return "; ".join([base.name, *own])


@guarded
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
        Keys are formula terms (all their columns) or column names, as in the tables but for blanks and quotes; the more
        specific wins.

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
    if not term.open and term.density.group is not None:
        raise PriorError("A group prior cannot be taken apart: give the term in terms= too, with the columns it keeps.")
    yield replace(
        term,
        columns=tuple(term.columns[index] for index in kept),
        parameters={key: value[kept] for key, value in term.parameters.items()},
        map=None if term.map is None else term.map[kept],
    )
