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
from bayeslogit.outcome import row_vector
from bayeslogit.results import Fit
from bayeslogit.target import LogPosterior

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
    estimator : LogisticRegression, LogisticRegressionCV or SGDClassifier(loss="log_loss")
        Fitted, for two classes; or a Pipeline, or a search such as GridSearchCV, that ends in one: the coefficients are
        then those of the transformed columns.
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
    kind = _classifier(last)
    rows = rows if hasattr(rows, "shape") else np.asarray(rows)
    names = names or list(getattr(last, "feature_names_in_", [])) or None
    labels = _labels(y, last)
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
    # SGDClassifier means over rows, whatever their weights; a convention's mean is over the sum of weights.
    shift = {"alpha": params["alpha"] * labels.size / design.tally.nobs} if "alpha" in params else {}
    found = convert(source="sklearn", to="bayeslogit", design=design, **(params | shift))
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
        Instead of the penalty of the model: what would the model say under this prior? Its constant is then the
        intercept.

    Returns
    -------
    Fit
        Its columns are those of the model; a constant that is called "Intercept", as formulas do, is the intercept, and
        any other keeps its name and is a column like the rest (their penalties count it as one). New rows to predict
        need these columns: those of a formula are coded by patsy, not here.

    Raises
    ------
    ArgumentError
        If the model is of another kind or not fitted, or its penalty is needed and was not given.
    DataError
        If the outcome is a proportion of an unknown number of trials.
    """
    model, kind = _model_of(result)
    theirs = np.asarray(result.params, dtype=np.float64)
    X, names = np.asarray(model.exog, dtype=np.float64), [str(name) for name in model.exog_names]
    y, trials, weights = _outcome_of(model)
    ones = np.flatnonzero(np.all(X == 1.0, axis=0))
    first = ones.size > 0 and names[ones[0]] == "Intercept"
    if first or (prior is not None and ones.size):
        # The column of ones is the intercept: of our name, or about to have a prior that slopes have.
        slopes = np.delete(np.arange(len(names)), ones[0])
        X, names, theirs = X[:, slopes], [names[j] for j in slopes], theirs[[ones[0], *slopes]]
        first = True
    design = Design.from_arrays(
        X,
        y,
        names=names,
        trials=trials,
        weights=weights,
        offset=_by_row(model, "offset", 0.0, y.shape),
        intercept=bool(first),
    )
    if prior is not None:
        return fit_line(design, prior=prior)
    penalty = _statsmodels_penalty(result, kind, alpha, L1_wt)
    if penalty is None:
        found = _with_their_note(fit_line(design, prior=None), theirs, f"statsmodels' {kind}")
        scale = 1.0 if kind == "Logit" else float(getattr(result, "scale", 1.0))
        return _with_robust_note(found, getattr(result, "cov_type", "nonrobust"), scale)
    converted = convert(to="bayeslogit", design=design, **penalty)
    return _with_their_note(_fit_of(design, converted.prior), theirs, f"statsmodels' {kind} with a penalty")


def _model_of(result: Any) -> tuple[Any, str]:
    """The model of results that can be taken over, and its kind: Logit or GLM."""
    model = getattr(result, "model", None)
    kind = type(model).__name__
    if model is None and hasattr(result, "fit") and hasattr(result, "exog"):
        raise ArgumentError(
            f"from_statsmodels({type(result).__name__}): this model was not fitted; give what its fit() returns."
        )
    family, link = getattr(model, "family", None), getattr(getattr(model, "family", None), "link", None)
    binomial = type(family).__name__ == "Binomial" and type(link).__name__.lower() == "logit"
    if not (kind == "Logit" or (kind == "GLM" and binomial)):
        of = "" if model is None else f" of {kind}" + ("" if link is None else f" with the link {type(link).__name__}")
        raise ArgumentError(
            f"from_statsmodels({type(result).__name__}{of}): results of Logit, or of GLM with Binomial() and its logit "
            "link, are needed."
        )
    if getattr(model, "exog", None) is None:
        raise ArgumentError(
            f"from_statsmodels({type(result).__name__}): its data were removed (remove_data); fit the model again."
        )
    if getattr(result, "k_constr", 0):
        raise ArgumentError(
            f"from_statsmodels({type(result).__name__}): it was fitted under constraints (fit_constrained); give such "
            "knowledge as a prior, for example bayeslogit.priors(default=None, terms={'x': bayeslogit.Normal(0.001)})."
        )
    return model, kind


def _outcome_of(model: Any) -> tuple[Array, Array | None, Array | None]:
    """Successes, trials and weights, each of shape (n,), of a model's rows."""
    y = np.asarray(model.endog, dtype=np.float64)
    weights = _by_row(model, "freq_weights", 1.0, y.shape)
    counts = _by_row(model, "var_weights", 1.0, y.shape)
    both = weights if counts is None else counts if weights is None else weights * counts
    trials = _by_row(model, "n_trials", 1.0, y.shape)
    if trials is not None:
        return np.rint(y * trials), trials, both
    if np.isin(y, (0.0, 1.0)).all():
        return y, None, both
    if both is not None and np.allclose(both, np.rint(both)) and np.allclose(y * both, np.rint(y * both), atol=1e-6):
        # Shares of so many trials; a row of none has no weight.
        return np.rint(y * both), np.maximum(np.rint(both), 1.0), np.sign(np.rint(both))
    row = int(np.flatnonzero(~np.isin(y, (0.0, 1.0)))[0])
    raise DataError(
        f"from_statsmodels(): the outcome is a proportion, {y[row]:g} in row {row}, of an unknown number of trials. "
        "Fit statsmodels' GLM to two columns, successes and failures, or give it the trials as var_weights."
    )


def _with_robust_note(fit: Fit, kind: str, scale: float) -> Fit:
    """Where the standard errors are that statsmodels printed, if they are not those of the information."""
    if scale != 1.0:
        words = f"statsmodels' standard errors are sqrt({scale:.4g}) times these: it was given a dispersion (scale=)"
        fit = replace(fit, notes=(f"{words}, which a likelihood of counts has not.", *fit.notes))
    if kind == "nonrobust":
        return fit
    where = "fit.cov_params('robust') has HC0, with groups= those of clusters"
    return replace(fit, notes=(f"statsmodels printed standard errors of cov_type={kind!r}; {where}.", *fit.notes))


def _by_row(model: Any, name: str, usual: float, shape: tuple[int, ...]) -> Array | None:
    """What a model holds for each row; None where that is the usual value, or NaN, which says the same."""
    held = getattr(model, name, None)
    if held is None:
        return None
    values = np.broadcast_to(np.asarray(held, dtype=np.float64), shape)
    return None if np.all((values == usual) | np.isnan(values)) else values


def _end_of_pipeline(estimator: Any, X: Any) -> tuple[Any, Any, list[str] | None]:
    """The classifier, the rows that reach it, and their names; searches and pipelines within pipelines are opened."""
    rows, names = X, None
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        if not hasattr(estimator, "steps"):
            return estimator, rows, names
        before, estimator = estimator[:-1], estimator[-1]
        if not len(before):
            continue
        try:
            rows = before.transform(rows)
        except Exception as error:
            if type(error).__name__ == "NotFittedError":
                raise ArgumentError(
                    f"from_sklearn(Pipeline): it is not fitted; call its fit(X, y) first. {error}"
                ) from None
            raise DataError(f"from_sklearn(X=): the pipeline's own steps do not take these rows: {error}") from error
        try:
            names = [str(name) for name in before.get_feature_names_out()]
        except Exception:
            names = None  # some steps know no names; the columns are x1, x2, ... then


def _classifier(last: Any) -> str:
    """The kind of an estimator that can be taken over."""
    kind = type(last).__name__
    if isinstance(last, type):
        raise ArgumentError(f"from_sklearn({last.__name__}): this is the class; give an estimator that was fitted.")
    if isinstance(getattr(last, "fit_", None), Fit):
        raise ArgumentError(f"from_sklearn({kind}): it holds its fit already, as its attribute fit_.")
    if hasattr(last, "refit") and hasattr(last, "estimator"):
        why = "call its fit(X, y) first" if last.refit else "refit=False; fit its best parameters to all rows"
        raise ArgumentError(f"from_sklearn({kind}): this search holds no fitted estimator: {why}.")
    if kind not in _SKLEARN:
        raise ArgumentError(
            f"from_sklearn({kind}): a fitted {', '.join(_SKLEARN)}, or a Pipeline or search that ends in one, is "
            "needed; for others give bayeslogit.fit() the prior that bayeslogit.convert() finds."
        )
    if not hasattr(last, "coef_"):
        raise ArgumentError(f"from_sklearn({kind}): the estimator is not fitted; call its fit(X, y) first.")
    if len(last.classes_) != 2:
        raise ArgumentError(f"from_sklearn({kind}): it was fitted to {len(last.classes_)} classes; two are needed.")
    return kind


def _labels(y: ArrayLike, last: Any) -> NDArray[Any]:
    """The outcome, one label of the estimator's a row."""
    labels = np.asarray(y).ravel()
    known = set(last.classes_.tolist())
    strange = [label for label in dict.fromkeys(labels.tolist()) if label not in known]
    if strange:
        raise DataError(f"from_sklearn(y=): {strange[0]!r} is not a class of the estimator ({list(last.classes_)}).")
    return labels


def _weights(last: Any, labels: NDArray[Any], sample_weight: ArrayLike | None) -> Array | None:
    weights = None if sample_weight is None else row_vector("weights", sample_weight, labels.size)
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
    if getattr(result, "regularized", False) and hasattr(result, "bse"):
        raise ArgumentError(
            "from_statsmodels(): with refit=True these results are a fit without penalty to the columns that the "
            "penalty kept, and their errors know nothing of the choice. Give the results of refit=False, with alpha= "
            "and L1_wt=, or prior=."
        )
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
    if not np.isfinite(theirs).all():
        return replace(fit, notes=(f"{whose} did not end: some of its coefficients are no numbers.", *fit.notes))
    moved = theirs - fit.mode.beta
    sd = fit.posterior.sd
    known = np.isfinite(sd) & (sd > 0.0)
    if not known.any():
        return replace(fit, notes=(_without_sds(fit, theirs, whose), *fit.notes))
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


def _without_sds(fit: Fit, theirs: Array, whose: str) -> str:
    """How the two compare where the mode has no spread to measure a distance in: by their objective."""
    target = LogPosterior.of(fit._data("from_sklearn()"), fit.prior)
    short = fit.mode.log_density - target.slope(target.coordinates.gamma(theirs)).log_density
    moved = np.abs(theirs - fit.mode.beta)
    j = int(np.argmax(moved))
    note = f"{whose} ends {max(short, 0.0):.1g} nats below this mode in the same objective"
    if short > _CLOSE:
        return f"{note}; it has not converged, or was fitted to other rows."
    if moved[j] <= _CLOSE * (1.0 + abs(theirs[j])):
        return f"{note}."
    return (
        f"{note}, so that both are modes: several coefficients are equally good, as where every level of a factor has "
        f"its column beside an intercept. {fit.columns[j]} is {theirs[j]:.4g} there and {fit.mode.beta[j]:.4g} here; "
        "drop one level of each factor, or take a penalty with some L2."
    )
