"""How strong the prior should be: evidence, leave-one-out, cross-validation along an axis of scales, and their average.

References are dense integrals and brute-force refits written out here; they share only `bl.fit`.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import halfnorm, norm, t

import bayeslogit as bl
from bayeslogit.scale_average import mix, scores
from bayeslogit.scale_curves import Hermite
from bayeslogit.scale_evidence import Sampler, moving, stretch


def simulated(n, p, sd, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (rng.random(n) < expit(X @ rng.normal(size=p) * sd)).astype(float)
    return X, y, bl.Design.from_arrays(X, y)


def log_likelihood(X, y, points):
    eta = points @ X.T
    return (y * eta - np.logaddexp(0.0, eta)).sum(axis=1)


class Dense:
    """Posterior of an intercept with prior N(0, 1) and one slope, on a lattice, at any scale of the slope's prior."""

    def __init__(self, x, y, family):
        self.a, self.b = np.linspace(-4.0, 4.0, 81), np.linspace(-6.0, 6.0, 2401)
        A, B = np.meshgrid(self.a, self.b, indexing="ij")
        X = np.column_stack([np.ones(x.size), x])
        value = np.array([log_likelihood(X, y, np.column_stack(pair)) for pair in zip(A, B, strict=True)])
        value += norm.logpdf(A)
        self.marginal = logsumexp(value, axis=0) + np.log(self.a[1] - self.a[0])
        self.unit = 1.0 / x.std(ddof=1)
        self.log_prior = {
            "normal": lambda u: norm.logpdf(u),
            "laplace": lambda u: -np.abs(u) - np.log(2.0),
        }[family]

    def joint(self, c):
        s = c * self.unit
        return self.marginal + self.log_prior(self.b / s) - np.log(s) + np.log(self.b[1] - self.b[0])

    def log_evidence(self, c):
        return float(logsumexp(self.joint(c)))


FAMILIES = {"normal": bl.Normal(1.0), "laplace": bl.Laplace(1.0)}


@pytest.fixture(scope="module")
def one_slope():
    rng = np.random.default_rng(4)
    x = rng.normal(size=60) * 2.0
    return x, (rng.random(60) < expit(0.3 + 0.5 * x)).astype(float)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_evidence_curve_and_its_optimum_are_those_of_dense_integration(one_slope, family):
    x, y = one_slope
    dense = Dense(x, y, family)
    prior = bl.priors(default=FAMILIES[family], intercept=bl.Normal(1.0))
    choice = bl.choose_scale(bl.Design.from_arrays(x[:, None], y), prior=prior)
    near = choice.scales > 0.05  # below, the lattice is too coarse for the prior
    exact = np.array([dense.log_evidence(c) for c in choice.scales[near]])
    np.testing.assert_array_less(np.abs(choice.values[near] - exact), np.maximum(4.0 * choice.errors[near], 2e-4))
    fine = np.geomspace(0.05, 30.0, 1501)
    curve = np.array([dense.log_evidence(c) for c in fine])
    best = fine[np.argmax(curve)]
    assert choice.at_boundary is None and "maximised" in choice.criterion
    assert abs(np.log(choice.scale / best)) < 4.0 * choice.scale_mcse + 0.01
    above = fine[curve > curve.max() - 1.92]
    assert choice.uncertainty[0] == pytest.approx(above[0], rel=0.01)  # a step of the fine grid is 0.4 %
    assert choice.uncertainty[1] == pytest.approx(above[-1], rel=0.01)


def test_fishers_identity_gives_the_slope_of_the_evidence():
    _, _, design = simulated(150, 4, 0.7, 2)
    for prior in (bl.Normal(1.0), bl.Laplace(1.0), bl.StudentT(4, 1.0), bl.ElasticNet(l1=1.0, l2=1.0)):
        from bayeslogit.multiples import Base

        resolved = prior.resolve(design)
        sampler = Sampler(design, resolved, Base.of(design, resolved, None), 0)
        low, middle, high = (sampler.at(0.6 * np.exp(step)) for step in (-0.1, 0.0, 0.1))
        difference = (high.log_evidence - low.log_evidence) / 0.2
        error = np.hypot(high.se, low.se) / 0.2
        assert abs(middle.slope - difference) < 4.0 * np.hypot(middle.slope_se, error) + 0.01


@pytest.mark.parametrize(
    "prior",
    [
        bl.Normal(1.0, mean=0.4),
        bl.Laplace(0.7, mean=-0.2),
        bl.StudentT(3, 1.2),
        bl.Cauchy(0.5),
        bl.ElasticNet(l1=0.8, l2=1.7),
        bl.GroupLaplace(0.6),
        bl.MultivariateNormal(mean=[0.1, 0.2, -0.3], cov=np.eye(3) + 0.4, columns=["x1", "x2", "x3"]),
    ],
    ids=repr,
)
def test_stretching_a_prior_changes_its_log_density_as_finite_differences_say(prior):
    from bayeslogit.multiples import Base

    _, _, design = simulated(30, 3, 0.5, 0)
    resolved = prior.resolve(design)
    base = Base.of(design, resolved, "raw")
    points = np.random.default_rng(1).normal(size=(5, 4))

    def density(c):
        terms = moving(base.multiple(resolved, c))
        return np.array([sum(float(term.log_density(point)) for term in terms) for point in points])

    step = 1e-5
    expected = (density(np.exp(step)) - density(np.exp(-step))) / (2.0 * step)
    found = sum(stretch(term)(points) for term in moving(base.multiple(resolved, 1.0)))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_the_loo_optimum_is_that_of_refits_without_each_row():
    X, y, design = simulated(40, 3, 0.8, 3)
    scales = np.geomspace(0.1, 2.0, 6)
    choice = bl.choose_scale(design, prior=bl.Normal, by="loo", kind="mode", scales=scales)
    brute = []
    for c in scales:
        s = c / X.std(axis=0, ddof=1)
        terms = {f"x{j + 1}": bl.Normal(s[j]) for j in range(3)}
        total = 0.0
        for i in range(40):
            keep = np.arange(40) != i
            fit = bl.fit(bl.Design.from_arrays(X[keep], y[keep]), prior=bl.priors(terms=terms))
            eta = fit.params.to_numpy() @ np.r_[1.0, X[i]]
            total += y[i] * eta - np.logaddexp(0.0, eta)
        brute.append(total)
    np.testing.assert_allclose(choice.values, brute, atol=0.01)
    assert choice.scale == scales[np.argmax(brute)]


def test_cross_validation_is_fixed_by_rng_and_agrees_with_cross_validate():
    _, _, design = simulated(120, 4, 0.7, 5)
    first, again, other = (
        bl.choose_scale(design, prior=bl.Laplace, by="cv", folds=5, rng=seed, scales=7) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.values, again.values)
    assert np.any(first.values != other.values)
    for k in (0, 3, 6):
        prior = bl.path(design, prior=bl.Laplace, scales=[first.scales[k]]).prior_at(first.scales[k])
        assert first.values[k] == pytest.approx(
            bl.cross_validate(design, prior=prior, folds=5, rng=1).log_loss, abs=1e-6
        )
    narrow = bl.choose_scale(design, prior=bl.Laplace, by="cv", folds=5, rng=1, scales=7, rule="one-se")
    assert narrow.scale == first.one_standard_error <= first.scale
    k = list(first.scales).index(narrow.scale)
    best = int(np.argmin(first.values))
    assert first.values[k] <= first.values[best] + first.errors[best]
    assert k == 0 or first.values[k - 1] > first.values[best] + first.errors[best]


def test_noise_wants_scale_zero_and_separated_data_none():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(80, 3))
    y = np.tile([0.0, 1.0], 40)
    # Take the outcome's share out of the columns: no association is left, in first order.
    X -= np.outer(y - 0.5, (y - 0.5) @ X / 20.0)
    noise = bl.Design.from_arrays(X, y)
    for by in ("evidence", "loo", "cv"):
        choice = bl.choose_scale(noise, prior=bl.Normal, by=by)
        assert choice.at_boundary == "zero" and "scale zero" in choice.words, by
        assert choice.uncertainty[0] == 0.0
    assert bl.choose_scales(noise).at_boundary == {"x1": "zero", "x2": "zero", "x3": "zero"}
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    separated = bl.Design.from_arrays(x[:, None], (x > 0.0).astype(float))
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(1.0))
    choice = bl.choose_scale(separated, prior=prior, scales=[0.5, 2.0, 8.0])
    assert choice.at_boundary == "highest given" and choice.uncertainty[1] == np.inf
    assert bl.choose_scale(separated, prior=prior, by="loo", kind="mode", scales=9).at_boundary == "infinity"


def test_scales_of_groups_solve_the_fixed_point_and_beat_a_common_scale():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(300, 6))
    beta = np.array([0.1, -0.1, 0.05, 1.5, -1.2, 2.0])
    design = bl.Design.from_arrays(X, (rng.random(300) < expit(X @ beta)).astype(float))
    groups = {"weak": ["x1", "x2", "x3"], "strong": ["x4", "x5", "x6"]}
    choice = bl.choose_scales(design, prior=bl.Normal, groups=groups)
    found = choice.found
    assert found.level == "certified" and np.all(np.abs(found.slope) < 4.0 * found.slope_se + 0.02)
    assert choice.scales["weak"] < 0.3 < 0.8 < choice.scales["strong"]
    fit = bl.fit(design, prior=choice.prior)
    draws = fit.sample(method="importance", rng=1)
    second = np.square(draws.sd) + np.square(draws.mean)
    scale = np.sqrt(fit.prior.variance())
    for name, own in groups.items():
        # tau^2 = E |b|^2 / d in base units, up to the width of the Newton step.
        ratio = np.mean([second[c] / scale[fit.params.index.get_loc(c)] ** 2 for c in own])
        assert ratio == pytest.approx(1.0, abs=0.005), name
    common = bl.choose_scale(design, prior=bl.Normal)
    assert choice.log_evidence > common.value + 1.0
    one = bl.choose_scales(design, prior=bl.Normal, groups={"all": [f"x{j}" for j in range(1, 7)]})
    assert np.log(one.scales["all"] / common.scale) == pytest.approx(0.0, abs=0.003)
    assert one.log_evidence == pytest.approx(common.value, abs=0.01)


def test_a_laplace_prior_has_group_scales_too():
    _, _, design = simulated(200, 4, 0.8, 6)
    one = bl.choose_scales(design, prior=bl.Laplace, groups={"all": ["x1", "x2", "x3", "x4"]})
    common = bl.choose_scale(design, prior=bl.Laplace)
    assert np.log(one.scales["all"] / common.scale) == pytest.approx(0.0, abs=0.004)
    assert {term.family for term in bl.fit(design, prior=one.prior).prior.terms} == {"flat", "laplace"}


@pytest.mark.parametrize(
    ("hyperprior", "density"),
    [
        (bl.HalfNormal(0.8), halfnorm(scale=0.8).logpdf),
        (bl.HalfT(3, 1.0), lambda c: np.log(2.0) + t(3).logpdf(c)),
    ],
    ids=["half-normal", "half-t"],
)
def test_averaged_intervals_are_those_of_dense_integration_over_scale_and_slope(one_slope, hyperprior, density):
    x, y = one_slope
    np.testing.assert_allclose(hyperprior.log_density(np.array([0.3, 2.0])), density(np.array([0.3, 2.0])))
    dense = Dense(x, y, "normal")
    logs = np.linspace(np.log(0.02), np.log(60.0), 400)
    joint = np.array([dense.joint(np.exp(v)) + density(np.exp(v)) + v for v in logs]) + np.log(logs[1] - logs[0])
    posterior = np.exp(logsumexp(joint, axis=0) - logsumexp(joint))
    mean = float(posterior @ dense.b)
    sd = float(np.sqrt(posterior @ np.square(dense.b - mean)))
    below = np.cumsum(posterior) - 0.5 * posterior
    ends = np.interp([0.025, 0.975], below, dense.b)
    prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(1.0))
    found = bl.average_scales(bl.Design.from_arrays(x[:, None], y), prior=prior, hyperprior=hyperprior)
    assert found.log_evidence == pytest.approx(float(logsumexp(joint)), abs=0.01)
    assert found.mean["x1"] == pytest.approx(mean, abs=0.01 * sd)
    assert found.sd["x1"] == pytest.approx(sd, rel=0.01)
    np.testing.assert_allclose(found.conf_int().loc["x1"], ends, atol=0.02 * sd)
    assert found.weight.sum() == pytest.approx(1.0) and found.wider[1] > 1.0


def test_a_mixture_of_normals_has_the_quantiles_of_a_mixture_of_normals():
    weight, mean, sd = np.array([0.2, 0.5, 0.3]), np.array([-1.0, 0.0, 2.0]), np.array([0.1, 1.0, 3.0])
    table = mean[:, None, None] + sd[:, None, None] * norm.ppf(scores())[None, :, None]
    found = mix(weight, mean[:, None], sd[:, None], table, [0.5, 0.025, 0.975])
    for value, prob in ((found.median[0], 0.5), (found.lower[0], 0.025), (found.upper[0], 0.975)):
        assert weight @ norm.cdf((value - mean) / sd) == pytest.approx(prob, abs=1e-6)
    assert found.mean[0] == pytest.approx(0.4)
    assert found.sd[0] ** 2 == pytest.approx(weight @ (sd**2 + mean**2) - 0.16)


def test_the_curve_between_points_is_a_cubic_with_their_slopes():
    x = np.array([-1.0, 0.0, 2.0])
    curve = Hermite(x, x**3 - 2.0 * x, 3.0 * x**2 - 2.0)
    at = np.linspace(-1.0, 2.0, 50)
    np.testing.assert_allclose(curve(at), at**3 - 2.0 * at, atol=1e-12)
    hill = Hermite(x, -((x - 0.3) ** 2), -2.0 * (x - 0.3))
    assert hill.top() == pytest.approx((0.3, 0.0), abs=1e-6)
    assert hill.within(0.25) == pytest.approx((-0.2, 0.8), abs=1e-4)


def test_the_axis_shows_every_criterion_and_says_whether_they_agree():
    _, _, design = simulated(150, 3, 0.8, 9)
    axis = bl.scale_axis(design, prior=bl.Normal, scales=7, folds=5, rng=3)
    assert set(axis.best) == {"evidence", "loo", "cv", "brier", "auc"}
    alone = bl.choose_scale(design, prior=bl.Normal, by="loo", scales=7, rng=3)
    np.testing.assert_allclose(axis.statistics["elpd_loo"], alone.values, atol=1e-9)
    assert np.all(np.diff(axis.effective) > 0.0)
    assert np.isfinite(axis.log_evidence[:7]).all()
    words = str(axis.optima())
    assert "agree" in words and "CV log loss" in words
    assert axis.figure().svg().startswith("<svg") and axis.choices["cv"].figure().svg().startswith("<svg")


def rare(events):
    X = np.random.default_rng(1).normal(size=(40, 2))
    return bl.Design.from_arrays(X, np.isin(np.arange(40), events).astype(float))


def test_a_criterion_that_does_not_exist_leaves_the_others_on_the_axis():
    design = rare([7])  # without its only event the flat intercept has nothing to hold it
    axis = bl.scale_axis(design, prior=bl.Normal, scales=[0.5, 1.0, 4.0], folds=2, rng=1)
    assert axis.loo is None and axis.cv is None and set(axis.choices) == set(axis.best) == {"evidence"}
    assert axis.lost["loo"].startswith("the posterior without row 7 is improper at scale 0.5, so that its log score")
    assert axis.lost["cv"].startswith("in one of 2 folds, at scale 0.5 there is no mode.")
    alone = bl.choose_scale(design, prior=bl.Normal, scales=[0.5, 1.0, 4.0], rng=1)
    np.testing.assert_allclose(axis.log_evidence, alone.values, atol=1e-9)
    assert np.isfinite(axis.effective).all() and axis.statistics["elpd_loo"].isna().all()
    assert axis.table().rows[0][3:8] == pytest.approx([np.nan] * 5, nan_ok=True)
    words = " ".join(str(axis).split())
    assert words.count("No leave-one-out: the posterior without row 7 is improper") == 2
    assert words.count("No cross-validation: in one of 2 folds") == 2 and list(axis.curves) == ["evidence"]
    assert axis.figure().svg().startswith("<svg") and repr(axis).startswith("<ScaleAxis: 3 scales; best evidence")
    with pytest.raises(bl.ArgumentError, match="there is no cross-validation to show: in one of 2 folds"):
        bl.plot.train_test(axis)
    for by, words in (("loo", "Leave-one-out: the posterior without row 7"), ("cv", "Cross-validation: in one of")):
        with pytest.raises(bl.FitError, match=words):
            bl.choose_scale(design, prior=bl.Normal, by=by, scales=[0.5, 1.0, 4.0], folds=2)


def test_what_is_improper_is_said_once_and_cross_validation_stands_alone():
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    separated = bl.Design.from_arrays(x[:, None], (x > 0.0).astype(float))
    with pytest.raises(
        bl.FitError, match=r"^At scale 1 the posterior is improper: Intercept, x1 together separate"
    ) as caught:
        bl.choose_scale(separated, prior=bl.Cauchy(1), scales=[1.0, 2.0])
    assert str(caught.value).count("improper") == 1 and str(caught.value).endswith("make up for it.")
    axis = bl.scale_axis(separated, prior=bl.Cauchy(1), scales=[1.0, 2.0], folds=3, rng=1)
    assert set(axis.choices) == {"cv"} and list(axis.lost) == ["evidence", "loo"]
    assert axis.lost["evidence"] == str(caught.value) and axis.in_words.startswith("No evidence: At scale 1")
    assert np.isnan(axis.log_evidence).all() and np.isfinite(axis.statistics["cv_log_loss"]).all()
    assert bl.plot.train_test(axis) is not None


def test_an_axis_without_evidence_has_the_rest_and_one_without_any_criterion_is_refused():
    x, y = np.repeat([0.0, 1.0], [10, 5]), np.r_[[0.0, 1.0] * 5, np.ones(5)]
    design = bl.Design.from_arrays(np.column_stack([x, np.cos(np.arange(15))]), y)
    axis = bl.scale_axis(design, prior=bl.Cauchy(1), scales=[0.5, 2.0], folds=3, rng=1, kind="mode")
    assert axis.lost == {
        "evidence": "at no two scales is the Monte-Carlo error of the log evidence known. Use by='loo' or by='cv'."
    }
    assert set(axis.best) == {"loo", "cv", "brier", "auc"} and axis.notes[0].startswith("No evidence: at no two")
    with pytest.raises(
        bl.FitError, match=r"^At scale 0\.5 there is no mode\. No finite mode: every observation is a fail"
    ):
        bl.scale_axis(rare([]), prior=bl.Normal, scales=[0.5, 1.0], folds=2)


def test_estimates_that_run_off_without_a_row_leave_no_leave_one_out_of_the_mode_to_choose_by():
    # x separates all rows but the tenth; without it the flat slope has no finite mode at any scale of z's prior.
    x = np.r_[np.linspace(-2.0, -0.4, 9), 0.5, np.linspace(0.2, 2.0, 10)]
    design = bl.Design.from_arrays(np.column_stack([x, np.cos(np.arange(20))]), np.repeat([0.0, 1.0], 10))
    prior = bl.priors(default=bl.Normal(1), terms={"x1": bl.Flat()})
    with pytest.raises(
        bl.FitError, match=r"at scale .* some observation has a log score of minus infinity, as the est"
    ):
        bl.choose_scale(design, prior=prior, scales=4, by="loo", kind="mode")


def test_the_chosen_prior_fits_and_says_that_its_evidence_is_maximised():
    _, _, design = simulated(150, 3, 0.8, 9)
    choice = bl.choose_scale(design, prior=bl.Normal)
    fit = bl.fit(design, prior=choice.prior)
    np.testing.assert_allclose(np.sqrt(fit.prior.variance()[1:]), choice.scale / design.column_sds[1:])
    assert any("maximised" in note for note in fit.prior.notes) and "maximised" in str(fit.summary())
    assert fit.sample(method="importance", rng=2).log_evidence == pytest.approx(choice.value, abs=0.01)
    other = bl.fit(design, prior=bl.Normal(1.0))
    assert "maximised" in str(bl.compare({"tuned": fit, "plain": other}).bayes_factors)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda d: bl.choose_scale(d, prior=bl.Flat()), bl.ArgumentError, "no term of this prior has a scale"),
        (lambda d: bl.choose_scales(d, prior=bl.Flat()), bl.ArgumentError, "no term of this prior has a scale"),
        (lambda d: bl.choose_scale(d, by="aic"), bl.ArgumentError, "'evidence', 'loo' or 'cv'"),
        (lambda d: bl.choose_scale(d, rule="one-se"), bl.ArgumentError, "goes with by='cv'"),
        (lambda d: bl.choose_scale(d, scales=[-1.0, 2.0]), bl.ArgumentError, "positive numbers"),
        (lambda d: bl.choose_scale(d, scales=2), bl.ArgumentError, "give 3 to"),
        (lambda d: bl.choose_scales(d, groups={"a": ["x9"]}), bl.PriorError, "x9"),
        (lambda d: bl.choose_scales(d, groups={"a": ["x1"], "b": ["x1"]}), bl.ArgumentError, "two groups"),
        (
            lambda d: bl.choose_scales(
                d, prior=bl.MultivariateNormal(mean=[0, 0], cov=np.eye(2), columns=["x1", "x2"])
            ),
            bl.ArgumentError,
            "groups have scales of their own",
        ),
        (lambda d: bl.HalfT(0, 1), bl.PriorError, "df must be a positive"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_to_do(call, error, words):
    _, _, design = simulated(40, 2, 0.5, 1)
    with pytest.raises(error, match=words):
        call(design)


def test_the_axis_ends_where_separated_outcomes_have_decided_it():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 3))
    y = (X @ [1.0, 0.5, 0.0] > 0.0).astype(float)
    free = bl.choose_scale(bl.Design.from_arrays(X, y), prior=bl.Normal)
    # With a flat intercept the evidence grows in the end as the scale itself: one look beyond the axis is enough.
    assert free.at_boundary == "infinity"
    assert free.scales[-1] / free.scales[-2] == pytest.approx(10.0**0.5)
    assert free.scales[-2] / free.scales[-3] == pytest.approx(free.scales[1] / free.scales[0])
    assert free.points[-1].slope > 2.0 * free.points[-1].slope_se
    # With a proper one it tends to the prior's chance of a plane between them, and the axis goes on until it is level.
    held = bl.choose_scale(
        bl.Design.from_arrays(X, y), prior=bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(2.0)), scales=None
    )
    assert held.at_boundary != "infinity" or held.scales.size > free.scales.size
