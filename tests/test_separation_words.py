"""What is said of separation: rules that hold as printed, priors by term, improper posteriors, plateaus."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit import multimodal
from bayeslogit.plateau import on_plateau
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior


def one_column(x: Any, y: Any, prior: Any = None, **given: Any) -> bl.Separation:
    return bl.separation(bl.Design.from_arrays(np.asarray(x, dtype=float)[:, None], y, **given), prior=prior)


def holds_as_printed(found: bl.Separation, x: Any, y: Any) -> None:
    """The rule of a single column, read back and tried on every row."""
    match = re.match(r"(-?)x1 (>=?) (\S+) wherever there is a success, <=? it", found.rule)
    assert match, found.rule
    value, at = (-1.0 if match[1] else 1.0) * np.asarray(x, dtype=float), float(match[3])
    strict = match[2] == ">"
    assert np.all(value[np.asarray(y) == 1] > at if strict else value[np.asarray(y) == 1] >= at)
    assert np.all(value[np.asarray(y) == 0] < at if strict else value[np.asarray(y) == 0] <= at)


@pytest.mark.parametrize("shift", [0.0, 2001.0, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("y", [[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]])
def test_the_rule_holds_as_printed_however_far_from_zero_a_column_is(shift, y):
    x = shift + np.arange(5.0)
    found = one_column(x, y, bl.Normal(2.5))
    assert (found.verdict, found.columns, found.left_out) == ("complete", ("Intercept", "x1"), ())
    assert found.with_prior == "finite only because of the prior"
    holds_as_printed(found, x, y)
    notes = " ".join(bl.fit(bl.Design.from_arrays(x[:, None], y), prior=bl.Normal(2.5)).notes)
    assert "every estimate is finite only because of the prior" in notes


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
def test_a_narrow_gap_is_printed_with_the_digits_it_needs(gap):
    x, y = np.array([1.0, 2.0, 4.0, 4.0 * (1.0 + gap), 5.0]), [0, 0, 0, 1, 1]
    found = one_column(x, y)
    assert found.verdict == "complete"
    holds_as_printed(found, x, y)


def test_a_rule_needs_no_column_that_hardly_moves():
    data = {"g": list("aaaabbbbcc"), "x": np.arange(10.0) % 3, "y": [0, 1, 0, 1, 0, 1, 1, 0, 1, 1]}
    found = bl.separation("y ~ g * x", data)
    assert found.columns == ("g[T.c]", "g[T.c]:x")
    assert found.rule.startswith("g[T.c] >= 0 ")


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e8, 1e30])
@pytest.mark.parametrize("overlapping", [False, True])
def test_units_of_columns_change_nothing(scale, overlapping):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 3))
    y = (X @ [1.0, -1.0, 0.5] > 0.2).astype(int)
    if overlapping:
        nearest = int(np.argmin(np.abs(X @ [1.0, -1.0, 0.5] - 0.2)))
        y[nearest] = 1 - y[nearest]
        X = np.vstack([X, X[nearest] * [1.0, 1.0, 1.0]])
        y = np.append(y, 1 - y[nearest])
    found = bl.separation(bl.Design.from_arrays(X * [scale, 1.0, 1.0 / scale], y))
    plain = bl.separation(bl.Design.from_arrays(X, y))
    assert (found.verdict, found.columns, found.verified) == (plain.verdict, plain.columns, True)
    assert found.touching.tolist() == plain.touching.tolist()


def test_what_is_within_rounding_is_not_called_an_overlap():
    found = one_column(1e15 + np.arange(5.0), [0, 0, 1, 1, 1])
    assert (found.verdict, found.verified) == ("none", False)
    text = str(found)
    assert "No plane was found that separates the classes in 5 rows by more than rounding." in text
    assert "overlap in" not in text


@pytest.mark.parametrize(
    ("y", "intercept", "verdict", "rule"),
    [
        ([1, 1, 1], True, "complete", "Every observation is a success."),
        ([0, 0, 0], True, "complete", "Every observation is a failure."),
        ([1], True, "complete", "Every observation is a success."),
        ([1], False, "complete", "x1 > 0 wherever there is a success, < it wherever a failure."),
    ],
)
def test_one_class_and_one_row(y, intercept, verdict, rule):
    found = one_column(1.0 + np.arange(len(y)), y, intercept=intercept)
    assert (found.verdict, found.rule, found.verified) == (verdict, rule, True)


# --- priors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "improper"),
    [
        (bl.Cauchy(2.5), True),
        (bl.StudentT(df=1.0, scale=2.0), True),
        (bl.StudentT(df=2.0, scale=2.0), False),
        (bl.priors(default=bl.Cauchy(2.5), intercept=bl.Normal(10.0)), False),
        (bl.Normal(2.5), False),
        (bl.Laplace(1.0), False),
        (bl.GroupLaplace(1.0), False),
        (bl.Jeffreys(), False),
        (bl.DiaconisYlvisaker(), False),
        (bl.MultivariateNormal(mean=[0.0], cov=[[4.0]], columns=["x1"]), False),
    ],
)
def test_an_improper_posterior_is_named_beside_a_finite_mode(prior, improper):
    """STATISTICS: six rows that one column separates, a Cauchy slope and a flat intercept: mass without bound."""
    x, y = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]), [0, 0, 0, 1, 1, 1]
    found = one_column(x, y, prior)
    assert found.with_prior == "finite only because of the prior"
    assert ("improper" in found.improper) == improper
    assert ("The posterior is improper: " in str(found)) == improper
    summary = " ".join(str(bl.fit(bl.Design.from_arrays(x[:, None], y), prior=prior).summary()).split())
    assert ("posterior is improper" in summary) == improper
    assert "finite only because of the prior" in summary


def test_a_prior_without_a_mode_is_refused():
    with pytest.raises(bl.PriorError, match="unknown scales has no mode"):
        one_column([1.0, 2.0, 3.0], [0, 1, 1], bl.Hierarchical())


def test_the_note_of_a_fit_names_a_column_that_separates_alone():
    X = np.random.default_rng(0).standard_normal((200, 3))
    notes = bl.fit(bl.Design.from_arrays(X, X[:, 0] > 0.1), prior=bl.Normal(1.0)).notes
    assert "x3 (+) (x1 separates it alone): every estimate" in notes[-1]
    notes = bl.fit(bl.Design.from_arrays(X, X @ [1.0, -1.0, 1.0] > 0.1), prior=bl.Normal(1.0)).notes
    assert "alone" not in notes[-1]


# --- plateaus ------------------------------------------------------------------------------------------------------

FAR = ([[100.0], [200.0], [-100.0], [-200.0]], [1, 1, 0, 0])


@pytest.mark.parametrize("prior", [bl.Laplace(scale=1.0, mean=5.0), bl.StudentT(df=3, scale=2.5, mean=5.0)])
def test_an_estimate_on_a_plateau_is_called_undetermined(prior):
    """Log-odds of 500 and more: whatever the intercept is, within hundreds, the likelihood is 1 to the last digit."""
    fit = bl.fit(bl.Design.from_arrays(*FAR), prior=prior)
    assert fit.converged
    assert fit.bse["Intercept"] > 1e100
    assert "Intercept: not determined. The log posterior is level to rounding" in fit.notes[0]
    assert "Intercept: not determined" in " ".join(str(fit.summary()).split())


def test_a_plateau_all_round_has_no_covariance_and_says_why():
    fit = bl.fit(bl.Design.from_arrays([[100.0], [-200.0]], [1, 0]), prior=bl.Laplace(scale=1.0, mean=5.0))
    assert fit.converged
    assert np.isnan(fit.bse["Intercept"])
    assert fit.notes[0].startswith("Not determined: every row is fitted to the last digit")
    assert not any("Only the mode was asked for" in note for note in fit.notes)
    with pytest.warns(bl.FitWarning, match="level to rounding, and rows still move"):
        bl.fit(
            bl.Design.from_arrays([[-100.0], [100.0], [200.0]], [0, 1, 1]),
            prior=bl.StudentT(df=3, scale=2.5, mean=5.0),
        )


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("family", "width"), [(bl.Normal, 2.5), (bl.Normal, 1e3), (bl.Laplace, 1.0), (bl.Cauchy, 2.5)])
def test_estimates_that_are_determined_are_not_called_otherwise(family, width, scale):
    """Nearly collinear and separated columns, priors wide and narrow: an sd may be large and right."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 2))
    X = np.column_stack([X, X[:, 0] + 1e-6 * rng.standard_normal(60)]) * scale
    for y in (rng.integers(0, 2, 60), X[:, 1] > 0.0):
        design = bl.Design.from_arrays(X, y)
        resolved: ResolvedPrior = family(width / scale).resolve(design)
        target = LogPosterior.of(design, resolved)
        mode = find_mode(target)
        assert mode.converged and on_plateau(target, mode) == ()


def test_other_starts_are_given_up_where_rows_are_many(monkeypatch):
    """A separated set with Cauchy priors: searches from far starts take dozens of informations each."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50_000, 5))
    y = X @ rng.standard_normal(5) > 0.3
    spent: list[int] = []
    walk = multimodal._Searches.__call__

    def counted(self, target, start):
        found = walk(self, target, start)
        spent.append(found.n_hessians)
        return found

    monkeypatch.setattr(multimodal._Searches, "__call__", counted)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Cauchy(2.5))
    assert fit.converged
    assert len(spent) >= 2
    assert sum(spent[:-1]) <= 4 * max(fit.mode.n_hessians - sum(spent), 25)
