"""Four small real data sets that travel with the package; README.md beside this file says where each comes from.

>>> from bayeslogit import datasets
>>> datasets.names()
('berkeley', 'lbw', 'pima', 'wells')
>>> wells = datasets.load("wells")
>>> len(wells)
3020
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal, overload

from bayeslogit.boundary import guarded
from bayeslogit.datasets._facts import FACTS, Facts
from bayeslogit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["describe", "facts", "file", "load", "names"]


def names() -> tuple[str, ...]:
    """Names that `load` and `describe` know, in alphabetical order."""
    return tuple(sorted(FACTS))


@overload
def load(name: str, *, library: Literal["pandas"] = "pandas") -> pandas.DataFrame: ...
@overload
def load(name: str, *, library: Literal["polars"]) -> polars.DataFrame: ...
@guarded
def load(name: str, *, library: str = "pandas") -> pandas.DataFrame | polars.DataFrame:
    """Read one of the bundled data sets.

    Parameters
    ----------
    name : str
        One of `names()`, for example "wells".
    library : {"pandas", "polars"}
        The kind of frame that comes back.

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        A fresh frame; `describe(name)` tells its columns with their units.

    Raises
    ------
    ArgumentError
        If no data set has that name, if the library is neither of the two, or if polars is not installed.
    """
    table = file(name)
    if library == "pandas":
        import pandas as pd

        with table.open("rb") as text:
            return pd.read_csv(text, encoding="utf-8")
    if library != "polars":
        raise ArgumentError(f"datasets.load({name!r}): library={library!r} is not known; choose 'pandas' or 'polars'")
    try:
        import polars as pl
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"datasets.load({name!r}): library='polars' needs the polars package; pip install 'bayeslogit[polars]'"
        ) from error
    with table.open("rb") as text:
        return pl.read_csv(text.read())


@guarded
def describe(name: str) -> str:
    """One paragraph on a data set: what it is, its rows, its columns with their units, and its source.

    Raises
    ------
    ArgumentError
        If no data set has that name.
    """
    facts = _facts(name)
    columns = "; ".join(f"{column} ({meaning})" for column, meaning in facts.columns.items())
    return (
        f"{facts.title}: {facts.question} {facts.n_rows:,} rows, one for each {facts.row}. "
        f"Columns: {columns}. Source: {facts.source}"
    )


@guarded
def facts(name: str) -> Facts:
    """What is known about a data set, as a record.

    Raises
    ------
    ArgumentError
        If no data set has that name.
    """
    return _facts(name)


@guarded
def file(name: str) -> Traversable:
    """The CSV file of a data set; ``importlib.resources.as_file`` gives its path.

    Raises
    ------
    ArgumentError
        If no data set has that name.
    """
    return _folder() / f"{_facts(name).name}.csv"


def _facts(name: str) -> Facts:
    if name in FACTS:
        return FACTS[name]
    known = ", ".join(names())
    raise ArgumentError(f"datasets: no data set is called {name!r}; choose one of {known}")


def _folder() -> Traversable:
    return resources.files(__name__)
