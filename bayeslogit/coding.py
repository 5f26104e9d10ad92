"""What formulaic learned from the data, as plain JSON values and back.

Of a transform that is its whole state (centres, knots, polynomial coefficients); of a categorical factor it is the list
of levels. The contrasts follow from the formula. Floats survive exactly: JSON writes them by repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def encode_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for the transform and encoder state of a formulaic model spec."""
    return {
        "transforms": _encode(state["transform_state"]),
        "encoders": {
            factor: [
                kind.value,
                [_encode(level) for level in learned["categories"]] if "categories" in learned else None,
            ]
            for factor, (kind, learned) in state["encoder_state"].items()
        },
    }


def decode_state(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `encode_state`, as keyword arguments of a formulaic model spec."""
    from formulaic.parser.types import Factor

    return {
        "transform_state": _decode(plain["transforms"]),
        "encoder_state": {
            factor: (Factor.Kind(kind), {} if levels is None else {"categories": [_decode(level) for level in levels]})
            for factor, (kind, levels) in plain["encoders"].items()
        },
    }


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        # Keys of polynomial coefficients are numbers, which JSON objects cannot have.
        return {"pairs": [[_encode(key), _encode(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, np.generic):
        return {"scalar": value.item()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "pairs" in value:
            return {_decode(key): _decode(item) for key, item in value["pairs"]}
        if "array" in value:
            return np.asarray(value["array"])
        return np.float64(value["scalar"]) if isinstance(value["scalar"], float) else value["scalar"]
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value
