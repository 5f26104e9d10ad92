"""The report on a fit: which sections, in which order, in which format. It computes no statistics."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bayeslogit._sensitivity import Sensitivity
from bayeslogit.boundary import guarded
from bayeslogit.chart import Chart
from bayeslogit.comparison_report import comparison_document
from bayeslogit.comparisons import Comparison
from bayeslogit.criteria import LooResult
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import check_prob
from bayeslogit.render.data import to_csv, to_json
from bayeslogit.render.document import Document, Section
from bayeslogit.render.html import to_html
from bayeslogit.render.latex import to_latex
from bayeslogit.render.markdown import to_markdown
from bayeslogit.render.template import from_template, template_text
from bayeslogit.reporting.checked import checks, checks_of
from bayeslogit.reporting.computed import computation
from bayeslogit.reporting.described import data, model, priors
from bayeslogit.reporting.found import results
from bayeslogit.reporting.headline import headline
from bayeslogit.reporting.listed import checklist, glossary, reproducibility
from bayeslogit.reporting.material import Material
from bayeslogit.reporting.names import Names, names_of, relabelled
from bayeslogit.reporting.predicted import prediction, sensitivity_section
from bayeslogit.reporting.tables import shortened
from bayeslogit.results import Fit
from bayeslogit.storage import check_place, write_text
from bayeslogit.table import Table
from bayeslogit.tipping_points import TippingPoint
from bayeslogit.versions import package_version as package_version

# Arguments of a report on a comparison that would mean nothing.
_OF_ONE_FIT = ("draws", "loo", "sensitivity", "tipping_points", "focus")
_RENDERERS = {".html": to_html, ".md": to_markdown, ".tex": to_latex, ".json": to_json, ".csv": to_csv}
# Formats for programs: every row, and names as they are in the data.
_WHOLE = (".json", ".csv")


@guarded
def report(
    fit: Fit | Comparison,
    path: str | os.PathLike[str],
    *,
    draws: Draws | None = None,
    prob: float = 0.95,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table | Chart] = (),
    labels: Mapping[str, str] | None = None,
    loo: LooResult | None = None,
    sensitivity: Sensitivity | None = None,
    tipping_points: Sequence[TippingPoint] = (),
    effort: str = "auto",
    focus: str | None = None,
    template: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a report on a fit or a comparison: one self-contained file.

    Its sections, each with the same id and number in every format: headline, data, model, priors, computation, results,
    checks, sensitivity, prediction, reproducibility, checklist, glossary.

    Parameters
    ----------
    fit : Fit or Comparison
    path : str or Path
        The suffix chooses the format: ``.html``, ``.md``, ``.tex``, ``.json``, or ``.csv`` (one value a line: section,
        table, row, column, value). Folders must exist. Of tables with more than 80 rows pages hold the 60 largest
        effects (20 where columns and priors are described), and the whole tables stand beside them as
        ``name.table.csv``; JSON and CSV hold everything.
    draws : Draws, optional
        The fit's posterior: estimates are then its medians, with its sds and quantiles. Without it they are the mode
        and the Gaussian approximation there, beside which a posterior is sampled for the checks; where a prior with
        kinks leaves estimates without sd, the results rest on that.
    prob : float
        Probability of the intervals; a comparison has its own.
    title, question : str, optional
        The title, and the question that the report answers.
    command : str, optional
        What was run, for the reproducibility section.
    tables : sequence of Table or Chart, optional
        Further tables and charts for the results.
    labels : mapping of str to str, optional
        What variables (or columns of the design) are called in words, before those of a Stata, SPSS or SAS file. In
        JSON and CSV names stay; in JSON the labels stand beside them.
    loo, sensitivity, tipping_points : optional
        What was worked out already, of this fit.
    effort : {"auto", "quick", "full"}
        "auto" works out what takes a few seconds (10,000 rows of 20 columns), and the page says what it left out;
        "quick" draws nothing; "full" leaves nothing out.
    focus : str, optional
        The variable, term or column that the headline is about, by name or label; else it is the clearest.
    template : str or Path, optional
        A Jinja2 template of one's own, as a file or as text, instead of the built-in page: see `render.template`.

    Returns
    -------
    Path
        The file written; it is replaced whole or not at all.

    Raises
    ------
    ArgumentError
        If the suffix names no known format, no file can stand there, a label or focus names nothing, or the template is
        wrong.
    """
    own = {
        **{"draws": draws, "prob": prob, "loo": loo, "sensitivity": sensitivity, "effort": effort, "focus": focus},
        "tipping_points": tuple(tipping_points),
    }
    return report_files(fit, path, title, question, command, tables, labels, template, **own)[0]


def report_files(
    fit: Fit | Comparison,
    path: str | os.PathLike[str],
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table | Chart] = (),
    labels: Mapping[str, str] | None = None,
    template: str | os.PathLike[str] | None = None,
    **own: Any,
) -> tuple[Path, ...]:
    """Write a report, and return every file written, the page first; ``own`` is what belongs to one fit."""
    if not isinstance(fit, Fit | Comparison):
        raise ArgumentError(f"report({type(fit).__name__}, ...): a fit is needed, as bayeslogit.fit returns it.")
    target = check_report(path)
    text = None if template is None else template_text(template, target.suffix.lower())
    order: Sequence[str] = ()
    if isinstance(fit, Comparison):
        strays = [f"{name}=" for name in _OF_ONE_FIT if own.get(name) is not None and own[name] != ()]
        if strays:
            raise ArgumentError(f"report(comparison, ...): {', '.join(strays)} belong(s) to the report on one fit.")
        names = names_of(fit.fits.values(), labels)
        made = comparison_document(fit, title=title, question=question, command=command, tables=tables, names=names)
    else:
        # The document speaks of names, and labels replace them where a human reads it.
        draws: Draws | None = own.pop("draws", None)
        plain = None if draws is None else replace(draws, labels={})
        m = material(replace(fit, labels={}), draws=plain, labels={**fit.labels, **(labels or {})}, **own)
        names, order = m.names, [fit.columns[j] for j in m.order]
        made = document_of(m, title=title, question=question, command=command, tables=tables)
    return _written(made, names, order, target, text)


def _written(
    made: Document, names: Names, order: Sequence[str], target: Path, template: str | None
) -> tuple[Path, ...]:
    suffix = target.suffix.lower()
    if suffix in _WHOLE:
        return (write_text(target, _RENDERERS[suffix](replace(made, labels=names.used))),)
    page = shortened(made, order, target.stem, pictures=suffix == ".html")
    beside = tuple(write_text(target.with_name(name), to_csv(table)) for name, table in page.aside)
    readable = relabelled(page.document, names)
    if template is not None:
        return (write_text(target, from_template(template, suffix, readable, names.used)), *beside)
    return (write_text(target, _RENDERERS[suffix](readable)), *beside)


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


def material(
    fit: Fit,
    *,
    draws: Draws | None = None,
    prob: float = 0.95,
    labels: Mapping[str, str] | None = None,
    loo: LooResult | None = None,
    sensitivity: Sensitivity | None = None,
    tipping_points: Sequence[TippingPoint] = (),
    effort: str = "auto",
    focus: str | None = None,
) -> Material:
    """What the report is made of; arguments as in `report`."""
    check_prob(prob)
    names = names_of([fit], {**(draws.labels if draws is not None else {}), **(labels or {})})
    if sensitivity is not None:
        fit.summary(prob, draws=sensitivity.draws)
    if loo is not None and fit.design is not None and loo.elpd_i.size != fit.design.source.n_rows:
        raise ArgumentError(
            f"report(loo=...): it has {loo.elpd_i.size:,} rows and this fit {fit.design.source.n_rows:,}; give that of "
            "this fit, as fit.loo() returns it."
        )
    # Tables of a document hold the names of columns; labels come in where it is made into a page.
    plain = replace(fit, labels={})
    if draws is not None:
        fit.summary(prob, draws=draws)  # refuses those of another fit
        draws = replace(draws, labels={}, fit=plain)
    return Material(plain, prob, names, effort, draws, loo, sensitivity, tuple(tipping_points), focus)


def document(
    fit: Fit,
    *,
    draws: Draws | None = None,
    prob: float = 0.95,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table | Chart] = (),
    labels: Mapping[str, str] | None = None,
    effort: str = "auto",
    focus: str | None = None,
) -> Document:
    """The report as a document record; tables hold every row, and names, not labels."""
    m = material(fit, draws=draws, prob=prob, labels=labels, effort=effort, focus=focus)
    return document_of(m, title=title, question=question, command=command, tables=tables)


def document_of(
    m: Material,
    *,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table | Chart] = (),
) -> Document:
    """The sections in their order."""
    found = checks_of(m)
    sections = (
        Section("headline", "In short", tuple(headline(m, question))),
        Section("data", "Data", tuple(data(m.fit, m.names))),
        Section("model", "Model", tuple(model(m))),
        Section("priors", "Priors", tuple(priors(m))),
        Section("computation", "Computation", tuple(computation(m))),
        Section("results", "Results", tuple(results(m, tables))),
        Section("checks", "Model checks", tuple(checks(found))),
        Section("sensitivity", "Prior sensitivity", tuple(sensitivity_section(m))),
        Section("prediction", "Predictive performance", tuple(prediction(m))),
        Section("reproducibility", "Reproducibility", tuple(reproducibility(m, command))),
        Section("checklist", "Reporting guidelines", tuple(checklist(m, found, question, command))),
        Section("glossary", "Glossary", tuple(glossary(m, found))),
    )
    facts = m.fit.facts
    shown = facts.formula or f"{len(m.fit.columns):,} columns"
    return Document(
        title or f"Logistic regression of {m.names.variable(facts.outcome)}",
        f"Bayesian logistic regression: {shown}",
        sections,
        footer=f"bayeslogit {package_version()}",
    )
