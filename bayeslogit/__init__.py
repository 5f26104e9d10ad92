"""Logistic regression whose penalty is a prior and whose numbers say how sure they are."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayeslogit import datasets as datasets
    from bayeslogit._bias_variance import BiasVariance as BiasVariance
    from bayeslogit._bias_variance import bias_variance as bias_variance
    from bayeslogit._check import Check as Check
    from bayeslogit._check import check as check
    from bayeslogit._convert import Conversion as Conversion
    from bayeslogit._convert import convert as convert
    from bayeslogit._coverage import Coverage as Coverage
    from bayeslogit._coverage import coverage as coverage
    from bayeslogit._effects import effects as effects
    from bayeslogit._elicit import Elicited as Elicited
    from bayeslogit._elicit import elicit as elicit
    from bayeslogit._elicit import implied as implied
    from bayeslogit._fit import fit as fit
    from bayeslogit._fit import load as load
    from bayeslogit._peers import from_sklearn as from_sklearn
    from bayeslogit._peers import from_statsmodels as from_statsmodels
    from bayeslogit._priors import Cauchy as Cauchy
    from bayeslogit._priors import DiaconisYlvisaker as DiaconisYlvisaker
    from bayeslogit._priors import ElasticNet as ElasticNet
    from bayeslogit._priors import Flat as Flat
    from bayeslogit._priors import GroupLaplace as GroupLaplace
    from bayeslogit._priors import Hierarchical as Hierarchical
    from bayeslogit._priors import Horseshoe as Horseshoe
    from bayeslogit._priors import Jeffreys as Jeffreys
    from bayeslogit._priors import Laplace as Laplace
    from bayeslogit._priors import MultivariateNormal as MultivariateNormal
    from bayeslogit._priors import Normal as Normal
    from bayeslogit._priors import Prior as Prior
    from bayeslogit._priors import StudentT as StudentT
    from bayeslogit._priors import priors as priors
    from bayeslogit._report import report as report
    from bayeslogit._sample import sample as sample
    from bayeslogit._sensitivity import Sensitivity as Sensitivity
    from bayeslogit._sensitivity import sensitivity as sensitivity
    from bayeslogit._separation import Separation as Separation
    from bayeslogit._separation import separation as separation
    from bayeslogit.chart import Chart as Chart
    from bayeslogit.comparisons import Comparison as Comparison
    from bayeslogit.comparisons import compare as compare
    from bayeslogit.criteria import LooResult as LooResult
    from bayeslogit.criteria_cv import CvResult as CvResult
    from bayeslogit.design import Design as Design
    from bayeslogit.draws import Draws as Draws
    from bayeslogit.errors import ArgumentError as ArgumentError
    from bayeslogit.errors import BayeslogitError as BayeslogitError
    from bayeslogit.errors import DataError as DataError
    from bayeslogit.errors import FileFormatError as FileFormatError
    from bayeslogit.errors import FitError as FitError
    from bayeslogit.errors import FitWarning as FitWarning
    from bayeslogit.errors import FormulaError as FormulaError
    from bayeslogit.errors import PriorError as PriorError
    from bayeslogit.handover import load_prior as load_prior
    from bayeslogit.handover import save_prior as save_prior
    from bayeslogit.hyperpriors import HalfNormal as HalfNormal
    from bayeslogit.hyperpriors import HalfT as HalfT
    from bayeslogit.mode import Mode as Mode
    from bayeslogit.mode import Status as Status
    from bayeslogit.paths import Path as Path
    from bayeslogit.paths import path as path
    from bayeslogit.posterior.nuts import to_pymc as to_pymc
    from bayeslogit.presets import preset as preset
    from bayeslogit.prior_checks import prior_predictive as prior_predictive
    from bayeslogit.pseudo_rows import pseudo_rows as pseudo_rows
    from bayeslogit.results import Fit as Fit
    from bayeslogit.scale_averaged import AveragedScales as AveragedScales
    from bayeslogit.scale_axes import ScaleAxis as ScaleAxis
    from bayeslogit.scale_axes import scale_axis as scale_axis
    from bayeslogit.scale_choice import average_scales as average_scales
    from bayeslogit.scale_choice import choose_scale as choose_scale
    from bayeslogit.scale_grouped import GroupScaleChoice as GroupScaleChoice
    from bayeslogit.scale_grouped import choose_scales as choose_scales
    from bayeslogit.scale_record import ScaleChoice as ScaleChoice
    from bayeslogit.sites import Pooled as Pooled
    from bayeslogit.sites import SiteSummary as SiteSummary
    from bayeslogit.sites import pool_sites as pool_sites
    from bayeslogit.sites import site_summary as site_summary
    from bayeslogit.sql import read_sql as read_sql
    from bayeslogit.table import Table as Table
    from bayeslogit.tipping import Claim as Claim
    from bayeslogit.tipping_points import TippingPoint as TippingPoint
    from bayeslogit.tipping_points import tipping_point as tipping_point
    from bayeslogit.validation import cross_validate as cross_validate
    from bayeslogit.verdict import Verdict as Verdict

__version__ = "0.1.0"

# Where each public name lives. A room is loaded when a name of it is first used: a script that fits and prints does not
# pay for comparisons, paths and reports. The imports above say the same to type checkers; a test holds both together.
_ROOMS: dict[str, tuple[str, ...]] = {
    "_bias_variance": (
        "BiasVariance",
        "bias_variance",
    ),
    "_check": (
        "Check",
        "check",
    ),
    "_convert": (
        "Conversion",
        "convert",
    ),
    "_coverage": (
        "Coverage",
        "coverage",
    ),
    "_effects": ("effects",),
    "_elicit": (
        "Elicited",
        "elicit",
        "implied",
    ),
    "_fit": (
        "fit",
        "load",
    ),
    "_peers": ("from_sklearn", "from_statsmodels"),
    "_priors": (
        "Cauchy",
        "DiaconisYlvisaker",
        "ElasticNet",
        "Flat",
        "GroupLaplace",
        "Hierarchical",
        "Horseshoe",
        "Jeffreys",
        "Laplace",
        "MultivariateNormal",
        "Normal",
        "Prior",
        "StudentT",
        "priors",
    ),
    "_report": ("report",),
    "_sample": ("sample",),
    "_sensitivity": (
        "Sensitivity",
        "sensitivity",
    ),
    "_separation": (
        "Separation",
        "separation",
    ),
    "chart": ("Chart",),
    "comparisons": (
        "Comparison",
        "compare",
    ),
    "criteria": ("LooResult",),
    "criteria_cv": ("CvResult",),
    "design": ("Design",),
    "draws": ("Draws",),
    "errors": (
        "ArgumentError",
        "BayeslogitError",
        "DataError",
        "FileFormatError",
        "FitError",
        "FitWarning",
        "FormulaError",
        "PriorError",
    ),
    "hyperpriors": (
        "HalfNormal",
        "HalfT",
    ),
    "handover": (
        "load_prior",
        "save_prior",
    ),
    "mode": (
        "Mode",
        "Status",
    ),
    "paths": (
        "Path",
        "path",
    ),
    "posterior.nuts": ("to_pymc",),
    "presets": ("preset",),
    "prior_checks": ("prior_predictive",),
    "pseudo_rows": ("pseudo_rows",),
    "results": ("Fit",),
    "scale_averaged": ("AveragedScales",),
    "scale_axes": (
        "ScaleAxis",
        "scale_axis",
    ),
    "scale_choice": (
        "average_scales",
        "choose_scale",
    ),
    "scale_grouped": (
        "GroupScaleChoice",
        "choose_scales",
    ),
    "scale_record": ("ScaleChoice",),
    "sql": ("read_sql",),
    "sites": (
        "Pooled",
        "SiteSummary",
        "pool_sites",
        "site_summary",
    ),
    "table": ("Table",),
    "tipping": ("Claim",),
    "tipping_points": (
        "TippingPoint",
        "tipping_point",
    ),
    "validation": ("cross_validate",),
    "verdict": ("Verdict",),
}
_SUBMODULES = ("datasets", "estimator", "plot")
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted([*_ROOM_OF, "datasets"])


def __getattr__(name: str) -> Any:
    """Load the room of a public name, and keep the name so that this is asked once."""
    if name in _ROOM_OF:
        value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name in ("BayesianLogisticRegression", "BayesianLogisticRegressionCV"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it is in {__name__}.estimator")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
