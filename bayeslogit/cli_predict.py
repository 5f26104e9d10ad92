"""``bayeslogit predict``: probabilities of new rows from a saved fit, as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from bayeslogit._fit import load
from bayeslogit.cli_numbers import Numbers, leave, spread_numbers
from bayeslogit.cli_options import DONE, SCHEMA_VERSION, AsJson, Config, Prob, finite
from bayeslogit.cli_question import not_an_input
from bayeslogit.data import read_frame, to_pandas
from bayeslogit.errors import ArgumentError
from bayeslogit.manifest import Input, relative, sha256_of
from bayeslogit.predict import check_prob
from bayeslogit.results import Fit
from bayeslogit.storage import check_place, write_text

SUFFIXES = (".csv", ".json")
_TYPED = "=+-@\t\r"
_VALUES = ("probability", "lower", "upper")


@dataclass(frozen=True)
class Predicted:
    """Probabilities of the rows of a file, each with its interval."""

    model: Path
    data: Path
    fit: Fit
    prob: float
    kind: str
    kept: Mapping[str, list[Any]]
    values: Mapping[str, NDArray[np.float64]]
    sha256: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Predicted:
        """From the parameters of a command, or from the config of a manifest."""
        model, data = Path(given["model"]), Path(given["data"])
        prob, kind, keep = float(given.get("prob", 0.95)), str(given.get("kind", "mean")), given.get("keep") or ()
        fit = load(model)
        frame, provenance = read_frame(data)
        columns = to_pandas(frame)
        unknown = [name for name in keep if name not in columns.columns]
        if unknown:
            raise ArgumentError(
                f"--keep {unknown[0]}: {data.name} has no such column; it has {', '.join(map(str, columns.columns))}."
            )
        found = to_pandas(fit.predict(frame, prob, kind))
        taken = [name for k, name in enumerate(keep) if name in ("row", *_VALUES) or name in keep[:k]]
        if taken:
            raise ArgumentError(f"--keep {taken[0]}: the output has a column of that name already; rename it in DATA.")
        values = {key: found[key].to_numpy(dtype=np.float64) for key in _VALUES}
        kept = {name: _cells(columns[name]) for name in keep}
        return cls(model, data, fit, prob, kind, kept, values, str(provenance.sha256))

    @property
    def n(self) -> int:
        return int(self.values["probability"].size)

    @property
    def numbers(self) -> Numbers:
        return {k: v for name, values in self.values.items() for k, v in spread_numbers(name, values).items()}

    def inputs(self, folder: Path) -> tuple[Input, ...]:
        """Model and data, for a manifest in ``folder``."""
        return (
            Input("model", relative(self.model, folder), sha256_of(self.model)),
            Input("data", relative(self.data, folder), self.sha256, self.n, self.n, 0),
        )

    def rows(self) -> list[dict[str, Any]]:
        """One dict a row of the file, numbered from 1."""
        columns = {**self.kept, **{name: values.tolist() for name, values in self.values.items()}}
        return [
            {"row": i, **dict(zip(columns, cells, strict=True))}
            for i, cells in enumerate(zip(*columns.values(), strict=True), start=1)
        ]

    def csv(self) -> str:
        """As CSV; texts that a spreadsheet would run as a formula get an apostrophe in front."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        rows = self.rows()
        writer.writerow([_harmless(key) for key in rows[0]])
        writer.writerows([_harmless(cell) for cell in row.values()] for row in rows)
        return out.getvalue()

    def json(self) -> str:
        document = {
            "schema_version": SCHEMA_VERSION,
            "formula": self.fit.facts.formula,
            "event": self.fit.facts.event_in_words,
            "prob": self.prob,
            "kind": self.kind,
            "predictions": [{key: _jsonable(cell) for key, cell in row.items()} for row in self.rows()],
        }
        return json.dumps(finite(document), indent=1, allow_nan=False) + "\n"


def predict_command(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="A fit that 'fit --out' saved.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="A file with the rows to predict.", show_default=False)
    ] = None,
    prob: Prob = 0.95,
    kind: Annotated[
        str, typer.Option(help="mean: over the posterior (Gaussian approximation); mode: at the mode.")
    ] = "mean",
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column of DATA to write beside the probability; repeatable.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file, .csv or .json, instead.", show_default=False)
    ] = None,
    config: Config = None,
) -> int:
    """Probabilities of new rows, with intervals, from a saved fit; CSV on stdout."""
    if model is None or data is None:
        raise ArgumentError("predict needs MODEL, a fit that 'fit --out' saved, and DATA, a file with the rows.")
    check_prob(prob)
    if out is not None and check_place(not_an_input(out, model, data)).suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"--out {out.name}: the suffix says what is written: {', '.join(SUFFIXES)}.")
    settings = {"prob": prob, "kind": kind, "keep": keep or []}
    found = Predicted.of({"model": model, "data": data, **settings})
    if out is None:
        print(found.json() if as_json else found.csv(), end="")
        return DONE
    write_text(out, found.json() if out.suffix.lower() == ".json" else found.csv())
    said = f"Wrote {found.n:,} probabilities to {out}."
    leave(out, "predict", settings, found.inputs(out.parent), found.numbers, said=said)
    if as_json:
        print(found.json(), end="")
    return DONE


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in _TYPED and cell else cell


def _cells(values: Any) -> list[Any]:
    """The cells of a column, None where they are missing."""
    return [None if gone else cell for cell, gone in zip(values.tolist(), values.isna().tolist(), strict=True)]


def _jsonable(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)
