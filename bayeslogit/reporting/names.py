"""What columns and variables are called in a report, and the document with these words in place of the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bayeslogit.chart import Chart
from bayeslogit.estimates import Estimates
from bayeslogit.labels import checked_labels, column_labels
from bayeslogit.labels import relabelled as relabelled_table
from bayeslogit.marks import Row
from bayeslogit.render.document import Block, Document, Section
from bayeslogit.table import Table


@dataclass(frozen=True)
class Names:
    """Labels of a fit.

    Attributes
    ----------
    variables : mapping of str to str
        Variable of the data (or column of the design) to its label, as given.
    columns : mapping of str to str
        Column of the design to its label, for those that have one.
    """

    variables: Mapping[str, str]
    columns: Mapping[str, str]

    def column(self, name: str) -> str:
        """Of a column of the design."""
        return self.columns.get(name, name)

    def variable(self, name: str) -> str:
        """Of a variable of the data."""
        return self.variables.get(name, name)

    @property
    def used(self) -> dict[str, str]:
        """Every label, of variables and of columns, by its name."""
        return {**self.variables, **self.columns}


def names_of(fits: Iterable[Estimates], labels: Mapping[str, str] | None) -> Names:
    """Labels of fits: those given, which come first, and their own.

    Raises
    ------
    ArgumentError
        If a label is given for what is neither a column nor a variable, or is no text.
    """
    every = list(fits)
    known = list(dict.fromkeys(name for fit in every for name in fit.known_names))
    given = checked_labels(labels or {}, known)
    variables = {**{name: label for fit in every for name, label in fit.labels.items()}, **given}
    columns = {name: label for fit in every for name, label in column_labels(fit.columns, variables).items()}
    return Names(variables, columns)


def relabelled(document: Document, names: Names) -> Document:
    """The document with labels in its tables and charts, for readers; machines read the names and the labels apart."""
    if not names.used:
        return document
    sections = tuple(
        Section(section.id, section.title, tuple(_block(block, names) for block in section.body))
        for section in document.sections
    )
    return replace(document, sections=sections)


def _block(block: Block, names: Names) -> Block:
    if isinstance(block, Table):
        return relabelled_table(block, names.used)
    if isinstance(block, Chart):
        rows = tuple(Row(names.column(row.label), row.value) for row in block.rows)
        return replace(block, rows=rows, data=relabelled_table(block.data, names.used))
    return block
