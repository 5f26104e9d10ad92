"""Tables: how numbers become text, what is refused, and that nothing is lost or obeyed on the way out."""

from __future__ import annotations

import html
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeslogit.errors import ArgumentError
from bayeslogit.plaintext import display_width, grid_lines, printable, wrap
from bayeslogit.table import (
    KINDS,
    Column,
    Table,
    align_decimals,
    format_cell,
    format_column,
    html_fragment,
    prose_with_minus,
    with_minus,
)

HOSTILE = "<script>alert(1)</script>"


def coefficients() -> Table:
    return Table(
        "coefficients",
        "Coefficients",
        (
            Column("term", "term"),
            Column("estimate", "log-odds (mode)", "number"),
            Column("sd", "sd", "number"),
            Column("odds_ratio", "odds ratio", "ratio"),
            Column("share", "prior share", "percent"),
        ),
        (
            ("Intercept", 0.000271, 0.0794, 1.00027, 0.001),
            ("dist100", -0.89664, 0.1043, 0.4079, 0.0003),
            (HOSTILE, float("nan"), None, math.inf, 0.0),
        ),
        header=("Prior: Normal(0, 2.5)", "95 % interval"),
        notes=("A note.", "Another | note."),
    )


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("number", (0.46064, -0.89664, 0.04132), ("0.461", "-0.897", "0.041")),
        ("number", (0.0024, 1.23456), ("0.0024", "1.2346")),
        ("number", (33.31, 150.25), ("33.3", "150.2")),
        ("number", (2.5, 5.0), ("2.5", "5.0")),
        ("number", (1, 2.0, 3), ("1", "2", "3")),
        ("number", (1.2e-7, 0.5, 1.2e9), ("1.2e-07", "0.5", "1.2e+09")),
        ("number", (12345.678, 0.0123), ("12346", "0.0123")),
        ("number", (-1970.2135, -1970.2541), ("-1970.214", "-1970.254")),
        ("number", (-0.0, 0.25), ("0.00", "0.25")),
        ("number", (None, math.nan, math.inf, -math.inf), ("\u2014", "\u2014", "\u221e", "-\u221e")),
        ("ratio", (1.0004, 1.5851, 0.4079), ("1.000", "1.585", "0.408")),
        ("ratio", (0.9911, 0.9893, 0.9932), ("0.9911", "0.9893", "0.9932")),
        ("ratio", (12345.6, 0.4079, 1.0), ("12346", "0.408", "1.00")),
        ("ratio", (1e-9, 1.5, 1e12), ("1.0e-09", "1.50", "1.0e+12")),
        ("percent", (0.123, 1.0, 0.0), ("12.3%", "100.0%", "0.0%")),
        ("percent", (0.00001, 0.5, 0.99999), ("<0.1%", "50.0%", ">99.9%")),
        ("percent", (0.0004, 0.0001), ("0.040%", "0.010%")),
        ("count", (3020, 1_000_000, 12.5, 0), ("3,020", "1,000,000", "12.5", "0")),
        ("text", ("a", 2.5, 3, True, None), ("a", "2.5", "3", "yes", "\u2014")),
        ("number", (), ()),
    ],
)
def test_a_column_is_formatted_as_a_whole(kind, values, texts):
    assert format_column(values, kind) == texts


def test_an_sd_decides_how_many_decimals_its_estimates_deserve():
    assert coefficients().texts()[0][1] == "0.000"
    assert format_column((0.000271, -0.89664), sds=(0.5, 1.0)) == ("0.000", "-0.897")  # round sds rule all the same
    assert format_column((1e-9, 0.5), sds=(1e-9, 0.1)) == ("1.0e-09", "0.5")  # a tiny sd: no rule for the others


def test_numpy_scalars_are_cells():
    assert format_column((np.float64(0.5), np.float32(0.25)), "number") == ("0.50", "0.25")
    assert format_cell(np.int64(3020), "count") == "3,020"
    assert format_cell(np.bool_(True), "text") == "yes"


@given(st.lists(st.one_of(st.floats(), st.none(), st.booleans(), st.integers()), max_size=8), st.sampled_from(KINDS))
def test_every_value_has_a_text(values, kind):
    if any(isinstance(v, int) and abs(v) > 1e300 for v in values):
        return
    texts = format_column(values, kind)
    assert len(texts) == len(values)
    assert all(texts)
    assert not any("nan" in text or "inf" in text for text in texts)
    assert not any(re.fullmatch(r"-0(\.0*)?%?", text) for text in texts)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=8))
def test_printed_numbers_keep_two_digits_of_each_value(values):
    for value, text in zip(values, format_column(values, "number"), strict=True):
        assert float(text) == pytest.approx(value, rel=0.051, abs=0)
        assert "." not in text or "e" in text or len(text.partition(".")[2]) <= 7


def test_decimal_points_meet():
    assert align_decimals(("12346", "0.0123", "\u2014", "1.2e-07")) == (
        "12346\u2008\u2007\u2007\u2007\u2007",
        "0.0123",
        "\u2014",
        "1.2e-07",
    )


def test_minus_signs_are_set_in_html_and_exponents():
    assert with_minus("-0.5") == "\u22120.5"
    assert with_minus("1.2e-07") == "1.2e\u221207"
    assert with_minus("data-led") == "data-led"


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("Log likelihood -233.54; effective parameters 5.98", 1),
        ("-0.489 promised, -0.438 \u00b1 0.030, -1,234.5 and -.5", 4),
        ("from -0.5 to -0.3 (-\u221e\u2013-1), about -3.", 5),
        ("6.1e-13 posterior sd; -2.5e-07", 3),
        ("changes by -5% or -5 %", 2),
        ("pages 1282-1291, doi 10.1038/s41562-021-01177-7, on 2026-11-21", 0),
        ("SHA-256, k-hat, data-led, --posterior, file -2.csv, 3e-07ab", 0),
        ("C(x)[-1], C(x)[T.-1], x_-1, mean=-0.5, 1/-2", 1),
        ("y ~ -1 + x and type ~ a -1", 0),
    ],
)
def test_minus_signs_in_prose_are_those_of_numbers(text, signs):
    found = prose_with_minus(text)
    assert found.count("\u2212") == signs
    assert found.replace("\u2212", "-") == text


def test_an_effect_has_the_decimals_of_its_interval():
    keys = ("effect", "sd", "lower", "upper")
    rows = (("glu", 0.0049, 0.00044, 0.00402, 0.00575), ("age", 0.0034, 0.00186, -0.00028, 0.00696))
    table = Table("t", "T", (Column("term", "term"), *(Column(key, key, "number") for key in keys)), rows)
    assert {len(text.partition(".")[2]) for row in table.texts() for text in row[1:]} == {5}


def test_captions_have_minus_signs_and_names_keep_their_hyphens():
    columns = (Column("term", "x -1"), Column("value", "value -2", "number"))
    table = Table("t", "Trial -3", columns, (("level -4", -5.0),), ("Log likelihood -6.5",), ("At most -7.5",))
    text = table.to_html()
    for kept in ("x -1<", "value -2<", "Trial -3<", "level -4<"):
        assert kept in text
    for changed in ("\u22125", "likelihood \u22126.5", "most \u22127.5"):
        assert changed in text
    for other in (str(table), table.to_markdown(), table.to_json(), table.to_csv()):
        assert "\u2212" not in other


def test_access_by_key():
    table = coefficients()
    assert table.column("sd") == (0.0794, 0.1043, None)
    assert table.records()[1]["estimate"] == -0.89664  # raw, not rounded
    with pytest.raises(KeyError, match="has no column 'se'; it has term, estimate"):
        table.column("se")


def test_malformed_tables_are_refused_by_name():
    with pytest.raises(ArgumentError, match="Column 'a': kind 'money' is not one of text, number"):
        Column("a", "a", "money")
    with pytest.raises(ArgumentError, match=r"Table 't': row 1 has 1 cells for 2 columns"):
        Table("t", "T", (Column("a", "a"), Column("b", "b")), (("x", "y"), ("x",)))
    with pytest.raises(ArgumentError, match="Table 't': two columns share a key"):
        Table("t", "T", (Column("a", "a"), Column("a", "b")), ())


def test_plain_text_is_aligned_and_complete():
    text = str(coefficients())
    lines = text.splitlines()
    assert lines[0] == "Coefficients"
    assert lines[1] == "Prior: Normal(0, 2.5)"
    assert max(map(len, lines)) <= 100
    rows = [line for line in lines if line.startswith(("Intercept", "dist100", "<script>"))]
    assert [row.index(".") - row.rindex(" ", 0, row.index(".")) for row in rows[:2]] == [2, 3]
    assert rows[0].index("0.000") == rows[1].index("-0.897") + 1
    assert "* A note." in lines
    assert "-0.897" in text
    assert "\u2212" not in text  # ASCII minus: numbers can be pasted


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_wide_table_is_folded_and_loses_nothing(width):
    columns = (Column("term", "term"), *(Column(f"c{j}", f"column number {j}", "number") for j in range(12)))
    rows = tuple((f"term {i}", *(1000.5 + i + j / 8 for j in range(12))) for i in range(3))
    table = Table("wide", "Wide", columns, rows)
    from bayeslogit.table import plain_lines

    lines = [line for _, line in plain_lines(table, width)]
    assert max(map(display_width, lines)) <= width
    printed = " ".join(lines).split()
    assert all(text in printed for row in table.texts() for text in row[1:])
    blocks = sum(set(line) == {"\u2500"} for line in lines)
    assert blocks >= 2 or width == 100
    assert sum(line.startswith("term 0") for line in lines) == blocks


def test_an_empty_table_says_so():
    table = Table("e", "Empty", (Column("a", "a"), Column("b", "b", "number")), ())
    assert "(no rows)" in str(table)
    assert "(no rows)" in html_fragment(table)


def test_terminal_controls_are_spelt_out():
    assert printable("a\x1b[31m\nb\u202ec\ud800") == r"a\x1b[31m\nb\u202ec\ud800"
    table = Table("t", "T\x07", (Column("a", "a\x1b]0;x"),), (("\x1b[2J",),), notes=("n\r",))
    for text in (str(table), html_fragment(table)):
        assert not set("\x1b\x07\r") & set(text)
        assert r"\x1b[2J" in text


def test_lines_are_wrapped_by_what_they_take_on_screen():
    assert wrap("ab cd ef", 5) == ["ab cd", "ef"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("a 95 % interval", 6) == ["a 95 %", "interv", "al"]  # a percent sign stays with its number
    assert all(display_width(line) <= 5 for line in wrap("\u65e5\u672c\u8a9e\u306e\u8868", 5))
    assert "".join(wrap("\u65e5\u672c\u8a9e\u306e\u8868", 5)) == "\u65e5\u672c\u8a9e\u306e\u8868"
    assert display_width("e\u0301") == 1


@given(st.text(max_size=60), st.integers(2, 30))
def test_wrapping_keeps_every_character(text, width):
    lines = wrap(printable(text), width)
    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "")
    assert all(display_width(line) <= width for line in lines)


def test_a_grid_of_wide_characters_stands_in_line():
    lines = [
        line
        for role, line in grid_lines(["a", "b"], [["\u8868", "x"], ["1", "22"]], [True, False], 40)
        if role == "row"
    ]
    assert [display_width(line) for line in lines] == [6, 6]


def test_html_is_escaped_scoped_and_complete():
    text = coefficients()._repr_html_()
    assert "<script" not in text
    assert html.escape(HOSTILE) in text
    assert text.count('scope="col"') == 5
    assert text.count('scope="row"') == 3
    assert "<caption" in text
    assert "\u22120.897" in text
    assert "Another | note." in text
    assert "95\u00a0% interval" in text
    assert 'data-label="odds ratio"' in text
    hostile = Table(
        '"><b>', "<i>", (Column("a", '" onload="x'), Column("b", "<u>")), (("<b>", "&amp;"),), ("<h>",), ("<n>",)
    )
    fragment = html_fragment(hostile)
    assert not re.search(r"<(b|i|u|h|n)>", fragment)
    assert 'onload="x' not in fragment.replace("&quot;", "'")
    assert "&amp;amp;" in fragment


def test_an_interactive_session_shows_the_table_itself():
    table = Table("t", "Numbers", (Column("a", "a", "number"),), ((1.5,),))
    assert repr(table) == str(table) and "Table(" not in repr(table)
