"""What a user holds of a posterior: every number against the arrays of its rung, or against brute force."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

import bayeslogit as bl
from bayeslogit.cli import run
from bayeslogit.errors import ArgumentError, FitError, PriorError
from bayeslogit.posterior.functions import weighted_quantile
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.propriety import Existence

SIX = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])


def expit(eta):
    return 1.0 / (1.0 + np.exp(-eta))


@pytest.fixture(scope="module")
def births():
    return bl.fit("low ~ age + lwt + race + smoke", bl.datasets.load("lbw"))


@pytest.fixture(scope="module")
def draws(births):
    return births.sample(rng=1)


@pytest.fixture(scope="module")
def lasso():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((120, 4))
    return bl.fit(bl.Design.from_arrays(X, rng.random(120) < expit(X[:, 0])), prior=bl.Laplace(0.25))


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_numbers_carry_names_and_agree_with_the_weighted_points(births, draws):
    points, log_weights = draws.raw
    weights = np.exp(log_weights)
    assert weights.sum() == pytest.approx(1.0) and points.shape[1] == len(births.columns)
    mean = weights @ points
    sd = np.sqrt(weights @ (points - mean) ** 2)
    assert list(draws.mean.index) == list(draws.sd.index) == list(births.columns) == list(draws.columns)
    # The bare weights have more noise than the control variates, which is why they are not what is reported.
    assert np.max(np.abs(draws.mean - mean) / sd) < 0.1 and np.max(np.abs(draws.sd / sd - 1.0)) < 0.1
    assert draws.values.shape == (4000, len(births.columns)) and draws.n == len(draws) == 4000
    table = draws.quantile([0.05, 0.5, 0.95])
    assert list(table.columns) == [0.05, 0.5, 0.95] and list(table.index) == list(births.columns)
    assert np.array_equal(table[0.5], draws.quantile(0.5))
    assert (table[0.05] < table[0.5]).all() and (table[0.5] < table[0.95]).all()
    interval = draws.conf_int(0.9)
    assert list(interval.columns) == ["lower", "upper"] and np.allclose(interval.to_numpy(), table[[0.05, 0.95]])


def test_the_same_seed_gives_the_same_numbers(births, draws):
    again, other = births.sample(rng=1), births.sample(rng=2)
    assert np.array_equal(again.values, draws.values) and again.log_evidence == draws.log_evidence
    assert (again.mean == draws.mean).all() and not np.array_equal(other.values, draws.values)
    given = births.sample("laplace", rng=np.random.default_rng(5))
    assert np.array_equal(given.values, births.sample("laplace", rng=5).values)


def test_one_coefficient_agrees_with_an_integral():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(12)
    y = rng.random(12) < expit(1.5 * x)
    design = bl.Design.from_arrays(x[:, None], y, intercept=False)
    draws = bl.fit(design, prior=bl.Laplace(0.7)).sample(rng=1)

    def density(b, moment=0):
        likelihood = np.exp(-np.logaddexp(0.0, np.where(y, -b * x, b * x)).sum())
        return b**moment * likelihood * np.exp(-abs(b) / 0.7) / 1.4

    def integral(lower, upper, moment=0):
        return integrate.quad(density, lower, upper, args=(moment,), points=[0.0], epsabs=0, epsrel=1e-11, limit=200)[0]

    total = integral(-30, 30)
    mean = integral(-30, 30, 1) / total
    sd = np.sqrt(integral(-30, 30, 2) / total - mean**2)
    assert draws.verdict.level == "certified"
    assert draws.mean.iloc[0] == pytest.approx(mean, abs=0.003 * sd)
    assert draws.sd.iloc[0] == pytest.approx(sd, rel=0.01)
    assert draws.log_evidence == pytest.approx(np.log(total), abs=0.01)
    above = integral(0.0, 30) / total
    found = draws.probability("x1")
    assert found["probability"] == pytest.approx(above, abs=4.0 * found["mcse"] + 1e-3)
    median = draws.quantile(0.5).iloc[0]
    assert integral(-30, median) / total == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("method", ["laplace", "normal", "variational", "importance", "auto"])
def test_every_rung_answers_every_question(births, method):
    draws = births.sample(method, draws=1000, rng=1)
    assert draws.method == {"normal": "laplace", "auto": "importance"}.get(method, method)
    assert draws.values.shape == (1000, len(births.columns))
    certified = method in ("importance", "auto")
    assert (draws.verdict.level == "certified") is certified and draws.verdict.certified is certified
    assert np.isfinite(draws.mean).all() and (draws.sd > 0.0).all() and np.isfinite(draws.log_evidence)
    for text in (str(draws), repr(draws), draws._repr_html_(), str(draws.verdict), draws.verdict._repr_html_()):
        assert draws.method in text or draws.verdict.level in text.lower()
    assert draws.predict().shape == (189, 3) and draws.contrast({"age": 10.0})["mcse"] >= 0.0
    assert np.isnan(draws.khat) == (not certified)


def test_the_mode_is_off_and_the_table_shows_by_how_much(draws, births):
    table = draws.beside_mode()
    shift = np.array(table.column("shift"))
    assert np.allclose(shift, (draws.mean - births.params) / draws.sd) and np.max(np.abs(shift)) > 0.02
    assert "certified" in table.header[0].lower()


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_the_verdict_has_a_row_for_every_number(draws):
    table = draws.verdict.table
    assert len(table.rows) == 5 * len(draws.columns) + 1
    assert set(table.column("status")) == {"within bound"}
    by = {(row["term"], row["quantity"]): row for row in table.records()}
    assert by["age", "mean"]["value"] == draws.mean["age"]
    assert by["age", "mean"]["mcse"] <= by["age", "mean"]["bound"] == pytest.approx(0.01 * draws.sd["age"])
    assert by["age", "5 % quantile"]["bound"] == pytest.approx(0.015 * draws.sd["age"])
    assert json.loads(json.dumps(draws.verdict.to_dict()))["level"] == "certified"


def test_moments_that_do_not_exist_are_missing_with_their_reason():
    design = bl.Design.from_arrays(SIX[:, None], SIX > 0.0)
    improper = bl.fit(design, prior=bl.Cauchy(2.5))
    assert improper.converged
    for method in ("auto", "laplace", "variational", "importance", "nuts"):
        with pytest.raises(FitError, match=r"improper: Intercept, x1 together separate .* Cauchy"):
            improper.sample(method)
    draws = bl.fit(design, prior=bl.StudentT(1.5, 2.5)).sample("importance", rng=1)
    assert draws.mean.isna().all() and draws.sd.isna().all()
    assert draws.quantile([0.1, 0.5]).notna().all(axis=None) and draws.verdict.level != "certified"
    assert "neither mean nor sd" in draws.verdict.in_words and "does not exist" in str(draws.verdict)
    gone = ["mean", "sd", "mcse", "sd_mcse"]
    contrast = draws.contrast({"x1": 1.0})
    assert contrast[gone].isna().all() and contrast.drop(gone).notna().all()
    # The mean of a function exists if it is bounded, whatever the coefficients do.
    with pytest.warns(bl.FitWarning, match=r"apply\(\): the function is not bounded, so its mean and sd are NaN: .*x1"):
        assert draws.apply(lambda b: b[:, 1])[gone].isna().all()
    for unbounded in (lambda b: np.log1p(b[:, 1] ** 2), lambda b: b[:, 0] + b[:, 1], lambda b: np.exp(-b[:, 0])):
        with pytest.warns(bl.FitWarning, match="not bounded"):
            assert np.isnan(draws.apply(unbounded)["mean"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        share = draws.apply(lambda b: expit(b[:, 0] + b[:, 1]))
        both = draws.apply(lambda b: np.column_stack([np.tanh(b[:, 1]), b[:, 1] > 2.0]))
    points, log_weights = draws.raw
    values, weights = expit(points[:, 0] + points[:, 1]), np.exp(log_weights)
    error = np.sqrt(np.square(weights) @ np.square(values - weights @ values))
    assert share["mean"] == pytest.approx(weights @ values, abs=4.0 * error) and error < 0.01
    assert share["sd"] == pytest.approx(np.sqrt(weights @ np.square(values - weights @ values)), rel=0.05)
    assert both["mean"].between(0.0, 1.0).all()
    with pytest.warns(bl.FitWarning, match="not bounded"):
        mixed = draws.apply(lambda b: np.column_stack([np.tanh(b[:, 1]), b[:, 1]]))
    assert mixed["mean"].isna().tolist() == [False, True] and mixed["median"].notna().all()
    assert "\u2014" in str(draws.summary())


def test_healthy_looking_draws_of_a_heavy_tail_are_not_certified(draws):
    unsure = replace(draws.existence, undecided="it was not decided whether every sd exists")
    doubtful = replace(draws, existence=unsure)
    assert draws.rung.level == "certified" and doubtful.verdict.level == "approximate"
    assert doubtful.verdict.reasons[0].startswith("it was not decided")
    none = np.zeros(len(draws.columns), bool)
    heavy = replace(draws, existence=Existence(True, ~none, none, ("age: no sd, because ...",)))
    assert heavy.verdict.level == "approximate" and heavy.sd.isna().all() and heavy.mean.notna().all()


def test_no_finite_mode_no_posterior():
    with pytest.warns(bl.FitWarning):
        fit = bl.fit(bl.Design.from_arrays(SIX[:, None], SIX > 0.0), prior=None)
    with pytest.raises(FitError, match=r"improper.*no proper prior holds them"):
        fit.sample()


# --- functions of the coefficients ------------------------------------------------------------------------------------


def test_contrasts_are_linear(draws):
    single = draws.contrast({"age": 10.0}, prob=0.9)
    assert single["mean"] == pytest.approx(10.0 * draws.mean["age"], rel=1e-9)
    assert single["sd"] == pytest.approx(10.0 * draws.sd["age"], rel=1e-6)
    assert single["lower"] == pytest.approx(10.0 * draws.quantile(0.05)["age"], rel=1e-9)
    both = draws.contrast({"race[T.other]": 1.0, "race[T.white]": -1.0})
    assert both["mean"] == pytest.approx(
        draws.mean["race[T.other]"] - draws.mean["race[T.white]"], abs=0.001 * both["sd"]
    )
    points, log_weights = draws.raw
    j, k = (draws.columns.index(name) for name in ("race[T.other]", "race[T.white]"))
    plain = weighted_quantile((points[:, j] - points[:, k])[:, None], log_weights, np.array([0.5]))[0, 0]
    assert both["median"] == pytest.approx(plain, abs=0.1 * both["sd"]) and "[importance]" in both.name


def test_apply_takes_any_function(draws):
    j = draws.columns.index("smoke")

    def odds_ratio(points):
        return np.exp(points[:, j])

    found = draws.apply(odds_ratio)
    assert found.name == "odds_ratio [importance]"
    assert found["median"] == pytest.approx(np.exp(draws.quantile(0.5)["smoke"]), rel=2e-3)
    points, log_weights = draws.raw
    values, weights = odds_ratio(points), np.exp(log_weights)
    plain = weights @ values
    error = np.sqrt(np.square(weights) @ np.square(values - plain))
    assert found["mean"] == pytest.approx(plain, abs=4.0 * error) and found["mcse"] < 0.25 * error
    assert found["sd"] == pytest.approx(np.exp(draws.values[:, j]).std(), rel=0.1)
    several = draws.apply(lambda b: b[:, :2] ** 2)
    assert several.shape == (2, 10) and list(several.columns)[:3] == ["mean", "sd", "median"]
    assert list(several.columns)[5:] == ["mcse", "sd_mcse", "median_mcse", "lower_mcse", "upper_mcse"]
    with pytest.raises(ArgumentError, match="must return shape"):
        draws.apply(lambda b: 1.0)


def test_probabilities(draws):
    found = draws.probability("smoke", above=0.5)
    above = draws.values[:, draws.columns.index("smoke")] > 0.5
    assert found["probability"] == pytest.approx(above.mean(), abs=4.0 * above.std() / np.sqrt(above.size))
    assert 0.0 < found["mcse"] < 0.002
    # It is the inverse of the quantile, which has control variates too; a count of the points would be ten times worse.
    for prob in (0.01, 0.05, 0.5, 0.9, 0.999):
        below = 1.0 - draws.probability("smoke", float(draws.quantile(prob)["smoke"]))["probability"]
        assert below == pytest.approx(prob, abs=2e-3 * min(prob, 1.0 - prob) + 2e-4)
    assert draws.probability("smoke", float("inf"))["probability"] == 0.0
    assert draws.probability("smoke", -1e9)["probability"] == 1.0
    tidy = draws.tidy()
    j = tidy["term"].tolist().index("smoke")
    positive = draws.probability("smoke")
    assert tidy["p_direction"][j] == pytest.approx(
        max(positive["probability"], 1.0 - positive["probability"]), rel=1e-12
    )
    assert tidy["p_direction_mcse"][j] == pytest.approx(positive["mcse"], rel=1e-9)
    assert found.name == "P(smoke > 0.5) [importance]"
    with pytest.raises(ArgumentError, match="no columns nonsense"):
        draws.probability("nonsense")


def test_a_zero_is_a_mode_not_a_finding(lasso):
    draws = lasso.sample(rng=1)
    zeros = lasso.params[lasso.params == 0.0].index
    assert len(zeros) == 2 and (draws.sd[zeros] > 0.05).all() and draws.verdict.level == "certified"
    table = draws.equivalence(0.1)
    for row in table.records():
        assert row["below"] + row["inside"] + row["above"] == pytest.approx(1.0, abs=1e-6)
        assert row["term"] not in zeros or (row["mode"] == 0.0 and 0.1 < row["inside"] < 0.9)
    assert all(any("not a finding" in note for note in made.notes) for made in (table, draws.summary()))
    sds = draws.fit.design.column_sds[[draws.columns.index(name) for name in table.column("term")]]
    assert (
        draws.equivalence(0.1, per="sd").rows
        == draws.equivalence(dict(zip(table.column("term"), 0.1 / sds, strict=True))).rows
    )
    with pytest.raises(bl.ArgumentError, match="per='iqr'"):
        draws.equivalence(per="iqr")
    wide = draws.equivalence({"x1": 5.0, "x4": 1e-9}, columns=["x1", "x4"])
    assert wide.column("inside")[0] > 0.999 and wide.column("inside")[1] < 1e-3
    with pytest.raises(ArgumentError, match="positive width"):
        draws.equivalence(0.0)


def test_odds_ratios_per_step(draws, births):
    table = {row["term"]: row for row in draws.odds_ratios({"age": 10, "lwt": "sd", "smoke": (1, 0)}).records()}
    median = draws.quantile(0.5)
    assert table["age"]["odds_ratio"] == pytest.approx(np.exp(10 * median["age"]))
    sd = births.design.column_sds[births.columns.index("lwt")]
    assert table["lwt"]["per"] == sd and table["lwt"]["odds_ratio"] == pytest.approx(np.exp(sd * median["lwt"]))
    assert table["smoke"]["lower"] < table["smoke"]["odds_ratio"] < table["smoke"]["upper"] < 1.2
    middle = draws.odds_ratios({"lwt": ("q25", "q75")}).records()
    step = np.subtract(*np.quantile(births.design.used_frame()["lwt"], [0.75, 0.25]))
    assert next(row for row in middle if row["term"] == "lwt")["per"] == pytest.approx(step)
    assert draws.odds_ratios(np.int64(10)).rows == draws.odds_ratios(10.0).rows
    for wrong in ("iqr", ("q25", "top"), {"height": 1.0}, float("nan"), True):
        with pytest.raises(ArgumentError):
            draws.odds_ratios(wrong)


# --- tables, predictions ---------------------------------------------------------------------------------------------


def test_a_summary_with_draws_is_the_posterior_s(births, draws):
    table = births.summary(0.9, draws=draws)
    assert table.rows == draws.summary(0.9).rows and "posterior median" in str(table) and "importance" in str(table)
    row = next(row for row in table.records() if row["term"] == "age")
    assert row["estimate"] == draws.quantile(0.5)["age"] and row["mode"] == births.params["age"]
    assert row["lower"] == pytest.approx(draws.quantile(0.05)["age"]) and row["odds_ratio"] == pytest.approx(
        np.exp(row["estimate"])
    )
    assert 0.5 <= row["p_direction"] <= 1.0
    tidy = births.tidy(draws=draws)
    assert list(tidy.columns)[:5] == ["term", "estimate", "std_error", "conf_low", "conf_high"]
    ratios = births.tidy(exponentiate=True, draws=draws)
    assert "std_error" not in ratios and np.allclose(ratios["estimate"], np.exp(tidy["estimate"]))
    other = bl.fit("low ~ age", bl.datasets.load("lbw")).sample("laplace")
    with pytest.raises(ArgumentError, match="another fit"):
        births.summary(draws=other)


def test_predictions_average_over_the_posterior(births, draws):
    frame = births.predict(draws=draws, prob=0.8)
    X = births.spec.rows(births.design.used_frame()).toarray()
    plain = expit(draws.values @ X.T)
    assert np.max(np.abs(frame["probability"] - plain.mean(axis=0))) < 0.01
    low, high = np.quantile(plain, [0.1, 0.9], axis=0)
    assert np.max(np.abs(frame["lower"] - low)) < 0.02 and np.max(np.abs(frame["upper"] - high)) < 0.02
    one = {"age": 30, "lwt": 120, "race": "white", "smoke": 1}
    person = births.predict(one, draws=draws)
    assert 0.0 < person["lower"][0] < person["probability"][0] < person["upper"][0] < 1.0
    at_mode = births.predict(one, kind="mode", draws=draws)["probability"][0]
    assert at_mode == pytest.approx(births.predict(one, kind="mode")["probability"][0], rel=1e-12)
    with pytest.raises(ArgumentError, match="kind='median'"):
        draws.predict(one, kind="median")
    with pytest.raises(ArgumentError, match="offset= goes with new rows"):
        draws.predict(offset=[0.0])


def test_a_loaded_fit_predicts_with_draws_but_makes_none(births, draws, tmp_path):
    births.to_json(tmp_path / "fit.json")
    loaded = bl.load(tmp_path / "fit.json")
    with pytest.raises(FitError, match=r"sample.* needs the data"):
        loaded.sample()
    one = {"age": 30, "lwt": 120, "race": "white", "smoke": 1}
    assert loaded.predict(one, draws=draws)["probability"][0] == births.predict(one, draws=draws)["probability"][0]


def test_replicated_outcomes_have_the_predicted_mean():
    rng = np.random.default_rng(2)
    x, trials = rng.standard_normal(40), rng.integers(1, 9, 40)
    design = bl.Design.from_arrays(x[:, None], rng.binomial(trials, expit(x)), trials=trials)
    draws = bl.fit(design, prior=bl.Normal(2.5)).sample(rng=1)
    copies = draws.posterior_predictive(rng=3)
    assert copies.shape == (4000, 40) and np.all(copies <= trials) and copies.min() == 0
    error = np.sqrt(trials * 0.25 / 4000)
    assert np.max(np.abs(copies.mean(axis=0) - trials * draws.predict()["probability"]) / error) < 4.5
    new = draws.posterior_predictive(np.zeros((3, 1)), rng=3)
    assert new.shape == (4000, 3) and set(np.unique(new)) == {0, 1}


def test_labels_reach_every_table_and_no_frame(draws):
    named = draws.relabel({"lwt": "Mother's weight (lb)"})
    assert "Mother's weight (lb)" in str(named.summary()) and "Mother's weight (lb)" in str(named.odds_ratios())
    assert "Mother's weight (lb)" in str(named.verdict) and "Mother's weight (lb)" in str(named.equivalence())
    tidy = named.tidy()
    assert "lwt" in named.mean and "lwt" in tidy["term"].tolist() and "Mother's weight (lb)" in tidy["label"].tolist()
    assert named.relabel({"age": "Age"}).labels == {"lwt": "Mother's weight (lb)", "age": "Age"}
    with pytest.raises(ArgumentError, match=r"weight.*no column"):
        draws.relabel({"weight": "W"})


def test_a_wide_design_has_a_posterior():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 60))
    fit = bl.fit(bl.Design.from_arrays(X, (rng.random(20) < expit(X[:, 0])).astype(float)), prior=bl.Normal(0.3))
    draws = fit.sample(rng=1)
    assert draws.values.shape == (4000, 61) and draws.verdict.level == "certified"
    assert np.max(np.abs(draws.values.mean(axis=0) - draws.mean) / draws.sd) < 0.12
    assert np.max(np.abs(draws.values.std(axis=0) / draws.sd - 1.0)) < 0.1
    assert draws.predict().shape == (20, 3) and len(draws.odds_ratios().rows) == 60


# --- the prior -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "cdf"),
    [
        (bl.Normal(0.7, mean=0.2), stats.norm(0.2, 0.7).cdf),
        (bl.Laplace(0.4, mean=-1.0), stats.laplace(-1.0, 0.4).cdf),
        (bl.StudentT(3, 1.5), stats.t(3, scale=1.5).cdf),
        (bl.Cauchy(0.5), stats.cauchy(scale=0.5).cdf),
        (bl.ElasticNet(l1=2.0, l2=3.0), None),
        (bl.ElasticNet(l1=2.0, l2=0.0), stats.laplace(scale=0.5).cdf),
        (
            bl.MultivariateNormal(mean=[1.0, 0.0], cov=[[2.0, 0.5], [0.5, 1.0]], columns=("x1", "x2")),
            stats.norm(1.0, 2.0**0.5).cdf,
        ),
    ],
)
def test_draws_of_the_prior_follow_its_distribution(prior, cdf):
    design = bl.Design.from_arrays(np.eye(2), [0.0, 1.0], intercept=False)
    first = prior.sample(design, 4000, rng=1)[:, 0]
    if cdf is None:
        grid = np.linspace(-6.0, 6.0, 40001)
        density = np.exp(-2.0 * np.abs(grid) - 1.5 * grid**2)
        total = integrate.cumulative_trapezoid(density, grid, initial=0.0)

        def cdf(x):
            return np.interp(x, grid, total / total[-1])

    assert stats.kstest(first, cdf).pvalue > 0.001


def test_group_and_centred_priors_are_drawn_too():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3)) + 5.0
    design = bl.Design.from_arrays(X, (rng.random(30) < 0.5).astype(float))
    three = bl.GroupLaplace(0.5, groups=[["x1", "x2", "x3"]])
    group = bl.priors(three, intercept=bl.Normal(1.0)).sample(design, 20000, 1)
    assert np.std(group[:, 1:], axis=0) / (0.5 * 2.0) == pytest.approx(1.0, abs=0.04)
    resolved = as_prior("rstanarm").resolve(design)
    values = draw_prior(resolved, 20000, 1)
    centred = values @ np.concatenate([[1.0], X.mean(axis=0)])
    assert np.std(centred) == pytest.approx(2.5, rel=0.03)
    assert np.std(values, axis=0) == pytest.approx(np.sqrt(resolved.variance()), rel=0.03)


def test_what_is_no_distribution_cannot_be_drawn(births):
    with pytest.raises(PriorError, match="prior of Intercept is flat"):
        bl.Normal(1.0).sample(births.design, 10)
    with pytest.raises(PriorError, match="function of the whole model"):
        bl.Jeffreys().sample(births.design, 10)
    with pytest.raises(ArgumentError, match="n=0: at least one"):
        bl.priors(bl.Normal(1.0), intercept=bl.Normal(1.0)).sample(births.design, 0)


def test_what_a_prior_expects_of_the_outcome(births):
    copies = bl.prior_predictive(births.design, bl.priors(bl.Normal(0.001), intercept=bl.Normal(0.001)), 2000, rng=1)
    assert copies.shape == (2000, 189) and copies.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(copies.size))
    wide = bl.prior_predictive(births.design, bl.priors(bl.Normal(5.0), intercept=bl.Normal(5.0)), 500, rng=1)
    assert np.std(wide.mean(axis=1)) > 0.3  # a wide prior expects all or none


# --- arguments and the command line ----------------------------------------------------------------------------------


def test_arguments_of_sample(births):
    with pytest.raises(ArgumentError, match="method='hmc': a posterior is 'auto', 'laplace'"):
        births.sample("hmc")
    for near, meant in (("lapace", "laplace"), ("NUTS", "nuts"), ("import", "importance")):
        with pytest.raises(ArgumentError, match=rf"method='{near}'.*did you mean '{meant}'\?"):
            births.sample(near)
    for wrong in (3, None, ["nuts"]):
        with pytest.raises(ArgumentError, match="a posterior is 'auto'"):
            births.sample(wrong)
    for wrong in (0, -3):
        with pytest.raises(ArgumentError, match=f"draws={wrong}: at least one"):
            births.sample("laplace", draws=wrong)
    for wrong in (2.5, True, "a", None, np.float64(3.5)):
        with pytest.raises(ArgumentError, match=r"draws=.*whole number is needed"):
            births.sample("laplace", draws=wrong)
    with pytest.raises(ArgumentError, match="write draws=10000"):
        births.sample("laplace", draws=1e4)
    few = births.sample("laplace", draws=np.int64(5))
    assert few.n == 5
    for wrong in (-1, "a", 1.5, True, None):
        for call in (
            lambda rng: births.sample("laplace", draws=5, rng=rng),
            lambda rng: few.posterior_predictive(rng=rng),
            lambda rng: bl.prior_predictive(births.design, "rstanarm", 5, rng=rng),
        ):
            with pytest.raises(ArgumentError, match=r"rng=.*whole number from 0 up"):
                call(wrong)
    for wrong in (1.0, 0.0, [0.1, 2.0], [], "a", None, [[0.5]], float("nan")):
        with pytest.raises(ArgumentError, match="probabilities lie between"):
            few.quantile(wrong)
    for wrong in (0, 1, 2, "a", None, float("nan")):
        with pytest.raises(ArgumentError, match="probability of an interval lies between"):
            few.conf_int(wrong)
    for wrong in (float("nan"), float("inf"), "x"):
        with pytest.raises(ArgumentError, match=r"contrast\(\{'age': \.\.\.\}\).*not a finite number"):
            few.contrast({"age": wrong})
    with pytest.raises(ArgumentError, match="give a weight for each column"):
        few.contrast(["age"])
    with pytest.raises(ArgumentError, match=r"no columns agee.*did you mean 'age'"):
        few.contrast({"agee": 1.0})


def test_what_a_function_may_not_return(births):
    few = births.sample("laplace", draws=50)
    for function, words in (
        (lambda b: b[:3], "returned shape"),
        (lambda b: b[:, :, None], "must return shape"),
        (lambda b: "a", "returned str, not numbers"),
        (lambda b: np.full(len(b), np.nan), "not finite at 50 of 50 points"),
        (lambda b: np.where(np.arange(len(b)) == 3, np.inf, 1.0), "not finite at 1 of 50 points"),
        (3, "give a function of points"),
    ):
        with pytest.raises(ArgumentError, match=words):
            few.apply(function)


def test_a_fit_without_covariance_says_what_to_do(births):
    bare = bl.fit(births.design, covariance="none")
    with pytest.raises(
        FitError, match=r"covariance='none', fit again without it, or use another rung: .*'variational'"
    ):
        bare.sample("laplace")
    draws = bare.sample("importance", draws=10, rng=1)
    assert draws.verdict.level == "certified" and (draws.sd > 0.0).all()
    # Its table shows sds and intervals: the note is about the fit.
    assert any("the fit has no standard errors or intervals itself" in note for note in draws.summary().notes)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lbw.csv"
    bl.datasets.load("lbw").to_csv(path, index=False)
    return str(path)


def test_the_command_line_gives_the_same_posterior(table, capsys, births):
    command = ["fit", table, "--formula", "low ~ age + lwt + race + smoke", "--posterior", "auto", "--seed", "1"]
    assert run([*command, "--strict", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)["posterior"]
    draws = births.sample(rng=1)
    assert err == "" and document["verdict"]["level"] == "certified" and document["verdict"]["rung"] == "importance"
    assert document["mean"] == draws.mean.tolist() and document["draws"] == 4000
    assert [row["estimate"] for row in document["coefficients"]] == draws.quantile(0.5).tolist()
    assert len(document["verdict"]["numbers"]) == 5 * len(births.columns) + 1
    assert run(command) == 0
    out, _ = capsys.readouterr()
    assert "posterior median" in out and "Certified: the Monte-Carlo standard error of every number" in out
    assert run(["fit", table, "--formula", "low ~ age", "--posterior", "laplace", "--draws", "500"]) == 0
    assert "500 draws" in capsys.readouterr().out


def test_a_failed_verdict_has_its_own_exit_code(table, monkeypatch, capsys):
    from bayeslogit import draw_numbers

    real = draw_numbers.verdict_of
    monkeypatch.setattr(draw_numbers, "verdict_of", lambda *a, **k: replace(real(*a, **k), level="failed"))
    command = ["fit", table, "--formula", "low ~ age", "--posterior", "importance"]
    assert run([*command, "--strict"]) == 5
    assert run(command) == 0
    capsys.readouterr()
    assert run(["fit", table, "--formula", "low ~ age", "--posterior", "hmc"]) == 2
    assert "method='hmc'" in capsys.readouterr().err


def test_an_improper_posterior_is_refused_by_the_command_line(tmp_path, capsys):
    path = tmp_path / "six.csv"
    path.write_text("x,y\n" + "\n".join(f"{x},{int(x > 0)}" for x in SIX))
    assert run(["fit", str(path), "--formula", "y ~ x", "--prior", "cauchy:2.5", "--posterior", "auto"]) == 4
    assert "improper" in capsys.readouterr().err


def test_probabilities_on_the_quadrature_rung_agree_with_its_quantiles():
    """A lattice of few points is no sample: counting its points would be off by several per cent."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), (rng.random(40) < 0.4) * 1
    draws = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Normal(1)).sample(rng=1)
    assert draws.method == "quadrature"
    for prob in (0.1, 0.5, 0.9, 0.975):
        at = float(draws.quantile(prob)["x1"])
        above = draws.probability("x1", at)
        assert abs(above["probability"] - (1.0 - prob)) < 1e-5 and above["mcse"] < 1e-4
    with pytest.raises(bl.ArgumentError, match="nan is not a number"):
        draws.probability("x1", float("nan"))
