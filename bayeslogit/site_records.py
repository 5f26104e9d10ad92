"""What sites that cannot share rows hand over, and what their coordinator answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit.boundary import guarded_methods
from bayeslogit.conforming import conform, listed
from bayeslogit.errors import FileFormatError
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.storage import read_record, write_record
from bayeslogit.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False, repr=False)
class SiteSummary:
    """What one site hands over: sums over its rows at given coefficients.

    Attributes
    ----------
    site : str
        Its name, by which no two may go.
    columns : tuple of str
    terms : dict
        Term of the formula to the positions of its columns.
    has_intercept : bool
    beta : array, shape (p,)
        Coefficients at which the sums were taken, log-odds per unit of each column.
    log_likelihood : float
    score : array, shape (p,)
        Of the log likelihood; of slopes and of the intercept at this site's means.
    information : array, shape (p, p)
        Likewise.
    mean, squares : array, shape (slopes,)
        Of the columns over the site's observations: means, and sums of squared deviations from them.
    lower, upper : array, shape (slopes,)
        Smallest and largest value: values of single rows.
    nobs, n_events : float
    outcome : str or None
        Name of its column; None where it was an array, which has none.
    event, other : str or None
        The level that counts as 1 and the other, "1" and "0" where the data are so; None for counts of successes, and
        ``other`` where it does not occur.
    grouped : bool
        Whether rows are successes out of more than one trial.
    coding : dict of str to str
        How the columns were made of the data: levels of the factors, and a hash of what transforms learned, so that
        columns which only share a name are not added.
    """

    site: str
    columns: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    has_intercept: bool
    beta: Array
    log_likelihood: float
    score: Array
    information: Array
    mean: Array
    squares: Array
    lower: Array
    upper: Array
    nobs: float
    n_events: float
    outcome: str | None
    event: str | None
    other: str | None
    grouped: bool
    coding: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<SiteSummary {self.site}: sums over {self.nobs:,.10g} observations; columns {', '.join(self.columns)}>"

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Save for the coordinator: JSON with a checksum, exact to the bit, written atomically."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        write_record(path, record, "site")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> SiteSummary:
        """Read one that `to_json` saved.

        Raises
        ------
        FileFormatError
            If it is missing, damaged or of a newer version.
        """
        record = read_record(path, "site")
        if record.keys() & {"site", "outcome", "grouped"} == {"site"}:
            raise FileFormatError(
                f"{Path(path).name}: does not say which outcome was counted, nor which level is the event, as an "
                "earlier bayeslogit wrote it; have the site make it again with this one."
            )
        try:
            p = len(record["columns"])
            record["columns"] = listed(record["columns"])
            record["terms"] = {name: listed(places) for name, places in record["terms"].items()}
            found = cls(**record)
            conform(found)
            shapes = found.beta.shape == found.score.shape == (p,) and found.information.shape == (p, p)
            slopes = (p - int(found.has_intercept),)
            shapes &= all(part.shape == slopes for part in (found.mean, found.squares, found.lower, found.upper))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise FileFormatError(f"{Path(path).name}: lacks or mistypes a part: {error!r}.") from None
        if not shapes:
            raise FileFormatError(f"{Path(path).name}: its arrays do not go with its {p} columns.")
        return found


@guarded_methods
@dataclass(frozen=True, eq=False)
class Pooled:
    """Where all sites together stand after a round; made by `pool_sites`.

    Attributes
    ----------
    columns : tuple of str
    beta : array, shape (p,)
        Where the sums of this round were taken.
    next_beta : array, shape (p,)
        For the next round; the same as ``beta`` when done.
    decrement : float
        How far ``beta`` is from the mode, in posterior sds.
    converged : bool
    log_posterior : float
        At ``beta``.
    covariance : array, shape (p, p)
        Of the Gaussian approximation by the information at ``beta``; the posterior's once converged.
    prior : ResolvedPrior
    sites : tuple of str
    nobs, n_events : float
    notes : tuple of str
        What differs between sites without harm, and what became of a step that went too far.
    """

    columns: tuple[str, ...]
    beta: Array
    next_beta: Array
    decrement: float
    converged: bool
    log_posterior: float
    covariance: Array
    prior: ResolvedPrior
    sites: tuple[str, ...]
    nobs: float
    n_events: float
    notes: tuple[str, ...] = field(default=())

    @property
    def params(self) -> pd.Series[float]:
        """The coefficients of this round, by column."""
        return frames.series(self.beta, self.columns, "mode")

    @property
    def bse(self) -> pd.Series[float]:
        """Their posterior sds."""
        return frames.series(np.sqrt(np.diag(self.covariance)), self.columns, "sd")

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Save what the sites need for the next round: the coefficients to look at."""
        record = {"columns": list(self.columns), "beta": self.next_beta, "converged": self.converged}
        write_record(path, record, "round")

    def table(self) -> Table:
        """Coefficients, their sds and priors, and how far the search is from its end."""
        rows = zip(self.columns, self.beta, np.sqrt(np.diag(self.covariance)), self.prior.labels(), strict=True)
        end = "Converged" if self.converged else "Not yet converged: one more round at next_beta"
        return Table(
            name="sites",
            title="Coefficients of all sites together",
            columns=(
                Column("term", "term"),
                Column("estimate", "log-odds (mode)", "number"),
                Column("sd", "sd", "number"),
                Column("prior", "prior"),
            ),
            rows=tuple((name, float(b), float(sd), label) for name, b, sd, label in rows),
            header=(
                f"{self.n_events:,.10g} events in {self.nobs:,.10g} observations at {len(self.sites)} sites "
                f"({', '.join(self.sites)}).",
                f"{end} ({self.decrement:.1e} posterior sd from the mode).",
            ),
            notes=self.notes,
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
