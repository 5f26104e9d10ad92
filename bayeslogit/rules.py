"""What a rule of conversion is, what rules share, and the rules of textbooks and of systems with one number.

A rule reads parameters p against a design's sizes s into an `Objective`; its ``settings`` find parameters for a
penalty, where ``free`` holds what the user chose among several ways to say the same; its ``words`` print the objective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeslogit.checks import choice, finite, number, shown
from bayeslogit.penalties import Objective, Penalty, Sizes, common

Array = NDArray[np.float64]
Parameters = Mapping[str, Any]


class Rule(Protocol):
    """What a system must be able to say."""

    @property
    def title(self) -> str: ...
    def objective(self, p: Parameters, s: Sizes) -> Objective: ...
    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]: ...
    def words(self, p: Parameters, s: Sizes) -> str: ...


class CannotSayError(Exception):
    """A penalty that a system has no parameters for.

    Attributes
    ----------
    why : str
    nearest : Penalty or str
        What it can say instead, or a sentence about it.
    """

    def __init__(self, why: str, nearest: Penalty | str) -> None:
        super().__init__(why)
        self.why, self.nearest = why, nearest


def strengths(penalty: Penalty, s: Sizes) -> tuple[float, float]:
    """The L2 and L1 rates that all slopes share.

    Raises
    ------
    CannotSayError
        If they differ between columns.
    """
    l2, l1 = penalty.lambda2[s.slope], penalty.lambda1[s.slope]
    both = common(l2), common(l1)
    if both[0] is None or both[1] is None:
        values = l2 if both[0] is None else l1
        kind = "precisions (lambda2)" if both[0] is None else "rates (lambda1)"
        exact = ["sqrt(lambda2_j)"] * (not l1.any()) + ["lambda1_j"] * (not l2.any())
        raise CannotSayError(
            f"the {kind} of the slopes run from {values.min():.4g} to {values.max():.4g}, and it has one strength for "
            "all"
            + (
                f". Exactly the same fit comes from columns divided by k_j = {exact[0]} at strength 1, with the "
                "coefficients divided by k_j afterwards"
                if exact and np.all(l1 + l2 > 0.0)
                else ""
            ),
            replace(
                penalty,
                lambda2=np.where(s.slope, l2.mean(), penalty.lambda2),
                lambda1=np.where(s.slope, l1.mean(), penalty.lambda1),
            ),
        )
    return both[0], both[1]


def free_intercept(penalty: Penalty, s: Sizes) -> Penalty:
    """The same without a penalty on the intercept."""
    return replace(
        penalty,
        lambda2=np.where(s.slope, penalty.lambda2, 0.0),
        lambda1=np.where(s.slope, penalty.lambda1, 0.0),
        mean=np.where(s.slope, penalty.mean, 0.0),
    )


def no_l1(penalty: Penalty, system: str) -> None:
    """Refuse a penalty with a kink."""
    if not penalty.smooth:
        sd = penalty.prior_sd()
        same = replace(penalty, lambda2=np.where(np.isfinite(sd), 1.0 / sd**2, 0.0), lambda1=0.0 * penalty.lambda1)
        raise CannotSayError(f"{system} has no L1 penalty; the nearest prior has the same sd, and no exact zeros", same)


def no_l2(penalty: Penalty, system: str) -> None:
    """Refuse a penalty that is not L1 alone."""
    if np.any(penalty.lambda2 > 0.0):
        sd = penalty.prior_sd()
        same = replace(penalty, lambda1=np.where(np.isfinite(sd), math.sqrt(2.0) / sd, 0.0), lambda2=np.zeros_like(sd))
        raise CannotSayError(f"{system} has no L2 penalty; the nearest prior has the same sd", same)


def times(number: float, what: str) -> str:
    """A product in words; nothing is said of 1."""
    return what if number == 1.0 else f"{shown(number)} {what}"


def mixed(strength: str, mix: float, b: str = "b") -> str:
    """``strength * [(1 - mix)/2 SS(b) + mix A(b)]`` in numbers, without the part that is zero."""
    parts = [f"{shown((1.0 - mix) / 2.0)} SS({b})"] if mix < 1.0 else []
    parts += [times(mix, f"A({b})")] if mix > 0.0 else []
    return f"{strength} [{' + '.join(parts)}]"


# --- one L2 strength -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GradientDescent:
    """Course-style gradient descent: ``-(1/m) loglik + lambda/(2m) sum w^2``."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        strength = finite(self.title, "lambda_", p["lambda_"])
        return Objective.of(1.0 / s.total, s.on_slopes(strength / s.total), 0.0, 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        no_l1(penalty, "it")
        return {"lambda_": strengths(penalty, s)[0]}

    def words(self, p: Parameters, s: Sizes) -> str:
        m = shown(s.total)
        return f"loss / {m} + {shown(p['lambda_'])}/(2 x {m}) SS(b)"


@dataclass(frozen=True)
class SumOfSquares:
    """``sum of losses + lambda [(1 - a) sum w^2 + a sum |w|]``: no half anywhere."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        strength, a = finite(self.title, "lambda_", p["lambda_"]), number(self.title, "a", p["a"], high=1.0)
        return Objective.of(1.0, s.on_slopes(2.0 * (1.0 - a) * strength), s.on_slopes(a * strength), 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = strengths(penalty, s)
        total = 0.5 * l2 + l1
        return {"lambda_": total, "a": l1 / total if total > 0.0 else 0.0}

    def words(self, p: Parameters, s: Sizes) -> str:
        a = float(p["a"])
        parts = [times(1.0 - a, "SS(b)")] * (a < 1.0) + [times(a, "A(b)")] * (a > 0.0)
        return f"loss + {shown(p['lambda_'])} [{' + '.join(parts)}]"


@dataclass(frozen=True)
class WeightDecay:
    """Mean loss plus ``wd/2 sum w^2``, or without the half; the bias decays too unless the user keeps it out."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        wd = finite(self.title, "wd", p["wd"])
        strength = wd if choice(self.title, "half", p["half"], (True, False)) else 2.0 * wd
        bias = strength if choice(self.title, "bias", p["bias"], (True, False)) else 0.0
        return Objective.of(1.0 / s.total, s.on_slopes(strength, bias), 0.0, 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        no_l1(penalty, "it")
        l2, half = strengths(penalty, s)[0], choice(self.title, "half", free.get("half", True), (True, False))
        bias = s.has_intercept and bool(penalty.lambda2[0] > 0.0)
        if bias and common(penalty.lambda2) is None:
            raise CannotSayError("its bias decays as the weights do, or not at all", free_intercept(penalty, s))
        return {"wd": l2 / s.total / (1.0 if half else 2.0), "half": half, "bias": bias}

    def words(self, p: Parameters, s: Sizes) -> str:
        who = "SS(b), the intercept included" if p["bias"] and s.has_intercept else "SS(b)"
        return f"loss / {shown(s.total)} + {shown(p['wd'])}{'/2' if p['half'] else ''} {who}"


# --- systems with one number -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Knime:
    """KNIME's SAG solver: ``(1/n) [sum of losses + R]`` where the user gives the variance of the prior."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        variance = number(self.title, "variance", p["variance"], open_low=True)
        gauss = choice(self.title, "prior", p["prior"], ("gauss", "laplace")) == "gauss"
        # Both families have the same variance at the same setting: a Laplace prior of scale b has 2 b^2.
        rate = 0.0 if math.isinf(variance) else 1.0 / s.total
        l2, l1 = (rate, 0.0) if gauss else (0.0, math.sqrt(2.0) * rate)
        return Objective.of(1.0 / s.total, s.on_slopes(l2), s.on_slopes(l1), 1.0 / math.sqrt(variance))

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = strengths(penalty, s)
        if l1 > 0.0:
            no_l2(penalty, "it has a Gauss or a Laplace prior, and with the latter it")
            return {"variance": 2.0 / l1**2, "prior": "laplace"}
        return {"variance": 1.0 / l2 if l2 > 0.0 else math.inf, "prior": "gauss"}

    def words(self, p: Parameters, s: Sizes) -> str:
        v = shown(p["variance"])
        prior = f"SS(b) / (2 x {v})" if p["prior"] == "gauss" else f"sqrt(2 / {v}) A(b)"
        return f"(1/{shown(s.total)}) [loss + {prior}]"


@dataclass(frozen=True)
class Celer:
    """``sum of losses + (1/C) sum |w|``, and no intercept."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        return Objective.of(1.0, 0.0, s.on_slopes(1.0 / number(self.title, "C", p["C"], open_low=True)), 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        no_l2(penalty, "it")
        l1 = strengths(penalty, s)[1]
        return {"C": 1.0 / l1 if l1 > 0.0 else math.inf}

    def words(self, p: Parameters, s: Sizes) -> str:
        return f"loss + (1/{shown(p['C'])}) A(b)"


@dataclass(frozen=True)
class UnknownFactor:
    """GAUSS: ``ctl.l1`` and ``ctl.l2`` times factors that its manual does not give; a known fit shows them."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        l2, l1 = self._rate(p, "l2"), self._rate(p, "l1")
        bias = choice(self.title, "penalised_intercept", p["penalised_intercept"], (True, False))
        return Objective.of(1.0, s.on_slopes(l2, l2 if bias else 0.0), s.on_slopes(l1, l1 if bias else 0.0), 1.0)

    def _rate(self, p: Parameters, name: str) -> float:
        given = finite(self.title, name, p[name])
        if given == 0.0:
            return 0.0
        if p[f"{name}_factor"] is None:
            raise CannotSayError(
                f"the manual of GAUSS gives no formula for ctl.{name}, so its factor is unknown",
                f"Give one fit that you have from it: convert(source='gauss_software', {name}=..., "
                "coefficients={column: value, ...}, design=design, to=...) finds the factor from that, and "
                f"{name}_factor=... uses it from then on",
            )
        return given * number(self.title, f"{name}_factor", p[f"{name}_factor"], open_low=True)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = strengths(penalty, s)
        bias = bool(s.has_intercept and penalty.total[0] > 0.0)
        if bias and (common(penalty.lambda2) is None or common(penalty.lambda1) is None):
            raise CannotSayError(
                "its intercept is penalised as the slopes are, or not at all", free_intercept(penalty, s)
            )
        result: dict[str, Any] = {"l1": 0.0, "l2": 0.0, "l1_factor": None, "l2_factor": None}
        for name, rate in (("l1", l1), ("l2", l2)):
            if rate > 0.0:
                factor = free.get(f"{name}_factor")
                self._rate({name: 1.0, f"{name}_factor": factor}, name)
                result |= {name: rate / float(factor or 1.0), f"{name}_factor": factor}
        return result | {"penalised_intercept": bias}

    def words(self, p: Parameters, s: Sizes) -> str:
        l2 = f" + {shown(p['l2_factor'])} x {shown(p['l2'])} / 2 SS(b)" if p["l2"] else ""
        l1 = f" + {shown(p['l1_factor'])} x {shown(p['l1'])} A(b)" if p["l1"] else ""
        return f"loss{l2}{l1}" + (", the intercept included" if p["penalised_intercept"] and s.has_intercept else "")
