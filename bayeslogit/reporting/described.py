"""Data, model and priors: what went in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayeslogit.by_outcome import sums_by_outcome
from bayeslogit.charts_model import prior_predictive_of
from bayeslogit.design import Design
from bayeslogit.estimates import Estimates
from bayeslogit.labels import factor_label
from bayeslogit.render.document import Block, Code, Facts, Paragraph
from bayeslogit.reporting.material import Material
from bayeslogit.reporting.names import Names
from bayeslogit.reporting.tables import explained, without_empty
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.table import Cell, Column, Table

# Of the probabilities that a prior expects: a page has two drawings of them.
_BINS = 20


def data(fit: Estimates, names: Names) -> Iterator[Block]:
    """Rows in, used and dropped; outcome; columns."""
    f = fit.facts
    rows_in = f.n_rows + f.n_dropped if fit.design is None else fit.design.provenance.n_rows
    idle = rows_in - f.n_rows - f.n_dropped
    outcome = names.variable(f.outcome)
    items = [
        ("Source", f.source if f.source not in ("frame", "dict") else f"a {f.source} in memory ({f.library})"),
        ("Rows read", f"{rows_in:,}"),
        ("Rows used", f"{f.n_rows:,}"),
        ("Rows dropped", f"{f.n_dropped:,}" + (" with missing values" if f.n_dropped else "")),
        *([("Rows of weight 0", f"{idle:,}, which count nowhere")] if idle > 0 else []),
        ("Observations", f"{f.nobs:,.10g}" + ("" if f.nobs == f.n_rows else " (sum of weight \u00d7 trials)")),
        ("Events", f"{f.n_events:,.10g} ({100.0 * f.n_events / f.nobs:.1f} %)"),
        ("Outcome modelled", f.event_in_words + (f"; {f.outcome}: {outcome}" if outcome != f.outcome else "")),
    ]
    if f.log_binomial_constant:
        items.append(("Log binomial constant", f"{f.log_binomial_constant:.4f} (left out of every log likelihood)"))
    if f.sha256:
        items.append(("Data SHA-256" if f.source in ("frame", "dict") else "Data file SHA-256", f.sha256))
    yield Facts(tuple(items))
    if fit.design is None:
        yield Paragraph(
            "The fit was loaded from a file that does not hold the data, so columns are not described here."
        )
        return
    for note in fit.design.notes:
        yield Paragraph(note[:1].upper() + note[1:])
    if len(fit.columns) > int(fit.design.has_intercept):
        yield _columns(fit.design)


def _columns(design: Design) -> Table:
    first, moments = int(design.has_intercept), design.moments
    sds = design.column_sds[first:]
    event, other = (part[first:] for part in design.reduce(sums_by_outcome).means)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(float(part[j]) for part in (moments.mean, sds, moments.lower, moments.upper, event, other)))
        for j, name in enumerate(design.columns[first:])
    )
    table = Table(
        "columns",
        "Columns of the design",
        (
            Column("term", "column"),
            Column("mean", "mean", "number"),
            Column("spread", "sd", "number"),
            Column("smallest", "smallest", "number"),
            Column("largest", "largest", "number"),
            Column("mean_event", "mean where the event happened", "number"),
            Column("mean_other", "mean where it did not", "number"),
        ),
        rows,
        header=("Over observations (weight \u00d7 trials), in the units of each column.",),
    )
    return explained(table, {"mean_event": "there are no events", "mean_other": "every observation is an event"})


def model(m: Material) -> Iterator[Block]:
    """The formula, the equation, the coding."""
    fit = m.fit
    if fit.facts.formula:
        yield Code(fit.facts.formula, "Formula")
    offset = " + offset" if fit.facts.has_offset else ""
    yield Paragraph(
        f"Likelihood: each observation is one Bernoulli trial, with log-odds of {fit.facts.event_in_words} = sum of "
        f"coefficient \u00d7 column{offset}. A coefficient is the change of the log-odds for one unit more of its "
        "column, the other columns held fixed; exp of it is the odds ratio."
    )
    yield Paragraph(
        "Columns enter in their own units: nothing is centred or scaled unless the formula says so. Odds ratios depend "
        "on which other terms are in the model, also where these are unrelated; average effects on the probability "
        "hardly do."
    )
    references = fit.spec.reference_levels
    if references:
        named = ((factor_label(key, m.names.variables), f"compared with {level}") for key, level in references.items())
        yield Facts(tuple(named), title="Reference levels")


def priors(m: Material) -> Iterator[Block]:
    """The prior of every column as numbers, and what it expects of the outcome."""
    fit = m.fit
    chosen = "It is the default and was not chosen for these data" if fit.prior_is_default else "It was asked for"
    yield Paragraph(f"Prior: {fit.prior.name}. {chosen}.")
    yield replace(explained_prior(fit.prior), title="Priors and the odds ratios that they imply")
    yield from _prior_predictive(m)


def explained_prior(prior: ResolvedPrior) -> Table:
    """The prior's table, with the reasons of its dashes."""
    return explained(
        without_empty(prior.table(), ("x_mean", "x_sd")),
        {
            "sd": "the prior has no variance",
            "or_lower": "the prior is flat, or its range is not told by one density",
            "x_mean": "the rule does not use it",
        },
    )


def _prior_predictive(m: Material) -> Iterator[Block]:
    """Event rates that the prior expects over these rows."""
    found, facts = m.prior_rates.value, m.fit.facts
    if found is None:
        yield Paragraph(m.prior_rates.reason)
        return
    low, middle, high = np.quantile(found.rates, [0.025, 0.5, 0.975])
    yield Facts(
        (
            ("Event rate expected", f"median {middle:.3f}; 95 % between {low:.3f} and {high:.3f}"),
            ("Event rate observed", f"{facts.n_events / facts.nobs:.3f}"),
            ("Extreme probabilities", f"{100.0 * found.extreme:.0f} % of rows below 1 % or above 99 %, on average"),
            ("Draws", f"{found.rates.size:,} from the prior, over {found.n_rows:,} rows (rng=0)"),
        ),
        title="What the prior expects of these rows, before their outcomes",
    )
    yield prior_predictive_of(m.fit, draws=found.rates.size, bins=_BINS)
