"""The pages of docs/ and the README, kept true: what their Python prints, and the API reference from the docstrings.

A ```text block that follows a ```python block holds what that block prints. `make docs` runs every page and writes the
answers in, and docs/api.md anew; tests/test_docs.py runs every page and compares.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bayeslogit as bl

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "api.md"))
_LABELS = {
    "dist100": "Distance to a safe well (100 m)",
    "arsenic": "Arsenic in the well (100 µg/L)",
    "assoc": "Active in the community",
    "educ4": "Education (4 years)",
}
_BLOCK = re.compile(r"```(python|text|console)\n(.*?)```\n", re.DOTALL)


def filled(page: str, name: str = "page", console: Callable[[str], str] | None = None) -> str:
    """The page with the answers that its blocks give now: Python in one namespace, from top to bottom.

    Parameters
    ----------
    page : str
        Its text.
    name : str
        For tracebacks.
    console : callable, optional
        What a command line prints; without it ```console blocks are left as they are.
    """
    names: dict[str, Any] = {"__name__": name}
    answer: str | None = None

    def run(match: re.Match[str]) -> str:
        nonlocal answer
        kind, body = match[1], match[2]
        if kind == "text" and answer is not None:
            told, answer = answer, None
            return f"```text\n{told}```\n"
        if kind == "python":
            answer = _printed(body, name, names)
        elif kind == "console" and console is not None:
            answer = "".join(console(line) for line in body.splitlines())
        return match[0]

    return _BLOCK.sub(run, page)


def _printed(code: str, name: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), names)
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())


def api() -> str:
    """The API reference: every public name with its signature and docstring."""
    parts = [
        "# API reference\n",
        "Made from the docstrings by `make docs`. In Python, `help(bl.fit)` shows the same.\n",
        _contents(),
    ]
    parts += [_entry(f"bl.{name}", getattr(bl, name)) for name in bl.__all__ if name != "datasets"]
    for module in ("datasets", "plot"):
        room = importlib.import_module(f"bayeslogit.{module}")
        parts += [_entry(f"bl.{module}.{name}", getattr(room, name)) for name in room.__all__]
    estimator = importlib.import_module("bayeslogit.estimator")
    parts.append(_entry("bayeslogit.estimator.BayesianLogisticRegression", estimator.BayesianLogisticRegression))
    return "\n".join(parts)


def _contents() -> str:
    """Links to the headings; of two that differ in capitals only, Fit and fit, the second has an anchor of its own."""
    seen: dict[str, int] = {}
    links = []
    for name in bl.__all__:
        if name != "datasets":
            anchor = f"bl{name.lower()}"
            links.append(f"[{name}](#{anchor}{f'-{seen[anchor]}' if anchor in seen else ''})")
            seen[anchor] = seen.get(anchor, 0) + 1
    return f"{',\n'.join(links)};\nthen `bl.datasets`, `bl.plot` and the scikit-learn estimator.\n"


def _entry(name: str, thing: Any) -> str:
    lines = [f"## {name}\n", f"```text\n{_signature(name, thing)}\n```\n", _prose(thing)]
    if inspect.isclass(thing):
        for method, value in _methods(thing):
            lines += [f"### {name.split('.')[-1]}.{method}\n", f"```text\n{_signature(method, value)}\n```\n"]
            lines += [_prose(value)]
    return "\n".join(line for line in lines if line)


def _methods(thing: type) -> list[tuple[str, Any]]:
    """Public methods and properties with docstrings, those of our own base classes too, in alphabetical order."""
    found = {}
    for owner in reversed(thing.__mro__):
        if owner.__module__.startswith("bayeslogit"):
            found |= {key: value for key, value in vars(owner).items() if not key.startswith("_")}
    kinds = (staticmethod, classmethod)
    plain = {key: value.__func__ if isinstance(value, kinds) else value for key, value in found.items()}
    kept = {key: value for key, value in plain.items() if inspect.isfunction(value) or isinstance(value, property)}
    return [(key, value) for key, value in sorted(kept.items()) if value.__doc__]


def _signature(name: str, thing: Any) -> str:
    if isinstance(thing, property) or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return name
    given = inspect.signature(thing)
    # Annotations name rooms of the house; the docstring says the types in words.
    shown = [
        each.replace(annotation=inspect.Parameter.empty) for each in given.parameters.values() if each.name != "self"
    ]
    line = f"{name}{given.replace(parameters=shown, return_annotation=inspect.Signature.empty)}"
    if len(line) <= 110:
        return line
    inside = ",\n    ".join(_of_parameters(shown))
    return f"{name}(\n    {inside},\n)"


def _of_parameters(shown: list[inspect.Parameter]) -> list[str]:
    texts, starred = [], False
    for each in shown:
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            texts.append("*")
            starred = True
        starred = starred or each.kind is inspect.Parameter.VAR_POSITIONAL
        texts.append(str(each))
    return texts


def _prose(thing: Any) -> str:
    """A numpydoc docstring as Markdown: its sections in bold, what is typed in code blocks."""
    text = inspect.getdoc(thing) or ""
    if not text:
        return ""
    parts = re.split(r"\n?^(\w[\w ]*)\n-{3,}\n", f"\n{text}\n", flags=re.MULTILINE)
    lines = [_paragraphs(parts[0].strip("\n"))]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        lines += [f"**{title}**\n", f"```text\n{body.strip(chr(10))}\n```\n"]
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text) + "\n"


def picture() -> str:
    """The picture of the README: its colours are those of the reports, for light and for dark pages."""
    wells = bl.datasets.load("wells").head(200)
    fit = bl.fit("switch ~ dist100 + arsenic + assoc + educ4", wells, prior=bl.Normal(0.5))
    chart = bl.plot.forest(fit, labels=_LABELS).chart
    style = (
        "<style>.bl-chart{background:#fdfcf9}@media (prefers-color-scheme:dark)"
        "{.bl-chart{background:#16181c;color:#e6e3dc;--bl-a:#7db9e8}}</style>"
    )
    return chart.svg().replace("</style>", f"</style>\n{style}", 1) + "\n"


def main() -> None:
    """Write every page anew."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for path in PAGES:
            text = path.read_text(encoding="utf-8")
            path.write_text(filled(text, path.name), encoding="utf-8")
            print(f"make docs: {path.relative_to(ROOT)}")
    (ROOT / "docs" / "picture.svg").write_text(picture(), encoding="utf-8")
    (ROOT / "docs" / "api.md").write_text(api(), encoding="utf-8")
    print("make docs: docs/api.md")


if __name__ == "__main__":
    main()
