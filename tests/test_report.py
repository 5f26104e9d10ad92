"""The report: every section, no script, no network, nothing unescaped, failure said at the top."""

from __future__ import annotations

import errno
import re

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit import cli
from bayeslogit._report import document
from bayeslogit.calibration import calibration_bins

IDS = ["headline", "data", "model", "priors", "computation", "results", "checks", "reproducibility"]


@pytest.fixture(scope="module")
def fit():
    return bl.fit("switch ~ dist100 + arsenic", bl.datasets.load("wells"))


def test_the_page_holds_every_section_and_calls_nobody(fit, tmp_path):
    page = bl.report(fit, tmp_path / "r.html", command="bayeslogit fit").read_text(encoding="utf-8")
    assert [name for name in IDS if f'id="{name}"' not in page] == []
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert fit.fingerprint in page and "bayeslogit fit" in page
    assert f"{fit.log_likelihood:.4f}".lstrip("-") in page


def test_markdown_carries_the_same_table_and_notes(fit, tmp_path):
    text = bl.report(fit, tmp_path / "r.md").read_text(encoding="utf-8")
    assert "arsenic" in text and "Prior scales are 2.5 / sd" in text


def test_a_hostile_column_name_stays_text(tmp_path):
    rng = np.random.default_rng(0)
    name = "<script>alert(1)</script>"
    data = pd.DataFrame({"y": rng.integers(0, 2, 60), name: rng.standard_normal(60)})
    fit = bl.fit(f"y ~ `{name}`", data)
    page = bl.report(fit, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "<script" not in fit._repr_html_()


def test_a_failed_or_loaded_fit_still_makes_an_honest_report(fit, tmp_path):
    with pytest.warns(bl.FitWarning):
        bad = bl.fit(bl.Design.from_arrays([[1.0], [2.0], [3.0]], [0, 1, 1]), prior=None)
    page = bl.report(bad, tmp_path / "bad.html").read_text(encoding="utf-8")
    assert "Do not rely on this" in page and "No finite mode" in page
    fit.to_json(tmp_path / "f.json")
    page = bl.report(bl.load(tmp_path / "f.json"), tmp_path / "loaded.html").read_text(encoding="utf-8")
    assert "the data are not at hand" in page
    only = bl.fit("switch ~ 1", bl.datasets.load("wells"))
    assert "no predictors" in bl.report(only, tmp_path / "one.html").read_text(encoding="utf-8")


def test_a_loaded_fit_gets_the_same_verdict(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000)
    y = np.where(rng.random(4000) < 1 / (1 + np.exp(-x)), "yes", "no")
    for options in ({}, {"weights": np.full(4000, 1.5)}):
        made = bl.Design.from_arrays(x[:, None], y, **options)
        fit = bl.fit(made, prior=bl.Normal(2.5))
        fit.to_json(tmp_path / "f.json")
        fresh, loaded = (document(each).sections[0].body[-1] for each in (fit, bl.load(tmp_path / "f.json")))
        assert fresh == loaded and fresh.level == "care"
        assert all(note in fresh.reasons for note in fit.notes)
    # That the default prior depends on the data stands beside the prior: it is no reason to doubt the fit.
    plain = bl.fit(bl.Design.from_arrays(x[:, None], (y == "yes").astype(float)))
    assert plain.notes == plain.prior.notes != () and document(plain).sections[0].body[-1].level == "good"


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

    monkeypatch.setattr("bayeslogit.cli.fit_line", fitted)
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
