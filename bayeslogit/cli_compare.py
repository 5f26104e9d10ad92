"""``bayeslogit compare``: one model under several priors, as tables, JSON or a report."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit._fit import fit
from bayeslogit._report import check_report, report
from bayeslogit.cli_options import (
    DONE,
    NOT_CERTIFIED,
    NOT_CONVERGED,
    SCHEMA_VERSION,
    AsJson,
    Data,
    Drop,
    Event,
    Formula,
    Offset,
    PriorFor,
    Prob,
    Trials,
    Weights,
    finite,
    prior_of,
    say,
)
from bayeslogit.cli_posterior import Seed
from bayeslogit.comparisons import Comparison, compare
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.presets import parse_prior
from bayeslogit.render.terminal import print_table


def compare_command(
    data: Data,
    formula: Formula,
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
        typer.Option(help="One proper prior for every intercept, such as normal:5, so that evidences compare."),
    ] = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    prob: Prob = 0.95,
    seed: Seed = 0,
    no_nuts: Annotated[
        bool, typer.Option("--no-nuts", help="Never run NUTS, even where nothing faster certifies.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 if the verdict on some posterior is 'failed'.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write a report: .html, .md, .tex or .json.", show_default=False)
    ] = None,
) -> int:
    """Compare priors for one model: evidence, leave-one-out, coefficients, and where the prior decides."""
    named = _priors(prior or [])
    if out is not None:
        check_report(out)
    design = Design.from_formula(
        formula,
        data,
        trials=trials,
        weights=weights,
        offset=offset,
        event=event,
        missing="drop" if drop_missing else "raise",
    )
    for note in design.notes:
        say(note)
    fits = {text: fit(design, prior=prior_of(text, prior_for or ())) for text in named}
    found = compare(
        fits, rng=seed, intercept=None if intercept is None else parse_prior(intercept), prob=prob, nuts=not no_nuts
    )
    _show(found, as_json, seed)
    if out is not None:
        say(f"Report: {report(found, path=out, title=title, command=shlex.join(['bayeslogit', *sys.argv[1:]]))}")
    return _code(found, strict)


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
        print(json.dumps(finite(document(found, seed)), indent=1, allow_nan=False))
        return
    for table in found.tables:
        print_table(table)
        print()
    print("\n".join(found.conclusions))


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
