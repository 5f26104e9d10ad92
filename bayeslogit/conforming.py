"""What was read from a file against the types that its records declare: a field of the wrong kind is named.

A record is a dataclass; what its fields may hold stands in their annotations and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from bayeslogit.boundary import alternatives, short

_PLAIN: dict[str, type | tuple[type, ...]] = {"str": str, "bool": bool, "float": (int, float), "int": int}
_ARRAYS = ("Array", "NDArray")


def conform(record: Any, where: str = "") -> None:
    """Go through a dataclass, and through those in it.

    Raises
    ------
    TypeError
        Naming the first field whose value is not of its declared kind.
    """
    for each in fields(record):
        place, value = f"{where}{each.name}", getattr(record, each.name)
        if not any(_fits(value, word, place) for word in alternatives(str(each.type))):
            raise TypeError(f"{place} is {short(value)}, and {each.type} is needed")


def _fits(value: Any, word: str, place: str) -> bool:
    """Whether a value is what one word of an annotation says; records in it must conform too."""
    name, _, inside = word.partition("[")
    if name == "None":
        return value is None
    if name in _PLAIN:
        if isinstance(value, int) and abs(value) >= 1 << 63:
            return False
        return isinstance(value, _PLAIN[name]) and (name == "bool" or not isinstance(value, bool))
    if name in _ARRAYS:
        return isinstance(value, np.ndarray) and value.dtype.kind in "fi"
    if name == "tuple":
        item = inside.partition(",")[0]
        return isinstance(value, tuple) and all(_one_of(part, item, f"{place}[{k}]") for k, part in enumerate(value))
    if name in ("Mapping", "dict"):
        item = inside.partition(",")[2].strip().removesuffix("]")
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return False
        return all(_one_of(part, item, f"{place}[{key!r}]") for key, part in value.items())
    if is_dataclass(value) and _named(value, name):
        conform(value, f"{place}.")
        return True
    return name == "Any" or _named(value, name)


def _one_of(value: Any, words: str, place: str) -> bool:
    return any(_fits(value, word, place) for word in alternatives(words))


def _named(value: Any, name: str) -> bool:
    return any(base.__name__ == name for base in type(value).__mro__)


def listed(values: Any) -> tuple[Any, ...]:
    """A JSON list as a tuple; nothing else is iterated over."""
    if not isinstance(values, list):
        raise TypeError(f"{short(values)} is not a list")
    return tuple(values)


def terms_of(values: Any) -> list[dict[str, Any]]:
    """The terms of a prior's description, if their columns and numbers are lists of what they should be."""
    for term in listed(values):
        if not all(isinstance(name, str) for name in listed(term["columns"])):
            raise TypeError("columns of a prior's term are not names")
        for numbers in (*term["parameters"].values(), term["map"]):
            _check_numbers(numbers)
    return list(values)


def _check_numbers(values: Any) -> None:
    if isinstance(values, list):
        for value in values:
            _check_numbers(value)
    elif isinstance(values, bool | str | dict):
        raise TypeError(f"{short(values)} is no number")
