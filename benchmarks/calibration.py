"""Are the posteriors right? Simulation-based calibration of every rung under every prior family that can be drawn from.

    python benchmarks/calibration.py [--keep FOLDER [--kept]]

Coefficients are drawn from the prior, outcomes from the coefficients, and the rank of each coefficient among 99 draws
of its posterior is noted: if the posterior is right, ranks are uniform (Talts and others 2018). Also how often 95 %
intervals cover coefficients that are held fixed. Writes ``benchmarks/calibration.md`` and ``reports/calibration.html``;
about fifteen minutes of one core. ``--keep`` stores what has been simulated, so that a run can be continued; with
``--kept`` nothing more is simulated, and the pages say what there is.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from calibration_pages import write

import bayeslogit as bl
from bayeslogit.calibration import Ranks, simulated_ranks

HERE = Path(__file__).parent
DRAWS, SEED = 99, 20261121
FAST, SCALES, SLOW, SLOWEST = 200, 200, 100, 50  # replications: all but NUTS; of a grid; NUTS; NUTS with a horseshoe
SIMULATIONS = 400


@dataclass(frozen=True)
class Case:
    """One prior family, with the design and the rungs it is asked on."""

    family: str
    prior: Any
    rungs: tuple[str, ...]
    columns: int
    replications: int

    @property
    def key(self) -> str:
        """Name of its file."""
        return f"{self.family}-{'-'.join(self.rungs)}-{self.columns}-{self.replications}".replace(" ", "_")


def design(columns: int) -> bl.Design:
    """40 rows, normal columns with correlation 0.6 between neighbours."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, columns))
    for j in range(1, columns):
        X[:, j] = 0.6 * X[:, j - 1] + 0.8 * X[:, j]
    return bl.Design.from_arrays(X, np.arange(40) % 2.0)


def _with_intercept(default: Any) -> Any:
    return bl.priors(default=default, intercept=bl.Normal(1.5, mean=-0.5))


def families() -> dict[str, Callable[[int], Any]]:
    """The families with a density of their own, on so many slopes."""
    names = ["x1", "x2"]
    cov = np.array([[1.5, 0.9], [0.9, 1.5]])
    return {
        "Normal": lambda k: _with_intercept(bl.Normal(1.5)),
        "Laplace": lambda k: _with_intercept(bl.Laplace(1.0)),
        "ElasticNet": lambda k: _with_intercept(bl.ElasticNet(l1=0.5, l2=0.5)),
        "StudentT": lambda k: _with_intercept(bl.StudentT(4, 1.0)),
        "Cauchy": lambda k: _with_intercept(bl.Cauchy(1.0)),
        "MultivariateNormal": lambda k: _with_intercept(
            bl.MultivariateNormal(mean=[0.5, -0.5][:k], cov=cov[:k, :k], columns=names[:k])
        ),
        "GroupLaplace": lambda k: _with_intercept(bl.GroupLaplace(1.0, groups=[names[:k]])),
        "rstanarm preset": lambda k: bl.preset("rstanarm"),
    }


def cases() -> list[Case]:
    """The cheap ones first."""
    made, whole = [], families()
    for name, prior in whole.items():
        made.append(Case(name, prior(2), ("laplace", "variational", "importance"), 2, FAST))
    for name, prior in whole.items():
        if name != "GroupLaplace":  # on one column it is Laplace
            made.append(Case(name, prior(1), ("quadrature",), 1, FAST))
    made.append(Case("Cauchy", whole["Cauchy"](2), ("auto",), 2, FAST))
    made.append(Case("Hierarchical", _with_intercept(bl.Hierarchical(1.0)), ("importance",), 4, SCALES))
    for name, prior in whole.items():
        made.append(Case(name, prior(2), ("nuts",), 2, SLOW))
    return made


def horseshoe(keep: Path | None, kept: bool = False) -> list[Found]:
    """In parts of five replications, each of which may take minutes: what there is of it is kept."""
    case = Case("Horseshoe", _with_intercept(bl.Horseshoe(global_scale=0.5)), ("nuts",), 4, 5)
    parts = []
    for part in range(SLOWEST // case.replications):
        path = keep / f"{case.key}-{part}.json" if keep else None
        if path and path.exists():
            parts.append(Found(**json.loads(path.read_text())))
            continue
        if kept:
            break
        parts += run(case, part)
        if path:
            path.write_text(json.dumps(asdict(parts[-1])))
    ranks, probability = ([row for f in parts for row in getattr(f, key)] for key in ("ranks", "probability"))
    if len(ranks) < 20:  # too few to draw
        return []
    levels = tuple(level for f in parts for level in f.levels)
    return [replace(parts[0], ranks=ranks, probability=probability, levels=levels)]


@dataclass(frozen=True)
class Found:
    """What one rung did under one family; ranks of shape (replications, p)."""

    family: str
    rung: str
    prior: str
    columns: tuple[str, ...]
    ranks: list[list[int]]
    probability: list[list[float]]
    levels: tuple[str, ...]

    @property
    def as_ranks(self) -> Ranks:
        """The package's record, with its statistics."""
        ranks, probability = np.array(self.ranks, dtype=np.int64), np.array(self.probability)
        return Ranks(self.columns, DRAWS, {self.rung: ranks}, {self.rung: probability}, {self.rung: self.levels})


def run(case: Case, part: int = 0) -> list[Found]:
    """Simulate one case, or a part of it with a seed of its own."""
    data, n = design(case.columns), case.replications
    found = simulated_ranks(data, case.prior, case.rungs, replications=n, draws=DRAWS, rng=SEED + part)
    name = case.prior.resolve(data).name
    return [
        Found(
            case.family,
            rung,
            name,
            found.columns,
            found.ranks[rung].tolist(),
            np.round(found.probability[rung], 5).tolist(),
            found.levels[rung],
        )
        for rung in case.rungs
    ]


def simulate(keep: Path | None, kept: bool = False) -> list[Found]:
    """All cases, those kept in the folder read from it."""
    every: list[Found] = []
    for case in cases():
        path = keep / f"{case.key}.json" if keep else None
        if path and path.exists():
            found = [Found(**each) for each in json.loads(path.read_text())]
        elif kept:
            found = []
        else:
            began = time.process_time()
            found = run(case)
            print(f"{case.key}: {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
            if path:
                path.write_text(json.dumps([asdict(each) for each in found]))
        every += found
    return [*every, *horseshoe(keep, kept)]


def coverages() -> list[tuple[Any, ...]]:
    """How often 95 % intervals cover, for coefficients held fixed and for draws from the prior."""
    rng = np.random.default_rng(5)
    plain, rare = rng.standard_normal((60, 2)), rng.standard_normal((120, 2))
    truths = {"60 rows, even outcome": (plain, [0.0, 1.0, -0.5]), "120 rows, 8 % events": (rare, [-3.0, 1.0, -0.5])}
    wide = _with_intercept(bl.Normal(1.0))
    rows: list[tuple[Any, ...]] = []
    for name, (X, beta) in truths.items():
        data = bl.Design.from_arrays(X, np.arange(len(X)) % 2.0)
        for prior in (None, bl.Jeffreys(), bl.DiaconisYlvisaker(), bl.Normal(2.5)):
            rows.append(_covered(name, data, prior, truth=beta, method="laplace"))
        rows.append(_covered(name, data, wide, truth="prior", method="laplace"))
        rows.append(_covered(name, data, wide, truth="prior", method="importance"))
    return rows


def _covered(name: str, data: bl.Design, prior: Any, truth: Any, method: str) -> tuple[Any, ...]:
    found = bl.coverage(data, prior=prior, truth=truth, method=method, simulations=SIMULATIONS, rng=SEED)
    told = "drawn from the prior" if isinstance(truth, str) else ", ".join(f"{b:g}" for b in truth)
    low, high = int(found.share.argmin()), int(found.share.argmax())
    ends = (float(found.share[low]), found.columns[low], float(found.share[high]), found.columns[high])
    return (name, found.prior.name, method, told, SIMULATIONS, *ends, float(found.failed.mean()))


def main() -> None:
    """Simulate, then write both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--kept", action="store_true")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    path = given.keep / "coverage.json" if given.keep else None
    covered = json.loads(path.read_text()) if path and path.exists() else coverages()
    if path:
        path.write_text(json.dumps(covered))
    write(simulate(given.keep, given.kept), [tuple(row) for row in covered])


if __name__ == "__main__":
    main()
