"""The rules of statsmodels, whose constant is a column like any other: penalised unless it is kept out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.checks import number, shown, vector
from bayeslogit.penalties import Objective, Penalty, Sizes, common
from bayeslogit.rules import CannotSayError, Parameters, mixed, no_l1, no_l2

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StatsmodelsGlm:
    """``loss / n + sum_j alpha_j [(1-L1_wt)/2 b_j^2 + L1_wt |b_j|]`` with n the rows, however they are weighted."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        alpha, mix = (
            vector(self.title, "alpha", p["alpha"], s.columns),
            number(self.title, "L1_wt", p["L1_wt"], high=1.0),
        )
        return Objective.of(1.0 / s.rows, alpha * (1.0 - mix), alpha * mix, 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        total = penalty.total
        mix = common(penalty.lambda1[total > 0.0] / total[total > 0.0])
        if mix is None:
            sd = penalty.prior_sd()
            plain = replace(penalty, lambda2=np.where(np.isfinite(sd), 1.0 / sd**2, 0.0), lambda1=np.zeros_like(sd))
            raise CannotSayError(
                "the shares of L1 and L2 differ between its columns, and it has one L1_wt for all", plain
            )
        return {"alpha": _short(total / s.rows), "L1_wt": mix}

    def words(self, p: Parameters, s: Sizes) -> str:
        alpha, mix = _short(vector(self.title, "alpha", p["alpha"], s.columns)), float(p["L1_wt"])
        if isinstance(alpha, float):
            return f"loss / {shown(s.rows)} + {mixed(shown(alpha), mix)}{_with_intercept(s)}"
        parts = [f"{shown((1.0 - mix) / 2.0)} b_j^2"] * (mix < 1.0) + [f"{shown(mix)} |b_j|"] * (mix > 0.0)
        return f"loss / {shown(s.rows)} + sum_j alpha_j [{' + '.join(parts)}], alpha = {shown(alpha)}"


@dataclass(frozen=True)
class StatsmodelsLogit:
    """``sum of losses + sum_j alpha_j |b_j|``."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        return Objective.of(1.0, 0.0, vector(self.title, "alpha", p["alpha"], s.columns), 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        no_l2(penalty, "it")
        return {"alpha": _short(penalty.lambda1)}

    def words(self, p: Parameters, s: Sizes) -> str:
        alpha = _short(vector(self.title, "alpha", p["alpha"], s.columns))
        if isinstance(alpha, float):
            return f"loss + {shown(alpha)} A(b){_with_intercept(s)}"
        return f"loss + sum_j alpha_j |b_j|, alpha = {shown(alpha)}"


@dataclass(frozen=True)
class BayesMixed:
    """``loss + SS(b) / (2 fe_p^2)``: one sd for all fixed effects, the intercept included."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        sd = number(self.title, "fe_p", p["fe_p"], open_low=True)
        return Objective.of(1.0, 0.0 if math.isinf(sd) else 1.0, np.zeros(s.p), 1.0 / sd if math.isfinite(sd) else 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        no_l1(penalty, "it")
        precision = common(penalty.lambda2)
        if precision is None:
            middle = np.full(s.p, penalty.lambda2[s.slope].mean())
            raise CannotSayError(
                "it has one prior sd for all columns, the intercept included", replace(penalty, lambda2=middle)
            )
        return {"fe_p": 1.0 / math.sqrt(precision) if precision > 0.0 else math.inf}

    def words(self, p: Parameters, s: Sizes) -> str:
        return f"loss + SS(b) / (2 x {shown(p['fe_p'])}^2){_with_intercept(s)}"


def _with_intercept(s: Sizes) -> str:
    return ", the intercept included" if s.has_intercept else ""


def _short(values: Array) -> float | Array:
    """One number where all are the same."""
    same = common(values)
    return values if same is None else same
