"""Files that are read anew at every pass: the same fits as in memory, the same bits however the rows are cut."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit import waiting
from bayeslogit.newton import Search
from bayeslogit.solve import find_mode
from bayeslogit.sources import spread
from bayeslogit.sources.spread import MOST_HELD, block_rows
from bayeslogit.sources.stream import StreamSource
from bayeslogit.target import LogPosterior

FORMULAS = [
    "y ~ x1 + x2*f + C(g) + b",
    "y ~ x1 + f:C(g, contr.sum) + x1:x2:f - 1",
    "y ~ x1 + I(x2**2) + log(1 + exp(x3)) + f",
]


def people(n: int, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, f = rng.standard_normal((n, 3)), rng.choice(list("abcd"), n)
    eta = x @ [0.5, -0.3, 0.2] + np.select([f == "b", f == "c", f == "d"], [0.3, -0.2, 0.5])
    return pd.DataFrame(
        {
            "y": np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-eta)), "yes", "no"),
            **{f"x{j + 1}": x[:, j] for j in range(3)},
            "f": f,
            "g": rng.integers(1, 4, n),
            "b": rng.random(n) < 0.3,
            "w": rng.integers(0, 4, n),
            "o": 0.1 * rng.standard_normal(n),
        }
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people(9000)


@pytest.fixture(scope="module")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows as one Parquet file, and as four files of either kind."""
    root = tmp_path_factory.mktemp("stream")
    (root / "parquet").mkdir()
    (root / "csv").mkdir()
    frame.to_parquet(root / "one.parquet")
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 4)):
        frame.iloc[rows].to_parquet(root / "parquet" / f"part-{number}.parquet")
        frame.iloc[rows].to_csv(root / "csv" / f"part-{number}.csv", index=False)
    (root / "parquet" / "_SUCCESS").write_text("")
    return root


def apart(streamed: bl.Fit, memory: bl.Fit) -> float:
    """Largest distance of a coefficient in posterior sds; names and notes must be the same."""
    assert list(streamed.params.index) == list(memory.params.index)
    np.testing.assert_allclose(streamed.bse, memory.bse, rtol=1e-9)
    return float(np.max(np.abs(streamed.params - memory.params) / memory.bse))


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("source", ["one.parquet", "parquet", "csv"])
def test_the_same_fit_as_in_memory(formula, source, frame, folder):
    memory = bl.fit(bl.Design.from_formula(formula, frame), tol=1e-11)
    design = bl.Design.from_formula(formula, folder / source, stream=True)
    streamed = bl.fit(design, tol=1e-11)
    assert isinstance(design.source, StreamSource)
    assert apart(streamed, memory) < 1e-10
    assert design.notes == memory.design.notes
    assert design.n_rows == len(frame)
    assert streamed.log_evidence == pytest.approx(memory.log_evidence, rel=1e-12)
    assert streamed.mode.n_passes <= 8


ARITHMETIC = ["log(x1 + 9)", "I(x1**2) + x2", "sqrt(abs(x1)):x2", "I(-(x1 * x2) / 3)", "exp(x1) + f", "I(x1 > 0) + f"]


@pytest.mark.parametrize("term", ARITHMETIC)
def test_arithmetic_is_what_formulaic_makes_of_it(term, frame, folder):
    """To the last bit, whether it is worked out here or, as comparisons are, by formulaic."""
    design = bl.Design.from_formula(f"y ~ {term}", folder / "parquet")
    memory = bl.Design.from_formula(f"y ~ {term}", frame)
    mine, other = (np.vstack([block.X.toarray() for block in each.source.blocks()]) for each in (design, memory))
    assert design.columns == memory.columns
    assert np.array_equal(mine, other)
    assert (design.source.code.plan is None) == (">" in term)


def test_a_term_that_is_not_defined_names_file_and_row(frame, folder):
    row = int(np.flatnonzero(frame["x1"] <= -1.0)[0])
    with pytest.raises(bl.DataError, match=rf"part-0\.parquet: Term 'log\(x1 \+ 1\)' is not finite in row {row} "):
        bl.Design.from_formula("y ~ log(x1 + 1) + f", folder / "parquet")


@pytest.mark.parametrize("formula", FORMULAS[:2])
def test_files_of_either_kind_give_the_same_bits(formula, folder):
    from_parquet, from_text = (bl.fit(bl.Design.from_formula(formula, folder / kind)) for kind in ("parquet", "csv"))
    assert np.array_equal(from_parquet.params, from_text.params)
    assert np.array_equal(from_parquet.bse, from_text.bse)


def test_the_number_of_threads_changes_no_bit(folder, monkeypatch):
    fits = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        fits.append(bl.fit(bl.Design.from_formula("y ~ x1 + x2*f", folder / "parquet")))
    assert np.array_equal(fits[0].params, fits[1].params)
    assert np.array_equal(fits[0].bse, fits[1].bse)


def test_large_blocks_are_cut_and_compiled_the_same(monkeypatch, tmp_path):
    """Several blocks a file, compiled loops, and the sub-sample's road."""
    rng = np.random.default_rng(8)
    X = rng.standard_normal((60_000, 20)).astype(np.float32)
    y = rng.random(60_000) < 1.0 / (1.0 + np.exp(-X @ np.linspace(-0.5, 0.5, 20) + 1.0))
    data = pd.DataFrame(X, columns=[f"x{j}" for j in range(20)]).assign(y=y)
    data.to_parquet(tmp_path / "big.parquet")
    monkeypatch.setattr(spread, "_MOST_ROWS", 1 << 13)
    formula = "y ~ " + " + ".join(data.columns[:20])
    streamed = bl.fit(bl.Design.from_formula(formula, tmp_path / "big.parquet", stream=True), prior=bl.Normal(2.5))
    memory = bl.fit(bl.Design.from_formula(formula, data), prior=bl.Normal(2.5), tol=1e-11)
    assert streamed.design.source.compiled
    assert streamed.mode.n_sampled > 0
    assert streamed.mode.n_passes <= 8
    assert apart(streamed, memory) < 1e-9  # that in memory is certified to 1e-8 sd without its tolerance


def test_passes_are_counted(folder, monkeypatch):
    design = bl.Design.from_formula("y ~ x1 + x2*f", folder / "parquet")
    passes = []
    whole = StreamSource.fold
    monkeypatch.setattr(StreamSource, "fold", lambda self, *given: passes.append(1) or whole(self, *given))
    fit = bl.fit(design, prior=bl.Normal(2.5))
    assert len(passes) == fit.mode.n_passes <= 8


# --- what the first pass learns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_levels_that_only_later_files_have(kind, tmp_path):
    data = people(3000)
    data.loc[data.index < 1500, "f"] = "d"
    data.loc[data.index >= 2500, "f"] = "a"
    for number, part in enumerate(np.array_split(np.arange(3000), 3)):
        write = data.iloc[part].to_parquet if kind == "parquet" else data.iloc[part].to_csv
        write(tmp_path / f"{number}.{kind}", index=False)
    streamed = bl.fit("y ~ x1 + f + C(g)", tmp_path)
    assert apart(streamed, bl.fit("y ~ x1 + f + C(g)", data)) < 1e-7
    assert [name for name in streamed.params.index if name.startswith("f")] == ["f[T.b]", "f[T.c]", "f[T.d]"]


def test_categories_keep_their_order(tmp_path):
    data = people(2000)
    data["f"] = pd.Categorical(data["f"], categories=["d", "b", "a", "c", "never"])
    data["y"] = pd.Categorical(data["y"], categories=["yes", "no"])
    data.to_parquet(tmp_path / "one.parquet")
    streamed = bl.fit(bl.Design.from_formula("y ~ f", tmp_path / "one.parquet", stream=True))
    memory = bl.fit("y ~ f", tmp_path / "one.parquet")
    assert apart(streamed, memory) < 1e-7
    assert streamed.design.notes == memory.design.notes
    assert any("never" in note for note in streamed.design.notes)
    assert list(streamed.params.index) == ["Intercept", "f[T.b]", "f[T.a]", "f[T.c]"]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_missing_value_late_names_file_and_row(kind, tmp_path):
    data = people(900)
    data.loc[731, "x2"] = np.nan
    for number, rows in enumerate(np.array_split(np.arange(900), 3)):
        part = data.iloc[rows]
        part.to_parquet(tmp_path / f"p{number}.parquet") if kind == "parquet" else part.to_csv(
            tmp_path / f"p{number}.csv", index=False
        )
    with pytest.raises(bl.DataError, match=rf"p2\.{kind}: x2 has a missing value in row 131\."):
        bl.Design.from_formula("y ~ x1 + x2", tmp_path)
    dropped = bl.Design.from_formula("y ~ x1 + x2", tmp_path, missing="drop")
    assert dropped.n_dropped == 1 and dropped.n_rows == 899
    assert dropped.notes[0] == "Missing values: 1 of 900 rows dropped: x2 (1 row)."
    memory = bl.Design.from_formula("y ~ x1 + x2", data, missing="drop")
    assert apart(bl.fit(dropped), bl.fit(memory)) < 1e-7
    np.testing.assert_allclose(bl.fit(dropped).loo().elpd, bl.fit(memory).loo().elpd, rtol=1e-10)


def test_an_infinite_value_names_file_and_row(tmp_path):
    data = people(300)
    data.loc[17, "x1"] = np.inf
    data.to_parquet(tmp_path / "one.parquet")
    with pytest.raises(bl.DataError, match=r"one\.parquet: Column 'x1' has the value inf in row 17;"):
        bl.Design.from_formula("y ~ x1", tmp_path)


def test_text_among_numbers_names_file_and_row(tmp_path):
    data = people(300).astype({"x1": object})
    data.loc[217, "x1"] = "n.a."
    for number, rows in enumerate(np.array_split(np.arange(300), 2)):
        data.iloc[rows].to_csv(tmp_path / f"{number}.csv", index=False)
    with pytest.raises(
        bl.DataError, match=r"299 of the 300 values of x1 are numbers, but row 67 of 1\.csv holds 'n\.a"
    ):
        bl.Design.from_formula("y ~ x1", tmp_path)


def test_trials_weights_and_offset_by_name(frame, folder):
    for roles in ({"weights": "w"}, {"offset": "o"}, {"weights": "w", "offset": "o"}):
        streamed = bl.fit(bl.Design.from_formula("y ~ x1 + f", folder / "parquet", **roles), tol=1e-11)
        memory = bl.fit(bl.Design.from_formula("y ~ x1 + f", frame, **roles), tol=1e-11)
        assert apart(streamed, memory) < 1e-10
        assert streamed.nobs == memory.nobs
        assert streamed.design.has_offset == ("offset" in roles)
    assert any("rows of weight 0 were left out" in note for note in streamed.design.notes)


def test_successes_out_of_trials(tmp_path):
    data = bl.datasets.load("berkeley")
    data.to_parquet(tmp_path / "one.parquet")
    roles = {"trials": "applicants", "prior": None, "tol": 1e-11}
    streamed, memory = (bl.fit("admitted ~ gender + department", each, **roles) for each in (tmp_path, data))
    assert apart(streamed, memory) < 1e-10
    assert streamed.log_likelihood == pytest.approx(memory.log_likelihood, rel=1e-13)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("poly(x1, 2)", r"poly\(\) learns from all rows at once.*I\(x\*\*2\)"),
        ("bs(x1, df=4)", r"bs\(\) learns from all rows at once"),
        ("scale(x1)", r"scale\(\) learns.*write mean and sd as numbers"),
        ("center(x1)", r"center\(\) learns.*write the mean as a number"),
    ],
)
def test_transforms_that_learn_from_all_rows(term, words, folder):
    with pytest.raises(bl.FormulaError, match=words):
        bl.Design.from_formula(f"y ~ {term}", folder / "parquet")


def test_arrays_beside_a_stream(folder):
    with pytest.raises(bl.ArgumentError, match="weights: streamed and distributed data take the name of a column"):
        bl.Design.from_formula("y ~ x1", folder / "parquet", weights=np.ones(9000))


def test_what_cannot_be_streamed(frame, folder, tmp_path):
    with pytest.raises(bl.ArgumentError, match="stream=True: these data are no file or folder"):
        bl.Design.from_formula("y ~ x1", frame, stream=True)
    with pytest.raises(bl.ArgumentError, match="is a folder, and folders are streamed"):
        bl.Design.from_formula("y ~ x1", folder / "parquet", stream=False)
    with pytest.raises(bl.DataError, match="there is no file of kind"):
        bl.Design.from_formula("y ~ x1", tmp_path)
    with pytest.raises(bl.DataError, match=r"part-0\.parquet: there is no column 'z'"):
        bl.Design.from_formula("y ~ z", folder / "parquet")
    with pytest.raises(bl.DataError, match="Outcome 'g' is not two-valued"):
        bl.Design.from_formula("g ~ x1", folder / "parquet")


def test_damaged_files_are_named(folder, tmp_path):
    (tmp_path / "a.parquet").write_bytes((folder / "one.parquet").read_bytes()[:-100])
    with pytest.raises(bl.DataError, match=r"^a\.parquet: not a readable Parquet file"):
        bl.Design.from_formula("y ~ x1", tmp_path)
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "a.csv").write_text("y,x1\n0,1\n1,2,3\n")
    with pytest.raises(bl.DataError, match=r"^a\.csv: not a readable text file.*Expected 2 columns, got 3"):
        bl.Design.from_formula("y ~ x1", tmp_path)


def test_nothing_brings_all_rows_into_memory(folder, monkeypatch):
    fit = bl.fit("y ~ x1 + f", folder / "parquet")
    assert fit.predict().shape[0] == 9000  # small enough to be held
    monkeypatch.setattr(spread, "MOST_HELD", 1000)
    with pytest.raises(bl.DataError, match="needs all rows in memory at once: 9,000 rows of 4 columns"):
        fit.predict()
    with pytest.raises(bl.DataError, match="needs all rows in memory at once"):
        fit.loo()
    assert fit.conf_int().shape == (5, 2)
    assert "x1" in str(fit.summary())
    assert fit.predict(people(3)).shape[0] == 3
    assert MOST_HELD * 8 <= 1 << 29


def test_blocks_do_not_grow_with_columns():
    assert block_rows(1) == 1 << 16
    assert all(block_rows(p) * p <= 1 << 21 for p in (20, 32, 100, 1000, 2000))


# --- what comes after a fit --------------------------------------------------------------------------------------


def test_saved_and_loaded(folder, frame, tmp_path):
    fit = bl.fit("y ~ x1 + f", folder / "one.parquet")
    streamed = bl.fit(bl.Design.from_formula("y ~ x1 + f", folder / "one.parquet", stream=True))
    assert streamed.design.provenance.sha256 == fit.design.provenance.sha256
    assert streamed.design.fingerprint == fit.design.fingerprint
    streamed.to_json(tmp_path / "fit.json")
    again = bl.load(tmp_path / "fit.json")
    new = frame.head(5)
    assert again.predict(new).equals(streamed.predict(new))


def test_certified_draws_take_few_passes(folder, monkeypatch):
    fit = bl.fit("y ~ x1 + f", folder / "parquet")
    passes = []
    whole = StreamSource.fold
    monkeypatch.setattr(StreamSource, "fold", lambda self, *given: passes.append(1) or whole(self, *given))
    draws = fit.sample("importance", draws=400, rng=1)
    assert draws.khat < 0.7
    assert len(passes) <= 3


@pytest.mark.parametrize("method", ["importance", "variational"])
def test_the_rungs_of_rows_that_stay_outside(method, folder, frame, monkeypatch):
    """Every sum is a pass over the files where the rows are too many to be held; the numbers are those of memory."""
    memory = bl.fit("y ~ x1 + f", frame, tol=1e-11).sample(method, draws=400, rng=1)
    fit = bl.fit(bl.Design.from_formula("y ~ x1 + f", folder / "parquet"), tol=1e-11)
    monkeypatch.setattr("bayeslogit.posterior.ground._KEPT_BYTES", 0)
    monkeypatch.setattr("bayeslogit.posterior.importance.sweep", lambda *given: None)
    monkeypatch.setattr(spread, "MOST_HELD", 1000)
    passes = []
    whole = StreamSource.fold
    monkeypatch.setattr(StreamSource, "fold", lambda self, *given: passes.append(1) or whole(self, *given))
    draws = fit.sample(method, draws=400, rng=1)
    assert draws.method == memory.method
    np.testing.assert_allclose(draws.mean, memory.mean, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(draws.sd, memory.sd, rtol=1e-7)
    assert len(passes) <= 12


def test_leave_one_out_of_rows_that_stay_outside(folder, frame, monkeypatch):
    """A few passes, of which a number for each row is kept; and the evidence, which needs none."""
    memory = bl.fit("y ~ x1 + f", frame)
    fit = bl.fit("y ~ x1 + f", folder / "parquet")
    monkeypatch.setattr("bayeslogit.posterior.ground._KEPT_BYTES", 0)
    monkeypatch.setattr(spread, "MOST_HELD", 30_000)  # three numbers a row, and not the four of its columns
    passes = []
    whole = StreamSource.fold
    monkeypatch.setattr(StreamSource, "fold", lambda self, *given: passes.append(1) or whole(self, *given))
    assert fit.log_evidence == pytest.approx(memory.log_evidence, rel=1e-12)
    assert not passes
    for kind in ("posterior", "mode"):
        streamed, held = fit.loo(kind=kind), memory.loo(kind=kind)
        assert streamed.elpd == pytest.approx(held.elpd, rel=1e-10)
        assert streamed.se == pytest.approx(held.se, rel=1e-8)
    assert len(passes) <= 8


@pytest.mark.parametrize("prior", [None, bl.Normal(2.5)])
def test_separated_rows_that_stay_outside(prior, tmp_path, monkeypatch):
    """What separates them is found without all rows in memory, as it is found in memory."""
    data = people(6000).assign(y=lambda each: (each["x1"] > 0.3) | ((each["f"] == "a") & (each["x1"] > -0.2)))
    data.to_parquet(tmp_path / "one.parquet")
    monkeypatch.setattr(spread, "MOST_HELD", 1000)
    fits = []
    for source in (tmp_path, data):
        if prior is None:
            with pytest.warns(bl.FitWarning, match="separat"):
                fits.append(bl.fit("y ~ x1 + x2 + f", source, prior=prior))
        else:
            fits.append(bl.fit("y ~ x1 + x2 + f", source, prior=prior))
    assert fits[0].status == fits[1].status
    assert fits[0].notes[0] == fits[1].notes[0]
    assert "separated" in " ".join(fits[0].notes)


# --- passes ------------------------------------------------------------------------------------------------------


def counted_rows(n: int, k: int, seed: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, k)).astype(np.float32)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-X @ np.linspace(-0.5, 0.5, k) + 1.0))
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(k)]).assign(y=y.astype(np.int8))


def test_two_passes_and_how_far_they_come(tmp_path, monkeypatch):
    data = counted_rows(100_000, 3)
    data.to_parquet(tmp_path / "one.parquet")
    design = bl.Design.from_formula("y ~ x0 + x1 + x2", tmp_path / "one.parquet", stream=True)
    passes = []
    whole = StreamSource.fold
    monkeypatch.setattr(StreamSource, "fold", lambda self, *given: passes.append(1) or whole(self, *given))
    few = bl.fit(design, prior=bl.Normal(2.5), passes=2)
    assert len(passes) == few.mode.n_passes == 2
    exact = bl.fit(design, prior=bl.Normal(2.5), tol=1e-11)
    R = np.linalg.cholesky(exact.mode.expansion.information)
    away = np.linalg.norm(R.T @ (few.params - exact.params).to_numpy())
    assert 0.0 < away <= few.mode.decrement < 1e-2
    assert np.max(np.abs(few.bse / exact.bse - 1.0)) <= 0.5 * few.mode.information_error < 0.01
    assert any("were limited to 2: the estimates are at most" in note for note in few.notes)
    assert "were limited to 2" in str(few.summary())


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_few_passes_holds(seed):
    """At any number of passes, on rows in memory too, the mode is no further away than is said."""
    data = counted_rows(4000, 4, seed)
    design = bl.Design.from_formula("y ~ x0 + x1 + x2 + x3", data)
    exact = bl.fit(design, prior=bl.Normal(2.5), tol=1e-11)
    R = np.linalg.cholesky(exact.mode.expansion.information)
    stated = []
    for passes in (3, 4, 5):
        target = LogPosterior.of(design, exact.prior)
        mode = find_mode(target, tol=1e-12, passes=passes)
        assert np.linalg.norm(R.T @ (mode.beta - exact.params.to_numpy())) <= mode.decrement + 1e-11
        stated.append(mode.decrement)
    assert stated[2] < 1e-6


def test_few_passes_that_are_too_few_say_so(frame):
    with pytest.warns(bl.FitWarning, match="Not converged: only known to be at most"):
        fit = bl.fit("y ~ x1 + f", frame, prior=bl.Normal(2.5), passes=1)
    assert fit.status == "iteration limit"
    with pytest.raises(
        bl.ArgumentError, match="bounded under normal and flat priors, not with a prior such as laplace"
    ):
        bl.fit("y ~ x1 + f", frame, prior=bl.Laplace(1.0), passes=2)
    with pytest.raises(bl.ArgumentError, match="passes=0: a whole number of at least one pass"):
        bl.fit("y ~ x1 + f", frame, prior=bl.Normal(1.0), passes=0)


def test_rows_that_fit_are_decoded_once(tmp_path, monkeypatch):
    data = people(3000)
    data.to_parquet(tmp_path / "one.parquet")
    fits = []
    for most in (0, MOST_HELD):
        monkeypatch.setattr(spread, "MOST_HELD", most)
        design = bl.Design.from_formula("y ~ x1 + x2*f", tmp_path / "one.parquet", stream=True)
        assert bool(design.source.kept) == bool(most)
        if most:
            (tmp_path / "one.parquet").unlink()
        fits.append(bl.fit(design))
    assert np.array_equal(fits[0].params, fits[1].params)
    assert np.array_equal(fits[0].bse, fits[1].bse)


def test_a_change_of_rows_is_bounded_by_the_ranges(folder):
    design = bl.Design.from_formula("y ~ x1 + x2*f", folder / "parquet")
    target = LogPosterior.of(design, bl.Normal(2.5).resolve(design))
    rng = np.random.default_rng(1)
    search = Search(target, np.zeros(9), target.expand(np.zeros(9)))
    for direction in rng.standard_normal((20, 9)):
        assert target.reach(direction)[0] <= search.farthest(direction) * (1.0 + 1e-12)


def test_who_waits_sees_rows_and_passes(folder, monkeypatch, capsys):
    monkeypatch.setattr(waiting, "_PATIENCE", 0.0)
    monkeypatch.setattr(waiting, "_APART", 0.0)
    monkeypatch.setattr(type(waiting.sys.stderr), "isatty", lambda self: True, raising=False)
    bl.fit("y ~ x1 + f", folder / "parquet")
    shown = capsys.readouterr().err
    assert "pass 1, rows [" in shown
    assert "pass 3, rows [" in shown
    assert "9,000 of 9,000" in shown
    assert shown.endswith("\r")


# --- memory ------------------------------------------------------------------------------------------------------

_BOUNDED = """
    import json, resource, sys
    import bayeslogit as bl
    from bayeslogit.sources import spread
    spread.MOST_HELD = 1 << 20
    design = bl.Design.from_formula("y ~ " + " + ".join(f"x{j}" for j in range(10)), sys.argv[1], stream=True)
    fit = bl.fit(design, prior=bl.Normal(2.5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "rows": design.n_rows, "converged": bool(fit.converged)}))
"""


def write_rows(path: Path, n: int, columns: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    rng, writer = np.random.default_rng(2), None
    for low in range(0, n, 1 << 18):
        X = rng.standard_normal((min(1 << 18, n - low), columns)).astype(np.float32)
        y = (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-X[:, 0]))).astype(np.int8)
        table = pa.table({**{f"x{j}": X[:, j] for j in range(columns)}, "y": y})
        writer = writer or pa.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


@pytest.mark.prove
def test_memory_does_not_grow_with_rows(tmp_path):
    """3,000,000 rows of 10 columns are 240 MB as doubles; a stream holds none of them for long."""
    found: list[dict[str, Any]] = []
    for n in (300_000, 3_000_000):
        write_rows(tmp_path / f"{n}.parquet", n, 10)
        script = textwrap.dedent(_BOUNDED)
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / f"{n}.parquet")], capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout))
    assert [each["rows"] for each in found] == [300_000, 3_000_000]
    assert all(each["converged"] for each in found)
    assert found[1]["peak"] < 600
    assert found[1]["peak"] - found[0]["peak"] < 100


def test_a_certificate_takes_one_pass_more_and_agrees_with_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("bayeslogit.posterior.ground._KEPT_BYTES", 0)
    rng = np.random.default_rng(5)
    X = rng.normal(size=(20_000, 4))
    y = rng.random(20_000) < 1.0 / (1.0 + np.exp(-(X @ [0.5, -0.3, 0.0, 0.2] - 2.0)))
    pd.DataFrame(X, columns=list("abcd")).assign(y=y.astype(int)).to_parquet(tmp_path / "rows.parquet")
    passes = []

    def counted(self, function, args, fold=StreamSource.fold):
        passes.append(function)
        return fold(self, function, args)

    monkeypatch.setattr(StreamSource, "fold", counted)
    prior = bl.Normal(1.0)
    fit = bl.fit(bl.Design.from_formula("y ~ a + b + c + d", tmp_path / "rows.parquet", stream=True), prior=prior)
    passes.clear()
    draws = fit.sample("importance", rng=1)
    assert draws.verdict.certified and len(passes) == 1
    monkeypatch.undo()
    memory = bl.fit("y ~ a + b + c + d", pd.read_parquet(tmp_path / "rows.parquet"), prior=prior).sample("importance")
    assert memory.verdict.certified
    # What a certificate promises of each number.
    np.testing.assert_allclose(draws.mean, memory.mean, rtol=0.0, atol=0.01 * memory.sd.min())
    np.testing.assert_allclose(draws.sd, memory.sd, rtol=0.01)
    for prob in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(draws.quantile(prob), memory.quantile(prob), rtol=0.0, atol=0.015 * memory.sd.min())
    assert draws.log_evidence == pytest.approx(memory.log_evidence, abs=0.01)


def test_what_one_pass_does_not_certify_is_sampled_as_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("bayeslogit.posterior.ground._KEPT_BYTES", 0)
    rng = np.random.default_rng(6)
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc")).assign(y=rng.integers(0, 2, 40))
    table.to_parquet(tmp_path / "few.parquet")
    streamed = bl.fit(
        bl.Design.from_formula("y ~ a + b + c", tmp_path / "few.parquet", stream=True), prior=bl.Normal(2)
    )
    draws = streamed.sample("importance", rng=1)
    memory = bl.fit("y ~ a + b + c", table, prior=bl.Normal(2)).sample("importance", rng=2)
    assert draws.verdict.certified and memory.verdict.certified
    np.testing.assert_allclose(draws.mean, memory.mean, rtol=0.0, atol=0.02 * memory.sd.min())
    np.testing.assert_allclose(draws.sd, memory.sd, rtol=0.02)
