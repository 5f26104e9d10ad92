"""Simulation-based calibration: coefficients from the prior are anywhere among the draws of their posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.calibration import Ranks, simulated_ranks
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.posterior.importance import sample_importance, sample_variational

pytestmark = pytest.mark.slow
PRIOR = bl.priors(default=bl.Normal(1.5), intercept=bl.Normal(1.5, mean=-1.0))


@pytest.fixture(scope="module")
def design():
    x = np.random.default_rng(0).standard_normal((40, 1))
    return bl.Design.from_arrays(x, np.arange(40.0) % 2.0)


def shifted(target, mode, draws, rng):
    """A rung that is wrong: 0.6 sd too high."""
    rung = sample_variational(target, mode, draws, rng)
    return replace(rung, values=rung.values + 0.6 * rung.sd)


def narrow(target, mode, draws, rng):
    """A rung that is wrong: sds are two thirds of what they are."""
    rung = sample_variational(target, mode, draws, rng)
    return replace(rung, values=rung.mean + (rung.values - rung.mean) * 2.0 / 3.0)


def test_certified_rungs_are_calibrated_and_wrong_ones_are_not(design):
    rungs = {"importance": sample_importance, "shifted": shifted, "narrow": narrow}
    found = simulated_ranks(design, PRIOR, rungs, replications=150, rng=1)
    assert found.columns == ("Intercept", "x1") and found.ranks["importance"].shape == (150, 2)
    assert set(found.levels["importance"]) == {"certified"}
    # Fixed seed: of two p-values the smaller is below 0.005 once in a hundred seeds.
    assert found.p_values("importance").min() > 0.005
    assert np.all(np.abs(found.shift("importance")) < 3.0) and np.all(np.abs(found.spread("importance") - 1.0) < 0.2)
    assert found.p_values("shifted").max() < 1e-4 and np.all(found.shift("shifted") < -4.0)
    assert found.p_values("narrow").max() < 1e-2 and np.all(found.spread("narrow") > 1.25)
    # Ranks among many draws are the posterior's own probabilities.
    off = (found.ranks["importance"] + 0.5) / 100.0 - found.probability["importance"]
    assert np.abs(off).max() < 0.25 and abs(off.mean()) < 0.01


def test_the_fast_rungs_share_their_data(design):
    methods = ("laplace", "variational", "quadrature")
    found = simulated_ranks(design, PRIOR, methods, replications=60, rng=2)
    assert set(found.ranks) == set(methods) and found.p_values("quadrature").min() > 0.005
    # The mode is not the mean: for the same data the two say different things of the same coefficients.
    moved = np.abs(found.probability["laplace"] - found.probability["quadrature"])
    near = np.abs(found.probability["variational"] - found.probability["quadrature"])
    assert 0.02 < moved.mean() < 0.1 and near.mean() < 0.5 * moved.mean()
    again = simulated_ranks(design, PRIOR, ("laplace",), replications=3, rng=2)
    assert again.ranks["laplace"].shape == (3, 2)


def test_ranks_of_uniform_numbers_pass():
    rng = np.random.default_rng(0)
    uniform = Ranks(("a",), 99, {"m": rng.integers(0, 100, (4000, 1))}, {"m": np.zeros((4000, 1))}, {"m": ()})
    assert uniform.p_values("m")[0] > 0.01 and abs(uniform.shift("m")[0]) < 3.0
    assert uniform.spread("m")[0] == pytest.approx(1.0, abs=0.05) and uniform.shares("m").sum() == pytest.approx(1.0)
    with pytest.raises(ArgumentError, match="equal bins"):
        uniform.p_values("m", bins=7)


def test_what_cannot_be_simulated_is_refused(design):
    with pytest.raises(PriorError, match="flat"):
        simulated_ranks(design, bl.Normal(1.0), replications=1)
    for wrong in ("laplace", ("hmc",)):
        with pytest.raises(ArgumentError, match="a sequence of 'laplace'"):
            simulated_ranks(design, PRIOR, wrong, replications=1)
    with pytest.raises(ArgumentError, match="replications=0"):
        simulated_ranks(design, PRIOR, replications=0)


def test_under_an_unknown_scale_the_grid_and_chains_can_be_asked():
    x = np.random.default_rng(0).standard_normal((40, 3))
    design = bl.Design.from_arrays(x, np.arange(40.0) % 2.0)
    prior = bl.priors(default=bl.Hierarchical(1.0), intercept=bl.Normal(1.5))
    found = simulated_ranks(design, prior, ("importance",), replications=2, rng=1)
    assert found.levels["importance"] == ("certified",) * 2 and found.ranks["importance"].shape == (2, 4)
    with pytest.raises(ArgumentError, match="a sequence of 'importance', 'nuts'"):
        simulated_ranks(design, prior, ("laplace",), replications=1)
    # Two unknown scales are too many for the grid: the rung could not be had, and that is said.
    two = bl.priors(intercept=bl.Normal(1.5), terms={name: bl.Hierarchical(1.0) for name in ("x1", "x2", "x3")})
    found = simulated_ranks(design, two, ("importance",), replications=1, rng=1)
    assert found.levels["importance"] == ("error",) and (found.ranks["importance"] == -1).all()
    assert np.isnan(found.probability["importance"]).all()


@pytest.mark.prove
def test_nuts_is_calibrated(design):
    found = simulated_ranks(design, PRIOR, ("nuts", "importance"), replications=200, rng=1)
    assert found.ranks["nuts"].shape == (200, 2) and "error" not in found.levels["nuts"]
    # Fixed seed: of two p-values the smaller is below 0.005 once in a hundred seeds.
    assert found.p_values("nuts").min() > 0.005
    assert np.all(np.abs(found.shift("nuts")) < 3.0) and np.all(np.abs(found.spread("nuts") - 1.0) < 0.2)
    # 594 draws worth 300 or more independent ones: the probability of lying below the truth is within 0.03 on average
    # of the certified one, and off to neither side.
    off = found.probability["nuts"] - found.probability["importance"]
    assert np.abs(off).mean() < 0.02 and np.all(np.abs(off.mean(axis=0)) < 0.005)


@pytest.mark.prove
def test_an_unknown_scale_is_calibrated():
    x = np.random.default_rng(0).standard_normal((40, 3))
    prior = bl.priors(default=bl.Hierarchical(1.0), intercept=bl.Normal(1.5))
    design = bl.Design.from_arrays(x, np.arange(40.0) % 2.0)
    found = simulated_ranks(design, prior, ("importance",), replications=150, rng=1)
    # The smallest of four p-values is below 0.0025 once in a hundred seeds.
    assert found.p_values("importance", 10).min() > 0.0025
    assert np.all(np.abs(found.shift("importance")) < 3.0)
    assert np.all(np.abs(found.spread("importance") - 1.0) < 0.25)
