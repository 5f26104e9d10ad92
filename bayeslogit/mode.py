"""Where a search for the mode ended, and how: the record that every road to the mode returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import FitError
from bayeslogit.recession import Recession
from bayeslogit.steps import Factor
from bayeslogit.subspace import Subspace, Support
from bayeslogit.target import Coordinates, Expansion, Slope

Array = NDArray[np.float64]


class Status(StrEnum):
    """How the search for the mode ended."""

    CONVERGED = "converged"
    NO_FINITE_MODE = "no finite mode"
    SINGLE_CLASS = "single class"
    NOT_POSITIVE_DEFINITE = "not positive definite"
    ITERATION_LIMIT = "iteration limit"


class Road(StrEnum):
    """How the mode is looked for; `solve.choose_road` says when."""

    NEWTON = "Newton"
    SAMPLE_THEN_NEWTON = "sub-sample, Newton"
    ONE_INFORMATION = "sub-sample, quasi-Newton, one information"
    GRADIENTS = "sub-sample, quasi-Newton, no information"
    PROXIMAL = "proximal Newton"
    WORKING_SETS = "working sets, proximal Newton"
    GROUPS = "groups, proximal Newton"
    CHORDS = "from the fit before, proximal steps with its information"
    WIDE = "reduction to the span of the rows, Newton"
    FIRTH = "Firth"


@dataclass(frozen=True)
class Iteration:
    """One line of the trace.

    Attributes
    ----------
    log_density : float
        Log posterior where the step began.
    decrement : float
        Length of the step in posterior sds, by the matrix it was made with.
    reach : float
        Largest move of a row, log-odds; NaN where it was not needed.
    step : str
        What was done.
    """

    log_density: float
    decrement: float
    reach: float
    step: str


@dataclass(frozen=True)
class Whole:
    """The prior's term of the whole model (Jeffreys, Diaconis-Ylvisaker) at the end of a search.

    Attributes
    ----------
    log_density : float
        Not normalised; part of the log posterior.
    information : array or None
        Its part of `Mode.information`, in the same coordinates.
    """

    log_density: float
    information: Array | None


@dataclass(frozen=True)
class Mode:
    """Where the search ended, and how.

    Attributes
    ----------
    beta : array, shape (p,)
        The mode, or the last iterate if ``status`` is not "converged"; in the user's columns.
    log_density : float
        Log posterior at ``beta``.
    score : array, shape (p,)
        Of the log posterior at ``beta``, in working coordinates.
    information : array, shape (p, p), or None
        Of the log posterior, in working coordinates (or reduced to ``subspace``), within the factor
        ``1 +- information_error`` (Loewner order) of that at ``beta``; None if it was not asked for.
    information_error : float
        ``e^D - 1``, D the largest change of a row's log-odds between where the information was formed and ``beta``:
        since ``|l'''| <= l''``, no eigenvalue is off by more, and no standard error by more than half of it.
    status : Status
        How the search ended.
    message : str
        The same in a sentence that names columns and says what to do.
    decrement : float
        Distance to the mode in posterior sds, by the quadratic model at ``beta``.
    road : Road
        Which algorithm was chosen.
    n_passes, n_hessians : int
        Passes over the data, and how many of them formed an information matrix of all rows.
    n_sampled : int
        Rows of the sub-sample from which the search started; 0 without one.
    trace : tuple of Iteration
    coordinates : Coordinates
        The centring in which the search ran.
    factor : Factor or None
        Of the information in working coordinates, or of its reduction to ``subspace``; None when the status leaves no
        finite covariance or none was asked for.
    subspace : Subspace, Support or None
        What the factor speaks of: the span of the rows of a wide design, or the coefficients away from their kinks.
    recession : Recession or None
        The direction along which there is no finite mode.
    notes : tuple of str
        What a reader should know although the search converged.
    whole : Whole or None
        What the prior's term of the whole model says there, if it has one.
    """

    beta: Array
    log_density: float
    score: Array
    information: Array | None
    status: Status
    message: str
    decrement: float
    road: Road
    n_passes: int
    n_hessians: int
    trace: tuple[Iteration, ...]
    coordinates: Coordinates
    factor: Factor | None
    information_error: float = 0.0
    n_sampled: int = 0
    subspace: Subspace | Support | None = None
    recession: Recession | None = None
    notes: tuple[str, ...] = ()
    whole: Whole | None = None

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED

    @property
    def slope(self) -> Slope:
        """Of the log posterior at ``beta``, in the user's columns."""
        return self.coordinates.slope(Slope(self.log_density, self.score))

    @cached_property
    def expansion(self) -> Expansion:
        """Of the log posterior at ``beta``, in the user's columns.

        Raises
        ------
        FitError
            If the road formed no p x p information: covariance="none", or more columns than rows.
        """
        if self.information is None or self.subspace is not None:
            raise FitError(f"This search ({self.road.value}) formed no information matrix of all columns.")
        return self.coordinates.expansion(Expansion(self.log_density, self.score, self.information))
