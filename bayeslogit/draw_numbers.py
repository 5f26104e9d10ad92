"""The numbers of a posterior as pandas: what `Draws` is built upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames, quantities
from bayeslogit.boundary import guarded_methods
from bayeslogit.design import Design
from bayeslogit.draw_arguments import meant
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.posterior.rung import Rung
from bayeslogit.propriety import Existence
from bayeslogit.summary import percent
from bayeslogit.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class PosteriorNumbers:
    """A posterior as one rung of the ladder sees it, with names on its numbers.

    Attributes
    ----------
    rung : Rung
        Arrays, and how numbers are read off them.
    fit : Estimates
        The fit it belongs to.
    existence : Existence
        Which moments the posterior has.
    climbed : tuple of str
        The rungs tried before this one, each with the reason it was left.
    labels : mapping of str to str
        What coefficients are called in tables.
    """

    rung: Rung
    fit: Estimates
    existence: Existence
    climbed: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.rung.columns

    @property
    def method(self) -> str:
        """The rung: "laplace", "variational", "importance", "quadrature" or "nuts"."""
        return self.rung.method

    @property
    def n(self) -> int:
        """Number of equally weighted draws in `values`."""
        return int(self.rung.values.shape[0])

    @cached_property
    def mean(self) -> pd.Series[float]:
        """Posterior means, log-odds per unit of each column; NaN where there is none (the verdict says why)."""
        return frames.series(self._mean, self.columns, "mean")

    @property
    def _mean(self) -> Array:
        return np.where(self.existence.mean, self.rung.mean, np.nan)

    @cached_property
    def sd(self) -> pd.Series[float]:
        """Posterior sds; NaN where there is none."""
        return frames.series(self._sd, self.columns, "sd")

    @property
    def _sd(self) -> Array:
        return np.where(self.existence.sd, self.rung.sd, np.nan)

    def quantile(self, probs: float | Sequence[float]) -> Any:
        """Posterior quantiles: a Series for one probability, a DataFrame with a column for each of several."""
        try:
            wanted = np.atleast_1d(np.asarray(probs, dtype=np.float64))
        except (TypeError, ValueError, OverflowError):
            wanted = np.full(1, np.nan)
        if wanted.ndim > 1 or not wanted.size or not np.all((wanted > 0.0) & (wanted < 1.0)):
            raise ArgumentError(f"quantile({probs!r}): probabilities lie between 0 and 1; give one, or a list of them.")
        found = self.rung.quantile(wanted)
        if np.ndim(probs) == 0:
            return frames.series(found[0], self.columns, f"{percent(float(wanted[0]))} quantile")
        return frames.matrix(found.T, self.columns, list(wanted))

    @property
    def values(self) -> Array:
        """Equally weighted draws, shape (n, p), in the user's columns."""
        return self.rung.values

    @property
    def raw(self) -> tuple[Array, Array]:
        """Weighted points, shape (S, p), and their log weights, shape (S,), whose ``logsumexp`` is 0."""
        return self.rung.points, self.rung.log_weights

    @property
    def khat(self) -> float:
        """Tail index of the importance weights (to rely on below 0.7); NaN where there are none."""
        return self.rung.khat

    @property
    def ess(self) -> Any:
        """Effective number of independent draws: a float, or for NUTS a Series."""
        if isinstance(self.rung.ess, np.ndarray):
            return frames.series(self.rung.ess, self.columns, "ess")
        return float(self.rung.ess)

    @property
    def log_evidence(self) -> float:
        """Log integral of likelihood times normalised priors (density 1 for flat columns); NaN where not known."""
        return self.rung.log_evidence

    @property
    def log_evidence_se(self) -> float:
        """Monte-Carlo standard error of `log_evidence`."""
        return self.rung.log_evidence_se

    @cached_property
    def verdict(self) -> Verdict:
        """Which rung the numbers stand on, how sure each is, and why."""
        return verdict_of(
            self.rung,
            self.existence,
            climbed=self.climbed,
            labels=self._names,
            weighted=self.fit.facts.fractional_weights,
        )

    def conf_int(self, prob: float = 0.95) -> pd.DataFrame:
        """Equal-tailed posterior intervals, columns "lower" and "upper"."""
        _, low, high = self.rung.quantile(quantities.tails(prob))
        return frames.matrix(np.column_stack([low, high]), self.columns, ["lower", "upper"])

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.labels.get(name, name) for name in self.columns)

    def _known(self, names: Any, where: str) -> None:
        unknown = [str(name) for name in names if name not in self.columns]
        if unknown or not len(names):
            near = meant(unknown[0], self.columns) if unknown else ""
            raise ArgumentError(
                f"{where}(): no columns {', '.join(unknown[:8]) or 'given'}; this fit has {', '.join(self.columns[:8])}"
                f"{', ...' if len(self.columns) > 8 else ''}{near or '.'}"
            )

    def data(self, what: str) -> Design:
        """The rows that were fitted; ``what`` names in the error what needs them."""
        return data_of(self.fit, what)


def data_of(fit: Estimates, what: str) -> Design:
    """The rows that were fitted.

    Raises
    ------
    FitError
        If the fit was loaded from a file, and so holds none.
    """
    if fit.design is None:
        raise FitError(f"{what} needs the data, which a saved fit does not hold. Fit again, or pass new rows.")
    return fit.design
