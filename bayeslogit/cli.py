"""The command line: the straight line of `fit` from a file to a table and a report. It owns no statistics.

stdout carries the result, stderr everything else. Exit codes: 0 done; 1 unexpected; 2 usage; 3 bad data; 4 not
converged; 130 interrupted.
"""

from __future__ import annotations

import json
import math
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
from bayeslogit._priors import Prior, Priors, priors
from bayeslogit._report import check_report, nuts_table, report
from bayeslogit.errors import ArgumentError, BayeslogitError, DataError, FileFormatError, FitWarning, PriorError
from bayeslogit.presets import parse_prior
from bayeslogit.render.terminal import print_table
from bayeslogit.results import Fit
from bayeslogit.storage import check_place, make_folder
from bayeslogit.table import Table

DONE, UNEXPECTED, USAGE, BAD_DATA, NOT_CONVERGED, INTERRUPTED = 0, 1, 2, 3, 4, 130
SCHEMA_VERSION = 1
DEMO_FORMULA = "switch ~ dist100 + arsenic + assoc + educ4"

app = typer.Typer(
    name="bayeslogit",
    help="Logistic regression whose penalty is a prior and whose numbers say how sure they are.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path, typer.Argument(metavar="DATA", help="A CSV, TSV or Parquet file.", show_default=False)]
Formula = Annotated[str, typer.Option(help="The model, such as 'switch ~ arsenic + dist100'.", show_default=False)]
PriorText = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="flat, normal:SCALE, laplace:SCALE, elasticnet:L1,L2, student_t:DF,SCALE, cauchy:SCALE, or "
        "preset:rstanarm (the default).",
        show_default=False,
    ),
]
PriorFor = Annotated[
    list[str] | None,
    typer.Option(
        "--prior-for", metavar="TERM=PRIOR", help="Prior of one term, such as dist100=normal:0.5; repeatable."
    ),
]
Trials = Annotated[str | None, typer.Option(help="Column of binomial trials.")]
Weights = Annotated[str | None, typer.Option(help="Column of frequency weights.")]
Offset = Annotated[str | None, typer.Option(help="Column to add to the log-odds.")]
Event = Annotated[str | None, typer.Option(help="Level of the outcome that counts as 1.")]
Drop = Annotated[bool, typer.Option("--drop-missing", help="Drop rows with missing values, and say how many.")]
Prob = Annotated[float, typer.Option(help="Probability of the intervals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


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
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Save the fit to this JSON file.")] = None,
) -> int:
    """Fit a model and print its coefficient table."""
    if out is not None:
        check_place(out)
    result = _fit(data, formula, prior, prior_for, trials, weights, offset, event, drop_missing)
    _show(result, prob, as_json)
    if out is not None:
        result.to_json(out)
        _say(f"Saved the fit to {out}.")
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
    out: Annotated[Path, typer.Option(help="Where to write: .html or .md.")] = Path("report.html"),
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
    nuts: Annotated[
        bool, typer.Option("--nuts", help="Also sample the posterior with PyMC's NUTS (up to a minute).")
    ] = False,
    prob: Prob = 0.95,
) -> int:
    """Fit the wells data of Bangladesh, print the summary, write a report."""
    page = check_report(make_folder(out) / "wells.html")
    _say(f"Fitting {DEMO_FORMULA} to the 3,020 households of the wells data ...")
    result = fit_line(DEMO_FORMULA, datasets.load("wells"))
    print_table(result.summary(prob))
    tables: tuple[Table, ...] = ()
    if nuts:
        _say("Sampling the posterior with PyMC's NUTS; the model is compiled first ...")
        tables = (nuts_table(result),)
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
        prior=_prior(prior, prior_for or ()),
        trials=trials,
        weights=weights,
        offset=offset,
        event=event,
        missing="drop" if drop_missing else "raise",
    )


def _prior(text: str | None, assignments: Sequence[str]) -> Prior | Priors | str:
    if not assignments:
        return DEFAULT_PRIOR if text is None else parse_prior(text)
    terms = {}
    for assignment in assignments:
        term, equals, value = assignment.rpartition("=")
        if not equals:
            raise PriorError(f"--prior-for {assignment!r}: write TERM=PRIOR, for example dist100=normal:0.5.")
        terms[term.strip()] = parse_prior(value)
    return priors(default=parse_prior(text or DEFAULT_PRIOR), terms=terms)


def _show(result: Fit, prob: float, as_json: bool) -> None:
    table = result.summary(prob)
    if not as_json:
        print_table(table)
        return
    document = {
        "schema_version": SCHEMA_VERSION,
        "formula": result.facts.formula,
        "prob": prob,
        **result.facts.to_dict(),
        **result.glance_values(),
        "coefficients": table.records(),
        "notes": list(result.notes),
    }
    print(json.dumps(_finite(document), indent=1, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _code(result: Fit) -> int:
    if result.converged:
        return DONE
    _say(result.mode.message)
    return NOT_CONVERGED


def _command_line() -> str:
    return shlex.join(["bayeslogit", *sys.argv[1:]])


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        with warnings.catch_warnings():
            # The same words stand in the notes of the table and on stderr.
            warnings.simplefilter("ignore", FitWarning)
            return _invoke(arguments)
    except (PriorError, ArgumentError) as error:
        _say(f"bayeslogit: {error}")
        return USAGE
    except (DataError, FileFormatError) as error:
        _say(f"bayeslogit: {error}")
        return BAD_DATA
    except BayeslogitError as error:
        _say(f"bayeslogit: {error}")
        return UNEXPECTED
    except OSError as error:
        _say(f"bayeslogit: {error.filename or 'file'}: {error.strerror}")
        return BAD_DATA
    except (KeyboardInterrupt, typer.Abort):
        _say("bayeslogit: interrupted")
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
