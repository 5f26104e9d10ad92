"""A posterior handed on: as a prior, as sums of sites, as rows of data."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import bayeslogit as bl

FORMULA = "switch ~ dist100 + arsenic + educ4"


@pytest.fixture(scope="module")
def wells():
    return bl.datasets.load("wells")


# --- the next prior --------------------------------------------------------------------------------------------------


def test_a_posterior_as_prior_equals_the_pooled_fit_to_first_order(wells):
    whole = bl.fit(FORMULA, wells, prior=bl.Normal(2.5))
    off = []
    for first in (400, 1600):
        half = bl.fit(FORMULA, wells.iloc[:first], prior=bl.Normal(2.5))
        then = bl.fit(FORMULA, wells.iloc[first:], prior=half.as_prior())
        off.append(np.max(np.abs(then.params - whole.params) / whole.bse))
        np.testing.assert_allclose(then.bse, whole.bse, rtol=0.05)
    # What is lost is the skewness of the first posterior; it falls with its rows.
    assert off[1] < 0.5 * off[0] < 0.5 * 0.4
    alone = bl.fit(FORMULA, wells.iloc[1600:], prior=bl.Normal(2.5))
    assert np.max(np.abs(alone.params - whole.params) / whole.bse) > 5 * off[1]


def test_a_gaussian_posterior_is_handed_on_without_loss(wells):
    """With a prior so tight that the likelihood is a quadratic within it, nothing is lost."""
    tight = bl.priors(default=bl.Normal(1e-4), intercept=bl.Normal(1e-4))
    first, rest = wells.iloc[:1500], wells.iloc[1500:]
    whole = bl.fit(FORMULA, wells, prior=tight, tol=1e-10)
    then = bl.fit(FORMULA, rest, prior=bl.fit(FORMULA, first, prior=tight, tol=1e-10).as_prior(), tol=1e-10)
    np.testing.assert_allclose(then.params, whole.params, rtol=0, atol=1e-5 * whole.bse.max())


def test_draws_hand_on_the_mean_and_a_mode_with_zeros_needs_them(wells):
    fit = bl.fit(FORMULA, wells.iloc[:60], prior=bl.Laplace(0.1))
    assert (fit.params == 0.0).any()
    with pytest.raises(bl.FitError, match="exactly at a kink of the prior"):
        fit.as_prior()
    draws = fit.sample(rng=1)
    prior = fit.as_prior(draws)
    np.testing.assert_array_equal(prior.mean, draws.mean)
    np.testing.assert_allclose(np.sqrt(np.diag(prior.cov)), draws.sd, rtol=1e-12)
    own = np.corrcoef(draws.values.T)
    sd = np.sqrt(np.diag(prior.cov))
    np.testing.assert_allclose(prior.cov / np.outer(sd, sd), own, rtol=1e-9, atol=1e-12)
    with pytest.raises(bl.ArgumentError, match="another fit"):
        bl.fit(FORMULA, wells.iloc[:60], prior=bl.Normal(1)).as_prior(draws)
    bare = bl.fit(FORMULA, wells, prior=bl.Normal(1), covariance="none")
    with pytest.raises(bl.FitError, match="holds no covariance"):
        bare.as_prior()


def test_a_prior_travels_as_json_to_the_bit(wells, tmp_path):
    fit = bl.fit(FORMULA, wells.iloc[:1500], prior=bl.Normal(2.5))
    file = tmp_path / "prior.json"
    bl.save_prior(fit.as_prior(), file)
    rest = bl.Design.from_formula(FORMULA, wells.iloc[1500:])
    direct, loaded = bl.fit(rest, prior=fit.as_prior()), bl.fit(rest, prior=bl.load_prior(file))
    np.testing.assert_array_equal(direct.params, loaded.params)
    # Any prior, resolved on a design, and a mixture with kinks.
    mixture = bl.priors(default=bl.Normal(1), terms={"arsenic": bl.Laplace(0.2)})
    bl.save_prior(mixture, file, columns=rest)
    np.testing.assert_array_equal(bl.fit(rest, prior=bl.load_prior(file)).params, bl.fit(rest, prior=mixture).params)
    with pytest.raises(bl.PriorError, match="names no columns"):
        bl.save_prior(bl.Normal(1), file)
    with pytest.raises(bl.FileFormatError, match="not a saved fit"):
        bl.load(file)
    document = json.loads(file.read_text("utf-8"))
    document["prior"]["terms"][1]["parameters"]["scale"] = 9.0
    file.write_text(json.dumps(document))
    with pytest.raises(bl.FileFormatError, match="checksum"):
        bl.load_prior(file)


# --- sites -----------------------------------------------------------------------------------------------------------


def rounds(designs, prior, tmp_path=None):
    """As it would go over files: summaries out, coefficients back, until the coordinator says stop."""
    pooled = None
    for count in range(1, 20):
        if tmp_path is None:
            summaries = [bl.site_summary(each, pooled, site=f"s{k}") for k, each in enumerate(designs)]
        else:
            summaries = []
            for k, each in enumerate(designs):
                file = tmp_path / f"s{k}.json"
                bl.site_summary(each, None if pooled is None else tmp_path / "round.json", site=f"s{k}").to_json(file)
                summaries.append(file)
        pooled = bl.pool_sites(summaries, prior, pooled)
        if tmp_path is not None:
            pooled.to_json(tmp_path / "round.json")
        if pooled.converged:
            return pooled, count
    raise AssertionError("the rounds did not end")


@pytest.mark.parametrize("prior", [None, bl.Normal(0.5), "rstanarm"], ids=["flat", "normal", "rstanarm"])
def test_sites_together_are_the_pooled_fit(wells, prior, tmp_path):
    parts = [wells.iloc[:500], wells.iloc[500:520], wells.iloc[520:]]
    pooled, count = rounds([bl.Design.from_formula(FORMULA, part) for part in parts], prior, tmp_path)
    whole = bl.fit(FORMULA, wells, prior=prior, tol=1e-10)
    assert count <= 8
    assert np.max(np.abs(pooled.params - whole.params) / whole.bse) < 1e-8
    np.testing.assert_allclose(pooled.bse, whole.bse, rtol=1e-8)
    np.testing.assert_allclose(pooled.log_posterior, whole.log_posterior, rtol=1e-12)
    assert pooled.nobs == whole.nobs
    assert "at 3 sites (s0, s1, s2)" in str(pooled) and "Converged" in str(pooled)


def test_sites_keep_their_digits_where_columns_are_far_from_zero_and_take_counts_and_offsets():
    rng = np.random.default_rng(2)
    n = 400
    year = 2.0e6 + rng.normal(size=n) + 3.0 * (np.arange(n) % 2)
    trials, offset = rng.integers(1, 6, n), rng.normal(size=n)
    y = rng.binomial(trials, 1 / (1 + np.exp(-(0.4 * (year - 2.0e6) + offset))))
    frame = pd.DataFrame({"y": y, "year": year, "n": trials, "o": offset})

    def design(part):
        return bl.Design.from_formula("y ~ year", part, trials="n", offset="o")

    pooled, _ = rounds([design(frame[frame.index % 2 == k]) for k in (0, 1)], bl.Normal(1.0))
    whole = bl.fit(design(frame), prior=bl.Normal(1.0), tol=1e-10)
    assert abs(pooled.params["year"] - whole.params["year"]) < 1e-7 * whole.bse["year"]
    np.testing.assert_allclose(pooled.bse["year"], whole.bse["year"], rtol=1e-7)


def test_a_step_too_far_is_taken_back(wells):
    designs = [bl.Design.from_formula(FORMULA, wells.iloc[::2]), bl.Design.from_formula(FORMULA, wells.iloc[1::2])]
    there = bl.pool_sites([bl.site_summary(each, site=str(k)) for k, each in enumerate(designs)], None)
    wild = [bl.site_summary(each, 40.0 * there.next_beta, site=str(k)) for k, each in enumerate(designs)]
    back = bl.pool_sites(wild, None, there)
    assert not back.converged and "half-way back" in back.notes[0]
    np.testing.assert_allclose(back.next_beta, 20.0 * there.next_beta, rtol=1e-9)


def test_sites_that_disagree_are_named(wells, tmp_path):
    a = bl.site_summary(bl.Design.from_formula(FORMULA, wells), site="north")
    b = bl.site_summary(bl.Design.from_formula("switch ~ dist100 + arsenic", wells), site="south")
    with pytest.raises(bl.DataError, match="columns of south are not those of north: it lacks educ4"):
        bl.pool_sites([a, b], None)
    with pytest.raises(bl.DataError, match="north is there twice"):
        bl.pool_sites([a, a], None)
    moved = bl.site_summary(bl.Design.from_formula(FORMULA, wells), [0, 0, 0, 0.1], site="east")
    with pytest.raises(bl.DataError, match="at other coefficients"):
        bl.pool_sites([a, moved], None)
    with pytest.raises(bl.PriorError, match="smooth, log-concave"):
        bl.pool_sites([a], bl.Laplace(1))
    with pytest.raises(bl.ArgumentError, match="one finite number a column"):
        bl.site_summary(bl.Design.from_formula(FORMULA, wells), [1.0, 2.0], site="x")
    with pytest.raises(bl.ArgumentError, match="give a list"):
        bl.pool_sites(a, None)
    file = tmp_path / "a.json"
    a.to_json(file)
    file.write_text(file.read_text("utf-8")[:-40])
    with pytest.raises(bl.FileFormatError, match="truncated"):
        bl.pool_sites([file], None)


# --- rows of data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prior",
    [
        bl.Normal(0.3),
        bl.priors(default=bl.Normal(0.5, mean=0.2), intercept=bl.Normal(1.0)),
        bl.MultivariateNormal(mean=[0.1, -0.2], cov=[[0.2, 0.1], [0.1, 0.3]], columns=["dist100", "arsenic"]),
    ],
    ids=["normal", "means", "correlated"],
)
def test_pseudo_rows_give_another_program_our_mode(wells, prior):
    frame = wells.iloc[:300]
    design = bl.Design.from_formula("switch ~ dist100 + arsenic", frame)
    extra = bl.pseudo_rows(design, prior)
    names = ["Intercept", "dist100", "arsenic"]
    X = np.vstack([np.column_stack([np.ones(300), frame[names[1:]]]), extra[names]])
    trials = np.concatenate([np.ones(300), extra["trials"]])
    successes = np.concatenate([frame["switch"], extra["successes"]])
    offset = np.concatenate([np.zeros(300), extra["offset"]])
    y = np.column_stack([successes, trials - successes])
    theirs = sm.GLM(y, X, family=sm.families.Binomial(), offset=offset).fit(tol=1e-14, maxiter=200)
    ours = bl.fit(design, prior=prior, tol=1e-10)
    assert np.max(np.abs(theirs.params - ours.params) / ours.bse) < 1e-5
    np.testing.assert_allclose(theirs.bse, ours.bse, rtol=1e-5)


def test_pseudo_rows_refuse_what_is_no_row(wells):
    design = bl.Design.from_formula("switch ~ dist100", wells)
    with pytest.raises(bl.PriorError, match="only normal priors"):
        bl.pseudo_rows(design, bl.Laplace(1.0))
    with pytest.raises(bl.PriorError, match="only normal priors"):
        bl.pseudo_rows(design, bl.Jeffreys())
    with pytest.raises(bl.ArgumentError, match="sharpness="):
        bl.pseudo_rows(design, bl.Normal(1.0), sharpness="much")
    assert len(bl.pseudo_rows(design, None)) == 0


# --- columns that only share a name ----------------------------------------------------------------------------------


def test_a_level_that_one_site_lacks_is_named_in_the_formula(tmp_path):
    births = bl.datasets.load("lbw")
    older = births[births.age >= 20]
    parts = [
        births[births.age < 20],
        older[older.race != "black"].iloc[::2],
        older.drop(older[older.race != "black"].index[::2]),
    ]
    formula = "low ~ I((age - 23) / 5) + C(race, levels=['black', 'other', 'white']) + smoke"
    designs = [bl.Design.from_formula(formula, part) for part in parts]
    for prior in (bl.Normal(1.0), "rstanarm"):
        pooled, _ = rounds(designs, prior, tmp_path)
        whole = bl.fit(formula, births, prior=prior, tol=1e-10)
        assert np.max(np.abs(pooled.params - whole.params) / whole.bse) < 1e-6  # the rounds end at a decrement of that
        np.testing.assert_allclose(pooled.bse, whole.bse, rtol=1e-6)
    plain = [
        bl.site_summary(bl.Design.from_formula("low ~ race", part), site=s)
        for part, s in zip(parts[:2], "ab", strict=True)
    ]
    with pytest.raises(bl.DataError, match=r"name them in the formula, C\(factor, levels="):
        bl.pool_sites(plain, None)


@pytest.mark.parametrize("transform", ["scale(age)", "center(age)", "poly(age, 2)", "bs(age, df=4)"])
def test_transforms_that_learn_are_not_pooled_nor_handed_on(transform):
    births = bl.datasets.load("lbw")
    even, odd = births.iloc[::2], births.iloc[1::2]
    designs = [bl.Design.from_formula(f"low ~ {transform} + smoke", part) for part in (even, odd)]
    with pytest.raises(bl.DataError) as caught:
        bl.pool_sites([bl.site_summary(each, site=s) for each, s in zip(designs, "ab", strict=True)], bl.Normal(1.0))
    assert f"{transform} took other numbers from the rows of b than from those of a" in str(caught.value)
    with pytest.warns(bl.FitWarning, match=r"as_prior\(\): .* took numbers from these rows"):
        bl.fit(designs[0], prior=bl.Normal(1.0)).as_prior()
    # The same rows at both have taken the same numbers.
    same = [bl.site_summary(designs[0], site=s) for s in "ab"]
    assert bl.pool_sites(same, bl.Normal(1.0)).nobs == 2 * len(even)


def test_references_and_events_must_be_the_same_at_all_sites():
    births = bl.datasets.load("lbw")
    births = births.assign(end=np.where(births.low == 1, "ill", "well"))
    two = [births[births.race != "black"], births[births.race != "other"]]  # race[T.white], against other and black
    with pytest.raises(bl.DataError, match=r"race has the levels .* at b and .* at a"):
        bl.pool_sites(
            [bl.site_summary(bl.Design.from_formula("low ~ race", d), site=s) for d, s in zip(two, "ab", strict=True)],
            None,
        )
    designs = [bl.Design.from_formula("end ~ age", births, event=event) for event in ("ill", "well")]
    with pytest.raises(bl.DataError, match="the outcome is well against ill at b and ill against well at a"):
        bl.pool_sites([bl.site_summary(d, site=s) for d, s in zip(designs, "ab", strict=True)], None)


def test_what_a_site_hands_over_is_said_and_shown(wells, tmp_path):
    summary = bl.site_summary(bl.Design.from_formula("switch ~ arsenic", wells), site="north")
    assert repr(summary) == "<SiteSummary north: sums over 3,020 observations; columns Intercept, arsenic>"
    assert "values of single rows" in bl.SiteSummary.__doc__ and "not anonymous" in bl.site_summary.__doc__
    summary.to_json(tmp_path / "s.json")
    text = (tmp_path / "s.json").read_text("utf-8")
    assert len(text) < 4000  # sums, whatever the number of rows
    back = bl.SiteSummary.from_json(tmp_path / "s.json")
    assert back.coding == summary.coding and np.array_equal(back.information, summary.information)


def test_fits_and_draws_given_as_priors_are_told_how(wells):
    fit = bl.fit("switch ~ arsenic", wells, prior=bl.Normal(1.0))
    with pytest.raises(bl.PriorError, match=r"its posterior as one is fit.as_prior\(\)"):
        bl.fit("switch ~ arsenic", wells, prior=fit)
    with pytest.raises(bl.PriorError, match=r"fit.as_prior\(draws\)"):
        bl.fit("switch ~ arsenic", wells, prior=fit.sample("laplace", draws=10))


# --- rows of data, read by scikit-learn ------------------------------------------------------------------------------


def test_scikit_learn_without_a_penalty_finds_our_mode_from_the_appended_rows(wells):
    linear = pytest.importorskip("sklearn.linear_model")
    frame = wells.iloc[:300]
    design = bl.Design.from_formula("switch ~ dist100 + arsenic", frame)
    prior = bl.priors(default=bl.Normal(0.3), intercept=bl.Normal(1.0))
    extra = bl.pseudo_rows(design, prior)
    names = ["Intercept", "dist100", "arsenic"]
    assert np.all(extra["offset"] == 0.0)  # means of zero: a program without offsets can take the rows
    X = np.vstack([frame.assign(Intercept=1.0)[names], extra[names], extra[names]])
    y = np.concatenate([frame["switch"], np.ones(len(extra)), np.zeros(len(extra))])
    weight = np.concatenate([np.ones(300), extra["successes"], extra["trials"] - extra["successes"]])
    flat = linear.LogisticRegression(C=1e12, fit_intercept=False, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    ours = bl.fit(design, prior=prior, tol=1e-10)
    theirs = flat.fit(X, y, sample_weight=weight).coef_[0]
    assert np.max(np.abs(theirs - ours.params) / ours.bse) < 1e-7
