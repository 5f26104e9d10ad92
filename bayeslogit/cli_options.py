"""What the commands share: their options, their exit codes, and JSON without NaN."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslogit._priors import Prior, priors
from bayeslogit.errors import PriorError
from bayeslogit.presets import parse_prior

DONE, UNEXPECTED, USAGE, BAD_DATA, NOT_CONVERGED, NOT_CERTIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
SCHEMA_VERSION = 1

Data = Annotated[Path, typer.Argument(metavar="DATA", help="A CSV, TSV or Parquet file.", show_default=False)]
Formula = Annotated[str, typer.Option(help="The model, such as 'switch ~ arsenic + dist100'.", show_default=False)]
PriorText = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="flat, normal:SCALE, laplace:SCALE, elasticnet:L1,L2, student_t:DF,SCALE, cauchy:SCALE, "
        "grouplaplace:SCALE (a term's columns together), jeffreys (Firth), dy (Diaconis-Ylvisaker), or "
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
Trials = Annotated[str | None, typer.Option(help="Column of binomial trials.")]
Weights = Annotated[str | None, typer.Option(help="Column of frequency weights.")]
Offset = Annotated[str | None, typer.Option(help="Column to add to the log-odds.")]
Event = Annotated[str | None, typer.Option(help="Level of the outcome that counts as 1.")]
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


def say(text: str) -> None:
    """Progress and warnings; results go to stdout."""
    print(text, file=sys.stderr)


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
