"""The outcome, trials, weights and offset: which level is the event, what they may be, and what is missing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayeslogit.errors import ArgumentError, DataError
from bayeslogit.formula import FormulaSpec, build
from bayeslogit.outcome import decode_outcome, outcome_of_array


@pytest.mark.parametrize(
    ("values", "event", "decoded", "names"),
    [
        ([0, 1, 1, 0], None, [0, 1, 1, 0], (None, None)),
        ([0.0, 1.0, 1.0, 1.0], None, [0, 1, 1, 1], (None, None)),
        ([1, 1, 1, 1], None, [1, 1, 1, 1], (None, None)),
        ([True, False, True, False], None, [1, 0, 1, 0], ("True", "False")),
        (["no", "yes", "no", "yes"], None, [0, 1, 0, 1], ("yes", "no")),
        (["no", "yes", "no", "yes"], "no", [1, 0, 1, 0], ("no", "yes")),
        ([1, 2, 2, 1], None, [0, 1, 1, 0], ("2", "1")),
        ([1.0, 2.0, 2.0, 1.0], "1", [1, 0, 0, 1], ("1.0", "2.0")),
        ([0, 1, 1, 0], 0, [1, 0, 0, 1], ("0", "1")),
        ([True, False, True, False], False, [0, 1, 0, 1], ("False", "True")),
        (pd.Categorical(list("abab"), categories=["b", "a"]), None, [1, 0, 1, 0], ("a", "b")),
        (pd.Categorical(list("abab"), categories=["b", "a", "c"]), None, [1, 0, 1, 0], ("a", "b")),
        (pd.array([1, 0, 1, 0], dtype="Int64"), None, [1, 0, 1, 0], (None, None)),
        (pd.array([True, False, True, False], dtype="boolean"), None, [1, 0, 1, 0], ("True", "False")),
    ],
)
def test_which_level_is_the_event(values, event, decoded, names):
    spec, arrays = build("y ~ x", pd.DataFrame({"y": values, "x": [1.0, 2.0, 3.0, 5.0]}), event=event)
    assert arrays.y.tolist() == decoded
    assert arrays.trials.tolist() == [1.0] * 4
    assert (spec.event, spec.other) == names


def test_a_guessed_event_is_noted():
    data = pd.DataFrame({"switch": ["no", "yes"], "x": [1.0, 2.0]})
    assert build("switch ~ x", data)[1].notes == (
        "outcome 'switch': event = 'yes' (the other level is 'no'); name another with event= or --event.",
    )
    assert build("switch ~ x", data, event="yes")[1].notes == ()


@pytest.mark.parametrize(
    ("values", "event", "words"),
    [
        (list("aabc"), None, r"has 3 values: a \(2 rows\), b \(1 rows\), c \(1 rows\)"),
        (list("aaaa"), None, r"is not two-valued, it has one value: a \(4 rows\)"),
        ([0.5, 0.2, 0.1, 0.9], None, "has 4 values.*for successes out of trials give trials="),
        ([2, 2, 2, 2], None, "has one value"),
        ([0, 1, 2, 1], None, "has 3 values"),
        (["a", 1, "a", 1], None, "mixes types"),
        ([0, 1, np.inf, 1], None, "holds values that are not finite"),
        (list("abab"), "c", "has no level 'c'; its levels are 'a' and 'b'"),
    ],
)
def test_outcomes_that_are_not_two_valued(values, event, words):
    with pytest.raises(DataError, match=words):
        build("y ~ x", pd.DataFrame({"y": values, "x": [1.0, 2.0, 3.0, 5.0]}), event=event)


COUNTS = {"s": [0, 2, 5], "n": [3, 4, 5], "x": [1.0, 2.0, 4.0], "w": [1.0, 0.0, 2.5]}


def test_trials_weights_and_offset_by_name_and_by_array():
    named = build("s ~ x", pd.DataFrame(COUNTS), trials="n", weights="w", offset="x")
    given = build("s ~ x", pd.DataFrame(COUNTS), trials=COUNTS["n"], weights=np.array(COUNTS["w"]), offset=COUNTS["x"])
    for _, arrays in (named, given):
        assert arrays.y.tolist() == [0, 2, 5] and arrays.trials.tolist() == [3, 4, 5]
        assert arrays.weights.tolist() == [1.0, 0.0, 2.5] and arrays.offset.tolist() == [1.0, 2.0, 4.0]
    assert (named[0].trials, named[0].weights, named[0].offset) == ("n", "w", "x")
    assert (given[0].trials, given[0].weights, given[0].offset) == (None, None, None)
    record = named[0].to_dict()
    assert FormulaSpec.from_dict(json.loads(json.dumps(record))).to_dict() == record


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"s": [0, 9, 5]}, {}, "9 successes out of 4 trials in row 1"),
        ({"s": [0, -1, 5]}, {}, "-1 successes out of 4 trials in row 1"),
        ({"s": [0, 0.5, 5]}, {}, "0.5 in row 1 is not a whole number of successes. Proportions must be multiplied"),
        ({"s": list("abc")}, {}, "must count successes when trials= is given; it holds 'a'"),
        ({"n": [3, 0, 5]}, {}, "trials: the value 0 in row 1 is not a whole number of at least 1"),
        ({"n": [3, 2.5, 5]}, {}, "trials: the value 2.5 in row 1"),
        ({}, {"event": "yes"}, "event='yes' has no meaning with trials="),
        ({}, {"weights": [1, -1, 1]}, "weights: the value -1 in row 1 is negative"),
        ({}, {"weights": [0, 0, 0]}, "All weights are zero: no row counts"),
        ({}, {"weights": [1, np.inf, 1]}, "weights: the value inf in row 1 is not a finite number"),
        ({}, {"weights": [1, 2]}, r"weights has shape \(2,\); one number for each of the 3 rows"),
        ({}, {"weights": list("abc")}, "weights must be numbers"),
        ({}, {"offset": [0, 0, -np.inf]}, "offset: the value -inf in row 2 is not a finite number"),
        ({}, {"offset": "nowhere"}, "there is no column 'nowhere'"),
        ({}, {"weights": "s"}, "The outcome 's' cannot also be trials, weights or offset"),
    ],
)
def test_companions_that_cannot_be_right(change, arguments, words):
    with pytest.raises(DataError, match=words):
        build("s ~ x", pd.DataFrame(COUNTS | change), **({"trials": "n"} | arguments))


def test_outcomes_as_arrays():
    assert outcome_of_array([0, 1, 1], 3).y.tolist() == [0, 1, 1]
    with pytest.raises(DataError, match=r"y has shape \(2,\), X has 3 rows"):
        outcome_of_array([0, 1], 3)
    with pytest.raises(DataError, match="y: 1 of 3 outcomes are missing"):
        outcome_of_array([0, np.nan, 1], 3)
    with pytest.raises(DataError, match="must be one column"):
        decode_outcome("y", np.ones((2, 2)))


# --- missing and infinite values -------------------------------------------------------------------------------------


@pytest.fixture
def holed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [0, 1, 0, 1, None, 0],
            "x": [1.0, None, 3.0, 4.0, 5.0, 6.0],
            "g": ["a", "b", None, "a", "b", "b"],
            "w": [1.0, 1.0, 1.0, None, 1.0, 1.0],
            "unused": [None] * 6,
        }
    )


def test_missing_values_are_counted_by_column(holed):
    words = r"missing values in y \(1 row\), x \(1 row\), g \(1 row\), w \(1 row\): 4 of 6 rows. Impute them"
    for native in (holed, pl.from_pandas(holed), pa.Table.from_pandas(holed)):
        with pytest.raises(DataError, match=words):
            build("y ~ x + g", native, weights="w")


def test_missing_values_are_dropped_with_a_note(holed):
    spec, arrays = build("y ~ x + g", holed, weights="w", offset=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], missing="drop")
    assert arrays.kept.tolist() == [True, False, False, False, False, True]
    assert arrays.n_dropped == 4
    assert arrays.offset.tolist() == [0.0, 5.0]
    assert arrays.notes[0].startswith("Missing values: 4 of 6 rows dropped: y (1 row), x (1 row), g (1 row)")
    assert spec.columns == ("Intercept", "x", "g[T.b]")


def test_missing_values_in_arrays_count_too(holed):
    _, arrays = build("y ~ x", holed, weights=[1, 1, np.nan, 1, 1, 1], missing="drop")
    assert arrays.kept.tolist() == [True, False, False, True, False, True]
    with pytest.raises(DataError, match=r"weights \(1 row\)"):
        build("y ~ x", holed.fillna({"y": 1, "x": 1.0}), weights=[1, 1, np.nan, 1, 1, 1])


def test_nothing_left_is_an_error():
    with pytest.raises(DataError, match=r"every row has a missing value: x \(2 rows\)"):
        build("y ~ x", pd.DataFrame({"y": [0, 1], "x": [np.nan, np.nan]}), missing="drop")
    with pytest.raises(
        ArgumentError, match="missing='ignore': rows with missing values 'raise' an error or are dropped"
    ):
        build("y ~ x", pd.DataFrame({"y": [0, 1], "x": [1.0, 2.0]}), missing="ignore")


def test_messages_quote_the_rows_as_they_were_given():
    data = pd.DataFrame({"y": [0, 1, 0, 1], "x": [np.nan, 1.0, 2.0, np.inf]}, index=[10, 20, 30, 40])
    with pytest.raises(DataError, match="Column 'x' has the value inf in row 3"):
        build("y ~ x", data, missing="drop")
    fine = data.assign(x=[np.nan, 1.0, -2.0, 3.0])
    with pytest.raises(DataError, match=r"Term 'log\(x\)' is not finite in row 2"):
        build("y ~ log(x)", fine, missing="drop")
    with pytest.raises(DataError, match="weights: the value -1 in row 3"):
        build("y ~ x", fine, weights=[1, 1, 1, -1], missing="drop")
    with pytest.raises(DataError, match="9 successes out of 2 trials in row 3"):
        build("y ~ x", fine.assign(y=[0, 1, 0, 9]), trials=[2] * 4, missing="drop")


# --- the event -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1, 0], [1.0, 0.0], [True, False]])
def test_one_and_true_are_the_event_whatever_the_order_of_the_categories(values):
    y = pd.Categorical([values[0], values[1], values[0], values[1]], categories=values, ordered=True)
    data = pd.DataFrame({"y": y, "x": [1.0, 2.0, 3.0, 5.0]})
    _, arrays = build("y ~ x", data)
    assert arrays.y.tolist() == [1, 0, 1, 0]
    assert arrays.notes == (
        f"outcome 'y': event = {values[0]!r}, although it is not the last of the categories "
        f"({values[0]!r}, {values[1]!r}); name another with event= or --event.",
    )
    _, other = build("y ~ x", data, event=values[1])
    assert other.y.tolist() == [0, 1, 0, 1] and other.notes == ()
    in_order = pd.Categorical(y.tolist(), categories=values[::-1])
    assert build("y ~ x", data.assign(y=in_order))[1].notes == ()


def test_an_outcome_of_one_class_needs_the_name_of_the_event():
    data = pd.DataFrame({"y": ["no"] * 4, "x": [1.0, 2.0, 3.0, 5.0]})
    with pytest.raises(DataError, match=r"one value: no \(4 rows\).*say which level is the event with event='no'"):
        build("y ~ x", data)
    spec, arrays = build("y ~ x", data, event="no")
    assert arrays.y.tolist() == [1.0] * 4 and (spec.event, spec.other) == ("no", None) and arrays.notes == ()
    spec, arrays = build("y ~ x", data, event="yes")
    assert arrays.y.tolist() == [0.0] * 4 and (spec.event, spec.other) == ("yes", "no")
    assert arrays.notes == ("outcome 'y': the event 'yes' does not occur; every row is 'no'.",)
    declared = data.assign(y=pd.Categorical(data["y"], categories=["no", "yes"]))
    assert build("y ~ x", declared, event="yes")[1].y.tolist() == [0.0] * 4
    with pytest.raises(DataError, match="has no level 'maybe'; its levels are 'no' and 'yes'"):
        build("y ~ x", declared, event="maybe")


# --- missing values and labels of companions -------------------------------------------------------------------------


@pytest.mark.parametrize("values", [pd.array([1, 2, None, 1], dtype="Int64"), [1, 2, pd.NA, 1], [1, 2, None, 1]])
@pytest.mark.parametrize("wrap", [lambda v: v, pd.Series])
def test_missing_weights_of_any_kind_are_missing(values, wrap):
    data = pd.DataFrame({"y": [0, 1, 0, 1], "x": [1.0, 2.0, 3.0, 5.0]})
    with pytest.raises(DataError, match=r"missing values in weights \(1 row\): 1 of 4 rows"):
        build("y ~ x", data, weights=wrap(values))
    _, arrays = build("y ~ x", data, weights=wrap(values), missing="drop")
    assert arrays.kept.tolist() == [True, True, False, True] and arrays.weights.tolist() == [1.0, 2.0, 1.0]
