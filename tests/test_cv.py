"""Cross-validation: folds that part the data, scores against scikit-learn, and leave-one-out as its limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

import bayeslogit as bl
from bayeslogit.criteria_cv import cross_validate, one_standard_error
from bayeslogit.criteria_folds import FoldScores, auc, deal


def small(n: int = 60, p: int = 3, seed: int = 1) -> bl.Design:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return bl.Design.from_arrays(X, (rng.random(n) < expit(X @ np.linspace(1.0, -1.0, p))).astype(float))


def counted(seed: int = 2) -> bl.Design:
    rng = np.random.default_rng(seed)
    X, m, w = rng.standard_normal((20, 2)), rng.integers(1, 6, 20), rng.integers(0, 3, 20)
    return bl.Design.from_arrays(X, rng.binomial(m, expit(X @ [1.0, -1.0])), trials=m, weights=w)


@pytest.mark.parametrize("make", [small, counted])
@pytest.mark.parametrize("unit", ["observation", "row"])
def test_folds_part_the_counts_and_the_rest_is_the_design(make, unit):
    design = make()
    y, m, w = design.outcome_arrays()
    folds = deal(design, 5, 3, unit=unit)
    held = sum(fold.successes for fold in folds), sum(fold.failures for fold in folds)
    np.testing.assert_array_equal(held, (w * y, w * (m - y)))
    for fold in folds:
        ty, tm, tw = fold.train.outcome_arrays()
        np.testing.assert_allclose(tw * ty + fold.successes, w * y)
        np.testing.assert_allclose(tw * (tm - ty) + fold.failures, w * (m - y))
        assert fold.train.columns == design.columns
        if unit == "row":
            touched = fold.successes + fold.failures > 0.0
            np.testing.assert_array_equal((fold.successes + fold.failures)[touched], (w * m)[touched])


def test_folds_are_stratified_and_of_one_size():
    design = small(103)
    folds = deal(design, 10, 0)
    sizes = [fold.successes.sum() + fold.failures.sum() for fold in folds]
    events = [fold.successes.sum() for fold in folds]
    assert max(sizes) - min(sizes) <= 1 and max(events) - min(events) <= 1
    counts = [fold.successes.sum() for fold in deal(counted(), 7, 0)]
    assert max(counts) - min(counts) <= 1
    again = deal(design, 10, 0)
    assert all(np.array_equal(a.successes, b.successes) for a, b in zip(folds, again, strict=True))
    assert any(not np.array_equal(a.successes, b.successes) for a, b in zip(folds, deal(design, 10, 1), strict=True))


def test_rows_of_fractional_weight_stay_whole():
    rng = np.random.default_rng(0)
    design = bl.Design.from_arrays(rng.standard_normal((30, 1)), np.arange(30) % 2, weights=np.full(30, 0.7))
    for fold in deal(design, 3, 0):
        assert set(np.round(fold.successes + fold.failures, 12)) == {0.0, 0.7}


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(4)
    eta, y, w = np.round(rng.standard_normal(200), 1), rng.integers(0, 2, 200), rng.integers(1, 4, 200).astype(float)
    found = FoldScores.at(eta, w * y, w * (1 - y))
    p = expit(eta)
    assert found.log_loss == pytest.approx(log_loss(y, p, sample_weight=w), rel=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(y, p, sample_weight=w), rel=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(y, p, sample_weight=w), rel=1e-12)  # with ties
    assert FoldScores.of(eta, p, w * y, w * (1 - y)).log_loss == pytest.approx(found.log_loss, rel=1e-12)
    assert np.isnan(auc(eta, w, 0 * w))
    far = FoldScores.at(np.array([800.0]), np.array([0.0]), np.array([1.0]))
    assert far.log_loss == 800.0


def test_as_many_folds_as_rows_is_leave_one_out():
    design = small(50)
    fit = bl.fit(design, prior=bl.Normal(1.5))
    found = bl.cross_validate(design, prior=bl.Normal(1.5), folds=50)
    exact = fit.loo("mode")
    assert found.elpd == pytest.approx(exact.elpd, abs=0.01)
    assert found.se == pytest.approx(exact.se, rel=1e-3)
    assert np.isnan(found.auc)  # one observation a fold has no pairs
    assert found.train_log_loss < found.log_loss


def test_the_prior_is_resolved_anew_in_each_fold():
    design = small(40)
    folds = deal(design, 4, 7)
    found = cross_validate(design, bl.preset("rstanarm"), folds=folds)
    X = np.vstack([block.X.toarray() for block in design.source.blocks()])
    losses = []
    for fold in folds:
        train = bl.fit(fold.train, prior="rstanarm")
        scale = 2.5 / fold.train.column_sds[1]
        assert train.prior.terms[1].parameters["scale"][0] == pytest.approx(scale)
        assert scale != 2.5 / design.column_sds[1]
        eta = X @ train.params.to_numpy()
        losses.append(-(fold.successes @ log_expit(eta) + fold.failures @ log_expit(-eta)))
    assert found.elpd == pytest.approx(-sum(losses), abs=1e-5)
    np.testing.assert_allclose(found.fold_log_loss * found.fold_sizes, losses, atol=1e-5)


def test_the_call_takes_a_formula_and_averages_if_asked(wells):
    at_mode = bl.cross_validate("switch ~ dist100 + arsenic", wells, folds=5, rng=1)
    averaged = bl.cross_validate("switch ~ dist100 + arsenic", wells, folds=5, rng=1, kind="mean")
    assert at_mode.log_loss == pytest.approx(averaged.log_loss, abs=1e-4) and at_mode.log_loss != averaged.log_loss
    assert at_mode.n == 3020
    design, elpd = bl.Design.from_formula("switch ~ dist100 + arsenic", wells), 0.0
    X = np.column_stack([np.ones(3020), wells[["dist100", "arsenic"]]])
    for fold in deal(design, 5, 1):
        eta = X @ bl.fit(fold.train).params.to_numpy()
        elpd += fold.successes @ log_expit(eta) + fold.failures @ log_expit(-eta)
    assert at_mode.elpd == pytest.approx(elpd, abs=1e-4)
    text = str(at_mode)
    assert "resolved anew in each fold" in text and "Brier score" in text and "stratified" in text


def test_a_fold_without_a_mode_says_so():
    x = np.arange(8.0)
    design = bl.Design.from_arrays(x[:, None], [0, 0, 0, 1, 0, 1, 1, 1])
    found = cross_validate(design, bl.Flat(), folds=8)
    assert found.failed and np.isnan(found.log_loss)
    assert "has no mode" in str(found)


def test_one_standard_error_rule():
    scale = np.array([0.1, 0.3, 1.0, 3.0])
    loss, error = np.array([0.70, 0.61, 0.60, 0.62]), np.array([0.02, 0.02, 0.015, 0.02])
    assert one_standard_error(loss, error, scale) == 1
    assert one_standard_error(loss, np.zeros(4), scale) == 2
    assert one_standard_error(np.array([0.6, 0.6, np.nan, 0.6]), np.full(4, np.nan), scale) == 0
    with pytest.raises(bl.ArgumentError, match="no loss is finite"):
        one_standard_error(np.full(2, np.nan), np.ones(2), np.ones(2))


def test_errors_say_what_to_do():
    design = small(12)
    with pytest.raises(bl.ArgumentError, match="at least two folds"):
        bl.cross_validate(design, folds=1)
    with pytest.raises(bl.ArgumentError, match="only 12 observations"):
        bl.cross_validate(design, folds=13)
    with pytest.raises(bl.ArgumentError, match="one Bernoulli copy"):
        bl.cross_validate(design, folds=3, unit="person")
    with pytest.raises(bl.ArgumentError, match="'mode' or the posterior 'mean'"):
        bl.cross_validate(design, folds=3, kind="median")
