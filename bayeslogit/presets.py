"""Default priors of other systems, resolved as that system does it; and the grammar of priors in text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from bayeslogit._priors import (
    Cauchy,
    Columns,
    DiaconisYlvisaker,
    ElasticNet,
    Flat,
    GroupLaplace,
    Hierarchical,
    Horseshoe,
    Jeffreys,
    Laplace,
    Normal,
    Prior,
    StudentT,
)
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.preset_rules import ROWS, RULES
from bayeslogit.resolved import ResolvedPrior

PRESETS = tuple(RULES)


@dataclass(frozen=True)
class Preset(Prior):
    """The default prior of another system; made by `preset`."""

    name: str
    rows: str = "expanded"

    def resolve(self, design: Columns) -> ResolvedPrior:
        # A preset asks more than the other priors: the rows behind the means and sds, and which terms are factors.
        return RULES[self.name].resolve(cast(Design, design), self.rows)

    def __repr__(self) -> str:
        rows = "" if self.rows == "expanded" else f", rows={self.rows!r}"
        return f"preset({self.name!r}{rows})"


@guarded
def preset(name: str, rows: str = "expanded") -> Preset:
    """The default prior of another system for logistic regression, resolved as that system does it.

    Parameters
    ----------
    name : {"rstanarm", "bambi", "brms", "gelman2008", "sklearn"}
        Scales are in log-odds per unit of the column; "at the means" is the log-odds at the column means.

        "rstanarm" (2.32.2)
            Normal(2.5 / sd), R's sd (n - 1), on every slope; Normal(2.5) on the intercept, at the means.
        "bambi" (0.21.0)
            Normal(1 / sd), with divisor n, on numeric columns (Booleans and 0/1 columns too); Normal(1) on the columns
            of factors and of interactions of factors; 1 / sd of their sum for the several columns of an interaction
            with a number; Normal(1.5) on the intercept, at the means.
        "brms" (2.18.0)
            Flat slopes, and a Student-t of 3 degrees of freedom and scale 2.5 on the intercept, at the means.
        "gelman2008" (``bayesglm`` of arm 1.13)
            Cauchy(2.5 / (2 sd)), and Cauchy(2.5 / range) for a column with two values; Cauchy(10) on the intercept, at
            the means. The mode is exact, not the one of bayesglm's EM.
        "sklearn" (1.9.1)
            Normal(1) on every slope, which is ``LogisticRegression(C=1)``; flat intercept.
    rows : {"expanded", "as-is"}
        What means and sds are taken over: the observations (weight x trials), or the rows of the data, each once even
        where its weight is 0, as the systems themselves do on weighted and grouped data.

    Returns
    -------
    Preset
        Its ``resolve(design)`` prints as numbers, beside the means and sds that they come from.

    Raises
    ------
    PriorError
        If there is no preset of that name, or ``rows`` is neither.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> design = bl.Design.from_arrays([[1], [2], [3], [6]], [0, 1, 0, 1], names=["x"])
    >>> for name in ("rstanarm", "bambi", "brms", "gelman2008", "sklearn"):
    ...     print(*bl.preset(name).resolve(design).labels(), sep=" | ")
    normal(0, 2.5) at the column means | normal(0, 1.16)
    normal(0, 1.5) at the column means | normal(0, 0.535)
    student t(3, 0, 2.5) at the column means | flat
    Cauchy(0, 10) at the column means | Cauchy(0, 0.579)
    flat | normal(0, 1)
    """
    if name not in RULES:
        raise PriorError(f"preset({name!r}): there is no such preset.{_near(name, RULES)} Known: {', '.join(RULES)}.")
    if rows not in ROWS:
        raise PriorError(f"preset({name!r}, rows={rows!r}): rows is 'expanded' (weight x trials) or 'as-is'.")
    return Preset(name, rows)


# Family to what makes it, and how few and many numbers it takes; positions are those of the families' own arguments.
_FAMILIES: dict[str, tuple[Callable[..., Prior], int, int]] = {
    "flat": (Flat, 0, 0),
    "normal": (Normal, 1, 1),
    "laplace": (Laplace, 1, 1),
    "elasticnet": (lambda l1, l2: ElasticNet(l1=l1, l2=l2), 2, 2),
    "student_t": (StudentT, 2, 2),
    "cauchy": (Cauchy, 1, 1),
    "jeffreys": (Jeffreys, 0, 0),
    "dy": (DiaconisYlvisaker, 0, 0),
    "grouplaplace": (GroupLaplace, 1, 1),
    "hierarchical": (Hierarchical, 0, 1),
    "horseshoe": (lambda expected=None: Horseshoe(expected_nonzero=expected), 0, 1),
}


# As every language writes them: Python's own reader takes 1_0 and full-width digits too, which are typing errors here.
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)")


def _near(name: str, known: Iterable[str]) -> str:
    """A question that names the nearest known name, whatever its case, dashes and underscores."""
    plain = {re.sub(r"[\W_]", "", each).lower(): each for each in known}
    found = difflib.get_close_matches(re.sub(r"[\W_]", "", name).lower(), plain, n=1)
    return f" Did you mean {plain[found[0]]!r}?" if found else ""


def parse_prior(text: str) -> Prior:
    """A prior from text: ``family:number[,number]``, ``preset:name``, or the bare name of a preset or of ``flat``.

    Raises
    ------
    PriorError
        If the family is unknown, or the numbers are too few, too many or not numbers.
    """
    family, _, rest = text.strip().partition(":")
    family = family.strip().lower()
    if family == "preset":
        return preset(rest.strip())
    if family in PRESETS and not rest:
        return preset(family)
    if family not in _FAMILIES:
        known = [*(f"{name}:..." if least else name for name, (_, least, _) in _FAMILIES.items())]
        known += [f"preset:{name}" for name in PRESETS]
        near = _near(family, (*_FAMILIES, *PRESETS))
        raise PriorError(f"prior {text!r}: unknown family {family!r}.{near} Known: {', '.join(known)}.")
    make, least, most = _FAMILIES[family]
    parts = [part.strip() for part in rest.split(",")] if rest.strip() else []
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise PriorError(f"prior {text!r}: {rest!r} is not a list of numbers; write for example normal:2.5.")
    numbers = [float(part) for part in parts]
    if not least <= len(numbers) <= most:
        needed = str(least) if least == most else f"{least} to {most}"
        raise PriorError(f"prior {text!r}: {family} takes {needed} number(s), {len(numbers)} given.")
    return make(*numbers)


@dataclass(frozen=True, repr=False)
class Numbers(Prior):
    """A prior that is numbers already, as the converter and every fit hold it; for a design of the same columns."""

    resolved: ResolvedPrior

    def resolve(self, design: Columns) -> ResolvedPrior:
        if tuple(design.columns) != self.resolved.columns:
            missing = [name for name in self.resolved.columns if name not in design.columns]
            strange = [name for name in design.columns if name not in self.resolved.columns]
            said = [f"not here: {', '.join(missing)}"] * bool(missing) + [f"new: {', '.join(strange)}"] * bool(strange)
            raise PriorError(
                f"prior={self!r}: its numbers are for other columns ({'; '.join(said) or 'in another order'})."
            )
        return self.resolved

    def __repr__(self) -> str:
        return self.resolved.name


def as_prior(value: Any) -> Prior:
    """What the ``prior=`` argument means: a prior, also a resolved one, None for `Flat`, or text for `parse_prior`.

    Raises
    ------
    PriorError
        If it is none of these.
    """
    if value is None:
        return Flat()
    if isinstance(value, str):
        if value.endswith(".json"):
            raise PriorError(
                f"prior={value!r}: this is the name of a file; give prior=bayeslogit.load_prior({value!r})."
            )
        return parse_prior(value)
    if isinstance(value, Prior):
        return value
    if isinstance(value, ResolvedPrior):
        return Numbers(value)
    if isinstance(value, type) and issubclass(value, Prior):
        raise PriorError(f"prior={value.__name__}: give an instance with its scale, such as {value.__name__}(2.5).")
    if isinstance(value, dict):
        raise PriorError("prior=: a dict by term goes in bayeslogit.priors(default=..., terms={...}).")
    if hasattr(value, "as_prior"):
        raise PriorError(f"prior={value!r}: a fit is no prior; its posterior as one is fit.as_prior().")
    if hasattr(value, "verdict"):
        raise PriorError(f"prior={value!r}: draws are no prior; those of a fit make one by fit.as_prior(draws).")
    raise PriorError(
        f"prior={value!r}: give a prior such as bayeslogit.Normal(2.5), None (flat), or text such as 'rstanarm'."
    )
