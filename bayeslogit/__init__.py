"""Logistic regression whose penalty is a prior and whose numbers say how sure they are."""

from bayeslogit import datasets as datasets
from bayeslogit._convert import Conversion as Conversion
from bayeslogit._convert import convert as convert
from bayeslogit._fit import fit as fit
from bayeslogit._fit import load as load
from bayeslogit._priors import Cauchy as Cauchy
from bayeslogit._priors import ElasticNet as ElasticNet
from bayeslogit._priors import Flat as Flat
from bayeslogit._priors import Laplace as Laplace
from bayeslogit._priors import MultivariateNormal as MultivariateNormal
from bayeslogit._priors import Normal as Normal
from bayeslogit._priors import Prior as Prior
from bayeslogit._priors import StudentT as StudentT
from bayeslogit._priors import priors as priors
from bayeslogit._report import report as report
from bayeslogit.chart import Chart as Chart
from bayeslogit.design import Design as Design
from bayeslogit.errors import ArgumentError as ArgumentError
from bayeslogit.errors import BayeslogitError as BayeslogitError
from bayeslogit.errors import DataError as DataError
from bayeslogit.errors import FileFormatError as FileFormatError
from bayeslogit.errors import FitError as FitError
from bayeslogit.errors import FitWarning as FitWarning
from bayeslogit.errors import FormulaError as FormulaError
from bayeslogit.errors import PriorError as PriorError
from bayeslogit.mode import Mode as Mode
from bayeslogit.mode import Status as Status
from bayeslogit.posterior.nuts import to_pymc as to_pymc
from bayeslogit.presets import preset as preset
from bayeslogit.results import Fit as Fit
from bayeslogit.table import Table as Table

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BayeslogitError",
    "Chart",
    "Conversion",
    "DataError",
    "Design",
    "FileFormatError",
    "Fit",
    "FitError",
    "FitWarning",
    "Flat",
    "FormulaError",
    "Mode",
    "MultivariateNormal",
    "Normal",
    "Prior",
    "PriorError",
    "Status",
    "Table",
    "convert",
    "datasets",
    "fit",
    "load",
    "preset",
    "priors",
    "report",
    "to_pymc",
]
