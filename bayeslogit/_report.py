"""The report on a fit: which sections, which tables and charts, in which order. It computes no statistics."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bayeslogit.calibration import calibration_bins
from bayeslogit.chart import Chart, calibration, forest
from bayeslogit.comparison_report import comparison_document
from bayeslogit.comparisons import Comparison
from bayeslogit.errors import ArgumentError
from bayeslogit.mode import Mode
from bayeslogit.predict import check_prob
from bayeslogit.render.data import to_json
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Section, Verdict
from bayeslogit.render.html import to_html
from bayeslogit.render.latex import to_latex
from bayeslogit.render.markdown import to_markdown
from bayeslogit.results import Fit
from bayeslogit.storage import check_place, write_text
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table
from bayeslogit.versions import package_version as package_version
from bayeslogit.versions import version_facts

Array = NDArray[np.float64]
_RENDERERS = {".html": to_html, ".md": to_markdown, ".tex": to_latex, ".json": to_json}
# Events of the rarer outcome for each coefficient: above this the Gaussian approximation is off by hundredths of an sd.
_PLENTY = 50.0
# Columns whose spreads differ by more than this are drawn per sd: per unit some of them would be invisible.
_COMPARABLE = 20.0


def report(
    fit: Fit | Comparison,
    path: str | os.PathLike[str],
    *,
    prob: float = 0.95,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table] = (),
) -> Path:
    """Write a report on a fit or a comparison: one self-contained file.

    Parameters
    ----------
    fit : Fit or Comparison
    path : str or Path
        The suffix chooses the format: ``.html``, ``.md``, ``.tex`` or ``.json``. Folders must exist.
    prob : float
        Probability of the intervals; a comparison has its own.
    title, question : str, optional
        The title, and the question that the report answers.
    command : str, optional
        What was run, for the reproducibility section.
    tables : sequence of Table, optional
        Further tables for the results.

    Returns
    -------
    Path
        The file written; it is replaced whole or not at all.

    Raises
    ------
    ArgumentError
        If the suffix names no known format, or no file can stand there.
    """
    if not isinstance(fit, Fit | Comparison):
        raise ArgumentError(f"report({type(fit).__name__}, ...): a fit is needed, as bayeslogit.fit returns it.")
    target = check_report(path)
    if isinstance(fit, Comparison):
        made = comparison_document(fit, title=title, question=question, command=command, tables=tables)
    else:
        made = document(fit, prob=prob, title=title, question=question, command=command, tables=tables)
    return write_text(target, _RENDERERS[target.suffix.lower()](made))


def check_report(path: str | os.PathLike[str]) -> Path:
    """The path, if a report can be written there.

    Raises
    ------
    ArgumentError
        If the suffix names no known format, or no file can stand there.
    """
    target = Path(path)
    if target.suffix.lower() not in _RENDERERS:
        raise ArgumentError(f"report(path={target.name!r}): the suffix must be one of {', '.join(_RENDERERS)}.")
    return check_place(target)


def document(
    fit: Fit,
    *,
    prob: float = 0.95,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table] = (),
) -> Document:
    """The report as a document record."""
    check_prob(prob)
    sections = (
        Section("headline", "In short", tuple(_headline(fit, prob, question))),
        Section("data", "Data", tuple(_data(fit))),
        Section("model", "Model", tuple(_model(fit))),
        Section("priors", "Priors", (fit.prior.table(),)),
        Section("computation", "Computation", (_computation(fit),)),
        Section("results", "Results", (*_results(fit, prob), *tables)),
        Section("checks", "Model checks", tuple(_checks(fit, prob))),
        Section("reproducibility", "Reproducibility", tuple(_reproducibility(fit, command))),
    )
    name = title or f"Logistic regression of {fit.facts.outcome}"
    model = fit.facts.formula or f"{len(fit.columns)} columns"
    return Document(name, f"Bayesian logistic regression: {model}", sections, footer=f"bayeslogit {package_version()}")


# --- sections ----------------------------------------------------------------------------------------------------


def _headline(fit: Fit, prob: float, question: str | None) -> Iterator[Block]:
    if question:
        yield Paragraph(question)
    if fit.converged:
        yield Paragraph(_strongest(fit, prob), lead=True)
    yield _verdict(fit)


def _strongest(fit: Fit, prob: float) -> str:
    """One sentence on the coefficient that the fit is surest of."""
    rows = fit.summary(prob).records()
    slopes = [row for row in rows if row["term"] != "Intercept"] or rows
    row = max(slopes, key=lambda r: abs(float(r["estimate"] or 0.0)) / float(r["sd"] or np.inf))
    if row["term"] == "Intercept":
        return f"The model has no predictors; the odds of the event are {row['odds_ratio']:.3g}."
    ratios = [f"{float(row[key] or np.nan):.3g}" for key in ("odds_ratio", "or_lower", "or_upper")]
    return (
        f"The data speak most clearly about {row['term']}: one unit more multiplies the odds of "
        f"{_event(fit)} by {ratios[0]} ({percent(prob)} interval {ratios[1]} to {ratios[2]})"
        + (", the other terms held fixed." if len(slopes) > 1 else ".")
    )


def _event(fit: Fit) -> str:
    return "success" if fit.facts.grouped else f"{fit.facts.outcome} = {fit.facts.event or 1}"


def _verdict(fit: Fit) -> Verdict:
    if not fit.converged:
        return Verdict("bad", fit.mode.message, tuple(note for note in fit.notes if note != fit.mode.message))
    facts = fit.facts
    rarer = min(facts.n_events, facts.nobs - facts.n_events) / max(fit.effective_parameters, 1.0)
    led = [name for name, share in fit.prior_share.items() if share > 0.5]
    reasons = []
    if rarer < _PLENTY:
        reasons.append(
            f"The rarer outcome has {rarer:.3g} observations per effective parameter: sds and intervals are a Gaussian "
            "approximation at the mode, which can be off by tenths of an sd when this number is small."
        )
    if led:
        reasons.append(f"Led by the prior more than by the data: {', '.join(map(str, led[:8]))}.")
    reasons += [note for note in fit.notes if note not in fit.prior.notes]
    if reasons:
        return Verdict("care", "The mode is certified; what rests on it has limits:", tuple(reasons))
    return Verdict(
        "good",
        f"The mode is certified to {fit.mode.decrement:.0e} posterior sd. Sds and intervals are the Gaussian "
        f"approximation there, with {rarer:,.0f} observations of the rarer outcome per effective parameter.",
        label="Sound",
    )


def _data(fit: Fit) -> Iterator[Block]:
    f = fit.facts
    items = [
        ("Source", f.source),
        ("Rows used", f"{f.n_rows:,}" + (f" ({f.n_dropped:,} dropped for missing values)" if f.n_dropped else "")),
        ("Observations", f"{f.nobs:,.10g}"),
        ("Events", f"{f.n_events:,.10g} ({100.0 * f.n_events / f.nobs:.1f} %)"),
        ("Outcome modelled", f.event_in_words),
    ]
    if f.log_binomial_constant:
        items.append(("Log binomial constant", f"{f.log_binomial_constant:.4f} (left out of every log likelihood)"))
    yield Facts(tuple(items))
    if fit.design is None:
        yield Paragraph(
            "The fit was loaded from a file that does not hold the data, so columns are not described here."
        )
        return
    first = int(fit.design.has_intercept)
    m = fit.design.moments
    names, sds = fit.columns[first:], fit.design.column_sds[first:]
    if not names:
        return
    yield Table(
        "columns",
        "Columns of the design",
        (
            Column("term", "column"),
            Column("mean", "mean", "number"),
            Column("spread", "sd", "number"),
            Column("smallest", "smallest", "number"),
            Column("largest", "largest", "number"),
        ),
        tuple(
            (name, float(m.mean[j]), float(sds[j]), float(m.lower[j]), float(m.upper[j]))
            for j, name in enumerate(names)
        ),
        header=("Over observations (weight x trials), in the units of each column.",),
    )


def _model(fit: Fit) -> Iterator[Block]:
    if fit.facts.formula:
        yield Code(fit.facts.formula, "Formula")
    offset = " + offset" if fit.facts.has_offset else ""
    yield Paragraph(
        f"log-odds of {fit.facts.event_in_words} = sum of coefficient x column{offset}. A coefficient is the change of "
        "the log-odds for one unit more of its column; exp of it is the odds ratio."
    )
    references = fit.spec.reference_levels
    if references:
        yield Facts(tuple((str(k), f"compared with {v}") for k, v in references.items()), title="Reference levels")


def _work(mode: Mode) -> str:
    passes = f"{mode.n_passes} passes over the data, {mode.n_hessians} of them with the information matrix"
    return passes + (f", from the mode of {mode.n_sampled:,} sampled rows" if mode.n_sampled else "")


def _computation(fit: Fit) -> Facts:
    mode = fit.mode
    return Facts(
        (
            ("Method", f"{mode.road.value} steps to the posterior mode; Gaussian approximation there"),
            ("Status", mode.message),
            ("Distance to the mode", f"{mode.decrement:.1e} posterior sd (Newton decrement)"),
            ("Work", _work(mode)),
            ("Log likelihood", f"{fit.log_likelihood:.4f}"),
            ("Log posterior", f"{fit.log_posterior:.4f} (not divided by the evidence)"),
            ("Log evidence", _evidence(fit)),
            ("Effective parameters", f"{fit.effective_parameters:.2f} of {len(fit.columns)}"),
        )
    )


def _evidence(fit: Fit) -> str:
    if fit.prior.whole:
        return "none: a prior of the whole model has no known constant"
    if not np.isfinite(fit.log_evidence):
        return "none: the fit has no finite covariance"
    relative = ", relative: per unit of each flat column" if fit.prior.flat.any() else ""
    return f"{fit.log_evidence:.2f} nats (Gaussian approximation{relative})"


def _results(fit: Fit, prob: float) -> Iterator[Block]:
    yield fit.summary(prob)
    chart = _forest(fit, prob)
    if chart is not None:
        yield chart


def _forest(fit: Fit, prob: float) -> Chart | None:
    first = int("Intercept" in fit.columns[:1])
    names = fit.columns[first:]
    interval = fit.conf_int(prob).to_numpy()[first:]
    if not names or not np.isfinite(interval).any():
        return None
    unit, scale = np.ones(len(names)), "log-odds per unit"
    sds = fit.design.column_sds[first:] if fit.design is not None else unit
    varying = sds[sds > 0.0]
    if varying.size and varying.max() > _COMPARABLE * varying.min():
        unit, scale = sds, "log-odds per sd of the column"
    half = fit.prior.half_widths(prob)[first:]
    half = np.where(np.isfinite(half), half, np.nan)
    mean = fit.prior.means()[first:]
    return forest(
        names,
        (unit * fit.params.to_numpy()[first:]).tolist(),
        (unit * interval[:, 0]).tolist(),
        (unit * interval[:, 1]).tolist(),
        prior_lower=(unit * (mean - half)).tolist(),
        prior_upper=(unit * (mean + half)).tolist(),
        interval=f"{percent(prob)} interval",
        scale=scale,
    )


def _checks(fit: Fit, prob: float) -> Iterator[Block]:
    if fit.design is None or not fit.converged:
        yield Paragraph("Not done: " + ("the data are not at hand." if fit.design is None else "the fit has no mode."))
        return
    probability = fit.predict(kind="mode")["probability"]
    y, trials, weights = fit.design.outcome_arrays()
    predicted = np.asarray(probability, dtype=np.float64)
    bins = calibration_bins(predicted, y, trials, weights, prob=prob)
    counts, edges = np.histogram(predicted, bins=40, weights=weights * trials)
    yield calibration(
        bins.predicted.tolist(),
        bins.observed.tolist(),
        bins.lower.tolist(),
        bins.upper.tolist(),
        bins.size.tolist(),
        histogram=(edges.tolist(), counts.tolist()),
        interval=f"{percent(prob)} Wilson interval",
        unit="observations",
        notes=("The same data were fitted and checked, so the agreement is somewhat too good.",),
    )


def _reproducibility(fit: Fit, command: str | None) -> Iterator[Block]:
    f = fit.facts
    yield Facts(
        (
            *version_facts(),
            *((("Data file SHA-256" if f.source != "frame" else "Data SHA-256", f.sha256),) if f.sha256 else ()),
            ("Design SHA-256", fit.fingerprint),
            ("Randomness", "none: the same input gives the same numbers"),
        )
    )
    if command:
        yield Code(command, "Command")


# --- beside the exact rung ---------------------------------------------------------------------------------------
