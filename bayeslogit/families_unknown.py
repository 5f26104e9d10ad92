"""Priors with unknown scales: partial pooling, and the regularised horseshoe. `bayeslogit.sample` draws from them."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arguments import one_of, positive
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import PriorError
from bayeslogit.families import Columns, Prior, listed
from bayeslogit.hyperpriors import HalfNormal, HalfT
from bayeslogit.resolved import Basis, PriorTerm, ResolvedPrior

if TYPE_CHECKING:
    from bayeslogit.design import Design

Array = NDArray[np.float64]
# Sds of columns that differ by more than this under one scale deserve a word.
_UNEVEN = 4.0
# rstanarm's hs(): the global scale where neither argument says one.
_RSTANARM_GLOBAL = 0.01
_USUAL = HalfNormal(1.0)


@guarded_methods
@dataclass(frozen=True)
class _Unknown(Prior):
    """A family whose terms need the design, and that leaves the intercept to a prior of its own."""

    def on(self, columns: tuple[int, ...], names: tuple[str, ...]) -> PriorTerm:
        raise PriorError(f"{self!r} is resolved against a design: give it as prior=, or in bayeslogit.priors(...).")

    def resolve(self, design: Columns) -> ResolvedPrior:
        return self.beside(design, ())

    def beside(self, design: Columns, taken: Collection[int]) -> ResolvedPrior:
        first, p = int(design.has_intercept), len(design.columns)
        own = tuple(j for j in range(first, p) if j not in taken)
        # Columns that have a prior of their own are flat here; who gave it to them puts it in their place.
        rest = tuple(j for j in range(first, p) if j in taken)
        terms = [PriorTerm("flat", part) for part in ((0,) * first, rest) if part]
        if own:
            terms.append(self.at(design, own))
        terms.sort(key=lambda term: term.columns)
        return ResolvedPrior(tuple(design.columns), tuple(terms), repr(self), self._notes(design, own))

    def _notes(self, design: Columns, columns: tuple[int, ...]) -> tuple[str, ...]:
        sd = design.column_sds[list(columns)]
        sd = sd[sd > 0.0]
        if self._per != "unit" or sd.size < 2 or sd.max() <= _UNEVEN * sd.min():
            return ()
        return (
            f"One scale is shared by columns whose sds run from {sd.min():.3g} to {sd.max():.3g}: per='sd' puts it on "
            "columns in units of their sds.",
        )

    @property
    def _per(self) -> str:
        raise NotImplementedError

    def _units(self, design: Columns, columns: tuple[int, ...]) -> Array:
        """What the shared scale is multiplied by, column by column."""
        names = [design.columns[j] for j in columns]
        if design.has_intercept and 0 in columns:
            raise PriorError(f"{self!r}: the intercept needs a prior without unknown scales, or none.")
        if self._per == "unit":
            return np.ones(len(columns))
        sd = design.column_sds[list(columns)]
        level = [name for name, one in zip(names, sd, strict=True) if not one > 0.0]
        if level:
            raise PriorError(f"{self!r}: {listed(level)} does not vary, so per='sd' has no unit for it.")
        return 1.0 / sd


def _checked_per(family: str, per: str) -> None:
    if not one_of(per, ("unit", "sd")):
        raise PriorError(f"{family}(per={per!r}): 'unit' (log-odds per unit of each column) or 'sd' (per sd of it).")


@dataclass(frozen=True)
class Hierarchical(_Unknown):
    """Normal priors that share an unknown scale tau: the data decide how far coefficients are drawn together.

    As a whole prior, or as the default of `priors`, all slopes that it covers share one tau; in
    ``terms={"C(county)": Hierarchical()}`` each term has a tau of its own, which is partial pooling of its levels.

    Parameters
    ----------
    scale : HalfNormal, HalfT or float
        The density of tau, log-odds; a number is the scale of a half-normal one.
    toward : {"zero", "mean"}
        What the coefficients of a term are drawn to. "mean" is for the columns of one treatment-coded factor: all its
        levels, the reference level too, are ``Normal(mean, tau)`` about a common mean that is not known, so that it
        does not matter which level is the reference. The covariance of the columns is then ``tau^2 (I + 11')``.
    per : {"unit", "sd"}
        Whether tau is per unit of each column, or per sd (n - 1) of it.

    Raises
    ------
    PriorError
        If an argument cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> bl.priors(default=bl.Normal(2.5), terms={"C(county)": bl.Hierarchical(bl.HalfNormal(1), toward="mean")})
    Priors(default=Normal(2.5), intercept=None, terms={'C(county)': Hierarchical(HalfNormal(1), toward='mean')})
    """

    scale: HalfNormal | HalfT | float = _USUAL
    toward: str = field(default="zero", kw_only=True)
    per: str = field(default="unit", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.scale, HalfNormal | HalfT):
            object.__setattr__(self, "scale", HalfNormal(positive("Hierarchical", "scale", self.scale)))
        if not one_of(self.toward, ("zero", "mean")):
            raise PriorError(f"Hierarchical(toward={self.toward!r}): 'zero', or 'mean' for the levels of a factor.")
        _checked_per("Hierarchical", self.per)
        if self.toward == "mean" and self.per == "sd":
            raise PriorError("Hierarchical(toward='mean', per='sd'): levels of a factor are compared per unit.")

    @property
    def _per(self) -> str:
        return self.per

    def at(self, design: Columns, columns: tuple[int, ...]) -> PriorTerm:
        assert isinstance(self.scale, HalfNormal | HalfT)
        unit, k = self._units(design, columns), len(columns)
        if self.toward == "mean":
            self._check_factor(design, columns)
        values = {
            "df": self.scale.df if isinstance(self.scale, HalfT) else math.inf,
            "scale": self.scale.scale,
            "pooled": float(self.toward == "mean"),
        }
        return PriorTerm("hierarchical", columns, {"unit": unit, **{key: np.full(k, v) for key, v in values.items()}})

    def _check_factor(self, design: Columns, columns: tuple[int, ...]) -> None:
        references = cast("Design", design).reference_levels
        whole = [term for term, own in design.terms.items() if tuple(own) == tuple(columns)]
        if not (whole and whole[0] in references):
            raise PriorError(
                f"{self!r} draws the levels of a factor together: give it to one treatment-coded term, as in "
                f"bayeslogit.priors(terms={{'C(county)': ...}}), not to {listed([design.columns[j] for j in columns])}."
            )

    def __repr__(self) -> str:
        toward = "" if self.toward == "zero" else ", toward='mean'"
        return f"Hierarchical({self.scale!r}{toward}{', per=' + repr(self.per) if self.per != 'unit' else ''})"


@dataclass(frozen=True)
class Horseshoe(_Unknown):
    """Regularised horseshoe (Piironen and Vehtari 2017): most coefficients near zero, a few free up to a slab.

    ``b_j ~ Normal(0, s_j)`` with ``1 / s_j^2 = 1 / (tau lambda_j)^2 + 1 / c^2``; ``lambda_j`` half Student-t(local_df),
    ``tau`` half Student-t(global_df) of scale ``global_scale``, ``c`` so that the slab is Student-t(slab_df) of scale
    ``slab_scale``. Without ``global_scale`` and ``expected_nonzero`` the numbers are those of rstanarm's ``hs()``: its
    global scale, 0.01, knows nothing of the data.

    Parameters
    ----------
    global_scale : float, optional
    expected_nonzero : float, optional
        A guess p0 of how many of the p coefficients matter: the global scale is then ``p0 / (p - p0) sigma / sqrt(n)``
        with ``sigma^2 = 1 / (m (1 - m))``, m the share of events: their section 3.2 with the pseudo-variance of
        section 3.5; ``2 / sqrt(n)`` in balanced data. It is worked out when the prior is resolved, and printed.
    local_df, global_df : float
        1 is the half-Cauchy.
    slab_scale, slab_df : float
        Of the largest coefficients, log-odds.
    per : {"unit", "sd"}
        Whether coefficients are per unit of each column, or per sd (n - 1) of it. The rule of ``expected_nonzero``
        supposes columns of sd 1.

    Raises
    ------
    PriorError
        If a number is not positive and finite, both scales are given, or ``expected_nonzero`` is not below p.
    """

    global_scale: float | None = field(default=None, kw_only=True)
    expected_nonzero: float | None = field(default=None, kw_only=True)
    local_df: float = field(default=1.0, kw_only=True)
    global_df: float = field(default=1.0, kw_only=True)
    slab_scale: float = field(default=2.5, kw_only=True)
    slab_df: float = field(default=4.0, kw_only=True)
    per: str = field(default="unit", kw_only=True)

    def __post_init__(self) -> None:
        if self.global_scale is not None and self.expected_nonzero is not None:
            raise PriorError("Horseshoe(...): give global_scale or expected_nonzero, not both.")
        for name in ("global_scale", "expected_nonzero", "local_df", "global_df", "slab_scale", "slab_df"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, positive("Horseshoe", name, value))
        _checked_per("Horseshoe", self.per)

    @property
    def _per(self) -> str:
        return self.per

    def at(self, design: Columns, columns: tuple[int, ...]) -> PriorTerm:
        unit, k, p = self._units(design, columns), len(columns), len(design.columns)
        scale, rule, _ = self._global(cast("Design", design), k)
        values = {
            "global_scale": scale,
            "global_df": self.global_df,
            "local_df": self.local_df,
            "slab_scale": self.slab_scale,
            "slab_df": self.slab_df,
        }
        sd = design.column_sds.copy() if self.per == "sd" else np.full(p, np.nan)
        basis = Basis(np.full(p, np.nan), sd, (rule,), np.zeros(p, dtype=np.intp))
        given = {"unit": unit, **{key: np.full(k, value) for key, value in values.items()}}
        return PriorTerm("horseshoe", columns, given, basis=basis)

    def _notes(self, design: Columns, columns: tuple[int, ...]) -> tuple[str, ...]:
        words = self._global(cast("Design", design), len(columns))[2] if columns else ""
        return (*([words] if words else []), *super()._notes(design, columns))

    def _global(self, design: Design, k: int) -> tuple[float, str, str]:
        """The global scale, the rule in short, and where the number comes from."""
        if self.global_scale is not None:
            return self.global_scale, "global as given", ""
        if self.expected_nonzero is None:
            words = "The global scale is rstanarm's default, which knows nothing of the data; see expected_nonzero."
            return _RSTANARM_GLOBAL, "global of rstanarm", words
        if not self.expected_nonzero < k:
            raise PriorError(
                f"Horseshoe(expected_nonzero={self.expected_nonzero:g}): it covers {k} column(s), and must expect "
                "fewer to matter. Where all may matter use bayeslogit.Hierarchical() or bayeslogit.Normal(2.5)."
            )
        n, events = design.nobs, design.n_events
        if not 0.0 < events < n:
            raise PriorError("Horseshoe(expected_nonzero=...): all outcomes are of one class; give global_scale=.")
        share = events / n
        sigma = 1.0 / math.sqrt(share * (1.0 - share))
        scale = self.expected_nonzero / (k - self.expected_nonzero) * sigma / math.sqrt(n)
        odds = f"{self.expected_nonzero:g}/({k} - {self.expected_nonzero:g})"
        rule = f"{self.expected_nonzero:g} of {k} expected"
        return scale, rule, f"Global scale {scale:.4g} = {odds} x {sigma:.3g}/sqrt({n:.10g}): {rule} to matter."

    def __repr__(self) -> str:
        given = {
            "global_scale": (self.global_scale, None),
            "expected_nonzero": (self.expected_nonzero, None),
            "local_df": (self.local_df, 1.0),
            "global_df": (self.global_df, 1.0),
            "slab_scale": (self.slab_scale, 2.5),
            "slab_df": (self.slab_df, 4.0),
        }
        shown = [f"{key}={value:g}" for key, (value, usual) in given.items() if value != usual and value is not None]
        return f"Horseshoe({', '.join([*shown, *([f'per={self.per!r}'] if self.per != 'unit' else [])])})"
