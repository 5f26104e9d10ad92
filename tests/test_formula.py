"""Formula and frame to arrays: coding, its replay on new rows, outcomes, missing values, and every error text."""

from __future__ import annotations

import datetime
import json
import re
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayeslogit.errors import DataError, FormulaError
from bayeslogit.formula import FormulaSpec, build

N = 60


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    data = pd.DataFrame(
        {
            "y": rng.integers(0, 2, N),
            "x": rng.normal(2.0, 1.0, N) ** 2 + 0.1,
            "z": rng.normal(size=N),
            "k": rng.integers(1, 5, N),
            "g": rng.choice(["low", "mid", "high"], N),
            "h": rng.choice(["u", "v"], N),
            "b": rng.random(N) < 0.5,
            "my col": rng.normal(size=N),
        }
    )
    data["ord"] = pd.Categorical(data["g"], categories=["low", "mid", "high"], ordered=True)
    return data


def replayed(spec: FormulaSpec) -> FormulaSpec:
    return FormulaSpec.from_dict(json.loads(json.dumps(spec.to_dict())))


FORMULAS = [
    "y ~ 1",
    "y ~ x",
    "y ~ 0 + x",
    "y ~ x - 1",
    "y ~ x + z + g",
    "y ~ g * x",
    "y ~ g:h",
    "y ~ g:h + x:z - 1",
    "y ~ (x + z + g)**2",
    "y ~ x / g",
    "y ~ b + b:x + C(b)",
    "y ~ C(k) + C(k):x",
    "y ~ C(g, Treatment('mid'))",
    "y ~ C(g, Sum) + C(h, contr.sum)",
    "y ~ C(g, Helmert) + C(ord, contr.poly)",
    "y ~ C(g, Diff) + C(k, contr.SAS)",
    "y ~ C(g, levels=['high', 'mid', 'low'])",
    "y ~ C(x > 3) + I(g == 'low')",
    "y ~ poly(x, 3)",
    "y ~ poly(x, 2, raw=True):g",
    "y ~ bs(x, df=6)",
    "y ~ bs(z, knots=[-0.5, 0.5], degree=2) + cr(x, df=4) + cs(z, df=4) + cc(x, df=4)",
    "y ~ center(x) + scale(z) + standardize(x)",
    "y ~ scale(log(x)) + center(sqrt(x)) + poly(log1p(x), 2)",
    "y ~ I(x**2) + I((x + 1) / (z**2 + 2)) + I(k // 2) + I(k % 2)",
    "y ~ `my col` + I(`my col` * x) + C(ord)",
    "y ~ log10(x) + log2(x) + exp(z) + expm1(z) + abs(z)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_saved_spec_codes_new_rows_bit_for_bit(formula, frame):
    """Also single rows, rows in another order, and rows of other libraries."""
    spec, arrays = build(formula, frame)
    assert arrays.X.dtype == np.float64 and arrays.X.flags.c_contiguous and arrays.X.shape == (N, len(spec.columns))
    order = np.random.default_rng(1).permutation(N)
    table = frame.astype({"ord": str})
    for each in (spec, replayed(spec)):
        np.testing.assert_array_equal(each.transform(frame), arrays.X)
        np.testing.assert_array_equal(each.transform(frame.iloc[order]), arrays.X[order])
        np.testing.assert_array_equal(each.transform(frame.iloc[[3]]), arrays.X[[3]])
        np.testing.assert_array_equal(each.transform(pl.from_pandas(table)), arrays.X)
        np.testing.assert_array_equal(each.transform(pl.from_pandas(table).lazy()), arrays.X)
        np.testing.assert_array_equal(each.transform(pa.Table.from_pandas(frame)), arrays.X)
        np.testing.assert_array_equal(each.transform(frame.to_dict("list")), arrays.X)
        np.testing.assert_array_equal(each.transform(frame.iloc[5].to_dict()), arrays.X[[5]])
    assert replayed(replayed(spec)).to_dict() == spec.to_dict()


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_matrix_is_formulaics(formula, frame):
    """Under the user's names, apart from the transforms that are ours."""
    from formulaic import model_matrix

    given = frame.assign(k=frame["k"].astype(float)) if "//" in formula else frame
    context = {"sqrt": np.sqrt, "log1p": np.log1p, "expm1": np.expm1, "abs": np.abs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = model_matrix(formula.partition("~")[2], given, context=context)
    spec, arrays = build(formula, frame)
    np.testing.assert_allclose(arrays.X, theirs.to_numpy(dtype=float), rtol=1e-14)
    assert spec.columns == tuple(theirs.columns)


def test_names_terms_and_references(frame):
    spec, _ = build("y ~ g*x + C(k) + C(h, Treatment('v')) + `my col`", frame)
    assert spec.columns == (
        *("Intercept", "g[T.low]", "g[T.mid]", "x", "C(k)[T.2]", "C(k)[T.3]", "C(k)[T.4]"),
        *("C(h, Treatment('v'))[T.u]", "my col", "g[T.low]:x", "g[T.mid]:x"),
    )
    assert spec.terms["Intercept"] == (0,)
    assert spec.terms["g"] == (1, 2)
    assert spec.terms["C(k)"] == (4, 5, 6)
    assert spec.terms["my col"] == (8,)
    assert spec.terms["g:x"] == (9, 10)
    assert spec.reference_levels == {"g": "high", "C(k)": "1", "C(h, Treatment('v'))": "v"}
    assert spec.levels == {"g": ("high", "low", "mid"), "k": (1, 2, 3, 4), "h": ("u", "v")}
    assert spec.variables == ("g", "x", "k", "h", "my col")
    assert spec.has_intercept
    assert (spec.outcome, spec.event, spec.other, spec.formula[:3]) == ("y", None, None, "y ~")


def test_an_intercept_alone_and_nothing_at_all(frame):
    spec, arrays = build("y ~ 1", frame)
    assert spec.columns == ("Intercept",) and spec.variables == ()
    np.testing.assert_array_equal(arrays.X, np.ones((N, 1)))
    np.testing.assert_array_equal(spec.transform({"any": [1, 2, 3]}), np.ones((3, 1)))
    with pytest.raises(DataError, match="makes no columns: add a term or an intercept"):
        build("y ~ 0", frame)


def test_powers_of_integers_do_not_wrap(frame):
    data = frame.assign(k=1_000_000_007)
    X = build("y ~ I(k**3) + I(k*k*k)", data.assign(k=data["k"] + np.arange(N)))[1].X
    assert np.all(X[:, 1:] > 1e26)


@pytest.mark.parametrize("library", ["pandas", "polars", "lazy", "pyarrow", "dict", "nullable", "arrow-backed"])
def test_every_library_gives_the_same_arrays(library, frame):
    plain = frame.drop(columns="ord")
    other: Any = {
        "pandas": lambda: plain,
        "polars": lambda: pl.from_pandas(plain),
        "lazy": lambda: pl.from_pandas(plain).lazy(),
        "pyarrow": lambda: pa.Table.from_pandas(plain),
        "dict": lambda: plain.to_dict("list"),
        "nullable": lambda: plain.convert_dtypes(),
        "arrow-backed": lambda: plain.convert_dtypes(dtype_backend="pyarrow"),
    }[library]()
    from bayeslogit.data import read_frame

    native, _ = read_frame(other)
    spec, arrays = build("y ~ g*x + b + C(k) + poly(z, 2)", native, weights="k", offset="z")
    expected_spec, expected = build("y ~ g*x + b + C(k) + poly(z, 2)", plain, weights="k", offset="z")
    assert spec.columns == expected_spec.columns and spec.terms == expected_spec.terms
    for name in ("X", "y", "trials", "weights", "offset"):
        np.testing.assert_array_equal(getattr(arrays, name), getattr(expected, name))
    np.testing.assert_array_equal(spec.transform(plain), expected.X)
    assert json.dumps(spec.to_dict()) == json.dumps(expected_spec.to_dict())


@pytest.mark.parametrize("dtype", [object, "str", "category", "string"])
def test_the_same_levels_in_another_dtype_or_order_are_coded_the_same(dtype, frame):
    spec, arrays = build("y ~ g", frame)
    np.testing.assert_array_equal(spec.transform(frame.assign(g=frame["g"].astype(dtype))), arrays.X)
    reordered = pd.Categorical(frame["g"], categories=["mid", "high", "low", "never"])
    np.testing.assert_array_equal(spec.transform(frame.assign(g=reordered)), arrays.X)
    enum = pl.DataFrame({"g": frame["g"].tolist()}, schema={"g": pl.Enum(["mid", "low", "high"])})
    np.testing.assert_array_equal(spec.transform(enum), arrays.X)


def test_a_categorical_keeps_its_order_and_drops_unused_levels_with_a_note(frame):
    given = pd.Categorical(frame["g"], categories=["mid", "never", "high", "low"])
    spec, arrays = build("y ~ g", frame.assign(g=given))
    assert spec.levels["g"] == ("mid", "high", "low")
    assert spec.reference_levels == {"g": "mid"}
    assert arrays.notes == ("g: the unused level(s) 'never' were left out.",)


def test_intervals_of_cut_are_levels_by_their_text(frame):
    data = frame.assign(band=pd.cut(frame["x"], [0, 2, 5, 100]))
    spec, arrays = build("y ~ band", data)
    assert spec.columns == ("Intercept", "band[T.(2, 5]]", "band[T.(5, 100]]")
    np.testing.assert_array_equal(replayed(spec).transform(data), arrays.X)


def test_levels_that_formulaic_would_drop_in_silence_stay(frame):
    data = frame.assign(g=frame["g"].replace({"low": "__other__", "high": "High"}))
    spec, arrays = build("y ~ g + x + C(g, Treatment('__other__')):x", data)
    assert "g[T.__other__]" in spec.columns
    assert spec.reference_levels["C(g, Treatment('__other__'))"] == "__other__"
    np.testing.assert_array_equal(arrays.X[:, spec.columns.index("g[T.__other__]")], data["g"] == "__other__")
    np.testing.assert_array_equal(replayed(spec).transform(data), arrays.X)


def test_numbers_in_objects_are_numbers_and_decimals_too(frame):
    data = frame.assign(x=[Decimal(str(round(v, 3))) for v in frame["x"]], k=frame["k"].astype(object))
    spec, arrays = build("y ~ x + k", data)
    assert spec.columns == ("Intercept", "x", "k")
    np.testing.assert_allclose(arrays.X[:, 1], frame["x"].round(3))


def test_text_that_reads_as_numbers_is_a_factor_with_a_note(frame):
    spec, arrays = build("y ~ k", frame.assign(k=frame["k"].astype(str)))
    assert spec.columns == ("Intercept", "k[T.2]", "k[T.3]", "k[T.4]")
    assert "text that reads as numbers, such as '1', is a factor with 4 levels" in arrays.notes[0]


# --- new rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"g": "huge"}, "'g' has the level 'huge' in row 0, which the fit has not seen; it knows 'high', 'low', 'mid'"),
        ({"k": 9}, "'k' has the level 9 in row 0, which the fit has not seen; it knows 1, 2, 3, 4"),
        ({"x": None}, "missing values in x .1 row."),
        ({"g": None}, "missing values in g .1 row."),
        ({"x": "many"}, "'x' was a number in the fit, here it holds 'many'"),
        ({"x": np.inf}, "Column 'x' has the value inf in row 0; values must be finite"),
        ({"b": "maybe"}, "'b' was True or False in the fit, here it holds 'maybe'"),
        ({"x": -2.0}, r"Term 'log\(x\)' is not finite in row 0"),
        ({"x": [1.0, 2.0, 3.0], "g": ["low", "low"]}, "columns of different lengths .2, 3."),
    ],
)
def test_new_rows_that_cannot_be_coded(change, words, frame):
    spec, _ = build("y ~ g + C(k) + x + b + log(x)", frame)
    with pytest.raises(DataError, match=words):
        spec.transform(frame.iloc[0].to_dict() | change)


def test_new_rows_say_which_row_and_which_column(frame):
    spec, _ = build("y ~ g + x", frame)
    with pytest.raises(DataError, match="level 'new' in row 7"):
        spec.transform(frame.assign(g=["new" if i == 7 else "low" for i in range(N)]))
    with pytest.raises(DataError, match="new data: there is no column 'x'; needed are 'g', 'x', there are 'g', 'z'"):
        spec.transform({"g": "low", "z": 1.0})
    with pytest.raises(DataError, match="is not a data frame; give pandas, polars, pyarrow"):
        spec.transform(np.ones((2, 2)))
    two = frame.assign(x=frame["x"].where(frame.index > 1), g=frame["g"].where(frame.index != 5))
    with pytest.raises(DataError, match=r"new data: missing values in g \(1 row\), x \(2 rows\)"):
        spec.transform(two)


def test_levels_of_another_type_are_explained(frame):
    spec, _ = build("y ~ C(k)", frame)
    with pytest.raises(DataError, match="'k' was a number in the fit, here it holds '2'"):
        spec.transform({"k": "2"})
    text, _ = build("y ~ k", frame.assign(k=frame["k"].astype(str)))
    with pytest.raises(DataError, match=r"has the level 2 in row 0.*\(there str, here int\)"):
        text.transform({"k": 2})


def test_a_float_that_equals_a_level_is_that_level(frame):
    spec, arrays = build("y ~ C(k)", frame)
    np.testing.assert_array_equal(spec.transform(frame.assign(k=frame["k"].astype(float))), arrays.X)


def test_new_rows_outside_a_spline(frame):
    spec, _ = build("y ~ bs(x, df=4)", frame)
    with pytest.raises(DataError, match=r"The terms of 'y ~ bs\(x, df=4\)' cannot be computed from the data"):
        spec.transform({"x": 1e6})


def test_the_offset_of_new_rows(frame):
    spec, _ = build("y ~ x", frame, offset="z")
    np.testing.assert_array_equal(replayed(spec).offset_of(frame), frame["z"])
    assert spec.offset_of({"x": 1.0, "z": 0.25}).tolist() == [0.25]
    with pytest.raises(DataError, match="there is no column 'z'"):
        spec.offset_of({"x": 1.0})
    assert build("y ~ x", frame)[0].offset_of(frame) is None
    assert build("y ~ x", frame, offset=frame["z"])[0].offset_of(frame) is None


# --- columns that cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "column", "words"),
    [
        ("y ~ q", ["only"] * N, "Factor 'q' has the single level 'only': it says nothing; leave it out"),
        ("y ~ C(q)", [3] * N, "Factor 'q' has the single level 3"),
        ("y ~ q", [f"id{i}" for i in range(N)], "has 60 levels in 60 rows, like an identifier.*or write C.q. if every"),
        ("y ~ q", [str(i) for i in range(N)], "holds numbers as text, such as '0'; turn it into numbers first"),
        ("y ~ q", ["a", 1] * (N // 2), "Column 'q' holds int and str; make it all numbers or all text"),
        ("y ~ q", [[1]] * N, "Column 'q' holds list; make it all numbers or all text"),
        ("y ~ q", [datetime.date(2020, 1, 1)] * N, "Column 'q' holds dates or times"),
        ("y ~ q", pd.date_range("2020-01-01", periods=N), "Column 'q' holds dates or times"),
        ("y ~ q", [1j] * N, "Column 'q' holds complex numbers"),
        ("y ~ q", [np.inf] * N, "Column 'q' has the value inf in row 0"),
        ("y ~ log(q)", [0.0] * N, r"Term 'log\(q\)' is not finite in row 0 \(value -inf\); .*need positive values"),
        ("y ~ log(q)", list("ab") * (N // 2), r"The terms of 'y ~ log\(q\)' cannot be computed from the data"),
        ("y ~ C(q, levels=['a'])", list("ab") * (N // 2), "categories outside of the nominated levels"),
        ("y ~ C(q, Treatment('zz'))", list("ab") * (N // 2), "cannot be computed.*'zz'"),
        ("y ~ poly(q, 5)", [1.0, 2.0] * (N // 2), "cannot be computed|not finite"),
        ("y ~ Intercept", [1.0] * N, "there is no column 'Intercept'"),
    ],
)
def test_columns_that_cannot_be_used(formula, column, words, frame):
    with pytest.raises(DataError, match=words):
        build(formula, frame.assign(q=column))


def test_an_identifier_can_be_forced(frame):
    data = frame.assign(q=[f"id{i:02d}" for i in range(N)])
    assert len(build("y ~ C(q)", data)[0].columns) == N


def test_repeated_names_are_refused(frame):
    with pytest.raises(DataError, match=r"has the column name\(s\) 'x:z' more than once"):
        build("y ~ x:z + `x:z`", frame.assign(**{"x:z": 1.5}))
    with pytest.raises(DataError, match=r"has the column name\(s\) 'Intercept' more than once"):
        build("y ~ Intercept", frame.assign(Intercept=frame["x"]))
    with pytest.raises(DataError, match=r"the column name\(s\) 'x' occur more than once"):
        build("y ~ x", pd.concat([frame, frame[["x"]]], axis=1))
    with pytest.raises(DataError, match=r"the column name\(s\) '1' occur more than once"):
        build("y ~ `1`", pd.DataFrame({"y": [0, 1], 1: [1, 2], "1": [3, 4]}))


def test_a_missing_column_lists_what_there_is(frame):
    with pytest.raises(DataError, match="data: there is no column 'X'; needed are 'y', 'X', there are 'y', 'x', 'z'"):
        build("y ~ X", frame)
    with pytest.raises(FormulaError, match="data, not code"):
        build("y ~ __import__('os').getcwd()", frame)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("a:b:c:d", r"at least [0-9,]+ columns of 2,000 rows \(a:b:c:d alone [0-9,]+\), more than can be held"),
        (":".join(f"C(x > {k})" for k in range(30)), "more than can be held"),
        ("bs(x, 90):bs(z, df=90):cr(x, df=90)", "more than can be held"),
    ],
)
def test_interactions_that_would_fill_the_memory_are_refused(right, words):
    rng = np.random.default_rng(3)
    data = pd.DataFrame({name: rng.integers(0, 150, 2000).astype(str) for name in "abcd"}) + "_"
    data = data.assign(y=rng.integers(0, 2, 2000), x=rng.normal(size=2000), z=rng.normal(size=2000))
    with pytest.raises(DataError, match=words):
        build(f"y ~ {right}", data)


def test_one_row_and_integer_names():
    spec, arrays = build("`0` ~ `1`", pd.DataFrame([[1, 2.5]]))
    assert spec.columns == ("Intercept", "1") and arrays.X.tolist() == [[1.0, 2.5]]


def test_nothing_is_written_to_the_callers_frame(frame):
    before = frame.copy(deep=True)
    spec, _ = build("y ~ g*x + poly(z, 2) + C(k) + scale(x)", frame)
    spec.transform(frame)
    pd.testing.assert_frame_equal(frame, before)


# --- names, powers, signs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", ["0 + Intercept + x", "0 + Intercept:x", "x:Intercept", "Intercept - 1"])
def test_a_data_column_called_intercept_is_no_term(right, frame):
    with pytest.raises(DataError, match=r"data column 'Intercept' cannot be a term.*column of ones.*rename"):
        build(f"y ~ {right}", frame.assign(Intercept=frame["z"]))


def test_a_data_column_called_intercept_may_stand_aside_or_inside_a_transform(frame):
    data = frame.assign(Intercept=frame["z"] + 5.0)
    spec, arrays = build("y ~ 0 + log(Intercept) + x", data)
    assert not spec.has_intercept and spec.columns == ("log(Intercept)", "x")
    np.testing.assert_array_equal(arrays.X[:, 0], np.log(data["Intercept"]))


# --- weights are rows ------------------------------------------------------------------------------------------------

STATEFUL = [
    "y ~ scale(x)",
    "y ~ center(x) + standardize(z)",
    "y ~ poly(z, 2) + g",
    "y ~ bs(x, df=5)",
    "y ~ cr(z, df=4)",
    "y ~ scale(log(x)) * g",
]


@pytest.mark.parametrize("formula", STATEFUL)
@pytest.mark.parametrize("role", ["weights", "trials", "both"])
def test_a_weight_is_that_many_rows_for_what_a_transform_learns(formula, role, frame):
    rng = np.random.default_rng(4)
    w = np.ones(N) if role == "trials" else rng.integers(0, 4, N).astype(float)
    m = np.ones(N, dtype=int) if role == "weights" else rng.integers(1, 4, N)
    counts = (w * m).astype(int)
    expanded, _ = build(formula, frame.loc[frame.index.repeat(counts)])
    given = {"weights": w} | ({} if role == "weights" else {"trials": m})
    spec, arrays = build(formula, frame, **given)
    assert spec.state == expanded.state and spec.columns == expanded.columns
    assert not any("learned" in note for note in arrays.notes)
    used = frame[w > 0.0]
    np.testing.assert_array_equal(arrays.X[w > 0.0] if len(arrays.X) == N else arrays.X, expanded.transform(used))
    np.testing.assert_array_equal(spec.transform(used), expanded.transform(used))


def test_equal_weights_are_rows_too(frame):
    twice = frame.loc[frame.index.repeat(2)]
    assert build("y ~ poly(x, 2)", frame, weights=np.full(N, 2))[0].state == build("y ~ poly(x, 2)", twice)[0].state


def test_fractional_weights_leave_a_note_about_what_was_learned(frame, monkeypatch):
    w = np.where(np.arange(N) % 2, 0.5, 2.0)
    spec, arrays = build("y ~ scale(x) + log(z + 9) + poly(z, 2)", frame, weights=w)
    assert spec.state == build("y ~ scale(x) + log(z + 9) + poly(z, 2)", frame)[0].state
    words = "poly(z, 2), scale(x): learned from the rows without their weights, which are not whole numbers."
    assert arrays.notes == (words,)
    assert build("y ~ log(x) + z + g", frame, weights=w)[1].notes == ()
    assert build("y ~ scale(x)", frame, weights=np.full(N, 0.5))[1].notes == ()
    monkeypatch.setattr("bayeslogit.formula._MOST_REPEATED", N)
    whole = build("y ~ scale(x)", frame, weights=1 + np.arange(N) % 2)[1]
    assert whole.notes == (
        "scale(x): learned from the rows without their weights, which make too many rows to repeat.",
    )


def test_rows_of_weight_zero_teach_nothing(frame):
    """Levels, constants and the outcome's two values come from the rows that count."""
    idle = np.arange(N) >= 50
    data = frame.assign(w=np.where(idle, 0.0, 1.0), g=frame["g"].where(~idle, "elsewhere"))
    spec, arrays = build("y ~ scale(x) + g", data, weights="w")
    alone, expected = build("y ~ scale(x) + g", data[~idle])
    assert spec.columns == alone.columns and spec.levels == alone.levels and spec.state == alone.state
    np.testing.assert_array_equal(arrays.X, expected.X)
    assert arrays.kept.tolist() == (~idle).tolist() and arrays.n_dropped == 0
    assert arrays.notes[0].startswith("10 rows of weight 0 were left out: ") and "'elsewhere'" in arrays.notes[0]
    with pytest.raises(DataError, match=r"'elsewhere'.*which the fit has not seen"):
        spec.transform(data.tail(1))


def test_rows_of_weight_zero_that_can_be_coded_keep_their_places(frame):
    w = np.where(np.arange(N) % 3, 1.0, 0.0)
    spec, arrays = build("y ~ scale(x) + g", frame, weights=w, offset=frame["z"])
    alone, _ = build("y ~ scale(x) + g", frame[w > 0.0])
    assert spec.state == alone.state and arrays.kept.all() and arrays.notes == ()
    np.testing.assert_array_equal(arrays.X, alone.transform(frame))
    for name, values in (("weights", w), ("offset", frame["z"]), ("y", frame["y"]), ("trials", np.ones(N))):
        np.testing.assert_array_equal(getattr(arrays, name), values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.nan}, "1 row of weight 0 was left out: missing values in x"),
        ({"y": 7}, "1 row of weight 0 was left out: .*'y'"),
        ({"x": np.inf}, "1 row of weight 0 was left out: Column 'x' has the value inf"),
        ({"x": 0.0}, r"1 row of weight 0 was left out: Term 'log\(x\)' is not finite in row 5"),
        ({"o": np.inf}, "1 row of weight 0 was left out: offset: the value inf in row 5"),
    ],
)
def test_what_is_wrong_in_a_row_of_weight_zero_is_no_error(change, words, frame):
    data = frame.assign(w=1.0, o=0.0)
    for name, value in {"w": 0.0, **change}.items():
        data[name] = data[name].astype(float)
        data.loc[5, name] = value
    spec, arrays = build("y ~ log(x)", data, weights="w", offset="o")
    alone, expected = build("y ~ log(x)", data.drop(index=5), weights="w", offset="o")
    np.testing.assert_array_equal(arrays.X, expected.X)
    np.testing.assert_array_equal(arrays.y, expected.y)
    assert arrays.kept.sum() == N - 1 and not arrays.kept[5] and arrays.n_dropped == 0
    assert len(arrays.notes) == 1 and re.match(words, arrays.notes[0])
    assert spec.event == alone.event


def test_missing_values_in_rows_of_weight_zero_do_not_count_as_dropped(frame):
    data = frame.assign(w=1.0)
    data.loc[[3, 4], "x"] = np.nan
    data.loc[4, "w"] = 0.0
    with pytest.raises(DataError, match=r"missing values in x \(1 row\): 1 of 60 rows"):
        build("y ~ x", data, weights="w")
    _, arrays = build("y ~ x", data, weights="w", missing="drop")
    assert arrays.n_dropped == 1 and np.flatnonzero(~arrays.kept).tolist() == [3, 4]
    assert arrays.notes == (
        "Missing values: 1 of 60 rows dropped: x (1 row).",
        "1 row of weight 0 was left out: missing values in x.",
    )
