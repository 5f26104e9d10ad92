"""``bayeslogit datasets``: the data sets that travel with the package, listed, described and written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeslogit import datasets
from bayeslogit.cli_options import DONE, SCHEMA_VERSION, AsJson, print_json, say
from bayeslogit.errors import ArgumentError
from bayeslogit.render.terminal import print_lines, print_table
from bayeslogit.storage import check_place, write_text
from bayeslogit.table import Cell, Column, Table


def datasets_command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, to describe or to write.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the data set NAME to this .csv file.", show_default=False)
    ] = None,
) -> int:
    """List the data sets that travel with the package, describe one, or write it to a file."""
    if name is None:
        if out is not None:
            raise ArgumentError("--out: name the data set to write, for example: bayeslogit datasets wells --out w.csv")
        return _list(as_json)
    facts = datasets.facts(name)
    if out is not None:
        if out.suffix.lower() != ".csv":
            raise ArgumentError(f"--out {out.name}: data sets are written as .csv.")
        write_text(check_place(out), datasets.file(name).read_text(encoding="utf-8"))
    if as_json:
        record = {"name": name, "title": facts.title, "question": facts.question, "n_rows": facts.n_rows}
        print_json({"schema_version": SCHEMA_VERSION, **record, "columns": dict(facts.columns), "source": facts.source})
    elif out is None:
        print_table(_columns(name))
    if out is not None:
        say(f"Wrote {facts.n_rows:,} rows to {out}.")
    return DONE


def _list(as_json: bool) -> int:
    rows: list[tuple[Cell, ...]] = []
    for name in datasets.names():
        facts = datasets.facts(name)
        rows.append((name, facts.n_rows, len(facts.columns), facts.title))
    table = Table(
        name="datasets",
        title="Data sets that travel with bayeslogit",
        columns=(
            Column("name", "name"),
            Column("rows", "rows", "count"),
            Column("columns", "columns", "count"),
            Column("title", "what it is"),
        ),
        rows=tuple(rows),
    )
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "datasets": table.records()})
        return DONE
    print_table(table)
    print()
    print_lines(("Fit one as it is: bayeslogit fit dataset:wells --formula 'switch ~ arsenic + dist100'",))
    return DONE


def _columns(name: str) -> Table:
    facts = datasets.facts(name)
    return Table(
        name="dataset",
        title=f"{name}: {facts.title}",
        columns=(Column("column", "column"), Column("meaning", "meaning")),
        rows=tuple(facts.columns.items()),
        header=(facts.question, f"{facts.n_rows:,} rows, one for each {facts.row}."),
        notes=(f"Source: {facts.source}",),
    )
