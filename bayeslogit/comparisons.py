"""`compare`: fits of the same rows that differ in prior or formula, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit._compare import BayesFactor, Difference, bayes_factor, difference, stacking
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.compared import Contender, asked_of, contenders
from bayeslogit.comparison_chart import comparison_chart
from bayeslogit.comparison_rows import alike, label_of_row, predictor_columns, separate_units
from bayeslogit.comparison_tables import (
    Entry,
    bayes_factors_table,
    coefficients_table,
    fits_table,
    predictions_table,
    regions_table,
    tidy_columns,
)
from bayeslogit.comparison_words import Changed, conclusions, counted
from bayeslogit.design import Design
from bayeslogit.disagreement import Region, mean_probabilities, ranges, regions, unusual
from bayeslogit.draws import Draws
from bayeslogit.estimates import Estimates
from bayeslogit.labels import column_labels, relabelled
from bayeslogit.predict import check_prob
from bayeslogit.results import Fit
from bayeslogit.summary import percent
from bayeslogit.table import Cell, Table
from bayeslogit.unknown_draws import UnknownDraws

Array = NDArray[np.float64]
_SHOWN_ROWS = 10


@guarded_methods
@dataclass(frozen=True, eq=False)
class Comparison:
    """Fits side by side; made by `compare`.

    Attributes
    ----------
    fits : mapping of str to Fit
        With the intercept's prior that was asked for.
    draws : mapping of str to Draws
        Their posteriors; a fit without one is missing.
    table : Table
        One row a fit: log evidence, leave-one-out elpd and its difference from the best, stacking weight, effective
        parameters, verdict.
    coefficients : Table
        Medians side by side, and shifts in posterior sds of the first fit.
    predictions : Table
        The rows whose probability changes most.
    regions : Table
        The values of each column for which the prior matters most.
    bayes_factors : Table
        Every pair, with Monte-Carlo errors; a dash has its reason beside it.
    conclusions : tuple of str
        What it comes to, in sentences.
    weights : mapping of str to float
        Stacking weights; NaN for fits without leave-one-out scores.
    prob : float
        Probability of the intervals.
    entries : tuple of Entry
        The numbers of each fit.
    what : {"prior", "model"}
        What the fits differ in: in their priors alone, or in their columns too.
    randomness : str
        The seed, in words.
    """

    fits: Mapping[str, Estimates]
    draws: Mapping[str, Draws]
    table: Table
    coefficients: Table
    predictions: Table
    regions: Table
    bayes_factors: Table
    conclusions: tuple[str, ...]
    weights: Mapping[str, float]
    prob: float
    entries: tuple[Entry, ...]
    what: str = "prior"
    randomness: str = ""

    def figure(self) -> Chart:
        """The coefficients of every fit with their intervals."""
        units: dict[str, float] = {}
        for fit in self.fits.values():
            if fit.design is not None:
                units = dict(zip(fit.columns, map(float, fit.design.column_sds), strict=True)) | units
        return comparison_chart(self.entries, units, percent(self.prob))

    def tidy(self) -> Any:
        """One row a fit and coefficient, in the caller's data-frame library.

        Columns fit, term, estimate (posterior median), std_error (posterior sd), conf_low, conf_high, and shift (from
        the first fit, in its posterior sds).
        """
        return frames.frame(tidy_columns(self.entries), self._library)

    def glance(self) -> Any:
        """One row a fit: `table` as a data frame of the caller's library."""
        keys = [column.key for column in self.table.columns]
        return frames.frame({key: list(self.table.column(key)) for key in keys}, self._library)

    @property
    def _library(self) -> str:
        return next(iter(self.fits.values())).facts.library

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of its tables, the most telling first; their terms are names of columns, `str` shows the labels."""
        return (self.table, self.bayes_factors, self.coefficients, self.predictions, self.regions)

    @property
    def labels(self) -> dict[str, str]:
        """What columns are called in words: the labels of its fits."""
        found: dict[str, str] = {}
        for fit in self.fits.values():
            found |= column_labels(fit.columns, fit.labels)
        return found

    @property
    def labelled(self) -> tuple[Table, ...]:
        """The tables with labels for names."""
        return tuple(relabelled(table, self.labels) for table in self.tables)

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.labelled), *self.conclusions])

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.fits)}>"

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.conclusions)
        return "\n".join([words, self.figure().svg(), *(table._repr_html_() for table in self.labelled)])


@guarded
def compare(
    fits: Mapping[str, Fit | Draws],
    rng: int | np.random.Generator = 0,
    intercept: Prior | None = None,
    *,
    prob: float = 0.95,
    nuts: bool = True,
) -> Comparison:
    """Compare fits of the same rows that differ in prior, or in formula.

    Parameters
    ----------
    fits : mapping of str to Fit or Draws
        At least two, by the names that they will have. The first is the reference of the shifts. The posterior of a
        fit is sampled with ``method="auto"``; draws are taken as they are.
    rng : int or Generator
    intercept : Prior, optional
        One proper prior for the intercept of all fits, which are made and sampled again: fits whose flat columns
        differ have no Bayes factor otherwise.
    prob : float
        Probability of the intervals.
    nuts : bool
        Whether NUTS may be run where nothing faster certifies.

    Returns
    -------
    Comparison
        Log evidences come from rungs whose Monte-Carlo error is known, never from the Gaussian at the mode.

    Raises
    ------
    ArgumentError
        If there are fewer than two fits, or one of them is none.
    DataError
        If they rest on different rows, outcomes, trials or weights.
    FitError
        If a fit was loaded from a file, which does not hold the data.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> fits = {str(s): bl.fit("switch ~ arsenic + dist100", wells, prior=bl.Normal(s)) for s in (0.01, 1.0)}
    >>> bl.compare(fits).bayes_factors.column("bayes_factor")[0] < 0.001
    True
    """
    check_prob(prob)
    for_draws, for_scores = np.random.default_rng(rng).spawn(2)
    # Rows are looked at before anything is sampled: that they differ should not take a minute to say.
    apart = alike(*_designs(fits))
    given = contenders(fits, intercept, for_draws, nuts)
    entries = [each.entry(prob, seed) for each, seed in zip(given, for_scores.spawn(len(given)), strict=True)]
    gaps, weights = _scored(entries, separate_units(given[0].design).copies)
    pairs = _pairs(given, entries)
    rows = _Rows.of(given)
    asked = asked_of(given, apart, percent(prob))
    relative = any(each.fit.prior.flat.any() for each in given)
    return Comparison(
        fits={each.name: each.fit for each in given},
        draws={each.name: each.draws for each in given if each.draws is not None},
        table=fits_table(entries, gaps, weights, _header(given[0], intercept), _notes(given, relative)),
        coefficients=coefficients_table(entries, apart, asked.interval),
        predictions=rows.table(asked.what),
        regions=rows.regions_table(asked.what),
        bayes_factors=bayes_factors_table(pairs, relative),
        conclusions=conclusions(entries, gaps, pairs, rows.changed, asked),
        weights={each.name: float(weight) for each, weight in zip(given, weights, strict=True)},
        prob=prob,
        entries=tuple(entries),
        what=asked.what,
        randomness=f"rng={rng}" if isinstance(rng, int) else "rng is a generator, whose state was not recorded",
    )


def _designs(fits: Any) -> tuple[list[str], list[Design]]:
    """Names and designs of what has one; `contenders` says what is wrong with the rest."""
    found: dict[str, Design] = {}
    for name, value in fits.items() if isinstance(fits, Mapping) else ():
        design = getattr(value.fit if isinstance(value, Draws) else value, "design", None)
        if isinstance(design, Design):
            found[str(name)] = design
    return list(found), list(found.values())


def _scored(entries: Sequence[Entry], copies: Array) -> tuple[list[Difference], Array]:
    """Differences from the best, and stacking weights, among the fits that have scores."""
    there = [k for k, entry in enumerate(entries) if not entry.scores.reason]
    gaps = [Difference(np.nan, np.nan)] * len(entries)
    weights = np.full(len(entries), np.nan)
    if there:
        best = max(there, key=lambda k: entries[k].scores.elpd)
        for k in there:
            gaps[k] = difference(entries[k].scores.each, entries[best].scores.each, copies)
        weights[there] = stacking(np.column_stack([entries[k].scores.each for k in there]), copies)
    return gaps, weights


def _pairs(given: Sequence[Contender], entries: Sequence[Entry]) -> dict[tuple[str, str], BayesFactor]:
    return {
        (given[a].name, given[b].name): bayes_factor(
            (given[a].name, given[b].name),
            (entries[a].evidence, entries[b].evidence),
            (given[a].design, given[b].design),
            (given[a].fit.prior, given[b].fit.prior),
        )
        for a, b in itertools.combinations(range(len(given)), 2)
    }


def _header(first: Contender, intercept: Prior | None) -> tuple[str, ...]:
    f = first.fit.facts
    lines = [f"Outcome: {f.event_in_words}; {f.n_events:,.10g} events in {f.nobs:,.10g} observations."]
    if intercept is not None:
        lines.append(f"Every intercept has the prior {intercept!r}: the fits were made again with it.")
    lines.append("Nats. The elpd leaves out one observation at a time, averaged over the posterior; higher is better.")
    return tuple(lines)


def _notes(given: Sequence[Contender], relative: bool) -> tuple[str, ...]:
    notes = []
    if relative:
        notes.append(
            "Log evidences of fits with flat columns are relative: per unit of each flat column. They compare only "
            "with those of the same flat columns."
        )
    if given[0].fit.facts.fractional_weights:
        notes.append("Weighted: some weights are not whole numbers, so that evidence and elpd are tempered.")
    notes += [
        f"{each.name}: its elpd and effective parameters are those at the scales' posterior medians; the rest is "
        "averaged over the scales."
        for each in given
        if isinstance(each.draws, UnknownDraws)
    ]
    many = [each.name for each in given if each.fit.effective_parameters > len(each.fit.columns) + 0.005]
    if many:
        notes.append(
            f"{', '.join(many)}: more effective parameters of the mode than columns, as the log prior curves upwards "
            "there: the fit follows the data closer than without it."
        )
    for each in given:
        if each.draws is not None and each.draws.verdict.level != "certified":
            notes.append(f"{each.name}: {each.draws.verdict.in_words}")
    return tuple(notes)


@dataclass(frozen=True)
class _Rows:
    """The probability of every row under every fit that has a posterior."""

    names: tuple[str, ...]
    designs: tuple[Design, ...]
    probabilities: Array
    span: Array
    count: Array
    columns: list[tuple[str, Array]]
    found: tuple[Region, ...]

    @classmethod
    def of(cls, given: Sequence[Contender]) -> _Rows:
        designs = tuple(each.design for each in given)
        _, trials, weights = designs[0].outcome_arrays()
        count = np.asarray(weights * trials, dtype=np.float64)
        there = [(each.name, each.design, each.draws) for each in given if each.draws is not None]
        columns = predictor_columns(designs)
        if len(there) < 2:
            nothing = np.zeros((count.size, len(there)))
            return cls(tuple(name for name, _, _ in there), designs, nothing, np.zeros(0), count, columns, ())
        found = np.column_stack([mean_probabilities(draws.rung, design) for _, design, draws in there])
        worst = regions(columns, found, count)
        return cls(tuple(name for name, _, _ in there), designs, found, ranges(found), count, columns, worst)

    def table(self, what: str) -> Table:
        header = "Posterior mean probability of the event under each fit; range: the largest less the smallest."
        if not self.span.size:
            return predictions_table(self.names, (), (header,), ("Fewer than two fits have a posterior.",), what)
        first = self.designs[0]
        y, trials, _ = first.outcome_arrays()
        names = [name for name, _ in self.columns]
        values = np.array([each for _, each in self.columns]).reshape(len(names), y.size)
        used = np.flatnonzero(self.count > 0.0)
        worst = used[np.argsort(-self.span[used], kind="stable")][:_SHOWN_ROWS]
        means, sds = _moments(values, self.count)
        rows: list[tuple[Cell, ...]] = [
            (
                label_of_row(first, int(i)),
                unusual(values[:, i], means, sds, names) if names else "",
                float(y[i] / trials[i]),
                *map(float, self.probabilities[i]),
                float(self.span[i]),
            )
            for i in worst
        ]
        return predictions_table(self.names, rows, (header,), (self._sides,), what)

    @property
    def changed(self) -> Changed:
        above = self.probabilities > 0.5
        undecided = float(self.count[above.any(axis=1) & ~above.all(axis=1)].sum())
        return Changed(self.span, self.count, self.found, undecided)

    @property
    def _sides(self) -> str:
        both, total = self.changed.undecided, float(self.count.sum())
        return (
            f"For {counted(both)} of {counted(total)} observations ({100.0 * both / total:.2g} %) fits disagree about "
            "which outcome is the more probable."
        )

    def regions_table(self, what: str) -> Table:
        average = float(self.count @ self.span / self.count.sum()) if self.span.size else 0.0
        return regions_table(self.names, self.found, average, what)


def _moments(values: Array, count: Array) -> tuple[Array, Array]:
    share = count / count.sum()
    means = values @ share
    return means, np.sqrt(np.square(values - means[:, None]) @ share)
