"""Default priors of other systems, resolved as that system does it; and the grammar of priors in text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslogit._priors import Cauchy, Columns, ElasticNet, Flat, Laplace, Normal, Prior, StudentT
from bayeslogit.errors import PriorError
from bayeslogit.resolved import PriorTerm, ResolvedPrior

# Observations below which n - 1 is more than a tenth short of n.
_PLENTY = 10.0


@dataclass(frozen=True)
class Preset(Prior):
    """The default prior of another system; made by `preset`."""

    name: str

    def resolve(self, design: Columns) -> ResolvedPrior:
        return PRESETS[self.name](design)

    def __repr__(self) -> str:
        return f"preset({self.name!r})"


def preset(name: str) -> Preset:
    """The default prior of another system.

    Parameters
    ----------
    name : {"rstanarm"}
        "rstanarm" reproduces ``stan_glm(family = binomial)`` of rstanarm 2.32: slopes Normal(0, 2.5 / sd(x)), with R's
        sd (n - 1), and Normal(0, 2.5) on the intercept after the predictors are centred.

    Returns
    -------
    Preset
        Its ``resolve(design)`` prints as numbers.

    Raises
    ------
    PriorError
        If there is no preset of that name.
    """
    if name not in PRESETS:
        raise PriorError(f"preset({name!r}): there is no such preset. Known: {', '.join(PRESETS)}.")
    return Preset(name)


def _rstanarm(design: Columns) -> ResolvedPrior:
    """Rstanarm 2.32.2, ``stan_glm.fit`` and ``set_prior_scale``: autoscaled normal(0, 2.5)."""
    names = tuple(design.columns)
    first = int(design.has_intercept)
    means, sds = design.column_means, design.column_sds
    varies = sds > 0.0
    scale = np.maximum(2.5 / np.where(varies, sds, 1.0), 1e-12)
    terms: list[PriorTerm] = []
    if first:
        row = means.copy()
        row[0] = 1.0
        centred = {"mean": np.zeros(1), "scale": np.full(1, 2.5)}
        where = "at the column means" if len(names) > 1 else ""
        terms.append(PriorTerm("normal", (0,), centred, row[None, :] if len(names) > 1 else None, where))
    if len(names) > first:
        slopes = tuple(range(first, len(names)))
        terms.append(PriorTerm("normal", slopes, {"mean": np.zeros(len(slopes)), "scale": scale[first:]}))
    note = "Prior scales are 2.5 / sd of each column (rstanarm 2.32's default), so they depend on the data." + (
        " The intercept's prior is on the log-odds at the column means." if first and len(names) > 1 else ""
    )
    return ResolvedPrior(names, tuple(terms), "rstanarm default, weakly informative", (note, *_few(design)))


def _few(design: Columns) -> tuple[str, ...]:
    """That the sds rest on next to no observations, where weights rather than rows are why."""
    nobs, n_rows = float(getattr(design, "nobs", np.inf)), int(getattr(design, "n_rows", 0))
    if nobs >= _PLENTY or n_rows <= nobs * (1.0 + 1e-9):
        return ()
    why = f"divide by {nobs - 1.0:.3g}" if nobs > 1.0 + 1e-9 else "divide by one less, which leaves nothing"
    return (
        f"The weights add up to {nobs:.4g} observation(s) over {n_rows:,} rows, and the sds behind these scales {why}. "
        "If the weights are shares, multiply them by the number of rows; or give the prior as numbers, such as "
        "bayeslogit.Normal(2.5).",
    )


PRESETS: dict[str, Callable[[Columns], ResolvedPrior]] = {"rstanarm": _rstanarm}

# Family to what makes it, and how few and many numbers it takes; positions are those of the families' own arguments.
_FAMILIES: dict[str, tuple[Callable[..., Prior], int, int]] = {
    "flat": (Flat, 0, 0),
    "normal": (Normal, 1, 1),
    "laplace": (Laplace, 1, 1),
    "elasticnet": (lambda l1, l2: ElasticNet(l1=l1, l2=l2), 2, 2),
    "student_t": (StudentT, 2, 2),
    "cauchy": (Cauchy, 1, 1),
}


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
        raise PriorError(f"prior {text!r}: unknown family {family!r}. Known: {', '.join(known)}.")
    make, least, most = _FAMILIES[family]
    parts = [part.strip() for part in rest.split(",")] if rest.strip() else []
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise PriorError(f"prior {text!r}: {rest!r} is not a list of numbers; write for example normal:2.5.") from None
    if not least <= len(numbers) <= most:
        needed = str(least) if least == most else f"{least} to {most}"
        raise PriorError(f"prior {text!r}: {family} takes {needed} number(s), {len(numbers)} given.")
    return make(*numbers)


def as_prior(value: Any) -> Prior:
    """What the ``prior=`` argument means: a prior, None for `Flat`, or text for `parse_prior`.

    Raises
    ------
    PriorError
        If it is none of these.
    """
    if value is None:
        return Flat()
    if isinstance(value, str):
        return parse_prior(value)
    if isinstance(value, Prior):
        return value
    if isinstance(value, type) and issubclass(value, Prior):
        raise PriorError(f"prior={value.__name__}: give an instance with its scale, such as {value.__name__}(2.5).")
    raise PriorError(
        f"prior={value!r}: give a prior such as bayeslogit.Normal(2.5), None (flat), or text such as 'rstanarm'."
    )
