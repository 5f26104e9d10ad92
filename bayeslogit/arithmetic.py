"""Arithmetic of a checked formula, row by row in NumPy: what ``I(x**2)`` or ``log(x + 1)`` make of columns of floats.

The tree is walked, nothing is evaluated as code; what is not known here is None, and formulaic works it out.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "exp": np.exp,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "I": lambda values: values,
}


def names_in(text: str) -> tuple[str, ...] | None:
    """The columns that an expression reads, by safe names; None if it holds more than this room knows."""
    names: dict[str, None] = {}

    def known(node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            names[node.id] = None
            return True
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int | float) and not isinstance(node.value, bool)
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, ast.USub | ast.UAdd) and known(node.operand)
        if isinstance(node, ast.BinOp):
            return type(node.op) in _BINARY and known(node.left) and known(node.right)
        call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        return call and isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords and known(node.args[0])

    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    return tuple(names) if known(tree.body) and names else None


def worked_out(text: str, columns: Mapping[str, Array]) -> Array:
    """The values of an expression of which `names_in` knows all; not finite where it is not defined."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return columns[node.id]
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand) if isinstance(node.op, ast.USub) else value(node.operand)
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _FUNCTIONS[node.func.id](value(node.args[0]))
        assert isinstance(node, ast.Constant)
        return node.value

    with np.errstate(all="ignore"):
        return np.asarray(value(ast.parse(text, mode="eval").body), dtype=np.float64)
