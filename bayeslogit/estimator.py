"""The scikit-learn face: the same fit behind ``fit``, ``predict`` and ``predict_proba``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:  # pragma: no cover - exercised by the bare-install check
    raise ImportError("bayeslogit.estimator needs scikit-learn: pip install 'bayeslogit[sklearn]'") from error

from bayeslogit._fit import DEFAULT_PRIOR
from bayeslogit._fit import fit as fit_line
from bayeslogit._priors import Prior
from bayeslogit.design import Design
from bayeslogit.logistic import expit

Array = NDArray[np.float64]

# scikit-learn keeps no names of a frame unless all of them are text, and refuses one in which names repeat.


def _columns(X: Any) -> list[Any]:
    columns = getattr(X, "columns", ())
    return list(columns) if isinstance(columns, Iterable) else []


def _values(X: Any) -> Any:
    """The values alone of a frame in which names repeat: its columns go by position."""
    columns = _columns(X)
    return X if len(set(columns)) == len(columns) else np.asarray(X)


def _labels(X: Any) -> list[str] | None:
    """Names for the columns of a frame that differ from each other and from the intercept's."""
    columns = _columns(X)
    if not columns or not all(isinstance(name, str) for name in columns):
        return None
    taken, labels = {"Intercept"}, []
    for name in columns:
        label, count = name, 1
        while label in taken or (count > 1 and label in columns):
            count += 1
            label = f"{name}_{count}"
        taken.add(label)
        labels.append(label)
    return labels


class BayesianLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression under a prior, as a scikit-learn classifier.

    Parameters
    ----------
    prior : Prior, str or None, default "rstanarm"
        As in `bayeslogit.fit`. ``Normal(s)`` is scikit-learn's L2 penalty with ``C = s ** 2``.
    fit_intercept : bool, default True
    tol : float, default 1e-6
        Largest accepted distance from the mode, in posterior sds.
    max_iter : int, default 200

    Attributes
    ----------
    coef_ : array, shape (1, n_features)
        Mode of the slopes, log-odds per unit.
    intercept_ : array, shape (1,)
    coef_sd_ : array, shape (1, n_features)
        Posterior sd of the slopes (Gaussian approximation at the mode).
    intercept_sd_ : array, shape (1,)
    fit_ : bayeslogit.Fit
        The whole fit: summary, covariance, intervals.
    classes_ : array, shape (2,)
    n_iter_ : int
    n_features_in_ : int
    """

    def __init__(
        self,
        prior: Prior | str | None = "rstanarm",
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 200,
    ) -> None:
        self.prior = prior
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> BayesianLogisticRegression:
        """Fit the model; ``sample_weight`` are frequency weights (a weight of 2 is the row twice)."""
        labels = _labels(X)
        X, y = validate_data(self, _values(X), y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if classes.size > 2:
            raise ValueError(f"Only binary classification is supported. The target has {classes.size} classes.")
        if classes.size < 2:
            raise ValueError(f"BayesianLogisticRegression cannot be fitted to data with one class: {classes[0]!r}.")
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        design = Design.from_arrays(
            X,
            codes.astype(np.float64),
            names=labels,
            weights=weights,
            intercept=self.fit_intercept,
        )
        if not np.array_equal(classes, [0, 1]):
            design = replace(design, spec=replace(design.spec, event=str(classes[1]), other=str(classes[0])))
        # A parameter that was left alone reads as the default does: clone() and get_params() cannot tell more.
        chosen = DEFAULT_PRIOR if isinstance(self.prior, str) and self.prior == DEFAULT_PRIOR else self.prior
        result = fit_line(design, prior=chosen, tol=self.tol, max_iter=self.max_iter)
        first = int(self.fit_intercept)
        beta, sd = result.mode.beta, result.posterior.sd
        self.classes_ = classes
        self.coef_, self.coef_sd_ = beta[None, first:], sd[None, first:]
        self.intercept_ = beta[:first] if first else np.zeros(1)
        self.intercept_sd_ = sd[:first] if first else np.zeros(1)
        self.n_iter_ = len(result.mode.trace)
        self.fit_ = result
        return self

    def decision_function(self, X: Any) -> Array:
        """Log-odds of ``classes_[1]`` at the mode, shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, _values(X), accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        result: Array = np.asarray(X @ self.coef_[0] + self.intercept_[0], dtype=np.float64)
        return result

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class at the mode, shape (n, 2)."""
        eta = self.decision_function(X)
        return np.column_stack([expit(-eta), expit(eta)])

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier class, shape (n,)."""
        # Looked at first so that an unfitted estimator says so, rather than that classes_ is missing.
        chosen = (self.decision_function(X) > 0.0).astype(int)
        result: NDArray[Any] = self.classes_[chosen]
        return result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        return tags
