"""What a comparison comes to, in sentences that follow from its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import BayesFactor, Difference
from bayeslogit.comparison_tables import Entry, all_columns
from bayeslogit.disagreement import Region

Array = NDArray[np.float64]
# A difference of predictions is told apart from noise above so many standard errors; below so many nats it is nothing.
_CLEAR, _NOTHING = 2.0, 4.0
# Share of a log Bayes factor up to which a difference of predictions has no part in it.
_SMALL = 0.25
# Shifts of less are not worth a word, in posterior sds.
_SHIFTED = 0.5
_MOST_NAMES = 6


# Differences of less are those of rounding: of nats, of posterior sds, of probabilities.
_ROUNDING = 1e-9
# An end of an interval so near to zero is on neither side of it, in posterior sds.
_EDGE = 0.1


@dataclass(frozen=True)
class Asked:
    """What the fits of a comparison differ in, in words.

    Attributes
    ----------
    what : {"prior", "model"}
        "model" where their columns differ too.
    interval : str
        "95 %".
    twins : tuple of tuple of str
        Names of fits whose priors are the same numbers on the same design.
    separated : str
        How the outcome is separated, if it is; empty if not.
    """

    what: str
    interval: str
    twins: tuple[tuple[str, ...], ...] = ()
    separated: str = ""


@dataclass(frozen=True)
class Changed:
    """How far predictions differ between fits.

    Attributes
    ----------
    span : array, shape (n,)
        Range of each row's probability between fits; empty if fewer than two have a posterior.
    count : array, shape (n,)
        Observations of each row.
    found : sequence of Region
        Where they differ most.
    undecided : float
        Observations for which fits disagree about which outcome is the more probable.
    """

    span: Array
    count: Array
    found: Sequence[Region]
    undecided: float


def conclusions(
    entries: Sequence[Entry],
    differences: Sequence[Difference],
    pairs: Mapping[tuple[str, str], BayesFactor],
    changed: Changed,
    asked: Asked,
) -> tuple[str, ...]:
    """On twins, prediction, evidence, coefficients and rows, in this order; what cannot be said is left out."""
    rungs = {entry.name: entry.rung for entry in entries}
    same = tuple(_same(names, sorted({rungs[name] for name in names} - {""})) for names in asked.twins)
    if any(len(names) == len(entries) for names in asked.twins) and len(set(rungs.values())) == 1:
        return same
    return (
        *same,
        *_prediction(entries, differences),
        *_evidence(pairs, entries, asked),
        *_coefficients(entries, asked),
        *_rows(changed, asked),
        *([asked.separated] if asked.separated else []),
    )


def _same(names: Sequence[str], rungs: Sequence[str]) -> str:
    if len(rungs) > 1:
        return (
            f"{_list(names)} have the same numbers for a prior on these data: what differs between them is how the "
            f"posterior was worked out ({', '.join(rungs)})."
        )
    both = "both" if len(names) == 2 else "all of them"
    return (
        f"{_list(names)} have the same numbers for a prior on these data: they are one model under "
        f"{'two' if len(names) == 2 else str(len(names))} names. Small differences between them are Monte-Carlo error, "
        f"and the stacking weights of {both} belong together."
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
            f"{'is' if len(close) == 1 else 'are'} within {_CLEAR:g} standard errors of it"
            + (f", at most {reach:.2g} nats behind" if reach > _ROUNDING else "")
            + ". Stacking weights of fits that predict alike say little."
        )
        return
    are = "is" if len(equal) == 1 else "are"
    yield (
        f"Left out one at a time, observations are predicted best under {best.name} (elpd {best.scores.elpd:.1f} nats)"
        + (f", clearly better than under {_list(worse)}" if worse else "")
        + (f"; within {_CLEAR:g} standard errors of it {are} {_list(equal)}" if equal else "")
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


def _evidence(pairs: Mapping[tuple[str, str], BayesFactor], entries: Sequence[Entry], asked: Asked) -> Iterator[str]:
    pairs = {pair: found for pair, found in pairs.items() if not any(set(pair) <= set(names) for names in asked.twins)}
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
    which = (
        f"Of {len(pairs)} pairs one has a Bayes factor, which"
        if len(known) == 1 < len(pairs)
        else f"The largest Bayes factor{partial}"
    )
    yield (f"{which} is {words} for {winner} against {loser} (log {size:.2f}, Monte-Carlo error {top.se:.2g})") + (
        f": the data hardly tell these {asked.what}s apart."
        if size < 1.0
        else f". {_weighed({entry.name: entry for entry in entries}, winner, loser, size, asked)}"
    )


def _weighed(entries: Mapping[str, Entry], winner: str, loser: str, size: float, asked: Asked) -> str:
    """What a large Bayes factor speaks of: of the width of the priors alone, if the two predict alike."""
    if asked.what != "prior":
        return "It weighs columns and priors together, and the priors as they are scaled."
    gap = abs(entries[winner].scores.elpd - entries[loser].scores.elpd)
    if not gap < min(_NOTHING, _SMALL * size):
        return "It compares the priors as they are scaled."
    return (
        f"With left-out observations {winner} and {loser} do about as well ({gap:.2g} nats apart), so it speaks of the "
        "width of the priors beside coefficients of this size, not of how well either model predicts."
    )


def _ratio(value: float) -> str:
    """Three digits; no exponent where a reader needs none."""
    if not 100.0 <= value < 1e6:
        return f"{value:.3g}"
    return f"{round(value, 2 - math.floor(math.log10(value))):,.0f}"


def _coefficients(entries: Sequence[Entry], asked: Asked) -> Iterator[str]:
    first, moved = entries[0], []
    largest, where = 0.0, ""
    # Nothing can be said of what a prior changes where no second posterior stands beside.
    if sum(not e.reason for e in entries) < 2:
        return
    slopes = [column for column in all_columns(entries) if column != "Intercept"]
    if not slopes:
        return
    for column in slopes:
        middle, sd = first.of(first.median, column), first.of(first.sd, column)
        shifts = {e.name: abs(e.of(e.median, column) - middle) / sd for e in entries[1:]}
        known = {name: shift for name, shift in shifts.items() if math.isfinite(shift)}
        name = max(known, key=lambda each: known[each], default="")
        far = known.get(name, 0.0)
        if far > largest:
            largest, where = far, f" ({column} under {name})"
        if far > _SHIFTED:
            moved.append(f"{column} (up to {far:.2g})")
    if moved:
        yield f"The {asked.what} moves {_list(moved)} by more than {_SHIFTED:g} posterior sd of {first.name}." + (
            ""
            if asked.what == "prior"
            else " A coefficient is that of its column beside the others of its model: it need not mean the same."
        )
    elif not first.reason:
        most = f" by more than {largest:.2g} posterior sd of {first.name}{where}" if largest > _ROUNDING else ""
        yield f"No coefficient moves{most}, the intercept apart."
    yield from _intervals(entries, slopes, asked)


def _intervals(entries: Sequence[Entry], slopes: Sequence[str], asked: Asked) -> Iterator[str]:
    """Which conclusions "the interval excludes zero" rest on the prior, and which are too close to call."""
    changed, close = [], []
    for column in slopes:
        known = [e for e in entries if math.isfinite(e.of(e.lower, column))]
        sides = {(e.of(e.lower, column) > 0.0) - (e.of(e.upper, column) < 0.0) for e in known}
        gaps = [min(abs(e.of(e.lower, column)), abs(e.of(e.upper, column))) / e.of(e.sd, column) for e in known]
        if len(sides) > 1:
            changed.append(column)
        if gaps and max(gaps) < _EDGE and len(known) > 1:
            close.append(column)
    if changed:
        yield f"Whether the {asked.interval} interval excludes zero depends on the {asked.what} for {_list(changed)}."
    else:
        yield f"No {asked.interval} interval excludes zero under one {asked.what} and not under another."
    if close:
        every = "every" if len(entries) > 2 else "either"
        one = len(close) == 1
        yield (
            f"The {asked.interval} interval{'' if one else 's'} of {_list(close)} end{'s' if one else ''} within "
            f"{_EDGE:g} posterior sd of zero under {every} {asked.what}: on which side is no finding."
        )


def _rows(changed: Changed, asked: Asked) -> Iterator[str]:
    span, count, found = changed.span, changed.count, changed.found
    if not span.size:
        return
    average, largest = float(count @ span / count.sum()), float(span[count > 0.0].max())
    if largest < _ROUNDING:
        yield "Every predicted probability is the same under all of these fits."
        return
    text = (
        f"A predicted probability differs between fits by {100.0 * average:.2g} points on average and by "
        f"{100.0 * largest:.2g} at most"
    )
    if found and found[0].mean_range > 1.5 * average:
        text += (
            f"; the {asked.what} matters most where {found[0].column} is {found[0].words.removeprefix('= ')}, by "
            f"{100.0 * found[0].mean_range:.2g} points on average"
        )
    total = float(count.sum())
    few = f"{counted(changed.undecided)} of {counted(total)} observations the {asked.what} decides"
    who = f"For {few}" if changed.undecided else f"For no observation does the {asked.what} decide"
    yield f"{text}. {who} which outcome is the more probable."


def counted(observations: float) -> str:
    """Observations: a whole number in full, a sum of fractional weights to four digits."""
    whole = observations == math.floor(observations)
    return f"{observations:,.0f}" if whole else f"{observations:,.4g}"


def _list(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
