"""Power-scaling against ArviZ and refits, planted conflicts, and tipping points against brute force."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, ndtri
from scipy.stats import norm

import bayeslogit as bl
from bayeslogit import power_scaling as ps
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

CONFLICT, STRONG, NONE = ps.CONFLICT, ps.STRONG_PRIOR, ps.NONE


def data(n=300, seed=1, slopes=(1.0, 0.0)):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = rng.binomial(1, expit(-0.3 + X @ np.array(slopes)))
    return pd.DataFrame({"x": X[:, 0], "z": X[:, 1], "y": y})


FAMILIES = {
    "normal": bl.Normal(0.7, mean=0.4),
    "laplace": bl.Laplace(0.6, mean=-0.2),
    "elastic_net": bl.ElasticNet(l1=1.3, l2=0.8, mean=0.3),
    "student_t": bl.StudentT(4.0, 0.9, mean=0.5),
    "cauchy": bl.Cauchy(0.8),
    "multivariate_normal": bl.MultivariateNormal(mean=[0.1, -0.3], cov=[[1.0, 0.4], [0.4, 0.7]], columns=["x", "z"]),
    "group_laplace": bl.GroupLaplace(0.9),
}


def test_every_family_has_a_power():
    from bayeslogit.densities import DENSITIES

    assert set(ps.POWERS) == set(DENSITIES) - {"flat"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("alpha", [0.8, 1.25])
def test_the_power_of_a_density_is_a_density_proportional_to_its_power(family, alpha):
    design = bl.Design.from_formula("y ~ x + z", data(50))
    prior = bl.priors(terms={"x": FAMILIES[family], "z": bl.Normal(1.0)})
    if family in ("multivariate_normal", "group_laplace"):
        prior = FAMILIES[family]
    resolved = prior.resolve(design)
    terms = ps.scaled_terms(resolved, False, True)
    scaled = ps.powered(resolved, terms, alpha)
    points = np.random.default_rng(0).normal(size=(6, 3))
    before = np.array([resolved.log_density(point) for point in points])
    after = np.array([scaled.log_density(point) for point in points])
    assert np.ptp(after - alpha * before) < 1e-12
    if family not in ("multivariate_normal", "group_laplace"):
        (own,) = [term for term in scaled.terms if term.columns == (1,)]
        grid = np.sinh(np.linspace(-14, 14, 400_001))
        mass = np.trapezoid(np.exp([own.log_density(np.array([0.0, b, 0.0])) for b in grid[::40]]), grid[::40])
        assert mass == pytest.approx(1.0, abs=2e-3)


def test_the_intercept_is_left_out_unless_asked_for_and_presets_keep_their_resolved_scales():
    design = bl.Design.from_formula("y ~ x + z", data(50))
    resolved = bl.preset("rstanarm").resolve(design)
    assert [term.columns for term in ps.scaled_terms(resolved, False, True)] == [(1, 2)]
    assert [term.columns for term in ps.scaled_terms(resolved, True, True)] == [(0,), (1, 2)]
    scaled = ps.powered(resolved, ps.scaled_terms(resolved, False, True), 4.0)
    assert scaled.terms[1].parameters["scale"] == pytest.approx(resolved.terms[1].parameters["scale"] / 2.0)
    assert scaled.terms[0] is resolved.terms[0]


def test_the_likelihood_to_a_power_and_log_densities_at_points():
    design = bl.Design.from_formula("y ~ x + z", data(80), weights=np.arange(80) % 3)
    points = np.random.default_rng(2).normal(size=(5, 3))
    X, (y, _, w) = np.vstack([b.X.toarray() for b in design.source.blocks()]), design.outcome_arrays()
    eta = X @ points.T
    direct = (w * y) @ eta - w @ np.logaddexp(0.0, eta)
    assert ps.log_likelihood_at(design, points) == pytest.approx(direct, abs=1e-10)
    assert ps.log_likelihood_at(ps.tempered(design, 1.7), points) == pytest.approx(1.7 * direct, abs=1e-10)
    jeffreys = bl.Jeffreys().resolve(design)
    info = [0.5 * np.linalg.slogdet((X * (w * expit(e) * expit(-e))[:, None]).T @ X)[1] for e in eta.T]
    assert ps.log_prior_at(design, jeffreys, (), points) == pytest.approx(info, abs=1e-9)


def test_the_distance_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=400), rng.gamma(3.0, size=400)
    found = ps.cumulative_distance(values, np.ones(400), values, weights)

    def one(x, q):
        order = np.argsort(x)
        x, q = x[order], q[order] / q.sum()
        P, Q, dx = np.arange(1, 400) / 400, np.cumsum(q)[:-1], np.diff(x)
        M = 0.5 * (P + Q)
        pq = dx @ (P * np.log2(P / M)) + 0.5 / math.log(2) * (dx @ (Q - P))
        qp = dx @ (Q * np.log2(Q / M)) + 0.5 / math.log(2) * (dx @ (P - Q))
        return math.sqrt((max(pq, 0) + max(qp, 0)) / (dx @ (P + Q)))

    assert found == pytest.approx(max(one(values, weights), one(-values, weights)), rel=1e-12)
    assert ps.cumulative_distance(values, weights, values, 3.0 * weights) == pytest.approx(0.0, abs=1e-7)
    far = ps.cumulative_distance(values, np.ones(400), values + 100.0, np.ones(400))
    assert 0.95 < far <= 1.0


def test_sensitivities_are_those_of_arviz_on_the_same_draws():
    az = pytest.importorskip("arviz")
    frame = data(60)
    prior = bl.priors(bl.Normal(2.0), bl.Normal(2.0), {"x": bl.Normal(0.3, mean=-1.0)})
    draws = bl.fit("y ~ x + z", frame, prior=prior).sample("importance", rng=3)
    ours = bl.sensitivity(draws)
    theirs = az.psense_summary(draws.to_arviz(), prior_var_names=["beta"], round_to=9)
    assert ours.prior.to_numpy() == pytest.approx(theirs["prior"].to_numpy(), rel=0.01)
    assert ours.likelihood.to_numpy() == pytest.approx(theirs["likelihood"].to_numpy(), rel=0.01)
    words = {"✓": NONE}
    assert list(ours.diagnosis.values()) == [words.get(each, each) for each in theirs["diagnosis"]]


def test_a_planted_conflict_a_strong_prior_and_plenty_of_data_are_told_apart():
    frame = data(300, slopes=(1.0, 0.0))
    conflict = bl.fit("y ~ x + z", frame, prior=bl.priors(bl.Normal(2.5), terms={"x": bl.Normal(0.15, mean=-1.0)}))
    found = bl.sensitivity(conflict)
    assert found.diagnosis["x"] == CONFLICT
    assert found.diagnosis["z"] == NONE
    assert CONFLICT in " ".join(found.table.notes)
    assert bl.sensitivity(bl.fit("y ~ x + z", frame, prior=bl.Normal(2.5))).diagnosis["x"] == NONE
    # A column that hardly varies: its coefficient is the prior, whatever the data.
    frame["z"] = 1e-3 * frame["z"]
    weak = bl.sensitivity(bl.fit("y ~ x + z", frame, prior=bl.Normal(1.0)))
    assert weak.diagnosis["z"] == STRONG
    assert weak.likelihood["z"] < 0.05 < weak.prior["z"]


def test_under_a_normal_posterior_the_sensitivity_follows_from_two_normals():
    # A column that hardly varies under Normal(1): the posterior is the prior, and a power a makes it Normal(1/sqrt(a)).
    frame = data(200)
    frame["z"] = 1e-4 * frame["z"]
    fit = bl.fit("y ~ x + z", frame, prior=bl.Normal(1.0))
    found = bl.sensitivity(fit, rng=1)
    draws = np.sort(found.draws.values[:, 2])
    expected = 0.0
    for alpha in (0.99, 1.01):
        sure = norm.pdf(draws, scale=alpha**-0.5) / norm.pdf(draws)
        expected += ps.cumulative_distance(draws, np.ones(draws.size), draws, sure) / abs(math.log2(alpha))
    assert found.prior["z"] == pytest.approx(0.5 * expected, rel=0.02)


def test_far_powers_are_refitted_and_near_ones_agree_with_refits():
    frame = data(60)
    prior = bl.priors(bl.Normal(2.0), bl.Normal(2.0), {"x": bl.Normal(0.3, mean=-1.0)})
    fit = bl.fit("y ~ x + z", frame, prior=prior)
    far = bl.sensitivity(fit, alphas=(0.05, 20.0), nuts=False)
    assert far.by_prior.by == ps.REFITTED
    assert far.by_likelihood.by == ps.REFITTED
    assert far.by_prior.khat > 0.7
    assert np.all(np.isfinite(far.by_prior.value))
    near = bl.sensitivity(fit, alphas=(0.5, 2.0), nuts=False)
    assert near.by_prior.by == ps.REWEIGHTED
    design, resolved = fit.design, fit.prior
    terms = ps.scaled_terms(resolved, False, True)
    total = np.zeros(3)
    for alpha in (0.5, 2.0):
        target = LogPosterior.of(design, ps.powered(resolved, terms, alpha))
        other = sample_importance(target, find_mode(target), 4000, 9).values
        base, ones = near.draws.values, np.ones(4000)
        # Weights do not lead beyond the range of the draws, against which distances are measured.
        other = np.clip(other, base.min(axis=0), base.max(axis=0))
        total += [ps.cumulative_distance(base[:, j], ones, other[:, j], ones) for j in range(3)]
    # Distances of two samples of 4,000 have noise of about a hundredth themselves.
    assert near.by_prior.value == pytest.approx(0.5 * total, abs=0.02)


def test_priors_without_a_scale_have_reasons_and_shares_and_pulls_stand_beside():
    frame = data(60)
    flat = bl.sensitivity(bl.fit("y ~ x + z", frame, prior=None))
    assert flat.prior.isna().all()
    assert flat.diagnosis == {"Intercept": None, "x": None, "z": None}
    assert "there is no proper prior to scale" in str(flat)
    jeffreys = bl.sensitivity(bl.fit("y ~ x + z", frame, prior=bl.Jeffreys()))
    assert jeffreys.prior.notna().all()
    student = bl.fit("y ~ x + z", frame, prior=bl.StudentT(3, 0.5))
    ledger = bl.sensitivity(student).table
    assert ledger.column("pull")[1:] == pytest.approx(tuple(student.prior_pull.iloc[1:]))
    normal = bl.fit("y ~ x + z", frame, prior=bl.Normal(0.2))
    ledger = bl.sensitivity(normal).table
    assert ledger.column("prior_share") == pytest.approx(tuple(normal.prior_share))
    assert ledger.column("led_by")[1] in ("mixed", "prior-led")
    with pytest.raises(bl.ArgumentError, match="one below 1 and one above"):
        bl.sensitivity(normal, alphas=(1.1, 1.2))
    with pytest.raises(bl.ArgumentError, match="a fit is needed"):
        bl.sensitivity("y ~ x")


def test_the_figure_has_both_sensitivities_and_stands_in_the_report(tmp_path):
    fit = bl.fit("y ~ x + z", data(60), prior=bl.priors(bl.Normal(2.0), bl.Normal(2.0), {"x": bl.Normal(0.3, mean=-1)}))
    found = bl.sensitivity(fit)
    chart = found.figure(labels={"x": "Dose"})
    assert chart.table.column("term") == ("Intercept", "Dose", "z")
    assert chart.table.column("by_prior") == pytest.approx(tuple(found.prior))
    assert [row.value for row in chart.rows] == list(found.diagnosis.values())
    assert bl.plot.sensitivity(found, labels={"x": "Dose"}).chart == chart
    assert "<svg" in found._repr_html_()
    page = bl.report(fit, tmp_path / "page.html", sensitivity=found).read_text(encoding="utf-8")
    part = page[page.index('id="sensitivity"') : page.index('id="prediction"')]
    assert "distance between posteriors for a doubling of the power" in part
    assert "event rate over all rows" in page[page.index('id="priors"') : page.index('id="computation"')]


# --- tipping points ------------------------------------------------------------------------------------------------


def refit(design, prior):
    return bl.fit(design, prior=prior, tol=1e-11)


def designed(**options):
    return bl.Design.from_formula("y ~ x + z", data(**options))


def bisect(holds, low, high, steps=26):
    """The turn between two priors, geometrically if both are positive; by refits that share nothing."""
    start = holds(low)
    for _ in range(steps):
        middle = math.sqrt(low * high) if low > 0.0 else 0.5 * (low + high)
        if holds(middle) == start:
            low = middle
        else:
            high = middle
    return middle


def test_the_scale_at_which_an_interval_reaches_zero_is_that_of_brute_force():
    frame = designed(n=120, slopes=(0.9, 0.4))
    tip = bl.tipping_point(refit(frame, bl.Normal(1.0)), "interval of x excludes 0")

    def holds(scale):
        fit = refit(frame, bl.Normal(scale))
        return abs(fit.params["x"]) > ndtri(0.975) * fit.bse["x"]

    assert tip.holds
    assert holds(1.0)
    assert tip.scale_below == pytest.approx(bisect(holds, 1e-3, 1.0), rel=1e-5)
    assert math.isnan(tip.scale_above)
    assert "never turns: holds all the way" in str(tip)


def test_the_mean_at_which_an_odds_ratio_passes_one_is_that_of_brute_force():
    frame = designed(n=80, slopes=(0.7, 0.3))

    def prior(mean):
        return bl.priors(bl.Normal(1.0), terms={"x": bl.Normal(0.3, mean=mean)})

    tip = bl.tipping_point(refit(frame, prior(0.1)), "OR(x) > 1")
    expected = bisect(lambda shift: refit(frame, prior(-shift)).params["x"] > 0.0, 0.01, 30.0)
    assert tip.holds
    assert tip.mean_below == pytest.approx(-expected, rel=1e-5)
    assert math.isnan(tip.mean_above)


def test_a_heavy_tail_lets_go_before_it_turns_the_sign():
    # The mode under a Cauchy prior comes back to the estimate without it as the prior moves away.
    frame = designed(n=200, slopes=(1.2, 0.3))

    def prior(mean):
        return bl.priors(bl.Normal(1.0), terms={"x": bl.Cauchy(0.5, mean=mean)})

    tip = bl.tipping_point(refit(frame, prior(0.1)), "OR(x) > 1")
    assert math.isnan(tip.mean_below)
    assert tip.turns["lower mean"].reached == pytest.approx(0.1 - 0.5e4)
    assert all(refit(frame, prior(-shift)).params["x"] > 0.0 for shift in np.geomspace(0.05, 5000.0, 25))


def test_a_person_a_probability_and_a_claim_that_does_not_hold():
    frame = designed(n=100, slopes=(1.2, 0.5))
    fit = refit(frame, bl.Normal(0.5))
    person = {"x": 0.3, "z": 0.2}

    def p(scale):
        return float(refit(frame, bl.Normal(scale)).predict(person, kind="mode")["probability"].iloc[0])

    level = 0.5 * (p(0.5) + p(0.05))
    tip = bl.tipping_point(fit, f"p({person}) > {level}")
    assert tip.holds == (p(0.5) > level)
    assert 0.5 * tip.scale_below == pytest.approx(bisect(lambda s: p(s) > level, 0.05, 0.5), rel=1e-5)
    assert set(tip.turns) == {"tighter", "wider"}
    assert "no column of its own" in " ".join(tip.table.notes)
    other = bl.tipping_point(fit, f"p({person}) < {level}")
    assert other.holds is (not tip.holds)
    assert other.scale_below == pytest.approx(tip.scale_below, rel=1e-6)


def test_a_coefficient_that_the_lasso_sets_to_zero_turns_where_its_path_begins():
    frame = designed(n=150, slopes=(0.8, 0.0))
    tip = bl.tipping_point(refit(frame, bl.Laplace(1.0)), "OR(x) > 1")
    scale = bisect(lambda s: refit(frame, bl.Laplace(s)).params["x"] > 0.0, 1e-3, 1.0)
    assert tip.scale_below == pytest.approx(scale, rel=1e-4)


def test_an_interval_under_a_prior_with_kinks_is_judged_by_draws():
    frame = designed(n=100, slopes=(0.8, 0.0))
    fit = refit(frame, bl.Laplace(1.0))
    tip = bl.tipping_point(fit, "interval(x) excludes 0", prob=0.9, rng=4)
    assert tip.method == "importance"
    assert tip.holds
    assert math.isnan(tip.scale_above)

    def lower(by):
        return refit(frame, bl.Laplace(by)).sample("importance", rng=8).quantile(0.05)["x"]

    sd = refit(frame, bl.Laplace(tip.scale_below)).sample("importance", rng=8).sd["x"]
    assert abs(lower(tip.scale_below)) < 0.05 * sd
    assert lower(1.5 * tip.scale_below) > 0.05 * sd


def test_beyond_a_prior_that_keeps_separated_data_finite_there_is_nothing_to_ask():
    frame = data(60)
    frame["x"] = np.where(frame["y"] == 1, 1.0, -1.0) * (0.5 + np.abs(frame["x"]))
    fit = bl.fit("y ~ x + z", frame, prior=bl.Normal(1.0))
    tip = bl.tipping_point(fit, "OR(x) < 1000000")
    assert tip.holds
    assert tip.scale_above > 1.0
    assert bl.fit("y ~ x + z", frame, prior=bl.Normal(tip.scale_above)).params["x"] == pytest.approx(
        math.log(1e6), abs=1e-3
    )


@pytest.mark.parametrize(
    ("text", "kind", "column"),
    [
        ("OR(x) > 1", "odds ratio", "x"),
        ("OR(C(g)[T.b]) < 0.5", "odds ratio", "C(g)[T.b]"),
        ("interval of log(x) excludes 0", "interval", "log(x)"),
        ("interval(C(g)[T.b]) excludes -1e-1", "interval", "C(g)[T.b]"),
        ("p({'x': 1, 'g': 'b'}) > 0.5", "probability", ""),
    ],
)
def test_claims_are_read_and_written_alike(text, kind, column):
    claim = bl.Claim.parse(text)
    assert claim.kind == kind
    assert claim.column == column
    assert bl.Claim.parse(str(claim)) == claim


@pytest.mark.parametrize(
    "text",
    ["x > 1", "OR(x) = 1", "OR(x) > -1", "p({'x': 1}) > 1.5", "p({'x': open('f')}) > 0.5", "p({1, 2}) > 0.5", ""],
)
def test_what_is_no_claim_says_how_to_write_one(text):
    with pytest.raises(bl.ArgumentError, match="claim"):
        bl.Claim.parse(text)


def test_claims_that_do_not_fit_the_fit_are_refused(tmp_path):
    frame = designed(n=60)
    fit = refit(frame, bl.Normal(1.0))
    with pytest.raises(bl.ArgumentError, match="no column 'w'"):
        bl.tipping_point(fit, "OR(w) > 1")
    with pytest.raises(bl.DataError, match="z"):
        bl.tipping_point(fit, "p({'x': 1.0}) > 0.5")
    with pytest.raises(bl.FitError, match="no scale to multiply and no mean to move"):
        bl.tipping_point(refit(frame, None), "OR(x) > 1")
    with pytest.raises(bl.ArgumentError, match="method='mcmc'"):
        bl.tipping_point(fit, "OR(x) > 1", method="mcmc")
    fit.to_json(tmp_path / "fit.json")
    with pytest.raises(bl.FitError, match="needs the data"):
        bl.tipping_point(bl.load(tmp_path / "fit.json"), "OR(x) > 1")


@pytest.mark.parametrize("name", ["_sensitivity", "tipping", "tipping_points"])
def test_docstring_examples_hold(name):
    result = doctest.testmod(importlib.import_module(f"bayeslogit.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_a_report_on_a_lasso_says_what_the_posterior_makes_of_its_zeros(tmp_path):
    fit = bl.fit("y ~ x + z", data(120, slopes=(1.0, 0.0)), prior=bl.Laplace(0.08))
    assert fit.params["z"] == 0.0 != fit.params["x"]
    draws = fit.sample("importance", rng=1)
    page = bl.report(fit, tmp_path / "lasso.json", draws=draws)
    assert '"Coefficients that are zero at the mode"' in page.read_text(encoding="utf-8")
    (row,) = draws.equivalence(0.1, ["z"], per="sd").rows
    inside = np.abs(draws.values[:, 2]) <= 0.1 / fit.design.column_sds[2]
    assert row[3] == pytest.approx(inside.mean(), abs=0.03) and sum(row[2:5]) == pytest.approx(1.0)
