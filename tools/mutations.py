"""Small faults in a source: which there are (`mutants_of`), and the tree with one of them (`mutated`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """One fault.

    Attributes
    ----------
    room : str
        The module.
    function : str
        Qualified name of the function it is in; "" in the body of the module.
    before, after : str
        The expression or statement as it is, and with the fault.
    number : int
        Its place among the faults of the room.
    lines : tuple of int
        Where it is; a test that reaches none of them cannot notice.
    inside : bool
        Whether it is in the body of a function.
    body : tuple of int
        Lines of the outermost function's body.
    nth : int
        Of equal texts in one function, from 1.
    """

    room: str
    function: str
    before: str
    after: str
    number: int
    lines: tuple[int, ...]
    inside: bool
    body: tuple[int, ...]
    nth: int

    @property
    def label(self) -> str:
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.room}.{self.function} {self.before} {self.after}{again}"


Fault = Callable[[], None]
_LONGEST = 90  # characters of a text that are shown

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
}
_NAMES = {
    **{"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"},
    **{"ceil": "floor", "floor": "ceil", "argmin": "argmax", "argmax": "argmin", "zeros": "ones", "ones": "zeros"},
    **{"expm1": "exp", "log1p": "log"},
}


def _shown(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _windows(before: str, after: str) -> tuple[str, str]:
    """Of long texts, what differs with a little on either side."""
    if max(len(before), len(after)) <= _LONGEST:
        return before, after
    if after == "dropped":
        return before[: _LONGEST - 4] + " ...", after
    same = next(
        (k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    least = min(len(before), len(after)) - same
    tail = next((k for k in range(least) if before[-1 - k] != after[-1 - k]), least)
    start, stop = max(same - 30, 0), max(tail - 30, 0)

    def cut(text: str) -> str:
        inner = text[start : len(text) - stop]
        if len(inner) > _LONGEST:
            inner = inner[: _LONGEST - 30] + " ... " + inner[-25:]
        return ("... " if start else "") + inner + (" ..." if stop else "")

    return cut(before), cut(after)


class _Finder(ast.NodeVisitor):
    """Walks a tree in a fixed order and meets every fault; `want` is the number of the one to commit, or -1."""

    def __init__(self, room: str, want: int = -1) -> None:
        self.room, self.want = room, want
        self.found: list[Mutant] = []
        self.count = 0
        self.stack: list[str] = []
        self.functions: list[ast.AST] = []
        self.seen: dict[tuple[str, str, str], int] = {}

    def offer(self, shown: ast.AST, commit: Fault, undo: Fault, extra: str = "") -> None:
        """One fault: `commit` makes it in the tree, `undo` takes it back; `shown` is the text around it."""
        if self.want >= 0:  # only one fault is wanted, and no texts
            if self.count == self.want:
                commit()
            self.count += 1
            return
        before = _shown(shown)
        commit()
        before, after = _windows(before, extra or _shown(shown))
        number = len(self.found)
        undo()
        lines = tuple(range(shown.lineno, (shown.end_lineno or shown.lineno) + 1))  # type: ignore[attr-defined]
        body = self.functions[0] if self.functions else None
        function = ".".join(self.stack)
        key = (function, before, after)
        self.seen[key] = self.seen.get(key, 0) + 1
        inner = tuple(range(body.body[0].lineno, (body.end_lineno or 0) + 1)) if body is not None else ()  # type: ignore[attr-defined]
        self.found.append(
            Mutant(self.room, function, before, after, number, lines, body is not None, inner, self.seen[key])
        )

    def swap(self, shown: ast.AST, node: Any, name: str, new: Any, extra: str = "") -> None:
        old = getattr(node, name)
        self.offer(shown, lambda: setattr(node, name, new), lambda: setattr(node, name, old), extra)

    # --- places -------------------------------------------------------------------------------------------------

    def _function(self, node: Any) -> None:
        for each in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            if not isinstance(each, ast.Name):
                self._constants_of(each)
        self.stack.append(node.name)
        self.functions.append(node)
        self.statements(node.body)
        self.functions.pop()
        self.stack.pop()

    def _constants_of(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant):
            holder = ast.Expr(node, lineno=node.lineno, end_lineno=node.end_lineno)
            self.number(holder, node)
        else:
            self.visit(node)

    visit_FunctionDef = _function  # noqa: N815 - the name that ast looks for

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.stack.append(node.name)
        self.statements(node.body)
        self.stack.pop()

    def visit_Module(self, node: ast.Module) -> None:
        self.statements(node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.body)

    def statements(self, body: list[ast.stmt]) -> None:
        for k, node in enumerate(body):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass):
                continue
            if isinstance(node, ast.Raise | ast.AugAssign | ast.Continue | ast.Break | ast.Expr):
                self.drop(body, k, node)
            if isinstance(node, ast.Raise):
                continue  # what an error says is not mutated
            if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
                nothing = ast.copy_location(ast.Constant(None), node.value)
                self.swap(node, node, "value", nothing)
            self.visit(node)

    def drop(self, body: list[ast.stmt], k: int, node: ast.stmt) -> None:
        empty = ast.copy_location(ast.Pass(), node)
        self.offer(node, lambda: body.__setitem__(k, empty), lambda: body.__setitem__(k, node), "dropped")

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params"):
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.statements(value)
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.Constant):
                        self.number(node, each)
                    elif isinstance(each, ast.AST):
                        self.visit(each)
            elif isinstance(value, ast.Constant):
                self.number(node, value)
            elif isinstance(value, ast.AST):
                self.visit(value)

    # --- faults -------------------------------------------------------------------------------------------------

    def number(self, shown: Any, node: ast.Constant) -> None:
        if not hasattr(shown, "lineno"):
            shown = node
        value = node.value
        if isinstance(value, bool):
            self.swap(shown, node, "value", not value)
        elif isinstance(value, int):
            self.swap(shown, node, "value", value + 1)
            if value > 1:
                self.swap(shown, node, "value", value - 1)
        elif isinstance(value, float):
            self.swap(shown, node, "value", 2.0 * value if value else 1.0)

    def visit_If(self, node: ast.If) -> None:
        if _text_of(node.test) == "TYPE_CHECKING":
            return
        self.negate(node, "test")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.negate(node, "test")
        self.generic_visit(node)

    def negate(self, node: Any, name: str) -> None:
        test = getattr(node, name)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return  # its comparison is turned round anyway
        turned = (
            test.operand
            if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
            else ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
        )
        self.offer(
            test,
            lambda: setattr(node, name, turned),
            lambda: setattr(node, name, test),
            _shown(turned),
        )

    def visit_Compare(self, node: ast.Compare) -> None:
        for k, op in enumerate(node.ops):
            for other in _COMPARISONS[type(op)]:
                new = [*node.ops[:k], other(), *node.ops[k + 1 :]]
                self.swap(node, node, "ops", new)
        self.generic_visit(node)

    def _operator(self, node: ast.BinOp | ast.AugAssign) -> None:
        if type(node.op) in _OPERATORS:
            self.swap(node, node, "op", _OPERATORS[type(node.op)]())
        self.generic_visit(node)

    visit_BinOp = _operator  # noqa: N815
    visit_AugAssign = _operator  # noqa: N815

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.swap(node, node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            self.swap(node, node, "op", ast.UAdd())
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        attribute = "attr" if isinstance(name, ast.Attribute) else "id"
        old = getattr(name, attribute, "")
        if old in _NAMES and (attribute == "attr" or old in ("min", "max", "any", "all")):
            self.swap(node, name, attribute, _NAMES[old])
        for k, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                self.swap(node, node, "keywords", [*node.keywords[:k], *node.keywords[k + 1 :]])
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Words are not mutated."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            if isinstance(node.value, ast.Constant):
                self.number(node, node.value)
            else:
                self.visit(node.value)


def _text_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def mutants_of(room: str, source: str) -> Iterator[Mutant]:
    """Every fault, in the order of the text."""
    finder = _Finder(room)
    finder.visit(ast.parse(source))
    yield from finder.found


def mutated(room: str, source: str, mutant: Mutant | None) -> ast.Module:
    """The tree with the fault, or without any."""
    tree = ast.parse(source)
    if mutant is not None:
        _Finder(room, mutant.number).visit(tree)
        ast.fix_missing_locations(tree)
    return tree


def users_of(source: str, line: int) -> set[int]:
    """Lines of what is defined in the body of a module at ``line``, and of all that uses it, directly or not."""
    body = ast.parse(source).body
    made = [{each.id for each in ast.walk(node) if isinstance(each, ast.Name)} for node in body]
    names = [_defined(node) for node in body]
    reached = {k for k, node in enumerate(body) if node.lineno <= line <= (node.end_lineno or node.lineno)}
    while True:
        known = set().union(*(names[k] for k in reached))
        more = {k for k in range(len(body)) if k not in reached and made[k] & known}
        if not more:
            break
        reached |= more
    return {n for k in reached for n in range(body[k].lineno, (body[k].end_lineno or body[k].lineno) + 1)}


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
