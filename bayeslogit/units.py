"""The step of a column that an odds ratio is quoted for: a unit, a standard deviation, or from here to there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError

Array = NDArray[np.float64]


def step_size(step: Any, name: str, design: Callable[[str], Design]) -> float:
    """The step in units of the column ``name``.

    Parameters
    ----------
    step : "unit", "sd", number, or pair
        A pair of numbers or quantiles of the rows, such as ("q25", "q75").
    design : function
        Gives the data, or raises `FitError` saying what needs them.

    Raises
    ------
    ArgumentError
        If the step is none of these, or nothing.
    """
    if isinstance(step, str) and step == "unit":
        return 1.0
    if isinstance(step, str) and step == "sd":
        data = design("odds_ratios(per='sd')")
        return float(data.column_sds[data.columns.index(name)])
    if isinstance(step, tuple | list) and len(step) == 2:
        low, high = (_place(end, name, design) for end in step)
        if high == low:
            raise ArgumentError(f"odds_ratios(per={step!r}): both ends are {low:g} in {name!r}; a step goes somewhere.")
        return high - low
    if _is_number(step):
        if step == 0:
            raise ArgumentError(f"odds_ratios(per={step!r}): a step of nothing changes nothing; give 'unit' or 'sd'.")
        return float(step)
    raise ArgumentError(f"odds_ratios(per={step!r}): give 'unit', 'sd', a number, or a pair such as ('q25', 'q75').")


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and bool(-1e300 < value < 1e300)
    )


def _place(end: Any, name: str, design: Callable[[str], Design]) -> float:
    if _is_number(end):
        return float(end)
    if isinstance(end, str) and end[:1] == "q" and end[1:].replace(".", "", 1).isdigit() and float(end[1:]) <= 100.0:
        data = design("odds_ratios(per=(quantiles))")
        slope = data.columns.index(name) - int(data.has_intercept)
        values = np.concatenate([block.X.columns(np.array([slope]))[:, 0] for block in data.source.blocks()])
        return float(np.quantile(values, float(end[1:]) / 100.0))
    raise ArgumentError(f"odds_ratios(per=...): {end!r} is neither a number nor a quantile such as 'q25'.")
