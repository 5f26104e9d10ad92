"""A report in one's own Jinja2 template: sandboxed, and every name and value escaped for the format of the file.

A template sees these and nothing else:

- ``document``: its ``title``, ``subtitle``, ``language`` and ``footer``; ``sections``, a list of records with ``id``,
  ``number``, ``title`` and ``body`` (blocks); ``section``, the same by id: ``section.results.body``.
- ``labels``: names of columns and variables to their labels.
- ``kind(block)``: "text", "code", "facts", "verdict", "table" or "chart". A text has ``text`` and ``lead``; code
  ``text`` and ``label``; facts ``items`` (name, value) and ``title``; a verdict ``level``, ``words``, ``sentence``,
  ``reasons``; a table ``name``, ``title``, ``header``, ``columns``, ``rows`` (raw values), ``texts()`` (formatted),
  ``records()``, ``notes``; a chart ``title``, ``description``, ``data`` (a table), ``notes``.
- ``tables``: every table of the document by its name: ``tables["coefficients"].records()``.
- ``render(block)``: the block as the built-in page has it, in the format of the file; ``chart(block, width)``: its SVG,
  for HTML; ``css``: the style sheet of the built-in page.

What ``render``, ``chart`` and ``css`` give is markup and stays as it is; everything else is text and is escaped. A
template cannot switch that off, include other files, or reach beyond these records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeslogit.chart import Chart
from bayeslogit.errors import ArgumentError
from bayeslogit.render import html, latex, markdown
from bayeslogit.render.document import Block, Document, kind_of
from bayeslogit.table import Table

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_LONGEST = 1_000_000


class _Markup(str):
    """Text that is markup of the file's format already."""

    __slots__ = ()


def template_text(template: str | os.PathLike[str], suffix: str) -> str:
    """The template itself: text that holds ``{{`` or ``{%`` is one, anything else names a file.

    Raises
    ------
    ArgumentError
        If the file cannot be read, the template has an error, or the format takes none.
    """
    if suffix in (".json", ".csv"):
        raise ArgumentError(f"report(template=...): {suffix[1:].upper()} has no template; use .html, .md or .tex.")
    if isinstance(template, str) and ("{{" in template or "{%" in template):
        text = template
    else:
        try:
            text = Path(template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArgumentError(f"report(template={os.fspath(template)!r}): cannot be read ({error}).") from None
    _checked(_environment(suffix), text)
    return text


def from_template(text: str, suffix: str, document: Document, labels: Mapping[str, str]) -> str:
    """The document in a template.

    Raises
    ------
    ArgumentError
        If the template asks for what is not there, or for what the sandbox forbids.
    """
    from jinja2 import TemplateError

    environment = _environment(suffix)
    blocks = [block for section in document.numbered for block in section.body]
    safe = _safe(suffix)
    try:
        return environment.from_string(text).render(
            document=document,
            sections=document.numbered,
            section={section.id: section for section in document.numbered},
            labels=dict(labels),
            tables={block.name: block for block in blocks if isinstance(block, Table)},
            kind=kind_of,
            render=lambda block: safe(_render(suffix, block)),
            chart=lambda block, width=html.WIDE: safe(_drawn(block, width, suffix)),
            css=safe(html.style_sheet()),
        )
    except TemplateError as error:
        raise ArgumentError(f"report(template=...): {_where(error)}{error}.") from None
    except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError, OverflowError) as error:
        raise ArgumentError(f"report(template=...): {type(error).__name__}: {error}.") from None


def _environment(suffix: str) -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    as_html = suffix == ".html"
    # Jinja escapes for HTML; for the other formats every value that is put out goes through their own escape.
    environment = ImmutableSandboxedEnvironment(
        autoescape=as_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=None if as_html else _finalize({".md": markdown.escape, ".tex": latex.escape}[suffix]),
    )
    for unsafe in ("safe", "xmlattr", "urlize", "pprint"):
        del environment.filters[unsafe]
    return environment


def _finalize(escape: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, _Markup) else escape(str(value))


def _safe(suffix: str) -> Callable[[str], str]:
    if suffix != ".html":
        return _Markup
    from markupsafe import Markup

    return Markup


def _checked(environment: SandboxedEnvironment, text: str) -> None:
    """Refuse what has an error, or would switch escaping off."""
    from jinja2 import TemplateError, nodes

    if len(text) > _LONGEST:
        raise ArgumentError(f"report(template=...): {len(text):,} characters are more than a template has.")
    try:
        tree = environment.parse(text)
        environment.compile(text)
    except TemplateError as error:
        raise ArgumentError(f"report(template=...): {_where(error)}{error}.") from None
    for node in tree.find_all(
        (nodes.EvalContextModifier, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    ):
        what = "autoescape" if isinstance(node, nodes.EvalContextModifier) else type(node).__name__.lower()
        raise ArgumentError(f"report(template=...): line {node.lineno}: {what} is not for templates of reports.")


def _where(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return "" if line is None else f"line {line}: "


def _render(suffix: str, block: Block) -> str:
    if suffix == ".html":
        return html.block_html(block)
    return latex.block_latex(block) if suffix == ".tex" else markdown.block_markdown(block)


def _drawn(block: Block, width: float, suffix: str) -> str:
    if suffix != ".html" or not isinstance(block, Chart):
        raise ValueError("chart(block, width) draws charts in HTML; render(block) gives any block in any format")
    return block.svg(float(width))
