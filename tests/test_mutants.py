"""What mutation tests (`make mutants`) found that nothing else noticed; each test says what it would let through."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.firth import firth
from bayeslogit.kernels import THREADS_PAY
from bayeslogit.logistic import expected_expit, logit
from bayeslogit.mode import Road, Status
from bayeslogit.penalties import common
from bayeslogit.resolved import from_description
from bayeslogit.solve import find_mode
from bayeslogit.steps import cholesky_factor
from bayeslogit.target import LogPosterior


def _design(p: int, n: int = 30, seed: int = 3) -> bl.Design:
    rng = np.random.default_rng(seed)
    return bl.Design.from_arrays(rng.standard_normal((n, p)) + 0.5, rng.random(n) < 0.5)


@pytest.mark.parametrize(
    "prior",
    [
        bl.priors(default=bl.Normal(0.7, mean=0.2), intercept=bl.Normal(3.0, mean=-1.0)),
        bl.priors(default=bl.Normal(0.7, mean=0.2)),
        "rstanarm",
        bl.priors(default=bl.StudentT(3, 0.8), intercept=bl.Cauchy(2.0), terms={"x1": bl.Normal(0.5)}),
        bl.priors(default=bl.ElasticNet(l1=0.3, l2=2.0), terms={"x1": bl.StudentT(5, 1.0)}),
        bl.MultivariateNormal(
            mean=[0.5, -1.0, 0.2],
            cov=[[1.0, 0.4, 0.0], [0.4, 2.0, 0.1], [0.0, 0.1, 0.5]],
            columns=["x2", "Intercept", "x1"],
        ),
    ],
    ids=["normal", "flat intercept", "mapped", "heavy", "elastic net", "joint"],
)
def test_scores_at_many_points_are_those_at_each(prior, rng):
    """`scores` is asked by annealing and by criteria only; here it is compared with `slope`, and that with values."""
    design = _design(2)
    resolved = bl.preset(prior).resolve(design) if isinstance(prior, str) else prior.resolve(design)
    target = LogPosterior.of(design, resolved).prior_target
    gammas = rng.standard_normal((5, 3))
    found = target.scores(gammas)
    np.testing.assert_allclose(found, [target.slope(gamma).score for gamma in gammas], rtol=1e-13, atol=1e-14)
    values = [target.slope(gamma).log_density for gamma in gammas]
    np.testing.assert_allclose(target.log_densities(gammas), values, rtol=1e-13)


def test_rows_are_whitened_alike_below_and_above_the_size_where_threads_pay(rng):
    """Large sets of rows go another way; both are ``A H^-1 A'``."""
    root = rng.standard_normal((7, 7)) + 3.0 * np.eye(7)
    information = root @ root.T * np.outer(np.arange(1.0, 8.0), np.arange(1.0, 8.0))
    factor = cholesky_factor(information)
    rows = rng.standard_normal((THREADS_PAY // 7 + 1, 7))
    large, small = factor.whiten_rows(rows), factor.whiten_rows(rows[:50])
    np.testing.assert_allclose(large[:, :50], small, rtol=1e-12)
    np.testing.assert_allclose(small.T @ small, rows[:50] @ np.linalg.solve(information, rows[:50].T), rtol=1e-9)


def test_no_values_have_the_common_value_zero():
    assert common(np.zeros(0)) == 0.0 and common(np.full(3, 0.1)) == pytest.approx(0.1)
    assert common(np.array([1.0, 1.0 + 1e-9])) is None and common(np.array([1.0, 1.0 + 1e-11])) is not None


def test_log_odds_are_double_whatever_comes_in():
    assert logit(np.array([0.1], dtype=np.float32)).dtype == np.float64
    single = np.array([0.3, -2.0], dtype=np.float32), np.array([1.25, 7.0], dtype=np.float32)
    double = single[0].astype(np.float64), single[1].astype(np.float64)
    np.testing.assert_array_equal(expected_expit(*single), expected_expit(*double))


def test_unknown_scales_are_refused_where_they_cannot_be():
    with pytest.raises(bl.PriorError, match="resolved against a design"):
        bl.Hierarchical(1.0).on((1,), ("x1",))
    constant = bl.Design.from_arrays(np.column_stack([np.arange(6.0), np.ones(6)]), [0, 1, 0, 1, 1, 0])
    with pytest.raises(bl.PriorError, match=r"x2 does not vary, so per='sd' has no unit"):
        bl.Hierarchical(1.0, per="sd").resolve(constant)


def test_the_intercept_that_a_joint_prior_does_not_name_is_flat_in_the_record_too():
    """Without a term of its own it would count as proper, and print as nothing."""
    resolved = bl.MultivariateNormal(mean=[0, 0], cov=np.eye(2), columns=["x1", "x2"]).resolve(_design(2))
    assert resolved.flat.tolist() == [True, False, False] and resolved.labels()[0] == "flat"
    assert sorted(j for term in resolved.terms for j in term.columns) == [0, 1, 2]


@pytest.fixture(scope="module")
def tall() -> LogPosterior:
    """Many columns and too few rows for a sub-sample: gradient steps from the null model, and one information."""
    design = _design(64, 5000)
    return LogPosterior.of(design, bl.Normal(1.0).resolve(design))


def test_without_a_sub_sample_the_null_model_is_the_start(tall, monkeypatch):
    """A start that is not found costs four more informations, and no other test counts them."""
    calls: list[str] = []
    for name in ("expand", "slope", "reach", "root", "majorant"):
        real = getattr(LogPosterior, name)
        monkeypatch.setattr(
            LogPosterior, name, lambda *a, _of=real, _name=name, **o: calls.append(_name) or _of(*a, **o)
        )
    mode = find_mode(tall)
    assert mode.road is Road.ONE_INFORMATION and mode.converged and mode.n_sampled == 0
    assert mode.n_hessians == calls.count("expand") <= 3 and mode.n_passes == len(calls)


def test_gradient_steps_that_leave_rows_moving_are_followed_by_newtons(tall, monkeypatch):
    exact = find_mode(tall, road=Road.NEWTON)
    monkeypatch.setattr("bayeslogit.solve.SETTLED", -1.0)
    for covariance in (True, False):
        mode = find_mode(tall, covariance=covariance)
        assert mode.converged and np.max(np.abs(mode.beta - exact.beta)) < 1e-9
        assert mode.n_hessians == 2 + covariance  # at the null model, at the end of the gradients, of the chords


def test_dependent_columns_under_jeffreys_prior_are_named_on_every_road(monkeypatch):
    """Where curvature is dear the search begins at the conjugate mode, which such columns do not have."""
    X = np.random.default_rng(1).standard_normal((40, 3))
    design = bl.Design.from_arrays(np.column_stack([X, X[:, 0] - X[:, 1]]), np.arange(40) % 2)
    target = LogPosterior.of(design, bl.Jeffreys().resolve(design))
    plain = find_mode(target)
    monkeypatch.setattr("bayeslogit.solve.third_derivatives_are_cheap", lambda target: False)
    other = find_mode(target)
    for mode in (plain, other):
        assert mode.status is Status.NOT_POSITIVE_DEFINITE and mode.road is Road.FIRTH and mode.whole is None
    assert "x4" in other.message


def test_a_reduced_mode_that_is_lifted_beside_the_mode_is_not_called_converged(monkeypatch):
    design = _design(60, 20)
    target = LogPosterior.of(design, bl.priors(bl.Normal(1.0), intercept=bl.Normal(1.0)).resolve(design))
    assert find_mode(target).road is Road.WIDE and find_mode(target).converged
    monkeypatch.setattr("bayeslogit.solve._LIFTED", 0.0)
    assert find_mode(target, tol=1e-3).converged
    mode = find_mode(target, tol=1e-18)
    assert mode.status is Status.ITERATION_LIMIT and not mode.converged
    assert "the reduction to the span of the rows" in mode.message and "(asked: 1e-18)" in mode.message


def test_a_flat_slope_that_an_intercept_at_the_means_does_not_meet_leaves_it_proper():
    """The mean of the flat column is zero: the log-odds at the means are without it."""
    X = np.column_stack([[-1.0, 1.0, -2.0, 2.0], [0.0, 1.0, 1.0, 2.0]])
    design = bl.Design.from_arrays(X, [0, 1, 1, 0])
    prior = bl.priors(default=bl.preset("rstanarm"), terms={"x1": bl.Flat()}).resolve(design)
    scale = 2.5 / np.std(X[:, 1], ddof=1)
    np.testing.assert_allclose(prior.variance(), [2.5**2 + scale**2, np.inf, scale**2], rtol=1e-12)
    heavy = bl.priors(default=bl.preset("rstanarm"), terms={"x1": bl.Cauchy(1.0)}).resolve(design)
    np.testing.assert_allclose(heavy.variance(), prior.variance(), rtol=1e-12)


def test_what_scales_were_worked_out_from_comes_back_with_a_prior():
    """A restored prior whose means and sds are lost still has the right density, and prints dashes."""
    made = bl.preset("rstanarm").resolve(_design(2))
    again = from_description(made.columns, made.name, made.notes, made.describe())
    bases = [(one.basis, two.basis) for one, two in zip(made.terms, again.terms, strict=True)]
    assert any(value is not None for one, _ in bases if one is not None for j in range(3) for value in one.of(j)[:2])
    for term, (one, two) in zip(made.terms, bases, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            assert [two.of(j) for j in term.columns] == [one.of(j) for j in term.columns]


@pytest.mark.parametrize(("l1", "l2"), [(0.5, 0.04), (2.0, 0.3), (0.0, 0.5), (0.7, 0.0), (0.3, 1.0)])
def test_an_elastic_net_with_little_curvature_integrates_to_one_and_has_its_variance(l1, l2):
    """Rates of curvature below 1 were in no test."""
    given = {"mean": np.array([0.4]), "l1": np.array([l1]), "l2": np.array([l2])}
    density = DENSITIES["elastic_net"]
    x = 0.4 + np.linspace(-60.0, 60.0, 240_001)
    values = np.exp(density.log_density(x[:, None], **given))
    assert np.trapezoid(values, x) == pytest.approx(1.0, rel=1e-6)
    assert np.trapezoid(values * (x - 0.4) ** 2, x) == pytest.approx(float(density.variance(**given)[0]), rel=1e-5)


@pytest.mark.parametrize(("family", "own"), [("student_t", {"df": np.array([3.5])}), ("cauchy", {})])
def test_the_majorant_of_a_heavy_tail_is_the_slope_of_the_chord_to_its_centre(family, own):
    """A centre of zero and a scale of one hide where they stand in the formula."""
    density, given = DENSITIES[family], {**own, "mean": np.array([0.8]), "scale": np.array([0.6])}
    for at in (-3.0, 0.1, 0.7, 5.0):
        u = np.array([at])
        np.testing.assert_allclose(density.majorant(u, **given), -density.score(u, **given) / (u - 0.8), rtol=1e-13)


def test_a_prior_by_term_names_its_intercept_and_its_terms():
    assert type(bl.priors())() == bl.priors(bl.Flat())
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(2.5), terms={"x1": bl.Laplace(0.5)})
    assert (
        prior.resolve(_design(2)).name == f"{bl.Normal(1.0)!r}; Intercept: {bl.Normal(2.5)!r}; x1: {bl.Laplace(0.5)!r}"
    )


@pytest.mark.parametrize("extra", [None, bl.Normal(0.8)])
def test_what_pseudo_observations_say_at_the_mode_is_their_share_of_the_rows(extra):
    """A trial brings ``p / (2 n)`` pseudo-successes and as many failures; the rest is of the data or another prior."""
    X = np.random.default_rng(5).standard_normal((40, 3))
    design = bl.Design.from_arrays(X, np.arange(40) % 3 == 0, intercept=False)
    whole = bl.DiaconisYlvisaker()
    prior = whole if extra is None else bl.priors(default=whole, terms={"x2": extra})
    mode = find_mode(LogPosterior.of(design, prior.resolve(design)), tol=1e-10)
    mean = 1.0 / (1.0 + np.exp(-X @ mode.beta))
    expected = 3 / 40 * X.T @ (X * (mean * (1.0 - mean))[:, None])
    np.testing.assert_allclose(mode.whole.information, expected, rtol=1e-8)


def test_the_direction_of_a_single_class_goes_with_the_refusal():
    design = bl.Design.from_arrays(np.arange(5.0)[:, None], np.zeros(5))
    mode = find_mode(LogPosterior.of(design, bl.Normal(1.0).resolve(design)))
    assert mode.status is Status.SINGLE_CLASS and mode.recession.complete
    assert mode.recession.direction.tolist() == [-1.0, 0.0]


def test_the_limit_of_steps_holds_in_wide_designs_too():
    design = _design(60, 20)
    target = LogPosterior.of(design, bl.priors(bl.Normal(9.0), intercept=bl.Normal(9.0)).resolve(design))
    mode = find_mode(target, max_iter=1)
    assert mode.status is Status.ITERATION_LIMIT and len(mode.trace) == 2


def test_rows_of_no_weight_reach_nowhere():
    X = np.array([[1.0, 2.0], [0.5, -1.0], [-2.0, 0.3], [900.0, -900.0]])
    design = bl.Design.from_arrays(X, [0, 1, 1, 0], weights=[1.0, 2.0, 1.0, 0.0], intercept=False)
    target = LogPosterior.of(design, bl.Normal(1.0).resolve(design))
    half = np.array([[1.0, 0.2], [0.0, 3.0]])
    longest = max(np.linalg.norm(x @ half) for x in X[:3])
    assert target.longest(half) == pytest.approx(longest, rel=1e-14)
    assert target.longest(1e-3 * half) == pytest.approx(1e-3 * longest, rel=1e-14)
    assert target.reach(half[0]) == pytest.approx(np.max(np.abs(X[:3] @ half[0])), rel=1e-14)


def test_other_modes_are_looked_for_only_where_there_can_be_some(monkeypatch):
    def never(*args):
        raise AssertionError("looked for")

    monkeypatch.setattr("bayeslogit.solve.examined", never)
    design = _design(3, 60)
    for prior, examine in [(bl.Jeffreys(), True), (bl.priors(bl.Jeffreys(), terms={"x1": bl.Cauchy(0.1)}), False)]:
        assert find_mode(LogPosterior.of(design, prior.resolve(design)), examine=examine).converged
    with pytest.raises(AssertionError, match="looked for"):
        find_mode(LogPosterior.of(design, prior.resolve(design)))


@pytest.mark.parametrize("prior", [bl.Jeffreys(), bl.DiaconisYlvisaker()])
def test_without_a_covariance_no_information_is_left(prior):
    design = _design(3, 60)
    mode = find_mode(LogPosterior.of(design, prior.resolve(design)), covariance=False)
    assert mode.converged and mode.factor is None and mode.information is None and mode.whole.information is None


def test_without_a_covariance_no_span_of_rows_is_left():
    design = _design(60, 20)
    target = LogPosterior.of(design, bl.priors(bl.Normal(1.0), intercept=bl.Normal(1.0)).resolve(design))
    assert find_mode(target).subspace is not None and find_mode(target, covariance=False).subspace is None


def test_steady_informations_are_positive_far_out_in_a_heavy_tail():
    rng = np.random.default_rng(6)
    X, offset = rng.standard_normal((30, 3)), rng.standard_normal(30)
    design = bl.Design.from_arrays(X, np.arange(30) % 2, offset=offset, intercept=False)
    target = LogPosterior.of(design, bl.Cauchy(0.01).resolve(design))
    far = np.array([0.3, 0.05, -0.05])
    steady = target.steady(far)
    bend = np.diag(2.0 / (0.01**2 + far**2))
    np.testing.assert_allclose(steady - target.likelihood(far).information, bend, atol=1e-9)
    eta = X @ far + offset
    touching = np.tanh(eta / 2.0) / (2.0 * eta)
    np.testing.assert_allclose(target.majorant(far) - bend, X.T @ (X * touching[:, None]), atol=1e-9)
    assert np.linalg.eigvalsh(steady)[0] > 0.0 > np.linalg.eigvalsh(target.expand(far).information)[0]


@pytest.mark.parametrize("max_iter", [1, 200])
def test_a_search_under_jeffreys_prior_that_begins_at_the_conjugate_mode_counts_both(max_iter, monkeypatch):
    design = _design(3, 60)
    target = LogPosterior.of(design, bl.Jeffreys().resolve(design))
    conjugate = LogPosterior.of(design, bl.DiaconisYlvisaker().resolve(design))
    parts = [find_mode(conjugate, tol=1e-2, max_iter=max_iter)]
    monkeypatch.setattr("bayeslogit.solve.third_derivatives_are_cheap", lambda target: False)
    monkeypatch.setattr("bayeslogit.solve.firth", lambda *a, **o: parts.append(firth(*a, **o)) or parts[-1])
    mode = find_mode(target, max_iter=max_iter)
    assert len(parts) == 2 and all(part.n_hessians > 0 for part in parts)
    assert mode.n_passes == sum(part.n_passes for part in parts)
    assert mode.n_hessians == sum(part.n_hessians for part in parts)


def test_where_curvature_is_dear_firths_road_begins_with_a_sub_sample_and_forms_it_only_where_it_is_wanted():
    design = _design(8, 41_000)
    target = LogPosterior.of(design, bl.Jeffreys().resolve(design))
    full, plain = find_mode(target), find_mode(target, covariance=False)
    assert full.converged and plain.converged and full.n_sampled > 0 and plain.n_sampled > 0
    np.testing.assert_allclose(plain.beta, full.beta, atol=1e-7)
    assert plain.n_passes < full.n_passes


def test_gradient_steps_that_have_not_arrived_are_followed_by_newtons(tall, monkeypatch):
    exact = find_mode(tall, road=Road.NEWTON)
    monkeypatch.setattr("bayeslogit.solve._MOST_GRADIENTS", 1)
    monkeypatch.setattr("bayeslogit.solve.SETTLED", np.inf)
    mode = find_mode(tall, covariance=False)
    assert mode.converged and np.max(np.abs(mode.beta - exact.beta)) < 1e-9


def test_standard_errors_are_those_at_the_end_of_the_chords(tall, monkeypatch):
    """Gradient steps that stop half a standard error away leave an information that is no longer that of the mode."""
    exact, slopes, slope = find_mode(tall, road=Road.NEWTON, tol=1e-9), [], LogPosterior.slope
    monkeypatch.setattr(LogPosterior, "slope", lambda self, gamma: slopes.append(gamma) or slope(self, gamma))
    mode = find_mode(tall, tol=0.9)
    assert mode.road is Road.ONE_INFORMATION and mode.n_hessians == 3
    assert np.max(np.abs(mode.beta - exact.beta)) < 1e-12
    np.testing.assert_allclose(mode.factor.inverse, exact.factor.inverse, rtol=1e-5, atol=1e-9)
    assert len(mode.trace) == len(slopes)  # the first begins the search, each of the others is a step


def test_another_look_for_modes_begins_where_it_is_told(monkeypatch):
    """Newton's road, not that of a sub-sample, which would begin elsewhere."""
    design = _design(8, 40_000)
    target = LogPosterior.of(design, bl.StudentT(3, 1.0).resolve(design))
    monkeypatch.setattr("bayeslogit.solve.needs_examining", lambda target: True)
    monkeypatch.setattr("bayeslogit.solve.examined", lambda target, found, gamma, walk: walk(target, gamma))
    assert find_mode(target, examine=False).road is Road.SAMPLE_THEN_NEWTON
    assert find_mode(target).road is Road.NEWTON


def test_few_passes_keep_newtons_road_where_it_is_the_roads_own():
    design = _design(3, 60)
    assert find_mode(LogPosterior.of(design, bl.Normal(1.0).resolve(design)), passes=2).road is Road.NEWTON


def test_only_small_data_are_held_as_one_block(monkeypatch):
    design = _design(3, 60)
    resolved = bl.Jeffreys().resolve(design)
    assert LogPosterior.of(design, resolved).one_block is not None
    monkeypatch.setattr("bayeslogit.target._SMALL", 100)
    assert LogPosterior.of(design, resolved).one_block is None


def test_jeffreys_density_is_zero_where_columns_depend_and_right_where_they_nearly_do():
    X, noise = np.random.default_rng(8).standard_normal((30, 3)), np.random.default_rng(9).standard_normal(30)
    dependent = np.column_stack([X, X[:, 0] - X[:, 1]])
    nearly = np.column_stack([X, X[:, 0] + 1e-7 * noise])
    at = np.array([0.2, -0.1, 0.3, 0.1])
    for rows, singular in ((dependent, True), (nearly, False)):
        design = bl.Design.from_arrays(rows, np.arange(30) % 2, intercept=False)
        target = LogPosterior.of(design, bl.Jeffreys().resolve(design))
        slope, data = target.slope(at), target.likelihood(at)
        if singular:
            assert slope.log_density == -np.inf
            np.testing.assert_allclose(slope.score, data.score)
        else:
            mean = 1.0 / (1.0 + np.exp(-rows @ at))
            R = np.linalg.qr(np.sqrt(mean * (1.0 - mean))[:, None] * rows, mode="r")
            expected = np.sum(np.log(np.abs(np.diag(R))))
            assert slope.log_density - data.log_density == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("passes", [2, 3])
def test_a_search_of_few_passes_counts_them(passes, monkeypatch):
    design = _design(8, 40_000)
    target, calls = LogPosterior.of(design, bl.Normal(1.0).resolve(design)), []
    for name in ("expand", "slope", "reach", "root", "majorant"):
        real = getattr(LogPosterior, name)

        def counted(self, *args, _real=real, _name=name, **options):
            if self.design is design:
                calls.append(_name)
            return _real(self, *args, **options)

        monkeypatch.setattr(LogPosterior, name, counted)
    mode = find_mode(target, passes=passes)
    assert mode.road is Road.SAMPLE_THEN_NEWTON and mode.n_sampled > 0
    assert mode.n_passes == len(calls) <= passes and mode.n_hessians == calls.count("expand")
