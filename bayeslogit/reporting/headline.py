"""The headline: what the data say most clearly, in a sentence or two, and how far that can be trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bayeslogit._sensitivity import Sensitivity
from bayeslogit.arrays import ArraySpec
from bayeslogit.average_effects import AverageEffect
from bayeslogit.draws import Draws
from bayeslogit.power_scaling import CONFLICT
from bayeslogit.render.document import Block, Paragraph, Verdict
from bayeslogit.reporting.material import Material
from bayeslogit.summary import odds_ratio, percent

# Events of the rarer outcome for each coefficient: above this the Gaussian approximation is off by hundredths of an sd.
_PLENTY = 50.0
# Distance between the Gaussian approximation and the posterior, in sds or relative, that is worth a word.
_APART = 0.1
# Sds of a column between which one unit of it is a step that one would take.
_ONE_UNIT = (0.1, 10.0)
_MOST_REASONS = 6
_SEPARATED = "only because of the prior"
# Notes that describe the data and are no reason to doubt the numbers.
_DESCRIPTIVE = ("outcome ", "The mode is certified unique")


class Step(NamedTuple):
    """A change of one column, in words, and how many units it is."""

    words: str
    size: float
    per: str


def headline(m: Material, question: str | None) -> Iterator[Block]:
    """The blocks of the section."""
    if question:
        yield Paragraph(question)
    if m.fit.converged and not improper(m):
        for k, sentence in enumerate(_answer(m)):
            yield Paragraph(sentence, lead=k == 0)
    yield verdict(m)


def improper(m: Material) -> bool:
    """Whether there is a mode but no posterior."""
    return any(note.startswith("Mode only:") for note in m.fit.notes)


def separated(m: Material) -> str:
    """The note that estimates are finite only because of the prior; empty if they are not."""
    return next((note for note in m.fit.notes if _SEPARATED in note), "")


# --- what the data say -----------------------------------------------------------------------------------------------


def _answer(m: Material) -> Iterator[str]:
    n, fit = m.numbers, m.fit
    first = int("Intercept" in fit.columns[:1])
    slopes = range(first, len(fit.columns))
    if not slopes:
        odds = float(odds_ratio(n.estimate[:1])[0])
        yield f"The model has no predictors; the odds of {event(m)} are {odds:.3g}."
        return
    if separated(m):
        yield "The outcome is separated: how large the estimates are is decided by the prior, not by the data."
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
            "that excludes 0; intervals are not adjusted for looking at several. These are associations within the "
            "model: whether they are effects depends on how the data came about."
        )


def _clearest(m: Material, j: int, clear: int, total: int) -> str:
    n, name = m.numbers, m.names.column(m.fit.columns[j])
    step = _step(m, j)
    size = 1.0 if step is None else step.size
    ends = sorted((float(n.lower[j]) * size, float(n.upper[j]) * size))
    ratios = [_ratio(value) for value in (float(n.estimate[j]) * size, *ends)]
    held = ", the other terms held fixed" if total > 1 else ""
    numbers = f"{ratios[0]} times the odds of {event(m)} ({percent(m.prob)} interval {ratios[1]} to {ratios[2]}){held}"
    words = "one unit more of this column" if step is None else step.words
    if total == 1:
        return f"For {name}, {words} goes with {numbers}."
    if not clear:
        return (
            f"No coefficient has a {percent(m.prob)} interval that excludes 0. The largest for its uncertainty is that "
            f"of {name}: {words} goes with {numbers}."
        )
    return f"Of {total} coefficients that of {name} is the clearest: {words} goes with {numbers}."


def _ratio(log_odds: float) -> str:
    value = float(odds_ratio(np.array(log_odds)))
    return f"{value:.3g}" if not 0.95 < value < 1.05 else f"{value:.3f}"


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
        if effect.variable == column and effect.comparison == "per unit":
            return effect
        if _level(column) == (effect.variable, effect.comparison.rpartition(" to ")[2]):
            return effect
    return None


def _step(m: Material, j: int) -> Step | None:
    """How to say a change of this column; None if it does not stand for its variable alone (interactions, curves)."""
    fit, column = m.fit, m.fit.columns[j]
    if not _alone(m, column):
        return None
    level = _level(column)
    if level is not None and not isinstance(fit.spec, ArraySpec):
        reference = next((r for key, r in fit.spec.reference_levels.items() if level[0] in _variables(key)), None)
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
    level = _level(column)
    variable = level[0] if level is not None else column
    return sum(variable in _variables(term) for term in spec.terms) == 1


def _level(column: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"(?:C\(([^,()]+)\)|([^\[\]():]+))\[(?:T\.)?([^\[\]]*)\]", column)
    return None if found is None else ((found[1] or found[2]).strip("` "), found[3])


def _variables(term: str) -> set[str]:
    """Names in a term: those in backticks whole, else words."""
    quoted = set(re.findall(r"`([^`]+)`", term))
    return {term} | quoted | set(re.findall(r"[^\W\d]\w*(?:\.\w+)*", re.sub(r"`[^`]+`", " ", term)))


def event(m: Material) -> str:
    """The event in words."""
    facts = m.fit.facts
    return "a success" if facts.grouped else f"{m.names.variable(facts.outcome)} = {facts.event or 1}"


# --- how far it can be trusted ---------------------------------------------------------------------------------------


def verdict(m: Material) -> Verdict:
    """The box: level, a sentence, and the reasons, the most serious first."""
    fit = m.fit
    if not fit.converged:
        return Verdict("bad", fit.mode.message, tuple(note for note in fit.notes if note != fit.mode.message))
    if improper(m):
        note = next(note for note in fit.notes if note.startswith("Mode only:"))
        rest = tuple(n for n in fit.notes if n != note and n not in fit.prior.notes)
        return Verdict("bad", note, rest, label="No posterior")
    failed = m.reported is not None and m.reported.verdict.level == "failed"
    if failed and m.reported is not None:
        return Verdict("bad", m.reported.verdict.in_words, tuple(_reasons(m)))
    reasons = list(_reasons(m))
    if not reasons:
        return Verdict("good", _sound(m), label="Sound")
    shown = reasons[:_MOST_REASONS]
    if len(reasons) > len(shown):
        shown.append(f"{len(reasons) - len(shown)} more stand under the coefficient table.")
    return Verdict("care", "The mode is certified; what rests on it has limits:", tuple(shown))


def _sound(m: Material) -> str:
    fit = m.fit
    certified = f"The mode is certified to {fit.mode.decrement:.0e} posterior sd."
    if m.reported is not None:
        return f"{certified} Posterior numbers come from {m.numbers.by_direction}: errors are within stated bounds."
    gap = gaussian_gap(m)
    if gap is not None:
        _, shift, scale = gap
        return (
            f"{certified} Sds and intervals are the Gaussian approximation there; beside the posterior "
            f"({m.numbers.by_direction}) it is off by at most {shift:.2f} sd in location and {100.0 * scale:.1f} % in "
            "sd."
        )
    return (
        f"{certified} Sds and intervals are the Gaussian approximation there, with {_rarer(m):,.0f} observations of "
        "the rarer outcome per effective parameter."
    )


def _reasons(m: Material) -> Iterator[str]:
    plain = [note for note in m.fit.notes if note not in m.fit.prior.notes]
    if separated(m):
        yield separated(m)
    if m.reported is not None and m.reported.verdict.level == "approximate":
        yield m.reported.verdict.in_words
    if m.reported is None:
        yield from _approximation(m)
    yield from _of_the_prior(m)
    yield from (n for n in plain if n != separated(m) and not n.startswith(_DESCRIPTIVE))


def _approximation(m: Material) -> Iterator[str]:
    """What is known of the Gaussian approximation, where the numbers rest on it."""
    gap = gaussian_gap(m)
    if gap is not None:
        name, shift, scale = gap
        if max(shift, scale) > _APART:
            yield (
                "Sds and intervals are the Gaussian approximation at the mode. Beside the sampled posterior "
                f"({m.numbers.by_direction}) it is off by up to {shift:.2f} sd in location and {100.0 * scale:.0f} % "
                f"in sd (most for {name}). With report(fit, path, draws=fit.sample()), or --posterior auto on the "
                "command line, the results rest on the posterior."
            )
        return
    if _rarer(m) < _PLENTY:
        yield (
            f"The rarer outcome has {_rarer(m):.3g} observations per effective parameter: sds and intervals are a "
            "Gaussian approximation at the mode, which can be off by tenths of an sd when this number is small."
        )


def gaussian_gap(m: Material) -> tuple[str, float, float] | None:
    """Largest distance of the Gaussian at the mode from the sampled posterior: of which column, in sds, and relative.

    None where no posterior that can be relied on was sampled.
    """
    draws: Draws | None = m.posterior.value
    if draws is None or draws.verdict.level == "failed" or m.fit.posterior.factor is None:
        return None
    sd, mode_sd = draws.sd.to_numpy(), m.fit.bse.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.abs(draws.mean.to_numpy() - m.fit.params.to_numpy()) / sd
        scale = np.abs(mode_sd / sd - 1.0)
    both = np.fmax(shift, scale)
    if not np.isfinite(both).any():
        return None
    worst = int(np.nanargmax(both))
    return m.names.column(m.fit.columns[worst]), float(np.nanmax(shift)), float(np.nanmax(scale))


def _rarer(m: Material) -> float:
    facts, p = m.fit.facts, m.fit.effective_parameters
    return min(facts.n_events, facts.nobs - facts.n_events) / max(p if math.isfinite(p) else len(m.fit.columns), 1.0)


def _of_the_prior(m: Material) -> Iterator[str]:
    found: Sensitivity | None = m.sensitivity.value
    conflict = [] if found is None else [name for name, words in found.diagnosis.items() if words == CONFLICT]
    if conflict:
        yield f"Prior and data may be in conflict about {_listed(m, conflict)} (see prior sensitivity)."
    led = [str(name) for name, share in m.fit.prior_share.items() if share > 0.5]
    if led:
        yield f"Led by the prior more than by the data: {_listed(m, led)}."


def _listed(m: Material, names: list[str]) -> str:
    shown = ", ".join(m.names.column(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
