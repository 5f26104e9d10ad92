"""A formula is data, not code: a corpus of attacks, each refused, and proof that nothing of them ran."""

from __future__ import annotations

import builtins
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeslogit.errors import BayeslogitError, DataError, FormulaError
from bayeslogit.formula import FormulaSpec, build
from bayeslogit.formula_guard import CONTRASTS, TRANSFORMS, check_formula, read_formula

MARK = "BAYESLOGIT_FORMULA_RAN"

CORPUS = Path(__file__).with_name("formula_attacks.txt").read_text(encoding="utf-8").splitlines()[1:]
ATTACKS = [
    *CORPUS,
    "y ~ {x\n)+print(1)+(x}",
    "y ~ I(x * " + "9" * 400 + ")",
    "y ~ " + "(" * 5000 + "x" + ")" * 5000,
    "y ~ I(" + "(" * 300 + "x" + ")" * 300 + ")",
    "y ~ I(" + "-" * 5000 + "x)",
    "y ~ I(" + "not " * 3000 + "x)",
    "y ~ I(" + "+".join(["x"] * 3000) + ")",
    "y ~ " + "log(" * 2000 + "x" + ")" * 2000,
    "y ~ " + "x" * 1_000_000,
    "y ~ " + "+ x" * 200_000,
    "",
    "   ",
    "y ~ x \x00 z",
    "y ~ x \x1b[31m z",
]

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]


@pytest.fixture
def trapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[str]:
    """A list that grows when anything that an attack could reach is called."""
    ran: list[str] = []

    def trap(name: str) -> Any:
        return lambda *args, **kwargs: ran.append(name)

    monkeypatch.chdir(tmp_path)
    for module, name in [
        (os, "system"),
        (os, "popen"),
        (subprocess, "Popen"),
        (builtins, "print"),
        (builtins, "open"),
        (np, "save"),
        (np, "load"),
        (pd.Series, "to_csv"),
        (pd.Series, "pipe"),
    ]:
        monkeypatch.setattr(module, name, trap(name))
    return ran


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    data = {name: rng.uniform(1.0, 2.0, 30) for name in LETTERS}
    return pd.DataFrame(data | {"y": rng.integers(0, 2, 30), "g": list("abc") * 10})


@pytest.mark.parametrize("formula", ATTACKS, ids=[f"{k}: {text[:40]!r}" for k, text in enumerate(ATTACKS)])
def test_attacks_are_refused_and_nothing_runs(formula, frame, trapped, tmp_path):
    before = frame.copy(deep=True)
    start = time.process_time()  # a loaded machine gives less of it, and adds none
    with pytest.raises(FormulaError) as caught:
        build(formula, frame)
    assert time.process_time() - start < 5.0
    assert trapped == []
    assert list(tmp_path.iterdir()) == []
    pd.testing.assert_frame_equal(frame, before)
    assert "\x1b" not in str(caught.value)
    assert "_v0_" not in str(caught.value)


@pytest.mark.parametrize("formula", [None, 3, b"y ~ x", ["y ~ x"]])
def test_a_formula_is_text(formula):
    with pytest.raises(FormulaError, match="A formula is text such as 'y ~ x', not"):
        check_formula(formula)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ __import__('os').system('x')", "a formula is data, not code"),
        ("y ~ np.log(x)", r"Write log\(...\) for np.log\(...\)"),
        ("y ~ I(x.y)", "If 'x.y' is a column, put it in backticks: `x.y`"),
        ("y ~ foo(x)", "'foo' in 'foo(x)' is not allowed"),
        ("y ~ foo(x)", "Allowed are column names, numbers, arithmetic, comparisons, and the transforms C, I, log"),
        ("y ~ log(x, z)", "log takes nothing besides the data"),
        ("y ~ poly(x, 999)", "degree is a whole number up to 100"),
        ("y ~ C(x, foo)", "It is not the name of a contrast"),
        ("y ~ I(0 < x < 1)", "Compare two things at a time"),
        ("y ~ I(x ** 99)", "A power is a number up to 10, of something that names a column"),
        ("y ~ I(3)", "It names no column"),
        ("y ~ log(C(x))", r"C\(...\) makes a factor; it cannot stand inside"),
        ("y ~ .", "'.' for all other columns is not supported; name the columns"),
        ("y ~ x | g", r"group terms with '\|' are not part of this model"),
        ("y ~ x[1]", "'x.1.' in 'x.1.' is not allowed|square brackets are not allowed"),
        ("x + z", "has no outcome: write 'outcome ~ terms'"),
        ("~ x", "has no outcome: write 'outcome ~ terms'"),
        ("y ~", "has no terms; for an intercept alone write 'outcome ~ 1'"),
        ("y ~ x ~ z", "more than one '~'"),
        ("log(y) ~ x", "the left side must be the name of one column"),
        ("y ~ x + y", "has the outcome 'y' on both sides"),
        ("y ~ x + log(y)", "has the outcome 'y' on both sides"),
        ("y ~ 3 + x", "'3' in .* a number or string by itself is no term"),
        ("y ~ x ** 99", "a power of terms is a whole number up to 10, not 99"),
        ("y ~ (a+b+c+d+e+f)**9", "would make more than 1,000 terms"),
        ("y ~ x +", "cannot be read"),
        ("y ~ log(x", "cannot be read: Formula ended before quote context was closed"),
        ("y ~ x \\ z", "backslash or a control character"),
        ("y ~ " + "(" * 99 + "x" + ")" * 99, "nests 99 brackets; at most 40"),
        ("y ~ " + "x" * 99_999, "has 100,003 characters; the longest allowed has 20,000"),
        ("y ~ I(``)", "A pair of backticks holds no column name"),
    ],
)
def test_errors_say_what_is_wrong(formula, words):
    escaped = (
        words if any(mark in words for mark in ("\\", "|", ".*")) else words.replace("(", r"\(").replace(")", r"\)")
    )
    with pytest.raises(FormulaError, match=escaped.replace("...", r"\.\.\.") if "\\" not in escaped else escaped):
        check_formula(formula)


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("y ~ x", ("x",)),
        ("y~x", ("x",)),
        ("y ~-1+x", ("x",)),
        ("y ~ 1", ()),
        ("y ~ 0 + g", ("g",)),
        ("y ~ x*g + x:z - z", ("x", "g", "z")),
        ("y ~ (a + b + c)**2", ("a", "b", "c")),
        ("y ~ a / b", ("a", "b")),
        ("y ~ a %in% b", ("a", "b")),
        ("y ~ {x + z}", ("x", "z")),
        ("y ~ I(x\n  + z)", ("x", "z")),
        ("y ~ I(x > 1) + I(g == 'a') + I(x != -1.5)", ("x", "g")),
        ("y ~ log(x) + log1p(x) + log2(x) + log10(x) + exp(x) + expm1(x) + sqrt(x) + abs(x)", ("x",)),
        ("y ~ center(x) + scale(log(x), ddof=0) + standardize(x)", ("x",)),
        ("y ~ poly(x, 2) + poly(z, degree=3, raw=True)", ("x", "z")),
        ("y ~ bs(x, df=5) + cs(x, df=4) + cr(x, 4) + cc(x, 4) + bs(z, knots=[1.2, 1.5], degree=2)", ("x", "z")),
        ("y ~ C(g) + C(g, Treatment('b')) + C(g, contr.treatment(base='c'))", ("g",)),
        ("y ~ C(g, Sum) + C(g, contr.sum()) + C(g, Helmert) + C(g, contr.poly) + C(g, Diff())", ("g",)),
        ("y ~ C(x, Treatment(2)) + C(g, levels=['a', 'b', 'c'], spans_intercept=False)", ("x", "g")),
        ("y ~ `a b` + log(`a.b`)", ("a b", "a.b")),
        ("y ~ `__import__('os').system('id')`", ("__import__('os').system('id')",)),
        ("y ~ log(`__import__('os')`)", ("__import__('os')",)),
        ("`the outcome` ~ x", ("x",)),
        ("y ~ a.b", ("a.b",)),
        ("y ~ I(µg / 2)", ("µg",)),
        ("y ~ größe + 年齢", ("größe", "年齢")),
        ("y ~ I(`not` + `lambda`)", ("not", "lambda")),
        ("y ~ log(log)", ("log",)),
        ("y ~ __import__ + np", ("__import__", "np")),  # no call: only names of columns, which need not be there
        ("y ~ " + " + ".join(f"x{k}" for k in range(900)), tuple(f"x{k}" for k in range(900))),
    ],
)
def test_what_a_formula_may_say(formula, columns):
    check_formula(formula)
    assert set(read_formula(formula).variables) == set(columns)


def test_the_rewritten_text_holds_nothing_of_the_users():
    reading = read_formula("y ~ `os.system('a')`:C(`évil ;`, Treatment('print(1)')) + log(`x`)")
    assert reading.text == "_v0_ : {C(_v1_, Treatment(_v2_))} + {log(_v3_)}"
    assert reading.shown("{C(_v1_, Treatment(_v2_))}") == "{C(`évil ;`, Treatment('print(1)'))}"
    assert reading.shown("_v0_") == "os.system('a')"
    assert dict(reading.strings) == {"_v2_": "print(1)"}


def test_safe_names_avoid_what_is_in_the_formula_and_the_levels():
    assert read_formula("y ~ _v0_ + log(x)").text == "_vv0_ + {log(_vv1_)}"
    assert read_formula("y ~ x", avoid=["a_vv0_b"]).prefix not in "a_vv0_b"


def test_a_saved_spec_with_an_edited_formula_is_refused(frame, trapped):
    record = build("y ~ x", frame)[0].to_dict()
    with pytest.raises(FormulaError, match="data, not code"):
        FormulaSpec.from_dict(record | {"formula": "y ~ __import__('os').system('id')"})
    assert trapped == []


EVIL = "__import__('os').system('touch BAYESLOGIT_FORMULA_RAN')"
NAMES = [
    *TRANSFORMS,
    *(name for name in CONTRASTS if "." not in name),
    *("contr", "np", "Q", "hashed", "lag", "Intercept_", "_v0_", "_v1_", "_vv0_", "__FORMULAIC_STATE__"),
    *("__FORMULAIC_CONTEXT__", "__builtins__", "__import__", "lambda", "not", "None", "True", "yield", "print"),
    *(EVIL, "f'{print(1)}'", "a b", "it's", 'say "hi"', "x]", "x[0]", "{x}", "%s", "a:b", "a + b", "~", "1", "1e5"),
    *("ｌｏｇ", "µ", "ﬁ", "名前", "x\u00a0y", "data", "o", "l", "C(x)"),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_columns_are_never_evaluated(name, trapped, tmp_path):
    """A column may be called anything: the numbers are those of the same data under a plain name."""
    rng = np.random.default_rng(11)
    values, other = rng.uniform(1.0, 2.0, 40), rng.uniform(1.0, 2.0, 40)
    plain = pd.DataFrame({"y": [0, 1] * 20, "x": other, "plain": values})
    named = plain.rename(columns={"plain": name})
    for template in ("y ~ {} + x", "y ~ log({}) + I({} * x)", "y ~ scale({}) + {}:x", "y ~ C({}, Sum):x + poly({}, 2)"):
        expected = build(template.format(*["plain"] * 3), plain)[1].X
        spec, arrays = build(template.format(*[f"`{name}`"] * 3), named)
        np.testing.assert_array_equal(arrays.X, expected)
        np.testing.assert_array_equal(spec.transform(named), expected)
        np.testing.assert_array_equal(FormulaSpec.from_dict(spec.to_dict()).transform(named), expected)
        assert not any("_v0_" in column for column in spec.columns) or name == "_v0_"
    assert trapped == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "level", [EVIL, "_v0_", "_v1_", "a'b", 'a"b', "a`b", "[1, 2)", "{x}", "T.a", "a:b", "\\", "", " ", "__other__"]
)
def test_the_levels_of_factors_are_never_evaluated(level, trapped):
    data = pd.DataFrame({"y": [0, 1] * 10, "g": [level, "plain"] * 10, "x": np.arange(20.0)})
    spec, arrays = build("y ~ 0 + g + g:x", data)
    assert f"g[{level}]" in spec.columns
    np.testing.assert_array_equal(arrays.X[:, spec.columns.index(f"g[{level}]")], [1.0, 0.0] * 10)
    np.testing.assert_array_equal(spec.transform(data), arrays.X)
    assert trapped == []


def test_an_unused_column_named_like_a_transform_disturbs_nothing():
    data = pd.DataFrame({"y": [0, 1] * 10, "x": np.arange(1.0, 21.0), "log": 7.0, "C": "a", "scale": 1})
    np.testing.assert_array_equal(build("y ~ log(x)", data)[1].X[:, 1], np.log(data["x"]))
    both = build("y ~ log(log) + log", data.assign(log=data["x"]))
    assert both[0].columns == ("Intercept", "log(log)", "log")
    np.testing.assert_array_equal(both[1].X[:, 1], np.log(data["x"]))


def test_a_missing_name_is_a_missing_column_not_a_python_name():
    with pytest.raises(DataError, match="there is no column '__import__'"):
        build("y ~ __import__", pd.DataFrame({"y": [0, 1], "x": [1.0, 2.0]}))
    with pytest.raises(DataError, match="there is no column 'np'"):
        build("y ~ log(np)", pd.DataFrame({"y": [0, 1], "x": [1.0, 2.0]}))


def test_random_text_is_refused_or_understood_and_never_runs(frame, trapped):
    rng = np.random.default_rng(0)
    pieces = [
        "x",
        "z",
        "g",
        "log",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "`",
        "'",
        '"',
        "+",
        "-",
        "*",
        "**",
        ":",
        "/",
        "%",
        "~",
    ]
    pieces += [
        " ",
        ",",
        ".",
        "1",
        "2",
        "0",
        "C",
        "I",
        "poly",
        "=",
        "__import__",
        "print",
        "os",
        "|",
        "lambda",
        "if",
        "µ",
    ]
    for _ in range(3000):
        text = "y ~ " + "".join(rng.choice(pieces, size=rng.integers(1, 12)))
        try:
            build(text, frame)
        except BayeslogitError:
            pass
    assert trapped == []


def test_the_traps_work_on_formulaic_without_the_guard(frame, trapped):
    """The control: the same kind of text, given to formulaic directly, does run."""
    from formulaic import model_matrix

    model_matrix("{__import__('os').system('id') or x}", frame)
    assert "system" in trapped


# --- terms that would vanish -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("x**2", r"a power of one term is that term again: x\*\*2 is x; write I\(x\*\*2\) or poly\(x, 2\)"),
        ("x^2", r"write I\(x\*\*2\) or poly\(x, 2\)"),
        ("x + (z)**3", r"write I\(z\*\*3\) or poly\(z, 3\)"),
        ("`my col`**2", r"write I\(`my col`\*\*2\) or poly\(`my col`, 2\)"),
        ("log(x)**2", r"write I\(log\(x\)\*\*2\) or poly\(log\(x\), 2\)"),
        ("(x:z)**2", r"that term again; for powers of numbers write I"),
        ("-x", "takes away the term x, which is not there"),
        ("x - z", "takes away the term z, which is not there"),
        ("x:z - w:z", "takes away the term w:z, which is not there"),
        ("x + (-z)", "takes away the term z, which is not there"),
        ("x + (z - 1)", "takes away the intercept inside brackets"),
        ("x - log(z)", r"takes away the term log\(z\), which is not there"),
        ("x - (a+b+c+d+e+f+g+h+i+j)**10", "would make more than 1,000 terms"),
    ],
)
def test_terms_do_not_vanish_in_silence(right, words):
    with pytest.raises(FormulaError, match=words):
        read_formula(f"y ~ {right}")


@pytest.mark.parametrize(
    ("right", "columns"),
    [
        ("x**1", "1 x"),
        ("(a + b)**2", "1 a b a:b"),
        ("(a + b)^2 - a:b", "1 a b"),
        ("(a*b)**2", "1 a b a:b"),
        ("a*b - a:b", "1 a b"),
        ("x - 1", "x"),
        ("-1 + x", "x"),
        ("0 + x", "x"),
        ("x + 0 - 1", "x"),
        ("1", "1"),
        ("-1 + a*b - b", "a a:b"),
        ("a + b - (a + b) + x", "1 x"),
        ("I(x**2)", "1 I(x**2)"),
        ("a*b*c - a:b:c", "1 a b c a:b a:c b:c"),
        ("(x + z)**2 - 1", "x z x:z"),
    ],
)
def test_powers_and_signs_that_mean_something_stay(right, columns, frame):
    spec, _ = build(f"y ~ {right}", frame)
    assert " ".join(name.replace("Intercept", "1").replace(" ", "") for name in spec.columns) == columns


def test_a_message_does_not_quote_a_page():
    formula = "y ~ " + " + ".join(f"x{j}" for j in range(1500))
    with pytest.raises(FormulaError, match=r"^'y ~ x0 .* \.\.\. .*x1499' would make more than 1,000 terms") as error:
        read_formula(formula)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("formula", "here"),
    [
        ("y ~ factor(g)", "Write C(x) for factor(x)."),
        ("y ~ as.factor(g)", "Write C(x) for as.factor(x)."),
        ("y ~ relevel(g, 'b')", "C(x, Treatment('b'))"),
        ("y ~ x + offset(log(x))", "offset='column'"),
        ("cbind(y, n) ~ x", "trials='n'"),
        ("y ~ ns(x, 3)", "cr(x, df=3)"),
        ("y ~ s(x)", "bs(x, df=5)"),
        ("y ~ I(x^2)", "Write ** for a power."),
        ("y ~ x + (1 | g)", "bl.Hierarchical"),
        ("y ~ Q('a b')", "goes in backticks"),
    ],
)
def test_what_other_systems_write_is_translated(formula, here):
    with pytest.raises(FormulaError) as raised:
        read_formula(formula)
    assert here in str(raised.value)
    assert ("Allowed are" in str(raised.value)) == (formula == "y ~ I(x^2)")
