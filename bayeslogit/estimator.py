"""The scikit-learn face: the same fit behind ``fit``, ``predict`` and ``predict_proba``.

`BayesianLogisticRegression` is fitted under the prior given; `BayesianLogisticRegressionCV` chooses the prior's scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import check_cv
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:  # pragma: no cover - exercised by the bare-install check
    raise ImportError("bayeslogit.estimator needs scikit-learn: pip install 'bayeslogit[sklearn]'") from error

from bayeslogit._fit import DEFAULT_PRIOR
from bayeslogit._fit import fit as fit_line
from bayeslogit._priors import Prior
from bayeslogit.design import Design
from bayeslogit.logistic import expit, logit
from bayeslogit.results import Fit
from bayeslogit.scale_choice import choose_scale

Array = NDArray[np.float64]

_MODE, _GAUSSIAN = "mode", ("laplace", "normal")
_SAMPLED = ("auto", "variational", "importance", "nuts")

# What users of scikit-learn's LogisticRegression ask for, and what there is instead.
_INSTEAD = {
    "C": "C is the prior variance of each slope: prior=bayeslogit.Normal(C ** 0.5); without a penalty prior=None",
    "Cs": "scales= gives the multiples of the prior's scale to try, of which C is the square",
    "penalty": "the prior says it: prior=bayeslogit.Normal(C ** 0.5) for 'l2', bayeslogit.Laplace(C) for 'l1'",
    "l1_ratio": "the prior says it: prior=bayeslogit.ElasticNet(l1=l1_ratio / C, l2=(1 - l1_ratio) / C)",
    "class_weight": "weights claim rows that are not there and spoil probabilities and their errors; move the "
    "threshold instead (sklearn.model_selection.TunedThresholdClassifierCV), or give fit() the sample_weight you mean",
    "solver": "there is one, and it ends at the optimum",
    "intercept_scaling": "the intercept has a prior of its own: prior=bayeslogit.priors(default=..., intercept=...)",
    "multi_class": "two classes only; sklearn.multiclass.OneVsRestClassifier takes more",
    "warm_start": "each fit starts anew, and takes a few Newton steps",
    "n_jobs": "a fit runs in one process; GridSearchCV and cross_validate have an n_jobs of their own",
    "verbose": "fit_.summary() and fit_.mode say how the fit went",
    "scoring": "by= is the criterion: 'cv', 'evidence' or 'loo'",
}
_INSTEAD |= {"l1_ratios": _INSTEAD["l1_ratio"], "dual": _INSTEAD["solver"]}

# scikit-learn keeps no names of a frame unless all of them are text, and refuses one in which names repeat.


def _columns(X: Any) -> list[Any]:
    columns = getattr(X, "columns", ())
    return list(columns) if isinstance(columns, Iterable) else []


def _refuse(estimator: type, strangers: Iterable[str]) -> None:
    """Say what there is instead of a parameter of `LogisticRegression`; nothing of names that nobody has."""
    known = [f"{name}: {_INSTEAD[name]}." for name in strangers if name in _INSTEAD]
    if known:
        raise TypeError(f"{estimator.__name__} has no parameter {' '.join(known)}")


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


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What both estimators share: reading X and y, what a fit leaves behind, and predictions."""

    prior: Any
    inference: str
    prob: float
    draws: int
    fit_intercept: bool
    tol: float
    max_iter: int
    random_state: Any

    def __new__(cls, *_: Any, **given: Any) -> Any:
        # Not in __init__, whose parameters alone are the estimator's.
        _refuse(cls, given)
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Any:
        """As scikit-learn's; a parameter of its `LogisticRegression` is answered with what there is instead."""
        _refuse(type(self), params)
        return super().set_params(**params)

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Fit the model; ``sample_weight`` are frequency weights (a weight of 2 is the row twice)."""
        if self.inference not in (_MODE, *_GAUSSIAN, *_SAMPLED):
            raise ValueError(f"inference={self.inference!r}: it is one of {', '.join((_MODE, 'laplace', *_SAMPLED))}.")
        result = self._fitted(self._design(X, y, sample_weight))
        first = int(self.fit_intercept)
        beta, sd = result.mode.beta, result.posterior.sd
        interval = np.asarray(result.conf_int(self.prob), dtype=np.float64)
        if self.inference in _SAMPLED:
            self.draws_ = result.sample(self.inference, self.draws, _seed(self.random_state))
            beta, sd = np.asarray(self.draws_.mean), np.asarray(self.draws_.sd)
            tail = 0.5 - 0.5 * self.prob
            interval = np.asarray(self.draws_.quantile([tail, 1.0 - tail]), dtype=np.float64)
        self.coef_, self.coef_sd_ = beta[None, first:], sd[None, first:]
        self.coef_interval_ = interval[first:]
        self.intercept_ = beta[:first] if first else np.zeros(1)
        self.intercept_sd_ = sd[:first] if first else np.zeros(1)
        self.n_iter_ = len(result.mode.trace)
        self.fit_ = result
        return self

    def _design(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Design:
        labels = _labels(X)
        X, y = validate_data(self, _values(X), y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        name = type(self).__name__
        if classes.size > 2:
            raise ValueError(f"Only binary classification is supported. The target has {classes.size} classes.")
        if classes.size < 2:
            raise ValueError(f"{name} cannot be fitted to data with one class: {classes[0]!r}.")
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            counted = np.unique(codes[weights > 0.0])
            if counted.size == 1:  # a row of weight 0 is no row
                raise ValueError(f"{name} cannot be fitted: every row of class {classes[1 - counted[0]]} has weight 0.")
        design = Design.from_arrays(
            X, codes.astype(np.float64), names=labels, weights=weights, intercept=self.fit_intercept
        )
        if not np.array_equal(classes, [0, 1]):
            design = replace(design, spec=replace(design.spec, event=str(classes[1]), other=str(classes[0])))
        self.classes_ = classes
        return design

    def _fitted(self, design: Design) -> Fit:
        raise NotImplementedError

    def _rows(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, _values(X), accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)

    def decision_function(self, X: Any) -> Array:
        """Log-odds of ``classes_[1]``, shape (n,): of the mode, or of the averaged probability (`predict_proba`)."""
        X = self._rows(X)
        if self.inference == _MODE:
            result: Array = np.asarray(X @ self.coef_[0] + self.intercept_[0], dtype=np.float64)
            return result
        return logit(self._probabilities(X)[:, 0])

    def predict_proba(self, X: Any, return_interval: bool = False) -> Any:
        """Probability of each class, shape (n, 2).

        Under ``inference="mode"`` that of the coefficients at the mode, as scikit-learn's own; otherwise averaged over
        the posterior.

        Parameters
        ----------
        return_interval : bool
            Whether to return as well the equal-tailed interval, of probability ``prob``, of the probability of
            ``classes_[1]``.

        Returns
        -------
        probability : array, shape (n, 2)
        interval : array, shape (n, 2)
            Lower and upper, with ``return_interval``.
        """
        X = self._rows(X)
        if self.inference == _MODE and not return_interval:
            eta = np.asarray(X @ self.coef_[0] + self.intercept_[0], dtype=np.float64)
            return np.column_stack([expit(-eta), expit(eta)])
        found = self._probabilities(X)
        both = np.column_stack([1.0 - found[:, 0], found[:, 0]])
        return (both, found[:, 1:]) if return_interval else both

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithm of `predict_proba`, shape (n, 2), without loss where that is near 0."""
        eta = self.decision_function(X)
        return np.column_stack([log_expit(-eta), log_expit(eta)])

    def _probabilities(self, X: Any) -> Array:
        """Probability of ``classes_[1]``, lower and upper, shape (n, 3)."""
        draws = self.draws_ if self.inference in _SAMPLED else None
        kind = "mode" if self.inference == _MODE else "mean"
        return np.asarray(self.fit_.predict(X, self.prob, kind, draws=draws), dtype=np.float64)

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


class BayesianLogisticRegression(_Classifier):
    """Logistic regression under a prior, as a scikit-learn classifier.

    Parameters
    ----------
    prior : Prior, str or None, default "rstanarm"
        As in `bayeslogit.fit`. ``Normal(s)`` is scikit-learn's L2 penalty with ``C = s ** 2``.
    inference : {"mode", "laplace", "auto", "variational", "importance", "nuts"}, default "mode"
        What estimates and probabilities are of: "mode" is the penalised fit, as scikit-learn's; "laplace" averages
        probabilities over the Gaussian at the mode; the others are rungs of `Fit.sample`, with ``coef_`` the posterior
        mean.
    prob : float, default 0.95
        Probability of the intervals.
    draws : int, default 4000
        Of the sampled rungs.
    fit_intercept : bool, default True
    tol : float, default 1e-6
        Largest accepted distance from the mode, in posterior sds.
    max_iter : int, default 200
    random_state : int, RandomState, Generator or None, default 0
        Of the sampled rungs; None draws a new seed at each fit.

    Attributes
    ----------
    coef_ : array, shape (1, n_features)
        Slopes, log-odds per unit.
    intercept_ : array, shape (1,)
    coef_sd_ : array, shape (1, n_features)
        Posterior sd of the slopes.
    intercept_sd_ : array, shape (1,)
    coef_interval_ : array, shape (n_features, 2)
        Equal-tailed intervals of the slopes.
    fit_ : bayeslogit.Fit
        The whole fit: summary, covariance, intervals.
    draws_ : bayeslogit.Draws
        With a sampled rung only.
    classes_ : array, shape (2,)
    n_iter_ : int
    n_features_in_ : int
    """

    def __init__(
        self,
        prior: Prior | str | None = "rstanarm",
        inference: str = "mode",
        *,
        prob: float = 0.95,
        draws: int = 4000,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 200,
        random_state: Any = 0,
    ) -> None:
        self.prior = prior
        self.inference = inference
        self.prob = prob
        self.draws = draws
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _fitted(self, design: Design) -> Fit:
        # A parameter that was left alone reads as the default does: clone() and get_params() cannot tell more.
        chosen = DEFAULT_PRIOR if isinstance(self.prior, str) and self.prior == DEFAULT_PRIOR else self.prior
        return fit_line(design, prior=chosen, tol=self.tol, max_iter=self.max_iter)


class BayesianLogisticRegressionCV(_Classifier):
    """Logistic regression whose prior's scale is chosen on the data, as a scikit-learn classifier.

    Parameters
    ----------
    prior : Prior, family or str, default "normal:1"
        Whose scales are multiplied along the axis, as in `bayeslogit.choose_scale`: 1 is 1 / sd of each column.
    by : {"cv", "evidence", "loo"}, default "cv"
        The criterion: log evidence, leave-one-out, or K-fold cross-validated log loss.
    scales : int, array_like or None
        How many multiples of the base scales, or which.
    cv : int, splitter or iterable of (train, test), default 5
        Folds of ``by="cv"``. A number deals observations stratified on the outcome; anything else is as scikit-learn's,
        and must hold out each row once.
    inference, prob, draws, fit_intercept, tol, max_iter, random_state
        As in `BayesianLogisticRegression`; the seed is also that of the criterion.

    Attributes
    ----------
    choice_ : bayeslogit.ScaleChoice
        The curve of the criterion, its optimum and how well that is known.
    scale_ : float
        The multiple of the base scales chosen.
    coef_, intercept_, coef_sd_, intercept_sd_, coef_interval_, fit_, classes_, n_iter_, n_features_in_
        As in `BayesianLogisticRegression`, at the scale chosen. They take that scale as known: the intervals that do
        not are those of `bayeslogit.average_scales`.
    """

    def __init__(
        self,
        prior: Prior | type[Prior] | str = "normal:1",
        by: str = "cv",
        *,
        scales: Any = None,
        cv: Any = 5,
        inference: str = "mode",
        prob: float = 0.95,
        draws: int = 4000,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 200,
        random_state: Any = 0,
    ) -> None:
        self.prior = prior
        self.by = by
        self.scales = scales
        self.cv = cv
        self.inference = inference
        self.prob = prob
        self.draws = draws
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _fitted(self, design: Design) -> Fit:
        folds = self.cv if isinstance(self.cv, int | np.integer) else _folds(self.cv, design)
        self.choice_ = choose_scale(
            design, prior=self.prior, by=self.by, scales=self.scales, folds=folds, rng=_seed(self.random_state)
        )
        self.scale_ = self.choice_.scale
        return fit_line(design, prior=self.choice_.prior, tol=self.tol, max_iter=self.max_iter)


def _seed(random_state: Any) -> int:
    """scikit-learn's ways to give randomness, as one of ours."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _folds(cv: Any, design: Design) -> NDArray[np.int64]:
    """The fold of each row, of scikit-learn's ways to say it."""
    y = design.outcome_arrays()[0]
    try:
        splits = list(check_cv(cv, y, classifier=True).split(np.zeros((y.size, 1)), y))
    except ValueError as error:
        raise ValueError(
            f"cv={cv!r}: {error} A splitter that needs groups is given as its splits: "
            "cv=list(splitter.split(X, y, groups))."
        ) from error
    fold, times = np.zeros(y.size, dtype=np.int64), np.zeros(y.size, dtype=np.int64)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
        times[test] += 1
    if np.any(times != 1):
        raise ValueError(f"cv={cv!r}: each row must be held out in exactly one fold.")
    return fold
