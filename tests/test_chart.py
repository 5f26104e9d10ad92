"""Charts: every number reaches its table, every text is escaped, and the drawing is the same each time."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslogit.chart import Chart, calibration, forest
from bayeslogit.errors import ArgumentError
from bayeslogit.lettering import cut_off, fit_lines, kept_apart, shortened, text_width
from bayeslogit.marks import (
    Axis,
    Band,
    End,
    Intervals,
    Line,
    Note,
    Plot,
    Points,
    Row,
    Rule,
    nice_ticks,
    ratio_ticks,
    unit_range,
)
from bayeslogit.svg import draw
from bayeslogit.table import Column, Table

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script> & $x$'


def wells() -> Chart:
    return forest(
        ["dist100", "arsenic", HOSTILE],
        [-0.897, 0.461, math.nan],
        [-1.101, 0.380, math.nan],
        [-0.692, 0.542, math.nan],
        prior_lower=[-12.7, -4.4, math.nan],
        prior_upper=[12.7, 4.4, math.nan],
        notes=["Costs in $; gains in $."],
    )


def wells_calibration(**more) -> Chart:
    return calibration(
        [0.3, 0.5, 0.8],
        [0.28, 0.52, 0.79],
        [0.2, 0.45, 0.7],
        [0.36, 0.59, 0.86],
        [100, 200, 50],
        unit="households",
        **more,
    )


def parsed(chart: Plot, width: float = 720.0) -> ElementTree.Element:
    return ElementTree.fromstring(draw(chart, width))


def texts_of(root: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def test_the_drawing_names_itself_for_those_who_cannot_see_it():
    root = parsed(wells())
    assert root.get("role") == "img"
    title, description = root.get("aria-labelledby").split()
    named = {e.get("id"): e.text for e in root if e.get("id")}
    assert named[title] == "Coefficients with their intervals"
    assert "Forest plot of 3 rows" in named[description]


def test_axes_name_their_scale_and_rows_their_numbers():
    texts = texts_of(parsed(wells()))
    assert "log-odds (mode and 95 % interval)" in texts
    assert "odds ratio (log scale)" in texts
    assert "odds ratio (95 % interval)" in texts
    assert "0.408 (0.333\u20130.501)" in texts
    assert "\u2014" in texts  # the row without numbers
    assert any(text.startswith("prior 95 % interval (goes on") for text in texts)


def test_nothing_that_a_column_is_called_becomes_markup():
    for chart in (wells(), wells_calibration(title=HOSTILE, interval=HOSTILE, description=HOSTILE)):
        for width in (720.0, 350.0):
            text = chart.svg(width)
            assert "<script" not in text
            ElementTree.fromstring(text)


def test_the_same_chart_is_the_same_text():
    assert wells()._repr_svg_() == wells().svg(720.0)
    assert wells().svg(350.0) != wells().svg(720.0)


def test_everything_stands_inside_the_drawing():
    long = "C(region)[T.a very long level name which nobody abbreviated]" * 3
    chart = forest([long, "x", "y"], [0.1, -800.0, 3e5], [0.0, -900.0, -math.inf], [0.2, -700.0, math.inf])
    for width in (720.0, 350.0):
        root = parsed(chart, width)
        height = float(root.get("height"))
        for element in root.iter():
            for name in ("x", "x1", "x2", "cx"):
                assert -0.1 <= float(element.get(name, 0.0)) <= width + 0.1
            for name in ("y", "y1", "y2", "cy"):
                assert -0.1 <= float(element.get(name, 0.0)) <= height + 0.1
        titles = [e.text for e in root.iter(f"{SVG}title")]
        assert long in titles  # shortened on the page, whole in its <title>


def test_texts_do_not_run_out_of_the_drawing():
    for chart in (wells(), wells_calibration(histogram=([0, 0.5, 1], [200, 150]))):
        for width in (720.0, 350.0):
            for element in parsed(chart, width).iter(f"{SVG}text"):
                if element.get("transform"):
                    continue
                size = text_width("".join(element.itertext()), 11.0) * 0.9  # the measure is generous
                kind = element.get("class") or ""
                start = float(element.get("x")) - (size if "end" in kind else size / 2 if "mid" in kind else 0.0)
                assert start >= -1.0
                assert start + size <= width + 1.0


def test_rows_beyond_the_limit_are_counted_in_a_note_and_stay_in_the_table():
    k = 57
    chart = forest([f"x{i}" for i in range(k)], [0.1] * k, [0.0] * k, [0.2] * k, notes=("kept",))
    assert len(chart.rows) == 40
    assert chart.notes == ("17 of 57 rows are not drawn; the table of this chart has them all.", "kept")
    assert len(chart.data.rows) == k
    assert any("17 of 57" in text for text in texts_of(parsed(chart)))


def test_one_wild_interval_does_not_flatten_the_others():
    k = 8
    chart = forest([f"x{i}" for i in range(k)], [0.1 * i for i in range(k)], [-1.0] * k, [1.0] * (k - 1) + [500.0])
    assert chart.x.upper < 10.0


def test_the_prior_widens_the_axis_only_a_little():
    assert wells().x.upper < 1.0
    near = forest(["a"], [0.5], [-0.5], [1.5], prior_lower=[-1.0], prior_upper=[2.0])
    assert near.x.upper > 2.0


def test_the_data_twin_has_raw_values():
    assert wells().data.column("estimate")[:2] == (-0.897, 0.461)
    assert wells().data.column("prior_upper")[:2] == (12.7, 4.4)
    assert wells_calibration().data.column("count") == (100.0, 200.0, 50.0)
    assert "Wilson" in str(wells_calibration())


def test_a_rare_event_gets_its_own_scale_and_a_common_one_the_whole():
    rare = calibration([0.0005, 0.004], [0.0, 0.003], [0.0, 0.001], [0.002, 0.007], [500, 500])
    assert (rare.x.lower, rare.y.lower) == (0.0, 0.0)
    assert rare.x.upper == rare.y.upper == pytest.approx(0.008)
    assert (wells_calibration().x.lower, wells_calibration().x.upper) == (0.0, 1.0)


def test_areas_follow_counts():
    (points,) = (layer for layer in wells_calibration().layers if isinstance(layer, Points))
    assert points.size == (0.5, 1.0, 0.25)


def test_wrong_lengths_are_named():
    with pytest.raises(ArgumentError, match=r"forest: needs sequences of one length, at least 1; got \{'labels': 2"):
        forest(["a", "b"], [1.0], [0.0], [2.0])
    with pytest.raises(ArgumentError, match="forest: needs sequences"):
        forest([], [], [], [])
    with pytest.raises(ArgumentError, match="calibration: needs sequences"):
        calibration([0.1], [0.1], [0.0], [0.2], [3, 4])
    with pytest.raises(ArgumentError, match="a histogram of 2 counts needs one edge more, not 2"):
        wells_calibration(histogram=([0, 1], [3, 4]))


@pytest.mark.parametrize(
    ("lower", "upper", "texts"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-1.2, 0.9, ["-1.0", "-0.5", "0.0", "0.5"]),
        (0.0, 0.008, ["0.000", "0.002", "0.004", "0.006", "0.008"]),
        (0.0, 40.0, ["0", "10", "20", "30", "40"]),
    ],
)
def test_ticks_are_round(lower, upper, texts):
    assert [text for _, text in nice_ticks(lower, upper, 6)] == texts


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.29, 4.2, ["0.3", "0.5", "0.7", "1", "1.5", "2", "3"]),
        (0.95, 1.06, ["0.96", "0.98", "1.00", "1.02", "1.04", "1.06"]),
        (1e-6, 1e6, None),
    ],
)
def test_ratio_ticks_are_round_ratios_at_their_logarithms(low, high, texts):
    ticks = ratio_ticks(math.log(low), math.log(high))
    assert texts is None or [text for _, text in ticks] == texts
    assert 2 <= len(ticks) <= 8
    for position, text in ticks:
        assert math.exp(position) == pytest.approx(float(text), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats()), min_size=1, max_size=5), st.text(max_size=30))
def test_any_numbers_and_any_name_make_a_drawing(rows, label):
    estimate, lower, upper = zip(*rows, strict=True)
    chart = forest([label] * len(rows), estimate, lower, upper, prior_lower=lower, prior_upper=upper)
    for width in (720.0, 350.0):
        assert not re.search(r'="[^"]*(nan|inf)', re.sub(r"<style>.*</style>", "", chart.svg(width)))
        parsed(chart, width)


@given(st.text(max_size=80), st.floats(20.0, 300.0), st.integers(1, 3))
def test_labels_fit_or_end_in_an_ellipsis(label, width, most):
    lines = fit_lines(label, width, most)
    assert len(lines) <= most
    shown = "".join(lines).replace(" ", "")
    whole = "".join(label.split(" "))
    assert "".join(shown.split()) == "".join(whole.split()) or shown.endswith("\u2026")


def test_a_unit_stays_whole_where_it_can():
    assert fit_lines("Arsenic (100 \u00b5g/L)", 80.0) == ["Arsenic", "(100 \u00b5g/L)"]
    assert fit_lines("Household income (USD/month)", 100.0, 3) == ["Household", "income", "(USD/month)"]
    assert fit_lines("Arsenic (100 \u00b5g/L)", 60.0, 3) == ["Arsenic", "(100", "\u00b5g/L)"]  # no room for the whole
    assert fit_lines("either/or", 50.0) == ["either/", "or"]  # outside parentheses a slash is a place as good as any


def test_very_long_names_are_fitted_at_once():
    for name in ("x" * 20_000, "x " * 10_000):
        assert len(fit_lines(name, 200.0, 3)) == 3
        assert text_width(shortened(name, 200.0)) <= 200.0
        assert text_width(cut_off(name, 200.0)) <= 200.0


_LONG = "Household income in the year before the interview as the head of the household reported it"
_ALIKE = {
    "ends": [f"C(region)[T.{_LONG}, in thousands of dollars: {end}]" for end in ("north", "south", "northwest")],
    "middles": [f"{_LONG} ({middle}) {_LONG.lower()}" for middle in ("net", "gross", "as taxed")],
    "one letter": [f"{'x' * 80}{letter}{'y' * 80}" for letter in "abc"],
    "one more": ["z" * 150, "z" * 151, "z" * 152],
}


@pytest.mark.parametrize("names", _ALIKE.values(), ids=_ALIKE)
@pytest.mark.parametrize("width", [720.0, 350.0])
def test_long_names_that_differ_in_little_stay_different(names, width):
    table = Table("t", "T", (Column("a", "a"),), ())
    axis = Axis("x", 0.0, 1.0, nice_ticks(0.0, 1.0))
    points = Points((0.5,) * 3, (0.0, 1.0, 2.0))
    rows = forest([*names, "short"], [0.1, 0.2, 0.3, 0.4], [0.0] * 4, [1.0] * 4)
    ends = Chart("c", "C", "D", axis, axis, (points,), table, ends=tuple(End(0.3 * k, n) for k, n in enumerate(names)))
    for chart in (rows, ends):
        found: dict[str, str] = {}
        for element in parsed(chart, width).iter(f"{SVG}text"):
            title = element.find(f"{SVG}title")
            if title is not None:  # the lines of a shortened name, each with the whole of it
                found[title.text] = f"{found.get(title.text, '')}|{title.tail}"
                assert text_width(title.tail) <= width
        assert set(found) <= set(names)
        whole = [name for name in names if name not in found]
        assert len({*found.values(), *whole}) == len(names)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab ", min_size=1, max_size=60), min_size=1, max_size=6), st.floats(60.0, 200.0))
def test_what_is_kept_apart_fits_and_differs(names, width):
    names = [" ".join(name.split()) or "a" for name in names]
    found = kept_apart(names, lambda name: fit_lines(name, width))
    alone = [fit_lines(name, width) for name in names]
    assert [len({tuple(f) for n, f in zip(names, found, strict=True) if n == name}) for name in names] == [1] * len(
        names
    )
    assert len(set(map(tuple, found))) == len(set(names))
    assert all(len(lines) <= 2 and all(text_width(line) <= width for line in lines) for lines in found)
    for name, lines, before in zip(names, found, alone, strict=True):
        if sum(other == before for n, other in zip(names, alone, strict=True) if n != name) == 0:
            assert lines == before  # who is not mistaken for another is left as is


def test_signs_of_a_drawing_are_set_and_its_names_left():
    chart = forest(
        ["level -1"], [-2.5], [-3.5], [-1.5], notes=["At most -4.5."], description="Down to -5.5.", title="-6.5"
    )
    text = chart.svg()
    for part in (">level -1<", "At most \u22124.5.", "Down to \u22125.5.", ">-6.5<"):
        assert part in text
    assert ">-3" not in text


@pytest.mark.parametrize("group", [1, 2, 3])
def test_a_name_stands_in_the_middle_of_the_rows_that_share_it(group):
    table = Table("t", "T", (Column("a", "a"),), ())
    axis = Axis("x", 0.0, 1.0, nice_ticks(0.0, 1.0))
    rows = tuple(Row(name if k == 0 else "", f"{name}{k}") for name in "pq" for k in range(group))
    chart = Chart("c", "C", "D", axis, Axis("", -0.5, 2 * group - 0.5, ()), (), table, rows=rows)
    at = {e.text: float(e.get("y")) for e in parsed(chart).iter(f"{SVG}text")}
    for name in "pq":
        assert at[name] == pytest.approx(sum(at[f"{name}{k}"] for k in range(group)) / group, abs=0.11)
    places = chart.to_matplotlib().axes[0].get_yticks()
    assert list(places) == [(group - 1) / 2, group + (group - 1) / 2]


def test_every_kind_of_layer_is_drawn_by_both_writers():
    table = Table("t", "T", (Column("a", "a"),), ())
    layers = (
        Band((0.0, 1.0), (0.0, 0.2), (0.5, 0.9), label="band"),
        Line((0.0, 1.0), (0.0, 1.0), label="line"),
        Rule(0.5, vertical=False, label="rule"),
        Intervals((0.5,), (0.1,), (0.9,), vertical=True, label="interval"),
        Points((0.5,), (0.5,), label="point"),
        Note(0.2, 0.8, "$words$ & <b>"),
    )
    ticks = nice_ticks(0.0, 1.0)
    chart = Chart("c", "C", "D", Axis("x", 0.0, 1.0, ticks), Axis("y", 0.0, 1.0, ticks), layers, table, notes=("n$",))
    texts = texts_of(parsed(chart))
    assert {"band", "line", "rule", "interval", "point", "$words$ & <b>", "n$"} <= set(texts)
    chart.to_matplotlib().canvas.draw()


@pytest.mark.parametrize(
    "chart", [wells(), wells_calibration(histogram=([0, 0.5, 1], [200, 150]))], ids=lambda c: c.name
)
def test_matplotlib_draws_the_same_marks(chart, tmp_path):
    figure = chart.to_matplotlib()
    figure.savefig(tmp_path / "chart.png", dpi=40)
    axes = figure.axes[0]
    assert axes.get_xlim() == (chart.x.lower, chart.x.upper)
    assert figure.axes[-1].get_xlabel() == chart.x.label
    assert [text.get_text() for text in figure.texts if text is not figure._suptitle] == list(chart.notes)
    if chart.rows:
        assert axes.get_yticklabels()[0].get_text() == "dist100"
        assert axes.child_axes[0].get_xlabel() == "odds ratio (log scale)"


@given(st.text(max_size=80), st.floats(30.0, 300.0))
def test_one_line_is_cut_in_its_middle(text, width):
    found = shortened(text, width)
    assert found == text or text_width(found) <= width
    if "\u2026" in found and "\u2026" not in text:
        head, tail = found.split("\u2026")
        assert text.startswith(head)
        assert text.endswith(tail)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_axes_of_probabilities_show_the_part_that_is_filled(a, b):
    low, high = unit_range([a, b])
    least, most = min(a, b), max(a, b)
    assert 0.0 <= low <= least + 1e-12
    assert most - 1e-12 <= high <= 1.0
    filled = max(most - least, 0.2 * min(most, 1.0 - least))
    assert (low, high) == (0.0, 1.0) or high - low >= min(0.99 * filled, 0.4)  # one value is not blown up
    if 0.3 < least < most < 0.7:
        assert high - low <= 0.3 + 2.0 * filled


def test_points_of_other_hues_have_other_shapes_and_names_stand_beside_them():
    table = Table("t", "T", (Column("a", "a"),), ())
    ticks = nice_ticks(0.0, 1.0)
    layers = (
        Points((0.2,), (0.2,), style="h0"),
        Points((0.4,), (0.4,), style="h1"),
        Note(0.5, 0.5, "left of it", side="left"),
        Line((0.0, 0.5, 1.0), (0.1, math.nan, 0.9), style="h1", dashed=True),
        Line((-9.0, 9.0), (0.5, 0.5), style="h2"),
    )
    chart = Chart("c", "C", "D", Axis("x", 0.0, 1.0, ticks), Axis("y", 0.0, 1.0, ticks), layers, table)
    root = parsed(chart)
    assert [e.get("class") for e in root.iter(f"{SVG}circle")] == ["spot h0"]
    paths = {e.get("class"): e.get("d") for e in root.iter(f"{SVG}path")}
    assert paths["spot h1"].count("L") == 3
    assert not any("d1" in name for name in paths)  # two points with nothing between them make no line
    ends = [float(pair.split()[0]) for pair in paths["hue h2"].lstrip("M").split(" L")]
    assert 0.0 <= min(ends) < max(ends) <= 720.0  # cut off at the frame
    (note,) = (e for e in root.iter(f"{SVG}text") if e.text == "left of it")
    assert "end" in note.get("class")


def test_taller_rows_take_their_height_even_alone():
    table = Table("t", "T", (Column("a", "a"),), ())
    wide = Axis("x", 0.0, 1.0, nice_ticks(0.0, 1.0))
    heights = []
    for tall in (1.0, 2.0):
        layers = (Line((0.1, 0.9), (-0.4, 0.4), style="h0"),)
        chart = Chart("c", "C", "D", wide, Axis("", -0.5, 0.5, ()), layers, table, rows=(Row("one"),), row_height=tall)
        (path,) = (e.get("d") for e in parsed(chart).iter(f"{SVG}path") if e.get("class") == "hue h0")
        first, last = (float(pair.split()[1]) for pair in path.lstrip("M").split(" L"))
        heights.append(last - first)
    assert heights[0] > 10.0
    assert heights[1] == pytest.approx(heights[0] + 0.8 * 31.0)
