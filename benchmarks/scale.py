"""How a fit grows with rows: a Parquet file streamed, n = 1e5 to 1e7 (with --large 1e8), p = 20, beside scikit-learn.

    python benchmarks/scale.py [--large] [--most 1e6] [--folder DIR]

The file is made in chunks in a temporary folder (free disk is checked first) and deleted afterwards. Every row of the
table comes from processes of its own, so that peak memory is that of one fit. A pass is compared with reading and
decoding the same columns, alone, in the same process, in turns. scikit-learn fits the same penalised likelihood
(L2, C = 2.5^2) while the rows fit in memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

P = 20
CHUNK = 1 << 19
LEFT_FREE = 10e9
NAMES = [f"x{j}" for j in range(P)]
SKLEARN_MOST = 10_000_000


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


def streamed(path: Path) -> dict[str, object]:
    """One fit from the file, its passes, and how long one pass of each kind takes beside reading alone."""
    import pyarrow.parquet

    import bayeslogit as bl
    from bayeslogit.target import LogPosterior

    began = time.perf_counter()
    design = bl.Design.from_formula("y ~ " + " + ".join(NAMES), path, stream=True)
    made = time.perf_counter()
    fit = bl.fit(design, prior=bl.Normal(2.5))
    done = time.perf_counter()
    record = {"design": made - began, "fit": done - made, "passes": fit.mode.n_passes, "peak": peak()}
    target = LogPosterior.of(design, fit.prior)
    gamma = target.coordinates.gamma(fit.mode.beta)

    def read() -> None:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for _ in file.iter_batches(1 << 16, columns=["y", *NAMES]):
                pass

    kinds = {"read": read, "slope": lambda: target.slope(gamma), "expand": lambda: target.expand(gamma)}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(3 if design.n_rows <= 10_000_000 else 1):
        for kind, one in kinds.items():
            start = time.perf_counter()
            one()
            times[kind].append(time.perf_counter() - start)
    record |= {kind: min(each) for kind, each in times.items()}
    record |= {"params": fit.params.tolist(), "bse": fit.bse.tolist(), "decrement": fit.mode.decrement}
    return record


def sklearn(path: Path) -> dict[str, object]:
    """The same mode by scikit-learn, from memory."""
    import pyarrow.parquet
    from sklearn.linear_model import LogisticRegression

    table = pyarrow.parquet.read_table(path)
    X = np.column_stack([table[name].to_numpy() for name in NAMES])
    y = table["y"].to_numpy()
    del table
    start = time.perf_counter()
    model = LogisticRegression(C=2.5**2, tol=1e-8, max_iter=1000).fit(X, y)
    seconds = time.perf_counter() - start
    params = [float(model.intercept_[0]), *model.coef_[0].tolist()]
    return {"fit": seconds, "iterations": int(model.n_iter_[0]), "peak": peak(), "params": params}


def peak() -> float:
    """Megabytes."""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def in_a_process(what: str, path: Path) -> dict[str, object]:
    """What one fit prints, made in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", what, str(path)], capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]}
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Print the table, a line for each number of rows."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--large", action="store_true", help="also 1e8 rows (about 9 GB of disk)")
    options.add_argument("--most", type=float, default=1e7)
    options.add_argument("--folder", type=Path, default=None)
    options.add_argument("--one", nargs=2, default=None, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        what, path = given.one
        print(json.dumps((streamed if what == "stream" else sklearn)(Path(path))))
        return
    sizes = [n for n in (10**5, 10**6, 10**7) if n <= given.most] + [10**8] * given.large
    heads = ("rows", "design s", "fit s", "passes", "s/pass", "peak MB", "read s", "slope/read", "expand/read")
    widths = (11, 9, 8, 6, 7, 8, 7, 10, 11)
    ours_heads = " ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
    print(f"{ours_heads} | {'sklearn s':>9} {'its':>4} {'peak MB':>8} {'max sd':>8}")
    for n in sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            needed, free = 4.5 * P * n, shutil.disk_usage(folder).free
            if free < needed + LEFT_FREE:
                print(f"{n:>11,} needs {needed / 1e9:.1f} GB of disk and {LEFT_FREE / 1e9:.0f} GB left free: skipped")
                continue
            path = Path(folder) / "rows.parquet"
            write(path, n)
            ours = in_a_process("stream", path)
            peers = in_a_process("sklearn", path) if n <= SKLEARN_MOST else {"failed": "not tried at this size"}
        print(line(n, ours, peers), flush=True)


def line(n: int, ours: dict[str, object], peers: dict[str, object]) -> str:
    """One line of the table."""
    if "failed" in ours:
        return f"{n:>11,} failed: {ours['failed']}"
    o = {key: value for key, value in ours.items() if isinstance(value, float | int)}
    text = (
        f"{n:>11,} {o['design']:>9.2f} {o['fit']:>8.2f} {o['passes']:>6} {o['fit'] / o['passes']:>7.2f} "
        f"{o['peak']:>8.0f} {o['read']:>7.2f} {o['slope'] / o['read']:>10.2f} {o['expand'] / o['read']:>11.2f} | "
    )
    if "failed" in peers:
        return text + str(peers["failed"])
    apart = np.max(np.abs(np.subtract(peers["params"], ours["params"])) / np.asarray(ours["bse"]))
    return text + f"{peers['fit']:>9.2f} {peers['iterations']:>4} {peers['peak']:>8.0f} {apart:>8.1e}"


if __name__ == "__main__":
    main()
