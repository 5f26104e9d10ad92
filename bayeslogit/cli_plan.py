"""``--dry-run``: the design and the priors as they would be fitted, and nothing is fitted."""

from __future__ import annotations

from bayeslogit._check import columns_table
from bayeslogit.cli_options import DONE, SCHEMA_VERSION, print_json
from bayeslogit.cli_question import Question
from bayeslogit.presets import as_prior
from bayeslogit.render.terminal import print_lines, print_table


def show_plan(
    question: Question, as_json: bool, priors: dict[str, str] | None = None, intercept: str | None = None
) -> int:
    """Print the design, and the prior (or several, by name) against it.

    Parameters
    ----------
    priors : dict of str to str, optional
        Priors in text, by name; that of the question without.
    intercept : str, optional
        The prior in text that every intercept would get instead.
    """
    design = question.design
    wanted = {"": question.prior} if priors is None else {name: question.prior_from(t) for name, t in priors.items()}
    resolved = {name: as_prior(prior).resolve(design) for name, prior in wanted.items()}
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "dry_run": True,
                "formula": question.formula,
                "n_rows": design.n_rows,
                "n_dropped": design.n_dropped,
                "nobs": design.nobs,
                "n_events": design.n_events,
                "columns": columns_table(design).records(),
                "priors": [
                    {"name": name or prior.name, "columns": prior.table().records(), "notes": list(prior.notes)}
                    for name, prior in resolved.items()
                ],
                "intercept": intercept,
                "notes": list(design.notes),
            }
        )
        return DONE
    print_table(columns_table(design))
    for prior in resolved.values():
        print()
        print_table(prior.table())
    print()
    if intercept is not None:
        print_lines((f"For evidences that compare, every intercept gets the prior {intercept}.",))
    print_lines(("Nothing was fitted (--dry-run).",))
    return DONE
