"""Faces: the same document in a terminal, in Markdown and in HTML; whole, escaped, self-contained."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from bayeslogit.chart import calibration, forest
from bayeslogit.errors import ArgumentError
from bayeslogit.plaintext import display_width
from bayeslogit.render.document import Code, Document, Facts, Paragraph, Section, Verdict
from bayeslogit.render.html import to_html
from bayeslogit.render.markdown import escape, to_markdown
from bayeslogit.render.terminal import print_table, to_text
from bayeslogit.table import Column, Table

HOSTILE = '<script>alert("1")</script>'
MARKUP = "[red]a|b[/red] `c` __d__ $e$ :smile:"


def table() -> Table:
    return Table(
        "coefficients",
        "Coefficients",
        (Column("term", "term"), Column("estimate", "log-odds (mode)", "number"), Column("sd", "sd", "number")),
        (("dist100", -0.897, 0.104), (HOSTILE, 0.461, None), (MARKUP, 1.2e-9, 0.2)),
        header=("Prior: Normal(0, 2.5)",),
        notes=("First note.", "Second note, with 95 % of it."),
    )


def document() -> Document:
    chart = forest(["dist100", HOSTILE], [-0.9, 0.4], [-1.1, 0.3], [-0.7, 0.5], notes=("A note under a chart.",))
    checks = calibration([0.3, 0.7], [0.28, 0.72], [0.2, 0.6], [0.36, 0.8], [100, 200])
    return Document(
        f"Who switches? {HOSTILE}",
        "Logistic regression",
        (
            Section(
                "headline",
                "Headline",
                (
                    Paragraph("The odds fall by -0.9 between 2026-11-21 and today.", lead=True),
                    Verdict("good", "All is well.", ("Reason one.", HOSTILE)),
                    Verdict("care", "Look here."),
                    Verdict("bad", "No mode.", label="Not finite"),
                ),
            ),
            Section("data", "Data", (Facts((("source", "wells.csv"), (HOSTILE, MARKUP)), "Facts"), table())),
            Section("results", "Results", (chart, checks)),
            Section("model", "Model", (Code(f"y ~ x + {HOSTILE}", "Formula"),)),
        ),
        footer="Made by a test.",
    )


SAID = (
    *(
        "Who switches?",
        "Logistic regression",
        "Headline",
        "All is well.",
        "Reason one.",
        "Read with care",
        "Look here.",
    ),
    *("Not finite", "No mode.", "wells.csv", "Prior: Normal(0, 2.5)", "First note.", "A note under a chart."),
    *("Formula", "Made by a test.", "dist100"),
)


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether every element is closed in order."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def test_html_is_one_well_formed_file_without_network_or_script():
    text = to_html(document())
    page = Page(text)
    assert page.open == []
    assert not page.tags("script")
    assert not page.tags("img")
    assert [link["href"] for link in page.tags("link")] == ["data:,"]
    assert not re.search(r"url\(|@import|\bsrc=|\son\w+=", text)
    assert set(re.findall(r"https?://[^\"'\s<]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in text


def test_html_says_everything_once_escaped():
    page = Page(to_html(document()))
    words = " ".join("".join(page.words).replace("\u00a0", " ").split())
    for said in SAID:
        assert said in words
    assert HOSTILE in words
    assert MARKUP in words
    assert "fall by \u22120.9 between 2026-11-21" in words


def test_html_is_accessible():
    page = Page(to_html(document()))
    assert page.tags("html")[0]["lang"] == "en"
    assert {th.get("scope") for th in page.tags("th")} == {"col", "row"}
    assert len(page.tags("caption")) == len(page.tags("table"))
    for svg in page.tags("svg"):
        assert svg["role"] == "img"
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = {name for svg in page.tags("svg") for name in str(svg["aria-labelledby"]).split()}
    assert named <= set(ids)
    assert len(page.tags("details")) == 2  # one twin a chart
    assert {a["href"] for a in page.tags("a")} <= {f"#{i}" for i in ids}
    headings = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_html_serves_phone_print_light_and_dark():
    text = to_html(document())
    for needed in (
        'name="viewport"',
        "prefers-color-scheme: dark",
        "@media print",
        "overflow-x: auto",
        "max-width: 700px",
    ):
        assert needed in text


def test_html_sets_minus_signs_in_prose_and_leaves_titles_names_and_code():
    body = (
        Paragraph("The log evidence is -12.5 nats."),
        Code("fit -13", label="Command -14"),
        Facts((("Fit -15", "Log posterior -16.5"),), title="Facts -17"),
        Verdict("care", "Off by -18.5 sd.", ("At most 1.5e-19.",)),
    )
    made = Document("Trial -10", "Compared at -11.5 degrees", (Section("s", "Section -9", body),))
    text = to_html(made)
    for kept in ("Trial -10<", "Section -9<", "fit -13<", "Command -14<", "Fit -15<", "Facts -17<"):
        assert kept in text
    for changed in ("\u221211.5", "\u221212.5", "\u221216.5", "\u221218.5", "1.5e\u221219"):
        assert changed in text
    assert "\u2212" not in to_markdown(made)


def test_html_is_deterministic():
    assert to_html(document()) == to_html(document())


def test_markdown_says_everything_and_keeps_pipes_in_their_cells():
    text = to_markdown(document())
    for said in SAID:
        assert said in text
    assert "<script" not in text.replace("y ~ x + <script", "")  # the code block is literal
    grid = [line for line in to_markdown(table()).splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in grid)
    assert grid[1] == "| :-- | --: | --: |"
    assert grid[2] == "| dist100 | -0.897 | 0.104 |"
    assert "\\[red\\]a\\|b\\[/red\\] \\`c\\` \\_\\_d\\_\\_ \\$e\\$" in grid[4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dist_100", "dist_100"),
        ("__import__", "\\_\\_import\\_\\_"),
        ("a*b", "a\\*b"),
        ("C(x)[T.1]", "C(x)\\[T.1\\]"),
        ("a\nb", "a\\\\nb"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
    ],
)
def test_markdown_escapes_names(text, expected):
    assert escape(text) == expected


@pytest.mark.parametrize(
    ("text", "start"),
    [("# a", "\\# a"), ("- a", "\\- a"), ("1. a", "&#49;. a"), ("-3.2 a", "-3.2 a"), ("0.5 a", "0.5 a")],
)
def test_markdown_paragraphs_do_not_become_lists_or_headings(text, start):
    section = Section("a", "A", (Paragraph(text),))
    assert f"\n\n{start}\n" in to_markdown(Document("T", "", (section,)))


def test_a_code_block_cannot_close_itself():
    text = to_markdown(Document("T", "", (Section("a", "A", (Code("```\nx"),)),)))
    assert "````text\n```\nx\n````" in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_terminal_text_fits_and_says_everything(width):
    text = to_text(document(), width)
    assert max(display_width(line) for line in text.splitlines()) <= width
    flat = " ".join(text.split())
    for said in SAID:
        assert said in flat
    assert "\x1b" not in text


def test_rich_markup_stays_text():
    assert MARKUP in " ".join(to_text(table(), 100).split())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", to_text(table(), 100, color=True))
    assert plain == to_text(table(), 100)
    assert "\x1b[1m" in to_text(table(), 100, color=True)


def test_a_table_in_the_terminal_is_its_str():
    assert [line.rstrip() for line in to_text(table(), 100).splitlines()] == str(table()).splitlines()


def test_print_table_writes_to_the_console_it_is_given():
    out = io.StringIO()
    print_table(table(), Console(file=out, width=80))
    assert out.getvalue() == to_text(table(), 80)


def test_print_table_writes_to_stdout(capsys):
    print_table(table())
    assert "dist100" in capsys.readouterr().out


def test_a_stream_that_knows_only_ascii_gets_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_table(document(), Console(file=stream, width=80))
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "dist100" in text
    assert "[ok] Trustworthy." in text


def test_charts_have_their_table_in_text():
    chart = forest(["a"], [0.1], [0.0], [0.2])
    assert "All values on the log-odds scale" in to_text(chart, 80)
    assert "Forest plot of 1 row:" in to_markdown(chart)


def test_malformed_documents_are_refused():
    with pytest.raises(ArgumentError, match="level 'fine' is not one of good, care, bad"):
        Verdict("fine", "x")
    with pytest.raises(ArgumentError, match="id 'A b' must be lower-case"):
        Section("A b", "x", ())
    with pytest.raises(ArgumentError, match="two sections share an id"):
        Document("T", "", (Section("a", "A", ()), Section("a", "B", ())))
