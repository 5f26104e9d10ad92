"""``bayeslogit fit``: from a file to a coefficient table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bayeslogit.cli_numbers import Numbers, fit_numbers, leave
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
    PriorText,
    Prob,
    Sql,
    Trials,
    Weights,
    print_json,
    say,
)
from bayeslogit.cli_plan import show_plan
from bayeslogit.cli_posterior import (
    DrawCount,
    Posterior,
    Seed,
    Strict,
    Wish,
    posterior_document,
    print_posterior,
)
from bayeslogit.cli_question import Question, not_an_input
from bayeslogit.draws import Draws
from bayeslogit.predict import check_prob
from bayeslogit.render.terminal import print_table
from bayeslogit.results import Fit
from bayeslogit.storage import check_place


@dataclass(frozen=True)
class Fitted:
    """A fit, and its posterior if one was asked for."""

    question: Question
    fit: Fit
    draws: Draws | None
    wish: Wish

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Fitted:
        """From the parameters of a command, or from the config of a manifest."""
        wish = Wish(given.get("posterior"), given.get("draws", 4000), given.get("seed", 0))
        question = Question.of(given)
        if wish.method is not None and question.scales_unknown:
            draws = wish.drawn(question.design, question.prior, question.labels)
            return cls(question, cast(Fit, draws.fit), draws, wish)
        fit = question.fit()
        return cls(question, fit, wish.granted(fit), wish)

    @property
    def config(self) -> dict[str, Any]:
        """The options that decide the numbers."""
        posterior = {"posterior": self.wish.method, "draws": self.wish.draws, "seed": self.wish.seed}
        return {**self.question.resolved, **(posterior if self.wish.method else {})}

    @property
    def seed(self) -> int | None:
        return None if self.draws is None else self.wish.seed

    @property
    def numbers(self) -> Numbers:
        return fit_numbers(self.fit, self.draws)

    def leave(
        self, output: Path, command: str, beside: Sequence[Path] = (), *, said: str = "", **settings: Any
    ) -> None:
        """Write the manifest beside an output."""
        inputs = (self.question.input(output.parent),)
        leave(output, command, {**self.config, **settings}, inputs, self.numbers, self.seed, beside, said=said)


def fit_command(
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
    dry_run: DryRun = False,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Save the fit to this JSON file.", show_default=False)] = None,
    config: Config = None,
) -> int:
    """Fit a model and print its coefficient table."""
    check_prob(prob)
    Wish(posterior, draws, seed)
    if out is not None:
        check_place(not_an_input(out, data))
    if dry_run:
        return show_plan(Question.of(context.params), as_json)
    found = Fitted.of(context.params)
    if out is not None:
        found.fit.to_json(out)
        found.leave(out, "fit", said=f"Saved the fit to {out}.")
    _show(found, prob, as_json)
    if strict and found.draws is not None and found.draws.verdict.level == "failed":
        return NOT_CERTIFIED
    return code_of(found.fit)


def _show(found: Fitted, prob: float, as_json: bool) -> None:
    if as_json:
        print_json(fit_document(found, prob))
        return
    print_table(found.fit.summary(prob))
    if found.draws is not None:
        print_posterior(found.draws, prob)


def fit_document(found: Fitted, prob: float) -> dict[str, Any]:
    """A fit as plain values."""
    fit, table = found.fit, replace(found.fit, labels={}).summary(prob)  # names for machines, labels beside them
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "formula": fit.facts.formula,
        "prob": prob,
        **fit.facts.to_dict(),
        **fit.glance_values(),
        "coefficients": table.records(),
        "labels": dict(fit.labels),
        "notes": list(fit.notes),
    }
    if found.draws is not None:
        bare = replace(found.draws, fit=replace(found.fit, labels={}), labels={})
        document["posterior"] = posterior_document(bare, prob, found.wish.seed)
    return document


def code_of(fit: Fit) -> int:
    """The exit code of a fit; why it has no mode goes to stderr."""
    if fit.converged:
        return DONE
    say(fit.mode.message)
    return NOT_CONVERGED
