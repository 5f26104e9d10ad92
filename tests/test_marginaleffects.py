"""The bridge to the package marginaleffects: its guard, its coding, and, where it is installed, its numbers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import bayeslogit as bl
from bayeslogit import marginaleffects_export as bridge


@pytest.fixture(scope="module")
def births():
    data = bl.datasets.load("lbw")
    return data.assign(ptl=data.ptl.clip(upper=2), shift=data.age / 30.0)


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ({}, "marginaleffects is not installed: pip install 'marginaleffects>=0.5' 'polars<2'"),
        ({"marginaleffects": "0.6.1"}, "polars is not installed"),
        ({"marginaleffects": "0.4.0", "polars": "1.44.2"}, "marginaleffects 0.4.0 is too old"),
        ({"marginaleffects": "0.6.1", "polars": "2.1.0"}, "marginaleffects 0.6.1 fails on every column of floats with"),
        ({"marginaleffects": "0.6.1", "polars": "1.44.2"}, None),
        ({"marginaleffects": "0.6.2", "polars": "2.1.0"}, None),
        ({"marginaleffects": "0.7.0rc1", "polars": "3.0.0b2"}, None),
    ],
)
def test_it_says_what_to_install(installed, words, monkeypatch, births):
    def version(name):
        if name not in installed:
            raise bridge.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(bridge, "version", version)
    if words is None:
        bridge.check_versions()
        return
    with pytest.raises(bl.FitError, match=words) as caught:
        bl.fit("low ~ age", births).to_marginaleffects()
    assert "fit.effects(...) gives average effects without it" in str(caught.value)


@pytest.mark.parametrize(
    "formula",
    [
        "low ~ C(race, Treatment('white')) + poly(age, 2) + smoke * lwt",
        "low ~ C(ptl) + race + log(lwt) + scale(age)",
        "low ~ bs(age, df=4) + C(smoke)",
    ],
)
def test_rows_of_its_frame_are_coded_as_those_of_the_fit(formula, births):
    fit = bl.fit(formula, births, prior=bl.Normal(1.0))
    coding = bridge.Coding.of(fit.spec, has_offset=False)
    frame = coding.frame(fit.design)
    X = coding.matrix(frame)
    np.testing.assert_allclose(1 / (1 + np.exp(-X @ fit.params)), fit.predict(kind="mode")["probability"], rtol=1e-12)
    for name, levels in coding.levels.items():
        assert frame[name].dtype == pl.Enum(list(levels))
    assert frame["race"].dtype in (pl.Enum(["black", "other", "white"]), pl.Enum(list(coding.levels.get("race", {}))))
    # Levels come back as what they are: text of a number is the number.
    if "ptl" in coding.levels:
        moved = frame.with_columns(pl.Series("ptl", ["2"] * len(births), dtype=frame["ptl"].dtype))
        np.testing.assert_allclose(coding.matrix(moved), fit.spec.rows(births.assign(ptl=2)).toarray(), rtol=1e-12)
    with pytest.raises(bl.DataError, match="lack the column 'age'"):
        coding.matrix(frame.drop("age"))


def test_offsets_arrays_and_names_that_it_keeps(births):
    fit = bl.fit("low ~ lwt", births, offset="shift")
    coding = bridge.Coding.of(fit.spec, has_offset=True)
    X = coding.matrix(coding.frame(fit.design))
    np.testing.assert_allclose(
        1 / (1 + np.exp(-X @ [*fit.params, 1.0])), fit.predict(kind="mode")["probability"], rtol=1e-12
    )
    array = bl.Design.from_arrays(births[["age", "lwt"]], births["low"], offset=births["shift"])
    with pytest.raises(bl.FitError, match="reads that only from a column"):
        bridge.Coding.of(array.spec, has_offset=True)
    plain = bridge.Coding.of(array.spec, has_offset=False)
    assert plain.formula == "`y` ~ `age` + `lwt`"
    np.testing.assert_array_equal(plain.matrix(plain.frame(array))[:, 1:], births[["age", "lwt"]])
    taken = bl.Design.from_formula("low ~ group", births.assign(group=births.age))
    with pytest.raises(bl.DataError, match=r"cannot have the column name\(s\) group"):
        bridge.Coding.of(taken.spec, has_offset=False)
    outcome = bl.Design.from_formula("type ~ age", births.assign(type=births.low))
    assert bridge.Coding.of(outcome.spec, has_offset=False).response == "type_"


def test_what_it_cannot_have_is_said(births, monkeypatch, tmp_path):
    monkeypatch.setattr(bridge, "version", {"marginaleffects": "0.6.1", "polars": "1.44.2"}.__getitem__)
    zeros = bl.fit("low ~ age + lwt + ftv", births, prior=bl.Laplace(0.02))
    assert (zeros.params == 0.0).any()
    with pytest.raises(bl.FitError, match="exactly at a kink of the prior"):
        zeros.to_marginaleffects()
    with pytest.raises(bl.FitError, match="no covariance for its delta method"):
        bl.fit("low ~ age", births, covariance="none").to_marginaleffects()
    file = tmp_path / "fit.json"
    bl.fit("low ~ age", births).to_json(file)
    with pytest.raises(bl.FitError, match="needs the data, which a saved fit does not hold"):
        bl.load(file).to_marginaleffects()
    births.to_parquet(tmp_path / "births.parquet")
    streamed = bl.fit(bl.Design.from_formula("low ~ age", tmp_path / "births.parquet"))
    if streamed.design.frame is None:
        with pytest.raises(bl.FitError, match="reads its rows in blocks"):
            streamed.to_marginaleffects()


@pytest.mark.filterwarnings("ignore:.*get_categories:DeprecationWarning")  # a call of theirs
def test_its_numbers_are_the_delta_method_at_our_mode(births):
    margins = pytest.importorskip("marginaleffects", reason="not in the test group: it needs polars < 2 (2026-11)")
    try:
        bridge.check_versions()
    except bl.FitError as error:
        pytest.skip(str(error))
    formula = "low ~ lwt + smoke + race"
    fit = bl.fit(formula, births.assign(shift=births["shift"]), prior=bl.Normal(1.0), offset="shift")
    model = fit.to_marginaleffects()
    X, p = np.asarray(fit.spec.transform(births)), fit.predict(kind="mode")["probability"].to_numpy()
    q, V = p * (1.0 - p), fit.cov_params().to_numpy()

    def close(found, estimate, gradient, rtol):
        np.testing.assert_allclose(found["estimate"][0], estimate, rtol=rtol)
        np.testing.assert_allclose(found["std_error"][0], np.sqrt(gradient @ V @ gradient), rtol=rtol)

    close(margins.avg_predictions(model), p.mean(), (q[:, None] * X).mean(axis=0), 1e-7)
    gradient = fit.params["lwt"] * (q * (1 - 2 * p)) @ X / len(p)
    gradient[1] += q.mean()
    slope = margins.avg_slopes(model, variables="lwt", eps_vcov=1e-6)
    close(slope, fit.params["lwt"] * q.mean(), gradient, 2e-4)
    high, low = (np.asarray(fit.spec.transform(births.assign(smoke=each))) for each in (1, 0))
    ph, pl_ = (1 / (1 + np.exp(-(M @ fit.params + births["shift"]))) for M in (high, low))
    gradient = ((ph * (1 - ph)).to_numpy() @ high - (pl_ * (1 - pl_)).to_numpy() @ low) / len(p)
    close(margins.avg_comparisons(model, variables="smoke"), (ph - pl_).mean(), gradient, 1e-7)
    race = margins.avg_comparisons(model, variables="race").sort("contrast")
    assert race["contrast"].to_list() == ["other - black", "white - black"]
    robust = margins.avg_predictions(model, vcov="HC0")["std_error"][0]
    J = (q[:, None] * X).mean(axis=0)
    np.testing.assert_allclose(robust, np.sqrt(J @ fit.cov_params("robust").to_numpy() @ J), rtol=1e-7)
    with pytest.raises(bl.FitError, match="vcov='HC3'"):
        margins.avg_predictions(model, vcov="HC3")
