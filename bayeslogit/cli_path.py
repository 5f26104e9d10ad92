"""``bayeslogit path``: coefficients along an axis of prior scales, as a table, JSON, a figure or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

import typer

from bayeslogit import frames
from bayeslogit.cli_numbers import Numbers, exact, leave
from bayeslogit.cli_options import (
    DONE,
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
    Sql,
    Trials,
    Weights,
    json_text,
    say,
)
from bayeslogit.cli_plan import show_plan
from bayeslogit.cli_question import Question, not_an_input
from bayeslogit.errors import ArgumentError
from bayeslogit.paths import Path, path
from bayeslogit.presets import as_prior
from bayeslogit.render.document import Document, Section
from bayeslogit.render.html import to_html
from bayeslogit.render.terminal import print_table
from bayeslogit.storage import check_place, write_text

SUFFIXES = (".svg", ".html", ".csv", ".json")
_AXIS = "laplace:1"


@dataclass(frozen=True)
class Pathed:
    """A path along an axis of prior scales."""

    question: Question
    found: Path
    config: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Pathed:
        """From the parameters of a command, or from the config of a manifest."""
        question = Question.of({**given, "prior": given.get("prior") or _AXIS})
        own = {key: given.get(key) for key in ("scales", "base")}
        prior, scales = as_prior(question.prior), _scales(own["scales"])
        labels = question.labels or None
        found = path(question.design, prior=prior, scales=scales, base=own["base"], labels=labels)
        return cls(question, found, {**question.settings, **own})

    @property
    def numbers(self) -> Numbers:
        """Scales, log densities and counts along the axis, and the coefficients at both ends and in the middle."""
        points = self.found.points
        numbers: Numbers = {}
        for k, scale in enumerate(points.scales):
            numbers[f"scale {k}"] = exact(scale)
            numbers[f"scale {k}: log posterior"] = exact(points.log_posterior[k])
            numbers[f"scale {k}: nonzero"] = exact(points.nonzero[k])
        last = len(points.scales) - 1
        for k in sorted({0, last // 2, last}):
            for name, value in zip(self.found.columns, points.coefficients[k], strict=True):
                numbers[f"scale {k}: {name}"] = exact(value, relative_error=1e-5)
        return numbers


def path_command(
    context: typer.Context,
    data: Data = None,
    formula: Formula = None,
    prior: Annotated[str, typer.Option(help="Whose scales are multiplied along the axis; written as for fit.")] = _AXIS,
    prior_for: PriorFor = None,
    scales: Annotated[
        str | None,
        typer.Option(help="How many scales (40), or which (0.01,0.1,1). 100 useful ones without.", show_default=False),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="sd: scales are multiples of 1 / sd of each column (the default); raw: as given.", show_default=False
        ),
    ] = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    query: Sql = None,
    label: Label = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    out: Annotated[
        FilePath | None,
        typer.Option(help="Also write a figure (.svg, .html) or the numbers (.csv, .json).", show_default=False),
    ] = None,
    config: Config = None,
) -> int:
    """Coefficients along an axis of prior scales."""
    _scales(scales)
    if out is not None:
        _check(check_place(not_an_input(out, data)))
    if dry_run:
        return show_plan(Question.of(context.params), as_json)
    pathed = Pathed.of(context.params)
    result = pathed.found
    if out is not None:
        write_text(out, _written(result, out.suffix.lower()))
        inputs = (pathed.question.input(out.parent),)
        leave(out, "path", pathed.config, inputs, pathed.numbers, said=f"Wrote the path to {out}.")
    if as_json:
        print(_json(result))
    else:
        print_table(result.summary())
        print()
        print_table(result.base_table())
    if not result.converged:
        say(result.notes[0])
        return NOT_CONVERGED
    return DONE


def _check(out: FilePath) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"--out {out.name}: the suffix says what is written: {', '.join(SUFFIXES)}.")


def _scales(text: str | None) -> int | list[float] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        if len(parts) == 1 and parts[0].isdigit() and "," not in text:
            return int(parts[0])
        if not parts:
            raise ValueError
        return [float(part) for part in parts]
    except ValueError:
        raise ArgumentError(f"--scales {text!r}: write how many (40), or which (0.01,0.1,1).") from None


def _written(result: Path, suffix: str) -> str:
    if suffix == ".csv":
        return _csv(result)
    if suffix == ".json":
        return _json(result) + "\n"
    chart = result.figure()
    if suffix == ".svg":
        return chart.svg() + "\n"
    body = (Section("path", "Path", (chart, result.summary(), result.base_table())),)
    subtitle = result.facts.formula or result.facts.source
    return to_html(Document(chart.title, subtitle, body))


def _csv(result: Path) -> str:
    """One row a scale: its statistics, then the coefficients."""
    columns: dict[str, Any] = {"scale": result.scales}
    columns |= {name: result.statistics[name].to_numpy() for name in map(str, result.statistics)}
    for j, name in enumerate(result.columns):
        columns[f"{name} (coefficient)" if name in columns else name] = result.points.coefficients[:, j]
    text: str = frames.frame(columns, "pandas").to_csv(index=False)
    return text


def _json(result: Path) -> str:
    p = result.points
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "formula": result.facts.formula,
        "prior": result.resolved.name,
        "base": result.base.kind,
        "base_scales": dict(zip(result.columns, map(float, result.base.unit), strict=True)),
        "columns": list(result.columns),
        "scales": p.scales.tolist(),
        "coefficients": p.coefficients.tolist(),
        "sd": None if p.sd is None else p.sd.tolist(),
        "nonzero": p.nonzero.tolist(),
        "effective_parameters": p.effective.tolist(),
        "log_likelihood": p.log_likelihood.tolist(),
        "log_posterior": p.log_posterior.tolist(),
        "violation": p.violation.tolist(),
        "status": list(p.status),
        "notes": list(result.notes),
    }
    return json_text(values)
