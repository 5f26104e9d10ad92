"""The examples arrive where they say they do."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import bayeslogit as bl

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_weight_decay_arrives_at_the_mode(capsys):
    ran = runpy.run_path(str(EXAMPLES / "weight_decay.py"))
    out = capsys.readouterr().out
    assert ran["distance"] < 1e-6
    assert f"distance: {ran['distance']:.1e} posterior sd" in out and "Certified" in out
    # The prior is that of the decay on sums: sd = 1 / sqrt(n decay), on the bias too.
    assert ran["prior"] == bl.Normal(1.0 / np.sqrt(3020 * 0.01))
    np.testing.assert_allclose(ran["fit"].prior.variance(), 1.0 / 30.2, rtol=1e-14)


def test_weight_decay_with_half_the_steps_of_nothing_is_far_away():
    # The distance measures something: before training it is dozens of sds.
    ran = runpy.run_path(str(EXAMPLES / "weight_decay.py"))
    start = ran["train"](ran["X"], ran["y"], ran["decay"], steps=0)
    gap = start - ran["fit"].params.to_numpy()
    assert np.sqrt(gap @ np.linalg.solve(ran["fit"].cov_params().to_numpy(), gap)) > 10.0
    # Another decay is another prior: its optimum is not ours.
    other = ran["train"](ran["X"], ran["y"], 2.0 * ran["decay"], steps=3000) - ran["fit"].params.to_numpy()
    assert np.sqrt(other @ np.linalg.solve(ran["fit"].cov_params().to_numpy(), other)) > 0.5


def test_the_lasso_holds_its_zeros_by_the_prior_alone(capsys):
    ran = runpy.run_path(str(EXAMPLES / "lasso_is_a_prior.py"))
    assert ran["violation"] < 1e-9 and f"{ran['violation']:.1e}" in capsys.readouterr().out
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression(l1_ratio=1.0, C=0.03, solver="saga", tol=1e-12, max_iter=100_000, random_state=0)
    theirs = model.fit(ran["X"], ran["y"]).coef_[0]
    ours = bl.fit(ran["design"], prior=bl.Laplace(0.03), tol=1e-10).params.to_numpy()[1:]
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    assert (ours == 0.0).sum() == 2 and np.array_equal(ours == 0.0, theirs == 0.0)


def test_every_example_is_short_and_listed():
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f"`{script.name}`" in listed
        assert len(script.read_text(encoding="utf-8").splitlines()) < 80
