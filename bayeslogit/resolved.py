"""A prior that has met its design: plain records of numbers that target, PyMC, JSON and tables all read.

A prior is a sum of log densities of linear functions of beta, ``sum_k log f_k(A_k beta)``, and at most one term of the
whole model, which needs the data to be evaluated: `target` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri

from bayeslogit.densities import DENSITIES, Density
from bayeslogit.errors import PriorError
from bayeslogit.prior_widths import half_width
from bayeslogit.table import Column, Table
from bayeslogit.unknown_scales import OPEN, no_density

Array = NDArray[np.float64]
_SHOWN = 0.95
_MADE_OF = (Column("x_mean", "mean(x)", "number"), Column("x_sd", "sd(x)", "number"), Column("rule", "scale"))
# Terms that are functions of the whole model and its data, by the name that their records carry.
WHOLE = {"jeffreys": "Jeffreys (whole model)", "diaconis_ylvisaker": "Diaconis-Ylvisaker (whole model)"}


@dataclass(frozen=True)
class Basis:
    """What scales that depend on the data were worked out from, so that a reader can check them by hand.

    Attributes
    ----------
    mean, sd : array, shape (p,)
        Of the columns, as the rule took them; NaN where it took none.
    rules : tuple of str
        The rules in words.
    which : array of int, shape (p,)
        Position in ``rules`` for each column.
    """

    mean: Array
    sd: Array
    rules: tuple[str, ...]
    which: NDArray[np.intp]

    def of(self, column: int) -> tuple[float | None, float | None, str | None]:
        """Mean, sd and rule of one column; None where there is none."""
        mean, sd = float(self.mean[column]), float(self.sd[column])
        rule = self.rules[self.which[column]]
        return None if np.isnan(mean) else mean, None if np.isnan(sd) else sd, rule or None

    def describe(self, columns: tuple[int, ...]) -> list[list[Any]]:
        return [list(self.of(column)) for column in columns]

    @classmethod
    def restored(cls, p: int, columns: tuple[int, ...], rows: list[list[Any]]) -> Basis:
        """The inverse of `describe`."""
        mean, sd, which = np.full(p, np.nan), np.full(p, np.nan), np.zeros(p, dtype=np.intp)
        rules = tuple(dict.fromkeys(row[2] or "" for row in rows))
        for column, (own_mean, own_sd, rule) in zip(columns, rows, strict=True):
            mean[column], sd[column] = (np.nan if each is None else each for each in (own_mean, own_sd))
            which[column] = rules.index(rule or "")
        return cls(mean, sd, rules, which)


@dataclass(frozen=True)
class PriorTerm:
    """One family on some linear functions of beta.

    Attributes
    ----------
    family : str
        A key of `DENSITIES`, or of `OPEN` if its scales are unknown.
    columns : tuple of int
        Positions of the coefficients that the functions are named after, one each.
    parameters : mapping of str to array
        As the family names them; on the log-odds scale, per unit of the column.
    map : array, shape (len(columns), p), or None
        The linear functions. None means the coefficients themselves.
    where : str
        Words that follow the density in tables, such as "at the column means".
    basis : Basis or None
        What the parameters were worked out from, where they depend on the data.
    """

    family: str
    columns: tuple[int, ...]
    parameters: Mapping[str, Array] = field(default_factory=dict)
    map: Array | None = None
    where: str = ""
    basis: Basis | None = None

    @property
    def density(self) -> Density:
        """The row of `DENSITIES`.

        Raises
        ------
        PriorError
            If the family has unknown scales and so no fixed density.
        """
        if self.open:
            raise PriorError(no_density(self.family))
        return DENSITIES[self.family]

    @property
    def open(self) -> bool:
        """Whether its scales are unknown; what is known of such a family stands in `OPEN`."""
        return self.family in OPEN

    @property
    def proper(self) -> bool:
        return self.family != "flat"

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """`columns` as an array to look up with: of thousands, a tuple is read anew at every use."""
        return np.array(self.columns, dtype=np.intp)

    def restated(self, parameters: Mapping[str, Array]) -> PriorTerm:
        """The same family on the same columns with other numbers; `index` goes along."""
        made = replace(self, parameters=parameters, basis=None)
        vars(made)["index"] = self.index
        return made

    def functions(self, beta: Array) -> Array:
        """``u = A beta``."""
        return beta[self.index] if self.map is None else self.map @ beta

    def log_density(self, beta: Array) -> float:
        return float(self.density.log_density(self.functions(beta), **self.parameters))

    def label(self, index: int) -> str:
        family = OPEN[self.family] if self.open else self.density
        return f"{family.label(index, **self.parameters)} {self.where}".strip()

    def variance(self) -> Array:
        """Of each function; infinite or NaN where there is none. Unknown scales are integrated out."""
        family = OPEN[self.family] if self.open else self.density
        return family.variance(**self.parameters)

    def half_width(self, prob: float) -> Array:
        """Half of the central interval of each function."""
        if self.open:
            return OPEN[self.family].half_width(prob, **self.parameters)
        return half_width(self.family, self.parameters, prob)


@dataclass(frozen=True)
class ResolvedPrior:
    """A prior against one design, as numbers.

    Attributes
    ----------
    columns : tuple of str
        Names of the coefficients.
    terms : tuple of PriorTerm
        Together they name every coefficient exactly once.
    name : str
        What the user asked for, in words.
    notes : tuple of str
        What a reader should know about how the numbers came about.
    whole : str
        A key of `WHOLE`: a term of the whole model, beside the others. Empty without one.
    """

    columns: tuple[str, ...]
    terms: tuple[PriorTerm, ...]
    name: str
    notes: tuple[str, ...] = ()
    whole: str = ""

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Which coefficients carry no proper prior of their own, shape (p,)."""
        mask = np.zeros(len(self.columns), dtype=bool)
        for term in self.terms:
            mask[list(term.columns)] = not term.proper
        return mask

    @property
    def open(self) -> bool:
        """Whether some term has unknown scales: such a prior is drawn from, not fitted."""
        return any(term.open for term in self.terms)

    @property
    def gaussian(self) -> NDArray[np.bool_]:
        """Which coefficients have a normal prior or none; shape (p,). Others have no share of the precision."""
        if self.whole:
            return np.zeros(len(self.columns), dtype=bool)
        mask = np.ones(len(self.columns), dtype=bool)
        for term in self.terms:
            mask[list(term.columns)] = term.family in ("flat", "normal", "multivariate_normal")
        return mask

    def log_density(self, beta: Array) -> float:
        """Normalised log prior density at ``beta``; flat columns and a term of the whole model contribute 0."""
        return sum(term.log_density(beta) for term in self.terms)

    def constraints(self) -> Array:
        """Rows whose span is what the prior bounds, shape (k, p). A term of the whole model bounds everything."""
        p = len(self.columns)
        if self.whole:
            return np.eye(p)
        rows = [np.eye(p)[list(t.columns)] if t.map is None else t.map for t in self.terms if t.proper]
        return np.vstack(rows) if rows else np.zeros((0, p))

    def variance(self) -> Array:
        """Prior variance of each coefficient; infinite where the prior leaves it free. Shape (p,)."""
        result = np.full(len(self.columns), np.inf)
        mapped = [term for term in self.terms if term.proper and term.map is not None]
        for term in self.terms:
            if term.proper and term.map is None:
                result[list(term.columns)] = term.variance()
        for term in mapped:
            result[list(term.columns)] = self._mapped_variance(term)
        return result

    def half_widths(self, prob: float) -> Array:
        """Half of each coefficient's central prior interval; NaN where its density is not told by one term. (p,)."""
        result = np.full(len(self.columns), np.inf)
        for term in self.terms:
            if term.map is None:
                result[list(term.columns)] = term.half_width(prob)
        normal = bool(np.all(self.gaussian))
        for term in self.terms:
            if term.map is not None:  # a coefficient that is a combination of others: normal if they all are
                spread = np.sqrt(self._mapped_variance(term))
                result[list(term.columns)] = float(ndtri(0.5 + 0.5 * prob)) * spread if normal else np.nan
        return result

    def _mapped_variance(self, mapped: PriorTerm) -> Array:
        # u = b_j + a' b_rest with u independent of b_rest: var b_j = var u + a' var(b_rest) a.
        assert mapped.map is not None
        rest = np.array(mapped.map)
        rest[np.arange(len(mapped.columns)), list(mapped.columns)] = 0.0
        total = np.array(mapped.variance(), dtype=np.float64)
        for term in self.terms:
            part = rest[:, list(term.columns)]
            if term is mapped or not np.any(part):
                continue
            if not term.proper:
                return np.full_like(total, np.inf)
            total = total + _spread(term, part)
        return total

    def means(self) -> Array:
        """Prior mean of each coefficient, or of the function named after it; 0 for flat ones. Shape (p,)."""
        result = np.zeros(len(self.columns))
        for term in self.terms:
            if "mean" in term.parameters:
                result[list(term.columns)] = term.parameters["mean"]
        return result

    def labels(self) -> tuple[str, ...]:
        """The prior of each coefficient in words."""
        result = [""] * len(self.columns)
        for term in self.terms:
            for index, column in enumerate(term.columns):
                result[column] = term.label(index)
        if self.whole:
            flat = self.flat
            whole = WHOLE[self.whole]
            result = [whole if flat[j] else f"{own}, {whole}" for j, own in enumerate(result)]
        return tuple(result)

    def describe(self) -> list[dict[str, Any]]:
        """The record as plain lists, numbers and strings: family, columns by name, parameters, linear map."""
        own: list[dict[str, Any]] = [
            {
                "family": term.family,
                "columns": [self.columns[j] for j in term.columns],
                "parameters": {key: np.asarray(value).tolist() for key, value in term.parameters.items()},
                "map": None if term.map is None else term.map.tolist(),
                "where": term.where,
                **({} if term.basis is None else {"basis": term.basis.describe(term.columns)}),
            }
            for term in self.terms
        ]
        if self.whole:
            whole: dict[str, Any] = {"columns": list(self.columns), "parameters": {}, "map": None, "where": ""}
            own.append({"family": self.whole, **whole})
        return own

    def table(self) -> Table:
        """The prior of each column as numbers, with the range of odds ratios that it thinks likely.

        The range of an intercept is one of odds, where its prior is stated.
        """
        sd, half = np.sqrt(self.variance()), self.half_widths(_SHOWN)
        mean = self.means()
        for term in self.terms:
            if term.where:
                half[term.index] = term.half_width(_SHOWN)
        basis = {j: term.basis.of(j) for term in self.terms if term.basis is not None for j in term.columns}
        rows = []
        for j, (name, label) in enumerate(zip(self.columns, self.labels(), strict=True)):
            known = bool(np.isfinite(half[j]))
            low, high = (_odds_ratio(mean[j] + sign * half[j]) if known else None for sign in (-1, 1))
            made_of = basis.get(j, (None, None, None)) if basis else ()
            rows.append((name, label, *made_of, float(sd[j]), low, high))
        return Table(
            name="priors",
            title=f"Prior: {self.name}",
            columns=(
                Column("term", "term"),
                Column("prior", "prior (log-odds per unit)"),
                *(_MADE_OF if basis else ()),
                Column("sd", "prior sd", "number"),
                Column("or_lower", "odds ratio 2.5 %", "ratio"),
                Column("or_upper", "97.5 %", "ratio"),
            ),
            rows=tuple(rows),
            header=(
                f"What each prior says before the data: 95 % of its odds ratios per unit{self._of_intercept} lie in "
                "the last two columns.",
            ),
            notes=self.notes,
        )

    @property
    def _of_intercept(self) -> str:
        """What the range of the intercept is one of: odds, which are no ratio."""
        if self.columns[:1] != ("Intercept",) or self.flat[0]:
            return ""
        where = next((term.where for term in self.terms if 0 in term.columns and term.where), "where every column is 0")
        return f", and of the odds {where} for the intercept,"

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return f"<ResolvedPrior: {self.name}, as numbers for {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _odds_ratio(log_odds: float) -> float:
    """Infinity where it overflows: a prior can be that wide."""
    with np.errstate(over="ignore"):
        return float(np.exp(log_odds))


def _spread(term: PriorTerm, part: Array) -> Array:
    """Variance of ``part @ b`` under one proper term, shape (k,)."""
    if term.family == "multivariate_normal":
        factor = cho_factor(term.parameters["precision"])
        joint: Array = np.einsum("ij,ji->i", part, cho_solve(factor, part.T))
        return joint
    with np.errstate(invalid="ignore"):  # a coefficient without a variance adds nothing where it does not enter
        parts: Array = np.where(part != 0.0, np.square(part) * term.variance(), 0.0)
    return parts.sum(axis=1)


def _restored_basis(term: Mapping[str, Any], position: Mapping[str, int]) -> Basis | None:
    if "basis" not in term:
        return None
    return Basis.restored(len(position), tuple(position[label] for label in term["columns"]), term["basis"])


def from_description(
    columns: tuple[str, ...], name: str, notes: tuple[str, ...], terms: list[dict[str, Any]]
) -> ResolvedPrior:
    """The inverse of `ResolvedPrior.describe`."""
    position = {label: j for j, label in enumerate(columns)}
    restored = tuple(
        PriorTerm(
            term["family"],
            tuple(position[label] for label in term["columns"]),
            {key: np.asarray(value, dtype=np.float64) for key, value in term["parameters"].items()},
            None if term["map"] is None else np.asarray(term["map"], dtype=np.float64),
            term["where"],
            _restored_basis(term, position),
        )
        for term in terms
        if term["family"] not in WHOLE
    )
    whole = [term["family"] for term in terms if term["family"] in WHOLE]
    return ResolvedPrior(columns, restored, name, notes, whole[0] if whole else "")
