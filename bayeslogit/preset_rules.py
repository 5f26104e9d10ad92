"""How other systems make their default priors: which sd, of which columns, and where the intercept's prior acts.

Every rule is one family on all slopes with ``scale = numerator / unit``, the unit being taken from the column, and a
density for the intercept, stated on the log-odds at the column means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.formula import FormulaSpec
from bayeslogit.formula_guard import read_formula
from bayeslogit.resolved import Basis, PriorTerm, ResolvedPrior
from bayeslogit.sources.matrix import DenseRows, SparseRows
from bayeslogit.sources.memory import Block
from bayeslogit.tallies import Moments, moments

Array = NDArray[np.float64]
Count = Callable[[Block], Moments]

ROWS = ("expanded", "as-is")
AT_THE_MEANS = "at the column means"
# Observations below which n - 1 is more than a tenth short of n.
_PLENTY = 10.0
# Numbers looked at in one go when values are compared one by one.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Units:
    """What the scales of the slopes are divided by; arrays of shape (p,), intercept first.

    Attributes
    ----------
    unit : array
    sd : array
        The sd that made it; NaN where none did.
    rules : tuple of str
        The rules in words.
    which : array of int
        Position in ``rules`` for each column.
    notes : tuple of str
    """

    unit: Array
    sd: Array
    rules: tuple[str, ...]
    which: NDArray[np.intp]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """The default prior of a system.

    Attributes
    ----------
    title : str
        What tables call it.
    words : str
        System, version and rule, in a sentence.
    family : str
        Of the slopes.
    numerator : float
        Scale times unit.
    units : function, optional
        Of a design and of "expanded" or "as-is". None leaves the columns as they are.
    intercept : tuple of str and mapping, optional
        Family and parameters of the log-odds at the column means. None is flat.
    remark : str
        A second sentence.
    smallest : float
        What the system holds its scales above.
    """

    title: str
    words: str
    family: str
    numerator: float
    units: Callable[[Design, str], Units] | None = None
    intercept: tuple[str, Mapping[str, float]] | None = None
    remark: str = ""
    smallest: float = 0.0

    def resolve(self, design: Design, rows: str) -> ResolvedPrior:
        """The prior as numbers, with what they were made of."""
        names = tuple(design.columns)
        first, p = int(design.has_intercept), len(names)
        mean = _means(design, rows) if self.units is not None or self.intercept is not None else None
        units = _raw(p) if self.units is None else self.units(design, rows)
        basis = None if mean is None else self._basis(units, mean, first)
        terms = [self._intercept(mean, p, basis)] if first else []
        if p > first:
            slopes = tuple(range(first, p))
            scale = np.maximum(self.numerator / units.unit[first:], self.smallest)
            given = {} if self.family == "flat" else {"mean": np.zeros(p - first), "scale": scale}
            terms.append(PriorTerm(self.family, slopes, given, basis=basis))
        return ResolvedPrior(names, tuple(terms), self.title, self._notes(design, rows, units))

    def _intercept(self, mean: Array | None, p: int, basis: Basis | None) -> PriorTerm:
        if self.intercept is None or mean is None:
            return PriorTerm("flat", (0,))
        family, values = self.intercept
        given = {key: np.full(1, value) for key, value in values.items()}
        if p == 1:
            return PriorTerm(family, (0,), given, basis=basis)
        return PriorTerm(family, (0,), given, np.concatenate([[1.0], mean[1:]])[None, :], AT_THE_MEANS, basis)

    def _basis(self, units: Units, mean: Array, first: int) -> Basis:
        scale = "" if self.intercept is None else f"{self.intercept[1]['scale']:g}"
        rules, which = (*units.rules, scale), units.which.copy()
        shown, sd = mean.copy(), units.sd.copy()
        if first:
            which[0], shown[0], sd[0] = len(units.rules), np.nan, np.nan
        return Basis(shown, sd, rules, which)

    def _notes(self, design: Design, rows: str, units: Units) -> tuple[str, ...]:
        first, p = int(design.has_intercept), len(design.columns)
        where = ""
        if first and p > 1 and self.intercept is not None:
            where = " The intercept's prior is on the log-odds at the column means."
        notes = [self.words + where, self.remark, *units.notes]
        if rows == "as-is" and (self.units is not None or where):
            notes.append("Means and sds count each row of the data once, whatever its weight or trials.")
        elif self.units is not None:
            notes += _few(design)
        return tuple(note for note in notes if note)


def _raw(p: int) -> Units:
    return Units(np.ones(p), np.full(p, np.nan), ("",), np.zeros(p, dtype=np.intp))


# --- what a system learns of the columns -----------------------------------------------------------------------------


def _once(block: Block) -> Moments:
    """Moments of the slope columns, each row of the data counting once."""
    n = block.weights.size
    return Moments(float(n), *block.X.moments(np.ones(n)))


def _count(rows: str) -> Count:
    return moments if rows == "expanded" else _once


def _moments(design: Design, rows: str) -> Moments:
    return design.moments if rows == "expanded" else design.reduce(_once)


def _means(design: Design, rows: str) -> Array:
    return design.column_means if rows == "expanded" else _padded(design, _moments(design, rows).mean, 1.0)


def _padded(design: Design, slopes: Array, intercept: float) -> Array:
    return np.concatenate([[intercept], slopes]) if design.has_intercept else slopes


def _sds(m: Moments, ddof: int) -> Array:
    """Sd of each column with divisor ``count - ddof``; exactly 0 for a constant one."""
    if m.count <= ddof:
        return np.zeros_like(m.mean)
    return np.where(m.lower == m.upper, 0.0, np.sqrt(m.squares / (m.count - ddof)))


def _sample_sds(design: Design, rows: str) -> Array:
    """R's sd (n - 1), shape (p,)."""
    return design.column_sds if rows == "expanded" else _padded(design, _sds(_moments(design, rows), 1), 0.0)


def _few(design: Design) -> tuple[str, ...]:
    """That the sds rest on next to no observations, where weights rather than rows are why."""
    nobs, n_rows = float(getattr(design, "nobs", np.inf)), int(getattr(design, "n_rows", 0))
    if nobs >= _PLENTY or n_rows <= nobs * (1.0 + 1e-9):
        return ()
    why = f"divide by {nobs - 1.0:.3g}" if nobs > 1.0 + 1e-9 else "divide by one less, which leaves nothing"
    return (
        f"The weights add up to {nobs:.4g} observation(s) over {n_rows:,} rows, and the sds behind these scales {why}. "
        "If the weights are shares, multiply them by the number of rows; or give the prior as numbers, such as "
        "bayeslogit.Normal(2.5).",
    )


# --- rstanarm --------------------------------------------------------------------------------------------------------


def _each_sd(design: Design, rows: str) -> Units:
    """The sd of every column, dummies included; 1 where it is 0, as ``set_prior_scale`` has it."""
    sd = _sample_sds(design, rows)
    varies = sd > 0.0
    return Units(np.where(varies, sd, 1.0), sd, ("2.5 / sd(x)", "2.5, x is constant"), np.where(varies, 0, 1))


# --- arm -------------------------------------------------------------------------------------------------------------


def _range_or_two_sds(design: Design, rows: str) -> Units:
    """The range of a column with two values, else twice its sd; 1 where it is constant (``bayesglm.fit``)."""
    m = _moments(design, rows)
    sd, span = _padded(design, _sds(m, 1), 0.0), _padded(design, m.upper - m.lower, 0.0)
    two = _padded(design, _two_valued(design, m, rows).astype(np.float64), 0.0) > 0.0
    unit = np.where(two, span, np.where(span > 0.0, 2.0 * sd, 1.0))
    rules, which = ["2.5 / (2 * sd(x))", "2.5, x is constant"], np.where(span > 0.0, 0, 1)
    for width in np.unique(span[two]):
        which[two & (span == width)] = len(rules)
        rules.append(f"2.5 / {width:.6g}, range of two values")
    return Units(unit, np.where(two, np.nan, sd), tuple(rules), which)


def _two_valued(design: Design, m: Moments, rows: str) -> NDArray[np.bool_]:
    """Which slope columns take exactly two values, shape (k,).

    The variance of a column between two ends is largest when all values lie at the ends (Bhatia and Davis 2000), so the
    moments rule most columns out; those that come near are read once more, value by value.
    """
    largest = m.count * (m.mean - m.lower) * (m.upper - m.mean)
    found = (m.lower < m.upper) & (m.squares >= 0.9 * largest)
    picked = np.flatnonzero(found)
    if picked.size:
        found[picked] = design.reduce(_between, picked, m, rows) == 0
    return found


def _between(block: Block, picked: NDArray[np.intp], m: Moments, rows: str) -> NDArray[np.int64]:
    """How many values of some columns lie strictly between the ends, shape (len(picked),)."""
    used = block.count > 0.0 if rows == "expanded" else np.ones(block.weights.size, dtype=bool)
    lower, upper = m.lower[picked], m.upper[picked]
    if isinstance(block.X, SparseRows):
        stored = block.X.columns_of_csr(picked)[used].tocoo()
        inside = (stored.data > lower[stored.col]) & (stored.data < upper[stored.col])
        empty = used.sum() - np.bincount(stored.col, minlength=picked.size)
        counted = np.bincount(stored.col[inside], minlength=picked.size)
        return counted + np.where((lower < 0.0) & (upper > 0.0), empty, 0)
    step = max(1, _CHUNK // max(block.weights.size, 1))
    parts = []
    for start in range(0, picked.size, step):
        here = slice(start, start + step)
        values = block.X.columns(picked[here])[used]
        parts.append(np.sum((values > lower[here]) & (values < upper[here]), axis=0))
    return np.concatenate(parts)


# --- bambi -----------------------------------------------------------------------------------------------------------


def _sd_or_one(design: Design, rows: str) -> Units:
    """The 1/n sd of numeric columns, that of the row sum where an interaction has several, 1 for factors."""
    first, p = int(design.has_intercept), len(design.columns)
    m = _moments(design, rows)
    sd = _padded(design, _sds(m, 0), 0.0)
    which, notes = np.zeros(p, dtype=np.intp), []
    sums: list[tuple[int, ...]] = []
    for term, kinds in _kinds(design).items():
        columns = tuple(j for j in design.terms[term] if j >= first)
        if all(kinds):
            which[list(columns)], sd[list(columns)] = 1, np.nan
        elif len(columns) > 1 and len(kinds) > 1:
            sums.append(columns)
        elif len(columns) > 1:
            notes.append(f"bambi stops at {term}, one numeric term of several columns; here each has 1 / its own sd.")
    if sums:
        together = _sds(design.reduce(_summed, [np.array(each) - first for each in sums], _count(rows)), 0)
        for columns, value in zip(sums, together, strict=True):
            which[list(columns)], sd[list(columns)] = 2, value
    which[sd == 0.0] = 3
    rules = ("1 / sd(x)", "1, column of a factor", "1 / sd(sum of the term's x)", "1, x is constant")
    return Units(np.where(sd > 0.0, sd, 1.0), sd, rules, which, tuple(notes))


def _kinds(design: Design) -> Mapping[str, tuple[bool, ...]]:
    """For each term of a formula, which of its parts are factors; arrays are numbers, and have no terms to tell."""
    if not isinstance(design.spec, FormulaSpec):
        return {}
    from formulaic import Formula

    spec = design.spec
    reading = read_formula(spec.formula, spec.factors.texts())
    kinds = {expression: kind == "categorical" for expression, (kind, _) in spec.state["encoders"].items()}
    return {
        reading.shown(str(term)): tuple(kinds[factor.expr] for factor in term.factors)
        for term in Formula(reading.text)
        if str(term) != "1"
    }


def _summed(block: Block, groups: list[NDArray[np.intp]], count: Count) -> Moments:
    """Moments of the row sums of groups of slope columns."""
    sums: Any = np.column_stack([block.X.columns(columns).sum(axis=1) for columns in groups])
    return count(replace(block, X=DenseRows(sums, False)))


RULES: dict[str, Rule] = {
    "rstanarm": Rule(
        "rstanarm default, weakly informative",
        "Prior scales are 2.5 / sd of each column (rstanarm 2.32.2's default), so they depend on the data.",
        "normal",
        2.5,
        _each_sd,
        ("normal", {"mean": 0.0, "scale": 2.5}),
        smallest=1e-12,
    ),
    "bambi": Rule(
        "bambi default",
        "Prior scales are 1 / sd of each numeric column, with divisor n, and 1 for the columns of factors (bambi "
        "0.21.0's default for logit models), so they depend on the data.",
        "normal",
        1.0,
        _sd_or_one,
        ("normal", {"mean": 0.0, "scale": 1.5}),
    ),
    "brms": Rule(
        "brms default, flat slopes",
        "Slopes are flat (brms 2.18.0's default).",
        "flat",
        1.0,
        None,
        ("student_t", {"df": 3.0, "mean": 0.0, "scale": 2.5}),
    ),
    "gelman2008": Rule(
        "Gelman et al. 2008, weakly informative",
        "Prior scales are 2.5 / (2 sd) of each column, or 2.5 / range of a column with two values (defaults of "
        "bayesglm in arm 1.13), so they depend on the data.",
        "cauchy",
        2.5,
        _range_or_two_sds,
        ("cauchy", {"mean": 0.0, "scale": 10.0}),
        "The mode is that of the Cauchy densities themselves; bayesglm's EM adds sampling variance to their scales, so "
        "its estimates differ.",
        smallest=1e-12,
    ),
    "sklearn": Rule(
        "scikit-learn default, C = 1",
        "Normal(1) on the columns as they are is LogisticRegression(C=1), the default of scikit-learn 1.9.1; its "
        "intercept is free. The scales do not look at the data: in another unit of a column this is another prior.",
        "normal",
        1.0,
    ),
}
