"""The command line: the straight line of `fit` from a file to a table and a report. It owns no statistics.

stdout carries the result, stderr everything else. Exit codes: 0 done; 1 unexpected; 2 usage; 3 bad data; 4 not
converged; 5 done, but a verdict failed under --strict; 130 interrupted.
"""

from __future__ import annotations

import json
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit import datasets
from bayeslogit._fit import DEFAULT_PRIOR
from bayeslogit._fit import fit as fit_line
from bayeslogit._report import check_report, report
from bayeslogit.cli_compare import compare_command
from bayeslogit.cli_convert import convert_command
from bayeslogit.cli_options import (
    BAD_DATA,
    DONE,
    INTERRUPTED,
    NOT_CERTIFIED,
    NOT_CONVERGED,
    SCHEMA_VERSION,
    UNEXPECTED,
    USAGE,
    AsJson,
    Data,
    Drop,
    Event,
    Formula,
    Offset,
    PriorFor,
    PriorText,
    Prob,
    Trials,
    Weights,
    finite,
    prior_of,
    say,
)
from bayeslogit.cli_path import path_command
from bayeslogit.cli_posterior import (
    DrawCount,
    Posterior,
    Seed,
    Strict,
    Wish,
    posterior_document,
    print_posterior,
)
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, BayeslogitError, DataError, FileFormatError, FitWarning, PriorError
from bayeslogit.render.terminal import print_table
from bayeslogit.results import Fit
from bayeslogit.storage import check_place, make_folder
from bayeslogit.table import Table

DEMO_FORMULA = "switch ~ dist100 + arsenic + assoc + educ4"

app = typer.Typer(
    name="bayeslogit",
    help="Logistic regression whose penalty is a prior and whose numbers say how sure they are.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("fit")
def fit_command(
    data: Data,
    formula: Formula,
    prior: PriorText = None,
    prior_for: PriorFor = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    prob: Prob = 0.95,
    posterior: Posterior = None,
    draws: DrawCount = 4000,
    seed: Seed = 0,
    strict: Strict = False,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Save the fit to this JSON file.")] = None,
) -> int:
    """Fit a model and print its coefficient table."""
    wish = Wish(posterior, draws, seed)
    if out is not None:
        check_place(out)
    result = _fit(data, formula, prior, prior_for, trials, weights, offset, event, drop_missing)
    found = wish.granted(result)
    _show(result, prob, as_json, found, seed)
    if out is not None:
        result.to_json(out)
        say(f"Saved the fit to {out}.")
    if strict and found is not None and found.verdict.level == "failed":
        return NOT_CERTIFIED
    return _code(result)


@app.command("report")
def report_command(
    data: Data,
    formula: Formula,
    prior: PriorText = None,
    prior_for: PriorFor = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    prob: Prob = 0.95,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    out: Annotated[Path, typer.Option(help="Where to write: .html, .md, .tex or .json.")] = Path("report.html"),
) -> int:
    """Fit a model and write a report."""
    check_report(out)
    result = _fit(data, formula, prior, prior_for, trials, weights, offset, event, drop_missing)
    written = report(result, path=out, prob=prob, title=title, command=_command_line())
    print(written)
    return _code(result)


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("reports/demo"),
    nuts: Annotated[bool, typer.Option("--nuts", help="Take the posterior from PyMC's NUTS (some seconds).")] = False,
    prob: Prob = 0.95,
    seed: Seed = 0,
) -> int:
    """Fit the wells data of Bangladesh, print the summary, write a report."""
    page = check_report(make_folder(out) / "wells.html")
    say(f"Fitting {DEMO_FORMULA} to the 3,020 households of the wells data ...")
    result = fit_line(DEMO_FORMULA, datasets.load("wells"))
    print_table(result.summary(prob))
    if nuts:
        say("Sampling the posterior with PyMC's NUTS; the model is compiled first ...")
    found = Wish("nuts" if nuts else "auto", seed=seed).granted(result)
    tables: tuple[Table, ...] = ()
    if found is not None:
        tables = (found.beside_mode(), found.summary(prob))
        print()
        print_table(tables[0])
    written = report(
        result,
        path=page,
        prob=prob,
        title="Who switches to a safer well?",
        question="Households in Bangladesh whose well has unsafe arsenic: which of them move to another well?",
        command=_command_line(),
        tables=tables,
    )
    print(f"\nReport: {written}")
    return DONE


app.command("convert")(convert_command)
app.command("compare")(compare_command)
app.command("path")(path_command)


@app.callback(invoke_without_command=True)
def _global(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from bayeslogit._report import package_version

        print(f"bayeslogit {package_version()}")
        raise typer.Exit


def _fit(
    data: Path,
    formula: str,
    prior: str | None,
    prior_for: Sequence[str] | None,
    trials: str | None,
    weights: str | None,
    offset: str | None,
    event: str | None,
    drop_missing: bool,
) -> Fit:
    return fit_line(
        formula,
        data,
        prior=DEFAULT_PRIOR if prior is None and not prior_for else prior_of(prior or DEFAULT_PRIOR, prior_for or ()),
        trials=trials,
        weights=weights,
        offset=offset,
        event=event,
        missing="drop" if drop_missing else "raise",
    )


def _show(result: Fit, prob: float, as_json: bool, draws: Draws | None, seed: int) -> None:
    table = result.summary(prob)
    if not as_json:
        print_table(table)
        if draws is not None:
            print_posterior(draws, prob)
        return
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "formula": result.facts.formula,
        "prob": prob,
        **result.facts.to_dict(),
        **result.glance_values(),
        "coefficients": table.records(),
        "notes": list(result.notes),
    }
    if draws is not None:
        document["posterior"] = posterior_document(draws, prob, seed)
    print(json.dumps(finite(document), indent=1, allow_nan=False))


def _code(result: Fit) -> int:
    if result.converged:
        return DONE
    say(result.mode.message)
    return NOT_CONVERGED


def _command_line() -> str:
    return shlex.join(["bayeslogit", *sys.argv[1:]])


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        with warnings.catch_warnings():
            # The same words stand in the notes of the table and on stderr.
            warnings.simplefilter("ignore", FitWarning)
            return _invoke(arguments)
    except (PriorError, ArgumentError) as error:
        say(f"bayeslogit: {error}")
        return USAGE
    except (DataError, FileFormatError) as error:
        say(f"bayeslogit: {error}")
        return BAD_DATA
    except BayeslogitError as error:
        say(f"bayeslogit: {error}")
        return UNEXPECTED
    except OSError as error:
        say(f"bayeslogit: {error.filename or 'file'}: {error.strerror}")
        return BAD_DATA
    except (KeyboardInterrupt, typer.Abort):
        say("bayeslogit: interrupted")
        return INTERRUPTED


def _invoke(arguments: Sequence[str] | None) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments), prog_name="bayeslogit", standalone_mode=False
        )
    except typer.Exit as leave:
        return leave.exit_code
    except Exception as error:
        # Usage errors of the option parser know how to show themselves and which exit code they mean.
        if not hasattr(error, "show"):
            raise
        error.show()
        return USAGE
    return code if isinstance(code, int) else DONE


def main() -> None:
    """Entry point of the ``bayeslogit`` command."""
    sys.exit(run())
