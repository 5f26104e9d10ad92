"""The parts of a fit as plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bayeslogit.arrays import ArraySpec
from bayeslogit.errors import FileFormatError
from bayeslogit.facts import Facts
from bayeslogit.formula import FormulaSpec
from bayeslogit.mode import Iteration, Mode, Road, Status, Whole
from bayeslogit.recession import Recession
from bayeslogit.resolved import ResolvedPrior, from_description
from bayeslogit.steps import Factor
from bayeslogit.subspace import Subspace, Support
from bayeslogit.target import Coordinates


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
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Parts:
        try:
            prior = record["prior"]
            spec = record["spec"]
            return cls(
                mode=_mode_from_dict(record["mode"]),
                prior=from_description(tuple(record["columns"]), prior["name"], tuple(prior["notes"]), prior["terms"]),
                prior_is_default=bool(record["prior_is_default"]),
                spec=ArraySpec.from_dict(spec) if spec.get("kind") == "arrays" else FormulaSpec.from_dict(spec),
                facts=Facts.from_dict(record["facts"]),
                fingerprint=str(record["fingerprint"]),
                notes=tuple(record["notes"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileFormatError(f"The saved fit lacks or mistypes a part: {error!r}.") from None


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
        trace=tuple(Iteration(**line) for line in record["trace"]),
        coordinates=Coordinates(record["center"]),
        factor=None if factor is None else Factor(**factor),
        recession=None if recession is None else Recession(**recession),
        notes=tuple(record["notes"]),
        whole=None if record.get("whole") is None else Whole(**record["whole"]),
    )


def _subspace(record: Mapping[str, Any]) -> Subspace | Support:
    if "active" in record:
        active = np.asarray(record["active"]).astype(np.intp)
        return Support(active, int(record["size"]), record["prior_information"])
    kept, reduced = (np.asarray(record[key]).astype(np.intp) for key in ("kept", "reduced"))
    return Subspace(kept, reduced, record["scale"], record["basis"], record["prior_information"])
