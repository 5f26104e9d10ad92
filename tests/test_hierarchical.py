"""Priors with unknown scales: what they are, that they are not fitted, and their posteriors by grid and by NUTS.

The reference for partial pooling is quadrature: groups without a common column are independent given tau, so that
their likelihoods are integrals in one dimension each. That for the horseshoe is a long run of PyMC (golden file).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, gammaln

import bayeslogit as bl
from bayeslogit import _sample
from bayeslogit.posterior.nuts_scales import OPEN_VARIABLES
from bayeslogit.posterior.scale_blocks import BLOCKS
from bayeslogit.posterior.scale_nuts import ACCEPT, TUNE
from bayeslogit.posterior.scale_target import ScaleTarget
from bayeslogit.presets import parse_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.unknown_scales import OPEN

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:FutureWarning")

GOLDEN = Path(__file__).parent / "golden" / "horseshoe.json"
SUCCESSES = np.array([9.0, 4.0, 11.0, 2.0, 7.0, 0.0, 6.0, 12.0])
TRIALS = np.array([12.0, 14.0, 13.0, 10.0, 12.0, 5.0, 11.0, 13.0])


def groups():
    """Eight groups, each with a column of its own and no other."""
    return bl.Design.from_arrays(np.eye(8), SUCCESSES, trials=TRIALS, intercept=False)


def county_frame(order="abcdef"):
    rng = np.random.default_rng(2)
    n = 150
    county = rng.choice(list("abcdef"), n)
    x = rng.standard_normal(n)
    level = dict(zip("abcdef", [0.0, 1.2, -0.8, 0.3, 0.9, -0.4], strict=True))
    y = rng.random(n) < expit(0.3 + 0.8 * x + np.array([level[c] for c in county]))
    return pd.DataFrame({"y": y.astype(int), "x": x, "county": pd.Categorical(county, categories=list(order))})


def horseshoe_data():
    """As in tests/golden/horseshoe.py."""
    rng = np.random.default_rng(11)
    root = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))))
    X = rng.standard_normal((120, 8)) @ root.T
    return X, (rng.random(120) < expit(-0.3 + 1.5 * X[:, 0] - X[:, 4])).astype(int)


def half_log_density(x, df, scale):
    law = stats.halfnorm(scale=scale) if np.isinf(df) else stats.t(df, scale=scale)
    return law.logpdf(x) + (0.0 if np.isinf(df) else np.log(2.0))


# --- what these priors are -------------------------------------------------------------------------------------------


def test_every_family_stands_in_every_table():
    assert set(OPEN) == set(BLOCKS) == set(OPEN_VARIABLES) == set(TUNE) == set(ACCEPT)


def test_the_global_scale_is_worked_out_from_the_expected_number():
    X, y = horseshoe_data()
    design = bl.Design.from_arrays(X, y)
    term = bl.Horseshoe(expected_nonzero=2).resolve(design).terms[1]
    share = y.mean()
    expected = 2 / 6 / np.sqrt(share * (1.0 - share)) / np.sqrt(120)
    np.testing.assert_allclose(term.parameters["global_scale"], expected)
    resolved = bl.Horseshoe(expected_nonzero=2).resolve(design)
    assert resolved.labels()[1:] == (f"horseshoe(global {expected:.3g}, slab 2.5)",) * 8
    assert f"Global scale {expected:.4g} = 2/(8 - 2) x 2.01/sqrt(120): 2 of 8 expected" in " ".join(
        str(resolved).split()
    )
    # columns with a prior of their own are not counted, and a term of its own counts only its columns
    beside = bl.priors(bl.Horseshoe(expected_nonzero=2), terms={"x1": bl.Normal(1), "x2": bl.Flat()}).resolve(design)
    (own,) = [term for term in beside.terms if term.open]
    np.testing.assert_allclose(own.parameters["global_scale"], expected * 6 / 4)
    assert own.columns == (3, 4, 5, 6, 7, 8) and [t.family for t in beside.terms].count("flat") == 2
    assert bl.Horseshoe().resolve(design).terms[1].parameters["global_scale"][0] == 0.01
    scaled = bl.Horseshoe(expected_nonzero=2, per="sd").resolve(design).terms[1]
    np.testing.assert_allclose(scaled.parameters["unit"], 1.0 / X.std(axis=0, ddof=1))


def test_terms_have_scales_of_their_own_beside_fixed_families():
    design = bl.Design.from_formula("y ~ x + county", county_frame())
    pooled = bl.Hierarchical(bl.HalfT(3, 0.5), toward="mean")
    prior = bl.priors(bl.preset("rstanarm"), terms={"county": pooled, "x": bl.Hierarchical(0.7)}).resolve(design)
    assert [term.family for term in prior.terms] == ["normal", "hierarchical", "hierarchical"]
    described = prior.describe()
    assert json.dumps(described) and described[2]["parameters"]["pooled"] == [1.0] * 5
    assert prior.labels()[1] == "normal(0, tau), tau ~ half-normal(0.7)"
    assert prior.labels()[2] == "normal(0, tau) about the mean of all levels, tau ~ half-t(3, 0.5)"
    assert "half-normal(0.7)" in str(prior)
    assert repr(bl.Hierarchical(0.7)) == "Hierarchical(HalfNormal(0.7))"
    assert repr(bl.Horseshoe(expected_nonzero=3, per="sd")) == "Horseshoe(expected_nonzero=3, per='sd')"


@pytest.mark.parametrize(
    "prior",
    [
        bl.Hierarchical(0.8),
        bl.Hierarchical(bl.HalfT(5, 0.6)),
        bl.priors(bl.Normal(1), terms={"county": bl.Hierarchical(0.8, toward="mean")}),
        bl.Horseshoe(global_scale=0.3),
    ],
    ids=["half-normal", "half-t", "pooled", "horseshoe"],
)
def test_prior_sds_and_widths_are_those_of_draws(prior):
    design = bl.Design.from_formula("y ~ x + county", county_frame())
    given = {"terms": prior.terms} if hasattr(prior, "terms") else {}
    resolved = bl.priors(prior.default if given else prior, intercept=bl.Normal(1), **given).resolve(design)
    draws = draw_prior(resolved, 200_000, 1)
    widths = np.quantile(np.abs(draws), 0.95, axis=0)
    np.testing.assert_allclose(resolved.half_widths(0.95), widths, rtol=0.02)
    heavy = "horseshoe" in {term.family for term in resolved.terms}
    np.testing.assert_allclose(np.sqrt(resolved.variance()), draws.std(axis=0), rtol=0.15 if heavy else 0.02)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bl.Horseshoe(global_scale=0.1, expected_nonzero=2), "not both"),
        (lambda: bl.Horseshoe(slab_df=0), "slab_df must be a positive"),
        (lambda: bl.Hierarchical(-1), "scale must be a positive"),
        (lambda: bl.Hierarchical(toward="one"), "'zero', or 'mean'"),
        (lambda: bl.Hierarchical(per="meter"), "per unit of each column"),
        (lambda: bl.Hierarchical(toward="mean", per="sd"), "levels of a factor"),
    ],
)
def test_arguments_that_cannot_be_right(make, words):
    with pytest.raises(bl.PriorError, match=words):
        make()


def test_resolving_refuses_what_makes_no_sense():
    design = bl.Design.from_formula("y ~ x + county", county_frame())
    for prior, words in (
        (bl.Horseshoe(expected_nonzero=6), "covers 6 column"),
        (bl.priors(bl.Normal(1), intercept=bl.Hierarchical()), "intercept needs a prior without unknown scales"),
        (bl.priors(bl.Normal(1), terms={"x": bl.Hierarchical(toward="mean")}), "one treatment-coded term"),
    ):
        with pytest.raises(bl.PriorError, match=words):
            prior.resolve(design)


@pytest.mark.parametrize("prior", [bl.Hierarchical(), bl.Horseshoe(expected_nonzero=1)])
def test_a_fit_says_why_there_is_none_and_where_to_go(prior):
    frame = county_frame()
    with pytest.raises(bl.PriorError, match=r"has unknown scales and so no fixed density.*bayeslogit\.sample\("):
        bl.fit("y ~ x + county", frame, prior=prior)
    mixed = bl.priors(bl.Normal(1), terms={"county": prior})
    with pytest.raises(bl.PriorError, match=r"bayeslogit\.sample\("):
        bl.path("y ~ x + county", frame, prior=mixed)
    with pytest.raises(bl.PriorError, match=r"bayeslogit\.sample\("):
        bl.fit("y ~ x + county", frame, prior=mixed, covariance="none")


def test_an_ordinary_prior_is_sampled_as_its_fit_is():
    frame = county_frame()
    draws = bl.sample("y ~ x + county", frame, prior=bl.Normal(1), rng=3, draws=500)
    same = bl.fit("y ~ x + county", frame, prior=bl.Normal(1)).sample(rng=3, draws=500)
    assert np.array_equal(draws.values, same.values) and type(draws) is bl.Draws
    assert bl.sample("y ~ x", frame, draws=100).fit.prior_is_default
    with pytest.raises(bl.ArgumentError, match="target_accept"):
        bl.sample("y ~ x", frame, target_accept=0.9)


# --- densities -------------------------------------------------------------------------------------------------------


def own_density(design, X, y, beta, h, term):
    """Log likelihood plus the density of coefficients and log scales, by the formulas."""
    p = {key: float(value[0]) for key, value in term.parameters.items()}
    unit, b = term.parameters["unit"], beta[list(term.columns)]
    if term.family == "hierarchical":
        tau = np.exp(h[0])
        covariance = tau**2 * np.outer(unit, unit) * (np.eye(b.size) + p["pooled"])
        value = half_log_density(tau, p["df"], p["scale"]) + h[0]
        value += stats.multivariate_normal(cov=covariance).logpdf(b)
    else:
        local, tau, square = np.exp(h[:-2]), np.exp(h[-2]), np.exp(h[-1])
        sd = unit * np.sqrt(square * (tau * local) ** 2 / (square + (tau * local) ** 2))
        a = 0.5 * p["slab_df"]
        value = half_log_density(local, p["local_df"], 1.0).sum() + half_log_density(
            tau, p["global_df"], p["global_scale"]
        )
        value += stats.invgamma(a, scale=a * p["slab_scale"] ** 2).logpdf(square) + h.sum()
        value += stats.norm(0.0, sd).logpdf(b).sum()
    eta = X @ beta
    return float(value + y @ eta - np.logaddexp(0.0, eta).sum())


def cases():
    return {
        "half-normal": bl.priors(bl.Hierarchical(0.8, per="sd"), intercept=bl.Normal(2)),
        "half-t": bl.priors(bl.Hierarchical(bl.HalfT(3, 0.8)), intercept=bl.Normal(2)),
        "pooled": bl.priors(
            bl.Normal(1.5), intercept=bl.Normal(2), terms={"county": bl.Hierarchical(1.0, toward="mean")}
        ),
        "laplace": bl.priors(bl.Laplace(0.4), intercept=bl.Normal(2), terms={"county": bl.Hierarchical(1.0)}),
        "horseshoe": bl.priors(bl.Horseshoe(expected_nonzero=1, global_df=3, slab_df=5), intercept=bl.Normal(2)),
    }


def fixed_density(prior, beta):
    return sum(term.log_density(beta) for term in prior.terms if not term.open)


@pytest.mark.parametrize("conditioned", [True, False])
@pytest.mark.parametrize("name", cases())
def test_the_density_that_nuts_draws_from_is_the_formula(name, conditioned):
    design = bl.Design.from_formula("y ~ x + county", county_frame())
    prior = cases()[name].resolve(design)
    target = ScaleTarget.of(design, prior, most_conditioned=1000 if conditioned else 0)
    (term,) = [term for term in prior.terms if term.open]
    (block,) = design.source.blocks()
    X, y, _ = block.X.toarray(), block.y, block.trials
    rng, k = np.random.default_rng(0), target.k
    for _ in range(3):
        point = 0.7 * rng.standard_normal(target.size)
        value, gradient = target.value_and_gradient(point)
        step = 1e-5 * np.eye(target.size)
        ends = [[target.value_and_gradient(point + side * e)[0] for side in (1, -1)] for e in step]
        np.testing.assert_allclose(gradient, (np.array(ends) @ [1, -1]) / 2e-5, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(target.log_densities(point[None]), value, rtol=1e-12)
        # density of (z, h) = density of (beta, h) x |d beta / d z|
        moved = [target.coefficients((point + side * e)[None])[0] for e in step[:k] for side in (1, -1)]
        jacobian = np.linalg.slogdet((np.array(moved[::2]) - np.array(moved[1::2])) / 2e-5)[1]
        beta, h = target.coefficients(point[None])[0], point[k:] + target.center
        exact = own_density(design, X, y, beta, h, term) + fixed_density(prior, beta) + jacobian
        assert value == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize("name", cases())
def test_the_pymc_model_is_the_formula(name):
    design = bl.Design.from_formula("y ~ x + county", county_frame())
    prior = cases()[name].resolve(design)
    (term,) = [term for term in prior.terms if term.open]
    (block,) = design.source.blocks()
    X, y = block.X.toarray(), block.y
    model = bl.to_pymc(design, cases()[name])
    density = model.compile_logp(mode="FAST_COMPILE", jacobian=False)
    values = {variable.name: tuple(map(int, variable.type.shape)) for variable in model.value_vars}
    (graph,) = model.replace_rvs_by_values([model["beta"]])
    slopes = model.compile_fn(graph, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore")
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = {name: 0.6 * rng.standard_normal(shape) for name, shape in values.items()}
        beta = np.append(point["Intercept"], slopes(point))
        kinds = [f"_{kind}_log__" for kind in ("lambda", "tau", "slab_square")]
        h = np.concatenate(
            [np.zeros(0), *(np.atleast_1d(v) for kind in kinds for name, v in point.items() if name.endswith(kind))]
        )
        (z,) = (value for name, value in point.items() if name.endswith("_z"))
        # Theirs is a density of scales and of the standard normal z, ours of log scales and coefficients.
        ours = own_density(design, X, y, beta, h, term) - h.sum() + fixed_density(prior, beta)
        ours += stats.norm.logpdf(z).sum() - conditional(term, beta[list(term.columns)], h)
        assert float(density(point)) == pytest.approx(ours, rel=1e-8)


def conditional(term, b, h):
    """Log density of the coefficients given the scales."""
    p, unit = {key: float(value[0]) for key, value in term.parameters.items()}, term.parameters["unit"]
    if term.family == "hierarchical":
        covariance = np.exp(2 * h[0]) * np.outer(unit, unit) * (np.eye(b.size) + p["pooled"])
        return stats.multivariate_normal(cov=covariance).logpdf(b)
    square = np.exp(2.0 * (h[:-2] + h[-2]))
    return stats.norm(0.0, unit * np.sqrt(np.exp(h[-1]) * square / (np.exp(h[-1]) + square))).logpdf(b).sum()


# --- partial pooling -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exact():
    """The eight groups by quadrature under Hierarchical(HalfNormal(1)): 400 taus, 4,001 values of each coefficient."""
    x = np.linspace(np.log(1e-4), np.log(8.0), 400)
    b = np.linspace(-9.0, 9.0, 4001)
    step = b[1] - b[0]
    likelihood = SUCCESSES[:, None] * b - TRIALS[:, None] * np.logaddexp(0.0, b)
    log_z, below, first, second = (
        np.zeros(x.size),
        np.empty((x.size, 8, b.size)),
        np.empty((x.size, 8)),
        np.empty((x.size, 8)),
    )
    for i, at in enumerate(x):
        tau = np.exp(at)
        # in units of tau where tau is small: the grid then stays fine
        u = b * min(tau, 1.0)
        own = SUCCESSES[:, None] * u - TRIALS[:, None] * np.logaddexp(0.0, u) + stats.norm(0, tau).logpdf(u)
        top = own.max(axis=1, keepdims=True)
        mass = np.exp(own - top)
        total = mass.sum(axis=1)
        log_z[i] = np.sum(np.log(total * step * min(tau, 1.0)) + top[:, 0])
        share = mass / total[:, None]
        first[i], second[i] = share @ u, share @ u**2
        cumulative = np.cumsum(share, axis=1) - 0.5 * share
        for j in range(8):
            below[i, j] = np.interp(b, u, cumulative[j], left=0.0, right=1.0)
    assert likelihood.shape == (8, b.size)
    y = log_z + stats.halfnorm.logpdf(np.exp(x)) + x
    weight = np.exp(y - y.max())
    log_evidence = float(np.log(weight.sum() * (x[1] - x[0])) + y.max())
    weight /= weight.sum()
    mean = weight @ first
    sd = np.sqrt(weight @ second - mean**2)
    mixed = np.einsum("i,ijb->jb", weight, below)
    quantiles = np.array([[np.interp(prob, mixed[j], b) for j in range(8)] for prob in (0.05, 0.5, 0.95)])
    tau = np.exp(x)
    tau_mean = weight @ tau
    tails = np.cumsum(weight) - 0.5 * weight
    return {
        "value": np.vstack([mean, sd, quantiles]),
        "log_evidence": log_evidence,
        "tau": (tau_mean, np.sqrt(weight @ (tau - tau_mean) ** 2), np.interp([0.05, 0.5, 0.95], tails, tau)),
    }


@pytest.fixture(scope="module")
def by_grid():
    return bl.sample(groups(), prior=bl.Hierarchical(bl.HalfNormal(1.0)), rng=1)


@pytest.fixture(scope="module")
def by_nuts():
    return bl.sample(groups(), prior=bl.Hierarchical(bl.HalfNormal(1.0)), method="nuts", draws=3000, tune=300, rng=1)


def test_the_grid_is_certified_and_right(exact, by_grid):
    assert by_grid.method == "importance" and by_grid.verdict.level == "certified"
    checks = by_grid.rung.checks
    gap = np.abs(checks.value - exact["value"])
    assert np.max(gap / checks.mcse) < 4.0 and np.mean(gap < 2.0 * checks.mcse) > 0.9
    assert by_grid.log_evidence == pytest.approx(exact["log_evidence"], abs=4.0 * by_grid.log_evidence_se + 1e-5)
    mean, sd, quantiles = exact["tau"]
    assert by_grid.hyper.mean["tau"] == pytest.approx(mean, abs=3e-3 * sd)
    assert by_grid.hyper.sd["tau"] == pytest.approx(sd, rel=3e-3)
    np.testing.assert_allclose(by_grid.hyper.quantile([0.05, 0.5, 0.95]).to_numpy()[0], quantiles, rtol=3e-3)


def test_draws_of_the_grid_are_draws_of_the_whole(by_grid, exact):
    mean, sd = by_grid.values.mean(axis=0), by_grid.values.std(axis=0)
    assert np.max(np.abs(mean - exact["value"][0]) / exact["value"][1]) < 5.0 / np.sqrt(4000)
    assert np.max(np.abs(sd / exact["value"][1] - 1.0)) < 0.06
    tau = by_grid.hyper.values[:, 0]
    assert tau.shape == (4000,) and tau.mean() == pytest.approx(exact["tau"][0], abs=5.0 * exact["tau"][1] / 63.0)
    # given tau a coefficient that the data leave alone spreads as tau does
    assert np.corrcoef(np.log(tau), np.log(np.square(by_grid.values).sum(axis=1)))[0, 1] > 0.5


def test_nuts_agrees_with_quadrature_within_its_errors(exact, by_nuts):
    assert by_nuts.method == "nuts"
    checks = by_nuts.rung.checks
    gap = np.abs(checks.value - exact["value"]) / checks.mcse
    assert np.max(gap) < 4.5 and np.mean(gap < 2.0) > 0.8  # 40 numbers, errors that are themselves estimated
    assert abs(by_nuts.log_evidence - exact["log_evidence"]) < 4.0 * by_nuts.log_evidence_se < 0.2
    mean, sd, _ = exact["tau"]
    assert abs(by_nuts.hyper.mean["tau"] - mean) < 4.0 * by_nuts.hyper.mcse["tau"] < 0.2 * sd
    assert by_nuts.hyper.r_hat["tau"] < 1.02 and by_nuts.hyper.ess["tau"] > 300
    # the coordinates leave no funnel: few gradients, none of them lost
    statistics = by_nuts.rung.estimator.statistics
    assert statistics["diverging"].sum() == 0 and statistics["n_steps"].mean() < 12.0


def test_what_is_said_of_the_scales(by_grid, by_nuts):
    shown = str(by_grid)
    assert (
        "Prior: Hierarchical(HalfNormal(1)) (chosen)." in shown
        and "Scales, posterior median (95 % interval): tau" in shown
    )
    assert "tau integrated over" in by_grid.verdict.in_words.lower() and "the unknown scales" not in shown
    assert "R-hat at most" in by_nuts.verdict.in_words
    assert list(by_grid.hyper.mean.index) == ["tau"] and np.isnan(by_grid.hyper.r_hat["tau"])
    assert "integrated over" in str(by_grid.hyper) and "chains of NUTS" in str(by_nuts.hyper)
    kappa = by_grid.kappa
    assert kappa.shape == (4000, 8) and np.all((kappa > 0.0) & (kappa < 1.0))
    share = SUCCESSES.sum() / TRIALS.sum()
    variance = groups().column_sds[0] ** 2
    expected = 1.0 / (1.0 + TRIALS.sum() * share * (1 - share) * variance * by_grid.hyper.values[:, 0] ** 2)
    np.testing.assert_allclose(kappa[:, 0], expected)
    count = by_grid.effective_nonzero()
    assert count["mean"] == pytest.approx((1.0 - kappa).sum(axis=1).mean()) and "of 8" in str(by_grid.shrinkage())


def test_which_level_is_the_reference_does_not_matter():
    prior = bl.priors(bl.Normal(1.5), terms={"county": bl.Hierarchical(1.0, toward="mean")})
    one, other = (bl.sample("y ~ x + county", county_frame(order), prior, rng=2) for order in ("abcdef", "cabdef"))
    assert one.verdict.certified and other.verdict.certified
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=0.01)
    first = one.contrast({"county[T.b]": 1, "county[T.c]": -1})
    second = other.contrast({"county[T.b]": 1})
    assert first["mean"] == pytest.approx(second["mean"], abs=4.0 * np.hypot(first["mcse"], second["mcse"]) + 1e-4)
    assert first["sd"] == pytest.approx(second["sd"], rel=0.01)
    assert one.hyper.mean["tau"] == pytest.approx(other.hyper.mean["tau"], rel=0.005)
    # toward zero it does
    plain = bl.priors(bl.Normal(1.5), terms={"county": bl.Hierarchical(1.0)})
    shifted = [bl.sample("y ~ x + county", county_frame(order), plain, rng=2) for order in ("abcdef", "cabdef")]
    assert abs(shifted[0].log_evidence - shifted[1].log_evidence) > 0.1


def test_auto_goes_on_to_nuts_and_says_what_it_left(monkeypatch):
    from dataclasses import replace

    whole = _sample.sample_grid

    def poor(*arguments, **options):
        rung, *rest = whole(*arguments, **options)
        return (replace(rung, level="failed", reasons=("k-hat is 1.20",)), *rest)

    monkeypatch.setattr(_sample, "sample_grid", poor)
    prior, options = bl.Hierarchical(1.0), {"draws": 80, "tune": 60, "rng": 1}
    climbed = bl.sample(groups(), prior=prior, **options)
    assert climbed.climbed and "k-hat is 1.20" in (climbed.climbed[0] + " ".join(climbed.verdict.reasons))
    stayed = bl.sample(groups(), prior=prior, nuts=False, **options)
    assert stayed.method == "importance" and stayed.verdict.level == "failed"


def test_refusals():
    design = groups()
    with pytest.raises(bl.ArgumentError, match="under unknown scales it is 'auto', 'importance' or 'nuts'"):
        bl.sample(design, prior=bl.Hierarchical(), method="laplace")
    with pytest.raises(bl.ArgumentError, match="more than one unknown scale"):
        bl.sample(design, prior=bl.Horseshoe(), nuts=False)
    with pytest.raises(bl.ArgumentError, match="use method='nuts'"):
        bl.sample(design, prior=bl.Horseshoe(), method="importance")
    with pytest.raises(bl.ArgumentError, match="rate between 0 and 1"):
        bl.sample(design, prior=bl.Hierarchical(), method="nuts", target_accept=1.2)
    with pytest.raises(bl.PriorError, match="prior of the whole model"):
        bl.sample(design, prior=bl.priors(bl.Jeffreys(), terms={"x1": bl.Hierarchical()}))


def test_separation_and_a_heavy_hyperprior_are_refused():
    """A half-Cauchy tau on a separating column leaves nothing finite beside a flat intercept."""
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    design = bl.Design.from_arrays(np.column_stack([x, x**2]), x > 0.0)
    with pytest.raises(bl.FitError, match="improper"):
        bl.sample(design, prior=bl.Hierarchical(bl.HalfT(1, 1)))
    known = _sample.existence_with_scales(design, bl.Hierarchical(bl.HalfT(2.5, 1)).resolve(design))
    assert known.proper and not known.sd[1]
    light = _sample.existence_with_scales(design, bl.Hierarchical(bl.HalfNormal(1)).resolve(design))
    assert light.proper and light.sd.all() and not light.reasons
    proper = bl.priors(bl.Hierarchical(bl.HalfT(1, 1)), intercept=bl.Normal(2)).resolve(design)
    assert _sample.existence_with_scales(design, proper).proper


# --- the horseshoe ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def horseshoe():
    X, y = horseshoe_data()
    design = bl.Design.from_arrays(X, y)
    return bl.sample(design, prior=bl.Horseshoe(global_scale=0.1), draws=2000, tune=400, rng=1)


@pytest.mark.slow
def test_the_horseshoe_agrees_with_a_long_run_of_pymc(horseshoe):
    record = json.loads(GOLDEN.read_text("utf-8"))
    reference = record["posterior"]
    assert record["divergences"] <= 4 and horseshoe.method == "nuts"
    mean = np.concatenate([reference["alpha"]["mean"], reference["beta"]["mean"]])
    sd = np.concatenate([reference["alpha"]["sd"], reference["beta"]["sd"]])
    ess = np.concatenate([reference["alpha"]["ess"], reference["beta"]["ess"]])
    rung = horseshoe.rung
    error = np.hypot(rung.mean_mcse, sd / np.sqrt(ess))
    assert np.max(np.abs(rung.mean - mean) / error) < 4.0
    assert np.max(np.abs(rung.sd / sd - 1.0)) < 0.15
    quantiles = np.hstack([reference["alpha"]["quantiles"], reference["beta"]["quantiles"]])
    assert np.max(np.abs(rung.quantile([0.05, 0.5, 0.95]) - quantiles) / sd) < 0.25
    log_tau = np.log(horseshoe.hyper.values[:, horseshoe.hyper.names.index("tau")])
    there = reference["log tau"]
    error = there["sd"][0] * np.hypot(1.0 / np.sqrt(horseshoe.hyper.ess["tau"]), 1.0 / np.sqrt(there["ess"][0]))
    assert abs(log_tau.mean() - there["mean"][0]) < 4.0 * error < 0.3 * there["sd"][0]


@pytest.mark.slow
def test_what_the_horseshoe_says(horseshoe):
    assert horseshoe.hyper.names == (*(f"lambda[x{j}]" for j in range(1, 9)), "tau", "slab")
    assert np.isnan(horseshoe.hyper.mean["lambda[x1]"]) and np.isnan(horseshoe.hyper.mean["tau"])
    assert np.isfinite(horseshoe.hyper.mean["slab"]) and "falls too slowly" in str(horseshoe.hyper)
    kappa = horseshoe.kappa.mean(axis=0)
    assert kappa[0] < 0.1 and np.all(kappa[1:] > 2.0 * kappa[0])
    count = horseshoe.effective_nonzero()
    assert 2.0 < count["mean"] < 6.0 and count["lower"] < count["median"] < count["upper"]
    statistics = horseshoe.rung.estimator.statistics
    assert statistics["diverging"].mean() < 0.01 and "R-hat" in str(horseshoe.hyper)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers():
    first, again, other = (
        bl.sample(groups(), prior=bl.Horseshoe(global_scale=0.5), draws=40, tune=20, chains=2, rng=seed)
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first.values, again.values) and np.array_equal(first.hyper.values, again.hyper.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.slow
def test_arviz_has_the_scales(by_grid, horseshoe):
    import arviz as az

    tree = by_grid.to_arviz()
    assert tree["posterior"]["tau"].shape == (4, 1000) and tree.attrs["prior"] == "Hierarchical(HalfNormal(1))"
    np.testing.assert_array_equal(tree["posterior"]["tau"].to_numpy().ravel(), by_grid.hyper.values[:, 0])
    tau, beta = by_grid.hyper.values[:, 0], by_grid.values
    prior = tree["log_prior"]
    np.testing.assert_allclose(prior["scales"].to_numpy().ravel(), stats.halfnorm.logpdf(tau), rtol=1e-10)
    np.testing.assert_allclose(
        prior["beta"].to_numpy().reshape(-1, 8), stats.norm(0, tau[:, None]).logpdf(beta), rtol=1e-10
    )
    constant = gammaln(TRIALS + 1) - gammaln(SUCCESSES + 1) - gammaln(TRIALS - SUCCESSES + 1)
    exact = SUCCESSES * beta - TRIALS * np.logaddexp(0.0, beta)
    np.testing.assert_allclose(tree["log_likelihood"]["y"].to_numpy().reshape(-1, 8), exact + constant, rtol=1e-9)
    lp = exact.sum(axis=1) + stats.halfnorm.logpdf(tau) + stats.norm(0, tau[:, None]).logpdf(beta).sum(axis=1)
    np.testing.assert_allclose(tree["sample_stats"]["lp"].to_numpy().ravel(), lp, rtol=1e-9)
    assert "tau" in az.summary(tree).index
    tree = horseshoe.to_arviz()
    assert tree["posterior"]["lambda"].dims == ("chain", "draw", "coef_lambda")
    assert list(tree["posterior"]["coef_lambda"].to_numpy()) == [f"x{j}" for j in range(1, 9)]
    assert {"tau", "slab"} <= set(tree["posterior"].data_vars) and "diverging" in tree["sample_stats"]
    assert "tau" in az.psense_summary(tree).index


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_line_knows_them(capsys, tmp_path):
    from bayeslogit.cli import run

    path = tmp_path / "counties.csv"
    county_frame().to_csv(path, index=False)
    asked = ["fit", str(path), "--formula", "y ~ x + county", "--prior", "hierarchical:1"]
    assert run(asked) == 2
    assert "--posterior auto on the command line" in capsys.readouterr().err
    assert run([*asked, "--posterior", "auto", "--draws", "400", "--label", "x=Exposure"]) == 0
    shown = capsys.readouterr().out
    assert "scales at their posterior medians" in shown and "tau integrated over" in shown and "kappa" in shown
    assert "Exposure" in shown
    assert run([*asked, "--posterior", "importance", "--draws", "400", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (tau,) = document["posterior"]["scales"]
    draws = bl.sample("y ~ x + county", county_frame(), bl.Hierarchical(1.0), draws=400)
    assert tau["scale"] == "tau" and tau["mean"] == pytest.approx(draws.hyper.mean["tau"], rel=1e-9)
    assert document["posterior"]["verdict"]["level"] == "certified"
    for text, prior in (("horseshoe:3", bl.Horseshoe(expected_nonzero=3)), ("horseshoe", bl.Horseshoe())):
        assert parse_prior(text) == prior
    with pytest.raises(bl.PriorError, match="horseshoe takes 0 to 1 number"):
        parse_prior("horseshoe:1,2")
