"""``bayeslogit demo``: the whole line on data that travel with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeslogit.cli_fit import Fitted
from bayeslogit.cli_options import DONE, SCHEMA_VERSION, AsJson, Prob, print_json, progress
from bayeslogit.cli_posterior import Seed
from bayeslogit.cli_report import write_report
from bayeslogit.manifest import manifest_path
from bayeslogit.predict import check_prob
from bayeslogit.render.terminal import print_table
from bayeslogit.storage import make_folder

FORMULA = "switch ~ dist100 + arsenic + assoc + educ4"
_QUESTION = "Households in Bangladesh whose well has unsafe arsenic: which of them move to another well?"


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("reports/demo"),
    nuts: Annotated[bool, typer.Option("--nuts", help="Take the posterior from PyMC's NUTS (some seconds).")] = False,
    prob: Prob = 0.95,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> int:
    """Fit the wells data of Bangladesh, print the summary, write a report."""
    check_prob(prob)
    page = make_folder(out) / "wells.html"
    progress(f"Fitting {FORMULA} to the 3,020 households of the wells data ...")
    if nuts:
        progress("Sampling the posterior with PyMC's NUTS; the model is compiled first ...")
    posterior = "nuts" if nuts else "auto"
    found = Fitted.of({"data": "dataset:wells", "formula": FORMULA, "posterior": posterior, "seed": seed})
    written = write_report(found, page, prob=prob, title="Who switches to a safer well?", question=_QUESTION)
    if as_json:
        files = {"report": str(written), "manifest": str(manifest_path(written))}
        print_json({"schema_version": SCHEMA_VERSION, **files, "status": found.fit.status.value})
        return DONE
    print_table(found.fit.summary(prob))
    if found.draws is not None:
        print()
        print_table(found.draws.beside_mode())
    print(f"\nReport: {written}")
    return DONE
