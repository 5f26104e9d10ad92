"""What users of statsmodels, scikit-learn and R ask a fit for by the names they know, and what they are told."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

import bayeslogit as bl
from bayeslogit.habits import INSTEAD


@pytest.fixture(scope="module")
def fit():
    return bl.fit("low ~ age + smoke", bl.datasets.load("lbw"), prior=bl.Normal(1.0))


def test_every_name_of_elsewhere_is_answered_with_one_of_here(fit):
    draws = fit.sample("laplace", draws=100)
    for name, answer in INSTEAD.items():
        assert not hasattr(fit, name)
        with pytest.raises(
            AttributeError, match=f"'Fit' object has no attribute '{name}'; instead: {re.escape(answer)}"
        ):
            getattr(fit, name)
        for given, owner in (("fit.", fit), ("bayeslogit.", bl), ("sample().", draws)):
            for word in re.findall(rf"{re.escape(given)}([a-z_]+)", answer):
                assert hasattr(owner, word), f"{name}: {given}{word} is not there"
    with pytest.raises(AttributeError, match=r"^'Fit' object has no attribute 'colour'$"):
        fit.colour  # noqa: B018
    again = pickle.loads(pickle.dumps(copy.deepcopy(fit)))
    assert again.params.equals(fit.params)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fit: fit.conf_int(alpha=0.1), r"Fit.conf_int\(\): there is no argument 'alpha'.* prob= \(1 - alpha\)"),
        (
            lambda fit: fit.predict(exog=None),
            r"Fit.predict\(\): there is no argument 'exog'; its arguments are new, .*new=",
        ),
        (lambda fit: fit.augment(newdata=None), "Here it is new="),
        (lambda fit: fit.cov_params(cov_type="HC0"), "Here it is kind="),
        (lambda fit: fit.tidy(conf_level=0.9), "Here it is prob="),
        (lambda fit: fit.sample(random_state=1), "Here it is rng="),
        (lambda fit: fit.get_prediction().summary_frame(prob=0.9), r"Here it is alpha= \(1 - prob\)"),
        (lambda fit: fit.glance(digits=2), r"Fit.glance\(\): there is no argument 'digits'; it takes none"),
        (lambda fit: bl.fit("y ~ x", {}, C=1.0), r"fit\(\): there is no argument 'C'.* Here it is prior="),
        (lambda fit: bl.fit("y ~ x", {}, sample_weight=[1]), "Here it is weights="),
        (lambda fit: bl.Design.from_arrays([[1.0]], [1], sample_weight=[1]), "Here it is weights="),
    ],
)
def test_arguments_of_elsewhere_are_answered_too(fit, call, words):
    with pytest.raises(bl.ArgumentError, match=words) as caught:
        call(fit)
    assert isinstance(caught.value, TypeError)


def test_an_alpha_given_as_prob_is_not_taken_silently(fit):
    with pytest.warns(bl.FitWarning, match="holds 5% of the probability. prob= is not statsmodels' alpha: .*prob=0.95"):
        fit.conf_int(0.05)
    fit.conf_int(0.5)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("prior.json", r"give prior=bayeslogit.load_prior\('prior.json'\)"),
        ({"age": bl.Normal(1.0)}, r"bayeslogit.priors\(default=..., terms="),
    ],
)
def test_priors_that_are_almost_right(prior, words):
    with pytest.raises(bl.PriorError, match=words):
        bl.fit("low ~ age", bl.datasets.load("lbw"), prior=prior)


def test_the_estimators_are_found():
    with pytest.raises(AttributeError, match=r"it is in bayeslogit\.estimator"):
        bl.BayesianLogisticRegression  # noqa: B018
