"""Separation against an oracle in exact rational arithmetic: Fourier's question, answered by a simplex in fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.solitary import solitary_separators


class Truth(NamedTuple):
    """What exact arithmetic says of a design."""

    verdict: str
    touching: list[int]
    infinite: list[int]
    left_out: list[int]


def reduced(rows: list[list[Fraction]], k: int) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form and its pivot columns."""
    rows, pivots, top = [list(row) for row in rows], [], 0
    for j in range(k):
        found = next((i for i in range(top, len(rows)) if rows[i][j]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [value / rows[top][j] for value in rows[top]]
        for i in range(len(rows)):
            if i != top and rows[i][j]:
                rows[i] = [a - rows[i][j] * b for a, b in zip(rows[i], rows[top], strict=True)]
        pivots.append(j)
        top += 1
    return rows[:top], pivots


def moving(rows: list[list[Fraction]], k: int) -> list[int]:
    """Columns that are not zero in every vector that all rows annul."""
    form, pivots = reduced(rows, k)
    free = [j for j in range(k) if j not in pivots]
    return sorted({*free, *(pivot for row, pivot in zip(form, pivots, strict=True) if any(row[j] for j in free))})


def simplex(objective: list[Fraction], rows: list[list[Fraction]], limits: list[Fraction]) -> list[Fraction]:
    """Maximise ``objective'x`` over ``rows x <= limits`` (limits >= 0) and ``x >= 0``, by Bland's rule."""
    m, k = len(rows), len(objective)
    table = [
        [*row, *(Fraction(int(i == j)) for j in range(m)), limit]
        for i, (row, limit) in enumerate(zip(rows, limits, strict=True))
    ]
    cost, basis = [*(-c for c in objective), *([Fraction(0)] * (m + 1))], list(range(k, k + m))
    while True:
        enter = next((j for j in range(k + m) if cost[j] < 0), None)
        if enter is None:
            break
        ratios = [(table[i][-1] / table[i][enter], basis[i], i) for i in range(m) if table[i][enter] > 0]
        leave = min(ratios)[2]
        table[leave] = [value / table[leave][enter] for value in table[leave]]
        for line in (*table[:leave], *table[leave + 1 :], cost):
            if line[enter]:
                factor = line[enter]
                line[:] = [a - factor * b for a, b in zip(line, table[leave], strict=True)]
        basis[leave] = enter
    x = [Fraction(0)] * (k + m)
    for i, j in enumerate(basis):
        x[j] = table[i][-1]
    return x[:k]


def oracle(X: Any, y: Any, trials: Any, weights: Any) -> Truth:
    """X of whole numbers, with its intercept."""
    k = X.shape[1]
    rows = [[Fraction(int(v)) for v in row] for row in X]
    used = [i for i in range(len(y)) if weights[i] > 0]
    signed = {i: [v if y[i] else -v for v in rows[i]] for i in used if y[i] in (0, trials[i])}
    mixed = [rows[i] for i in used if i not in signed]
    n = len(signed)
    # Maximise the number of rows that gain: z_i <= min(1, a_i'd), d = u - v.
    lines, limits = [], []
    for position, row in enumerate(signed.values()):
        own = [Fraction(int(position == j)) for j in range(n)]
        lines += [[*own, *(-v for v in row), *row], [*own, *([Fraction(0)] * (2 * k))]]
        limits += [Fraction(0), Fraction(1)]
    for row in mixed:
        nothing = [Fraction(0)] * n
        lines += [[*nothing, *row, *(-v for v in row)], [*nothing, *(-v for v in row), *row]]
        limits += [Fraction(0)] * 2
    z = simplex([Fraction(1)] * n + [Fraction(0)] * (2 * k), lines, limits)[:n]
    assert all(value in (0, 1) for value in z)
    gaining = {i for i, value in zip(signed, z, strict=True) if value}
    touching = [i for i in used if i not in gaining]
    verdict = "none" if not gaining else "quasi-complete" if touching else "complete"
    left_out = [j for j in range(k) if j not in reduced([rows[i] for i in used], k)[1]]
    kept = [j for j in range(k) if j not in left_out]
    infinite = [kept[j] for j in moving([[rows[i][j] for j in kept] for i in touching], len(kept))]
    return Truth(verdict, touching, infinite, left_out)


class Given(NamedTuple):
    """Whole numbers; the design divides the columns by ``unit`` and adds ``shift``."""

    X: Any
    y: Any
    trials: Any
    weights: Any
    intercept: bool
    unit: float
    shift: Any

    @property
    def rows(self) -> Any:
        """As whole numbers that span the same columns as the design's."""
        return np.column_stack([np.ones(len(self.y), int), self.X]) if self.intercept else self.X

    @property
    def design(self) -> bl.Design:
        X = self.X / self.unit + self.shift
        return bl.Design.from_arrays(X, self.y, trials=self.trials, weights=self.weights, intercept=self.intercept)


KINDS = ("noise", "plane", "flipped", "counts", "zero weights", "collinear", "factor", "wide", "flipped counts")


def small_design(seed: int) -> Given:
    """A few small whole numbers of one of `KINDS`, many of them on the plane that divides the classes."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    n, p = int(rng.integers(4, 13)), int(rng.integers(1, 4))
    most = int(rng.choice([1, 2, 4, 10, 30]))
    X = rng.integers(-most, most + 1, (n, p))
    if kind == "collinear":
        X = np.column_stack([X, 2 * X[:, 0] - (X[:, 1] if p > 1 else 0)])
    if kind == "factor":
        X = (rng.integers(0, p + 1, n)[:, None] == np.arange(1, p + 1)).astype(int)
    if kind == "wide":
        n = int(rng.integers(3, 6))
        X = rng.integers(-most, most + 1, (n, n + int(rng.integers(0, 3))))
    side = X @ rng.integers(-3, 4, X.shape[1]) - int(rng.integers(-3, 4))
    y = rng.integers(0, 2, n)
    if kind != "noise":
        y = np.where(side > 0, 1, np.where(side < 0, 0, y))
    trials, weights = np.ones(n, int), np.ones(n, int)
    if kind.startswith("flipped"):
        i = rng.integers(n)
        y[i] = 1 - y[i]
    if kind.endswith("counts"):
        trials = rng.integers(1, 4, n)
        y = y * trials
        both = (side == 0) & (rng.random(n) < 0.7) | (rng.random(n) < 0.05)
        y[both] = rng.integers(0, trials[both] + 1)
    if kind == "zero weights":
        weights = rng.integers(1, 3, n)
        gone = rng.random(n) < 0.25
        gone[0] = False
        y[gone], weights[gone] = 1 - y[gone], 0
    unit, shift = 1.0, 0.0
    if seed % 5 == 0:  # nearly separated, or hardly overlapping: one value is moved in its last digit
        X = X * 10**6
        X[rng.integers(n), rng.integers(X.shape[1])] += int(rng.choice([-1, 1]))
    intercept = bool(rng.random() < 0.8)
    if seed % 3 == 0:
        unit = 10.0
        if intercept:
            shift = np.array([0.0, 100.0, 1e4])[rng.integers(0, 3, X.shape[1])]
    return Given(X, y, trials, weights, intercept, unit, shift)


@pytest.mark.parametrize("part", range(5))
def test_five_hundred_small_designs_as_exact_arithmetic_has_them(part):
    verdicts = {"none": 0, "quasi-complete": 0, "complete": 0}
    for seed in range(100 * part, 100 * part + 100):
        given = small_design(seed)
        truth = oracle(given.rows, given.y, given.trials, given.weights)
        found = bl.separation(given.design)
        names = given.design.columns
        verdicts[truth.verdict] += 1
        assert (found.verdict, found.verified) == (truth.verdict, True), seed
        assert found.touching.tolist() == (truth.touching if truth.verdict != "none" else []), seed
        assert found.left_out == tuple(names[j] for j in truth.left_out), seed
        # Where columns are moved by a constant the intercept is another; it moves if some slope does.
        skipped = {"Intercept"} if np.any(given.shift) else set()
        assert {*found.columns} - skipped == {names[j] for j in truth.infinite} - skipped, seed
        if truth.verdict != "none":
            check_direction(given, found)
    assert min(verdicts.values()) >= 5


def check_direction(given: Given, found: bl.Separation) -> None:
    """Along the direction the rows that touch stay, and every other gains."""
    rows = np.array(given.design.source.X.toarray())
    d = np.array([found.direction.get(name, 0.0) for name in given.design.columns])
    sign = np.where(given.y == given.trials, 1.0, np.where(given.y == 0, -1.0, 0.0))
    gains, sizes = sign * (rows @ d), np.abs(rows) @ np.abs(d)
    level = rows @ d
    used = np.asarray(given.weights) > 0
    touching = np.isin(np.arange(len(sign)), found.touching)
    np.testing.assert_array_less(np.abs(level[touching & used]), 3e-14 * sizes[touching & used] + 1e-300)
    assert np.all(gains[used & ~touching] > 2e-14 * sizes[used & ~touching])


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_columns_that_separate_alone(seed):
    given = small_design(seed)
    if np.any(given.shift):
        given = given._replace(shift=0.0)
    expected = []
    for j in range(given.rows.shape[1]):
        own = given.rows[:, [0, j]] if given.intercept and j else given.rows[:, [j]]
        truth = oracle(own, given.y, given.trials, given.weights)
        # Every direction of the two that gains must be able to move column j itself.
        alone = truth.verdict != "none" and (own.shape[1] == 1 or moves_second(own, given))
        expected.append(alone)
    assert solitary_separators(given.design).tolist() == expected


def moves_second(own: Any, given: Given) -> bool:
    """Whether some direction of intercept and column gains with the column moving: by brute force over thresholds."""
    used = given.weights > 0
    x = own[used, 1]
    sign = np.where(given.y == given.trials, 1, np.where(given.y == 0, -1, 0))[used]
    for b in (1, -1):
        for twice in {*(2 * x), *(2 * x - 1), *(2 * x + 1)}:
            gains = 2 * b * x - b * twice
            if np.all(sign * gains >= 0) and np.all(gains[sign == 0] == 0) and np.any(sign * gains > 0):
                return True
    return False


# --- priors by term ------------------------------------------------------------------------------------------------

FAMILIES = (
    bl.Normal(2.5),
    bl.Cauchy(2.5),
    bl.StudentT(df=3, scale=1.0),
    bl.Laplace(scale=1.0),
    bl.ElasticNet(l1=1.0, l2=1.0),
    bl.Flat(),
    bl.Flat(),
    bl.Flat(),
)


def with_held(given: Given, held: list[int]) -> Truth:
    """The oracle's verdict where some coefficients may not move: a row of both classes for each of them."""
    extra = np.eye(given.rows.shape[1], dtype=int)[held]
    ones = np.ones(len(held), dtype=int)
    parts = ((given.rows, extra), (given.y, ones), (given.trials, 2 * ones), (given.weights, ones))
    return oracle(np.vstack(parts[0]), *(np.concatenate(part) for part in parts[1:]))


def test_priors_by_term_as_exact_arithmetic_has_them():
    answers = {"finite": 0, "finite only because of the prior": 0, "infinite": 0}
    for seed in range(1000, 1060):
        given = small_design(seed)._replace(shift=0.0)
        rng = np.random.default_rng(seed)
        names = given.design.columns
        terms = {name: FAMILIES[rng.integers(len(FAMILIES))] for name in names}
        intercept = terms.pop("Intercept", None)
        held = [j for j, name in enumerate(names) if not isinstance(terms.get(name, intercept), bl.Flat)]
        expected = "finite"
        if oracle(given.rows, given.y, given.trials, given.weights).verdict != "none":
            free = with_held(given, held).verdict == "none"
            expected = "finite only because of the prior" if free else "infinite"
        found = bl.separation(given.design, prior=bl.priors(intercept=intercept, terms=terms))
        assert found.with_prior == expected, seed
        assert bool(found.unbounded) == (expected == "infinite")
        answers[expected] += 1
    assert min(answers.values()) >= 8
