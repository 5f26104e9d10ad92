"""Numbers for manifests: what a run said, each with how far another run may be from it; and writing them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.cli_options import say
from bayeslogit.draws import Draws
from bayeslogit.estimates import Estimates
from bayeslogit.manifest import (
    Input,
    Manifest,
    Number,
    current_versions,
    sha256_of,
    write_manifest,
)
from bayeslogit.table import Table

Numbers = dict[str, Number]
# Two exact searches end within the tolerance of the mode, 1e-6 posterior sds, of each other.
_SDS = 1e-5
_RELATIVE = 1e-7
# Monte-Carlo errors that another version's draws may be off by; the same version draws the same.
_ERRORS = 5.0
# Beyond this many columns a manifest holds the mean and the extremes of all coefficients instead of each.
_MOST_COLUMNS = 1000


def fit_numbers(fit: Estimates, draws: Draws | None = None) -> Numbers:
    """Modes, sds and log densities of a fit; means and quantiles of its draws."""
    found: Numbers = {}
    modes, sds = (np.asarray(each, dtype=np.float64) for each in (fit.params, fit.bse))
    if modes.size > _MOST_COLUMNS:
        found |= {**spread_numbers("mode", modes), **spread_numbers("sd", sds)}
        modes = modes[:0]
    for name, mode, sd in zip(fit.columns, modes, sds, strict=False):
        found[f"{name}: mode"] = exact(mode, sd)
        found[f"{name}: sd"] = exact(sd, sd)
    for key in ("log_likelihood", "log_posterior", "log_evidence", "effective_parameters"):
        found[key] = exact(getattr(fit, key))
    if draws is not None:
        found |= _draw_numbers(draws)
    return found


def _draw_numbers(draws: Draws) -> Numbers:
    levels = (0.025, 0.5, 0.975)
    quantiles = draws.rung.quantile(np.array(levels))
    errors = draws.rung.quantile_mcse(list(levels))
    found: Numbers = {}
    for j, name in enumerate(draws.columns[:_MOST_COLUMNS]):
        sd = float(draws.rung.sd[j])
        mean, error = float(draws.mean.iloc[j]), float(np.asarray(draws.rung.mean_mcse)[j])
        found[f"{name}: posterior mean"] = sampled(mean, error, sd)
        for k, level in enumerate(levels):
            found[f"{name}: posterior {100 * level:g} %"] = sampled(float(quantiles[k, j]), float(errors[k][j]), sd)
    found["posterior: log evidence"] = sampled(draws.log_evidence, draws.log_evidence_se, 1.0)
    return found


def table_numbers(table: Table, within: float = _RELATIVE, *, by: int = 1) -> Numbers:
    """Every number of a table, by the texts of its first ``by`` columns and the name of its own."""
    found: Numbers = {}
    for row in table.rows:
        name = ", ".join(map(str, row[:by]))
        for column, value in zip(table.columns[by:], row[by:], strict=True):
            if isinstance(value, float | np.floating):
                found[f"{name}: {column.key}"] = exact(float(value), relative_error=within)
    return found


def exact(value: float, sd: float = 0.0, *, relative_error: float = _RELATIVE) -> Number:
    """A number that nothing random has touched."""
    value = float(value)
    within = max(relative_error * max(abs(value), 1e-3), _SDS * float(sd) if np.isfinite(sd) else 0.0)
    return Number(value, within if np.isfinite(within) else 0.0)


def sampled(value: float, error: float, sd: float) -> Number:
    """A number with a Monte-Carlo error."""
    widths = [_ERRORS * error, _SDS * sd, _RELATIVE * abs(value)]
    return Number(
        float(value), float(max(width for width in widths if np.isfinite(width)) if np.isfinite(value) else 0)
    )


def spread_numbers(name: str, values: NDArray[np.float64]) -> Numbers:
    """Mean, smallest and largest of many."""
    whole = np.asarray(values, dtype=np.float64)
    summaries = {"mean": whole.mean(), "smallest": whole.min(), "largest": whole.max()}
    return {f"{name}: {key}": exact(float(value), 0.1) for key, value in summaries.items()}


def leave(
    output: Path,
    command: str,
    config: Mapping[str, Any],
    inputs: tuple[Input, ...],
    numbers: Numbers,
    seed: int | None = None,
    beside: Sequence[Path] = (),
    *,
    said: str = "",
) -> Path:
    """Write the manifest of an output beside it, and say so, after ``said``; ``beside`` are further files beside it.

    Nothing is said before all is written, because who reads stderr may stop reading.
    """
    written = write_manifest(
        Manifest(
            command=command,
            config=dict(config),
            inputs=inputs,
            output=output.name,
            output_sha256=sha256_of(output),
            seed=seed,
            versions=current_versions(),
            numbers=numbers,
            beside={each.name: sha256_of(each) for each in beside},
        ),
        output,
    )
    say(f"{said}\nManifest: {written}" if said else f"Manifest: {written}")
    return written
