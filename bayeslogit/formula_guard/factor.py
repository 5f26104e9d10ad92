"""One factor of a formula, such as ``log(x + 1)``: checked piece by piece while a safe copy of it is built.

Only column names, numbers, arithmetic, comparisons and calls of a fixed list of transforms get through, and of a
transform only the settings that are listed here: numpy's ``log(x, out)`` would write into a column of the data.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable
from typing import NoReturn

from bayeslogit.errors import FormulaError
from bayeslogit.formula_guard.translations import translated

# Transforms, with the names of the arguments that follow the data, in their order.
_ELEMENTWISE = ("log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "abs")
_SPLINE = ("df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation")
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "C": ("contrasts", "levels", "spans_intercept"),
    "I": (),
    **{name: () for name in _ELEMENTWISE},
    "center": (),
    "scale": ("center", "scale", "ddof"),
    "standardize": ("center", "rescale", "ddof"),
    "poly": ("degree", "raw"),
    "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"),
    "cs": _SPLINE,
    "cr": _SPLINE,
    "cc": _SPLINE,
}
_CONTRASTS: dict[str, tuple[str, ...]] = {
    "Treatment": ("reference",),
    "Sum": (),
    "Helmert": ("reverse", "scale"),
    "Diff": ("backward",),
    "Poly": ("scores",),
    "contr.treatment": ("base",),
    "contr.SAS": ("base",),
    "contr.sum": (),
    "contr.helmert": ("reverse", "scale"),
    "contr.diff": ("backward",),
    "contr.poly": ("scores",),
}
TRANSFORMS = tuple(_ARGUMENTS)
CONTRASTS = tuple(_CONTRASTS)
_KEYWORD_ONLY = ("levels", "spans_intercept", "extrapolation")

_DEEPEST = 80
_LARGEST_POWER = 10
_LARGEST_NUMBER = 10**15
_MOST_COLUMNS = 100
_MOST_ITEMS = 500
QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def allowed() -> str:
    """What a factor may be, in a sentence."""
    return (
        f"Allowed are column names, numbers, arithmetic, comparisons, and the transforms {', '.join(TRANSFORMS)}; "
        f"inside C(...) the contrasts {', '.join(CONTRASTS)}."
    )


class Factor:
    """One factor that is more than a name: its tree is checked piece by piece while a new one is built from it."""

    def __init__(
        self, text: str, column: Callable[[str, str], str], string: Callable[[str], str], placeholder: str
    ) -> None:
        self.text = text.strip()
        self.column = column
        self.string = string
        self.quoted: dict[str, str] = {}
        self.source = QUOTED.sub(lambda match: self._unquote(match[0], placeholder), self.text)

    def _unquote(self, piece: str, placeholder: str) -> str:
        """Column names in backticks become identifiers; strings stay."""
        if not piece.startswith("`"):
            return piece
        name = f"{placeholder}{len(self.quoted)}"
        self.quoted[name] = piece[1:-1]
        return f" {name} "

    def parsed(self) -> ast.expr:
        if "#" in QUOTED.sub("", self.text):
            raise FormulaError(f"{self.text!r}: a formula holds no comments.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # In brackets a line break means nothing, as in the rest of a formula.
                return ast.parse(f"({self.source}\n)", mode="eval").body
        except (SyntaxError, ValueError, MemoryError):
            called = re.match(r"\s*([\w.]+)\s*\(", self.text)  # R's names hold dots: as.factor
            why = (translated(called[1]) if called else "") or allowed()
            raise FormulaError(f"{self.text!r} is not an expression that a formula can hold. {why}") from None

    def refuse(self, node: ast.AST, why: str = "") -> NoReturn:
        piece = ast.unparse(node)
        for name, column in self.quoted.items():
            piece = piece.replace(name, f"`{column}`")
        known = "" if why else translated(piece)
        if not (why or known) and isinstance(node, ast.Attribute) and node.attr in _ARGUMENTS:
            why = f"Write {node.attr}(...) for {piece}(...)."
        elif not (why or known) and isinstance(node, ast.Attribute):
            why = f"If {piece!r} is a column, put it in backticks: `{piece}`."
        raise FormulaError(
            f"{piece[:200]!r} in {self.text[:200]!r} is not allowed in a formula: a formula is data, not code. "
            f"{known or f'{why} {allowed()}'.strip()}"
        )

    def column_of(self, node: ast.Name) -> str:
        """The column as it was written: Python itself would read a micro sign as a Greek mu."""
        written = ast.get_source_segment(f"({self.source}\n)", node) or node.id
        if not self.quoted.get(written, "_"):
            self.refuse(node, "A pair of backticks holds no column name.")
        if written not in self.quoted and node.id.startswith("__"):
            self.refuse(node, f"If {written!r} is a column, put it in backticks: `{written}`.")
        return self.quoted.get(written, written)

    def outermost(self, node: ast.expr) -> ast.expr:
        """A factor: a call, or the arithmetic of ``{...}``."""
        if isinstance(node, ast.Call) and self._called(node) == "C":
            return self._categorical(node)
        if not any(isinstance(part, ast.Name) for part in ast.walk(node)):
            self.refuse(node, "It names no column.")
        return self._value(node, 0)

    def _value(self, node: ast.expr, depth: int) -> ast.expr:
        """Numbers made from columns."""
        if depth > _DEEPEST:
            raise FormulaError(f"{self.text[:60]!r} ... nests too deeply for a formula.")
        match node:
            case ast.Name():
                return ast.Name(self.column(self.column_of(node), "value"), ast.Load())
            case ast.Constant():
                return self._number(node)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                return ast.UnaryOp(node.op, self._value(node.operand, depth + 1))
            case ast.BinOp(op=ast.Pow()):
                return ast.BinOp(self._value(node.left, depth + 1), node.op, self._power(node))
            case ast.BinOp() if isinstance(node.op, _ARITHMETIC):
                return ast.BinOp(self._value(node.left, depth + 1), node.op, self._value(node.right, depth + 1))
            case ast.Compare(ops=[op]) if isinstance(op, _COMPARISONS):
                left, right = (self._compared(part, depth) for part in (node.left, node.comparators[0]))
                return ast.Compare(left, node.ops, [right])
            case ast.BinOp(op=ast.BitXor()):
                self.refuse(node, "Write ** for a power.")
            case ast.Compare(ops=[_, _, *_]):
                self.refuse(node, "Compare two things at a time.")
            case ast.Call():
                return self._call(node, depth)
            case _:
                self.refuse(node)

    def _compared(self, node: ast.expr, depth: int) -> ast.expr:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return ast.Name(self.string(node.value), ast.Load())
        return self._value(node, depth + 1)

    def _number(self, node: ast.Constant) -> ast.expr:
        """A number of moderate size."""
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(node)
        if (isinstance(value, int) and abs(value) > _LARGEST_NUMBER) or not math.isfinite(value):
            self.refuse(node, "The number is too large.")
        return ast.Constant(value)

    def _power(self, node: ast.BinOp) -> ast.expr:
        sign = node.right.op if isinstance(node.right, ast.UnaryOp) else None
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        value = power.value if isinstance(power, ast.Constant) else None
        named = any(isinstance(part, ast.Name) for part in ast.walk(node.left))
        if (
            not isinstance(value, int | float)
            or not abs(value) <= _LARGEST_POWER
            or not (named or isinstance(node.left, ast.Constant))
        ):
            self.refuse(node, f"A power is a number up to {_LARGEST_POWER}, of something that names a column.")
        return ast.Constant(value) if sign is None else ast.UnaryOp(sign, ast.Constant(value))

    # calls

    def _called(self, node: ast.Call) -> str:
        written = ast.get_source_segment(f"({self.source}\n)", node.func) or ""
        if ast.unparse(node.func) != written:  # letters that Python only reads as the name of a transform
            self.refuse(node.func)
        return written

    def _call(self, node: ast.Call, depth: int) -> ast.expr:
        name = self._called(node)
        if name not in _ARGUMENTS:
            self.refuse(node.func)
        if name == "C":
            self.refuse(node, "C(...) makes a factor; it cannot stand inside arithmetic or another transform.")
        self._check_settings(node, node.args[1:], name, _ARGUMENTS[name])
        if not any(isinstance(part, ast.Name) for part in ast.walk(node.args[0])):
            self.refuse(node, "It names no column.")
        given = [self._constant(value, key) for value, key in zip(node.args[1:], _ARGUMENTS[name], strict=False)]
        keywords = [ast.keyword(each.arg, self._constant(each.value, each.arg or "")) for each in node.keywords]
        return ast.Call(ast.Name(name, ast.Load()), [self._value(node.args[0], depth + 1), *given], keywords)

    def _categorical(self, node: ast.Call) -> ast.expr:
        self._check_settings(node, node.args[1:], "C", _ARGUMENTS["C"])
        first = node.args[0]
        if isinstance(first, ast.Name):
            data: ast.expr = ast.Name(self.column(self.column_of(first), "level"), ast.Load())
        else:
            data = self._value(first, 0)
        keywords = [
            ast.keyword(
                each.arg,
                self._contrast(each.value) if each.arg == "contrasts" else self._constant(each.value, each.arg or ""),
            )
            for each in node.keywords
        ]
        return ast.Call(ast.Name("C", ast.Load()), [data, *map(self._contrast, node.args[1:])], keywords)

    def _contrast(self, node: ast.expr) -> ast.expr:
        function = node.func if isinstance(node, ast.Call) else node
        name = ast.unparse(function)
        if name not in _CONTRASTS:
            self.refuse(function, "It is not the name of a contrast.")
        safe = ast.parse(name, mode="eval").body
        if not isinstance(node, ast.Call):
            return safe
        keys = _CONTRASTS[name]
        self._check_settings(node, node.args, name, keys)
        given = [self._constant(value, key) for value, key in zip(node.args, keys, strict=False)]
        keywords = [ast.keyword(each.arg, self._constant(each.value, each.arg or "")) for each in node.keywords]
        return ast.Call(safe, given, keywords)

    def _check_settings(self, node: ast.Call, given: list[ast.expr], name: str, keys: tuple[str, ...]) -> None:
        """Whether what follows the data, by position and by name, is listed, and each once."""
        if name in _ARGUMENTS and not node.args:
            self.refuse(node, f"{name}(...) begins with what it transforms.")
        positional = [key for key in keys if key not in _KEYWORD_ONLY or name == "bs"]
        taken = [*positional[: len(given)], *(each.arg for each in node.keywords)]
        if len(given) > len(positional) or len(set(taken)) < len(taken) or not set(taken) <= set(keys):
            self.refuse(node, f"{name} takes {', '.join(keys) or 'nothing'} besides the data, each once.")

    def _constant(self, node: ast.expr, key: str) -> ast.expr:
        """A setting: a number, True, False, None, a string, or a list of them."""
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) <= _MOST_ITEMS:
            return ast.List([self._constant(item, "") for item in node.elts], ast.Load())
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        item = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(item, ast.Constant):
            self.refuse(node, f"{key or 'An item'} must be a number, a string or a list of them.")
        if key in ("degree", "df") and (negative or type(item.value) is not int or not 0 < item.value <= _MOST_COLUMNS):
            self.refuse(node, f"{key} is a whole number up to {_MOST_COLUMNS}.")
        if isinstance(item.value, str) and not negative:
            return ast.Name(self.string(item.value), ast.Load())
        if (item.value is None or isinstance(item.value, bool)) and not negative:
            return ast.Constant(item.value)
        return ast.UnaryOp(ast.USub(), self._number(item)) if negative else self._number(item)
