"""Labels: what columns and variables are called in words, and tables in which the words stand for the names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bayeslogit.arrays import ArraySpec
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.formula import FormulaSpec
from bayeslogit.table import Cell, Table

# Keys of table columns that hold names of design columns, and of variables of the data.
_NAMES = ("term", "variable", "column")
_LEVEL = re.compile(r"(?:C\(\s*(?P<c>[^,()]+?)\s*(?:,.*)?\)|(?P<plain>[^\[\]()]+))\[(?:T\.)?(?P<level>.*)\]", re.DOTALL)
_FACTOR = re.compile(r"C\(\s*([^,()]+?)\s*(?:,.*)?\)", re.DOTALL)


def nameable(columns: Sequence[str], spec: FormulaSpec | ArraySpec) -> tuple[str, ...]:
    """What may carry a label: columns, variables, and the outcome."""
    variables = () if isinstance(spec, ArraySpec) else spec.variables
    return tuple(dict.fromkeys([*columns, *variables, spec.outcome]))


def file_labels(design: Design) -> dict[str, str]:
    """The labels of a Stata, SPSS or SAS file that a design uses."""
    known = set(nameable(design.columns, design.spec)) if design.provenance.labels else ()
    return {name: text for name, text in design.provenance.labels.items() if name in known}


def checked_labels(labels: Mapping[str, Any], known: Sequence[str], call: str = "labels") -> dict[str, str]:
    """The labels, if each is a text for one of the names that are known.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    for name, label in labels.items():
        if name not in known:
            some = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
            raise ArgumentError(f"{call}: {name!r} is no column or variable of this fit; it has {some}.")
        if not isinstance(label, str) or not label.strip():
            raise ArgumentError(f"{call}: {{{name!r}: {label!r}}}: a label is text, and not empty.")
    return dict(labels)


def column_labels(columns: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """The columns that have words for their names: their own, or made of those of their variables."""
    found = {name: column_label(name, labels) for name in columns} if labels else {}
    return {name: label for name, label in found.items() if label != name}


def column_label(column: str, labels: Mapping[str, str]) -> str:
    """A column of a design in words: its own label, or one made of those of its variables and their levels."""
    if column in labels:
        return labels[column]
    parts = _factors(column)
    words = [_part(part, labels) for part in parts]
    return " \u00d7 ".join(words) if words != parts else column


def factor_label(factor: str, labels: Mapping[str, str]) -> str:
    """A factor as the formula writes it, ``educ`` or ``C(educ)``, in words."""
    found = _FACTOR.fullmatch(factor)
    return labels.get(factor, labels.get(found[1].strip("`"), factor) if found else factor)


def relabelled(table: Table, labels: Mapping[str, str]) -> Table:
    """The table with labels for the names of columns and variables in it."""
    places = [k for k, column in enumerate(table.columns) if column.key in _NAMES]
    if not places or not labels:
        return table

    def cell(value: Cell, place: int) -> Cell:
        return labels.get(value, value) if place in places and isinstance(value, str) else value

    return replace(table, rows=tuple(tuple(cell(v, k) for k, v in enumerate(row)) for row in table.rows))


def _part(part: str, labels: Mapping[str, str]) -> str:
    if part in labels:
        return labels[part]
    found = _LEVEL.fullmatch(part)
    if found is None:
        return part
    name = (found["c"] or found["plain"]).strip("`")
    return f"{labels[name]}: {found['level']}" if name in labels else part


def _factors(column: str) -> list[str]:
    """The parts of an interaction: cut at colons outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(column):
        depth += (char in "([") - (char in ")]")
        if char == ":" and depth == 0:
            parts.append(column[start:at])
            start = at + 1
    return [*parts, column[start:]]
