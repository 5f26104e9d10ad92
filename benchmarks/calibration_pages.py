"""The two pages that benchmarks/calibration.py writes: tables, and ranks drawn beside what uniform ranks would do."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import bayeslogit as bl
from bayeslogit.chart import Chart
from bayeslogit.marks import Axis, Band, Layer, Line, Rule, nice_ticks
from bayeslogit.render.document import Document, Paragraph, Section
from bayeslogit.render.html import to_html
from bayeslogit.render.markdown import to_markdown
from bayeslogit.table import Column, Table

if TYPE_CHECKING:
    from calibration import Found

HERE = Path(__file__).parent
DRAWS = 99
CERTIFIED = ("importance", "quadrature", "auto", "nuts")
# How each chart is called, and which rungs it draws; a chart's curves all rest on as many replications.
CHARTS = (
    ("importance", False, "Importance sampling (certified)"),
    ("quadrature", False, "Adaptive quadrature (certified)"),
    ("nuts", False, "NUTS"),
    ("importance", True, "Unknown scale, integrated over a grid (Hierarchical)"),
    ("nuts", True, "Unknown scales by NUTS (Horseshoe)"),
    ("variational", False, "Nearest Gaussian (variational; not certified)"),
    ("laplace", False, "Gaussian at the mode (Laplace; not certified)"),
)
OPEN = ("Hierarchical", "Horseshoe")
_SIMULATED = 40_000
LEVEL = 0.95


def differences(ranks: np.ndarray) -> np.ndarray:
    """Share of ranks below k less k / 100, for k = 1 to 99: shape (99, p)."""
    at = np.arange(1, DRAWS + 1)
    below = (ranks[:, None, :] < at[None, :, None]).mean(axis=0)
    return below - (at / (DRAWS + 1))[:, None]


@lru_cache
def band(n: int, curves: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that all of so many curves of n uniform ranks keep to, everywhere at once, with probability 95 %.

    As in Säilynoja, Bürkner and Vehtari (2022): pointwise binomial intervals whose level is found by simulation, with
    Bonferroni's correction for several curves, which may hang together in any way.
    """
    from scipy.stats import binom

    share = np.arange(1, DRAWS + 1) / (DRAWS + 1)
    counts = np.arange(n + 1)[:, None]
    below, above = binom.cdf(counts, n, share), binom.sf(counts - 1, n, share)
    tail = np.minimum(below, above)  # shape (n + 1, 99)
    rng, least = np.random.default_rng(1), np.empty(_SIMULATED)
    for k in range(_SIMULATED):
        hits = np.cumsum(np.bincount(rng.integers(0, DRAWS + 1, n), minlength=DRAWS + 1))[:-1]
        least[k] = tail[hits, np.arange(DRAWS)].min()
    level = np.quantile(least, (1.0 - LEVEL) / curves, method="lower")
    keeps = tail >= level
    lower = keeps.argmax(axis=0) / n - share
    upper = (n - keeps[::-1].argmax(axis=0)) / n - share
    return lower, upper


def outside(found: Found, curves: int) -> list[str]:
    """The coefficients whose curve leaves the band."""
    ranks = _had(found)
    lower, upper = band(len(ranks), curves)
    curve = differences(ranks)
    gone = ((curve < lower[:, None] - 1e-12) | (curve > upper[:, None] + 1e-12)).any(axis=0)
    return [name for name, away in zip(found.columns, gone, strict=True) if away]


def _had(found: Found) -> np.ndarray:
    ranks = np.array(found.ranks)
    return ranks[(ranks >= 0).all(axis=1)]


def group(every: Sequence[Found], rung: str, is_open: bool) -> list[Found]:
    """What one chart draws."""
    return [f for f in every if f.rung == rung and (f.family in OPEN) == is_open]


def chart(every: Sequence[Found], rung: str, is_open: bool, title: str) -> Chart:
    """ECDF of the ranks less the uniform one: a line for each coefficient, a colour for each family."""
    drawn = group(every, rung, is_open)
    curves = sum(len(f.columns) for f in drawn)
    n = min(len(_had(f)) for f in drawn)
    lower, upper = band(n, curves)
    x = np.arange(1, DRAWS + 1) / (DRAWS + 1)
    layers: list[Layer] = [
        Band(tuple(x), tuple(lower), tuple(upper), label=f"holds all {curves} curves in 95 % of cases"),
        Rule(0.0, vertical=False),
    ]
    largest = max(-lower.min(), upper.max())
    rows: list[tuple[Any, ...]] = []
    for hue, found in enumerate(drawn):
        for j, (name, curve) in enumerate(zip(found.columns, differences(_had(found)).T, strict=True)):
            layers.append(Line(tuple(x), tuple(curve), style=f"h{hue % 8}", label=found.family if j == 0 else ""))
            largest = max(largest, float(np.abs(curve).max()))
            rows.append((found.family, name, float(curve.min()), float(curve.max())))
    out = sum(len(outside(f, curves)) for f in drawn)
    top = 1.08 * largest
    return Chart(
        name=f"ranks-{rung}{'-scales' if is_open else ''}",
        title=title,
        description=f"{curves} curves, a coefficient each, of the share of ranks below a value less what it is for "
        f"uniform ranks, from {n} data sets for each family; {out} of them leave the band. A curve above 0 on the left "
        "and below on the right is a posterior that is too narrow.",
        x=Axis("rank of the true coefficient among 99 draws, as a share", 0.0, 1.0, nice_ticks(0.0, 1.0)),
        y=Axis("share of ranks below, less the uniform one", -top, top, nice_ticks(-top, top, 5)),
        layers=tuple(layers),
        data=Table(
            f"ranks-{rung}{'-scales' if is_open else ''}-data",
            f"{title}: extremes of each curve",
            (
                Column("family", "prior family"),
                Column("term", "coefficient"),
                Column("low", "lowest", "number"),
                Column("high", "highest", "number"),
            ),
            tuple(rows),
        ),
    )


def ranks_table(every: Sequence[Found]) -> Table:
    """One row for each rung and family."""
    rows = []
    exact = {f.family: np.array(f.probability) for f in every if f.rung == "importance"}
    for found in every:
        ranks, summary = _had(found), found.as_ranks
        bins = 20 if len(ranks) >= 200 else 10 if len(ranks) >= 100 else 5
        p_values = summary.p_values(found.rung, bins)
        shift, spread = summary.shift(found.rung), summary.spread(found.rung)
        curves = sum(len(f.columns) for f in group(every, found.rung, found.family in OPEN))
        away = np.nan
        if found.rung in ("laplace", "variational"):
            away = float(np.nanmean(np.abs(np.array(found.probability) - exact[found.family])))
        levels = Counter(found.levels)
        told = ", ".join(f"{levels[k]} {k}" for k in ("certified", "approximate", "failed", "error") if levels[k])
        gone = outside(found, curves)
        rows.append(
            (
                found.rung,
                found.family,
                len(ranks),
                len(found.columns),
                min(1.0, float(p_values.min()) * len(p_values)),
                float(shift[np.abs(shift).argmax()]),
                float(spread.min()),
                float(spread.max()),
                away,
                ", ".join(gone) or "none",
                told,
            )
        )
    return Table(
        "ranks",
        "Ranks of the coefficients that made the data",
        (
            Column("rung", "rung"),
            Column("family", "prior family"),
            Column("replications", "data sets", "count"),
            Column("coefficients", "coefficients", "count"),
            Column("p", "p of uniform ranks", "number"),
            Column("shift", "largest shift, standard errors", "number"),
            Column("narrow", "least spread", "number"),
            Column("wide", "largest spread", "number"),
            Column("away", "distance from the exact probability", "number"),
            Column("outside", "curves that leave the band"),
            Column("verdicts", "verdicts"),
        ),
        tuple(rows),
        notes=(
            "p: of the chi-square test, the smallest of the coefficients times their number. Shift: mean rank less the "
            "middle. Spread: variance of the ranks over that of uniform ones; above 1 the posterior is too narrow.",
            "Distance: mean absolute difference between the probability that this rung gives to lying below the true "
            "coefficient and the one of importance sampling on the same data.",
            "Verdicts of NUTS speak of its 594 draws, which are too few to certify a mean or quantile to 0.01 sd.",
        ),
    )


def coverage_table(rows: Sequence[tuple[Any, ...]]) -> Table:
    """How often intervals cover: one row for each design, prior and method."""
    return Table(
        "coverage",
        "Coverage of 95 % intervals",
        (
            Column("design", "design"),
            Column("prior", "prior"),
            Column("method", "intervals"),
            Column("truth", "true coefficients"),
            Column("simulations", "simulations", "count"),
            Column("least", "least coverage", "percent"),
            Column("least_of", "least for"),
            Column("most", "largest coverage", "percent"),
            Column("most_of", "largest for"),
            Column("failed", "no finite mode", "percent"),
        ),
        tuple(rows),
        notes=(
            "With 400 simulations a coverage of 95 % is measured to about 2.1 % either way. At fixed coefficients no "
            "Bayesian interval promises its probability; drawn from the prior, an exact one does.",
        ),
    )


def summary(every: Sequence[Found]) -> tuple[Paragraph, ...]:
    """What the tables say, counted."""
    exact = [f for f in every if f.rung in CERTIFIED]
    total = sum(len(f.columns) for f in exact)
    gone = [
        (f, name)
        for f in exact
        for name in outside(f, sum(len(g.columns) for g in group(every, f.rung, f.family in OPEN)))
    ]
    least = min(
        float(f.as_ranks.p_values(f.rung, 20 if len(f.ranks) >= 200 else 10 if len(f.ranks) >= 100 else 5).min())
        for f in exact
    )
    named = ", ".join(f"{name} under {f.family} by {f.rung}" for f, name in gone)
    told = "none leaves its band"
    if gone:
        told = f"{len(gone)} leaves the band of its chart ({named}); in 5 % of charts of uniform ranks one or more does"
    away = {rung: [row[8] for row in ranks_table(every).rows if row[0] == rung] for rung in ("laplace", "variational")}
    asked, done = ({f.family for f in every if f.rung == rung} for rung in ("importance", "nuts"))
    left = sorted(asked - done - {"Hierarchical"}) + (["Horseshoe"] if "Horseshoe" not in done else [])
    missing = [Paragraph(f"Not simulated under NUTS: {', '.join(left)}.")] if left else []
    return (
        Paragraph(
            f"Rungs that can certify: of {total} curves of ranks, {told}. The smallest of their {total} p-values is "
            f"{least:.2g}; among so many uniform ones it lies below {0.05 / total:.2g} in 5 % of cases.",
            lead=True,
        ),
        Paragraph(
            "The Gaussian at the mode and the nearest Gaussian are not exact: on average they put the probability of "
            f"lying below the true coefficient off by {min(away['laplace']):.3f} to {max(away['laplace']):.3f} "
            f"(Laplace) and {min(away['variational']):.3f} to {max(away['variational']):.3f} (variational)."
        ),
        Paragraph(
            "Left out, because they cannot be drawn from: Flat, which is no distribution; Jeffreys and "
            "DiaconisYlvisaker, which are functions of the whole design known up to a factor. Their intervals are in "
            "the table of coverage, at fixed coefficients."
        ),
        *missing,
    )


def document(every: Sequence[Found], covered: Sequence[tuple[Any, ...]]) -> Document:
    """The page."""
    charts = [chart(every, rung, is_open, title) for rung, is_open, title in CHARTS if group(every, rung, is_open)]
    return Document(
        "Are the posteriors right?",
        "Simulation-based calibration and coverage",
        (
            Section("answer", "In short", summary(every)),
            Section(
                "method",
                "How it was found",
                (
                    Paragraph(
                        "Coefficients are drawn from the prior and outcomes from the coefficients, on 40 rows whose "
                        "normal columns correlate by 0.6 (two of them; one for quadrature, four under unknown scales). "
                        "Each rung then draws 99 times from the posterior. If it is right, the rank of the true "
                        "coefficient among the draws is uniform. The bands hold all curves of a chart, everywhere at "
                        "once, in 95 % of cases if all ranks are uniform."
                    ),
                ),
            ),
            Section("figures", "Ranks, rung by rung", tuple(charts)),
            Section("ranks", "The numbers", (ranks_table(every),)),
            Section("coverage", "Coverage", (coverage_table(covered),)),
        ),
        footer="Made by benchmarks/calibration.py; every number comes from fixed seeds.",
    )


def write(every: Sequence[Found], covered: Sequence[tuple[Any, ...]]) -> None:
    """Both pages."""
    page = document(every, covered)
    (HERE.parent / "reports" / "calibration.html").write_text(to_html(page), encoding="utf-8")
    told = "\n\n".join(each.text for each in summary(every))
    machine = f"{platform.machine()}; Python {platform.python_version()}, NumPy {np.__version__}"
    parts = [
        "# Calibration of the posteriors",
        f"Made by `python benchmarks/calibration.py` ({machine}; bayeslogit {bl.__version__}). "
        "The figures are in `reports/calibration.html`.",
        told,
        to_markdown(ranks_table(every)),
        to_markdown(coverage_table(covered)),
    ]
    (HERE / "calibration.md").write_text("\n\n".join(parts), encoding="utf-8")
