"""A model that another package fitted, with honest uncertainty: the same data, its penalty as the prior it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._convert import convert
from bayeslogit._fit import fit as fit_line
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, DataError
from bayeslogit.results import Fit

Array = NDArray[np.float64]

# Further than this from the optimum of its own objective, in posterior sds, an estimate is called not converged.
_CLOSE = 1e-2
_SKLEARN = ("LogisticRegression", "LogisticRegressionCV", "SGDClassifier")


@guarded
def from_sklearn(estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Fit:
    """A fitted scikit-learn model as a `Fit`: standard errors, intervals and draws for what it estimated.

    Its penalty is translated to the prior that it is (L2: ``Normal(sqrt(C))`` on the slopes; see `convert`), the same
    objective is solved to its optimum on the rows given, and a note says how far from it scikit-learn had stopped.

    Parameters
    ----------
    estimator : LogisticRegression, LogisticRegressionCV, SGDClassifier(loss="log_loss"), or a Pipeline that ends so
        Fitted, for two classes. With a pipeline the coefficients are those of its transformed columns.
    X, y : as in ``estimator.fit``
        The rows that it was fitted to.
    sample_weight : array_like, shape (n,), optional
        The weights that it was fitted with; ``class_weight`` is read from the estimator and multiplied in.

    Returns
    -------
    Fit

    Raises
    ------
    ArgumentError
        If the estimator is of another kind, not fitted, of several classes, or its penalty cannot be read.
    DataError
        If the rows do not go with the estimator.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> X, y = wells[["dist100", "arsenic"]], wells["switch"]
    >>> print(bl.from_sklearn(LogisticRegression(C=0.5).fit(X, y), X, y).bse.round(3).to_dict())
    {'Intercept': 0.079, 'dist100': 0.104, 'arsenic': 0.041}
    """
    last, rows, names = _end_of_pipeline(estimator, X)
    kind = type(last).__name__
    if kind not in _SKLEARN:
        raise ArgumentError(
            f"from_sklearn({kind}): a fitted {', '.join(_SKLEARN)}, or a Pipeline that ends in one, is needed; for "
            "others give bayeslogit.fit() the prior that bayeslogit.convert() finds."
        )
    if not hasattr(last, "coef_"):
        raise ArgumentError(f"from_sklearn({kind}): the estimator is not fitted; call its fit(X, y) first.")
    if len(last.classes_) != 2:
        raise ArgumentError(f"from_sklearn({kind}): it was fitted to {len(last.classes_)} classes; two are needed.")
    names = names or list(getattr(last, "feature_names_in_", [])) or None
    labels = np.asarray(y).ravel()
    strange = [label for label in np.unique(labels) if label not in last.classes_]
    if strange:
        raise DataError(f"from_sklearn(y=): {strange[0]!r} is not a class of the estimator ({list(last.classes_)}).")
    if rows.shape[1] != last.coef_.shape[1]:
        raise DataError(
            f"from_sklearn(X=): {rows.shape[1]} columns reach the estimator, which was fitted to {last.coef_.shape[1]}."
        )
    design = Design.from_arrays(
        rows,
        (labels == last.classes_[1]).astype(np.float64),
        names=names,
        weights=_weights(last, labels, sample_weight),
        intercept=bool(last.fit_intercept),
    )
    spec = replace(design.spec, event=str(last.classes_[1]), other=str(last.classes_[0]))
    design = replace(design, spec=spec)
    params = _sklearn_parameters(last)
    found = convert(source="sklearn", to="bayeslogit", design=design, **params)
    given = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}" for name, value in params.items()
    )
    intercept = np.ravel(last.intercept_) if last.fit_intercept else np.empty(0)
    theirs = np.concatenate([intercept, np.ravel(last.coef_)]).astype(np.float64)
    return _with_their_note(_fit_of(design, found.prior), theirs, f"scikit-learn's {kind}({given})")


@guarded
def from_statsmodels(
    result: Any, *, alpha: float | ArrayLike | None = None, L1_wt: float = 0.0, prior: Any = None
) -> Fit:
    """A fitted statsmodels model as a `Fit`: the same columns, weights and offset, and its penalty as a prior.

    Parameters
    ----------
    result : results of ``Logit`` or of ``GLM`` with the Binomial family and its logit link
        Of ``fit()``, or of ``fit_regularized()``.
    alpha, L1_wt : float
        What ``GLM.fit_regularized`` was given, as its results do not keep it; ``Logit.fit_regularized`` keeps its own.
    prior : Prior or str, optional
        Instead of the penalty of the model: what would the model say under this prior? Every column counts as a slope,
        the constant too.

    Returns
    -------
    Fit
        Its columns are those of the model, the constant under its own name.

    Raises
    ------
    ArgumentError
        If the model is of another kind, or its penalty is needed and was not given.
    """
    model = getattr(result, "model", None)
    family, link = getattr(model, "family", None), getattr(getattr(model, "family", None), "link", None)
    kind = type(model).__name__
    logit = kind == "Logit" or (type(family).__name__ == "Binomial" and type(link).__name__.lower() == "logit")
    if model is None or not logit:
        raise ArgumentError(
            f"from_statsmodels({type(result).__name__} of {kind}): results of Logit, or of GLM with Binomial() and its "
            "logit link, are needed."
        )
    theirs = np.asarray(result.params, dtype=np.float64)
    trials = getattr(model, "n_trials", 1)
    trials = None if np.ndim(trials) == 0 else np.asarray(trials, dtype=np.float64)
    y = np.asarray(model.endog, dtype=np.float64)
    weights, offset = _by_row(model, "freq_weights", 1.0, y.shape), _by_row(model, "offset", 0.0, y.shape)
    design = Design.from_arrays(
        np.asarray(model.exog, dtype=np.float64),
        y if trials is None else np.rint(y * trials),
        names=[str(name) for name in model.exog_names],
        trials=trials,
        weights=weights,
        offset=offset,
        intercept=False,
    )
    if prior is not None:
        return fit_line(design, prior=prior)
    penalty = _statsmodels_penalty(result, kind, alpha, L1_wt)
    if penalty is None:
        return _with_their_note(fit_line(design, prior=None), theirs, f"statsmodels' {kind}")
    found = convert(to="bayeslogit", design=design, **penalty)
    return _with_their_note(_fit_of(design, found.prior), theirs, f"statsmodels' {kind} with a penalty")


def _by_row(model: Any, name: str, usual: float, shape: tuple[int, ...]) -> Array | None:
    """What a model holds for each row; None where that is the usual value, or NaN, which says the same."""
    held = getattr(model, name, None)
    if held is None:
        return None
    values = np.broadcast_to(np.asarray(held, dtype=np.float64), shape)
    return None if np.all((values == usual) | np.isnan(values)) else values


def _end_of_pipeline(estimator: Any, X: Any) -> tuple[Any, Any, list[str] | None]:
    """The classifier, the rows that reach it, and their names."""
    if not hasattr(estimator, "steps"):
        return estimator, X, None
    before, last = estimator[:-1], estimator[-1]
    if not len(before):
        return last, X, None
    try:
        rows = before.transform(X)
    except Exception as error:
        raise DataError(f"from_sklearn(X=): the pipeline's own steps do not take these rows: {error}") from error
    try:
        names = [str(name) for name in before.get_feature_names_out()]
    except Exception:
        names = None  # some steps know no names; the columns are x1, x2, ... then
    return last, rows, names


def _weights(last: Any, labels: NDArray[Any], sample_weight: ArrayLike | None) -> Array | None:
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    by_class = getattr(last, "class_weight", None)
    if by_class is None:
        return weights
    events = labels == last.classes_[1]
    if isinstance(by_class, Mapping):
        factors = [float(by_class.get(label, 1.0)) for label in last.classes_]
    elif by_class == "balanced":
        counted = np.ones(labels.size) if weights is None or type(last).__name__ == "SGDClassifier" else weights
        factors = [counted.sum() / (2.0 * counted[events == event].sum()) for event in (False, True)]
    else:
        raise ArgumentError(f"from_sklearn(class_weight={by_class!r}): a dict, 'balanced' or None is known.")
    factor = np.where(events, factors[1], factors[0])
    return factor if weights is None else weights * factor


def _sklearn_parameters(last: Any) -> dict[str, Any]:
    """Its penalty in the words of the converter."""
    kind = type(last).__name__
    if kind == "SGDClassifier":
        if last.loss != "log_loss":
            raise ArgumentError(f"from_sklearn(SGDClassifier): its loss is {last.loss!r}; 'log_loss' is logistic.")
        if last.penalty is None:
            return {"C": float("inf")}
        ratio = {"l1": 1.0, "l2": 0.0}.get(last.penalty, last.l1_ratio)
        return {"alpha": float(last.alpha), "l1_ratio": float(ratio)}
    if kind == "LogisticRegression":
        C, ratio = last.C, last.l1_ratio
    else:  # the values that cross-validation chose: one for both classes, or an array of one
        C, ratio = np.ravel(last.C_)[0], getattr(last, "l1_ratio_", None)
        ratio = None if ratio is None else np.ravel(ratio)[0]
    penalty = getattr(last, "penalty", None)
    if penalty in ("l1", "l2"):
        ratio = {"l1": 1.0, "l2": 0.0}[penalty]
    C = float("inf") if penalty is None and "penalty" in last.get_params() else float(C)
    params: dict[str, Any] = {"C": C, "l1_ratio": float(ratio or 0.0), "solver": last.solver}
    if last.solver == "liblinear":
        params["intercept_scaling"] = float(last.intercept_scaling)
    return params


def _statsmodels_penalty(result: Any, kind: str, alpha: Any, L1_wt: float) -> dict[str, Any] | None:
    """What the converter is to be asked; None if the fit had no penalty."""
    if kind == "Logit":
        settings = getattr(result, "mle_settings", None) or {}
        own = settings.get("alpha") if alpha is None else alpha
        return None if own is None or not np.any(own) else {"source": "statsmodels_logit", "alpha": own}
    regularised = "Regularized" in type(result).__name__ or getattr(result, "regularized", False)
    if alpha is None:
        if regularised:
            raise ArgumentError(
                "from_statsmodels(): results of GLM.fit_regularized do not keep their penalty; give alpha= and L1_wt= "
                "as they were given there."
            )
        return None
    return {"source": "statsmodels_glm", "alpha": alpha, "L1_wt": L1_wt}


def _fit_of(design: Design, prior: Any) -> Fit:
    return fit_line(design, prior=prior, tol=1e-9)


def _with_their_note(fit: Fit, theirs: Array, whose: str) -> Fit:
    """How far the other package's estimate lies from the optimum of its own objective."""
    if not fit.converged or theirs.shape != fit.mode.beta.shape:
        return fit
    moved = theirs - fit.mode.beta
    sd = fit.posterior.sd
    known = np.isfinite(sd) & (sd > 0.0)
    off = float(np.max(np.abs(moved[known]) / sd[known], initial=0.0))
    zeros = float(np.max(np.abs(moved[~known]), initial=0.0))
    note = f"{whose} ends {off:.1g} posterior sd from this mode, which solves the same objective"
    if off > _CLOSE:
        j = int(np.flatnonzero(known)[np.argmax(np.abs(moved[known]) / sd[known])])
        note += (
            f"; it has not converged, or was fitted to other rows: {fit.columns[j]} is {theirs[j]:.4g} there and "
            f"{fit.mode.beta[j]:.4g} here"
        )
    elif zeros > 0.0:
        note += f"; columns that are exactly zero here are up to {zeros:.1g} there"
    return replace(fit, notes=(f"{note}.", *fit.notes))
