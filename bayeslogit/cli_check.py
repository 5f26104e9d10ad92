"""``bayeslogit check``: a look at data and model before anything is fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from bayeslogit._check import Check, check
from bayeslogit.cli_options import (
    DONE,
    NOT_CERTIFIED,
    SCHEMA_VERSION,
    AsJson,
    Config,
    Data,
    Drop,
    Event,
    Formula,
    Offset,
    PriorFor,
    PriorText,
    Sql,
    Trials,
    Weights,
    print_json,
)
from bayeslogit.cli_question import Question
from bayeslogit.render.terminal import print_lines, print_table


def check_command(
    context: typer.Context,
    data: Data = None,
    formula: Formula = None,
    prior: PriorText = None,
    prior_for: PriorFor = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    query: Sql = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 if a fit would have no finite estimate.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> int:
    """Look at the data before a fit: missing values, separation, collinearity, and what the prior would decide."""
    question = Question.of({**context.params, "drop_missing": True})
    found = check(question.design, prior=question.prior)
    if found.design.n_dropped and not drop_missing:
        left = "row with a missing value" if found.design.n_dropped == 1 else "rows with missing values"
        refused = f"Other commands refuse the {found.design.n_dropped:,} {left} until you say --drop-missing."
        found = replace(found, remarks=(*found.remarks, refused))
    if as_json:
        print_json(_document(found, question))
    else:
        for table in found.tables:
            print_table(table)
            print()
        print_lines(found.sentences)
    return NOT_CERTIFIED if strict and not found.ok else DONE


def _document(found: Check, question: Question) -> dict[str, Any]:
    apart, design, alike = found.separation, found.design, found.collinearity
    return {
        "schema_version": SCHEMA_VERSION,
        "formula": question.formula,
        "ok": found.ok,
        "problems": list(found.problems),
        "remarks": list(found.remarks),
        "n_rows": design.n_rows,
        "n_rows_given": design.provenance.n_rows,
        "n_dropped": design.n_dropped,
        "nobs": design.nobs,
        "n_events": design.n_events,
        "missing": [] if found.missing is None else found.missing.records(),
        "columns": found.columns.records(),
        "condition_number": None if alike is None else alike.condition,
        "separation": {
            "verdict": apart.verdict,
            "columns": list(apart.columns),
            "left_out": list(apart.left_out),
            "alone": list(apart.alone),
            "direction": dict(apart.direction),
            "with_prior": apart.with_prior,
            "unbounded": list(apart.unbounded),
            "verified": apart.verified,
        },
        "prior": found.prior.records(),
        "notes": list(design.notes),
    }
