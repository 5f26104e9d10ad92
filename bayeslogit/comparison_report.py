"""The report on a comparison: which sections, which tables, in which order. It computes no statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bayeslogit.chart import Chart
from bayeslogit.comparisons import Comparison
from bayeslogit.estimates import Estimates
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Section, Verdict
from bayeslogit.reporting.compared import compared_checklist, compared_glossary
from bayeslogit.reporting.described import data, explained_prior
from bayeslogit.reporting.names import Names
from bayeslogit.reporting.tables import explained
from bayeslogit.table import Table
from bayeslogit.versions import package_version, version_facts

_LEVELS = {"certified": "good", "approximate": "care", "failed": "bad", "no posterior": "bad"}
_ORDER = ("good", "care", "bad")


def comparison_document(
    comparison: Comparison,
    *,
    title: str | None = None,
    question: str | None = None,
    command: str | None = None,
    tables: Sequence[Table | Chart] = (),
    names: Names | None = None,
) -> Document:
    """The report as a document record; ``tables`` and charts follow the coefficients, ``names`` label sentences."""
    first = _first(comparison)
    sections = (
        Section("headline", "In short", tuple(_headline(comparison, question))),
        Section("data", "Data", tuple(data(first, names or Names({}, {})))),
        Section("model", "Models", tuple(_models(comparison))),
        Section("priors", "Priors", tuple(_priors(comparison))),
        Section("computation", "Computation", tuple(_computation(comparison))),
        Section("comparison", "Fits compared", tuple(_compared(comparison))),
        Section("results", "Coefficients", (comparison.coefficients, comparison.figure(), *tables)),
        Section(
            "predictions", f"Where the {comparison.what} matters most", (comparison.regions, comparison.predictions)
        ),
        Section("reproducibility", "Reproducibility", tuple(_reproducibility(comparison, command))),
        Section("checklist", "Reporting guidelines", (_checklist(comparison, question, command),)),
        Section("glossary", "Glossary", (compared_glossary(comparison.prob),)),
    )
    facts = first.facts
    return Document(
        title or f"{facts.outcome}: which {comparison.what}, and does it matter?",
        f"Bayesian logistic regression: {facts.formula or facts.source}, {len(comparison.fits)} fits compared",
        sections,
        footer=f"bayeslogit {package_version()}",
    )


def _first(comparison: Comparison) -> Estimates:
    return next(iter(comparison.fits.values()))


def _headline(comparison: Comparison, question: str | None) -> Iterator[Block]:
    if question:
        yield Paragraph(question)
    for k, sentence in enumerate(comparison.conclusions):
        yield Paragraph(sentence, lead=k == 0)
    yield _verdict(comparison)


def _verdict(comparison: Comparison) -> Verdict:
    """The worst of the fits'."""
    levels = {entry.name: _LEVELS[entry.level] for entry in comparison.entries}
    worst = max(levels.values(), key=_ORDER.index)
    if worst == "good":
        return Verdict(
            "good",
            "Every posterior is certified: the Monte-Carlo errors of means, sds, quantiles and log evidences are "
            "within their bounds.",
            label="Sound",
        )
    words = dict(_in_words(comparison))
    reasons = tuple(f"{name}: {words[name]}" for name, level in levels.items() if level != "good")
    return Verdict(worst, "Not every posterior here is certified:", reasons)


def _in_words(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What each posterior is worth, or why there is none."""
    for entry in comparison.entries:
        draws = comparison.draws.get(entry.name)
        yield entry.name, entry.reason if draws is None else draws.verdict.in_words


def _checklist(comparison: Comparison, question: str | None, command: str | None) -> Table:
    return compared_checklist(
        question,
        command,
        hashed=bool(_first(comparison).facts.sha256),
        chains=any(draws.method == "nuts" for draws in comparison.draws.values()),
    )


def _models(comparison: Comparison) -> Iterator[Block]:
    """Every fit has the same likelihood; formulas may differ."""
    formulas = {name: fit.facts.formula or f"{len(fit.columns):,} columns" for name, fit in comparison.fits.items()}
    alike = len(set(formulas.values())) == 1
    yield Facts((("Every fit", next(iter(formulas.values()))),) if alike else tuple(formulas.items()))
    yield Paragraph(
        f"Each observation is one Bernoulli trial, with log-odds of {_first(comparison).facts.event_in_words} = sum of "
        f"coefficient \u00d7 column. The rows and outcomes are the same in every fit; {_differ(comparison)}."
    )


def _differ(comparison: Comparison) -> str:
    return "so are the columns, and only the priors differ" if comparison.what == "prior" else "columns differ"


def _compared(comparison: Comparison) -> Iterator[Block]:
    yield explained(
        comparison.table,
        {
            "log_evidence": "no rung gave one with a known error, or the prior has no constant",
            "flat": "there is no log evidence",
            "elpd": "there is no posterior to predict with",
        },
    )
    yield comparison.bayes_factors


def _priors(comparison: Comparison) -> Iterator[Block]:
    for number, (name, fit) in enumerate(comparison.fits.items(), 1):
        table = explained_prior(fit.prior)
        yield replace(table, name=f"priors-{number}", title=f"{name}: {fit.prior.name}")


def _computation(comparison: Comparison) -> Iterator[Block]:
    yield Facts(tuple(_in_words(comparison)))
    yield Paragraph(
        "Log evidences are never those of the Gaussian at the mode, which is off by up to several nats when rows are "
        "few for each column. Leave-one-out holds each prior fixed and averages over the posterior without the "
        "observation."
    )


def _reproducibility(comparison: Comparison, command: str | None) -> Iterator[Block]:
    first = _first(comparison)
    facts = first.facts
    yield Facts(
        (
            *version_facts(),
            *((("Data SHA-256", facts.sha256),) if facts.sha256 else ()),
            *((f"Design SHA-256 ({name})", fit.fingerprint) for name, fit in comparison.fits.items()),
            ("Randomness", f"{comparison.randomness}: the same input gives the same numbers"),
        )
    )
    if command:
        yield Code(command, "Command")
