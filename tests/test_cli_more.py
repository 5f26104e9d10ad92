"""Config files, dry runs, checks, predictions and data sets on the command line; interrupts and closed pipes."""

from __future__ import annotations

import builtins
import contextlib
import doctest
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit.cli import run
from bayeslogit.cli_app import app

FORMULA = "low ~ age + lwt + smoke"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bl.datasets.load("lbw").to_csv("lbw.csv", index=False)
    return tmp_path


def shown(capsys, *arguments, code=0):
    assert run(list(arguments)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err


def document(capsys, *arguments, code=0):
    return json.loads(shown(capsys, *arguments, "--json", code=code)[0])


def flat(text):
    return " ".join(text.split())


# --- config files ------------------------------------------------------------------------------------------------


CONFIG = """
data = "data/lbw.csv"
formula = "low ~ age + lwt + smoke"
prior = "normal:1"
drop-missing = true
posterior = "importance"
draws = 600
seed = 5

[prior-for]
age = "normal:0.1"
smoke = "laplace:0.5"

[compare]
prior = ["normal:1", "normal:3"]
no_nuts = true

[path]
prior = "laplace:1"
scales = [0.01, 0.1, 1]
"""


@pytest.fixture
def config(here):
    (here / "sub" / "data").mkdir(parents=True)
    (here / "lbw.csv").rename(here / "sub" / "data" / "lbw.csv")
    (here / "sub" / "analysis.toml").write_text(CONFIG)
    return "sub/analysis.toml"


def test_a_config_has_the_names_of_the_options_and_the_command_line_beats_it(config, capsys):
    found = document(capsys, "fit", "--config", config)
    rows = {row["term"]: row["prior"] for row in found["coefficients"]}
    assert rows["age"] == "normal(0, 0.1)" and rows["smoke"] == "Laplace(0, 0.5)" and rows["lwt"] == "normal(0, 1)"
    assert found["posterior"]["method"] == "importance" and found["posterior"]["draws"] == 600
    assert found["posterior"]["seed"] == 5
    asked = ["--prior", "normal:2", "--prior-for", "age=flat", "--seed", "6", "--formula", "low ~ age + lwt"]
    found = document(capsys, "fit", "--config", config, *asked)
    assert [row["prior"] for row in found["coefficients"]] == ["flat", "flat", "normal(0, 2)"]
    assert found["posterior"]["seed"] == 6 and found["formula"] == "low ~ age + lwt"


def test_tables_of_a_config_are_for_their_own_command(config, capsys):
    found = document(capsys, "compare", "--config", config)
    assert [row["fit"] for row in found["fits"]] == ["normal:1", "normal:3"]
    found = document(capsys, "path", "--config", config)
    assert found["scales"] == [0.01, 0.1, 1.0] and found["columns"] == ["Intercept", "age", "lwt", "smoke"]


def test_the_resolved_config_stands_in_the_manifest(config, here, capsys):
    shown(capsys, "fit", "--config", config, "--seed", "9", "--out", "m.json")
    found = json.loads((here / "m.json.manifest.json").read_text())
    assert found["config"]["seed"] == 9 and found["config"]["prior"] == "normal:1"
    assert found["config"]["prior_for"] == ["age=normal:0.1", "smoke=laplace:0.5"]
    assert found["inputs"][0]["path"] == "sub/data/lbw.csv"
    assert "Verified" in shown(capsys, "report", "--verify", "m.json.manifest.json")[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("formla = 'y ~ x'", "there is no option 'formla'; did you mean 'formula'?"),
        ("drop_mising = true", "did you mean 'drop-missing'?"),
        ("zzz = 1", "there is no option 'zzz'; there are"),
        ("[fit]\ntitle = 'x'", "in [fit], there is no option 'title'"),
        ("[ft]\nprior = 'x'", "did you mean 'fit'?"),
        ("drop-missing = 'yes'", "this is true or false"),
        ("formula = ['y ~ x']", "this is one text or number"),
        ("formula = true", "this is one text or number"),
        ("prior-for = [1]", "a list of texts, or a table"),
        ("[prior-for]\nage = {a = 1}", "neither text, number nor a list"),
        ("draws = 'many'", "draws"),
        ("config = 'x.toml'", "there is no option 'config'"),
        ("formula = ", "is not TOML"),
        ("formula = 1\nformula = 2", "is not TOML"),
    ],
)
def test_a_wrong_config_is_code_2(here, capsys, text, words):
    (here / "a.toml").write_text(text)
    out, err = shown(capsys, "fit", "lbw.csv", "--formula", FORMULA, "--config", "a.toml", code=2)
    assert words in flat(err) and out == ""


def test_a_config_that_cannot_be_read_is_code_2(here, capsys):
    assert "cannot be read" in shown(capsys, "fit", "--config", "none.toml", code=2)[1]
    (here / "a.toml").write_bytes(b"formula = '\xff'")
    assert "is not UTF-8" in shown(capsys, "fit", "--config", "a.toml", code=2)[1]


def test_data_and_formula_are_needed_from_somewhere(here, capsys):
    for command in ("fit", "report", "path", "check"):
        assert "DATA" in shown(capsys, command, "--formula", FORMULA, code=2)[1]
        assert "--formula" in shown(capsys, command, "lbw.csv", code=2)[1]
    assert "MODEL" in shown(capsys, "predict", code=2)[1]


# --- dry runs, checks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "report", "compare", "path"])
def test_a_dry_run_shows_design_and_priors_and_fits_nothing(command, here, capsys, monkeypatch):
    def fitted(*_args, **_kwargs):
        raise AssertionError("fitted in a dry run")

    monkeypatch.setattr("bayeslogit.cli_question.fit", fitted)
    monkeypatch.setattr("bayeslogit.cli_path.path", fitted)
    priors = ["--prior", "normal:1", "--prior", "laplace:2"] if command == "compare" else ["--prior", "normal:1"]
    asked = [command, "lbw.csv", "--formula", FORMULA, *priors, "--dry-run"]
    out, err = shown(capsys, *asked)
    assert "Design: low ~ age + lwt + smoke" in out and "normal(0, 1)" in out and "Nothing was fitted" in out
    assert err == "" and sorted(path.name for path in here.iterdir()) == ["lbw.csv"]
    found = document(capsys, *asked)
    assert found["dry_run"] is True and found["n_rows"] == 189
    assert [row["term"] for row in found["columns"]] == ["Intercept", "age", "lwt", "smoke"]
    assert len(found["priors"]) == (2 if command == "compare" else 1)
    if command == "compare":
        assert document(capsys, *asked, "--intercept", "normal:5")["intercept"] == "normal:5"
        assert "every intercept gets the prior normal:5" in flat(shown(capsys, *asked, "--intercept", "normal:5")[0])


def test_check_of_clean_data(here, capsys):
    out, err = shown(capsys, "check", "lbw.csv", "--formula", FORMULA, "--strict")
    assert "Nothing stands in the way of a fit." in out and "Separation: none" in out and err == ""
    found = document(capsys, "check", "lbw.csv", "--formula", FORMULA)
    assert found["ok"] is True and found["separation"]["verdict"] == "none" and found["missing"] == []
    frame = bl.datasets.load("lbw")[["age", "lwt", "smoke"]]
    singular = pd.DataFrame((frame - frame.mean()) / frame.std()).to_numpy()
    values = pd.Series(np.linalg.svd(singular, compute_uv=False))
    assert found["condition_number"] == pytest.approx(values.max() / values.min(), rel=1e-10)


def test_check_names_what_is_wrong(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    rows = [f"{int(k > 9)},{k},{2 * k},5,{k % 3 if k != 4 else ''}" for k in range(20)]
    path.write_text("y,a,b,c,d\n" + "\n".join(rows) + "\n")
    asked = ["check", str(path), "--formula", "y ~ a + b + c + d"]
    found = document(capsys, *asked, "--prior", "normal:1")
    assert found["n_dropped"] == 1 and found["missing"] == [{"column": "d", "missing": 1, "share": 0.05}]
    assert found["separation"]["verdict"] == "complete" and "a" in found["separation"]["columns"]
    assert found["condition_number"] is None
    remarks = flat(" ".join(found["remarks"]))
    for words in ("Separation is complete", "finite only because of the prior", "Constant: c", "b, c: the data cannot"):
        assert words in remarks
    assert found["ok"] is True
    out, _ = shown(capsys, *asked, "--prior", "flat", "--strict", code=5)
    assert "Problem: the mode is infinite under this prior" in flat(out) and "Missing values" in out
    assert "a combination of columns before it, and the prior is flat" in flat(out)


def test_check_is_a_function_too():
    found = bl.check("low ~ age + smoke", bl.datasets.load("lbw"), prior=bl.Normal(0.001))
    assert found.ok and "decides there" in " ".join(found.remarks)
    assert "Separation" in str(found) and "<table" in found._repr_html_() and "Check of 3 columns" in repr(found)
    design = bl.Design.from_arrays([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]], [0, 1, 0, 1])
    assert bl.check(design).missing is None


# --- predictions -------------------------------------------------------------------------------------------------


@pytest.fixture
def model(here):
    assert run(["fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json"]) == 0
    return "m.json"


def test_predictions_are_those_of_the_fit(model, here, capsys):
    capsys.readouterr()
    out, err = shown(capsys, "predict", model, "lbw.csv", "--prob", "0.8", "--keep", "age")
    expected = bl.fit(FORMULA, "lbw.csv").predict(prob=0.8)
    (here / "back.csv").write_text(out)
    found = pd.read_csv("back.csv")
    assert list(found) == ["row", "age", "probability", "lower", "upper"] and err == ""
    assert found[["probability", "lower", "upper"]].to_numpy().tolist() == expected.to_numpy().tolist()
    assert found["row"].tolist() == list(range(1, 190))
    assert found["age"].tolist() == bl.datasets.load("lbw")["age"].tolist()
    shown(capsys, "predict", model, "lbw.csv", "--prob", "0.8", "--keep", "age", "--out", "p.csv")
    assert (here / "p.csv").read_text() == out
    found = document(capsys, "predict", model, "lbw.csv", "--kind", "mode")
    assert found["kind"] == "mode" and len(found["predictions"]) == 189
    mode = bl.fit(FORMULA, "lbw.csv").predict(kind="mode")["probability"]
    assert [row["probability"] for row in found["predictions"]] == mode.tolist()


def test_kept_texts_are_no_formulas_of_a_spreadsheet(model, capsys):
    pd.DataFrame({"age": [20], "lwt": [120], "smoke": [1], "=id": ["=HYPERLINK(1)"]}).to_csv("new.csv", index=False)
    out, _ = shown(capsys, "predict", model, "new.csv", "--keep", "=id")
    assert out.splitlines()[0].startswith("row,'=id,") and out.splitlines()[1].startswith("1,'=HYPERLINK(1),")


def test_missing_cells_are_kept_as_missing(model, capsys):
    frame = bl.datasets.load("lbw").iloc[:2].assign(id=["a", None], day=pd.to_datetime(["2020-01-02", None]))
    frame.to_parquet("new.parquet")
    out, _ = shown(capsys, "predict", model, "new.parquet", "--keep", "id", "--keep", "day")
    first, second = (line.split(",")[:3] for line in out.splitlines()[1:])
    assert first == ["1", "a", "2020-01-02 00:00:00"] and second == ["2", "", ""]
    rows = document(capsys, "predict", model, "new.parquet", "--keep", "id", "--keep", "day")["predictions"]
    assert rows[0]["day"] == "2020-01-02 00:00:00" and rows[1]["id"] is None and rows[1]["day"] is None


def test_a_fit_without_a_mode_predicts_nothing(here, capsys):
    (here / "s.csv").write_text("y,x\n" + "".join(f"{int(k > 3)},{k}\n" for k in range(8)))
    assert run(["fit", "s.csv", "--formula", "y ~ x", "--prior", "flat", "--out", "m.json"]) == 4
    capsys.readouterr()
    out, err = shown(capsys, "predict", "m.json", "s.csv", code=4)
    assert out == "" and "No average over the posterior" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.json", "lbw.csv"], 3, "none.json: cannot be read"),
        (["lbw.csv", "lbw.csv"], 3, "not a saved fit"),
        (["m.json", "none.csv"], 3, "there is no such file"),
        (["m.json", "few.csv"], 3, "smoke"),
        (["m.json", "lbw.csv", "--keep", "nope"], 2, "no such column"),
        (["m.json", "lbw.csv", "--keep", "age", "--keep", "age"], 2, "a column of that name already"),
        (["m.json", "lbw.csv", "--kind", "median"], 2, "kind='median'"),
        (["m.json", "lbw.csv", "--prob", "2"], 2, "between 0 and 1"),
        (["m.json", "lbw.csv", "--out", "p.xlsx"], 2, "the suffix says"),
        (["m.json", "lbw.csv", "--out", "lbw.csv"], 2, "this is the file that is read"),
    ],
)
def test_predictions_that_cannot_be_had(model, here, capsys, arguments, code, words):
    (here / "few.csv").write_text("age,lwt\n20,100\n")
    before = sorted(path.name for path in here.iterdir())
    out, err = shown(capsys, "predict", *arguments, code=code)
    assert words in flat(err) and out == ""
    assert sorted(path.name for path in here.iterdir()) == before


# --- data sets, help ---------------------------------------------------------------------------------------------


def test_data_sets_are_listed_described_written_and_fitted(here, capsys):
    out, _ = shown(capsys, "datasets")
    assert all(name in out for name in bl.datasets.names())
    assert [row["name"] for row in document(capsys, "datasets")["datasets"]] == list(bl.datasets.names())
    out, _ = shown(capsys, "datasets", "wells")
    assert "arsenic" in out and "Source:" in out
    assert document(capsys, "datasets", "wells")["n_rows"] == 3020
    out, err = shown(capsys, "datasets", "pima", "--out", "p.csv")
    assert out == "" and "Wrote 532 rows" in err
    assert pd.read_csv("p.csv").equals(bl.datasets.load("pima"))
    assert "choose one of" in shown(capsys, "datasets", "nope", code=2)[1]
    assert ".csv" in shown(capsys, "datasets", "pima", "--out", "p.parquet", code=2)[1]
    first = document(capsys, "fit", "dataset:lbw", "--formula", FORMULA)
    assert first["coefficients"] == document(capsys, "fit", "lbw.csv", "--formula", FORMULA)["coefficients"]
    assert "choose one of" in shown(capsys, "fit", "dataset:nope", "--formula", FORMULA, code=2)[1]


def test_labels_are_name_and_text(here, capsys):
    assert "NAME=TEXT" in shown(capsys, "fit", "lbw.csv", "--formula", FORMULA, "--label", "age", code=2)[1]


def test_a_manifest_that_cannot_be_written_is_said_before_the_fit(here, capsys):
    (here / "m.json.manifest.json").mkdir()
    out, err = shown(capsys, "fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json", code=2)
    assert "its manifest cannot be written" in err and out == "" and not (here / "m.json").exists()


def test_names_cannot_steer_the_terminal(model, here, capsys):
    (here / "esc.csv").write_text("age,lwt,smoke,\x1b[31mred\n20,100,1,2\n")
    _, err = shown(capsys, "predict", model, "esc.csv", "--keep", "nope", code=2)
    assert "\x1b" not in err and "\\x1b[31mred" in err


def test_no_output_replaces_the_data(here, capsys):
    before = (here / "lbw.csv").read_bytes()
    for command in ("fit", "path"):
        _, err = shown(capsys, command, "lbw.csv", "--formula", FORMULA, "--out", "./lbw.csv", code=2)
        assert "this is the file that is read" in err
    assert (here / "lbw.csv").read_bytes() == before


@pytest.mark.parametrize("width", [80, 120])
def test_help_and_tables_stay_within_the_terminal(width, here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for command in ("check", "fit", "datasets"):
        arguments = [command] if command == "datasets" else [command, "lbw.csv", "--formula", FORMULA]
        out, _ = shown(capsys, *arguments)
        assert max(map(len, out.splitlines())) <= width
    out, _ = shown(capsys, "--help")
    assert all(command.name in out for command in app.registered_commands) and "Exit codes: 0 done" in flat(out)
    for command in app.registered_commands:
        out, _ = shown(capsys, command.name, "--help")
        assert max(map(len, out.splitlines())) <= width


def test_the_readmes_commands_run(here, capsys):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## On the command line\n\n```\n(.*?)```", readme, re.DOTALL)[1]
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=80), "z": rng.normal(size=80)})
    frame.assign(y=(frame["x"] + rng.normal(size=80) > 0).astype(int)).to_csv("data.csv", index=False)
    assert {each[1] for each in commands} == {each.name for each in app.registered_commands} - {"datasets"}
    for command in commands:
        assert command[0] == "bayeslogit"
        if command[1] != "demo":  # `test_report_and_demo_write_files` has it without the minute that NUTS takes
            assert run(command[1:]) == 0, command
    (here / "analysis.toml").write_text(re.search(r"```toml\n(.*?)```", readme, re.DOTALL)[1])
    for command in ("fit", "compare"):
        shown(capsys, command, "--config", "analysis.toml")


@pytest.mark.parametrize("name", ["readings", "_check", "datasets"])
def test_docstring_examples_hold(name):
    found = doctest.testmod(importlib.import_module(f"bayeslogit.{name}"))
    assert found.attempted > 0 and found.failed == 0


# --- interrupts and pipes ----------------------------------------------------------------------------------------


def test_control_c_ends_with_130_and_leaves_nothing_half_written(here, at_work):
    body = "\n".join(f"{k % 2},{(7 * k) % 11},{(5 * k) % 13}" for k in range(400))
    (here / "d.csv").write_text("y,a,b\n" + body + "\n")
    asked = ["fit", "d.csv", "--formula", "y ~ a * b", "--posterior", "nuts", "--draws", "400000", "--out", "m.json"]
    process = at_work(*asked, cwd=here)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == "bayeslogit: interrupted" and "Traceback" not in err
    assert sorted(path.name for path in here.iterdir()) == ["d.csv", "lbw.csv"]


def test_an_interrupt_while_loading_is_130_too(monkeypatch, capsys):
    real = builtins.__import__

    def interrupted(name, *rest, **options):
        if name == "bayeslogit.cli_app":
            raise KeyboardInterrupt
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert run(["datasets"]) == 130
    assert capsys.readouterr().err == "bayeslogit: interrupted\n"


def test_a_reader_that_has_seen_enough_is_no_error(here):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "bayeslogit", "predict", "m.json", "lbw.csv"]
    assert run(["fit", "lbw.csv", "--formula", FORMULA, "--out", "m.json"]) == 0
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 0 and done.stderr == ""


@contextlib.contextmanager
def seen_enough(monkeypatch, stream):
    """As when `head` has read its lines of what goes to this stream, and has left."""
    read, write = os.pipe()
    os.close(read)
    pipe = open(write, "w", buffering=1, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(sys, stream, pipe)
        yield
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("command", "out"),
    [
        (["fit", "lbw.csv", "--formula", FORMULA], "m.json"),
        (["path", "lbw.csv", "--formula", FORMULA, "--scales", "3"], "p.csv"),
        (["predict", "saved.json", "lbw.csv", "--json"], "q.csv"),
        (["convert", "lbw.csv", "--formula", FORMULA, "--from", "sklearn", "--set", "C=1", "--to", "glmnet"], "c.json"),
        (["compare", "lbw.csv", "--formula", FORMULA, "--prior", "normal:1", "--prior", "normal:2"], "b.md"),
        (["report", "lbw.csv", "--formula", FORMULA, "--effort", "quick"], "r.md"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_files_are_whole_when_the_reader_has_seen_enough(here, monkeypatch, stream, command, out):
    if command[0] == "predict":
        assert run(["fit", "lbw.csv", "--formula", FORMULA, "--out", "saved.json"]) == 0
    assert run([*command, "--out", out]) == 0  # loads and compiles, and says what the files should hold
    told = (here / out).read_bytes(), json.loads((here / f"{out}.manifest.json").read_text())["numbers"]
    for name in (out, f"{out}.manifest.json"):
        (here / name).unlink()
    with seen_enough(monkeypatch, stream):
        assert run([*command, "--out", out]) == 0
    assert ((here / out).read_bytes(), json.loads((here / f"{out}.manifest.json").read_text())["numbers"]) == told
