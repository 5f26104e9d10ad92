"""``bayeslogit compare``: one model under several priors, as tables, JSON or a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit._report import check_report, report
from bayeslogit.cli_numbers import Numbers, exact, fit_numbers, leave, sampled
from bayeslogit.cli_options import (
    DONE,
    NOT_CERTIFIED,
    NOT_CONVERGED,
    SCHEMA_VERSION,
    AsJson,
    Config,
    Data,
    Drop,
    DryRun,
    Event,
    Formula,
    Label,
    Offset,
    PriorFor,
    Prob,
    Sql,
    Trials,
    Weights,
    print_json,
    say,
)
from bayeslogit.cli_plan import show_plan
from bayeslogit.cli_posterior import Seed
from bayeslogit.cli_question import Question, command_line, not_an_input
from bayeslogit.comparisons import Comparison, compare
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import check_prob
from bayeslogit.presets import parse_prior
from bayeslogit.render.terminal import print_lines, print_table

_OWN: dict[str, Any] = {"intercept": None, "prob": 0.95, "seed": 0, "no_nuts": False}
# Monte-Carlo errors that another version's draws may have: of a certified log evidence, and of an elpd.
_EVIDENCE_ERROR, _SCORE_ERROR = 0.01, 0.01


@dataclass(frozen=True)
class Compared:
    """One model under several priors."""

    question: Question
    priors: tuple[str, ...]
    found: Comparison
    config: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Compared:
        """From the parameters of a command, or from the config of a manifest."""
        texts = _priors(given.get("prior") or [])
        question = Question.of({**given, "prior": texts})
        own = {key: given.get(key, default) for key, default in _OWN.items()}
        for note in question.design.notes:
            say(note)
        fits = {text: question.fit(question.prior_from(text)) for text in texts}
        intercept = None if own["intercept"] is None else parse_prior(own["intercept"])
        seed, prob, nuts = own["seed"], own["prob"], not own["no_nuts"]
        found = compare(fits, rng=seed, intercept=intercept, prob=prob, nuts=nuts)
        return cls(question, tuple(texts), found, {**question.settings, **own})

    @property
    def numbers(self) -> Numbers:
        """Of every fit, with its evidence and its elpd."""
        numbers: Numbers = {}
        for name, fit in self.found.fits.items():
            numbers |= {f"{name}: {key}": number for key, number in fit_numbers(fit).items()}
        for row in self.found.table.records():
            for key, error in (("elpd", _SCORE_ERROR), ("log_evidence", _EVIDENCE_ERROR)):
                if isinstance(row[key], float):
                    numbers[f"{row['fit']}: {key}"] = sampled(float(row[key] or 0.0), error, 0.0)
        for name, weight in self.found.weights.items():
            numbers[f"{name}: stacking weight"] = exact(weight)._replace(within=0.05)
        return numbers


def compare_command(
    context: typer.Context,
    data: Data = None,
    formula: Formula = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            "--prior",
            help="A prior, written as for fit: normal:1, laplace:1, student_t:3,2.5, preset:rstanarm, flat. Give at "
            "least two; the first is the reference of the shifts.",
            show_default=False,
        ),
    ] = None,
    prior_for: PriorFor = None,
    intercept: Annotated[
        str | None,
        typer.Option(
            help="One proper prior for every intercept, such as normal:5, so that evidences compare.",
            show_default=False,
        ),
    ] = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    query: Sql = None,
    label: Label = None,
    prob: Prob = 0.95,
    seed: Seed = 0,
    no_nuts: Annotated[
        bool, typer.Option("--no-nuts", help="Never run NUTS, even where nothing faster certifies.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 if the verdict on some posterior is 'failed'.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="Title of the report.", show_default=False)] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write a report: .html, .md, .tex, .json or .csv.", show_default=False)
    ] = None,
    config: Config = None,
) -> int:
    """Compare priors for one model: evidence, leave-one-out, coefficients, and where the prior matters most."""
    check_prob(prob)
    texts = _priors(prior or [])
    for text in (*texts, *([] if intercept is None else [intercept])):
        parse_prior(text)
    if out is not None:
        check_report(not_an_input(out, data))
    if dry_run:
        return show_plan(
            Question.of({**context.params, "prior": texts}), as_json, {text: text for text in texts}, intercept
        )
    compared = Compared.of(context.params)
    if out is not None:  # before anything is printed: who reads stdout may stop reading
        written = report(compared.found, path=out, title=title, command=command_line())
        inputs = (compared.question.input(out.parent),)
        leave(out, "compare", compared.config, inputs, compared.numbers, seed, said=f"Report: {written}")
    _show(compared.found, as_json, seed)
    return _code(compared.found, strict)


def _priors(texts: list[str]) -> list[str]:
    named = [text.strip() for text in texts]
    twice = sorted({text for text in named if named.count(text) > 1})
    if twice:
        raise ArgumentError(f"--prior {twice[0]} is given twice.")
    if len(named) < 2:
        raise ArgumentError("compare needs at least two priors, such as --prior normal:1 --prior laplace:1.")
    return named


def _show(found: Comparison, as_json: bool, seed: int) -> None:
    if as_json:
        print_json(document(found, seed))
        return
    for table in found.labelled:
        print_table(table)
        print()
    print_lines(found.conclusions)


def document(found: Comparison, seed: int) -> dict[str, Any]:
    """The comparison as plain values."""
    first = next(iter(found.fits.values()))
    return {
        "schema_version": SCHEMA_VERSION,
        "formula": first.facts.formula,
        "prob": found.prob,
        "seed": seed,
        **first.facts.to_dict(),
        "fits": found.table.records(),
        "bayes_factors": found.bayes_factors.records(),
        "coefficients": found.coefficients.records(),
        "predictions": found.predictions.records(),
        "regions": found.regions.records(),
        "verdicts": {name: draws.verdict.to_dict() for name, draws in found.draws.items()},
        "conclusions": list(found.conclusions),
        "notes": list(found.table.notes),
    }


def _code(found: Comparison, strict: bool) -> int:
    missing = [entry for entry in found.entries if entry.reason]
    if missing:
        say(f"{missing[0].name}: {missing[0].reason}")
        return NOT_CONVERGED
    failed = [entry.name for entry in found.entries if entry.level == "failed"]
    if failed and strict:
        say(f"The verdict failed: {', '.join(failed)}.")
        return NOT_CERTIFIED
    return DONE
