"""A fit as the Python package marginaleffects reads it: estimates, covariance, and probabilities of new rows.

marginaleffects works by the delta method from these three. New rows go through our own coding, so that transforms,
levels and offsets are those of the fit, and a level that the fit has not seen is an error and not the reference level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arrays import ArraySpec
from bayeslogit.data import to_pandas
from bayeslogit.errors import DataError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.formula import FormulaSpec
from bayeslogit.logistic import expit

Array = NDArray[np.float64]

_OLDEST = (0, 5)
# Up to this version it asks polars whether floats are 0 or 1 in a way that polars 2 refuses.
_BROKEN_WITH_POLARS_2 = (0, 6, 1)
_INSTALL = "pip install 'marginaleffects>=0.5' 'polars<2'"
# Names of its own results, which no column of the data may have.
_RESERVED = frozenset(
    "rowid type group estimate std_error p_value s_value conf_low conf_high term contrast statistic".split()
)
# What its vcov= may be, in our words.
_KINDS = {"HC0": "robust"} | {kind: kind for kind in ("posterior", "frequentist", "robust", "likelihood")}


def to_marginaleffects(fit: Estimates) -> Any:
    """A model for marginaleffects' functions; see `Fit.to_marginaleffects`."""
    check_versions()
    design = fit._data("to_marginaleffects()")
    if fit.posterior.factor is None:
        raise FitError(f"to_marginaleffects(): this fit holds no covariance for its delta method. {fit.mode.message}")
    sd = fit.posterior.sd
    if not np.all(np.isfinite(sd) & (sd > 0.0)):
        named = [name for name, each in zip(fit.columns, sd, strict=True) if not (np.isfinite(each) and each > 0.0)]
        raise FitError(
            f"to_marginaleffects(): {', '.join(named[:8])} lie(s) exactly at a kink of the prior, where the mode has "
            "no spread for the delta method. fit.sample().effects(...) takes the posterior's."
        )
    if isinstance(fit.spec, FormulaSpec) and design.frame is None:
        raise FitError(
            "to_marginaleffects(): it needs the rows as one frame in memory, and this design reads its rows in blocks; "
            "fit.effects(...) goes through them block by block."
        )
    coding = Coding.of(fit.spec, has_offset=fit.facts.has_offset)
    polars = import_module("polars")
    classes = import_module("marginaleffects.classes.model")
    fixed = coding.fixed

    class BayeslogitModel(classes.ModelAbstract):  # type: ignore[misc, name-defined]
        """A bayeslogit fit; all else is asked of the fit itself."""

        def get_vcov(self, vcov: Any = True) -> Array | None:
            if vcov is None or vcov is False:
                return None
            kind = "posterior" if vcov is True else _KINDS.get(vcov) if isinstance(vcov, str) else None
            if kind is None:
                raise FitError(
                    f"to_marginaleffects(): vcov={vcov!r}: give True for the posterior covariance, one of "
                    f"{', '.join(_KINDS)}, a matrix, or False for none."
                )
            return np.pad(np.asarray(fit.cov_params(kind), dtype=np.float64), (0, len(fixed)))

        def get_exog(self, newdata: Any) -> Array:
            return coding.matrix(newdata)

        def get_predict(self, params: Any, newdata: Any) -> Any:
            found = expit(newdata @ np.asarray(params, dtype=np.float64))
            rows = polars.Series("rowid", np.arange(found.size), dtype=polars.Int32)
            return polars.DataFrame([rows, polars.Series("estimate", found)])

        def get_autodiff_args(self) -> dict[str, str]:
            # Exact derivatives of predictions and comparisons; of slopes it has none and takes finite differences.
            return {"model_type": "glm", "family": "binomial", "link": "logit"}

    vault = classes.ModelVault(
        coef=np.concatenate([np.asarray(fit.params, dtype=np.float64), np.ones(len(fixed))]),
        coefnames=np.array([*fit.columns, *fixed]),
        formula=coding.formula,
        modeldata=coding.frame(design),
        variable_names=[coding.response, *coding.variables],
        package="bayeslogit",
    )
    return BayeslogitModel(fit, vault)


def check_versions() -> None:
    """Refuse where marginaleffects is missing or cannot work with the polars that is installed.

    Raises
    ------
    FitError
        That says which versions there are, which are needed, and what does the same without them.
    """
    instead = "fit.effects(...) gives average effects without it."
    try:
        own, polars = version("marginaleffects"), version("polars")
    except PackageNotFoundError as error:
        raise FitError(f"to_marginaleffects(): {error.name} is not installed: {_INSTALL}. {instead}") from None
    if _numbers(own) < _OLDEST:
        raise FitError(f"to_marginaleffects(): marginaleffects {own} is too old: {_INSTALL}. {instead}")
    if _numbers(own) <= _BROKEN_WITH_POLARS_2 and _numbers(polars) >= (2,):
        raise FitError(
            f"to_marginaleffects(): marginaleffects {own} fails on every column of floats with polars {polars}, "
            f"whatever model it is given: {_INSTALL}, in an environment of its own if need be. {instead}"
        )


def _numbers(text: str) -> tuple[int, ...]:
    """The release of a version, such as (0, 6, 1)."""
    found = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)


@dataclass(frozen=True)
class Coding:
    """How rows of a polars frame become those of the fit.

    Attributes
    ----------
    spec : FormulaSpec or ArraySpec
    response : str
        The outcome, under a name that marginaleffects accepts.
    variables : tuple of str
        Data columns that a row needs.
    levels : dict of str to dict of str to level
        Of the factors, by their text.
    fixed : tuple of str
        The column of the offset, if there is one: it follows those of the design, with a coefficient known to be 1.
    """

    spec: FormulaSpec | ArraySpec
    response: str
    variables: tuple[str, ...]
    levels: Mapping[str, Mapping[str, Any]]
    fixed: tuple[str, ...]

    @classmethod
    def of(cls, spec: FormulaSpec | ArraySpec, *, has_offset: bool) -> Coding:
        if isinstance(spec, FormulaSpec):
            variables, offset = spec.variables, spec.offset
            levels = {name: {str(level): level for level in each} for name, each in spec.levels.items()}
        else:
            variables, offset, levels = spec.names, None, {}
        if has_offset and offset is None:
            raise FitError(
                "to_marginaleffects(): new rows need an offset, and it reads that only from a column: name one in "
                "Design.from_formula(..., offset='column')."
            )
        fixed = () if offset is None else (offset,)
        taken = [name for name in (*variables, *fixed) if name in _RESERVED or "`" in name]
        if taken:
            raise DataError(
                f"to_marginaleffects(): marginaleffects cannot have the column name(s) {', '.join(taken)}, which are "
                "those of its own results or hold a backtick; rename them and fit again."
            )
        response = spec.outcome
        while response in _RESERVED or response in variables:
            response += "_"
        return cls(spec, response, tuple(variables), levels, fixed)

    @property
    def formula(self) -> str:
        """The variables alone: transforms are ours, and marginaleffects must not read numbers out of them."""
        return f"`{self.response}` ~ " + (" + ".join(f"`{name}`" for name in self.variables) or "1")

    def frame(self, design: Any) -> Any:
        """The rows of the fit, as a polars frame: factors with the levels of the fit, and the share of events."""
        polars = import_module("polars")
        given = to_pandas(design.used_frame())
        y, trials = design.outcome_arrays()[:2]
        columns = {self.response: polars.Series(self.response, np.asarray(y / trials, dtype=np.float64))}
        for name in given.columns:
            column = self._column(name, given[name], polars)
            if column is not None and name not in columns:
                columns[name] = column
        return polars.DataFrame(list(columns.values()))

    def _column(self, name: str, values: Any, polars: Any) -> Any:
        """One column; None for those that the model does not need and polars has no plain type for."""
        if name in self.levels:
            return polars.Series(name, [str(v) for v in values.tolist()], dtype=polars.Enum(list(self.levels[name])))
        needed = name in self.variables or name in self.fixed
        if not needed and (name in _RESERVED or name == self.spec.outcome):
            return None
        kind = getattr(values.dtype, "kind", "O")
        if kind in "bui":
            return polars.Series(name, values.to_numpy(dtype=values.dtype.name.lower()))
        if kind == "f" or needed:
            return polars.Series(name, values.to_numpy(dtype=np.float64, na_value=np.nan))
        if kind in "mMc":
            return None
        lost = values.isna().tolist()
        texts = [None if missing else str(value) for value, missing in zip(values.tolist(), lost, strict=True)]
        return polars.Series(name, texts, dtype=polars.Enum(sorted({text for text in texts if text is not None})))

    def matrix(self, new: Any) -> Array:
        """The columns of the design and the fixed one, shape (n, p) or (n, p + 1)."""
        import pandas as pd

        rows: dict[str, Any] = {}
        for name in (*self.variables, *self.fixed):
            if name not in new.columns:
                raise DataError(f"to_marginaleffects(): the rows lack the column {name!r}, which the fit needs.")
            own = self.levels.get(name)
            rows[name] = new[name].to_numpy() if own is None else [own.get(v, v) for v in new[name].cast(str).to_list()]
        coded = np.asarray(self.spec.rows(pd.DataFrame(rows)).toarray(), dtype=np.float64)
        return np.column_stack([coded, *(np.asarray(rows[name], dtype=np.float64) for name in self.fixed)])
