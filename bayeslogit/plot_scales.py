"""Figures of priors and their scales: paths, criteria, train and test, bias and variance, what a prior says."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from bayeslogit._bias_variance import BiasVariance
from bayeslogit._elicit import Elicited
from bayeslogit.boundary import guarded, short
from bayeslogit.chart import Chart
from bayeslogit.error_chart import train_test_chart
from bayeslogit.errors import ArgumentError
from bayeslogit.paths import Path
from bayeslogit.scale_axes import ScaleAxis
from bayeslogit.scale_record import ScaleChoice

if TYPE_CHECKING:
    from bayeslogit.figures import ChartFigure

Size = tuple[float, float]


@guarded
def figure(
    chart: Chart, *, title: str | None = None, dark: bool = False, size: float | Size | None = None
) -> ChartFigure:
    """Any chart as a figure.

    Parameters
    ----------
    chart : Chart
    title : str, optional
        Instead of the chart's own; "" for none above the drawing (the file keeps the chart's own).
    dark : bool
        For a dark page: light ink and brighter hues.
    size : float or (float, float), optional
        Width, or width and height, in inches.

    Raises
    ------
    ArgumentError
        If it is no chart, or the size leaves no room for one.
    """
    if not isinstance(chart, Chart):
        raise ArgumentError(f"plot.figure({type(chart).__name__}): a Chart is needed.")
    sides: tuple[Any, ...] = tuple(size) if isinstance(size, tuple | list) else (size, None)
    if len(sides) != 2 or not all(side is None or _inches(side) for side in sides):
        raise ArgumentError(f"size={short(size)}: give a width in inches, or a pair of width and height.")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied", UserWarning)
        try:
            return chart.to_matplotlib(dark=dark, width=float(sides[0] or 7.2), height=sides[1], title=title)
        except UserWarning:
            raise ArgumentError(f"size={short(size)}: names and labels leave no room for axes; give more.") from None


def _inches(side: Any) -> bool:
    return isinstance(side, int | float) and not isinstance(side, bool) and 0.5 <= side <= 100.0


@guarded
def path(
    path: Path,
    *,
    prob: float = 0.95,
    named: int = 8,
    per: str | None = None,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Coefficients along the scale of the prior; ``named`` and ``per`` as in `Path.figure`."""
    of_kind("path", path, Path, "bayeslogit.path")
    return figure(path.figure(prob, named=named, per=per), title=title, dark=dark, size=size)


@guarded
def scale_choice(
    choice: ScaleChoice | ScaleAxis,
    *,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """The criterion along the scale of the prior with its optimum; or, of `scale_axis`, all of them."""
    of_kind("scale_choice", choice, ScaleChoice | ScaleAxis, "bayeslogit.choose_scale or scale_axis")
    return figure(choice.figure(), title=title, dark=dark, size=size)


@guarded
def train_test(
    found: ScaleAxis | BiasVariance,
    *,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Log loss on the data of the fits and on others along the prior scale: what fits closest does not predict best.

    Takes what `bayeslogit.scale_axis` returns, where the others are the folds held out, or `bayeslogit.bias_variance`,
    where they are new outcomes of the same rows.
    """
    of_kind("train_test", found, ScaleAxis | BiasVariance, "bayeslogit.scale_axis or bias_variance")
    if isinstance(found, BiasVariance):
        return figure(found.train_test(), title=title, dark=dark, size=size)
    if found.cv is None:
        raise ArgumentError(f"plot.train_test(ScaleAxis): there is no cross-validation to show: {found.lost['cv']}")
    train, test = found.cv.of("train_log_loss"), found.cv.of("log_loss")
    numbers = found.scales.tolist(), train.tolist(), test.tolist(), found.choices["cv"].errors.tolist()
    best = found.choices["cv"].scale
    made = train_test_chart(*numbers, best=best, tested="held-out folds", data=found.table())
    return figure(made, title=title, dark=dark, size=size)


@guarded
def bias_variance(
    found: BiasVariance, *, title: str | None = None, dark: bool = False, size: float | Size | None = None
) -> ChartFigure:
    """Squared bias, variance and error of the estimates along the prior scale, for a known truth."""
    of_kind("bias_variance", found, BiasVariance, "bayeslogit.bias_variance")
    return figure(found.figure(), title=title, dark=dark, size=size)


@guarded
def elicited(
    found: Elicited, *, title: str | None = None, dark: bool = False, size: float | Size | None = None
) -> ChartFigure:
    """The odds ratios that a prior thinks likely, with the range that it was made from."""
    of_kind("elicited", found, Elicited, "bayeslogit.elicit")
    return figure(found.figure(), title=title, dark=dark, size=size)


def of_kind(what: str, given: Any, kind: Any, source: str) -> None:
    """Raise `ArgumentError` if something else was given than what a function of the package returns."""
    if not isinstance(given, kind):
        raise ArgumentError(f"plot.{what}({type(given).__name__}): what {source} returns is needed.")
