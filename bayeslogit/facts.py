"""What a fit remembers of its data: counts, names and the hash of the file, without the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeslogit.design import Design
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]


def _binomial_constant(block: Block) -> float:
    m, y = block.trials, block.y
    return float(block.weights @ (gammaln(m + 1.0) - gammaln(y + 1.0) - gammaln(m - y + 1.0)))


@dataclass(frozen=True)
class Facts:
    """Counts and names of the data behind a fit.

    Attributes
    ----------
    n_rows : int
        Rows with weight; ``n_dropped`` rows had missing values and were left out.
    nobs, n_events : float
        ``sum w m`` and ``sum w y``.
    log_binomial_constant : float
        ``sum w log C(m, y)``, left out of every log likelihood here.
    fractional_weights : bool
        Whether some weight is not a whole number.
    """

    outcome: str
    event: str | None
    formula: str | None
    source: str
    library: str
    sha256: str | None
    n_rows: int
    n_dropped: int
    nobs: float
    n_events: float
    log_binomial_constant: float
    fractional_weights: bool
    grouped: bool
    has_offset: bool

    @classmethod
    def of(cls, design: Design) -> Facts:
        tally = design.tally
        spec, origin = design.spec, design.provenance
        return cls(
            outcome=spec.outcome,
            event=None if spec.event is None else str(spec.event),
            formula=spec.formula,
            source=origin.source,
            library=origin.library,
            sha256=origin.sha256,
            n_rows=tally.rows,
            n_dropped=design.n_dropped,
            nobs=tally.nobs,
            n_events=tally.events,
            log_binomial_constant=design.reduce(_binomial_constant) if tally.grouped else 0.0,
            fractional_weights=tally.fractional,
            grouped=tally.grouped,
            has_offset=design.has_offset,
        )

    @property
    def event_in_words(self) -> str:
        """What the probability is of: "P(switch = 1)"."""
        if self.grouped:
            return f"P(success of one trial), successes in {self.outcome}"
        return f"P({self.outcome} = {self.event if self.event is not None else 1})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Facts:
        return cls(**record)
