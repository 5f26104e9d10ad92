"""How far from the mode a search is whose passes are spent: a bound that needs no further pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Posterior sds from the mode within which estimates are estimates.
NEAR_ENOUGH = 1e-2


@dataclass(frozen=True)
class Bound:
    """After a last step.

    Attributes
    ----------
    away : float
        At most so many posterior sds from the mode.
    information_error : float
        At most so far is the information, relative to that at the mode.
    """

    away: float
    information_error: float

    @classmethod
    def after(cls, decrement: float, reach: float, per_sd: float) -> Bound:
        """After a Newton step of length ``decrement`` that changes no row by more than ``reach``.

        Since ``|l'''| <= l''``, it leaves a score of at most ``decrement (e^R - 1 - R) / R`` in posterior sds where it
        began, and ``e^(R/2)`` times as many where it ends. From a decrement D there the mode is at most
        ``-log(1 - K D) / K`` away, K the change of a row by a move of one sd; ``per_sd`` is K where the step began.
        The prior's part has to be quadratic.
        """
        if not reach < 1.0:
            return cls(math.inf, math.inf)
        # The series, where the difference would be rounding.
        bent = (math.expm1(reach) - reach) / reach if reach > 1e-4 else 0.5 * reach * (1.0 + reach)
        left, K = decrement * bent * math.exp(0.5 * reach), per_sd * math.exp(0.5 * reach)
        if not K * left < 1.0:
            return cls(math.inf, math.inf)
        away = -math.log1p(-K * left) / K if K > 0.0 else left
        return cls(away, math.expm1(reach + K * away))

    @property
    def near(self) -> bool:
        return self.away <= NEAR_ENOUGH

    def message(self, passes: int) -> str:
        """How the search ended."""
        what = f"at most {self.away:.1e} posterior sd from the mode after {passes} passes over the data"
        if self.near:
            return f"Converged: {what}."
        return f"Not converged: only known to be {what} (accepted: {NEAR_ENOUGH:g}); allow more with passes=."

    def note(self, passes: int) -> str:
        """What a reader of the estimates must know."""
        percent = max(50.0 * self.information_error, 1e-4)
        return (
            f"Passes over the data were limited to {passes}: the estimates are at most {self.away:.1e} posterior sd "
            f"from the mode, and standard errors are right to {percent:.1g} %."
        )
