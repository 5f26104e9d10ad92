"""A document as a record: sections of paragraphs, code, facts, a verdict, tables and charts. It knows no format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bayeslogit.chart import Chart
from bayeslogit.errors import ArgumentError
from bayeslogit.table import Table

VERDICT_WORDS = {"good": "Trustworthy", "care": "Read with care", "bad": "Do not rely on this"}
VERDICT_SIGNS = {"good": "\u2713", "care": "!", "bad": "\u2715"}


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `lead` sets it larger, as the sentence that answers the question."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Code:
    """Text to be copied: a formula, a command. `label` says what it is."""

    text: str
    label: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line."""

    items: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True)
class Verdict:
    """How far the numbers can be trusted, in a sentence, with reasons.

    Attributes
    ----------
    level : str
        "good", "care" or "bad".
    sentence : str
    reasons : tuple of str
    label : str
        Words for the level; by default those of `VERDICT_WORDS`.
    """

    level: str
    sentence: str
    reasons: tuple[str, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        if self.level not in VERDICT_WORDS:
            raise ArgumentError(f"Verdict: level {self.level!r} is not one of {', '.join(VERDICT_WORDS)}.")

    @property
    def words(self) -> str:
        return self.label or VERDICT_WORDS[self.level]

    @property
    def sign(self) -> str:
        return VERDICT_SIGNS[self.level]


Block = Paragraph | Code | Facts | Verdict | Table | Chart
_KINDS = ((Table, "table"), (Chart, "chart"), (Verdict, "verdict"), (Facts, "facts"), (Code, "code"))


def kind_of(block: Block) -> str:
    """What a block is: "text", "code", "facts", "verdict", "table" or "chart"."""
    return next((name for record, name in _KINDS if isinstance(block, record)), "text")


@dataclass(frozen=True)
class Section:
    """One section; its `id` (lower case, digits, hyphens) and its `number` are the same in every format.

    The number is that of its place in a `Document`, from 1; 0 outside of one.
    """

    id: str
    title: str
    body: tuple[Block, ...]
    number: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.id):
            raise ArgumentError(
                f"Section {self.title!r}: id {self.id!r} must be lower-case letters, digits and hyphens."
            )


@dataclass(frozen=True)
class Document:
    """Sections under a title.

    Attributes
    ----------
    title, subtitle : str
    sections : tuple of Section
    language : str
        Language tag of the text, such as "en".
    footer : str
        A last line: who made this, with what.
    labels : mapping of str to str
        What columns and variables are called in words, for readers of the data.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    language: str = "en"
    footer: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [section.id for section in self.sections]
        if len(set(ids)) < len(ids):
            raise ArgumentError(f"Document {self.title!r}: two sections share an id in {ids}.")

    @property
    def numbered(self) -> tuple[Section, ...]:
        """The sections with their numbers."""
        return tuple(replace(section, number=k) for k, section in enumerate(self.sections, 1))
