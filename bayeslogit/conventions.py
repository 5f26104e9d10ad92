"""The systems whose way to write a penalty we know: a table of plain records, read by the converter.

A `System` says what it minimises as an `Objective` in its own numbers; what that is on our scale, a `Penalty`, is
arithmetic. The way back finds its parameters for a penalty, or says why there are none and what comes nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayeslogit.checks import call, shown
from bayeslogit.errors import ArgumentError
from bayeslogit.penalties import Objective, Penalty, Sizes
from bayeslogit.rules import (
    CannotSayError,
    Celer,
    GradientDescent,
    Knime,
    Parameters,
    Rule,
    SumOfSquares,
    UnknownFactor,
    WeightDecay,
    free_intercept,
)
from bayeslogit.rules_libraries import Glum, ScikitLearn, Skglm, Standardising
from bayeslogit.rules_own import Bayeslogit
from bayeslogit.rules_statsmodels import BayesMixed, StatsmodelsGlm, StatsmodelsLogit

_REQUIRED = object()
_WEIGHTS = ("weights", "sample_weight", "weightCol", "weights_column", "freq_weights", "offset")


@dataclass(frozen=True)
class System:
    """A system and its convention.

    Attributes
    ----------
    key : str
        What `convert` calls it.
    rule : Rule
        Objective, settings and words.
    defaults : mapping
        Its parameters, with the values that it takes when the user gives none.
    free : tuple of str
        Parameters that the user may choose when several ways say the same.
    switch : str, optional
        The parameter that says whether there is an intercept.
    intercept : {"free", "may be penalised", "none"}
    takes : tuple of str
        Of weights and offsets, what it takes.
    notes : tuple of str
        What to mind when the two fits are compared.
    """

    key: str
    rule: Rule
    defaults: Mapping[str, Any]
    free: tuple[str, ...] = ()
    switch: str | None = None
    intercept: str = "free"
    takes: tuple[str, ...] = ("weights", "offset")
    means: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        return self.rule.title

    def complete(self, given: Parameters, s: Sizes) -> dict[str, Any]:
        """The parameters with the defaults filled in.

        Raises
        ------
        ArgumentError
            If one is unknown or missing, or the system and the design disagree about the intercept.
        """
        rest = dict(given)
        if self.switch is not None and bool(rest.pop(self.switch, s.has_intercept)) != s.has_intercept:
            has = "an" if s.has_intercept else "no"
            raise ArgumentError(
                f"{self.title}: {self.switch}={given[self.switch]!r}, but the design has {has} intercept; "
                "make the design as the system does."
            )
        if self.intercept == "none" and s.has_intercept:
            raise ArgumentError(f"{self.title} fits no intercept, and the design has one; use intercept=False.")
        unknown = [name for name in rest if name not in self.defaults]
        if unknown:
            named = ", ".join([*self.defaults, *([self.switch] if self.switch else [])])
            hint = (
                " Weights and offsets belong to the design: Design.from_arrays(..., weights=...)."
                if set(unknown) & set(_WEIGHTS)
                else ""
            )
            raise ArgumentError(f"{self.title} has no parameter {', '.join(unknown)} here; it has {named}.{hint}")
        found = {**self.defaults, **rest}
        missing = [name for name, value in found.items() if value is _REQUIRED]
        if missing:
            raise ArgumentError(
                f"{self.title}: {', '.join(missing)} is missing; the system has no value that is always right."
            )
        return found

    def objective(self, given: Parameters, s: Sizes) -> Objective:
        """What it minimises."""
        try:
            return self.rule.objective(self.complete(given, s), s)
        except CannotSayError as problem:
            raise ArgumentError(f"{self.title}: {problem.why}. {problem.nearest}.") from None

    def words(self, given: Parameters, s: Sizes) -> str:
        """The objective with the user's numbers."""
        return self.rule.words(self.complete(given, s), s)

    def settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        """Its parameters for a penalty.

        Raises
        ------
        ArgumentError
            If there are none; the message says why, and what comes nearest.
        """
        unknown = [name for name in free if name not in self.free]
        if unknown:
            choices = f"of {', '.join(self.free)}" if self.free else "nothing"
            raise ArgumentError(f"{self.title}: options={dict(free)!r}: one is free to choose {choices}.")
        try:
            return self._settings(penalty, s, free)
        except CannotSayError as problem:
            raise ArgumentError(
                f"{self.title} cannot say this: {problem.why}. {self._nearest(problem.nearest, s, free)}"
            ) from None

    def _settings(self, penalty: Penalty, s: Sizes, free: Parameters) -> dict[str, Any]:
        if self.intercept == "none" and s.has_intercept:
            raise CannotSayError("it fits no intercept, and the design has one", "Use a design with intercept=False")
        drawn = (penalty.mean != 0.0) & (penalty.total > 0.0)
        if np.any(drawn) and not self.means:
            names = ", ".join(name for name, each in zip(s.columns, drawn, strict=True) if each)
            raise CannotSayError(
                f"it draws coefficients to 0, and the prior mean of {names} is not. With an offset of "
                "sum_j mean_j x_j the rest is drawn to 0",
                replace(penalty, mean=np.zeros(s.p)),
            )
        if self.intercept == "free" and s.has_intercept and penalty.total[0] > 0.0:
            sd = shown(penalty.prior_sd()[0])
            raise CannotSayError(
                f"it leaves the intercept free, and the prior of this one has sd {sd}", free_intercept(penalty, s)
            )
        found = self.rule.settings(penalty, s, free)
        return found if s.has_intercept or self.switch is None else found | {self.switch: False}

    def _nearest(self, nearest: Penalty | str, s: Sizes, free: Parameters) -> str:
        if isinstance(nearest, str):
            return f"{nearest}."
        for _ in range(5):  # the nearest may need a second change, of the intercept for example
            try:
                return f"Nearest: {call(self._settings(nearest, s, free))}."
            except CannotSayError as problem:
                if isinstance(problem.nearest, str):
                    return f"{problem.nearest}."
                nearest = problem.nearest
        return "Nothing comes near."


_OWN: dict[str, Any] = dict.fromkeys(("prior", "family", "scale", "l1", "l2")) | {"mean": 0.0}
_OWN |= {"intercept_scale": np.inf, "intercept_laplace": np.inf, "intercept_mean": 0.0}
_TABLE = (
    System("bayeslogit", Bayeslogit("bayeslogit"), _OWN, intercept="may be penalised", means=True),
    System(
        "sklearn",
        ScikitLearn("scikit-learn LogisticRegression"),
        {
            "C": None,
            "l1_ratio": 0.0,
            "solver": None,
            "intercept_scaling": 1.0,
            "alpha": None,
            "penalty": "elasticnet",
        },
        free=("solver",),
        switch="fit_intercept",
        intercept="may be penalised",
        takes=("weights",),
        notes=("scikit-learn stops early by default; to compare, solver='newton-cholesky' or a tol of 1e-10.",),
    ),
    System(
        "glmnet",
        Standardising("glmnet", "lambda_", "alpha", "standardize", lambda s: s.sd_population, "penalty_factor"),
        {"lambda_": _REQUIRED, "alpha": 1.0, "standardize": True, "penalty_factor": None},
        free=("standardize",),
        switch="intercept",
        notes=(
            "glmnet stops early by default (thresh = 1e-7; to compare, 1e-14), gives coefficients on the original "
            "scale, and with alpha = 0 its own path starts at the largest lambda of alpha = 0.001.",
        ),
    ),
    System(
        "statsmodels_glm",
        StatsmodelsGlm("statsmodels GLM.fit_regularized"),
        {"alpha": 0.0, "L1_wt": 1.0},
        intercept="may be penalised",
        notes=("statsmodels penalises the constant too unless alpha is a vector with 0 in its place.",),
    ),
    System(
        "statsmodels_logit",
        StatsmodelsLogit("statsmodels Logit.fit_regularized"),
        {"alpha": _REQUIRED},
        intercept="may be penalised",
        takes=("offset",),
        notes=("statsmodels penalises the constant too unless alpha is a vector with 0 in its place.",),
    ),
    System(
        "statsmodels_bayes_mixed",
        BayesMixed("statsmodels BinomialBayesMixedGLM"),
        {"fe_p": 2.0},
        intercept="may be penalised",
        takes=(),
        notes=("Only the prior of the fixed effects is converted; random effects are another model.",),
    ),
    System(
        "glum",
        Glum("glum GeneralizedLinearRegressor"),
        {"alpha": None, "l1_ratio": 0.0, "P1": "identity", "P2": "identity", "scale_predictors": False},
        free=("scale_predictors",),
        switch="fit_intercept",
    ),
    System(
        "spark",
        Standardising(
            "Spark ML LogisticRegression", "regParam", "elasticNetParam", "standardization", lambda s: s.sd_spark
        ),
        {"regParam": 0.0, "elasticNetParam": 0.0, "standardization": True},
        free=("standardization",),
        switch="fitIntercept",
        takes=("weights",),
    ),
    System(
        "h2o",
        Standardising("H2O GLM", "lambda_", "alpha", "standardize", lambda s: s.sd_h2o),
        {"lambda_": _REQUIRED, "alpha": 0.5, "standardize": True},
        free=("standardize",),
        switch="intercept",
        notes=("H2O standardises numeric columns only; give it indicator columns, not enums, to have the same fit.",),
    ),
    System(
        "knime", Knime("KNIME Logistic Regression Learner (SAG)"), {"variance": _REQUIRED, "prior": "gauss"}, takes=()
    ),
    System("celer", Celer("celer LogisticRegression"), {"C": 1.0}, switch="fit_intercept", intercept="none", takes=()),
    System(
        "skglm",
        Skglm("skglm SparseLogisticRegression"),
        {"alpha": 1.0, "l1_ratio": 1.0},
        switch="fit_intercept",
        takes=(),
    ),
    System("gradient_descent", GradientDescent("gradient descent (course style)"), {"lambda_": _REQUIRED}),
    System("sum_of_squares", SumOfSquares("lambda times a sum of squares"), {"lambda_": _REQUIRED, "a": 0.0}),
    System(
        "weight_decay",
        WeightDecay("weight decay"),
        {"wd": _REQUIRED, "half": True, "bias": True},
        free=("half",),
        intercept="may be penalised",
    ),
    System(
        "gauss_software",
        UnknownFactor("GAUSS logisticRegFit"),
        {"l1": 0.0, "l2": 0.0, "l1_factor": None, "l2_factor": None, "penalised_intercept": False},
        free=("l1_factor", "l2_factor"),
        intercept="may be penalised",
    ),
)
SYSTEMS: dict[str, System] = {system.key: system for system in _TABLE}


def system_called(name: Any, argument: str) -> System:
    """The system of a name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if not isinstance(name, str) or name not in SYSTEMS:
        raise ArgumentError(f"convert({argument}={name!r}): there is no such system. Known: {', '.join(SYSTEMS)}.")
    return SYSTEMS[name]
