"""The report: every section in its order, the same numbers in every format, nothing unescaped, failure at the top."""

from __future__ import annotations

import csv
import errno
import html
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit import cli
from bayeslogit._report import document, document_of, material
from bayeslogit.average_effects import average_effects
from bayeslogit.calibration import calibration_bins
from bayeslogit.chart import Chart
from bayeslogit.render.data import schema, to_csv, to_json
from bayeslogit.render.document import Document, Facts, Paragraph, Verdict, kind_of
from bayeslogit.reporting.predicted import calibration_slope
from bayeslogit.scores import baseline, scores
from bayeslogit.table import Column, Table, format_column

IDS = [
    *("headline", "data", "model", "priors", "computation", "results", "checks", "sensitivity", "prediction"),
    *("reproducibility", "checklist", "glossary"),
]
HOSTILE = (
    "<script>alert(1)</script>",
    "\\input{/etc/passwd}",
    '=HYPERLINK("http://evil";"y")',
    "a|b `c` [d](http://e) **f** <img src=x onerror=y>",
    "-1+1",
)


@pytest.fixture(scope="module")
def fit():
    return bl.fit("switch ~ dist100 + arsenic", bl.datasets.load("wells").iloc[:600])


@pytest.fixture(scope="module")
def made(fit):
    return material(fit, labels={"dist100": "Distance to a safe well (100 m)"})


@pytest.fixture(scope="module")
def whole(made) -> Document:
    return document_of(made, command="bayeslogit fit", question="Who switches?")


@pytest.fixture(scope="module")
def files(fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    labels = {"dist100": "Distance to a safe well (100 m)"}
    return {
        suffix: bl.report(
            fit, folder / f"r{suffix}", labels=labels, command="bayeslogit fit", question="Who switches?"
        ).read_text(encoding="utf-8")
        for suffix in (".html", ".md", ".tex", ".json", ".csv")
    }


def section(doc: Document, name: str):
    return next(each for each in doc.sections if each.id == name)


def tables(doc: Document) -> dict[str, Table]:
    return {block.name: block for each in doc.sections for block in each.body if isinstance(block, Table)}


def verdict(doc: Document) -> Verdict:
    return next(block for block in section(doc, "headline").body if isinstance(block, Verdict))


def words(doc: Document, name: str) -> str:
    return " ".join(block.text for block in section(doc, name).body if isinstance(block, Paragraph))


# --- sections and formats --------------------------------------------------------------------------------------------


def test_every_section_stands_in_its_order_with_its_number_in_every_format(whole, files):
    assert [each.id for each in whole.sections] == IDS
    numbered = list(enumerate(IDS, 1))
    record = json.loads(files[".json"])
    assert [(each["number"], each["id"]) for each in record["sections"]] == numbered
    assert re.findall(r'<section id="([a-z]+)"', files[".html"]) == IDS
    assert [int(n) for n in re.findall(r'<span class="number">(\d+)</span>', files[".html"])] == list(range(1, 13))
    assert re.findall(r'<a id="([a-z]+)"></a>\n\n## (\d+)\.', files[".md"]) == [(i, str(n)) for n, i in numbered]
    assert re.findall(r"\\section\{.*?\}\\label\{([a-z]+)\}", files[".tex"]) == IDS  # LaTeX counts them itself


def test_the_csv_has_every_value_of_every_table_with_its_section_and_row(whole, files):
    lines = list(csv.DictReader(io.StringIO(files[".csv"])))
    assert list(lines[0]) == ["section", "table", "row", "column", "value"]
    found = {(line["section"], line["table"], int(line["row"]), line["column"]): line["value"] for line in lines}
    for each in json.loads(files[".json"])["sections"]:
        for block in each["body"]:
            block = block.get("data", block)
            for number, record in enumerate(block["rows"] if block["kind"] == "table" else (), 1):
                for key, value in record.items():
                    text = found.pop((each["id"], block["name"], number, key))
                    assert float(text) == value if isinstance(value, int | float) else text.lstrip("'") == (value or "")
    assert {key[1] for key in found} - {"verdict", "facts"} <= {
        block.title for each in whole.sections for block in each.body if isinstance(block, Facts)
    }
    assert found["headline", "verdict", 1, "level"] == verdict(whole).level


def test_the_page_calls_nobody_and_says_what_it_is_of(fit, files):
    page = files[".html"]
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert fit.fingerprint in page and "bayeslogit fit" in page and "Who switches?" in page
    assert f"{fit.log_likelihood:.4f}".lstrip("-") in page
    assert len(page.encode()) < 1_000_000


def test_numbers_are_the_same_in_every_format(fit, whole, files):
    record = json.loads(files[".json"])
    blocks = [block for each in record["sections"] for block in each["body"]]
    found = {block["name"]: block for block in blocks if block["kind"] == "table"}
    for name, table in tables(whole).items():
        rows = [[None if isinstance(v, float) and not np.isfinite(v) else v for v in row] for row in table.rows]
        assert [list(row.values()) for row in found[name]["rows"]] == rows, name
        for row in table.texts():
            for text in row:
                if re.fullmatch(r"-?[\d.,]+%?", text):
                    shown = text.replace("-", "\u2212")
                    assert shown in html.unescape(files[".html"]), (name, text)
                    assert text in files[".md"]
                    assert text.replace("-", r"\ensuremath{-}").replace("%", r"\%") in files[".tex"]
    rows = found["coefficients"]["rows"]
    np.testing.assert_array_equal([row["estimate"] for row in rows], fit.params)
    np.testing.assert_array_equal([row["sd"] for row in rows], fit.bse)
    np.testing.assert_allclose([row["or_upper"] for row in rows], np.exp(fit.conf_int()["upper"]), rtol=1e-14)


def test_the_json_is_what_its_schema_says(files, whole):
    rules = schema()
    assert_valid(json.loads(files[".json"]), rules, rules)
    for block in (block for each in whole.sections for block in each.body):
        record = json.loads(to_json(block)) if isinstance(block, Table | Chart) else None
        if record is not None:
            assert_valid(record, rules, rules)
    wrong = json.loads(files[".json"])
    wrong["sections"][5]["body"][0]["rows"][0]["estimate"] = [1.0]
    with pytest.raises(AssertionError):
        assert_valid(wrong, rules, rules)
    wrong = json.loads(files[".json"])
    del wrong["sections"][0]["number"]
    with pytest.raises(AssertionError):
        assert_valid(wrong, rules, rules)


def assert_valid(value, rule, root) -> None:
    """A validator of the part of JSON Schema that the report's schema uses; it refuses other keywords."""
    known = {
        *("$schema", "$defs", "title", "description", "$ref", "type", "const", "enum", "anyOf", "required"),
        *("properties", "additionalProperties", "items", "minItems", "minimum", "pattern"),
    }
    assert set(rule) <= known, set(rule) - known
    if "$ref" in rule:
        assert_valid(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in rule:
        assert any(valid(value, each, root) for each in rule["anyOf"]), str(value)[:200]
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "null": type(None)}
    names = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", [])
    if names:
        fits = [isinstance(value, bool) if k == "boolean" else isinstance(value, kinds[k]) for k in names]
        assert any(fits), (names, str(value)[:80])
    assert "const" not in rule or value == rule["const"]
    assert "enum" not in rule or value in rule["enum"]
    assert "pattern" not in rule or re.search(rule["pattern"], value)
    assert "minimum" not in rule or value >= rule["minimum"]
    if isinstance(value, dict):
        own, more = rule.get("properties", {}), rule.get("additionalProperties", True)
        assert set(rule.get("required", [])) <= set(value), set(rule["required"]) - set(value)
        for key, each in value.items():
            assert key in own or more is not False, key
            if key in own:
                assert_valid(each, own[key], root)
            elif isinstance(more, dict):
                assert_valid(each, more, root)
    if isinstance(value, list):
        assert len(value) >= rule.get("minItems", 0)
        for each in value:
            assert_valid(each, rule.get("items", {}), root)


def valid(value, rule, root) -> bool:
    try:
        assert_valid(value, rule, root)
    except AssertionError:
        return False
    return True


def test_every_dash_has_its_reason(whole):
    silent = []
    for table in tables(whole).values():
        for column in table.columns:
            missing = [v for v in table.column(column.key) if v is None or (isinstance(v, float) and np.isnan(v))]
            if (
                missing
                and column.kind != "text"
                and not any("dash" in n or "no left-out value" in n for n in table.notes)
            ):
                silent.append((table.name, column.key))
    # The tipping points say it in words in the row itself.
    assert [each for each in silent if each[0] != "tipping-point"] == []


# --- what is said ----------------------------------------------------------------------------------------------------


def test_the_headline_says_the_clearest_coefficient_with_its_interval_and_average_effect(fit, whole):
    z = (fit.params / fit.bse).abs().iloc[1:]
    name = z.idxmax()
    label = {"dist100": "Distance to a safe well (100 m)"}.get(name, name)
    ratios = [f"{np.exp(v):.3g}" for v in (fit.params[name], *fit.conf_int().loc[name])]
    said = words(whole, "headline")
    assert f"Of 2 coefficients that of {label} is the clearest: one unit more goes with {ratios[0]} times" in said
    assert f"(95 % interval {ratios[1]} to {ratios[2]}), the other terms held fixed." in said
    effect = next(row for row in tables(whole)["average-effects"].records() if row["variable"] == name)
    assert f"changes by {100 * effect['effect']:+.1f} percentage points for each unit more" in said
    assert "not adjusted for looking at several" in said and "associations" in said
    first = next(block for block in section(whole, "headline").body if isinstance(block, Paragraph) and block.lead)
    assert name in first.text or label in first.text


def test_no_interval_that_excludes_zero_is_said(rng):
    x = np.tile([-1.0, 1.0], 50)
    y = np.repeat([0.0, 1.0], 50)
    design = bl.Design.from_arrays(np.column_stack([x, np.roll(x, 1) * np.repeat([1, -1], 50)]), y, names=["a", "b"])
    said = words(document(bl.fit(design, prior=bl.Normal(1.0)), effort="quick"), "headline")
    assert "No coefficient has a 95 % interval that excludes 0." in said
    assert "0 of 2 coefficients have" in said


def test_interactions_are_told_by_average_effects(rng):
    x, g = rng.standard_normal(400), rng.choice(["a", "b"], 400)
    y = rng.random(400) < 1.0 / (1.0 + np.exp(-x * np.where(g == "a", 2.0, 1.0)))
    fit = bl.fit("y ~ x * g", pd.DataFrame({"y": y.astype(int), "x": x, "g": g}))
    said = words(document(fit), "headline")
    assert said.startswith("Of 2 average effects that of x is the clearest: averaged over the 400 observations")


def test_a_posterior_that_was_given_makes_the_estimates_its_medians(fit):
    draws = fit.sample(rng=3).relabel({"arsenic": "Arsenic (100 ug/l)"})
    doc = document(fit, draws=draws)
    table = tables(doc)["posterior"]
    np.testing.assert_array_equal(table.column("estimate"), draws.quantile(0.5))
    np.testing.assert_array_equal(table.column("mode"), fit.params)
    assert table.column("term") == fit.columns  # labels stand beside the numbers
    assert verdict(doc).level == "good" and "certified" in verdict(doc).sentence
    assert "Arsenic (100 ug/l)" in words(doc, "headline")
    with pytest.raises(bl.ArgumentError, match="of another fit"):
        document(bl.fit("switch ~ arsenic", bl.datasets.load("wells").iloc[:600]), draws=draws)


def test_a_lasso_with_zeros_gets_posterior_intervals(rng):
    X = rng.standard_normal((60, 2))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(float)
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.Laplace(0.2))
    assert fit.bse.isna().any()
    table = tables(document(fit))["posterior"]
    assert np.isfinite(np.array(table.column("lower"), dtype=float)).all()
    assert any("A zero is a mode, not a finding" in note for note in table.notes)


def test_directions_are_those_of_the_posterior_and_a_certain_one_is_not_certainty(fit, made, whole):
    table = tables(whole)["coefficients"]
    assert [column.key for column in table.columns][-3:] == ["or_upper", "p_direction", "prior_share"]
    draws = made.posterior.value
    for name, share, estimate in zip(
        table.column("term"), table.column("p_direction"), table.column("estimate"), strict=True
    ):
        above = draws.probability(name)["probability"]
        assert share == pytest.approx(above if estimate > 0 else 1 - above, abs=1e-12)
    certain = [note for note in table.notes if note.startswith("A P(direction) of 100.0%")]
    assert bool(certain) == (1.0 in table.column("p_direction"))


@pytest.mark.parametrize("effort", ["quick", "auto"])
def test_what_was_not_worked_out_is_said_with_how_to_get_it(fit, effort, monkeypatch):
    monkeypatch.setattr("bayeslogit.reporting.material._FOR_DRAWS", 10)
    monkeypatch.setattr("bayeslogit.reporting.material._FOR_LOO", 10)
    doc = document(fit, effort=effort)
    assert "bayeslogit.report(fit, path, draws=fit.sample())" in words(doc, "computation")
    assert "bayeslogit.report(fit, path, loo=fit.loo())" in words(doc, "prediction")
    assert "Power-scaling needs draws" in words(doc, "sensitivity")
    barg = {row["item"]: row for row in tables(doc)["barg"].records()}
    assert barg["2.D If not MCMC: its inaccuracy"]["status"] == "not done"
    assert "sensitivity" not in tables(doc) and "scores" in tables(doc)
    assert any(note.startswith("A dash under") for note in tables(doc)["scores"].notes)
    given = material(fit, effort=effort, loo=fit.loo(refits=0), sensitivity=bl.sensitivity(fit, nuts=False))
    assert {"loo", "sensitivity"} <= set(tables(document_of(given)))


def test_what_is_of_another_fit_is_refused(fit, compared, tmp_path):
    other = bl.fit("switch ~ arsenic", bl.datasets.load("wells").iloc[:500])
    with pytest.raises(bl.ArgumentError, match="it has 500 rows and this fit 600"):
        material(fit, loo=other.loo(refits=0))
    with pytest.raises(bl.ArgumentError, match="of another fit"):
        material(fit, sensitivity=bl.sensitivity(other, nuts=False))
    with pytest.raises(bl.ArgumentError, match=r"loo= belong\(s\) to the report on one fit"):
        bl.report(compared, tmp_path / "c.md", loo=other.loo(refits=0))


def test_the_checklist_says_not_done_where_it_is_not(fit, whole):
    asked = {row["item"]: row for row in tables(whole)["barg"].records()}
    bare = {row["item"]: row for row in tables(document(fit, effort="quick"))["barg"].records()}
    assert list(asked) == list(bare) and len(asked) == 30
    assert {row["status"] for row in bare.values()} == {"done", "in part", "not done", "does not apply"}
    assert asked["0.B Goals of the analysis"]["status"] == "done" != bare["0.B Goals of the analysis"]["status"]
    assert bare["1.E Prior predictive check"]["status"] == "not done"
    assert asked["1.E Prior predictive check"]["status"] == "done"
    assert asked["6.E Runnable"]["status"] == "in part" and bare["6.E Runnable"]["status"] == "not done"
    ids = {row["section"] for row in asked.values()} - {None}
    assert ids <= set(IDS)


def test_efforts_are_checked(fit):
    with pytest.raises(bl.ArgumentError, match=r"effort='all'\): it is one of 'quick', 'auto', 'full'"):
        document(fit, effort="all")


# --- labels ----------------------------------------------------------------------------------------------------------


def test_labels_reach_readers_and_machines_keep_names(files):
    record = json.loads(files[".json"])
    assert record["labels"] == {"dist100": "Distance to a safe well (100 m)"}
    blocks = [block for each in record["sections"] for block in each["body"]]
    terms = next(block for block in blocks if block.get("name") == "coefficients")["rows"]
    assert [row["term"] for row in terms] == ["Intercept", "dist100", "arsenic"]
    for suffix in (".html", ".md", ".tex"):
        text = files[suffix].replace(r"\allowbreak{}", "")
        assert text.count("Distance to a safe well (100 m)") >= 6, suffix
        assert not re.search(r">dist100<|\| dist100 \||^dist100 &", text)


def test_labels_of_the_fit_and_of_levels_are_used(tmp_path, rng):
    frame = pd.DataFrame({"y": rng.integers(0, 2, 90), "g": rng.choice(["low", "high"], 90), "x": rng.random(90)})
    fit = bl.fit("y ~ g + x", frame, labels={"g": "Income", "x": "Age"})
    text = bl.report(fit, tmp_path / "r.md", effort="quick", labels={"x": "Age in years"}).read_text(encoding="utf-8")
    assert "Income: low" in text and "Age in years" in text and "| Age |" not in text
    assert "- **Income:** compared with high" in text
    with pytest.raises(bl.ArgumentError, match="no column or variable of this fit; it has 'Intercept', 'g"):
        bl.report(fit, tmp_path / "r.md", labels={"z": "Zed"})


# --- what could do harm ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.standard_normal(80) for name in HOSTILE})
    return bl.fit(bl.Design.from_arrays(frame, rng.integers(0, 2, 80)), prior=bl.Normal(1))


def test_hostile_names_stay_text_in_every_format(hostile, tmp_path):
    options = {"title": HOSTILE[0], "question": HOSTILE[1], "labels": {HOSTILE[4]: HOSTILE[3]}}
    text = {}
    for suffix in (".html", ".md", ".tex", ".json", ".csv"):
        path = bl.report(hostile, tmp_path / f"r{suffix}", command="echo ]]> </code>" + HOSTILE[0], **options)
        text[suffix] = path.read_text(encoding="utf-8")
    page = text[".html"]
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert "<script" not in hostile._repr_html_()
    rendered = markdown_as_html(text[".md"])
    assert "<script" not in rendered and "<img" not in rendered and "href=" not in rendered
    assert "alert(1)" in rendered
    left = text[".tex"].replace(r"\textbackslash{}", "")
    assert r"\input" not in left and r"\textbackslash{}input\{/etc/passwd\}" in text[".tex"]
    assert HOSTILE[0] in {row["term"] for row in rows_of(json.loads(text[".json"]), "coefficients")}
    cells = [cell for line in csv.reader(io.StringIO(text[".csv"])) for cell in line]
    assert HOSTILE[0] in cells and not [cell for cell in cells if re.match(r"\s*[=+@]|\s*-(?!\d)", cell)]


def markdown_as_html(text: str) -> str:
    """As GitHub would: CommonMark with tables; the links that it makes of bare addresses are looked for in the text."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    body = re.sub(r'<a id="[a-z]+"></a>', "", text)  # ours
    assert not re.findall(r"(?i)https?://|\bwww\.", re.sub(r"```.*?```", "", body, flags=re.DOTALL))
    rendered: str = parser.render(body)
    return re.sub(r"<pre>.*?</pre>", "", rendered, flags=re.DOTALL)


def rows_of(record, name):
    blocks = [block for each in record["sections"] for block in each["body"]]
    return next(block["rows"] for block in blocks if block.get("name") == name)


def test_cells_of_csv_are_no_formulas():
    names = [*HOSTILE, " =1+1", "\t=1", "@x", "\uff1d1", "safe-name", "\n+1"]
    table = Table("t", "T", (Column("a", "a"), Column("b", "b", "number")), tuple((n, -1.0) for n in names))
    rows = list(csv.reader(io.StringIO(to_csv(table))))[1:]
    for name, (cell, number) in zip(names, rows, strict=True):
        dangerous = name.strip()[:1] in "=+-@\uff1d" or name[:1] in "\t\n"
        assert cell == ("'" + name if dangerous else name) and number == "-1.0"


# --- wide ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((150, 5000))
    y = (2.0 * X[:, 700] - 2.0 * X[:, 4000] + rng.standard_normal(150) > 0).astype(float)
    names = [f"=g{j}" for j in range(5000)]
    return bl.fit(bl.Design.from_arrays(X, y, names=names), prior=bl.Normal(0.1))


def test_a_wide_model_gives_a_page_of_the_largest_effects_and_the_rest_beside_it(wide, tmp_path):
    page = bl.report(wide, tmp_path / "wide.html")
    text = page.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert "60 of 5,001 rows stand here" in text and "all are in wide.coefficients.csv beside this file" in text
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        *("wide.coefficients.csv", "wide.columns.csv", "wide.html", "wide.priors.csv")
    ]
    grid = re.search(r"<caption[^>]*>\s*<span[^>]*>Coefficients</span>.*?</table>", text, re.DOTALL)[0]
    shown = [html.unescape(each) for each in re.findall(r'<th scope="row"[^>]*>([^<]*)</th>', grid)]
    size = (wide.params * wide.design.column_sds).abs().iloc[1:].sort_values(ascending=False)
    assert shown == ["Intercept", *size.index[:59]]
    assert "4,994 more variables are left out, with smaller effects" in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "wide.coefficients.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 5001 and rows[1]["term"] == "'=g0"
    np.testing.assert_array_equal([float(row["estimate"]) for row in rows], wide.params)


def test_the_json_of_a_wide_model_has_every_row(wide, tmp_path):
    record = json.loads(bl.report(wide, tmp_path / "w.json", effort="quick").read_text(encoding="utf-8"))
    assert [row["term"] for row in rows_of(record, "coefficients")] == list(wide.columns)
    assert len(list(tmp_path.iterdir())) == 1


# --- fits that went wrong --------------------------------------------------------------------------------------------


def test_a_fit_without_a_mode_says_so_first(tmp_path):
    with pytest.warns(bl.FitWarning):
        bad = bl.fit(bl.Design.from_arrays([[1.0], [2.0], [3.0]], [0, 1, 1]), prior=None)
    doc = document(bad)
    first = section(doc, "headline").body[0]
    assert isinstance(first, Verdict) and first.level == "bad" and first.sentence.startswith("No finite mode")
    page = bl.report(bad, tmp_path / "bad.html").read_text(encoding="utf-8")
    assert "Do not rely on this" in page and "No finite mode" in page
    table = tables(doc)["coefficients"]
    assert np.isnan(table.column("sd")).all()
    assert any(n.startswith("A dash under \u201csd\u201d: the search ended without a mode") for n in table.notes)
    cells = re.findall(r'data-label="sd">([^<]*)<', page)
    assert "\u2014" in cells and not re.search(r"\bnan\b", page.lower())
    status = {row["item"]: row["status"] for row in tables(doc)["barg"].records()}
    assert status["3.B Summaries of the posterior"] == status["3.A Posterior predictive check"] == "not done"


def test_separation_and_an_improper_posterior_stand_in_the_headline():
    x = np.arange(6.0)[:, None]
    y = np.repeat([0.0, 1.0], 3)
    held = document(bl.fit(bl.Design.from_arrays(x, y, names=["x"]), prior=bl.Normal(2.5)), effort="quick")
    headline = words(held, "headline")
    assert headline.startswith("The outcome is separated: every estimate is finite only because of the prior")
    assert "goes with" not in headline
    assert verdict(held).level == "care" and "only because of the prior" in verdict(held).reasons[0]
    assert "Separation" in dict(section(held, "glossary").body[0].items)
    heavy = document(bl.fit(bl.Design.from_arrays(x, y, names=["x"]), prior=bl.Cauchy(2.5)), effort="quick")
    box = verdict(heavy)
    assert box.level == "bad" and box.words == "No posterior" and "improper" in box.sentence
    assert words(heavy, "headline") == ""
    assert any("read the modes alone" in note for note in tables(heavy)["coefficients"].notes)


def test_a_gaussian_that_is_off_is_said_with_how_far(rng):
    x = rng.standard_normal(25)
    fit = bl.fit(bl.Design.from_arrays(x[:, None], (x + rng.standard_normal(25) > 1.0).astype(float)))
    m = material(fit)
    doc, draws = document_of(m), m.posterior.value
    shift = float(np.max(np.abs(draws.mean - fit.params) / draws.sd))
    assert shift > 0.1 and verdict(doc).level == "care"
    assert f"off by up to {shift:.2f} sd in location" in verdict(doc).reasons[0]
    rest = verdict(document(fit, draws=draws))
    assert not any("Gaussian approximation" in reason for reason in rest.reasons) and "off by" not in rest.sentence


def test_a_loaded_fit_says_that_the_data_are_not_at_hand(fit, tmp_path):
    fit.to_json(tmp_path / "f.json")
    loaded = bl.load(tmp_path / "f.json")
    doc = document(loaded)
    for name in ("data", "computation", "results", "checks", "prediction"):
        assert "does not hold the data" in words(doc, name) or "data are not at hand" in words(doc, name), name
    np.testing.assert_array_equal(tables(doc)["coefficients"].column("estimate"), fit.params)
    assert verdict(doc).level == "good"  # 600 rows for three coefficients: the Gaussian will do


def test_notes_reach_the_box_or_the_table(rng):
    x = rng.standard_normal(700)
    y = np.where(rng.random(700) < 1 / (1 + np.exp(-x)), "yes", "no")
    fit = bl.fit(bl.Design.from_arrays(x[:, None], y, weights=np.full(700, 1.5)), prior=bl.Normal(2.5))
    doc = document(fit)
    assert verdict(doc).level == "care" and any("not whole numbers" in reason for reason in verdict(doc).reasons)
    # Which level is the event, and that the default prior depends on the data, are no reasons to doubt a fit.
    plain = document(bl.fit(bl.Design.from_arrays(x[:, None], y)))
    assert verdict(plain).level == "good"
    notes = tables(plain)["coefficients"].notes
    assert any("event = 'yes'" in note for note in notes) and any("2.5 / sd" in note for note in notes)


def test_an_intercept_alone_has_a_report():
    doc = document(bl.fit("switch ~ 1", bl.datasets.load("wells").iloc[:200]), effort="quick")
    assert "no predictors" in words(doc, "headline")


# --- numbers of the sections -----------------------------------------------------------------------------------------


def test_scores_are_those_of_the_expanded_rows(rng):
    p, m = rng.random(40).round(1), rng.integers(1, 5, 40).astype(float)
    s = rng.binomial(m.astype(int), 0.4).astype(float)
    found = scores(p, s, m - s)
    y = np.concatenate([np.r_[np.ones(int(a)), np.zeros(int(b - a))] for a, b in zip(s, m, strict=True)])
    q = np.repeat(p, m.astype(int))
    metrics = pytest.importorskip("sklearn.metrics")
    assert found.auc == pytest.approx(metrics.roc_auc_score(y, q), abs=1e-12)
    assert found.brier == pytest.approx(np.mean((y - q) ** 2), abs=1e-12)
    inside = np.clip(p, 0.05, 0.95)
    expected = metrics.log_loss(y, np.repeat(inside, m.astype(int)))
    assert scores(inside, s, m - s).log_loss == pytest.approx(expected, abs=1e-12)
    rate = y.mean()
    assert baseline(s, m - s).brier == pytest.approx(rate * (1 - rate)) and baseline(s, m - s).auc == 0.5
    assert np.isnan(scores(p, m, 0.0 * m).auc) and scores(np.ones(1), np.zeros(1), np.ones(1)).log_loss == np.inf


def test_left_out_scores_are_those_of_leaving_out(whole, fit, made):
    rows = {row["score"]: row for row in tables(whole)["scores"].records()}
    loo = made.loo.value
    assert rows["log loss (nats)"]["left_out"] == pytest.approx(-loo.elpd / 600, rel=1e-12)
    y = fit.design.outcome_arrays()[0]
    happened = np.exp(loo.elpd_i)
    assert rows["Brier score"]["left_out"] == pytest.approx(np.mean((1 - happened) ** 2), rel=1e-12)
    for score in ("log loss (nats)", "Brier score"):
        assert rows[score]["in_sample"] < rows[score]["left_out"] < rows[score]["no_predictors"]
    p = np.where(y == 1, happened, 1 - happened)
    sm = pytest.importorskip("statsmodels.api")
    slope = sm.Logit(y, sm.add_constant(np.log(p / (1 - p)))).fit(disp=0).params[1]
    assert rows["calibration slope"]["left_out"] == pytest.approx(slope, rel=1e-6)
    assert calibration_slope(np.full(4, 0.3), np.ones(4), np.ones(4)) is None


def test_average_effects_are_those_of_every_draw():
    pima = bl.datasets.load("pima").iloc[:200]
    fit = bl.fit("type ~ glu + bmi + ped", pima)
    draws = fit.sample(nuts=False)
    for effect in average_effects(fit, fit.design, ["glu", "ped"], draws=draws):
        full = bl.effects(draws, effect.variable).records()[0]
        for mine, theirs in ((effect.estimate, "median"), (effect.lower, "lower"), (effect.upper, "upper")):
            assert abs(mine - full[theirs]) < 0.2 * full["sd"], (effect.variable, theirs)
    # On the Gaussian at the mode, the sd is that of the delta method.
    effect = average_effects(fit, fit.design, ["glu"])[0]
    beta, h = fit.params.to_numpy(), 1e-6

    def slope(b):
        eta = np.column_stack([np.ones(200), pima[["glu", "bmi", "ped"]]]) @ b
        p = 1 / (1 + np.exp(-eta))
        return float(np.mean(p * (1 - p)) * b[1])

    g = np.array([(slope(beta + h * e) - slope(beta - h * e)) / (2 * h) for e in np.eye(4)])
    assert effect.estimate == pytest.approx(slope(beta), rel=1e-6)
    assert effect.sd == pytest.approx(np.sqrt(g @ fit.cov_params().to_numpy() @ g), rel=1e-4)


def test_columns_are_described_by_outcome(whole):
    data = bl.datasets.load("wells").iloc[:600]
    for row in tables(whole)["columns"].records():
        means = data.groupby("switch")[row["term"]].mean()
        assert row["mean_event"] == pytest.approx(means[1]) and row["mean_other"] == pytest.approx(means[0])
    facts = dict(next(b for b in section(whole, "data").body if isinstance(b, Facts)).items)
    assert facts["Rows read"] == facts["Rows used"] == "600" and facts["Rows dropped"] == "0"


def test_rows_are_accounted_for(tmp_path):
    data = bl.datasets.load("wells").iloc[:300].astype({"arsenic": float})
    data.loc[data.index[:7], "arsenic"] = np.nan
    weights = np.r_[np.ones(290), np.zeros(10)]
    doc = document(bl.fit("switch ~ arsenic", data, missing="drop", weights=weights), effort="quick")
    facts = dict(section(doc, "data").body[0].items)
    assert facts["Rows read"] == "300" and facts["Rows used"] == "283"
    assert facts["Rows dropped"] == "7 with missing values" and facts["Rows of weight 0"].startswith("10,")
    assert "arsenic (7 rows)" in words(doc, "data")


def test_the_prior_predictive_rates_are_those_of_the_prior(whole, made, fit):
    found = made.prior_rates.value
    replicated = bl.prior_predictive(fit.design, "rstanarm", 1000, rng=5).mean(axis=1)
    assert found.n_rows == 600
    assert np.median(found.rates) == pytest.approx(np.median(replicated), abs=0.05)
    assert np.quantile(found.rates, 0.9) == pytest.approx(np.quantile(replicated, 0.9), abs=0.05)
    flat = document(replace(fit, prior=bl.Flat().resolve(fit.design)), effort="auto")
    assert "cannot be drawn" in words(flat, "priors")


# --- one's own template ----------------------------------------------------------------------------------------------

TEMPLATE = """<h1>{{ document.title }}</h1>{% for s in sections %}{{ s.number }}={{ s.id }};{% endfor %}
{% for row in tables["coefficients"].records() %}[{{ row.term }} {{ row.estimate }}]{% endfor %}
{{ labels }}{{ render(section.results.body[0]) }}{% for b in section.results.body if kind(b) == "chart" %}
{{ chart(b, 400) }}{% endfor %}<style>{{ css }}</style>"""


def test_a_template_gets_the_records_and_escapes_them(hostile, tmp_path):
    own = tmp_path / "own.html.j2"
    own.write_text(TEMPLATE, encoding="utf-8")
    for template in (own, str(own), TEMPLATE):
        path = bl.report(hostile, tmp_path / "r.html", template=template, title=HOSTILE[0], effort="quick")
        page = path.read_text(encoding="utf-8")
        assert page.startswith("<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>1=headline;2=data;")
        assert "<script" not in page and page.count("<svg") == 1 and "<table" in page and "--paper" in page
        assert repr(float(hostile.params[HOSTILE[4]]))[:12] in page


@pytest.mark.parametrize("suffix", [".md", ".tex"])
def test_templates_of_other_formats_escape_for_their_own(hostile, tmp_path, suffix):
    cells = "{{ tables['coefficients'].rows[1][0] }} {{ tables['coefficients'].rows[2][0] }}"
    text = cells + " {{ render(sections[5].body[0]) }}"
    found = bl.report(hostile, tmp_path / f"r{suffix}", template=text, effort="quick").read_text(encoding="utf-8")
    if suffix == ".md":
        assert found.startswith("&lt;script&gt;alert(1)&lt;/script&gt; \\\\input") and "| :-- |" in found
    else:
        assert found.startswith(r"\textless{}script\textgreater{}alert(1)") and r"\begin{tabular}" in found
        assert r"\input" not in found.replace(r"\textbackslash{}", "")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ document.title | safe }}", "No filter named 'safe'"),
        ("{% autoescape false %}{{ document.title }}{% endautoescape %}", "autoescape is not for templates"),
        ("{% include '/etc/passwd' %}{{ 1 }}", "include is not for templates"),
        ("{{ document.__class__.__mro__ }}", "unsafe"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{% for x in %}", "line 1"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ sections[99].id }}", "line|has no element"),
        ("{{ chart(sections[0].body[0], 100) }}", "draws charts in HTML"),
        ("{{ range(99999999) | list }}", "Range too big"),
    ],
)
def test_templates_that_are_wrong_are_refused(fit, tmp_path, template, said):
    with pytest.raises(bl.ArgumentError, match=rf"report\(template=\.\.\.\): .*({said})"):
        bl.report(fit, tmp_path / "r.html", template=template, effort="quick")
    assert list(tmp_path.iterdir()) == []


def test_templates_that_are_not_there_or_for_json_are_refused_before_anything_is_worked_out(fit, tmp_path):
    with pytest.raises(bl.ArgumentError, match="cannot be read"):
        bl.report(fit, tmp_path / "r.html", template=tmp_path / "none.html")
    with pytest.raises(bl.ArgumentError, match="JSON has no template"):
        bl.report(fit, tmp_path / "r.json", template="{{ 1 }}")
    with pytest.raises(bl.ArgumentError, match="CSV has no template"):
        bl.report(fit, tmp_path / "r.csv", template="{{ 1 }}")


# --- comparisons -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared():
    data = bl.datasets.load("wells").iloc[:400]
    fits = {name: bl.fit("switch ~ dist100 + arsenic", data, prior=p) for name, p in (("a", "rstanarm"), ("b", None))}
    return bl.compare(fits, nuts=False)


def test_a_comparison_has_the_same_skeleton(compared, tmp_path):
    record = json.loads(bl.report(compared, tmp_path / "c.json", labels={"dist100": "Distance"}).read_text("utf-8"))
    rules = schema()
    assert_valid(record, rules, rules)
    ids = [each["id"] for each in record["sections"]]
    assert ids == [
        *("headline", "data", "model", "priors", "computation", "comparison", "results", "predictions"),
        *("reproducibility", "checklist", "glossary"),
    ]
    assert [each["number"] for each in record["sections"]] == list(range(1, 12))
    barg = {row["item"]: row["status"] for row in rows_of(record, "barg")}
    assert barg["3.C Bayes factors, model probabilities"] == "done" and len(barg) == 30
    page = bl.report(compared, tmp_path / "c.html", labels={"dist100": "Distance"}).read_text("utf-8")
    assert ">Distance<" in page and ">dist100<" not in page and 'id="glossary"' in page
    with pytest.raises(bl.ArgumentError, match="no column or variable"):
        bl.report(compared, tmp_path / "c.html", labels={"z": "Z"})


def test_kinds_and_formats_of_blocks_agree(whole):
    for block in (block for each in whole.sections for block in each.body):
        shown = json.loads(to_json(Document("T", "", (replace(whole.sections[0], body=(block,)),))))
        kind = shown["sections"][0]["body"][0]["kind"]
        assert kind == {"text": "paragraph"}.get(kind_of(block), kind_of(block))
    assert format_column([float("nan"), None]) == ("\u2014", "\u2014")


def test_unknown_suffix_and_folder_are_refused(fit, tmp_path):
    with pytest.raises(bl.ArgumentError, match=r"one of \.html, \.md, \.tex, \.json"):
        bl.report(fit, tmp_path / "r.docx")
    with pytest.raises(bl.ArgumentError, match="no folder"):
        bl.report(fit, tmp_path / "none" / "r.html")


def test_calibration_bins_hold_everyone_once():
    rng = np.random.default_rng(3)
    p, m, w = rng.random(500).round(2), rng.integers(1, 4, 500) * 1.0, rng.integers(0, 3, 500) * 1.0
    y = rng.binomial(m.astype(int), p) * 1.0
    bins = calibration_bins(p, y, m, w)
    assert bins.size.sum() == pytest.approx(w @ m) and (bins.size @ bins.observed) == pytest.approx(w @ y)
    assert bins.size @ bins.predicted == pytest.approx((w * m) @ p)
    assert (bins.lower <= bins.observed).all() and (bins.observed <= bins.upper).all()
    # Wilson for 0 of 10: upper end z^2 / (10 + z^2).
    none = calibration_bins(np.full(10, 0.1), np.zeros(10), np.ones(10), np.ones(10))
    assert none.upper[0] == pytest.approx(1.959963984540054**2 / (10 + 1.959963984540054**2), rel=1e-12)


# --- where files go: looked at before anything is fitted -------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("none/x", "there is no folder"),
        ("folder", "is a folder; name a file in it"),
        ("", "is a folder; name a file in it"),
        ("wells.csv/x", "there is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_in_the_same_words(out, words, fit, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bl.datasets.load("wells").to_csv("wells.csv", index=False)
    for name in ("folder", "folder.html"):
        (tmp_path / name).mkdir()
    with pytest.raises(bl.ArgumentError, match=words):
        fit.to_json(out)
    page = f"{out}.html" if out else "folder.html"
    with pytest.raises(bl.ArgumentError, match=words):
        bl.report(fit, page)

    def fitted(*_args, **_kwargs):
        raise AssertionError("fitted before the place was looked at")

    monkeypatch.setattr("bayeslogit.cli_question.fit", fitted)
    for command, place in (("fit", out), ("report", page)):
        assert cli.run([command, "wells.csv", "--formula", "switch ~ dist100", "--out", place]) == 2
        printed, said = capsys.readouterr()
        assert words in said and printed == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "folder.html", "wells.csv"]


@pytest.mark.parametrize("out", ["wells.csv", "wells.csv/deeper"])
def test_a_demo_into_a_file_is_refused_before_it_is_fitted(out, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wells.csv").write_text("a\n")
    assert cli.run(["demo", "--out", out]) == 2
    printed, said = capsys.readouterr()
    assert "wells.csv is a file, not a folder" in said and printed == ""


def test_a_report_of_an_unknown_kind_is_refused_before_the_fit(capsys):
    assert cli.run(["report", "none.csv", "--formula", "y ~ x", "--out", "r.docx"]) == 2
    assert ".html, .md, .tex, .json" in capsys.readouterr().err


def test_an_error_while_writing_names_the_file_that_was_asked_for(fit, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left.*fit\.json") as caught:
        fit.to_json(tmp_path / "fit.json")
    assert caught.value.filename == str(tmp_path / "fit.json") and list(tmp_path.iterdir()) == []
