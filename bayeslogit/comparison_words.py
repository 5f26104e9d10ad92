"""What a comparison comes to, in sentences that follow from its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import BayesFactor, Difference
from bayeslogit.comparison_tables import Entry, all_columns
from bayeslogit.disagreement import Region

Array = NDArray[np.float64]
# A difference of predictions is told apart from noise above so many standard errors; below so many nats it is nothing.
_CLEAR, _NOTHING = 2.0, 4.0
# Shifts of less are not worth a word, in posterior sds.
_SHIFTED = 0.5
_MOST_NAMES = 6


def conclusions(
    entries: Sequence[Entry],
    differences: Sequence[Difference],
    pairs: Mapping[tuple[str, str], BayesFactor],
    span: Array,
    found: Sequence[Region],
    count: Array,
    interval: str,
) -> tuple[str, ...]:
    """On prediction, evidence, coefficients and rows, in this order; what cannot be said is left out.

    Parameters
    ----------
    span : array, shape (n,)
        Range of each row's probability between fits.
    count : array, shape (n,)
        Observations of each row.
    """
    return (
        *_prediction(entries, differences),
        *_evidence(pairs),
        *_coefficients(entries, interval),
        *_rows(span, found, count),
    )


def _prediction(entries: Sequence[Entry], differences: Sequence[Difference]) -> Iterator[str]:
    there = [(e, d) for e, d in zip(entries, differences, strict=True) if math.isfinite(d.value)]
    if len(there) < 2:
        return
    best = max(there, key=lambda pair: pair[1].value)[0]
    others = [(e, d) for e, d in there if e is not best]
    worse = [f"{e.name} ({_behind(d)})" for e, d in others if d.value < -_CLEAR * d.se]
    equal = [f"{e.name} ({_behind(d)})" for e, d in others if not d.value < -_CLEAR * d.se]
    if not worse:
        reach = max(-d.value for _, d in others)
        close = [e.name for e, _ in others]
        yield (
            "Left out one at a time, observations do not tell these fits apart: none predicts clearly better than "
            f"another. {best.name} comes first (elpd {best.scores.elpd:.1f} nats), and {_list(close)} "
            f"{'is' if len(close) == 1 else 'are'} within {_CLEAR:g} standard errors of it, at most {reach:.2g} nats "
            "behind. Stacking weights of fits that predict alike say little."
        )
        return
    yield (
        f"Left out one at a time, observations are predicted best under {best.name} (elpd {best.scores.elpd:.1f} nats)"
        + (f", clearly better than under {_list(worse)}" if worse else "")
        + (f"; within {_CLEAR:g} standard errors of it are {_list(equal)}" if equal else "")
        + "."
    )
    small = [e.name for e, d in others if d.value < -_CLEAR * d.se and -d.value < _NOTHING]
    if small:
        yield (
            f"Differences of less than {_NOTHING:g} nats ({_list(small)}) are small whatever their standard errors, "
            "which are themselves uncertain then."
        )


def _behind(gap: Difference) -> str:
    return f"{-gap.value:.2g} nats behind, se {gap.se:.2g}"


def _evidence(pairs: Mapping[tuple[str, str], BayesFactor]) -> Iterator[str]:
    known = {pair: found for pair, found in pairs.items() if not found.reason}
    if not known:
        reasons = sorted({found.reason for found in pairs.values()})
        if reasons:
            words = reasons[0].rstrip(".") + (" (and other reasons)" if len(reasons) > 1 else "")
            yield f"There is no Bayes factor: {words}."
        return
    (first, second), top = max(known.items(), key=lambda item: abs(item[1].value))
    winner, loser = (first, second) if top.value >= 0.0 else (second, first)
    size = abs(top.value)
    words = _ratio(math.exp(size)) if size < 50.0 else f"e^{size:.0f}"
    partial = "" if len(known) == len(pairs) else f" among the {len(known)} of {len(pairs)} pairs that have one"
    yield (
        f"The largest Bayes factor{partial} is {words} for {winner} against {loser} (log {size:.2f}, Monte-Carlo error "
        f"{top.se:.2g})"
        + (
            ": the data hardly tell these priors apart."
            if size < 1.0
            else ". It compares the priors as they are scaled."
        )
    )


def _ratio(value: float) -> str:
    """Three digits; no exponent where a reader needs none."""
    if not 100.0 <= value < 1e6:
        return f"{value:.3g}"
    return f"{round(value, 2 - math.floor(math.log10(value))):,.0f}"


def _coefficients(entries: Sequence[Entry], interval: str) -> Iterator[str]:
    first, moved, changed = entries[0], [], []
    largest = 0.0
    # Nothing can be said of what a prior changes where no second posterior stands beside.
    if sum(not e.reason for e in entries) < 2:
        return
    for column in all_columns(entries):
        if column == "Intercept":
            continue
        middle, sd = first.of(first.median, column), first.of(first.sd, column)
        shifts = [abs(e.of(e.median, column) - middle) / sd for e in entries[1:]]
        far = max((shift for shift in shifts if math.isfinite(shift)), default=0.0)
        largest = max(largest, far)
        if far > _SHIFTED:
            moved.append(f"{column} (up to {far:.2g})")
        sides = {
            (e.of(e.lower, column) > 0.0) - (e.of(e.upper, column) < 0.0)
            for e in entries
            if math.isfinite(e.of(e.lower, column))
        }
        if len(sides) > 1:
            changed.append(column)
    if moved:
        yield f"The prior moves {_list(moved)} by more than {_SHIFTED:g} posterior sd of {first.name}."
    elif not first.reason:
        yield f"No coefficient moves by more than {largest:.2g} posterior sd of {first.name}, the intercept apart."
    if changed:
        yield f"Whether the {interval} interval excludes zero depends on the prior for {_list(changed)}."
    else:
        yield f"No {interval} interval excludes zero under one prior and not under another."


def _rows(span: Array, found: Sequence[Region], count: Array) -> Iterator[str]:
    if not span.size:
        return
    average, largest = float(count @ span / count.sum()), float(span[count > 0.0].max())
    text = (
        f"A predicted probability differs between fits by {100.0 * average:.2g} points on average and by "
        f"{100.0 * largest:.2g} at most"
    )
    if found and found[0].mean_range > 1.5 * average:
        text += f"; the prior decides most where {found[0].column} is {found[0].words.removeprefix('= ')}"
    yield text + "."


def _list(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
