"""``bayeslogit convert``: a penalty from one system's convention to another's, proved on the user's file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bayeslogit._convert import Conversion, convert
from bayeslogit.cli_numbers import Numbers, leave, table_numbers
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
    Sql,
    Trials,
    Weights,
    json_text,
    say,
)
from bayeslogit.cli_question import Question, not_an_input
from bayeslogit.conventions import SYSTEMS
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.proof import CERTIFIED
from bayeslogit.render.terminal import print_table
from bayeslogit.storage import check_place, write_text

_WORDS = {"true": True, "false": False, "none": None, "null": None}
_NOT_SETTINGS = ("source", "to", "design", "options")


@dataclass(frozen=True)
class Converted:
    """A penalty in another system's convention, proved on the data of a question."""

    question: Question
    found: Conversion
    config: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Converted:
        """From the parameters of a command, or from the config of a manifest."""
        own = {key: given.get(key) or [] for key in ("given", "chosen", "known")}
        parameters = _parameters(own["given"], own["known"])
        question = Question.of(given)
        for note in question.design.notes:
            say(note)
        options = _assignments("--option", own["chosen"])
        systems = {"source": given["source"], "to": given["to"]}
        found = convert(**systems, design=question.design, options=options, **parameters)
        return cls(question, found, {**question.settings, **systems, **{k: list(v) for k, v in own.items()}})

    @property
    def numbers(self) -> Numbers:
        return table_numbers(self.found.table())


Source = Annotated[
    str, typer.Option("--from", metavar="SYSTEM", help=f"One of {', '.join(SYSTEMS)}.", show_default=False)
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the first system, such as C=0.5, lambda=0.1, penalty_factor=1,0,1 or "
        "prior=normal:2.5; repeatable.",
    ),
]
Chosen = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="What is free to choose in the second, such as standardize=true; repeatable.",
    ),
]
Known = Annotated[
    list[str] | None,
    typer.Option(
        "--coefficient",
        metavar="COLUMN=VALUE",
        help="A coefficient of one known fit, for a system whose factor nobody documents (gauss_software); one "
        "for each column, Intercept included.",
    ),
]


def convert_command(
    context: typer.Context,
    source: Source,
    to: Annotated[str, typer.Option("--to", metavar="SYSTEM", help="One of the same.", show_default=False)],
    data: Data = None,
    formula: Formula = None,
    given: Given = None,
    chosen: Chosen = None,
    known: Known = None,
    trials: Trials = None,
    weights: Weights = None,
    offset: Offset = None,
    event: Event = None,
    drop_missing: Drop = False,
    query: Sql = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the conversion to this JSON file.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 unless the proof is certified.")] = False,
    config: Config = None,
) -> int:
    """Translate a penalty between systems and prove it on the data."""
    if data is None or formula is None:
        raise ArgumentError(
            "convert needs DATA and --formula: many systems count the rows or divide by the sds of the columns, and "
            "the conversion is proved on the data."
        )
    if out is not None:
        check_place(not_an_input(out, data))
    converted = Converted.of(context.params)
    found = converted.found
    text = json_text(_document(found, formula, converted.question.design))
    if out is not None:
        write_text(out, text + "\n")
        inputs = (converted.question.input(out.parent),)
        leave(out, "convert", converted.config, inputs, converted.numbers, said=f"Saved the conversion to {out}.")
    if as_json:
        print(text)
    else:
        print_table(found.table())
    if strict and not found.proof.certified:
        say(f"bayeslogit: {found.proof}")
        return NOT_CERTIFIED
    return DONE


def _parameters(given: Sequence[str], known: Sequence[str]) -> dict[str, Any]:
    """The parameters of the source, with the coefficients of a known fit if there are any."""
    found = _assignments("--set", given)
    if known:
        found["coefficients"] = _assignments("--coefficient", known)
    fit = found.get("coefficients", [])
    values = list(fit.values()) if isinstance(fit, dict) else fit if isinstance(fit, list) else [fit]
    if not all(isinstance(value, float) for value in values):
        raise ArgumentError(f"coefficients {fit!r}: each coefficient of the known fit is a number.")
    return found


def _assignments(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs by name; a column's name may hold an equals sign, a parameter's value may too."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.rpartition("=") if option == "--coefficient" else text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ArgumentError(f"{option} {text!r}: write NAME=VALUE, for example C=0.5.")
        if name == "lambda" and option != "--coefficient":
            name = "lambda_"  # a word of Python's own
        if name in found:
            raise ArgumentError(f"{option} {text!r}: {name} was given before.")
        if option == "--set" and name in _NOT_SETTINGS:
            raise ArgumentError(
                f"{option} {text!r}: {name} is no parameter of a system; see --from, --to and --option."
            )
        found[name] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    """A number, a list of numbers (in brackets or not), true, false, none, or the text itself."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        numbers = [float(part) for part in bare.split(",")]
    except ValueError:
        return text
    return numbers if len(numbers) > 1 or bare != text else numbers[0]


def _document(found: Conversion, formula: str, design: Design) -> dict[str, Any]:
    proof = found.proof
    return {
        "schema_version": SCHEMA_VERSION,
        "formula": formula,
        "n_rows": design.n_rows,
        "nobs": design.nobs,
        "source": {"system": found.source, "params": _plain(found.source_params), "objective": found.objectives[0]},
        "target": {"system": found.to, "params": _plain(found.params), "objective": found.objectives[1]},
        "proof": {
            "certified": proof.certified,
            "largest_score": proof.largest,
            "certified_below": CERTIFIED,
            "objective_ratio": proof.factor,
            "problem": proof.problem,
        },
        "columns": found.table().records(),
        "prior": found.prior.describe(),
        "notes": list(found.notes),
    }


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as lists, NumPy's numbers as Python's; infinity, which JSON has not, as ``--set`` reads it: "inf"."""
    found = {}
    for name, value in parameters.items():
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        found[name] = str(plain) if isinstance(plain, float) and math.isinf(plain) else plain
    return found
