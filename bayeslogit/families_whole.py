"""Priors of a whole model: functions of its information or its rows, so they cannot be assigned to one term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import PriorError
from bayeslogit.families import Columns, Prior, listed
from bayeslogit.resolved import WHOLE, PriorTerm, ResolvedPrior


@guarded_methods
@dataclass(frozen=True)
class _Whole(Prior):
    """A term of the whole model over flat columns."""

    family: ClassVar[str]
    notes: ClassVar[tuple[str, ...]]

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        raise PriorError(
            f"{self!r} is a prior of the whole model, not of {listed(names)}: give it as prior=, or as default= of "
            "bayeslogit.priors(...), where terms= and intercept= add proper priors to it."
        )

    def resolve(self, design: Columns) -> ResolvedPrior:
        names, first = tuple(design.columns), int(design.has_intercept)
        parts = (tuple(range(first)), tuple(range(first, len(names))))
        terms = tuple(PriorTerm("flat", part) for part in parts if part)
        return ResolvedPrior(names, terms, WHOLE[self.family], self.notes, self.family)


@dataclass(frozen=True)
class Jeffreys(_Whole):
    """Jeffreys' prior ``0.5 log |X'WX|``: the mode is Firth's (1993) bias-reduced estimate, finite on separated data.

    The information is that of the whole likelihood, with trials and weights, without other priors. It needs columns of
    full rank. Proper priors on terms add to it: ``bayeslogit.priors(default=Jeffreys(), terms={"x": Normal(1)})``.

    The sd of a fit is that of the posterior: the inverse of the full penalised information. The inverse of X'WX alone,
    which brglm2 and logistf report, is ``fit.cov_params("likelihood")``. The prior is not normalised, so there is no
    evidence.
    """

    family: ClassVar[str] = "jeffreys"
    notes: ClassVar[tuple[str, ...]] = (
        "Under Jeffreys' prior the sds are from the full curvature of the penalised likelihood; those that brglm2 and "
        "logistf report, from X'WX alone, are cov_params('likelihood'). With few or separated rows the Gaussian "
        "interval is far from the profile's, conf_int(kind='profile').",
    )


@dataclass(frozen=True)
class DiaconisYlvisaker(_Whole):
    """The conjugate prior of Diaconis and Ylvisaker as set by Rigon and Aliverti (2022): near Firth, always finite.

    Every observation adds ``p / (2 nobs)`` of a success and as much of a failure. The mode is the fit to the
    pseudo-responses ``(nobs y + p / 2) / (nobs + p)``, and the information ``(1 + p / nobs) X'WX``. The log density is
    concave; it is not normalised, so there is no evidence. Proper priors on terms add to it, as with `Jeffreys`.
    """

    family: ClassVar[str] = "diaconis_ylvisaker"
    notes: ClassVar[tuple[str, ...]] = ()
