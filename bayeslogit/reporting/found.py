"""Results: coefficients with odds ratios and directions, their picture, and average effects on the probability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bayeslogit.chart import Chart, forest
from bayeslogit.render.document import Block, Paragraph
from bayeslogit.reporting.material import Material, improper
from bayeslogit.reporting.tables import explained, with_column, without, without_empty
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table

# Columns whose spreads differ by more than this are drawn per sd: per unit some of them would be invisible.
_COMPARABLE = 20.0
_MOST_DRAWN = 40
# What counts as no effect beside a mode of exactly zero, log-odds per sd: an odds ratio of 0.9 to 1.1.
_NOTHING = 0.1
# Columns that say again what the section on priors says.
_ELSEWHERE = ("prior", "led_by")


def results(m: Material, tables: Sequence[Table | Chart]) -> Iterator[Block]:
    """The blocks of the section; ``tables`` are the user's own."""
    yield coefficients(m)
    chart = _forest(m)
    if chart is not None:
        yield chart
    yield from _zeros(m)
    yield from _effects(m)
    yield from tables


def coefficients(m: Material) -> Table:
    """The coefficient table with the probability of each direction, and why there is a dash."""
    why = {
        "estimate": "the columns are not identified, so the estimate is not one number",
        "sd": _why_no_sd(m),
        "prior_share": "the prior is not normal, so that curvature does not tell its share",
        "p_direction": "there is no sd or posterior that gives it",
    }
    if m.reported is not None:
        table = explained(without(m.summary, _ELSEWHERE), why)
        return replace(table, notes=(*table.notes, *_certain(m)))
    table = m.fit.summary(m.prob)
    n = m.numbers
    column = Column("p_direction", "P(direction)", "percent")
    table = with_column(table, column, [float(v) for v in n.direction], after="or_upper")
    note = (
        f"P(direction): posterior probability that the coefficient has the sign of its estimate, by {n.by_direction}."
    )
    table = explained(without_empty(without(table, _ELSEWHERE), ("pull", "pull_by")), why)
    return replace(table, notes=(*table.notes, *_mode_alone(m), note, *_certain(m)))


def _certain(m: Material) -> tuple[str, ...]:
    """What a probability that prints as 1 means."""
    if not np.any(m.numbers.direction == 1.0):
        return ()
    return (
        "A P(direction) of 100.0%: the probability of the other sign is too small to be told from 0 here; it is not "
        "certainty.",
    )


def _mode_alone(m: Material) -> tuple[str, ...]:
    return ("The posterior is improper: read the modes alone.",) if improper(m) else ()


def _why_no_sd(m: Material) -> str:
    if not m.fit.converged:
        return "the search ended without a mode, so there is no covariance"
    if m.fit.posterior.factor is None:
        return "only the mode was asked for (covariance='none')"
    if m.reported is not None:
        return "this posterior has no sd there: its tails are too heavy"
    return "the estimate is exactly at the kink of its prior; fit.sample() gives its posterior"


def _zeros(m: Material) -> Iterator[Table]:
    """What the posterior says of coefficients that the mode has at exactly zero."""
    fit = m.fit
    zeros = [name for name, at in zip(fit.columns, fit.mode.beta, strict=True) if at == 0.0 and name != "Intercept"]
    draws = m.posterior.value
    if zeros and draws is not None and fit.converged:
        found = draws.equivalence(_NOTHING, zeros, per="sd")
        yield replace(
            found,
            name="zeros",
            title="Coefficients that are zero at the mode",
            header=(f"Nothing: within {_NOTHING:g} log-odds per sd of the column, either way.", *found.header),
        )


def _forest(m: Material) -> Chart | None:
    """Coefficients with their intervals, the largest effects first where they are too many to draw."""
    fit, n = m.fit, m.numbers
    first = int("Intercept" in fit.columns[:1])
    drawn = list(range(first, len(fit.columns)))
    if len(drawn) > _MOST_DRAWN:
        drawn = m.order[:_MOST_DRAWN]
    if not drawn or not np.isfinite(n.lower[drawn]).any() or improper(m):
        return None
    unit, scale = np.ones(len(drawn)), "log-odds per unit"
    sds = fit.design.column_sds[drawn] if fit.design is not None else unit
    varying = sds[sds > 0.0]
    if varying.size and varying.max() > _COMPARABLE * varying.min():
        unit, scale = sds, "log-odds per sd of the column"
    half = fit.prior.half_widths(m.prob)[drawn]
    half = np.where(np.isfinite(half), half, np.nan)
    mean = fit.prior.means()[drawn]
    left_out = len(fit.columns) - first - len(drawn)
    more = f"{left_out:,} coefficients with smaller effects are not drawn; the table has them."
    return forest(
        [fit.columns[j] for j in drawn],
        (unit * n.estimate[drawn]).tolist(),
        (unit * n.lower[drawn]).tolist(),
        (unit * n.upper[drawn]).tolist(),
        prior_lower=(unit * (mean - half)).tolist(),
        prior_upper=(unit * (mean + half)).tolist(),
        estimate_name="mode" if m.reported is None else "median",
        interval=f"{percent(m.prob)} interval",
        scale=scale,
        notes=(more,) if left_out else (),
    )


def _effects(m: Material) -> Iterator[Block]:
    found = m.effects.value
    if found is None:
        yield Paragraph(m.effects.reason)
        return
    left_out = len(m.variables) - len(m.effect_variables)
    variables = "1 more variable is" if left_out == 1 else f"{left_out:,} more variables are"
    more = (f"{variables} left out, with smaller effects or many levels: bayeslogit.effects(fit, name).",)
    if not found:
        if left_out:
            yield Paragraph(f"Average effects: {more[0]}")
        return
    width = percent(m.prob)
    yield Table(
        "average-effects",
        "Average effects on the probability",
        (
            Column("variable", "variable"),
            Column("comparison", "change"),
            Column("effect", "change of the probability", "number"),
            Column("sd", "sd", "number"),
            Column("lower", f"{width} lower", "number"),
            Column("upper", f"{width} upper", "number"),
        ),
        tuple((e.variable, e.comparison, e.estimate, e.sd, e.lower, e.upper) for e in found),
        header=(
            "Averaged over the observations, each with its own values of the other variables. Numbers: the average "
            "slope of the probability per unit; factors, 0 and 1: the average difference between two levels.",
            f"At the {'mode' if m.reported is None else 'posterior mean'}, with the {width} interval read off along "
            "the direction in which the effect changes fastest; bayeslogit.effects(fit, name) takes every draw.",
        ),
        notes=more if left_out else (),
    )
