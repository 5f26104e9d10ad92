"""Our own convention as a rule: a Normal or Laplace scale, elastic net rates, or any prior object of these families."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.checks import choice, scales, shown, vector
from bayeslogit.errors import ArgumentError
from bayeslogit.penalties import Objective, Penalty, Sizes, common
from bayeslogit.presets import as_prior
from bayeslogit.resolved import WHOLE, PriorTerm, ResolvedPrior
from bayeslogit.rules import CannotSayError, Parameters

Array = NDArray[np.float64]
_FAMILIES = ("normal", "laplace", "elastic_net", "flat")


@dataclass(frozen=True)
class Bayeslogit:
    """``loss + sum_j (b_j - m_j)^2 / (2 scale_j^2) + sum_j |b_j - m_j| / scale_j``: the log prior, negated."""

    title: str

    def objective(self, p: Parameters, s: Sizes) -> Objective:
        penalty = self._penalty(p, s)
        return Objective(1.0, penalty.lambda2, penalty.lambda1, np.ones(s.p), penalty.mean)

    def _penalty(self, p: Parameters, s: Sizes) -> Penalty:
        if p["prior"] is not None:
            return self._of_prior(p["prior"], s)
        names = s.columns[int(s.has_intercept) :]
        guess = "elastic_net" if p["scale"] is None else "normal"
        family = choice(self.title, "family", guess if p["family"] is None else p["family"], _FAMILIES)
        used = {"normal": ("scale",), "laplace": ("scale",), "elastic_net": ("l1", "l2"), "flat": ()}[family]
        for key in ("scale", "l1", "l2"):
            if (p[key] is None) == (key in used):
                need = " and ".join(f"{each}=" for each in used) or "no number"
                raise ArgumentError(f"{self.title}: family={family!r} takes {need}; {key}={p[key]!r} was given.")
        l2 = l1 = np.zeros(len(names))
        if family == "normal":
            l2 = scales(self.title, "scale", p["scale"], names) ** -2.0
        if family == "laplace":
            l1 = 1.0 / scales(self.title, "scale", p["scale"], names)
        if family == "elastic_net":
            l2, l1 = vector(self.title, "l2", p["l2"], names), vector(self.title, "l1", p["l1"], names)
        own = scales(self.title, "intercept_scale", p["intercept_scale"], ["Intercept"])[0]
        kink = scales(self.title, "intercept_laplace", p["intercept_laplace"], ["Intercept"])[0]
        mean = vector(self.title, "mean", p["mean"], names, signed=True)
        return Penalty(
            s.on_slopes(l2, own**-2.0), s.on_slopes(l1, 1.0 / kink), s.on_slopes(mean, float(p["intercept_mean"]))
        )

    def _of_prior(self, given: Any, s: Sizes) -> Penalty:
        resolved = given if isinstance(given, ResolvedPrior) else as_prior(given).resolve(s.design)
        if resolved.columns != s.columns:
            raise ArgumentError(
                f"{self.title}: the prior is of the columns {resolved.columns}, the design's are {s.columns}."
            )
        if resolved.whole:
            raise CannotSayError(
                f"{WHOLE[resolved.whole]} is a prior of the whole model, not a penalty of each coefficient",
                "Convert a prior of separate coefficients, such as Normal(2.5)",
            )
        penalty = Penalty(np.zeros(s.p), np.zeros(s.p), np.zeros(s.p))
        for term in resolved.terms:
            self._add(term, penalty, resolved)
        return penalty

    def _add(self, term: PriorTerm, penalty: Penalty, resolved: ResolvedPrior) -> None:
        index, p = list(term.columns), term.parameters
        if term.family == "flat":
            return
        if term.map is not None:
            names = ", ".join(resolved.columns[j] for j in index)
            raise CannotSayError(
                f"the prior of {names} is on a combination of coefficients ({term.label(0)}), not on the coefficient",
                "Give the intercept a prior of its own: priors(default=..., intercept=...)",
            )
        if term.family == "normal":
            penalty.lambda2[index] = p["scale"] ** -2.0
        elif term.family == "laplace":
            penalty.lambda1[index] = 1.0 / p["scale"]
        elif term.family == "elastic_net":
            penalty.lambda2[index], penalty.lambda1[index] = p["l2"], p["l1"]
        else:
            raise CannotSayError(
                f"{term.label(0)} is neither an L1 nor an L2 penalty, and no other system of this table has it",
                "Normal, Laplace, ElasticNet and Flat have a penalty",
            )
        penalty.mean[index] = p["mean"]

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        l2, l1 = penalty.lambda2[s.slope], penalty.lambda1[s.slope]
        found: dict[str, Any]
        with np.errstate(divide="ignore"):
            if not np.any(penalty.total[s.slope] > 0.0):
                found = {"family": "flat"}
            elif not np.any(l1 > 0.0):
                found = {"family": "normal", "scale": _short(1.0 / np.sqrt(l2))}
            elif not np.any(l2 > 0.0):
                found = {"family": "laplace", "scale": _short(1.0 / l1)}
            else:
                found = {"family": "elastic_net", "l1": _short(l1), "l2": _short(l2)}
        if np.any(penalty.mean[s.slope] != 0.0):
            found["mean"] = _short(penalty.mean[s.slope])
        if s.has_intercept:
            if penalty.lambda2[0] > 0.0:
                found["intercept_scale"] = 1.0 / math.sqrt(penalty.lambda2[0])
            if penalty.lambda1[0] > 0.0:
                found["intercept_laplace"] = float(1.0 / penalty.lambda1[0])
            if penalty.total[0] > 0.0 and penalty.mean[0] != 0.0:
                found["intercept_mean"] = float(penalty.mean[0])
        return found

    def words(self, p: Parameters, s: Sizes) -> str:
        penalty = self._penalty(p, s)
        text = "loss"
        for rates, form, square in (
            (penalty.lambda2, "1/2 sum_j {} {}^2", True),
            (penalty.lambda1, "sum_j {} |{}|", False),
        ):
            if np.any(rates[s.slope] > 0.0):
                mean = _short(penalty.mean[s.slope])
                away = _away("b_j", "" if isinstance(mean, float) and mean == 0.0 else shown(mean), square)
                text += " + " + form.format(shown(_short(rates[s.slope])), away)
            if s.has_intercept and rates[0] > 0.0:
                away = _away("intercept", "" if penalty.mean[0] == 0.0 else shown(penalty.mean[0]), square)
                text += " + " + form.replace("sum_j ", "").format(shown(rates[0]), away)
        return text


def _away(name: str, center: str, square: bool) -> str:
    """The distance from a centre, in brackets where it is squared: an absolute value has its own."""
    if not center:
        return name
    return f"({name} - {center})" if square else f"{name} - {center}"


def _short(values: Array) -> float | Array:
    """One number where all are the same."""
    finite = np.isfinite(values)
    same = common(values) if finite.all() else (math.inf if not finite.any() else None)
    return values if same is None else same
