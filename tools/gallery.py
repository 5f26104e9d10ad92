"""The gallery: each example's report and what it prints, with an index page to click through. `make reports` runs it.

Everything is seeded and nothing is dated, so the same sources give the same pages. ``reports/index.json`` holds a hash
of the sources and the numbers of each page: tests/test_gallery.py reads the first in `make test`, and makes the pages
again for the second in `make prove`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import re
import runpy
import shutil
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import bayeslogit as bl
from bayeslogit.render.html import style_sheet
from bayeslogit.table import prose_with_minus

ROOT = Path(__file__).parent.parent
# In the order of the index: from a first fit to what goes wrong, then what a penalty is.
ORDER = (
    *("wells", "diabetes", "birth_weight", "admissions", "separation", "choose_scale", "many_columns"),
    *("from_scikit_learn", "weight_decay", "lasso_is_a_prior"),
)
ROWS = 40  # of each table, whose numbers are kept


def source_hash() -> str:
    """Of what the pages are made from: the examples, their data, this script and the schema of the report."""
    digest = hashlib.sha256()
    sources = [ROOT / "examples" / f"{name}.py" for name in ORDER]
    sources += sorted((ROOT / "bayeslogit" / "datasets").glob("*.csv"))
    sources += [ROOT / "bayeslogit" / "render" / "report.schema.json", Path(__file__)]
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def make(folder: Path, names: tuple[str, ...] = ORDER) -> dict[str, Any]:
    """Write the pages of these examples into the folder, and return what ``index.json`` holds."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [_entry(name, folder) for name in names]
    (folder / "index.html").write_text(_index(entries), encoding="utf-8")
    found = {"sources": source_hash(), "pages": {each["name"]: each["numbers"] for each in entries}}
    (folder / "index.json").write_text(_json(found), encoding="utf-8")
    return found


def _json(found: dict[str, Any]) -> str:
    """One line a table, so that a change of numbers can be read as a difference of lines."""
    text = json.dumps(found, allow_nan=False)
    return re.sub(r'("[^"]+": [\[{"])', r"\n\1", text) + "\n"


def _entry(name: str, folder: Path) -> dict[str, Any]:
    """Run one example: its question, what it printed, and what its report says."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), _recorded() as documents:
        arguments, sys.argv = sys.argv, [f"{name}.py", str(folder)]
        try:
            ran = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
        finally:
            sys.argv = arguments
    lines = [line for line in printed.getvalue().splitlines() if not line.startswith("Report:")]
    document = documents[0] if documents else {"title": "", "sections": []}
    headline = document["sections"][0]["body"] if documents else []
    return {
        "name": name,
        "title": document["title"],
        "question": " ".join(ran["__doc__"].split("\n\n")[0].split()),
        "answer": ran.get("answer") or next((block["text"] for block in headline if block.get("lead")), ""),
        "verdict": next((block for block in headline if block["kind"] == "verdict"), None),
        "printed": "\n".join(lines).strip("\n"),
        "numbers": _numbers(document),
    }


@contextlib.contextmanager
def _recorded() -> Iterator[list[dict[str, Any]]]:
    """While it lasts, `bl.report` also makes each report as JSON and hands it over."""
    documents: list[dict[str, Any]] = []
    report = bl.report

    def both(fit: Any, path: Any, **given: Any) -> Path:
        with tempfile.TemporaryDirectory() as scratch:
            made = report(fit, Path(scratch) / "page.json", **given)
            documents.append(json.loads(made.read_text(encoding="utf-8")))
        return report(fit, path, **given)

    bl.report = both
    try:
        yield documents
    finally:
        bl.report = report


def _numbers(document: dict[str, Any]) -> dict[str, list[float | None]]:
    """Numbers of the first rows of each table of a report, row by row, to six digits; None where there is none."""
    tables = [
        (part["id"], block) for part in document["sections"] for block in part["body"] if block["kind"] == "table"
    ]
    found = {}
    for section, table in tables:
        keys = [column["key"] for column in table["columns"] if column["kind"] != "text"]
        cells = [row[key] for row in table["rows"][:ROWS] for key in keys]
        found[f"{section}/{table['name']}"] = [_rounded(cell) for cell in cells]
    return {name: cells for name, cells in found.items() if cells}


def _rounded(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return None
    return float(f"{cell:.6g}")


_STYLE = """
.cards { list-style: none; margin: 0; padding: 0; }
.cards > li { border-top: 1px solid var(--line); padding: 1.3rem 0 0.6rem; }
.cards > li:first-child { border-top: 0; padding-top: 0; }
.cards h2 { margin: 0 0 0.4rem; }
.cards .question { margin-bottom: 0.5rem; }
.cards .answer { color: var(--soft); }
.cards .links { font: 0.88rem/1.5 var(--sans); }
.cards .links span { color: var(--soft); }
.cards details { margin-bottom: 0.9rem; max-width: 62rem; }
.cards summary { font: 0.88rem/1.5 var(--sans); color: var(--accent); cursor: pointer; }
.cards pre { margin-top: 0.5rem; white-space: pre; overflow-x: auto; font-size: 0.74rem; }
@media print { .cards > li { break-inside: avoid; } .cards details, footer { display: none; } }
"""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>bayeslogit: examples</title>
<style>
{style}</style>
</head>
<body>
<main id="content" class="page" style="display: block">
<header>
<h1>Examples, and the reports they write</h1>
<p class="subtitle">Each is a short script on a real question. Read the report first: its top says what was found, and
whether to trust it; all the rest is there to check.</p>
</header>
<ol class="cards">
"""
_FOOT = """</ol>
{also}<footer><p>Made by <code>make reports</code> from the scripts in examples/. bayeslogit {version}</p></footer>
</main>
</body>
</html>
"""
# A page that a long benchmark writes beside these.
_ALSO = """<p>And whether the posteriors behind all this are right:
<a href="calibration.html">simulation-based calibration of every road to them</a> (benchmarks/calibration.py).</p>
"""


def _index(entries: list[dict[str, Any]]) -> str:
    cards = "\n".join(map(_card, entries))
    also = _ALSO if (ROOT / "reports" / "calibration.html").is_file() else ""
    return _HEAD.format(style=style_sheet() + _STYLE) + cards + _FOOT.format(version=escape(bl.__version__), also=also)


def _card(entry: dict[str, Any]) -> str:
    name, question = entry["name"], escape(prose_with_minus(entry["question"]))
    script = f'<a href="../examples/{name}.py">the script</a>'
    if not entry["title"]:
        return _item(name, name.replace("_", " ").capitalize(), question, "", script, entry["printed"])
    verdict = entry["verdict"]
    links = f'<a href="{name}.html">the report</a>, {script}'
    answer = escape(prose_with_minus(entry["answer"])) + (
        f" <span>Verdict: {escape(verdict['words'].lower())}.</span>" if verdict else ""
    )
    title = f'<a href="{name}.html">{escape(entry["title"])}</a>'
    return _item(name, title, question, answer, links, entry["printed"])


def _item(name: str, title: str, question: str, answer: str, links: str, printed: str) -> str:
    lines = [f'<li id="{name}">', f"<h2>{title}</h2>", f'<p class="question">{question}</p>']
    lines += [f'<p class="answer">{answer}</p>'] if answer else []
    lines += [f'<p class="links">{links}</p>', "<details>", "<summary>what the script prints</summary>"]
    return "\n".join([*lines, f"<pre>{escape(printed)}</pre>", "</details>", "</li>\n"])


if __name__ == "__main__":
    # An example that fails leaves the pages as they were.
    with tempfile.TemporaryDirectory() as scratch:
        made = make(Path(scratch))
        shutil.copytree(scratch, Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "reports", dirs_exist_ok=True)
    print(f"make reports: {len(made['pages'])} examples; open reports/index.html")
