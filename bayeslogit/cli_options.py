"""What the commands share: their options, their exit codes, and JSON without NaN."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit._priors import Prior, priors
from bayeslogit.config import Kind, read_config
from bayeslogit.errors import PriorError
from bayeslogit.plaintext import printable
from bayeslogit.presets import parse_prior

DONE, UNEXPECTED, USAGE, BAD_DATA, NOT_CONVERGED, NOT_CERTIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
SCHEMA_VERSION = 1


def use_config(context: typer.Context, value: Path | None) -> Path | None:
    """Let the options that a file gives stand in for those that are not typed."""
    if value is not None and context.parent is not None:
        commands: dict[str, Any] = getattr(context.parent.command, "commands", {})
        options = {name: _kinds(command) for name, command in commands.items()}
        context.default_map = read_config(value, str(context.info_name), options)
    return value


def _kinds(command: Any) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for each in command.params:
        names = [option.lstrip("-") for option in each.opts] if each.param_type_name == "option" else [each.name]
        kind = Kind(each.name, bool(getattr(each, "multiple", False)), bool(getattr(each, "is_flag", False)))
        found |= dict.fromkeys(names, kind)
    return found


Data = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="A CSV, TSV, Parquet, Feather, JSON lines, Excel, Stata, SPSS or SAS file; or dataset:wells.",
        show_default=False,
    ),
]
Formula = Annotated[
    str | None, typer.Option(help="The model, such as 'switch ~ arsenic + dist100'.", show_default=False)
]
Sql = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="SELECT",
        help="Fit the answer to this query; DATA is a DuckDB file, or any file, whose rows are the table data.",
        show_default=False,
    ),
]
Label = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT", help="What a column or variable is called in tables; repeatable.", show_default=False
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the design and the priors, and fit nothing.")]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="TOML",
        help="A file with these options under their names; what is typed beats it.",
        is_eager=True,
        callback=use_config,
        show_default=False,
    ),
]
PriorText = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="flat, normal:SCALE, laplace:SCALE, elasticnet:L1,L2, student_t:DF,SCALE, cauchy:SCALE, "
        "grouplaplace:SCALE (a term's columns together), jeffreys (Firth), dy (Diaconis-Ylvisaker), with --posterior "
        "also hierarchical:SCALE (an unknown scale) and horseshoe:NUMBER (of columns expected to matter), or "
        "preset:NAME: rstanarm (the default), bambi, brms, gelman2008, sklearn.",
        show_default=False,
    ),
]
PriorFor = Annotated[
    list[str] | None,
    typer.Option(
        "--prior-for", metavar="TERM=PRIOR", help="Prior of one term, such as dist100=normal:0.5; repeatable."
    ),
]
Trials = Annotated[str | None, typer.Option(help="Column of binomial trials.", show_default=False)]
Weights = Annotated[str | None, typer.Option(help="Column of frequency weights.", show_default=False)]
Offset = Annotated[str | None, typer.Option(help="Column to add to the log-odds.", show_default=False)]
Event = Annotated[str | None, typer.Option(help="Level of the outcome that counts as 1.", show_default=False)]
Drop = Annotated[bool, typer.Option("--drop-missing", help="Drop rows with missing values, and say how many.")]
Prob = Annotated[float, typer.Option(help="Probability of the intervals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def json_text(document: dict[str, Any]) -> str:
    """A document as JSON; what is not a finite number is null."""
    return json.dumps(finite(document), indent=1, allow_nan=False)


def print_json(document: dict[str, Any]) -> None:
    """A document on stdout."""
    print(json_text(document))


def say(text: str) -> None:
    """Warnings, errors and what was written where; results go to stdout. Names of data cannot steer the terminal."""
    print("\n".join(printable(line) for line in text.split("\n")), file=sys.stderr)


def progress(text: str) -> None:
    """What is being done, for someone who waits: on stderr, and only where that is a terminal."""
    if sys.stderr.isatty():
        say(text)


def prior_of(text: str, assignments: Sequence[str]) -> Prior:
    """The prior of ``--prior`` with those of ``--prior-for``.

    Raises
    ------
    PriorError
        If an assignment is not TERM=PRIOR, or a prior cannot be read.
    """
    if not assignments:
        return parse_prior(text)
    terms = {}
    for assignment in assignments:
        term, equals, value = assignment.rpartition("=")
        if not equals:
            raise PriorError(f"--prior-for {assignment!r}: write TERM=PRIOR, for example dist100=normal:0.5.")
        terms[term.strip()] = parse_prior(value)
    return priors(default=parse_prior(text), terms=terms)
