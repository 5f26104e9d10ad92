"""Documents as one self-contained HTML file: no network, no script, style and drawings inline."""

from __future__ import annotations

import re
from importlib.resources import files

from bayeslogit.chart import Chart
from bayeslogit.plaintext import printable
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Verdict
from bayeslogit.table import MINUS, Table, html_fragment

WIDE, NARROW = 720.0, 350.0  # the two widths at which each chart is drawn; the style sheet shows one of them


def to_html(document: Document) -> str:
    """A whole HTML page.

    Each chart is drawn twice, for a page and for a phone, and carries the table of its numbers; the style sheet
    chooses, and serves light, dark and print.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    templates = files("bayeslogit.render").joinpath("templates")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["set"] = _set
    page = environment.from_string(templates.joinpath("document.html").read_text(encoding="utf-8"))
    # The style sheet is ours; tables and charts arrive escaped from their own rooms. All else Jinja escapes.
    return page.render(
        document=document,
        css=Markup(templates.joinpath("document.css").read_text(encoding="utf-8")),
        kind=_kind,
        table=lambda block: Markup(html_fragment(block)),
        chart=lambda block, width: Markup(block.svg(width)),
        wide=WIDE,
        narrow=NARROW,
    )


def _set(text: str) -> str:
    """Prose as a printer would set it: minus signs before numbers, percent signs that stay with theirs."""
    return re.sub(r"(?<![\w.)\]-])-(?=[\d.])", MINUS, printable(text)).replace(" %", "\u00a0%")


def _kind(block: Block) -> str:
    kinds = (
        (Table, "table"),
        (Chart, "chart"),
        (Verdict, "verdict"),
        (Facts, "facts"),
        (Code, "code"),
        (Paragraph, "text"),
    )
    return next(name for record, name in kinds if isinstance(block, record))
