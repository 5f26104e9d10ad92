"""What a fit says of its coefficients: estimate, sd, covariances, intervals; `Fit` adds tables and predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bayeslogit import frames
from bayeslogit.arrays import ArraySpec
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.design import Design
from bayeslogit.diagnostics import Pulls, effective_parameters, prior_share, pulls
from bayeslogit.errors import ArgumentError, FitError, FitWarning
from bayeslogit.facts import Facts
from bayeslogit.formula import FormulaSpec
from bayeslogit.labels import column_labels, factor_label, nameable
from bayeslogit.mode import Mode, Status
from bayeslogit.posterior.covariances import check_kind, coefficient_covariance, prior_information
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.predict import check_prob
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.target import LogPosterior

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_MOST_COLUMNS = 5000


@guarded_methods
@dataclass(frozen=True, eq=False)
class Estimates:
    """The mode of a log posterior, its Gaussian approximation, and what they rest on.

    Attributes
    ----------
    mode : Mode
        Where the search ended, and how.
    posterior : LaplacePosterior
        The Gaussian approximation at the mode.
    prior : ResolvedPrior
        The prior as numbers.
    prior_is_default : bool
        Whether the prior was the default rather than asked for.
    spec : FormulaSpec or ArraySpec
        How new rows are coded.
    facts : Facts
        Counts, names and hashes of the data.
    notes : tuple of str
        Everything a reader must know; they stand under every table.
    design : Design or None
        The data; None for a fit that was loaded from a file.
    saved_fingerprint : str
        `fingerprint` of a fit that was loaded from a file.
    labels : mapping of str to str
        What columns and variables are called in tables, figures and reports.
    """

    mode: Mode
    posterior: LaplacePosterior
    prior: ResolvedPrior
    prior_is_default: bool
    spec: FormulaSpec | ArraySpec
    facts: Facts
    notes: tuple[str, ...] = ()
    design: Design | None = None
    saved_fingerprint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.prior.columns

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns as tables name them: by their labels, where they have some."""
        found = column_labels(self.columns, self.labels)
        return tuple(found.get(name, name) for name in self.columns)

    @property
    def named_levels(self) -> dict[str, str]:
        """Factor, by its label, to the level that its coefficients compare with."""
        return {factor_label(name, self.labels): level for name, level in self.spec.reference_levels.items()}

    @property
    def known_names(self) -> tuple[str, ...]:
        """What may carry a label: columns, variables, and the outcome."""
        return nameable(self.columns, self.spec)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data as fitted; it takes a pass over them, so it is worked out when it is asked for."""
        return self.saved_fingerprint if self.design is None else self.design.fingerprint

    @property
    def status(self) -> Status:
        """How the search ended: "converged", or why not; `mode.message` says it in a sentence."""
        return self.mode.status

    @property
    def converged(self) -> bool:
        return self.mode.converged

    @property
    def nobs(self) -> float:
        """``sum w_i m_i``: observations, counting frequency weights and trials."""
        return self.facts.nobs

    @property
    def log_binomial_constant(self) -> float:
        """``sum w_i log C(m_i, y_i)``, left out of `log_likelihood`; add it to compare with R or statsmodels."""
        return self.facts.log_binomial_constant

    @property
    def log_posterior(self) -> float:
        """Log likelihood plus normalised log prior at the mode (0 for flat columns), not divided by the evidence.

        A prior of the whole model is in it as it is, not normalised: ``0.5 log |X'WX|`` for Jeffreys.
        """
        return self.mode.log_density

    @property
    def log_likelihood(self) -> float:
        """At the mode, on the sum scale, without the binomial constant."""
        whole = 0.0 if self.mode.whole is None else self.mode.whole.log_density
        return self.mode.log_density - self.prior.log_density(self.mode.beta) - whole

    @property
    def llf(self) -> float:
        """The log likelihood as statsmodels counts it: `log_likelihood` plus `log_binomial_constant`."""
        return self.log_likelihood + self.log_binomial_constant

    @property
    def log_evidence(self) -> float:
        """Gaussian approximation to the log of the integral of likelihood x prior; per unit of each flat column.

        NaN when the fit has no finite covariance, and under a prior of the whole model, whose constant is not known.
        It is off by up to several nats when rows are few per column.
        """
        if self.prior.whole:
            return float("nan")
        constant = 0.5 * len(self.columns) * float(np.log(2.0 * np.pi))
        return self.log_posterior + constant - 0.5 * self.posterior.log_determinant

    @property
    @guarded
    def effective_parameters(self) -> float:
        """``p - tr[(H+L)^-1 L]``: how many coefficients the data, not the prior, decide.

        The sum over observations of how far each fitted probability follows its own outcome. It is p without a prior,
        and may be more under one whose log density curves upwards at the mode (`Jeffreys`, the tails of `StudentT`).
        """
        factor = self.posterior.factor
        if factor is None:
            return float("nan")
        return effective_parameters(factor, prior_information(self.mode, self.prior))

    @cached_property
    def params(self) -> pd.Series[float]:
        """The mode, log-odds per unit of each column; NaN where the columns are not identified."""
        return frames.series(self._estimate, self.columns, "mode")

    @property
    @guarded
    def one_step_mean(self) -> pd.Series[float]:
        """The mode moved to the posterior mean to leading order (third derivatives), without sampling.

        Raises
        ------
        FitError
            If there is no finite mode or no data, or a prior has a kink or is Jeffreys'.
        """
        from bayeslogit.posterior.gaussians import one_step_mean

        target = LogPosterior.of(self._data("one_step_mean"), self.prior)
        return frames.series(one_step_mean(target, self.mode), self.columns, "one-step mean")

    @property
    def _estimate(self) -> Array:
        lost = self.status is Status.NOT_POSITIVE_DEFINITE
        return np.full(len(self.columns), np.nan) if lost else self.mode.beta

    @cached_property
    def bse(self) -> pd.Series[float]:
        """Posterior sd by the Gaussian approximation at the mode; NaN when the fit has no finite covariance.

        Under `Jeffreys` the curvature of its term is in it; see `cov_params` for the other convention.
        """
        return frames.series(self.posterior.sd, self.columns, "sd")

    @cached_property
    def prior_share(self) -> pd.Series[float]:
        """Posterior variance as a share of prior variance: 0 is all data, 1 is all prior; NaN unless that is normal."""
        return frames.series(self._share, self.columns, "prior_share")

    @property
    def _share(self) -> Array:
        share = prior_share(self.posterior.sd, self.prior.variance())
        return np.where(self.prior.gaussian, share, np.nan)

    @cached_property
    def prior_pull(self) -> pd.Series[float]:
        """By how many sds the prior has moved each estimate; NaN for normal priors, which have a share, and at kinks.

        To first order, and where that exceeds 0.5 by a fit without the prior of that term, made when it is asked for.
        """
        return frames.series(self._pulls.value, self.columns, "prior_pull")

    @cached_property
    def _pulls(self) -> Pulls:
        return pulls(self.mode, self.prior, self.posterior.sd, self.design)

    # --- covariances and intervals -------------------------------------------------------------------------------

    def cov_params(
        self, kind: str = "posterior", *, terms: Sequence[str] | None = None, groups: str | ArrayLike | None = None
    ) -> pd.DataFrame:
        """Covariance of the coefficients.

        Parameters
        ----------
        kind : {"posterior", "frequentist", "robust", "likelihood"}
            With H the information of the likelihood and L of the prior: ``(H+L)^-1``; ``(H+L)^-1 H (H+L)^-1``, the
            sampling covariance if the model holds (bias ignored); ``(H+L)^-1 (sum w r^2 x x') (H+L)^-1``, which does
            not rest on the variance being right; ``H^-1``, which leaves the prior out (with a warning).
            Under `Jeffreys` L is the curvature of ``0.5 log |X'WX|``, and ``H^-1`` at the mode (no warning) is what
            brglm2 and logistf report of Firth's estimates.
        terms : sequence of str, optional
            Columns to return; needed above 5,000 columns.
        groups : str or array_like, shape (n,), optional
            Cluster of each row, for "robust"; a column of the data by its name.

        Returns
        -------
        DataFrame, shape (p, p)

        Raises
        ------
        ArgumentError
            For an unknown kind ("sandwich" names two), unknown terms, or a matrix too large to be meant.
        FitError
            If "robust" is asked of a loaded fit, which holds no data.
        """
        check_kind(kind)
        if groups is not None and kind != "robust":
            raise ArgumentError(f"groups= belongs to kind='robust', not to kind={kind!r}.")
        picked = self._picked(terms)
        names = [self.columns[j] for j in picked]
        return frames.matrix(self._covariance(kind, groups, picked), names, names)

    def _picked(self, terms: Sequence[str] | None) -> list[int]:
        p = len(self.columns)
        if terms is None:
            if p > _MOST_COLUMNS:
                raise ArgumentError(
                    f"cov_params(): the covariance of {p} columns takes {8e-9 * p * p:.1f} GB; "
                    "name the columns you need in terms=[...]."
                )
            return list(range(p))
        unknown = [name for name in terms if name not in self.columns]
        if unknown:
            raise ArgumentError(f"cov_params(terms=...): no columns {', '.join(map(str, unknown[:8]))} in this fit.")
        return [self.columns.index(name) for name in terms]

    def _covariance(self, kind: str, groups: str | ArrayLike | None, picked: Sequence[int]) -> Array:
        def data() -> Design:
            return self._data("cov_params(kind='robust')")

        return coefficient_covariance(kind, self.mode, self.posterior, self.prior, picked, design=data, groups=groups)

    def conf_int(self, prob: float = 0.95, kind: str = "posterior") -> pd.DataFrame:
        """Equal-tailed intervals, columns "lower" and "upper".

        Parameters
        ----------
        prob : float
        kind : str
            A covariance of `cov_params`, for mode +- z sd; or "profile": the values of a coefficient at which the log
            posterior, the other coefficients at their best, is less than ``z^2 / 2`` below its maximum. These need not
            be symmetric, and are infinite on the sides on which it never falls so far, as on separated data without a
            prior. Under `Jeffreys` they are the profile penalised-likelihood intervals of Firth's estimates.

        Raises
        ------
        FitError
            If "profile" or "robust" is asked of a loaded fit, or "profile" of a posterior with kinks.
        """
        if prob < 0.5:
            warnings.warn(
                f"conf_int(prob={prob:g}): an interval that holds {prob:.0%} of the probability. prob= is not "
                f"statsmodels' alpha: alpha={prob:g} is prob={1.0 - prob:g}.",
                FitWarning,
                stacklevel=3,
            )
        if kind == "profile":
            return self._profile(prob)
        check_kind(kind)
        p = len(self.columns)
        sd = self.posterior.sd if kind == "posterior" else np.sqrt(np.diag(self._covariance(kind, None, range(p))))
        lower, upper = self._interval(prob, sd)
        return frames.matrix(np.column_stack([lower, upper]), self.columns, ["lower", "upper"])

    def _profile(self, prob: float) -> pd.DataFrame:
        from bayeslogit.profile import profile_bounds

        z = float(ndtri(0.5 + check_prob(prob) / 2.0))
        target = LogPosterior.of(self._data("conf_int(kind='profile')"), self.prior)
        bounds = profile_bounds(target, self.mode, range(len(self.columns)), z)
        return frames.matrix(np.column_stack(bounds), self.columns, ["lower", "upper"])

    def _interval(self, prob: float, sd: Array) -> tuple[Array, Array]:
        z = float(ndtri(0.5 + check_prob(prob) / 2.0))
        estimate = self._estimate
        return estimate - z * sd, estimate + z * sd

    def _data(self, what: str) -> Design:
        if self.design is None:
            raise FitError(f"{what} needs the data, which a saved fit does not hold. Fit again, or pass new rows.")
        return self.design
