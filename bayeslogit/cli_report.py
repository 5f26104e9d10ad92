"""``bayeslogit report``: a fit as a page, and a manifest held against a new run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit._report import check_report, report_files
from bayeslogit.cli_fit import Fitted, code_of
from bayeslogit.cli_options import (
    NOT_CERTIFIED,
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
    PriorText,
    Prob,
    Sql,
    Trials,
    Weights,
    print_json,
)
from bayeslogit.cli_plan import show_plan
from bayeslogit.cli_posterior import DrawCount, Posterior, Seed, Strict, Wish
from bayeslogit.cli_question import Question, command_line, not_an_input
from bayeslogit.cli_verify import verify
from bayeslogit.errors import ArgumentError
from bayeslogit.manifest import manifest_path
from bayeslogit.predict import check_prob

Title = Annotated[str | None, typer.Option(help="Title of the report.", show_default=False)]
Effort = Annotated[
    str, typer.Option(help="auto: what takes a few seconds; quick: draw nothing; full: leave nothing out.")
]
Focus = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The variable, term or column that the headline is about; else it is the clearest.",
        show_default=False,
    ),
]
Template = Annotated[
    Path | None, typer.Option(help="A Jinja2 template instead of the built-in page.", show_default=False)
]
Verified = Annotated[
    Path | None,
    typer.Option(
        "--verify",
        metavar="MANIFEST",
        help="Write nothing: run again what this manifest describes, and say whether its numbers hold.",
        show_default=False,
    ),
]


def report_command(
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
    label: Label = None,
    prob: Prob = 0.95,
    posterior: Posterior = None,
    draws: DrawCount = 4000,
    seed: Seed = 0,
    strict: Strict = False,
    title: Title = None,
    effort: Effort = "auto",
    focus: Focus = None,
    template: Template = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    out: Annotated[Path, typer.Option(help="Where to write: .html, .md, .tex, .json or .csv.")] = Path("report.html"),
    config: Config = None,
    check: Verified = None,
) -> int:
    """Fit a model and write a report; or verify one by its manifest."""
    if check is not None:
        if data is not None or formula is not None:
            raise ArgumentError("--verify: the manifest names data and formula; give nothing else.")
        return verify(check, as_json)
    check_prob(prob)
    Wish(posterior, draws, seed)
    check_report(not_an_input(out, data))
    if dry_run:
        return show_plan(Question.of(context.params), as_json)
    found = Fitted.of(context.params)
    written = write_report(found, out, prob=prob, title=title, effort=effort, focus=focus, template=template)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "report": str(written),
                "manifest": str(manifest_path(written)),
                "status": found.fit.status.value,
                "verdict": None if found.draws is None else found.draws.verdict.level,
            }
        )
    else:
        print(written)
    if strict and found.draws is not None and found.draws.verdict.level == "failed":
        return NOT_CERTIFIED
    return code_of(found.fit)


def write_report(found: Fitted, out: Path, **options: Any) -> Path:
    """The page and its manifest; ``options`` are those of `report`."""
    written, *beside = report_files(found.fit, out, draws=found.draws, command=command_line(), **options)
    settings = {key: options[key] for key in ("prob", "title", "effort", "focus") if options.get(key) is not None}
    found.leave(written, "report", beside, **settings)
    return written
