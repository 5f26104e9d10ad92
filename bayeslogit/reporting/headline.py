"""The headline: what the data say most clearly, in a sentence or two, and how far that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bayeslogit._sensitivity import Sensitivity
from bayeslogit.draws import Draws
from bayeslogit.power_scaling import CONFLICT
from bayeslogit.render.document import Block, Paragraph, Verdict
from bayeslogit.reporting.answer import answer
from bayeslogit.reporting.material import Material, improper, separated

# Events of the rarer outcome for each coefficient: above this the Gaussian approximation is off by hundredths of an sd.
_PLENTY = 50.0
# Distance between the Gaussian approximation and the posterior, in sds or relative, that is worth a word.
_APART = 0.1
_MOST_REASONS = 6
# Notes that describe the data and are no reason to doubt the numbers.
_DESCRIPTIVE = ("outcome ", "The mode is certified unique")


def headline(m: Material, question: str | None) -> Iterator[Block]:
    """The blocks of the section."""
    if question:
        yield Paragraph(question)
    if m.fit.converged and not improper(m):
        for k, sentence in enumerate(answer(m)):
            yield Paragraph(sentence, lead=k == 0)
    yield verdict(m)


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
