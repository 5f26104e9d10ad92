"""The parts of a fit as plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arrays import ArraySpec
from bayeslogit.conforming import conform, listed, terms_of
from bayeslogit.errors import FileFormatError
from bayeslogit.facts import Facts
from bayeslogit.formula import FormulaSpec
from bayeslogit.mode import Iteration, Mode, Road, Status, Whole
from bayeslogit.recession import Recession
from bayeslogit.resolved import ResolvedPrior, from_description
from bayeslogit.steps import Factor
from bayeslogit.subspace import Subspace, Support
from bayeslogit.target import Coordinates

_KINDS: dict[str, Callable[[Any], FormulaSpec | ArraySpec]] = {
    "arrays": ArraySpec.from_dict,
    "formula": FormulaSpec.from_dict,
}


@dataclass(frozen=True)
class Parts:
    """What a saved fit holds: everything but the data."""

    mode: Mode
    prior: ResolvedPrior
    prior_is_default: bool
    spec: FormulaSpec | ArraySpec
    facts: Facts
    fingerprint: str
    notes: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "columns": list(self.prior.columns),
            "params": dict(zip(self.prior.columns, map(float, self.mode.beta), strict=True)),
            "mode": _mode_to_dict(self.mode),
            "prior": {"name": self.prior.name, "notes": list(self.prior.notes), "terms": self.prior.describe()},
            "prior_is_default": self.prior_is_default,
            "spec": self.spec.to_dict(),
            "facts": self.facts.to_dict(),
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
            "labels": dict(self.labels),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Parts:
        try:
            prior = record["prior"]
            spec = record["spec"]
            found = cls(
                mode=_mode_from_dict(record["mode"]),
                prior=from_description(
                    listed(record["columns"]), prior["name"], listed(prior["notes"]), terms_of(prior["terms"])
                ),
                prior_is_default=record["prior_is_default"],
                spec=_KINDS[spec["kind"]](spec),
                facts=Facts.from_dict(record["facts"]),
                fingerprint=record["fingerprint"],
                notes=listed(record["notes"]),
                labels=record.get("labels", {}),
            )
            conform(found)
            _check(found, record)
            return found
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise FileFormatError(f"The saved fit lacks or mistypes a part: {error!r}.") from None


def _check(found: Parts, record: Mapping[str, Any]) -> None:
    """What the parts say of one another; see `conforming` for each of them alone."""
    mode, columns = found.mode, found.prior.columns
    p = len(columns)
    if len(set(columns)) < p or tuple(found.spec.columns) != columns:
        raise ValueError("columns of the coefficients and of the formula or arrays differ")
    if mode.beta.shape != (p,) or record["params"] != dict(zip(columns, mode.beta.tolist(), strict=True)):
        raise ValueError("params and mode.beta differ")
    center, whole = mode.coordinates.center, mode.subspace is None
    if center is not None and center.shape != (p - 1,):
        raise ValueError(f"mode.center has shape {center.shape}, and there are {p} columns")
    if mode.score.shape != (p,) or (whole and mode.information is not None and mode.information.shape != (p, p)):
        raise ValueError(f"mode.score or mode.information does not go with {p} columns")
    if mode.factor is not None:
        k = p if whole else mode.factor.scale.size
        if mode.factor.scale.shape != (k,) or mode.factor.R.shape != (k, k):
            raise ValueError("mode.factor is no factor of the information")
    if not (np.isfinite(mode.beta).all() and (found.facts.nobs >= found.facts.n_events >= 0.0)):
        raise ValueError("coefficients or counts are not finite")
    check_prior(found.prior)


def check_prior(prior: ResolvedPrior) -> None:
    """Whether the numbers of a prior that was read are those of a density, by asking it what it is.

    Raises
    ------
    LookupError, TypeError, ValueError, ArithmeticError
    """
    with np.errstate(all="raise"):
        prior.labels()
        prior.means()
        for term in prior.terms:
            spread = term.parameters.get("scale")
            if spread is not None and not (np.isfinite(spread) & (spread > 0.0)).all():
                raise ValueError(f"a scale of {term.family} is not positive")


def _mode_to_dict(mode: Mode) -> dict[str, Any]:
    return {
        "beta": mode.beta,
        "center": mode.coordinates.center,
        "log_density": mode.log_density,
        "score": mode.score,
        "information": mode.information,
        "information_error": mode.information_error,
        "road": mode.road.value,
        "n_sampled": mode.n_sampled,
        "subspace": None if mode.subspace is None else asdict(mode.subspace),
        "status": mode.status.value,
        "message": mode.message,
        "decrement": mode.decrement,
        "n_passes": mode.n_passes,
        "n_hessians": mode.n_hessians,
        "trace": [asdict(line) for line in mode.trace],
        "factor": None if mode.factor is None else {"R": mode.factor.R, "scale": mode.factor.scale},
        "recession": None if mode.recession is None else asdict(mode.recession),
        "notes": list(mode.notes),
        "whole": None if mode.whole is None else asdict(mode.whole),
    }


def _mode_from_dict(record: Mapping[str, Any]) -> Mode:
    factor, recession, subspace = record["factor"], record["recession"], record["subspace"]
    return Mode(
        beta=record["beta"],
        log_density=record["log_density"],
        score=record["score"],
        information=record["information"],
        information_error=record["information_error"],
        road=Road(record["road"]),
        n_sampled=record["n_sampled"],
        subspace=None if subspace is None else _subspace(subspace),
        status=Status(record["status"]),
        message=record["message"],
        decrement=record["decrement"],
        n_passes=record["n_passes"],
        n_hessians=record["n_hessians"],
        trace=tuple(Iteration(**line) for line in listed(record["trace"])),
        coordinates=Coordinates(record["center"]),
        factor=None if factor is None else Factor(**factor),
        recession=None if recession is None else Recession(**recession),
        notes=listed(record["notes"]),
        whole=None if record.get("whole") is None else Whole(**record["whole"]),
    )


def _subspace(record: Mapping[str, Any]) -> Subspace | Support:
    if "active" in record:
        active = _places(record["active"])
        return Support(active, int(record["size"]), record["prior_information"])
    kept, reduced = (_places(record[key]) for key in ("kept", "reduced"))
    return Subspace(kept, reduced, record["scale"], record["basis"], record["prior_information"])


def _places(values: Any) -> NDArray[np.intp]:
    """Positions of columns, which were saved as floats."""
    places = np.asarray(values, dtype=np.float64)
    if places.ndim != 1 or not ((places >= 0.0) & (places < 2**31) & (places == np.floor(places))).all():
        raise ValueError("positions of columns are whole numbers from 0 up")
    return places.astype(np.intp)
