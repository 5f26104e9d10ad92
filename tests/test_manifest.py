"""Manifests: what stands beside an output, and what a new run says of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit import manifest as manifests
from bayeslogit.cli import run
from bayeslogit.cli_numbers import fit_numbers
from bayeslogit.manifest import Input, Manifest, Number, manifest_path, read_manifest, write_manifest

FORMULA = "low ~ age + lwt + smoke"


@pytest.fixture
def lbw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bl.datasets.load("lbw").to_csv("lbw.csv", index=False)
    return tmp_path


def asked(*arguments, code=0):
    assert run(list(arguments)) == code


def change_one_cell(path, line=7):
    """The age of one woman, one year more."""
    rows = path.read_text("utf-8").splitlines()
    names = rows[0].split(",")
    cells = rows[line].split(",")
    cells[names.index("age")] = str(int(cells[names.index("age")]) + 1)
    rows[line] = ",".join(cells)
    path.write_text("\n".join(rows) + "\n")


def test_a_manifest_says_what_went_in_and_what_came_out(lbw, capsys):
    (lbw / "sub").mkdir()
    asked("fit", "lbw.csv", "--formula", FORMULA, "--prior", "normal:1", "--out", "sub/m.json")
    found = json.loads((lbw / "sub" / "m.json.manifest.json").read_text("utf-8"))
    assert "Manifest: sub/m.json.manifest.json" in capsys.readouterr().err
    assert found["format"] == "bayeslogit-manifest" and found["schema_version"] == 1 and found["command"] == "fit"
    assert found["config"] == {"formula": FORMULA, "prior": "normal:1"} and found["seed"] is None
    (data,) = found["inputs"]
    assert data["path"] == "../lbw.csv" and data["rows"] == data["rows_used"] == 189 and data["rows_dropped"] == 0
    assert data["sha256"] == manifests.sha256_of(lbw / "lbw.csv")
    assert found["output"] == {"path": "m.json", "sha256": manifests.sha256_of(lbw / "sub" / "m.json")}
    assert found["versions"]["bayeslogit"] == bl.__version__ and {"python", "numpy", "scipy"} <= set(found["versions"])
    fit = bl.fit(FORMULA, "lbw.csv", prior=bl.Normal(1))
    assert found["numbers"]["smoke: mode"][0] == fit.params["smoke"]
    assert found["numbers"]["log_evidence"][0] == fit.log_evidence
    assert str(lbw) not in json.dumps(found)


def test_the_same_run_writes_the_same_manifest(lbw):
    for name in ("a", "b"):
        (lbw / name).mkdir()
        asked(
            "fit",
            "lbw.csv",
            "--formula",
            FORMULA,
            "--posterior",
            "importance",
            "--seed",
            "3",
            "--out",
            f"{name}/m.json",
        )
    first, second = ((lbw / name / "m.json.manifest.json").read_bytes() for name in ("a", "b"))
    assert first == second and json.loads(first)["seed"] == 3


def test_rows_left_out_are_counted(lbw):
    text = (lbw / "lbw.csv").read_text("utf-8").splitlines()
    cells = text[3].split(",")
    cells[text[0].split(",").index("age")] = ""
    text[3] = ",".join(cells)
    (lbw / "lbw.csv").write_text("\n".join(text) + "\n")
    asked("fit", "lbw.csv", "--formula", FORMULA, "--drop-missing", "--out", "m.json")
    (data,) = read_manifest(lbw / "m.json.manifest.json").inputs
    assert (data.rows, data.rows_used, data.rows_dropped) == (189, 188, 1)
    asked("report", "--verify", "m.json.manifest.json")


COMMANDS = {
    "fit": ["fit", "lbw.csv", "--formula", FORMULA, "--posterior", "auto", "--draws", "500", "--out", "out.json"],
    "report": ["report", "lbw.csv", "--formula", FORMULA, "--title", "Births", "--out", "out.md"],
    "compare": ["compare", "lbw.csv", "--formula", FORMULA, "--prior", "normal:1", "--prior", "normal:3", "--no-nuts",
                "--out", "out.json"],
    "path": ["path", "lbw.csv", "--formula", FORMULA, "--scales", "5", "--out", "out.csv"],
    "convert": ["convert", "lbw.csv", "--formula", FORMULA, "--from", "sklearn", "--set", "C=0.5", "--to", "glmnet",
                "--option", "standardize=true", "--out", "out.json"],
    "query": ["fit", "lbw.csv", "--query", "SELECT * FROM data WHERE age > 18", "--formula", FORMULA, "--out",
              "out.json"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_verify_runs_again_and_sees_one_changed_cell(name, lbw, capsys):
    if name == "query":
        pytest.importorskip("duckdb")
    command = COMMANDS[name]
    asked(*command)
    beside = f"{command[-1]}.manifest.json"
    written = sorted(path.name for path in lbw.iterdir())
    capsys.readouterr()
    asked("report", "--verify", beside)
    out, err = capsys.readouterr()
    assert out.startswith("Verified.\nAll ") and "numbers hold." in out and err == ""
    change_one_cell(lbw / "lbw.csv")
    asked("report", "--verify", beside, code=3)
    out, _ = capsys.readouterr()
    assert "Not verified." in out and "The data file lbw.csv is not the one that went in" in out
    assert "numbers do not hold" in out
    assert sorted(path.name for path in lbw.iterdir()) == written


def test_verify_of_predictions_looks_at_model_and_data(lbw, capsys):
    asked("fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json")
    asked("predict", "m.json", "lbw.csv", "--out", "p.csv")
    asked("report", "--verify", "p.csv.manifest.json")
    asked("fit", "lbw.csv", "--formula", FORMULA, "--prior", "normal:0.1", "--out", "m.json")
    capsys.readouterr()
    asked("report", "--verify", "p.csv.manifest.json", "--json", code=3)
    found = json.loads(capsys.readouterr().out)
    assert found["verified"] is False and "The model file m.json" in found["inputs_changed"][0]
    moved = {each["number"] for each in found["moved"]}
    assert "probability: largest" in moved


def test_missing_files_changed_outputs_and_other_versions(lbw, capsys):
    asked("report", "lbw.csv", "--formula", FORMULA, "--out", "r.html")
    beside = lbw / "r.html.manifest.json"
    record = json.loads(beside.read_text("utf-8"))
    record["versions"]["numpy"] = "1.0.0"
    beside.write_text(json.dumps(record))
    capsys.readouterr()
    asked("report", "--verify", str(beside))
    out = " ".join(capsys.readouterr().out.split())
    assert "Verified." in out and "Version of numpy: 1.0.0 then," in out
    page = lbw / "r.html"
    page.write_text(page.read_text("utf-8") + "<!-- more -->", "utf-8")
    asked("report", "--verify", str(beside), code=5)
    assert "The output r.html was changed after it was written." in capsys.readouterr().out
    page.unlink()
    asked("report", "--verify", str(beside), code=5)
    assert "The output r.html is missing." in capsys.readouterr().out
    (lbw / "lbw.csv").unlink()
    asked("report", "--verify", str(beside), code=3)
    assert "The data file lbw.csv is missing." in capsys.readouterr().out


def test_an_edited_number_does_not_hold(lbw, capsys):
    asked("fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json")
    beside = lbw / "m.json.manifest.json"
    record = json.loads(beside.read_text("utf-8"))
    value, within = record["numbers"]["age: mode"]
    record["numbers"]["age: mode"] = [value + 3 * within, within]
    beside.write_text(json.dumps(record))
    capsys.readouterr()
    asked("report", "--verify", str(beside), code=5)
    out = capsys.readouterr().out
    assert "age: mode" in out and "1 of 12 numbers do not hold." in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "not a manifest, or truncated"),
        ("[1]", "not a manifest of bayeslogit"),
        ('{"format": "bayeslogit-manifest", "schema_version": 99}', "upgrade it"),
        ('{"format": "bayeslogit-manifest", "schema_version": 1}', "damaged manifest"),
    ],
)
def test_what_is_no_manifest_is_one_line_and_code_3(content, message, tmp_path, capsys):
    path = tmp_path / "x.manifest.json"
    if content is not None:
        path.write_text(content)
    assert run(["report", "--verify", str(path)]) == 3
    out, err = capsys.readouterr()
    assert message in err and out == "" and len(err.splitlines()) == 1


def test_verify_takes_nothing_else(lbw, capsys):
    asked("report", "lbw.csv", "--verify", "x.manifest.json", code=2)
    assert "the manifest names data and formula" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("then", "now", "holds"),
    [(1.0, 1.0, True), (1.0, 1.05, True), (1.0, 1.2, False), (math.inf, math.inf, True), (math.inf, 1.0, False),
     (math.nan, math.nan, True), (math.nan, 0.0, False), (-math.inf, math.inf, False)],
)  # fmt: skip
def test_numbers_hold_within_their_width(then, now, holds):
    assert Number(then, 0.1).holds(now) is holds


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    output = tmp_path / "out.csv"
    output.write_text("a\n")
    numbers = {"a, b": Number(math.nan, 0.0), "c": Number(0.1, 1e-9), "[d\n": Number(-math.inf, 0.0)}
    config = {"formula": "y ~ x", "prior_for": ["a=b", "c"]}
    inputs = (Input("data", "d.csv", "0" * 64, 3, 2, 1),)
    written = Manifest("fit", config, inputs, "out.csv", "1" * 64, 7, {"numpy": "2"}, numbers)
    assert write_manifest(written, output) == manifest_path(output)
    found = read_manifest(manifest_path(output))
    assert repr(found) == repr(written)


def test_the_default_prior_is_named(lbw):
    asked("fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json")
    assert read_manifest(lbw / "m.json.manifest.json").config["prior"] == "preset:rstanarm"
    assert bl.load("m.json").prior_is_default


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    output = tmp_path / "out.csv"
    output.write_text("a\n")
    one = Manifest("fit", {}, (), "out.csv", "1", None, {}, {"a": Number(1.0, 0.0)})
    write_manifest(one, output)
    before = manifest_path(output).read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bayeslogit.storage.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_manifest(one, output)
    assert manifest_path(output).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.csv.manifest.json"]


def test_a_wide_fit_has_few_numbers():
    rng = np.random.default_rng(5)
    design = bl.Design.from_arrays(rng.normal(size=(40, 1200)), rng.integers(0, 2, size=40))
    fit = bl.fit(design, prior=bl.Normal(0.1))
    found = fit_numbers(fit)
    assert len(found) == 10 and found["mode: largest"].value == fit.params.max()
    assert {"sd: mean", "log_evidence", "effective_parameters"} <= set(found)
