"""The rules of libraries: scikit-learn, glmnet, H2O, Spark, skglm and glum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.checks import call, choice, finite, number, shown, vector
from bayeslogit.errors import ArgumentError
from bayeslogit.penalties import Objective, Penalty, Sizes, common
from bayeslogit.rules import CannotSayError, Parameters, free_intercept, mixed, strengths, times

Array = NDArray[np.float64]
_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")


@dataclass(frozen=True)
class ScikitLearn:
    """``C * sum of losses + r(w)``, ``r = (1-rho)/2 SS(w) + rho A(w)``; or the mean loss plus ``alpha r(w)``.

    liblinear appends a column of ``intercept_scaling`` and penalises its weight as any other.
    """

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        mix = self._mix(p)
        liblinear = self._solver(p, mix) == "liblinear"
        C = 1.0 if p["C"] is None else number(self.title, "C", p["C"], open_low=True)
        if p["alpha"] is not None:
            if p["C"] is not None:
                raise ArgumentError(f"{self.title}: give C= or alpha=, not both; alpha is 1 / (C x sum of weights).")
            factor, strength = 1.0 / s.total, finite(self.title, "alpha", p["alpha"])
        else:
            factor, strength = (C, 1.0) if math.isfinite(C) else (1.0, 0.0)
        if liblinear and strength == 0.0:
            raise ArgumentError(f"{self.title}: solver='liblinear' has no C=inf; solver='newton-cholesky' has.")
        scaling = number(self.title, "intercept_scaling", p["intercept_scaling"], open_low=True)
        bias = strength if liblinear else 0.0
        unit = s.on_slopes(1.0, 1.0 / scaling)
        return Objective.of(factor, s.on_slopes(strength, bias) * (1 - mix), s.on_slopes(strength, bias) * mix, unit)

    def _mix(self, p: Parameters) -> float:
        """The share of L1; ``penalty=`` says it in scikit-learn before 1.8."""
        mix = number(self.title, "l1_ratio", p["l1_ratio"], high=1.0)
        penalty = choice(self.title, "penalty", p["penalty"], ("elasticnet", "l1", "l2"))
        own = {"l1": 1.0, "l2": 0.0}.get(penalty, mix)
        if mix not in (0.0, own):
            raise ArgumentError(f"{self.title}: penalty={penalty!r} and l1_ratio={mix:g} contradict each other.")
        return own

    def _solver(self, p: Parameters, mix: float) -> str:
        if p["solver"] is None:
            return "lbfgs" if mix == 0.0 else "saga"
        solver = str(choice(self.title, "solver", p["solver"], _SOLVERS))
        able = solver == "saga" or mix == 0.0 or (solver == "liblinear" and mix == 1.0)
        if not able:
            raise ArgumentError(f"{self.title}: solver={solver!r} refuses l1_ratio={mix:g}; solver='saga' takes any.")
        return solver

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = strengths(penalty, s)
        total = l2 + l1
        found: dict[str, Any] = {"C": 1.0 / total if total > 0.0 else math.inf, "l1_ratio": l1 / total if l1 else 0.0}
        solver = free.get("solver")
        if not (s.has_intercept and penalty.total[0] > 0.0):
            if solver == "liblinear" and s.has_intercept:
                raise CannotSayError("solver='liblinear' always penalises the intercept", "Leave the solver to convert")
            found["solver"] = self._solver({"solver": solver}, found["l1_ratio"])
            return found
        pure_l2 = l1 == 0.0 < l2 and penalty.lambda1[0] == 0.0
        pure_l1 = l2 == 0.0 < l1 and penalty.lambda2[0] == 0.0
        if not (pure_l2 or pure_l1) or solver not in (None, "liblinear"):
            raise CannotSayError(
                "it penalises the intercept with solver='liblinear' only, and there as the slopes: by L2 or by L1",
                free_intercept(penalty, s),
            )
        scaling = math.sqrt(l2 / penalty.lambda2[0]) if pure_l2 else l1 / penalty.lambda1[0]
        return found | {"solver": "liblinear", "intercept_scaling": float(scaling)}

    def words(self, p: Parameters, s: Sizes) -> str:
        mix = self._mix(p)
        if p["alpha"] is not None:
            return f"loss / {shown(s.total)} + {mixed(shown(p['alpha']), mix)}"
        C = 1.0 if p["C"] is None else float(p["C"])
        tail = mixed("", mix).strip(" []")
        if math.isinf(C):
            return "loss"
        if self._solver(p, mix) != "liblinear" or not s.has_intercept:
            return f"{times(C, 'loss')} + {tail}"
        c = shown(p["intercept_scaling"])
        return f"{times(C, 'loss')} + {tail}, where b includes the weight intercept / {c} of the column of {c}s"


@dataclass(frozen=True)
class Standardising:
    """``loss / W + lambda [(1-alpha)/2 SS(z) + alpha A(z)]`` on ``z_j = s_j b_j``, or on b: glmnet, H2O, Spark.

    Attributes
    ----------
    strength, mix, switch : str
        Names of the parameters: lambda, alpha and whether it standardises.
    sd : function
        The sds that this system divides by.
    factors : str, optional
        Name of the penalty factors of the slopes; they are made to have mean 1.
    """

    title: str
    strength: str
    mix: str
    switch: str
    sd: Callable[[Sizes], Array]
    factors: str | None = None

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        strength, mix = (
            finite(self.title, self.strength, p[self.strength]),
            number(self.title, self.mix, p[self.mix], high=1.0),
        )
        each = s.on_slopes(strength * self._factors(p, s))
        return Objective.of(1.0 / s.total, each * (1.0 - mix), each * mix, self._unit(bool(self._switch(p)), s))

    def _switch(self, p: Parameters) -> bool:
        return bool(choice(self.title, self.switch, p[self.switch], (True, False)))

    def _unit(self, standardises: bool, s: Sizes) -> Array:
        return s.standardising(self.title, self.sd(s)) if standardises else np.ones(s.p)

    def _factors(self, p: Parameters, s: Sizes) -> Array:
        given = None if self.factors is None else p[self.factors]
        names = s.columns[int(s.has_intercept) :]
        if given is None:
            return np.ones(len(names))
        factors = vector(self.title, str(self.factors), given, names)
        if factors.sum() == 0.0:
            raise ArgumentError(f"{self.title}: {self.factors}={given!r} penalises no column; use {self.strength}=0.")
        return factors * (factors.size / factors.sum())

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        wanted = [self._switch(free)] if self.switch in free else [True, False]
        if not np.any(penalty.total > 0.0):
            return {self.strength: 0.0, self.mix: 0.0, self.switch: wanted[0]}
        ways = [(each, False) for each in wanted]
        if self.factors is not None:
            ways += [(each, True) for each in reversed(wanted)]
        for standardises, factors in ways:
            found = self._way(penalty, s, standardises, factors)
            if found is not None:
                return found
        if self.switch in free:
            other = self.settings(penalty, s, {})
            raise CannotSayError(
                f"with {self.switch}={wanted[0]} one alpha and one lambda do not give these strengths",
                f"Exactly the same penalty without that option: {call(other)}",
            )
        if self.factors is not None:
            l2, l1 = penalty.lambda2[s.slope], penalty.lambda1[s.slope]
            same = replace(penalty, lambda2=s.on_slopes(l2.mean(), penalty.lambda2[0]), lambda1=s.on_slopes(l1.mean()))
            raise CannotSayError(
                "the shares of L1 and L2 differ between its columns, and it has one alpha for all", same
            )
        strengths(penalty, s)
        raise AssertionError("strengths() says what differs")

    def _way(self, penalty: Penalty, s: Sizes, standardises: bool, factors: bool) -> dict[str, Any] | None:
        sd = self.sd(s)
        if standardises and not np.all(sd[s.slope] > 0.0):
            return None
        unit = sd[s.slope] if standardises else 1.0
        l2, l1 = penalty.lambda2[s.slope] / unit**2 / s.total, penalty.lambda1[s.slope] / unit / s.total
        total = l2 + l1
        mix = common(l1[total > 0.0] / total[total > 0.0])
        even = common(total)
        if mix is None or (even is None and not factors):
            return None
        strength = float(total.mean()) if even is None else even
        found: dict[str, Any] = {self.strength: strength, self.mix: mix, self.switch: standardises}
        return found if even is not None else found | {str(self.factors): total / strength}

    def words(self, p: Parameters, s: Sizes) -> str:
        z = "z" if self._switch(p) else "b"
        text = f"loss / {shown(s.total)} + {mixed(shown(p[self.strength]), float(p[self.mix]), z)}"
        if self.factors is not None and p[self.factors] is not None:
            text += f", each column times its {self.factors} {shown(self._factors(p, s))}"
        return text + (f", z_j = s_j b_j with sds s = {shown(self.sd(s)[s.slope])}" if z == "z" else "")


@dataclass(frozen=True)
class Skglm:
    """``loss / n + alpha [(1-l1_ratio)/2 SS(w) + l1_ratio A(w)]``."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        strength, mix = finite(self.title, "alpha", p["alpha"]), number(self.title, "l1_ratio", p["l1_ratio"], high=1.0)
        return Objective.of(1.0 / s.total, s.on_slopes(strength * (1.0 - mix)), s.on_slopes(strength * mix), 1.0)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = strengths(penalty, s)
        return {"alpha": (l2 + l1) / s.total, "l1_ratio": l1 / (l2 + l1) if l1 > 0.0 else 0.0}

    def words(self, p: Parameters, s: Sizes) -> str:
        return f"loss / {shown(s.total)} + {mixed(shown(p['alpha']), float(p['l1_ratio']))}"


@dataclass(frozen=True)
class Glum:
    """``deviance / (2 sum s) + alpha l1_ratio A(P1 w) + alpha (1-l1_ratio)/2 w'P2 w``."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        strength = finite(self.title, "alpha", 0.0 if p["alpha"] is None else p["alpha"])
        mix = number(self.title, "l1_ratio", p["l1_ratio"], high=1.0)
        scaled = choice(self.title, "scale_predictors", p["scale_predictors"], (True, False))
        if scaled and not s.has_intercept:
            raise ArgumentError(f"{self.title}: it refuses scale_predictors=True without an intercept.")
        unit = s.standardising(self.title, s.sd_population) if scaled else 1.0
        l2, l1 = (self._weights(p, key, s) for key in ("P2", "P1"))
        return Objective.of(
            1.0 / s.total, s.on_slopes(strength * (1.0 - mix) * l2), s.on_slopes(strength * mix * l1), unit
        )

    def _weights(self, p: Parameters, key: str, s: Sizes) -> Array:
        plain = p[key] is None or (isinstance(p[key], str) and p[key] == "identity")
        return vector(self.title, key, 1.0 if plain else p[key], s.columns[int(s.has_intercept) :])

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        scaled = bool(choice(self.title, "scale_predictors", free.get("scale_predictors", False), (True, False)))
        unit = s.standardising(self.title, s.sd_population)[s.slope] if scaled else 1.0
        l2, l1 = penalty.lambda2[s.slope] / unit**2 / s.total, penalty.lambda1[s.slope] / unit / s.total
        a, b = (float(each.mean()) if each.size else 0.0 for each in (l2, l1))
        found: dict[str, Any] = {
            "alpha": a + b,
            "l1_ratio": b / (a + b) if b > 0.0 else 0.0,
            "scale_predictors": scaled,
        }
        for key, each, middle in (("P1", l1, b), ("P2", l2, a)):
            if common(each) is None:
                found[key] = each / middle
        return found

    def words(self, p: Parameters, s: Sizes) -> str:
        z = "z" if p["scale_predictors"] else "b"
        mix, parts = float(p["l1_ratio"]), []
        l1, l2 = self._weights(p, "P1", s), self._weights(p, "P2", s)
        if mix < 1.0:
            inside = f"SS({z})" if common(l2) == 1.0 else f"sum P2_j {z}_j^2, P2 = {shown(l2)}"
            parts.append(f"{shown(0.5 * (1.0 - mix))} {inside}")
        if mix > 0.0:
            inside = f"A({z})" if common(l1) == 1.0 else f"sum P1_j |{z}_j|, P1 = {shown(l1)}"
            parts.append(f"{shown(mix)} {inside}")
        alpha = shown(0.0 if p["alpha"] is None else p["alpha"])
        tail = f", z_j = s_j b_j with sds s = {shown(s.sd_population[s.slope])}" if z == "z" else ""
        return f"loss / {shown(s.total)} + {alpha} [{' + '.join(parts)}]{tail}"
