"""The examples run, say what they promise, and arrive where they say they do."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import bayeslogit as bl

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Each example, run once: its names, what it printed and the folder it wrote to."""
    kept = {}

    def once(name):
        if name not in kept:
            folder, printed = tmp_path_factory.mktemp(name), io.StringIO()
            with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
                patch.chdir(folder)
                patch.setattr(sys, "argv", [f"{name}.py", str(folder / "pages")])
                names = runpy.run_path(str(EXAMPLES / f"{name}.py"))
            kept[name] = names, printed.getvalue(), folder / "pages"
        return kept[name]

    return once


@pytest.mark.parametrize("name", SCRIPTS)
def test_examples_run(name, ran):
    names, out, folder = ran(name)
    assert out and re.match(r"\S.*[.?]\n", names["__doc__"])
    if name not in {"weight_decay", "lasso_is_a_prior"}:
        page = folder / f"{name}.html"
        assert f"Report: {page}\n" in out
        text = page.read_text(encoding="utf-8")
        assert f"examples/{name}.py" in text or name == "choose_scale"
        assert not re.search(r'<script|(src|href)="(?!#|data:)', text)


def test_every_example_is_short_and_listed():
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f"`{script.name}`" in listed
        assert len(script.read_text(encoding="utf-8").splitlines()) < 60


def test_wells_a_weak_prior_is_as_good_as_none_and_a_tight_one_is_not(ran):
    _, out, _ = ran("wells")
    found = {
        m[1]: (float(m[2]), float(m[3])) for m in re.finditer(r"^(\w+) +dist100: .*? ([\d.]+), .* ([\d.]+)%", out, re.M)
    }
    assert found["flat"][0] == found["weak"][0] == pytest.approx(0.408, abs=5e-4)
    assert found["weak"][1] < 1.0 and found["tight"][0] > 0.6 and 40.0 < found["tight"][1] < 60.0


def test_diabetes_leave_one_out_keeps_its_promise(ran):
    names, _, _ = ran("diabetes")
    assert len(names["train"]) == 200 and len(names["test"]) == 332
    assert abs(names["promised"] - names["log_score"].mean()) < 2.0 * names["error"]
    # Of the two women, one with diabetes and one without, the model tells which is which five times in six.
    had = names["had"] == 1.0
    pairs = names["probability"][had][:, None] - names["probability"][~had][None, :]
    assert np.mean(pairs > 0.0) > 0.83


def test_birth_weight_the_doubters_prior_is_the_one_elicited(ran):
    names, out, _ = ran("birth_weight")
    from scipy.stats import norm

    assert names["doubt"].scale == pytest.approx(np.log(5.0) / norm.ppf(0.975), rel=1e-12)
    variance = names["fit"].prior.variance()
    columns = names["fit"].params.index
    assert all(
        variance[columns.get_loc(name)] == names["doubt"].scale ** 2 for name in ("smoke", "labours", "ht", "ui")
    )
    assert "white to black" in out and "white to other" in out


def test_admissions_the_sign_turns_within_departments(ran):
    names, out, _ = ran("admissions")
    together, within = (names[key].params["gender[T.male]"] for key in ("together", "within"))
    # Bickel and others (1975): 44 % of men, 35 % of women; the crude odds ratio of the table is exact.
    crude = np.log((1198 / 1493) / (557 / 1278))
    assert together == pytest.approx(crude, abs=2e-3) and within < 0.0
    assert "+14.2 percentage points" in out and "-1.9 percentage points" in out


def test_separation_is_found_and_each_way_out_is_finite(ran):
    names, out, _ = ran("separation")
    trial = names["trial"]
    assert trial.loc[trial["drug"] == 1, "ill"].sum() == 0 < trial["ill"].sum()
    found = bl.separation(names["design"])
    assert found.verdict == "quasi-complete" and found.columns == ("drug",)
    assert "No finite mode" in out
    for fit in names["fits"].values():
        assert fit.converged and np.isfinite(fit.conf_int(kind="profile").loc["drug"]).all()
        assert fit.params["drug"] < 0.0


def test_choose_scale_ends_at_the_least_error_between_too_narrow_and_too_wide(ran):
    names, out, folder = ran("choose_scale")
    assert "agree" in out
    known, axis = names["known"], names["axis"]
    np.testing.assert_allclose(known.bias2 + known.variance, known.error, rtol=1e-10)
    assert known.bias2[-1] < 0.02 * known.bias2[0] and np.all(np.diff(known.variance) > 0.0)
    assert known.at_boundary is None
    loss = axis.statistics
    assert np.all(np.diff(loss["train_log_loss"]) < 1e-6) and loss["cv_log_loss"].idxmin() < loss.index[-1]
    # The scale that evidence chose is about that of least error where its own estimates are the truth.
    assert 0.3 < names["chosen"].scale / known.scale < 3.0
    # What was believed and C = 1 move no conclusion, and the walk says so; it takes thirty lines.
    assert "No 95 % interval excludes zero under one prior and not under another." in out
    page = (folder / "choose_scale.html").read_text(encoding="utf-8")
    for title in (
        "What the prior says of the odds ratio",
        "Criteria along the prior scale",
        "Bias, variance and error",
    ):
        assert title in page
    code = (EXAMPLES / "choose_scale.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    assert sum(bool(line) and not line.startswith("#") for line in code.splitlines()) <= 30


def test_many_columns_the_chosen_lasso_predicts_best(ran):
    _, out, _ = ran("many_columns")
    loss = [float(found) for found in re.findall(r"^(?:normal|lasso).*? +(0\.\d+) +gene", out, re.M)]
    assert len(loss) == 3 and loss[2] < 0.6 < loss[1] < 0.7 < loss[0]
    assert "complete separation" in out


def test_from_scikit_learn_the_mode_is_theirs(ran):
    names, _, _ = ran("from_scikit_learn")
    distance = (names["theirs"] - names["fit"].params.to_numpy()[1:]) / names["fit"].bse.to_numpy()[1:]
    assert np.max(np.abs(distance)) < 5e-3


def test_weight_decay_arrives_at_the_mode(ran):
    names, out, _ = ran("weight_decay")
    assert names["distance"] < 1e-6
    assert f"distance: {names['distance']:.1e} posterior sd" in out and "Certified" in out
    # The prior is that of the decay on sums: sd = 1 / sqrt(n decay), on the bias too.
    assert names["prior"] == bl.Normal(1.0 / np.sqrt(3020 * 0.01))
    np.testing.assert_allclose(names["fit"].prior.variance(), 1.0 / 30.2, rtol=1e-14)


def test_weight_decay_with_half_the_steps_of_nothing_is_far_away(ran):
    # The distance measures something: before training it is dozens of sds.
    names, _, _ = ran("weight_decay")
    start = names["train"](names["X"], names["y"], names["decay"], steps=0)
    gap = start - names["fit"].params.to_numpy()
    assert np.sqrt(gap @ np.linalg.solve(names["fit"].cov_params().to_numpy(), gap)) > 10.0
    # Another decay is another prior: its optimum is not ours.
    other = names["train"](names["X"], names["y"], 2.0 * names["decay"], steps=3000) - names["fit"].params.to_numpy()
    assert np.sqrt(other @ np.linalg.solve(names["fit"].cov_params().to_numpy(), other)) > 0.5


def test_the_lasso_holds_its_zeros_by_the_prior_alone(ran):
    names, out, _ = ran("lasso_is_a_prior")
    assert names["violation"] < 1e-9 and f"{names['violation']:.1e}" in out
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression(l1_ratio=1.0, C=0.03, solver="saga", tol=1e-12, max_iter=100_000, random_state=0)
    theirs = model.fit(names["X"], names["y"]).coef_[0]
    ours = bl.fit(names["design"], prior=bl.Laplace(0.03), tol=1e-10).params.to_numpy()[1:]
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    assert (ours == 0.0).sum() == 2 and np.array_equal(ours == 0.0, theirs == 0.0)
