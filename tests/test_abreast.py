"""Searches side by side: cross-validation's folds and leave-one-out's sites against searches one at a time."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from scipy.special import expit

import bayeslogit as bl
from bayeslogit import criteria_abreast, criteria_gaussians, scale_criteria, waiting, workers
from bayeslogit.abreast import lengths, search_abreast
from bayeslogit.criteria import Sites
from bayeslogit.criteria_modes import mode_scores
from bayeslogit.criteria_refits import mode_without
from bayeslogit.criteria_rows import Field
from bayeslogit.criteria_without import GroundWithout
from bayeslogit.posterior.variational import fit_gaussian
from bayeslogit.scale_record import Axis
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior


def simulated(n, p, sd, seed, **extra):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.geomspace(0.2, 5.0, p) + 3.0
    eta = (X - 3.0) / np.geomspace(0.2, 5.0, p) @ rng.normal(size=p) * sd - 0.5
    trials = np.asarray(extra.get("trials", 1.0))
    y = rng.binomial(trials.astype(int), expit(eta), size=n).astype(float)
    return bl.Design.from_arrays(X, y, **extra)


def counted(n):
    rng = np.random.default_rng(9)
    return {"trials": rng.integers(1, 4, n).astype(float), "weights": rng.integers(0, 3, n).astype(float)}


@pytest.mark.parametrize(
    "prior",
    [
        bl.Normal(1.0, mean=0.2),
        bl.preset("rstanarm"),
        bl.ElasticNet(l1=0.0, l2=1.0),
        bl.Laplace(1.0),
        bl.Laplace(1.0, mean=0.3),
        bl.ElasticNet(l1=2.0, l2=1.0),
        bl.priors(default=bl.Laplace(0.5), terms={"x2": bl.Flat(), "x3": bl.Normal(1.0)}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("grouped", [False, True])
def test_folds_abreast_are_the_folds_one_at_a_time(prior, grouped, monkeypatch):
    design = simulated(150, 6, 0.7, 1, **(counted(150) if grouped else {}))
    axis = Axis.of(design, prior, 12, None, 9, "test", beyond=True)

    def scored():
        return scale_criteria.cv_along(design, axis.asked, axis.base.kind, axis.scales, folds=7, rng=3)

    served = scale_criteria.serves(design, axis.resolved)
    fast = scored()
    monkeypatch.setattr(scale_criteria, "serves", lambda *given: False)
    slow = scored()
    assert served
    for name in ("log_loss", "log_loss_se", "brier", "auc", "auc_se", "train_log_loss"):
        np.testing.assert_allclose(fast.of(name), slow.of(name), rtol=0.0, atol=1e-7)


def test_a_fold_without_a_mode_is_named_abreast_too():
    rng = np.random.default_rng(0)
    x, only = rng.normal(size=30), np.zeros(30)
    only[:3] = 1.0  # all the events have only = 1, and nothing bounds its coefficient
    design = bl.Design.from_arrays(np.column_stack([x, only]), only)
    prior = bl.priors(default=bl.Normal(1.0), terms={"x2": bl.Flat()})
    with pytest.raises(bl.FitError, match="Cross-validation: in one of 3 folds, at scale"):
        bl.choose_scale(design, prior=prior, by="cv", folds=3, scales=[0.5, 1.0, 2.0])


def test_a_search_whose_information_is_not_near_is_given_up_and_not_believed():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(200, 3)), (rng.random(200) < 0.4).astype(float)

    def search(share):
        H = X.T @ X * 0.25 * share + np.eye(3)
        return search_abreast(
            X,
            np.zeros(200),
            lambda eta, picked: y[:, None] - expit(eta),
            lambda gammas, picked: -gammas,
            lambda gammas, scores, picked: (step := np.linalg.solve(H, scores), lengths(step, scores)),
            np.full((3, 2), 0.5),
            enough=1e-10,
        )

    assert search(1.0).arrived.all()
    assert not search(0.3).arrived.any()  # steps of three times the length
    assert not search(5.0).arrived.any()  # steps too short to tell where they end


@pytest.mark.parametrize(
    "prior",
    [
        bl.Normal(0.8, mean=0.3),
        bl.Laplace(0.3),
        bl.Laplace(0.05),
        bl.ElasticNet(l1=3.0, l2=1.0),
        bl.StudentT(3, 0.5),
        bl.priors(default=bl.Laplace(0.2), terms={"x2": bl.Flat(), "x3": bl.Normal(1.0)}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("grouped", [False, True])
def test_sites_abreast_are_the_sites_one_at_a_time(prior, grouped):
    design = simulated(60, 6, 0.8, 4, **(counted(60) if grouped else {}))
    resolved = prior.resolve(design)
    mode = find_mode(LogPosterior.of(design, resolved), tol=1e-11)
    field, sites = Field.of(design, resolved, mode), Sites.of(design, "observation")
    kinks = field.ground.target.kinks
    active = kinks.active(field.theta) if kinks else np.arange(field.theta.size)
    factor = field.factor(mode, active)
    picked = np.arange(len(sites))
    found = [each.eta for each in criteria_abreast.modes_without(field, sites, picked, factor, active)]
    alone = [mode_without(field, sites, int(i), factor, active).eta for i in picked]
    np.testing.assert_allclose(found, alone, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize(
    "prior",
    [
        bl.preset("rstanarm"),
        bl.priors(
            default=bl.StudentT(3, 1.0, mean=0.1),
            intercept=bl.Cauchy(2.0),
            terms={"x1": bl.ElasticNet(l1=1.0, l2=2.0), "x2": bl.Laplace(0.4)},
        ),
        bl.MultivariateNormal(mean=[0.1, 0.2, -0.3], cov=np.eye(3) + 0.4, columns=["x1", "x2", "x3"]),
        bl.Flat(),
    ],
    ids=repr,
)
def test_scores_of_a_prior_at_many_points_are_those_at_each(prior):
    design = simulated(30, 3, 0.5, 7)
    target = LogPosterior.of(design, prior.resolve(design)).prior_target
    points = np.random.default_rng(1).normal(size=(5, 4))
    alone = [target.slope(point).score for point in points]
    np.testing.assert_allclose(target.scores(points), alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "prior",
    [bl.Normal(0.8, mean=0.3), bl.Laplace(0.3), bl.priors(default=bl.StudentT(3, 0.5), intercept=bl.Normal(2.0))],
    ids=repr,
)
@pytest.mark.parametrize("grouped", [False, True])
def test_gaussians_abreast_are_the_gaussians_one_at_a_time(prior, grouped):
    design = simulated(60, 6, 0.8, 4, **(counted(60) if grouped else {}))
    resolved = prior.resolve(design)
    mode = find_mode(LogPosterior.of(design, resolved), tol=1e-11)
    field, sites = Field.of(design, resolved, mode), Sites.of(design, "observation")
    whole = fit_gaussian(field.ground, mode, tol=1e-10).gaussian
    picked = np.arange(len(sites))
    found = list(criteria_gaussians.gaussians_without(field, sites, picked, whole, 1e-8))
    assert sum(each is not None for each in found) >= 0.9 * picked.size
    for i, own in enumerate(found):
        if own is None:
            continue
        alone = fit_gaussian(GroundWithout.without(field, sites, i, whole), mode, tol=1e-9).gaussian
        sd = np.sqrt(np.square(alone.root).sum(axis=1))
        np.testing.assert_allclose((own.mean - alone.mean) / sd, 0.0, atol=1e-7)
        off = (own.root @ own.root.T - alone.root @ alone.root.T) / np.outer(sd, sd)
        np.testing.assert_allclose(off, 0.0, atol=1e-6)


def test_changed_active_sets_are_found_without_a_search_alone(monkeypatch):
    design = simulated(120, 12, 0.6, 5)
    resolved = bl.Laplace(0.15).resolve(design)
    mode = find_mode(LogPosterior.of(design, resolved), tol=1e-10)
    alone = []
    kept = criteria_abreast.mode_without
    monkeypatch.setattr(criteria_abreast, "mode_without", lambda *given: alone.append(1) or kept(*given))
    sites = Sites.of(design, "observation")
    found = mode_scores(Field.of(design, resolved, mode), sites, mode, len(sites))
    assert found.n_refit > 20
    assert len(alone) <= 0.1 * found.n_refit


def test_splined_leave_one_out_is_that_of_every_scale(monkeypatch):
    design = simulated(2500, 4, 0.4, 6)
    axis = Axis.of(design, bl.Normal, 60, None, 9, "test", beyond=True)

    def curve():
        return scale_criteria.loo_along(design, axis.resolved, axis.base, axis.scales, kind="posterior")

    splined = curve()
    assert any("cubic spline between" in note for note in splined.notes)
    monkeypatch.setattr(scale_criteria, "_APART", 0.0)
    every = curve()
    near = every.elpd > every.elpd.max() - 20.0
    np.testing.assert_allclose(splined.elpd[near], every.elpd[near], rtol=0.0, atol=5e-3)
    np.testing.assert_allclose(splined.elpd, every.elpd, rtol=0.0, atol=3e-2)
    np.testing.assert_allclose(splined.se, every.se, rtol=1e-4)
    effective = scale_criteria.effective_along(design, axis.resolved, axis.base, axis.scales)
    monkeypatch.setattr(scale_criteria, "_APART", 0.2)
    np.testing.assert_allclose(
        scale_criteria.effective_along(design, axis.resolved, axis.base, axis.scales), effective, atol=1e-4
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_stands_on_a_terminal_only_and_goes_when_the_work_is_done(monkeypatch):
    monkeypatch.setattr(waiting, "_PATIENCE", 0.0)
    monkeypatch.setattr(waiting, "_APART", 0.0)
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        monkeypatch.setattr(sys, "stderr", stream)
        with waiting.bar() as show:
            show("leave-one-out", 3, 12)
    assert pipe.getvalue() == ""
    shown, cleared = terminal.getvalue()[1:].split("\r", 1)
    assert shown == "leave-one-out [======                  ] 3 of 12"
    assert cleared.strip() == "" and len(cleared) == len(shown) + 1


@pytest.mark.parametrize("cores", [1, 2])
def test_work_aside_gives_its_result_or_its_error(cores, monkeypatch):
    monkeypatch.setattr(workers, "threads", lambda: cores)
    with workers.aside(lambda: 7) as result:
        assert result() == 7

    def fails():
        raise bl.FitError("no mode")

    with pytest.raises(bl.FitError, match="no mode"), workers.aside(fails) as result:
        result()
