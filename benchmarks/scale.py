"""How a fit grows with rows: a Parquet file streamed, n = 1e5 to 1e7 (with --large 1e8), p = 20, beside its peers.

    python benchmarks/scale.py [--rows 1e5 1e6 1e7] [--large] [--dask 1e7] [--peers 1e6] [--folder DIR] [--python PATH]

The file is made in chunks in a temporary folder (free disk is checked first) and deleted afterwards. Every row of the
tables comes from processes of its own, so that peak memory is that of one fit. A pass is compared with reading and
decoding the same columns, alone, in the same process, in turns. scikit-learn fits the same penalised likelihood
(L2, C = 2.5^2) while the rows fit in memory; --dask fits on two processes what the process itself fits in memory;
--peers asks Spark ML and dask-ml, found by the interpreter of --python. What is measured goes to scale.json, where
each part keeps its last measurement, and scale.md is written from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

P = 20
CHUNK = 1 << 19
LEFT_FREE = 10e9
NAMES = [f"x{j}" for j in range(P)]
FORMULA = "y ~ " + " + ".join(NAMES)
SCALE = 2.5
SKLEARN_MOST = 10_000_000
HERE = Path(__file__).parent
Record = dict[str, Any]


def write(path: Path, n: int) -> None:
    """Standard normal columns in single precision and an outcome from a logistic model."""
    import pyarrow as pa
    import pyarrow.parquet

    rng, beta, writer = np.random.default_rng(5), np.linspace(-0.5, 0.5, P), None
    for low in range(0, n, CHUNK):
        X = rng.standard_normal((min(CHUNK, n - low), P), dtype=np.float32)
        y = (rng.random(len(X)) < 1.0 / (1.0 + np.exp(1.0 - X @ beta))).astype(np.int8)
        table = pa.table({**dict(zip(NAMES, X.T, strict=True)), "y": y})
        writer = writer or pa.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def timed(one: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it; the interpreter of a peer may be older than ours."""
    start = time.perf_counter()
    result = one()
    return time.perf_counter() - start, result


# --- each in a process of its own ---------------------------------------------------------------------------------


def streamed(path: Path) -> Record:
    """One fit from the file, its passes, and how long one pass of each kind takes beside reading alone."""
    import pyarrow.parquet

    import bayeslogit as bl
    from bayeslogit.sources import spread
    from bayeslogit.target import LogPosterior

    made, design = timed(lambda: bl.Design.from_formula(FORMULA, path, stream=True))
    seconds, fit = timed(lambda: bl.fit(design, prior=bl.Normal(SCALE)))
    record: Record = {"design": made, "fit": seconds, "passes": fit.mode.n_passes, "peak": peak()}
    record |= {"kept": design.source.fits, "params": fit.params.tolist(), "bse": fit.bse.tolist()}
    record |= {"decrement": fit.mode.decrement, "sampled": fit.mode.n_sampled, "rows": design.n_rows}
    few_seconds, few = timed(lambda: bl.fit(design, prior=bl.Normal(SCALE), passes=2))
    away = float(np.max(np.abs(few.params - fit.params) / fit.bse))
    record["two"] = {"fit": few_seconds, "passes": few.mode.n_passes, "bound": few.mode.decrement, "away": away}
    target = LogPosterior.of(design, fit.prior)
    gamma = target.coordinates.gamma(fit.mode.beta)

    def read() -> None:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for _ in file.iter_batches(design.source.rows, columns=["y", *NAMES]):
                pass

    kinds = {"slope": lambda: target.slope(gamma), "expand": lambda: target.expand(gamma)}
    times: dict[str, list[tuple[float, float]]] = {}

    def measured(label: str, one: Callable[[], Any]) -> None:
        start, cpu = time.perf_counter(), time.process_time()
        one()
        times.setdefault(label, []).append((time.perf_counter() - start, time.process_time() - cpu))

    for _ in range(7 if design.n_rows <= 1_000_000 else 3 if design.n_rows <= 10_000_000 else 1):
        if design.source.fits:
            for kind, one in kinds.items():
                measured(f"{kind} kept", one)
    spread.MOST_HELD = 0  # from here on every pass reads the file
    design.source.kept.clear()
    for _ in range(7 if design.n_rows <= 1_000_000 else 5 if design.n_rows <= 10_000_000 else 2):
        measured("read", read)
        for kind, one in kinds.items():
            measured(kind, one)
    record["passed"] = {kind: np.min(each, axis=0).tolist() for kind, each in times.items()}
    return record


def sklearn(path: Path) -> Record:
    """The same mode by scikit-learn, from memory."""
    import pyarrow.parquet
    from sklearn.linear_model import LogisticRegression

    table = pyarrow.parquet.read_table(path)
    X = np.column_stack([table[name].to_numpy() for name in NAMES])
    y = table["y"].to_numpy()
    del table
    seconds, model = timed(lambda: LogisticRegression(C=SCALE**2, tol=1e-8, max_iter=1000).fit(X, y))
    params = [float(model.intercept_[0]), *model.coef_[0].tolist()]
    return {"fit": seconds, "iterations": int(model.n_iter_[0]), "peak": peak(), "params": params}


def clustered(path: Path) -> Record:
    """Two Dask processes that hold the rows, beside the same rows in the memory of this process; in turns."""
    import dask.dataframe as dd
    import pandas as pd
    from distributed import Client, LocalCluster, wait

    import bayeslogit as bl

    frame, prior, record = pd.read_parquet(path), bl.Normal(SCALE), Record()
    # Compiled loops, formulaic, narwhals: loaded before anything is timed.
    bl.fit(FORMULA, frame.head(200_000), prior=prior)
    options: Any = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        lazy = dd.read_parquet(path, blocksize="64MiB").persist()
        wait(lazy)
        bl.fit(FORMULA, lazy.partitions[:2], prior=prior)
        times: dict[str, list[float]] = {}
        for _ in range(3):
            for where, data in (("memory", frame), ("dask", lazy)):
                made, design = timed(lambda data=data: bl.Design.from_formula(FORMULA, data))
                seconds, fit = timed(lambda design=design: bl.fit(design, prior=prior))
                times.setdefault(f"{where} design", []).append(made)
                times.setdefault(f"{where} fit", []).append(seconds)
                times.setdefault(where, []).append(made + seconds)
                record[f"{where} params"], record["bse"] = fit.params.to_numpy(), fit.bse.to_numpy()
                record[f"{where} passes"] = fit.mode.n_passes
                del design, fit
        record["partitions"] = lazy.npartitions
        del lazy, client
    apart = np.max(np.abs(record.pop("memory params") - record.pop("dask params")) / record.pop("bse"))
    return {**record, **{where: min(each) for where, each in times.items()}, "apart": float(apart), "rows": len(frame)}


def spark(path: Path) -> Record:
    """Spark ML on the same file with the same penalty, all cores of this machine."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master(f"local[{len(os.sched_getaffinity(0))}]").config("spark.driver.memory", "4g")
    engine = session.config("spark.ui.enabled", "false").getOrCreate()
    engine.sparkContext.setLogLevel("ERROR")
    rows = engine.read.parquet(str(path))
    n = rows.count()
    data = VectorAssembler(inputCols=NAMES, outputCol="features").transform(rows).selectExpr("features", "y as label")
    model = LogisticRegression(regParam=1.0 / (n * SCALE**2), standardization=False, tol=1e-10, maxIter=500)
    times = []
    for _ in range(2):
        seconds, fit = timed(lambda: model.fit(data))
        times.append(seconds)
    params = [float(fit.intercept), *(float(each) for each in fit.coefficients)]
    result = {"fit": min(times), "iterations": int(fit.summary.totalIterations), "params": params}
    engine.stop()
    return {**result, "version": __import__("pyspark").__version__}


def dask_ml(path: Path) -> Record:
    """dask-ml's L-BFGS over two processes; its penalty is on the intercept too."""
    import dask.dataframe as dd
    import dask_ml
    from dask_ml.linear_model import LogisticRegression
    from distributed import Client, LocalCluster

    options: Any = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster):
        frame = dd.read_parquet(path, blocksize="16MiB").persist()
        X, y = frame[NAMES].to_dask_array(lengths=True).persist(), frame["y"].to_dask_array(lengths=True).persist()
        model = LogisticRegression(C=SCALE**2, solver="lbfgs", tol=1e-8, max_iter=500)
        seconds, _ = timed(lambda: model.fit(X, y))
        params = [float(np.ravel(model.intercept_)[0]), *np.ravel(model.coef_).tolist()]
    iterations = getattr(model, "n_iter_", None)
    counted = None if iterations is None else int(np.ravel(iterations)[0])
    return {"fit": seconds, "iterations": counted, "params": params, "version": dask_ml.__version__}


ALONE: dict[str, Callable[[Path], Record]] = {
    "stream": streamed,
    "sklearn": sklearn,
    "dask": clustered,
    "spark": spark,
    "dask_ml": dask_ml,
}


def peak() -> float:
    """Megabytes."""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def in_a_process(what: str, path: Path, python: str = sys.executable) -> Record:
    """What one fit prints, made in a process of its own, with the load of the machine."""
    before = os.getloadavg()[0]
    done = subprocess.run([python, __file__, "--one", what, str(path)], capture_output=True, text=True)
    about = {"load": [round(before, 1), round(os.getloadavg()[0], 1)], "date": datetime.now(UTC).strftime("%d %B %Y")}
    if done.returncode:
        return {
            "failed": (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1][:160],
            **about,
        }
    return {**json.loads(done.stdout.splitlines()[-1]), **about}


@contextmanager
def rows_in_a_file(n: int, folder: Path | None) -> Iterator[Path | None]:
    """A file of so many rows, gone afterwards; None if the disk is too full for it."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        needed, free = 5.2 * P * n, shutil.disk_usage(inside).free
        if free < needed + LEFT_FREE:
            print(f"{n:>11,} rows need {needed / 1e9:.1f} GB of disk, and {LEFT_FREE / 1e9:.0f} GB left free: skipped")
            yield None
            return
        path = Path(inside) / "rows.parquet"
        write(path, n)
        yield path


# --- what it says -------------------------------------------------------------------------------------------------


def distance(params: list[float], ours: Record) -> float:
    """Largest difference of a coefficient in posterior sds."""
    return float(np.max(np.abs(np.subtract(params, ours["params"])) / np.asarray(ours["bse"])))


def page(found: Record) -> str:
    """scale.md from what was measured."""
    sections = [f"# Rows\n\n{found['about']}\n", stream_table(found), *pass_notes(found)]
    sections += [cluster_lines(found["dask"])] if "dask" in found else []
    sections += [peer_table(found["peers"])] if "peers" in found else []
    return "\n".join(sections)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [heads, ["---:"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def stream_table(found: Record) -> str:
    """A row for each number of rows."""
    heads = ["rows", "design, s", "fit, s", "passes", "peak MB", "reading alone, s", "gradient pass / reading"]
    heads += ["information pass / reading", "the same in processor time", "scikit-learn fit, s", "its iterations"]
    heads += ["its peak MB", "its distance, sd", "load"]
    lines = []
    for key in sorted((key for key in found if key.isdigit()), key=int):
        ours, peer = found[key]["stream"], found[key].get("sklearn", {"failed": "not tried"})
        if "failed" in ours:
            lines.append([f"{int(key):,}", ours["failed"], *[""] * (len(heads) - 2)])
            continue
        times = ours["passed"]
        (read, cpu), (slope, slope_cpu), (expand, expand_cpu) = (times[kind] for kind in ("read", "slope", "expand"))
        line = [f"{int(key):,}", f"{ours['design']:.1f}", f"{ours['fit']:.1f}", f"{ours['passes']}"]
        line += [f"{ours['peak']:.0f}", f"{read:.2f}", f"{slope / read:.2f}", f"{expand / read:.2f}"]
        line += [f"{slope_cpu / cpu:.2f}, {expand_cpu / cpu:.2f}"]
        if "failed" in peer:
            line += [peer["failed"], "", "", ""]
        else:
            line += [f"{peer['fit']:.1f}", f"{peer['iterations']}", f"{peer['peak']:.0f}"]
            line += [f"{distance(peer['params'], ours):.0e}"]
        lines.append([*line, f"{ours['load'][0]:g} to {ours['load'][1]:g}"])
    return table(heads, lines)


def pass_notes(found: Record) -> list[str]:
    """What the table does not say."""
    whole = {key: found[key]["stream"] for key in sorted(filter(str.isdigit, found), key=int)}
    whole = {key: each for key, each in whole.items() if "failed" not in each}
    two = ", ".join(
        f"{int(key):,} rows: {each['two']['fit']:.1f} s, at most {each['two']['bound']:.0e} sd away, in truth "
        f"{each['two']['away']:.0e}"
        for key, each in whole.items()
    )
    kept = ", ".join(
        f"{int(key):,} rows: {each['passed']['slope kept'][0] / each['passed']['read'][0]:.2f} and "
        f"{each['passed']['expand kept'][0] / each['passed']['read'][0]:.2f}"
        for key, each in whole.items()
        if each["kept"]
    )
    worst = max(each["decrement"] for each in whole.values())
    return [
        f"- Distance from the mode at the default tolerance: at most {worst:.0e} posterior sd by the last decrement.",
        f"- `passes=2` (seconds, the bound that the fit states, and the distance from the exact fit): {two}.",
        f"- Rows that may be held are decoded once and kept; a gradient and an information pass over them take, as a "
        f"multiple of reading alone, {kept}. The ratios of the table are of passes that read the file.",
        '- "Design" is the first two passes (levels and outcome; means, sds, sample; SHA-256 of the file beside them) '
        'and, in the first fit of a process, the import of the compiled loops. "Reading alone" decodes the columns '
        "with all cores. The distances are scikit-learn's from the mode: its tolerance bounds the gradient of a mean.",
        "",
    ]


def cluster_lines(one: Record) -> str:
    """Dask beside memory."""
    if "failed" in one:
        return f"## Dask\n\nFailed: {one['failed']}\n"
    line = [f"{one['rows']:,}", f"{one['memory design']:.1f} + {one['memory fit']:.1f}"]
    line += [f"{one['dask design']:.1f} + {one['dask fit']:.1f}", f"{one['dask fit'] / one['memory fit']:.2f}"]
    line += [f"{one['dask'] / one['memory']:.2f}", f"{one['dask passes']}", f"{one['apart']:.0e}"]
    line += [f"{one['load'][0]:g} to {one['load'][1]:g}"]
    heads = ["rows", "memory: design + fit, s", "Dask: design + fit, s", "ratio of fits", "ratio of both", "passes"]
    return (
        f"## Dask\n\nTwo processes of one thread that hold {one['partitions']} partitions, beside the same rows in the "
        "memory of one process with two threads; three of each in turns, the least of each. Cluster start and reading "
        f"are not counted.\n\n{table([*heads, 'apart, sd', 'load'], [line])}"
    )


def peer_table(peers: Record) -> str:
    """Spark ML and dask-ml on the same file."""
    ours, lines = peers["ours"], []
    lines.append(
        ["bayeslogit, streamed", f"{ours['fit']:.1f}", f"{ours['passes']} passes", "0", f"{ours['load'][0]:g}"]
    )
    for name, label in (("spark", "Spark ML"), ("dask_ml", "dask-ml")):
        one = peers[name]
        if "failed" in one:
            lines.append([label, "failed", one["failed"].replace("|", "/"), "", f"{one['load'][0]:g}"])
            continue
        counted = "not told" if one["iterations"] is None else f"{one['iterations']} iterations, a pass or more each"
        away = f"{distance(one['params'], ours):.0e}"
        lines.append([f"{label} {one['version']}", f"{one['fit']:.1f}", counted, away, f"{one['load'][0]:g}"])
    return (
        f"## Peers, {peers['rows']:,} rows\n\nThe same file and machine, two cores. Spark has read the file once "
        "before and fits twice, the quicker counts; dask-ml has the rows in its two workers' memory, and penalises the "
        f"intercept too.\n\n{table(['', 'fit, s', 'passes', 'distance, sd', 'load'], lines)}"
    )


def about() -> str:
    """The sentence on top."""
    import pyarrow

    return (
        f"Made by `python benchmarks/scale.py` ({platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, PyArrow {pyarrow.__version__}; last on "
        f"{datetime.now(UTC).strftime('%d %B %Y')}). {P} columns in single precision and a 0/1 outcome in one Parquet "
        f"file, `prior=bl.Normal({SCALE})`, exact mode and standard errors. Every row is a process of its own. The "
        "last column is the load of the machine before and after: where it is above the number of cores, seconds are "
        "upper limits, and passes, peak memory, processor time and figures of one row can be compared."
    )


def main() -> None:
    """Measure what is asked for, and write the page."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=float, nargs="*", default=None, help="numbers of rows; 1e5 1e6 1e7 without")
    options.add_argument("--large", action="store_true", help="also 1e8 rows (about 10 GB of disk)")
    options.add_argument("--dask", type=float, default=None, help="rows to fit on two Dask processes")
    options.add_argument("--peers", type=float, default=None, help="rows to fit with Spark ML and dask-ml")
    options.add_argument("--python", default=sys.executable, help="an interpreter that has pyspark and dask-ml")
    options.add_argument("--folder", type=Path, default=None)
    options.add_argument("--one", nargs=2, default=None, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        what, path = given.one
        print(json.dumps(ALONE[what](Path(path))))
        return
    alone = given.rows is None and not (given.large or given.dask or given.peers)
    sizes = [10**5, 10**6, 10**7] if alone else [int(n) for n in given.rows or ()] + [10**8] * given.large
    for n in sizes:
        with rows_in_a_file(n, given.folder) as path:
            if path:
                record = {"stream": in_a_process("stream", path)}
                if n <= SKLEARN_MOST:
                    record["sklearn"] = in_a_process("sklearn", path)
                keep(str(n), record)
    if given.dask:
        with rows_in_a_file(int(given.dask), given.folder) as path:
            if path:
                keep("dask", in_a_process("dask", path))
    if given.peers:
        with rows_in_a_file(int(given.peers), given.folder) as path:
            if path:
                others = {name: in_a_process(name, path, given.python) for name in ("spark", "dask_ml")}
                keep("peers", {"rows": int(given.peers), "ours": in_a_process("stream", path), **others})


def keep(part: str, record: Record) -> None:
    """Write a measurement beside the others, and the page from all of them."""
    store = HERE / "scale.json"
    found = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    found |= {part: record, "about": about()}
    store.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    text = page(found)
    (HERE / "scale.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    main()
