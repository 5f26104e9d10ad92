"""What a fit says of functions of its coefficients: odds ratios per chosen step, contrasts; and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit import frames
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import ArgumentError
from bayeslogit.estimates import Estimates
from bayeslogit.habits import missing_attribute
from bayeslogit.labels import checked_labels
from bayeslogit.posterior_table import odds_table
from bayeslogit.predict import check_prob
from bayeslogit.summary import percent
from bayeslogit.table import Table
from bayeslogit.units import step_size

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@guarded_methods
class Readings(Estimates):
    """Estimates with what is read off them; `Fit` adds tables and predictions. `Draws` has the same of a posterior."""

    def odds_ratios(self, per: Any = "unit", prob: float = 0.95) -> Table:
        """Odds ratios for chosen steps of the columns, with intervals.

        Parameters
        ----------
        per : "unit", "sd", number, pair, or mapping of str to such
            The step of each column: one unit, one sd of the data, or so many units. A pair such as ("q25", "q75") or
            (18, 65) is the step from one to the other. In a mapping, columns that are not named have one unit.
        prob : float
            Probability of the equal-tailed intervals.

        Returns
        -------
        Table
            One row a slope: exp of step times mode, and of the ends of the interval of the Gaussian approximation.

        Raises
        ------
        ArgumentError
            If a step is none of these, or names no column.
        FitError
            If a step needs the data and the fit was loaded from a file.

        Examples
        --------
        >>> import bayeslogit as bl
        >>> fit = bl.fit("switch ~ dist + arsenic", bl.datasets.load("wells"), prior=bl.Normal(2.5))
        >>> table = fit.odds_ratios(per={"dist": 100, "arsenic": ("q25", "q75")})
        >>> [round(value, 2) for value in table.column("odds_ratio")]
        [0.41, 1.89]
        """
        first = int("Intercept" in self.columns)
        names = self.columns[first:]
        if isinstance(per, Mapping):
            self._known(per, "odds_ratios")
        steps = [per.get(name, "unit") if isinstance(per, Mapping) else per for name in names]
        sizes = np.array([step_size(step, name, self._data) for step, name in zip(steps, names, strict=True)])
        lower, upper = self._interval(prob, self.posterior.sd)
        ends = np.sort(np.array([lower[first:], upper[first:]]) * sizes, axis=0)  # a negative step turns it around
        width = percent(prob)
        header = f"exp of posterior mode and equal-tailed {width} interval (Gaussian approximation at the mode)."
        numbers = np.column_stack([sizes, sizes * self._estimate[first:], *ends])
        return odds_table(self.names[first:], numbers, width, header, estimate="mode")

    def contrast(self, weights: Mapping[str, float], prob: float = 0.95) -> pd.Series[float]:
        """A linear function of the coefficients, such as ``{"a": 1, "b": -1}``, by the Gaussian approximation.

        Returns
        -------
        Series
            mean, sd, median, lower, upper, and mcse, which is 0: nothing is drawn. Log-odds.

        Raises
        ------
        ArgumentError
            If a name is no column, or a weight no finite number.
        """
        self._known(weights, "contrast")
        try:
            row = np.array([[float(weights.get(name, 0.0)) for name in self.columns]])
        except (TypeError, ValueError, OverflowError):
            row = np.full((1, 1), np.nan)
        if not np.all(np.isfinite(row)):
            raise ArgumentError(f"contrast({dict(weights)!r}): each weight is a finite number.")
        z = float(ndtri(0.5 + check_prob(prob) / 2.0))
        value = float(row[0] @ self._estimate)
        sd = float(np.sqrt(self.posterior.variances(self.posterior.coordinates.functions(row))[0]))
        numbers = np.array([value, sd, value, value - z * sd, value + z * sd, 0.0])
        called = dict(zip(self.columns, self.names, strict=True))
        name = " ".join(f"{weight:+g} {called[key]}" for key, weight in weights.items())
        return frames.series(numbers, ("mean", "sd", "median", "lower", "upper", "mcse"), name)

    def relabel(self, labels: Mapping[str, str]) -> Self:
        """The same with other words for its columns or variables in tables, figures and reports.

        ``{"educ": "Education (years)"}`` names a variable: its levels and interactions follow. Columns of series and
        frames keep their names. Labels are saved with the fit.

        Raises
        ------
        ArgumentError
            If a name is neither a column nor a variable of the fit, or a label no text.
        """
        return replace(self, labels={**self.labels, **checked_labels(labels, self.known_names)})

    def to_marginaleffects(self) -> Any:
        """This fit as a model for the functions of the package marginaleffects (Python).

        ``marginaleffects.avg_slopes(fit.to_marginaleffects())`` and its fellows: predictions at the mode, and standard
        errors by the delta method from the posterior covariance; ``vcov=`` takes the kinds of `cov_params` too. Rows of
        the data count once, whatever their weights and trials; ``wts=`` names a column to weigh them by. Dates and
        times are left out of its data. Give its slopes ``eps_vcov=1e-6``: with its own default their standard errors
        can be off by a fifth, rounding of differences of differences.

        Raises
        ------
        FitError
            If marginaleffects is not installed, or its version does not work with that of polars; if the fit holds no
            data, no covariance, or coefficients at a kink.
        DataError
            If a column has a name that marginaleffects keeps for itself.
        """
        from bayeslogit.marginaleffects_export import to_marginaleffects

        return to_marginaleffects(self)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(missing_attribute(type(self).__name__, name), name=name, obj=self)

    def _known(self, names: Any, call: str) -> None:
        unknown = [str(name) for name in names if name not in self.columns]
        if unknown or not len(names):
            raise ArgumentError(
                f"{call}(): no columns {', '.join(unknown[:8]) or 'given'}; this fit has {', '.join(self.columns[:8])}"
                f"{', ...' if len(self.columns) > 8 else ''}."
            )
