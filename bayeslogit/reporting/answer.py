"""What the data say: sentences on what the report was asked about, or on what is clearest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bayeslogit.arrays import ArraySpec
from bayeslogit.average_effects import AverageEffect
from bayeslogit.reporting.focus import columns_of, level_of, variable_of, variables_in
from bayeslogit.reporting.material import Material, separated
from bayeslogit.summary import odds_ratio, percent

# Sds of a column between which one unit of it is a step that one would take.
_ONE_UNIT = (0.1, 10.0)
# Columns of what was asked about that the headline tells one by one.
_MOST_TOLD = 4
# Above this a probability is said to be above it.
_NEARLY = 0.999
_ASSOCIATIONS = "These are associations within the model: whether they are effects depends on how the data came about."


class Step(NamedTuple):
    """A change of one column, in words, and how many units it is."""

    words: str
    size: float
    per: str


def answer(m: Material) -> Iterator[str]:
    """Sentences on what was asked about, else on the clearest coefficient; the first is the answer."""
    n, fit = m.numbers, m.fit
    first = int("Intercept" in fit.columns[:1])
    slopes = range(first, len(fit.columns))
    if not slopes:
        odds = float(odds_ratio(n.estimate[:1])[0])
        yield f"The model has no predictors; the odds of {event(m)} are {odds:.3g}."
        return
    if separated(m):
        yield f"The outcome is separated: {separated(m).partition(': ')[2]}"
    if m.focus is not None:
        yield from _about(m, m.focus)
    if separated(m) or m.focus is not None:
        return
    known = [j for j in slopes if np.isfinite(n.sd[j]) and n.sd[j] > 0.0]
    if not known:
        yield f"Estimates are modes alone: this fit gives no uncertainty of the association with {event(m)}."
        return
    clear = sum(bool(n.lower[j] > 0.0 or n.upper[j] < 0.0) for j in known)
    best = max(known, key=lambda j: abs(float(n.estimate[j])) / float(n.sd[j]))
    largest = _largest_effect(m)
    if _step(m, best) is None and largest is not None:  # interactions and curves: no coefficient speaks for itself
        found = _on_average(m, largest)
        yield (
            f"Of {len(m.effects.value or ())} average effects that of {_moved(m, largest)} is the clearest: "
            f"{found[:1].lower()}{found[1:]}"
        )
    else:
        yield _clearest(m, best, clear, len(slopes))
        effect = _effect_of(m, best)
        if effect is not None:
            yield _on_average(m, effect)
    if len(slopes) > 1:
        yield (
            f"{clear} of {len(slopes)} coefficients {'has' if clear == 1 else 'have'} a {percent(m.prob)} interval "
            f"that excludes 0; intervals are not adjusted for looking at several. {_ASSOCIATIONS}"
        )


def _clearest(m: Material, j: int, clear: int, total: int) -> str:
    name, words, numbers = m.names.column(m.fit.columns[j]), _moves(m, j), _in_odds(m, j, total)
    if total == 1:
        return f"For {name}, {words} goes with {numbers}."
    if not clear:
        return (
            f"No coefficient has a {percent(m.prob)} interval that excludes 0. The largest for its uncertainty is that "
            f"of {name}: {words} goes with {numbers}."
        )
    return f"Of {total} coefficients that of {name} is the clearest: {words} goes with {numbers}."


def _moves(m: Material, j: int) -> str:
    step = _step(m, j)
    return "one unit more of this column" if step is None else step.words


def _in_odds(m: Material, j: int, total: int) -> str:
    """The odds ratio of a column's step, with its interval."""
    n, step = m.numbers, _step(m, j)
    size = 1.0 if step is None else step.size
    ends = sorted((float(n.lower[j]) * size, float(n.upper[j]) * size))
    ratios = [_ratio(value) for value in (float(n.estimate[j]) * size, *ends)]
    held = ", the other terms held fixed" if total > 1 else ""
    return f"{ratios[0]} times the odds of {event(m)} ({percent(m.prob)} interval {ratios[1]} to {ratios[2]}){held}"


def _ratio(log_odds: float) -> str:
    value = float(odds_ratio(np.array(log_odds)))
    return f"{value:.3g}" if not 0.95 < value < 1.05 else f"{value:.3f}"


def _about(m: Material, focus: str) -> Iterator[str]:
    """Odds ratios and directions of what was asked about, and what it does on average."""
    columns = columns_of(m.fit, focus, m.names)
    variable, named = variable_of(m.fit, focus, m.names), m.names.used.get(focus, focus)
    effects = [e for e in m.effects.value or () if e.variable == variable]
    if effects and any(_step(m, j) is None for j in columns):  # interactions and curves
        told: Sequence[AverageEffect | None] = effects
        for effect in effects[:_MOST_TOLD]:
            found = _on_average(m, effect)
            yield f"For {_moved(m, effect)}: {found[:1].lower()}{found[1:]}"
    else:
        told = [_effect_of(m, j) for j in columns]
        for j in columns[:_MOST_TOLD]:
            yield _told(m, j)
        yield from (_on_average(m, effect) for effect in told[:_MOST_TOLD] if effect is not None)
    if len(told) > _MOST_TOLD:
        yield f"{len(told) - _MOST_TOLD:,} more of {named} stand in the results."
    several = "; intervals are not adjusted for looking at several" if len(columns) > 1 else ""
    yield f"The report was asked about {named}{several}. {_ASSOCIATIONS}"


def _told(m: Material, j: int) -> str:
    """A coefficient's odds ratio, and how sure its direction is."""
    n, column, step = m.numbers, m.fit.columns[j], _step(m, j)
    if not (np.isfinite(n.lower[j]) and np.isfinite(n.upper[j])):
        return f"The coefficient of {m.names.column(column)} has no interval; its estimate is {n.estimate[j]:.3g}."
    level = None if step is None else level_of(column)
    name = m.names.column(column) if level is None else m.names.variable(level[0])
    total = len(m.fit.columns) - int("Intercept" in m.fit.columns[:1])
    said = f"For {name}, {_moves(m, j)} goes with {_in_odds(m, j, total)}."
    if step is None:
        said += " It is part of an interaction or a curve: read it with the other coefficients of its variables."
    share = float(n.direction[j])
    if not math.isfinite(share):
        return said
    shown = f"{100.0 * share:.1f} %" if share < _NEARLY else f"above {100.0 * _NEARLY:g} %"
    if step is None:
        return f"{said} It is {'positive' if n.estimate[j] > 0.0 else 'negative'} with posterior probability {shown}."
    return f"{said} The odds are {'higher' if n.estimate[j] > 0.0 else 'lower'} with posterior probability {shown}."


def _on_average(m: Material, effect: AverageEffect) -> str:
    size, per = 1.0, ""
    if effect.comparison == "per unit":
        step = _size_of(m, effect.variable)
        size, per = step.size, step.per
    elif len(m.variables) > 1 or effect.comparison:
        reference, _, level = effect.comparison.rpartition(" to ")
        per = f" with {level} rather than {reference}"
    middle, *ends = (100.0 * size * value for value in (effect.estimate, effect.lower, effect.upper))
    low, high = sorted(ends)
    digits = 1 if abs(middle) >= 1.0 else 2
    return (
        f"Averaged over the {m.fit.nobs:,.10g} observations, the probability of {event(m)} changes by "
        f"{middle:+.{digits}f} percentage points{per} ({percent(m.prob)} interval {low:+.{digits}f} to "
        f"{high:+.{digits}f})."
    )


def _largest_effect(m: Material) -> AverageEffect | None:
    """The average effect that is largest for its uncertainty."""
    found = [e for e in m.effects.value or () if e.sd > 0.0 and math.isfinite(e.sd)]
    return max(found, key=lambda e: abs(e.estimate) / e.sd, default=None)


def _moved(m: Material, effect: AverageEffect) -> str:
    name = m.names.variable(effect.variable)
    if effect.comparison != "per unit":
        return f"{name} ({effect.comparison})"
    size = _size_of(m, effect.variable).size
    return name if size == 1.0 else f"{name} (sd {size:.3g})"


def _effect_of(m: Material, j: int) -> AverageEffect | None:
    """The average effect that belongs to a column that stands for its variable alone."""
    step = _step(m, j)
    if step is None or m.effects.value is None:
        return None
    column = m.fit.columns[j]
    for effect in m.effects.value:
        if effect.variable == column and effect.comparison in ("per unit", "0 to 1"):
            return effect
        if level_of(column) == (effect.variable, effect.comparison.rpartition(" to ")[2]):
            return effect
    return None


def _step(m: Material, j: int) -> Step | None:
    """How to say a change of this column; None if it does not stand for its variable alone (interactions, curves)."""
    fit, column = m.fit, m.fit.columns[j]
    if not _alone(m, column):
        return None
    level = level_of(column)
    if level is not None and not isinstance(fit.spec, ArraySpec):
        reference = next((r for key, r in fit.spec.reference_levels.items() if level[0] in variables_in(key)), None)
        if reference is None:
            return None
        return Step(f"{level[1]} rather than {reference}", 1.0, "")
    if not isinstance(fit.spec, ArraySpec) and column not in fit.spec.variables:
        return None
    return _size_of(m, column)


def _size_of(m: Material, name: str) -> Step:
    """One unit of a variable; one sd where a unit is very small or very large for it."""
    one = Step("one unit more", 1.0, " for each unit more")
    design = m.fit.design
    if design is None or name not in m.fit.columns:
        return one
    j = m.fit.columns.index(name)
    low, high = _ONE_UNIT
    sd, moments, at = float(design.column_sds[j]), design.moments, j - int(design.has_intercept)
    if float(moments.upper[at] - moments.lower[at]) == 1.0 or low <= sd <= high or sd == 0.0:
        return one
    return Step(f"one sd more ({sd:.3g} units)", sd, " for each sd more")


def _alone(m: Material, column: str) -> bool:
    """Whether no other term of the formula has the variable of this column."""
    spec = m.fit.spec
    if isinstance(spec, ArraySpec):
        return True
    level = level_of(column)
    variable = level[0] if level is not None else column
    return sum(variable in variables_in(term) for term in spec.terms) == 1


def event(m: Material) -> str:
    """The event in words."""
    facts = m.fit.facts
    return "a success" if facts.grouped else f"{m.names.variable(facts.outcome)} = {facts.event or 1}"
