"""Model checks: calibration, binned residuals, replicated statistics, influence; each as picture and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arrays import ArraySpec
from bayeslogit.chart import Chart
from bayeslogit.data import to_pandas
from bayeslogit.design import Design
from bayeslogit.influences import row_labels
from bayeslogit.model_checks import (
    BinnedResiduals,
    CalibrationCurve,
    Groups,
    Influence,
    PredictiveStatistics,
    binned_residuals,
    calibration,
    influence,
    predictive_statistics,
)
from bayeslogit.predict import Prediction, predict_probability
from bayeslogit.render.document import Block, Paragraph
from bayeslogit.reporting.material import Material, improper
from bayeslogit.reporting.tables import explained, without_empty
from bayeslogit.table import Table

Array = NDArray[np.float64]
# Rows of the numbers of one chart, in any format, and points of one cloud.
_MOST_NUMBERS, _MOST_POINTS = 2000, 400
_MOST_ROWS, _MOST_REPLICATES = 1_000_000, 400_000
_MOST_LEVELS, _MOST_FACTORS = 8, 3
_OPTIMISM = "The same rows were fitted and checked, so the agreement is somewhat too good."


@dataclass(frozen=True, eq=False)
class Checks:
    """What the section shows; each None where it was not done, with the reason in ``missing``."""

    calibration: CalibrationCurve | None
    residuals: BinnedResiduals | None
    replicated: PredictiveStatistics | None
    influence: Influence | None
    missing: tuple[str, ...] = ()

    @cached_property
    def done(self) -> bool:
        return self.calibration is not None


def checks_of(m: Material) -> Checks:
    """The checks of a fit."""
    fit, design = m.fit, m.fit.design
    why = ""
    if design is None:
        why = "Not done: the fit was loaded from a file, and the data are not at hand."
    elif not fit.converged:
        why = "Not done: the fit has no mode."
    elif improper(m):
        why = "Not done: the posterior is improper."
    elif m.effort != "full" and design.source.n_rows > _MOST_ROWS:
        why = f"Not done: with {design.source.n_rows:,} rows it takes more than a few seconds; effort='full' does it."
    if why or design is None:
        return Checks(None, None, None, None, (why,))
    y, trials, weights = design.outcome_arrays()
    fitted = _fitted(m, design)
    p = fitted.probability
    replicated, missing = _replicated(m, design)
    return Checks(
        calibration(y, trials, p, weights, prob=m.prob),
        binned_residuals(y, trials, p, weights, prob=m.prob),
        replicated,
        _influence(m, design, fitted) if fit.posterior.factor is not None else None,
        missing,
    )


def _fitted(m: Material, design: Design) -> Prediction:
    """Probability of every row at the mode, with the sd of its log-odds."""
    parts = [
        predict_probability(m.fit.posterior, block.X, block.offset, prob=m.prob, kind="mode")
        for block in design.source.blocks()
    ]
    return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _influence(m: Material, design: Design, fitted: Prediction) -> Influence:
    y, trials, weights = design.outcome_arrays()
    loo = m.loo.value
    scored = {} if loo is None else {"elpd": loo.elpd_i, "pareto_k": loo.pareto_k, "flags": loo.flags.tolist()}
    return influence(
        y,
        trials,
        weights,
        fitted.probability,
        fitted.linear_predictor_sd,
        **row_labels(design),
        **scored,
    )


def _replicated(m: Material, design: Design) -> tuple[PredictiveStatistics | None, tuple[str, ...]]:
    if m.fit.posterior.factor is None and m.given is None:
        return None, ("Replicated data: not done, since the fit has no covariance to draw from.",)
    if m.effort == "quick" or (m.effort == "auto" and design.source.n_rows > _MOST_REPLICATES):
        return None, ("Replicated data: not done at this size; effort='full' does it.",)
    draws = m.posterior.value
    few = int(np.clip(4_000_000 // max(design.source.n_rows, 1), 100, 1000))
    values = draws.values if draws is not None else m.fit.posterior.sample(few, 0)
    return predictive_statistics(values, design, groups=_groups(design), draws=few, prob=m.prob), ()


def _groups(design: Design) -> list[Groups]:
    """The factors of the formula that have few levels."""
    spec = design.spec
    if isinstance(spec, ArraySpec):
        return []
    names = [name for name, levels in spec.levels.items() if 2 <= len(levels) <= _MOST_LEVELS][:_MOST_FACTORS]
    if not names:
        return []
    frame = to_pandas(design.used_frame())
    return [_partition(frame[name], name) for name in names if name in frame.columns]


def _partition(values: Any, name: str) -> Groups:
    texts = values.astype(str).to_numpy(dtype=object)
    levels, codes = np.unique(texts.astype(str), return_inverse=True)
    return Groups(tuple(f"{name} = {level}" for level in levels), codes.astype(np.intp))


def checks(found: Checks) -> Iterator[Block]:
    """The blocks of the section."""
    for reason in found.missing:
        yield Paragraph(reason)
    if found.calibration is not None:
        yield _thin(found.calibration.chart(notes=(_OPTIMISM,)))
        yield found.calibration.table()
    if found.residuals is not None:
        yield _thin(found.residuals.chart())
    if found.replicated is not None:
        yield _thin(found.replicated.chart())
        yield found.replicated.table()
    if found.influence is not None:
        yield _thin(found.influence.chart(most=_MOST_POINTS))
        table = without_empty(found.influence.table(), ("elpd", "pareto_k", "flag"))
        yield explained(table, {"pareto_k": "the row's left-out density came from no importance weights"})


def _thin(chart: Chart) -> Chart:
    """The chart with at most so many rows of numbers: distinct predictions can be as many as rows."""
    data = chart.data
    n = len(data.rows)
    if n <= _MOST_NUMBERS:
        return chart
    picked = np.unique(np.linspace(0, n - 1, _MOST_NUMBERS).round().astype(int))
    rows = tuple(data.rows[k] for k in picked)
    note = f"{len(rows):,} of {n:,} rows of numbers, evenly spaced."
    return replace(chart, data=Table(data.name, data.title, data.columns, rows, data.header, (*data.notes, note)))
