"""The straight line through the public face: fit, tables, predictions, saving, failure as a value."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayeslogit as bl

FORMULA = "switch ~ dist100 + arsenic"


@pytest.fixture(scope="module")
def wells():
    return bl.datasets.load("wells")


@pytest.fixture(scope="module")
def fit(wells):
    return bl.fit(FORMULA, wells, prior=bl.Normal(2.5))


def test_vectors_are_indexed_by_column(fit):
    names = ["Intercept", "dist100", "arsenic"]
    assert list(fit.params.index) == list(fit.bse.index) == list(fit.cov_params().columns) == names
    assert list(fit.conf_int().columns) == ["lower", "upper"]
    half = fit.conf_int(prob=0.5)["upper"] - fit.params
    np.testing.assert_allclose(half, 0.6744897501960817 * fit.bse, rtol=1e-12)


def test_the_summary_names_prior_interval_and_event(fit, wells):
    text = str(fit.summary(prob=0.9))
    assert "Prior: Normal(2.5) (chosen)." in text
    assert "P(switch = 1); 1,737 events in 3,020 observations" in text
    assert "equal-tailed 90 %" in " ".join(text.split())
    default = bl.fit(FORMULA, wells)
    assert "(the default)" in str(default)
    assert "(chosen)" in str(bl.fit(FORMULA, wells, prior=bl.preset("rstanarm")))


def test_odds_ratios_carry_no_log_odds_error(fit):
    row = fit.summary().records()[1]
    assert row["odds_ratio"] == pytest.approx(np.exp(row["estimate"]), rel=1e-14)
    assert row["or_upper"] == pytest.approx(np.exp(row["upper"]), rel=1e-14)
    tidy = fit.tidy(exponentiate=True)
    assert "std_error" not in tidy.columns and "std_error" in fit.tidy().columns
    np.testing.assert_allclose(tidy["estimate"], np.exp(fit.params), rtol=1e-14)


def test_frames_come_back_in_the_callers_library(wells):
    polars = bl.fit(FORMULA, pl.from_pandas(wells), prior=bl.Normal(2.5))
    for frame in (polars.tidy(), polars.glance(), polars.augment(), polars.predict()):
        assert isinstance(frame, pl.DataFrame)
    assert isinstance(polars.predict(wells.head(3)), pd.DataFrame)
    same = bl.fit(FORMULA, wells, prior=bl.Normal(2.5))
    np.testing.assert_array_equal(polars.params, same.params)


def test_augment_adds_what_belongs_to_each_row(fit, wells):
    out = fit.augment()
    assert list(out.columns[: wells.shape[1]]) == list(wells.columns)
    np.testing.assert_allclose(out["residual"], wells["switch"] - out["fitted"], atol=1e-15)
    assert out["leverage"].sum() == pytest.approx(fit.effective_parameters, rel=1e-9)
    assert "residual" not in fit.augment(wells.head(4)).columns
    with pytest.raises(bl.DataError, match=r"already have the columns fitted"):
        fit.augment(wells.head(4).assign(fitted=1.0))


def test_augment_keeps_the_index_and_leaves_dropped_rows_out(wells):
    data = wells.head(50).copy()
    data.index = range(100, 150)
    data.loc[103, "arsenic"] = np.nan
    fit = bl.fit(FORMULA, data, missing="drop")
    assert any("1 of 50 rows dropped" in note for note in fit.notes)
    assert 103 not in fit.augment().index and len(fit.augment()) == 49


def test_predict_takes_one_person_a_frame_or_nothing(fit, wells):
    one = fit.predict({"dist100": 0.5, "arsenic": 1.5})
    frame = fit.predict(pd.DataFrame({"arsenic": [1.5], "dist100": [0.5]}))
    np.testing.assert_array_equal(one, frame)
    assert list(one.columns) == ["probability", "lower", "upper"]
    assert one["lower"][0] < one["probability"][0] < one["upper"][0]
    everyone = fit.predict()
    np.testing.assert_allclose(everyone["probability"], fit.predict(wells)["probability"], rtol=1e-13)
    mode = fit.predict(wells.head(1), kind="mode")["probability"][0]
    eta = fit.params @ [1.0, wells["dist100"][0], wells["arsenic"][0]]
    assert mode == pytest.approx(1.0 / (1.0 + np.exp(-eta)), rel=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.predict({"dist100": 1.0}), "no column 'arsenic'"),
        (lambda f: f.predict({"dist100": 1.0, "arsenic": 1.0}, kind="median"), "'mean' .* or 'mode'"),
        (lambda f: f.predict({"dist100": 1.0, "arsenic": 1.0}, prob=95), r"prob=95"),
        (lambda f: f.conf_int(prob=1.0), "lies between 0 and 1"),
        (lambda f: f.cov_params("sandwich"), "'frequentist'.*or 'robust'"),
        (lambda f: f.cov_params("hessian"), "a covariance is one of"),
        (lambda f: f.cov_params(groups=[1, 2]), "groups= belongs to kind='robust'"),
        (lambda f: f.cov_params(terms=["nope"]), "no columns nope"),
    ],
)
def test_wrong_calls_say_what_to_do(fit, call, message):
    with pytest.raises((bl.ArgumentError, bl.DataError), match=message):
        call(fit)


def test_an_offset_must_be_given_again(wells):
    data = wells.assign(shift=np.linspace(-1.0, 1.0, len(wells)))
    named = bl.fit(FORMULA, data, offset="shift")
    new = data.head(3)
    assert named.predict(new)["probability"][0] != pytest.approx(
        named.predict(new.assign(shift=0.0))["probability"][0], abs=1e-3
    )
    given = bl.fit(FORMULA, wells, offset=data["shift"].to_numpy())
    np.testing.assert_array_equal(given.params, named.params)
    with pytest.raises(bl.DataError, match="needs one: give offset="):
        given.predict(wells.head(3))
    np.testing.assert_array_equal(given.predict(new, offset=new["shift"]), named.predict(new))


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: bl.Design.from_arrays([[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1]), "no finite mode"),
        (lambda: bl.Design.from_arrays([[1.0], [2.0], [3.0], [4.0]], [1, 1, 1, 1]), "single class"),
        (
            lambda: bl.Design.from_arrays([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0]], [0, 1, 0, 1]),
            "not positive definite",
        ),
    ],
)
def test_failure_is_a_value_that_every_table_carries(make, status):
    with pytest.warns(bl.FitWarning):
        fit = bl.fit(make(), prior=None)
    assert fit.status == status and not fit.converged
    assert np.isnan(fit.bse).all() and np.isnan(fit.log_evidence)
    assert np.isfinite(fit.mode.beta).all()
    with pytest.raises(bl.FitError, match=r"nothing to predict with|No average over the posterior"):
        fit.predict()
    assert fit.mode.message in fit.summary().notes
    assert fit.glance()["status"][0] == status


def test_the_iteration_limit_is_said_and_the_iterate_kept(wells):
    with pytest.warns(bl.FitWarning, match="limit of 1 steps"):
        fit = bl.fit(FORMULA, wells, max_iter=1)
    assert fit.status == "iteration limit" and np.isfinite(fit.params).all() and np.isnan(fit.bse).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((np.eye(2)),), "the model is a formula"),
        (("y ~ x",), "a formula needs data"),
    ],
)
def test_fit_refuses_what_is_no_model(arguments, message):
    with pytest.raises(bl.ArgumentError, match=message):
        bl.fit(*arguments)


def test_fit_refuses_data_beside_a_design(wells):
    design = bl.Design.from_formula(FORMULA, wells)
    with pytest.raises(bl.ArgumentError, match="belong"):
        bl.fit(design, weights=np.ones(len(wells)))
    with pytest.raises(bl.ArgumentError, match="tol=2"):
        bl.fit(design, tol=2)
    with pytest.raises(bl.ArgumentError, match="survey"):
        bl.Design.from_formula(FORMULA, wells, weight_type="survey")


def test_fractional_weights_reach_every_table(wells):
    fit = bl.fit(FORMULA, wells.assign(w=0.5), weights="w")
    assert fit.nobs == 1510.0
    assert any("tempered" in note for note in fit.summary().notes)


def test_a_loaded_fit_predicts_the_same_bits(tmp_path, wells):
    formula = "switch ~ dist100 * arsenic + C(assoc) + poly(educ, 2)"
    fit = bl.fit(formula, wells)
    path = tmp_path / "fit.json"
    fit.to_json(path)
    again = bl.load(path)
    new = wells.sample(200, random_state=1)
    np.testing.assert_array_equal(again.predict(new), fit.predict(new))
    np.testing.assert_array_equal(again.cov_params(), fit.cov_params())
    np.testing.assert_array_equal(again.cov_params("frequentist"), fit.cov_params("frequentist"))
    assert str(again) == str(fit) and again.log_evidence == fit.log_evidence
    with pytest.raises(bl.FitError, match="needs the data"):
        again.augment()
    with pytest.raises(bl.FitError, match="needs the data"):
        again.cov_params("robust")


def test_a_failed_fit_can_be_saved_too(tmp_path):
    with pytest.warns(bl.FitWarning):
        fit = bl.fit(bl.Design.from_arrays([[1.0], [2.0], [3.0]], [0, 1, 1]), prior=None)
    fit.to_json(tmp_path / "fit.json")
    assert bl.load(tmp_path / "fit.json").status == fit.status


def _damaged(text, how):
    document = json.loads(text)
    if how == "edited":
        document["fit"]["params"]["dist100"] = 0.0
    if how == "newer":
        document["version"] = 99
    if how == "other":
        document["format"] = "something"
    return text[: len(text) // 2] if how == "truncated" else json.dumps(document)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("edited", "checksum does not fit"),
        ("newer", "written in format 99"),
        ("other", "not a saved fit of bayeslogit"),
        ("truncated", "truncated"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(tmp_path, fit, how, message):
    path = tmp_path / "fit.json"
    fit.to_json(path)
    path.write_text(_damaged(path.read_text("utf-8"), how))
    with pytest.raises(bl.FileFormatError, match=message):
        bl.load(path)


def test_saving_replaces_whole_or_not_at_all(tmp_path, fit, monkeypatch):
    path = tmp_path / "fit.json"
    fit.to_json(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fit.to_json(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["fit.json"]


def test_no_warning_and_the_same_numbers_twice(wells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (bl.fit(FORMULA, wells) for _ in range(2))
    np.testing.assert_array_equal(first.params, second.params)
    np.testing.assert_array_equal(first.cov_params(), second.cov_params())


def test_a_huge_covariance_is_refused_with_its_size(fit, monkeypatch):
    monkeypatch.setattr("bayeslogit.estimates._MOST_COLUMNS", 2)
    with pytest.raises(bl.ArgumentError, match=r"covariance of 3 columns takes .* GB.*terms="):
        fit.cov_params()
    part = fit.cov_params(terms=["arsenic", "dist100"])
    np.testing.assert_allclose(np.sqrt(np.diag(part)), fit.bse[["arsenic", "dist100"]], rtol=1e-12)


# --- which row is which ----------------------------------------------------------------------------------------------


def test_predictions_keep_the_index(wells):
    data = wells.head(60).sample(frac=1.0, random_state=1)
    data.loc[[3, 7], "arsenic"] = np.nan
    fit = bl.fit(FORMULA, data, missing="drop")
    rest = data.dropna()
    new = rest[rest["dist100"] > 0.3]
    assert fit.predict(new).index.equals(new.index)
    assert fit.predict().index.equals(rest.index) and fit.augment().index.equals(rest.index)
    pd.testing.assert_frame_equal(fit.predict(), fit.predict(rest), rtol=1e-13)
    assert list(fit.predict(new.to_dict("list")).index) == list(range(len(new)))
    X, y = rest[["dist100", "arsenic"]], rest["switch"]
    arrays = bl.fit(bl.Design.from_arrays(X, y))
    for found in (arrays.predict(), arrays.predict(X), arrays.augment(), arrays.augment(X)):
        assert found.index.equals(X.index)
    assert list(arrays.predict(X.to_numpy()).index) == list(range(len(X)))


@pytest.mark.parametrize("role", ["weights", "offset", "trials"])
def test_a_series_goes_by_its_labels(wells, role):
    data = wells.head(200).assign(v=1.0 + np.arange(200) % 3)
    given = {"trials": "v"} if role == "trials" else {}
    plain = bl.fit(FORMULA, data, **(given | {role: "v"}))
    shuffled = data.sample(frac=1.0, random_state=2)
    fit = bl.fit(FORMULA, shuffled, **(given | {role: data["v"]}))
    np.testing.assert_allclose(fit.params, plain.params, rtol=1e-9)
    by_position = bl.fit(FORMULA, shuffled, **{role: shuffled["v"].to_numpy()})
    np.testing.assert_allclose(by_position.params, plain.params, rtol=1e-9)
    columns = ["dist100", "arsenic"]
    arrays = bl.Design.from_arrays(shuffled[columns], shuffled["switch"], **{role: data["v"]})
    np.testing.assert_allclose(bl.fit(arrays).params, plain.params, rtol=1e-9)
    with pytest.raises(bl.DataError, match=rf"{role}: the index of this Series is not that of the data.*to_numpy"):
        bl.fit(FORMULA, shuffled, **{role: data["v"].set_axis(range(1000, 1200))})
    with pytest.raises(bl.DataError, match=rf"{role}: the index of this Series"):
        bl.fit(FORMULA, shuffled.set_axis([1] * 200), **{role: data["v"]})


def test_a_series_beside_data_without_an_index_goes_by_position(wells):
    data = wells.head(200).assign(v=1.0 + np.arange(200) % 3)
    values = data["v"].set_axis(range(5, 205))
    plain = bl.fit(FORMULA, data, weights="v")
    for source in (data.to_dict("series"), pl.from_pandas(data)):
        np.testing.assert_array_equal(bl.fit(FORMULA, source, weights=values).params, plain.params)


def test_groups_go_by_label_or_by_name(wells):
    data = wells.head(200).assign(g=np.arange(200) // 10)
    data.loc[4, "arsenic"] = np.nan
    shuffled = data.sample(frac=1.0, random_state=2)
    wanted = bl.fit(FORMULA, data.dropna()).cov_params("robust", groups=data.dropna()["g"].to_numpy())
    for source in (shuffled, pl.from_pandas(shuffled)):
        fit = bl.fit(FORMULA, source, missing="drop")
        np.testing.assert_allclose(fit.cov_params("robust", groups="g"), wanted, rtol=1e-9)
    fit = bl.fit(FORMULA, shuffled, missing="drop")
    for groups in (data["g"], data["g"].drop(index=4)):
        np.testing.assert_allclose(fit.cov_params("robust", groups=groups), wanted, rtol=1e-9)
    with pytest.raises(bl.DataError, match="there is no column 'village'"):
        fit.cov_params("robust", groups="village")
    with pytest.raises(bl.DataError, match="groups: the index of this Series"):
        fit.cov_params("robust", groups=data["g"].set_axis(range(1000, 1200)))
    with pytest.raises(bl.DataError, match="groups has missing values"):
        fit.cov_params("robust", groups=data["g"].astype("Int64").replace(7, pd.NA))
    arrays = bl.fit(bl.Design.from_arrays(np.arange(6.0).reshape(6, 1), [0, 1, 0, 1, 0, 1]))
    with pytest.raises(bl.DataError, match="groups='g': a design from arrays has no such column; give the labels"):
        arrays.cov_params("robust", groups="g")


# --- offsets of predictions ------------------------------------------------------------------------------------------


def test_an_offset_belongs_to_new_rows(wells):
    data = wells.head(100)
    shift = pd.Series(np.linspace(-1.0, 1.0, 100), index=data.index)
    fit = bl.fit(FORMULA, data, offset=shift)
    for call in (fit.predict, fit.augment):
        with pytest.raises(bl.ArgumentError, match="offset= goes with new rows; the rows of the fit have their own"):
            call(offset=shift)
    np.testing.assert_allclose(fit.augment(data, offset=shift)["fitted"], fit.augment()["fitted"], rtol=1e-12)
    back = data.iloc[::-1]
    np.testing.assert_allclose(fit.predict(back, offset=shift).loc[data.index], fit.predict(), rtol=1e-12)
    with pytest.raises(bl.DataError, match="needs one: give offset="):
        fit.augment(data)


# --- what new rows may be --------------------------------------------------------------------------------------------


def test_augment_replaces_no_column(wells):
    fit = bl.fit(FORMULA, wells)
    table = pa.Table.from_pandas(wells.head(4).assign(fitted=1.0))
    for new in (table, pl.from_arrow(table), pl.from_arrow(table).lazy()):
        with pytest.raises(bl.DataError, match="already have the columns fitted"):
            fit.augment(new)
    named = bl.fit(bl.Design.from_arrays([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]], [0, 1, 1], names=["y", "x"]))
    with pytest.raises(bl.DataError, match="a slope is called 'y', like the outcome; give it another with names="):
        named.augment()
    assert list(named.augment([[1.0, 2.0]]).columns[:2]) == ["y", "x"]


@pytest.mark.parametrize("how", ["formula", "arrays"])
def test_augment_takes_what_predict_takes(wells, how, tmp_path):
    columns = ["dist100", "arsenic"]
    design = (
        bl.Design.from_formula(FORMULA, wells)
        if how == "formula"
        else bl.Design.from_arrays(wells[columns], wells["switch"])
    )
    fit = bl.fit(design)
    new = wells.loc[:2, columns]
    path = tmp_path / "new.csv"
    new.to_csv(path, index=False)
    wanted = fit.predict(new, kind="mode")["probability"].tolist()
    others = [new.to_dict("list"), pl.from_pandas(new), pl.from_pandas(new).lazy(), path, str(path)]
    for other in others + ([new.to_numpy(), new.to_numpy().tolist()] if how == "arrays" else []):
        out = fit.augment(other)
        assert np.asarray(out["fitted"]).tolist() == wanted
        assert list(out.columns[:2]) == columns
        assert np.asarray(fit.predict(other, kind="mode")["probability"]).tolist() == wanted
    one = {"dist100": [0.1, 0.2], "arsenic": 2.0}
    assert (
        fit.predict(one)["probability"].tolist() == fit.predict({**one, "arsenic": [2.0, 2.0]})["probability"].tolist()
    )
    assert fit.augment(one)["arsenic"].tolist() == [2.0, 2.0]
    with pytest.raises(bl.DataError, match=r"gone.csv: there is no such file"):
        fit.predict("gone.csv")


def test_missing_is_checked_everywhere(wells):
    design = bl.Design.from_formula(FORMULA, wells)
    for model, data in ((design, None), (FORMULA, wells)):
        with pytest.raises(bl.ArgumentError, match="missing='banana': rows with missing values 'raise' an error"):
            bl.fit(model, data, missing="banana")
    with pytest.raises(bl.ArgumentError, match=r"fit\(design, ...\): missing belong"):
        bl.fit(design, missing="drop")
    assert bl.fit(design, missing="raise").converged


def test_rows_of_weight_zero_are_as_good_as_gone(wells):
    data = wells.head(300).assign(w=1.0, g=np.where(np.arange(300) < 290, "a", "b"), half=0.5)
    data.loc[::3, "g"] = "c"
    data.loc[290:, "w"] = 0.0
    fit = bl.fit("switch ~ dist100 + g", data, prior=None, weights="w")
    alone = bl.fit("switch ~ dist100 + g", data.head(290), prior=None)
    assert fit.converged and fit.params.to_dict() == alone.params.to_dict()
    assert any("rows of weight 0 were left out" in note for note in fit.summary().notes)
    assert fit.augment().index.equals(data.index[:290]) and fit.predict().index.equals(data.index[:290])
    with pytest.raises(bl.DataError, match="has not seen"):
        fit.predict(data.tail(1))
    scaled = bl.fit("switch ~ scale(dist100)", data.assign(w=np.linspace(0.5, 2.0, 300)), weights="w")
    assert any("scale(dist100): learned from the rows without their weights" in n for n in scaled.summary().notes)


def test_the_names_of_arrays_leave_the_intercept_its_own():
    X, y = [[3.0, 1.0], [1.0, 2.0], [4.0, 3.0], [1.0, 4.0]], [0, 1, 0, 1]
    with pytest.raises(bl.DataError, match="names: 'Intercept' stands for the column of ones; give another name"):
        bl.Design.from_arrays(X, y, names=["Intercept", "x"], intercept=False)


def test_a_frame_whose_columns_are_numbers_is_predicted_by_name(rng):
    frame = pd.DataFrame(rng.standard_normal((30, 2)))
    fit = bl.fit(bl.Design.from_arrays(frame, np.arange(30) % 2))
    pd.testing.assert_frame_equal(fit.predict(frame[[1, 0]]), fit.predict(frame), check_exact=True)
