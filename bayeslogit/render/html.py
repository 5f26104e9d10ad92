"""Documents as one self-contained HTML file: no network, no script, style and drawings inline."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from bayeslogit.plaintext import printable
from bayeslogit.render.document import Block, Document, kind_of
from bayeslogit.table import html_fragment, prose_with_minus

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE, NARROW = 720.0, 350.0  # the two widths at which each chart is drawn; the style sheet shows one of them


def to_html(document: Document) -> str:
    """A whole HTML page.

    Each chart is drawn twice, for a page and for a phone, and carries the table of its numbers; the style sheet
    chooses, and serves light, dark and print.
    """
    from markupsafe import Markup

    page = _environment().get_template("document.html")
    # The style sheet is ours; tables and charts arrive escaped from their own rooms. All else Jinja escapes.
    return page.render(document=document, css=Markup(style_sheet()))


def block_html(block: Block) -> str:
    """One block, as it stands in a page."""
    return _environment().get_template("one.html").render(block=block)


def style_sheet() -> str:
    """Of the page."""
    return _templates()["document.css"]


def _templates() -> dict[str, str]:
    folder = files("bayeslogit.render").joinpath("templates")
    names = ("document.html", "block.html", "document.css")
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}


def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    own = {**_templates(), "one.html": '{% from "block.html" import show with context %}{{ show(block) }}'}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=DictLoader(own)
    )
    environment.filters.update(set=_set, given=_given)
    environment.globals.update(
        kind=kind_of,
        # The style sheet of the page aligns by class; the inline styles are for notebooks, and a quarter of a page.
        table=lambda block: Markup(re.sub(r' style="text-align:(left|right)"', "", html_fragment(block))),
        chart=lambda block, width: Markup(block.svg(width)),
        wide=WIDE,
        narrow=NARROW,
    )
    return environment


def _set(text: str) -> str:
    """Prose as a printer would set it: minus signs before numbers, percent signs that stay with theirs."""
    return _given(prose_with_minus(text))


def _given(text: str) -> str:
    """Names and titles, which users may have chosen: their signs are theirs."""
    return printable(text).replace(" %", "\u00a0%")
