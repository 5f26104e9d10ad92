"""The DataTree: its groups hold what they say, and ArviZ's own functions run on it as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslogit as bl
from bayeslogit.errors import FitError

az = pytest.importorskip("arviz")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def no_screen():
    import matplotlib

    matplotlib.use("Agg")


@pytest.fixture(scope="module")
def fit():
    return bl.fit("type ~ npreg + glu + bmi + ped", bl.datasets.load("pima"))


@pytest.fixture(scope="module")
def draws(fit):
    return fit.sample("importance", draws=2000, rng=1)


@pytest.fixture(scope="module")
def tree(draws):
    return draws.to_arviz(rng=3)


@pytest.fixture(scope="module")
def grouped():
    rng = np.random.default_rng(2)
    x, trials = rng.standard_normal(40), rng.integers(1, 9, 40)
    y = rng.binomial(trials, 1.0 / (1.0 + np.exp(-x)))
    frame = {"y": y, "x": x, "n": trials, "w": rng.integers(1, 4, 40), "o": rng.standard_normal(40)}
    return bl.fit("y ~ x", frame, trials="n", weights="w", offset="o", prior=bl.Laplace(1.0))


def flat(tree, group, name):
    values = tree[group][name]
    return values.stack(sample=("chain", "draw")).transpose("sample", ...).to_numpy()


def test_groups_names_and_dimensions(tree, draws, fit):
    assert set(tree.children) == {
        *("posterior", "log_likelihood", "log_prior", "posterior_predictive", "prior", "sample_stats"),
        *("observed_data", "constant_data"),
    }
    posterior = tree["posterior"]
    assert dict(posterior.sizes) == {"chain": 4, "draw": 500, "coef": len(fit.columns) - 1}
    assert list(posterior["coef"].values) == list(fit.columns[1:])
    values = np.column_stack([flat(tree, "posterior", "Intercept"), flat(tree, "posterior", "beta")])
    assert np.array_equal(values, draws.values)
    assert np.array_equal(tree["observed_data"]["y"], fit.design.outcome_arrays()[0])
    assert tree["constant_data"]["X"].shape == (fit.design.n_rows, len(fit.columns) - 1)
    assert set(np.unique(tree["posterior_predictive"]["y"])) == {0, 1}


def test_attributes_say_what_the_draws_are(tree, draws):
    assert tree.attrs["independent_draws"] == 1 and "pseudo-chains" in tree.attrs["chains"]
    assert tree.attrs["method"] == "importance" and tree.attrs["verdict"] == draws.verdict.level
    assert "C(m, y)" in tree.attrs["log_likelihood_constant"] and tree.attrs["log_evidence"] == draws.log_evidence


def test_the_likelihood_is_that_of_a_binomial_with_its_constant(grouped):
    draws = grouped.sample("laplace", draws=80, rng=1)
    tree = draws.to_arviz()
    data = grouped.design.used_frame()
    eta = draws.values @ np.vstack([np.ones(40), data["x"]]) + np.asarray(data["o"])
    expected = np.asarray(data["w"]) * stats.binom.logpmf(data["y"], data["n"], 1.0 / (1.0 + np.exp(-eta)))
    assert np.allclose(flat(tree, "log_likelihood", "y"), expected, rtol=0, atol=1e-9)
    prior = stats.laplace.logpdf(draws.values[:, 1], scale=1.0)
    assert np.allclose(flat(tree, "log_prior", "beta")[:, 0], prior, rtol=0, atol=1e-12)
    lp = flat(tree, "sample_stats", "lp")
    assert np.allclose(lp, expected.sum(axis=1) - grouped.log_binomial_constant + prior, rtol=0, atol=1e-9)
    assert tree["posterior_predictive"]["y"].max() > 1 and "prior" not in tree.children  # the intercept is flat


@pytest.mark.parametrize("name", ["default", "joint", "group", "jeffreys", "conjugate"])
def test_log_prior_and_likelihood_add_up_to_the_log_posterior(name):
    from bayeslogit.target import LogPosterior

    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3)) + 1.0
    design = bl.Design.from_arrays(X, (rng.random(50) < 0.4).astype(float), weights=rng.integers(0, 3, 50))
    prior = {
        "default": "rstanarm",
        "joint": bl.MultivariateNormal(mean=np.zeros(3), cov=np.eye(3) + 0.5, columns=("x1", "x2", "x3")),
        "group": bl.priors(bl.GroupLaplace(0.5), intercept=bl.Normal(3.0)),
        "jeffreys": bl.Jeffreys(),
        "conjugate": bl.DiaconisYlvisaker(),
    }[name]
    fit = bl.fit(design, prior=prior)
    draws = fit.sample("importance", draws=40, rng=1)
    lp = flat(draws.to_arviz(), "sample_stats", "lp")
    target = LogPosterior(design, fit.prior)
    exact = [target.expand(target.coordinates.gamma(beta)).log_density for beta in draws.values]
    assert np.max(np.abs(lp - exact)) < 1e-9


def test_prior_draws_have_the_prior_s_quantiles(fit, tree):
    sd = np.sqrt(fit.prior.variance())
    prior = flat(tree, "prior", "beta")
    assert np.allclose(np.std(prior, axis=0) / sd[1:], 1.0, atol=0.08)


# --- the six calls ----------------------------------------------------------------------------------------------------


def test_summary_gives_our_numbers(tree, draws):
    table = az.summary(tree, round_to="none")
    names = ["Intercept", *(f"beta[{name}]" for name in draws.columns[1:])]
    assert list(table.index) == names
    means = pd.to_numeric(table["mean"]).to_numpy()
    assert np.max(np.abs(means - draws.mean) / draws.sd) < 4.0 / np.sqrt(2000)
    assert pd.to_numeric(table["r_hat"]).max() < 1.01 and pd.to_numeric(table["ess_bulk"]).min() > 1200


def test_loo_is_that_of_independent_draws(tree, fit):
    found = az.loo(tree)
    likelihood = flat(tree, "log_likelihood", "y")
    # Importance sampling without smoothing, from its formula; these rows weigh little, so the two are close.
    plain = -(np.log(np.mean(np.exp(-likelihood), axis=0))).sum()
    assert abs(found.elpd - plain) < 0.1 and np.max(found.pareto_k) < 0.7
    assert found.n_data_points == fit.design.n_rows


def test_compare_psense_and_the_plots(tree, fit):
    other = bl.fit(fit.design, prior=bl.priors(bl.Normal(0.01), intercept=bl.Normal(5.0)))
    tight = other.sample("importance", draws=2000, rng=1).to_arviz()
    table = az.compare({"default": tree, "tight": tight})
    assert table.index[0] == "default" and set(table.index) == {"default", "tight"}
    sense = az.psense_summary(tree)
    assert len(sense) == len(fit.columns) and (pd.to_numeric(sense["prior"]) < 0.05).all()
    tight_sense = az.psense_summary(tight, prior_var_names=["beta"])
    assert (pd.to_numeric(tight_sense["prior"]) > 0.05).any()
    assert az.plot_forest(tree) is not None
    assert az.plot_ppc_pava(tree) is not None


def test_nuts_goes_out_as_its_own_chains(fit):
    from dataclasses import replace

    from bayeslogit.posterior.nuts_chains import Chains

    draws = fit.sample("importance", draws=1200, rng=1)
    by_chain = draws.values.reshape(400, 3, -1).swapaxes(0, 1)
    chains = Chains(by_chain, {"diverging": np.zeros((3, 400), bool), "energy": np.ones((3, 400))})
    tree = replace(draws, rung=replace(draws.rung, method="nuts", estimator=chains)).to_arviz()
    assert dict(tree["posterior"].sizes)["chain"] == 3 and tree.attrs["independent_draws"] == 0
    assert set(tree["sample_stats"].data_vars) == {"lp", "diverging", "energy"}
    assert np.array_equal(tree["posterior"]["beta"].to_numpy(), by_chain[..., 1:])


def test_a_loaded_fit_has_no_rows_to_export(fit, draws, tmp_path):
    from dataclasses import replace

    fit.to_json(tmp_path / "fit.json")
    with pytest.raises(FitError, match=r"to_arviz.* needs the data"):
        replace(draws, fit=bl.load(tmp_path / "fit.json")).to_arviz()


@pytest.mark.parametrize(
    ("draws", "chains"), [(1, 1), (3, 1), (7, 1), (9, 1), (8, 2), (12, 3), (16, 4), (18, 3), (22, 2)]
)
def test_every_draw_goes_out_whatever_their_number(grouped, draws, chains):
    made = grouped.sample("laplace", draws=draws, rng=1)
    tree = made.to_arviz()
    assert dict(tree["posterior"].sizes) == {"chain": chains, "draw": draws // chains, "coef": 1}
    assert np.array_equal(flat(tree, "posterior", "beta")[:, 0], made.values[:, 1])
    assert f"{chains} pseudo-chain{'s' * (chains > 1)} of" in tree.attrs["chains"]


def test_moments_that_do_not_exist_are_named_for_arviz():
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    fit = bl.fit(bl.Design.from_arrays(x[:, None], x > 0.0), prior=bl.StudentT(2.5, 2.5))
    draws = fit.sample("importance", draws=100, rng=1)
    assert draws.mean.notna().all() and draws.sd.isna().all()
    with pytest.warns(bl.FitWarning, match=r"to_arviz\(\): Intercept, x1: no mean or no sd exists .*quantiles do"):
        tree = draws.to_arviz()
    assert tree.attrs["without_mean"] == "" and tree.attrs["without_sd"] == "Intercept, x1"
    assert "x1" in tree.attrs["moments"]


def test_trees_without_trouble_name_no_moments(tree):
    assert tree.attrs["without_mean"] == tree.attrs["without_sd"] == tree.attrs["moments"] == ""
