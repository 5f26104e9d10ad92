"""Priors as numbers: resolved by hand, assigned by the specificity rule, normalised, printed, and refused in words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.presets import as_prior, parse_prior
from bayeslogit.resolved import from_description


def log_normal(u: float, mean: float, scale: float) -> float:
    return -0.5 * ((u - mean) / scale) ** 2 - math.log(scale) - 0.5 * math.log(2 * math.pi)


def array_design(X: Any, y: Any = None, **options: Any) -> bl.Design:
    X = np.asarray(X, dtype=float)
    return bl.Design.from_arrays(X, np.arange(len(X)) % 2 if y is None else y, **options)


@dataclass(frozen=True)
class Columns:
    """All that a prior may ask of a design; a term with three columns stands between two single ones."""

    columns: tuple[str, ...] = ("Intercept", "age", "C(educ)[T.1]", "C(educ)[T.2]", "C(educ)[T.3]", "dist")
    terms: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"Intercept": (0,), "age": (1,), "C(educ)": (2, 3, 4), "dist": (5,)}
    )
    has_intercept: bool = True
    column_means: np.ndarray = field(default_factory=lambda: np.array([1.0, 40.0, 0.2, 0.3, 0.1, 0.5]))
    column_sds: np.ndarray = field(default_factory=lambda: np.array([0.0, 10.0, 0.4, 0.5, 0.25, 2.0]))


EDUC = ("C(educ)[T.1]", "C(educ)[T.2]", "C(educ)[T.3]")


def scales(prior: Any, design: Any = None) -> list[float]:
    """Prior sd of every column; infinite for a flat one."""
    return np.sqrt(prior.resolve(Columns() if design is None else design).variance()).tolist()


# --- families ----------------------------------------------------------------------------------------------------


def test_a_family_goes_on_every_slope_and_leaves_the_intercept_flat():
    resolved = bl.Normal(2.5, mean=1.0).resolve(Columns())
    assert np.sqrt(resolved.variance()).tolist() == [math.inf, 2.5, 2.5, 2.5, 2.5, 2.5]
    assert resolved.flat.tolist() == [True, False, False, False, False, False]
    beta = np.array([9.0, 1.0, 2.0, 0.0, -1.0, 0.5])
    assert resolved.log_density(beta) == pytest.approx(sum(log_normal(b, 1.0, 2.5) for b in beta[1:]), rel=1e-14)


def test_flat_contributes_nothing():
    resolved = bl.Flat().resolve(Columns())
    assert resolved.flat.all() and resolved.log_density(np.full(6, 1e6)) == 0.0
    assert resolved.constraints().shape == (0, 6)
    assert bl.priors().resolve(Columns()).flat.all()


def test_prior_none_is_flat_everywhere(simulated):
    X, y = simulated(40, [0.5])
    design = bl.Design.from_arrays(X, y)
    one, two = bl.fit(design, prior=None), bl.fit(design, prior=bl.Flat())
    np.testing.assert_array_equal(one.params, two.params)
    assert one.log_posterior == one.log_likelihood and (one.prior_share == 0).all()


def test_a_normal_prior_is_an_l2_penalty_with_one_half(simulated):
    X, y = simulated(40, [0.5, 1.0])
    f = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Normal(0.5), tol=1e-11)
    b = f.params.to_numpy()
    eta = b[0] + X @ b[1:]
    penalised = np.sum(y * eta - np.log1p(np.exp(eta))) - 0.5 * 4.0 * np.sum(b[1:] ** 2)
    constant = -2 * math.log(0.5) - math.log(2 * math.pi)
    assert f.log_posterior == pytest.approx(penalised + constant, rel=1e-13)
    assert f.log_likelihood == pytest.approx(penalised + 2.0 * np.sum(b[1:] ** 2), rel=1e-13)


def test_multivariate_normal_is_matched_by_name():
    cov = np.diag([4.0, 9.0, 16.0, 25.0, 36.0])
    cov[0, 1] = cov[1, 0] = 3.0
    prior = bl.MultivariateNormal(mean=[1, 2, 3, 4, 5], cov=cov, columns=["dist", *EDUC, "age"])
    resolved = prior.resolve(Columns())
    assert np.sqrt(resolved.variance()) == pytest.approx([math.inf, 6.0, 3.0, 4.0, 5.0, 2.0])
    beta = np.array([7.0, 0.3, -0.1, 0.2, 0.5, 1.5])
    z = beta[[5, 2, 3, 4, 1]] - [1, 2, 3, 4, 5]
    by_hand = -0.5 * z @ np.linalg.inv(cov) @ z - 0.5 * np.linalg.slogdet(cov)[1] - 2.5 * math.log(2 * math.pi)
    assert resolved.log_density(beta) == pytest.approx(by_hand, rel=1e-12)
    same = bl.MultivariateNormal(mean=[1, 2, 3, 4, 5], precision=np.linalg.inv(cov), columns=["dist", *EDUC, "age"])
    assert same.resolve(Columns()).log_density(beta) == pytest.approx(by_hand, rel=1e-10)


def test_multivariate_normal_on_one_term_takes_its_columns_in_order_or_by_name():
    cov = np.array([[1.0, 0.5, 0.0], [0.5, 4.0, 0.0], [0.0, 0.0, 9.0]])
    plain = bl.priors(terms={"C(educ)": bl.MultivariateNormal(mean=[0, 0, 0], cov=cov)})
    assert scales(plain) == pytest.approx([math.inf, math.inf, 1.0, 2.0, 3.0, math.inf])
    named = bl.MultivariateNormal(mean=[0, 0, 0], cov=cov, columns=EDUC[::-1])
    assert scales(bl.priors(terms={"C(educ)": named})) == pytest.approx([math.inf, math.inf, 3.0, 2.0, 1.0, math.inf])


def test_multivariate_normal_may_name_the_intercept(simulated):
    X, y = simulated(40, [0.5])
    cov = np.array([[1.0, 0.9], [0.9, 4.0]])
    prior = bl.MultivariateNormal(mean=[0.5, -1.0], cov=cov, columns=["x1", "Intercept"])
    f = bl.fit(bl.Design.from_arrays(X, y), prior=prior)
    assert not f.prior.flat.any()
    np.testing.assert_allclose(np.sqrt(f.prior.variance()), [2.0, 1.0], rtol=1e-12)


# --- the rstanarm preset -----------------------------------------------------------------------------------------


def test_rstanarm_scales_are_2_5_over_the_sample_sd():
    # sd(c(1, 2, 3, 4)) is 1.2909944 in R (n - 1), 1.118 with n.
    resolved = bl.preset("rstanarm").resolve(array_design([[1, 10], [2, 10], [3, 30], [4, 50]]))
    intercept, slopes = resolved.terms
    assert slopes.parameters["scale"].tolist() == pytest.approx([1.936491673, 2.5 / 19.14854216], rel=1e-9)
    assert intercept.parameters["scale"].tolist() == [2.5] and intercept.map.tolist() == [[1.0, 2.5, 25.0]]
    assert resolved.labels()[0] == "normal(0, 2.5) at the column means"


def test_rstanarm_intercept_is_a_density_of_the_log_odds_at_the_column_means():
    design = array_design([[1, 10], [2, 10], [3, 30], [4, 50]])
    beta = np.array([-3.0, 0.7, 0.04])
    by_hand = (
        log_normal(-3.0 + 0.7 * 2.5 + 0.04 * 25.0, 0, 2.5)
        + log_normal(0.7, 0, 2.5 / 1.2909944487358056)
        + log_normal(0.04, 0, 2.5 / 19.148542155126762)
    )
    assert bl.preset("rstanarm").resolve(design).log_density(beta) == pytest.approx(by_hand, rel=1e-13)
    # Under the preset the intercept itself, at x = 0, is far wider than 2.5.
    variance = bl.preset("rstanarm").resolve(design).variance()
    spread = 2.5**2 + (2.5 * 1.936491673) ** 2 + (25 * 2.5 / 19.148542155126762) ** 2
    assert variance[0] == pytest.approx(spread, rel=1e-9)


def test_rstanarm_counts_expanded_rows():
    # Ten trials at 0 and thirty at 1: sd(rep(0:1, c(10, 30))) = 0.4385290 in R; by row it would be 0.7071.
    grouped = array_design([[0], [1]], [4, 11], trials=[10, 30])
    weighted = array_design([[0], [0], [1], [1]], [0, 1, 0, 1], weights=[6, 4, 19, 11])
    expanded = array_design(np.repeat([[0.0], [1.0]], [10, 30], axis=0))
    for design in (grouped, weighted, expanded):
        resolved = bl.preset("rstanarm").resolve(design)
        assert resolved.terms[1].parameters["scale"][0] == pytest.approx(2.5 / 0.4385290096535146, rel=1e-12)
        assert resolved.terms[0].map[0, 1] == pytest.approx(0.75, rel=1e-14)


def test_rstanarm_on_a_constant_column_an_intercept_only_and_no_intercept():
    constant = bl.preset("rstanarm").resolve(array_design([[1, 7], [2, 7], [4, 7]], [0, 1, 1]))
    assert constant.terms[1].parameters["scale"][1] == 2.5
    alone = bl.preset("rstanarm").resolve(array_design(np.zeros((3, 0)), [0, 1, 1]))
    assert len(alone.terms) == 1 and alone.terms[0].map is None
    assert alone.log_density(np.array([1.0])) == pytest.approx(log_normal(1.0, 0, 2.5), rel=1e-14)
    without = bl.preset("rstanarm").resolve(array_design([[1], [2], [3], [4]], intercept=False))
    assert len(without.terms) == 1 and without.terms[0].parameters["scale"][0] == pytest.approx(1.936491673, rel=1e-9)
    assert not any("intercept" in note for note in without.notes)


def test_the_default_prior_is_rstanarm_and_says_so(simulated):
    X, y = simulated(40, [0.5])
    design = bl.Design.from_arrays(X, y)
    default, chosen = bl.fit(design), bl.fit(design, prior="rstanarm")
    np.testing.assert_array_equal(default.params, chosen.params)
    assert default.prior_is_default and not chosen.prior_is_default
    assert "rstanarm" in default.summary().header[0] and "the default" in default.summary().header[0]
    assert "chosen" in chosen.summary().header[0]
    assert any("depend on the data" in note for note in default.notes)


# --- priors(): the more specific wins ----------------------------------------------------------------------------


def test_a_column_beats_its_term_and_a_term_beats_the_default():
    prior = bl.priors(
        default=bl.Normal(1.0),
        intercept=bl.Normal(5.0),
        terms={EDUC[1]: bl.Normal(0.25), "C(educ)": bl.Normal(0.5), "dist": bl.Flat()},
    )
    assert scales(prior) == [5.0, 1.0, 0.5, 0.25, 0.5, math.inf]
    # In whatever order they are written.
    turned = bl.priors(
        default=bl.Normal(1.0),
        intercept=bl.Normal(5.0),
        terms={"dist": bl.Flat(), "C(educ)": bl.Normal(0.5), EDUC[1]: bl.Normal(0.25)},
    )
    assert scales(turned) == scales(prior)
    assert (
        bl.priors(default=bl.Normal(1.0), terms={"Intercept": bl.Normal(7.0)}).resolve(Columns()).variance()[0] == 49.0
    )


def test_without_a_default_the_other_slopes_are_flat():
    assert scales(bl.priors(terms={"age": bl.Normal(1.0)})) == [math.inf, 1.0, *[math.inf] * 4]


def test_a_preset_as_default_keeps_its_intercept_and_its_other_scales():
    base = bl.preset("rstanarm").resolve(Columns())
    mixed = bl.priors(default=bl.preset("rstanarm"), terms={"dist": bl.Normal(0.1)}).resolve(Columns())
    assert mixed.labels()[:5] == base.labels()[:5] and mixed.labels()[5] == "normal(0, 0.1)"
    beta = np.array([0.3, 0.02, 0.1, -0.4, 0.2, 0.05])
    moved = log_normal(0.05, 0, 0.1) - log_normal(0.05, 0, 2.5 / 2.0)
    assert mixed.log_density(beta) == pytest.approx(base.log_density(beta) + moved, rel=1e-12)
    # The intercept is still a density at the column means, now narrower for the narrower slope.
    assert mixed.variance()[0] == pytest.approx(base.variance()[0] - 0.25 * (1.25**2 - 0.1**2), rel=1e-12)
    own = bl.priors(default=bl.preset("rstanarm"), intercept=bl.Normal(3.0)).resolve(Columns())
    assert own.variance()[0] == 9.0 and own.labels()[0] == "normal(0, 3)"
    free = bl.priors(default=bl.preset("rstanarm"), terms={"dist": bl.Flat()}).resolve(Columns())
    assert free.variance()[0] == math.inf and not free.flat[0]


def test_every_column_has_one_prior_whatever_the_assignment():
    for prior in (
        bl.priors(default=bl.preset("rstanarm"), terms={"C(educ)": bl.Normal(1.0), EDUC[0]: bl.Flat()}),
        bl.priors(terms={"C(educ)": bl.MultivariateNormal(mean=[0, 0, 0], cov=np.eye(3)), "age": bl.Normal(1)}),
    ):
        named = sorted(j for term in prior.resolve(Columns()).terms for j in term.columns)
        assert named == list(range(6))


# --- the record --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prior",
    [
        bl.Flat(),
        bl.Normal(2.5, mean=1),
        bl.preset("rstanarm"),
        bl.priors(bl.Normal(1.0), bl.Normal(2.0), {"C(educ)": bl.MultivariateNormal(mean=[0, 1, 0], cov=np.eye(3))}),
    ],
)
def test_a_described_prior_comes_back_from_json(prior):
    resolved = prior.resolve(Columns())
    record = json.loads(json.dumps(resolved.describe()))
    assert prior.describe(Columns()) == resolved.describe()
    again = from_description(resolved.columns, resolved.name, resolved.notes, record)
    beta = np.linspace(-1, 1, 6)
    assert again.log_density(beta) == resolved.log_density(beta) and again.labels() == resolved.labels()


def test_the_table_prints_numbers_and_the_odds_ratios_they_allow():
    resolved = bl.priors(default=bl.Normal(1.0), terms={"dist": bl.Normal(0.5, mean=2.0)}).resolve(Columns())
    rows = {row[0]: row for row in resolved.table().rows}
    assert rows["age"][2:] == pytest.approx((1.0, math.exp(-1.959963984540054), math.exp(1.959963984540054)))
    assert rows["dist"][3:] == pytest.approx((math.exp(2 - 0.979981992), math.exp(2 + 0.979981992)))
    assert rows["Intercept"][1] == "flat" and rows["Intercept"][3:] == (None, None)
    assert "normal(2, 0.5)" in str(resolved)


def test_reprs_can_be_read_back():
    assert repr(bl.Normal(2.5)) == "Normal(2.5)" and repr(bl.Normal(1, mean=-0.5)) == "Normal(1, mean=-0.5)"
    assert repr(bl.preset("rstanarm")) == "preset('rstanarm')" and repr(bl.Flat()) == "Flat()"
    assert bl.Normal(2.5) == bl.Normal(2.5, mean=0) and bl.Normal(2.5) != bl.Normal(2.4)


# --- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("normal:2.5", bl.Normal(2.5)),
        (" Normal: 1e-2 ", bl.Normal(0.01)),
        ("flat", bl.Flat()),
        ("rstanarm", bl.preset("rstanarm")),
        ("preset:rstanarm", bl.preset("rstanarm")),
    ],
)
def test_a_prior_from_text(text, wanted):
    assert parse_prior(text) == wanted and as_prior(text) == wanted


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("cauchi:2.5", r"unknown family 'cauchi'\. Did you mean 'cauchy'\? Known: .*normal.*preset:rstanarm"),
        ("", "unknown family ''"),
        ("normal", r"normal takes 1 number\(s\), 0 given"),
        ("normal:1,2,3", r"normal takes 1 number\(s\), 3 given"),
        ("flat:1", r"flat takes 0 number\(s\), 1 given"),
        ("normal:wide", r"'wide' is not a list of numbers; write for example normal:2\.5"),
        ("normal:-1", "scale must be a positive finite number"),
        ("preset:stan", r"preset\('stan'\): there is no such preset\. .*Known: rstanarm"),
    ],
)
def test_text_that_is_no_prior(text, match):
    with pytest.raises(bl.PriorError, match=match):
        parse_prior(text)


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan, "wide", None, True])
def test_a_scale_is_a_positive_finite_number(scale):
    with pytest.raises(bl.PriorError, match=r"Normal\(scale=.*\): scale must be a positive finite number, in log-odds"):
        bl.Normal(scale)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_scale_whose_square_cannot_be_held_is_refused(scale):
    with pytest.raises(bl.PriorError, match="scale must lie between 1e-150 and 1e150; rescale the column"):
        bl.Normal(scale)


@pytest.mark.parametrize("mean", [math.inf, math.nan, "high", None, True])
def test_a_mean_is_a_finite_number(mean):
    with pytest.raises(bl.PriorError, match=r"Normal\(mean=.*\): mean must be a finite number"):
        bl.Normal(1.0, mean=mean)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "give exactly one of cov= and precision="),
        ({"cov": np.eye(2), "precision": np.eye(2)}, "give exactly one of cov= and precision="),
        ({"cov": np.eye(3)}, r"cov has shape \(3, 3\), the mean needs \(2, 2\)"),
        ({"precision": np.eye(3)}, r"precision has shape \(3, 3\), the mean needs \(2, 2\)"),
        ({"cov": [[1, 0.5], [0.4, 1]]}, "cov is not symmetric"),
        ({"cov": [[1, 2], [2, 1]]}, r"cov is not positive definite \(smallest eigenvalue -1\)"),
        ({"precision": [[1, 1], [1, 1]]}, "precision is not positive definite"),
        ({"cov": [[1, math.nan], [math.nan, 1]]}, "cov has values that are not finite"),
        ({"cov": "wide"}, "cov must be a matrix of numbers"),
        ({"cov": np.eye(2), "columns": ["a"]}, r"columns=\['a'\] must be 2 different names"),
        ({"cov": np.eye(2), "columns": ["a", "a"]}, r"columns=\['a', 'a'\] must be 2 different names"),
        ({"cov": np.eye(2), "mean": "high"}, "mean must be numbers"),
        ({"cov": np.eye(2), "mean": [0.0, math.inf]}, "mean must be a vector of finite numbers"),
        ({"cov": np.eye(2), "mean": [[0.0, 1.0]]}, "mean must be a vector of finite numbers"),
    ],
)
def test_a_multivariate_normal_that_is_none(options, match):
    with pytest.raises(bl.PriorError, match=match):
        bl.MultivariateNormal(**{"mean": [0.0, 0.0], **options})


def test_a_nearly_singular_but_positive_definite_covariance_is_taken():
    cov = np.array([[1.0, 1e6 * 0.999999], [1e6 * 0.999999, 1e12]])
    assert bl.MultivariateNormal(mean=[0, 0], cov=cov).cov[1, 1] == 1e12


def mvn(k: int, columns: Any = None) -> bl.MultivariateNormal:
    return bl.MultivariateNormal(mean=np.zeros(k), cov=np.eye(k), columns=columns)


@pytest.mark.parametrize(
    ("prior", "match"),
    [
        (mvn(5), "as the whole prior needs columns=, so that it is matched by name"),
        (mvn(2, ["age", "dist"]), r"must name every slope; it leaves out C\(educ\)\[T\.1\], .* Use bayeslogit\.priors"),
        (
            mvn(2, ["age", "weight"]),
            "names weight, which the design does not have. Its terms are .*C.educ.*; its columns",
        ),
        (bl.priors(terms={"weight": bl.Normal(1)}), r"terms=\.\.\.\) names weight, which the design does not have"),
        (bl.priors(terms={"C(educ)": mvn(2)}), r"has 2 means, but it was assigned to 3 columns \(C\(educ\)\[T\.1\]"),
        (
            bl.priors(terms={"C(educ)": mvn(2, ["age", "dist"])}),
            "names the columns age, dist, but it was assigned to C",
        ),
        (
            bl.priors(default=mvn(5, ["age", *EDUC, "dist"]), terms={"age": bl.Normal(1)}),
            "cannot be taken apart: give it in terms=",
        ),
        (
            bl.priors(intercept=bl.Normal(1), terms={"Intercept": bl.Normal(2)}),
            "the intercept has two priors, one in intercept= and one in terms=",
        ),
        (
            bl.priors(terms={"age": bl.preset("rstanarm")}),
            "is a rule for a whole model, not a density for the columns age",
        ),
        (bl.priors(intercept=bl.preset("rstanarm")), "is a rule for a whole model, not a density for the columns Int"),
    ],
)
def test_an_assignment_that_does_not_fit_the_design(prior, match):
    with pytest.raises(bl.PriorError, match=match):
        prior.resolve(Columns())


def test_an_intercept_prior_needs_an_intercept():
    design = array_design([[1], [2]], intercept=False)
    with pytest.raises(bl.PriorError, match=r"priors\(intercept=Normal\(1\)\): the design has no intercept"):
        bl.priors(intercept=bl.Normal(1)).resolve(design)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"default": 2.5}, r"priors\(default=2\.5\): a prior such as bayeslogit\.Normal\(2\.5\) is needed"),
        ({"intercept": "flat"}, r"priors\(intercept='flat'\): a prior such as"),
        ({"terms": {"age": 1}}, r"priors\(terms\['age'\]=1\): a prior such as"),
        ({"terms": {"age": None}}, r"priors\(terms\['age'\]=None\): a prior such as"),
        ({"terms": [("age", 1)]}, r"priors\(terms=\.\.\.\) must map term names to priors, not list"),
    ],
)
def test_priors_takes_priors(options, match):
    with pytest.raises(bl.PriorError, match=match):
        bl.priors(**options)


def test_fit_takes_a_prior(simulated):
    X, y = simulated(20, [0.5])
    design = bl.Design.from_arrays(X, y)
    with pytest.raises(bl.PriorError, match=r"prior=Normal: give an instance with its scale, such as Normal\(2\.5\)"):
        bl.fit(design, prior=bl.Normal)
    with pytest.raises(bl.PriorError, match=r"prior=2\.5: give a prior such as bayeslogit\.Normal\(2\.5\), None"):
        bl.fit(design, prior=2.5)
    with pytest.raises(bl.PriorError, match=r"preset\('stan'\): there is no such preset"):
        bl.preset("stan")


def test_a_prior_too_wide_for_its_odds_ratios_is_still_printed(tmp_path):
    # 2.5 / sd of a column with an sd below 0.0069 spreads beyond exp(709).
    x = np.linspace(0.0, 1e-4, 40)
    made = bl.Design.from_arrays(x[:, None], np.arange(40) % 3 == 0)
    resolved = bl.preset("rstanarm").resolve(made)
    row = resolved.table().records()[1]
    assert row["or_lower"] == 0.0 and row["or_upper"] == np.inf and 1e4 < row["sd"] < 1e6
    assert "∞" in str(resolved) and "nan" not in str(resolved)
    fit = bl.fit(made)
    for name in ("r.html", "r.md"):
        assert "∞" in bl.report(fit, tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("total", "words"), [(1.001, r"divide by 0\.001"), (1.0, "leaves nothing"), (0.5, "leaves nothing"), (8.0, "by 7")]
)
def test_weights_that_add_up_to_few_observations_do_not_change_the_default_in_silence(total, words, wells):
    # The rule is R's sd, over n - 1 = sum of weights - 1: normal(0, 0.065) becomes normal(0, 0.00205), or 2.5.
    made = bl.Design.from_formula("switch ~ dist", wells, weights=np.full(len(wells), total / len(wells)))
    resolved = bl.preset("rstanarm").resolve(made)
    (note,) = [each for each in resolved.notes if "add up to" in each]
    assert re.search(rf"add up to {total:g} observation\(s\) over 3,020 rows.*{words}", note)
    assert note in bl.fit(made).notes and "add up to" in str(resolved)


@pytest.mark.parametrize("total", [30.0, 3020.0, 9060.0])
def test_weights_that_add_up_to_enough_need_no_word(total, wells):
    made = bl.Design.from_formula("switch ~ dist", wells, weights=np.full(len(wells), total / len(wells)))
    assert not any("add up to" in note for note in bl.preset("rstanarm").resolve(made).notes)


def test_few_rows_without_weights_need_no_word():
    made = bl.Design.from_arrays([[1.0], [2.0], [4.0]], [0, 1, 0])
    assert not any("add up to" in note for note in bl.preset("rstanarm").resolve(made).notes)


def test_keys_of_terms_may_be_typed_with_other_blanks_and_quotes():
    rows = {"g": ["u v", "w"] * 10, "x": np.arange(20.0), "y": [0, 1, 1, 0, 1] * 4}
    design = bl.Design.from_formula("y ~ C(g, levels=['u v','w']) + I((x-3)/2)", rows)
    assert "C(g, levels=['u v', 'w'])" in design.terms
    exact = bl.priors(terms={"C(g, levels=['u v', 'w'])": bl.Normal(2.0), "I((x - 3) / 2)": bl.Laplace(3.0)})
    for factor, slope in [
        ("C(g, levels=['u v','w'])", "I((x-3)/2)"),
        ('C( g,levels=["u v", "w"] )', " I( (x - 3)/2 )"),
        ("C(g,levels=['u v','w'])[T.w]", "I((x - 3) / 2)"),
    ]:
        typed = bl.priors(terms={factor: bl.Normal(2.0), slope: bl.Laplace(3.0)})
        assert typed.resolve(design).labels() == exact.resolve(design).labels()
    with pytest.raises(
        bl.PriorError, match=r"priors\(terms=\.\.\.\) names C\(g, levels=\['uv','w'\]\), which the desi"
    ):
        bl.priors(terms={"C(g, levels=['uv','w'])": bl.Normal(2.0)}).resolve(design)
    with pytest.raises(bl.PriorError, match=r"I\(\(x - 3\) / 2\) has two priors, Normal\(1\) and Normal\(2\)"):
        bl.priors(terms={"I((x-3)/2)": bl.Normal(1.0), "I((x - 3)/2)": bl.Normal(2.0)}).resolve(design)
    # Names that differ in nothing else are not mixed up.
    close = bl.Design.from_arrays(np.eye(20)[:, :2], rows["y"], names=["a b", "ab"])
    assert bl.priors(terms={"a b": bl.Normal(2.0)}).resolve(close).labels() == ("flat", "normal(0, 2)", "flat")
    with pytest.raises(bl.PriorError, match="names a  b, which"):
        bl.priors(terms={"a  b": bl.Normal(2.0)}).resolve(close)
